"""Turns the text of a communication into the HTML that HubSpot shows. Plain text is rendered by PostgreSQL
(``escaped``); what SQL cannot do, and only that, is rendered here: RTF, text that is HTML already, character references,
control characters, and text that HubSpot takes only in parts (``needs_python`` finds all of them).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from psycopg import sql

from ic_assets.activities.engine.derivatives import body_html, body_parts, body_text
from ic_assets.activities.engine.derivatives.body_html import is_html, sanitize
from ic_assets.activities.engine.derivatives.body_text import (
    IMAGE_LEFT_OUT,
    OBJECT_LEFT_OUT,
    escape,
    units,
    with_breaks,
)
from ic_assets.activities.facts.hubspot_properties import MAX_LENGTH

# Plain text of no more bytes is never too long once rendered: one character becomes at most the five of "&amp;".
NEVER_TOO_LONG = MAX_LENGTH // 5
LEFT_OUT, AS_TEXT = "content_left_out", "html_as_text"


def escaped(column: sql.Composable) -> sql.Composable:
    """SQL: plain text as HTML. A line break of any kind (CRLF, CR, LF) is one ``<br>``."""
    return sql.SQL(
        "replace(replace(replace(replace(replace(replace({}, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'),"
        " chr(13) || chr(10), '<br>'), chr(13), '<br>'), chr(10), '<br>')"
    ).format(column)


def needs_python(column: sql.Composable) -> sql.Composable:
    """SQL predicate: the text may be HTML or RTF, may hold references or controls, or may exceed HubSpot's limit once
    rendered. It holds for every text that ``render_body`` renders differently from ``escaped``, and for few others; NULL
    for NULL."""
    # One pass in the C collation tells most texts (1.4 us for 400 bytes). octet_length does not fetch a long text, and bounds
    # its characters and its UTF-16 units from above.
    return sql.SQL(
        r"""(({column} COLLATE "C" ~ '[\x01-\x08\x0b\x0c\x0e-\x1f<&\{{]' AND ("""
        r"""{column} COLLATE "C" ~ '[\x01-\x08\x0b\x0c\x0e-\x1f]|<[A-Za-z/!]|&#?[A-Za-z0-9]+;'"""
        r""" OR position('{{\rtf' IN {column}) > 0))"""
        " OR (octet_length({column}) > {never} AND octet_length({escaped}) > {limit}))"
    ).format(
        column=column,
        escaped=escaped(column),
        never=sql.Literal(NEVER_TOO_LONG),
        limit=sql.Literal(MAX_LENGTH),
    )


def code_fingerprint() -> str:
    """Changes whenever a text may be rendered differently."""
    digest = hashlib.sha256()
    for module in (__file__, body_html.__file__, body_parts.__file__, body_text.__file__):
        digest.update(Path(module).read_bytes())
    return digest.hexdigest()


class RenderedPart(NamedTuple):
    """One part of a body, counted from 1: what HubSpot shows, and the same as plain text."""

    part: int
    html: str
    written: str | None

    @property
    def text(self) -> str:
        # Made when it is asked for: only a body over the limit needs the text of its markup.
        return body_parts.plain(self.html) if self.written is None else self.written


class RenderedBody(NamedTuple):
    """``readable``: what the text says before it is rendered, RTF and references resolved, controls left out. ``warning``:
    a reason (``LEFT_OUT``, ``AS_TEXT``) and what it was, where HubSpot does not show all of it as the source did."""

    parts: list[RenderedPart]
    readable: str
    warning: tuple[str, str] | None = None


def render_body(text: str, *, title: str, limit: int = MAX_LENGTH) -> RenderedBody:
    """The parts that ``text`` is shown in, at least one, each at most ``limit`` (>= 2,000) code points and UTF-16
    units long.

    Parts end after a paragraph where one ends in their second half, else after a line, else after a word; tags
    that are open there are closed and opened again. From part 2 on, ``html`` opens with a line that names part,
    number of parts and ``title``; ``text`` never does. Joined, the parts' ``text`` is a plain text as it was.
    """
    warning = None
    clean = None
    if (rtf := body_text.from_rtf(text)) is not None:
        text = body_text.without_controls(rtf)
        warning = _left_out(Counter({words: text.count(words) for words in (IMAGE_LEFT_OUT, OBJECT_LEFT_OUT)}))
    else:
        text = body_text.without_controls(text)
        if not is_html(text):
            text = body_text.without_controls(body_text.decoded(text))
        elif sanitized := sanitize(text):
            clean, left_out = sanitized
            warning = _left_out(left_out)
        else:
            warning = (AS_TEXT, f"{len(text):,} characters")
    return RenderedBody(_parts(text, clean, title, limit), text, warning)


def _left_out(counts: Counter[str]) -> tuple[str, str] | None:
    found = [f"{number} x {words}" for words, number in sorted(counts.items()) if number]
    return (LEFT_OUT, ", ".join(found)) if found else None


def _parts(text: str, clean: str | None, title: str, limit: int) -> list[RenderedPart]:
    whole = with_breaks(escape(text)) if clean is None else clean
    if units(whole) <= limit:
        return [RenderedPart(1, whole, text if clean is None else None)]
    title = title if len(title) <= 80 else title[:79] + "…"
    # A value of PostgreSQL holds at most 1 GB, which is fewer parts than this reserves room for.
    room = limit - units(_opening(9_999_999, 9_999_999, title))
    atoms = body_parts.text_atoms(text, limit) if clean is None else body_parts.html_atoms(clean, limit)
    parts = list(body_parts.split(atoms, room))
    return [
        RenderedPart(
            number,
            (_opening(number, len(parts), title) if number > 1 else "") + part,
            plain if clean is None else body_parts.plain(part),
        )
        for number, (part, plain) in enumerate(parts, 1)
    ]


def _opening(part: int, parts: int, title: str) -> str:
    return f"<p>Part {part} of {parts} of “{escape(' '.join(title.split()))}”</p>"
