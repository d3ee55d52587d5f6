"""Quantiles by root finding, for distribution functions without an inverse in closed form.

The search halves the floats that are left, not the interval: 9 halvings find the sign and power of two of a float32
wherever it is, from 1e-38 to 1e38.  Newton steps do the rest.  Derivatives are those of the implicit function, to all
orders, with respect to `q` and to whatever the distribution functions close over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

Function = Callable[[jax.Array], jax.Array]


def quantile(log_cdf: Function, log_survival: Function, q: Any, low: Any, high: Any, start: Any = None) -> jax.Array:
    """The x with P(X <= x) = q, of a continuous distribution.

    Args:
        log_cdf, log_survival: elementwise functions of x; the smaller tail of the two is the one that is inverted.
        q: probabilities; outside of [0, 1], and at nan, the answer is nan.
        low, high: ends of the support (may be infinite), the answers at 0 and at 1.
        start: a guess, if there is a good one.

    >>> import storax as sx
    >>> d = sx.Gamma(3.0, 2.0)
    >>> x = quantile(d.log_cdf, d.log_survival, 1e-9, 0.0, jnp.inf)
    >>> round(x.item(), 5)
    0.00091
    """
    return tail_quantile(lambda x, lower: jnp.where(lower, log_cdf(x), log_survival(x)), q, low, high, start)


def tail_quantile(
    log_tail: Callable[[jax.Array, Any], jax.Array], q: Any, low: Any, high: Any, start: Any = None
) -> Any:
    """As `quantile`, for one function log_tail(x, lower): the log cdf where `lower`, and the log survival elsewhere.

    It is half the work where the two are the same function of different arguments.
    """
    q = jnp.asarray(q, jnp.result_type(float, q))
    like = jax.eval_shape(log_tail, q, True)
    shape, dtype = like.shape, jnp.result_type(q, like.dtype)
    p = jnp.broadcast_to(q, shape).astype(dtype)
    inside = (p > 0) & (p < 1)
    p = jnp.where(inside, p, 0.5)
    lower = p < 0.5
    log_p, log_rest = jnp.log(jnp.where(lower, p, 0.5)), jnp.log1p(-jnp.where(lower, 0.5, p))

    def score(x: jax.Array) -> jax.Array:
        value = log_tail(x, lower)
        return jnp.where(lower, value, -value)

    low, high = (jnp.broadcast_to(jnp.asarray(x, dtype), shape) for x in (low, high))
    x = increasing_root(score, jnp.where(lower, log_p, -log_rest), low, high, start)
    q = jnp.broadcast_to(q, shape)
    return jnp.where(inside, x, jnp.where(q == 0, low, jnp.where(q == 1, high, jnp.nan)))


def increasing_root(f: Function, target: Any, low: Any, high: Any, start: Any = None) -> jax.Array:
    """The x in [low, high] with f(x) = target, for an elementwise increasing f that may be infinite at the ends.

    >>> increasing_root(jnp.log, jnp.float32(-2.0), 0.0, jnp.inf).item() == jnp.exp(-2.0).item()
    True
    """
    target = jnp.asarray(target)
    shape, dtype = target.shape, target.dtype
    wide = jnp.promote_types(dtype, jnp.float32)  # half precision has no room for a search
    largest = jnp.finfo(wide).max
    ends = [jnp.clip(jnp.broadcast_to(x, shape).astype(wide), -largest, largest) for x in map(jnp.asarray, (low, high))]
    first = between(*ends) if start is None else jnp.broadcast_to(start, shape).astype(wide)
    target = target.astype(wide)

    def solve(residual: Function, x: jax.Array) -> jax.Array:
        return _search(residual, x, *lax.stop_gradient((*ends, 1 + jnp.abs(target))))

    x = lax.custom_root(lambda x: f(x) - target, lax.stop_gradient(first), solve, _divide)
    return x.astype(dtype)


def _divide(linear: Function, y: jax.Array) -> jax.Array:
    return y / linear(jnp.ones_like(y))


def _search(residual: Function, x: jax.Array, low: jax.Array, high: jax.Array, size: jax.Array) -> jax.Array:
    """Newton steps within a bracket; every third step, and where Newton's leaves the bracket, halves the bracket."""
    eps = jnp.finfo(x.dtype).eps
    most = 3 * 8 * x.dtype.itemsize

    def step(state: Any) -> Any:
        k, x, low, high, done = state
        y, slope = jax.jvp(residual, (x,), (jnp.ones_like(x),))
        low, high = jnp.where(y < 0, x, low), jnp.where(y > 0, x, high)
        known = jnp.isfinite(y) & jnp.isfinite(slope) & (slope > 0)
        move = jnp.where(known, y, 0.0) / jnp.where(known, slope, 1.0)
        newton = x - move
        # As near as the rounding of f, or of x, can tell.
        arrived = known & ((jnp.abs(y) <= 2 * eps * size) | (jnp.abs(move) <= 2 * eps * jnp.abs(x)))
        good = known & (newton > low) & (newton < high) & (k % 3 < 2)
        middle = between(low, high)
        new = jnp.where(good | (arrived & (newton >= low) & (newton <= high)), newton, middle)
        new = jnp.where(arrived & ((newton < low) | (newton > high)), x, new)
        stuck = (middle == low) | (middle == high)
        return k + 1, jnp.where(done, x, new), low, high, done | arrived | (stuck & ~good)

    def more(state: Any) -> Any:
        return (state[0] < most) & ~jnp.all(state[-1])

    return lax.while_loop(more, step, (0, x, low, high, jnp.zeros(x.shape, bool)))[1]


def between(low: jax.Array, high: jax.Array) -> jax.Array:
    """A float with as many floats between it and `low` as between it and `high`.

    >>> between(jnp.float32(0.0), jnp.float32(2.0**-80)).item() == 1.5 * 2.0**-104
    True
    """
    a, b = _rank(low), _rank(high)
    return _of_rank((a >> 1) + (b >> 1) + (a & b & 1), low.dtype)


def _rank(x: jax.Array) -> jax.Array:
    """How many floats lie between x and 0, with the sign of x."""
    i = lax.bitcast_convert_type(x, jnp.dtype(f"int{8 * x.dtype.itemsize}"))
    return jnp.where(i < 0, jnp.iinfo(i.dtype).min - i, i)


def _of_rank(i: jax.Array, dtype: Any) -> jax.Array:
    return lax.bitcast_convert_type(jnp.where(i < 0, jnp.iinfo(i.dtype).min - i, i), dtype)
