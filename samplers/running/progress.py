"""How far a run is: a bar in terminals and notebooks, a line now and then in logs."""

from __future__ import annotations

import sys
import time
from typing import Any, Protocol

import numpy as np

PATIENCE = 0.5  # seconds, after which a bar appears
BETWEEN_LINES = 5.0  # seconds


class Progress(Protocol):
    """Told of draws as they come."""

    def update(self, made: int, total: int, learns: bool, stats: dict[str, np.ndarray]) -> None:
        """So many draws of each chain are made; `stats` are those of the last ones, `[chain, draw]`."""

    def close(self) -> None:
        """Nothing more will come."""


class Nothing:
    def update(self, made: int, total: int, learns: bool, stats: dict[str, np.ndarray]) -> None:
        pass

    def close(self) -> None:
        pass


class _Telling:
    """Keeps count for whatever shows it."""

    def __init__(self, chains: int) -> None:
        self._chains, self._begun, self._diverging = chains, time.monotonic(), 0

    def _words(self, made: int, learns: bool, stats: dict[str, np.ndarray]) -> str:
        if not learns:
            self._diverging += int(stats["diverging"].sum())
        rate = made * self._chains / max(time.monotonic() - self._begun, 1e-9)
        phase = "warm-up" if learns else f"{self._diverging} divergences"
        return f"{self._chains} chains, {rate:,.0f} draws/s, step size {stats['step_size'].mean():.2g}, {phase}"


class Bar(_Telling):
    """A bar of tqdm, where it is installed; it appears when the run has taken a moment."""

    def __init__(self, chains: int, tqdm: Any) -> None:
        super().__init__(chains)
        self._tqdm, self._bar = tqdm, None

    def update(self, made: int, total: int, learns: bool, stats: dict[str, np.ndarray]) -> None:
        words = self._words(made, learns, stats)
        if self._bar is None and time.monotonic() - self._begun > PATIENCE:
            self._bar = self._tqdm(total=total, unit="draw", leave=True, dynamic_ncols=True)
        if self._bar is not None:
            self._bar.total = total
            self._bar.set_postfix_str(words, refresh=False)
            self._bar.update(made - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


class Lines(_Telling):
    """A line every few seconds."""

    def __init__(self, chains: int, stream: Any) -> None:
        super().__init__(chains)
        self._stream, self._last = stream, self._begun

    def update(self, made: int, total: int, learns: bool, stats: dict[str, np.ndarray]) -> None:
        words, now = self._words(made, learns, stats), time.monotonic()
        if now - self._last > BETWEEN_LINES or (made == total and now - self._begun > PATIENCE):
            self._last = now
            left = (now - self._begun) * (total - made) / max(made, 1)
            print(f"storax: {made}/{total} draws, {left:.0f} s left ({words})", file=self._stream, flush=True)

    def close(self) -> None:
        pass


def progress(show: bool | None, chains: int) -> Progress:
    """What shows a run of so many chains: nothing, a bar, or lines.

    Args:
        show: None shows a run to people, in terminals and notebooks; True in logs as well.
        chains: of the run.
    """
    stream = sys.stderr
    watched = bool(getattr(stream, "isatty", lambda: False)()) or "ipykernel" in sys.modules
    if show is False or (show is None and not watched):
        return Nothing()
    try:
        from tqdm.auto import tqdm  # type: ignore[import-untyped]
    except ImportError:
        return Lines(chains, stream)
    return Bar(chains, tqdm) if watched else Lines(chains, stream)
