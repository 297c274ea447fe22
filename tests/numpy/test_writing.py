"""Assignment in place on tracked buffers: every form NumPy has, exact in every mode, as on plain arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import wengert as wg

from .test_calls import differences

X = np.linspace(-1.3, 1.7, 12).reshape(3, 4) + 0.05 * np.sin(np.arange(12)).reshape(3, 4)
IDX = np.array([2, 0, 2, 1])
MASK = X > 0.1

# Each writes to y, a buffer of the shape of x, and reads x. Statements only: as users write them.
_STATEMENTS = {
    # plain indices
    "one element": "y[1, 2] = x[0, 0] * x[1, 1]",
    "negative index": "y[-1, -2] = x[0, 0] ** 2",
    "a row": "y[1] = x[0] * x[1]",
    "a column": "y[:, 1] = x[:, 0] * x[:, 3]",
    "a slice": "y[1:, :2] = x[:2, 1:3] ** 2",
    "a strided slice": "y[::2, ::-2] = x[1:, :2] ** 2",
    "a reversed slice": "y[::-1] = x * x",
    "ellipsis": "y[..., 2] = x[..., 1] ** 3",
    "everything": "y[...] = np.sin(x)",
    "full slice": "y[:] = np.sin(x)",
    "new axis": "y[None, 1] = x[None, 0] ** 2",
    "empty slice": "y[3:] = x[3:] ** 2",
    "a scalar everywhere": "y[:] = x[0, 0] * x[2, 3]",
    "broadcast row": "y[:] = x[1] ** 2",
    "broadcast column": "y[:, :] = x[:, :1] ** 2",
    "plain value over tracked": "y[...] = x; y[1] = 5.0; y[0, 0] = -1",
    "write twice": "y[0] = x[0]; y[0] = x[1] * y[0]",
    "self reference": "y[...] = x; y[1:] = y[:-1] * 2",
    "overlapping": "y[...] = x; y[:, 1:] = y[:, :-1] * y[:, 1:]",
    # masks
    "mask": "y[MASK] = x[MASK] ** 2",
    "mask with a scalar": "y[MASK] = x[0, 1]",
    "mask of x": "y[x > 0] = np.exp(x[x > 0])",
    "row mask": "y[[True, False, True]] = x[:2] ** 2",
    "mask and slice": "y[[True, False, True], 1:3] = x[:2, :2] ** 2",
    "empty mask": "y[x > 100] = x[0, 0]",
    # fancy
    "fancy rows": "y[[2, 0]] = x[:2] ** 2",
    "fancy pairs": "y[[0, 1, 2], [3, 2, 1]] = x[:, 0] ** 2",
    "duplicates: the last writer stays": "y[0, IDX] = x[1] ** 2",
    "duplicate rows": "y[[1, 1, 0]] = x ** 2",
    "fancy with slice": "y[:, IDX[1:3]] = x[:, 2:] ** 2",
    "fancy grid": "y[np.ix_([0, 2], [1, 3])] = x[:2, :2] ** 2",
    "fancy with a scalar": "y[[0, 2], [1, 1]] = x[2, 2] ** 2",
    "negative fancy": "y[[-1, -2], -1] = x[:2, 0] ** 2",
    "argmax as index": "y[np.argmax(x, axis=0), np.arange(4)] = x[1] ** 2",
    # augmented
    "element +=": "y[0, 1] += x[0, 1] ** 2; y[0, 1] += x[0, 0]",
    "row *=": "y[...] = x; y[1] *= x[0]",
    "slice -=": "y[...] = x; y[:, 1:] -= x[:, :-1] ** 2",
    "mask /=": "y[...] = x; y[MASK] /= x[MASK] + 3",
    "fancy +=: buffered, so duplicates count once": "y[...] = x; y[0, IDX] += x[1]",
    "**=": "y[...] = x; y **= 2",
    "name +=": "y += x ** 2; y += x",
    "name *=": "y += x; y *= x",
    "name @=": "y += x; y @= np.ones((4, 4))",
    "name %= and //=": "y += 5 * x; y %= 2; y -= 7 * x // 2",
    # functions that write
    "np.put": "np.put(y, [0, 5, 5], x[0, :3] ** 2)",
    "np.put wraps": "np.put(y, [13, -1], x[0, :2] ** 2, mode='wrap')",
    "np.place": "np.place(y, MASK, x[1] ** 2)",
    "np.putmask": "np.putmask(y, MASK, x ** 2)",
    "np.copyto": "np.copyto(y, x ** 2, where=MASK)",
    "np.put_along_axis": "np.put_along_axis(y, IDX[:3, None], x[:, :1] ** 2, axis=1)",
    "np.fill_diagonal": "np.fill_diagonal(y, x[0, :3] ** 2)",
    "fill": "y.fill(x[0, 0] ** 2)",
    "y.put": "y.put([1, 2], x[0, :2] ** 2)",
    "out=": "np.multiply(x, x, out=y)",
    "out= with where": "np.multiply(x, x, out=y, where=MASK)",
    "out= of a reduction": "np.sum(x ** 2, axis=0, out=y[0])",
    "out= of a function": "np.cumsum(x ** 2, axis=1, out=y)",
    "out= of concatenate": "np.concatenate([x[:1] ** 2, x[1:]], out=y)",
    "out= of matmul": "np.matmul(x, np.ones((4, 4)), out=y)",
    "add.at": "np.add.at(y, (0, IDX), x[1] ** 2)",
    "subtract.at": "np.subtract.at(y, IDX[1:], x ** 2)",
    "multiply.at": "y += x; np.multiply.at(y, (0, IDX), x[1])",
    "maximum.at": "np.maximum.at(y, (0, IDX), x[2])",
    "sort in place": "y += x[::-1] ** 2; y.sort(axis=0)",
    # views
    "a row as a view": "row = y[1]; row[:] = x[0] ** 2",
    "an element of a row": "row = y[1]; row[2] = x[0, 0] ** 2",
    "a view of a view": "part = y[1:][0]; part[1:3] = x[0, :2] ** 2",
    "a view with +=": "row = y[1]; row += x[0] ** 2",
    "chained brackets": "y[1][2] = x[0, 0] ** 2; y[1:][:, 1][0] = x[0, 1]",
    "a column view in steps": "part = y[::2, ::-1]; part[1, 1:] = x[0, :3] ** 2",
    "the view sees the base": "row = y[1]; y[1, 2] = x[0, 0]; y[0] = row * x[1]",
    "transposed": "y.T[1] = x[:, 0] ** 2",
    "transposed element": "y.T[1, 2] = x[0, 0] ** 2",
    "transposed name": "t = y.T; t[0] = x[:, 1]; t[:, 1] *= x[0]; t += 1",
    "swapped axes": "np.swapaxes(y, 0, 1)[2, :] = x[:, 1] ** 2",
    "moved axis": "np.moveaxis(y, 0, -1)[2] = x[:, 1] ** 2",
    "reshaped": "y.reshape(2, 6)[1] = np.ravel(x)[:6] ** 2",
    "reshaped element": "y.reshape(2, 6)[1, 2] = x[0, 0] ** 2",
    "reshaped everywhere": "y.reshape(-1)[...] = np.ravel(x) ** 2",
    "ravel": "y.ravel()[3:7] = x[0] ** 2",
    "np.ravel of a row": "np.ravel(y[1])[1:3] = x[0, :2] ** 2",
    "reshape that copies is no view": "y.T.reshape(-1)[3] = x[0, 0]",
    "ravel of a column is a copy": "y[:, :2].ravel()[0] = x[0, 0]",
    "flat": "y.flat[5] = x[0, 0] ** 2; y.flat[[0, 7]] = x[0, :2]; y.flat[8:] = x[1] ** 2",
    "flat repeats": "y.flat[:4] = x[0, :2] ** 2",
    "squeezed": "np.squeeze(y[:, :1])[1] = x[0, 0] ** 2",
    "expanded": "np.expand_dims(y, 1)[0, 0, 2] = x[0, 0] ** 2",
    "flipped": "np.flip(y, 1)[0, 0] = x[0, 0] ** 2",
    "rotated": "np.rot90(y)[0] = x[:, 0] ** 2",
    "split parts": "a, b = np.split(y, 2, axis=1); a[...] = x[:, :2] ** 2; b[0] = x[1, 2:]",
    "iterated rows": "for k, row in enumerate(y): row[:] = x[k] * x[0]",
    "atleast_2d": "np.atleast_2d(y[0])[0, 1] = x[0, 0] ** 2",
    "loop over elements": "for i in range(3):\n    for j in range(4): y[i, j] = x[i, j] * (y[i, j - 1] if j else 1.0)",
    "recurrence over rows": "y[0] = x[0]\nfor i in range(1, 3): y[i] = y[i - 1] * x[i] + y[i]",
    "swap rows": "y += x; y[[0, 1]] = y[[1, 0]]",
    "swap by tuple": "y += x ** 2; y[0, 0], y[1, 1] = y[1, 1] * 1, y[0, 0] * 1",
}


def _compiled(name: str, statements: str) -> Callable[[Any, Any], Any]:
    body = statements if "\n" in statements or statements.startswith("for") else statements.replace("; ", "\n")
    scope: dict[str, Any] = {"np": np, "IDX": IDX, "MASK": MASK}
    rows = "\n".join("    " + row for row in body.split("\n"))
    exec(compile(f"def write(y, x):\n{rows}\n    return y", f"<{name}>", "exec"), scope)
    return scope["write"]


BUFFERS: dict[str, Callable[[Any], Any]] = {
    "zeros_like": np.zeros_like,
    "copy": lambda x: np.copy(x) * 0.5,
}


@pytest.mark.parametrize("name", list(_STATEMENTS))
def test_form(name: str) -> None:
    write = _compiled(name, _STATEMENTS[name])
    for make in BUFFERS.values():

        def function(x: Any, make: Any = make) -> Any:
            y = write(make(x), x)
            return np.sin(y) + y * y

        expected = function(X)
        found = function(wg.Tensor(X))
        np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-13, atol=1e-14)
        numeric = differences(function, (X,), 0)
        for mode in ("forward", "reverse"):
            exact = wg.jacobian(function, mode=mode)(X).reshape(12, 12)
            np.testing.assert_allclose(exact, numeric, rtol=1e-6, atol=1e-7)
        # One number: the eager pass without batch rules, and its derivative.
        weights = np.cos(np.arange(12.0)).reshape(3, 4)
        gradient = wg.grad(lambda x, f=function, w=weights: np.sum(f(x) * w))
        np.testing.assert_allclose(gradient(X).ravel(), weights.ravel() @ numeric, rtol=1e-5, atol=1e-6)
        second = differences(gradient, (X,), 0)
        found = wg.jacobian(gradient)(X).reshape(12, 12)
        np.testing.assert_allclose(found, second, rtol=1e-5, atol=1e-5)


def test_there_are_more_than_forty_forms() -> None:
    assert len(_STATEMENTS) > 40


# ---------------------------------------------------------------- buffers


@pytest.mark.parametrize(
    "make",
    [
        np.zeros_like,
        np.empty_like,
        np.ones_like,
        lambda x: np.full_like(x, 2.0),
        lambda x: x.copy(),
        lambda x: np.zeros(12, like=x).reshape(3, 4),
        lambda x: np.empty((3, 4), like=x),
        lambda x: np.zeros((3, 4), dtype=float, like=x),
        lambda x: np.array(x, like=x),
        lambda x: np.zeros_like(x, shape=(3, 4)),
        lambda x: wg.numpy.zeros((3, 4)),
        lambda x: x * 1.0,
    ],
)
def test_any_buffer_may_be_written_to(make: Any) -> None:
    def function(x: Any) -> Any:
        y = make(x)
        y[...] = 0
        y[1:] = x[1:] ** 2
        y[0, 0] = x[2, 2]
        return y

    expected = np.zeros((12, 12))
    expected[0, 10] = 1
    expected[range(4, 12), range(4, 12)] = 2 * X.ravel()[4:]
    np.testing.assert_allclose(wg.jacobian(function)(X).reshape(12, 12), expected)


def test_the_argument_is_not_changed() -> None:
    x = X.copy()

    def function(x: Any) -> Any:
        x[0] = x[1] * 2
        x += 1
        return np.sum(x)

    np.testing.assert_array_equal(wg.grad(function)(x), [[0] * 4, [3] * 4, [1] * 4])
    np.testing.assert_array_equal(x, X)


def test_what_was_computed_before_a_write_keeps_its_value_and_derivative() -> None:
    def function(x: Any) -> Any:
        y = x.copy()
        before = np.sin(y)
        y[...] = 7.0
        return before + y

    np.testing.assert_allclose(wg.grad(lambda x: np.sum(function(x)))(X), np.cos(X))


def test_a_copy_is_no_view() -> None:
    y = wg.numpy.zeros((2, 3))
    other, picked = y.copy(), y[[0]]
    other[0] = 1
    picked[0] = 2
    assert not np.asarray(y).any()
    assert y.flatten() is not y
    y.flatten()[0] = 3
    assert not np.asarray(y).any()


def test_a_write_inside_vmap_reaches_the_base() -> None:
    def function(x: Any) -> Any:
        y = np.zeros_like(x)
        row = y[1:]
        row[0] = x[0] ** 2
        return y

    batch = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(wg.vmap(function)(batch), [[0, 0, 0], [0, 9, 0]])


def test_complex_parts_are_views() -> None:
    z = wg.numpy.zeros(3, dtype=complex)
    z.real[1] = 2.0
    z.imag = [1.0, 2.0, 3.0]
    np.real(z)[0] = 5.0
    np.testing.assert_array_equal(np.asarray(z), [5 + 1j, 2 + 2j, 3j])
    with pytest.raises(TypeError, match="imaginary part"):
        wg.numpy.zeros(3).imag = 1.0

    def function(x: Any) -> Any:
        z = np.zeros_like(x, dtype=complex)
        z.real = x**2
        z.imag[1:] = x[1:] * 3
        return np.concatenate([np.real(z), np.imag(z)])

    x = np.array([1.0, 2.0])
    np.testing.assert_array_equal(wg.jacobian(function)(x), [[2, 0], [0, 4], [0, 0], [0, 3]])


@pytest.mark.parametrize("count", [300])
def test_filling_a_buffer_makes_no_copies(count: int) -> None:
    """The memory of the buffer stays where it is from the second write on, whatever reads it in between."""
    places = set()

    def function(x: Any) -> Any:
        y = np.zeros_like(x)
        row = np.zeros((count, 2), like=x)
        for i in range(count):
            y[i] = x[i] * (y[i - 1] if i else 1.0)
            row[i] = row[i - 1] * 0.5 + x[i]
            if i:
                places.add((y._data.ctypes.data, row._data.ctypes.data))
        return y[-1] + np.sum(row)

    wg.grad(function)(np.full(count, 1.001))
    assert len(places) == 1


@pytest.mark.parametrize("mode", ["gradient", "jvp", "vjp"])
def test_loops_that_fill_a_buffer_are_linear_in_every_mode(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole arrays are made a few times, not once per element written or read."""
    from wengert.primitives import indexing

    count = 0

    def counted(function: Any) -> Any:
        def call(x: Any, *args: Any, **params: Any) -> Any:
            nonlocal count
            shape = params.get("shape", np.shape(x))
            count += shape == (200,)
            return function(x, *args, **params)

        return call

    monkeypatch.setattr(indexing, "_index_add", counted(indexing._index_add))
    monkeypatch.setattr(indexing.index_add, "evaluate", counted(indexing.index_add.evaluate))
    monkeypatch.setattr(indexing.index_set, "evaluate", counted(indexing.index_set.evaluate))

    def function(x: Any) -> Any:
        y = np.zeros_like(x)
        y[0] = x[0]
        for i in range(1, 200):
            y[i] = y[i - 1] * 0.5 + x[i] * y[i - 1]
        return y[-1] + np.sum(y)

    x = np.cos(np.arange(200.0))
    if mode == "gradient":
        found = float(wg.grad(function)(x) @ x)
    elif mode == "jvp":
        found = float(wg.jvp(function, (x,), (x,))[1])
    else:
        found = float(wg.vjp(function, x)[1](1.0)[0] @ x)
    assert count <= 6
    h = 1e-6
    np.testing.assert_allclose(found, (function(x * (1 + h)) - function(x * (1 - h))) / (2 * h), rtol=1e-6)


def test_a_cotangent_that_somebody_holds_is_not_written_to() -> None:
    def function(x: Any) -> Any:
        y = x * 1.0
        y[0] = 3.0
        return y

    seed = np.ones(3)
    _, pullback = wg.vjp(function, np.arange(3.0))
    for _ in range(2):
        np.testing.assert_array_equal(pullback(seed)[0], [0, 1, 1])
    np.testing.assert_array_equal(seed, 1)
    tangent = np.ones(3)
    np.testing.assert_array_equal(wg.jvp(function, (np.arange(3.0),), (tangent,))[1], [0, 1, 1])
    np.testing.assert_array_equal(tangent, 1)

    def shared(x: Any) -> Any:  # one cotangent goes to two buffers, of which one erases a part
        y = x * 2.0
        z = x * 3.0
        total = y + z
        y[0] = 0.0
        return total + y

    np.testing.assert_array_equal(wg.grad(lambda x: np.sum(shared(x)))(np.arange(3.0)), [5, 7, 7])
    np.testing.assert_array_equal(wg.jvp(shared, (np.arange(3.0),), (np.ones(3),))[1], [5, 7, 7])


def test_many_live_views() -> None:
    y = wg.numpy.zeros((40, 2))
    rows = [y[k] for k in range(40)]
    for k, row in enumerate(rows):
        row[...] = k
    y[3] = -1.0
    assert [float(row[0]) for row in rows[:5]] == [0, 1, 2, -1, 4]
    np.testing.assert_array_equal(np.asarray(y)[4:, 1], range(4, 40))
