"""Dtypes are NumPy's: single stays single, complex stays complex; a derivative has the dtype of what it is taken by."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
import pytest

import wengert as wg

from .cases import CASES

KINDS = ("f4", "f8", "c8", "c16")
IDS = [f"{name}-{k}" for k, (name, _, _) in enumerate(CASES)]

# Rounding in single precision is all that these have to show near a tie of floats, or they divide by small pivots.
DELICATE = {"poly", "roots", "linalg.pinv", "linalg.lstsq", "polyfit", "linalg.cond", "linalg.eig", "linalg.eigvals"}
# The order of complex numbers is not that of their moduli, so small steps may cross a branch.
NOT_SMOOTH_FOR_COMPLEX = {"spacing", "unwrap", "nextafter", "frexp", "modf", "heaviside"}
# NumPy hashes complex numbers, so that their order is its own.
UNORDERED = {"unique_values"}


def choices(count: int) -> list[tuple[str, ...]]:
    """Return every pair of dtypes for two arguments; for more, the further ones share one dtype."""
    if count == 1:
        return [(kind,) for kind in KINDS]
    return [(first, *(second,) * (count - 1)) for first, second in itertools.product(KINDS, KINDS)]


def plain(function: Any, args: tuple[np.ndarray, ...]) -> Any:
    """Return NumPy's own result, or None if NumPy does not take these dtypes."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            return function(*args)
    except (TypeError, ValueError, np.exceptions.ComplexWarning, np.linalg.LinAlgError, OverflowError):
        return None


def converted(arg: np.ndarray, kind: str) -> np.ndarray:
    """Return the sample in another dtype, with imaginary parts where there can be some."""
    if kind[0] == "f":
        return arg.astype(kind)
    return (arg + 0.3j * np.cos(np.arange(arg.size)).reshape(arg.shape)).astype(kind)


@pytest.mark.parametrize(("name", "function", "args"), CASES, ids=IDS)
def test_dtypes(name: str, function: Any, args: tuple[Any, ...]) -> None:
    for kinds in choices(len(args)):
        given = tuple(converted(arg, kind) for arg, kind in zip(args, kinds, strict=True))
        expected = plain(function, given)
        if name in UNORDERED and any(kind[0] == "c" for kind in kinds):
            continue
        if name == "polydiv" and ("f4" in kinds or "c8" in kinds):
            continue  # how many leading zeros the remainder loses is a matter of rounding
        if expected is None or np.asarray(expected).dtype.kind not in "fc":
            continue
        found = function(*(wg.Tensor(arg) for arg in given))
        single = np.finfo(np.asarray(expected).dtype).bits == 32 or "f4" in kinds or "c8" in kinds
        assert np.asarray(found).dtype == np.asarray(expected).dtype, kinds
        scale = np.max(np.abs(expected), initial=1.0)
        tolerance = (1e-3 if name in DELICATE else 2e-5) if single else 1e-10
        np.testing.assert_allclose(np.asarray(found), expected, rtol=tolerance, atol=tolerance * scale)

        # One pullback and one pushforward: the dtypes, and that each is the other's adjoint.
        tangents = tuple(converted(np.cos(1.0 + arg), kind) for arg, kind in zip(args, kinds, strict=True))
        value, tangent = wg.jvp(lambda *xs: function(*xs) * 1, given, tangents)
        cotangent = converted(np.sin(np.arange(float(np.size(value)))).reshape(np.shape(value)), value.dtype.str[1:])
        cotangents = wg.vjp(lambda *xs: function(*xs) * 1, *given)[1](cotangent)
        assert tangent.dtype == value.dtype, kinds
        assert [c.dtype for c in cotangents] == [g.dtype for g in given], kinds
        left = np.real(np.vdot(cotangent.astype(complex), tangent))
        right = sum(np.real(np.vdot(c.astype(complex), t)) for c, t in zip(cotangents, tangents, strict=True))
        size = np.linalg.norm(np.ravel(cotangent)) * np.linalg.norm(np.ravel(tangent)) + 1
        assert abs(left - right) <= (2e-2 if name in DELICATE else 1e-4 if single else 1e-10) * size, kinds

        if not single and name not in NOT_SMOOTH_FOR_COMPLEX:
            h = 1e-6
            ends = [function(*(g + s * h * t for g, t in zip(given, tangents, strict=True))) for s in (1, -1)]
            numeric = (ends[0] - ends[1]) / (2 * h)
            worst = np.max(np.abs(numeric), initial=1.0)
            np.testing.assert_allclose(tangent, numeric, rtol=1e-5, atol=1e-6 * worst, err_msg=str(kinds))


def test_a_hundred_functions_are_checked() -> None:
    checked = set()
    for name, function, args in CASES:
        value = plain(function, tuple(converted(arg, "f8") for arg in args))
        if value is not None and np.asarray(value).dtype.kind in "fc":
            checked.add(name)
    assert len(checked) >= 100


def test_python_numbers_do_not_promote() -> None:
    x = np.array([1.5, 2.5], np.float32)
    assert wg.grad(lambda x: np.sum(2.0 * x**2 + 1))(x).dtype == np.float32
    assert (wg.Tensor(x) * 1j).dtype == np.complex64
    assert (wg.Tensor(x) * np.float64(2.0)).dtype == np.float64


def test_integers_at_the_point_become_floating() -> None:
    np.testing.assert_array_equal(wg.jacobian(lambda x: x**2)([1, 2, 3]), np.diag([2.0, 4.0, 6.0]))
    np.testing.assert_array_equal(wg.grad(lambda x: np.sum(x**3))(np.array([1, 2])), [3.0, 12.0])
    assert wg.grad(lambda x: x * x)(3) == 6.0


def test_integers_as_data_and_indices_stay_integers() -> None:
    counts, places = np.array([1, 2, 3]), np.array([2, 0])
    seen = []

    def function(x: Any) -> Any:
        index = np.argsort(x)
        seen.extend([index.dtype, (counts * 2).dtype, np.argmax(x).dtype])
        return np.sum(x[index][places] * counts[places] + table[int(np.argmax(x))])

    table = [10.0, 20.0, 30.0]
    np.testing.assert_array_equal(wg.grad(function)(np.array([0.3, 0.1, 0.2])), [3.0, 1.0, 0.0])
    assert all(dtype == np.intp for dtype in seen)


def test_an_integer_cast_of_a_tracked_value_is_refused() -> None:
    x = np.array([1.5, 2.5])
    for function in (
        lambda x: np.sum(x.astype(int) * x),
        lambda x: np.sum(np.astype(x, np.int64) * x),
        lambda x: np.cumsum(x, dtype=int)[0] * 1.0,
        lambda x: int(x[0]) * x[1],
        lambda x: np.sum(np.add(x, x, dtype=int)),
    ):
        with pytest.raises(wg.errors.TraceLost, match=r"integers have no derivative|int\(\) on a tracked"):
            wg.grad(function)(x)
    # A truth value is as good as the comparison with 0.
    np.testing.assert_array_equal(wg.grad(lambda x: np.sum(x.astype(bool) * x))(x), [1.0, 1.0])


@pytest.mark.parametrize("function", [np.imag, np.angle], ids=lambda f: f.__name__)
def test_parts_of_real_numbers_that_are_not_finite(function: Any) -> None:
    """imag was x * 0 and angle its sum with pi: NaN at infinity."""
    x = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, -2.0])
    np.testing.assert_array_equal(function(wg.Tensor(x)), function(x))
    numbers = x[~np.isnan(x)]
    assert wg.grad(lambda x: np.sum(function(x)))(numbers).tolist() == [0, 0, 0, 0, 0]
