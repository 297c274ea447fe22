"""Differences where nothing else is possible: how right they are, and that they say so."""

import pickle

import mpmath
import numpy as np
import pytest
import scipy.special

import wengert as wg

mpmath.mp.dps = 50

# Functions of one number with no rule asked for: as if they came from compiled code.
SMOOTH = {
    "exp": (np.exp, mpmath.exp, 0.7),
    "log": (np.log, mpmath.log, 2.3),
    "sin": (np.sin, mpmath.sin, 1.1),
    "cos": (np.cos, mpmath.cos, 0.4),
    "tan": (np.tan, mpmath.tan, 0.6),
    "sinh": (np.sinh, mpmath.sinh, 1.3),
    "cosh": (np.cosh, mpmath.cosh, -0.8),
    "tanh": (np.tanh, mpmath.tanh, 0.5),
    "arcsin": (np.arcsin, mpmath.asin, 0.3),
    "arccos": (np.arccos, mpmath.acos, -0.2),
    "arctan": (np.arctan, mpmath.atan, 2.0),
    "arcsinh": (np.arcsinh, mpmath.asinh, 0.9),
    "arccosh": (np.arccosh, mpmath.acosh, 2.5),
    "arctanh": (np.arctanh, mpmath.atanh, 0.35),
    "sqrt": (np.sqrt, mpmath.sqrt, 3.0),
    "cbrt": (np.cbrt, mpmath.cbrt, 5.0),
    "expm1": (np.expm1, mpmath.expm1, 0.2),
    "log1p": (np.log1p, mpmath.log1p, 0.8),
    "log2": (np.log2, lambda x: mpmath.log(x, 2), 0.6),
    "log10": (np.log10, mpmath.log10, 7.0),
    "exp2": (np.exp2, lambda x: mpmath.mpf(2) ** x, 1.6),
    "erf": (scipy.special.erf, mpmath.erf, 0.4),
    "erfc": (scipy.special.erfc, mpmath.erfc, 0.9),
    "gamma": (scipy.special.gamma, mpmath.gamma, 2.6),
    "gammaln": (scipy.special.gammaln, mpmath.loggamma, 3.4),
    "digamma": (scipy.special.digamma, mpmath.digamma, 1.9),
    "j0": (scipy.special.j0, lambda x: mpmath.besselj(0, x), 1.2),
    "j1": (scipy.special.j1, lambda x: mpmath.besselj(1, x), 0.7),
    "expit": (scipy.special.expit, lambda x: 1 / (1 + mpmath.exp(-x)), 0.3),
    "sinc": (np.sinc, lambda x: mpmath.sin(mpmath.pi * x) / (mpmath.pi * x), 0.45),
    "reciprocal": (np.reciprocal, lambda x: 1 / x, 1.7),
    "polynomial": (lambda x: x**5 - 3 * x**2 + x, lambda x: x**5 - 3 * x**2 + x, 1.4),
}


def test_14_there_are_thirty():
    assert len(SMOOTH) >= 30


@pytest.mark.parametrize("name", SMOOTH)
def test_14_exact_derivatives_have_thirteen_digits(name):
    function, reference, x = SMOOTH[name]
    expected = float(mpmath.diff(reference, mpmath.mpf(x)))
    np.testing.assert_allclose(wg.grad(function)(x), expected, rtol=1e-13)


@pytest.mark.parametrize("name", SMOOTH)
def test_14_the_estimated_error_of_a_difference_bounds_the_true_one(name):
    function, reference, x = SMOOTH[name]
    leaf = wg.opaque(lambda v: np.asarray(function(np.asarray(v))))
    expected = float(mpmath.diff(reference, mpmath.mpf(x)))
    found = wg.grad(lambda v: leaf(v))(x)
    (estimate,) = leaf.errors(x)
    assert abs(found - expected) <= estimate
    assert estimate < 1e-7 * max(1, abs(expected))


def black_box(x, y):
    return np.array([float(x[0]) * float(x[1]), float(x[1]) ** 2 + float(y)])


LEAF = wg.opaque(black_box, like=lambda x, y: np.empty(2))


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_14_inside_other_code_in_both_modes(mode):
    x, y = np.array([0.5, -2.0]), np.array(3.0)
    J = wg.jacobian(lambda x, y: np.sin(LEAF(x, 2 * y)) * x, (0, 1), mode=mode)(x, y)
    expected = wg.jacobian(
        lambda x, y: np.sin(np.stack([x[0] * x[1], x[1] ** 2 + 2 * y])) * x, (0, 1), mode=mode
    )(x, y)
    np.testing.assert_allclose(J[0], expected[0], rtol=1e-9)
    np.testing.assert_allclose(J[1], expected[1], rtol=1e-9)


def test_14_over_samples():
    x = np.array([[0.5, -2.0], [1.0, 3.0]])
    found = wg.vmap(wg.jacobian(lambda x: LEAF(x, 1.0)))(x)
    np.testing.assert_allclose(found, [[[-2, 0.5], [0, -4]], [[3, 1], [0, 6]]], rtol=1e-9, atol=1e-9)


def test_14_it_is_marked_and_refuses_what_would_have_no_digits():
    listing = wg.debug.listing(lambda x: np.sum(LEAF(x, 1.0) ** 2), np.array([0.5, -2.0]))
    assert [op.name for op in listing.operations] == ["input", "custom", "power", "sum"]
    with pytest.raises(wg.errors.MissingRule, match="second derivative of an opaque function"):
        wg.hessian(lambda x: np.sum(LEAF(x, 1.0) ** 2))(np.array([0.5, -2.0]))
    with pytest.raises(wg.errors.StructureError, match="the argument is the function, not ndarray"):
        wg.opaque(np.ones(3))


def test_14_it_pickles():
    leaf = pickle.loads(pickle.dumps(wg.opaque(black_box)))
    np.testing.assert_array_equal(leaf(np.array([2.0, 3.0]), 1.0), [6, 10])
