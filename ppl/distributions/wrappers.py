"""Distributions made from another: more copies, a larger event, a mask, a weight."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from storax import supports
from storax.distributions.base import Distribution, as_parameter, promote
from storax.errors import ArgumentTypeError, ParameterError, ShapeError
from storax.pytrees import static
from storax.supports import Support


class Wrapper(Distribution):
    """Base: everything is the base's, until said otherwise."""

    base: Distribution

    @property
    def batch_shape(self) -> tuple[int, ...]:
        return self.base.batch_shape

    @property
    def event_shape(self) -> tuple[int, ...]:
        return self.base.event_shape

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        return self.base.event_dim

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        return self.base.is_discrete

    @property
    def dtype(self) -> Any:
        return self.base.dtype

    @property
    def support(self) -> Support:
        return self.base.support

    @property
    def counted(self) -> Any:
        return self.base.counted

    @property
    def reparameterized(self) -> bool:  # type: ignore[override]
        return self.base.reparameterized

    @property
    def mean(self) -> jax.Array:
        return self.base.mean

    @property
    def variance(self) -> jax.Array:
        return self.base.variance

    @property
    def covariance(self) -> jax.Array:
        return self.base.covariance

    @property
    def mode(self) -> jax.Array:
        return self.base.mode

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        return self.base.sample(key, shape)

    def log_prob(self, value: Any) -> jax.Array:
        return self.base.log_prob(value)

    def log_cdf(self, value: Any) -> jax.Array:
        return self.base.log_cdf(value)

    def log_survival(self, value: Any) -> jax.Array:
        return self.base.log_survival(value)

    def icdf(self, q: Any) -> jax.Array:
        return self.base.icdf(q)

    def take(self, positions: Any) -> Distribution:
        return self.replace(base=self.base.take(positions))

    def validate(self) -> None:
        self.base.validate()


def _fits(shape: tuple[int, ...], whole: tuple[int, ...]) -> bool:
    """Does `shape` broadcast to `whole`?"""
    return len(shape) <= len(whole) and all(n in (1, m) for n, m in zip(shape[::-1], whole[::-1], strict=False))


class Expanded(Wrapper):
    """Independent copies of `base`, up to a batch shape that its own broadcasts to.

    >>> from storax.distributions import Normal
    >>> Normal(0.0, 1.0).expand((3,)).batch_shape
    (3,)
    """

    base: Distribution
    copies: tuple[int, ...] = static()

    def __post_init__(self) -> None:
        own = self.base.batch_shape
        if not _fits(own, self.copies):
            raise ShapeError(f"{self.base!r} has batch shape {own}, which does not expand to {self.copies}.")

    @property
    def batch_shape(self) -> tuple[int, ...]:
        return self.copies

    @property
    def counted(self) -> Any:
        flags = self.base.counted
        if flags is None or isinstance(flags, jax.ShapeDtypeStruct):
            return flags
        own = len(self.base.batch_shape)
        front = (1,) * (len(self.copies) - own)
        return jnp.broadcast_to(flags.reshape(front + flags.shape), self.copies + flags.shape[own:])

    def _spread(self, x: Any) -> jax.Array:
        return jnp.broadcast_to(x, self.shape)

    @property
    def mean(self) -> jax.Array:
        return self._spread(self.base.mean)

    @property
    def variance(self) -> jax.Array:
        return self._spread(self.base.variance)

    @property
    def covariance(self) -> jax.Array:
        return jnp.broadcast_to(self.base.covariance, (*self.shape, self.shape[-1]))

    @property
    def mode(self) -> jax.Array:
        return self._spread(self.base.mode)

    def entropy(self) -> jax.Array:
        return jnp.broadcast_to(self.base.entropy(), self.copies)

    def take(self, positions: Any) -> Distribution:
        own = self.base.batch_shape
        along = jnp.unravel_index(positions, self.copies)[len(self.copies) - len(own) :]
        inside = [jnp.where(n == 1, 0, i) for n, i in zip(own, along, strict=True)]
        flat = jnp.ravel_multi_index(inside, own, mode="clip") if own else jnp.zeros_like(positions)
        return self.base.take(flat)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        own = self.base.batch_shape
        front = self.copies[: len(self.copies) - len(own)]
        widened = [i for i, n in enumerate(own) if n != self.copies[len(front) + i]]
        sizes = [self.copies[len(front) + i] for i in widened]
        # Drawn as [*shape, *sizes, *front, *own, *event]; each of `sizes` then takes the place of an axis of size 1.
        draws = self.base.sample(key, (*shape, *sizes, *front))
        k, f = len(shape), len(shape) + len(sizes)
        draws = jnp.squeeze(draws, [f + len(front) + i for i in widened])
        new, kept = iter(range(k, f)), iter(range(f + len(front), draws.ndim))
        of_own = [next(new) if i in widened else next(kept) for i in range(len(own))]
        return jnp.transpose(draws, [*range(k), *range(f, f + len(front)), *of_own, *kept])

    def log_prob(self, value: Any) -> jax.Array:
        return self._of_copies(self.base.log_prob(value))

    def log_cdf(self, value: Any) -> jax.Array:
        return self._of_copies(self.base.log_cdf(value))

    def log_survival(self, value: Any) -> jax.Array:
        return self._of_copies(self.base.log_survival(value))

    def icdf(self, q: Any) -> jax.Array:
        return self._of_copies(self.base.icdf(q))

    def _of_copies(self, x: jax.Array) -> jax.Array:
        return jnp.broadcast_to(x, jnp.broadcast_shapes(x.shape, self.copies))


class Independent(Wrapper):
    """The last `count` batch axes of `base` belong to the event: one log density for all of them.

    >>> from storax.distributions import Normal
    >>> d = Normal(jnp.zeros((2, 3)), 1.0).to_event(1)
    >>> d.batch_shape, d.event_shape
    ((2,), (3,))
    """

    base: Distribution
    count: int = static()

    def __post_init__(self) -> None:
        own = self.base.batch_shape
        if not 0 <= self.count <= len(own):
            raise ShapeError(f"{self.base!r} has batch shape {own}: to_event takes 0 to {len(own)}, not {self.count}.")

    @property
    def batch_shape(self) -> tuple[int, ...]:
        return self.base.batch_shape[: len(self.base.batch_shape) - self.count]

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (*self.base.batch_shape[len(self.base.batch_shape) - self.count :], *self.base.event_shape)

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        return self.base.event_dim + self.count

    @property
    def support(self) -> Support:
        return supports.independent(self.base.support, self.count)

    def log_prob(self, value: Any) -> jax.Array:
        return self.base.log_prob(value).sum(tuple(range(-self.count, 0)))

    @property
    def covariance(self) -> jax.Array:
        if self.base.event_dim or self.count != 1:
            return Distribution.covariance.fget(self)  # type: ignore[attr-defined]
        variance, identity = promote(self.variance[..., None], jnp.eye(self.shape[-1], dtype=self.dtype))
        return variance * identity

    def entropy(self) -> jax.Array:
        return self.base.entropy().sum(tuple(range(-self.count, 0)))

    def take(self, positions: Any) -> Distribution:
        inner = self.base.batch_shape[len(self.batch_shape) :]
        size = math.prod(inner)
        spread = jnp.reshape(positions, (*jnp.shape(positions), *(1,) * self.count)) * size
        within_one = jnp.arange(size).reshape((1,) * jnp.ndim(positions) + inner)
        return Independent(self.base.take(spread + within_one), self.count)

    def log_cdf(self, value: Any) -> jax.Array:
        return Distribution.log_cdf(self, value)

    def log_survival(self, value: Any) -> jax.Array:
        return Distribution.log_survival(self, value)

    def icdf(self, q: Any) -> jax.Array:
        return Distribution.icdf(self, q)


class Masked(Wrapper):
    """Log densities are exactly 0 where `where` is False, with no gradient, whatever the value is there.

    >>> from storax.distributions import Normal
    >>> Normal(0.0, 1.0).mask(False).log_prob(jnp.nan).item()
    0.0
    """

    base: Distribution
    where: Any

    @classmethod
    def of(cls, base: Distribution, mask: Any) -> Masked:
        """What `base.mask(mask)` is.  The constructor checks nothing: `sx.mask` calls it with vmapped axes in front."""
        mask = as_parameter(mask, f"the mask of {base!r}")
        if jnp.result_type(mask) != jnp.bool_:
            raise ArgumentTypeError(f"{base!r}: a mask must be boolean, and got dtype {jnp.result_type(mask)}.")
        shape = jnp.shape(mask)
        if not _fits(shape, base.batch_shape):
            raise ShapeError(
                f"{base!r} has batch shape {base.batch_shape}, and a mask of shape {shape} does not broadcast to it. "
                f"Give the distribution the shape of the mask first: d.expand({shape})."
            )
        return cls(base, mask)

    @property
    def counted(self) -> Any:
        inner = self.base.counted
        if isinstance(self.where, jax.ShapeDtypeStruct) or isinstance(inner, jax.ShapeDtypeStruct):
            return self.where
        own = jnp.broadcast_to(self.where, self.batch_shape)
        return own if inner is None else own.reshape(own.shape + (1,) * (inner.ndim - own.ndim)) & inner

    def log_prob(self, value: Any) -> jax.Array:
        x = jnp.asarray(value)
        event = self.base.event_dim
        batch = jnp.broadcast_shapes(x.shape[: x.ndim - event], self.batch_shape)
        mask = jnp.broadcast_to(jnp.asarray(self.where), batch)
        safe = self.base.support.feasible((*batch, *self.event_shape), x.dtype)
        keep = jnp.broadcast_to(mask.reshape(mask.shape + (1,) * event), safe.shape)
        x = jnp.where(keep, jnp.broadcast_to(x, safe.shape), safe)
        return jnp.where(mask, self.base.log_prob(x), 0.0)

    def take(self, positions: Any) -> Distribution:
        where = jnp.broadcast_to(self.where, self.batch_shape).reshape(-1)[positions]
        return Masked(self.base.take(positions), where)


class Scaled(Wrapper):
    """Log densities are multiplied by `weight`.

    >>> from storax.distributions import Exponential
    >>> Scaled(Exponential(1.0), 3.0).log_prob(2.0).item()
    -6.0
    """

    base: Distribution
    weight: Any

    def log_prob(self, value: Any) -> jax.Array:
        weight, score = promote(self.weight, self.base.log_prob(value))
        nothing = weight == 0  # also of what is impossible
        return jnp.where(nothing, 0.0, weight * jnp.where(nothing, 0.0, score))

    def take(self, positions: Any) -> Distribution:
        weight = jnp.broadcast_to(self.weight, self.batch_shape).reshape(-1)[positions]
        return Scaled(self.base.take(positions), weight)


class Unit(Distribution):
    """The value without numbers, with a log density that is given: what `factor` observes.

    >>> Unit(2.0).log_prob(jnp.zeros(0)).item()
    2.0
    """

    log_weight: Any

    event_dim: ClassVar[int] = 1
    support: ClassVar[Support] = supports.nothing

    @property
    def batch_shape(self) -> tuple[int, ...]:
        return jnp.shape(self.log_weight)

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (0,)

    def __post_init__(self) -> None:
        object.__setattr__(self, "log_weight", as_parameter(self.log_weight, "Unit: log_weight"))

    @property
    def dtype(self) -> Any:
        kind = jnp.result_type(self.log_weight)  # perhaps of a shape alone
        return kind if jnp.issubdtype(kind, jnp.floating) else jnp.result_type(float)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        return jnp.zeros((*shape, *self.shape), self.dtype)

    def log_prob(self, value: Any) -> jax.Array:
        return jnp.broadcast_to(promote(self.log_weight)[0], jnp.shape(value)[:-1])

    def take(self, positions: Any) -> Distribution:
        return Unit(jnp.reshape(self.log_weight, -1)[positions])


class Subsample(Distribution):
    """`count` different indices of range(total), each subset as likely as any other.

    Its log density is 0 rather than log of one over the number of subsets: a plate's subsample is a way to compute,
    not a part of the model.

    >>> len(set(Subsample(10, 4).sample(jax.random.key(0)).tolist()))
    4
    """

    total: int = static()
    count: int = static()

    event_dim: ClassVar[int] = 1
    is_discrete: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 <= self.count <= self.total:
            raise ParameterError(f"Subsample: there are no {self.count} different indices of range({self.total}).")

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (self.count,)

    @property
    def support(self) -> Support:
        return supports.subset(self.total)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        size = int(np.prod(shape))
        draw = lambda k: jax.random.choice(k, self.total, (self.count,), replace=False)  # noqa: E731
        return jax.vmap(draw)(jax.random.split(key, size)).reshape((*shape, self.count)).astype(self.dtype)

    def log_prob(self, value: Any) -> jax.Array:
        return jnp.where(self.support(jnp.asarray(value)), 0.0, -jnp.inf)
