"""TruncatedNormal."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from storax import supports
from storax.distributions.base import Distribution, is_known, promote, within
from storax.distributions.normal_mass import log_mass, nearest
from storax.distributions.quadrature import gauss_rule
from storax.distributions.quantiles import tail_quantile
from storax.distributions.special import quotient, standardize
from storax.errors import ParameterError
from storax.supports import Support


class Endpoint(Support):
    """Numbers, infinities among them."""

    text: ClassVar[str] = "a number, or infinite"

    def __call__(self, x: Any) -> jax.Array:
        return x == x


class TruncatedNormal(Distribution):
    """The normal distribution, given that it is between `low` and `high`.

    Far out in the tail everything is measured from the end nearest to `loc`, so that nothing underflows or cancels.

    Args:
        loc: mean before the cut, real.
        scale: standard deviation before the cut, positive.
        low: lower end; None or minus infinity for no end.
        high: upper end, above low; None or infinity for no end.

    >>> d = TruncatedNormal(0.0, 1.0, low=40.0)
    >>> round(d.mean.item(), 4), round(d.icdf(0.5).item(), 4)
    (40.025, 40.0173)
    """

    loc: Any = 0.0
    scale: Any = 1.0
    low: Any = None
    high: Any = None

    parameters: ClassVar[dict[str, Support]] = {
        "loc": supports.real,
        "scale": supports.positive,
        "low": Endpoint(),
        "high": Endpoint(),
    }

    def validate(self) -> None:
        super().validate()
        if self.low is None or self.high is None or not (is_known(self.low) and is_known(self.high)):
            return
        low, high = np.broadcast_arrays(np.asarray(self.low), np.asarray(self.high))
        for index in np.argwhere(~(low < high))[:1]:
            at = f"[{', '.join(map(str, index))}]" if len(index) else ""
            raise ParameterError(
                f"TruncatedNormal: high must be above low, and low{at} is {low[*index]}, high{at} is {high[*index]}."
            )

    @property
    def support(self) -> Support:
        low, high = self._ends()
        if _all(np.isinf, low):
            return supports.real if _all(np.isinf, high) else supports.less_than(high)
        if _all(np.isinf, high):
            return supports.greater_than(low)
        finite = _all(np.isfinite, low) and _all(np.isfinite, high)
        return supports.interval(low, high) if finite else supports.between(low, high)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        full = (*shape, *self.batch_shape)
        info = jnp.finfo(self.dtype)
        u = jax.random.uniform(key, full, self.dtype, minval=info.tiny, maxval=1 - info.epsneg)
        return self.icdf(jnp.clip(u, info.tiny, 1 - info.epsneg))

    def log_prob(self, value: Any) -> jax.Array:
        x, loc, scale, low, high = promote(value, self.loc, self.scale, *self._ends())
        inside = ~((x < low) | (x > high) | jnp.isinf(x))
        x = jnp.where(inside, x, _somewhere(low, high))
        a, b, width = _standard(loc, scale, low, high)
        r = nearest(a, b)
        # z - r, from the end itself where r is one: x - low is exact where both are far out
        from_r = quotient(jnp.where(a > 0, x - _finite(low), jnp.where(b < 0, x - _finite(high), x - loc)), scale)
        score = -0.5 * from_r * (from_r + 2 * r) - log_mass(a, b, width) - jnp.log(scale)
        return self._or_nan(within(inside, score), low < high)

    def log_cdf(self, value: Any) -> jax.Array:
        return self._log_part(value, below=True)

    def log_survival(self, value: Any) -> jax.Array:
        return self._log_part(value, below=False)

    def _log_part(self, value: Any, below: bool) -> jax.Array:
        x, loc, scale, low, high = promote(value, self.loc, self.scale, *self._ends())
        under, inside = x <= low, ~((x <= low) | (x >= high))
        x = jnp.where(inside, x, _somewhere(low, high))
        a, b, width = _standard(loc, scale, low, high)
        z = quotient(x - loc, scale)
        part = _log_part(a, b, log_mass(a, b, width), z, _gap(low, x, scale), _gap(x, high, scale), below)
        ends = (-jnp.inf, 0.0) if below else (0.0, -jnp.inf)
        return jnp.where(inside, part, jnp.where(under, *ends))

    def icdf(self, q: Any) -> jax.Array:
        q, loc, scale, low, high = promote(q, self.loc, self.scale, *self._ends())
        a, b, width = _standard(loc, scale, low, high)
        r, zero = nearest(a, b), jnp.zeros_like(a + b)
        origin = jnp.where(a > 0, _finite(low), jnp.where(b < 0, _finite(high), loc))

        # In distances t from the nearest point r, in standard deviations.
        whole = log_mass(a, b, width)

        def log_tail(t: jax.Array, lower: jax.Array) -> jax.Array:
            left = jnp.where(a > 0, t, jnp.where(b < 0, t + width, t - a))
            right = jnp.where(a > 0, width - t, jnp.where(b < 0, -t, b - t))
            return _log_part(a, b, whole, r + t, left, right, lower)

        first, last = jnp.where(a > 0, zero, jnp.where(b < 0, -width, a)), jnp.where(b < 0, zero, b)
        last = jnp.where(a > 0, width + zero, last)
        t = tail_quantile(log_tail, q, first, last)
        x = jnp.where(q == 0, low, jnp.where(q == 1, high, origin + scale * t))
        return jnp.where(q == q, jnp.clip(x, low, high), jnp.nan)

    @property
    def mean(self) -> jax.Array:
        return self._moments()[0]

    @property
    def variance(self) -> jax.Array:
        return self._moments()[1]

    @property
    def mode(self) -> jax.Array:
        loc, low, high = promote(self.loc, *self._ends())
        return jnp.broadcast_to(jnp.clip(loc, low, high), self.shape)

    def entropy(self) -> jax.Array:
        return self._moments()[2]

    def _moments(self) -> list[jax.Array]:
        """Mean, variance and entropy by Gauss's rule on the part that is not below 1e-17 of the highest density."""
        loc, scale, low, high = promote(self.loc, self.scale, *self._ends())
        a, b, width = jnp.broadcast_arrays(*_standard(loc, scale, low, high))
        r = nearest(a, b)
        reach = jax.lax.stop_gradient(80 / (jnp.abs(r) + jnp.sqrt(jnp.square(r) + 80)))
        first = jnp.where(a > 0, 0.0, jnp.maximum(jnp.where(b < 0, -width, a), -reach))
        last = jnp.where(b < 0, 0.0, jnp.minimum(jnp.where(a > 0, width, b), reach))
        t, weight = gauss_rule(first, last - first, 64)
        fall = t * (r[..., None] + 0.5 * t)
        mass = weight * jnp.exp(-fall)
        total = jnp.sum(mass, -1, keepdims=True)
        p = mass / total
        mean = jnp.sum(p * t, -1, keepdims=True)
        variance = jnp.sum(p * jnp.square(t - mean), -1)
        origin = jnp.where(a > 0, _finite(low), jnp.where(b < 0, _finite(high), loc))
        entropy = jnp.sum(p * fall, -1) + jnp.log((last - first) * total[..., 0]) + jnp.log(scale)
        values = (origin + scale * mean[..., 0], jnp.square(scale) * variance, entropy)
        return [jnp.broadcast_to(v, self.shape) for v in values]

    def _ends(self) -> tuple[Any, Any]:
        return -jnp.inf if self.low is None else self.low, jnp.inf if self.high is None else self.high


def _log_part(a: Any, b: Any, whole: Any, z: Any, left: Any, right: Any, below: Any) -> jax.Array:
    """log P(Z <= z) where `below`, or of Z > z, in [a, b] of that log mass with z - a = left and b - z = right."""
    piece = log_mass(jnp.where(below, a, z), jnp.where(below, z, b), jnp.where(below, left, right))
    # From the point of [a, b] that is nearest to 0 to that of the piece.
    of_lower = jnp.where(a > 0, 0.0, jnp.where(b < 0, right, jnp.maximum(-z, 0.0)))
    of_upper = jnp.where(a > 0, left, jnp.where(b < 0, 0.0, jnp.maximum(z, 0.0)))
    gap = jnp.where(below, of_lower, of_upper)
    return jnp.minimum(piece - gap * (jnp.abs(nearest(a, b)) + 0.5 * gap) - whole, 0.0)


def _standard(loc: Any, scale: Any, low: Any, high: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
    a, b = standardize(low, loc, scale), standardize(high, loc, scale)
    return a, b, _gap(low, high, scale)


def _gap(x: Any, y: Any, scale: Any) -> jax.Array:
    """(y - x) / scale, infinite without a gradient."""
    infinite = jnp.isinf(x) | jnp.isinf(y)
    u, v = jnp.where(jnp.isinf(x), 0.0, x), jnp.where(jnp.isinf(y), 0.0, y)
    return jnp.where(infinite, jnp.inf, quotient(v - u, scale))


def _finite(x: Any) -> jax.Array:
    return jnp.where(jnp.isinf(x), 0.0, x)


def _somewhere(low: Any, high: Any) -> jax.Array:
    """A point between two ends."""
    both = jnp.where(jnp.isinf(low), _finite(high) - 1.0, _finite(low) + 1.0)
    return jnp.where(jnp.isinf(low) | jnp.isinf(high), both, 0.5 * _finite(low) + 0.5 * _finite(high))


def _all(test: Any, x: Any) -> bool:
    """Is it known that all of the ends are so?"""
    return is_known(x) and bool(test(np.asarray(x)).all())
