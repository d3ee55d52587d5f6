"""`Lanes`: the distribution of a site that went through `jax.vmap`, as one distribution over all lanes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from storax.distributions.base import Distribution
from storax.keys import fold_lanes
from storax.primitives import Site
from storax.pytrees import static


class Lanes(Distribution):
    """One distribution a lane, `[*lanes, *shape, *batch, *event]`; `leaves` carry the lanes that `site` says.

    Args:
        leaves: the distribution's arrays.
        site: says what they mean.
    """

    leaves: list[Any]
    site: Site = static()

    @property
    def lane(self) -> Distribution:
        """The distribution of the first lane."""
        carried = [sum(mapped[i] for _, mapped in self.site.lanes) for i in range(len(self.leaves))]
        first = [x[(0,) * k] if k else x for x, k in zip(self.leaves, carried, strict=True)]
        d: Distribution = self.site.distribution(first)
        return d
