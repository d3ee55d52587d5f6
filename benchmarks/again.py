"""A run, and the same once more: what is compiled, and what it takes."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.contenders import CONTENDERS, POSTERIORS, Settings
from benchmarks.measuring import Compilations, clock


def runs(contender: str, name: str) -> Any:
    """Each call is a run of the same settings, with another key or with other data of the same shapes."""
    posterior = POSTERIORS[name]()
    compilations = Compilations()
    made: list[Any] = []

    def call(seed: int, other_data: bool = False) -> dict[str, float]:
        before = compilations.count
        if other_data:  # contenders look at the posterior's data in each run
            for x in posterior.data:
                if np.issubdtype(x.dtype, np.floating):
                    x += np.float32(0.01) * np.random.default_rng(seed).normal(size=x.shape).astype(np.float32) ** 2
        with clock() as taken:
            if not made:
                made.append(CONTENDERS[contender](posterior, Settings()))
            made[0](seed)
        return {"cpu": taken.cpu, "wall": taken.wall, "compilations": compilations.count - before}

    return call
