"""KroneckerNormal: normal vectors on a grid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from storax import supports
from storax.bijections.cholesky import matmul
from storax.distributions.base import Distribution, promote, refuse_outside, within
from storax.distributions.factors import as_vector, factors, log_diagonal, multiply_matrix, solve_matrix
from storax.distributions.special import HALF_LOG_TWO_PI
from storax.errors import ParameterError, ShapeError
from storax.pytrees import static
from storax.supports import Support, show


class KroneckerNormal(Distribution):
    """The normal distribution whose covariance is the Kronecker product of m matrices of sizes n_1, ..., n_m.

    The vector has N = n_1 ... n_m entries, those of an array `[n_1, ..., n_m]` in row-major order.  The product is
    never made: a density is O(n_1^3 + ... + n_m^3 + N (n_1 + ... + n_m)).

    Args:
        loc: mean, `[..., N]`, or one number for all.
        covariance_matrices: a list of `[..., n_i, n_i]`, symmetric and positive definite; or
        scale_trils: a list of their lower Cholesky factors, which is what is stored.

    >>> d = KroneckerNormal(0.0, [4 * jnp.eye(2), jnp.array([[1.0, 0.5], [0.5, 1.0]])])
    >>> d.covariance[0].tolist()
    [4.0, 2.0, 0.0, 0.0]
    """

    loc: Any
    scale_trils: tuple[Any, ...]
    problem: str = static(default="", repr=False)

    parameters: ClassVar[dict[str, Support]] = {"loc": supports.real_vector}
    support: ClassVar[Support] = supports.real_vector
    event_dim: ClassVar[int] = 1

    def __init__(
        self,
        loc: Any = 0.0,
        covariance_matrices: Sequence[Any] | None = None,
        scale_trils: Sequence[Any] | None = None,
    ) -> None:
        given = covariance_matrices if scale_trils is None else scale_trils
        if given is None or not (covariance_matrices is None or scale_trils is None) or not len(given):
            got = "both" if covariance_matrices is not None and scale_trils is not None else "neither"
            raise ParameterError(
                f"{self.name} needs a list of covariance_matrices or of scale_trils, and got "
                f"{got if given is None or len(given) else 'an empty one'}."
            )
        name = "covariance_matrices" if scale_trils is None else "scale_trils"
        found = []
        for i, matrix in enumerate(given):
            owner = f"{self.name}: {name}[{i}]"
            as_covariance = matrix if scale_trils is None else None
            found.append(
                factors(owner, ("covariance_matrix", as_covariance), ("", None), matrix if scale_trils else None)
            )
        size = math.prod(jnp.shape(f.scale_tril)[-1] for f in found)
        loc = as_vector(loc, f"{self.name}: loc", size, found[0].scale_tril)
        if jnp.shape(loc)[-1] != size:
            shapes = " x ".join(str(jnp.shape(f.scale_tril)) for f in found)
            raise ShapeError(f"{self.name}: loc has shape {jnp.shape(loc)}, but {name} have shapes {shapes}.")
        object.__setattr__(self, "loc", loc)
        object.__setattr__(self, "scale_trils", tuple(f.scale_tril for f in found))
        object.__setattr__(self, "problem", next((f.problem for f in found if f.problem), ""))
        self.__post_init__()

    def _given(self) -> list[Any]:
        return [self.loc, *self.scale_trils]

    @property
    def sizes(self) -> tuple[int, ...]:
        """n_1, ..., n_m."""
        return tuple(int(jnp.shape(f)[-1]) for f in self.scale_trils)

    @property
    def batch_shape(self) -> tuple[int, ...]:
        shapes = [jnp.shape(self.loc)[:-1], *(jnp.shape(f)[:-2] for f in self.scale_trils)]
        try:
            return np.broadcast_shapes(*shapes)
        except ValueError:
            matrices = ", ".join(f"scale_trils[{i}] has shape {jnp.shape(f)}" for i, f in enumerate(self.scale_trils))
            raise ShapeError(
                f"{self.name}: the parameters do not broadcast: loc has shape {jnp.shape(self.loc)}, {matrices}."
            ) from None

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (math.prod(self.sizes),)

    def take(self, positions: Any) -> Distribution:
        def part(x: Any, event: int) -> Any:
            if jnp.ndim(x) <= event:
                return x
            inner = jnp.shape(x)[jnp.ndim(x) - event :]
            return jnp.broadcast_to(x, (*self.batch_shape, *inner)).reshape(-1, *inner)[positions]

        parts = KroneckerNormal(part(self.loc, 1), scale_trils=[part(f, 2) for f in self.scale_trils])
        return parts.expand(jnp.shape(positions))

    def _along(self, f: Any, x: jax.Array) -> jax.Array:
        """f(factor, columns) along each axis of the grid in turn."""
        front, total = x.shape[:-1], x.shape[-1]
        for factor, n in zip(self.scale_trils, self.sizes, strict=True):
            # The axis in front is taken and put behind the others: after all of them the order is as before.
            x = f(promote(factor)[0], x.reshape(*front, n, total // n)).mT
            front = x.shape[:-2]
            x = x.reshape(*front, total)
        return x

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        noise = jax.random.normal(key, (*shape, *self.shape), self.dtype)
        loc, x = promote(self.loc, self._along(multiply_matrix, noise))
        return loc + x

    def log_prob(self, value: Any) -> jax.Array:
        x, loc = promote(value, self.loc)
        finite = ~jnp.isinf(x).any(-1)
        white = self._along(solve_matrix, jnp.where(finite[..., None], x, 0.0) - loc)
        squares, log_det = promote(jnp.square(white).sum(-1), self._log_det())
        return within(finite, -0.5 * squares - log_det - self.event_shape[0] * HALF_LOG_TWO_PI)

    def _log_det(self) -> jax.Array:
        (total,) = self.event_shape
        parts = promote(*(log_diagonal(f).sum(-1) for f in self.scale_trils))
        return sum((total // n * x for x, n in zip(parts, self.sizes, strict=True)), jnp.zeros_like(parts[0]))

    @property
    def mean(self) -> jax.Array:
        return jnp.broadcast_to(promote(self.loc)[0], self.shape)

    @property
    def mode(self) -> jax.Array:
        return self.mean

    @property
    def variance(self) -> jax.Array:
        out = jnp.ones((1,), self.dtype)
        for f in self.scale_trils:
            a, b = promote(out[..., :, None], jnp.square(promote(f)[0]).sum(-1)[..., None, :])
            out = (a * b).reshape(*jnp.broadcast_shapes(a.shape[:-2], b.shape[:-2]), -1)
        return jnp.broadcast_to(out, self.shape)

    @property
    def covariance(self) -> jax.Array:
        out = jnp.ones((1, 1), self.dtype)
        for f in self.scale_trils:
            (factor,) = promote(f)
            a, b = promote(out[..., :, None, :, None], matmul(factor, factor.mT)[..., None, :, None, :])
            n = a.shape[-2] * b.shape[-1]
            out = (a * b).reshape(*jnp.broadcast_shapes(a.shape[:-4], b.shape[:-4]), n, n)
        return jnp.broadcast_to(out, (*self.shape, *self.event_shape))

    def entropy(self) -> jax.Array:
        (total,) = self.event_shape
        return jnp.broadcast_to(self._log_det() + total * (HALF_LOG_TWO_PI + 0.5), self.batch_shape)

    def __repr__(self) -> str:
        return f"{self.name}(loc={show(self.loc)}, scale_trils=[{', '.join(map(show, self.scale_trils))}])"

    def validate(self) -> None:
        if self.problem:
            raise ParameterError(self.problem)
        super().validate()
        for i, f in enumerate(self.scale_trils):
            refuse_outside(self.name, f"scale_trils[{i}]", f, supports.lower_cholesky)
