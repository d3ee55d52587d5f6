"""Which entries of one array each entry of a program's outputs depends on: a proof that a density is a product."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax import jaxprs
from storax.logprob.deriving.dependence import Dependence, union
from storax.logprob.deriving.laws import is_known

NONE = Dependence({})
# Of each entry by itself.
ELEMENTWISE = frozenset(
    """
    abs acos acosh add add_any and asin asinh atan atan2 atanh bessel_i0e bessel_i1e bitcast_convert_type cbrt ceil
    clamp convert_element_type copy copy_p cos cosh digamma div eq erf erf_inv erfc exp exp2 expm1 floor ge gt
    igamma igamma_grad_a igammac integer_pow is_finite le lgamma log log1p log2 logistic lt max min mul ne neg
    nextafter not or optimization_barrier polygamma pow random_gamma_grad reduce_precision
    regularized_incomplete_beta rem round rsqrt select_n shift_left shift_right_arithmetic shift_right_logical sign
    sin sinh sqrt square stop_gradient sub tan tanh xor
""".split()  # noqa: SIM905
)
# What only moves entries.
MOVES = frozenset(
    """
    broadcast_in_dim concatenate expand_dims pad reshape rev slice split squeeze stack tile transpose unstack
""".split()  # noqa: SIM905
)
REDUCTIONS = frozenset(
    """
    argmax argmin reduce_and reduce_max reduce_min reduce_or reduce_prod reduce_sum
""".split()  # noqa: SIM905
)
# Of matrices in the last two axes, one by one.
MATRICES = frozenset({"cholesky", "triangular_solve"})


def track(closed: Any, inputs: Sequence[Dependence], known: Sequence[Any] = ()) -> list[Dependence]:
    """What each entry of the outputs depends on, given what those of the inputs do; rather too much than too little.

    Args:
        known: the values of inputs that may be indices, None where they are not known.
    """
    jaxpr = closed.jaxpr
    env: dict[Any, Dependence] = dict(zip(jaxpr.invars, inputs, strict=True))
    indices = {v: c for v, c in zip(jaxpr.constvars, closed.consts, strict=True) if _is_index(v) and is_known(c)}
    indices |= {v: x for v, x in zip(jaxpr.invars, known, strict=False) if x is not None}
    read = lambda v: NONE if jaxprs.is_literal(v) else env.get(v, NONE)  # noqa: E731
    for e in jaxpr.eqns:
        found = [read(v) for v in e.invars]
        if any(found):
            env.update(zip(e.outvars, _through(e, found, indices), strict=True))
        elif all(jaxprs.is_literal(v) or v in indices for v in e.invars) and all(map(_is_index, e.outvars)):
            with jax.ensure_compile_time_eval():
                values = jaxprs.evaluate(e, [jaxprs.read(indices, v) for v in e.invars])
            indices.update(zip(e.outvars, values, strict=True))
    return [read(v) for v in jaxpr.outvars]


def _is_index(v: Any) -> bool:
    """May it be one?  Then its value is found, where it is known."""
    return not jnp.issubdtype(v.aval.dtype, jnp.floating) and int(np.prod(v.aval.shape)) <= 1 << 20


def _through(e: Any, found: list[Dependence], indices: dict[Any, Any]) -> list[Dependence]:
    name, shapes = e.primitive.name, [tuple(v.aval.shape) for v in e.outvars]
    if name in jaxprs.TRANSPARENT:
        return track(jaxprs.callee(e.params), found, [indices.get(v) if not jaxprs.is_literal(v) else v.val
                                                      for v in e.invars])  # fmt: skip
    if name in ELEMENTWISE or jaxprs.is_of_exponents(e):
        return [union([d for d in found if d], s) for s in shapes]
    if name in MOVES:
        return _moved(e, found, shapes, {})
    if name in ("gather", "dynamic_slice") and not any(found[1:]):
        known = {i: indices.get(v, getattr(v, "val", None)) for i, v in enumerate(e.invars) if i}
        if all(x is not None for x in known.values()):
            return _moved(e, found, shapes, known)
    if name == "gather":
        return [_looked_up(e, found, shapes[0])]
    if name in REDUCTIONS:
        return [found[0].merged(tuple(e.params["axes"])).map(lambda ids: ids.reshape(shapes[0]))]
    if name == "dot_general":
        return [_product(e, found, shapes[0])]
    if name == "triangular_solve" and not found[0]:  # one matrix and several vectors
        axis = -2 if e.params["left_side"] else -1
        return [found[1].merged((axis,)).map(lambda ids: np.broadcast_to(np.expand_dims(ids, axis), shapes[0]))]
    if name in MATRICES and all(len(v.aval.shape) == len(shapes[0]) for v in e.invars):
        every = [d.merged((-2, -1)).map(lambda ids: ids[..., None, None]) for d in found if d]
        return [union(every, shapes[0])]
    return [union([d.everywhere(s) for d in found], s) for s in shapes]


def _moved(e: Any, found: list[Dependence], shapes: list[tuple[int, ...]], known: dict[int, Any]) -> list[Dependence]:
    """An equation that moves entries to places that are known, done to their numbers."""
    parts: list[list[Dependence]] = [[] for _ in shapes]
    for i, d in enumerate(found):
        if not d:
            continue

        def run(ids: Any, at: int, i: int = i) -> Any:
            with jax.ensure_compile_time_eval():
                blank = [known.get(n, jnp.zeros(v.aval.shape, jnp.int32)) for n, v in enumerate(e.invars)]
                blank[i] = jnp.asarray(ids + 1, jnp.int32)  # 0 is what the equation fills in
                return np.asarray(jaxprs.evaluate(e, blank)[at]).astype(int) - 1

        for at in range(len(shapes)):
            parts[at].append(d.map(lambda ids, at=at: run(ids, at)))  # type: ignore[misc]
    return [union(p, s) for p, s in zip(parts, shapes, strict=True)]


def _looked_up(e: Any, found: list[Dependence], shape: tuple[int, ...]) -> Dependence:
    """Entries of a table: the batch axes of the indices are those axes of the result that are no offsets."""
    numbers, (table, places) = e.params["dimension_numbers"], [v.aval.shape for v in e.invars[:2]]
    offset = set(numbers.offset_dims)

    def spread(ids: Any) -> Any:  # from the batch axes of the indices
        sizes = iter(ids.shape)
        return np.broadcast_to(ids.reshape([1 if a in offset else next(sizes) for a in range(len(shape))]), shape)

    rows, axes = numbers.operand_batching_dims, numbers.start_indices_batching_dims

    def of_table(ids: Any) -> Any:  # a row of the table for each of some batch axes
        ids = ids.transpose([sorted(rows).index(r) for _, r in sorted(zip(axes, rows, strict=True))])
        return spread(ids.reshape([places[a] if a in axes else 1 for a in range(len(places) - 1)]))

    parts = []
    if found[0]:
        parts.append(found[0].merged(tuple(a for a in range(len(table)) if a not in rows)).map(of_table))
    if found[1]:
        parts.append(found[1].merged((-1,)).map(spread))
    return union(parts, shape)


def _product(e: Any, found: list[Dependence], shape: tuple[int, ...]) -> Dependence:
    (contracted, batch), parts = e.params["dimension_numbers"], []
    ranks = [len(v.aval.shape) for v in e.invars]
    free = [[a for a in range(ranks[i]) if a not in (*contracted[i], *batch[i])] for i in (0, 1)]
    for i, d in enumerate(found):
        if not d:
            continue
        kept = sorted((*batch[i], *free[i]))
        order = [kept.index(a) for a in (*batch[i], *free[i])]
        sizes = e.invars[i].aval.shape
        here = [sizes[a] for a in free[i]]
        view = [*(sizes[a] for a in batch[i]), *(here if i == 0 else [1] * len(free[0])),
                *([1] * len(free[1]) if i == 0 else here)]  # fmt: skip
        f = lambda ids, order=order, view=view: np.broadcast_to(ids.transpose(order).reshape(view), shape)  # noqa: E731
        parts.append(d.merged(tuple(contracted[i])).map(f))
    return union(parts, shape)
