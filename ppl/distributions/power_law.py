"""PowerLaw, LowerTruncatedPowerLaw: densities that are a power of x."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.bounded import check_below
from storax.distributions.gamma import probability
from storax.distributions.pareto import Pareto
from storax.distributions.small import expm1_over, log1p_over, log_ratio
from storax.distributions.special import afresh, log1mexp, safe_log
from storax.rules import custom_rule
from storax.supports import Support


class PowerLaw(Distribution):
    """A density proportional to x^alpha on [low, high]; `DoublyTruncatedPowerLaw` is another name of it.

    With no upper end it is `LowerTruncatedPowerLaw`.

    Args:
        alpha: real; at -1 it is LogUniform, and all is smooth there.
        low: positive.
        high: above low.

    >>> round(PowerLaw(1.0, 1.0, 3.0).cdf(2.0).item(), 6)  # (2^2 - 1) / (3^2 - 1)
    0.375
    """

    alpha: Any
    low: Any
    high: Any

    parameters: ClassVar[dict[str, Support]] = {
        "alpha": supports.real,
        "low": supports.positive,
        "high": supports.positive,
    }

    @property
    def support(self) -> Support:
        return supports.interval(self.low, self.high)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        return self.icdf(jax.random.uniform(key, (*shape, *self.batch_shape), self.dtype))

    def log_prob(self, value: Any) -> jax.Array:
        x, alpha, low, high = promote(value, self.alpha, self.low, self.high)
        return self._or_nan(_log_power_law(x, alpha, low, high), low < high)

    def log_cdf(self, value: Any) -> jax.Array:
        x, alpha, low, high = promote(value, self.alpha, self.low, self.high)
        x = jnp.clip(x, low, high)
        return _log_part(alpha + 1, log_ratio(x, low), log_ratio(high, x), log_ratio(high, low))

    def log_survival(self, value: Any) -> jax.Array:
        x, alpha, low, high = promote(value, self.alpha, self.low, self.high)
        x = jnp.clip(x, low, high)
        return _log_part(-(alpha + 1), log_ratio(high, x), log_ratio(x, low), log_ratio(high, low))

    def icdf(self, q: Any) -> jax.Array:
        q, alpha, low, high = promote(probability(q), self.alpha, self.low, self.high)
        width = log_ratio(high, low)
        up = alpha > -1
        c = jnp.where(up, alpha + 1, -(alpha + 1))  # positive: the distance of log x to the steep end falls with it
        p = jnp.where(up, 1 - q, q) * width * expm1_over(-c * width)
        full = c * p >= 1  # all of an infinite tail, by rounding
        distance = jnp.where(full, width, p * log1p_over(-jnp.where(full, 0.0, c * p)))
        x = jnp.where(up, high * jnp.exp(-distance), low * jnp.exp(distance))
        return jnp.where(x < low, low, jnp.where(x > high, high, x))

    @property
    def mean(self) -> jax.Array:
        return jnp.exp(self._log_moment(1.0))

    @property
    def variance(self) -> jax.Array:
        first = self._log_moment(1.0)
        return jnp.exp(2 * first) * jnp.expm1(self._log_moment(2.0) - 2 * first)

    def _log_moment(self, k: float) -> jax.Array:
        """log E x^k."""
        alpha, low, high = promote(self.alpha, self.low, self.high)
        width, b = log_ratio(high, low), alpha + 1
        return k * jnp.log(low) + _log_expm1_over((b + k) * width) - _log_expm1_over(b * width)

    @property
    def mode(self) -> jax.Array:
        alpha, low, high = promote(self.alpha, self.low, self.high)
        return jnp.where(alpha > 0, high, low)

    def entropy(self) -> jax.Array:
        alpha, low, high = promote(self.alpha, self.low, self.high)
        width, b = log_ratio(high, low), alpha + 1
        u = b * width
        log_total, slope = jax.jvp(_log_expm1_over, (u,), (jnp.ones_like(u),))
        return log_total + jnp.log(width) + jnp.log(low) - alpha * width * slope  # E log(x / low) = width * slope

    def validate(self) -> None:
        super().validate()
        check_below(self, "low", "high")


DoublyTruncatedPowerLaw = PowerLaw


class LowerTruncatedPowerLaw(Distribution):
    """A density proportional to x^alpha from low on: Pareto(low, -alpha - 1).

    Args:
        alpha: below -1.
        low: positive.

    >>> LowerTruncatedPowerLaw(-3.0, 1.0).mean.item()
    2.0
    """

    alpha: Any
    low: Any

    parameters: ClassVar[dict[str, Support]] = {"alpha": supports.less_than(-1.0), "low": supports.positive}

    @property
    def pareto(self) -> Pareto:
        return Pareto(self.low, -1 - promote(self.alpha)[0])

    @property
    def support(self) -> Support:
        return supports.greater_than(self.low)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        return self.pareto.sample(key, shape)

    def log_prob(self, value: Any) -> jax.Array:
        return self.pareto.log_prob(value)

    def log_cdf(self, value: Any) -> jax.Array:
        return self.pareto.log_cdf(value)

    def log_survival(self, value: Any) -> jax.Array:
        return self.pareto.log_survival(value)

    def icdf(self, q: Any) -> jax.Array:
        return self.pareto.icdf(q)

    @property
    def mean(self) -> jax.Array:
        return self.pareto.mean

    @property
    def variance(self) -> jax.Array:
        return self.pareto.variance

    @property
    def mode(self) -> jax.Array:
        return self.pareto.mode

    def entropy(self) -> jax.Array:
        return self.pareto.entropy()


@custom_rule
def _log_power_law(x: jax.Array, alpha: jax.Array, low: jax.Array, high: jax.Array) -> jax.Array:
    """The log density; -inf without a gradient outside."""
    return _power_law_parts(x, alpha, low, high)[0]


def _power_law_parts(x: jax.Array, alpha: jax.Array, low: jax.Array, high: jax.Array) -> tuple[jax.Array, ...]:
    """The log density, is x inside, log(x / near) and the log density at `near`, the end where most of it is: from
    there nothing large is subtracted from something large."""
    inside = ~((x < low) | (x > high))
    width = log_ratio(high, low)
    up = alpha > -1
    near = jnp.where(up, high, low)
    steep = jnp.where(up, alpha + 1, -(alpha + 1))
    at_near = -jnp.log(near) - jnp.log(width) - _log_mean_exp(steep * width)
    log_z = log_ratio(jnp.where(inside, x, near), near)
    return within(inside, at_near + alpha * log_z), inside, log_z, at_near


@_log_power_law.defjvp
def _(primals: Any, tangents: Any) -> Any:
    """The slope by an end is the density there: of log x^alpha less the log of its integral."""
    x, alpha, low, high = (afresh(y) for y in primals)
    dx, dalpha, dlow, dhigh = tangents
    _, inside, log_z, at_near = _power_law_parts(x, alpha, low, high)
    up, gap = alpha > -1, alpha * log_ratio(high, low)
    at_low, at_high = jnp.exp(at_near - jnp.where(up, gap, 0.0)), jnp.exp(at_near + jnp.where(up, 0.0, gap))
    by_alpha = jax.jvp(lambda alpha: _power_law_parts(low, alpha, low, high)[3], (alpha,), (jnp.ones_like(alpha),))[1]
    fixed = at_low * dlow - at_high * dhigh + by_alpha * dalpha
    change = alpha / jnp.where(inside, x, low) * dx + log_z * dalpha + fixed
    return _log_power_law(*primals), jnp.where(inside, change, 0.0)


def _log_mean_exp(v: jax.Array) -> jax.Array:
    """log((1 - exp(-v)) / v) for v >= 0."""
    small = v < 0.3
    w = jnp.where(small, v, 0.0)
    s = jnp.square(w)
    terms = (1 / 24, -1 / 2880, 1 / 181440, -1 / 9676800, 1 / 479001600)
    series = jnp.zeros_like(s)
    for c in terms[::-1]:
        series = s * (c + series)
    u = jnp.where(small, 1.0, v)
    return jnp.where(small, series - 0.5 * w, log1mexp(u) - jnp.log(u))


def _log_expm1_over(u: jax.Array) -> jax.Array:
    """log((exp(u) - 1) / u), also where it overflows."""
    up = u > 0
    return jnp.where(up, u, 0.0) + _log_mean_exp(jnp.where(up, u, -u))


def _log_part(b: jax.Array, gone: jax.Array, rest: jax.Array, width: jax.Array) -> jax.Array:
    """log of the integral of exp(b t) over [0, gone], over that over [0, width] = gone + rest."""
    up = b > 0
    c = jnp.where(up, b, -b)
    return (
        safe_log(gone)
        - jnp.log(width)
        - jnp.where(up, b * rest, 0.0)
        + _log_mean_exp(c * gone)
        - _log_mean_exp(c * width)
    )
