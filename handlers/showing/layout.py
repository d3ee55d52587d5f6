"""Where the nodes of a graph go: a layer below all of its parents, and a band of columns for every set of boxes.

Bands keep boxes apart: a box is a rectangle over the bands of its members, and nothing else is in those columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from storax.depending import Box
from storax.handlers.showing.formats import Group, edges, grouped, label

CHARACTER, HEIGHT, GAP_X, GAP_Y, MARGIN, INSET, TITLE = 7.5, 34.0, 26.0, 46.0, 14.0, 12.0, 18.0


class Placed(NamedTuple):
    """A node's centre and size."""

    x: float
    y: float
    width: float
    layer: int


class Frame(NamedTuple):
    """A rectangle around the members of a box."""

    box: Box
    left: float
    top: float
    right: float
    bottom: float


class Layout(NamedTuple):
    nodes: list[Placed]
    frames: list[Frame]
    width: float
    height: float


def layers(rows: Sequence[Any]) -> list[int]:
    """Of each node: one more than that of its lowest parent; nodes without parents are right above a child."""
    forward = [(a, b) for a, b, back in edges(rows) if not back]
    layer = [0] * len(rows)
    for parent, child in forward:  # in the order of children, which come after their parents
        layer[child] = max(layer[child], layer[parent] + 1)
    for i in range(len(rows)):
        children = [layer[b] for a, b in forward if a == i]
        if children and not any(b == i for _, b in forward):
            layer[i] = min(children) - 1
    return layer


def _bands(group: Group, position: dict[str, int]) -> list[list[int]]:
    """The nodes of each set of boxes, from left to right."""
    own = [[position[row.name] for row in group.rows]] if group.rows else []
    return own + [band for inner in group.inner.values() for band in _bands(inner, position)]


def place(rows: Sequence[Any]) -> Layout:
    """A place for every node and box."""
    layer = layers(rows)
    widths = [max(54.0, CHARACTER * len(label(row)) + 22) for row in rows]
    position = {row.name: i for i, row in enumerate(rows)}
    deepest = max((len(row.boxes) for row in rows), default=0)
    step, first = HEIGHT + GAP_Y, MARGIN + deepest * INSET + HEIGHT / 2
    nodes: dict[int, Placed] = {}
    left = MARGIN
    for band in _bands(grouped(rows), position):
        depth = len(rows[band[0]].boxes)
        left += depth * INSET
        by_layer: dict[int, list[int]] = {}
        for i in band:
            by_layer.setdefault(layer[i], []).append(i)
        span = {k: sum(widths[i] for i in members) + GAP_X * (len(members) - 1) for k, members in by_layer.items()}
        titles = [CHARACTER * len(box.title) for box in rows[band[0]].boxes]
        width = max([*span.values(), *titles])
        for k, members in by_layer.items():
            x = left + (width - span[k]) / 2
            for i in members:
                nodes[i] = Placed(x + widths[i] / 2, first + k * step, widths[i], k)
                x += widths[i] + GAP_X
        left += width + depth * INSET + GAP_X
    placed = [nodes[i] for i in range(len(rows))]
    frames = _frames(rows, placed)
    bottom = max([n.y + HEIGHT / 2 for n in placed] + [f.bottom for f in frames], default=HEIGHT)
    return Layout(placed, frames, max(left - GAP_X + MARGIN, 80.0), bottom + MARGIN)


def _frames(rows: Sequence[Any], nodes: Sequence[Placed]) -> list[Frame]:
    """A rectangle a box; a box whose members are not side by side gets one for each run of them."""
    frames = []
    order = sorted(range(len(rows)), key=lambda i: nodes[i].x)
    for box in dict.fromkeys(b for row in rows for b in row.boxes):
        runs: list[list[int]] = []
        previous = -2
        columns = [i for i in order if box in rows[i].boxes]
        outside = sorted(nodes[i].x for i in order if box not in rows[i].boxes)
        for i in columns:
            between = any(nodes[previous].x < x < nodes[i].x for x in outside) if previous >= 0 else True
            if between:
                runs.append([])
            runs[-1].append(i)
            previous = i
        frames += [_frame(box, run, rows, nodes) for run in runs]
    return frames


def _frame(box: Box, members: Sequence[int], rows: Sequence[Any], nodes: Sequence[Placed]) -> Frame:
    inner = max(len(rows[i].boxes) - rows[i].boxes.index(box) for i in members)  # how many frames are inside, and this
    left = min(nodes[i].x - nodes[i].width / 2 for i in members) - inner * INSET
    right = max(nodes[i].x + nodes[i].width / 2 for i in members) + inner * INSET
    right = max(right, left + CHARACTER * len(box.title) + INSET)
    top = min(nodes[i].y for i in members) - HEIGHT / 2 - inner * INSET
    bottom = max(nodes[i].y for i in members) + HEIGHT / 2 + inner * TITLE
    return Frame(box, left, top, right, bottom)
