"""Chains side by side, none of which waits: one gradient of every chain at a time.

A chain with a complete trajectory puts its draw away and begins the next in the same trip, whatever its neighbours do
(Dance, Glaser, Orbanz & Adams 2025, "Efficiently Vectorized MCMC on Modern Accelerators").
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from storax.samplers.chains import TRIPS, Shelf, Supply, Walk, fresh, of_draws, of_trips, rows_at_hand, trip
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
    rows = rows_at_hand(like.size)
    learns = walks.draws[0] < num_warmup
    shelf = jax.vmap(lambda _: Shelf.empty(rows, len(kernel.columns), like))(walks.draws)

    def unfinished(walks: Walk) -> jax.Array:
        return (walks.draws < end).any()

    def supply_of(walks: Walk, uniforms: jax.Array) -> Supply:
        noise, jitter = jax.vmap(lambda k, w: of_draws(k, w, rows, kernel.jitter))(keys, walks)
        return Supply(walks.draws, noise, jitter, uniforms)

    def shelves(carry: Any) -> Any:
        """As many trips as there are momenta at hand for the fastest chain."""
        walks, trees, store = carry
        supply = supply_of(walks, jnp.zeros((len(walks.draws), TRIPS, 3), like.dtype))
        stocked = lambda walks: unfinished(walks) & (walks.draws - supply.first < rows).all()  # noqa: E731
        packing = Packing((walks, trees))

        def stretch(carry: Any) -> Any:
            walks, trees, shelf = carry
            now = supply.replace(uniforms=jax.vmap(of_trips)(keys, walks))
            step = partial(trip, value_and_grad, kernel, metric, learns=learns)

            def body(carry: Any) -> Any:
                k, packed, shelf = carry
                walks, trees = packing.unpack(packed)
                move = lambda supply, stays, walk, tree, shelf: step(  # noqa: E731
                    supply=supply, k=k, stays=stays, walk=walk, tree=tree, shelf=shelf
                )
                walks, trees, shelf = jax.vmap(move)(now, walks.draws >= end, walks, trees, shelf)
                return k + 1, packing.pack((walks, trees)), shelf

            _, packed, shelf = lax.while_loop(
                lambda c: (c[0] < TRIPS) & stocked(packing.unpack(c[1])[0]),
                body,
                (jnp.zeros((), jnp.int32), packing.pack((walks, trees)), shelf),
            )
            return *packing.unpack(packed), shelf

        walks, trees, full = lax.while_loop(lambda c: stocked(c[0]), stretch, (walks, trees, shelf))
        made = walks.draws - supply.first
        store = jax.vmap(lambda s, *x: s.put(*x, num_warmup))(store, full, supply.first, made)
        return walks, trees, store

    first = supply_of(walks, jnp.zeros((len(walks.draws), TRIPS, 3), like.dtype))
    trees = jax.vmap(partial(fresh, kernel, metric))(first, walks)
    walks, _, store = lax.while_loop(lambda c: unfinished(c[0]), shelves, (walks, trees, store))
    return walks, store
