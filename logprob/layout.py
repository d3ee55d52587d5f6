"""Where each latent site sits in one flat vector of R^n.

Sites whose support is fixed are moved there in groups: all positive ones, say, are neighbours in the vector and go
through one `exp`.  A support that depends on other sites (`Uniform(0, x)`) is known only on the walk.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from storax.bijections import biject_to
from storax.logprob.scoring import Pieces


class Slot(NamedTuple):
    """One latent site: `support` is None if it must be found on the walk; `z_shape` is its shape in R^n."""

    name: str
    shape: tuple[int, ...]
    dtype: Any
    support: Any
    z_shape: tuple[int, ...]
    loops: int = 0
    conditional: bool = False

    @property
    def size(self) -> int:
        return math.prod(self.z_shape)

    @property
    def alike(self) -> Any:
        """Slots with equal keys are constrained in one call; an elementwise bijection does not ask for shapes."""
        if self.support is None:
            return self.name
        numbers, kind = jax.tree.flatten(self.support)
        ends = tuple(float(x) for x in numbers)
        return kind, ends, self.dtype, None if self.support.event_dim == 0 else self.z_shape


class Layout:
    """The slots in the order of the vector: like beside like."""

    def __init__(self, slots: Sequence[Slot]) -> None:
        groups: dict[Any, list[Slot]] = {}
        for slot in slots:
            groups.setdefault(slot.alike, []).append(slot)
        self.groups = list(groups.values())
        self.slots = [s for group in self.groups for s in group]
        self.size = sum(s.size for s in self.slots)
        # At least single precision: sums of many half-precision terms would lose them.
        self.dtype = jnp.result_type(jnp.float32, *(s.dtype for s in self.slots))

    def support_is_fixed(self, name: str) -> bool:
        """Is the support of this site the same wherever the others are?"""
        return any(s.name == name and s.support is not None for s in self.slots)

    def flatten(self, z: Mapping[str, Any]) -> jax.Array:
        """The vector of `{name: z}`."""
        if not self.slots:
            return jnp.zeros(0, self.dtype)
        return jnp.concatenate([jnp.ravel(z[s.name]).astype(self.dtype) for s in self.slots])

    def unflatten(self, vector: jax.Array) -> dict[str, jax.Array]:
        """`{name: z}` of the vector."""
        return _named(self.slots, Pieces().cut(vector, [s.z_shape for s in self.slots]))

    def constrain(self, vector: jax.Array) -> tuple[dict[str, Any], dict[str, Any], Any, Pieces]:
        """The values with a fixed support, z of the others, the log-determinant, and what the values are pieces of."""
        pieces = Pieces()
        values: dict[str, Any] = {}
        on_walk: dict[str, Any] = {}
        log_det = jnp.zeros((), self.dtype)
        sizes = [sum(s.size for s in group) for group in self.groups]
        for group, z in zip(self.groups, lax.split(vector, sizes) if sizes else (), strict=True):
            first = group[0]
            if first.support is None:
                on_walk |= _named(group, pieces.cut(z, [s.z_shape for s in group]))
                continue
            if first.support.event_dim:
                z = z.reshape(len(group), *first.z_shape)
            x, log_dets = biject_to(first.support).forward_and_log_det(z)
            log_det = log_det + jnp.sum(log_dets)
            values |= _named(group, pieces.cut(jnp.ravel(x).astype(first.dtype), [s.shape for s in group]))
        return values, on_walk, log_det, pieces


def _named(slots: Sequence[Slot], parts: Sequence[jax.Array]) -> dict[str, jax.Array]:
    return {s.name: part for s, part in zip(slots, parts, strict=True)}
