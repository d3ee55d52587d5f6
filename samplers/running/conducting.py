"""A run to its end, or to an interrupt: draws to whoever keeps, shows and saves them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax.errors import CheckpointError, SamplingWarning
from storax.samplers.driving.adaptation import LONGEST
from storax.samplers.driving.chains import Fleet
from storax.samplers.running.blocks import Block, blocks
from storax.samplers.running.checkpoints import Checkpoint
from storax.samplers.running.keeping import Keeper
from storax.samplers.running.programs import Program
from storax.samplers.running.progress import Progress
from storax.samplers.running.settings import Settings
from storax.sources import user_stacklevel


def conduct(
    go_on: Callable[..., Any], fleet: Fleet, settings: Settings, program: Program, keeper: Keeper, shown: Progress,
    saved: Checkpoint | None,
) -> bool:  # fmt: skip
    """Drives chains to the end.

    Returns:
        Whether they came there: False after an interrupt (Ctrl-C), with what was drawn until then in `keeper`.
    """
    # Copied, since the chains' own memory is reused; not asked for where processes share chains.
    keys, taken = np.asarray(jax.random.key_data(fleet.keys)) if saved is not None else None, 0
    try:
        if saved is not None:
            for made in saved.blocks():
                _keep(made, keeper, shown, settings)
            state = saved.state()
            if state is not None:
                fleet, taken = _restored(fleet, state[0]), state[1]
        if not _is_over(fleet, taken, settings.num_samples):
            halves = program.driver == "batched"
            for now, made in blocks(go_on, fleet, settings.num_samples, program.rows, halves, taken):
                _keep(made, keeper, shown, settings)
                taken += sum(block.size for block in made)
                if saved is not None:
                    saved = _save(saved, made, now.replace(keys=keys), taken)
    except KeyboardInterrupt:
        if not keeper.kept:
            raise
        warnings.warn(
            f"Interrupted: {keeper.made} of {settings.num_samples} draws of each chain are made.", SamplingWarning,
            stacklevel=user_stacklevel(),
        )  # fmt: skip
        return False
    finally:
        shown.close()
        keeper.finish()
    return True


def _keep(made: list[Block], keeper: Keeper, shown: Progress, settings: Settings) -> None:
    for block in made:
        keeper.take(block)
        warmup = LONGEST if settings.num_warmup == "auto" else int(settings.num_warmup)
        warmup = warmup if block.learns else keeper.warmup_draws
        done = block.first + block.size + (0 if block.learns else warmup)
        shown.update(done, warmup + settings.num_samples, block.learns, keeper.last)


def _is_over(fleet: Fleet, taken: int, num_samples: int) -> bool:
    warmed = int(fleet.warmed)
    return warmed >= 0 and taken >= warmed + num_samples


def _save(saved: Checkpoint, made: list[Block], fleet: Fleet, taken: int) -> Checkpoint | None:
    try:
        saved.put(made, jax.tree.leaves(fleet), taken)
    except OSError as error:
        warnings.warn(
            f"The checkpoint could not be written ({error.strerror or error}): the run goes on without, and what was "
            f"written before stays.", SamplingWarning, stacklevel=user_stacklevel(),
        )  # fmt: skip
        return None
    return saved


def _restored(fleet: Fleet, leaves: list[np.ndarray]) -> Fleet:
    """The state of chains from its leaves, which must be as those of this one."""
    like = fleet.replace(keys=jax.random.key_data(fleet.keys))
    old, structure = jax.tree.flatten(like)
    if [(x.shape, x.dtype) for x in old] != [(x.shape, x.dtype) for x in leaves]:
        raise CheckpointError(
            "sx.mcmc: the checkpoint was written by another version of storax, or on a machine that chose another "
            "driver: its state does not fit. Name another folder."
        )
    return jax.tree.unflatten(structure, [jnp.asarray(x) for x in leaves]).replace(keys=fleet.keys)
