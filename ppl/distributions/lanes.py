"""`Lanes`: the distribution of a site that went through `jax.vmap`, as one distribution over all lanes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from storax.distributions.base import Distribution
from storax.errors import NotMeasurable
from storax.keys import fold_lanes
from storax.primitives import Site
from storax.pytrees import static


class Lanes(Distribution):
    """One distribution a lane, `[*lanes, *shape, *batch, *event]`; `leaves` carry the lanes that `site` says."""

    leaves: list[Any]
    site: Site = static()

    @property
    def lane(self) -> Distribution:
        """The distribution of one lane, of which only shapes and dtypes are known."""
        shapeless = any(not hasattr(x, "shape") and not isinstance(x, (int, float)) for x in self.leaves)
        d: Distribution = self.site.distribution(self.leaves if shapeless else self.site.one_lane(self.leaves))
        return d

    def _over(self, f: Callable[..., Any], *lanes: Any) -> Any:
        """`f(distribution, *arguments of a lane)` for all lanes."""
        g = self.site.over_lanes(lambda *x: f(self.site.distribution(x[len(lanes) :]), *x[: len(lanes)]), len(lanes))
        return g(*lanes, *self.leaves)

    def _whole(self, x: Any, d: Distribution) -> Any:
        batch = (*self.site.shape, *d.batch_shape)
        return jnp.broadcast_to(x, batch + jnp.shape(x)[jnp.ndim(x) - d.event_dim :] if d.event_dim else batch)

    @property
    def batch_shape(self) -> tuple[int, ...]:
        return (*self.site.lane_shape, *self.site.shape, *self.lane.batch_shape)

    @property
    def event_shape(self) -> tuple[int, ...]:
        return self.lane.event_shape

    @property
    def dtype(self) -> Any:
        return self.lane.dtype

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        return self.lane.event_dim

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        return self.lane.is_discrete

    @property
    def support(self) -> Any:
        def of_lane(d: Distribution) -> Any:
            batch = (*self.site.shape, *d.batch_shape)
            return jax.tree.map(lambda x: jnp.broadcast_to(x, batch), d.support)

        return self._over(of_lane)

    @property
    def mean(self) -> jax.Array:
        return self._over(lambda d: self._whole(d.mean, d))

    @property
    def variance(self) -> jax.Array:
        return self._over(lambda d: self._whole(d.variance, d))

    @property
    def mode(self) -> jax.Array:
        return self._over(lambda d: self._whole(d.mode, d))

    def entropy(self) -> jax.Array:
        return self._over(lambda d: jnp.broadcast_to(d.entropy(), (*self.site.shape, *d.batch_shape)))

    def take(self, positions: Any) -> Distribution:
        raise NotMeasurable(f"{self!r} is made of lanes of jax.vmap, and cannot be indexed: index one lane.")

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        def once(key: jax.Array) -> jax.Array:
            keys = fold_lanes(key, self.site.lane_shape)
            return self._over(lambda d, k: d.sample(k, self.site.shape), keys)

        keys = jax.random.split(key, shape)
        for _ in shape:
            once = jax.vmap(once)
        return once(keys) if shape else once(key)

    def log_prob(self, value: jax.Array) -> jax.Array:
        return self._at(lambda d, x: d.log_prob(x), value)

    def log_cdf(self, value: jax.Array) -> jax.Array:
        return self._at(lambda d, x: d.log_cdf(x), value)

    def log_survival(self, value: jax.Array) -> jax.Array:
        return self._at(lambda d, x: d.log_survival(x), value)

    def icdf(self, q: jax.Array) -> jax.Array:
        return self._at(lambda d, x: d.icdf(x), q)

    def _at(self, f: Callable[..., Any], value: jax.Array) -> jax.Array:
        """`f(distribution, value)` lane by lane; the value may have more axes in front."""

        def score(x: jax.Array) -> jax.Array:
            return self._over(f, x)

        for _ in range(jnp.ndim(value) - len(self.shape)):
            score = jax.vmap(score)
        return score(value)

    def __repr__(self) -> str:
        return f"{self.lane!r} in lanes {self.site.lane_shape}"
