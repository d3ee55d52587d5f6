"""A Gaussian that is dependent where the model is."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from storax import jaxprs
from storax.logprob.unconstraining import Density
from storax.samplers.variational.families import Family, Params, centre
from storax.samplers.variational.gaussians import START, log_standard_normal

MOST = 2500  # entries of a matrix of coefficients; beyond it copies depend on copies, one by one


class Part(NamedTuple):
    """One latent site: where it is in the vector, and on which parts before it depends, and how."""

    begin: int
    size: int
    parents: tuple[int, ...]


def neighbours(density: Density) -> dict[str, set[str]]:
    """Which latent sites meet in the log density of any one site: the edges of the moral graph of the model.

    >>> import storax as sx
    >>> def model():
    ...     a = sx.sample("a", sx.Normal(0.0, 1.0))
    ...     b = sx.sample("b", sx.Normal(a, 1.0))
    ...     c = sx.sample("c", sx.Normal(b, 1.0))
    >>> edges = neighbours(sx.unconstrain(model)())
    >>> sorted(edges["a"]), sorted(edges["b"])
    (['b'], ['a', 'c'])
    """
    names = [s.name for s in density.layout.slots]
    infos = [density.sites[n] for n in names]
    shapes = [jax.ShapeDtypeStruct(i.shape, i.dtype) for i in infos]
    scores = lambda values: list(density.scores_of(dict(zip(names, values, strict=True))).values())  # noqa: E731
    closed = jax.make_jaxpr(scores)(shapes)
    edges: dict[str, set[str]] = {n: set() for n in names}
    for output in range(len(closed.jaxpr.outvars)):
        flags = [[i == j for j in range(len(names))] for i in range(len(names))]
        here = [n for n, flag in zip(names, flags, strict=True) if jaxprs.depends_on(closed, output, flag)]
        for n in here:
            edges[n] |= set(here) - {n}
    return edges


@dataclasses.dataclass(frozen=True)
class Structured(Family):
    """Site after site in program order, a normal distribution whose mean is linear in the sites that it meets in the
    model: its parents, and those that share a child with it.  Within a small site coordinates are correlated, too.

    As Pyro's AutoStructured with linear dependencies, which follow the moral graph of the model.

    Args:
        scale: standard deviation of every coordinate at the start, positive.
    """

    scale: float = START

    def context(self, density: Density, features: Any, batch: Any = None) -> tuple[Part, ...]:
        edges = neighbours(density)
        begins, begin = {}, 0
        for slot in density.layout.slots:
            begins[slot.name], begin = (begin, slot.size), begin + slot.size
        order = [n for n in density.sites if n in begins]
        parts = []
        for i, name in enumerate(order):
            parents = tuple(j for j in range(i) if order[j] in edges[name])
            parts.append(Part(*begins[name], parents))
        return tuple(parts)

    def init(self, density: Density, key: jax.Array, context: Any = None) -> Params:
        loc = centre(density, key)
        sites = []
        for part in context:
            links = [jnp.zeros(_link_shape(part, context[j]), loc.dtype) for j in part.parents]
            own = jnp.zeros((part.size, part.size) if _is_small(part, part) else (0, 0), loc.dtype)
            log_scale = jnp.full(part.size, math.log(self.scale), loc.dtype)
            mine = loc[part.begin : part.begin + part.size]
            sites.append({"loc": mine, "log_scale": log_scale, "links": links, "lower": own})
        return {"sites": sites}

    def sample(self, params: Params, key: jax.Array, context: Any = None) -> tuple[jax.Array, jax.Array]:
        size = sum(part.size for part in context)
        dtype = params["sites"][0]["loc"].dtype
        noise = jax.random.normal(key, (size,), dtype)
        away: list[jax.Array] = []
        log_q, z = log_standard_normal(noise), jnp.zeros(size, dtype)
        for part, site in zip(context, params["sites"], strict=True):
            own = noise[part.begin : part.begin + part.size]
            if site["lower"].size:
                own = own + jnp.tril(site["lower"], -1) @ own
            moved = jnp.exp(site["log_scale"]) * own + _mean(part, site, away)
            away.append(moved)
            z = z.at[part.begin : part.begin + part.size].set(site["loc"] + moved)
            log_q = log_q - site["log_scale"].sum()
        return z, log_q

    def log_prob(self, params: Params, z: jax.Array, context: Any = None) -> jax.Array:
        away: list[jax.Array] = []
        log_q = jnp.zeros((), z.dtype)
        for part, site in zip(context, params["sites"], strict=True):
            moved = z[part.begin : part.begin + part.size] - site["loc"]
            own = (moved - _mean(part, site, away)) * jnp.exp(-site["log_scale"])
            away.append(moved)
            if site["lower"].size:
                factor = jnp.tril(site["lower"], -1) + jnp.eye(part.size, dtype=z.dtype)
                own = jax.scipy.linalg.solve_triangular(factor, own, lower=True, unit_diagonal=True)
            log_q = log_q + log_standard_normal(own) - site["log_scale"].sum()
        return log_q

    def entropy(self, params: Params) -> jax.Array | None:
        scales = jnp.concatenate([s["log_scale"] for s in params["sites"]])
        return scales.sum() + scales.size * 0.5 * (1 + math.log(2 * math.pi))


def _is_small(part: Part, other: Part) -> bool:
    return part.size * other.size <= MOST


def _link_shape(part: Part, parent: Part) -> tuple[int, ...]:
    """A matrix of coefficients; one for each copy where both are many; none where that fits neither."""
    if _is_small(part, parent):
        return (part.size, parent.size)
    return (part.size,) if part.size == parent.size else (0,)


def _mean(part: Part, site: Any, away: list[jax.Array]) -> jax.Array:
    total = jnp.zeros_like(site["loc"])
    for j, link in zip(part.parents, site["links"], strict=True):
        total = total + (link @ away[j] if link.ndim == 2 else link * away[j] if link.size else 0.0)
    return total
