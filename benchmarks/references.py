"""Means and standard deviations of the posteriors that samplers are compared on, from long runs of BlackJAX.

`python -m benchmarks.references [NAME ...]` writes them to `references.json`, in double precision: 8 chains of 20,000
draws, fewer where a gradient is dear.  They are independent of storax's samplers, and of its densities where the PyMC
models of nutpie agree.  The Gaussian's are exact, and those of centred eight schools the non-centred ones'.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np

from benchmarks.posteriors import POSTERIORS
from benchmarks.worker import REFERENCES

DRAWS = {"logistic 1000 x 25": 5000, "logistic 50,000 x 50": 500, "item response 2PL": 5000,
         "stochastic volatility": 4000}  # fmt: skip
CENTRED, NONCENTRED, GAUSSIAN = "eight schools, centred", "eight schools, non-centred", "Gaussian, 100 dimensions"


def measured(name: str) -> dict[str, Any]:
    """Site -> mean and standard deviation, and the least effective sample size."""
    from benchmarks.contenders import CONTENDERS, Settings
    from storax.samplers.diagnostics import ess_bulk, rhat

    kept = DRAWS.get(name, 20_000)
    settings = Settings(8, min(2000, 2 * kept), kept)
    draws = CONTENDERS["blackjax-map"](POSTERIORS[NONCENTRED if name == CENTRED else name](), settings)(1)
    named = dict(draws.by_name)
    if name == CENTRED:
        named["theta"] = named["mu"][..., None] + named["tau"][..., None] * named.pop("eta")
    ess = min(float(ess_bulk(x).min()) for x in named.values())
    worst = max(float(rhat(x).max()) for x in named.values())
    print(f"{name}: least ESS {ess:.0f}, largest R-hat {worst:.4f}, {draws.diverging} divergences")
    return {n: {"mean": _digits(x.mean((0, 1))), "sd": _digits(x.std((0, 1)))} for n, x in named.items()}


def exact() -> dict[str, Any]:
    (precision,) = POSTERIORS[GAUSSIAN]().data
    sd = np.sqrt(np.diagonal(np.linalg.inv(precision.astype(float))))
    return {"x": {"mean": [0.0] * len(sd), "sd": _digits(sd)}}


def _digits(x: np.ndarray) -> Any:
    return np.vectorize(lambda v: float(f"{v:.5g}"))(x).tolist()


def main() -> None:
    import jax

    jax.config.update("jax_enable_x64", True)
    for name in POSTERIORS:
        if len(sys.argv) > 1 and not name.startswith(tuple(sys.argv[1:])):
            continue
        began = time.process_time()
        found = exact() if name == GAUSSIAN else measured(name)
        known = json.loads(REFERENCES.read_text()) if REFERENCES.exists() else {}
        known[name] = found
        lines = (f"{json.dumps(n)}: {json.dumps(known[n])}" for n in POSTERIORS if n in known)
        REFERENCES.write_text("{\n" + ",\n".join(lines) + "\n}\n")
        print(f"  {time.process_time() - began:.0f} CPU-s", flush=True)


if __name__ == "__main__":
    main()
