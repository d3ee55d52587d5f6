"""A part of a sum over that sum: Gamma / (Gamma + Gamma) is Beta, a vector of gammas over its sum is Dirichlet."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

import storax.distributions as dist
from storax import supports
from storax.logprob.deriving import gaussians, products, sums
from storax.logprob.deriving.algebra import Plain
from storax.logprob.deriving.families import as_gamma
from storax.logprob.deriving.gaussians import Gaussian
from storax.logprob.deriving.images import Image, mapped
from storax.logprob.deriving.laws import Law
from storax.logprob.deriving.measures import Density
from storax.logprob.deriving.pieces import Branch, known_all
from storax.logprob.deriving.randoms import Random, Step

REPEATS = {"broadcast_in_dim", "reshape", "squeeze", "expand_dims", "stop_gradient", "copy"}


def origin(r: Random) -> Random:
    """What is repeated, or only has its axes changed."""
    while r.made is not None and r.made.name in REPEATS and isinstance(r.made.inputs[0], Random):
        r = r.made.inputs[0]
    return r


def _terms(r: Random) -> list[Any]:
    """What is added up, where that is of the same shape as the sum."""
    if r.made is None or r.made.name not in ("add", "add_any"):
        return [r]
    return [t for x in r.made.inputs for t in (_terms(x) if isinstance(x, Random) else [x])]


def of_sum(step: Step) -> Law | None:
    """x / (x + y + ...) of independent positive numbers: with the ratio r = x / (y + ...), it is r / (1 + r)."""
    part, whole = step.inputs
    if not (isinstance(part, Random) and isinstance(whole, Random) and part.shape == whole.shape == step.shape):
        return None
    rest = [t for t in _terms(whole) if t is not part]
    if len(rest) + 1 != len(_terms(whole)) or not all(isinstance(t, Random) and t.law is not None for t in rest):
        return None
    together: list[Random] = [part, *rest]
    if not all(a.shape == part.shape and a.deps.disjoint(b.deps) for i, a in enumerate(together) for b in rest[i:]):
        return None
    if part.law is None or not known_all(lambda x, z: x >= z, part.law.ends[0], 0.0):
        return None
    other: Law | None = rest[0].law
    for t in rest[1:]:
        assert t.law is not None
        other = products.combine("add", other, t.law, step.shape, step.aval.dtype) if other is not None else None
    if other is None or not known_all(lambda x, z: x >= z, other.ends[0], 0.0):
        return None
    x, y = as_gamma(part.law.name()), as_gamma(other.name())
    if x is not None and y is not None and sums.same(x.rate, y.rate):
        return Plain(dist.Beta(x.concentration, y.concentration), step.shape, step.aval.dtype)
    ratio = products.combine("div", part.law, other, step.shape, step.aval.dtype)
    if ratio is None:
        return None
    odds = Branch(lambda s: s / (1 - s), 0.0, np.inf, 1, (0.0, 1.0))
    return mapped(Image.of(ratio), lambda r: 1 / (1 + 1 / r), [odds], step.aval.dtype, step.name)


def of_vector(step: Step) -> Random | None:
    """x / x.sum() along one axis, as a whole: of gammas of one rate, and of exponentials of Gaussian numbers."""
    part, whole = step.inputs
    if not (isinstance(part, Random) and isinstance(whole, Random)) or part.shape != step.shape:
        return None
    made = origin(whole).made
    if made is None or made.name != "reduce_sum" or made.inputs[0] is not part or len(made.params["axes"]) != 1:
        return None
    (axis,) = made.params["axes"]
    if part.shape[axis] < 2 or not is_of_rows(whole, part, axis):
        return None
    return _dirichlet(step, part, axis) or _logistic_normal(step, part, axis)


def is_of_rows(r: Random, x: Random, axis: int) -> bool:
    """Is it one number for each row of x along the axis, made of that row?"""
    rows = x.deps.merged((axis,))
    if not (_is_level(r, axis, len(x.shape)) and (rows.independent or x.shape[axis] == int(np.prod(x.shape)))):
        return False
    wanted = rows.map(lambda ids: np.broadcast_to(np.expand_dims(ids, axis), x.shape))
    got = r.deps.map(lambda ids: np.broadcast_to(ids, x.shape))
    events = lambda d, k: np.sort(d.of[k], -1)  # noqa: E731
    return wanted.of.keys() == got.of.keys() and all(np.array_equal(events(wanted, k), events(got, k)) for k in got)


def _is_level(r: Random, axis: int, ndim: int) -> bool:
    """Is it known to be the same all along the axis?"""
    if r.shape == () or (len(r.shape) == ndim and r.shape[axis] == 1):
        return True
    if r.made is None or not isinstance(r.made.inputs[0], Random):
        return False
    (inner, *_), name = r.made.inputs, r.made.name
    if name in ("stop_gradient", "copy"):
        return _is_level(inner, axis, ndim)
    dims = r.made.params["broadcast_dimensions"] if name == "broadcast_in_dim" else range(len(r.shape))
    return axis not in dims or inner.shape[list(dims).index(axis)] == 1 < r.shape[axis]


def _dirichlet(step: Step, x: Random, axis: int) -> Random | None:
    if x.law is None or not x.deps.independent:
        return None
    gamma = as_gamma(x.law.name())
    if gamma is None or not sums.constant_along(gamma.rate, (axis,), x.shape):
        return None
    weights = jnp.broadcast_to(jnp.asarray(gamma.concentration), x.shape)
    total = weights.sum(axis, keepdims=True)

    def joint(y: Any) -> Density:
        return dist.Dirichlet(jnp.moveaxis(weights, axis, -1)).log_prob(jnp.moveaxis(y, axis, -1)), y.shape[axis]

    law = Plain(dist.Beta(weights, total - weights), step.shape, step.aval.dtype)
    return step.random(step.elementwise(), law=law, joint=joint)


def _logistic_normal(step: Step, x: Random, axis: int) -> Random | None:
    """exp(z - shift) over its sum: log y_i - log y_K is z_i - z_K (Aitchison and Shen 1980)."""
    if x.made is None or x.made.name != "exp":
        return None
    z = x.made.inputs[0]
    if z.gaussian is None:
        if z.made is None or z.made.name != "sub" or not all(isinstance(v, Random) for v in z.made.inputs):
            return None
        z, shift = z.made.inputs
        if not is_of_rows(shift, z, axis):
            return None
    if z.gaussian is None or z.shape != x.shape:
        return None
    g = z.gaussian

    def gaps(v: Any) -> Any:
        v = jnp.moveaxis(v, axis, -1)
        return v[..., :-1] - v[..., -1:]

    def joint(y: Any) -> Density:
        row = jnp.moveaxis(y, axis, -1)
        inside = supports.simplex(row) & (row > 0).all(-1)
        log_y = jnp.where(inside[..., None], jnp.log(jnp.where(inside[..., None], row, 1.0)), 0.0)
        ratios = jnp.moveaxis(log_y, -1, axis)
        score = gaussians.joint_log_prob([(Gaussian(g.noise, lambda e: gaps(g.f(e)), g.dtype), gaps(ratios))])
        return jnp.where(inside.all(), score - log_y.sum(), -jnp.inf), int(np.prod(y.shape))

    return step.random(step.elementwise(), why="is a vector with the sum 1, whose parts have no law in closed form",
                       joint=joint)  # fmt: skip
