"""`condition`: these quantities are data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from storax.effects import Context, Effect, Perform, SiteInfo
from storax.errors import ModelError
from storax.handlers.giving import Giver, gather
from storax.models import Model, transformation


class Condition(Giver):
    def accepts(self, info: SiteInfo) -> None:
        if info.kind == "observe" and info.site.observed:
            raise ModelError(
                f"sx.condition: {info.site.label} is observed already. Leave out its obs=, or pass the new data where "
                f"the first came from."
            )

    def after(self, info: SiteInfo) -> SiteInfo:
        return info._replace(kind="observe", site=info.site.replace(observed=True))

    def __call__(self, effect: Effect, perform: Perform, context: Context, records: Any) -> Effect:
        if effect.name in context.given:
            effect = effect.given(context.given[effect.name], observed=True)
        return perform(effect)


@transformation
def condition(model: Callable[..., Any], values: Mapping[str, Any] | None = None, /, **named: Any) -> Model:
    """The model in which these quantities are observed.

    Args:
        model: a model.
        values: name -> value, of the shape that the site has in a trace: a site in a `lax.scan` has the time axis in
            front, one in a `jax.vmap` the lanes.
        **named: the same as keywords.

    Raises:
        UnknownNameError: a name the model does not have.
        ShapeError: a value of another shape than the site's; nothing is broadcast.
        ObservationError: nan, or outside of the support, as far as the numbers are known.
        ModelError: the site is observed already.

    >>> import storax as sx
    >>> def model():
    ...     x = sx.sample("x", sx.Normal(0.0, 1.0))
    ...     return sx.sample("y", sx.Normal(x, 0.001))
    >>> y = sx.seed(sx.condition(model, x=3.0), 0)()
    >>> bool(abs(y - 3.0) < 0.1)
    True
    """
    return Model.of(model, "sx.condition").handled_by(Condition(gather(values, named, "sx.condition")))
