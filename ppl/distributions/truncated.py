"""Truncated, Censored, Folded: a distribution of one number cut off, clipped, or without its sign."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.derived import Bounded, Derived, no_overlap, refuse_fractions, support_of_shapes
from storax.distributions.pieces import log_between, logsumexp, quantile
from storax.distributions.searching import as_count
from storax.supports import Support


class Truncated(Bounded):
    """A distribution of one number, given that it lies from `low` to `high`, both included.

    The log probability of the interval comes from whichever tail is small, so that bounds may lie far out; quantiles,
    and draws from them, are found by bisection over all floats, with the gradients of the implicit function.  As
    accurate as `log_cdf` and `log_survival` of the base, which it must have.

    Args:
        base: a distribution of one number, continuous or discrete.
        low: a number, below high; None for no bound.
        high: a number; None for no bound.

    >>> from storax.distributions import Normal
    >>> round(Truncated(Normal(0.0, 1.0), low=40.0).icdf(0.5).item(), 4)
    40.0173
    """

    base: Distribution
    low: Any = None
    high: Any = None

    def validate(self) -> None:
        super().validate()
        no_overlap(self.name, *self._ends(), self.base.support)

    @property
    def reparameterized(self) -> bool:  # type: ignore[override]
        return not self.is_discrete  # draws are quantiles

    @support_of_shapes
    def support(self) -> Support:
        return supports.intersection(self.low, self.high, self.base.support)

    def _outer(self) -> tuple[Any, Any]:
        """What X must be above, and up to where: for whole numbers the one before `low`."""
        low, high = self._ends()
        if self.is_discrete:
            low = low if supports.infinite(low) else jnp.ceil(promote(low, self._zero)[0]) - 1
            high = high if supports.infinite(high) else jnp.floor(promote(high, self._zero)[0])
        return low, high

    def _log_total(self) -> jax.Array:
        total = log_between(self.base, *self._outer())
        return jnp.where(total == -jnp.inf, jnp.nan, total)  # nothing of the base is there

    def _clipped(self, value: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
        x, low, high, _ = promote(value, *self._outer(), self._zero)
        return jnp.clip(x, low, high), low, high

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        float_type = jnp.result_type(float) if self.is_discrete else self.dtype
        tiny = jnp.finfo(float_type).tiny
        u = jax.random.uniform(key, (*shape, *self.batch_shape), float_type, minval=tiny)
        return self.icdf(u).astype(self.dtype)

    def log_prob(self, value: Any) -> jax.Array:
        x, low, high, _ = promote(value, *self._ends(), self._zero)
        batch = jnp.broadcast_shapes(x.shape, self.batch_shape)
        inside = jnp.broadcast_to(~((x < low) | (x > high)), batch)
        safe = self.support.feasible(batch, x.dtype)
        score, total = promote(self.base.log_prob(jnp.where(inside, x, safe)), self._log_total())
        return self._or_nan(within(inside, score - total), low < high)

    def log_cdf(self, value: Any) -> jax.Array:
        x, low, high = self._clipped(value)
        score, total = promote(log_between(self.base, self._outer()[0], x), self._log_total())
        return jnp.where(x >= high, 0.0, jnp.where(x <= low, -jnp.inf, score - total))

    def log_survival(self, value: Any) -> jax.Array:
        x, low, high = self._clipped(value)
        score, total = promote(log_between(self.base, x, self._outer()[1]), self._log_total())
        return jnp.where(x >= high, -jnp.inf, jnp.where(x <= low, 0.0, score - total))

    def icdf(self, q: Any) -> jax.Array:
        (low, high), total = self._outer(), self._log_total()

        def below(x: jax.Array) -> jax.Array:
            score, all_of_it = promote(log_between(self.base, low, x, polish=False), total)
            return score - all_of_it

        def above(x: jax.Array) -> jax.Array:
            score, all_of_it = promote(log_between(self.base, x, high, polish=False), total)
            return score - all_of_it

        return quantile(self, q, (below, above))


class Censored(Bounded):
    """min(max(X, low), high): values beyond a bound are seen as the bound.

    Its log density at a bound is the log probability of all beyond it, and between the bounds that of the base.  A
    censored value can be observed, or drawn; it has no way to R^n, and cannot be latent in `mcmc`.

    Args:
        base: a distribution of one number, continuous or discrete, with `log_cdf` and `log_survival`.
        low: a number, below high; None for no bound; whole if the base is discrete.
        high: a number; None for no bound; whole if the base is discrete.

    >>> from storax.distributions import Exponential
    >>> Censored(Exponential(2.0), high=3.0).log_prob(3.0).item()
    -6.0
    """

    base: Distribution
    low: Any = None
    high: Any = None

    def validate(self) -> None:
        super().validate()
        if self.is_discrete:
            refuse_fractions(self.name, low=self.low, high=self.high)

    @support_of_shapes
    def support(self) -> Support:
        a, b = supports.ends(self.base.support) or (-jnp.inf, jnp.inf)
        clipped = supports.range_between(self._clip(a), self._clip(b), self.is_discrete)
        return clipped if self.is_discrete else supports.clipped(clipped)

    def _clip(self, x: Any) -> Any:
        return supports.clip(x, self.low, self.high)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        x, low, high = promote(self.base.expand(self.batch_shape).sample(key, shape), *self._ends())
        return jnp.clip(x, low, high).astype(self.dtype)

    def log_prob(self, value: Any) -> jax.Array:
        x, low, high, _ = promote(value, *self._ends(), self._zero)
        batch = jnp.broadcast_shapes(x.shape, self.batch_shape)
        x, low, high = (jnp.broadcast_to(v, batch) for v in (x, low, high))
        at_low, at_high = (x == low) & (low > -jnp.inf), (x == high) & (high < jnp.inf)
        inside = ~((x < low) | (x > high))
        safe = self.base.support.feasible(batch, x.dtype)
        score = self.base.log_prob(jnp.where(inside & ~at_low & ~at_high, x, safe))
        if self.low is not None:
            score = jnp.where(at_low, self.base.log_cdf(jnp.where(at_low, low, safe)), score)
        if self.high is not None:
            before = jnp.where(at_high, high, safe) - (1 if self.is_discrete else 0)
            score = jnp.where(at_high, self.base.log_survival(before), score)
        return self._or_nan(within(inside, score), low < high)

    def log_cdf(self, value: Any) -> jax.Array:
        x, low, high, _ = promote(value, *self._ends(), self._zero)
        score = self.base.log_cdf(x)
        return jnp.where(x < low, -jnp.inf, jnp.where(x >= high, 0.0, score))

    def log_survival(self, value: Any) -> jax.Array:
        x, low, high, _ = promote(value, *self._ends(), self._zero)
        score = self.base.log_survival(x)
        return jnp.where(x < low, 0.0, jnp.where(x >= high, -jnp.inf, score))

    def icdf(self, q: Any) -> jax.Array:
        x, low, high = promote(self.base.icdf(q), *self._ends())
        x = jnp.clip(x, low, high)
        return as_count(x, self.dtype) if self.is_discrete else x


class Folded(Derived):
    """|X|: a distribution of one number, without its sign.

    Args:
        base: a distribution of one number, continuous or discrete.

    >>> from storax.distributions import HalfNormal, Normal
    >>> bool(abs(Folded(Normal(0.0, 1.0)).log_prob(1.5) - HalfNormal(1.0).log_prob(1.5)) < 1e-6)
    True
    """

    base: Distribution

    @support_of_shapes
    def support(self) -> Support:
        low, high = supports.ends(self.base.support) or (-jnp.inf, jnp.inf)
        if supports.infinite(low) or supports.infinite(high):
            return supports.range_between(0, jnp.inf, self.is_discrete)
        low, high, nothing = promote(low, high, 0.0)
        ends = jnp.maximum(jnp.maximum(low, -high), nothing), jnp.maximum(-low, high)
        return supports.range_between(*ends, self.is_discrete)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        return jnp.abs(self.base.sample(key, shape))

    def log_prob(self, value: Any) -> jax.Array:
        x, _ = promote(value, jnp.zeros(self.batch_shape))
        inside = ~((x < 0) | (x == jnp.inf))
        x = jnp.where(inside, x, 1.0)
        right, left = self.base.log_prob(x), self.base.log_prob(-x)
        if self.is_discrete:
            left = jnp.where(x == 0, -jnp.inf, left)  # once
        return within(inside, logsumexp(jnp.stack([right, left]), 0))

    def log_cdf(self, value: Any, polish: bool = True) -> jax.Array:
        x, _ = promote(value, jnp.zeros(self.batch_shape))
        y = jnp.where(x < 0, 1.0, self._floor(x))
        score = log_between(self.base, -y - 1 if self.is_discrete else -y, y, polish)
        nothing = x < 0 if self.is_discrete else x <= 0
        return jnp.where(nothing, -jnp.inf, score)

    def log_survival(self, value: Any) -> jax.Array:
        x, _ = promote(value, jnp.zeros(self.batch_shape))
        y = jnp.where(x < 0, 1.0, self._floor(x))
        left = self.base.log_cdf(-y - 1 if self.is_discrete else -y)
        return jnp.where(x < 0, 0.0, logsumexp(jnp.stack([self.base.log_survival(y), left]), 0))

    def _floor(self, x: jax.Array) -> jax.Array:
        return jnp.floor(x) if self.is_discrete else x

    def icdf(self, q: Any) -> jax.Array:
        return quantile(self, q, (lambda x: self.log_cdf(x, False), self.log_survival))
