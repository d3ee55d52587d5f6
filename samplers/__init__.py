"""Markov chains on any log density, and what comes out of them.

A kernel knows a function R^n -> R and nothing of models: `nuts()` and `hmc()` are pairs of pure functions `init` and
`step`.
`mcmc` is the one place that knows both: model in, named draws out.
"""

from storax.samplers.driving.sharding import shard_rows
from storax.samplers.kernels.hmc import hmc
from storax.samplers.kernels.nuts import nuts
from storax.samplers.mcmc import mcmc
from storax.samplers.posterior import Posterior
from storax.samplers.workflow import (
    compare,
    loo,
    predictive,
    predictive_check,
    prior,
    prior_sensitivity,
    sbc,
    waic,
    with_data,
)

__all__ = [
    "Posterior",
    "compare",
    "hmc",
    "loo",
    "mcmc",
    "nuts",
    "predictive",
    "predictive_check",
    "prior",
    "prior_sensitivity",
    "sbc",
    "shard_rows",
    "waic",
    "with_data",
]
