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
from wengert.errors import TraceLost

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


def test_scipys_own_root_finder_in_c_names_the_face():
    """Compiled code of SciPy's goes on after the error; what it then raises used to hide what to do."""
    with pytest.raises(TraceLost, match=r"wengert\.scipy\.optimize\.brentq instead of scipy\.optimize\.brentq"):
        wg.grad(lambda p: scipy.optimize.brentq(lambda x: cubic(x, p), 0.0, 2.0))(P)


def test_the_faces_pickle():
    for face in (optimize.root, optimize.brentq, integrate.solve_ivp):
        assert pickle.loads(pickle.dumps(face)) is face
