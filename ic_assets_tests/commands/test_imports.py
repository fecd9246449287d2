"""What a command that only looks does not import, in a process of its own: each of these takes a quarter of a second or
more to load, and `status` is to answer at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

HEAVY = {"dagster", "pandas", "numpy", "pandera", "sqlalchemy", "alembic", "httpx", "matplotlib", "starlette"}
CODE = """
import sys
from ic_assets.cli import main
sys.argv = ["ic-assets", *sys.argv[1:]]
try:
    main()
finally:
    sys.stderr.write("\\n" + ",".join(sorted({name.partition(".")[0] for name in sys.modules})))
"""


@pytest.mark.parametrize("schema_is_there", [True, False], ids=["again", "first"])
def test_status_imports_nothing_that_it_does_not_need(database: str, schema_is_there: bool) -> None:
    if not schema_is_there:
        subprocess.run([sys.executable, "-c", CODE, "rollback", "schema", "--yes"], env=_on(database), check=True)
    done = subprocess.run(
        [sys.executable, "-c", CODE, "status", "--json"], env=_on(database), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["drops_landed"] == 0
    imported = set(done.stderr.splitlines()[-1].split(","))
    assert "ic_assets" in imported
    assert not imported & HEAVY


def _on(database: str) -> dict[str, str]:
    return {**os.environ, "IC_POSTGRES_URL": database}
