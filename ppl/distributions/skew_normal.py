"""SkewNormal."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.erfcx import log_ndtr
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
        constant = np.log(2.0) - HALF_LOG_TWO_PI
        return within(inside, constant - 0.5 * jnp.square(z) + log_ndtr(skewness * z) - jnp.log(scale))

    @property
    def mean(self) -> jax.Array:
        loc, scale, skewness = promote(self.loc, self.scale, self.skewness)
        return loc + scale * _delta(skewness)[0] * np.sqrt(2 / np.pi)

    @property
    def variance(self) -> jax.Array:
        _, scale, skewness = promote(self.loc, self.scale, self.skewness)
        value = jnp.square(scale) * (1 - (2 / np.pi) * jnp.square(_delta(skewness)[0]))
        return jnp.broadcast_to(value, self.shape)


def _delta(skewness: jax.Array) -> tuple[jax.Array, jax.Array]:
    """a / sqrt(1 + a^2) and 1 / sqrt(1 + a^2), also where a^2 overflows."""
    large = jnp.abs(skewness) > 1
    inverse = 1 / jnp.where(large, skewness, 1.0)
    small = jnp.where(large, 1.0, skewness)
    far, near = jnp.sqrt(1 + jnp.square(inverse)), jnp.sqrt(1 + jnp.square(small))
    return jnp.where(large, jnp.sign(inverse) / far, small / near), jnp.where(large, jnp.abs(inverse) / far, 1 / near)
