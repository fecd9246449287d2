"""The HTML of the pages, as Jinja templates with automatic escaping."""

from __future__ import annotations

_LAYOUT = """<!doctype html>
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
Times are in UTC.</footer>
</body>
</html>
"""

_PARTS = """{% macro icon(slug) %}
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

_HOME = """{% extends "layout.html" %}
{% import "parts.html" as parts with context %}
{% block title %}Overview{% endblock %}
{% block main %}
<h1>Portal {{ portal_id }}</h1>
<div class="grid">
<section class="card" aria-labelledby="records">
<h2 id="records">Records</h2>
<table>
<thead><tr><th scope="col">Type</th><th scope="col" class="number">Live</th>
<th scope="col" class="number">Archived</th></tr></thead>
<tbody>
{% for kind, count in counts %}
<tr><th scope="row">{{ parts.icon(kind.slug) }} <a href="/{{ kind.slug }}">{{ kind.slug }}</a></th>
{#- #}<td class="number">{{ "{:,}".format(count.live) }}</td>
{#- #}<td class="number">{{ "{:,}".format(count.archived) }}</td></tr>
{% endfor %}
</tbody>
</table>
</section>
<section class="card" aria-labelledby="changed">
<h2 id="changed">What the last push changed</h2>
{% if changes %}
<p class="quiet">{% if changes.began %}Began {{ changes.began.strftime("%d %B %Y, %H:%M:%S") }}.
{% endif %}<a href="/changes">Look at the records</a></p>
{{ parts.changed(changes) }}
{% else %}
<p>Nothing was pushed yet: <code>ic-assets push --mode test</code> sends the first 100 records.</p>
{% endif %}
</section>
</div>
<h2>Recent</h2>
<div class="grid">
{% for kind, links in lists %}
<section class="card" aria-labelledby="list-{{ kind.slug }}">
<h2 id="list-{{ kind.slug }}">{{ parts.icon(kind.slug) }} {{ plural[kind.slug] }}</h2>
<ul class="plain">
{% for link in links %}
<li>{{ parts.to(link) }} <span class="quiet">{{ link.count if link.count }}</span></li>
{% else %}
<li>none</li>
{% endfor %}
</ul>
</section>
{% endfor %}
</div>
{% endblock %}
"""

_FOUND = """{% extends "layout.html" %}
{% import "parts.html" as parts with context %}
{% block title %}Search: {{ wanted }}{% endblock %}
{% block main %}
<h1>Found for “{{ wanted }}”</h1>
{% if not records and not activities %}
<p>Nothing. The search looks at ids and at the text of every property.</p>
{% endif %}
<div class="grid">
{% for kind, rows in records %}
<section class="card" aria-labelledby="found-{{ kind.slug }}">
<h2 id="found-{{ kind.slug }}">{{ plural[kind.slug] }}{{ " (the newest %d)" % most if rows | length == most }}</h2>
<ul class="plain">
{% for slug, id, name in rows %}
<li>{{ parts.icon(slug) }} <a href="/{{ slug }}/{{ id }}">{{ name }}</a></li>
{% endfor %}
</ul>
</section>
{% endfor %}
</div>
{% for kind, entries in activities %}
<h2>{{ plural[kind.slug] }}{{ " (the newest %d)" % most if entries | length == most }}</h2>
{% for entry in entries %}
{{ parts.row(entry) }}
{% endfor %}
{% endfor %}
{% endblock %}
"""

_RECORDS = """{% extends "layout.html" %}
{% import "parts.html" as parts with context %}
{% block title %}{{ plural[kind.slug] }}{% endblock %}
{% block main %}
<h1>{{ plural[kind.slug] }} <span class="quiet">{{ "{:,}".format(paging.total) }}</span></h1>
<div class="card scroll">
<table>
<thead><tr><th scope="col">Name</th>{% if kind.slug == "contacts" %}<th scope="col">E-mail</th>{% endif %}
<th scope="col">Id</th><th scope="col" class="number">Activities</th></tr></thead>
<tbody>
{% for link, values in records %}
<tr><th scope="row">{{ parts.to(link) }}</th>
{% if kind.slug == "contacts" %}<td>{{ values.email }}</td>{% endif %}
<td>{{ link.id }}</td><td class="number">{{ "{:,}".format(link.count) }}</td></tr>
{% else %}
<tr><td>none</td></tr>
{% endfor %}
</tbody>
</table>
</div>
{{ parts.pages(paging, {}) }}
{% endblock %}
"""

_ACTIVITIES = """{% extends "layout.html" %}
{% import "parts.html" as parts with context %}
{% block title %}{{ plural[kind.slug] }}{% endblock %}
{% block main %}
<h1>{{ plural[kind.slug] }} <span class="quiet">{{ "{:,}".format(paging.total) }}, those created last first</span></h1>
{% for entry in entries %}
{{ parts.row(entry) }}
{% else %}
<p>none</p>
{% endfor %}
{{ parts.pages(paging, {}) }}
{% endblock %}
"""

_RECORD = """{% extends "layout.html" %}
{% import "parts.html" as parts with context %}
{% block title %}{{ name }}{% endblock %}
{% block main %}
<p class="quiet">{{ parts.icon(kind.slug) }} <a href="/{{ kind.slug }}">{{ plural[kind.slug] }}</a></p>
<h1>{{ name }}</h1>
<div class="three">
<aside class="card" aria-label="About">
<h2>About this {{ singular[kind.slug] | lower }}</h2>
<dl>
{% for label, value in about %}
<dt>{{ label }}</dt><dd>{{ value }}</dd>
{% endfor %}
<dt>Record ID</dt><dd>{{ id }}</dd>
<dt>Create date</dt><dd>{{ created }}</dd>
</dl>
</aside>
<div>
<h2 style="margin-top: 0">Timeline: {{ "{:,}".format(total) }} {{ "activity" if total == 1 else "activities" }}</h2>
<ul class="tabs">
<li><a href="{{ query(find=find) }}"{{ ' aria-current="page"' | safe if not chosen }}>All</a></li>
{% for activity, count in by_type %}
<li><a href="{{ query(type=activity.slug, find=find) }}"
{{- ' aria-current="page"' | safe if chosen == activity.slug }}>{{ parts.icon(activity.slug) }}
{{ plural[activity.slug] }} <span class="quiet">{{ "{:,}".format(count) }}</span></a></li>
{% endfor %}
</ul>
<form class="find" method="get">
{% if chosen %}<input type="hidden" name="type" value="{{ chosen }}">{% endif %}
<input name="find" type="search" value="{{ find }}" aria-label="Search the timeline" placeholder="Search the timeline">
<button>Find</button>
</form>
{% if upcoming %}
<h2>Upcoming</h2>
{% for entry in upcoming %}
{{ parts.card(entry, "upcoming") }}
{% endfor %}
{% endif %}
{% for month, entries in months %}
<h2>{{ month }}</h2>
{% for entry in entries %}
{{ parts.card(entry) }}
{% endfor %}
{% else %}
{% if not upcoming %}<p>No activities{{ " like that" if find or chosen }}.</p>{% endif %}
{% endfor %}
{{ parts.pages(paging, {"type": chosen, "find": find}) }}
</div>
<aside aria-label="Other records">
{% for other, links in linked if links %}
<section class="card">
<h2>{{ plural[other.slug] }}</h2>
<ul class="plain">
{% for link in links %}
<li>{{ parts.icon(other.slug) }} {{ parts.to(link) }}</li>
{% endfor %}
</ul>
</section>
{% endfor %}
{% for other, links in together if links %}
<section class="card">
<h2>{{ plural[other.slug] }} <span class="quiet">in the same activities</span></h2>
<ul class="plain">
{% for link in links %}
<li>{{ parts.icon(other.slug) }} {{ parts.to(link) }} <span class="quiet">{{ "{:,}".format(link.count) }}</span></li>
{% endfor %}
</ul>
</section>
{% endfor %}
</aside>
</div>
{% endblock %}
"""

_ACTIVITY = """{% extends "layout.html" %}
{% import "parts.html" as parts with context %}
{% block title %}{{ entry.label }}{{ ": " ~ entry.title if entry.title }}{% endblock %}
{% block main %}
<p class="quiet">{{ parts.icon(kind.slug) }} <a href="/{{ kind.slug }}">{{ plural[kind.slug] }}</a></p>
<h1>{{ entry.label }}{{ ": " ~ entry.title if entry.title }}</h1>
<article>
<p class="facts"><time datetime="{{ entry.iso }}">{{ entry.shown_time }}</time></p>
{{ parts.facts(entry) }}
{% if entry.body %}
<div class="body">{{ entry.body | safe }}</div>
{% endif %}
</article>
<section class="card">
<h2>Properties</h2>
<p class="quiet">Id {{ entry.id }}. Created {{ created }}, last changed {{ updated }}.</p>
<div class="scroll"><table>
<tbody>
{% for property, value in properties %}
<tr><th scope="row">{{ property }}</th><td>{{ value }}</td></tr>
{% endfor %}
</tbody>
</table></div>
</section>
{% endblock %}
"""

_CHANGES = """{% extends "layout.html" %}
{% import "parts.html" as parts with context %}
{% block title %}Last push{% endblock %}
{% block main %}
<h1>What the last push changed</h1>
{% if not changes %}
<p>Nothing was pushed yet: <code>ic-assets push --mode test</code> sends the first 100 records.</p>
{% else %}
<section class="card">
<p class="quiet">{% if changes.began %}The last push that changed a record began
{{ changes.began.strftime("%d %B %Y, %H:%M:%S") }}. {% endif %}Since then: {{ "{:,}".format(requests[0]) }} requests,
{{ "{:,}".format(requests[1]) if requests[1] else "none" }} of them refused or lost
{{- " (%s by a fault that was asked for)" % "{:,}".format(requests[2]) if requests[2] }}.</p>
{{ parts.changed(changes) }}
</section>
<ul class="tabs">
{% for word in ("", "created", "updated", "removed") %}
<li><a href="{{ query(what=word, type=chosen) }}"{{ ' aria-current="page"' | safe if what == word }}>
{{- word | capitalize or "All" }}</a></li>
{% endfor %}
{% if chosen %}<li><a href="{{ query(what=what) }}">{{ plural[chosen] }} only: show every type</a></li>{% endif %}
</ul>
{% for word, entry in entries %}
{{ parts.row(entry, word) }}
{% else %}
<p>No records like that.</p>
{% endfor %}
{{ parts.pages(paging, {"what": what, "type": chosen}) }}
{% endif %}
{% endblock %}
"""

_MISSING = """{% extends "layout.html" %}
{% block title %}Not found{% endblock %}
{% block main %}
<h1>Not found</h1>
{% if archived %}
<p>This {{ singular[kind.slug] | lower }} was archived on {{ archived }}. <a href="/">Back to the overview</a></p>
{% else %}
<p>There is no live {{ singular[kind.slug] | lower }} with this id. <a href="/">Back to the overview</a></p>
{% endif %}
{% endblock %}
"""

TEMPLATES = {
    "layout.html": _LAYOUT,
    "parts.html": _PARTS,
    "home.html": _HOME,
    "found.html": _FOUND,
    "records.html": _RECORDS,
    "activities.html": _ACTIVITIES,
    "record.html": _RECORD,
    "activity.html": _ACTIVITY,
    "changes.html": _CHANGES,
    "missing.html": _MISSING,
}
