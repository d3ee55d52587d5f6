"""`svi`: the loop around `elbo`, in compiled blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax  # type: ignore[import-untyped]
from jax import lax

from storax.data import is_concrete
from storax.errors import ArgumentTypeError
from storax.keys import as_key
from storax.models import Model, transformation
from storax.samplers.compiling import Source, compiled, fingerprint
from storax.samplers.optimizing.optimizers import as_optimizer
from storax.samplers.running.settings import as_count
from storax.samplers.variational.drawing import in_chunks
from storax.samplers.variational.families import Family
from storax.samplers.variational.guides import as_guide
from storax.samplers.variational.judging import explain_nan, has_settled, not_worse
from storax.samplers.variational.losses import Loss, Target, check_settings
from storax.samplers.variational.minibatching import subsamples
from storax.samplers.variational.results import Approximation
from storax.samplers.variational.sides import Program
from storax.sources import plain_errors

LEARNING_RATE = 0.05
JUDGES = 64  # draws that tell the parameters at the end of one block from those of another

Progress = Callable[[int, int, float], Any]


class VariationalFit(Approximation):
    """What `svi` found.

    Sites inside of a plate with a subsample are left out of posteriors: their copies are others from draw to draw.

    Attributes:
        params: real numbers, as the optimiser sees them: those at the end of the last block that was not worse than all
            before.
        losses: minus the bound at every step, `[step]`, each with the noise of its own draws.
        loss: minus the bound of `params`, over the same draws for all blocks.
        converged: does the mean of the last tenth of the losses differ from that of the tenth before by less than
            their noise, or a hundredth of a nat?
        values: every `sx.param` by name, in its support.
    """

    losses: np.ndarray
    loss: float
    converged: bool
    values: dict[str, Any]


class Settings(NamedTuple):
    """What a compiled loop depends on beside shapes; `optimizer` and `guide` by identity or value."""

    guide: Any
    optimizer: Any
    num_particles: int
    estimator: str
    alpha: float


class State(NamedTuple):
    """What the loop carries: `failed` is the first step whose loss or gradient was not finite, or -1."""

    params: Any
    optimizer: Any
    failed: jax.Array


@transformation
def svi(
    model: Callable[..., Any],
    guide: Any = "normal",
    optimizer: Any = None,
    *,
    num_particles: int | None = None,
    estimator: str = "auto",
    alpha: float = 1.0,
    block_size: int = 100,
) -> Callable[..., VariationalFit]:
    """Stochastic variational inference: the loop around `sx.elbo`.

    Args:
        model, guide, num_particles, estimator, alpha: as of `sx.elbo`; `num_particles` is 8 for automatic guides, which
            are cheap to draw from, else 1.
        optimizer: an optax transformation, or the name of one; default: Adam whose rate rises to 0.05 and falls to
            0 along a cosine (a tenth of it for networks), which needs no tuning where a coordinate of R^n is of order
            one.
        block_size: steps of one compiled scan, at least 1.  After each, `progress` is called and the parameters are
            compared with the best so far.

    Returns:
        `f(key, *args, num_steps=2000, params=None, progress=None, **kwargs) -> VariationalFit`.  `params`: where to
        start; `progress(step, num_steps, loss)` is called after every block.  Called again with data of the same shapes
        and the same `num_steps`, it compiles nothing.

    Raises:
        InferenceError: a loss or a gradient that is not finite: says at which step and which site; the fit up to there
            is the error's `fit`.
        The errors of `sx.elbo`.

    >>> import jax.numpy as jnp, storax as sx
    >>> def model(y):
    ...     mu = sx.sample("mu", sx.Normal(0.0, 1.0))
    ...     sx.sample("y", sx.Normal(mu, 1.0), obs=y)
    >>> fit = sx.svi(model)(0, jnp.array([1.0, 2.0]), num_steps=500)
    >>> post = fit.posterior(1)
    >>> bool(abs(post["mu"].mean() - 1.0) < 0.1), post.khat < 0.7, fit.losses.shape
    (True, True, (500,))
    """
    model = Model.of(model, "sx.svi")
    guide = as_guide(guide, "sx.svi")
    particles = (8 if isinstance(guide, Family) else 1) if num_particles is None else num_particles
    if estimator == "iwae":
        estimator, alpha = "auto", 0.0
    settings = Settings(
        guide if isinstance(guide, Family) else None,
        None if optimizer is None else as_optimizer(optimizer, "sx.svi"),
        *check_settings(particles, estimator, alpha, "sx.svi"),
    )
    loss = Loss(model, guide, *settings[2:], call="sx.svi")
    block_size = as_count("sx.svi: block_size", block_size, 1)

    @plain_errors
    def f(
        key: Any = None, /, *args: Any, num_steps: int = 2000, params: Any = None, progress: Progress | None = None,
        **kwargs: Any,
    ) -> VariationalFit:  # fmt: skip
        key = as_key(key, "sx.svi(...)")
        steps = as_count("sx.svi: num_steps", num_steps, 1)
        mine, other = loss.programs(*args, **kwargs)
        if not is_concrete([key, mine.staged.arrays, mine.model.handlers]):
            raise ArgumentTypeError(
                "sx.svi(...) was called inside of jax.jit, jax.vmap or another transformation. It runs compiled blocks "
                "of its own: call it outside, or write the loop with sx.elbo, which is a pure function."
            )
        loop = _loop(loss, settings, steps, mine, other, args, kwargs)
        return loop.run(mine, other, key, params, min(block_size, steps), progress)

    return f


class _Loop:
    """The compiled parts of one (model, guide, shapes, settings, number of steps)."""

    def __init__(self, loss: Loss, settings: Settings, steps: int, mine: Source, other: Source | None) -> None:
        self.loss, self.steps = loss, steps
        self.paced = settings.optimizer is None
        schedule = optax.warmup_cosine_decay_schedule(0.0, LEARNING_RATE, max(1, steps // 20), max(2, steps))
        self.optimizer = as_optimizer(optax.adam(schedule) if settings.optimizer is None else settings.optimizer, "")
        self.sources = mine, other
        self.init = jax.jit(lambda data, key: self.target(data).init(key))
        self.block = jax.jit(self._block, static_argnums=4)
        self.judge = jax.jit(self._judge)
        self.draws = jax.jit(self._draws, static_argnums=3)
        self.constrain = jax.jit(lambda data, params: self.target(data).constrain(params))
        self.finish = jax.jit(lambda data, params, key: self.target(data).finish(params, key))
        guide = loss.guide.finished if isinstance(loss.guide, Family) else loss.guide
        self.drawing = Loss(loss.model, guide, call=loss.call)

    def target(self, data: Any, loss: Loss | None = None) -> Target:
        programs = [
            None if source is None else Program(source.model(d), source.staged(d))
            for source, d in zip(self.sources, data, strict=True)
        ]
        assert programs[0] is not None
        return (loss or self.loss).pair(programs[0], programs[1])

    def _block(self, data: Any, state: State, key: jax.Array, first: jax.Array, size: int) -> tuple[State, jax.Array]:
        target = self.target(data)

        def objective(params: Any, key: jax.Array) -> jax.Array:
            return self.loss.of_target(target, params, key)[0]

        def step(state: State, t: jax.Array) -> tuple[State, jax.Array]:
            value_fn = lambda p: objective(p, jax.random.fold_in(key, t))  # noqa: E731
            value, gradient = jax.value_and_grad(value_fn)(state.params)
            finite = jnp.isfinite(value)
            for g in jax.tree.leaves(gradient):
                finite = finite & jnp.isfinite(g).all()
            updates, moved = self.optimizer.update(
                gradient, state.optimizer, state.params, value=value, grad=gradient, value_fn=value_fn
            )
            if self.paced:
                updates = jax.tree.map(lambda u, p: p * u, updates, target.pace(state.params))
            new = optax.apply_updates(state.params, updates), moved
            goes_on = finite & (state.failed < 0)
            params, moved = jax.tree.map(lambda a, b: jnp.where(goes_on, a, b), new, (state.params, state.optimizer))
            failed = jnp.where((state.failed < 0) & ~finite, t, state.failed)
            return State(params, moved, failed), value

        return lax.scan(step, state, first + jnp.arange(size))

    def _judge(self, data: Any, params: Any, key: jax.Array) -> jax.Array:
        target = self.target(data)
        one = lambda k: self.loss.of_target(target, params, k)[0]  # noqa: E731
        return jax.vmap(one)(jax.random.split(key, -(-JUDGES // self.loss.num_particles)))

    def _draws(self, data: Any, params: Any, key: jax.Array, count: int) -> Any:
        target = self.target(data, self.drawing)
        return in_chunks(lambda k: target.draws(params, k), key, count)

    def run(
        self, mine: Program, other: Program | None, key: jax.Array, params: Any, size: int, progress: Progress | None
    ) -> VariationalFit:
        data = [None if p is None else Source.data(p.model, p.staged) for p in (mine, other)]
        of_start, of_steps, of_judge = jax.random.split(key, 3)
        params = self.init(data, of_start) if params is None else params
        state = State(params, self.optimizer.init(params), jnp.asarray(-1))
        losses: list[np.ndarray] = []
        best, lowest = params, np.full(1, np.inf)
        for first in range(0, self.steps, size):
            count = min(size, self.steps - first)
            state, values = self.block(data, state, of_steps, jnp.asarray(first), count)
            losses.append(np.asarray(values))
            if int(state.failed) >= 0:
                break
            seen = np.asarray(self.judge(data, state.params, of_judge), np.float64)
            if not_worse(seen, lowest):
                best, lowest = state.params, seen
            if progress is not None:
                progress(first + count, self.steps, float(seen.mean()))
        fit = self._fit(mine, other, data, best, np.concatenate(losses), float(lowest.mean()))
        if int(state.failed) >= 0:
            step = int(state.failed)
            fit.losses = fit.losses[:step]
            target = self.loss.pair(mine, other)
            raise explain_nan(target, state.params, jax.random.fold_in(of_steps, step), step, fit)
        return fit

    def _fit(self, mine: Program, other: Program | None, data: Any, params: Any, losses: Any, loss: Any) -> Any:
        guide, sites = self.loss.guide, mine.model.sites(mine.staged)
        plates = subsamples(sites)
        whole = {n: i for n, i in sites.items() if not set(i.site.dims) & set(plates)}
        finished = self.finish(data, params, jax.random.key(0))
        draw: Any = lambda key, count: self.draws(data, finished, key, count)  # noqa: E731
        is_point = isinstance(guide, Family) and guide.is_point
        fit = VariationalFit(params, draw, whole, is_point, bool(plates))
        fit.losses, fit.loss, fit.converged = losses, loss, has_settled(losses)
        fit.values = dict(self.constrain(data, params))
        return fit


def _loop(
    loss: Loss, settings: Settings, steps: int, mine: Program, other: Program | None, args: Any, kwargs: Any
) -> _Loop:
    """The loop of this model, this guide, these shapes and settings, compiled before or new."""
    guides = None if other is None else (other.model.function, fingerprint(*other))

    def build(source: Source) -> _Loop:
        companion = None if other is None else Source(*other)
        loop = _Loop(loss, settings, steps, source, companion)
        loop.loss.pair(mine, other)  # does the guide fit?
        return loop

    return compiled(mine.model, mine.staged, args, kwargs, ("svi", settings, steps, guides), build)
