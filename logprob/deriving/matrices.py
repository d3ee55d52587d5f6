"""Random matrices: their Cholesky factors, products with their transposes, inverses, and A X A'.

Jacobians as in Muirhead (1982), "Aspects of multivariate statistical theory", theorems 2.1.5 to 2.1.9; those of
correlation matrices as in Lewandowski, Kurowicka and Joe (2009).
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular

from storax import supports
from storax.logprob.deriving.pieces import known_all
from storax.logprob.deriving.randoms import Random, Step
from storax.logprob.deriving.registry import RULES, refuse, rule

WHY = "is a matrix, whose entries depend on each other"


def _kind(r: Any) -> str:
    """What the entries that count say of a matrix: "full" or "correlation" if it is symmetric or its factor."""
    if not isinstance(r, Random) or r.free is None or len(r.shape) < 2 or r.shape[-1] != r.shape[-2]:
        return ""
    n = r.shape[-1]
    for kind, k in (("full", 0), ("correlation", -1)):
        if np.array_equal(r.free, np.broadcast_to(np.tril(np.ones((n, n), bool), k), r.shape)):
            return kind
    return ""


def _form(r: Random) -> str:
    """ "lower" or "symmetric": of a draw, by its support; of a product with positive numbers, as its argument."""
    while r.made is not None:
        if r.form:
            return r.form
        known = [x for x in r.made.inputs if not isinstance(x, Random)]
        if r.made.name not in ("mul", "div", "copy", "stop_gradient") or not all(
            known_all(lambda x, z: x > z, x, 0.0) for x in known
        ):
            return ""
        (_, inner) = r.made.one()
        if inner.form == "symmetric" and any(np.ndim(x) and not _is_symmetric(x) for x in known):
            return ""
        r = inner
    return r.form


def _is_symmetric(x: Any) -> bool:
    return np.ndim(x) >= 2 and known_all(lambda a, b: a == b, x, np.swapaxes(np.asarray(x), -1, -2))


def _diagonal(x: Any) -> Any:
    return jnp.diagonal(x, axis1=-2, axis2=-1)


def _log_square(factor: Any, kind: str) -> Any:
    """log |d(L L') / dL|: 2^n times the product of L_ii^(n - i); of correlations of L_ii^(n - i - 1), i = 0, 1, ..."""
    n = factor.shape[-1]
    powers = n - np.arange(n) - (1 if kind == "correlation" else 0)
    more = n * math.log(2.0) if kind == "full" else 0.0
    return more + jnp.sum(powers * jnp.log(_diagonal(factor)), -1)


@rule("jit:cholesky")
def _(step: Step) -> Random:
    place, r = step.one()
    kind = _kind(r)
    if not kind or _form(r) != "symmetric" or not _is_lower_factor(step):
        refuse("factors a matrix that is not known to be a random positive definite one")

    def push(y: Any) -> Any:
        fits = (jnp.tril(y) == y).all() & (_diagonal(y) > 0).all()
        factor = jnp.where(fits, y, jnp.eye(y.shape[-1]))
        score = jnp.where(fits, _log_square(factor, kind).sum(), -jnp.inf)
        return [(place, factor @ jnp.swapaxes(factor, -1, -2))], score

    return step.random(r.deps.everywhere(step.shape), why=WHY, push=push, smooth=True, free=r.free, form="lower")


def _is_lower_factor(step: Step) -> bool:
    """Is it the lower one?  Shown by an example."""
    _, r = step.one()
    n = r.shape[-1]
    with jax.ensure_compile_time_eval():
        example = jnp.eye(n, dtype=r.dtype) * 4 + 1
        found = np.asarray(step.of(jnp.broadcast_to(example, r.shape)))
        return bool(np.allclose(found, np.linalg.cholesky(np.asarray(example)), rtol=1e-4))


@rule("jit:inv")
def _(step: Step) -> Random:
    """Of an n x n matrix: |det|^(-2 n); of a symmetric or triangular one, with half as many entries, |det|^-(n + 1)."""
    place, r = step.one()
    kind, form, n = _kind(r), _form(r), r.shape[-1]
    if r.smooth is not True or (r.free is not None and (kind != "full" or not form)):
        refuse("inverts a matrix some of whose entries follow from the others")
    power = n + 1 if kind else 2 * n

    def push(y: Any) -> Any:
        sign, log_det = jnp.linalg.slogdet(y)
        fits = jnp.isfinite(log_det) & (sign != 0)
        x = jnp.linalg.inv(jnp.where(fits[..., None, None], y, jnp.eye(n)))
        if kind:
            x = jnp.tril(x) if form == "lower" else 0.5 * (x + jnp.swapaxes(x, -1, -2))
            fits = fits & (supports.lower_cholesky if form == "lower" else supports.positive_definite)(y)
        return [(place, x)], jnp.where(fits, -power * jnp.where(fits, log_det, 0.0), -jnp.inf).sum()

    return step.random(r.deps.everywhere(step.shape), why=WHY, push=push, smooth=True, free=r.free, form=form)


def product(step: Step) -> Random | None:
    """X X', A X A' and A L of a random matrix, and x @ x of a vector; None of another product."""
    if len(step.places) == 2:
        return _squared_length(step) or _with_transpose(step)
    return _triangular(step) or _sandwich(step)


def _squared_length(step: Step) -> Random | None:
    a, b = step.inputs
    if a is not b or step.shape != () or len(a.shape) != 1:
        return None
    square = Step("square", {}, [a], jax.ShapeDtypeStruct(a.shape, a.dtype), 0, lambda xs: [jnp.square(xs[0])])
    inner = RULES["elementwise"](square)
    inner.made = square
    add = Step("reduce_sum", {"axes": (0,)}, [inner], step.aval, 0, lambda xs: [jnp.sum(xs[0])])
    result = RULES["reduce_sum"](add)
    return result if result.law is not None else None


def _with_transpose(step: Step) -> Random | None:
    """L L' of a lower triangular L with a positive diagonal."""
    a, b = step.inputs
    base = a
    turned = b is a or (b.made is not None and b.made.name == "transpose" and b.made.inputs[0] is a)
    kind = _kind(base)
    if not turned or not kind or _form(base) != "lower" or step.shape != base.shape or len(base.shape) != 2:
        return None
    n = base.shape[-1]
    with jax.ensure_compile_time_eval():
        example = np.tril(1.0 + np.arange(n * n).reshape(n, n)).astype(base.dtype)
        other = example if b is a else example.T
        if not np.allclose(np.asarray(step.run(jnp.asarray(example), jnp.asarray(other))), example @ example.T):
            return None

    def push(y: Any) -> Any:
        factor = jnp.linalg.cholesky(y)
        fits = jnp.isfinite(factor).all() & supports.positive_definite(y)
        factor = jnp.where(fits, factor, jnp.eye(n))
        return [(0, factor)], jnp.where(fits, -_log_square(factor, kind), -jnp.inf)

    return step.random(a.deps.everywhere(step.shape), why=WHY, push=push, smooth=True, free=base.free,
                       form="symmetric")  # fmt: skip


def _is_plain_product(step: Step) -> bool:
    """Is it A @ B of two matrices?"""
    shapes = [x.shape if isinstance(x, Random) else np.shape(x) for x in step.inputs]
    numbers = step.params["dimension_numbers"]
    return (
        step.name == "dot_general"
        and [len(s) for s in shapes] == [2, 2]
        and [tuple(map(tuple, d)) for d in numbers] == [((1,), (0,)), ((), ())]
    )


def _known(x: Any) -> np.ndarray[Any, Any] | None:
    return None if isinstance(x, (Random, jax.core.Tracer)) else np.asarray(x, float)


def _triangular(step: Step) -> Random | None:
    """A L with both lower triangular: every free entry of row i has the factor A_ii."""
    if not _is_plain_product(step) or step.places != [1]:
        return None
    a, r = _known(step.inputs[0]), step.inputs[1]
    if a is None or not _kind(r) or _form(r) != "lower" or (np.tril(a) != a).any() or (np.diag(a) <= 0).any():
        return None
    log_det = float((r.free.sum(1) * np.log(np.diag(a))).sum())

    def push(y: Any) -> Any:
        fits = (jnp.tril(y) == y).all()
        x = jnp.tril(solve_triangular(jnp.asarray(a, y.dtype), y, lower=True))
        return [(1, x)], jnp.where(fits, -log_det, -jnp.inf)

    return step.random(r.deps.everywhere(step.shape), why=WHY, push=push, smooth=True, free=r.free, form="lower")


def _sandwich(step: Step) -> Random | None:
    """A X A' of a symmetric X: |det A|^(n + 1); of correlations, A being diagonal, the product of both scales."""
    if not _is_plain_product(step):
        return None
    (place,) = step.places
    inner, outer = step.inputs[place], _known(step.inputs[1 - place])
    made = inner.made
    if made is None or outer is None or made.name != "dot_general" or not _is_plain_product(made):
        return None
    if len(made.places) != 1 or made.places[0] == place:
        return None
    x, other = made.inputs[1 - place], _known(made.inputs[place])
    if other is None or not isinstance(x, Random) or not _kind(x) or _form(x) != "symmetric":
        return None
    a = outer if place == 1 else other
    if not np.array_equal(outer, other.T) or np.linalg.matrix_rank(a) < len(a):
        return None
    if _kind(x) == "correlation":
        if (np.diag(np.diag(a)) != a).any():
            return None
        log_det = float(np.log(np.abs(np.outer(np.diag(a), np.diag(a))))[np.tril_indices(len(a), -1)].sum())
    else:
        log_det = float((len(a) + 1) * np.linalg.slogdet(a)[1])
    back = np.linalg.inv(a)

    def push(y: Any) -> Any:
        """To X itself, past A X or X A'."""
        sym = supports.positive_definite(y)
        mean = jnp.asarray(back, y.dtype) @ y @ jnp.asarray(back.T, y.dtype)
        value = 0.5 * (mean + mean.T)
        if _kind(x) == "correlation":
            value = jnp.where(jnp.eye(len(a), dtype=bool) & (jnp.abs(value - 1) < 1e-5), 1.0, value)
        return [((place, 1 - place), value)], jnp.where(sym, -log_det, -jnp.inf)

    return step.random(x.deps.everywhere(step.shape), why=WHY, push=push, smooth=True, free=x.free, form="symmetric")
