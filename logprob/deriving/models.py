"""The joint density of a model with anonymous draws, or with derived quantities that are observed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from storax.data import as_value
from storax.effects import Sites
from storax.errors import ModelError, NotMeasurable, UnknownNameError, nearest
from storax.logprob.collecting import open_sites
from storax.logprob.deriving import graphs
from storax.logprob.deriving.programs import named
from storax.logprob.deriving.randoms import Random
from storax.logprob.deriving.solving import Observation, Solver, total
from storax.logprob.deriving.walking import Walk
from storax.logprob.stabilizing.rewriting import stable
from storax.models import Model
from storax.staging import Staged


def needs_deriving(sites: Sites, values: Mapping[str, Any]) -> bool:
    """Is there a draw to integrate out, or a derived quantity to solve for?"""
    for name, info in sites.items():
        if info.is_open and not info.site.name and not info.site.hidden:
            return True
        if info.is_derived and info.visible and (info.site.observed or name in values):
            return True
    return False


class Joint(NamedTuple):
    """A joint log density, and the derived quantities by name that follow from what is known."""

    log_density: Any
    derived: dict[str, Any]


def _data(node: graphs.Node, data: Any, call: str) -> Any:
    """The value of an observation, which the model may have computed.

    Raises:
        NotMeasurable: from choices of its own.
    """
    value = Walk({})(data) if isinstance(data, graphs.Node) else data
    if isinstance(value, Random):
        raise NotMeasurable(f"{call}: {node.label} observes what the model has computed from its own choices, so that "
                            f"there is no density. Pass data, as an argument of the model.")  # fmt: skip
    return value


def observed(
    model: Model, staged: Staged, arrays: Sequence[Any], values: Mapping[str, Any], call: str
) -> tuple[graphs.Graph, list[Observation]]:
    """The program of a model, and all that has a value in it.

    Raises:
        UnknownNameError, ModelError, ShapeError: a value that is none of the model's.
    """
    sites = model.sites(staged)
    open_sites(sites, call, integrate=True)
    closed = jax.make_jaxpr(lambda *xs: [model.walk(staged, xs)][1:])(*arrays)  # for its sites, not for its output
    graph = graphs.read(closed, [graphs.known(x) for x in arrays], named())
    observations = []
    for name, value in values.items():
        node = graph.draws.get(name) or graph.marks.get(name)
        if node is None or not sites[name].visible:
            raise UnknownNameError(f"{call}: the model has no site named {name!r}. "
                                   f"{nearest(name, [*graph.draws, *graph.marks])}")  # fmt: skip
        if any(node is given for given, _ in graph.observed):
            raise ModelError(
                f"{call}: site {name!r} has a value already, so it must not be given another. Leave it out."
            )
        label = f"site {name!r}"
        observations.append(Observation(node, as_value(value, node.shape, node.aval.dtype, label), label))
    for node, data in graph.observed:
        value = _data(node, data, call)
        marks = [name for name, marked in graph.marks.items() if marked is node]
        observations.append(Observation(node, value, f"site {marks[-1]!r}" if marks else node.label))
    return graph, observations


def known_choices(solver: Solver, graph: graphs.Graph, observations: Sequence[Observation], call: str) -> None:
    """Check that every named draw has a value, or that one follows from what is given.

    Raises:
        UnknownNameError: one has none.
    """
    given = {id(o.node) for o in observations}
    missing = [n for n, node in graph.draws.items() if id(node) not in given and node not in solver.walk.known]
    if missing:
        raise UnknownNameError(
            f"{call}: no value was given for {', '.join(repr(n) for n in missing)}, and what is given does not "
            f"determine it. Every named draw needs a value; one without a name, sx.rv, is integrated out."
        )


def joint_density(model: Model, staged: Staged, arrays: Sequence[Any], values: Mapping[str, Any], call: str) -> Joint:
    """Of values, named draws or derived quantities, and of the data.

    Raises:
        UnknownNameError: a named draw without a value that does not follow from the others.
        NotMeasurable: the density cannot be derived.
    """
    f = lambda arrays, values: tuple(_joint(model, staged, arrays, values, call))  # noqa: E731
    return Joint(*stable(f, list(arrays), dict(values)))


def _joint(model: Model, staged: Staged, arrays: Sequence[Any], values: Mapping[str, Any], call: str) -> Joint:
    sites = model.sites(staged)
    graph, observations = observed(model, staged, arrays, values, call)
    solver = Solver(observations, {}, call)
    terms = solver.run()
    known_choices(solver, graph, observations, call)
    derived = {n: x for n, node in graph.marks.items() if not isinstance(x := solver.walk(node), Random)}
    return Joint(total(terms)[0], {n: jnp.asarray(x) for n, x in derived.items() if sites[n].visible})
