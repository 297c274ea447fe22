"""Sparse operands: SciPy's own matrices with tensors, and matrices whose data are tensors."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sparse
import scipy.sparse.linalg
from laws import check, normal

import wengert as wg
import wengert.scipy.sparse as ours
from wengert.errors import ArgumentError, ShapeError, TraceLost, UnsupportedFunction

G = np.random.default_rng(5)
WIDE = sparse.random_array((4, 5), density=0.5, random_state=np.random.default_rng(0), format="csr")
A = (sparse.random_array((5, 5), density=0.4, random_state=np.random.default_rng(0), format="csr") + 3 * sparse.eye_array(5)).tocsr()
KINDS = [float, complex]


def made(data):
    return ours.csr_array((data, A.indices, A.indptr), shape=A.shape)


@pytest.mark.parametrize("dtype", KINDS)
def test_plain_matrices_times_tensors(dtype):
    x, columns, y, rows = (normal(G, shape, dtype) for shape in ((5,), (5, 3), (4,), (3, 4)))
    older = sparse.csr_matrix(WIDE)
    check(lambda x: WIDE @ x, x)
    check(lambda x: WIDE @ x, columns, second=False)
    check(lambda x: x @ WIDE, y, second=False)
    check(lambda x: x @ WIDE, rows, second=False)
    check(lambda x: WIDE.T @ x, y, second=False)
    check(lambda x: WIDE.dot(x), x, second=False)
    check(lambda x: older * x, x, second=False)
    check(lambda x: x * older, y, second=False)
    for matrix in (WIDE.tocoo(), WIDE.tolil(), WIDE.tocsc(), sparse.csr_matrix(WIDE)):
        check(lambda x, m=matrix: m @ x, x, second=False)
    check(lambda x: sparse.diags_array([1.0, 2, 3, 4, 5]) @ x, x, second=False)


def test_products_under_vmap_and_in_a_tape():
    x = normal(G, (3, 5))
    np.testing.assert_allclose(wg.vmap(lambda v: WIDE @ v)(x), (WIDE @ x.T).T)
    with wg.GradientTape() as tape:
        v = wg.Variable(x[0])
        loss = np.sum((WIDE @ v) ** 2)
    np.testing.assert_allclose(tape.gradient(loss, v), 2 * WIDE.T @ (WIDE @ x[0]))


def test_other_operations_of_plain_matrices_say_what_to_use():
    with pytest.raises(TraceLost, match="A @ x or x @ A, which take tensors"):
        wg.grad(lambda x: np.sum((WIDE * x).toarray()))(np.ones(5))


@pytest.mark.parametrize("dtype", KINDS)
def test_matrices_of_tensors(dtype):
    data = A.data.astype(dtype) * (1 + 0.2j if dtype is complex else 1)
    x, columns = normal(G, (5,), dtype), normal(G, (5, 2), dtype)
    check(lambda d, x: made(d) @ x, data, x)
    check(lambda d, x: made(d) @ x, data, columns, second=False)
    check(lambda d, x: x @ made(d), data, x, second=False)
    check(lambda d, x: x.T @ made(d), data, columns, second=False)
    csc, coo = A.tocsc(), A.tocoo()
    check(lambda d: ours.csc_array((d, csc.indices, csc.indptr), shape=A.shape).toarray(), data, second=False)
    check(lambda d: ours.coo_array((d, coo.coords), shape=A.shape).dot(x), data, second=False)

    def everything(d):
        m = made(d)
        dense = np.arange(25.0).reshape(5, 5)
        return (m.T * 2 - A).sum(0), m.diagonal(), (m / 3).sum(), (m + m.conj()).toarray(), m.multiply(dense).todense()

    check(everything, data, second=False)


@pytest.mark.parametrize("dtype", KINDS)
def test_solutions(dtype):
    data = A.data.astype(dtype) * (1 + 0.2j if dtype is complex else 1)
    b, columns = normal(G, (5,), dtype), normal(G, (5, 2), dtype)
    check(lambda d, b: ours.linalg.spsolve(made(d), b), data, b)
    check(lambda d, b: ours.linalg.spsolve(made(d), b), data, columns, second=False)
    check(lambda b: ours.linalg.spsolve(A, b), b, second=False)
    for trans in "NTH":
        check(lambda d, b, t=trans: ours.linalg.splu(made(d)).solve(b, t), data, b, second=False)
    check(lambda b: ours.linalg.factorized(A)(b), b, second=False)
    found = ours.linalg.spsolve(A, wg.Tensor(b)).numpy()
    np.testing.assert_allclose(found, scipy.sparse.linalg.spsolve(A.tocsc(), b))
    dense = ours.csr_array((wg.Tensor(data), A.indices, A.indptr), A.shape).toarray().numpy()
    np.testing.assert_allclose(ours.linalg.spsolve_triangular(ours.csr_array(wg.Tensor(np.tril(dense))), b).numpy(),
                               np.linalg.solve(np.tril(dense), b))  # fmt: skip


def test_one_factorization_serves_value_and_gradient(monkeypatch):
    calls = []
    factor = scipy.sparse.linalg.splu
    monkeypatch.setattr(scipy.sparse.linalg, "splu", lambda a: calls.append(1) or factor(a))
    matrix = A + sparse.eye_array(5) * 0.123
    wg.grad(lambda b: np.sum(ours.linalg.spsolve(matrix, b) ** 2))(np.ones(5))
    assert len(calls) == 1


def test_banded_matrices_from_tracked_diagonals():
    n = 5

    def energy(main):
        matrix = ours.diags([main, np.ones(n - 1), np.ones(n - 1)], [0, 1, -1])
        return ours.linalg.spsolve(matrix, np.arange(1.0, n + 1))

    check(energy, np.arange(3.0, 3 + n))
    same = ours.diags_array([wg.Tensor([2.0])], offsets=[1], shape=(3, 4)).toarray().numpy()
    np.testing.assert_array_equal(same, sparse.diags_array([[2.0]], offsets=[1], shape=(3, 4)).toarray())


def test_repeated_places_add_up():
    matrix = ours.coo_array((wg.Tensor([1.0, 2.0, 5.0]), ([0, 0, 1], [1, 1, 0])))
    np.testing.assert_array_equal(matrix.toarray().numpy(), [[0, 3], [5, 0]])
    assert matrix.shape == (2, 2)


def test_plain_matrices_are_scipys():
    assert isinstance(ours.csr_array(np.eye(2)), sparse.csr_array)
    assert isinstance(ours.diags([1.0, 2.0]), sparse.dia_matrix)
    assert ours.eye_array is sparse.eye_array
    assert ours.linalg.splu(A.tocsc()).L.shape == (5, 5)
    assert float(ours.linalg.norm(made(wg.Tensor(A.data))).numpy()) == pytest.approx(scipy.sparse.linalg.norm(A))
    assert "5" in repr(made(wg.Tensor(A.data)))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda d: d[:3] @ WIDE, ShapeError, "a sparse matrix of shape \\(4, 5\\) and an operand of shape \\(3,\\)"),
        (lambda d: made(d) @ np.ones(3), ShapeError, "do not fit"),
        (lambda d: np.ones(3) @ made(d), ShapeError, "do not fit"),
        (lambda d: made(d) + sparse.eye_array(3), ShapeError, "inconsistent shapes"),
        (lambda d: made(d) @ A, UnsupportedFunction, "the product of two sparse matrices has no derivative rule"),
        (lambda d: made(d).multiply(A), UnsupportedFunction, "two sparse matrices by element"),
        (lambda d: ours.coo_array((d[:2], ([0, 9], [0, 1])), (2, 2)), ShapeError, "a row index is outside"),
        (lambda d: ours.coo_array((d[:2], ([0], [0])), (2, 2)), ShapeError, "do not fit"),
        (lambda d: ours.coo_array((d[:0], ([], []))), ShapeError, "the shape of a matrix without elements"),
        (lambda d: ours.diags([d[:3]], [0], shape=(5, 5)), ShapeError, "does not agree with"),
        (lambda d: ours.linalg.spsolve(np.eye(2), d), ArgumentError, "of type ndarray, not sparse"),
        (lambda d: ours.linalg.spsolve(WIDE, d), ShapeError, "the matrix must be square"),
        (lambda d: ours.linalg.spsolve(A, d[:3]), ShapeError, "do not fit"),
        (lambda d: ours.linalg.splu(made(d)).solve(np.ones(5), "X"), ArgumentError, "trans is 'N', 'T' or 'H'"),
        (lambda d: ours.linalg.spsolve_triangular(A, d, unit_diagonal=True), ArgumentError, "unit_diagonal=True"),
        (lambda d: ours.linalg.splu(made(d)).L, AttributeError, "a factorization of tensors has no 'L'"),
    ],
)
def test_bad_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call(wg.Tensor(A.data))
