"""Draws a catalog's tables as an entity-relationship diagram: Mermaid, GraphML for yEd, or a PNG. Views are left out.

The same catalog gives the same text. A solid line is a foreign key, a dashed one equal values without one.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as Xml

from ic_assets.core.catalog import Catalog, Column, Reference, Table

FORMATS = ("graphml", "mermaid", "png")

# Pixels.
_ROW, _HEAD, _WIDTH, _GAP_X, _GAP_Y, _MARGIN = 15, 24, 380, 90, 28, 30
# Lines of text: how many a column of the picture may have, and what stands between two tables and in their heads.
_MOST_LINES, _BETWEEN = 180, 4
_COLOURS = {"staging": ("#eef3fb", "#4a6fa5"), "hubspot": ("#fdeee9", "#c2573a")}
_OTHER_COLOUR = ("#f2f2f2", "#6b7280")
_GRAPHML = "http://graphml.graphdrawing.org/xmlns"
_YED = "http://www.yworks.com/xml/graphml"


@dataclass(frozen=True)
class _Box:
    """A table in its place, in pixels from the upper left corner."""

    table: Table
    left: int
    top: int

    @property
    def height(self) -> int:
        return _HEAD + _ROW * len(self.table.columns) + 6

    def row(self, column: str) -> float:
        names = [own.name for own in self.table.columns]
        return self.top + _HEAD + _ROW * (names.index(column) + 0.5)


def draw(catalog: Catalog, form: str) -> bytes:
    """The diagram in one of ``FORMATS``."""
    text = {"graphml": graphml, "mermaid": mermaid}.get(form)
    return text(catalog).encode() if text else png(catalog)


def mermaid(catalog: Catalog) -> str:
    """An ``erDiagram``; each table's comment stands before it."""
    lines = ["erDiagram"]
    for table in _tables(catalog):
        lines += [f"    %% {table.comment}"] if table.comment else []
        lines.append(f'    "{table.full_name}" {{')
        for column in table.columns:
            keys = _keys(column, catalog.references, table)
            # Mermaid takes letters, digits, brackets, - and _ in a type.
            kind = "".join(c if c.isalnum() or c in "_-[]()" else "_" for c in column.type)
            lines.append(f"        {kind} {column.name}" + (f" {', '.join(keys)}" if keys else ""))
        lines.append("    }")
    for reference in _references(catalog):
        target, own = _ends(catalog, reference)
        line = "--" if reference.is_declared else ".."
        lines.append(f'    "{reference.target}" {target}{line}{own} "{reference.table}" : "{_label(reference)}"')
    return "\n".join(lines) + "\n"


def graphml(catalog: Catalog) -> str:
    """yEd's GraphML, laid out: an entity per table with its columns, a crow's foot per reference."""
    Xml.register_namespace("", _GRAPHML)
    Xml.register_namespace("y", _YED)
    root = Xml.Element(f"{{{_GRAPHML}}}graphml")
    for name, of, attribute in (("d0", "node", "description"), ("d3", "edge", "description")):
        Xml.SubElement(
            root, f"{{{_GRAPHML}}}key", {"id": name, "for": of, "attr.name": attribute, "attr.type": "string"}
        )
    Xml.SubElement(root, f"{{{_GRAPHML}}}key", {"id": "d1", "for": "node", "yfiles.type": "nodegraphics"})
    Xml.SubElement(root, f"{{{_GRAPHML}}}key", {"id": "d2", "for": "edge", "yfiles.type": "edgegraphics"})
    graph = Xml.SubElement(root, f"{{{_GRAPHML}}}graph", {"id": "ERD", "edgedefault": "directed"})
    for box in _laid_out(catalog):
        _entity(graph, box, catalog.references)
    for number, reference in enumerate(_references(catalog)):
        _relation(graph, number, reference, catalog)
    Xml.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"


def png(catalog: Catalog) -> bytes:
    """A picture at 100 pixels an inch, large enough to read every column."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyBboxPatch, PathPatch, Rectangle
    from matplotlib.path import Path

    boxes = {box.table.full_name: box for box in _laid_out(catalog)}
    width = max((box.left for box in boxes.values()), default=0) + _WIDTH + _MARGIN
    height = max((box.top + box.height for box in boxes.values()), default=0) + _MARGIN + 20
    figure = Figure(figsize=(width / 100, height / 100), dpi=100)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_axis_off()
    for reference in _references(catalog):
        own, target = boxes[reference.table], boxes[reference.target]
        y0, y1 = own.row(reference.columns[0]), target.row(reference.target_columns[0])
        x0, x1 = (own.left, target.left + _WIDTH) if own.left > target.left else (own.left, target.left)
        bend = _GAP_X * 0.7
        points = [(x0, y0), (x0 - bend, y0), (x1 + bend if x1 != target.left else x1 - bend, y1), (x1, y1)]
        style = "solid" if reference.is_declared else (0, (4, 3))
        path = Path(points, [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4])
        axes.add_patch(PathPatch(path, fill=False, edgecolor="#8a94a3", linewidth=1, linestyle=style, zorder=1))
        axes.plot([x1], [y1], marker="o", markersize=4, color="#5b6573", zorder=4)
    for box in boxes.values():
        fill, border = _COLOURS.get(box.table.schema, _OTHER_COLOUR)
        frame: dict[str, Any] = {"boxstyle": "round,pad=0,rounding_size=5", "linewidth": 1.2, "zorder": 2}
        axes.add_patch(
            FancyBboxPatch((box.left, box.top), _WIDTH, box.height, facecolor="white", edgecolor=border, **frame)
        )
        axes.add_patch(Rectangle((box.left + 1, box.top + 1), _WIDTH - 2, _HEAD - 3, color=fill, zorder=3))
        text: dict[str, Any] = {"fontsize": 7.5, "va": "center", "zorder": 4, "color": "#1d2530"}
        title: dict[str, Any] = {**text, "fontsize": 8.5, "weight": "bold", "color": border}
        axes.text(box.left + 9, box.top + _HEAD / 2, box.table.full_name, **title)
        for column in box.table.columns:
            y, keys = box.row(column.name), _keys(column, catalog.references, box.table)
            weight = "bold" if keys else "normal"
            axes.text(box.left + 9, y, column.name, **{**text, "weight": weight})
            axes.text(box.left + 205, y, column.type + ("" if column.is_nullable else " not null"), **text)
            axes.text(box.left + _WIDTH - 8, y, " ".join(keys), **{**text, "ha": "right", "color": border})
    note = "Solid: foreign key. Dashed: equal values without one. The dot is at the table that is referred to."
    axes.text(_MARGIN, height - 18, note, fontsize=9, color="#5b6573")
    picture = io.BytesIO()
    figure.savefig(picture, format="png", metadata={"Software": None})
    return picture.getvalue()


def _tables(catalog: Catalog) -> list[Table]:
    return [table for table in catalog.tables if not table.is_view]


def _references(catalog: Catalog) -> list[Reference]:
    drawn = {table.full_name for table in _tables(catalog)}
    return [r for r in catalog.references if {r.table, r.target} <= drawn]


def _keys(column: Column, references: Sequence[Reference], table: Table) -> list[str]:
    is_reference = any(r.table == table.full_name and column.name in r.columns and r.is_declared for r in references)
    found = [("PK", column.key_position is not None), ("FK", is_reference)]
    found.append(("UK", column.is_unique and column.key_position is None))
    return [key for key, holds in found if holds]


def _label(reference: Reference) -> str:
    return ", ".join(reference.columns)


def _ends(catalog: Catalog, reference: Reference) -> tuple[str, str]:
    """Mermaid's marks: at the table that is referred to, and at the one that refers."""
    table = catalog.table(reference.table)
    columns = [table.column(name) for name in reference.columns] if table else []
    is_optional = not reference.is_declared or any(column is None or column.is_nullable for column in columns)
    is_single = len(columns) == 1 and columns[0] is not None and columns[0].is_unique
    return ("|o" if is_optional else "||"), ("o|" if is_single else "o{")


def _laid_out(catalog: Catalog) -> list[_Box]:
    """What refers to nothing stands left, each other table right of all that it refers to."""
    tables = {table.full_name: table for table in _tables(catalog)}
    targets: dict[str, set[str]] = {name: set() for name in tables}
    for reference in _references(catalog):
        if reference.table != reference.target:
            targets[reference.table].add(reference.target)
    layers: dict[str, int] = {}

    def layer(name: str, above: tuple[str, ...] = ()) -> int:
        if name not in layers:
            further = [layer(target, (*above, name)) for target in sorted(targets[name]) if target not in above]
            layers[name] = 1 + max(further) if further else 0
        return layers[name]

    for name in tables:
        layer(name)
    boxes: list[_Box] = []
    left = _MARGIN
    for level in range(max(layers.values(), default=-1) + 1):
        mine = [table for name, table in tables.items() if layers[name] == level]
        # Columns of about the same height: one that is a little too long would leave a single table to the next.
        lines = sum(len(table.columns) + _BETWEEN for table in mine)
        limit = lines / -(-lines // _MOST_LINES)
        top, used = _MARGIN, 0
        for table in mine:
            if used and used + len(table.columns) / 2 > limit:
                left, top, used = left + _WIDTH + _GAP_X, _MARGIN, 0
            box = _Box(table, left, top)
            boxes.append(box)
            top, used = top + box.height + _GAP_Y, used + len(table.columns) + _BETWEEN
        left += _WIDTH + _GAP_X
    return boxes


def _entity(graph: Xml.Element, box: _Box, references: Sequence[Reference]) -> None:
    table = box.table
    fill, border = _COLOURS.get(table.schema, _OTHER_COLOUR)
    node = Xml.SubElement(graph, f"{{{_GRAPHML}}}node", {"id": table.full_name})
    described = [f"{column.name}: {column.comment}" for column in table.columns if column.comment]
    description = Xml.SubElement(node, f"{{{_GRAPHML}}}data", {"key": "d0"})
    description.text = "\n".join([table.comment, *described]).strip()
    data = Xml.SubElement(node, f"{{{_GRAPHML}}}data", {"key": "d1"})
    shape = Xml.SubElement(
        data, f"{{{_YED}}}GenericNode", {"configuration": "com.yworks.entityRelationship.big_entity"}
    )
    place = {"x": box.left, "y": box.top, "width": _WIDTH, "height": box.height}
    Xml.SubElement(shape, f"{{{_YED}}}Geometry", {name: f"{value}.0" for name, value in place.items()})
    Xml.SubElement(shape, f"{{{_YED}}}Fill", {"color": "#FFFFFF", "transparent": "false"})
    Xml.SubElement(shape, f"{{{_YED}}}BorderStyle", {"color": border, "type": "line", "width": "1.0"})
    common = {"fontFamily": "Dialog", "fontSize": "11", "textColor": "#1d2530", "visible": "true"}
    name = Xml.SubElement(
        shape,
        f"{{{_YED}}}NodeLabel",
        {
            **common,
            "alignment": "center",
            "autoSizePolicy": "content",
            "backgroundColor": fill,
            "configuration": "com.yworks.entityRelationship.label.name",
            "fontStyle": "bold",
            "modelName": "internal",
            "modelPosition": "t",
        },
    )
    name.text = table.full_name
    attributes = Xml.SubElement(
        shape,
        f"{{{_YED}}}NodeLabel",
        {
            **common,
            "alignment": "left",
            "autoSizePolicy": "content",
            "configuration": "com.yworks.entityRelationship.label.attributes",
            "modelName": "custom",
        },
    )
    attributes.text = "\n".join(_line(column, references, table) for column in table.columns)
    model = Xml.SubElement(attributes, f"{{{_YED}}}LabelModel")
    Xml.SubElement(model, f"{{{_YED}}}ErdAttributesNodeLabelModel")
    parameter = Xml.SubElement(attributes, f"{{{_YED}}}ModelParameter")
    Xml.SubElement(parameter, f"{{{_YED}}}ErdAttributesNodeLabelModelParameter")
    style = Xml.SubElement(shape, f"{{{_YED}}}StyleProperties")
    kind = {"class": "java.lang.Boolean", "name": "y.view.ShadowNodePainter.SHADOW_PAINTING", "value": "false"}
    Xml.SubElement(style, f"{{{_YED}}}Property", kind)


def _line(column: Column, references: Sequence[Reference], table: Table) -> str:
    keys = _keys(column, references, table)
    null = "" if column.is_nullable else " not null"
    return f"{column.name} {column.type}{null}" + (f" {' '.join(keys)}" if keys else "")


def _relation(graph: Xml.Element, number: int, reference: Reference, catalog: Catalog) -> None:
    edge = Xml.SubElement(
        graph,
        f"{{{_GRAPHML}}}edge",
        {"id": f"e{number}", "source": reference.table, "target": reference.target},
    )
    description = Xml.SubElement(edge, f"{{{_GRAPHML}}}data", {"key": "d3"})
    description.text = f"{reference.table} ({_label(reference)}) → {reference.target}" + (
        f" ({', '.join(reference.target_columns)})" + ("" if reference.is_declared else ", by equal values")
    )
    data = Xml.SubElement(edge, f"{{{_GRAPHML}}}data", {"key": "d2"})
    line = Xml.SubElement(data, f"{{{_YED}}}PolyLineEdge")
    kind = "line" if reference.is_declared else "dashed"
    Xml.SubElement(line, f"{{{_YED}}}LineStyle", {"color": "#5b6573", "type": kind, "width": "1.0"})
    target, own = _ends(catalog, reference)
    arrows = {
        "source": "crows_foot_one_optional" if own == "o|" else "crows_foot_many_optional",
        "target": "crows_foot_one_optional" if target == "|o" else "crows_foot_one_mandatory",
    }
    Xml.SubElement(line, f"{{{_YED}}}Arrows", arrows)
    Xml.SubElement(line, f"{{{_YED}}}BendStyle", {"smoothed": "false"})
