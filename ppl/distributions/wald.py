"""Wald, the inverse Gaussian: first passage times of a random walk with a drift."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erfcx

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.bessel import scaled_exp1
from storax.distributions.gamma import positive_float
from storax.distributions.paths import reparameterize
from storax.distributions.quantiles import quantile
from storax.distributions.special import HALF_LOG_TWO_PI, log_ndtr, quotient, safe_log
from storax.supports import Support

_NODES, _WEIGHTS = (x.tolist() for x in np.polynomial.legendre.leggauss(16))


class Wald(Distribution):
    """The inverse Gaussian distribution; `InverseGaussian` is another name of it.

    sqrt(concentration / (2 pi x^3)) exp(-concentration (x - loc)^2 / (2 loc^2 x)), after Chhikara and Folks (1989).
    SciPy's `invgauss(mu, scale)` has mu = loc / concentration and scale = concentration.

    Args:
        loc: the mean, positive.
        concentration: shape, positive; the variance is loc^3 / concentration.

    >>> Wald(2.0, 4.0).variance.item()
    2.0
    """

    loc: Any
    concentration: Any

    parameters: ClassVar[dict[str, Support]] = {"loc": supports.positive, "concentration": supports.positive}
    support: ClassVar[Support] = supports.positive

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        # Michael, Schucany and Haas (1976), with the smaller root as a quotient: at a tiny shape nothing cancels.
        full = (*shape, *self.batch_shape)
        one, other = jax.random.split(key)
        noise, u = jax.random.normal(one, full, self.dtype), jax.random.uniform(other, full, self.dtype)
        noise, u, loc, c = promote(noise, u, self.loc, self.concentration)
        w = 0.5 * jnp.square(noise) * (loc / c)
        ratio = 1 / (1 + w + jnp.sqrt(w) * jnp.sqrt(w + 2))
        x = jnp.where(u * (1 + ratio) <= 1, loc * ratio, loc / ratio)
        x = jnp.where(ratio > 0, x, 2 * w * loc)
        return reparameterize(self, jax.lax.stop_gradient(positive_float(x)))

    def log_prob(self, value: Any) -> jax.Array:
        x, loc, c = promote(value, self.loc, self.concentration)
        inside = ~((x <= 0) | (x == jnp.inf))
        x = jnp.where(inside, x, 1.0)
        # The slope of x / loc - 1 in loc does not cancel at x << loc, and its value (x - loc) / loc not at x ~ loc.
        ratio = quotient(x, loc)
        relative = ratio - 1 + jax.lax.stop_gradient((x - loc) / loc - (ratio - 1))
        distance = relative * (jnp.sqrt(c) / jnp.sqrt(x))
        score = 0.5 * jnp.log(c) - 1.5 * jnp.log(x) - HALF_LOG_TWO_PI - 0.5 * jnp.square(distance)
        return self._or_nan(within(inside, score))

    def log_cdf(self, value: Any) -> jax.Array:
        x, a, b, _ = self._scores(value)
        score = jnp.logaddexp(log_ndtr(a), jnp.log(_mills(b)) - 0.5 * jnp.square(a))
        return _at_ends(x, jnp.minimum(score, 0.0), -jnp.inf, 0.0)

    def log_survival(self, value: Any) -> jax.Array:
        # Phi(-a) - exp(2 c / loc) Phi(-b) = exp(-a^2 / 2) (M(a) - M(b)), with Mills' ratio M.
        x, a, b, step = self._scores(value)
        upper = a > -1
        p = jnp.where(upper, a, 0.0)
        close = step < 1  # the difference of M is the integral of its slope
        slope = jnp.zeros_like(p)
        for node, weight in zip(_NODES, _WEIGHTS, strict=True):
            slope = slope + 0.5 * weight * _mills_slope(p + jnp.where(close, step, 1.0) * (0.5 + 0.5 * node))
        difference = jnp.where(close, slope * step, _mills(p) - _mills(jnp.where(close, p + 1, b)))
        of_upper = safe_log(jnp.maximum(difference, 0.0)) - 0.5 * jnp.square(p)
        log_p = jnp.logaddexp(log_ndtr(a), jnp.log(_mills(b)) - 0.5 * jnp.square(a))
        of_lower = jnp.log1p(-jnp.exp(jnp.where(upper, -1.0, log_p)))
        return _at_ends(x, jnp.where(upper, of_upper, of_lower), 0.0, -jnp.inf)

    def _scores(self, value: Any) -> tuple[jax.Array, ...]:
        """a = sqrt(c / x) (x / loc - 1), b = sqrt(c / x) (x / loc + 1), and b - a."""
        x, loc, c = promote(value, self.loc, self.concentration)
        inside = ~((x <= 0) | (x == jnp.inf))
        y = jnp.where(inside, x, 1.0)
        root = jnp.sqrt(c) / jnp.sqrt(y)
        return x, root * ((y - loc) / loc), root * (y / loc + 1), 2 * root

    def icdf(self, q: Any) -> jax.Array:
        q, _, _ = promote(q, self.loc, self.concentration)
        return quantile(self.log_cdf, self.log_survival, q, 0.0, jnp.inf)

    @property
    def mean(self) -> jax.Array:
        return jnp.broadcast_to(promote(self.loc)[0], self.shape)

    @property
    def variance(self) -> jax.Array:
        loc, c = promote(self.loc, self.concentration)
        return jnp.square(loc) * (loc / c)

    @property
    def mode(self) -> jax.Array:
        loc, c = promote(self.loc, self.concentration)
        r = 1.5 * loc / c
        return loc / (jnp.hypot(r, jnp.ones_like(r)) + r)

    def entropy(self) -> jax.Array:
        loc, c = promote(self.loc, self.concentration)
        # E log X = log loc - exp(2 c / loc) E_1(2 c / loc)
        log_mean = jnp.log(loc) - scaled_exp1(2 * c / loc)
        return HALF_LOG_TWO_PI + 0.5 + 1.5 * log_mean - 0.5 * jnp.log(c)


InverseGaussian = Wald


def _mills(t: jax.Array) -> jax.Array:
    """exp(t^2 / 2) P(Z > t)."""
    return 0.5 * erfcx(t * math.sqrt(0.5))


def _mills_slope(t: jax.Array) -> jax.Array:
    """Minus the derivative of `_mills`, 1 / sqrt(2 pi) - t M(t), which is about 1 / (sqrt(2 pi) t^2) far out."""
    far = t > (10.0 if t.dtype == jnp.float64 else 5.0)
    r = jnp.square(1 / jnp.where(far, t, 10.0))
    series = r * (1 - r * (3 - r * (15 - r * (105 - r * (945 - r * (10395 - r * 135135))))))
    near = jnp.where(far, 0.0, t)
    return jnp.where(far, series / math.sqrt(2 * np.pi), 1 / math.sqrt(2 * np.pi) - near * _mills(near))


def _at_ends(x: jax.Array, score: jax.Array, low: float, high: float) -> jax.Array:
    return jnp.where(x <= 0, low, jnp.where(x == jnp.inf, high, jnp.where(jnp.isnan(x), jnp.nan, score)))
