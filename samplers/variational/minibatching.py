"""The subsample of a plate is drawn anew at every evaluation of an objective."""

from __future__ import annotations

from typing import Any

import jax

from storax.distributions import Subsample
from storax.effects import Effect, Perform, SiteInfo, Sites
from storax.handlers.seeding import Seed
from storax.models import Model
from storax.staging import Staged


class Minibatch(Seed):
    """Draws the subsamples of plates, and nothing else: the same for every program that has the same plate."""

    def view(self, sites: Sites) -> Sites:
        return {n: i._replace(kind="observe") if is_subsample(i) else i for n, i in sites.items()}

    def __call__(self, effect: Effect, perform: Perform, context: Any, records: Any) -> Effect:
        if effect.value is None and effect.kind == "sample" and _tree_is_subsample(effect.site.tree):
            effect = effect.given(self.draw(effect, context), observed=False)
        return perform(effect)


def _tree_is_subsample(tree: Any) -> bool:
    return tree is not None and isinstance(jax.tree.unflatten(tree, [None] * tree.num_leaves), Subsample)


def is_subsample(info: SiteInfo) -> bool:
    return info.is_open and _tree_is_subsample(info.site.tree)


def subsamples(sites: Sites) -> dict[str, tuple[int, int]]:
    """Plates that take a subsample: name -> (how many copies, how many are taken)."""
    found = {n: i for n, i in sites.items() if is_subsample(i)}
    shapes = {n: jax.tree.unflatten(i.site.tree, [None] * i.site.tree.num_leaves) for n, i in found.items()}
    return {n: (d.total, d.count) for n, d in shapes.items()}


def minibatched(model: Model, staged: Staged, key: jax.Array) -> Model:
    """The model with the subsamples of this key."""
    return model.handled_by(Minibatch(key)) if subsamples(model.sites(staged)) else model
