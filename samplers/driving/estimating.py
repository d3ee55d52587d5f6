"""From draws and their gradients to a metric: by how much the target is longer in one direction than in another.

For a normal target of covariance C the gradients at draws x are -C^-1 (x - mean): their spread is known as exactly as
that of the draws, and the two together tell C from fewer draws than either (Seyboldt, Carlson & Carpenter 2026,
"Preconditioning Hamiltonian Monte Carlo by minimizing Fisher divergence").
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from storax.pytrees import Pytree
from storax.samplers.driving.rounding import sum_of_rows
from storax.samplers.kernels.metrics import AnyMetric, LowRank, Metric

SHORTEST, LONGEST = 1e-10, 1e10  # variances, beyond which no posterior is taken to be
KEPT = 2.0  # a direction is worth a vector of its own if it is this much longer or shorter
LARGEST_SPAN = 512  # dimensions of a matrix that is still taken apart in no time
RIDGE, FEW = 1e-5, 0.1  # added to covariances, in units of the diagonal; to those of fewer draws than dimensions


class Sample(Pytree):
    """Draws of all chains, as rows; those of weight 0 are none."""

    positions: jax.Array  # [n, d]
    gradients: jax.Array  # [n, d]
    weights: jax.Array  # [n], 0 or 1

    def centred(self) -> Sample:
        """Means taken away, and rows that are none set to 0."""
        count = jnp.maximum(sum_of_rows(self.weights), 1)

        def about_mean(rows: jax.Array) -> jax.Array:
            rows = jnp.where(self.weights[:, None] > 0, rows, 0)
            return jnp.where(self.weights[:, None] > 0, rows - (sum_of_rows(rows) / count)[None], 0)

        return Sample(about_mean(self.positions), about_mean(self.gradients), self.weights)


def first_guess(gradients: jax.Array) -> jax.Array:
    """Variances `[d]` from the gradients `[chain, d]` at the starts alone, which are about one unit from the mode."""
    size = jnp.sqrt((gradients**2).mean(0))
    return jnp.where(size > 0, jnp.clip(1 / size, SHORTEST, LONGEST), 1)


def diagonal(sample: Sample, otherwise: jax.Array) -> jax.Array:
    """Variances that minimise the Fisher divergence, sqrt(var x / var gradient) (ibid., eq. 9), `[d]`.

    Args:
        sample: some draws.
        otherwise: `[d]`, where they do not vary, or their gradients do not.

    >>> x = jnp.array([[1.0], [-1.0], [0.5]])
    >>> diagonal(Sample(x, -x / 9, jnp.ones(3)), jnp.ones(1))
    Array([9.], dtype=float32)
    """
    c = sample.centred()
    spread, force = sum_of_rows(c.positions**2), sum_of_rows(c.gradients**2)
    variance = lax.optimization_barrier(jnp.sqrt(spread)) / lax.optimization_barrier(jnp.sqrt(force))
    usable = (spread > 0) & (force > 0) & jnp.isfinite(variance)
    return jnp.where(usable, jnp.clip(variance, SHORTEST, LONGEST), otherwise)


def dense(sample: Sample, otherwise: jax.Array) -> jax.Array:
    """The covariance of the draws, shrunk a little as in Stan's `covar_adaptation`, `[d, d]`.

    n/(n+5) S + 1e-3 5/(n+5) I, with n draws of covariance S; only its diagonal if the draws are too few for a matrix
    with a Cholesky factor.
    """
    c, n = sample.centred(), sample.weights.sum()
    covariance = c.positions.T @ c.positions / jnp.maximum(n - 1, 1)
    eye = jnp.eye(covariance.shape[0], dtype=covariance.dtype)
    shrunk = n / (n + 5) * covariance + 1e-3 * 5 / (n + 5) * eye
    plain = jnp.diag(diagonal(sample, jnp.diagonal(otherwise)))
    return jnp.where(jnp.isfinite(jnp.linalg.cholesky(shrunk)).all(), shrunk, plain)


def low_rank(sample: Sample, otherwise: jax.Array, rank: int) -> LowRank:
    """The diagonal, and the `rank` directions in which it is most wrong (ibid., sec. 4.2 and algorithm 1).

    In units of the diagonal, covariances of draws and of gradients are taken in the space that both span; their
    geometric mean A # B^-1 is the metric there.
    """
    scale = jnp.sqrt(diagonal(sample, otherwise))
    c, n = sample.centred(), jnp.maximum(sample.weights.sum() - 1, 1)
    draws, forces = c.positions / scale[None], c.gradients * scale[None]
    basis = _span(draws, forces, c.weights)  # [d, m]
    eye = jnp.eye(basis.shape[1], dtype=basis.dtype)
    ridge = jnp.where(n < 1.5 * len(eye), FEW, RIDGE)  # where one of the two knows nothing the other must not decide
    a, b = ((rows @ basis).T @ (rows @ basis) / n + ridge * eye for rows in (draws, forces))
    values, vectors = jnp.linalg.eigh(_geometric_mean(a, b))
    order = jnp.argsort(-jnp.abs(jnp.log(jnp.maximum(values, 1e-12))))[:rank]
    values, vectors = values[order], basis @ vectors[:, order]
    counts = (values > KEPT) | (values < 1 / KEPT)
    values = jnp.where(counts & jnp.isfinite(values) & (values > 0), values, 1)
    vectors = jnp.where(jnp.isfinite(vectors), vectors, 0)
    return LowRank(scale, vectors, values)


def _span(draws: jax.Array, forces: jax.Array, weights: jax.Array) -> jax.Array:
    """Orthonormal columns `[d, m]` that span both sets of rows, or, of very many, a part."""
    d = draws.shape[1]
    if d <= LARGEST_SPAN:
        return jnp.eye(d, dtype=draws.dtype)
    rows = jnp.argsort(-weights)[: LARGEST_SPAN // 2]
    return jnp.linalg.qr(jnp.concatenate([draws[rows], forces[rows]]).T)[0]


def _geometric_mean(a: jax.Array, b: jax.Array) -> jax.Array:
    """The positive definite X with X B X = A.  X = B^-1/2 (B^1/2 A B^1/2)^1/2 B^-1/2."""
    root, inverse = _powers(b)
    inner, _ = _powers(root @ a @ root)
    mean = inverse @ inner @ inverse
    return (mean + mean.T) / 2


def _powers(matrix: jax.Array) -> tuple[jax.Array, jax.Array]:
    """M^1/2 and M^-1/2 of a symmetric positive matrix."""
    values, vectors = jnp.linalg.eigh(matrix)
    root = jnp.sqrt(jnp.maximum(values, jnp.finfo(values.dtype).tiny))
    return (vectors * root[None]) @ vectors.T, (vectors / root[None]) @ vectors.T


def metric_of(sample: Sample, metric: AnyMetric) -> AnyMetric:
    """The metric of these draws, of the same kind as the one so far."""
    if isinstance(metric, LowRank):
        return low_rank(sample, metric.scale**2, metric.values.size)
    if metric.inverse.ndim == 2:
        return Metric.of(dense(sample, metric.inverse))
    return Metric.of(diagonal(sample, metric.inverse))
