"""Values by name, as `condition`, `substitute`, `do` and `replay` take them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, ClassVar

from storax.data import as_data, as_value
from storax.effects import Context, Handler, SiteInfo, Sites
from storax.errors import ArgumentTypeError, ControlFlowError, UnknownNameError, nearest


class Giver(Handler):
    """Base of the handlers that hold values by name: checks them, and lets them flow in."""

    values: dict[str, Any]

    call: ClassVar[str] = "sx.condition"  # in error messages

    def accepts(self, info: SiteInfo) -> None:
        """Refuse a site that must not be given a value."""

    def context(self, sites: Sites) -> Context:
        return Context(given=lookup(self.values, sites, self))

    def after(self, info: SiteInfo) -> SiteInfo:
        """A site that was given a value, as the next handler sees it."""
        return info._replace(kind="observe")

    def view(self, sites: Sites) -> Sites:
        return {n: self.after(i) if n in self.values else i for n, i in sites.items()}


def lookup(values: Mapping[str, Any], sites: Sites, giver: Giver) -> dict[str, Any]:
    """The values with the shapes and dtypes of their sites."""
    check_known(values, sites, giver.call)
    for name in values:
        if sites[name].uncounted:
            raise ControlFlowError(
                f"{giver.call}: {sites[name].site.label} is in a lax.while_loop, where the number of draws is known "
                f"only when the program runs. Use lax.scan, whose sites have a time axis."
            )
        giver.accepts(sites[name])
    return {n: as_value(v, sites[n].shape, sites[n].dtype, sites[n].site.label) for n, v in values.items()}


def check_known(names: Iterable[str], sites: Collection[str], call: str) -> None:
    """Are these names of sites?

    Raises:
        UnknownNameError: with the nearest name there is.
    """
    for name in names:
        if name not in sites:
            raise UnknownNameError(f"{call}: the model has no site named {name!r}. {nearest(name, sites)}")


def gather(values: Any, named: Mapping[str, Any], call: str) -> dict[str, Any]:
    """The values of a mapping and of keyword arguments, as arrays."""
    if values is not None and not isinstance(values, Mapping):
        raise ArgumentTypeError(
            f"{call} needs the values by name, {call}(model, {{'mu': 1.0}}) or {call}(model, mu=1.0), and got "
            f"{type(values).__name__}."
        )
    both = [n for n in named if values and n in values]
    if both:
        raise ArgumentTypeError(f"{call} got two values for {both[0]!r}: in the mapping and as a keyword.")
    merged = {**(values or {}), **named}
    for name in merged:
        if not isinstance(name, str):
            raise ArgumentTypeError(f"{call}: names are strings, and {name!r} is of type {type(name).__name__}.")
        if merged[name] is None:
            raise ArgumentTypeError(f"{call} got None for {name!r}. Leave the name out to leave the site open.")
    return {n: as_data(v, f"{call}: the value of {n!r}") for n, v in merged.items()}
