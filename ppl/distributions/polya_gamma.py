"""PolyaGamma: the mixing distribution of logistic regressions."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.gamma import positive_float
from storax.distributions.quantiles import increasing_root
from storax.distributions.special import quotient
from storax.supports import Support

_TERMS = 48  # of the sum of gamma variables that is drawn
_POINTS = 64  # of the contour


class PolyaGamma(Distribution):
    """The Polya-gamma distribution (Polson, Scott and Windle 2013); names as in PyMC.

    Its Laplace transform is E exp(-s X) = cosh(z / 2)^h / cosh(sqrt(z^2 / 4 + s / 2))^h.  The density is the inverse of
    that transform, an integral along a parabola through the saddle point and around the first pole: to about 1e-11 for
    h >= 1/4 (1e-5 in float32), for every value, where the usual alternating series cancels.

    A draw is the sum of 48 of the infinitely many gamma variables that make it up, and one more for all others, of
    their mean and variance (a thousandth of the standard deviation of the draw): nearly exact, for every h.

    Args:
        h: shape, positive; the number of trials of a regression.
        z: tilt, real.

    >>> PolyaGamma(1.0, 0.0).mean.item()
    0.25
    """

    h: Any = 1.0
    z: Any = 0.0

    parameters: ClassVar[dict[str, Support]] = {"h": supports.positive, "z": supports.real}
    support: ClassVar[Support] = supports.positive

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        full = (*shape, *self.batch_shape)
        h, z = (jnp.broadcast_to(x, full).astype(self.dtype) for x in promote(self.h, self.z))
        # X = sum over k >= 1 of Gamma(h) / (2 pi^2 ((k - 1/2)^2 + z^2 / (4 pi^2))), their equation 2.
        first, last = jax.random.split(key)
        squares = np.square(np.arange(1, _TERMS + 1) - 0.5).reshape(-1, *(1,) * len(full))
        rate = 2 * np.pi**2 * jnp.asarray(squares, self.dtype) + 0.5 * jnp.square(z)[None]
        draws = jnp.sum(jax.random.gamma(first, jnp.broadcast_to(h[None], rate.shape), dtype=self.dtype) / rate, 0)
        # What is left of mean and variance: sums of 1 / rate and 1 / rate^2 from 49 on, by Euler and Maclaurin.
        edge, half = 2 * np.pi**2 * _TERMS**2, 0.5 * jnp.square(z)
        ratio = half / edge
        mean = h * _TERMS / edge * _arctan_over(jnp.sqrt(ratio + jnp.finfo(self.dtype).tiny))
        mean = mean - h * _TERMS / 12 * 2 * np.pi**2 / jnp.square(edge * (1 + ratio))
        variance = h * _TERMS / edge**2 / 3 / jnp.square(1 + 0.6 * ratio)
        shape_of_rest = jnp.square(mean) / variance
        rest = jax.random.gamma(last, shape_of_rest, dtype=self.dtype) * (variance / mean)
        return positive_float(draws + rest)

    def log_prob(self, value: Any) -> jax.Array:
        x, h, z = jnp.broadcast_arrays(*promote(value, self.h, self.z))
        inside = ~((x <= 0) | (x == jnp.inf))
        x = jnp.where(inside, x, 0.25 * h)
        half = 0.5 * jnp.abs(z)
        log_cosh = half + jnp.log1p(jnp.exp(-2 * half)) - math.log(2.0)
        # Further out squares overflow, and the leading term is all there is: -h^2 / (8 x) below, -pi^2 x / 2 above.
        far = 1e100 if x.dtype == jnp.float64 else 1e12
        near = jnp.clip(x, 1 / far, far)
        end = lax.stop_gradient(near)
        factor = jnp.where(x < near, quotient(end, jnp.where(x < near, x, 1.0)), x / end)
        density = _log_density(near, h)
        density = jnp.where(x == near, density, factor * lax.stop_gradient(density))
        return self._or_nan(within(inside, density + h * log_cosh - 0.5 * jnp.square(z) * x))

    @property
    def mean(self) -> jax.Array:
        h, z = promote(self.h, self.z)
        small = jnp.abs(z) < 1e-2
        y = jnp.where(small, 1.0, z)
        s = jnp.square(jnp.where(small, z, 0.0))
        return h * jnp.where(small, 0.25 - s / 48 + s * s / 480, jnp.tanh(0.5 * y) / (2 * y))

    @property
    def variance(self) -> jax.Array:
        """h / (4 z^3) (2 tanh(z / 2) - z / cosh(z / 2)^2)."""
        h, z = promote(self.h, self.z)
        z = jnp.abs(z)
        small = z < 1.0
        s = jnp.square(jnp.where(small, z, 0.0))
        terms = _VARIANCE_SERIES
        series = jnp.zeros_like(s)
        for c in terms[::-1]:
            series = c + s * series
        y = jnp.where(small, 1.0, z)
        e = jnp.exp(-y)
        direct = (2 * jnp.tanh(0.5 * y) - 4 * y * e / jnp.square(1 + e)) / (4 * y * y * y)
        return h * jnp.where(small, series, direct)

    @property
    def mode(self) -> jax.Array:
        """Where the slope of the log density is 0, below the mean."""
        mean = jnp.broadcast_to(self.mean, self.shape)

        def fall(x: jax.Array) -> jax.Array:
            return -jax.grad(lambda x: jnp.sum(self.log_prob(x)))(x)

        return increasing_root(fall, jnp.zeros_like(mean), 0.0, mean, 0.8 * mean)


def _variance_series(n: int = 16) -> list[float]:
    """Coefficients of (2 tanh(z / 2) - z sech(z / 2)^2) / (4 z^3) in z^2.

    With tanh(z / 2) = sum_k t_k z^(2k+1), the numerator is -sum_k 2 (2k) t_k z^(2k+1), as z sech^2 / 2 is z d/dz of it.
    """
    # tanh(u) = sum of c_k u^(2k+1), from tanh' = 1 - tanh^2: (2k+1) c_k = -sum_(i+j=k-1) c_i c_j.
    c = [1.0]
    for k in range(1, n + 2):
        c.append(-sum(c[i] * c[k - 1 - i] for i in range(k)) / (2 * k + 1))
    t = [c_k / 2.0 ** (2 * k + 1) for k, c_k in enumerate(c)]
    return [-4 * k * t[k] / 4 for k in range(1, n + 1)]


_VARIANCE_SERIES = _variance_series()


def _arctan_over(u: jax.Array) -> jax.Array:
    return jnp.arctan(u) / u


def _log_density(x: jax.Array, h: jax.Array) -> jax.Array:
    """Of PolyaGamma(h, 0): the integral of exp(t x) cosh(sqrt(t / 2))^-h dt / (2 pi i), with t = p + 2 r (1 + i u)^2.

    p = -pi^2 / 2 is the first pole, and t = p + 2 r about the saddle point.  The integral does not depend on r.
    """
    y = lax.stop_gradient(x / h)
    r = (0.25 + jnp.sqrt(0.0625 + 16 * jnp.square(y))) / (8 * jnp.square(y))
    reach = 2 * r * lax.stop_gradient(x)  # the integrand falls at least as exp(-reach u^2)
    step = jnp.sqrt(-jnp.log(jnp.finfo(x.dtype).eps) / reach) / _POINTS
    pole = -0.5 * np.pi**2
    start = 2 * r + pole
    at_start = _log_cosh(0.5 * (2 * r + pole) + 0j).real

    def at(node: jax.Array, weight: jax.Array) -> jax.Array:
        w = 1 + 1j * (step * node)
        t = pole + 2 * r * w * w
        log_value = (t - start) * x - h * (_log_cosh(0.5 * t) - at_start)
        return weight * (jnp.exp(log_value) * w).real

    nodes = jnp.asarray(np.arange(_POINTS + 1), x.dtype)
    weights = jnp.asarray([0.5] + [1.0] * _POINTS, x.dtype)
    total = jnp.sum(jax.vmap(at)(nodes, weights), 0)
    # dt = 4 r i w du, and the lower half of the path is the conjugate of the upper.
    scale = jnp.log(4 * r * step / np.pi)
    return start * x - h * at_start + scale + jnp.log(jnp.maximum(total, jnp.finfo(x.dtype).tiny))


def _log_cosh(u: jax.Array) -> jax.Array:
    """log cosh(sqrt(u)), on the branch that is real on the real axis and smooth off its cut."""
    v = jnp.sqrt(u)
    return v + jnp.log(1 + jnp.exp(-2 * v)) - math.log(2.0)
