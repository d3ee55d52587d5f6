"""The three equations of a model: `sample`, `observe` and `mark`.

A random choice is one JAX equation, `x = sample[site=mu] 0.0 1.0`: its operands are the leaves of its distribution,
its one static parameter is the `Site`.  It knows no key, no handler and no trace, so `jax.make_jaxpr(model)` prints
the model and every JAX transformation can carry it.

* `sample`   draws a value;
* `observe`  has its value as first operand: given by data, or by `substitute` (then it is not an observation);
* `mark`     names a derived quantity.
"""

from __future__ import annotations

import contextvars
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core as jex
from jax.interpreters import ad, batching, mlir
from jax.interpreters import partial_eval as pe

from storax.errors import ControlFlowError, UnhandledSiteError

Lane = tuple[int, tuple[bool, ...]]


@dataclasses.dataclass(frozen=True, repr=False)
class Site:
    """Everything about a random choice that is not an array.

    Args:
        name: the user's name; "" for an anonymous draw.
        tree: tree structure of the distribution, None for a derived quantity.
        shape: independent copies in front of one draw.
        lanes: the vmapped axes the equation went through, outermost first: (size, which leaves of the distribution
            carry that axis at their front).
        observed: is the value data?  False for a value that was substituted.
        hidden: `block` keeps the site from the handlers further out.
        is_factor: an observation of nothing, which only adds to the density.
        dims: names of the axes of one lane's value, None for those without.
        origins: what the operands after the distribution's leaves say of how these were computed; None if there are
            none.  Its `log_prob(site, value, leaves)` takes the place of the distribution's.
        source: "file.py:line" of the user's call.
    """

    name: str
    tree: Any = None
    shape: tuple[int, ...] = ()
    lanes: tuple[Lane, ...] = ()
    observed: bool = False
    hidden: bool = False
    is_factor: bool = False
    dims: tuple[str | None, ...] = ()
    origins: Any = None
    source: str = dataclasses.field(default="", compare=False)

    def __repr__(self) -> str:  # as it shows in a printed jaxpr: theta, or theta*8 after a vmap
        return (self.name or "_") + "".join(f"*{size}" for size, _ in self.lanes)

    @property
    def label(self) -> str:
        """The site in an error message: its name and the user's line."""
        where = f" ({self.source})" if self.source else ""
        return (f"site {self.name!r}" if self.name else "an anonymous draw") + where

    @property
    def lane_shape(self) -> tuple[int, ...]:
        return tuple(size for size, _ in self.lanes)

    def replace(self, **changes: Any) -> Site:
        return dataclasses.replace(self, **changes)

    def distribution(self, leaves: Sequence[Any]) -> Any:
        """The distribution of one lane, from the leaves of one lane."""
        return jax.tree.unflatten(self.tree, leaves[: self.tree.num_leaves])

    def log_prob(self, value: Any, leaves: Sequence[Any]) -> Any:
        """The log density of one lane, from its value and leaves."""
        if self.origins is not None:
            return self.origins.log_prob(self, value, leaves)
        return self.distribution(leaves).log_prob(value)

    def one_lane(self, leaves: Sequence[Any]) -> list[jax.ShapeDtypeStruct]:
        """The shapes and dtypes that the leaves have in one lane."""
        carried = [sum(mapped[i] for _, mapped in self.lanes) for i in range(len(leaves))]
        return [
            jax.ShapeDtypeStruct(jnp.shape(x)[k:], jnp.result_type(x), weak_type=bool(getattr(x, "weak_type", False)))
            for x, k in zip(leaves, carried, strict=True)
        ]

    def aval(self, leaves: Sequence[Any]) -> Any:
        """The shape and dtype of a draw, `[*lanes, *shape, *batch, *event]`."""
        d = self.distribution(self.one_lane(leaves))
        return jax.core.ShapedArray(self.lane_shape + self.shape + tuple(d.shape), jnp.dtype(d.dtype))

    def over_lanes(self, f: Callable[..., Any], extra: int) -> Callable[..., Any]:
        """Lift `f(*extra_arguments, *leaves)` over the lanes; the extra arguments carry every lane in front."""
        for size, mapped in reversed(self.lanes):
            axes = (0,) * extra + tuple(0 if m else None for m in mapped)
            f = jax.vmap(f, in_axes=axes, axis_size=size)
        return f

    def stacked(self, size: int, mapped: tuple[bool, ...]) -> Site:
        """The site with one more lane outside of the others."""
        return self.replace(lanes=((size, mapped), *self.lanes))

    def drop_value(self) -> Site:
        """From the lanes of an `observe` equation, whose first operand is the value, to those of the leaves alone."""
        return self.replace(lanes=tuple((size, mapped[1:]) for size, mapped in self.lanes))

    def add_value(self) -> Site:
        return self.replace(lanes=tuple((size, (True, *mapped)) for size, mapped in self.lanes))


def _sample_aval(*leaves: Any, site: Site) -> Any:
    return site.aval(leaves)


def _value_aval(value: Any, *_: Any, site: Site) -> Any:
    return jax.core.ShapedArray(value.shape, value.dtype)


def unhandled(*_: Any, site: Site) -> Any:
    """Nobody has said what this choice is."""
    call = "sx.seed(model, jax.random.key(0))(...)"
    if site.name:
        call += f", or give its value: sx.condition(model, {{{site.name!r}: value}})"
    raise UnhandledSiteError(
        f"{site.label} was reached and no handler gave it a value: a model is a program of random choices, and "
        f"somebody has to say what they are. Wrap the model, {call}."
    )


def _batch_rule(primitive: Any, has_value: bool) -> Callable[..., Any]:
    def rule(axis: Any, operands: Sequence[Any], dims: Sequence[Any], *, site: Site) -> tuple[Any, int]:
        operands = [x if d is None else jnp.moveaxis(x, d, 0) for x, d in zip(operands, dims, strict=True)]
        mapped = [d is not None for d in dims]
        if has_value and not mapped[0]:  # one value that all lanes share
            operands[0] = jnp.broadcast_to(operands[0], (axis.size, *jnp.shape(operands[0])))
            mapped[0] = True
        return primitive.bind(*operands, site=site.stacked(axis.size, tuple(mapped))), 0

    return rule


def _jvp_of_sample(primals: Any, tangents: Any, *, site: Site) -> Any:
    raise ControlFlowError(
        f"jax.grad or jax.jvp reached {site.label} before it had a value. Differentiate the handled function, "
        f"jax.grad(sx.seed(model, key)), not sx.seed(jax.grad(model), key)."
    )


# JAX linearises an `observe` or a `mark` by the rule below: then what is known must stay known.
_linearizing: contextvars.ContextVar[bool] = contextvars.ContextVar("linearizing", default=False)


def _jvp_of_value(p: Any) -> Callable[..., Any]:
    def rule(primals: Any, tangents: Any, *, site: Site) -> Any:
        token = _linearizing.set(True)
        try:
            return p.bind(*primals, site=site), tangents[0]
        finally:
            _linearizing.reset(token)

    return rule


def _primitive(kind: str) -> Any:
    p = jex.Primitive(kind)
    has_value = kind != "sample"
    # The effect keeps an unused site alive under dead-code elimination, and marks every jaxpr that contains one.
    p.def_effectful_abstract_eval2(_value_aval if has_value else _sample_aval)
    if has_value:  # nothing is left to decide: outside of all handlers the value is the value
        p.def_impl(lambda value, *_, site: value)
        mlir.register_lowering(p, mlir.lower_fun(lambda value, *_, site: value, multiple_results=False))
        ad.primitive_jvps[p] = _jvp_of_value(p)
    else:
        p.def_impl(unhandled)
        mlir.register_lowering(p, lambda ctx, *_, site: unhandled(site=site))
        ad.primitive_jvps[p] = _jvp_of_sample
    # `fancy` batchers are called for every vmap, also when no operand is mapped.  That is what makes
    # vmap(lambda _: sample("z", Normal(0., 1.)))(jnp.arange(5)) five draws; `primitive_batchers` would share one.
    batching.fancy_primitive_batchers[p] = _batch_rule(p, has_value)

    def keep_in_loop(trace: Any, *tracers: Any, site: Site) -> Any:
        # jax.grad hoists loop-invariant equations out of a scan: three draws would become one.
        if not (_linearizing.get() and all(t.is_known() for t in tracers)):
            tracers = tuple(trace.instantiate_const(t) for t in tracers)
        return trace.default_process_primitive(p, tracers, {"site": site})

    pe.custom_partial_eval_rules[p] = keep_in_loop
    return p


sample_p = _primitive("sample")
observe_p = _primitive("observe")
mark_p = _primitive("mark")
PRIMITIVES = frozenset({sample_p, observe_p, mark_p})


def bind_sample(leaves: Sequence[Any], site: Site) -> Any:
    # An equation without operands would be taken for a constant by every partial evaluator: give it one.
    return sample_p.bind(*(leaves or [jnp.zeros(())]), site=site)


def bind_observe(value: Any, leaves: Sequence[Any], site: Site) -> Any:
    return observe_p.bind(value, *leaves, site=site.add_value())


def bind_mark(value: Any, site: Site) -> Any:
    return mark_p.bind(value, site=site)
