"""storax: probabilistic programs as JAX functions.

A model is a plain Python function; a random choice in it is one JAX equation; everything else is a transformation
of that function: `seed` draws, `condition` observes, `log_density` scores, `mcmc` infers.

>>> import storax as sx
>>> def model(y):
...     mu = sx.sample("mu", sx.Normal(0.0, 5.0))
...     sx.sample("y", sx.Normal(mu, 1.0), obs=y)
>>> post = sx.mcmc(model)(0, [2.1, 1.9, 2.3])
>>> bool(abs(post["mu"].mean() - 2.1) < 0.2)
True
"""

from storax.tuning import ask_for_native_loops, tune_cpu

ask_for_native_loops()  # before anything can make JAX compute

from storax import bijections, distributions, errors, logprob, supports
from storax.distributions import *  # noqa: F403
from storax.errors import NotMeasurable
from storax.handlers import (
    Trace,
    block,
    condition,
    do,
    draw,
    mask,
    replay,
    scale,
    scope,
    seed,
    show,
    substitute,
    trace,
    uncondition,
)
from storax.language import deterministic, factor, rv, sample
from storax.logprob import Density, check, distribution, log_density, log_likelihood, unconstrain
from storax.models import Model, model
from storax.params import param
from storax.plates import plate
from storax.samplers import (
    Posterior,
    compare,
    hmc,
    loo,
    mcmc,
    nuts,
    predictive,
    predictive_check,
    prior,
    prior_sensitivity,
    sbc,
    shard_rows,
    waic,
    with_data,
)
from storax.samplers.langevin import sghmc, sgld
from storax.samplers.optimizing import PointEstimate, laplace, map_estimate, pathfinder
from storax.samplers.stochastic import sgmcmc
from storax.samplers.variational import elbo, guides, svi
from storax.vmapping import vmap

__version__ = "0.1.0"

__all__ = [  # noqa: PLE0604
    *distributions.__all__,
    "Density",
    "Model",
    "NotMeasurable",
    "PointEstimate",
    "Posterior",
    "Trace",
    "bijections",
    "block",
    "check",
    "compare",
    "condition",
    "deterministic",
    "distribution",
    "distributions",
    "draw",
    "do",
    "elbo",
    "errors",
    "factor",
    "hmc",
    "guides",
    "laplace",
    "log_density",
    "log_likelihood",
    "logprob",
    "map_estimate",
    "loo",
    "mask",
    "mcmc",
    "model",
    "nuts",
    "param",
    "pathfinder",
    "plate",
    "predictive",
    "predictive_check",
    "prior",
    "prior_sensitivity",
    "replay",
    "rv",
    "sample",
    "sbc",
    "scale",
    "scope",
    "seed",
    "shard_rows",
    "sghmc",
    "sgld",
    "sgmcmc",
    "show",
    "substitute",
    "supports",
    "svi",
    "trace",
    "tune_cpu",
    "uncondition",
    "unconstrain",
    "vmap",
    "waic",
    "with_data",
]
