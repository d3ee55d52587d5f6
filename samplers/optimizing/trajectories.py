"""The curvature that an L-BFGS trajectory has seen, as Gaussians along the way.

Zhang, Carpenter, Gelman & Vehtari 2022, "Pathfinder: parallel quasi-Newton variational inference" (JMLR 23), algorithms
2 to 4.  All densities are of the negative log density's minimum: gradients here are those of minus log p.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax  # type: ignore[import-untyped]
from jax import lax

from storax.pytrees import Pytree
from storax.samplers.optimizing.optimizers import TRIALS


class Trail(Pytree):
    """Points of a minimisation, `[point, d]`, with their gradients; those after the end repeat the last."""

    positions: jax.Array
    gradients: jax.Array
    moved: jax.Array  # [point], was this a step?


class Curvature(Pytree):
    """An inverse Hessian diag(alpha) + beta gamma beta^T, of a few pairs (Byrd, Nocedal & Schnabel 1994)."""

    alpha: jax.Array  # [d]
    beta: jax.Array  # [d, 2 m]
    gamma: jax.Array  # [2 m, 2 m]


class Local(Pytree):
    """The Gaussian of a `Curvature` around the minimum that it promises."""

    mean: jax.Array  # [d]
    root: jax.Array  # [d], of alpha
    q: jax.Array  # [d, k], orthonormal
    factor: jax.Array  # [k, k], lower
    log_det: jax.Array  # of the covariance's root


def trail(objective: Callable[[jax.Array], jax.Array], start: jax.Array, steps: int, memory: int) -> Trail:
    """`steps` steps of L-BFGS from `start`, that one included; stands still after the last that gained anything."""
    direction = optax.scale_by_lbfgs(memory_size=memory)
    search = optax.scale_by_zoom_linesearch(max_linesearch_steps=TRIALS, initial_guess_strategy="one")

    def step(carry: Any, _: Any) -> Any:
        x, value, gradient, (of_direction, of_search), going = carry
        way, of_direction = direction.update(gradient, of_direction, x)
        move, of_search = search.update(-way, of_search, x, value=value, grad=gradient, value_fn=objective)
        better = going & (of_search.value < value) & jnp.isfinite(of_search.grad).all()
        keep = lambda a, b: jnp.where(better, a, b)  # noqa: E731
        x, gradient = keep(optax.apply_updates(x, move), x), keep(of_search.grad, gradient)
        return (x, keep(of_search.value, value), gradient, (of_direction, of_search), better), (x, gradient, better)

    value, gradient = jax.value_and_grad(objective)(start)
    carry = start, value, gradient, (direction.init(start), search.init(start)), jnp.ones((), bool)
    _, (positions, gradients, moved) = lax.scan(step, carry, length=steps)
    join = lambda first, rest: jnp.concatenate([first[None], rest])  # noqa: E731
    return Trail(join(start, positions), join(gradient, gradients), join(jnp.ones((), bool), moved))


def curvatures(path: Trail, memory: int) -> Curvature:
    """The inverse Hessian that was seen up to each point but the first, `[point - 1, ...]` (algorithm 3)."""
    dtype, d = path.positions.dtype, path.positions.shape[1]

    def step(carry: Any, pair: Any) -> Any:
        alpha, s_all, z_all = carry
        s, z, moved = pair
        curved = moved & (jnp.vdot(s, z) > jnp.finfo(dtype).eps * jnp.vdot(z, z))
        new = select(curved, (_diagonal(alpha, s, z), _push(s_all, s), _push(z_all, z)), (alpha, s_all, z_all))
        return new, new

    steps = jnp.diff(path.positions, axis=0), jnp.diff(path.gradients, axis=0), path.moved[1:]
    start = jnp.ones(d, dtype), jnp.zeros((memory, d), dtype), jnp.zeros((memory, d), dtype)
    _, (alphas, s_all, z_all) = lax.scan(step, start, steps)
    return jax.vmap(_inverse_hessian)(alphas, s_all, z_all)


def _push(rows: jax.Array, row: jax.Array) -> jax.Array:
    return jnp.concatenate([rows[1:], row[None]])


def _diagonal(alpha: jax.Array, s: jax.Array, z: jax.Array) -> jax.Array:
    """Gilbert & Lemarechal 1989, eq. 4.9."""
    a, b, c = z @ (alpha * z), z @ s, s @ (s / alpha)
    return 1 / (a / (b * alpha) + z**2 / b - a * s**2 / (b * c * alpha**2))


def _inverse_hessian(alpha: jax.Array, s: jax.Array, z: jax.Array) -> Curvature:
    """Rows of s and z are pairs, oldest first; rows of zeros, where there were fewer, count for nothing."""
    m = len(s)
    empty = (s == 0).all(1)
    products = s @ z.T
    r = jnp.triu(products) + jnp.diag(jnp.where(empty, 1.0, 0.0).astype(s.dtype))
    eta = jnp.diagonal(products)
    inverse = jax.scipy.linalg.solve_triangular(r, jnp.eye(m, dtype=s.dtype))
    middle = jnp.diag(eta) + (z * alpha[None, :]) @ z.T
    gamma = jnp.block([[jnp.zeros((m, m), s.dtype), -inverse], [-inverse.T, inverse.T @ middle @ inverse]])
    beta = jnp.concatenate([(z * alpha[None, :]).T, s.T], axis=1)
    return Curvature(alpha, beta, gamma)


def local(curvature: Curvature, position: jax.Array, gradient: jax.Array) -> Local:
    """The Gaussian at the end of a Newton step (algorithm 4)."""
    alpha, beta, gamma = curvature.alpha, curvature.beta, curvature.gamma
    root = jnp.sqrt(alpha)
    mean = position - alpha * gradient - beta @ (gamma @ (beta.T @ gradient))
    q, r = jnp.linalg.qr(beta / root[:, None])
    inner = jnp.eye(len(r), dtype=r.dtype) + r @ gamma @ r.T
    factor = jnp.linalg.cholesky(0.5 * (inner + inner.T))
    return Local(mean, root, q, factor, jnp.log(root).sum() + jnp.log(jnp.diagonal(factor)).sum())


def draw(gaussian: Local, noise: jax.Array) -> tuple[jax.Array, jax.Array]:
    """A point made of `[d]` standard normal numbers, and its log density."""
    inside = gaussian.q.T @ noise
    mixed = noise + gaussian.q @ (gaussian.factor @ inside - inside)
    log_q = -0.5 * noise @ noise - gaussian.log_det - 0.5 * noise.size * math.log(2 * math.pi)
    return gaussian.mean + gaussian.root * mixed, log_q


def select(condition: jax.Array, yes: Any, no: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)


class Choice(Pytree):
    """The Gaussian of one path with the highest bound, and how high that is."""

    gaussian: Local
    bound: jax.Array


def best_of_path(
    log_density: Callable[[jax.Array], jax.Array], start: jax.Array, key: jax.Array, *, steps: int, memory: int,
    num_elbo: int,
) -> Choice:  # fmt: skip
    """Single-path Pathfinder (algorithm 1).

    Args:
        log_density: `[d]` to a scalar.
        start: `[d]`, with a finite log density.
        key: of the draws that estimate the bounds.
        steps: of L-BFGS.
        memory: pairs that make up a curvature.
        num_elbo: draws for the bound of each point.
    """
    path = trail(lambda x: -log_density(x), start, steps, memory)
    gaussians = jax.vmap(local)(curvatures(path, memory), path.positions[1:], path.gradients[1:])
    noise = jax.random.normal(key, (num_elbo, start.size), start.dtype)

    def bound(gaussian: Local) -> jax.Array:
        z, log_q = jax.vmap(lambda n: draw(gaussian, n))(noise)
        # Far away a density may overflow: such a draw makes its Gaussian the worst of all.
        log_p = jnp.nan_to_num(jax.vmap(log_density)(z), nan=-jnp.inf)
        value = (log_p - log_q).mean()
        return jnp.where(jnp.isfinite(gaussian.log_det) & ~jnp.isnan(value), value, -jnp.inf)

    bounds = jnp.where(path.moved[1:], lax.map(bound, gaussians), -jnp.inf)
    chosen = jnp.argmax(bounds)
    return Choice(jax.tree.map(lambda x: x[chosen], gaussians), bounds[chosen])


def log_density_of(gaussian: Local, z: jax.Array) -> jax.Array:
    """The log density of the Gaussian at a point."""
    mixed = (z - gaussian.mean) / gaussian.root
    inside = gaussian.q.T @ mixed
    noise = mixed + gaussian.q @ (jax.scipy.linalg.solve_triangular(gaussian.factor, inside, lower=True) - inside)
    return -0.5 * noise @ noise - gaussian.log_det - 0.5 * z.size * math.log(2 * math.pi)


def variances(gaussian: Local) -> jax.Array:
    """`[d]`, of each coordinate."""
    mixed = gaussian.q @ (
        gaussian.factor @ gaussian.factor.T - jnp.eye(len(gaussian.factor), dtype=gaussian.root.dtype)
    )
    return gaussian.root**2 * (1 + (mixed * gaussian.q).sum(1))
