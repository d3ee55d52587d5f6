"""`mcmc`: model in, named draws out.  The one file that knows both a model and a kernel."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax.data import is_concrete
from storax.errors import ArgumentTypeError
from storax.handlers.giving import gather
from storax.keys import as_key
from storax.logprob.checking import examine, refuse_changing_sites
from storax.logprob.deriving.marginal import density_of
from storax.logprob.unconstraining import Density
from storax.models import Model, transformation
from storax.samplers.driver import run
from storax.samplers.health import warn_about
from storax.samplers.nuts import Kernel, nuts
from storax.samplers.posterior import Posterior, axes_of
from storax.samplers.settings import Settings, check_count, check_memory
from storax.samplers.starting import find_starts
from storax.sources import plain_errors
from storax.staging import Staged, stage


@transformation
def mcmc(
    model: Callable[..., Any],
    kernel: Kernel | None = None,
    *,
    num_chains: int = 4,
    num_warmup: int = 1000,
    num_samples: int = 1000,
    init: Mapping[str, Any] | None = None,
) -> Callable[..., Posterior]:
    """Draws from the posterior of a model.

    Args:
        model: a model; its latent sites must be continuous.
        kernel: default `sx.nuts()`.
        num_chains: chains, at least 1; they run side by side.
        num_warmup: draws for adaptation, dropped; 0 needs a kernel with a step size.
        num_samples: draws kept of each chain, at least 1.
        init: name -> value, where chains start; sites left out start at random.

    Returns:
        `f(key, *args, **kwargs) -> Posterior`.  Called again with another key or other data of the same shapes, it
        compiles nothing.

    Raises:
        InferenceError: no latent site, a discrete one, or one in a branch that depends on another.
        InitializationError: no start with a finite log density and gradient was found.
        SettingsError, ArgumentTypeError: settings that make no run.
        The errors of `sx.check`, which runs first.

    >>> import storax as sx
    >>> def model(y):
    ...     mu = sx.sample("mu", sx.Normal(0.0, 5.0))
    ...     sx.sample("y", sx.Normal(mu, 1.0), obs=y)
    >>> post = sx.mcmc(model, num_chains=2, num_warmup=200, num_samples=500)(0, [1.0, 2.0, 3.0])
    >>> post["mu"].shape
    (2, 500)
    """
    model = Model.of(model, "sx.mcmc")
    kernel = nuts() if kernel is None else kernel
    if not isinstance(kernel, Kernel):
        raise ArgumentTypeError(f"sx.mcmc: the kernel must be one like sx.nuts(), got {kernel!r}.")
    settings = Settings(
        check_count("num_chains", num_chains, 1),
        check_count("num_warmup", num_warmup, 0),
        check_count("num_samples", num_samples, 1),
    )
    start_values = _start_values(init)

    @plain_errors
    def f(key: Any = None, /, *args: Any, **kwargs: Any) -> Posterior:
        key = as_key(key, "sx.mcmc(...)")
        staged = model.stage(*args, **kwargs)
        if not is_concrete([key, staged.arrays, model.handlers, start_values]):
            raise ArgumentTypeError(
                "sx.mcmc(...) was called inside of jax.jit, jax.vmap or another transformation. It compiles a program "
                "of its own and looks at the data first: call it outside, or use a kernel by hand (sx.nuts(...).step)."
            )
        program = _program(model, staged, kernel, settings, args, kwargs)
        examine(model, staged, staged.arrays)
        return program(model, staged, kernel, key, start_values)

    return f


def _start_values(init: Any) -> dict[str, Any]:
    if init is not None and not isinstance(init, Mapping):
        raise ArgumentTypeError(
            f"sx.mcmc needs the starts by name, sx.mcmc(model, init={{'mu': 1.0}}), and got {type(init).__name__}."
        )
    return gather(init, {}, "sx.mcmc(init=...)")


class _Program:
    """The compiled parts of one (model, shapes, kernel, settings)."""

    def __init__(self, model: Model, staged: Staged, kernel: Kernel, settings: Settings) -> None:
        self.settings = settings
        kernel_tree = jax.tree.structure(kernel)
        handlers = jax.tree.structure(model.handlers)
        function, closed, out_tree = model.function, staged.closed, staged.out_tree
        # What a compiled program keeps alive must not include the data of the first call.
        skeleton = Staged(closed, [], out_tree)

        def density(leaves: Any, arrays: Any) -> Density:
            return density_of(Model(function, jax.tree.unflatten(handlers, leaves)), skeleton._replace(arrays=arrays),
                           "sx.mcmc")  # fmt: skip

        def evaluate(leaves: Any, arrays: Any, vectors: Any) -> Any:
            return jax.vmap(jax.value_and_grad(density(leaves, arrays).of_vector))(vectors)

        def sample(leaves: Any, arrays: Any, kernel_leaves: Any, keys: Any, starts: Any) -> Any:
            d = density(leaves, arrays)
            kernel = jax.tree.unflatten(kernel_tree, kernel_leaves)
            result = run(d.of_vector, keys, starts, kernel=kernel, num_warmup=settings.num_warmup,
                         num_samples=settings.num_samples)  # fmt: skip
            flat = result.positions.reshape(settings.num_chains * settings.num_samples, d.size)
            named = _in_chunks(d.quantities, flat, 256)
            shape = result.positions.shape[:2]
            return {n: x.reshape(*shape, *x.shape[1:]) for n, x in named.items()}, result

        self.evaluate, self.sample = jax.jit(evaluate), jax.jit(sample)

    def __call__(
        self, model: Model, staged: Staged, kernel: Kernel, key: jax.Array, init: Mapping[str, Any]
    ) -> Posterior:
        density = density_of(model, staged, "sx.mcmc")
        settings = self.settings
        kernel.initial_inverse_mass(jnp.zeros(density.size, density.layout.dtype))  # does it fit?
        check_memory(settings, density)
        leaves, arrays = jax.tree.leaves(model.handlers), staged.arrays
        of_starts, of_chains = (jax.random.split(jax.random.fold_in(key, i), settings.num_chains) for i in range(2))
        starts = find_starts(density, lambda v: self.evaluate(leaves, arrays, v), of_starts, init)
        named, result = self.sample(leaves, arrays, jax.tree.leaves(kernel), of_chains, starts)
        order = [n for n in density.sites if n in named]
        samples = {n: np.asarray(named[n]) for n in order}
        dims = {n: axes_of(density.sites[n], samples[n]) for n in order}
        posterior = Posterior(
            samples,
            {n: np.asarray(x) for n, x in result.stats.items()},
            {n: np.asarray(x) for n, x in result.warmup_stats.items()},
            dims,
        )
        empty = [
            i.site.label for i in density.sites.values() if i.site.observed and 0 in i.shape and not i.site.is_factor
        ]
        warn_about(posterior, np.asarray(result.positions), settings, kernel, empty)
        return posterior


def _in_chunks(f: Callable[..., Any], rows: jax.Array, size: int) -> Any:
    """`jax.vmap(f)(rows)` in the memory of a few rows; lax.map with a batch_size fails where `f` returns no numbers."""
    count = len(rows)
    chunks, size = -(-count // size), min(size, count)
    padded = jnp.concatenate([rows, jnp.broadcast_to(rows[-1:], (chunks * size - count, *rows.shape[1:]))])
    out = jax.lax.map(jax.vmap(f), padded.reshape(chunks, size, *rows.shape[1:]))
    return jax.tree.map(lambda x: x.reshape(chunks * size, *x.shape[2:])[:count], out)


KEPT_PROGRAMS = 16  # of one model, for different shapes and settings; the oldest go first

_programs: weakref.WeakKeyDictionary[Any, dict[Any, _Program]] = weakref.WeakKeyDictionary()


def _program(model: Model, staged: Staged, kernel: Kernel, settings: Settings, args: Any, kwargs: Any) -> _Program:
    """The program of this model and these shapes, compiled before or new; a new one is checked to be a program."""
    known = _programs.setdefault(model.function, {})
    varying = [*jax.tree.leaves(model.handlers), *jax.tree.leaves(kernel), *staged.arrays]
    shapes = tuple((np.shape(x), jnp.result_type(x)) for x in varying)
    key = (staged.closed.jaxpr, jax.tree.structure(model.handlers), jax.tree.structure(kernel), settings, shapes)
    if key not in known:
        while len(known) >= KEPT_PROGRAMS:
            known.pop(next(iter(known)))
        refuse_changing_sites(model, staged, stage(model.function, args, kwargs, fresh=True))
        known[key] = _Program(model, staged, kernel, settings)
    return known[key]
