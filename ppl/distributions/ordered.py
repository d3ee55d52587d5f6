"""OrderedLogistic, OrderedProbit: ranks, a hidden number cut at points in order."""

from __future__ import annotations

import abc
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from storax import supports
from storax.distributions.base import is_known, promote
from storax.distributions.categorical import Choice
from storax.distributions.special import HALF_LOG_TWO_PI, log1mexp, log_ndtr
from storax.errors import ParameterError, ShapeError
from storax.supports import Support


class Ordered(Choice):
    """Base: the number of cutpoints below `predictor` plus noise; with K - 1 cutpoints, one of 0, ..., K - 1."""

    predictor: Any
    cutpoints: Any

    @abc.abstractmethod
    def _edges(self) -> tuple[jax.Array, jax.Array]:
        """Cutpoints less predictor, over the scale of the noise, `[*batch, K - 1]`; and their differences."""

    @staticmethod
    @abc.abstractmethod
    def _log_noise_cdf(z: jax.Array) -> jax.Array:
        """log P(noise <= z), of noise that is symmetric."""

    @staticmethod
    @abc.abstractmethod
    def _log_noise_between(z: jax.Array, gap: jax.Array) -> jax.Array:
        """log P(z < noise <= z + gap)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        shape = jnp.shape(self.cutpoints)
        if shape[-1] < 1:
            raise ShapeError(f"{self.name}: cutpoints must be a vector of at least 1 number, and has shape {shape}.")

    def validate(self) -> None:
        super().validate()
        if not is_known(self.cutpoints):
            return
        points = np.asarray(self.cutpoints)
        for index in np.argwhere(~(points[..., 1:] > points[..., :-1]))[:1]:
            *front, i = map(int, index)
            at = [f"cutpoints[{', '.join(map(str, [*front, j]))}] is {points[(*front, j)]}" for j in (i, i + 1)]
            raise ParameterError(f"{self.name}: cutpoints must increase, and {' and '.join(at)}.")

    @property
    def num_categories(self) -> int:
        return int(jnp.shape(self.cutpoints)[-1]) + 1

    def _table(self) -> jax.Array:
        edges, gaps = self._edges()
        edges = jnp.where((gaps > 0).all(-1, keepdims=True), edges, jnp.nan)  # in order?
        first, last = self._log_noise_cdf(edges[..., :1]), self._log_noise_cdf(-edges[..., -1:])
        return jnp.concatenate([first, self._log_noise_between(edges[..., :-1], gaps), last], edges.ndim - 1)

    def _tables(self) -> tuple[jax.Array, jax.Array]:
        edges, _ = self._edges()
        sure = jnp.zeros_like(edges[..., :1])
        below = jnp.concatenate([self._log_noise_cdf(edges), sure], edges.ndim - 1)
        return below, jnp.concatenate([self._log_noise_cdf(-edges), sure - jnp.inf], edges.ndim - 1)


class OrderedLogistic(Ordered):
    """Ranks whose log odds of not being above k are cutpoints[k] - predictor.

    Args:
        predictor: real.
        cutpoints: `[..., K - 1]`, increasing.

    >>> OrderedLogistic(0.0, [-1.0, 1.0]).mean.item()
    1.0
    """

    predictor: Any
    cutpoints: Any

    parameters: ClassVar[dict[str, Support]] = {"predictor": supports.real, "cutpoints": supports.real_vector}

    def _edges(self) -> tuple[jax.Array, jax.Array]:
        points, predictor = promote(self.cutpoints, jnp.expand_dims(promote(self.predictor)[0], -1))
        edges = points - predictor
        return edges, jnp.broadcast_to(jnp.diff(points, axis=-1), (*edges.shape[:-1], edges.shape[-1] - 1))

    @staticmethod
    def _log_noise_cdf(z: jax.Array) -> jax.Array:
        return jax.nn.log_sigmoid(z)

    @staticmethod
    def _log_noise_between(z: jax.Array, gap: jax.Array) -> jax.Array:
        # s(b) - s(a) = s(b) s(-a) (1 - e^(a - b)) with s the sigmoid
        return jax.nn.log_sigmoid(z + gap) + jax.nn.log_sigmoid(-z) + log1mexp(gap)


class OrderedProbit(Ordered):
    """Ranks: how many cutpoints a Normal(predictor, sigma) variable is above.

    Args:
        predictor: real (eta in PyMC).
        cutpoints: `[..., K - 1]`, increasing.
        sigma: positive.

    >>> round(OrderedProbit(0.0, [-1.0, 1.0]).mean.item(), 5)
    1.0
    """

    predictor: Any
    cutpoints: Any
    sigma: Any = 1.0

    parameters: ClassVar[dict[str, Support]] = {
        "predictor": supports.real,
        "cutpoints": supports.real_vector,
        "sigma": supports.positive,
    }

    def _edges(self) -> tuple[jax.Array, jax.Array]:
        points, predictor, sigma = promote(
            self.cutpoints, *(jnp.expand_dims(promote(x)[0], -1) for x in (self.predictor, self.sigma))
        )
        edges, gaps = (points - predictor) / sigma, jnp.diff(points, axis=-1) / sigma
        return edges, jnp.broadcast_to(gaps, (*edges.shape[:-1], edges.shape[-1] - 1))

    @staticmethod
    def _log_noise_cdf(z: jax.Array) -> jax.Array:
        return log_ndtr(_wide_enough(z))

    @staticmethod
    def _log_noise_between(z: jax.Array, gap: jax.Array) -> jax.Array:
        return log_normal_between(_wide_enough(z), _wide_enough(gap))


def _wide_enough(x: jax.Array) -> jax.Array:
    """JAX has no normal distribution function of 16 bits."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def log_normal_between(z: jax.Array, gap: jax.Array) -> jax.Array:
    """log P(z < Z <= z + gap) of a standard normal, for gaps of every size > 0."""
    half = gap / 2
    m = -jnp.abs(z + half)  # the middle, on the left: the mass is the same
    narrow = (gap < 1) & (gap * jnp.abs(m) < 1)
    h, y = jnp.where(narrow, half, 0.25), jnp.where(narrow, m, 0.0)
    # phi(m) times the integral of e^(-m t - t^2 / 2) over |t| < h: the sum of He_2j(m) h^2j / (2j + 1)!, times 2h.
    # With e_n = He_n(m) h^n / n!: e_(n+1) = (m h e_n - h^2 e_(n-1)) / (n + 1)
    before, now, total = jnp.zeros_like(h), jnp.ones_like(h), jnp.ones_like(h)
    for n in range(14):
        before, now = now, (y * h * now - h * h * before) / (n + 1)
        if n % 2:
            total = total + now / (n + 2)
    of_narrow = jnp.log(2 * h * total) - jnp.square(y) / 2 - HALF_LOG_TWO_PI
    wide, centre = jnp.where(narrow, 1.0, half), jnp.where(narrow, -1.0, m)
    upper, lower = log_ndtr(centre + wide), log_ndtr(centre - wide)
    return jnp.where(narrow, of_narrow, upper + log1mexp(upper - lower))
