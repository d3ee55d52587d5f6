"""A model on R^n whose anonymous draws are integrated out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax.bijections import biject_to
from storax.data import as_value, is_concrete
from storax.effects import Effect
from storax.errors import InferenceError, NotMeasurable, ObservationError
from storax.logprob.collecting import open_sites
from storax.logprob.deriving.models import Joint, joint_density, needs_deriving
from storax.logprob.layout import Layout
from storax.logprob.unconstraining import Density, Evaluation
from storax.logprob.walks import Scout, scout
from storax.models import Model
from storax.sources import plain_errors
from storax.staging import Staged
from storax.supports import show


class Blank(Scout):
    """A `Scout` that gives anonymous draws a placeholder, too: only shapes are asked for."""

    def answer(self, effect: Effect, context: Any) -> tuple[Effect, dict[str, Any]]:
        if effect.kind == "sample" and effect.value is None and effect.name not in context.given:
            aval = effect.site.aval(effect.leaves)
            return effect.given(jnp.zeros(aval.shape, aval.dtype), observed=False), {}
        return super().answer(effect, context)


class Marginal(Density):
    """As `Density`.  The joint density is derived, so that sites have no scores of their own; derived quantities are
    known if they do not depend on anonymous draws."""

    def __init__(self, model: Model, staged: Staged, call: str = "sx.unconstrain") -> None:
        self._model, self._staged, self._call = model, staged, call
        self.sites = model.sites(staged)
        latent = open_sites(self.sites, call, integrate=True)
        if not latent:
            raise InferenceError(
                f"{call}: every choice of the model either has a value already or has no name, and those are "
                f"integrated out: there is nothing to infer. Name what you want to infer with sx.sample."
            )
        self.layout = Layout(scout(model, staged, latent, call, Blank))
        for slot in self.layout.slots:
            if slot.support is None:
                raise NotMeasurable(
                    f"{call}: {self.sites[slot.name].site.label} has a support that depends on other choices, or is in "
                    f"a branch; beside anonymous draws that are integrated out, supports must be fixed. Name the "
                    f"anonymous draws with sx.sample."
                )
        jax.eval_shape(self.of_vector, jax.ShapeDtypeStruct((self.size,), self.layout.dtype))  # refused now, or never

    def evaluate(self, vector: jax.Array) -> Evaluation:
        values, _, log_det, _ = self.layout.constrain(vector)
        return Evaluation(self._joint(values).log_density + log_det, log_det, {})

    def addends(self, vector: jax.Array) -> list[jax.Array]:
        return [self.of_vector(vector)]

    def quantities(self, vector: jax.Array) -> dict[str, jax.Array]:
        values = self.layout.constrain(vector)[0]
        found = {**values, **self._joint(values).derived}
        return {n: found[n] for n in self.sites if n in found}  # in the order of the program

    def _joint(self, values: Mapping[str, Any]) -> Joint:
        return joint_density(self._model, self._staged, self._staged.arrays, values, self._call)

    def site_scores(self, vector: jax.Array) -> dict[str, jax.Array]:
        return {"all sites together": self.evaluate(vector).log_density}

    def scores_of(self, values: Mapping[str, Any]) -> dict[str, jax.Array]:
        return {"all sites together": self._joint(values).log_density}

    @plain_errors
    def unconstrain(self, values: Mapping[str, Any]) -> dict[str, jax.Array]:
        return self.layout.unflatten(self.moved(jnp.zeros(self.size, self.layout.dtype), values))

    def moved(self, vector: jax.Array, values: Mapping[str, Any]) -> jax.Array:
        z = self.layout.unflatten(vector)
        for slot in self.layout.slots:
            if slot.name in values:
                label = self.sites[slot.name].site.label
                x = as_value(values[slot.name], slot.shape, slot.dtype, label)
                z[slot.name] = biject_to(slot.support).inverse(x).reshape(slot.z_shape)
                if is_concrete([x, z[slot.name]]) and not np.isfinite(np.asarray(z[slot.name])).all():
                    raise ObservationError(
                        f"{label} was given {show(x)}, which is not inside of its support, {slot.support}: no point of "
                        f"R^n belongs to it. Give a value inside, not on the boundary."
                    )
        return self.layout.flatten(z)


def density_of(model: Model, staged: Staged, call: str = "sx.unconstrain") -> Density:
    """The density of a model on R^n; what has no name is integrated out.

    Raises:
        InferenceError, NotMeasurable: see `sx.unconstrain`.
    """
    made = Marginal if needs_deriving(model.sites(staged), {}) else Density
    return made(model, staged, call)
