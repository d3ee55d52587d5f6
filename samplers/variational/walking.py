"""Walks through models and guides: what their sites are like, and draws with what they score."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from storax import supports
from storax.data import is_concrete
from storax.distributions.parameter import Parameter
from storax.effects import Context, Effect, Record, SiteInfo, Sites
from storax.handlers.seeding import Seed
from storax.keys import fold_names
from storax.logprob.collecting import Collector
from storax.models import Model
from storax.pytrees import static
from storax.staging import Staged


class Seen(NamedTuple):
    """An open site, as far as it is known without a draw."""

    info: SiteInfo
    support: Any
    is_discrete: bool
    reparameterized: bool
    is_parameter: bool

    @property
    def label(self) -> str:
        return self.info.site.label

    @property
    def values(self) -> np.ndarray | None:
        """The values of one number, if they are finitely many and known."""
        support = self.support
        while isinstance(support, supports.Independent):
            support = support.base
        if isinstance(support, supports.Boolean):
            return np.arange(2)
        if not isinstance(support, supports.IntegerInterval) or not is_concrete([support.low, support.high]):
            return None
        ends = np.asarray(support.low), np.asarray(support.high)
        return np.arange(int(ends[0]), int(ends[1]) + 1) if ends[0].ndim == ends[1].ndim == 0 else None


class Notes:
    def __init__(self) -> None:
        self.by_name: dict[str, Seen] = {}


class Looker(Collector):
    """Gives every open site a placeholder, and notes what it is like."""

    sites: Any = static(default=None)
    notes: Notes = static(default_factory=Notes)

    def answer(self, effect: Effect, context: Context) -> tuple[Effect, dict[str, Any]]:
        if effect.kind == "sample" and effect.value is None and effect.name not in context.given:
            aval = effect.site.aval(effect.leaves)  # an anonymous draw
            return effect.given(jnp.zeros(aval.shape, aval.dtype), observed=False), {}
        if effect.name in context.given:
            site = effect.site
            shapes = site.one_lane(effect.leaves)
            known = [x if is_concrete(x) and not np.ndim(x) else s for x, s in zip(effect.leaves, shapes, strict=True)]
            d = site.distribution(known)
            seen = Seen(self.sites.by_name[effect.name], d.support, d.is_discrete, d.reparameterized,
                        isinstance(d, Parameter))  # fmt: skip
            self.notes.by_name.setdefault(effect.name, seen)
        return super().answer(effect, context)


class _Sites:
    def __init__(self, by_name: Sites) -> None:
        self.by_name = by_name


def look(model: Model, staged: Staged, call: str) -> dict[str, Seen]:
    """The open sites with a name, in program order."""
    found = {n: i for n, i in model.sites(staged).items() if i.is_open and i.visible}
    looker = Looker({}, call, _Sites(found))

    def walk(values: Any, arrays: Any) -> Any:
        _, records = model.handled_by(looker.replace(values=values)).walk(staged, arrays)
        return [r.value for r in records[-1].values()]

    jax.eval_shape(walk, {n: jax.ShapeDtypeStruct(i.shape, i.dtype) for n, i in found.items()}, staged.arrays)
    return {n: looker.notes.by_name[n] for n in found}


class Drawing(Collector):
    """Gives the open sites their values, or draws them; those in `fixed` are drawn without a derivative."""

    key: Any = None
    fixed: frozenset[str] = static(default=frozenset())

    draws: ClassVar[bool] = True

    def context(self, sites: Sites) -> Context:
        return Context(key=self.key, keys=fold_names(self.key, list(sites)), given=self.values)

    def answer(self, effect: Effect, context: Context) -> tuple[Effect, dict[str, Any]]:
        if effect.kind == "sample" and effect.value is None and effect.name not in context.given:
            value = Seed(self.key).draw(effect, context)
            return effect.given(lax.stop_gradient(value) if effect.name in self.fixed else value, observed=False), {}
        return super().answer(effect, context)


def draw(model: Model, staged: Staged, drawing: Drawing) -> tuple[Any, dict[str, Record]]:
    """What the model returns, and the record of every named site."""
    output, records = model.handled_by(drawing).walk(staged, staged.arrays)
    return output, records[-1]


def total(record: Record) -> jax.Array:
    return jnp.sum(record.score())
