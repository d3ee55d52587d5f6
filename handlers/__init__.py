"""What a random choice may mean.

A model only says that there is a choice.  A handler decides: `seed` draws it, `condition` takes it from data, `do`
cuts it out, `trace` writes it down.  Each is a function transformation with a class of a few lines behind it,
asked at every site; however many are nested, the model is staged once and walked once.  The smallest is `block`.
"""

from storax.handlers.blocking import block
from storax.handlers.conditioning import condition
from storax.handlers.drawing import draw
from storax.handlers.intervening import do
from storax.handlers.replaying import replay
from storax.handlers.scoping import scope
from storax.handlers.seeding import seed
from storax.handlers.showing import ModelGraph, show
from storax.handlers.substituting import substitute
from storax.handlers.tracing import Trace, TracedSite, trace
from storax.handlers.unconditioning import uncondition
from storax.handlers.weighting import mask, scale

__all__ = [
    "ModelGraph",
    "Trace",
    "TracedSite",
    "block",
    "condition",
    "do",
    "draw",
    "mask",
    "replay",
    "scale",
    "scope",
    "seed",
    "show",
    "substitute",
    "trace",
    "uncondition",
]
