"""Draws whose parameter is a draw from a conjugate prior: the parameter is integrated out in closed form.

For any parameter t, p(y) = p(t) p(y | t) / p(t | y) (Besag 1989, "A candidate's formula"): the posterior is all that
a pair needs to know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import storax.distributions as dist
from storax.distributions.base import Distribution
from storax.logprob.deriving.algebra import Plain
from storax.logprob.deriving.dependence import union
from storax.logprob.deriving.graphs import Node
from storax.logprob.deriving.laws import Density, Law
from storax.logprob.deriving.randoms import Random

Sum = Callable[[Any], Any]  # over the draws that share one parameter


def _of_beta(prior: Any, successes: Any, failures: Any) -> Distribution:
    return dist.Beta(prior.concentration1 + successes, prior.concentration0 + failures)


def _of_gamma(prior: Any, events: Any, exposure: Any) -> Distribution:
    return dist.Gamma(prior.concentration + events, prior.rate + exposure)


def posterior(prior: Any, likelihood: Any, parameter: str, y: Any, add: Sum) -> Distribution | None:
    """The posterior of the parameter, None if the pair is not conjugate.  `add` sums over draws of one parameter."""
    ones = jnp.ones_like(y)
    match prior, likelihood, parameter:
        case dist.Beta(), dist.Bernoulli(), "probs":
            return _of_beta(prior, add(y), add(1 - y))
        case dist.Beta(), dist.Binomial(), "probs":
            return _of_beta(prior, add(y), add(likelihood.total_count - y))
        case dist.Beta(), dist.Geometric(), "probs":
            return _of_beta(prior, add(ones), add(y))
        case dist.Gamma(), dist.Poisson(), "rate":
            return _of_gamma(prior, add(y), add(ones))
        case dist.Gamma(), dist.Exponential(), "rate":
            return _of_gamma(prior, add(ones), add(y))
        case dist.Gamma(), dist.Gamma(), "rate":
            return _of_gamma(prior, add(likelihood.concentration * ones), add(y))
        case dist.Exponential(), dist.Poisson(), "rate":
            return dist.Gamma(1.0 + add(y), prior.rate + add(ones))
        case dist.Exponential(), dist.Exponential(), "rate":
            return dist.Gamma(1.0 + add(ones), prior.rate + add(y))
    return None


def marginal(prior: Any, likelihood: Any, shape: tuple[int, ...], dtype: Any) -> Law | None:
    """The law of one draw with a parameter of its own, where it has a name."""
    match prior, likelihood:
        case dist.Beta(), dist.Bernoulli():
            return Plain(dist.BetaBinomial(prior.concentration1, prior.concentration0, 1), shape, dtype)
        case dist.Beta(), dist.Binomial():
            return Plain(
                dist.BetaBinomial(prior.concentration1, prior.concentration0, likelihood.total_count), shape, dtype
            )
        case dist.Gamma(), dist.Poisson():
            return Plain(dist.GammaPoisson(prior.concentration, prior.rate), shape, dtype)
        case dist.Gamma(), dist.Exponential():
            c = 1 / jnp.asarray(prior.concentration)
            return Plain(dist.GeneralizedPareto(0.0, c * prior.rate, c), shape, dtype)
    return None


class Averaged(Law):
    """A draw with a parameter of its own that is integrated out."""

    def __init__(self, score: Callable[[Any], Any], is_discrete: bool, shape: tuple[int, ...], dtype: Any) -> None:
        self.score, self.is_discrete, self.shape, self.dtype = score, is_discrete, tuple(shape), dtype

    def density(self, y: Any) -> Density:
        return self.score(y), 0 if self.is_discrete else 1

    def tail(self, y: Any, upper: bool = False, strict: bool | None = None) -> Any:
        from storax.errors import NotMeasurable

        raise NotMeasurable("is a draw with a random parameter, and its distribution function is not known")


def draw(node: Node, leaves: list[Any], place: int, own: Any) -> Random | None:
    """The draw, with its parameter integrated out; None if the pair is not conjugate."""
    r, site = leaves[place], node.site
    assert site is not None and r.law is not None
    prior = r.law.name()
    blank = jax.tree.unflatten(site.tree, range(site.tree.num_leaves))
    name = next((n for n in blank.parameters if getattr(blank, n) == place and isinstance(getattr(blank, n), int)), "")
    fits = r.shape == node.shape[len(node.shape) - len(r.shape) :]
    if prior is None or site.lanes or not fits or not r.deps.aligned:
        return None
    front = tuple(range(len(node.shape) - len(r.shape)))
    add = lambda x: jnp.broadcast_to(x, node.shape).sum(front) if front else x  # noqa: E731

    def with_parameter(t: Any) -> Any:
        return site.distribution([t if i == place else x for i, x in enumerate(leaves)])

    probe = jnp.zeros(node.shape, jnp.result_type(float))
    if posterior(prior, with_parameter(jnp.full(r.shape, 0.5)), name, probe, add) is None:
        return None

    def score(y: Any) -> Any:
        """Log marginal density of all draws of each parameter."""
        x = jnp.asarray(y, jnp.result_type(float))
        likely = with_parameter(jnp.full(r.shape, 0.5))
        inside = likely.support(x)
        x = jnp.where(inside, x, likely.support.feasible(x.shape, x.dtype))
        after = posterior(prior, likely, name, x, add)
        assert after is not None
        t = lax.stop_gradient(after.mean)
        total = prior.log_prob(t) + add(with_parameter(t).log_prob(x)) - after.log_prob(t)
        whole = inside.all(front) if front else inside
        return jnp.where(whole, total, -jnp.inf)

    discrete = likelihood_is_discrete(with_parameter, r)
    deps = union([own, r.deps.map(lambda ids: np.broadcast_to(ids, node.shape))], node.shape)
    if not front or int(np.prod([node.shape[a] for a in front])) == 1:
        law = marginal(prior, with_parameter(jnp.full(r.shape, 0.5)), node.shape, node.aval.dtype)
        law = law or Averaged(lambda y: jnp.broadcast_to(score(y), node.shape), discrete, node.shape, node.aval.dtype)
        return Random(node.shape, node.aval.dtype, deps, law=law, smooth=not discrete)
    joint = lambda y: (score(y), 0 if discrete else int(np.prod([node.shape[a] for a in front])))  # noqa: E731
    return Random(node.shape, node.aval.dtype, deps, why=f"{node.label} shares a random parameter", joint=joint,
                  smooth=not discrete)  # fmt: skip


def likelihood_is_discrete(with_parameter: Any, r: Random) -> bool:
    return bool(with_parameter(jnp.full(r.shape, 0.5)).is_discrete)
