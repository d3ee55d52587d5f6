"""Small networks for guides: parameters are lists of arrays."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

NETWORK_PACE = 0.1  # weights take shorter steps than locations and scales

Layers = list[dict[str, jax.Array]]


def network(key: jax.Array, sizes: Sequence[int], dtype: Any = jnp.float32) -> Layers:
    """Layers of these sizes, input first; the last one gives 0 at the start, and so no change.

    >>> layers = network(jax.random.key(0), [2, 8, 3])
    >>> apply(layers, jnp.ones(2)).tolist()
    [0.0, 0.0, 0.0]
    """
    layers = []
    for i, (inner, outer) in enumerate(itertools.pairwise(sizes)):
        last = i == len(sizes) - 2
        scale = 0.0 if last else max(inner, 1) ** -0.5
        weight = scale * jax.random.normal(jax.random.fold_in(key, i), (inner, outer), dtype)
        layers.append({"weight": weight, "bias": jnp.zeros(outer, dtype)})
    return layers


def apply(layers: Layers, x: jax.Array, masks: Sequence[Any] | None = None) -> jax.Array:
    """The output for one input `[n]`, or for rows of inputs `[row, n]`; `masks`: 0 where a weight does not count."""
    for i, layer in enumerate(layers):
        weight = layer["weight"] if masks is None else layer["weight"] * masks[i]
        x = x @ weight + layer["bias"].reshape((1,) * (x.ndim - 1) + (-1,))
        if i < len(layers) - 1:
            x = jnp.tanh(x)
    return x
