"""A family on R^n as a guide: it knows the density of the model, and nothing of its sites."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from storax.errors import InferenceError, SettingsError
from storax.handlers.seeding import Seed
from storax.handlers.tracing import Tracer
from storax.logprob.deriving.marginal import density_of
from storax.logprob.unconstraining import Density
from storax.samplers.variational.estimating import Terms
from storax.samplers.variational.families import Family
from storax.samplers.variational.minibatching import subsamples
from storax.samplers.variational.parameters import constrained
from storax.samplers.variational.sides import Program, parameters_of
from storax.samplers.variational.walking import look


class Unconstrained:
    """A model and a family on R^n; the model's own parameters stand beside those of the family."""

    def __init__(
        self, model: Program, family: Family, estimator: str, call: str, companion: Program | None = None
    ) -> None:
        self.model, self.family, self.estimator, self.call = model, family, estimator, call
        self.companion = companion
        if estimator == "auto":
            self.estimator = "sticking_the_landing" if family.sticks and family.has_log_prob else "reparameterised"
        if self.estimator == "enumerated" or (self.estimator in ("sticking_the_landing", "score") and not (
                family.has_log_prob)):  # fmt: skip
            raise SettingsError(
                f"{call}: estimator={estimator!r} is not for the guide {type(family).__name__}. Use estimator='auto'."
            )
        batched = model.with_batch(jax.random.key(0))
        sites = batched.model.sites(batched.staged)
        self.of_model = look(batched.model, batched.staged, call) if any(i.is_open for i in sites.values()) else {}
        self._check_locals(sites)

    def _check_locals(self, sites: Any) -> None:
        plates = subsamples(self.model.model.sites(self.model.staged))
        for info in sites.values():
            if plates and info.is_open and set(info.site.dims) & set(plates) and not self.family.is_local:
                raise InferenceError(
                    f"{self.call}: {info.site.label} is in a plate with a subsample, so that other copies are drawn at "
                    f"every step, and a guide with parameters for each copy has none for them. Use an amortised guide, "
                    f"sx.guides.Amortised(features), or write one with sx.plate and the same subsample_size."
                )

    def _density(self, params: Any, key: jax.Array) -> tuple[Density, Any, Any]:
        """The density of this step's minibatch, the family's parameters, and what its draws depend on."""
        own, model = params, self.model.with_batch(key)
        if seen := parameters_of(self.of_model):
            own = params["guide"]
            model = model.given(constrained(params["model"], seen, self.call))
        density = density_of(model.model, model.staged, self.call)
        return density, own, self._context(density, key)

    def _context(self, density: Density, key: jax.Array) -> Any:
        """`key`: of the minibatch."""
        if self.companion is None:
            return self.family.context(density, None)
        features = self.companion.model.run(self.companion.staged, self.companion.staged.arrays)
        return self.family.context(density, features, self._batch(key))

    def _batch(self, key: jax.Array) -> dict[str, Any]:
        """Plates with a subsample: name -> (indices, how many copies there are)."""
        model, staged = self.model
        names = subsamples(model.sites(staged))
        if not names:
            return {}
        # A subsample depends on the key and its name alone: it is the one that the density has.
        _, trace = model.handled_by(Seed(key)).handled_by(Tracer()).run(staged, staged.arrays)
        return {n: (trace[n].value, names[n][0]) for n in names}

    def init(self, key: jax.Array) -> Any:
        keys = jax.random.split(key, 3)
        seen = parameters_of(self.of_model)
        start = self.model.start(keys[0], self.of_model)
        values = constrained(start, seen, self.call) if seen else {}
        model = self.model.with_batch(keys[1]).given(values)
        density = density_of(model.model, model.staged, self.call)
        own = self.family.init(density, keys[2], self._context(density, keys[1]))
        return {"guide": own, "model": start} if seen else own

    def constrain(self, params: Any) -> dict[str, jax.Array]:
        seen = parameters_of(self.of_model)
        return constrained(params["model"], seen, self.call) if seen else {}

    def terms(self, params: Any, key: jax.Array, count: int) -> tuple[Terms, Any]:
        of_batch, of_noise = jax.random.split(key)
        density, own, context = self._density(params, of_batch)

        def one(key: jax.Array) -> Any:
            z, log_q = self.family.sample(own, key, context)
            if self.estimator == "score":
                z = lax.stop_gradient(z)
                log_q = self.family.log_prob(own, z, context)
            elif self.estimator == "sticking_the_landing":
                log_q = self.family.log_prob(jax.tree.map(lax.stop_gradient, own), z, context)
            elif self.estimator == "analytic_kl":
                log_q = self._minus_entropy(own)
            at = density.evaluate(z)
            none = jnp.zeros((), z.dtype)
            score = log_q if self.estimator == "score" else none
            return Terms(at.log_density, log_q, none, none, score)

        terms = jax.vmap(one)(jax.random.split(of_noise, count))
        return jax.tree.map(lambda x: x[:, None], terms), None

    def _minus_entropy(self, own: Any) -> jax.Array:
        entropy = self.family.entropy(own)
        if entropy is None:
            raise SettingsError(f"{self.call}: {type(self.family).__name__} has no entropy in closed form.")
        return -entropy

    @property
    def scored(self) -> Sequence[str]:
        return ["z"] if self.estimator == "score" else []

    @property
    def table(self) -> dict[str, Any]:
        return {}

    def pace(self, params: Any) -> Any:
        if not parameters_of(self.of_model):
            return self.family.pace(params)
        return {"guide": self.family.pace(params["guide"]), "model": jax.tree.map(lambda _: 1.0, params["model"])}

    def finish(self, params: Any, key: jax.Array) -> Any:
        """The parameters for draws, after the optimisation."""
        density, own, _ = self._density(params, key)
        own = self.family.finish(density, own)
        return {**params, "guide": own} if parameters_of(self.of_model) else own

    def draws(self, params: Any, key: jax.Array) -> Any:
        keys = jax.random.split(key)
        density, own, context = self._density(params, keys[0])
        z, log_q = self.family.sample(own, keys[1], context)
        return density.quantities(z), density.of_vector(z), log_q

    def site_scores(self, params: Any, key: jax.Array) -> dict[str, jax.Array]:
        of_batch, of_noise = jax.random.split(key)
        density, own, context = self._density(params, of_batch)
        z, log_q = self.family.sample(own, of_noise, context)
        return {**density.site_scores(z), "the guide": log_q}
