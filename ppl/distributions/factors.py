"""Positive definite parameters, given in one of three ways and kept as triangular factors; products and solves."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from storax.bijections.cholesky import cholesky, matmul, solve_lower
from storax.distributions.base import as_parameter, is_known, promote
from storax.errors import ParameterError, ShapeError


class Factors(NamedTuple):
    """A covariance S = L L^T as L = `scale_tril`; if S^-1 = W^T W was given, also as its `precision_tril` W = L^-1."""

    name: str
    scale_tril: Any
    precision_tril: Any
    problem: str  # what is wrong with the matrix, for `validate` to say


def factors(owner: str, covariance: tuple[str, Any], precision: tuple[str, Any], scale_tril: Any) -> Factors:
    """From exactly one of a covariance, its inverse and its lower factor, the first two with their names.

    Raises:
        ParameterError: none is given, or more than one.
        ShapeError: it is not a square matrix.
    """
    ways = dict([covariance, precision, ("scale_tril", scale_tril)])
    given = {n: x for n, x in ways.items() if x is not None}
    if len(given) != 1:
        a, b, c = ways
        raise ParameterError(f"{owner} needs one of {a}, {b} and {c}, and got {' and '.join(given) or 'none'}.")
    ((name, matrix),) = given.items()
    matrix = as_parameter(matrix, f"{owner}: {name}")
    check_square(owner, name, matrix)
    if name == "scale_tril":
        return Factors(name, matrix, None, "")
    problem = _problem(owner, name, matrix)
    if isinstance(matrix, np.ndarray):  # without a compiler, and in float64
        return Factors(name, *_known_factors(matrix, name == covariance[0]), problem)
    (matrix,) = promote(matrix)
    if name == covariance[0]:
        return Factors(name, cholesky(matrix), None, problem)
    # P = U U^T with U upper triangular: the Cholesky factor of P read backwards.
    whiten = jnp.flip(cholesky(jnp.flip(matrix, (-2, -1))), (-2, -1)).mT
    return Factors(name, inverse(whiten), whiten, problem)


def _known_factors(matrix: np.ndarray, is_covariance: bool) -> tuple[np.ndarray, np.ndarray | None]:
    dtype = _float_type_of(matrix)
    matrix = matrix.astype(float)
    try:
        if is_covariance:
            return np.linalg.cholesky(matrix).astype(dtype), None
        whiten = np.swapaxes(np.flip(np.linalg.cholesky(np.flip(matrix, (-2, -1))), (-2, -1)), -1, -2)
        return np.tril(np.linalg.inv(whiten)).astype(dtype), whiten.astype(dtype)
    except np.linalg.LinAlgError:  # `validate` says so
        nan = np.full(matrix.shape, np.nan, dtype)
        return nan, None if is_covariance else nan


def check_square(owner: str, name: str, matrix: Any) -> None:
    shape = jnp.shape(matrix)
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise ShapeError(f"{owner}: {name} must be a square matrix, and has shape {shape}.")


def check_sizes(owner: str, a: tuple[str, Any, int], b: tuple[str, Any, int]) -> None:
    """Two parameters, each as (name, value, axis), that must have the same size along their axes."""
    (name, x, i), (other, y, j) = a, b
    if jnp.shape(x)[i] != jnp.shape(y)[j]:
        raise ShapeError(f"{owner}: {name} has shape {jnp.shape(x)}, but {other} has shape {jnp.shape(y)}.")


def as_vector(value: Any, what: str, d: int, like: Any) -> Any:
    """A parameter; one number stands for a vector of d of them, of the dtype of another parameter."""
    value = as_parameter(value, what)
    if isinstance(value, (int, float)):
        return np.full(d, value, _float_type_of(like))
    return value if jnp.ndim(value) else jnp.broadcast_to(promote(value)[0], (d,))


def _float_type_of(x: Any) -> Any:
    dtype = jnp.result_type(x)
    return dtype if jnp.issubdtype(dtype, jnp.floating) else jnp.result_type(float)


def _problem(owner: str, name: str, matrix: Any) -> str:
    """What is wrong with a matrix whose numbers are known, before its factor hides it."""
    if not is_known(matrix):
        return ""
    with jax.ensure_compile_time_eval():
        numbers = np.asarray(matrix)
    is_double = numbers.dtype == np.float64
    numbers = numbers.astype(float)
    if not np.isfinite(numbers).all():
        return f"{owner}: {name} must be finite, symmetric and positive definite, and is not finite."
    gap = np.abs(numbers - np.swapaxes(numbers, -1, -2)).max(initial=0.0)
    if gap > (1e-10 if is_double else 1e-5) * np.abs(numbers).max(initial=0.0):
        return f"{owner}: {name} must be symmetric, and differs from its transpose by up to {gap:.3g}."
    diagonal = np.diagonal(numbers, axis1=-2, axis2=-1)
    if diagonal.min(initial=1.0) > 0:  # on a scale of its own each variable is 1: diag(1e20, 1e-20) is no problem
        numbers = numbers / np.sqrt(diagonal)[..., :, None] / np.sqrt(diagonal)[..., None, :]
    smallest = np.linalg.eigvalsh(numbers).min(initial=1.0)
    if smallest <= 0:
        return f"{owner}: {name} must be positive definite, and has the eigenvalue {smallest:.3g}."
    return ""


def same_batch(factor: jax.Array, x: jax.Array, event: int = 1) -> tuple[jax.Array, jax.Array]:
    """A matrix and an array of `event` own axes, with as many axes in front of both."""
    extra = x.ndim - event - (factor.ndim - 2)
    return factor.reshape((1,) * max(extra, 0) + factor.shape), x.reshape((1,) * max(-extra, 0) + x.shape)


def multiply(factor: Any, x: jax.Array) -> jax.Array:
    """Matrix times vectors `[..., d]`."""
    return jnp.einsum("...ij,...j->...i", *same_batch(jnp.asarray(factor), x), precision="highest")


def multiply_matrix(a: Any, b: Any) -> jax.Array:
    """Matrix times matrix, with batch axes."""
    return matmul(*same_batch(jnp.asarray(a), jnp.asarray(b), 2))


def solve(factor: jax.Array, x: jax.Array) -> jax.Array:
    """L^-1 x for vectors x `[..., d]`; one matrix for many vectors is one solve with many right-hand sides."""
    factor, x = promote_matrices(factor, x)
    if factor.ndim == 2:
        columns = x.reshape(-1, x.shape[-1]).T
        return lax.linalg.triangular_solve(factor, columns, left_side=True, lower=True).T.reshape(x.shape)
    factor, x = same_batch(factor, x)
    return solve_matrix(factor, x[..., None])[..., 0]


def solve_matrix(factor: Any, x: Any) -> jax.Array:
    """L^-1 X for matrices X `[..., d, k]`; one L for many X is one solve with all of their columns."""
    factor, x = promote_matrices(factor, x)
    if factor.ndim == 2 < x.ndim:
        columns = jnp.moveaxis(x, -2, 0)
        solved = lax.linalg.triangular_solve(factor, columns.reshape(len(columns), -1), left_side=True, lower=True)
        return jnp.moveaxis(solved.reshape(columns.shape), 0, -2)
    factor, x = same_batch(factor, x, 2)
    batch = jnp.broadcast_shapes(factor.shape[:-2], x.shape[:-2])
    factor = jnp.broadcast_to(factor, batch + factor.shape[-2:])
    x = jnp.broadcast_to(x, batch + x.shape[-2:])
    return solve_lower(factor, x)


def promote_matrices(a: Any, b: Any) -> tuple[jax.Array, jax.Array]:
    """Of one dtype."""
    (a,), (b,) = promote(a), promote(b)
    dtype = jnp.result_type(a, b)
    return a.astype(dtype), b.astype(dtype)


def inverse(factor: jax.Array) -> jax.Array:
    """L^-1, lower triangular."""
    return solve_matrix(factor, jnp.broadcast_to(jnp.eye(factor.shape[-1], dtype=factor.dtype), factor.shape))


def whiten(scale_tril: Any, precision_tril: Any, x: jax.Array) -> jax.Array:
    """L^-1 x for vectors, as W x where W is known: so no digits are lost to its inverse."""
    return solve(promote(scale_tril)[0], x) if precision_tril is None else multiply(promote(precision_tril)[0], x)


def log_diagonal(scale_tril: Any, precision_tril: Any = None) -> jax.Array:
    """Logarithms of the diagonal of L, `[..., d]`: they sum to half the log-determinant of the covariance."""
    if precision_tril is not None:
        return -log_diagonal(precision_tril)
    return jnp.log(jnp.diagonal(promote(scale_tril)[0], axis1=-2, axis2=-1))
