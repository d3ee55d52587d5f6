"""Gradients that XLA compiles into native loops: without scatters, which it keeps apart.

The gradient of `a[group]` adds the slopes of a group's members up by a scatter-add.  One after another they are added
up here: for one chain on a CPU that takes less time than to leave the native loop and to come back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from storax.jaxprs import Environment, callee, equations, evaluate, is_call, sub_jaxprs


def without_scatters(f: Any) -> Any:
    """The same function, in which a sum into groups is a loop.

    >>> group = jnp.array([0, 1, 0])
    >>> f = jax.grad(lambda a: (a[group] * jnp.array([1.0, 10.0, 100.0])).sum())
    >>> without_scatters(f)(jnp.zeros(2)), "scatter" in str(jax.make_jaxpr(without_scatters(f))(jnp.zeros(2)))
    (Array([101.,  10.], dtype=float32), False)
    """

    def g(*args: Any) -> Any:
        closed, shape = jax.make_jaxpr(f, return_shape=True)(*args)
        out = _run(closed, jax.tree.leaves(args)) if has_scatters(closed) else None
        if out is None:
            return f(*args)
        return jax.tree.unflatten(jax.tree.structure(shape), out)

    return g


def has_scatters(closed: Any) -> bool:
    return any(
        e.primitive.name.startswith("scatter") or any(map(has_scatters, sub_jaxprs(e))) for e in equations(closed)
    )


def _run(closed: Any, args: Sequence[Any]) -> list[Any]:
    environment = Environment(closed, args)
    for equation in equations(closed):
        inputs = environment.inputs(equation)
        if is_sum_into_groups(equation):
            outputs = [_add_in_turn(equation, *inputs)]
        elif is_call(equation) and has_scatters(callee(equation.params)):
            outputs = _run(callee(equation.params), inputs)
        else:
            outputs = evaluate(equation, inputs)
        environment.write(equation, outputs)
    return environment.outputs()


def is_sum_into_groups(equation: Any) -> bool:
    """A scatter-add whose indices stand for the leading axes of what is added to."""
    if equation.primitive.name not in ("scatter-add", "scatter_add"):
        return False
    numbers, (operand, _, updates) = equation.params["dimension_numbers"], (v.aval for v in equation.invars)
    axes = tuple(numbers.scatter_dims_to_operand_dims)
    whole = tuple(numbers.update_window_dims) == tuple(range(updates.ndim - operand.ndim + len(axes), updates.ndim))
    batched = numbers.operand_batching_dims or numbers.scatter_indices_batching_dims
    leading = axes == tuple(range(len(axes))) == tuple(numbers.inserted_window_dims)
    rows = updates.shape[updates.ndim - (operand.ndim - len(axes)) :] == operand.shape[len(axes) :]
    return leading and whole and rows and not batched and jnp.issubdtype(operand.dtype, jnp.inexact)


def _add_in_turn(equation: Any, operand: jax.Array, indices: jax.Array, updates: jax.Array) -> jax.Array:
    axes = indices.shape[-1]
    sizes, rest = operand.shape[:axes], operand.shape[axes:]
    limits = jnp.array(sizes).reshape((1,) * (indices.ndim - 1) + (-1,))
    inside = ((indices >= 0) & (indices < limits)).all(-1).ravel()
    place = jnp.zeros(indices.shape[:-1], jnp.int32)
    for axis, size in enumerate(sizes):
        place = place * size + jnp.clip(indices[..., axis], 0, max(size - 1, 0)).astype(jnp.int32)
    place = place.ravel()
    rows = updates.reshape(len(place), math.prod(rest))
    rows = jnp.where(inside[:, None], rows, 0)  # what is out of bounds is dropped

    def add(i: Any, total: jax.Array) -> jax.Array:
        row = lax.dynamic_index_in_dim(rows, i, 0)
        here = lax.dynamic_index_in_dim(place, i, 0, keepdims=False)
        before = lax.dynamic_slice_in_dim(total, here, 1)
        return lax.dynamic_update_slice_in_dim(total, before + row, here, 0)

    total = lax.fori_loop(0, len(place), add, operand.reshape(math.prod(sizes), math.prod(rest)))
    return total.reshape(operand.shape)
