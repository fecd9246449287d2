"""Compiles the templates of ``templates/hubspot`` into SQL, so that PostgreSQL renders the payloads of all rows at
once. Nothing here talks to a database.

A template is rendered once with an expression standing for each column of the type's staging view (alias ``v``)
and for the body that Python rendered (alias ``b``); see `expressions`. What it prints becomes one jsonb expression, and
what HubSpot would refuse becomes another that names the reason.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from psycopg import sql

from ic_assets.activities.engine.derivatives import bodies
from ic_assets.activities.engine.derivatives.expressions import (
    ColumnKind,
    Expression,
    Kind,
    Recorder,
    literal,
    of_column,
    over_limit,
)
from ic_assets.activities.facts.activity_types import BY_NAME, ActivityType
from ic_assets.activities.facts.derivative_contract import DERIVATIVE_COLUMNS
from ic_assets.activities.facts.hubspot_properties import MAX_LENGTH, PROPERTIES, Property, PropertyType
from ic_assets.core.failures import Refused
from ic_assets.core.files import TEMPLATES_DIR
from ic_assets.core.templates import JsonTemplate

_KINDS: dict[str, ColumnKind] = {
    "text": "text",
    "bigint": "number",
    "integer": "number",
    "numeric": "number",
    "timestamp": "timestamp",
}
# Columns of a derivative table that its view does not have: they say where the push stands.
_OF_THE_PUSH = frozenset({"id", "api_push_status", "hubspot_engagement_id", "error_message"})

# Columns of a view that its table does not have.
_OF_THE_VIEW: Mapping[str, Mapping[str, ColumnKind]] = {
    "calls": {"call_disposition": "text"},
    "meetings": {"meeting_end_at": "instant"},
}

# HubSpot records of a communication's people and companies beyond the first (staging.v_ic_communication_people).
_FURTHER: Mapping[str, ColumnKind] = {"further_contact_ids": "numbers", "further_company_ids": "numbers"}

# What a template may name: the columns of the type's staging view that a payload can carry, and the further people.
COLUMNS: Mapping[str, Mapping[str, ColumnKind]] = {
    activity_type: {
        "comm_communicationid": "number",
        **{
            column.name: _KINDS[column.kind]
            for column in columns
            if column.kind in _KINDS and column.name not in _OF_THE_PUSH
        },
        **_OF_THE_VIEW.get(activity_type, {}),
        **_FURTHER,
    }
    for activity_type, columns in DERIVATIVE_COLUMNS.items()
}


class PayloadSql(NamedTuple):
    """Two SQL expressions over the aliases ``v`` and ``b``, with the parameters ``source_timezone`` and
    ``id_property``. ``payload`` is JSON as text: the input of HubSpot's batch create. ``error`` is text: the first reason
    for which HubSpot would refuse it, NULL when there is none; it does not contain ``payload``."""

    payload: sql.Composable
    error: sql.Composable


def payload_sql(activity: ActivityType, *, templates: Path = TEMPLATES_DIR) -> PayloadSql:
    """The payload of a row of the activity's staging view, ``v``, where ``b`` is a row ``(html, text)`` of the body
    that ``bodies.render_body`` rendered, NULL where ``bodies.needs_python`` does not hold.

    Raises ``Refused`` for a template that no row could be right with: a column or property that does not exist,
    a value of the wrong type or outside the property's options, a required property that is missing.
    """
    columns = {name: of_column(name, kind) for name, kind in COLUMNS[activity.name].items()}
    return _compile(activity, columns, templates)


def part_sql(*, templates: Path = TEMPLATES_DIR) -> PayloadSql:
    """The continuation of an over-long body: a note on the same records, whose unique value and trace id are
    ``<communication id>/<part>``. ``v`` has ``comm_communicationid``, ``activity_date``, the
    ``associated_*_id`` and the ``further_*_ids``, ``b`` has ``part`` and ``html``."""
    columns = {
        name: of_column(name, kind)
        for name, kind in COLUMNS["notes"].items()
        if all(name in each for each in COLUMNS.values())
    }
    columns["comm_communicationid"] = Expression(
        sql.SQL("v.comm_communicationid::text || '/' || b.part::text"), "number", sql.SQL("b.part")
    )
    columns["note_body"] = Expression(sql.SQL("b.html"), "html", sql.SQL("b.html"), over_limit(sql.SQL("b.html")))
    return _compile(BY_NAME["notes"], columns, templates)


def template_fingerprint(activity: ActivityType, *, templates: Path = TEMPLATES_DIR) -> str:
    """Changes whenever the same row may get another payload: with the template, the properties, and the code that
    compiles them or renders bodies."""
    digest = hashlib.sha256(bodies.code_fingerprint().encode())
    for compiled in (payload_sql(activity, templates=templates), part_sql(templates=templates)):
        for expression in compiled:
            digest.update(expression.as_string(None).encode())
    return digest.hexdigest()[:16]


# What may be put into a property of a type. HTML takes nothing that was not made HTML.
_FITS: dict[PropertyType, frozenset[Kind]] = {
    "string": frozenset({"text", "number"}),
    "html": frozenset({"html"}),
    "number": frozenset({"number"}),
    "datetime": frozenset({"datetime"}),
    "enumeration": frozenset({"text"}),
}


class _Document(NamedTuple):
    properties: dict[str, Any]
    associations: Any
    trace_id: Any


def _compile(activity: ActivityType, columns: Mapping[str, Expression], templates: Path) -> PayloadSql:
    recorder = Recorder(activity)
    id_property = Expression(sql.SQL("%(id_property)s::text"), "text", sql.SQL("%(id_property)s::text"))
    template = JsonTemplate(
        activity.template,
        variables={"id_property", *columns},
        filters={
            "utc": recorder.utc,
            "unix_ms": recorder.unix_ms,
            "html": recorder.html,
            "plain": recorder.plain,
            "mapped": recorder.mapped,
        },
        functions={"associations": recorder.associations, "email_headers": recorder.email_headers},
        print_value=recorder.print_value,
        directory=templates,
    )
    document = _document(activity, template.render({"id_property": id_property, **columns}))
    where = f"templates/{activity.template}"
    trace_id, associations = recorder.found(document.trace_id), recorder.found(document.associations)
    if not (isinstance(trace_id, Expression) and trace_id.kind == "number"):
        raise Refused(
            f"{where}: objectWriteTraceId has to be {{{{ comm_communicationid }}}}, by which results are settled"
        )
    if not (isinstance(associations, Expression) and associations.kind == "associations"):
        raise Refused(
            f"{where}: associations has to be {{{{ associations(contact, company, deal, contacts, companies) }}}}"
        )

    members: list[sql.Composable] = []
    has_id = False
    reasons: list[sql.Composable] = []
    specified = PROPERTIES[activity.name]
    for key, printed in document.properties.items():
        value = recorder.found(printed)
        if recorder.found(key) is id_property:
            has_id = True
            name = sql.SQL("to_json({})").format(id_property.text)
            members.append(_member(name, _of_id(value, where).text, is_plain=True))
            continue
        if key not in specified:
            raise Refused(
                f"{where}: HubSpot's {activity.name} have no property {key!r}; they have"
                f" {', '.join(name for name, each in specified.items() if not each.read_only)}"
            )
        text = _checked(value, key, specified[key], where)
        members.append(_member(literal(json.dumps(key)), text, is_plain=_is_plain(value)))
        if isinstance(value, Expression):
            reasons.extend(_reasons(value, key, specified[key]))
    if not has_id:
        raise Refused(f"{where}: {{{{ id_property }}}} is not set; without it a record cannot be found again")
    if missing := [name for name, each in specified.items() if each.required and name not in document.properties]:
        raise Refused(f"{where}: HubSpot requires {', '.join(missing)} of {activity.name}")

    # Written as text, 11 µs a row where jsonb took 14.5; in a refill the parsing is another process's. A member without
    # a value drops out of concat_ws.
    payload = sql.SQL(
        """'{{"properties":{{' || concat_ws(',', {members}) || '}},"objectWriteTraceId":"' || {trace_id}"""
        """ || '","associations":[' || {associations} || ']}}'"""
    ).format(
        members=sql.SQL(", ").join(members),
        trace_id=trace_id.text,
        associations=associations.text,
    )
    return PayloadSql(payload, sql.SQL("CASE {} END").format(sql.SQL(" ").join(reasons)))


def _member(name: sql.Composable, value: sql.Composable, *, is_plain: bool) -> sql.Composable:
    """A member of a JSON object as text, NULL where its value is. What ``is_plain`` has nothing to escape, and to_json would
    look its type up for each row."""
    quoted = """{} || ':"' || {} || '"'""" if is_plain else "{} || ':' || to_json({}::text)"
    return sql.SQL(quoted).format(name, value)


def _is_plain(value: object) -> bool:
    """Whether JSON takes every value as it is: numbers, times as this module writes them, and plain words."""
    if not isinstance(value, Expression):
        return isinstance(value, str) and value.isalnum() and value.isascii()
    if value.choices is not None:
        return all(choice.replace("_", "").isalnum() and choice.isascii() for choice in value.choices)
    return value.kind in ("number", "datetime")


def _of_id(value: object, where: str) -> Expression:
    if isinstance(value, Expression) and value.kind == "number":
        return value
    raise Refused(f"{where}: {{{{ id_property }}}} has to be {{{{ comm_communicationid }}}}")


def _checked(value: object, name: str, specified: Property, where: str) -> sql.Composable:
    """The value as SQL, unless the template is wrong for every row."""
    if specified.read_only:
        raise Refused(f"{where}: {name} is read-only in HubSpot")
    if isinstance(value, str):
        if specified.options and value not in specified.options:
            raise Refused(f"{where}: {name} is {value!r}, HubSpot takes {', '.join(specified.options)}")
        return literal(value)
    if not isinstance(value, Expression):
        raise Refused(f"{where}: {name} is {json.dumps(value)}, HubSpot takes text: a column or a quoted constant")
    if value.kind not in _FITS[specified.type]:
        how = {"datetime": ", made by | utc or | unix_ms", "html": ", made by | html"}.get(specified.type, "")
        raise Refused(f"{where}: {name} takes a {specified.type}{how}, not {value.name} ({value.kind})")
    if value.choices and specified.options and (outside := value.choices.difference(specified.options)):
        raise Refused(
            f"{where}: {name} may become {', '.join(sorted(outside))}, HubSpot takes {', '.join(specified.options)}"
        )
    return value.text


def _reasons(value: Expression, name: str, specified: Property) -> list[sql.Composable]:
    """What may be wrong with the value of a row, as the branches of a CASE."""
    reasons: list[sql.Composable] = []
    if specified.required:
        reasons.append(sql.SQL("WHEN {} IS NULL THEN {}").format(value.present, literal(f"{name} is missing")))
    if specified.options and value.choices is None:
        reasons.append(
            sql.SQL("WHEN {value} NOT IN ({options}) THEN {opening} || left({value}, 40) || {rest}").format(
                value=value.text,
                options=sql.SQL(", ").join(map(literal, specified.options)),
                opening=literal(f'{name} is "'),
                rest=literal(f'", HubSpot takes {", ".join(specified.options)}'),
            )
        )
    elif value.too_long is not None:
        reasons.append(
            sql.SQL("WHEN {} THEN {} || to_char(length({}), 'FM999,999,999') || {}").format(
                value.too_long,
                literal(f"{name} is "),
                value.text,
                literal(f" characters, HubSpot takes {MAX_LENGTH:,}"),
            )
        )
    return reasons


def _document(activity: ActivityType, document: object) -> _Document:
    keys = {"properties", "associations", "objectWriteTraceId"}
    if not isinstance(document, dict) or set(document) != keys or not isinstance(document["properties"], dict):
        raise Refused(
            f"templates/{activity.template} is not the input of a batch create: a JSON object of properties"
            " (an object), associations and objectWriteTraceId"
        )
    return _Document(document["properties"], document["associations"], document["objectWriteTraceId"])
