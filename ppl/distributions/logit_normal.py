"""LogitNormal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.logistic import logit
from storax.distributions.normal import Normal
from storax.distributions.quantiles import increasing_root
from storax.distributions.special import HALF_LOG_TWO_PI, log_ndtr
from storax.supports import Support

Function = Callable[..., jax.Array]


class LogitNormal(Distribution):
    """sigmoid(X) with X ~ Normal(loc, scale).  The median is sigmoid(loc); mean, variance and entropy are integrals.

    Args:
        loc: mean of the log odds, real.
        scale: standard deviation of the log odds, positive.

    >>> LogitNormal(0.0, 3.0).icdf(0.5).item()
    0.5
    """

    loc: Any = 0.0
    scale: Any = 1.0

    parameters: ClassVar[dict[str, Support]] = {"loc": supports.real, "scale": supports.positive}
    support: ClassVar[Support] = supports.unit_interval

    @property
    def logit(self) -> Normal:
        """The distribution of the log odds."""
        return Normal(self.loc, self.scale)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        info = jnp.finfo(self.dtype)
        return jnp.clip(jax.nn.sigmoid(self.logit.sample(key, shape)), info.tiny, 1 - info.epsneg)

    def log_prob(self, value: Any) -> jax.Array:
        x, *_ = promote(value, self.loc, self.scale)
        inside = ~((x <= 0) | (x >= 1))
        x = jnp.where(inside, x, 0.5)
        return within(inside, self.logit.log_prob(logit(x)) - jnp.log(x) - jnp.log1p(-x))

    def log_cdf(self, value: Any) -> jax.Array:
        return self.logit.log_cdf(self._logit(value))

    def log_survival(self, value: Any) -> jax.Array:
        return self.logit.log_survival(self._logit(value))

    def _logit(self, value: Any) -> jax.Array:
        x, *_ = promote(value, self.loc, self.scale)
        inside = ~((x <= 0) | (x >= 1))
        return jnp.where(inside, logit(jnp.where(inside, x, 0.5)), jnp.where(x <= 0, -jnp.inf, jnp.inf))

    def icdf(self, q: Any) -> jax.Array:
        return jax.nn.sigmoid(self.logit.icdf(q))

    def _integral(self, of_x: Function, of_logistic: Function) -> jax.Array:
        """The mean of `of_x(X)`; where X is wide, as the mean of `of_logistic(L, P(X > L), (loc - L) / scale)` over a
        logistic variable L: the narrower of the two is summed over, both by the trapezoidal rule (to 1e-15)."""
        loc, scale = jnp.broadcast_arrays(*(x[..., None] for x in promote(self.loc, self.scale)))
        wide = scale > 4
        z = _along(np.linspace(-13.0, 13.0, 257), loc)
        weight = jnp.exp(-0.5 * jnp.square(z) - HALF_LOG_TWO_PI) * (26.0 / 256)
        of_narrow = (weight * of_x(loc + jnp.where(wide, 1.0, scale) * z)).sum(-1)
        t = _along(np.linspace(-40.0, 40.0, 161), loc)
        score = (loc - t) / jnp.where(wide, scale, 4.0)
        weight = jax.nn.sigmoid(t) * jax.nn.sigmoid(-t) * 0.5
        of_wide = (weight * of_logistic(t, jnp.exp(log_ndtr(score)), score)).sum(-1)
        return jnp.broadcast_to(jnp.where(wide[..., 0], of_wide, of_narrow), self.shape)

    @property
    def mean(self) -> jax.Array:
        return self._integral(jax.nn.sigmoid, lambda _, above, __: above)

    @property
    def variance(self) -> jax.Array:
        centre = lax.stop_gradient(self.mean)[..., None]
        square = self._integral(
            lambda x: jnp.square(jax.nn.sigmoid(x) - centre),
            lambda t, above, _: 2 * (jax.nn.sigmoid(t) - centre) * above + jnp.square(centre),
        )
        return square - jnp.square(self.mean - centre[..., 0])

    def entropy(self) -> jax.Array:
        """That of X, and the mean of log(p (1 - p)) = X - 2 softplus(X)."""
        loc, scale = promote(self.loc, self.scale)
        softplus = self._integral(
            jax.nn.softplus,
            lambda _, above, score: (
                scale[..., None] * (score * above + jnp.exp(-0.5 * jnp.square(score) - HALF_LOG_TWO_PI))
            ),
        )
        return self.logit.entropy() + loc - 2 * softplus

    @property
    def mode(self) -> jax.Array:
        """The log odds t with t = loc + scale^2 tanh(t / 2): of two such, those on the side of loc."""
        loc, scale = promote(self.loc, self.scale)
        size, square = jnp.abs(loc), jnp.square(scale)

        def slope(t: jax.Array) -> jax.Array:
            return t - size - square * jnp.tanh(0.5 * t)

        t = increasing_root(slope, jnp.zeros(self.shape, loc.dtype), 0.0, size + square, size + square)
        return jax.nn.sigmoid(jnp.where(loc < 0, -t, t))


def _along(numbers: np.ndarray, like: jax.Array) -> jax.Array:
    return jnp.asarray(numbers, like.dtype).reshape((1,) * (like.ndim - 1) + (-1,))
