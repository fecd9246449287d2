"""What all pages share: the layout with its styles, and the parts that several of them show. For `page_templates`."""

from __future__ import annotations

LAYOUT = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{% block title %}{% endblock %} - local HubSpot</title>
<style>
:root { color-scheme: light dark; --line: light-dark(#dfe3eb, #3b4454); --soft: light-dark(#f5f8fa, #1c222c);
  --card: light-dark(#fff, #232a35); --text: light-dark(#213343, #e6ebf2); --quiet: light-dark(#516f90, #a3b1c4);
  --link: light-dark(#00708a, #6cc7dd); --head: #213343; --warn: light-dark(#b3261e, #ff9d94);
  --good: light-dark(#1b6e3c, #7fd6a0); }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; margin: 0; background: var(--soft);
  color: var(--text); }
a { color: var(--link); }
a:focus-visible, summary:focus-visible, input:focus-visible, button:focus-visible { outline: 3px solid var(--link);
  outline-offset: 2px; }
.skip { position: absolute; left: -99em; }
.skip:focus { left: 1rem; top: .4rem; background: var(--card); padding: .3rem .6rem; z-index: 1; }
.bar { background: var(--head); color: #fff; }
.bar > div { max-width: 84rem; margin: 0 auto; padding: .6rem 1rem; display: flex; flex-wrap: wrap; gap: .5rem 1.2rem;
  align-items: center; }
.bar a { color: #fff; text-decoration: none; }
.bar a:hover { text-decoration: underline; }
.bar nav { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; }
.bar .home { font-weight: 600; }
.bar form { margin-left: auto; display: flex; gap: .4rem; flex: 0 1 22rem; }
.bar input { flex: 1; min-width: 0; }
main, footer { max-width: 84rem; margin: 0 auto; padding: 1rem; }
footer { color: var(--quiet); font-size: .85rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: .2rem 0 .6rem; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 1.2rem 0 .5rem; }
.card > :first-child, aside h2:first-child { margin-top: 0; }
.card, article { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .8rem 1rem;
  margin: 0 0 .8rem; }
.grid { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(19rem, 100%), 1fr)); }
.three { display: grid; gap: 1rem; grid-template-columns: minmax(14rem, 19rem) minmax(0, 1fr) minmax(13rem, 17rem);
  align-items: start; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td { overflow-wrap: anywhere; }
tbody th { font-weight: 500; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; }
.quiet, time, .facts { color: var(--quiet); font-size: .88rem; }
.warn { color: var(--warn); font-weight: 600; }
.good { color: var(--good); font-weight: 600; }
.tag { border: 1px solid currentColor; border-radius: 3px; padding: 0 .35rem; font-size: .8rem; white-space: nowrap; }
.icon { width: 1.1em; height: 1.1em; vertical-align: -.2em; fill: none; stroke: currentColor; stroke-width: 1.8;
  stroke-linejoin: round; stroke-linecap: round; }
article h3 { margin: 0; font-size: 1rem; overflow-wrap: anywhere; display: flex; gap: .6rem;
  justify-content: space-between; flex-wrap: wrap; align-items: baseline; }
article h3 a { text-decoration: none; color: inherit; }
article h3 a:hover { text-decoration: underline; }
article h3 time { font-weight: 400; white-space: nowrap; }
.facts { margin: .1rem 0 .3rem; overflow-wrap: anywhere; }
.body { overflow-wrap: anywhere; max-height: 20rem; overflow-y: auto; }
.body > :first-child { margin-top: 0; }
.body > :last-child { margin-bottom: 0; }
.upcoming { border-left: 4px solid var(--link); }
.tabs { display: flex; flex-wrap: wrap; gap: .1rem 1rem; border-bottom: 1px solid var(--line); margin: 0 0 .8rem;
  padding: 0; list-style: none; }
.tabs a { display: block; padding: .3rem .1rem; text-decoration: none; color: var(--text); }
.tabs a[aria-current] { border-bottom: 3px solid var(--link); font-weight: 600; }
dl { margin: 0; }
dt { color: var(--quiet); font-size: .85rem; }
dd { margin: 0 0 .5rem; overflow-wrap: anywhere; }
ul.plain { list-style: none; padding: 0; margin: 0; }
ul.plain li { padding: .15rem 0; overflow-wrap: anywhere; }
input, button { font: inherit; padding: .3rem .6rem; border: 1px solid var(--line); border-radius: 4px;
  background: var(--card); color: var(--text); }
button { cursor: pointer; }
.find { display: flex; gap: .4rem; margin: 0 0 .8rem; }
.find input { flex: 1; min-width: 0; max-width: 24rem; }
.pages { display: flex; gap: 1rem; justify-content: center; padding: .6rem; }
@media (max-width: 60rem) {
  .three { grid-template-columns: minmax(0, 1fr); }
  .bar form { flex: 1 1 100%; }
}
@media (max-width: 30rem) {
  th, td { padding-right: .4rem; }
  .card, article { padding: .7rem .7rem; }
}
</style>
</head>
<body>
<a class="skip" href="#main">To the content</a>
<header class="bar"><div>
<nav aria-label="Main"><a class="home" href="/">Local HubSpot</a> <a href="/contacts">Contacts</a>
<a href="/companies">Companies</a> <a href="/deals">Deals</a> <a href="/changes">Last push</a></nav>
<form method="get" action="/" role="search">
<input name="q" type="search" value="{{ wanted }}" aria-label="Search everything"
placeholder="Name, e-mail, id or text"> <button>Search</button>
</form>
</div></header>
<main id="main">
{% block main %}{% endblock %}
</main>
<footer>Portal {{ portal_id }}, a local stand-in for HubSpot: nothing here has left this machine.
Times are in {{ zone }}.</footer>
</body>
</html>
"""

PARTS = """{% macro icon(slug) %}
<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="{{ icons[slug] }}"/></svg>
{%- endmacro %}
{% macro to(link) %}
<a href="/{{ link.kind.slug }}/{{ link.id }}">{{ link.name }}</a>
{%- endmacro %}
{% macro facts(entry) %}
<p class="facts">
{% if entry.is_overdue %}<span class="warn">Overdue</span>{{ " · " if entry.facts or entry.others }}{% endif %}
{{ entry.facts | join(" · ") }}
{% for link in entry.others %}
{{ " · " if entry.facts or not loop.first }}{{ icon(link.kind.slug) }} {{ to(link) }}
{% endfor %}
</p>
{% endmacro %}
{% macro heading(entry, word="") %}
<h3><span><a href="/{{ entry.kind.slug }}/{{ entry.id }}">{{ icon(entry.kind.slug) }}
{{ entry.label }}{{ ": " ~ entry.title if entry.title }}</a>
{% if word %}<span class="tag {{ {"created": "good", "removed": "warn"}.get(word, "") }}">{{ word }}</span>{% endif %}
</span>
<time datetime="{{ entry.iso }}">{{ entry.shown_time }}</time></h3>
{% endmacro %}
{% macro card(entry, class="") %}
<article{% if class %} class="{{ class }}"{% endif %}>
{{ heading(entry) }}{{ facts(entry) }}
{% if entry.body %}
<div class="body">{{ entry.body | safe }}</div>
{% endif %}
</article>
{% endmacro %}
{% macro row(entry, word="") %}
<article>
{{ heading(entry, word) }}
{{ facts(entry) }}
{% if entry.excerpt %}<div class="quiet">{{ entry.excerpt }}</div>{% endif %}
</article>
{% endmacro %}
{% macro pages(paging, given) %}
{% if paging.pages > 1 %}
<nav class="pages" aria-label="Pages">
{% if paging.page > 1 %}<a rel="prev" href="{{ query(page=paging.page - 1, **given) }}">Newer</a>{% endif %}
<span>Page {{ "{:,}".format(paging.page) }} of {{ "{:,}".format(paging.pages) }}</span>
{% if paging.page < paging.pages %}<a rel="next" href="{{ query(page=paging.page + 1, **given) }}">Older</a>{% endif %}
</nav>
{% endif %}
{% endmacro %}
{% macro changed(changes) %}
<div class="scroll"><table>
<thead><tr><th scope="col">Type</th>
<th scope="col" class="number">Created</th><th scope="col" class="number">Updated</th>
<th scope="col" class="number">Removed</th></tr></thead>
<tbody>
{% for slug, figures in changes.counts.items() %}
<tr><th scope="row"><a href="/changes?type={{ slug }}">{{ slug }}</a></th>
{%- for figure in figures %}<td class="number">{{ "{:,}".format(figure) }}</td>{% endfor %}</tr>
{% endfor %}
<tr><th scope="row">All</th>
{%- for figure in changes.totals %}<td class="number">{{ "{:,}".format(figure) }}</td>{% endfor %}</tr>
</tbody>
</table></div>
{% endmacro %}
"""
