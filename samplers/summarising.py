"""The table of a posterior."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from storax import tables
from storax.errors import ArgumentTypeError, SettingsError, UnknownNameError, nearest
from storax.optional import extra
from storax.samplers.diagnostics import ess_bulk, ess_tail, mcse_mean, rhat

if TYPE_CHECKING:
    from storax.samplers.posterior import Posterior

SHOWN = 200  # rows that are printed


class Summary(Mapping[str, dict[str, float]]):
    """Rows by name ("mu", "theta[2]", "theta[Deerfield]"), columns "mean", "sd", "5%", ..., "mcse", "ess_bulk",
    "ess_tail", "rhat"; prints as a table."""

    def __init__(self, names: Sequence[str], columns: Mapping[str, np.ndarray]) -> None:
        self.names, self.columns = list(names), dict(columns)
        self._position = {n: i for i, n in enumerate(self.names)}

    def __getitem__(self, name: str) -> dict[str, float]:
        if name not in self._position:
            raise UnknownNameError(f"The summary has no row {name!r}. {nearest(name, self.names)}")
        return {c: float(x[self._position[name]]) for c, x in self.columns.items()}

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def _rows(self) -> list[list[str]]:
        body = [[n, *(_cell(c, x[i]) for c, x in self.columns.items())] for i, n in enumerate(self.names)]
        if len(body) > SHOWN:
            gap = [f"... {len(body) - SHOWN} rows more", *[""] * len(self.columns)]
            body = [*body[: SHOWN // 2], gap, *body[-SHOWN // 2 :]]
        return [["", *self.columns], *body]

    def __repr__(self) -> str:
        return tables.aligned(self._rows(), left=1)

    def _repr_html_(self) -> str:
        return tables.to_html(self._rows())

    def to_pandas(self) -> Any:
        """A DataFrame with the rows' names as its index.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return extra("pandas", "pandas", "to_pandas").DataFrame(self.columns, index=self.names)


def _cell(column: str, x: float) -> str:
    if not np.isfinite(x):
        return "-" if np.isnan(x) else str(x)
    if column.startswith("ess"):
        return f"{x:.0f}"
    if column == "rhat" or x == 0:
        return f"{x:.2f}"
    return f"{x:.3g}" if abs(x) < 1e-2 or abs(x) >= 1e5 else f"{x:.2f}"


def columns_of(posterior: Posterior) -> tuple[list[str], np.ndarray]:
    """Every number of a draw by its label, and the draws `[chain, draw, number]` in 64 bits."""
    names: list[str] = []
    flat: list[np.ndarray] = []
    for name, draws in posterior.samples.items():
        shape = draws.shape[2:]
        labels = [_index(posterior.labels(name, i)) for i in np.ndindex(shape)]
        parts = {f"{name}.real": draws.real, f"{name}.imag": draws.imag} if np.iscomplexobj(draws) else {name: draws}
        for part, numbers in parts.items():
            names += [part + label for label in labels]
            flat.append(np.asarray(numbers, float).reshape(*draws.shape[:2], math.prod(shape)))
    return names, np.concatenate(flat, axis=-1)


def _index(labels: Sequence[Any]) -> str:
    return f"[{', '.join(map(str, labels))}]" if labels else ""


def check_probs(probs: Any) -> tuple[float, ...]:
    """
    Raises:
        ArgumentTypeError: no sequence of numbers.
        SettingsError: a probability outside of (0, 1).
    """
    if isinstance(probs, (str, bytes)) or not np.iterable(probs):
        raise ArgumentTypeError(f"summary takes the probabilities of quantiles, summary((0.05, 0.95)), got {probs!r}.")
    for p in probs:
        if not isinstance(p, (float, int, np.number)) or not 0 < p < 1:
            raise SettingsError(f"summary: quantiles need probabilities between 0 and 1, got {p!r}.")
    return tuple(probs)


def summarise(posterior: Posterior, probs: Sequence[float]) -> Summary:
    """One row a number.

    A constant, up to the rounding of its type, is known exactly: its Monte Carlo error is 0, every draw is worth one,
    and the chains agree.
    """
    probs = check_probs(probs)
    names, x = columns_of(posterior)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # one draw has no sd: nan says so
        columns = {"mean": x.mean((0, 1)), "sd": x.std((0, 1), ddof=1)}
        columns |= {f"{100 * p:g}%": q for p, q in zip(probs, np.quantile(x, probs, axis=(0, 1)), strict=True)}
        low, high = x.min((0, 1)), x.max((0, 1))
        size = np.maximum(np.abs(low), np.abs(high))
        constant = (high - low <= 4 * _rounding(posterior) * size) & (x.shape[1] > 1)  # not where there are inf or nan
    columns |= {"mcse": mcse_mean(x), "ess_bulk": ess_bulk(x), "ess_tail": ess_tail(x), "rhat": rhat(x)}
    count = float(x.shape[0] * x.shape[1])
    for name, value in (("sd", 0.0), ("mcse", 0.0), ("ess_bulk", count), ("ess_tail", count), ("rhat", 1.0)):
        columns[name] = np.where(constant, value, columns[name])
    return Summary(names, columns)


def summarise_moments(posterior: Posterior, wanted: Iterable[str] | None = None) -> Summary:
    """The same of a run that kept no draws: means, standard deviations and R-hat.

    Raises:
        UnknownNameError: a name there is not.
    """
    for name in wanted or ():
        if name not in posterior.moments:
            raise UnknownNameError(f"The run kept nothing of {name!r}. {nearest(name, posterior.moments)}")
    names: list[str] = []
    columns: dict[str, list[np.ndarray]] = {"mean": [], "sd": [], "rhat": []}
    for name in posterior.moments if wanted is None else wanted:
        m = posterior.moments[name]
        names += [name + _index(posterior.labels(name, i)) for i in np.ndindex(m.mean.shape)]
        for column, x in (("mean", m.mean), ("sd", np.sqrt(m.variance)), ("rhat", m.rhat)):
            columns[column].append(x.ravel())
    return Summary(names, {n: np.concatenate(x) for n, x in columns.items()})


def _rounding(posterior: Posterior) -> np.ndarray:
    """The relative rounding error of each number's type."""
    parts = []
    for draws in posterior.samples.values():
        eps = np.finfo(draws.real.dtype).eps if draws.dtype.kind in "fc" else 0.0 if draws.dtype.kind in "biu" else 1e-2
        parts.append(np.full(math.prod(draws.shape[2:]) * (2 if np.iscomplexobj(draws) else 1), eps))
    return np.concatenate(parts)
