"""Normal vectors of which some entries are not known: what the others are, and what these are given the others.

Both by one trick: where an entry is missing its row and column of the covariance are replaced by those of the identity,
and its residual by 0.  The vectors then have one size, whatever is missing of each.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import cho_solve

from storax.distributions.base import Distribution
from storax.distributions.multivariate import MultivariateNormal
from storax.distributions.normals import LowRankMultivariateNormal
from storax.distributions.special import HALF_LOG_TWO_PI
from storax.distributions.wrappers import Expanded, Wrapper
from storax.supports import Support


def is_gaussian(d: Distribution) -> bool:
    """Is it a batch of normal vectors?"""
    return isinstance(_plain(d), (MultivariateNormal, LowRankMultivariateNormal))


def _plain(d: Distribution) -> Distribution:
    return _plain(d.base) if isinstance(d, Expanded) else d


def _moments(d: Distribution) -> tuple[jax.Array, jax.Array]:
    """Mean `[*batch, n]` and covariance `[*batch, n, n]`."""
    mean, covariance = _plain(d).mean, _plain(d).covariance
    n = d.event_shape[0]
    return jnp.broadcast_to(mean, (*d.batch_shape, n)), jnp.broadcast_to(covariance, (*d.batch_shape, n, n))


def _factor(covariance: jax.Array, kept: Any) -> jax.Array:
    """The Cholesky factor of the covariance of the entries that are kept, with the identity for the others."""
    both = kept[..., :, None] & kept[..., None, :]
    identity = jnp.broadcast_to(jnp.eye(covariance.shape[-1], dtype=covariance.dtype), covariance.shape)
    return jnp.linalg.cholesky(jnp.where(both, covariance, identity))


class PartlyObserved(Wrapper):
    """The normal vectors of `base` at the entries where `where` is True; the others may be anything.

    >>> both = MultivariateNormal(jnp.zeros(2), jnp.array([[4.0, 1.0], [1.0, 9.0]]))
    >>> d = PartlyObserved(both, np.array([True, False]))
    >>> from storax.distributions import Normal
    >>> bool(jnp.allclose(d.log_prob(jnp.array([1.0, jnp.nan])), Normal(0.0, 2.0).log_prob(1.0)))
    True
    """

    base: Distribution
    where: Any  # `[*batch, n]`

    @property
    def support(self) -> Support:
        return self.base.support

    @property
    def counted(self) -> Any:
        return self.where

    def log_prob(self, value: Any) -> jax.Array:
        mean, covariance = _moments(self.base)
        x = jnp.asarray(value).astype(mean.dtype)
        kept = jnp.broadcast_to(self.where, x.shape)
        root = jnp.broadcast_to(_factor(covariance, jnp.broadcast_to(self.where, mean.shape)), (*x.shape, x.shape[-1]))
        residual = jnp.where(kept, x, 0.0) - jnp.where(kept, jnp.broadcast_to(mean, x.shape), 0.0)
        whitened = jax.scipy.linalg.solve_triangular(root, residual[..., None], lower=True)[..., 0]
        diagonal = jnp.diagonal(root, axis1=-2, axis2=-1)
        count = kept.sum(-1).astype(x.dtype)
        return -0.5 * jnp.square(whitened).sum(-1) - jnp.log(diagonal).sum(-1) - count * HALF_LOG_TWO_PI


def conditional(d: Distribution, value: Any, mask: np.ndarray) -> tuple[jax.Array, jax.Array]:
    """The distribution of the missing entries given the others (e.g. Eaton 1983, prop. 3.13).

    Args:
        d: a batch of normal vectors.
        value: `[*batch, n]`, of which the entries that are not missing count.
        mask: `[*batch, n]`, True where an entry is missing.

    Returns:
        Mean `[k]` of all missing entries one after another, and the Cholesky factor `[k, k]` of their covariance: those
        of different vectors are independent.
    """
    mean, covariance = _moments(d)
    x = jnp.asarray(value).astype(mean.dtype)
    seen = jnp.asarray(~mask)
    root = _factor(covariance, seen)
    residual = jnp.where(seen, x - mean, 0.0)
    across = jnp.where(seen[..., None, :], covariance, 0.0)  # columns of the entries that are seen
    given = mean + (across @ cho_solve((root, True), residual[..., None]))[..., 0]
    half = jax.scipy.linalg.solve_triangular(root, across.mT, lower=True)
    rest = _factor(covariance - half.mT @ half, ~seen)
    places = np.nonzero(mask)
    *rows, entry = places
    row = np.ravel_multi_index(tuple(rows), mask.shape[:-1]) if rows else np.zeros(len(entry), int)
    together = row[:, None] == row[None, :]
    flat = rest.reshape(-1, *rest.shape[-2:])
    return given[places], jnp.where(together, flat[row[:, None], entry[:, None], entry[None, :]], 0.0)
