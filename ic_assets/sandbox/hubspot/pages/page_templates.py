"""The HTML of each page, as Jinja templates with automatic escaping, and all templates by name for `pages`."""

from __future__ import annotations

from ic_assets.sandbox.hubspot.pages.page_layout import LAYOUT, PARTS

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
    "layout.html": LAYOUT,
    "parts.html": PARTS,
    "home.html": _HOME,
    "found.html": _FOUND,
    "records.html": _RECORDS,
    "activities.html": _ACTIVITIES,
    "record.html": _RECORD,
    "activity.html": _ACTIVITY,
    "changes.html": _CHANGES,
    "missing.html": _MISSING,
}
