"""Pareto-smoothed importance sampling (Vehtari, Simpson, Gelman, Yao & Gabry 2024, JMLR 25)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np


class Weights(NamedTuple):
    """Log weights that sum to one, and the shape k of their tail: above `good_k` they are not to be trusted."""

    log_weights: np.ndarray
    pareto_k: float


def good_k(draws: int) -> float:
    """The largest k with which so many draws give a usable estimate (Vehtari et al. 2024, sec. 3.2.4)."""
    return min(1 - 1 / math.log10(draws), 0.7) if draws > 10 else 0.0


def smooth(log_ratios: np.ndarray, relative_ess: float = 1.0) -> Weights:
    """Importance weights with their largest replaced by quantiles of a fitted generalised Pareto distribution.

    Args:
        log_ratios: `[draw]`, up to a constant.
        relative_ess: effective sample size of the draws over their number.

    Returns:
        The weights; k is inf where there is no tail to fit, -inf if all are the same.
    """
    x = np.asarray(log_ratios, float) - np.max(log_ratios)
    size = len(x)
    tail = math.ceil(min(0.2 * size, 3 * math.sqrt(size / relative_ess)))
    order = np.argsort(x, kind="stable")
    k = math.inf
    if x[order[0]] == x[order[-1]]:
        k = -math.inf
    elif size > tail:
        cut = max(x[order[-tail - 1]], math.log(np.finfo(float).tiny))
        largest = order[x[order] > cut]
        if len(largest) > 4:
            k, scale = fit_pareto(np.exp(x[largest]) - np.exp(cut))
            if np.isfinite(k):
                p = (np.arange(len(largest)) + 0.5) / len(largest)
                quantiles = scale * (np.expm1(-k * np.log1p(-p)) / k if k else -np.log1p(-p))
                x[largest] = np.minimum(np.log(quantiles + np.exp(cut)), 0.0)
    return Weights(x - log_sum_exp(x), float(k))


def log_sum_exp(x: np.ndarray, axis: int = 0) -> np.ndarray:
    top = np.max(x, axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return np.log(np.exp(x - top).sum(axis)) + np.squeeze(top, axis)


def fit_pareto(x: np.ndarray) -> tuple[float, float]:
    """Shape and scale of the generalised Pareto distribution of `x`, ascending (Zhang & Stephens 2009, sec. 2).

    The shape is drawn towards 1/2 by a prior worth ten observations (Vehtari et al. 2024, appendix G).
    """
    n = len(x)
    count = 30 + int(math.sqrt(n))
    quartile = x[int(n / 4 + 0.5) - 1]
    b = (1 - np.sqrt(count / (np.arange(1, count + 1) - 0.5))) / (3 * quartile) + 1 / x[-1]
    with np.errstate(all="ignore"):
        k = np.log1p(-b[:, None] * x).mean(1)
        length = n * (np.log(-b / k) - k - 1)  # log of the profile likelihood
        weights = 1 / np.exp(length - length[:, None]).sum(1)
        kept = weights >= 10 * np.finfo(float).eps
        b = float((b[kept] * weights[kept]).sum() / weights[kept].sum())
        k = float(np.log1p(-b * x).mean())
        scale = -k / b
    return (n * k + 10 * 0.5) / (n + 10), float(scale)
