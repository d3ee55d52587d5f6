"""The sites of a program, read off its jaxpr without running anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax

from storax import jaxprs
from storax.distributions.wrappers import Subsample
from storax.effects import Handler, SiteInfo, Sites
from storax.errors import ModelError
from storax.primitives import PRIMITIVES


def survey(closed: Any, place: str = "") -> Sites:
    """Every site of a jaxpr by name, in program order, with its full shape.

    Anonymous draws are listed under their place in the program, as `interpret` counts it.

    Raises:
        ModelError: two sites have the same name (other than in two branches of one `lax.cond`).
    """
    sites: Sites = {}
    effectful = 0
    for equation in jaxprs.equations(closed):
        if equation.primitive in PRIMITIVES:
            site, aval = equation.params["site"], equation.outvars[0].aval
            effectful += not site.name
            kind = "mark" if site.tree is None else equation.primitive.name
            found = {site.name or f"{place}#{effectful}": SiteInfo(kind, site, aval.shape, aval.dtype)}
        elif jaxprs.has_sites(equation):
            effectful += 1
            found = _inside(equation, f"{place}#{effectful}")
        else:
            continue
        for name in found.keys() & sites.keys():
            raise ModelError(_duplicate(sites[name], found[name]))
        sites |= found
    return sites


def _inside(equation: Any, place: str) -> Sites:
    kind = equation.primitive.name
    bodies = [survey(sub, place + part) for part, sub in jaxprs.parts(equation)]
    if kind == "cond":
        return _either(bodies)
    sites: Sites = {}
    for body in bodies:  # one, except for the condition and the body of a while_loop
        for name in body.keys() & sites.keys():
            raise ModelError(_duplicate(sites[name], body[name]))
        sites |= body
    if kind == "while":
        return {n: i._replace(uncounted=True) for n, i in sites.items()}
    length = equation.params.get("length") if kind == "scan" else equation.params.get("size")
    if kind not in ("scan", "storax_vmap"):
        return sites
    return {n: i._replace(shape=(length, *i.shape), loops=i.loops + 1) for n, i in sites.items()}


def _either(branches: Sequence[Sites]) -> Sites:
    """The sites of a cond.  Branches may share a name: one site with two distributions.

    Raises:
        ModelError: it is data in one branch, and open or derived in the other.
    """
    found: Sites = {}
    for sites in branches:
        for name, info in sites.items():
            first = found.setdefault(name, info._replace(conditional=True))
            if (first.kind, first.site.observed) != (info.kind, info.site.observed):
                raise ModelError(
                    f"{first.site.label} is {_status(first)} in one branch of a lax.cond or lax.switch, and "
                    f"{_status(info)} in another (at {info.site.source}). Give the two sites different names."
                )
    return found


def _status(info: SiteInfo) -> str:
    if info.is_derived:
        return "an observed derived quantity" if info.site.observed else "derived"
    return "open" if info.is_open else "observed" if info.site.observed else "given"


def _duplicate(first: SiteInfo, second: SiteInfo) -> str:
    name, a, b = first.site.name, first.site.source, second.site.source
    where = f"at {a} and again at {b}" if a != b else f"twice from {a}"
    return f"site {name!r} is sampled {where}; a name must be unique. {_apart(first, a == b)}"


def _apart(info: SiteInfo, same_line: bool) -> str:
    name, tree = info.site.name, info.site.tree
    if tree is not None and isinstance(jax.tree.unflatten(tree, [None] * tree.num_leaves), Subsample):
        return "A plate with a subsample that is entered twice would choose twice: put both parts in one block."
    advice = f"If one function is called twice, keep its sites apart: sx.scope(f, 'first')(...), giving 'first/{name}'."
    if same_line:
        advice += " In a lax.map the batch_size must divide the length: JAX runs the rest apart."
    return advice


def views(handlers: Sequence[Handler], sites: Sites) -> list[Sites]:
    """The named sites as each handler sees them, innermost first."""
    out = []
    for handler in handlers:
        out.append({n: i for n, i in sites.items() if i.visible or (handler.sees_hidden and i.site.name)})
        sites = handler.view(sites)
    return out


def beyond(handlers: Sequence[Handler], sites: Sites) -> Sites:
    """All sites, anonymous and hidden ones too, as they are outside of the handlers."""
    for handler in handlers:
        sites = handler.view(sites)
    return sites
