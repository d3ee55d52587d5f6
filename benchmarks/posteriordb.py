"""The reference posteriors: how far from the published ones storax is.

`python -m benchmarks.posteriordb` runs all of them and prints a line a parameter.  The reference values are those of
posteriordb, in a folder `../shared/posteriordb` beside the repository or another given by `--data`, with a folder for
each posterior that holds `data.json` and `reference.json`.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import time
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

DATA = pathlib.Path(__file__).parent.parent.parent / "shared" / "posteriordb"


class Distance(NamedTuple):
    """Of one parameter's draws from the reference."""

    parameter: str
    mean: float
    sd: float
    reference_mean: float
    reference_sd: float
    error: float  # Monte Carlo standard error of the difference of the means, the reference's own included
    ess: float
    rhat: float

    @property
    def in_sd(self) -> float:
        """Of the means, in reference standard deviations."""
        return (self.mean - self.reference_mean) / self.reference_sd

    @property
    def in_errors(self) -> float:
        """Of the means, in Monte Carlo standard errors."""
        return (self.mean - self.reference_mean) / self.error


def run(name: str, folder: pathlib.Path = DATA, *, seed: int = 0, kernel: Any = None, **settings: Any) -> Any:
    """`sx.Posterior` of the posterior of this name; `settings` are those of `sx.mcmc`."""
    import storax as sx
    from benchmarks.reference_models import MODELS

    model, arguments = MODELS[name]
    values = json.loads((folder / name / "data.json").read_text())
    data = {n: np.asarray(v, float) for n, v in values.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sx.errors.SamplingWarning)  # the table says as much
        return sx.mcmc(model, kernel, **settings)(seed, *arguments(data))


def distances(name: str, post: Any, folder: pathlib.Path = DATA) -> Iterator[Distance]:
    """Of every parameter that has a reference."""
    from storax.samplers.diagnostics import ess_bulk, mcse_mean, rhat

    reference = json.loads((folder / name / "reference.json").read_text())["summary"]
    for column, want in reference.items():
        base, _, index = column.partition("[")
        x = np.asarray(post[base][..., int(index[:-1]) - 1] if index else post[base], np.float64)
        error = np.hypot(mcse_mean(x), want["sd"] / np.sqrt(want["ess_mean"]))
        yield Distance(column, x.mean(), x.std(ddof=1), want["mean"], want["sd"], error, ess_bulk(x), rhat(x))


def main() -> None:
    from benchmarks.reference_models import MODELS

    parser = argparse.ArgumentParser(prog="python -m benchmarks.posteriordb", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="beginnings of names; all, if none")
    parser.add_argument("--data", type=pathlib.Path, default=DATA, help="folder of the reference values")
    parser.add_argument("--driver", choices=["sequential", "batched"], help="the library chooses, unless it is given")
    parser.add_argument("--num-samples", type=int, default=2000, help="draws of each of the four chains")
    parser.add_argument("--target-accept", type=float, default=0.9)
    parser.add_argument("--single", action="store_true", help="in single precision")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    chosen = [n for n in MODELS if not arguments.names or n.startswith(tuple(arguments.names))]
    if not chosen:
        parser.error(f"no posterior begins so; there are {', '.join(MODELS)}")
    if not arguments.data.is_dir():
        parser.error(f"there is no folder {arguments.data}; say where the reference values are, --data FOLDER")

    import jax

    import storax as sx

    jax.config.update("jax_enable_x64", not arguments.single)
    table = []
    for name in chosen:
        began = time.process_time()
        post = run(name, arguments.data, seed=arguments.seed, kernel=sx.nuts(target_accept=arguments.target_accept),
                   num_samples=arguments.num_samples, driver=arguments.driver)  # fmt: skip
        took = time.process_time() - began
        table.append(report(name, post, list(distances(name, post, arguments.data)), took))
    print("\n| posterior | furthest, in reference sd | in errors | least ESS | largest R-hat | CPU-s | gradients | "
          "divergences |\n| --- | --: | --: | --: | --: | --: | --: | --: |")  # fmt: skip
    print("\n".join(table))


def report(name: str, post: Any, rows: list[Distance], took: float) -> str:
    """Prints a line a parameter, and returns the posterior's own."""
    steps = (post.stats["n_steps"].sum() + post.warmup_stats["n_steps"].sum()) / 1000
    diverging, deepest = (int(post.stats[n].sum()) for n in ("diverging", "reached_max_treedepth"))
    print(f"\n{name}: {post.attrs['driver']}, {took:.1f} CPU-s, {steps:.0f} k gradients, {diverging} divergences, "
          f"{deepest} at the largest depth")  # fmt: skip
    print(f"  {'parameter':<10} {'mean':>11} {'reference':>11} {'in sd':>8} {'in errors':>9} "
          f"{'sd ratio':>8} {'ESS':>7} {'R-hat':>7}")  # fmt: skip
    for d in rows:
        print(f"  {d.parameter:<10} {d.mean:11.5g} {d.reference_mean:11.5g} {d.in_sd:8.4f} {d.in_errors:9.2f} "
              f"{d.sd / d.reference_sd:8.3f} {d.ess:7.0f} {d.rhat:7.4f}", flush=True)  # fmt: skip
    return (f"| {name} | {max(abs(d.in_sd) for d in rows):.4f} | {max(abs(d.in_errors) for d in rows):.1f} | "
            f"{min(d.ess for d in rows):.0f} | {max(d.rhat for d in rows):.4f} | {took:.1f} | {steps:.0f} k | "
            f"{diverging} |")  # fmt: skip


if __name__ == "__main__":
    main()
