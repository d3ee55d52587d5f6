"""Which entries of a vector or a matrix its density is one of: the others follow from them.

Twice a Wishart matrix of p x p has p (p + 1) / 2 factors of 2 in its density, not p^2.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from storax import supports
from storax.supports.base import Support


def of(support: Support, shape: tuple[int, ...]) -> tuple[Any, bool]:
    """A mask of the shape, None if all entries count; and whether the density is one of entries at all.

    Sums of 0 and vectors of length 1 have densities on a surface, not of some of their entries.
    """
    while isinstance(support, supports.Independent):
        support = support.base
    match support:
        case supports.Correlation() | supports.CorrelationCholesky():  # the diagonal follows from the rest
            return np.broadcast_to(np.tril(np.ones(shape[-2:], bool), -1), shape), True
        case supports.PositiveDefinite() | supports.LowerCholesky():
            return np.broadcast_to(np.tril(np.ones(shape[-2:], bool)), shape), True
        case supports.Simplex():
            return np.broadcast_to(np.arange(shape[-1]) < shape[-1] - 1, shape), True
        case supports.ZeroSum() | supports.Sphere() | supports.Image() | supports.Product():
            return None, False
    return None, True


def form(support: Support) -> str:
    while isinstance(support, supports.Independent):
        support = support.base
    if isinstance(support, (supports.LowerCholesky, supports.CorrelationCholesky)):
        return "lower"
    return "symmetric" if isinstance(support, (supports.PositiveDefinite, supports.Correlation)) else ""


def moved(mask: Any, where: Any, shape: tuple[int, ...]) -> Any:
    """Of entries that are moved from the places `where`."""
    return None if mask is None else np.ravel(mask)[np.asarray(where).ravel()].reshape(shape)
