"""Draws of a family on R^n, brought back to a model's supports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from storax.logprob.unconstraining import Density
from storax.models import Model
from storax.samplers.compiling import Source, compiled
from storax.samplers.variational.families import Family
from storax.samplers.variational.results import Draw
from storax.staging import Staged

CHUNK = 256  # draws looked at in one go


def draws_of(
    model: Model, staged: Staged, args: Any, kwargs: Any, family: Family, params: Any, call: str, context: Any = None
) -> Draw:
    """A function of a key and a number of draws: name -> `[draw, *shape]`, log p and log q `[draw]` on R^n."""

    def draw(key: jax.Array, count: int) -> Any:
        def build(source: Source) -> Any:
            def run(data: Any, params: Any, context: Any, key: Any) -> Any:
                density = source.density(data, call)
                return in_chunks(lambda k: one_draw(density, family, params, k, context), key, count)

            return jax.jit(run)

        program = compiled(model, staged, args, kwargs, ("draws", family, count, call), build)
        return program(Source.data(model, staged), params, context, key)

    return draw


def in_chunks(f: Callable[[jax.Array], Any], key: jax.Array, count: int) -> Any:
    """`f` of `count` keys, stacked, in the memory of a few."""
    size = min(CHUNK, count)
    chunks = -(-count // size)
    keys = jax.random.split(key, chunks * size)
    if chunks == 1:
        return jax.vmap(f)(keys)
    out = lax.map(jax.vmap(f), keys.reshape(chunks, size))
    return jax.tree.map(lambda x: x.reshape(chunks * size, *x.shape[2:])[:count], out)


def one_draw(density: Density, family: Family, params: Any, key: jax.Array, context: Any) -> Any:
    z, log_q = family.sample(params, key, context)
    return density.quantities(z), density.of_vector(z), jnp.asarray(log_q)
