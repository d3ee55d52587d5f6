"""Rice: the length of a vector with normal noise."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.special import i0e, i1e

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.bessel import log_i0e, one_minus_ratio
from storax.distributions.gamma import positive_float
from storax.distributions.quadrature import depth, gauss_rule, log_integral
from storax.distributions.quantiles import increasing_root, quantile
from storax.distributions.special import log1mexp, safe_log
from storax.supports import Support

# E X = nu * sum_n ((-1/2)_n)^2 / n! (2 sigma^2 / nu^2)^n, DLMF 13.7.2; here the coefficients, and those of its square.
_MEAN = np.cumprod([1.0] + [2 * (n - 1.5) ** 2 / n for n in range(1, 12)])
_SQUARE = np.convolve(_MEAN, _MEAN)[:12].tolist()


class Rice(Distribution):
    """The length of a vector (Normal(nu, sigma), Normal(0, sigma)); parameters as in PyMC.

    SciPy's `rice(b, scale)` has b = nu / sigma and scale = sigma.

    Args:
        nu: the length without noise, not negative; at 0 it is Rayleigh.
        sigma: positive.

    >>> from storax.distributions import Rayleigh
    >>> bool(abs(Rice(0.0, 2.0).log_prob(1.0) - Rayleigh(2.0).log_prob(1.0)) < 1e-6)
    True
    """

    nu: Any
    sigma: Any = 1.0

    parameters: ClassVar[dict[str, Support]] = {"nu": supports.nonnegative, "sigma": supports.positive}
    support: ClassVar[Support] = supports.nonnegative

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        noise = jax.random.normal(key, (2, *shape, *self.batch_shape), self.dtype)
        along, across, nu, sigma = promote(noise[0], noise[1], self.nu, self.sigma)
        return positive_float(jnp.hypot(nu + sigma * along, sigma * across))

    def log_prob(self, value: Any) -> jax.Array:
        x, nu, sigma = promote(value, self.nu, self.sigma)
        inside = ~((x < 0) | (x == jnp.inf))
        z = jnp.where(inside, x, 1.0) / sigma
        return self._or_nan(within(inside, _log_density(z, nu / sigma) - jnp.log(sigma)))

    def log_cdf(self, value: Any) -> jax.Array:
        return self._tails(value)[0]

    def log_survival(self, value: Any) -> jax.Array:
        return self._tails(value)[1]

    def _tails(self, value: Any) -> tuple[jax.Array, jax.Array]:
        """Both from an integral of the density over the smaller tail (the second is Marcum's Q function)."""
        x, nu, sigma = jnp.broadcast_arrays(*promote(value, self.nu, self.sigma))
        b = nu / sigma
        inside = ~((x <= 0) | (x / sigma > 0.1 * np.sqrt(float(jnp.finfo(x.dtype).max))))  # squares are finite
        z = jnp.where(inside, x / sigma, b + 1)
        z = jnp.where(inside, z, 1.0)
        lower = z < jnp.sqrt(1 + jnp.square(b))
        sign = jnp.where(lower, -1.0, 1.0).astype(z.dtype)
        log_p = _log_density(z, b)
        d = depth(z.dtype) + 3 + jnp.log1p(z * b)
        width = jnp.minimum(jnp.sqrt(2 * d), d / jnp.maximum(jnp.abs(z - b), 0.1))
        width = lax.stop_gradient(jnp.where(lower, jnp.minimum(width, z), width))
        tail = log_p + log_integral(lambda s: log_p - _log_density(jnp.maximum(z + sign * s, 0.0), b), width)
        tail = jnp.minimum(tail, -jnp.finfo(z.dtype).tiny)
        log_p, log_q = jnp.where(lower, tail, log1mexp(-tail)), jnp.where(lower, log1mexp(-tail), tail)
        nothing = jnp.where(jnp.isnan(x), jnp.nan, -jnp.inf)
        low = x <= 0
        return (
            jnp.where(inside, log_p, jnp.where(low, nothing, 0.0)),
            jnp.where(inside, log_q, jnp.where(low, 0.0, nothing)),
        )

    def icdf(self, q: Any) -> jax.Array:
        q, _, _ = promote(q, self.nu, self.sigma)
        return quantile(self.log_cdf, self.log_survival, q, 0.0, jnp.inf)

    @property
    def mean(self) -> jax.Array:
        nu, sigma = promote(self.nu, self.sigma)
        w = 0.25 * jnp.square(nu / sigma)
        return sigma * math.sqrt(np.pi / 2) * ((1 + 2 * w) * i0e(w) + 2 * w * i1e(w))

    @property
    def variance(self) -> jax.Array:
        nu, sigma = promote(self.nu, self.sigma)
        b = nu / sigma
        large = b > 12
        u = jnp.where(large, jnp.square(sigma / jnp.where(large, nu, 1.0)), 0.0)
        series = jnp.zeros_like(u)
        for c in _SQUARE[:1:-1]:
            series = u * (c + series)
        direct = 2 + jnp.square(b) - jnp.square(self.mean / sigma)
        return jnp.square(sigma) * jnp.where(large, 1 - series, direct)

    @property
    def mode(self) -> jax.Array:
        """The one root of z - 1 / z = b I_1(b z) / I_0(b z), at z = x / sigma and b = nu / sigma."""
        nu, sigma = promote(self.nu, self.sigma)
        b = nu / sigma

        def slope(z: jax.Array) -> jax.Array:
            return (z - b) - 1 / z + b * one_minus_ratio(z * b)

        return sigma * increasing_root(slope, jnp.zeros_like(b), 1.0, b + 2)

    def entropy(self) -> jax.Array:
        """Gauss's rule, in the root of z: z log z is all that is not smooth at 0."""
        nu, sigma = promote(self.nu, self.sigma)
        b = nu / sigma
        reach = 6.0 if b.dtype == jnp.float32 else 10.0
        low = lax.stop_gradient(jnp.sqrt(jnp.maximum(b - reach, 0.0)))
        width = lax.stop_gradient(jnp.sqrt(b + reach)) - low
        root, weight = gauss_rule(low, width, 96)
        log_p = _log_density(jnp.square(root), b[..., None])
        return -(2 * width[..., None] * root * weight * jnp.exp(log_p) * log_p).sum(-1) + jnp.log(sigma)


def _log_density(z: jax.Array, b: jax.Array) -> jax.Array:
    """Of a Rice(b, 1)."""
    return safe_log(z) - 0.5 * jnp.square(z - b) + log_i0e(z * b)
