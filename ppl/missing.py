"""Missing data: entries of an observation that are nan or masked become a latent site of their own.

Which entries are missing decides how many choices a model has, so it must be known while the model is traced, when the
numbers of its arguments are not: `stage` tells `patterns`.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax import plates
from storax.data import as_value, is_concrete
from storax.distributions import Distribution, Masked, MultivariateNormal, Scaled
from storax.distributions.missing import PartlyObserved, conditional, is_gaussian
from storax.distributions.wrappers import Expanded, Independent
from storax.errors import NotMeasurable, ShapeError
from storax.patterns import Mask
from storax.primitives import Site, bind_observe, bind_sample


def impute(site: Site, d: Distribution, obs: Any, copies: tuple[int, ...], mask: Mask) -> jax.Array:
    """An observation of which some entries are missing: binds the site of the others, and `<name>_missing`.

    Args:
        site: of the observation.
        d: its distribution.
        obs: the data, anything where they are missing.
        copies: independent copies in front.
        mask: the missing entries, of the shape of the data.

    Returns:
        The data with the missing entries filled in.

    Raises:
        ShapeError: the data do not have the shape of the site.
        NotMeasurable: single entries of a vector are missing, and their conditional distribution is not known.
    """
    d, copies, dims = plates.within(d, copies, site.label)
    whole = d.expand((*copies, *d.batch_shape)) if copies else d
    value = _complete(obs, mask, whole, site.label)
    unseen: Distribution
    seen: Distribution
    rows = mask.reshape(*mask.shape[: mask.ndim - whole.event_dim], -1)
    if (rows.any(-1) == rows.all(-1)).all():
        mask = np.asarray(rows.any(-1))
        unseen, seen = whole[np.nonzero(mask)], Masked.of(whole, ~mask)
    else:
        unseen, seen = _parted(whole, value, mask, site.label)
    leaves, tree = jax.tree.flatten(unseen)
    drawn = bind_sample(leaves, Site(f"{site.name}_missing", tree, source=site.source))
    leaves, tree = jax.tree.flatten(seen)
    data = bind_observe(value, leaves, site.replace(tree=tree, dims=dims, observed=True))
    return jnp.asarray(data).at[np.nonzero(mask)].set(drawn)


def _complete(obs: Any, mask: Mask, d: Distribution, label: str) -> Any:
    """The data with a value of the support where they are missing."""
    if mask.shape != tuple(d.shape):
        raise ShapeError(
            f"{label} has shape {tuple(d.shape)}, but was given data of shape {mask.shape}; nothing is broadcast."
        )
    if is_concrete(obs):
        numbers = np.ma.getdata(obs) if isinstance(obs, np.ma.MaskedArray) else np.asarray(obs)
        obs = np.where(mask, np.zeros((), numbers.dtype), numbers)
    else:
        obs = jnp.where(mask, 0, obs)
    value = as_value(obs, tuple(d.shape), d.dtype, label)
    return jnp.where(mask, jnp.zeros_like(value), value) if not is_concrete(value) else value


def _parted(d: Distribution, value: Any, mask: Mask, label: str) -> tuple[Distribution, Distribution]:
    """The missing entries given the others, and the others alone, where only some of a vector are missing."""
    entries = _entries(d)
    if entries is not None:
        return entries[np.nonzero(mask)], Masked.of(entries, ~mask).to_event(d.event_dim)
    if isinstance(d, Scaled):
        unseen, seen = _parted(d.base, value, mask, label)
        return Scaled(unseen, d.weight), Scaled(seen, d.weight)
    if is_gaussian(d):
        loc, scale_tril = conditional(d, value, mask)
        return MultivariateNormal(loc, scale_tril=scale_tril), PartlyObserved(d, ~mask)
    raise NotMeasurable(
        f"{label}: some entries of a vector of {d.name} are missing and others are not, and the distribution of the "
        f"ones given the others is known for normal vectors and for independent entries alone. Leave whole vectors out "
        f"(all of their entries missing), or write the missing entries as a site of their own."
    )


def _entries(d: Distribution) -> Distribution | None:
    """The entries of an event as a batch, if they are independent."""
    if isinstance(d, Independent) and d.base.event_dim == 0:
        return d.base
    if isinstance(d, Expanded):
        inner = _entries(d.base)
        return None if inner is None else inner.expand(tuple(d.shape))
    return None
