"""What a warm-up learns: a step size by dual averaging, and when to look at the metric."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from storax.pytrees import Pytree
from storax.samplers.driving.rounding import sum_of_rows

GAMMA, T0, KAPPA = 0.05, 10.0, 0.75  # Stan's; Hoffman & Gelman 2014, sec. 3.2.1
SETTLED = 10  # updates, before which the average is still one of long steps that were tried on purpose
SEARCH_ACCEPT = 0.8  # Stan's: the first step size accepts about this much
SMALLEST, LARGEST = 1e-12, 1e7
EARLY, LATE, GROWTH = 10, 80, 1.5  # draws in the first windows; in the later ones, each longer than the one before


class DualAveraging(Pytree):
    """A step size on its way to a wanted acceptance rate (Hoffman & Gelman 2014, "The No-U-Turn Sampler", eq. 6)."""

    log_step: jax.Array  # log eps_t: of the next trajectory
    log_average: jax.Array  # log eps-bar_t: of the sampling afterwards
    shortfall: jax.Array  # H-bar_t: running mean of (wanted - seen) acceptance
    log_target: jax.Array  # mu: where the step size is pulled
    count: jax.Array  # t

    @staticmethod
    def start(step_size: jax.Array) -> DualAveraging:
        """Begins at `step_size`, with a pull towards ten times as much: long steps are cheap to try."""
        zero = jnp.zeros_like(step_size)
        log_step = jnp.log(step_size)
        return DualAveraging(log_step, log_step, zero, jnp.log(10 * step_size), zero)

    def pooled(self) -> DualAveraging:
        """What chains `[chain]` know together, for each of them."""
        return jax.tree.map(lambda x: jnp.broadcast_to(sum_of_rows(x) / len(x), x.shape), self)

    @property
    def final(self) -> jax.Array:
        """Log step size to keep: the average; after too few updates half of the one that the search ended with.

        The search ends with the first step that was too long, or the first that was not: half of it is short enough.

        >>> barely = DualAveraging.start(jnp.array(0.5)).update(jnp.array(1.0), 0.8)
        >>> bool(barely.log_average > jnp.log(5)), round(float(jnp.exp(barely.final)), 3)
        (True, 0.25)
        """
        return jnp.where(self.count < SETTLED, self.log_target - jnp.log(20), self.log_average)

    def update(self, acceptance: jax.Array, wanted: float) -> DualAveraging:
        """Learns from the mean acceptance of a trajectory, in [0, 1].

        >>> start = DualAveraging.start(jnp.array(0.1))
        >>> bool(start.update(jnp.array(1.0), 0.8).log_step > start.update(jnp.array(0.0), 0.8).log_step)
        True
        """
        t = self.count + 1
        share = 1 / (t + T0)
        shortfall = (1 - share) * self.shortfall + share * (wanted - acceptance)
        log_step = self.log_target - jnp.sqrt(t) / GAMMA * shortfall
        weight = t**-KAPPA
        return DualAveraging(
            log_step, weight * log_step + (1 - weight) * self.log_average, shortfall, self.log_target, t
        )


def search(step_size: jax.Array, direction: jax.Array, log_ratio: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """One trial of the first step size: double or halve until the acceptance of one step crosses 0.8.

    Hoffman & Gelman 2014, algorithm 4, with Stan's 0.8 for their 0.5.

    Args:
        step_size: that was tried.
        direction: 1 doubles, -1 halves, 0 is not known yet.
        log_ratio: minus the energy error of one leapfrog step.

    Returns:
        The step size to try next or, when done, to keep; the direction; whether the search is done.
    """
    now = jnp.where(log_ratio > jnp.log(SEARCH_ACCEPT), 1, -1).astype(direction.dtype)
    crossed = (direction != 0) & (now != direction)
    following = step_size * jnp.where(now > 0, 2.0, 0.5).astype(step_size.dtype)
    done = crossed | (following > LARGEST) | (following < SMALLEST)
    return jnp.where(done, step_size, following), now, done


class Stage(NamedTuple):
    """A stretch of the warm-up, after which the chains meet."""

    draws: int  # of each chain
    used: int  # of the last draws, how many the metric is set from; 0 leaves it as it is
    restart: bool  # whether the step size is looked for anew afterwards


def schedule(num_warmup: int) -> tuple[Stage, ...]:
    """How a warm-up is divided: short windows while the chains find the target, growing ones, and a rest.

    The first 30 % are windows of 10 draws, of which the last two count; then windows of 80 draws, each half as long
    again as the one before, none of which sees draws of another; the last 15 % are for the step size alone (as in
    nutpie: Seyboldt, Carlson & Carpenter 2026, sec. 5).

    >>> [stage.draws for stage in schedule(400)]
    [10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 80, 140, 60]
    >>> schedule(15)
    (Stage(draws=15, used=0, restart=False),)
    """
    if num_warmup < 2 * EARLY:
        return (Stage(num_warmup, 0, False),) if num_warmup else ()
    last = max(int(0.15 * num_warmup), SETTLED)
    early = max(int(0.3 * num_warmup) // EARLY, 1)
    stages = [Stage(EARLY, min(2, i + 1) * EARLY, i == 0) for i in range(early)]
    left, size = num_warmup - last - early * EARLY, LATE
    while left > 0:
        draws = left if left < size + int(GROWTH * size) else size  # the next window would not fit: take the rest
        stages.append(Stage(draws, draws if draws >= EARLY else draws + EARLY, False))
        left, size = left - draws, int(GROWTH * size)
    return (*stages, Stage(last, 0, False))


OPEN_ENDED = (
    *(Stage(EARLY, min(2, i + 1) * EARLY, i == 0) for i in range(10)),
    *(Stage(draws, draws, False) for draws in (80, 120, 180, 270)),
    Stage(50, 0, False),
)  # of a warm-up that ends by itself: when a window changed nothing, the last stage follows
LONGEST = sum(stage.draws for stage in OPEN_ENDED)
