"""Parameter: a number to be optimised, which is no random choice."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from storax.distributions.base import Distribution
from storax.pytrees import static
from storax.supports import Free, Support


class Parameter(Distribution):
    """What `sx.param` puts into a model: it adds nothing to a log density, and is drawn at its start.

    Args:
        init: the start, an array, or a distribution to draw it from.
        base: the support of its entries.
        rank: axes of the start, all of them one event.

    >>> from storax import supports
    >>> d = Parameter(jnp.ones(2), supports.positive, 1)
    >>> d.sample(jax.random.key(0)).tolist(), d.log_prob(jnp.array([3.0, 4.0])).item()
    ([1.0, 1.0], 0.0)
    """

    init: Any
    base: Support
    rank: int = static()

    def __post_init__(self) -> None:
        pass

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        return self.rank

    @property
    def batch_shape(self) -> tuple[int, ...]:
        return ()

    @property
    def event_shape(self) -> tuple[int, ...]:
        return tuple(self.init.shape if isinstance(self.init, Distribution) else jnp.shape(self.init))

    @property
    def dtype(self) -> Any:
        return self.init.dtype if isinstance(self.init, Distribution) else jnp.result_type(self.init)

    @property
    def support(self) -> Support:
        return Free(self.base, self.rank)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        if isinstance(self.init, Distribution):
            return self.init.sample(key, shape)
        return jnp.broadcast_to(jnp.asarray(self.init), (*shape, *self.event_shape))

    def log_prob(self, value: Any) -> jax.Array:
        return jnp.where(self.support(jnp.asarray(value)), 0.0, -jnp.inf)

    def __repr__(self) -> str:
        return f"Parameter({self.base!r}, {list(self.event_shape)})"
