"""Every sparse result equals the dense one: random functions, every mode, mixed signs, zeros and NaNs in the values."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from random_functions import random_function

import wengert as wg
from wengert.sparse.plans import plans

MODES = ("auto", "structured", "forward", "reverse", "columns", "rows", "both")


def point(seed: int, kind: str, n: int = 8) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    if kind == "zeros":
        x[rng.random(n) < 0.4] = 0.0
    if kind == "nan":
        x[int(rng.integers(0, n))] = np.nan
    return x


def dense(function, x):
    J = wg.jacobian(function)(x)
    return J.reshape(-1, x.size)


@pytest.mark.parametrize("seed", range(120))
def test_jacobians_of_random_functions(seed):
    function = random_function(seed)
    x = point(seed, ["plain", "zeros"][seed % 2])
    expected = dense(function, x)
    for mode in ("auto", MODES[1 + seed % 6]):
        found = wg.jacobian(function, sparse=True, mode=mode)(x)
        assert np.allclose(found.toarray(), expected, rtol=1e-10, atol=1e-10), mode
        assert found.has_sorted_indices


@pytest.mark.parametrize("seed", range(200, 240))
def test_entries_outside_of_the_pattern_are_zero_at_other_points(seed):
    function = random_function(seed)
    plan = wg.plan_jacobian(function, point(seed, "plain"))
    for k in range(2):
        x = point(1000 + 7 * seed + k, "zeros" if k else "plain")
        assert np.allclose(plan(x).toarray(), dense(function, x), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("seed", range(300, 340))
def test_nan_in_the_values_stays_where_it_belongs(seed):
    """Structured entries are the dense ones, NaN included; a pass may spread a NaN, but never gives a wrong number."""
    function = random_function(seed)
    x = point(seed, "nan")
    with np.errstate(all="ignore"):
        expected = dense(function, x)
        for mode in ("auto", "rows", "columns"):
            found = wg.jacobian(function, sparse=True, mode=mode)(x).toarray()
            plan = wg.plan_jacobian(function, x, mode=mode)
            pattern = plan.pattern.toarray()
            inside = np.where(pattern, expected, 0.0)
            # where the pattern has no entry a dense pass may give NaN (0 x NaN in a sum); the exact derivative is 0
            agree = np.isclose(found, inside, rtol=1e-9, atol=1e-9, equal_nan=True)
            excused = np.isnan(inside) if plan.colours == 0 else np.isnan(inside) | np.isnan(found)
            assert (agree | excused).all(), mode


@pytest.mark.parametrize("seed", range(400, 450))
def test_hessians_of_random_functions(seed):
    function = random_function(seed)
    scalar = lambda x: np.sum(np.sin(function(x)))
    x = point(seed, ["plain", "zeros"][seed % 2], 6)
    expected = wg.hessian(scalar)(x)
    if not np.isfinite(expected).all():
        return
    for mode in ("auto", ("columns", "star", "acyclic", "structured")[seed % 4]):
        try:
            found = wg.hessian(scalar, sparse=True, mode=mode)(x)
        except wg.errors.ArgumentError:
            assert mode == "structured"
            continue
        assert np.allclose(found.toarray(), expected, rtol=1e-8, atol=1e-8), mode


@pytest.fixture
def eager(monkeypatch):
    """Programs are compiled as soon as they may be."""
    from wengert.execute.native import hot

    for cost in ("PROGRAM", "LINE", "IMPORT"):
        monkeypatch.setattr(hot, cost, 0.0)


@pytest.mark.filterwarnings("error::wengert.errors.NotCompiled")
@pytest.mark.parametrize("seed", range(500, 530))
def test_what_is_evaluated_often_becomes_machine_code(seed, eager):
    """One kernel for coefficients and their places, with the same numbers, NaN included; it is no part of the plan."""
    function = random_function(seed)
    plans.clear()
    with np.errstate(all="ignore"):
        plan = wg.plan_jacobian(function, point(seed, "plain"), mode="structured")
        evaluator = plan.recipe.evaluator
        if evaluator.guards:
            pytest.skip("the structure depends on an order")
        for kind in ("plain", "zeros", "nan", "plain"):
            x = point(seed + 7, kind)
            expected = evaluator._by_numpy([x, *plan.captures])
            for _ in range(4):
                assert np.allclose(plan.values(x), expected, rtol=1e-12, atol=1e-12, equal_nan=True)
    assert plan.nnz == 0 or evaluator._runner.closed
    again = pickle.loads(pickle.dumps(plan.recipe))
    assert np.allclose(again.values([x, *plan.captures]), expected, equal_nan=True)


def test_machine_code_lets_zero_times_infinity_be_zero(eager):
    f = lambda x: np.where(x > 0, np.sqrt(x), 0.0) * x[::-1]
    x = np.array([0.0, 4.0, 0.0, 9.0])
    plan = wg.plan_jacobian(f, x, mode="structured")
    for _ in range(8):
        assert np.array_equal(plan(x).toarray(), wg.jacobian(f)(x))
    assert plan.recipe.evaluator._runner.builtin is not None


def test_a_cut_branch_with_an_infinite_slope_gives_zero():
    f = lambda x: np.where(x > 0, np.sqrt(x), 0.0) * x[::-1]
    x = np.array([0.0, 4.0, 0.0, 9.0])
    for mode in MODES:
        found = wg.jacobian(f, sparse=True, mode=mode)(x).toarray()
        assert np.array_equal(found, wg.jacobian(f)(x)), mode
        assert np.isfinite(found).all()


def test_a_bare_infinite_slope_stays_infinite():
    J = wg.jacobian(np.sqrt, sparse=True)(np.array([0.0, 4.0]))
    assert np.array_equal(J.toarray(), [[np.inf, 0.0], [0.0, 0.25]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes(dtype):
    x = np.linspace(1, 2, 5).astype(dtype)
    for mode in ("auto", "columns", "rows"):
        J = wg.jacobian(lambda x: np.sin(x[1:]) * x[:-1], sparse=True, mode=mode)(x)
        assert J.dtype == dtype
        assert np.allclose(J.toarray(), wg.jacobian(lambda x: np.sin(x[1:]) * x[:-1])(x), rtol=1e-5)


def test_integers_become_float64():
    J = wg.jacobian(lambda x: x**2, sparse=True)(np.array([1, 2, 3]))
    assert J.dtype == np.float64 and np.array_equal(J.diagonal(), [2.0, 4.0, 6.0])


def test_complex_numbers_have_the_conventions_of_dense_jacobians():
    z = np.array([1.0 + 2.0j, -0.5 + 0.1j, 2.0])
    for f in (lambda z: z[1:] * z[:-1] ** 2, lambda z: np.real(z[1:] * z[:-1]), np.conj):
        assert np.allclose(wg.jacobian(f, sparse=True)(z).toarray(), wg.jacobian(f)(z))


def test_structures_in_and_out():
    def f(p, q):
        return {"a": p["x"] * q, "b": np.sum(p["y"]) * q[:2]}

    p, q = {"x": np.arange(3.0), "y": np.arange(2.0)}, np.array([1.0, 2.0, 3.0])
    sparse = wg.jacobian(f, argnums=(0, 1), sparse=True)(p, q)
    full = wg.jacobian(f, argnums=(0, 1))(p, q)
    for out in "ab":
        assert np.array_equal(sparse[out][1].toarray(), full[out][1])
        for name in "xy":
            assert np.array_equal(sparse[out][0][name].toarray(), full[out][0][name])
    H = wg.hessian(lambda p, q: np.sum(p * p * q), argnums=(0, 1), sparse=True)(q, q)
    assert np.array_equal(H[0][1].toarray(), np.diag(2 * q))


def test_auxiliary_data_and_values():
    f = lambda x: (x**2, {"note": x[0]})
    J, aux = wg.jacobian(f, has_aux=True, sparse=True)(np.array([3.0, 4.0]))
    assert np.array_equal(J.diagonal(), [6.0, 8.0]) and float(aux["note"]) == 3.0
    value, J = wg.value_and_jacobian(lambda x: x**2, sparse=True)(np.array([3.0, 4.0]))
    assert np.array_equal(value, [9.0, 16.0]) and np.array_equal(J.diagonal(), [6.0, 8.0])
    value, gradient, H = wg.value_grad_and_hessian(lambda x: np.sum(x**3), sparse=True)(np.array([1.0, 2.0]))
    assert float(value) == 9.0 and np.array_equal(gradient, [3.0, 12.0]) and np.array_equal(H.diagonal(), [6.0, 12.0])


def test_automatic_choice_between_sparse_and_dense():
    small = wg.jacobian(lambda x: x**2, sparse="auto")(np.ones(5))
    assert isinstance(small, np.ndarray) and small.shape == (5, 5)
    large = wg.jacobian(lambda x: x**2, sparse="auto")(np.ones(500))
    assert large.shape == (500, 500) and large.nnz == 500
    full = wg.jacobian(lambda x: np.cumsum(x) ** 2, sparse="auto")(np.ones(200))
    assert isinstance(full, np.ndarray)


def test_the_function_runs_once_per_call():
    calls = []

    def f(x):
        calls.append(1)
        return np.sin(x[1:]) * x[:-1]

    J = wg.jacobian(f, sparse=True)
    for k in range(4):
        J(np.full(6, 0.1 * k))
    assert len(calls) == 4


def test_empty_arrays():
    assert wg.jacobian(lambda x: x**2, sparse=True)(np.zeros(0)).shape == (0, 0)
    assert wg.jacobian(lambda x: np.zeros(3), sparse=True)(np.ones(2)).nnz == 0
    assert wg.jacobian(lambda x: x[:0], sparse=True)(np.ones(2)).shape == (0, 2)


@pytest.mark.parametrize("mode", MODES)
def test_axes_without_elements(mode):
    J = wg.jacobian(lambda x: x.sum(axis=1), sparse=True, mode=mode)(np.zeros((3, 0)))
    assert J.shape == (3, 0) and J.nnz == 0


@pytest.mark.parametrize("mode", ["auto", "columns", "star", "acyclic"])
def test_hessians_of_nothing_and_of_numbers(mode):
    f = lambda x: np.sum(x**3)
    assert wg.hessian(f, sparse=True, mode=mode)(np.zeros(0)).shape == (0, 0)
    assert wg.hessian(f, sparse=True, mode=mode)(np.array(2.0)).toarray().tolist() == [[12.0]]


def test_half_precision_comes_back_in_what_scipy_takes():
    J = wg.jacobian(lambda x: x**2, sparse=True)(np.array([1.0, 3.0], np.float16))
    assert J.dtype == np.float32 and np.array_equal(J.toarray(), np.diag([2.0, 6.0]))


def coupled_rows(x):
    return np.linalg.solve(x.reshape(-1, 3, 3) + 5 * np.eye(3), np.ones((x.size // 9, 3, 1))).ravel()


@pytest.mark.parametrize("seed", range(600, 660))
def test_dense_results_by_structure_and_by_passes_agree(seed, monkeypatch):
    """As if every result were large enough to look at its structure; `chunk_size` never looks."""
    from wengert.differentiation import jacobian
    from wengert.sparse import from_lines

    monkeypatch.setattr(jacobian, "LARGE", 0)
    monkeypatch.setattr(from_lines, "FULLEST", 1.0)
    monkeypatch.setattr(from_lines, "FEWER", 1)
    function = random_function(seed)
    for kind, dtype in (("plain", np.float64), ("zeros", np.float64), ("plain", np.float32)):
        x = point(seed, kind).astype(dtype)
        for mode in ("forward", "reverse"):
            found = wg.jacobian(function, mode=mode)(x)
            expected = wg.jacobian(function, mode=mode, chunk_size=100)(x)
            assert found.dtype == expected.dtype and found.shape == expected.shape
            tolerance = 1e-10 if dtype == np.float64 else 1e-4
            assert np.allclose(found, expected, rtol=tolerance, atol=tolerance)


def eigenvalues_and_vectors(x):
    matrices = x.reshape(-1, 3, 3)
    values, vectors = np.linalg.eigh(matrices + np.swapaxes(matrices, -1, -2))
    return np.concatenate([values.ravel(), (vectors * values[:, None, :]).ravel()])


@pytest.mark.parametrize(
    "function",
    [
        eigenvalues_and_vectors,
        lambda x: np.linalg.qr(x.reshape(-1, 3, 3))[1].ravel(),
        lambda x: wg.scan(lambda s, h: (s + h * np.sin(s), s[:1]), x, np.linspace(0, 1, 5))[0],
        lambda x: wg.while_loop(lambda s: s[1][0] < 3, lambda s: (s[0] * np.cos(s[0]), s[1] + 1), (x, np.zeros(1)))[0],
        wg.checkpoint(lambda x: np.sin(x) * np.roll(x, 1)),
    ],
)
def test_large_dense_results_of_lines_with_several_results(function, rng):
    """A line's tuple of results was taken for an array."""
    x = rng.normal(size=900)
    expected = wg.jacobian(function, sparse=True)(x).toarray()
    for _ in range(2):
        assert np.allclose(wg.jacobian(function)(x), expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(
    "function",
    [coupled_rows, lambda x: np.convolve(x, np.cos(np.arange(70.0))) * x[0], lambda x: np.sin(x[1:]) * x[:-1]],
)
def test_large_dense_results_use_the_structure(function, rng):
    """By coefficients, or by colours where lines have no structured rule; the tape's Jacobian too."""
    from wengert.sparse import from_lines

    x = rng.normal(size=1350)
    expected = wg.jacobian(function, sparse=True)(x).toarray()
    from_lines._known.clear()  # it may be full, and then it does not grow
    runs = []
    original = from_lines._plan
    from_lines._plan = lambda *args: (runs.append(1), original(*args))[1]
    try:
        for _ in range(2):
            assert np.allclose(wg.jacobian(function)(x), expected)
            variable = wg.Variable(x)
            with wg.GradientTape() as tape:
                y = function(variable)
            assert np.allclose(np.asarray(tape.jacobian(y, variable)), expected)
    finally:
        from_lines._plan = original
    assert 1 <= len(runs) <= 2 and from_lines._known
    assert None not in list(from_lines._known.values())[-len(runs) :]


def test_columns_of_tall_arrays_are_laid_out_together(rng):
    """Plans read several columns of a tall array through one transposed copy; the numbers are the same."""

    def rows(v):
        z = v.reshape(600, 5)
        return z[:, 0] * np.sin(z[:, 3]) + z[:, 4] ** 2 + z[:, 0:2].sum(axis=1)

    def transposed(v):
        z = v.reshape(600, 5).T
        return np.concatenate([z[0] * z[1] * z[4], np.cos(z[2]) * z[1]])

    x = rng.normal(size=3000)
    for function in (rows, transposed):
        plan = wg.plan_jacobian(function, x)
        names = [step.primitive.name for step in plan.recipe.evaluator.quick.steps]
        careful = [step.primitive.name for step in plan.recipe.evaluator.careful.steps]
        assert len(names) > len(careful)
        v = rng.normal(size=3000)
        assert np.allclose(plan(x) @ v, wg.jvp(function, (x,), (v,))[1])
