"""Euclidean metrics of the momenta."""

from __future__ import annotations

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

    @property
    def variances(self) -> jax.Array:
        """The diagonal of M^-1, `[d]`."""
        return self.inverse if self.inverse.ndim == 1 else jnp.diagonal(self.inverse)


class LowRank(Pytree):
    """M^-1 = S (I + V (diag(values) - I) V^T) S: a diagonal, and a few directions that are longer or shorter.

    Seyboldt, Carlson & Carpenter 2026, "Preconditioning Hamiltonian Monte Carlo by minimizing Fisher divergence",
    sec. 4.  A product with it takes O(d k).
    """

    scale: jax.Array  # [d], the diagonal of S
    vectors: jax.Array  # [d, k], orthonormal columns
    values: jax.Array  # [k], positive; 1 where a direction is as the diagonal has it

    def velocity(self, momentum: jax.Array) -> jax.Array:
        """M^-1 p."""
        return self.scale * self._along(self.scale * momentum, self.values)

    def momentum(self, noise: jax.Array) -> jax.Array:
        """A momentum from `[d]` standard normal numbers."""
        return self._along(noise, 1 / jnp.sqrt(self.values)) / self.scale

    def kinetic(self, momentum: jax.Array) -> jax.Array:
        """The kinetic energy, p^T M^-1 p / 2, without the constant log det M."""
        return 0.5 * momentum @ self.velocity(momentum)

    @property
    def inverse(self) -> jax.Array:
        """M^-1, `[d, d]`.

        >>> two = LowRank(jnp.array([1.0, 2.0]), jnp.array([[0.6], [0.8]]), jnp.array([3.0]))
        >>> jnp.allclose(two.inverse @ jnp.array([1.0, -1.0]), two.velocity(jnp.array([1.0, -1.0])))
        Array(True, dtype=bool)
        """
        inner = (
            jnp.eye(len(self.scale), dtype=self.scale.dtype) + (self.vectors * (self.values - 1)[None]) @ self.vectors.T
        )
        return self.scale[:, None] * inner * self.scale[None]

    @property
    def variances(self) -> jax.Array:
        """The diagonal of M^-1, `[d]`."""
        return self.scale**2 * (1 + (self.vectors**2) @ (self.values - 1))

    def _along(self, x: jax.Array, values: jax.Array) -> jax.Array:
        return x + self.vectors @ ((values - 1) * (x @ self.vectors))


AnyMetric = Metric | LowRank


def _times(matrix: jax.Array, vector: jax.Array) -> jax.Array:
    return matrix * vector if matrix.ndim == 1 else matrix @ vector
