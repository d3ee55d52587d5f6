"""Parameters as optimisers see them: name -> real numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from storax.bijections import biject_to
from storax.errors import ArgumentTypeError, ShapeError, UnknownNameError, nearest
from storax.samplers.variational.walking import Seen


def constrained(z: Any, seen: Mapping[str, Seen], call: str) -> dict[str, jax.Array]:
    """The values of the parameters in their supports.

    Raises:
        ArgumentTypeError, UnknownNameError, ShapeError: the parameters are not those of this model and guide.
    """
    if not isinstance(z, Mapping):
        raise ArgumentTypeError(
            f"{call}: the parameters are a dict name -> array, made by .init(key, *args), and these are of type "
            f"{type(z).__name__}."
        )
    for name in z:
        if name not in seen:
            raise UnknownNameError(f"{call}: there is no parameter {name!r}. {nearest(name, seen)}")
    values = {}
    for name, one in seen.items():
        if name not in z:
            raise UnknownNameError(f"{call}: the parameters lack {name!r}. Make them with .init(key, *args).")
        bijection = biject_to(one.support)
        expected = bijection.inverse_shape(one.info.shape)
        if jnp.shape(z[name]) != expected:
            raise ShapeError(f"{call}: parameter {name!r} has shape {jnp.shape(z[name])}, and needs {expected}.")
        values[name] = bijection.forward(jnp.asarray(z[name])).astype(one.info.dtype)
    return values


def unconstrained(values: Mapping[str, Any], seen: Mapping[str, Seen]) -> dict[str, jax.Array]:
    return {n: biject_to(seen[n].support).inverse(jnp.asarray(x)) for n, x in values.items()}
