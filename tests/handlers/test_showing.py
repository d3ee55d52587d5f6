"""Who depends on whom, against what the programs say; and diagrams that hold nothing but what they should."""

import itertools
import re
import xml.etree.ElementTree as ET

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import storax as sx

N = sx.Normal(0.0, 1.0)


def parents(model, *args):
    return {n: set(r.parents) for n, r in sx.show(model)(*args).items()}


def test_derived_quantities_and_observations():
    def model(y):
        a, b, _ = sx.sample("a", N), sx.sample("b", N), sx.sample("unused", N)
        c = sx.deterministic("c", a + 1)
        sx.sample("y", sx.Normal(c * b, 1.0), obs=y)

    assert parents(model, jnp.zeros(3)) == {"a": set(), "b": set(), "unused": set(), "c": {"a"}, "y": {"b", "c"}}
    rows = sx.show(model)(jnp.zeros(3))
    assert rows["y"].observed and rows["y"].shape == (3,) and rows["c"].kind == "derived"


def test_an_argument_that_a_call_does_not_use_is_no_parent():
    inner = jax.jit(lambda a, b: (a * 2, b * 2))

    def model():
        a, b = sx.sample("a", N), sx.sample("b", N)
        first, second = inner(a, b)
        sx.sample("x", sx.Normal(first, 1.0))
        sx.sample("y", sx.Normal(second, 1.0))

    assert parents(model) == {"a": set(), "b": set(), "x": {"a"}, "y": {"b"}}


def test_the_carry_of_a_scan_is_followed_until_nothing_changes():
    def model():
        a, b, c = sx.sample("a", N), sx.sample("b", N), sx.sample("c", N)

        def step(carry, _):
            x, y, z = carry
            sx.sample("s", sx.Normal(z, 1.0))
            return (a, x, y), None  # a reaches z after three steps

        lax.scan(step, (b, b, c), None, length=5)

    assert parents(model)["s"] == {"a", "b", "c"}
    row = sx.show(model)()["s"]
    assert row.shape == (5,) and [b.title for b in row.boxes] == ["loop (5)"]


def test_a_site_that_feeds_itself_in_a_scan():
    def model():
        def step(x, _):
            x = sx.sample("x", sx.Normal(x, 1.0))
            return x, x

        return lax.scan(step, sx.sample("x0", N), None, length=3)[1]

    assert parents(model) == {"x0": set(), "x": {"x0", "x"}}


def test_a_predicate_is_a_parent_of_what_it_decides():
    def model(flag):
        p, q = sx.sample("p", N), sx.sample("q", N)
        v = lax.cond(p > 0, lambda: sx.sample("x", N), lambda: q)
        sx.sample("y", sx.Normal(v, 1.0))

    assert parents(model, True) == {"p": set(), "q": set(), "x": {"p"}, "y": {"p", "q", "x"}}
    assert sx.show(model)(True)["x"].conditional


def test_a_while_loop_depends_on_what_stops_it():
    def model():
        p, q = sx.sample("p", N), sx.sample("q", N)
        total = lax.while_loop(lambda s: s < p, lambda s: s + 1.0, 0.0)
        sx.sample("y", sx.Normal(total, jnp.exp(q)))

    assert parents(model)["y"] == {"p", "q"}


def test_anonymous_draws_and_lanes_are_shown():
    def model(y):
        mu = sx.sample("mu", N)
        z = jax.vmap(lambda m: sx.sample("z", sx.Normal(m, 1.0)))(mu * jnp.ones(4))
        sx.sample("y", sx.Normal(sx.rv(sx.Normal(z[0], 1.0)), 1.0), obs=y)

    rows = sx.show(model)(0.0)
    assert [b.title for b in rows["z"].boxes] == ["lanes (4)"]
    (anonymous,) = (r for r in rows.values() if r.kind == "anonymous")
    assert anonymous.parents == ("z",) and rows["y"].parents == (anonymous.name,)


def test_sx_vmap_is_a_box():
    def model(flags):
        lane = lambda f: lax.cond(f, lambda: sx.sample("x", N), lambda: 0.0)
        sx.vmap(lane)(flags)

    row = sx.show(model)(jnp.array([True, False]))["x"]
    assert row.shape == (2,) and [b.title for b in row.boxes] == ["lanes (2)"]


def test_transformed_models():
    def model():
        a = sx.sample("a", N)
        b = sx.deterministic("b", 2 * a)
        sx.sample("y", sx.Normal(b, 1.0))

    shown = sx.show(sx.condition(model, y=1.0))()
    assert shown["y"].observed
    assert list(sx.show(sx.do(model, b=1.0))()) == ["a", "y"]
    assert sx.show(sx.do(model, b=1.0))()["y"].parents == ()
    assert list(sx.show(sx.scope(model, "s"))()) == ["s/a", "s/b", "s/y"]
    assert sx.show(sx.seed(model, 0))()["y"].parents == ("b",)


@pytest.mark.parametrize("seed", range(3))
def test_parents_are_those_that_a_derivative_finds(seed):
    """In a random linear program the parents of a site are those with a coefficient that is not zero."""
    rng = np.random.default_rng(seed)
    n = 6
    weights = np.tril(rng.normal(size=(n, n)) * (rng.random((n, n)) < 0.4), -1)

    def model():
        xs = []
        for i in range(n):
            mean = sum((weights[i, j] * xs[j] for j in range(i) if weights[i, j]), start=jnp.zeros(()))
            xs.append(sx.sample(f"x{i}", sx.Normal(mean, 1.0)))

    def score(values):
        trace = sx.trace(sx.substitute(model, values))()[1]
        return {n: s.distribution.loc for n, s in trace.items()}

    values = {f"x{i}": 0.5 for i in range(n)}
    slopes = jax.jacobian(score)(values)
    expected = {a: {b for b in values if float(slopes[a][b]) != 0} for a in values}
    assert parents(model) == expected


# --- formats


NASTY = ["<script>alert(1)", 'a"b', "a\\", "x & y", "`q`", "]] end", "ünïcode", "a;b#c", "end"]


def nasty():
    total = sum(sx.sample(name, N) for name in NASTY)
    with sx.plate('<img src="x">', 3):
        sx.sample("y", sx.Normal(total, 1.0))


def test_names_are_escaped_everywhere():
    shown = sx.show(nasty)()
    root = ET.fromstring(shown.to_svg())
    texts = [t.text for t in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {f"{n}: Normal" for n in NASTY} <= set(texts) and '<img src="x"> (3)' in texts
    tags = {element.tag.split("}")[1] for element in root.iter()}
    assert tags <= {"svg", "defs", "marker", "path", "rect", "ellipse", "text"}
    assert "<script" not in shown._repr_html_() and "<img" not in shown._repr_html_()
    for line in shown.to_mermaid().splitlines():
        assert not re.search(r"[<>\\`]", re.sub(r"-\.?->", "", line)), line
        assert line.count('"') in (0, 2)
    for line in shown.to_graphviz().splitlines():
        assert re.sub(r'"([^"\\]|\\.)*"', "", line).count('"') == 0, line


def boxes_of(svg):
    root = ET.fromstring(svg)
    space = "{http://www.w3.org/2000/svg}"
    ellipses = [[float(e.get(k)) for k in ("cx", "cy", "rx", "ry")] for e in root.iter(space + "ellipse")]
    frames = [[float(e.get(k)) for k in ("x", "y", "width", "height")] for e in root.iter(space + "rect")
              if e.get("fill") == "none"]  # fmt: skip
    return ellipses, frames


def many():
    rows, cols = sx.plate("rows", 3, dim=-2), sx.plate("cols", 4, dim=-1)
    top = [sx.sample(f"top{i}", N) for i in range(3)]
    with rows:
        r = sx.sample("r", sx.Normal(top[0], 1.0))
    with cols:
        c = sx.sample("c", sx.Normal(top[1], 1.0))
    with rows, cols:
        s = sx.sample("s", sx.HalfNormal(1.0))
        sx.sample("y", sx.Normal(r + c[None] + top[2], s))
    sx.sample("late", sx.Normal(top[0] + c.sum(), 1.0))


def test_nodes_do_not_overlap_and_frames_hold_their_members_alone():
    shown = sx.show(many)()
    ellipses, frames = boxes_of(shown.to_svg())
    assert len(ellipses) == len(shown)
    for (x, y, rx, ry), (u, v, su, sv) in itertools.combinations(ellipses, 2):
        assert abs(x - u) >= rx + su or abs(y - v) >= ry + sv
    inside = lambda e, f: f[0] <= e[0] <= f[0] + f[2] and f[1] <= e[1] <= f[1] + f[3]
    held = sorted(sum(inside(e, f) for e in ellipses) for f in frames)
    assert held == [3, 3]  # rows: r, s, y; cols: c, s, y


def test_a_model_without_sites_has_a_picture_too():
    shown = sx.show(lambda: None)()
    assert len(shown) == 0 and ET.fromstring(shown.to_svg()) is not None and shown.to_mermaid() == "flowchart TD"


def test_unknown_names_are_refused():
    with pytest.raises(sx.errors.UnknownNameError, match="Did you mean 'late'"):
        sx.show(many)()["lata"]


# --- draw


def test_draws_of_distributions_and_programs():
    assert sx.draw(sx.MultivariateNormal(jnp.zeros(3), jnp.eye(3)), 0).shape == (3,)
    draws = sx.draw(sx.Exponential(2.0), 0, num=4000)
    assert abs(draws.mean() - 0.5) < 4 * 0.5 / 4000**0.5
    assert sx.draw(lambda n: sx.sample("x", N, shape=n), 0, 2, num=5).shape == (5, 2)
    sites = sx.draw(many, 0, num=2)
    assert sites["y"].shape == (2, 3, 4) and sites["y"][0, 0, 0] != sites["y"][1, 0, 0]
    assert sx.draw(sx.model(many), 0)["r"].shape == (3, 1)
    assert sx.model(lambda: sx.sample("x", N)).draw(0).shape == ()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sx.draw(sx.Normal, 0), "call it"),
        (lambda: sx.draw(N), "needs a random key"),
        (lambda: sx.draw(N, 0, num=1.5), "must be an int"),
        (lambda: sx.draw(N, 0, num=-1), "not be negative"),
        (lambda: sx.draw(N, 0, 3), "takes no arguments"),
        (lambda: sx.draw(3.0, 0), "needs a model"),
    ],
)
def test_what_cannot_be_drawn(call, message):
    with pytest.raises(sx.errors.StoraxError, match=message):
        call()
