"""What the pipeline is held against: a bare COPY of the same file, and the loader that people usually write."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import psycopg
from psycopg import sql

from ic_assets.activities.facts.contract import COLUMNS
from ic_assets_tests.bench import processes
from ic_assets_tests.bench.server import Server

_BLOCK = 1 << 18
_CHUNK = 20_000
_AT_ONCE = 1_000


def copy_seconds(server: Server, file: Path) -> float:
    """Seconds of a COPY into an unlogged table of the drop's types, without any index: the floor.

    The file's own bytes go through psycopg's COPY FROM STDIN, and the server does all of the parsing. Values that are
    no number or no time let their row be skipped."""
    with psycopg.connect(server.url("ic_assets"), autocommit=True) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS bench")
        connection.execute("DROP TABLE IF EXISTS bench.copied")
        connection.execute(sql.SQL("CREATE UNLOGGED TABLE bench.copied ({})").format(_columns()))
        server.checkpoint()
        started = perf_counter()
        with (
            file.open("rb", buffering=0) as source,
            connection.cursor() as cursor,
            cursor.copy(
                "COPY bench.copied FROM STDIN WITH (FORMAT csv, HEADER, ON_ERROR ignore, LOG_VERBOSITY silent)"
            ) as copy,
        ):
            while block := source.read(_BLOCK):
                copy.write(block)
        seconds = perf_counter() - started
        connection.execute("DROP SCHEMA bench CASCADE")
        server.checkpoint()
    return seconds


def _columns() -> sql.Composed:
    return sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(column.kind)) for column in COLUMNS
    )


@dataclass(frozen=True)
class Usual:
    """The usual loader's run: seconds without its imports, the rows that it wrote, and its memory."""

    seconds: float
    rows: int
    peak_mb: float


def usual(server: Server, file: Path) -> Usual:
    """``pandas.read_csv`` in chunks, ``to_sql(method="multi")`` in thousands, into a table with the master's primary key
    and unique constraint; in a process of its own."""
    with psycopg.connect(server.url("ic_assets"), autocommit=True) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS bench")
        connection.execute("DROP TABLE IF EXISTS bench.usual")
        connection.execute(
            sql.SQL(
                "CREATE TABLE bench.usual (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, {},"
                " UNIQUE (comm_communicationid))"
            ).format(_columns())
        )
    # Through the environment: an address with a password is no argument for a command line.
    checkout = str(Path(__file__).parents[2])
    environment = {**server.environment, "BENCH_URL": server.url("ic_assets"), "PYTHONPATH": checkout}
    finished = processes.run([sys.executable, "-m", __name__, str(file)], environment, server.home)
    told: dict[str, Any] = json.loads(finished.output.splitlines()[-1])
    return Usual(told["seconds"], told["rows"], finished.peak_mb)


def _load_as_usual(file: str, url: str) -> tuple[float, int]:
    import pandas as pd
    from sqlalchemy import create_engine
    from sqlalchemy.engine import make_url

    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    rows, seen = 0, set[int]()
    started = perf_counter()
    for frame in pd.read_csv(file, dtype=str, chunksize=_CHUNK):
        frame.columns = [column.name for column in COLUMNS]
        for column in COLUMNS:
            if column.kind == "bigint":
                numbers = pd.to_numeric(frame[column.name], errors="coerce")
                frame[column.name] = numbers.where(numbers % 1 == 0).astype("Int64")
            elif column.kind == "timestamp":
                times = pd.to_datetime(frame[column.name], errors="coerce", format="ISO8601", utc=True)
                frame[column.name] = times.dt.tz_localize(None)
        frame = frame.dropna(subset=["comm_communicationid"]).drop_duplicates("comm_communicationid", keep="last")
        frame = frame[~frame["comm_communicationid"].isin(seen)]
        seen.update(frame["comm_communicationid"])
        frame.to_sql(
            "usual", engine, schema="bench", if_exists="append", index=False, method="multi", chunksize=_AT_ONCE
        )
        rows += len(frame)
    return perf_counter() - started, rows


if __name__ == "__main__":
    import os

    seconds, rows = _load_as_usual(sys.argv[1], os.environ["BENCH_URL"])
    sys.stdout.write(json.dumps({"seconds": seconds, "rows": rows}) + "\n")
