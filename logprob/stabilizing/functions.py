"""What patterns are replaced by: functions that neither overflow nor cancel, nor do their derivatives."""

from __future__ import annotations

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax.rules import custom_rule

FEW = 16  # numbers, every pair of which is looked at


def to_last(x: Any, axes: tuple[int, ...]) -> Any:
    """These axes as one, at the end."""
    x = jnp.moveaxis(x, axes, range(-len(axes), 0))
    kept = x.shape[: x.ndim - len(axes)]
    return x.reshape(*kept, math.prod(x.shape[len(kept) :]))


def logsumexp(x: Any, axes: tuple[int, ...]) -> jax.Array:
    """log sum exp x over these axes."""
    return _logsumexp(to_last(x, axes))


def log_softmax(x: Any, axes: tuple[int, ...]) -> jax.Array:
    """log(exp x / sum exp x), normalised over these axes."""
    moved = _log_softmax(to_last(x, axes))
    shape = jnp.moveaxis(x, axes, range(-len(axes), 0)).shape
    return jnp.moveaxis(moved.reshape(shape), range(-len(axes), 0), axes)


@custom_rule
def sigmoid(x: Any) -> jax.Array:
    """1 / (1 + exp(-x)); the derivative that JAX has of it is 0 from x = 17 on."""
    return jax.lax.logistic(x)


@sigmoid.defjvp
def _(primals: Any, tangents: Any) -> Any:
    (x,), (t,) = primals, tangents
    p = jax.lax.logistic(x)
    return p, p * jax.lax.logistic(-x) * t


def softmax(x: Any, axes: tuple[int, ...]) -> jax.Array:
    """exp x / sum exp x over these axes; nan where x is infinite, and 0 beside of it."""
    top = x.max(axes, keepdims=True)
    return jnp.where((top == jnp.inf) & (x < top), 0.0, jax.nn.softmax(x, axes))


def _parts(x: Any) -> tuple[Any, ...]:
    """The maximum, where it is, exp(x - maximum), and the sum of all of those but the largest, which is 1."""
    top = jax.lax.stop_gradient(x.max(-1, keepdims=True))
    is_top = jax.lax.broadcasted_iota(int, x.shape, x.ndim - 1) == jnp.argmax(x, -1, keepdims=True)
    shift = jnp.where(jnp.isfinite(top), top, 0.0)
    weights = jnp.exp(x - shift)
    return top, is_top, weights, jnp.where(is_top, 0.0, weights).sum(-1, keepdims=True)


@custom_rule
def _logsumexp(x: Any) -> jax.Array:
    top, _, _, others = _parts(x)
    return jnp.where(jnp.isfinite(top), top + jnp.log1p(others), top)[..., 0]


@_logsumexp.defjvp
def _(primals: Any, tangents: Any) -> Any:
    (x,), (t,) = primals, tangents
    _, _, weights, others = _parts(x)
    return _logsumexp(x), (weights / (1 + others) * t).sum(-1)


@custom_rule
def _log_softmax(x: Any) -> jax.Array:
    top, is_top, _, others = _parts(x)
    score = jnp.where(is_top, 0.0, x - top) - jnp.log1p(others)
    return jnp.where(jnp.isfinite(top), score, jnp.where(x < top, -jnp.inf, jnp.nan))


@_log_softmax.defjvp
def _(primals: Any, tangents: Any) -> Any:
    (x,), (t,) = primals, tangents
    _, is_top, weights, others = _parts(x)
    p = weights / (1 + others)
    rest = jnp.where(is_top, others / (1 + others), 1 - p)  # 1 - p, where p may round to 1
    # t_i - sum_j p_j t_j, such that p_i t_i does not cancel; of many numbers at least alike ones do
    n = x.shape[-1]
    others = (p * t) @ jnp.asarray(1 - np.eye(n), x.dtype) if n <= FEW else (p * t).sum(-1, keepdims=True) - p * t
    return _log_softmax(x), rest * t - others


@functools.partial(custom_rule, static=(1,))
def guarded_log(x: Any, offset: int) -> jax.Array:
    """log(offset + x); without a derivative where that is -inf or nan: a `where` may have left that element out."""
    return jnp.log1p(x) if offset else jnp.log(x)


@guarded_log.defjvp
def _(offset: int, primals: Any, tangents: Any) -> Any:
    (x,), (t,) = primals, tangents
    y = x + offset
    fine = (y < 0) | (y > 0)
    return guarded_log(x, offset), jnp.where(fine, 1 / jnp.where(fine, y, 1.0), 0.0) * t
