"""The interface of an automatic guide: a family of distributions on R^n, where the model's density lives."""

from __future__ import annotations

import abc
import dataclasses
from typing import Any, ClassVar

import jax

from storax.logprob.unconstraining import Density
from storax.models import Model
from storax.samplers.optimizing.starts import best, candidates

Params = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Family(abc.ABC):
    """A family of distributions on R^n; an instance holds its settings and no numbers.

    A subclass says `init` and `sample`; `log_prob` and `entropy` where there is a form for them.

    Attributes:
        has_log_prob: can the density be had at a point that the family did not draw, in one pass?
        sticks: is that density as accurate as the one of draws, so that "auto" may use it?
        is_point: is it a single point, whose "log density" is 0?
        is_local: does it know of sites that are drawn for a subsample of a plate?
    """

    has_log_prob: ClassVar[bool] = True
    sticks: ClassVar[bool] = True
    is_point: ClassVar[bool] = False
    is_local: ClassVar[bool] = False

    @abc.abstractmethod
    def init(self, density: Density, key: jax.Array, context: Any = None) -> Params:
        """Parameters to start with: a pytree of floats."""

    @abc.abstractmethod
    def sample(self, params: Params, key: jax.Array, context: Any = None) -> tuple[jax.Array, jax.Array]:
        """A draw `[d]` that can be differentiated with respect to the parameters, and its log density."""

    def log_prob(self, params: Params, z: jax.Array, context: Any = None) -> jax.Array:
        """The log density at z, `[d]`."""
        raise NotImplementedError

    def entropy(self, params: Params) -> jax.Array | None:
        """In nats; None where it has no closed form."""
        return None

    def companion(self) -> Model | None:
        """A function of the model's arguments that the family needs the values of."""
        return None

    def context(self, density: Density, features: Any, batch: Any = None) -> Any:
        """What draws depend on beside the parameters: the model's structure, and what `companion` returns.

        `batch`: plates with a subsample, name -> (indices, how many copies there are).
        """
        return None

    def pace(self, params: Params) -> Any:
        """By how much the default optimiser's steps are shortened, a pytree like the parameters."""
        return jax.tree.map(lambda _: 1.0, params)

    @property
    def finished(self) -> Family:
        """The family to draw from after the optimisation."""
        return self

    def finish(self, density: Density, params: Params) -> Params:
        """The parameters of `finished`, after the optimisation."""
        return params


def centre(density: Density, key: jax.Array) -> jax.Array:
    """Where a family starts: the best of a few random points and zero, `[d]`."""
    return best(density, candidates(density, key, {}).at[0].set(0.0))
