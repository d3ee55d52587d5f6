"""What distributions made from another one share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax import supports
from storax.distributions.base import Distribution, _float_type, is_known
from storax.errors import ArgumentTypeError, ParameterError
from storax.supports import Support


class Derived(Distribution):
    """Base of those made from a distribution of one number; moments are not passed on."""

    base: Distribution

    def __post_init__(self) -> None:
        one_number(self.name, self.base)
        super().__post_init__()

    @property
    def batch_shape(self) -> tuple[int, ...]:
        return np.broadcast_shapes(super().batch_shape, self.base.batch_shape)

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        return self.base.is_discrete

    @property
    def reparameterized(self) -> bool:  # type: ignore[override]
        return self.base.reparameterized

    @property
    def dtype(self) -> Any:
        if self.is_discrete:
            return self.base.dtype
        return jnp.result_type(self.base.dtype, *[_float_type(x) for x in self._given()])

    @property
    def _zero(self) -> jax.Array:
        """0, `[*batch_shape]`, in the floats of the base's parameters: whole numbers beside it become such floats."""
        kinds = [x.dtype for x in map(jnp.asarray, jax.tree.leaves(self.base)) if not x.weak_type]
        floats = [kind for kind in kinds if jnp.issubdtype(kind, jnp.floating)]
        return jnp.zeros(self.batch_shape, jnp.result_type(*floats) if floats else bool)

    def take(self, positions: Any) -> Distribution:
        own = {n: x if jnp.ndim(x) == 0 else self._flat(x)[positions] for n, x in self._named()}
        return self.replace(base=self._spread(self.base).take(positions), **own)

    def _named(self) -> list[tuple[str, Any]]:
        return [(n, x) for n in self.parameters if (x := getattr(self, n)) is not None]

    def _flat(self, x: Any) -> jax.Array:
        return jnp.broadcast_to(x, self.batch_shape).reshape(-1)

    def _spread(self, d: Distribution) -> Distribution:
        return d.expand(self.batch_shape)

    def validate(self) -> None:
        super().validate()
        self.base.validate()


class Bounded(Derived):
    """Base of those with a `low` and a `high`, either of which may be left out."""

    base: Distribution
    low: Any = None
    high: Any = None

    parameters = {"low": supports.extended_real, "high": supports.extended_real}  # noqa: RUF012

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            bound = getattr(self, name)
            if bound is not None and not hasattr(bound, "__len__") and supports.infinite(bound):
                object.__setattr__(self, name, None)  # no bound
        super().__post_init__()

    def validate(self) -> None:
        if self.low is None and self.high is None:
            raise ParameterError(f"{self.name} needs low, high or both, and got neither: {self.name}(base, low=0.0).")
        super().validate()
        low, high = self._ends()
        refuse_unless_below(self.name, "low", low, "high", high)

    def _ends(self) -> tuple[Any, Any]:
        low, high = self.low, self.high
        return -np.inf if low is None else low, np.inf if high is None else high


def support_of_shapes(f: Callable[[Any], Support]) -> Any:
    """A property `support` that computes with the parameters; where only their shapes are known, with shapes."""

    def support(self: Any) -> Support:
        if any(isinstance(x, jax.ShapeDtypeStruct) for x in jax.tree.leaves(self)):
            answer: Support = jax.eval_shape(f, self)
            return answer
        return f(self)

    return property(support)


def one_number(name: str, base: Any) -> None:
    """Refuse what is no distribution of one number, or is masked.

    Raises:
        ArgumentTypeError: with what it is.
    """
    if not isinstance(base, Distribution):
        raise ArgumentTypeError(f"{name}: base must be a distribution, and is {base!r}.")
    if base.event_dim:
        raise ArgumentTypeError(
            f"{name}: base must be a distribution of one number, and {base!r} has event shape {base.event_shape}."
        )
    refuse_mask(name, base)


def refuse_mask(name: str, base: Distribution) -> None:
    """A mask inside would take the density away, but leave the distribution function.

    Raises:
        ArgumentTypeError: with the call that fixes it.
    """
    if base.counted is not None:
        raise ArgumentTypeError(f"{name}: {base!r} is masked. Mask the result instead: {name}(...).mask(mask).")


def refuse_unless_below(name: str, a: str, low: Any, b: str, high: Any) -> None:
    """Refuse bounds that are not in order, as far as they are known.

    Raises:
        ParameterError: with the first pair.
    """
    if not (is_known(low) and is_known(high)):
        return
    with jax.ensure_compile_time_eval():
        low, high = np.broadcast_arrays(np.asarray(low), np.asarray(high))
    for index in np.argwhere(~(low < high))[:1]:
        at = f"[{', '.join(map(str, index))}]" if len(index) else ""
        raise ParameterError(f"{name}: {b} must be above {a}, and {a}{at} is {low[*index]}, {b}{at} is {high[*index]}.")


def refuse_fractions(name: str, **bounds: Any) -> None:
    """Refuse bounds of counts that no count can take.

    Raises:
        ParameterError: the first.
    """
    for bound, x in bounds.items():
        if x is not None and is_known(x):
            with jax.ensure_compile_time_eval():
                numbers = np.asarray(x, float)
            for value in numbers[np.isfinite(numbers) & (np.floor(numbers) != numbers)].ravel()[:1]:
                raise ParameterError(f"{name}: {bound} must be whole, as the base is discrete, and is {value}.")


def no_overlap(name: str, low: Any, high: Any, support: Support) -> None:
    """Refuse bounds between which a support has nothing, as far as they are known.

    Raises:
        ParameterError: with both.
    """
    ends = supports.ends(support)
    if ends is None or not all(is_known(x) for x in (low, high, *ends)):
        return
    with jax.ensure_compile_time_eval():
        low, high, a, b = np.broadcast_arrays(*[np.asarray(x) for x in (low, high, *ends)])
    for index in np.argwhere((high < a) | (low > b))[:1]:
        raise ParameterError(
            f"{name}: nothing of the base, whose support is {support!r}, lies between low = {low[*index]} and high = "
            f"{high[*index]}."
        )
