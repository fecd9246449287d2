"""The pages for people: what the portal holds, the timeline of a contact, company or deal, what the last push changed.

Everything is escaped by the templates; the bodies of activities are HTML and pass through a sanitizer. No scripts,
no outside files. The pages read the portal's own file and its request log, nothing else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import orjson
from jinja2 import DictLoader, Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from ic_assets.sandbox.hubspot.calls import record_id
from ic_assets.sandbox.hubspot.objects import ACTIVITY_TYPES, OBJECT_TYPES, RECORD_TYPES, ObjectType
from ic_assets.sandbox.hubspot.pages import page_data, wording
from ic_assets.sandbox.hubspot.pages.page_data import ACTIVITY_SLUGS, CHANGES, FOUND_PER_TYPE, PAGE_SIZE, Link, Paging
from ic_assets.sandbox.hubspot.pages.page_templates import TEMPLATES
from ic_assets.sandbox.hubspot.portal import Portal

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_ENVIRONMENT = Environment(loader=DictLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True)
_ENVIRONMENT.globals.update(
    singular=wording.SINGULAR, plural=wording.PLURAL, icons=wording.ICONS, query=lambda **given: _query(given)
)


def page_routes(portal: Portal) -> list[Route]:
    """``/``, ``/changes``, one list and one page per contact, company, deal and activity."""

    def route(path: str, page: Callable[[Request], Awaitable[Response]]) -> Route:
        async def zoned(request: Request) -> Response:
            wording.ZONE.set(portal.zone)  # of this request alone: each has a context of its own
            return await page(request)

        return Route(path, zoned, methods=["GET"])

    async def home(request: Request) -> Response:
        wanted = request.query_params.get("q", "").strip()
        return _found(portal, wanted) if wanted else _home(portal)

    async def changes(request: Request) -> Response:
        return _changes_page(portal, request.query_params)

    def list_page(kind: ObjectType) -> Route:
        async def page(request: Request) -> Response:
            return _list(portal, kind, _number(request.query_params))

        return route(f"/{kind.slug}", page)

    def record_page(kind: ObjectType) -> Route:
        async def page(request: Request) -> Response:
            show = _activity if kind.is_activity else _record
            return show(portal, kind, record_id(request.path_params["id"]), request.query_params)

        return route(f"/{kind.slug}/{{id}}", page)

    return [
        route("/", home),
        route("/changes", changes),
        *(list_page(kind) for kind in OBJECT_TYPES),
        *(record_page(kind) for kind in OBJECT_TYPES),
    ]


# -- the pages ---------------------------------------------------------------------------------------------------


def _home(portal: Portal) -> Response:
    counts = portal.store.counts()
    nothing = {"live": 0, "archived": 0}
    return _page(
        portal,
        "home.html",
        counts=[(kind, counts.get(kind.slug, nothing)) for kind in OBJECT_TYPES],
        lists=[(kind, page_data.recent(portal, kind)) for kind in RECORD_TYPES],
        changes=page_data.last_changes(portal),
    )


def _found(portal: Portal, wanted: str) -> Response:
    found = [(kind, page_data.search(portal, kind, wanted)) for kind in OBJECT_TYPES]
    return _page(
        portal,
        "found.html",
        wanted=wanted,
        records=[(kind, rows) for kind, rows in found if rows and not kind.is_activity],
        activities=[(kind, page_data.entries(portal, rows)) for kind, rows in found if rows and kind.is_activity],
        most=FOUND_PER_TYPE,
    )


def _list(portal: Portal, kind: ObjectType, page: int) -> Response:
    total = portal.store.rows("select count(*) from record where type = ? and archived_at is null", (kind.slug,))[0][0]
    paging = Paging(page, total)
    rows = portal.store.rows(
        "select type, id, properties from record where type = ? and archived_at is null"
        " order by id desc limit ? offset ?",
        (kind.slug, PAGE_SIZE, paging.offset),
    )
    if kind.is_activity:
        return _page(portal, "activities.html", kind=kind, entries=page_data.entries(portal, rows), paging=paging)
    counts = page_data.activity_counts(portal, kind, [row[1] for row in rows])
    records = []
    for _, id_, text in rows:
        values = orjson.loads(text)
        records.append((Link(kind, id_, wording.name_of(kind, id_, values), counts.get(id_, 0)), values))
    return _page(portal, "records.html", kind=kind, records=records, paging=paging)


def _record(portal: Portal, kind: ObjectType, id_: int, asked: Mapping[str, str]) -> Response:
    found = portal.store.records(kind.slug, [id_])
    if not found:
        return _missing(portal, kind, id_)
    values = found[id_].properties
    chosen = asked.get("type", "")
    slugs = (chosen,) if chosen in ACTIVITY_SLUGS else ACTIVITY_SLUGS
    words = asked.get("find", "").strip()
    by_type = page_data.activity_counts_by_type(portal, kind, id_)
    paging, entries = page_data.timeline(portal, kind, id_, slugs, words, _number(asked))
    return _page(
        portal,
        "record.html",
        kind=kind,
        id=id_,
        name=wording.name_of(kind, id_, values),
        about=[(wording.property_label(name), value) for name, value in sorted(values.items())],
        created=wording.day_and_time(_ms(found[id_].created)),
        by_type=[(activity, by_type[activity.slug]) for activity in ACTIVITY_TYPES if activity.slug in by_type],
        total=sum(by_type.values()),
        chosen=chosen if chosen in ACTIVITY_SLUGS else "",
        find=words,
        upcoming=page_data.upcoming(portal, kind, id_, slugs, words) if paging.page == 1 else [],
        months=page_data.by_month(entries),
        paging=paging,
        linked=[(other, page_data.links(portal, kind, id_, other)) for other in RECORD_TYPES],
        together=[(other, page_data.together(portal, kind, id_, other)) for other in RECORD_TYPES],
    )


def _activity(portal: Portal, kind: ObjectType, id_: int, _: Mapping[str, str]) -> Response:
    found = portal.store.records(kind.slug, [id_])
    if not found:
        return _missing(portal, kind, id_)
    record = found[id_]
    (entry,) = page_data.entries(portal, [(kind.slug, id_, orjson.dumps(record.properties).decode())])
    return _page(
        portal,
        "activity.html",
        kind=kind,
        entry=entry,
        properties=sorted(record.properties.items()),
        created=wording.day_and_time(_ms(record.created)),
        updated=wording.day_and_time(_ms(record.updated)),
    )


def _missing(portal: Portal, kind: ObjectType, id_: int) -> Response:
    archived = portal.store.records(kind.slug, [id_], archived=True)
    at = archived[id_].archived_at if archived else None
    return _page(
        portal,
        "missing.html",
        status=404,
        kind=kind,
        archived=wording.day_and_time(_ms(at)) if at is not None else "",
    )


def _changes_page(portal: Portal, asked: Mapping[str, str]) -> Response:
    changes = page_data.last_changes(portal)
    what = asked.get("what", "")
    what = what if what in CHANGES else ""
    chosen = asked.get("type", "")
    slugs = (chosen,) if chosen in ACTIVITY_SLUGS else ACTIVITY_SLUGS
    paging, requests = Paging(1, 0), []
    entries: list[tuple[str, page_data.Entry]] = []
    if changes:
        paging, entries = page_data.changed(portal, changes, what, slugs, _number(asked))
        requests = portal.store.rows(
            "select count(*), sum(status not between 200 and 299), sum(fault is not null) from request where at >= ?",
            (changes.since,),
        )
    return _page(
        portal,
        "changes.html",
        changes=changes,
        requests=requests[0] if requests else (0, 0, 0),
        what=what,
        chosen=chosen if chosen in ACTIVITY_SLUGS else "",
        entries=entries,
        paging=paging,
    )


# -- small things ------------------------------------------------------------------------------------------------


def _number(asked: Mapping[str, str]) -> int:
    page = asked.get("page", "1")
    return max(1, int(page)) if page.isascii() and page.isdigit() and len(page) < 7 else 1


def _query(given: Mapping[str, Any]) -> str:
    """``?a=b`` of what is set; page 1 goes without saying."""
    kept = {name: value for name, value in given.items() if value and (name, value) != ("page", 1)}
    return f"?{urlencode(kept)}" if kept else "?"


def _ms(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, wording.ZONE.get())


def _page(portal: Portal, template: str, *, status: int = 200, **values: Any) -> Response:
    values.setdefault("wanted", "")
    text = _ENVIRONMENT.get_template(template).render(portal_id=portal.store.portal_id, zone=portal.zone.key, **values)
    return HTMLResponse(text, status, _HEADERS)
