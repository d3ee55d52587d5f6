"""Warnings in words: what went wrong in a run, and what to do about it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np

from storax.errors import SamplingWarning
from storax.samplers.posterior import Posterior
from storax.sources import user_stacklevel


def warn_about(posterior: Posterior, num_warmup: int, max_tree_depth: int) -> None:
    """Warn once, with every complaint about the run."""
    complaints = list(_complaints(posterior, num_warmup, max_tree_depth))
    if complaints:
        warnings.warn("\n".join(f"{c}" for c in complaints), SamplingWarning, stacklevel=user_stacklevel())


def _complaints(posterior: Posterior, num_warmup: int, max_tree_depth: int) -> Iterator[str]:
    stats, chains, draws = posterior.stats, posterior.num_chains, posterior.num_samples
    stuck = [c for c in range(chains) if _did_not_move(posterior, c)]
    if stuck:
        step = ", ".join(f"{s:.3g}" for s in stats["step_size"][stuck, -1])
        yield (
            f"Chains did not move: {', '.join(map(str, stuck))} (step size {step}). Their draws are worthless. The "
            f"density may be nan or flat around them, or vary by many orders of magnitude: look at the warm-up's "
            f"stats, rescale the parameters, start elsewhere with init=."
        )
    diverging = stats["diverging"].sum(1)
    if diverging.sum():
        yield (
            f"{int(diverging.sum())} of {chains * draws} draws ended in a divergence (by chain: "
            f"{', '.join(str(int(n)) for n in diverging)}): the sampler could not follow the posterior somewhere, and "
            f"the draws are biased away from there. Reparameterise (a non-centred scale), tighten priors, or raise "
            f"target_accept: sx.nuts(target_accept=0.95)."
        )
    deepest = stats["reached_max_treedepth"].mean()
    if deepest > 0.05:
        yield (
            f"{deepest:.0%} of the draws reached max_tree_depth={max_tree_depth}: slow, not wrong. Rescale the "
            f"parameters, use sx.nuts(dense_mass=True), or allow more."
        )
    if num_warmup and not stuck:
        yield from _mixing(posterior)


def _mixing(posterior: Posterior) -> Iterator[str]:
    summary = posterior.summary()
    rhat, bulk, tail = (summary.columns[c] for c in ("rhat", "ess_bulk", "ess_tail"))
    enough = posterior.num_samples >= 100  # below that the diagnostics themselves are noise
    if not enough:
        return
    if np.nanmax(rhat, initial=0.0) > 1.01:
        worst = int(np.nanargmax(rhat))
        yield (
            f"R-hat is {rhat[worst]:.3f} for {summary.names[worst]} ({int((rhat > 1.01).sum())} of {len(rhat)} numbers "
            f"above 1.01): the chains have not mixed. Run longer, or look for several modes or a weakly identified "
            f"parameter."
        )
    need = 100 * posterior.num_chains
    ess = np.fmin(bulk, tail)
    if np.nanmin(ess, initial=np.inf) < need:
        worst = int(np.nanargmin(ess))
        yield (
            f"The effective sample size of {summary.names[worst]} is {ess[worst]:.0f}, below {need}: means and "
            f"quantiles are noisy. Draw more samples."
        )


def _did_not_move(posterior: Posterior, chain: int) -> bool:
    """Fewer than 5 % of the transitions changed anything."""
    moved = np.zeros(posterior.num_samples - 1, bool)
    for draws in posterior.samples.values():
        if np.issubdtype(draws.dtype, np.inexact):
            x = draws[chain].reshape(posterior.num_samples, -1)
            moved |= (x[1:] != x[:-1]).any(1)
    return len(moved) >= 20 and moved.mean() < 0.05
