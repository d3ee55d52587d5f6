"""GaussianStateSpace."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import lax

from storax import supports
from storax.distributions.base import as_parameter, promote, within
from storax.distributions.compound import Compound, finite_part
from storax.distributions.multivariate import MultivariateNormal
from storax.errors import ParameterError, ShapeError
from storax.pytrees import static
from storax.supports import Support


class GaussianStateSpace(Compound):
    """z_t = A z_{t-1} + noise, noise ~ MultivariateNormal(0, S), for t = 1..num_steps: a matrix, one state a row.

    Args:
        num_steps: at least 1.
        transition_matrix: A, `[..., d, d]`, real.
        covariance_matrix: S, `[..., d, d]`, symmetric and positive definite; or
        precision_matrix: its inverse; or
        scale_tril: its lower Cholesky factor.
        initial_value: z_0, `[..., d]`, known and no part of the matrix; by default zeros.

    >>> d = GaussianStateSpace(2, 3 * jnp.eye(2), jnp.eye(2), initial_value=jnp.ones(2))
    >>> d.mean.tolist(), d.variance.tolist()
    ([[3.0, 3.0], [9.0, 9.0]], [[1.0, 1.0], [10.0, 10.0]])
    """

    transition_matrix: Any
    noise: MultivariateNormal
    initial_value: Any
    num_steps: int = static()

    parameters: ClassVar[dict[str, Support]] = {
        "transition_matrix": supports.independent(supports.real, 2),
        "initial_value": supports.real_vector,
    }
    support: ClassVar[Support] = supports.independent(supports.real, 2)
    event_dim: ClassVar[int] = 2

    def __init__(
        self,
        num_steps: int,
        transition_matrix: Any,
        covariance_matrix: Any = None,
        precision_matrix: Any = None,
        scale_tril: Any = None,
        initial_value: Any = None,
    ) -> None:
        a = as_parameter(transition_matrix, "GaussianStateSpace: transition_matrix")
        if jnp.ndim(a) < 2 or jnp.shape(a)[-1] != jnp.shape(a)[-2]:
            raise ShapeError(f"GaussianStateSpace: transition_matrix must be square, and has shape {jnp.shape(a)}.")
        if num_steps < 1:
            raise ParameterError(f"GaussianStateSpace: num_steps must be at least 1, and is {num_steps}.")
        try:
            noise = MultivariateNormal(0.0, covariance_matrix, precision_matrix, scale_tril)
        except (ParameterError, ShapeError) as error:
            raise type(error)(str(error).replace("MultivariateNormal", "GaussianStateSpace")) from None
        d = noise.event_shape[0]
        z = jnp.zeros(d, noise.dtype) if initial_value is None else initial_value
        z = as_parameter(z, "GaussianStateSpace: initial_value")
        if jnp.shape(a)[-1] != d or jnp.shape(z)[-1:] != (d,):
            raise ShapeError(
                f"GaussianStateSpace: transition_matrix has shape {jnp.shape(a)}, the noise has {d} dimensions, and "
                f"initial_value has shape {jnp.shape(z)}."
            )
        object.__setattr__(self, "num_steps", num_steps)
        object.__setattr__(self, "transition_matrix", a)
        object.__setattr__(self, "noise", noise)
        object.__setattr__(self, "initial_value", z)
        self.__post_init__()

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (self.num_steps, *self.noise.event_shape)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        noise = self.noise.expand(self.batch_shape).sample(key, (self.num_steps, *shape))
        a, z = jnp.asarray(self.transition_matrix), jnp.asarray(self.initial_value)

        def step(z: jax.Array, e: jax.Array) -> tuple[jax.Array, jax.Array]:
            z = _apply(a, z) + e
            return z, z

        start = jnp.broadcast_to(z, noise.shape[1:]).astype(self.dtype)
        return jnp.moveaxis(lax.scan(step, start, noise.astype(self.dtype))[1], 0, -2)

    def log_prob(self, value: Any) -> jax.Array:
        x, first = promote(value, jnp.asarray(self.initial_value)[..., None, :])
        inside, x = finite_part(x, 2)
        batch = jnp.broadcast_shapes(x.shape[:-2], first.shape[:-2])
        x, first = (jnp.broadcast_to(z, (*batch, *z.shape[-2:])) for z in (x, first))
        before = jnp.concatenate([first.astype(x.dtype), x[..., :-1, :]], -2)
        a, before = promote(self.transition_matrix, before)
        x, moved = promote(x, jnp.einsum("...ij,...tj->...ti", a, before, precision="highest"))
        steps = jnp.moveaxis(x - moved, -2, 0)  # time in front of the batch axes of the noise
        return within(inside, self.noise.log_prob(steps).sum(0))

    @property
    def mean(self) -> jax.Array:
        a, z = jnp.asarray(self.transition_matrix), jnp.asarray(self.initial_value)
        start = jnp.broadcast_to(z, (*self.batch_shape, z.shape[-1])).astype(self.dtype)

        def step(z: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
            z = _apply(a, z)
            return z, z

        return jnp.moveaxis(lax.scan(step, start, None, self.num_steps)[1], 0, -2)

    @property
    def mode(self) -> jax.Array:
        return self.mean

    @property
    def variance(self) -> jax.Array:
        """Of z_t: the diagonal of V_t = A V_{t-1} A^T + S."""
        a, noise = promote(self.transition_matrix, self.noise.covariance_matrix)
        start = jnp.zeros((*self.batch_shape, *noise.shape[-2:]), self.dtype)

        def step(v: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
            moved, own = promote(jnp.einsum("...ij,...jk,...lk->...il", *promote(a, v, a), precision="highest"), noise)
            v = moved + own
            return v, jnp.diagonal(v, axis1=-2, axis2=-1)

        return jnp.moveaxis(lax.scan(step, start, None, self.num_steps)[1], 0, -2)

    def entropy(self) -> jax.Array:
        of_step = 0.5 * self.noise.event_shape[0] - self.noise.log_prob(self.noise.mean)
        return jnp.broadcast_to(self.num_steps * of_step, self.batch_shape)


def _apply(a: jax.Array, z: jax.Array) -> jax.Array:
    extra = (1,) * max(z.ndim + 1 - a.ndim, 0)
    return jnp.einsum("...ij,...j->...i", a.reshape(extra + a.shape), z, precision="highest")
