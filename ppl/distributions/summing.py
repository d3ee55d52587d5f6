"""Sums over counts, term by term, in logarithms: distribution functions from the value on, means from the middle."""

from __future__ import annotations

import functools
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

Function = Callable[..., jax.Array]


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
    below, above = _both_ways(log_mass, (k, k + 1), (low, high), (before, after & (k < high)), concave, *rest)
    return _less(below, above, before, after), _less(above, below, after, before)


def mean_loss(
    log_mass: Function, score: Function, low: Any, high: Any, mean: Any, variance: Any, concave: Any, *parameters: Any
) -> jax.Array:
    """The mean of -score(X), a sum of terms that are not negative; with the log mass for a score it is the entropy.

    Where the mass has died away long before both ends only every h-th term is added, h times: by Poisson's formula that
    differs from the whole sum by the characteristic function at 2 pi / h, which is nothing for h up to a third of the
    standard deviation.

    Args:
        log_mass, score: elementwise, of a count and the parameters; the score is never above 0.
        low, high, mean, concave: as in `log_sums`.
        variance: of the distribution, or nearly so.

    >>> from storax.distributions.masses import log_poisson
    >>> round(mean_loss(log_poisson, log_poisson, 0.0, jnp.inf, 1e6, 1e6, True, jnp.float32(1e6)).item(), 4)
    8.3267
    """
    low, high, mean, variance, concave, *rest = jnp.broadcast_arrays(low, high, mean, variance, concave, *parameters)
    middle, width = jnp.clip(jnp.round(mean), low, high), jnp.sqrt(variance)
    inner = concave & (middle - low > 9 * width) & (high - middle > 9 * width)
    stride = jnp.where(inner, jnp.maximum(jnp.floor(width / 3), 1.0), 1.0)

    places = [lax.stop_gradient(x) for x in (middle, stride)]
    ends = jnp.ceil((low - middle) / stride), jnp.floor((high - middle) / stride)
    wanted = middle > low, middle <= high
    start = -jnp.ones_like(middle), jnp.zeros_like(middle)
    down, up = _both_ways(_loss_term(log_mass, score), start, ends, wanted, concave, *places, *rest)
    return stride * (jnp.exp(down) + jnp.exp(up))


@functools.cache
def _loss_term(log_mass: Function, score: Function) -> Function:
    """log of the mass times minus the score, at middle + stride j; one function for both, so that it compiles once."""

    def log_term(j: Any, middle: Any, stride: Any, *parameters: Any) -> jax.Array:
        k = middle + stride * j
        mass, loss = log_mass(k, *parameters), -score(k, *parameters)
        counts = (loss > 0) & (mass > -jnp.inf)
        return jnp.where(counts, jnp.where(counts, mass, 0.0) + jnp.log(jnp.where(counts, loss, 1.0)), -jnp.inf)

    return log_term


def entropy(log_mass: Function, *arguments: Any) -> jax.Array:
    """`mean_loss` of the log mass itself."""
    return mean_loss(log_mass, log_mass, *arguments)


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


def _both_ways(log_mass: Function, start: Any, end: Any, wanted: Any, concave: Any, *parameters: Any) -> jax.Array:
    """The logarithms of the sums from the first start down to the first end, and from the second up: `[2, ...]`.

    One loop does both: half of what is to be compiled.
    """
    way = jnp.asarray([-1.0, 1.0], start[0].dtype).reshape(2, *(1,) * concave.ndim)
    given = (jnp.stack(jnp.broadcast_arrays(*x)) for x in (start, end, wanted, (concave, concave)))
    whole = [lax.stop_gradient(x) for x in (jnp.broadcast_to(way, (2, *concave.shape)), *given)]
    return _log_sum(log_mass, *whole, *(jnp.stack([p, p]) for p in parameters))


@functools.partial(jax.jit, static_argnums=0)
def _sum(log_mass: Function, way: Any, start: Any, end: Any, wanted: Any, concave: Any, *parameters: Any) -> jax.Array:
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
        terms = log_mass(first + way[..., None] * jnp.minimum(n, last), *wide)
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


_log_sum = custom_rule(_sum, static=(0,))


def _of_sum(log_mass: Any, primals: Any, tangents: Any) -> Any:
    value = _sum(log_mass, *primals)
    change = jnp.zeros_like(value)
    for i in range(5, len(primals)):
        if not isinstance(tangents[i], SymbolicZero):

            def of_one(x: Any, i: int = i) -> jax.Array:
                return _sum(log_mass, *primals[:i], x, *primals[i + 1 :])

            slope = jax.jvp(of_one, (primals[i],), (jnp.ones_like(primals[i]),))[1]
            change = change + jnp.where(value > -jnp.inf, slope, 0.0) * tangents[i]
    return value, change


_log_sum.defjvp(_of_sum, symbolic_zeros=True)
