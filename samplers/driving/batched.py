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

from storax.pytrees import Pytree
from storax.samplers.driving.chains import (
    TRIPS,
    Fleet,
    Shelf,
    Walk,
    complete,
    fresh,
    leaf,
    rows_at_hand,
    supply_of_draws,
    with_uniforms,
)  # fmt: skip
from storax.samplers.driving.packing import Packing
from storax.samplers.kernels.integrators import ValueAndGrad
from storax.samplers.kernels.trajectory import choose


class Pending(Pytree):
    """Trajectories that are not complete, of all chains."""

    trees: Any  # [chain]
    memory: Any  # [chain]: what they noted down
    stale: jax.Array  # [chain]: whether they are none, and to be begun


def begin(kernel: Any, fleet: Fleet) -> Pending:
    """Before every chain's first trajectory."""
    positions = fleet.walks.draw.position
    trees = jax.vmap(partial(kernel.begin, fleet.metric))(jnp.zeros_like(positions), fleet.walks.draw)
    return Pending(trees, jax.vmap(kernel.memory)(positions), jnp.ones(len(positions), bool))


def go_on(value_and_grad: ValueAndGrad, kernel: Any, fleet: Fleet, until: jax.Array) -> Fleet:
    """Every chain goes on, until all have made `until` draws.

    A fast one goes on beyond, to the end of the stage or of the room in the store; no trajectory is given up.

    Args:
        value_and_grad: of the log density, at positions `[d]`.
        kernel: the transition.
        fleet: the chains.
        until: draws, warm-up included; there is room for them in the store.
    """
    like = fleet.walks.draw.position[0]
    metric, keys, learns = fleet.metric, fleet.keys, fleet.learns
    rows = 2 * rows_at_hand(like.size)  # two blocks: a chain may be anywhere in its first
    end = jnp.minimum(fleet.end, fleet.store.base[0] + fleet.store.positions.shape[1] - rows - 1)
    supply_all = jax.vmap(lambda key, walk: supply_of_draws(key, walk, 2, kernel.jitter))
    uniforms_all = jax.vmap(lambda supply, key, walk: with_uniforms(supply, key, walk, 2))
    shelf = jax.vmap(lambda _: Shelf.empty(rows, len(kernel.columns), like))(keys)
    diverging = list(kernel.columns).index("diverging")

    def unfinished(walks: Walk) -> jax.Array:
        return (walks.draws < until).any()

    def shelves(carry: Any) -> Any:
        """As many trips as there are momenta at hand for the fastest chain."""
        walks, pending, store = carry
        supply, begun = supply_all(keys, walks), walks.draws
        trees = jax.vmap(choose)(pending.stale, jax.vmap(partial(fresh, kernel, metric))(supply, walks), pending.trees)
        packing = Packing((walks, trees))

        def stocked(walks: Walk) -> jax.Array:
            return unfinished(walks) & ((walks.draws - supply.first < rows - 1) | (walks.draws >= end)).all()

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

        walks, trees, memory, full = lax.while_loop(
            lambda c: stocked(c[0]), stretch, (walks, trees, pending.memory, shelf)
        )
        store = jax.vmap(lambda s, *x: s.put(*x, learns, diverging))(store, full, supply.first, begun, walks.draws)
        return walks, Pending(trees, memory, jnp.zeros_like(pending.stale)), store

    start = fleet.walks, fleet.pending, fleet.store
    walks, pending, store = lax.while_loop(lambda c: unfinished(c[0]), shelves, start)
    return fleet.replace(walks=walks, pending=pending, store=store)
