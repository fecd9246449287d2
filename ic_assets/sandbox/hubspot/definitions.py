"""The property, group, account and owner endpoints."""

from __future__ import annotations

from ic_assets.sandbox.http.limits import TIME_ZONE, utc_offset
from ic_assets.sandbox.hubspot.calls import Call, Reply, batch_inputs, envelope, text_field
from ic_assets.sandbox.hubspot.errors import ApiError, bad_request


def list_properties(call: Call) -> Reply:
    archived = call.flag("archived")
    source = call.portal.archived_definitions if archived else call.portal.definitions
    shown = [
        call.portal.rendered_property(call.kind, definition, archived=archived)
        for definition in source[call.kind.slug].values()
    ]
    return Reply(200, {"results": shown})


def read_property(call: Call) -> Reply:
    definition = call.portal.definition(call.kind, call.params["name"])
    return Reply(200, call.portal.rendered_property(call.kind, definition))


def create_property(call: Call) -> Reply:
    if not isinstance(call.body, dict):
        raise bad_request("body must be an object")
    definition = call.portal.create_property(call.kind, call.body)
    return Reply(201, call.portal.rendered_property(call.kind, definition))


def batch_create_properties(call: Call) -> Reply:
    body = call.object_body({"inputs"})
    if not isinstance(body.get("inputs"), list) or not all(isinstance(item, dict) for item in body["inputs"]):
        raise bad_request("inputs must be an array of objects")
    made = [call.portal.create_property(call.kind, item) for item in body["inputs"]]
    shown = [call.portal.rendered_property(call.kind, definition) for definition in made]
    return Reply(200 if call.version == "2026-09" else 201, envelope(shown))


def batch_read_properties(call: Call) -> Reply:
    inputs = batch_inputs(call, {"name"}, more={"archived", "dataSensitivity"})
    names = [text_field(item, "name", f"inputs[{n}]") for n, item in enumerate(inputs)]
    known = call.portal.definitions[call.kind.slug]
    shown = [call.portal.rendered_property(call.kind, known[name]) for name in names if name in known]
    return Reply(200, envelope(shown))


def change_property(call: Call) -> Reply:
    if not isinstance(call.body, dict):
        raise bad_request("body must be an object")
    definition = call.portal.change_property(call.kind, call.params["name"], call.body)
    return Reply(200, call.portal.rendered_property(call.kind, definition))


def archive_property(call: Call) -> Reply:
    call.portal.archive_property(call.kind, call.params["name"])
    return Reply(204)


def list_groups(call: Call) -> Reply:
    groups = call.portal.groups(call.kind).items()
    shown = [{"name": n, "label": label, "displayOrder": -1, "archived": False} for n, label in groups]
    return Reply(200, {"results": shown})


def create_group(call: Call) -> Reply:
    body = call.object_body({"name", "label", "displayOrder"})
    name, label = text_field(body, "name", "body"), text_field(body, "label", "body")
    if name in call.portal.groups(call.kind):
        raise ApiError(409, f"Property group '{name}' already exists", "OBJECT_ALREADY_EXISTS")
    call.portal.store.add_group(call.kind.slug, name, label)
    return Reply(201, {"name": name, "label": label, "displayOrder": -1, "archived": False})


def account_details(call: Call) -> Reply:
    seconds = int(utc_offset().total_seconds())
    sign, minutes = "-" if seconds < 0 else "+", abs(seconds) // 60
    body = {
        "portalId": call.portal.store.portal_id,
        "accountType": "DEVELOPER_TEST",
        "timeZone": TIME_ZONE,
        "companyCurrency": "USD",
        "additionalCurrencies": [],
        "utcOffset": f"{sign}{minutes // 60:02}:{minutes % 60:02}",
        "utcOffsetMilliseconds": seconds * 1000,
        "uiDomain": "sandbox.test",
        "dataHostingLocation": "local",
    }
    return Reply(200, body)


def owners(_: Call) -> Reply:
    return Reply(200, {"results": []})
