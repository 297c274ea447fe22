"""Plain arrays among tracked values: as targets they cannot hold derivatives; as data they may change afterwards."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import wengert as wg

from .test_calls import differences, flat

# ---------------------------------------------------------------- plain arrays as targets


def _sees(function: Callable[[Any], Any], match: str) -> None:
    with pytest.raises(wg.errors.TraceLost, match=match) as caught:
        wg.grad(function)(np.array([1.0, 2.0, 3.0]))
    assert __file__ in str(caught.value)


def test_plain_targets_say_what_to_change() -> None:
    def element(x: Any) -> Any:
        y = np.zeros(3)
        y[0] = x[0]

    def whole(x: Any) -> Any:
        y = np.zeros(3)
        y[:] = x

    def directly(x: Any) -> Any:
        np.zeros(3)[0] = x[0]

    def augmented_element(x: Any) -> Any:
        y = np.zeros(3)
        y[1] += x[0]

    def augmented_slice(x: Any) -> Any:
        y = np.zeros(3)
        y[1:] += x[1:]

    def out(x: Any) -> Any:
        y = np.zeros(3)
        np.sin(x, out=y)

    def out_of_function(x: Any) -> Any:
        y = np.zeros(3)
        np.cumsum(x, out=y)

    def scattered(x: Any) -> Any:
        y = np.zeros(3)
        np.add.at(y, [0, 0], x[:2])

    def copied(x: Any) -> Any:
        y = np.zeros(3)
        np.copyto(y, x)

    for function in (element, whole, augmented_element):
        _sees(function, r"make `y` with np.zeros_like\(x\)")
    _sees(directly, "np.zeros_like")
    _sees(augmented_slice, r"np.zeros_like\(x\)")
    for function in (out, out_of_function, scattered, copied):
        _sees(function, r"np.zeros_like\(x\) instead of np.zeros")


def test_other_ways_to_lose_the_trace_say_what_to_change() -> None:
    import math

    _sees(lambda x: math.sin(x[0]), r"np.sin\(...\) instead of math.sin")
    _sees(lambda x: float(x[0]), "x itself instead of float")
    _sees(lambda x: np.array([x[0], x[1]], dtype=float), r"np.stack\(\[...\]\)")
    _sees(lambda x: np.asarray(x), "on the tensor itself")
    _sees(lambda x: x[0].item(), r"x itself, or x.numpy\(\)")
    _sees(lambda x: np.vectorize(lambda t: t * t, otypes=[float])(x), "wengert.numpy.vectorize")
    _sees(lambda x: np.lib.stride_tricks.as_strided(x, (2,), (8,)), "sliding_window_view")
    _sees(lambda x: x.astype(int), "integers have no derivative")
    _sees(lambda x: np.sum(x, dtype=int), "integers have no derivative")
    _sees(lambda x: x.tolist(), "TraceLost|x itself")


def _plus_equals(x: Any) -> Any:
    total = np.zeros(3)
    for k in range(3):
        total += x * k
    total -= 1
    total *= x
    return np.sum(total)


def test_plain_plus_equals_tracked_goes_on_with_a_tensor() -> None:
    np.testing.assert_allclose(wg.grad(_plus_equals)(np.array([1.0, 2.0, 3.0])), [5.0, 11.0, 17.0])


def test_plain_plus_equals_tracked_is_refused_where_somebody_else_holds_the_array() -> None:
    def aliased(x: Any) -> Any:
        a = np.zeros(3)
        b = a
        a += x
        return np.sum(b)

    def in_a_list(x: Any) -> Any:
        held = [np.zeros(3)]
        for a in held:
            a += x
        return np.sum(held[0])

    def of_the_caller(x: Any) -> Any:
        a = np.zeros(3)

        def add(a: Any) -> None:
            a += x

        add(a)
        return np.sum(a)

    def a_view(x: Any) -> Any:
        a = np.zeros((2, 3))
        row = a[0]
        row += x
        return np.sum(a)

    def by_function(x: Any) -> Any:
        a = np.zeros(3)
        np.add(a, x, out=a)
        return np.sum(a)

    def by_operator_function(x: Any) -> Any:
        a = np.zeros(3)
        operator.iadd(a, x)
        return np.sum(a)

    for function in (aliased, in_a_list, of_the_caller, a_view, by_function, by_operator_function):
        _sees(function, "plain array")


def test_held_by_an_attribute() -> None:
    class Model:
        def __init__(self) -> None:
            self.total: Any = np.zeros(3)

    def function(x: Any) -> Any:
        model = Model()
        model.total += x**2
        return np.sum(model.total)

    try:
        found = wg.grad(function)(np.array([1.0, 2.0, 3.0]))
    except wg.errors.TraceLost:  # an interpreter that counts references differently: refused, never wrong
        return
    np.testing.assert_array_equal(found, [2.0, 4.0, 6.0])


# ---------------------------------------------------------------- errors


def test_what_does_not_fit_is_refused() -> None:
    y = wg.numpy.zeros((2, 3))
    with pytest.raises(wg.errors.ShapeError, match=r"from shape \(4,\) into shape \(2, 3\)"):
        y[...] = np.zeros(4)
    with pytest.raises(wg.errors.ShapeError, match="non-broadcastable output operand"):
        y += np.zeros((4, 2, 3))
    with pytest.raises(wg.errors.DtypeError, match="cannot store complex128"):
        y += 1j
    with pytest.raises(IndexError, match="out of bounds"):
        y[5] = 1.0
    with pytest.raises(IndexError, match="too many indices"):
        y[0, 0, 0] = 1.0
    with pytest.warns(np.exceptions.ComplexWarning):
        y[0] = np.array([1j, 2, 3])

    def into_integers(x: Any) -> Any:
        y = np.zeros(3, dtype=int, like=x)
        y[0] = x[0]

    _sees(into_integers, "buffer of int64")
    np.testing.assert_array_equal(flat(y), [0, 2, 3, 0, 0, 0])


def test_a_program_that_fills_a_buffer_writes_in_place_and_leaves_its_inputs_alone() -> None:
    from wengert.execute.interpret import run
    from wengert.program import Slot, trace

    def fill(x: Any) -> list[Any]:
        y = np.zeros_like(x)
        z = y + 1.0
        for i in range(50):
            y[i] = x[i] * (y[i - 1] if i else 1.0)
        early = np.reshape(y, (5, 10))
        y[0] = 7.0
        z[1:] = 0.5
        w = np.reshape(x, (5, 10))
        w[0] = 1.0
        return [y, early, z, w]

    program = trace(fill, [Slot((50,), np.dtype(float))])
    x = 1 + 0.01 * np.sin(np.arange(50.0))
    kept = x.copy()
    for _ in range(2):
        results = run(program, [x], program.captures)
        np.testing.assert_array_equal(x, kept)
        assert results[0][0] == 7.0
        np.testing.assert_allclose(results[0][1:], np.cumprod(x)[1:])
        np.testing.assert_allclose(results[1].ravel(), np.r_[7.0, np.cumprod(x)[1:]])
        np.testing.assert_array_equal(results[2], [1.0] + [0.5] * 49)
        np.testing.assert_array_equal(results[3][0], np.ones(10))


# ---------------------------------------------------------------- plain arrays that are written to after their use


def _workspace(x: Any) -> Any:
    w = np.zeros(3)
    total = 0.0
    for i in range(3):
        w[i] = i + 1.0
        total = total + np.sum(np.sin(x) * w)
    return total


def _index_written_later(x: Any) -> Any:
    places = np.array([0, 1])
    first = x[places] ** 2
    places[:] = 2
    return np.sum(first) + np.sum(x[places])


def _mask_written_later(x: Any) -> Any:
    mask = np.array([True, False, True])
    y = np.where(mask, x**2, x**3)
    mask[:] = False
    return np.sum(y)


def _matrix_written_later(x: Any) -> Any:
    a = np.eye(3)
    y = a @ x
    a *= 7
    return np.sum(y * y) + np.sum(a @ x)


@pytest.mark.parametrize("function", [_workspace, _index_written_later, _mask_written_later, _matrix_written_later])
def test_a_small_plain_array_may_be_written_to_after_its_use(function: Any) -> None:
    x = np.array([0.3, 1.2, -0.7])
    numeric = differences(function, (x,), 0)
    np.testing.assert_allclose(wg.grad(function)(x), numeric[0], rtol=1e-6)
    np.testing.assert_allclose(wg.vjp(function, x)[1](1.0)[0], numeric[0], rtol=1e-6)
    np.testing.assert_allclose(wg.jvp(function, (x,), (np.ones(3),))[1], numeric.sum(), rtol=1e-6)
    for mode in ("forward", "reverse"):
        np.testing.assert_allclose(wg.jacobian(function, mode=mode)(x), numeric[0], rtol=1e-6)
    np.testing.assert_allclose(wg.hessian(function)(x), differences(wg.grad(function), (x,), 0), rtol=1e-6, atol=1e-7)
    with wg.GradientTape() as tape:
        tensor = wg.Tensor(x)
        tape.watch(tensor)
        y = function(tensor)
    np.testing.assert_allclose(tape.gradient(y, tensor).numpy(), numeric[0], rtol=1e-6)


def test_writing_to_a_plain_array_after_the_recording_changes_nothing() -> None:
    w = np.array([1.0, 2.0])
    _, pullback = wg.vjp(lambda x: x * w, np.ones(2))
    w[:] = 0
    np.testing.assert_array_equal(pullback(np.ones(2))[0], [1.0, 2.0])


def test_a_large_plain_array_that_is_written_to_after_its_use_is_an_error() -> None:
    x = np.ones(5000)

    def function(x: Any) -> Any:
        w = np.zeros(5000)
        total = 0.0
        for k in range(3):
            w += k
            total = total + np.sum(x * w)
        return total

    with pytest.raises(wg.errors.AssignmentError, match=r"plain array of shape \(5000,\) was written to after"):
        wg.grad(function)(x)
    with pytest.raises(wg.errors.AssignmentError, match="was written to after"), wg.GradientTape() as tape:
        tensor = wg.Tensor(x)
        tape.watch(tensor)
        _ = function(tensor)
    # The same with a copy is right.
    found = wg.grad(lambda x: np.sum(x * w.copy()) + _cleared(w))
    w = np.full(5000, 3.0)
    np.testing.assert_array_equal(found(x), np.full(5000, 3.0))


def _cleared(w: np.ndarray) -> float:
    w[:] = 0
    return 0.0


def test_a_plain_array_is_kept_once_however_often_it_is_used() -> None:
    from wengert.keeping import Keeper

    keeper, w = Keeper(), np.arange(3.0)
    first = keeper.keep(w)
    assert keeper.keep(w) is first and first is not w
    w[0] = 5.0
    assert keeper.keep(w) is not first and keeper.keep(w)[0] == 5.0 and first[0] == 0.0
    large = np.zeros(10_000)
    assert keeper.keep(large) is large
    for _ in range(1000):
        keeper.keep(np.arange(3))
    assert len(keeper.known) < 100
