"""A loop whose values are given is scored at once, and its density is the one that `lax.scan` gives step by step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from scipy import stats

import storax as sx
from storax import jaxprs, recurrences

N = sx.Normal
normal = stats.norm.logpdf
T = 7
Y = jnp.asarray(np.random.default_rng(0).normal(size=T))
TABLE = jnp.asarray(np.random.default_rng(1).normal(size=(3, 3)) / 3)


def parameters():
    return sx.sample("a", N(0.0, 1.0)), sx.sample("s", sx.HalfNormal(1.0))


def random_walk():
    a, s = parameters()

    def step(x, _):
        x = sx.sample("x", N(a * x, s))
        return x, None

    lax.scan(step, 0.3, None, length=T)


def backwards():
    a, s = parameters()

    def step(x, y):
        x = sx.sample("x", N(a * x + y, s))
        return x, 2 * x

    last, ys = lax.scan(step, 0.3, Y, reverse=True)
    sx.sample("end", N(last + ys.sum(), 1.0), obs=0.5)


def ar2():
    a, s = parameters()

    def step(c, _):
        one, two = c
        x = sx.sample("x", N(a * one - 0.3 * two, s))
        return (x, one), None

    (one, two), _ = lax.scan(step, (0.1, 0.2), None, length=T)
    sx.sample("end", N(one - two, 1.0), obs=0.5)


def of_functions_of_values():
    a, s = parameters()

    def step(c, y):
        square, previous = c
        y = sx.sample("y", N(previous, jnp.sqrt(s + a**2 * square)), obs=y)
        return (y**2, jnp.where(y > 0, y, 0.5)), None

    lax.scan(step, (1.0, 0.0), Y)


def stochastic_volatility():
    a, s = parameters()

    def step(h, y):
        h = sx.sample("x", N(a * h, s))
        level = sx.deterministic("level", jnp.exp(h / 2))
        sx.sample("y", N(0.0, level), obs=y)
        return h, level

    lax.scan(step, 0.0, Y)


def counted():
    a, s = parameters()
    lax.fori_loop(0, T, lambda i, x: sx.sample("x", N(a * x + Y[i], s)), 0.0)


def counted_backwards_by_three():
    a, s = parameters()

    def step(c, _):
        i, x, b = c
        x = sx.sample("x", N(a * x + i, s))
        return (3 + i, x, b), (b, i)

    (i, _, b), (bs, counts) = lax.scan(step, (jnp.int32(-4), 0.0, a), None, length=T, reverse=True)
    sx.sample("end", N(b + bs.sum() + i + counts[0], 1.0), obs=0.5)


def garch():
    a, s = parameters()

    def step(c, y):
        h, y_before = c
        h = 0.1 + 0.2 * y_before**2 + jax.nn.sigmoid(a) * h
        y = sx.sample("y", N(0.0, s * jnp.sqrt(h)), obs=y)
        return (h, y), h

    _, hs = lax.scan(step, (1.0, 0.0), Y)
    sx.sample("end", N(hs.sum(), 1.0), obs=0.5)


def delayed():
    """A carry that follows the one that recurs; another that recurs on both; and a pair that is swapped."""
    a, s = parameters()

    def step(c, y):
        h, before, total, even, odd = c
        h = 0.5 * h + y**2
        total = 0.9 * total + before
        x = sx.sample("x", N(a * before + total + even - odd, s))
        return (h, h + x, total, odd, even), None

    last, _ = lax.scan(step, (1.0, 0.0, 0.1, 0.2, 0.7), Y)
    sx.sample("end", N(sum(last), 1.0), obs=0.5)


def two_cycles():
    a, s = parameters()

    def step(c, x):
        p, q, r = c
        x = sx.sample("x", N(a * p + q * r, s))
        return (0.5 * q + x, 0.5 * p, 0.9 * r + 0.1 * jnp.tanh(x)), None

    lax.scan(step, (0.1, 0.2, 0.3), None, length=T)


def branching():
    a, s = parameters()

    def step(x, y):
        noise = lax.cond(y > 0, lambda: s, lambda: 2 * s)
        x = lax.cond(x > 0, lambda: sx.sample("x", N(a * x, noise)), lambda: sx.sample("x", N(a, noise + y**2)))
        root = lax.cond(x > 0, lambda: jnp.sqrt(x), lambda: 0.0)  # its derivative is nan where it was not taken
        sx.sample("y", N(root, s), obs=y)
        return x, None

    lax.scan(step, 0.3, Y)


def nested():
    a, s = parameters()

    def outer(c, y):
        c = sx.sample("x", N(a * c, s))

        def inner(d, _):
            before, total = d
            z = sx.sample("z", N(a * before + 0.1 * total, s))
            return (z, 0.5 * total + z), None

        (last, total), _ = lax.scan(inner, (c, 0.0), None, length=3)
        return last + 0.1 * y, total

    _, totals = lax.scan(outer, 0.3, Y)
    sx.sample("end", N(totals.sum(), 1.0), obs=0.5)


def of_lanes():
    a, s = parameters()

    def lane(start):
        return lax.scan(lambda x, y: (sx.sample("x", N(a * x + y, s)),) * 2, start, Y)[1]

    jax.vmap(lane)(jnp.arange(3.0))


def in_lanes():
    a, s = parameters()

    def lane(start):
        return lax.scan(lambda x, y: (sx.sample("x", N(a * x + y, s)),) * 2, start, Y)[1]

    sx.vmap(lane)(jnp.arange(3.0))


def of_vectors():
    a, s = parameters()

    def step(c, _):
        x, total = c
        x = sx.sample("x", sx.MultivariateNormal(a * TABLE @ x, s * jnp.eye(3)))
        return (x, TABLE @ total + x), None

    (_, total), _ = lax.scan(step, (jnp.ones(3), jnp.zeros(3)), None, length=T)
    sx.sample("end", N(total.sum(), 1.0), obs=0.5)


def jitted_and_rematerialised():
    a, s = parameters()

    @jax.jit
    def move(h, x):
        return 0.5 * h + x, jnp.tanh(x)

    @jax.checkpoint
    def step(c, _):
        h, x = c
        x = sx.sample("x", N(a * x + h, s))
        return move(h, x), None

    jax.jit(lambda: lax.scan(jax.jit(step), (0.0, 0.3), None, length=T, unroll=2))()


def array_in_the_carry():
    a, s = parameters()

    def step(i, x):
        return x.at[i].set(sx.sample("x", N(a * x[i - 1], s)))

    x = lax.fori_loop(1, T + 1, step, jnp.zeros(T + 1))
    sx.sample("end", N(x.sum(), 1.0), obs=0.5)


def without_carry():
    a, s = parameters()
    sx.sample("end", N(lax.map(lambda y: sx.sample("x", N(a * y, s)), Y).sum(), 1.0), obs=0.5)


def constrained_on_the_way():
    _, s = parameters()

    def step(low, _):
        x = sx.sample("x", sx.Uniform(low, low + s))
        return x, None

    lax.scan(step, 0.0, None, length=T)


def seeded_inside():
    a, s = parameters()

    def step(c, _):
        key, x = c
        key, sub = jax.random.split(key)
        x = sx.sample("x", N(a * x + jax.random.normal(sub), s))
        return (key, x), None

    lax.scan(step, (jax.random.key(4), 0.0), None, length=T)


def called_back():
    a, s = parameters()
    like = jax.ShapeDtypeStruct((), jnp.float64)

    def step(x, y):
        x = sx.sample("x", N(a * x + jax.pure_callback(lambda y: np.asarray(np.sin(y)), like, y), s))
        return x, None

    lax.scan(step, 0.3, Y.astype(float))


# model -> loops in its log density
MODELS = {
    random_walk: 0,
    backwards: 0,
    ar2: 0,
    of_functions_of_values: 0,
    stochastic_volatility: 0,
    counted: 0,
    counted_backwards_by_three: 0,
    garch: 1,
    delayed: 2,  # h and the swapped pair together, then the total
    two_cycles: 1,
    branching: 1,  # for all three conds
    nested: 1,
    of_lanes: 0,
    in_lanes: 0,
    of_vectors: 1,
    jitted_and_rematerialised: 1,
    array_in_the_carry: 1,
    without_carry: 0,
    constrained_on_the_way: 0,
    seeded_inside: 2,  # the keys, and the bits that a batch of them might make otherwise
    called_back: 1,
}


def values_of(model):
    trace = sx.trace(sx.seed(model, 1))()[1]
    return trace.latent


def loops(closed):
    """How many scans, at any depth; those inside of a scan count with it."""
    inside = lambda e: 1 if e.primitive.name == "scan" else sum(map(loops, jaxprs.sub_jaxprs(e)))
    return sum(map(inside, jaxprs.equations(closed)))


@pytest.fixture
def step_by_step(monkeypatch):
    def use(f, *args):
        with monkeypatch.context() as m:
            m.setattr(recurrences, "scan", lax.scan)
            return f(*args)

    return use


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.__name__)
def test_the_density_is_that_of_the_steps(model, step_by_step, x64):
    values = values_of(model)
    f = jax.jit(jax.value_and_grad(lambda v: sx.log_density(model)(v)))
    fast, gradient = f(values)
    slow, by_steps = step_by_step(jax.jit(jax.value_and_grad(lambda v: sx.log_density(model)(v))), values)
    np.testing.assert_allclose(fast, slow, rtol=1e-10)
    assert all(np.isfinite(g).all() for g in by_steps.values())
    for name in values:
        np.testing.assert_allclose(gradient[name], by_steps[name], rtol=1e-9, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.__name__)
def test_only_what_recurs_is_a_loop(model, x64):
    values = values_of(model)
    assert loops(jax.make_jaxpr(lambda v: sx.log_density(model)(v))(values)) == MODELS[model]
    if not MODELS[model]:
        assert not loops(jax.make_jaxpr(jax.grad(lambda v: sx.log_density(model)(v)))(values))


@pytest.mark.parametrize("model", [backwards, delayed, branching, nested, constrained_on_the_way])
def test_records_and_points_are_those_of_the_steps(model, step_by_step, x64):
    """Pointwise densities, derived quantities, and the way to R^n and back."""
    values = values_of(model)
    likelihood = sx.log_likelihood(model)
    if "branching" not in model.__name__:  # whose latent branches depend on latent choices
        density = sx.unconstrain(model)()
        z = density.unconstrain(values)
        asked = [(density.unconstrain, values), (density.constrain, z), (jax.grad(density.log_density), z)]
        pairs = [(jax.jit(f)(x), step_by_step(jax.jit(lambda x, f=f: f(x)), x)) for f, x in asked]
    else:
        pairs = []
    pairs.append((likelihood(values), step_by_step(likelihood, values)))
    for fast, slow in pairs:
        assert fast.keys() == slow.keys()
        for name in slow:
            assert fast[name].shape == slow[name].shape
            np.testing.assert_allclose(fast[name], slow[name], rtol=1e-9, atol=1e-10, err_msg=name)


def test_against_scipy():
    v = {"a": 0.5, "s": 1.3, "x": np.random.default_rng(2).normal(size=T)}
    prior = normal(0.5) + stats.halfnorm.logpdf(1.3)
    expected = prior + normal(v["x"], 0.5 * np.r_[0.3, v["x"][:-1]], 1.3).sum()
    np.testing.assert_allclose(sx.log_density(random_walk)(v), expected, rtol=1e-5)
    y, h, expected = np.r_[0.0, np.asarray(Y)], 1.0, prior
    total = 0.0
    for t in range(T):
        h = 0.1 + 0.2 * y[t] ** 2 + h / (1 + np.exp(-0.5))
        expected += normal(y[t + 1], 0, 1.3 * np.sqrt(h))
        total += h
    expected += normal(0.5, total)
    np.testing.assert_allclose(sx.log_density(garch)({"a": 0.5, "s": 1.3}), expected, rtol=1e-5)


@pytest.mark.parametrize("length", [0, 1])
@pytest.mark.parametrize("reverse", [False, True])
def test_short_loops(length, reverse):
    def model():
        def step(c, _):
            i, x, h = c
            x = sx.sample("x", N(x + i + h, 1.0))
            return (i + 1, x, 0.5 * h + x), h

        c, hs = lax.scan(step, (2, 0.3, 0.1), None, length=length, reverse=reverse)
        sx.sample("end", N(sum(c) + hs.sum(), 1.0), obs=0.5)

    x = jnp.full(length, 0.7)
    last = (3 + 0.7 + 0.05 + 0.7 + 0.1) if length else 2.4
    expected = normal(0.5, last) + (normal(0.7, 2.4) if length else 0.0)
    np.testing.assert_allclose(sx.log_density(model)({"x": x}), expected, rtol=1e-5)


def test_under_transformations():
    """jit, vmap over values and jit of vmap of gradient, hessian, and step-by-step execution by disable_jit."""
    f = lambda v: sx.log_density(delayed)(v)
    values = values_of(delayed)
    several = jax.tree.map(lambda x: jnp.stack([x, 1.1 * x]), values)
    gradient = jax.jit(jax.grad(f))
    one_by_one = [gradient(jax.tree.map(lambda x: x[i], several)) for i in range(2)]
    together = jax.jit(jax.vmap(jax.grad(f)))(several)
    for name in values:
        np.testing.assert_allclose(together[name], [g[name] for g in one_by_one], rtol=1e-4, atol=1e-4)
    of_a = lambda a: f({**values, "a": a})
    a, slope = values["a"], jax.jit(jax.grad(of_a))
    hessian = jax.jit(jax.hessian(of_a))(a)
    np.testing.assert_allclose(hessian, (slope(a + 0.01) - slope(a - 0.01)) / 0.02, rtol=1e-2)
    with jax.disable_jit():
        np.testing.assert_allclose(f(values), jax.jit(f)(values), rtol=1e-5)


def test_nothing_is_kept_of_an_array_that_the_steps_fill():
    text = str(jax.make_jaxpr(lambda v: sx.log_density(array_in_the_carry)(v))(values_of(array_in_the_carry)))
    assert f"[{T},{T + 1}]" not in text


def test_effects_keep_their_order():
    seen = []

    def model():
        def step(x, y):
            jax.debug.callback(lambda y: seen.append(float(y)), y, ordered=True)
            x = sx.sample("x", N(x, 1.0))
            return x, None

        lax.scan(step, 0.0, Y)

    sx.log_density(model)({"x": jnp.zeros(T)})
    jax.effects_barrier()
    np.testing.assert_allclose(seen, Y, rtol=1e-6)


def test_what_is_drawn_is_drawn_in_a_loop():
    """A key of the type "rbg" makes other numbers in a batch than one by one."""

    def model():
        return lax.scan(lambda x, _: (sx.sample("x", N(x, 1.0)),) * 2, 0.0, None, length=T)[1]

    key = jax.random.key(0, impl="rbg")
    assert loops(jax.make_jaxpr(sx.seed(model, key))()) == 1
    drawn = sx.log_density(sx.seed(model, key))
    assert loops(jax.make_jaxpr(lambda: drawn({}))()) == 1


def test_a_parameter_out_of_its_range_is_nan_or_impossible_as_before(step_by_step):
    def model(s):
        lax.scan(lambda x, y: (sx.sample("y", sx.HalfNormal(s + 0 * x), obs=y),) * 2, 0.0, Y)

    f = jax.jit(lambda s: sx.log_density(model)({}, s))
    for s in (1.0, -1.0):
        np.testing.assert_array_equal(f(s), step_by_step(jax.jit(lambda s: sx.log_density(model)({}, s)), s))
