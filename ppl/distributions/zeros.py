"""ZeroInflated, Hurdle: counts with more zeros, or fewer, than another distribution has."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from storax import supports
from storax.distributions.base import Distribution, promote
from storax.distributions.bernoulli import entropy_of_chances
from storax.distributions.chances import Chances, check_one_given, pass_nan, successes
from storax.distributions.negative_binomial import NegativeBinomial2
from storax.distributions.poisson import Poisson
from storax.distributions.searching import quantile, smallest
from storax.distributions.special import log1mexp
from storax.errors import ArgumentTypeError, ShapeError
from storax.supports import Support


class Gated(Distribution):
    """Base: a gate that gives 0, and a distribution of counts behind it."""

    base: Distribution
    gate: Any = None
    gate_logits: Any = None

    parameters: ClassVar[dict[str, Support]] = {"gate": supports.unit_interval, "gate_logits": supports.real}
    is_discrete: ClassVar[bool] = True

    def __post_init__(self) -> None:
        base = self.base
        if not isinstance(base, Distribution) or not base.is_discrete or base.event_dim:
            raise ArgumentTypeError(f"{self.name}: base must be a distribution of counts, one at a time, got {base!r}.")
        if base.support == supports.integer or np.any(np.asarray(getattr(base.support, "low", 0)) < 0):
            raise ArgumentTypeError(f"{self.name}: base must have no negative values, got {base!r}.")
        check_one_given(self.name, self.gate, self.gate_logits, ("gate", "gate_logits"))
        super().__post_init__()

    def validate(self) -> None:
        super().validate()
        self.base.validate()

    @property
    def batch_shape(self) -> tuple[int, ...]:
        gate, base = Distribution.batch_shape.fget(self), self.base.batch_shape  # type: ignore[attr-defined]
        try:
            return np.broadcast_shapes(gate, base)
        except ValueError:
            raise ShapeError(
                f"{self.name}: the gate does not broadcast with base: the gate has shape {gate}, base {base}."
            ) from None

    @property
    def support(self) -> Support:
        return self.base.support

    @property
    def dtype(self) -> Any:
        return self.base.dtype

    @property
    def _gate(self) -> Chances:
        return Chances.of(self.gate, self.gate_logits)

    @property
    def _log_zero(self) -> jax.Array:
        """The base's log mass at 0."""
        return self.base.log_prob(jnp.zeros((), jnp.result_type(int)))

    def take(self, positions: Any) -> Distribution:
        gates = {
            n: None if x is None else jnp.broadcast_to(jnp.asarray(x), self.batch_shape).reshape(-1)[positions]
            for n, x in (("gate", self.gate), ("gate_logits", self.gate_logits))
        }
        return self.replace(base=self.base.expand(self.batch_shape).take(positions), **gates)

    def icdf(self, q: Any) -> jax.Array:
        return quantile(self, q, 0)

    def _loss_of_rest(self) -> tuple[jax.Array, jax.Array, Chances]:
        """-sum of p log p over the counts of the base above 0, the log probability of those, and the gate's chances."""
        whole, log_zero, log_rest, gate = self._gate.beside(self.base.entropy(), self._log_zero, self._log_rest)
        possible = log_zero > -jnp.inf
        log_zero = jnp.where(possible, log_zero, 0.0)
        at_zero = jnp.where(possible, jnp.exp(log_zero) * log_zero, 0.0)
        return jnp.maximum(whole + at_zero, 0.0), log_rest, gate

    @property
    def _log_rest(self) -> jax.Array:
        """The log probability that the base is not 0."""
        return log1mexp(-self._log_zero)


class ZeroInflated(Gated):
    """0 with probability gate, else a count of base, which may be 0 too.

    Args:
        base: a distribution of counts.
        gate: in [0, 1].
        gate_logits: log(gate / (1 - gate)), real; instead of gate.

    >>> ZeroInflated(Poisson(4.0), gate=0.25).mean.item()
    3.0
    """

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        of_gate, of_base = jax.random.split(key)
        shut = successes(of_gate, self._gate.p, (*shape, *self.batch_shape))
        return jnp.where(shut, 0, self.base.expand(self.batch_shape).sample(of_base, shape))

    def log_prob(self, value: Any) -> jax.Array:
        x, score, log_zero, gate = self._gate.beside(value, self.base.log_prob(value), self._log_zero)
        return pass_nan(x, jnp.where(x == 0, _open_or(gate, log_zero), gate.log_q + score))

    def log_cdf(self, value: Any) -> jax.Array:
        x, score, gate = self._gate.beside(value, self.base.log_cdf(value))
        return pass_nan(x, jnp.where(x < 0, -jnp.inf, _open_or(gate, score)))

    def log_survival(self, value: Any) -> jax.Array:
        x, score, gate = self._gate.beside(value, self.base.log_survival(value))
        return pass_nan(x, jnp.where(x < 0, 0.0, gate.log_q + score))

    @property
    def mean(self) -> jax.Array:
        mean, gate = self._gate.beside(self.base.mean)
        return gate.q * mean

    @property
    def variance(self) -> jax.Array:
        mean, variance, gate = self._gate.beside(self.base.mean, self.base.variance)
        return gate.q * (variance + gate.p * jnp.square(mean))

    @property
    def mode(self) -> jax.Array:
        mode = jnp.broadcast_to(self.base.mode, self.batch_shape)
        zero = jnp.zeros_like(mode)
        return jnp.where(self.log_prob(zero) >= self.log_prob(mode), zero, mode)

    def entropy(self) -> jax.Array:
        inner, log_rest, gate = self._loss_of_rest()
        score, _ = promote(self.log_prob(jnp.zeros((), jnp.result_type(int))), inner)
        beyond = gate.q * (inner - jnp.exp(log_rest) * jnp.where(gate.q > 0, gate.log_q, 0.0))
        return beyond - jnp.exp(score) * jnp.where(score > -jnp.inf, score, 0.0)


class Hurdle(Gated):
    """0 with probability gate, else a count of base that is not 0.

    Draws, but not densities, need the log survival of base.

    Args:
        base: a distribution of counts.
        gate: in [0, 1].
        gate_logits: log(gate / (1 - gate)), real; instead of gate.

    >>> round(Hurdle(Poisson(4.0), gate=0.25).cdf(0).item(), 6)
    0.25
    """

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        of_gate, of_base = jax.random.split(key)
        full = (*shape, *self.batch_shape)
        shut = successes(of_gate, self._gate.p, full)
        # By the quantile of the upper tail, since a count above 0 may be too rare to wait for.
        noise, log_rest = promote(-jax.random.exponential(of_base, full, self._log_rest.dtype), self._log_rest)
        most = jnp.iinfo(self.dtype).max
        rare = smallest(lambda k: self.base.log_survival(k) <= noise + log_rest, 1, most, full)
        return jnp.where(shut, 0, rare).astype(self.dtype)

    def log_prob(self, value: Any) -> jax.Array:
        x, score, log_rest, gate = self._gate.beside(value, self.base.log_prob(value), self._log_rest)
        impossible = log_rest == -jnp.inf
        beyond = gate.log_q - jnp.where(impossible, 0.0, log_rest)
        return pass_nan(x, jnp.where(x == 0, gate.log_p, jnp.where(impossible, -jnp.inf, beyond) + score))

    def log_cdf(self, value: Any) -> jax.Array:
        x, survival, gate = self._gate.beside(value, self._behind(self.base.log_survival(value)))
        low = (x < 1) | jnp.isnan(x)
        below = log1mexp(-jnp.where(low, -1.0, jnp.minimum(survival, 0.0)))
        return pass_nan(x, jnp.where(x < 0, -jnp.inf, jnp.where(low, gate.log_p, _open_or(gate, below))))

    def log_survival(self, value: Any) -> jax.Array:
        x, score, gate = self._gate.beside(value, self._behind(self.base.log_survival(value)))
        return pass_nan(x, jnp.where(x < 0, 0.0, gate.log_q + jnp.where(x < 1, 0.0, score)))

    def _behind(self, score: jax.Array) -> jax.Array:
        """Of the base, given that it is not 0."""
        score, log_rest = promote(score, self._log_rest)
        impossible = (score == -jnp.inf) | (log_rest == -jnp.inf)
        return jnp.where(impossible, -jnp.inf, score - jnp.where(impossible, 0.0, log_rest))

    @property
    def mean(self) -> jax.Array:
        mean, log_rest, gate = self._gate.beside(self.base.mean, self._log_rest)
        return gate.q * (mean * jnp.exp(-log_rest))

    @property
    def variance(self) -> jax.Array:
        mean, variance, log_rest, gate = self._gate.beside(self.base.mean, self.base.variance, self._log_rest)
        centre = mean * jnp.exp(-log_rest)
        inner = variance * jnp.exp(-log_rest) + mean * centre - jnp.square(centre)  # given that it is not 0
        return gate.q * (inner + gate.p * jnp.square(centre))

    @property
    def mode(self) -> jax.Array:
        """0, 1, the base's mode, or its highest count: where a base with one peak, or with two at its ends, is highest
        apart from 0."""
        ends = supports.ends(self.base.support)
        last = ends[1] if ends is not None and not supports.infinite(ends[1]) else 1
        places = [jnp.broadcast_to(jnp.asarray(k, self.dtype), self.batch_shape) for k in (0, 1, self.base.mode, last)]
        near = jnp.stack(places)
        return jnp.take_along_axis(near, jnp.argmax(self.log_prob(near), 0)[None], 0)[0]

    def entropy(self) -> jax.Array:
        inner, log_rest, gate = self._loss_of_rest()
        possible = log_rest > -jnp.inf
        log_rest = jnp.where(possible, log_rest, 0.0)
        behind = jnp.where(possible, inner * jnp.exp(-log_rest) + log_rest, 0.0)
        return entropy_of_chances(gate) + gate.q * behind


def _open_or(gate: Chances, score: jax.Array) -> jax.Array:
    """log(gate + (1 - gate) e^score), whichever of the two is the larger, with a finite gradient at gate 0."""
    small = gate.log_p < score
    of_small = jnp.where(small, score, 0.0)
    rest = jnp.log1p(jnp.where(small, gate.p * jnp.expm1(jnp.minimum(-of_small, 80.0)), 0.0))
    possible = ~small & (gate.log_p > -jnp.inf)
    of_large = jnp.where(possible, gate.log_p, -jnp.inf)
    finite = possible & (score > -jnp.inf)
    ratio = jnp.exp(jnp.where(finite, score - jnp.where(finite, gate.log_p, 0.0), -jnp.inf))
    return jnp.where(small, of_small + rest, of_large + jnp.log1p(gate.q * ratio))


def ZeroInflatedPoisson(gate: Any = None, rate: Any = 1.0, *, gate_logits: Any = None) -> ZeroInflated:
    """`ZeroInflated(Poisson(rate), gate)`.

    >>> ZeroInflatedPoisson(0.5, 2.0).mean.item()
    1.0
    """
    return ZeroInflated(Poisson(rate), gate, gate_logits)


def ZeroInflatedNegativeBinomial2(
    mean: Any, concentration: Any, *, gate: Any = None, gate_logits: Any = None
) -> ZeroInflated:
    """`ZeroInflated(NegativeBinomial2(mean, concentration), gate)`.

    >>> ZeroInflatedNegativeBinomial2(2.0, 5.0, gate=0.5).mean.item()
    1.0
    """
    return ZeroInflated(NegativeBinomial2(mean, concentration), gate, gate_logits)
