"""The smallest and the largest of independent numbers, observed together."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from storax.logprob.deriving.dependence import union
from storax.logprob.deriving.images import is_smooth
from storax.logprob.deriving.laws import Law, between
from storax.logprob.deriving.measures import Density, log_sum
from storax.logprob.deriving.randoms import Random


def _numbers(r: Any, reduction: str, of_two: str) -> Any:
    """The law of the numbers, the axes they are along, and what they are, if r is an extreme of them."""
    from storax.logprob.deriving.arrays import Joined

    made = r.made if isinstance(r, Random) else None
    if made is not None and made.name == reduction and made.inputs[0].deps.independent:
        x = made.inputs[0]
        return (x.law, tuple(made.params["axes"]), [x]) if x.law is not None else None
    if made is None or made.name != of_two or r.shape != () or not all(isinstance(x, Random) for x in made.inputs):
        return None
    a, b = made.inputs
    if a.law is None or b.law is None or not a.deps.disjoint(b.deps):
        return None
    return Joined(np.arange(2), np.zeros(2, int), [a.law, b.law], (2,), r.dtype), (0,), [a, b]


def settle(solver: Any) -> bool:
    """Score a minimum and a maximum of the same numbers, if nothing else that is left depends on those."""
    for low in solver.left:
        found = _numbers(solver.walk(low.node), "reduce_min", "min")
        if found is None:
            continue
        law, axes, xs = found
        deps = union([x.deps for x in xs], xs[0].shape)
        others = [o for o in solver.left if o is not low and not solver.walk(o.node).deps.disjoint(deps)]
        top = _numbers(solver.walk(others[0].node), "reduce_max", "max") if len(others) == 1 else None
        if top is None or top[1] != axes or {id(x) for x in top[2]} != {id(x) for x in xs}:
            continue
        if law.is_discrete or is_smooth(law):
            (high,) = others
            solver.settle_together([low, high], both(law, axes, jnp.asarray(low.value), jnp.asarray(high.value)))
            return True
    return False


def both(law: Law, axes: tuple[int, ...], low: Any, high: Any) -> Density:
    """The log density of the smallest and the largest number along axes; log masses of discrete ones.

    One number i is the smallest, another one j the largest, and the rest lies between:
    sum over i, j of f_i(low) f_j(high) prod_k (F_k(high) - F_k(low)).
    """
    fit = lambda v: jnp.broadcast_to(jnp.expand_dims(v, axes), law.shape)  # noqa: E731
    low, high = fit(low), fit(high)

    def rows(v: Any) -> Any:
        kept = [k for k in range(len(law.shape)) if k not in axes]
        v = jnp.transpose(jnp.broadcast_to(v, law.shape), (*axes, *kept))
        return v.reshape(-1, *v.shape[len(axes) :])

    if law.is_discrete:
        within = lambda low_in, high_in: rows(between(law, low, high, low_in, high_in)).sum(0)  # noqa: E731
        whole = within(True, True)
        possible = whole > -jnp.inf
        part = lambda *ends: jnp.exp(jnp.where(possible, within(*ends) - jnp.where(possible, whole, 0.0), -jnp.inf))  # noqa: E731
        left = 1 - part(False, True) - part(True, False) + part(False, False)
        ok = possible & (left > 0)
        return jnp.where(ok, whole + jnp.log(jnp.where(ok, left, 1.0)), -jnp.inf), 0
    first, last = rows(law.density(low)[0]), rows(law.density(high)[0])
    gap = rows(between(law, low, high, True, True))
    n = len(first)
    if n < 2:
        return jnp.full(first.shape[1:], -jnp.inf), 2
    none = gap == -jnp.inf
    safe = jnp.where(none, 0.0, gap)
    rest = safe.sum(0) - safe[:, None] - safe[None]
    missing = none.sum(0) - none[:, None].astype(int) - none[None].astype(int)
    terms = jnp.where(missing > 0, -jnp.inf, first[:, None] + last[None] + rest)
    apart = ~np.eye(n, dtype=bool).reshape(n, n, *[1] * (terms.ndim - 2))
    score = log_sum(jnp.where(apart, terms, -jnp.inf).reshape(n * n, *terms.shape[2:]))
    return jnp.where(rows(low)[0] < rows(high)[0], score, -jnp.inf), 2
