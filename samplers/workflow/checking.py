"""`predictive_check`: do the data look like what the fitted model says data look like?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from storax.errors import ArgumentTypeError, InferenceError, ShapeError
from storax.models import Model, transformation
from storax.samplers.observing import observed_data
from storax.samplers.summarising import Summary
from storax.samplers.workflow.predicting import predictive
from storax.sources import plain_errors

STATISTICS: dict[str, Callable[[Any], Any]] = {
    "mean": np.mean,
    "sd": np.std,
    "min": np.min,
    "median": np.median,
    "max": np.max,
}


@transformation
def predictive_check(
    model: Callable[..., Any],
    posterior: Mapping[str, Any],
    statistics: Mapping[str, Callable[[Any], Any]] | None = None,
    *,
    batch_size: int | None = None,
) -> Callable[..., Summary]:
    """Posterior predictive checks (Rubin 1984; Gelman, Meng & Stern 1996): replicated data beside those that came.

    Args:
        model: a model.
        posterior: draws, as `sx.predictive` takes them.
        statistics: name -> function of one data set, a NumPy array of the observed site's shape, to a number; default:
            mean, sd, min, median and max.
        batch_size: as for `sx.predictive`.

    Returns:
        `f(key, *args, **kwargs) -> Summary`, with the data among the arguments: a table with one row for each observed
        site and statistic, and columns "observed", "replicated" (mean), "5%", "95%" (of replications) and "p", the
        posterior predictive p-value P(T(y_rep) > T(y)) + P(T(y_rep) = T(y)) / 2.  A p near 0 or 1 says that the model
        does not make data like these.  It is conservative: it is not uniform under the model, but near 1/2 too often.

    Raises:
        InferenceError: no observed site among these arguments.
        ShapeError: a statistic that is not one number.
        The errors of `sx.predictive`.

    >>> import numpy as np, storax as sx
    >>> def model(y):
    ...     mu = sx.sample("mu", sx.Normal(0.0, 5.0))
    ...     sx.sample("y", sx.Normal(mu, 1.0), obs=y)
    >>> post = {"mu": np.full((1, 500), 2.0)}
    >>> check = sx.predictive_check(model, post, {"largest": np.max})(0, np.array([1.0, 2.0, 9.0]))
    >>> check["y: largest"]["p"]
    0.0
    """
    model = Model.of(model, "sx.predictive_check")
    wanted = STATISTICS if statistics is None else statistics
    if not isinstance(wanted, Mapping) or not all(callable(t) for t in wanted.values()):
        raise ArgumentTypeError(
            f"sx.predictive_check needs statistics by name, {{'largest': np.max}}, and got {wanted!r}."
        )
    predict = predictive(model, posterior, batch_size=batch_size)

    @plain_errors
    def f(key: Any = None, /, *args: Any, **kwargs: Any) -> Summary:
        staged = model.stage(*args, **kwargs)
        data = observed_data(model, staged)
        if not data:
            raise InferenceError("sx.predictive_check: no site is observed with these arguments: pass the data, too.")
        draws = predict(key, *args, **kwargs)
        rows: dict[str, list[float]] = {}
        for name, y in data.items():
            replicated = draws[name].reshape(-1, *y.shape)
            for label, statistic in wanted.items():
                rows[f"{name}: {label}"] = _compare(label, statistic, y, replicated)
        columns = zip(*rows.values(), strict=True)
        heads = ("observed", "replicated", "5%", "95%", "p")
        return Summary(list(rows), {h: np.array(c) for h, c in zip(heads, columns, strict=True)})

    return f


def _compare(label: str, statistic: Callable[[Any], Any], y: np.ndarray, replicated: np.ndarray) -> list[float]:
    seen = np.asarray(statistic(y))
    if seen.shape != ():
        raise ShapeError(
            f"sx.predictive_check: the statistic {label!r} of data of shape {y.shape} must be one number, and has "
            f"shape {seen.shape}."
        )
    values = np.array([float(statistic(r)) for r in replicated])
    low, high = np.quantile(values, (0.05, 0.95))
    p = float(np.mean(values > seen) + np.mean(values == seen) / 2)
    return [float(seen), float(values.mean()), float(low), float(high), p]
