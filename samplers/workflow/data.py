"""What a model was given: the values of its observed sites, and its arguments by name."""

from __future__ import annotations

import jax
import numpy as np

from storax.logprob.checking import known_records
from storax.models import Model
from storax.staging import Staged


def observed_data(model: Model, staged: Staged) -> dict[str, np.ndarray]:
    """name -> value of every observed site, in program order; derived quantities that are observed included."""
    sites = model.sites(staged)
    wanted = [n for n, i in sites.items() if i.visible and i.site.observed and not i.site.is_factor]
    if not wanted:
        return {}
    records = known_records(model, staged, staged.arrays, sites)
    return {n: np.asarray(records[n].value) for n in wanted if not isinstance(records[n].value, jax.ShapeDtypeStruct)}
