"""GaussianRandomWalk."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.compound import Compound, check_start, column, finite_part
from storax.distributions.normal import Normal
from storax.distributions.special import HALF_LOG_TWO_PI
from storax.errors import ParameterError
from storax.pytrees import static
from storax.supports import Support


class GaussianRandomWalk(Compound):
    """x_t ~ Normal(x_{t-1}, scale) for t = 1..num_steps, as one vector; x_0 = 0 is no part of it.

    Args:
        scale: standard deviation of a step, positive.
        num_steps: length of the vector, at least 1.
        init_dist: distribution of its first number, in place of Normal(0, scale).

    >>> GaussianRandomWalk(2.0, 3).variance.tolist()
    [4.0, 8.0, 12.0]
    >>> GaussianRandomWalk(2.0, 3, Normal(5.0, 1.0)).variance.tolist()
    [1.0, 5.0, 9.0]
    """

    scale: Any = 1.0
    num_steps: int = static(default=1)
    init_dist: Distribution | None = None

    parameters: ClassVar[dict[str, Support]] = {"scale": supports.positive}
    support: ClassVar[Support] = supports.real_vector
    event_dim: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.num_steps < 1:
            raise ParameterError(f"{self.name}: num_steps must be at least 1, and is {self.num_steps}.")
        if self.init_dist is not None:
            check_start(self, "init_dist", self.init_dist, ())
        super().__post_init__()

    @property
    def start(self) -> Distribution:
        """The distribution of the first number."""
        return Normal(0.0, self.scale) if self.init_dist is None else self.init_dist

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (self.num_steps,)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        whole, (of_start, of_steps) = (*shape, *self.batch_shape), jax.random.split(key)
        first = self.start.expand(self.batch_shape).sample(of_start, shape).astype(self.dtype)
        noise = jax.random.normal(of_steps, (*whole, self.num_steps - 1), self.dtype)
        noise, scale = promote(noise, column(self.scale))
        return jnp.cumsum(jnp.concatenate([first[..., None], scale * noise], -1), -1)

    def log_prob(self, value: Any) -> jax.Array:
        x, scale = promote(value, column(self.scale))
        inside, x = finite_part(x)
        steps = Normal(0.0, scale).log_prob(jnp.diff(x, axis=-1)).sum(-1)
        first, steps = promote(self.start.log_prob(x[..., 0]), steps)
        return within(inside, first + steps)

    @property
    def mean(self) -> jax.Array:
        return jnp.broadcast_to(column(self.start.mean), self.shape).astype(self.dtype)

    @property
    def mode(self) -> jax.Array:
        return jnp.broadcast_to(column(0.0 if self.init_dist is None else self.init_dist.mode), self.shape).astype(
            self.dtype
        )

    @property
    def variance(self) -> jax.Array:
        start, scale = promote(column(self.start.variance), column(self.scale))
        return jnp.broadcast_to(start + jnp.square(scale) * self._times(scale.dtype, 1, start.ndim), self.shape)

    @property
    def covariance(self) -> jax.Array:
        start, scale = promote(column(self.start.variance, 2), column(self.scale, 2))
        between = start + jnp.square(scale) * self._times(scale.dtype, 2, start.ndim)
        return jnp.broadcast_to(between, (*self.shape, self.num_steps))

    def _times(self, dtype: Any, axes: int, ndim: int) -> jax.Array:
        """How many steps are in both x_s and x_t after the first number, with `ndim` axes."""
        t = np.arange(self.num_steps)
        times = t if axes == 1 else np.minimum.outer(t, t)
        return jnp.asarray(times, dtype).reshape((1,) * max(ndim - axes, 0) + times.shape)

    def entropy(self) -> jax.Array:
        start: Any = 0.0 if self.init_dist is None else self.init_dist.entropy()
        start, scale = promote(start, self.scale)
        steps = self.num_steps - (self.init_dist is not None)
        return jnp.broadcast_to(start + steps * (jnp.log(scale) + HALF_LOG_TWO_PI + 0.5), self.batch_shape)
