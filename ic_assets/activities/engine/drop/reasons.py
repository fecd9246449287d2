"""The reason codes of rejected rows and field warnings in words, with what to do about each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ic_assets.activities.facts.contract import BY_NAME

# Code -> what it means, what to do.
REJECTS = {
    "nul_byte": ("the row holds a NUL byte", "Export it again without the byte."),
    "damaged_text": (
        "the row holds half a character (a surrogate without its other half)",
        "Export it again; a text was cut in the middle of a character.",
    ),
    "too_large": ("the row is over 16 MiB", "Look for a quote that never closes, or shorten the text in the source."),
    "bad_quote": (
        "a quote inside a quoted field is neither doubled nor its end",
        'Export with quotes doubled (`""`), not escaped by a backslash.',
    ),
    "field_count": ("more or fewer fields than the header", "Mend the quotes or delimiters on these lines."),
    "missing_required": ("a required value is empty", "Fill it in the source."),
    "unreadable_required": ("a required value cannot be read", "Correct it in the source."),
    "out_of_range": (
        "its date lies outside the months that are kept",
        "Correct the date, or set `IC_PARTITIONS_START` to an earlier month.",
    ),
    "deleted_in_source": (
        "the source has deleted it",
        "Nothing: it is taken out, and the next push removes its record from HubSpot.",
    ),
    "superseded_in_drop": ("the same id stands in the file again, newer", "Nothing: the newer row is loaded."),
    "unreadable_update": (
        "when it was last changed cannot be read, so nobody can tell which version is newer",
        "Export dates as YYYY-MM-DD, or set `IC_DATE_ORDER`, and load it again.",
    ),
    "stale": ("older than the version that is loaded", "Nothing: the newer version stays."),
}
# Rejected, and rightly so: the newer version is loaded, or the source wants none.
HARMLESS = ("deleted_in_source", "superseded_in_drop", "stale")
# Code -> what became of the field.
WARNINGS = {
    "unreadable": "the value cannot be read as its column's type; the field is empty",
    "null_date": "the date is one that systems write for none; the field is empty",
    "not_an_address": "what is no e-mail address in it is not used as one; the rest of it is",
    "content_left_out": "HubSpot cannot show a part of it (such as an image inside the text); a placeholder says so",
    "html_as_text": "its HTML is too large or too entangled to be read safely; it is shown as text, tags included",
    "end_before_start": "the meeting ends before it begins; one hour was assumed",
    "over_24_hours": "the call would last over 24 hours; it has no duration",
}


# What a column of each type wants, where its value could not be read.
_READABLE = {
    "bigint": "Correct it in the source; ids are plain digits, such as 12345.",
    "timestamp": "Correct it in the source; dates are YYYY-MM-DD HH:MM:SS, those with slashes as `IC_DATE_ORDER` says.",
}


def advice(reason: str, column: str | None) -> str:
    """What to do about the rows that are rejected for ``reason``, or the fields that are empty for it, in a column of the
    landing; empty for a reason that has none."""
    kind = BY_NAME[column].kind if column in BY_NAME else "text"
    if reason in ("unreadable", "unreadable_required") and kind in _READABLE:
        return _READABLE[kind]
    return REJECTS.get(reason, ("", ""))[1]


def told(troubles: Sequence[dict[str, Any]]) -> str:
    """The first of the troubles of drops (``drop_trouble``) in a sentence or two."""
    first = troubles[0]
    words = REJECTS[first["reason"]][0]
    where = f"line {first['line']}" if first["line"] else ""
    column = f", {first['column']}" if first["column"] else ""
    value = f" `{first['value']}`" if first["value"] else ""
    example = f", for example {where}{column}{value}" if where else ""
    more = len(troubles) - 1
    others = f" (and {more} other drop{'s' if more > 1 else ''})" if more else ""
    return (
        f"{first['drop']}: {first['rows']:,} of {first['rows_in']:,} rows are rejected as {first['reason']}"
        f" ({words}){example}{others}. {first['advice']}"
    )
