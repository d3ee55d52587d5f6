"""LogitNormal."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.logistic import logit
from storax.distributions.normal import Normal
from storax.supports import Support


class LogitNormal(Distribution):
    """sigmoid(X) with X ~ Normal(loc, scale).  Its mean has no closed form; the median is sigmoid(loc).

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
