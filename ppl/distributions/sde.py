"""EulerMaruyama."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np
from jax import lax

from storax import supports
from storax.distributions.base import Distribution, is_known, promote, within
from storax.distributions.compound import Compound, check_start, finite_part
from storax.distributions.normal import Normal
from storax.errors import ArgumentTypeError, ParameterError, ShapeError
from storax.supports import Support


class EulerMaruyama(Compound):
    """A stochastic differential equation dx = f(x, t) dt + g(x, t) dW at given times, by the Euler-Maruyama scheme.

    x_0 ~ init_dist, and x_{i+1} ~ Normal(x_i + f dt, g sqrt(dt)) with dt = t_{i+1} - t_i and f, g at (x_i, t_i).

    Args:
        t: `[..., num_steps]`, increasing times.
        sde_fn: `(x, t) -> (f, g)`, the drift and the diffusion (entrywise, positive), for one x of the event shape of
            `init_dist`.  It may close over draws of the model; a `jax.tree_util.Partial` carries arrays of its own.
        init_dist: the distribution of x_0, of any event shape.

    >>> ou = lambda x, t: (-x, 1.0)
    >>> d = EulerMaruyama(jnp.array([0.0, 0.1, 0.3]), ou, Normal(0.0, 1.0))
    >>> d.event_shape, d.log_prob(jnp.zeros(3)).shape
    ((3,), ())
    """

    t: Any
    sde_fn: Any
    init_dist: Distribution

    parameters: ClassVar[dict[str, Support]] = {"t": supports.real_vector}

    def __post_init__(self) -> None:
        check_start(self, "init_dist", self.init_dist, None)
        super().__post_init__()
        if jnp.shape(self.t)[-1] < 1:
            raise ShapeError(f"EulerMaruyama: t must hold at least one time, and has shape {jnp.shape(self.t)}.")
        if not callable(self.sde_fn):
            raise ArgumentTypeError(f"EulerMaruyama: sde_fn must be a function of x and t, got {self.sde_fn!r}.")
        if not isinstance(self.sde_fn, jax.tree_util.Partial):
            object.__setattr__(self, "sde_fn", self._hoisted(self.sde_fn))

    def _hoisted(self, sde_fn: Callable[..., Any]) -> Any:
        """The function as a pytree: traced values that it closes over become leaves, not to outlive their trace."""
        x = jax.ShapeDtypeStruct(self.init_dist.event_shape, self.dtype)
        closed, out = jax.make_jaxpr(sde_fn, return_shape=True)(x, jax.ShapeDtypeStruct((), self.dtype))
        if not (isinstance(out, tuple) and len(out) == 2):
            raise ArgumentTypeError(f"EulerMaruyama: sde_fn must return a drift and a diffusion, and returned {out!r}.")
        for name, part in zip(("drift", "diffusion"), out, strict=True):
            if part.shape not in (x.shape, ()):
                raise ShapeError(
                    f"EulerMaruyama: init_dist has event shape {x.shape}, but sde_fn returned a {name} of shape "
                    f"{part.shape}."
                )
        if all(map(is_known, closed.consts)):
            return jax.tree_util.Partial(sde_fn)
        return jax.tree_util.Partial(_Hoisted(closed.jaxpr), *closed.consts)

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (int(jnp.shape(self.t)[-1]), *self.init_dist.event_shape)

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        return 1 + self.init_dist.event_dim

    @property
    def support(self) -> Support:
        return supports.independent(supports.real, self.event_dim)

    def validate(self) -> None:
        super().validate()
        if is_known(self.t) and (np.diff(np.asarray(self.t), axis=-1) <= 0).any():
            raise ParameterError("EulerMaruyama: t must increase, and does not.")

    def _step(self, x: jax.Array, t: jax.Array, dt: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Mean and standard deviation of the next x, of one x."""
        drift, diffusion = self.sde_fn(x, t)
        return x + jnp.asarray(drift * dt, x.dtype), jnp.broadcast_to(diffusion * jnp.sqrt(dt), x.shape).astype(x.dtype)

    def _times(self, shape: tuple[int, ...], dtype: Any) -> tuple[jax.Array, jax.Array]:
        """t and dt of each step, `[num_steps - 1, *shape]`."""
        (t,) = promote(self.t)
        n = t.shape[-1]
        steps = (x.astype(dtype) for x in (t[..., :-1], jnp.diff(t, axis=-1)))
        start, dt = (jnp.moveaxis(jnp.broadcast_to(x, (*shape, n - 1)), -1, 0) for x in steps)
        return start, dt

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        whole, (of_start, of_steps) = (*shape, *self.batch_shape), jax.random.split(key)
        first = self.init_dist.expand(self.batch_shape).sample(of_start, shape).astype(self.dtype)
        noise = jax.random.normal(of_steps, (self.event_shape[0] - 1, *first.shape), self.dtype)
        one = self._step
        for _ in whole:
            one = jax.vmap(one)

        def step(x: jax.Array, given: Any) -> tuple[jax.Array, jax.Array]:
            mean, sd = one(x, *given[:2])
            x = mean + sd * given[2]
            return x, x

        _, later = lax.scan(step, first, (*self._times(whole, self.dtype), noise))
        return jnp.moveaxis(jnp.concatenate([first[None], later]), 0, len(whole))

    def log_prob(self, value: Any) -> jax.Array:
        (x,) = promote(value)
        inside, x = finite_part(x, self.event_dim)
        event = self.event_dim
        batch = jnp.broadcast_shapes(x.shape[: x.ndim - event], self.batch_shape)
        x = jnp.moveaxis(jnp.broadcast_to(x, (*batch, *x.shape[x.ndim - event :])), len(batch), 0)
        one = self._step
        for _ in range(len(batch) + 1):  # all times at once: the values are given
            one = jax.vmap(one)
        mean, sd = one(x[:-1], *self._times(batch, x.dtype))
        steps = Normal(mean, sd).log_prob(x[1:])
        steps = steps.sum((0, *range(len(batch) + 1, steps.ndim)))
        return within(jnp.broadcast_to(inside, batch), self.init_dist.log_prob(x[0]) + steps)


class _Hoisted:
    """A function from a jaxpr, with the values it closed over as first arguments."""

    def __init__(self, jaxpr: Any) -> None:
        self.jaxpr = jaxpr

    def __call__(self, *args: Any) -> Any:
        *consts, x, t = args
        closed = jax.extend.core.ClosedJaxpr(self.jaxpr, consts)
        drift, diffusion = jax.extend.core.jaxpr_as_fun(closed)(x, t)
        return drift, diffusion
