"""SkewNormal."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.special import erf, logsumexp

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.erfcx import erfcx, log_ndtr
from storax.distributions.quadrature import exponential_rule
from storax.distributions.quantiles import increasing_root, tail_quantile
from storax.distributions.special import HALF_LOG_TWO_PI, quotient
from storax.supports import Support


class SkewNormal(Distribution):
    """A normal distribution pulled to one side (Azzalini 1985).

    Its density is 2 phi(z) Phi(skewness z) / scale at z = (x - loc) / scale.

    Args:
        loc: location, real; the mean only if skewness is 0.
        scale: positive.
        skewness: real, `alpha` in PyMC and Stan: 0 is Normal(loc, scale), and infinity would be a half normal.

    >>> round(SkewNormal(0.0, 1.0, 3.0).mean.item(), 4)
    0.7569
    """

    loc: Any = 0.0
    scale: Any = 1.0
    skewness: Any = 0.0

    parameters: ClassVar[dict[str, Support]] = {
        "loc": supports.real,
        "scale": supports.positive,
        "skewness": supports.real,
    }
    support: ClassVar[Support] = supports.real

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        noise = jax.random.normal(key, (2, *shape, *self.batch_shape), self.dtype)
        one, two, loc, scale, skewness = promote(noise[0], noise[1], self.loc, self.scale, self.skewness)
        delta, rest = _delta(skewness)
        return loc + scale * (delta * jnp.abs(one) + rest * two)

    def log_prob(self, value: Any) -> jax.Array:
        x, loc, scale, skewness = promote(value, self.loc, self.scale, self.skewness)
        inside = ~jnp.isinf(x)
        z = quotient(jnp.where(inside, x, loc) - loc, scale)
        constant = math.log(2.0) - HALF_LOG_TWO_PI
        return within(inside, constant - 0.5 * jnp.square(z) + log_ndtr(skewness * z) - jnp.log(scale))

    def log_cdf(self, value: Any) -> jax.Array:
        return self._tail(value, upper=False)

    def log_survival(self, value: Any) -> jax.Array:
        return self._tail(value, upper=True)

    def _tail(self, value: Any, upper: bool) -> jax.Array:
        x, loc, scale, skewness = promote(value, self.loc, self.scale, self.skewness)
        inside = ~jnp.isinf(x)
        score = _log_tail(quotient(jnp.where(inside, x, loc) - loc, scale), skewness, upper)
        return jnp.where(inside, score, jnp.where((x < 0) == upper, 0.0, -jnp.inf))

    def icdf(self, q: Any) -> jax.Array:
        q, loc, scale, skewness = promote(q, self.loc, self.scale, self.skewness)
        tail = lambda z, lower: jnp.where(lower, _log_tail(z, skewness, False), _log_tail(z, skewness, True))  # noqa: E731
        return loc + scale * tail_quantile(tail, q, -jnp.inf, jnp.inf)

    @property
    def mode(self) -> jax.Array:
        """Where z = a phi(a z) / Phi(a z): between 0 and 1 times the scale from loc."""
        loc, scale, skewness = promote(self.loc, self.scale, self.skewness)
        size = jnp.abs(skewness)

        def slope(z: jax.Array) -> jax.Array:
            y = size * z
            return z - size * jnp.exp(-0.5 * jnp.square(y) - HALF_LOG_TWO_PI - log_ndtr(y))

        z = increasing_root(slope, jnp.zeros_like(size), 0.0, 1.0)
        return jnp.broadcast_to(loc + scale * jnp.sign(skewness) * z, self.shape)

    @property
    def mean(self) -> jax.Array:
        loc, scale, skewness = promote(self.loc, self.scale, self.skewness)
        return loc + scale * _delta(skewness)[0] * math.sqrt(2 / np.pi)

    @property
    def variance(self) -> jax.Array:
        _, scale, skewness = promote(self.loc, self.scale, self.skewness)
        value = jnp.square(scale) * (1 - (2 / np.pi) * jnp.square(_delta(skewness)[0]))
        return jnp.broadcast_to(value, self.shape)

    def entropy(self) -> jax.Array:
        """That of a normal distribution, less log 2 and the mean of log P(Z <= a z): two integrals over a half-line."""
        _, scale, skewness = promote(self.loc, self.scale, self.skewness)
        a = jnp.minimum(jnp.abs(skewness), float(jnp.finfo(skewness.dtype).max) ** 0.25)
        s, log_weight = exponential_rule(lax.stop_gradient(1 / jnp.sqrt(1 + jnp.square(a))))
        below = log_ndtr(-a[..., None] * s)
        above = jnp.log1p(-jnp.exp(below))
        density = 2 * jnp.exp(log_weight - 0.5 * jnp.square(s) - HALF_LOG_TWO_PI)
        mean = (density * (jnp.exp(below) * below + jnp.exp(above) * above)).sum(-1)
        value = jnp.log(scale) + (0.5 + HALF_LOG_TWO_PI) - (math.log(2.0) + mean)
        return jnp.broadcast_to(value, self.shape)


def _log_tail(z: jax.Array, skewness: jax.Array, upper: bool) -> jax.Array:
    """log P(Z <= z), or of P(Z > z), for loc 0 and scale 1: sums of positive parts, and a difference by at most half.

    With L(z) = P(Z <= -z) for a skewness above 0 and z >= 0, P(Z <= z) is erf(z / sqrt(2)) + L(z), and P(Z > z) is
    erfc(z / sqrt(2)) - L(z), of which L(z) is no more than half.  A skewness below 0 is another's mirror image.
    """
    z, skewness = jnp.broadcast_arrays(z, skewness)
    mirrored = skewness < 0
    z = jnp.where(mirrored, -z, z)
    positive = z > 0
    size = jnp.where(positive, z, -z)
    steep = _log_steep(size, jnp.abs(skewness))
    near = jnp.where(positive, size, 1.0)
    below = jnp.where(positive, jnp.logaddexp(jnp.log(erf(near * math.sqrt(0.5))), steep), steep)
    both = log_ndtr(-size) + math.log(2.0)
    above = jnp.where(positive, both + jnp.log1p(-jnp.exp(steep - both)), jnp.log1p(-jnp.exp(steep)))
    # One of a quantity near 1 is known from the other.
    below = jnp.where(positive & (above < -0.7), jnp.log1p(-jnp.exp(jnp.where(positive, above, -1.0))), below)
    return jnp.where(mirrored == upper, below, above)


def _log_steep(z: jax.Array, skewness: jax.Array) -> jax.Array:
    """log of the integral of 2 phi(t) Phi(-skewness t) over t > z, for z and skewness not negative."""
    most = float(jnp.finfo(z.dtype).max) ** 0.25
    a = jnp.minimum(skewness, most)
    c = 1 + jnp.square(a)
    root = jnp.sqrt(c)
    s, log_weight = exponential_rule(lax.stop_gradient(1 / (root * (1 + root * z))))
    z_, a_, c_ = z[..., None], a[..., None], c[..., None]
    # Phi(-y) = exp(-y^2 / 2) erfcx(y / sqrt(2)) / 2, with y = a (z + s).
    fall = c_ * s * (z_ + 0.5 * s) - jnp.log(erfcx(a_ * (z_ + s) * math.sqrt(0.5)))
    return logsumexp(log_weight - fall, -1) - 0.5 * jnp.square(root * z) - HALF_LOG_TWO_PI


def _delta(skewness: jax.Array) -> tuple[jax.Array, jax.Array]:
    """a / sqrt(1 + a^2) and 1 / sqrt(1 + a^2), also where a^2 overflows."""
    large = jnp.abs(skewness) > 1
    inverse = 1 / jnp.where(large, skewness, 1.0)
    small = jnp.where(large, 1.0, skewness)
    far, near = jnp.sqrt(1 + jnp.square(inverse)), jnp.sqrt(1 + jnp.square(small))
    return jnp.where(large, jnp.sign(inverse) / far, small / near), jnp.where(large, jnp.abs(inverse) / far, 1 / near)
