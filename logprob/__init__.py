"""How likely: the joint density of a model.

Once every choice has a value, the model's log density is the sum of what its sites score.  `log_density` takes the
values by name; `log_likelihood` keeps the observed sites apart; `unconstrain` moves the latent ones to R^n, where
samplers live; `distribution` derives the density of what a program computes; `check` looks at the model and its data
before anything is compiled.
"""

from storax.logprob.checking import check
from storax.logprob.densities import log_density, log_likelihood
from storax.logprob.deriving.pieces import Branch
from storax.logprob.deriving.programs import distribution
from storax.logprob.deriving.registry import register
from storax.logprob.stabilizing import stabilize
from storax.logprob.unconstraining import Density, unconstrain

__all__ = [
    "Branch",
    "Density",
    "check",
    "distribution",
    "log_density",
    "log_likelihood",
    "register",
    "stabilize",
    "unconstrain",
]
