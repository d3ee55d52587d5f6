"""Which site depends on which, read off a jaxpr; beside `jaxprs`, the other file that looks into one.

A variable carries the names of the sites that its value was computed from.  A site's value carries the site's own name
alone, so that what reaches a site are its parents.  Nothing is run, and nothing is guessed from numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from storax import jaxprs
from storax.primitives import PRIMITIVES, Site

Names = frozenset[str]
NONE: Names = frozenset()


class Box(NamedTuple):
    """What repeats a site: a plate, a loop, or the lanes of a vmap; `size` is None for a `lax.while_loop`."""

    kind: str  # "plate", "loop" or "lanes"
    name: str  # of the plate, or the place of the loop in the program
    size: int | None

    @property
    def title(self) -> str:
        """`school (8)`, `loop (100)`, `lanes (8)`."""
        what = self.name if self.kind == "plate" else self.kind
        return what if self.size is None else f"{what} ({self.size})"


class Node(NamedTuple):
    """A site of a program, with the loops it is in (outermost first) and the names of its parents."""

    site: Site
    loops: tuple[Box, ...]
    parents: Names


def dependencies(closed: Any) -> dict[str, Node]:
    """Every site of a program by name, in program order; an anonymous draw by its place, as `survey` has it."""
    nodes: dict[str, Node] = {}
    _Walk(nodes, (), NONE, "").run(closed, [NONE] * len(closed.jaxpr.invars))
    return nodes


class _Walk(NamedTuple):
    """Where in the program we are; `control` are the sites that decide whether this part of it runs."""

    nodes: dict[str, Node]
    loops: tuple[Box, ...]
    control: Names
    place: str

    def run(self, closed: Any, inputs: Sequence[Names]) -> list[Names]:
        """What each output depends on, given what each input does."""
        jaxpr = jaxprs.close(closed).jaxpr
        values = dict(zip(jaxpr.invars, inputs, strict=True))
        read = lambda v: NONE if jaxprs.is_literal(v) else values.get(v, NONE)  # noqa: E731
        effectful = 0
        for equation in jaxpr.eqns:
            arguments = [read(v) for v in equation.invars]
            if equation.primitive in PRIMITIVES:
                effectful += not equation.params["site"].name
                outputs = [self.visit(equation.params["site"], arguments, f"{self.place}#{effectful}")]
            elif not any(True for _ in jaxprs.sub_jaxprs(equation)):
                outputs = [NONE.union(*arguments)] * len(equation.outvars)
            else:
                effectful += jaxprs.has_sites(equation)
                outputs = self.inner(equation, arguments, f"{self.place}#{effectful}")
            values.update(zip(equation.outvars, outputs, strict=True))
        return [read(v) for v in jaxpr.outvars]

    def visit(self, site: Site, arguments: Sequence[Names], place: str) -> Names:
        name = site.name or place
        parents = self.control.union(*arguments)
        if name in self.nodes:  # in another branch, or once more around a loop
            parents |= self.nodes[name].parents
        self.nodes[name] = Node(site, self.loops, parents)
        return frozenset([name])

    def inner(self, equation: Any, arguments: Sequence[Names], place: str) -> list[Names]:
        inside = self._replace(place=place)
        kind = equation.primitive.name
        if kind == "scan":
            return inside.scan(jaxprs.Scan.read(equation.params, arguments))
        if kind == "while":
            return inside.while_loop(jaxprs.While.read(equation.params, arguments))
        if kind == "cond":
            index, branches, operands = jaxprs.Branches.read(equation.params, arguments)
            taken = inside._replace(control=self.control | index)
            ways = [taken.run(b, operands) for b in branches]
            return [index.union(*column) for column in zip(*ways, strict=True)]
        if kind == "storax_vmap":
            inside = inside.within(Box("lanes", place, equation.params["size"]))
        bodies = [jaxprs.close(sub) for sub in jaxprs.sub_jaxprs(equation)]
        if len(bodies) == 1 and len(bodies[0].jaxpr.invars) == len(arguments):
            outputs = inside.run(bodies[0], arguments)
            if len(outputs) == len(equation.outvars):
                return outputs
        everything = NONE.union(*arguments)  # an equation that we do not know: all of it depends on all that goes in
        for body in bodies:
            everything = everything.union(*inside.run(body, [everything] * len(body.jaxpr.invars)))
        return [everything] * len(equation.outvars)

    def within(self, box: Box) -> _Walk:
        return self._replace(loops=(*self.loops, box))

    def scan(self, loop: jaxprs.Scan) -> list[Names]:
        inside = self.within(Box("loop", self.place, loop.length))
        carry: list[Names] = list(loop.carry)
        while True:
            outputs = inside.run(loop.body, [*loop.consts, *carry, *loop.xs])
            new = [a | b for a, b in zip(carry, outputs, strict=False)]
            if new == carry:
                return [*new, *outputs[len(carry) :]]
            carry = new

    def while_loop(self, loop: jaxprs.While) -> list[Names]:
        inside = self.within(Box("loop", self.place, None))
        condition = inside._replace(place=self.place + jaxprs.CONDITION)
        body = inside._replace(place=self.place + jaxprs.BODY)
        carry: list[Names] = list(loop.carry)
        while True:
            goes_on = NONE.union(*condition.run(loop.condition, [*loop.condition_consts, *carry]))
            body = body._replace(control=self.control | goes_on)
            outputs = body.run(loop.body, [*loop.body_consts, *carry])
            new = [a | b | goes_on for a, b in zip(carry, outputs, strict=True)]
            if new == carry:
                return new
            carry = new
