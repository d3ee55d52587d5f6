"""Distribution functions of counts that are sums of masses: term by term, in logarithms, from the value outwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from storax.distributions.chances import pass_nan
from storax.distributions.special import log1mexp
from storax.rules import custom_rule

_TERMS = 32  # that are added at a time


def log_sums(
    log_mass: Callable[..., jax.Array], k: Any, low: Any, high: Any, mean: Any, concave: Any, *parameters: Any
) -> tuple[jax.Array, jax.Array]:
    """log P(X <= k) and log P(X > k).

    Where the masses are log-concave only the tail that leads away from the mean is summed, until what is left is too
    small to count; elsewhere both are, to their ends.

    Args:
        log_mass: elementwise, of a count and the parameters.
        k: a whole number from low to high; it, the ends and the mean get no gradient.
        low, high: ends of the support, which may be infinite where the masses are log-concave.
        mean: of the distribution, or nearly so.
        concave: is the mass of a count at least the geometric mean of its neighbours'?
        parameters: of the mass, floating.

    >>> mass = lambda k, p: k * jnp.log(p) + jnp.log1p(-p)
    >>> below, above = log_sums(mass, 3.0, 0.0, jnp.inf, 1.0, True, jnp.float32(0.5))
    >>> round(above.item() / float(jnp.log(0.5)), 5)
    4.0
    """
    k, low, high, mean, concave, *rest = jnp.broadcast_arrays(k, low, high, mean, concave, *parameters)
    before = ~concave | ~(k >= mean)
    after = ~concave | (k >= mean)
    below = _log_tail(log_mass, -1, k, low, before, concave, *rest)
    above = _log_tail(log_mass, 1, k + 1, high, after & (k < high), concave, *rest)
    return _less(below, above, before, after), _less(above, below, after, before)


def inner_count(x: jax.Array, low: Any, high: Any) -> jax.Array:
    """The count whose distribution function is that of x; some count where the answer is known without a sum."""
    known = ~((x >= low) & (x < high))
    somewhere = jnp.where(jnp.isfinite(low), low, jnp.where(jnp.isfinite(high), high, 0.0))
    return jnp.where(known, somewhere, jnp.floor(x))


def outside_known(x: jax.Array, low: Any, high: Any, tails: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
    """The logarithms of 0 and 1 below the support, and of 1 and 0 from its end on; nan at nan."""
    under, over = x < low, (x >= high) | (x == jnp.inf)
    below, above = tails
    cdf = jnp.where(under, -jnp.inf, jnp.where(over, 0.0, below))
    survival = jnp.where(under, 0.0, jnp.where(over, -jnp.inf, above))
    return pass_nan(x, cdf), pass_nan(x, survival)


def _less(tail: Any, other: Any, summed: Any, other_summed: Any) -> jax.Array:
    """The smaller of two tails is what was summed; what is near 1 is known from the other."""
    direct = summed & ((tail < -0.7) | ~other_summed)
    return jnp.where(direct, jnp.minimum(tail, 0.0), log1mexp(jnp.maximum(-jnp.where(direct, -1.0, other), 0.0)))


def _log_tail(log_mass: Any, way: int, start: Any, end: Any, wanted: Any, concave: Any, *parameters: Any) -> Any:
    return _log_sum(log_mass, way, *map(lax.stop_gradient, (start, end, wanted, concave)), *parameters)


def _sum(log_mass: Any, way: int, start: Any, end: Any, wanted: Any, concave: Any, *parameters: Any) -> jax.Array:
    """log of the sum from `start` upwards (`way` 1) or downwards (-1) to `end`; -inf where it is not wanted."""
    room = jnp.maximum(way * (end - start), 0) + 1  # terms in all
    room = jnp.where(start + way == start, 1, room)  # floats that large are not next to each other
    wide = [p[..., None] for p in parameters]
    first, last = start[..., None], room[..., None] - 1
    places = jnp.arange(_TERMS, dtype=start.dtype).reshape((1,) * start.ndim + (-1,))
    log_eps = jnp.log(jnp.finfo(start.dtype).eps)

    def more(state: Any) -> Any:
        return ~jnp.all(state[-1])

    def add(state: Any) -> Any:
        i, total, done = state
        n = i + places
        terms = log_mass(first + way * jnp.minimum(n, last), *wide)
        terms = jnp.where((n <= last) & ~done[..., None], terms, -jnp.inf)
        parts = jnp.concatenate([total[..., None], terms], -1)
        top = lax.stop_gradient(parts.max(-1))
        none = top == -jnp.inf
        safe = jnp.where(none, 0.0, top)
        scaled = jnp.exp(parts - safe[..., None]).sum(-1)
        new = jnp.where(none, -jnp.inf, safe + jnp.log(jnp.where(none, 1.0, scaled)))
        # From here on the terms fall at least as fast as the last two: a geometric series is above the rest.
        fall = lax.stop_gradient(terms[..., -2] - terms[..., -1])
        rest = terms[..., -1] - fall - jnp.log(-jnp.expm1(-jnp.where(fall > 0, fall, 1.0)))
        settled = concave & (((fall > 0) & (rest < new + log_eps)) | (terms[..., -1] == -jnp.inf))
        return i + _TERMS, jnp.where(done, total, new), done | settled | jnp.isnan(new) | (i + _TERMS >= room)

    nothing = jnp.full(start.shape, -jnp.inf, start.dtype)
    return lax.while_loop(more, add, (jnp.zeros((), start.dtype), nothing, ~wanted))[1]


_log_sum = custom_rule(_sum, static=(0, 1))


def _of_sum(log_mass: Any, way: int, primals: Any, tangents: Any) -> Any:
    value = _sum(log_mass, way, *primals)
    change = jnp.zeros_like(value)
    for i in range(4, len(primals)):
        if not isinstance(tangents[i], SymbolicZero):

            def of_one(x: Any, i: int = i) -> jax.Array:
                return _sum(log_mass, way, *primals[:i], x, *primals[i + 1 :])

            slope = jax.jvp(of_one, (primals[i],), (jnp.ones_like(primals[i]),))[1]
            change = change + jnp.where(value > -jnp.inf, slope, 0.0) * tangents[i]
    return value, change


_log_sum.defjvp(_of_sum, symbolic_zeros=True)
