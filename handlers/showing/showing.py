"""`show`: the sites of a model, and who depends on whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from storax.depending import Box, Node, dependencies
from storax.distributions.wrappers import Expanded, Masked, Scaled
from storax.effects import Effect, Handler, Perform, SiteInfo
from storax.handlers.showing.graph import ModelGraph, Row
from storax.models import Model, transformation
from storax.sources import plain_errors
from storax.surveying import survey


class Unsettle(Handler):
    """Puts every site back into the program, also those that a handler has answered for good."""

    def __call__(self, effect: Effect, perform: Perform, context: Any, records: Any) -> Effect:
        return perform(effect._replace(settled=False))


@transformation
def show(model: Callable[..., Any]) -> Callable[..., ModelGraph]:
    """A look at a model: a table of its sites, and diagrams of who depends on whom.  Nothing is run.

    Args:
        model: a model.

    Returns:
        `f(*args, **kwargs) -> ModelGraph`: prints as a table, maps name -> row, and has `.to_mermaid()`,
        `.to_graphviz()` (text), `.to_svg()`, and a drawing in notebooks.  The parents of a site are the sites whose
        values reach its distribution (or, for a derived quantity, its value) in the jaxpr, counting arrays as wholes:
        a site that is not used has no children.  Plates, loops and vmaps are boxes; a site in a scan whose own earlier
        value reaches it is its own parent.

    Raises:
        ModelError: duplicate names.
        And whatever the model raises while it is traced.

    >>> import storax as sx
    >>> def model(y):
    ...     mu = sx.sample("mu", sx.Normal(0.0, 5.0))
    ...     unused = sx.sample("unused", sx.Normal(0.0, 1.0))
    ...     with sx.plate("group", len(y)):
    ...         sx.sample("y", sx.Normal(mu, 1.0), obs=y)
    >>> sx.show(model)([1.0, 2.0])
    site    kind      distribution  shape  dims   parents
    mu      latent    Normal        ()
    unused  latent    Normal        ()
    y       observed  Normal        (2,)   group  mu
    >>> print(sx.show(model)([1.0, 2.0]).to_mermaid())
    flowchart TD
      n0("mu: Normal")
      n1("unused: Normal")
      subgraph b0["group #40;2#41;"]
        n2[["y: Normal"]]
      end
      n0 --> n2
    """
    model = Model.of(model, "sx.show")

    @plain_errors
    def f(*args: Any, **kwargs: Any) -> ModelGraph:
        staged = model.stage(*args, **kwargs)
        shown = model.handled_by(Unsettle())
        closed = jax.make_jaxpr(lambda *xs: shown.walk(staged, xs)[0])(*staged.arrays)
        sites = survey(closed)
        nodes = dependencies(closed)
        return ModelGraph({name: _row(name, info, nodes[name], list(sites)) for name, info in sites.items()})

    return f


def _row(name: str, info: SiteInfo, node: Node, order: list[str]) -> Row:
    site = info.site
    plates = [Box("plate", dim, size) for dim, size in zip(info.axis_names, info.shape, strict=True) if dim is not None]
    boxes = (*node.loops, *(Box("lanes", f"{i}", n) for i, n in enumerate(site.lane_shape)), *plates)
    return Row(
        name,
        _kind(info),
        "" if info.is_derived else _plain(site.distribution([None] * site.tree.num_leaves)).name,
        info.shape,
        info.axis_names,
        tuple(sorted(node.parents, key=order.index)),
        boxes,
        info.conditional,
    )


def _plain(d: Any) -> Any:
    """Without what says how many and how much they count."""
    return _plain(d.base) if isinstance(d, (Expanded, Masked, Scaled)) else d


def _kind(info: SiteInfo) -> str:
    if info.is_derived:
        return "observed" if info.site.observed else "derived"
    if info.site.is_factor:
        return "factor"
    if not info.site.name:
        return "anonymous"
    return "observed" if info.site.observed else "latent"
