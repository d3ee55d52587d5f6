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
from storax.logprob.deriving.measures import slim
from storax.logprob.deriving.mixtures import Mixture
from storax.logprob.deriving.randoms import Random


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
    if type(blank) is dist.MultivariateNormal and places == [0] and leaves[0].gaussian is not None:
        return _vector_normal(node, leaves)
    if blank.event_dim:
        return _waiting(node, leaves, "is a draw whose parameters are random and have no value")
    if not site.lanes and type(blank) is dist.Normal and places == [0] and leaves[0].gaussian is not None:
        return _normal(node, leaves)
    found = conjugate.draw(node, leaves, _own_events(node)) if len(places) == 1 else None
    return found or _mixture(node, leaves, places)


def _is_each_its_own(node: Node, leaves: list[Any], places: list[int]) -> bool:
    """Has every number of a draw under vmap a Gaussian mean of its own?"""
    lanes = node.site.lanes  # type: ignore[union-attr]
    loc = leaves[0]
    return places == [0] and loc.gaussian is not None and loc.shape == node.shape and all(m[0] for _, m in lanes)


def _deps(node: Node, leaves: list[Any]) -> Dependence:
    own = np.arange(int(np.prod(node.shape))).reshape(*node.shape, 1)
    return union([Dependence({node: own}), *[_behind(node, leaves, i) for i, x in enumerate(leaves)]], node.shape)


def _behind(node: Node, leaves: list[Any], place: int) -> Dependence:
    """The events behind a parameter, as each of the draws sees it."""
    x = leaves[place]
    if not isinstance(x, Random):
        return Dependence({})
    axes = tuple(range(-_event_axes(node, place), 0))
    seen = x.deps.merged(axes) if axes else x.deps
    kept = x.shape[: len(x.shape) - len(axes)]
    view = _view(node, kept, place)
    if view is None:
        return seen.everywhere(node.shape)
    return seen.map(lambda ids: np.broadcast_to(ids.reshape(view), node.shape))


def _event_axes(node: Node, place: int) -> int:
    """How many of a parameter's last axes are for one draw: 1 for the probabilities of a category."""
    tree = node.site.tree  # type: ignore[union-attr]
    blank = jax.tree.unflatten(tree, range(tree.num_leaves))
    names = [n for n in blank.parameters if getattr(blank, n, None) is place]
    return int(blank.parameters[names[0]].event_dim) if names else 0


def _view(node: Node, shape: tuple[int, ...], place: int) -> tuple[int, ...] | None:
    """A parameter's shape with the axes of the draws, 1 where it has none; None if it has others."""
    site = node.site
    assert site is not None
    lanes = tuple(n if mapped[place] else 1 for n, mapped in site.lanes)
    inner = shape[sum(mapped[place] for _, mapped in site.lanes) :]
    view = (*lanes, *[1] * (len(node.shape) - len(lanes) - len(inner)), *inner)
    fits = len(view) == len(node.shape) and all(a in (1, b) for a, b in zip(view, node.shape, strict=True))
    return view if fits else None


def _is_of_one_state(node: Node, x: Random, place: int) -> bool:
    """Are the entries of a parameter that are for one draw functions of the same events?

    If not, their states are those of all of them together, which are more than those of one.
    """
    axes = _event_axes(node, place)
    one: tuple[Any, ...] = (..., *[slice(0, 1)] * axes)
    first = x.deps.map(lambda ids: np.broadcast_to(ids[one], ids.shape))
    return not axes or x.deps.same(first)


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


def _vector_normal(node: Node, leaves: list[Any]) -> Random:
    """A multivariate normal around a Gaussian loc: loc + L e."""
    from storax.logprob.deriving.walking import scale_tril

    site, loc = node.site, leaves[0]
    assert site is not None and loc.gaussian is not None

    def scaled(e: Any, *ls: Any) -> Any:
        d = site.distribution(ls)
        return jnp.asarray(d.loc + jnp.einsum("...ij,...j->...i", scale_tril(d), e), node.aval.dtype)

    def f(e: Any) -> Any:
        return site.over_lanes(scaled, 1)(e[node], loc.gaussian.f(e), *leaves[1:])

    node.event_size = node.shape[-1]  # type: ignore[attr-defined]
    gaussian = Gaussian({**loc.gaussian.noise, node: node.shape}, f, node.aval.dtype)
    deps = union([_own_events(node), loc.deps.everywhere(node.shape)], node.shape)
    why = f"{node.label} is a vector, whose entries depend on each other"
    return Random(node.shape, node.aval.dtype, deps, why=why, gaussian=gaussian, affine=True, smooth=True)


def _mixture(node: Node, leaves: list[Any], places: list[int]) -> Random:
    """One component for each state of the parameters that are functions of the same draws of few values."""
    site = node.site
    assert site is not None
    behind = {i: _behind(node, leaves, i) for i in places}
    few: dict[int, Any] = {i: r.law.finite for i in places if (r := leaves[i]).law is not None and r.law.is_discrete}
    few = {i: f for i, f in few.items() if f is not None and _is_of_one_state(node, leaves[i], i)}
    first = next(iter(few), None)
    if first is None:
        return _waiting(node, leaves, "is a draw whose parameters are random and have no value")
    same = [i for i in few if few[i].states is few[first].states and behind[i].same(behind[first])]
    rest = [i for i in places if i not in same]
    if not all(behind[i].disjoint(behind[first]) for i in rest):
        return _waiting(node, leaves, "is a draw whose parameters share random quantities that have no value")
    components = []
    for k in range(len(few[first].values)):
        at = [_value(few[i].values[k], node, x, i) if i in same else x for i, x in enumerate(leaves)]
        if rest:
            found = draw(node, at)
            if found.law is None:
                return _waiting(node, leaves, found.why)
            components.append(found.law)
        else:
            components.append(Given(site, at, node.aval))
    weights = few[first].mass
    if weights.ndim > 1:
        weights = jnp.stack([_spread(m, node, leaves[first], first) for m in weights])
    deps = _deps(node, leaves)
    law = Mixture.of(weights, components, node.shape, node.aval.dtype) if deps.independent else None
    blank = jax.tree.unflatten(site.tree, [None] * site.tree.num_leaves)
    why = "" if law is not None else f"{node.label} has a random parameter that is shared by several draws"
    return Random(node.shape, node.aval.dtype, deps, law=law, why=why, smooth=not blank.is_discrete)


def _value(v: Any, node: Node, x: Random, place: int) -> Any:
    """A state's parameter: one number where all draws have the same, but for lanes, which are seen, and for vectors."""
    if node.site.lanes or _event_axes(node, place):  # type: ignore[union-attr]
        return jnp.broadcast_to(jnp.asarray(v, x.dtype), x.shape)
    return jnp.asarray(slim(v), x.dtype)


def _spread(m: Any, node: Node, x: Random, place: int) -> Any:
    """The mass of a state, for each of the draws."""
    m = m[(..., *[0] * _event_axes(node, place))]
    view = _view(node, m.shape, place)
    assert view is not None
    return jnp.broadcast_to(jnp.reshape(m, view), node.shape)
