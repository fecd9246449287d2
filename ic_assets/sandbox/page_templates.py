"""The HTML of the pages, as Jinja templates with automatic escaping."""

from __future__ import annotations

_LAYOUT = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{% block title %}{% endblock %} - local HubSpot</title>
<style>
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 62rem; margin: 0 auto; padding: 1rem; }
header, footer { padding: .5rem 0; }
table { border-collapse: collapse; margin: .5rem 0; }
th, td { text-align: left; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid #8886; vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
article { border: 1px solid #8886; border-radius: .4rem; padding: .6rem .9rem; margin: .6rem 0; }
article h3 { margin: 0; font-size: 1rem; overflow-wrap: anywhere; }
.facts { margin: .1rem 0 .3rem; font-size: .9rem; }
.body { overflow-wrap: anywhere; max-height: 20rem; overflow-y: auto; }
.columns { display: flex; flex-wrap: wrap; gap: 2.5rem; }
.columns section { flex: 1 1 15rem; }
input, button { font: inherit; padding: .3rem .6rem; }
ul { padding-left: 1.2rem; }
</style>
</head>
<body>
<header><nav aria-label="Main"><a href="/">Local HubSpot</a></nav></header>
<main>
{% block main %}{% endblock %}
</main>
<footer><small>A local stand-in for HubSpot: nothing here has left this machine.</small></footer>
</body>
</html>
"""

_HOME = """{% extends "layout.html" %}
{% block title %}{{ "Search: " ~ query if query else "Overview" }}{% endblock %}
{% block main %}
<h1>Portal {{ portal_id }}</h1>
<form method="get" action="/" role="search">
<label for="q">Find a contact, company or deal</label>
<input id="q" name="q" type="search" value="{{ query }}"> <button>Search</button>
</form>
<h2>Records</h2>
<table>
<thead><tr><th scope="col">Type</th><th scope="col" class="number">Live</th>
<th scope="col" class="number">Archived</th></tr></thead>
<tbody>
{% for kind, count in counts %}
<tr><th scope="row">{{ kind.slug }}</th><td class="number">{{ "{:,}".format(count.live) }}</td>
<td class="number">{{ "{:,}".format(count.archived) }}</td></tr>
{% endfor %}
</tbody>
</table>
<h2>{{ "Found for “" ~ query ~ "”" if query else "Recent" }}</h2>
<div class="columns">
{% for kind, links in lists %}
<section aria-labelledby="list-{{ kind.slug }}">
<h3 id="list-{{ kind.slug }}">{{ kind.slug | capitalize }}</h3>
<ul>
{% for link in links %}
<li><a href="/{{ kind.slug }}/{{ link.id }}">{{ link.name }}</a></li>
{% else %}
<li>none</li>
{% endfor %}
</ul>
</section>
{% endfor %}
</div>
{% endblock %}
"""

_RECORD = """{% extends "layout.html" %}
{% block title %}{{ name }}{% endblock %}
{% block main %}
<h1>{{ name }}</h1>
<p>{{ kind.singular | capitalize }} {{ id }}
{% for link in linked %}
· <a href="/{{ link.kind.slug }}/{{ link.id }}">{{ link.name }}</a>
{% endfor %}
</p>
<details><summary>Properties</summary>
<table>
<tbody>
{% for property, value in properties %}
<tr><th scope="row">{{ property }}</th><td>{{ value }}</td></tr>
{% endfor %}
</tbody>
</table>
</details>
<h2>Timeline: {{ "{:,}".format(total) }} {{ "activity" if total == 1 else "activities" }}</h2>
{% for entry in entries %}
<article>
<h3>{{ entry.kind.singular.replace("_", " ") | capitalize }}{{ ": " ~ entry.title if entry.title }}</h3>
<p class="facts"><time datetime="{{ entry.time }}">{{ entry.time }}</time>
{% for fact in entry.facts %}
· {{ fact }}
{% endfor %}
{% for link in entry.others %}
· <a href="/{{ link.kind.slug }}/{{ link.id }}">{{ link.name }}</a>
{% endfor %}
· <small>{{ entry.id }}</small></p>
<div class="body">{{ entry.body | safe }}</div>
</article>
{% else %}
<p>No activities.</p>
{% endfor %}
{% if pages > 1 %}
<nav aria-label="Pages">
{% if page > 1 %}<a rel="prev" href="?page={{ page - 1 }}">Newer</a>{% endif %}
Page {{ page }} of {{ pages }}
{% if page < pages %}<a rel="next" href="?page={{ page + 1 }}">Older</a>{% endif %}
</nav>
{% endif %}
{% endblock %}
"""

_MISSING = """{% extends "layout.html" %}
{% block title %}Not found{% endblock %}
{% block main %}
<h1>Not found</h1>
<p>There is no live {{ kind.singular }} with this id. <a href="/">Back to the overview</a></p>
{% endblock %}
"""

TEMPLATES = {"layout.html": _LAYOUT, "home.html": _HOME, "record.html": _RECORD, "missing.html": _MISSING}
