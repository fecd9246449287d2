"""Alerts: two sensors of the daemon post what failed as JSON to the webhook of ``IC_ALERT_WEBHOOK_URL``. They see every
run on record, those of the command line too; an alert that cannot be delivered fails the sensor's tick and no run."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import httpx
from dagster import AssetCheckEvaluation, DagsterEventType
from tenacity import Retrying, retry_if_result, stop_after_attempt, stop_after_delay, wait_exponential

from ic_assets.core.failures import DropRefused, Unavailable
from ic_assets.core.logs import MARK
from ic_assets.core.masking import mask_addresses, mask_json
from ic_assets.core.settings import Alerts, https_proxy
from ic_assets.operations import run_errors
from ic_assets.operations.sensors import ATTEMPT_TAG
from ic_assets.resources import http

# A tick may have five runs to tell of, and Dagster ends it after 60 s.
_TIMEOUT_SECONDS = 3.0
_GIVE_UP_SECONDS = 6.0
# Of a check's history: what came before this run is near the top, but runs may have followed it.
_HISTORY = 50

# The last lines of the run's log that go along, and among how many events they are looked for.
_LOG_LINES, _LOG_LENGTH, _LOG_EVENTS = 5, 300, 500

_AGAIN = {
    "inspect_drop": "Mend what the message names, then drop the file again.",
    "land_drop": "Mend what the message names, then drop the file again.",
    "bring_months_up_to_date": "Mend the cause; `ic-assets load` then goes on where this stopped.",
    "push_to_hubspot": "Mend the cause, then push again with the same command: nothing is sent twice.",
    "load_event_files": "Mend what the message names, then put the file back.",
    "refresh_reports": "Mend the cause, then `ic-assets report`.",
}


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.FAILURE,
    # Runs of the command line name no code location.
    monitor_all_code_locations=True,
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Posts failed runs to IC_ALERT_WEBHOOK_URL: failed checks with figures and next steps, or the error. A gate "
    "that stays red at the same figure is posted once.",
)
def failed_runs(context: dg.RunStatusSensorContext) -> dg.SkipReason | None:
    failed = _failed(context)
    news = [evaluation for evaluation in failed if _is_news(context, evaluation)]
    red = [evaluation for evaluation in failed if evaluation.blocking]
    if red and not any(evaluation.blocking for evaluation in news):
        return None  # the command line and the sensor after it may run into the same gate
    number, most = _number(context.dagster_run)
    if 1 < number < most and not red:
        return None  # told at the first attempt, and at the last
    return _tell(context, "run_failed", [*red, *(evaluation for evaluation in news if not evaluation.blocking)])


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    monitor_all_code_locations=True,
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Posts a check that only warns to IC_ALERT_WEBHOOK_URL when it fails and had not failed the time before.",
)
def new_warnings(context: dg.RunStatusSensorContext) -> dg.SkipReason | None:
    news = [e for e in _failed(context) if not e.blocking and _is_news(context, e)]
    return _tell(context, "checks_failed", news) if news else None


SENSORS = [failed_runs, new_warnings]


def _tell(
    context: dg.RunStatusSensorContext, event: str, checks: Sequence[AssetCheckEvaluation]
) -> dg.SkipReason | None:
    settings = Alerts.from_env()
    if settings.webhook_url is None:
        return dg.SkipReason("IC_ALERT_WEBHOOK_URL is not set: nobody is told.")
    post(settings.webhook_url, alert(context, event, checks, settings.ui_url))
    return None


def alert(
    context: dg.RunStatusSensorContext, event: str, checks: Sequence[AssetCheckEvaluation], ui_url: str | None
) -> dict[str, Any]:
    """What is posted about a run: ``text`` for people (in Slack's notation), and the same as fields.

    ``event`` is ``run_failed`` or ``checks_failed``. Holds no personal data: figures of checks but not their samples, and
    of an exception its name alone, unless this project worded it for people."""
    run = context.dagster_run
    findings = [_finding(evaluation) for evaluation in checks]
    stopped_by_check = any(evaluation.blocking for evaluation in checks)
    error = (
        None
        if event == "checks_failed" or stopped_by_check
        else mask_addresses(run_errors.reason(context.instance, run.run_id))
    )
    what = _what(run)
    fields = {
        "event": event,
        "job": run.job_name,
        "run_id": run.run_id,
        "run_url": f"{ui_url}/runs/{run.run_id}" if ui_url else None,
        "months": _months(run.tags),
        "drop": run.tags.get("dagster/partition") if run.job_name == "land_drop" else None,
        "error": error,
        "checks": findings,
        "log": _last_lines(context),
        "next_step": findings[0]["next_step"] if findings else _next_step(context, run),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return {"text": html.escape("\n".join(_lines(what, event, fields)), quote=False), **fields}


def _next_step(context: dg.RunStatusSensorContext, run: dg.DagsterRun) -> str:
    """What a person has to do, which is nothing while a sensor tries again by itself."""
    again = _AGAIN.get(run.job_name, "Mend the cause and run it again.")
    number, most = _number(run)
    is_final = any(error.cls_name == DropRefused.__name__ for error in run_errors.causes(context.instance, run.run_id))
    if not most or is_final:
        return again
    if number < most:
        return f"It is tried again by itself, up to {most} times; `ic-assets status` says how it stands."
    return f"Given up after {most} attempts. {again}"


def _number(run: dg.DagsterRun) -> tuple[int, int]:
    """The number of a sensor's attempt and of how many; zeros for a run that a person started."""
    number, _, most = run.tags.get(ATTEMPT_TAG, "").partition(" of ")
    return (int(number), int(most)) if number.isdigit() and most.isdigit() else (0, 0)


def _lines(what: str, event: str, fields: dict[str, Any]) -> Iterator[str]:
    yield f"*ic_assets: {what} failed*" if event == "run_failed" else f"*ic_assets: {what} found something to look at*"
    if fields["error"]:
        yield fields["error"]
    for finding in fields["checks"]:
        yield f"• {finding['asset']}, {finding['check'].replace('_', ' ')}: {finding['figure']}"
        if finding["next_step"]:
            yield f"   {finding['next_step']}"
    if not fields["checks"]:
        yield fields["next_step"]
    for line in fields["log"]:
        yield f"   `{line}`"
    yield fields["run_url"] or f"run {fields['run_id']}"


def _what(run: dg.DagsterRun) -> str:
    months = _months(run.tags)
    # The button "Materialize" starts a job without a name of its own.
    name = "materialization" if run.job_name.startswith("__") else run.job_name
    if run.job_name == "land_drop":
        return f"{name} of {run.tags.get('dagster/partition', 'a drop')}"
    if "file" in run.tags:
        return f"{name} of {run.tags['file']}"
    return f"{name} of {months}" if months else name


def _months(tags: Any) -> str | None:
    """The months of a run, ``2019-03`` or ``2019-03 to 2019-08``."""
    first = tags.get("dagster/asset_partition_range_start") or tags.get("dagster/partition")
    last = tags.get("dagster/asset_partition_range_end") or first
    if first is None or "@" in first:
        return None
    return first[:7] if first[:7] == last[:7] else f"{first[:7]} to {last[:7]}"


def _failed(context: dg.RunStatusSensorContext) -> list[AssetCheckEvaluation]:
    records = context.instance.get_records_for_run(
        context.dagster_run.run_id, of_type=DagsterEventType.ASSET_CHECK_EVALUATION
    ).records
    evaluations = [
        record.event_log_entry.dagster_event.asset_check_evaluation_data
        for record in records
        if record.event_log_entry.dagster_event
    ]
    return [evaluation for evaluation in evaluations if not evaluation.passed]


def _is_news(context: dg.RunStatusSensorContext, evaluation: AssetCheckEvaluation) -> bool:
    """Whether the check passed, was never judged, or blocked with another figure before this run."""
    history = context.instance.event_log_storage.get_asset_check_execution_history(
        evaluation.asset_check_key, limit=_HISTORY
    )
    ours = [record.id for record in history if record.run_id == context.dagster_run.run_id]
    earlier = [record for record in history if record.id < min(ours, default=0) and record.status.value != "PLANNED"]
    if not earlier or earlier[0].status.value != "FAILED":
        return True
    event = earlier[0].event and earlier[0].event.dagster_event
    before = event.asset_check_evaluation_data.description if event else None
    return bool(evaluation.blocking) and evaluation.description != before


def _finding(evaluation: AssetCheckEvaluation) -> dict[str, Any]:
    metadata = {name: value.value for name, value in evaluation.metadata.items()}
    next_step = metadata.get("what_to_do")
    return {
        "asset": evaluation.asset_key.to_user_string(),
        "check": evaluation.check_name,
        "blocking": evaluation.blocking,
        "figure": mask_addresses((evaluation.description or "").removesuffix(str(next_step)).strip()),
        "failing": metadata.get("failing"),
        "checked": metadata.get("checked"),
        "next_step": next_step,
    }


def _last_lines(context: dg.RunStatusSensorContext) -> list[str]:
    """The last lines that the work wrote to the run's log (``core/logs``), oldest first. They hold no content of rows."""
    newest = context.instance.get_records_for_run(
        context.dagster_run.run_id, limit=_LOG_EVENTS, ascending=False
    ).records
    words = (record.event_log_entry.user_message for record in newest if not record.event_log_entry.dagster_event)
    lines = [mask_addresses(" ".join(line.split()))[:_LOG_LENGTH] for line in words if line.startswith(MARK)]
    return lines[:_LOG_LINES][::-1]


def post(url: str, body: dict[str, Any]) -> None:
    """Posts JSON; where the webhook certainly has not got it (no connection, 429, 5xx) again, for a few seconds. Raises
    ``Unavailable`` without the address, which is a secret."""
    bounds = http.Bounds(seconds=_TIMEOUT_SECONDS, connect_seconds=_TIMEOUT_SECONDS)
    with http.client(proxy=https_proxy(), bounds=bounds) as client:
        failure = Retrying(
            stop=stop_after_attempt(3) | stop_after_delay(_GIVE_UP_SECONDS),
            wait=wait_exponential(multiplier=0.5, max=2),
            retry=retry_if_result(lambda found: found in (_UNREACHED, "429") or str(found).startswith("5")),
            retry_error_callback=lambda state: state.outcome and state.outcome.result(),
        )(_attempt, client, url, mask_json(body))
    if failure:
        raise Unavailable(f"the webhook of IC_ALERT_WEBHOOK_URL did not take the alert: {failure}")


_UNREACHED = "no connection"


def _attempt(client: httpx.Client, url: str, body: dict[str, Any]) -> str | None:
    """None when it was taken, else why not in a word. No exception leaves here: its text may hold the address."""
    try:
        response = client.post(url, json=body)
    except (httpx.ConnectError, httpx.ConnectTimeout):
        return _UNREACHED
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"no answer ({type(error).__name__})"
    return None if response.is_success else str(response.status_code)
