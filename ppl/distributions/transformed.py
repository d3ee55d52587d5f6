"""Transformed: a distribution seen through a bijection."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from storax.bijections.base import Bijection
from storax.bijections.composing import Compose, lifted
from storax.bijections.images import direction, image
from storax.bijections.scaling import Affine
from storax.distributions.base import Distribution, within
from storax.distributions.derived import refuse_mask, support_of_shapes
from storax.errors import ArgumentTypeError, NotMeasurable, ShapeError
from storax.supports import Support


class Transformed(Distribution):
    """X = bijection(Z) with Z from `base`: NumPyro's TransformedDistribution.

    If the bijection takes vectors and the base has none, the last batch axes of the base become the event; if it takes
    numbers and the base is of vectors, it is applied to every entry.  Distribution functions and quantiles are there
    for a bijection of numbers that is known to be monotone, moments for `Affine`.

    Args:
        base: a continuous distribution.
        bijection: a `Bijection`, or a list of them, the first one first.

    >>> from storax.bijections import Exp
    >>> from storax.distributions import LogNormal, Normal
    >>> d = Transformed(Normal(0.0, 1.0), Exp())
    >>> bool(abs(d.log_prob(2.0) - LogNormal(0.0, 1.0).log_prob(2.0)) < 1e-6), d.support
    (True, positive)
    """

    base: Distribution
    bijection: Any

    def __post_init__(self) -> None:
        parts = self.bijection if isinstance(self.bijection, (list, tuple)) else [self.bijection]
        if not all(isinstance(b, Bijection) for b in parts):
            raise ArgumentTypeError(f"Transformed: bijection must be a Bijection or a list of them, and is {parts!r}.")
        if not isinstance(self.base, Distribution) or self.base.is_discrete:
            raise ArgumentTypeError(
                f"Transformed: base must be a continuous distribution, as a bijection changes densities, and is "
                f"{self.base!r}."
            )
        refuse_mask("Transformed", self.base)
        bijection = parts[0] if len(parts) == 1 else Compose(tuple(parts))
        base = self.base
        if (missing := bijection.z_event_dim - base.event_dim) > len(base.batch_shape):
            raise ShapeError(
                f"Transformed: {bijection!r} takes arrays of {bijection.z_event_dim} axes, but a draw of {base!r} has "
                f"shape {base.shape}."
            )
        object.__setattr__(self, "base", base.to_event(missing) if missing > 0 else base)
        object.__setattr__(self, "bijection", lifted(bijection, -missing))
        made = self._draw().shape
        if made != self.shape:
            raise ShapeError(
                f"Transformed: the bijection makes shape {made} of a draw of shape {self.base.shape}: independent "
                f"values need a base of their own each, base.expand({made})."
            )
        super().__post_init__()

    @property
    def batch_shape(self) -> tuple[int, ...]:
        return self.base.batch_shape

    @property
    def event_shape(self) -> tuple[int, ...]:
        shape: tuple[int, ...] = self.bijection.forward_shape(self.base.event_shape)
        return shape

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        return int(self.bijection.x_event_dim)

    @property
    def dtype(self) -> Any:
        return self._draw().dtype

    def _draw(self) -> Any:
        """Shape and dtype of one."""
        z = jax.ShapeDtypeStruct(self.base.shape, self.base.dtype)
        return jax.eval_shape(lambda b, z: b.forward(z), self.bijection, z)

    @property
    def reparameterized(self) -> bool:  # type: ignore[override]
        return self.base.reparameterized

    @support_of_shapes
    def support(self) -> Support:
        return image(self.bijection, self.base.support)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        x: jax.Array = self.bijection.forward(self.base.sample(key, shape))
        return x

    def log_prob(self, value: Any) -> jax.Array:
        x, inside, nan = self._inside(value)
        z = self.bijection.inverse(x)
        end = jnp.isinf(z)  # at the end of an open support
        end = end.any(tuple(range(-self.base.event_dim, 0))) if self.base.event_dim else end
        spread = end.reshape(end.shape + (1,) * self.base.event_dim)
        z = jnp.where(spread, self.base.support.feasible(z.shape, z.dtype), z)
        score = self.base.log_prob(z) - self.bijection.log_det(z)
        return jnp.where(nan, jnp.nan, within(inside & ~end, score))

    def _inside(self, value: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
        """A value of the support wherever the given one is outside; is it inside?  Is it nan?"""
        x, n = self._cast(value), self.event_dim
        x = jnp.broadcast_to(x, jnp.broadcast_shapes(x.shape, self.shape))
        nan = jnp.isnan(x).any(tuple(range(-n, 0))) if n else jnp.isnan(x)
        inside = jnp.asarray(self.support(x))
        z_shape = (*x.shape[: x.ndim - n], *self.base.event_shape)
        safe = self.bijection.forward(self.base.support.feasible(z_shape, self.base.dtype)).astype(x.dtype)
        return jnp.where(inside.reshape(inside.shape + (1,) * n), x, safe), inside, nan

    def _cast(self, value: Any) -> jax.Array:
        x = jnp.asarray(value)
        return x if jnp.issubdtype(x.dtype, jnp.inexact) else x.astype(self.dtype)

    def log_cdf(self, value: Any) -> jax.Array:
        return self._tail(value, "log_cdf", "log_survival", -jnp.inf, 0.0)

    def log_survival(self, value: Any) -> jax.Array:
        return self._tail(value, "log_survival", "log_cdf", 0.0, -jnp.inf)

    def _tail(self, value: Any, growing: str, falling: str, below: float, above: float) -> jax.Array:
        sign = self._direction()
        x, inside, nan = self._inside(value)
        z = self.bijection.inverse(x)
        if isinstance(sign, float):
            score = getattr(self.base, growing if sign > 0 else falling)(z)
        else:
            score = jnp.where(sign > 0, getattr(self.base, growing)(z), getattr(self.base, falling)(z))
        outside = jnp.where(self._cast(value) < x, below, above)
        return jnp.where(nan, jnp.nan, jnp.where(inside, score, outside))

    def _direction(self) -> Any:
        sign = None if self.event_dim or self.base.event_dim else direction(self.bijection)
        if sign is None:
            raise NotMeasurable(f"{self!r} has no distribution function: its bijection is not known to be monotone.")
        return sign if isinstance(sign, float) else jnp.broadcast_to(sign, self.batch_shape)

    def icdf(self, q: Any) -> jax.Array:
        q = self._cast(q)
        sign = self._direction()
        x: jax.Array = self.bijection.forward(self.base.icdf(jnp.where(sign > 0, q, 1 - q)))
        return x

    def _affine(self, what: str) -> Affine:
        if isinstance(self.bijection, Affine):
            return self.bijection
        raise NotMeasurable(f"{self!r} has no {what} in closed form.")

    @property
    def mean(self) -> jax.Array:
        return self._affine("mean").forward(self.base.mean)

    @property
    def variance(self) -> jax.Array:
        affine = self._affine("variance")
        return Affine(0.0, jnp.square(jnp.asarray(affine.scale))).forward(self.base.variance)

    @property
    def mode(self) -> jax.Array:
        return self._affine("mode").forward(self.base.mode)

    def entropy(self) -> jax.Array:
        entropy = self.base.entropy()
        return entropy + self._affine("entropy").log_det(jnp.broadcast_to(entropy, self.batch_shape))

    def take(self, positions: Any) -> Distribution:
        event = self.bijection.z_event_dim

        def part(x: Any) -> Any:
            if jnp.ndim(x) <= event:
                return x
            inner = jnp.shape(x)[jnp.ndim(x) - event :]
            return jnp.broadcast_to(x, (*self.batch_shape, *inner)).reshape(-1, *inner)[positions]

        base = self.base.expand(self.batch_shape).take(positions)
        return Transformed(base, jax.tree.map(part, self.bijection))

    def validate(self) -> None:
        self.base.validate()
