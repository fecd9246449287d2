"""Turns the text of a communication into the HTML that HubSpot shows. Plain text is rendered by PostgreSQL
(``escaped``); what SQL cannot do, and only that, is rendered here: text that is HTML already, and text that
HubSpot takes only in parts (``needs_python`` finds both).
"""

from __future__ import annotations

import html as html_entities
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import nh3
from psycopg import sql

from ic_assets.activities.hubspot_properties import MAX_LENGTH

# Plain text of no more bytes is never too long once rendered: one character becomes at most the five of "&amp;".
NEVER_TOO_LONG = MAX_LENGTH // 5


def escaped(column: sql.Composable) -> sql.Composable:
    """SQL: plain text as HTML. A line break of any kind (CRLF, CR, LF) is one ``<br>``."""
    return sql.SQL(
        "replace(replace(replace(replace(replace(replace({}, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'),"
        " chr(13) || chr(10), '<br>'), chr(13), '<br>'), chr(10), '<br>')"
    ).format(column)


def needs_python(column: sql.Composable) -> sql.Composable:
    """SQL predicate: the text may be HTML, or may exceed HubSpot's limit once rendered. It holds for every text
    that ``render_body`` renders differently from ``escaped``, and for few others; NULL for NULL."""
    # octet_length does not fetch a long text, and bounds its characters and its UTF-16 units from above.
    return sql.SQL(
        "((position('<' IN {column}) > 0 AND {column} ~ '<[A-Za-z/!]')"
        " OR (octet_length({column}) > {never} AND octet_length({escaped}) > {limit}))"
    ).format(
        column=column,
        escaped=escaped(column),
        never=sql.Literal(NEVER_TOO_LONG),
        limit=sql.Literal(MAX_LENGTH),
    )


class RenderedPart(NamedTuple):
    """One part of a body, counted from 1: what HubSpot shows, and the same as plain text."""

    part: int
    html: str
    written: str | None

    @property
    def text(self) -> str:
        # Made when it is asked for: only a body over the limit needs the text of its markup.
        return _plain(self.html) if self.written is None else self.written


def render_body(text: str, *, title: str, limit: int = MAX_LENGTH) -> list[RenderedPart]:
    """The parts that ``text`` is shown in, at least one, each at most ``limit`` (>= 2,000) code points and UTF-16
    units long.

    Parts end after a paragraph where one ends in their second half, else after a line, else after a word; tags
    that are open there are closed and opened again. From part 2 on, ``html`` opens with a line that names part,
    number of parts and ``title``; ``text`` never does. Joined, the parts' ``text`` is a plain text as it was.
    """
    markup = is_html(text)
    whole = sanitize(text) if markup else _with_breaks(_escape(text))
    if _units(whole) <= limit:
        return [RenderedPart(1, whole, None if markup else text)]
    title = title if len(title) <= 80 else title[:79] + "…"
    # A value of PostgreSQL holds at most 1 GB, which is fewer parts than this reserves room for.
    room = limit - _units(_opening(9_999_999, 9_999_999, title))
    parts = list(_split(_html_atoms(whole, limit) if markup else _text_atoms(text, limit), room))
    return [
        RenderedPart(
            number,
            (_opening(number, len(parts), title) if number > 1 else "") + part,
            _plain(part) if markup else plain,
        )
        for number, (part, plain) in enumerate(parts, 1)
    ]


# --- What is HTML ---------------------------------------------------------------------------------------------


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ALLOWED = _names(
    "a abbr address article aside b bdi bdo big blockquote br caption center cite code col colgroup dd del details"
    " dfn div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main mark nav ol"
    " p pre q rp rt ruby s samp section small span strike strong sub summary sup table tbody td tfoot th thead time"
    " tr tt u ul var wbr"
)
# Removed with what they hold: none of it is text that a mail program or browser would show.
_REMOVED = _names(
    "applet audio canvas embed frame frameset head iframe math noembed noframes noscript object script style svg"
    " template video"
)
# Removed, and what they hold stays.
_UNWRAPPED = _names(
    "acronym area base basefont body button data datalist dialog dir fieldset form html input label legend link map"
    " menu meta meter optgroup option output param picture progress search select slot source textarea title"
    " track"
)
_KNOWN = _ALLOWED | _REMOVED | _UNWRAPPED
_VOID = _names("br col hr img wbr")
# Need no closing tag, and are no words that people put in angle brackets.
_NEVER_CLOSED = _names("br hr li p td th tr")
_MOST_REFERENCES = 100_000
# Tags after which HTML starts a new line anyway, so that a line break of the source means nothing.
_BLOCKS = _names(
    "address article aside blockquote br caption center dd details div dl dt figcaption figure footer h1 h2 h3 h4"
    " h5 h6 header hr li main nav ol p pre section summary table tbody td tfoot th thead tr ul"
)
# What Word and Outlook put into HTML: <o:p>, <v:shape>, <st1:place>.
_OFFICE = re.compile(r"(?:o|v|w|m|x|st\d+):", re.IGNORECASE)

# A complete tag with well-formed attributes: <bob@example.com>, <https://example.com>, a quote that never closes
# and a tag cut off at the end of a truncated text are no tags, and stay visible. Possessive throughout, so that
# hostile text costs linear time.
_TAG = re.compile(
    r"""<(?P<close>/?)(?P<name>[A-Za-z][A-Za-z0-9:]*+)
    (?:[\s/]++(?:[^\s"'<>/=]++(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s"'<>=`][^\s"'<>`]*+))?+[\s/]*+)*+)?+>""",
    re.VERBOSE,
)
# Doctypes, and what Office writes: conditional comments, processing instructions.
_DECLARATION = re.compile(r"<!doctype\b[^<>]*>|<!\[[^<>]*\]>|<\?xml\b[^<>]*>", re.IGNORECASE)
# From the first to the second is invisible, whatever stands between.
_INVISIBLE = tuple(
    (re.compile(start, re.IGNORECASE), re.compile(end, re.IGNORECASE))
    for start, end in (
        (r"<!--", r"-->"),
        (r"<script\b[^<>]*>", r"</script\s*>"),
        (r"<style\b[^<>]*>", r"</style\s*>"),
        (r"<head\b[^<>]*>", r"</head\s*>"),
    )
)

_INVISIBLE_FIRST = frozenset("!?sSſhH")


def is_html(text: str) -> bool:
    """Whether a text is HTML: a document type, an element that HTML knows and that is closed, or a tag that needs
    no closing (``<br>``, ``<hr>``, ``<p>``, ``<li>``, table rows and cells, an image with its source).

    ``a < b``, ``<bob@example.com>``, ``<here>`` and a lone ``<address>`` or ``<b>`` are text, and so are XML of
    other names and markup that is built to exhaust a parser.
    """
    if "<" not in text:
        return False
    if re.match(r"\s*<!doctype\s+html\b", text, re.IGNORECASE):
        return _is_tame(text)
    opened: set[str] = set()
    for tag in _TAG.finditer(text):
        name = tag["name"].lower()
        if name not in _KNOWN:
            continue
        if tag["close"]:
            if name in opened:
                return _is_tame(text)
        elif name in _NEVER_CLOSED or (name == "img" and re.search(r"\ssrc\s*=", tag[0], re.IGNORECASE)):
            return _is_tame(text)
        else:
            opened.add(name)
    return False


def _is_tame(text: str) -> bool:
    """Whether the parser gets by with time and room in proportion to the text. Its time grows with the square of
    the nesting and of the references (``&``) in one run of text, and it repeats open formatting in each paragraph:
    80,000 nested ``<div>`` took 70 s. Mail of people nests less than its length by far."""
    tags = text.count("<")
    if tags + text.count("&") <= _MOST_REFERENCES and tags * tags <= 400_000:
        return True  # whatever they are: mail of people ends here
    depth = nested = end = 0
    for tag in _TAG.finditer(text):
        name = tag["name"].lower()
        if name not in _KNOWN:
            continue
        if text.count("&", end, tag.start()) + text.count("<", end, tag.start()) > _MOST_REFERENCES:
            return False
        end = tag.end()
        if tag["close"]:
            depth = max(0, depth - (name not in _NEVER_CLOSED))
            continue
        nested += depth
        depth += name not in _NEVER_CLOSED and name not in _VOID
        if nested > 2 * len(text) + 200_000:
            return False
    return text.count("&", end) + text.count("<", end) <= _MOST_REFERENCES


_CLEANER = nh3.Cleaner(
    tags=set(_ALLOWED),
    clean_content_tags=set(_REMOVED),
    attributes={
        "*": {"dir", "lang", "title"},
        "a": {"href"},
        "col": {"span"},
        "colgroup": {"span"},
        "font": {"color", "face", "size"},
        "img": {"alt", "height", "src", "width"},
        "ol": {"start", "type"},
        "table": {"border", "cellpadding", "cellspacing", "width"},
        "td": {"align", "colspan", "rowspan", "valign", "width"},
        "th": {"align", "colspan", "rowspan", "scope", "valign", "width"},
        "time": {"datetime"},
    },
    url_schemes={"http", "https", "mailto", "tel"},
    # A path of the legacy system would point into HubSpot.
    url_relative="deny",
    link_rel="noopener noreferrer",
)


def sanitize(text: str) -> str:
    """HTML without what can run, load or restyle (script, style, frames, ``on...``, ``javascript:``), formatting,
    links, lists and tables kept. What is written like a tag and is none stays visible. In text that is laid out
    by line breaks and not by tags, these become ``<br>``. Sanitizing twice changes nothing."""
    clean = _CLEANER.clean(_protected(text))
    # HTML that closes its elements in the wrong order may take the parser more than one turn to settle.
    for _ in range(10):
        again = _CLEANER.clean(clean)
        if again == clean:
            break
        clean = again
    else:
        return _with_breaks(_escape(text))
    if any(tag["name"].lower() in _BLOCKS for tag in _TAG.finditer(clean)):
        return clean
    return "".join(piece if piece.startswith("<") else _with_breaks(piece) for piece in _PIECE.findall(clean))


def _protected(text: str) -> str:
    """The text with each ``<`` that opens no tag of HTML escaped, and without what is invisible anyway: the parser
    would take ``<bob@example.com>`` for an unknown element and drop it, and what follows an unclosed comment or
    script with it."""
    out: list[str] = []
    end = 0
    unclosed: set[int] = set()
    while (start := text.find("<", end)) >= 0:
        out.append(text[end:start])
        if (end := _end_of_invisible(text, start, unclosed)) > start:
            continue
        tag = _TAG.match(text, start)
        name = tag["name"].lower() if tag else ""
        if tag and (_OFFICE.match(name) or (name in _KNOWN and name not in {"script", "style"})):
            out.append(tag[0])
            end = tag.end()
        else:
            out.append("&lt;")
            end = start + 1
    out.append(text[end:])
    return "".join(out)


def _end_of_invisible(text: str, start: int, unclosed: set[int]) -> int:
    """Where what is invisible from ``start`` on ends; ``start`` when it is visible. ``unclosed`` remembers what
    does not close in the rest of the text, so that it is searched once."""
    if text[start + 1 : start + 2] not in _INVISIBLE_FIRST:  # one look instead of five patterns: most tags end here
        return start
    if declaration := _DECLARATION.match(text, start):
        return declaration.end()
    for kind, (opening, closing) in enumerate(_INVISIBLE):
        if kind not in unclosed and (opened := opening.match(text, start)):
            if closed := closing.search(text, opened.end()):
                return closed.end()
            unclosed.add(kind)
    return start


# --- Splitting ------------------------------------------------------------------------------------------------

_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_LINE = re.compile(r"([^\r\n]*)(\r\n|\r|\n|\Z)")
_WORD = re.compile(r"\S{1,64}\s?|\s")
_ENTITY_OR_WORD = re.compile(r"&(?:[A-Za-z]+|#\d+);|[^\s&]{1,64}\s?|\s|&")
# A tag or a text, as the sanitizer writes them: attributes in double quotes, "<" of a text escaped.
_PIECE = re.compile(r"""<(?:[^"<>]|"[^"]*")*>|[^<]+""")
_PARAGRAPHS = _names("blockquote div dl h1 h2 h3 h4 h5 h6 hr ol p pre table ul")
_LINES = _names("br dd dt li tr")


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


def _split(atoms: Iterable[_Atom], room: int) -> Iterator[tuple[str, str]]:
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


def _text_atoms(text: str, limit: int) -> Iterator[_Atom]:
    for match in _LINE.finditer(text):
        line, line_break = match.groups()
        end = "<br>" if line_break else ""
        html = _escape(line) + end
        width = _units(html)
        if width <= limit // 8:
            yield _Atom(html, match[0], width, 2 if line else 3)
            continue
        for word in _WORD.findall(line):
            html = _escape(word)
            yield _Atom(html, word, _units(html), int(word[-1].isspace()))
        yield _Atom(end, line_break, len(end), 2)


def _html_atoms(clean: str, limit: int) -> Iterator[_Atom]:
    """Tags that would leave no room for text are left out: attributes over an eighth of a part, and elements
    nested so deep that opening them again takes a quarter."""
    kept: list[int] = []  # per open element the width of its tags, 0 when left out
    depth = 0  # the sum of these
    for piece in _PIECE.findall(clean):
        width = _units(piece)
        if not piece.startswith("<"):
            for words in [piece] if width <= limit // 8 else _ENTITY_OR_WORD.findall(piece):
                yield _Atom(words, "", _units(words), int(words[-1].isspace()))
            continue
        name = _tag_name(piece)
        ends = 3 if name in _PARAGRAPHS else 2 if name in _LINES else 0
        if piece.startswith("</"):
            if closed := kept.pop():
                depth -= closed
                yield _Atom(piece, "", 0, ends, closes=True)
            continue
        tag, width = (piece, width) if width <= limit // 8 else (f"<{name}>", len(name) + 2)
        if name in _VOID:
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


# --- Text -----------------------------------------------------------------------------------------------------


def _plain(clean: str) -> str:
    """Sanitized HTML as plain text: a line per line and paragraph, everything else on one line."""
    out: list[str] = []
    for piece in _PIECE.findall(clean):
        if not piece.startswith("<"):
            out.append(re.sub(r"\s+", " ", html_entities.unescape(piece)))
        elif (name := _tag_name(piece)) in _PARAGRAPHS or name in _LINES:
            out.append("\n")
        elif name in {"td", "th"}:
            out.append(" ")
    lines = (" ".join(line.split()) for line in "".join(out).split("\n"))
    return "\n".join(line for line in lines if line)


def _units(text: str) -> int:
    """UTF-16 units, of which there are never fewer than code points."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _escape(text: str) -> str:
    return html_entities.escape(text, quote=False)


def _with_breaks(text: str) -> str:
    return _LINE_BREAK.sub("<br>", text)


def _opening(part: int, parts: int, title: str) -> str:
    return f"<p>Part {part} of {parts} of “{_escape(' '.join(title.split()))}”</p>"
