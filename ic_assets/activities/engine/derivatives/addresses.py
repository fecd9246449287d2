"""The addresses in a text that people typed where an e-mail address was asked for.

What PostgreSQL can tell for itself (``staging.ic_is_address``) never comes here; the others are read once each, and kept in
``staging.ic_address_text``, which the view of e-mails joins.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import psycopg
from email_validator import EmailNotValidError, validate_email
from email_validator import __version__ as validator_version
from psycopg import sql

from ic_assets.activities.engine.derivatives.body_html import is_html
from ic_assets.core.sql import statement

# The longest that one address can be (RFC 5321, section 4.5.3.1, with its separators).
MAX_ADDRESS = 320
_SEPARATORS = ";,\r\n"
# In a name before it, quoted or not: Bob Grim <bob@example.com>.
_NAMED = re.compile(r"[^<>]*+<([^<>]++)>\s*+")


class AddressText(NamedTuple):
    """``addresses``: the valid ones as written, in order, each once. ``is_all``: every piece of the text is one.
    ``is_text``: it is no list of addresses at all, but what a person wrote."""

    addresses: tuple[str, ...]
    is_all: bool
    is_text: bool


def read_addresses(text: str) -> AddressText:
    """Splits at ``;``, ``,`` and line breaks outside double quotes, reads ``Name <address>``, and asks the library
    ``email-validator``, without DNS, what an address is. In time proportional to the text."""
    pieces = [piece for piece in _pieces(text) if piece]
    found = [address for piece in pieces if (address := _address(piece)) is not None]
    is_all = len(found) == len(pieces)
    is_text = not is_all and (len(text) > MAX_ADDRESS or is_html(text))
    return AddressText(tuple(dict.fromkeys(found)), is_all, is_text)


def read_unknown(connection: psycopg.Connection, condition: sql.Composable, parameters: dict[str, object]) -> None:
    """Reads what the e-mails of a slice have in place of an address and nobody has read yet. ``condition`` is one on
    ``v``, with a communication's ``activity_date`` and ``ic_communication_master_id``."""
    values = {**parameters, "reader": _READER}
    query = statement("activities/derivatives/unread_addresses", slice=condition)
    # A server-side cursor: the slice may be a whole load.
    with connection.cursor(name="addresses") as cursor:
        cursor.execute(query, values)
        while rows := cursor.fetchmany(1000):
            with connection.cursor() as writer:
                writer.executemany(
                    statement("activities/derivatives/keep_addresses"), [_kept(written, text) for written, text in rows]
                )


def _kept(written: object, text: str) -> dict[str, object]:
    read = read_addresses(text)
    return {
        "written": written,
        "addresses": "; ".join(read.addresses) or None,
        "is_all": read.is_all,
        "is_text": read.is_text,
        "reader": _READER,
    }


def _pieces(text: str) -> list[str]:
    if text.count('"') % 2:  # a quote that never closes holds nothing together
        return [piece.strip() for piece in re.split(f"[{_SEPARATORS}]", text)]
    pieces, start, is_quoted = [], 0, False
    for at, character in enumerate(text):
        if character == '"':
            is_quoted = not is_quoted
        elif character in _SEPARATORS and not is_quoted:
            pieces.append(text[start:at].strip())
            start = at + 1
    return [*pieces, text[start:].strip()]


def _address(piece: str) -> str | None:
    named = _NAMED.fullmatch(piece)
    address = (named[1] if named else piece).strip()
    if len(address) > MAX_ADDRESS:
        return None
    try:
        validate_email(address, check_deliverability=False)
    except EmailNotValidError:
        return None
    return address


# What was read by another version of this file or of the library is read again.
_READER = f"{validator_version}/{Path(__file__).stat().st_size}"
