"""A run from the host's side: it looks at the chains now and then, and takes their draws away.

How often it looks changes no draw: a chain's random numbers depend on its key and on how far it is, and nothing else.
So one compiled program makes runs of every length, a bar can move, and an interrupt loses nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

PATIENCE = 0.25  # seconds between two looks, about
FIRST, FEWEST = 64, 16  # draws until the first look, and between two


class Block(NamedTuple):
    """Draws of all chains between two looks, all of the warm-up or all behind it."""

    first: int  # the number of the first one, from 0 on in the warm-up, and from 0 on behind it
    learns: bool  # whether they are of the warm-up
    positions: np.ndarray  # [chain, draw, d]; none of a warm-up
    stats: np.ndarray  # [chain, draw, column]
    faults: np.ndarray  # [n, d], the last points of diverging trajectories
    faulty: np.ndarray  # [n, 2], their chains and draws

    @property
    def size(self) -> int:
        return self.stats.shape[1]


def blocks(
    go_on: Callable[..., tuple[Any, Any]], fleet: Any, num_samples: int, rows: int, halves: bool, taken: int = 0
) -> Iterator[tuple[Any, list[Block]]]:
    """Drives chains to the end, and gives what they have drawn since the last look, with their state.

    Args:
        go_on: compiled, `(fleet, number of the first draw to keep, num_samples, until) -> (fleet, look)`.
        fleet: the chains; its memory is given to the next state.
        num_samples: draws behind the warm-up.
        rows: draws that fit between two looks.
        halves: leave room for chains that are ahead of others.
        taken: draws that all chains had made, and that have been taken, when this state was reached.
    """
    most = max(rows // 2 if halves else rows, 1)
    alone = jax.process_count() == 1  # processes that share chains must look at the same time
    step = min(FIRST, most) if alone else most
    warmed = -1
    while warmed < 0 or taken < warmed + num_samples:
        begun = time.perf_counter()
        fleet, look = go_on(fleet, np.int32(taken), np.int32(num_samples), np.int32(taken + step))
        draws, warmed = int(look.draws), int(look.warmed)
        yield fleet, _split(jax.tree.map(np.asarray, look), taken, draws, warmed)
        seconds = max(time.perf_counter() - begun, 1e-6)
        if alone:
            step = int(min(most, max(FEWEST, (draws - taken) * PATIENCE / seconds)))
        taken = draws


def _split(look: Any, taken: int, draws: int, warmed: int) -> list[Block]:
    made = []
    border = draws if warmed < 0 else min(max(warmed, taken), draws)
    if border > taken:
        stats = look.stats[:, : border - taken]
        made.append(Block(taken, True, look.positions[:, :0], stats, look.faults[:0, 0], np.zeros((0, 2), int)))
    if draws > border:
        here = slice(border - taken, draws - taken)
        chains, slots = np.nonzero((look.faulty >= border) & (look.faulty < draws))
        faulty = np.stack([chains, look.faulty[chains, slots] - warmed], 1)
        faults = look.faults[chains, slots]
        made.append(Block(border - warmed, False, look.positions[:, here], look.stats[:, here], faults, faulty))
    return made
