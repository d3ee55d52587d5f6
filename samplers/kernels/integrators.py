"""Hamiltonian motion in steps: the leapfrog."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax

from storax.samplers.kernels.metrics import AnyMetric

ValueAndGrad = Callable[[jax.Array], tuple[jax.Array, jax.Array]]


class Point(NamedTuple):
    """Where a particle is, how it moves, and which force acts on it."""

    position: jax.Array  # [d]
    momentum: jax.Array  # [d]
    gradient: jax.Array  # [d], of the log density at the position


def leapfrog(
    value_and_grad: ValueAndGrad, metric: AnyMetric, point: Point, step_size: jax.Array
) -> tuple[Point, jax.Array]:
    """One leapfrog step: half a kick, a drift, half a kick (Neal 2011, "MCMC using Hamiltonian dynamics", eq. 5.18-20).

    Reversible (a step of `-step_size` leads back), volume preserving, and wrong in energy by O(step_size^2) only.

    Args:
        value_and_grad: position `[d]` to the log density there and its gradient `[d]`; called once.
        metric: of the momenta.
        point: where the step starts.
        step_size: scalar; negative goes back in time.

    Returns:
        The next point, and the log density there.

    >>> import jax, jax.numpy as jnp
    >>> from storax.samplers.kernels.metrics import Metric
    >>> f = jax.value_and_grad(lambda q: -0.5 * (q * q).sum())
    >>> start = Point(jnp.ones(1), jnp.zeros(1), -jnp.ones(1))
    >>> leapfrog(f, Metric.of(jnp.ones(1)), start, 0.5)[0].position
    Array([0.875], dtype=float32)
    """
    half_kicked = point.momentum + 0.5 * step_size * point.gradient
    position = point.position + step_size * metric.velocity(half_kicked)
    log_density, gradient = value_and_grad(position)
    return Point(position, half_kicked + 0.5 * step_size * gradient, gradient), log_density
