"""StickBreakingWeights."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.compound import column
from storax.distributions.special import safe_log
from storax.errors import ParameterError
from storax.pytrees import static
from storax.supports import Support


class StickBreakingWeights(Distribution):
    """K pieces broken off a stick one after the other, and what is left of it: K + 1 weights with sum 1.

    Piece k is the fraction b_k ~ Beta(1, alpha) of what the pieces before it left (Griffiths, Engen, McCloskey; the
    truncated weights of a Dirichlet process).  With l_k = w_k + ... + w_{K+1}, the density of the first K is
    alpha^K w_{K+1}^(alpha - 1) / (l_2 ... l_K).

    Args:
        alpha: positive.
        K: how many pieces are broken off, at least 1.

    >>> StickBreakingWeights(1.0, 2).mean.tolist()
    [0.5, 0.25, 0.25]
    """

    alpha: Any
    K: int = static()

    parameters: ClassVar[dict[str, Support]] = {"alpha": supports.positive}
    support: ClassVar[Support] = supports.simplex
    event_dim: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.K < 1:
            raise ParameterError(f"StickBreakingWeights: K must be at least 1, and is {self.K}.")
        super().__post_init__()

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (self.K + 1,)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        # -log(1 - b_k) is exponential with rate alpha.
        e, alpha = promote(
            jax.random.exponential(key, (*shape, *self.batch_shape, self.K), self.dtype), column(self.alpha)
        )
        gone = e / alpha
        nothing = jnp.zeros((*gone.shape[:-1], 1), gone.dtype)
        log_left = -jnp.cumsum(jnp.concatenate([nothing, gone], -1), -1)
        last = jnp.ones_like(nothing)
        weights = jnp.exp(log_left) * jnp.concatenate([-jnp.expm1(-gone), last], -1)
        return jnp.maximum(weights, jnp.finfo(weights.dtype).tiny)

    def log_prob(self, value: Any) -> jax.Array:
        w, _ = promote(value, column(self.alpha))
        inside = self.support(w) | jnp.isnan(w).any(-1)
        w = jnp.where(inside[..., None], w, 1 / (self.K + 1))
        left = jnp.flip(jnp.cumsum(jnp.flip(w, -1), -1), -1)[..., 1 : self.K]  # summed from the last: no cancellation
        last, alpha = promote(w[..., -1], self.alpha)
        power = jnp.where(alpha == 1, 0.0, (alpha - 1) * jnp.where(alpha == 1, 0.0, safe_log(last)))
        return within(inside, self.K * jnp.log(alpha) + power - safe_log(left).sum(-1))

    def _log_moments(self) -> tuple[jax.Array, jax.Array]:
        """log E w_k, and log E w_k^2 / (E w_k)^2."""
        (alpha,) = promote(column(self.alpha))
        pieces = jnp.asarray(np.minimum(np.arange(self.K + 1), self.K), alpha.dtype).reshape(
            (1,) * (alpha.ndim - 1) + (-1,) if alpha.ndim else (-1,)
        )
        is_last = (np.arange(self.K + 1) == self.K).reshape(pieces.shape)
        log_mean = -pieces * jnp.log1p(1 / alpha) - jnp.where(is_last, 0.0, jnp.log1p(alpha))
        log_ratio = pieces * self._spread(alpha) + jnp.where(is_last, 0.0, jnp.log1p(alpha / (2 + alpha)))
        return log_mean, log_ratio

    @staticmethod
    def _spread(alpha: jax.Array) -> jax.Array:
        """log E (1 - b)^2 / (E (1 - b))^2."""
        return jnp.log1p(1 / (alpha * (alpha + 2)))

    @property
    def mean(self) -> jax.Array:
        return jnp.broadcast_to(jnp.exp(self._log_moments()[0]), self.shape)

    @property
    def variance(self) -> jax.Array:
        log_mean, log_ratio = self._log_moments()
        log_square = 2 * log_mean + log_ratio
        return jnp.broadcast_to(-jnp.exp(log_square) * jnp.expm1(-log_ratio), self.shape)

    @property
    def covariance(self) -> jax.Array:
        """For j < k, E w_j w_k has the factor E (1 - b)^2 before j, E b (1 - b) at j, and means after it."""
        alpha, mean = column(self.alpha, 2), self.mean
        k = np.arange(self.K + 1)
        first = jnp.asarray(np.minimum.outer(k, k), mean.dtype).reshape((1,) * (mean.ndim - 1) + (k.size, k.size))
        first, alpha = promote(first, alpha)
        log_ratio = first * self._spread(alpha) - jnp.log1p(1 / (1 + alpha))
        between = mean[..., :, None] * mean[..., None, :] * jnp.expm1(log_ratio)
        on_diagonal = np.eye(self.K + 1, dtype=bool).reshape(first.shape)
        return jnp.where(on_diagonal, self.variance[..., None], between)

    def entropy(self) -> jax.Array:
        (alpha,) = promote(self.alpha)
        return self.K * (1 - jnp.log(alpha)) - self.K * (self.K + 1) / 2 / alpha
