"""`trace`: write down every named site."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import jax

from storax.distributions import Distribution
from storax.distributions.lanes import Lanes
from storax.effects import Effect, Handler, Perform, Record
from storax.errors import UnknownNameError, nearest
from storax.models import Model, transformation
from storax.pytrees import Pytree, static


class TracedSite(Pytree):
    """One entry of a trace.

    Attributes:
        value: `[*loops, *lanes, *shape, *batch, *event]`.
        distribution: of the value; None for a derived quantity, and for a site in a branch of `lax.cond`, whose
            parameters are not defined outside of the branch.
        log_prob: log density, without the event axes; None for a derived quantity.
        active: for a site in a branch of `lax.cond`, was the branch taken?  Else None.
        observed: is the value data?
    """

    value: Any
    distribution: Distribution | None
    log_prob: Any
    active: Any
    observed: bool = static()
    dims: tuple[str | None, ...] = static()

    @classmethod
    def of(cls, record: Record) -> TracedSite:
        log_prob = None if record.is_mark else record.score()
        return cls(record.value, _distribution(record), log_prob, record.active, record.site.observed, record.site.dims)


def _distribution(record: Record) -> Distribution | None:
    site = record.site
    if record.is_mark or site.tree is None:
        return None
    if site.lanes:
        return Lanes(list(record.leaves), site)
    d = site.distribution(record.leaves)
    return d.expand((*site.shape, *d.batch_shape)) if site.shape else d


@jax.tree_util.register_pytree_with_keys_class
class Trace(Mapping[str, TracedSite]):
    """The sites of one run by name, in program order; immutable, and a pytree."""

    def __init__(self, sites: Mapping[str, TracedSite]) -> None:
        self._sites = dict(sites)

    def __getitem__(self, name: str) -> TracedSite:
        if name not in self._sites:
            raise UnknownNameError(f"The trace has no site named {name!r}. {nearest(name, self._sites)}")
        return self._sites[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sites)

    def __len__(self) -> int:
        return len(self._sites)

    def __contains__(self, name: object) -> bool:
        return name in self._sites

    @property
    def values_by_name(self) -> dict[str, Any]:
        """name -> value, of every site."""
        return {n: s.value for n, s in self.items()}

    @property
    def latent(self) -> dict[str, Any]:
        """name -> value, of the sites that were chosen: neither data nor derived."""
        return {n: s.value for n, s in self.items() if not s.observed and s.log_prob is not None}

    def __repr__(self) -> str:
        rows = [(n, _text(s), "observed" if s.observed else "") for n, s in self.items()]
        wide = [max((len(r[i]) for r in rows), default=0) for i in range(2)]
        return "\n".join(["Trace", *(f"  {n:{wide[0]}}  {d:{wide[1]}}  {o}".rstrip() for n, d, o in rows)])

    def tree_flatten_with_keys(self) -> tuple[Any, Any]:
        keys = [jax.tree_util.DictKey(n) for n in self._sites]
        return list(zip(keys, self._sites.values(), strict=True)), tuple(self._sites)

    @classmethod
    def tree_unflatten(cls, names: tuple[str, ...], sites: Any) -> Trace:
        return cls(dict(zip(names, sites, strict=True)))


def _text(site: TracedSite) -> str:
    shape = getattr(site.value, "shape", ())
    name = "derived" if site.log_prob is None else repr(site.distribution) if site.distribution else "in a branch"
    return f"{name} -> {list(shape)}"


class Tracer(Handler):
    in_while: ClassVar[bool] = False

    def __call__(self, effect: Effect, perform: Perform, context: Any, records: dict[str, Any]) -> Effect:
        answer = perform(effect)
        name = effect.site.name  # as it is here: a handler further out may change or hide it
        if name:
            records[name] = record(answer.with_site(name=name))
        return answer

    def finish(self, output: Any, records: dict[str, Any]) -> Any:
        return output, Trace({n: TracedSite.of(r) for n, r in records.items()})


def record(answer: Effect) -> Record:
    """What is known of a site that has been answered."""
    return Record(answer.value, list(answer.leaves), kind=answer.kind, site=answer.site)


@transformation
def trace(model: Callable[..., Any]) -> Model:
    """The model that also returns what was chosen at every named site.

    Args:
        model: a model; its sites get their values from `seed`, `substitute`, ..., inside or outside of `trace`.

    Returns:
        A function of the model's arguments that returns `(output, Trace)`.

    Raises:
        ControlFlowError: a site in a `lax.while_loop`.

    >>> import storax as sx
    >>> def model():
    ...     mu = sx.sample("mu", sx.Normal(0.0, 1.0))
    ...     sx.sample("y", sx.Normal(mu, 1.0), obs=[0.5, 1.5])
    >>> _, trace = sx.trace(sx.seed(model, 0))()
    >>> list(trace), trace["y"].observed, trace["y"].log_prob.shape
    (['mu', 'y'], True, (2,))
    """
    return Model.of(model, "sx.trace").handled_by(Tracer())
