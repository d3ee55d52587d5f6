"""Gaussian families, and the single point."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import lax

from storax.distributions import LowRankMultivariateNormal
from storax.errors import InferenceError
from storax.logprob.unconstraining import Density
from storax.samplers.variational.families import Family, Params, centre

START = 0.1  # standard deviations at the start: in R^n most posteriors are wider than a tenth, few by much
HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


def log_standard_normal(noise: jax.Array) -> jax.Array:
    """The log density of `[d]` standard normal numbers."""
    return -0.5 * jnp.vdot(noise, noise) - noise.size * HALF_LOG_TWO_PI


@dataclasses.dataclass(frozen=True)
class MeanField(Family):
    """Independent normal numbers (Kucukelbir, Tran, Ranganath, Gelman & Blei 2017, ADVI, sec. 2.4).

    Args:
        scale: standard deviation of every coordinate at the start, positive.
    """

    scale: float = START

    def init(self, density: Density, key: jax.Array, context: Any = None) -> Params:
        loc = centre(density, key)
        return {"loc": loc, "log_scale": jnp.full_like(loc, math.log(self.scale))}

    def sample(self, params: Params, key: jax.Array, context: Any = None) -> tuple[jax.Array, jax.Array]:
        noise = jax.random.normal(key, params["loc"].shape, params["loc"].dtype)
        z = params["loc"] + jnp.exp(params["log_scale"]) * noise
        return z, log_standard_normal(noise) - params["log_scale"].sum()

    def log_prob(self, params: Params, z: jax.Array, context: Any = None) -> jax.Array:
        noise = (z - params["loc"]) * jnp.exp(-params["log_scale"])
        return log_standard_normal(noise) - params["log_scale"].sum()

    def entropy(self, params: Params) -> jax.Array | None:
        return params["log_scale"].sum() + params["loc"].size * (HALF_LOG_TWO_PI + 0.5)


@dataclasses.dataclass(frozen=True)
class MultivariateNormal(MeanField):
    """Normal numbers of any covariance: z = loc + scale (I + L) noise, with L strictly lower triangular.

    d (d + 3) / 2 parameters for d coordinates.
    """

    def init(self, density: Density, key: jax.Array, context: Any = None) -> Params:
        params = super().init(density, key)
        d = params["loc"].size
        return params | {"lower": jnp.zeros((d, d), params["loc"].dtype)}

    def sample(self, params: Params, key: jax.Array, context: Any = None) -> tuple[jax.Array, jax.Array]:
        noise = jax.random.normal(key, params["loc"].shape, params["loc"].dtype)
        mixed = noise + jnp.tril(params["lower"], -1) @ noise
        z = params["loc"] + jnp.exp(params["log_scale"]) * mixed
        return z, log_standard_normal(noise) - params["log_scale"].sum()

    def log_prob(self, params: Params, z: jax.Array, context: Any = None) -> jax.Array:
        mixed = (z - params["loc"]) * jnp.exp(-params["log_scale"])
        factor = jnp.tril(params["lower"], -1) + jnp.eye(z.size, dtype=z.dtype)
        noise = jax.scipy.linalg.solve_triangular(factor, mixed, lower=True, unit_diagonal=True)
        return log_standard_normal(noise) - params["log_scale"].sum()

    @staticmethod
    def of_factor(loc: jax.Array, factor: jax.Array) -> Params:
        """The parameters of a mean and a Cholesky factor of the covariance, `[d, d]`."""
        scale = jnp.diagonal(factor)
        return {"loc": loc, "log_scale": jnp.log(scale), "lower": jnp.tril(factor / scale[:, None], -1)}


@dataclasses.dataclass(frozen=True)
class LowRankNormal(MeanField):
    """Normal numbers whose correlations are of low rank: z = loc + scale (noise + F common noise).

    Args:
        scale: standard deviation of every coordinate at the start, positive.
        rank: columns of F; default: the root of the dimension, rounded up.
    """

    rank: int | None = None

    def init(self, density: Density, key: jax.Array, context: Any = None) -> Params:
        keys = jax.random.split(key)
        params = super().init(density, keys[0])
        d = params["loc"].size
        rank = min(d, math.isqrt(d - 1) + 1 if self.rank is None else self.rank)
        # At zero the gradient with respect to F would be zero, too.
        return params | {"factor": 0.1 * jax.random.normal(keys[1], (d, rank), params["loc"].dtype)}

    def sample(self, params: Params, key: jax.Array, context: Any = None) -> tuple[jax.Array, jax.Array]:
        loc, keys = params["loc"], jax.random.split(key)
        own = jax.random.normal(keys[0], loc.shape, loc.dtype)
        common = jax.random.normal(keys[1], params["factor"].shape[1:], loc.dtype)
        z = loc + jnp.exp(params["log_scale"]) * (own + params["factor"] @ common)
        return z, self.log_prob(params, z)

    def log_prob(self, params: Params, z: jax.Array, context: Any = None) -> jax.Array:
        y = (z - params["loc"]) * jnp.exp(-params["log_scale"])
        return self._standard(params).log_prob(y) - params["log_scale"].sum()

    def entropy(self, params: Params) -> jax.Array | None:
        return self._standard(params).entropy() + params["log_scale"].sum()

    def _standard(self, params: Params) -> LowRankMultivariateNormal:
        return LowRankMultivariateNormal(0.0, params["factor"], jnp.ones_like(params["loc"]))


@dataclasses.dataclass(frozen=True)
class Delta(Family):
    """One point: its best is the maximum of the density on R^n."""

    is_point: ClassVar[bool] = True

    def init(self, density: Density, key: jax.Array, context: Any = None) -> Params:
        return {"loc": centre(density, key)}

    def sample(self, params: Params, key: jax.Array, context: Any = None) -> tuple[jax.Array, jax.Array]:
        return params["loc"], jnp.zeros((), params["loc"].dtype)

    def log_prob(self, params: Params, z: jax.Array, context: Any = None) -> jax.Array:
        return jnp.zeros((), z.dtype)


@dataclasses.dataclass(frozen=True)
class Laplace(Delta):
    """A point while it is optimised; afterwards the Gaussian of the curvature there."""

    is_point: ClassVar[bool] = False

    @property
    def finished(self) -> Family:
        return MultivariateNormal()

    def finish(self, density: Density, params: Params) -> Params:
        return gaussian_at(density, params["loc"])


POLISHING = 4  # steps of Newton's method


def gaussian_at(density: Density, mode: jax.Array) -> Params:
    """The Gaussian whose log density has the model's curvature at its mode; nan where the density has no maximum."""

    def target(z: jax.Array) -> jax.Array:
        return -density.of_vector(z).astype(z.dtype)

    def polish(_: Any, carry: Any) -> Any:  # the optimiser leaves a rest that rounding of the density hides
        mode, _ = carry
        hessian = jax.hessian(target)(mode)
        step = jnp.linalg.solve(hessian, jax.grad(target)(mode))
        closer = jnp.isfinite(step).all() & (jnp.vdot(step, hessian @ step) < 0.1)
        return jnp.where(closer, mode - step, mode), 0.5 * (hessian + hessian.T)

    # The last Hessian is from one step before: where that step is the last of Newton's, it is the same.
    start = mode, jnp.zeros((mode.size, mode.size), mode.dtype)
    mode, hessian = lax.fori_loop(0, POLISHING, polish, start)
    # Scaled to a diagonal of ones: its factor loses no more digits than correlations make it lose.
    spread = 1 / jnp.sqrt(jnp.abs(jnp.diagonal(hessian)))
    flipped = (hessian * spread[:, None] * spread[None, :])[::-1, ::-1]
    upper = jnp.linalg.cholesky(flipped)[::-1, ::-1]  # H = U U^T, so that U^-T is lower: the factor of H^-1
    factor = jax.scipy.linalg.solve_triangular(upper.T, jnp.eye(mode.size, dtype=mode.dtype), lower=True)
    return MultivariateNormal.of_factor(mode, spread[:, None] * factor)


def refuse_no_maximum(density: Density, params: Params, call: str) -> None:
    """Refuse a Gaussian that is none.

    Raises:
        InferenceError: names the site in whose direction the density is not curved.
    """
    if all(bool(jnp.isfinite(x).all()) for x in params.values()):
        return
    hessian = -jax.hessian(density.of_vector)(params["loc"])
    values, vectors = jnp.linalg.eigh(jnp.where(jnp.isfinite(hessian), hessian, 0.0))
    direction = density.unflatten(jnp.abs(vectors[:, 0]))
    worst = max(direction, key=lambda n: float(direction[n].max(initial=0.0)))
    raise InferenceError(
        f"{call}: the density has no maximum here: in the direction of {density.sites[worst].site.label} it curves by "
        f"{float(values[0]):.3g}, and must by more than 0. Look at the model for a parameter that the data do not "
        f"determine; start elsewhere, init={{name: value}}; or use sx.mcmc."
    )
