"""Mixture, MixtureSameFamily: a component is chosen, and then a value of it."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from storax import supports
from storax.distributions.base import Distribution, is_known
from storax.distributions.categorical import Categorical
from storax.distributions.derived import refuse_mask, support_of_shapes
from storax.distributions.pieces import along_path, logsumexp, quantile
from storax.errors import ArgumentTypeError, ParameterError, ShapeError
from storax.supports import Support


class Mixed(Distribution):
    """Base of mixtures.  Quantities of the components come as arrays whose first axis are the components."""

    mixing_distribution: Any

    @property
    @abc.abstractmethod
    def first(self) -> Distribution:
        """A component, or all of them as one batch: what holds of any."""

    @property
    @abc.abstractmethod
    def size(self) -> int:
        """The number of components."""

    @abc.abstractmethod
    def _of_components(self, f: Callable[[Distribution], Any], event: int = 0) -> jax.Array:
        """`f` of each component, which answers with `event` axes at the end: `[size, ..., *batch_shape, *event]`."""

    @abc.abstractmethod
    def _at(self, name: str, value: Any) -> jax.Array:
        """A function of each component at a value: `[size, ..., *batch_shape]`."""

    def __post_init__(self) -> None:
        if not isinstance(self.mixing_distribution, Distribution):
            object.__setattr__(self, "mixing_distribution", Categorical(probs=self.mixing_distribution))
        weights = self.mixing_distribution
        if weights.event_dim or not weights.is_discrete:
            raise ArgumentTypeError(f"{self.name}: mixing_distribution must be a Categorical, and is {weights!r}.")
        if isinstance(weights, Categorical) and weights.num_categories != self.size:
            raise ShapeError(
                f"{self.name}: mixing_distribution has {weights.num_categories} categories, and there are {self.size} "
                f"components."
            )
        super().__post_init__()

    @property
    def event_shape(self) -> tuple[int, ...]:
        return self.first.event_shape

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        return self.first.event_dim

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        return self.first.is_discrete

    @property
    def reparameterized(self) -> bool:  # type: ignore[override]
        """Where draws move along with the distribution function: numbers, if it has derivatives in all parameters."""
        if self.is_discrete or self.event_dim:
            return False
        leaves, tree = jax.tree.flatten(self)
        moving = [i for i, x in enumerate(leaves) if jnp.issubdtype(jnp.result_type(x), jnp.floating)]

        def slopes(values: list[Any]) -> Any:
            def log_cdf(values: list[Any]) -> jax.Array:
                full = list(leaves)
                for i, x in zip(moving, values, strict=True):
                    full[i] = x
                return jax.tree.unflatten(tree, full).log_cdf(jnp.zeros(self.batch_shape))

            return jax.jvp(log_cdf, (values,), (values,))

        try:
            jax.eval_shape(slopes, [leaves[i] for i in moving])
        except ValueError:  # NotMeasurable, or that of jax.scipy's betainc, which has none in its parameters
            return False
        return True

    def _log_weights(self, ndim: int, event: int = 0) -> jax.Array:
        """`[size, 1, ..., *batch]` with `ndim` axes after the first, `event` of them at the end."""
        mixing = self.mixing_distribution
        if isinstance(mixing, Categorical):
            table = jnp.moveaxis(mixing._table(), -1, 0)
        else:
            table = mixing.log_prob(jnp.arange(self.size).reshape(-1, *(1,) * len(mixing.batch_shape)))
        front = ndim - event - (table.ndim - 1)
        return table.reshape(self.size, *(1,) * front, *table.shape[1:], *(1,) * event)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        which_key, key = jax.random.split(key)
        which = self.mixing_distribution.expand(self.batch_shape).sample(which_key, shape)
        draws = self._draws(key, shape)
        index = which.reshape(1, *which.shape, *(1,) * self.event_dim)
        x = jnp.take_along_axis(draws, jnp.broadcast_to(index, (1, *draws.shape[1:])), 0)[0]
        if not self.reparameterized:
            return x
        x = lax.stop_gradient(x)
        below, above = self.log_cdf(x), self.log_survival(x)
        lower = below < above
        total = logsumexp(self._log_weights(x.ndim), 0)  # weights are relative to their sum, as the choice is
        return along_path(x, jnp.where(lower, below, above) - total, self.log_prob(x), lower).astype(self.dtype)

    @abc.abstractmethod
    def _draws(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        """A draw of each component, `[size, *shape, *batch_shape, *event_shape]`."""

    def _sum(self, name: str, value: Any) -> jax.Array:
        scores = self._at(name, value)
        return logsumexp(scores + self._log_weights(scores.ndim - 1), 0)

    def log_prob(self, value: Any) -> jax.Array:
        return self._sum("log_prob", value)

    def log_cdf(self, value: Any) -> jax.Array:
        return self._sum("log_cdf", value)

    def log_survival(self, value: Any) -> jax.Array:
        return self._sum("log_survival", value)

    def icdf(self, q: Any) -> jax.Array:
        if self.event_dim:
            return super().icdf(q)
        return quantile(self, q)

    def _mean(self, x: jax.Array, event: int) -> jax.Array:
        return (jnp.exp(self._log_weights(x.ndim - 1, event)) * x).sum(0)

    @property
    def mean(self) -> jax.Array:
        return self._mean(self._of_components(lambda d: d.mean, self.event_dim), self.event_dim)

    @property
    def variance(self) -> jax.Array:
        n = self.event_dim
        gap = self._of_components(lambda d: d.mean, n) - self.mean[None]
        return self._mean(self._of_components(lambda d: d.variance, n) + jnp.square(gap), n)

    @property
    def covariance(self) -> jax.Array:
        if self.event_dim != 1:
            return super().covariance
        gap = self._of_components(lambda d: d.mean, 1) - self.mean[None]
        inner = self._of_components(lambda d: d.covariance, 2)
        return self._mean(inner + gap[..., :, None] * gap[..., None, :], 2)


class Mixture(Mixed):
    """A choice among distributions of any kinds, and then a value of the chosen one.

    Draws of numbers have the gradients of the implicit function (Figurnov et al. 2018), if all components have a
    distribution function with derivatives in its parameters; others, as those of arrays and counts, have none for the
    weights (`reparameterized` is False).

    Args:
        mixing_distribution: a `Categorical` of K categories; or their probabilities, `[..., K]`.
        component_distributions: K distributions of values of the same shape.  Densities must have the same support,
            where `positive` and `nonnegative` count as one; counts may have any.

    >>> from storax.distributions import HalfNormal, Gamma
    >>> Mixture([0.5, 0.5], [HalfNormal(1.0), Gamma(2.0, 2.0)]).support
    nonnegative
    """

    mixing_distribution: Any
    component_distributions: Any

    def __post_init__(self) -> None:
        if isinstance(self.component_distributions, Distribution):
            raise ArgumentTypeError(
                "Mixture: component_distributions must be a list of distributions; for one batch of them use "
                "MixtureSameFamily."
            )
        parts = list(self.component_distributions)
        object.__setattr__(self, "component_distributions", parts)
        if not parts or not all(isinstance(d, Distribution) for d in parts):
            raise ArgumentTypeError(f"Mixture: component_distributions must be distributions, and are {parts!r}.")
        for d in parts:
            refuse_mask("Mixture", d)
            if d.is_discrete != parts[0].is_discrete:
                raise ArgumentTypeError(f"Mixture: {parts[0]!r} and {d!r} are a density and a mass; they do not mix.")
            if d.event_shape != parts[0].event_shape:
                raise ShapeError(
                    f"Mixture: the components must have the same event shape, and {parts[0]!r} has "
                    f"{parts[0].event_shape}, {d!r} has {d.event_shape}."
                )
        super().__post_init__()

    @property
    def first(self) -> Distribution:
        d: Distribution = self.component_distributions[0]
        return d

    @property
    def size(self) -> int:
        return len(self.component_distributions)

    @property
    def batch_shape(self) -> tuple[int, ...]:
        parts = [self.mixing_distribution, *self.component_distributions]
        try:
            return np.broadcast_shapes(*(d.batch_shape for d in parts))
        except ValueError:
            listing = ", ".join(f"{d!r} has {d.batch_shape}" for d in parts)
            raise ShapeError(f"Mixture: the batch shapes do not broadcast: {listing}.") from None

    @property
    def dtype(self) -> Any:
        return jnp.result_type(*(d.dtype for d in self.component_distributions))

    @support_of_shapes
    def support(self) -> Support:
        return _union([d.support for d in self.component_distributions])

    def _of_components(self, f: Callable[[Distribution], Any], event: int = 0) -> jax.Array:
        answers = [jnp.asarray(f(d)) for d in self.component_distributions]
        shape = (*self.batch_shape, *answers[0].shape[answers[0].ndim - event :])
        return jnp.stack([jnp.broadcast_to(a, shape) for a in answers])

    def _at(self, name: str, value: Any) -> jax.Array:
        answers = [getattr(d, name)(value) for d in self.component_distributions]
        shape = jnp.broadcast_shapes(self.batch_shape, *(a.shape for a in answers))
        return jnp.stack([jnp.broadcast_to(a, shape) for a in answers])

    def _draws(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        keys = jax.random.split(key, self.size)
        parts = [d.expand(self.batch_shape) for d in self.component_distributions]
        return jnp.stack([d.sample(k, shape) for d, k in zip(parts, keys, strict=True)])

    def take(self, positions: Any) -> Distribution:
        mixing, *parts = (
            d.expand(self.batch_shape).take(positions)
            for d in (self.mixing_distribution, *self.component_distributions)
        )
        return Mixture(mixing, parts)

    def validate(self) -> None:
        for d in (self.mixing_distribution, *self.component_distributions):
            d.validate()
        refuse_other_supports("Mixture", [d.support for d in self.component_distributions])


class MixtureSameFamily(Mixed):
    """A choice among the distributions along the last batch axis of one, and then a value of the chosen one.

    Args:
        mixing_distribution: a `Categorical` of K categories; or their probabilities, `[..., K]`.
        component_distribution: of batch shape `[..., K]`.

    >>> from storax.distributions import Normal
    >>> d = MixtureSameFamily([0.25, 0.75], Normal(jnp.array([-1.0, 1.0]), 1.0))
    >>> d.batch_shape, d.mean.item()
    ((), 0.5)
    """

    mixing_distribution: Any
    component_distribution: Any

    def __post_init__(self) -> None:
        d = self.component_distribution
        if not isinstance(d, Distribution) or not d.batch_shape:
            raise ArgumentTypeError(
                f"MixtureSameFamily: component_distribution must be a distribution with a batch shape, whose last axis "
                f"are the components, and is {d!r}."
            )
        refuse_mask("MixtureSameFamily", d)
        super().__post_init__()

    @property
    def first(self) -> Distribution:
        d: Distribution = self.component_distribution
        return d

    @property
    def size(self) -> int:
        return int(self.first.batch_shape[-1])

    @property
    def batch_shape(self) -> tuple[int, ...]:
        mixing, own = self.mixing_distribution.batch_shape, self.first.batch_shape[:-1]
        try:
            return np.broadcast_shapes(mixing, own)
        except ValueError:
            raise ShapeError(
                f"MixtureSameFamily: the batch shapes do not broadcast: mixing_distribution has {mixing}, and "
                f"component_distribution, without its last axis, {own}."
            ) from None

    @property
    def dtype(self) -> Any:
        return self.first.dtype

    @support_of_shapes
    def support(self) -> Support:
        d = self.first
        if not jax.tree.leaves(d.support):
            return d.support
        return _union([d[..., k].support for k in range(self.size)])

    def _of_components(self, f: Callable[[Distribution], Any], event: int = 0) -> jax.Array:
        answer = jnp.moveaxis(f(self.first), -1 - event, 0)
        return jnp.broadcast_to(answer, (self.size, *self.batch_shape, *answer.shape[answer.ndim - event :]))

    def _at(self, name: str, value: Any) -> jax.Array:
        x = jnp.asarray(value)
        answer = jnp.moveaxis(getattr(self.first, name)(jnp.expand_dims(x, x.ndim - self.event_dim)), -1, 0)
        return jnp.broadcast_to(answer, (self.size, *jnp.broadcast_shapes(answer.shape[1:], self.batch_shape)))

    def _draws(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        draws = self.first.expand((*self.batch_shape, self.size)).sample(key, shape)
        return jnp.moveaxis(draws, -1 - self.event_dim, 0)

    def take(self, positions: Any) -> Distribution:
        mixing = self.mixing_distribution.expand(self.batch_shape).take(positions)
        spread = self.first.expand((*self.batch_shape, self.size))
        each = jnp.expand_dims(jnp.asarray(positions), -1) * self.size
        return MixtureSameFamily(
            mixing, spread.take(each + jnp.arange(self.size).reshape((1,) * (each.ndim - 1) + (-1,)))
        )

    def validate(self) -> None:
        self.mixing_distribution.validate()
        self.first.validate()
        if jax.tree.leaves(self.first.support):
            refuse_other_supports(self.name, [self.first[..., k].support for k in range(self.size)])


def refuse_other_supports(name: str, given: list[Support]) -> None:
    """Refuse densities on different sets, as far as they are known; counts may have any.

    Raises:
        ParameterError: with the two that differ.
    """
    for support in given[1:]:
        if not (given[0].is_discrete or _alike(given[0], support)):
            raise ParameterError(
                f"{name}: the components must have the same support, and theirs are {given[0]!r} and {support!r}."
            )


def _alike(a: Support, b: Support) -> bool:
    """Are they the same set, as far as is known?  An open end and a closed one count as one."""
    if a == b:
        return True
    of_a, of_b = supports.ends(a), supports.ends(b)
    numbers = of_a is not None and of_b is not None
    x, y = (of_a or (), of_b or ()) if numbers else (tuple(jax.tree.leaves(a)), tuple(jax.tree.leaves(b)))
    structure: Any = jax.tree.structure(a)
    if not numbers and structure != jax.tree.structure(b):
        return False
    if not all(map(is_known, (*x, *y))):
        return type(a) is type(b)
    with jax.ensure_compile_time_eval():
        return all(bool(np.all(np.asarray(v) == np.asarray(w))) for v, w in zip(x, y, strict=True))


def _union(given: list[Support]) -> Support:
    """The support of a mixture: the one of all components, or the whole numbers from the lowest to the highest."""
    if all(s == given[0] for s in given):
        return given[0]
    pairs = [supports.ends(s) for s in given]
    if any(p is None for p in pairs):
        return given[0]
    low, high = pairs[0] or (0, 0)
    for a, b in [p for p in pairs[1:] if p is not None]:
        low, high = supports.smaller(low, a), supports.larger(high, b)
    return supports.range_between(low, high, given[0].is_discrete)
