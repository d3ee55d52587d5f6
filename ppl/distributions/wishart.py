"""Wishart and InverseWishart: the shared part, and the distributions of their Cholesky factors.

Everything is said about the whitened factor, whose entries are independent (Bartlett's decomposition: Anderson 2003,
"An introduction to multivariate statistical analysis", theorem 7.2.1): densities at large concentrations, entropies and
moments come without the cancellation of multivariate gamma functions.
"""

from __future__ import annotations

import abc
import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from storax import supports
from storax.bijections.cholesky import matmul
from storax.distributions.base import Distribution, is_known, promote
from storax.distributions.factors import factors, inverse, log_diagonal, multiply_matrix, promote_matrices, solve_matrix
from storax.distributions.gamma_steps import chi_entropy, chi_log_density, chi_mean_log, half_step, half_step_excess
from storax.distributions.special import HALF_LOG_TWO_PI, positive_or_nan
from storax.errors import ParameterError
from storax.pytrees import static
from storax.supports import Support


class FactorOfWishart(Distribution):
    """Base: lower triangular p x p matrices made of one with chi diagonal and normal entries below it."""

    concentration: Any
    scale_tril: Any
    precision_tril: Any = None
    problem: str = static(default="", repr=False)

    parameters: ClassVar[dict[str, Support]] = {
        "concentration": supports.positive,
        "scale_tril": supports.lower_cholesky,
        "precision_tril": supports.lower_cholesky,
    }
    support: ClassVar[Support] = supports.lower_cholesky
    event_dim: ClassVar[int] = 2

    def __init__(
        self, concentration: Any, scale_matrix: Any = None, rate_matrix: Any = None, scale_tril: Any = None
    ) -> None:
        found = factors(self.name, ("scale_matrix", scale_matrix), ("rate_matrix", rate_matrix), scale_tril)
        object.__setattr__(self, "concentration", concentration)
        object.__setattr__(self, "scale_tril", found.scale_tril)
        object.__setattr__(self, "precision_tril", found.precision_tril)
        object.__setattr__(self, "problem", found.problem)
        self.__post_init__()

    @property
    def event_shape(self) -> tuple[int, ...]:
        d = int(jnp.shape(self.scale_tril)[-1])
        return (d, d)

    @property
    def _p(self) -> int:
        return self.event_shape[0]

    def _index(self) -> jax.Array:
        """1, ..., p."""
        return jnp.asarray(np.arange(1, self._p + 1), self.dtype)

    def _degrees(self, first: bool) -> jax.Array:
        """Of the chi variables: the concentration less 0, ..., p - 1, with the whole of it first or last."""
        count = np.arange(self._p) if first else np.arange(self._p)[::-1]
        nu, less = promote(promote(self.concentration)[0][..., None], jnp.asarray(count, self.dtype))
        return positive_or_nan(nu - less)

    def _white_draws(self, key: jax.Array, shape: tuple[int, ...], k: jax.Array) -> jax.Array:
        keys = jax.random.split(key)
        batch = (*shape, *self.batch_shape)
        normal = jax.random.normal(keys[0], (*batch, self._p, self._p), self.dtype)
        half = jnp.broadcast_to(0.5 * k.astype(self.dtype), (*batch, self._p))
        log_chi = 0.5 * (jax.random.loggamma(keys[1], half, None, self.dtype) + math.log(2.0))
        chi = jnp.maximum(jnp.exp(log_chi), jnp.finfo(self.dtype).tiny)
        identity = jnp.broadcast_to(jnp.eye(self._p, dtype=bool), normal.shape)
        return jnp.where(identity, chi[..., None, :], jnp.tril(normal, -1))

    def _white_log_prob(self, white: jax.Array, k: jax.Array) -> jax.Array:
        """Log density of the whitened factor, in its entries."""
        diagonal, k = promote(jnp.diagonal(white, axis1=-2, axis2=-1), k)
        below = self._p * (self._p - 1) // 2
        squares = jnp.square(jnp.tril(white, -1)).sum((-2, -1))
        return chi_log_density(k, diagonal).sum(-1) - 0.5 * squares - below * HALF_LOG_TWO_PI

    def _white_entropy(self, k: jax.Array) -> jax.Array:
        return chi_entropy(k).sum(-1) + self._p * (self._p - 1) // 2 * (HALF_LOG_TWO_PI + 0.5)

    @abc.abstractmethod
    def _mean_log_diagonal(self) -> jax.Array:
        """The mean of log T_ii, `[..., p]`."""

    def _weigh(self, logs: jax.Array, weights: jax.Array) -> jax.Array:
        logs, weights = promote(logs, weights)
        return (logs * weights).sum(-1)

    def _scaled(self, diagonal: jax.Array) -> jax.Array:
        """L diag(x)."""
        factor, diagonal = promote(self.scale_tril, diagonal[..., None, :])
        return jnp.broadcast_to(factor * diagonal, self.shape)

    @property
    def scale_matrix(self) -> jax.Array:
        (factor,) = promote(self.scale_tril)
        return matmul(factor, factor.mT)

    def validate(self) -> None:
        if self.problem:
            raise ParameterError(self.problem)
        super().validate()
        if is_known(self.concentration):
            low = np.asarray(self.concentration).min(initial=np.inf)
            if not low > self._p - 1:
                raise ParameterError(
                    f"{self.name}: concentration must be above the dimension less 1, and is {low:g} where "
                    f"scale_tril has shape {jnp.shape(self.scale_tril)}."
                )


class WishartCholesky(FactorOfWishart):
    """The lower Cholesky factor of a `Wishart` matrix, with the same parameters: L A with A of Bartlett's entries.

    Args:
        concentration: degrees of freedom, above p - 1.
        scale_matrix: `[..., p, p]`, symmetric and positive definite; or
        rate_matrix: its inverse; or
        scale_tril: its lower Cholesky factor.

    >>> round(WishartCholesky(4.0, scale_tril=jnp.eye(2)).mode[0, 0].item() ** 2, 4)
    3.0
    """

    __init__ = FactorOfWishart.__init__  # or a dataclass would make its own

    def _k(self) -> jax.Array:
        return self._degrees(first=True)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        return multiply_matrix(promote(self.scale_tril)[0], self._white_draws(key, shape, self._k()))

    def log_prob(self, value: Any) -> jax.Array:
        factor, t = promote_matrices(self.scale_tril, value)
        inside = supports.lower_cholesky(t)
        nan = jnp.isnan(t).any((-2, -1))
        t = jnp.where(inside[..., None, None], t, jnp.broadcast_to(jnp.eye(self._p, dtype=t.dtype), t.shape))
        if self.precision_tril is None:
            white = solve_matrix(factor, t)
        else:
            white = multiply_matrix(promote(self.precision_tril)[0], t)
        jacobian = self._weigh(log_diagonal(self.scale_tril, self.precision_tril), self._index())
        density, jacobian = promote(self._white_log_prob(white, self._k()), jacobian)
        return jnp.where(inside, density - jacobian, jnp.where(nan, jnp.nan, -jnp.inf))

    @property
    def mean(self) -> jax.Array:
        return self._scaled(_chi_mean(self._k()))

    @property
    def variance(self) -> jax.Array:
        """Of L A: column j of A has the variance of chi at j, 1 below, and 0 above."""
        k = self._k()
        p = self._p
        identity, chi = promote(jnp.eye(p, dtype=k.dtype), _chi_variance(k)[..., None, :])
        below, chi = promote(jnp.asarray(np.tril(np.ones((p, p)), -1), k.dtype), identity * chi)
        return jnp.broadcast_to(multiply_matrix(jnp.square(promote(self.scale_tril)[0]), below + chi), self.shape)

    @property
    def mode(self) -> jax.Array:
        """On the edge of the support, with a 0 on the diagonal, where the density grows towards it."""
        return self._scaled(jnp.sqrt(jnp.maximum(self._k() - 1, 0.0)))

    def entropy(self) -> jax.Array:
        white, jacobian = promote(
            self._white_entropy(self._k()),
            self._weigh(log_diagonal(self.scale_tril, self.precision_tril), self._index()),
        )
        return jnp.broadcast_to(white + jacobian, self.batch_shape)

    def _mean_log_diagonal(self) -> jax.Array:
        chi, scale = promote(chi_mean_log(self._k()), log_diagonal(self.scale_tril, self.precision_tril))
        return chi + scale


class InverseWishartCholesky(FactorOfWishart):
    """The lower Cholesky factor of an `InverseWishart` matrix, with the same parameters.

    It is L B^-1, with B lower triangular, normal entries below its diagonal and chi on it, whose degrees of freedom
    grow from concentration - p + 1 to the concentration.

    Args:
        concentration: degrees of freedom, above p - 1.
        scale_matrix: `[..., p, p]`, symmetric and positive definite; or
        rate_matrix: its inverse; or
        scale_tril: its lower Cholesky factor.

    >>> round(InverseWishartCholesky(3.0, scale_tril=jnp.eye(2)).mode[0, 0].item() ** -2, 4)
    4.0
    """

    __init__ = FactorOfWishart.__init__

    def _k(self) -> jax.Array:
        return self._degrees(first=False)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        white = self._white_draws(key, shape, self._k())
        return multiply_matrix(promote(self.scale_tril)[0], inverse(white))

    def log_prob(self, value: Any) -> jax.Array:
        factor, t = promote_matrices(self.scale_tril, value)
        inside = supports.lower_cholesky(t)
        nan = jnp.isnan(t).any((-2, -1))
        t = jnp.where(inside[..., None, None], t, jnp.broadcast_to(jnp.eye(self._p, dtype=t.dtype), t.shape))
        if self.precision_tril is None:
            white = solve_matrix(t, factor)
        else:
            white = inverse(multiply_matrix(promote(self.precision_tril)[0], t))
        # dB = -T^-1 dT B has the determinant prod_i T_ii^-i B_ii^(p - i + 1).
        (logs,) = promote(log_diagonal(t))
        scale, logs = promote(log_diagonal(self.scale_tril, self.precision_tril), logs)
        i = self._index()
        jacobian = self._weigh(scale - logs, self._p - i + 1) - self._weigh(logs, i)
        return jnp.where(inside, self._white_log_prob(white, self._k()) + jacobian, jnp.where(nan, jnp.nan, -jnp.inf))

    @property
    def mean(self) -> jax.Array:
        """nan where the concentration is not above p: the first chi has too few degrees of freedom."""
        k = self._k()
        half = 0.5 * jnp.where(k > 1, k - 1, 1.0)
        return self._scaled(jnp.where(k > 1, jnp.exp(-half_step(half) - 0.5 * math.log(2.0)), jnp.inf))

    @property
    def mode(self) -> jax.Array:
        return self._scaled(jax.lax.rsqrt(self._k() + self._p))

    def entropy(self) -> jax.Array:
        logs = chi_mean_log(self._k())
        i = self._index()
        jacobian = self._weigh(self._mean_log_diagonal(), i) - self._weigh(logs, self._p - i + 1)
        white, jacobian = promote(self._white_entropy(self._k()), jacobian)
        return jnp.broadcast_to(white + jacobian, self.batch_shape)

    def _mean_log_diagonal(self) -> jax.Array:
        chi, scale = promote(chi_mean_log(self._k()), log_diagonal(self.scale_tril, self.precision_tril))
        return scale - chi


def _chi_mean(k: jax.Array) -> jax.Array:
    return jnp.exp(half_step(0.5 * k) + 0.5 * math.log(2.0))


def _chi_variance(k: jax.Array) -> jax.Array:
    """k - mean^2, and mean^2 is k exp(2 excess)."""
    return -k * jnp.expm1(2 * half_step_excess(0.5 * k))
