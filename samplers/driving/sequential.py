"""Chains one after another, with real branches: what a processor does best, and XLA compiles to one native loop."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

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
from storax.samplers.driving.natively import without_scatters
from storax.samplers.driving.storing import Store
from storax.samplers.kernels.integrators import ValueAndGrad
from storax.samplers.kernels.metrics import AnyMetric


def go_on(value_and_grad: ValueAndGrad, kernel: Any, fleet: Fleet, until: jax.Array) -> Fleet:
    """Every chain goes on until it has made `until` draws.

    Args:
        value_and_grad: of the log density, at positions `[d]`.
        kernel: the transition.
        fleet: the chains.
        until: draws, warm-up included; there is room for them in the store.
    """
    value_and_grad = without_scatters(value_and_grad)

    def one(c: Any, carry: tuple[Walk, Store]) -> tuple[Walk, Store]:
        mine = jax.tree.map(lambda x: lax.dynamic_index_in_dim(x, c, 0, False), carry)
        mine = lax.while_loop(
            lambda m: m[0].draws < until,
            lambda m: _shelf_of_draws(value_and_grad, kernel, fleet.metric, fleet.keys[c], until, fleet.learns, *m),
            mine,
        )
        return jax.tree.map(lambda x, y: lax.dynamic_update_index_in_dim(x, y, c, 0), carry, mine)

    # XLA would inline a loop over the single chain of a device, and round differently.
    chains = jnp.where(until >= 0, len(fleet.keys), 0)
    walks, store = lax.fori_loop(0, chains, one, (fleet.walks, fleet.store))
    return fleet.replace(walks=walks, store=store)


def _shelf_of_draws(
    value_and_grad: ValueAndGrad, kernel: Any, metric: AnyMetric, key: jax.Array, end: jax.Array, learns: jax.Array,
    walk: Walk, store: Store,
) -> tuple[Walk, Store]:  # fmt: skip
    """As many draws as there are momenta at hand."""
    like = walk.draw.position
    rows = rows_at_hand(like.size)
    supply = supply_of_draws(key, walk, 1, kernel.jitter)
    begun, end = walk.draws, jnp.minimum(end, supply.first + rows)
    shelf = Shelf.empty(rows, len(kernel.columns), like)
    tree = fresh(kernel, metric, supply, walk)

    def stretch(carry: Any) -> Any:
        """As many leaves as there are uniforms at hand."""
        now = with_uniforms(supply, key, carry[0], 1)
        supplied = lambda walk: walk.trips < now.first_trip + TRIPS  # noqa: E731

        def trajectory(carry: Any) -> Any:
            *carry, shelf = carry
            grow = partial(leaf, value_and_grad, kernel, metric, now, False)
            walk, tree, memory = lax.while_loop(lambda c: ~c[1].done & supplied(c[0]), lambda c: grow(*c), tuple(carry))
            walk, tree, shelf = complete(kernel, metric, now, learns, False, walk, tree, shelf)
            return walk, tree, memory, shelf

        return lax.while_loop(lambda c: supplied(c[0]) & (c[0].draws < end), trajectory, carry)

    carry = walk, tree, kernel.memory(like), shelf
    walk, _, _, shelf = lax.while_loop(lambda c: c[0].draws < end, stretch, carry)
    return walk, store.put(shelf, supply.first, begun, walk.draws, learns, list(kernel.columns).index("diverging"))
