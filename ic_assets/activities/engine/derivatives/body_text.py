"""Plain text: what a communication's text says (``readable``), and how it is written as HTML."""

from __future__ import annotations

import html as html_entities
import re

from striprtf.striprtf import rtf_to_text

from ic_assets.core.logs import log

IMAGE_LEFT_OUT = "[image left out]"
OBJECT_LEFT_OUT = "[attachment left out]"

_RTF = "{\\rtf"
# A picture stands twice where a program wrote it for old readers too; the second one is in \nonshppict.
_RTF_PICTURE = re.compile(r"\{\\\*\\shppict\b|(?<!shppict)(?<!shppict )\{\\pict\b")
_RTF_OBJECT = re.compile(r"\{\\object\b")
# C0 controls but tab and line breaks. PostgreSQL holds no U+0000.
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]+")
# Only what ends in a semicolon: html.unescape alone would read "&copy" in "a&copying".
_REFERENCE = re.compile(r"&(?:#[0-9]{1,8}|#[xX][0-9a-fA-F]{1,7}|[A-Za-z][A-Za-z0-9]{1,31});")
LINE_BREAK = re.compile(r"\r\n|\r|\n")


def from_rtf(text: str) -> str | None:
    """What an RTF document says, with placeholders for pictures and embedded objects, after what stands before it and a
    blank line (a subject); None: there is no RTF, or none that can be read."""
    before, found, rest = text.partition(_RTF)
    said_before = before.rstrip()
    if not found or (said_before and "\n\n" not in before[len(said_before) :]):
        return None
    marked = _RTF_OBJECT.sub(lambda found: f" {OBJECT_LEFT_OUT} {found[0]}", _RTF + rest)
    marked = _RTF_PICTURE.sub(lambda found: f" {IMAGE_LEFT_OUT} {found[0]}", marked)
    try:
        said: str = rtf_to_text(marked, errors="ignore")
        return before + said.strip()
    except Exception as error:  # noqa: BLE001 - the library raises whatever hostile RTF leads it to
        log.info("rtf_not_read", error=type(error).__name__, characters=len(text))
        return None


def without_controls(text: str) -> str:
    return _CONTROLS.sub("", text)


def decoded(text: str) -> str:
    """Character references (``&amp;``, ``&#39;``) as the characters that they stand for, once."""
    return _REFERENCE.sub(lambda found: html_entities.unescape(found[0]), text)


def escape(text: str) -> str:
    return html_entities.escape(text, quote=False)


def with_breaks(text: str) -> str:
    return LINE_BREAK.sub("<br>", text)


def units(text: str) -> int:
    """UTF-16 units, of which there are never fewer than code points."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
