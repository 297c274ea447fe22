"""scipy.special with tensors: no change of imports, precision, complex numbers, several results, refusals, faces."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import scipy.special as sp
from laws import check

import wengert as wg
import wengert.scipy.special as ours
from wengert.errors import TraceLost, UnsupportedFunction
from wengert.primitives.pointwise import UFUNCS
from wengert.primitives.special import SEVERAL

X = np.array([0.3, 0.8, 1.7])


def test_plain_imports_work_and_scipy_is_not_loaded_before_it_is_used():
    script = (
        "import sys, numpy as np, wengert as wg\n"
        "assert 'scipy' not in sys.modules\n"
        "from scipy.special import erf\n"
        "print(wg.grad(lambda x: np.sum(erf(x)))(np.zeros(1)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[1.12837917]", done.stderr


def test_how_many_ufuncs_have_rules():
    public = {u for u in (*UFUNCS, *SEVERAL) if getattr(sp, u.__name__, None) is u}
    assert len(public) >= 150


def test_single_precision_stays():
    x = X.astype(np.float32)
    for function in (sp.erf, sp.gammaln, sp.expit, sp.j0, sp.ndtr, sp.ellipk, lambda x: sp.jv(2, x)):
        value, gradient = wg.value_and_grad(lambda x, f=function: np.sum(f(x * np.float32(0.5))))(x)
        assert value.dtype == gradient.dtype == np.float32


def test_out_where_and_outer():
    y = np.zeros_like(wg.Tensor(X))
    sp.erf(wg.Tensor(X), out=y)
    np.testing.assert_array_equal(y.numpy(), sp.erf(X))
    table = wg.jacobian(lambda x: sp.xlogy.outer(x, x))(X)
    assert table.shape == (3, 3, 3)


@pytest.mark.parametrize(
    "function",
    [sp.erf, sp.erfc, sp.erfcx, sp.wofz, sp.dawsn, sp.gamma, sp.loggamma, sp.digamma, sp.rgamma, sp.exp1, sp.expi]
    + [sp.spence, sp.log1p, sp.expm1, lambda z: sp.jv(1.5, z), lambda z: sp.iv(0.5, z), lambda z: sp.kv(2, z)]
    + [lambda z: sp.hankel1(1, z), lambda z: sp.hyp2f1(0.5, 1, 2, z), lambda z: sp.airy(z)[0], lambda z: sp.xlogy(z, z)]
    + [lambda z: sp.lambertw(z), sp.wrightomega],
)
def test_complex_arguments(function):
    z = np.array([0.4 + 0.3j, 0.7 - 0.2j])
    check(function, z, tolerance=1e-6, second=False)
    slope = wg.grad(lambda z: np.real(np.sum(function(z))))(z)
    h = 1e-5
    derivative = (function(z + h) - function(z - h)) / (2 * h)
    np.testing.assert_allclose(slope, np.conj(derivative), rtol=1e-8)


@pytest.mark.parametrize(
    "function",
    [
        sp.airy,
        sp.airye,
        sp.sici,
        sp.shichi,
        sp.fresnel,
        sp.itj0y0,
        sp.iti0k0,
        lambda x: sp.ellipj(x, 0.3),
        lambda m: sp.ellipj(0.7, m / 3),
    ],
)
def test_several_results(function):
    check(lambda x: tuple(function(x)), X, tolerance=1e-6)


def test_poles_zeros_and_masks():
    masked = wg.grad(lambda x: np.sum(np.where(x > 0, sp.sici(x)[1], 0)))(np.array([0.0, 1.0]))
    np.testing.assert_allclose(masked, [0, np.cos(1)])
    assert wg.grad(sp.rgamma)(0.0) == 1
    assert wg.grad(sp.rgamma)(-3.0) == pytest.approx(-6)
    assert wg.grad(wg.grad(sp.rgamma))(0.0) == pytest.approx(2 * np.euler_gamma)
    masked = wg.grad(lambda x: np.sum(np.where(x > 0, sp.gammaln(np.where(x > 0, x, 1)), 0)))(np.array([-1.0, 0, 2]))
    np.testing.assert_allclose(masked, [0, 0, sp.digamma(2)])
    masked = wg.grad(lambda x: np.sum(np.where(x > 0, sp.entr(x), 0)))(np.array([0.0, 1.0]))
    np.testing.assert_allclose(masked, [0, -1])
    assert wg.grad(lambda y: sp.xlogy(0.0, y))(0.0) == 0
    assert wg.grad(lambda x: sp.lambertw(x).real)(0.0) == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: sp.gammainc(x, 1.0), "scipy.special.gammainc: the derivative by a shape parameter has no rule"),
        (lambda x: sp.gammainccinv(x, 0.5), "scipy.special.gammainccinv: the derivative by a shape parameter"),
        (lambda x: sp.betainc(x, 1.0, 0.5), "scipy.special.betainc: the derivative by a shape parameter"),
        (lambda x: sp.betaincinv(1.0, x, 0.5), "scipy.special.betaincinv: the derivative by a shape parameter"),
        (lambda x: sp.stdtr(x, 1.0), "scipy.special.stdtr: the derivative by the degrees of freedom"),
        (lambda x: sp.fdtri(x, 2.0, 0.5), "scipy.special.fdtri: the derivative by the degrees of freedom"),
        (lambda x: sp.gdtr(1.0, x, 2.0), "scipy.special.gdtr: the derivative by a shape parameter"),
        (lambda x: sp.nbdtr(1, x, 0.5), "scipy.special.nbdtr: the derivative by the number of successes"),
        (lambda x: sp.jv(x, 1.0), "scipy.special.jv: the derivative by the order has no rule"),
        (lambda x: sp.expn(x, 1.0), "scipy.special.expn: the derivative by the order"),
        (lambda x: sp.hyp2f1(x, 1.0, 2.0, 0.5), "scipy.special.hyp2f1: the derivative by a parameter"),
        (lambda x: sp.eval_legendre(x, 0.5), "scipy.special.eval_legendre: the derivative by the degree"),
        (lambda x: sp.zeta(x), "scipy.special.zeta: the derivative by its first argument"),
        (lambda x: sp.smirnov(x, 0.5), "scipy.special.smirnov: the derivative by the number of samples"),
        (lambda x: np.real(sp.ive(1.0, x + 0j)), "scipy.special.ive: the derivative by a complex argument"),
        (lambda x: np.real(sp.airye(x + 0j)[0]), "scipy.special.airye: the derivative by a complex argument"),
        (lambda x: sp.mathieu_a(1, x), "mathieu_a has no derivative rule"),
    ],
)
def test_what_has_no_rule_raises_by_name(call, message):
    with pytest.raises(UnsupportedFunction, match=message):
        wg.grad(lambda x: call(x))(2.0)


def test_arguments_without_a_rule_may_be_plain():
    assert np.isfinite(wg.grad(lambda x: sp.gammainc(2.0, x))(1.0))
    assert np.isfinite(wg.grad(lambda x: sp.jv(np.array(2), x))(1.0))


# ---------------------------------------------------------------- what is no ufunc


FACES = {
    "logsumexp": (ours.logsumexp, sp.logsumexp),
    "logsumexp_axis": (lambda x: ours.logsumexp(x, axis=0, keepdims=True), lambda x: sp.logsumexp(x, 0, keepdims=True)),
    "logsumexp_b": (lambda x: ours.logsumexp(x, axis=1, b=x**2), lambda x: sp.logsumexp(x, axis=1, b=x**2)),
    "logsumexp_sign": (
        lambda x: ours.logsumexp(x, b=np.sign(x - 1), return_sign=True),
        lambda x: sp.logsumexp(x, b=np.sign(x - 1), return_sign=True),
    ),
    "softmax": (lambda x: ours.softmax(x, axis=-1), lambda x: sp.softmax(x, axis=-1)),
    "log_softmax": (lambda x: ours.log_softmax(x, axis=0), lambda x: sp.log_softmax(x, axis=0)),
    "polygamma": (lambda x: ours.polygamma(2, x), lambda x: sp.polygamma(2, x)),
    "polygamma_orders": (
        lambda x: ours.polygamma(np.array([0, 1, 3]), x),
        lambda x: sp.polygamma(np.array([0, 1, 3]), x),
    ),
    "zeta": (lambda x: ours.zeta(3.0, x), lambda x: sp.zeta(3.0, x)),
    "multigammaln": (lambda x: ours.multigammaln(x + 2, 3), lambda x: sp.multigammaln(x + 2, 3)),
    "spherical_jn": (lambda x: ours.spherical_jn(2, x - 1), lambda x: sp.spherical_jn(2, x - 1)),
    "spherical_yn": (lambda x: ours.spherical_yn(1, x), lambda x: sp.spherical_yn(1, x)),
    "spherical_in": (lambda x: ours.spherical_in(1, x - 1), lambda x: sp.spherical_in(1, x - 1)),
    "spherical_kn": (lambda x: ours.spherical_kn(2, x), lambda x: sp.spherical_kn(2, x)),
    "spherical_jn_derivative": (lambda x: ours.spherical_jn(2, x, True), lambda x: sp.spherical_jn(2, x, True)),
    "factorial": (ours.factorial, sp.factorial),
    "comb": (lambda x: ours.comb(x + 3, 1.5), lambda x: sp.comb(x + 3, 1.5)),
    "comb_repetition": (
        lambda x: ours.comb(x + 3, 2, repetition=True),
        lambda x: sp.comb(x + 3, 2, repetition=True),
    ),
    "perm": (lambda x: ours.perm(x + 3, 1.5), lambda x: sp.perm(x + 3, 1.5)),
}
A = np.array([[0.3, 0.8, 1.7], [1.2, 0.4, 2.1]])


@pytest.mark.parametrize("name", FACES)
def test_faces(name):
    mine, theirs = FACES[name]
    found, expected = mine(wg.Tensor(A)), theirs(A)
    for a, b in zip(found, expected, strict=True) if isinstance(expected, tuple) else [(found, expected)]:
        np.testing.assert_allclose(np.asarray(a), b, rtol=1e-13)
    check(mine, A, tolerance=1e-6)


def test_faces_of_plain_arrays_are_scipys():
    for name in ("logsumexp", "softmax", "polygamma", "spherical_jn"):
        args = (A,) if name.endswith(("exp", "max")) else (1, A)
        np.testing.assert_array_equal(getattr(ours, name)(*args), getattr(sp, name)(*args))
    assert ours.erf is sp.erf


def test_logsumexp_of_infinities():
    gradient = wg.grad(ours.logsumexp)
    np.testing.assert_allclose(gradient(np.array([-np.inf, -np.inf])), [0.5, 0.5])
    np.testing.assert_allclose(gradient(np.array([-np.inf, 0.0])), [0, 1])
    np.testing.assert_allclose(gradient(np.array([np.inf, 0.0])), [1, 0])
    np.testing.assert_allclose(gradient(np.array([1000.0, 1000.0])), [0.5, 0.5])
    z = np.array([0.3 + 1j, -0.2 + 0.5j])
    np.testing.assert_allclose(ours.logsumexp(wg.Tensor(z)).numpy(), sp.logsumexp(z))


def test_complex_polygamma():
    z = np.array([2.0 + 1j, 0.4 - 3j, -1.5 + 0.5j])
    check(lambda z: sp.digamma(z), z, tolerance=1e-6)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: ours.polygamma(x, 1.0), UnsupportedFunction, "polygamma: the derivative by the order"),
        (lambda x: ours.polygamma(-1, x), ValueError, "n must be a non-negative integer"),
        (lambda x: ours.factorial(x, exact=True), UnsupportedFunction, "factorial: exact=True has no derivative rule"),
        (lambda x: ours.comb(x, 2, exact=True), UnsupportedFunction, "comb: exact=True"),
        (lambda x: ours.perm(x, 2, exact=True), UnsupportedFunction, "perm: exact=True"),
        (lambda x: ours.multigammaln(x, 9), ValueError, "not met"),
    ],
)
def test_bad_arguments_of_faces(call, error, message):
    with pytest.raises(error, match=message):
        wg.grad(lambda x: call(x))(2.0)


@pytest.mark.parametrize("name", ["polygamma", "logsumexp", "softmax"])
def test_scipys_own_says_what_to_use(name):
    args = (1,) if name == "polygamma" else ()
    with pytest.raises(TraceLost, match=f"wengert.scipy.special.{name} instead of scipy.special.{name}"):
        wg.grad(lambda x: np.sum(getattr(sp, name)(*args, x)))(X)


def test_softmax_of_complex_numbers_pulls_back_by_the_conjugate():
    z = np.array([1 + 2j, -0.5 + 0.1j, 0.3j])
    s, pull = wg.vjp(ours.softmax, z)
    jacobian = np.diag(s) - np.outer(s, s)
    cotangent = np.array([1, 2, 3j])
    np.testing.assert_allclose(pull(cotangent)[0], jacobian.conj().T @ cotangent, rtol=1e-14)
