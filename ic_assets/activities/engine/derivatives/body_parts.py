"""Cuts a rendered body into parts that HubSpot takes, each of them whole HTML."""

from __future__ import annotations

import html as html_entities
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ic_assets.activities.engine.derivatives.body_html import PIECE, VOID
from ic_assets.activities.engine.derivatives.body_text import escape, units

_LINE = re.compile(r"([^\r\n]*)(\r\n|\r|\n|\Z)")
_WORD = re.compile(r"\S{1,64}\s?|\s")
_ENTITY_OR_WORD = re.compile(r"&(?:[A-Za-z]+|#\d+);|[^\s&]{1,64}\s?|\s|&")
_PARAGRAPHS = frozenset(
    ("blockquote", "div", "dl", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "ol", "p", "pre", "table", "ul")
)
_LINES = frozenset(("br", "dd", "dt", "li", "tr"))


class _Atom(NamedTuple):
    """What is never split: a short line or else a word, an entity, a tag. ``ends`` says what ends after it: 0
    nothing, 1 a word, 2 a line, 3 a paragraph. ``width`` is in UTF-16 units; an opening tag counts with the closing
    tag that it needs, which therefore counts nothing."""

    html: str
    text: str
    width: int
    ends: int
    opens: bool = False
    closes: bool = False


def split(atoms: Iterable[_Atom], room: int) -> Iterator[tuple[str, str]]:
    """HTML and text of each part. Holds one part at a time: a text can be 16 MiB long."""
    held: list[_Atom] = []
    opened: list[_Atom] = []  # what is open where the part begins
    width = 0
    for atom in atoms:
        while held and width + atom.width > room:
            count = _cut(held, room)
            still_open = _open_after(held[:count], opened)
            yield _joined(opened, held[:count], still_open)
            held, opened = held[count:], still_open
            width = sum(each.width for each in (*opened, *held))
        held.append(atom)
        width += atom.width
    if held:
        yield _joined(opened, held, [])


def _cut(held: list[_Atom], room: int) -> int:
    """How many atoms make the part: up to its last paragraph or line if that fills half of it, else up to its last
    word, else all."""
    filled = 0
    last = [0, 0, 0, 0]
    for count, atom in enumerate(held, 1):
        filled += atom.width
        if atom.ends == 1 or 2 * filled >= room:
            last[atom.ends] = count
    return last[3] or last[2] or last[1] or len(held)


def _open_after(atoms: Iterable[_Atom], opened: list[_Atom]) -> list[_Atom]:
    still_open = list(opened)
    for atom in atoms:
        if atom.opens:
            still_open.append(atom)
        elif atom.closes:
            still_open.pop()
    return still_open


def _joined(opened: list[_Atom], atoms: list[_Atom], still_open: list[_Atom]) -> tuple[str, str]:
    html = [each.html for each in (*opened, *atoms)]
    html.extend(_closing(each.html) for each in reversed(still_open))
    return "".join(html), "".join(each.text for each in atoms)


def text_atoms(text: str, limit: int) -> Iterator[_Atom]:
    for match in _LINE.finditer(text):
        line, line_break = match.groups()
        end = "<br>" if line_break else ""
        html = escape(line) + end
        width = units(html)
        if width <= limit // 8:
            yield _Atom(html, match[0], width, 2 if line else 3)
            continue
        for word in _WORD.findall(line):
            html = escape(word)
            yield _Atom(html, word, units(html), int(word[-1].isspace()))
        yield _Atom(end, line_break, len(end), 2)


def html_atoms(clean: str, limit: int) -> Iterator[_Atom]:
    """Tags that would leave no room for text are left out: attributes over an eighth of a part, and elements
    nested so deep that opening them again takes a quarter."""
    kept: list[int] = []  # per open element the width of its tags, 0 when left out
    depth = 0  # the sum of these
    for piece in PIECE.findall(clean):
        width = units(piece)
        if not piece.startswith("<"):
            for words in [piece] if width <= limit // 8 else _ENTITY_OR_WORD.findall(piece):
                yield _Atom(words, "", units(words), int(words[-1].isspace()))
            continue
        name = _tag_name(piece)
        ends = 3 if name in _PARAGRAPHS else 2 if name in _LINES else 0
        if piece.startswith("</"):
            if closed := kept.pop():
                depth -= closed
                yield _Atom(piece, "", 0, ends, closes=True)
            continue
        tag, width = (piece, width) if width <= limit // 8 else (f"<{name}>", len(name) + 2)
        if name in VOID:
            yield _Atom(tag, "", width, ends)
            continue
        width += len(_closing(tag))
        kept.append(width if depth + width <= limit // 4 else 0)
        if kept[-1]:
            depth += width
            yield _Atom(tag, "", width, 0, opens=True)


def _closing(tag: str) -> str:
    return f"</{_tag_name(tag)}>"


def _tag_name(tag: str) -> str:
    return tag.strip("</>").split(maxsplit=1)[0]


def plain(clean: str) -> str:
    """Sanitized HTML as plain text: a line per line and paragraph, everything else on one line."""
    out: list[str] = []
    for piece in PIECE.findall(clean):
        if not piece.startswith("<"):
            out.append(re.sub(r"\s+", " ", html_entities.unescape(piece)))
        elif (name := _tag_name(piece)) in _PARAGRAPHS or name in _LINES:
            out.append("\n")
        elif name in {"td", "th"}:
            out.append(" ")
    lines = (" ".join(line.split()) for line in "".join(out).split("\n"))
    return "\n".join(line for line in lines if line)
