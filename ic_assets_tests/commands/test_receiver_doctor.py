"""What ``ic-assets doctor`` says of the receiver."""

from __future__ import annotations

import psycopg
import pytest

from ic_assets.commands.doctor import receiver
from ic_assets.core.failures import Refused
from ic_assets.core.settings import Settings
from ic_assets.resources.services import Services
from ic_assets_tests.receiver_cases import SECRETS


def test_who_may_post_is_told_and_who_need_not_prove_anything_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(receiver.endpoints()) == [("ok", "no secret is set: no endpoint takes events")]
    monkeypatch.setenv("IC_HUBSPOT_CLIENT_SECRET", SECRETS["IC_HUBSPOT_CLIENT_SECRET"])
    monkeypatch.setenv("IC_RECEIVE_UNVERIFIED", "chargebee")
    found = list(receiver.endpoints())
    assert [state for state, _ in found] == ["WRONG", "ok", "ok", "note"]
    assert found[0][1].startswith("ANYBODY may post as chargebee: ")
    assert "/Hubspot/Webhooks/General" in found[1][1]
    assert "/bi/api/PaymentEvents" not in found[2][1]
    assert "IC_PUBLIC_URL is not set" in found[3][1]
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("IC_RECEIVE_UNVERIFIED")
    assert [state for state, _ in receiver.endpoints()] == ["ok"]
    monkeypatch.setenv("IC_RECEIVE_HOST", "0.0.0.0")
    monkeypatch.delenv("IC_JIRA_WEBHOOK_SECRET")
    with pytest.raises(Refused, match="IC_JIRA_WEBHOOK_SECRET"):
        list(receiver.endpoints())


def test_what_was_refused_lately_is_told_by_source_and_reason(database: str) -> None:
    up = Services(database, database, None, None, False)
    settings = Settings.from_env()
    assert list(receiver.refusals(up, settings)) == [("ok", "no request was refused in the last hour")]
    with psycopg.connect(database) as connection:
        connection.execute(
            "INSERT INTO inbox.refused_request VALUES ('hubspot', now(), 401, 'wrong_signature', 3),"
            " ('hubspot', now() - INTERVAL '1 minute', 401, 'wrong_signature', 4),"
            " ('hubspot', now(), 200, 'wrong_endpoint', 9),"
            " ('site', now() - INTERVAL '2 hours', 400, 'old', 8), ('none', now(), 404, 'no such endpoint', 1)"
        )
    assert list(receiver.refusals(up, settings)) == [
        (
            "note",
            "refused in the last hour: hubspot: 7 times 401 wrong_signature; none: 1 time 404 no such endpoint",
        )
    ]
