"""Forward through a graph: what each node is, given what is known of the draws so far."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import storax.distributions as dist
from storax import jaxprs
from storax.distributions.wrappers import Masked, Scaled, Wrapper
from storax.errors import NotMeasurable
from storax.logprob.deriving import compound, degrees
from storax.logprob.deriving.dependence import Dependence, union
from storax.logprob.deriving.gaussians import Gaussian
from storax.logprob.deriving.graphs import Node, call_name
from storax.logprob.deriving.laws import Given, at_once, point
from storax.logprob.deriving.randoms import Random, Step
from storax.logprob.deriving.registry import rule_of
from storax.logprob.deriving.sharing import constant

LOOPS: dict[str, Any] = {}  # control flow with draws inside: name -> rule(step, node, walk)


class Walk:
    """Nodes as arrays or `Random`s.

    Args:
        known: draw -> its value.
        before: a walk that knew a part of it.
    """

    def __init__(self, known: Mapping[Node, Any], before: Walk | None = None) -> None:
        self.known = dict(known)
        self.seen: dict[Node, Any] = {}
        self.outputs: dict[int, list[Any]] = {}
        if before is not None:
            self.seen = {n: x for n, x in before.seen.items() if not isinstance(x, Random)}
            self.outputs = dict(before.outputs)

    def __call__(self, node: Node) -> Any:
        if node not in self.seen:
            for inner in _order(node, self.seen):
                if inner not in self.seen:
                    self.seen[inner] = self._evaluate(inner)
        return self.seen[node]

    def _evaluate(self, node: Node) -> Any:
        if node.kind == "known":
            return node.value
        if node in self.known:
            return self.known[node]
        inputs = [self.seen[n] for n in node.inputs]
        if node.kind == "draw":
            return node.stand_in if node.stand_in is not None else draw(node, inputs)
        if not any(isinstance(x, Random) for x in inputs) and not jaxprs.has_sites(node.equation):
            return self._known(node, inputs)
        return self._random(node, inputs)

    def _known(self, node: Node, inputs: list[Any]) -> Any:
        key = id(node.siblings)
        if key not in self.outputs:
            with at_once(*inputs):
                self.outputs[key] = jaxprs.evaluate(node.equation, inputs)
        return self.outputs[key][node.output]

    def _random(self, node: Node, inputs: list[Any]) -> Random:
        equation = node.equation
        name = call_name(equation)
        evaluate = lambda xs: jaxprs.evaluate(equation, list(xs))  # noqa: E731
        settled = [constant(x) if isinstance(x, Random) else x for x in inputs]
        if settled and not any(isinstance(x, Random) for x in settled) and not jaxprs.has_sites(equation):
            with at_once(*settled):
                value = jaxprs.evaluate(equation, settled)[node.output]
            deps = union([r.deps.everywhere(node.shape) for r in inputs if isinstance(r, Random)], node.shape)
            return Random(node.shape, node.aval.dtype, deps, law=point(value), smooth=False)
        inputs = settled
        step = Step(name, dict(equation.params), inputs, node.aval, node.output, evaluate)
        try:
            if name in LOOPS:
                return LOOPS[name](step, node, self)
            if jaxprs.has_sites(equation):
                raise NotMeasurable("has random choices inside")
            rule = rule_of(name)
            if rule is None:
                raise NotMeasurable("has no rule")
            result = rule(step)
        except NotMeasurable as error:
            result = step.random(step.everywhere(), why=str(error))
        except (ArithmeticError, AssertionError) as error:  # a rule that met what it was not written for
            result = step.random(step.everywhere(), why=f"has no rule for this ({error})")
        if not isinstance(result, Random):
            return result
        for place, x in enumerate(inputs):
            if result is x:  # handed on: its value follows from that of another node than its own
                copied = Step("copy", {}, [x], node.aval, 0, lambda xs: list(xs))
                push = lambda y, place=place: ([(place, y)], 0.0)  # noqa: E731
                result = dataclasses.replace(x, push=push, fork=None, made=copied)
                break
        if result.made is None:
            result.made = step
        if result.law is None:
            result.why = _located(result.why, node)
        return result


def _located(why: str, node: Node) -> str:
    return why if why.startswith(("`", "an anonymous", "site")) else f"{node.label} {why or 'has no rule'}"


def _order(node: Node, seen: Mapping[Node, Any]) -> list[Node]:
    """The nodes that a node needs, in the order of the program."""
    needed, stack = {node}, [node]
    while stack:
        for n in stack.pop().inputs:
            if n not in needed and n not in seen:
                needed.add(n)
                stack.append(n)
    return sorted(needed, key=lambda n: n.order)


def draw(node: Node, leaves: list[Any]) -> Random:
    """A draw that has no value yet."""
    site = node.site
    assert site is not None
    random_leaves = [x for x in leaves if isinstance(x, Random)]
    if random_leaves:
        try:
            if any(isinstance(d, (Scaled, Masked)) for d in _wrappers(site)):
                raise NotMeasurable("has a weight or a mask, and random parameters")
            return compound.draw(node, leaves)
        except NotMeasurable as error:
            deps = union([_own(node, leaves), *[r.deps.everywhere(node.shape) for r in random_leaves]], node.shape)
            return Random(node.shape, node.aval.dtype, deps, why=_located(str(error), node))
    law = Given(site, leaves, node.aval)
    deps = _own(node, leaves)
    one = law.one
    if is_weighted(one):
        return Random(node.shape, node.aval.dtype, deps, why=f"{node.label} has a weight or a mask, and so no law",
                      smooth=not one.is_discrete)  # fmt: skip
    smooth = not one.is_discrete
    if one.event_dim:
        gaussian = _vector_gaussian(node, one, leaves)
        why = f"{node.label} is a vector, whose entries depend on each other"
        free, has_density = degrees.of(one.support, node.shape)
        affine = smooth and has_density and free is None
        kind = None if smooth and not has_density else smooth
        return Random(node.shape, node.aval.dtype, deps, why=why, gaussian=gaussian, affine=affine, smooth=kind,
                      free=free, form=degrees.form(one.support))  # fmt: skip
    return Random(node.shape, node.aval.dtype, deps, law=law, gaussian=_gaussian(node, one, leaves), affine=smooth,
                  smooth=smooth, alike=all(np.ndim(x) == 0 for x in leaves) and not site.lanes)  # fmt: skip


def is_weighted(d: Any) -> bool:
    """Is its log density not that of its draws?"""
    return isinstance(d, Scaled) or d.counted is not None or (isinstance(d, Wrapper) and is_weighted(d.base))


def is_scaled(site: Any) -> bool:
    """Does its log density count several times, or in part?"""
    return any(isinstance(d, Scaled) for d in _wrappers(site))


def _wrappers(site: Any) -> list[Any]:
    """What its distribution is wrapped in, from the outside."""
    d, out = jax.tree.unflatten(site.tree, [None] * site.tree.num_leaves), []
    while isinstance(d, Wrapper):
        out.append(d)
        d = d.base
    return out


def _own(node: Node, leaves: list[Any]) -> Dependence:
    """The events of the draw itself: entries of one event share its number."""
    d = event_of(node, leaves)
    events = node.shape[: len(node.shape) - d]
    ids = np.arange(int(np.prod(events))).reshape(*events, *[1] * d, 1)
    return Dependence({node: np.broadcast_to(ids, (*node.shape, 1))})


def event_of(node: Node, leaves: list[Any]) -> int:
    site = node.site
    assert site is not None
    blank = jax.tree.unflatten(site.tree, [None] * site.tree.num_leaves)
    return int(blank.event_dim)


def _gaussian(node: Node, one: Any, leaves: list[Any]) -> Gaussian | None:
    if not isinstance(one, dist.Normal):
        return None
    site = node.site
    assert site is not None

    def scaled(e: Any, *ls: Any) -> Any:
        d = site.distribution(ls)
        return jnp.asarray(d.loc + d.scale * e, node.aval.dtype)

    f = lambda noise: site.over_lanes(scaled, 1)(noise[node], *leaves)  # noqa: E731
    return Gaussian({node: node.shape}, f, node.aval.dtype)


def _vector_gaussian(node: Node, one: Any, leaves: list[Any]) -> Gaussian | None:
    if type(one) is not dist.MultivariateNormal:
        return None
    site = node.site
    assert site is not None

    def scaled(e: Any, *ls: Any) -> Any:
        d = site.distribution(ls)
        return jnp.asarray(d.loc + jnp.einsum("...ij,...j->...i", scale_tril(d), e), node.aval.dtype)

    f = lambda noise: site.over_lanes(scaled, 1)(noise[node], *leaves)  # noqa: E731
    node.event_size = node.shape[-1]  # type: ignore[attr-defined]
    return Gaussian({node: node.shape}, f, node.aval.dtype)


def scale_tril(d: Any) -> Any:
    if d.scale_tril is not None:
        return d.scale_tril
    return jnp.linalg.cholesky(d.covariance)
