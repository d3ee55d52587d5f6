"""What a model was given: the values of its observed sites, and its arguments by name."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from storax.logprob.checking import known_records
from storax.models import Model
from storax.staging import Staged, argument_name, is_data


def observed_data(model: Model, staged: Staged) -> dict[str, np.ndarray]:
    """name -> value of every observed site, in program order; derived quantities that are observed included."""
    sites = model.sites(staged)
    wanted = [n for n, i in sites.items() if i.visible and i.site.observed and not i.site.is_factor]
    if not wanted:
        return {}
    records = known_records(model, staged, staged.arrays, sites)
    return {n: np.asarray(records[n].value) for n in wanted if not isinstance(records[n].value, jax.ShapeDtypeStruct)}


def constant_data(model: Model, args: Any, kwargs: Any, observed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays among the arguments, by name, without those that are the observed data."""
    out: dict[str, np.ndarray] = {}
    for path, leaf in jax.tree_util.tree_flatten_with_path((args, kwargs), is_leaf=is_data)[0]:
        if isinstance(leaf, (jax.Array, np.ndarray)) or is_data(leaf):
            array = np.asarray(leaf)
            is_observed = any(array.shape == y.shape and np.array_equal(array, y) for y in observed.values())
            if not is_observed and array.dtype.kind in "biufc":
                out[argument_name(path, model.function).replace("'", "")] = array
    return out
