"""The log density of each entry of the data, where anonymous draws are integrated out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from storax.effects import Context, Effect, Handler, Perform
from storax.errors import NotMeasurable
from storax.logprob.collecting import without_weight
from storax.logprob.deriving.models import known_choices, observed
from storax.logprob.deriving.solving import Solver
from storax.logprob.stabilizing.rewriting import stable
from storax.models import Model
from storax.staging import Staged


class Plain(Handler):
    """Takes the weights off all sites."""

    def __call__(self, effect: Effect, perform: Perform, context: Context, records: dict[str, Any]) -> Effect:
        return perform(without_weight(effect))


def log_likelihoods(model: Model, staged: Staged, values: Mapping[str, Any], call: str) -> dict[str, jax.Array]:
    """{observed site: log density of each of its draws}, given the named choices.

    Raises:
        NotMeasurable: the density of the data is no product over its entries; or it cannot be derived.
    """
    f = lambda arrays, values: _log_likelihoods(model, staged._replace(arrays=arrays), values, call)  # noqa: E731
    return stable(f, list(staged.arrays), dict(values))


def _log_likelihoods(model: Model, staged: Staged, values: Mapping[str, Any], call: str) -> dict[str, jax.Array]:
    sites = model.sites(staged)
    graph, observations = observed(model.handled_by(Plain()), staged, staged.arrays, values, call)
    solver = Solver(observations, {}, call)
    solver.run()
    known_choices(solver, graph, observations, call)
    named = {id(node) for node in graph.draws.values()}
    if any(d.kind == "draw" and d.site is not None and id(d) not in named for d in solver.walk.known):
        raise NotMeasurable(f"{call}: the values that are given determine anonymous draws, so that the data have no "
                            f"density of their own. Use sx.log_density.")  # fmt: skip
    data = [n for n, i in sites.items() if i.visible and i.site.observed and not (i.is_derived or i.site.is_factor)]
    out = {}
    for name in data:
        node = graph.draws[name]
        if node not in solver.place_of:
            raise NotMeasurable(
                f"{call}: the entries of site {name!r} depend on each other, or on other data, once the anonymous "
                f"draws are integrated out: there is no density of each. Name those draws with sx.sample, or use "
                f"sx.log_density, which gives that of all data together."
            )
        place, shape = solver.place_of[node]
        out[name] = jnp.reshape(solver.terms[place][0], shape)
    return out
