"""Euclidean metrics of the momenta, and their estimation from draws."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular

from storax.pytrees import Pytree


class Metric(Pytree):
    """Momenta are normal with the mass matrix M as covariance; kept as M^-1 and a factor F with F F^T = M.

    Ideally M^-1 is the covariance of the target (Betancourt 2017, "A conceptual introduction to HMC", sec. 4.2.1).
    One axis stands for a diagonal, two for a dense matrix.
    """

    inverse: jax.Array  # [d] or [d, d]
    factor: jax.Array  # [d] or [d, d]

    @staticmethod
    def of(inverse: jax.Array) -> Metric:
        """The metric with this inverse mass matrix.

        Args:
            inverse: `[d]`, positive, or `[d, d]`, symmetric positive definite.

        >>> Metric.of(jnp.array([4.0])).factor
        Array([0.5], dtype=float32)
        """
        if inverse.ndim == 1:
            return Metric(inverse, 1 / jnp.sqrt(inverse))
        lower = jnp.linalg.cholesky(inverse)  # M^-1 = L L^T, so M = L^-T L^-1
        return Metric(inverse, solve_triangular(lower, jnp.eye(len(inverse), dtype=inverse.dtype), lower=True, trans=1))

    def velocity(self, momentum: jax.Array) -> jax.Array:
        """M^-1 p."""
        return _times(self.inverse, momentum)

    def momentum(self, noise: jax.Array) -> jax.Array:
        """A momentum from `[d]` standard normal numbers."""
        return _times(self.factor, noise)

    def kinetic(self, momentum: jax.Array) -> jax.Array:
        """The kinetic energy, p^T M^-1 p / 2, without the constant log det M."""
        return 0.5 * momentum @ self.velocity(momentum)


def _times(matrix: jax.Array, vector: jax.Array) -> jax.Array:
    return matrix * vector if matrix.ndim == 1 else matrix @ vector


class Moments(Pytree):
    """Running mean and sum of squared deviations (Welford 1962), which loses no digits to a large mean."""

    count: jax.Array  # scalar
    mean: jax.Array  # [d]
    squares: jax.Array  # [d] or [d, d]

    @staticmethod
    def none(like: jax.Array) -> Moments:
        """No draws yet; `like` is an inverse mass matrix, `[d]` or `[d, d]`."""
        return Moments(jnp.zeros((), like.dtype), jnp.zeros(like.shape[-1], like.dtype), jnp.zeros_like(like))

    def add(self, draw: jax.Array) -> Moments:
        """With one draw `[d]` more.

        >>> moments = Moments.none(jnp.ones(1)).add(jnp.array([1.0])).add(jnp.array([3.0]))
        >>> moments.mean, moments.squares
        (Array([2.], dtype=float32), Array([2.], dtype=float32))
        """
        count = self.count + 1
        before = draw - self.mean
        mean = self.mean + before / count
        after = draw - mean
        product = before * after if self.squares.ndim == 1 else before[:, None] * after[None, :]
        return Moments(count, mean, self.squares + product)

    def inverse_mass(self) -> jax.Array:
        """The covariance, shrunk a little to 1e-3 as in Stan's `var_adaptation` and `covar_adaptation`.

        n/(n+5) S + 1e-3 5/(n+5) I, with n draws of covariance S.
        """
        n = self.count
        small: Any = 1e-3 * 5 / (n + 5)
        covariance = self.squares / jnp.maximum(n - 1, 1)
        eye = 1.0 if covariance.ndim == 1 else jnp.eye(len(covariance), dtype=covariance.dtype)
        return n / (n + 5) * covariance + small * eye
