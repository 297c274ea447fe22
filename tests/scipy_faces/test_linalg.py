"""wengert.scipy.linalg against scipy.linalg."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg as theirs
from faces import both, same
from laws import check, normal

import wengert as wg
import wengert.scipy.linalg as ours
from wengert.errors import ArgumentError, ShapeError, UnsupportedFunction

G = np.random.default_rng(0)
KINDS = {"real": float, "complex": complex}


def h(x):
    return np.conjugate(np.swapaxes(x, -1, -2))


def matrices(kind):
    generator = np.random.default_rng(1)
    a, b = (normal(generator, shape, KINDS[kind]) for shape in ((3, 3), (3, 2)))
    return a, b, a @ h(a) + 3 * np.eye(3)


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def test_lu(kind):
    a, b, _ = matrices(kind)
    both(lambda x: ours.lu_factor(x)[0], lambda x: theirs.lu_factor(x)[0], a)
    for trans in (0, 1, 2):
        both(
            lambda x, b, t=trans: ours.lu_solve(ours.lu_factor(x), b, t),
            lambda x, b, t=trans: theirs.lu_solve(theirs.lu_factor(x), b, t),
            a,
            b,
            second=trans == 0,
        )
    both(lambda x: ours.lu(x)[1:], lambda x: theirs.lu(x)[1:], a)
    both(lambda x: ours.lu(x, permute_l=True), lambda x: theirs.lu(x, permute_l=True), a)
    same(lambda x: ours.lu(x)[0], lambda x: theirs.lu(x)[0], a)
    same(lambda x: ours.lu(x, p_indices=True)[0], lambda x: theirs.lu(x, p_indices=True)[0], a)


@pytest.mark.parametrize(
    "options", [{}, {"lower": True}, {"trans": 1}, {"trans": "C", "lower": True}, {"unit_diagonal": True}]
)
def test_triangular_systems(kind, options):
    a, b, _ = matrices(kind)
    both(
        lambda x, b: ours.solve_triangular(x, b, **options),
        lambda x, b: theirs.solve_triangular(x, b, **options),
        a + 3 * np.eye(3),
        b,
    )
    check(lambda x, b: ours.solve_triangular(x, b, **options), np.stack([a, a.T]) + 3 * np.eye(3), b[:, :1])


@pytest.mark.parametrize("form", [None, "sym", "her", "pos", "gen"])
def test_solve(kind, form):
    a, b, positive = matrices(kind)
    x = positive if form in ("her", "pos") else a + a.T if form == "sym" else a
    both(lambda x, b: ours.solve(x, b, assume_a=form), lambda x, b: theirs.solve(x, b, assume_a=form), x, b)


def test_cholesky(kind):
    _a, b, positive = matrices(kind)
    for lower in (True, False):
        both(
            lambda x, b, low=lower: ours.cho_solve(ours.cho_factor(x, lower=low), b),
            lambda x, b, low=lower: theirs.cho_solve(theirs.cho_factor(x, lower=low), b),
            positive,
            b,
            second=lower,
        )
        same(lambda x, low=lower: ours.cholesky(x, low), lambda x, low=lower: theirs.cholesky(x, low), positive)


def test_banded_and_toeplitz_systems(kind):
    bands = normal(G, (4, 6), KINDS[kind]) + np.array([0, 0, 5, 0])[:, None]
    right = normal(G, (6, 2), KINDS[kind])
    both(lambda m, b: ours.solve_banded((1, 2), m, b), lambda m, b: theirs.solve_banded((1, 2), m, b), bands, right)
    check(lambda m, b: ours.solve_banded((1, 2), m, b), bands, right[:, 0])
    column, b = np.array([5.0, 1, 2]), right[:3, 0]
    both(lambda c, b: ours.solve_toeplitz(c, b), lambda c, b: theirs.solve_toeplitz(c, b), column, b)


def test_sylvester_and_lyapunov(kind):
    a, b, positive = matrices(kind)
    other = normal(G, (2, 2), KINDS[kind]) + 5 * np.eye(2)
    both(ours.solve_sylvester, theirs.solve_sylvester, a, other, b)
    both(ours.solve_continuous_lyapunov, theirs.solve_continuous_lyapunov, a, positive)
    both(ours.solve_discrete_lyapunov, theirs.solve_discrete_lyapunov, 0.3 * a, positive)


@pytest.mark.parametrize("name", ["expm", "logm", "sqrtm", "cosm", "sinm", "tanm", "coshm", "sinhm", "tanhm"])
def test_functions_of_a_matrix(kind, name):
    a, _, positive = matrices(kind)
    x = positive if name in ("logm", "sqrtm") else 0.3 * a
    second = name in ("expm", "sqrtm")  # all have the same rule, and SciPy takes its time
    both(getattr(ours, name), getattr(theirs, name), x[:2, :2], tolerance=1e-6, second=second)


@pytest.mark.parametrize("name", ["logm", "sqrtm"])
def test_both_modes_are_on_the_same_side_of_a_branch_cut(name):
    """A real symmetric matrix with negative eigenvalues: the adjoint matrix would be the other side."""
    a = np.diag([-2.0, -1.7, 1.1]) + 0.1 * normal(G, (3, 3))
    wg.testing.check_derivatives(lambda a: getattr(ours, name)(0.5 * (a + a.T)), a).raise_if_wrong()


def test_expm_of_batches_and_its_derivative(kind):
    a, _, positive = matrices(kind)
    both(ours.expm, theirs.expm, np.stack([a, 0.5 * a]), second=False)
    both(ours.expm_frechet, theirs.expm_frechet, 0.3 * a, a)
    same(lambda x: ours.fractional_matrix_power(x, 0.3), lambda x: theirs.fractional_matrix_power(x, 0.3), positive)
    same(lambda x: ours.fractional_matrix_power(x, 2), lambda x: theirs.fractional_matrix_power(x, 2), positive)


def test_frechet_derivative_of_expm_is_scipys():
    a, e = normal(G, (4, 4)), normal(G, (4, 4))
    _, tangent = wg.jvp(ours.expm, (a,), (e,))
    np.testing.assert_allclose(tangent, theirs.expm_frechet(a, e)[1], rtol=1e-12)


def test_factorizations(kind):
    a, b, positive = matrices(kind)
    both(ours.polar, theirs.polar, normal(G, (4, 3), KINDS[kind]))
    same(lambda x: ours.polar(x, "left"), lambda x: theirs.polar(x, "left"), a)
    for mode in ("full", "economic", "r"):
        same(lambda x, m=mode: ours.qr(x, mode=m), lambda x, m=mode: theirs.qr(x, mode=m), b)
    same(ours.svdvals, theirs.svdvals, b)
    same(lambda x: ours.svd(x, full_matrices=False), lambda x: theirs.svd(x, full_matrices=False), b)
    same(ours.pinv, theirs.pinv, b)
    same(ours.norm, theirs.norm, b)
    same(ours.eig, theirs.eig, a)
    same(ours.eigvals, theirs.eigvals, a)
    same(lambda x: ours.lstsq(x, positive)[0], lambda x: theirs.lstsq(x, positive)[0], a)
    for right in (b, b[:, 0]):
        tall = normal(G, (3, 2), KINDS[kind])
        same(lambda x, b: ours.lstsq(x, b), lambda x, b: theirs.lstsq(x, b), tall, right)


def test_generalized_eigenvalues(kind):
    _a, _, positive = matrices(kind)
    other = positive @ positive
    both(
        lambda a, b: ours.eigh(a, b, eigvals_only=True),
        lambda a, b: theirs.eigh(a, b, eigvals_only=True),
        positive,
        other,
    )
    both(lambda a, b: np.abs(ours.eigh(a, b)[1]), lambda a, b: np.abs(theirs.eigh(a, b)[1]), positive, other)
    both(
        lambda a: ours.eigvalsh(a, subset_by_index=[1, 2]),
        lambda a: theirs.eigvalsh(a, subset_by_index=[1, 2]),
        positive,
    )


def test_matrices_of_a_given_form(kind):
    a, b, _ = matrices(kind)
    both(ours.block_diag, theirs.block_diag, a, b, second=False)
    both(ours.toeplitz, theirs.toeplitz, a[0], a[1], second=False)
    both(ours.circulant, theirs.circulant, a[0], second=False)
    both(ours.hankel, theirs.hankel, a[0], a[1], second=False)
    both(ours.companion, theirs.companion, a[0], second=False)
    both(ours.khatri_rao, theirs.khatri_rao, b, b, second=False)
    assert ours.bandwidth(wg.Tensor(np.triu(a.real))) == (0, 2)


def test_plain_arrays_run_scipys_own():
    a = matrices("real")[0]
    np.testing.assert_array_equal(ours.expm(a), theirs.expm(a))
    assert ours.hadamard is theirs.hadamard


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: ours.solve_triangular(x, x, trans=7), ArgumentError, "trans is 0, 1, 2"),
        (lambda x: ours.solve_banded((1, 1), x, x), ValueError, "invalid values for the number"),
        (lambda x: ours.expm(x[:1]), ShapeError, "expm: the last two axes"),
        (lambda x: ours.solve_sylvester(x, x, x[:1]), ShapeError, "solve_sylvester: shapes"),
        (lambda x: ours.qr(x, pivoting=True), UnsupportedFunction, "pivoting=True has no derivative rule"),
        (lambda x: ours.qr(x, mode="raw"), UnsupportedFunction, "mode='raw' has no derivative rule"),
        (lambda x: ours.pinv(x, atol=0.1), UnsupportedFunction, "atol has no derivative rule"),
        (lambda x: ours.eigh(x, type=2), UnsupportedFunction, "type other than 1"),
        (lambda x: ours.eig(x, left=True), UnsupportedFunction, "left=True, has no derivative rule"),
    ],
)
def test_refusals(call, error, message):
    with pytest.raises(error, match=message):
        call(wg.Tensor(np.eye(2)))


def test_settings_go_by_scipys_own_signature():
    """They were swallowed: a misspelt one, and one that is given by its place."""
    a, b, positive = matrices("real")
    with pytest.raises(TypeError, match="unexpected keyword argument 'transpose'"):
        wg.grad(lambda a: np.sum(ours.solve(a, b, transpose=True)))(a)
    half = np.triu(positive)
    found = wg.vjp(lambda a: ours.solve(a, b, False, False, False, True, "pos"), half)[0]
    np.testing.assert_allclose(found, theirs.solve(half, b, False, False, False, True, "pos"))
    with pytest.raises(UnsupportedFunction, match="homogeneous_eigvals=True has no derivative rule"):
        wg.jacobian(lambda a: ours.eigvals(a, homogeneous_eigvals=True))(a)
