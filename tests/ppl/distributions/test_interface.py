"""What every distribution can do: shapes, copies, slices, transformations of JAX, types of floats, bad parameters."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from specimens import ALL, SCALARS, ask, draws, each, in_precision, is_float

import storax as sx
from storax.errors import BatchIndexError, NotMeasurable, ParameterError, StoraxError


def close(a, b, rtol=2e-5, atol=2e-5):
    np.testing.assert_allclose(np.asarray(a, float), np.asarray(b, float), rtol=rtol, atol=atol)


def two(d):
    """A batch of two that are the same: every leaf gets an axis in front."""
    return jax.tree.map(lambda x: jnp.stack([jnp.asarray(x)] * 2), d)


@each()
def test_shapes_and_types(d):
    assert d.shape == (*d.batch_shape, *d.event_shape) and len(d.event_shape) == d.event_dim
    x = draws(d, 5)
    assert x.shape == (5, *d.shape) and x.dtype == d.dtype
    assert d.sample(jax.random.key(0)).shape == d.shape
    assert d.sample(jax.random.key(0), (2, 3)).shape == (2, 3, *d.shape)
    score = ask("log_prob", d, x)
    assert score.shape == (5, *d.batch_shape) and is_float(score)
    close(score, jnp.stack([ask("log_prob", d, v) for v in x]))
    assert np.asarray(d.support(x)).all() and np.isfinite(score).all()
    assert len(np.unique(np.asarray(draws(d, 50, 1)).reshape(50, -1), axis=0)) > 1 or float(np.ptp(score)) == 0


@each()
def test_copies_are_independent_and_score_alike(d):
    copies = d.expand((2, 3, *d.batch_shape))
    x = copies.sample(jax.random.key(1), (40,))
    assert copies.batch_shape == (2, 3, *d.batch_shape) and x.shape == (40, 2, 3, *d.shape)
    assert not (x[:, 0, 0] == x[:, 1, 0]).all() or bool((x == x.ravel()[0]).all())
    close(copies.log_prob(x), d.log_prob(x))
    whole = copies.to_event(2) if not d.batch_shape else copies.to_event()
    close(whole.log_prob(x), copies.log_prob(x).sum((1, 2)))
    assert whole.event_shape == (*copies.batch_shape, *d.event_shape)


@each()
def test_a_mask_leaves_out(d):
    x = draws(d, 4)
    mask = jnp.array([True, False, True, False])
    score = d.expand((4, *d.batch_shape)).mask(mask.reshape(4, *[1] * len(d.batch_shape))).log_prob(x)
    close(score, jnp.where(mask.reshape(4, *[1] * len(d.batch_shape)), d.log_prob(x), 0.0))


@each()
def test_a_batch_has_parts(d):
    copies = d.expand((4, *d.batch_shape))
    x = d.sample(jax.random.key(2))
    assert copies[1:3].batch_shape == (2, *d.batch_shape)
    assert copies[2].shape == d.shape and copies[None].batch_shape == (1, 4, *d.batch_shape)
    close(copies[2].log_prob(x), d.log_prob(x))
    with pytest.raises(BatchIndexError, match="batch shape"):
        copies[4]


@each()
def test_transformations_of_jax(d):
    x = draws(d, 3)
    score = d.log_prob(x[0])
    close(jax.jit(lambda d, x: d.log_prob(x))(d, x[0]), score)
    close(jax.vmap(lambda x: d.log_prob(x))(x), d.log_prob(x))
    pair = two(d)
    close(jax.vmap(lambda d: d.log_prob(x[0]))(pair), jnp.stack([score] * 2))
    _, scanned = jax.lax.scan(lambda _, d: (0, d.log_prob(x[0])), 0, pair)
    close(scanned, jnp.stack([score] * 2))
    assert jax.vmap(lambda d, k: d.sample(k))(pair, jax.random.split(jax.random.key(0), 2)).shape == (2, *d.shape)


@each()
def test_is_an_immutable_pytree(d):
    leaves, tree = jax.tree.flatten(d)
    again = jax.tree.unflatten(tree, leaves)
    assert type(again) is type(d) and repr(again) == repr(d)
    assert jax.tree.structure(again) == tree and hash(tree) == hash(jax.tree.structure(again))
    same = jax.tree.map(lambda x: x, d)
    assert all(a is b for a, b in zip(jax.tree.leaves(same), leaves, strict=True))
    with pytest.raises(dataclasses.FrozenInstanceError):
        d.loc = 1.0
    assert repr(d).startswith(d.name + "(")


@each()
def test_single_precision_is_kept(d):
    d = in_precision(d, jnp.float32)
    x = draws(d, 3)
    assert ask("log_prob", d, x).dtype == jnp.float32
    if not d.is_discrete:
        assert d.dtype == x.dtype == jnp.float32


@each()
def test_single_precision_is_kept_in_a_world_of_double(d, x64):
    d = in_precision(d, jnp.float32)
    x = draws(d, 3)
    has_floats = any(jnp.issubdtype(jnp.result_type(p), jnp.floating) for p in jax.tree.leaves(d))
    assert ask("log_prob", d, x).dtype == (jnp.float32 if has_floats else jnp.float64)
    if not d.is_discrete:
        assert d.dtype == x.dtype == jnp.float32


@each([d for d in SCALARS if d.name != "Delta"], names={"Skellam", "Truncated", "Censored"})
def test_functions_keep_single_precision_in_a_world_of_double(d, x64):
    """Only traced: those of counts made from others were in float64, and Skellam's did not run."""
    d = in_precision(d, jnp.float32)
    if not any(is_float(v) for v in jax.tree.leaves(d)):
        return
    x = jnp.zeros((), d.dtype)
    for name in ("log_cdf", "log_survival"):
        if (shape := traced(getattr(d, name), x)) is not None:
            assert shape.dtype == jnp.float32
    if (shape := traced(d.icdf, jnp.float32(0.3))) is not None:
        assert shape.dtype == d.dtype


def traced(f, x):
    try:
        return jax.eval_shape(f, x)
    except NotMeasurable:
        return None


@each()
def test_double_precision_is_kept(d, x64):
    d = in_precision(d, jnp.float64)
    x = draws(d, 3)
    assert ask("log_prob", d, x).dtype == jnp.float64
    if not d.is_discrete:
        assert d.dtype == x.dtype == jnp.float64


@each()
def test_half_precision_does_not_crash(d):
    d = in_precision(d, jnp.bfloat16)
    x = draws(d, 3)
    assert ask("log_prob", d, x).shape == (3, *d.batch_shape)


@each()
def test_bad_parameters_are_refused_by_name(d):
    """Not a number is outside of every support: each parameter, made nan, is named."""
    for name in d.parameters:
        value = getattr(d, name)
        if value is None or not is_float(value):
            continue
        bad = jax.tree.map(lambda x: x, d)
        object.__setattr__(bad, name, np.full(np.shape(value), np.nan, np.float32))
        with pytest.raises(ParameterError, match=rf"{d.name}: {name} must be "):
            bad.validate()


@each()
def test_a_site_is_named_when_a_parameter_is_bad(d):
    d.validate()  # the example itself is good
    for name in d.parameters:
        value = getattr(d, name)
        if value is None or not is_float(value):
            continue
        bad = jax.tree.map(lambda x: x, d)
        object.__setattr__(bad, name, np.full(np.shape(value), np.nan, np.float32))
        with pytest.raises(StoraxError, match="site 'here'"):
            sx.seed(lambda bad=bad: sx.sample("here", bad), 0)()
        return


def test_there_is_an_example_of_every_distribution():
    wrappers = {sx.Expanded, sx.Masked, sx.Scaled, sx.Subsample, sx.Unit, sx.Independent, sx.distributions.Distribution}
    wrappers |= {sx.Improper}  # it has no draws to look at
    classes = {getattr(sx.distributions, n) for n in sx.distributions.__all__}
    classes = {c for c in classes if isinstance(c, type)} - wrappers
    assert classes <= {type(d) for d in ALL}
