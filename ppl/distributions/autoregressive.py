"""AR: autoregressive processes."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import lax

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.compound import Compound, check_start, column, finite_part
from storax.distributions.normal import Normal
from storax.distributions.special import HALF_LOG_TWO_PI
from storax.errors import ParameterError, ShapeError
from storax.pytrees import static
from storax.supports import Support


class AR(Compound):
    """x_t ~ Normal(constant + sum_k coefficients_k x_{t-k}, scale), k = 1..p, as one vector of num_steps numbers.

    What was before the first number is either known, and no part of the vector, or the vector starts with p numbers
    that have a distribution of their own.  Nothing is asked of the coefficients: the process may be explosive.

    Args:
        coefficients: `[..., p]`, real; the first is that of x_{t-1}.
        scale: standard deviation of the noise, positive.
        num_steps: length of the vector; with `init_dist`, at least p.
        constant: real.
        init: `[..., p]`, the known numbers before the first, oldest first; by default zeros.
        init_dist: a distribution of vectors of p numbers, with which the series starts.

    >>> AR([0.5], 1.0, num_steps=3, init=[8.0]).mean.tolist()
    [4.0, 2.0, 1.0]
    """

    coefficients: Any
    scale: Any = 1.0
    num_steps: int = static(default=1)
    constant: Any = 0.0
    init: Any = None
    init_dist: Distribution | None = None

    parameters: ClassVar[dict[str, Support]] = {
        "coefficients": supports.real_vector,
        "scale": supports.positive,
        "constant": supports.real,
        "init": supports.real_vector,
    }
    support: ClassVar[Support] = supports.real_vector
    event_dim: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.init is not None and self.init_dist is not None:
            raise ParameterError("AR needs at most one of init and init_dist, and got both.")
        super().__post_init__()
        p = self.order
        if self.init_dist is not None:
            check_start(self, "init_dist", self.init_dist, (p,))
        if self.init is not None and jnp.shape(self.init)[-1] != p:
            raise ShapeError(
                f"AR: init has shape {jnp.shape(self.init)}, but coefficients has {jnp.shape(self.coefficients)}: "
                f"{p} numbers before the first are needed."
            )
        least = 1 if self.init_dist is None else p
        if self.num_steps < least:
            raise ParameterError(f"AR: num_steps must be at least {least}, and is {self.num_steps}.")

    @property
    def order(self) -> int:
        """How many numbers back the process looks."""
        return int(jnp.shape(self.coefficients)[-1])

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (self.num_steps,)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        of_start, of_steps = jax.random.split(key)
        noise = jax.random.normal(of_steps, (*shape, *self.batch_shape, self._free), self.dtype)
        noise, scale, constant = promote(noise, column(self.scale), column(self.constant))
        if self.init_dist is None:
            return self._unroll(self._before(), constant + scale * noise)
        first = self.init_dist.expand(self.batch_shape).sample(of_start, shape)
        return self._unroll(first, constant + scale * noise)

    def log_prob(self, value: Any) -> jax.Array:
        x, scale, constant = promote(value, column(self.scale), column(self.constant))
        inside, x = finite_part(x)
        start: Any = 0.0
        if self.init_dist is None:
            before, x = promote(self._before(), x)
            batch = jnp.broadcast_shapes(before.shape[:-1], x.shape[:-1])
            both = (jnp.broadcast_to(a, (*batch, a.shape[-1])) for a in (before.astype(x.dtype), x))
            x = jnp.concatenate(list(both), -1)
        else:
            start = self.init_dist.log_prob(x[..., : self.order])
        x, coefficients = promote(x, self.coefficients)
        expected, n = constant, self._free
        for k in range(self.order):  # all times at once: the values are given
            last = x[..., self.order - 1 - k : self.order - 1 - k + n]
            past, c = promote(last, coefficients[..., k : k + 1])
            expected, past = promote(expected, past * c)
            expected = expected + past
        x, expected = promote(x[..., self.order :], expected)
        residuals, scale = promote(x - expected, scale)
        steps, start = promote(Normal(0.0, scale).log_prob(residuals).sum(-1), start)
        return within(inside, steps + start)

    @property
    def _free(self) -> int:
        """How many numbers come from the recursion."""
        return self.num_steps - (0 if self.init_dist is None else self.order)

    def _before(self) -> jax.Array:
        return jnp.zeros(self.order, self.dtype) if self.init is None else promote(self.init)[0]

    def _unroll(self, first: jax.Array, shocks: jax.Array) -> jax.Array:
        """The series after `first`, given what is added at each step; with `first` in front if that is drawn."""
        first, shocks, coefficients = promote(first, shocks, self.coefficients)
        batch = jnp.broadcast_shapes(first.shape[:-1], shocks.shape[:-1], coefficients.shape[:-1])
        dtype = jnp.result_type(first, shocks, coefficients)
        first, shocks = (jnp.broadcast_to(x, (*batch, x.shape[-1])).astype(dtype) for x in (first, shocks))
        backwards = jnp.flip(coefficients, -1).astype(dtype)

        def step(past: jax.Array, shock: jax.Array) -> tuple[jax.Array, jax.Array]:
            new = shock + (past * backwards).sum(-1)
            return jnp.concatenate([past[..., 1:], new[..., None]], -1), new

        _, x = lax.scan(step, first, jnp.moveaxis(shocks, -1, 0))
        x = jnp.moveaxis(x, 0, -1)
        return x if self.init_dist is None else jnp.concatenate([first, x], -1)

    @property
    def mean(self) -> jax.Array:
        return self._centre(self._before() if self.init_dist is None else self.init_dist.mean)

    @property
    def mode(self) -> jax.Array:
        return self._centre(self._before() if self.init_dist is None else self.init_dist.mode)

    def _centre(self, first: jax.Array) -> jax.Array:
        constant = column(self.constant).astype(self.dtype)
        x = self._unroll(first, jnp.broadcast_to(constant, (*constant.shape[:-1], self._free)))
        return jnp.broadcast_to(x, self.shape)

    def _responses(self) -> tuple[jax.Array, jax.Array]:
        """What a unit in each of the first numbers, and in each shock, adds: `[p, ..., n]` and `[n - p, ..., n]`."""
        p, n = self.order, self._free
        batch = (1,) * (jnp.ndim(self.coefficients) - 1)
        units = jnp.eye(p + n, dtype=self.dtype).reshape(p + n, *batch, p + n)
        x = self._unroll(units[..., :p], units[..., p:])
        return x[:p], x[p:]

    @property
    def covariance(self) -> jax.Array:
        of_first, of_shocks = self._responses()
        noise = jnp.einsum("k...i,k...j->...ij", of_shocks, of_shocks, precision="highest")
        scale, noise = promote(column(self.scale, 2), noise)
        total = jnp.square(scale) * noise
        if self.init_dist is not None:
            start = self.init_dist.covariance
            r = jnp.moveaxis(of_first, 0, -2)
            r, start = promote(r, start)
            r, start = promote(jnp.einsum("...ki,...kl,...lj->...ij", r, start, r, precision="highest"), total)
            total = r + start
        return jnp.broadcast_to(total, (*self.shape, self.num_steps))

    @property
    def variance(self) -> jax.Array:
        if self.init_dist is not None:
            return jnp.diagonal(self.covariance, axis1=-2, axis2=-1)
        noise, scale = promote(jnp.square(self._responses()[1]).sum(0), column(self.scale))
        return jnp.broadcast_to(jnp.square(scale) * noise, self.shape)

    def entropy(self) -> jax.Array:
        start: Any = 0.0 if self.init_dist is None else self.init_dist.entropy()
        start, scale = promote(start, self.scale)
        return jnp.broadcast_to(start + self._free * (jnp.log(scale) + HALF_LOG_TWO_PI + 0.5), self.batch_shape)
