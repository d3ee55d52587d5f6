"""The beta density, right in float32 for concentrations in the millions."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from storax.distributions.chances import Chances
from storax.distributions.log_gamma import HALF_LOG_TWO_PI, LARGE, stirling_remainder
from storax.distributions.masses import deviance, distance
from storax.distributions.special import log_beta, positive_or_nan, times_log


def log_beta_density(a: Any, b: Any, x: Chances) -> jax.Array:
    """(a - 1) log x + (b - 1) log(1 - x) - log B(a, b).

    Args:
        a: positive.
        b: positive.
        x: the value as a chance, with 1 - x and the logarithms; one of these may be -inf.

    >>> abs(log_beta_density(jnp.float32(1e6), jnp.float32(1e6), Chances.of(0.5)).item() - 7.0285374) < 1e-5
    True
    """
    a, b = positive_or_nan(a), positive_or_nan(b)
    large = (a > LARGE) & (b > LARGE)
    c, d = jnp.where(large, a, LARGE), jnp.where(large, b, LARGE)
    finite = large & jnp.isfinite(x.log_p) & jnp.isfinite(x.log_q)
    p, q, u, v = (jnp.where(finite, y, z) for y, z in zip(x, (0.5, 0.5, -1.0, -1.0), strict=True))
    gap = distance(c, d, Chances(p, q, u, v))  # (c + d) x - c
    around_mode = (
        deviance(c, gap, u + jnp.log1p(d / c))
        + deviance(d, -gap, v + jnp.log1p(c / d))
        - (u + v)
        + 0.5 * (jnp.log(c) + jnp.log(d / (c + d)))
        - HALF_LOG_TWO_PI
        - (stirling_remainder(c) + stirling_remainder(d) - stirling_remainder(c + d))
    )
    r, s = jnp.where(large, 1.0, a), jnp.where(large, 1.0, b)
    direct = times_log(r - 1, x.log_p) + times_log(s - 1, x.log_q) - log_beta(r, s)
    return jnp.where(large, jnp.where(finite, around_mode, -jnp.inf), direct)
