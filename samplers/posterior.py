"""`Posterior`: named draws, and what they say about themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from storax.errors import UnknownNameError, nearest
from storax.samplers.diagnosing import Diagnosis, diagnose
from storax.samplers.labelling import check_coords, check_dims, labels_of
from storax.samplers.moments import Moments
from storax.samplers.storage import exporting, grouping, saving
from storax.samplers.storage.plotting import Plots
from storax.samplers.summarising import Summary, summarise, summarise_moments


def axes_of(info: Any, axes: int) -> tuple[str | None, ...]:
    """Names of a draw's axes: loops and lanes have none, plates have theirs, event axes have none."""
    named = info.site.dims
    front = axes - len(named) - (0 if info.is_derived else info.event_dim)
    return (*(None,) * max(front, 0), *named, *(None,) * (axes - max(front, 0) - len(named)))


class Posterior(Mapping[str, np.ndarray]):
    """The draws of a run.

    Attributes:
        samples: name -> `[chain, draw, *shape]`, in program order.
        stats: `lp`, `energy`, `energy_error` (of the last step of a trajectory), `diverging`, `tree_depth`,
            `reached_max_treedepth`, `n_steps`, `step_size` and `acceptance_rate` (ArviZ's names), and `undefined`
            (diverging, since the density was nan); each `[chain, draw]`.
        warmup_stats: the same for the draws of the warm-up.
        dims: name -> names of the axes of one draw (those of `sx.plate`), None where there is none.
        attrs: how it was made: "driver", the way chains were driven, "kernel", "complete", False after an interrupt.
        divergences: the points that trajectories ran away from, as far as noted: "chain", "draw", names -> `[n, ...]`.
        moments: name -> running `mean`, `variance` and `rhat`, of a run that kept no draws (`reduce=True`).
        coords: name of an axis -> labels along it.
        groups: name of a group -> name -> array: "observed_data" and "constant_data" (as they are), and draws
            `[chain, draw, ...]` in "log_likelihood", "prior", "prior_predictive", "posterior_predictive" and
            "predictions".

    >>> import storax as sx
    >>> post = sx.mcmc(lambda: sx.sample("x", sx.Normal(0.0, 1.0)), num_chains=2, num_samples=500)(0)
    >>> post["x"].shape, list(post)
    ((2, 500), ['x'])
    """

    sample_dims = ("chain", "draw")

    def __init__(
        self,
        samples: Mapping[str, np.ndarray],
        stats: Mapping[str, np.ndarray] | None = None,
        warmup_stats: Mapping[str, np.ndarray] | None = None,
        dims: Mapping[str, tuple[str | None, ...]] | None = None,
        attrs: Mapping[str, Any] | None = None,
        *,
        divergences: Mapping[str, np.ndarray] | None = None,
        moments: Mapping[str, Moments] | None = None,
        coords: Mapping[str, Any] | None = None,
        groups: Mapping[str, Mapping[str, np.ndarray]] | Callable[[], Any] | None = None,
    ) -> None:
        self.samples = dict(samples)
        self.stats = dict(stats or {})
        self.warmup_stats = dict(warmup_stats or {})
        self.dims = dict(dims or {})
        self.attrs = dict(attrs or {})
        self.divergences = dict(divergences or {})
        self.moments = dict(moments or {})
        self.coords = {n: np.asarray(x) for n, x in (coords or {}).items()}
        self._groups = groups or {}

    def __getitem__(self, name: str) -> np.ndarray:
        if name in self.moments and name not in self.samples:
            raise UnknownNameError(
                f"The draws of {name!r} were not kept (reduce=True): their mean, variance and R-hat are "
                f"post.moments[{name!r}]. Run without reduce= for draws."
            )
        if name not in self.samples:
            raise UnknownNameError(f"The posterior has no quantity named {name!r}. {nearest(name, self.samples)}")
        return self.samples[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.samples)

    def __len__(self) -> int:
        return len(self.samples)

    def __contains__(self, name: object) -> bool:
        return name in self.samples

    @cached_property
    def groups(self) -> dict[str, dict[str, np.ndarray]]:
        """Name of a group -> name -> array; what takes time to find is found when it is asked for."""
        found = self._groups() if callable(self._groups) else self._groups
        return {n: dict(g) for n, g in found.items()}

    @property
    def num_chains(self) -> int:
        return int(next(iter((self.samples or self.stats).values())).shape[0])

    @property
    def num_samples(self) -> int:
        return int(next(iter((self.samples or self.stats).values())).shape[1])

    @property
    def observed(self) -> tuple[str, ...] | None:
        """Names of the sites that had data; None if that is not known."""
        return tuple(self.groups["observed_data"]) if "observed_data" in self.groups else None

    def replaced(self, **changes: Any) -> Posterior:
        """The same with other `samples`, `stats`, `dims`, `coords`, `groups`, ..."""
        names = ("samples", "stats", "warmup_stats", "dims", "attrs", "coords", "groups", "divergences", "moments")
        return type(self)(**{n: changes.get(n, getattr(self, n)) for n in names})

    def labelled(
        self, coords: Mapping[str, Any] | None = None, dims: Mapping[str, Sequence[str | None]] | None = None
    ) -> Posterior:
        """The same draws with labels, which summaries, figures and exports show.

        Args:
            coords: name of an axis (a plate's, or one given in `dims`) -> its labels.
            dims: name of a quantity -> names of the axes of one draw, None for an axis without.

        Raises:
            UnknownNameError: a quantity or an axis that there is not.
            ShapeError: not as many names as axes, or as many labels as there are along the axis.

        >>> import numpy as np, storax as sx
        >>> post = sx.Posterior({"theta": np.random.default_rng(0).normal(size=(2, 200, 2))})
        >>> list(post.labelled({"school": ["Choate", "Deerfield"]}, {"theta": ("school",)}).summary())
        ['theta[Choate]', 'theta[Deerfield]']
        """
        shapes = {n: x.shape[2:] for n, x in self.samples.items()}
        observed = {n: np.shape(x) for n, x in self.groups.get("observed_data", {}).items()}
        known = {**self.dims, **check_dims(dims or {}, {**observed, **shapes})}
        checked = check_coords(coords or {}, known, {**observed, **shapes})
        return self.replaced(dims=known, coords={**self.coords, **checked})

    def with_groups(self, **groups: Mapping[str, Any]) -> Posterior:
        """The same draws with more beside them, for exports and figures.

        Args:
            **groups: see `groups`; `prior=sx.prior(...)(...)` and `posterior_predictive=sx.predictive(...)(...)` are
                taken as they come.

        Raises:
            UnknownNameError, ShapeError: a group that there is not; draws without axes for chains and draws.
        """
        new = grouping.as_groups(groups, self.observed)
        return self.replaced(dims={**grouping.dims_in(groups), **self.dims}, groups={**self.groups, **new})

    def labels(self, name: str, index: Sequence[int]) -> tuple[Any, ...]:
        """The labels of one number of a quantity: coordinates where there are some, else positions."""
        return labels_of(self.dims.get(name, ()), self.coords, index)

    def summary(
        self, probs: tuple[float, ...] = (0.05, 0.5, 0.95), names: str | Iterable[str] | None = None
    ) -> Summary:
        """Mean, sd, quantiles, Monte Carlo error, bulk and tail ESS, and R-hat (Vehtari et al. 2021).

        Args:
            probs: of the quantiles, each in (0, 1); the outer ones of the default are a 90 % credible interval.
            names: quantities to show; default: all.

        Returns:
            A table that prints, and that maps a row's name ("theta[2]", or "theta[Deerfield]" where the axis has
            labels) to its numbers by column.  Of a run that kept no draws: mean, sd and R-hat.

        Raises:
            SettingsError: a probability outside of (0, 1).
            UnknownNameError: a name there is not.
        """
        wanted = (names,) if isinstance(names, str) else names
        if self.moments and not self.samples:
            return summarise_moments(self, wanted)
        if wanted is None:
            return summarise(self, probs)
        return summarise(self.replaced(samples={n: self[n] for n in wanted}), probs)

    def diagnose(self) -> Diagnosis:
        """What went wrong, as a table: one row a check, and what to do about those that found something.

        The checks: chains that move, densities of nan, divergences (with the parameters they concentrate in),
        saturated trees, E-BFMI, R-hat, bulk and tail ESS, chains that agree.

        >>> import numpy as np, storax as sx
        >>> rng = np.random.default_rng(0)
        >>> post = sx.Posterior({"x": rng.normal(size=(2, 500)) + [[0.0], [9.0]]})
        >>> post.diagnose().ok, post.diagnose()["chains that agree"].ok
        (False, False)
        """
        return diagnose(self)

    def to_dict(self) -> dict[str, dict[str, np.ndarray]]:
        """Group ("posterior", "sample_stats", ...) -> name -> array, in ArviZ's names."""
        return exporting.to_dict(self)

    def to_pandas(self) -> Any:
        """A DataFrame with one row a draw, indexed by chain and draw, and one column a number ("theta[2]").

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return exporting.to_pandas(self)

    def to_datatree(self) -> Any:
        """An `xarray.DataTree` with all groups, as ArviZ 1.x takes it; "/" in names becomes ".".

        Raises:
            MissingExtraError: xarray is not installed.
            InvalidNameError: names that xarray cannot tell apart.
        """
        return exporting.to_datatree(self)

    def to_inference_data(self) -> Any:
        """An `arviz.InferenceData` with all groups, of ArviZ before 1.0.

        Raises:
            MissingExtraError: it is not installed, or is one without InferenceData.
        """
        return exporting.to_inference_data(self)

    def to_arviz(self) -> Any:
        """What the installed ArviZ works with: an `InferenceData` before 1.0, a `DataTree` since.

        Raises:
            MissingExtraError: ArviZ is not installed.
        """
        return exporting.to_arviz(self)

    def save(self, path: Any) -> None:
        """Write everything to one file, which NumPy alone can read (`numpy.load(path)["posterior/mu"]`), no pickle.

        Raises:
            StorageError: it cannot be written; an older file of that name is left as it was.
        """
        saving.save(self, path)

    @classmethod
    def load(cls, path: Any) -> Posterior:
        """What `save` wrote.

        Raises:
            StorageError: there is no whole posterior in the file.
        """
        return cls(**saving.load(path))

    @property
    def plot(self) -> Plots:
        """Figures by ArviZ, behind the extra `plot`: `post.plot.trace()`, `.forest`, `.pair`, `.posterior`, `.energy`,
        `.rank`, `.ppc`, `.loo`."""
        return Plots(self)

    def __repr__(self) -> str:
        listing = ", ".join(f"{n}{list(x.shape[2:])}" if x.ndim > 2 else n for n, x in self.samples.items())
        diverging: Any = np.sum(self.stats.get("diverging", 0))
        return (
            f"Posterior({self.num_chains} chains of {self.num_samples} draws: {listing}; {int(diverging)} divergences)"
        )
