"""What the embedded server is started with, by the machine it is on."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from ic_assets.resources.embedded.users import IS_LINUX, PORT

# Iterations slow down guessing, which is hopeless here (192 random bits), and every connection as much.
SCRAM_ITERATIONS = "1"


def server_parameters(data: Path) -> dict[str, str]:
    """Throughput without giving up durability: ``fsync`` and ``full_page_writes`` keep their default, on."""
    shared = min(2048, max(32, _memory_bytes() // 8 // 2**20))
    # After each checkpoint a page that is written, or read for the first time, is logged whole once more. A load of 5
    # million rows logged 22 GB with a checkpoint after every 2.7.
    log = min(12288, max(1024, shutil.disk_usage(data).free // 4 // 2**20))
    return {
        "listen_addresses": "",
        "port": str(PORT),
        "max_connections": "100",
        "shared_buffers": f"{shared}MB",
        "maintenance_work_mem": "256MB",
        "work_mem": "64MB",
        "effective_io_concurrency": "32",
        # Who gathers works as well.
        "max_parallel_workers_per_gather": str(min(4, (os.cpu_count() or 1) - 1)),
        "max_parallel_maintenance_workers": str(min(4, (os.cpu_count() or 1) - 1)),
        "wal_buffers": "64MB",
        "max_wal_size": f"{log}MB",
        "checkpoint_timeout": "15min",
        "checkpoint_completion_target": "0.9",
        # pglz is the only method here, and takes longer over a page than the disk: 9 s of a 500,000-row load.
        "wal_compression": "off",
        # Nobody replicates this server; at this level a load into a new table writes no log.
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        # Containers have 64 MB of /dev/shm unless told, and a parallel query then ends in "No space left on device".
        "dynamic_shared_memory_type": "posix" if _shared_memory_bytes() > 2**30 else "mmap",
        "scram_iterations": SCRAM_ITERATIONS,
        # A statement or a DETAIL line can hold a person's data: neither goes to the log.
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
    }


def _memory_bytes() -> int:
    memory: int = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):  # "max" where there is none
            memory = min(memory, int(Path(limit).read_text()))
    return memory


def _shared_memory_bytes() -> int:
    try:
        status = os.statvfs("/dev/shm")  # noqa: S108 asked for its size only
    except OSError:
        return 0 if IS_LINUX else 2**40
    return status.f_bavail * status.f_frsize
