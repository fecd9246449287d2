"""Draws `docs/images/graph.svg` from the definitions: one column per asset group, one box per asset.

Run `.venv/bin/python docs/graph.py` after a change of the graph; a test holds the committed picture against the definitions.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import dagster as dg

from ic_assets.activities.definitions import STAGES
from ic_assets.definitions import build_defs

PICTURE = Path(__file__).parent / "images" / "graph.svg"

# Pixels.
_BOX_WIDTH, _BOX_HEIGHT = 236, 42
_COLUMN, _ROW = 300, 58
_MARGIN, _HEAD = 24, 72
_CORNER = 10
# Fill and border of each column, from left to right.
_COLOURS = (
    ("#eef3fb", "#4a6fa5"),
    ("#eef7f2", "#3f8f68"),
    ("#fdf6e7", "#b98520"),
    ("#fdeee9", "#c2573a"),
    ("#f3effa", "#7a5bab"),
)


@dataclass(frozen=True)
class _Asset:
    key: dg.AssetKey
    column: int
    row: float
    cut: str
    is_made_here: bool

    @property
    def left(self) -> float:
        return _MARGIN + self.column * _COLUMN

    @property
    def right(self) -> float:
        return self.left + _BOX_WIDTH

    @property
    def top(self) -> float:
        return _HEAD + self.row * _ROW

    @property
    def middle(self) -> float:
        return self.top + _BOX_HEIGHT / 2


def draw() -> str:
    """The picture as SVG text. The same definitions give the same text."""
    graph = build_defs().resolve_asset_graph()
    specs = _in_order()
    groups = list(dict.fromkeys(spec.group_name or "default" for spec in specs))
    columns = {spec.key: groups.index(spec.group_name or "default") for spec in specs}
    edges = [
        (parent, spec.key) for spec in specs for parent in sorted(graph.get(spec.key).parent_keys) if parent in columns
    ]
    # An edge that passes a column runs below all boxes, to an asset that stands there as well.
    is_low = {child for parent, child in edges if columns[child] - columns[parent] > 1}
    most = max(sum(columns[key] == column and key not in is_low for key in columns) for column in range(len(groups)))
    assets: dict[dg.AssetKey, _Asset] = {}
    for column in range(len(groups)):
        shown = [spec for spec in specs if columns[spec.key] == column and spec.key not in is_low]
        low = [spec for spec in specs if columns[spec.key] == column and spec.key in is_low]
        rows = [(most - len(shown)) / 2 + index for index in range(len(shown))]
        rows += [most + index for index in range(len(low))]
        for spec, row in zip([*shown, *low], rows, strict=True):
            assets[spec.key] = _Asset(
                spec.key, column, row, _cut(spec.partitions_def), graph.get(spec.key).is_materializable
            )
    width = 2 * _MARGIN + (len(groups) - 1) * _COLUMN + _BOX_WIDTH
    height = max(asset.top for asset in assets.values()) + _BOX_HEIGHT + 56
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:g}" '
        'font-family="Helvetica, Arial, sans-serif" role="img" aria-label="The asset graph">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 z" fill="#8a94a3"/></marker></defs>',
        f'<rect width="{width}" height="{height:g}" fill="#ffffff"/>',
        '<g fill="none" stroke="#8a94a3" stroke-width="1.3">',
        *(_edge(assets[parent], assets[child]) for parent, child in edges),
        "</g>",
    ]
    for column, group in enumerate(groups):
        x = _MARGIN + column * _COLUMN
        colour = _COLOURS[column % len(_COLOURS)][1]
        lines.append(f'<text x="{x}" y="40" font-size="17" font-weight="bold" fill="{colour}">{escape(group)}</text>')
    lines += [_box(asset) for asset in assets.values()]
    lines += [
        f'<text x="{_MARGIN}" y="{height - 18:g}" font-size="12" fill="#5b6573">Solid: made by a run. '
        "Dashed: filled from outside, or observed by the landing.</text>",
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _in_order() -> list[dg.AssetSpec]:
    """The assets as the registry page lists them; the asset graph itself has no order."""
    specs: list[dg.AssetSpec] = []
    for stage in STAGES.values():
        for entry in stage:
            specs += [entry] if isinstance(entry, dg.AssetSpec) else entry.specs
    return specs


def _cut(partitions: dg.PartitionsDefinition | None) -> str:
    if partitions is None:
        return "not partitioned"
    return "per dropped file" if isinstance(partitions, dg.DynamicPartitionsDefinition) else "per month"


def _edge(parent: _Asset, child: _Asset) -> str:
    if parent.column == child.column:
        x = parent.left + _BOX_WIDTH / 2
        return f'<path d="M{x:g},{parent.top + _BOX_HEIGHT:g} V{child.top - 1:g}" marker-end="url(#tip)"/>'
    end = child.left - 1
    if child.column - parent.column == 1:
        bend = (end - parent.right) / 2
        return (
            f'<path d="M{parent.right:g},{parent.middle:g} C{parent.right + bend:g},{parent.middle:g} '
            f'{end - bend:g},{child.middle:g} {end:g},{child.middle:g}" marker-end="url(#tip)"/>'
        )
    turn = parent.right + (_COLUMN - _BOX_WIDTH) / 4
    return (
        f'<path d="M{parent.right:g},{parent.middle:g} H{turn - _CORNER:g} '
        f"Q{turn:g},{parent.middle:g} {turn:g},{parent.middle + _CORNER:g} V{child.middle - _CORNER:g} "
        f'Q{turn:g},{child.middle:g} {turn + _CORNER:g},{child.middle:g} H{end:g}" marker-end="url(#tip)"/>'
    )


def _box(asset: _Asset) -> str:
    fill, border = _COLOURS[asset.column % len(_COLOURS)]
    dashes = "" if asset.is_made_here else ' stroke-dasharray="5 3"'
    name = escape("/".join(asset.key.path[1:]))
    return (
        f"<g><title>{escape(asset.key.to_user_string())}</title>"
        f'<rect x="{asset.left:g}" y="{asset.top:g}" width="{_BOX_WIDTH}" height="{_BOX_HEIGHT}" rx="6" '
        f'fill="{fill}" stroke="{border}" stroke-width="1.4"{dashes}/>'
        f'<text x="{asset.left + 11:g}" y="{asset.top + 18:g}" font-size="13" fill="#1d2530">{name}</text>'
        f'<text x="{asset.left + 11:g}" y="{asset.top + 34:g}" font-size="11" fill="#5b6573">'
        f"{escape(asset.key.path[0])} · {asset.cut}</text></g>"
    )


if __name__ == "__main__":
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(draw(), encoding="utf-8")
