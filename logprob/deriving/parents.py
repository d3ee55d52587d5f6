"""Draws that share an anonymous parent, integrated out together: flips of one coin of unknown chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import storax.distributions as dist
from storax.distributions.log_gamma import log_gamma
from storax.distributions.masses import log_urn
from storax.logprob.deriving import conjugate
from storax.logprob.deriving.families import as_beta, canonical
from storax.logprob.deriving.graphs import Node
from storax.logprob.deriving.laws import Given
from storax.logprob.deriving.measures import Density
from storax.logprob.deriving.randoms import Random
from storax.logprob.deriving.walking import Walk

MOVES = {"broadcast_in_dim", "reshape", "squeeze", "expand_dims", "stop_gradient", "copy", "slice", "gather", "rev",
         "transpose", "split", "unstack", "tile", "dynamic_slice", "convert_element_type"}  # fmt: skip


def settle(solver: Any) -> bool:
    """Score all observed draws that share one parent, if they are conjugate to it."""
    for o in solver.left:
        parent = _parent(o.node, solver.walk)
        if parent is None:
            continue
        group = [x for x in solver.left if parent in solver.walk(x.node).deps]
        if any(_parent(x.node, solver.walk) is not parent for x in group):
            continue
        found = (_of_vectors if parent.site.tree and _event_dim(parent) else _of_numbers)(solver.walk, parent, group)
        if found is not None:
            solver.settle_together(group, found)
            return True
    return False


def _event_dim(node: Node) -> int:
    assert node.site is not None
    return int(jax.tree.unflatten(node.site.tree, [None] * node.site.tree.num_leaves).event_dim)


def _parent(node: Node, walk: Walk) -> Any:
    """The only draw that the parameters of a draw are made of."""
    if node.kind != "draw" or node in walk.known or node.stand_in is not None:
        return None
    parents = {d for n in node.inputs if isinstance(r := walk(n), Random) for d in r.deps}
    if len(parents) != 1:
        return None
    (parent,) = parents
    plain = parent.kind == "draw" and parent.stand_in is None
    return parent if plain and not any(isinstance(walk(n), Random) for n in parent.inputs) else None


def _of_numbers(walk: Walk, parent: Node, group: Sequence[Any]) -> Density | None:
    law = walk(parent).law
    if not isinstance(law, Given):
        return None
    prior = as_beta(law.name())
    is_chance = isinstance(prior, dist.Beta)
    prior = prior if is_chance else canonical(prior)
    if not isinstance(prior, (dist.Beta, conjugate.GammaPower)):
        return None
    given = []
    for o in group:
        c = conjugate.child(o.node, [walk(n) for n in o.node.inputs])
        if c is None or isinstance(c.name, dist.Beta) != is_chance:
            return None
        if is_chance:
            quarter = Walk({**walk.known, parent: np.full(parent.shape, 0.25, parent.aval.dtype)})
            place = next(n for n in o.node.inputs if isinstance(walk(n), Random))
            turned = conjugate.is_turned(c.name, quarter(place))
            if turned is None:
                return None
            c = c._replace(turned=turned)
        if not conjugate.is_pair(c):
            return None
        given.append((c, o.value))
    events = int(np.prod(parent.shape))
    scores = conjugate.score(conjugate.flat(prior, parent.shape), events, given)
    return scores.sum(), _dimension(group)


def _dimension(group: Sequence[Any]) -> int:
    return sum(int(np.prod(o.node.shape)) for o in group if jnp.issubdtype(o.node.aval.dtype, jnp.floating))


def _of_vectors(walk: Walk, parent: Node, group: Sequence[Any]) -> Density | None:
    """Categories and counts of them, with probabilities that are rows of a Dirichlet draw."""
    site = parent.site
    assert site is not None
    prior = site.distribution([walk(n) for n in parent.inputs]) if not site.lanes else None
    if type(prior) is not dist.Dirichlet:
        return None
    k = parent.shape[-1]
    concentration = jnp.broadcast_to(jnp.asarray(prior.concentration), parent.shape).reshape(-1, k)
    counts, constant, inside = jnp.zeros_like(concentration), jnp.zeros(()), jnp.asarray(True)
    for o in group:
        found = _counted(walk, parent, o, k)
        if found is None:
            return None
        rows, n, extra, sound = found
        counts = counts.at[rows].add(n)
        constant, inside = constant + extra, inside & sound
    # The draws in their order: of all n! / prod k_i! orders of an urn's draws one.
    orders = log_gamma(counts.sum(-1) + 1) - log_gamma(counts + 1).sum(-1)
    score = (log_urn(counts, concentration) - orders).sum() + constant
    return jnp.where(inside, score, -jnp.inf), 0


def _counted(walk: Walk, parent: Node, o: Any, k: int) -> Any:
    """Which row of the parent each draw has, its counts `[draws, k]`, what else is in its mass, and is it possible?"""
    node = o.node
    site, leaves = node.site, [walk(n) for n in node.inputs]
    places = [i for i, x in enumerate(leaves) if isinstance(x, Random)]
    blank = jax.tree.unflatten(site.tree, range(site.tree.num_leaves))
    if site.lanes or type(blank) not in (dist.Categorical, dist.Multinomial) or [blank.probs] != places:
        return None
    (place,) = places
    rows = _rows(walk, parent, node.inputs[place], leaves[place], k)
    if rows is None:
        return None
    if type(blank) is dist.Categorical:
        rows = np.broadcast_to(rows, node.shape).ravel()
        y = jnp.ravel(jnp.asarray(o.value))
        return rows, jax.nn.one_hot(y, k), 0.0, jnp.all((y >= 0) & (y < k) & (y == jnp.round(y)))
    rows = np.broadcast_to(rows, node.shape[:-1]).ravel()
    y = jnp.asarray(o.value, jnp.result_type(float)).reshape(-1, k)
    even = [jnp.full(r.shape, 1 / k) if isinstance(r, Random) else r for r in leaves]
    base = jnp.broadcast_to(site.distribution(even).log_prob(jnp.asarray(o.value)), node.shape[:-1])
    sound = jnp.all(base > -jnp.inf)
    extra = jnp.where(sound, base.sum() + y.sum() * np.log(k), 0.0)  # the multinomial coefficients
    return rows, jnp.where(sound, y, 0.0), extra, sound


def _rows(walk: Walk, parent: Node, leaf: Node, r: Random, k: int) -> Any:
    """Which rows of the parent a parameter has, if it has whole rows, and nothing was done to them."""
    while r.made is not None:
        if r.made.name not in MOVES or not isinstance(r.made.inputs[0], Random) or len(r.made.randoms) != 1:
            return None
        r = r.made.inputs[0]
    size = int(np.prod(parent.shape))
    with jax.ensure_compile_time_eval():
        numbers = Walk({**walk.known, parent: np.arange(size, dtype=parent.aval.dtype).reshape(parent.shape)})(leaf)
    if not isinstance(numbers, (np.ndarray, jax.Array)) or isinstance(numbers, jax.core.Tracer):
        return None
    where = np.asarray(numbers).round().astype(int)
    if where.shape[-1] != k or (where != where[..., :1] // k * k + np.arange(k)).any():
        return None
    return where[..., 0] // k
