"""Maps that change no volume: Permute, RealFFT, ToComplex."""

from __future__ import annotations

import math
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from storax.bijections.base import Bijection, floats
from storax.errors import ParameterError
from storax.pytrees import static


class Permute(Bijection):
    """x_i = z_p(i): the entries of a vector in another order.

    Args:
        permutation: each of 0, ..., d - 1 once.

    >>> Permute((2, 0, 1)).forward(jnp.array([5.0, 6.0, 7.0])).tolist()
    [7.0, 5.0, 6.0]
    """

    permutation: tuple[int, ...] = static()

    z_event_dim: ClassVar[int] = 1
    x_event_dim: ClassVar[int] = 1

    def __post_init__(self) -> None:
        order = tuple(int(i) for i in self.permutation)
        if sorted(order) != list(range(len(order))):
            raise ParameterError(
                f"Permute: permutation must hold each of 0, ..., {len(order) - 1} once, and is {order}."
            )
        object.__setattr__(self, "permutation", order)

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        z = floats(z)
        return z[..., np.array(self.permutation)], jnp.zeros(z.shape[:-1], z.dtype)

    def inverse(self, x: jax.Array) -> jax.Array:
        return floats(x)[..., np.argsort(self.permutation)]


class RealFFT(Bijection):
    """The discrete Fourier transform of d real numbers, as d real numbers.

    x holds the real parts of the coefficients 0, ..., d // 2, then the imaginary parts of those that have one; each
    coefficient that stands for two (itself and its conjugate) is multiplied by sqrt(2), which makes the map a rotation.

    >>> RealFFT().forward(jnp.ones(4)).round(6).tolist()
    [2.0, 0.0, 0.0, 0.0]
    """

    z_event_dim: ClassVar[int] = 1
    x_event_dim: ClassVar[int] = 1

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        z = floats(z)
        d = z.shape[-1]
        c = jnp.fft.rfft(_single(z), norm="ortho") * _weights(d, z.ndim)
        x = jnp.concatenate([c.real, c.imag[..., 1 : (d + 1) // 2]], -1).astype(z.dtype)
        return x, jnp.zeros(z.shape[:-1], z.dtype)

    def inverse(self, x: jax.Array) -> jax.Array:
        x = floats(x)
        d = x.shape[-1]
        real, imaginary = _single(x[..., : d // 2 + 1]), _single(x[..., d // 2 + 1 :])
        first, last = jnp.zeros_like(real[..., :1]), jnp.zeros_like(real[..., : 1 - d % 2])
        c = real + 1j * jnp.concatenate([first, imaginary, last][: 3 if d > 1 else 1], -1)
        return jnp.fft.irfft(c / _weights(d, x.ndim), n=d, norm="ortho").astype(x.dtype)


def _single(x: jax.Array) -> jax.Array:
    """Half precision has no Fourier transform."""
    return x if x.dtype == jnp.float64 else x.astype(jnp.float32)


def _weights(d: int, ndim: int) -> jax.Array:
    pairs = np.full(d // 2 + 1, math.sqrt(2.0))
    pairs[0] = 1.0
    if d % 2 == 0:
        pairs[-1] = 1.0
    return jnp.asarray(pairs.reshape((1,) * (ndim - 1) + (-1,)), jnp.result_type(float))


class ToComplex(Bijection):
    """From R^2 to the complex numbers: the real and the imaginary part.

    >>> ToComplex().forward(jnp.array([1.0, 2.0])).item()
    (1+2j)
    """

    z_event_dim: ClassVar[int] = 1
    x_event_dim: ClassVar[int] = 0

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        z = floats(z)
        return jax.lax.complex(z[..., 0], z[..., 1]), jnp.zeros(z.shape[:-1], z.dtype)

    def inverse(self, x: jax.Array) -> jax.Array:
        return jnp.stack([jnp.real(x), jnp.imag(x)], -1)

    def forward_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape[:-1]

    def inverse_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape, 2)
