"""The ERD, the data dictionary and the decision tree: what they say of a database, and that the committed ones are true."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree as Xml

import psycopg
import pytest

from ic_assets.activities.facts.dictionary import SCHEMAS
from ic_assets.core.catalog import Reference, read_catalog
from ic_assets.core.dictionary import all_words, described
from ic_assets.core.erd import graphml, mermaid, png

ROOT = Path(__file__).resolve().parents[2]
GRAPHML = "{http://graphml.graphdrawing.org/xmlns}"
YED = "{http://www.yworks.com/xml/graphml}"


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database) as connection:
        yield connection


@pytest.fixture
def small(connection: psycopg.Connection) -> psycopg.Connection:
    """A schema of two tables and a view, with one of everything that a diagram shows."""
    for statement in (
        "CREATE SCHEMA shop",
        "CREATE TABLE shop.customer (id integer PRIMARY KEY, code text NOT NULL UNIQUE, since timestamptz)",
        "COMMENT ON TABLE shop.customer IS 'Who buys.'",
        "COMMENT ON COLUMN shop.customer.code IS 'As on the card'",
        "CREATE TABLE shop.order_line (order_id bigint, line integer, customer_id integer NOT NULL"
        " REFERENCES shop.customer (id), state text CHECK (state IN ('open', 'it''s done')), price double precision"
        " CHECK (price > 0), code text, PRIMARY KEY (line, order_id))",
        "CREATE VIEW shop.v_customer AS SELECT id FROM shop.customer",
    ):
        connection.execute(statement.encode())
    return connection


def test_the_catalog_has_columns_keys_values_comments_and_references(small: psycopg.Connection) -> None:
    catalog = read_catalog(small, ["shop"])
    assert [table.full_name for table in catalog.tables] == ["shop.customer", "shop.order_line", "shop.v_customer"]
    customer, line, view = catalog.tables
    assert (customer.comment, view.is_view, line.is_view) == ("Who buys.", True, False)
    assert [(c.name, c.type, c.is_nullable, c.is_unique) for c in customer.columns] == [
        ("id", "integer", False, True),
        ("code", "text", False, True),
        ("since", "timestamptz", True, False),
    ]
    assert customer.columns[1].comment == "As on the card"
    found = {column.name: column for column in line.columns}
    assert (found["order_id"].key_position, found["line"].key_position, found["line"].is_unique) == (2, 1, False)
    assert found["state"].values == ("open", "it's done")
    assert found["price"].values == ()
    assert line.checks == ("CHECK ((price > (0)::double precision))",)
    assert catalog.references == (Reference("shop.order_line", ("customer_id",), "shop.customer", ("id",)),)


def test_mermaid_shows_keys_and_how_many_of_one_belong_to_one_of_the_other(small: psycopg.Connection) -> None:
    by_value = Reference("shop.order_line", ("code",), "shop.customer", ("code",), is_declared=False)
    absent = Reference("shop.order_line", ("colour",), "shop.customer", ("code",), is_declared=False)
    text = mermaid(read_catalog(small, ["shop"]).with_references([by_value, absent]))
    assert text.splitlines() == [
        "erDiagram",
        "    %% Who buys.",
        '    "shop.customer" {',
        "        integer id PK",
        "        text code UK",
        "        timestamptz since",
        "    }",
        '    "shop.order_line" {',
        "        bigint order_id PK",
        "        integer line PK",
        "        integer customer_id FK",
        "        text state",
        "        double_precision price",
        "        text code",
        "    }",
        '    "shop.customer" ||--o{ "shop.order_line" : "customer_id"',
        '    "shop.customer" |o..o{ "shop.order_line" : "code"',
    ]


def test_graphml_is_what_yed_opens_an_entity_per_table_and_a_crows_foot_per_reference(
    small: psycopg.Connection,
) -> None:
    root = Xml.fromstring(graphml(read_catalog(small, ["shop"])))
    nodes = root.findall(f"{GRAPHML}graph/{GRAPHML}node")
    assert [node.get("id") for node in nodes] == ["shop.customer", "shop.order_line"]
    shapes = [node.find(f".//{YED}GenericNode") for node in nodes]
    assert {shape.get("configuration") for shape in shapes if shape is not None} == {
        "com.yworks.entityRelationship.big_entity"
    }
    labels = [label.text for label in nodes[0].iter(f"{YED}NodeLabel")]
    assert labels == ["shop.customer", "id integer not null PK\ncode text not null UK\nsince timestamptz"]
    assert "code: As on the card" in (nodes[0].findtext(f"{GRAPHML}data") or "")
    places = [(g.get("x"), g.get("y")) for g in root.iter(f"{YED}Geometry")]
    assert len(set(places)) == 2, "laid out, not one upon the other"
    (edge,) = root.findall(f"{GRAPHML}graph/{GRAPHML}edge")
    assert (edge.get("source"), edge.get("target")) == ("shop.order_line", "shop.customer")
    arrows = edge.find(f".//{YED}Arrows")
    assert arrows is not None
    assert (arrows.get("source"), arrows.get("target")) == ("crows_foot_many_optional", "crows_foot_one_mandatory")


def test_tables_that_refer_to_each_other_can_be_drawn(small: psycopg.Connection) -> None:
    small.execute("ALTER TABLE shop.customer ADD COLUMN best_line integer, ADD COLUMN best_order bigint")
    small.execute(
        "ALTER TABLE shop.customer ADD FOREIGN KEY (best_line, best_order) REFERENCES shop.order_line (line, order_id)"
    )
    catalog = read_catalog(small, ["shop"])
    assert '"shop.order_line" |o--o{ "shop.customer" : "best_line, best_order"' in mermaid(catalog)
    assert png(catalog).startswith(b"\x89PNG\r\n\x1a\n")


def test_every_table_and_column_has_words_and_no_words_are_left_over(connection: psycopg.Connection) -> None:
    catalog = described(connection)
    without = [table.full_name for table in catalog.tables if not table.comment]
    without += [
        f"{table.full_name}.{column.name}"
        for table in catalog.tables
        if not table.is_view
        for column in table.columns
        if not column.comment
    ]
    assert without == [], "say in the table_words of their schema what these are"
    assert {name for words in all_words() for name in words.tables} == {table.full_name for table in catalog.tables}
    stated = {(r.table, r.columns) for r in catalog.references}
    said = {(r.table, r.columns) for words in all_words() for r in words.references}
    assert said <= stated, "a reference names a column that is not there"


def test_a_comment_in_the_database_comes_before_ours(connection: psycopg.Connection) -> None:
    connection.execute("COMMENT ON TABLE staging.ic_calls IS 'Ask Ada before you touch this.'")
    connection.execute("COMMENT ON COLUMN staging.ic_calls.call_title IS 'In capitals'")
    table = described(connection).table("staging.ic_calls")
    assert table is not None
    assert table.comment == "Ask Ada before you touch this."
    assert [column.comment for column in table.columns if column.name == "call_title"] == ["In capitals"]


def test_the_committed_pages_say_what_a_fresh_database_says(connection: psycopg.Connection) -> None:
    tables = _tables_script()
    stale = [
        path.name
        for path, text in tables.pages(described(connection)).items()
        if path.read_text(encoding="utf-8") != text
    ]
    assert stale == [], "run: make docs"


def test_the_committed_picture_is_as_large_as_a_new_one(connection: psycopg.Connection) -> None:
    """Its size follows from the tables; its pixels also from the fonts' version."""
    committed = _tables_script().PICTURE.read_bytes()
    drawn = png(described(connection))
    assert len(committed) > 200_000
    # Width and height stand in the header.
    assert committed[:24] == drawn[:24], "run: make docs"


def test_the_drawn_ledger_has_the_states_that_the_database_allows(connection: psycopg.Connection) -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawing = re.search(r"```mermaid\nstateDiagram-v2\n(.*?)```", text, re.DOTALL)
    assert drawing
    drawn = set(re.findall(r"^ *(\w+) -->", drawing[1], re.MULTILINE)) | set(
        re.findall(r"--> (\w+)", drawing[1], re.MULTILINE)
    )
    ledger = read_catalog(connection, SCHEMAS).table("hubspot.push_ledger")
    assert ledger is not None
    assert drawn == set(next(column.values for column in ledger.columns if column.name == "state"))


def test_the_examples_of_the_classification_page_come_out_as_it_says(connection: psycopg.Connection) -> None:
    from ic_assets.activities.engine.staging.classification import sync_classification

    sync_classification(connection)
    text = (ROOT / "docs" / "classification.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`]*)`([^|]*)\| *`?(\w*)`? *\| *`?(\w*)`? *\| *(\d*) *\| ([^|]*)\|$", text, re.MULTILINE)
    assert len(rows) > 10
    for kind, note, action, priority, case_id, expected in rows:
        written = f"  {kind}  " if "spaces" in note else kind
        found = connection.execute(
            "SELECT staging.classify_activity_type(%s, %s, %s, %s)",
            (written, priority or None, case_id or None, action or None),
        ).fetchone()
        assert found == (expected.partition(",")[0].strip(),), (kind, action, priority, case_id)


def _tables_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_tables", ROOT / "docs" / "tables.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
