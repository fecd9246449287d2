"""The SQLite file of the local HubSpot: records, unique values, associations, custom properties, request log.

One connection per process; writes happen in ``transaction()``, so a process that is killed at any moment leaves
a whole file. Another process may seed the same file while the server runs (``seed_records``).
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from ic_assets.core.failures import Refused
from ic_assets.sandbox.hubspot.properties import HUBSPOT_PROPERTIES
from ic_assets.sandbox.hubspot.values import iso

_SCHEMA = """
create table if not exists meta (key text primary key, value text not null) without rowid;
create table if not exists record (
    type text not null, id integer not null, properties text not null,
    created integer not null, updated integer not null, archived_at integer,
    primary key (type, id));
create index if not exists record_state on record (type, archived_at);
create index if not exists record_updated on record (updated);
create table if not exists unique_value (
    type text not null, property text not null, value text not null, id integer not null,
    primary key (type, property, value)) without rowid;
create table if not exists association (
    from_type text not null, from_id integer not null, to_type text not null, to_id integer not null,
    type_id integer not null,
    primary key (from_type, from_id, to_type, to_id, type_id)) without rowid;
create table if not exists property (
    type text not null, name text not null, definition text not null,
    created integer not null, updated integer not null, archived_at integer,
    primary key (type, name)) without rowid;
create table if not exists property_group (
    type text not null, name text not null, label text not null, primary key (type, name)) without rowid;
create table if not exists request (
    id integer primary key, at real not null, method text not null, path text not null,
    status integer not null, inputs integer not null, milliseconds real not null, fault text);
create index if not exists request_at on request (at);
"""
_VERSION = 1
_FIRST_ID = 30_000_000_000
_FIRST_PORTAL_ID = 2_000_000_000
"""Above every portal id that HubSpot has given out, so that a local portal is never taken for a real one."""
_SEED_CHUNK = 2_000


@dataclass(slots=True)
class Record:
    """One object. ``properties`` maps names to stored values; times are Unix milliseconds."""

    id: int
    properties: dict[str, str]
    created: int
    updated: int
    archived_at: int | None = None


Association = tuple[str, int, str, int, int]
"""from type, from id, to type, to id, association type id."""


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def iso_now() -> str:
    return iso(now_ms())


class Store:
    """The open file. Creates it, with a portal id of its own, when it is not there. Raises ``Refused``."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # It holds names and addresses; SQLite gives its side files the same mode.
            path.touch(mode=0o600)
            self._open(path)
        except (OSError, sqlite3.Error) as error:
            raise Refused(f"{path} cannot be opened as the local HubSpot's file: {error}; name another one") from error
        self.portal_id = int(self._meta("portal_id"))

    def _open(self, path: Path) -> None:
        self._db = sqlite3.connect(path, timeout=15, isolation_level=None, check_same_thread=False)
        # SQLite's own lower() knows ASCII only.
        self._db.create_function("casefold", 1, lambda value: str(value).casefold(), deterministic=True)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = normal")
        version = self._db.execute("pragma user_version").fetchone()[0]
        if version not in (0, _VERSION):
            raise sqlite3.DatabaseError(f"it has layout {version}, and this program writes {_VERSION}")
        self._db.executescript(f"{_SCHEMA}; pragma user_version = {_VERSION}")
        self._db.executemany(
            "insert or ignore into meta values (?, ?)",
            [
                ("portal_id", str(_FIRST_PORTAL_ID + secrets.randbelow(100_000_000))),
                ("next_id", str(_FIRST_ID)),
            ],
        )

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing. ``immediate``, since a read that turns into a write cannot wait for another process."""
        self._db.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """For the statements of other modules here; values are bound, never pasted."""
        return self._db.execute(statement, parameters).fetchall()

    # -- records ---------------------------------------------------------------------------------------------

    def records(self, kind: str, ids: Iterable[int], *, archived: bool = False) -> dict[int, Record]:
        """Those of the ids that exist and are live (or archived), by id."""
        wanted = list(ids)
        found = self._db.execute(
            "select id, properties, created, updated, archived_at from record"  # noqa: S608 - question marks only
            f" where type = ? and id in ({_marks(wanted)}) and (archived_at is not null) = ?",
            (kind, *wanted, archived),
        )
        return {row[0]: _record(row) for row in found}

    def existing(self, kind: str, ids: Iterable[int]) -> set[int]:
        """Those of the ids that are live records."""
        wanted = list(ids)
        found = self._db.execute(
            "select id from record"  # noqa: S608 - question marks only
            f" where type = ? and id in ({_marks(wanted)}) and archived_at is null",
            (kind, *wanted),
        )
        return {row[0] for row in found}

    def page(self, kind: str, after: int, limit: int, *, archived: bool) -> list[Record]:
        """Records with an id above ``after``, ascending."""
        found = self._db.execute(
            "select id, properties, created, updated, archived_at from record"
            " where type = ? and id > ? and (archived_at is not null) = ? order by id limit ?",
            (kind, after, archived, limit),
        )
        return [_record(row) for row in found]

    def new_ids(self, count: int) -> list[int]:
        """Fresh record ids: large integers that rise, but not by one, as in HubSpot."""
        first = int(self._meta("next_id"))
        self._set_meta("next_id", str(first + 7 * count))
        return list(range(first, first + 7 * count, 7))

    def insert(self, kind: str, records: Iterable[Record]) -> None:
        self._db.executemany(
            "insert into record (type, id, properties, created, updated) values (?, ?, ?, ?, ?)",
            [(kind, r.id, _dumps(r.properties), r.created, r.updated) for r in records],
        )

    def update(self, kind: str, records: Iterable[Record]) -> None:
        self._db.executemany(
            "update record set properties = ?, updated = ? where type = ? and id = ?",
            [(_dumps(r.properties), r.updated, kind, r.id) for r in records],
        )

    def archive(self, kind: str, ids: Iterable[int], at: int) -> None:
        self._db.executemany(
            "update record set archived_at = ?, updated = ? where type = ? and id = ? and archived_at is null",
            [(at, at, kind, id_) for id_ in ids],
        )

    # -- unique values ---------------------------------------------------------------------------------------

    def holders(self, kind: str, name: str, values: Iterable[str]) -> dict[str, int]:
        """Who holds each of the unique values: value -> record id, archived records included."""
        wanted = list(values)
        found = self._db.execute(
            "select value, id from unique_value"  # noqa: S608 - question marks only
            f" where type = ? and property = ? and value in ({_marks(wanted)})",
            (kind, name, *wanted),
        )
        return dict(found.fetchall())

    def hold(self, kind: str, held: Iterable[tuple[str, str, int]]) -> None:
        """(property, value, id) each; raises ``sqlite3.IntegrityError`` when another record holds one."""
        self._db.executemany(
            "insert into unique_value values (?, ?, ?, ?)", [(kind, name, value, id_) for name, value, id_ in held]
        )

    def release(self, kind: str, held: Iterable[tuple[str, str, int]]) -> None:
        self._db.executemany(
            "delete from unique_value where type = ? and property = ? and value = ? and id = ?",
            [(kind, name, value, id_) for name, value, id_ in held],
        )

    # -- associations ----------------------------------------------------------------------------------------

    def associate(self, associations: Iterable[Association]) -> None:
        self._db.executemany("insert or ignore into association values (?, ?, ?, ?, ?)", list(associations))

    def dissociate(self, pairs: Iterable[tuple[str, int, str, int]]) -> None:
        """Removes every association between the pairs, both directions."""
        both = [p for a, i, b, j in pairs for p in ((a, i, b, j), (b, j, a, i))]
        self._db.executemany(
            "delete from association where from_type = ? and from_id = ? and to_type = ? and to_id = ?", both
        )

    def associated(self, from_type: str, from_ids: Iterable[int], to_type: str) -> dict[int, dict[int, list[int]]]:
        """from id -> to id -> association type ids; archived records are left out on both sides."""
        wanted = list(from_ids)
        found = self._db.execute(
            "select a.from_id, a.to_id, a.type_id from association a"  # noqa: S608 - question marks only
            " join record t on t.type = a.to_type and t.id = a.to_id and t.archived_at is null"
            " join record f on f.type = a.from_type and f.id = a.from_id and f.archived_at is null"
            f" where a.from_type = ? and a.to_type = ? and a.from_id in ({_marks(wanted)})"
            " order by a.from_id, a.to_id, a.type_id",
            (from_type, to_type, *wanted),
        )
        result: dict[int, dict[int, list[int]]] = {}
        for from_id, to_id, type_id in found:
            result.setdefault(from_id, {}).setdefault(to_id, []).append(type_id)
        return result

    # -- custom properties and groups ------------------------------------------------------------------------

    def custom_properties(self) -> list[tuple[str, str, int | None]]:
        """(type, definition as JSON, archived at) of every property that was created through the API."""
        return self.rows("select type, definition, archived_at from property order by created, name")

    def save_property(self, kind: str, name: str, definition: Mapping[str, Any], archived_at: int | None) -> None:
        now = now_ms()
        self._db.execute(
            "insert into property values (?, ?, ?, ?, ?, ?) on conflict (type, name) do update"
            " set definition = excluded.definition, updated = excluded.updated, archived_at = excluded.archived_at",
            (kind, name, _dumps(definition), now, now, archived_at),
        )

    def groups(self, kind: str) -> list[tuple[str, str]]:
        return self.rows("select name, label from property_group where type = ? order by name", (kind,))

    def add_group(self, kind: str, name: str, label: str) -> None:
        self._db.execute("insert into property_group values (?, ?, ?)", (kind, name, label))

    # -- log, state, seed ------------------------------------------------------------------------------------

    def log(
        self, at: float, method: str, path: str, status: int, inputs: int, milliseconds: float, fault: str | None
    ) -> None:
        """One request; ``status`` 0 stands for a connection that was closed without an answer."""
        self._db.execute(
            "insert into request (at, method, path, status, inputs, milliseconds, fault) values (?, ?, ?, ?, ?, ?, ?)",
            (at, method, path, status, inputs, milliseconds, fault),
        )

    def counts(self) -> dict[str, dict[str, int]]:
        """Live and archived records by type."""
        found = self.rows("select type, count(*), count(archived_at) from record group by type")
        return {kind: {"live": total - archived, "archived": archived} for kind, total, archived in found}

    def reset(self) -> None:
        """Forgets everything but the portal id and the ids given out."""
        with self.transaction():
            for table in ("record", "unique_value", "association", "property", "property_group", "request"):
                self._db.execute(f"delete from {table}")  # noqa: S608 - the names above

    def seed(self, kind: str, records: Iterable[tuple[Any, Mapping[str, Any]]]) -> int:
        """Upserts records by id, in short transactions. Properties that are not named stay. Returns how many."""
        source = iter(records)
        count = 0
        while chunk := [_seed_record(kind, id_, properties) for id_, properties in islice(source, _SEED_CHUNK)]:
            with self.transaction():
                self._seed_chunk(kind, chunk)
            count += len(chunk)
        return count

    def _seed_chunk(self, kind: str, chunk: list[Record]) -> None:
        if kind == "contacts":
            emails = {r.id: r.properties["email"] for r in chunk if r.properties.get("email")}
            before = self.records(kind, emails)
            self.release(kind, [("email", r.properties.get("email", ""), r.id) for r in before.values()])
            self._db.executemany(
                "insert or ignore into unique_value values (?, 'email', ?, ?)",
                [(kind, email, id_) for id_, email in emails.items()],
            )
        self._db.executemany(
            "insert into record (type, id, properties, created, updated) values (?, ?, ?, ?, ?)"
            " on conflict (type, id) do update set updated = excluded.updated,"
            " properties = json_patch(properties, excluded.properties)"
            " where properties <> json_patch(properties, excluded.properties)",
            [(kind, r.id, _dumps(r.properties), r.created, r.updated) for r in chunk],
        )
        highest = max(r.id for r in chunk)
        if highest >= int(self._meta("next_id")):
            self._set_meta("next_id", str(highest + 7))

    def _meta(self, key: str) -> str:
        found: str = self._db.execute("select value from meta where key = ?", (key,)).fetchone()[0]
        return found

    def _set_meta(self, key: str, value: str) -> None:
        self._db.execute("update meta set value = ? where key = ?", (value, key))


def seed_records(
    database_path: Path,
    *,
    contacts: Iterable[tuple[Any, Mapping[str, Any]]] = (),
    companies: Iterable[tuple[Any, Mapping[str, Any]]] = (),
    deals: Iterable[tuple[Any, Mapping[str, Any]]] = (),
) -> dict[str, int]:
    """Puts records with given ids into the file, from any process, while the server runs or before it starts.

    Each item is (id, properties); the same again changes nothing. Returns the number of records by type. Raises
    ``ValueError`` for a property that HubSpot does not have on that type.
    """
    store = Store(database_path)
    try:
        parts = {"contacts": contacts, "companies": companies, "deals": deals}
        return {kind: store.seed(kind, records) for kind, records in parts.items()}
    finally:
        store.close()


def _seed_record(kind: str, id_: Any, properties: Mapping[str, Any]) -> Record:
    now = now_ms()
    if unknown := properties.keys() - HUBSPOT_PROPERTIES[kind].keys():
        raise ValueError(f"{kind} has no property {', '.join(sorted(unknown))}")
    kept = {name: str(value) for name, value in properties.items() if value is not None and value != ""}
    if "email" in kept:
        kept["email"] = kept["email"].lower()
    return Record(int(id_), kept, now, now)


def _record(row: Any) -> Record:
    return Record(row[0], orjson.loads(row[1]), row[2], row[3], row[4])


def _dumps(value: Mapping[str, Any]) -> str:
    return orjson.dumps(value).decode()


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))
