"""SineBivariateVonMises."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.special import i0e, i1e

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.errors import ParameterError
from storax.supports import Support

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)
_DEPTH = 40.0  # exp(-40) of the highest density is nothing, in 64 bits
_MOST = 10000  # rounds of rejection: each accepts one in ten at least


class SineBivariateVonMises(Distribution):
    """Two angles on a torus, with density proportional to
    exp(k1 cos(phi - phi_loc) + k2 cos(psi - psi_loc) + c sin(phi - phi_loc) sin(psi - psi_loc)).

    Singh, Hnizdo and Demchuk (2002).  One mode if c^2 <= k1 k2, else two.  The constant is 2 pi times the integral
    over phi of I_0(sqrt(k2^2 + c^2 sin^2 phi)) exp(k1 cos phi), by Gauss-Legendre where that is not negligible.

    Args:
        phi_loc: real, in radians.
        psi_loc: real, in radians.
        phi_concentration: k1, positive.
        psi_concentration: k2, positive.
        correlation: c, real; or
        weighted_correlation: c / sqrt(k1 k2), real.

    >>> d = SineBivariateVonMises(0.0, 1.0, 2.0, 3.0, weighted_correlation=0.5)
    >>> d.event_shape, d.mode.tolist()
    ((2,), [0.0, 1.0])
    """

    phi_loc: Any
    psi_loc: Any
    phi_concentration: Any
    psi_concentration: Any
    correlation: Any

    parameters: ClassVar[dict[str, Support]] = {
        "phi_loc": supports.real,
        "psi_loc": supports.real,
        "phi_concentration": supports.positive,
        "psi_concentration": supports.positive,
        "correlation": supports.real,
    }
    support: ClassVar[Support] = supports.independent(supports.circular, 1)
    event_dim: ClassVar[int] = 1
    reparameterized: ClassVar[bool] = False

    def __init__(
        self,
        phi_loc: Any,
        psi_loc: Any,
        phi_concentration: Any,
        psi_concentration: Any,
        correlation: Any = None,
        weighted_correlation: Any = None,
    ) -> None:
        if (correlation is None) == (weighted_correlation is None):
            given = "none" if correlation is None else "both"
            raise ParameterError(
                f"SineBivariateVonMises needs one of correlation and weighted_correlation, and got {given}."
            )
        if correlation is None:
            weighted, a, b = promote(weighted_correlation, phi_concentration, psi_concentration)
            correlation = weighted * jnp.sqrt(a) * jnp.sqrt(b)
        given_fields = (phi_loc, psi_loc, phi_concentration, psi_concentration, correlation)
        for name, x in zip(self.parameters, given_fields, strict=True):
            object.__setattr__(self, name, x)
        self.__post_init__()

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (2,)

    def log_prob(self, value: Any) -> jax.Array:
        (x,) = promote(value)
        inside = self.support(x) | jnp.isnan(x).any(-1)
        phi, psi, phi_loc, psi_loc, *rest = promote(
            *(x[..., i] for i in (0, 1)), self.phi_loc, self.psi_loc, *self._shape(), inside.astype(x.dtype)
        )
        k1, k2, c, inside = rest
        inside = inside > 0
        a, b = (jnp.where(inside, d, 0.0) for d in (phi - phi_loc, psi - psi_loc))
        # cos d - 1 = -2 sin^2(d / 2) loses no digits at the mode of a large concentration.
        score = -2 * (k1 * jnp.square(jnp.sin(a / 2)) + k2 * jnp.square(jnp.sin(b / 2))) + c * jnp.sin(a) * jnp.sin(b)
        (score, constant) = promote(score, _log_constant(*self._shape()))
        return self._or_nan(within(inside, score - constant.astype(score.dtype)))

    def _shape(self) -> list[jax.Array]:
        """Without the locations."""
        return promote(self.phi_concentration, self.psi_concentration, self.correlation)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        of_phi, of_psi, of_side = jax.random.split(key, 3)
        whole, wide = (*shape, *self.batch_shape), jnp.promote_types(self.dtype, jnp.float32)
        k1, k2, c = (jnp.broadcast_to(x, whole).astype(wide) for x in self._shape())
        bounds = _around_mode(*(x.astype(wide) for x in self._shape()))
        low, high, highest = (jnp.broadcast_to(x, whole).astype(wide) for x in bounds)

        def propose(key: jax.Array) -> tuple[jax.Array, jax.Array]:
            place, chance = jax.random.uniform(key, (2, *whole), wide)
            phi = low + (high - low) * place
            return phi, jnp.log(chance) < _log_marginal(phi, k1, k2, c) - highest

        side = jnp.where(jax.random.bernoulli(of_side, shape=whole), 1.0, -1.0).astype(wide)
        phi = side * _first_accepted(propose, of_phi, low)
        across = c * jnp.sin(phi)
        psi = jnp.arctan2(across, k2) + von_mises(of_psi, _length(k2, across))
        _, phi_loc, psi_loc = promote(phi, self.phi_loc, self.psi_loc)
        x = jnp.stack([phi + phi_loc, psi + psi_loc], -1)
        return jnp.clip(x - 2 * np.pi * jnp.round(x / (2 * np.pi)), -np.pi, np.pi).astype(self.dtype)

    @property
    def mode(self) -> jax.Array:
        """The one with phi on the positive side of phi_loc, if there are two."""
        k1, k2, c = self._shape()
        c2 = jnp.square(c)
        two = c2 > k1 * k2
        safe = jnp.where(two, c2, 1.0)
        cosine = jnp.where(two, k1 * jnp.sqrt((jnp.square(k2) + safe) / (safe * (safe + jnp.square(k1)))), 1.0)
        phi = jnp.arccos(cosine)
        psi = jnp.arctan2(c * jnp.sin(phi), k2)
        phi, psi, phi_loc, psi_loc = promote(phi, psi, self.phi_loc, self.psi_loc)
        x = jnp.stack([jnp.broadcast_to(v, self.batch_shape) for v in (phi + phi_loc, psi + psi_loc)], -1)
        return jnp.clip(x - 2 * np.pi * jnp.round(x / (2 * np.pi)), -np.pi, np.pi)


def _log_marginal(phi: Any, k1: Any, k2: Any, c: Any) -> jax.Array:
    """log of I_0(s) exp(k1 cos phi - k1 - k2), s = sqrt(k2^2 + c^2 sin^2 phi): on [0, pi] it has one peak, as it is
    concave in cos phi."""
    across = c * jnp.sin(phi)
    s = _length(k2, across)
    return jnp.log(i0e(s)) + across * (across / (s + k2)) - 2 * k1 * jnp.square(jnp.sin(phi / 2))


def _length(x: jax.Array, y: jax.Array) -> jax.Array:
    """sqrt(x^2 + y^2), with a gradient also where both squares vanish."""
    square = jnp.square(x) + jnp.square(y)
    return jnp.sqrt(jnp.maximum(square, jnp.finfo(square.dtype).tiny))


def _around_mode(k1: jax.Array, k2: jax.Array, c: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Where on [0, pi] the marginal density of |phi| is not negligible, and the logarithm of its peak."""
    k1, k2, c = (lax.stop_gradient(x) for x in (k1, k2, c))
    shape = jnp.broadcast_shapes(k1.shape, k2.shape, c.shape)
    k1, k2, c = (jnp.broadcast_to(x, shape) for x in (k1, k2, c))

    def rises(phi: jax.Array) -> jax.Array:
        s = _length(k2, c * jnp.sin(phi))
        return i1e(s) / i0e(s) * jnp.square(c) * jnp.cos(phi) / s > k1

    zero, half = jnp.zeros_like(k1), jnp.full_like(k1, np.pi)
    peak = _last(rises, zero, half)
    highest = _log_marginal(peak, k1, k2, c)
    visible = lambda phi: _log_marginal(phi, k1, k2, c) > highest - _DEPTH  # noqa: E731
    low = _last(lambda phi: ~visible(phi), zero, peak)
    return low, _last(visible, peak, half), highest


def _last(is_before: Any, low: jax.Array, high: jax.Array) -> jax.Array:
    """Bisection: the end of where `is_before` holds, `low` if nowhere, near enough to bound an interval."""

    def halve(_: Any, ends: Any) -> Any:
        low, high = ends
        middle = low + (high - low) / 2
        before = is_before(middle)
        return jnp.where(before, middle, low), jnp.where(before, high, middle)

    low, high = lax.fori_loop(0, 45, halve, (low, high))
    return jnp.where(is_before(high), high, low)


def _log_constant(k1: jax.Array, k2: jax.Array, c: jax.Array) -> jax.Array:
    """Of the density relative to exp(k1 + k2)."""
    wide = jnp.promote_types(jnp.result_type(k1, k2, c), jnp.float32)
    k1, k2, c = (x.astype(wide) for x in (k1, k2, c))
    low, high, _ = _around_mode(k1, k2, c)
    low, high, k1, k2, c = promote(*(x[..., None] if x.ndim else x for x in (low, high, k1, k2, c)))
    nodes, weights = (jnp.asarray(x, wide).reshape((1,) * max(low.ndim - 1, 0) + (-1,)) for x in (_NODES, _WEIGHTS))
    half = (high - low) / 2
    log_f = _log_marginal(low + half * (1 + nodes), k1, k2, c)
    top = lax.stop_gradient(log_f.max(-1, keepdims=True))
    total = (weights * jnp.exp(log_f - top)).sum(-1)
    log_width = jnp.log(half[..., 0] if half.ndim else half)
    return jnp.log(total) + top[..., 0] + log_width + 2 * math.log(2.0) + math.log(np.pi)


def von_mises(key: jax.Array, concentration: jax.Array) -> jax.Array:
    """Draws of angles with density proportional to exp(k cos x), by rejection from a wrapped Cauchy (Best and Fisher
    1979): tan(x / 2) = b tan(u / 2) for a uniform angle u, here with b^2 = 1 / (1 + 4 k)."""
    k, b = concentration, 4 * concentration
    peak = jnp.clip(1 / jnp.maximum(4 * k, 1.0), 0.0, 1.0)  # of the ratio below, at w = 1 / (2 k) - 1 / (4 k)
    highest = jnp.log1p(peak * b) - 2 * k * peak

    def propose(key: jax.Array) -> tuple[jax.Array, jax.Array]:
        place, chance = jax.random.uniform(key, (2, *k.shape), k.dtype)
        x = 2 * jnp.arctan(jnp.tan(np.pi * (place - 0.5)) / jnp.sqrt(1 + b))
        w = jnp.square(jnp.sin(x / 2))
        return x, jnp.log(chance) < jnp.log1p(w * b) - 2 * k * w - highest

    return _first_accepted(propose, key, jnp.zeros_like(k))


def _first_accepted(propose: Any, key: jax.Array, start: jax.Array) -> jax.Array:
    """Propose for all lanes until each has accepted once."""

    def again(state: Any) -> Any:
        i, x, done = state
        new, accepted = propose(jax.random.fold_in(key, i))
        return i + 1, jnp.where(done, x, new), done | accepted

    def waiting(state: Any) -> jax.Array:
        return ~state[2].all() & (state[0] < _MOST)

    start = lax.stop_gradient(start)
    return lax.stop_gradient(lax.while_loop(waiting, again, (0, start, jnp.zeros(start.shape, bool)))[1])
