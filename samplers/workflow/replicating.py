"""May the anonymous draws of a model be drawn anew for new data?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from storax.effects import Sites
from storax.errors import NotMeasurable
from storax.handlers.conditioning import Condition
from storax.logprob.deriving.pointwise import log_likelihoods
from storax.models import Model
from storax.staging import Staged

CALL = "sx.predictive"


def refuse_shared(model: Model, staged: Staged, sites: Sites, predicted: Sequence[str]) -> None:
    """A draw without a name is integrated out of the posterior.  If it belongs to one entry of the data, new data have
    a new one; if entries share it, the data tell what it is, and the posterior does not hold that.

    Args:
        model: without its data.
        staged: of this call.
        sites: of the model.
        predicted: names of the sites of the data.

    Raises:
        NotMeasurable: given the named sites, the entries of the data depend on each other.
    """
    anonymous = [i.site.label for i in sites.values() if i.is_open and not i.site.name and not i.site.hidden]
    if not anonymous or not predicted:
        return
    given = [n for n, i in sites.items() if i.is_open and i.visible and n not in predicted]
    spec = lambda n: jax.ShapeDtypeStruct(sites[n].shape, sites[n].dtype)  # noqa: E731

    def score(values: Mapping[str, Any], data: Mapping[str, Any], arrays: Sequence[Any]) -> Any:
        conditioned = model.handled_by(Condition(dict(data)))
        return log_likelihoods(conditioned, staged._replace(arrays=list(arrays)), values, CALL)

    try:
        jax.eval_shape(score, {n: spec(n) for n in given}, {n: spec(n) for n in predicted},
                       [jnp.asarray(x) for x in staged.arrays])  # fmt: skip
    except NotMeasurable as error:
        raise NotMeasurable(
            f"{CALL}: {', '.join(anonymous)} cannot be drawn anew, since it is not seen to belong to one entry of the "
            f"data alone: what the data say of it would be lost. Name it with sx.sample, so that the posterior has "
            f"draws of it. ({error})"
        ) from None
