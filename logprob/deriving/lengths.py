"""Lengths of vectors, and sums of the squares of Gaussian numbers: variances, distances."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import storax.distributions as dist
from storax.logprob.deriving import products, sums
from storax.logprob.deriving.families import GammaPower, number
from storax.logprob.deriving.gaussians import Gaussian
from storax.logprob.deriving.laws import Law, is_known
from storax.logprob.deriving.pieces import apply
from storax.logprob.deriving.randoms import Random, Step
from storax.logprob.deriving.registry import rule, rule_of
from storax.logprob.deriving.shares import is_of_rows, origin

CLOSE = 1e-5  # of coefficients, relative to the largest


def squared(r: Random) -> Random | None:
    """What is squared to make it."""
    if r.made is None or not isinstance(r.made.inputs[0], Random):
        return None
    inputs, name = r.made.inputs, r.made.name
    twice = name == "mul" and inputs[0] is inputs[1]
    power = name == "integer_pow" and r.made.params["y"] == 2
    return inputs[0] if name == "square" or twice or power else None


def sum_of_squares(x: Random, axes: tuple[int, ...], shape: tuple[int, ...], dtype: Any) -> Law | None:
    """The law of sum(x^2) along axes: of x - mean(x), and of Gaussian numbers known to be independent after a turn."""
    return _about_mean(x, axes, shape, dtype) or _turned(x, axes, shape, dtype)


def _about_mean(u: Random, axes: tuple[int, ...], shape: tuple[int, ...], dtype: Any) -> Law | None:
    """n - 1 degrees of freedom are left when the mean of n normal numbers is taken off (Helmert 1876)."""
    if u.made is None or u.made.name != "sub" or len(axes) != 1:
        return None
    x, mean = u.made.inputs
    if not (isinstance(x, Random) and isinstance(mean, Random)) or x.law is None or not x.deps.independent:
        return None
    n = x.shape[axes[0]]
    made, d = origin(mean).made, x.law.name()
    if x.shape != u.shape or made is None or made.name != "div" or number(_second(made)) != n or n < 2:
        return None
    total = origin(made.inputs[0]).made if isinstance(made.inputs[0], Random) else None
    if total is None or total.name != "reduce_sum" or total.inputs[0] is not x or tuple(total.params["axes"]) != axes:
        return None
    constant = isinstance(d, dist.Normal) and all(sums.constant_along(v, axes, x.shape) for v in (d.loc, d.scale))
    if not constant or not is_of_rows(mean, x, axes[0]):
        return None
    rate = apply(lambda s: 0.5 / jnp.square(s), sums.one_along(d.scale, axes, x.shape))
    return products.law_of(GammaPower(0.5 * (n - 1), rate, 1.0), shape, dtype)


def _second(step: Step) -> Any:
    return None if isinstance(step.inputs[1], Random) else step.inputs[1]


def _turned(x: Random, axes: tuple[int, ...], shape: tuple[int, ...], dtype: Any) -> Law | None:
    """Around 0, with a covariance all of whose eigenvalues are one number, or 0: chi squared."""
    if x.gaussian is None or shape != ():
        return None
    with jax.ensure_compile_time_eval():
        g: Gaussian = x.gaussian
        mean, a = g.mean, g.matrix()
    if not (is_known(mean) and is_known(a)):
        return None
    values = np.linalg.svd(np.asarray(a, float), compute_uv=False)
    large = values > CLOSE * values.max()
    even = np.ptp(values[large]) <= CLOSE * values.max()
    if not even or np.abs(mean).max() > CLOSE * values.max():
        return None
    k, scale = int(large.sum()), float(values[large].mean())
    return products.law_of(GammaPower(0.5 * k, 0.5 / scale**2, 1.0), shape, dtype)


@rule("jit:hypot")
def _(step: Step) -> Random:
    """The root of the sum of both squares."""

    def do(name: str, f: Any, *xs: Any, **params: Any) -> Any:
        inner = Step(name, params, list(xs), step.aval, 0, lambda values: [f(*values)])
        found = rule_of(name)
        assert found is not None
        if not any(isinstance(x, Random) for x in xs):
            return f(*xs)
        made = found(inner)
        made.made = inner
        return made

    squares = [do("square", jnp.square, x) for x in step.inputs]
    total = do("add", jnp.add, *squares)
    result: Random = do("sqrt", jnp.sqrt, total)
    result.push = None  # to the sum of squares, which is no node of the program
    return step.random(result.deps, law=result.law, why=result.why, smooth=result.smooth)
