"""Search by property (``POST .../search``): the filters as SQL, the limits, and an index that lags behind."""

from __future__ import annotations

from typing import Any

import orjson

from ic_assets.sandbox.hubspot.calls import Call, Reply, checked_object, name_list, rendered, text_field
from ic_assets.sandbox.hubspot.errors import ApiError, Json, bad_request
from ic_assets.sandbox.hubspot.properties import Property
from ic_assets.sandbox.hubspot.store import Record, now_ms
from ic_assets.sandbox.hubspot.values import parse_time

MAX_LIMIT = 200
MAX_RESULTS = 10_000
MAX_GROUPS, MAX_FILTERS_PER_GROUP, MAX_FILTERS = 5, 6, 18
MAX_QUERY = 3_000

_COMPARISONS = {"EQ": "=", "NEQ": "<>", "LT": "<", "LTE": "<=", "GT": ">", "GTE": ">="}
_STAMPS = {
    "hs_createdate": "created",
    "createdate": "created",
    "hs_lastmodifieddate": "updated",
    "lastmodifieddate": "updated",
    "hs_object_id": "id",
}
_NUMERIC = ("number", "datetime", "date")


def search(call: Call) -> Reply:
    fields = {"filterGroups", "sorts", "query", "properties", "limit", "after"}
    body = call.object_body(fields)
    kind, portal = call.kind, call.portal
    limit = _whole(body.get("limit", 10), "limit", MAX_LIMIT)
    after = _whole(body.get("after") or 0, "after", 10**9)
    if after + limit > MAX_RESULTS:
        raise ApiError(400, f"The search goes beyond {MAX_RESULTS} results, which is the limit of a query")
    where, parameters = _where(call, body)
    # Records enter and leave the index after the lag; what their properties say is always up to date here.
    indexed = now_ms() - portal.chaos.index_lag
    base = "from record where type = ? and created <= ? and (archived_at is null or archived_at > ?)" + where
    bound = [kind.slug, indexed, indexed, *parameters]
    total = portal.store.rows(f"select count(*) {base}", bound)[0][0]
    order, order_parameters = _order(call, body)
    found = portal.store.rows(
        f"select id, properties, created, updated, archived_at {base} order by {order} limit ? offset ?",
        [*bound, *order_parameters, limit, after],
    )
    names = name_list(body, "properties")
    records = [Record(row[0], orjson.loads(row[1]), row[2], row[3]) for row in found]
    answer: Json = {"total": total, "results": [rendered(portal, kind, r, names or None) for r in records]}
    if after + limit < total:
        answer["paging"] = {"next": {"after": str(after + limit)}}
    return Reply(200, answer)


def _where(call: Call, body: Json) -> tuple[str, list[Any]]:
    groups = body.get("filterGroups") or []
    if not isinstance(groups, list) or len(groups) > MAX_GROUPS:
        raise ApiError(400, f"filterGroups must be an array of at most {MAX_GROUPS}")
    parameters: list[Any] = []
    alternatives, count = [], 0
    for group in groups:
        filters = checked_object(group, {"filters"}, "filterGroups").get("filters")
        if not isinstance(filters, list) or not 0 < len(filters) <= MAX_FILTERS_PER_GROUP:
            raise ApiError(400, f"a filter group has 1 to {MAX_FILTERS_PER_GROUP} filters")
        count += len(filters)
        parts = []
        for item in filters:
            part, bound = _filter(call, item)
            parts.append(part)
            parameters += bound
        alternatives.append("(" + " and ".join(parts) + ")")
    if count > MAX_FILTERS:
        raise ApiError(400, f"a search has at most {MAX_FILTERS} filters")
    where = f" and ({' or '.join(alternatives)})" if alternatives else ""
    query = body.get("query")
    if query:
        if not isinstance(query, str) or len(query) > MAX_QUERY:
            raise ApiError(400, f"query must be a string of at most {MAX_QUERY} characters")
        where += " and instr(lower(properties), lower(?)) > 0"
        parameters.append(query)
    return where, parameters


def _filter(call: Call, item: Any) -> tuple[str, list[Any]]:
    checked_object(item, {"propertyName", "operator", "value", "values", "highValue"}, "filters")
    name, operator = item.get("propertyName"), text_field(item, "operator", "filters")
    definition = _searchable(call, name)
    column, bound = _column(definition)
    if operator in _COMPARISONS:
        return f"{column} {_COMPARISONS[operator]} ?", [*bound, _value(definition, item.get("value"))]
    if operator in ("HAS_PROPERTY", "NOT_HAS_PROPERTY"):
        return f"{column} is {'not ' if operator == 'HAS_PROPERTY' else ''}null", bound
    if operator in ("IN", "NOT_IN"):
        values = item.get("values")
        if not isinstance(values, list) or not 0 < len(values) <= 100:
            raise ApiError(400, "values must be an array of 1 to 100 entries")
        marks = ",".join("?" * len(values))
        negation = "not " if operator == "NOT_IN" else ""
        return f"{column} {negation}in ({marks})", [*bound, *(_value(definition, v) for v in values)]
    if operator == "BETWEEN":
        ends = [_value(definition, item.get("value")), _value(definition, item.get("highValue"))]
        return f"{column} between ? and ?", [*bound, *ends]
    if operator == "CONTAINS_TOKEN" and isinstance(item.get("value"), str):
        return f"instr(lower({column}), lower(?)) > 0", [*bound, item["value"].strip("*")]
    raise ApiError(400, f"{operator[:40]!r} is not an operator of the sandbox's search")


def _searchable(call: Call, name: Any) -> Property:
    definition = call.portal.definitions[call.kind.slug].get(name) if isinstance(name, str) else None
    if definition is None:
        raise ApiError(400, f"There was a problem with the request: property {str(name)[:80]!r} does not exist")
    return definition


def _column(definition: Property) -> tuple[str, list[Any]]:
    if definition.name in _STAMPS:
        return _STAMPS[definition.name], []
    text = "json_extract(properties, ?)"
    path = [f'$."{definition.name}"']
    if definition.type == "number":
        return f"cast({text} as real)", path
    if definition.type in ("datetime", "date"):
        return f"cast(round((julianday({text}) - 2440587.5) * 86400000) as integer)", path
    return text, path


def _value(definition: Property, value: Any) -> Any:
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise bad_request(f"filter on {definition.name}: value must be a string")
    if definition.type not in _NUMERIC:
        return value.lower() if definition.name == "email" and isinstance(value, str) else str(value)
    if definition.type == "number":
        try:
            return float(value)
        except ValueError:
            raise ApiError(400, f"{str(value)[:80]} was not a valid number.") from None
    milliseconds = parse_time(str(value))
    if milliseconds is None:
        raise ApiError(400, f"{str(value)[:80]} was not a valid long.")
    return milliseconds


def _order(call: Call, body: Json) -> tuple[str, list[Any]]:
    sorts = body.get("sorts") or []
    if not sorts:
        return "id", []
    if not isinstance(sorts, list) or len(sorts) > 1:
        raise ApiError(400, "sorts may have one entry")
    first = {"propertyName": sorts[0]} if isinstance(sorts[0], str) else sorts[0]
    checked_object(first, {"propertyName", "direction"}, "sorts")
    column, bound = _column(_searchable(call, first.get("propertyName")))
    return f"{column} {'desc' if first.get('direction') == 'DESCENDING' else 'asc'}, id", bound


def _whole(value: Any, name: str, highest: int) -> int:
    text = str(value)
    if isinstance(value, bool) or not text.isascii() or not text.isdigit() or int(text[:19]) > highest:
        raise ApiError(400, f"{name} must be a number up to {highest}")
    return int(text)
