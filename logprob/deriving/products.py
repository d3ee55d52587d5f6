"""Sums, products and quotients of two independent numbers with names, where they are of a family again."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

import storax.distributions as dist
from storax.distributions.base import Distribution
from storax.logprob.deriving import sums
from storax.logprob.deriving.algebra import Plain
from storax.logprob.deriving.elementwise import powers
from storax.logprob.deriving.families import (
    ExpGamma,
    GammaPower,
    Name,
    Squares,
    as_gamma,
    canonical,
    is_one,
    is_zero,
    number,
    powered,
    scaled,
    times,
)
from storax.logprob.deriving.images import Image, mapped
from storax.logprob.deriving.laws import Law
from storax.logprob.deriving.measures import Density
from storax.logprob.deriving.pieces import Branch, apply


class Odds(Law):
    """A / B of A ~ Gamma(a, 1) and B ~ Gamma(b, 1): the beta prime distribution, scipy.stats.betaprime."""

    smooth = True

    def __init__(self, a: Any, b: Any, shape: tuple[int, ...], dtype: Any) -> None:
        self.a, self.b, self.shape, self.dtype = a, b, tuple(shape), jnp.dtype(dtype)

    @property
    def ends(self) -> tuple[Any, Any]:
        return 0.0, np.inf

    def density(self, y: Any) -> Density:
        """In the chance y / (1 + y), above 1 in that of 1 / y, so that it is exact at both ends."""
        y = jnp.asarray(y)
        inside = (y > 0) & (y < jnp.inf)
        x = jnp.where(inside, y, 1.0)
        small = jnp.minimum(x, 1 / x)
        p = small / (1 + small)
        below, above = dist.Beta(self.a, self.b).log_prob(p), dist.Beta(self.b, self.a).log_prob(p)
        score = jnp.where(x <= 1, below, above) - 2 * jnp.log1p(x)
        return jnp.where(inside, score, -jnp.inf), 1

    def tail(self, y: Any, upper: bool = False, strict: bool | None = None) -> Any:
        y = jnp.asarray(y)
        x = jnp.where((y > 0) & (y < jnp.inf), y, 1.0)
        small = jnp.minimum(x, 1 / x)
        p = small / (1 + small)
        straight, turned = dist.Beta(self.a, self.b), dist.Beta(self.b, self.a)
        low = (straight.log_survival if upper else straight.log_cdf)(p)
        high = (turned.log_cdf if upper else turned.log_survival)(p)
        at_ends = jnp.where((y <= 0) == upper, 0.0, -jnp.inf)
        inside = (y > 0) & (y < jnp.inf)
        return jnp.where(inside, jnp.where(x <= 1, low, high), at_ends)


def law_of(d: Name | Law, shape: tuple[int, ...], dtype: Any) -> Law | None:
    """The law of a name."""
    if d is None or isinstance(d, Law):
        return d
    if isinstance(d, Distribution):
        return Plain(d, shape, dtype)
    if isinstance(d, Squares):
        return _of_squares(d, shape, dtype)
    law = Image.of(Plain(dist.Gamma(d.concentration, d.rate), shape, dtype))
    if d.sign < 0:
        law = _then(law, jnp.negative, Branch(jnp.negative, sign=-1))
    if isinstance(d, GammaPower):
        law = _power(law, d.power) if d.sign > 0 else negated(_power(negated(law), d.power))
    else:
        law = _then(law, jnp.exp, Branch(jnp.log))
        law = _then(law, lambda x: x * d.scale, Branch(lambda y: y / d.scale, image=(-np.inf, np.inf)))
    law.named = lambda positive: d
    return law


def _of_squares(d: Squares, shape: tuple[int, ...], dtype: Any) -> Law | None:
    """Of two, the square of Rice's law; others have no law here."""
    if d.terms != 2:
        return None
    law = _power(Image.of(Plain(dist.Rice(d.length, d.scale), shape, dtype)), 2.0)
    law.named = lambda positive: d
    return law


def _then(law: Image, f: Any, *branches: Branch) -> Image:
    return mapped(law, f, branches, law.dtype, "")


def negated(law: Law) -> Image:
    image = _then(Image.of(law), jnp.negative, Branch(jnp.negative, sign=-1))
    image.named = lambda positive: scaled(law.name(positive), -1.0, -1)
    return image


def _power(law: Image, p: float) -> Image:
    if p == 1:
        return law
    if p == round(p):
        return _then(law, lambda x: x ** int(p), *powers(int(p)))
    return _then(law, lambda x: x**p, Branch(lambda y: y ** (1 / p), 0.0, np.inf, 1 if p > 0 else -1, (0.0, np.inf)))


def combine(op: str, a: Law, b: Law, shape: tuple[int, ...], dtype: Any) -> Law | None:
    """The law of a + b, a - b, a b or a / b; None if it has no name."""
    d, e = a.name(), b.name()
    if d is None or e is None:
        return None
    if op in ("add", "add_any", "sub"):
        found = _sum(d, e, shape, dtype) if op != "sub" else _difference(d, e, shape, dtype)
    else:
        inverse = powered(e, -1.0) if op == "div" else e
        found = _product(d, inverse, shape, dtype) if inverse is not None else _quotient(d, e)
    return law_of(found, shape, dtype)


def angle(a: Law, b: Law, shape: tuple[int, ...], dtype: Any) -> Law | None:
    """atan2 of two normal numbers of one law around 0: every direction is alike."""
    d, e = a.name(), b.name()
    alike = isinstance(d, dist.Normal) and isinstance(e, dist.Normal) and sums.same(d.scale, e.scale)
    return Plain(dist.Uniform(-np.pi, np.pi), shape, dtype) if alike and is_zero(d.loc) and is_zero(e.loc) else None


def _sum(d: Name, e: Name, shape: tuple[int, ...], dtype: Any) -> Name | Law:
    if _falls(e) and (_falls(d) or isinstance(d, dist.Normal)):
        turned = law_of(_sum(scaled(d, -1.0, -1), scaled(e, -1.0, -1), shape, dtype), shape, dtype)
        return negated(turned) if turned is not None else None
    f, g = sums.family(d), sums.family(e)
    if f is not None and g is not None and f.make is g.make and sums.alike(f.shared, g.shared):
        return f.make(**f.shared, **{n: apply(jnp.add, x, g.added[n]) for n, x in f.added.items()})
    if isinstance(d, Squares) or isinstance(e, Squares):
        return _more_squares(_squares(d), _squares(e))
    for x, y in ((d, e), (e, d)):
        found = _normal_and(x, y) if isinstance(x, dist.Normal) else _opposed(x, y)
        if found is not None:
            return found
    if isinstance(d, dist.Uniform) and isinstance(e, dist.Uniform):
        width = apply(jnp.subtract, d.high, d.low)
        if sums.same(width, apply(jnp.subtract, e.high, e.low)):
            low, high = apply(jnp.add, d.low, e.low), apply(jnp.add, d.high, e.high)
            return dist.Triangular(low, high, apply(jnp.add, low, width))
    return None


def _more_squares(a: Squares | None, b: Squares | None) -> Squares | None:
    if a is None or b is None or not sums.same(a.scale, b.scale):
        return None
    return Squares(a.terms + b.terms, apply(jnp.hypot, a.length, b.length), a.scale)


def _squares(d: Name) -> Squares | None:
    """The square of a number around 0 as one around 0."""
    if isinstance(d, GammaPower) and d.power == 1 and d.sign == 1 and number(d.concentration) == 0.5:
        return Squares(1, 0.0, apply(lambda r: jnp.sqrt(0.5 / r), d.rate))
    return d if isinstance(d, Squares) else None


def _falls(d: Name) -> bool:
    return isinstance(d, GammaPower) and d.sign < 0


def _normal_and(d: dist.Normal, e: Name) -> Name:
    """A normal number and another, or an exponential one (Grushka 1972)."""
    if isinstance(e, dist.Normal):
        return dist.Normal(apply(jnp.add, d.loc, e.loc), apply(jnp.hypot, d.scale, e.scale))
    g = as_gamma(e)
    if g is not None and is_one(g.concentration):
        return dist.ExGaussian(d.loc, d.scale, g.rate)
    return None


def _opposed(d: Name, e: Name) -> Distribution | None:
    """Two exponentials of different signs: d is the positive one."""
    x, y = canonical(d), canonical(e)
    match x, y:
        case GammaPower(power=1.0, sign=1), GammaPower(power=1.0, sign=-1):
            if is_one(x.concentration) and is_one(y.concentration):
                if sums.same(x.rate, y.rate):
                    return dist.Laplace(0.0, apply(lambda r: 1 / r, x.rate))
                mean = lambda r, s: 1 / jnp.sqrt(r * s)  # noqa: E731
                skew = lambda r, s: jnp.sqrt(r / s)  # noqa: E731
                return dist.AsymmetricLaplace(0.0, apply(mean, x.rate, y.rate), apply(skew, x.rate, y.rate))
    return None


def _difference(d: Name, e: Name, shape: tuple[int, ...], dtype: Any) -> Name | Law:
    match d, e:
        case dist.Poisson(), dist.Poisson():
            return dist.Skellam(d.rate, e.rate)
        case dist.Gumbel(), dist.Gumbel() if sums.same(d.scale, e.scale):
            return dist.Logistic(apply(jnp.subtract, d.loc, e.loc), d.scale)
    minus = scaled(e, -1.0, -1)
    return _sum(d, minus, shape, dtype) if minus is not None else None


def _product(d: Name, e: Name, shape: tuple[int, ...], dtype: Any) -> Name | Law:
    if isinstance(d, dist.LogNormal) and isinstance(e, dist.LogNormal):
        return dist.LogNormal(apply(jnp.add, d.loc, e.loc), apply(jnp.hypot, d.scale, e.scale))
    for x, y in ((d, e), (e, d)):
        if isinstance(x, dist.Normal) and is_zero(x.loc):
            return normal_times(x.scale, canonical(y))
    x, y = canonical(d), canonical(e)
    if isinstance(x, GammaPower) and isinstance(y, GammaPower):
        return _odds(x, y, shape, dtype)
    if isinstance(x, ExpGamma) and isinstance(y, ExpGamma):
        return _exponentials(x, y, shape, dtype)
    return None


def _exponentials(x: ExpGamma, y: ExpGamma, shape: tuple[int, ...], dtype: Any) -> Name | Law:
    """Their exponents are added: those of one sign are gammas, and of two signs make a Laplace law."""
    scale = times(x.scale, y.scale)
    if x.sign == y.sign:
        more = apply(jnp.add, x.concentration, y.concentration)
        return x._replace(concentration=more, scale=scale) if sums.same(x.rate, y.rate) else None
    up, down = (x, y) if x.sign > 0 else (y, x)
    exponent = _opposed(*(GammaPower(e.concentration, e.rate, 1.0, e.sign) for e in (up, down)))
    if exponent is None:
        return None
    law = _then(Image.of(Plain(exponent, shape, dtype)), jnp.exp, Branch(jnp.log))
    return _then(law, lambda v: v * scale, Branch(lambda v: v / scale, image=(-np.inf, np.inf)))


def normal_times(scale: Any, g: Name) -> dist.StudentT | dist.Laplace | None:
    """A scale mixture of normal numbers: Student's t (Gosset 1908), and Laplace's law."""
    if isinstance(g, GammaPower) and g.power == -0.5:
        width = apply(lambda s, r, a: s * jnp.sqrt(r / a), scale, g.rate, g.concentration)
        return dist.StudentT(times(2.0, g.concentration), 0.0, width)
    if isinstance(g, GammaPower) and g.power == 0.5 and is_one(g.concentration):
        return dist.Laplace(0.0, apply(lambda s, r: s / jnp.sqrt(2 * r), scale, g.rate))
    return None


def _quotient(d: Name, e: Name) -> Name:
    match d, e:
        case dist.Normal(), dist.Normal() if is_zero(d.loc) and is_zero(e.loc):
            return dist.Cauchy(0.0, apply(jnp.divide, d.scale, e.scale))
    return None


def _odds(x: GammaPower, y: GammaPower, shape: tuple[int, ...], dtype: Any) -> Law | None:
    """(A / B)^p, scaled."""
    if x.power != -y.power:
        return None
    law = Image.of(Odds(x.concentration, y.concentration, shape, dtype))
    ratio = jnp.asarray(y.rate) / x.rate
    law = _then(law, lambda v: v * ratio, Branch(lambda v: v / ratio, image=(-np.inf, np.inf)))
    law = _power(law, x.power)
    return law if x.sign * y.sign > 0 else negated(law)


def product_along(law: Law, axes: tuple[int, ...], shape: tuple[int, ...], dtype: Any) -> Law | None:
    """The product of independent numbers along axes: of log-normal ones, and of uniform ones."""
    d = law.name()
    d = canonical(d)
    add = lambda x: jnp.broadcast_to(jnp.asarray(x), law.shape).sum(axes)  # noqa: E731
    if isinstance(d, dist.LogNormal):
        scale = jnp.sqrt(add(jnp.square(jnp.asarray(d.scale))))
        return Plain(dist.LogNormal(add(d.loc), scale), shape, dtype)
    if isinstance(d, ExpGamma) and number(d.rate) is not None:
        whole = ExpGamma(add(d.concentration), d.rate, jnp.exp(add(jnp.log(d.scale))), d.sign)
        return law_of(whole, shape, dtype)
    return None
