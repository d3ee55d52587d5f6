"""Walks through a model between its values and R^n: finding the shapes, constraining, and back."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from storax import jaxprs
from storax.bijections import biject_to
from storax.data import is_concrete
from storax.distributions import Subsample
from storax.distributions.parameter import Parameter
from storax.effects import Context, Effect, SiteInfo, Sites
from storax.errors import InferenceError, ObservationError
from storax.logprob.collecting import Collector, collect
from storax.logprob.layout import Slot
from storax.models import Model
from storax.pytrees import static
from storax.staging import Staged
from storax.supports import show

OPTIMISING = frozenset({"sx.unconstrain", "sx.map_estimate", "sx.elbo", "sx.svi"})  # what sx.param is for


class Found:
    """What a `Scout` has seen: name -> (support, shape of one lane in R^n)."""

    def __init__(self) -> None:
        self.by_name: dict[str, Any] = {}


class Scout(Collector):
    """Gives every open site a placeholder, and notes its support."""

    found: Found = static(default_factory=Found)

    def answer(self, effect: Effect, context: Context) -> tuple[Effect, dict[str, Any]]:
        if effect.name not in context.given:
            return super().answer(effect, context)
        site = effect.site
        shapes = site.one_lane(effect.leaves)
        # A leaf that is a number here and now is the same wherever the sites are.
        known = [x if is_concrete(x) and not np.ndim(x) else s for x, s in zip(effect.leaves, shapes, strict=True)]
        d = site.distribution(known)
        if isinstance(d, Parameter) and self.call not in OPTIMISING:
            raise InferenceError(
                f"{self.call}: {site.label} is a parameter, sx.param, without a prior: there is no posterior of it. "
                f"Give it a value, sx.substitute(model, {{{effect.name!r}: value}}), or make it a sx.sample."
            )
        if d.is_discrete:
            raise InferenceError(_discrete(effect, d, self.call))
        z_shape = biject_to(d.support).inverse_shape((*site.shape, *d.shape))
        seen = (d.support, (*site.lane_shape, *z_shape))
        if self.found.by_name.setdefault(effect.name, seen)[1] != seen[1]:
            raise InferenceError(
                f"{self.call}: {site.label} has as many free coordinates in one branch of a lax.cond as "
                f"{self.found.by_name[effect.name][1]}, and {seen[1]} in another. Give the two sites different names."
            )
        return super().answer(effect, context)


def _discrete(effect: Effect, d: Any, call: str) -> str:
    if isinstance(d, Subsample):
        return (
            f"{call}: {effect.site.label} is the subsample of a plate, drawn anew at each evaluation, and Hamiltonian "
            f"dynamics need one density. Use the whole plate, or fix the subsample: "
            f"sx.condition(model, {{{effect.name!r}: indices}})."
        )
    return (
        f"{call}: {effect.site.label} is discrete, {d!r}, and a density on R^n needs continuous choices. Sum it out by "
        f"hand (a mixture: jax.nn.logsumexp in sx.factor), observe it, or make it continuous."
    )


def scout(model: Model, staged: Staged, latent: Sites, call: str, kind: type[Scout] = Scout) -> list[Slot]:
    """The slots of the latent sites, found by an abstract walk.

    Raises:
        InferenceError: a discrete latent site.
    """
    walker = kind({}, call)

    def walk(values: Any, arrays: Any) -> Any:
        records = collect(model, staged, arrays, walker.replace(values=values))
        return [r.value for r in records.values()]

    jax.eval_shape(walk, {n: jax.ShapeDtypeStruct(i.shape, i.dtype) for n, i in latent.items()}, staged.arrays)
    return [_slot(name, info, *walker.found.by_name[name]) for name, info in latent.items()]


def _slot(name: str, info: SiteInfo, support: Any, z_shape: tuple[int, ...]) -> Slot:
    fixed = not info.conditional and is_concrete(support)
    shape = (*info.shape[: info.loops], *z_shape)
    return Slot(name, info.shape, info.dtype, support if fixed else None, shape, info.loops, info.conditional)


class Constrainer(Collector):
    """Values are given, but for the sites in `on_walk`, for which z is: they are constrained here."""

    on_walk: frozenset[str] = static(default=frozenset())

    def answer(self, effect: Effect, context: Context) -> tuple[Effect, dict[str, Any]]:
        if effect.name not in self.on_walk:
            return super().answer(effect, context)
        site = effect.site

        def constrain(z: Any, *leaves: Any) -> Any:
            return biject_to(site.distribution(leaves).support).forward_and_log_det(z)

        x, log_det = site.over_lanes(constrain, 1)(context.given[effect.name], *effect.leaves)
        return effect.given(x, observed=False), {"log_det": log_det}


class Inverter(Collector):
    """Values are given; the records also have z."""

    def answer(self, effect: Effect, context: Context) -> tuple[Effect, dict[str, Any]]:
        is_given = effect.name in context.given
        effect, noted = super().answer(effect, context)
        return effect, {**noted, **_coordinates(effect)} if is_given else noted


class Starter(Constrainer):
    """The values of the `chosen` sites are given, and their records have z; z is given of the sites in `on_walk`."""

    chosen: frozenset[str] = static(default=frozenset())

    def answer(self, effect: Effect, context: Context) -> tuple[Effect, dict[str, Any]]:
        effect, noted = super().answer(effect, context)
        return effect, {**noted, **_coordinates(effect)} if effect.name in self.chosen else noted


def _coordinates(effect: Effect) -> dict[str, Any]:
    site = effect.site

    def invert(x: Any, *leaves: Any) -> Any:
        return biject_to(site.distribution(leaves).support).inverse(x)

    z = site.over_lanes(invert, 1)(effect.value, *effect.leaves)
    if is_concrete([effect.value, effect.leaves]):
        _refuse_outside(effect, z)
    return {"z": z}


def _refuse_outside(effect: Effect, z: Any) -> None:
    site = effect.site
    inside = site.over_lanes(lambda v, *leaves: site.distribution(leaves).support(v), 1)(effect.value, *effect.leaves)
    if not (np.asarray(inside).all() and np.isfinite(np.asarray(z)).all()):
        support = site.distribution(site.one_lane(effect.leaves) if site.lanes else effect.leaves).support
        raise ObservationError(
            f"{site.label} was given {show(effect.value)}, which is not inside of its support, {support}: no point of "
            f"R^n belongs to it. Give a value inside, not on the boundary."
        )


def refuse_dependent_branches(density: Any) -> None:
    """A latent site in a branch of `lax.cond` that depends on a latent site makes the density jump.

    Raises:
        InferenceError: naming the site.
    """
    conditional = [s.name for s in density.layout.slots if s.conditional]
    if not conditional:
        return

    def taken(vector: Any) -> Any:
        records = density.evaluate(vector).records
        return [records[name].active for name in conditional]

    closed = jax.make_jaxpr(taken)(jax.ShapeDtypeStruct((density.size,), density.layout.dtype))
    for i, name in enumerate(conditional):
        if jaxprs.depends_on(closed, i, [True]):
            raise InferenceError(
                f"{density.sites[name].site.label} is in a branch of a lax.cond whose predicate depends on another "
                f"latent site: the number of choices changes from point to point, and the density is not one on R^n. "
                f"Sample it outside of the branch, and use it or not with jnp.where."
            )
