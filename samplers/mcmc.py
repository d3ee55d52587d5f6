"""`mcmc`: model in, named draws out.  The one file that knows both a model and a kernel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from storax.data import is_concrete
from storax.errors import ArgumentTypeError, UnknownNameError, nearest
from storax.handlers.giving import gather
from storax.keys import as_key
from storax.logprob.unconstraining import Density
from storax.models import Model, transformation
from storax.samplers.driving.sharding import check_mesh
from storax.samplers.kernels.kernel import Kernel
from storax.samplers.kernels.nuts import nuts
from storax.samplers.observing import observed_data
from storax.samplers.posterior import Posterior, axes_of
from storax.samplers.running.checkpoints import Checkpoint, identity
from storax.samplers.running.conducting import conduct
from storax.samplers.running.health import warn_about
from storax.samplers.running.keeping import Keeper
from storax.samplers.running.programs import Program, program_of
from storax.samplers.running.progress import progress as progress_of
from storax.samplers.running.settings import (
    Keeping,
    Settings,
    check_count,
    check_driver,
    check_keeping,
    check_memory,
    check_num_warmup,
    check_superchains,
)  # fmt: skip
from storax.samplers.running.starting import find_starts
from storax.sources import plain_errors
from storax.staging import Staged


@transformation
def mcmc(
    model: Callable[..., Any],
    kernel: Kernel | None = None,
    *,
    num_chains: int = 4,
    num_warmup: int | str = 1000,
    num_samples: int = 1000,
    init: Mapping[str, Any] | None = None,
    driver: str | None = None,
    thin: int = 1,
    collect: Sequence[str] | None = None,
    reduce: bool = False,
    progress: bool | None = None,
    checkpoint: Any = None,
    mesh: Mesh | None = None,
    superchains: int | None = None,
) -> Callable[..., Posterior]:
    """Draws from the posterior of a model.

    Args:
        model: a model; its latent sites must be continuous.
        kernel: default `sx.nuts()`.
        num_chains: chains, at least 1.
        num_warmup: draws for adaptation, dropped; 0 needs a kernel with a step size; "auto" ends the warm-up when step
            size and metric have settled, after 230 to 800 draws.
        num_samples: draws of each chain behind the warm-up, at least 1.
        init: name -> value, where chains start; sites left out start at random.
        driver: "sequential", chains one after another in native code, "batched", one gradient of all chains at a time,
            or None for the one that suits backend and model; both give the same draws, up to rounding.  The one that
            was used is `post.attrs["driver"]`.
        thin: every how many-th draw is kept.
        collect: names of the quantities to keep; None keeps all.
        reduce: keep running means, variances and R-hat in `post.moments`, and no draws.
        progress: whether to show how far the run is: None does in terminals and notebooks.
        checkpoint: a folder to write finished blocks of draws to.  The same call goes on from there, after an
            interrupt or a crash, and ends with the same draws, bit for bit, as a run that was not interrupted.
        mesh: devices to spread chains over, along its axis "chains"; see `sx.shard_rows` for data.
        superchains: start the chains in so many groups, each at one point, as
            `storax.samplers.diagnostics.nested_rhat` asks for; it divides `num_chains`.

    Returns:
        `f(key, *args, **kwargs) -> Posterior`.  Called again with another key or other data of the same shapes, it
        compiles nothing.  After Ctrl-C it returns what was drawn so far, with `post.attrs["complete"]` False.

    Raises:
        InferenceError: no latent site, a discrete one, or one in a branch that depends on another.
        InitializationError: no start with a finite log density and gradient was found.
        SettingsError, ArgumentTypeError: settings that make no run.
        CheckpointError: a folder that belongs to another run, or that cannot be written to.
        UnknownNameError: a name in `collect` or `init` that the model does not have.
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
        check_num_warmup(num_warmup),
        check_count("num_samples", num_samples, 1),
        check_driver(driver),
        check_mesh(mesh, num_chains),
    )
    keeping = check_keeping(thin, collect, reduce, settings.num_samples)
    if progress not in (None, True, False):
        raise ArgumentTypeError(f"sx.mcmc: progress must be True, False or None, got {progress!r}.")
    start_values = _start_values(init)
    groups = check_superchains(superchains, settings.num_chains)

    @plain_errors
    def f(key: Any = None, /, *args: Any, **kwargs: Any) -> Posterior:
        key = as_key(key, "sx.mcmc(...)")
        staged = model.stage(*args, **kwargs)
        if not is_concrete([key, staged.arrays, model.handlers, start_values]):
            raise ArgumentTypeError(
                "sx.mcmc(...) was called inside of jax.jit, jax.vmap or another transformation. It compiles a program "
                "of its own and looks at the data first: call it outside, or use a kernel by hand (sx.nuts(...).step)."
            )
        program = program_of(model, staged, kernel, settings, args, kwargs)
        density = program.density(model, staged)
        kernel.initial_inverse_mass(jnp.zeros(density.size, density.layout.dtype))  # does it fit?
        _check_names(density, keeping)
        check_memory(settings, keeping, density)
        saved = None
        if checkpoint is not None:
            told = f"{settings}, {keeping}, {kernel}, {start_values}, {groups}, jax {jax.__version__}"
            saved = Checkpoint(checkpoint, identity(staged.closed, staged.arrays, key, told))
        return _run(program, model, staged, kernel, density, settings, keeping, key, start_values, groups, progress,
                    saved)  # fmt: skip

    return f


def _run(
    program: Program, model: Model, staged: Staged, kernel: Kernel, density: Density, settings: Settings,
    keeping: Keeping, key: jax.Array, init: Mapping[str, Any], groups: int, show: bool | None, saved: Checkpoint | None,
) -> Posterior:  # fmt: skip
    ready = program.with_data(model, staged, kernel)
    of_starts, of_chains = (jax.random.split(jax.random.fold_in(key, i), n)
                            for i, n in enumerate((groups, settings.num_chains)))  # fmt: skip
    of_starts = jnp.repeat(of_starts, settings.num_chains // groups)
    propose = lambda attempt: program.propose(of_starts, attempt)  # noqa: E731
    fleet = find_starts(density, lambda v: ready.begin(of_chains, v), propose, init)
    keeper = Keeper(ready.name, program.rows, kernel.columns, settings.num_chains, settings.num_samples, *keeping)
    complete = conduct(ready.go_on, fleet, settings, program, keeper, progress_of(show, settings.num_chains), saved)
    order = [n for n in density.sites if n in keeper.names]
    dims = {n: axes_of(density.sites[n], len(keeper.names[n])) for n in order}
    posterior = Posterior(
        {n: keeper.samples[n] for n in order if n in keeper.samples}, keeper.stats, keeper.warmup_stats, dims,
        {"driver": program.driver, "kernel": kernel.name, "complete": complete},
        divergences=keeper.divergences, moments=keeper.moments,
        groups=lambda: {"observed_data": observed_data(model, staged)},
    )  # fmt: skip
    empty = [i.site.label for i in density.sites.values() if i.site.observed and 0 in i.shape and not i.site.is_factor]
    warn_about(posterior, keeper.farthest, settings, kernel, empty)
    return posterior


def _start_values(init: Any) -> dict[str, Any]:
    if init is not None and not isinstance(init, Mapping):
        raise ArgumentTypeError(
            f"sx.mcmc needs the starts by name, sx.mcmc(model, init={{'mu': 1.0}}), and got {type(init).__name__}."
        )
    return gather(init, {}, "sx.mcmc(init=...)")


def _check_names(density: Density, keeping: Keeping) -> None:
    known = [n for n, i in density.sites.items() if i.is_open or i.is_derived]
    for name in keeping.collect or ():
        if name not in known:
            raise UnknownNameError(
                f"sx.mcmc(collect=...): the draws have nothing named {name!r}. {nearest(name, known)}"
            )
