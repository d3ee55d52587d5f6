"""GARCH11."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import lax

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.compound import column, finite_part
from storax.distributions.special import HALF_LOG_TWO_PI
from storax.errors import ParameterError
from storax.pytrees import static
from storax.supports import Support


class GARCH11(Distribution):
    """x_t ~ Normal(0, v_t) with v_t^2 = omega + alpha_1 x_{t-1}^2 + beta_1 v_{t-1}^2, as one vector (Bollerslev 1986).

    Args:
        omega: positive.
        alpha_1: not negative.
        beta_1: not negative.  The variance settles at omega / (1 - alpha_1 - beta_1) if the two sum to less than 1;
            that is not asked for.
        initial_vol: the standard deviation v of the first number, positive.
        num_steps: length of the vector, at least 1.

    >>> GARCH11(1.0, 0.25, 0.5, 2.0, 3).variance.tolist()
    [4.0, 4.0, 4.0]
    """

    omega: Any
    alpha_1: Any
    beta_1: Any
    initial_vol: Any
    num_steps: int = static(default=1)

    parameters: ClassVar[dict[str, Support]] = {
        "omega": supports.positive,
        "alpha_1": supports.nonnegative,
        "beta_1": supports.nonnegative,
        "initial_vol": supports.positive,
    }
    support: ClassVar[Support] = supports.real_vector
    event_dim: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.num_steps < 1:
            raise ParameterError(f"GARCH11: num_steps must be at least 1, and is {self.num_steps}.")
        super().__post_init__()

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (self.num_steps,)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        noise = jax.random.normal(key, (self.num_steps, *shape, *self.batch_shape), self.dtype)
        omega, alpha, beta = self.omega, self.alpha_1, self.beta_1

        def step(square: jax.Array, e: jax.Array) -> tuple[jax.Array, jax.Array]:
            _, o, a, b = promote(square, omega, alpha, beta)
            x = jnp.sqrt(square) * e
            return (o + a * jnp.square(x) + b * square).astype(square.dtype), x

        _, first = promote(noise[0], self.initial_vol)
        start = jnp.broadcast_to(jnp.square(first), noise.shape[1:]).astype(self.dtype)
        return jnp.moveaxis(lax.scan(step, start, noise)[1], 0, -1)

    def log_prob(self, value: Any) -> jax.Array:
        x, *rest = promote(value, *map(column, (self.omega, self.alpha_1, self.beta_1, self.initial_vol)))
        inside, x = finite_part(x)
        # Relative to the largest number where its square would overflow.
        unit = jnp.maximum(lax.stop_gradient(jnp.abs(x).max(-1, keepdims=True)), 1.0)
        unit = jnp.where(unit > jnp.finfo(x.dtype).max ** 0.25, unit, 1.0)
        unit, omega, alpha, beta, first = promote(unit, *rest)
        z = x / unit
        variance = self._variances(omega / unit / unit, alpha, beta, jnp.square(first / unit), jnp.square(z))
        score = -0.5 * (jnp.square(z) / variance + jnp.log(variance)) - jnp.log(unit) - HALF_LOG_TWO_PI
        return self._or_nan(within(inside, score.sum(-1)))

    def _variances(self, omega: Any, alpha: Any, beta: Any, first: Any, squares: Any) -> jax.Array:
        """v^2 at every time: v_t^2 = b v_{t-1}^2 + c_t is a composition of affine maps, all times at once."""
        add = omega + alpha * squares[..., :-1]
        batch = jnp.broadcast_shapes(add.shape[:-1], beta.shape[:-1], first.shape[:-1])
        add = jnp.concatenate([jnp.broadcast_to(x, (*batch, x.shape[-1])) for x in (first, add)], -1)
        times = jnp.broadcast_to(beta, add.shape).astype(add.dtype)

        def then(a: Any, b: Any) -> Any:
            return a[0] * b[0], b[0] * a[1] + b[1]

        return lax.associative_scan(then, (times, add), axis=-1)[1]

    @property
    def mean(self) -> jax.Array:
        return jnp.zeros(self.shape, self.dtype)

    @property
    def mode(self) -> jax.Array:
        """Zeros: each x_t = 0 is the most likely, and makes the later variances as small as they can be."""
        return jnp.zeros(self.shape, self.dtype)

    @property
    def variance(self) -> jax.Array:
        omega, alpha, beta, first = promote(*map(column, (self.omega, self.alpha_1, self.beta_1, self.initial_vol)))
        still = jnp.zeros((1,) * (omega.ndim - 1) + (self.num_steps,), self.dtype)
        v = self._variances(omega + still[..., :1], alpha, alpha + beta, jnp.square(first), still)
        return jnp.broadcast_to(v, self.shape)

    @property
    def covariance(self) -> jax.Array:
        """Diagonal: the numbers are uncorrelated, not independent."""
        variance = self.variance
        return variance[..., None] * jnp.eye(self.num_steps, dtype=variance.dtype).reshape(
            (1,) * (variance.ndim - 1) + (self.num_steps, self.num_steps)
        )
