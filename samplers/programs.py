"""The compiled parts of a run of `sx.mcmc`, made once for a model, its shapes, and settings."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from storax.logprob.checking import refuse_changing_sites
from storax.logprob.deriving.marginal import density_of
from storax.logprob.unconstraining import Density
from storax.models import Model
from storax.samplers.chains import Fleet
from storax.samplers.choosing import choose_driver
from storax.samplers.driver import Plan, advance, set_out, start_at, statistics
from storax.samplers.kernels import Kernel
from storax.samplers.relative import MANY, Relative
from storax.samplers.settings import Settings
from storax.samplers.sharding import everywhere, on_each, placed
from storax.samplers.trajectory import Draw
from storax.staging import Staged, stage

ROWS, FEWEST_ROWS = 1024, 64  # draws of a chain that are made before the host takes them
NUMBERS = 2**24  # of all chains together then, if that is enough for a few draws


class Look(NamedTuple):
    """What the host sees of chains."""

    draws: jax.Array  # made by all, warm-up included
    warmed: jax.Array  # draws of the warm-up; -1 before it is over
    positions: jax.Array  # [chain, row, d]
    stats: jax.Array  # [chain, row, column]
    faults: jax.Array  # [chain, fault, d], the last points of diverging trajectories
    faulty: jax.Array  # [chain, fault], the numbers of their draws; -1 is none


class Ready(NamedTuple):
    """A program with its data."""

    begin: Callable[..., tuple[Draw, Fleet]]  # keys `[chain]`, positions `[chain, d]`
    go_on: Callable[..., tuple[Fleet, Look]]  # fleet, the first draw to keep, num_samples, until
    name: Callable[[np.ndarray], dict[str, np.ndarray]]  # positions `[n, d]` to values `[n, *shape]`


class Program:
    """The compiled parts.

    Attributes:
        rows: how many draws of each chain fit between two looks.
        driver: the one chosen.
        propose: compiled, keys `[chain]` and a number to random positions `[chain, d]`.
    """

    def __init__(self, model: Model, staged: Staged, kernel: Kernel, settings: Settings) -> None:
        first = density_of(model, staged, "sx.mcmc")
        self._density = first.with_data(Model(model.function), staged._replace(arrays=[]))
        like = jax.ShapeDtypeStruct((first.size,), first.layout.dtype)
        most = NUMBERS // (settings.num_chains * max(first.size, 1))
        self.rows = min(settings.num_samples, max(FEWEST_ROWS, most))
        self.driver = choose_driver(settings.driver, first.of_vector, like)
        kernel_tree = jax.tree.structure(kernel)
        handlers = jax.tree.structure(model.handlers)
        function, closed, out_tree = model.function, staged.closed, staged.out_tree
        # What a compiled program keeps alive must not include the data of the first call.
        skeleton = Staged(closed, [], out_tree)

        def density(leaves: Any, arrays: Any) -> Density:
            return density_of(Model(function, jax.tree.unflatten(handlers, leaves)), skeleton._replace(arrays=arrays),
                           "sx.mcmc")  # fmt: skip

        def plan(kernel_leaves: Any) -> Plan:
            return Plan.of(
                jax.tree.unflatten(kernel_tree, kernel_leaves), settings.num_warmup, self.driver, settings.mesh
            )

        def begin(leaves: Any, arrays: Any, kernel_leaves: Any, keys: Any, vectors: Any) -> tuple[Draw, Fleet]:
            def start(leaves: Any, arrays: Any, keys: Any, vectors: Any) -> tuple[Draw, Fleet]:
                f = _sum_of_many(density(leaves, arrays))
                draw = start_at(f, vectors)
                return draw, set_out(f, keys, draw, plan(kernel_leaves), self.rows)

            draw, fleet = on_each(settings.mesh, start)(leaves, arrays, keys, vectors)
            return everywhere(settings.mesh, draw), placed(settings.mesh, fleet)

        def go_on(
            leaves: Any, arrays: Any, kernel_leaves: Any, fleet: Fleet, number: Any, samples: Any, until: Any
        ) -> tuple[Fleet, Look]:
            p = plan(kernel_leaves)
            fleet = fleet.replace(store=jax.vmap(lambda s: s.from_draw(number))(fleet.store))
            fleet = advance(lambda data: _sum_of_many(density(*data)), (leaves, arrays), fleet, p, samples, until)
            stats = jnp.stack([x.astype(fleet.offset.dtype) for x in statistics(fleet, p).values()], -1)
            store = fleet.store
            look = Look(fleet.draws, fleet.warmed, store.positions[:, : self.rows], stats[:, : self.rows], store.faults,
                        store.faulty)  # fmt: skip
            return placed(settings.mesh, fleet), everywhere(settings.mesh, look)

        def name(leaves: Any, arrays: Any, positions: Any) -> dict[str, jax.Array]:
            def named(leaves: Any, arrays: Any, positions: Any) -> dict[str, jax.Array]:
                return _in_chunks(density(leaves, arrays).quantities, positions, 256)

            return everywhere(settings.mesh, on_each(settings.mesh, named)(leaves, arrays, positions))

        def propose(keys: jax.Array, attempt: Any) -> jax.Array:
            return jax.vmap(lambda key: self._density.random_vector(jax.random.fold_in(key, attempt)))(keys)

        self._begin, self._name, self.propose = jax.jit(begin), jax.jit(name), jax.jit(propose)
        self._go_on = jax.jit(go_on, donate_argnums=3)
        self._at_once = self.rows * settings.num_chains

    def density(self, model: Model, staged: Staged) -> Density:
        """That of a model of the same shapes, from which this program was made."""
        return self._density.with_data(model, staged)

    def with_data(self, model: Model, staged: Staged, kernel: Kernel) -> Ready:
        """For a model of the same shapes."""
        leaves, arrays, kernel_leaves = jax.tree.leaves(model.handlers), staged.arrays, jax.tree.leaves(kernel)

        def name(positions: np.ndarray) -> dict[str, np.ndarray]:
            """Always as many at once: one program."""
            parts = []
            for i in range(0, len(positions), self._at_once):
                part = positions[i : i + self._at_once]
                padded = np.concatenate([part, np.broadcast_to(part[:1], (self._at_once - len(part), part.shape[1]))])
                named = self._name(leaves, arrays, padded)
                parts.append({n: np.asarray(x)[: len(part)] for n, x in named.items()})
            return parts[0] if len(parts) == 1 else {n: np.concatenate([p[n] for p in parts]) for n in parts[0]}

        return Ready(
            lambda keys, vectors: self._begin(leaves, arrays, kernel_leaves, keys, vectors),
            lambda *now: self._go_on(leaves, arrays, kernel_leaves, *now),
            name,
        )


def _sum_of_many(density: Density) -> Any:
    """The log density as samplers take it; 32 bits ask for care with the sum of very many."""
    like = jax.ShapeDtypeStruct((density.size,), density.layout.dtype)
    addends = sum(x.size for x in jax.eval_shape(density.addends, like))
    return Relative(density.addends) if addends >= MANY and like.dtype.itemsize < 8 else density.of_vector


def _in_chunks(f: Callable[..., Any], rows: jax.Array, size: int) -> Any:
    """`jax.vmap(f)(rows)` in the memory of a few rows; lax.map with a batch_size fails where `f` returns no numbers."""
    count = len(rows)
    chunks, size = -(-count // size), min(size, count)
    padded = jnp.concatenate([rows, jnp.broadcast_to(rows[-1:], (chunks * size - count, *rows.shape[1:]))])
    out = lax.map(jax.vmap(f), padded.reshape(chunks, size, *rows.shape[1:]))
    return jax.tree.map(lambda x: x.reshape(chunks * size, *x.shape[2:])[:count], out)


KEPT_PROGRAMS = 16  # of one model, for different shapes and settings; the oldest go first

_programs: weakref.WeakKeyDictionary[Any, dict[Any, Program]] = weakref.WeakKeyDictionary()


def program_of(model: Model, staged: Staged, kernel: Kernel, settings: Settings, args: Any, kwargs: Any) -> Program:
    """The program of this model and these shapes, compiled before or new; a new one is checked to be a program."""
    known = _programs.setdefault(model.function, {})
    varying = [*jax.tree.leaves(model.handlers), *jax.tree.leaves(kernel), *staged.arrays]
    shapes = tuple((np.shape(x), jnp.result_type(x)) for x in varying)
    short = min(
        ROWS, 2 ** math.ceil(math.log2(max(settings.num_samples, FEWEST_ROWS)))
    )  # one program for all long runs
    settings = settings._replace(num_samples=short)
    key = (staged.closed.jaxpr, jax.tree.structure(model.handlers), jax.tree.structure(kernel), settings, shapes)
    if key not in known:
        while len(known) >= KEPT_PROGRAMS:
            known.pop(next(iter(known)))
        refuse_changing_sites(model, staged, stage(model.function, args, kwargs, fresh=True))
        known[key] = Program(model, staged, kernel, settings)
    return known[key]
