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

from ic_assets.activities.engine.bodies import is_html, render_body, sanitize

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
        "AT&amp;T",
        "</p>",
        "<p",
        "<!-- remark -->",
        '<p class="never closed> text',
        "List<String> x = new ArrayList<>();",
    ],
)
def test_text_with_angle_brackets_is_not_html(text: str) -> None:
    assert not is_html(text)
    [part] = render_body(text, title="T")
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
        ("<form><input value=x>a</form><iframe src=x>b</iframe>", "a"),
        ("<b>one</b>\r\ntwo\nthree", "<b>one</b><br>two<br>three"),
        ("<p>one\ntwo</p>", "<p>one\ntwo</p>"),
        ("<b>é 漢 😀 \u00a0</b>", "<b>é 漢 😀 &nbsp;</b>"),
    ],
)
def test_formatting_stays_and_what_runs_or_loads_goes(text: str, clean: str) -> None:
    assert sanitize(text) == clean


TAGS = re.findall(
    r"\S+",
    """<p> </p> <b> </b> <i> <a </a> <table> <tr> <td> </table> <ul> <li> <div <div> </div> <br> <pre> </pre> <script>
    </script> <style> </style> <svg> <math> <mi> </svg> <x> <bob@e.test> <!-- --> <![CDATA[ ]]> <!doctype> <textarea>
    <title> <select> <option> <template> <noscript> <plaintext> <iframe> </iframe> <o:p> <h1> <form> <input> <caption>
    <tbody> < > & &amp; &lt; &lt;script&gt; &#60; &nbsp; ' " = / onload=x javascript:""",
)
SPACED = ["<a href='x'>", "<a href=javascript:x>", "<img src=x onerror=y>", "<font color=red>", " ", "\n", "\r\n"]
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
MARKUP = st.lists(st.sampled_from(TAGS) | st.sampled_from(SPACED) | TEXT, max_size=25).map("".join)


@given(MARKUP)
@settings(max_examples=400, deadline=None)
def test_sanitizing_twice_changes_nothing_and_leaves_nothing_that_runs(text: str) -> None:
    clean = sanitize(text)
    assert sanitize(clean) == clean
    read = Reader(clean)
    assert not {"script", "style", "iframe", "svg", "math", "form", "input", "object"} & set(read.tags)
    for tag, name, value in read.attributes:
        assert not name.startswith("on"), (tag, name)
        if name in {"href", "src"}:
            assert value.split(":")[0] in {"http", "https", "mailto", "tel"}


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40))
@settings(max_examples=200, deadline=None)
def test_text_between_tags_is_never_lost(text: str) -> None:
    shown = html.escape(text)
    assert words(Reader(sanitize(f"<p>{shown}</p><div>{shown}</div>")).text) == words(text) * 2


# --- Splitting ------------------------------------------------------------------------------------------------

LINES = ["word ", "a & b < c ", "\n", "\r\n", "\r", "\n\n", "x" * 300, "😀" * 90, "&" * 200, "line " * 60 + "\n"]
PROSE = st.lists(st.sampled_from(LINES) | st.just("word " * 150) | TEXT, min_size=10, max_size=60).map("".join)


@given(PROSE, st.integers(2_000, 4_000))
@settings(max_examples=150, deadline=None)
def test_the_parts_of_a_plain_text_give_the_whole_text_back(text: str, limit: int) -> None:
    if is_html(text):
        return
    parts = render_body(text, title="A & B", limit=limit)
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
@settings(max_examples=150, deadline=None)
def test_the_parts_of_html_are_whole_html_each_and_hold_all_of_its_text(body: str, limit: int) -> None:
    text = f"<div>{body}</div>"
    parts = render_body(text, title="T", limit=limit)
    assert max(units(part.html) for part in parts) <= limit
    shown = [Reader(part).text for part in without_openings([part.html for part in parts], "T")]
    assert words("".join(shown)) == words(Reader(sanitize(text)).text)
    assert words("".join(part.text for part in parts)) == words("".join(shown))


def test_a_part_ends_after_a_paragraph_where_it_can() -> None:
    paragraph = "A sentence of some words. " * 20 + "\n" + "Another line.\n\n"
    parts = render_body(paragraph * 20, title="T", limit=4_000)
    assert len(parts) > 2
    assert all(part.text.endswith("\n\n") for part in parts)
    html_parts = render_body("".join(f"<p>{'word ' * 100}</p>" for _ in range(20)), title="T", limit=4_000)
    assert all(part.html.endswith("</p>") and "<p></p>" not in part.html for part in html_parts)


def test_a_part_ends_after_a_word_where_there_is_no_line() -> None:
    word = "long" * 30 + " "
    parts = render_body(word * 100, title="T", limit=4_000)
    assert len(parts) > 2
    assert all(part.text.endswith(word) for part in parts)


def test_an_element_that_is_open_at_the_end_of_a_part_goes_on_in_the_next() -> None:
    parts = render_body('<ul dir="ltr"><li><b>' + "word " * 1_000 + "</b></li></ul>", title="A <b>", limit=4_000)
    first, second = parts[0].html, parts[1].html
    assert first.startswith('<ul dir="ltr"><li><b>word')
    assert first.endswith("</b></li></ul>")
    assert second.startswith('<p>Part 2 of 2 of “A &lt;b&gt;”</p><ul dir="ltr"><li><b>word')


def test_a_body_at_the_limit_is_one_part_and_one_character_more_makes_two() -> None:
    assert len(render_body("x" * 65_536, title="T")) == 1
    assert len(render_body("x" * 65_537, title="T")) == 2
    # An astral character is two UTF-16 units, by which HubSpot may count.
    assert len(render_body("😀" * 32_768, title="T")) == 1
    assert len(render_body("😀" * 32_769, title="T")) == 2


def test_a_long_title_is_cut_in_the_opening_line() -> None:
    parts = render_body("x" * 5_000, title="long\ntitle " * 50, limit=4_000)
    assert parts[1].html.startswith("<p>Part 2 of 2 of “long title long title ")
    assert "…”</p>" in parts[1].html


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
