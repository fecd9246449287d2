"""The push completion report: what stands in HubSpot, what was refused and what to do about it, how fast HubSpot took it,
and whether HubSpot counts the same. Read from the database alone, so that it can be written at any time.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import pandas as pd
import psycopg

from ic_assets.activities.engine.judging.rules import judge, push_rules
from ic_assets.activities.engine.judging.verdicts import Verdict, percent
from ic_assets.activities.engine.reports.report import Report, Section, origin, read_frame
from ic_assets.activities.engine.reports.report_pictures import measured_rows, stacked_rows
from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES
from ic_assets.core.hosts import is_loopback
from ic_assets.hubspot.portal.setup import guarantee
from ic_assets.hubspot.push.result import PushOptions

# The plan's figure for the API response time.
LONGEST_MEAN_MS = 500.0
# Waiting and failed records at the end, so that the bars begin with what stands.
_STATES = ("pushed", "pending", "in_flight", "unknown", "held", "failed", "removed")
# By HubSpot's category or words, the first that matches.
_WHAT_TO_DO = (
    (
        "association to a record that HubSpot does not have",
        "Correct the reconciliation table and push again; IC_HUBSPOT_MISSING_ASSOCIATION=drop pushes without it.",
    ),
    ("INVALID_OPTION", "Add the value to the options of the property in HubSpot, or correct the source; push again."),
    ("OBJECT_NOT_FOUND", "People deleted or merged it. `ic-assets rollback push --ids ID` lets a push create it anew."),
    ("EDITED_IN_HUBSPOT", "People changed it. Correct the source, or push with --overwrite-edits to overwrite theirs."),
    ("already has that value", "Another record carries this communication's id: look at both in HubSpot."),
    ("no outcome in", "HubSpot never confirmed it. Push again: it is looked up before it is sent."),
    ("", "Correct the value in the source, load it and push again; quote the correlation id to HubSpot's support."),
)


def push_completion(connection: psycopg.Connection) -> Report:
    """On the portal that was pushed to last. ``frames["states"]``: object type, state, records."""
    states, speed = read_frame(connection, "push_states"), _speed(connection)
    verdicts = [judge(connection, push_rules(activity)) for activity in ACTIVITY_TYPES]
    by_rule = [list(of_rule) for of_rule in zip(*verdicts, strict=True)]
    test = read_frame(connection, "push_test")
    checkpoints = _checkpoints(by_rule, test, speed)
    is_good = (checkpoints["state"] == "passed").all()
    return Report(
        "push_completion",
        "Push completion",
        f"{_summary(by_rule, checkpoints)}{_where(connection)}" if len(states) else "Nothing was pushed yet.",
        [
            Section("Checkpoints", checkpoints, _remaining_guarantee(connection, states)),
            Section(
                "Records by type and state",
                _by_type(connection, states, by_rule[0]),
                "Continuation notes of over-long bodies count as notes.",
                _states_plot(states),
                _states_text(states),
            ),
            Section(
                "Agreement with HubSpot", _read_back(connection), "Live records that carry our id, after the push."
            ),
            Section("Test push", _test(test), "A production push needs one of a hundred records without a refusal."),
            _listed("Refused by HubSpot", _refusals(connection)),
            _listed("Pushed without an association", read_frame(connection, "push_dropped")),
            Section(
                "Throughput and rate budget",
                speed,
                "Budget share: per cent of the requests that the rate budget allows between a push's first and last batch."
                " Response times in milliseconds.",
            ),
            _latency(read_frame(connection, "push_latency")),
            Section("Pushes and roll-backs", read_frame(connection, "push_runs")),
        ],
        {"states": states},
        state=("passed" if is_good else "failed") if len(states) else "",
        origin=origin(connection),
    )


def _listed(title: str, found: pd.DataFrame) -> Section:
    return Section(title, found, "" if len(found) else "None.")


def _where(connection: psycopg.Connection) -> str:
    """Where the records can be looked at, when that is the local HubSpot."""
    row = connection.execute(
        "SELECT p.base_url FROM hubspot.portal AS p INNER JOIN hubspot.v_current_portal AS c USING (portal_id)"
    ).fetchone()
    is_local = row is not None and is_loopback(urlsplit(row[0]).hostname or "")
    return f" In the local HubSpot, while `ic-assets up` runs: {row[0]}/changes." if row and is_local else ""


def _summary(by_rule: list[list[Verdict]], checkpoints: pd.DataFrame) -> str:
    """What failed first: the share of all records may be good while a checkpoint is not."""
    rates = by_rule[0]
    types = {
        verdicts[0].rule.name.replace("_", " "): [v.rule.on.replace("_", " ") for v in verdicts if not v.passed]
        for verdicts in by_rule
    }
    failed = [
        f"{name} ({', '.join(types[name])})" if types.get(name) else name
        for name in checkpoints[checkpoints["state"] == "failed"]["checkpoint"]
    ]
    told = f"Failed: {', '.join(failed)}. " if failed else ""
    refused, tried = sum(v.failing for v in rates), sum(v.checked for v in rates)
    if not tried:
        return f"{told}Nothing stands in HubSpot."
    return f"{told}{percent(tried - refused, tried)} of {tried:,} records succeeded (more than 98 % must)."


def _checkpoints(by_rule: list[list[Verdict]], test: pd.DataFrame, speed: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for verdicts in by_rule:
        rule, failed = verdicts[0].rule, [v for v in verdicts if not v.passed]
        whole = Verdict(rule, sum(v.failing for v in verdicts), sum(v.checked for v in verdicts), None)
        figure = f"{failed[0].rule.on}: {failed[0].figure}" if failed else whole.figure
        rows.append((rule.name.replace("_", " "), not failed, figure))
    if len(test):
        (one,) = test.to_dict("records")
        failed_records = one["rejected"] + one["unknown"]
        good = one["result"] == "done" and not failed_records
        rows.append(
            ("test push", good, f"{one['sent'] - failed_records:,} of {one['sent']:,} records succeeded (all must).")
        )
    if len(speed) and speed["mean_ms"].notna()[0]:
        mean, last = speed["mean_ms"][0], speed["p95_ms"][0]
        text = f"{mean:,.0f} ms on average, {last:,.0f} ms at the 95th percentile (below {LONGEST_MEAN_MS:.0f} ms)."
        rows.append(("API response time", mean < LONGEST_MEAN_MS, text))
        rows.append(
            (
                "no 429 caused by us",
                not speed["too_many_requests"][0],
                f"{speed['too_many_requests'][0]:,} of {speed['requests'][0]:,} requests were too many for HubSpot.",
            )
        )
    return pd.DataFrame(
        [(name, "passed" if passed else "failed", figure) for name, passed, figure in rows],
        columns=["checkpoint", "state", "figure"],
    )


def _remaining_guarantee(connection: psycopg.Connection, states: pd.DataFrame) -> str:
    if states.empty:
        return ""
    weak = read_frame(connection, "push_weak_types")["object_type"].tolist()
    return f"Each activity stands in HubSpot {guarantee(weak, PushOptions().pause)}."


def _by_type(connection: psycopg.Connection, states: pd.DataFrame, rates: list[Verdict]) -> pd.DataFrame:
    table = read_frame(connection, "push_communications").set_index("object_type")
    if len(states):
        wide = states.pivot_table(index="object_type", columns="state", values="records", aggfunc="sum")
        table = table.join(wide[[name for name in _STATES if name in wide.columns]], how="outer")
    table = table.fillna(0).astype(int)
    success = {v.rule.on: percent(v.checked - v.failing, v.checked) for v in rates if v.checked}
    return table.assign(success=[success.get(name, "") for name in table.index]).reset_index()


def _read_back(connection: psycopg.Connection) -> pd.DataFrame:
    found = read_frame(connection, "push_read_back")
    agree = found["in_the_ledger"] == found["in_hubspot"]
    return found.assign(state=["passed" if same else "failed" for same in agree])


def _test(test: pd.DataFrame) -> pd.DataFrame:
    if test.empty:
        return test
    good = test["sent"] - test["rejected"] - test["unknown"]
    return test.assign(success=[percent(part, whole) for part, whole in zip(good, test["sent"], strict=True)])


def _refusals(connection: psycopg.Connection) -> pd.DataFrame:
    found = read_frame(connection, "push_failures")
    reasons = zip(found["category"], found["reason"], strict=True)
    return found.assign(what_to_do=[what_to_do(category, reason or "") for category, reason in reasons])


def what_to_do(category: str, reason: str) -> str:
    """The next step for a person, by HubSpot's category and words."""
    return next(advice for mark, advice in _WHAT_TO_DO if mark in f"{category} {reason}")


def _speed(connection: psycopg.Connection) -> pd.DataFrame:
    found = read_frame(connection, "push_speed")
    # SQL leaves them empty where there is nothing to divide by.
    for name in ("records_per_second", "budget_share", "mean_ms", "p95_ms"):
        found[name] = pd.to_numeric(found[name])
    return found.assign(budget_share=100 * found["budget_share"])


def _latency(found: pd.DataFrame) -> Section:
    title = "Response times of the last push, by kind of request"
    if found.empty:
        return Section(title, found)
    text = "; ".join(
        f"{row.operation}: mean {row.mean_ms:.0f} ms, 95th percentile {row.p95_ms:.0f} ms" for row in found.itertuples()
    )
    picture = measured_rows(
        found["operation"].tolist(),
        ("mean", [float(value) for value in found["mean_ms"]]),
        ("95th percentile", [float(value) for value in found["p95_ms"]]),
        (f"{LONGEST_MEAN_MS:.0f} ms", LONGEST_MEAN_MS),
        title,
        f"{text}.",
    )
    return Section(title, found, figure=picture, figure_text=f"{text}.")


def _states_plot(states: pd.DataFrame) -> str:
    if states.empty:
        return ""
    wide = states.pivot_table(index="object_type", columns="state", values="records", aggfunc="sum", fill_value=0)
    return stacked_rows(
        [str(name) for name in wide.index],
        {state: [int(count) for count in wide[state]] for state in _STATES if state in wide.columns},
        "Records by type and state",
        _states_text(states),
    )


def _states_text(states: pd.DataFrame) -> str:
    totals = states.groupby("state")["records"].sum() if len(states) else pd.Series(dtype=int)
    return f"Records by type, stacked by state: {', '.join(f'{totals[name]:,} {name}' for name in totals.index)}."
