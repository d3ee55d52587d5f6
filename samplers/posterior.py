"""`Posterior`: named draws, and what they say about themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from storax.errors import UnknownNameError, nearest
from storax.samplers.moments import Moments
from storax.samplers.summarising import Summary, summarise


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

    >>> import storax as sx
    >>> post = sx.mcmc(lambda: sx.sample("x", sx.Normal(0.0, 1.0)), num_chains=2, num_samples=500)(0)
    >>> post["x"].shape, list(post)
    ((2, 500), ['x'])
    """

    def __init__(
        self,
        samples: Mapping[str, np.ndarray],
        stats: Mapping[str, np.ndarray] | None = None,
        warmup_stats: Mapping[str, np.ndarray] | None = None,
        dims: Mapping[str, tuple[str | None, ...]] | None = None,
        attrs: Mapping[str, Any] | None = None,
        divergences: Mapping[str, np.ndarray] | None = None,
        moments: Mapping[str, Moments] | None = None,
    ) -> None:
        self.samples = dict(samples)
        self.stats = dict(stats or {})
        self.warmup_stats = dict(warmup_stats or {})
        self.dims = dict(dims or {})
        self.attrs = dict(attrs or {})
        self.divergences = dict(divergences or {})
        self.moments = dict(moments or {})

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.samples:
            raise UnknownNameError(f"The posterior has no quantity named {name!r}. {nearest(name, self.samples)}")
        return self.samples[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.samples)

    def __len__(self) -> int:
        return len(self.samples)

    def __contains__(self, name: object) -> bool:
        return name in self.samples

    @property
    def num_chains(self) -> int:
        return int(next(iter((self.samples or self.stats).values())).shape[0])

    @property
    def num_samples(self) -> int:
        return int(next(iter((self.samples or self.stats).values())).shape[1])

    def summary(self, probs: tuple[float, ...] = (0.05, 0.5, 0.95)) -> Summary:
        """Mean, sd, quantiles, Monte Carlo error, bulk and tail ESS, and R-hat (Vehtari et al. 2021).

        Args:
            probs: of the quantiles, each in (0, 1).

        Returns:
            A table that prints, and that maps a row's name ("theta[2]") to its numbers by column.
        """
        return summarise(self.samples, probs)

    def __repr__(self) -> str:
        listing = ", ".join(f"{n}{list(x.shape[2:])}" if x.ndim > 2 else n for n, x in self.samples.items())
        diverging: Any = np.sum(self.stats.get("diverging", 0))
        return (
            f"Posterior({self.num_chains} chains of {self.num_samples} draws: {listing}; {int(diverging)} divergences)"
        )
