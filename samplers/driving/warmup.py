"""Where chains meet in a warm-up: what they know together becomes the metric and the step size of all."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from storax.samplers.driving.adaptation import LATE, DualAveraging, Stage
from storax.samplers.driving.chains import Fleet, Walk
from storax.samplers.driving.estimating import first_guess, metric_of
from storax.samplers.driving.storing import Store
from storax.samplers.kernels.metrics import AnyMetric, LowRank, Metric

MOST_KEPT = 2**24  # numbers of positions and gradients at hand for a metric
LOW_RANK = 32  # directions at most
SETTLED = 0.3  # by how much the logarithms of step size and standard deviations may still change


def history_length(stages: tuple[Stage, ...], chains: int, d: int) -> int:
    """Draws of a chain that are kept for the metric: what the stages use, in memory that does not grow with d."""
    used = max((stage.used for stage in stages), default=0)
    return min(used, max(20, MOST_KEPT // (2 * chains * max(d, 1))))


def first_metric(kernel: Any, gradients: jax.Array, adapts: bool) -> AnyMetric:
    """The metric to begin with, from the kernel or from the gradients `[chain, d]` at the starts."""
    given = kernel.initial_inverse_mass(gradients[0])
    if kernel.inverse_mass_matrix is None and adapts:
        guess = first_guess(gradients)
        given = jnp.diag(guess) if given.ndim == 2 else guess
    if not kernel.low_rank_mass:
        return Metric.of(given)
    d = gradients.shape[1]
    scale = jnp.sqrt(given if given.ndim == 1 else jnp.diagonal(given))
    return LowRank(scale, jnp.eye(d, min(d, LOW_RANK), dtype=scale.dtype), jnp.ones(min(d, LOW_RANK), scale.dtype))


def meet(used: jax.Array, restart: jax.Array, metric: AnyMetric, walks: Walk, store: Store) -> tuple[AnyMetric, Walk]:
    """At the end of a stage: metric and step size from all chains.

    Args:
        used: draws of each chain that the metric is set from; with 0 it stays.
        restart: 1 if the step size is to be looked for anew, else 0.
        metric: so far.
        walks: `[chain]`.
        store: `[chain]`.
    """
    averaging = walks.averaging.pooled()
    if store.history.shape[1]:
        metric = lax.cond(used > 0, lambda: metric_of(store.recent(walks.draws[0], used), metric), lambda: metric)
    fresh = jax.vmap(DualAveraging.start)(jnp.exp(averaging.log_average))
    averaging = jax.tree.map(lambda a, b: jnp.where(restart > 0, a, b), fresh, averaging)
    return metric, walks.replace(
        averaging=averaging,
        step_size=jnp.exp(averaging.log_step),
        searching=walks.searching | (restart > 0),
        direction=jnp.zeros_like(walks.direction),
    )


def settle(walks: Walk) -> Walk:
    """At the end of the warm-up: the step size that all chains keep."""
    return walks.replace(step_size=jnp.exp(walks.averaging.pooled().final))


def has_settled(used: jax.Array, fleet: Fleet, metric: AnyMetric) -> jax.Array:
    """Whether a warm-up has nothing more to learn: a long window changed neither metric nor step size by much.

    Args:
        used: draws of each chain that the metric was set from.
        fleet: the chains, with the metric so far.
        metric: the new one.
    """
    deviations = 0.5 * jnp.log(metric.variances / fleet.metric.variances)
    steps = fleet.walks.averaging.pooled()
    step = steps.log_step[0] - steps.log_average[0]
    return (used >= LATE) & (jnp.sqrt((deviations**2).mean()) < SETTLED) & (jnp.abs(step) < 2 * SETTLED)
