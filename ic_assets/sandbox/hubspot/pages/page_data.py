"""What the pages show, read from the portal's own file: timelines, names, counts, a search, what the last push changed."""

from __future__ import annotations

import html
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from ic_assets.sandbox.hubspot.calls import record_id
from ic_assets.sandbox.hubspot.objects import ACTIVITY_TYPES, BY_SLUG, RECORD_TYPES, ObjectType
from ic_assets.sandbox.hubspot.pages import wording
from ic_assets.sandbox.hubspot.portal import Portal

PAGE_SIZE = 50
FOUND_PER_TYPE = 20
UPCOMING = 25
RECENT = 10
ACTIVITY_SLUGS = tuple(kind.slug for kind in ACTIVITY_TYPES)
_RECENT_ACTIVITIES = 40
# How far back the look for the last push goes; doctor and dry runs ask who the portal is as well.
_MOST_STARTS = 500
_MARKS = ",".join("?" * len(ACTIVITY_SLUGS))


@dataclass(frozen=True)
class Link:
    """A record that a page points to; ``count``: in how many activities, where that is known."""

    kind: ObjectType
    id: int
    name: str
    count: int = 0


@dataclass(frozen=True)
class Entry:
    """One activity. ``body`` is sanitized HTML; ``others`` are the records that it belongs to, the page's own left out."""

    kind: ObjectType
    id: int
    at: datetime | None
    label: str
    title: str
    facts: tuple[str, ...]
    body: str
    excerpt: str
    is_overdue: bool
    others: tuple[Link, ...]

    @property
    def iso(self) -> str:
        return self.at.isoformat().replace("+00:00", "Z") if self.at else ""

    @property
    def shown_time(self) -> str:
        return wording.day_and_time(self.at)

    @property
    def month(self) -> str:
        return wording.month(self.at)


@dataclass(frozen=True)
class Changes:
    """What the last push that changed anything did. ``began`` is None when nobody asked who the portal is first: then
    the counts are of everything. By activity type: created, updated, removed."""

    since: float
    began: datetime | None
    counts: dict[str, tuple[int, int, int]]

    @property
    def totals(self) -> tuple[int, int, int]:
        created, updated, removed = (sum(column) for column in zip(*self.counts.values(), strict=True))
        return created, updated, removed


@dataclass(frozen=True)
class Paging:
    """A list that is cut into pages."""

    page: int
    total: int

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // PAGE_SIZE))

    @property
    def offset(self) -> int:
        return (self.page - 1) * PAGE_SIZE


# -- what the last push changed ----------------------------------------------------------------------------------

# A record that came and went since (setup's probe, for one) is none of the three.
CHANGES = {
    "": "not (created >= ? and archived_at is not null)",
    "created": "created >= ? and archived_at is null",
    "updated": "created < ? and archived_at is null",
    "removed": "created < ? and archived_at is not null",
}


def last_changes(portal: Portal) -> Changes | None:
    """Every push begins by asking which portal this is. The last such question after which an activity changed is
    where the last push began; what a push left as it was does not count."""
    asked = portal.store.rows(
        "select at from request where method = 'GET' and path like '/account-info/%' and status = 200"
        " order by id desc limit ?",
        (_MOST_STARTS,),
    )
    newest = portal.store.rows(
        f"select updated from record where type in ({_MARKS}) order by updated desc limit 1",  # noqa: S608 - question marks
        ACTIVITY_SLUGS,
    )
    if not newest:
        return None
    for since in (*(row[0] for row in asked), 0.0):
        if since * 1000 > newest[0][0]:
            continue
        counts = _change_counts(portal, since)
        if counts:
            began = datetime.fromtimestamp(since, wording.ZONE.get()) if since else None
            return Changes(since, began, counts)
    return None


def _change_counts(portal: Portal, since: float) -> dict[str, tuple[int, int, int]]:
    at = round(since * 1000)
    rows = portal.store.rows(
        "select type, sum(created >= ? and archived_at is null), sum(created < ? and archived_at is null),"  # noqa: S608
        f" sum(created < ? and archived_at is not null) from record where updated >= ? and type in ({_MARKS})"
        " group by type",
        (at, at, at, at, *ACTIVITY_SLUGS),
    )
    found = {row[0]: tuple(row[1:]) for row in rows if any(row[1:])}
    return {slug: found[slug] for slug in ACTIVITY_SLUGS if slug in found}


def changed(
    portal: Portal, changes: Changes, what: str, slugs: Sequence[str], page: int
) -> tuple[Paging, list[tuple[str, Entry]]]:
    """The records of a push, newest change first, each with the word for what became of it."""
    # The words before the bound values are this module's own.
    base = f"from record where updated >= ? and type in ({','.join('?' * len(slugs))}) and {CHANGES[what]}"
    since = round(changes.since * 1000)
    bound = (since, *slugs, *([since] * CHANGES[what].count("?")))
    paging = Paging(page, portal.store.rows(f"select count(*) {base}", bound)[0][0])
    rows = portal.store.rows(
        "select type, id, properties, created >= ?, archived_at is not null"
        f" {base} order by updated desc, type, id limit ? offset ?",
        (since, *bound, PAGE_SIZE, paging.offset),
    )
    words = ["removed" if row[4] else "created" if row[3] else "updated" for row in rows]
    return paging, list(zip(words, entries(portal, [row[:3] for row in rows]), strict=True))


# -- timelines ---------------------------------------------------------------------------------------------------


def timeline(
    portal: Portal, kind: ObjectType, id_: int, slugs: Sequence[str], words: str, page: int
) -> tuple[Paging, list[Entry]]:
    base, bound = _activities_of(kind, id_, slugs, words)
    past = " and json_extract(r.properties, '$.hs_timestamp') <= ?"
    now = _now()
    paging = Paging(page, portal.store.rows(f"select count(*) {base}{past}", (*bound, now))[0][0])
    rows = portal.store.rows(
        f"select r.type, r.id, r.properties {base}{past}"
        " order by json_extract(r.properties, '$.hs_timestamp') desc, r.id desc limit ? offset ?",
        (*bound, now, PAGE_SIZE, paging.offset),
    )
    return paging, entries(portal, rows, (kind, id_))


def upcoming(portal: Portal, kind: ObjectType, id_: int, slugs: Sequence[str], words: str) -> list[Entry]:
    base, bound = _activities_of(kind, id_, slugs, words)
    rows = portal.store.rows(
        f"select r.type, r.id, r.properties {base} and json_extract(r.properties, '$.hs_timestamp') > ?"
        " order by json_extract(r.properties, '$.hs_timestamp'), r.id limit ?",
        (*bound, _now(), UPCOMING),
    )
    return entries(portal, rows, (kind, id_))


def _activities_of(kind: ObjectType, id_: int, slugs: Sequence[str], words: str) -> tuple[str, tuple[Any, ...]]:
    """The live activities of a record, as the end of a statement and its values."""
    base = (
        "from (select distinct to_type, to_id from association"  # noqa: S608 - question marks only
        f" where from_type = ? and from_id = ? and to_type in ({','.join('?' * len(slugs))})) a"
        " join record r on r.type = a.to_type and r.id = a.to_id and r.archived_at is null where true"
    )
    bound: tuple[Any, ...] = (kind.slug, id_, *slugs)
    if words:
        condition, needles = _holds("r.properties", words)
        base, bound = f"{base} and {condition}", bound + needles
    return base, bound


def by_month(entries: Iterable[Entry]) -> list[tuple[str, list[Entry]]]:
    months: dict[str, list[Entry]] = {}
    for entry in entries:
        months.setdefault(entry.month, []).append(entry)
    return list(months.items())


def entries(
    portal: Portal, rows: Sequence[tuple[str, int, str]], owner: tuple[ObjectType, int] | None = None
) -> list[Entry]:
    """Rows of (type, id, properties as JSON) as activities, with the records that they belong to."""
    others = _others(portal, rows)
    now = datetime.now(UTC)
    entries = []
    for slug, id_, text in rows:
        values = orjson.loads(text)
        entries.append(
            Entry(
                kind=BY_SLUG[slug],
                id=id_,
                at=wording.moment(values.get("hs_timestamp", "")),
                label=wording.label_of(slug, values),
                title=wording.title_of(BY_SLUG[slug], values),
                facts=tuple(wording.facts_of(slug, values)),
                body=wording.body_of(slug, values),
                excerpt=wording.excerpt(slug, values),
                is_overdue=wording.is_overdue(slug, values, now),
                others=tuple(link for link in others[slug, id_] if (link.kind, link.id) != owner),
            )
        )
    return entries


def _others(portal: Portal, rows: Sequence[tuple[str, int, str]]) -> dict[tuple[str, int], list[Link]]:
    """Activity -> its contacts, companies and deals, in a few statements for all of them."""
    by_type: dict[str, list[int]] = defaultdict(list)
    for slug, id_, _ in rows:
        by_type[slug].append(id_)
    found: dict[tuple[str, int], list[Link]] = defaultdict(list)
    for other in RECORD_TYPES:
        # Not store.associated: what was removed still shows whom it belonged to.
        pairs = [
            (slug, id_, target)
            for slug, ids in by_type.items()
            for id_, target in portal.store.rows(
                "select distinct from_id, to_id from association"  # noqa: S608 - question marks only
                f" where from_type = ? and to_type = ? and from_id in ({','.join('?' * len(ids))}) order by 1, 2",
                (slug, other.slug, *ids),
            )
        ]
        names = {link.id: link for link in _named(portal, other, sorted({target for _, _, target in pairs}))}
        for slug, id_, target in pairs:
            found[slug, id_] += [names[target]] if target in names else []
    return found


# -- records -----------------------------------------------------------------------------------------------------


def links(portal: Portal, kind: ObjectType, id_: int, other: ObjectType) -> list[Link]:
    targets = sorted(portal.store.associated(kind.slug, [id_], other.slug).get(id_, {}))[:PAGE_SIZE]
    return _named(portal, other, targets)


def together(portal: Portal, kind: ObjectType, id_: int, other: ObjectType) -> list[Link]:
    """The records that stand on the same activities most often."""
    rows = portal.store.rows(
        "select b.to_id, count(distinct a.to_type || a.to_id) from association a"  # noqa: S608 - question marks only
        " join association b on b.from_type = a.to_type and b.from_id = a.to_id and b.to_type = ?"
        " join record r on r.type = a.to_type and r.id = a.to_id and r.archived_at is null"
        f" where a.from_type = ? and a.from_id = ? and a.to_type in ({_MARKS})"
        " and not (b.to_type = a.from_type and b.to_id = a.from_id)"
        " group by b.to_id order by 2 desc, 1 limit ?",
        (other.slug, kind.slug, id_, *ACTIVITY_SLUGS, RECENT),
    )
    counts = dict(rows)
    return [Link(k.kind, k.id, k.name, counts[k.id]) for k in _named(portal, other, list(counts))]


def activity_counts_by_type(portal: Portal, kind: ObjectType, id_: int) -> dict[str, int]:
    base, bound = _activities_of(kind, id_, ACTIVITY_SLUGS, "")
    return dict(portal.store.rows(f"select r.type, count(*) {base} group by r.type", bound))


def activity_counts(portal: Portal, kind: ObjectType, ids: Sequence[int]) -> dict[int, int]:
    return dict(
        portal.store.rows(
            "select a.from_id, count(distinct a.to_type || a.to_id) from association a"  # noqa: S608 - question marks only
            " join record r on r.type = a.to_type and r.id = a.to_id and r.archived_at is null"
            f" where a.from_type = ? and a.from_id in ({','.join('?' * len(ids))}) and a.to_type in ({_MARKS})"
            " group by a.from_id",
            (kind.slug, *ids, *ACTIVITY_SLUGS),
        )
    )


def _named(portal: Portal, kind: ObjectType, ids: Sequence[int]) -> list[Link]:
    records = portal.store.records(kind.slug, ids)
    return [Link(kind, id_, wording.name_of(kind, id_, records[id_].properties)) for id_ in ids if id_ in records]


def recent(portal: Portal, kind: ObjectType) -> list[Link]:
    """The records that the newest activities belong to; without activities, those with the highest ids."""
    newest: dict[int, None] = {}
    for activity in ACTIVITY_TYPES:
        found = portal.store.rows(
            "select distinct a.to_id from"
            " (select id from record where type = ? and archived_at is null order by id desc limit ?) r"
            " join association a on a.from_type = ? and a.from_id = r.id and a.to_type = ?",
            (activity.slug, _RECENT_ACTIVITIES, activity.slug, kind.slug),
        )
        newest.update(dict.fromkeys(row[0] for row in found))
    if len(newest) < RECENT:
        highest = portal.store.rows(
            "select id from record where type = ? and archived_at is null order by id desc limit ?",
            (kind.slug, RECENT),
        )
        newest.update(dict.fromkeys(row[0] for row in highest))
    ids = list(newest)[:RECENT]
    counts = activity_counts(portal, kind, ids)
    return [Link(link.kind, link.id, link.name, counts.get(link.id, 0)) for link in _named(portal, kind, ids)]


# -- search ------------------------------------------------------------------------------------------------------


def _holds(column: str, words: str) -> tuple[str, tuple[str, ...]]:
    """A condition on a column of properties, some value of which has the words, and its bound values."""
    # Bodies are HTML: what people read as R&D stands there as R&amp;D.
    needles = [needle.casefold() for needle in dict.fromkeys((words, html.escape(words, quote=False)))]
    # The whole text first: that spares nearly every record the walk through its properties.
    roughly = " or ".join(f"instr(casefold({column}), ?) > 0" for _ in needles)
    exactly = " or ".join("instr(casefold(value), ?) > 0" for _ in needles)
    written = [orjson.dumps(needle).decode()[1:-1] for needle in needles]
    condition = f"(({roughly}) and exists (select 1 from json_each({column}) where {exactly}))"  # noqa: S608 - own words
    return condition, (*written, *needles)


def search(portal: Portal, kind: ObjectType, wanted: str) -> list[tuple[str, int, str]]:
    """Live records by id, or with the words in any property; for records a link's worth, for activities the newest."""
    condition, needles = _holds("properties", wanted)
    rows = portal.store.rows(
        "select type, id, properties from record where type = ? and archived_at is null"  # noqa: S608 - question marks only
        f" and (id = ? or {condition}) order by id desc limit ?",
        (kind.slug, record_id(wanted), *needles, FOUND_PER_TYPE),
    )
    if kind.is_activity:
        return rows
    return [(slug, id_, wording.name_of(kind, id_, orjson.loads(text))) for slug, id_, text in rows]


def _now() -> str:
    """Now as stored times are written, to compare with."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
