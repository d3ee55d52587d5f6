"""The Cholesky factor of an ill-conditioned matrix, to the last digits that floats can hold.

LAPACK's float32 factor of [[1, r], [r, 1]] with r = 1 - 1e-6 is 1 per cent off in its last entry, as r^2 is rounded.
Two steps of iterative refinement take that away, given the residual A - L L^T in twice the precision.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from storax.bijections import planes
from storax.rules import custom_rule


@custom_rule
def cholesky(matrix: Any) -> jax.Array:
    """The lower triangular L with A = L L^T, of matrices `[..., d, d]`; nan where A is not positive definite.

    >>> r = jnp.float32(1 - 1e-6)
    >>> corner = cholesky(jnp.array([[1.0, r], [r, 1.0]]))[1, 1].item()
    >>> abs(corner / float((1 - np.float64(r) ** 2) ** 0.5) - 1) < 1e-7
    True
    """
    matrix = jnp.asarray(matrix)
    if jnp.finfo(matrix.dtype).bits < 32:
        return cholesky(matrix.astype(jnp.float32)).astype(matrix.dtype)
    # On a common scale: neither the squares of 1e30 nor those of 1e-30 are floats.  A power of 2 rounds nothing.
    diagonal = jnp.diagonal(matrix, axis1=-2, axis2=-1)
    scale = _power_of_two(jnp.sqrt(jnp.where(diagonal > 0, diagonal, 1.0)))
    unit = matrix / scale[..., :, None] / scale[..., None, :]
    factor = _matrices(_refined, unit)
    return factor * scale[..., :, None]


@cholesky.defjvp
def _cholesky_jvp(primals: tuple[Any], tangents: tuple[Any]) -> tuple[jax.Array, jax.Array]:
    (matrix,), (change,) = primals, tangents
    factor = cholesky(matrix)
    change = 0.5 * (change + change.mT)
    wide = factor.astype(jnp.promote_types(factor.dtype, jnp.float32))
    return factor, _matrices(_change, wide, change.astype(wide.dtype)).astype(factor.dtype)


def matmul(a: jax.Array, b: jax.Array) -> jax.Array:
    """The product of matrices with all digits of their floats, on every device."""
    return _matrices(lambda kind, a, b: kind.product(a, b), a, b)


def solve_lower(factor: jax.Array, x: jax.Array) -> jax.Array:
    """L^-1 X, of matrices with the same batch axes."""
    return _matrices(lambda kind, factor, x: kind.solve(factor, x), factor, x)


class _Behind:
    """What `planes` does, for matrices with their axes behind."""

    cholesky = staticmethod(jnp.linalg.cholesky)

    @staticmethod
    def product(a: jax.Array, b: jax.Array) -> jax.Array:
        return jnp.matmul(a, b, precision="highest")

    @staticmethod
    def solve(factor: jax.Array, x: jax.Array) -> jax.Array:
        return lax.linalg.triangular_solve(factor, x, left_side=True, lower=True)

    @staticmethod
    def transpose(a: jax.Array) -> jax.Array:
        return a.mT

    @staticmethod
    def settle(a: jax.Array) -> jax.Array:
        return a

    @staticmethod
    def size(a: jax.Array) -> int:
        return a.shape[-1]

    @staticmethod
    def weigh(a: jax.Array, weights: np.ndarray) -> jax.Array:
        return a * jnp.broadcast_to(jnp.asarray(weights, a.dtype), a.shape)

    @staticmethod
    def where_positive(factor: jax.Array, other: jax.Array) -> jax.Array:
        positive = (jnp.diagonal(factor, axis1=-2, axis2=-1) > 0).all(-1)
        return jnp.where(positive[..., None, None], factor, other)


def _matrices(f: Callable[..., jax.Array], *arrays: jax.Array) -> jax.Array:
    """f(kind, *arrays), with matrices in the form that is best for so many of them."""
    if planes.are_many(*arrays):
        return planes.behind(f(planes, *map(planes.in_front, arrays)))
    return f(_Behind, *arrays)


def _refined(kind: Any, matrix: jax.Array) -> jax.Array:
    """The factor of a matrix with a diagonal of about 1."""
    factor = kind.settle(kind.cholesky(matrix))
    for _ in range(2):
        residual = kind.settle(_residual(kind, matrix, factor))
        better = factor + kind.product(factor, _below(kind, factor, residual))
        factor = kind.settle(kind.where_positive(better, factor))  # a step may be too long
    return factor


def _change(kind: Any, factor: jax.Array, change: jax.Array) -> jax.Array:
    return kind.product(factor, _below(kind, factor, change))


def _below(kind: Any, factor: jax.Array, change: jax.Array) -> jax.Array:
    """The lower triangle, its diagonal halved, of L^-1 E L^-T: L times that is dL for dA = E (Smith 1995)."""
    half = kind.settle(kind.solve(factor, change))
    both = kind.settle(kind.solve(factor, kind.transpose(half)))
    d = kind.size(factor)
    return kind.weigh(both, np.tril(np.ones((d, d)), -1) + 0.5 * np.eye(d))


def _residual(kind: Any, matrix: jax.Array, factor: jax.Array) -> jax.Array:
    """A - L L^T as if in twice the precision (Ozaki et al. 2012): L is cut into slices of so few bits that the products
    of slices, and the sums of d of them, are exact."""
    d = kind.size(factor)
    info = jnp.finfo(factor.dtype)
    bits = (info.nmant + 1 - int(np.ceil(np.log2(d + 1)))) // 2
    slices, rest = [], factor
    for k in range(3):
        step = 2.0 ** (1 - (k + 1) * bits)  # entries of L are at most 1 on this scale, up to rounding
        part = jnp.round(rest / step) * step
        slices.append(part)
        rest = rest - part
    residual = matrix
    for order in range(3):
        for i in range(order + 1):
            residual = residual - kind.product(slices[i], kind.transpose(slices[order - i]))
    small = kind.product(rest, kind.transpose(factor))
    cross = kind.product(slices[1], kind.transpose(slices[2]))
    return residual - small - kind.transpose(small) - cross - kind.transpose(cross)


def _power_of_two(x: jax.Array) -> jax.Array:
    return lax.stop_gradient(jnp.ldexp(jnp.ones_like(x), jnp.frexp(x)[1]))
