"""Names inside of loops: a named site, or one that is observed, becomes an anonymous draw that the loop returns.

For

    def step(x, y):
        x = rv(Normal(x, q)); sample("y", Normal(x, r), obs=y)
        return x, None

the loop is one that returns the draws of y, of which the data, stacked, are the value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from storax import jaxprs
from storax.errors import NotMeasurable
from storax.primitives import Site, mark_p, observe_p, sample_p
from storax.surveying import survey


class Returned(NamedTuple):
    """A site inside: its draw, or the quantity that it names, and where it is observed the data."""

    site: Site
    is_draw: bool
    value: Any
    data: Any = None


class Names(NamedTuple):
    """An equation that also returns its named sites.

    Args:
        closed: the program of the equation; after the equation's own results come the sites'.
        sites: (site, is it a draw, is it observed), in this order.
        data: the program of the data, and which inputs of the equation it reads.
    """

    closed: Any
    sites: list[tuple[Site, bool, bool]]
    data: tuple[Any, list[bool]]


def names_inside(equation: Any) -> list[str]:
    return [s for sub in jaxprs.sub_jaxprs(equation) for s in survey(jaxprs.close(sub)) if not s.startswith("#")]


def returned(equation: Any) -> Names:
    """The equation with all that has a name inside among its results.

    Raises:
        NotMeasurable: data that depend on choices of the model; a name in a branch or a while loop.
    """
    found: list[Returned] = []
    shapes = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in equation.invars]

    def all_of_it(*inputs: Any) -> Any:
        found.clear()
        outputs = _Inside().equation(equation, list(inputs), found)
        return [*outputs, *(r.value for r in found)]

    def data_of_it(unknown: Any, *inputs: Any) -> Any:
        inside: list[Returned] = []
        _Inside(unknown).equation(equation, list(inputs), inside)
        return [r.data for r in inside if r.data is not None]

    closed = jax.make_jaxpr(all_of_it)(*shapes)
    sites = [(r.site, r.is_draw, r.data is not None) for r in found]
    data = jax.make_jaxpr(data_of_it)(jax.ShapeDtypeStruct((), jnp.result_type(float)), *shapes)
    for i, site in enumerate(s for s, _, observed in sites if observed):
        if jaxprs.depends_on(data, i, [True] + [False] * len(shapes)):
            raise NotMeasurable(f"{site.label} observes what the model has computed from its own choices, so that "
                                f"there is no density. Pass data, as an argument of the model.")  # fmt: skip
    pruned, needed = jaxprs.pruned(data)
    return Names(closed, sites, (pruned, needed[1:]))


class _Inside:
    """Runs a program, in which names become results.

    Args:
        unknown: a number in the place of every draw; None to draw.
    """

    def __init__(self, unknown: Any = None) -> None:
        self.unknown = unknown

    def run(self, closed: Any, inputs: Sequence[Any], found: list[Returned]) -> list[Any]:
        jaxpr = closed.jaxpr
        env = dict(zip(jaxpr.constvars, closed.consts, strict=True)) | dict(zip(jaxpr.invars, inputs, strict=True))
        for e in jaxpr.eqns:
            outputs = self.equation(e, [jaxprs.read(env, v) for v in e.invars], found)
            env.update(zip(e.outvars, outputs, strict=True))
        return [jaxprs.read(env, v) for v in jaxpr.outvars]

    def equation(self, e: Any, inputs: list[Any], found: list[Returned]) -> list[Any]:
        name = e.primitive.name
        if e.primitive in (sample_p, observe_p, mark_p):
            return [self.site(e, inputs, found)]
        if name == "storax_vmap":
            return self.lanes(e, inputs, found)
        if not jaxprs.has_sites(e):
            return jaxprs.evaluate(e, inputs)
        if name == "scan":
            return self.scan(e, inputs, found)
        if name in jaxprs.TRANSPARENT:
            return self.run(jaxprs.callee(e.params), inputs, found)
        names = names_inside(e)
        if names:
            raise NotMeasurable(f"the named site {names[0]!r} is inside of a `{name}`: beside anonymous draws, names "
                                f"must be outside of branches and of loops of unknown length.")  # fmt: skip
        if self.unknown is not None:
            return [jnp.broadcast_to(self.unknown, v.aval.shape).astype(v.aval.dtype) for v in e.outvars]
        return jaxprs.evaluate(e, inputs)

    def site(self, e: Any, inputs: list[Any], found: list[Returned]) -> Any:
        site, is_observed = e.params["site"], e.primitive is observe_p
        data, *leaves = inputs if is_observed else [None, *inputs]
        site = site.drop_value() if is_observed else site
        if e.primitive is mark_p or site.tree is None:
            value = data if e.primitive is mark_p and is_observed else leaves[0]
            found.append(Returned(site, False, value, data))
            return value if data is None else data
        value = self.draw(e, site, leaves)
        if site.name or is_observed:
            found.append(Returned(site, True, value, data))
        return value if data is None else data

    def draw(self, e: Any, site: Site, leaves: list[Any]) -> Any:
        aval = e.outvars[0].aval
        if self.unknown is not None:
            return jnp.broadcast_to(self.unknown, aval.shape).astype(aval.dtype)
        leaves = leaves or [jnp.zeros(())]
        return sample_p.bind(*leaves, site=site.replace(name="", observed=bool(site.name), is_factor=False, dims=()))

    def scan(self, e: Any, inputs: list[Any], found: list[Returned]) -> list[Any]:
        loop, inside = jaxprs.Scan.read(e.params, inputs), list[Returned]()

        def step(carry: Any, xs: Any) -> Any:
            inside.clear()
            outputs = self.run(loop.body, [*loop.consts, *carry, *xs], inside)
            k = len(loop.carry)
            return outputs[:k], (outputs[k:], [(r.value, r.data) for r in inside])

        carry, (ys, arrays) = lax.scan(step, loop.carry, loop.xs, loop.length, loop.reverse, loop.unroll)
        found += [r._replace(value=v, data=d) for r, (v, d) in zip(inside, arrays, strict=True)]
        return [*carry, *ys]

    def lanes(self, e: Any, inputs: list[Any], found: list[Returned]) -> list[Any]:
        body, mapped, size = (e.params[k] for k in ("jaxpr", "mapped", "size"))
        inside: list[Returned] = []

        def lane(*inputs: Any) -> Any:
            inside.clear()
            return self.run(body, inputs, inside), [(r.value, r.data) for r in inside]

        axes = tuple(0 if m else None for m in mapped)
        outputs, arrays = jax.vmap(lane, in_axes=axes, axis_size=size)(*inputs)
        found += [r._replace(value=v, data=d) for r, (v, d) in zip(inside, arrays, strict=True)]
        return list(outputs)
