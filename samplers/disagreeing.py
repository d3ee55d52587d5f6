"""Where draws differ: the parameters that divergences concentrate in, and chains that are somewhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from storax.samplers.diagnostics import mcse_mean
from storax.samplers.summarising import columns_of

if TYPE_CHECKING:
    from storax.samplers.posterior import Posterior

FAR, SPREAD = 5.0, 1.0  # a chain elsewhere: in Monte Carlo errors, and in standard deviations within the chains


def concentration(posterior: Posterior, diverging: np.ndarray, most: int = 3) -> str:
    """In words, the parameters whose values set draws that diverged apart from the others; "" if there are none.

    By the Mann-Whitney statistic: the chance that a diverging draw has the larger value.
    """
    flags = diverging.ravel()
    count, rest = int(flags.sum()), int((~flags).sum())
    if count < 5 or rest < 5:
        return ""
    names, x = columns_of(posterior)
    flat = x.reshape(flags.size, -1)
    ranks = flat.argsort(0).argsort(0).astype(float)
    chance = (ranks[flags].mean(0) - (count - 1) / 2) / rest  # of the larger value
    error = np.sqrt((flags.size + 1) / (12 * count * rest))
    varies = flat.max(0) > flat.min(0)
    distance = np.where(varies & np.isfinite(flat).all(0), np.abs(chance - 0.5), 0.0)
    worst = [i for i in np.argsort(-distance)[:most] if distance[i] > max(0.15, 4 * error)]
    if not worst:
        return ""
    phrases = [
        f"{names[i]} is {'large' if chance[i] > 0.5 else 'small'} (median {np.median(flat[flags, i]):.3g} of these, "
        f"{np.median(flat[~flags, i]):.3g} of the others)"
        for i in worst
    ]
    return f" They concentrate where {', '.join(phrases)}."


def apart(posterior: Posterior, most: int = 3) -> str:
    """In words, chains whose mean is far from that of all the others; "" if there are none."""
    chains = posterior.num_chains
    if chains < 2:
        return ""
    names, x = columns_of(posterior)
    with np.errstate(all="ignore"):
        within = np.sqrt(x.var(1, ddof=1).mean(0))
        found = []
        for c in range(chains):
            others = np.delete(x, c, axis=0)
            away = np.abs(x[c].mean(0) - others.mean((0, 1)))
            good = away > SPREAD * within
            if good.any():
                error = np.hypot(_error(x[c : c + 1]), _error(others))  # takes long, and is seldom asked for
                good &= away > FAR * error
            if good.any():
                i = int(np.argmax(np.where(good, away / within, -np.inf)))
                found.append((c, names[i], x[c, :, i].mean(), others[..., i].mean(), int(good.sum())))
    if not found:
        return ""
    phrases = [f"chain {c} has mean {a:.3g} of {n}, the others {b:.3g}" for c, n, a, b, _ in found[:most]]
    more = f" (and {len(found) - most} chains more)" if len(found) > most else ""
    return (
        f"Chains disagree: {'; '.join(phrases)}{more}. They may be in different modes: compare the lp of the chains, "
        f"break a symmetry with an ordered parameter, or start them together with init=."
    )


def _error(x: np.ndarray) -> np.ndarray:
    """Monte Carlo error of the mean; 0 of a constant."""
    return np.where(x.max((0, 1)) > x.min((0, 1)), mcse_mean(x), 0.0)
