"""`uncondition`: forget the data; what was observed is a choice again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from storax.effects import Effect, Handler, Perform, SiteInfo, Sites
from storax.models import Model, transformation


class Uncondition(Handler):
    def view(self, sites: Sites) -> Sites:
        return {n: self.opened(i) for n, i in sites.items()}

    def opened(self, info: SiteInfo) -> SiteInfo:
        if not info.site.observed or info.site.is_factor:
            return info
        kind = "mark" if info.is_derived else "sample"
        return info._replace(kind=kind, site=info.site.replace(observed=False))

    def __call__(self, effect: Effect, perform: Perform, context: Any, records: Any) -> Effect:
        if effect.site.observed and not effect.site.is_factor:
            effect = effect._replace(value=None, settled=False).with_site(observed=False)
        return perform(effect)


@transformation
def uncondition(model: Callable[..., Any]) -> Model:
    """The model without its data: every observed site is open, with the shape that the data gave it.

    The weights of `sx.factor` stay.

    Args:
        model: a model.

    >>> import storax as sx
    >>> def model(y):
    ...     mu = sx.sample("mu", sx.Normal(0.0, 1.0))
    ...     return sx.sample("y", sx.Normal(mu, 1.0), obs=y)
    >>> y = sx.seed(sx.uncondition(model), 0)([5.0, 6.0])
    >>> y.shape, bool((y == 5.0).any())
    ((2,), False)
    """
    return Model.of(model, "sx.uncondition").handled_by(Uncondition())
