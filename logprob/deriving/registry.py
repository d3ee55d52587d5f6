"""The rules: what an equation of random inputs makes, one small function a primitive."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from storax.errors import ArgumentTypeError, NotMeasurable
from storax.logprob.deriving.pieces import Branch
from storax.logprob.deriving.randoms import Random, Step

Rule = Callable[[Step], Random]
RULES: dict[str, Rule] = {}
# Elementwise functions of one argument, as the stretches on which they are monotone.
STRETCHES: dict[str, Callable[[Step, int], list[Branch]]] = {}
# Affine in all inputs, or in the only random one that stands at such a place.
AFFINE: dict[str, Any] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Decorate the rule of some primitives."""

    def register_all(f: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, f))
        return f

    return register_all


def stretches(name: str, *branches: Branch) -> None:
    """An elementwise primitive of one argument: where it is monotone, and its inverse there."""
    STRETCHES[name] = lambda step, place: list(branches)


def register(primitive: Any, rule: Any, *, low: float = -np.inf, high: float = np.inf, sign: int = 1) -> None:
    """Teach the engine a primitive.

    Args:
        primitive: its name, `"exp"`, or a JAX primitive; `"jit:f"` for a jitted function named f of JAX's own.
        rule: of an elementwise function of one argument that is strictly monotone: its inverse; the Jacobian comes from
            autodiff.  Of one that is monotone in stretches: a list of `Branch`es.  Of anything else: a function of a
            `Step` that returns a `Random`.
        low, high: where the function is defined, with an inverse.
        sign: -1 if it falls.

    Raises:
        ArgumentTypeError: neither of these.

    >>> import jax.numpy as jnp, storax as sx
    >>> sx.logprob.register("exp", jnp.log)                  # its inverse
    """
    name = primitive if isinstance(primitive, str) else getattr(primitive, "name", None)
    if not isinstance(name, str) or not (callable(rule) or isinstance(rule, (list, tuple))):
        raise ArgumentTypeError(
            f"sx.logprob.register takes a primitive and its inverse, a list of Branches, or a rule, and got "
            f"{primitive!r} and {rule!r}: sx.logprob.register('exp', jnp.log, low=-jnp.inf)."
        )
    if isinstance(rule, (list, tuple)):
        stretches(name, *rule)
    elif getattr(rule, "is_rule", False):
        RULES[name] = rule
    else:
        stretches(name, Branch(rule, low, high, sign))


def refuse(why: str) -> Any:
    raise NotMeasurable(why)


def only_known(step: Step) -> Sequence[Any]:
    return [x for x in step.inputs if not isinstance(x, Random)]
