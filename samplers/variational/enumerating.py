"""Sums over the values of finite choices in a guide."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np

from storax.errors import InferenceError
from storax.samplers.variational.walking import Seen

MOST = 4096  # combinations, each of which is one evaluation of the model


def count(seen: Seen) -> float:
    """How many values the site has; infinite if they are not finitely many or not known."""
    values = seen.values
    return math.inf if values is None else float(len(values)) ** math.prod(seen.info.shape)


def combinations(guide: Mapping[str, Seen], names: Sequence[str], call: str) -> dict[str, np.ndarray]:
    """All joint values of these sites, name -> `[combination, *shape]`.

    Raises:
        InferenceError: a site whose values are not finitely many, or too many together.

    """
    for name in names:
        if guide[name].values is None:
            raise InferenceError(
                f"{call}: {guide[name].label} cannot be enumerated: its values are not finitely many, or not known "
                f"before the program runs. Use estimator='score'."
            )
    size = math.prod(count(guide[n]) for n in names)
    if size > MOST:
        raise InferenceError(
            f"{call}: {', '.join(guide[n].label for n in names)} have {size:.3g} joint values, and at most {MOST} are "
            f"summed one by one. Sum them out of the model, which knows what is independent: draw them without a name, "
            f"sx.rv; or use estimator='score'."
        )
    of_number = {n: [] if (values := guide[n].values) is None else values.tolist() for n in names}
    columns = [list(itertools.product(of_number[n], repeat=math.prod(guide[n].info.shape))) for n in names]
    rows = list(itertools.product(*columns))
    return {
        n: np.array([row[i] for row in rows]).reshape(len(rows), *guide[n].info.shape).astype(guide[n].info.dtype)
        for i, n in enumerate(names)
    }
