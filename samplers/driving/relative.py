"""Log densities of many addends, relative to those at a point nearby.

A regression on 50,000 rows has a log density near -2e4, of which 32 bits keep 0.002, and their sum loses more; with
1e6 rows nothing is left of the differences of about 1 that a sampler decides by.  So each addend is compared with its
value at a reference point among the draws before it is summed: the differences are small, and so is what rounding
takes of them.  The gradient does not change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from storax.samplers.driving.chains import Walk
from storax.samplers.kernels.integrators import ValueAndGrad

MANY = 4096  # addends, from which on 32 bits need this


class Relative:
    """A log density that is a sum.

    Args:
        addends: position `[d]` to arrays of log densities, of any shapes.

    >>> f = Relative(lambda q: [-0.5 * (jnp.arange(3.0) - q) ** 2])
    >>> f(jnp.ones(1)), f.relative(jnp.ones(1), f.addends(jnp.zeros(1)))
    (Array(-1., dtype=float32), Array(1.5, dtype=float32))
    """

    def __init__(self, addends: Callable[[jax.Array], Sequence[jax.Array]]) -> None:
        self.addends = addends

    def __call__(self, position: jax.Array) -> jax.Array:
        return _sum(self.addends(position))

    def relative(self, position: jax.Array, reference: Sequence[jax.Array]) -> jax.Array:
        """The log density, minus that of the point where the addends are `reference`."""
        return _sum([x - lax.stop_gradient(r) for x, r in zip(self.addends(position), reference, strict=True)])


def _sum(addends: Sequence[jax.Array]) -> jax.Array:
    """Of all; where one is impossible so is the whole, also if another is nan since its parameter is none there."""
    total = sum((jnp.sum(x) for x in addends), start=jnp.zeros(()))
    impossible = jnp.stack([(x == -jnp.inf).any() for x in addends]).any()
    return jnp.where(impossible, -jnp.inf, total)


def evaluate(log_density: Any, reference: Any) -> ValueAndGrad:
    """Log density and gradient at a position, in the type of the position whatever a density sums in."""
    f = log_density
    if isinstance(log_density, Relative) and reference:
        f = lambda q: log_density.relative(q, reference)  # noqa: E731
    return jax.value_and_grad(lambda q: f(q).astype(q.dtype))


def reference_at(log_density: Any, position: jax.Array) -> Any:
    """What log densities are relative to from now on: nothing, unless they are sums."""
    return log_density.addends(position) if isinstance(log_density, Relative) else ()


def offset_of(log_density: Any, value: jax.Array) -> jax.Array:
    """The log density at the reference, where it is `value`; 0 if there is none."""
    return value if isinstance(log_density, Relative) else jnp.zeros_like(value)


def anew(log_density: Any, walks: Walk) -> tuple[Any, jax.Array]:
    """The reference at the likeliest of the chains `[chain]`, and the log density there relative to the old one."""
    if not isinstance(log_density, Relative):
        return (), jnp.zeros_like(walks.draw.log_density[0])
    best = jnp.argmax(walks.draw.log_density)
    return log_density.addends(walks.draw.position[best]), walks.draw.log_density[best]
