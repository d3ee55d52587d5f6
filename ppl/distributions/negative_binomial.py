"""NegativeBinomial, NegativeBinomial2, GammaPoisson: Poisson counts whose rate is gamma distributed."""

from __future__ import annotations

import abc
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.chances import Chances, check_one_given, pass_nan
from storax.distributions.geometric import refuse
from storax.distributions.incomplete import log_beta_tails
from storax.distributions.masses import log_negative_binomial
from storax.distributions.poisson import poisson_draws
from storax.distributions.searching import as_count, quantile
from storax.distributions.summing import entropy
from storax.errors import ParameterError
from storax.supports import Support


class FailuresFirst(Distribution):
    """Base: successes before the failure number `_size`, which need not be whole; `_chances` are those of a success."""

    support: ClassVar[Support] = supports.nonnegative_integer
    is_discrete: ClassVar[bool] = True

    @property
    @abc.abstractmethod
    def _size(self) -> Any: ...

    @property
    @abc.abstractmethod
    def _chances(self) -> Chances: ...

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        full = (*shape, *self.batch_shape)
        of_rate, of_count = jax.random.split(key)
        size, chances = self._chances.beside(self._size)
        size = size.astype(chances.p.dtype)
        # Logarithms: a draw of Gamma(0.001) itself is too small for a float more often than not.
        log_rate, log_odds = promote(jax.random.loggamma(of_rate, size, full), chances.log_p - chances.log_q)
        return poisson_draws(of_count, jnp.exp(log_rate + log_odds), full, self.dtype)

    def log_prob(self, value: Any) -> jax.Array:
        x, size, chances = self._chances.beside(value, self._size)
        inside = (x >= 0) & (x < jnp.inf) & (jnp.floor(x) == x)
        score = within(inside, log_negative_binomial(jnp.where(inside, x, 0.0), size, chances))
        return self._or_nan(pass_nan(x, score), chances.log_q > -jnp.inf)

    def log_cdf(self, value: Any) -> jax.Array:
        return self._tail(value, upper=False)

    def log_survival(self, value: Any) -> jax.Array:
        return self._tail(value, upper=True)

    def _tail(self, value: Any, upper: bool) -> jax.Array:
        x, size, chances = self._chances.beside(value, self._size)
        inside = (x >= 0) & (x < jnp.inf)
        possible = chances.log_p > -jnp.inf
        k = jnp.where(inside, jnp.floor(x), 0.0)
        safe = Chances(*(jnp.where(possible, y, z) for y, z in zip(chances, Chances.of(0.5), strict=True)))
        # P(X > k) = I_p(k + 1, size)
        score = log_beta_tails(k + 1, size, safe)[0 if upper else 1]
        return pass_nan(x, jnp.where(inside & possible, score, jnp.where((x < 0) == upper, 0.0, -jnp.inf)))

    def icdf(self, q: Any) -> jax.Array:
        return quantile(self, q, 0)

    @property
    def mean(self) -> jax.Array:
        size, chances = self._chances.beside(self._size)
        return size * (chances.p / chances.q)

    @property
    def variance(self) -> jax.Array:
        size, chances = self._chances.beside(self._size)
        return size * (chances.p / jnp.square(chances.q))

    @property
    def mode(self) -> jax.Array:
        size, chances = self._chances.beside(self._size)
        return as_count(jnp.floor(jnp.maximum(size - 1, 0.0) * (chances.p / chances.q)), self.dtype)

    def entropy(self) -> jax.Array:
        """A sum: of many terms, where the size is small and the mean is large."""
        size, chances = self._chances.beside(self._size)
        mean = size * (chances.p / chances.q)
        return entropy(_log_mass, 0.0, jnp.inf, mean, mean / chances.q, True, size, *chances)


def _log_mass(k: jax.Array, size: jax.Array, *chances: jax.Array) -> jax.Array:
    return log_negative_binomial(k, size, Chances(*chances))


class NegativeBinomial(FailuresFirst):
    """Successes before the failure number total_count, as in NumPyro: the mean is total_count times the odds.

    Args:
        total_count: of failures, positive; it need not be whole.
        probs: of a success, in [0, 1).
        logits: log(probs / (1 - probs)), real; instead of probs.
        mean, concentration: instead of all of those, what makes it `NegativeBinomial2(mean, concentration)`.

    >>> NegativeBinomial(3.0, probs=0.5).mean.item()
    3.0
    >>> NegativeBinomial(mean=3.0, concentration=10.0)
    NegativeBinomial2(mean=3.0, concentration=10.0)
    """

    total_count: Any
    probs: Any = None
    logits: Any = None

    parameters: ClassVar[dict[str, Support]] = {
        "total_count": supports.positive,
        "probs": supports.unit_interval,
        "logits": supports.real,
    }

    def __new__(cls, *args: Any, mean: Any = None, concentration: Any = None, **kwargs: Any) -> Any:
        if mean is None and concentration is None:
            return object.__new__(cls)
        if args or kwargs:
            raise ParameterError(
                "NegativeBinomial needs total_count and one of probs and logits, or mean and concentration, and got "
                "some of both."
            )
        return NegativeBinomial2(mean, concentration)

    def __post_init__(self) -> None:
        check_one_given(self.name, self.probs, self.logits)
        super().__post_init__()

    def validate(self) -> None:
        super().validate()
        refuse(self, "probs", lambda p: p >= 1, "below 1, for there to be a last failure")

    @property
    def _size(self) -> Any:
        return self.total_count

    @property
    def _chances(self) -> Chances:
        return Chances.of(self.probs, self.logits)


class NegativeBinomial2(FailuresFirst):
    """The negative binomial by its mean: the variance is mean + mean^2 / concentration.

    Args:
        mean: positive.
        concentration: positive; as it grows, the distribution becomes Poisson(mean).

    >>> NegativeBinomial2(4.0, 2.0).variance.item()
    12.0
    """

    mean: Any = None  # a field, in place of the base's property
    concentration: Any = None

    parameters: ClassVar[dict[str, Support]] = {"mean": supports.positive, "concentration": supports.positive}

    def __post_init__(self) -> None:
        if self.mean is None or self.concentration is None:
            given = "neither" if self.mean is self.concentration else "only one"
            raise ParameterError(f"{self.name} needs both mean and concentration, and got {given}.")
        super().__post_init__()
        if jnp.shape(self.mean) != self.batch_shape:
            object.__setattr__(self, "mean", jnp.broadcast_to(self.mean, self.batch_shape))

    @property
    def _size(self) -> Any:
        return self.concentration

    @property
    def _chances(self) -> Chances:
        return Chances.of_odds(self.mean, self.concentration)

    @property
    def variance(self) -> jax.Array:
        mean, concentration = promote(self.mean, self.concentration)
        return mean + mean * (mean / concentration)


class GammaPoisson(FailuresFirst):
    """Poisson counts with a rate that is Gamma(concentration, rate) distributed.

    Args:
        concentration: positive.
        rate: positive; the mean is concentration / rate.

    >>> GammaPoisson(6.0, 2.0).mean.item()
    3.0
    """

    concentration: Any
    rate: Any = 1.0

    parameters: ClassVar[dict[str, Support]] = {"concentration": supports.positive, "rate": supports.positive}

    @property
    def _size(self) -> Any:
        return self.concentration

    @property
    def _chances(self) -> Chances:
        return Chances.of_odds(1.0, self.rate)
