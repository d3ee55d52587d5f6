"""Monotone rational-quadratic splines (Durkan, Bekasov, Murray & Papamakarios 2019, "Neural spline flows")."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

SMALLEST = 1e-3  # share of a bin, and slope at a knot


class Knots:
    """The knots of one spline, from real numbers: the identity outside of (-bound, bound), and at zeros.

    Args:
        raw: `[3 bins - 1]`: widths, heights, slopes inside.
        bins: at least 2.
        bound: where the identity begins.
    """

    def __init__(self, raw: jax.Array, bins: int, bound: float) -> None:
        widths, heights, slopes = raw[:bins], raw[bins : 2 * bins], raw[2 * bins :]
        self.x, self.y = (self._positions(part, bins, bound) for part in (widths, heights))
        # softplus(inverse softplus(1 - SMALLEST)) = 1 - SMALLEST: slopes of 1 at zeros.
        inner = SMALLEST + jax.nn.softplus(slopes + jnp.log(jnp.expm1(1 - SMALLEST)))
        one = jnp.ones(1, raw.dtype)
        self.slope = jnp.concatenate([one, inner, one])
        self.bound = bound

    @staticmethod
    def _positions(raw: jax.Array, bins: int, bound: float) -> jax.Array:
        shares = SMALLEST + (1 - bins * SMALLEST) * jax.nn.softmax(raw)
        inside = 2 * bound * jnp.cumsum(shares)[:-1] - bound
        end = jnp.full(1, bound, raw.dtype)
        return jnp.concatenate([-end, inside, end])

    def _bin(self, value: jax.Array, along: jax.Array) -> Any:
        k = jnp.clip(jnp.searchsorted(along, value, side="right") - 1, 0, len(along) - 2)
        width, height = self.x[k + 1] - self.x[k], self.y[k + 1] - self.y[k]
        return self.x[k], self.y[k], width, height, height / width, self.slope[k], self.slope[k + 1]

    def forward(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """y and log dy/dx of a number (eq. 4 and 5)."""
        inside = jnp.abs(x) < self.bound
        x0, y0, width, height, s, d0, d1 = self._bin(jnp.where(inside, x, 0.0), self.x)
        t = (jnp.where(inside, x, x0) - x0) / width
        mix = t * (1 - t)
        below = s + (d1 + d0 - 2 * s) * mix
        y = y0 + height * (s * t**2 + d0 * mix) / below
        log_slope = 2 * jnp.log(s) + jnp.log(d1 * t**2 + 2 * s * mix + d0 * (1 - t) ** 2) - 2 * jnp.log(below)
        return jnp.where(inside, y, x), jnp.where(inside, log_slope, 0.0)

    def inverse(self, y: jax.Array) -> tuple[jax.Array, jax.Array]:
        """x and log dy/dx there, of y (eq. 6 to 8)."""
        inside = jnp.abs(y) < self.bound
        x0, y0, width, height, s, d0, d1 = self._bin(jnp.where(inside, y, 0.0), self.y)
        up = jnp.where(inside, y, y0) - y0
        curve = d1 + d0 - 2 * s
        a = height * (s - d0) + up * curve
        b = height * d0 - up * curve
        c = -s * up
        root = jnp.sqrt(jnp.maximum(b**2 - 4 * a * c, jnp.finfo(y.dtype).tiny))
        x = x0 + width * 2 * c / (-b - root)
        x = jnp.where(inside, x, y)
        return x, self.forward(x)[1]
