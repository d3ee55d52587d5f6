"""Many chains in one loop that never waits: warm-up and sampling are one compiled program.

Each trip of the loop grows the trajectory of every chain by one leaf, which takes one gradient per chain.  A chain with
a complete trajectory stores its draw, adapts, and begins the next in the same trip, whatever its neighbours
do.  Random numbers are made for many trips at a time, outside of that loop, and so is what is rare: a new metric.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from storax.pytrees import Pytree
from storax.samplers.adaptation import DualAveraging, search, windows
from storax.samplers.integrators import ValueAndGrad
from storax.samplers.metrics import Metric, Moments
from storax.samplers.nuts import Info, Kernel, LogDensity, describe
from storax.samplers.packing import Packing
from storax.samplers.trajectory import Draw, Tree, begin, extend, select

LOCATE, SEARCH, SAMPLE = 0, 1, 2  # evaluate the start; find a first step size; the rest
TRIPS = 256  # for which uniforms are made at once
MISSING = 2**30  # a row that no buffer has
# Statistics and their types (None: the positions'); on the way they share one table of floats.
COLUMNS: dict[str, Any] = {"lp": None, "energy": None, "diverging": bool, "undefined": bool, "tree_depth": jnp.int32,
                           "reached_max_treedepth": bool, "n_steps": jnp.int32, "step_size": None,
                           "acceptance_rate": None}  # fmt: skip


class Walk(Pytree):
    """What changes as a chain goes on."""

    draw: Draw  # the last one
    draws: jax.Array  # made so far, warm-up included
    trips: jax.Array  # gradients taken so far: where the chain is in its stream of uniforms
    phase: jax.Array  # LOCATE, SEARCH or SAMPLE
    direction: jax.Array  # of the search
    step_size: jax.Array
    averaging: DualAveraging
    moments: Moments  # of the draws in the present window
    due: jax.Array  # a window has ended: the metric is to be set


class Chain(Pytree):
    """Everything a chain needs to go on; all leaves have a leading axis `[chain]` outside of `vmap`."""

    key: jax.Array
    metric: Metric
    walk: Walk


class Run(Pytree):
    """What a run leaves."""

    positions: jax.Array  # [chain, draw, d]
    stats: dict[str, jax.Array]  # name -> [chain, draw]
    warmup_stats: dict[str, jax.Array]  # name -> [chain, warm-up draw]
    chains: Chain  # at the end: walk.step_size [chain], metric.inverse [chain, d] or [chain, d, d], ...


def run(
    log_density: LogDensity, keys: jax.Array, initial: jax.Array, *, kernel: Kernel, num_warmup: int, num_samples: int
) -> Run:
    """Draws from a density on flat vectors, adapting each chain on its own first.

    To be jitted by the caller.  A chain's draws depend on its key and start alone, not on the chains beside it.

    Args:
        log_density: position `[d]` to a scalar.
        keys: `[chain]`.
        initial: where chains start, `[chain, d]`; the density and its gradient must be finite there.
        kernel: the settings.
        num_warmup: draws for adaptation.  With 0 the kernel's step size is used throughout, or one that is found once.
        num_samples: draws to keep.

    >>> import jax, jax.numpy as jnp
    >>> from storax.samplers.nuts import nuts
    >>> result = run(lambda q: -0.5 * (q * q).sum(), jax.random.split(jax.random.key(0), 2), jnp.zeros((2, 3)),
    ...              kernel=nuts(), num_warmup=100, num_samples=50)
    >>> result.positions.shape, result.stats["n_steps"].shape, result.warmup_stats["lp"].shape
    ((2, 50, 3), (2, 50), (2, 100))
    """
    chains = start(keys, initial, kernel=kernel, num_warmup=num_warmup)
    chains, positions, stats = advance(
        log_density, chains, num_warmup + num_samples, kernel=kernel, num_warmup=num_warmup, skip=num_warmup
    )
    warmup_stats, stats = (
        {n: x[:, part] for n, x in stats.items()} for part in (slice(num_warmup), slice(num_warmup, None))
    )
    return Run(positions, stats, warmup_stats, chains)


def start(keys: jax.Array, initial: jax.Array, *, kernel: Kernel, num_warmup: int) -> Chain:
    """Chains at their starts, `[chain, d]`, before the first gradient."""
    return jax.vmap(partial(_start, kernel, num_warmup))(keys, initial)


def _start(kernel: Kernel, num_warmup: int, key: jax.Array, position: jax.Array) -> Chain:
    zero, none = jnp.zeros((), position.dtype), jnp.zeros((), jnp.int32)
    step_size = zero + (kernel.step_size or 1.0)
    inverse = kernel.initial_inverse_mass(position)
    # No density at all, so that the first leaf, which is the start itself, is accepted and brings its gradient along.
    draw = Draw(position, jnp.zeros_like(position), zero + jnp.finfo(position.dtype).min, zero)
    walk = Walk(draw, none, none, none + LOCATE, none, step_size, DualAveraging.start(step_size), Moments.none(inverse),
                none > 0)  # fmt: skip
    return Chain(key, Metric.of(inverse), walk)


def advance(
    log_density: LogDensity, chains: Chain, num_draws: int, *, kernel: Kernel, num_warmup: int, skip: int = 0
) -> tuple[Chain, jax.Array, dict[str, jax.Array]]:
    """The next `num_draws` draws of every chain; blocks one after another give the draws of one long run.

    Args:
        log_density: position `[d]` to a scalar.
        chains: of `start`, or of the block before.
        num_draws: at least 1.
        kernel: the settings.
        num_warmup: that of the whole run.
        skip: positions of that many first draws are not kept.

    Returns:
        Chains to go on with; positions `[chain, num_draws - skip, d]`; statistics, name -> `[chain, num_draws]`.
    """
    size, d = chains.walk.draw.position.shape
    dtype = chains.walk.draw.position.dtype
    rows = max(2, min(64, 2**16 // max(d, 1)))  # momenta at hand: enough for many trips, in little memory
    first, end = chains.walk.draws, chains.walk.draws + num_draws
    # A density that is summed up in 64 bits, at positions of 32: the chains keep the type of their positions.
    of_position = lambda q: log_density(q).astype(q.dtype)  # noqa: E731
    step = partial(_trip, jax.value_and_grad(of_position), kernel, num_warmup)
    stack = jnp.zeros((size, kernel.max_tree_depth, 3, d), dtype)
    positions = jnp.zeros((size, num_draws - skip, d), dtype)
    table = jnp.zeros((size, num_draws, len(COLUMNS)), dtype)

    def unfinished(walks: Walk) -> jax.Array:
        return (walks.draws < end).any()

    def stretch(carry: Any) -> Any:
        """As many trips as random numbers are at hand for, but no further than to the end of a window."""
        chains, trees, restart, out = carry
        restart = restart | chains.walk.due
        chains = lax.cond(chains.walk.due.any(), jax.vmap(_set_metric), lambda c: c, chains)
        metrics, walks = chains.metric, chains.walk
        noise, uniforms = jax.vmap(partial(_randomness, rows), out_axes=(0, 1))(chains)
        trees = jax.vmap(select)(restart, jax.vmap(begin)(metrics, noise[:, 0], walks.draw, stack), trees)
        base = walks.draws
        packing = Packing((walks, trees))

        def supplied(carry: Any) -> jax.Array:
            k, packed, _ = carry
            walks, _ = packing.unpack(packed)
            enough = (k < TRIPS) & (walks.draws - base + 1 < rows).all()
            return enough & ~walks.due.any() & unfinished(walks)

        def trip(carry: Any) -> Any:
            k, packed, out = carry
            walks, trees = packing.unpack(packed)
            walks, trees, row, record = jax.vmap(step)(metrics, walks, trees, uniforms[k], noise, base, end)
            out = jax.vmap(partial(_store, skip))(out, row - first, record, walks.draw.position)
            return k + 1, packing.pack((walks, trees)), out

        _, packed, out = lax.while_loop(supplied, trip, (0, packing.pack((walks, trees)), out))
        walks, trees = packing.unpack(packed)
        return chains.replace(walk=walks), trees, jnp.zeros(size, bool), out

    trees = jax.vmap(begin)(chains.metric, jnp.zeros((size, d), dtype), chains.walk.draw, stack)
    carry = chains, trees, jnp.ones(size, bool), (positions, table)
    chains, _, _, (positions, table) = lax.while_loop(lambda c: unfinished(c[0].walk), stretch, carry)
    return chains, positions, {n: table[..., i].astype(t or dtype) for i, (n, t) in enumerate(COLUMNS.items())}


def _randomness(rows: int, chain: Chain) -> tuple[jax.Array, jax.Array]:
    """Noise `[rows, d]` for the momenta of this draw and the next ones; uniforms `[TRIPS, 3]` for the next trips."""
    like = chain.walk.draw.position
    of_draws, of_trips = jax.random.fold_in(chain.key, 0), jax.random.fold_in(chain.key, 1)
    normal = jax.vmap(lambda i: jax.random.normal(jax.random.fold_in(of_draws, i), like.shape, like.dtype))
    uniform = jax.vmap(lambda i: jax.random.uniform(jax.random.fold_in(of_trips, i), (3,), like.dtype))
    return normal(chain.walk.draws + jnp.arange(rows)), uniform(chain.walk.trips + jnp.arange(TRIPS))


def _trip(
    value_and_grad: ValueAndGrad, kernel: Kernel, num_warmup: int, metric: Metric, walk: Walk, tree: Tree,
    uniforms: jax.Array, noise: jax.Array, base: jax.Array, end: jax.Array,
) -> tuple[Walk, Tree, jax.Array, Info]:  # fmt: skip
    """One gradient of one chain.  Returns also the number of the draw that is complete with it, or `MISSING`."""
    locating, searching, sampling = (walk.phase == phase for phase in (LOCATE, SEARCH, SAMPLE))
    waiting = sampling & (walk.draws == end)  # for slower chains: goes on, but stays where it is
    stay = searching | waiting
    uniforms = uniforms.at[1].set(jnp.where(stay, jnp.inf, uniforms[1]))  # never below a ratio of weights
    limit = jnp.where(sampling, kernel.max_tree_depth, 1)
    tree = extend(value_and_grad, metric, jnp.where(locating, 0, walk.step_size), uniforms, limit, tree)

    drawn = tree.done & sampling & ~waiting
    record = describe(tree, walk.step_size)
    row = jnp.where(drawn, walk.draws, MISSING)
    walk = walk.replace(draw=tree.draw, draws=walk.draws + drawn, trips=walk.trips + ~waiting)
    if num_warmup or kernel.step_size is None:
        walk = _search(walk, tree.candidate.weight)
    else:
        walk = walk.replace(phase=jnp.full_like(walk.phase, SAMPLE))
    if num_warmup:
        walk = _adapt(kernel, num_warmup, walk, drawn, record.acceptance_rate)
    anew = begin(metric, noise[walk.draws - base], tree.draw, tree.stack)
    return walk, select(tree.done, anew, tree), row, record


def _search(walk: Walk, log_ratio: jax.Array) -> Walk:
    """After the start was evaluated, the search for a step size begins; it takes one leaf a trial."""
    step_size, direction, found = search(walk.step_size, walk.direction, log_ratio)
    searching = walk.phase == SEARCH
    step_size = jnp.where(searching, step_size, walk.step_size)
    found = searching & found
    return walk.replace(
        phase=jnp.where(found, SAMPLE, jnp.where(walk.phase == LOCATE, SEARCH, walk.phase)),
        direction=jnp.where(searching, direction, walk.direction),
        step_size=step_size,
        averaging=select(found, DualAveraging.start(step_size), walk.averaging),
    )


def _adapt(kernel: Kernel, num_warmup: int, walk: Walk, drawn: jax.Array, acceptance: jax.Array) -> Walk:
    """What a chain learns from a draw of the warm-up; `walk.draws` counts it already."""
    begin_slow, ends = windows(num_warmup)
    learns = drawn & (walk.draws <= num_warmup)
    averaging = select(learns, walk.averaging.update(acceptance, kernel.target_accept), walk.averaging)
    log_step = jnp.where(walk.draws == num_warmup, averaging.final, averaging.log_step)
    walk = walk.replace(averaging=averaging, step_size=jnp.where(learns, jnp.exp(log_step), walk.step_size))
    if not ends:
        return walk
    counts = learns & (walk.draws > begin_slow) & (walk.draws <= ends[-1])
    ended = (walk.draws == jnp.array(ends)).any()
    moments = select(counts, walk.moments.add(walk.draw.position), walk.moments)
    return walk.replace(moments=moments, due=counts & ended)


def _set_metric(chain: Chain) -> Chain:
    """At the end of a window: the metric that was seen in it, and a new search for a step size."""
    walk, metric = chain.walk, chain.metric
    new = walk.replace(
        moments=Moments.none(metric.inverse), phase=jnp.full_like(walk.phase, SEARCH),
        direction=jnp.zeros_like(walk.direction), due=jnp.zeros_like(walk.due),
    )  # fmt: skip
    new, metric = select(walk.due, (new, _metric_of(walk.moments)), (walk, metric))
    return Chain(chain.key, metric, new)


def _metric_of(moments: Moments) -> Metric:
    """The metric that was seen; only its diagonal if the draws were too few for a covariance with a Cholesky factor.

    Fewer draws than dimensions leave all but their span to the little that is added to the diagonal, which may be below
    the rounding of the rest.
    """
    inverse = moments.inverse_mass()
    metric = Metric.of(inverse)
    if inverse.ndim == 1:
        return metric
    diagonal = Metric.of(jnp.diag(jnp.diagonal(inverse)))
    return select(jnp.isfinite(metric.factor).all(), metric, diagonal)


def _store(skip: int, out: Any, row: jax.Array, record: Info, position: jax.Array) -> Any:
    positions, table = out
    numbers = jnp.stack([getattr(record, name).astype(table.dtype) for name in COLUMNS])
    # Rows out of bounds are dropped; a negative one would count from the end.
    kept = jnp.where(row < skip, MISSING, row - skip)
    return positions.at[kept].set(position, mode="drop"), table.at[row].set(numbers, mode="drop")
