"""Published functions, written as their authors write NumPy: each differentiates with no edit.

The modules `functions_*.py` know nothing of this library. Each entry is (function, point, whether it is analytic);
the derivative is compared with the complex step where it is, with central differences otherwise.
"""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import wengert as wg

HERE = Path(__file__).parent
MODULES = sorted(HERE.glob("functions_*.py"))


def entries() -> list[Any]:
    found = []
    for path in MODULES:
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
        spec.loader.exec_module(module)  # type: ignore[union-attr]
        for function, x, analytic in module.ENTRIES:
            found.append(pytest.param(function, x, analytic, id=f"{path.stem[10:]}-{function.__name__}"))
    return found


ENTRIES = entries()


def flat(value: Any) -> np.ndarray:
    return np.ravel(np.asarray(value))


def complex_step(function: Any, x: np.ndarray) -> np.ndarray:
    columns = []
    for place in np.ndindex(x.shape):
        moved = x.astype(complex)
        moved[place] += 1e-30j
        columns.append(flat(function(moved)).imag / 1e-30)
    return np.stack(columns, axis=1)


def central(function: Any, x: np.ndarray) -> np.ndarray:
    """Central differences of two steps, extrapolated."""
    columns = []
    for place in np.ndindex(x.shape):
        slopes = []
        for h in (2e-5, 1e-5):
            step = np.zeros_like(x)
            step[place] = h * max(1.0, abs(x[place]))
            ends = [flat(function(x + s * step)) for s in (1, -1)]
            slopes.append((ends[0] - ends[1]) / (2 * step[place]))
        columns.append((4 * slopes[1] - slopes[0]) / 3)
    return np.stack(columns, axis=1)


@pytest.mark.filterwarnings("ignore::wengert.errors.LoopWarning")
@pytest.mark.parametrize(("function", "x", "analytic"), ENTRIES)
def test_derivatives(function: Any, x: np.ndarray, analytic: bool) -> None:
    expected = complex_step(function, x) if analytic else central(function, x)
    tolerance = 1e-11 if analytic else 3e-7
    scale = max(1.0, np.abs(expected).max())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", wg.errors.LoopWarning)  # A.dot(x) of a plain A: right, but slow and said so
        value, pullback = wg.vjp(function, x)
        np.testing.assert_allclose(flat(value), flat(function(x)), rtol=1e-13, atol=1e-13)
        for mode in ("forward", "reverse"):
            found = np.asarray(wg.jacobian(function, mode=mode)(x)).reshape(expected.shape)
            np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * scale, err_msg=mode)
    cotangent = np.cos(np.arange(float(np.size(value)))).reshape(np.shape(value))
    np.testing.assert_allclose(
        flat(pullback(cotangent)[0]), flat(cotangent) @ expected, rtol=tolerance, atol=10 * tolerance * scale
    )
    if np.shape(value) == ():
        np.testing.assert_allclose(flat(wg.grad(function)(x)), expected[0], rtol=tolerance, atol=tolerance * scale)


@pytest.mark.filterwarnings("ignore::wengert.errors.LoopWarning")
@pytest.mark.parametrize(("function", "x", "analytic"), ENTRIES)
def test_second_derivatives(function: Any, x: np.ndarray, analytic: bool) -> None:
    def gradient(x: Any) -> Any:
        value, pullback = wg.vjp(function, x)
        weights = np.sin(1.0 + np.arange(float(np.size(value)))).reshape(np.shape(value))
        return pullback(weights)[0]

    expected = central(gradient, x)
    found = np.asarray(wg.jacobian(gradient)(x)).reshape(expected.shape)
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * scale)


def test_the_corpus_is_large_and_knows_nothing_of_the_library() -> None:
    assert len(ENTRIES) >= 60
    for path in MODULES:
        assert "wengert" not in path.read_text()
