"""What travels while a model is interpreted: effects to the handlers, contexts inwards, records outwards.

A `Handler` is asked at every site, `handler(effect, perform, context, records)`, and returns the effect answered:
it may give it a value, hand it on with `perform` (perhaps changed), or note something in `records`.
`perform` asks the next handler further out; the last one puts the equation back into the program, so that a site
nobody has answered is still a site of the result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from storax.primitives import Site, bind_mark, bind_observe, bind_sample, mark_p, observe_p
from storax.pytrees import Pytree, static

Perform = Callable[["Effect"], "Effect"]


class Effect(NamedTuple):
    """One site on its way through the handlers.

    `leaves` are the distribution's arrays, or the derived quantity of a mark.  `value` is None as long as nobody has
    said what it is.  `settled`: the equation is not to be put back into the program.  `fixed`: the leaves follow from
    the arguments and constants of the program, not from draws.  `name` is the site's name, or for an anonymous draw its
    place in the program.
    """

    kind: str  # "sample" or "mark"
    site: Site
    leaves: Sequence[Any]
    value: Any = None
    settled: bool = False
    place: str = ""
    fixed: bool = False

    @property
    def name(self) -> str:
        return self.site.name or self.place

    @classmethod
    def read(cls, equation: Any, inputs: Sequence[Any], place: str) -> Effect:
        site = equation.params["site"]
        if equation.primitive is observe_p:
            kind = "mark" if site.tree is None else "sample"
            return cls(kind, site.drop_value(), inputs[1:], inputs[0], place=place)
        return cls("mark" if equation.primitive is mark_p else "sample", site, inputs, place=place)

    def with_site(self, **changes: Any) -> Effect:
        return self._replace(site=self.site.replace(**changes))

    def given(self, value: Any, observed: bool) -> Effect:
        """The same site with a value: data if `observed`, else a value that is still a choice."""
        return self._replace(value=value).with_site(observed=observed)

    def settle(self, value: Any = None) -> Effect:
        """The site is answered for good; handlers further out may still look at it."""
        return self._replace(settled=True, value=self.value if value is None else value)

    def wrapped(self, wrapper: Callable[..., Any], argument: Any, mapped: Sequence[bool]) -> Effect:
        """The site with distribution `wrapper(d, argument)`; `mapped`: which lanes the argument carries in front."""
        count = self.site.tree.num_leaves
        origins = [] if self.site.origins is None else self.leaves[count:]
        leaves = [*self.leaves[:count], argument, *origins]
        lanes = tuple(
            (n, (*m[:count], a, *m[count : count + len(origins)]))
            for (n, m), a in zip(self.site.lanes, mapped, strict=True)
        )
        site = self.site.replace(lanes=lanes)
        *of_base, own = site.one_lane(leaves)[: count + 1]
        tree = jax.tree.structure(wrapper(self.site.distribution(of_base), own))
        return self._replace(leaves=leaves, site=site.replace(tree=tree))

    def ground(self) -> Effect:
        """Nobody further out: put the equation into the program, unless the site is settled."""
        if self.settled:
            return self
        if self.site.hidden:  # its name means nothing to the program further out
            return self.with_site(name="", hidden=False).ground()
        if self.value is not None:
            return self._replace(value=bind_observe(self.value, self.leaves, self.site))
        if self.kind == "mark":
            return self._replace(value=bind_mark(self.leaves[0], self.site))
        return self._replace(value=bind_sample(self.leaves, self.site))


class SiteInfo(NamedTuple):
    """A site as seen from outside of the program, with all its loop axes.

    `shape` is `[*loops, *lanes, *shape, *batch, *event]`.  `conditional`: inside a branch of `lax.cond`;
    `uncounted`: inside a `lax.while_loop`, where the number of draws is not known.
    """

    kind: str  # "sample", "observe" or "mark"
    site: Site
    shape: tuple[int, ...]
    dtype: Any
    loops: int = 0
    conditional: bool = False
    uncounted: bool = False

    @property
    def is_open(self) -> bool:
        """Is its value still to be chosen?"""
        return self.kind == "sample"

    @property
    def is_derived(self) -> bool:
        return self.site.tree is None

    @property
    def event_dim(self) -> int:
        """Trailing axes of the value that its log density does not have."""
        return jax.tree.unflatten(self.site.tree, [None] * self.site.tree.num_leaves).event_dim

    @property
    def axis_names(self) -> tuple[str | None, ...]:
        """Of each axis of `shape`: the name of its plate, None for those of loops, lanes and events."""
        named = self.site.dims
        behind = 0 if self.is_derived or not named else self.event_dim
        front = len(self.shape) - len(named) - behind
        return (*(None,) * front, *named, *(None,) * behind)

    @property
    def visible(self) -> bool:
        return bool(self.site.name) and not self.site.hidden


Sites = dict[str, SiteInfo]


class Context(NamedTuple):
    """What flows into the program for one handler.

    Args:
        key: the root key, for anonymous draws.
        keys: one key per named site.
        loops: counters of the loops around, outermost first.
        given: values by name, with the loop axes that are still ahead in front.
    """

    key: Any = None
    keys: Mapping[str, Any] = {}
    loops: tuple[Any, ...] = ()
    given: Mapping[str, Any] = {}

    def step(self, i: Any, given: Mapping[str, Any]) -> Context:
        """The context of one iteration of a loop."""
        return self._replace(loops=(*self.loops, i), given={**self.given, **given})


class Record(Pytree):
    """What is known of a site after it was answered.

    `log_prob` and `active` are set by a branch of `lax.cond`; `z` and `log_det` by walks between values and R^n.
    """

    value: Any
    leaves: Any
    log_prob: Any = None
    active: Any = None
    log_det: Any = None
    z: Any = None
    kind: str = static(default="sample")
    site: Site = static(default=Site(""))

    @property
    def is_mark(self) -> bool:
        return self.kind == "mark"

    def score(self) -> Any:
        """Log density `[*lanes, *shape, *batch]`; zero in a branch that was not taken."""
        if self.log_prob is not None:
            return self.log_prob
        lanes = self.site.over_lanes(lambda v, *leaves: self.site.log_prob(v, leaves), 1)
        return lanes(self.value, *self.leaves)

    def in_branch(self) -> Record:
        """The record as it may leave a branch: scored there, because elsewhere its parameters are not defined."""
        log_prob = None if self.is_mark else self.score()
        active = jnp.asarray(True) if self.active is None else self.active
        site = self.site.replace(tree=None, lanes=(), shape=(), origins=None)
        record = self.replace(leaves=(), log_prob=log_prob, active=active, site=site)
        return jax.tree.map(jnp.asarray, record)

    def lifted(self, size: int, mapped: tuple[bool, ...]) -> Record:
        """The record after a loop has stacked it: one more lane in front."""
        return self.replace(site=self.site.stacked(size, mapped))


class Handler(Pytree):
    """Base class: asks nothing, changes nothing."""

    sees_hidden: ClassVar[bool] = False  # does it also answer sites that `block` has hidden?
    in_while: ClassVar[bool] = True  # can it work where the number of draws is not known?
    draws: ClassVar[bool] = False  # does it make random numbers?  Some keys make others in a batch than in a loop.

    def context(self, sites: Sites) -> Context:
        """What flows in, given the sites that the handler will see."""
        return Context()

    def view(self, sites: Sites) -> Sites:
        """The sites as the next handler further out will see them."""
        return sites

    def __call__(self, effect: Effect, perform: Perform, context: Context, records: dict[str, Any]) -> Effect:
        return perform(effect)

    def finish(self, output: Any, records: dict[str, Any]) -> Any:
        """The handler's contribution to what the transformed function returns."""
        return output
