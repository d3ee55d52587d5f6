"""`sbc`: does an inference recover what it was given?  Simulation-based calibration (Talts et al. 2018)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import numpy as np
from jax.scipy.special import gammaincc

from storax.errors import InferenceError, SamplingWarning, SettingsError, UnknownNameError, nearest
from storax.handlers.conditioning import Condition
from storax.handlers.unconditioning import Uncondition
from storax.keys import as_key
from storax.models import Model, transformation
from storax.optional import extra
from storax.samplers.mcmc import mcmc
from storax.samplers.posterior import Posterior
from storax.samplers.summarising import Summary
from storax.samplers.workflow.draws import check_number
from storax.samplers.workflow.priors import prior
from storax.sources import plain_errors

BLOCKS = " ▁▂▃▄▅▆▇█"


class Calibration:
    """Ranks of the true values among posterior draws: uniform on 0..`num_draws` if the inference is right.

    Attributes:
        ranks: name -> `[simulation, *shape]`.
        num_draws: draws that a value is ranked among.
        troubled: simulations whose run had something to say (`post.diagnose()`).
    """

    def __init__(self, ranks: Mapping[str, np.ndarray], num_draws: int, troubled: int) -> None:
        self.ranks, self.num_draws, self.troubled = dict(ranks), num_draws, troubled

    def _columns(self) -> tuple[list[str], np.ndarray]:
        """Every number by its label, and its ranks `[simulation, number]`."""
        names, parts = [], []
        for name, ranks in self.ranks.items():
            names += [f"{name}[{', '.join(map(str, i))}]" if i else name for i in np.ndindex(ranks.shape[1:])]
            parts.append(ranks.reshape(len(ranks), -1))
        return names, np.concatenate(parts, axis=1)

    def histogram(self, name: str, bins: int | None = None) -> np.ndarray:
        """How many ranks are in each of equally wide bins; all numbers of a quantity together.

        Raises:
            UnknownNameError: no such quantity.
            SettingsError: so many bins do not divide the number of ranks, and would not be equally likely.
        """
        if name not in self.ranks:
            raise UnknownNameError(f"There are no ranks of {name!r}. {nearest(name, self.ranks)}")
        return self._counts(self.ranks[name].ravel(), self._bins() if bins is None else bins)

    def _bins(self) -> int:
        """The most equally wide bins with five ranks in each to be expected, at most 20."""
        simulations = len(next(iter(self.ranks.values())))
        most = max(2, min(20, simulations // 5))
        return max((b for b in range(2, most + 1) if (self.num_draws + 1) % b == 0), default=1)

    def _counts(self, ranks: np.ndarray, bins: int) -> np.ndarray:
        if (self.num_draws + 1) % bins:
            raise SettingsError(f"{bins} bins do not divide the {self.num_draws + 1} possible ranks.")
        return np.bincount(ranks * bins // (self.num_draws + 1), minlength=bins)

    def summary(self) -> Summary:
        """One row a number: "mean" and "sd" of ranks scaled to (0, 1), 1/2 and 0.289 if all is right, and "p", of a
        chi-square test that they are uniform.  Low p of few rows among many are chance: with m rows, look at those
        below 0.01 / m."""
        names, ranks = self._columns()
        u = (ranks + 0.5) / (self.num_draws + 1)
        bins = self._bins()
        p = []
        for column in ranks.T:
            counts, expected = self._counts(column, bins), len(column) / bins
            statistic = float(((counts - expected) ** 2 / expected).sum())
            p.append(float(gammaincc((bins - 1) / 2, statistic / 2)) if bins > 1 else math.nan)
        return Summary(names, {"mean": u.mean(0), "sd": u.std(0), "p": np.array(p)})

    def __repr__(self) -> str:
        lines = [repr(self.summary()), "", f"ranks, 0 to {self.num_draws}:"]
        wide = max(len(n) for n in self.ranks)
        for name in self.ranks:
            counts = self.histogram(name)
            bars = "".join(BLOCKS[round(8 * c / max(counts.max(), 1))] for c in counts)
            lines.append(f"{name:{wide}}  |{bars}|")
        if self.troubled:
            lines.append(f"{self.troubled} runs had something to say: see their diagnose().")
        return "\n".join(lines)

    def plot(self) -> Any:
        """A histogram of the ranks of each quantity with the band that 99 % of uniform counts are in.

        Returns:
            A matplotlib figure.

        Raises:
            MissingExtraError: matplotlib is not installed.
        """
        plt = extra("matplotlib.pyplot", "plot", "Calibration.plot")
        figure, axes = plt.subplots(1, len(self.ranks), figsize=(3.2 * len(self.ranks), 2.6), squeeze=False)
        for ax, (name, ranks) in zip(axes[0], self.ranks.items(), strict=True):
            counts = self.histogram(name)
            expected = ranks.size / len(counts)
            width = 2.58 * math.sqrt(expected * (1 - 1 / len(counts)))
            ax.axhspan(expected - width, expected + width, color="0.9")
            ax.bar(np.arange(len(counts)), counts, width=0.95)
            ax.set(title=name.replace("$", r"\$"), xticks=[], xlabel=f"rank, 0 to {self.num_draws}")
        figure.tight_layout()
        return figure


@transformation
def sbc(
    model: Callable[..., Any],
    num_simulations: int = 100,
    *,
    num_draws: int = 99,
    data: str | Iterable[str] | None = None,
    inference: Callable[[Model], Callable[..., Mapping[str, Any]]] | None = None,
) -> Callable[..., Calibration]:
    """Simulation-based calibration (Talts, Betancourt, Simpson, Vehtari & Gelman 2018, algorithm 2).

    Draw parameters from the prior and data from the model, infer the parameters from those data, and see where the
    true ones rank among the draws: in a right inference every rank is as likely as any other.

    Args:
        model: a model with proper priors and no `sx.factor`.
        num_simulations: how many times.
        num_draws: posterior draws that a true value is ranked among, evenly thinned out of those that there are.
            One more than it should have divisors: 99, 63.
        data: names of the sites that are data; beside those that are observed with these
            arguments.
        inference: `inference(model_with_data)(key, *args) -> draws`, `[chain, draw, ...]` by name; default: `sx.mcmc`
            with one chain of 500 + 1000 draws.

    Returns:
        `f(key, *args, **kwargs) -> Calibration`; values of data among the arguments are not looked at, their shapes
        are.

    Raises:
        InferenceError: no site is data, or the inference gives fewer draws than asked for.
        UnknownNameError: a name that the model does not have.

    >>> import jax, numpy as np, storax as sx
    >>> def model(y=None):
    ...     mu = sx.sample("mu", sx.Normal(0.0, 1.0))
    ...     sx.sample("y", sx.Normal(mu, 1.0), obs=y)
    >>> def exact(given):  # mu | y ~ Normal(y / 2, 1 / sqrt 2)
    ...     def f(key):
    ...         y = sx.trace(sx.seed(given, 0))()[1]["y"].value
    ...         return {"mu": y / 2 + 0.5**0.5 * jax.random.normal(key, (1, 99))}
    ...     return f
    >>> found = sx.sbc(model, 200, data="y", inference=exact)(0)
    >>> bool(found.summary()["mu"]["p"] > 0.01)
    True
    """
    model = Model.of(model, "sx.sbc")
    simulations = check_number("num_simulations", num_simulations, "sx.sbc")
    count = check_number("num_draws", num_draws, "sx.sbc")
    names = None if data is None else (data,) if isinstance(data, str) else tuple(data)
    infer = _one_chain if inference is None else inference

    @plain_errors
    def f(key: Any = None, /, *args: Any, **kwargs: Any) -> Calibration:
        key = as_key(key, "sx.sbc(...)")
        sites = model.sites(model.stage(*args, **kwargs))
        wanted = _data_sites(sites, names)
        of_prior, of_runs = jax.random.split(key)
        truth = prior(model, simulations)(of_prior, *args, **kwargs)
        opened = model.handled_by(Uncondition())
        ranks: dict[str, list[np.ndarray]] = {}
        troubled = 0
        for i in range(simulations):
            given = opened.handled_by(Condition({n: truth[n][i] for n in wanted}))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SamplingWarning)
                draws = infer(given)(jax.random.fold_in(of_runs, i), *args, **kwargs)
            troubled += isinstance(draws, Posterior) and not draws.diagnose().ok
            for name in (n for n in draws if n in truth and n not in wanted):
                ranks.setdefault(name, []).append(_rank(truth[name][i], np.asarray(draws[name]), count, i))
        return Calibration({n: np.stack(r) for n, r in ranks.items()}, count, troubled)

    return f


def _one_chain(model: Model) -> Callable[..., Posterior]:
    return mcmc(model, num_chains=1, num_warmup=500, num_samples=1000)


def _data_sites(sites: Any, names: tuple[str, ...] | None) -> tuple[str, ...]:
    if any(i.site.is_factor for i in sites.values()):
        raise InferenceError("sx.sbc draws parameters from the prior, and a model with sx.factor has no way to.")
    known = [n for n, i in sites.items() if i.visible]
    for name in names or ():
        if name not in known:
            raise UnknownNameError(f"sx.sbc: the model has no site named {name!r}. {nearest(name, known)}")
    wanted = tuple(n for n in known if sites[n].site.observed or n in (names or ()))
    if not wanted:
        raise InferenceError("sx.sbc: no site is data with these arguments. Name them: sx.sbc(model, data=['y']).")
    return wanted


def _rank(true: np.ndarray, draws: np.ndarray, count: int, seed: int) -> np.ndarray:
    """How many of `count` evenly spaced draws are below the true value; among draws that are equal to it, its place is
    drawn, so that quantities of few values have uniform ranks too."""
    flat = draws.reshape(-1, *true.shape)
    if len(flat) < count:
        raise InferenceError(f"sx.sbc: the inference gave {len(flat)} draws, and num_draws={count} were asked for.")
    chosen = flat[np.linspace(0, len(flat) - 1, count).round().astype(int)]
    ties = (chosen == true).sum(0)
    return np.asarray((chosen < true).sum(0) + np.random.default_rng(seed).integers(0, ties + 1))
