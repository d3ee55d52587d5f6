"""A model, or a guide that is one, with its arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax

from storax.handlers.seeding import Seed
from storax.handlers.substituting import Substitute
from storax.handlers.tracing import Tracer
from storax.models import Model
from storax.samplers.variational.minibatching import minibatched
from storax.samplers.variational.parameters import unconstrained
from storax.samplers.variational.walking import Seen
from storax.staging import Staged

ESTIMATORS = ("auto", "reparameterised", "sticking_the_landing", "score", "enumerated", "analytic_kl")


class Program(NamedTuple):
    """A model or a guide, staged with its arguments."""

    model: Model
    staged: Staged

    def start(self, key: jax.Array, seen: Mapping[str, Seen]) -> dict[str, jax.Array]:
        """The starts of its parameters, on R^n."""
        names = [n for n, s in seen.items() if s.is_parameter]
        if not names:
            return {}
        _, trace = self.model.handled_by(Seed(key)).handled_by(Tracer()).run(self.staged, self.staged.arrays)
        return unconstrained({n: trace[n].value for n in names}, seen)

    def with_batch(self, key: jax.Array) -> Program:
        return Program(minibatched(self.model, self.staged, key), self.staged)

    def given(self, values: Mapping[str, Any]) -> Program:
        return Program(self.model.handled_by(Substitute(dict(values))), self.staged) if values else self


def parameters_of(seen: Mapping[str, Seen]) -> dict[str, Seen]:
    return {n: s for n, s in seen.items() if s.is_parameter}
