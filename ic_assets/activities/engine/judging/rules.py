"""The checkpoints of the plan as rules over the database: what Dagster's asset checks, the push's gates and the
reports all judge by. No Dagster here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial

import psycopg
from psycopg import sql

from ic_assets.activities.engine.derivatives.payload_versions import version
from ic_assets.activities.engine.drop.reasons import told
from ic_assets.activities.engine.judging.figures import (
    OF_MASTER,
    OF_RESOLUTION,
    Fresh,
    Source,
    bring_up_to_date,
    looked_at,
    of_derivative,
)
from ic_assets.activities.engine.judging.folds import absent_types, largest_type, most_implausible, summed, worst
from ic_assets.activities.engine.judging.verdicts import Figure, Rule, Verdict
from ic_assets.activities.engine.staging.slices import MASTER, RESOLVED
from ic_assets.activities.engine.staging.unrecognised import least_recognised, most_frequent
from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES, ActivityType
from ic_assets.core import kept_settings
from ic_assets.core.settings import Settings
from ic_assets.core.sql import statement

_LANDED = Source("landed", MASTER, statement("activities/figures/landed"))
_MISSES = Source("misses", RESOLVED, statement("activities/figures/misses"))


def landing_rules() -> list[Rule]:
    return [
        Rule(
            "drop_identity",
            "landing",
            "Every row of a drop is accounted for: rows in the file = inserted + updated + unchanged + joined + rejected.",
            statement("activities/checks/drop_identity"),
            "{good} of {checked} drops add up: rows in the file = inserted + updated + unchanged + joined + rejected.",
            "Compare the counts in staging.ic_drop with the file; land it again after `ic-assets rollback master`.",
            parameters={"drop_keys": None, "recount": True},
            gate=True,
        ),
        Rule(
            "rows_load",
            "landing",
            "Rows of a drop are loaded, and no reason rejects more than half of them.",
            statement("activities/checks/drop_loads"),
            "{good} of {checked} drops load.",
            "Look at staging.ic_rejected_row.",
            parameters={"drop_keys": None},
            tell=told,
        ),
    ]


def master_rules() -> list[Rule]:
    return [
        Rule(
            "required_fields_present",
            "master",
            "Every communication has an id, a type, a date and a creation date.",
            Figure(OF_MASTER, "required_fields_present", summed()),
            "{good} of {checked} communications have an id, a type, a date and a creation date.",
            "A row was changed outside this project; run its months again.",
            gate=True,
        ),
        Rule(
            "every_landed_row_is_here",
            "master",
            "The master shows exactly the newest landed version of each communication.",
            Figure(_LANDED, "landed", summed(), "landing", statement("activities/checks/sample_landed")),
            "{good} of {checked} communications stand as they landed.",
            "Materialize the master for the months that it concerns.",
            gate=True,
        ),
        Rule(
            "no_type_dominates",
            "master",
            "No activity type holds more than 90 % of the communications.",
            Figure(OF_MASTER, "types", largest_type),
            "The largest activity type holds {share} of {checked} communications (at most 90 %).",
            "Look at the unrecognised types, and at sql/activities/classification.csv.",
            allowed=0.9,
            bound_passes=True,
            blocking=False,
        ),
        Rule(
            "every_type_occurs",
            "master",
            "Each of the seven activity types occurs.",
            Figure(OF_MASTER, "types", absent_types),
            "{good} of {checked} activity types occur.",
            "Expected when the CRM had none of them; otherwise look at sql/activities/classification.csv.",
            blocking=False,
        ),
        *(
            Rule(
                f"{kind}_are_recognised",
                "master",
                f"At most 1 % of an activity type's communications have {one} that no line of {file} names.",
                Figure(OF_MASTER, f"unrecognised_{kind}", least_recognised(kind)),
                f"{{failing}} of {{checked}} communications ({{share}}) of one activity type have {one} that {file} does not "
                "name (at most 1 % may).",
                f"Give them lines in {file} (a copy in IC_HOME counts) and run `ic-assets load`.",
                allowed=0.01,
                bound_passes=True,
                blocking=False,
                tell=partial(most_frequent, file),
            )
            for kind, one, file in (
                ("types", "a type", "classification.csv"),
                ("actions", "an action", "directions.csv or classification.csv"),
                ("statuses", "a status", "statuses.csv"),
                ("priorities", "a priority", "priorities.csv"),
            )
        ),
    ]


_ENTITIES = (("contacts", "contact"), ("companies", "company"), ("deals", "deal"))


def resolution_rules() -> list[Rule]:
    rates = [
        Rule(
            f"{entity}_resolved",
            "resolved",
            f"More than 95 % of the references to {entity} lead to a HubSpot record.",
            Figure(
                OF_RESOLUTION,
                entity,
                summed(),
                RESOLVED,
                statement("activities/checks/sample_references"),
                {"entity_type": entity_type},
            ),
            f"{{good_share}} of {{checked}} references to {entity} lead to HubSpot (more than 95 % must).",
            f"`ic-assets unresolved {entity}` lists them, what matters most first; then `ic-assets reconcile {entity} FILE`.",
            allowed=0.05,
            gate=True,
        )
        for entity, entity_type in _ENTITIES
    ]
    return [
        *rates,
        Rule(
            "orphans",
            "resolved",
            "Less than 5 % of the communications lead to no HubSpot record.",
            Figure(OF_RESOLUTION, "orphans", summed("reason"), RESOLVED),
            "{share} of {checked} communications lead to no HubSpot record (less than 5 % may).",
            "Add what is missing with `ic-assets reconcile contacts|companies|deals FILE`.",
            allowed=0.05,
            gate=True,
        ),
        Rule(
            "every_miss_is_logged",
            "resolved",
            "Every reference that leads nowhere is in staging.reconciliation_log.",
            Figure(_MISSES, "misses", summed(), RESOLVED),
            "{good} of {checked} unresolved references are in staging.reconciliation_log.",
            "Materialize the resolution of these months again.",
            gate=True,
        ),
    ]


PAYLOADS_ARE_CURRENT = "payloads_are_current"


def _settings(connection: psycopg.Connection) -> Settings:
    """Those that payloads are made with: a shell need not say what the database keeps."""
    return kept_settings.in_force(connection, Settings.from_env(), refuses=False)


def derivative_rules(activity: ActivityType) -> list[Rule]:
    table = sql.Identifier(activity.table)
    of_type = {"activity_type": activity.name}

    source = of_derivative(activity)
    rules = [
        Rule(
            "coverage",
            activity.name,
            "Every communication of the type stands in the table, and no other.",
            Figure(
                source,
                "coverage",
                summed(),
                activity.name,
                statement("activities/checks/sample_coverage", table=table),
                of_type,
            ),
            f"{{good}} of {{checked}} communications stand in staging.{activity.table} exactly once.",
            "Materialize this asset for the months that it concerns.",
            gate=True,
        ),
        Rule(
            "required_fields",
            activity.name,
            "Each required field is filled in more than 99 % of the rows.",
            Figure(source, "required", worst),
            "{good_share} of {checked} rows have each required field (more than 99 % must).",
            "Look at these columns in the source.",
            allowed=0.01,
            gate=True,
        ),
        Rule(
            "payloads_valid",
            activity.name,
            "HubSpot would take every payload.",
            Figure(source, "payloads", summed("reason")),
            "{good} of {checked} payloads are ones that HubSpot takes.",
            f"The others are not pushed; staging.{activity.table} has the reason. Correct the source, drop it again.",
            blocking=False,
        ),
        Rule(
            "payloads_plausible",
            activity.name,
            "No payload says what nobody would believe: an end before the start, a call of more than a day, a time before "
            "1970 or more than 24 months ahead, an address that is none.",
            Figure(source, "plausible", most_implausible),
            "{failing} of {checked} payloads say what nobody would believe, by their most frequent flaw.",
            "HubSpot takes them: look at these communications in the source before the push.",
            blocking=False,
        ),
    ]
    rules.append(
        Rule(
            PAYLOADS_ARE_CURRENT,
            activity.name,
            "Every payload was made with the templates and settings that are in force.",
            statement("activities/checks/payload_versions"),
            "{failing} of {checked} payloads were made with other templates or settings than those in force.",
            "`ic-assets load --renew` makes them again.",
            parameters=of_type,
            blocking=False,
            in_force=lambda connection: {"payload_version": version(activity, _settings(connection))},
        )
    )
    if activity.name == "meetings":
        rules.append(
            Rule(
                "end_is_not_before_start",
                activity.name,
                "No meeting ends before it begins.",
                Figure(source, "order", summed()),
                "{good} of {checked} meetings end no earlier than they begin.",
                "Materialize the meetings again.",
                gate=True,
            )
        )
    return rules


def push_rules(activity: ActivityType) -> list[Rule]:
    """What must hold once a type was pushed, in the portal that was pushed to last. None of them stops a type's
    neighbours: what went wrong is in HubSpot already."""
    of_type = {"object_type": activity.name}
    return [
        Rule(
            "success_rate",
            activity.name,
            "HubSpot took more than 98 % of what was pushed.",
            statement("activities/checks/push_success"),
            "{good_share} of {checked} records are in HubSpot (more than 98 % must).",
            "Correct the reasons below, most frequent first, and push again: only those records are sent.",
            parameters=of_type,
            allowed=0.02,
            blocking=False,
        ),
        Rule(
            "hubspot_ids_set",
            activity.name,
            "Every row that counts as pushed carries the id of its HubSpot record.",
            statement("activities/checks/push_ids", table=sql.Identifier(activity.table)),
            "{good} of {checked} pushed rows carry the id of their HubSpot record, the same as the ledger.",
            "Materialize the derivatives of these months again: they take their push columns from the ledger.",
            parameters=of_type,
            blocking=False,
        ),
        Rule(
            "counts_agree",
            activity.name,
            "HubSpot counts as many of our records as the ledger.",
            statement("activities/checks/push_counts"),
            "HubSpot's own count and the ledger's are {failing} apart, of {checked} records.",
            "Search lags behind writes: push again to have them counted anew. What stays apart was deleted or copied "
            "by people, or is not in this ledger.",
            parameters=of_type,
            blocking=False,
        ),
        Rule(
            "refusals_have_reasons",
            activity.name,
            "Every record that HubSpot refused is listed with HubSpot's reason.",
            statement("activities/checks/push_reasons"),
            "{good} of {checked} refused records carry HubSpot's reason.",
            "Push again: the refusal is recorded anew.",
            parameters=of_type,
            blocking=False,
        ),
    ]


@cache
def all_rules() -> list[Rule]:
    """What is judged before a push; what is judged after one is in ``push_rules``."""
    return [
        *landing_rules(),
        *master_rules(),
        *resolution_rules(),
        *(rule for activity in ACTIVITY_TYPES for rule in derivative_rules(activity)),
    ]


def judge(
    connection: psycopg.Connection,
    rules: Sequence[Rule] | None = None,
    want: Callable[[Rule], bool] | None = None,
    *,
    recount: bool = True,
    keeps: bool = True,
) -> list[Verdict]:
    """The verdict on each rule, in the order of the graph. Without ``recount`` months that no stage has written since they
    were counted keep their figures; without ``keeps``, for those who only look, nothing is written or locked."""
    wanted = [rule for rule in rules or all_rules() if want is None or want(rule)]
    sources = {rule.query.source.name: rule.query.source for rule in wanted if isinstance(rule.query, Figure)}
    fresh: dict[str, Fresh] = {}
    if keeps:
        bring_up_to_date(connection, sources.values(), recount=recount)
    else:
        fresh = looked_at(connection, sources.values())
    return [rule.judge(connection, {"recount": recount}, fresh) for rule in wanted]


def gates(connection: psycopg.Connection) -> list[Verdict]:
    """What must hold before anything is pushed."""
    return judge(connection, want=lambda rule: rule.gate)
