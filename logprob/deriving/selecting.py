"""The rule of `select_n`: entries of several arrays, by a known or a random choice."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax.errors import NotMeasurable
from storax.logprob.deriving import elementwise as _primitives  # noqa: F401  (the table of primitives)
from storax.logprob.deriving import orders as _orders  # noqa: F401  (its rules)
from storax.logprob.deriving.arrays import Joined, join_gaussian
from storax.logprob.deriving.dependence import union
from storax.logprob.deriving.laws import point
from storax.logprob.deriving.mixtures import Chosen
from storax.logprob.deriving.randoms import Random, Step
from storax.logprob.deriving.registry import rule
from storax.logprob.deriving.scalars import elementwise


@rule("select_n")
def _(step: Step) -> Random:
    which, *cases = step.inputs
    if isinstance(which, Random):
        return elementwise(step)
    if not isinstance(which, jax.core.Tracer):
        return _known_selection(step, np.asarray(which), cases)
    laws: list[Any] = [c.law if isinstance(c, Random) else point(c) for c in cases]
    why = next((c.why for c in cases if isinstance(c, Random) and c.law is None), "")
    deps = step.elementwise()
    law = None
    if all(v is not None for v in laws):
        law = Chosen(which.astype(jnp.int32), laws, step.shape, step.aval.dtype)
    return step.random(deps, law=law, why=why, gaussian=join_gaussian(step, tuple(range(1, len(step.inputs)))),
                       affine=all(r.affine for r in step.randoms), smooth=None)  # fmt: skip


def _known_selection(step: Step, which: Any, cases: list[Any]) -> Random:
    picked = np.broadcast_to(which, step.shape).astype(int)
    only = np.unique(picked)
    if len(only) == 1:
        case = cases[only[0]]
        return case if isinstance(case, Random) else jnp.broadcast_to(case, step.shape)  # type: ignore[return-value]
    parts = []
    for k, c in enumerate(cases):
        if isinstance(c, Random):
            parts.append(c.deps.map(lambda ids, k=k: np.where(picked == k, ids, -1)))  # type: ignore[misc]
    deps = union(parts, step.shape)
    if not deps:
        raise NotMeasurable("selects known entries only")
    laws = [c.law if isinstance(c, Random) else point(jnp.broadcast_to(c, step.shape)) for c in cases]
    why = next((c.why for c in cases if isinstance(c, Random) and c.law is None), "")
    law = None
    flat = np.arange(picked.size)
    if all(v is not None for v in laws):
        law = Joined(picked.ravel(), flat, laws, step.shape, step.aval.dtype)  # type: ignore[arg-type]
    entries = tuple(range(1, len(step.inputs)))
    return step.random(deps, law=law, why=why, gaussian=join_gaussian(step, entries), smooth=None)
