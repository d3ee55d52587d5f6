"""`seed`: draw every open site."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import jax

from storax.effects import Context, Effect, Handler, Perform, Sites
from storax.keys import as_key, fold_lanes, fold_name, fold_names
from storax.models import Model, transformation


class Seed(Handler):
    key: Any

    sees_hidden: ClassVar[bool] = True
    draws: ClassVar[bool] = True

    def context(self, sites: Sites) -> Context:
        return Context(key=self.key, keys=fold_names(self.key, list(sites)))

    def view(self, sites: Sites) -> Sites:
        return {n: i._replace(kind="observe") if i.kind == "sample" else i for n, i in sites.items()}

    def __call__(self, effect: Effect, perform: Perform, context: Context, records: Any) -> Effect:
        if effect.kind == "mark":
            return perform(effect.settle(effect.leaves[0] if effect.value is None else effect.value))
        if effect.value is not None:
            return perform(effect.settle())
        return perform(effect.settle(self.draw(effect, context)))

    def draw(self, effect: Effect, context: Context) -> Any:
        site = effect.site
        key = context.keys[site.name] if site.name else fold_name(context.key, effect.place)
        for i in context.loops:
            key = jax.random.fold_in(key, i)
        keys = fold_lanes(key, site.lane_shape)
        lanes = site.over_lanes(lambda k, *leaves: site.distribution(leaves).sample(k, site.shape), 1)
        return lanes(keys, *effect.leaves)


@transformation
def seed(model: Callable[..., Any], key: Any = None) -> Model:
    """The model with every open site drawn: a pure function of the key and the model's arguments.

    The draw of a site depends on the key, the site's name and its loop indices alone: adding or conditioning one
    site leaves the other draws as they were.  An anonymous draw (`sx.rv`) has its place in the program as its name.

    Args:
        model: a model.
        key: `jax.random.key(0)`, an old-style key, or an int.

    Returns:
        A function of the model's arguments; `trace(seed(model, key))` and `seed(trace(model), key)` agree.

    Raises:
        ArgumentTypeError: no key, or several.

    >>> import jax, storax as sx
    >>> def model(loc):
    ...     return sx.sample("x", sx.Normal(loc, 1.0), shape=3)
    >>> draws = jax.vmap(lambda key: sx.seed(model, key)(0.0))(jax.random.split(jax.random.key(0), 5))
    >>> draws.shape
    (5, 3)
    """
    return Model.of(model, "sx.seed").handled_by(Seed(as_key(key, "sx.seed")))
