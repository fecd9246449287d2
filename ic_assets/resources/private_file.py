"""Files that only their owner can read: passwords, and what stands beside them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner can read; a reader sees the old text or the new one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    (descriptor, name) = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # 0600 from the start
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text + "\n")
    Path(name).replace(path)
