"""`do`: cut a site out of the program and put a value in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from storax.effects import Context, Effect, Perform, Sites
from storax.handlers.giving import Giver, gather
from storax.models import Model, transformation


class Do(Giver):
    call: ClassVar[str] = "sx.do"

    def view(self, sites: Sites) -> Sites:
        return {n: i for n, i in sites.items() if n not in self.values}

    def __call__(self, effect: Effect, perform: Perform, context: Context, records: Any) -> Effect:
        if effect.name in context.given:
            return effect.settle(context.given[effect.name])  # nobody further out is told: the site is gone
        return perform(effect)


@transformation
def do(model: Callable[..., Any], values: Mapping[str, Any] | None = None, /, **named: Any) -> Model:
    """The intervention of Pearl (2009): the sites are cut out, what depended on them gets these values.

    Unlike under `condition`, nothing is learnt about the causes of these sites: their density does not count.

    Args:
        model: a model.
        values: name -> value, of the shape that the site has in a trace.  Derived quantities may be named too.
        **named: the same as keywords.

    Raises:
        UnknownNameError: a name the model does not have.
        ShapeError: a value of another shape than the site's; nothing is broadcast.

    >>> import storax as sx
    >>> def model():
    ...     x = sx.sample("x", sx.Normal(0.0, 1.0))
    ...     return sx.sample("y", sx.Normal(x, 1.0))
    >>> _, trace = sx.trace(sx.seed(sx.do(model, x=3.0), 0))()
    >>> list(trace)
    ['y']
    """
    return Model.of(model, "sx.do").handled_by(Do(gather(values, named, "sx.do")))
