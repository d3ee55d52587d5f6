"""`sx.distribution`: a generative function becomes a distribution."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax import plates, supports
from storax.distributions.base import Distribution, is_known
from storax.distributions.derived import support_of_shapes
from storax.errors import ArgumentTypeError, NotMeasurable
from storax.handlers import seed
from storax.logprob.deriving import arrays, graphs, reducing, selecting  # noqa: F401  (their rules)
from storax.logprob.deriving.images import search_quantile
from storax.logprob.deriving.laws import Law
from storax.logprob.deriving.randoms import Random
from storax.logprob.deriving.registry import RULES
from storax.logprob.deriving.solving import Observation, Solver, check_shape, total
from storax.logprob.deriving.walking import Walk
from storax.logprob.stabilizing.rewriting import stable
from storax.models import Model
from storax.pytrees import static
from storax.sources import plain_errors
from storax.staging import stage

arrays.install()


class Derived(Distribution):
    """The distribution of what a program returns.  Made by a function decorated with `sx.distribution`.

    `batch_shape` has the axes of the output if its entries are independent of each other; else they are its event.
    """

    function: Any = static(default=None)
    args: Any = ()
    kwargs: Any = static(default=())
    axes: int = static(default=-1)  # of one value
    counts: bool = static(default=False)  # has every value a mass?

    def __post_init__(self) -> None:
        if self.axes < 0:  # newly made
            r = self._random()
            elementwise = r.law is not None and r.deps.independent
            object.__setattr__(self, "axes", 0 if elementwise else len(r.shape))
            object.__setattr__(self, "counts", r.law.is_discrete if r.law is not None else r.smooth is False)

    @property
    def name(self) -> str:
        return getattr(self.function, "__name__", "program")

    def _program(self) -> Any:
        args = jax.tree.map(_some, self.args)
        with plates.outside():
            return stage(self.function, args, dict(self.kwargs))

    def _node(self) -> graphs.Node:
        staged = self._program()
        graph = graphs.read(staged.closed, [graphs.known(x) for x in staged.arrays], named())
        if len(graph.outputs) != 1:
            raise ArgumentTypeError(
                f"{self.name} returns {len(graph.outputs)} arrays, and a distribution is one of one array. Observe "
                f"several with sx.deterministic in a model, and sx.log_density."
            )
        return graph.outputs[0]

    def _random(self) -> Random:
        node = self._node()
        r = Walk({})(node)
        if not isinstance(r, Random):
            raise NotMeasurable(f"{self.name} returns a value that is not random: it has no density.")
        return r

    def _form(self) -> tuple[tuple[int, ...], Any]:
        """Shape and dtype of what it returns.  A site asks where nothing can be computed, with shapes for arguments."""
        if not any(isinstance(x, jax.ShapeDtypeStruct) for x in jax.tree.leaves(self.args)):
            r = self._random()
            return r.shape, r.dtype
        found: list[Random] = []
        jax.eval_shape(lambda: found.append(self._random()))
        return found[0].shape, found[0].dtype

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        return self.axes

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        return self.counts

    @property
    def batch_shape(self) -> tuple[int, ...]:
        return () if self.event_dim else self._form()[0]

    @property
    def event_shape(self) -> tuple[int, ...]:
        return self._form()[0] if self.event_dim else ()

    @property
    def dtype(self) -> Any:
        return self._form()[1]

    @property
    def reparameterized(self) -> bool:  # type: ignore[override]
        return False

    @support_of_shapes
    def support(self) -> supports.Support:
        r = self._random()
        if r.law is None or not r.deps.independent:
            return supports.independent(supports.real, len(r.shape)) if r.shape else supports.real
        low, high = r.law.ends
        if r.dtype == bool:
            return supports.boolean
        if not (r.law.is_discrete or (is_known(low) and is_known(high))):  # perhaps infinite
            low, high = (jnp.broadcast_to(jnp.asarray(e, r.dtype), r.shape) for e in (low, high))
            return supports.between(low, high)
        return supports.range_between(_plain(low), _plain(high), r.law.is_discrete)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        one = seed(Model.of(self.function, "sx.distribution"), key) if not shape else None
        if one is not None:
            return jnp.asarray(one(*self.args, **dict(self.kwargs)))
        n = int(np.prod(shape))
        many = jax.vmap(lambda k: seed(self.function, k)(*self.args, **dict(self.kwargs)))(jax.random.split(key, n))
        out: jax.Array = many.reshape(*shape, *many.shape[1:])
        return out

    def log_prob(self, value: Any) -> jax.Array:
        return stable(Derived._log_prob, self, value)

    def _log_prob(self, value: Any) -> jax.Array:
        node = self._node()
        r = Walk({})(node)
        if not isinstance(r, Random):
            raise NotMeasurable(f"{self.name} returns a value that is not random: it has no density.")
        elementwise = r.law is not None and r.deps.independent

        def one(v: Any) -> Any:
            v = check_shape(v, node, self.name)
            if elementwise:
                law = r.law
                assert law is not None
                return law.density(_as(v, law))[0]
            return total(Solver([Observation(node, v)], {}, self.name).run())[0]

        return _over_copies(one, jnp.asarray(value), len(node.shape))

    def _law(self, what: str) -> Law:
        r = self._random()
        if r.law is None or not (r.deps.independent or r.shape == ()):
            raise NotMeasurable(
                f"{self.name}: no {what} can be derived: {r.why or 'its entries depend on each other'}."
            )
        return r.law

    def log_cdf(self, value: Any) -> jax.Array:
        return stable(lambda d, v: d._log_tail(v, upper=False), self, value)

    def log_survival(self, value: Any) -> jax.Array:
        return stable(lambda d, v: d._log_tail(v, upper=True), self, value)

    def _log_tail(self, value: Any, upper: bool) -> jax.Array:
        law = self._law("distribution function")
        return _over_copies(lambda v: law.tail(_as(v, law), upper), jnp.asarray(value), len(law.shape))

    def icdf(self, q: Any) -> jax.Array:
        law = self._law("quantile function")
        f = getattr(law, "icdf", None) or functools.partial(search_quantile, law)
        return _over_copies(f, jnp.asarray(q), len(law.shape))

    def take(self, positions: Any) -> Distribution:
        raise NotMeasurable(f"{self.name}: parts of a derived distribution are not known; index inside the program.")

    def validate(self) -> None:
        pass

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(map(supports.show, self.args))})"


def _some(x: Any) -> Any:
    """An array in the place of one of which only the shape is known."""
    return jnp.zeros(x.shape, x.dtype) if isinstance(x, jax.ShapeDtypeStruct) else x


def _as(v: Any, law: Law) -> Any:
    return v if law.dtype == bool else jnp.asarray(v, law.dtype) if jnp.issubdtype(law.dtype, jnp.floating) else v


def _plain(end: Any) -> Any:
    if isinstance(end, np.ndarray) and end.ndim == 0:
        return end.item()
    return end


def _over_copies(f: Callable[[Any], Any], value: Any, ndim: int) -> jax.Array:
    """`f`, mapped over the axes in front of the last `ndim`."""
    if value.ndim <= ndim:
        return f(value)
    lead = value.shape[: value.ndim - ndim]
    out = jax.vmap(f)(value.reshape(-1, *value.shape[value.ndim - ndim :]))
    return out.reshape(*lead, *out.shape[1:])


def named() -> frozenset[str]:
    """Calls of JAX's own functions that are kept whole."""
    from storax.logprob.deriving.registry import STRETCHES

    return frozenset(n for n in {*RULES, *STRETCHES} if ":" in n)


def distribution(f: Callable[..., Any]) -> Callable[..., Derived]:
    """Decorate a generative function: called with its parameters, it is the distribution of what it returns.

    Args:
        f: a program with anonymous draws, `sx.rv`, that returns one array.

    Returns:
        A function that makes a distribution.  Where numbers that are known only when the compiled program runs leave
        no density, as a factor of 0 or a singular matrix, its `log_prob` is nan; of numbers that are known before, such
        a program is refused.

    Raises:
        NotMeasurable: by `log_prob` and the others, if the density cannot be derived.

    >>> import jax.numpy as jnp, storax as sx
    >>> @sx.distribution
    ... def zero_inflated(pi, rate):
    ...     return jnp.where(sx.rv(sx.Bernoulli(pi)), 0, sx.rv(sx.Poisson(rate)))
    >>> bool(abs(zero_inflated(0.3, 4.0).log_prob(0) - jnp.log(0.3 + 0.7 * jnp.exp(-4.0))) < 1e-5)
    True
    """

    @functools.wraps(f)
    @plain_errors
    def make(*args: Any, **kwargs: Any) -> Derived:
        return Derived(f, args, tuple(kwargs.items()))

    return make
