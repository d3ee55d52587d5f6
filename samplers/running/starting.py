"""Where chains start: a point with a finite log density and a finite gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax.errors import InitializationError, ObservationError, UnknownNameError, nearest
from storax.logprob import Density
from storax.samplers.kernels.trajectory import Draw

TRIES = 100
TRIES_TO_TELL = 10  # of them, as long as the energy of a start is so large that rounding hides its changes


def find_starts(
    density: Density,
    begin: Callable[..., tuple[Draw, Any]],
    propose: Callable[[int], jax.Array],
    init: Mapping[str, Any],
) -> Any:
    """Chains at one start each: uniform in (-2, 2), again and again until one is good.

    At a log density of -1e20 no step can be told to be better than another, and the chain would not only stay there
    but take the step size and the metric that all chains share with it: such a start is a last resort.

    Args:
        density: the model's.
        begin: compiled, positions `[chain, size]` to these with their log densities and gradients, and to chains there.
        propose: compiled, a number to random positions `[chain, size]`.
        init: values of some latent sites, the same for every chain; the others are random.

    Returns:
        The chains.

    Raises:
        InitializationError: no good start in 100 tries; says which site is to blame.
    """
    _check_names(density, init)
    found, chains = begin(np.asarray(_with_given(density, propose(0), init)))
    for attempt in range(1, TRIES):
        good = _good(found) & (_tells(found) | (attempt > TRIES_TO_TELL))
        if good.all():
            return chains
        fresh = np.asarray(_with_given(density, propose(attempt), init))
        found, chains = begin(np.where(good[:, None], found.position, fresh))
    bad = int(np.argmin(_good(found)))
    raise InitializationError(_diagnosis(density, *[np.asarray(x)[bad] for x in jax.tree.leaves(found)][:3]))


def _with_given(density: Density, random: jax.Array, init: Mapping[str, Any]) -> jax.Array:
    return jnp.stack([_with(density, vector, init) for vector in random]) if init else random


def _with(density: Density, vector: jax.Array, init: Mapping[str, Any]) -> jax.Array:
    try:
        return density.moved(vector, init)
    except ObservationError as error:
        if all(density.layout.support_is_fixed(n) for n in init):
            error.args = (f"sx.mcmc(init=...): {error}",)
            raise
        return jnp.full_like(vector, jnp.nan)  # outside at this random point of the others: another may do


def _check_names(density: Density, init: Mapping[str, Any]) -> None:
    for name in init:
        if name in density.shapes:
            continue
        info = density.sites.get(name)
        if info is not None and info.visible:
            kind = "derived from others" if info.is_derived else "observed"
            raise UnknownNameError(
                f"sx.mcmc(init=...): {info.site.label} is {kind}, and cannot be started. Leave it out."
            )
        raise UnknownNameError(f"init: there is no latent site named {name!r}. {nearest(name, density.shapes)}")


def _good(starts: Draw) -> np.ndarray:
    return np.isfinite(np.asarray(starts.log_density)) & np.isfinite(np.asarray(starts.gradient)).all(-1)


def _tells(starts: Draw) -> np.ndarray:
    """Whether rounding of the log density is below 1."""
    value = np.asarray(starts.log_density)
    return np.abs(value) * float(jnp.finfo(value.dtype).eps) < 1


def _diagnosis(density: Density, start: np.ndarray, gradient: np.ndarray, log_density: Any) -> str:
    vector = jnp.asarray(start)
    if np.isfinite(log_density):
        z = density.unflatten(jnp.asarray(gradient))
        bad = [n for n, g in z.items() if not np.isfinite(np.asarray(g)).all()]
        culprits = ", ".join(density.sites[n].site.label for n in bad)
        return (
            f"In {TRIES} random starts the log density was finite, but its gradient was not: {culprits}. A nan "
            f"gradient at a finite density often comes from jnp.where over a branch that is nan (make the branch safe "
            f"inside), or from sqrt, norm or abs at zero."
        )
    scores = density.site_scores(vector)
    table = "; ".join(f"{n}: {float(s):.4g}" for n, s in scores.items())
    culprit = next((n for n, s in scores.items() if not np.isfinite(float(s))), None)
    blame = f"{density.sites[culprit].site.label} contributes {float(scores[culprit])}" if culprit else "no single site"
    values = ", ".join(f"{n} = {_short(v)}" for n, v in density.quantities(vector).items() if n in density.shapes)
    return (
        f"No start with a finite log density was found in {TRIES} random tries: {blame}. At the last one ({values}) "
        f"the sites scored {table}. Check that this site's support holds its data and that its parameters are in "
        f"range there, or start from values that are possible: sx.mcmc(..., init={{name: value}})."
    )


def _short(value: Any) -> str:
    array = np.asarray(value)
    return f"{array.item():.4g}" if array.size == 1 else np.array2string(array.ravel()[:4], precision=3) + "..."
