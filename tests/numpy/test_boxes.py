"""Where NumPy admits no tensor it still carries objects: `np.array([x0, x1])`, `np.vectorize`, `np.r_`, lists."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import wengert as wg

from .test_calls import differences

X = np.array([0.3, 1.2, 2.0])


def _filled(x: Any) -> Any:
    y = np.array([x[0], 0, 0])
    y[1] = x[1] * y[0]
    y[2] += y[1]
    y += x
    return y


def _rotation(x: Any) -> Any:
    r = np.array([[np.cos(x[0]), -np.sin(x[0]), 0], [np.sin(x[0]), np.cos(x[0]), 0], [0, 0, 1]])
    t = r @ np.array([[1, 0, x[1]], [0, 1, 0], [0, 0, 1.0]]) @ r.T
    return t[:2, 2] * np.linalg.norm(t[0]) + np.exp(t[1, :2]).sum()


def _into_a_buffer(x: Any) -> Any:
    y = np.zeros_like(x)
    y[:2] = np.array([x[0] * x[1], x[2]])
    return y * y


def _two_lines(x: Any) -> Any:
    # fmt: off
    return np.array(
        [x[:2] * x[0], x[1:]]
    )
    # fmt: on


CODE: dict[str, Callable[[Any], Any]] = {
    "array of numbers": lambda x: np.array([x[0] * x[1], x[1] ** 2, 3.0]),
    "array of rows": lambda x: np.array([x[:2] * x[0], x[1:]]),
    "array of rows over two lines": _two_lines,
    "nested": lambda x: np.array([[x[0], x[1]], [x[2], 1.0]]).T,
    "meets a tensor": lambda x: np.array([x[0], x[1]]) * x[:2] + x[1:] / np.array([x[0], x[1]]),
    "meets a tensor in a product": lambda x: x[:2] @ np.array([[x[0], x[1]], [1.0, x[2]]]),
    "filled like a plain array": _filled,
    "rotation": _rotation,
    "written to a buffer": _into_a_buffer,
    "vectorize": lambda x: np.vectorize(lambda t: t * t if t > 1 else -t)(x),
    "vectorize of two": lambda x: np.vectorize(lambda t, s: t * s)(x, x[::-1]),
    "r_": lambda x: np.r_[x[0] ** 2, x[1:], 1.0],
    "c_": lambda x: np.c_[x, x**2],
    "full": lambda x: np.full((2, 2), x[0] ** 2),
    "sum and dot of lists": lambda x: np.sum([x[0], x[1] * 2]) * np.dot([x[0], 1.0], [x[1], x[2]]),
    "max of a list": lambda x: np.max([x[0], x[1] ** 2]) * np.min([x[0], x[2]]),
    "norm of a list": lambda x: np.linalg.norm([x[0], x[1], 3.0]) * x,
    "function of a list": lambda x: np.sqrt([x[0], x[1]]),
    "function of two lists": lambda x: np.arctan2([x[0], x[1]], [x[1], x[2]]) + np.hypot([x[0], x[1]], 2.0),
    "functions by method": lambda x: (
        np.exp(np.array([x[0]])) + np.tanh(np.array([x[1]])) + np.floor(np.array([x[2] + 0.5]))
    ),
    "rounding": lambda x: np.ceil(np.array([x[0]])) * x[1] + np.trunc(np.array([x[1]])) * x[0],
    "cumsum": lambda x: np.cumsum(np.array([x[0], x[1] ** 2, x[2]])),
    "outer": lambda x: np.outer(np.array([x[0], x[1] ** 2]), x),
    "concatenate": lambda x: np.concatenate([np.array([x[0] ** 2]), x[1:] ** 2]),
    "insert into a list": lambda x: np.stack([x, np.array([x[2], x[1], x[0]])]),
    "out= into an object array": lambda x: np.multiply(x, x, out=np.empty(3, object)),
    "a polynomial's call": lambda x: np.polynomial.Chebyshev([1.0, 2.0, 3.0], domain=[0, 2])(x),
    "trace and det by hand": lambda x: np.trace(np.array([[x[0], x[1]], [x[1], x[2]]])) * x[0],
}


@pytest.mark.parametrize("name", list(CODE))
def test_code_as_it_is(name: str) -> None:
    function = CODE[name]
    expected = np.asarray(function(X), float)
    numeric = differences(lambda x: np.asarray(function(x), float), (X,), 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for mode in ("forward", "reverse"):
            found = wg.jacobian(function, mode=mode)(X)
            assert found.dtype == np.float64
            np.testing.assert_allclose(found.reshape(-1, 3), numeric, rtol=1e-6, atol=1e-7)
    value = wg.vjp(function, X)[0]
    assert value.dtype == np.float64
    np.testing.assert_allclose(value, expected, rtol=1e-13)
    second = differences(wg.jacobian(function), (X,), 0)
    np.testing.assert_allclose(wg.jacobian(wg.jacobian(function))(X).reshape(-1, 3), second, rtol=1e-6, atol=1e-7)


def test_outside_of_a_recording_the_array_is_plain() -> None:
    x = wg.Tensor(X)
    assert np.array([x[0], x[1]]).dtype == np.float64
    assert np.asarray(x).dtype == np.float64


def test_inside_vmap() -> None:
    found = wg.vmap(lambda x: np.array([x[0] * x[1], x[2]]))(np.stack([X, X + 1]))
    np.testing.assert_allclose(found, [[0.36, 2.0], [1.3 * 2.2, 3.0]])


def test_what_does_not_take_objects_says_so() -> None:
    def with_a_note(function: Any, error: type[Exception], match: str) -> None:
        with pytest.raises(error, match=match) as caught:
            wg.jacobian(function)(X)
        assert any("np.stack" in note for note in caught.value.__notes__)

    with_a_note(lambda x: np.linalg.solve(np.array([[x[0], 1.0], [0.5, x[1]]]), np.ones(2)), TypeError, "dtype")
    with_a_note(lambda x: np.isnan(np.array([x[0], x[1]])), TypeError, "isnan")


def test_where_numbers_are_demanded_the_trace_would_be_lost() -> None:
    for function in (
        lambda x: np.array([x[0], x[1]], dtype=float),
        lambda x: np.array([x[0], x[1]]).astype(float),
        lambda x: np.asarray(x),
        lambda x: np.array(x),
        lambda x: np.mean([x[0], x[1]]),
        lambda x: np.vectorize(lambda t: t * t, otypes=[float])(x),
    ):
        with pytest.raises(wg.errors.TraceLost):
            wg.jacobian(function)(X)
    with pytest.raises(wg.errors.TraceLost, match=r"np.stack\(\[...\]\)"):
        wg.jacobian(lambda x: np.mean([x[0], x[1]]))(X)


def test_many_elements_are_reported() -> None:
    big = np.linspace(0.0, 1.0, 100)
    with pytest.warns(wg.errors.LoopWarning, match=r"shape \(100,\) becomes an array of objects"):
        found = wg.jacobian(lambda x: np.array([x, x * x]))(big)
    np.testing.assert_allclose(found[1], np.diag(2 * big))


def test_the_method_dot_of_a_plain_array() -> None:
    a = np.array([[1.0, 2.0, 3.0], [0.5, -1.0, 2.0]])

    def function(x: Any) -> Any:
        return a.dot(x) * a.dot(np.outer(x, x)).dot(x)

    with pytest.warns(wg.errors.LoopWarning, match=r"A @ x or np.dot\(A, x\) instead of A.dot\(x\)"):
        found = wg.jacobian(function)(X)
    np.testing.assert_allclose(found, differences(function, (X,), 0), rtol=1e-6)


def test_elements_answer_only_to_functions_of_numpy() -> None:
    x = wg.Tensor(2.0)
    assert float(x.sqrt()) == np.sqrt(2.0)
    assert float(x.hypot(1.0)) == np.hypot(2.0, 1.0)
    assert not hasattr(x, "nonsense")
    with pytest.raises(AttributeError, match="'Tensor' object has no attribute 'nonsense'"):
        x.nonsense  # noqa: B018


# ---------------------------------------------------------------- every transform takes an array of tracked numbers

V = np.array([1.0, -0.5, 2.0])


def _array(x: Any) -> Any:
    return np.array([xi**2 * np.sin(xi) * x[0] for xi in x])


def _stack(x: Any) -> Any:
    return np.stack([xi**2 * np.sin(xi) * x[0] for xi in x])


def _on_a_tape(f: Any, take: Callable[[Any, Any, Any], Any]) -> Any:
    x = wg.Variable(X)
    with wg.GradientTape() as tape:
        y = f(x)
    return np.asarray(take(tape, y, x))


def _accumulated(f: Any) -> Any:
    x = wg.Tensor(X)
    with wg.ForwardAccumulator(x, wg.Tensor(V)) as accumulator:
        y = f(x)
    return np.asarray(accumulator.jvp(y))


TRANSFORMS: dict[str, Callable[[Any], Any]] = {
    "jacfwd": lambda f: wg.jacfwd(f)(X),
    "jacrev": lambda f: wg.jacrev(f)(X),
    "value_and_jacobian": lambda f: wg.value_and_jacobian(f)(X)[1],
    "sparse": lambda f: wg.jacobian(f, sparse=True)(X).toarray(),
    "plan": lambda f: wg.plan_jacobian(f, X)(X).toarray(),
    "jacobian_diagonal": lambda f: wg.jacobian_diagonal(f)(X),
    "jacobian_operator": lambda f: wg.jacobian_operator(f, X) @ V,
    "vjp": lambda f: wg.vjp(f, X)[1](V)[0],
    "jvp": lambda f: wg.jvp(f, (X,), (V,))[1],
    "linearize": lambda f: wg.linearize(f, X)[1](V),
    "jit": lambda f: wg.jit(f)(X),
    "jit of jacobian": lambda f: wg.jit(wg.jacobian(f))(X),
    "vmap": lambda f: wg.vmap(f)(np.stack([X, 2 * X])),
    "vmap of jacobian": lambda f: wg.vmap(wg.jacobian(f))(np.stack([X, 2 * X])),
    "jacobian of jacobian": lambda f: wg.jacobian(wg.jacobian(f))(X),
    "functional": lambda f: np.asarray(wg.functional.jacobian(f, wg.Tensor(X))),
    "functional, vectorized": lambda f: np.asarray(wg.functional.jacobian(f, wg.Tensor(X), vectorize=True)),
    "checkpoint": lambda f: wg.jacobian(wg.checkpoint(f))(X),
    "cond": lambda f: wg.jacobian(lambda x: wg.cond(x[0] > 0, f, f, x))(X),
    "fori_loop": lambda f: wg.jacobian(lambda x: wg.fori_loop(0, 2, lambda i, c: f(c), x))(X),
    "jet": lambda f: wg.jet(f, (X,), ((V, V),))[1][1],
    "tape.gradient": lambda f: _on_a_tape(f, lambda tape, y, x: tape.gradient(y, x)),
    "tape.gradient, weighted": lambda f: _on_a_tape(f, lambda tape, y, x: tape.gradient(y, x, output_gradients=V)),
    "tape.gradient of a list": lambda f: _on_a_tape(f, lambda tape, y, x: tape.gradient([y, y], x)),
    "tape.jacobian": lambda f: _on_a_tape(f, lambda tape, y, x: tape.jacobian(y, x)),
    "accumulator": _accumulated,
    "hessian": lambda f: wg.hessian(lambda x: np.sum(f(x) ** 2))(X),
    "sparse hessian": lambda f: wg.hessian(lambda x: np.sum(f(x) ** 2), sparse=True)(X).toarray(),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_an_array_of_tracked_numbers_is_differentiated_by_every_transform(name: str) -> None:
    """A sparse Jacobian of it was all zeros, and a tape's gradient None: it was stacked after the recording."""
    expected = np.asarray(TRANSFORMS[name](_stack))
    assert np.any(expected)
    np.testing.assert_allclose(np.asarray(TRANSFORMS[name](_array), float), expected, rtol=1e-12, atol=1e-14)


def test_what_is_left_of_an_array_of_tracked_numbers_without_them_is_plain():
    function = lambda x: np.min(np.array([[x, x], [0.5, x], [0.5, 0.5]]), axis=0)
    np.testing.assert_array_equal(wg.jacobian(function)(1.0), [0, 0])
    np.testing.assert_array_equal(wg.vjp(function, 1.0)[0], [0.5, 0.5])
    np.testing.assert_array_equal(wg.jacobian(function)(0.25), [1, 1])
