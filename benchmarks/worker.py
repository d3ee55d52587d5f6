"""A contender in a process of its own, which takes its turn when it is told to.

`python -m benchmarks.worker TASK ...` reads a line of JSON for each call and answers with one; `Worker` is the other
end.
Each task is made in a fresh process, with XLA's options as its library sets them and nothing compiled before.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import tempfile
from typing import Any

ROOT = pathlib.Path(__file__).parent.parent
REFERENCES = pathlib.Path(__file__).parent / "references.json"


class WorkerError(Exception):
    """A contender has ended without an answer."""


class Worker:
    """The process of a task, e.g. `Worker("run", "blackjax", "radon")`; ends with the block."""

    def __init__(self, *task: str) -> None:
        self._caches = tempfile.TemporaryDirectory()
        environment = {**os.environ, "NUMBA_CACHE_DIR": self._caches.name}
        environment["PYTENSOR_FLAGS"] = f"base_compiledir={self._caches.name}"
        environment.pop("JAX_COMPILATION_CACHE_DIR", None)
        if not task[1].startswith("storax"):
            environment["STORAX_TUNE_CPU"] = "0"  # peers are measured as they are shipped
        self.task, self.calls = task, 0
        self._process = subprocess.Popen([sys.executable, "-m", "benchmarks.worker", *task], cwd=ROOT, text=True,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)  # fmt: skip

    def call(self, **arguments: Any) -> dict[str, Any]:
        """The task's answer to this call."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(arguments) + "\n")
        self._process.stdin.flush()
        self.calls += 1
        line = self._process.stdout.readline()
        if not line:
            raise WorkerError(" ".join(self.task))
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: Any) -> None:
        self._process.communicate()
        self._caches.cleanup()


def run(contender: str, name: str, *settings: str) -> Any:
    """A whole run; the first call is cold, from a model to draws in hand."""
    from benchmarks.contenders import CONTENDERS, POSTERIORS, Settings
    from benchmarks.measuring import clock, cpu_seconds, worth

    posterior = POSTERIORS[name]()
    reference = json.loads(REFERENCES.read_text()).get(name) if REFERENCES.exists() else None
    chains, warmup, samples = (int(s) if s != "None" else None for s in settings)
    length = posterior.num_samples
    chosen = Settings(chains or 4, length if warmup is None else warmup, samples or length)
    made: list[Any] = []

    def call(seed: int) -> dict[str, Any]:
        with clock() as taken:
            if not made:
                made.append(CONTENDERS[contender](posterior, chosen))
            draws = made[0](seed)
        measured = {"cpu": taken.cpu, "wall": taken.wall, "process": cpu_seconds(), **draws.numbers}
        return {**measured, **worth(draws.by_name, reference)} if chosen.num_samples > 3 else measured

    return call


def bare(contender: str, name: str) -> Any:
    """Microseconds of a value and gradient in a compiled loop, for one chain and for four at once."""
    from benchmarks.floor import floor

    return floor(name)


def lockstep(contender: str, name: str) -> Any:
    """Many chains, with one step size and metric."""
    from benchmarks.lockstep import many_chains

    return many_chains(contender, name)


def again(contender: str, name: str) -> Any:
    """A second run of the same, with its compilations; with other data of the same shapes, if asked."""
    from benchmarks.again import runs

    return runs(contender, name)


def sites(contender: str, kind: str) -> Any:
    """Two hundred scalar sites, or one site of two hundred."""
    from benchmarks.sites import two_hundred

    return two_hundred(contender, kind)


TASKS = {"run": run, "bare": bare, "lockstep": lockstep, "again": again, "sites": sites}


def main() -> None:
    out = os.fdopen(os.dup(1), "w")  # what libraries print goes elsewhere
    os.dup2(2, 1)
    import jax  # noqa: F401  its import is no part of a cold run

    importing(sys.argv[2])
    call = TASKS[sys.argv[1]](*sys.argv[2:])
    for line in sys.stdin:
        print(json.dumps(call(**json.loads(line))), file=out, flush=True)


def importing(contender: str) -> None:
    """Imports are no part of a cold run."""
    import importlib

    library = contender.partition("-")[0]
    importlib.import_module(library)
    if library == "nutpie":
        importlib.import_module("pymc")
    if library == "numpyro":
        importlib.import_module("numpyro.infer")


if __name__ == "__main__":
    main()
