"""Plain NumPy calls on tracked values: each has the value of NumPy and the Jacobian of central differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import wengert as wg

from .cases import CASES

IDS = [f"{name}-{k}" for k, (name, _, _) in enumerate(CASES)]


def flat(value: Any) -> np.ndarray:
    """Return a result as one vector of real numbers."""
    array = np.asarray(value)
    return np.concatenate([array.real.ravel(), array.imag.ravel()]) if array.dtype.kind == "c" else array.ravel()


def differences(function: Any, args: tuple[Any, ...], k: int, step: float = 1e-6) -> np.ndarray:
    """Return the Jacobian by one argument from central differences."""
    columns = []
    for place in np.ndindex(*np.shape(args[k])):
        ends = []
        for sign in (1, -1):
            moved = np.array(args[k], float)
            moved[place] += sign * step
            ends.append(flat(function(*args[:k], moved, *args[k + 1 :])))
        columns.append((ends[0] - ends[1]) / (2 * step))
    return np.stack(columns, axis=1)


# NumPy looks for tensors only among some of the arguments of these: with those plain, the trace is lost, and said so.
NOT_ASKED = {"pad": 1, "unwrap": 1}


def real_jacobian(name: str, function: Any, args: tuple[Any, ...], k: int, mode: str) -> np.ndarray:
    """Return the Jacobian of `flat(function)` as a matrix."""
    if NOT_ASKED.get(name) == k:
        with pytest.raises(wg.errors.TraceLost):
            wg.jacobian(function, k, mode=mode)(*args)
        args = (wg.Tensor(args[0]), *args[1:])

    def parts(*arguments: Any) -> Any:
        value = function(*arguments)
        if np.iscomplexobj(value):
            return np.concatenate([np.ravel(np.real(value)), np.ravel(np.imag(value))])
        return np.ravel(value)

    found = wg.jacobian(parts, k, mode=mode)(*args)
    return np.asarray(found).reshape(-1, np.size(args[k]))


@pytest.mark.parametrize(("name", "function", "args"), CASES, ids=IDS)
def test_value_and_jacobian(name: str, function: Any, args: tuple[Any, ...]) -> None:
    expected = function(*args)
    found = function(*(wg.Tensor(arg) for arg in args))
    assert np.asarray(found).dtype == np.asarray(expected).dtype
    np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-12, atol=1e-13)
    for k in range(len(args)):
        numeric = differences(function, args, k)
        for mode in ("forward", "reverse"):
            exact = real_jacobian(name, function, args, k, mode)
            np.testing.assert_allclose(exact, numeric, rtol=1e-5, atol=1e-5 * max(1, np.abs(numeric).max(initial=0)))


def test_calls_that_other_libraries_lose() -> None:
    """One-call functions whose Jacobian HIPS autograd 1.9 gives as zeros, or not at all, on plain NumPy."""
    lost = """dot einsum concatenate stack where roll cumsum outer tensordot diff clip sort kron vstack polyval convolve
    linalg.solve fft.rfft gradient interp add.reduce subtract.outer matmul linalg.norm mean max prod inner trapezoid"""
    assert set(lost.split()) <= {name for name, _, _ in CASES}  # np.vectorize: test_boxes.py


def test_the_list_is_long_enough() -> None:
    assert len({name for name, _, _ in CASES}) >= 150


@pytest.mark.parametrize(("name", "function", "args"), CASES, ids=IDS)
def test_second_order(name: str, function: Any, args: tuple[Any, ...]) -> None:
    def total(x: Any) -> Any:
        value = function(x, *(wg.Tensor(arg) for arg in args[1:]))
        parts = [np.real(value), np.imag(value)] if np.iscomplexobj(value) else [value]
        sums = [np.sum(part * np.cos(1.0 + np.arange(np.size(part))).reshape(np.shape(part))) for part in parts]
        return sums[0] if len(sums) == 1 else sums[0] + sums[1]

    x = args[0]
    numeric = differences(wg.grad(total), (x,), 0)
    exact = np.asarray(wg.jacobian(wg.grad(total))(x)).reshape(np.size(x), np.size(x))
    np.testing.assert_allclose(exact, numeric, rtol=1e-4, atol=1e-5 * max(1, np.abs(numeric).max(initial=0)))
