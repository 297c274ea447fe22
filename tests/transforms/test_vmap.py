"""`vmap` against a Python loop: axes, structures, closures, buffers, chunks, and what stays unbatched."""

from __future__ import annotations

import time
from collections import namedtuple
from dataclasses import dataclass

import numpy as np
import pytest

import wengert as wg
import wengert.numpy as wnp
from wengert.errors import AbstractValue

A = np.random.default_rng(0).normal(size=(5, 3))
B = np.random.default_rng(1).normal(size=(5, 3))
W = np.random.default_rng(2).normal(size=(3, 3))


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


def test_axes_in_and_out():
    f = lambda x, y: np.sin(x) * y[0] + W @ y
    expected = np.stack([f(a, b) for a, b in zip(A, B)])
    close(wg.vmap(f)(A, B), expected)
    close(wg.vmap(f, in_axes=(1, 0))(A.T, B), expected)
    close(wg.vmap(f, in_axes=(-1, 0), out_axes=1)(A.T, B), expected.T)
    close(wg.vmap(f, in_axes=(0, None))(A, B[0]), [f(a, B[0]) for a in A])
    close(wg.vmap(f, out_axes=-1)(A, B), expected.T)


Point = namedtuple("Point", "x y")


@dataclass
class Model:
    weights: object
    bias: object


def test_structures_in_and_out():
    def f(d, p):
        return Point(d["a"] * p.x, [d["b"] + p.y]), {"sum": np.sum(d["a"])}

    (first, second), rest = wg.vmap(f, in_axes=({"a": 0, "b": None}, 0), out_axes=(0, {"sum": 0}))(
        {"a": A, "b": B[0]}, Point(B, A)
    )
    close(first, A * B)
    close(second[0], A + B[0])
    close(rest["sum"], A.sum(axis=1))

    out = wg.vmap(lambda model, x: model.weights @ x + model.bias, in_axes=(None, 0))(Model(W, 1.0), A)
    close(out, A @ W.T + 1)


def test_settings_and_keyword_arguments_are_shared():
    def f(x, *, power, on):
        return x**power if on else x

    close(wg.vmap(f)(A, power=2, on=True), A**2)
    close(wg.vmap(lambda x, n: x[:n], in_axes=(0, None))(A, 2), A[:, :2])


def test_what_does_not_depend_on_a_sample_is_broadcast():
    shared, zero, own = wg.vmap(lambda x: (W, 0.0, x))(A)
    assert shared.shape == (5, 3, 3) and zero.shape == (5,)
    close(shared[3], W)
    shared[0, 0, 0] = 1.0  # not a read-only view
    assert wg.vmap(lambda x: W[0, 0], out_axes=None)(A) == W[0, 0]
    close(own, A)


def test_the_function_runs_once():
    calls = []
    wg.vmap(lambda x: (calls.append(1), x * 2)[1], chunk_size=2)(A)
    assert len(calls) == 1


@pytest.mark.parametrize("chunk", [1, 2, 4, 5, 100])
def test_chunks_do_not_change_the_result(chunk):
    f = lambda x: (np.cumsum(np.sin(x)), np.max(x), 3.0)
    whole, pieces = wg.vmap(f)(A), wg.vmap(f, chunk_size=chunk)(A)
    for a, b in zip(whole, pieces):
        close(a, b)


def test_buffers_and_views_of_buffers():
    def f(x):
        out = np.zeros_like(x, shape=(4,))
        out[1:] = x * 2
        out[0] = x[1]
        part = out[2:]
        part[0] = 7.0
        part *= x[0]
        out += 1
        out[np.array([0, 3])] -= x[:2]
        return out

    close(wg.vmap(f)(A), [f(wg.Tensor(a)).numpy() for a in A])

    def g(x):
        out = wnp.zeros((2, 3))
        for i in range(2):
            out[i] = np.sin(x) * i
        return out[:, ::-1]

    close(wg.vmap(g)(A), [g(wg.Tensor(a)).numpy() for a in A])
    close(wg.vmap(wg.jacobian(f))(A), [wg.jacobian(f)(a) for a in A])


def test_closures_over_batched_and_unbatched_values():
    expected = np.array([[[np.sum(np.sin(W @ a) * b) * c for c in range(3)] for b in B] for a in A])
    out = wg.vmap(lambda a: wg.vmap(lambda b: wg.vmap(lambda c: np.sum(np.sin(W @ a) * b) * c)(np.arange(3.0)))(B))(A)
    close(out, expected)


def test_closures_over_tracked_values():
    def loss(w):
        return np.sum(wg.vmap(lambda a: wg.grad(lambda x: np.sum(np.tanh(w @ x) ** 2))(a))(A) ** 2)

    def looped(w):
        return sum(np.sum(wg.grad(lambda x: np.sum(np.tanh(w @ x) ** 2))(a) ** 2) for a in A)

    close(wg.grad(loss)(W), wg.grad(looped)(W))


def test_a_pullback_over_many_cotangents():
    y, pullback = wg.vjp(lambda x: np.sin(W @ x), A[0])
    close(wg.vmap(lambda c: pullback(c)[0])(np.eye(3)), wg.jacobian(lambda x: np.sin(W @ x))(A[0]))
    _, push = wg.linearize(lambda x: np.sin(W @ x), A[0])
    close(wg.vmap(push, out_axes=1)(np.eye(3)), wg.jacobian(lambda x: np.sin(W @ x))(A[0]))


INDEXING = {
    "integer": lambda x: x[1],
    "slice": lambda x: x[::-1][:2],
    "list": lambda x: x[[2, 0, 0]],
    "new axis": lambda x: x[:, None] * x[None],
    "ellipsis": lambda x: x[..., -1],
    "own index": lambda x: wnp.take(x, np.argmax(x)),
    "sort": lambda x: np.sort(x),
    "argsort": lambda x: np.argsort(x),
    "where": lambda x: np.where(x > 0, x, -x),
    "concatenate": lambda x: np.concatenate([x, A[0], x[:1]]),
    "stack": lambda x: np.stack([x, np.zeros(3)], axis=1),
    "pad": lambda x: np.pad(x, 1),
    "roll": lambda x: np.roll(x, 1),
    "diff": lambda x: np.diff(x),
    "einsum": lambda x: np.einsum("ij,j,k->ik", W, x, x),
    "matmul": lambda x: (W @ np.outer(x, x)) @ W,
    "solve": lambda x: np.linalg.solve(W + np.diag(x), x),
    "inv": lambda x: np.linalg.inv(W + np.diag(x)),
    "eigvalsh": lambda x: np.linalg.eigvalsh(np.outer(x, x) + np.diag([1.0, 2.0, 3.0])),
    "det": lambda x: np.linalg.det(W * x),
    "norm": lambda x: np.linalg.norm(x),
    "fft": lambda x: np.abs(np.fft.fft(x)),
    "cumprod": lambda x: np.cumprod(x),
    "prod": lambda x: np.prod(x),
    "std": lambda x: np.std(x),
    "clip": lambda x: np.clip(x, -0.5, 0.5),
    "interp": lambda x: np.interp(x, [-1.0, 0.0, 2.0], [0.0, 1.0, 0.0]),
    "tril": lambda x: np.tril(np.outer(x, x)),
    "split": lambda x: np.split(x, 3)[1],
    "repeat": lambda x: np.repeat(x, 2),
    "constant": lambda x: np.ones(2),
    "roll by its own shift": lambda x: np.roll(x, np.argmax(x)),
    "roll of an axis": lambda x: np.roll(np.outer(x, x), -np.argmax(x), axis=1),
    "piecewise": lambda x: np.piecewise(x, [x > 0.5, x < -0.5], [np.log, lambda v: v**2, 7.0]),
    "piecewise without a rest": lambda x: np.piecewise(x, [x > 0], [np.sqrt]),
    "its own row of a tensor": lambda x: wg.Tensor(W)[np.argmax(x)],
    "its own rows of a tensor": lambda x: wg.Tensor(W)[1:, np.stack([np.argmax(x), np.argmin(x)])],
    "its own place in a buffer": lambda x: _marked(x),
}


def _marked(x):
    out = np.zeros_like(x)
    out[np.argmax(x)] = x[0]
    return out


@pytest.mark.parametrize("name", INDEXING)
def test_functions(name):
    f = INDEXING[name]
    close(wg.vmap(f)(A), [f(a) for a in A])


def _filled(x):
    out = np.zeros(3)
    out[0] = x[0]
    return out


def _written(x):
    out = np.zeros(3)
    out[np.argmax(x)] = 1.0
    return out * x


HIDDEN_BY_NUMPY = {
    "a row of a plain array": (lambda x: W[np.argmax(x)], "use as an index", "wengert.numpy.take"),
    "rows and columns of a plain array": (lambda x: W[1:, np.argmax(x)], "use as an index", "wengert.Tensor"),
    "writing to a place of a plain array": (_written, "use as an index", "wengert.numpy.take"),
    "writing to a plain array": (_filled, r"float\(\)", "np.zeros_like"),
    "a length": (lambda x: np.zeros(np.argmax(x)), "use as an index", "shapes"),
    "a truth value as an index": (lambda x: W[x[0] > 0], "use as an index", "np.where"),
}


@pytest.mark.parametrize("name", HIDDEN_BY_NUMPY)
def test_an_error_that_numpy_hides_names_the_line(name):
    function, what, hint = HIDDEN_BY_NUMPY[name]
    with pytest.raises(AbstractValue, match=rf"{what} needs the value(?s:.)*test_vmap\.py:\d+(?s:.)*{hint}"):
        wg.vmap(function)(A)


def test_an_array_of_objects_as_an_index_says_what_to_do():
    with pytest.raises(IndexError) as caught:
        wg.vmap(lambda x: W[np.array([np.argmax(x), 0])])(A)
    assert "np.stack" in caught.value.__notes__[0]


def test_an_error_of_the_user_stays_what_it_is():
    """A refusal that the user caught is not mistaken for what failed later."""

    def f(x):
        try:
            float(x[0])
        except TypeError:
            return [1.0, 2.0][5] * x
        return x

    with pytest.raises(IndexError, match="list index out of range"):
        wg.vmap(f)(A)


def test_an_abstract_tensor_can_be_printed():
    texts = []
    wg.vmap(lambda x: texts.append(f"{x[0]:.3f} {x}") or x)(A)
    assert texts[0].startswith("Tensor(abstract, shape=(), dtype=float64) Tensor(abstract, shape=(3,)")


def test_loops_and_recursion_in_python():
    def power(x, n):
        return x if n == 1 else x * power(x, n - 1)

    def f(x):
        total = 0.0
        for part in x:
            total = total + power(part, 3)
        while len(x) > 1:
            x = x[1:]
        return total + x[0]

    close(wg.vmap(f)(A), [f(a) for a in A])


def test_zero_samples():
    out = wg.vmap(lambda x: (np.sum(x), np.outer(x, x)))(np.zeros((0, 3)))
    assert out[0].shape == (0,) and out[1].shape == (0, 3, 3)


def test_dtypes_are_kept():
    assert wg.vmap(lambda x: x * 2.0)(A.astype(np.float32)).dtype == np.float32
    assert wg.vmap(lambda x: x + 1)(np.arange(3)).dtype == np.int64
    assert wg.vmap(lambda x: x > 0)(A).dtype == bool
    assert wg.vmap(lambda x: 1j * x)(A).dtype == np.complex128


def test_tensors_in_tensors_out():
    out = wg.vmap(np.sin)(wg.Tensor(A))
    assert isinstance(out, wg.Tensor)
    close(out.numpy(), np.sin(A))
    assert type(wg.vmap(np.sin)(A)) is np.ndarray


def test_a_large_batch_costs_about_what_stacked_code_does(record_property):
    x = np.random.default_rng(0).normal(size=(100_000, 4))
    f = lambda v: np.sum(np.sin(v) * v)
    by_hand = lambda v: np.sum(np.sin(v) * v, axis=1)

    def quickest(function):
        times = []
        for _ in range(7):
            start = time.perf_counter()
            function(x)
            times.append(time.perf_counter() - start)
        return min(times)

    mapped = wg.vmap(f)
    close(mapped(x), by_hand(x))
    ratio = quickest(mapped) / quickest(by_hand)
    record_property("vmap_over_by_hand", round(ratio, 2))
    assert ratio < 20  # a loop would be some thousand; the benchmark page has the figure


def test_random_numbers_are_drawn_once():
    """Said on the page of `vmap`: samples share what is drawn inside."""
    rng = np.random.default_rng(0)
    out = wg.vmap(lambda x: x * 0 + rng.normal())(np.zeros(4))
    assert np.all(out == out[0])
