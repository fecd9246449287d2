"""The pages for people: what the portal holds, and the timeline of a contact, company or deal.

Everything is escaped by the templates; the bodies of activities are HTML and pass through a sanitizer. No scripts,
no outside files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import nh3
import orjson
from jinja2 import DictLoader, Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from ic_assets.sandbox.calls import record_id
from ic_assets.sandbox.objects import ACTIVITY_TYPES, OBJECT_TYPES, RECORD_TYPES, ObjectType
from ic_assets.sandbox.page_templates import TEMPLATES
from ic_assets.sandbox.portal import Portal

PAGE_SIZE = 100
RECENT = 15
_RECENT_ACTIVITIES = 40
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_BODIES = {
    "calls": "hs_call_body",
    "emails": "hs_email_html",
    "meetings": "hs_meeting_body",
    "notes": "hs_note_body",
    "tasks": "hs_task_body",
    "communications": "hs_communication_body",
    "postal_mail": "hs_postal_mail_body",
}
_FACTS = (
    *("hs_call_direction", "hs_call_status", "hs_email_direction", "hs_email_status", "hs_meeting_outcome"),
    *("hs_task_status", "hs_task_priority", "hs_communication_channel_type"),
)
_ENVIRONMENT = Environment(loader=DictLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True)


@dataclass(frozen=True)
class Link:
    """A record that a page points to."""

    kind: ObjectType
    id: int
    name: str


@dataclass(frozen=True)
class Entry:
    """One activity of a timeline; ``body`` is sanitized HTML."""

    kind: ObjectType
    id: int
    time: str
    title: str
    facts: tuple[str, ...]
    body: str
    others: tuple[Link, ...]


def page_routes(portal: Portal) -> list[Route]:
    """``/`` and one page per contact, company and deal."""

    async def home(request: Request) -> Response:
        return _home(portal, request.query_params.get("q", "").strip())

    def record_page(kind: ObjectType) -> Route:
        async def page(request: Request) -> Response:
            return _record(portal, kind, record_id(request.path_params["id"]), request.query_params.get("page", "1"))

        return Route(f"/{kind.slug}/{{id}}", page, methods=["GET"])

    return [Route("/", home, methods=["GET"]), *(record_page(kind) for kind in RECORD_TYPES)]


def _home(portal: Portal, query: str) -> Response:
    counts = portal.store.counts()
    nothing = {"live": 0, "archived": 0}
    lists = [(kind, _search(portal, kind, query) if query else _recent(portal, kind)) for kind in RECORD_TYPES]
    return _page(
        "home.html",
        portal_id=portal.store.portal_id,
        counts=[(kind, counts.get(kind.slug, nothing)) for kind in OBJECT_TYPES],
        lists=lists,
        query=query,
    )


def _record(portal: Portal, kind: ObjectType, id_: int, page: str) -> Response:
    found = portal.store.records(kind.slug, [id_])
    if not found:
        return _page("missing.html", status=404, kind=kind, id=id_)
    number = int(page) if page.isascii() and page.isdigit() and len(page) < 7 else 1
    entries, total = _timeline(portal, kind, id_, max(1, number))
    return _page(
        "record.html",
        kind=kind,
        id=id_,
        name=_name(kind, id_, found[id_].properties),
        properties=sorted(found[id_].properties.items()),
        entries=entries,
        total=total,
        page=max(1, number),
        pages=max(1, -(-total // PAGE_SIZE)),
        linked=[link for other in RECORD_TYPES for link in _links(portal, kind, id_, other)],
    )


def _timeline(portal: Portal, kind: ObjectType, id_: int, page: int) -> tuple[list[Entry], int]:
    slugs = [activity.slug for activity in ACTIVITY_TYPES]
    base = (
        "from (select distinct to_type, to_id from association"  # noqa: S608 - question marks only
        " where from_type = ? and from_id = ?"
        f" and to_type in ({','.join('?' * len(slugs))})) a"
        " join record r on r.type = a.to_type and r.id = a.to_id and r.archived_at is null"
    )
    bound = (kind.slug, id_, *slugs)
    total = portal.store.rows(f"select count(*) {base}", bound)[0][0]
    rows = portal.store.rows(
        f"select r.type, r.id, r.properties {base}"
        " order by json_extract(r.properties, '$.hs_timestamp') desc, r.id desc limit ? offset ?",
        (*bound, PAGE_SIZE, (page - 1) * PAGE_SIZE),
    )
    return [_entry(portal, kind, id_, *row) for row in rows], total


def _entry(portal: Portal, owner: ObjectType, owner_id: int, slug: str, id_: int, properties: str) -> Entry:
    kind, values = portal.kind(slug), orjson.loads(properties)
    others = [link for other in RECORD_TYPES for link in _links(portal, kind, id_, other)]
    return Entry(
        kind=kind,
        id=id_,
        time=values.get("hs_timestamp", ""),
        title=values.get(kind.title, ""),
        facts=tuple(values[name] for name in _FACTS if name in values),
        body=nh3.clean(values.get(_BODIES[slug], "")),
        others=tuple(link for link in others if (link.kind, link.id) != (owner, owner_id)),
    )


def _links(portal: Portal, kind: ObjectType, id_: int, other: ObjectType) -> list[Link]:
    targets = sorted(portal.store.associated(kind.slug, [id_], other.slug).get(id_, {}))[:50]
    return _named(portal, other, targets)


def _named(portal: Portal, kind: ObjectType, ids: list[int]) -> list[Link]:
    records = portal.store.records(kind.slug, ids)
    return [Link(kind, id_, _name(kind, id_, records[id_].properties)) for id_ in ids if id_ in records]


def _recent(portal: Portal, kind: ObjectType) -> list[Link]:
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
    return _named(portal, kind, list(newest)[:RECENT])


def _search(portal: Portal, kind: ObjectType, query: str) -> list[Link]:
    found = portal.store.rows(
        "select id from record where type = ? and archived_at is null"
        " and (id = ? or exists (select 1 from json_each(properties) where instr(lower(value), lower(?)) > 0))"
        " order by id limit ?",
        (kind.slug, record_id(query), query, PAGE_SIZE),
    )
    return _named(portal, kind, [row[0] for row in found])


def _name(kind: ObjectType, id_: int, properties: dict[str, str]) -> str:
    if kind.slug == "contacts":
        person = " ".join(properties[p] for p in ("firstname", "lastname") if properties.get(p))
        if person:
            return person
    return properties.get(kind.title) or f"{kind.singular.capitalize()} {id_}"


def _page(template: str, *, status: int = 200, **values: Any) -> Response:
    return HTMLResponse(_ENVIRONMENT.get_template(template).render(**values), status, _HEADERS)
