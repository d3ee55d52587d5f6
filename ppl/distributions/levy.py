"""Levy."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.normal import HalfNormal, half_normal_above
from storax.distributions.special import HALF_LOG_TWO_PI
from storax.supports import Support


class Levy(Distribution):
    """loc + scale / Z^2 with Z standard normal: the time at which Brownian motion first gets to a height.

    Its density is sqrt(scale / (2 pi y^3)) exp(-scale / (2 y)) at y = x - loc > 0.  It has no mean.

    Args:
        loc: lower end, real.
        scale: positive.

    >>> round(Levy(0.0, 1.0).cdf(1.0).item(), 4)
    0.3173
    """

    loc: Any = 0.0
    scale: Any = 1.0

    parameters: ClassVar[dict[str, Support]] = {"loc": supports.real, "scale": supports.positive}

    @property
    def support(self) -> Support:
        return supports.greater_than(self.loc)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        noise, loc, scale = promote(
            jax.random.normal(key, (*shape, *self.batch_shape), self.dtype), self.loc, self.scale
        )
        info = jnp.finfo(noise.dtype)
        noise = jnp.maximum(jnp.abs(noise), np.sqrt(info.tiny))
        x = loc + jnp.square(jnp.sqrt(scale) / noise)
        lowest = jnp.nextafter(jax.lax.stop_gradient(loc), jnp.full_like(loc, jnp.inf))
        return jnp.clip(x, lowest, info.max)

    def log_prob(self, value: Any) -> jax.Array:
        x, loc, scale = promote(value, self.loc, self.scale)
        y = x - loc
        inside = ~((y <= 0) | (y == jnp.inf))
        y = jnp.where(inside, y, 1.0)
        return within(inside, -0.5 * scale / y - 1.5 * jnp.log(y) + 0.5 * jnp.log(scale) - HALF_LOG_TWO_PI)

    def log_cdf(self, value: Any) -> jax.Array:
        return HalfNormal(1.0).log_survival(self._height(value))

    def log_survival(self, value: Any) -> jax.Array:
        return HalfNormal(1.0).log_cdf(self._height(value))

    def _height(self, value: Any) -> jax.Array:
        """The |Z| that leads to a value."""
        x, loc, scale = promote(value, self.loc, self.scale)
        y = x - loc
        inside = ~((y <= 0) | (y == jnp.inf))
        z = jnp.sqrt(scale / jnp.where(inside, y, 1.0))
        return jnp.where(inside, z, jnp.where(y <= 0, jnp.inf, 0.0))

    def icdf(self, q: Any) -> jax.Array:
        q, loc, scale = promote(q, self.loc, self.scale)
        return loc + scale / jnp.square(half_normal_above(q))

    @property
    def mean(self) -> jax.Array:
        return jnp.full(self.shape, jnp.inf, self.dtype)

    @property
    def variance(self) -> jax.Array:
        return jnp.full(self.shape, jnp.inf, self.dtype)

    @property
    def mode(self) -> jax.Array:
        loc, scale = promote(self.loc, self.scale)
        return loc + scale / 3

    def entropy(self) -> jax.Array:
        constant = 0.5 * (1 + 3 * np.euler_gamma + math.log(16 * np.pi))
        return jnp.broadcast_to(jnp.log(promote(self.scale)[0]) + constant, self.shape)
