"""Means, variances and R-hat of draws that are not kept."""

from __future__ import annotations

import numpy as np


class Moments:
    """Running mean and variance of each half of each chain (Chan, Golub & LeVeque 1983, eq. 1.5), in 64 bits.

    Args:
        chains: how many there are.
        draws: how many each will make; the first half of them and the second are told apart.

    >>> x = np.random.default_rng(0).normal(3.0, 2.0, size=(4, 1000))
    >>> m = Moments(4, 1000)
    >>> m.add(x[:, :300]); m.add(x[:, 300:])
    >>> bool(np.isclose(m.mean, x.mean())), bool(np.isclose(m.variance, x.var(ddof=1))), bool(m.rhat < 1.02)
    (True, True, True)
    """

    def __init__(self, chains: int, draws: int) -> None:
        self._half = draws // 2
        self._chains, self._seen = chains, 0
        self._count = np.zeros(2)
        self._means: np.ndarray | None = None  # [2, chain, *shape]
        self._squares: np.ndarray | None = None  # about the mean

    def add(self, draws: np.ndarray) -> None:
        """The next draws, `[chain, draw, *shape]`."""
        x = np.asarray(draws, np.float64)
        if self._means is None or self._squares is None:
            self._means = np.zeros((2, x.shape[0], *x.shape[2:]))
            self._squares = np.zeros_like(self._means)
        cut = min(max(self._half - self._seen, 0), x.shape[1])
        for half, part in ((0, x[:, :cut]), (1, x[:, cut:])):
            n = part.shape[1]
            if n:
                mean, total = part.mean(1), self._count[half] + n
                away = mean - self._means[half]
                self._squares[half] += ((part - mean[:, None]) ** 2).sum(1) + away**2 * (self._count[half] * n / total)
                self._means[half] += away * (n / total)
                self._count[half] = total
        self._seen += x.shape[1]

    @property
    def count(self) -> int:
        """Draws of each chain."""
        return self._seen

    @property
    def mean(self) -> np.ndarray:
        """Of all draws."""
        assert self._means is not None, "no draws yet"
        weights = self._weights()
        return (self._means * weights).sum((0, 1))

    @property
    def variance(self) -> np.ndarray:
        """Of all draws."""
        assert self._means is not None and self._squares is not None, "no draws yet"
        between = self._spread(self._means - self.mean)
        return (self._squares.sum((0, 1)) + between) / (self._chains * self._seen - 1)

    @property
    def rhat(self) -> np.ndarray:
        """Split R-hat, without ranks (Gelman et al. 2013, "Bayesian Data Analysis", eq. 11.4); nan of a constant."""
        assert self._means is not None and self._squares is not None, "no draws yet"
        used = self._count > 1
        n = self._count[used].min(initial=np.inf)
        if not used.any() or self._chains * used.sum() < 2:
            return np.full(self.mean.shape, np.nan)
        within = (self._squares[used] / _up(self._count[used] - 1, self._squares)).mean((0, 1))
        means = self._means[used].reshape(-1, *self.mean.shape)
        with np.errstate(all="ignore"):
            return np.sqrt((n - 1) / n + means.var(0, ddof=1) / within)

    def _weights(self) -> np.ndarray:
        return _up(self._count / (self._chains * self._seen), self._means)

    def _spread(self, away: np.ndarray) -> np.ndarray:
        return (away**2 * _up(self._count, away)).sum((0, 1))


def _up(x: np.ndarray, like: np.ndarray | None) -> np.ndarray:
    """`[2]` against `[2, chain, *shape]`."""
    assert like is not None
    return x.reshape(-1, *(1,) * (like.ndim - 1))
