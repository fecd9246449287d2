"""Which associations of a payload HubSpot names as missing, and what the ledger keeps without them."""

from __future__ import annotations

from typing import Any

import pytest

from ic_assets.activities.facts.outgoing import OUTGOING
from ic_assets.core.failures import Refused
from ic_assets.core.settings import Settings
from ic_assets.hubspot.sending.records import Link, content, named_links, pushed_links, without


def link_to(identifier: str, type_id: int) -> dict[str, Any]:
    kind = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id}
    return {"to": {"id": identifier}, "types": [kind]}


CALLS = OUTGOING.of("calls")
# A call of one contact, one company and one deal; the contact and the deal have the same number.
PAYLOAD = {
    "properties": {"hs_call_title": "T"},
    "associations": [link_to("12", 194), link_to("34", 182), link_to("12", 206)],
}
CONTACT, COMPANY, DEAL = Link("contacts", "12", 194), Link("companies", "34", 182), Link("deals", "12", 206)


@pytest.mark.parametrize(
    ("missing", "found"),
    [
        (["CONTACT=12 is not valid"], {CONTACT}),
        (["DEAL=12"], {DEAL}),
        (["COMPANY=34 is not valid", "DEAL=12 is not valid"], {COMPANY, DEAL}),
        (["34"], {COMPANY}),
        (["CONTACT=1", "CONTACT=123", "TICKET=12", "nonsense"], set()),
        ([], set()),
    ],
)
def test_a_missing_record_is_found_by_kind_and_whole_number(missing: list[str], found: set[Link]) -> None:
    assert named_links(CALLS, PAYLOAD, missing) == found


def test_what_is_left_out_is_not_sent_and_not_counted_as_standing() -> None:
    assert without(PAYLOAD, {CONTACT}) == PAYLOAD["associations"][1:]  # type: ignore[index]
    kept = content(CALLS, PAYLOAD, {CONTACT})
    assert pushed_links(kept) == {COMPANY, DEAL}
    assert kept["dropped"] == [["contacts", "12", 194]]
    assert "dropped" not in content(CALLS, PAYLOAD)


def test_a_missing_association_fails_unless_it_is_said_to_be_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings.from_env().hubspot_missing_association == "fail"
    monkeypatch.setenv("IC_HUBSPOT_MISSING_ASSOCIATION", "drop")
    assert Settings.from_env().hubspot_missing_association == "drop"
    monkeypatch.setenv("IC_HUBSPOT_MISSING_ASSOCIATION", "ignore")
    with pytest.raises(Refused, match="IC_HUBSPOT_MISSING_ASSOCIATION='ignore' is not one of fail, drop"):
        Settings.from_env()
