"""`stabilize`: a function whose expressions that overflow or cancel are replaced by ones that do not."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core as jex

from storax import jaxprs
from storax.errors import StoraxError
from storax.logprob.stabilizing.loops import LOOPS
from storax.logprob.stabilizing.nodes import Node, constant, evaluate, several
from storax.logprob.stabilizing.patterns import replaced
from storax.logprob.stabilizing.signs import RESHAPES
from storax.primitives import PRIMITIVES

SiteRule = Callable[[Any, Sequence[Node], Node, int], "Node | None"]


class Rewritten(NamedTuple):
    """A program as nodes: its outputs, its effects in their order, and whether any pattern was found."""

    outputs: list[Node]
    roots: list[Node]
    found: bool

    def run(self, values: dict[Node, Any]) -> list[Any]:
        """The outputs, given the values of the inputs."""
        evaluate(self.roots, values)
        return evaluate(self.outputs, values)


def as_is(equation: Any, operands: Sequence[Node], level: int) -> list[Node]:
    """The nodes of an equation's results, computed as written."""
    avals = [v.aval for v in equation.outvars]
    name, params = equation.primitive.name, equation.params

    def run(*values: Any) -> list[Any]:
        return jaxprs.evaluate(equation, values)

    if not equation.primitive.multiple_results:
        node = Node(name, operands, avals[0], lambda *xs: run(*xs)[0], params, level)
        if name in (*RESHAPES, "convert_element_type") and operands[0].number is not None:
            node.number = operands[0].number if jnp.issubdtype(avals[0].dtype, jnp.floating) else None
        return [node]
    return several(name, operands, avals, run, level)


def rewrite(closed: Any, inputs: Sequence[Node], level: int = 0, site_rule: SiteRule | None = None) -> Rewritten:
    """The nodes of a program, with every pattern replaced."""
    jaxpr = closed.jaxpr
    known = {v: constant(c, v.aval) for v, c in zip(jaxpr.constvars, closed.consts, strict=True)}
    known |= dict(zip(jaxpr.invars, inputs, strict=True))
    read = lambda v: constant(v.val, v.aval) if isinstance(v, jex.Literal) else known[v]  # noqa: E731
    roots: list[Node] = []
    found = False
    inner = functools.partial(rewrite, site_rule=site_rule)
    for equation in jaxpr.eqns:
        operands = [read(v) for v in equation.invars]
        name = equation.primitive.name
        nodes: list[Node] | None = None
        if equation.primitive in PRIMITIVES and site_rule is not None:
            nodes = as_is(equation, operands, level)
            site = site_rule(equation, operands, nodes[0], level)
            if site is not None:
                nodes, found = [site], True
        elif jaxprs.is_call(equation):
            body = inner(jaxprs.callee(equation.params), operands, level)
            if body.found and not jaxprs.has_own_derivative(equation):
                known.update(zip(equation.outvars, body.outputs, strict=True))
                roots += body.roots
                found = True
                continue
            nodes = as_is(equation, operands, level)
            for node, meant in zip(nodes, body.outputs, strict=False):
                node.meaning = meant.deep
        elif name in LOOPS:
            nodes = LOOPS[name](inner, equation, operands, level)
            found = found or nodes is not None
        if nodes is None:
            nodes = as_is(equation, operands, level)
            better = replaced(nodes[0]) if not equation.primitive.multiple_results else None
            if better is not None:
                if name in ("log", "log1p"):
                    better.log_of = name, operands[0]
                nodes, found = [better], True
        if equation.effects:
            roots.append(nodes[-1])
        known.update(zip(equation.outvars, nodes, strict=False))
    return Rewritten([read(v) for v in jaxpr.outvars], roots, found)


def stabilize(f: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, computed such that what would overflow or cancel does not.

    `log(1 - sigmoid(x))` is -inf in float32 from x = 17 on, and its gradient nan; `log(sum(exp(x)))` is infinite from
    x = 89 on.  In the jaxpr of `f` such expressions are found by what their operands were computed from, through
    `where`, `clip`, reshaping, indexing, `jit`, `scan`, `cond` and the densities of distributions, and replaced by
    ones that are the same function and accurate: logarithms of products, quotients, sums and differences of
    exponentials, sigmoids and softmaxes, also written by hand, `1 - sigmoid(x)`, `log(x**2)` and their like.  Where
    there is nothing to replace, the program is what it was, bit by bit.  `log_density`, `log_likelihood`,
    `unconstrain` and `mcmc` do this to their models; for these the parameters of a site count as operands of its
    density, so that `Bernoulli(probs=sigmoid(x))` is scored from x.

    A function with a derivative of its own (`jax.custom_jvp`, `jax.custom_vjp`) is left as it is, inside too.

    Args:
        f: a function of pytrees of arrays and Python numbers, as `jax.jit` takes it; other arguments are part of the
            program.

    Returns:
        A function of the same arguments.  It can be transformed by JAX as f can, and is traced at every call: use it
        inside of `jax.jit`.

    The idea is that of Aesara and Theano (Bergstra et al. 2010, "Theano: a CPU and GPU math compiler in Python").

    >>> import jax, jax.numpy as jnp
    >>> f = lambda x: jnp.log(1 - jax.nn.sigmoid(x))
    >>> f(80.0).item(), stabilize(f)(80.0).item()
    (-inf, -80.0)
    >>> jax.grad(stabilize(f))(80.0).item()
    -1.0
    """

    @functools.wraps(f)
    def g(*args: Any, **kwargs: Any) -> Any:
        leaves, tree = jax.tree.flatten((args, kwargs))
        traced = [isinstance(x, (jax.Array, np.ndarray, np.generic, bool, int, float, complex)) for x in leaves]
        arrays = [x for x, t in zip(leaves, traced, strict=True) if t]

        def of_arrays(*arrays: Any) -> Any:
            given = iter(arrays)
            args, kwargs = jax.tree.unflatten(
                tree, [next(given) if t else x for x, t in zip(leaves, traced, strict=True)]
            )
            return f(*args, **kwargs)

        closed, shape = jax.make_jaxpr(of_arrays, return_shape=True)(*arrays)
        return jax.tree.unflatten(jax.tree.structure(shape), run(closed, arrays))

    return g


def inputs_of(closed: Any, level: int = 0) -> list[Node]:
    return [Node("", (), v.aval, level=level) for v in closed.jaxpr.invars]


def run(closed: Any, arrays: Sequence[Any]) -> list[Any]:
    """The outputs of a program, rewritten where there is a pattern."""
    inputs = inputs_of(closed)
    program = rewrite(closed, inputs)
    if not program.found:
        return list(jex.jaxpr_as_fun(closed)(*arrays))
    return program.run(dict(zip(inputs, arrays, strict=True)))


def stable(f: Callable[..., Any], *inputs: Any) -> Any:
    """`f(*inputs)`, computed as `stabilize` has it.

    Where nothing is traced, the real numbers among the inputs are: that shows where they go.  What is not finite then
    may be so since f does not know them; it is asked again as it is, and so it is if it needs to know them.

    >>> program = lambda x: jnp.log(1 - jax.nn.sigmoid(x))
    >>> round(float(program(15.0)), 1), round(float(stable(program, 15.0)), 1)
    (-14.8, -15.0)
    """
    if _is_traced(inputs):
        closed, shape = jax.make_jaxpr(lambda: f(*inputs), return_shape=True)()
        return jax.tree.unflatten(jax.tree.structure(shape), run(closed, []))
    seen = _of_reals(f, inputs)
    if seen is not None and (_is_traced(seen) or all(np.isfinite(x).all() for x in jax.tree.leaves(seen))):
        return seen
    result = f(*inputs)
    leaves, tree = jax.tree.flatten(result)
    structure: Any = jax.tree.structure(seen)
    if seen is None or structure != tree:
        return result
    pairs = zip(jax.tree.leaves(seen), leaves, strict=True)
    return jax.tree.unflatten(tree, [jnp.where(jnp.isfinite(x), x, y) for x, y in pairs])


def _is_traced(tree: Any) -> bool:
    return any(isinstance(x, jax.core.Tracer) for x in jax.tree.leaves(tree))


def _of_reals(f: Callable[..., Any], inputs: Any) -> Any:
    """f with the real numbers among its inputs traced; None where it needs to know them."""
    leaves, tree = jax.tree.flatten(inputs)
    real = [isinstance(x, float) or jnp.issubdtype(getattr(x, "dtype", int), jnp.floating) for x in leaves]

    def of_reals(*numbers: Any) -> Any:
        given = iter(numbers)
        return f(*jax.tree.unflatten(tree, [next(given) if r else x for x, r in zip(leaves, real, strict=True)]))

    numbers = [x for x, r in zip(leaves, real, strict=True) if r]
    try:
        closed, shape = jax.make_jaxpr(of_reals, return_shape=True)(*numbers)
    except (StoraxError, jax.errors.JAXTypeError, TypeError, ValueError):
        return None
    return jax.tree.unflatten(jax.tree.structure(shape), run(closed, numbers))
