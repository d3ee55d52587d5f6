"""A graph as a drawing in SVG, with no script, link or style from outside; names are escaped."""

from __future__ import annotations

import html
import itertools
from collections.abc import Sequence
from typing import Any

from storax.handlers.showing.formats import edges, label
from storax.handlers.showing.layout import HEIGHT, Layout, Placed, place

_STYLE = 'font-family="sans-serif" font-size="13" text-anchor="middle" dominant-baseline="central" fill="#1a1a1a"'
_ARROW = (
    '<defs><marker id="storax-arrow" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto"><path d="M0 0L8 4L0 8z" fill="#555"/></marker></defs>'
)


def to_svg(rows: Sequence[Any]) -> str:
    layout = place(rows)
    size = f'width="{layout.width:.0f}" height="{layout.height:.0f}"'
    box = f'viewBox="0 0 {layout.width:.0f} {layout.height:.0f}"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} {box} role="img">', _ARROW]
    parts += [_frame(f) for f in layout.frames]
    parts += [_edge(layout, a, b, back) for a, b, back in edges(rows)]
    parts += [_node(row, node) for row, node in zip(rows, layout.nodes, strict=True)]
    return "".join([*parts, "</svg>"])


def _frame(frame: Any) -> str:
    _, left, top, right, bottom = frame
    text = (
        f'<text x="{right - 7:.1f}" y="{bottom - 9:.1f}" font-family="sans-serif" font-size="11" text-anchor="end" '
        f'dominant-baseline="central" fill="#555">{html.escape(frame.box.title)}</text>'
    )
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{bottom - top:.1f}" rx="6" '
        f'fill="none" stroke="#888"/>{text}'
    )


def _node(row: Any, node: Placed) -> str:
    fill = "#d9d9d9" if row.observed else "#ffffff"
    dashes = ' stroke-dasharray="4 3"' if row.conditional or row.kind == "anonymous" else ""
    look = f'fill="{fill}" stroke="#1a1a1a"{dashes}'
    x, y, w = node.x, node.y, node.width
    if row.kind in ("derived", "factor"):
        corner = 0 if row.kind == "derived" else 10
        left, top = f"{x - w / 2:.1f}", f"{y - HEIGHT / 2:.1f}"
        shape = f'<rect x="{left}" y="{top}" width="{w:.1f}" height="{HEIGHT:.0f}" rx="{corner}" {look}/>'
    else:
        shape = f'<ellipse cx="{x:.1f}" cy="{y:.1f}" rx="{w / 2:.1f}" ry="{HEIGHT / 2:.0f}" {look}/>'
    return f'{shape}<text x="{x:.1f}" y="{y:.1f}" {_STYLE}>{html.escape(label(row))}</text>'


def _edge(layout: Layout, parent: int, child: int, back: bool) -> str:
    a, b = layout.nodes[parent], layout.nodes[child]
    if parent == child:
        x, y = a.x + a.width / 2 - 8, a.y
        path = f"M{x:.1f} {y - 10:.1f}C{x + 22:.1f} {y - 26:.1f} {x + 22:.1f} {y + 26:.1f} {x:.1f} {y + 10:.1f}"
    elif b.layer > a.layer:
        path = _smooth([(a.x, a.y + HEIGHT / 2), *_around(layout, a, b), (b.x, b.y - HEIGHT / 2)])
    elif b.layer < a.layer:
        path = _smooth([(a.x, a.y - HEIGHT / 2), (b.x, b.y + HEIGHT / 2)])
    else:
        side = 1 if b.x > a.x else -1
        path = f"M{a.x + side * a.width / 2:.1f} {a.y:.1f}L{b.x - side * b.width / 2:.1f} {b.y:.1f}"
    dashes = ' stroke-dasharray="5 4"' if back else ""
    return f'<path d="{path}" fill="none" stroke="#555"{dashes} marker-end="url(#storax-arrow)"/>'


def _around(layout: Layout, a: Placed, b: Placed) -> list[tuple[float, float]]:
    """Points in the layers between, beside the nodes that are in the way."""
    points, x = [], a.x
    for layer in range(a.layer + 1, b.layer):
        y = a.y + (b.y - a.y) * (layer - a.layer) / (b.layer - a.layer)
        x += (b.x - x) / (b.layer - layer + 1)
        there = [n for n in layout.nodes if n.layer == layer]
        free = [x, *(n.x + side * (n.width / 2 + 10) for n in there for side in (-1, 1))]
        free = [f for f in free if all(abs(f - n.x) >= n.width / 2 + 9 for n in there)]
        x = min(free, key=lambda f: abs(f - x))
        points.append((x, y))
    return points


def _smooth(points: Sequence[tuple[float, float]]) -> str:
    """A curve that is vertical at every point."""
    path = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        middle = (y0 + y1) / 2
        path += f"C{x0:.1f} {middle:.1f} {x1:.1f} {middle:.1f} {x1:.1f} {y1:.1f}"
    return path
