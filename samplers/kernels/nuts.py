"""`nuts`: the No-U-Turn Sampler."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from storax.pytrees import Pytree, static
from storax.samplers.kernels.integrators import ValueAndGrad
from storax.samplers.kernels.kernel import Kernel, count
from storax.samplers.kernels.metrics import AnyMetric
from storax.samplers.kernels.trajectory import Draw, Leaf, Tree, begin, extend
from storax.sources import plain_errors

COLUMNS: dict[str, Any] = {"lp": None, "energy": None, "energy_error": None, "diverging": bool, "undefined": bool,
                           "tree_depth": jnp.int32, "reached_max_treedepth": bool, "n_steps": jnp.int32,
                           "step_size": None, "acceptance_rate": None}  # fmt: skip


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


class NUTS(Kernel):
    """The settings of NUTS; make one with `nuts`."""

    max_tree_depth: int = static()

    name = "nuts"

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
) -> NUTS:
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
    depth = count(
        "nuts", "max_tree_depth", max_tree_depth, 1, 20, "a trajectory takes up to 2**max_tree_depth - 1 steps."
    )
    return NUTS.checked(
        step_size, inverse_mass_matrix, target_accept, dense_mass, low_rank_mass, jitter, max_tree_depth=depth
    )
