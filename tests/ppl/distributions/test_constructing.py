"""What constructors say when they are called wrongly."""

import inspect
import traceback

import jax.numpy as jnp
import numpy as np
import pytest

import storax as sx

N = sx.Normal

CALLS = {
    "names of elsewhere": (lambda: N(mu=0.0, sigma=1.0), r"'mu'.*'loc'.*'scale'.*Normal\(loc=0.0, scale=1.0\)"),
    "a slip": (lambda: N(lco=0.0), r"'lco'\. Did you mean 'loc'"),
    "too many": (lambda: N(0.0, 1.0, 2.0), r"too many positional arguments.*Normal\(loc"),
    "missing": (lambda: sx.Gamma(), r"missing.*'concentration'.*Gamma\(concentration, rate=1.0\)"),
    "twice": (lambda: N(0.0, loc=0.0), "multiple values"),
    "no number": (lambda: N(0.0, "a"), "scale must be a number"),
}


@pytest.mark.parametrize("case", CALLS)
def test_wrong_calls_name_the_parameters_and_the_line(case):
    make, match = CALLS[case]
    with pytest.raises(sx.errors.ArgumentTypeError, match=r"^\w+ \(test_constructing\.py:\d+\): .*" + match) as caught:
        make()
    with pytest.raises(sx.errors.ArgumentTypeError, match=match):  # inside of a model, too
        sx.check(lambda: sx.sample("x", make()))()
    files = [f.filename for f in traceback.extract_tb(caught.value.__traceback__)]
    assert files.count(__file__) == len(files) - 1  # and the wrapper that raises


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: N(0.0, -1.0), sx.errors.ParameterError, "scale must be positive"),
        (lambda: N(jnp.zeros(3), jnp.ones(4)), sx.errors.ShapeError, "do not broadcast"),
        (lambda: sx.Categorical(logits=0.5), sx.errors.ShapeError, "logits must be a vector"),
        (lambda: N(jnp.zeros(3), 1.0).to_event(2), sx.errors.ShapeError, "to_event takes 0 to 1"),
    ],
)
def test_wrong_parameters_say_the_line(make, error, match):
    with pytest.raises(error, match=rf"\(test_constructing\.py:\d+\).*{match}"):
        make()


def test_an_error_of_the_users_own_stays():
    class Odd(sx.Normal):
        def __post_init__(self):
            raise TypeError("mine")

    with pytest.raises(TypeError, match="^mine$"):
        Odd(0.0, 1.0)


def test_expand_takes_an_int_or_ints():
    d = N(0.0, 1.0)
    for shape in (3, [3], (np.int64(3),)):
        assert d.expand(shape).batch_shape == (3,)
    for shape in (2.5, (-1,), "a", None, (True,)):
        with pytest.raises(sx.errors.ArgumentTypeError, match="expand must be Python ints"):
            d.expand(shape)
    for count in ("a", 1.0, True):
        with pytest.raises(sx.errors.ArgumentTypeError, match="to_event takes a number"):
            N(jnp.zeros(3), 1.0).to_event(count)


def test_signatures_are_kept():
    assert list(inspect.signature(sx.Gamma).parameters) == ["concentration", "rate"]
