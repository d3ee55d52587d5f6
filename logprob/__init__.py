"""How likely: the joint density of a model.

Once every choice has a value, the model's log density is the sum of what its sites score.  `log_density` takes the
values by name; `log_likelihood` keeps the observed sites apart; `unconstrain` moves the latent ones to R^n, where
samplers live; `check` looks at the model and its data before anything is compiled.
"""

from storax.logprob.checking import check
from storax.logprob.densities import log_density, log_likelihood
from storax.logprob.stabilizing import stabilize
from storax.logprob.unconstraining import Density, unconstrain

__all__ = ["Density", "check", "log_density", "log_likelihood", "stabilize", "unconstrain"]
