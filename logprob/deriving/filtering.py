"""Gaussian carries of a loop: the Kalman filter, whose matrices are the body's own.

Kalman (1960).  With the observed numbers H x + B e and the hidden ones F x + E e, where x has covariance S and e is
standard normal, that of the hidden ones after an observation is (F - K H) S (F - K H)' + (E - K B) (E - K B)', which
stays symmetric and positive (Joseph's form).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import cho_solve

from storax.errors import NotMeasurable
from storax.logprob.deriving.gaussians import Gaussian, log_normal
from storax.logprob.deriving.graphs import Node
from storax.logprob.deriving.measures import Density
from storax.logprob.deriving.randoms import Random
from storax.logprob.deriving.solving import total
from storax.logprob.deriving.stepping import Solved
from storax.rules import custom_rule

SMALL = 64  # multiplications


def moments(randoms: Sequence[Random], tokens: Sequence[Node] = ()) -> tuple[Any, Any, Any]:
    """Mean of Gaussian arrays, flat; their coefficients of the noise of these nodes, and of all other noise.

    The other noise is standard normal.
    """
    parts = [r.gaussian for r in randoms]
    noise = {t: t.shape for t in tokens} | {d: s for g in parts if g is not None for d, s in g.noise.items()}
    dtype = jnp.result_type(*[r.dtype for r in randoms])
    flat = lambda e: jnp.concatenate([jnp.ravel(g.f(e)) for g in parts if g is not None])  # noqa: E731
    whole = Gaussian(noise, flat, dtype)
    c = sum(int(np.prod(t.shape)) for t in tokens)
    a = whole.matrix()
    return whole.mean, a[:, :c], a[:, c:]


def dot(a: Any, b: Any) -> Any:
    """a @ b; of small matrices a sum that XLA makes one with what is around it, where a product is a call."""
    if a.shape[0] * a.shape[1] * b.shape[1] > SMALL:
        return a @ b
    return (a[:, :, None] * b[None]).sum(1)


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
    mean, a, e = moments([*seen, *hidden], tokens)
    n = sum(int(np.prod(r.shape)) for r in seen)
    cov = cov if tokens else jnp.zeros((0, 0), a.dtype)
    if not n:
        return total(kept), mean, spread(cov, a, e)
    y = jnp.concatenate([jnp.ravel(jnp.asarray(s.observation.value, s.random.dtype)) for s in shared])
    score = log_normal(y, mean[:n], spread(cov, a[:n], e[:n]))
    if not hidden:
        return total([*kept, (score, n)]), None, None
    correction = dot(gain(n, cov, a, e), (y - mean[:n])[:, None])[:, 0]
    return total([*kept, (score, n)]), mean[n:] + correction, updated(n, cov, a, e)


def spread(cov: Any, a: Any, e: Any) -> Any:
    """The covariance of a x + e z, where x has covariance `cov`, and z is standard normal."""
    noise = dot(e, e.T)
    return noise + dot(dot(a, cov), a.T) if a.shape[1] else noise


def gain(n: int, cov: Any, a: Any, e: Any) -> Any:
    """What a unit of the first n numbers moves the mean of the others by."""
    joint = spread(cov, a, e)
    s, cross = joint[:n, :n], joint[:n, n:]
    return (cross / s).T if n == 1 else cho_solve((jnp.linalg.cholesky(s), True), cross).T


def corrected(n: int, gain: Any, cov: Any, a: Any, e: Any) -> Any:
    """The covariance of the other numbers, less what the first n tell of them."""
    return spread(cov, a[n:] - dot(gain, a[:n]), e[n:] - dot(gain, e[:n]))


@functools.partial(custom_rule, static=(0,))
def updated(n: int, cov: Any, a: Any, e: Any) -> Any:
    """The covariance after an observation of the first n numbers.

    No gain makes it smaller than this one, so that to first order it does not depend on the gain.
    """
    after = corrected(n, gain(n, cov, a, e), cov, a, e)
    return jnp.where(_is_real(n, after, cov, a, e), after, 0.0)


@updated.defjvp
def _(n: int, primals: Any, tangents: Any) -> Any:
    after, slope = jax.jvp(functools.partial(corrected, n, gain(n, *primals)), primals, tangents)
    real = _is_real(n, after, *primals)
    return jnp.where(real, after, 0.0), jnp.where(real, slope, 0.0)


def _is_real(n: int, after: Any, cov: Any, a: Any, e: Any) -> Any:
    """A variance that is rounding alone is none: what was observed determines that number."""
    before = jnp.diagonal(spread(cov, a[n:], e[n:]))
    real = jnp.diagonal(after) > 64 * jnp.finfo(after.dtype).eps * before
    return real[:, None] & real[None]
