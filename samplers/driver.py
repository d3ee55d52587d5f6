"""A whole run: warm-up and sampling are one program with one gradient in it, whichever way chains are driven."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from storax.pytrees import Pytree
from storax.samplers import batched, sequential
from storax.samplers.adaptation import schedule
from storax.samplers.chains import Walk, rows_at_hand, start_walk
from storax.samplers.integrators import ValueAndGrad
from storax.samplers.metrics import AnyMetric
from storax.samplers.storing import empty_store
from storax.samplers.trajectory import Draw
from storax.samplers.warmup import first_metric, history_length, meet, settle

DRIVERS = {"sequential": sequential.go_on, "batched": batched.go_on}


class Run(Pytree):
    """What a run leaves."""

    positions: jax.Array  # [chain, draw, d]
    stats: dict[str, jax.Array]  # name -> [chain, draw]
    warmup_stats: dict[str, jax.Array]  # name -> [chain, warm-up draw]
    walks: Walk  # [chain], at the end: walks.step_size, walks.draw.position, ...
    metric: AnyMetric  # that of all chains


def evaluate(log_density: Any) -> ValueAndGrad:
    """Log density and gradient at a position, in the type of the position whatever a density sums in."""
    return jax.value_and_grad(lambda q: log_density(q).astype(q.dtype))


def start_at(log_density: Any, positions: jax.Array) -> Draw:
    """Chains at positions `[chain, d]`."""
    log_densities, gradients = jax.vmap(evaluate(log_density))(positions)
    return Draw(positions, gradients, log_densities, jnp.zeros_like(log_densities))


def run(
    log_density: Any, keys: jax.Array, initial: Any, *, kernel: Any, num_warmup: int, num_samples: int,
    driver: str = "batched",
) -> Run:  # fmt: skip
    """Draws from a density on flat vectors, adapting first, all chains together.

    To be jitted by the caller.  Both drivers give the same draws, up to rounding.

    Args:
        log_density: position `[d]` to a scalar.
        keys: `[chain]`.
        initial: where chains start, `[chain, d]`, or those with their densities and gradients, a `Draw`; these must be
            finite.
        kernel: the settings.
        num_warmup: draws for adaptation.  With 0 the kernel's step size is used throughout, or one that is found once.
        num_samples: draws to keep.
        driver: "sequential" or "batched".

    >>> import jax, jax.numpy as jnp
    >>> from storax.samplers.nuts import nuts
    >>> result = run(lambda q: -0.5 * (q * q).sum(), jax.random.split(jax.random.key(0), 2), jnp.zeros((2, 3)),
    ...              kernel=nuts(), num_warmup=100, num_samples=50)
    >>> result.positions.shape, result.stats["n_steps"].shape, result.warmup_stats["lp"].shape
    ((2, 50, 3), (2, 50), (2, 100))
    """
    draw = initial if isinstance(initial, Draw) else start_at(log_density, initial)
    chains, d = draw.position.shape
    stages = schedule(num_warmup)
    ends = jnp.asarray([*np.cumsum([s.draws for s in stages]), num_warmup + num_samples], jnp.int32)
    used, restart = (jnp.asarray([*(getattr(s, n) for s in stages), 0]) for n in ("used", "restart"))
    age = history_length(stages, chains, d)
    store = empty_store(draw.position, num_warmup, num_samples, 2 * rows_at_hand(d) + 1, len(kernel.columns), age)
    metric = first_metric(kernel, draw.gradient, bool(age))
    looks = bool(num_warmup) or kernel.step_size is None
    walks = jax.vmap(lambda x: start_walk(x, kernel.step_size or 1.0, looks))(draw)
    go_on = DRIVERS[driver]

    def stage(carry: Any) -> Any:
        i, metric, walks, store = carry
        walks, store = go_on(evaluate(log_density), kernel, metric, keys, walks, store, ends[i], jnp.int32(num_warmup))
        if stages:
            metric, walks = lax.cond(
                i < len(stages), lambda: meet(used[i], restart[i], metric, walks, store), lambda: (metric, walks)
            )
            walks = lax.cond(i == len(stages) - 1, lambda: settle(walks), lambda: walks)
        return i + 1, metric, walks, store

    _, metric, walks, store = lax.while_loop(lambda c: c[0] < len(ends), stage, (jnp.int32(0), metric, walks, store))
    stats = {n: store.stats[..., i].astype(t or d_type(draw)) for i, (n, t) in enumerate(kernel.columns.items())}
    end = num_warmup + num_samples
    return Run(
        store.positions[:, :num_samples],
        {n: x[:, num_warmup:end] for n, x in stats.items()},
        {n: x[:, :num_warmup] for n, x in stats.items()},
        walks,
        metric,
    )


def d_type(draw: Draw) -> Any:
    return draw.position.dtype
