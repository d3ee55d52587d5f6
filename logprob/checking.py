"""`check`: a look at a model and its data before anything is compiled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from storax import comparing, jaxprs, tables
from storax.data import is_concrete
from storax.distributions import Distribution
from storax.effects import Context, Effect, Perform, Record, SiteInfo, Sites
from storax.errors import ModelError, ObservationError
from storax.logprob.collecting import Collector, collect
from storax.models import Model, transformation
from storax.primitives import Site
from storax.sources import plain_errors
from storax.staging import Staged, stage
from storax.surveying import survey
from storax.validation import check_observation, refuse_nan, validate_site


class Row(NamedTuple):
    """One line of a report.

    `kind` is "latent", "observed", "derived" or "factor"; `shape` has all axes, also those of loops and `jax.vmap`;
    `support` is None for a derived quantity.
    """

    name: str
    kind: str
    distribution: str
    shape: tuple[int, ...]
    support: Any
    dims: tuple[str | None, ...]


class Report(tables.Named[Row]):
    """The sites of a model by name; prints as a table."""

    unknown = "The model has no site named"

    def __repr__(self) -> str:
        head = ("site", "kind", "distribution", "shape", "support")
        body = [(r.name, r.kind, r.distribution, str(r.shape), "" if r.support is None else str(r.support))
                for r in self.values()]  # fmt: skip
        return tables.aligned([head, *body])


@transformation
def check(model: Callable[..., Any]) -> Callable[..., Report]:
    """A cheap look at a model with its arguments: nothing is compiled, nothing is drawn.

    Args:
        model: a model.

    Returns:
        `f(*args, **kwargs) -> Report`, a table of the sites that maps name -> row.

    Raises:
        ModelError: duplicate names, or sites that change from call to call.
        ObservationError: an observation that is nan or outside of the support.
        ParameterError: a parameter, known before any draw, outside of its range.
        And whatever the model raises while it is traced.

    >>> import storax as sx
    >>> def model(y):
    ...     mu = sx.sample("mu", sx.Normal(0.0, 5.0))
    ...     sx.sample("y", sx.Normal(mu, 1.0), obs=y)
    >>> sx.check(model)([1.0, 2.0])
    site  kind      distribution  shape  support
    mu    latent    Normal        ()     real
    y     observed  Normal        (2,)   real
    """
    model = Model.of(model, "sx.check")

    @plain_errors
    def f(*args: Any, **kwargs: Any) -> Report:
        staged = model.stage(*args, **kwargs)
        refuse_changing_sites(model, staged, stage(model.function, args, kwargs, fresh=True))
        return examine(model, staged, staged.arrays)

    return f


class Looker(Collector):
    """Also looks past sites that have no name outside or no count of draws: they get an unknown number."""

    unknown: Any = None

    in_while: ClassVar[bool] = True
    sees_hidden: ClassVar[bool] = True

    def context(self, sites: Sites) -> Context:
        return Context(given=self.values, key=self.unknown)

    def __call__(self, effect: Effect, perform: Perform, context: Context, records: dict[str, Any]) -> Effect:
        if not effect.site.hidden and (
            effect.value is not None or effect.kind == "mark" or effect.name in context.given
        ):
            return super().__call__(effect, perform, context, records)
        if effect.value is None and effect.kind == "sample":
            aval = effect.site.aval(effect.leaves)
            effect = effect._replace(value=jnp.broadcast_to(context.key, aval.shape).astype(aval.dtype))
        return effect.settle(effect.leaves[0] if effect.value is None else effect.value)


def refuse_changing_sites(model: Model, first: Staged, second: Staged) -> None:
    """Two traces of one model must be one program.

    Raises:
        ModelError: another site, shape or constant the second time.
    """
    names = [list(survey(s.closed)) for s in (first, second)]
    if names[0] != names[1]:
        changed = sorted(set(names[0]) ^ set(names[1])) or names[0]
        what = f"the sites {', '.join(map(repr, changed))}"
    elif (difference := comparing.difference(first.closed, second.closed)) is not None:
        what = difference
    else:
        return
    raise ModelError(
        f"The model {getattr(model.function, '__name__', '')!r} is not the same program from call to call: {what} "
        f"changed between two traces. A model is traced once and must be a pure function: draw random numbers with "
        f"sx.sample or sx.rv (not NumPy), and pass what changes as an argument."
    )


def examine(model: Model, staged: Staged, arrays: Sequence[Any]) -> Report:
    """The table of the sites; refuses bad data and bad parameters as far as they are known."""
    sites = model.sites(staged)
    records = known_records(model, staged, arrays, sites)
    for r in records.values():
        if not r.is_mark:
            _validate(r)
    return Report({n: _row(i, records.get(n)) for n, i in sites.items() if i.visible})


def known_records(model: Model, staged: Staged, arrays: Sequence[Any], sites: Sites) -> dict[str, Record]:
    """Every site's record, with numbers where they follow from the arguments alone, and shapes where they do not."""
    open_ones = {n: i for n, i in sites.items() if i.is_open and i.visible and not i.uncounted}
    unknown = [jax.ShapeDtypeStruct(i.shape, i.dtype) for i in open_ones.values()]
    unknown.append(jax.ShapeDtypeStruct((), jnp.float32))
    tree: list[Any] = []

    def walk(values: Any, arrays: Any) -> list[Any]:
        *values, other = values
        looker = Looker(dict(zip(open_ones, values, strict=True)), "sx.check", other)
        records = collect(model, staged, arrays, looker)
        leaves, structure = jax.tree.flatten(records)
        tree.append((structure, [None if isinstance(x, jax.core.Tracer) else x for x in leaves]))
        return leaves

    closed = jax.make_jaxpr(walk)(unknown, list(arrays))
    is_unknown = [True] * len(unknown) + [False] * len(arrays)
    structure, constants = tree[-1]
    numbers = jaxprs.evaluate_known(closed, is_unknown, [None] * len(unknown) + list(arrays))
    leaves = [n if c is None else c for n, c in zip(numbers, constants, strict=True)]
    return jax.tree.unflatten(structure, leaves)


def _validate(record: Record) -> None:
    site = record.site
    if site.tree is None:  # it was in a branch of lax.cond: what is left of it is its value
        if site.observed and is_concrete([record.value, record.active]) and bool(np.all(record.active)):
            refuse_nan(site, np.asarray(record.value), np.ones(np.shape(record.value), bool))
        return
    validate_site(site, record.leaves)
    if site.is_factor:
        _check_factor(site, record.leaves[0])
    elif site.observed and is_concrete(record.value):
        check_observation(site, np.asarray(record.value), record.leaves)


def _check_factor(site: Site, log_weight: Any) -> None:
    if is_concrete(log_weight) and (np.isnan(log_weight) | (np.asarray(log_weight) == np.inf)).any():
        raise ObservationError(f"{site.label} adds {np.max(log_weight)} to the log density: it must be below infinity.")


def _row(info: SiteInfo, record: Record | None) -> Row:
    site = info.site
    kind = "latent" if info.is_open or not site.observed else "factor" if site.is_factor else "observed"
    if info.is_derived:
        kind = "observed" if site.observed else "derived"
    d = _abstract(info, record)
    support = getattr(d, "support", None)
    return Row(site.name, kind, "" if d is None else d.name, info.shape, support, site.dims)


def _abstract(info: SiteInfo, record: Record | None) -> Distribution | None:
    if info.is_derived:
        return None
    leaves = record.leaves if record is not None and record.site.tree is not None else None
    return info.site.distribution(leaves or [None] * info.site.tree.num_leaves)
