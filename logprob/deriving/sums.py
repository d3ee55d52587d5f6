"""Sums of independent numbers of one family that are of that family again, and of numbers of few values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import storax.distributions as dist
from storax.distributions.base import Distribution
from storax.logprob.deriving.families import GammaPower, Name, as_gamma
from storax.logprob.deriving.laws import Finite, Law, is_known
from storax.logprob.deriving.measures import log_sum
from storax.logprob.deriving.pieces import known_all


class Family(NamedTuple):
    """Numbers with the same `shared` parameters: the `added` parameters of a sum are those of its terms, summed."""

    make: Callable[..., Distribution]
    shared: dict[str, Any]
    added: dict[str, Any]


def family(d: Name) -> Family | None:
    """How numbers of a name are summed, None if it is not known."""
    gamma = as_gamma(d)
    if gamma is not None:
        return Family(dist.Gamma, {"rate": gamma.rate}, {"concentration": gamma.concentration})
    match d:
        case dist.Poisson():
            return Family(dist.Poisson, {}, {"rate": d.rate})
        case dist.Binomial() if d.probs is not None:
            return Family(dist.Binomial, {"probs": d.probs}, {"total_count": d.total_count})
        case dist.Bernoulli() if d.probs is not None:
            return Family(dist.Binomial, {"probs": d.probs}, {"total_count": 1})
        case dist.Geometric() if d.probs is not None:
            # NegativeBinomial's probs is that of a success, which it counts: 1 - p of a Geometric
            return Family(dist.NegativeBinomial, {"logits": _failure_logits(d.probs)}, {"total_count": 1.0})
        case dist.Cauchy():
            return Family(dist.Cauchy, {}, {"loc": d.loc, "scale": d.scale})
    return None


def _failure_logits(p: Any) -> Any:
    p = jnp.asarray(p)
    return jnp.log1p(-p) - jnp.log(p)


def alike(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return a.keys() == b.keys() and all(same(a[n], b[n]) for n in a)


def same(a: Any, b: Any) -> bool:
    return a is b or known_all(lambda x, y: x == y, a, b)


def along(law: Law, axes: tuple[int, ...], shape: tuple[int, ...], dtype: Any) -> Law | None:
    """The sum of independent numbers along axes."""
    from storax.logprob.deriving.algebra import Plain

    d = law.name()
    if isinstance(d, GammaPower) and d.sign < 0:
        return _negative(law, d, axes, shape, dtype)
    f = family(d)
    if f is not None and all(constant_along(x, axes, law.shape) for x in f.shared.values()):
        shared = {n: one_along(x, axes, law.shape) for n, x in f.shared.items()}
        added = {n: jnp.broadcast_to(jnp.asarray(x), law.shape).sum(axes) for n, x in f.added.items()}
        return Plain(f.make(**shared, **added), shape, dtype)
    few = law.finite if law.is_discrete else None
    return convolved(few, axes, shape, dtype) if few is not None else None


def _negative(law: Law, d: GammaPower, axes: tuple[int, ...], shape: tuple[int, ...], dtype: Any) -> Law | None:
    """The sum of the negatives of gammas."""
    from storax.logprob.deriving.algebra import Plain
    from storax.logprob.deriving.products import negated

    gamma = as_gamma(d._replace(sign=1))
    total = along(Plain(gamma, law.shape, dtype), axes, shape, dtype) if gamma is not None else None
    return negated(total) if total is not None else None


def constant_along(x: Any, axes: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    if np.ndim(x) == 0:
        return True
    full = (1,) * (len(shape) - np.ndim(x)) + np.shape(x)
    if all(full[a] == 1 for a in axes):
        return True
    if not is_known(x):
        return False
    whole = np.broadcast_to(np.asarray(x), shape)
    return all(bool((whole == np.take(whole, [0], a)).all()) for a in axes)


def one_along(x: Any, axes: tuple[int, ...], shape: tuple[int, ...]) -> Any:
    if np.ndim(x) == 0:
        return x
    whole = jnp.broadcast_to(jnp.asarray(x), shape)
    return whole[tuple(0 if a in axes else slice(None) for a in range(len(shape)))]


def convolved(few: Finite, axes: tuple[int, ...], shape: tuple[int, ...], dtype: Any) -> Law | None:
    """The sum of independent whole numbers of few values, term by term."""
    if not all(map(is_known, few.values)):
        return None
    with jax.ensure_compile_time_eval():
        values = np.stack([np.broadcast_to(np.asarray(v), few.shape) for v in few.values])
    if not np.isfinite(values).all() or (values != np.round(values)).any():
        return None
    low, high = int(values.min()), int(values.max())
    n = int(np.prod([few.shape[a] for a in axes]))
    if n * (high - low) > 4096 or n == 0:
        return None
    kept = [a for a in range(len(few.shape)) if a not in axes]
    width = high - low + 1
    hits = np.stack([values == k for k in range(low, high + 1)])  # [width, K, *shape]
    mass = log_sum(jnp.where(hits, few.log_mass[None], -jnp.inf), 1)
    mass = jnp.transpose(mass, (*[1 + a for a in axes], 0, *[1 + a for a in kept])).reshape(n, width, *shape)
    size = n * (high - low) + 1
    start = jnp.full((size, *shape), -jnp.inf, mass.dtype).at[0].set(0.0)

    def add(total: Any, term: Any) -> tuple[Any, None]:
        shifted = [jnp.concatenate([jnp.full((k, *shape), -jnp.inf, total.dtype), total[: size - k]]) + term[k][None]
                   for k in range(width)]  # fmt: skip
        return log_sum(jnp.stack(shifted)), None

    total, _ = lax.scan(add, start, mass)
    numbers = [np.full(shape, n * low + k).astype(dtype) for k in range(size)]
    return Finite(numbers, total, shape, dtype)


__all__: Sequence[str] = ["Family", "alike", "along", "family", "same"]
