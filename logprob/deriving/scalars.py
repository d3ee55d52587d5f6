"""What an elementwise equation makes of random numbers."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax.errors import NotMeasurable
from storax.logprob.deriving import algebra, families, monotone, preimages, shares, sharing
from storax.logprob.deriving.cutting import SPECIAL
from storax.logprob.deriving.gaussians import Gaussian
from storax.logprob.deriving.images import Image, is_smooth, mapped
from storax.logprob.deriving.laws import Finite, Law, at_once, point
from storax.logprob.deriving.measures import spread
from storax.logprob.deriving.mixtures import Mixture
from storax.logprob.deriving.pieces import apply, closed, common, known_all, restricted, still
from storax.logprob.deriving.randoms import Random, Step
from storax.logprob.deriving.registry import STRETCHES, only_known, refuse, rule_of

MOST_COMPONENTS = 1024


def elementwise(step: Step) -> Random:
    """One random number in each place, or several of the same draws, or a few values of one, or a known pair."""
    deps = step.elementwise()
    gaussian = linear(step)
    randoms = step.randoms
    law, why, push, fork = None, "", None, None
    if step.name == "mul" and any(known_all(lambda c, z: c == z, c, 0.0) for c in only_known(step)):
        return step.random(deps, law=point(np.zeros(step.shape, step.aval.dtype)), smooth=False)
    if step.name == "div" and (shares_of_it := shares.of_vector(step)) is not None:
        return shares_of_it
    try:
        law = _law(step, randoms)
    except NotMeasurable as error:
        why = str(error)
    if law is None and gaussian is not None and deps.independent and (len(randoms) > 1 or randoms[0].law is None):
        law = algebra.NormalLaw(gaussian, deps, step.shape)
    if len(randoms) == 1 and step.name in STRETCHES:
        push, fork = preimages.pusher(step), preimages.forker(step)
    elif step.name == "convert_element_type":
        push = preimages.cast(step)
    affine = step.name in AFFINE and all(r.affine for r in randoms) and is_affine(step)
    alike = all(r.alike for r in randoms) and all(map(is_one_number, only_known(step)))
    return step.random(deps, law=law, why=why, gaussian=gaussian, push=push, affine=affine, smooth=_smooth(law, step),
                       alike=alike, fork=fork, free=_free(step))  # fmt: skip


def _free(step: Step) -> Any:
    """Which entries the density is one of: those of the argument."""
    (first, *more) = step.randoms
    return None if more or first.shape != step.shape else first.free


def is_one_number(x: Any) -> bool:
    """Is it the same number everywhere?"""
    return np.ndim(x) == 0 or known_all(
        lambda v, w: v == w, x, np.ravel(x)[0] if not isinstance(x, jax.core.Tracer) else 0
    )


AFFINE = {"add", "sub", "neg", "mul", "div", "convert_element_type", "select_n", "copy", "copy_p", "stop_gradient",
          "add_any", "optimization_barrier", "reduce_precision", "integer_pow"}  # fmt: skip


def is_affine(step: Step) -> bool:
    """Is the equation an affine function of its random inputs?"""
    places = step.places
    if step.name == "mul":
        return len(places) == 1
    if step.name == "div":
        return places == [0]
    if step.name == "select_n":
        return 0 not in places
    if step.name == "integer_pow":
        return bool(step.params["y"] == 1)
    return jnp.issubdtype(step.aval.dtype, jnp.floating)


def linear(step: Step) -> Gaussian | None:
    """The result as an affine function of standard normal numbers, if the random inputs are and the equation is."""
    if step.name not in AFFINE or not is_affine(step):
        return None
    return gaussian_of(step)


def gaussian_of(step: Step) -> Gaussian | None:
    """An equation that is affine in its random inputs, of Gaussian ones."""
    parts = {i: r.gaussian for i, r in zip(step.places, step.randoms, strict=True)}
    if any(g is None for g in parts.values()) or not jnp.issubdtype(step.aval.dtype, jnp.floating):
        return None
    noise = {d: s for g in parts.values() for d, s in g.noise.items()}  # type: ignore[union-attr]

    def f(e: Any) -> Any:
        return step.run(*[jnp.asarray(parts[i].f(e), x.dtype) if i in parts else x  # type: ignore[union-attr]
                          for i, x in enumerate(step.inputs)])  # fmt: skip

    return Gaussian(noise, f, step.aval.dtype)


def _smooth(law: Law | None, step: Step) -> bool | None:
    if law is not None:
        return False if law.is_discrete else True if is_smooth(law) else None
    kinds = {r.smooth for r in step.randoms}
    if any(r.free is not None for r in step.randoms) and len(step.randoms) > 1:
        return None
    return kinds.pop() if len(kinds) == 1 and step.name in STRETCHES else None


def _law(step: Step, randoms: Sequence[Random]) -> Law:
    if step.name == "div" and (share := shares.of_sum(step)) is not None:
        return share
    missing = [r for r in randoms if r.law is None]
    if missing:
        refuse(missing[0].why or "has an argument whose law is not known")
    if len(randoms) == 1:
        return _of_one(step)
    first = randoms[0]
    if step.name == "div" and all(r is first for r in randoms) and first.law is not None and not is_smooth(first.law):
        refuse("divides by a quantity that may have a mass at 0")
    if all(r is first for r in randoms) and step.name in TWICE and first.law is not None:
        return TWICE[step.name](step, Image.of(first.law))
    if all(r.deps.same(first.deps) for r in randoms):
        if all(_root(r) is _root(first) for r in randoms):
            return _of_same(step)
        if step.shape == () and all(r.shape == () for r in randoms):
            numbers = [sharing.apart(x, 0) if isinstance(x, Random) else x for x in step.inputs]
            if len({id(_root(x)) for x in numbers if isinstance(x, Random)}) == 1:
                return _of_same(dataclasses.replace(step, inputs=numbers))
    if all(a.deps.disjoint(b.deps) for a, b in itertools.combinations(randoms, 2)):
        found = algebra.of_independent(step)
        if found is not None:
            return found
    return mixed(step)


def _constant(value: Any) -> Any:
    def law(step: Step, image: Image) -> Law:
        return point(np.full(step.shape, value, step.aval.dtype))

    return law


def _mapped_by(name: str, f: Any) -> Any:
    def law(step: Step, image: Image) -> Law:
        inner = Step(name, {"y": 2}, [step.inputs[0], np.asarray(2, image.dtype)], step.aval, 0, lambda xs: [f(xs[0])])
        made = mapped(image, f, STRETCHES[name](inner, 0), step.aval.dtype, name)
        made.named = lambda positive: families.image(inner, image.name(positive), positive)
        return made

    return law


def _itself(step: Step, image: Image) -> Law:
    return image


# The same quantity at both places.
TWICE = {
    "sub": _constant(0), "div": _constant(1), "eq": _constant(True), "ne": _constant(False), "lt": _constant(False),
    "gt": _constant(False), "le": _constant(True), "ge": _constant(True), "add": _mapped_by("mul", lambda x: 2 * x),
    "add_any": _mapped_by("mul", lambda x: 2 * x), "mul": _mapped_by("square", jnp.square), "max": _itself,
    "min": _itself, "and": _itself, "or": _itself, "xor": _constant(False),
}  # fmt: skip


def _root(r: Random) -> Any:
    return r.law.root if isinstance(r.law, Image) else r.law


def _of_one(step: Step) -> Law:
    place, r = step.one()
    assert r.law is not None
    law, shape = r.law, step.shape
    if r.shape != shape:
        law = law.move(lambda x: jnp.broadcast_to(x, shape), lambda y: _first(y, r.shape), shape)
    if isinstance(law, Image) and law.is_constant and step.name not in STRETCHES:
        at = lambda v: step.run(*[v if i == place else x for i, x in enumerate(step.inputs)])  # noqa: E731
        pieces = [still(p, apply(at, p.at_low)) for p in law.pieces]
        return Image(law.root, pieces, step.aval.dtype, law.doubts)
    if isinstance(law, Finite):
        return listed(step, place, law)
    if law.dtype == bool:
        few = law.finite
        assert few is not None
        return listed(step, place, few)
    if _may_wrap(step, law):
        few = law.finite
        return listed(step, place, few) if few is not None else refuse("may be more than its integers can hold")
    if step.name in STRETCHES:
        found = mapped(
            Image.of(law),
            function_of(step, place, r.dtype),
            STRETCHES[step.name](step, place),
            step.aval.dtype,
            step.name,
        )
        found.doubts += preimages.constant_where(step, place)
        found.named = lambda positive: families.image(step, law.name(positive), positive)
        return found
    if step.name in SPECIAL:
        made = SPECIAL[step.name](step, place, Image.of(law))
        if isinstance(made, Image) and step.name == "convert_element_type":
            made.named = lambda positive: families.image(step, law.name(positive), positive)
        return made
    few = law.finite
    if few is not None:
        return listed(step, place, few)
    return refuse(f"has no rule for a random argument at place {place}")


def _may_wrap(step: Step, law: Law) -> bool:
    """Integers of few bits, or without a sign, that an argument does not fit in."""
    new = jnp.dtype(step.aval.dtype)
    if not jnp.issubdtype(new, jnp.integer) or not (step.name in STRETCHES or step.name == "convert_element_type"):
        return False
    info = jnp.iinfo(new)
    low, high = law.ends
    if step.name == "convert_element_type" and known_all(lambda v, e: v >= e, low, info.min) and known_all(
            lambda v, e: v <= e, high, info.max):  # fmt: skip
        return False
    return bool(info.bits < 32 or info.min == 0)


def function_of(step: Step, place: int, dtype: Any) -> Any:
    """The equation as a function of the input at a place.

    Of whole numbers it is one of real numbers, too: of the ends of a range, which may be infinite.
    """

    def f(x: Any) -> Any:
        x = jnp.asarray(x)
        real = jnp.issubdtype(x.dtype, jnp.floating) and not jnp.issubdtype(dtype, jnp.floating)
        kind = x.dtype if real else dtype
        return step.run(*[jnp.asarray(x if i == place else v, kind) if real or i == place else v
                          for i, v in enumerate(step.inputs)])  # fmt: skip

    return f


def _first(y: Any, shape: tuple[int, ...]) -> Any:
    """One of the copies of a number that was repeated."""
    return y[(0,) * y.ndim] if shape == () else jnp.broadcast_to(y, y.shape)


def listed(step: Step, place: int, few: Finite) -> Finite:
    """The equation on each of a few values."""
    values = []
    for v in few.values:
        at = [v if i == place else x for i, x in enumerate(step.inputs)]
        with at_once(*[x for x in at if not isinstance(x, Random)]):
            values.append(jnp.broadcast_to(step.run(*[jnp.asarray(x) for x in at]), step.shape))
    mass = few.mass if few.mass.ndim == 1 else spread(few.mass, step.shape)
    return Finite(values, mass, step.shape, step.aval.dtype, few.states)


def _of_same(step: Step) -> Law:
    """Several functions of the same draws: one function of those, on common stretches."""
    images = {i: Image.of(r.law) for i, r in zip(step.places, step.randoms, strict=True) if r.law is not None}
    (root, *_) = [m.root for m in images.values()]
    has_atoms = next(iter(images.values())).has_atoms
    if isinstance(root, Finite):
        lists = {i: m.finite for i, m in images.items()}
        values = []
        for k in range(len(root.values)):
            at = [lists[i].values[k] if i in lists else x for i, x in enumerate(step.inputs)]  # type: ignore[union-attr]
            values.append(step.run(*[jnp.asarray(x) for x in at]))
        return Finite(values, root.mass, step.shape, step.aval.dtype, root.states)
    whole = jnp.issubdtype(root.dtype, jnp.integer)
    pieces = []
    for parts in itertools.product(*[[closed(p) if whole else p for p in m.pieces] for m in images.values()]):
        stretch: Any = parts[0]
        for p in parts[1:]:
            stretch = common(stretch, p, has_atoms) if stretch is not None else None
        if stretch is None:
            continue
        here = dict(zip(images, [restricted(p, stretch) for p in parts], strict=True))
        pieces += monotone.combine(step, here)
    doubts = [d for m in images.values() for d in m.doubts]
    return Image(root, pieces, step.aval.dtype, doubts)


def mixed(step: Step) -> Law:
    """One input has a few values, and the others are independent of it: a mixture over them."""
    for place, r in zip(step.places, step.randoms, strict=True):
        others = [x for i, x in zip(step.places, step.randoms, strict=True) if i != place]
        few = r.law.finite if r.law is not None and r.law.is_discrete else None
        if few is None or len(few.values) > MOST_COMPONENTS or not all(r.deps.disjoint(x.deps) for x in others):
            continue
        components = []
        for v in few.values:
            if step.name == "mul" and known_all(lambda v, z: v == z, v, 0.0):
                components.append(point(np.zeros(step.shape, step.aval.dtype)))
                continue
            inner = Step(step.name, step.params, [v if i == place else x for i, x in enumerate(step.inputs)], step.aval,
                         step.output, step.evaluate)  # fmt: skip
            rule = rule_of(step.name)
            assert rule is not None  # it has brought us here
            result = rule(inner)
            if isinstance(result, Random):
                if result.law is None:
                    refuse(result.why or "has a component without a law")
                components.append(result.law)  # type: ignore[arg-type]
            else:
                components.append(point(result))
        return Mixture.of(few.mass, components, step.shape, step.aval.dtype)
    shared = any(not a.deps.disjoint(b.deps) for a, b in itertools.combinations(step.randoms, 2))
    return refuse("uses one draw several times" if shared else "combines several random quantities")
