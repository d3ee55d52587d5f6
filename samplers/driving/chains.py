"""One chain, a gradient at a time: a trajectory grows by a leaf and, when it is complete, becomes a draw."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from storax.pytrees import Pytree
from storax.samplers.driving.adaptation import DualAveraging, search
from storax.samplers.kernels.integrators import ValueAndGrad
from storax.samplers.kernels.metrics import AnyMetric
from storax.samplers.kernels.trajectory import Draw, choose

TRIPS = 256  # gradients in a block, for which uniforms are made at once


class Walk(Pytree):
    """A chain between two trajectories."""

    draw: Draw  # the last one
    draws: jax.Array  # made so far, warm-up included
    trips: jax.Array  # gradients taken so far: where the chain is in its stream of uniforms
    searching: jax.Array  # for a step size
    direction: jax.Array  # of the search
    step_size: jax.Array
    averaging: DualAveraging


class Supply(Pytree):
    """Random numbers of one chain: of its draws from number `first` on, and of its trips from `first_trip` on."""

    first: jax.Array
    noise: jax.Array  # [row, d], standard normal
    jitter: jax.Array  # [row], factors of the step size
    first_trip: jax.Array
    uniforms: jax.Array  # [row, 3]


class Shelf(Pytree):
    """Where a chain puts its draws, until they are stored; row 0 is draw number `Supply.first`."""

    positions: jax.Array  # [row, d]
    vectors: jax.Array  # [row, d]: in a warm-up the draw's gradient, afterwards where the trajectory ended
    stats: jax.Array  # [row, len(kernel.columns)]

    @staticmethod
    def empty(rows: int, columns: int, like: jax.Array) -> Shelf:
        """Room for `rows` draws like this position, and for one that is not complete."""
        vectors = jnp.zeros((rows + 1, like.size), like.dtype)
        return Shelf(vectors, vectors, jnp.zeros((rows + 1, columns), like.dtype))

    def put(self, row: jax.Array, *new: jax.Array) -> Shelf:
        """With this position, vector and statistics in a row."""
        return Shelf(*(lax.dynamic_update_slice_in_dim(x, y[None], row, 0)
                       for x, y in zip((self.positions, self.vectors, self.stats), new, strict=True)))  # fmt: skip


def start_walk(draw: Draw, step_size: Any, searching: bool) -> Walk:
    """A chain before its first trajectory."""
    step, none = jnp.asarray(step_size, draw.position.dtype), jnp.zeros((), jnp.int32)
    return Walk(draw, none, none, none > (-1 if searching else 0), none, step, DualAveraging.start(step))


def rows_at_hand(d: int) -> int:
    """Draws in a block, for which momenta are made at once: enough for many trips, in little memory."""
    return max(2, min(32, 2**13 // max(d, 1)))


def supply_of_draws(key: jax.Array, walk: Walk, blocks: int, jitter: float) -> Supply:
    """Noise and jitter for the block of draws that the chain is in, and those behind it; no uniforms yet.

    Whoever asks when, a draw's numbers are the same.  All of a block are made at once, since each call of `jax.random`
    is a hundred equations to compile; flat arrays are what it fills fast.
    """
    like, key = walk.draw.position, jax.random.fold_in(key, 0)
    rows, d = rows_at_hand(like.size), like.size
    first = walk.draws // rows
    below = jnp.nextafter(jnp.asarray(-1, like.dtype), 0)  # as jax.random.normal has it

    def block(i: jax.Array) -> tuple[jax.Array, jax.Array]:
        u = jax.random.uniform(jax.random.fold_in(key, i), (rows * (d + 1),), like.dtype, below, 1)
        noise = math.sqrt(2) * lax.erf_inv(u[: rows * d])
        return noise.reshape(rows, d), 1 + jitter * u[rows * d :]

    noise, factors = _blocks(block, first, blocks)
    return Supply(first * rows, noise, factors, jnp.zeros((), jnp.int32), jnp.zeros((0, 3), like.dtype))


def with_uniforms(supply: Supply, key: jax.Array, walk: Walk, blocks: int) -> Supply:
    """Uniforms for the block of trips that the chain is in, and those behind it."""
    key, first = jax.random.fold_in(key, 1), walk.trips // TRIPS

    def block(i: jax.Array) -> jax.Array:
        return jax.random.uniform(jax.random.fold_in(key, i), (3 * TRIPS,), supply.noise.dtype).reshape(TRIPS, 3)

    return supply.replace(first_trip=first * TRIPS, uniforms=_blocks(block, first, blocks))


def _blocks(block: Callable[[jax.Array], Any], first: jax.Array, blocks: int) -> Any:
    """Rows of some blocks, from this one on."""
    if blocks == 1:
        return block(first)
    made = jax.vmap(block)(first + jnp.arange(blocks, dtype=first.dtype))
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), made)


def fresh(kernel: Any, metric: AnyMetric, supply: Supply, walk: Walk) -> Any:
    """The trajectory that comes next, before its first leaf."""
    noise = lax.dynamic_index_in_dim(supply.noise, walk.draws - supply.first, 0, False)
    return kernel.begin(metric, noise, walk.draw)


def leaf(
    value_and_grad: ValueAndGrad, kernel: Any, metric: AnyMetric, supply: Supply, stays: Any, walk: Walk, tree: Any,
    memory: Any,
) -> tuple[Walk, Any, Any]:  # fmt: skip
    """One gradient: the trajectory grows by a leaf.

    Args:
        value_and_grad: of the log density.
        kernel: its `extend`.
        metric: of the momenta.
        supply: random numbers.
        stays: whether the chain has done what was asked, and waits for others.
        walk: where the chain is.
        tree: its trajectory, not complete.
        memory: the kernel's.
    """
    uniforms = lax.dynamic_index_in_dim(supply.uniforms, walk.trips - supply.first_trip, 0, False)
    still = walk.searching | stays
    tree, memory = kernel.extend(value_and_grad, metric, _step_size(supply, walk), uniforms, still, tree, memory)
    return walk.replace(trips=walk.trips + jnp.where(stays, 0, 1)), tree, memory


def complete(
    kernel: Any, metric: AnyMetric, supply: Supply, learns: jax.Array, stays: Any, walk: Walk, tree: Any, shelf: Shelf
) -> tuple[Walk, Any, Shelf]:
    """If the trajectory is complete it becomes a draw, and the next one begins.

    The shelf is written to in any case, and again until the draw is complete: that costs less than to copy it in a
    branch.
    """
    info = kernel.describe(tree, _step_size(supply, walk))
    stats = jnp.stack([getattr(info, name).astype(shelf.stats.dtype) for name in kernel.columns])
    vector = jnp.where(learns, tree.draw.gradient, tree.front.position)
    shelf = shelf.put(walk.draws - supply.first, tree.draw.position, vector, stats)

    def anew() -> tuple[Walk, Any]:
        draw = lambda: _draw(kernel, walk, tree, info.acceptance_rate, learns)  # noqa: E731
        new = lax.cond(walk.searching, lambda: _search(walk, tree.error), draw)
        new = choose(stays, walk, new) if stays is not False else new
        return new, fresh(kernel, metric, supply, new)

    walk, tree = lax.cond(tree.done, anew, lambda: (walk, tree))
    return walk, tree, shelf


def _step_size(supply: Supply, walk: Walk) -> jax.Array:
    jitter = lax.dynamic_index_in_dim(supply.jitter, walk.draws - supply.first, 0, False)
    return jnp.where(walk.searching, walk.step_size, walk.step_size * jitter)


def _search(walk: Walk, log_ratio: jax.Array) -> Walk:
    """A trial of the search for a step size takes one leaf."""
    step_size, direction, found = search(walk.step_size, walk.direction, log_ratio)
    averaging = choose(found, DualAveraging.start(step_size), walk.averaging)
    return walk.replace(step_size=step_size, direction=direction, searching=~found, averaging=averaging)


def _draw(kernel: Any, walk: Walk, tree: Any, acceptance: jax.Array, learns: jax.Array) -> Walk:
    """The trajectory is complete; a warm-up learns from how much of it was acceptable."""
    averaging = choose(learns, walk.averaging.update(acceptance, kernel.target_accept), walk.averaging)
    step_size = jnp.where(learns, jnp.exp(averaging.log_step), walk.step_size)
    return walk.replace(draw=tree.draw, draws=walk.draws + 1, averaging=averaging, step_size=step_size)


class Fleet(Pytree):
    """All chains between two looks at them."""

    keys: jax.Array  # [chain]
    walks: Walk  # [chain]
    pending: Any  # trajectories that are not complete, [chain], of the driver that keeps such; else None
    store: Any  # a `Store`, [chain]
    metric: AnyMetric  # that of all chains
    reference: Any  # what log densities are relative to: see `storax.samplers.driving.relative`
    offset: jax.Array  # the log density there
    stage: jax.Array  # of the plan; behind the last one of the warm-up is the sampling
    end: jax.Array  # draws in all at the end of this stage
    warmed: jax.Array  # draws of the warm-up, once it is over; -1 before

    @property
    def learns(self) -> jax.Array:
        """Whether this is the warm-up."""
        return self.warmed < 0

    @property
    def draws(self) -> jax.Array:
        """Made by every chain, warm-up included."""
        return self.walks.draws.min()
