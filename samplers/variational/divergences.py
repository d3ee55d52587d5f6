"""Kullback-Leibler divergences that have a closed form: KL(q || p), the mean of log q - log p under q."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import digamma, gammaln

from storax import distributions as dist
from storax.data import is_concrete
from storax.distributions.base import promote
from storax.distributions.wrappers import Expanded, Independent, Scaled, Wrapper
from storax.effects import Record

_KNOWN: dict[type, Callable[[Any, Any], jax.Array]] = {}


def known(*families: type) -> Callable[[Callable[[Any, Any], jax.Array]], Callable[[Any, Any], jax.Array]]:
    """Register `f(q, p)`, which gives the divergence `[*batch]`, for two distributions of one family."""

    def register(f: Callable[[Any, Any], jax.Array]) -> Callable[[Any, Any], jax.Array]:
        _KNOWN.update(dict.fromkeys(families, f))
        return f

    return register


def divergence(q: Any, p: Any) -> jax.Array | None:
    """KL(q || p) of two base distributions, `[*batch]`; None where no closed form is known.

    >>> from storax.distributions import Normal
    >>> round(float(divergence(Normal(1.0, 1.0), Normal(0.0, 1.0))), 6)
    0.5
    """
    f = _KNOWN.get(type(q))
    return None if f is None or type(q) is not type(p) else f(q, p)


def of_records(q: Record, p: Record) -> jax.Array | None:
    """KL of all that two sites of one name draw, with their weights; None where it is not known."""
    if q.site.lanes or p.site.lanes or q.log_prob is not None or p.log_prob is not None or p.site.origins is not None:
        return None
    mine, of_mine = _unwrapped(q.site.distribution(q.leaves))
    theirs, of_theirs = _unwrapped(p.site.distribution(p.leaves))
    if mine is None or theirs is None or of_mine != of_theirs:
        return None
    each = divergence(mine, theirs)
    if each is None:
        return None
    shape = q.value.shape[: q.value.ndim - mine.event_dim]
    (each,) = promote(each)
    return of_mine * jnp.broadcast_to(each.reshape((1,) * (len(shape) - each.ndim) + each.shape), shape).sum()


def _unwrapped(d: Any) -> tuple[Any, float]:
    """The base of copies and events, and its weight; None for what has a mask, or a weight that is traced."""
    weight = 1.0
    while isinstance(d, Wrapper):
        if isinstance(d, Scaled):
            if not is_concrete(d.weight) or np.ndim(d.weight):
                return None, 1.0
            weight *= float(d.weight)
        elif not isinstance(d, (Expanded, Independent)):
            return None, 1.0
        d = d.base
    return d, weight


@known(dist.Normal, dist.LogNormal)
def _normal(q: Any, p: Any) -> jax.Array:
    m, s, m0, s0 = promote(q.loc, q.scale, p.loc, p.scale)
    ratio = s / s0
    return 0.5 * (jnp.square(ratio) - 1 + jnp.square((m - m0) / s0)) - jnp.log(ratio)


@known(dist.HalfNormal)
def _half_normal(q: Any, p: Any) -> jax.Array:
    s, s0 = promote(q.scale, p.scale)
    return 0.5 * (jnp.square(s / s0) - 1) - jnp.log(s / s0)


@known(dist.Laplace)
def _laplace(q: Any, p: Any) -> jax.Array:
    m, b, m0, b0 = promote(q.loc, q.scale, p.loc, p.scale)
    away = jnp.abs(m - m0)
    return jnp.log(b0 / b) + away / b0 + b / b0 * jnp.exp(-away / b) - 1


@known(dist.Exponential)
def _exponential(q: Any, p: Any) -> jax.Array:
    r, r0 = promote(q.rate, p.rate)
    return jnp.log(r / r0) + r0 / r - 1


@known(dist.Gamma, dist.InverseGamma)
def _gamma(q: Any, p: Any) -> jax.Array:
    a, r, a0, r0 = promote(q.concentration, q.rate, p.concentration, p.rate)
    return (a - a0) * digamma(a) - gammaln(a) + gammaln(a0) + a0 * jnp.log(r / r0) + a * (r0 - r) / r


@known(dist.Poisson)
def _poisson(q: Any, p: Any) -> jax.Array:
    r, r0 = promote(q.rate, p.rate)
    return r * jnp.log(r / r0) - r + r0


@known(dist.Dirichlet)
def _dirichlet(q: Any, p: Any) -> jax.Array:
    return _of_concentrations(*promote(q.concentration, p.concentration))


@known(dist.Beta)
def _beta(q: Any, p: Any) -> jax.Array:
    pairs = [jnp.stack(jnp.broadcast_arrays(*promote(d.concentration1, d.concentration0)), -1) for d in (q, p)]
    return _of_concentrations(*promote(*pairs))


def _of_concentrations(a: jax.Array, a0: jax.Array) -> jax.Array:
    total, total0 = a.sum(-1), a0.sum(-1)
    each = gammaln(a0) - gammaln(a) + (a - a0) * (digamma(a) - digamma(total)[..., None])
    return gammaln(total) - gammaln(total0) + each.sum(-1)


@known(dist.Bernoulli, dist.Categorical)
def _finite(q: Any, p: Any) -> jax.Array:
    size = 2 if isinstance(q, dist.Bernoulli) else int(jnp.shape(q.logits if q.probs is None else q.probs)[-1])
    terms = []
    for value in range(size):
        log_q, log_p = promote(q.log_prob(jnp.asarray(value)), p.log_prob(jnp.asarray(value)))
        some = log_q > -jnp.inf
        terms.append(jnp.where(some, jnp.exp(log_q) * (jnp.where(some, log_q, 0.0) - log_p), 0.0))
    result: jax.Array = sum(terms[1:], terms[0])
    return result


@known(dist.MultivariateNormal)
def _multivariate_normal(q: Any, p: Any) -> jax.Array:
    m, m0 = promote(q.loc, p.loc)
    a, b = promote(q.scale_tril, p.scale_tril)
    batch = jnp.broadcast_shapes(a.shape, b.shape)
    a, b = jnp.broadcast_to(a, batch), jnp.broadcast_to(b, batch)
    away = jnp.broadcast_to((m - m0)[..., None], (*batch[:-1], 1))
    solved = jax.scipy.linalg.solve_triangular(b, jnp.concatenate([a, away], -1), lower=True)
    log_dets = (jnp.log(jnp.diagonal(x, axis1=-2, axis2=-1)).sum(-1) for x in (b, a))
    larger, smaller = log_dets
    return 0.5 * (jnp.square(solved).sum((-2, -1)) - batch[-1]) + larger - smaller
