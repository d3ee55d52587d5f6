"""Draws whose parameter is made of a draw from a conjugate prior: that is integrated out in closed form.

For any parameter t, p(y) = p(t) p(y | t) / p(t | y) (Besag 1989, "A candidate's formula"): what a pair needs to know
is what data add to the parameters of the prior.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import storax.distributions as dist
from storax.errors import NotMeasurable
from storax.logprob.deriving import products
from storax.logprob.deriving.algebra import Plain
from storax.logprob.deriving.dependence import Dependence, union
from storax.logprob.deriving.families import GammaPower, Name, as_beta, canonical
from storax.logprob.deriving.graphs import Node
from storax.logprob.deriving.laws import Law, is_known, unlaned
from storax.logprob.deriving.measures import Density
from storax.logprob.deriving.randoms import Random

Added = tuple[Any, Any]  # what a number adds to both parameters of its prior


class Child(NamedTuple):
    """A draw, one of whose parameters is made of a parent.

    Args:
        make: value of the parameter -> distribution.
        of: which parameter it is.
        name: that of the parameter's law.
        turned: of a chance p, is the parameter 1 - p?
        shape: of the parameter.
        event: the parent's event behind each number of the draw.
    """

    node: Node
    make: Callable[[Any], Any]
    of: str
    name: Name
    turned: bool
    shape: tuple[int, ...]
    event: np.ndarray[Any, Any]

    @property
    def parameter_event(self) -> np.ndarray[Any, Any]:
        """The parent's event behind each entry of the parameter."""
        whole = np.broadcast_shapes(self.shape, self.event.shape)
        lead = len(whole) - len(self.shape)
        index = (0,) * lead + tuple(slice(0, 1) if n == 1 else slice(None) for n in self.shape)
        return self.event[index]

    def value(self, t: Any) -> Any:
        """The parameter, from the parent's Y ~ Gamma(a, 1), or its chance."""
        t = t[self.parameter_event]
        if isinstance(self.name, GammaPower):
            return (t / jnp.asarray(self.name.rate)) ** self.name.power
        return 1 - t if self.turned else t


def child(node: Node, leaves: Sequence[Any], turned: bool = False) -> Child | None:
    """A draw with one random parameter, each number of which is made of one event of one draw."""
    site = node.site
    assert site is not None
    places = [i for i, x in enumerate(leaves) if isinstance(x, Random)]
    blank = jax.tree.unflatten(site.tree, range(site.tree.num_leaves))
    if len(places) != 1 or blank.event_dim or site.origins is not None:
        return None
    (place,) = places
    r = leaves[place]
    of = next((n for n in blank.parameters if getattr(blank, n) == place and isinstance(getattr(blank, n), int)), "")
    if not of or r.law is None or len(r.deps.of) != 1 or not r.deps.known:
        return None
    (ids,) = r.deps.of.values()
    chance = as_beta(r.law.name())
    name = chance if isinstance(chance, dist.Beta) else canonical(r.law.name(positive=True))
    shape = jnp.shape(unlaned(site, place, np.zeros(r.shape), len(node.shape)))
    if ids.shape[-1] != 1 or np.broadcast_shapes(shape, node.shape) != node.shape:
        return None
    if isinstance(name, GammaPower):
        name = name._replace(rate=jnp.broadcast_to(jnp.asarray(name.rate), r.shape).reshape(shape))

    def make(t: Any) -> Any:
        return site.distribution(
            [t if i == place else unlaned(site, i, x, len(node.shape)) for i, x in enumerate(leaves)]
        )

    event = np.broadcast_to(ids.reshape(shape), node.shape)
    return Child(node, make, of, name, turned, shape, event)


def added(c: Child, d: Any, y: Any) -> Added | None:
    """What the numbers y add to the parameters of the prior, each to that of its parent; None if it is not conjugate.

    A gamma prior has concentration and rate, of Y ~ Gamma(a, 1); a beta prior successes and failures.
    """
    if isinstance(c.name, GammaPower) and c.name.sign == 1:
        rate = jnp.asarray(c.name.rate)
        found = _to_gamma(d, c.of, c.name.power, y)
        return (found[0], found[1] / rate) if found is not None else None
    if isinstance(c.name, dist.Beta):
        found = _to_beta(d, c.of, y)
        return found[::-1] if found is not None and c.turned else found
    return None


def _to_gamma(d: Any, of: str, power: float, y: Any) -> Added | None:
    """With the parameter t^power, t ~ Gamma: what is in the place of t^n exp(-s t) in the likelihood."""
    match d, of, power:
        case dist.Poisson(), "rate", 1.0:
            return y, 1.0
        case dist.Exponential(), "rate", 1.0:
            return 1.0, y
        case dist.Gamma(), "rate", 1.0:
            return d.concentration, y
        case dist.InverseGamma(), "rate", 1.0:
            return d.concentration, 1 / y
        case dist.Pareto(), "alpha", 1.0:
            return 1.0, jnp.log(y / d.scale)
        case dist.Laplace(), "scale", -1.0:
            return 1.0, jnp.abs(y - d.loc)
        case dist.Normal(), "scale", -0.5:
            return 0.5, 0.5 * jnp.square(y - d.loc)
        case dist.LogNormal(), "scale", -0.5:
            return 0.5, 0.5 * jnp.square(jnp.log(y) - d.loc)
        case dist.HalfNormal(), "scale", -0.5:
            return 0.5, 0.5 * jnp.square(y)
        case dist.Rayleigh(), "scale", -0.5:
            return 1.0, 0.5 * jnp.square(y)
    return None


def _to_beta(d: Any, of: str, y: Any) -> Added | None:
    match d, of:
        case dist.Bernoulli(), "probs":
            return y, 1 - y
        case dist.Binomial(), "probs":
            return y, d.total_count - y
        case dist.Geometric(), "probs":
            return 1.0, y
        case dist.NegativeBinomial(), "probs":
            return y, d.total_count
    return None


def is_pair(c: Child) -> bool:
    probe = jnp.full(c.node.shape, 0.5)
    return added(c, c.make(jnp.full(c.shape, 0.5)), probe) is not None


def score(prior: Name, events: int, given: Sequence[tuple[Child, Any]]) -> Any:
    """`[events]`: the log marginal density of all numbers that are made of each event of the parent.

    Args:
        prior: that of the parent, its parameters of the shape `[events]`.
    """
    posterior, shift = _begin(prior, events)
    cleaned = []
    for c, y in given:
        d = c.make(jnp.full(c.shape, 0.5))
        x = jnp.asarray(y, jnp.result_type(float))
        inside = jnp.broadcast_to(d.support(x), c.node.shape)
        x = jnp.where(inside, x, d.support.feasible(x.shape, x.dtype))
        cleaned.append((c, x, inside))
        found = added(c, d, x)
        assert found is not None
        posterior = [p + _sum(v, c, events) for p, v in zip(posterior, found, strict=True)]
    before, after = shift(*_begin(prior, events)[0]), shift(*posterior)
    t = lax.stop_gradient(after.mean)
    total = before.log_prob(t) - after.log_prob(t)
    for c, x, inside in cleaned:
        likely = jnp.broadcast_to(c.make(c.value(t)).log_prob(x), c.node.shape)
        total = total + _sum(jnp.where(inside, likely, 0.0), c, events)
        total = jnp.where(_sum(jnp.where(inside, 0.0, 1.0), c, events) > 0, -jnp.inf, total)
    return total


def _begin(prior: Name, events: int) -> tuple[list[Any], Any]:
    fit = lambda x: jnp.broadcast_to(jnp.asarray(x, jnp.result_type(float)), (events,))  # noqa: E731
    if isinstance(prior, dist.Beta):
        return [fit(prior.concentration1), fit(prior.concentration0)], dist.Beta
    assert isinstance(prior, GammaPower)
    return [fit(prior.concentration), jnp.ones(events)], dist.Gamma


def _sum(x: Any, c: Child, events: int) -> Any:
    x = jnp.broadcast_to(jnp.asarray(x), c.node.shape)
    return jnp.zeros(events, x.dtype).at[c.event.ravel()].add(x.ravel())


class Averaged(Law):
    """A draw with a parameter of its own that is integrated out."""

    def __init__(self, score: Callable[[Any], Any], is_discrete: bool, shape: tuple[int, ...], dtype: Any) -> None:
        self.score, self.is_discrete, self.shape, self.dtype = score, is_discrete, tuple(shape), dtype
        self.smooth = not is_discrete

    def density(self, y: Any) -> Density:
        return self.score(y), 0 if self.is_discrete else 1

    def tail(self, y: Any, upper: bool = False, strict: bool | None = None) -> Any:
        raise NotMeasurable("is a draw with a random parameter, and its distribution function is not known")


def draw(node: Node, leaves: list[Any], own: Dependence) -> Random | None:
    """A draw each number of which has a parameter of its own, that is integrated out; None if it is not conjugate."""
    c = child(node, leaves)
    if c is None or len(np.unique(c.event)) != c.event.size:
        return None
    parameter = next(x for x in leaves if isinstance(x, Random))
    (parent,) = parameter.deps.of
    deps = union([own, Dependence({parent: c.event[..., None]})], node.shape)
    d = c.make(jnp.full(c.shape, 0.5))
    law = _named(d, c, node)
    if law is None:
        if not is_pair(c):
            return None
        own_event = c._replace(event=np.arange(c.event.size).reshape(node.shape))
        prior = flat(c.name, node.shape)
        each = lambda y: score(prior, c.event.size, [(own_event, y)]).reshape(node.shape)  # noqa: E731
        law = Averaged(each, bool(d.is_discrete), node.shape, node.aval.dtype)
    return Random(node.shape, node.aval.dtype, deps, law=law, smooth=not d.is_discrete)


def flat(name: Name, whole: tuple[int, ...]) -> Any:
    """Its parameters, one for each number."""
    fit = lambda x: jnp.broadcast_to(jnp.asarray(x), whole).ravel()  # noqa: E731
    if isinstance(name, GammaPower):
        return name._replace(concentration=fit(name.concentration))
    assert isinstance(name, dist.Beta)
    return dist.Beta(fit(name.concentration1), fit(name.concentration0))


def _named(d: Any, c: Child, node: Node) -> Law | None:
    """The law of one draw with a parameter of its own, where it has a name."""
    plain = lambda e: Plain(e, node.shape, node.aval.dtype)  # noqa: E731
    g = c.name
    match d, c.of, g:
        case dist.Bernoulli(), "probs", dist.Beta():
            return plain(dist.BetaBinomial(g.concentration1, g.concentration0, 1))
        case dist.Binomial(), "probs", dist.Beta():
            return plain(dist.BetaBinomial(g.concentration1, g.concentration0, d.total_count))
        case dist.NegativeBinomial(), "probs", dist.Beta():
            return plain(dist.BetaNegativeBinomial(g.concentration1, g.concentration0, d.total_count))
        case dist.Binomial(), "total_count", dist.Poisson() if d.probs is not None:
            return plain(dist.Poisson(g.rate * d.probs))  # thinned
        case dist.Poisson(), "rate", GammaPower(power=1.0, sign=1):
            return plain(dist.GammaPoisson(g.concentration, g.rate))
        case dist.Exponential(), "rate", GammaPower(power=1.0, sign=1):
            k = 1 / jnp.asarray(g.concentration)
            return plain(dist.GeneralizedPareto(0.0, k * g.rate, k))
        case dist.Normal(), "scale", GammaPower(sign=1):
            mixture = products.normal_times(1.0, g)
            return plain(mixture.replace(loc=d.loc)) if mixture is not None else None
    return None


def is_turned(name: Name, value: Any) -> bool | None:
    """Is a chance made of p = 1/4 that, or 1 - p?  None if neither."""
    if not isinstance(name, dist.Beta) or not is_known(value):
        return None
    return False if (np.asarray(value) == 0.25).all() else True if (np.asarray(value) == 0.75).all() else None
