"""`scope`: put a prefix in front of every name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from storax.effects import Effect, Handler, Perform, SiteInfo, Sites
from storax.models import Model, transformation
from storax.pytrees import static
from storax.validation import check_name


class Scope(Handler):
    prefix: str = static()

    def view(self, sites: Sites) -> Sites:
        def renamed(info: SiteInfo) -> SiteInfo:
            return info._replace(site=info.site.replace(name=f"{self.prefix}/{info.site.name}"))

        # Hidden sites are out of reach here: `seed` knows them by the name they had when they were hidden.
        return {f"{self.prefix}/{n}" if i.visible else n: renamed(i) if i.visible else i for n, i in sites.items()}

    def __call__(self, effect: Effect, perform: Perform, context: Any, records: Any) -> Effect:
        return perform(effect.with_site(name=f"{self.prefix}/{effect.site.name}") if effect.site.name else effect)


@transformation
def scope(model: Callable[..., Any], prefix: str) -> Model:
    """The model with `prefix/` in front of every name: one sub-model can be used twice.

    Args:
        model: a model.
        prefix: not empty, without "/".

    Raises:
        InvalidNameError: a prefix that cannot be part of a name.

    >>> import storax as sx
    >>> def effect():
    ...     return sx.sample("scale", sx.HalfNormal(1.0))
    >>> def model():
    ...     return sx.scope(effect, "rows")() + sx.scope(effect, "columns")()
    >>> _, trace = sx.trace(sx.seed(model, 0))()
    >>> list(trace)
    ['rows/scale', 'columns/scale']
    """
    return Model.of(model, "sx.scope").handled_by(Scope(check_name(prefix, "sx.scope")))
