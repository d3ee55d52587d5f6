"""`with_data`: a posterior together with the data it came from, and how likely each of them is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from storax.logprob.densities import pointwise
from storax.models import Model, transformation
from storax.samplers.observing import constant_data, observed_data
from storax.samplers.posterior import Posterior
from storax.samplers.workflow.compiling import compiled
from storax.samplers.workflow.draws import axis_names, check_batch_size, in_batches, in_rows
from storax.samplers.workflow.matching import check_draws, match
from storax.sources import plain_errors
from storax.staging import Staged

CALL = "sx.with_data"


@transformation
def with_data(
    model: Callable[..., Any],
    posterior: Mapping[str, Any],
    *,
    log_likelihood: bool = True,
    batch_size: int | None = None,
) -> Callable[..., Posterior]:
    """A posterior with the data it came from: what `sx.compare`, exports and figures need beside draws.

    Args:
        model: the model.
        posterior: its draws.
        log_likelihood: also the log density of each entry of the data under each draw, `[chain, draw, *entries]`?
        batch_size: draws looked at at a time; default: as many as make some 30 MB.

    Returns:
        `f(*args, **kwargs) -> Posterior`, with the arguments of the run: the groups "observed_data", "constant_data"
        (the other arrays among the arguments, by name) and "log_likelihood" are set.

    Raises:
        UnknownNameError, ShapeError: it is not the posterior of this model with these arguments.
        NotMeasurable: the data are not a product of entries, see `sx.log_likelihood`.

    >>> import numpy as np, storax as sx
    >>> def model(y):
    ...     mu = sx.sample("mu", sx.Normal(0.0, 5.0))
    ...     sx.sample("y", sx.Normal(mu, 1.0), obs=y)
    >>> post = sx.with_data(model, {"mu": np.zeros((2, 100))})(np.array([1.0, 2.0, 3.0]))
    >>> post.groups["log_likelihood"]["y"].shape
    (2, 100, 3)
    """
    model = Model.of(model, CALL)
    values, _ = check_draws(posterior, CALL)
    batch = check_batch_size(batch_size, CALL)

    @plain_errors
    def f(*args: Any, **kwargs: Any) -> Posterior:
        staged = model.stage(*args, **kwargs)
        sites = model.sites(staged)
        given = match(sites, sites, values, (), 2, CALL)
        data = observed_data(model, staged)
        groups = {"observed_data": data, "constant_data": constant_data(model, args, kwargs, data)}
        if log_likelihood and data:
            program = compiled(model, staged, args, kwargs, "log_likelihood", _pointwise)
            flat, shape = in_rows(values, given, 2)
            found = in_batches(program, flat, int(np.prod(shape)), batch)
            groups["log_likelihood"] = {n: x.reshape(*shape, *x.shape[1:]) for n, x in found.items()}
        known = posterior if isinstance(posterior, Posterior) else Posterior(values)
        dims = {**axis_names(sites, [n for n, i in sites.items() if i.visible]), **known.dims}
        dims = {n: d for n, d in dims.items() if n in known or n in data}
        return known.replaced(dims=dims).with_groups(**groups)

    return f


def _pointwise(model: Model, staged: Staged, indices: jax.Array, values: Mapping[str, Any]) -> Any:
    return jax.vmap(lambda v: pointwise(model, staged, v, CALL))(values)
