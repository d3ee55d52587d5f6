"""NUTS beside its peers: what a draw costs, and what it is worth.

`python -m benchmarks.nuts --against numpyro,blackjax,nutpie` prints one table a section; `--sections` and `--models`
take a part.  Every contender has a process of its own, as its library sets it up; within a table they take turns, so
that a busy machine slows all of them.  The clock is the processors' (seconds of all threads of the process), and
numbers are medians of the repeats.  The sections:

- runs: whole runs of 4 chains, warm-up included: cold (a fresh process, from the model to draws in hand, compilation
  included, imports not), and compiled;
- bare: microseconds of a value and gradient in a loop, what no sampler can be faster than;
- lockstep: 4 to 1024 chains at one step size and metric, gradients executed and used;
- again: second runs, with another key and with other data of the same shapes, and what they compile;
- sites: the cold run of 200 scalar sites, and that of one site of 200;
- cold: fresh processes for eight schools: to draws in hand, and from the interpreter's start to the first draw.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from benchmarks.measuring import median
from benchmarks.posteriors import POSTERIORS
from benchmarks.worker import Worker

# What is asked for by a peer's name; --against also takes one contender, e.g. blackjax-map.
PEERS = {"numpyro": ["numpyro"], "blackjax": ["blackjax", "blackjax-map"], "nutpie": ["nutpie", "nutpie-short"]}
SCHOOLS, LOGISTIC = "eight schools, non-centred", "logistic 1000 x 25"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nuts", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--against", default="", help=f"peers, of {', '.join(PEERS)}, with commas between")
    parser.add_argument("--sections", default=",".join(SECTIONS), help=f"of {', '.join(SECTIONS)}; all by default")
    parser.add_argument("--models", default="", help="beginnings of names, with semicolons between; all by default")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    peers = [p for p in arguments.against.split(",") if p]
    sections = arguments.sections.split(",")
    known = {*PEERS, *(c for p in PEERS.values() for c in p)}
    if not set(peers) <= known or not set(sections) <= set(SECTIONS):
        parser.error("there is no such peer or section")
    beginnings = tuple(b.strip() for b in arguments.models.split(";"))
    models = [n for n in POSTERIORS if n.startswith(beginnings)]
    for section in sections:
        print(f"\n### {section}\n", flush=True)
        SECTIONS[section](models, peers, arguments.repeats)


@contextmanager
def workers(task: str, contenders: list[str], *name: str) -> Iterator[dict[str, Worker]]:
    """A process for each contender."""
    with ExitStack() as stack:
        yield {c: stack.enter_context(Worker(task, c, *name)) for c in contenders}


def in_turns(workers: dict[str, Worker], repeats: int, **arguments: Any) -> dict[str, dict[str, Any]]:
    """The medians of each worker's answers; seeds count up."""
    answers: dict[str, list[Any]] = {c: [] for c in workers}
    for seed in range(1, repeats + 1):
        for contender, worker in workers.items():
            answers[contender].append(worker.call(seed=seed, **arguments))
    return {c: median(a) for c, a in answers.items()}


def head(*columns: str) -> None:
    print("| " + " | ".join(columns) + " |\n| --- |" + " --: |" * (len(columns) - 1))


def row(*cells: Any) -> None:
    words = (c if isinstance(c, str) else f"{c:,.3g}" if c < 1000 else f"{c:,.0f}" for c in cells)
    print(f"| {' | '.join(words)} |", flush=True)


def against(peers: list[str]) -> list[str]:
    return ["storax", "storax-run", *(c for p in peers for c in PEERS.get(p, [p]))]


def runs(models: list[str], peers: list[str], repeats: int) -> None:
    head("model, contender", "cold", "CPU-s", "ESS bulk / tail", "ESS / CPU-s", "ESS / 1000 gradients, all (sampling)",
         "1000 gradients, warm-up + sampling", "us / gradient", "/ bare", "R-hat", "divergences",
         "error, sd (4 / sqrt ESS)")  # fmt: skip
    for name in models:
        with Worker("bare", "storax", name) as bare:
            floors = median([bare.call() for _ in range(repeats)])
        with workers("run", against(peers), name, "None", "None", "None") as contenders:
            cold = {c: w.call(seed=0) for c, w in contenders.items()}
            for c, r in in_turns(contenders, repeats).items():
                ess, gradients = min(r["bulk"], r["tail"]), (r["warmup_steps"] + r["steps"]) / 1000
                micro = 1e3 * r["cpu"] / gradients
                row(f"{name}, {c}", cold[c]["cpu"], r["cpu"], f"{r['bulk']:.0f} / {r['tail']:.0f}", ess / r["cpu"],
                    f"{ess / gradients:.1f} ({1000 * ess / r['steps']:.1f})",
                    f"{r['warmup_steps'] / 1000:.0f} + {r['steps'] / 1000:.0f}", micro,
                    micro / floors["four" if r["batched"] else "one"], f"{r['rhat']:.3f}", f"{r['diverging']:.0f}",
                    f"{r['error']:.3f} ({4 / math.sqrt(ess):.3f})")  # fmt: skip


def bare(models: list[str], peers: list[str], repeats: int) -> None:
    head("model", "us / gradient, one chain", "us / gradient, four chains side by side")
    for name in models:
        with Worker("bare", "storax", name) as worker:
            found = median([worker.call() for _ in range(repeats)])
            row(name, found["one"], found["four"])


def lockstep(models: list[str], peers: list[str], repeats: int) -> None:
    contenders = ["storax-batched", "storax-sequential", *(["blackjax"] if "blackjax" in peers else [])]
    head(
        "model, chains, step size / adapted, contender",
        "executed / used",
        "us / used gradient",
        "/ BlackJAX",
        "error, sd",
    )
    for name in models:
        if name not in (SCHOOLS, LOGISTIC):
            continue
        with workers("lockstep", contenders, name) as processes:
            for chains, scale in itertools.product((4, 64, 256, 1024), (1.0, 0.85)):
                found = in_turns(processes, repeats, chains=chains, scale=scale)
                cost = {c: 1e6 * r["cpu"] / r["useful"] for c, r in found.items()}
                for c, r in found.items():
                    beside = f"{cost[c] / cost['blackjax']:.2f}" if "blackjax" in cost else ""
                    waste = f"{r['executed'] / r['useful']:.3f}"
                    row(f"{name}, {chains} chains, {scale} step, {c}", waste, cost[c], beside, f"{r['off']:.3f}")


def again(models: list[str], peers: list[str], repeats: int) -> None:
    head("model, contender", "first run, CPU-s", "another key", "compilations", "other data", "compilations")
    for name in models:
        if name not in (SCHOOLS, LOGISTIC):
            continue
        contenders = [*against([p for p in peers if p != "nutpie"]), *(["numpyro-mcmc"] if "numpyro" in peers else [])]
        with workers("again", contenders, name) as processes:
            first = {c: w.call(seed=0) for c, w in processes.items()}
            key = in_turns(processes, repeats)
            data = in_turns(processes, repeats, other_data=True)
        for c in processes:
            row(f"{name}, {c}", first[c]["cpu"], key[c]["cpu"], f"{key[c]['compilations']:.0f}", data[c]["cpu"],
                f"{data[c]['compilations']:.0f}")  # fmt: skip


def sites(models: list[str], peers: list[str], repeats: int) -> None:
    head("contender", "200 sites, cold CPU-s", "one site of 200", "ratio")
    contenders = ["storax", *(["numpyro"] if "numpyro" in peers else [])]
    found: dict[str, dict[str, list[Any]]] = {c: {"scalars": [], "vector": []} for c in contenders}
    for _ in range(repeats):
        for contender in contenders:
            for kind, answers in found[contender].items():
                with Worker("sites", contender, kind) as worker:
                    answers.append(worker.call())
    for contender, kinds in found.items():
        scalars, vector = (median(kinds[k])["cpu"] for k in ("scalars", "vector"))
        row(contender, scalars, vector, scalars / vector)


def cold(models: list[str], peers: list[str], repeats: int) -> None:
    contenders = [c for c in against(peers) if c != "nutpie-short"]
    contenders += ["numpyro-mcmc"] if "numpyro" in peers else []
    head("contender", "cold, CPU-s", "cold, s on the wall", "interpreter's start to first draw, CPU-s")
    found: dict[str, list[Any]] = {c: [] for c in contenders}
    for _ in range(repeats):
        for contender in contenders:
            with Worker("run", contender, SCHOOLS, "4", "1000", "1000") as worker:
                whole = worker.call(seed=0)
            with Worker("run", contender, SCHOOLS, "4", "1000", "1") as worker:
                first = worker.call(seed=0)
            found[contender].append({"cpu": whole["cpu"], "wall": whole["wall"], "first": first["process"]})
    for contender, rows in found.items():
        r = median(rows)
        row(contender, r["cpu"], r["wall"], r["first"])


SECTIONS = {"runs": runs, "bare": bare, "lockstep": lockstep, "again": again, "sites": sites, "cold": cold}


if __name__ == "__main__":
    main()
