"""Chains one after another, with real branches: what a processor does best, and XLA compiles to one native loop."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from storax.samplers.chains import TRIPS, Shelf, Supply, Walk, fresh, of_draws, of_trips, rows_at_hand, trip
from storax.samplers.integrators import ValueAndGrad
from storax.samplers.metrics import AnyMetric
from storax.samplers.storing import Store


def go_on(
    value_and_grad: ValueAndGrad, kernel: Any, metric: AnyMetric, keys: jax.Array, walks: Walk, store: Store,
    end: jax.Array, num_warmup: jax.Array,
) -> tuple[Walk, Store]:  # fmt: skip
    """Every chain goes on until it has made `end` draws.

    Args:
        value_and_grad: of the log density, at positions `[d]`.
        kernel: the transition.
        metric: of the momenta, that of all chains.
        keys: `[chain]`.
        walks: `[chain]`.
        store: `[chain]`, for the draws.
        end: draws, warm-up included.
        num_warmup: draws of the warm-up.
    """

    def one(c: Any, carry: tuple[Walk, Store]) -> tuple[Walk, Store]:
        walks, store = carry
        mine = jax.tree.map(lambda x: lax.dynamic_index_in_dim(x, c, 0, False), (walks, store))
        mine = lax.while_loop(
            lambda m: m[0].draws < end,
            lambda m: _shelf_of_draws(value_and_grad, kernel, metric, keys[c], end, num_warmup, *m),
            mine,
        )
        return jax.tree.map(lambda x, y: lax.dynamic_update_index_in_dim(x, y, c, 0), (walks, store), mine)

    return lax.fori_loop(0, len(store.positions), one, (walks, store))


def _shelf_of_draws(
    value_and_grad: ValueAndGrad, kernel: Any, metric: AnyMetric, key: jax.Array, end: jax.Array, num_warmup: jax.Array,
    walk: Walk, store: Store,
) -> tuple[Walk, Store]:  # fmt: skip
    """As many draws as there are momenta at hand."""
    like = walk.draw.position
    rows = rows_at_hand(like.size)
    first, end = walk.draws, jnp.minimum(end, walk.draws + rows)
    noise, jitter = of_draws(key, walk, rows, kernel.jitter)
    shelf = Shelf.empty(rows, len(kernel.columns), like)
    tree = fresh(kernel, metric, Supply(first, noise, jitter, jnp.zeros((TRIPS, 3), like.dtype)), walk)

    def unfinished(walk: Walk) -> jax.Array:
        return walk.draws < end

    def stretch(carry: Any) -> Any:
        walk, tree, shelf = carry
        supply = Supply(first, noise, jitter, of_trips(key, walk))
        step = partial(trip, value_and_grad, kernel, metric, supply, learns=first < num_warmup, stays=False)
        _, *carry = lax.while_loop(
            lambda c: (c[0] < TRIPS) & unfinished(c[1]),
            lambda c: (c[0] + 1, *step(c[0], walk=c[1], tree=c[2], shelf=c[3])),
            (jnp.zeros((), jnp.int32), walk, tree, shelf),
        )
        return tuple(carry)

    walk, tree, shelf = lax.while_loop(lambda c: unfinished(c[0]), stretch, (walk, tree, shelf))
    return walk, store.put(shelf, first, walk.draws - first, num_warmup)
