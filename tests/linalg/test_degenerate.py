"""Where eigenvalues or singular values coincide, or a matrix is singular: right, or an error with the gap."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

import wengert as wg
from wengert.errors import Degenerate

L = np.linalg
EYE = np.eye(3)
GENERATOR = np.random.default_rng(0)
Q = L.qr(GENERATOR.standard_normal((4, 4)))[0]
DOUBLE = Q @ np.diag([1.0, 1.0, 2.0, 3.0]) @ Q.T
M = GENERATOR.standard_normal((4, 4))
M = M + M.T


def triangle(gradient):
    """What a symmetric gradient is for the lower triangle that is read."""
    return 2 * np.tril(gradient, -1) + np.diag(np.diag(gradient))


def difference(function, x, step=1e-5):
    out = np.zeros(np.shape(function(x)) + x.shape)
    for place in np.ndindex(x.shape):
        d = np.zeros(x.shape)
        d[place] = step
        out[(..., *place)] = (function(x + d) - function(x - d)) / (2 * step)
    return out


# ---------------------------------------------------------------- determinants


def test_gradient_of_det_is_the_transposed_adjugate():
    np.testing.assert_allclose(wg.grad(L.det)(np.array([[1.0, 2], [2, 4]])), [[4, -2], [-2, 1]], atol=1e-14)
    assert np.all(wg.grad(L.det)(np.zeros((3, 3))) == 0)
    np.testing.assert_allclose(wg.grad(L.det)(np.array([[5.0]])), [[1]])


@pytest.mark.parametrize(
    "matrix", [np.array([[1.0, 2, 3], [2, 4, 6], [1, 0, 1]]), np.outer([1.0, 2, 3], [1, 1, 2]), np.zeros((3, 3))]
)
def test_second_derivatives_of_det_of_singular_matrices(matrix):
    gradient = wg.grad(L.det)
    np.testing.assert_allclose(gradient(matrix), difference(L.det, matrix), atol=1e-8)
    expected = difference(gradient, matrix)
    for derivative in (wg.jacobian(gradient, mode="reverse"), wg.jacobian(gradient, mode="forward")):
        np.testing.assert_allclose(derivative(matrix), expected, atol=1e-8)


def test_det_of_singular_complex_matrices():
    a = np.array([[1, 1j], [1j, -1]])
    np.testing.assert_allclose(wg.grad(lambda a: np.real(L.det(a)))(a), np.conj([[-1, -1j], [-1j, 1]]), atol=1e-14)


# ---------------------------------------------------------------- results that do not depend on the vectors


def test_sums_at_the_identity():
    for function in (L.eigvalsh, L.svdvals):
        np.testing.assert_allclose(wg.grad(lambda x, f=function: np.sum(f(x)))(EYE), EYE, atol=1e-15)
    direction = np.arange(9.0).reshape(3, 3)
    _, tangent = wg.jvp(lambda x: np.sum(L.eigvalsh(x)), (EYE,), (direction,))
    assert tangent == pytest.approx(12)


@pytest.mark.parametrize(
    ("order", "expected"),
    [("nuc", [1, 1, 1, 1]), (2, [0, 0, 0, 1]), (-2, [0.5, 0.5, 0, 0]), ("fro", np.array([1, 1, 2, 3]) / 15**0.5)],
)
def test_norms_with_double_singular_values(order, expected):
    gradient = wg.grad(lambda x: L.norm(x, order))(np.diag([1.0, 1, 2, 3]))
    np.testing.assert_allclose(gradient, np.diag(expected), atol=1e-14)


def test_norms_at_zero_and_at_orthogonal_matrices():
    for order in (2, "nuc", "fro"):
        assert np.all(wg.grad(lambda x, order=order: L.norm(x, order))(np.zeros((2, 3))) == 0)
    # all singular values are 1 up to rounding: they share the derivative of the largest
    np.testing.assert_allclose(wg.grad(lambda x: L.norm(x, 2))(Q), Q / 4, atol=1e-12)
    # a singular value of 0 has a kink, as an absolute value has
    np.testing.assert_allclose(wg.grad(lambda x: L.norm(x, "nuc"))(np.diag([1.0, 2, 0])), np.diag([1, 1, 0]))


def test_trace_of_a_function_of_a_matrix_with_a_double_eigenvalue():
    def trace(x):
        w, v = L.eigh(x)
        return np.trace((v * np.exp(w)) @ v.T)

    exponential = scipy.linalg.expm(DOUBLE)
    np.testing.assert_allclose(wg.grad(trace)(DOUBLE), triangle(exponential), atol=1e-12)


def test_projector_on_all_vectors_of_a_double_eigenvalue():
    def function(x):
        v = L.eigh(x)[1][:, :2]
        return np.sum((v @ v.T) * M)

    for a in (DOUBLE, np.diag([1.0, 1.0, 2.0, 3.0])):
        np.testing.assert_allclose(wg.grad(function)(a), difference(function, a), atol=1e-8)


def test_polar_factor_where_singular_values_coincide():
    def function(x):
        u, _, vh = L.svd(x)
        return np.sum((u @ vh) * M)

    np.testing.assert_allclose(wg.grad(function)(Q), difference(function, Q), atol=1e-8)


def test_general_eigenvalues_that_coincide():
    cubes = wg.grad(lambda x: np.real(np.sum(L.eigvals(x) ** 3)))(np.diag([2.0, 2, 3]))
    np.testing.assert_allclose(cubes, np.diag([12.0, 12, 27]), atol=1e-13)


def test_values_at_a_double_eigenvalue_solve_the_problem():
    w, v = L.eigh(wg.Tensor(np.diag([1.0, 1.0, 2.0])))
    np.testing.assert_allclose((v * w).numpy() @ v.numpy().T, np.diag([1.0, 1.0, 2.0]), atol=1e-15)
    a = np.diag([2.0, 2.0, 3.0])
    w, v = L.eig(wg.Tensor(a))
    np.testing.assert_allclose(a @ v.numpy(), v.numpy() * w.numpy(), atol=1e-14)
    np.testing.assert_allclose(np.linalg.norm(v.numpy(), axis=0), 1)
    u, s, vh = L.svd(wg.Tensor(np.eye(3)))
    np.testing.assert_allclose((u * s).numpy() @ vh.numpy(), np.eye(3), atol=1e-15)


def test_a_crossing_in_forward_mode_gives_the_derivatives_to_one_side():
    direction = np.array([[0.0, 1.0], [1.0, 0.0]])
    _, tangent = wg.jvp(lambda t: L.eigvalsh(np.eye(2) + t * direction), (0.0,), (1.0,))
    np.testing.assert_allclose(tangent, [-1, 1], atol=1e-15)
    _, tangent = wg.jvp(lambda t: L.svdvals(np.eye(2) + t * direction), (0.0,), (1.0,))
    np.testing.assert_allclose(tangent, [1, -1], atol=1e-15)


# ---------------------------------------------------------------- results that do

COINCIDE = "coincide.*; the gap is 0"
DIAGONAL = np.diag([1.0, 1.0, 2.0, 3.0])


def element_of_log(x):
    w, v = L.eigh(x)
    return ((v * np.log(w)) @ v.T)[0, 1]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: L.eigh(x)[1][0, 0],
        lambda x: L.eigvalsh(x)[0],
        lambda x: L.svd(x)[0][0, 3],
        lambda x: np.real(L.eig(x)[1][0, 0]),
        # its derivative is not 0, though everything that a mask could look at is when the vectors are the identity's
        element_of_log,
    ],
)
def test_vectors_of_a_double_value_raise_with_the_gap(function):
    with pytest.raises(Degenerate, match=COINCIDE) as caught:
        wg.grad(function)(DIAGONAL)
    assert "Try: in reverse mode" in str(caught.value)


def test_a_vector_in_forward_mode_raises():
    with pytest.raises(Degenerate, match="eigenvalues coincide; the gap is 0"):
        wg.jvp(lambda x: L.eigh(x)[1][0, 0], (DIAGONAL,), (M,))


def test_the_gap_is_told():
    with pytest.raises(Degenerate, match=r"the gap is 3\.11e-15"):
        wg.grad(lambda x: L.eigvalsh(x)[0])(np.diag([1.0, 1 + 3e-15, 2]))


def test_second_derivatives_at_a_double_value():
    # the sum is linear; the sum of squares has a second derivative that eigenvectors cannot tell
    assert np.all(wg.jacobian(wg.grad(lambda x: np.sum(L.eigvalsh(x))))(EYE) == 0)
    with pytest.raises(Degenerate, match="a second derivative where eigenvalues coincide"):
        wg.jacobian(wg.grad(lambda x: np.sum(L.eigvalsh(x) ** 2)))(EYE)


def test_phases_of_complex_vectors():
    a = np.array([[2, 1j, 0], [-1j, 3, 1], [0, 1, 5]])
    with pytest.raises(Degenerate, match="depends on the complex phases of the vectors that belong to eigenvalues"):
        wg.grad(lambda x: np.imag(L.eigh(x)[1][1, 0] * 1j + L.eigh(x)[1][0, 0]))(a)


def test_vectors_that_complete_a_basis_by_themselves():
    x = GENERATOR.standard_normal((4, 2))
    with pytest.raises(Degenerate, match="depends on how the vectors that complete the basis were chosen"):
        wg.grad(lambda x: L.svd(x)[0][0, 3])(x)
    with pytest.raises(Degenerate, match="vectors that complete the basis"):
        wg.grad(lambda x: L.qr(x, mode="complete").Q[0, 3])(x)


def test_a_matrix_without_an_eigenbasis():
    with pytest.raises(Degenerate, match="eigenvectors are linearly dependent: the ratio"):
        wg.grad(lambda x: np.real(np.sum(L.eigvals(x) ** 2)))(np.array([[1.0, 1.0], [0.0, 1.0]]))


def test_reconstruction_at_a_zero_singular_value():
    def corner(x):
        u, s, vh = L.svd(x)
        return ((u * s) @ vh)[2, 2]

    with pytest.raises(Degenerate, match="singular values and zero coincide"):
        wg.grad(corner)(np.diag([1.0, 2.0, 0.0]))


def test_traced_and_batched_code_raises_too():
    with pytest.raises(Degenerate, match="coincide"):
        wg.jacobian(lambda x: L.eigh(x)[1][0], mode="reverse")(EYE)
