"""``ic-assets erd``: the entity-relationship diagram of the database that the commands use."""

import sys
from pathlib import Path

from ic_assets.commands.looking import looking
from ic_assets.commands.terminal import out
from ic_assets.core.dictionary import described
from ic_assets.core.erd import draw
from ic_assets.core.failures import Refused
from ic_assets.core.settings import Settings


def erd(form: str, file: Path | None) -> int:
    """Writes ``file``, or standard output. Raises ``Refused`` for a picture on a terminal, or a file that cannot be
    written."""
    if file is None and form == "png" and sys.stdout.isatty():
        raise Refused("a PNG is no text for a terminal; name a file: --out erd.png")
    settings = Settings.from_env()
    with looking(settings) as connection:
        catalog = described(connection)
    drawn = draw(catalog, form)
    if file is None:
        sys.stdout.buffer.write(drawn)
        sys.stdout.buffer.flush()
        return 0
    try:
        file.write_bytes(drawn)
    except OSError as error:
        raise Refused(f"{file} cannot be written: {error.strerror}; name another file with --out") from error
    out.print(str(file), markup=False)
    return 0
