"""The list of validation gaps: whole, and held together with the tests that try them."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path
from pkgutil import resolve_name

import pytest

from ic_assets.core import gaps
from ic_assets.core.gaps import Gap, states

TESTS = Path(__file__).resolve().parents[1]


def marked() -> Counter[str]:
    """How many tests carry the mark of each gap, in whatever file."""
    found: Counter[str] = Counter()
    for file in TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "gap":
                found.update(ast.literal_eval(argument) for argument in node.args)
    return found


def test_the_list_has_the_hundred_gaps() -> None:
    found = gaps.gaps()
    assert len({gap.id for gap in found}) == len(found) == 100
    assert Counter(gap.flow for gap in found) == {
        "attribution": 18,
        "funnel": 13,
        "conversions": 21,
        "payments": 22,
        "hubspot_sync": 26,
    }
    assert Counter(gap.priority for gap in found if "x" in gap.id)["P0"] == 5
    assert [gap.id for gap in found if not (gap.gap and gap.mechanism and gap.priority in ("P0", "P1", "P2"))] == []


def test_each_closed_gap_has_a_test_that_does_the_bad_thing_and_no_test_tries_an_open_one() -> None:
    closed = {gap.id for gap in gaps.gaps() if gap.where}
    tried = set(marked())
    assert tried - {gap.id for gap in gaps.gaps()} == set(), "marked, and not in ic_assets/core/gaps.csv"
    assert closed - tried == set(), "closed in ic_assets/core/gaps.csv, and no test carries @pytest.mark.gap"
    assert tried - closed == set(), "tried by a test: say in ic_assets/core/gaps.csv where it is closed"


@pytest.mark.parametrize("gap", [gap for gap in gaps.gaps() if gap.where], ids=lambda gap: gap.id)
def test_the_code_that_closes_a_gap_is_there(gap: Gap) -> None:
    for place in gap.where:
        if ":" in place:
            assert resolve_name(place) is not None
        else:
            assert place.count(".") == 2, f"{place}: schema.table.column"


def test_a_gap_of_a_flow_that_is_not_there_is_open_and_one_whose_code_is_gone_is_broken() -> None:
    def gap(flow: str, *where: str) -> Gap:
        return Gap(f"{flow}{where}", flow, "P0", "all", "care", where)

    given = [
        gap("nowhere", "ic_assets.crm.write:write"),
        gap("activities"),
        gap("activities", "ic_assets.crm.write:write", "crm.field_lock.locked_until"),
        gap("activities", "ic_assets.nowhere.write:write"),
        gap("activities", "ic_assets.crm.nowhere:write"),
        gap("activities", "ic_assets.crm.write:nothing"),
    ]
    found = [(state.state, state.note) for state in states(given, None).values()]
    assert found == [
        ("open", "the flow nowhere is not there yet"),
        ("open", "nothing closes it yet"),
        ("closed", ""),
        ("broken", "not there: ic_assets.nowhere.write:write"),
        ("broken", "not there: ic_assets.crm.nowhere:write"),
        ("broken", "not there: ic_assets.crm.write:nothing"),
    ]
