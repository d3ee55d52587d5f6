"""`nuts`: the No-U-Turn Sampler as a pair of pure functions, `init` and `step`."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.flatten_util import ravel_pytree

from storax.errors import ArgumentTypeError, SettingsError
from storax.pytrees import Pytree, static
from storax.samplers.metrics import Metric
from storax.samplers.integrators import ValueAndGrad
from storax.samplers.metrics import AnyMetric
from storax.samplers.trajectory import Draw, Leaf, Tree, begin, extend
from storax.sources import plain_errors

LogDensity = Callable[[Any], jax.Array]


COLUMNS: dict[str, Any] = {"lp": None, "energy": None, "energy_error": None, "diverging": bool, "undefined": bool,
                           "tree_depth": jnp.int32, "reached_max_treedepth": bool, "n_steps": jnp.int32,
                           "step_size": None, "acceptance_rate": None}  # fmt: skip


class State(Pytree):
    """Where a chain is between two steps, and how it moves."""

    position: Any  # pytree of floats
    log_density: jax.Array
    gradient: Any  # like position
    step_size: jax.Array
    inverse_mass_matrix: jax.Array  # [d] or [d, d]


class Info(Pytree):
    """What happened in a step; the fields are those of `Posterior.stats`.

    `tree_depth` counts a last doubling that was not finished, as `n_steps` does.  A trajectory is `diverging` when its
    energy has run away, and `undefined` too when that was a density of nan.
    """

    lp: jax.Array
    energy: jax.Array
    energy_error: jax.Array
    diverging: jax.Array
    undefined: jax.Array
    tree_depth: jax.Array
    reached_max_treedepth: jax.Array
    n_steps: jax.Array
    step_size: jax.Array
    acceptance_rate: jax.Array


class Kernel(Pytree):
    """The settings of NUTS; make one with `nuts`.  Equal settings are equal kernels, and hash alike."""

    inverse_mass_matrix: Any  # None, a number, [d] or [d, d]: the one leaf
    step_size: float | None = static()
    target_accept: float = static()
    max_tree_depth: int = static()
    dense_mass: bool = static()
    low_rank_mass: bool = static()
    jitter: float = static()

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
                "nuts: a kernel that is stepped by hand needs a step size, nuts(step_size=0.1, "
                "inverse_mass_matrix=...); sx.mcmc and storax.samplers.driver.run find one in their warm-up."
            )
        flat, _ = _flatten(position)
        value, gradient = jax.value_and_grad(lambda x: log_density(x).astype(flat.dtype))(position)
        step_size = jnp.asarray(self.step_size, flat.dtype)
        return State(position, value, gradient, step_size, self.initial_inverse_mass(flat))

    def step(self, key: jax.Array, state: State, log_density: LogDensity) -> tuple[State, Info]:
        """One transition, that leaves the density invariant.

        Pure: may be jitted, vmapped over chains (states, keys) and scanned.

        >>> import jax, jax.numpy as jnp
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

    def memory(self, like: jax.Array) -> Leaf:
        """What a trajectory notes down besides; it is not emptied between two."""
        return Leaf.room(self.max_tree_depth, like)

    def begin(self, metric: AnyMetric, noise: jax.Array, draw: Draw) -> Tree:
        """A trajectory of one point; `noise` is `[d]` standard normal."""
        return begin(metric, noise, draw)

    def extend(
        self, value_and_grad: ValueAndGrad, metric: AnyMetric, step_size: jax.Array, uniforms: jax.Array, still: Any,
        tree: Tree, memory: Leaf,
    ) -> tuple[Tree, Leaf]:  # fmt: skip
        """One leaf more, which is the only one and no draw if the chain is to be `still`."""
        if still is not False:
            uniforms = uniforms.at[1].set(jnp.where(still, jnp.inf, uniforms[1]))  # never below a ratio of weights
        limit = self.max_tree_depth if still is False else jnp.where(still, 1, self.max_tree_depth)
        return extend(value_and_grad, metric, step_size, uniforms, limit, tree, memory)

    def describe(self, tree: Tree, step_size: jax.Array) -> Info:
        """The statistics of a trajectory."""
        return Info(
            lp=tree.draw.log_density,
            energy=tree.kinetic - tree.log_density - tree.draw.weight,
            energy_error=-tree.error,
            diverging=tree.diverging,
            undefined=tree.undefined,
            tree_depth=tree.depth,
            reached_max_treedepth=tree.deepest,
            n_steps=tree.steps,
            step_size=step_size,
            acceptance_rate=tree.acceptance / tree.steps,
        )

    @property
    def columns(self) -> dict[str, Any]:
        """Statistics and their types; None is that of the positions."""
        return COLUMNS

    def initial_inverse_mass(self, like: jax.Array) -> jax.Array:
        """The inverse mass matrix to begin with, for positions `like` `[d]`: `[d]`, or `[d, d]` if dense."""
        given: Any = 1.0 if self.inverse_mass_matrix is None else self.inverse_mass_matrix
        given = jnp.asarray(given, like.dtype)
        if given.ndim and given.shape[-1] != like.size:
            raise SettingsError(
                f"nuts: inverse_mass_matrix has shape {given.shape}, but positions have {like.size} numbers; it must "
                f"have shape ({like.size},) or ({like.size}, {like.size})."
            )
        if given.ndim == 2:
            return given
        diagonal = jnp.broadcast_to(given, like.shape)
        return jnp.diag(diagonal) if self.dense_mass else diagonal

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Kernel) or self._settings != other._settings:
            return False
        mine, theirs = self.inverse_mass_matrix, other.inverse_mass_matrix
        if mine is None or theirs is None:
            return mine is theirs
        return np.array_equal(mine, theirs)

    def __hash__(self) -> int:
        return hash(self._settings)

    @property
    def _settings(self) -> tuple[Any, ...]:
        return (self.step_size, self.target_accept, self.max_tree_depth, self.dense_mass, self.low_rank_mass,
                self.jitter)  # fmt: skip


@plain_errors
def nuts(
    step_size: float | None = None,
    inverse_mass_matrix: Any = None,
    *,
    target_accept: float = 0.8,
    max_tree_depth: int = 10,
    dense_mass: bool = False,
    low_rank_mass: bool = False,
    jitter: float = 0.1,
) -> Kernel:
    """The No-U-Turn Sampler: multinomial, with the generalised U-turn criterion, as in Stan.

    Hoffman & Gelman 2014, "The No-U-Turn Sampler"; Betancourt 2017, "A conceptual introduction to Hamiltonian Monte
    Carlo", appendix A.

    Args:
        step_size: positive.  The first one if there is a warm-up, else the one used throughout; None looks for one.
        inverse_mass_matrix: the first guess, or without warm-up the final word, at the target's covariance: a positive
            number, `[d]` positive variances, or `[d, d]` symmetric positive definite (adapted as a dense one).
        target_accept: acceptance rate that the step size is adapted to, in (0, 1); higher means smaller steps.
        max_tree_depth: a trajectory has at most `2**max_tree_depth - 1` steps; 1 to 20.
        dense_mass: adapt a full mass matrix instead of a diagonal one.
        low_rank_mass: adapt a diagonal one, and the few directions in which it is most wrong.
        jitter: each trajectory's step size is multiplied by a number from 1 - jitter to 1 + jitter, in [0, 1).

    Raises:
        SettingsError: a setting out of range.
        ArgumentTypeError: a setting of the wrong type.

    >>> nuts(target_accept=0.9) == nuts(target_accept=0.9)
    True
    >>> nuts(target_accept=90)
    Traceback (most recent call last):
        ...
    storax.errors.SettingsError: nuts: target_accept must be a number between 0 and 1 (e.g. 0.8), got 90.
    """
    if not 0 < _number("target_accept", target_accept) < 1:
        raise SettingsError(f"nuts: target_accept must be a number between 0 and 1 (e.g. 0.8), got {target_accept}.")
    if step_size is not None and not 0 < _number("step_size", step_size) < math.inf:
        raise SettingsError(f"nuts: step_size must be a positive number, got {step_size}.")
    if not isinstance(max_tree_depth, numbers.Integral) or isinstance(max_tree_depth, bool):
        raise ArgumentTypeError(f"nuts: max_tree_depth must be an int, got {max_tree_depth!r}.")
    if not 1 <= max_tree_depth <= 20:
        raise SettingsError(
            f"nuts: max_tree_depth must be between 1 and 20, got {max_tree_depth}; a trajectory takes up to "
            f"2**max_tree_depth - 1 steps."
        )
    for name, value in (("dense_mass", dense_mass), ("low_rank_mass", low_rank_mass)):
        if not isinstance(value, (bool, np.bool_)):
            raise ArgumentTypeError(f"nuts: {name} must be True or False, got {value!r}.")
    if dense_mass and low_rank_mass:
        raise SettingsError("nuts: a mass matrix is dense_mass or low_rank_mass, not both; leave one out.")
    if not 0 <= _number("jitter", jitter) < 1:
        raise SettingsError(f"nuts: jitter must be a number from 0 to below 1 (e.g. 0.1), got {jitter}.")
    step = None if step_size is None else float(step_size)
    return Kernel(_covariance(inverse_mass_matrix), step, float(target_accept), int(max_tree_depth),
                  bool(dense_mass), bool(low_rank_mass), float(jitter))  # fmt: skip


def _number(name: str, value: Any) -> float:
    if isinstance(value, jax.core.Tracer):
        raise ArgumentTypeError(
            f"nuts: {name} must be a plain number, got a traced array. To vary the step size inside of a traced "
            f"program, make the kernel with any and set state.replace(step_size=...)."
        )
    if isinstance(value, bool) or not (isinstance(value, numbers.Real) or np.ndim(value) == 0):
        raise ArgumentTypeError(f"nuts: {name} must be a number, got {value!r}.")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ArgumentTypeError(f"nuts: {name} must be a number, got {value!r}.") from None


def _covariance(matrix: Any) -> Any:
    """An inverse mass matrix as an array of 0, 1 or 2 axes, checked unless it is traced."""
    if matrix is None or isinstance(matrix, jax.core.Tracer):
        return matrix
    try:
        array = np.asarray(matrix, float)
    except (TypeError, ValueError):
        raise ArgumentTypeError(f"nuts: inverse_mass_matrix must be an array of numbers, got {matrix!r}.") from None
    if array.ndim > 2 or (array.ndim == 2 and array.shape[0] != array.shape[1]):
        raise SettingsError(f"nuts: inverse_mass_matrix must have shape (d,) or (d, d), got {array.shape}.")
    if array.ndim < 2 and not (np.isfinite(array) & (array > 0)).all():
        raise SettingsError(f"nuts: the variances in inverse_mass_matrix must be positive, got {array}.")
    if array.size == 0:
        raise SettingsError(f"nuts: inverse_mass_matrix has no numbers in it, its shape is {array.shape}.")
    if array.ndim == 2 and not (np.allclose(array, array.T) and np.linalg.eigvalsh(array).min() > 0):
        raise SettingsError("nuts: inverse_mass_matrix must be symmetric and positive definite.")
    return array


def _flatten(position: Any) -> tuple[jax.Array, Callable[[jax.Array], Any]]:
    for path, leaf in jax.tree_util.tree_leaves_with_path(position):
        if not jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
            raise ArgumentTypeError(
                f"nuts: positions are pytrees of floats, but position{jax.tree_util.keystr(path)} has dtype "
                f"{jnp.result_type(leaf)}; use 1.0 for 1, and no discrete quantities."
            )
    return ravel_pytree(position)
