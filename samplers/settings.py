"""Checks of a run's settings, before anything is traced."""

from __future__ import annotations

import math
import os
from typing import Any, NamedTuple

import numpy as np

from storax.errors import ArgumentTypeError, SettingsError

NUMBERS_OF_STATISTICS = 9  # a draw, warm-up included
MOST_DRAWS = 2**30  # of a chain: they are counted with 32 bits


class Settings(NamedTuple):
    num_chains: int
    num_warmup: int
    num_samples: int


def check_count(name: str, value: Any, least: int) -> int:
    """A setting of `sx.mcmc`: see `as_count`."""
    return as_count(f"sx.mcmc: {name}", value, least)


def as_count(what: str, value: Any, least: int) -> int:
    """A Python int, at least `least`.

    Raises:
        ArgumentTypeError: no int.
        SettingsError: too small, or more than can be counted.
    """
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool):
        raise ArgumentTypeError(f"{what} must be an int, got {value!r} of type {type(value).__name__}.")
    if not least <= value < MOST_DRAWS:
        limit = f"at least {least}" if value < least else "below 2**30"
        raise SettingsError(f"{what} must be {limit}, got {value}.")
    return int(value)


def check_memory(settings: Settings, density: Any, limit: float | None = None) -> None:
    """Refuse a run whose draws this machine cannot hold.

    Args:
        settings: of the run.
        density: the model's, an `sx.unconstrain(model)(...)`.
        limit: bytes; default: the machine's memory.

    Raises:
        SettingsError: more draws than that.
    """
    named = sum(math.prod(i.shape) for i in density.sites.values() if i.is_open or i.is_derived)
    kept = settings.num_samples * (density.size + named)
    statistics = (settings.num_warmup + settings.num_samples) * NUMBERS_OF_STATISTICS
    size = settings.num_chains * (kept + statistics) * np.dtype(density.layout.dtype).itemsize
    limit = _memory() if limit is None else limit
    if size > limit:
        raise SettingsError(
            f"sx.mcmc: {settings.num_chains} chains of {settings.num_warmup} + {settings.num_samples} draws of "
            f"{density.size} numbers are {size / 2**30:,.0f} GiB, and there are {limit / 2**30:,.0f}. Ask for fewer "
            f"draws: 1000 a chain are enough for most posteriors."
        )


def _memory() -> float:
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):  # not on this system: what no machine has
        return 2.0**40
