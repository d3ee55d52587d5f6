"""Which way to drive chains: one after another, or side by side."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax

from storax.jaxprs import equations, sub_jaxprs
from storax.samplers.driving.natively import without_scatters
from storax.tuning import BYTES, loops_are_native

DRIVERS = ("sequential", "batched")
LARGE_PRODUCT = 50_000  # multiply-adds, from which on a library's product for all chains beats a native loop
# What XLA does not compile into a native loop.
CALLS = {"cholesky", "triangular_solve", "eigh", "svd", "lu", "qr", "geqrf", "householder_product", "sort", "fft",
         "custom_linear_solve", "pure_callback", "io_callback", "debug_callback", "conv_general_dilated"}  # fmt: skip


def choose_driver(wanted: str | None, log_density: Callable[[jax.Array], jax.Array], like: Any) -> str:
    """The driver for this density.

    One chain after another is fastest where XLA compiles the whole loop to native code: on a CPU, with the option of
    `sx.tune_cpu`, for a gradient that fits into it.  All else is better done for all chains at once.

    Args:
        wanted: "sequential", "batched", or None to choose.
        log_density: on flat vectors.
        like: a position `[d]`, or its shape and type.
    """
    if wanted is not None:
        return wanted
    if not loops_are_native():
        return "batched"
    return "sequential" if _is_native(jax.make_jaxpr(without_scatters(jax.grad(log_density)))(like)) else "batched"


def _is_native(closed: Any) -> bool:
    return not any(_hinders(e) for e in _everything_in(closed)) and _bytes(closed) < BYTES


def _everything_in(closed: Any) -> Any:
    for equation in equations(closed):
        yield equation
        for inner in sub_jaxprs(equation):
            yield from _everything_in(inner)


def _hinders(equation: Any) -> bool:
    name = equation.primitive.name
    if name == "dot_general":
        (contracted, _), _ = equation.params["dimension_numbers"]
        inner = math.prod(equation.invars[0].aval.shape[i] for i in contracted)
        return inner * equation.outvars[0].aval.size > LARGE_PRODUCT
    return name in CALLS or name.startswith("scatter")


def _bytes(closed: Any) -> int:
    """Of data: constants and arguments; what is computed from them is about as much."""
    return sum(v.aval.size * v.aval.dtype.itemsize for v in [*closed.jaxpr.invars, *closed.jaxpr.constvars])
