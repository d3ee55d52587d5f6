"""The compiled parts of a run of `sx.mcmc`, made once for a model, its shapes, and settings."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from storax.logprob.deriving.marginal import density_of
from storax.logprob.unconstraining import Density
from storax.models import Model
from storax.samplers.compiling import Source, compiled
from storax.samplers.driving.chains import Fleet
from storax.samplers.driving.choosing import choose_driver
from storax.samplers.driving.driver import Plan, advance, set_out, start_at, statistics
from storax.samplers.driving.relative import MANY, Relative
from storax.samplers.driving.sharding import everywhere, on_each, placed
from storax.samplers.kernels.kernel import Kernel
from storax.samplers.kernels.trajectory import Draw
from storax.samplers.running.settings import Settings
from storax.staging import Staged

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

    def __init__(self, source: Source, model: Model, staged: Staged, kernel: Kernel, settings: Settings) -> None:
        first = density_of(model, staged, "sx.mcmc")
        self._density = first.without_data()
        like = jax.ShapeDtypeStruct((first.size,), first.layout.dtype)
        most = NUMBERS // (settings.num_chains * max(first.size, 1))
        self.rows = min(settings.num_samples, max(FEWEST_ROWS, most))
        self.driver = choose_driver(settings.driver, first.of_vector, like)
        kernel_tree = jax.tree.structure(kernel)

        def density(data: Any) -> Density:
            return source.density(data, "sx.mcmc")

        def plan(kernel_leaves: Any) -> Plan:
            return Plan.of(
                jax.tree.unflatten(kernel_tree, kernel_leaves), settings.num_warmup, self.driver, settings.mesh
            )

        def begin(data: Any, kernel_leaves: Any, keys: Any, vectors: Any) -> tuple[Draw, Fleet]:
            def start(data: Any, keys: Any, vectors: Any) -> tuple[Draw, Fleet]:
                f = _sum_of_many(density(data))
                draw = start_at(f, vectors)
                return draw, set_out(f, keys, draw, plan(kernel_leaves), self.rows)

            draw, fleet = on_each(settings.mesh, start)(data, keys, vectors)
            return everywhere(settings.mesh, draw), placed(settings.mesh, fleet)

        def go_on(
            data: Any, kernel_leaves: Any, fleet: Fleet, number: Any, samples: Any, until: Any
        ) -> tuple[Fleet, Look]:
            p = plan(kernel_leaves)
            fleet = fleet.replace(store=jax.vmap(lambda s: s.from_draw(number))(fleet.store))
            fleet = advance(lambda d: _sum_of_many(density(d)), data, fleet, p, samples, until)
            stats = jnp.stack([x.astype(fleet.offset.dtype) for x in statistics(fleet, p).values()], -1)
            store = fleet.store
            look = Look(fleet.draws, fleet.warmed, store.positions[:, : self.rows], stats[:, : self.rows], store.faults,
                        store.faulty)  # fmt: skip
            return placed(settings.mesh, fleet), everywhere(settings.mesh, look)

        def name(data: Any, positions: Any) -> dict[str, jax.Array]:
            def named(data: Any, positions: Any) -> dict[str, jax.Array]:
                return _in_chunks(density(data).quantities, positions, 256)

            return everywhere(settings.mesh, on_each(settings.mesh, named)(data, positions))

        def propose(keys: jax.Array, attempt: Any) -> jax.Array:
            return jax.vmap(lambda key: self._density.random_vector(jax.random.fold_in(key, attempt)))(keys)

        self._begin, self._name, self.propose = jax.jit(begin), jax.jit(name), jax.jit(propose)
        self._go_on = jax.jit(go_on, donate_argnums=2)
        self._at_once = self.rows * settings.num_chains

    def density(self, model: Model, staged: Staged) -> Density:
        """That of a model of the same shapes, from which this program was made."""
        return self._density.with_data(model, staged)

    def with_data(self, model: Model, staged: Staged, kernel: Kernel) -> Ready:
        """For a model of the same shapes."""
        data, kernel_leaves = Source.data(model, staged), jax.tree.leaves(kernel)

        def name(positions: np.ndarray) -> dict[str, np.ndarray]:
            """Always as many at once: one program."""
            parts = []
            for i in range(0, len(positions), self._at_once):
                part = positions[i : i + self._at_once]
                padded = np.concatenate([part, np.broadcast_to(part[:1], (self._at_once - len(part), part.shape[1]))])
                named = self._name(data, padded)
                parts.append({n: np.asarray(x)[: len(part)] for n, x in named.items()})
            return parts[0] if len(parts) == 1 else {n: np.concatenate([p[n] for p in parts]) for n in parts[0]}

        return Ready(
            lambda keys, vectors: self._begin(data, kernel_leaves, keys, vectors),
            lambda *now: self._go_on(data, kernel_leaves, *now),
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


def program_of(model: Model, staged: Staged, kernel: Kernel, settings: Settings, args: Any, kwargs: Any) -> Program:
    """The program of this model and these shapes, compiled before or new; a new one is checked to be a program.

    Raises:
        The errors of `storax.samplers.compiling.compiled`.
    """
    rows = min(ROWS, 2 ** math.ceil(math.log2(max(settings.num_samples, FEWEST_ROWS))))  # one for all long runs
    settings = settings._replace(num_samples=rows)
    shapes = tuple((np.shape(x), jnp.result_type(x)) for x in jax.tree.leaves(kernel))
    key = "mcmc", jax.tree.structure(kernel), shapes, settings
    return compiled(model, staged, args, kwargs, key, lambda source: Program(source, model, staged, kernel, settings))
