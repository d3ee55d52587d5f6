"""Densities with their dimensions: sums of measures, and numbers with a mass."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from storax.distributions import pieces
from storax.distributions.special import safe_log

Density = tuple[jax.Array, Any]  # (log density, dimension)


def log_sum(terms: Any, axis: int = 0) -> jax.Array:
    """log sum exp along an axis, with finite gradients where some or all terms are -inf."""
    return pieces.logsumexp(terms, axis)


def log_sum_of(terms: Sequence[Any]) -> jax.Array:
    """The same of several arrays, element by element: nothing is stacked."""
    if len(terms) == 1:
        return terms[0]
    top = lax.stop_gradient(functools.reduce(jnp.maximum, terms))
    infinite = top == jnp.inf
    shift = jnp.where(jnp.isinf(top), 0.0, top)
    total = safe_log(sum(jnp.exp(jnp.where(infinite, 0.0, t - shift)) for t in terms))
    return jnp.where(infinite, jnp.inf, total + shift)


def combine(densities: Sequence[Density]) -> Density:
    """The density of a sum of measures: where one has a lower dimension, the others do not count."""
    if len(densities) == 1:
        return densities[0]
    if all(isinstance(d, int) for _, d in densities):
        return _by_level(densities)
    scores = jnp.stack([s for s, _ in densities])
    dims = jnp.stack([jnp.broadcast_to(jnp.asarray(d), scores.shape[1:]) for _, d in densities])
    return lowest(scores, dims)


def _by_level(densities: Sequence[Density]) -> Density:
    """`combine`, of measures that have one dimension each."""
    levels = sorted({d for _, d in densities}, reverse=True)
    score, dim = log_sum_of([s for s, d in densities if d == levels[0]]), levels[0]
    for level in levels[1:]:
        mass = log_sum_of([s for s, d in densities if d == level])
        wins = (mass != -jnp.inf) & ~jnp.isnan(score)
        score, dim = jnp.where(wins, mass, score), jnp.where(wins, level, dim)
    return score, dim


def lowest(scores: Any, dims: Any) -> tuple[jax.Array, jax.Array]:
    """The sum of measures along axis 0, of those of the lowest dimension where they are not 0."""
    dims = jnp.where(scores > -jnp.inf, dims, 1 << 20)
    least = dims.min(0)
    score = log_sum(jnp.where(dims == least[None], scores, -jnp.inf))
    return jnp.where(jnp.isnan(scores).any(0), jnp.nan, score), jnp.where(least == 1 << 20, 1, least)


def choose(y: Any, values: Sequence[Any], log_mass: Sequence[Any], close: Callable[[Any, Any], Any]) -> jax.Array:
    """The log mass at y, of values that each have one."""
    hits = [close(y, v) for v in values]
    if not are_apart(values, close):
        return log_sum_of([jnp.where(hit, m, -jnp.inf) for hit, m in zip(hits, log_mass, strict=True)])
    score: Any = jnp.full(jnp.shape(y), -jnp.inf, jnp.result_type(*log_mass))
    for hit, m in zip(hits, log_mass, strict=True):
        score = jnp.where(hit, m, score)
    return score


def are_apart(values: Sequence[Any], close: Callable[[Any, Any], Any]) -> bool:
    """Are the values numbers that are known, no two of which are taken for one?"""
    if len(values) == 1:
        return True
    if any(isinstance(v, jax.core.Tracer) or np.ndim(v) for v in values) or len(values) > 64:
        return False
    with jax.ensure_compile_time_eval():
        array = np.asarray([np.asarray(v) for v in values])
        hits = np.asarray(close(array[:, None], array[None]))
    return bool(hits.sum() == len(values))


def spread(log_mass: Any, shape: tuple[int, ...]) -> Any:
    """Masses `[K, ...]` of one number, or of one a place, as `[K, *shape]`."""
    k = log_mass.shape[0]
    if log_mass.size == k:
        return jnp.broadcast_to(log_mass.reshape(k, *[1] * len(shape)), (k, *shape))
    return jnp.broadcast_to(log_mass, (k, *shape))


def slim(value: Any) -> Any:
    """One number, for a known array that has no other."""
    if isinstance(value, jax.core.Tracer) or not np.ndim(value) or not np.size(value):
        return value
    value = np.asarray(value)
    first = value.flat[0]
    return np.asarray(first, value.dtype) if (value == first).all() else value
