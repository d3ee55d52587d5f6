"""Has an optimisation settled, and where did it go wrong?"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from storax.errors import InferenceError


class NotFinite(InferenceError):
    """A loss or a gradient was not finite; `fit` is what was found before."""

    fit: Any


def has_settled(losses: np.ndarray) -> bool:
    """Are the means of the last two tenths equal, within three of their standard errors or 0.01 nats?"""
    size = len(losses) // 10
    if size < 10:
        return False
    last, before = losses[-size:].astype(np.float64), losses[-2 * size : -size].astype(np.float64)
    noise = np.sqrt((last.var(ddof=1) + before.var(ddof=1)) / size)
    return bool(abs(last.mean() - before.mean()) <= max(3 * noise, 0.01))


def not_worse(new: np.ndarray, best: np.ndarray) -> bool:
    """Are these losses, over the same draws, no higher than the best so far but for their noise?

    Of parameters that cannot be told apart the later ones are taken: those that happen to suit a few draws are not
    better, and an optimiser's later steps are smaller.
    """
    if not np.isfinite(new).all():
        return False
    if not np.isfinite(best).all():
        return True
    difference = new - best
    return bool(difference.mean() <= 2 * difference.std() / np.sqrt(len(difference)))


def explain_nan(target: Any, params: Any, key: jax.Array, step: int, fit: Any) -> NotFinite:
    """The error for a step that was not finite: says which site is to blame."""
    scores: dict[str, Any] = {}
    for draw in range(32):  # the particle that was not finite is one of a few
        scores = target.site_scores(params, key if draw == 0 else jax.random.fold_in(key, draw))
        if not all(np.isfinite(float(x)) for x in scores.values()):
            break
    bad = [f"{n} contributes {float(x):.3g}" for n, x in scores.items() if not np.isfinite(float(x))]
    table = ", ".join(f"{n}: {float(x):.4g}" for n, x in scores.items())
    if bad:
        what = f"{', '.join(bad)}; the sites scored {table}"
    else:
        what = f"every site is finite (they scored {table}), so it is the gradient: a jnp.where over a branch that is "
        what += "nan, or sqrt, norm or abs at zero"
    error = NotFinite(
        f"sx.svi: the loss or its gradient was not finite at step {step}: {what}. What was found before is in the "
        f"error's `fit`. Take smaller steps (optimizer=optax.adam(0.001)), clip gradients (optax.chain(optax."
        f"clip_by_global_norm(10.0), ...)), or start elsewhere (params=)."
    )
    error.fit = fit
    return error
