"""CirculantNormal."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from storax import supports
from storax.distributions.base import Distribution, as_parameter, is_known, promote, within
from storax.distributions.compound import finite_part
from storax.distributions.special import HALF_LOG_TWO_PI
from storax.errors import ParameterError, ShapeError
from storax.pytrees import static
from storax.supports import Support


class CirculantNormal(Distribution):
    """The normal distribution on vectors of n numbers around a circle: cov(x_i, x_j) = row_((i - j) mod n).

    The Fourier transform makes its numbers independent, so a density takes n log n operations.

    Args:
        loc: mean, `[..., n]`.
        covariance_row: `[..., n]`, the first row of the covariance matrix, row_k = row_(n - k); or
        covariance_rfft: `[..., n // 2 + 1]`, its real Fourier transform, positive: the eigenvalues of the matrix.

    >>> d = CirculantNormal(jnp.zeros(4), [2.0, 0.5, 0.25, 0.5])
    >>> d.variance.tolist()
    [2.0, 2.0, 2.0, 2.0]
    """

    loc: Any
    covariance_rfft: Any
    problem: str = static(default="", repr=False)  # what is wrong with the row, for `validate` to say

    parameters: ClassVar[dict[str, Support]] = {
        "loc": supports.real_vector,
        "covariance_rfft": supports.independent(supports.positive, 1),
    }
    support: ClassVar[Support] = supports.real_vector
    event_dim: ClassVar[int] = 1

    def __init__(self, loc: Any, covariance_row: Any = None, covariance_rfft: Any = None) -> None:
        given = {"covariance_row": covariance_row, "covariance_rfft": covariance_rfft}
        given = {n: x for n, x in given.items() if x is not None}
        if len(given) != 1:
            raise ParameterError(
                f"CirculantNormal needs one of covariance_row and covariance_rfft, and got "
                f"{' and '.join(given) or 'none'}."
            )
        ((name, numbers),) = given.items()
        loc = as_parameter(loc, "CirculantNormal: loc")
        numbers = as_parameter(numbers, f"CirculantNormal: {name}")
        size = jnp.shape(loc)[-1] if jnp.ndim(loc) else 0
        size = size if name == "covariance_row" else size // 2 + 1
        if jnp.ndim(loc) == 0 or jnp.shape(numbers)[-1:] != (size,):
            raise ShapeError(
                f"CirculantNormal: loc must be a vector, with a {name} of {size or 'as many'} numbers; loc has shape "
                f"{jnp.shape(loc)}, and {name} has shape {jnp.shape(numbers)}."
            )
        problem = ""
        if name == "covariance_row":
            problem = _problem(numbers)
            numbers = _eigenvalues(numbers)
        object.__setattr__(self, "loc", loc)
        object.__setattr__(self, "covariance_rfft", numbers)
        object.__setattr__(self, "problem", problem)
        self.__post_init__()

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (int(jnp.shape(self.loc)[-1]),)

    @property
    def covariance_row(self) -> jax.Array:
        """The first row of the covariance matrix."""
        return jnp.fft.irfft(_wide(self.covariance_rfft), self.event_shape[0]).astype(self.dtype)

    def _copies(self, dtype: Any) -> np.ndarray:
        """How often each eigenvalue occurs: all but that of the mean, and for even n that of +1, -1, +1..., twice."""
        n = self.event_shape[0]
        copies = np.full(n // 2 + 1, 2.0)
        copies[0] = 1
        if n % 2 == 0:
            copies[-1] = 1
        return copies.astype(dtype)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        noise = jnp.fft.rfft(_wide(jax.random.normal(key, (*shape, *self.shape), self.dtype)))
        root = jnp.sqrt(_wide(self.covariance_rfft))
        x = jnp.fft.irfft(noise * root.reshape((1,) * (noise.ndim - root.ndim) + root.shape), self.event_shape[0])
        loc, x = promote(self.loc, x.astype(self.dtype))
        return loc + x

    def log_prob(self, value: Any) -> jax.Array:
        x, loc = promote(value, self.loc)
        inside, x = finite_part(x)
        y = x - loc
        n = self.event_shape[0]
        waves = jnp.fft.rfft(_wide(y)) / np.sqrt(n)
        power = jnp.square(waves.real) + jnp.square(waves.imag)
        power, values = promote(power.astype(y.dtype), self.covariance_rfft)
        copies = self._copies(power.dtype).reshape((1,) * (power.ndim - 1) + (-1,))
        score = -0.5 * (copies * (power / values + jnp.log(values))).sum(-1)
        return within(inside, score - n * HALF_LOG_TWO_PI)

    @property
    def mean(self) -> jax.Array:
        return jnp.broadcast_to(promote(self.loc)[0], self.shape)

    @property
    def mode(self) -> jax.Array:
        return self.mean

    @property
    def variance(self) -> jax.Array:
        return jnp.broadcast_to(self.covariance_row[..., :1], self.shape)

    @property
    def covariance(self) -> jax.Array:
        n = self.event_shape[0]
        apart = np.abs(np.subtract.outer(np.arange(n), np.arange(n))).astype(np.int32)
        return jnp.broadcast_to(self.covariance_row[..., apart], (*self.shape, n))

    def entropy(self) -> jax.Array:
        (values,) = promote(self.covariance_rfft)
        copies = self._copies(values.dtype).reshape((1,) * (values.ndim - 1) + (-1,))
        half_log_det = 0.5 * (copies * jnp.log(values)).sum(-1)
        return jnp.broadcast_to(half_log_det + self.event_shape[0] * (HALF_LOG_TWO_PI + 0.5), self.batch_shape)

    def validate(self) -> None:
        if self.problem:
            raise ParameterError(self.problem)
        super().validate()


def _wide(x: Any) -> jax.Array:
    """Fourier transforms know no half precision."""
    (x,) = promote(x)
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def _eigenvalues(row: Any) -> Any:
    """Of the matrix with this row; for numbers that are known, in double precision."""
    if is_known(row):
        with jax.ensure_compile_time_eval():
            numbers = np.asarray(row)
        dtype = numbers.dtype if np.issubdtype(numbers.dtype, np.floating) else np.dtype(jnp.result_type(float))
        return np.fft.rfft(numbers.astype(float)).real.astype(dtype)
    (row,) = promote(row)
    return jnp.fft.rfft(_wide(row)).real.astype(row.dtype)


def _problem(row: Any) -> str:
    """What is wrong with a row whose numbers are known, before its transform hides it."""
    if not is_known(row):
        return ""
    with jax.ensure_compile_time_eval():
        numbers = np.asarray(row)
    what = "CirculantNormal: covariance_row must be"
    if not np.isfinite(numbers).all():
        return f"{what} finite in every entry."
    gap = np.abs(numbers[..., 1:] - np.flip(numbers[..., 1:], -1)).max(initial=0.0)
    if gap > (1e-10 if numbers.dtype == np.float64 else 1e-5) * np.abs(numbers).max():
        return f"{what} the same from both ends, row[k] = row[n - k], and differs by {gap:.3g}."
    smallest = np.fft.rfft(numbers.astype(float)).real.min()
    if smallest <= 0:
        return f"{what} that of a positive definite matrix, and has the eigenvalue {smallest:.3g}."
    return ""
