"""Where the SQL and the templates are: inside an installed wheel, or in the checkout of an editable install."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def data_dir(name: str) -> Path:
    """The folder ``sql`` or ``templates``. A wheel carries both inside the package; an editable install
    does not see mapped package data, so the checkout's own folder is used there."""
    packaged = _PACKAGE / name
    return packaged if packaged.is_dir() else _PACKAGE.parent / name


SQL_DIR = data_dir("sql")
TEMPLATES_DIR = data_dir("templates")
