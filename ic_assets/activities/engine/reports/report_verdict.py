"""What the data quality report answers first: can I push, what is red, what do I fix first. Judged by the rules that the
push itself asks; no figure is made here that is not one of theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd

from ic_assets.activities.engine.judging.verdicts import Verdict, percent
from ic_assets.activities.engine.reconciliation.impact import Impact
from ic_assets.activities.engine.reports.report import counted
from ic_assets.activities.engine.reports.report_flow import FATES, Flow
from ic_assets.activities.facts.activity_types import BY_NAME
from ic_assets.core.months import month_key

_ENTITIES = ("contacts", "companies", "deals")


def answer(flow: Flow, verdicts: Sequence[Verdict], late: Sequence[date]) -> tuple[str, str]:
    """One of ``report.STATES``, and the sentence."""
    if not flow.landed:
        return "warning", "Can I push? No: nothing is loaded yet. Run `ic-assets load FILE`."
    load = f"{flow.rows['rows_in']:,} rows in {counted(flow.landed, 'drop')} became {flow.communications:,} communications."
    red = [verdict for verdict in verdicts if verdict.rule.gate and not verdict.passed]
    if red:
        names = ", ".join(_name(verdict) for verdict in red)
        are = "1 gate is" if len(red) == 1 else f"{len(red)} gates are"
        return "red", f"Can I push? No: {are} red ({names}). {load}"
    if late:
        months = _months(late)
        return "warning", f"Can I push? Not yet: {months} out of date; run `ic-assets load` first. {load}"
    if not flow.ready_to_push:
        stand = flow.into("in HubSpot")
        return "green", f"Can I push? Every gate is green, and nothing new is ready: {stand:,} stand in HubSpot. {load}"
    return "green", (
        f"Can I push? Yes: every gate is green and {flow.ready_to_push:,} records are ready. "
        f"Begin with `ic-assets push`, which only looks. {load}"
    )


@dataclass(frozen=True)
class Troubles:
    """``rejected``: rows by reason, without those whose newer version is loaded. ``ids``: ids that could not be read, by the
    header of their column."""

    rejected: Mapping[str, int]
    ids: Mapping[str, int]


def steps(
    flow: Flow, verdicts: Sequence[Verdict], late: Sequence[date], weighed: Impact, troubles: Troubles
) -> pd.DataFrame:
    """state, what_is_wrong, what_to_do: red gates in the order of the graph (of the references, those with most to gain
    first), then what is out of date, then what only deserves a look."""
    failed = [verdict for verdict in verdicts if not verdict.passed]
    gain = {f"{one.entity}_resolved": one for one in weighed.entities}
    red = [verdict for verdict in failed if verdict.rule.gate]
    place = {id(verdict): index for index, verdict in enumerate(red)}
    first = min((place[id(v)] for v in red if v.rule.name in gain), default=0)

    def order(verdict: Verdict) -> tuple[int, int]:
        one = gain.get(verdict.rule.name)
        return (first, -one.needed_references) if one else (place[id(verdict)], 0)

    rows: list[tuple[str, str, str]] = []
    for verdict in sorted(red, key=order):
        one = gain.get(verdict.rule.name)
        advice = (
            f"{one.sentence} Add them with `ic-assets reconcile {one.entity} FILE`." if one else verdict.rule.next_step
        )
        rows.append(("red", f"{_name(verdict)}: {found(verdict)}", advice))
    if late:
        held = " A red gate holds them back until it is green." if red else ""
        rows.append(("red" if red else "warning", f"{_months(late)} out of date.", f"Run `ic-assets load`.{held}"))
    if flow.refused:
        rows.append(
            (
                "warning",
                f"{counted(flow.refused, 'drop was', 'drops were')} refused as a whole; nothing of them is loaded.",
                "The reasons are under Drops; correct the files and load them.",
            )
        )
    rows += [("warning", f"{_name(v)}: {found(v)}", v.rule.next_step) for v in failed if not v.rule.gate]
    if unread := sum(troubles.ids.values()):
        columns = ", ".join(f"{count:,} {column}" for column, count in troubles.ids.items())
        rows.append(
            (
                "warning",
                f"{counted(unread, 'id')} cannot be read, and those rows lead to no record by that id ({columns}).",
                "Correct them in the source; ids are plain digits, such as 12345. `ic-assets rejects --warnings` shows them.",
            )
        )
    if harmful := sum(troubles.rejected.values()):
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in troubles.rejected.items())
        rows.append(
            (
                "warning",
                f"{counted(harmful, 'row was', 'rows were')} rejected and not replaced by a newer one ({reasons}).",
                "Correct them in the source and load them; Rejected rows has the lines.",
            )
        )
    if held_back := flow.into("held"):
        rows.append(
            (
                "warning",
                f"{counted(held_back, 'communication is', 'communications are')} held back from HubSpot.",
                "Reconcile what the orphans refer to, or approve them along with `--include-orphans`.",
            )
        )
    return pd.DataFrame(
        [(str(number), *row) for number, row in enumerate(rows, start=1)],
        columns=["order", "state", "what_is_wrong", "what_to_do"],
        dtype=object,
    )


def targets(flow: Flow, verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """The plan's figures: measure, target, figure, counted, state, what_to_do."""
    by_name: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        by_name.setdefault(verdict.rule.name, []).append(verdict)
    accounted, rows_in = sum(flow.rows[fate] for fate in FATES), flow.rows["rows_in"]
    (identity,) = by_name["drop_identity"]
    rows: list[tuple[str, ...]] = [
        (
            "load: rows accounted for",
            "100 %",
            percent(min(accounted, rows_in), rows_in) if rows_in else "",
            f"{accounted:,} of {rows_in:,}",
            _state(identity),
            "" if identity.passed else identity.rule.next_step,
        )
    ]
    rows += [
        _target(f"references to {entity} resolved", "> 95 %", by_name[f"{entity}_resolved"][0]) for entity in _ENTITIES
    ]
    (orphans,) = by_name["orphans"]
    rows.append(_target("orphans", "< 5 %", orphans, failing=True))
    # One figure for the seven types: coverage counts them together, the required fields take the worst.
    cover, fields = by_name["coverage"], by_name["required_fields"]
    red = [verdict for verdict in cover if not verdict.passed]
    whole = Verdict((red or cover)[0].rule, sum(v.failing for v in cover), sum(v.checked for v in cover), None)
    rows.append(_target("coverage: communications with their record", "100 %", whole))
    worst = max(fields, key=lambda verdict: verdict.share)
    rows.append(_target(f"required fields filled, at the worst ({_plain(worst.rule.on)})", "> 99 %", worst))
    return pd.DataFrame(rows, columns=["measure", "target", "figure", "counted", "state", "what_to_do"], dtype=object)


def checkpoints(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    return pd.DataFrame(
        [(_name(v), "gate" if v.rule.gate else "advice", _state(v), v.rule.demand, found(v)) for v in verdicts],
        columns=["checkpoint", "kind", "state", "what_must_hold", "figure"],
    )


def found(verdict: Verdict) -> str:
    """The figure without the advice, which has a column of its own."""
    return verdict.figure.removesuffix(verdict.rule.next_step).rstrip()


def _target(measure: str, target: str, verdict: Verdict, *, failing: bool = False) -> tuple[str, ...]:
    part = verdict.failing if failing else verdict.checked - verdict.failing
    return (
        measure,
        target,
        percent(part, verdict.checked) if verdict.checked else "",
        f"{part:,} of {verdict.checked:,}",
        _state(verdict),
        "" if verdict.passed else verdict.rule.next_step,
    )


def _state(verdict: Verdict) -> str:
    if not verdict.checked:
        return "not judged yet"
    return "green" if verdict.passed else "red" if verdict.rule.gate else "warning"


def _name(verdict: Verdict) -> str:
    """The stage is said where several judge by the same name: the seven types."""
    name = _plain(verdict.rule.name)
    return f"{_plain(verdict.rule.on)}: {name}" if verdict.rule.on in BY_NAME else name


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _months(months: Sequence[date]) -> str:
    if len(months) == 1:
        return f"1 month ({month_key(months[0])[:7]}) is"
    return f"{len(months):,} months ({month_key(months[0])[:7]} to {month_key(months[-1])[:7]}) are"
