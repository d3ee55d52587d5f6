"""`replay`: run a model again with the choices of a trace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from storax.effects import SiteInfo
from storax.handlers.giving import gather
from storax.handlers.substituting import Substitute
from storax.handlers.tracing import Trace
from storax.models import Model, transformation


class Replay(Substitute):
    call: ClassVar[str] = "sx.replay"

    def accepts(self, info: SiteInfo) -> None:
        """A site that is data here keeps its data; one that is derived cannot be replayed."""
        if info.is_derived:
            super().accepts(info)

    def __call__(self, effect: Any, perform: Any, context: Any, records: Any) -> Any:
        if effect.value is not None or effect.kind == "mark":
            return perform(effect)
        return super().__call__(effect, perform, context, records)

    def after(self, info: SiteInfo) -> SiteInfo:
        return info._replace(kind="observe") if info.kind == "sample" else info


@transformation
def replay(model: Callable[..., Any], trace: Trace | Mapping[str, Any]) -> Model:
    """The model with the latent choices of a trace; what the trace does not have stays open.

    Args:
        model: a model.
        trace: a `Trace`, of which the latent sites are used, or a mapping name -> value.

    Raises:
        UnknownNameError: the trace has a latent site that the model does not have.
        ShapeError: a value of another shape than the site's.

    >>> import storax as sx
    >>> model = lambda: sx.sample("x", sx.Normal(0.0, 1.0))
    >>> x, trace = sx.trace(sx.seed(model, 0))()
    >>> bool(sx.seed(sx.replay(model, trace), 1)() == x)
    True
    """
    values = trace.latent if isinstance(trace, Trace) else gather(trace, {}, "sx.replay")
    return Model.of(model, "sx.replay").handled_by(Replay(dict(values)))
