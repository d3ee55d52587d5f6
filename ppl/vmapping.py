"""`sx.vmap`: jax.vmap kept as one equation until the handlers have run.

jax.vmap rewrites a `lax.cond` whose predicate differs from lane to lane into "run both branches, then select" before
anyone can see it: the sites of both branches become sites of the model.  Kept as an equation, the body stays that of
one lane; the handlers give its sites their values, and only then is it vmapped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core as jex
from jax.interpreters import ad, batching, mlir

from storax import jaxprs
from storax.effects import Context, Effect, Handler, Perform
from storax.errors import ArgumentTypeError, ModelError, ShapeError
from storax.interpreting import interpret
from storax.primitives import unhandled
from storax.sources import plain_errors
from storax.surveying import survey

vmap_p = jex.Primitive("storax_vmap")
vmap_p.multiple_results = True


class _Given(Handler):
    """Outside of all handlers: a value that is given is the value, and there is no other."""

    def __call__(self, effect: Effect, perform: Perform, context: Context, records: Any) -> Effect:
        if effect.kind == "sample" and effect.value is None:
            unhandled(site=effect.site)
        return effect.settle(effect.leaves[0] if effect.value is None else effect.value)


def _run(*inputs: Any, jaxpr: Any, mapped: tuple[bool, ...], size: int) -> list[Any]:
    axes = tuple(0 if m else None for m in mapped)
    lane = lambda *xs: interpret([_Given()], [Context()], jaxpr, xs)[0]  # noqa: E731
    return jax.vmap(lane, in_axes=axes, axis_size=size)(*inputs)


def _abstract(*_: Any, jaxpr: Any, mapped: tuple[bool, ...], size: int) -> Any:
    return [jax.core.ShapedArray((size, *a.shape), a.dtype) for a in jaxpr.out_avals], jaxpr.effects


def _batch(axis: Any, inputs: Sequence[Any], dims: Sequence[Any], **params: Any) -> tuple[list[Any], list[int]]:
    """jax.vmap of a `sx.vmap` is a `sx.vmap` of it: the lanes outside come first."""
    inputs = [x if d is None else jnp.moveaxis(x, d, 0) for x, d in zip(inputs, dims, strict=True)]
    mapped = tuple(d is not None for d in dims)
    lane = [jax.ShapeDtypeStruct(x.shape[m:], x.dtype) for x, m in zip(inputs, mapped, strict=True)]
    closed = jax.make_jaxpr(lambda *xs: vmap_p.bind(*xs, **params))(*lane)
    out = vmap_p.bind(*inputs, jaxpr=closed, mapped=mapped, size=axis.size)
    return out, [0] * len(out)


def _jvp(primals: Any, tangents: Any, **params: Any) -> Any:
    tangents = tuple(ad.instantiate_zeros(t) for t in tangents)
    return jax.jvp(lambda *xs: tuple(_run(*xs, **params)), tuple(primals), tangents)


vmap_p.def_effectful_abstract_eval(_abstract)
vmap_p.def_impl(_run)
mlir.register_lowering(vmap_p, mlir.lower_fun(_run))
ad.primitive_jvps[vmap_p] = _jvp
batching.fancy_primitive_batchers[vmap_p] = _batch


_jax_batches_cond = batching.fancy_primitive_batchers[jax.lax.cond_p]


def _batch_cond(axis: Any, inputs: Sequence[Any], dims: Sequence[Any], **params: Any) -> Any:
    """JAX's rule, but for the one case in which it would turn a choice between sites into both of them."""
    if dims[0] is not None and any(jaxprs.has_sites(b) for b in params["branches"]):
        sites = [i.site.label for b in params["branches"] for i in survey(b).values()]
        raise ModelError(
            f"{', '.join(sites)}: sampled in the branches of a lax.cond or lax.switch whose predicate differs from "
            f"lane to lane under jax.vmap. jax.vmap would run all branches, and every site would count in every lane, "
            f"names duplicated. Use sx.vmap in place of jax.vmap: it keeps one branch a lane."
        )
    return _jax_batches_cond(axis, inputs, dims, **params)


batching.fancy_primitive_batchers[jax.lax.cond_p] = _batch_cond


@plain_errors
def vmap(
    f: Callable[..., Any], in_axes: Any = 0, out_axes: Any = 0, *, axis_size: int | None = None
) -> Callable[..., Any]:
    """`jax.vmap` for bodies that it cannot keep apart: a `lax.cond` with sites whose predicate differs by lane.

    Args:
        f: the body of one lane, with or without sites.
        in_axes, out_axes, axis_size: as for `jax.vmap`.

    Returns:
        The vectorised function.  Each lane draws for itself.

    Raises:
        ShapeError: mapped axes of different sizes, or none at all.
        ArgumentTypeError: `in_axes` does not fit the arguments, or an output axis is None.

    >>> import jax, storax as sx
    >>> def lane(positive):
    ...     return jax.lax.cond(positive, lambda: sx.sample("x", sx.HalfNormal(1.0)),
    ...                         lambda: sx.sample("x", sx.Normal(-5.0, 1.0)))
    >>> x = sx.seed(sx.vmap(lane), 0)(jax.numpy.array([True, False]))
    >>> [bool(v) for v in x > 0]
    [True, False]
    """

    if any(a is None for a in jax.tree.leaves(out_axes, is_leaf=lambda a: a is None)):
        raise ArgumentTypeError(f"sx.vmap stacks every output: out_axes={out_axes!r} may not contain None.")

    @plain_errors
    def vectorised(*args: Any, **kwargs: Any) -> Any:
        leaves, tree = jax.tree.flatten((args, kwargs))
        axes = [*_axes(in_axes, args), *(0 for _ in jax.tree.leaves(kwargs))]
        lanes = [jnp.moveaxis(jnp.asarray(x), a, 0) for x, a in zip(leaves, axes, strict=True) if a is not None]
        size = _size(lanes, axis_size)

        def body(*lane: Any) -> Any:
            remaining = iter(lane)
            merged = [x if a is None else next(remaining) for x, a in zip(leaves, axes, strict=True)]
            args, kwargs = jax.tree.unflatten(tree, merged)
            return f(*args, **kwargs)

        one = [jax.ShapeDtypeStruct(x.shape[1:], x.dtype) for x in lanes]
        closed, shape = jax.make_jaxpr(body, return_shape=True)(*one)
        shared, closed = jaxprs.hoist_constants(closed)
        mapped = (False,) * len(shared) + (True,) * len(lanes)
        out = vmap_p.bind(*shared, *lanes, jaxpr=closed, mapped=mapped, size=size)
        outputs = jax.tree.unflatten(jax.tree.structure(shape), out)
        return jax.tree.map(lambda a, x: jnp.moveaxis(x, 0, a), jax.tree.broadcast(out_axes, outputs), outputs)

    return vectorised


def _axes(in_axes: Any, args: tuple[Any, ...]) -> list[int | None]:
    is_none = lambda x: x is None  # noqa: E731
    prefix = tuple(in_axes) if isinstance(in_axes, list) else in_axes
    try:
        full = jax.tree.broadcast(prefix, args, is_leaf=is_none)
    except ValueError as error:
        raise ArgumentTypeError(f"sx.vmap: in_axes={in_axes!r} does not fit the arguments. {error}") from None
    return jax.tree.leaves(full, is_leaf=is_none)


def _size(lanes: Sequence[Any], axis_size: int | None) -> int:
    sizes = {x.shape[0] for x in lanes} | ({axis_size} if axis_size is not None else set())
    if len(sizes) != 1:
        came = f"axes of sizes {sorted(sizes)}" if sizes else "no mapped argument and no axis_size"
        raise ShapeError(f"sx.vmap needs one size for the lanes, and got {came}.")
    return int(sizes.pop())
