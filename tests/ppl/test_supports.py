"""Every support: members, and what only looks like one."""

import jax.numpy as jnp
import numpy as np
import pytest

from storax import supports

NAN, INF = np.nan, np.inf
TURNED = [[1.0, 0.0], [0.6, 0.8]]  # rows of length 1

TABLE = [  # support, members, others
    (supports.real, [0.0, -1e30], [NAN, INF, -INF]),
    (supports.positive, [1e-30, 5.0], [0.0, -1.0, NAN, INF]),
    (supports.circular, [-3.14, 0.0, 3.14], [-3.2, 3.2, NAN, INF]),
    (supports.integer, [-3.0, 0.0, 5.0], [0.5, NAN, INF, -INF]),
    (supports.positive_integer, [1.0, 5.0], [0.0, -1.0, 1.5, NAN, INF]),
    (supports.sphere, [[0.6, 0.8], [-1.0, 0.0]], [[0.6, 0.6], [0.0, 0.0], [NAN, 1.0], [INF, 0.0]]),
    (supports.log_weights, [[0.0, -INF], [1.0, 2.0]], [[-INF, -INF], [NAN, 0.0], [INF, 0.0]]),
    (supports.nonnegative, [0.0, 5.0], [-1e-6, NAN, INF]),
    (supports.unit_interval, [0.0, 0.3, 1.0], [-0.1, 1.1, NAN, INF]),
    (supports.interval(-1.0, 2.0), [-1.0, 2.0, 0.0], [-1.1, 2.1, NAN, -INF]),
    (supports.greater_than(3.0), [3.0, 1e9], [2.9, NAN, INF]),
    (supports.less_than(3.0), [3.0, -1e9], [3.1, NAN, -INF]),
    (supports.boolean, [0.0, 1.0], [0.5, 2.0, NAN, INF]),
    (supports.nonnegative_integer, [0.0, 7.0], [0.5, -1.0, NAN, INF]),
    (supports.integer_interval(-1, 4), [-1.0, 4.0], [0.5, 5.0, NAN, -INF]),
    (supports.subset(3), [[0.0, 2.0], [2.0, 1.0]], [[1.0, 1.0], [0.0, 3.0], [0.5, 1.0], [NAN, 1.0]]),
    (supports.real_vector, [[0.0, 1.0]], [[0.0, NAN], [INF, 0.0]]),
    (supports.simplex, [[0.25, 0.75], [0.0, 1.0]], [[0.5, 0.6], [-0.5, 1.5], [NAN, 1.0], [INF, -INF]]),
    (supports.extended_real, [0.0, INF, -INF], [NAN]),
    (supports.complex, [0.0, 5.0], [NAN, INF, -INF]),
    (supports.ordered, [[-1.0, 2.0], [0.0, 1e30]], [[2.0, 1.0], [1.0, 1.0], [NAN, 1.0], [0.0, INF]]),
    (supports.positive_ordered, [[1e-30, 2.0]], [[-1.0, 2.0], [0.0, 1.0], [2.0, 1.0], [1.0, NAN], [1.0, INF]]),
    (supports.zero_sum(1), [[-1.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [0.0, 0.1], [NAN, 0.0], [INF, -INF]]),
    (supports.independent(supports.positive, 1), [[1.0, 2.0]], [[1.0, -2.0], [1.0, NAN]]),
    (
        supports.positive_definite,
        [[[1.0, 0.5], [0.5, 1.0]], [[1e30, 0.0], [0.0, 1e-30]]],
        [
            [[1.0, 2.0], [2.0, 1.0]],
            [[1.0, 0.5], [0.4, 1.0]],
            [[0.0, 0.0], [0.0, 0.0]],
            [[-1.0, 0.0], [0.0, 1.0]],
            [[NAN, 0.0], [0.0, 1.0]],
            [[1.0, NAN], [NAN, 1.0]],
            [[INF, 0.0], [0.0, 1.0]],
        ],
    ),
    (
        supports.lower_cholesky,
        [[[1.0, 0.0], [-5.0, 1e-30]]],
        [[[1.0, 0.1], [0.0, 1.0]], [[1.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], [NAN, 1.0]], [[INF, 0.0], [0.0, 1.0]]],
    ),
    (
        supports.correlation,
        [[[1.0, 0.5], [0.5, 1.0]], [[1.0, -0.99], [-0.99, 1.0]]],
        [
            [[1.0, 0.5], [0.4, 1.0]],
            [[1.001, 0.5], [0.5, 1.0]],
            [[1.0, 1.0], [1.0, 1.0]],
            [[1.0, -1.2], [-1.2, 1.0]],
            [[1.0, NAN], [NAN, 1.0]],
        ],
    ),
    (
        supports.correlation_cholesky,
        [TURNED, [[1.0, 0.0], [0.0, 1.0]]],
        [
            [[1.0, 0.0], [0.6, -0.8]],
            [[1.0, 0.0], [0.6, 0.81]],
            [[2.0, 0.0], [0.6, 0.8]],
            [[1.0, 0.0], [1.0, 0.0]],
            [[0.6, 0.8], [0.0, 1.0]],
            [[1.0, 0.0], [NAN, 0.8]],
        ],
    ),
]


@pytest.mark.parametrize("support, members, others", TABLE, ids=[repr(s) for s, _, _ in TABLE])
@pytest.mark.parametrize("module", [np, jnp])
def test_members(support, members, others, module):
    both = module.asarray([*members, *others], np.float32)
    expected = [True] * len(members) + [False] * len(others)
    np.testing.assert_array_equal(support(both), expected)
    for x, inside in zip(both, expected, strict=True):
        assert bool(support(x)) == inside
    # Batch axes go in front, and only the event's own axes are looked at.
    twice = support(module.stack([both, both])[:, None])
    assert twice.shape == (2, 1, len(expected))
    np.testing.assert_array_equal(twice[1, 0], expected)


@pytest.mark.parametrize("support, members, others", TABLE, ids=[repr(s) for s, _, _ in TABLE])
def test_equal_supports_are_one_key(support, members, others):
    assert hash(support) == hash(support) and support == support
    assert len({support, support}) == 1
    assert sum(support == other for other, _, _ in TABLE) == 1


def test_a_support_has_a_tolerance_for_rounding():
    x = np.array([[1.0, 0.3], [0.3, 1.0]], np.float32)
    assert supports.correlation(x * np.float32(1 + 1e-7))
    assert not supports.correlation(x.astype(float) * (1 + 1e-7))
    row = np.full(3, 1 / 3, np.float32)
    assert supports.simplex(row)


def test_every_support_is_in_the_table():
    classes = {type(s) for s, _, _ in TABLE}
    public = {v for v in vars(supports).values() if isinstance(v, supports.Support)} - {supports.nothing}
    assert {type(s) for s in public} <= classes
