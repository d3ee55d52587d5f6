"""Probabilities between two points and quantiles, of any distribution with a distribution function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from storax import supports
from storax.distributions.base import Distribution, promote
from storax.distributions.searching import as_count, refuse_no_probability
from storax.distributions.special import log1mexp, safe_log
from storax.errors import NotMeasurable
from storax.ordinals import smallest

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)


def logsumexp(terms: Any, axis: int) -> jax.Array:
    """log sum exp along an axis, with finite gradients where all terms, or some, are infinite.

    >>> jax.grad(lambda x: logsumexp(jnp.array([x, -jnp.inf]), 0))(0.0).item()
    1.0
    """
    top = lax.stop_gradient(terms.max(axis, keepdims=True))
    infinite = top == jnp.inf
    shift = jnp.where(jnp.isinf(top), 0.0, top)
    total = safe_log(jnp.exp(jnp.where(infinite, 0.0, terms - shift)).sum(axis))
    return jnp.where(infinite.squeeze(axis), jnp.inf, total + shift.squeeze(axis))


def log_between(d: Distribution, low: Any, high: Any, polish: bool = True) -> jax.Array:
    """log P(low < X <= high) of a distribution of one number; the bounds may be infinite.

    A difference of distribution functions or of survivals, whichever are small.  Where it cancels, the two ends being
    close, `polish` takes the integral of the density by Gauss and Legendre's rule, or the sum of up to 8 masses; but
    for a density with a jump or a kink between the ends, which shows in that the two differ by more than rounding.
    """
    if supports.infinite(low) or supports.infinite(high):  # known now: one tail is all
        return _tail(d, low, high)
    low, high, batch = promote(low, high, jnp.zeros(d.batch_shape))
    shape = jnp.broadcast_shapes(low.shape, high.shape, batch.shape)
    low, high = jnp.broadcast_to(low, shape), jnp.broadcast_to(high, shape)
    unbounded = low == -jnp.inf, high == jnp.inf
    somewhere = d.support.feasible(shape, low.dtype)
    a = jnp.where(unbounded[0], jnp.where(unbounded[1], somewhere, high), low)
    b = jnp.where(unbounded[1], a, high)
    below_a, above_a = d.log_cdf(a), d.log_survival(a)
    below_a, above_a = jnp.where(unbounded[0], -jnp.inf, below_a), jnp.where(unbounded[0], 0.0, above_a)
    below_b, above_b = d.log_cdf(b), d.log_survival(b)
    below_b, above_b = jnp.where(unbounded[1], 0.0, below_b), jnp.where(unbounded[1], -jnp.inf, above_b)

    upper = above_a < below_b
    tail, rest = jnp.where(upper, above_a, below_b), jnp.where(upper, above_b, below_a)
    whole = (rest == -jnp.inf) | (tail == -jnp.inf)
    gap = jnp.where(whole, 1.0, jnp.maximum(tail - rest, 0.0))
    difference = jnp.where(whole, tail, tail + log1mexp(gap))
    if not polish:
        return difference

    finite = ~unbounded[0] & ~unbounded[1]
    if d.is_discrete:
        near = finite & (high - low <= len(_NODES))
        steps = jnp.asarray(np.arange(1.0, 1 + len(_NODES)).reshape(-1, *(1,) * len(shape)), low.dtype)
        x = jnp.where(near, low, somewhere)[None] + steps
        terms = jnp.where(x <= high[None], d.log_prob(x), -jnp.inf)
        return jnp.where(near, logsumexp(terms, 0), difference)
    near = finite & (gap < 0.25) & ~whole
    width = jnp.where(near, high - low, 1.0)
    nodes = jnp.asarray((0.5 + 0.5 * _NODES).reshape(-1, *(1,) * len(shape)), low.dtype)
    x = jnp.where(near, low, somewhere)[None] + width[None] * nodes
    log_weights = jnp.asarray(np.log(0.5 * _WEIGHTS).reshape(nodes.shape), low.dtype)
    integral = safe_log(width) + logsumexp(d.log_prob(x) + log_weights, 0)
    rounding = 32 * jnp.finfo(low.dtype).eps * (1 + jnp.abs(tail)) / jnp.where(near, gap, 1.0)
    agree = near & ~(jnp.abs(integral - difference) > rounding)
    return jnp.where(lax.stop_gradient(agree), integral, difference)


def _tail(d: Distribution, low: Any, high: Any) -> jax.Array:
    if not supports.infinite(low):
        return d.log_survival(low)
    return jnp.zeros(d.batch_shape, d.dtype) if supports.infinite(high) else d.log_cdf(high)


def quantile(
    d: Distribution, q: Any, functions: tuple[Callable[..., Any], Callable[..., Any]] | None = None
) -> jax.Array:
    """The quantiles of a distribution of one number, to the last float: by bisection over the floats in order.

    Gradients are those of the implicit function (Figurnov et al. 2018), -dF/dtheta / p.

    Args:
        q: in [0, 1]; of counts, and of another q of theirs, as in `searching.quantile`.
        functions: quicker stand-ins of `log_cdf` and `log_survival` for the search.
    """
    if d.is_discrete:
        refuse_no_probability(d, q)
    q, _ = promote(q, jnp.zeros(d.batch_shape))
    q = jnp.broadcast_to(q, jnp.broadcast_shapes(q.shape, d.batch_shape))
    inner = (q > 0) & (q < 1)
    p = jnp.where(inner, q, 0.5)
    lower = p <= 0.5
    log_p, log_rest = jnp.log(p), jnp.log1p(-p)
    log_cdf, log_survival = functions or (d.log_cdf, d.log_survival)
    low, high = ends_of(d, q)

    def reached(x: jax.Array) -> jax.Array:
        return jnp.where(lower, log_cdf(x) >= log_p, log_survival(x) <= log_rest)

    x = smallest(reached, low - 1 if d.is_discrete else low, high)
    if not d.is_discrete:
        x = lax.stop_gradient(x)
        tail = jnp.where(lower, d.log_cdf(x), d.log_survival(x))
        x = jnp.clip(along_path(x, tail, d.log_prob(x), lower, jnp.where(lower, log_p, log_rest)), low, high)
    x = jnp.where(inner, x, jnp.where(q == 0, low, jnp.where(q == 1, high, jnp.nan)))
    return as_count(x, d.dtype) if d.is_discrete else x


def along_path(x: Any, tail: Any, log_p: Any, lower: Any, target: Any = None) -> jax.Array:
    """x, moved by one step of Newton's to where a tail has the log probability `target`; with its gradient.

    Args:
        x: a value, from whatever search or draw.
        tail: log P(X <= x) where `lower`, else log P(X > x).
        log_p: log density at x.
        target: None for the tail itself: x stays, and only gets a gradient.
    """
    slope = lax.stop_gradient(tail - log_p)
    step = jnp.where(lower, 1.0, -1.0) * (tail - (lax.stop_gradient(tail) if target is None else target))
    sound = jnp.isfinite(slope) & jnp.isfinite(lax.stop_gradient(step))
    return lax.stop_gradient(x) - jnp.where(sound, step, 0.0) * jnp.exp(jnp.where(sound, slope, 0.0))


def ends_of(d: Distribution, like: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The ends of the support, in the shape and dtype of `like`; without a gradient."""
    ends = supports.ends(d.support)
    if ends is None:
        raise NotMeasurable(f"{d.name} has no quantile function: its support is {d.support!r}.")
    low, high, _ = promote(*ends, like)
    low, high = (jnp.broadcast_to(e.astype(like.dtype), like.shape) for e in (low, high))
    return low, high
