"""Keys as users hand them in, and the key of each site.

key of a draw = fold_in(... fold_in(fold_in(key, hash of the name), loop index), ..., lane index): it depends on
nothing else, so that adding or conditioning one site leaves the other draws as they were.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax.errors import ArgumentTypeError


def as_key(key: Any, call: str) -> jax.Array:
    """A new-style key, an old-style one (`jax.random.PRNGKey`) or an int, as a new-style key.

    Raises:
        ArgumentTypeError: None, several keys at once, or something else.
    """
    if isinstance(key, (int, np.integer)) and not isinstance(key, bool):
        if not -(2**63) <= key < 2**64:
            raise ArgumentTypeError(f"{call} needs a key of at most 64 bits, and got the int {key}.")
        return jax.random.key(key)
    if isinstance(key, (jax.Array, np.ndarray)):
        if jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
            if key.ndim == 0:
                return key  # type: ignore[return-value]
        elif key.ndim == 0 and jnp.issubdtype(key.dtype, jnp.integer):
            return jax.random.key(key)
        elif key.ndim == 1 and key.dtype == jnp.uint32:
            words = jax.eval_shape(lambda: jax.random.key_data(jax.random.key(0))).shape
            if key.shape == words:
                return jax.random.wrap_key_data(jnp.asarray(key))
            raise ArgumentTypeError(f"{call} needs an old-style key of shape {words}, and got shape {key.shape}.")
        shape = key.shape if jnp.issubdtype(key.dtype, jax.dtypes.prng_key) else key.shape[:-1]
        if shape:
            raise ArgumentTypeError(
                f"{call} needs one key, and got an array of keys of shape {shape}. For a batch use "
                f"jax.vmap(lambda key: ...)(keys)."
            )
    what = "None" if key is None else f"{key!r} of type {type(key).__name__}"
    raise ArgumentTypeError(f"{call} needs a random key, and got {what}. Make one with jax.random.key(0).")


def _words(name: str) -> tuple[int, int]:
    """64 bits of the name; Python's own hash changes from process to process."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little")


def fold_name(key: jax.Array, name: str) -> jax.Array:
    first, second = _words(name)
    return jax.random.fold_in(jax.random.fold_in(key, np.uint32(first)), np.uint32(second))


def fold_names(key: jax.Array, names: Sequence[str]) -> dict[str, jax.Array]:
    """`fold_name` for many names in two batched calls: a program of 200 sites compiles as fast as one of 2."""
    if not names:
        return {}
    words = np.array([_words(n) for n in names], np.uint32)
    keys = jax.vmap(lambda w: jax.random.fold_in(jax.random.fold_in(key, w[0]), w[1]))(words)
    return dict(zip(names, keys, strict=True))


def fold_lanes(key: jax.Array, sizes: Sequence[int]) -> jax.Array:
    """One key per lane, `[*sizes]`: the lane's index is folded in as a loop index is."""
    f = jax.random.fold_in
    keys = key
    for size in sizes:
        lanes = jnp.arange(size)
        split = lambda k, f=f, lanes=lanes: jax.vmap(f, (None, 0))(k, lanes)  # noqa: E731
        for _ in range(keys.ndim):
            split = jax.vmap(split)
        keys = split(keys)
    return keys
