"""Independent random numbers combined: sums of known families, the larger of two, which is larger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from storax.distributions.base import Distribution
from storax.distributions.normal import Normal
from storax.distributions.special import log1mexp
from storax.errors import NotMeasurable
from storax.logprob.deriving.dependence import Dependence
from storax.logprob.deriving.gaussians import Gaussian
from storax.logprob.deriving.images import Image, is_smooth
from storax.logprob.deriving.laws import Finite, Law, is_known
from storax.logprob.deriving.measures import Density, log_sum
from storax.logprob.deriving.pieces import apply
from storax.logprob.deriving.randoms import Step


class Plain(Law):
    """The law of a distribution of numbers, with as many copies in front as the shape needs."""

    def __init__(self, d: Distribution, shape: tuple[int, ...], dtype: Any) -> None:
        self.d, self.shape, self.dtype = d, tuple(shape), jnp.dtype(dtype)
        self.is_discrete = d.is_discrete

    def density(self, y: Any) -> Density:
        return self.d.log_prob(y), 0 if self.is_discrete else 1

    def tail(self, y: Any, upper: bool = False, strict: bool | None = None) -> Any:
        if self.is_discrete:
            y = jnp.ceil(y) - 1 if (strict if not upper else strict is False) else jnp.floor(y)
        y = jnp.asarray(y)
        y = y if jnp.issubdtype(y.dtype, jnp.floating) else y.astype(jnp.result_type(float))
        return self.d.log_survival(y) if upper else self.d.log_cdf(y)

    @property
    def ends(self) -> tuple[Any, Any]:
        from storax import supports

        return supports.ends(self.d.support) or (-np.inf, np.inf)

    def icdf(self, q: Any) -> Any:
        return self.d.icdf(q)

    def name(self, positive: bool = False) -> Any:
        return self.d


class NormalLaw(Plain):
    """Affine functions of normal numbers, element by element."""

    def __init__(self, gaussian: Gaussian, deps: Dependence, shape: tuple[int, ...]) -> None:
        variance = jnp.broadcast_to(gaussian.variances(deps), shape)
        if is_known(variance) and (np.asarray(variance) == 0).any():
            raise NotMeasurable("has coefficients that are all 0, so that nothing of the random quantity is left")
        variance = jnp.where(variance > 0, variance, jnp.nan)  # 0 of traced numbers
        mean = jnp.broadcast_to(gaussian.mean, shape)
        super().__init__(Normal(mean, jnp.sqrt(variance)), shape, gaussian.dtype)


class Extreme(Law):
    """The largest, or smallest, of independent numbers: `parts[i]`, or the entries of one law along axes.

    Discrete or with masses: P(max = y) = P(max <= y) - P(max < y).
    """

    def __init__(self, parts: Sequence[Law], largest: bool, shape: tuple[int, ...], axes: tuple[int, ...] = ()) -> None:
        self.parts, self.largest, self.shape, self.axes = list(parts), largest, tuple(shape), axes
        self.dtype = parts[0].dtype
        self.is_discrete = all(p.is_discrete for p in parts)
        self.smooth = all(map(is_smooth, parts))

    def snap(self, x: Any, error: Any) -> Any:
        for p in [] if self.axes else self.parts:
            x = p.snap(x, error)
        return x

    def _each(self, y: Any) -> list[tuple[Law, Any]]:
        if not self.axes:
            return [(p, y) for p in self.parts]
        (p,) = self.parts
        return [(p, jnp.broadcast_to(jnp.expand_dims(y, self.axes), p.shape))]

    def _stacked(self, f: Any, y: Any) -> Any:
        """`f(law, y)` of all numbers, these along axis 0."""
        rows = []
        for p, v in self._each(y):
            x = f(p, v)
            if self.axes:
                kept = [a for a in range(x.ndim) if a not in self.axes]
                x = jnp.transpose(x, (*self.axes, *kept)).reshape(-1, *self.shape)
                rows.append(x)
            else:
                rows.append(x[None])
        return jnp.concatenate(rows, 0)

    def _inner(self, y: Any, strict: bool) -> Any:
        """log P(X <= y) of each for the largest, log P(X >= y) for the smallest; `strict`: < and >."""
        upper = not self.largest
        return self._stacked(lambda p, v: p.tail(v, upper, strict), y)

    def tail(self, y: Any, upper: bool = False, strict: bool | None = None) -> Any:
        strict = upper if strict is None else strict
        if upper != self.largest:  # all of them are within
            return self._inner(y, strict).sum(0)
        inside = self._inner(y, not strict).sum(0)  # not all of them are
        return log1mexp(-inside)

    def density(self, y: Any) -> Density:
        tails = self._inner(y, False)
        if self.is_discrete:
            return _difference(tails.sum(0), self._inner(y, True).sum(0)), 0
        scores = self._stacked(lambda p, v: p.density(v)[0], y)
        zero = tails == -jnp.inf
        safe = jnp.where(zero, 0.0, tails)
        before = jnp.cumsum(safe, 0) - safe
        after = jnp.flip(jnp.cumsum(jnp.flip(safe, 0), 0), 0) - safe
        others = zero.sum(0)[None] - zero  # how many of the others cannot be within
        smooth = log_sum(jnp.where(others > 0, -jnp.inf, scores + before + after))
        if self.smooth:
            return smooth, 1
        mass = _difference(tails.sum(0), self._inner(y, True).sum(0))
        return jnp.where(mass > -jnp.inf, mass, smooth), jnp.where(mass > -jnp.inf, 0, 1)

    @property
    def ends(self) -> tuple[Any, Any]:
        f = jnp.maximum if self.largest else jnp.minimum
        low, high = self.parts[0].ends
        for p in self.parts[1:]:
            low, high = apply(f, low, p.ends[0]), apply(f, high, p.ends[1])
        if self.axes and (np.ndim(low) or np.ndim(high)):
            return -np.inf, np.inf
        return low, high


def _difference(a: Any, b: Any) -> Any:
    """log(exp a - exp b)."""
    none = a <= b
    return jnp.where(none, -jnp.inf, a + log1mexp(jnp.where(none, 1.0, a - jnp.where(b == -jnp.inf, a - 800.0, b))))


def of_independent(step: Step) -> Law | None:
    """The law of an equation of independent random numbers, where it is one of a known family."""
    from storax.logprob.deriving import products

    if len(step.randoms) != 2:
        return None
    a, b = (r.law for r in step.randoms)
    assert a is not None and b is not None
    if step.name in ("add", "sub", "add_any", "mul", "div"):
        return products.combine(step.name, a, b, step.shape, step.aval.dtype)
    if step.name == "atan2":
        return products.angle(a, b, step.shape, step.aval.dtype)
    if step.name in ("max", "min"):
        return Extreme([a, b], step.name == "max", step.shape)
    if step.name in ("lt", "le", "gt", "ge", "eq", "ne"):
        return _compared(step, a, b)
    return None


def _compared(step: Step, a: Law, b: Law) -> Law | None:
    """a < b is a - b < 0, where the difference has a law."""
    from storax.logprob.deriving import products
    from storax.logprob.deriving.cutting import SPECIAL

    x, y = step.randoms
    gap: Law | None
    if x.gaussian is not None and y.gaussian is not None:
        f, g = x.gaussian, y.gaussian
        noise = {**f.noise, **g.noise}
        gap = NormalLaw(Gaussian(noise, lambda e: f.f(e) - g.f(e), f.dtype), step.elementwise(), step.shape)
    else:
        gap = products.combine("sub", a, b, step.shape, a.dtype)
    if gap is None:
        return None
    if gap.is_discrete and step.name in ("eq", "ne"):
        hit = gap.density(jnp.zeros(step.shape, gap.dtype))[0]
        mass = jnp.stack([hit, log1mexp(-hit)])
        return Finite(
            [np.full(step.shape, step.name == "eq"), np.full(step.shape, step.name == "ne")], mass, step.shape, bool
        )
    zero = np.zeros((), gap.dtype)
    with_zero = Step(step.name, {}, [x, zero], step.aval, 0, lambda xs: [_COMPARE[step.name](*xs)])
    return SPECIAL[step.name](with_zero, 0, Image.of(gap))


_COMPARE = {"lt": jnp.less, "le": jnp.less_equal, "gt": jnp.greater, "ge": jnp.greater_equal, "eq": jnp.equal,
            "ne": jnp.not_equal}  # fmt: skip
