"""Rows as pandas frames, and frames against their declared columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import psycopg
from psycopg import sql

if TYPE_CHECKING:
    import pandera.pandas as pa


def frame(connection: psycopg.Connection, query: Any, parameters: Any = None) -> pd.DataFrame:
    """The rows of a query, with object columns: nothing is guessed about types."""
    cursor = connection.execute(query, parameters)
    columns = [column.name for column in cursor.description or ()]
    return pd.DataFrame(cursor.fetchall(), columns=columns, dtype=object)


def contract_problems(
    connection: psycopg.Connection, table: str, schema: pa.DataFrameSchema, rows: int
) -> tuple[int, list[str]]:
    """The newest ``rows`` of a staging table against a schema: how many were read, and what does not hold, one sentence
    each and without the values, which may be personal."""
    import pandera.errors

    newest = frame(
        connection,
        sql.SQL("SELECT {} FROM staging.{} ORDER BY id DESC LIMIT {}").format(
            sql.SQL(", ").join(map(sql.Identifier, schema.columns)), sql.Identifier(table), sql.Literal(rows)
        ),
    )
    try:
        schema.validate(newest, lazy=True)
    except pandera.errors.SchemaErrors as errors:
        cases = errors.failure_cases.groupby(["column", "check"], dropna=False).size()
        return len(newest), [
            f"staging.{table}.{column}: {check} does not hold in {count} rows."
            for (column, check), count in cases.items()
        ]
    return len(newest), []
