"""What is measured of a run: time on the processors, compilations, and what draws are worth."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


def cpu_seconds() -> float:
    """Of this process, all of its threads, and of the children it has waited for."""
    children = os.times()
    return time.process_time() + children.children_user + children.children_system


class Taken:
    """Seconds on the processors, and on the clock on the wall."""

    cpu = 0.0
    wall = 0.0


@contextmanager
def clock() -> Iterator[Taken]:
    """Times what is done inside."""
    taken, cpu, wall = Taken(), cpu_seconds(), time.perf_counter()
    yield taken
    taken.cpu, taken.wall = cpu_seconds() - cpu, time.perf_counter() - wall


class Compilations:
    """Counts how often XLA compiles, from when it is made."""

    def __init__(self) -> None:
        import jax

        self.count = 0
        jax.monitoring.register_event_duration_secs_listener(self._hear)

    def _hear(self, event: str, *_: Any, **__: Any) -> None:
        self.count += event == "/jax/core/compile/backend_compile_duration"


def worth(draws: dict[str, np.ndarray], reference: dict[str, Any] | None) -> dict[str, float]:
    """Of draws `[chain, draw, ...]` by name: the least effective sample sizes, the largest R-hat, and the largest error
    of a mean in standard deviations of the reference."""
    from storax.samplers.diagnostics import ess_bulk, ess_tail, rhat

    every = list(draws.values())
    found = {
        "bulk": min(float(ess_bulk(x).min()) for x in every),
        "tail": min(float(ess_tail(x).min()) for x in every),
        "rhat": max(float(rhat(x).max()) for x in every),
        "error": float("nan"),
    }
    if reference is not None:
        errors = [np.abs(draws[n].mean((0, 1)) - np.array(r["mean"])) / np.array(r["sd"]) for n, r in reference.items()]
        found["error"] = max(float(e.max()) for e in errors)
    return found


def median(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Of dicts with the same numbers in them, the median of each."""
    return {n: float(np.median([r[n] for r in rows])) for n in rows[0]}
