"""Chains side by side, none of which waits: one gradient of every chain at a time.

A chain with a complete trajectory puts its draw away and begins the next in the same trip, whatever its neighbours do
(Dance, Glaser, Orbanz & Adams 2025, "Efficiently Vectorized MCMC on Modern Accelerators").
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
from jax import lax

from storax.samplers.chains import TRIPS, Shelf, Walk, complete, fresh, leaf, rows_at_hand, supply_of_draws, with_uniforms
from storax.samplers.integrators import ValueAndGrad
from storax.samplers.metrics import AnyMetric
from storax.samplers.packing import Packing
from storax.samplers.storing import Store


def go_on(
    value_and_grad: ValueAndGrad, kernel: Any, metric: AnyMetric, keys: jax.Array, walks: Walk, store: Store,
    end: jax.Array, num_warmup: jax.Array,
) -> tuple[Walk, Store]:  # fmt: skip
    """Every chain goes on until it has made `end` draws; arguments are those of `sequential.go_on`."""
    like = walks.draw.position[0]
    rows = 2 * rows_at_hand(like.size)  # two blocks: a chain may be anywhere in its first
    learns = walks.draws[0] < num_warmup
    supply_all = jax.vmap(lambda key, walk: supply_of_draws(key, walk, 2, kernel.jitter))
    uniforms_all = jax.vmap(lambda supply, key, walk: with_uniforms(supply, key, walk, 2))
    shelf = jax.vmap(lambda _: Shelf.empty(rows, len(kernel.columns), like))(walks.draws)

    memory = jax.vmap(kernel.memory)(walks.draw.position)

    def unfinished(walks: Walk) -> jax.Array:
        return (walks.draws < end).any()

    def shelves(carry: Any) -> Any:
        """As many trips as there are momenta at hand for the fastest chain."""
        walks, trees, store = carry
        supply, begun = supply_all(keys, walks), walks.draws
        packing = Packing((walks, trees))

        def stocked(walks: Walk) -> jax.Array:
            return unfinished(walks) & (walks.draws - supply.first < rows - 1).all()

        def stretch(carry: Any) -> Any:
            """As many trips as there are uniforms at hand for the fastest chain."""
            walks, trees, memory, shelf = carry
            now = uniforms_all(supply, keys, walks)

            def move(supply: Any, walk: Walk, tree: Any, memory: Any, shelf: Shelf) -> Any:
                stays = walk.draws >= end
                walk, tree, memory = leaf(value_and_grad, kernel, metric, supply, stays, walk, tree, memory)
                walk, tree, shelf = complete(kernel, metric, supply, learns, stays, walk, tree, shelf)
                return walk, tree, memory, shelf

            def body(carry: Any) -> Any:
                packed, *rest = carry
                walks, trees, *rest = jax.vmap(move)(now, *packing.unpack(packed), *rest)
                return packing.pack((walks, trees)), *rest

            def supplied(carry: Any) -> jax.Array:
                walks, _ = packing.unpack(carry[0])
                return stocked(walks) & (walks.trips - now.first_trip < 2 * TRIPS).all()

            packed, *rest = lax.while_loop(supplied, body, (packing.pack((walks, trees)), memory, shelf))
            return *packing.unpack(packed), *rest

        walks, trees, _, full = lax.while_loop(lambda c: stocked(c[0]), stretch, (walks, trees, memory, shelf))
        store = jax.vmap(lambda s, *x: s.put(*x, num_warmup))(store, full, supply.first, begun, walks.draws)
        return walks, trees, store

    trees = jax.vmap(partial(fresh, kernel, metric))(supply_all(keys, walks), walks)
    walks, _, store = lax.while_loop(lambda c: unfinished(c[0]), shelves, (walks, trees, store))
    return walks, store
