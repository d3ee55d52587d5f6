"""Undirected graphs, as the adjacency matrices that distributions over their nodes are given."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax.distributions.base import as_parameter, is_known, promote
from storax.distributions.compound import column
from storax.distributions.rows import dot_rows
from storax.errors import ParameterError, ShapeError
from storax.pytrees import Pytree, static


class Edges:
    """A graph whose numbers are known: everything about it is computed once, in double precision."""

    def __init__(self, adjacency: np.ndarray) -> None:
        self.adjacency = adjacency
        rows, columns = (i.astype(np.int32) for i in np.nonzero(np.triu(adjacency)))
        self.ends, self.weights = (rows, columns), adjacency[rows, columns]
        self._key = (adjacency.shape, adjacency.tobytes())
        self._hash = hash(self._key)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Edges) and self._key == other._key

    @functools.cached_property
    def components(self) -> np.ndarray:
        """Nodes that are connected have the same number, `[n]`, counted from 0."""
        label = np.arange(len(self.adjacency))
        (i, j), changed = self.ends, True
        while changed:
            old = label.copy()
            np.minimum.at(label, i, old[j])
            np.minimum.at(label, j, old[i])
            label = np.minimum(label, label[label])
            changed = bool((label != old).any())
        return np.unique(label, return_inverse=True)[1]

    @functools.cached_property
    def normalised(self) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalues and eigenvectors of D^-1/2 W D^-1/2; the largest is exactly 1, once for each component."""
        root = np.sqrt(self.adjacency.sum(-1))
        values, vectors = np.linalg.eigh(self.adjacency / root[:, None] / root)
        values = np.clip(values, -1.0, 1.0)
        values[len(values) - 1 - self.components.max() :] = 1.0
        return values, vectors

    @functools.cached_property
    def laplacian(self) -> tuple[np.ndarray, np.ndarray]:
        """The eigenvalues of D - W that are not 0, `[r]`, and their eigenvectors, `[n, r]`."""
        values, vectors = np.linalg.eigh(np.diag(self.adjacency.sum(-1)) - self.adjacency)
        zeros = self.components.max() + 1
        return values[zeros:], vectors[:, zeros:]


# Nodes times edges up to which a product by the matrix of incidence is faster than indices.
SMALL = 4096


class Graph(Pytree):
    """An adjacency matrix `[n, n]` W: known (`edges`), or a traced array (`matrix`)."""

    matrix: Any
    edges: Edges | None = static()

    @classmethod
    def of(cls, owner: str, adjacency: Any) -> Graph:
        """Of a symmetric matrix of weights that are not negative, with zeros on the diagonal.

        Raises:
            ShapeError: not a square matrix.
            ParameterError: not symmetric, negative, not finite, or with a loop; as far as the numbers are known.
        """
        if isinstance(adjacency, Graph):
            return adjacency
        adjacency = as_parameter(adjacency, f"{owner}: adj_matrix")
        shape = jnp.shape(adjacency)
        if len(shape) != 2 or shape[0] != shape[1] or shape[0] < 1:
            raise ShapeError(f"{owner}: adj_matrix must be a square matrix, and has shape {shape}.")
        if not is_known(adjacency):
            return cls(promote(adjacency)[0], None)
        with jax.ensure_compile_time_eval():
            numbers = np.asarray(adjacency).astype(float)
        wrong = {
            "finite": ~np.isfinite(numbers),
            "not negative": numbers < 0,
            "symmetric": numbers != numbers.T,
            "zero on its diagonal": (numbers != 0) & np.eye(len(numbers), dtype=bool),
        }
        for what, where in wrong.items():
            if where.any():
                i, j = np.argwhere(where)[0]
                raise ParameterError(
                    f"{owner}: adj_matrix must be {what}, and adj_matrix[{i}, {j}] is {numbers[i, j]:g}."
                )
        return cls(None, Edges(numbers))

    @property
    def size(self) -> int:
        """The number of nodes."""
        return int(jnp.shape(self.matrix)[0] if self.edges is None else len(self.edges.adjacency))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.matrix if self.edges is None else self.edges.adjacency, dtype)

    def degrees(self) -> Any:
        """`[n]`: the sum of the weights at each node."""
        return self.matrix.sum(-1) if self.edges is None else self.edges.adjacency.sum(-1)

    def normalised(self) -> tuple[Any, Any]:
        """Eigenvalues and eigenvectors of D^-1/2 W D^-1/2."""
        if self.edges is not None:
            return self.edges.normalised
        root = jnp.sqrt(self.degrees())
        wide = (self.matrix / root[:, None] / root[None]).astype(jnp.promote_types(self.matrix.dtype, jnp.float32))
        values, vectors = jnp.linalg.eigh(wide)
        return jnp.minimum(values, 1.0), vectors

    def squares(self, y: jax.Array, sign: Any) -> jax.Array:
        """The sum over edges of w_ij (y_i - s y_j)^2, with s = `sign`, 1 or -1."""
        if self.edges is not None:
            gaps, weights = promote(self._gaps(self.edges, y, sign), jnp.asarray(self.edges.weights, y.dtype))
            return dot_rows(jnp.square(gaps), weights)
        _, d = promote(y, self.degrees())
        cross = jnp.einsum("...i,ij,...j->...", y, self.matrix.astype(y.dtype), y, precision="highest")
        own, cross, sign = promote((d * jnp.square(y)).sum(-1), cross, sign)
        return own - sign * cross

    def _gaps(self, edges: Edges, y: jax.Array, sign: Any) -> jax.Array:
        """y_i - s y_j for each edge, `[..., edges]`."""
        i, j = edges.ends
        if jnp.ndim(sign) == 0 and self.size * len(i) <= SMALL:
            first, second = (jnp.asarray(np.arange(self.size)[:, None] == k, y.dtype) for k in (i, j))
            return jnp.matmul(y, first - jnp.asarray(sign, y.dtype) * second, precision="highest")
        sign, first = promote(column(sign), y[..., i])
        return first - sign * y[..., j]

    def __repr__(self) -> str:
        if self.edges is None:
            return f"graph of {self.size} nodes"
        return f"graph of {self.size} nodes and {len(self.edges.weights)} edges"
