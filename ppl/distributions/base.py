"""The interface of a distribution, and what all of them share.

A distribution is a frozen pytree: its parameters are the leaves.  A subclass names the support of each parameter in
`parameters`, its own `support`, and says `sample` and `log_prob`; the rest is optional.
"""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from storax import supports
from storax.distributions.constructing import explained
from storax.errors import ArgumentTypeError, BatchIndexError, NotMeasurable, ParameterError, ShapeError
from storax.pytrees import Pytree
from storax.sources import plain_errors, reached
from storax.supports import Support, show
from storax.validation import as_shape


class Distribution(Pytree, abc.ABC):
    """A distribution, or a batch of them: `[*batch_shape, *event_shape]` is the shape of one draw.

    Attributes:
        parameters: name -> support of each parameter, checked by `validate`.
        event_dim: trailing axes of a draw that make up one value.
        is_discrete: has it a mass function rather than a density?
        reparameterized: is the gradient of a draw with respect to the parameters that of a path of draws?
    """

    parameters: ClassVar[Mapping[str, Support]] = {}
    event_dim: ClassVar[int] = 0
    is_discrete: ClassVar[bool] = False
    reparameterized: ClassVar[bool] = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            cls.__init__ = explained(cls.__init__)  # type: ignore[method-assign]

    def __post_init__(self) -> None:
        optional = {f.name for f in dataclasses.fields(self) if f.default is None}
        for name in self.parameters:
            value = getattr(self, name)
            if value is not None or name not in optional:
                value = as_parameter(value, f"{self.name}: {name}")
                if jnp.ndim(value) < self.parameters[name].event_dim:
                    kind = {1: "vector", 2: "matrix"}[self.parameters[name].event_dim]
                    raise ShapeError(f"{self.name}: {name} must be a {kind}, and has shape {jnp.shape(value)}.")
                object.__setattr__(self, name, value)
        _ = self.batch_shape  # parameters that do not broadcast are refused here
        if reached.get() is None:  # within a model it is the site that refuses, and says its name
            self.validate()

    @property
    def name(self) -> str:
        return type(self).__name__

    # Shapes

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """How many distributions: the broadcast shape of the parameters."""
        given = {n: jnp.shape(x) for n in self.parameters if (x := getattr(self, n)) is not None}
        batches = {n: s[: len(s) - self.parameters[n].event_dim] for n, s in given.items()}
        try:
            return np.broadcast_shapes(*batches.values())
        except ValueError:
            listing = ", ".join(f"{n} has shape {s}" for n, s in given.items())
            raise ShapeError(f"{self.name}: the parameters do not broadcast: {listing}.") from None

    @property
    def event_shape(self) -> tuple[int, ...]:
        """The shape of one value."""
        return ()

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one draw."""
        return (*self.batch_shape, *self.event_shape)

    @property
    def dtype(self) -> Any:
        """The dtype of a draw: integers if discrete, else the widest of the floating parameters."""
        if self.is_discrete:
            return jnp.result_type(int)
        return jnp.result_type(float, *[_float_type(x) for x in self._given()])

    def _given(self) -> list[Any]:
        return [x for n in self.parameters if (x := getattr(self, n)) is not None]

    # Meaning

    @property
    @abc.abstractmethod
    def support(self) -> Support:
        """The values it can take."""

    @abc.abstractmethod
    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        """Independent draws `[*shape, *batch_shape, *event_shape]`."""

    @abc.abstractmethod
    def log_prob(self, value: Any) -> jax.Array:
        """Log density or log mass, without the event axes; -inf outside of the support, nan at nan."""

    def log_cdf(self, value: Any) -> jax.Array:
        """log P(X <= value)."""
        raise NotMeasurable(f"{self.name} has no distribution function in closed form.")

    def log_survival(self, value: Any) -> jax.Array:
        """log P(X > value)."""
        raise NotMeasurable(f"{self.name} has no distribution function in closed form.")

    def cdf(self, value: Any) -> jax.Array:
        """P(X <= value)."""
        return jnp.exp(self.log_cdf(value))

    def icdf(self, q: Any) -> jax.Array:
        """The quantile function: the smallest x with P(X <= x) >= q, for q in [0, 1].

        Another q gives nan; of counts, which have no nan, it is refused, and where it is traced it gives the smallest
        integer.
        """
        raise NotMeasurable(f"{self.name} has no quantile function in closed form.")

    @property
    def mean(self) -> jax.Array:
        """`shape`; nan or inf where it is not finite."""
        raise NotMeasurable(f"{self.name} has no mean in closed form.")

    @property
    def variance(self) -> jax.Array:
        """`shape`, element by element; nan or inf where it is not finite."""
        raise NotMeasurable(f"{self.name} has no variance in closed form.")

    @property
    def covariance(self) -> jax.Array:
        """`[*batch_shape, d, d]`, of the entries of a vector."""
        raise NotMeasurable(f"{self.name} has no covariance matrix in closed form.")

    @property
    def mode(self) -> jax.Array:
        """`shape`: a value of the highest density; where the density has no bound, where it grows to infinity."""
        raise NotMeasurable(f"{self.name} has no mode in closed form.")

    def entropy(self) -> jax.Array:
        """`batch_shape`, in nats: the mean of minus `log_prob`."""
        raise NotMeasurable(f"{self.name} has no entropy in closed form.")

    # Combinators

    def __getitem__(self, index: Any) -> Distribution:
        """A part of the batch, as of an array: `Normal(locs, 1.0)[2:5]`.  Event axes stay whole.

        Raises:
            BatchIndexError: the batch has no such part.
        """
        # NumPy refuses an index out of range, where JAX takes the nearest one.
        numbers: Any = np if all(map(is_known, jax.tree.leaves(index))) else jnp
        try:
            return self.take(numbers.arange(math.prod(self.batch_shape)).reshape(self.batch_shape)[index])
        except (IndexError, TypeError) as error:
            raise BatchIndexError(f"{self!r} has batch shape {self.batch_shape}: {error}") from None

    def take(self, positions: Any) -> Distribution:
        """The distributions at these positions of the flattened batch; their shape is the new batch shape."""

        def part(path: Any, x: Any) -> Any:
            event = self.parameters[path[0].name].event_dim
            if jnp.ndim(x) <= event:  # all of the batch shares it
                return x
            inner = jnp.shape(x)[jnp.ndim(x) - event :]
            return jnp.broadcast_to(x, (*self.batch_shape, *inner)).reshape(-1, *inner)[positions]

        return jax.tree_util.tree_map_with_path(part, self).expand(jnp.shape(positions))

    @plain_errors
    def expand(self, batch_shape: int | Sequence[int]) -> Distribution:
        """Independent copies up to this batch shape, which the own one must broadcast to."""
        from storax.distributions.wrappers import Expanded

        batch_shape = as_shape(batch_shape, f"{self!r}: the batch shape of expand")
        return self if batch_shape == self.batch_shape else Expanded(self, batch_shape)

    @plain_errors
    def to_event(self, count: int | None = None) -> Distribution:
        """Make the last `count` batch axes (default: all) part of the event: one value, one log density."""
        from storax.distributions.wrappers import Independent

        count = len(self.batch_shape) if count is None else count
        if not isinstance(count, (int, np.integer)) or isinstance(count, bool):
            raise ArgumentTypeError(f"{self!r}: to_event takes a number of batch axes, a Python int, not {count!r}.")
        return Independent(self, count) if count else self

    def mask(self, mask: Any) -> Distribution:
        """Log densities count only where the mask (boolean, broadcast to the batch shape) is True."""
        from storax.distributions.wrappers import Masked

        return Masked.of(self, mask)

    @property
    def counted(self) -> Any:
        """Which of the batch count, if `mask` was used; else None.  `batch_shape`, and the first of the event's axes
        if they were those of a batch with a mask: `to_event` comes after `mask`.
        """
        return None

    # Checks

    def validate(self) -> None:
        """Refuse parameters outside of their range, as far as their numbers are known.

        Raises:
            ParameterError: with the parameter, the index and the value.
        """
        for name, support in self.parameters.items():
            value = getattr(self, name)
            if value is not None:
                refuse_outside(self.name, name, value, support)

    def _or_nan(self, score: jax.Array, *required: Any, names: Sequence[str] | None = None) -> jax.Array:
        """`score`, but nan where a traced parameter is not what it must be, or a requirement (a boolean) does not hold:
        no density is made up there.  Known parameters were refused before; `names` are those to look at, if not all."""
        names = tuple(self.parameters) if names is None else names
        given = {n: x for n in names if (x := getattr(self, n)) is not None and not is_known(x)}
        for good in (*(self.parameters[n](x) for n, x in given.items()), *required):
            score, good = promote_batches(score, good)
            score = jnp.where(good, score, jnp.nan)
        return score

    def __repr__(self) -> str:
        fields = [(f.name, getattr(self, f.name)) for f in dataclasses.fields(self) if f.repr]
        return f"{self.name}({', '.join(f'{n}={show(x)}' for n, x in fields if x is not None)})"


def as_parameter(value: Any, what: str) -> Any:
    """Python numbers and JAX arrays as they are; lists, NumPy arrays and pandas objects as arrays.

    Raises:
        ArgumentTypeError: not real numbers.
    """
    if type(value) in (bool, int, float):  # np.float64 is a float, too, and has a dtype
        return value
    array = value if isinstance(value, (jax.Array, jax.ShapeDtypeStruct)) else _as_array(value)
    real = jnp.issubdtype(array.dtype, jnp.number) and not jnp.issubdtype(array.dtype, jnp.complexfloating)
    if not real and array.dtype != bool:
        raise ArgumentTypeError(f"{what} must be a number or an array of numbers, got {value!r}.")
    return array


def _as_array(value: Any) -> Any:
    try:
        array = np.asarray(value)
        return array.astype(jax.dtypes.canonicalize_dtype(array.dtype), copy=False)
    except (TypeError, ValueError):
        pass
    try:
        return jnp.stack([jnp.asarray(x) for x in value])  # a list with tracers
    except (TypeError, ValueError):
        return np.asarray(None)  # not numbers


def refuse_outside(owner: str, name: str, value: Any, support: Support) -> None:
    """Refuse a parameter that is outside of its support, as far as its numbers are known.

    Raises:
        ParameterError: with the parameter, the index and the value.
    """
    if not is_known(value):
        return
    with jax.ensure_compile_time_eval():
        numbers = np.asarray(value)
        outside = ~np.asarray(support(numbers))
    if outside.any():
        index = tuple(int(i) for i in np.argwhere(outside)[0])
        where = f"[{', '.join(map(str, index))}]" if index else ""
        raise ParameterError(
            f"{owner}: {name} must be {_in_words(support)}, and {name}{where} is "
            f"{np.array2string(numbers[index], precision=6, separator=', ')} ({int(outside.sum())} in all)."
        )


def is_known(x: Any) -> bool:
    """Are the numbers of x known now, rather than when a compiled program runs?"""
    return not isinstance(x, (jax.core.Tracer, jax.ShapeDtypeStruct))


def _float_type(x: Any) -> Any:
    """The dtype that a parameter asks for; a Python number asks for none."""
    if type(x) in (bool, int, float):
        return float
    dtype = jnp.result_type(x)
    if getattr(x, "weak_type", False) or not jnp.issubdtype(dtype, jnp.floating):
        return float
    return dtype


def _in_words(support: Support) -> str:
    if isinstance(support, supports.Independent):
        return f"{_in_words(support.base)} in every entry"
    return {
        "real": "finite",
        "real_vector": "finite",
        "nonnegative": "not negative",
        "unit_interval": "between 0 and 1",
        "positive_definite": "symmetric and positive definite",
        "lower_cholesky": "lower triangular with a positive diagonal",
        "simplex": "not negative with sum 1",
        "log_weights": "finite or -inf, and not all of them -inf",
        "integer": "a whole number",
        "extended_real": "a number, or infinite",
        "nonnegative_integer": "a whole number, not negative",
        "positive_integer": "a whole number above 0",
    }.get(repr(support), repr(support))


def promote(*arrays: Any) -> list[jax.Array]:
    """Floating arrays of the same rank: broadcasting happens here, in the open.

    Python numbers are of the type of the arrays beside them, and stay weakly typed if there are none; integers become
    what the floats beside them are, but no less than 32 bits.
    """
    ndim = max(jnp.ndim(x) for x in arrays)
    arrays = tuple(jnp.asarray(float(x) if isinstance(x, (bool, int)) else x) for x in arrays)
    floats = [x.dtype for x in arrays if jnp.issubdtype(x.dtype, jnp.floating) and not x.weak_type]
    whole = jnp.result_type(*floats, jnp.float32) if floats else jnp.result_type(float)
    out = []
    for x in arrays:
        if not jnp.issubdtype(x.dtype, jnp.floating):
            x = x.astype(whole)
        elif x.weak_type and floats:
            x = x.astype(jnp.result_type(*floats))
        out.append(x.reshape((1,) * (ndim - x.ndim) + x.shape) if 0 < x.ndim < ndim else x)
    return out


def promote_batches(*arrays: Any) -> list[jax.Array]:
    """Arrays of the same rank, each of its own type."""
    ndim = max(jnp.ndim(x) for x in arrays)
    return [jnp.reshape(x, (1,) * (ndim - jnp.ndim(x)) + jnp.shape(x)) for x in arrays]


def within(inside: Any, value: Any) -> jax.Array:
    """A log density that is -inf where `inside` is False; nan in the value stays nan."""
    return jnp.where(inside, value, -jnp.inf)
