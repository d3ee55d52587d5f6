"""LKJ, LKJCholesky: on correlation matrices and their Cholesky factors."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from storax import supports
from storax.bijections.cholesky import cholesky, matmul
from storax.bijections.matrices import nugget
from storax.distributions.base import Distribution, promote
from storax.distributions.gamma_steps import half_step, half_step_excess, half_step_slope
from storax.distributions.rows import sum_rows
from storax.errors import ArgumentTypeError, ParameterError
from storax.pytrees import static
from storax.supports import Support


class _OfDimension(Distribution):
    """Base: d x d matrices, whose row i = 1..d has i - 1 free entries w with (1 - |w|^2)^(b_i - 1), inside a ball.

    b_i = concentration + (d - i) / 2.  So |w|^2 ~ Beta((i - 1) / 2, b_i), in a direction that is uniform, and the row
    is a vector of i - 1 normal numbers and a chi of 2 b_i degrees of freedom, divided by its length.
    """

    dimension: int = static()
    concentration: Any = 1.0

    parameters: ClassVar[dict[str, Support]] = {"concentration": supports.positive}
    event_dim: ClassVar[int] = 2

    def __post_init__(self) -> None:
        d = self.dimension
        if not isinstance(d, (int, np.integer)) or isinstance(d, bool):
            raise ArgumentTypeError(f"{self.name}: dimension must be a Python int, and is {d!r}.")
        if d < 2:
            raise ParameterError(f"{self.name}: dimension must be at least 2, and is {d}.")
        object.__setattr__(self, "dimension", int(d))
        super().__post_init__()

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (self.dimension, self.dimension)

    def _shapes(self) -> tuple[jax.Array, jax.Array]:
        """b_1, ..., b_d, and b_1 = b_i + (i - 1) / 2, `[..., d]` and `[..., 1]`."""
        eta, less = promote(
            promote(self.concentration)[0][..., None], jnp.asarray(0.5 * np.arange(self.dimension)[::-1], self.dtype)
        )
        b = eta + less
        return b, b[..., :1]

    def _steps(self) -> tuple[jax.Array, np.ndarray]:
        """Where half steps of log Gamma lead from each b_i to b_1, `concentration + j / 2` with j = 0..d-2, and j: so
        many rows less 1 take that step."""
        j = np.arange(self.dimension - 1)
        eta, j_half = promote(promote(self.concentration)[0][..., None], jnp.asarray(0.5 * j, self.dtype))
        return eta + j_half, j

    def _log_constant(self) -> jax.Array:
        """Of the normalising integral, prod_i pi^((i - 1) / 2) Gamma(b_i) / Gamma(b_1)."""
        at, j = self._steps()
        counts, steps = promote(jnp.asarray(j + 1.0, at.dtype), half_step(at))
        return 0.25 * self.dimension * (self.dimension - 1) * math.log(np.pi) - (counts * steps).sum(-1)

    def _draw_factor(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        d = self.dimension
        batch = (*shape, *self.batch_shape)
        keys = jax.random.split(key)
        normal = jnp.tril(jax.random.normal(keys[0], (*batch, d, d), self.dtype), -1)
        b = jnp.broadcast_to(self._shapes()[0].astype(self.dtype), (*batch, d))
        log_chi = 0.5 * (jax.random.loggamma(keys[1], b, None, self.dtype) + math.log(2.0))
        first = jnp.arange(d).reshape((1,) * len(batch) + (d,)) == 0
        tiny = float(jnp.finfo(self.dtype).tiny)
        chi = jnp.where(first, 1.0, jnp.maximum(jnp.exp(log_chi), tiny**0.5))
        identity = jnp.broadcast_to(jnp.eye(d, dtype=self.dtype), normal.shape)
        rows = normal + identity * chi[..., None]
        return rows / jnp.sqrt(jnp.square(rows).sum(-1, keepdims=True))

    def _power_of_diagonal(self, factor: jax.Array, powers: jax.Array) -> jax.Array:
        """sum_i powers_i log L_ii.  For L_ii near 1 it is from the rest of the row, which says more about 1 - L_ii."""
        squares = sum_rows(jnp.square(jnp.tril(factor, -1)))
        near = squares < 0.5
        diagonal = sum_rows(factor * jnp.broadcast_to(jnp.eye(self.dimension, dtype=factor.dtype), factor.shape))
        logs = jnp.where(near, 0.5 * jnp.log1p(-jnp.where(near, squares, 0.0)), jnp.log(jnp.where(near, 1.0, diagonal)))
        logs, powers = promote(logs, powers)
        return (logs * powers)[..., 1:].sum(-1)


class LKJCholesky(_OfDimension):
    """The lower Cholesky factor of an `LKJ` correlation matrix, with density prod_i L_ii^(d - i + 2 concentration - 2).

    That is the density in the entries below the diagonal (Stan functions reference, "Cholesky LKJ"; Lewandowski,
    Kurowicka and Joe 2009).

    Args:
        dimension: d, a Python int, at least 2.
        concentration: positive; 1 is uniform on correlation matrices, more is nearer to the identity.

    >>> round(LKJCholesky(2, 1.0).mean[1, 1].item(), 4)  # pi / 4
    0.7854
    """

    support: ClassVar[Support] = supports.correlation_cholesky

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        return self._draw_factor(key, shape)

    def log_prob(self, value: Any) -> jax.Array:
        (x,) = promote(value)
        inside = supports.correlation_cholesky(x)
        nan = jnp.isnan(x).any((-2, -1))
        x = jnp.where(inside[..., None, None], x, jnp.broadcast_to(jnp.eye(self.dimension, dtype=x.dtype), x.shape))
        b, _ = self._shapes()
        score, constant = promote(self._power_of_diagonal(x, 2 * (b - 1)), self._log_constant())
        return jnp.where(inside, score - constant, jnp.where(nan, jnp.nan, -jnp.inf))

    @property
    def mean(self) -> jax.Array:
        b, top = self._shapes()
        return self._diagonal(jnp.exp(half_step(b) - half_step(top)))

    @property
    def variance(self) -> jax.Array:
        """1 / (2 b_1) below the diagonal; on it b_i / b_1 less the squared mean, which is about as large."""
        b, top = self._shapes()
        diagonal = -b / top * jnp.expm1(2 * (half_step_excess(b) - half_step_excess(top)))
        d = self.dimension
        below, each = promote(jnp.asarray(np.tril(np.ones((d, d)), -1), b.dtype), 0.5 / top[..., None])
        return self._diagonal(diagonal) + jnp.broadcast_to(below * each, self.shape)

    @property
    def mode(self) -> jax.Array:
        """The identity; for a concentration below 1 the last row, whose density has no bound there, is (1, 0, ...)."""
        b, _ = self._shapes()
        d = self.dimension
        turned, identity = promote(jnp.asarray(np.eye(d)[[0] * d], b.dtype), jnp.eye(d, dtype=b.dtype))
        low, turned, identity = promote((b < 1)[..., None].astype(b.dtype), turned, identity)
        return jnp.broadcast_to(low * turned + (1 - low) * identity, self.shape)

    def entropy(self) -> jax.Array:
        at, j = self._steps()
        eta = at[..., :1]
        # Sum over the rows that take a step of b_i - 1.
        counts, eta, more = promote(jnp.asarray(j + 1.0, at.dtype), eta - 1, jnp.asarray(0.25 * j * (j + 1), at.dtype))
        return self._log_constant() + ((counts * eta + more) * half_step_slope(at)).sum(-1)

    def _diagonal(self, diagonal: jax.Array) -> jax.Array:
        identity, diagonal = promote(jnp.eye(self.dimension, dtype=diagonal.dtype), diagonal[..., None])
        return jnp.broadcast_to(identity * diagonal, self.shape)


class LKJ(_OfDimension):
    """A correlation matrix R with the density det(R)^(concentration - 1), in the entries below the diagonal.

    Lewandowski, Kurowicka and Joe (2009), "Generating random correlation matrices based on vines and extended onion
    method"; each entry is 2 B - 1 with B ~ Beta(a, a) and a = concentration + d / 2 - 1.

    Args:
        dimension: d, a Python int, at least 2.
        concentration: positive; 1 is uniform on correlation matrices, more is nearer to the identity.

    >>> round(float(jnp.exp(LKJ(2, 1.0).log_prob(jnp.eye(2)))), 4)
    0.5
    """

    support: ClassVar[Support] = supports.correlation

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        factor = self._draw_factor(key, shape)
        identity = jnp.broadcast_to(jnp.eye(self.dimension, dtype=factor.dtype), factor.shape)
        return matmul(factor, factor.mT) * (1 - identity) * (1 - nugget(factor)) + identity

    def log_prob(self, value: Any) -> jax.Array:
        (x,) = promote(value)
        nan = jnp.isnan(x).any((-2, -1))
        identity = jnp.broadcast_to(jnp.eye(x.shape[-1], dtype=x.dtype), x.shape)
        inside = supports.correlation(jax.lax.stop_gradient(x))
        factor = cholesky(jnp.where(inside[..., None, None], x, identity))
        eta, _ = promote(promote(self.concentration)[0][..., None], factor[..., 0])
        powers = jnp.broadcast_to(2 * (eta - 1), (*eta.shape[:-1], self.dimension))
        score, constant = promote(self._power_of_diagonal(factor, powers), self._log_constant())
        return jnp.where(inside, score - constant, jnp.where(nan, jnp.nan, -jnp.inf))

    @property
    def mean(self) -> jax.Array:
        return jnp.broadcast_to(jnp.eye(self.dimension, dtype=self.dtype), self.shape)

    @property
    def variance(self) -> jax.Array:
        off = jnp.asarray(1 - np.eye(self.dimension), self.dtype)
        off, eta = promote(off, promote(self.concentration)[0][..., None, None])
        return jnp.broadcast_to(off / (2 * eta + self.dimension - 1), self.shape)

    @property
    def mode(self) -> jax.Array:
        """The identity; for a concentration below 1, where the density has no bound, all ones."""
        (eta,) = promote(self.concentration)
        identity, low = promote(
            jnp.eye(self.dimension, dtype=self.dtype), (eta < 1)[..., None, None].astype(self.dtype)
        )
        return jnp.broadcast_to(identity + (1 - identity) * low, self.shape)

    def entropy(self) -> jax.Array:
        """log C - (concentration - 1) E log det R, and E log det R is the derivative of log C."""
        at, j = self._steps()
        counts, slopes = promote(jnp.asarray(j + 1.0, at.dtype), half_step_slope(at))
        return self._log_constant() + (promote(self.concentration)[0] - 1) * (counts * slopes).sum(-1)
