"""CAR and ICAR: conditional autoregressions, in which each node of a graph is near the mean of its neighbours."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from storax import supports
from storax.distributions.base import as_parameter, is_known, promote, within
from storax.distributions.compound import Compound, column, finite_part
from storax.distributions.graphs import Graph
from storax.distributions.rows import dot_rows
from storax.distributions.special import HALF_LOG_TWO_PI
from storax.errors import ArgumentTypeError, NotMeasurable, ParameterError, ShapeError
from storax.supports import Support


class CAR(Compound):
    """Normal with the precision matrix conditional_precision * (D - correlation * W), W the adjacency matrix.

    Given the others, x_i has the mean loc_i + correlation * (mean of the neighbours' x_j - loc_j) and the precision
    conditional_precision * D_ii, where D_ii is the sum of row i of W (Besag 1974; Stan case study by Joseph 2016).

    Args:
        loc: `[..., n]`, or one number for all.
        correlation: strictly between -1 and 1.
        conditional_precision: positive.
        adj_matrix: `[n, n]`, symmetric, not negative, zeros on the diagonal; each node has a neighbour.  Its
            eigenvalues are computed once if its numbers are known when the model is traced, else at each evaluation.

    >>> ring = jnp.roll(jnp.eye(4), 1, 0) + jnp.roll(jnp.eye(4), -1, 0)
    >>> CAR(0.0, 0.5, 1.0, ring).event_shape
    (4,)
    """

    loc: Any
    correlation: Any
    conditional_precision: Any
    adj_matrix: Any

    parameters: ClassVar[dict[str, Support]] = {
        "loc": supports.real_vector,
        "correlation": supports.interval(-1.0, 1.0),
        "conditional_precision": supports.positive,
    }
    support: ClassVar[Support] = supports.real_vector
    event_dim: ClassVar[int] = 1

    def __post_init__(self) -> None:
        graph = Graph.of("CAR", self.adj_matrix)
        loc = as_parameter(self.loc, "CAR: loc")
        if jnp.ndim(loc) == 0:
            loc = jnp.broadcast_to(promote(loc)[0], (graph.size,))
        if jnp.shape(loc)[-1] != graph.size:
            raise ShapeError(f"CAR: loc has shape {jnp.shape(loc)}, but adj_matrix has shape {(graph.size,) * 2}.")
        if graph.edges is not None and not (graph.degrees() > 0).all():
            raise ParameterError(
                f"CAR: each node needs a neighbour, and row {np.argmin(graph.degrees())} of adj_matrix is 0."
            )
        object.__setattr__(self, "adj_matrix", graph)
        object.__setattr__(self, "loc", loc)
        super().__post_init__()

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (self.adj_matrix.size,)

    def validate(self) -> None:
        super().validate()
        if is_known(self.correlation) and (np.abs(np.asarray(self.correlation)) == 1).any():
            raise ParameterError("CAR: correlation must be strictly between -1 and 1, and has an entry at an end.")

    def log_prob(self, value: Any) -> jax.Array:
        x, loc = promote(value, self.loc)
        inside, x = finite_part(x)
        y = x - loc
        sign = jnp.where(promote(self.correlation)[0] < 0, -1.0, 1.0).astype(self.dtype)
        # y'(D - r W)y = (1 - |r|) sum d_i y_i^2 + |r| sum w_ij (y_i -+ y_j)^2: no term is negative.
        between = self.adj_matrix.squares(y, sign)
        degrees = jnp.asarray(self.adj_matrix.degrees(), y.dtype)
        own = dot_rows(jnp.square(y), degrees.reshape((1,) * (y.ndim - 1) + (-1,)))
        own, between, r, sign = promote(own, between, self.correlation, sign)
        size = sign * r
        energy, precision, log_det = promote(
            (1 - size) * own + size * between, self.conditional_precision, self._log_det(y.dtype)
        )
        n = self.adj_matrix.size
        return within(
            inside, -0.5 * precision * energy + 0.5 * (n * jnp.log(precision) + log_det) - n * HALF_LOG_TWO_PI
        )

    def _log_det(self, dtype: Any) -> jax.Array:
        """Of D - r W: the sums of log D_ii and of log(1 - r v), over the eigenvalues v of the normalised adjacency."""
        values = jnp.asarray(self.adj_matrix.normalised()[0], dtype)
        r, values = promote(column(self.correlation), values)
        return jnp.log1p(-r * values).sum(-1) + jnp.log(jnp.asarray(self.adj_matrix.degrees(), dtype)).sum()

    def _root(self) -> jax.Array:
        """A with A A^T the covariance matrix, `[..., n, n]`."""
        values, vectors = (jnp.asarray(x, self.dtype) for x in self.adj_matrix.normalised())
        shared = vectors / jnp.sqrt(jnp.asarray(self.adj_matrix.degrees(), self.dtype))[:, None]
        r, precision, values = promote(column(self.correlation), column(self.conditional_precision), values)
        scales = 1 / jnp.sqrt(precision * (1 - r * values))
        scales, shared = promote(scales[..., None, :], shared)
        return shared * scales

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        noise = jax.random.normal(key, (*shape, *self.shape), self.dtype)
        return _shifted(self.loc, self._root(), noise)

    @property
    def mean(self) -> jax.Array:
        return jnp.broadcast_to(promote(self.loc)[0], self.shape)

    @property
    def mode(self) -> jax.Array:
        return self.mean

    @property
    def variance(self) -> jax.Array:
        return jnp.broadcast_to(jnp.square(self._root()).sum(-1), self.shape)

    @property
    def covariance(self) -> jax.Array:
        root = self._root()
        return jnp.broadcast_to(jnp.matmul(root, root.mT, precision="highest"), (*self.shape, self.adj_matrix.size))

    def entropy(self) -> jax.Array:
        n = self.adj_matrix.size
        precision, log_det = promote(self.conditional_precision, self._log_det(self.dtype))
        half = -0.5 * (n * jnp.log(precision) + log_det) + n * (HALF_LOG_TWO_PI + 0.5)
        return jnp.broadcast_to(half, self.batch_shape)


class ICAR(Compound):
    """The intrinsic conditional autoregression: exp(-1/2 sum w_ij (x_i - x_j)^2 / scale^2) over the edges of a graph.

    That says nothing of the mean of x in a connected part of the graph.  With `zero_sum_stdev` each such mean is
    Normal(0, zero_sum_stdev), which makes it a proper density that integrates to 1.  Without, the density is improper:
    it is that of x up to shifts of the parts, it depends on `scale` as it should, and there are no draws.

    Args:
        adj_matrix: `[n, n]`, symmetric, not negative, zeros on the diagonal; its numbers must be known when the model
            is traced.
        scale: positive.
        zero_sum_stdev: positive, such as 0.001; by default there is none.

    >>> path = jnp.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]])
    >>> d = ICAR(path, 1.0)
    >>> bool(d.log_prob(jnp.array([0.0, 1.0, 3.0])) == d.log_prob(jnp.array([5.0, 6.0, 8.0])))
    True
    """

    adj_matrix: Any
    scale: Any = 1.0
    zero_sum_stdev: Any = None

    parameters: ClassVar[dict[str, Support]] = {"scale": supports.positive, "zero_sum_stdev": supports.positive}
    support: ClassVar[Support] = supports.real_vector
    event_dim: ClassVar[int] = 1

    def __post_init__(self) -> None:
        graph = Graph.of("ICAR", self.adj_matrix)
        if graph.edges is None:
            raise ArgumentTypeError(
                "ICAR: the numbers of adj_matrix must be known when the model is traced, to find its connected parts: "
                "let the model close over it (functools.partial) instead of taking it as an argument."
            )
        object.__setattr__(self, "adj_matrix", graph)
        super().__post_init__()

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (self.adj_matrix.size,)

    def log_prob(self, value: Any) -> jax.Array:
        inside, x = finite_part(promote(value, column(self.scale))[0])
        values, _ = self.adj_matrix.edges.laplacian
        between, scale = promote(self.adj_matrix.squares(x, 1.0), self.scale)
        score = -0.5 * between / jnp.square(scale) - len(values) * (jnp.log(scale) + HALF_LOG_TWO_PI)
        score = score + 0.5 * float(np.log(values).sum())
        if self.zero_sum_stdev is not None:
            of_part = jnp.asarray(self._parts, x.dtype)
            z = jnp.einsum("...n,nc->...c", x, of_part, precision="highest")
            z, sd = promote(z, column(self.zero_sum_stdev))
            sizes = 1 / self._parts.max(0)  # sqrt of the number of nodes, as z is sqrt(size) times the mean
            sd = sd * jnp.asarray(sizes, x.dtype).reshape((1,) * max(sd.ndim - 1, 0) + (-1,))
            of_means = (-0.5 * jnp.square(z / sd) - jnp.log(sd) - HALF_LOG_TWO_PI).sum(-1)
            score, of_means = promote(score, of_means)
            score = score + of_means
        return within(inside, score)

    @property
    def _parts(self) -> np.ndarray:
        """An orthonormal basis of the shifts: one column for each connected part, `[n, c]`."""
        parts = self.adj_matrix.edges.components
        member = (parts[:, None] == np.arange(parts.max() + 1)).astype(float)
        return member / np.sqrt(member.sum(0))

    def _root(self) -> jax.Array:
        """A with A A^T the covariance matrix, `[..., n, n]`."""
        if self.zero_sum_stdev is None:
            raise NotMeasurable("ICAR without zero_sum_stdev is improper: it has no draws and no moments.")
        values, vectors = self.adj_matrix.edges.laplacian
        parts = self._parts
        scale, sd = promote(column(self.scale, 2), column(self.zero_sum_stdev, 2))
        bases = [jnp.asarray(b, self.dtype) for b in (vectors / np.sqrt(values), parts / parts.max(0))]
        scale, sd, steps, shifts = promote(scale, sd, *bases)
        both = [scale * steps, sd * shifts]
        batch = jnp.broadcast_shapes(*(b.shape[:-2] for b in both))
        return jnp.concatenate([jnp.broadcast_to(b, (*batch, *b.shape[-2:])) for b in both], -1)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        root = self._root()
        return _shifted(0.0, root, jax.random.normal(key, (*shape, *self.shape), self.dtype))

    @property
    def mean(self) -> jax.Array:
        self._root()
        return jnp.zeros(self.shape, self.dtype)

    @property
    def mode(self) -> jax.Array:
        return jnp.zeros(self.shape, self.dtype)

    @property
    def variance(self) -> jax.Array:
        return jnp.broadcast_to(jnp.square(self._root()).sum(-1), self.shape)

    @property
    def covariance(self) -> jax.Array:
        root = self._root()
        return jnp.broadcast_to(jnp.matmul(root, root.mT, precision="highest"), (*self.shape, self.adj_matrix.size))

    def entropy(self) -> jax.Array:
        self._root()
        return 0.5 * self.adj_matrix.size - self.log_prob(self.mode)


def _shifted(loc: Any, root: jax.Array, noise: jax.Array) -> jax.Array:
    noise = noise.reshape((1,) * max(root.ndim - 1 - noise.ndim, 0) + noise.shape)
    root = root.reshape((1,) * max(noise.ndim + 1 - root.ndim, 0) + root.shape)
    loc, moved = promote(loc, jnp.einsum("...ij,...j->...i", root, noise, precision="highest"))
    return loc + moved
