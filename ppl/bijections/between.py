"""Between two ends that may be infinite."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from storax.bijections.base import Bijection, floats
from storax.bijections.elementwise import Beyond, Identity, Sigmoid


class Within(Bijection):
    """Between `low` and `high`: Sigmoid, Beyond or Identity, as the ends of each part of the batch are infinite or not.

    >>> import numpy as np
    >>> x = Within(np.array([0.0, 0.0, -np.inf, -np.inf]), np.array([4.0, np.inf, 0.0, np.inf])).forward(jnp.zeros(4))
    >>> x.tolist()
    [2.0, 1.0, -1.0, 0.0]
    """

    low: Any
    high: Any

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        z = floats(z)
        both, above, below, parts = self._parts(z)
        ways = [part.forward_and_log_det(z) for part in parts]
        x, log_det = (_choose(both, above, below, [way[i] for way in ways]) for i in (0, 1))
        return x, log_det

    def inverse(self, x: jax.Array) -> jax.Array:
        x = floats(x)
        both, above, below, (sigmoid, upwards, downwards, _) = self._parts(x)
        middle = sigmoid.low + 0.5 * (sigmoid.high - sigmoid.low)
        ways = [
            sigmoid.inverse(jnp.where(both, x, middle)),
            upwards.inverse(jnp.where(above, x, upwards.end + 1.0)),
            downwards.inverse(jnp.where(below, x, downwards.end - 1.0)),
            x,
        ]
        return _choose(both, above, below, ways)

    def _parts(self, like: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array, tuple[Any, ...]]:
        """Which have both ends, a lower one, an upper one; and the four bijections, with ends that are finite."""
        ends = (jnp.asarray(e, like.dtype) for e in (self.low, self.high))
        low, high = (jnp.broadcast_to(e, jnp.broadcast_shapes(e.shape, like.shape)) for e in ends)
        has_low, has_high = ~jnp.isinf(low), ~jnp.isinf(high)
        both = has_low & has_high
        parts = (
            Sigmoid(jnp.where(both, low, 0.0), jnp.where(both, high, 1.0)),
            Beyond(jnp.where(has_low, low, 0.0)),
            Beyond(jnp.where(has_high, high, 0.0), below=True),
            Identity(),
        )
        return both, has_low & ~has_high, has_high & ~has_low, parts


def _choose(both: jax.Array, above: jax.Array, below: jax.Array, ways: list[jax.Array]) -> jax.Array:
    return jnp.where(both, ways[0], jnp.where(above, ways[1], jnp.where(below, ways[2], ways[3])))
