"""HubSpot's official Python client works against the local HubSpot, and its models read the answers.

The client's models come from HubSpot's own API description, so they are a judge that this project did not write.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import hubspot
import pytest
from hubspot.crm import objects, properties
from hubspot.crm.associations import v4
from hubspot.crm.objects.exceptions import ApiException

from ic_assets.sandbox.process import RunningSandbox, running

ACTIVITIES = {
    "calls": (194, 182, 206),
    "emails": (198, 186, 210),
    "meetings": (200, 188, 212),
    "notes": (202, 190, 214),
    "tasks": (204, 192, 216),
    "communications": (81, 87, 85),
    "postal_mail": (453, 459, 457),
}
REQUIRED = {
    "emails": {"hs_email_direction": "EMAIL"},
    "communications": {"hs_communication_channel_type": "SMS", "hs_communication_logged_from": "CRM"},
}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    database = tmp_path_factory.mktemp("sandbox") / "hubspot.db"
    with running(database, requests_per_10s=100_000, searches_per_second=1000) as started:
        seed = {
            "contacts": [{"id": "101", "properties": {"email": "Ann@Example.com", "firstname": "Ann"}}],
            "companies": [{"id": "201", "properties": {"name": "Example Ltd"}}],
            "deals": [{"id": "301", "properties": {"dealname": "Renewal"}}],
        }
        headers = {"Authorization": f"Bearer {started.token}"}
        httpx.post(f"{started.base_url}/_sandbox/seed", json=seed, headers=headers).raise_for_status()
        yield started


@pytest.fixture(scope="module")
def client(sandbox: RunningSandbox) -> Any:
    return hubspot.Client.create(access_token=sandbox.token, host=sandbox.base_url)


@pytest.fixture(scope="module")
def keyed(client: Any) -> str:
    """A unique property on calls."""
    created = client.crm.properties.core_api.create(
        "calls",
        properties.PropertyCreate(
            name="ic_communication_id",
            label="Communication id",
            group_name="call_information",
            type="string",
            field_type="text",
            has_unique_value=True,
        ),
    )
    return str(created.name)


def association(target: str, type_id: int) -> objects.PublicAssociationsForObject:
    return objects.PublicAssociationsForObject(
        to=objects.PublicObjectId(id=target),
        types=[objects.AssociationSpec(association_category="HUBSPOT_DEFINED", association_type_id=type_id)],
    )


def call_input(key: str, **more: str) -> objects.SimplePublicObjectBatchInputForCreate:
    return objects.SimplePublicObjectBatchInputForCreate(
        properties={"hs_timestamp": "2019-03-04T05:06:07.000Z", "ic_communication_id": key, **more},
        associations=[association("101", 194)],
        object_write_trace_id=f"trace-{key}",
    )


def create_calls(client: Any, *inputs: Any) -> Any:
    batch = objects.BatchInputSimplePublicObjectBatchInputForCreate(inputs=list(inputs))
    return client.crm.objects.batch_api.create("calls", batch)


def read_by_key(client: Any, *keys: str) -> Any:
    return client.crm.objects.batch_api.read(
        "calls",
        objects.BatchReadInputSimplePublicObjectId(
            id_property="ic_communication_id",
            inputs=[objects.SimplePublicObjectId(id=key) for key in keys],
            properties=["ic_communication_id", "hs_call_title"],
            properties_with_history=[],
        ),
    )


@pytest.mark.parametrize("slug", ACTIVITIES)
def test_every_activity_type_is_created_with_its_three_associations(client: Any, slug: str) -> None:
    targets = dict(zip(("101", "201", "301"), ACTIVITIES[slug], strict=True))
    answer = client.crm.objects.batch_api.create(
        slug,
        objects.BatchInputSimplePublicObjectBatchInputForCreate(
            inputs=[
                objects.SimplePublicObjectBatchInputForCreate(
                    properties={"hs_timestamp": "2020-02-29T10:00:00.250Z", **REQUIRED.get(slug, {})},
                    associations=[association(target, type_id) for target, type_id in targets.items()],
                )
            ]
        ),
    )
    (made,) = answer.results
    assert answer.status == "COMPLETE"
    assert made.properties["hs_timestamp"] == "2020-02-29T10:00:00.250Z"
    for other, target, type_id in zip(("contacts", "companies", "deals"), targets, ACTIVITIES[slug], strict=True):
        page = client.crm.associations.v4.basic_api.get_page(slug, made.id, other)
        assert [(t.to_object_id, [a.type_id for a in t.association_types]) for t in page.results] == [
            (target, [type_id])
        ]
        back = client.crm.associations.v4.basic_api.get_page(other, target, slug)
        assert made.id in {t.to_object_id for t in back.results}


def test_records_are_read_by_their_unique_property_and_the_missing_ones_are_named(client: Any, keyed: str) -> None:
    made = create_calls(client, call_input("read-1", hs_call_title="One"), call_input("read-2", hs_call_title="Two"))
    ids = {r.properties[keyed]: r.id for r in made.results}
    answer = read_by_key(client, "read-2", "read-none", "read-1")
    assert isinstance(answer, objects.BatchResponseSimplePublicObjectWithErrors)
    assert {(r.properties[keyed], r.id, r.properties["hs_call_title"]) for r in answer.results} == {
        ("read-1", ids["read-1"], "One"),
        ("read-2", ids["read-2"], "Two"),
    }
    assert answer.num_errors == 1
    assert answer.errors[0].category == "OBJECT_NOT_FOUND"
    assert answer.errors[0].context == {"ids": ["read-none"]}


def test_a_batch_with_trace_ids_writes_the_good_records_and_reports_the_bad_one(client: Any, keyed: str) -> None:
    good, bad = call_input("multi-1"), call_input("multi-2", hs_call_status="DONE")
    answer = create_calls(client, good, bad)
    assert [r.object_write_trace_id for r in answer.results] == ["trace-multi-1"]
    assert [e.context["objectWriteTraceId"] for e in answer.errors] == [["trace-multi-2"]]
    assert answer.errors[0].errors[0].code == "INVALID_OPTION"


def test_a_repeated_create_is_refused_with_the_id_of_the_record_that_is_there(client: Any, keyed: str) -> None:
    made = create_calls(client, call_input("again"))
    with pytest.raises(ApiException) as refused:
        create_calls(client, objects.SimplePublicObjectBatchInputForCreate(properties=call_input("again").properties))
    assert refused.value.status == 400
    assert f"{made.results[0].id} already has that value." in refused.value.body
    assert "legacyObjectType=CALL" in refused.value.body
    assert "propertyName=ic_communication_id, value=again" in refused.value.body


def test_update_changes_what_it_names_and_keeps_the_rest(client: Any, keyed: str) -> None:
    made = create_calls(client, call_input("upd", hs_call_title="Before", hs_call_body="kept"))
    batch = objects.BatchInputSimplePublicObjectBatchInput(
        inputs=[
            objects.SimplePublicObjectBatchInput(
                id="upd", id_property=keyed, properties={"hs_call_title": "After", "hs_call_body": "kept"}
            )
        ]
    )
    answer = client.crm.objects.batch_api.update("calls", batch)
    assert [(r.id, r.properties["hs_call_title"]) for r in answer.results] == [(made.results[0].id, "After")]
    read = client.crm.objects.basic_api.get_by_id("calls", made.results[0].id, properties=["hs_call_body", keyed])
    assert (read.properties["hs_call_body"], read.properties[keyed]) == ("kept", "upd")
    assert read.updated_at >= read.created_at


def test_an_empty_string_clears_a_property(client: Any, keyed: str) -> None:
    made = create_calls(client, call_input("clear", hs_call_title="Old")).results[0]
    client.crm.objects.basic_api.update(
        "calls", made.id, objects.SimplePublicObjectInput(properties={"hs_call_title": ""})
    )
    read = client.crm.objects.basic_api.get_by_id("calls", made.id, properties=["hs_call_title"])
    assert read.properties["hs_call_title"] is None


def test_upsert_creates_what_is_new_and_updates_what_is_there(client: Any, keyed: str) -> None:
    made = create_calls(client, call_input("ups-1", hs_call_title="Old"))
    inputs = [
        objects.SimplePublicObjectBatchInputUpsert(
            id=key,
            id_property=keyed,
            properties={"hs_timestamp": "1700000000000", "hs_call_title": "New"},
            object_write_trace_id=key,
        )
        for key in ("ups-1", "ups-2")
    ]
    answer = client.crm.objects.batch_api.upsert(
        "calls", objects.BatchInputSimplePublicObjectBatchInputUpsert(inputs=inputs)
    )
    by_trace = {r.object_write_trace_id: r for r in answer.results}
    assert {key: r.new for key, r in by_trace.items()} == {"ups-1": False, "ups-2": True}
    assert by_trace["ups-1"].id == made.results[0].id
    assert by_trace["ups-2"].properties["hs_timestamp"] == "2023-11-14T22:13:20Z"
    assert {r.properties["hs_call_title"] for r in read_by_key(client, "ups-1", "ups-2").results} == {"New"}


def test_an_archived_record_is_gone_from_reads_and_associations_and_archiving_again_is_no_error(
    client: Any, keyed: str
) -> None:
    made = create_calls(client, call_input("arch")).results[0]
    batch = objects.BatchInputSimplePublicObjectId(inputs=[objects.SimplePublicObjectId(id=made.id)])
    for _ in range(2):
        client.crm.objects.batch_api.archive("calls", batch)
    with pytest.raises(ApiException) as missing:
        client.crm.objects.basic_api.get_by_id("calls", made.id)
    assert missing.value.status == 404
    archived = client.crm.objects.basic_api.get_by_id("calls", made.id, archived=True)
    assert archived.archived
    assert archived.archived_at >= archived.created_at
    page = client.crm.associations.v4.basic_api.get_page("contacts", "101", "calls")
    assert made.id not in {t.to_object_id for t in page.results}


def test_associations_are_made_read_and_removed_in_batches(client: Any, keyed: str) -> None:
    made = create_calls(client, call_input("assoc-1"), call_input("assoc-2")).results
    api = client.crm.associations.v4.batch_api
    spec = v4.AssociationSpec(association_category="HUBSPOT_DEFINED", association_type_id=206)
    links = [
        v4.PublicAssociationMultiPost(
            _from=v4.PublicObjectId(id=made[0].id), to=v4.PublicObjectId(id="301"), types=[spec]
        )
    ]
    answer = api.create("calls", "deals", v4.BatchInputPublicAssociationMultiPost(inputs=links))
    assert [(r.from_object_id, r.to_object_id) for r in answer.results] == [(made[0].id, "301")]
    wanted = [v4.PublicFetchAssociationsBatchRequest(id=record.id) for record in made]
    read = api.get_page("calls", "deals", v4.BatchInputPublicFetchAssociationsBatchRequest(inputs=wanted))
    assert [(r._from.id, [t.to_object_id for t in r.to]) for r in read.results] == [(made[0].id, ["301"])]
    assert [e.context["fromObjectId"] for e in read.errors] == [[made[1].id]]
    gone = [v4.PublicAssociationMultiArchive(_from=v4.PublicObjectId(id=made[0].id), to=[v4.PublicObjectId(id="301")])]
    api.archive("calls", "deals", v4.BatchInputPublicAssociationMultiArchive(inputs=gone))
    assert client.crm.associations.v4.basic_api.get_page("calls", made[0].id, "deals").results == []


def test_the_default_association_needs_no_type_id_and_the_labels_tell_it(client: Any, keyed: str) -> None:
    made = create_calls(client, call_input("default")).results[0]
    answer = client.crm.associations.v4.basic_api.create_default("calls", made.id, "companies", "201")
    assert {a.association_spec.association_type_id for a in answer.results} == {182, 181}
    pair = v4.PublicDefaultAssociationMultiPost(_from=v4.PublicObjectId(id=made.id), to=v4.PublicObjectId(id="301"))
    batch = v4.BatchInputPublicDefaultAssociationMultiPost(inputs=[pair])
    answer = client.crm.associations.v4.batch_api.create_default("calls", "deals", batch)
    assert {a.association_spec.association_type_id for a in answer.results} == {206, 205}
    client.crm.associations.v4.basic_api.archive("calls", made.id, "deals", "301")
    assert client.crm.associations.v4.basic_api.get_page("calls", made.id, "deals").results == []
    labels = client.crm.associations.v4.schema.definitions_api.get_all("calls", "companies")
    assert [(label.type_id, label.label) for label in labels.results] == [(182, None)]


def test_property_definitions_say_what_the_portal_takes(client: Any, keyed: str) -> None:
    api = client.crm.properties.core_api
    outcome = api.get_by_name("meetings", "hs_meeting_outcome")
    assert {o.value for o in outcome.options} == {"SCHEDULED", "COMPLETED", "RESCHEDULED", "NO_SHOW", "CANCELED"}
    own = api.get_by_name("calls", keyed)
    assert (own.has_unique_value, own.hubspot_defined, own.group_name) == (True, False, "call_information")
    stamps = {p.name: p for p in api.get_all("calls").results}
    assert stamps["hs_lastmodifieddate"].modification_metadata.read_only_value
    assert not stamps["hs_call_title"].modification_metadata.read_only_value
    with pytest.raises(properties.ApiException) as missing:
        api.get_by_name("calls", "no_such_property")
    assert missing.value.status == 404


def test_a_list_is_paged_to_its_end_without_gaps_or_repeats(client: Any, sandbox: RunningSandbox) -> None:
    seed = {"companies": [{"id": str(900_000 + n), "properties": {"name": f"Company {n}"}} for n in range(25)]}
    headers = {"Authorization": f"Bearer {sandbox.token}"}
    httpx.post(f"{sandbox.base_url}/_sandbox/seed", json=seed, headers=headers).raise_for_status()
    seen, after = [], None
    while True:
        page = client.crm.objects.basic_api.get_page("companies", limit=10, after=after, properties=["name"])
        seen += [record.id for record in page.results]
        if page.paging is None:
            break
        after = page.paging.next.after
    assert [id_ for id_ in seen if int(id_) >= 900_000] == [str(900_000 + n) for n in range(25)]
    assert len(set(seen)) == len(seen)


def test_search_finds_by_value_range_and_presence(client: Any, keyed: str) -> None:
    mark = uuid.uuid4().hex
    for n, stamp in enumerate(("2018-01-01T00:00:00Z", "2018-06-01T00:00:00Z", "2019-01-01T00:00:00Z")):
        create_calls(client, call_input(f"{mark}{n}", hs_call_title=mark, hs_timestamp=stamp))
    filters = [
        objects.Filter(property_name="hs_call_title", operator="EQ", value=mark),
        objects.Filter(
            property_name="hs_timestamp", operator="BETWEEN", value="1514764800001", high_value="1546300800000"
        ),
        objects.Filter(property_name="hs_call_body", operator="NOT_HAS_PROPERTY"),
    ]
    answer = client.crm.objects.search_api.do_search(
        "calls",
        objects.PublicObjectSearchRequest(
            filter_groups=[objects.FilterGroup(filters=filters)], properties=[keyed], limit=1
        ),
    )
    assert answer.total == 2
    assert answer.results[0].properties[keyed] == f"{mark}1"
    assert answer.paging.next.after == "1"


def test_a_contact_is_found_by_its_address_in_small_letters(client: Any) -> None:
    found = client.crm.objects.basic_api.get_by_id("contacts", "ANN@example.com", id_property="email")
    assert (found.id, found.properties["email"]) == ("101", "ann@example.com")


def test_the_sender_and_receivers_of_an_email_come_from_its_headers(client: Any) -> None:
    headers = (
        '{"from":{"email":"us@example.com","firstName":"U"},"to":[{"email":"a@example.org"},{"email":"b@example.org"}]}'
    )
    made = client.crm.objects.basic_api.create(
        "emails",
        objects.SimplePublicObjectInputForCreate(
            properties={"hs_timestamp": "0", "hs_email_direction": "EMAIL", "hs_email_headers": headers},
            associations=[],
        ),
    )
    assert made.properties["hs_email_from_email"] == "us@example.com"
    assert made.properties["hs_email_to_email"] == "a@example.org;b@example.org"


def test_a_wrong_token_is_told_so(sandbox: RunningSandbox) -> None:
    stranger = hubspot.Client.create(access_token="wrong", host=sandbox.base_url)
    with pytest.raises(ApiException) as refused:
        stranger.crm.objects.basic_api.get_page("calls")
    assert refused.value.status == 401
    assert "INVALID_AUTHENTICATION" in refused.value.body


def test_the_portal_id_belongs_to_the_file(tmp_path: Path, sandbox: RunningSandbox) -> None:
    def portal_id(one: RunningSandbox) -> int:
        headers = {"Authorization": f"Bearer {one.token}"}
        return int(httpx.get(f"{one.base_url}/account-info/v3/details", headers=headers).json()["portalId"])

    with running(tmp_path / "other.db") as other:
        first = portal_id(other)
    with running(tmp_path / "other.db") as other:
        assert portal_id(other) == first
    assert portal_id(sandbox) != first
