"""Figures: thin forwards to the ArviZ that is installed, with the names and labels of the posterior."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from storax.errors import InferenceError
from storax.optional import extra
from storax.samplers.storage.exporting import has_inference_data, to_arviz, variable_name

if TYPE_CHECKING:
    from storax.samplers.posterior import Posterior

Names = str | Iterable[str] | None


class Plots:
    """The figures of a posterior: `post.plot.trace()`, `.forest()`, ...  Each returns a matplotlib figure.

    They are ArviZ's; further keywords are handed on to the function of the ArviZ that is installed.
    """

    def __init__(self, posterior: Posterior) -> None:
        self._posterior = posterior

    def _draw(self, old: str, new: str, names: Names = None, **settings: Any) -> Any:
        """By the function of ArviZ before 1.0, or of 1.x."""
        extra("matplotlib", "plot", "post.plot")
        arviz = extra("arviz", "plot", "post.plot")
        before_one = has_inference_data(arviz)
        if names is not None:
            wanted = [names] if isinstance(names, str) else list(names)
            for name in wanted:
                self._posterior[name]  # refuses what there is not
            settings["var_names"] = [variable_name(n) for n in wanted]
        if not before_one:
            settings.setdefault("backend", "matplotlib")
        return _figure(getattr(arviz, old if before_one else new)(to_arviz(self._posterior), **settings))

    def _needs(self, figure: str, **groups: str) -> None:
        for group, call in groups.items():
            if not self._posterior.to_dict().get(group):
                raise InferenceError(f"post.plot.{figure} needs the group {group!r}. Attach it: {call}")

    def trace(self, names: Names = None, **settings: Any) -> Any:
        """The draws of every chain in order, beside their distribution; a row for each number, if they are few."""
        rows = sum(int(np.prod(x.shape[2:])) for n, x in self._posterior.items() if names is None or n in names)
        settings.setdefault("compact", rows > 12)
        return self._draw("plot_trace", "plot_trace_dist", names, **settings)

    def forest(self, names: Names = None, **settings: Any) -> Any:
        """Intervals of every number, one below the other."""
        return self._draw("plot_forest", "plot_forest", names, **{"combined": True, **settings})

    def pair(self, names: Names = None, **settings: Any) -> Any:
        """Draws of every two numbers against each other, with those that diverged marked."""
        arviz = extra("arviz", "plot", "post.plot")
        if "diverging" in self._posterior.stats:
            marked = {"divergences": True} if has_inference_data(arviz) else {"visuals": {"divergence": True}}
            settings = {**marked, **settings}
        return self._draw("plot_pair", "plot_pair", names, **settings)

    def posterior(self, names: Names = None, **settings: Any) -> Any:
        """The distribution of every number, with its mean and an interval."""
        return self._draw("plot_posterior", "plot_dist", names, **settings)

    def energy(self, **settings: Any) -> Any:
        """The energies of draws and their changes: alike if the sampler explores the tails (E-BFMI)."""
        self._needs("energy", sample_stats="it comes with sx.mcmc.")
        return self._draw("plot_energy", "plot_energy", **settings)

    def rank(self, names: Names = None, **settings: Any) -> Any:
        """The ranks of every chain's draws among all: flat if the chains agree."""
        return self._draw("plot_rank", "plot_rank", names, **settings)

    def ppc(self, **settings: Any) -> Any:
        """Replicated data beside those that came.

        Raises:
            InferenceError: the posterior has no "posterior_predictive" or no "observed_data".
        """
        self._needs(
            "ppc",
            observed_data="post = sx.with_data(model, post)(*args).",
            posterior_predictive="draws = sx.predictive(model, post)(key, *args); "
            "post = post.with_groups(posterior_predictive=draws).",
        )
        return self._draw("plot_ppc", "plot_ppc_dist", **settings)

    def loo(self, **settings: Any) -> Any:
        """Pareto k of every entry of the data: those above 0.7 surprise the model.

        Raises:
            InferenceError: the posterior has no "log_likelihood".
        """
        self._needs("loo", log_likelihood="post = sx.with_data(model, post)(*args).")
        extra("matplotlib", "plot", "post.plot")
        arviz = extra("arviz", "plot", "post.plot")
        if not has_inference_data(arviz):
            settings.setdefault("backend", "matplotlib")
        return _figure(arviz.plot_khat(arviz.loo(to_arviz(self._posterior), pointwise=True), **settings))


def _figure(drawn: Any) -> Any:
    """The matplotlib figure of what ArviZ returns: axes before 1.0, a PlotCollection since."""
    if hasattr(drawn, "viz"):
        return drawn.viz["figure"].item()
    return np.ravel(drawn)[0].figure
