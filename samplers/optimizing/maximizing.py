"""`map_estimate`: the values of highest posterior density."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from storax.data import is_concrete
from storax.errors import InitializationError, SettingsError, UnknownNameError, nearest
from storax.handlers.giving import gather
from storax.keys import as_key
from storax.logprob.unconstraining import Density
from storax.models import Model, transformation
from storax.pytrees import Pytree
from storax.samplers.compiling import Source, compiled
from storax.samplers.optimizing.optimizers import Minimum, as_optimizer, descend, lbfgs
from storax.samplers.optimizing.starts import best, candidates, initial_values
from storax.samplers.running.settings import as_count
from storax.sources import plain_errors


class PointEstimate(Pytree):
    """Values of all latent and derived quantities, `estimate["mu"]`, and how they were found.

    Attributes:
        values: name -> array of the site's shape.
        log_density: at the values; with the log-determinant of the way to R^n if that was asked for.
        converged: is it a maximum, as far as can be seen?
        num_steps: of the optimiser, in the start that was kept.
        z: the point of R^n, name -> array.
    """

    values: dict[str, Any]
    log_density: Any
    converged: Any
    num_steps: Any
    z: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        if name not in self.values:
            raise UnknownNameError(f"The estimate has no quantity {name!r}. {nearest(name, self.values)}")
        return self.values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)

    def __len__(self) -> int:
        return len(self.values)

    def __contains__(self, name: object) -> bool:
        return name in self.values


@transformation
def map_estimate(
    model: Callable[..., Any],
    optimizer: Any = None,
    *,
    jacobian: bool = False,
    max_steps: int = 1000,
    num_restarts: int = 4,
    tolerance: float = 1e-6,
    init: Mapping[str, Any] | None = None,
) -> Callable[..., PointEstimate]:
    """The maximum of the posterior density, and the best values of all `sx.param`s.

    Args:
        model: a model; its latent sites must be continuous.
        optimizer: default L-BFGS with a line search; or an optax transformation, or the name of one, "adam", which then
            takes `max_steps` steps.
        jacobian: False: the density of the values themselves is maximised, the field's MAP estimate.  True: that of the
            point in R^n, where positive numbers are logarithms; it is what `sx.laplace` expands around, changes with
            the parametrisation, and has no maxima on the boundary of a support.
        max_steps: of one start, at least 1.
        num_restarts: further starts at random, as long as none has converged; not negative.
        tolerance: in nats: the search ends when the next step promises less.
        init: name -> value, where the search starts; sites left out start at random, parameters at their own start.

    Returns:
        `f(key, *args, **kwargs) -> PointEstimate`; pure, it can be jitted and, over keys, vmapped.

    Raises:
        InitializationError: no start with a finite density.
        ArgumentTypeError, SettingsError: an optimiser that is none, and numbers out of range.
        The errors of `sx.unconstrain`.

    >>> import jax.numpy as jnp, storax as sx
    >>> def model(y):
    ...     rate = sx.sample("rate", sx.Gamma(3.0, 1.0))
    ...     sx.sample("y", sx.Poisson(rate), obs=y)
    >>> estimate = sx.map_estimate(model)(0, jnp.array([2, 4, 3]))
    >>> round(float(estimate["rate"]), 3), bool(estimate.converged)      # (3 - 1 + 9) / (1 + 3)
    (2.75, True)
    """
    model = Model.of(model, "sx.map_estimate")
    chosen = None if optimizer is None else as_optimizer(optimizer, "sx.map_estimate")
    search = Search(
        chosen,
        bool(jacobian),
        as_count("sx.map_estimate: max_steps", max_steps, 1),
        as_count("sx.map_estimate: num_restarts", num_restarts, 0),
        _positive(tolerance),
    )
    given = gather(init, {}, "sx.map_estimate(init=...)")

    @plain_errors
    def f(key: Any = None, /, *args: Any, **kwargs: Any) -> PointEstimate:
        key = as_key(key, "sx.map_estimate(...)")
        staged = model.stage(*args, **kwargs)

        def build(source: Source) -> Any:
            def run(data: Any, key: Any, given: Any) -> PointEstimate:
                density = source.density(data, "sx.map_estimate")
                starts = initial_values(source.model(data), source.staged(data), key) | given
                return maximum(density, key, starts, search)

            return jax.jit(run)

        program = compiled(model, staged, args, kwargs, ("map", search, tuple(given)), build)
        estimate = program(Source.data(model, staged), key, given)
        refuse_nowhere(estimate.log_density, "sx.map_estimate")
        return estimate

    return f


class Search(Pytree):
    """The settings of a search for a maximum."""

    optimizer: Any
    jacobian: bool
    max_steps: int
    num_restarts: int
    tolerance: float

    def __hash__(self) -> int:
        return hash(tuple(vars(self).values()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Search) and tuple(vars(self).values()) == tuple(vars(other).values())


def maximum(density: Density, key: jax.Array, given: Mapping[str, Any], search: Search) -> PointEstimate:
    """The best of several searches: new starts are tried as long as none has converged."""

    def objective(vector: jax.Array) -> jax.Array:
        at = density.evaluate(vector)
        value = at.log_density if search.jacobian else at.of_values
        return -value.astype(vector.dtype)

    def attempt(number: Any) -> Minimum:
        start = best(density, candidates(density, jax.random.fold_in(key, number), given))
        if search.optimizer is None:
            return lbfgs(objective, start, search.max_steps, search.tolerance)
        return descend(objective, start, search.max_steps, search.tolerance, search.optimizer)

    def again(carry: Any) -> Any:
        number, kept = carry
        new = attempt(number)
        better = (new.converged & ~kept.converged) | (new.value < kept.value) | ~jnp.isfinite(kept.value)
        return number + 1, jax.tree.map(lambda a, b: jnp.where(better, a, b), new, kept)

    nothing = jnp.zeros(density.size, density.layout.dtype)
    no, none, worst = jnp.zeros((), bool), jnp.zeros((), jnp.int32), jnp.full((), jnp.inf, nothing.dtype)
    unfinished = lambda c: (c[0] <= search.num_restarts) & ~c[1].converged  # noqa: E731
    _, found = lax.while_loop(unfinished, again, (none, Minimum(nothing, worst, nothing, no, none)))
    return PointEstimate(
        density.quantities(found.x), -found.value, found.converged, found.num_steps, density.unflatten(found.x)
    )


def refuse_nowhere(log_density: Any, call: str) -> None:
    """Refuse a search that never saw a finite density."""
    if is_concrete(log_density) and not np.isfinite(np.asarray(log_density)).all():
        raise InitializationError(
            f"{call}: the log density is {np.asarray(log_density)} at every start that was tried: there is nowhere to "
            f"go from. See where with sx.unconstrain(model)(...).site_scores(...), or start from values that are "
            f"possible: init={{name: value}}."
        )


def _positive(tolerance: Any) -> float:
    if not isinstance(tolerance, (int, float)) or not tolerance > 0:
        raise SettingsError(f"sx.map_estimate: tolerance must be positive, got {tolerance!r}.")
    return float(tolerance)
