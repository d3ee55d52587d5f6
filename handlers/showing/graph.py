"""`ModelGraph`: the sites of a model, their parents, and the boxes they are in."""

from __future__ import annotations

from typing import NamedTuple

from storax import tables
from storax.depending import Box
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


class ModelGraph(tables.Named[Row]):
    """The sites of a model by name, in program order; prints as a table, and shows as a diagram in notebooks.

    Names are text from outside: every format escapes them.
    """

    unknown = "The model has no site named"

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
