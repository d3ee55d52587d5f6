"""What chains leave behind: draws and their statistics, divergences, and the last gradients of a warm-up."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from storax.pytrees import Pytree
from storax.samplers.driving.chains import Shelf
from storax.samplers.driving.estimating import Sample

FAULTS = 32  # divergences of a chain that are noted, until somebody takes the draws away


class Store(Pytree):
    """Of one chain, or with a leading axis `[chain]` of all."""

    base: jax.Array  # the number of the draw in row 0, warm-up included
    positions: jax.Array  # [row + spare, d]
    stats: jax.Array  # [row + spare, column]
    history: jax.Array  # [age, 2, d]: positions and gradients of the warm-up; draw n is in row n % age
    faults: jax.Array  # [FAULTS, d]: the points that diverging trajectories ran away from
    faulty: jax.Array  # [FAULTS]: the numbers of their draws; -1 is none

    def put(
        self, shelf: Shelf, first: jax.Array, begun: jax.Array, end: jax.Array, learns: jax.Array, diverging: int
    ) -> Store:
        """With the draws `begun`, ..., `end - 1` of one chain, from a shelf whose row 0 is number `first`.

        What is in the rows behind them goes where the next draws will be.

        Args:
            shelf: of one chain.
            first, begun, end: numbers of draws, warm-up included.
            learns: whether they are of a warm-up.
            diverging: the column of the statistics that says so.
        """
        rows = len(shelf.positions)
        numbers = begun + jnp.arange(rows, dtype=jnp.int32)
        shelf = jax.tree.map(lambda x: jnp.roll(x, first - begun, 0), shelf)
        age, made = len(self.history), numbers < end
        pairs = jnp.stack([shelf.positions, shelf.vectors], 1)
        slots = jnp.where(made & learns & (numbers >= end - age), numbers % max(age, 1), age)  # `age`: dropped
        bad = made & ~learns & (shelf.stats[:, diverging] > 0)
        places = jnp.where(bad, (self.faulty >= 0).sum() + jnp.cumsum(bad) - 1, FAULTS)
        return self.replace(
            positions=lax.dynamic_update_slice_in_dim(self.positions, shelf.positions, begun - self.base, 0),
            stats=lax.dynamic_update_slice_in_dim(self.stats, shelf.stats, begun - self.base, 0),
            history=self.history.at[slots].set(pairs, mode="drop") if age else self.history,
            faults=self.faults.at[places].set(shelf.vectors, mode="drop"),
            faulty=self.faulty.at[places].set(numbers.astype(self.faulty.dtype), mode="drop"),
        )

    def from_draw(self, number: jax.Array) -> Store:
        """Row 0 is this draw from now on; those before it, and all divergences, have been taken away."""
        shift = self.base - number
        return self.replace(
            base=number,
            positions=jnp.roll(self.positions, shift, 0),
            stats=jnp.roll(self.stats, shift, 0),
            faulty=jnp.full_like(self.faulty, -1),
        )

    def recent(self, draws: jax.Array, used: jax.Array) -> Sample:
        """The last `used` draws of all chains `[chain]`, each of which has made `draws`."""
        chains, age, _, d = self.history.shape
        ages = (draws - 1 - jnp.arange(age)) % age
        weights = jnp.broadcast_to(ages < jnp.minimum(used, draws), (chains, age)).astype(self.history.dtype)
        pairs = self.history.reshape(-1, 2, d)
        return Sample(pairs[:, 0], pairs[:, 1], weights.ravel())


def empty_store(like: jax.Array, rows: int, columns: Sequence[str], age: int) -> Store:
    """Room for the draws of chains at `like`, `[chain, d]`."""
    chains, d = like.shape
    return Store(
        jnp.zeros(chains, jnp.int32),
        jnp.zeros((chains, rows, d), like.dtype),
        jnp.zeros((chains, rows, len(columns)), like.dtype),
        jnp.zeros((chains, age, 2, d), like.dtype),
        jnp.zeros((chains, FAULTS, d), like.dtype),
        jnp.full((chains, FAULTS), -1, jnp.int32),
    )
