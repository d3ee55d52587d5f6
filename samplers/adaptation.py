"""What a warm-up learns: a step size by dual averaging, and when to look at the metric."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from storax.pytrees import Pytree

GAMMA, T0, KAPPA = 0.05, 10.0, 0.75  # Stan's; Hoffman & Gelman 2014, sec. 3.2.1
SETTLED = 10  # updates, before which the average is still one of long steps that were tried on purpose
SEARCH_ACCEPT = 0.8  # Stan's: the first step size accepts about this much
SMALLEST, LARGEST = 1e-12, 1e7


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


def windows(num_warmup: int) -> tuple[int, tuple[int, ...]]:
    """Stan's schedule: (the first draw that the metric learns from, the draws after which it is set anew).

    Fast 75, slow windows of 25, 50, 100, ..., fast 50; scaled down for short warm-ups, no window below 20 draws.  The
    last stretch is never below the `SETTLED` draws that a step size needs, where Stan's may be 2.

    >>> windows(1000)
    (75, (100, 150, 250, 450, 950))
    >>> windows(100)
    (15, (90,))
    >>> windows(10)
    (10, ())
    """
    if num_warmup < 20:
        return num_warmup, ()
    first, size, last = 75, 25, 50
    if num_warmup < first + size + last:
        first, last = int(0.15 * num_warmup), max(int(0.1 * num_warmup), SETTLED)
        size = num_warmup - first - last
    begin, stop, ends = first, num_warmup - last, []
    while begin < stop:
        end = begin + size
        if end + 2 * size > stop:  # the next window would not fit: this one takes the rest
            end = stop
        ends.append(end)
        begin, size = end, 2 * size
    return first, tuple(ends)
