"""Pareto, GeneralizedPareto: tails that fall as a power."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.gamma import probability
from storax.distributions.small import expm1_over, log1p_over, log_ratio
from storax.distributions.special import afresh, log1mexp, quotient, standardize, times_log
from storax.rules import custom_rule
from storax.supports import Support


class Pareto(Distribution):
    """scale * exp(Y / alpha) with Y ~ Exponential(1).

    Args:
        scale: the smallest value, positive.
        alpha: the power of the tail, positive.

    >>> round(Pareto(1.0, 2.0).cdf(2.0).item(), 6)
    0.75
    """

    scale: Any
    alpha: Any

    parameters: ClassVar[dict[str, Support]] = {"scale": supports.positive, "alpha": supports.positive}

    @property
    def support(self) -> Support:
        return supports.greater_than(self.scale)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        noise, scale, alpha = promote(
            jax.random.exponential(key, (*shape, *self.batch_shape), self.dtype), self.scale, self.alpha
        )
        return jnp.clip(scale * jnp.exp(noise / alpha), scale, jnp.finfo(noise.dtype).max)

    def log_prob(self, value: Any) -> jax.Array:
        x, scale, alpha = promote(value, self.scale, self.alpha)
        return log_pareto(x, scale, alpha)

    def log_cdf(self, value: Any) -> jax.Array:
        return log1mexp(-self.log_survival(value))

    def log_survival(self, value: Any) -> jax.Array:
        x, scale, alpha = promote(value, self.scale, self.alpha)
        far = x == jnp.inf
        log_z = log_ratio(jnp.where(far, scale, jnp.maximum(x, scale)), scale)
        return jnp.where(far, -jnp.inf, -alpha * log_z)

    def icdf(self, q: Any) -> jax.Array:
        q, scale, alpha = promote(probability(q), self.scale, self.alpha)
        return scale * jnp.exp(-jnp.log1p(-q) / alpha)

    @property
    def mean(self) -> jax.Array:
        scale, alpha = promote(self.scale, self.alpha)
        return jnp.where(alpha > 1, scale * alpha / jnp.where(alpha > 1, alpha - 1, 1.0), jnp.inf)

    @property
    def variance(self) -> jax.Array:
        scale, alpha = promote(self.scale, self.alpha)
        a = jnp.where(alpha > 2, alpha, 3.0)
        return jnp.where(alpha > 2, jnp.square(scale / (a - 1)) * (a / (a - 2)), jnp.inf)

    @property
    def mode(self) -> jax.Array:
        return jnp.broadcast_to(promote(self.scale)[0], self.shape)

    def entropy(self) -> jax.Array:
        scale, alpha = promote(self.scale, self.alpha)
        return jnp.log(scale) - jnp.log(alpha) + 1 + 1 / alpha


@custom_rule
def log_pareto(x: jax.Array, scale: jax.Array, alpha: jax.Array) -> jax.Array:
    """The log density; -inf without a gradient outside."""
    inside, log_z = _above(x, scale)
    return within(inside, jnp.log(alpha) - jnp.log(scale) - (alpha + 1) * log_z)


@log_pareto.defjvp
def _(primals: Any, tangents: Any) -> Any:
    x, scale, alpha = (afresh(y) for y in primals)
    dx, dscale, dalpha = tangents
    inside, log_z = _above(x, scale)
    by_x = jnp.where(inside, -(alpha + 1) / jnp.where(inside, x, scale), 0.0)
    by_alpha = jnp.where(inside, 1 / alpha - log_z, 0.0)
    return log_pareto(*primals), by_x * dx + jnp.where(inside, alpha / scale, 0.0) * dscale + by_alpha * dalpha


def _above(x: jax.Array, scale: jax.Array) -> tuple[jax.Array, jax.Array]:
    inside = ~((x < scale) | (x == jnp.inf))
    return inside, log_ratio(jnp.where(inside, x, scale), scale)


class GeneralizedPareto(Distribution):
    """What is left beyond a high threshold, of almost any distribution (Pickands 1975).

    Args:
        loc: the threshold, real.
        scale: positive.
        concentration: real: above 0 the tail is a power, at 0 it is exponential, below 0 it ends at
            loc - scale / concentration.

    >>> round(GeneralizedPareto(0.0, 1.0, 0.5).cdf(2.0).item(), 6)  # 1 - (1 + 0.5 * 2)^-2
    0.75
    """

    loc: Any = 0.0
    scale: Any = 1.0
    concentration: Any = 0.0

    parameters: ClassVar[dict[str, Support]] = {
        "loc": supports.real,
        "scale": supports.positive,
        "concentration": supports.real,
    }

    @property
    def support(self) -> Support:
        loc, scale, c = promote(self.loc, self.scale, self.concentration)
        return supports.between(jnp.broadcast_to(loc, self.shape), jnp.broadcast_to(_end(loc, scale, c), self.shape))

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        noise, loc, scale, c = promote(
            jax.random.exponential(key, (*shape, *self.batch_shape), self.dtype),
            self.loc,
            self.scale,
            self.concentration,
        )
        x = loc + scale * (noise * expm1_over(c * noise))
        end = jax.lax.stop_gradient(jnp.minimum(_end(loc, scale, c), jnp.finfo(noise.dtype).max))
        return jnp.where(x > end, end, x)

    def log_prob(self, value: Any) -> jax.Array:
        x, loc, scale, c = promote(value, self.loc, self.scale, self.concentration)
        inside = ~((x < loc) | (x == jnp.inf) | (x > _end(loc, scale, c)))
        distance = jnp.where(inside, x, loc) - loc
        z = quotient(distance, scale)
        far = c * z > 1  # there log(1 + c z) + log scale is put together: its slopes would cancel
        y = _to_exponential(jnp.where(far, 0.0, z), jnp.where(far, 0.0, c))
        of_near = times_log(-(1 + c), y) - jnp.log(scale)
        d, k = jnp.where(far, distance, 1.0), jnp.where(far, c, 1.0)
        log_total = jnp.log(d + scale / k) + jnp.log(k)  # scale + c distance, which may overflow
        of_far = -log_total - quotient(log_total - jnp.log(scale), k)
        return self._or_nan(within(inside, jnp.where(far, of_far, of_near)))

    def log_cdf(self, value: Any) -> jax.Array:
        return log1mexp(-self.log_survival(value))

    def log_survival(self, value: Any) -> jax.Array:
        x, loc, scale, c = promote(value, self.loc, self.scale, self.concentration)
        return -_to_exponential(standardize(jnp.maximum(x, loc), loc, scale), c)

    def icdf(self, q: Any) -> jax.Array:
        q, loc, scale, c = promote(probability(q), self.loc, self.scale, self.concentration)
        one = q == 1
        y = -jnp.log1p(-jnp.where(one, 0.5, q))
        return jnp.where(one, _end(loc, scale, c), loc + scale * (y * expm1_over(c * y)))

    @property
    def mean(self) -> jax.Array:
        loc, scale, c = promote(self.loc, self.scale, self.concentration)
        return jnp.where(c < 1, loc + scale / jnp.where(c < 1, 1 - c, 1.0), jnp.inf)

    @property
    def variance(self) -> jax.Array:
        _, scale, c = promote(self.loc, self.scale, self.concentration)
        finite = c < 0.5
        k = jnp.where(finite, c, 0.0)
        value = jnp.where(finite, jnp.square(scale / (1 - k)) / (1 - 2 * k), jnp.inf)
        return jnp.broadcast_to(value, self.shape)

    @property
    def mode(self) -> jax.Array:
        loc, scale, c = promote(self.loc, self.scale, self.concentration)
        return jnp.broadcast_to(jnp.where(c < -1, _end(loc, scale, c), loc), self.shape)

    def entropy(self) -> jax.Array:
        _, scale, c = promote(self.loc, self.scale, self.concentration)
        return jnp.broadcast_to(jnp.log(scale) + c + 1, self.shape)


def _end(loc: jax.Array, scale: jax.Array, c: jax.Array) -> jax.Array:
    ends = c < 0
    return jnp.where(ends, loc - scale / jnp.where(ends, c, -1.0), jnp.inf)


def _to_exponential(z: jax.Array, c: jax.Array) -> jax.Array:
    """log(1 + c z) / c, an Exponential(1); inf from the end of the support on."""
    u = c * jnp.where(z == jnp.inf, 0.0, z)
    beyond = (u <= -1) | (z == jnp.inf)
    y = jnp.where(beyond, 0.0, z)
    return jnp.where(beyond, jnp.inf, y * log1p_over(c * y))
