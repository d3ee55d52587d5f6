"""Checks of a run's settings, before anything is traced."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from storax.errors import ArgumentTypeError, SettingsError


def check_count(name: str, value: Any, least: int) -> int:
    """A Python int, at least `least`.

    Raises:
        ArgumentTypeError: no int.
        SettingsError: too small.
    """
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool):
        raise ArgumentTypeError(f"sx.mcmc: {name} must be an int, got {value!r} of type {type(value).__name__}.")
    if value < least:
        raise SettingsError(f"sx.mcmc: {name} must be at least {least}, got {value}.")
    return int(value)


def check_memory(num_chains: int, num_samples: int, numbers_per_draw: int, dtype: Any, limit: float = 2.0**40) -> None:
    """Refuse a run whose draws fit no machine.

    Raises:
        SettingsError: more than a tebibyte of draws.
    """
    size = num_chains * num_samples * max(numbers_per_draw, 1) * jnp.dtype(dtype).itemsize
    if size > limit:
        raise SettingsError(
            f"sx.mcmc: {num_chains} chains of {num_samples} draws of {numbers_per_draw} numbers are "
            f"{size / 2**30:,.0f} GiB. Ask for fewer draws: 1000 a chain are enough for most posteriors."
        )
