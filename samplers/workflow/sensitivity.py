"""`prior_sensitivity`: what would change if the prior, or the data, counted a little more or less?"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax import tables
from storax.errors import InferenceError
from storax.handlers.intervening import Do
from storax.logprob.densities import total
from storax.models import Model, transformation
from storax.samplers.posterior import Posterior
from storax.samplers.summarising import Summary, columns_of
from storax.samplers.workflow.compiling import compiled
from storax.samplers.workflow.draws import check_batch_size, in_batches, in_rows
from storax.samplers.workflow.matching import check_draws, match
from storax.samplers.workflow.smoothing import smooth
from storax.sources import plain_errors
from storax.staging import Staged

CALL, STEP, LIMIT = "sx.prior_sensitivity", 0.01, 0.05


class Sensitivity(Summary):
    """Columns "prior" and "likelihood"; prints with what they mean together."""

    def verdict(self, name: str) -> str:
        row = self[name]
        if row["prior"] < LIMIT:
            return "-"
        return "prior and data disagree" if row["likelihood"] >= LIMIT else "the prior is strong, or the data are weak"

    def _rows(self) -> list[list[str]]:
        head, *body = super()._rows()
        return [[*head, ""], *([*row, self.verdict(row[0]) if row[0] in self else ""] for row in body)]

    def __repr__(self) -> str:
        return tables.aligned(self._rows(), left=1)


@transformation
def prior_sensitivity(
    model: Callable[..., Any], posterior: Mapping[str, Any], *, batch_size: int | None = None
) -> Callable[..., Sensitivity]:
    """Power-scaling sensitivity (Kallioinen, Paananen, Buerkner & Vehtari 2024, Statistics and Computing 34).

    The draws are reweighted to what they would be if the prior, or the likelihood, were raised to a power near one;
    the distance that moves each quantity, for one doubling of the power, is its sensitivity.

    Args:
        model: the model.
        posterior: its draws.
        batch_size: draws looked at at a time.

    Returns:
        `f(*args, **kwargs) -> Sensitivity`, with the arguments of the run: a table with the sensitivity of each number
        to the prior and to the likelihood (data and `sx.factor`), 0 for none.  From 0.05 on the paper calls it one:
        to both, prior and data may disagree; to the prior alone, it is strong, or the data say little.

    Raises:
        InferenceError: no data among these arguments.
        UnknownNameError, ShapeError: it is not the posterior of this model with these arguments.

    >>> import numpy as np, storax as sx
    >>> def model(y):
    ...     mu = sx.sample("mu", sx.Normal(0.0, 1.0))
    ...     sx.sample("y", sx.Normal(mu, 1.0), obs=y)
    >>> draws = {"mu": np.random.default_rng(0).normal(5.0, 0.5**0.5, size=(4, 1000))}   # given one datum at 10
    >>> sx.prior_sensitivity(model, draws)([10.0]).verdict("mu")
    'prior and data disagree'
    """
    model = Model.of(model, CALL)
    values, _ = check_draws(posterior, CALL)
    batch = check_batch_size(batch_size, CALL)

    @plain_errors
    def f(*args: Any, **kwargs: Any) -> Sensitivity:
        staged = model.stage(*args, **kwargs)
        sites = model.sites(staged)
        if not any(i.site.observed and i.visible for i in sites.values()):
            raise InferenceError(f"{CALL}: no site is observed with these arguments: pass those of the run.")
        given = match(sites, sites, values, (), 2, CALL)
        flat, shape = in_rows(values, given, 2)
        program = compiled(model, staged, args, kwargs, "sensitivity", _log_densities)
        found = in_batches(program, flat, int(np.prod(shape)), batch)
        known = posterior if isinstance(posterior, Posterior) else Posterior(values)
        names, x = columns_of(known)
        x = x.reshape(-1, x.shape[-1])
        columns = {
            "prior": _sensitivities(x, found["prior"].astype(float)),
            "likelihood": _sensitivities(x, found["joint"].astype(float) - found["prior"].astype(float)),
        }
        return Sensitivity(names, columns)

    return f


def _log_densities(model: Model, staged: Staged, indices: jax.Array, values: Mapping[str, Any]) -> dict[str, jax.Array]:
    sites = model.sites(staged)
    data = {n: jnp.zeros(i.shape, i.dtype) for n, i in sites.items() if i.visible and i.site.observed}
    cut = model.handled_by(Do(data))  # without its data: what is left is the prior

    def one(values: Any) -> dict[str, jax.Array]:
        return {"joint": total(model, staged, values, CALL), "prior": total(cut, staged, values, CALL)}

    return jax.vmap(one)(values)


def _sensitivities(x: np.ndarray, log_component: np.ndarray) -> np.ndarray:
    """Of each column, the mean over raising and lowering the power of distance / log2(power)."""
    if not np.isfinite(log_component).all():
        return np.full(x.shape[1], np.nan)
    out = np.zeros(x.shape[1])
    for power in (1 / (1 + STEP), 1 + STEP):
        weights = np.exp(smooth((power - 1) * log_component).log_weights)
        distance = np.array([distance_to_weighted(column, weights) for column in x.T])
        out += distance / abs(math.log2(power)) / 2
    return out


def distance_to_weighted(x: np.ndarray, weights: np.ndarray) -> float:
    """How far reweighting moves draws: the cumulative Jensen-Shannon distance (Nguyen & Vreeken 2015), between 0 and 1.

    That of the draws or of their negatives, whichever is larger; nan draws give nan.
    """
    return max(_one_sided(x, weights), _one_sided(-x, weights))


def _one_sided(x: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(x, kind="stable")
    gaps = np.diff(x[order])
    p = np.arange(1, len(x)) / len(x)
    q = np.cumsum(weights[order] / weights.sum())[:-1]
    bound = float(((p + q) * gaps).sum())
    if not bound > 0:
        return 0.0 if bound == 0 else math.nan
    with np.errstate(all="ignore"):
        middle = (p + q) / 2
        left = np.where(p > 0, p * np.log2(p / middle), 0.0) + (q - p) / (2 * math.log(2))
        right = np.where(q > 0, q * np.log2(q / middle), 0.0) + (p - q) / (2 * math.log(2))
    return math.sqrt(max(0.0, float(((left + right) * gaps).sum())) / bound)
