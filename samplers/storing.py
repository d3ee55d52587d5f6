"""What a run keeps: all draws and their statistics, and of the warm-up the last positions and gradients."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from storax.pytrees import Pytree
from storax.samplers.chains import Shelf
from storax.samplers.estimating import Sample


class Store(Pytree):
    """Of one chain, or with a leading axis `[chain]` of all."""

    positions: jax.Array  # [draw + row, d], without the warm-up; the last rows are never full
    stats: jax.Array  # [draw + row, column]
    history: jax.Array  # [age, 2, d]: positions and gradients of the warm-up; draw n is in row n % age

    def put(self, shelf: Shelf, first: jax.Array, begun: jax.Array, end: jax.Array, num_warmup: jax.Array) -> Store:
        """With the draws `begun`, ..., `end - 1` of one chain, from a shelf whose row 0 is number `first`.

        What is in the rows behind them goes where the next draws will be.
        """
        rows = len(shelf.positions)
        numbers = begun + jnp.arange(rows)
        shelf = jax.tree.map(lambda x: jnp.roll(x, first - begun, 0), shelf)
        age = len(self.history)
        learns = (numbers < end) & (begun < num_warmup) & (numbers >= end - age)
        slots = jnp.where(learns, numbers % max(age, 1), age)  # a slot that is none: dropped
        pairs = jnp.stack([shelf.positions, shelf.gradients], 1)
        return Store(
            lax.dynamic_update_slice_in_dim(self.positions, shelf.positions, jnp.maximum(begun - num_warmup, 0), 0),
            lax.dynamic_update_slice_in_dim(self.stats, shelf.stats, begun, 0),
            self.history.at[slots].set(pairs, mode="drop") if age else self.history,
        )

    def recent(self, draws: jax.Array, used: jax.Array) -> Sample:
        """The last `used` draws of all chains `[chain]`, each of which has made `draws`."""
        chains, age, _, d = self.history.shape
        ages = (draws - 1 - jnp.arange(age)) % age
        weights = jnp.broadcast_to(ages < jnp.minimum(used, draws), (chains, age)).astype(self.history.dtype)
        pairs = self.history.reshape(-1, 2, d)
        return Sample(pairs[:, 0], pairs[:, 1], weights.ravel())


def empty_store(like: jax.Array, num_warmup: int, num_samples: int, spare: int, columns: int, age: int) -> Store:
    """Room for the draws of chains at `like`, `[chain, d]`."""
    chains, d = like.shape
    return Store(
        jnp.zeros((chains, num_samples + spare, d), like.dtype),
        jnp.zeros((chains, num_warmup + num_samples + spare, columns), like.dtype),
        jnp.zeros((chains, age, 2, d), like.dtype),
    )
