"""`hmc`: Hamiltonian Monte Carlo with trajectories of a given length."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax.errors import ArgumentTypeError
from storax.pytrees import Pytree, static
from storax.samplers.kernels.integrators import Point, ValueAndGrad, leapfrog
from storax.samplers.kernels.kernel import Kernel, count
from storax.samplers.kernels.metrics import AnyMetric
from storax.samplers.kernels.trajectory import MAX_ENERGY_ERROR, Draw, choose
from storax.sources import plain_errors

COLUMNS: dict[str, Any] = {"lp": None, "energy": None, "energy_error": None, "diverging": bool, "undefined": bool,
                           "n_steps": jnp.int32, "step_size": None, "acceptance_rate": None}  # fmt: skip


class Info(Pytree):
    """What happened in a step; the fields are those of `Posterior.stats`.  See `storax.samplers.kernels.nuts.Info`."""

    lp: jax.Array
    energy: jax.Array
    energy_error: jax.Array
    diverging: jax.Array
    undefined: jax.Array
    n_steps: jax.Array
    step_size: jax.Array
    acceptance_rate: jax.Array


class Path(Pytree):
    """A trajectory so far; scalars where nothing else is said."""

    front: Point  # its end
    draw: Draw  # the last one, until the trajectory is done and its end accepted
    log_density: jax.Array  # at the start
    kinetic: jax.Array  # at the start
    length: jax.Array  # steps that it is to have, once the first is taken
    steps: jax.Array
    error: jax.Array  # the start's energy minus the end's
    diverging: jax.Array
    undefined: jax.Array  # the density was nan at the last step
    done: jax.Array


class HMC(Kernel):
    """The settings of HMC; make one with `hmc`."""

    num_steps: int = static()
    random_steps: bool = static()

    name = "hmc"

    @property
    def columns(self) -> dict[str, Any]:
        return COLUMNS

    def memory(self, like: jax.Array) -> tuple[()]:
        return ()

    def begin(self, metric: AnyMetric, noise: jax.Array, draw: Draw) -> Path:
        momentum = metric.momentum(noise)
        zero, none, no = jnp.zeros_like(draw.log_density), jnp.zeros((), jnp.int32), jnp.zeros((), bool)
        return Path(
            front=Point(draw.position, momentum, draw.gradient), draw=draw.replace(weight=zero),
            log_density=draw.log_density, kinetic=0.5 * noise @ noise, length=none, steps=none, error=zero,
            diverging=no, undefined=no, done=no,
        )  # fmt: skip

    def extend(
        self, value_and_grad: ValueAndGrad, metric: AnyMetric, step_size: jax.Array, uniforms: jax.Array, still: Any,
        tree: Path, memory: tuple[()],
    ) -> tuple[Path, tuple[()]]:  # fmt: skip
        front, log_density = leapfrog(value_and_grad, metric, tree.front, step_size)
        weight = (log_density - tree.log_density) + (tree.kinetic - metric.kinetic(front.momentum))
        weight = jnp.where(jnp.isfinite(weight), weight, -jnp.inf)
        diverging = weight < -MAX_ENERGY_ERROR
        steps = tree.steps + 1
        length = jnp.where(tree.steps == 0, self._length(uniforms[2]), tree.length)
        done = diverging | (steps >= jnp.where(still, 1, length))
        accepted = done & ~jnp.asarray(still) & (uniforms[1] < jnp.exp(weight))  # Metropolis et al. 1953
        draw = choose(accepted, Draw(front.position, front.gradient, log_density, weight), tree.draw)
        # As in NUTS, what is told of a divergence is where it ran away from.
        front = front._replace(position=jnp.where(diverging, tree.front.position, front.position))
        return tree.replace(front=front, draw=draw, length=length, steps=steps, error=weight, diverging=diverging,
                            undefined=jnp.isnan(log_density), done=done), ()  # fmt: skip

    def _length(self, uniform: jax.Array) -> jax.Array:
        """Of a trajectory: steps that do not depend on where it starts, as reversibility wants."""
        if not self.random_steps:
            return jnp.int32(self.num_steps)
        return 1 + jnp.minimum(uniform * self.num_steps, self.num_steps - 1).astype(jnp.int32)

    def describe(self, tree: Path, step_size: jax.Array) -> Info:
        return Info(
            lp=tree.draw.log_density,
            energy=tree.kinetic - tree.log_density - tree.draw.weight,
            energy_error=-tree.error,
            diverging=tree.diverging,
            undefined=tree.undefined,
            n_steps=tree.steps,
            step_size=step_size,
            acceptance_rate=jnp.minimum(1, jnp.exp(tree.error)),
        )


@plain_errors
def hmc(
    step_size: float | None = None,
    inverse_mass_matrix: Any = None,
    *,
    num_steps: int = 16,
    random_steps: bool = True,
    target_accept: float = 0.8,
    dense_mass: bool = False,
    low_rank_mass: bool = False,
    jitter: float = 0.1,
) -> HMC:
    """Hamiltonian Monte Carlo: a number of leapfrog steps, and a Metropolis decision about their end.

    Duane, Kennedy, Pendleton & Roweth 1987; Neal 2011, "MCMC using Hamiltonian dynamics", sec. 5.3.2.  A fixed length
    may come back to where it began, again and again: lengths are drawn anew for each draw unless told otherwise
    (ibid., sec. 5.4.2).

    Args:
        step_size: positive.  The first one if there is a warm-up, else the one used throughout; None looks for one.
        inverse_mass_matrix: the first guess, or without warm-up the final word, at the target's covariance: a positive
            number, `[d]` positive variances, or `[d, d]` symmetric positive definite (adapted as a dense one).
        num_steps: leapfrog steps of a trajectory, 1 to 2**20.
        random_steps: draw the number of steps uniformly from 1 to `num_steps`; if False it is always `num_steps`.
        target_accept: acceptance rate that the step size is adapted to, in (0, 1).
        dense_mass: adapt a full mass matrix instead of a diagonal one.
        low_rank_mass: adapt a diagonal one, and the few directions in which it is most wrong.
        jitter: each trajectory's step size is multiplied by a number from 1 - jitter to 1 + jitter, in [0, 1).

    Raises:
        SettingsError: a setting out of range.
        ArgumentTypeError: a setting of the wrong type.

    >>> import storax as sx
    >>> post = sx.mcmc(lambda: sx.sample("x", sx.Normal(0.0, 1.0)), sx.hmc(num_steps=8), num_samples=500)(0)
    >>> bool(abs(post["x"].mean()) < 0.2), int(post.stats["n_steps"].max())
    (True, 8)
    """
    steps = count("hmc", "num_steps", num_steps, 1, 2**20, "each takes a gradient.")
    if not isinstance(random_steps, (bool, np.bool_)):
        raise ArgumentTypeError(f"hmc: random_steps must be True or False, got {random_steps!r}.")
    return HMC.checked(
        step_size, inverse_mass_matrix, target_accept, dense_mass, low_rank_mass, jitter, num_steps=steps,
        random_steps=bool(random_steps),
    )  # fmt: skip
