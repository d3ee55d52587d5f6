"""A guide that is a model itself: sites are matched by name, and each has its way to a derivative."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from storax.effects import Record
from storax.errors import InferenceError, ModelError
from storax.logprob.deriving.models import joint_density, needs_deriving
from storax.logprob.scoring import joint
from storax.logprob.stabilizing import stabilized
from storax.samplers.variational import divergences, enumerating
from storax.samplers.variational.estimating import Terms
from storax.samplers.variational.minibatching import subsamples
from storax.samplers.variational.pairing import check_pair
from storax.samplers.variational.parameters import constrained
from storax.samplers.variational.sides import Program, parameters_of
from storax.samplers.variational.walking import Drawing, Seen, draw, look, total


class Guided:
    """A model and a guide that is a model."""

    def __init__(self, model: Program, guide: Program, estimator: str, call: str) -> None:
        self.model, self.guide, self.estimator, self.call = model, guide, estimator, call
        # The plates' subsamples are drawn in both by one key; which one does not matter for what sites there are.
        sides = [p.with_batch(jax.random.key(0)) for p in (model, guide)]
        self._check_plates()
        self.of_model, self.of_guide = (look(p.model, p.staged, call) for p in sides)
        sites = [p.model.sites(p.staged) for p in sides]
        check_pair(sites[0], self.of_model, sites[1], self.of_guide, call)
        self.derives = needs_deriving(sites[0], {})
        self.latent = [n for n, s in self.of_guide.items() if not s.is_parameter]
        self.enumerated, self.scored = self._plan()
        self.table = enumerating.combinations(self.of_guide, self.enumerated, call) if self.enumerated else {}

    def _check_plates(self) -> None:
        mine, theirs = (subsamples(p.model.sites(p.staged)) for p in (self.model, self.guide))
        for name in mine.keys() & theirs.keys():
            if mine[name] != theirs[name]:
                raise ModelError(
                    f"{self.call}: plate {name!r} takes {mine[name][1]} of {mine[name][0]} in the model, and "
                    f"{theirs[name][1]} of {theirs[name][0]} in the guide. Give both the same sizes."
                )
        for name in theirs.keys() - mine.keys():
            raise ModelError(f"{self.call}: the guide takes a subsample of plate {name!r}, and the model does not.")

    def _plan(self) -> tuple[list[str], list[str]]:
        """Which sites are enumerated, and which have a score instead of a path."""
        pathless = [n for n in self.latent if not self.of_guide[n].reparameterized or self.of_guide[n].is_discrete]
        if self.estimator == "score":
            return [], list(self.latent)
        if self.estimator == "enumerated":
            return pathless, []
        if self.estimator == "auto":
            few = [n for n in pathless if enumerating.count(self.of_guide[n]) <= enumerating.MOST]
            product = 1.0
            chosen = []
            for n in few:
                product *= enumerating.count(self.of_guide[n])
                chosen += [n] if product <= enumerating.MOST else []
            if not pathless:
                self.estimator = "sticking_the_landing"
            return chosen, [n for n in pathless if n not in chosen]
        if pathless:
            seen = self.of_guide[pathless[0]]
            raise InferenceError(
                f"{self.call}: {seen.label} is drawn without a derivative with respect to its parameters (it is "
                f"{'discrete' if seen.is_discrete else 'not reparameterised'}), and estimator={self.estimator!r} "
                f"needs one. Use estimator='auto', 'enumerated' or 'score'."
            )
        return [], []

    def init(self, key: jax.Array) -> dict[str, jax.Array]:
        keys = jax.random.split(key)
        return self.model.start(keys[0], self.of_model) | self.guide.start(keys[1], self.of_guide)

    @property
    def parameters(self) -> dict[str, Seen]:
        return parameters_of(self.of_model) | parameters_of(self.of_guide)

    def constrain(self, params: Any) -> dict[str, jax.Array]:
        return constrained(params, self.parameters, self.call)

    def _split(self, params: Any) -> list[dict[str, jax.Array]]:
        values = self.constrain(params)
        return [{n: values[n] for n in parameters_of(seen)} for seen in (self.of_model, self.of_guide)]

    def terms(self, params: Any, key: jax.Array, count: int) -> tuple[Terms, Any]:
        """Of `count` particles, and what the model returns in each."""
        of_batch, of_noise = jax.random.split(key)
        model, guide = (p.with_batch(of_batch) for p in (self.model, self.guide))
        model = model._replace(staged=stabilized(model.model, model.staged))
        for_model, for_guide = self._split(params)

        def one(key: jax.Array, chosen: Mapping[str, Any]) -> Any:
            fixed = frozenset(self.scored)
            _, q = draw(guide.model, guide.staged, Drawing({**for_guide, **chosen}, self.call, key, fixed))
            values = {n: q[n].value for n in self.latent}
            chance = sum((total(q[n]) for n in self.enumerated), jnp.zeros(()))
            score = sum((total(q[n]) for n in self.scored), jnp.zeros(()))
            if self.estimator == "sticking_the_landing":
                stopped = jax.tree.map(lax.stop_gradient, for_guide)
                _, q = draw(guide.model, guide.staged, Drawing({**stopped, **values}, self.call, key))
            log_p, divergence, output, done = self._score_model(model, {**for_model, **values}, q, key)
            log_q = sum((total(q[n]) for n in self.latent if n not in done), jnp.zeros(()))
            return Terms(log_p, log_q, divergence, chance, score), output

        keys = jax.random.split(of_noise, count)
        if not self.table:
            terms, output = jax.vmap(lambda k: one(k, {}))(keys)
            return jax.tree.map(lambda x: x[:, None], terms), output
        terms, output = jax.vmap(lambda k: jax.vmap(lambda c: one(k, c))(self.table))(keys)
        return terms, jax.tree.map(lambda x: x[:, 0], output)

    def _score_model(self, model: Program, values: Any, q: Mapping[str, Record], key: jax.Array) -> Any:
        none = jnp.zeros(())
        if self.derives:
            arrays = model.staged.arrays
            found = joint_density(model.model, model.staged, arrays, values, self.call)
            return found.log_density, none, None, ()
        output, p = draw(model.model, model.staged, Drawing(values, self.call, key))
        if self.estimator != "analytic_kl":
            return joint(p.values()), none, output, ()
        known = {n: d for n in self.latent if (d := divergences.of_records(q[n], p[n])) is not None}
        if not known:
            raise InferenceError(
                f"{self.call}: estimator='analytic_kl' knows no divergence between the guide and the prior of any of "
                f"{', '.join(map(repr, self.latent))}. Use estimator='auto'."
            )
        rest = [r for n, r in p.items() if n not in known]
        return joint(rest), sum(known.values(), none), output, tuple(known)

    def pace(self, params: Any) -> Any:
        return jax.tree.map(lambda _: 1.0, params)

    def finish(self, params: Any, key: jax.Array) -> Any:
        """The parameters for draws, after the optimisation."""
        return params

    def draws(self, params: Any, key: jax.Array) -> Any:
        """One draw: every latent and derived quantity, log p, log q."""
        for_model, for_guide = self._split(params)
        keys = jax.random.split(key)
        model, guide = (p.with_batch(keys[0]) for p in (self.model, self.guide))
        _, q = draw(guide.model, guide.staged, Drawing(for_guide, self.call, keys[1]))
        values = {n: q[n].value for n in self.latent}
        log_q = sum((total(q[n]) for n in self.latent), jnp.zeros(()))
        if self.derives:
            found = joint_density(model.model, model.staged, model.staged.arrays, {**for_model, **values}, self.call)
            return {**values, **found.derived}, found.log_density, log_q
        _, p = draw(model.model, model.staged, Drawing({**for_model, **values}, self.call, keys[1]))
        marks = {n: r.value for n, r in p.items() if r.is_mark}
        return {**values, **marks}, joint(p.values()), log_q

    def site_scores(self, params: Any, key: jax.Array) -> dict[str, jax.Array]:
        """What each site contributes, to say which is to blame."""
        for_model, for_guide = self._split(params)
        of_batch, of_noise = jax.random.split(key)
        model, guide = (p.with_batch(of_batch) for p in (self.model, self.guide))
        _, q = draw(guide.model, guide.staged, Drawing(for_guide, self.call, of_noise))
        values = {**for_model, **{n: q[n].value for n in self.latent}}
        guides = {f"{n} in the guide": total(q[n]) for n in self.latent}
        if self.derives:
            return guides
        _, p = draw(model.model, model.staged, Drawing(values, self.call, of_noise))
        return guides | {n: total(r) for n, r in p.items() if not r.is_mark}
