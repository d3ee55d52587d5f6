"""Walk a model with all its values given, and write every site down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import jax

from storax.data import as_value
from storax.distributions.wrappers import Scaled, Wrapper
from storax.effects import Context, Effect, Handler, Perform, Record, SiteInfo, Sites
from storax.errors import ArgumentTypeError, ControlFlowError, ModelError, NotMeasurable, UnknownNameError, nearest
from storax.models import Model
from storax.pytrees import static
from storax.staging import Staged


class Collector(Handler):
    """The outermost handler of every density: gives the open sites their values, and records all named ones."""

    values: dict[str, Any]
    call: str = static(default="sx.log_density")

    in_while: ClassVar[bool] = False

    def context(self, sites: Sites) -> Context:
        return Context(given=self.values)

    def __call__(self, effect: Effect, perform: Perform, context: Context, records: dict[str, Any]) -> Effect:
        effect, noted = self.answer(effect, context)
        answer = perform(effect.settle())
        if answer.site.name:
            records[answer.site.name] = Record(answer.value, list(answer.leaves), kind=answer.kind, site=answer.site,
                                               **noted)  # fmt: skip
        return answer

    def answer(self, effect: Effect, context: Context) -> tuple[Effect, dict[str, Any]]:
        """The effect with its value, and what else to write down."""
        if effect.name in context.given:
            return effect.given(context.given[effect.name], observed=False), {}
        if effect.kind == "mark" and effect.value is None:
            return effect._replace(value=effect.leaves[0]), {}
        return effect, {}


class Unweighted(Collector):
    """Leaves weights out of what is scored."""

    def answer(self, effect: Effect, context: Context) -> tuple[Effect, dict[str, Any]]:
        effect, noted = super().answer(effect, context)
        return without_weight(effect), noted


def without_weight(effect: Effect) -> Effect:
    """The site with its distribution's `Scaled` taken off, wherever in a chain of wrappers they are."""
    tree = effect.site.tree
    if tree is None:
        return effect
    places = jax.tree.unflatten(tree, range(tree.num_leaves))
    kept, new = jax.tree.flatten(_unscaled(places))
    origins = effect.site.origins
    if origins is not None:
        origins, places_of_origins = origins.keep(kept, effect.leaves)
        kept = [*kept, *places_of_origins]
    leaves = [effect.leaves[i] for i in kept]
    lanes = tuple((n, tuple(mapped[i] for i in kept)) for n, mapped in effect.site.lanes)
    return effect._replace(leaves=leaves).with_site(tree=new, lanes=lanes, origins=origins)


def _unscaled(d: Any) -> Any:
    if isinstance(d, Scaled):
        return _unscaled(d.base)
    if isinstance(d, Wrapper):
        copy = jax.tree.map(lambda x: x, d)
        object.__setattr__(copy, "base", _unscaled(d.base))
        return copy
    return d


def collect(model: Model, staged: Staged, arrays: Sequence[Any], collector: Collector) -> dict[str, Record]:
    """The records of all named sites, in program order."""
    return model.handled_by(collector).walk(staged, arrays)[1][-1]


def open_sites(sites: Sites, call: str, integrate: bool = False) -> Sites:
    """The named choices that are open; `integrate`: beside them there may be draws to be integrated out.

    Raises:
        NotMeasurable: an anonymous draw would have to be integrated out, or an observed derived quantity solved for.
    """
    for info in sites.values():
        if info.uncounted:
            raise ControlFlowError(
                f"{call}: {info.site.label} is in a lax.while_loop (or a lax.fori_loop with bounds that are traced), "
                f"where the number of draws is known only when the program runs, so there is no joint density. Use "
                f"lax.scan, or lax.fori_loop with Python ints."
            )
        if integrate and not info.site.hidden:
            continue
        if info.is_open and not info.visible:
            why = "is hidden by sx.block, and has" if info.site.hidden else "has no name and"
            raise NotMeasurable(
                f"{call}: {info.site.label} {why} no value: it would have to be integrated out, which {call} does "
                f"not do. Name it with sx.sample, give it a value, or draw it with sx.seed."
            )
        if info.is_derived and info.site.observed and info.visible:
            raise NotMeasurable(
                f"{call}: {info.site.label} is a derived quantity that is observed; its density would have to be "
                f"found from the choices behind it, which {call} does not do. Observe the choice itself."
            )
    return {n: i for n, i in sites.items() if i.is_open and (i.visible or not integrate)}


def check_mapping(values: Any, call: str) -> None:
    if not isinstance(values, Mapping):
        raise ArgumentTypeError(
            f"{call} needs the values by name first, f({{'mu': 1.0}}, *args), and got {type(values).__name__}."
        )


def check_values(values: Any, sites: Sites, call: str) -> dict[str, Any]:
    """Exactly the open sites' values, with their shapes and dtypes.

    Raises:
        UnknownNameError: a name that is missing, or one that the model does not have.
        NotMeasurable: the value of a derived quantity.
        ModelError: the value of a site that has one already.
    """
    check_mapping(values, call)
    wanted = open_sites(sites, call)
    for name in values:
        if name not in sites or not sites[name].visible:
            known = [n for n, i in sites.items() if i.visible]
            raise UnknownNameError(f"{call}: the model has no site named {name!r}. {nearest(name, known)}")
        if name not in wanted:
            raise _not_open(sites[name], call)
    missing = [i.site.label for n, i in wanted.items() if n not in values]
    if missing:
        raise UnknownNameError(f"{call}: no value was given for {', '.join(missing)}. Every latent site needs one.")
    return {n: as_value(values[n], i.shape, i.dtype, i.site.label) for n, i in wanted.items()}


def _not_open(info: SiteInfo, call: str) -> Exception:
    if info.is_derived:
        return NotMeasurable(
            f"{call}: {info.site.label} is derived from other sites. Leave it out: it follows from the others."
        )
    return ModelError(f"{call}: {info.site.label} has a value already, so it must not be given another. Leave it out.")
