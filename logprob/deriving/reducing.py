"""Rules of equations that reduce arrays, or combine their entries linearly."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax.distributions.special import log1mexp
from storax.logprob.deriving import elementwise as _primitives  # noqa: F401  (the table of primitives)
from storax.logprob.deriving import extremes, lengths, matrices, products, sharing, sums
from storax.logprob.deriving import orders as _orders  # noqa: F401  (its rules)
from storax.logprob.deriving.algebra import Extreme, NormalLaw
from storax.logprob.deriving.images import is_smooth
from storax.logprob.deriving.laws import Finite, Law
from storax.logprob.deriving.measures import log_sum
from storax.logprob.deriving.randoms import Random, Step
from storax.logprob.deriving.registry import RULES, refuse, rule
from storax.logprob.deriving.scalars import gaussian_of


@rule("reduce_max", "reduce_min")
def _(step: Step) -> Random:
    _, r = step.one()
    axes = tuple(step.params["axes"])
    deps = r.deps.merged(axes)
    if r.law is None:
        return step.random(deps, why=r.why)
    if not r.deps.independent:
        law, why = sharing.reduced(step, r, axes)
        why = why or "is the largest or smallest of numbers that are not independent"
        return step.random(deps, law=law, why="" if law is not None else why, smooth=_kind(law))
    largest = step.name == "reduce_max"
    law = extremes.of_alike(r, axes, largest, step.shape) or Extreme([r.law], largest, step.shape, axes)
    return step.random(deps, law=law, smooth=r.smooth)


def _kind(law: Law | None) -> bool | None:
    """Is it smooth, has it masses only, or neither?"""
    if law is None:
        return None
    return False if law.is_discrete else True if is_smooth(law) else None


@rule("reduce_or", "reduce_and")
def _(step: Step) -> Random:
    _, r = step.one()
    axes = tuple(step.params["axes"])
    deps = r.deps.merged(axes)
    if r.law is None:
        return step.random(deps, why=r.why)
    if not r.deps.independent:
        law, why = sharing.reduced(step, r, axes)
        return step.random(deps, law=law, why=why or "joins truth values that are not independent", smooth=_kind(law))
    few = r.law.finite
    if few is None or r.dtype != np.bool_:
        refuse("joins whole numbers bit by bit")
    assert few is not None
    every = step.name == "reduce_and"
    hit = jnp.stack([jnp.broadcast_to(jnp.asarray(v) == every, r.shape) for v in few.values])
    alike = log_sum(jnp.where(hit, few.log_mass, -jnp.inf)).sum(axes)  # all are True, or all are False
    other = jnp.where(alike == 0, -jnp.inf, log1mexp(-alike))
    values = [np.full(step.shape, every), np.full(step.shape, not every)]
    return step.random(deps, law=Finite(values, jnp.stack([alike, other]), step.shape, bool), smooth=False)


@rule("reduce_sum")
def _(step: Step) -> Random:
    _, r = step.one()
    axes = tuple(step.params["axes"])
    if not axes or all(r.shape[a] == 1 for a in axes):
        return RULES["reshape"](step)
    deps, gaussian = r.deps.merged(axes), gaussian_of(step)
    law: Any = NormalLaw(gaussian, deps, step.shape) if gaussian is not None and deps.independent else None
    why = r.why
    if law is None and r.law is not None:
        if r.deps.independent:
            law = sums.along(r.law, axes, step.shape, step.aval.dtype)
            law = law or sharing.reduced(step, r, axes)[0]
            why = "sums random quantities whose sum has no closed form"
        else:
            law, why = sharing.reduced(step, r, axes)
            why = why or "sums numbers that are not independent"
    if law is None and (x := lengths.squared(r)) is not None:
        law = lengths.sum_of_squares(x, axes, step.shape, step.aval.dtype)
    return step.random(deps, law=law, why="" if law is not None else why, gaussian=gaussian, affine=r.affine,
                       smooth=r.smooth)  # fmt: skip


@rule("reduce_prod")
def _(step: Step) -> Random:
    _, r = step.one()
    axes = tuple(step.params["axes"])
    if not axes or all(r.shape[a] == 1 for a in axes):
        return RULES["reshape"](step)
    deps, law, why = r.deps.merged(axes), None, r.why
    if r.law is not None:
        law = products.product_along(r.law, axes, step.shape, step.aval.dtype) if r.deps.independent else None
        if law is None:
            law, why = sharing.reduced(step, r, axes)
    return step.random(deps, law=law, why=why, smooth=_kind(law))


@rule("dot_general", "cumsum", "triangular_solve", "custom_linear_solve", "conv_general_dilated")
def _(step: Step) -> Random:
    if step.name == "dot_general" and (matrix := matrices.product(step)) is not None:
        return matrix
    place, r = step.one()
    if (step.name == "triangular_solve" and place == 0) or (
        step.name == "custom_linear_solve" and place != len(step.inputs) - 1
    ):
        refuse("has a random matrix")
    deps, gaussian = r.deps.everywhere(step.shape), gaussian_of(step)
    law = None
    if gaussian is not None and deps.independent:
        law = NormalLaw(gaussian, deps, step.shape)
    return step.random(deps, law=law, why="" if law is not None else "combines entries linearly", gaussian=gaussian,
                       affine=r.affine, push=linear_push(step), smooth=True if r.smooth else None)  # fmt: skip


def linear_push(step: Step) -> Any:
    """From the value of an affine equation with as many results as arguments to the argument."""
    place, r = step.one()

    def push(y: Any) -> Any:
        size = int(np.prod(r.shape))
        if r.free is not None:
            refuse("is a linear map of a matrix or vector, some of whose entries follow from the others")
        if int(np.prod(step.shape)) != size:
            refuse(f"is a linear map from {size} numbers to {int(np.prod(step.shape))}")
        y = jnp.asarray(y)
        if step.name == "cumsum":
            if r.smooth is None:
                refuse("sums numbers that may have masses")
            axis, back = step.params["axis"], step.params["reverse"]
            flip = (lambda v: jnp.flip(v, axis)) if back else (lambda v: v)
            return [(place, flip(jnp.diff(flip(y), axis=axis, prepend=jnp.zeros((), y.dtype))))], 0.0
        if r.smooth is not True:
            refuse("is a linear map of numbers that may have masses")
        zero = jnp.zeros(r.shape, r.dtype)
        matrix = jax.jacfwd(step.of)(zero).reshape(size, size)
        if not isinstance(matrix, jax.core.Tracer) and np.linalg.matrix_rank(np.asarray(matrix, float)) < size:
            refuse("is a linear map that is singular")
        x = jnp.linalg.solve(matrix, jnp.ravel(y - step.of(zero))).reshape(r.shape)
        log_det = jnp.linalg.slogdet(matrix)[1]
        return [(place, x)], jnp.where(jnp.isfinite(log_det), -log_det, jnp.nan)  # singular

    return push
