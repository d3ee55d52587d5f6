"""The scaled complementary error function: the tail of a normal distribution without its exponential."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

# (1 + 2x) erfcx(x) as a polynomial in t = (x - 4) / (x + 4), highest power first: the Chebyshev series over [-1, 1] cut
# off below 1e-17 and 1e-9, computed with mpmath at 60 digits (the form is that of Shepherd & Laframboise 1981).
_DOUBLE = [
    *(-2.6595996902426894e-10, 9.3117449782325728e-10, 3.1695881915648172e-9, -1.2346866043823529e-8),
    *(-2.0560649275699202e-8, 1.0633855618594884e-7, 7.7469927270179419e-8, -8.210939042560568e-7),
    *(2.9197333779630121e-7, 5.7066044148957335e-6, -1.1221287012353485e-5, -2.4397746422436416e-5),
    *(0.00015062149001240472, -0.00019925714661091188, -0.00075777326137309563, 0.0050319700676574889),
    *(-0.016197734059799266, 0.03716751552655567, -0.066330365812186977, 0.093732834999094408),
    *(-0.10103906603630055, 0.068097054254669088, 0.015379652102619604, -0.13962111684056229, 1.2329951186255525),
]
_SINGLE = [
    *(0.000114208173, -0.00024843673, -0.000709132787, 0.00508226958, -0.016230392, 0.0371404587),
    *(-0.0663190441, 0.0937402055, -0.101040941, 0.0680961749, 0.0153797687, -0.139621086, 1.23299512),
]


def erfcx(x: Any) -> jax.Array:
    """exp(x^2) erfc(x) for x >= 0, to the last digits, with a derivative as good.

    >>> round(erfcx(0.0).item(), 6), round(float(erfcx(1e9) * 1e9 * math.sqrt(math.pi)), 6)
    (1.0, 1.0)
    """
    x = jnp.asarray(x)
    t = 1 - 8 / (x + 4)
    value = jnp.zeros_like(t)
    for coefficient in _DOUBLE if x.dtype == jnp.float64 else _SINGLE:
        value = value * t + coefficient
    return value / (1 + 2 * x)


def log_ndtr(z: Any) -> jax.Array:
    """log P(Z <= z) of a standard normal.

    jax.scipy.special.log_ndtr has the gradient exp(-z^2 / 2 - log_ndtr(z)): in float32 half off at z = -5000.

    >>> round(log_ndtr(-1e3).item(), -1)
    -500010.0
    """
    z = jnp.asarray(z)
    z, kept = (z, z.dtype) if jnp.finfo(z.dtype).bits > 16 else (z.astype(jnp.float32), z.dtype)
    low = z < 0
    y = jnp.where(low, z, -1.0)
    of_low = -0.5 * jnp.square(y) + jnp.log(0.5 * erfcx(-y * math.sqrt(0.5)))
    of_high = jnp.log1p(-0.5 * jax.scipy.special.erfc(jnp.where(low, 1.0, z) * math.sqrt(0.5)))
    return jnp.where(low, of_low, of_high).astype(kept)
