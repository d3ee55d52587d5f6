"""Multinomial, DirichletMultinomial: how often each of K things happened."""

from __future__ import annotations

import abc
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import lax

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.beta_binomial import log_beta_binomial
from storax.distributions.binomial import binomial_draws, log_binomial_of
from storax.distributions.chances import Chances, check_one_given, pass_nan
from storax.distributions.masses import log_multinomial, log_negative_binomial, log_peak, log_poisson, log_urn
from storax.distributions.searching import as_count
from storax.distributions.special import safe_log
from storax.distributions.summing import mean_loss
from storax.supports import Support


class CountsOfKinds(Distribution):
    """Base: vectors of K counts that sum to total_count; `_shares` is the mean of each over total_count."""

    event_dim: ClassVar[int] = 1
    is_discrete: ClassVar[bool] = True

    @property
    @abc.abstractmethod
    def _total(self) -> Any: ...

    @property
    @abc.abstractmethod
    def _kinds(self) -> Any:
        """The parameter whose last axis is that of the kinds."""

    @property
    @abc.abstractmethod
    def _shares(self) -> jax.Array: ...

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (int(jnp.shape(self._kinds)[-1]),)

    @property
    def support(self) -> Support:
        return supports.multinomial(self._total)

    def _inside(self, value: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Are the counts inside; they, or others that are; and their total: one batch shape for all."""
        (x,) = promote(value)
        n = promote(self._total)[0].astype(x.dtype)
        inside = ((x >= 0) & (jnp.floor(x) == x)).all(-1) & (x.sum(-1) == promote(x[..., 0], n)[1])
        n = jnp.broadcast_to(promote(inside, n)[1], inside.shape)
        of_first = jnp.arange(x.shape[-1]) == 0
        safe = jnp.where(of_first.reshape((1,) * n.ndim + of_first.shape), n[..., None], 0.0)
        return inside, jnp.where(inside[..., None], x, safe), n

    @property
    def mean(self) -> jax.Array:
        shares, n = promote(self._shares, jnp.expand_dims(promote(self._total)[0], -1))
        return n * shares


class Multinomial(CountsOfKinds):
    """The counts of K outcomes in total_count independent trials.

    Args:
        total_count: a whole number, not negative.
        probs: `[..., K]`, not negative with sum 1.
        logits: `[..., K]`, log probabilities up to a constant, real; instead of probs.

    >>> Multinomial(4, [0.5, 0.25, 0.25]).mean.tolist()
    [2.0, 1.0, 1.0]
    """

    total_count: Any = 1
    probs: Any = None
    logits: Any = None

    parameters: ClassVar[dict[str, Support]] = {
        "total_count": supports.nonnegative_integer,
        "probs": supports.simplex,
        "logits": supports.log_weights,
    }

    def __post_init__(self) -> None:
        check_one_given(self.name, self.probs, self.logits)
        super().__post_init__()

    @property
    def _total(self) -> Any:
        return self.total_count

    @property
    def _kinds(self) -> Any:
        return self.logits if self.probs is None else self.probs

    @property
    def _shares(self) -> jax.Array:
        return promote(self.probs)[0] if self.logits is None else jax.nn.softmax(promote(self.logits)[0], -1)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        return multinomial_draws(key, self.total_count, self._shares, (*shape, *self.batch_shape), self.dtype)

    def log_prob(self, value: Any) -> jax.Array:
        log_p = safe_log(self._shares) if self.logits is None else log_softmax(self.logits)
        inside, x, n = self._inside(promote(value, log_p)[0])
        x, p, log_p = promote(x, self._shares, log_p)
        score = pass_nan(promote(value)[0].sum(-1), within(inside, log_multinomial(x, n, p, log_p)))
        return self._or_nan(score, names=["total_count"])  # traced probabilities may be off 1 by their rounding

    @property
    def variance(self) -> jax.Array:
        p, n = promote(self._shares, jnp.expand_dims(promote(self.total_count)[0], -1))
        return n * p * (1 - p)

    @property
    def covariance(self) -> jax.Array:
        return _covariance(self.variance, self._shares, self.total_count, 1.0)

    @property
    def mode(self) -> jax.Array:
        """From counts that no mode is below, every other trial goes where it is likeliest (Finucan 1964)."""
        p, n = promote(self._shares, jnp.expand_dims(promote(self.total_count)[0], -1))
        least = jnp.maximum(jnp.floor(n * p - 1) + 1, 0.0)
        kinds = jnp.arange(p.shape[-1]).reshape((1,) * (least.ndim - 1) + (-1,))

        def better(state: Any) -> Any:
            i, counts = state
            gap = n - counts.sum(-1, keepdims=True)
            gain, loss = p / (counts + 1), jnp.where(counts > 0, p / counts, jnp.inf)
            step = jnp.where(kinds == jnp.argmax(gain, -1, keepdims=True), 1.0, 0.0)
            back = jnp.where(kinds == jnp.argmin(loss, -1, keepdims=True), 1.0, 0.0)
            return i + 1, counts + jnp.where(gap > 0, step, jnp.where(gap < 0, -back, 0.0))

        def unfinished(state: Any) -> Any:  # floats beyond 2^24 may never sum to n
            i, counts = state
            return (i < 2 * kinds.size) & (counts.sum(-1, keepdims=True) != n).any()

        return as_count(lax.while_loop(unfinished, better, (0, least))[1], self.dtype)

    def entropy(self) -> jax.Array:
        """Of what `log_multinomial` adds up for each count the mean is a sum over that count alone, a binomial one."""
        p, n = promote(self._shares, jnp.expand_dims(promote(self.total_count)[0], -1))
        chances = Chances.of(p)
        each = mean_loss(log_binomial_of, _log_poisson_part, 0.0, n, n * p, n * p * chances.q, True, n, *chances)
        return jnp.broadcast_to((each.sum(-1, keepdims=True) + log_peak(n))[..., 0], self.batch_shape)


def _log_poisson_part(k: jax.Array, n: jax.Array, p: jax.Array, *_: jax.Array) -> jax.Array:
    return log_poisson(k, n * p)


class DirichletMultinomial(CountsOfKinds):
    """Multinomial counts whose probabilities are Dirichlet(concentration) distributed.

    Args:
        concentration: `[..., K]`, positive.
        total_count: a whole number, not negative.

    >>> DirichletMultinomial([1.0, 1.0, 2.0], 8).mean.tolist()
    [2.0, 2.0, 4.0]
    """

    concentration: Any
    total_count: Any = 1

    parameters: ClassVar[dict[str, Support]] = {
        "concentration": supports.independent(supports.positive, 1),
        "total_count": supports.nonnegative_integer,
    }

    @property
    def _total(self) -> Any:
        return self.total_count

    @property
    def _kinds(self) -> Any:
        return self.concentration

    @property
    def _shares(self) -> jax.Array:
        (a,) = promote(self.concentration)
        return a / a.sum(-1, keepdims=True)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        of_chances, of_counts = jax.random.split(key)
        full = (*shape, *self.batch_shape)
        (a,) = promote(self.concentration)
        p = jax.nn.softmax(jax.random.loggamma(of_chances, a, (*full, a.shape[-1])), -1)
        return multinomial_draws(of_counts, self.total_count, p, full, self.dtype)

    def log_prob(self, value: Any) -> jax.Array:
        inside, x, _ = self._inside(promote(value, self.concentration)[0])
        x, a = promote(x, self.concentration)
        return self._or_nan(pass_nan(promote(value)[0].sum(-1), within(inside, log_urn(x, a))))

    def _excess(self) -> jax.Array:
        """The variance over that of independent trials, with an axis for the kinds."""
        total, n = promote(promote(self.concentration)[0].sum(-1), self.total_count)
        return jnp.expand_dims((total + n) / (total + 1), -1)

    @property
    def variance(self) -> jax.Array:
        p, n, excess = promote(self._shares, jnp.expand_dims(promote(self.total_count)[0], -1), self._excess())
        return n * p * (1 - p) * excess

    @property
    def covariance(self) -> jax.Array:
        return _covariance(self.variance, self._shares, self.total_count, self._excess())

    def entropy(self) -> jax.Array:
        """As that of `Multinomial`, of negative binomial masses and beta-binomial counts."""
        a, n = promote(self.concentration, jnp.expand_dims(promote(self.total_count)[0], -1))
        b = a.sum(-1, keepdims=True) - a
        concave = (a >= 1) & (b >= 1)
        each = mean_loss(log_beta_binomial, _log_urn_part, 0.0, n, self.mean, self.variance, concave, a, b, n)
        whole = log_negative_binomial(n, a + b, Chances.of_odds(n, a + b))
        return jnp.broadcast_to((each.sum(-1) + whole[..., 0]), self.batch_shape)


def _log_urn_part(k: jax.Array, a: jax.Array, b: jax.Array, n: jax.Array) -> jax.Array:
    return log_negative_binomial(k, a, Chances.of_odds(n, a + b))


def _covariance(variance: jax.Array, p: jax.Array, n: Any, excess: Any) -> jax.Array:
    """n (diag(p) - p p^T) excess, its diagonal being known."""
    variance, p, n, excess = promote(variance, p, jnp.expand_dims(promote(n)[0], -1), excess)
    products = -(n * p * excess)[..., :, None] * p[..., None, :]
    diagonal = jnp.eye(p.shape[-1], dtype=bool).reshape((1,) * (products.ndim - 2) + (p.shape[-1],) * 2)
    return jnp.where(diagonal, variance[..., :, None], products)


def multinomial_draws(key: jax.Array, n: Any, p: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
    """Kind after kind: a binomial part of what is left, and the last kind all of it."""
    p = p.astype(jnp.promote_types(p.dtype, jnp.float32))
    p = jnp.broadcast_to(p.reshape((1,) * (len(shape) + 1 - p.ndim) + p.shape), (*shape, p.shape[-1]))
    left = jnp.broadcast_to(promote(n)[0].astype(p.dtype), shape)
    p = jnp.moveaxis(p, -1, 0)
    ahead = lax.cumsum(p, axis=0, reverse=True)

    def take(left: jax.Array, inputs: Any) -> tuple[jax.Array, jax.Array]:
        key, chance = inputs
        count = binomial_draws(key, left, chance, shape).astype(left.dtype)
        return left - count, count

    chances = jnp.clip(p[:-1] / jnp.where(ahead[:-1] > 0, ahead[:-1], 1.0), 0.0, 1.0)
    last, counts = lax.scan(take, left, (jax.random.split(key, len(p) - 1), chances))
    return as_count(jnp.moveaxis(jnp.concatenate([counts, last[None]]), 0, -1), dtype)


def log_softmax(logits: Any) -> jax.Array:
    """Normalised log probabilities, with -inf where a logit is, and no nan in the gradient."""
    (x,) = promote(logits)
    impossible = x == -jnp.inf
    top = lax.stop_gradient(jnp.where(impossible, jnp.finfo(x.dtype).min, x).max(-1, keepdims=True))
    safe = jnp.where(impossible, top, x)
    weights = jnp.where(impossible, 0.0, jnp.exp(safe - top))
    return jnp.where(impossible, -jnp.inf, safe - top - jnp.log(weights.sum(-1, keepdims=True)))
