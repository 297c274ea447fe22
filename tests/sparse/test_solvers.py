"""SciPy's solvers with derivatives filled in: right results, one run of the function for each distinct point."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
from scipy.sparse import issparse

import wengert as wg
from wengert.scipy import integrate, ipopt, optimize
from wengert.sparse.point import PointMemo


class Points:
    """Counts the runs of a function, and the distinct points it ran at."""

    def __init__(self, function):
        self.function = function
        self.runs = 0
        self.points = set()

    def __call__(self, x, *args):
        self.runs += 1
        data = x._data if isinstance(x, wg.Tensor) else np.asarray(x)  # .numpy() would count as a branch
        self.points.add(np.array(data, float).tobytes())
        return self.function(x, *args)


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


METHODS = [
    "BFGS",
    "CG",
    "L-BFGS-B",
    "TNC",
    "SLSQP",
    "Newton-CG",
    "dogleg",
    "trust-ncg",
    "trust-krylov",
    "trust-exact",
    "trust-constr",
]


@pytest.mark.parametrize("method", METHODS)
def test_minimize_runs_the_function_once_per_point(method):
    if method == "dogleg":  # needs a positive definite Hessian
        f, start, best = Points(lambda x: np.sum(np.cosh(x - 1.0)) + np.sum(x[1:] * x[:-1]) * 0.1), np.zeros(4), None
    else:
        f, start, best = Points(rosenbrock), np.array([1.3, 1.2, 0.7, 0.9]), np.ones(4)
    found = optimize.minimize(f, start, method=method, tol=1e-9)
    if best is not None:
        assert np.allclose(found.x, best, atol=1e-4)
    else:
        assert np.allclose(wg.grad(f.function)(found.x), 0, atol=1e-6)
    assert f.runs == len(f.points)


def test_minimize_takes_what_the_caller_gives():
    f = lambda x, a: np.sum((x - a) ** 2)
    plain = optimize.minimize(f, np.zeros(2), args=(3.0,), method="Nelder-Mead")
    assert np.allclose(plain.x, 3.0, atol=1e-3)
    own = optimize.minimize(f, np.zeros(2), args=(3.0,), jac=lambda x, a: 2 * (x - a))
    assert np.allclose(own.x, 3.0)
    filled = optimize.minimize(f, np.zeros(2), args=(3.0,), bounds=[(0, 2), (0, 4)])
    assert np.allclose(filled.x, [2.0, 3.0])


@pytest.mark.parametrize("method", ["Newton-CG", "trust-ncg", "trust-krylov", "trust-exact", "trust-constr"])
def test_second_derivatives_are_filled_in_next_to_a_given_gradient(method):
    found = optimize.minimize(rosenbrock, np.array([1.3, 0.7, 0.8]), method=method, jac=scipy.optimize.rosen_der)
    assert np.allclose(found.x, 1.0, atol=1e-4)


def test_given_derivatives_get_the_further_arguments():
    """They were called without them where the rest was filled in."""
    f = lambda x, a: np.sum((x - a) ** 4 + x**2)
    first, second = lambda x, a: 4 * (x - a) ** 3 + 2 * x, lambda x, a: np.diag(12 * (x - a) ** 2 + 2)
    for given in ({"hess": second}, {"jac": first}, {"jac": first, "hess": second}, {}):
        found = optimize.minimize(f, np.zeros(2), args=(2.0,), method="trust-exact", **given)
        assert np.allclose(first(found.x, 2.0), 0, atol=1e-3)


@pytest.mark.parametrize("method", ["SLSQP", "COBYLA", "COBYQA", "trust-constr"])
@pytest.mark.filterwarnings("error")
def test_constraints_of_every_kind_and_method(method):
    inside = lambda x, r=1.0: r - x[0] ** 2 - x[1] ** 2
    for constraint in (
        optimize.NonlinearConstraint(inside, 0, np.inf),
        scipy.optimize.NonlinearConstraint(inside, 0, np.inf),
        {"type": "ineq", "fun": inside, "args": (1.0,)},
        [{"type": "eq", "fun": inside}],
    ):
        found = optimize.minimize(lambda x: x[0] + x[1], [-1.0, -0.5], method=method, constraints=constraint)
        assert np.allclose(found.x, -np.sqrt(0.5), atol=1e-3)


def test_a_branching_objective_is_recorded_at_every_point():
    f = Points(lambda x: np.sum(x**2) if x[0] > 0.5 else np.sum(x**2) + (x[0] - 0.5) ** 4)
    for method in ("BFGS", "trust-exact"):
        found = optimize.minimize(f, np.array([3.0, 2.0]), method=method, tol=1e-10)
        assert np.allclose(wg.grad(f.function)(found.x), 0, atol=1e-8)
    runs = f.runs
    assert runs == len(f.points) + 1  # the start, in either solve


def test_large_sparse_hessians_reach_trust_constr():
    seen = []
    n = 300

    def watch(x, state):
        seen.append(x)

    found = optimize.minimize(
        lambda x: np.sum((x - 1) ** 2) + np.sum((x[1:] - x[:-1]) ** 4),
        np.zeros(n),
        method="trust-constr",
        callback=watch,
        options={"maxiter": 15},
    )
    assert np.allclose(found.x, 1.0, atol=1e-3)


def test_constraints_get_exact_derivatives():
    f = Points(lambda x: x[0] + x[1])
    c = Points(lambda x: x[0] ** 2 + x[1] ** 2)
    found = optimize.minimize(
        f, np.array([-1.0, -0.5]), method="trust-constr", constraints=optimize.NonlinearConstraint(c, 0, 1), tol=1e-10
    )
    assert np.allclose(found.x, -np.sqrt(0.5), atol=1e-4)
    assert f.runs == len(f.points)
    dictionary = {"type": "ineq", "fun": lambda x, r: r - x[0] ** 2 - x[1] ** 2, "args": (1.0,)}
    found = optimize.minimize(lambda x: x[0] + x[1], np.array([-1.0, -0.5]), method="SLSQP", constraints=dictionary)
    assert np.allclose(found.x, -np.sqrt(0.5), atol=1e-5)
    theirs = scipy.optimize.NonlinearConstraint(lambda x: x[0] ** 2 + x[1] ** 2, 0, 1)
    found = optimize.minimize(
        lambda x: x[0] + x[1], np.array([-1.0, -0.5]), method="trust-constr", constraints=[theirs]
    )
    assert np.allclose(found.x, -np.sqrt(0.5), atol=1e-3)


def test_a_constraint_with_sparse_derivatives(rng):
    c = optimize.NonlinearConstraint(lambda x: x[1:] * x[:-1], 0, 1)
    x = rng.normal(size=300)
    assert issparse(c.jac(x)) and np.allclose(c.jac(x).toarray(), wg.jacobian(lambda x: x[1:] * x[:-1])(x))
    v = rng.normal(size=299)
    assert np.allclose(c.hess(x, v).toarray(), np.diag(v, 1) + np.diag(v, -1))
    assert np.allclose(c.hess(x, 2 * v).toarray(), 2 * (np.diag(v, 1) + np.diag(v, -1)))
    dense = optimize.NonlinearConstraint(lambda x: x**2, 0, 1, jac="dense")
    assert isinstance(dense.jac(x), np.ndarray)


@pytest.mark.parametrize("jac", ["exact", "dense", "sparse", "operator"])
def test_least_squares(jac, rng):
    t = np.linspace(0, 1, 30)
    f = Points(lambda p, scale: scale * (p[0] * np.exp(-p[1] * t) - 2 * np.exp(-3 * t)))
    found = optimize.least_squares(f, [1.0, 1.0], jac, args=(10.0,))
    assert np.allclose(found.x, [2.0, 3.0])
    assert f.runs == len(f.points)


def test_least_squares_by_other_methods():
    f = lambda p: p**3 - np.array([8.0, 27.0])
    assert np.allclose(optimize.least_squares(f, [1.0, 1.0], method="lm").x, [2.0, 3.0])
    assert np.allclose(optimize.least_squares(f, [1.0, 1.0], "2-point").x, [2.0, 3.0])
    assert np.allclose(optimize.least_squares(lambda p, k: p - k, [1.0], kwargs={"k": 4.0}).x, 4.0)
    with pytest.raises(wg.errors.ArgumentError, match="method 'lm' takes dense Jacobians only, not 'sparse'"):
        optimize.least_squares(f, [1.0, 1.0], "sparse", method="lm")
    n = 400
    tridiagonal = lambda x: (
        (3 - 2 * x) * x - np.concatenate([np.zeros(1), x[:-1]]) - 2 * np.concatenate([x[1:], np.zeros(1)]) + 1
    )
    found = optimize.least_squares(tridiagonal, -np.ones(n))
    assert issparse(found.jac) and found.cost < 1e-12


def test_curve_fit(rng):
    t = np.linspace(0, 2, 50)
    model = lambda t, a, b, c: a * np.exp(-b * t) + c
    y = model(t, 2.5, 1.3, 0.5) + 1e-3 * rng.normal(size=50)
    ours, covariance = optimize.curve_fit(model, t, y)
    theirs, expected = scipy.optimize.curve_fit(model, t, y)
    assert np.allclose(ours, theirs, rtol=1e-5) and np.allclose(covariance, expected, rtol=1e-3)
    y[3] = np.nan
    assert np.isfinite(optimize.curve_fit(model, t, y, nan_policy="omit")[0]).all()
    with pytest.raises(wg.errors.ArgumentError, match="the number of parameters cannot be seen"):
        optimize.curve_fit(lambda t: t, t, t)


@pytest.mark.parametrize("method", ["hybr", "lm", "krylov"])
def test_roots(method):
    f = Points(lambda x, a: np.stack([x[0] + x[1] - 3 * a, x[0] * x[1] - 2 * a]))
    found = optimize.root(f, [0.2, 3.1], args=(1.0,), method=method)
    assert np.allclose(sorted(found.x), [1.0, 2.0], atol=1e-5)
    if method != "krylov":
        assert f.runs == len(f.points)


def broyden_tridiagonal(x):
    return (3 - 2 * x) * x - np.concatenate([np.zeros(1), x[:-1]]) - 2 * np.concatenate([x[1:], np.zeros(1)]) + 1


@pytest.mark.parametrize("jac", [None, "exact", "operator", "sparse", "dense"])
def test_krylov_takes_exact_products_or_matrices(jac):
    f = Points(broyden_tridiagonal)
    found = optimize.root(f, -np.ones(300), method="krylov", jac=jac)
    assert found.success and np.allclose(broyden_tridiagonal(found.x), 0, atol=1e-5)
    assert f.runs == len(f.points) < 8  # differences take about ten times as many
    grid = optimize.root(lambda x: x**2 - 2, np.ones((2, 2)), method="krylov", jac=jac)
    assert np.allclose(grid.x, np.sqrt(2), atol=1e-5)


def test_forms_that_a_root_finder_does_not_take():
    with pytest.raises(wg.errors.ArgumentError, match="method 'hybr' takes dense Jacobians only, not 'sparse'"):
        optimize.root(lambda x: x**2 - 2, [1.0], jac="sparse")
    given = optimize.root(lambda x: x**2 - 2, [1.0], method="krylov", options={"jac_options": {"method": "gmres"}})
    assert np.allclose(given.x, np.sqrt(2), atol=1e-5)
    assert np.allclose(optimize.root(lambda x: x**2 - 2, [1.0], jac="exact").x, np.sqrt(2))


def test_functions_that_return_lists():
    """Products used the first of several results only."""
    f = lambda p: [p[0] - 1, 10 * (p[1] - p[0] ** 2), p[0] * p[1] - 1]
    J = wg.jacobian(lambda p: np.stack(f(p)))(np.array([2.0, 3.0]))
    operator = wg.jacobian_operator(f, np.array([2.0, 3.0]))
    assert np.allclose(operator @ np.eye(2), J) and np.allclose(operator.T @ np.eye(3), J.T)
    for jac in ("exact", "sparse", "operator"):
        assert np.allclose(optimize.least_squares(f, [2.0, 2.0], jac).x, 1.0)


def test_scalar_roots():
    f = lambda x, a: np.cos(x) - a * x
    for method in ("newton", "halley", None):
        found = optimize.root_scalar(f, args=(1.0,), x0=1.0, method=method)
        assert found.converged and abs(found.root - 0.7390851332151607) < 1e-12
    assert abs(optimize.root_scalar(f, args=(1.0,), bracket=[0, 1]).root - 0.7390851332151607) < 1e-9


def test_other_names_are_scipys():
    assert optimize.Bounds is scipy.optimize.Bounds
    assert integrate.RK45 is scipy.integrate.RK45


# ---------------------------------------------------------------- what is kept for a function


def test_what_is_kept_for_a_function_is_checked_by_the_next_solver():
    scale = [1.0]
    f = lambda x: scale[0] * x**2
    x = np.array([1.0, 2.0])
    assert np.array_equal(PointMemo(f).matrix(x, form="dense"), np.diag([2.0, 4.0]))
    assert np.array_equal(PointMemo(f).matrix(x, form="dense"), np.diag([2.0, 4.0]))
    scale[0] = 3.0
    assert np.array_equal(PointMemo(f).matrix(x, form="dense"), np.diag([6.0, 12.0]))
    with_args = lambda x, a: a * x**2
    first, second = PointMemo(with_args, (1.0,)), PointMemo(with_args, (5.0,))
    for _ in range(2):
        assert np.array_equal(first.matrix(x, form="dense"), np.diag([2.0, 4.0]))
        assert np.array_equal(second.matrix(x, form="dense"), np.diag([10.0, 20.0]))
        first.matrix(x + 1), second.matrix(x + 1)
    assert np.array_equal(PointMemo(with_args, (1.0,)).matrix(np.ones(3), form="dense"), 2 * np.eye(3))


def test_a_function_that_raises_leaves_nothing_behind():
    """The value at the point before was given for the one where the function had raised."""
    limit = [9.0]

    def f(x):
        if limit[0] < 1.0:
            raise ArithmeticError("too large")
        return x**2

    memo = PointMemo(f)
    memo.matrix(np.array([1.0]), form="dense")
    later = PointMemo(f)
    later.value(np.array([1.0])), later.value(np.array([2.0]))
    limit[0] = 0.5
    for _ in range(2):
        with pytest.raises(ArithmeticError):
            later.value(np.array([3.0]))


def test_a_later_solve_with_the_same_function_does_not_record_it():
    f = Points(lambda x: np.stack([x[0] + x[1] - 3, x[0] * x[1] - 2]))
    optimize.root(f, [0.2, 3.1])
    import wengert.sparse.record as record

    runs = []
    original = record.Run.__init__
    try:
        record.Run.__init__ = lambda self, *args, **kwargs: (runs.append(1), original(self, *args, **kwargs))[1]
        optimize.root(f, [0.2, 3.1])
    finally:
        record.Run.__init__ = original
    assert runs == []


def test_products_and_gradients_at_a_point(rng):
    f = lambda x: np.sin(x[1:]) * x[:-1]
    x, v, w = rng.normal(size=6), rng.normal(size=6), rng.normal(size=5)
    J = wg.jacobian(f)(x)
    memo = PointMemo(f)
    assert np.allclose(memo.product(x, v, "push"), J @ v) and np.allclose(memo.product(x, w, "pull"), J.T @ w)
    g = PointMemo(rosenbrock)
    assert np.allclose(g.gradient(x), wg.grad(rosenbrock)(x))
    assert np.allclose(g.product(x, v, "hessian"), wg.hessian(rosenbrock)(x) @ v)
    assert g.calls == 1


# ---------------------------------------------------------------- operators


def test_jacobians_and_hessians_as_operators(rng):
    f = lambda x, a: a * np.sin(x[1:]) * x[:-1]
    x = rng.normal(size=6)
    J, full = wg.jacobian_operator(f, x, 2.0), wg.jacobian(f)(x, 2.0)
    assert J.shape == (5, 6)
    assert np.allclose(J @ np.eye(6), full) and np.allclose(J.T @ np.eye(5), full.T)
    H = wg.hessian_operator(rosenbrock, x)
    assert np.allclose(H @ np.eye(6), wg.hessian(rosenbrock)(x))


# ---------------------------------------------------------------- integration


def robertson(t, y):
    a, b, c = 0.04 * y[0], 1e4 * y[1] * y[2], 3e7 * y[1] ** 2
    return np.stack([b - a, a - b - c, c])


@pytest.mark.parametrize("method", ["Radau", "BDF", "LSODA"])
def test_stiff_problems(method):
    ours = integrate.solve_ivp(robertson, (0, 100), [1.0, 0, 0], method=method, rtol=1e-7, atol=1e-10)
    theirs = scipy.integrate.solve_ivp(robertson, (0, 100), [1.0, 0, 0], method="Radau", rtol=1e-9, atol=1e-12)
    assert ours.success and np.allclose(ours.y[:, -1], theirs.y[:, -1], rtol=1e-4)


@pytest.mark.parametrize("method", ["Radau", "BDF", "LSODA"])
def test_events_dense_output_and_arguments(method):
    f = lambda t, y, a, b: -a * y * b
    half = lambda t, y, a, b: y[0] - 0.5
    half.terminal = True
    settings = {"args": (2.0, 1.0), "method": method, "rtol": 1e-8, "atol": 1e-10, "dense_output": True}
    ours = integrate.solve_ivp(f, (0, 1), [1.0, 2.0], events=half, t_eval=[0.0, 0.1, 0.2], **settings)
    assert np.isclose(ours.t_events[0][0], np.log(2) / 2, rtol=1e-6)
    assert np.allclose(ours.y, np.outer([1.0, 2.0], np.exp(-2 * ours.t)), rtol=1e-6)
    assert np.allclose(ours.sol(0.15), np.array([1.0, 2.0]) * np.exp(-0.3), rtol=1e-5)
    for jac in ("dense", "sparse", "banded"):
        assert integrate.solve_ivp(f, (0, 1), [1.0, 2.0], jac=jac, **settings).success


def test_a_buffer_that_cannot_hold_tensors_is_explained():
    """NumPy's "setting an array element with a sequence" hid what to do."""

    def f(t, y):
        rates = np.empty(2)
        rates[0], rates[1] = y[1], -y[0]
        return rates

    with pytest.raises(wg.errors.TraceLost, match="zeros_like"):
        integrate.solve_ivp(f, (0, 1), [1.0, 2.0], method="BDF")


def test_explicit_methods_are_scipys():
    found = integrate.solve_ivp(lambda t, y: -y, (0, 1), [1.0])
    assert np.allclose(found.y[0, -1], np.exp(-1), rtol=1e-3)


def heat(t, y, rate):
    inner = y[2:] - 2 * y[1:-1] + y[:-2]
    return np.concatenate([np.zeros(1), rate * inner, np.zeros(1)]) - y**3


@pytest.mark.parametrize(("method", "jac"), [("BDF", None), ("Radau", "dense"), ("LSODA", None), ("LSODA", "dense")])
def test_banded_and_sparse_jacobians(method, jac):
    n = 200
    y0 = np.sin(np.linspace(0, np.pi, n))
    ours = integrate.solve_ivp(heat, (0, 1.0), y0, method=method, args=(50.0,), jac=jac, rtol=1e-6, atol=1e-9)
    theirs = scipy.integrate.solve_ivp(heat, (0, 1.0), y0, method="LSODA", args=(50.0,), rtol=1e-9, atol=1e-11)
    assert np.allclose(ours.y[:, -1], theirs.y[:, -1], atol=1e-5)


def test_the_function_does_not_run_for_jacobians():
    calls = []

    def f(t, y):
        calls.append(isinstance(y, wg.Tensor))
        return -np.sin(t) * y + y[::-1]

    jacobian = integrate.TimeJacobian(f)
    for t in (0.0, 0.5, 1.0):
        assert np.allclose(jacobian(t, np.ones(3)), -np.sin(t) * np.eye(3) + np.eye(3)[::-1])
    assert calls == [True]


def test_a_right_hand_side_that_needs_the_time_as_a_number():
    f = lambda t, y: -math.sin(t) * y if t > 0.2 else -y
    jacobian = integrate.TimeJacobian(f)
    for t in (0.0, 0.5, 1.0):
        assert np.allclose(jacobian(t, np.ones(2)), -(math.sin(t) if t > 0.2 else 1.0) * np.eye(2))
    found = integrate.solve_ivp(f, (0, 1), [1.0, 2.0], method="BDF")
    assert found.success


def test_a_right_hand_side_that_returns_a_list():
    f = lambda t, y: [y[1], (1 - y[0] ** 2) * y[1] * 100 - y[0]]
    ours = integrate.solve_ivp(f, (0, 10), [2.0, 0.0], method="Radau", rtol=1e-8, atol=1e-8)
    theirs = scipy.integrate.solve_ivp(f, (0, 10), [2.0, 0.0], method="LSODA", rtol=1e-9, atol=1e-9)
    assert np.allclose(ours.y[0, -1], theirs.y[0, -1], rtol=1e-5)


def test_a_jacobian_of_the_callers_own():
    found = integrate.solve_ivp(lambda t, y: -y, (0, 1), [1.0], method="BDF", jac=lambda t, y: -np.eye(1))
    assert np.allclose(found.y[0, -1], np.exp(-1), rtol=1e-2)
    with pytest.warns(UserWarning, match="no effect"):
        integrate.solve_ivp(lambda t, y: -y, (0, 1), [1.0], jac=lambda t, y: -np.eye(1))


def test_boundary_value_problems():
    fun = lambda x, y, p: np.vstack([y[1], -(p[0] ** 2) * y[0]])
    bc = lambda a, b, p: (
        np.array([a[0], b[0], a[1] - p[0]]) if not isinstance(a, wg.Tensor) else np.stack([a[0], b[0], a[1] - p[0]])
    )
    x = np.linspace(0, 1, 8)
    y = np.stack([np.sin(np.pi * x), np.cos(np.pi * x) * np.pi])
    found = integrate.solve_bvp(fun, bc, x, y, p=[3.0])
    assert found.success and abs(found.p[0] - np.pi) < 1e-3
    coupled = lambda x, y: np.vstack([y[1], -np.exp(y[0]) - np.mean(y[0])])
    with pytest.raises(wg.errors.CoupledRows, match="sample 0 of the result depends on sample"):
        integrate.solve_bvp(coupled, lambda a, b: np.stack([a[0], b[0]]), x, y * 0)


# ---------------------------------------------------------------- IPOPT's interface


def hs071(rng):
    objective = lambda x: x[0] * x[3] * np.sum(x[:3]) + x[2]
    constraints = lambda x: np.stack([np.prod(x), np.sum(x**2)])
    return objective, constraints, rng.uniform(1, 5, size=4)


def test_ipopts_problem_interface(rng):
    objective, constraints, x = hs071(rng)
    problem = ipopt.Problem(objective, np.array([1.0, 5.0, 5.0, 1.0]), constraints)
    assert problem.n == 4 and problem.m == 2
    assert np.isclose(problem.objective(x), objective(x))
    assert np.allclose(problem.gradient(x), wg.grad(objective)(x))
    assert np.allclose(problem.constraints(x), [np.prod(x), np.sum(x**2)])
    J = np.zeros((2, 4))
    J[problem.jacobianstructure()] = problem.jacobian(x)
    assert np.allclose(J, wg.jacobian(constraints)(x))
    v = rng.normal(size=2)
    H = np.zeros((4, 4))
    H[problem.hessianstructure()] = problem.hessian(x, v, 0.7)
    expected = wg.hessian(lambda x: 0.7 * objective(x) + np.sum(v * constraints(x)))(x)
    assert np.allclose(H, np.tril(expected))
    free = ipopt.Problem(lambda x: np.sum(x**2), np.ones(3))
    assert free.m == 0 and free.constraints(np.ones(3)).size == 0 and free.jacobian(np.ones(3)).size == 0
    assert np.allclose(free.hessian(np.ones(3), np.zeros(0), 1.0), 2.0)


def test_ipopts_functions_run_once_for_each_point(rng):
    objective, constraints, x = hs071(rng)
    f, c = Points(objective), Points(constraints)
    problem = ipopt.Problem(f, np.array([1.0, 5.0, 5.0, 1.0]), c)
    planned = f.runs, c.runs
    for point in (x, x + 0.1, x + 0.2):
        for _ in range(2):
            problem.objective(point), problem.gradient(point), problem.constraints(point), problem.jacobian(point)
            problem.hessian(point, rng.normal(size=2), 0.5)
    assert f.runs - planned[0] <= 3 and c.runs - planned[1] <= 3


def test_constraints_run_once_for_each_point(rng):
    c = Points(lambda x: x[1:] * x[:-1])
    constraint = optimize.NonlinearConstraint(c, 0, 1)
    x = rng.normal(size=5)
    constraint.hess(x, rng.normal(size=4))
    before = c.runs
    for point in (x, x + 1, x + 2):
        constraint.fun(point), constraint.jac(point)
        v = rng.normal(size=4)
        assert np.allclose(constraint.hess(point, v), np.diag(v, 1) + np.diag(v, -1))
    assert c.runs - before == 3


def test_a_constraint_that_branches_is_recorded_for_each_hessian():
    constraint = optimize.NonlinearConstraint(lambda x: x**2 if x[0] > 0 else x**3, 0, 1)
    for point, expected in (([1.0, 2.0], [2.0, 2.0]), ([-1.0, 2.0], [-6.0, 12.0]), ([3.0, 2.0], [2.0, 2.0])):
        assert np.allclose(np.diag(constraint.hess(np.array(point), np.ones(2))), expected)


def test_a_structure_that_grows_is_reported():
    problem = ipopt.Problem(lambda x: np.sum(x), np.ones(2), lambda x: x if x[0] > 0 else x * np.sum(x))
    with pytest.raises(
        wg.errors.StructureError, match="the Jacobian at this point has entries that its structure at x0"
    ):
        problem.jacobian(-np.ones(2))


def test_ipopt_itself_is_an_extra():
    try:
        import cyipopt  # noqa: F401
    except ImportError:
        with pytest.raises(
            wg.errors.MissingPackage, match=r"cyipopt is not installed[\s\S]*pip install 'wengert\[ipopt\]'"
        ):
            ipopt.minimize_ipopt(lambda x: np.sum(x**2), np.ones(2))
    else:
        quiet = {"print_level": 0, "sb": "yes"}
        x, _ = ipopt.minimize_ipopt(lambda x: np.sum((x - 1) ** 2), np.zeros(2), options=quiet)
        assert np.allclose(x, 1.0)
        objective, constraints, _ = hs071(np.random.default_rng(0))
        bounds = {"lb": 1, "ub": 5, "cl": [25, 40], "cu": [np.inf, 40]}
        x, info = ipopt.minimize_ipopt(objective, [1.0, 5.0, 5.0, 1.0], constraints, **bounds, options=quiet)
        assert np.isclose(info["obj_val"], 17.0140171451792, rtol=1e-6)
