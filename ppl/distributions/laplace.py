"""Laplace, AsymmetricLaplace, SoftLaplace."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from storax import supports
from storax.distributions.base import Distribution, promote
from storax.distributions.location_scale import LocationScale
from storax.distributions.special import probability, quotient, standardize
from storax.rules import custom_rule
from storax.supports import Support


class Laplace(LocationScale):
    """The double exponential distribution.

    Args:
        loc: median, real.
        scale: mean absolute deviation, positive.

    >>> Laplace(0.0, 2.0).variance.item()
    8.0
    """

    standard_variance: ClassVar[float] = 2.0
    standard_entropy: ClassVar[float] = 1 + math.log(2.0)

    @staticmethod
    def _draw(key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        return jax.random.laplace(key, shape, dtype)

    @staticmethod
    def _standard(x: jax.Array, loc: jax.Array, scale: jax.Array) -> jax.Array:
        return quotient(x - loc, scale)

    @staticmethod
    def _log_density(z: jax.Array) -> jax.Array:
        return -jnp.abs(z) - math.log(2.0)

    @staticmethod
    def _log_cdf(z: jax.Array) -> jax.Array:
        return jnp.where(z < 0, z - math.log(2.0), jnp.log1p(-0.5 * jnp.exp(-jnp.abs(z))))

    @staticmethod
    def _quantile(q: jax.Array) -> jax.Array:
        low = q < 0.5
        return jnp.where(low, jnp.log(2 * jnp.where(low, q, 0.5)), -jnp.log(2 * (1 - q)))


class AsymmetricLaplace(Distribution):
    """Exponential on both sides of `loc`, with mean distance scale * asymmetry below and scale / asymmetry above.

    Args:
        loc: mode, real.
        scale: positive.
        asymmetry: positive; 1 is Laplace.

    >>> AsymmetricLaplace(0.0, 1.0, 2.0).mean.item()
    -1.5
    """

    loc: Any = 0.0
    scale: Any = 1.0
    asymmetry: Any = 1.0

    parameters: ClassVar[dict[str, Support]] = {
        "loc": supports.real,
        "scale": supports.positive,
        "asymmetry": supports.positive,
    }
    support: ClassVar[Support] = supports.real

    def _sides(self, *others: Any) -> list[jax.Array]:
        """Other arguments, loc, and the mean distances below and above it."""
        *arrays, loc, scale, asymmetry = promote(*others, self.loc, self.scale, self.asymmetry)
        return [*arrays, loc, scale * asymmetry, scale / asymmetry]

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        noise = jax.random.exponential(key, (2, *shape, *self.batch_shape), self.dtype)
        one, two, loc, below, above = self._sides(noise[0], noise[1])
        return loc + above * one - below * two

    def log_prob(self, value: Any) -> jax.Array:
        x, loc, below, above = self._sides(value)
        y = x - loc
        return jnp.where(y < 0, quotient(y, below), -quotient(y, above)) - jnp.log(below + above)

    def log_cdf(self, value: Any) -> jax.Array:
        x, loc, below, above = self._sides(value)
        return _log_side(standardize(x, loc, below), standardize(x, loc, above), below, above)

    def log_survival(self, value: Any) -> jax.Array:
        x, loc, below, above = self._sides(value)
        return _log_side(-standardize(x, loc, above), -standardize(x, loc, below), above, below)

    def icdf(self, q: Any) -> jax.Array:
        q, loc, below, above = self._sides(q)
        share = below / (below + above)
        low, rest = q < share, above / (below + above)
        of_low = below * jnp.log(jnp.where(low, q / share, 1.0))
        return loc + jnp.where(low, of_low, -above * jnp.log(jnp.where(low, 1.0, (1 - q) / rest)))

    @property
    def mean(self) -> jax.Array:
        loc, below, above = self._sides()
        return loc + (above - below)

    @property
    def variance(self) -> jax.Array:
        _, below, above = self._sides()
        return jnp.broadcast_to(jnp.square(below) + jnp.square(above), self.shape)

    @property
    def mode(self) -> jax.Array:
        return jnp.broadcast_to(promote(self.loc)[0], self.shape)

    def entropy(self) -> jax.Array:
        _, below, above = self._sides()
        return jnp.broadcast_to(1 + jnp.log(below + above), self.shape)


def _log_side(z_near: jax.Array, z_far: jax.Array, near: jax.Array, far: jax.Array) -> jax.Array:
    """log of near / (near + far) exp(z_near) for z_near < 0, and of 1 - far / (near + far) exp(-z_far) beyond."""
    below = z_near < 0
    beyond, share = jnp.where(below, 0.0, z_far), far / (near + far)
    rest = share * jnp.exp(-beyond)
    small = rest > 0.5  # the probability, near / (near + far) + share (1 - exp(-z_far))
    of_small = jnp.log(jnp.where(small, near / (near + far) - share * jnp.expm1(-beyond), 1.0))
    of_far = jnp.where(small, of_small, jnp.log1p(-jnp.where(small, 0.5, rest)))
    return jnp.where(below, z_near - jnp.log1p(far / near), of_far)


class SoftLaplace(LocationScale):
    """A Laplace distribution with a smooth top: the hyperbolic secant distribution.

    Its density is 2 / (pi scale (exp(z) + exp(-z))) at z = (x - loc) / scale.

    Args:
        loc: mean, real.
        scale: positive; the standard deviation is pi / 2 times that.

    >>> round(SoftLaplace(0.0, 2.0).variance.item() / np.pi**2, 6)
    1.0
    """

    standard_variance: ClassVar[float] = np.pi**2 / 4
    standard_entropy: ClassVar[float] = math.log(2 * np.pi)

    @staticmethod
    def _draw(key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        info = jnp.finfo(dtype)
        u = jax.random.uniform(key, shape, dtype, minval=info.tiny)
        return SoftLaplace._quantile(jnp.clip(u, info.tiny, 1 - info.epsneg))

    @staticmethod
    def _log_density(z: jax.Array) -> jax.Array:
        return math.log(2 / np.pi) - log_two_cosh(z)

    @staticmethod
    def _log_cdf(z: jax.Array) -> jax.Array:
        """log(2 arctan(exp(z)) / pi)."""
        low, far = z < 0, z < -20
        of_low = jnp.log(jnp.arctan(jnp.exp(jnp.where(low & ~far, z, -1.0))) * (2 / np.pi))
        of_high = jnp.log1p(-(2 / np.pi) * jnp.arctan(jnp.exp(-jnp.where(low, 1.0, z))))
        return jnp.where(far, z + math.log(2 / np.pi), jnp.where(low, of_low, of_high))

    @staticmethod
    def _quantile(q: jax.Array) -> jax.Array:
        low = q < 0.5
        tail = jnp.log(jnp.tan(0.5 * np.pi * probability(jnp.where(low, q, 1 - q))))
        return jnp.where(low, tail, -tail)


@custom_rule
def log_two_cosh(z: Any) -> jax.Array:
    """log(exp(z) + exp(-z)); without a gradient at infinity.

    >>> log_two_cosh(jnp.float32(1e30)).item() == jnp.float32(1e30).item()
    True
    """
    return jnp.abs(z) + jnp.log1p(jnp.exp(-2 * jnp.abs(z)))


@log_two_cosh.defjvp
def _(primals: Any, tangents: Any) -> Any:
    (z,) = primals
    return log_two_cosh(z), jnp.where(jnp.isinf(z), 0.0, jnp.tanh(z)) * tangents[0]
