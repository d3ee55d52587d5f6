"""A look at a model: its sites as a table, and who depends on whom as a diagram.

Dependencies are read off the jaxpr (`storax.depending`).  `graph` holds what there is to see, `formats` writes it as
text for Mermaid and Graphviz, `layout` and `svg` draw it without help from outside.
"""

from storax.handlers.showing.graph import ModelGraph, Row
from storax.handlers.showing.showing import show

__all__ = ["ModelGraph", "Row", "show"]
