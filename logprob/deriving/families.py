"""The name of a law: the family that a random number is of, and what maps do to it.

`2 * Gamma(3, 1)` is Gamma(3, 1/2), `sqrt` of it the square root of a gamma, and `-log` of a uniform number an
exponential.  Pairs of names have sums, products and quotients in closed form (`products`), and conjugate pairs
integrals (`conjugate`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

import storax.distributions as dist
from storax.distributions.base import Distribution
from storax.logprob.deriving.laws import is_known
from storax.logprob.deriving.pieces import apply, known_all
from storax.logprob.deriving.randoms import Step


class GammaPower(NamedTuple):
    """sign * (Y / rate)^power with Y ~ Gamma(concentration, 1); sign and power are known."""

    concentration: Any
    rate: Any
    power: float
    sign: int = 1


class ExpGamma(NamedTuple):
    """scale * exp(sign * Y / rate) with Y ~ Gamma(concentration, 1): uniform numbers and their products."""

    concentration: Any
    rate: Any
    scale: Any
    sign: int


SYMMETRIC = (dist.Normal, dist.Cauchy, dist.Laplace, dist.Logistic, dist.StudentT)


class Squares(NamedTuple):
    """The sum of the squares of `terms` numbers Normal(m_i, scale), `length` being that of the vector of all m_i."""

    terms: int
    length: Any
    scale: Any


Name = Distribution | GammaPower | ExpGamma | Squares | None


def is_one(x: Any) -> bool:
    return known_all(lambda a, b: a == b, x, 1.0)


def is_zero(x: Any) -> bool:
    return known_all(lambda a, b: a == b, x, 0.0)


def number(x: Any) -> float | None:
    """One known number, else None."""
    if not is_known(x) or not np.size(x) or (np.ravel(x) != np.ravel(x)[0]).any():
        return None
    return float(np.ravel(x)[0])


def canonical(d: Name) -> Name:
    """Powers of gammas as such, and exponentials of them."""
    match d:
        case dist.Gamma():
            return GammaPower(d.concentration, d.rate, 1.0)
        case dist.Exponential():
            return GammaPower(1.0, d.rate, 1.0)
        case dist.ChiSquared():
            return GammaPower(times(0.5, d.df), 0.5, 1.0)
        case dist.Chi():
            return GammaPower(times(0.5, d.df), 0.5, 0.5)
        case dist.InverseGamma():
            return GammaPower(d.concentration, d.rate, -1.0)
        case dist.HalfNormal():
            return GammaPower(0.5, _half_precision(d.scale), 0.5)
        case dist.Rayleigh():
            return GammaPower(1.0, _half_precision(d.scale), 0.5)
        case dist.Weibull() if k := number(d.concentration) or 0.0:
            return GammaPower(1.0, apply(lambda s: s**-k, d.scale), 1 / k)
        case dist.GeneralizedGamma() if k := number(d.power) or 0.0:
            return GammaPower(d.concentration, apply(lambda r: r**k, d.rate), 1 / k)
        case dist.Uniform() if is_zero(d.low):
            return ExpGamma(1.0, 1.0, d.high, -1)
        case dist.Beta() if is_one(d.concentration0):
            return ExpGamma(1.0, d.concentration1, 1.0, -1)
        case dist.Pareto():
            return ExpGamma(1.0, d.alpha, d.scale, 1)
    return d


def _half_precision(scale: Any) -> Any:
    return apply(lambda s: 0.5 / jnp.square(s), scale)


def as_beta(d: Name) -> Name:
    """A uniform chance as a beta."""
    uniform = isinstance(d, dist.Uniform) and is_zero(d.low) and is_one(d.high)
    return dist.Beta(1.0, 1.0) if uniform else d


def as_gamma(d: Name) -> dist.Gamma | None:
    """Gamma, exponential and chi squared as a gamma."""
    g = canonical(d)
    if isinstance(g, GammaPower) and g.power == 1 and g.sign == 1:
        return dist.Gamma(g.concentration, g.rate)
    return None


def times(a: Any, b: Any) -> Any:
    """The product, known if both are, and 0 if one of them is."""
    return 0.0 if is_zero(a) or is_zero(b) else apply(jnp.multiply, a, b)


def scaled(d: Name, c: Any, sign: int) -> Name:
    """The name of c X, c being of a known sign."""
    match d:
        case dist.Normal() | dist.Cauchy() | dist.Laplace() | dist.Logistic() | dist.StudentT():
            return d.replace(loc=times(c, d.loc), scale=times(apply(jnp.abs, c), d.scale))
        case dist.Gumbel() if sign > 0:
            return d.replace(loc=times(c, d.loc), scale=times(c, d.scale))
        case dist.LogNormal() if sign > 0:
            return d.replace(loc=apply(lambda m, c: m + jnp.log(c), d.loc, c))
        case dist.Uniform():
            ends = times(c, d.low), times(c, d.high)
            return dist.Uniform(*(ends if sign > 0 else ends[::-1]))
    match canonical(d):
        case GammaPower() as g:
            return g._replace(rate=apply(lambda r, c: r * jnp.abs(c) ** (-1 / g.power), g.rate, c), sign=g.sign * sign)
        case ExpGamma() as e if sign > 0:
            return e._replace(scale=times(c, e.scale))
    return None


def shifted(d: Name, c: Any) -> Name:
    match d:
        case dist.Normal() | dist.Cauchy() | dist.Laplace() | dist.Logistic() | dist.StudentT() | dist.Gumbel():
            return d.replace(loc=apply(jnp.add, d.loc, c))
        case dist.Uniform():
            return dist.Uniform(apply(jnp.add, d.low, c), apply(jnp.add, d.high, c))
    return d if is_zero(c) else None


def powered(d: Name, p: float | None) -> Name:
    """The name of X^p for a known p."""
    if not p or d is None:
        return None
    if isinstance(d, dist.Normal):
        if p == 2 and not is_zero(d.loc):
            return Squares(1, apply(jnp.abs, d.loc), d.scale)
        return GammaPower(0.5, _half_precision(d.scale), p / 2) if is_zero(d.loc) and p > 0 and p % 2 == 0 else None
    if isinstance(d, Squares):
        return dist.Rice(d.length, d.scale) if d.terms == 2 and p == 0.5 else None
    if isinstance(d, dist.LogNormal):
        return dist.LogNormal(times(p, d.loc), times(abs(p), d.scale))
    match canonical(d):
        case GammaPower(sign=1) as g:
            return g._replace(power=g.power * p)
        case ExpGamma() as e:
            rate, scale = times(1 / abs(p), e.rate), apply(lambda s: s**p, e.scale)
            return ExpGamma(e.concentration, rate, scale, e.sign if p > 0 else -e.sign)
    return None


def exponential(d: Name) -> Name:
    if isinstance(d, dist.Normal):
        return dist.LogNormal(d.loc, d.scale)
    match canonical(d):
        case GammaPower(power=1.0) as g:
            return ExpGamma(g.concentration, g.rate, 1.0, g.sign)
    return None


def logarithm(d: Name) -> Name:
    if isinstance(d, dist.LogNormal):
        return dist.Normal(d.loc, d.scale)
    match canonical(d):
        case ExpGamma() as e if is_one(e.scale):
            return GammaPower(e.concentration, e.rate, 1.0, e.sign)
    return None


def absolute(d: Name) -> Name:
    if isinstance(d, dist.Normal) and is_zero(d.loc):
        return dist.HalfNormal(d.scale)
    match canonical(d):
        case GammaPower() as g:
            return g._replace(sign=1)
        case ExpGamma() as e:
            return e
    return None


def _from_constant(d: Name, c: Any) -> Name:
    if isinstance(d, dist.Beta) and is_one(c):
        return dist.Beta(d.concentration0, d.concentration1)
    return shifted(scaled(d, -1.0, -1), c)


def _sign(c: Any, positive: bool) -> int:
    if known_all(lambda x, z: x > z, c, 0.0):
        return 1
    if known_all(lambda x, z: x < z, c, 0.0):
        return -1
    return 1 if positive and not is_known(c) else 0


def _mul(d: Name, c: Any, place: int, positive: bool) -> Name:
    sign = _sign(c, positive)
    if not sign and isinstance(d, SYMMETRIC) and not known_all(lambda x, z: (x == z).any(), c, 0.0):
        return scaled(d, c, 1)  # whichever its sign is
    return scaled(d, c, sign) if sign else None


def _div(d: Name, c: Any, place: int, positive: bool) -> Name:
    if place == 1:
        return _mul(powered(d, -1.0), c, 0, positive)
    return None if is_zero(c) else _mul(d, apply(lambda x: 1 / x, c), 0, positive)


def _sub(d: Name, c: Any, place: int, positive: bool) -> Name:
    if place == 1:
        return _from_constant(d, c)
    return shifted(d, apply(jnp.negative, c))


OF_ONE: dict[str, Callable[[Name], Name]] = {
    "neg": lambda d: scaled(d, -1.0, -1), "exp": exponential, "log": logarithm, "abs": absolute,
    "square": lambda d: powered(d, 2.0), "sqrt": lambda d: powered(d, 0.5), "rsqrt": lambda d: powered(d, -0.5),
    "cbrt": lambda d: powered(d, 1 / 3), "log1p": lambda d: logarithm(shifted(d, 1.0)), "copy": lambda d: d,
    "copy_p": lambda d: d, "stop_gradient": lambda d: d, "optimization_barrier": lambda d: d,
}  # fmt: skip
WITH: dict[str, Callable[[Name, Any, int, bool], Name]] = {
    "mul": _mul, "div": _div, "sub": _sub, "add": lambda d, c, place, positive: shifted(d, c),
    "add_any": lambda d, c, place, positive: shifted(d, c),
    "pow": lambda d, c, place, positive: powered(d, number(c)) if place == 0 else None,
}  # fmt: skip


def image(step: Step, d: Name, positive: bool) -> Name:
    """The name of an equation's result, from that of its only random input; None if it has none.

    Args:
        positive: take factors that are not known for positive ones: what a rate or a scale is multiplied by is.
    """
    place, _ = step.one()
    if step.name in OF_ONE:
        return OF_ONE[step.name](d)
    if step.name in WITH:
        return WITH[step.name](d, step.inputs[1 - place], place, positive)
    if step.name == "integer_pow":
        return powered(d, float(step.params["y"]))
    if step.name == "convert_element_type":
        whole = jnp.issubdtype(step.aval.dtype, jnp.integer) and jnp.issubdtype(step.inputs[0].dtype, jnp.floating)
        return None if whole or step.aval.dtype == np.bool_ else d
    return None
