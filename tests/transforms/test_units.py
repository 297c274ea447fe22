"""Seeds that are not written out give what written ones give: rows of the identity through every kind of line."""

from __future__ import annotations

import numpy as np
import pytest

import wengert as wg
from wengert.program import Slot, trace
from wengert.transforms.batch import run_batched
from wengert.transforms.units import Units

W = np.random.default_rng(0).normal(size=(4, 6))
D = np.random.default_rng(1).normal(size=(2, 3))
E = np.random.default_rng(2).normal(size=(3,))
T = np.random.default_rng(3).normal(size=(3, 2, 5))

LINEAR = {
    "identity": lambda t: t,
    "factor": lambda t: t * D,
    "factors": lambda t: -(t * D) * 2.0 / (1 + D * D) * E,
    "factor that broadcasts": lambda t: t * np.ones((7, 2, 3)),
    "sums of scaled": lambda t: t * D + t * 3.0 - D * t * E,
    "sums of others": lambda t: t * D + np.roll(t, 1),
    "mask": lambda t: np.where(D > 0, t * D, 0),
    "other mask": lambda t: np.where(D > 0, 0, t),
    "mask of both": lambda t: np.where(D > 0, t, 2 * t),
    "reshape": lambda t: np.reshape(t * D, (6,)) * np.arange(6.0),
    "select rows": lambda t: W @ np.reshape(t, (6,)),
    "select rows, scaled": lambda t: W @ np.reshape(t * D, (6,)),
    "select columns": lambda t: np.reshape(t * D, (6,)) @ W.T,
    "contract all": lambda t: np.einsum("ij,jik->k", t, T),
    "contract all, scaled": lambda t: np.einsum("ij,jik->k", t * D, T),
    "contract one": lambda t: np.einsum("ij,j->i", t * D, E),
    "contract none": lambda t: np.einsum("ij,k->ijk", t, E),
    "chain": lambda t: W.T @ ((W @ np.reshape(t, (6,))) * W[:, 0] * 2.0),
    "chain of sums": lambda t: (lambda y: W.T @ (y * W[:, 0] + y * W[:, 1] - y))(W @ np.reshape(t, (6,))),
    "sum": lambda t: np.sum(t * D),
    "sum along one axis": lambda t: np.sum(t * D, axis=0),
    "sum of rows": lambda t: np.sum((W @ np.reshape(t, (6,))) * W[:, 2]),
    "index": lambda t: (t * D)[1, ::-1],
    "concatenate": lambda t: np.concatenate([t, t * 2, D * t]),
    "cast": lambda t: (t * D).astype(np.float32) * 2,
    "zero": lambda t: t * 0.0,
    "one number for all": lambda t: np.sum(t) * D,
    "one number for all, chained": lambda t: -(np.sum(t * D) * D) / (1 + D * D) * 2.0,
    "diagonal and one number": lambda t: t * D + np.sum(t * D) * D * D,
    "one number, then the diagonal": lambda t: np.sum(t * D) * D - t * 3.0 + t,
    "two numbers": lambda t: np.sum(t * D) * D - np.sum(t[0]) * D**2 + t,
    "the same number twice": lambda t: (lambda s: s * D + s * E)(np.sum(t * D)),
    "sum of sums": lambda t: np.sum((t * D + np.sum(t) * D) * D),
    "sum of sums, contracted": lambda t: W @ np.reshape(t * D + np.sum(t) * D - np.sum(t * D), (6,)),
    "sum of sums, all contracted": lambda t: np.einsum("ij,jik->k", t * D + np.sum(t) * D, T),
    "number, contracted": lambda t: np.reshape(np.sum(t) * D, (6,)) @ W.T,
    "sum of sums, negated and masked": lambda t: np.where(D > 0, -(t * D + np.sum(t) * E), 0),
    "sum of sums and others": lambda t: t * D + np.sum(t) * D + np.roll(t, 1),
    "many numbers": lambda t: sum((np.sum(t * D**k) * E**k for k in range(20)), t),
    "mean removed": lambda t: t - np.mean(t),
    "mean of each row removed": lambda t: t - np.mean(t, axis=1, keepdims=True),
    "integer factors": lambda t: 2 * (3 * t),
}


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize(("start", "stop"), [(0, 6), (2, 5), (5, 6)])
def test_against_seeds_that_are_written_out(name, start, stop):
    program = trace(lambda t: [LINEAR[name](t)], [Slot((2, 3), np.dtype(float))])
    written = np.eye(6)[start:stop].reshape(-1, 2, 3)
    (expected,), _ = run_batched(program, stop - start, [written], [True])
    units = Units((2, 3), start, stop, np.float64)
    (found,), flags = run_batched(program, stop - start, [units], [True])
    assert flags == [True]
    np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-15)
    assert found.shape == expected.shape and found.dtype == expected.dtype

    # The same on abstract values: the batched Program has no matrix of seeds in it where none is needed.
    kept = trace(
        lambda: run_batched(program, stop - start, [Units((2, 3), start, stop, np.float64)], [True])[0], []
    )
    np.testing.assert_allclose(kept()[0], expected, rtol=1e-14, atol=1e-15)


def test_single_precision_stays():
    program = trace(lambda t: [t * 2.0 * np.float32(3), W.astype(np.float32) @ t], [Slot((6,), np.dtype(np.float32))])
    outs, _ = run_batched(program, 6, [Units((6,), 0, 6, np.float32)], [True])
    assert [out.dtype for out in outs] == [np.float32, np.float32]


def test_an_infinite_slope_behind_a_mask():
    """A zero cotangent times an infinite slope is zero, also where factors are gathered before they meet the seeds."""
    f = lambda x: np.where(x > 0, np.sqrt(np.where(x > 0, x, 0.0)), 0.0)
    x = np.array([4.0, 0.0, -1.0])
    expected = np.diag([0.25, 0.0, 0.0])
    with np.errstate(all="ignore"):
        for mode in ("forward", "reverse"):
            np.testing.assert_array_equal(wg.jacobian(lambda x: f(x) + 0 * x[::-1], mode=mode)(x), expected)
            mixed = wg.jacobian(lambda x: W[:, :3] @ f(x), mode=mode)(x)
            np.testing.assert_allclose(mixed, W[:, :3] * [0.25, 0.0, 0.0])


def test_a_dense_layer_needs_no_product_of_matrices():
    layer = lambda x: np.tanh(W @ x)
    x = np.linspace(-1, 1, 6)
    expected = (1 - np.tanh(W @ x) ** 2)[:, None] * W
    for _ in range(3):  # captured at first, then as a kept Program
        np.testing.assert_allclose(wg.jacobian(layer, mode="reverse")(x), expected, rtol=1e-13)
        np.testing.assert_allclose(wg.jacobian(layer, mode="forward")(x), expected, rtol=1e-13)
        np.testing.assert_allclose(wg.jacobian(layer, mode="reverse", chunk_size=3)(x), expected, rtol=1e-13)


def test_inside_another_derivative():
    norm = lambda x: np.sum(wg.jacobian(lambda x: np.tanh(W @ x) * np.sum(x))(x) ** 2)
    plain = lambda x: np.sum(
        ((1 - np.tanh(W @ x) ** 2)[:, None] * W * np.sum(x) + np.tanh(W @ x)[:, None]) ** 2
    )
    x = np.linspace(-1, 1, 6)
    np.testing.assert_allclose(wg.grad(norm)(x), wg.grad(plain)(x), rtol=1e-11)
    np.testing.assert_allclose(wg.vmap(wg.grad(norm))(np.stack([x, 2 * x]))[1], wg.grad(plain)(2 * x), rtol=1e-11)


FULL = {
    "softmax": lambda x: np.log(np.sum(np.exp(x))),
    "norm": lambda x: np.linalg.norm(x) ** 3,
    "variance": lambda x: np.var(x) * np.sum(np.tanh(x)),
    "products of sums": lambda x: np.sum(np.tanh(x) * x) ** 2 + np.sum(x) * np.sum(np.sin(x)),
}


@pytest.mark.parametrize("name", FULL)
def test_a_large_full_hessian_is_a_diagonal_and_products_of_vectors(name):
    """Twice: the second time a kept Program runs. It holds no constants of the result's size."""
    from wengert.differentiation.linear_map import _memo

    f = FULL[name]
    x = np.random.default_rng(7).normal(size=650)
    v = np.random.default_rng(8).normal(size=650)
    small = wg.hessian(f)(x[:30])
    expected = np.stack([wg.hvp(f, (x[:30],), (e,))[1][0] for e in np.eye(30)])
    np.testing.assert_allclose(small, expected, rtol=1e-10, atol=1e-12)
    for _ in range(3):
        matrix = wg.hessian(f)(x)
        np.testing.assert_allclose(matrix @ v, wg.hvp(f, (x,), (v,))[1][0], rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(matrix, matrix.T, rtol=1e-10, atol=1e-13)
    held = [sum(np.asarray(c).nbytes for c in p.captures) for p in _memo._entries.values() if p is not None]
    assert max(held) < 1_000_000
    tracked = wg.grad(lambda s: np.sum(wg.hessian(lambda x: f(s * x))(x[:20]) ** 2))(1.1)
    step = lambda s: np.sum(wg.hessian(lambda x: f(s * x))(x[:20]) ** 2)
    np.testing.assert_allclose(tracked, (step(1.1 + 1e-5) - step(1.1 - 1e-5)) / 2e-5, rtol=1e-6)


def test_an_infinite_factor_stays_cut_by_a_zero():
    """The slope of sqrt at 0 is infinite, and the number that meets it is zero for the other seeds."""
    f = lambda x: np.sum(x[1:]) ** 2 + np.sum(np.where(x > 0, np.sqrt(np.where(x > 0, x, 1.0)), 0.0) * np.sum(x))
    x = np.array([0.0, 0.5, 2.0])
    found = wg.hessian(f)(x)
    assert np.all(np.isfinite(found))
    np.testing.assert_allclose(found, [wg.hvp(f, (x,), (e,))[1][0] for e in np.eye(3)], rtol=1e-12)
