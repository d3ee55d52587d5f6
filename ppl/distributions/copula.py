"""GaussianCopula."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr, ndtri

from storax.distributions.base import Distribution, is_known, promote, within
from storax.distributions.compound import Compound, check_start
from storax.distributions.erfcx import erfcx
from storax.distributions.multivariate import MultivariateNormal
from storax.distributions.special import HALF_LOG_TWO_PI
from storax.errors import ParameterError, ShapeError
from storax.rules import custom_rule
from storax.supports import Support


class GaussianCopula(Compound):
    """d numbers with given marginal distributions F_i, whose normal scores Phi^-1(F_i(x_i)) are jointly normal.

    Scores are taken from the smaller of the two tails, so that they stay exact where F_i(x) rounds to 1.

    Args:
        marginal_dist: a batch `[..., d]` of continuous distributions of one number, with `log_cdf` and `log_survival`
            for a density, and `icdf` for draws.
        correlation_matrix: `[..., d, d]`, positive definite with ones on the diagonal: that of the scores; or
        correlation_cholesky: its lower Cholesky factor.

    >>> from storax.distributions import Exponential
    >>> d = GaussianCopula(Exponential([1.0, 2.0]), jnp.array([[1.0, 0.8], [0.8, 1.0]]))
    >>> d.event_shape, d.mean.tolist()
    ((2,), [1.0, 0.5])
    """

    marginals: Distribution
    scores: MultivariateNormal

    event_dim: ClassVar[int] = 1

    def __init__(
        self, marginal_dist: Distribution, correlation_matrix: Any = None, correlation_cholesky: Any = None
    ) -> None:
        check_start(self, "marginal_dist", marginal_dist, ())
        if (correlation_matrix is None) == (correlation_cholesky is None):
            given = "none" if correlation_matrix is None else "both"
            raise ParameterError(
                f"GaussianCopula needs one of correlation_matrix and correlation_cholesky, and got {given}."
            )
        try:
            scores = MultivariateNormal(0.0, correlation_matrix, scale_tril=correlation_cholesky)
        except (ParameterError, ShapeError) as error:
            text = (
                str(error).replace("MultivariateNormal", "GaussianCopula").replace("scale_tril", "correlation_cholesky")
            )
            raise type(error)(text.replace("covariance_matrix", "correlation_matrix")) from None
        if marginal_dist.batch_shape[-1:] != scores.event_shape:
            raise ShapeError(
                f"GaussianCopula: marginal_dist has batch shape {marginal_dist.batch_shape}, and the correlations are "
                f"those of {scores.event_shape[0]} numbers; expand marginal_dist to as many."
            )
        object.__setattr__(self, "marginals", marginal_dist.to_event(1))
        object.__setattr__(self, "scores", scores)
        self.__post_init__()

    @property
    def marginal_dist(self) -> Distribution:
        """The distribution of each number, a batch."""
        return self.marginals.base  # type: ignore[attr-defined]

    @property
    def event_shape(self) -> tuple[int, ...]:
        return self.scores.event_shape

    @property
    def support(self) -> Support:
        return self.marginals.support

    def validate(self) -> None:
        super().validate()
        factor = self.scores.scale_tril
        if is_known(factor):
            with jax.ensure_compile_time_eval():
                diagonal = np.square(np.asarray(factor, float)).sum(-1)
            if not (np.abs(diagonal - 1) < 1e-4).all():
                raise ParameterError(
                    f"GaussianCopula: the diagonal of correlation_matrix must be 1, and is {diagonal.ravel()}."
                )

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        z = self.scores.expand(self.batch_shape).sample(key, shape)
        info = jnp.finfo(z.dtype)
        wide = z.astype(jnp.promote_types(z.dtype, jnp.float32))  # jax.scipy's ndtr knows no half precision
        x = self.marginal_dist.icdf(jnp.clip(ndtr(wide).astype(z.dtype), info.tiny, 1 - info.epsneg))
        return x.astype(self.dtype)

    def log_prob(self, value: Any) -> jax.Array:
        (x,) = promote(value)
        below, above = self.marginal_dist.log_cdf(x), self.marginal_dist.log_survival(x)
        low = below < above
        nearest = jnp.maximum(jnp.where(low, below, above), jnp.finfo(below.dtype).min)
        possible = jnp.isfinite(jnp.where(low, below, above))
        z = log_ndtri(jnp.where(possible, jnp.minimum(nearest, math.log(0.5)), math.log(0.5)))
        z = jnp.where(low, z, -z)
        own = self.marginal_dist.log_prob(x).sum(-1)
        z = jnp.where(jnp.isnan(x), x, z)
        of_copula = self.scores.log_prob(z) + (0.5 * jnp.square(z) + HALF_LOG_TWO_PI).sum(-1)
        return within(possible.all(-1) | jnp.isnan(x).any(-1), own + of_copula)

    @property
    def mean(self) -> jax.Array:
        return jnp.broadcast_to(self.marginal_dist.mean, self.shape)

    @property
    def variance(self) -> jax.Array:
        return jnp.broadcast_to(self.marginal_dist.variance, self.shape)


@custom_rule
def log_ndtri(log_p: jax.Array) -> jax.Array:
    """The z with log P(Z <= z) = log_p of a standard normal, for log_p up to log(1/2).

    >>> round(log_ndtri(jnp.float32(-5e7)).item())
    -10000
    """
    wide = log_p.astype(jnp.promote_types(log_p.dtype, jnp.float32))
    near = wide > (-600.0 if wide.dtype == jnp.float64 else -80.0)
    y = jnp.sqrt(-2 * jnp.where(near, -100.0, wide))
    far = -y
    for _ in range(2):  # Phi(z) = phi(z) / |z| roughly
        far = -jnp.sqrt(jnp.square(y) - 2 * (HALF_LOG_TWO_PI + jnp.log(-far)))
    z = jnp.where(near, ndtri(jnp.exp(jnp.where(near, wide, -1.0))), far)
    for _ in range(2 if wide.dtype == jnp.float64 else 1):  # Newton's steps
        mills = _mills(z)
        z = z - (jnp.log(mills) - HALF_LOG_TWO_PI - 0.5 * jnp.square(z) - wide) * mills
    return z.astype(log_p.dtype)


@log_ndtri.defjvp
def _(primals: Any, tangents: Any) -> Any:
    (log_p,), (step,) = primals, tangents
    z = log_ndtri(log_p)
    return z, _mills(z.astype(jnp.promote_types(z.dtype, jnp.float32))).astype(z.dtype) * step


def _mills(z: jax.Array) -> jax.Array:
    """Phi(z) / phi(z), for z <= 0: the slope of a quantile in the logarithm of its probability."""
    return math.sqrt(np.pi / 2) * erfcx(-z * math.sqrt(0.5))
