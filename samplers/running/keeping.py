"""What the host keeps of a run: draws by name, every n-th of them or only their moments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from storax.samplers.moments import Moments
from storax.samplers.running.blocks import Block

MOST_FAULTS = 1000  # divergences whose places are kept


class Keeper:
    """Takes blocks of draws, and has arrays of all of them in the end.

    Args:
        name: positions `[n, d]` to values by name, `[n, *shape]`; it is asked for many at a time.
        rows: draws of each chain that it is asked for at a time.
        columns: statistics and their types.
        num_chains: chains.
        num_samples: draws of each.
        thin: every how many-th draw is kept.
        collect: names to keep; None keeps all.
        reduce: keep moments, and no draws.
    """

    def __init__(
        self, name: Callable[[np.ndarray], Mapping[str, np.ndarray]], rows: int, columns: Mapping[str, Any],
        num_chains: int, num_samples: int, thin: int, collect: Sequence[str] | None, reduce: bool,
    ) -> None:  # fmt: skip
        self._name, self._columns, self._collect, self._thin = name, columns, collect, thin
        self._chains, self._rows, self._at_a_time = num_chains, -(-num_samples // thin), rows
        self._waiting: list[np.ndarray] = []  # positions that have no names yet
        self.samples: dict[str, np.ndarray] = {}  # name -> [chain, draw, *shape]
        self.stats: dict[str, np.ndarray] = {}  # name -> [chain, draw]
        self.names: dict[str, tuple[int, ...]] = {}  # -> shape
        self._last = np.zeros(())
        self._warmup: list[np.ndarray] = []
        self._faults: list[np.ndarray] = []
        self._faulty: list[np.ndarray] = []
        self.moments: dict[str, Moments] | None = {} if reduce else None
        self.kept = self.made = self._named = 0
        self.farthest = 0.0  # coordinate of R^n

    def take(self, block: Block) -> None:
        """Keeps a block."""
        self._last = np.array(block.stats)
        if block.learns:
            self._warmup.append(self._last)
            return
        rows = slice(-block.first % self._thin, None, self._thin)
        stats, positions = block.stats[:, rows], block.positions[:, rows]
        self.made = block.first + block.size
        if stats.shape[1]:
            self.farthest = max(self.farthest, float(np.abs(positions).max(initial=0)))
            for column, x in self._by_column(stats).items():
                self._put(self.stats, column, self.kept, x)
            self.kept += stats.shape[1]
            self._waiting.append(np.array(positions))
            if self.kept - self._named >= self._at_a_time:
                self._give_names()
        if sum(map(len, self._faults)) < MOST_FAULTS and len(block.faults):
            self._faults.append(block.faults)
            self._faulty.append(block.faulty)

    def _give_names(self) -> None:
        positions = np.concatenate(self._waiting, 1)
        self._waiting = []
        for i in range(0, positions.shape[1], self._at_a_time):
            part = positions[:, i : i + self._at_a_time]
            flat = self._name(part.reshape(-1, part.shape[-1]))
            for n in flat if self._collect is None else self._collect:
                x = flat[n].reshape(*part.shape[:2], *flat[n].shape[1:])
                self.names[n] = x.shape[2:]
                if self.moments is None:
                    self._put(self.samples, n, self._named, x)
                else:
                    self.moments.setdefault(n, Moments(self._chains, self._rows)).add(x)
            self._named += part.shape[1]

    def _put(self, arrays: dict[str, np.ndarray], name: str, first: int, rows: np.ndarray) -> None:
        if name not in arrays:  # of all draws at once: memory is used as it fills
            arrays[name] = np.empty((self._chains, self._rows, *rows.shape[2:]), rows.dtype)
        arrays[name][:, first : first + rows.shape[1]] = rows

    def finish(self) -> None:
        """Gives names to what has none yet, and drops room that was not used; nothing is to be read before."""
        if self._waiting:
            self._give_names()
        for arrays in (self.samples, self.stats):
            for n, x in arrays.items():
                if x.shape[1] > self.kept:
                    arrays[n] = x[:, : self.kept].copy()

    @property
    def warmup_draws(self) -> int:
        return sum(rows.shape[1] for rows in self._warmup)

    @property
    def last(self) -> dict[str, np.ndarray]:
        """Statistics of the last block, by name."""
        return self._by_column(self._last)

    @property
    def warmup_stats(self) -> dict[str, np.ndarray]:
        """Name -> `[chain, warm-up draw]`."""
        rows = self._warmup or [np.zeros((self._chains, 0, len(self._columns)), np.float32)]
        return self._by_column(np.concatenate(rows, 1))

    @property
    def divergences(self) -> dict[str, np.ndarray]:
        """ "chain", "draw" and every name -> `[n, ...]`: the points that trajectories ran away from."""
        if not self._faults:
            return {}
        places = np.concatenate(self._faulty)
        return {"chain": places[:, 0], "draw": places[:, 1], **self._name(np.concatenate(self._faults))}

    def _by_column(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        return {n: rows[..., i].astype(kind or rows.dtype) for i, (n, kind) in enumerate(self._columns.items())}
