"""LKJCovariance, LKJCovarianceCholesky: correlations and scales together."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from storax import supports
from storax.bijections.cholesky import cholesky, matmul
from storax.distributions.base import Distribution, promote
from storax.distributions.lkj import LKJCholesky
from storax.errors import ArgumentTypeError, NotMeasurable, ShapeError
from storax.pytrees import static
from storax.supports import Support


class LKJCovarianceCholesky(Distribution):
    """The lower Cholesky factor M = diag(s) L of a covariance matrix, with L ~ LKJCholesky and scales s of their own.

    This is PyMC's `LKJCholeskyCov`.

    Args:
        dimension: d, a Python int, at least 2.
        scales: a distribution of positive numbers, for each of the d standard deviations; or one with `d` in its last
            batch axis, for each its own; or one of vectors of d.
        concentration: of the correlations, positive; 1 is uniform, more is nearer to none.

    >>> from storax.distributions.gamma import Exponential
    >>> LKJCovarianceCholesky(2, Exponential(1.0)).sample(jax.random.key(0)).shape
    (2, 2)
    """

    dimension: int = static()
    scales: Any
    concentration: Any = 1.0

    parameters: ClassVar[dict[str, Support]] = {"concentration": supports.positive}
    support: ClassVar[Support] = supports.lower_cholesky
    event_dim: ClassVar[int] = 2

    def __post_init__(self) -> None:
        if not isinstance(self.scales, Distribution) or self.scales.is_discrete:
            raise ArgumentTypeError(f"{self.name}: scales must be a continuous distribution, and is {self.scales!r}.")
        LKJCholesky(self.dimension)  # refuses a bad dimension
        scales, d = self.scales, self.dimension
        if scales.shape == ():
            scales = scales.expand((d,))
        if scales.shape[-1:] != (d,) or scales.event_dim > 1:
            raise ShapeError(f"{self.name}: scales has shape {scales.shape}, but dimension is {d}.")
        object.__setattr__(self, "scales", scales if scales.event_dim else scales.to_event(1))
        super().__post_init__()

    @property
    def batch_shape(self) -> tuple[int, ...]:
        try:
            return np.broadcast_shapes(jnp.shape(self.concentration), self.scales.batch_shape)
        except ValueError:
            raise ShapeError(
                f"{self.name}: the parameters do not broadcast: concentration has shape "
                f"{jnp.shape(self.concentration)}, scales has batch shape {self.scales.batch_shape}."
            ) from None

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (self.dimension, self.dimension)

    @property
    def dtype(self) -> Any:
        return jnp.result_type(super().dtype, self.scales.dtype)

    @property
    def reparameterized(self) -> bool:  # type: ignore[override]
        return self.scales.reparameterized

    def take(self, positions: Any) -> Distribution:
        eta = jnp.broadcast_to(promote(self.concentration)[0], self.batch_shape).reshape(-1)[positions]
        return self.replace(scales=self.scales.expand(self.batch_shape).take(positions), concentration=eta)

    @property
    def _correlation(self) -> LKJCholesky:
        return LKJCholesky(self.dimension, self.concentration)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        keys = jax.random.split(key)
        batch = self.batch_shape
        s = self.scales.expand(batch).sample(keys[0], shape)
        factor = self._correlation.expand(batch).sample(keys[1], shape)
        return s.astype(self.dtype)[..., None] * factor.astype(self.dtype)

    def log_prob(self, value: Any) -> jax.Array:
        """In polar coordinates each row has the length s_i, and dM = prod_i s_i^(i - 1) / L_ii ds dL."""
        (x,) = promote(value)
        inside = supports.lower_cholesky(x)
        nan = jnp.isnan(x).any((-2, -1))
        x = jnp.where(inside[..., None, None], x, jnp.broadcast_to(jnp.eye(self.dimension, dtype=x.dtype), x.shape))
        top = jax.lax.stop_gradient(jnp.abs(x).max(-1))  # squares of 1e30 are no floats
        s = top * jnp.sqrt(jnp.square(x / top[..., None]).sum(-1))
        factor = x / s[..., None]
        powers = jnp.broadcast_to(jnp.asarray(np.arange(self.dimension), s.dtype), s.shape)
        jacobian = (powers * jnp.log(s) - jnp.log(jnp.diagonal(factor, axis1=-2, axis2=-1))).sum(-1)
        parts = promote(self.scales.log_prob(s), self._correlation.log_prob(factor), jacobian)
        return jnp.where(inside, parts[0] + parts[1] - parts[2], jnp.where(nan, jnp.nan, -jnp.inf))

    @property
    def mean(self) -> jax.Array:
        s, factor = promote(self.scales.mean[..., None], self._correlation.mean)
        return jnp.broadcast_to(s * factor, self.shape)

    @property
    def variance(self) -> jax.Array:
        m, v, factor, spread = promote(
            self.scales.mean[..., None],
            self.scales.variance[..., None],
            self._correlation.mean,
            self._correlation.variance,
        )
        return jnp.broadcast_to((v + jnp.square(m)) * spread + v * jnp.square(factor), self.shape)


class LKJCovariance(LKJCovarianceCholesky):
    """A covariance matrix diag(s) R diag(s), with R ~ LKJ(dimension, concentration) and scales s of their own.

    Args:
        dimension: d, a Python int, at least 2.
        scales: a distribution of positive numbers, for each of the d standard deviations; or one with `d` in its last
            batch axis, for each its own; or one of vectors of d.
        concentration: of the correlations, positive; 1 is uniform, more is nearer to none.

    >>> from storax.distributions.gamma import Exponential
    >>> LKJCovariance(2, Exponential(1.0)).mean.tolist()
    [[2.0, 0.0], [0.0, 2.0]]
    """

    support: ClassVar[Support] = supports.positive_definite

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        factor = super().sample(key, shape)
        return matmul(factor, factor.mT)

    def log_prob(self, value: Any) -> jax.Array:
        (x,) = promote(value)
        nan = jnp.isnan(x).any((-2, -1))
        identity = jnp.broadcast_to(jnp.eye(x.shape[-1], dtype=x.dtype), x.shape)
        inside = supports.positive_definite(jax.lax.stop_gradient(x))
        factor = cholesky(jnp.where(inside[..., None, None], x, identity))
        logs = jnp.log(jnp.diagonal(factor, axis1=-2, axis2=-1))
        powers = jnp.broadcast_to(jnp.asarray(np.arange(self.dimension, 0, -1), logs.dtype), logs.shape)
        score, jacobian = promote(super().log_prob(factor), (powers * logs).sum(-1) + self.dimension * math.log(2.0))
        return jnp.where(inside, score - jacobian, jnp.where(nan, jnp.nan, -jnp.inf))

    @property
    def mean(self) -> jax.Array:
        squares = self.scales.variance + jnp.square(self.scales.mean)
        identity, squares = promote(jnp.eye(self.dimension, dtype=squares.dtype), squares[..., None])
        return jnp.broadcast_to(identity * squares, self.shape)

    @property
    def variance(self) -> jax.Array:
        raise NotMeasurable(f"{self.name} has no variance in closed form: it takes fourth moments of the scales.")
