"""The cold run of a model with two hundred scalar sites, and of the same with one site of two hundred."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.contenders import CONTENDERS, Settings
from benchmarks.measuring import clock
from benchmarks.posteriors import Posterior

COUNT = 200


def scalars(ppl, y):
    mu = ppl.sample("mu", ppl.Normal(0.0, 1.0))
    for i in range(COUNT):
        x = ppl.sample(f"x{i}", ppl.Normal(mu, 1.0))
        ppl.sample(f"y{i}", ppl.Normal(x, 1.0), obs=y[i])


def vector(ppl, y):
    mu = ppl.sample("mu", ppl.Normal(0.0, 1.0))
    x = ppl.sample("x", ppl.Normal(mu, 1.0), shape=(COUNT,))
    ppl.sample("y", ppl.Normal(x, 1.0), obs=y)


def two_hundred(contender: str, kind: str) -> Any:
    """A call is a cold run, of 100 draws after as many for the warm-up."""
    y = np.random.default_rng(0).normal(size=COUNT).astype(np.float32)
    posterior = Posterior({"scalars": scalars, "vector": vector}[kind], (y,))

    def call() -> dict[str, float]:
        with clock() as taken:
            CONTENDERS[contender](posterior, Settings(num_warmup=100, num_samples=100))(0)
        return {"cpu": taken.cpu, "wall": taken.wall}

    return call
