"""Solvers called inside a derivative under SciPy's own names: the solution carries the derivative."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize

import wengert as wg
import wengert.scipy.integrate as integrate
import wengert.scipy.optimize as optimize
from wengert.errors import TraceLost, UnsupportedFunction

P = np.array([0.7, 1.2])


def cubic(x, p):
    return x**3 + p[0] * x - p[1]


SOLVERS = {
    "root": lambda o, p: o.root(lambda x: x**3 + p * x - 1.0, np.ones(2)).x,
    "root_args": lambda o, p: o.root(lambda x, q: x**3 + q * x - 1.0, np.ones(2), args=(p,)).x,
    "minimize": lambda o, p: o.minimize(lambda x: np.sum(x**4 + x**2 - p * x), np.ones(2), method="BFGS", tol=1e-10).x,
    "least_squares": lambda o, p: o.least_squares(lambda x: x**3 + p * x - 1.0, np.ones(2), xtol=1e-14).x,
    "fsolve": lambda o, p: o.fsolve(cubic, np.ones(1), args=(p,)),
    "newton": lambda o, p: o.newton(lambda x: cubic(x, p), 1.0),
    **{
        name: lambda o, p, name=name: getattr(o, name)(lambda x: cubic(x, p), 0.0, 2.0)
        for name in ("brentq", "brenth", "bisect", "ridder", "toms748")
    },
}


@pytest.mark.parametrize("name", SOLVERS)
def test_the_solution_carries_the_derivative(name):
    solve = SOLVERS[name]
    h = 1e-5
    differences = [
        (np.asarray(solve(optimize, P + h * e)) - np.asarray(solve(optimize, P - h * e))) / (2 * h)
        for e in np.eye(2)
    ]
    found = wg.jacobian(lambda p: solve(optimize, p))(P)
    np.testing.assert_allclose(found, np.stack(differences, -1), atol=1e-4)
    np.testing.assert_allclose(solve(optimize, P), solve(scipy.optimize, P), atol=1e-4)


def test_a_tape_sees_through_a_solver():
    p = wg.Variable(P)
    with wg.GradientTape() as tape:
        x = optimize.brentq(lambda x: cubic(x, p), 0.0, 2.0)
    slope = 3 * float(x) ** 2 + P[0]
    np.testing.assert_allclose(tape.gradient(x, p), np.array([-float(x), 1.0]) / slope)


def test_second_derivative_through_a_solver():
    def both(p):
        return optimize.brentq(lambda x: cubic(x, p), 0.0, 2.0)

    h = 1e-5
    gradient = wg.grad(both)
    differences = np.stack([(gradient(P + h * e) - gradient(P - h * e)) / (2 * h) for e in np.eye(2)])
    np.testing.assert_allclose(wg.hessian(both)(P), differences, atol=1e-6)


def test_a_differential_equation():
    def end(p, face):
        found = face.solve_ivp(lambda t, y: [p[0] * y[1], -p[1] * y[0]], (0, 1), [1.0, 0.0], rtol=1e-9, atol=1e-9)
        return found.y[:, -1]

    h = 1e-4
    differences = [
        (end(P + h * e, scipy.integrate) - end(P - h * e, scipy.integrate)) / (2 * h) for e in np.eye(2)
    ]
    np.testing.assert_allclose(wg.jacobian(lambda p: end(p, integrate))(P), np.stack(differences, -1), atol=1e-6)


def test_a_problem_that_reads_nothing_tracked_is_solved_as_ever():
    def scaled(p):
        return p[0] * optimize.brentq(lambda x: x - 1 if x > 0.2 else 2 * (x - 1), 0.0, 3.0)  # branches on a value

    np.testing.assert_allclose(wg.grad(scaled)(P), [1.0, 0.0])


def test_compiled_code_that_goes_on_after_the_error_does_not_hide_it():
    """SciPy's root finders in C do; Python then says SystemError of the next thing that is called."""

    def solver(p):
        try:
            return float(p[0])
        except TraceLost as lost:
            raise SystemError("<class 'type'> returned a result with an exception set") from lost

    with pytest.raises(TraceLost, match=r"float\(\) on a tracked tensor"):
        wg.grad(solver)(P)


def test_the_faces_pickle():
    for face in (optimize.root, optimize.brentq, integrate.solve_ivp):
        assert pickle.loads(pickle.dumps(face)) is face


# ---------------------------------------------------------------- integrals


def oscillation(t, p):
    return np.exp(-p[0] * t) * np.cos(p[1] * t)


def by_differences(f, x, h=1e-5):
    return np.stack([(np.asarray(f(x + h * e)) - np.asarray(f(x - h * e))) / (2 * h) for e in np.eye(len(x))], -1)


@pytest.mark.parametrize(
    "integral",
    [
        lambda face, p: face.quad(lambda t: oscillation(t, p), 0, 2)[0],
        lambda face, p: face.quad(lambda t: oscillation(t, p), p[0], p[1])[0],
        lambda face, p: face.quad(lambda t, *q: oscillation(t, q), 0, np.inf, args=(p[0], p[1]))[0],
        lambda face, p: face.quad_vec(lambda t: np.cos(p * t), 0, p[0])[0],
    ],
)
def test_an_integral_carries_its_derivative(integral):
    f = lambda p: integral(integrate, p)
    expected = by_differences(lambda p: integral(scipy.integrate, p), P)
    np.testing.assert_allclose(f(P), integral(scipy.integrate, P), rtol=1e-12)
    np.testing.assert_allclose(wg.jacrev(f)(P), expected, atol=1e-6)
    np.testing.assert_allclose(wg.jacfwd(f)(P), expected, atol=1e-6)
    total = lambda p: np.sum(f(p))
    np.testing.assert_allclose(wg.hessian(total)(P), by_differences(wg.grad(total), P), atol=1e-6)


def test_an_integral_in_a_batch():
    found = wg.vmap(lambda p: integrate.quad(lambda t: p * t, 0, 1)[0])(P)
    np.testing.assert_allclose(found, P / 2)


def test_what_an_integral_refuses():
    with pytest.raises(UnsupportedFunction, match="an integrand that branches on values"):
        wg.grad(lambda p: integrate.quad(lambda t: p[0] * t if t < 0.5 else p[1], 0, 1)[0])(P)
    with pytest.raises(UnsupportedFunction, match="weight='cos'"):
        wg.grad(lambda p: integrate.quad(lambda t: p[0] * t, 0, 1, weight="cos", wvar=1.0)[0])(P)
    with pytest.raises(UnsupportedFunction, match="full_output"):
        wg.grad(lambda p: integrate.quad(lambda t: p[0] * t, 0, 1, full_output=1)[0])(P)
