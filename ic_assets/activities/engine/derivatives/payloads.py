"""Compiles the templates of ``templates/hubspot`` into SQL, so that PostgreSQL renders the payloads of all rows at
once. Nothing here talks to a database.

A template is rendered once with an expression standing for each column of the type's staging view (alias ``v``)
and for the body that Python rendered (alias ``b``). What it prints becomes one jsonb expression, and what HubSpot
would refuse becomes another that names the reason.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, NoReturn

from psycopg import sql

from ic_assets.activities.engine.derivatives import bodies
from ic_assets.activities.facts.activity_types import BY_NAME, ActivityType
from ic_assets.activities.facts.derivative_contract import DERIVATIVE_COLUMNS
from ic_assets.activities.facts.hubspot_properties import MAX_LENGTH, PROPERTIES, Property, PropertyType
from ic_assets.core.failures import Refused
from ic_assets.core.files import TEMPLATES_DIR
from ic_assets.core.templates import JsonTemplate, TemplateFault

ColumnKind = Literal["text", "number", "timestamp", "instant", "numbers"]

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
    columns = {name: _column(name, kind) for name, kind in COLUMNS[activity.name].items()}
    return _compile(activity, columns, templates)


def part_sql(*, templates: Path = TEMPLATES_DIR) -> PayloadSql:
    """The continuation of an over-long body: a note on the same records, whose unique value and trace id are
    ``<communication id>/<part>``. ``v`` has ``comm_communicationid``, ``activity_date``, the
    ``associated_*_id`` and the ``further_*_ids``, ``b`` has ``part`` and ``html``."""
    columns = {
        name: _column(name, kind)
        for name, kind in COLUMNS["notes"].items()
        if all(name in each for each in COLUMNS.values())
    }
    columns["comm_communicationid"] = _Expression(
        sql.SQL("v.comm_communicationid::text || '/' || b.part::text"), "number", sql.SQL("b.part")
    )
    columns["note_body"] = _Expression(sql.SQL("b.html"), "html", sql.SQL("b.html"), _too_long(sql.SQL("b.html")))
    return _compile(BY_NAME["notes"], columns, templates)


def template_fingerprint(activity: ActivityType, *, templates: Path = TEMPLATES_DIR) -> str:
    """Changes whenever the same row may get another payload: with the template, the properties, and the code that
    compiles them or renders bodies."""
    digest = hashlib.sha256(bodies.code_fingerprint().encode())
    for compiled in (payload_sql(activity, templates=templates), part_sql(templates=templates)):
        for expression in compiled:
            digest.update(expression.as_string(None).encode())
    return digest.hexdigest()[:16]


# --- What a template prints -----------------------------------------------------------------------------------

_Kind = Literal["text", "number", "numbers", "timestamp", "instant", "datetime", "html", "associations"]
# What may be put into a property of a type. HTML takes nothing that was not made HTML.
_FITS: dict[PropertyType, frozenset[_Kind]] = {
    "string": frozenset({"text", "number"}),
    "html": frozenset({"html"}),
    "number": frozenset({"number"}),
    "datetime": frozenset({"datetime"}),
    "enumeration": frozenset({"text"}),
}


@dataclass(frozen=True, eq=False)
class _Expression:
    """What stands for one value of every row. ``text`` is the value as text; ``present`` is NULL exactly when the
    value is, and cheaper; ``too_long`` is a condition; ``choices`` are the only values that it can have.

    A template cannot look at it: ``if``, ``==``, ``~`` would decide once for all rows."""

    text: sql.Composable
    kind: _Kind
    present: sql.Composable
    too_long: sql.Composable | None = None
    choices: frozenset[str] | None = None
    name: str = ""

    def _looked_at(self, *_: object) -> NoReturn:
        raise TemplateFault(
            f"{self.name} is a column of all rows: print it, alone or with a filter (mapped, html, utc)"
        )

    __bool__ = __str__ = __eq__ = __ne__ = __lt__ = __gt__ = __add__ = _looked_at
    __hash__ = object.__hash__


class _Document(NamedTuple):
    properties: dict[str, Any]
    associations: Any
    trace_id: Any


def _literal(value: str | int) -> sql.Composable:
    """A constant. psycopg would read a single percent sign as the start of a parameter."""
    return sql.SQL(sql.Literal(value).as_string(None).replace("%", "%%"))


def _column(name: str, kind: ColumnKind) -> _Expression:
    column = sql.Identifier("v", name)
    if kind == "numbers":
        return _Expression(column, kind, column, name=name)
    if kind == "text":
        # An empty property would clear what HubSpot holds; absent is what is meant.
        return _Expression(sql.SQL("nullif({}, '')").format(column), kind, column, _too_long(column), name=name)
    return _Expression(sql.SQL("{}::text").format(column), kind, column, name=name)


def _too_long(text: sql.Composable) -> sql.Composable:
    # octet_length costs nothing even where the text is stored out of line.
    return sql.SQL("(octet_length({text}) > {limit} AND length({text}) > {limit})").format(
        text=text, limit=_literal(MAX_LENGTH)
    )


class _Recorder:
    """The filters and functions of a template that is rendered for all rows. Each expression is printed as a mark
    that is found again in the parsed JSON."""

    _MARK = "\ue000{}\ue001"

    def __init__(self, activity: ActivityType) -> None:
        self._activity = activity
        self._printed: list[_Expression] = []

    def print_value(self, value: object) -> str:
        if value is None or isinstance(value, str | int | float):
            return json.dumps(value)
        if not isinstance(value, _Expression):
            raise TemplateFault(f"only columns and constants can be printed, not {value}")
        self._printed.append(value)
        return json.dumps(self._MARK.format(len(self._printed) - 1))

    def found(self, value: object) -> object:
        """The expression whose mark ``value`` is, or ``value``."""
        if isinstance(value, str) and value.startswith("\ue000"):
            return self._printed[int(value[1:-1])]
        return value

    def utc(self, value: object) -> _Expression:
        if isinstance(value, _Expression) and value.kind == "instant":
            column, instant = value, value.present
        else:
            column = _of_kind(value, "timestamp", "utc")
            instant = sql.SQL("({} AT TIME ZONE %(source_timezone)s::text)").format(column.present)
        text = sql.SQL("""to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')""").format(instant)
        return replace(column, text=text, kind="datetime")

    def unix_ms(self, value: object) -> _Expression:
        column = _of_kind(value, "timestamp", "unix_ms")
        text = sql.SQL(
            "floor(extract(epoch FROM {} AT TIME ZONE %(source_timezone)s::text) * 1000)::bigint::text"
        ).format(column.present)
        return replace(column, text=text, kind="datetime")

    def html(self, value: object) -> _Expression:
        if isinstance(value, _Expression) and value.kind == "html":
            return value
        column = _of_kind(value, "text", "html")
        rendered_here = (
            sql.SQL("b.html IS NOT NULL")
            if column.name == self._activity.body
            # Another text of the same row (a meeting's internal notes) is shown like the body when it is the body.
            else sql.SQL("b.html IS NOT NULL AND {} = {}").format(
                column.present, sql.Identifier("v", self._activity.body)
            )
        )
        text = sql.SQL("CASE WHEN {} THEN b.html ELSE {} END").format(rendered_here, bodies.escaped(column.present))
        too_long = sql.SQL("(({may_be}) AND length({text}) > {limit})").format(
            may_be=sql.SQL("b.html IS NOT NULL OR octet_length({}) > {}").format(
                column.present, _literal(bodies.NEVER_TOO_LONG)
            ),
            text=text,
            limit=_literal(MAX_LENGTH),
        )
        return replace(column, text=sql.SQL("nullif({}, '')").format(text), kind="html", too_long=too_long)

    def plain(self, value: object) -> _Expression:
        column = _of_kind(value, "text", "plain")
        if column.name != self._activity.body:
            raise TemplateFault(f"plain is for the body, {self._activity.body}")
        text = sql.SQL("coalesce(b.text, {})").format(column.present)
        return replace(column, text=sql.SQL("nullif({}, '')").format(text), too_long=_too_long(text))

    def mapped(self, value: object, choices: Mapping[str, str], keep_others: bool = False) -> _Expression:
        """What ``choices`` has for a value; where it has nothing the value itself, or none."""
        column = _of_kind(value, "text", "mapped")
        cases = sql.SQL(" ").join(
            sql.SQL("WHEN {} THEN {}").format(_literal(source), _literal(target)) for source, target in choices.items()
        )
        if keep_others:
            text = sql.SQL("CASE {} {} ELSE {} END").format(column.present, cases, column.text)
            return replace(column, text=text)
        text = sql.SQL("CASE {} {} END").format(column.present, cases)
        return _Expression(text, "text", text, choices=frozenset(choices.values()), name=column.name)

    def associations(
        self, contact: object, company: object, deal: object, contacts: object, companies: object
    ) -> _Expression:
        # Written as text, since the ids are numbers: half the cost of building jsonb, and NULLs drop out.
        opening = _literal('{"to":{"id":"')

        def closing(type_id: int) -> str:
            return '"},"types":' + json.dumps(_types(type_id), separators=(",", ":")) + "}"

        items = [
            sql.SQL("{} || {} || {}").format(
                opening, _of_kind(record, "number", "associations").text, _literal(closing(type_id))
            )
            for record, type_id in _association_types(self._activity, contact, company, deal)
        ]
        items += [
            sql.SQL("{} || array_to_string({}, {}) || {}").format(
                opening,
                _of_kind(records, "numbers", "associations").text,
                _literal(closing(type_id) + ',{"to":{"id":"'),
                _literal(closing(type_id)),
            )
            for records, type_id in ((contacts, self._activity.to_contact), (companies, self._activity.to_company))
        ]
        text = sql.SQL("concat_ws(',', {})").format(sql.SQL(", ").join(items))
        return _Expression(text, "associations", text)

    def email_headers(self, *, from_email: object, to_email: object) -> _Expression:
        sender = _of_kind(from_email, "text", "email_headers")
        recipient = _of_kind(to_email, "text", "email_headers")
        text = sql.SQL(
            # Several are joined by '; ', which no address holds. A message has one sender: the first.
            """nullif('{{' || concat_ws(',', '"from":{{"email":' || to_json(split_part({}, '; ', 1)) || '}}',"""
            """ '"to":[{{"email":' || replace(to_json({})::text, '; ', '"}},{{"email":"') || '}}]') || '}}', '{{}}')"""
        ).format(sender.text, recipient.text)
        return _Expression(text, "text", text, _too_long(text), name="email_headers")


def _of_kind(value: object, kind: _Kind, use: str) -> _Expression:
    if isinstance(value, _Expression) and value.kind == kind:
        return value
    given = f"{value.name} ({value.kind})" if isinstance(value, _Expression) else repr(value)
    raise TemplateFault(f"{use} takes a {kind} column, not {given}")


def _association_types(
    activity: ActivityType, contact: object, company: object, deal: object
) -> Sequence[tuple[object, int]]:
    return ((contact, activity.to_contact), (company, activity.to_company), (deal, activity.to_deal))


def _types(type_id: int) -> list[dict[str, object]]:
    return [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id}]


def _compile(activity: ActivityType, columns: Mapping[str, _Expression], templates: Path) -> PayloadSql:
    recorder = _Recorder(activity)
    id_property = _Expression(sql.SQL("%(id_property)s::text"), "text", sql.SQL("%(id_property)s::text"))
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
    if not (isinstance(trace_id, _Expression) and trace_id.kind == "number"):
        raise Refused(
            f"{where}: objectWriteTraceId has to be {{{{ comm_communicationid }}}}, by which results are settled"
        )
    if not (isinstance(associations, _Expression) and associations.kind == "associations"):
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
        members.append(_member(_literal(json.dumps(key)), text, is_plain=_is_plain(value)))
        if isinstance(value, _Expression):
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
    if not isinstance(value, _Expression):
        return isinstance(value, str) and value.isalnum() and value.isascii()
    if value.choices is not None:
        return all(choice.replace("_", "").isalnum() and choice.isascii() for choice in value.choices)
    return value.kind in ("number", "datetime")


def _of_id(value: object, where: str) -> _Expression:
    if isinstance(value, _Expression) and value.kind == "number":
        return value
    raise Refused(f"{where}: {{{{ id_property }}}} has to be {{{{ comm_communicationid }}}}")


def _checked(value: object, name: str, specified: Property, where: str) -> sql.Composable:
    """The value as SQL, unless the template is wrong for every row."""
    if specified.read_only:
        raise Refused(f"{where}: {name} is read-only in HubSpot")
    if isinstance(value, str):
        if specified.options and value not in specified.options:
            raise Refused(f"{where}: {name} is {value!r}, HubSpot takes {', '.join(specified.options)}")
        return _literal(value)
    if not isinstance(value, _Expression):
        raise Refused(f"{where}: {name} is {json.dumps(value)}, HubSpot takes text: a column or a quoted constant")
    if value.kind not in _FITS[specified.type]:
        how = {"datetime": ", made by | utc or | unix_ms", "html": ", made by | html"}.get(specified.type, "")
        raise Refused(f"{where}: {name} takes a {specified.type}{how}, not {value.name} ({value.kind})")
    if value.choices and specified.options and (outside := value.choices.difference(specified.options)):
        raise Refused(
            f"{where}: {name} may become {', '.join(sorted(outside))}, HubSpot takes {', '.join(specified.options)}"
        )
    return value.text


def _reasons(value: _Expression, name: str, specified: Property) -> list[sql.Composable]:
    """What may be wrong with the value of a row, as the branches of a CASE."""
    reasons: list[sql.Composable] = []
    if specified.required:
        reasons.append(sql.SQL("WHEN {} IS NULL THEN {}").format(value.present, _literal(f"{name} is missing")))
    if specified.options and value.choices is None:
        reasons.append(
            sql.SQL("WHEN {value} NOT IN ({options}) THEN {opening} || left({value}, 40) || {rest}").format(
                value=value.text,
                options=sql.SQL(", ").join(map(_literal, specified.options)),
                opening=_literal(f'{name} is "'),
                rest=_literal(f'", HubSpot takes {", ".join(specified.options)}'),
            )
        )
    elif value.too_long is not None:
        reasons.append(
            sql.SQL("WHEN {} THEN {} || to_char(length({}), 'FM999,999,999') || {}").format(
                value.too_long,
                _literal(f"{name} is "),
                value.text,
                _literal(f" characters, HubSpot takes {MAX_LENGTH:,}"),
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
