"""`substitute`: these sites have these values, and are still choices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from storax.effects import Context, Effect, Perform, SiteInfo
from storax.errors import ModelError
from storax.handlers.giving import Giver, gather
from storax.models import Model, transformation


class Substitute(Giver):
    call: ClassVar[str] = "sx.substitute"

    def accepts(self, info: SiteInfo) -> None:
        if info.kind == "mark" or info.site.tree is None:
            raise ModelError(
                f"sx.substitute: {info.site.label} is computed from other sites, not chosen. To cut it out of the "
                f"program use sx.do; to observe it, sx.condition."
            )
        if info.kind == "observe" and info.site.observed:
            raise ModelError(f"sx.substitute: {info.site.label} is observed. To replace it use sx.do.")

    def __call__(self, effect: Effect, perform: Perform, context: Context, records: Any) -> Effect:
        if effect.name in context.given:
            effect = effect.given(context.given[effect.name], observed=False)
        return perform(effect)


@transformation
def substitute(model: Callable[..., Any], values: Mapping[str, Any] | None = None, /, **named: Any) -> Model:
    """The model in which these sites have these values; they stay latent, and score as if they had been drawn.

    Args:
        model: a model.
        values: name -> value, of the shape that the site has in a trace.
        **named: the same as keywords.

    Raises:
        UnknownNameError: a name the model does not have.
        ShapeError: a value of another shape than the site's; nothing is broadcast.
        ModelError: the site is observed, or a derived quantity.

    >>> import storax as sx
    >>> model = lambda: sx.sample("x", sx.Normal(0.0, 1.0))
    >>> _, trace = sx.trace(sx.substitute(model, x=0.5))()
    >>> float(trace["x"].value), trace["x"].observed
    (0.5, False)
    """
    return Model.of(model, "sx.substitute").handled_by(Substitute(gather(values, named, "sx.substitute")))
