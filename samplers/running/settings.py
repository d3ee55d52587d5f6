"""Checks of a run's settings, before anything is traced."""

from __future__ import annotations

import math
import os
from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np
from jax.sharding import Mesh

from storax.errors import ArgumentTypeError, SettingsError
from storax.samplers.driving.choosing import DRIVERS

NUMBERS_OF_STATISTICS = 10  # a draw, warm-up included
MOST_DRAWS = 2**30  # of a chain: they are counted with 32 bits


class Settings(NamedTuple):
    """What a compiled program depends on."""

    num_chains: int
    num_warmup: int | str
    num_samples: int
    driver: str | None = None
    mesh: Mesh | None = None


class Keeping(NamedTuple):
    """What is kept of the draws."""

    thin: int = 1
    collect: tuple[str, ...] | None = None
    reduce: bool = False


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


def check_num_warmup(value: Any) -> int | str:
    """A count, or "auto".

    Raises:
        ArgumentTypeError: neither.
        SettingsError: a negative count, or more than can be counted.
    """
    if isinstance(value, str):
        if value != "auto":
            raise SettingsError(f"sx.mcmc: num_warmup must be an int or 'auto', got {value!r}.")
        return value
    return check_count("num_warmup", value, 0)


def check_superchains(value: Any, num_chains: int) -> int:
    """How many different starts there are: one for each chain, or one for each group of them.

    Raises:
        ArgumentTypeError: no int.
        SettingsError: it does not divide the chains.
    """
    groups = num_chains if value is None else check_count("superchains", value, 2)
    if num_chains % groups:
        raise SettingsError(f"sx.mcmc: superchains={groups} does not divide num_chains={num_chains}.")
    return groups


def check_keeping(thin: Any, collect: Any, reduce: Any, num_samples: int) -> Keeping:
    """What to keep; whether the names exist is seen later.

    Raises:
        ArgumentTypeError: `collect` is no list of names, `reduce` no bool, `thin` no int.
        SettingsError: `thin` leaves no draw, or `collect` nothing.
    """
    thin = check_count("thin", thin, 1)
    if thin > num_samples:
        raise SettingsError(f"sx.mcmc: thin={thin} keeps none of {num_samples} draws; it must be at most that.")
    if not isinstance(reduce, (bool, np.bool_)):
        raise ArgumentTypeError(f"sx.mcmc: reduce must be True or False, got {reduce!r}.")
    if collect is None:
        return Keeping(thin, None, bool(reduce))
    if isinstance(collect, str) or not isinstance(collect, Collection) or not all(isinstance(n, str) for n in collect):
        raise ArgumentTypeError(f"sx.mcmc: collect must be a list of names, collect=['mu'], got {collect!r}.")
    if not collect:
        raise SettingsError("sx.mcmc: collect=[] keeps nothing; leave it out to keep every site.")
    return Keeping(thin, tuple(dict.fromkeys(collect)), bool(reduce))


def check_driver(driver: Any) -> str | None:
    """A driver's name, or None.

    Raises:
        SettingsError: another name.
    """
    if driver not in (None, *DRIVERS):
        raise SettingsError(f"sx.mcmc: driver must be 'sequential', 'batched' or None, got {driver!r}.")
    return driver


def check_memory(settings: Settings, keeping: Keeping, density: Any, limit: float | None = None) -> None:
    """Refuse a run whose draws this machine cannot hold.

    Args:
        settings: of the run.
        keeping: of the draws.
        density: the model's, an `sx.unconstrain(model)(...)`.
        limit: bytes; default: the machine's memory.

    Raises:
        SettingsError: more draws than that.
    """
    open_sites = {n: i for n, i in density.sites.items() if i.is_open or i.is_derived}
    named = sum(math.prod(i.shape) for n, i in open_sites.items() if keeping.collect is None or n in keeping.collect)
    draws = settings.num_samples // keeping.thin
    warmup = 1000 if settings.num_warmup == "auto" else int(settings.num_warmup)
    kept = 0 if keeping.reduce else draws * named
    statistics = (warmup + draws) * NUMBERS_OF_STATISTICS
    size = settings.num_chains * (kept + statistics) * np.dtype(density.layout.dtype).itemsize
    limit = _memory() if limit is None else limit
    if size > limit:
        raise SettingsError(
            f"sx.mcmc: {settings.num_chains} chains of {warmup} + {settings.num_samples} draws of {named} numbers are "
            f"{size / 2**30:,.0f} GiB, and there are {limit / 2**30:,.0f}. Ask for fewer draws (1000 a chain are "
            f"enough for most posteriors), for every tenth (thin=10), for some sites (collect=[...]), or for moments "
            f"alone (reduce=True)."
        )


def _memory() -> float:
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):  # not on this system: what no machine has
        return 2.0**40
