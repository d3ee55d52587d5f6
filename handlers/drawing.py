"""`draw`: a quick look at what a distribution or a program gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from storax.distributions import Distribution
from storax.errors import ArgumentTypeError, SettingsError
from storax.handlers.seeding import seed
from storax.handlers.tracing import trace
from storax.keys import as_key
from storax.models import Model, transformation


@transformation
def draw(
    x: Distribution | Callable[..., Any], key: Any = None, /, *args: Any, num: int | None = None, **kwargs: Any
) -> Any:
    """A draw, or `num` of them, from a distribution or a model: for a quick look.

    Args:
        x: a distribution, a generative program or a model.
        key: `jax.random.key(0)`, an old-style key, or an int.
        *args: of the model.
        num: that many independent draws, in a leading axis; default: one, without that axis.
        **kwargs: of the model.

    Returns:
        Of a distribution, draws `[num, *d.shape]`.  Of a program, what it returns; of one that returns nothing, a dict
        of its named sites.

    Raises:
        ArgumentTypeError: no distribution and no function, or no key.
        SettingsError: `num` is negative.

    >>> import storax as sx
    >>> sx.draw(sx.Normal(0.0, 1.0), 0, num=3).shape
    (3,)
    >>> def walk(n):
    ...     return sx.rv(sx.Normal(0.0, 1.0), shape=n).cumsum()
    >>> sx.draw(walk, 0, 5, num=2).shape
    (2, 5)
    """
    if isinstance(x, type) and issubclass(x, Distribution):
        raise ArgumentTypeError(f"sx.draw was given the class {x.__name__}: call it, sx.draw({x.__name__}(...), key).")
    key = as_key(key, "sx.draw")
    if num is not None and (not isinstance(num, (int, np.integer)) or isinstance(num, bool)):
        raise ArgumentTypeError(f"sx.draw: num must be an int, got {num!r}.")
    if num is not None and num < 0:
        raise SettingsError(f"sx.draw: num must not be negative, got {num}.")
    if isinstance(x, Distribution):
        if args or kwargs:
            raise ArgumentTypeError("sx.draw: a distribution takes no arguments; for several draws say num=10.")
        return x.sample(key, () if num is None else (int(num),))
    model = Model.of(x, "sx.draw")

    def one(key: Any) -> Any:
        output, sites = trace(seed(model, key))(*args, **kwargs)
        return sites.values_by_name if output is None else output

    return one(key) if num is None else jax.vmap(one)(jax.random.split(key, int(num)))
