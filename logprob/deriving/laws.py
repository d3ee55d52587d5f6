"""Laws: what an array of random elements is, element by element.

A density is a pair (log density, dimension): an atom and a whole number have dimension 0, a point of a continuum 1.
Where the two meet, as at the bound of a clipped normal in a mixture, the lower dimension wins: a mass is infinitely
more than any density.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import storax.distributions as dist
from storax import supports
from storax.distributions.special import log1mexp
from storax.errors import NotMeasurable
from storax.logprob.deriving.measures import Density, choose, log_sum, slim, spread
from storax.primitives import Site

MOST = 4096  # values of a law that are enumerated
SYMMETRIC = (dist.Normal, dist.StudentT, dist.Cauchy, dist.Laplace, dist.Logistic)  # about their `loc`


class Law(abc.ABC):
    """The law of each element of an array of shape `shape`; all methods take and give arrays of that shape."""

    shape: tuple[int, ...]
    dtype: Any
    is_discrete: bool = False  # has every value that is possible a mass?

    @abc.abstractmethod
    def density(self, y: jax.Array) -> Density:
        """(log density, dimension) at y; -inf where y is impossible."""

    @abc.abstractmethod
    def tail(self, y: jax.Array, upper: bool = False, strict: bool | None = None) -> jax.Array:
        """log P(X <= y), of the `upper` tail log P(X > y); `strict` puts < in place of <=, and >= in place of >.

        Raises:
            NotMeasurable: there is no distribution function.
        """

    def tail_at(self, y: Any, upper: bool = False, strict: bool | None = None) -> jax.Array:
        """`tail` at one number for all elements."""
        return self.tail(jnp.broadcast_to(y, self.shape), upper, strict)

    def mirrored(self, y: Any) -> Any:
        """The number as far from the median on its other side; None of a law that is not known to be symmetric."""
        return None

    def inside(self, low: Any, high: Any, low_in: bool, high_in: bool) -> jax.Array | None:
        """log P(X between low and high), if there is a better way than a difference of two tails."""
        return None

    def snap(self, x: Any, error: Any) -> Any:
        """x, or the number next to it, within `error`, that has a mass: x may be rounded."""
        return x

    @property
    def ends(self) -> tuple[Any, Any]:
        """The smallest and the largest value, as far as is known."""
        return -np.inf, np.inf

    @property
    def finite(self) -> Finite | None:
        """The same law as a list of values, if there are only a few."""
        return None

    def name(self, positive: bool = False) -> Any:
        """The family that it is of, if that is known: see `families`; `positive`: so are factors of unknown sign."""
        return None

    def move(self, f: Callable[[Any], Any], fill: Callable[[Any], Any], shape: tuple[int, ...]) -> Law:
        """The law of the moved array `f(x)`; `fill(y)` is an array of the old shape that f moves to y."""
        return Moved(self, f, fill, shape)


def is_known(x: Any) -> bool:
    return not isinstance(x, jax.core.Tracer)


class Given(Law):
    """The law of the events of a site, each a number."""

    def __init__(self, site: Site, leaves: Sequence[Any], aval: Any) -> None:
        self.site, self.leaves = site, list(leaves)
        self.shape, self.dtype = tuple(aval.shape), aval.dtype
        self.one = site.distribution(leaves if not site.lanes else site.one_lane(leaves))
        self.is_discrete = self.one.is_discrete

    @property
    def is_alike(self) -> bool:
        """Are the parameters those of all elements?"""
        return not self.site.lanes and not self.one.batch_shape

    def ask(self, method: str, y: Any) -> jax.Array:
        f = lambda v, *leaves: getattr(self.site.distribution(leaves), method)(v)  # noqa: E731
        return self.site.over_lanes(f, 1)(jnp.asarray(y), *self.leaves)

    def density(self, y: jax.Array) -> Density:
        return self.ask("log_prob", y), 0 if self.is_discrete else 1

    def tail(self, y: jax.Array, upper: bool = False, strict: bool | None = None) -> jax.Array:
        if self.is_discrete:
            below = strict if not upper else strict is False  # P(X < y), P(X >= y): from the number before y on
            y = jnp.ceil(y) - 1 if below else jnp.floor(y)
        y = jnp.asarray(y)
        y = y if jnp.issubdtype(y.dtype, jnp.floating) else y.astype(jnp.result_type(float))
        return self.ask("log_survival" if upper else "log_cdf", y)

    def tail_at(self, y: Any, upper: bool = False, strict: bool | None = None) -> jax.Array:
        if self.site.lanes:
            return super().tail_at(y, upper, strict)
        return jnp.broadcast_to(self.tail(y, upper, strict), self.shape)  # what is asked of parameters is asked once

    def mirrored(self, y: Any) -> Any:
        if self.site.lanes or type(self.one) not in SYMMETRIC:
            return None
        center = self.site.distribution(self.leaves).loc
        return y > center, 2 * center - y

    @property
    def ends(self) -> tuple[Any, Any]:
        if self.site.lanes:
            low, high = supports.ends(self.one.support) or (-np.inf, np.inf)
            return low if np.ndim(low) == 0 and is_number(low) else -np.inf, (
                high if np.ndim(high) == 0 and is_number(high) else np.inf
            )
        return supports.ends(self.one.support) or (-np.inf, np.inf)

    @property
    def finite(self) -> Finite | None:
        low, high = self.ends
        if not (self.is_discrete and is_known(low) and is_known(high)):
            return None
        with jax.ensure_compile_time_eval():
            low, high = float(np.min(low)), float(np.max(high))
            if not np.isfinite(high - low) or high - low >= MOST:
                return None
            points = np.arange(int(low), int(high) + 1).astype(self.dtype)
            values = np.broadcast_to(points.reshape(-1, *[1] * len(self.shape)), (len(points), *self.shape))
        alike = self.is_alike
        mass = jnp.stack([self.ask("log_prob", v) for v in (points if alike else values)])
        return Finite(list(values), mass, self.shape, self.dtype, self)

    def icdf(self, q: jax.Array) -> jax.Array:
        return self.ask("icdf", q)

    def name(self, positive: bool = False) -> Any:
        if not self.site.lanes:
            return self.site.distribution(self.leaves)
        if self.one.event_dim or self.site.origins is not None:
            return None
        return self.site.distribution([unlaned(self.site, i, x, len(self.shape)) for i, x in enumerate(self.leaves)])


def unlaned(site: Site, i: int, leaf: Any, ndim: int) -> Any:
    """Leaf i of a distribution of numbers, with the lanes as axes of a batch of `ndim` axes in front."""
    lanes = [size for size, mapped in site.lanes if mapped[i]]
    if not lanes:
        return leaf
    own = np.shape(leaf)[len(lanes) :]
    front = [size if mapped[i] else 1 for size, mapped in site.lanes]
    return leaf.reshape(*front, *[1] * (ndim - len(front) - len(own)), *own)


class Flat(Law):
    """Numbers whose law counts elsewhere: what matters is only whether their values follow."""

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self.shape, self.dtype = tuple(shape), jnp.dtype(dtype)
        self.is_discrete = not jnp.issubdtype(dtype, jnp.floating)

    def density(self, y: jax.Array) -> Density:
        return jnp.zeros(self.shape), 0

    def tail(self, y: jax.Array, upper: bool = False, strict: bool | None = None) -> jax.Array:
        raise NotMeasurable("depends on a quantity of a loop whose value does not follow")


def is_number(x: Any) -> bool:
    return is_known(x) and not isinstance(x, jax.ShapeDtypeStruct)


class Finite(Law):
    """A few values, each with its log mass: K arrays of shape `shape`, and an array `[K, *shape]`, or `[K]` if all
    elements have the same.

    Laws of the same `states` have their values in the same order: number k of either belongs to the same event.
    """

    is_discrete = True

    def __init__(
        self, values: Sequence[Any], log_mass: Any, shape: tuple[int, ...], dtype: Any, states: Any = None
    ) -> None:
        self.values, self.mass, self.shape, self.dtype = list(values), log_mass, tuple(shape), dtype
        self.states = self if states is None else states

    @property
    def log_mass(self) -> Any:
        """`[K, *shape]`"""
        return spread(self.mass, self.shape)

    def density(self, y: jax.Array) -> Density:
        return choose(y, [slim(v) for v in self.values], list(self.mass), close), 0

    def snap(self, x: Any, error: Any) -> Any:
        for v in self.values:
            x = jnp.where(jnp.abs(x - v) <= error, jnp.asarray(v, x.dtype), x)
        return x

    def tail(self, y: jax.Array, upper: bool = False, strict: bool | None = None) -> jax.Array:
        strict = upper if strict is None else strict
        compare = {
            (False, False): jnp.less_equal,
            (False, True): jnp.less,
            (True, True): jnp.greater,
            (True, False): jnp.greater_equal,
        }[upper, strict]
        hit = jnp.stack([compare(v, y) for v in self.values])
        return log_sum(jnp.where(hit, self.log_mass, -jnp.inf))

    @property
    def ends(self) -> tuple[Any, Any]:
        if all(map(is_known, self.values)) and self.dtype != bool:
            with jax.ensure_compile_time_eval():
                return np.min([np.asarray(v).min() for v in self.values]), np.max(
                    [np.asarray(v).max() for v in self.values]
                )
        return -np.inf, np.inf

    @property
    def finite(self) -> Finite:
        return self


def point(value: Any) -> Finite:
    """A known array, as a law."""
    shape = jnp.shape(value)
    return Finite([value], jnp.zeros(1), shape, jnp.result_type(value))


class Moved(Law):
    """The elements of another law at other places."""

    def __init__(self, base: Law, f: Any, fill: Any, shape: tuple[int, ...]) -> None:
        self.base, self.f, self.fill, self.shape = base, f, fill, tuple(shape)
        self.dtype, self.is_discrete = base.dtype, base.is_discrete

    def density(self, y: jax.Array) -> Density:
        score, dim = self.base.density(self.fill(y))
        return self.f(score), dim if isinstance(dim, int) else self.f(dim)

    def snap(self, x: Any, error: Any) -> Any:
        return self.f(self.base.snap(self.fill(x), self.fill(error)))

    def tail(self, y: jax.Array, upper: bool = False, strict: bool | None = None) -> jax.Array:
        return self.f(self.base.tail(self.fill(y), upper, strict))

    @property
    def ends(self) -> tuple[Any, Any]:
        return tuple(e if np.ndim(e) == 0 else self.f(jnp.broadcast_to(e, self.base.shape)) for e in self.base.ends)

    def name(self, positive: bool = False) -> Any:
        d = self.base.name(positive)
        part = lambda x: self.f(jnp.broadcast_to(x, self.base.shape)) if np.ndim(x) else x  # noqa: E731
        if d is None or (hasattr(d, "parameters") and not is_of_numbers(d)):
            return None
        leaves, tree = jax.tree.flatten(d)
        with at_once(*leaves):
            return jax.tree.unflatten(tree, [part(x) for x in leaves])

    @property
    def finite(self) -> Finite | None:
        few = self.base.finite
        if few is None:
            return None
        mass = few.mass if np.ndim(few.mass) == 1 else jnp.stack([self.f(m) for m in few.mass])
        with at_once(*few.values):
            values = [self.f(jnp.asarray(v)) for v in few.values]
        return Finite(values, mass, self.shape, self.dtype, few.states)

    def icdf(self, q: jax.Array) -> jax.Array:
        from storax.logprob.deriving.images import search_quantile

        find = getattr(self.base, "icdf", None)
        return self.f(find(self.fill(q)) if find is not None else search_quantile(self.base, self.fill(q)))


def is_of_numbers(d: Any) -> bool:
    """Is it a distribution of numbers that is made of nothing but its parameters?"""
    given = [n for n in d.parameters if getattr(d, n) is not None]
    return d.event_dim == 0 and len(jax.tree.leaves(d)) == len(given)


def at_once(*arrays: Any) -> Any:
    """Compute on small known arrays now, so that an index that is known stays known under jit."""
    import contextlib

    small = all(is_known(x) and jnp.size(x) <= MOST for x in arrays)
    return jax.ensure_compile_time_eval() if small else contextlib.nullcontext()


def between(law: Law, low: Any, high: Any, low_in: bool, high_in: bool) -> jax.Array:
    """log P(X between low and high); `low_in`, `high_in`: with that end.

    A difference of lower tails or of upper ones, whichever are small.
    """
    if _is(low, np.inf) or _is(high, -np.inf):
        return jnp.full(law.shape, -jnp.inf, float_of(law))
    open_below, open_above = _is(low, -np.inf), _is(high, np.inf)
    tail = lambda e, *args: (law.tail if jnp.ndim(e) else law.tail_at)(e, *args)  # noqa: E731
    if open_below and open_above:
        return jnp.zeros(law.shape, float_of(law))
    low, high = (_fit(e, law) for e in (low, high))
    if open_below:
        return tail(high, False, not high_in)
    if open_above:
        return tail(low, True, not low_in)
    found = law.inside(low, high, low_in, high_in)
    if found is not None:
        return found
    crossed = (low > high) | ((low == high) & (not (low_in and high_in)))
    mirrored = law.mirrored(low)
    if mirrored is not None:  # then two of the four tails will do
        upper, other = mirrored
        large = law.tail(jnp.broadcast_to(jnp.where(upper, other, high), law.shape))
        small = law.tail(jnp.broadcast_to(jnp.where(upper, law.mirrored(high)[1], low), law.shape))
    else:
        above_low, above_high = tail(low, True, not low_in), tail(high, True, high_in)
        below_low, below_high = tail(low, False, low_in), tail(high, False, not high_in)
        upper = above_low < below_high
        large, small = jnp.where(upper, above_low, below_high), jnp.where(upper, above_high, below_low)
    alone = (small == -jnp.inf) | (large == -jnp.inf)
    gap = jnp.where(alone, 1.0, jnp.maximum(large - small, 0.0))
    none = crossed | ((gap == 0) & ~alone)
    difference = large + log1mexp(jnp.where(none, 1.0, gap))
    return jnp.where(none, -jnp.inf, jnp.where(alone, large, difference))


def _fit(end: Any, law: Law) -> Any:
    end = jnp.asarray(end, float_of(law))
    return jnp.broadcast_to(end, law.shape) if end.ndim else end


def _is(end: Any, value: float) -> bool:
    return is_known(end) and bool((np.asarray(end) == value).all())


def float_of(law: Law) -> Any:
    return law.dtype if jnp.issubdtype(law.dtype, jnp.floating) else jnp.result_type(float)


def close(y: Any, value: Any) -> jax.Array:
    """Is y this number, but for rounding?"""
    y, value = jnp.asarray(y), jnp.asarray(value)
    floats = [x.dtype for x in (y, value) if jnp.issubdtype(x.dtype, jnp.floating)]
    if not floats:
        return y == value
    eps = max(float(jnp.finfo(d).eps) for d in floats)
    return (jnp.isfinite(y) & (jnp.abs(y - value) <= 8 * eps * jnp.abs(value))) | (y == value)
