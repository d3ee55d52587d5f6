"""`sx.vmap`: jax.vmap kept as one equation until the handlers have run.

jax.vmap rewrites a `lax.cond` whose predicate differs from lane to lane into "run both branches, then select" before
anyone can see it: the sites of both branches become sites of the model.  Kept as an equation, the body stays that of
one lane; the handlers give its sites their values, and only then is it vmapped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core as jex
from jax.interpreters import ad, batching, mlir

from storax import jaxprs
from storax.data import as_data
from storax.effects import Context, Effect, Handler, Perform
from storax.errors import ArgumentTypeError, ControlFlowError, ModelError, ShapeError
from storax.interpreting import interpret
from storax.primitives import unhandled
from storax.sources import plain_errors
from storax.staging import argument_name, is_data, is_number
from storax.surveying import survey
from storax.translating import in_words
from storax.validation import as_shape

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
    if not jaxprs.has_sites(params["jaxpr"]):  # nothing for a handler to see
        run = jax.vmap(lambda *xs: _run(*xs, **params), [0 if m else None for m in mapped], axis_size=axis.size)
        out = run(*inputs)
        return out, [0] * len(out)
    lane = [jax.ShapeDtypeStruct(x.shape[m:], x.dtype) for x, m in zip(inputs, mapped, strict=True)]
    closed = jax.make_jaxpr(lambda *xs: vmap_p.bind(*xs, **params))(*lane)
    out = vmap_p.bind(*inputs, jaxpr=closed, mapped=mapped, size=axis.size)
    return out, [0] * len(out)


def _jvp(primals: Any, tangents: Any, **params: Any) -> Any:
    if jaxprs.has_sites(params["jaxpr"]):
        sites = ", ".join(i.site.label for i in survey(params["jaxpr"]).values())
        raise ControlFlowError(
            f"jax.grad or jax.jvp reached an sx.vmap with {sites} in its body, whose density would be lost. Sample "
            f"outside of the differentiated function and pass the values in; or differentiate the handled function, "
            f"jax.grad(sx.seed(model, key)), not sx.seed(jax.grad(model), key)."
        )
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
        ShapeError: mapped axes of different sizes, or none at all; an axis that an array does not have.
        ArgumentTypeError: `in_axes` or `out_axes` does not fit, or what is no array is mapped.
        ControlFlowError: the body is differentiated, and has sites.

    >>> import jax, storax as sx
    >>> def lane(positive):
    ...     return jax.lax.cond(positive, lambda: sx.sample("x", sx.HalfNormal(1.0)),
    ...                         lambda: sx.sample("x", sx.Normal(-5.0, 1.0)))
    >>> x = sx.seed(sx.vmap(lane), 0)(jax.numpy.array([True, False]))
    >>> [bool(v) for v in x > 0]
    [True, False]
    """

    if not callable(f):
        raise ArgumentTypeError(f"sx.vmap needs a function first, the body of one lane, and got {type(f).__name__}.")
    if axis_size is not None:
        (axis_size,) = as_shape(axis_size, "sx.vmap: `axis_size`")
    _check_axes(in_axes, "in_axes", allow_none=True)
    _check_axes(out_axes, "out_axes", allow_none=False)

    @plain_errors
    def vectorised(*args: Any, **kwargs: Any) -> Any:
        lanes = Lanes.of(f, in_axes, args, kwargs)
        size = _size(lanes.mapped, axis_size)

        def body(*lane: Any) -> Any:
            args, kwargs = lanes.merge(lane)
            return jax.tree.map(_checked_output, f(*args, **kwargs))

        one = [jax.ShapeDtypeStruct(x.shape[1:], x.dtype) for x in lanes.mapped]
        with in_words():
            closed, shape = jax.make_jaxpr(body, return_shape=True)(*one)
        _refuse_collectives(closed)
        shared, closed = jaxprs.hoist_constants(closed)
        mapped = (False,) * len(shared) + (True,) * len(lanes.mapped)
        out = vmap_p.bind(*shared, *lanes.mapped, jaxpr=closed, mapped=mapped, size=size)
        return _moved(out_axes, jax.tree.unflatten(jax.tree.structure(shape), out))

    return vectorised


class Lanes(NamedTuple):
    """The arguments of all lanes: `mapped` with the lanes in front, the others as they are."""

    mapped: list[Any]
    leaves: list[Any]
    axes: list[int | None]
    tree: Any

    @classmethod
    def of(cls, f: Callable[..., Any], in_axes: Any, args: Any, kwargs: Any) -> Lanes:
        paths, tree = jax.tree_util.tree_flatten_with_path((args, kwargs), is_leaf=_is_argument)
        names = [f"sx.vmap: the argument {argument_name(path, f)}" for path, _ in paths]
        leaves = [as_data(x, name) if is_data(x) else x for name, (_, x) in zip(names, paths, strict=True)]
        args, kwargs = jax.tree.unflatten(tree, leaves)
        axes = [*_axes(in_axes, args), *(0 for _ in jax.tree.leaves(kwargs, is_leaf=_is_none))]
        axes = [None if x is None else a for a, x in zip(axes, leaves, strict=True)]
        mapped = [_in_front(x, a, n) for x, a, n in zip(leaves, axes, names, strict=True) if a is not None]
        return cls(mapped, leaves, axes, tree)

    def merge(self, lane: Sequence[Any]) -> tuple[Any, Any]:
        """`(args, kwargs)` of one lane."""
        remaining = iter(lane)
        merged = [x if a is None else next(remaining) for x, a in zip(self.leaves, self.axes, strict=True)]
        return jax.tree.unflatten(self.tree, merged)


def _is_none(x: Any) -> bool:
    return x is None


def _is_argument(x: Any) -> bool:
    return x is None or is_data(x)


def _check_axes(axes: Any, what: str, allow_none: bool) -> None:
    for a in jax.tree.leaves(axes, is_leaf=_is_none):
        if a is None and not allow_none:
            raise ArgumentTypeError(f"sx.vmap stacks every output: {what}={axes!r} may not contain None.")
        if a is not None and (isinstance(a, bool) or not isinstance(a, (int, np.integer))):
            allowed = "ints and None" if allow_none else "ints"
            raise ArgumentTypeError(f"sx.vmap: {what} must be made of {allowed}, and got {axes!r}.")


def _in_front(x: Any, axis: int, what: str) -> jax.Array:
    """The array with the mapped axis first."""
    if not is_number(x):
        raise ArgumentTypeError(f"{what} is no array, and has no axis to map: {x!r}. Give it the axis None in in_axes.")
    x = jnp.asarray(x)
    if not -x.ndim <= axis < x.ndim:
        raise ShapeError(
            f"{what} has shape {x.shape}, which has no axis {axis} to map. For an argument that all lanes share, give "
            f"it the axis None in in_axes."
        )
    return jnp.moveaxis(x, axis, 0)


def _checked_output(x: Any) -> Any:
    if not is_number(x):
        raise ArgumentTypeError(f"sx.vmap: the body returns {x!r}, which is no array and cannot be stacked.")
    return x


def _refuse_collectives(closed: Any) -> None:
    """An axis name belongs to a jax.vmap around, which is over by the time the lanes are run."""
    names = sorted(str(e.name) for e in closed.effects if type(e).__name__ == "NamedAxisEffect")
    if names:
        raise ControlFlowError(
            f"sx.vmap: the body uses the axis name {', '.join(map(repr, names))} of a jax.vmap around it (lax.psum, "
            f"lax.axis_index, ...). Compute that outside of sx.vmap and pass it in, or make the outer one sx.vmap and "
            f"take the sum over its result."
        )


def _moved(out_axes: Any, outputs: Any) -> Any:
    """The outputs with their lanes, which come first, at these axes."""
    prefix = tuple(out_axes) if isinstance(out_axes, list) and isinstance(outputs, tuple) else out_axes
    try:
        axes = jax.tree.broadcast(prefix, outputs)
    except ValueError as error:
        raise ArgumentTypeError(f"sx.vmap: out_axes={out_axes!r} does not fit the outputs. {error}") from None
    for a, x in zip(jax.tree.leaves(axes), jax.tree.leaves(outputs), strict=True):
        if not -x.ndim <= a < x.ndim:
            raise ShapeError(f"sx.vmap: out_axes={out_axes!r}, and an output with its lanes has shape {x.shape}.")
    return jax.tree.map(lambda a, x: jnp.moveaxis(x, 0, a), axes, outputs)


def _axes(in_axes: Any, args: tuple[Any, ...]) -> list[int | None]:
    prefix = tuple(in_axes) if isinstance(in_axes, list) else in_axes
    try:
        full = jax.tree.broadcast(prefix, args, is_leaf=_is_none)
    except ValueError as error:
        raise ArgumentTypeError(f"sx.vmap: in_axes={in_axes!r} does not fit the arguments. {error}") from None
    return jax.tree.leaves(full, is_leaf=_is_none)


def _size(lanes: Sequence[Any], axis_size: int | None) -> int:
    sizes = {x.shape[0] for x in lanes} | ({axis_size} if axis_size is not None else set())
    if len(sizes) != 1:
        came = f"axes of sizes {sorted(sizes)}" if sizes else "no mapped argument and no axis_size"
        raise ShapeError(f"sx.vmap needs one size for the lanes, and got {came}.")
    return int(sizes.pop())
