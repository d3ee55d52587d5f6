"""Programs that are compiled once for a model and the shapes of its data, and found again.

What a compiled program keeps alive must include neither the user's function nor the data of the first call: it takes
both anew, as `Source` and `data`.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from storax.data import is_concrete
from storax.logprob.checking import examine, refuse_changing_sites
from storax.logprob.deriving.marginal import density_of
from storax.logprob.unconstraining import Density
from storax.models import Model
from storax.staging import Staged, stage

T = TypeVar("T")

KEPT = 32  # programs of one model, for different shapes and settings; the oldest go first

_programs: weakref.WeakKeyDictionary[Any, dict[Any, Any]] = weakref.WeakKeyDictionary()


class Source:
    """A model and its program, with holes for the numbers: `data` is what `of` takes out."""

    def __init__(self, model: Model, staged: Staged) -> None:
        self._function = weakref.ref(model.function)
        self._handlers = jax.tree.structure(model.handlers)
        self._skeleton = Staged(staged.closed, [], staged.out_tree)

    @staticmethod
    def data(model: Model, staged: Staged) -> Any:
        """The numbers: of the handlers, and of the arguments."""
        return jax.tree.leaves(model.handlers), staged.arrays

    def model(self, data: Any) -> Model:
        function = self._function()
        assert function is not None  # who traces has the model in hand
        return Model(function, jax.tree.unflatten(self._handlers, data[0]))

    def staged(self, data: Any) -> Staged:
        return self._skeleton._replace(arrays=data[1])

    def density(self, data: Any, call: str) -> Density:
        return density_of(self.model(data), self.staged(data), call)


def fingerprint(model: Model, staged: Staged) -> Hashable:
    """Equal for programs that are the same but for the numbers in their arrays."""
    shapes = tuple((np.shape(x), jnp.result_type(x)) for x in jax.tree.leaves(Source.data(model, staged)))
    return staged.closed.jaxpr, jax.tree.structure(model.handlers), shapes


def found(model: Model, key: Hashable, build: Callable[[], T]) -> T:
    """What `build` made for this model and key before, or makes now."""
    known = _programs.setdefault(model.function, {})
    if key not in known:
        while len(known) >= KEPT:
            known.pop(next(iter(known)))
        known[key] = build()
    return known[key]


def compiled(
    model: Model, staged: Staged, args: Any, kwargs: Any, settings: Hashable, build: Callable[[Source], T]
) -> T:
    """The program of this model, these shapes and these settings; a new one is checked to be a program.

    Raises:
        ModelError: another program at the second trace.
        The errors of `sx.check` on bad data and parameters.
    """

    def first() -> T:
        if is_concrete([staged.arrays, model.handlers]):
            refuse_changing_sites(model, staged, stage(model.function, args, kwargs, fresh=True))
        return build(Source(model, staged))

    program = found(model, (fingerprint(model, staged), settings), first)
    if not any(_is_elsewhere(x) for x in staged.arrays):  # no process could look at such data
        examine(model, staged, staged.arrays)
    return program


def _is_elsewhere(x: Any) -> bool:
    """Whether a part of an array is with another process."""
    return is_concrete([x]) and not getattr(x, "is_fully_addressable", True)
