"""What an approximation gives: draws as a `Posterior`, with a number that says how far they are off."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from storax.effects import Sites
from storax.errors import SamplingWarning
from storax.keys import as_key
from storax.samplers.pareto import RELIABLE, psis
from storax.samplers.posterior import Posterior, axes_of
from storax.samplers.running.settings import as_count
from storax.sources import plain_errors, user_stacklevel

# key, number of draws -> name -> [draw, *shape], log p [draw], log q [draw]
Draw = Callable[[jax.Array, int], tuple[Mapping[str, Any], Any, Any]]


class ApproximatePosterior(Posterior):
    """Independent draws of an approximation, as one chain.

    Attributes:
        stats: `lp`, the log density of the model, and `log_q`, that of the approximation, both `[1, draw]` and in the
            same coordinates.
        khat: Pareto k of the importance weights; above 0.7 the approximation misses the posterior by so much that not
            even weights can mend it.  nan for a single point, and where plates take subsamples, so that
            log p is an estimate itself.
    """

    khat: float

    def resample(self, key: Any, num_samples: int | None = None) -> ApproximatePosterior:
        """Draws with replacement by their Pareto smoothed importance weights: nearer to the posterior.

        Args:
            key: a random key.
            num_samples: default: as many as there are.
        """
        count = self.num_samples if num_samples is None else as_count("resample: num_samples", num_samples, 1)
        log_weights = psis(self.log_weights).log_weights
        seed = np.asarray(jax.random.bits(as_key(key, "resample"), (4,))).tolist()
        rows = np.random.default_rng(seed).choice(self.num_samples, count, p=np.exp(log_weights))
        taken = lambda group: {n: x[:, rows] for n, x in group.items()}  # noqa: E731
        made = ApproximatePosterior(taken(self.samples), taken(self.stats), {}, self.dims)
        made.khat = self.khat
        return made

    @property
    def log_weights(self) -> np.ndarray:
        """log p - log q, `[draw]`."""
        difference: np.ndarray = (self.stats["lp"] - self.stats["log_q"])[0]
        return difference

    def __repr__(self) -> str:
        listing = ", ".join(f"{n}{list(x.shape[2:])}" if x.ndim > 2 else n for n, x in self.samples.items())
        return f"ApproximatePosterior({self.num_samples} draws: {listing}; k-hat {self.khat:.2f})"


class Approximation:
    """A fitted distribution that stands in for a posterior.

    Attributes:
        params: of the guide, a pytree; real numbers, as the optimiser sees them.
    """

    def __init__(
        self, params: Any, draw: Draw, sites: Sites, is_point: bool = False, is_subsampled: bool = False
    ) -> None:
        self.params = params
        self._draw, self._sites = draw, sites
        self._is_point, self._is_subsampled = is_point, is_subsampled

    @plain_errors
    def posterior(self, key: Any, num_samples: int = 1000) -> ApproximatePosterior:
        """Draws, judged by the Pareto k of their importance weights.

        Args:
            key: a random key.
            num_samples: at least 1; k-hat needs 25 or more, and settles at about 1000.

        Warns:
            SamplingWarning: k-hat is above 0.7, or the density is not finite at some draws.
        """
        count = as_count("posterior: num_samples", num_samples, 1)
        named, log_p, log_q = self._draw(as_key(key, "posterior"), count)
        order = [n for n in self._sites if n in named]
        samples = {n: np.asarray(named[n])[None] for n in order}
        stats = {"lp": np.asarray(log_p)[None], "log_q": np.asarray(log_q)[None]}
        made = ApproximatePosterior(
            samples, stats, {}, {n: axes_of(self._sites[n], samples[n].ndim - 2) for n in order}
        )
        unknown = self._is_point or self._is_subsampled
        made.khat = float("nan") if unknown else psis(made.log_weights).khat
        if complaint := _complaint(made, self._is_point):
            warnings.warn(complaint, SamplingWarning, stacklevel=user_stacklevel())
        return made

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(n for n, i in self._sites.items() if i.is_open)})"


def _complaint(posterior: ApproximatePosterior, is_point: bool) -> str:
    lost = int((~np.isfinite(posterior.stats["lp"])).sum())
    if lost:
        return (
            f"The log density of the model is not finite at {lost} of {posterior.num_samples} draws of the "
            f"approximation: it reaches to where the model is impossible or overflows. Use another guide, or sx.mcmc."
        )
    if not is_point and posterior.khat > RELIABLE:
        return (
            f"The approximation is not close to the posterior: Pareto k-hat is {posterior.khat:.2f}, and above "
            f"{RELIABLE} neither its draws nor weighted ones can be trusted; means may be near, but spreads and tails "
            f"are not. Use a richer guide (guide='multivariate_normal', a flow), more steps, another parametrisation "
            f"of the model, or sx.mcmc."
        )
    return ""
