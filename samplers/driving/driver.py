"""A whole run: warm-up and sampling are one program with one gradient in it, whichever way chains are driven."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import Mesh

from storax.pytrees import Pytree
from storax.samplers.driving import batched, sequential
from storax.samplers.driving.adaptation import OPEN_ENDED, Stage, schedule
from storax.samplers.driving.chains import Fleet, Walk, rows_at_hand, start_walk
from storax.samplers.driving.relative import anew, evaluate, offset_of, reference_at
from storax.samplers.driving.sharding import apart, fewest, over_devices, together
from storax.samplers.driving.storing import empty_store
from storax.samplers.driving.warmup import first_metric, has_settled, history_length, meet, settle
from storax.samplers.kernels.metrics import AnyMetric
from storax.samplers.kernels.trajectory import Draw


class Plan(NamedTuple):
    """How a run goes; hashable."""

    kernel: Any
    stages: tuple[Stage, ...]  # of the warm-up
    auto: bool  # whether the warm-up may end before
    driver: str  # "sequential" or "batched"
    mesh: Mesh | None = None

    @staticmethod
    def of(kernel: Any, num_warmup: int | str, driver: str, mesh: Mesh | None = None) -> Plan:
        auto = num_warmup == "auto"
        return Plan(kernel, OPEN_ENDED if auto else schedule(int(num_warmup)), auto, driver, mesh)


class Run(Pytree):
    """What a run leaves."""

    positions: jax.Array  # [chain, draw, d]
    stats: dict[str, jax.Array]  # name -> [chain, draw]
    warmup_stats: dict[str, jax.Array]  # name -> [chain, warm-up draw]
    walks: Walk  # [chain], at the end: walks.step_size, walks.draw.position, ...
    metric: AnyMetric  # that of all chains


def start_at(log_density: Any, positions: jax.Array) -> Draw:
    """Chains at positions `[chain, d]`; log densities are whole, not relative to anything."""
    log_densities, gradients = jax.vmap(evaluate(log_density, ()))(positions)
    return Draw(positions, gradients, log_densities, jnp.zeros_like(log_densities))


def set_out(log_density: Any, keys: jax.Array, draw: Draw, plan: Plan, rows: int) -> Fleet:
    """Chains before their first draw.

    Args:
        log_density: position `[d]` to a scalar, or a `Relative`.
        keys: `[chain]`.
        draw: `[chain]`, where they start; finite.
        plan: of the run.
        rows: draws to keep at a time.
    """
    kernel, stages = plan.kernel, plan.stages
    chains, d = draw.position.shape
    age = history_length(stages, chains, d)
    reference = reference_at(log_density, draw.position[0])
    offset = offset_of(log_density, draw.log_density[0])
    looks = bool(stages) or kernel.step_size is None
    fleet = Fleet(
        keys=keys,
        walks=jax.vmap(lambda x: start_walk(x, kernel.step_size or 1.0, looks))(
            draw.replace(log_density=draw.log_density - offset)
        ),
        pending=None,
        store=empty_store(draw.position, rows + 2 * rows_at_hand(d) + 2, kernel.columns, age),
        metric=first_metric(kernel, draw.gradient, bool(age)),
        reference=reference,
        offset=offset,
        stage=jnp.int32(0),
        end=jnp.int32(stages[0].draws if stages else 2**30),
        warmed=jnp.int32(-1 if stages else 0),
    )
    return _with_pending(fleet, plan)


def advance(
    density_of: Callable[[Any], Any], data: Any, fleet: Fleet, plan: Plan, num_samples: jax.Array, until: jax.Array
) -> Fleet:
    """All chains go on until each has made `until` draws, or all that were asked for.

    Args:
        density_of: data to a log density as for `set_out`.
        data: a pytree of arrays, which may be spread over devices.
        fleet: the chains.
        plan: of the run.
        num_samples: draws to make after the warm-up.
        until: draws in all; there is room for them in the store.
    """
    go_on = {"sequential": sequential.go_on, "batched": batched.go_on}[plan.driver]

    def drive(data: Any, fleet: Fleet, num_samples: jax.Array, until: jax.Array) -> Fleet:
        """On each device, for the chains there."""
        log_density = density_of(data)
        fleet = fleet.replace(end=jnp.where(fleet.learns, fleet.end, fleet.warmed + num_samples))

        def stretch(carry: tuple[Fleet, jax.Array]) -> tuple[Fleet, jax.Array]:
            fleet, _ = carry
            value_and_grad = evaluate(log_density, fleet.reference)
            fleet = go_on(value_and_grad, plan.kernel, fleet, jnp.minimum(fleet.end, until))
            made = fewest(plan.mesh, fleet.draws)
            if plan.stages:
                over = fleet.learns & (made >= fleet.end)
                fleet = lax.cond(over, partial(_next_stage, log_density, plan, num_samples), lambda f: f, fleet)
            return fleet, made

        def unfinished(carry: tuple[Fleet, jax.Array]) -> jax.Array:
            fleet, made = carry
            return made < jnp.minimum(until, jnp.where(fleet.learns, 2**30, fleet.warmed + num_samples))

        return lax.while_loop(unfinished, stretch, (fleet, fewest(plan.mesh, fleet.draws)))[0]

    return over_devices(plan.mesh, drive)(data, fleet, num_samples, until)


def _next_stage(log_density: Any, plan: Plan, num_samples: jax.Array, fleet: Fleet) -> Fleet:
    """A stage of the warm-up is over: the chains meet, and the next one begins."""
    lengths, used, restart = (jnp.asarray(column, jnp.int32) for column in zip(*plan.stages, strict=True))
    last, i, draws = len(plan.stages) - 1, fleet.stage, fleet.end
    # All devices come to the same conclusions, and to those of one alone: also in how XLA fuses and rounds them.
    walks, history = lax.optimization_barrier(together(plan.mesh, (fleet.walks, fleet.store.history)))
    everyone = fleet.replace(walks=walks, store=fleet.store.replace(history=history))
    metric, walks = meet(used[i], restart[i], fleet.metric, walks, everyone.store)
    following = i + 1
    if plan.auto:
        settled = has_settled(used[i], everyone, metric)
        following = jnp.where(settled & (following < last), last, following)
    done = following > last
    walks = lax.cond(done, lambda: settle(walks), lambda: walks)
    reference, shift = anew(log_density, walks)
    fleet = fleet.replace(
        walks=apart(plan.mesh, walks),
        metric=metric,
        stage=following,
        end=draws + jnp.where(done, num_samples, lengths[jnp.minimum(following, last)]),
        warmed=jnp.where(done, draws, fleet.warmed),
    )
    return _with_pending(_moved(fleet, plan, reference, shift), plan)


def _moved(fleet: Fleet, plan: Plan, reference: Any, shift: jax.Array) -> Fleet:
    """Log densities are relative to another point, where they are larger by `shift`."""
    if not reference:
        return fleet
    names = list(plan.kernel.columns)
    columns = jnp.zeros(len(names), shift.dtype).at[jnp.array([names.index(n) for n in ("lp", "energy")])].set([-1, 1])
    draw = fleet.walks.draw
    return fleet.replace(
        walks=fleet.walks.replace(draw=draw.replace(log_density=draw.log_density - shift)),
        store=fleet.store.replace(stats=fleet.store.stats + shift * columns[None, None]),
        reference=reference,
        offset=fleet.offset + shift,
    )


def _with_pending(fleet: Fleet, plan: Plan) -> Fleet:
    return fleet.replace(pending=batched.begin(plan.kernel, fleet)) if plan.driver == "batched" else fleet


def statistics(fleet: Fleet, plan: Plan) -> dict[str, jax.Array]:
    """Of the draws in the store, by name, `[chain, row]`."""
    stats = {
        name: fleet.store.stats[..., i].astype(kind or fleet.offset.dtype)
        for i, (name, kind) in enumerate(plan.kernel.columns.items())
    }
    return {**stats, "lp": stats["lp"] + fleet.offset, "energy": stats["energy"] - fleet.offset}


def run(
    log_density: Any, keys: jax.Array, initial: Any, *, kernel: Any, num_warmup: int, num_samples: int,
    driver: str = "batched",
) -> Run:  # fmt: skip
    """Draws from a density on flat vectors, adapting first, all chains together.

    To be jitted by the caller.  Both drivers give the same draws, up to rounding.

    Args:
        log_density: position `[d]` to a scalar, or a `storax.samplers.driving.relative.Relative`.
        keys: `[chain]`.
        initial: where chains start, `[chain, d]`, or those with their densities and gradients, a `Draw`; these must be
            finite.
        kernel: the settings.
        num_warmup: draws for adaptation.  With 0 the kernel's step size is used throughout, or one that is found once.
        num_samples: draws to keep.
        driver: "sequential" or "batched".

    >>> import jax, jax.numpy as jnp
    >>> from storax.samplers.kernels.nuts import nuts
    >>> result = run(lambda q: -0.5 * (q * q).sum(), jax.random.split(jax.random.key(0), 2), jnp.zeros((2, 3)),
    ...              kernel=nuts(), num_warmup=100, num_samples=50)
    >>> result.positions.shape, result.stats["n_steps"].shape, result.warmup_stats["lp"].shape
    ((2, 50, 3), (2, 50), (2, 100))
    """
    draw = initial if isinstance(initial, Draw) else start_at(log_density, initial)
    plan = Plan.of(kernel, num_warmup, driver)
    end = num_warmup + num_samples
    fleet = set_out(log_density, keys, draw, plan, end)
    fleet = advance(lambda _: log_density, (), fleet, plan, jnp.int32(num_samples), jnp.int32(end))
    stats = statistics(fleet, plan)
    return Run(
        fleet.store.positions[:, num_warmup:end],
        {n: x[:, num_warmup:end] for n, x in stats.items()},
        {n: x[:, :num_warmup] for n, x in stats.items()},
        fleet.walks,
        fleet.metric,
    )
