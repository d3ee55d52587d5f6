"""From particles to a loss whose gradient is an unbiased estimate."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.special import logsumexp


class Terms(NamedTuple):
    """What particles say, each `[particle, combination]`; combinations are the enumerated values of a guide.

    The log densities of the model and of the guide may lack sites, for which `divergence` has KL(guide || model).
    """

    log_p: jax.Array
    log_q: jax.Array
    divergence: jax.Array
    log_chance: jax.Array  # log probability of the combination
    score: jax.Array  # log density of the draws without a path derivative, at their values


def bound(terms: Terms, alpha: float, has_scores: bool, baseline: Any = None) -> jax.Array:
    """A lower bound on the log evidence, a scalar; its gradient is the estimator's.

    With alpha 1 the evidence lower bound.  Otherwise the variational Renyi bound (Li & Turner 2016, eq. 7), of which
    alpha 0 is the importance weighted bound (Burda, Grosse & Salakhutdinov 2016, eq. 8).

    Args:
        terms: of the particles.
        alpha: below or equal to 1.
        has_scores: is there any draw without a path derivative?
        baseline: what is subtracted from the value of a single particle in front of its score; it changes the variance
            and not the mean.  With more particles it is the mean of the others.
    """
    f = terms.log_p - terms.log_q - terms.divergence
    chance = jnp.exp(terms.log_chance)
    if alpha != 1.0:
        values = (1 - alpha) * f[:, 0]
        return (logsumexp(values) - jnp.log(float(len(values)))) / (1 - alpha)
    f = jnp.where(chance > 0, f, 0.0)  # 0 log 0
    if has_scores:
        count = len(f)
        # Leave one out: Kool, van Hoof & Welling 2019; Mnih & Rezende 2016, eq. 7.
        others = (f.sum(0, keepdims=True) - f) / (count - 1) if count > 1 else 0.0 if baseline is None else baseline
        # 0 in value; in its gradient (f - b) grad log q.
        f = f + lax.stop_gradient(f - others) * (terms.score - lax.stop_gradient(terms.score))
    return (chance * f).sum(1).mean()
