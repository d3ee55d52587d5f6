"""What samplers of Hamiltonian motion have in common: settings, and the pair of pure functions `init` and `step`.

A kernel's transition is a state machine that takes one gradient at a time: `begin` makes a trajectory of one point,
`extend` adds a leaf, and when it is `done` its `draw` is the next one.  Whoever drives it (a loop in `step`, or all
chains of `storax.samplers.driving.driver`) hands over the random numbers.
"""

from __future__ import annotations

import abc
import dataclasses
import math
import numbers
from collections.abc import Callable
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.flatten_util import ravel_pytree

from storax.errors import ArgumentTypeError, SettingsError
from storax.pytrees import Pytree, static
from storax.samplers.kernels.integrators import ValueAndGrad
from storax.samplers.kernels.metrics import AnyMetric, Metric
from storax.samplers.kernels.trajectory import Draw

LogDensity = Callable[[Any], jax.Array]


class State(Pytree):
    """Where a chain is between two steps, and how it moves."""

    position: Any  # pytree of floats
    log_density: jax.Array
    gradient: Any  # like position
    step_size: jax.Array
    inverse_mass_matrix: jax.Array  # [d] or [d, d]


class Kernel(Pytree, abc.ABC):
    """Settings, and the transition of a subclass.  Equal settings are equal kernels, and hash alike.

    A subclass has static fields of its own, `name`, `columns`, `begin`, `extend`, `memory` and `describe`.
    """

    inverse_mass_matrix: Any  # None, a number, [d] or [d, d]: the one leaf
    step_size: float | None = static()
    target_accept: float = static()
    dense_mass: bool = static()
    low_rank_mass: bool = static()
    jitter: float = static()

    name = "kernel"

    @property
    @abc.abstractmethod
    def columns(self) -> dict[str, Any]:
        """Statistics of a draw, fields of what `describe` returns, and their types; None is that of the positions."""

    @abc.abstractmethod
    def memory(self, like: jax.Array) -> Any:
        """What a trajectory at positions `like` notes down besides; it is not emptied between two."""

    @abc.abstractmethod
    def begin(self, metric: AnyMetric, noise: jax.Array, draw: Draw) -> Any:
        """A trajectory of one point; `noise` is `[d]` standard normal."""

    @abc.abstractmethod
    def extend(
        self, value_and_grad: ValueAndGrad, metric: AnyMetric, step_size: jax.Array, uniforms: jax.Array, still: Any,
        tree: Any, memory: Any,
    ) -> tuple[Any, Any]:  # fmt: skip
        """One leaf more, which is the only one and no draw if the chain is to be `still`; `uniforms` are `[3]`."""

    @abc.abstractmethod
    def describe(self, tree: Any, step_size: jax.Array) -> Any:
        """The statistics of a trajectory."""

    def init(self, position: Any, log_density: LogDensity) -> State:
        """The state of a chain that starts at `position`, a pytree of floats.

        The step size and inverse mass matrix of the state are the kernel's (ones, if it has none); another one is set
        by `state.replace(step_size=...)`.

        Raises:
            SettingsError: the kernel has no step size; only `run` and `mcmc` adapt one.
            ArgumentTypeError: the position holds something else than floats.
        """
        if self.step_size is None:
            raise SettingsError(
                f"{self.name}: a kernel that is stepped by hand needs a step size, {self.name}(step_size=0.1, "
                "inverse_mass_matrix=...); sx.mcmc and storax.samplers.driving.driver.run find one in their warm-up."
            )
        flat, _ = _flatten(position)
        value, gradient = jax.value_and_grad(lambda x: log_density(x).astype(flat.dtype))(position)
        step_size = jnp.asarray(self.step_size, flat.dtype)
        return State(position, value, gradient, step_size, self.initial_inverse_mass(flat))

    def step(self, key: jax.Array, state: State, log_density: LogDensity) -> tuple[State, Any]:
        """One transition, that leaves the density invariant.

        Pure: may be jitted, vmapped over chains (states, keys) and scanned.

        >>> import jax, jax.numpy as jnp
        >>> from storax.samplers.kernels.nuts import nuts
        >>> kernel = nuts(step_size=0.5)
        >>> log_density = lambda x: -0.5 * (x["a"] ** 2 + x["b"] ** 2)
        >>> state = kernel.init({"a": 1.0, "b": 2.0}, log_density)
        >>> state, info = jax.jit(lambda key, s: kernel.step(key, s, log_density))(jax.random.key(0), state)
        >>> bool(info.diverging)
        False
        """
        flat, unflatten = _flatten(state.position)
        value_and_grad = jax.value_and_grad(lambda x: log_density(unflatten(x)).astype(flat.dtype))
        metric = Metric.of(state.inverse_mass_matrix)
        of_momentum, of_tree = jax.random.split(key)

        def grow(carry: Any) -> Any:
            uniforms = jax.random.uniform(jax.random.fold_in(of_tree, carry[0].steps), (3,), flat.dtype)
            return self.extend(value_and_grad, metric, state.step_size, uniforms, False, *carry)

        start = Draw(flat, _flatten(state.gradient)[0], state.log_density, state.log_density)
        tree = self.begin(metric, jax.random.normal(of_momentum, flat.shape, flat.dtype), start)
        tree, _ = lax.while_loop(lambda carry: ~carry[0].done, grow, (tree, self.memory(flat)))
        draw = tree.draw
        new = State(unflatten(draw.position), draw.log_density, unflatten(draw.gradient), state.step_size,
                    state.inverse_mass_matrix)  # fmt: skip
        return new, self.describe(tree, state.step_size)

    def initial_inverse_mass(self, like: jax.Array) -> jax.Array:
        """The inverse mass matrix to begin with, for positions `like` `[d]`: `[d]`, or `[d, d]` if dense."""
        given: Any = 1.0 if self.inverse_mass_matrix is None else self.inverse_mass_matrix
        given = jnp.asarray(given, like.dtype)
        if given.ndim and given.shape[-1] != like.size:
            raise SettingsError(
                f"{self.name}: inverse_mass_matrix has shape {given.shape}, but positions have {like.size} numbers; it "
                f"must have shape ({like.size},) or ({like.size}, {like.size})."
            )
        if given.ndim == 2:
            return given
        diagonal = jnp.broadcast_to(given, like.shape)
        return jnp.diag(diagonal) if self.dense_mass else diagonal

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self) or self._settings != other._settings:
            return False
        mine, theirs = self.inverse_mass_matrix, other.inverse_mass_matrix
        if mine is None or theirs is None:
            return mine is theirs
        return np.array_equal(mine, theirs)

    def __hash__(self) -> int:
        return hash(self._settings)

    @property
    def _settings(self) -> tuple[Any, ...]:
        fields = [f.name for f in dataclasses.fields(self) if f.metadata.get("static")]
        return (type(self), *(getattr(self, name) for name in fields))

    @classmethod
    def checked(
        cls, step_size: Any, inverse_mass_matrix: Any, target_accept: Any, dense_mass: Any, low_rank_mass: Any,
        jitter: Any, **own: Any,
    ) -> Self:  # fmt: skip
        """A kernel with these settings.

        Raises:
            SettingsError: a setting out of range.
            ArgumentTypeError: a setting of the wrong type.
        """
        me = cls.name
        if not 0 < _number(me, "target_accept", target_accept) < 1:
            raise SettingsError(
                f"{me}: target_accept must be a number between 0 and 1 (e.g. 0.8), got {target_accept}."
            )
        if step_size is not None and not 0 < _number(me, "step_size", step_size) < math.inf:
            raise SettingsError(f"{me}: step_size must be a positive number, got {step_size}.")
        for name, value in (("dense_mass", dense_mass), ("low_rank_mass", low_rank_mass)):
            if not isinstance(value, (bool, np.bool_)):
                raise ArgumentTypeError(f"{me}: {name} must be True or False, got {value!r}.")
        if dense_mass and low_rank_mass:
            raise SettingsError(f"{me}: a mass matrix is dense_mass or low_rank_mass, not both; leave one out.")
        if not 0 <= _number(me, "jitter", jitter) < 1:
            raise SettingsError(f"{me}: jitter must be a number from 0 to below 1 (e.g. 0.1), got {jitter}.")
        return cls(
            inverse_mass_matrix=_covariance(me, inverse_mass_matrix),
            step_size=None if step_size is None else float(step_size),
            target_accept=float(target_accept), dense_mass=bool(dense_mass), low_rank_mass=bool(low_rank_mass),
            jitter=float(jitter), **own,
        )  # fmt: skip


def count(kernel: str, name: str, value: Any, least: int, most: int, hint: str) -> int:
    """A Python int in a range.

    Raises:
        ArgumentTypeError: no int.
        SettingsError: out of range.
    """
    if not isinstance(value, numbers.Integral) or isinstance(value, bool):
        raise ArgumentTypeError(f"{kernel}: {name} must be an int, got {value!r}.")
    if not least <= int(value) <= most:
        raise SettingsError(f"{kernel}: {name} must be between {least} and {most}, got {value}; {hint}")
    return int(value)


def _number(kernel: str, name: str, value: Any) -> float:
    if isinstance(value, jax.core.Tracer):
        raise ArgumentTypeError(
            f"{kernel}: {name} must be a plain number, got a traced array. To vary the step size inside of a traced "
            f"program, make the kernel with any and set state.replace(step_size=...)."
        )
    if isinstance(value, bool) or not (isinstance(value, numbers.Real) or np.ndim(value) == 0):
        raise ArgumentTypeError(f"{kernel}: {name} must be a number, got {value!r}.")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ArgumentTypeError(f"{kernel}: {name} must be a number, got {value!r}.") from None


def _covariance(kernel: str, matrix: Any) -> Any:
    """An inverse mass matrix as an array of 0, 1 or 2 axes, checked unless it is traced."""
    if matrix is None or isinstance(matrix, jax.core.Tracer):
        return matrix
    try:
        array = np.asarray(matrix, float)
    except (TypeError, ValueError):
        raise ArgumentTypeError(f"{kernel}: inverse_mass_matrix must be an array of numbers, got {matrix!r}.") from None
    if array.ndim > 2 or (array.ndim == 2 and array.shape[0] != array.shape[1]):
        raise SettingsError(f"{kernel}: inverse_mass_matrix must have shape (d,) or (d, d), got {array.shape}.")
    if array.ndim < 2 and not (np.isfinite(array) & (array > 0)).all():
        raise SettingsError(f"{kernel}: the variances in inverse_mass_matrix must be positive, got {array}.")
    if array.size == 0:
        raise SettingsError(f"{kernel}: inverse_mass_matrix has no numbers in it, its shape is {array.shape}.")
    if array.ndim == 2 and not (np.allclose(array, array.T) and np.linalg.eigvalsh(array).min() > 0):
        raise SettingsError(f"{kernel}: inverse_mass_matrix must be symmetric and positive definite.")
    return array


def _flatten(position: Any) -> tuple[jax.Array, Callable[[jax.Array], Any]]:
    for path, leaf in jax.tree_util.tree_leaves_with_path(position):
        if not jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
            raise ArgumentTypeError(
                f"positions are pytrees of floats, but position{jax.tree_util.keystr(path)} has dtype "
                f"{jnp.result_type(leaf)}; use 1.0 for 1, and no discrete quantities."
            )
    return ravel_pytree(position)
