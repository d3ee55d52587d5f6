"""Where an optimisation starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from storax.distributions.parameter import Parameter
from storax.effects import Sites
from storax.handlers.seeding import Seed
from storax.handlers.tracing import Tracer
from storax.logprob.unconstraining import Density
from storax.models import Model
from storax.staging import Staged

CANDIDATES = 16


def parameters(sites: Sites) -> list[str]:
    """The names of the sites that are parameters, `sx.param`, and open."""
    return [n for n, i in sites.items() if i.is_open and i.visible and is_parameter(i)]


def is_parameter(info: Any) -> bool:
    tree = info.site.tree
    return tree is not None and isinstance(jax.tree.unflatten(tree, [None] * tree.num_leaves), Parameter)


def initial_values(model: Model, staged: Staged, key: jax.Array) -> dict[str, jax.Array]:
    """What the open parameters start with, name -> value in the support."""
    names = parameters(model.sites(staged))
    if not names:
        return {}
    _, trace = model.handled_by(Seed(key)).handled_by(Tracer()).run(staged, staged.arrays)
    return {n: trace[n].value for n in names}


def candidates(density: Density, key: jax.Array, given: Mapping[str, Any], count: int = CANDIDATES) -> jax.Array:
    """Random starts `[count, d]`, uniform in (-2, 2) but for the sites whose values are given."""
    vectors = jax.vmap(density.random_vector)(jax.random.split(key, count))
    return jax.vmap(lambda v: density.moved(v, given))(vectors) if given else vectors


def best(density: Density, vectors: jax.Array) -> jax.Array:
    """The one of highest density among those where the density and its gradient are finite."""
    values, gradients = jax.vmap(jax.value_and_grad(lambda v: density.of_vector(v).astype(v.dtype)))(vectors)
    good = jnp.isfinite(values) & jnp.isfinite(gradients).all(-1)
    return vectors[jnp.argmax(jnp.where(good, values, -jnp.inf))]
