"""wengert.scipy.interpolate and the quadrature rules of wengert.scipy.integrate against SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.integrate
import scipy.interpolate as theirs
from faces import both, same
from laws import check, normal

import wengert as wg
import wengert.scipy.integrate as quadrature
import wengert.scipy.interpolate as ours
from wengert.errors import ArgumentError, ShapeError, UnsupportedFunction

G = np.random.default_rng(3)
X = np.array([0.0, 0.7, 1.5, 2.2, 3.1, 4.0])
ONE, TWO = normal(G, (6,)), normal(G, (6, 2))
AT, SQUARE = np.array([0.3, 1.2, 2.9, 3.5]), np.array([[0.3, 1.2], [2.9, -0.5]])


@pytest.mark.parametrize("n", [2, 3, 4, 6])
@pytest.mark.parametrize("bc", ["not-a-knot", "natural", "clamped", "values"])
def test_cubic_spline(bc, n):
    for y in (ONE, TWO):
        bc_type = ((1, 0.3 + 0 * y[0]), (2, 0.4 + 0 * y[0])) if bc == "values" else bc
        both(
            lambda x, y, at, b=bc_type: ours.CubicSpline(x, y, bc_type=b)(at),
            lambda x, y, at, b=bc_type: theirs.CubicSpline(x, y, bc_type=b)(at),
            X[:n],
            y[:n],
            AT,
            second=n == 6 and y.ndim == 1,
            tolerance=1e-6,
        )


@pytest.mark.parametrize("n", [3, 4, 5, 6])
def test_periodic_cubic_spline(n):
    y = np.concatenate([TWO[: n - 1], TWO[:1]])
    same(
        lambda x, y: ours.CubicSpline(x, y, bc_type="periodic")(3 * SQUARE),
        lambda x, y: theirs.CubicSpline(x, y, bc_type="periodic")(3 * SQUARE),
        X[:n],
        y,
    )
    check(
        lambda x, y: ours.CubicSpline(x, np.concatenate([y, y[:1]]), bc_type="periodic")(AT),
        X[:n],
        TWO[: n - 1],
        second=False,
        tolerance=1e-6,
    )


def test_derivatives_integrals_and_axes_of_a_spline():
    for call in (
        lambda m, y: m.CubicSpline(X, y)(SQUARE, 2),
        lambda m, y: m.CubicSpline(X, y).derivative()(SQUARE),
        lambda m, y: m.CubicSpline(X, y).derivative(5)(SQUARE),
        lambda m, y: m.CubicSpline(X, y).antiderivative(2)(SQUARE),
        lambda m, y: m.CubicSpline(X, y).integrate(0.2, 3.3),
        lambda m, y: m.CubicSpline(X, y, extrapolate=False)(SQUARE),
        lambda m, y: m.CubicSpline(X, np.stack([y, y + 1]), axis=1)(SQUARE),
    ):
        same(lambda y, c=call: c(ours, y), lambda y, c=call: c(theirs, y), ONE)
        same(lambda y, c=call: c(ours, y), lambda y, c=call: c(theirs, y), TWO)


@pytest.mark.parametrize("method", ["pchip", "akima", "makima", "hermite"])
def test_other_cubics(method):
    def make(module, x, y):
        if method == "pchip":
            return module.PchipInterpolator(x, y)
        if method == "hermite":
            return module.CubicHermiteSpline(x, y, 2 * y)
        return module.Akima1DInterpolator(x, y, method=method)

    for y in (ONE, TWO):
        both(lambda x, y, at: make(ours, x, y)(at), lambda x, y, at: make(theirs, x, y)(at), X, y, AT, tolerance=1e-6)
        same(lambda y: make(ours, X[:2], y)(AT), lambda y: make(theirs, X[:2], y)(AT), y[:2])


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_make_interp_spline(k):
    for y in (ONE, TWO):
        both(
            lambda y, at: ours.make_interp_spline(X, y, k)(at),
            lambda y, at: theirs.make_interp_spline(X, y, k)(at),
            y,
            AT,
            second=y.ndim == 1,
        )
    same(
        lambda y: ours.make_interp_spline(X, y, k)(SQUARE, 1),
        lambda y: theirs.make_interp_spline(X, y, k)(SQUARE, 1),
        ONE,
    )


@pytest.mark.parametrize("bc", ["natural", "clamped", ([(2, 0.0)], [(1, 0.3)]), (None, None)])
def test_ends_of_make_interp_spline(bc):
    both(
        lambda y, at: ours.make_interp_spline(X, y, 3, bc_type=bc)(at),
        lambda y, at: theirs.make_interp_spline(X, y, 3, bc_type=bc)(at),
        ONE,
        AT,
        second=False,
    )


@pytest.mark.parametrize(
    "kind", ["linear", "nearest", "nearest-up", "previous", "next", "zero", "slinear", "quadratic", "cubic", 3]
)
def test_interp1d(kind):
    for y in (ONE, TWO):
        both(
            lambda y, at: ours.interp1d(X, y, kind, axis=0)(at),
            lambda y, at: theirs.interp1d(X, y, kind, axis=0)(at),
            y,
            AT,
            second=False,
        )
        check(ours.interp1d(X, y, kind, axis=0), AT, second=False)


def test_interp1d_outside_of_its_range():
    for options in (
        {"bounds_error": False, "fill_value": 7.0},
        {"bounds_error": False, "fill_value": (1.0, 2.0)},
        {"fill_value": "extrapolate"},
        {"bounds_error": False},
    ):
        same(
            lambda y, o=options: ours.interp1d(X[::-1], y, **o)(3 * SQUARE),
            lambda y, o=options: theirs.interp1d(X[::-1], y, **o)(3 * SQUARE),
            ONE,
        )
    with pytest.raises(ArgumentError, match=r"outside of the interpolation range \[0\.0, 4\.0\]"):
        ours.interp1d(X, wg.Tensor(ONE))(9.0)


def test_curves_of_plain_data_at_tensors():
    for make in (
        lambda m: m.CubicSpline(X, ONE),
        lambda m: m.PchipInterpolator(X, ONE),
        lambda m: m.Akima1DInterpolator(X, ONE),
        lambda m: m.CubicHermiteSpline(X, ONE, ONE),
        lambda m: m.make_interp_spline(X, ONE),
        lambda m: m.BSpline(np.arange(8.0), np.arange(4.0), 3),
    ):
        curve = make(ours)
        check(curve, AT + 3 * (type(make(theirs)) is theirs.BSpline and len(curve.t) == 8) * 0.9)
        np.testing.assert_array_equal(curve(AT), make(theirs)(AT))
        assert curve.c.shape == make(theirs).c.shape


def test_grid():
    values = normal(G, (6, 4, 3))
    grid, at = (X, np.arange(4.0), np.array([0, 1.0, 3])), np.array([[0.3, 1.2, 2.5], [2.5, 2.9, 0.1]])
    for method in ("linear", "nearest"):
        both(
            lambda v, p, m=method: ours.RegularGridInterpolator(grid, v, method=m)(p),
            lambda v, p, m=method: theirs.RegularGridInterpolator(grid, v, method=m)(p),
            values,
            at,
            second=False,
        )
    both(
        lambda v, p: ours.RegularGridInterpolator(grid[:2], v)((p[:, 0], p[:, 1])),
        lambda v, p: theirs.RegularGridInterpolator(grid[:2], v)((p[:, 0], p[:, 1])),
        values,
        at,
        second=False,
    )


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda y: ours.CubicSpline(X[::-1], y), ArgumentError, "strictly increasing"),
        (lambda y: ours.CubicSpline(X[:3], y), ShapeError, "x of shape \\(3,\\) does not fit y"),
        (lambda y: ours.CubicSpline(X[:1], y[:1]), ArgumentError, "at least 2 points are needed, not 1"),
        (lambda y: ours.CubicSpline(X, y, bc_type="x"), ArgumentError, "bc_type='x' is not allowed"),
        (lambda y: ours.CubicSpline(X, y, bc_type=((3, 0.0), (1, 0.0))), ArgumentError, "derivative order must be"),
        (lambda y: ours.CubicSpline(X, y, bc_type="periodic"), ArgumentError, "must be identical"),
        (lambda y: ours.Akima1DInterpolator(X, y, method="x"), ArgumentError, "`method`=x is unsupported"),
        (lambda y: ours.PPoly(y, X), ShapeError, "does not fit breakpoints"),
        (lambda y: ours.BSpline(X, y, 3), ShapeError, "do not fit degree 3"),
        (lambda y: ours.make_interp_spline(X[:4], y), ShapeError, "are incompatible"),
        (lambda y: ours.make_interp_spline(X, y, bc_type="periodic"), UnsupportedFunction, "bc_type='periodic'"),
        (lambda y: ours.interp1d(X[:4], y), ShapeError, "x of shape"),
        (lambda y: ours.interp1d(X, y, kind="x"), UnsupportedFunction, "interp1d: kind='x'"),
        (lambda y: ours.RegularGridInterpolator((X,), y, method="pchip"), UnsupportedFunction, "method='pchip'"),
        (lambda y: ours.RegularGridInterpolator((X[:3],), y), ShapeError, "There are \\(3,\\) points"),
        (lambda y: ours.RegularGridInterpolator((X,), y)([9.0]), ArgumentError, "out of bounds"),
        (lambda y: ours.RegularGridInterpolator((X,), y)([[1.0, 2.0]]), ShapeError, "have dimension 2, not 1"),
    ],
)
def test_bad_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call(wg.Tensor(ONE))


def test_make_interp_spline_by_the_places():
    with pytest.raises(UnsupportedFunction, match="make_interp_spline: the derivative by this argument"):
        wg.grad(lambda x: ours.make_interp_spline(x, ONE)(1.0))(X)


# ---------------------------------------------------------------- quadrature


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6, 7])
def test_quadrature(n):
    y, x = normal(G, (2, n)), np.cumsum(np.abs(normal(G, (n,))) + 0.1)
    both(lambda y, x: quadrature.simpson(y, x=x), lambda y, x: scipy.integrate.simpson(y, x=x), y, x)
    both(lambda y: quadrature.simpson(y, dx=0.3), lambda y: scipy.integrate.simpson(y, dx=0.3), y, second=False)
    both(lambda y: quadrature.simpson(y.T, axis=0), lambda y: scipy.integrate.simpson(y.T, axis=0), y, second=False)
    both(quadrature.trapezoid, scipy.integrate.trapezoid, y, x, second=False)
    both(
        lambda y, x: quadrature.cumulative_trapezoid(y, x, initial=0),
        lambda y, x: scipy.integrate.cumulative_trapezoid(y, x, initial=0),
        y,
        x,
        second=False,
    )


def test_quadrature_with_wrong_places():
    with pytest.raises(ShapeError, match="x of shape \\(3,\\) does not fit y of shape \\(6,\\)"):
        quadrature.simpson(wg.Tensor(ONE), X[:3])
    with pytest.raises(ValueError, match="`initial` must be `None` or `0`"):
        quadrature.cumulative_trapezoid(wg.Tensor(ONE), initial=1)
