"""Densities that would overflow as written are rewritten before they are compiled.

`rewriting` walks a jaxpr, `views` says how the logarithm of an expression is computed without the expression itself,
`patterns` lists what is replaced, `sites` tells the sites of a model where their parameters came from.
"""

from storax.logprob.stabilizing.rewriting import stabilize
from storax.logprob.stabilizing.sites import stabilized

__all__ = ["stabilize", "stabilized"]
