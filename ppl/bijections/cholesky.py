"""The Cholesky factor of an ill-conditioned matrix, to the last digits that floats can hold.

LAPACK's float32 factor of [[1, r], [r, 1]] with r = 1 - 1e-6 is 1 per cent off in its last entry, as r^2 is rounded.
Two steps of iterative refinement take that away, given the residual A - L L^T in twice the precision.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

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
    factor = jnp.linalg.cholesky(unit)
    for _ in range(2):
        better = factor + matmul(factor, _below(factor, _residual(unit, factor)))
        sound = (jnp.diagonal(better, axis1=-2, axis2=-1) > 0).all(-1)  # a step may be too long
        factor = jnp.where(sound[..., None, None], better, factor)
    return factor * scale[..., :, None]


@cholesky.defjvp
def _cholesky_jvp(primals: tuple[Any], tangents: tuple[Any]) -> tuple[jax.Array, jax.Array]:
    (matrix,), (change,) = primals, tangents
    factor = cholesky(matrix)
    change = 0.5 * (change + change.mT)
    if jnp.finfo(factor.dtype).bits < 32:
        wide = factor.astype(jnp.float32)
        return factor, matmul(wide, _below(wide, change.astype(jnp.float32))).astype(factor.dtype)
    return factor, matmul(factor, _below(factor, change))


def matmul(a: jax.Array, b: jax.Array) -> jax.Array:
    """The product of matrices with all digits of their floats, on every device."""
    return jnp.matmul(a, b, precision="highest")


def _below(factor: jax.Array, change: jax.Array) -> jax.Array:
    """The lower triangle, its diagonal halved, of L^-1 E L^-T: L times that is dL for dA = E (Smith 1995)."""
    half = lax.linalg.triangular_solve(factor, change, left_side=True, lower=True)
    both = lax.linalg.triangular_solve(factor, half, left_side=False, lower=True, transpose_a=True)
    d = factor.shape[-1]
    weights = jnp.asarray(np.tril(np.ones((d, d)), -1) + 0.5 * np.eye(d), factor.dtype)
    return both * jnp.broadcast_to(weights, both.shape)


def _residual(matrix: jax.Array, factor: jax.Array) -> jax.Array:
    """A - L L^T as if in twice the precision (Ozaki et al. 2012): L is cut into slices of so few bits that the products
    of slices, and the sums of d of them, are exact."""
    d = factor.shape[-1]
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
            residual = residual - matmul(slices[i], slices[order - i].mT)
    small = matmul(rest, factor.mT)
    cross = matmul(slices[1], slices[2].mT)
    return residual - small - small.mT - cross - cross.mT


def _power_of_two(x: jax.Array) -> jax.Array:
    return lax.stop_gradient(jnp.ldexp(jnp.ones_like(x), jnp.frexp(x)[1]))
