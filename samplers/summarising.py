"""The table of a posterior."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from storax.errors import ArgumentTypeError, SettingsError, UnknownNameError, nearest
from storax.samplers.diagnostics import ess_bulk, ess_tail, mcse_mean, rhat


class Summary(Mapping[str, dict[str, float]]):
    """Rows by name ("mu", "theta[2]"), columns "mean", "sd", "5%", ..., "mcse", "ess_bulk", "ess_tail", "rhat"."""

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

    def __repr__(self) -> str:
        head = ["", *self.columns]
        body = [[n, *(_cell(c, x[i]) for c, x in self.columns.items())] for i, n in enumerate(self.names)]
        wide = [max(len(row[i]) for row in (head, *body)) for i in range(len(head))]
        return "\n".join(_line(row, wide) for row in (head, *body))


def _line(row: Sequence[str], wide: Sequence[int]) -> str:
    numbers = (cell.rjust(w) for cell, w in zip(row[1:], wide[1:], strict=True))
    return "  ".join([row[0].ljust(wide[0]), *numbers]).rstrip()


def _cell(column: str, x: float) -> str:
    if not np.isfinite(x):
        return "-" if np.isnan(x) else str(x)
    if column.startswith("ess"):
        return f"{x:.0f}"
    return f"{x:.2f}" if column == "rhat" else f"{x:.3g}" if abs(x) < 1e-2 or abs(x) >= 1e5 else f"{x:.2f}"


def summarise(samples: Mapping[str, np.ndarray], probs: Sequence[float]) -> Summary:
    """One row a number, from `[chain, draw, *shape]` arrays.

    Raises:
        SettingsError: a probability outside of (0, 1).
    """
    if isinstance(probs, (str, bytes)) or not np.iterable(probs):
        raise ArgumentTypeError(f"summary takes the probabilities of quantiles, summary((0.05, 0.95)), got {probs!r}.")
    for p in probs:
        if not isinstance(p, (float, int, np.number)) or not 0 < p < 1:
            raise SettingsError(f"summary: quantiles need probabilities between 0 and 1, got {p!r}.")
    names: list[str] = []
    flat: list[np.ndarray] = []
    for name, draws in samples.items():
        shape = draws.shape[2:]
        parts = {f"{name}.real": draws.real, f"{name}.imag": draws.imag} if np.iscomplexobj(draws) else {name: draws}
        for part, numbers in parts.items():
            names += [part + _index(i) for i in np.ndindex(shape)]
            flat.append(np.asarray(numbers, float).reshape(*draws.shape[:2], math.prod(shape)))
    x = np.concatenate(flat, axis=-1)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # one draw has no sd: nan says so
        columns = {"mean": x.mean((0, 1)), "sd": x.std((0, 1), ddof=1)}
        columns |= {f"{100 * p:g}%": q for p, q in zip(probs, np.quantile(x, probs, axis=(0, 1)), strict=True)}
    columns |= {"mcse": mcse_mean(x), "ess_bulk": ess_bulk(x), "ess_tail": ess_tail(x), "rhat": rhat(x)}
    return Summary(names, columns)


def _index(index: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, index))}]" if index else ""
