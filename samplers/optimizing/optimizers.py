"""Optimisers: what users may name, and the loop of L-BFGS with restarts."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax  # type: ignore[import-untyped]
from jax import lax

from storax.errors import ArgumentTypeError

Objective = Callable[[jax.Array], jax.Array]


def as_optimizer(optimizer: Any, call: str, learning_rate: Any = 0.01) -> optax.GradientTransformationExtraArgs:
    """An optax transformation, or the name of one of its optimisers, as a transformation that takes extra arguments.

    Raises:
        ArgumentTypeError: something else, or a name that optax does not have.
    """
    if isinstance(optimizer, str):
        optimizer = _by_name(optimizer, call, learning_rate)
    if not isinstance(optimizer, optax.GradientTransformation):
        kind = f"the function {optimizer.__name__}: call it" if callable(optimizer) and hasattr(
            optimizer, "__name__") else f"{optimizer!r}"  # fmt: skip
        raise ArgumentTypeError(
            f"{call}: the optimizer must be an optax transformation, optax.adam(0.01), or the name of one, 'adam', and "
            f"got {kind}."
        )
    return optax.with_extra_args_support(optimizer)


def _by_name(name: str, call: str, learning_rate: Any) -> Any:
    made = None
    with contextlib.suppress(TypeError, AttributeError):
        made = getattr(optax, name)(learning_rate)
    if isinstance(made, optax.GradientTransformation):
        return made
    close = difflib.get_close_matches(name, ["adam", "adamw", "adabelief", "sgd", "rmsprop", "lbfgs", "lion"])
    raise ArgumentTypeError(
        f"{call}: optax has no optimiser {name!r} that takes a learning rate alone. "
        f"{f'Did you mean {close[0]!r}? ' if close else ''}Use 'adam', 'sgd', ..., or pass one: optax.adam(0.01)."
    )


class Minimum(NamedTuple):
    """Where a minimisation ended."""

    x: jax.Array  # [d]
    value: jax.Array
    gradient: jax.Array  # [d]
    converged: jax.Array
    num_steps: jax.Array


MEMORY = 10  # pairs that L-BFGS remembers
TRIALS = 30  # of the line search


def lbfgs(objective: Objective, start: jax.Array, max_steps: int, tolerance: float) -> Minimum:
    """L-BFGS with a zoom line search (Nocedal & Wright 2006, algorithms 7.4 and 3.5), as optax has them.

    It ends when the decrease that the model of the next step promises, g^T H^-1 g / 2, is below `tolerance`, or when
    the line search finds nothing lower; then it has converged if no more was promised than rounding may hide.

    Args:
        objective: `[d]` to a scalar.
        start: `[d]`, with a finite value and gradient.
        max_steps: at least 1.
        tolerance: in units of the objective.
    """
    direction = optax.scale_by_lbfgs(memory_size=MEMORY)
    search = optax.scale_by_zoom_linesearch(max_linesearch_steps=TRIALS, initial_guess_strategy="one")
    rounding = jnp.finfo(start.dtype).eps

    def unfinished(carry: Any) -> jax.Array:
        _, value, gradient, _, promised, steps, stuck = carry
        small = promised <= jnp.minimum(tolerance, rounding * jnp.abs(value))
        return (steps < max_steps) & ~small & ~stuck & jnp.isfinite(value) & jnp.isfinite(gradient).all()

    def step(carry: Any) -> Any:
        x, value, gradient, (of_direction, of_search), _, steps, _ = carry
        way, of_direction = direction.update(gradient, of_direction, x)
        way = -way
        promised = 0.5 * jnp.abs(jnp.vdot(gradient, way))
        move, of_search = search.update(way, of_search, x, value=value, grad=gradient, value_fn=objective)
        better = of_search.value < value
        keep = lambda a, b: jnp.where(better, a, b)  # noqa: E731
        x, gradient = keep(optax.apply_updates(x, move), x), keep(of_search.grad, gradient)
        return x, keep(of_search.value, value), gradient, (of_direction, of_search), promised, steps + 1, ~better

    value, gradient = jax.value_and_grad(objective)(start)
    state = direction.init(start), search.init(start)
    infinite = jnp.full((), jnp.inf, start.dtype)
    carry = start, value, gradient, state, infinite, jnp.zeros((), jnp.int32), jnp.zeros((), bool)
    x, value, gradient, _, promised, steps, _ = lax.while_loop(unfinished, step, carry)
    small = promised <= jnp.maximum(tolerance, 64 * rounding * jnp.maximum(1.0, jnp.abs(value)))
    return Minimum(x, value, gradient, jnp.isfinite(value) & jnp.isfinite(gradient).all() & small, steps)


def descend(objective: Objective, start: jax.Array, max_steps: int, tolerance: float, optimizer: Any) -> Minimum:
    """As `lbfgs`, with an optax optimiser; it takes all steps, and has converged if the last tenth gained less than
    `tolerance` a step, without having been nan."""
    value_and_grad = jax.value_and_grad(objective)

    def step(carry: Any, _: Any) -> Any:
        x, state = carry
        value, gradient = value_and_grad(x)
        updates, state = optimizer.update(gradient, state, x, value=value, grad=gradient, value_fn=objective)
        return (optax.apply_updates(x, updates), state), value

    (x, _), values = lax.scan(step, (start, optimizer.init(start)), length=max_steps)
    value, gradient = value_and_grad(x)
    tail = max(1, max_steps // 10)
    gained = jnp.abs(values[-tail] - value) / tail
    rounding = 4 * jnp.finfo(start.dtype).eps
    settled = gained <= jnp.maximum(tolerance, rounding * jnp.abs(value))
    finite = jnp.isfinite(value) & jnp.isfinite(gradient).all()
    return Minimum(x, value, gradient, finite & settled, jnp.asarray(max_steps, jnp.int32))
