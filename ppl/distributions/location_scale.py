"""LocationScale: what is the same for every distribution of loc + scale * Z, on the whole line."""

from __future__ import annotations

import abc
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from storax import supports
from storax.distributions.base import Distribution, promote
from storax.distributions.special import standardize
from storax.supports import Support


class LocationScale(Distribution):
    """Base: loc + scale * Z; a family says what Z is, and the numbers that belong to it.

    Attributes:
        standard_mean, standard_variance, standard_mode, standard_entropy: those of Z.
    """

    loc: Any = 0.0
    scale: Any = 1.0

    parameters: ClassVar[dict[str, Support]] = {"loc": supports.real, "scale": supports.positive}
    support: ClassVar[Support] = supports.real
    standard_mean: ClassVar[float] = 0.0
    standard_variance: ClassVar[float]
    standard_mode: ClassVar[float] = 0.0
    standard_entropy: ClassVar[float]

    @staticmethod
    @abc.abstractmethod
    def _draw(key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        """Draws of Z."""

    @staticmethod
    @abc.abstractmethod
    def _log_density(z: jax.Array) -> jax.Array:
        """Of Z; -inf at both infinities."""

    @staticmethod
    @abc.abstractmethod
    def _log_cdf(z: jax.Array) -> jax.Array:
        """log P(Z <= z)."""

    @classmethod
    def _log_survival(cls, z: jax.Array) -> jax.Array:
        """log P(Z > z); of a symmetric Z unless a family says otherwise."""
        return cls._log_cdf(-z)

    @staticmethod
    @abc.abstractmethod
    def _quantile(q: jax.Array) -> jax.Array:
        """The z with P(Z <= z) = q; nan where q is no probability."""

    @staticmethod
    def _standard(x: jax.Array, loc: jax.Array, scale: jax.Array) -> jax.Array:
        """z, for the density."""
        return standardize(x, loc, scale)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        noise = self._draw(key, (*shape, *self.batch_shape), self.dtype)
        noise, loc, scale = promote(noise, self.loc, self.scale)
        return loc + scale * noise

    def log_prob(self, value: Any) -> jax.Array:
        x, loc, scale = promote(value, self.loc, self.scale)
        return self._log_density(self._standard(x, loc, scale)) - jnp.log(scale)

    def log_cdf(self, value: Any) -> jax.Array:
        return self._log_cdf(standardize(*promote(value, self.loc, self.scale)))

    def log_survival(self, value: Any) -> jax.Array:
        return self._log_survival(standardize(*promote(value, self.loc, self.scale)))

    def icdf(self, q: Any) -> jax.Array:
        q, loc, scale = promote(q, self.loc, self.scale)
        return loc + scale * self._quantile(q)

    def _moved(self, standard: float) -> jax.Array:
        loc, scale = promote(self.loc, self.scale)
        return jnp.broadcast_to(loc + standard * scale if standard else loc, self.shape)

    @property
    def mean(self) -> jax.Array:
        return self._moved(self.standard_mean)

    @property
    def mode(self) -> jax.Array:
        return self._moved(self.standard_mode)

    @property
    def variance(self) -> jax.Array:
        return jnp.broadcast_to(self.standard_variance * jnp.square(promote(self.scale)[0]), self.shape)

    def entropy(self) -> jax.Array:
        return jnp.broadcast_to(jnp.log(promote(self.scale)[0]) + self.standard_entropy, self.shape)
