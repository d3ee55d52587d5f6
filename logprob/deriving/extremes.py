"""The smallest and the largest of independent numbers, observed together."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from storax.logprob.deriving.images import is_smooth
from storax.logprob.deriving.laws import Density, Law, between, log_sum
from storax.logprob.deriving.randoms import Random


def settle(solver: Any) -> bool:
    """Score a minimum and a maximum of the same numbers, if nothing else that is left depends on those."""
    for low in solver.left:
        a = solver.walk(low.node)
        if not isinstance(a, Random) or a.made is None or a.made.name != "reduce_min":
            continue
        x = a.made.inputs[0]
        others = [o for o in solver.left if o is not low and not solver.walk(o.node).deps.disjoint(x.deps)]
        if len(others) != 1 or x.law is None or not x.deps.independent:
            continue
        (high,) = others
        b = solver.walk(high.node).made
        same = (
            b is not None and b.name == "reduce_max" and b.inputs[0] is x and b.params["axes"] == a.made.params["axes"]
        )
        if same and (x.law.is_discrete or is_smooth(x.law)):
            axes = tuple(a.made.params["axes"])
            solver.settle_together([low, high], both(x.law, axes, jnp.asarray(low.value), jnp.asarray(high.value)))
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
