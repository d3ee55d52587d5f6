"""Tests live in a stricter world than users: warnings are errors, rank promotion raises, and nothing is cached across
runs but compiled programs."""

from __future__ import annotations

import itertools
import os
import pathlib

import jax
import pytest

# One compilation cache for all workers and all runs: most of the time of a test is XLA's.
_cache = os.environ.get("STORAX_TEST_CACHE", str(pathlib.Path(__file__).parent.parent / ".jax_cache"))
jax.config.update("jax_compilation_cache_dir", _cache)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
jax.config.update("jax_numpy_rank_promotion", "raise")


_run = itertools.count(1)


@pytest.fixture(autouse=True)
def _room_for_programs():
    """Each compiled program has memory mapped, and a process may have some 65,000 pieces of it: XLA crashes beyond."""
    yield
    if next(_run) % 100 == 0:
        jax.clear_caches()


@pytest.fixture
def x64():
    """64-bit floats for one test."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="session")
def shared() -> pathlib.Path:
    """Reference data beside the repository, where there is some."""
    folder = pathlib.Path(__file__).parent.parent.parent / "shared"
    if not folder.exists():
        pytest.skip("reference values not present")
    return folder
