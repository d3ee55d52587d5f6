"""`block`: hide sites from the handlers further out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from storax.effects import Context, Effect, Handler, Perform, SiteInfo, Sites
from storax.errors import ArgumentTypeError, SettingsError
from storax.handlers.giving import check_known
from storax.models import Model, transformation
from storax.pytrees import static


class Block(Handler):
    hide: tuple[str, ...] | None = static(default=None)
    expose: tuple[str, ...] = static(default=())

    def hides(self, name: str) -> bool:
        return name not in self.expose if self.hide is None else name in self.hide

    def context(self, sites: Sites) -> Context:
        check_known([*(self.hide or ()), *self.expose], sites, "sx.block")
        return Context()

    def view(self, sites: Sites) -> Sites:
        def seen(info: SiteInfo) -> SiteInfo:
            return info._replace(site=info.site.replace(hidden=info.site.hidden or self.hides(info.site.name)))

        return {name: seen(info) for name, info in sites.items()}

    def __call__(self, effect: Effect, perform: Perform, context: Any, records: Any) -> Effect:
        return perform(effect.with_site(hidden=True) if self.hides(effect.site.name) else effect)


@transformation
def block(
    model: Callable[..., Any], hide: Iterable[str] | None = None, *, expose: Iterable[str] | None = None
) -> Model:
    """Hide sites from the handlers further out, so that names cannot clash and nothing of them is recorded.

    `seed` still draws them.  To every other handler outside they are not there: a density outside of `block` counts
    nothing for a hidden observation, and refuses a hidden open site.

    Args:
        model: a model.
        hide: names of the sites to hide; default: all.
        expose: hide all but these; instead of `hide`.

    Raises:
        UnknownNameError: a name the model does not have.

    >>> import storax as sx
    >>> def model():
    ...     x = sx.sample("x", sx.Normal(0.0, 1.0))
    ...     return sx.sample("y", sx.Normal(x, 1.0))
    >>> _, trace = sx.trace(sx.seed(sx.block(model, ["x"]), 0))()
    >>> list(trace)
    ['y']
    """
    if hide is not None and expose is not None:
        raise SettingsError("sx.block takes `hide` or `expose`, not both.")
    for names in (hide, expose):
        if names is not None and not isinstance(names, Iterable):
            raise ArgumentTypeError(f"sx.block needs names, sx.block(model, ['x']), and got {names!r}.")
    names = (hide,) if isinstance(hide, str) else None if hide is None else tuple(hide)
    shown = (expose,) if isinstance(expose, str) else tuple(expose or ())
    return Model.of(model, "sx.block").handled_by(Block(names, shown))
