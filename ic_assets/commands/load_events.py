"""``ic-assets load-events``: files of events into the inbox."""

from collections.abc import Sequence
from pathlib import Path

from ic_assets.commands.terminal import counted, emit_json, out, progress_bars, table
from ic_assets.commands.working import working
from ic_assets.core.failures import Refused
from ic_assets.core.settings import Settings
from ic_assets.inbox import files as engine
from ic_assets.inbox.files import Loaded
from ic_assets.inbox.registry import registry

_COLUMNS = ("lines", "stored", "duplicates", "differing", "rejected")


def load_events(door_name: str, paths: Sequence[Path], *, as_json: bool, quiet: bool) -> int:
    """Loads the files in their order. Returns 1 when lines were rejected. Raises ``Refused`` for a door that is not there
    and for the first file that cannot be read as a whole; those before it are loaded."""
    known = registry()
    door = known.door(door_name)
    loaded: list[Loaded] = []
    refusal: Refused | None = None
    with working(Settings.from_env()) as database, progress_bars(quiet or as_json) as show:
        for path in paths:
            # Of a packed file nobody knows how much it unpacks to.
            total = 0 if path.suffix == ".gz" or not path.is_file() else path.stat().st_size

            def told(done: int, path: Path = path, total: int = total) -> None:
                if show:
                    show(path.name, done, total, unit="bytes")

            try:
                loaded.append(engine.load(database, known, door, path.absolute(), told))
            except Refused as refused:
                refusal = refused
                break
    if as_json and (loaded or not refusal):
        emit_json(_summary(door_name, loaded))
    elif loaded:
        _show(loaded)
    if refusal:
        before = f" (the {counted(len(loaded), 'file')} before it: loaded)" if loaded else ""
        raise Refused(f"{refusal}{before}")
    return 1 if any(one.rejected for one in loaded) else 0


def _summary(door: str, loaded: Sequence[Loaded]) -> dict[str, object]:
    return {
        "door": door,
        **{name: sum(getattr(one, name) for one in loaded) for name in _COLUMNS},
        "set_aside": sum(one.set_aside.total() for one in loaded),
        "unknown_topic": sum(one.unknown_topic.total() for one in loaded),
        "files": [one.to_json() for one in loaded],
    }


def _show(loaded: Sequence[Loaded]) -> None:
    rows = [
        [one.file, *(getattr(one, name) for name in _COLUMNS), one.set_aside.total(), one.unknown_topic.total()]
        for one in loaded
    ]
    headings = ["file", "lines", "new events", "known", "known, differing", "no event", "set aside", "unknown topic"]
    out.print(table("Events", headings, rows))
    for one in loaded:
        for line in one.first_rejected:
            out.print(f"{one.file}, line {line.line}: {line.reason}", markup=False)
        if one.rejected > len(one.first_rejected):
            out.print(f"{one.file}: {one.rejected - len(one.first_rejected):,} more lines are no event.", markup=False)
        for reason, count in one.set_aside.most_common(5):
            out.print(f"{one.file}: {counted(count, 'event')} set aside, {reason}.", markup=False)
        for topic, count in one.unknown_topic.most_common(5):
            out.print(f"{one.file}: {counted(count, 'event')} of topic {topic!r}, which no flow takes.", markup=False)
