"""One compiled program for each (model, shapes, settings), kept for the next call."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax.logprob.checking import refuse_changing_sites
from storax.models import Model
from storax.staging import Staged, stage

KEPT = 16  # of one model; the oldest go first

_programs: weakref.WeakKeyDictionary[Any, dict[Any, Any]] = weakref.WeakKeyDictionary()


def _nameless() -> None:
    """Stands for the user's function, which a kept program must not keep alive."""


def compiled(
    model: Model, staged: Staged, args: Any, kwargs: Any, settings: Hashable, body: Callable[..., Any]
) -> Callable[..., Any]:
    """`body(model, staged, *operands)` as a compiled function of the operands.

    The arrays of the handlers and the data are inputs of the program: other values of the same shapes need no new one.

    Args:
        model: the model, with its handlers.
        staged: of this call.
        args, kwargs: of this call; the first time, the model is traced again to see whether it is one program.
        settings: what else tells programs apart, `body` included.
        body: a pure function.

    Raises:
        ModelError: the model is another program from call to call.
    """
    known = _programs.setdefault(model.function, {})
    leaves, tree = jax.tree.flatten(model.handlers)
    shapes = tuple((np.shape(x), jnp.result_type(x)) for x in (*leaves, *staged.arrays))
    key = (staged.closed.jaxpr, tree, settings, shapes)
    if key not in known:
        while len(known) >= KEPT:
            known.pop(next(iter(known)))
        refuse_changing_sites(model, staged, stage(model.function, args, kwargs, fresh=True))
        skeleton = Staged(staged.closed, [], staged.out_tree)

        def program(leaves: Any, arrays: Any, *operands: Any) -> Any:
            inner = Model(_nameless, jax.tree.unflatten(tree, leaves))
            return body(inner, skeleton._replace(arrays=arrays), *operands)

        known[key] = jax.jit(program)
    return lambda *operands: known[key](leaves, staged.arrays, *operands)
