"""Log densities with their gradient: storax beside NumPyro, in one process, run by run in turn.

python benchmarks/distributions.py [--size 1000000] [--repeats 15] [--only NAME ...] [--lanes]
"""

from __future__ import annotations

import argparse
import math
import os
import time
from typing import Any

# JAX solves with matrices by SciPy's OpenBLAS, whose own threads, beside JAX's, take up to ten times as long on a busy
# machine.  It reads this when it is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
from shelf import SHELF, Entry


def total(make: Any, discrete: bool) -> Any:
    """(value, parameters) -> the sum of the log densities and its gradient, by the parameters and a real value."""

    def score(value: Any, parameters: Any) -> Any:
        return make(*parameters).log_prob(value).sum()

    return jax.jit(jax.value_and_grad(score, 1 if discrete else (0, 1)))


def seconds(f: Any, *args: Any) -> float:
    start = time.perf_counter()
    jax.block_until_ready(f(*args))
    return time.perf_counter() - start


def side_by_side(ours: Any, theirs: Any, args: Any, repeats: int) -> tuple[float, float]:
    """The quickest run of each, in milliseconds; they take turns, so that a busy machine is busy for both."""
    for f in (ours, theirs):
        jax.block_until_ready(f(*args))  # compiled
    runs = [(seconds(ours, *args), seconds(theirs, *args)) for _ in range(repeats)]
    a, b = (1e3 * min(times) for times in zip(*runs, strict=True))
    return a, b


def as_floats(parameters: Any, dtype: Any) -> Any:
    return tuple(jnp.asarray(p, dtype) for p in parameters)


def gaps(entry: Entry, discrete: bool, count: int) -> tuple[float, float]:
    """The largest error of both in float32, in units of the larger of 1 and the number; NumPyro's float64 judges.

    Draws are made in float64 and rounded: a float32 vector that sums to 0 is none that does so in float64.
    """
    with jax.enable_x64(True):
        value = np.asarray(entry.ours(*as_floats(entry.parameters, jnp.float64)).sample(jax.random.key(0), (count,)))

    def numbers(make: Any, dtype: Any) -> list[np.ndarray]:
        x = jnp.asarray(value, jnp.int32 if discrete else dtype)
        parameters = as_floats(entry.parameters, dtype)
        each = jax.jit(lambda x, p: make(*p).log_prob(x))(x, parameters)
        return [np.asarray(y, np.float64) for y in (each, *jax.tree.leaves(total(make, discrete)(x, parameters)))]

    with jax.enable_x64(True):
        truth = numbers(entry.theirs, jnp.float64)
    errors = []
    for make in (entry.ours, entry.theirs):
        pairs = zip(numbers(make, jnp.float32), truth, strict=True)
        errors.append(max(_worst(x, y) for x, y in pairs))
    return errors[0], errors[1]


def _worst(x: np.ndarray, y: np.ndarray) -> float:
    """nan and infinity agree with themselves alone."""
    with np.errstate(invalid="ignore"):
        error = np.abs(x - y) / np.maximum(1.0, np.abs(y)) if x.size else np.zeros(1)
    return float(np.where((x == y) | (np.isnan(x) & np.isnan(y)), 0.0, np.where(np.isnan(error), np.inf, error)).max())


def line(entry: Entry, size: int, repeats: int, lanes: bool) -> tuple[float, str]:
    """The ratio of an entry, and its line."""
    parameters = as_floats(entry.parameters, jnp.float32)
    d = entry.ours(*parameters)
    count = size // math.prod(d.event_shape)
    value = d.sample(jax.random.key(0), (count,))
    discrete = not jnp.issubdtype(value.dtype, jnp.floating)
    ours, theirs = total(entry.ours, discrete), total(entry.theirs, discrete)
    few = 200 if d.event_shape else 1000
    error = "" if lanes else "  {:8.0e}  {:8.0e}".format(*gaps(entry, discrete, few))
    if lanes:
        parameters = tuple(jnp.full(count, p) for p in parameters)
    a, b = side_by_side(ours, theirs, (value, parameters), repeats)
    return a / b, f"{entry.name:32s}  {a:9.2f}  {b:9.2f}  {a / b:6.2f}{error}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1_000_000, help="elements of the value")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--only", nargs="+", default=[], help="beginnings of names")
    parser.add_argument("--lanes", action="store_true", help="each element has parameters of its own")
    options = parser.parse_args()
    entries = [e for e in SHELF if not options.only or e.name.startswith(tuple(options.only))]
    if options.lanes:
        entries = [e for e in entries if e.plain]
    machine = f"{os.cpu_count()} cores, {jax.default_backend().upper()}"
    print(f"{machine}, float32, {options.size} elements, jax {jax.__version__}, numpyro {numpyro.__version__}")
    print(f"{'':32s}  storax ms  numpyro ms ratio" + ("" if options.lanes else "  error of storax, of numpyro"))
    ratios = []
    for entry in entries:
        try:
            ratio, text = line(entry, options.size, options.repeats, options.lanes)
        except Exception as error:
            print(f"{entry.name:32s}  {type(error).__name__}: {str(error).splitlines()[0][:160]}", flush=True)
            continue
        ratios.append(ratio)
        print(text, flush=True)
    print(f"\nmedian ratio {np.median(ratios):.2f}, worst {max(ratios):.2f}, of {len(ratios)} entries")


if __name__ == "__main__":
    main()
