"""`ModelGraph`: the sites of a model, their parents, and the boxes they are in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from storax import tables
from storax.depending import Box
from storax.errors import UnknownNameError, nearest
from storax.handlers.showing import formats, svg


class Row(NamedTuple):
    """A site: `kind` is "latent", "observed", "derived", "factor" or "anonymous"; `boxes` outermost first."""

    name: str
    kind: str
    distribution: str
    shape: tuple[int, ...]
    dims: tuple[str | None, ...]
    parents: tuple[str, ...]
    boxes: tuple[Box, ...]
    conditional: bool  # in a branch of a `lax.cond`

    @property
    def observed(self) -> bool:
        return self.kind == "observed"


class ModelGraph(Mapping[str, Row]):
    """The sites of a model by name, in program order; prints as a table, and shows as a diagram in notebooks.

    Names are text from outside: every format escapes them.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = {r.name: r for r in rows}

    def __getitem__(self, name: str) -> Row:
        if name not in self._rows:
            raise UnknownNameError(f"The model has no site named {name!r}. {nearest(name, self._rows)}")
        return self._rows[name]

    def __contains__(self, name: object) -> bool:
        return name in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return tables.aligned(formats.table(list(self.values())))

    def to_mermaid(self) -> str:
        """A Mermaid flowchart, which GitHub, JupyterLab, VS Code and Quarto draw."""
        return formats.to_mermaid(list(self.values()))

    def to_graphviz(self) -> str:
        """A program in the DOT language, for `dot` or `graphviz.Source(...)`."""
        return formats.to_graphviz(list(self.values()))

    def to_svg(self) -> str:
        """A drawing, made here: no other program is needed."""
        return svg.to_svg(list(self.values()))

    def _repr_html_(self) -> str:
        return f"<div>{self.to_svg()}{tables.to_html(formats.table(list(self.values())))}</div>"
