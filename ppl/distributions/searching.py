"""Quantiles of counts, by bisection over the whole numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from storax import supports
from storax.distributions.base import Distribution, is_known, promote, refuse_outside


def smallest(enough: Callable[[jax.Array], jax.Array], low: Any, high: Any, shape: tuple[int, ...]) -> jax.Array:
    """The smallest whole number from low to high that is enough, or high; `enough` never turns from True to False.

    >>> smallest(lambda k: k * k >= 50, 0, 1000, ()).item()
    8
    """
    dtype = jnp.result_type(int)
    low, high = (jnp.broadcast_to(jnp.asarray(x, dtype), shape) for x in (low, high))

    def halve(_: Any, ends: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        low, high = ends
        middle = (low >> 1) + (high >> 1) + (low & high & 1)  # low + high may overflow
        good = enough(middle)
        return jnp.where(good, low, jnp.minimum(middle + 1, high)), jnp.where(good, middle, high)

    return lax.fori_loop(0, jnp.iinfo(dtype).bits, halve, (low, high))[1]


def quantile(d: Distribution, q: Any, low: Any, high: Any = None) -> jax.Array:
    """The smallest count with P(X <= count) >= q, on the steps of `d.cdf`: rounding may not move it past one.

    For q = 0 the lowest count; for q = 1 the highest, or the largest integer where there is none.

    Raises:
        ParameterError: q is known, and no probability: not in [0, 1], or nan.  No integer says "not a number": where
            such a q is traced the answer is the smallest integer of the type.
    """
    refuse_no_probability(d, q)
    q = lax.stop_gradient(promote(q)[0])
    d = lax.stop_gradient(d)
    info = jnp.iinfo(jnp.result_type(int))
    high = info.max if high is None else high
    shape = jnp.broadcast_shapes(q.shape, d.batch_shape)
    enough = q * (1 - 2 * jnp.finfo(q.dtype).eps)
    found = smallest(lambda k: d.cdf(k) >= promote(k, enough)[1], low, high, shape)
    low, high, found, q = (jnp.broadcast_to(x, shape) for x in (low, high, found, q))
    found = jnp.where(q == 0, low, jnp.where(q == 1, high, found))
    return jnp.where((q >= 0) & (q <= 1), found, info.min).astype(info.dtype)


def best_near(d: Distribution, k: jax.Array) -> jax.Array:
    """The likeliest of the counts from k - 2 to k + 2, of whole floats k: the mode, where it is that near."""
    places = promote(jnp.arange(-2.0, 3.0, dtype=k.dtype).reshape(-1, *(1,) * k.ndim), k)
    near = places[0] + places[1]
    return as_count(jnp.take_along_axis(near, jnp.argmax(d.log_prob(near), 0)[None], 0)[0], d.dtype)


def as_count(x: jax.Array, dtype: Any) -> jax.Array:
    """Whole floats as integers; those too large for the type are its largest, where a cast may turn them negative, and
    nan is its smallest."""
    info = jnp.iinfo(dtype)
    too_large, nan = x >= info.max, jnp.isnan(x)
    whole = jnp.where(too_large | nan, 0, x).astype(dtype)
    return jnp.where(too_large, info.max, jnp.where(nan, info.min, whole))


def refuse_no_probability(d: Distribution, q: Any) -> None:
    """Refuse the q of a quantile of counts that is known, and not in [0, 1].

    Raises:
        ParameterError: with q.
    """
    if is_known(q):
        refuse_outside(f"{d.name}.icdf", "q", q, supports.unit_interval)
