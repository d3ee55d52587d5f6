"""Draws whose parameters are random themselves: what is known of them when those are not given."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import storax.distributions as dist
from storax.logprob.deriving import conjugate
from storax.logprob.deriving.dependence import Dependence, union
from storax.logprob.deriving.gaussians import Gaussian
from storax.logprob.deriving.graphs import Node
from storax.logprob.deriving.laws import Given
from storax.logprob.deriving.mixtures import Mixture
from storax.logprob.deriving.randoms import Random
from storax.logprob.deriving.registry import refuse


def draw(node: Node, leaves: list[Any]) -> Random:
    """A draw with random parameters: Gaussian around a Gaussian, or a mixture over parameters of few values.

    Raises:
        NotMeasurable: neither.
    """
    site = node.site
    assert site is not None
    places = [i for i, x in enumerate(leaves) if isinstance(x, Random)]
    blank = jax.tree.unflatten(site.tree, [None] * site.tree.num_leaves)
    if site.lanes and _is_each_its_own(node, leaves, places) and type(blank) is dist.Normal:
        return _normal(node, leaves)
    if type(blank) is dist.Normal and places == [0] and leaves[0].gaussian is not None and not site.lanes:
        return _normal(node, leaves)
    (first, *more) = places
    found = conjugate.draw(node, leaves, _own_events(node)) if not more and not blank.event_dim else None
    if found is not None:
        return found
    if blank.event_dim or site.lanes:
        return _waiting(node, leaves, "is a draw whose parameters are random and have no value")
    few = leaves[first].law.finite if leaves[first].law is not None and leaves[first].law.is_discrete else None
    if few is None or more:
        return _waiting(node, leaves, "is a draw whose parameters are random and have no value")
    return _mixture(node, leaves, first, few)


def _is_each_its_own(node: Node, leaves: list[Any], places: list[int]) -> bool:
    """Has every number of a draw under vmap a Gaussian mean of its own?"""
    lanes = node.site.lanes  # type: ignore[union-attr]
    loc = leaves[0]
    return places == [0] and loc.gaussian is not None and loc.shape == node.shape and all(m[0] for _, m in lanes)


def _deps(node: Node, leaves: list[Any]) -> Dependence:
    own = np.arange(int(np.prod(node.shape))).reshape(*node.shape, 1)
    parts = [Dependence({node: own})]
    for x in leaves:
        if isinstance(x, Random):
            aligned = np.broadcast_shapes(x.shape, node.shape) == node.shape
            f = lambda ids: np.broadcast_to(ids, node.shape)  # noqa: E731
            parts.append(x.deps.map(f) if aligned else x.deps.everywhere(node.shape))
    return union(parts, node.shape)


def _waiting(node: Node, leaves: list[Any], why: str) -> Random:
    deps = union([_own_events(node), *[x.deps.everywhere(node.shape) for x in leaves if isinstance(x, Random)]],
                 node.shape)  # fmt: skip
    blank = jax.tree.unflatten(node.site.tree, [None] * node.site.tree.num_leaves)  # type: ignore[union-attr]
    return Random(node.shape, node.aval.dtype, deps, why=f"{node.label} {why}", smooth=not blank.is_discrete)


def _own_events(node: Node) -> Dependence:
    blank = jax.tree.unflatten(node.site.tree, [None] * node.site.tree.num_leaves)  # type: ignore[union-attr]
    events = node.shape[: len(node.shape) - blank.event_dim]
    ids = np.arange(int(np.prod(events))).reshape(*events, *[1] * blank.event_dim, 1)
    return Dependence({node: np.broadcast_to(ids, (*node.shape, 1))})


def _normal(node: Node, leaves: list[Any]) -> Random:
    """Normal(loc, scale) with a Gaussian loc: loc + scale e."""
    from storax.logprob.deriving.algebra import NormalLaw

    loc, scale = leaves
    assert loc.gaussian is not None
    noise = {**loc.gaussian.noise, node: node.shape}
    scaled = lambda e, loc, scale: jnp.asarray(loc + scale * e, node.aval.dtype)  # noqa: E731
    f = lambda e: node.site.over_lanes(scaled, 1)(e[node], loc.gaussian.f(e), scale)  # type: ignore[union-attr] # noqa: E731
    gaussian = Gaussian(noise, f, node.aval.dtype)
    deps = _deps(node, leaves)
    law = NormalLaw(gaussian, deps, node.shape) if deps.independent else None
    return Random(node.shape, node.aval.dtype, deps, law=law, why="" if law else f"{node.label} shares a random mean",
                  gaussian=gaussian, affine=True, smooth=True)  # fmt: skip


def _mixture(node: Node, leaves: list[Any], place: int, few: Any) -> Random:
    site = node.site
    assert site is not None
    r = leaves[place]
    if np.broadcast_shapes(r.shape, node.shape) != node.shape or node.shape[len(node.shape) - len(r.shape) :] not in (
        r.shape,
    ):
        refuse("has a random parameter that is shared by several draws")
    deps = _deps(node, leaves)
    components = []
    for v in few.values:
        at = [jnp.asarray(v, r.dtype) if i == place else x for i, x in enumerate(leaves)]
        components.append(Given(site, at, node.aval))
    weights = jnp.stack([jnp.broadcast_to(m, node.shape) for m in few.log_mass])
    law = Mixture.of(weights, components, node.shape, node.aval.dtype)
    blank = jax.tree.unflatten(site.tree, [None] * site.tree.num_leaves)
    return Random(node.shape, node.aval.dtype, deps, law=law, smooth=not blank.is_discrete)
