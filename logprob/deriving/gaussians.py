"""Affine functions of standard normal numbers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax.errors import NotMeasurable
from storax.logprob.deriving.dependence import Dependence

Noise = Mapping[Any, Any]  # draw -> standard normal numbers
DENSE = 4096  # numbers with a joint covariance matrix, at most
FEW = 1024  # coefficients that are computed while a program is traced


@dataclasses.dataclass(frozen=True)
class Gaussian:
    """f(noise), affine in noise.

    Args:
        noise: draw -> shape of its standard normal numbers.
        f: noise -> array.
    """

    noise: Mapping[Any, tuple[int, ...]]
    f: Callable[[Noise], Any]
    dtype: Any

    def zeros(self) -> dict[Any, jax.Array]:
        return {d: jnp.zeros(s, self.dtype) for d, s in self.noise.items()}

    @property
    def mean(self) -> jax.Array:
        return jnp.asarray(self.f(self.zeros()))

    def variances(self, deps: Dependence) -> jax.Array:
        """Element by element, if these are independent.

        Each event stands behind one element, in one of its k slots.  So k probes, each with all noise of one slot set
        to 1 and all other to 0, give the coefficients.
        """
        if not deps.known:
            a = self.matrix()
            return jnp.square(a).sum(1).reshape(self.mean.shape)
        total: Any = None
        for draw, ids in deps.of.items():
            for slot in range(ids.shape[-1]):
                probes = self._probes(draw, ids[..., slot])
                f = lambda probe, d=draw: jnp.square(self.linear({**self.zeros(), d: probe}))  # noqa: E731
                part = f(probes[0]) if len(probes) == 1 else jax.vmap(f)(jnp.stack(probes)).sum(0)
                total = part if total is None else total + part
        return jnp.zeros_like(self.mean) if total is None else total

    def _probes(self, draw: Any, events: np.ndarray[Any, Any]) -> list[Any]:
        """Noise that is 1 at one number of each of these events; one array a number of an event."""
        shape = self.noise[draw]
        inner = getattr(draw, "event_size", 1)
        out = []
        for i in range(inner):
            flat = np.zeros(int(np.prod(shape)))
            flat[events[events >= 0] * inner + i] = 1.0
            out.append(jnp.asarray(flat.reshape(shape), self.dtype))
        return out

    def linear(self, noise: Noise) -> jax.Array:
        return jnp.asarray(jax.jvp(self.f, (self.zeros(),), (dict(noise),))[1])

    def matrix(self) -> jax.Array:
        """`[numbers, noise]`: the coefficients of all elements, flattened."""
        sizes = {d: int(np.prod(s)) for d, s in self.noise.items()}
        total = sum(sizes.values())
        if total > DENSE:
            raise NotMeasurable(f"is made of {total} normal numbers that are not independent element by element, and "
                                f"a joint covariance matrix is made of at most {DENSE}")  # fmt: skip

        def of(draw: Any) -> Any:  # by its noise alone: what is made of the other is no part of it
            zeros = self.zeros()
            f = lambda e: jnp.ravel(jnp.asarray(self.f({**zeros, draw: e})))  # noqa: E731
            units = jnp.eye(sizes[draw], dtype=self.dtype).reshape(-1, *self.noise[draw])
            return jax.vmap(lambda unit: jax.jvp(f, (zeros[draw],), (unit,))[1], out_axes=1)(units)

        blocks = [of(d) for d in self.noise if sizes[d]]
        return jnp.concatenate(blocks, 1) if blocks else jnp.zeros((self.mean.size, 0), self.dtype)


def joint_log_prob(parts: list[tuple[Gaussian, Any]]) -> jax.Array:
    """The joint log density of several Gaussian arrays at their values.

    Raises:
        NotMeasurable: they are known to be linearly dependent.
    """
    noise = {d: s for g, _ in parts for d, s in g.noise.items()}
    dtype = parts[0][0].dtype
    whole = Gaussian(noise, lambda e: jnp.concatenate([jnp.ravel(g.f(e)) for g, _ in parts]), dtype)
    y = jnp.concatenate([jnp.ravel(jnp.asarray(v, dtype)) for _, v in parts])
    a = whole.matrix()
    if a.shape[0] > a.shape[1]:
        raise NotMeasurable(f"has {a.shape[0]} numbers made of only {a.shape[1]}: they are linearly dependent, and "
                            f"have no joint density")  # fmt: skip
    if a.size <= FEW:
        with jax.ensure_compile_time_eval():
            now = whole.matrix()  # known under jit, too
        if not isinstance(now, jax.core.Tracer):
            _refuse_dependent(np.asarray(now, float))
    elif not isinstance(a, jax.core.Tracer):
        _refuse_dependent(np.asarray(a, float))
    return log_normal(y, whole.mean, a @ a.T)


def log_normal(y: Any, mean: Any, cov: Any) -> jax.Array:
    """The log density of jointly normal numbers; nan if they are linearly dependent, but for rounding."""
    from jax.scipy.linalg import solve_triangular

    if len(y) == 1:
        variance = jnp.where(cov[0, 0] > 0, cov[0, 0], jnp.nan)
        return -0.5 * (jnp.square(y - mean)[0] / variance + jnp.log(variance) + math.log(2 * np.pi))
    factor = jnp.linalg.cholesky(cov)
    z = solve_triangular(factor, y - mean, lower=True)
    scale = jnp.diagonal(factor)
    score = -0.5 * jnp.sum(z * z) - jnp.sum(jnp.log(scale)) - 0.5 * len(y) * math.log(2 * np.pi)
    # What is left of a variance after the others is rounding below a few units in its last place.
    sound = jnp.all(jnp.square(scale) > 8 * jnp.finfo(cov.dtype).eps * jnp.diagonal(cov))
    return jnp.where(sound, score, jnp.nan)


def _refuse_dependent(a: np.ndarray[Any, Any]) -> None:
    scale = np.sqrt((a * a).sum(1, keepdims=True))
    if (scale == 0).any() or np.linalg.matrix_rank(a / np.where(scale == 0, 1, scale), tol=1e-6) < len(a):
        raise NotMeasurable("has numbers that are linearly dependent, and so no joint density")
