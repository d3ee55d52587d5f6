"""Wishart, InverseWishart: on positive definite matrices."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from storax import supports
from storax.bijections.cholesky import cholesky, matmul
from storax.distributions.base import promote
from storax.distributions.factors import log_diagonal
from storax.distributions.wishart import FactorOfWishart, InverseWishartCholesky, WishartCholesky
from storax.supports import Support


class _OnMatrices(FactorOfWishart):
    """Base: T T^T of a factor T, whose Jacobian is 2^p prod_i T_ii^(p - i + 1), i = 1..p."""

    support: ClassVar[Support] = supports.positive_definite

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        t = super().sample(key, shape)  # type: ignore[safe-super]  # the factor's, next in line
        return matmul(t, t.mT)

    def log_prob(self, value: Any) -> jax.Array:
        (x,) = promote(value)
        nan = jnp.isnan(x).any((-2, -1))
        identity = jnp.broadcast_to(jnp.eye(x.shape[-1], dtype=x.dtype), x.shape)
        # A gradient through the factor of a matrix that has none is nan.
        inside = supports.positive_definite(jax.lax.stop_gradient(x))
        t = cholesky(jnp.where(inside[..., None, None], x, identity))
        jacobian = self._weigh(log_diagonal(t), self._p - self._index() + 1) + self._p * math.log(2.0)
        score, jacobian = promote(super().log_prob(t), jacobian)  # type: ignore[safe-super]
        return jnp.where(inside, score - jacobian, jnp.where(nan, jnp.nan, -jnp.inf))

    def entropy(self) -> jax.Array:
        jacobian = self._weigh(self._mean_log_diagonal(), self._p - self._index() + 1) + self._p * math.log(2.0)
        return super().entropy() + jacobian

    def _times_scale(self, factor: jax.Array) -> jax.Array:
        factor, scale = promote(factor[..., None, None], self.scale_matrix)
        return jnp.broadcast_to(factor * scale, self.shape)

    def _products(self) -> tuple[jax.Array, jax.Array]:
        """Of the scale matrix: S_ij^2 and S_ii S_jj."""
        scale = self.scale_matrix
        diagonal = jnp.diagonal(scale, axis1=-2, axis2=-1)
        return jnp.square(scale), diagonal[..., :, None] * diagonal[..., None, :]


class Wishart(_OnMatrices, WishartCholesky):
    """The Wishart distribution: the scatter matrix of normal vectors, with mean concentration * scale_matrix.

    Args:
        concentration: degrees of freedom n, above p - 1.
        scale_matrix: V, `[..., p, p]`, symmetric and positive definite; or
        rate_matrix: its inverse; or
        scale_tril: its lower Cholesky factor, which is what is stored.

    The density is |X|^((n - p - 1) / 2) exp(-tr(V^-1 X) / 2) / (2^(n p / 2) |V|^(n / 2) Gamma_p(n / 2)).

    >>> Wishart(3.0, jnp.eye(2)).mean.tolist()
    [[3.0, 0.0], [0.0, 3.0]]
    """

    __init__ = FactorOfWishart.__init__

    @property
    def mean(self) -> jax.Array:
        return self._times_scale(promote(self.concentration)[0])

    @property
    def variance(self) -> jax.Array:
        squares, products = self._products()
        nu, both = promote(promote(self.concentration)[0][..., None, None], squares + products)
        return jnp.broadcast_to(nu * both, self.shape)

    @property
    def mode(self) -> jax.Array:
        """Where the concentration is not above p + 1: zeros, which the density grows towards."""
        return self._times_scale(jnp.maximum(promote(self.concentration)[0] - self._p - 1, 0.0))


class InverseWishart(_OnMatrices, InverseWishartCholesky):
    """The distribution of the inverse of a Wishart matrix, with mean scale_matrix / (concentration - p - 1).

    Args:
        concentration: degrees of freedom n, above p - 1.
        scale_matrix: S, `[..., p, p]`, symmetric and positive definite, SciPy's `scale`; or
        rate_matrix: its inverse, the scale matrix of the Wishart distribution of X^-1; or
        scale_tril: the lower Cholesky factor of S, which is what is stored.

    The density is |S|^(n / 2) |X|^(-(n + p + 1) / 2) exp(-tr(S X^-1) / 2) / (2^(n p / 2) Gamma_p(n / 2)).

    >>> InverseWishart(5.0, 4 * jnp.eye(2)).mean.tolist()
    [[2.0, 0.0], [0.0, 2.0]]
    """

    __init__ = FactorOfWishart.__init__

    @property
    def mean(self) -> jax.Array:
        """nan where the concentration is not above p + 1."""
        rest = promote(self.concentration)[0] - self._p - 1
        return self._times_scale(jnp.where(rest > 0, 1 / jnp.where(rest > 0, rest, 1.0), jnp.nan))

    @property
    def variance(self) -> jax.Array:
        """nan where the concentration is not above p + 3."""
        squares, products = self._products()
        nu = promote(self.concentration)[0][..., None, None]
        nu, squares, products = promote(nu, squares, products)
        p, there = self._p, nu > self._p + 3
        n = jnp.where(there, nu, p + 4.0)
        var = ((n - p + 1) * squares + (n - p - 1) * products) / ((n - p) * jnp.square(n - p - 1) * (n - p - 3))
        return jnp.broadcast_to(jnp.where(there, var, jnp.nan), self.shape)

    @property
    def mode(self) -> jax.Array:
        return self._times_scale(1 / (promote(self.concentration)[0] + self._p + 1))
