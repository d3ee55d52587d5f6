"""What a model may say: `sample`, `rv`, `deterministic`, `factor`.

Each is one JAX equation.  None of them draws or scores anything: that is for the handlers to say.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from storax import plates, refusing  # noqa: F401  (its rules are registered by the import)
from storax.data import as_data, as_real, as_value
from storax.distributions import Distribution, Unit
from storax.errors import ArgumentTypeError, ShapeError
from storax.missing import impute
from storax.patterns import missing_entries
from storax.primitives import Site, bind_mark, bind_observe, bind_sample
from storax.sources import note, plain_errors, user_line
from storax.validation import as_shape, check_name, validate_at


@plain_errors
def sample(
    name: str, d: Distribution, *, obs: Any = None, shape: int | tuple[int, ...] = (), missing: str | None = None
) -> jax.Array:
    """A random choice with a name.

    Args:
        name: unique in the model; not empty, without "/".
        d: its distribution.
        obs: the data, if this choice was observed.  Its trailing axes must equal `d.shape` exactly; axes in front of
            those are independent copies.  Nothing is broadcast.
        shape: that many independent copies in front of one draw.
        missing: with "impute", entries of `obs` that are nan are latent: a site `<name>_missing`, one number for each
            in the order of the data (of vectors that are missing as a whole, one vector for each).  Those of a masked
            array are, anyway.  What is missing must not depend on its value, given the rest ("missing at random").
            Single entries may be missing of normal vectors and of independent entries (`to_event`).

    Returns:
        An array `[*shape, *d.batch_shape, *d.event_shape]`; of missing data, with the missing entries filled in.

    Raises:
        InvalidNameError, ArgumentTypeError, ShapeError: see `storax.errors`.
        UnhandledSiteError: outside of any handler.

    >>> import jax, storax as sx
    >>> def coin(flips):
    ...     p = sx.sample("p", sx.Beta(1.0, 1.0))
    ...     return sx.sample("flips", sx.Bernoulli(p), obs=flips)
    >>> jax.make_jaxpr(coin)(jax.numpy.array([1, 0, 1])).jaxpr.eqns[0].params["site"]
    p
    """
    name = check_name(name, "sx.sample")
    return _choice(name, d, obs, shape, "sx.sample", missing)


@plain_errors
def rv(d: Distribution, shape: int | tuple[int, ...] = ()) -> jax.Array:
    """A random choice without a name: a draw inside a generative program.

    `seed` draws it like any other.  A density would have to integrate it out.

    >>> import storax as sx
    >>> sx.seed(lambda: sx.rv(sx.Normal(0.0, 1.0), shape=3), 0)().shape
    (3,)
    """
    return _choice("", d, None, shape, "sx.rv")


def _choice(name: str, d: Any, obs: Any, shape: Any, call: str, missing: str | None = None) -> jax.Array:
    site = Site(name, source=user_line())
    note(site.label)
    _check_distribution(d, site, call)
    validate_at(site.label, d)
    copies = as_shape(shape, f"`shape` of {site.label}")
    mask = missing_entries(obs, missing, site.label)
    if mask is not None:
        return impute(site, d, obs, copies or _copies(mask.shape, d.shape), mask)
    data = None
    if obs is not None:
        data = as_data(obs, f"The observation of {site.label}")
        if not copies:
            copies = _copies(data.shape, d.shape)
    d, copies, dims = plates.within(d, copies, site.label)
    leaves, tree = jax.tree.flatten(d)
    site = site.replace(tree=tree, shape=copies, dims=dims)
    if data is None:
        return bind_sample(leaves, site)
    value = as_value(data, (*copies, *d.shape), d.dtype, site.label)
    return bind_observe(value, leaves, site.replace(observed=True))


def _copies(data: tuple[int, ...], one: tuple[int, ...]) -> tuple[int, ...]:
    """The axes that an observation has in front of one draw's."""
    extra = len(data) - len(one)
    return data[:extra] if extra > 0 and data[extra:] == tuple(one) else ()


def _check_distribution(d: Any, site: Site, call: str) -> None:
    if isinstance(d, Distribution):
        return
    if isinstance(d, type) and issubclass(d, Distribution):
        raise ArgumentTypeError(f"{site.label} was given the class {d.__name__}: call it, {d.__name__}(...).")
    kind = type(d).__name__
    advice = "To name a computed value use sx.deterministic(name, value)." if hasattr(d, "shape") else ""
    raise ArgumentTypeError(
        f"{site.label} needs a distribution, and got {d!r} of type {kind}: {call}("
        f"{repr(site.name) + ', ' if site.name else ''}sx.Normal(0.0, 1.0)). {advice}".rstrip()
    )


@plain_errors
def deterministic(name: str, value: Any, *, obs: Any = None) -> jax.Array:
    """Give a name to a derived quantity, so that it is traced, and can be conditioned on.

    Args:
        name: unique in the model.
        value: an array; lists and NumPy arrays are converted.
        obs: data for it, of the same shape.

    Returns:
        The value, as an array.

    >>> import storax as sx
    >>> def model():
    ...     x = sx.sample("x", sx.Normal(0.0, 1.0))
    ...     return sx.deterministic("y", 2 * x)
    >>> _, trace = sx.trace(sx.seed(model, 0))()
    >>> bool(trace["y"].value == 2 * trace["x"].value)
    True
    """
    site = Site(check_name(name, "sx.deterministic"), source=user_line())
    note(site.label)
    value = jnp.asarray(as_data(value, f"The value of {site.label}"))
    site = site.replace(dims=plates.dims_of(value.shape))
    if obs is None:
        return bind_mark(value, site)
    data = as_value(obs, value.shape, value.dtype, site.label)
    return bind_observe(data, [value], site.replace(observed=True))


@plain_errors
def factor(name: str, log_weight: Any) -> None:
    """Add `log_weight` (all its entries) to the log density of the model.

    In a plate it must have the plate's shape: one weight for each copy.

    >>> import storax as sx
    >>> def model():
    ...     x = sx.sample("x", sx.Normal(0.0, 1.0))
    ...     sx.factor("tilt", 3.0 * x)
    >>> base = sx.log_density(lambda: sx.sample("x", sx.Normal(0.0, 1.0)))
    >>> float(sx.log_density(model)({"x": 1.0})) - float(sx.Normal(0.0, 1.0).log_prob(1.0))
    3.0
    """
    site = Site(check_name(name, "sx.factor"), source=user_line(), observed=True, is_factor=True)
    note(site.label)
    weight = jnp.asarray(as_real(log_weight, f"The log weight of {site.label}"))
    weight = weight if jnp.issubdtype(weight.dtype, jnp.floating) else weight.astype(float)
    d, copies, dims = plates.within(Unit(weight), (), site.label)
    if copies or d.batch_shape != weight.shape:
        raise ShapeError(
            f"{site.label} is in a plate of shape {(*copies, *d.batch_shape)}, but its log weight has shape "
            f"{weight.shape}. Give one weight for each copy, or move the factor out of the plate."
        )
    leaves, tree = jax.tree.flatten(d)
    bind_observe(jnp.zeros((*weight.shape, 0), weight.dtype), leaves, site.replace(tree=tree, dims=dims))
