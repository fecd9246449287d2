"""Text that is HTML already: what counts as HTML, and what of it HubSpot may show.

What cannot be shown (an image that lives inside the mail, an embedded object) leaves a placeholder, and what is too large or
too entangled for the parser is taken as text: both are told to the caller, who keeps a warning.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

import nh3

from ic_assets.activities.engine.derivatives.body_text import (
    IMAGE_LEFT_OUT,
    LINE_BREAK,
    OBJECT_LEFT_OUT,
    escape,
    with_breaks,
)


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
# What a person would miss of the removed; script, style and the like are nothing that was ever seen.
_LEFT_OUT = {
    **dict.fromkeys(("canvas", "svg"), IMAGE_LEFT_OUT),
    **dict.fromkeys(("applet", "embed", "object"), OBJECT_LEFT_OUT),
    **dict.fromkeys(("frame", "frameset", "iframe"), "[embedded page left out]"),
    "audio": "[audio left out]",
    "math": "[formula left out]",
    "video": "[video left out]",
}
_KNOWN = _ALLOWED | _REMOVED | _UNWRAPPED
VOID = _names("br col hr img wbr")
# Need no closing tag, and are no words that people put in angle brackets.
_NEVER_CLOSED = _names("br hr li p td th tr")
# Bounds of what the parser is given (``_is_tame``).
_MOST_CHARACTERS = 2 * 1024 * 1024
_MOST_TAGS = 100_000
# The square of so many is below the other bounds.
_FEW_TAGS = 600
_MOST_REFERENCES = 100_000
_MOST_NESTED = 1_000_000
_MOST_REOPENED = 100_000
# Opened again in each block after the one that they were left open in.
_FORMATTING = _names("a b big code em font i s small strike strong tt u")
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
# Text whose tags all stay as they are, as most mail is written: one pattern instead of a look at each ``<``.
_ALL_STAY = re.compile(
    rf"""(?:[^<]++|</?(?:{"|".join(sorted(_KNOWN - _REMOVED - {"img"}))})(?:\s++[A-Za-z-]++="[^"<]*+")*+\s*+/?>)*+""",
    re.IGNORECASE | re.ASCII,
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
        (r"<noembed\b[^<>]*>", r"</noembed\s*>"),
        (r"<noframes\b[^<>]*>", r"</noframes\s*>"),
        (r"<noscript\b[^<>]*>", r"</noscript\s*>"),
        (r"<template\b[^<>]*>", r"</template\s*>"),
    )
)

_INVISIBLE_FIRST = frozenset("!?sSſhHnNtT")
_SOURCE = re.compile(r"""[\s"'/]src\s*+=\s*+(?P<address>"[^"]*+"|'[^']*+'|[^\s"'<>`]++)""", re.IGNORECASE)
_EMPTY = _names("embed frame")
# A tag or a text, as the sanitizer writes them: attributes in double quotes, "<" of a text escaped.
PIECE = re.compile(r"""<(?:[^"<>]|"[^"]*")*>|[^<]+""")


def is_html(text: str) -> bool:
    """Whether a text is HTML: a document type, an element that HTML knows and that is closed, or a tag that needs
    no closing (``<br>``, ``<hr>``, ``<p>``, ``<li>``, table rows and cells, an image with its source).

    ``a < b``, ``<bob@example.com>``, ``<here>`` and a lone ``<address>`` or ``<b>`` are text, and so are XML of
    other names and markup that is built to exhaust a parser.
    """
    if "<" not in text:
        return False
    if re.match(r"\s*<!doctype\s+html\b", text, re.IGNORECASE):
        return True
    opened: set[str] = set()
    for tag in _TAG.finditer(text):
        name = tag["name"].lower()
        if name not in _KNOWN:
            continue
        if tag["close"]:
            if name in opened:
                return True
        elif name in _NEVER_CLOSED or (name == "img" and re.search(r"\ssrc\s*=", tag[0], re.IGNORECASE)):
            return True
        else:
            opened.add(name)
    return False


def _is_tame(text: str) -> bool:
    """Whether the parser gets by with time and room in proportion to the text. Its time grows with the square of the
    nesting and of the references (``&``) in one run of text, and it opens formatting that was left open (``<p><b>x</p>``)
    again in each paragraph: 80,000 nested ``<div>`` took 70 s, 0.8 MB of paragraphs after 16 open ``<font>`` 42 s and
    40 MB. Mail of people stays far below each bound; 1 MB of it takes about a second."""
    if len(text) > _MOST_CHARACTERS:
        return False
    if text.count("<") <= _FEW_TAGS and text.count("&") <= _FEW_TAGS:
        return True  # whatever they are: mail of people ends here
    depth = nested = reopened = formatting = tags = end = 0
    for tag in _TAG.finditer(text):
        name = tag["name"].lower()
        if name not in _KNOWN:
            continue
        if text.count("&", end, tag.start()) + text.count("<", end, tag.start()) > _MOST_REFERENCES:
            return False
        end = tag.end()
        tags += 1
        step = 0 if name in _NEVER_CLOSED or name in VOID else -1 if tag["close"] else 1
        depth = max(0, depth + step)
        if name in _FORMATTING:
            formatting = max(0, formatting + step)
        elif name in _BLOCKS:
            reopened += formatting
        nested += depth
        if tags > _MOST_TAGS or nested > _MOST_NESTED or reopened > _MOST_REOPENED:
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


class Sanitized(NamedTuple):
    """HTML that HubSpot may show, and how often each placeholder stands in it for what was left out."""

    html: str
    left_out: Counter[str]


def sanitize(text: str) -> Sanitized | None:
    """HTML without what can run, load or restyle (script, style, frames, ``on...``, ``javascript:``), formatting,
    links, lists and tables kept. What is written like a tag and is none stays visible. In text that is laid out
    by line breaks and not by tags, these become ``<br>``. Sanitizing twice changes nothing. None: too much for the
    parser, by size, tags or nesting, and to be shown as the text that it is."""
    left_out: Counter[str] = Counter()
    protected = _protected(text, left_out)
    if not _is_tame(protected):
        return None
    clean = _CLEANER.clean(protected)
    # HTML that closes its elements in the wrong order may take the parser more than one turn to settle.
    for _ in range(10):
        again = _CLEANER.clean(clean)
        if again == clean:
            break
        clean = again
    else:
        return Sanitized(with_breaks(escape(text)), Counter())
    if not _is_laid_out_by_tags(clean):
        clean = "".join(piece if piece.startswith("<") else with_breaks(piece) for piece in PIECE.findall(clean))
    else:
        # A subject stands before the note, with a blank line between them that no tag makes.
        before, tag, rest = clean.partition("<")
        if before.strip():
            clean = before.replace("\n\n", "<br><br>") + tag + rest
    return Sanitized(clean, left_out)


def _is_laid_out_by_tags(clean: str) -> bool:
    """Whether line breaks of the source mean nothing. A ``<br>`` alone does not say so: in text with more line breaks of
    its own it is a stray one."""
    breaks = 0
    for tag in _TAG.finditer(clean):
        name = tag["name"].lower()
        if name == "br":
            breaks += 1
        elif name in _BLOCKS:
            return True
    return breaks > 0 and breaks >= len(LINE_BREAK.findall(clean.strip()))


def _protected(text: str, left_out: Counter[str]) -> str:
    """The text with each ``<`` that opens no tag of HTML escaped, without what is invisible anyway, and with placeholders
    for what nobody could see in HubSpot: the parser would take ``<bob@example.com>`` for an unknown element and drop it,
    and what follows an unclosed comment, script or video with it."""
    if _ALL_STAY.fullmatch(text):
        return text
    out: list[str] = []
    end = 0
    unclosed: set[int | str] = set()
    while (start := text.find("<", end)) >= 0:
        out.append(text[end:start])
        if (end := _end_of_invisible(text, start, unclosed)) > start:
            continue
        tag = _TAG.match(text, start)
        name = tag["name"].lower() if tag else ""
        if tag and name in _LEFT_OUT and not tag["close"] and (closed := _end_of_element(text, tag, unclosed)):
            end = closed
            out.append(_placeholder(_LEFT_OUT[name], left_out))
        elif tag and name == "img" and not _is_on_the_web(tag[0]):
            end = tag.end()
            out.append(_placeholder(IMAGE_LEFT_OUT, left_out))
        elif tag and tag["close"] and name in _REMOVED:
            end = tag.end()
        elif tag and (_OFFICE.match(name) or (name in _KNOWN and name not in _REMOVED)):
            end = tag.end()
            out.append(tag[0])
        else:
            out.append("&lt;")
            end = start + 1
    out.append(text[end:])
    return "".join(out)


def _placeholder(words: str, left_out: Counter[str]) -> str:
    left_out[words] += 1
    return words


def _is_on_the_web(image: str) -> bool:
    """Whether an ``<img>`` can be loaded from where HubSpot is; one without a source shows nothing and is let be."""
    source = _SOURCE.search(image)
    return source is None or source["address"].strip("\"' \t\r\n").lower().startswith(("https://", "http://"))


def _end_of_element(text: str, tag: re.Match[str], unclosed: set[int | str]) -> int | None:
    """Where an element that is left out ends; None when it never does, and is shown as text."""
    name = tag["name"].lower()
    if name in _EMPTY or tag[0].endswith("/>"):
        return tag.end()
    if name not in unclosed and (closed := re.compile(rf"</{name}\s*+>", re.IGNORECASE).search(text, tag.end())):
        return closed.end()
    unclosed.add(name)
    return None


def _end_of_invisible(text: str, start: int, unclosed: set[int | str]) -> int:
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
