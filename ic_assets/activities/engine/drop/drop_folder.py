"""What became of the files of the drop folder (``staging.ic_drop_file``); what lies there ``core/folders`` sees. Opens none.
No Dagster here; the sensor and ``status`` ask, the run that looks into a file and the landing answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg.rows import class_row

from ic_assets.core.folders import File, Listing, dated_ahead, file_name, identity_text, listing, named
from ic_assets.core.input_file import Identity
from ic_assets.core.sql import statement


@dataclass(frozen=True)
class LookedInto:
    """What a look into a file found: its partition, or why it cannot be loaded; whether its content has landed."""

    file_name: str
    drop_key: str | None
    refused: str | None
    is_settled: bool


def looked_into(connection: psycopg.Connection, files: Sequence[File]) -> dict[str, LookedInto]:
    """What is known of the files as they are now, by name."""
    with connection.cursor(row_factory=class_row(LookedInto)) as cursor:
        found = cursor.execute(
            statement("activities/drop_folder/looked_into"),
            {"names": [file.name for file in files], "identities": [file.identity_text for file in files]},
        ).fetchall()
    return {looked.file_name: looked for looked in found}


def remember(
    connection: psycopg.Connection,
    name: str,
    identity: Identity,
    *,
    drop_key: str | None = None,
    refused: str | None = None,
    is_settled: bool = False,
) -> None:
    """Records what a look into the file found, or what became of it."""
    connection.execute(
        statement("activities/drop_folder/remember"),
        {
            "file_name": name,
            "identity": identity_text(identity),
            "drop_key": drop_key,
            "refused": refused,
            "is_settled": is_settled,
        },
    )


def landed_before(connection: psycopg.Connection, content_sha256: str, reading: str) -> str | None:
    """The drop that loaded this content under these settings (``Settings.reading``). One of which no row was loaded does
    not count."""
    row = connection.execute(
        statement("activities/landing/before"), {"content_sha256": content_sha256, "reading": reading}
    ).fetchone()
    return row[0] if row else None


__all__ = [
    "File",
    "Listing",
    "LookedInto",
    "dated_ahead",
    "file_name",
    "identity_text",
    "landed_before",
    "listing",
    "looked_into",
    "named",
    "remember",
]
