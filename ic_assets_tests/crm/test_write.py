"""The one way to write a company: owners, locks, the change log, and what the tables refuse."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal

import psycopg
import pytest

from ic_assets.crm import owners
from ic_assets.crm.person_edit import apply_person_edit
from ic_assets_tests.crm.centre import DAY, NOW, company, edit, locks, log, stands, wants


@pytest.fixture
def connection(module_database: str) -> Iterator[psycopg.Connection]:
    """A transaction that is taken back."""
    with psycopg.connect(module_database) as opened:
        yield opened
        opened.rollback()


def test_each_column_of_the_table_has_one_flow_that_writes_it(connection: psycopg.Connection) -> None:
    found = connection.execute(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid = 'crm.company_profile_meta_data'::regclass AND attnum > 0 AND NOT attisdropped"
    ).fetchall()
    lock_columns = {column.lock_column for column in owners.columns().values()} - {None}
    assert lock_columns == {"cs_stage_lock_expiration", "cs_manager_lock_expiration"}
    nobodys = {"company", "status", "updated_at", *lock_columns}
    assert {name: kind for name, kind in found if name not in nobodys} == {
        column.name: column.type.replace("timestamptz", "timestamp with time zone")
        for column in owners.columns().values()
    }
    written = {
        flow: {name for name, column in owners.columns().items() if column.flow == flow} for flow in owners.FLOWS
    }
    assert written["funnel"] == {"cs_stage", "customer_success_manager", "account_manager"}
    assert written["attribution"] == {"site_status", "signup_timestamp", "num_of_employees_range", "country"}
    assert written["payments"] == {
        *("payment_status", "plan_id", "paying_since"),
        *("current_mrr", "effective_mrr", "sales_effective_mrr", "collections_usd"),
    }


def test_only_what_differs_is_written_and_each_field_has_its_row_in_the_log(connection: psycopg.Connection) -> None:
    company(connection, plan_id="pro", current_mrr=100)
    company(connection, "C-2", plan_id="pro", current_mrr=7)
    done = wants(
        connection,
        "payments",
        "('C-1', 'e1', 'max', 100.00004), ('C-2', 'e2', 'pro', 7.0), ('C-3', 'e3', 'pro', 1)",
        "plan_id",
        "current_mrr",
    )
    assert (done.companies, done.fields, done.added, done.held) == (1, 1, 0, 0)
    assert log(connection) == [("plan_id", "pro", "max", "payments:test", "e1")]
    assert log(connection, "C-2") == []
    assert stands(connection, "plan_id", "current_mrr", "updated_at") == ("max", Decimal("100.0000"), NOW)
    again = wants(connection, "payments", "('C-1', 'e1', 'max', 100.00004)", "plan_id", "current_mrr")
    assert (again.companies, again.fields) == (0, 0)


def test_a_company_is_added_when_that_is_asked_for(connection: psycopg.Connection) -> None:
    done = wants(connection, "attribution", "('C-9', 'e1', 'LEAD')", "site_status", adds_companies=True)
    assert (done.added, done.companies) == (1, 1)
    assert stands(connection, "site_status", "status", name="C-9") == ("LEAD", "LEAD")
    wants(connection, "payments", "('C-9', 'e2', 'PAID')", "payment_status", adds_companies=True)
    assert stands(connection, "status", name="C-9") == "PAID"


def test_a_column_of_another_flow_is_not_written(connection: psycopg.Connection) -> None:
    company(connection)
    for column in ("cs_stage", "current_mrr", "status", "updated_at", "cs_stage_lock_expiration"):
        with pytest.raises(ValueError, match=f"attribution does not own {column}"):
            wants(connection, "attribution", "('C-1', 'e1', NULL)", column)


def test_what_a_person_locked_stays_until_the_lock_is_over(connection: psycopg.Connection) -> None:
    company(connection, plan_id="pro", cs_stage="cs_success", customer_success_manager=None)
    until = {"plan_id": NOW + DAY, "customer_success_manager": NOW + DAY, "cs_stage": NOW}
    for field, at in until.items():
        connection.execute("INSERT INTO crm.field_lock VALUES ('C-1', %s, %s, 'hubspot:1', 'e', now())", (field, at))
    done = wants(connection, "payments", "('C-1', 'e1', 'max', 5)", "plan_id", "current_mrr")
    assert (done.fields, done.held) == (1, 1)
    # A cleared field is a person's word too; at its very end a lock is over.
    wants(connection, "funnel", "('C-1', 'e1', 'ann', 'cs_error')", "customer_success_manager", "cs_stage")
    assert stands(connection, "plan_id", "current_mrr", "customer_success_manager", "cs_stage") == (
        "pro",
        Decimal("5.0000"),
        None,
        "cs_error",
    )


def test_a_lock_column_alone_holds_too_and_a_stage_that_is_not_set_is_open(connection: psycopg.Connection) -> None:
    company(connection, cs_stage="cs_success", cs_stage_lock_expiration=NOW + DAY)
    company(connection, "C-2", cs_stage_lock_expiration=NOW + DAY)
    wants(connection, "funnel", "('C-1', 'e1', 'cs_error'), ('C-2', 'e1', 'cs_error')", "cs_stage")
    assert [stands(connection, "cs_stage", name=name) for name in ("C-1", "C-2")] == ["cs_success", "cs_error"]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        pytest.param("cs_stage", "cs_great", marks=pytest.mark.gap("CF1")),
        *(
            pytest.param(figure, value, marks=pytest.mark.gap("PAY7"))
            for figure in ("current_mrr", "effective_mrr", "sales_effective_mrr", "collections_usd")
            for value in ("-0.0001", "NaN")
        ),
        ("site_status", "PAID"),
        ("payment_status", "LEAD"),
        ("country", "Germany"),
        ("country", "de"),
        ("num_of_employees_range", "many"),
        ("chance_to_close", "100.01"),
        ("chance_to_churn", "NaN"),
        ("hubspot_company_id", "0"),
        ("plan_id", ""),
        ("company", ""),
    ],
)
def test_the_table_refuses_a_value_that_cannot_be(connection: psycopg.Connection, column: str, value: str) -> None:
    company(connection)
    with pytest.raises(psycopg.errors.CheckViolation), connection.transaction():
        connection.execute(f"UPDATE crm.company_profile_meta_data SET {column} = %s".encode(), (value,))


@pytest.mark.gap("PAY6")
def test_a_figure_below_nothing_is_refused_before_it_is_written_and_takes_the_others_along(
    connection: psycopg.Connection,
) -> None:
    company(connection, current_mrr=3)
    company(connection, "C-2", current_mrr=3)
    with pytest.raises(psycopg.errors.CheckViolation), connection.transaction():
        wants(connection, "payments", "('C-1', 'e', 4), ('C-2', 'e', -1)", "current_mrr")
    assert (stands(connection, "current_mrr"), log(connection)) == (Decimal("3.0000"), [])


# -- real concurrent writers -------------------------------------------------------------------------


def in_threads(*works: Callable[[], None]) -> None:
    failures: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - shown by the test
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []


def until_somebody_waits(connection: psycopg.Connection) -> None:
    while not connection.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchall():
        connection.execute("SELECT pg_sleep(0.01)")


def test_a_writer_that_waited_for_a_persons_edit_sees_its_lock(database: str) -> None:
    with psycopg.connect(database) as first, psycopg.connect(database) as second:
        company(first, plan_id="pro")
        first.commit()
        apply_person_edit(first, [edit("plan_id", "team", 1)], lock_days=90, now=NOW)

        def compute() -> None:
            wants(second, "payments", "('C-1', 'e1', 'max')", "plan_id")
            second.commit()

        def commit() -> None:
            with psycopg.connect(database, autocommit=True) as looking:
                until_somebody_waits(looking)
            first.commit()

        in_threads(compute, commit)
        assert stands(first, "plan_id") == "team"
        assert log(first) == [("plan_id", "pro", "team", "hubspot:8801", "event-1")]
        assert locks(first) == {"plan_id": NOW + 89 * DAY}


def test_the_log_applied_in_order_gives_what_stands_whoever_writes_at_once(database: str) -> None:
    """Three flows and two people on the same twenty companies, in batches of any order: nobody waits for ever."""
    names = [f"C-{number}" for number in range(20)]
    with psycopg.connect(database) as connection:
        for name in names:
            company(connection, name)

    def flow(number: int, owner: str, column: str, values: list[str]) -> Callable[[], None]:
        def work() -> None:
            chosen = random.Random(number)
            with psycopg.connect(database) as connection:
                for turn in range(12):
                    rows = ", ".join(
                        f"('{name}', 'e{number}-{turn}', '{chosen.choice(values)}')"
                        for name in chosen.sample(names, 12)
                    )
                    wants(connection, owner, rows, column)
                    connection.commit()

        return work

    def person(number: int) -> Callable[[], None]:
        def work() -> None:
            chosen = random.Random(number)
            with psycopg.connect(database) as connection:
                for turn in range(12):
                    edits = [
                        edit(
                            field,
                            chosen.choice(values),
                            chosen.uniform(0, 200),
                            company=name,
                            cause=f"p{number}-{turn}",
                        )
                        for name in chosen.sample(names, 3)
                        for field, values in (("plan_id", ["a", "b"]), ("cs_stage", ["cs_error", "cs_sbp"]))
                    ]
                    apply_person_edit(connection, edits, lock_days=90, now=NOW)
                    connection.commit()

        return work

    in_threads(
        flow(1, "payments", "plan_id", ["x", "y", "z"]),
        flow(2, "funnel", "cs_stage", ["cs_success", "cs_onboarding", "cs_sales"]),
        flow(3, "attribution", "country", ["DE", "FR"]),
        person(4),
        person(5),
    )
    with psycopg.connect(database) as connection:
        for name in names:
            state: dict[str, str | None] = {"plan_id": None, "cs_stage": None, "country": None}
            for field, old, new, _, _ in log(connection, name):
                assert state[field] == old, (name, field)
                state[field] = new
            assert tuple(state.values()) == stands(connection, "plan_id", "cs_stage", "country", name=name)
