"""What stands for the columns of all rows while a template is rendered: SQL expressions, and the filters and functions that
make others of them. `payloads` compiles templates with these and judges what they print.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NoReturn

from psycopg import sql

from ic_assets.activities.engine.derivatives import bodies
from ic_assets.activities.facts.activity_types import ActivityType
from ic_assets.activities.facts.hubspot_properties import MAX_LENGTH
from ic_assets.core.templates import TemplateFault

ColumnKind = Literal["text", "number", "timestamp", "instant", "numbers"]

Kind = Literal["text", "number", "numbers", "timestamp", "instant", "datetime", "html", "associations"]


@dataclass(frozen=True, eq=False)
class Expression:
    """What stands for one value of every row. ``text`` is the value as text; ``present`` is NULL exactly when the
    value is, and cheaper; ``too_long`` is a condition; ``choices`` are the only values that it can have.

    A template cannot look at it: ``if``, ``==``, ``~`` would decide once for all rows."""

    text: sql.Composable
    kind: Kind
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


def literal(value: str | int) -> sql.Composable:
    """A constant. psycopg would read a single percent sign as the start of a parameter."""
    return sql.SQL(sql.Literal(value).as_string(None).replace("%", "%%"))


def of_column(name: str, kind: ColumnKind) -> Expression:
    column = sql.Identifier("v", name)
    if kind == "numbers":
        return Expression(column, kind, column, name=name)
    if kind == "text":
        # An empty property would clear what HubSpot holds; absent is what is meant.
        return Expression(sql.SQL("nullif({}, '')").format(column), kind, column, over_limit(column), name=name)
    return Expression(sql.SQL("{}::text").format(column), kind, column, name=name)


def over_limit(text: sql.Composable) -> sql.Composable:
    # octet_length costs nothing even where the text is stored out of line.
    return sql.SQL("(octet_length({text}) > {limit} AND length({text}) > {limit})").format(
        text=text, limit=literal(MAX_LENGTH)
    )


class Recorder:
    """The filters and functions of a template that is rendered for all rows. Each expression is printed as a mark
    that is found again in the parsed JSON."""

    _MARK = "\ue000{}\ue001"

    def __init__(self, activity: ActivityType) -> None:
        self._activity = activity
        self._printed: list[Expression] = []

    def print_value(self, value: object) -> str:
        if value is None or isinstance(value, str | int | float):
            return json.dumps(value)
        if not isinstance(value, Expression):
            raise TemplateFault(f"only columns and constants can be printed, not {value}")
        self._printed.append(value)
        return json.dumps(self._MARK.format(len(self._printed) - 1))

    def found(self, value: object) -> object:
        """The expression whose mark ``value`` is, or ``value``."""
        if isinstance(value, str) and value.startswith("\ue000"):
            return self._printed[int(value[1:-1])]
        return value

    def utc(self, value: object) -> Expression:
        if isinstance(value, Expression) and value.kind == "instant":
            column, instant = value, value.present
        else:
            column = _of_kind(value, "timestamp", "utc")
            instant = sql.SQL("({} AT TIME ZONE %(source_timezone)s::text)").format(column.present)
        text = sql.SQL("""to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')""").format(instant)
        return replace(column, text=text, kind="datetime")

    def unix_ms(self, value: object) -> Expression:
        column = _of_kind(value, "timestamp", "unix_ms")
        text = sql.SQL(
            "floor(extract(epoch FROM {} AT TIME ZONE %(source_timezone)s::text) * 1000)::bigint::text"
        ).format(column.present)
        return replace(column, text=text, kind="datetime")

    def html(self, value: object) -> Expression:
        if isinstance(value, Expression) and value.kind == "html":
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
                column.present, literal(bodies.NEVER_TOO_LONG)
            ),
            text=text,
            limit=literal(MAX_LENGTH),
        )
        return replace(column, text=sql.SQL("nullif({}, '')").format(text), kind="html", too_long=too_long)

    def plain(self, value: object) -> Expression:
        column = _of_kind(value, "text", "plain")
        if column.name != self._activity.body:
            raise TemplateFault(f"plain is for the body, {self._activity.body}")
        text = sql.SQL("coalesce(b.text, {})").format(column.present)
        return replace(column, text=sql.SQL("nullif({}, '')").format(text), too_long=over_limit(text))

    def mapped(self, value: object, choices: Mapping[str, str], keep_others: bool = False) -> Expression:
        """What ``choices`` has for a value; where it has nothing the value itself, or none."""
        column = _of_kind(value, "text", "mapped")
        cases = sql.SQL(" ").join(
            sql.SQL("WHEN {} THEN {}").format(literal(source), literal(target)) for source, target in choices.items()
        )
        if keep_others:
            text = sql.SQL("CASE {} {} ELSE {} END").format(column.present, cases, column.text)
            return replace(column, text=text)
        text = sql.SQL("CASE {} {} END").format(column.present, cases)
        return Expression(text, "text", text, choices=frozenset(choices.values()), name=column.name)

    def associations(
        self, contact: object, company: object, deal: object, contacts: object, companies: object
    ) -> Expression:
        # Written as text, since the ids are numbers: half the cost of building jsonb, and NULLs drop out.
        opening = literal('{"to":{"id":"')

        def closing(type_id: int) -> str:
            return '"},"types":' + json.dumps(_types(type_id), separators=(",", ":")) + "}"

        items = [
            sql.SQL("{} || {} || {}").format(
                opening, _of_kind(record, "number", "associations").text, literal(closing(type_id))
            )
            for record, type_id in _association_types(self._activity, contact, company, deal)
        ]
        items += [
            sql.SQL("{} || array_to_string({}, {}) || {}").format(
                opening,
                _of_kind(records, "numbers", "associations").text,
                literal(closing(type_id) + ',{"to":{"id":"'),
                literal(closing(type_id)),
            )
            for records, type_id in ((contacts, self._activity.to_contact), (companies, self._activity.to_company))
        ]
        text = sql.SQL("concat_ws(',', {})").format(sql.SQL(", ").join(items))
        return Expression(text, "associations", text)

    def email_headers(self, *, from_email: object, to_email: object) -> Expression:
        sender = _of_kind(from_email, "text", "email_headers")
        recipient = _of_kind(to_email, "text", "email_headers")
        text = sql.SQL(
            # Several are joined by '; ', which no address holds. A message has one sender: the first.
            """nullif('{{' || concat_ws(',', '"from":{{"email":' || to_json(split_part({}, '; ', 1)) || '}}',"""
            """ '"to":[{{"email":' || replace(to_json({})::text, '; ', '"}},{{"email":"') || '}}]') || '}}', '{{}}')"""
        ).format(sender.text, recipient.text)
        return Expression(text, "text", text, over_limit(text), name="email_headers")


def _of_kind(value: object, kind: Kind, use: str) -> Expression:
    if isinstance(value, Expression) and value.kind == kind:
        return value
    given = f"{value.name} ({value.kind})" if isinstance(value, Expression) else repr(value)
    raise TemplateFault(f"{use} takes a {kind} column, not {given}")


def _association_types(
    activity: ActivityType, contact: object, company: object, deal: object
) -> Sequence[tuple[object, int]]:
    return ((contact, activity.to_contact), (company, activity.to_company), (deal, activity.to_deal))


def _types(type_id: int) -> list[dict[str, object]]:
    return [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id}]
