"""ExGaussian."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.erfcx import erfcx, log_ndtr
from storax.distributions.normal_mass import log_mass
from storax.distributions.quadrature import exponential_rule
from storax.distributions.quantiles import increasing_root, quantile
from storax.distributions.special import HALF_LOG_TWO_PI, log1mexp, quotient
from storax.supports import Support


class ExGaussian(Distribution):
    """X + Y with X ~ Normal(loc, scale) and Y ~ Exponential(rate): reaction times.

    Its density is rate exp(-z^2 / 2) erfcx((k - z) / sqrt(2)) / 2 at z = (x - loc) / scale, with k = rate * scale.

    Args:
        loc: mean of the normal part, real.
        scale: standard deviation of the normal part, positive.
        rate: one over the mean of the exponential part, positive.

    >>> ExGaussian(1.0, 2.0, rate=0.25).mean.item()
    5.0
    """

    loc: Any = 0.0
    scale: Any = 1.0
    rate: Any = 1.0

    parameters: ClassVar[dict[str, Support]] = {
        "loc": supports.real,
        "scale": supports.positive,
        "rate": supports.positive,
    }
    support: ClassVar[Support] = supports.real

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        full = (*shape, *self.batch_shape)
        one, two = jax.random.split(key)
        normal, loc, scale = promote(jax.random.normal(one, full, self.dtype), self.loc, self.scale)
        late, rate = promote(jax.random.exponential(two, full, self.dtype), self.rate)
        return loc + scale * normal + late / rate

    def log_prob(self, value: Any) -> jax.Array:
        inside, z, k, rate = self._standard(value)
        return self._or_nan(within(inside, jnp.log(rate) + _log_excess(z, k)))

    def log_cdf(self, value: Any) -> jax.Array:
        inside, z, k, _ = self._standard(value)
        return jnp.where(inside, _log_cdf(z, k), jnp.where(promote(value, z)[0] < 0, -jnp.inf, 0.0))

    def log_survival(self, value: Any) -> jax.Array:
        inside, z, k, _ = self._standard(value)
        return jnp.where(inside, _log_survival(z, k), jnp.where(promote(value, z)[0] < 0, 0.0, -jnp.inf))

    def icdf(self, q: Any) -> jax.Array:
        q, loc, scale, rate = promote(q, self.loc, self.scale, self.rate)
        k = scale * rate
        return loc + scale * quantile(lambda z: _log_cdf(z, k), lambda z: _log_survival(z, k), q, -jnp.inf, jnp.inf)

    def _standard(self, value: Any) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
        x, loc, scale, rate = promote(value, self.loc, self.scale, self.rate)
        inside = ~jnp.isinf(x)
        return inside, quotient(jnp.where(inside, x, loc) - loc, scale), scale * rate, rate

    @property
    def mean(self) -> jax.Array:
        loc, _, rate = promote(self.loc, self.scale, self.rate)
        return jnp.broadcast_to(loc + 1 / rate, self.shape)

    @property
    def variance(self) -> jax.Array:
        _, scale, rate = promote(self.loc, self.scale, self.rate)
        return jnp.broadcast_to(jnp.square(scale) + jnp.square(1 / rate), self.shape)

    @property
    def mode(self) -> jax.Array:
        """Where the hazard of the normal part, phi(u) / Phi(u) at u = z - k, is k."""
        loc, scale, rate = promote(self.loc, self.scale, self.rate)
        k = scale * rate
        least = 100.0 if k.dtype == jnp.float64 else 12.0
        large = k > least
        y = jnp.where(large, 1.0, k)

        def hazard(u: jax.Array) -> jax.Array:
            low = u < 0  # phi and Phi are both small there
            of_low = jnp.log(erfcx(jnp.where(low, -u, 0.0) * math.sqrt(0.5))) + 0.5 * math.log(np.pi / 2)
            v = jnp.where(low, 0.0, u)
            return jnp.where(low, of_low, 0.5 * jnp.square(v) + HALF_LOG_TWO_PI + log_ndtr(v))

        of_small = y + increasing_root(hazard, -jnp.log(y), -y, 40.0)
        # Far out it is t + 1 / t - 2 / t^3 + ... at t = -u, and z = k - t.
        c = jnp.where(large, k, least)
        of_large = 1 / c
        for _ in range(4):
            t = c - of_large
            r = 1 / (t * t)
            of_large = (1 - 2 * r * (1 - 5 * r * (1 - 7.4 * r))) / t
        return loc + scale * jnp.where(large, of_large, of_small)


def _log_excess(z: jax.Array, k: jax.Array) -> jax.Array:
    """log of exp(k^2 / 2 - k z) P(Z <= z - k): the density over the rate."""
    low = z < k
    y = jnp.where(low, k - z, 1.0)
    of_low = -0.5 * jnp.square(jnp.where(low, z, 0.0)) + jnp.log(0.5 * erfcx(y * math.sqrt(0.5)))
    u = jnp.where(low, 0.0, z - k)
    return jnp.where(low, of_low, -k * (u + 0.5 * k) + log_ndtr(u))


def _log_survival(z: jax.Array, k: jax.Array) -> jax.Array:
    return jnp.logaddexp(log_ndtr(-z), _log_excess(z, k))


def _log_cdf(z: jax.Array, k: jax.Array) -> jax.Array:
    """log of P(Z <= z) - exp(k^2 / 2 - k z) P(Z <= z - k), in three parts in which nothing cancels."""
    z, k = jnp.broadcast_arrays(z, k)
    low, middle = (z < 0.5) & (z < 0.5 * k), z < 0.5 * k
    # The integral of phi(z - s) (1 - exp(-k s)) over s > 0.
    y = jnp.where(low, z, 0.0)
    s, log_weight = exponential_rule(1 / (1 + jnp.maximum(-y, 0.0)))
    terms = log_weight + s * (y[..., None] - 0.5 * s) + log1mexp(k[..., None] * s)
    of_low = logsumexp(terms, -1) - 0.5 * jnp.square(y) - HALF_LOG_TWO_PI
    # A difference in which the second is small, as k > 1.
    c, w = jnp.where(middle, jnp.maximum(k, 1.0), 1.0), jnp.where(middle, z, 0.25)
    log_first = log_ndtr(w)
    of_middle = log_first + log1mexp(jnp.maximum(log_first - _log_excess(w, c), 0.0))
    # P(Z <= z) (1 - exp(-g)) + exp(-g) P(z - k < Z <= z) with g = k (z - k / 2) >= 0.
    v, h = jnp.where(middle, 1.0, z), jnp.where(middle, 1.0, k)
    g = h * (v - 0.5 * h)
    gap = -0.5 * jnp.square(jnp.maximum(v - h, 0.0)) + log_mass(v - h, v, h) - HALF_LOG_TWO_PI
    of_high = jnp.logaddexp(log_ndtr(v) + log1mexp(g), gap - g)
    return jnp.minimum(jnp.where(low, of_low, jnp.where(middle, of_middle, of_high)), 0.0)
