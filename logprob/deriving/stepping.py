"""One step of a loop: its body as a program of its own, solved for what is observed of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax import jaxprs
from storax.errors import NotMeasurable
from storax.logprob.deriving import graphs
from storax.logprob.deriving.dependence import Dependence
from storax.logprob.deriving.gaussians import Gaussian
from storax.logprob.deriving.graphs import Node, known
from storax.logprob.deriving.laws import Flat
from storax.logprob.deriving.randoms import Random
from storax.logprob.deriving.walking import Walk


def stand_in(aval: Any, mean: Any = None) -> Node:
    """An input of a body of which the value is not known.

    Args:
        mean: of a Gaussian one, whose deviation from it is the noise of the node; None of one whose law counts
            elsewhere, and whose value has to follow.
    """
    shape = tuple(aval.shape)
    node = Node("draw", jax.ShapeDtypeStruct(shape, aval.dtype))
    ids = np.arange(int(np.prod(shape))).reshape(*shape, 1)
    gaussian = None
    if mean is not None:
        gaussian = Gaussian({node: shape}, lambda e: jnp.asarray(mean + e[node], aval.dtype), aval.dtype)
    smooth = bool(jnp.issubdtype(aval.dtype, jnp.floating))
    node.stand_in = Random(shape, aval.dtype, Dependence({node: ids}), law=Flat(shape, aval.dtype), gaussian=gaussian,
                           affine=gaussian is not None, smooth=smooth)  # fmt: skip
    return node


class Body:
    """The body of a `lax.scan`, with the nodes of the program around it as its inputs."""

    def __init__(self, node: Node) -> None:
        self.equation, self.siblings = node.equation, node.siblings
        self.scan = jaxprs.Scan.read(node.equation.params, node.inputs)
        self.consts, self.carry, self.xs = self.scan.consts, self.scan.carry, self.scan.xs
        self.closed, self.length, self.reverse = self.scan.body, self.scan.length, self.scan.reverse
        self.k = len(self.carry)
        self.avals = jaxprs.avals(self.closed)

    def reads(self, outputs: Sequence[int]) -> tuple[list[bool], list[bool], list[bool]]:
        """Which consts, carries and xs these outputs depend on, over all steps."""
        wanted = set(outputs)
        while True:
            _, needed = jaxprs.needed_for(self.closed, sorted(wanted))
            n, k = len(self.consts), self.k
            more = {j for j in range(k) if needed[n + j]} - wanted
            if not more:
                return list(needed[:n]), [j in wanted for j in range(k)], list(needed[n + k :])
            wanted |= more

    def graph(self, consts: Sequence[Any], carry: Sequence[Node], xs: Sequence[Node]) -> list[Node]:
        """The outputs of one step."""
        from storax.logprob.deriving.programs import named

        fixed = [stand_in(a) if x is None else known(x) for x, a in zip(consts, self.closed.in_avals, strict=False)]
        return graphs.read(self.closed, [*fixed, *carry, *xs], named()).outputs


class Determined(NotMeasurable):
    """An observed output of a step follows from the steps before: no rule can give it a density."""


class Solved:
    """A step with its observed outputs solved for: `walk` knows what follows.

    Args:
        outputs: the nodes of one step, of which the first `k` are its carries.
        observed: which output -> its value.

    Raises:
        NotMeasurable: their density cannot be derived, or does not exist.
    """

    def __init__(
        self, outputs: Sequence[Node], k: int, observed: dict[int, Any], make: Callable[..., Any], call: str
    ) -> None:
        from storax.logprob.deriving.solving import Observation

        values = {i: jnp.asarray(v, outputs[i].aval.dtype) for i, v in observed.items()}
        before = Walk({})
        for i, node in enumerate(outputs):
            floating = jnp.issubdtype(node.aval.dtype, jnp.floating)
            if i >= k and i in observed and floating and not isinstance(before(node), Random):
                raise Determined("has an observed output that is not random, given the steps before")
        self.outputs = outputs
        self.solver = make([Observation(outputs[i], v) for i, v in values.items()], {}, call, determine=True)
        self.solver.run()
        settled = {s.observation.node: s.observation.value for s in self.solver.settled}
        self.walk = Walk({**settled, **self.solver.walk.known, **{outputs[i]: v for i, v in values.items()}})

    def __getitem__(self, i: int) -> Any:
        return self.walk(self.outputs[i])
