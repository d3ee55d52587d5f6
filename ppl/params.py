"""`param`: a number to be optimised, in guides, and in models for what has no prior."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax import supports
from storax.bijections import biject_to
from storax.data import as_real, is_concrete
from storax.distributions import Distribution
from storax.distributions.parameter import Parameter
from storax.errors import ArgumentTypeError, ObservationError, ShapeError
from storax.primitives import Site, bind_sample
from storax.sources import note, plain_errors, user_line
from storax.supports import Support, show
from storax.validation import check_name


@plain_errors
def param(name: str, init: Any, *, support: Support = supports.real) -> jax.Array:
    """A parameter: optimised by `sx.svi`, `sx.elbo` and `sx.map_estimate`, not inferred.

    It is a site without a density: `seed` gives it its start, `substitute` another value, and it adds nothing to a log
    density.  It is no copy of a plate; under `jax.vmap` each lane has its own.

    Args:
        name: unique in the model.
        init: the start, an array inside of the support, or a distribution to draw it from.
        support: of its entries; optimisers see it on R^n.

    Returns:
        An array of the shape of the start.

    Raises:
        ObservationError: a start outside of the support.
        ArgumentTypeError, ShapeError: a support that is none, or that is of another shape.

    >>> import storax as sx
    >>> def guide():
    ...     scale = sx.param("scale", 0.5, support=sx.supports.positive)
    ...     return sx.sample("x", sx.Normal(0.0, scale))
    >>> _, trace = sx.trace(sx.seed(guide, 0))()
    >>> float(trace["scale"].value)
    0.5
    """
    site = Site(check_name(name, "sx.param"), source=user_line())
    note(site.label)
    if not isinstance(support, Support) or support.is_discrete:
        raise ArgumentTypeError(
            f"{site.label} needs a continuous support, sx.param({name!r}, init, support=sx.supports.positive), and got "
            f"{support!r}."
        )
    if isinstance(init, Distribution):
        if init.is_discrete:
            raise ArgumentTypeError(f"{site.label} starts at a draw of {init!r}, which is discrete.")
        shape = init.shape
    else:
        init = as_real(init, f"The start of {site.label}")
        init = init if jnp.issubdtype(init.dtype, jnp.floating) else jnp.asarray(init, float)
        shape = init.shape
    if len(shape) < support.event_dim:
        raise ShapeError(f"{site.label}: a value of {support!r} has {support.event_dim} axes, and the start {shape}.")
    if not isinstance(init, Distribution):
        _refuse_outside(init, support, site)
    leaves, tree = jax.tree.flatten(Parameter(init, support, len(shape)))
    return bind_sample(leaves, site.replace(tree=tree))


def _refuse_outside(init: Any, support: Support, site: Site) -> None:
    if not is_concrete([init, support]) or not np.size(init):
        return
    with jax.ensure_compile_time_eval():
        inside = bool(np.asarray(support(np.asarray(init))).all())
        inside = inside and bool(np.isfinite(np.asarray(biject_to(support).inverse(jnp.asarray(init)))).all())
    if not inside:
        raise ObservationError(
            f"{site.label} starts at {show(init)}, which is not inside of its support, {support}. Start inside, not on "
            f"the boundary."
        )
