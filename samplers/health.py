"""Warnings in words: what went wrong in a run, and what to do about it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence

import jax.numpy as jnp
import numpy as np

from storax.errors import SamplingWarning
from storax.samplers.kernels import Kernel
from storax.samplers.nuts import NUTS
from storax.samplers.posterior import Posterior
from storax.samplers.settings import Settings
from storax.sources import user_stacklevel

FAR, LONG = 1e12, 1e3  # a coordinate of R^n, and a step in units of the metric, that no proper posterior asks for


def warn_about(
    posterior: Posterior, farthest: float, settings: Settings, kernel: Kernel, empty: Sequence[str] = ()
) -> None:
    """Warn once, with every complaint about the run.

    Args:
        posterior: the draws.
        farthest: the largest coordinate of a draw in R^n.
        settings: of the run.
        kernel: of the run.
        empty: observed sites without observations.
    """
    complaints = [f"There are no observations of {label}: it says nothing about the others." for label in empty]
    if not settings.num_warmup and kernel.step_size is None:
        complaints.append(
            "There was no warm-up, and the kernel has no step size: one was guessed from a single step. Give a step "
            "size and an inverse mass matrix, sx.nuts(step_size=..., inverse_mass_matrix=...), or a warm-up."
        )
    complaints += _complaints(posterior, farthest, kernel)
    if complaints:
        warnings.warn("\n".join(complaints), SamplingWarning, stacklevel=user_stacklevel())


def _complaints(posterior: Posterior, farthest: float, kernel: Kernel) -> Iterator[str]:
    stats, chains, draws = posterior.stats, posterior.num_chains, posterior.num_samples
    if farthest > FAR or (stats["step_size"] > LONG).any():
        yield (
            f"The posterior looks improper: the chains went as far as {farthest:.1g} with steps up to "
            f"{stats['step_size'].max():.1g}. Is there a latent site that no prior and no data hold back?"
        )
    stuck = [c for c in range(chains) if posterior.samples and _did_not_move(posterior, c)]
    if stuck:
        step = ", ".join(f"{s:.3g}" for s in stats["step_size"][stuck, -1])
        yield (
            f"Chains did not move: {', '.join(map(str, stuck))} (step size {step}). Their draws are worthless. The "
            f"density may be nan or flat around them, or vary by many orders of magnitude: look at the warm-up's "
            f"stats, rescale the parameters, start elsewhere with init=."
        )
    undefined = stats["undefined"].sum()
    if undefined:
        yield (
            f"{undefined} of {chains * draws} draws met a density of nan: the model is not defined somewhere that the "
            f"chains can reach (the log or root of a negative number, say), and no draw comes from there. Guard it "
            f"with jnp.where, or restrict a prior; sx.log_likelihood at such a value names the site."
        )
    diverging = (stats["diverging"] & ~stats["undefined"]).sum(1)
    if diverging.sum():
        yield (
            f"{int(diverging.sum())} of {chains * draws} draws ended in a divergence (by chain: "
            f"{', '.join(str(int(n)) for n in diverging)}): the sampler could not follow the posterior somewhere, and "
            f"the draws are biased away from there. Reparameterise (a non-centred scale), tighten priors, or raise "
            f"target_accept: sx.nuts(target_accept=0.95)."
        )
    deepest = stats["reached_max_treedepth"].mean() if isinstance(kernel, NUTS) else 0.0
    if isinstance(kernel, NUTS) and deepest > 0.05:
        yield (
            f"{deepest:.0%} of the draws reached max_tree_depth={kernel.max_tree_depth}: slow, not wrong. Rescale the "
            f"parameters, use sx.nuts(dense_mass=True), or allow more."
        )
    if not stuck and posterior.samples:
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
        if jnp.issubdtype(draws.dtype, jnp.inexact):  # NumPy does not know bfloat16
            x = draws[chain].reshape(posterior.num_samples, -1)
            moved |= (x[1:] != x[:-1]).any(1)
    return len(moved) >= 20 and moved.mean() < 0.05
