"""Writes the sample data: ``python -m ic_assets.sample.generate [--out DIR] [--rows N] [--seed N]``.

Same seed, same bytes: the files can be made again byte for byte. Nothing here is read by the product at run time; the
package's own files are what the demo and the tests use.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ic_assets.core.failures import Refused
from ic_assets.sample import SAMPLE_DIR
from ic_assets.sample.accounts import Accounts
from ic_assets.sample.dice import Dice
from ic_assets.sample.drops import DELETED, Sources, communications, delta
from ic_assets.sample.export import HEADER

ROWS = 5_000
SEED = 20_261_120


def _reconciliation(
    dice: Dice, first_hubspot_id: int, records: Iterable[tuple[str, int, tuple[str, ...]]]
) -> Iterator[list[str]]:
    hubspot_id = first_hubspot_id
    for match, number, read_by_people in records:
        hubspot_id += dice.between(1, 90_000)
        if match != "absent":
            yield [str(number), str(hubspot_id) if match == "found" else "", *read_by_people]


def write(out: Path, rows: int = ROWS, seed: int = SEED) -> None:
    """Writes the five files into ``out``, which is created when absent. Memory grows with the number of
    companies, not of rows. At least 1,000 rows are needed for every defect to occur."""
    dice = Dice(seed)
    accounts = Accounts(dice, rows)
    sources = Sources()
    out.mkdir(parents=True, exist_ok=True)
    _write_csv(out / "communications.csv", HEADER, communications(dice, accounts, rows, sources))
    # As a spreadsheet in a country with decimal commas saves it: byte order mark, semicolons, CRLF.
    _write_csv(
        out / "communications_delta.csv",
        (*HEADER, DELETED),
        delta(dice, accounts, rows, sources),
        encoding="utf-8-sig",
        delimiter=";",
        lineterminator="\r\n",
    )
    companies = accounts.companies
    contacts = ((c.match, c.number, (c.name, c.email)) for company in companies for c in company.contacts)
    deals = ((d.match, d.number, (d.name,)) for company in companies for d in company.deals)
    legacy = ("legacy_id", "hubspot_id", "name")
    _write_csv(out / "contacts.csv", (*legacy, "email"), _reconciliation(dice, 31_004_117_000, contacts))
    _write_csv(
        out / "companies.csv",
        legacy,
        _reconciliation(dice, 20_418_233_000, ((c.match, c.number, (c.name,)) for c in companies)),
    )
    _write_csv(out / "deals.csv", legacy, _reconciliation(dice, 45_790_051_000, deals))


def _write_csv(
    path: Path,
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    encoding: str = "utf-8",
    delimiter: str = ",",
    lineterminator: str = "\n",
) -> None:
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator=lineterminator)
        writer.writerow(header)
        writer.writerows(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ic_assets.sample.generate", description="Writes the sample data.")
    parser.add_argument("--out", type=Path, help="folder to write to (default: the package's own sample data)")
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of communications.csv (default %(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="same seed, same bytes (default %(default)s)")
    options = parser.parse_args(arguments)
    try:
        _checked_write(options.out, options.rows, options.seed)
    except Refused as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _checked_write(out: Path | None, rows: int, seed: int) -> None:
    if rows < 1_000:
        raise Refused(f"--rows {rows}: at least 1000 are needed for each defect to occur; ask for more")
    if out is None and (rows, seed) != (ROWS, SEED):
        raise Refused("--rows or --seed without --out would replace the package's own sample data; add --out DIR")
    try:
        write(out or SAMPLE_DIR, rows, seed)
    except OSError as error:
        raise Refused(f"cannot write the sample data to {out or SAMPLE_DIR}: {error.strerror}") from error


if __name__ == "__main__":
    sys.exit(main())
