"""Interpolated: a density in straight lines between points."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from storax import supports
from storax.distributions.base import Distribution, is_known, promote, within
from storax.distributions.gamma import probability
from storax.distributions.quadrature import gauss_rule
from storax.distributions.special import safe_log
from storax.errors import ParameterError, ShapeError
from storax.supports import Support


class Interpolated(Distribution):
    """A density that is linear between points, such as a histogram or a kernel estimate of draws; names as in PyMC.

    Args:
        x_points: `[..., n]`, increasing; the support is from the first to the last.
        pdf_points: `[..., n]`, the density there up to a constant factor, not negative, and not 0 everywhere.

    >>> d = Interpolated([0.0, 1.0, 2.0], [0.0, 1.0, 0.0])
    >>> d.log_prob(1.0).item(), d.icdf(0.5).item()
    (0.0, 1.0)
    """

    x_points: Any
    pdf_points: Any

    parameters: ClassVar[dict[str, Support]] = {
        "x_points": supports.real_vector,
        "pdf_points": supports.independent(supports.nonnegative, 1),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        n, m = jnp.shape(self.x_points)[-1], jnp.shape(self.pdf_points)[-1]
        if n != m or n < 2:
            raise ShapeError(
                f"Interpolated: x_points and pdf_points must have the same length, at least 2; x_points has shape "
                f"{jnp.shape(self.x_points)}, pdf_points has shape {jnp.shape(self.pdf_points)}."
            )

    def validate(self) -> None:
        super().validate()
        if not (is_known(self.x_points) and is_known(self.pdf_points)):
            return
        x, p = np.asarray(self.x_points), np.asarray(self.pdf_points)
        if not (np.diff(x) > 0).all():
            raise ParameterError(f"Interpolated: x_points must increase, and x_points is {x}.")
        if not (p.max(-1) > 0).all():
            raise ParameterError(f"Interpolated: pdf_points must not be 0 everywhere, and pdf_points is {p}.")

    def _points(self) -> tuple[jax.Array, jax.Array]:
        x, p = promote(self.x_points, self.pdf_points)
        shape = (*self.batch_shape, x.shape[-1])
        return jnp.broadcast_to(x, shape), jnp.broadcast_to(p, shape)

    def _pieces(self) -> tuple[jax.Array, ...]:
        """Of every piece: left end, width, height on the left, on the right, and area; the heights sum to an area 1."""
        x, p = self._points()
        width = jnp.diff(x, axis=-1)
        area = 0.5 * (p[..., 1:] + p[..., :-1]) * width
        total = area.sum(-1, keepdims=True)
        return x[..., :-1], width, p[..., :-1] / total, p[..., 1:] / total, area / total

    def _find(self, value: jax.Array, edges: jax.Array, *tables: jax.Array) -> list[jax.Array]:
        """The entries of the tables `[*batch_shape, n - 1]` of the piece between whose edges each value lies."""
        shape = jnp.broadcast_shapes(value.shape, self.batch_shape)
        v = jnp.broadcast_to(value, shape)
        last = edges.shape[-1] - 2
        if edges.ndim == 1:
            index = jnp.clip(jnp.searchsorted(edges, v, side="right") - 1, 0, last)
            return [table[index] for table in tables]
        wide = edges.reshape((1,) * (len(shape) - edges.ndim + 1) + edges.shape)
        index = jnp.clip((v[..., None] >= wide).sum(-1) - 1, 0, last)
        return [
            jnp.take_along_axis(jnp.broadcast_to(t, (*shape, last + 1)), index[..., None], -1)[..., 0] for t in tables
        ]

    @property
    def support(self) -> Support:
        if isinstance(self.x_points, jax.ShapeDtypeStruct) or isinstance(self.pdf_points, jax.ShapeDtypeStruct):
            ends = jax.ShapeDtypeStruct(self.batch_shape, jnp.result_type(float, self.x_points.dtype))
            return supports.interval(ends, ends)
        x, _ = self._points()
        return supports.interval(x[..., 0], x[..., -1])

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        return self.icdf(jax.random.uniform(key, (*shape, *self.batch_shape), self.dtype))

    def _ends(self, value: Any) -> tuple[jax.Array, ...]:
        x, _ = self._points()
        return tuple(promote(value, x[..., 0], x[..., -1]))

    def log_prob(self, value: Any) -> jax.Array:
        v, low, high = self._ends(value)
        inside = ~((v < low) | (v > high))
        v = jnp.where(inside, v, low)
        left, width, p, q, _ = self._find(v, self._points()[0], *self._pieces())
        t = (v - left) / width
        return self._or_nan(within(inside, safe_log(p * (1 - t) + q * t)), (jnp.diff(self._points()[0]) > 0).all(-1))

    def log_cdf(self, value: Any) -> jax.Array:
        return self._log_area(value, True)

    def log_survival(self, value: Any) -> jax.Array:
        return self._log_area(value, False)

    def _log_area(self, value: Any, lower: bool) -> jax.Array:
        v, low, high = self._ends(value)
        pieces = self._pieces()
        area = pieces[-1]
        before = jnp.cumsum(area, -1) - area if lower else jnp.flip(jnp.cumsum(jnp.flip(area, -1), -1), -1) - area
        left, width, p, q, _, whole = self._find(jnp.clip(v, low, high), self._points()[0], *pieces, before)
        t = (jnp.clip(v, low, high) - left) / width
        if not lower:
            p, q, t = q, p, 1 - t
        return safe_log(jnp.clip(whole + width * t * (p + 0.5 * (q - p) * t), 0.0, 1.0))

    def icdf(self, q: Any) -> jax.Array:
        v, _ = promote(probability(q), jnp.zeros(self.batch_shape, self.dtype))
        pieces = self._pieces()
        area = pieces[-1]
        ends = jnp.cumsum(area, -1)
        edges = jnp.concatenate(
            [jnp.zeros_like(area[..., :1]), ends[..., :-1], jnp.full_like(area[..., :1], jnp.inf)], -1
        )
        left, width, p, r, _, before = self._find(v, edges, *pieces, edges[..., :-1])
        wanted = jnp.maximum(v - before, 0.0) / width
        # p t + (r - p) t^2 / 2 = wanted, by the root that does not cancel.
        square = jnp.square(p) + 2 * (r - p) * wanted
        root = jnp.sqrt(jnp.where(square > 0, square, 1.0)) * (square > 0)
        total = p + root
        t = jnp.where(total > 0, 2 * wanted / jnp.where(total > 0, total, 1.0), 0.0)
        x = left + width * jnp.clip(t, 0.0, 1.0)
        return jnp.where(jnp.isnan(v), jnp.nan, x)

    @property
    def mean(self) -> jax.Array:
        left, width, p, q, area = self._pieces()
        return (area * left + jnp.square(width) * (p + 2 * q) / 6).sum(-1)

    @property
    def variance(self) -> jax.Array:
        left, width, p, q, _ = self._pieces()
        u = left - self.mean[..., None]
        v = u + width
        return (width / 12 * (p * (3 * u * u + 2 * u * v + v * v) + q * (u * u + 2 * u * v + 3 * v * v))).sum(-1)

    @property
    def mode(self) -> jax.Array:
        x, p = self._points()
        return jnp.take_along_axis(x, jnp.argmax(p, -1)[..., None], -1)[..., 0]

    def entropy(self) -> jax.Array:
        """Piece by piece: the integral of f log f is f^2 (log f - 1 / 2) / 2 between both ends over their difference;
        where that cancels, Gauss's rule."""
        _, width, p, q, _ = self._pieces()
        low, high = jnp.minimum(p, q), jnp.maximum(p, q)
        apart = high > 2 * low
        x, weight = gauss_rule(jnp.where(apart, 1.0, low), jnp.where(apart, 1.0, high - low), 16)
        near = (weight * x * safe_log(x)).sum(-1)
        a, b = jnp.where(apart, low, 0.0), jnp.where(apart, high, 1.0)
        primitive = lambda f: 0.5 * f * f * (jnp.log(jnp.where(f > 0, f, 1.0)) - 0.5)  # noqa: E731
        far = (primitive(b) - primitive(a)) / (b - a)
        return -(width * jnp.where(apart, far, jnp.where(high > 0, near, 0.0))).sum(-1)
