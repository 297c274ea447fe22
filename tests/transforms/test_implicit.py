"""Implicit differentiation against explicit solutions and differences: roots, linear systems, fixed points, SciPy."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
from scipy.sparse.linalg import LinearOperator, gmres

import wengert as wg

P = np.array([0.3, 0.7])


def close(a, b, rtol=1e-8, atol=1e-9):
    np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


def differences(f, p, h=1e-5):
    return np.stack([(np.asarray(f(p + h * e)) - np.asarray(f(p - h * e))) / (2 * h) for e in np.eye(len(p))], axis=-1)


# ---------------------------------------------------------------- roots


def square_root(a):
    return wg.custom_root(lambda x: x**2 - a, 1.0, scipy.optimize.newton)


def square_root_with_tangent_solve(a):
    return wg.custom_root(lambda x: x**2 - a, 1.0, scipy.optimize.newton, lambda linear, y: y / linear(1.0))


@pytest.mark.parametrize("root", [square_root, square_root_with_tangent_solve])
def test_the_square_root_of_two(root):
    close(wg.grad(root)(2.0), 0.35355339059)
    for second in (lambda f: wg.grad(wg.grad(f)), lambda f: wg.jacfwd(wg.jacfwd(f)), wg.hessian):
        close(second(root)(2.0), -0.08838834765)
    close(wg.grad(wg.jacfwd(wg.grad(root)))(2.0), 3 / 8 * 2.0**-2.5)


def test_roots_over_samples_and_in_taylor_mode():
    values = np.array([2.0, 3.0, 5.0])
    close(wg.vmap(square_root)(values), np.sqrt(values))
    close(wg.vmap(wg.grad(square_root))(values), 0.5 / np.sqrt(values))
    close(wg.vmap(wg.hessian(square_root))(values), -0.25 * values**-1.5)
    close(wg.derivatives(square_root, 2.0, 4), wg.derivatives(np.sqrt, 2.0, 4))


def system(x, p):
    return np.stack([x[0] ** 2 + x[1] * p[0] - 1, x[1] ** 3 - p[1] * x[0]])


SYSTEMS = {
    "custom_root": lambda p: wg.custom_root(
        lambda x: system(x, p), np.ones(2), lambda f, x0: scipy.optimize.root(f, x0, tol=1e-13).x
    ),
    "structured": lambda p: np.stack(
        list(
            wg.custom_root(
                lambda s: dict(zip("uv", system([s["u"], s["v"]], p))),
                {"u": 1.0, "v": 1.0},
                lambda f, s: dict(zip("uv", scipy.optimize.root(lambda x: system(x, plain(p)), np.ones(2), tol=1e-13).x)),
            ).values()
        )
    ),
    "root, args": lambda p: wg.implicit(scipy.optimize.root)(system, np.ones(2), args=(p,)).x,
    "root, closure": lambda p: wg.implicit(scipy.optimize.root)(lambda x: system(x, p), [1.0, 1.0]).x,
    "fsolve": lambda p: wg.implicit(scipy.optimize.fsolve)(system, np.ones(2), args=(p,), xtol=1e-13),
    "newton": lambda p: np.stack(
        [SYSTEMS["root, args"](p)[0], wg.implicit(scipy.optimize.newton)(lambda y: y - second(p), 0.9)]
    ),
}


def second(p):
    return SYSTEMS["root, args"](p)[1]


def plain(p):
    return p.numpy() if isinstance(p, wg.Tensor) else p


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_of_equations(name):
    f = SYSTEMS[name]
    expected = differences(SYSTEMS["root, args"], P)
    close(wg.jacrev(f)(P), expected, 1e-6)
    close(wg.jacfwd(f)(P), expected, 1e-6)
    reference = SYSTEMS["root, args"]
    close(wg.jacfwd(wg.jacrev(f))(P), differences(wg.jacobian(reference), P), 1e-5)
    close(wg.jacrev(wg.jacfwd(f))(P), wg.jacfwd(wg.jacrev(reference))(P), 1e-6)


@pytest.mark.parametrize("name", ["brentq", "brenth", "bisect", "ridder", "toms748"])
def test_scalar_roots(name):
    solver = getattr(scipy.optimize, name)
    root = lambda a: wg.implicit(solver)(lambda x: np.exp(x) - a, -1.0, 5.0, xtol=1e-13)
    close(wg.grad(root)(2.0), 0.5)
    close(wg.grad(wg.grad(root))(2.0), -0.25)
    close(wg.jacfwd(lambda a: wg.implicit(solver)(lambda x, a: np.exp(x) - a, -1.0, 5.0, args=(a,)))(2.0), 0.5)


def test_without_derivatives_it_is_scipys_result():
    result = wg.implicit(scipy.optimize.root)(system, np.ones(2), args=(P,))
    assert type(result.x) is np.ndarray and result.success
    close(result.x, scipy.optimize.root(system, np.ones(2), args=(P,)).x)
    assert "root" in wg.implicit(scipy.optimize.root).__doc__


# ---------------------------------------------------------------- minima


def objective(x, a):
    return np.sum((x - a) ** 2) + np.sum(x**4) / 10 + x[0] * x[1] * 0.3


def test_a_minimum():
    f = lambda a: wg.implicit(scipy.optimize.minimize)(objective, np.zeros(2), args=(a,)).x
    hessian = wg.hessian(objective)(f(P), P)
    expected = np.linalg.solve(hessian, 2 * np.eye(2))
    close(wg.jacrev(f)(P), expected, 1e-6)
    close(wg.jacfwd(f)(P), expected, 1e-6)
    close(wg.jacobian(wg.jacobian(f))(P), differences(wg.jacobian(f), P, 1e-4), 1e-3, 1e-4)
    close(wg.jacobian(lambda a: wg.implicit(scipy.optimize.minimize)(lambda x: objective(x, a), np.zeros(2)).x)(P), expected, 1e-6)


def test_a_minimum_at_a_bound():
    f = lambda a: wg.implicit(scipy.optimize.minimize)(
        lambda x: np.sum((x - a) ** 2) + x[0] * x[1] * 0.3, np.zeros(2), bounds=[(None, 0.1), (None, None)]
    ).x
    close(f(P)[0], 0.1)
    close(wg.jacrev(f)(P), [[0.0, 0.0], [0.0, 1.0]], 1e-6)
    close(wg.jacfwd(f)(P), [[0.0, 0.0], [0.0, 1.0]], 1e-6)


T = np.linspace(0, 2, 12)
DATA = 2 * np.exp(-0.7 * T) + 0.01 * np.sin(9 * T)


@pytest.mark.parametrize("loss", ["linear", "soft_l1", "huber", "cauchy", "arctan"])
def test_least_squares(loss):
    f = lambda y: wg.implicit(scipy.optimize.least_squares)(
        lambda q: q[0] * np.exp(-q[1] * T) - y, np.array([1.0, 1.0]), loss=loss, f_scale=0.5
    ).x
    close(wg.jacrev(f)(DATA), differences(f, DATA, 1e-3), 1e-3, 1e-5)
    close(wg.jacfwd(f)(DATA), wg.jacrev(f)(DATA))


def test_least_squares_with_bounds_and_arguments():
    f = lambda y: wg.implicit(scipy.optimize.least_squares)(
        lambda q, t: q[0] * np.exp(-q[1] * t) - y, np.array([1.0, 0.4]), bounds=([0, 0], [9, 0.5]), args=(T,)
    ).x
    found = wg.jacrev(f)(DATA)
    assert f(DATA)[1] == pytest.approx(0.5)
    assert not np.any(found[1])
    shape = np.exp(-0.5 * T)
    close(found[0], shape / np.sum(shape**2), 1e-6)


# ---------------------------------------------------------------- linear systems and fixed points

M = np.random.default_rng(0).normal(size=(4, 4)) + 4 * np.eye(4)
B = np.random.default_rng(1).normal(size=4)


def iterative(product, b):
    return gmres(LinearOperator((len(b), len(b)), matvec=product, dtype=float), b, rtol=1e-13)[0]


def test_a_linear_system_given_by_its_product():
    f = lambda m, b: np.sum(wg.custom_linear_solve(lambda x: m @ x, b, iterative, iterative) ** 2)
    g = lambda m, b: np.sum(np.linalg.solve(m, b) ** 2)
    for number in (0, 1):
        close(wg.grad(f, number)(M, B), wg.grad(g, number)(M, B))
        close(wg.jacfwd(f, number)(M, B), wg.grad(g, number)(M, B))
        close(wg.hessian(f, number)(M, B), wg.hessian(g, number)(M, B), 1e-7)
    stacked = np.stack([B, 2 * B])
    close(wg.vmap(wg.grad(f, 1), (None, 0))(M, stacked), [wg.grad(g, 1)(M, b) for b in stacked])


def test_a_symmetric_system_and_a_structured_one():
    s = M @ M.T
    f = lambda b: np.sum(wg.custom_linear_solve(lambda x: s @ x, b, iterative, symmetric=True) ** 3)
    close(wg.grad(f)(B), wg.grad(lambda b: np.sum(np.linalg.solve(s, b) ** 3))(B))
    both = lambda c: wg.custom_linear_solve(
        lambda x: {"a": c * x["a"] + x["b"], "b": x["b"]},
        {"a": 3.0, "b": 1.0},
        lambda product, b: {"a": (b["a"] - b["b"]) / float(product({"a": 1.0, "b": 0.0})["a"]), "b": b["b"]},
        lambda product, b: {"a": b["a"] / float(product({"a": 1.0, "b": 0.0})["a"]), "b": b["b"] - b["a"] / 2.0},
    )["a"]
    close(wg.grad(both)(2.0), -2 / 4)
    close(wg.jacfwd(both)(2.0), -2 / 4)


def test_fixed_points():
    cosine = lambda a: wg.fixed_point(lambda x: np.cos(a * x), 0.5)
    x = 0.7390851332151607
    close(wg.grad(cosine)(1.0), -x * np.sin(x) / (1 + np.sin(x)))
    close(wg.grad(wg.grad(cosine))(1.0), differences(lambda a: wg.grad(cosine)(a[0]), np.array([1.0]))[0], 1e-6)
    pair = lambda a: wg.fixed_point(lambda s: (np.cos(a * s[1]), 0.5 * np.sin(s[0])), (0.1, 0.1))[0]
    close(wg.jacfwd(pair)(1.0), differences(lambda a: pair(a[0]), np.array([1.0]))[0], 1e-6)
    mine = lambda a: wg.fixed_point(lambda x: 3 * x - a, 1.0, solve=lambda f, x: f(0.0) / (1 - (f(1.0) - f(0.0))))
    close(wg.grad(mine)(4.0), 0.5)


def test_an_equation_that_branches_on_values():
    f = lambda a: wg.implicit(scipy.optimize.brentq)(lambda x, a: x**3 - a if x > 0 else x, -1.0, 9.0, args=(a,))
    close(wg.grad(f)(8.0), 1 / 12)
    close(wg.jacfwd(f)(8.0), 1 / 12)


# ---------------------------------------------------------------- ordinary differential equations

TIMES = np.array([0.0, 0.5, 1.0, 2.0])
Q = np.array([1.0, 0.0, 1.5, 0.3])
TIGHT = {"rtol": 1e-9, "atol": 1e-10}


def oscillator(t, y, a, b):
    return np.stack([y[1], -a * y[0] - b * y[1] + np.sin(t)])


def solution(q, **options):
    return wg.implicit(scipy.integrate.solve_ivp)(
        oscillator, (0.0, 2.0), q[:2], t_eval=TIMES, args=(q[2], q[3]), **TIGHT, **options
    ).y


def closing_over(q):
    return wg.implicit(scipy.integrate.solve_ivp)(
        lambda t, y: [y[1], -q[2] * y[0] - q[3] * y[1] + np.sin(t)], (0.0, 2.0), q[:2], t_eval=TIMES[1:], **TIGHT
    ).y


EXPECTED = differences(solution, Q)


@pytest.mark.parametrize("sensitivity", ["auto", "forward", "adjoint"])
def test_solutions_of_initial_value_problems(sensitivity):
    f = lambda q: solution(q, sensitivity=sensitivity)
    close(wg.jacfwd(f)(Q), EXPECTED, 1e-5, 1e-6)
    total = lambda q: np.sum(f(q) ** 2)
    expected = np.tensordot(2 * solution(Q), EXPECTED, axes=2)
    close(wg.grad(total)(Q), expected, 1e-5, 1e-6)


def test_what_the_right_hand_side_reads_from_outside():
    close(wg.jacfwd(closing_over)(Q), EXPECTED[:, 1:], 1e-5, 1e-6)
    weights = np.arange(6.0).reshape(2, 3)
    pulled = wg.grad(lambda q: np.sum(weights * closing_over(q)))(Q)
    close(pulled, np.tensordot(weights, EXPECTED[:, 1:], axes=2), 1e-5, 1e-6)


def test_second_derivatives_of_solutions():
    total = lambda q: np.sum(solution(q)[:, -1] ** 2)
    expected = differences(wg.grad(total), Q, 1e-4)
    close(wg.hessian(total)(Q), expected, 1e-3, 1e-5)


def test_times_and_ends():
    end = lambda span: wg.implicit(scipy.integrate.solve_ivp)(
        oscillator, (span[0], span[1]), Q[:2], args=(Q[2], Q[3]), **TIGHT
    ).y[:, -1]
    span = np.array([0.1, 2.0])
    expected = differences(end, span)
    close(wg.jacfwd(end)(span), expected, 1e-5, 1e-6)
    close(wg.jacrev(end)(span), expected, 1e-5, 1e-6)
    forward = lambda span: wg.implicit(scipy.integrate.solve_ivp)(
        oscillator, (span[0], span[1]), Q[:2], args=(Q[2], Q[3]), sensitivity="forward", **TIGHT
    ).y[:, -1]
    close(wg.jacrev(forward)(span), expected, 1e-5, 1e-6)
    result = wg.implicit(scipy.integrate.solve_ivp)(oscillator, (0, 2.0), Q[:2], args=(1.0, 2.0))
    assert result.y.shape == (2, len(result.t)) and type(result.y) is np.ndarray


@pytest.mark.parametrize("method", ["Radau", "BDF", "LSODA"])
def test_stiff_problems(method):
    f = lambda k: wg.implicit(scipy.integrate.solve_ivp)(
        lambda t, y: np.stack([-k * y[0] + 1e3 * y[1] ** 2, k * y[0] - 1e3 * y[1] ** 2]),
        (0, 10.0),
        np.array([1.0, 0.0]),
        method=method,
        t_eval=[10.0],
        rtol=1e-8,
        atol=1e-10,
    ).y[:, 0]
    expected = (f(0.0401) - f(0.0399)) / 2e-4
    close(wg.jacfwd(f)(0.04), expected, 1e-3, 1e-6)
    close(wg.jacrev(f)(0.04), expected, 1e-3, 1e-6)


def test_a_solution_that_cannot_be_followed_backwards():
    """In `auto` the adjoint notices that it lost its way, and the forward equations take over."""
    f = lambda k: np.sum(
        wg.implicit(scipy.integrate.solve_ivp)(
            lambda t, y: -k * y + np.sin(t), (0, 12.0), np.array([1.0]), t_eval=[12.0], rtol=1e-8, atol=1e-10
        ).y
    )
    close(wg.grad(f)(4.0), (f(4.001) - f(3.999)) / 2e-3, 1e-4)


def test_solutions_over_samples():
    total = lambda q: np.sum(solution(q) ** 2)
    stacked = np.stack([Q, 1.1 * Q])
    close(wg.vmap(total)(stacked), [total(q) for q in stacked])
    close(wg.vmap(wg.grad(total))(stacked), [wg.grad(total)(q) for q in stacked])


def test_pickling():
    again = pickle.loads(pickle.dumps(wg.implicit(scipy.optimize.root)))
    close(again(system, np.ones(2), args=(P,)).x, SYSTEMS["root, args"](P))


def test_what_else_a_result_depends_on():
    """The minimum's value, and the residuals, cost and Jacobian of a fit, move with the parameters too."""
    least = lambda a: wg.implicit(scipy.optimize.minimize)(lambda x: np.sum((x - a) ** 2) + a**3, np.zeros(1)).fun
    fit = lambda a: wg.implicit(scipy.optimize.least_squares)(
        lambda x: np.stack([x[0] ** 2 - a, x[0] ** 2 - 1.0, x[1] - 1 / a]), np.ones(2)
    )
    expected = {
        "cost": lambda a: (a - 1) ** 2 / 4,
        "fun": lambda a: np.stack([(1 - a) / 2, (a - 1) / 2, 0.0]),
        "jac": lambda a: np.sqrt((a + 1) / 2) * np.array([[2.0, 0.0], [2.0, 0.0], [0.0, 0.0]]),
    }
    for transform in (wg.jacrev, wg.jacfwd, lambda f: wg.jacfwd(wg.jacrev(f))):
        close(transform(least)(1.3), transform(lambda a: a**3)(1.3), 1e-6)
        for part, value in expected.items():
            close(transform(lambda a, part=part: getattr(fit(a), part))(1.3), transform(value)(1.3), 1e-6)
    close(wg.vmap(wg.grad(least))(np.array([1.3, 2.0])), 3 * np.array([1.3, 2.0]) ** 2, 1e-6)


def test_a_solver_that_also_returns_something_else():
    def solve(f, x):
        for _ in range(50):
            x = x - f(x) / (2 * x)
        return x, {"steps": 50}

    root, aux = wg.custom_root(lambda x: x * x - 2.0, np.float64(1.0), solve, has_aux=True)
    close(root, np.sqrt(2))
    assert aux == {"steps": 50}
    both = lambda a: wg.custom_root(lambda x: x * x - a, np.float64(1.0), solve, has_aux=True)
    slope, aux = wg.grad(both, has_aux=True)(2.0)
    close(slope, 0.5 / np.sqrt(2))
    assert aux == {"steps": 50}
    close(wg.vmap(lambda a: both(a)[0])(np.array([1.0, 4.0])), [1.0, 2.0])
    with pytest.raises(wg.errors.StructureError, match=r"pair \(x, aux\)"):
        wg.custom_root(lambda x: x - 1.0, np.float64(1.0), lambda f, x: x, has_aux=True)
