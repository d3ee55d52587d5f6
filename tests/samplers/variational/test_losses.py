"""Bounds and their gradients, beside sums over all values, closed forms and each other."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

import storax as sx
from storax import errors

Y = jnp.array([1.0, 2.0])
KEYS = jax.random.split(jax.random.key(7), 4000)
EVIDENCE = scipy.stats.multivariate_normal.logpdf([1.0, 2.0], np.zeros(2), np.eye(2) + 1.0)


def normal(y):
    mu = sx.sample("mu", sx.Normal(0.0, 1.0))
    sx.sample("y", sx.Normal(mu, 1.0), obs=y)


def normal_guide(y):
    loc = sx.param("loc", 0.2)
    scale = sx.param("scale", 0.7, support=sx.supports.positive)
    sx.sample("mu", sx.Normal(loc, scale))


def exact_normal(params):
    """Minus the bound of `normal_guide`, by hand."""
    m, s = params["loc"], jnp.exp(params["scale"])
    prior = -0.5 * (m**2 + s**2) - 0.5 * jnp.log(2 * jnp.pi)
    data = sum(-0.5 * ((y - m) ** 2 + s**2) - 0.5 * jnp.log(2 * jnp.pi) for y in Y)
    return -(prior + data + jnp.log(s) + 0.5 + 0.5 * jnp.log(2 * jnp.pi))


def coins(y):
    a = sx.sample("a", sx.Bernoulli(0.3))
    b = sx.sample("b", sx.Categorical(jnp.array([0.2, 0.3, 0.5])))
    sx.sample("y", sx.Normal(a * 1.0 + b, 1.0), obs=y)


def coins_guide(y):
    a = sx.sample("a", sx.Bernoulli(logits=sx.param("a_logit", 0.4)))
    sx.sample("b", sx.Categorical(logits=sx.param("b_logits", jnp.array([0.1, -0.3, 0.5])) * (1.0 + a)))


def exact_coins(params):
    """Minus the bound of `coins_guide`, summed over its six values."""
    total = 0.0
    for a in (0, 1):
        for b in (0, 1, 2):
            log_q = sx.Bernoulli(logits=params["a_logit"]).log_prob(a)
            log_q += jax.nn.log_softmax(params["b_logits"] * (1.0 + a))[b]
            log_p = jnp.log(jnp.array([0.7, 0.3])[a]) + jnp.log(jnp.array([0.2, 0.3, 0.5])[b])
            log_p += jax.scipy.stats.norm.logpdf(Y, 1.0 * a + b).sum()
            total += jnp.exp(log_q) * (log_p - log_q)
    return -total


def gradients(model, guide, **settings):
    """The parameters, and `[key, number]` gradients over many keys."""
    loss = sx.elbo(model, guide, **settings)
    params = loss.init(0, Y)
    flat = lambda tree: jnp.concatenate([jnp.ravel(x) for x in jax.tree.leaves(tree)])
    many = jax.jit(jax.vmap(lambda key: flat(jax.grad(loss)(params, key, Y))))(KEYS)
    return params, np.asarray(many, float), lambda f: np.asarray(flat(jax.grad(f)(params)), float)


def assert_unbiased(many, exact):
    error = many.std(0) / np.sqrt(len(many))
    assert (np.abs(many.mean(0) - exact) < 4 * error + 1e-5).all(), (many.mean(0), exact, error)


@pytest.fixture(scope="module")
def of_normal():
    """Gradients by estimator."""
    names = ["reparameterised", "sticking_the_landing", "score", "analytic_kl"]
    return {n: gradients(normal, normal_guide, num_particles=2, estimator=n) for n in names}


def test_gradients_of_a_normal_guide_are_unbiased(of_normal):
    for _, many, flat in of_normal.values():
        assert_unbiased(many, flat(exact_normal))


def test_variances_are_ordered_as_theory_says(of_normal):
    # The score has no path to lean on (Ranganath 2014); KL in closed form takes the noise of the prior out.
    variance = {n: many.var(0).sum() for n, (_, many, _) in of_normal.items()}
    assert variance["analytic_kl"] < variance["reparameterised"] < variance["score"] / 4
    plain = gradients(normal, normal_guide, estimator="score")[1].var(0).sum()
    pairs = variance["score"]
    assert pairs < plain / 2  # more than the two particles alone would give


def test_sticking_the_landing_has_no_noise_at_the_posterior():
    def at_posterior(y):
        loc = sx.param("loc", 1.0)
        scale = sx.param("scale", 3**-0.5, support=sx.supports.positive)
        sx.sample("mu", sx.Normal(loc, scale))

    stuck = gradients(normal, at_posterior, estimator="sticking_the_landing")[1]
    plain = gradients(normal, at_posterior, estimator="reparameterised")[1]
    assert np.abs(stuck).max() < 1e-5 < plain.std(0).min()
    assert (sx.elbo(normal, at_posterior)({"loc": jnp.array(1.0), "scale": jnp.log(3**-0.5)}, 0, Y)
            == pytest.approx(-EVIDENCE, abs=1e-5))  # fmt: skip


def test_scores_of_discrete_sites_are_unbiased_and_others_lower_their_variance():
    alone, together = (gradients(coins, coins_guide, num_particles=k, estimator="score") for k in (1, 4))
    for _, many, flat in (alone, together):
        assert_unbiased(many, flat(exact_coins))
    assert together[1].var(0).sum() < alone[1].var(0).sum() / 4
    loss = sx.elbo(coins, coins_guide, estimator="score", baseline=lambda y: exact_coins(alone[0]) * -1.0)
    many = jax.jit(jax.vmap(lambda key: jax.grad(loss)(alone[0], key, Y)["a_logit"]))(KEYS)
    assert_unbiased(np.asarray(many)[:, None], alone[2](exact_coins)[:1])
    assert many.var() < alone[1][:, 0].var() / 2


@pytest.mark.parametrize("estimator", ["auto", "enumerated"])
def test_enumerated_sites_are_exact(estimator):
    loss = sx.elbo(coins, coins_guide, estimator=estimator)
    params = loss.init(0, Y)
    value, gradient = jax.value_and_grad(loss)(params, 3, Y)
    exact, slope = jax.value_and_grad(exact_coins)(params)
    np.testing.assert_allclose(value, exact, rtol=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), gradient, slope)


@pytest.mark.long
def test_sums_paths_and_scores_in_one_guide_are_unbiased():
    def model(y):
        a = sx.sample("a", sx.Bernoulli(0.4))
        n = sx.sample("n", sx.Poisson(1.0 + a))
        x = sx.sample("x", sx.Normal(1.0 * n, 1.0))
        sx.sample("y", sx.Normal(x, 1.0), obs=y)

    def guide(y):
        a = sx.sample("a", sx.Bernoulli(logits=sx.param("a_logit", 0.3)))
        n = sx.sample("n", sx.Poisson(jnp.exp(sx.param("log_rate", 0.1) + 0.2 * a)))
        sx.sample("x", sx.Normal(sx.param("slope", 0.5) * n, 0.8))

    def exact(params):  # x by hand, a and n summed
        total = 0.0
        for a in (0, 1):
            for n in range(25):
                rate = jnp.exp(params["log_rate"] + 0.2 * a)
                log_q = sx.Bernoulli(logits=params["a_logit"]).log_prob(a) + sx.Poisson(rate).log_prob(n)
                log_p = sx.Bernoulli(0.4).log_prob(a) + sx.Poisson(1.0 + a).log_prob(n)
                m = params["slope"] * n
                mean = lambda z, m: -0.5 * ((z - m) ** 2 + 0.64)
                of_x = mean(1.0 * n, m) + mean(Y[0], m) + mean(Y[1], m) - jnp.log(2 * jnp.pi) + jnp.log(0.8) + 0.5
                total += jnp.exp(log_q) * (log_p - log_q + of_x)
        return -total

    _, many, flat = gradients(model, guide, num_particles=2)
    assert_unbiased(many, flat(exact))


def test_the_importance_weighted_bound_rises_to_the_evidence():
    bounds = []
    for k in (1, 4, 32, 256):
        loss = sx.elbo(normal, normal_guide, num_particles=k, estimator="iwae")
        params = loss.init(0, Y)
        values = -jax.jit(jax.vmap(lambda key: loss(params, key, Y)))(KEYS)
        bounds.append((float(values.mean()), float(values.std() / np.sqrt(len(KEYS)))))
    for (low, a), (high, b) in itertools.pairwise(bounds):
        assert high - low > 2 * np.hypot(a, b)
    assert abs(bounds[-1][0] - EVIDENCE) < 0.01
    assert abs(bounds[0][0] + exact_normal(params)) < 4 * bounds[0][1]


@pytest.mark.long
def test_renyi_bounds_fall_with_their_order():
    values = []
    for alpha in (-1.0, 0.0, 0.5, 1.0):
        loss = sx.elbo(normal, normal_guide, num_particles=256, alpha=alpha)
        params = loss.init(0, Y)
        values.append(float(-jax.jit(jax.vmap(lambda key: loss(params, key, Y)))(KEYS[:500]).mean()))
    assert values[0] > values[1] > values[2] > values[3]
    # of two Gaussians in closed form: alpha 0.5 (Li & Turner 2016, eq. 4)
    m, s, c = 1.0, 3**-0.5, params
    q, p = (float(c["loc"]), float(jnp.exp(c["scale"]))), (m, s)
    grid = np.linspace(-6, 8, 200_001)
    density = scipy.stats.norm.pdf(grid, *q) ** 0.5 * scipy.stats.norm.pdf(grid, *p) ** 0.5
    exact = EVIDENCE + 2 * np.log(np.trapezoid(density, grid))
    assert abs(values[2] - exact) < 0.01


@pytest.mark.long
def test_the_bound_integrates_out_what_has_no_name():
    def mixture(y):
        mu = sx.sample("mu", sx.Normal(0.0, 1.0))
        z = sx.rv(sx.Bernoulli(0.5), shape=y.shape)
        sx.sample("y", sx.Normal(mu * z, 1.0), obs=y)

    loss = sx.elbo(mixture, normal_guide, num_particles=1)
    params = loss.init(0, Y)

    def by_hand(mu):
        parts = [jax.scipy.stats.norm.logpdf(Y, m) for m in (0.0, mu)]
        return jax.scipy.stats.norm.logpdf(mu) + (jnp.logaddexp(*parts) - jnp.log(2.0)).sum()

    grid = np.linspace(-5, 5, 4001)
    density = scipy.stats.norm.pdf(grid, 0.2, 0.7)
    f = np.asarray(jax.vmap(by_hand)(jnp.asarray(grid, jnp.float32))) - np.log(density)
    values = jax.jit(jax.vmap(lambda key: -loss(params, key, Y)))(KEYS)
    assert abs(values.mean() - np.trapezoid(density * f, grid)) < 4 * values.std() / np.sqrt(len(KEYS))


# --- what does not fit is refused before training


def two(y):
    a = sx.sample("a", sx.Normal(0.0, 1.0), shape=2)
    s = sx.sample("s", sx.HalfNormal(1.0))
    sx.sample("y", sx.Normal(a, s), obs=y)


def guide_of(**sites):
    def guide(y):
        for name, d in sites.items():
            sx.sample(name, d)

    return guide


A, S = sx.Normal(jnp.zeros(2), 1.0), sx.LogNormal(0.0, 1.0)


@pytest.mark.parametrize(
    ("guide", "error", "words"),
    [
        (guide_of(a=A), errors.UnknownNameError, "no site 's'"),
        (guide_of(a=A, s=S, b=S), errors.UnknownNameError, "'b'.*does not have"),
        (guide_of(a=A, s=S, y=A), errors.ModelError, "'y'.*observed"),
        (guide_of(a=sx.Normal(0.0, 1.0), s=S), errors.ShapeError, r"'a'.*\(2,\).*\(\)"),
        (guide_of(a=A, s=sx.Normal(0.0, 1.0)), errors.ModelError, "'s'.*LogNormal"),
        (guide_of(a=sx.Poisson(jnp.ones(2)), s=S), errors.ModelError, "'a'.*support"),
        (lambda y: sx.rv(sx.Normal(0.0, 1.0)), errors.NotMeasurable, "no name"),
        (lambda y: sx.sample("a", A, obs=y), errors.ModelError, "observes"),
        ("norml", errors.ArgumentTypeError, "'normal'"),
        (3, errors.ArgumentTypeError, "a guide is a model"),
        (sx.guides.MeanField, errors.ArgumentTypeError, "call it"),
    ],
)
def test_guides_that_do_not_fit_are_refused(guide, error, words):
    with pytest.raises(error, match=words):
        sx.elbo(two, guide).init(0, Y)


def test_settings_that_make_no_loss_are_refused():
    both = {"estimator": "score", "alpha": 0.5}
    for settings in ({"estimator": "pathwise"}, {"num_particles": 0}, {"alpha": 2.0}, both):
        with pytest.raises(errors.SettingsError):
            sx.elbo(normal, normal_guide, **settings)
    with pytest.raises(errors.InferenceError, match="'a'.*enumerated"):
        sx.elbo(coins, coins_guide, estimator="reparameterised").init(0, Y)
    loss = sx.elbo(normal, normal_guide)
    params = loss.init(0, Y)
    with pytest.raises(errors.UnknownNameError, match="lack 'scale'"):
        loss({"loc": params["loc"]}, 0, Y)
    with pytest.raises(errors.ShapeError, match="'loc'"):
        loss({**params, "loc": jnp.zeros(2)}, 0, Y)
    with pytest.raises(errors.ObservationError):
        loss.init(0, jnp.array([1.0, jnp.nan]))


def test_guides_of_narrower_supports_and_of_vectors_fit():
    sx.elbo(two, guide_of(a=sx.Uniform(jnp.zeros(2), 1.0), s=sx.Uniform(0.5, 1.0))).init(0, Y)
    vector = sx.MultivariateNormal(jnp.zeros(2), scale_tril=jnp.eye(2))
    sx.elbo(two, guide_of(a=vector, s=S)).init(0, Y)
