"""VonMises: a direction."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.bessel import log_i0e, one_minus_ratio
from storax.distributions.paths import reparameterize
from storax.distributions.quadrature import depth, log_integral
from storax.distributions.quantiles import quantile
from storax.supports import Support


class VonMises(Distribution):
    """The normal distribution of angles, exp(concentration cos(x - loc)) up to a constant, for x from -pi to pi.

    Args:
        loc: the mean direction, real; a turn more or less is the same.
        concentration: positive; the circular variance is about 1 / (2 concentration) when it is large.

    `mean` is the mean direction, not the average of the numbers from -pi to pi.  The distribution function, from -pi
    on, is a quadrature of the density to about 1e-12, in both tails.

    >>> round(VonMises(0.0, 4.0).cdf(0.0).item(), 5)
    0.5
    """

    loc: Any
    concentration: Any

    parameters: ClassVar[dict[str, Support]] = {"loc": supports.real, "concentration": supports.positive}
    support: ClassVar[Support] = supports.circular

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        loc, k = promote(self.loc, self.concentration)
        angle = _draw(key, lax.stop_gradient(k), (*shape, *self.batch_shape), self.dtype)
        (angle, loc) = promote(angle, lax.stop_gradient(loc))
        limit = np.pi * (1 - 2 * float(jnp.finfo(angle.dtype).eps))
        return reparameterize(self, jnp.clip(_wrap(_wrap(loc) + angle), -limit, limit))

    def log_prob(self, value: Any) -> jax.Array:
        x, loc, k = promote(value, self.loc, self.concentration)
        inside = self.support(x) | jnp.isnan(x)
        # cos d - 1 as a square: at a high concentration its digits matter.
        fall = -2 * k * jnp.square(jnp.sin(0.5 * (jnp.where(inside, x, 0.0) - loc)))
        return self._or_nan(within(inside, fall - log_i0e(k) - math.log(2 * np.pi)))

    def log_cdf(self, value: Any) -> jax.Array:
        x, loc, k = jnp.broadcast_arrays(*promote(value, self.loc, self.concentration))
        return _between_ends(x, self._log_arc(-np.pi * jnp.ones_like(x), jnp.clip(x, -np.pi, np.pi), loc, k), False)

    def log_survival(self, value: Any) -> jax.Array:
        x, loc, k = jnp.broadcast_arrays(*promote(value, self.loc, self.concentration))
        return _between_ends(x, self._log_arc(jnp.clip(x, -np.pi, np.pi), np.pi * jnp.ones_like(x), loc, k), True)

    def _log_arc(self, start: jax.Array, end: jax.Array, loc: jax.Array, k: jax.Array) -> jax.Array:
        """log P(start <= X <= end): the arc, cut at the mode and at the antipode, is a sum of up to four falls."""
        centre = _wrap(loc)
        a, b = start - centre, end - centre
        pieces = []
        for low in (-2 * np.pi, -np.pi, 0.0, np.pi):
            p, q = jnp.clip(a, low, low + np.pi), jnp.clip(b, low, low + np.pi)
            if low in (-np.pi, np.pi):  # up to the mode
                near, far = (low + np.pi) - q, (low + np.pi) - p
            else:
                near, far = p - low, q - low
            pieces.append(_log_fall(near, far, k))
        stacked = jnp.stack(pieces)
        return jax.nn.logsumexp(stacked, 0) - log_i0e(k) - math.log(2 * np.pi)

    def icdf(self, q: Any) -> jax.Array:
        q, _, _ = promote(q, self.loc, self.concentration)
        return quantile(self.log_cdf, self.log_survival, q, -np.pi, np.pi)

    @property
    def mean(self) -> jax.Array:
        return jnp.broadcast_to(_wrap(promote(self.loc)[0]), self.shape)

    @property
    def circular_variance(self) -> jax.Array:
        """1 - |E exp(i X)|, from 0 to 1."""
        return jnp.broadcast_to(one_minus_ratio(promote(self.concentration)[0]), self.shape)

    @property
    def mode(self) -> jax.Array:
        return self.mean

    def entropy(self) -> jax.Array:
        (k,) = promote(self.concentration)
        return jnp.broadcast_to(math.log(2 * np.pi) + log_i0e(k) + k * one_minus_ratio(k), self.batch_shape)


def _wrap(x: jax.Array) -> jax.Array:
    """The same angle in [-pi, pi]; what is there already stays as it is, to the last digit."""
    return x - 2 * np.pi * lax.stop_gradient(jnp.where(jnp.abs(x) <= np.pi, 0.0, jnp.round(x / (2 * np.pi))))


def _log_fall(near: jax.Array, far: jax.Array, k: jax.Array) -> jax.Array:
    """log of the integral of exp(k (cos t - 1)) over near <= t <= far, with both in [0, pi]."""
    empty = ~(near < far)
    near = jnp.where(empty, 0.0, near)
    square = jnp.square(jnp.sin(0.5 * lax.stop_gradient(near))) + 0.5 * depth(near.dtype) / lax.stop_gradient(k)
    last = 2 * jnp.arcsin(jnp.sqrt(jnp.minimum(square, 1.0)))  # where it has died away
    cut = last < jnp.where(empty, 1.0, far)
    width = jnp.where(cut, last, jnp.where(empty, 1.0, far)) - near
    width = jnp.where(width > 0, width, jnp.finfo(width.dtype).tiny)

    def exponent(u: jax.Array) -> jax.Array:
        """Of cos t - cos near, with t = near + width * u, as a product."""
        s = width * u
        return 2 * k * jnp.sin(0.5 * s) * jnp.sin(near + 0.5 * s)

    total = log_integral(exponent, jnp.ones_like(width)) + jnp.log(width)
    score = total - 2 * k * jnp.square(jnp.sin(0.5 * near))
    return jnp.where(empty, jnp.finfo(width.dtype).min, score)


def _between_ends(x: jax.Array, score: jax.Array, upper: bool) -> jax.Array:
    low, high = (0.0, -jnp.inf) if upper else (-jnp.inf, 0.0)
    score = jnp.minimum(score, 0.0)
    return jnp.where(x <= -np.pi, low, jnp.where(x >= np.pi, high, jnp.where(jnp.isnan(x), jnp.nan, score)))


def _draw(key: jax.Array, k: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
    """Best and Fisher (1979): a wrapped Cauchy proposal, 2 arctan(s C) with C Cauchy, written so that no digit is lost
    at any concentration.  At least two of three are taken."""
    k = jnp.broadcast_to(k, shape).astype(dtype)
    h = jnp.hypot(2 * k, jnp.ones_like(k))
    surplus = 0.5 * (1 + 1 / (h + 2 * k))  # k (r - 1), with their r = (1 + sqrt(1 + 4 k^2)) / (2 k)
    square = 2 * surplus / (1 + h + 2 * k)  # s^2 = (r - 1) / (r + 1)

    def propose(state: Any) -> Any:
        key, angle, done = state
        key, one, two = jax.random.split(key, 3)
        c2 = square * jnp.square(jax.random.cauchy(one, shape, dtype))
        sine2 = c2 / (1 + c2)
        c = surplus + 2 * k * jnp.where(jnp.isnan(sine2), 1.0, sine2)
        taken = -jax.random.exponential(two, shape, dtype) <= jnp.log(c) + 1 - c
        new = 2 * jnp.arctan(jnp.sqrt(c2))
        return key, jnp.where(done, angle, new), done | taken

    key, flip = jax.random.split(key)
    start = (key, jnp.zeros(shape, dtype), jnp.zeros(shape, bool))
    angle = lax.while_loop(lambda state: ~jnp.all(state[-1]), propose, start)[1]
    return angle * jax.random.rademacher(flip, shape, dtype)
