"""Gaussian carries of a loop: the Kalman filter, whose matrices are the body's own.

Kalman (1960).  The covariance after an observation is (I - K H) S (I - K H)', which stays symmetric and positive
(Joseph's form).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import block_diag, cho_solve

from storax.errors import NotMeasurable
from storax.logprob.deriving.gaussians import Gaussian, log_normal
from storax.logprob.deriving.graphs import Node
from storax.logprob.deriving.laws import Density
from storax.logprob.deriving.randoms import Random
from storax.logprob.deriving.solving import total
from storax.logprob.deriving.stepping import Solved


def moments(randoms: Sequence[Random], tokens: Sequence[Node] = (), cov: Any = None) -> tuple[Any, Any, Any]:
    """Mean of Gaussian arrays, flat; their coefficients of all noise, and the covariance of that.

    Args:
        tokens: nodes whose noise, flat, has the joint covariance `cov`; all other noise is standard normal.
    """
    parts = [r.gaussian for r in randoms]
    noise = {t: t.shape for t in tokens} | {d: s for g in parts if g is not None for d, s in g.noise.items()}
    dtype = jnp.result_type(*[r.dtype for r in randoms])
    flat = lambda e: jnp.concatenate([jnp.ravel(g.f(e)) for g in parts if g is not None])  # noqa: E731
    whole = Gaussian(noise, flat, dtype)
    other = sum(int(np.prod(s)) for d, s in noise.items() if d not in tokens)
    sigma = jnp.eye(other, dtype=dtype)
    return whole.mean, whole.matrix(), block_diag(cov, sigma) if tokens else sigma


def condition(step: Solved, tokens: Sequence[Node], cov: Any, hidden: Sequence[Random]) -> tuple[Density, Any, Any]:
    """The density of a step, and mean and covariance of the hidden carries after it.

    Raises:
        NotMeasurable: something that is observed depends on them, but is not jointly Gaussian with them.
    """
    solver = step.solver
    behind = {*tokens, *(d for r in hidden for d in r.deps)}
    shared = [s for s in solver.settled if behind.intersection(s.random.deps)]
    if any(s.random.gaussian is None for s in shared):
        raise NotMeasurable("observes what is not an affine function of a Gaussian carry that has no value")
    replaced = {s.place for s in shared}
    shared = [s for s in solver.settled if s.place in replaced]
    kept = [t for i, t in enumerate(solver.terms) if i not in replaced]
    seen = [s.random for s in shared]
    if not seen and not hidden:
        return total(kept), None, None
    mean, a, sigma = moments([*seen, *hidden], tokens, cov)
    n = sum(int(np.prod(r.shape)) for r in seen)
    h, f = a[:n], a[n:]
    prior = f @ sigma @ f.T
    if not n:
        return total(kept), mean, prior
    y = jnp.concatenate([jnp.ravel(jnp.asarray(s.observation.value, s.random.dtype)) for s in shared])
    s = h @ sigma @ h.T
    score = log_normal(y, mean[:n], s)
    factor = jnp.linalg.cholesky(s)
    gain = cho_solve((factor, True), h @ sigma).T
    rest = jnp.eye(len(sigma), dtype=a.dtype) - gain @ h
    after = f @ (rest @ sigma @ rest.T) @ f.T
    # A variance that is rounding alone is none: what was observed determines that number.
    real = jnp.diagonal(after) > 64 * jnp.finfo(a.dtype).eps * jnp.diagonal(prior)
    after = jnp.where(real[:, None] & real[None], 0.5 * (after + after.T), 0.0)
    return total([*kept, (score, n)]), mean[n:] + f @ (gain @ (y - mean[:n])), after
