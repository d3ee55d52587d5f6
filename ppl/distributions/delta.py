"""Delta: one value, surely."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.chances import pass_nan
from storax.supports import Support


class Delta(Distribution):
    """All of the mass at v, a whole number or not.

    Args:
        v: finite.
        log_density: what `log_prob` says at v, real; with the default it is the log of a mass.

    >>> Delta(2.5).sample(jax.random.key(0)).item()
    2.5
    >>> Delta(2.5).log_prob(2.0).item()
    -inf
    """

    v: Any = 0.0
    log_density: Any = 0.0

    parameters: ClassVar[dict[str, Support]] = {"v": supports.real, "log_density": supports.real}
    is_discrete: ClassVar[bool] = True

    @property
    def dtype(self) -> Any:
        return jnp.result_type(self.v) if jnp.ndim(self.v) or hasattr(self.v, "dtype") else jnp.asarray(self.v).dtype

    @property
    def support(self) -> Support:
        return supports.exactly(self.v)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        return jnp.broadcast_to(jnp.asarray(self.v), (*shape, *self.batch_shape))

    def log_prob(self, value: Any) -> jax.Array:
        x, v, log_density = promote(value, self.v, self.log_density)
        return self._or_nan(pass_nan(x, within(x == v, log_density)))

    def log_cdf(self, value: Any) -> jax.Array:
        x, v = promote(value, self.v)
        return pass_nan(x, within(x >= v, jnp.zeros_like(v)))

    def log_survival(self, value: Any) -> jax.Array:
        x, v = promote(value, self.v)
        return pass_nan(x, within(x < v, jnp.zeros_like(v)))

    def icdf(self, q: Any) -> jax.Array:
        return jnp.broadcast_to(jnp.asarray(self.v), jnp.broadcast_shapes(jnp.shape(q), self.batch_shape))

    @property
    def mean(self) -> jax.Array:
        return jnp.broadcast_to(promote(self.v)[0], self.shape)

    @property
    def variance(self) -> jax.Array:
        return jnp.zeros_like(self.mean)

    @property
    def mode(self) -> jax.Array:
        return jnp.broadcast_to(jnp.asarray(self.v), self.shape)

    def entropy(self) -> jax.Array:
        return jnp.broadcast_to(-promote(self.log_density)[0], self.shape)
