"""The reports' pictures as SVG text: a flow, stacked columns, stacked rows, and measured rows with a limit. Each carries
its title and description; the figures stand in a table beside it. Text takes the page's colour, so that it prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

WIDTH = 1000
COLOURS = {
    "calls": "#2a6fb0",
    "emails": "#0b8584",
    "meetings": "#7152a8",
    "notes": "#917016",
    "tasks": "#c2571a",
    "communications": "#5f6f80",
    "postal_mail": "#a83a75",
    "inserted": "#4673ad",
    "updated": "#7152a8",
    "unchanged": "#7e8994",
    "joined": "#0b8584",
    "rejected": "#b3261e",
    "ready": "#2c7d4c",
    "held": "#a8720c",
    "failed": "#b3261e",
    "waiting": "#7e8994",
    "pushed": "#2c7d4c",
    "pending": "#4673ad",
    "in_flight": "#917016",
    "unknown": "#917016",
    "removed": "#7e8994",
    "in HubSpot": "#2c7d4c",
    "not in HubSpot": "#7e8994",
}
_OTHER = "#4673ad"
_NODE, _LABEL, _GAP, _BODY = 12, 19, 7, 300


@dataclass(frozen=True)
class Node:
    """A bar of the flow. ``key`` is unique in the picture; ``colour`` a key of ``COLOURS``."""

    key: str
    label: str
    count: int
    colour: str = ""


@dataclass(frozen=True)
class Link:
    """``count`` rows that go from one node to a node of the next column."""

    source: str
    target: str
    count: int


def flow(columns: Sequence[Sequence[Node]], links: Sequence[Link], title: str, text: str) -> str:
    """Bars in columns from left to right and ribbons between them, all as high as their counts are large."""
    largest = max((sum(node.count for node in column) for column in columns), default=0) or 1
    scale = _BODY / largest
    tops: dict[str, float] = {}
    places = _places(columns)
    height = 0.0
    for column in columns:
        y = 4.0
        for node in column:
            tops[node.key] = y
            y += max(node.count * scale, _LABEL) + _GAP
        height = max(height, y)
    nodes = {node.key: node for column in columns for node in column}
    ribbons, leaving, arriving = [], dict(tops), dict(tops)
    for link in links:
        if not link.count:
            continue
        thick = link.count * scale
        x1, x2 = places[link.source] + _NODE, places[link.target]
        y1, y2, middle = leaving[link.source], arriving[link.target], (x1 + x2) / 2
        leaving[link.source] += thick
        arriving[link.target] += thick
        drawn = max(thick, 1.0)
        colour = _colour(nodes[link.target].colour or nodes[link.source].colour)
        ribbons.append(
            f'<path fill="{colour}" fill-opacity=".32" d="M{x1:.1f} {y1:.1f}C{middle:.1f} {y1:.1f} {middle:.1f} {y2:.1f}'
            f" {x2:.1f} {y2:.1f}V{y2 + drawn:.1f}C{middle:.1f} {y2 + drawn:.1f} {middle:.1f} {y1 + drawn:.1f}"
            f' {x1:.1f} {y1 + drawn:.1f}Z"><title>{escape(_said(nodes, link))}</title></path>'
        )
    bars = [
        f'<rect x="{places[key]:.1f}" y="{tops[key]:.1f}" width="{_NODE}" height="{max(node.count * scale, 1.5):.1f}"'
        f' fill="{_colour(node.colour)}"/>'
        + _text(
            places[key] + _NODE + 6,
            tops[key] + max(node.count * scale, 0) / 2 + 4.5 if node.count * scale > _LABEL else tops[key] + 12,
            f'{escape(node.label)} <tspan font-weight="600">{node.count:,}</tspan>',
            halo=True,
        )
        for key, node in nodes.items()
    ]
    return _svg(height, title, text, [*ribbons, *bars])


def _places(columns: Sequence[Sequence[Node]]) -> dict[str, float]:
    """The left edge of each node: the last column leaves room for its labels."""
    step = (WIDTH - 165) / max(len(columns) - 1, 1)
    return {node.key: step * index for index, column in enumerate(columns) for node in column}


def _said(nodes: Mapping[str, Node], link: Link) -> str:
    return f"{nodes[link.source].label} to {nodes[link.target].label}: {link.count:,}"


def stacked_columns(
    labels: Sequence[str],
    series: Mapping[str, Sequence[int]],
    title: str,
    text: str,
    *,
    as_share: bool = False,
    height: int = 250,
) -> str:
    """One column a label, its parts on top of each other; with ``as_share`` each column is 100 %."""
    totals = [sum(values[index] for values in series.values()) for index in range(len(labels))]
    largest = 100 if as_share else _round_up(max(totals, default=0))
    top, bottom, left = 34, 24, 62
    plot = height - top - bottom
    parts = _legend(series)
    for step in range(5):
        y = top + plot * (1 - step / 4)
        parts.append(f'<path d="M{left} {y:.1f}H{WIDTH}" stroke="currentColor" stroke-opacity=".18"/>')
        unit = " %" if as_share else ""
        parts.append(_text(left - 8, y + 4, f"{largest * step / 4:,.0f}{unit}", anchor="end", size=12))
    slot = (WIDTH - left) / max(len(labels), 1)
    width = min(slot * 0.72, 60)
    every = -(-len(labels) // 18)
    for index, label in enumerate(labels):
        x, y = left + slot * index + (slot - width) / 2, float(top + plot)
        for name, values in series.items():
            if not values[index]:
                continue
            size = plot * values[index] / (totals[index] if as_share else largest)
            y -= size
            parts.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{max(size, 0.6):.1f}" fill="{_colour(name)}">'
                f"<title>{escape(label)}, {escape(_plain(name))}: {values[index]:,}</title></rect>"
            )
        if index % every == 0:
            parts.append(_text(x + width / 2, height - 6, escape(label), anchor="middle", size=12))
    return _svg(height, title, text, parts)


def stacked_rows(labels: Sequence[str], series: Mapping[str, Sequence[int]], title: str, text: str) -> str:
    """One row a label, its parts one after the other."""
    totals = [sum(values[index] for values in series.values()) for index in range(len(labels))]
    largest = max(totals, default=0) or 1
    left, top, slot = 130, 34, 24
    room = WIDTH - left - 80
    parts = _legend(series)
    for index, label in enumerate(labels):
        x, y = float(left), top + slot * index
        parts.append(_text(left - 8, y + 13, escape(_plain(label)), anchor="end"))
        for name, values in series.items():
            size = room * values[index] / largest
            if values[index]:
                parts.append(
                    f'<rect x="{x:.1f}" y="{y}" width="{max(size, 0.6):.1f}" height="17" fill="{_colour(name)}">'
                    f"<title>{escape(_plain(label))}, {escape(_plain(name))}: {values[index]:,}</title></rect>"
                )
            x += size
        parts.append(_text(x + 6, y + 13, f"{totals[index]:,}"))
    return _svg(top + slot * len(labels) + 4, title, text, parts)


def measured_rows(
    labels: Sequence[str],
    typical: tuple[str, Sequence[float]],
    late: tuple[str, Sequence[float]],
    limit: tuple[str, float],
    title: str,
    text: str,
) -> str:
    """Two measures a label, the typical one on top of the late one, and a line at the limit. Each is (name, values)."""
    largest = max([*typical[1], *late[1], limit[1]]) * 1.05
    left, top, slot = 170, 34, 24
    room = WIDTH - left - 80
    names = {typical[0]: "#2a6fb0", late[0]: "#9bb8cf", limit[0]: "#b3261e"}
    parts = _keys(names)
    for index, label in enumerate(labels):
        y = top + slot * index
        parts.append(_text(left - 8, y + 13, escape(label), anchor="end"))
        for (name, values), inset in ((late, 0), (typical, 4)):
            parts.append(
                f'<rect x="{left}" y="{y + inset}" width="{max(room * values[index] / largest, 0.6):.1f}"'
                f' height="{17 - 2 * inset}" fill="{names[name]}">'
                f"<title>{escape(label)}, {escape(name)}: {values[index]:,.0f} ms</title></rect>"
            )
        end = left + room * max(late[1][index], typical[1][index]) / largest
        parts.append(_text(end + 6, y + 13, f"{typical[1][index]:,.0f} / {late[1][index]:,.0f} ms", halo=True))
    x, height = left + room * limit[1] / largest, top + slot * len(labels) + 4
    parts.append(f'<path d="M{x:.1f} {top - 4}V{height}" stroke="{names[limit[0]]}" stroke-width="1.5"/>')
    return _svg(height, title, text, parts)


def _svg(height: float, title: str, text: str, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img"'
        f' aria-label="{escape(text)}" font-family="system-ui, sans-serif"><title>{escape(title)}</title>'
        f"<desc>{escape(text)}</desc>{''.join(parts)}</svg>"
    )


def _text(x: float, y: float, markup: str, *, anchor: str = "start", size: int = 13, halo: bool = False) -> str:
    # The halo keeps words readable on a ribbon.
    around = (
        ' stroke="var(--paper, #fff)" stroke-width="3" stroke-linejoin="round" paint-order="stroke"' if halo else ""
    )
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="currentColor"{around}>'
        f"{markup}</text>"
    )


def _legend(series: Mapping[str, Sequence[int]]) -> list[str]:
    return _keys({_plain(name): _colour(name) for name in series})


def _keys(names: Mapping[str, str]) -> list[str]:
    parts, x = [], 4.0
    for name, colour in names.items():
        parts.append(f'<rect x="{x:.1f}" y="6" width="12" height="12" fill="{colour}"/>')
        parts.append(_text(x + 17, 16.5, escape(name)))
        x += 36 + 7.4 * len(name)
    return parts


def _colour(name: str) -> str:
    return COLOURS.get(name, _OTHER)


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _round_up(value: int) -> int:
    """The next 1, 2, 4 or 8 times a power of ten, so that the four marks of the axis are whole numbers."""
    steps = [factor * 10**power for power in range(12) for factor in (1, 2, 4, 8)]
    return next((high for low, high in pairwise([0, *steps]) if low < value <= high), 4)
