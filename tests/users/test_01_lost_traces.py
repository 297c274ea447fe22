"""A derivative that is zero or None because the trace was lost, and nobody says where."""

import math
import warnings

import numpy as np
import pytest
from numpy.testing.overrides import get_overridable_numpy_array_functions, get_overridable_numpy_ufuncs

import wengert as wg
from wengert.errors import TraceLost, WengertError

SQUARE = np.random.default_rng(0).uniform(0.2, 0.9, (3, 3)) + np.eye(3)
VECTOR = np.array([0.3, 0.8, 0.55, 0.41])
OTHER = np.array([0.62, 0.13, 0.74, 0.29])
for array in (SQUARE, VECTOR, OTHER):
    array.flags.writeable = False  # a second or third array is often out=

# Ways to call a function of one argument x: with itself alone, with other arrays, with settings. The first that plain
# NumPy takes, and that gives floating numbers, is used.
WAYS = [
    (VECTOR, lambda f: lambda x: f(x)),
    (SQUARE, lambda f: lambda x: f(x)),
    (VECTOR, lambda f: lambda x: f(x, OTHER)),
    (SQUARE, lambda f: lambda x: f(x, SQUARE.T + 0.05)),
    (VECTOR, lambda f: lambda x: f(x, 2)),
    (SQUARE, lambda f: lambda x: f(x, 2)),
    (VECTOR, lambda f: lambda x: f((x, OTHER))),
    (SQUARE, lambda f: lambda x: f((x, SQUARE))),
    (VECTOR, lambda f: lambda x: f(x, OTHER, OTHER)),
    (VECTOR, lambda f: lambda x: f(x, [0, 2], OTHER[:2])),
    (VECTOR, lambda f: lambda x: f(x, [0, 2])),
    (VECTOR, lambda f: lambda x: f(x, (2, 2))),
    (VECTOR, lambda f: lambda x: f(x, 0, 0)),
    (SQUARE, lambda f: lambda x: f(x, 0, 1)),
    (VECTOR, lambda f: lambda x: f("i,i->i", x, OTHER) if f is np.einsum else None),
    (VECTOR + 1.5, lambda f: lambda x: f(x)),
    (VECTOR, lambda f: lambda x: f(x > 0.5, x, OTHER)),
    (VECTOR, lambda f: lambda x: f([x > 0.5, x <= 0.5], [x, 2 * x])),
    (VECTOR, lambda f: lambda x: f(x, [x > 0.5], [lambda v: v * v])),
    (VECTOR, lambda f: lambda x: f(lambda v: v * v, 0, x)),
    (VECTOR, lambda f: lambda x: f(lambda v, _axis: v * v, x, [0])),
    (VECTOR, lambda f: lambda x: f(OTHER > 0.2, x)),
    (VECTOR, lambda f: lambda x: f([0, 1, 1, 0], (x, OTHER))),
    (VECTOR, lambda f: lambda x: f(0.5, x, OTHER)),
    (np.array([0.3, 0.8]), lambda f: lambda x: f(x[0], x[1], 5)),
    (VECTOR[:3], lambda f: lambda x: f(x, 3)),
    (np.arange(0.15, 8.0).reshape(2, 2, 2) + SQUARE[0, 0] * np.eye(2), lambda f: lambda x: f(x)),
]


def flat(value):
    return value.ravel() if not isinstance(value, (tuple, list)) else np.concatenate([np.ravel(v) for v in value])


def differences(g, x):
    columns = []
    for k in range(x.size):
        step = np.zeros(x.size)
        step[k] = 1e-6
        columns.append((flat(g(x + step.reshape(x.shape))) - flat(g(x - step.reshape(x.shape)))) / 2e-6)
    return np.stack(columns, axis=1)


def is_floating(value):
    if isinstance(value, (tuple, list)):
        return bool(value) and all(is_floating(part) for part in value)
    return isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "fc" and np.size(value) > 0


def calls(function):
    """Yield the ways to call a function that plain NumPy takes."""
    for x, way in WAYS:
        g = way(function)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with np.errstate(all="ignore"):
                    value = g(x.copy())
        except Exception:
            continue
        if is_floating(value) and np.all(np.isfinite(flat(value))):
            yield x, g


def name_of(function):
    return f"{getattr(function, '__module__', 'numpy')}.{function.__name__}"


FUNCTIONS = sorted({*get_overridable_numpy_array_functions(), *get_overridable_numpy_ufuncs()}, key=name_of)
NOT_CALLED = {
    "empty_like": "its values are not defined",
    "save": "writes a file",
    "savetxt": "writes a file",
    "savez": "writes a file",
    "savez_compressed": "writes a file",
    "nextafter": "a step of differences is larger than what it does",
    "frombuffer": "reads memory",
    "histogram2d": "counts jump where an end of the range is itself a sample",
    "histogramdd": "counts jump where an end of the range is itself a sample",
    "intersect1d": "how many elements there are changes with every step",
    "setxor1d": "how many elements there are changes with every step",
    "union1d": "how many elements there are changes with every step",
}


def outcome(x, g):
    """Return "right", "refused", or what is wrong."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with np.errstate(all="ignore"):
                found = wg.jacobian(g)(x)
    except WengertError:
        return "refused"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if isinstance(found, (tuple, list)):
        found = np.concatenate([np.reshape(part, (-1, x.size)) for part in found])
    with np.errstate(all="ignore"):
        expected = differences(g, x)
    if np.size(found) != expected.size:
        return f"shape {np.shape(found)} instead of {expected.shape}"
    found = np.reshape(found, expected.shape)
    if np.allclose(found, expected, rtol=1e-5, atol=1e-5):
        return "right"
    if not np.any(found):
        return "silent zeros"
    return f"off by {np.max(np.abs(found - expected)):.2g}"


def test_01_every_function_of_numpy_gives_its_jacobian_or_a_typed_error():
    results = {}
    for function in FUNCTIONS:
        if function.__name__ in NOT_CALLED:
            continue
        for number, (x, g) in enumerate(calls(function)):
            results[f"{name_of(function)} way {number}"] = outcome(x, g)
    wrong = {name: what for name, what in results.items() if what not in ("right", "refused")}
    assert not wrong
    right = {name.split(" way")[0] for name, what in results.items() if what == "right"}
    assert len(right) >= 150
    assert len(right) > 20 * len({name.split(" way")[0] for name in results} - right)


LOSSES = {
    "float()": lambda x: float(x[0]) * x,
    "int()": lambda x: int(x[0]) * x,
    "complex()": lambda x: complex(x[0]) * x,
    "math.sin": lambda x: math.sin(x[0]) * x,
    "asarray": lambda x: np.asarray(x) * 2,
    "item()": lambda x: x[0].item() * x,
    "tolist()": lambda x: np.sum(x.tolist()) * x,
    "storing in a plain array": lambda x: store(x),
    "random numbers": lambda x: np.random.default_rng(0).normal(x),
}


def store(x):
    y = np.zeros(4)
    y[0] = x[0]
    return y


@pytest.mark.parametrize("name", LOSSES)
def test_01_losing_the_trace_names_the_line_and_a_way_out(name):
    with pytest.raises(TraceLost) as caught:
        wg.jacobian(LOSSES[name])(VECTOR)
    assert "test_01_lost_traces.py:" in str(caught.value)
    assert "Try: " in str(caught.value)


def test_01_a_cast_to_integers_that_is_used_is_an_error_not_a_zero():
    with pytest.raises(WengertError):
        wg.jacobian(lambda x: x.astype(int))(VECTOR)


def test_01_the_way_to_a_zero_is_told():
    told = wg.debug.why_zero(lambda x: np.floor(4 * x) + np.sin(x) * np.array([0, 1, 1, 1]), VECTOR, 0, 0)
    assert "floor (test_01_lost_traces.py:" in told
    assert "does not change: its derivative is zero there" in told
    assert "no operation leads" in wg.debug.why_zero(lambda x: np.ones(4), VECTOR, 1, 2)
    told = wg.debug.why_zero(np.sort, VECTOR, 0, 1)
    assert "(3,) changes instead" in told
    with pytest.raises(WengertError, match=r"is 2\.0, not zero"):
        wg.debug.why_zero(lambda x: 2 * x, VECTOR, 1, 1)
    with pytest.raises(WengertError, match="there is no element"):
        wg.debug.why_zero(lambda x: 2 * x, VECTOR, 4, 1)
