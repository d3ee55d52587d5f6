"""Do the chains agree, and how many independent draws are they worth?

Vehtari, Gelman, Simpson, Carpenter & Buerkner 2021, "Rank-normalization, folding, and localization: an improved R-hat
for assessing convergence of MCMC" (Bayesian Analysis 16), in NumPy and 64 bits.  Every function takes draws
`[chain, draw, *shape]` and returns an array of `shape`.  Where a number makes no sense, it is nan, without a warning:
fewer than four draws, a constant, a draw that is nan.  One chain is enough, since chains are split in two.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache, wraps
from statistics import NormalDist
from typing import Any

import numpy as np

CHUNK = 2**22  # numbers looked at in one go, to stay within a few hundred megabytes

Diagnostic = Callable[[Any], np.ndarray]


def _by_column(statistic: Diagnostic) -> Diagnostic:
    """Lets a function of `[chain, draw, n]` to `[n]` take `[chain, draw, *shape]` to `shape`, nan where it must be."""

    @wraps(statistic)
    def of_draws(draws: Any) -> np.ndarray:
        x = np.asarray(draws, np.float64)
        if x.ndim < 2:
            raise ValueError(f"{statistic.__name__}: draws must be [chain, draw, ...], got shape {x.shape}.")
        chains, length, *shape = x.shape
        columns = x.reshape(chains, length, math.prod(shape))
        result = np.full(columns.shape[-1], np.nan)
        if chains and length >= 4:
            step = max(1, CHUNK // (chains * length))
            for i in range(0, len(result), step):
                part = columns[..., i : i + step]
                # NumPy would warn of 0 / 0 for a constant and of inf - inf
                with np.errstate(all="ignore"):
                    good = ~np.isnan(part).any((0, 1)) & (part.max((0, 1)) > part.min((0, 1)))
                    result[i : i + step] = np.where(good, statistic(part), np.nan)
        return result.reshape(shape)

    return of_draws


@_by_column
def rhat(draws: Any) -> np.ndarray:
    """Rank-normalised split R-hat: the larger of bulk (eq. 14) and folded (sec. 4.2).  Below 1.01 chains agree.

    >>> draws = np.random.default_rng(0).normal(size=(4, 1000))
    >>> bool(rhat(draws) < 1.01), bool(rhat(draws + np.arange(4)[:, None]) > 1.1)
    (True, True)
    """
    x = _split(draws)
    return np.fmax(_plain_rhat(_normal_scores(x)), _plain_rhat(_normal_scores(np.abs(x - np.median(x, axis=(0, 1))))))


def nested_rhat(draws: Any, superchains: int) -> np.ndarray:
    """R-hat of very many short chains, in groups that started at one point each; near 1 where the groups agree.

    sqrt(1 + B / W), with B the variance of the groups' means and W the mean of the variances within groups, which also
    one draw of each chain tells (Margossian, Hoffman, Sountsov, Riou-Durand, Vehtari & Gelman 2024, "Nested R-hat:
    Assessing the convergence of Markov chain Monte Carlo when running many short chains", definition 2).

    Args:
        draws: `[chain, draw, *shape]`, the chains of a group one after another.
        superchains: how many groups there are, at least 2; they divide the chains.

    Raises:
        ValueError: they do not.

    >>> draws = np.random.default_rng(0).normal(size=(512, 1))
    >>> bool(nested_rhat(draws, 16) < 1.05), bool(nested_rhat(draws + np.repeat(np.arange(16.0), 32)[:, None], 16) > 2)
    (True, True)
    """
    x = np.asarray(draws, np.float64)
    if x.ndim < 2 or superchains < 2 or x.shape[0] % superchains:
        raise ValueError(f"nested_rhat: {superchains} superchains do not divide draws of shape {x.shape} by chains.")
    x = x.reshape(superchains, -1, *x.shape[1:])  # [superchain, chain, draw, *shape]
    means = x.mean(2)
    within = x.var(2, ddof=1).mean(1) if x.shape[2] > 1 else 0.0
    between_chains = means.var(1, ddof=1) if x.shape[1] > 1 else 0.0
    with np.errstate(all="ignore"):
        return np.sqrt(1 + means.mean(1).var(0, ddof=1) / np.mean(between_chains + within, axis=0))


@_by_column
def ess_bulk(draws: Any) -> np.ndarray:
    """Effective sample size of the centre of the distribution: of rank-normalised split chains (sec. 4.1).

    >>> draws = np.random.default_rng(0).normal(size=(4, 1000, 2))
    >>> ess_bulk(draws) > 3000
    array([ True,  True])
    """
    return _ess(_normal_scores(_split(draws)))


@_by_column
def ess_tail(draws: Any) -> np.ndarray:
    """Effective sample size of the tails: the smaller one of those of the 5% and 95% quantiles (sec. 4.3)."""
    quantiles = np.quantile(draws, (0.05, 0.95), axis=(0, 1))
    low, high = (_ess(_split(draws <= q).astype(np.float64)) for q in quantiles)
    return np.fmin(low, high)  # a tail of ties only says nothing


@_by_column
def mcse_mean(draws: Any) -> np.ndarray:
    """Monte Carlo standard error of the mean of all draws: sd / sqrt(ESS of the split chains)."""
    return draws.std((0, 1), ddof=1) / np.sqrt(_ess(_split(draws)))


@_by_column
def mcse_sd(draws: Any) -> np.ndarray:
    """Monte Carlo standard error of the standard deviation: that of the variance, by the delta method."""
    squares = (draws - draws.mean((0, 1))) ** 2
    variance = squares.mean((0, 1))
    return np.sqrt(((squares**2).mean((0, 1)) - variance**2) / _ess(_split(squares)) / variance) / 2


def _split(x: np.ndarray) -> np.ndarray:
    """Halves of chains as chains; a draw in the middle is left out."""
    half = x.shape[1] // 2
    return np.concatenate([x[:, :half], x[:, -half:]])


def _plain_rhat(x: np.ndarray) -> np.ndarray:
    """sqrt(var+ / W) (eq. 1-4)."""
    n = x.shape[1]
    within = x.var(1, ddof=1).mean(0)
    between = x.mean(1).var(0, ddof=1)  # B / n
    return np.sqrt((n - 1) / n + between / within)


def _ess(x: np.ndarray) -> np.ndarray:
    """Effective sample size, by Geyer's initial monotone sequence (eq. 10-13), as Stan and ArviZ compute it."""
    m, n, _ = x.shape
    covariance = _autocovariance(x)
    within = covariance[0] * n / (n - 1)
    var_plus = covariance[0] + x.mean(1).var(0, ddof=1)
    rho = 1 - (within - covariance) / var_plus
    rho[0] = 1
    pairs = rho[0 : n - n % 2 : 2] + rho[1::2]
    last = max(0, (n - 3) // 2)
    leading = np.logical_and.accumulate(pairs[:last] > 0, axis=0)
    k = leading.sum(0)  # the pair where the sequence is cut
    total = (np.minimum.accumulate(pairs[:last], axis=0) * leading).sum(0)
    even = np.take_along_axis(rho, 2 * k[None], 0)[0]
    kept = (even > 0) | (np.take_along_axis(pairs, k[None], 0)[0] >= 0)
    tau = -1 + 2 * total + np.where(kept, even, 0)
    # Antithetic chains: at most m n log10(m n).
    return m * n / np.maximum(tau, 1 / np.log10(m * n))


def _autocovariance(x: np.ndarray) -> np.ndarray:
    """`[lag, n]`, the mean over chains; divided by the number of draws at all lags."""
    length = x.shape[1]
    padded = 1 << (2 * length - 1).bit_length()  # no wrapping around
    spectrum = np.fft.rfft(x - x.mean(1, keepdims=True), padded, axis=1)
    power = (spectrum.real**2 + spectrum.imag**2).mean(0)  # the transform is linear: chains are averaged before it
    return np.fft.irfft(power, padded, axis=0)[:length] / length


def _normal_scores(x: np.ndarray) -> np.ndarray:
    """Phi^-1 of the ranks among all draws, ties sharing their mean rank (eq. 14)."""
    size = x.shape[0] * x.shape[1]
    rows = np.ascontiguousarray(x.reshape(size, -1).T)  # [n, size]: sorted where it lies
    order = rows.argsort(1)
    ordered = np.take_along_axis(rows, order, 1)
    position = np.arange(size)[None]
    new = np.concatenate([np.ones_like(ordered[:, :1], bool), ordered[:, 1:] != ordered[:, :-1]], 1)
    first = last = position
    if not new.all():
        first = np.maximum.accumulate(np.where(new, position, 0), axis=1)
        ends = np.concatenate([new[:, 1:], new[:, :1]], 1)
        last = np.minimum.accumulate(np.where(ends, position, size)[:, ::-1], axis=1)[:, ::-1]
    scores = np.empty_like(rows)
    np.put_along_axis(scores, order, np.broadcast_to(_quantiles(size)[first + last], rows.shape), 1)
    return scores.T.reshape(x.shape)


@lru_cache(maxsize=4)
def _quantiles(size: int) -> np.ndarray:
    """The score of mean rank 1 + i / 2 among `size`, by i (Blom 1958: (rank - 3/8) / (size + 1/4))."""
    p = (1 + np.arange(2 * size - 1) / 2 - 3 / 8) / (size + 1 / 4)
    return np.array([NormalDist().inv_cdf(x) for x in p])
