"""A model is traced once; what it sees may change, and then it is traced again."""

import array
import collections
import dataclasses
import enum
import functools
import logging
import pathlib
import random
import re
import sys
import threading
import types
import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from scipy import stats

import storax as sx
from storax.surroundings import Surroundings

N = sx.Normal


def scored(model, *args, **kwargs):
    return float(sx.log_density(model)({}, *args, **kwargs))


def expected(scale):
    return stats.norm.logpdf(1.0, 0.0, scale)


def observe(scale):
    return sx.sample("y", N(0.0, scale), obs=1.0)


def frame(kind):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    return pandas.DataFrame({"s": [2.0]}) if kind == "frame" else pandas.Series([2.0])


def set_first(values, scale):
    values[0] = scale


SCALE = 2.0
TABLE = {"scale": 2.0}


def global_helper():
    return SCALE


def deep(n):
    """A chain of n helpers around a list, and the list."""
    state = [2.0]
    f = lambda: state[0]
    for _ in range(n):
        f = (lambda g: lambda: g())(f)
    return f, state


class Slots:
    __slots__ = ("__private", "scale")

    def __init__(self):
        self.scale, self.__private = 2.0, 2.0

    @property
    def private(self):
        return self.__private

    def change(self, scale):
        self.__private = scale


class Klass:
    scale = 2.0


class Calls:
    def __call__(self):
        return observe(global_helper())


class Methods:
    def __init__(self):
        self.helper_calls = 0

    def helper(self):
        return TABLE["scale"]

    def model(self):
        return observe(self.helper())


def in_a_frame():
    df = frame("frame")
    return lambda: observe(df["s"].to_numpy()[0]), lambda s: df.__setitem__("s", [s])


def in_a_frame_by_loc():
    df = frame("frame")
    return lambda: observe(df["s"].to_numpy()[0]), lambda s: df.loc.__setitem__((slice(None), "s"), s)


def in_a_series():
    series = frame("series")
    return lambda: observe(series.to_numpy()[0]), lambda s: series.iloc.__setitem__(0, s)


def in_a_partial():
    data = np.array([2.0])
    return functools.partial(lambda data: observe(data[0]), data), lambda s: set_first(data, s)


def in_a_partial_list():
    data = [2.0]
    return functools.partial(lambda data: observe(data[0]), data), lambda s: set_first(data, s)


def in_the_function_of_a_partial():
    return functools.partial(lambda: observe(global_helper())), lambda s: globals().update(SCALE=s)


def in_a_sub_model():
    state = [2.0]
    sub = sx.model(lambda: observe(state[0]))
    return lambda: sub(), lambda s: set_first(state, s)


def in_a_scoped_sub_model():
    state = [2.0]
    sub = sx.scope(lambda: observe(state[0]), "a")
    return lambda: sub(), lambda s: set_first(state, s)


def in_a_density():
    state = [2.0]
    density = sx.log_density(lambda: observe(state[0]))
    return lambda: sx.factor("f", density({})), lambda s: set_first(state, s)


def in_a_vmapped_helper():
    state = [2.0]
    helper = jax.vmap(lambda x: x * state[0])
    return lambda: observe(helper(jnp.ones(1))[0]), lambda s: set_first(state, s)


def in_a_custom_jvp():
    state = [2.0]
    helper = jax.custom_jvp(lambda x: x * state[0])
    helper.defjvps(lambda t, y, x: t)
    return lambda: observe(helper(1.0)), lambda s: set_first(state, s)


def in_a_module():
    settings = types.ModuleType("settings_of_the_user")
    settings.SCALE = 2.0
    return lambda: observe(settings.SCALE), lambda s: setattr(settings, "SCALE", s)


def in_a_module_that_another_helper_uses():
    settings = types.ModuleType("settings_of_the_user")
    settings.SCALE, settings.LOC = 2.0, 0.0
    loc, scale = lambda: settings.LOC, lambda: settings.SCALE
    return lambda: observe(scale() + loc()), lambda s: setattr(settings, "SCALE", s)


def in_a_module_in_a_module():
    package, settings = types.ModuleType("package_of_the_user"), types.ModuleType("settings_of_the_user")
    package.settings, settings.SCALE, settings.package = settings, 2.0, package
    return lambda: observe(package.settings.SCALE), lambda s: setattr(settings, "SCALE", s)


def beside_functions_of_jax():
    return lambda: observe(jax.nn.relu(jnp.sin(0.0)) + SCALE), lambda s: globals().update(SCALE=s)


def in_an_imported_module():
    settings = sys.modules["settings_imported"] = types.ModuleType("settings_imported")
    settings.SCALE = 2.0

    def model():
        import settings_imported

        observe(settings_imported.SCALE)

    return model, lambda s: setattr(settings, "SCALE", s)


def in_a_class():
    return lambda: observe(Klass.scale), lambda s: setattr(Klass, "scale", s)


def in_the_class_of_an_object():
    x = Klass()
    return lambda: observe(x.scale), lambda s: setattr(Klass, "scale", s)


def in_slots():
    x = Slots()
    return lambda: observe(x.scale), lambda s: setattr(x, "scale", s)


def in_private_slots():
    x = Slots()
    return lambda: observe(x.private), x.change


def in_a_deque():
    x = collections.deque([2.0])
    return lambda: observe(x[0]), lambda s: set_first(x, s)


def in_an_array():
    x = array.array("d", [2.0])
    return lambda: observe(x[0]), lambda s: set_first(x, s)


def in_a_masked_array():
    x = np.ma.array([2.0, 4.0], mask=[False, True])
    return lambda: observe(x.filled(2.0)[1]), lambda s: x.__setitem__(1, s)


def in_an_object_array():
    x = np.array([2.0, "a"], dtype=object)
    return lambda: observe(x[0]), lambda s: set_first(x, s)


def in_a_callable_object():
    return Calls(), lambda s: globals().update(SCALE=s)


def in_a_helper_method():
    return Methods().model, lambda s: TABLE.update(scale=s)


def in_a_deep_helper():
    f, state = deep(12)
    return lambda: observe(f()), lambda s: set_first(state, s)


def in_a_very_deep_helper():
    f, state = deep(150)
    return lambda: observe(f()), lambda s: set_first(state, s)


def in_a_bound_builtin():
    table = {"scale": 2.0}
    get = table.get
    return lambda: observe(get("scale")), lambda s: table.update(scale=s)


def in_an_iterator():  # cannot be seen: the model is traced at each call
    state = iter([2.0, 3.0])
    return lambda: observe(next(state)), lambda s: None


def in_a_function_attribute():
    def model():
        observe(model.scale)

    model.scale = 2.0
    return model, lambda s: setattr(model, "scale", s)


def in_a_distribution():
    scale = np.array([2.0], np.float32)
    d = N(0.0, scale)
    return lambda: sx.sample("y", d, obs=[1.0]), lambda s: set_first(scale, s)


PLACES = [f for n, f in list(globals().items()) if n.startswith(("in_", "beside_"))]


@pytest.mark.parametrize("place", PLACES, ids=lambda f: f.__name__)
def test_a_change_is_seen(place):
    model, change = place()
    try:
        np.testing.assert_allclose(scored(model), expected(2.0), rtol=1e-6)
        change(3.0)
        np.testing.assert_allclose(scored(model), expected(3.0), rtol=1e-6)
    finally:
        change(2.0)


def test_callable_arguments_are_looked_into():
    state, data = [2.0], np.array([2.0])
    link, given = lambda: state[0], functools.partial(lambda d: d[0], data)

    def model(scale, unused=None):
        observe(scale())

    for f, values in ((link, state), (given, data), (Methods().helper, TABLE)):
        np.testing.assert_allclose(scored(model, f), expected(2.0), rtol=1e-6)
        values.update(scale=3.0) if values is TABLE else set_first(values, 3.0)
        np.testing.assert_allclose(scored(model, f), expected(3.0), rtol=1e-6)
    TABLE.update(scale=2.0)


def test_zero_has_a_sign_and_nan_is_one_number():
    traced = []

    def model(table, x=1.0):
        traced.append(x)
        sx.sample("y", N(np.copysign(1.0, x), 1.0), obs=1.0)

    assert scored(model, {}, 0.0) != scored(model, {}, -0.0)
    assert scored(model, {}, x=0.0) == scored(model, {}, 0.0)
    for _ in range(3):
        scored(model, {}, float("nan"))
    assert len(traced) == 4

    zero = [0.0]
    closed = lambda: sx.sample("y", N(np.copysign(1.0, zero[0]), 1.0), obs=1.0)
    before = scored(closed)
    zero[0] = -0.0
    assert scored(closed) != before


@pytest.mark.parametrize("place", [f for f in PLACES if f not in (in_an_iterator, in_a_very_deep_helper)])
def test_what_can_be_seen_is_traced_once(place):
    model, _ = place()
    seen = Surroundings(model)
    assert seen.can_be_cached and seen.still_hold(model)


class Setting(typing.NamedTuple):
    scale: float = 2.0


class Colour(enum.Enum):
    RED = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Config:
    scale: float = 2.0


class Own(sx.Normal):
    def log_prob(self, value):
        return super().log_prob(value) * SCALE


USUAL = [
    Setting,
    Setting(),
    Colour.RED,
    Colour,
    Config(),
    Own,
    Own(),
    logging.getLogger("x"),
    functools.cache(len),
    functools.cache(global_helper),
    np.exp,
    jnp.exp,
    jax.nn.relu,
    scipy.special.gammaln,
    pathlib.Path("."),
    object(),
    re.compile("a"),
    range(3),
    sx.seed(global_helper, 0),
    sx.condition(global_helper, x=np.ones(3)),
    sx.nuts(),
    jax.random.key(0),
    jax.jit(global_helper),
    jax.grad(global_helper),
    list[int],
    types.SimpleNamespace(a=1),
]


@pytest.mark.parametrize("thing", USUAL, ids=lambda x: type(x).__name__)
def test_what_is_usual_in_programs_can_be_seen(thing):
    model = lambda: thing
    seen = Surroundings(model)
    assert seen.can_be_cached and seen.still_hold(model)


@pytest.mark.parametrize("thing", [np.random.default_rng(0), threading.Lock(), iter([1]), random.Random(0)])
def test_what_hides_its_state_is_not_taken_for_granted(thing):
    assert not Surroundings(lambda: thing).can_be_cached
    assert not Surroundings(lambda x: x, [[thing]]).can_be_cached


def test_cycles_and_shared_parts_are_no_trouble():
    ring = [1.0]
    ring.append(ring)
    shared = [ring, ring, {"a": ring}]

    def model():
        observe(shared[0][0])
        return model

    seen = Surroundings(model)
    assert seen.can_be_cached and seen.still_hold(model)
    ring[0] = 2.0
    assert not seen.still_hold(model)


def test_a_model_and_its_data_are_not_kept_alive():
    import gc
    import weakref

    class Data(list):
        pass

    def make():
        data = Data([2.0])

        def model():
            observe(data[0])
            return model

        scored(model)
        return weakref.ref(model)

    gone = make()
    jax.clear_caches()
    gc.collect()
    assert gone() is None


def test_new_arguments_without_end_are_not_all_kept():
    from storax.staging import KEPT, _memories

    def model(n):
        return n

    for n in range(KEPT + 10):
        sx.seed(model, 0)(str(n))
    assert len(_memories[model].entries) == KEPT
