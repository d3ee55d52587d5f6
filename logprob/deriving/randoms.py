"""A random array, and one step of a program that makes it from others."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax.errors import NotMeasurable
from storax.logprob.deriving.dependence import Dependence, union
from storax.logprob.deriving.gaussians import Gaussian
from storax.logprob.deriving.laws import Law, at_once

# Which inputs of a primitive hold the entries that it moves; the others are indices.
ENTRIES: dict[str, Sequence[int]] = {
    "gather": (0,), "dynamic_slice": (0,), "dynamic_update_slice": (0, 1), "scatter": (0, 2), "scatter-add": (0, 2),
}  # fmt: skip

# What is known of the operands of an equation once it has a value: (which operand, its value), and a log density;
# (i, j) is operand j of operand i.
Pushed = tuple[list[tuple[Any, Any]], Any]


@dataclasses.dataclass(eq=False)
class Random:
    """A random array.

    Args:
        deps: the draws behind each of its elements.
        law: of each element by itself; None if no rule found one, and then `why` says why.
        gaussian: set if all elements are affine functions of normal draws.
        affine: of which draws the whole is an affine function (they need not be normal).
        push: value -> values of operands, if those follow from it.
        fork: value -> all values of the operand that it may come from, one more axis in front, and log densities.
        joint: value -> density of all entries together, if these depend on each other.
        alike: are all elements known to have one law?
        smooth: True if all elements are continuous, False if all have masses, None if neither.
        free: which entries its density is one of, as those on and below the diagonal of a symmetric matrix; None: all.
        form: "symmetric" or "lower": positive definite matrices, and triangular ones with a positive diagonal.
        made: the equation that made it, which tells what several of one origin have to do with each other.
    """

    shape: tuple[int, ...]
    dtype: Any
    deps: Dependence
    law: Law | None = None
    why: str = ""
    gaussian: Gaussian | None = None
    affine: bool = False
    push: Callable[[Any], Pushed] | None = None
    smooth: bool | None = None
    joint: Callable[[Any], Any] | None = None
    alike: bool = False
    fork: Callable[[Any], tuple[int, Any, Any]] | None = None
    free: Any = None
    form: str = ""
    made: Step | None = None


@dataclasses.dataclass
class Step:
    """An equation with its inputs: known arrays and `Random`s."""

    name: str
    params: dict[str, Any]
    inputs: Sequence[Any]
    aval: Any
    output: int
    evaluate: Callable[[Sequence[Any]], list[Any]]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.aval.shape)

    @property
    def places(self) -> list[int]:
        """Which inputs are random."""
        return [i for i, x in enumerate(self.inputs) if isinstance(x, Random)]

    @property
    def randoms(self) -> list[Random]:
        return [x for x in self.inputs if isinstance(x, Random)]

    def one(self) -> tuple[int, Random]:
        """The only random input, and its place.

        Raises:
            NotMeasurable: there are several.
        """
        if len(self.places) != 1:
            raise NotMeasurable("combines several random quantities")
        return self.places[0], self.inputs[self.places[0]]

    def run(self, *arrays: Any) -> Any:
        with at_once(*arrays):
            return self.evaluate(arrays)[self.output]

    def of(self, x: Any) -> Any:
        """The equation as a function of its only random input."""
        place, _ = self.one()
        return self.run(*[x if i == place else v for i, v in enumerate(self.inputs)])

    def elementwise(self) -> Dependence:
        return union([_spread(r, self.shape) for r in self.randoms], self.shape)

    def everywhere(self) -> Dependence:
        return union([r.deps.everywhere(self.shape) for r in self.randoms], self.shape)

    def moved(self) -> Dependence:
        """Of an equation that only moves, repeats or leaves out entries."""
        return union([self._moved(i) for i in self.places], self.shape)

    def _moved(self, place: int) -> Dependence:
        entries = ENTRIES.get(self.name, range(len(self.inputs)))
        if place not in entries:
            raise NotMeasurable("has a random index")
        deps = self.inputs[place].deps
        others = {i: x for i, x in enumerate(self.inputs) if i not in entries}
        if any(isinstance(x, jax.core.Tracer) for x in others.values()):
            return deps.somewhere(self.shape, self.name != "gather" or is_one_place(others[1]))
        dtype = self.inputs[place].dtype
        exact = dtype in (jnp.float32, jnp.float64, jnp.int32, jnp.int64)
        dtype = dtype if exact else jnp.dtype(jnp.float32)

        def f(ids: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
            every = np.unique(ids)
            with jax.ensure_compile_time_eval():  # 0 is no event: so are entries that the equation fills in
                blank = [others[i] if i in others else np.zeros(jnp.shape(x) if not isinstance(x, Random) else x.shape,
                         dtype) for i, x in enumerate(self.inputs)]  # fmt: skip
                blank[place] = np.asarray(np.where(ids == -1, 0, np.searchsorted(every, ids) + 1), dtype)
                out = np.asarray(self.evaluate([jnp.asarray(x) for x in blank])[self.output])
            out = np.where(np.isfinite(out), out, 0).astype(np.int64)
            return np.where(out > 0, every[np.maximum(out, 1) - 1], -1)

        return deps.map(f)

    def random(self, deps: Dependence, **fields: Any) -> Random:
        return Random(self.shape, self.aval.dtype, deps, **fields)


def is_one_place(indices: Any) -> bool:
    """Does a gather take one window only?  Several may overlap."""
    return int(np.prod(np.shape(indices)[:-1])) == 1


def _spread(r: Random, shape: tuple[int, ...]) -> Dependence:
    if r.shape == shape:
        return r.deps
    return r.deps.map(lambda ids: np.broadcast_to(ids, shape))
