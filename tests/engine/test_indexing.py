"""Indexing and assignment with random keys: values are NumPy's, derivatives those of a map from place to place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import wengert as wg
from wengert.primitives.indexing import assign, normalize_index
from wengert.program import Slot, trace
from wengert.transforms.batch import run_batched

COMMON = {"deadline": None, "derandomize": True, "suppress_health_check": list(HealthCheck)}


@st.composite
def keys(draw, masks=True):
    """A shape and an index that NumPy may or may not accept."""
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    parts, axis = [], 0
    middle = tuple(draw(st.lists(st.integers(1, 3), max_size=2)))
    ellipsis = False
    while axis < len(shape) and draw(st.integers(0, 4)):
        n = shape[axis]
        kind = draw(
            st.sampled_from(["int", "slice", "slice", "array", "array", "list", "new", "ellipsis", "mask", "number"])
        )
        if kind == "new":
            parts.append(None)
            continue
        if kind == "ellipsis":
            if not ellipsis:
                parts.append(Ellipsis)
                ellipsis = True
                axis += draw(st.integers(0, len(shape) - axis))
            continue
        if kind == "int":
            parts.append(draw(st.integers(-n, n - 1)))
        elif kind == "number":
            parts.append(np.int64(draw(st.integers(-n, n - 1))))
        elif kind == "slice":
            step = draw(st.sampled_from([None, 1, 2, -1, -2]))
            bound = st.one_of(st.none(), st.integers(-n - 1, n + 1))
            parts.append(slice(draw(bound), draw(bound), step))
        elif kind == "mask" and masks:
            parts.append(np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n))))
        else:
            size = int(np.prod(middle))
            values = draw(st.lists(st.integers(-n, n - 1), min_size=size, max_size=size))
            array = np.array(values, int).reshape(middle)
            parts.append(array.tolist() if kind == "list" and middle else array)
        axis += 1
    if any(isinstance(part, np.ndarray) and part.dtype == bool for part in parts):
        # a mask is as many numbers as it has True, which has to fit the other arrays
        parts = [
            part
            for part in parts
            if not ((isinstance(part, np.ndarray) and part.dtype != bool) or isinstance(part, list))
        ]
    key = tuple(parts) if len(parts) != 1 or draw(st.booleans()) else parts[0]
    return shape, key


def places_of(shape, key):
    return np.arange(int(np.prod(shape))).reshape(shape)[key]


@settings(max_examples=300, **COMMON)
@given(keys())
def test_reading(case):
    shape, key = case
    x = np.random.default_rng(0).standard_normal(shape)
    try:
        expected = x[key]
        places = places_of(shape, key)
    except IndexError:
        with pytest.raises(IndexError):
            wg.Tensor(x)[key]
        return
    value, pullback = wg.vjp(lambda x: x[key], x)
    np.testing.assert_array_equal(value, expected)
    assert np.shape(value) == np.shape(expected)
    cotangent = np.random.default_rng(1).standard_normal(np.shape(expected))
    by_hand = np.zeros(x.size)
    for place, c in zip(np.ravel(places), np.ravel(cotangent), strict=True):
        by_hand[place] += c
    np.testing.assert_allclose(pullback(cotangent)[0], by_hand.reshape(shape), atol=1e-15)
    np.testing.assert_array_equal(wg.jvp(lambda x: x[key], (x,), (2 * x,))[1], (2 * x)[key])
    _check_batch(lambda x: x[key], [x])


@settings(max_examples=300, **COMMON)
@given(keys())
def test_writing(case):
    """The last writer in C order wins, and gets the derivative."""
    shape, key = case
    try:
        places = places_of(shape, key)
    except IndexError:
        return
    generator = np.random.default_rng(0)
    x, v = generator.standard_normal(shape), generator.standard_normal(np.shape(places))

    def write(x, v):
        y = x.copy()
        y[key] = v
        return y

    winner = np.full(x.size, -1)
    for k, place in enumerate(np.ravel(places)):
        winner[place] = k
    flat = np.where(winner >= 0, np.append(np.ravel(v), 0.0)[winner], np.ravel(x)).reshape(shape)
    value, pullback = wg.vjp(write, x, v)
    np.testing.assert_array_equal(value, flat)
    cotangent = generator.standard_normal(shape)
    by_x, by_v = pullback(cotangent)
    np.testing.assert_array_equal(by_x, np.where(winner.reshape(shape) >= 0, 0, cotangent))
    expected = np.zeros(v.size)
    for place, k in enumerate(winner):
        if k >= 0:
            expected[k] = np.ravel(cotangent)[place]
    np.testing.assert_array_equal(by_v, expected.reshape(np.shape(v)))
    tangent = wg.jvp(write, (x, v), (cotangent, 2 * v))[1]
    left = np.sum(cotangent * tangent)
    assert abs(left - np.sum(by_x * cotangent) - np.sum(by_v * 2 * v)) < 1e-12
    _check_batch(write, [x, v])


def _check_batch(function, args):
    program = trace(lambda *xs: [function(*xs)], [Slot.of(x) for x in args])
    stacked = [np.stack([x, 2 * x, x - 1]) for x in args]
    (found,), flags = run_batched(program, 3, stacked, [True] * len(args))
    assert flags == [True]
    np.testing.assert_array_equal(found, np.stack([np.asarray(function(*(s[k] for s in stacked))) for k in range(3)]))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("index_order", ["C", "F"])
def test_the_winner_does_not_depend_on_memory_layout(order, index_order):
    rows = np.array([[0, 1], [1, 0]], order=index_order)
    values = np.array([[1.0, 2.0], [3.0, 4.0]], order=order)
    out = np.zeros(2)
    assign(out, values, (rows,), ("array",))
    np.testing.assert_array_equal(out, [4, 3])


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ((Ellipsis, Ellipsis), "single ellipsis"),
        (1.5, "only integers, slices"),
        ("name", "only integers, slices"),
        ((0, 0, 0), "too many indices"),
        (np.zeros(3, bool), "boolean index"),
        (5, "out of bounds"),
    ],
)
def test_wrong_indices_raise_as_in_numpy(key, text):
    with pytest.raises(IndexError, match=text):
        wg.Tensor(np.ones((2, 2)))[key]


def test_normalized_indices_are_plain_data():
    spec, arrays = normalize_index((slice(np.int64(1), None), np.int32(0), [0, 1], None, ...), (3, 2, 4))
    assert spec == ((1, None, None), 0, "array", None)
    assert type(spec[1]) is int
    assert [type(a) for a in arrays] == [np.ndarray]
