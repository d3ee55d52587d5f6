"""`predictive`: what data would come next, given draws of the latent sites."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import numpy as np

from storax.depending import dependencies
from storax.effects import Sites
from storax.errors import ArgumentTypeError, UnknownNameError
from storax.handlers.showing.showing import Unsettle
from storax.handlers.substituting import Substitute
from storax.handlers.unconditioning import Uncondition
from storax.keys import as_key
from storax.models import Model, transformation
from storax.samplers.workflow.compiling import compiled
from storax.samplers.workflow.draws import Draws, axis_names, check_batch_size, in_batches, in_rows, refuse_while
from storax.samplers.workflow.matching import check_draws, match
from storax.samplers.workflow.priors import drawn
from storax.samplers.workflow.replicating import refuse_shared
from storax.sources import plain_errors
from storax.staging import Staged

CALL = "sx.predictive"


@transformation
def predictive(
    model: Callable[..., Any],
    posterior: Mapping[str, Any],
    *,
    redraw: Iterable[str] = (),
    batch_size: int | None = None,
) -> Callable[..., Draws]:
    """Draws of data from the posterior predictive distribution, at these or other arguments.

    Args:
        model: a model.
        posterior: draws name -> `[chain, draw, *shape]`: an `sx.Posterior`, or a dict of arrays; or those of
            `sx.prior`, `[draw, *shape]`.
        redraw: names of latent sites to draw anew from the model instead of taking them from the posterior: those that
            belong to other groups than the data had.
        batch_size: draws made at a time; default: as many as make some 30 MB.

    Returns:
        `f(key, *args, **kwargs) -> Draws`, a dict name -> `[chain, draw, *shape]` of the observed sites (drawn anew,
        also if data are among the arguments), the redrawn ones, and the derived quantities at these arguments.  Draws
        without a name (`sx.rv`) are drawn anew.  A draw depends on the key and its index alone.

    Raises:
        UnknownNameError: the posterior has a name that the model does not have; or a latent site of the model is not
            in the posterior (nothing is drawn from the prior unless `redraw` names it).
        ShapeError: a latent site has another shape with these arguments than in the posterior.
        NotMeasurable: an anonymous draw is shared by several data; drawing it anew would forget what they say of it.

    >>> import jax.numpy as jnp, storax as sx
    >>> def model(x, y=None):
    ...     slope = sx.sample("slope", sx.Normal(0.0, 1.0))
    ...     sx.sample("y", sx.Normal(slope * x, 0.1), obs=y)
    >>> post = {"slope": jnp.full((2, 100), 3.0)}
    >>> draws = sx.predictive(model, post)(0, jnp.array([1.0, 2.0, 10.0]))
    >>> draws["y"].shape, draws["y"].mean((0, 1)).round()
    ((2, 100, 3), array([ 3.,  6., 30.], dtype=float32))
    """
    model = Model.of(model, CALL)
    values, sample_dims = check_draws(posterior, CALL)
    names = _names(redraw)
    batch = check_batch_size(batch_size, CALL)
    observed = getattr(posterior, "observed", None)

    @plain_errors
    def f(key: Any = None, /, *args: Any, **kwargs: Any) -> Draws:
        key = as_key(key, "sx.predictive(...)")
        staged = model.stage(*args, **kwargs)
        before = model.sites(staged)
        opened = model.handled_by(Uncondition())
        sites = opened.sites(staged)
        given = match(before, sites, values, names, len(sample_dims), CALL)
        predicted = _predicted(opened, staged, before, sites, given, names, observed)
        refuse_while(sites, CALL)
        refuse_shared(opened, staged, sites, predicted)
        program = compiled(model, staged, args, kwargs, "predictive", _draw)
        flat, shape = in_rows(values, given, len(sample_dims))
        out = in_batches(functools.partial(program, key), flat, int(np.prod(shape)), batch)
        kept = [n for n, i in sites.items() if n in out and n not in given and not i.site.is_factor]
        draws = {n: out[n].reshape(*shape, *out[n].shape[1:]) for n in kept}
        return Draws(draws, sample_dims, axis_names(sites, kept), predicted)

    return f


def _draw(model: Model, staged: Staged, key: jax.Array, indices: jax.Array, values: dict[str, Any]) -> Any:
    def one(index: Any, values: Any) -> Any:
        given = model.handled_by(Uncondition()).handled_by(Substitute(values))
        return {n: x for n, x in drawn(given, staged, jax.random.fold_in(key, index)).items() if n not in values}

    return jax.vmap(one)(indices, values)


def _names(redraw: Any) -> tuple[str, ...]:
    names = (redraw,) if isinstance(redraw, str) else tuple(redraw) if isinstance(redraw, Iterable) else (redraw,)
    if not all(isinstance(n, str) for n in names):
        raise ArgumentTypeError(f"{CALL} needs names, redraw=['theta'], and got {redraw!r}.")
    return names


def _predicted(
    opened: Model, staged: Staged, before: Sites, sites: Sites, given: list[str], redraw: tuple[str, ...], observed: Any
) -> list[str]:
    """The sites that data are observed at, or would be.

    Those that have data here, and those that had when the posterior was made; if that is not known, those that no
    other choice depends on.

    Raises:
        UnknownNameError: another open site, of which the posterior has no draws.
    """
    absent = [n for n, i in sites.items() if i.visible and i.is_open and n not in given and n not in redraw]
    data = [n for n in absent if before[n].site.observed or n in (observed or ())]
    if observed is None and len(data) < len(absent):
        closed = jax.make_jaxpr(lambda *xs: opened.handled_by(Unsettle()).walk(staged, xs)[0])(*staged.arrays)
        nodes = dependencies(closed)
        choices = [n for n, node in nodes.items() if node.site.tree is not None and not node.site.is_factor]
        used = set().union(*(_ancestors(n, nodes) - {n} for n in choices))
        data = [n for n in absent if n in data or n not in used]
    missing = [n for n in absent if n not in data]
    if missing:
        labels = ", ".join(sites[n].site.label for n in missing)
        raise UnknownNameError(
            f"{CALL}: the posterior has no draws of {labels}: is it the posterior of another model? It has: "
            f"{', '.join(map(repr, given)) or 'none of the open sites'}. To draw from the model what the posterior "
            f"does not have, say so: sx.predictive(model, posterior, redraw={missing!r})."
        )
    return data


def _ancestors(name: str, nodes: Mapping[str, Any]) -> set[str]:
    """The choices that a site depends on, through derived quantities."""
    found: set[str] = set()
    ahead = list(nodes[name].parents)
    while ahead:
        parent = ahead.pop()
        if parent not in found:
            found.add(parent)
            if nodes[parent].site.tree is None:
                ahead += nodes[parent].parents
    return found
