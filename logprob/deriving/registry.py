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


ELEMENTWISE = "elementwise"  # the name of the rule of all that has stretches


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Decorate the rule of some primitives."""

    def register_all(f: Rule) -> Rule:
        for name in names:
            register(name, f, of_step=True)
        return f

    return register_all


def rule_of(name: str) -> Rule | None:
    """The rule of a primitive, None if it has none."""
    return RULES.get(name) or (RULES[ELEMENTWISE] if name in STRETCHES else None)


def register(
    primitive: Any, rule: Any, *, low: float = -np.inf, high: float = np.inf, sign: int = 1, of_step: bool = False
) -> None:
    """Teach the engine a primitive; all that it knows is registered in this way.

    Args:
        primitive: its name, `"exp"`, or a JAX primitive; `"jit:f"` for a jitted function named f of JAX's own.
        rule: of an elementwise function of one argument that is strictly monotone: its inverse, on arrays of any shape;
            the Jacobian comes from autodiff.  Of one that is monotone in stretches: a list of `Branch`es, in order,
            which cover all that it is defined on.  Of anything else, with `of_step`: a function of a `Step` that
            returns a `Random`.
        low, high: where the function of an inverse is defined.
        sign: -1 if it falls.
        of_step: is `rule` a function of a `Step`?

    Raises:
        ArgumentTypeError: neither of these.

    >>> import jax.numpy as jnp, storax as sx
    >>> from jax.extend import core
    >>> from jax.interpreters import mlir
    >>> halve = core.Primitive("halve")                      # a primitive of your own
    >>> _ = halve.def_impl(lambda x: x / 2), halve.def_abstract_eval(lambda x: x)
    >>> mlir.register_lowering(halve, mlir.lower_fun(lambda x: x / 2, multiple_results=False))
    >>> sx.logprob.register(halve, lambda y: 2 * y)          # its inverse
    >>> half = sx.distribution(lambda rate: halve.bind(sx.rv(sx.Exponential(rate))))
    >>> bool(jnp.allclose(half(3.0).log_prob(0.5), sx.Exponential(6.0).log_prob(0.5)))
    True
    >>> sx.logprob.register("square", [sx.logprob.Branch(lambda y: -jnp.sqrt(y), high=0.0, sign=-1),
    ...                                sx.logprob.Branch(jnp.sqrt, low=0.0)])
    >>> def hands_on(step):                                  # an equation that gives back its only random argument
    ...     place, argument = step.one()
    ...     return argument
    >>> sx.logprob.register("copy", hands_on, of_step=True)
    """
    name = primitive if isinstance(primitive, str) else getattr(primitive, "name", None)
    branches = isinstance(rule, (list, tuple)) and len(rule) > 0 and all(isinstance(b, Branch) for b in rule)
    if not isinstance(name, str) or not (branches or (callable(rule) and not isinstance(rule, Branch))):
        raise ArgumentTypeError(
            f"sx.logprob.register takes a primitive and its inverse, a list of Branches, or with of_step=True a rule, "
            f"and got {primitive!r} and {rule!r}: sx.logprob.register('exp', jnp.log)."
        )
    if of_step:
        RULES[name] = rule
        STRETCHES.pop(name, None)
        return
    stretches = list(rule) if branches else [Branch(rule, low, high, sign)]
    RULES.pop(name, None)
    STRETCHES[name] = lambda step, place: stretches


def refuse(why: str) -> Any:
    raise NotMeasurable(why)


def only_known(step: Step) -> Sequence[Any]:
    return [x for x in step.inputs if not isinstance(x, Random)]
