"""Entries of an array that are functions of one draw: `max([x, x + 1])` is a function of x."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax.errors import NotMeasurable
from storax.logprob.deriving.images import Image
from storax.logprob.deriving.laws import Finite, Law, Moved, is_known
from storax.logprob.deriving.pieces import known_all
from storax.logprob.deriving.randoms import Random, Step
from storax.logprob.deriving.registry import refuse, rule_of

MOST = 64  # entries that are taken apart
BINARY: dict[str, tuple[str, Any]] = {
    "reduce_max": ("max", jnp.maximum), "reduce_min": ("min", jnp.minimum), "reduce_sum": ("add", jnp.add),
    "reduce_prod": ("mul", jnp.multiply), "reduce_and": ("and", jnp.logical_and), "reduce_or": ("or", jnp.logical_or),
}  # fmt: skip


def element(law: Law, i: int) -> Image:
    """Entry i, flattened, as a number; entries that are moved from one place have one root."""
    from storax.logprob.deriving.arrays import Joined

    if isinstance(law, Moved):
        with jax.ensure_compile_time_eval():
            where = law.f(jnp.arange(int(np.prod(law.base.shape)), dtype=jnp.int32).reshape(law.base.shape))
        if is_known(where):
            return element(law.base, int(np.ravel(where)[i]))
    if isinstance(law, Joined):
        return element(law.parts[law.which[i]], int(law.where[i]))
    if isinstance(law, Image):
        return law if law.shape == () and not isinstance(law.root, Moved) else _entry(law, i)
    if law.shape == ():
        return Image.of(law)
    kept = law.__dict__.setdefault("elements", {})
    if i not in kept:
        kept[i] = Image.of(law.move(_at(i), lambda y: jnp.broadcast_to(y, law.shape), ()))
    found: Image = kept[i]
    return found


def _at(i: int) -> Any:
    return lambda x: jnp.ravel(x)[i]


def _entry(law: Image, i: int) -> Image:
    inner = element(law.root, i)
    if len(inner.pieces) > 1:
        refuse("is made of a part of a function in pieces")
    one = lambda x: x if np.ndim(x) == 0 else np.ravel(x)[i] if isinstance(x, np.ndarray) else jnp.ravel(x)[i]  # noqa: E731
    whole = lambda x: jnp.broadcast_to(x, law.shape)  # noqa: E731

    def inverse(p: Any) -> Any:
        if p.inverse is None:
            return None
        return lambda y: tuple(jnp.ravel(jnp.broadcast_to(v, law.shape))[i] for v in p.inverse(whole(y)))

    pieces = [p.replace(forward=lambda x, p=p: jnp.ravel(jnp.broadcast_to(p.forward(whole(x)), law.shape))[i],
                        inverse=inverse(p), low=one(p.low), high=one(p.high), at_low=one(p.at_low),
                        at_high=one(p.at_high), domain=tuple(map(one, p.domain)),
                        sign=p.sign if isinstance(p.sign, int) else one(p.sign))
              for p in law.pieces]  # fmt: skip
    image = Image(inner.root, pieces, law.dtype, [one(d) for d in law.doubts])
    image.named = law.move(_at(i), whole, ()).name
    return image


def constant(r: Random) -> Any:
    """The value of a quantity that is known to be the same whatever the draws, as `x != x`; else the quantity."""
    if isinstance(r.law, Image) and r.law.is_constant and not r.law.doubts:
        values = [p.at_low for p in r.law.pieces]
    elif isinstance(r.law, Finite):
        values = r.law.values
    elif r.law is not None and not r.deps and r.law.finite is not None:  # a known entry beside random ones
        values = r.law.finite.values
    else:
        return r
    first = values[0]
    if not all(known_all(lambda a, b: a == b, v, first) for v in values):
        return r
    return np.broadcast_to(np.asarray(first, r.dtype), r.shape)


def apart(r: Random, i: int) -> Random:
    """Entry i as a random number."""
    assert r.law is not None
    deps = r.deps.map(lambda ids: ids.ravel()[i])
    return Random((), r.dtype, deps, law=element(r.law, i), smooth=r.smooth)


def reduced(step: Step, r: Random, axes: tuple[int, ...]) -> tuple[Law | None, str]:
    """The law of a reduction entry by entry: first those of the same draws, then one by one; or why there is none."""
    size = int(np.prod(r.shape))
    if r.law is None or size > MOST:
        return None, r.why
    kept = [a for a in range(len(r.shape)) if a not in axes]
    places = np.arange(size).reshape(r.shape).transpose(*kept, *axes).reshape(int(np.prod(step.shape)), -1)
    try:
        laws = [_fold(step.name, [apart(r, int(i)) for i in row]) for row in places]
    except NotMeasurable as error:
        return None, str(error)
    return _together(laws, step.shape, step.aval.dtype), ""


def _together(laws: list[Law], shape: tuple[int, ...], dtype: Any) -> Law:
    from storax.logprob.deriving.arrays import Joined

    if len(laws) == 1:
        return laws[0].move(lambda x: jnp.reshape(x, shape), lambda y: jnp.reshape(y, ()), shape) if shape else laws[0]
    return Joined(np.arange(len(laws)), np.zeros(len(laws), int), laws, shape, dtype)


def _fold(name: str, entries: list[Random]) -> Law:
    groups: list[Random] = []
    for x in entries:
        for k, g in enumerate(groups):
            if g.deps.same(x.deps):
                groups[k] = _two(name, g, x)
                break
        else:
            groups.append(x)
    total = groups[0]
    for g in groups[1:]:
        total = _two(name, total, g)
    assert total.law is not None
    return total.law


def _two(name: str, a: Random, b: Random) -> Random:
    binary, f = BINARY[name]
    step = Step(binary, {}, [a, b], jax.ShapeDtypeStruct((), a.dtype), 0, lambda xs: [f(*xs)])
    rule = rule_of(binary)
    assert rule is not None
    made = rule(step)
    if made.law is None:
        refuse(made.why)
    return made
