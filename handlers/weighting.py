"""`mask` and `scale`: leave log densities out, or count them more than once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from storax.data import as_data, as_real, is_concrete
from storax.distributions import Masked, Scaled
from storax.effects import Context, Effect, Handler, Perform, SiteInfo, Sites
from storax.errors import ArgumentTypeError, ParameterError, ShapeError
from storax.models import Model, transformation


class Weight(Handler):
    """Base: wraps every distribution together with one weight, or with one weight a log density."""

    weight: Any

    wrapper: ClassVar[Any] = None
    call: ClassVar[str] = ""

    def context(self, sites: Sites) -> Context:
        """A weight with axes flows in by name, so that loops take their slices of it."""
        if jnp.ndim(self.weight) == 0:
            return Context()
        scored = {n: i for n, i in sites.items() if i.site.tree is not None}
        for info in scored.values():
            expected = _density_shape(info)
            if jnp.shape(self.weight) != expected:
                raise ShapeError(
                    f"{self.call}: {info.site.label} has log densities of shape {expected}, but the weights have shape "
                    f"{jnp.shape(self.weight)}; nothing is broadcast. Wrap only the part of the model that has this "
                    f"shape, or weigh one distribution: sx.sample(name, d.mask(m))."
                )
        return Context(given=dict.fromkeys(scored, self.weight))

    def __call__(self, effect: Effect, perform: Perform, context: Context, records: Any) -> Effect:
        if effect.kind == "mark":
            return perform(effect)
        if jnp.ndim(self.weight) == 0:
            return perform(self.wrapped(effect, self.weight, False))
        if effect.name not in context.given:
            raise ShapeError(f"{self.call}: {effect.site.label} has no name, and needs one for weights with axes.")
        return perform(self.wrapped(effect, context.given[effect.name], True))

    def wrapped(self, effect: Effect, weight: Any, has_axes: bool) -> Effect:
        site = effect.site
        wrapper = type(self).wrapper
        if not (has_axes and site.shape):
            return effect.wrapped(wrapper, weight, [has_axes] * len(site.lanes))
        whole = lambda d, w: wrapper(d.expand((*site.shape, *d.batch_shape)), w)  # noqa: E731
        return effect.wrapped(whole, weight, [True] * len(site.lanes)).with_site(shape=())


def _density_shape(info: SiteInfo) -> tuple[int, ...]:
    return info.shape[: len(info.shape) - info.event_dim]


class Mask(Weight):
    wrapper: ClassVar[Any] = Masked
    call: ClassVar[str] = "sx.mask"


class Scale(Weight):
    wrapper: ClassVar[Any] = Scaled
    call: ClassVar[str] = "sx.scale"


@transformation
def mask(model: Callable[..., Any], mask: Any) -> Model:
    """The model in which log densities count only where the mask is True; there, data may be nan.

    Args:
        model: a model.
        mask: a bool, or a boolean array of exactly the shape of every site's log density.

    Raises:
        ShapeError: a mask of another shape.
        ArgumentTypeError: a mask that is not boolean.

    >>> import jax.numpy as jnp, storax as sx
    >>> y = jnp.array([1.0, jnp.nan, 2.0])
    >>> def likelihood(mu):
    ...     sx.sample("y", sx.Normal(mu, 1.0), obs=y)
    >>> bool(jnp.isfinite(sx.log_density(sx.mask(likelihood, ~jnp.isnan(y)))({}, 1.5)))
    True
    """
    weight = as_data(mask, "The mask of sx.mask")
    if weight.dtype != bool:
        raise ArgumentTypeError(f"sx.mask needs booleans, and got dtype {weight.dtype}. Use y > 0, ~jnp.isnan(y), ...")
    return Model.of(model, "sx.mask").handled_by(Mask(weight))


@transformation
def scale(model: Callable[..., Any], scale: Any) -> Model:
    """The model with every log density multiplied by `scale`: tempering, or the weight of a mini-batch.

    Args:
        model: a model.
        scale: a number, not negative, or an array of exactly the shape of every site's log density.

    Raises:
        ShapeError: an array of another shape.
        ParameterError: a negative number or nan.

    >>> import storax as sx
    >>> model = lambda: sx.sample("x", sx.Normal(0.0, 1.0))
    >>> twice = sx.log_density(sx.scale(model, 2.0))({"x": 1.0})
    >>> bool(twice == 2 * sx.log_density(model)({"x": 1.0}))
    True
    """
    weight = as_real(scale, "The scale of sx.scale")
    if is_concrete(weight) and not bool(np.all(np.asarray(weight) >= 0)):
        raise ParameterError(f"sx.scale needs a scale that is not negative, and got {scale!r}.")
    return Model.of(model, "sx.scale").handled_by(Scale(weight))
