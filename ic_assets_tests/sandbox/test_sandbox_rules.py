"""What the local HubSpot refuses, and in which words: the rules of HubSpot's guides, seen on the wire."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ic_assets.sandbox.process import running
from ic_assets_tests.budget import examples

TIME = "2019-03-04T05:06:07.000Z"
CONTACT_OF_A_CALL = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 194}


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A portal with one contact (1), one company (2), one deal (3), and a unique property on calls and notes."""
    database = tmp_path_factory.mktemp("sandbox") / "hubspot.db"
    limits = {"requests_per_10s": 1_000_000, "searches_per_second": 1_000_000, "requests_per_day": 10_000_000}
    with running(database, **limits) as sandbox, _client(sandbox.base_url, sandbox.token) as client:
        _seed(client)
        for slug, group in (("calls", "call_information"), ("notes", "note_information")):
            assert _property(client, slug, "external_id", group, hasUniqueValue=True).status_code == 201
        yield client


def _client(base_url: str, token: str) -> httpx.Client:
    return httpx.Client(base_url=base_url, headers={"Authorization": f"Bearer {token}"})


def _seed(client: httpx.Client) -> None:
    seed = {
        "contacts": [{"id": "1", "properties": {"email": "a@example.com"}}],
        "companies": [{"id": "2", "properties": {"name": "Example"}}],
        "deals": [{"id": "3", "properties": {"dealname": "Deal"}}],
    }
    client.post("/_sandbox/seed", json=seed).raise_for_status()


def _property(client: httpx.Client, slug: str, name: str, group: str, **more: Any) -> httpx.Response:
    body = {"name": name, "label": name, "groupName": group, "type": "string", "fieldType": "text", **more}
    return client.post(f"/crm/v3/properties/{slug}", json=body)


def _create(client: httpx.Client, slug: str, *properties: dict[str, Any], **more: Any) -> httpx.Response:
    inputs = [{"properties": own, **more} for own in properties]
    return client.post(f"/crm/v3/objects/{slug}/batch/create", json={"inputs": inputs})


def _live(client: httpx.Client, slug: str) -> int:
    return int(client.get("/_sandbox/state").json()["objects"][slug]["live"])


@pytest.mark.parametrize(
    ("slug", "properties", "code"),
    [
        ("calls", {"hs_timestamp": TIME, "hs_call_titel": "x"}, "PROPERTY_DOESNT_EXIST"),
        ("calls", {"hs_timestamp": TIME, "hs_call_status": "Done"}, "INVALID_OPTION"),
        ("calls", {"hs_timestamp": TIME, "hs_call_direction": "inbound"}, "INVALID_OPTION"),
        ("calls", {"hs_timestamp": TIME, "hs_call_disposition": "Connected"}, "INVALID_OPTION"),
        ("calls", {"hs_timestamp": TIME, "hs_call_source": "Integration"}, "INVALID_OPTION"),
        ("calls", {"hs_timestamp": TIME, "hs_call_duration": "1,5"}, "INVALID_NUMBER"),
        ("calls", {"hs_timestamp": TIME, "hs_call_duration": 1500}, "INVALID_TYPE"),
        ("calls", {"hs_timestamp": TIME, "hs_call_title": None}, "INVALID_TYPE"),
        ("calls", {"hs_timestamp": TIME, "hs_call_body": "x" * 65_537}, "PROPERTY_VALUE_TOO_LONG"),
        ("calls", {"hs_timestamp": TIME, "hs_call_recording_url": "http://example.com/a"}, "INVALID_URL"),
        ("calls", {"hs_timestamp": TIME, "hs_createdate": TIME}, "READ_ONLY_VALUE"),
        ("calls", {"hs_timestamp": "2019-03-04 05:06:07"}, "INVALID_LONG"),
        ("calls", {"hs_timestamp": "2019-03-04T05:06:07"}, "INVALID_LONG"),
        ("calls", {"hs_timestamp": "2019-02-29T05:06:07Z"}, "INVALID_LONG"),
        ("calls", {"hs_timestamp": ""}, "MISSING_REQUIRED_PROPERTY"),
        ("calls", {}, "MISSING_REQUIRED_PROPERTY"),
        ("emails", {"hs_timestamp": TIME}, "MISSING_REQUIRED_PROPERTY"),
        ("emails", {"hs_timestamp": TIME, "hs_email_direction": "OUTGOING"}, "INVALID_OPTION"),
        ("emails", {"hs_timestamp": TIME, "hs_email_direction": "EMAIL", "hs_email_headers": "{"}, "INVALID_JSON"),
        (
            "emails",
            {"hs_timestamp": TIME, "hs_email_direction": "EMAIL", "hs_email_to_email": "a@example.com"},
            "READ_ONLY_VALUE",
        ),
        ("meetings", {"hs_timestamp": TIME, "hs_meeting_outcome": "CANCELLED"}, "INVALID_OPTION"),
        ("meetings", {"hs_meeting_title": "x"}, "MISSING_REQUIRED_PROPERTY"),
        ("tasks", {"hs_timestamp": TIME, "hs_task_priority": "NONE"}, "INVALID_OPTION"),
        ("tasks", {"hs_timestamp": TIME, "hs_task_reminders": TIME}, "INVALID_LONG"),
        ("communications", {"hs_timestamp": TIME}, "MISSING_REQUIRED_PROPERTY"),
        (
            "communications",
            {
                "hs_timestamp": TIME,
                "hs_communication_channel_type": "SMS",
                "hs_communication_logged_from": "INTEGRATION",
            },
            "INVALID_OPTION",
        ),
        ("contacts", {"email": "no address"}, "INVALID_EMAIL"),
    ],
)
def test_a_value_that_hubspot_would_not_take_refuses_the_request(
    http: httpx.Client, slug: str, properties: dict[str, Any], code: str
) -> None:
    before = _live(http, slug)
    answer = _create(http, slug, properties)
    assert answer.status_code == 400
    body = answer.json()
    assert (body["status"], body["category"]) == ("error", "VALIDATION_ERROR")
    assert body["errors"][0]["code"] == code
    assert uuid.UUID(body["correlationId"])
    assert _live(http, slug) == before


@pytest.mark.parametrize(
    ("slug", "properties"),
    [
        ("calls", {"hs_timestamp": TIME, "hs_call_body": "x" * 65_536}),
        ("calls", {"hs_timestamp": "1551675967000"}),
        ("postal_mail", {"hs_timestamp": "2019-03-04"}),
        ("tasks", {"hs_timestamp": TIME, "hs_task_status": "DEFERRED", "hs_task_reminders": "1551675967000"}),
    ],
)
def test_a_value_at_the_edge_is_taken(http: httpx.Client, slug: str, properties: dict[str, str]) -> None:
    answer = _create(http, slug, properties)
    assert answer.status_code == 201, answer.text
    assert answer.json()["results"][0]["properties"]["hs_timestamp"].startswith("2019-03-04T")


def test_a_meeting_without_a_timestamp_takes_the_one_of_its_start(http: httpx.Client) -> None:
    answer = _create(http, "meetings", {"hs_meeting_start_time": TIME})
    assert answer.json()["results"][0]["properties"]["hs_timestamp"] == "2019-03-04T05:06:07Z"


def test_one_bad_record_without_trace_ids_leaves_nothing_of_the_batch(http: httpx.Client) -> None:
    before = _live(http, "notes")
    answer = _create(http, "notes", {"hs_timestamp": TIME}, {"hs_timestamp": "never"}, {"hs_timestamp": TIME})
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("Property values were not valid: [{")
    assert _live(http, "notes") == before


@pytest.mark.parametrize("traces", [("a", "a"), ("a", None)])
def test_trace_ids_that_are_missing_or_repeated_do_not_give_multi_status(
    http: httpx.Client, traces: tuple[str, str | None]
) -> None:
    inputs = [
        {"properties": {"hs_timestamp": stamp}, **({"objectWriteTraceId": trace} if trace else {})}
        for stamp, trace in zip((TIME, "never"), traces, strict=True)
    ]
    before = _live(http, "notes")
    assert http.post("/crm/v3/objects/notes/batch/create", json={"inputs": inputs}).status_code == 400
    assert _live(http, "notes") == before


def test_the_2026_09_version_reports_errors_without_a_207(http: httpx.Client) -> None:
    inputs = [
        {"properties": {"hs_timestamp": stamp}, "objectWriteTraceId": trace}
        for stamp, trace in ((TIME, "t1"), ("never", "t2"))
    ]
    statuses = {}
    for version, path in (
        ("v3", "/crm/v3/objects/notes"),
        ("2026-03", "/crm/objects/2026-03/notes"),
        ("2026-09", "/crm/objects/2026-09/0-46"),
    ):
        answer = http.post(f"{path}/batch/create", json={"inputs": inputs})
        body = answer.json()
        statuses[version] = answer.status_code
        assert (len(body["results"]), body["numErrors"], len(body["errors"])) == (1, 1, 1)
    assert statuses == {"v3": 207, "2026-03": 207, "2026-09": 201}


@pytest.mark.parametrize("operation", ["create", "read", "update", "upsert", "archive"])
def test_a_batch_holds_at_most_a_hundred(http: httpx.Client, operation: str) -> None:
    item = {"id": "1", "properties": {}} if operation in ("update", "upsert") else {"id": "1"}
    item = {"properties": {"hs_timestamp": TIME}} if operation == "create" else item
    answer = http.post(f"/crm/v3/objects/notes/batch/{operation}", json={"inputs": [item] * 101})
    assert answer.status_code == 400
    assert "101" in answer.json()["message"]


def test_the_same_id_twice_in_an_update_is_refused_even_with_trace_ids(http: httpx.Client) -> None:
    (made,) = _create(http, "notes", {"hs_timestamp": TIME}).json()["results"]
    inputs = [{"id": made["id"], "properties": {}, "objectWriteTraceId": str(n)} for n in range(2)]
    answer = http.post("/crm/v3/objects/notes/batch/update", json={"inputs": inputs})
    assert answer.status_code == 400
    assert answer.json()["message"] == f"Duplicate IDs found in batch input: [{made['id']}]. IDs must be unique"
    assert answer.json()["context"] == {"ids": [made["id"]]}


@pytest.mark.parametrize(
    ("target", "spec", "context"),
    [
        ("999", CONTACT_OF_A_CALL, {"INVALID_OBJECT_IDS": ["CONTACT=999 is not valid"]}),
        ("x", CONTACT_OF_A_CALL, {"INVALID_OBJECT_IDS": ["CONTACT=x is not valid"]}),
        # 2 is a company: the type id, not the id alone, says which record is meant.
        ("2", CONTACT_OF_A_CALL, {"INVALID_OBJECT_IDS": ["CONTACT=2 is not valid"]}),
        (
            "1",
            {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 193},
            {"INVALID_ASSOCIATION_TYPE_ID": ["HUBSPOT_DEFINED=193 is not a valid association definition id"]},
        ),
        (
            "1",
            {"associationCategory": "USER_DEFINED", "associationTypeId": 194},
            {"INVALID_ASSOCIATION_TYPE_ID": ["USER_DEFINED=194 is not a valid association definition id"]},
        ),
    ],
)
def test_an_association_needs_the_right_direction_category_and_a_live_target(
    http: httpx.Client, target: str, spec: dict[str, Any], context: dict[str, list[str]]
) -> None:
    before = _live(http, "calls")
    answer = _create(http, "calls", {"hs_timestamp": TIME}, associations=[{"to": {"id": target}, "types": [spec]}])
    assert answer.status_code == 400
    assert answer.json()["message"] == "One or more associations are invalid"
    assert answer.json()["context"].items() >= context.items()
    assert _live(http, "calls") == before


def test_an_archived_contact_can_be_associated_with_nothing(http: httpx.Client) -> None:
    made = http.post("/crm/v3/objects/contacts", json={"properties": {"firstname": "Gone"}}).json()
    assert http.delete(f"/crm/v3/objects/contacts/{made['id']}").status_code == 204
    association = {"to": {"id": made["id"]}, "types": [CONTACT_OF_A_CALL]}
    assert _create(http, "calls", {"hs_timestamp": TIME}, associations=[association]).status_code == 400
    put = http.put(f"/crm/v4/objects/companies/2/associations/default/contacts/{made['id']}")
    assert put.status_code == 400


def test_upsert_takes_no_associations(http: httpx.Client) -> None:
    item = {"id": "x", "idProperty": "external_id", "properties": {"hs_timestamp": TIME}, "associations": []}
    answer = http.post("/crm/v3/objects/calls/batch/upsert", json={"inputs": [item]})
    assert answer.status_code == 400
    assert "associations" in answer.json()["message"]


@pytest.mark.parametrize("name", ["hs_object_id", "hs_call_title", "no_such_property"])
def test_an_id_property_must_be_unique(http: httpx.Client, name: str) -> None:
    body = {"inputs": [{"id": "1"}], "idProperty": name, "properties": [], "propertiesWithHistory": []}
    answer = http.post("/crm/v3/objects/calls/batch/read", json=body)
    assert answer.status_code == 400
    assert f"non-unique 0-48 property {name}" in answer.json()["message"]


def test_two_records_of_one_batch_cannot_share_a_unique_value(http: httpx.Client) -> None:
    value = uuid.uuid4().hex
    twice = {"hs_timestamp": TIME, "external_id": value}
    assert _create(http, "calls", twice, twice).status_code == 400
    inputs = [{"properties": twice, "objectWriteTraceId": str(n)} for n in range(2)]
    answer = http.post("/crm/v3/objects/calls/batch/create", json={"inputs": inputs})
    assert answer.status_code == 207
    assert (len(answer.json()["results"]), answer.json()["numErrors"]) == (1, 1)


def test_changing_a_unique_value_frees_the_old_one(http: httpx.Client) -> None:
    old, new = uuid.uuid4().hex, uuid.uuid4().hex
    (made,) = _create(http, "notes", {"hs_timestamp": TIME, "external_id": old}).json()["results"]
    changed = http.patch(f"/crm/v3/objects/notes/{made['id']}", json={"properties": {"external_id": new}})
    assert changed.status_code == 200
    assert _create(http, "notes", {"hs_timestamp": TIME, "external_id": new}).status_code == 400
    assert _create(http, "notes", {"hs_timestamp": TIME, "external_id": old}).status_code == 201


def test_an_update_cannot_take_a_value_that_another_record_holds(http: httpx.Client) -> None:
    keys = [uuid.uuid4().hex for _ in range(2)]
    made = _create(http, "notes", *({"hs_timestamp": TIME, "external_id": key} for key in keys)).json()["results"]
    inputs = [
        {"id": made[0]["id"], "properties": {"external_id": keys[1]}, "objectWriteTraceId": "taken"},
        {"id": made[1]["id"], "properties": {"hs_note_body": "changed"}, "objectWriteTraceId": "fine"},
        {"id": "999", "properties": {}, "objectWriteTraceId": "missing"},
    ]
    answer = http.post("/crm/v3/objects/notes/batch/update", json={"inputs": inputs})
    assert answer.status_code == 207
    assert [r["objectWriteTraceId"] for r in answer.json()["results"]] == ["fine"]
    errors = {e["context"]["objectWriteTraceId"][0]: e for e in answer.json()["errors"]}
    assert f"on {made[0]['id']}. {made[1]['id']} already has that value." in errors["taken"]["message"]
    assert errors["missing"]["category"] == "OBJECT_NOT_FOUND"
    assert errors["missing"]["context"]["ids"] == ["999"]


def test_a_list_shows_archived_records_only_when_asked_and_associations_when_named(http: httpx.Client) -> None:
    association = {"to": {"id": "1"}, "types": [CONTACT_OF_A_CALL]}
    kept, gone = (
        _create(http, "calls", {"hs_timestamp": TIME}, associations=[association]).json()["results"][0]["id"]
        for _ in range(2)
    )
    http.delete(f"/crm/v3/objects/calls/{gone}").raise_for_status()
    lists = {
        archived: {
            r["id"]: r
            for r in http.get(
                "/crm/v3/objects/calls",
                params={"limit": 100, "archived": archived, "associations": "contacts,deals"},
            ).json()["results"]
        }
        for archived in ("false", "true")
    }
    assert lists["false"][kept]["associations"] == {"contacts": {"results": [{"id": "1", "type": "call_to_contact"}]}}
    assert gone not in lists["false"]
    assert lists["true"].keys() >= {gone}
    assert kept not in lists["true"]


def test_a_contact_with_a_known_address_is_a_conflict(http: httpx.Client) -> None:
    answer = http.post("/crm/v3/objects/contacts", json={"properties": {"email": "A@example.com"}})
    assert answer.status_code == 409
    assert answer.json()["message"] == "Contact already exists. Existing ID: 1"


def test_a_property_name_that_is_taken_conflicts_and_an_archived_one_comes_back(http: httpx.Client) -> None:
    first = _property(http, "tasks", "legacy_id", "task_information", hasUniqueValue=True)
    assert first.status_code == 201
    taken = _property(http, "tasks", "legacy_id", "task_information")
    assert taken.status_code == 409
    assert (taken.json()["category"], taken.json()["subCategory"]) == (
        "OBJECT_ALREADY_EXISTS",
        "Properties.PROPERTY_WITH_NAME_EXISTS",
    )
    assert http.delete("/crm/v3/properties/tasks/legacy_id").status_code == 204
    assert http.get("/crm/v3/properties/tasks/legacy_id").status_code == 404
    refused = _create(http, "tasks", {"hs_timestamp": TIME, "legacy_id": "1"})
    assert refused.json()["errors"][0]["code"] == "PROPERTY_DOESNT_EXIST"
    restored = _property(http, "tasks", "legacy_id", "task_information")
    assert (restored.status_code, restored.json()["hasUniqueValue"]) == (201, True)


def test_a_batch_of_properties_is_created_as_a_whole_or_not_at_all(http: httpx.Client) -> None:
    def definition(name: str) -> dict[str, str]:
        return {"name": name, "label": name, "groupName": "note_information", "type": "string", "fieldType": "text"}

    path = "/crm/v3/properties/notes/batch/create"
    taken = http.post(path, json={"inputs": [definition("batch_one"), definition("external_id")]})
    assert taken.status_code == 409
    assert http.get("/crm/v3/properties/notes/batch_one").status_code == 404
    made = http.post(path, json={"inputs": [definition("batch_one"), definition("batch_two")]})
    assert made.status_code == 201
    assert http.get("/crm/v3/properties/notes/batch_two").status_code == 200


@pytest.mark.parametrize(
    "more",
    [
        {"name": "Upper"},
        {"name": "hs_mine"},
        {"groupName": "no_such_group"},
        {"type": "string", "fieldType": "number"},
        {"type": "enumeration", "fieldType": "select"},
        {"type": "enumeration", "fieldType": "select", "options": [{"label": "A"}]},
        {"type": "bool", "fieldType": "booleancheckbox", "hasUniqueValue": True},
        {"hasUniqueVal": True},
    ],
)
def test_a_property_definition_that_makes_no_sense_is_refused(http: httpx.Client, more: dict[str, Any]) -> None:
    body = {"name": "fine", "label": "x", "groupName": "task_information", "type": "string", "fieldType": "text"}
    assert http.post("/crm/v3/properties/tasks", json={**body, **more}).status_code == 400


def test_an_object_type_has_at_most_ten_unique_properties(http: httpx.Client) -> None:
    codes = [
        _property(http, "deals", f"key_{n}", "dealinformation", hasUniqueValue=True).status_code for n in range(11)
    ]
    assert codes == [201] * 10 + [400]


@pytest.mark.parametrize(
    ("prefix", "created", "archived"),
    [
        ("/crm/v4/associations", 201, 204),
        ("/crm/associations/2026-03", 201, 200),
        ("/crm/associations/2026-09", 200, 200),
    ],
)
def test_the_versions_of_the_association_api_differ_in_their_statuses(
    http: httpx.Client, prefix: str, created: int, archived: int
) -> None:
    (made,) = _create(http, "calls", {"hs_timestamp": TIME}).json()["results"]
    link = {"from": {"id": made["id"]}, "to": {"id": "1"}, "types": [CONTACT_OF_A_CALL]}
    assert http.post(f"{prefix}/calls/contacts/batch/create", json={"inputs": [link]}).status_code == created
    gone = {"from": {"id": made["id"]}, "to": [{"id": "1"}]}
    assert http.post(f"{prefix}/calls/contacts/batch/archive", json={"inputs": [gone]}).status_code == archived
    read = http.post(f"{prefix}/calls/contacts/batch/read", json={"inputs": [{"id": made["id"]}]})
    assert read.json()["errors"][0]["subCategory"] == "crm.associations.NO_ASSOCIATIONS_FOUND"


def test_the_dated_paths_serve_the_same_records(http: httpx.Client) -> None:
    (made,) = _create(http, "calls", {"hs_timestamp": TIME, "hs_call_title": "Dated"}).json()["results"]
    for version in ("2026-03", "2026-09"):
        read = http.get(f"/crm/objects/{version}/calls/{made['id']}?properties=hs_call_title").json()
        assert read["properties"]["hs_call_title"] == "Dated"
        path = f"/crm/objects/{version}/calls/{made['id']}/associations/default/contacts/1"
        assert http.put(path).status_code == 200
        assert http.get(f"/crm/properties/{version}/calls/hs_call_title").status_code == 200
        assert http.get(f"/account-info/{version}/details").status_code == 200


def test_an_unknown_object_type_path_or_malformed_body_is_an_error_in_json(http: httpx.Client) -> None:
    assert "Unable to infer object type" in http.get("/crm/v3/objects/phonecalls").json()["message"]
    assert http.get("/crm/v9/anything").json()["status"] == "error"
    broken = http.post("/crm/v3/objects/calls/batch/create", content=b'{"inputs": [')
    assert (broken.status_code, broken.json()["category"]) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    ("method", "name"), [("GET", "state"), ("GET", "requests"), ("POST", "chaos"), ("POST", "reset"), ("POST", "seed")]
)
@pytest.mark.parametrize("token", [None, "Bearer guess", "Bearer", ""])
def test_the_controls_ask_for_the_token(http: httpx.Client, method: str, name: str, token: str | None) -> None:
    before = http.get("/_sandbox/state").json()
    headers = {} if token is None else {"Authorization": token}
    response = httpx.request(method, str(http.base_url.join(f"/_sandbox/{name}")), headers=headers, trust_env=False)
    assert response.status_code == 401
    assert http.get("/_sandbox/state").json() == before


@pytest.mark.parametrize(
    "headers", [{"Host": "evil.test"}, {"Origin": "http://evil.test"}, {"Host": "[::1"}, {"Host": ""}]
)
def test_a_web_page_elsewhere_cannot_use_the_controls(http: httpx.Client, headers: dict[str, str]) -> None:
    assert http.post("/_sandbox/reset", headers=headers).status_code == 403
    assert _live(http, "contacts") > 0


def test_a_portal_may_refuse_unique_properties_on_activities_and_spell_canceled_with_two_l(tmp_path: Path) -> None:
    options = {"unique_on_activities": "refused", "meeting_canceled": "CANCELLED"}
    with running(tmp_path / "hubspot.db", **options) as sandbox, _client(sandbox.base_url, sandbox.token) as client:
        refused = _property(client, "calls", "external_id", "call_information", hasUniqueValue=True)
        assert refused.status_code == 400
        assert _property(client, "calls", "external_id", "call_information").status_code == 201
        assert _property(client, "contacts", "external_id", "contactinformation", hasUniqueValue=True).is_success
        for spelling, status in (("CANCELLED", 201), ("CANCELED", 400)):
            properties = {"hs_timestamp": TIME, "hs_meeting_outcome": spelling}
            assert _create(client, "meetings", properties).status_code == status


@pytest.mark.parametrize(("frees", "status"), [(True, 201), (False, 400)])
def test_whether_an_archived_record_frees_its_unique_value_is_a_mode(tmp_path: Path, frees: bool, status: int) -> None:
    with (
        running(tmp_path / "hubspot.db", archive_frees_unique=frees) as sandbox,
        _client(sandbox.base_url, sandbox.token) as client,
    ):
        _property(client, "calls", "external_id", "call_information", hasUniqueValue=True)
        properties = {"hs_timestamp": TIME, "external_id": "7"}
        (made,) = _create(client, "calls", properties).json()["results"]
        inputs = {"inputs": [{"id": made["id"]}]}
        assert client.post("/crm/v3/objects/calls/batch/archive", json=inputs).status_code == 204
        read = {"inputs": [{"id": "7"}], "idProperty": "external_id", "properties": [], "propertiesWithHistory": []}
        assert client.post("/crm/v3/objects/calls/batch/read", json=read).json()["results"] == []
        assert _create(client, "calls", properties).status_code == status
        upsert = {"id": "7", "idProperty": "external_id", "properties": {"hs_call_title": "x", "hs_timestamp": TIME}}
        answer = client.post("/crm/v3/objects/calls/batch/upsert", json={"inputs": [upsert]})
        assert answer.status_code == (200 if frees else 400)


_FIELDS = (
    *("inputs", "id", "properties", "associations", "to", "types", "idProperty", "objectWriteTraceId", "from"),
    *("associationCategory", "associationTypeId", "filterGroups", "filters", "propertyName", "operator", "value"),
    *("values", "sorts", "hs_timestamp", "limit", "after", "name", "options"),
)
_SHAPES = {
    "objects/calls/search": {
        "filterGroups": [{"filters": [{"propertyName": "hs_call_title", "operator": "IN", "values": ["x"]}]}],
        "sorts": [{"propertyName": "hs_timestamp", "direction": "DESCENDING"}],
        "properties": ["hs_call_title"],
        "limit": 5,
        "after": "0",
    },
    "objects/calls/batch/create": {
        "inputs": [
            {
                "properties": {"hs_timestamp": TIME},
                "associations": [{"to": {"id": "1"}, "types": [CONTACT_OF_A_CALL]}],
                "objectWriteTraceId": "t",
            }
        ]
    },
    "objects/calls/batch/upsert": {
        "inputs": [{"id": "1", "idProperty": "external_id", "properties": {"hs_timestamp": TIME}}]
    },
    "objects/calls/batch/read": {"inputs": [{"id": "1"}], "properties": [], "propertiesWithHistory": []},
    "properties/calls": {
        "name": "fuzz",
        "label": "x",
        "groupName": "call_information",
        "type": "enumeration",
        "fieldType": "select",
        "options": [{"label": "a", "value": "a"}],
    },
}
"""A body that is right, by path: the test below breaks one part of it."""
_PATHS = (
    *(f"objects/calls/batch/{operation}" for operation in ("create", "read", "update", "upsert", "archive")),
    *("objects/notes", "objects/calls/search", "properties/calls", "properties/calls/batch/create"),
    "properties/calls/groups",
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_FIELDS), inner, max_size=4),
    max_leaves=12,
)
_ITEM = st.dictionaries(st.sampled_from(["id", "properties", "associations"]), _JSON)


@settings(max_examples=examples(50), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(_PATHS),
    body=_JSON | st.fixed_dictionaries({"inputs": st.lists(_ITEM, min_size=1, max_size=3)}),
)
def test_no_body_whatever_makes_the_server_fail(http: httpx.Client, path: str, body: Any) -> None:
    answer = http.post(f"/crm/v3/{path}", content=json.dumps(body))
    assert answer.status_code < 500, (path, body, answer.text)


def _parts(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _parts(inner, (*path, key))


@pytest.mark.parametrize("path", _SHAPES)
def test_a_body_with_one_part_of_the_wrong_kind_is_refused_and_never_crashes(http: httpx.Client, path: str) -> None:
    assert http.post(f"/crm/v3/{path}", json=_SHAPES[path]).status_code < 300
    for part in [p for p in _parts(_SHAPES[path]) if p]:
        for wrong in (None, True, 7, "\x00é", [], {}, [None], {"x": 1}, [[]]):
            broken = json.loads(json.dumps(_SHAPES[path]))
            owner = broken
            for key in part[:-1]:
                owner = owner[key]
            owner[part[-1]] = wrong
            answer = http.post(f"/crm/v3/{path}", json=broken)
            assert answer.status_code < 500, (part, wrong, answer.text)
