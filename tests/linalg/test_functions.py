"""numpy.linalg: values are NumPy's, and the laws hold for real and complex matrices, batches and all modes."""

from __future__ import annotations

import numpy as np
import pytest
from laws import check, normal

import wengert as wg
from wengert.errors import ShapeError, UnsupportedFunction

L = np.linalg
KINDS = [float, complex]


def h(x):
    return np.conjugate(np.swapaxes(x, -1, -2))


def positive(x):
    return x @ h(x) + 3 * np.eye(x.shape[-1])


def sample(seed, *shapes, dtype):
    generator = np.random.default_rng(seed)
    return [normal(generator, shape, dtype) for shape in shapes]


CASES = {
    "solve": (L.solve, (3, 3), (3, 2)),
    "solve_vector": (L.solve, (3, 3), (3,)),
    "solve_batch": (L.solve, (2, 3, 3), (3, 2)),
    "solve_broadcast": (L.solve, (3, 3), (2, 3, 1)),
    "inv": (L.inv, (2, 3, 3)),
    "pinv_tall": (L.pinv, (4, 2)),
    "pinv_wide": (L.pinv, (2, 4)),
    "lstsq_tall": (lambda a, b: L.lstsq(a, b)[0], (4, 2), (4, 3)),
    "lstsq_wide": (lambda a, b: L.lstsq(a, b)[0], (2, 4), (2,)),
    "det": (L.det, (2, 3, 3)),
    "slogdet": (L.slogdet, (2, 3, 3)),
    "cholesky": (lambda x: L.cholesky(positive(x)), (2, 3, 3)),
    "cholesky_upper": (lambda x: L.cholesky(positive(x), upper=True), (3, 3)),
    "qr_tall": (L.qr, (2, 4, 2)),
    "qr_square": (L.qr, (3, 3)),
    "qr_wide": (L.qr, (2, 4)),
    "qr_r": (lambda x: L.qr(x, mode="r"), (4, 2)),
    "eigvalsh": (L.eigvalsh, (2, 3, 3)),
    "eigvals": (lambda x: L.eigvals(x) + 0j, (3, 3)),
    "eig": (lambda x: tuple(part + 0j for part in L.eig(x)), (3, 3)),
    "svdvals": (L.svdvals, (2, 3, 2)),
    "matrix_power": (lambda x: L.matrix_power(x, 5), (3, 3)),
    "matrix_power_negative": (lambda x: L.matrix_power(x, -3), (3, 3)),
    "matrix_power_zero": (lambda x: L.matrix_power(x, 0), (3, 3)),
    "tensorsolve": (L.tensorsolve, (2, 3, 6), (2, 3)),
    "tensorinv": (lambda x: L.tensorinv(x, 1), (4, 2, 2)),
    "multi_dot": (lambda a, b, c: L.multi_dot([a, b, c]), (2, 3), (3, 4), (4,)),
}


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("name", CASES)
def test_laws(name, dtype):
    function, *shapes = CASES[name]
    check(function, *sample(1, *shapes, dtype=dtype))


@pytest.mark.parametrize("order", [None, 2, -2, 1, -1, np.inf, -np.inf, "fro", "nuc"])
@pytest.mark.parametrize("dtype", KINDS)
def test_norms_and_condition_numbers(order, dtype):
    (x,) = sample(2, (3, 3), dtype=dtype)
    check(lambda x: L.cond(x, order), x)
    check(lambda x: L.norm(x, order), x)


@pytest.mark.parametrize("triangle", ["L", "U"])
def test_eigh_of_real_matrices(triangle):
    (x,) = sample(3, (2, 3, 3), dtype=float)
    check(lambda x: L.eigh(x, triangle), x)


@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4), (2, 3, 2)])
def test_svd_of_real_matrices(shape):
    (x,) = sample(4, shape, dtype=float)
    check(lambda x: L.svd(x, full_matrices=False), x)


def test_eigh_of_complex_matrices_without_the_phases():
    def invariant(x):
        w, v = L.eigh(x)
        return w, np.abs(v) ** 2, (v * np.arange(3.0)) @ h(v)

    check(invariant, *sample(5, (2, 3, 3), dtype=complex))


@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4)])
def test_svd_of_complex_matrices_without_the_phases(shape):
    def invariant(x):
        u, s, vh = L.svd(x, full_matrices=False)
        return s, (u * s**2) @ vh, np.abs(u) ** 2, np.abs(vh)

    check(invariant, *sample(6, shape, dtype=complex))


@pytest.mark.parametrize("dtype", KINDS)
def test_vectors_that_complete_a_basis(dtype):
    tall, wide = sample(7, (4, 2), (2, 4), dtype=dtype)

    def left(x):
        u, s, _ = L.svd(x)
        return s, u[:, 2:] @ h(u[:, 2:])

    def right(x):
        _, s, vh = L.svd(x)
        return s, h(vh[2:]) @ vh[2:]

    def complete(x):
        q, r = L.qr(x, mode="complete")
        return q[:, :2], q[:, 2:] @ h(q[:, 2:]), r

    check(left, tall)
    check(right, wide)
    check(complete, tall)


def test_lstsq_returns_what_numpy_returns():
    a, b = sample(8, (5, 2), (5,), dtype=float)
    ours = L.lstsq(wg.Tensor(a), b)
    theirs = L.lstsq(a, b)
    for mine, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(np.asarray(mine), expected)
    check(lambda a, b: L.lstsq(a, b)[1], a, b)
    check(lambda a, b: L.lstsq(a, b)[3], a, b)


def test_one_triangle_is_read_and_gets_the_derivative():
    (x,) = sample(9, (3, 3), dtype=float)
    a = positive(x)
    for function in (L.cholesky, L.eigvalsh):
        gradient = wg.grad(lambda a, function=function: np.sum(function(a) ** 2))(a)
        assert np.all(gradient[np.triu_indices(3, 1)] == 0)
        whole = wg.grad(lambda a, function=function: np.sum(function((a + a.T) / 2) ** 2))(a)
        np.testing.assert_allclose(whole, (gradient + gradient.T) / 2, rtol=1e-12)


def test_matrix_rank_is_a_number():
    a = wg.Tensor(np.diag([1.0, 2.0, 0.0]))
    assert int(L.matrix_rank(a)) == 2
    assert np.all(wg.grad(lambda a: np.sum(a) * 0 + L.matrix_rank(a) * 1.0)(np.eye(2)) == 0)


def test_single_precision_stays():
    a = np.eye(3, dtype=np.float32) * 2 + np.float32(0.1)
    for function in (L.inv, L.det, L.cholesky, L.eigvalsh, L.svdvals, lambda x: L.qr(x).R, L.pinv):
        value, gradient = wg.value_and_grad(lambda x, function=function: np.sum(function(x)))(a)
        assert value.dtype == gradient.dtype == np.float32


def test_named_results_as_numpys():
    a = wg.Tensor(positive(np.arange(9.0).reshape(3, 3)))
    assert L.eigh(a)._fields == ("eigenvalues", "eigenvectors")
    assert L.eig(a)._fields == ("eigenvalues", "eigenvectors")
    assert L.svd(a)._fields == ("U", "S", "Vh")
    assert L.qr(a)._fields == ("Q", "R")
    assert L.slogdet(a)._fields == ("sign", "logabsdet")


def test_real_eigenvalues_stay_real_as_in_numpy():
    w, v = L.eig(wg.Tensor([[2.0, 1.0], [0.0, 3.0]]))
    assert w.dtype == v.dtype == np.float64
    w, v = L.eig(wg.Tensor([[0.0, 1.0], [-1.0, 0.0]]))
    assert w.dtype == v.dtype == np.complex128


def test_integers_become_floating():
    np.testing.assert_allclose(wg.grad(L.det)(np.array([[1, 2], [3, 4]])), [[4, -3], [-2, 1]])
    np.testing.assert_allclose(L.inv(wg.Tensor([[2, 0], [0, 4]])).numpy(), [[0.5, 0], [0, 0.25]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: L.inv(x[0]), "inv: 1-dimensional array given"),
        (lambda x: L.det(x[:1]), "det: the last two axes of shape \\(1, 2\\)"),
        (lambda x: L.matrix_power(x[:1], 2), "matrix_power: the last two axes"),
        (lambda x: L.lstsq(x, np.ones(3)), "lstsq: shapes \\(2, 2\\) and \\(3,\\) do not fit"),
        (lambda x: L.tensorsolve(np.stack([x, x]), x), "tensorsolve: prod"),
        (lambda x: L.solve(x, np.ones((3, 1))), "solve: a matrix of shape|mismatch"),
    ],
)
def test_wrong_shapes(call, message):
    with pytest.raises((ShapeError, ValueError), match=message):
        call(wg.Tensor(np.eye(2)))


def test_qr_in_a_mode_without_a_rule():
    with pytest.raises(UnsupportedFunction, match="mode 'raw' has no derivative rule"):
        L.qr(wg.Tensor(np.eye(2)), mode="raw")


def test_wrong_triangle():
    with pytest.raises(ValueError, match="UPLO argument must be"):
        L.eigh(wg.Tensor(np.eye(2)), "X")


def test_a_singular_system_raises_as_in_numpy():
    with pytest.raises(np.linalg.LinAlgError, match="Singular matrix"):
        wg.grad(lambda a: np.sum(L.solve(a, np.ones(2))))(np.ones((2, 2)))
