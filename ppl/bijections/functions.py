"""Bijections made of functions that the user writes: any with its inverse, and any autoregressive one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import lax

from storax.bijections.base import Bijection, floats
from storax.errors import ShapeError
from storax.pytrees import static


class Invertible(Bijection):
    """Any smooth function with its inverse; the log-determinant is that of the Jacobian which autodiff gives.

    A function with parameters that are to be traced is a `jax.tree_util.Partial(function, parameters)`.

    Args:
        function: z -> x of one point, of `event_dim` axes and of the same size: entry by entry if that is 0.
        inverse_function: x -> z.
        event_dim: axes of one point.

    >>> Invertible(jnp.sinh, jnp.arcsinh).log_det(jnp.array(0.0)).item()
    0.0
    """

    function: Any
    inverse_function: Any
    event_dim: int = static(default=0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "function", as_partial(self.function))
        object.__setattr__(self, "inverse_function", as_partial(self.inverse_function))

    @property
    def z_event_dim(self) -> int:  # type: ignore[override]
        return self.event_dim

    @property
    def x_event_dim(self) -> int:  # type: ignore[override]
        return self.event_dim

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        z = floats(z)
        if not self.event_dim:
            x, slope = jax.jvp(self.function, (z,), (jnp.ones_like(z),))
            return x, jnp.log(jnp.abs(slope))

        def one(z: jax.Array) -> tuple[jax.Array, jax.Array]:
            x = self.function(z)
            if x.size != z.size:
                raise ShapeError(
                    f"Invertible: the function takes {z.size} numbers to {x.size}, and cannot have an inverse."
                )
            jacobian = jax.jacobian(self.function)(z).reshape(x.size, z.size)
            return x, jnp.linalg.slogdet(jacobian)[1]

        return over_batch(one, self.event_dim, z)

    def inverse(self, x: jax.Array) -> jax.Array:
        x = floats(x)
        z: jax.Array = (
            over_batch(self.inverse_function, self.event_dim, x) if self.event_dim else self.inverse_function(x)
        )
        return z

    def forward_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return self._shape(self.function, shape)

    def inverse_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return self._shape(self.inverse_function, shape)

    def _shape(self, f: Callable[..., Any], shape: tuple[int, ...]) -> tuple[int, ...]:
        front = len(shape) - self.event_dim
        point = jax.ShapeDtypeStruct(shape[front:], jnp.result_type(float))
        return (*shape[:front], *jax.eval_shape(f, point).shape)

    def __repr__(self) -> str:
        return f"Invertible({_name(self.function)}, {_name(self.inverse_function)}, event_dim={self.event_dim})"


class Autoregressive(Bijection):
    """x_i = loc_i + exp(log_scale_i) z_i, where loc_i and log_scale_i are any function of z_1, ..., z_(i-1).

    One call of the function goes forward; the inverse finds one entry after another, with a call for each (Kingma et
    al. 2016, "Improved variational inference with inverse autoregressive flow").

    Args:
        function: vector `[d]` -> (loc `[d]`, log_scale `[d]`).  Entry i may depend on the entries before i alone, as
            masked dense layers make sure: `refuse_dependence(d)` checks it.  Parameters that are to be traced go into
            a `jax.tree_util.Partial(function, parameters)`.

    >>> def function(z):
    ...     before = jnp.cumsum(z) - z
    ...     return before, 0.1 * jnp.tanh(before)
    >>> flow = Autoregressive(function).refuse_dependence(3)
    >>> flow.inverse(flow.forward(jnp.array([1.0, 2.0, 3.0]))).round(5).tolist()
    [1.0, 2.0, 3.0]
    """

    function: Any

    z_event_dim: ClassVar[int] = 1
    x_event_dim: ClassVar[int] = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "function", as_partial(self.function))

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        z = floats(z)
        loc, log_scale = over_batch(self._loc_and_log_scale, 1, z)
        return loc + jnp.exp(log_scale) * z, log_scale.sum(-1)

    def inverse(self, x: jax.Array) -> jax.Array:
        def one(x: jax.Array) -> jax.Array:
            def entry(z: jax.Array, i: jax.Array) -> tuple[jax.Array, None]:
                loc, log_scale = self._loc_and_log_scale(z)
                return z.at[i].set((x[i] - loc[i]) * jnp.exp(-log_scale[i])), None

            return lax.scan(entry, jnp.zeros_like(x), jnp.arange(x.size))[0]

        z: jax.Array = over_batch(one, 1, floats(x))
        return z

    def _loc_and_log_scale(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        loc, log_scale = (jnp.asarray(a, z.dtype) for a in self.function(z))
        for name, a in (("loc", loc), ("log_scale", log_scale)):
            if a.shape not in ((), z.shape):
                raise ShapeError(f"Autoregressive: the function must give a {name} of shape {z.shape}, not {a.shape}.")
        return jnp.broadcast_to(loc, z.shape), jnp.broadcast_to(log_scale, z.shape)

    def refuse_dependence(self, size: int) -> Autoregressive:
        """Itself, if no entry of loc and log_scale depends on its own entry of z or a later one, at a random z.

        Raises:
            ShapeError: the first that does.
        """
        z = jax.random.normal(jax.random.key(0), (size,))
        for name, slopes in zip(("loc", "log_scale"), jax.jacobian(self._loc_and_log_scale)(z), strict=True):
            for i, j in jnp.argwhere(jnp.triu(slopes) != 0)[:1].tolist():
                raise ShapeError(
                    f"Autoregressive: entry {i} of {name} depends on entry {j} of z; it may depend on those before {i}."
                )
        return self

    def __repr__(self) -> str:
        return f"Autoregressive({_name(self.function)})"


def _name(function: Any) -> str:
    inner = getattr(function, "func", function)  # of a Partial
    return str(getattr(inner, "__name__", inner))


def as_partial(function: Any) -> Any:
    """A function that is a pytree; its own leaves, if it has some, stay leaves."""
    return function if isinstance(function, jax.tree_util.Partial) else jax.tree_util.Partial(function)


def over_batch(f: Callable[..., Any], event_dim: int, x: jax.Array) -> Any:
    """`f` of each point, whose axes are the last `event_dim`."""
    for _ in range(x.ndim - event_dim):
        f = jax.vmap(f)
    return f(x)
