"""Dirichlet, MultivariateNormal."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from storax import supports
from storax.distributions.base import Distribution, as_parameter, is_known, promote, within
from storax.distributions.special import HALF_LOG_TWO_PI, log_gamma_density
from storax.errors import ParameterError, ShapeError
from storax.pytrees import static
from storax.supports import Support


class Dirichlet(Distribution):
    """The Dirichlet distribution on vectors of K numbers that sum to 1.

    Args:
        concentration: `[..., K]`, positive, K at least 2.

    >>> Dirichlet([1.0, 1.0, 2.0]).mean.tolist()
    [0.25, 0.25, 0.5]
    """

    concentration: Any

    parameters: ClassVar[dict[str, Support]] = {"concentration": supports.independent(supports.positive, 1)}
    support: ClassVar[Support] = supports.simplex
    event_dim: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        shape = jnp.shape(self.concentration)
        if shape[-1] < 2:
            raise ShapeError(f"Dirichlet: concentration must be a vector of at least 2 numbers, and has shape {shape}.")

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (int(jnp.shape(self.concentration)[-1]),)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        (a,) = promote(self.concentration)
        x = jax.random.dirichlet(key, a.astype(self.dtype), (*shape, *self.batch_shape), self.dtype)
        return jnp.maximum(x, jnp.finfo(x.dtype).tiny)

    def log_prob(self, value: Any) -> jax.Array:
        x, a = promote(value, self.concentration)
        inside = (~(x < 0)).all(-1) & ~(jnp.abs(x.sum(-1) - 1) > (1e-8 if x.dtype == jnp.float64 else 1e-4))
        x = jnp.where(inside[..., None], x, 1 / x.shape[-1])
        total = a.sum(-1)
        # Independent gammas with the sum fixed; written around the mode, which y = total * x puts at y = a.
        of_parts = log_gamma_density(a, total[..., None] * x).sum(-1)
        of_total = log_gamma_density(total, total) + jnp.log(total)
        score = of_parts - of_total + x.shape[-1] * jnp.log(total)
        return within(inside, score)

    @property
    def mean(self) -> jax.Array:
        (a,) = promote(self.concentration)
        return a / a.sum(-1, keepdims=True)

    @property
    def variance(self) -> jax.Array:
        (a,) = promote(self.concentration)
        total = a.sum(-1, keepdims=True)
        return self.mean * (1 - self.mean) / (total + 1)


class MultivariateNormal(Distribution):
    """The normal distribution on vectors of d numbers.

    Args:
        loc: mean, `[..., d]`, or one number for all.
        covariance_matrix: `[..., d, d]`, symmetric and positive definite; or
        precision_matrix: its inverse; or
        scale_tril: its lower Cholesky factor, which is what is stored.

    >>> MultivariateNormal(jnp.zeros(2), 4 * jnp.eye(2)).variance.tolist()
    [4.0, 4.0]
    """

    loc: Any
    scale_tril: Any
    problem: str = static(default="", repr=False)  # what is wrong with the matrix, for `validate` to say

    parameters: ClassVar[dict[str, Support]] = {"loc": supports.real_vector, "scale_tril": supports.lower_cholesky}
    support: ClassVar[Support] = supports.real_vector
    event_dim: ClassVar[int] = 1

    def __init__(
        self, loc: Any = 0.0, covariance_matrix: Any = None, precision_matrix: Any = None, scale_tril: Any = None
    ) -> None:
        given = {
            "covariance_matrix": covariance_matrix,
            "precision_matrix": precision_matrix,
            "scale_tril": scale_tril,
        }
        given = {n: x for n, x in given.items() if x is not None}
        if len(given) != 1:
            raise ParameterError(
                f"MultivariateNormal needs one of covariance_matrix, precision_matrix and scale_tril, and got "
                f"{', '.join(given) or 'none'}."
            )
        ((name, matrix),) = given.items()
        matrix = as_parameter(matrix, f"MultivariateNormal: {name}")
        shape = jnp.shape(matrix)
        if len(shape) < 2 or shape[-1] != shape[-2]:
            raise ShapeError(f"MultivariateNormal: {name} must be a square matrix, and has shape {shape}.")
        d = shape[-1]
        loc = as_parameter(loc, "MultivariateNormal: loc")
        if jnp.ndim(loc) == 0:
            loc = jnp.broadcast_to(promote(loc)[0], (d,))
        if jnp.shape(loc)[-1] != d:
            raise ShapeError(f"MultivariateNormal: loc has shape {jnp.shape(loc)}, but {name} has shape {shape}.")
        object.__setattr__(self, "loc", loc)
        object.__setattr__(self, "problem", _problem(name, matrix))
        object.__setattr__(self, "scale_tril", _factor(name, matrix))
        self.__post_init__()

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (int(jnp.shape(self.scale_tril)[-1]),)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        noise = jax.random.normal(key, (*shape, *self.shape), self.dtype)
        factor = jnp.asarray(self.scale_tril)
        loc, shifted = promote(self.loc, jnp.einsum("...ij,...j->...i", *_same_batch(factor, noise)))
        return loc + shifted

    def log_prob(self, value: Any) -> jax.Array:
        x, loc = promote(value, self.loc)
        (factor,) = promote(self.scale_tril)
        whitened = _solve(factor, x - loc)
        log_det = jnp.log(jnp.diagonal(factor, axis1=-2, axis2=-1)).sum(-1)
        squares, log_det = promote(jnp.square(whitened).sum(-1), log_det)
        return -0.5 * squares - log_det - factor.shape[-1] * HALF_LOG_TWO_PI

    @property
    def mean(self) -> jax.Array:
        return jnp.broadcast_to(promote(self.loc)[0], self.shape)

    @property
    def covariance_matrix(self) -> jax.Array:
        factor = jnp.asarray(self.scale_tril)
        return factor @ factor.mT

    @property
    def variance(self) -> jax.Array:
        return jnp.broadcast_to(jnp.square(jnp.asarray(self.scale_tril)).sum(-1), self.shape)

    def validate(self) -> None:
        if self.problem:
            raise ParameterError(self.problem)
        super().validate()


def _same_batch(factor: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    extra = x.ndim - 1 - (factor.ndim - 2)
    return factor.reshape((1,) * max(extra, 0) + factor.shape), x.reshape((1,) * max(-extra, 0) + x.shape)


def _solve(factor: jax.Array, x: jax.Array) -> jax.Array:
    """factor^-1 x for vectors x `[..., d]`; one matrix for many vectors is one solve with many right-hand sides."""
    if factor.ndim == 2:
        columns = x.reshape(-1, x.shape[-1]).T
        return lax.linalg.triangular_solve(factor, columns, left_side=True, lower=True).T.reshape(x.shape)
    factor, x = _same_batch(factor, x)
    batch = jnp.broadcast_shapes(factor.shape[:-2], x.shape[:-1])
    factor = jnp.broadcast_to(factor, batch + factor.shape[-2:])
    x = jnp.broadcast_to(x, batch + x.shape[-1:])
    return lax.linalg.triangular_solve(factor, x[..., None], left_side=True, lower=True)[..., 0]


def _factor(name: str, matrix: Any) -> Any:
    if name == "scale_tril":
        return matrix
    matrix = jnp.asarray(matrix)
    if name == "covariance_matrix":
        return jnp.linalg.cholesky(matrix)
    # P = U U^T with U upper triangular (the Cholesky factor of P read backwards), so that covariance = U^-T U^-1.
    upper = jnp.flip(jnp.linalg.cholesky(jnp.flip(matrix, (-2, -1))), (-2, -1))
    identity = jnp.broadcast_to(jnp.eye(matrix.shape[-1], dtype=matrix.dtype), matrix.shape)
    return lax.linalg.triangular_solve(upper, identity, left_side=True, lower=False, transpose_a=True)


def _problem(name: str, matrix: Any) -> str:
    """What is wrong with a matrix whose numbers are known; for a covariance, before its factor hides it."""
    if name == "scale_tril" or not is_known(matrix):
        return ""
    with jax.ensure_compile_time_eval():
        numbers = np.asarray(matrix)
    if not np.isfinite(numbers).all():
        return f"MultivariateNormal: {name} must be finite, symmetric and positive definite, and is not finite."
    gap = np.abs(numbers - np.swapaxes(numbers, -1, -2)).max()
    if gap > (1e-5 if numbers.dtype == np.float32 else 1e-10) * np.abs(numbers).max():
        return f"MultivariateNormal: {name} must be symmetric, and differs from its transpose by up to {gap:.3g}."
    smallest = np.linalg.eigvalsh(numbers.astype(float)).min()
    if smallest <= 0:
        return f"MultivariateNormal: {name} must be positive definite, and has the eigenvalue {smallest:.3g}."
    return ""
