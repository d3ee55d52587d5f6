"""Tables: rows by name, shown as text and as HTML; what is in the cells is text from outside, and is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, TypeVar

from storax.errors import UnknownNameError, nearest

Rows = Sequence[Sequence[str]]  # the first is the head


def aligned(rows: Rows, left: int | None = None) -> str:
    """As lines of text: so many columns are flush left (default: all), the others right."""
    wide = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    left = len(wide) if left is None else left

    def line(row: Sequence[str]) -> str:
        cells = [c.ljust(w) if i < left else c.rjust(w) for i, (c, w) in enumerate(zip(row, wide, strict=True))]
        return "  ".join(cells).rstrip()

    return "\n".join(map(line, rows))


def to_html(rows: Rows) -> str:
    """
    >>> to_html([["name"], ["<b>"]])
    '<table><thead><tr><th>name</th></tr></thead><tbody><tr><td>&lt;b&gt;</td></tr></tbody></table>'
    """
    head, *body = [[html.escape(cell) for cell in row] for row in rows]
    top = "".join(f"<th>{cell}</th>" for cell in head)
    lines = ("".join(f"<td>{cell}</td>" for cell in row) for row in body)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{''.join(f'<tr>{r}</tr>' for r in lines)}</tbody></table>"


Row = TypeVar("Row")


class Named(Mapping[str, Row]):
    """Rows by name, in order; `unknown` says what there is no row of.

    >>> Named({"mu": 1})["nu"]
    Traceback (most recent call last):
    storax.errors.UnknownNameError: There is no row named 'nu'. Did you mean 'mu'? The names are: 'mu'.
    """

    unknown: ClassVar[str] = "There is no row named"

    def __init__(self, rows: Mapping[str, Row]) -> None:
        self._named = dict(rows)

    def __getitem__(self, name: str) -> Row:
        if name not in self._named:
            raise UnknownNameError(f"{self.unknown} {name!r}. {nearest(name, self._named)}")
        return self._named[name]

    def __contains__(self, name: object) -> bool:
        return name in self._named

    def __iter__(self) -> Iterator[str]:
        return iter(self._named)

    def __len__(self) -> int:
        return len(self._named)
