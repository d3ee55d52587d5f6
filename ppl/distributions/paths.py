"""Gradients of draws that no formula made of noise: of rejection samplers, by the implicit function theorem."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from storax.distributions.base import Distribution
from storax.rules import custom_rule


@custom_rule
def reparameterize(d: Distribution, x: jax.Array) -> jax.Array:
    """Draws x of d, of one number each, as a function of the parameters of d, along a path of equal probability.

    F(x(theta); theta) stays as it is, so that dx = -dF / p(x) (Figurnov et al. 2018, eq. 5).
    """
    return x


@reparameterize.defjvp
def _(primals: Any, tangents: Any) -> Any:
    d, x = primals
    move, dx = tangents
    log_p = d.log_prob(x)
    log_f, df = jax.jvp(lambda d: d.log_cdf(x), (d,), (move,))
    log_s, ds = jax.jvp(lambda d: d.log_survival(x), (d,), (move,))
    # dF = F d log F = -S d log S: the smaller of both is the one that has digits.
    step = jnp.where(log_f < log_s, -jnp.exp(log_f - log_p) * df, jnp.exp(log_s - log_p) * ds)
    return x, dx + step.astype(x.dtype)
