"""``ic-assets settings``: what the database keeps of the settings that shape the data, and a change of one, knowingly."""

from typing import Any

from ic_assets.activities.engine.staging import changed_settings as engine
from ic_assets.commands.terminal import counted, emit_json, out, say, table
from ic_assets.core import kept_settings, schema
from ic_assets.core.kept_settings import KEPT, shown, text_of
from ic_assets.core.schema import NothingYet
from ic_assets.core.settings import Settings
from ic_assets.resources.postgres import Database, connected
from ic_assets.resources.services import services

_NAMED = 5


def show(*, as_json: bool) -> int:
    """Each setting: kept value, this shell's, since when. Returns 1 where a shell differs. Raises ``Refused``."""
    settings = Settings.from_env()
    if not settings.postgres_url and not (settings.home / "postgres" / "data").exists():
        raise NothingYet
    with services(settings, looks=True) as up:
        schema.require(up.postgres_url)
        with connected(up.postgres_url, settings) as connection:
            since: dict[str, Any] = dict(connection.execute("SELECT name, kept_at FROM staging.ic_setting").fetchall())
            known = kept_settings.kept(connection)
    rows = [
        {
            "name": name,
            "kept": known.get(name),
            "shell": text_of(settings, name) if kept_settings.given(settings, name) else None,
            "since": since.get(name),
        }
        for name in KEPT
    ]
    differing = [row["name"] for row in rows if None not in (row["kept"], row["shell"]) and row["kept"] != row["shell"]]
    if as_json:
        emit_json({"settings": rows, "differing": differing})
    else:
        cells = [
            [
                row["name"],
                "not used yet" if row["kept"] is None else shown(row["kept"]),
                "" if row["shell"] is None else shown(row["shell"]),
                f"{row['since']:%Y-%m-%d %H:%M}" if row["since"] else "",
            ]
            for row in rows
        ]
        out.print(table("Settings that shape the data", ["setting", "kept", "this shell", "since (UTC)"], cells))
        for name in differing:
            out.print(
                f"{name} differs: unset it, or `ic-assets settings set {name} VALUE` changes what is kept.",
                markup=False,
            )
    return 1 if differing else 0


def change(name: str, value: str, *, as_json: bool) -> int:
    """Keeps another value and says what it puts out of date. Returns 0. Raises ``Refused``."""
    settings = Settings.from_env()
    with services(settings) as up:
        schema.ensure(up.postgres_url)
        settings = kept_settings.settings_for(up.postgres_url, settings, refuses=False)
        database = Database(up.postgres_url, settings)
        try:
            done = database.repeated("change of a setting", lambda c: engine.change(c, settings, name, value))
        finally:
            database.close()
    if as_json:
        emit_json(vars(done))
        return 0
    if done.before == done.value:
        out.print(f"{name} is {shown(done.value)} already.", markup=False)
        return 0
    before = "" if done.before is None else f", it was {shown(done.before)}"
    out.print(f"{name} is {shown(done.value)} now{before}.", markup=False)
    if done.months:
        out.print(f"{counted(len(done.months), 'month')} out of date by it: `ic-assets load` makes them anew.")
    if done.drops:
        named = ", ".join(done.drops[:_NAMED]) + (
            f" and {len(done.drops) - _NAMED} more" if len(done.drops) > _NAMED else ""
        )
        out.print(f"Read under the old value, load their files again: {named}.", markup=False)
    said = Settings.from_env()
    if kept_settings.given(said, name) and text_of(said, name) != done.value:
        say(f"This shell still sets {name} to {text_of(said, name)}: unset it, or other commands are refused.")
    return 0
