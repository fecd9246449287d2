"""What Dagster shows of the receiver: the inbox that it fills, and in red where anybody may post into it."""

from __future__ import annotations

from typing import Any

import dagster as dg

from ic_assets.core.failures import Refused
from ic_assets.core.receiving import Receiving

INBOX = dg.AssetKey(["inbox", "event"])
_CHECK = "senders_prove_a_secret"
_EVERY_SECONDS = 60

_EVENTS = dg.AssetSpec(
    INBOX,
    group_name="inbox",
    kinds={"postgres"},
    owners=["team:revenue-operations"],
    description="What came in from outside, one row an event, as it came: webhooks by `ic-assets receive`, files, pulls."
    " Each flow takes its own.",
)


def _found() -> tuple[bool, dict[str, Any]]:
    try:
        unverified = sorted(Receiving.from_env().unverified)
    except Refused as refused:
        return False, {"why": dg.MetadataValue.text(str(refused))}
    if not unverified:
        return True, {"unverified": dg.MetadataValue.text("none")}
    return False, {
        "unverified": dg.MetadataValue.text(", ".join(unverified)),
        "why": dg.MetadataValue.text(f"ANYBODY may post as {', '.join(unverified)}"),
        "what_to_do": dg.MetadataValue.text("take the source out of IC_RECEIVE_UNVERIFIED and set its secret"),
    }


@dg.asset_check(
    asset=INBOX,
    name=_CHECK,
    description="Every sender has to prove a secret: no source stands in IC_RECEIVE_UNVERIFIED.",
)
def senders_prove_a_secret() -> dg.AssetCheckResult:
    passed, metadata = _found()
    return dg.AssetCheckResult(passed=passed, metadata=metadata, severity=dg.AssetCheckSeverity.ERROR)


@dg.sensor(
    name="who_may_post",
    minimum_interval_seconds=_EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Says at the inbox, without a run, when a source need not prove who it is, and when it has to again.",
)
def who_may_post(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    passed, metadata = _found()
    now = "" if passed else str(metadata["why"].value)
    if now == (context.cursor or ""):
        return dg.SkipReason(now or "Every sender has to prove a secret.")
    evaluation = dg.AssetCheckEvaluation(
        asset_key=INBOX, check_name=_CHECK, passed=passed, metadata=metadata, severity=dg.AssetCheckSeverity.ERROR
    )
    return dg.SensorResult(asset_events=[evaluation], cursor=now)


def build() -> dg.Definitions:
    return dg.Definitions(assets=[_EVENTS], asset_checks=[senders_prove_a_secret], sensors=[who_may_post])
