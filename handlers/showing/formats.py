"""A graph as text: a table, Mermaid, DOT.  Names are text from outside, and are escaped."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from storax.depending import Box

HEAD = ("site", "kind", "distribution", "shape", "dims", "parents")


def label(row: Any) -> str:
    """`mu: Normal`, or what else a node says."""
    return f"{row.name}: {row.distribution}" if row.distribution and row.kind != "factor" else row.name


def cells(row: Any) -> tuple[str, ...]:
    dims = ", ".join(d or "-" for d in row.dims) if any(row.dims) else ""
    return row.name, row.kind, row.distribution, str(row.shape), dims, ", ".join(row.parents)


def table(rows: Sequence[Any]) -> list[tuple[str, ...]]:
    return [HEAD, *map(cells, rows)]


class Group(NamedTuple):
    """The rows directly in a box (None: in no box), and the boxes in it."""

    box: Box | None
    rows: list[Any]
    inner: dict[Box, Group]


def grouped(rows: Sequence[Any]) -> Group:
    """The boxes nested as the rows say, outermost first."""
    whole = Group(None, [], {})
    for row in rows:
        group = whole
        for box in row.boxes:
            group = group.inner.setdefault(box, Group(box, [], {}))
        group.rows.append(row)
    return whole


def edges(rows: Sequence[Any]) -> Iterator[tuple[int, int, bool]]:
    """(parent, child, does it come from an earlier step of a loop?), as positions."""
    position = {row.name: i for i, row in enumerate(rows)}
    for child, row in enumerate(rows):
        for parent in row.parents:
            yield position[parent], child, position[parent] >= child


_PLAIN = frozenset(" :,.-_")


def _mermaid(text: str) -> str:
    """Only letters, digits and a few marks stay as they are; everything else becomes an entity."""
    return "".join(c if (c.isascii() and c.isalnum()) or c in _PLAIN else f"#{ord(c)};" for c in text)


_MERMAID = {
    "latent": '("{}")',
    "anonymous": '("{}")',
    "observed": '[["{}"]]',
    "derived": '["{}"]',
    "factor": '{{"{}"}}',
}


def nested(group: Group, indent: str = "  ") -> Iterator[tuple[str, Any]]:
    """What is in the boxes, in order, with its indentation: a row, a box that begins, or None where one ends."""
    for row in group.rows:
        yield indent, row
    for box, inner in group.inner.items():
        yield indent, box
        yield from nested(inner, indent + "  ")
        yield indent, None


def to_mermaid(rows: Sequence[Any]) -> str:
    lines, number, count = ["flowchart TD"], {row.name: i for i, row in enumerate(rows)}, itertools.count()
    for indent, part in nested(grouped(rows)):
        if part is None:
            lines.append(f"{indent}end")
        elif isinstance(part, Box):
            lines.append(f'{indent}subgraph b{next(count)}["{_mermaid(part.title)}"]')
        else:
            lines.append(f"{indent}n{number[part.name]}{_MERMAID[part.kind].replace('{}', _mermaid(label(part)))}")
    lines += [f"  n{a} {'-.->' if back else '-->'} n{b}" for a, b, back in edges(rows)]
    return "\n".join(lines)


def _dot(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else "?" for c in escaped) + '"'


_DOT = {
    "latent": "shape=ellipse",
    "anonymous": "shape=ellipse, style=dotted",
    "observed": "shape=ellipse, style=filled, fillcolor=lightgray",
    "derived": "shape=box",
    "factor": "shape=diamond",
}


def to_graphviz(rows: Sequence[Any]) -> str:
    lines, number, count = ["digraph model {"], {row.name: i for i, row in enumerate(rows)}, itertools.count()
    for indent, part in nested(grouped(rows)):
        if part is None:
            lines.append(f"{indent}}}")
        elif isinstance(part, Box):
            lines.append(f"{indent}subgraph cluster_{next(count)} {{")
            lines.append(f"{indent}  label={_dot(part.title)}; labeljust=r; labelloc=b;")
        else:
            lines.append(f"{indent}n{number[part.name]} [label={_dot(label(part))}, {_DOT[part.kind]}];")
    lines += [f"  n{a} -> n{b}{' [style=dashed, constraint=false]' if back else ''};" for a, b, back in edges(rows)]
    return "\n".join([*lines, "}"])
