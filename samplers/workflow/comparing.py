"""How well do models predict data they have not seen?  Leave-one-out, WAIC, and weights for models."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from storax.errors import (
    ArgumentTypeError,
    InferenceError,
    ModelError,
    SamplingWarning,
    SettingsError,
    UnknownNameError,
    nearest,
)
from storax.samplers.diagnostics import mcse_mean
from storax.samplers.posterior import Posterior
from storax.samplers.summarising import Summary, columns_of
from storax.samplers.workflow.smoothing import good_k, log_sum_exp, smooth
from storax.sources import plain_errors, user_stacklevel


class Elpd:
    """An estimate of the expected log pointwise predictive density of new data.

    Attributes:
        method: "loo" or "waic".
        pointwise: `[entry]`, the estimate of each entry of the data; its sum is `elpd`.
        p: effective number of parameters.
        pareto_k: `[entry]`, the reliability of each ("loo"); or the variance of the log likelihood ("waic").
        limit: values of `pareto_k` above it are not to be trusted.
    """

    def __init__(self, method: str, pointwise: np.ndarray, p: float, pareto_k: np.ndarray, limit: float) -> None:
        self.method, self.pointwise, self.p, self.pareto_k, self.limit = method, pointwise, p, pareto_k, limit

    @property
    def elpd(self) -> float:
        return float(self.pointwise.sum())

    @property
    def se(self) -> float:
        """Standard error of `elpd`, from the spread over the entries."""
        return _error(self.pointwise)

    @property
    def bad(self) -> int:
        """How many entries are not to be trusted."""
        return int((self.pareto_k > self.limit).sum())

    def __repr__(self) -> str:
        return (
            f"Elpd({self.method}: {self.elpd:.2f} +- {self.se:.2f}, {self.p:.2f} effective parameters, "
            f"{self.bad} of {len(self.pointwise)} entries not to be trusted)"
        )


def _error(pointwise: np.ndarray) -> float:
    """Vehtari, Gelman & Gabry 2017, eq. 23; nan of one entry."""
    n = len(pointwise)
    return float(math.sqrt(n) * pointwise.std(ddof=1)) if n > 1 else math.nan


@plain_errors
def loo(posterior: Posterior, names: str | Iterable[str] | None = None) -> Elpd:
    """Leave-one-out cross-validation by Pareto-smoothed importance sampling (Vehtari, Gelman & Gabry 2017).

    Args:
        posterior: with its "log_likelihood", from `sx.with_data(model, posterior)(*args)`.
        names: observed sites that count; default: all.

    Raises:
        InferenceError: the posterior has no log likelihood.
        UnknownNameError: it has none of that name.

    >>> import numpy as np, storax as sx
    >>> def model(y):
    ...     mu = sx.sample("mu", sx.Normal(0.0, 5.0))
    ...     sx.sample("y", sx.Normal(mu, 1.0), obs=y)
    >>> draws = {"mu": np.random.default_rng(0).normal(2.0, 0.6, size=(4, 500))}
    >>> sx.loo(sx.with_data(model, draws)(np.array([1.0, 2.0, 3.0]))).pointwise.shape
    (3,)
    """
    ll = pointwise_likelihood(posterior, names, "sx.loo")
    relative = _relative_ess(posterior)
    found = [smooth(-column, relative) for column in ll.T]
    estimates = np.array([log_sum_exp(w.log_weights + column) for w, column in zip(found, ll.T, strict=True)])
    p = float((_lppd(ll) - estimates).sum())
    return Elpd("loo", estimates, p, np.array([w.pareto_k for w in found]), good_k(len(ll)))


@plain_errors
def waic(posterior: Posterior, names: str | Iterable[str] | None = None) -> Elpd:
    """The widely applicable information criterion (Watanabe 2010), on the scale of log densities.

    `loo` says more of its own reliability: prefer it.  Here an entry is not to be trusted where the variance of its
    log likelihood is above 0.4 (Vehtari, Gelman & Gabry 2017, sec. 2.2).

    Args:
        posterior: with its "log_likelihood", from `sx.with_data(model, posterior)(*args)`.
        names: observed sites that count; default: all.

    Raises:
        InferenceError: the posterior has no log likelihood.
    """
    ll = pointwise_likelihood(posterior, names, "sx.waic")
    variance = ll.var(0, ddof=0)
    return Elpd("waic", _lppd(ll) - variance, float(variance.sum()), variance, 0.4)


def _lppd(ll: np.ndarray) -> np.ndarray:
    """Log pointwise predictive density of the data themselves."""
    return np.asarray(log_sum_exp(ll) - math.log(len(ll)))


def pointwise_likelihood(posterior: Any, names: str | Iterable[str] | None, call: str) -> np.ndarray:
    """`[draw, entry]`, of all observed sites that count one after another.

    Entries that are nan in all draws (in a branch that the data did not take) are left out.
    """
    if not isinstance(posterior, Posterior):
        raise ArgumentTypeError(f"{call} needs an sx.Posterior, and got {type(posterior).__name__}.")
    if not posterior.groups.get("log_likelihood"):
        raise InferenceError(
            f"{call}: the posterior has no log likelihood of its data. Attach it: "
            f"post = sx.with_data(model, post)(*args), with the arguments of the run."
        )
    group = posterior.groups["log_likelihood"]
    wanted = list(group) if names is None else [names] if isinstance(names, str) else list(names)
    _check_names(wanted, group, call)
    parts = [np.asarray(group[n], float).reshape(posterior.num_chains * posterior.num_samples, -1) for n in wanted]
    ll = np.concatenate(parts, axis=1)
    return ll[:, ~np.isnan(ll).all(0)]


def _check_names(names: list[str], group: Mapping[str, Any], call: str) -> None:
    for name in names:
        if name not in group:
            raise UnknownNameError(f"{call}: there is no log likelihood of {name!r}. {nearest(name, group)}")


def _relative_ess(posterior: Posterior) -> float:
    """Mean effective sample size of the means over the number of draws; 1 for one chain, as ArviZ has it."""
    if posterior.num_chains == 1:
        return 1.0
    _, x = columns_of(posterior)
    with np.errstate(all="ignore"):
        ess = x.var((0, 1), ddof=1) / mcse_mean(x) ** 2
    size = x.shape[0] * x.shape[1]
    ess = np.where(x.max((0, 1)) == x.min((0, 1)), size, ess)
    ess = ess[np.isfinite(ess)]
    return float(ess.mean() / size) if len(ess) else 1.0


@plain_errors
def compare(posteriors: Mapping[str, Posterior], ic: str = "loo", names: str | Iterable[str] | None = None) -> Summary:
    """Models of the same data by how well they predict, the best first.

    Args:
        posteriors: name of a model -> its posterior with "log_likelihood", from `sx.with_data(model, post)(*args)`.
        ic: "loo" or "waic".
        names: observed sites that count; default: all.

    Returns:
        A table: "elpd" (larger is better), "p" (effective parameters), "elpd_diff" to the best, "se", "dse" (standard
        error of the difference), "weight" (stacking: Yao, Vehtari, Simpson & Gelman 2018, eq. 4: the mixture of
        predictive distributions that predicts best), and "bad", how many entries are not to be trusted.

    Raises:
        InferenceError: a posterior without log likelihood.
        ModelError: the models have different data.

    Warns:
        SamplingWarning: entries that are not to be trusted.

    >>> import numpy as np, storax as sx
    >>> y = np.random.default_rng(0).normal(3.0, 1.0, size=20)
    >>> def model(y, loc):
    ...     mu = sx.sample("mu", sx.Normal(loc, 0.1))
    ...     sx.sample("y", sx.Normal(mu, 1.0), obs=y)
    >>> near, far = ({"mu": np.random.default_rng(1).normal(m, 0.1, size=(2, 500))} for m in (3.0, 1.0))
    >>> table = sx.compare({
    ...     "near": sx.with_data(model, near)(y, 3.0),
    ...     "far": sx.with_data(model, far)(y, 1.0),
    ... })
    >>> list(table), bool(table["near"]["weight"] > 0.9)
    (['near', 'far'], True)
    """
    if not isinstance(posteriors, Mapping) or not posteriors:
        raise ArgumentTypeError(f"sx.compare needs posteriors by name, {{'a': post}}, and got {posteriors!r}.")
    if ic not in ("loo", "waic"):
        raise SettingsError(f"sx.compare: ic must be 'loo' or 'waic', got {ic!r}.")
    _refuse_other_data(posteriors)
    found = {n: (loo if ic == "loo" else waic)(p, names) for n, p in posteriors.items()}
    sizes = {n: len(e.pointwise) for n, e in found.items()}
    if len(set(sizes.values())) > 1:
        raise ModelError(f"sx.compare: the models have different numbers of data: {sizes}. Compare models of one set.")
    order = sorted(found, key=lambda n: -found[n].elpd)
    best = found[order[0]]
    differences = {n: best.pointwise - found[n].pointwise for n in order}
    weights = dict(zip(order, stacking_weights(np.stack([found[n].pointwise for n in order], axis=1)), strict=True))
    rows = [
        (e.elpd, e.p, differences[n].sum(), e.se, _error(differences[n]), weights[n], e.bad)
        for n, e in ((n, found[n]) for n in order)
    ]
    heads = ("elpd", "p", "elpd_diff", "se", "dse", "weight", "bad")
    bad = {n: e.bad for n, e in found.items() if e.bad}
    if bad:
        reason = "Pareto k above the limit" if ic == "loo" else "variance of the log likelihood above 0.4"
        listing = ", ".join(f"{k} of {sizes[n]} entries in {n!r}" for n, k in bad.items())
        warnings.warn(
            f"sx.compare: the estimates are not to be trusted for {listing} ({reason}): these entries "
            f"are surprising to the model. Look at them, use a model with heavier tails, or cross-validate by "
            f"fitting again without them.",
            SamplingWarning,
            stacklevel=user_stacklevel(),
        )
    return Summary(order, {h: np.array(c, float) for h, c in zip(heads, zip(*rows, strict=True), strict=True)})


def _refuse_other_data(posteriors: Mapping[str, Any]) -> None:
    first_name, first = next(iter(posteriors.items()))
    for name, posterior in posteriors.items():
        a, b = (getattr(p, "groups", {}).get("observed_data", {}) for p in (first, posterior))
        for site in a.keys() & b.keys():
            if not np.array_equal(a[site], b[site], equal_nan=a[site].dtype.kind == "f"):
                raise ModelError(
                    f"sx.compare: {site!r} has other data in {name!r} than in {first_name!r}: densities of different "
                    f"data cannot be compared. (A transformed outcome is other data, too.)"
                )


def stacking_weights(pointwise: np.ndarray, tolerance: float = 1e-10) -> np.ndarray:
    """The mixture of models with the largest log score: max over w of sum_i log sum_k w_k exp(pointwise[i, k]).

    By expectation maximisation, each step of which raises the score: the problem is concave.

    Args:
        pointwise: `[entry, model]`.
        tolerance: stop when the score of an entry rises by less.
    """
    densities = np.exp(pointwise - pointwise.max(1, keepdims=True))
    w = np.full(pointwise.shape[1], 1 / pointwise.shape[1])
    score = -np.inf
    for _ in range(100_000):
        mixture = densities @ w
        new = float(np.log(mixture).mean())
        if new - score < tolerance:
            break
        score, w = new, w * (densities / mixture[:, None]).mean(0)
    return np.asarray(w / w.sum())
