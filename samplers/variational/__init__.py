"""Posteriors by optimisation of a bound: a guide, a distribution with parameters, is moved to the posterior.

`elbo` is the bound as a pure loss, for anybody's training loop; `svi` is the loop.  A guide is a model whose sites have
the names of the latent ones; or it is made automatically, as a family on R^n, where the model's density lives.
"""

from storax.samplers.variational import guides
from storax.samplers.variational.fitting import VariationalFit, svi
from storax.samplers.variational.losses import Loss, elbo

__all__ = ["Loss", "VariationalFit", "elbo", "guides", "svi"]
