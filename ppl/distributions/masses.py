"""Log masses of counts, written around their mode: right in float32 for counts in the millions, and in far tails.

All of them are made of one term, the Poisson mass over its value at the mode (Loader 2000, "Fast and accurate
computation of binomial probabilities"), where log factorials cancel: log(10^6!) is 1.3e7, and in float32
off by 1.
Counts need not be whole: Gamma(x + 1) stands for x!.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.special import gammaln

from storax.distributions.chances import Chances
from storax.distributions.exact import lost_by_product
from storax.distributions.special import HALF_LOG_TWO_PI, log1p_minus, safe_log, stirling_remainder

_LARGE = 10.0  # from here on four terms of Stirling's series are enough for float64


def deviance(x: Any, d: Any, log_ratio: Any) -> jax.Array:
    """x log(y / x) - (y - x): the log of Poisson(y)'s mass at x over that of Poisson(x), given d = y - x.

    Args:
        x: not negative.
        d: y - x, accurate where the two are close.
        log_ratio: log(y / x), accurate where they are not; at x = 0 anything.
    """
    far = (d < -0.5 * x) | (d > 1000 * x)  # there 1 + d / x has lost digits, or it overflows
    apart = far | (x == 0)
    of_near = x * log1p_minus(jnp.where(apart, 0.0, d) / jnp.where(apart, 1.0, x))
    logs = jnp.where(far & (x > 0), log_ratio, 0.0)
    impossible = logs == -jnp.inf
    of_far = x * jnp.where(impossible, 0.0, logs) - d
    return jnp.where(impossible, -jnp.inf, jnp.where(apart, of_far, of_near))


def log_peak(x: Any) -> jax.Array:
    """log of Poisson(x)'s mass at x: x log x - x - log Gamma(x + 1).

    >>> log_peak(0.0).item()
    0.0
    """
    large = x > _LARGE
    k = jnp.where(large, x, _LARGE)
    zero = x == 0
    m = jnp.where(large | zero, 1.0, x)
    of_small = jnp.where(zero, 0.0, m * jnp.log(m) - m - gammaln(m + 1))
    return jnp.where(large, -0.5 * jnp.log(k) - HALF_LOG_TWO_PI - stirling_remainder(k), of_small)


def log_poisson(x: Any, rate: Any) -> jax.Array:
    """log(rate^x e^-rate / x!).

    >>> abs(log_poisson(jnp.float32(1e6), jnp.float32(1e6)).item() + 7.8266938955) < 1e-6
    True
    """
    return deviance(x, rate - x, safe_log(rate) - safe_log(x)) + log_peak(x)


def log_binomial(k: Any, rest: Any, chances: Chances) -> jax.Array:
    """log(n! / (k! rest!) p^k q^rest) with n = k + rest."""
    n = k + rest
    d = distance(k, rest, chances)
    of_k = deviance(k, d, chances.log_p - _log_share(k, n))
    of_rest = deviance(rest, -d, chances.log_q - _log_share(rest, n))
    return of_k + of_rest + log_peak(k) + log_peak(rest) - log_peak(n)


def distance(k: Any, rest: Any, chances: Chances) -> jax.Array:
    """n p - k, of which no digit is lost: neither n = k + rest, nor 1 minus a small chance, is rounded."""
    likely = chances.p > 0.5
    rare, few, many = jnp.where(likely, chances.q, chances.p), jnp.where(likely, rest, k), jnp.where(likely, k, rest)
    d = ((many * rare - few) + lost_by_product(many, rare)) + few * rare
    return jnp.where(likely, -d, d)


def log_negative_binomial(k: Any, size: Any, chances: Chances) -> jax.Array:
    """log(Gamma(k + size) / (Gamma(size) k!) p^k q^size): k successes before the failure number `size` > 0."""
    return log_binomial(k, size, chances) + log_share(size, k)


def log_share(size: Any, k: Any) -> jax.Array:
    """log(size / (size + k)); its slope in a tiny size, where k is 0, is no difference of large numbers."""
    none = k == 0
    return jnp.log(jnp.where(none, 1.0, size) / jnp.where(none, 1.0, k + size))


def log_urn(counts: Any, weights: Any) -> jax.Array:
    """log(n! / (A)_n prod (a_i)_{k_i} / k_i!) over the last axis, with n and A the sums: Polya's urn, drawn n times.

    It is that of independent negative binomials, given their sum.  Any chances do; those of n : A are far out for none.
    """
    n, total = counts.sum(-1), weights.sum(-1)
    chances = _urn_chances(n, total)
    parts = log_negative_binomial(counts, weights, Chances(*(x[..., None] for x in chances)))
    return parts.sum(-1) - log_negative_binomial(n, total, chances)


def log_urn_of_two(k: Any, rest: Any, a: Any, b: Any) -> jax.Array:
    """`log_urn` of two kinds."""
    chances = _urn_chances(k + rest, a + b)
    parts = log_negative_binomial(k, a, chances) + log_negative_binomial(rest, b, chances)
    return parts - log_negative_binomial(k + rest, a + b, chances)


def _urn_chances(n: Any, total: Any) -> Chances:
    return Chances.of_odds(lax.stop_gradient(n), lax.stop_gradient(total))


def log_multinomial(counts: Any, total: Any, p: Any, log_p: Any) -> jax.Array:
    """log(n! prod p_i^{k_i} / k_i!) over the last axis."""
    n = total[..., None]
    parts = deviance(counts, n * p - counts, log_p - _log_share(counts, n)) + log_peak(counts)
    # Each deviance takes n p_i away; probabilities that sum to 1 but for rounding leave n of it.
    return parts.sum(-1) - log_peak(total) + total * (p.sum(-1) - 1)


def _log_share(k: Any, n: Any) -> jax.Array:
    zero = k == 0
    return jnp.log(jnp.where(zero, 1.0, k) / jnp.where(zero, 1.0, n))
