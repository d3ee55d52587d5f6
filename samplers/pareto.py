"""How far may importance weights be trusted?  Pareto smoothing, and its k-hat.

Vehtari, Simpson, Gelman, Yao & Gabry 2024, "Pareto smoothed importance sampling" (JMLR 25); the tail as by Zhang &
Stephens 2009, "A new and efficient estimation method for the generalized Pareto distribution" (Technometrics 51).
In NumPy and 64 bits.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

RELIABLE = 0.7  # above it the error of an estimate falls too slowly with the number of draws to be of use (sec. 3)


class Smoothed(NamedTuple):
    """Normalised log weights whose largest are replaced by quantiles of a fitted Pareto tail, and the shape of that."""

    log_weights: np.ndarray  # [draw], logsumexp 0
    khat: float


def psis(log_weights: Any) -> Smoothed:
    """Pareto smoothed importance weights.

    Args:
        log_weights: `[draw]`, log p - log q, up to a constant; -inf is a weight of zero.

    Returns:
        The smoothed log weights, and k-hat: below 0.5 the variance of estimates is finite, above 0.7 they are of no
        use; -inf for equal weights, nan for fewer than 25 draws or a weight that is nan, inf where there is no tail to
        fit: no weight counts, or fewer than five differ from the rest.

    >>> weights = np.random.default_rng(0).exponential(size=2000)       # bounded moments of every order
    >>> bool(psis(np.log(weights)).khat < 0.3)
    True
    >>> weights = np.random.default_rng(0).pareto(1.0, size=2000)       # no mean
    >>> bool(psis(np.log(weights)).khat > 0.7)
    True
    """
    x = np.array(log_weights, np.float64)
    if x.ndim != 1:
        raise ValueError(f"psis: log weights must be [draw], got shape {x.shape}.")
    count = len(x)
    tail = min(count // 5, math.ceil(3 * math.sqrt(count))) if count else 0
    if np.isnan(x).any() or (x == np.inf).any() or tail < 5:
        return Smoothed(x - _log_sum(x), math.nan)
    if not (x > -np.inf).any():
        return Smoothed(x, math.inf)
    x -= x.max()
    if np.ptp(x) == 0:
        return Smoothed(x - _log_sum(x), -math.inf)
    order = np.argsort(x, kind="stable")
    cutoff = max(x[order[-tail - 1]], np.log(np.finfo(np.float64).tiny))
    largest = order[-tail:][x[order[-tail:]] > cutoff]
    if (tail := len(largest)) < 5:  # most weights are equal, and a few are larger
        return Smoothed(x - _log_sum(x), math.inf)
    k, sigma = generalised_pareto(np.exp(x[largest]) - np.exp(cutoff))
    p = (np.arange(tail) + 0.5) / tail
    quantiles = sigma * (np.expm1(-k * np.log1p(-p)) / k if abs(k) > 1e-12 else -np.log1p(-p))
    x[largest] = np.minimum(np.log(quantiles + np.exp(cutoff)), 0.0)
    return Smoothed(x - _log_sum(x), k)


def generalised_pareto(excess: np.ndarray) -> tuple[float, float]:
    """Shape k and scale sigma of ascending excesses over a threshold (Zhang & Stephens 2009, eq. 6 to 8).

    k is pulled towards 1/2 as by ten more observations (Vehtari et al. 2024, appendix G).

    >>> u = (np.arange(2000) + 0.5) / 2000
    >>> k, sigma = generalised_pareto(2.0 * np.expm1(-0.3 * np.log1p(-u)) / 0.3)
    >>> round(k, 1), round(sigma, 1)
    (0.3, 2.0)
    """
    n = len(excess)
    m = 30 + math.isqrt(n)
    quartile = excess[int(n / 4 + 0.5) - 1]
    b = 1 / excess[-1] + (1 - np.sqrt(m / (np.arange(1, m + 1) - 0.5))) / (3 * quartile)  # eq. 8, with -k / sigma
    k_of_b = np.log1p(-b[:, None] * excess).mean(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        profile = n * (np.log(-b / k_of_b) - k_of_b - 1)  # log likelihood
    profile = np.where(np.isfinite(profile), profile, -np.inf)
    weights = np.exp(profile - _log_sum(profile))
    estimate = float((weights * b).sum())
    k = float(np.log1p(-estimate * excess).mean())
    sigma = -k / estimate
    return (n * k + 10 * 0.5) / (n + 10), sigma


def _log_sum(x: np.ndarray) -> float:
    if not len(x):
        return 0.0
    top = x.max()
    return float(top + np.log(np.exp(x - top).sum())) if np.isfinite(top) else float(top)
