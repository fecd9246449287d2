"""Bodies rendered in Python: what counts as HTML, what the sanitizer keeps, and how a long body is split. The
rendered HTML is read back with ``html.parser``, which the code under test does not use."""

from __future__ import annotations

import html
import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ic_assets.activities.engine.derivatives.bodies import is_html, render_body, sanitize
from ic_assets_tests.budget import examples

VOID = {"br", "hr", "img", "col", "wbr"}
OPENING = re.compile(r"<p>Part (\d+) of (\d+) of “(.*?)”</p>")


class Reader(HTMLParser):
    """Text and tags of HTML; refuses what is not nested properly."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == [], f"left open: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "br":
            self.text += "\n"
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def cleaned(text: str) -> str:
    sanitized = sanitize(text)
    assert sanitized is not None, "too much for the parser"
    return sanitized.html


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def words(text: str) -> str:
    return "".join(text.split())


def without_openings(parts: list[str], title: str) -> list[str]:
    """The parts without the line that says which part they are, which has to be right."""
    bare = parts[:1]
    for number, part in enumerate(parts[1:], 2):
        opening = OPENING.match(part)
        assert opening, part[:80]
        assert opening.groups() == (str(number), str(len(parts)), html.escape(title, quote=False))
        bare.append(part[opening.end() :])
    return bare


# --- What is HTML ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "<p>Dear Ann</p>",
        "<P CLASS=x>Dear Ann",
        "line<br>line",
        "line<br/>line",
        "see <a href='https://example.com'>here</a>",
        "<b>bold</b> and <bob@example.com>",
        "<!DOCTYPE html><html><body>x</body></html>",
        "<table><tr><td width=100%>x",
        '<img src="https://example.com/a.png">',
        "<script>alert(1)</script>",
        "<ul><li>x</ul>",
    ],
)
def test_text_with_elements_that_html_knows_is_html(text: str) -> None:
    assert is_html(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        "a < b and c > d",
        "a <b and c> d",
        "1<2",
        "<bob@example.com>",
        "Bob <b@example.com> wrote",
        "<https://example.com/a/b>",
        "<here>",
        "meet at <address> on <time>",
        "<order><id>5</id></order>",
        "<<< >>>",
        "AT&T",
        "</p>",
        "<p",
        "<!-- remark -->",
        '<p class="never closed> text',
        "List<String> x = new ArrayList<>();",
    ],
)
def test_text_with_angle_brackets_is_not_html(text: str) -> None:
    assert not is_html(text)
    [part] = render_body(text, title="T").parts
    assert (part.html, part.text) == (html.escape(text, quote=False), text)


# --- What the sanitizer keeps ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("<p>a<script>alert('<p>')</script>b</p>", "<p>ab</p>"),
        ("<style>p {}</style><p onclick='x()' style='color:red'>a</p>", "<p>a</p>"),
        ("<!DOCTYPE html><head><title>t</title></head><p>a</p>", "<p>a</p>"),
        ("<p><a href='javascript:x()'>a</a></p>", '<p><a rel="noopener noreferrer">a</a></p>'),
        ("<p><a href='/crm/7'>a</a></p>", '<p><a rel="noopener noreferrer">a</a></p>'),
        (
            "<p><a href='https://example.com/?a=1&b=2'>a</a></p>",
            '<p><a href="https://example.com/?a=1&amp;b=2" rel="noopener noreferrer">a</a></p>',
        ),
        ("<p>a<img src=https://example.com/x.png onerror=x()></p>", '<p>a<img src="https://example.com/x.png"></p>'),
        (
            "<table><tr><td colspan=2>a</td></tr></table>",
            '<table><tbody><tr><td colspan="2">a</td></tr></tbody></table>',
        ),
        ("<ol start=3><li>a<li>b</ol>", '<ol start="3"><li>a</li><li>b</li></ol>'),
        ("<p>from <bob@example.com></p>", "<p>from &lt;bob@example.com&gt;</p>"),
        ("<p>press <enter> &amp; go, 1 < 2</p>", "<p>press &lt;enter&gt; &amp; go, 1 &lt; 2</p>"),
        ("<p>word<o:p></o:p></p>", "<p>word</p>"),
        ("<p>a</p><!-- b --><![if x]>c<![endif]>", "<p>a</p>c"),
        ('<p>cut off <a href="https://exa', '<p>cut off &lt;a href="https://exa</p>'),
        ("<p>a</p><!-- never closed b", "<p>a</p>&lt;!-- never closed b"),
        ("<p>a</p><script>never closed", "<p>a</p>&lt;script&gt;never closed"),
        ("<form><input value=x>a</form><iframe src=x>b</iframe>", "a[embedded page left out]"),
        ("<p>a<img src='data:image/png;base64,iVBO'>b</p>", "<p>a[image left out]b</p>"),
        ("<p>a<img alt=x src=cid:7@example.com>b</p>", "<p>a[image left out]b</p>"),
        ("<p>a<object data=x><embed src=y>z</object>b</p>", "<p>a[attachment left out]b</p>"),
        ("<p>a<svg><g></g></svg>b</p>", "<p>a[image left out]b</p>"),
        ("<p>a</p><video src=x>never closed", "<p>a</p>&lt;video src=x&gt;never closed"),
        ("> quoted\n>> twice\n<br>tail", "&gt; quoted<br>&gt;&gt; twice<br><br>tail"),
        ("one<br>\ntwo<br>\nthree", "one<br>\ntwo<br>\nthree"),
        ("<b>one</b>\r\ntwo\nthree", "<b>one</b><br>two<br>three"),
        ("<p>one\ntwo</p>", "<p>one\ntwo</p>"),
        ("Subject\n\n<b>bold</b> text<p>x</p>", "Subject<br><br><b>bold</b> text<p>x</p>"),
        ("\n\n<p>x</p>", "\n\n<p>x</p>"),
        ("<b>é 漢 😀 \u00a0</b>", "<b>é 漢 😀 &nbsp;</b>"),
    ],
)
def test_formatting_stays_and_what_runs_or_loads_goes(text: str, clean: str) -> None:
    assert cleaned(text) == clean


TAGS = re.findall(
    r"\S+",
    """<p> </p> <b> </b> <i> <a </a> <table> <tr> <td> </table> <ul> <li> <div <div> </div> <br> <pre> </pre> <script>
    </script> <style> </style> <svg> <math> <mi> </svg> <x> <bob@e.test> <!-- --> <![CDATA[ ]]> <!doctype> <textarea>
    <title> <select> <option> <template> <noscript> <plaintext> <iframe> </iframe> <o:p> <h1> <form> <input> <caption>
    <tbody> < > & &amp; &lt; &lt;script&gt; &#60; &nbsp; ' " = / onload=x javascript:""",
)
SPACED = ["<a href='x'>", "<a href=javascript:x>", "<img src=x onerror=y>", "<font color=red>", " ", "\n", "\r\n"]
CONTROLS = "".join(chr(code) for code in range(32) if chr(code) not in "\t\n\r")
# Without ";" nothing is a character reference.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=CONTROLS + ";"), max_size=30)
MARKUP = st.lists(st.sampled_from(TAGS) | st.sampled_from(SPACED) | TEXT, max_size=25).map("".join)


@given(MARKUP)
@settings(max_examples=examples(120), deadline=None)
def test_sanitizing_twice_changes_nothing_and_leaves_nothing_that_runs(text: str) -> None:
    clean = cleaned(text)
    assert cleaned(clean) == clean
    read = Reader(clean)
    assert not {"script", "style", "iframe", "svg", "math", "form", "input", "object"} & set(read.tags)
    for tag, name, value in read.attributes:
        assert not name.startswith("on"), (tag, name)
        if name in {"href", "src"}:
            assert value.split(":")[0] in {"http", "https", "mailto", "tel"}


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40))
@settings(max_examples=examples(60), deadline=None)
def test_text_between_tags_is_never_lost(text: str) -> None:
    shown = html.escape(text)
    assert words(Reader(cleaned(f"<p>{shown}</p><div>{shown}</div>")).text) == words(text) * 2


# --- Splitting ------------------------------------------------------------------------------------------------

LINES = ["word ", "a & b < c ", "\n", "\r\n", "\r", "\n\n", "x" * 300, "😀" * 90, "&" * 200, "line " * 60 + "\n"]
PROSE = st.lists(st.sampled_from(LINES) | st.just("word " * 150) | TEXT, min_size=10, max_size=60).map("".join)


@given(PROSE, st.integers(2_000, 4_000))
@settings(max_examples=examples(50), deadline=None)
def test_the_parts_of_a_plain_text_give_the_whole_text_back(text: str, limit: int) -> None:
    if is_html(text):
        return
    parts = render_body(text, title="A & B", limit=limit).parts
    assert "".join(part.text for part in parts) == text
    assert [part.part for part in parts] == list(range(1, len(parts) + 1))
    assert max(units(part.html) for part in parts) <= limit
    shown = "".join(
        html.unescape(part.replace("<br>", "\n")) for part in without_openings([p.html for p in parts], "A & B")
    )
    assert shown == text.replace("\r\n", "\n").replace("\r", "\n")


ELEMENTS = [
    "<p>word word</p>",
    "<ul><li>one</li><li>two &amp; &lt;three&gt;</li></ul>",
    "<b>bold <i>both</i></b>",
    "<br>",
    "<table><tr><td>cell</td><td>" + "long " * 100 + "</td></tr></table>",
    "<pre>x\n  y</pre>",
    "&nbsp;",
    "<blockquote>" * 40 + "deep" + "</blockquote>" * 40,
    "<a href='https://example.com/'>link</a>",
    f"<a href='https://example.com/{'x' * 900}'>long link</a>",
    "z" * 500,
    "😀" * 200,
    "<div>",
    "</div>",
]


@given(
    st.lists(st.sampled_from(ELEMENTS) | TEXT.map(html.escape), min_size=10, max_size=60).map("".join),
    st.integers(2_000, 4_000),
)
@settings(max_examples=examples(50), deadline=None)
def test_the_parts_of_html_are_whole_html_each_and_hold_all_of_its_text(body: str, limit: int) -> None:
    text = f"<div>{body}</div>"
    parts = render_body(text, title="T", limit=limit).parts
    assert max(units(part.html) for part in parts) <= limit
    shown = [Reader(part).text for part in without_openings([part.html for part in parts], "T")]
    assert words("".join(shown)) == words(Reader(cleaned(text)).text)
    assert words("".join(part.text for part in parts)) == words("".join(shown))


def test_a_part_ends_after_a_paragraph_where_it_can() -> None:
    paragraph = "A sentence of some words. " * 20 + "\n" + "Another line.\n\n"
    parts = render_body(paragraph * 20, title="T", limit=4_000).parts
    assert len(parts) > 2
    assert all(part.text.endswith("\n\n") for part in parts)
    html_parts = render_body("".join(f"<p>{'word ' * 100}</p>" for _ in range(20)), title="T", limit=4_000).parts
    assert all(part.html.endswith("</p>") and "<p></p>" not in part.html for part in html_parts)


def test_a_part_ends_after_a_word_where_there_is_no_line() -> None:
    word = "long" * 30 + " "
    parts = render_body(word * 100, title="T", limit=4_000).parts
    assert len(parts) > 2
    assert all(part.text.endswith(word) for part in parts)


def test_an_element_that_is_open_at_the_end_of_a_part_goes_on_in_the_next() -> None:
    parts = render_body('<ul dir="ltr"><li><b>' + "word " * 1_000 + "</b></li></ul>", title="A <b>", limit=4_000).parts
    first, second = parts[0].html, parts[1].html
    assert first.startswith('<ul dir="ltr"><li><b>word')
    assert first.endswith("</b></li></ul>")
    assert second.startswith('<p>Part 2 of 2 of “A &lt;b&gt;”</p><ul dir="ltr"><li><b>word')


def test_a_body_at_the_limit_is_one_part_and_one_character_more_makes_two() -> None:
    assert len(render_body("x" * 65_536, title="T").parts) == 1
    assert len(render_body("x" * 65_537, title="T").parts) == 2
    # An astral character is two UTF-16 units, by which HubSpot may count.
    assert len(render_body("😀" * 32_768, title="T").parts) == 1
    assert len(render_body("😀" * 32_769, title="T").parts) == 2


def test_a_long_title_is_cut_in_the_opening_line() -> None:
    parts = render_body("x" * 5_000, title="long\ntitle " * 50, limit=4_000).parts
    assert parts[1].html.startswith("<p>Part 2 of 2 of “long title long title ")
    assert "…”</p>" in parts[1].html


# --- What a text says -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "readable"),
    [
        ("L&#39;offre &amp; la r&eacute;ponse, 5 &lt; 6", "L'offre & la réponse, 5 < 6"),
        ("AT&T, R&D; &copying &unknown; &amp;lt;", "AT&T, R&D; &copying &unknown; &lt;"),
        ("bell\x07 vt\x0b ff\x0c esc\x1b us\x1f&#7;\ttab\nline", "bell vt ff esc us\ttab\nline"),
        (
            r"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}}\f0\fs20 Called the \b customer\b0 .\par\'e9\u8364?}",
            "Called the customer.\né€",
        ),
        ("Subject\n\n{\\rtf1 note}", "Subject\n\nnote"),
        ("Subject\n\n\n {\\rtf1 note}", "Subject\n\n\n note"),
        ("Subject\n{\\rtf1 note}", "Subject\n{\\rtf1 note}"),
        ("in a text {\\rtf1 is no document}", "in a text {\\rtf1 is no document}"),
        ("{\\rtf1 \\u" + "9" * 400 + "}", "{\\rtf1 \\u" + "9" * 400 + "}"),
    ],
)
def test_references_rtf_and_control_characters_become_what_they_say(text: str, readable: str) -> None:
    body = render_body(text, title="T")
    assert body.readable == readable
    assert html.unescape(body.parts[0].html.replace("<br>", "\n")) == readable
    assert body.warning is None


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("<p>a<img src='data:x'><img src=cid:1><embed src=x></p>", "1 x [attachment left out], 2 x [image left out]"),
        (r"{\rtf1 a {\*\shppict{\pict\pngblip 89}}{\nonshppict{\pict 01}} b}", "1 x [image left out]"),
        (r"{\rtf1 a {\pict\pngblip 89} b {\object\objemb x}}", "1 x [attachment left out], 1 x [image left out]"),
    ],
)
def test_what_is_left_out_leaves_a_placeholder_and_is_counted(text: str, warning: str) -> None:
    body = render_body(text, title="T")
    assert body.warning == ("content_left_out", warning)
    for counted in warning.split(", "):
        number, words_left_out = counted.split(" x ")
        assert body.parts[0].html.count(words_left_out) == int(number)


@pytest.mark.parametrize(
    "hostile",
    [
        # 0.8 MB that took 42 s and made 40 MB: each paragraph opens again what the first left open.
        "<p>" + "".join(f"<font color=c{n}>" for n in range(16)) + "x</p>" + "<p>x</p>" * 100_000,
        "<p>x</p>" * 60_000,
        "<p>" + "y" * 2_200_000 + "</p>",
        "<div>" * 3_000 + "</div>" * 3_000,
    ],
    ids=["formatting left open", "tags", "size", "depth"],
)
def test_html_that_would_exhaust_the_parser_is_shown_as_text_and_counted(hostile: str) -> None:
    started = time.perf_counter()
    body = render_body(hostile, title="T")
    assert time.perf_counter() - started < 10
    assert body.warning == ("html_as_text", f"{len(hostile):,} characters")
    assert body.parts[0].html.startswith(html.escape(hostile[:200], quote=False))


@pytest.mark.parametrize(
    "hostile",
    [
        '<a href="',
        "<p a='",
        "<!--",
        "<script>",
        "<p ",
        "<div>",
        "<a b=c d",
        "</",
        "<b><i>",
        "<table><tr><td>",
        "&",
        "&amp;",
        "<x>",
    ],
)
def test_hostile_text_is_rendered_in_linear_time(hostile: str) -> None:
    """A quadratic step would take minutes for this much."""
    text = "<b>x</b>" + hostile * (300_000 // len(hostile))
    started = time.perf_counter()
    render_body(text, title="T")
    assert time.perf_counter() - started < 10
