"""DiscreteUniform: whole numbers that are equally likely."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from storax import supports
from storax.distributions.base import Distribution, is_known, promote, within
from storax.distributions.chances import pass_nan
from storax.distributions.searching import quantile
from storax.distributions.special import safe_log
from storax.errors import ParameterError
from storax.supports import Support


class DiscreteUniform(Distribution):
    """The uniform distribution on the whole numbers from low to high, both included.

    Args:
        low: a whole number.
        high: a whole number, not below low.

    >>> DiscreteUniform(1, 6).mean.item()
    3.5
    """

    low: Any = 0
    high: Any = 1

    parameters: ClassVar[dict[str, Support]] = {"low": supports.integer, "high": supports.integer}
    is_discrete: ClassVar[bool] = True

    def validate(self) -> None:
        super().validate()
        if not (is_known(self.low) and is_known(self.high)):
            return
        low, high = np.broadcast_arrays(np.asarray(self.low), np.asarray(self.high))
        for index in np.argwhere(low > high)[:1]:
            at = f"[{', '.join(map(str, index))}]" if len(index) else ""
            raise ParameterError(
                f"{self.name}: high must not be below low, and low{at} is {low[*index]}, high{at} is {high[*index]}."
            )

    @property
    def support(self) -> Support:
        return supports.integer_interval(self.low, self.high)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        full = (*shape, *self.batch_shape)
        low, high = (jnp.broadcast_to(jnp.asarray(x).astype(self.dtype), full) for x in (self.low, self.high))
        return jax.random.randint(key, full, low, high + 1, self.dtype)

    def log_prob(self, value: Any) -> jax.Array:
        x, low, high = promote(value, self.low, self.high)
        inside = (x >= low) & (x <= high) & (jnp.floor(x) == x)
        return self._or_nan(pass_nan(x, within(inside, -jnp.log(high - low + 1))), low <= high)

    def log_cdf(self, value: Any) -> jax.Array:
        x, low, high = promote(value, self.low, self.high)
        return pass_nan(x, safe_log(jnp.clip(jnp.floor(x) - low + 1, 0.0, high - low + 1) / (high - low + 1)))

    def log_survival(self, value: Any) -> jax.Array:
        x, low, high = promote(value, self.low, self.high)
        return pass_nan(x, safe_log(jnp.clip(high - jnp.floor(x), 0.0, high - low + 1) / (high - low + 1)))

    def icdf(self, q: Any) -> jax.Array:
        return quantile(self, q, *promote(self.low, self.high))

    @property
    def mean(self) -> jax.Array:
        low, high = promote(self.low, self.high)
        return low + (high - low) / 2

    @property
    def variance(self) -> jax.Array:
        low, high = promote(self.low, self.high)
        return (high - low) * (high - low + 2) / 12

    @property
    def mode(self) -> jax.Array:
        return jnp.broadcast_to(promote(self.low)[0], self.shape).astype(self.dtype)

    def entropy(self) -> jax.Array:
        low, high = promote(self.low, self.high)
        return jnp.log(high - low + 1)
