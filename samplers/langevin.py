"""Kernels that move along noisy gradients: SGLD and SGHMC.  They know nothing of models.

Each is a pair of pure functions, `init(position)` and `step(key, state, gradients)`, where `gradients(key)` gives an
unbiased estimate of the gradient of the log density from one random minibatch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from storax.errors import SettingsError
from storax.pytrees import Pytree, static

Gradients = Callable[[jax.Array, jax.Array], jax.Array]  # key, position -> gradient


class Langevin(Pytree):
    """The state: where it is, how many steps were taken, and what SGHMC carries beside."""

    position: jax.Array  # [d]
    steps: jax.Array
    velocity: jax.Array  # [d]
    noise: jax.Array  # [d], running mean of the variance of a gradient


class SGLD(Pytree):
    """Stochastic gradient Langevin dynamics: see `sgld`."""

    step_size: float
    decay: float
    offset: float

    def init(self, position: jax.Array) -> Langevin:
        zero = jnp.zeros_like(position)
        return Langevin(position, jnp.zeros((), jnp.int32), zero, zero)

    def rate(self, steps: jax.Array) -> jax.Array:
        return self.step_size * (1 + steps / self.offset) ** -self.decay

    def step(self, key: jax.Array, state: Langevin, gradients: Gradients, learns: Any = True) -> Langevin:
        """One step of q <- q + eps/2 grad + N(0, eps) (Welling & Teh 2011, eq. 4)."""
        keys = jax.random.split(key)
        x = state.position
        eps = self.rate(state.steps).astype(x.dtype)
        noise = jax.random.normal(keys[0], x.shape, x.dtype)
        x = x + 0.5 * eps * gradients(keys[1], x) + jnp.sqrt(eps) * noise
        return state.replace(position=x, steps=state.steps + 1)


class SGHMC(Pytree):
    """Stochastic gradient Hamiltonian Monte Carlo: see `sghmc`."""

    step_size: float
    friction: float
    estimates: bool = static(default=True)

    def init(self, position: jax.Array) -> Langevin:
        zero = jnp.zeros_like(position)
        return Langevin(position, jnp.zeros((), jnp.int32), zero, zero)

    def step(self, key: jax.Array, state: Langevin, gradients: Gradients, learns: Any = True) -> Langevin:
        """q <- q + v; v <- (1 - alpha) v + eta grad + N(0, 2 (alpha - beta) eta) (Chen, Fox & Guestrin 2014, eq. 15).

        beta = eta V / 2 is what the noise of the gradients, of variance V, adds by itself.  V is measured by how two
        minibatches differ, while `learns`; their mean is the gradient.
        """
        keys = jax.random.split(key, 3)
        x, eta, alpha = state.position, self.step_size, self.friction
        gradient, noise = gradients(keys[1], x), state.noise
        if self.estimates:
            other = gradients(keys[2], x)
            seen = jnp.square(gradient - other) / 4  # variance of the mean of the two
            share = 1.0 / (1.0 + state.steps.astype(x.dtype))
            noise = jnp.where(learns, noise + share * (seen - noise), noise)
            gradient = 0.5 * (gradient + other)
        rest = jnp.maximum(2 * (alpha - 0.5 * eta * noise) * eta, 0.0)
        kick = jnp.sqrt(rest) * jax.random.normal(keys[0], x.shape, x.dtype)
        velocity = (1 - alpha) * state.velocity + eta * gradient + kick
        return Langevin(x + velocity, state.steps + 1, velocity, noise)


def sgld(step_size: float, *, decay: float = 0.0, offset: float = 1.0) -> SGLD:
    """Stochastic gradient Langevin dynamics (Welling & Teh 2011).

    Its draws are those of the posterior in the limit of short steps: the step must be small beside the posterior's
    variances in R^n, and the noise of gradients, of variance V, widens the posterior unless V times the step is small.

    Args:
        step_size: eps, positive: the variance of the noise of one step.
        decay: eps_t = eps (1 + t / offset)^-decay; 0 keeps it, and (0.5, 1] makes the limit exact.
        offset: in steps, positive.

    Raises:
        SettingsError: a number out of range.
    """
    if not step_size > 0 or not 0 <= decay <= 1 or not offset > 0:
        raise SettingsError(
            f"sx.sgld: step_size and offset must be positive and decay between 0 and 1, got {step_size!r}, {offset!r}, "
            f"{decay!r}."
        )
    return SGLD(step_size, decay, offset)


def sghmc(step_size: float, *, friction: float = 0.1, estimate_noise: bool = True) -> SGHMC:
    """Stochastic gradient Hamiltonian Monte Carlo (Chen, Fox & Guestrin 2014).

    Args:
        step_size: eta, positive, small beside the posterior's variances in R^n: the square of a step in time.
        friction: alpha, in (0, 1): the share of the velocity that a step loses.
        estimate_noise: measure the noise of gradients with a second minibatch at every step, and add that much less.

    Raises:
        SettingsError: a number out of range.
    """
    if not step_size > 0 or not 0 < friction < 1:
        raise SettingsError(
            f"sx.sghmc: step_size must be positive and friction between 0 and 1, got {step_size!r} and {friction!r}."
        )
    return SGHMC(step_size, friction, bool(estimate_noise))
