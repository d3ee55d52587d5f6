"""The distribution function of Student's t by quadrature, with derivatives in everything.

JAX's incomplete beta function has no gradient with respect to its parameters, and underflows in the tails.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

from storax.distributions.quadrature import exponential_rule, gauss_rule
from storax.distributions.special import log1p_square, log_gamma_half_step, safe_log


def log_t_cdf(z: jax.Array, df: jax.Array) -> jax.Array:
    """log P(T <= z)."""
    low = z < 0
    tail = log_t_tail(jnp.abs(z), df)
    return jnp.where(low, tail, jnp.log1p(-jnp.exp(jnp.where(low, -1.0, tail))))


def log_t_tail(z: jax.Array, df: jax.Array) -> jax.Array:
    """log P(T > z) for z >= 0.

    With T = sqrt(df) sinh Y the density of Y is c cosh(y)^-df.  Beyond y = asinh(z / sqrt(df)) it falls from there by
    (cosh v + tanh y sinh v)^-df at y + v, the integral of which no cancellation touches.
    """
    infinite = jnp.isinf(z)
    z, df = jnp.broadcast_arrays(jnp.where(infinite, 1.0, z), df)
    ratio = z / jnp.sqrt(df)
    slope = _tanh_asinh(ratio)
    step = 1 / (df * slope + jnp.minimum(df, jnp.sqrt(df)))
    v, log_weight = exponential_rule(step)
    integral = logsumexp(log_weight - df[..., None] * _log_cosh_beyond(v, slope[..., None]), -1)
    log_density = log_gamma_half_step(0.5 * df) - 0.5 * math.log(np.pi) - 0.5 * df * log1p_square(ratio)
    return jnp.where(infinite, -jnp.inf, log_density + integral)


def log_t_within(z: jax.Array, df: jax.Array) -> jax.Array:
    """log P(|T| <= z) for z >= 0."""
    z, df = jnp.broadcast_arrays(z, df)
    ratio = z / jnp.sqrt(df)
    near = (ratio < 0.5) & (z < 1.5)  # there the sum below is of a flat function, and 1 - tail would cancel
    y = jnp.arcsinh(jnp.where(near, ratio, 0.5))
    few = jnp.where(near, df, 1.0)
    v, weight = gauss_rule(jnp.zeros_like(y), y, 20)
    fall = few[..., None] * _log_cosh_beyond(v, jnp.zeros_like(v))
    density = jnp.exp(log_gamma_half_step(0.5 * few)) / math.sqrt(np.pi)
    of_near = safe_log(y * density * 2 * jnp.sum(weight * jnp.exp(-fall), -1))
    return jnp.where(near, of_near, jnp.log1p(-2 * jnp.exp(log_t_tail(jnp.where(near, 1.0, z), df))))


def _tanh_asinh(ratio: jax.Array) -> jax.Array:
    """r / sqrt(1 + r^2) for r >= 0, also where r^2 overflows."""
    large = ratio > 1
    inverse = 1 / jnp.where(large, ratio, 1.0)
    small = jnp.where(large, 1.0, ratio)
    return jnp.where(large, 1 / jnp.sqrt(1 + jnp.square(inverse)), small / jnp.sqrt(1 + jnp.square(small)))


def _log_cosh_beyond(v: jax.Array, slope: jax.Array) -> jax.Array:
    """log(cosh v + slope sinh v) for v >= 0 and a slope in [0, 1]."""
    small = v < 1
    w, u = jnp.where(small, v, 0.0), jnp.where(small, 1.0, v)
    of_small = jnp.log1p(2 * jnp.square(jnp.sinh(0.5 * w)) + slope * jnp.sinh(w))
    return jnp.where(small, of_small, u + jnp.log(0.5 * (1 + slope + (1 - slope) * jnp.exp(-2 * u))))
