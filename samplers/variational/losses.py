"""`elbo`: a loss for any training loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from storax.errors import SettingsError, nearest
from storax.keys import as_key
from storax.logprob.checking import examine
from storax.models import Model, transformation
from storax.samplers.running.settings import as_count
from storax.samplers.variational.estimating import bound
from storax.samplers.variational.families import Family
from storax.samplers.variational.guided import Guided
from storax.samplers.variational.guides import as_guide
from storax.samplers.variational.sides import ESTIMATORS, Program
from storax.samplers.variational.unconstrained import Unconstrained
from storax.sources import plain_errors

Target = Guided | Unconstrained


class Loss:
    """Minus a lower bound on the log evidence: `loss(params, key, *args, **kwargs) -> scalar`.

    A pure function: `jax.grad`, `jit` and `vmap` of it work, and so does any loop of optax or flax.
    """

    def __init__(
        self,
        model: Model,
        guide: Family | Model,
        num_particles: int = 1,
        estimator: str = "auto",
        alpha: float = 1.0,
        baseline: Callable[..., Any] | None = None,
        has_aux: bool = False,
        call: str = "sx.elbo",
    ) -> None:
        self.model, self.guide, self.num_particles, self.estimator = model, guide, num_particles, estimator
        self.alpha, self.baseline, self.has_aux, self.call = alpha, baseline, has_aux, call

    @plain_errors
    def __call__(self, params: Any, key: Any = None, /, *args: Any, **kwargs: Any) -> Any:
        key = as_key(key, f"{self.call}(...)")
        baseline = None if self.baseline is None else self.baseline(*args, **kwargs)
        value, output = self.of_target(self.target(*args, **kwargs), params, key, baseline)
        return (value, output) if self.has_aux else value

    def of_target(self, target: Target, params: Any, key: jax.Array, baseline: Any = None) -> tuple[jax.Array, Any]:
        """The loss, and what the model returns in the first particle."""
        terms, output = target.terms(params, key, self.num_particles)
        has_scores = bool(target.scored)
        if self.has_aux and output is not None:
            output = jax.tree.map(lambda x: x[0], output)
        return -bound(terms, self.alpha, has_scores, baseline), output

    @plain_errors
    def init(self, key: Any, *args: Any, **kwargs: Any) -> Any:
        """Parameters to start with: those of the guide, and the model's own; real numbers, a pytree.

        Checks model and guide on the way.  Under `jax.vmap` over keys, many of them.
        """
        self.check(*args, **kwargs)
        return self.target(*args, **kwargs).init(as_key(key, f"{self.call}.init"))

    @plain_errors
    def constrain(self, params: Any, *args: Any, **kwargs: Any) -> dict[str, jax.Array]:
        """Every `sx.param` by name, in its support."""
        return self.target(*args, **kwargs).constrain(params)

    @plain_errors
    def check(self, *args: Any, **kwargs: Any) -> None:
        """A look at the model, its data and the guide: refuses what does not fit.

        Raises:
            ModelError, UnknownNameError, ShapeError: the guide lacks a site, has one too many, or one of another shape
                or outside of the model's support.
            The errors of `sx.check`.
        """
        staged = self.model.stage(*args, **kwargs)
        examine(self.model, staged, staged.arrays)
        self.target(*args, **kwargs)

    def target(self, *args: Any, **kwargs: Any) -> Target:
        mine, companion = self.programs(*args, **kwargs)
        return self.pair(mine, companion)

    def programs(self, *args: Any, **kwargs: Any) -> tuple[Program, Program | None]:
        """The model, and what goes with it: the guide, or what an amortised one reads of the data."""
        mine = Program(self.model, self.model.stage(*args, **kwargs))
        other = self.guide.companion() if isinstance(self.guide, Family) else self.guide
        return mine, None if other is None else Program(other, other.stage(*args, **kwargs))

    def pair(self, model: Program, companion: Program | None) -> Target:
        # Without the guide's score the gradient of another bound is biased (Tucker et al. 2019, "DReG", sec. 4).
        estimator = "reparameterised" if self.estimator == "auto" and self.alpha != 1.0 else self.estimator
        if isinstance(self.guide, Family):
            return Unconstrained(model, self.guide, estimator, self.call, companion)
        assert companion is not None
        return Guided(model, companion, estimator, self.call)


@transformation
def elbo(
    model: Callable[..., Any],
    guide: Any = "normal",
    num_particles: int = 1,
    estimator: str = "auto",
    *,
    alpha: float = 1.0,
    baseline: Callable[..., Any] | None = None,
    has_aux: bool = False,
) -> Loss:
    """Minus the evidence lower bound, as a loss `f(params, key, *args)` for a training loop of any kind.

    Args:
        model: a model.
        guide: a model with the same arguments, whose named sites are the latent ones of the model and whose `sx.param`s
            are optimised; or an automatic guide, by name or from `sx.guides`.
        num_particles: draws of the guide, at least 1, over which is averaged.
        estimator: of the gradient.
            "reparameterised": along the paths of draws (Kingma & Welling 2014).
            "sticking_the_landing": the same without the score of the guide, which has mean 0: at the optimum its
            variance is 0 if the guide can be the posterior (Roeder, Wu & Duvenaud 2017).
            "score": by the score of the guide (Ranganath, Gerrish & Blei 2014), for draws of any kind; what is
            subtracted is the mean of the other particles, or `baseline`.
            "enumerated": sums over the values of finite sites, paths for the others.
            "analytic_kl": paths, with KL(guide || prior) in closed form for the sites where it is known, and the
            entropy of an automatic guide.
            "auto": sums over finite sites, scores for what else has no path, paths for the rest; where all have a path,
            sticking the landing.  "iwae": paths, with alpha 0.
        alpha: order of the variational Renyi bound, at most 1; 0 is the importance weighted bound of `num_particles`,
            which rises to the evidence with their number.
        baseline: `f(*args) -> scalar`, for scores with one particle; it is not differentiated.
        has_aux: return `(loss, output)` with what the model returns for the first particle: the way out for batch
            statistics and the like.

    Returns:
        A `Loss`: `loss(params, key, *args)`; `loss.init(key, *args)` makes the parameters.

    Raises:
        InferenceError: a site without a path derivative where the estimator needs one.
        SettingsError, ArgumentTypeError: settings that make no loss.
        The errors of `Loss.check`.

    >>> import jax, jax.numpy as jnp, storax as sx
    >>> def model(y):
    ...     mu = sx.sample("mu", sx.Normal(0.0, 1.0))
    ...     sx.sample("y", sx.Normal(mu, 1.0), obs=y)
    >>> def guide(y):
    ...     loc = sx.param("loc", 0.0)
    ...     scale = sx.param("scale", 1.0, support=sx.supports.positive)
    ...     sx.sample("mu", sx.Normal(loc, scale))
    >>> loss, y = sx.elbo(model, guide, num_particles=4), jnp.array([1.0, 2.0])
    >>> params = loss.init(0, y)
    >>> value, gradient = jax.value_and_grad(loss)(params, 1, y)
    >>> sorted(gradient)
    ['loc', 'scale']
    """
    model = Model.of(model, "sx.elbo")
    guide = as_guide(guide, "sx.elbo")
    if estimator == "iwae":
        estimator, alpha = "auto", 0.0
    settings = check_settings(num_particles, estimator, alpha, "sx.elbo")
    return Loss(model, guide, *settings, baseline, has_aux)


def check_settings(num_particles: Any, estimator: Any, alpha: Any, call: str) -> tuple[int, str, float]:
    """The settings of a bound.

    Raises:
        SettingsError: an estimator that there is not, an order above 1.
    """
    count = as_count(f"{call}: num_particles", num_particles, 1)
    if estimator not in ESTIMATORS:
        raise SettingsError(f"{call}: there is no estimator {estimator!r}. {nearest(str(estimator), ESTIMATORS)}")
    if not isinstance(alpha, (int, float)) or not alpha <= 1:
        raise SettingsError(f"{call}: alpha must be a number, at most 1, and is {alpha!r}.")
    if alpha != 1 and estimator not in ("auto", "reparameterised"):
        raise SettingsError(f"{call}: estimator={estimator!r} is for alpha=1.0 alone. Use estimator='reparameterised'.")
    return count, estimator, float(alpha)
