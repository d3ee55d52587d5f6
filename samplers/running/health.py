"""Warnings in words: what went wrong in a run, and what to do about it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence

from storax.errors import SamplingWarning
from storax.samplers.kernels.kernel import Kernel
from storax.samplers.posterior import Posterior
from storax.samplers.running.settings import Settings
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
    complaints += _complaints(posterior, farthest)
    if complaints:
        warnings.warn("\n".join(complaints), SamplingWarning, stacklevel=user_stacklevel())


def _complaints(posterior: Posterior, farthest: float) -> Iterator[str]:
    steps = posterior.stats["step_size"]
    if farthest > FAR or (steps > LONG).any():
        yield (
            f"The posterior looks improper: the chains went as far as {farthest:.1g} with steps up to "
            f"{steps.max():.1g}. Is there a latent site that no prior and no data hold back?"
        )
    yield from posterior.diagnose().complaints
