"""Parts of a normal distribution between two points, however far out and however near to each other."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erf

from storax.distributions.erfcx import erfcx
from storax.distributions.quadrature import gauss_rule


def nearest(low: Any, high: Any) -> jax.Array:
    """The point of [low, high] that is nearest to 0, where the density is highest."""
    return jnp.where(low > 0, low, jnp.where(high < 0, high, 0.0))


def log_mass(low: Any, high: Any, width: Any) -> jax.Array:
    """log of the integral of exp((r^2 - z^2) / 2) over z from low to high = low + width, with r the nearest point to 0.

    `width` is an argument of its own because high - low has lost its digits far out.

    >>> round(log_mass(1e6, 1e6 + 1.0, 1.0).item(), 5) == -round(float(np.log(1e6)), 5)
    True
    """
    one_sided = (low > 0) | (high < 0)
    start = jnp.where(one_sided, jnp.where(low > 0, low, -high), 1.0)
    over, under = jnp.where(one_sided, 0.0, high), jnp.where(one_sided, -1.0, low)
    around = jnp.log(math.sqrt(0.5 * np.pi) * (erf(over * math.sqrt(0.5)) - erf(under * math.sqrt(0.5))))
    return jnp.where(one_sided, _log_beyond(start, width), around)


def _log_beyond(start: jax.Array, width: jax.Array) -> jax.Array:
    """log of the integral of exp(-start t - t^2 / 2) over t from 0 to width, for start > 0."""
    start, width = jnp.broadcast_arrays(start, width)
    infinite = jnp.isinf(width)
    finite = jnp.where(infinite, 1.0, width)
    drop = finite * (start + 0.5 * finite)
    short = (drop < 1) & ~infinite  # there the difference of two tails cancels, and a polynomial is right
    t, weight = gauss_rule(jnp.zeros_like(start), jnp.where(short, width, 0.0), 10)
    mean_height = jnp.sum(weight * jnp.exp(-t * (jnp.where(short, start, 0.0)[..., None] + 0.5 * t)), -1)
    of_short = _log_positive(jnp.where(short, width, 1.0)) + jnp.log(mean_height)
    rest = jnp.where(short | infinite, 1.0, finite)
    cut = jnp.exp(-rest * (start + 0.5 * rest)) * erfcx((start + rest) * math.sqrt(0.5))
    of_long = jnp.log(math.sqrt(0.5 * np.pi) * (erfcx(start * math.sqrt(0.5)) - jnp.where(infinite, 0.0, cut)))
    return jnp.where(short, of_short, of_long)


def _log_positive(x: jax.Array) -> jax.Array:
    return jnp.where(x > 0, jnp.log(jnp.where(x > 0, x, 1.0)), -jnp.inf)
