"""Plans: what they say, that they are reused, kept, saved, and refused where they do not fit."""

from __future__ import annotations

import pickle
from typing import NamedTuple

import numpy as np
import pytest
import scipy.sparse

import wengert as wg
from wengert.sparse.plans import Plans, plans


def chain(x):
    return np.sin(x[1:]) * x[:-1]


class Counted:
    """A function that counts its runs; at module level, so that it pickles."""

    def __init__(self):
        self.runs = 0

    def __call__(self, x):
        self.runs += 1
        return chain(x)


@pytest.fixture(autouse=True)
def fresh():
    plans.clear()
    plans.made = 0


def test_a_plan_evaluates_without_running_the_function(rng):
    f = Counted()
    plan = wg.plan_jacobian(f, rng.normal(size=8))
    assert f.runs == 1
    for _ in range(3):
        x = rng.normal(size=8)
        assert np.allclose(plan(x).toarray(), wg.jacobian(chain)(x))
    assert f.runs == 1


def test_a_loop_in_plain_code_plans_once(rng):
    J = wg.jacobian(chain, sparse=True)
    for _ in range(5):
        J(rng.normal(size=9))
        wg.jacobian(lambda x: np.sin(x[1:]) * x[:-1], sparse=True)(rng.normal(size=9))
    assert plans.made == 1
    J(rng.normal(size=10))
    assert plans.made == 2


def test_a_number_that_changes_becomes_an_input(rng):
    x = rng.normal(size=6)
    for t in np.linspace(0, 1, 6).tolist():
        f = lambda x: np.exp(-t * x[1:]) * x[:-1] + t
        assert np.allclose(wg.jacobian(f, sparse=True)(x).toarray(), wg.jacobian(f)(x))
    assert plans.made == 2


def test_arrays_read_from_outside_may_change(rng):
    x = rng.normal(size=6)
    for _ in range(4):
        weights = rng.normal(size=6)
        f = lambda x: weights * x[::-1] ** 2
        assert np.allclose(wg.jacobian(f, sparse=True)(x).toarray(), wg.jacobian(f)(x))
    assert plans.made == 1


@pytest.mark.parametrize("n", [5, 5000])
def test_arrays_from_outside_may_be_written_to(n, rng):
    """A large index array that was changed in place was taken for the one that was planned."""
    places, mask, weights = np.arange(n), np.arange(n) % 2 == 0, np.ones(n)
    f = lambda x: x[places] ** 2 + np.where(mask, weights * x, 0.0)
    J = wg.jacobian(f, sparse=True)
    x = rng.normal(size=n)
    plan = wg.plan_jacobian(f, x)
    before = plan.values(x)
    for _ in range(2):
        places[0], mask[1], weights[2] = 1, True, 5.0
        assert np.allclose(J(x) @ x, wg.jvp(f, (x,), (x,))[1])
    assert np.array_equal(plan.values(x), before)  # what a plan reads from outside is frozen


def test_index_arrays_are_part_of_the_structure(rng):
    x = rng.normal(size=5)
    for _ in range(3):
        places = rng.permutation(5)
        f = lambda x: x[places] ** 2
        assert np.allclose(wg.jacobian(f, sparse=True)(x).toarray(), wg.jacobian(f)(x))


def test_the_store_is_bounded(rng):
    from wengert.sparse.decide import Options
    from wengert.sparse.record import Run

    store = Plans(capacity=3)
    for n in range(3, 12):
        store.find(Run(chain, (rng.normal(size=n),), {}), Options())
    assert len(store._families) == 3
    store = Plans(most_bytes=1)
    for n in range(3, 6):
        store.find(Run(chain, (rng.normal(size=n),), {}), Options())
    assert len(store._families) == 1


@pytest.mark.parametrize("mode", ["auto", "columns", "rows", "both"])
def test_pickling_and_saving(mode, tmp_path, rng):
    x = rng.normal(size=7)
    plan = wg.plan_jacobian(chain, x, mode=mode)
    expected = wg.jacobian(chain)(x)
    again = pickle.loads(pickle.dumps(plan))
    assert np.allclose(again(x).toarray(), expected)
    path = tmp_path / "plan.wengert"
    plan.save(path)
    loaded = wg.Plan.load(path)
    assert np.allclose(loaded(x).toarray(), expected)
    assert str(loaded) == str(plan)
    assert b"pickle" not in path.read_bytes()


@pytest.mark.parametrize("mode", ["auto", "star", "acyclic"])
def test_saving_hessian_plans(mode, tmp_path, rng):
    f = lambda x: np.sum(x[1:] ** 2 * x[:-1])
    x = rng.normal(size=6)
    plan = wg.plan_hessian(f, x, mode=mode)
    plan.save(tmp_path / "plan")
    assert np.allclose(wg.Plan.load(tmp_path / "plan")(x).toarray(), wg.hessian(f)(x))


def test_saving_structures(tmp_path):
    f = lambda p: {"a": p["x"] * p["y"][0], "b": (p["x"], p["y"])}
    point = {"x": np.arange(3.0), "y": [np.arange(3.0)]}
    plan = wg.plan_jacobian(f, point)
    plan.save(tmp_path / "plan")
    loaded = wg.Plan.load(tmp_path / "plan")(point)
    assert np.array_equal(loaded["a"]["y"][0].toarray(), np.diag(np.arange(3.0)))
    assert np.array_equal(loaded["b"][0]["x"].toarray(), np.eye(3))


class Point(NamedTuple):
    """A kind of structure that is code."""

    x: object
    y: object


def test_a_plan_for_structures_that_are_code_is_not_saved(tmp_path):
    plan = wg.plan_jacobian(lambda p: p.x * p.y, Point(np.ones(2), np.ones(2)))
    with pytest.raises(wg.errors.StructureError, match="of type Point cannot be saved"):
        plan.save(tmp_path / "plan")


def test_a_file_that_is_no_plan(tmp_path):
    path = tmp_path / "nothing"
    path.write_bytes(b"not a plan")
    with pytest.raises(wg.errors.ArgumentError, match="is not a saved plan of this version"):
        wg.Plan.load(path)


def test_a_local_plan_needs_its_function(tmp_path):
    f = lambda x: x**2 if x[0] > 0 else x
    plan = wg.plan_jacobian(f, np.ones(3))
    plan.save(tmp_path / "plan")
    with pytest.raises(wg.errors.ArgumentError, match="loaded without its function"):
        wg.Plan.load(tmp_path / "plan")(np.ones(3))
    loaded = wg.Plan.load(tmp_path / "plan", f)
    assert np.array_equal(loaded(-np.ones(3)).toarray(), np.eye(3))


def test_wrong_shapes_are_shown_argument_by_argument():
    plan = wg.plan_jacobian(lambda x, p: x * p[0], np.ones(4), np.ones(2), argnums=(0, 1))
    with pytest.raises(wg.errors.ShapeError) as caught:
        plan(np.ones(4), np.ones(3))
    message = str(caught.value)
    assert "✓ argument 0: given float64[4], planned for float64[4]" in message
    assert "✗ argument 1: given float64[3], planned for float64[2]" in message


def test_the_same_arrays_in_another_structure_are_refused():
    """All arguments had a tick."""
    plan = wg.plan_jacobian(lambda x: x[0] ** 2, [np.ones(2)])
    for _ in range(2):
        with pytest.raises(wg.errors.ShapeError, match="✗ nesting: the same arrays, in other lists"):
            plan(np.ones(2))
        assert np.array_equal(plan([np.ones(2)])[0].toarray(), 2 * np.eye(2))


def test_other_arguments_are_noticed(rng):
    f = lambda x, scale: scale * x[::-1] ** 2
    x = rng.normal(size=4)
    plan = wg.plan_jacobian(f, x, 2.0)
    assert np.allclose(plan(x, 2.0).toarray(), wg.jacobian(f)(x, 2.0))
    assert np.allclose(plan(x, 5.0).toarray(), wg.jacobian(f)(x, 5.0))
    weights = rng.normal(size=4)
    plan = wg.plan_jacobian(f, x, weights)
    assert np.allclose(plan(x, -weights).toarray(), wg.jacobian(f)(x, -weights))
    plan(x, weights)
    weights *= 3.0  # in place
    assert np.allclose(plan(x, weights).toarray(), wg.jacobian(f)(x, weights))


def test_what_a_plan_prints():
    plan = wg.plan_jacobian(chain, np.ones(2000))
    text = str(plan)
    for part in (
        "Jacobian of chain: float64[2000] -> float64[1999]",
        "3998 entries (0.1 %)",
        "48 KB in CSR form, 32 MB dense",
        "pattern   global",
        "structured accumulation, forward",
        "column colouring: at least 2 passes",
        "dense: 1999 passes",
        "and bytes at once",
    ):
        assert part in text
    taken = {choice.name: choice.nbytes for choice in plan.recipe.choices}
    assert 3998 * 8 <= taken["structured accumulation, forward"] < 10 * 3998 * 8
    assert taken["column colouring"] < taken["dense"] and taken["dense"] > 1999 * 2000 * 8
    small = wg.plan_jacobian(chain, np.ones(2000), max_bytes=40_000)
    assert small.recipe.choices[-1].nbytes < taken["dense"] - 10_000_000
    assert repr(plan) == "<Plan: structured accumulation, forward, 1999 x 2000, 3998 entries, global>"
    assert plan._repr_html_().startswith("<pre>Jacobian of chain")
    assert "at least" not in str(wg.plan_jacobian(chain, np.ones(9), mode="columns"))


def test_a_given_pattern_is_used_for_colours(rng):
    x = rng.normal(size=6)
    band = np.eye(5, 6) + np.eye(5, 6, 1)
    for given in (band, np.ones((5, 6))):
        plan = wg.plan_jacobian(chain, x, pattern=given)
        assert plan.nnz == np.count_nonzero(given)
        assert np.allclose(plan(x).toarray(), wg.jacobian(chain)(x))
    H = wg.plan_hessian(lambda x: np.sum(x**3), x, pattern=np.eye(6))
    assert np.allclose(H(x).toarray(), np.diag(6 * x))


def test_a_wrong_pattern_is_reported_and_not_used(rng):
    x = rng.normal(size=6)
    with pytest.raises(
        wg.errors.WrongPattern, match=r"the given pattern misses entries: row 0 .* \(5 of 5 rows differ\)"
    ):
        wg.plan_jacobian(chain, x, pattern=np.eye(5, 6))
    almost = np.eye(5, 6) + np.eye(5, 6, 1)
    almost[3, 4] = 0
    with pytest.raises(wg.errors.WrongPattern, match="row 3 "):
        wg.plan_jacobian(chain, x, pattern=almost)
    with pytest.raises(wg.errors.ShapeError, match=r"has shape \(6, 6\), but the matrix has \(5, 6\)"):
        wg.plan_jacobian(chain, x, pattern=np.eye(6))
    with pytest.raises(wg.errors.ShapeError, match="a sparsity pattern has two axes"):
        wg.plan_jacobian(chain, x, pattern=np.ones(6))


def test_options_that_do_not_exist():
    with pytest.raises(wg.errors.ArgumentError, match="mode is one of auto, structured, forward"):
        wg.plan_jacobian(chain, np.ones(3), mode="sideways")
    with pytest.raises(wg.errors.ArgumentError, match="mode 'star' is for symmetric matrices"):
        wg.plan_jacobian(chain, np.ones(3), mode="star")
    with pytest.raises(wg.errors.ArgumentError, match="sparse is False, True or 'auto', not 'yes'"):
        wg.jacobian(chain, sparse="yes")
    with pytest.raises(wg.errors.ArgumentError, match="max_bytes is a positive int or None, not 0"):
        wg.jacobian(chain, max_bytes=0)
    with pytest.raises(
        wg.errors.ArgumentError, match="mode='structured': structured accumulation, forward is not possible"
    ):
        wg.plan_jacobian(lambda x: np.fft.rfft(x).real, np.ones(4), mode="structured")
    with pytest.raises(wg.errors.ArgumentError, match="does not exist for complex numbers here"):
        wg.plan_jacobian(lambda z: z**2, np.ones(3, complex), mode="rows")


def test_results_that_have_no_derivative():
    with pytest.raises(wg.errors.DtypeError, match="the function returned int64, which has no derivative"):
        wg.jacobian(lambda x: np.argsort(x), sparse=True)(np.ones(3))
    with pytest.raises(wg.errors.ShapeError, match="a sparse Hessian is that of one number"):
        wg.hessian(lambda x: x, sparse=True)(np.ones(3))
    with pytest.raises(wg.errors.DtypeError, match="that of a real function of real numbers"):
        wg.hessian(lambda z: np.sum(np.abs(z)), sparse=True)(np.ones(3, complex))
    with pytest.raises(wg.errors.StructureError, match="the function returned str"):
        wg.jacobian(lambda x: "text", sparse=True)(np.ones(3))
    with pytest.raises(wg.errors.StructureError, match="returned nothing to differentiate"):
        wg.jacobian(lambda x: None, sparse=True)(np.ones(3))
    with pytest.raises(wg.errors.StructureError, match="with has_aux=True the function returns a pair"):
        wg.jacobian(lambda x: x, has_aux=True, sparse=True)(np.ones(3))


def test_a_sparse_result_inside_another_derivative_is_refused():
    def outer(y):
        return np.sum(wg.jacobian(lambda x: x**2, sparse=True)(y).toarray())

    with pytest.raises(wg.errors.TraceLost, match="at a tensor that an enclosing derivative tracks"):
        wg.grad(outer)(np.ones(2))

    def closing(y):
        return np.sum(wg.jacobian(lambda x: x * y, sparse=True)(np.ones(2)).toarray())

    with pytest.raises(wg.errors.TraceLost, match="reads a tensor that an enclosing derivative tracks"):
        wg.grad(closing)(np.ones(2))


def test_a_sparse_result_inside_a_trace_is_refused():
    J = wg.jacobian(lambda x: x**2, sparse=True)
    with pytest.raises(wg.errors.TraceLost, match=r"without a value, inside of vmap[\s\S]*a loop instead of vmap"):
        wg.vmap(J)(np.ones((2, 3)))
    with pytest.warns(
        wg.errors.NotCompiled, match="a sparse result was asked for inside of a function that jit records"
    ):
        assert np.array_equal(wg.jit(lambda x: J(x) @ x)(np.ones(3)), 2 * np.ones(3))


def test_auto_is_dense_where_something_around_goes_on_with_it(rng):
    x = rng.normal(size=200)
    auto = wg.jacobian(lambda x: np.sin(x) * x, sparse="auto", mode="columns")
    assert scipy.sparse.issparse(auto(x))
    assert np.allclose(wg.grad(lambda x: np.sum(auto(x)))(x), 2 * np.cos(x) - x * np.sin(x))
    assert wg.vmap(auto)(x.reshape(2, 100)).shape == (2, 100, 100)
    assert np.allclose(wg.jit(lambda x: auto(x) @ x)(x), auto(x) @ x)
    second = wg.hessian(lambda x: np.sum(x**3), sparse="auto")
    assert scipy.sparse.issparse(second(x))
    assert np.allclose(wg.grad(lambda x: np.sum(second(x)))(x), 6.0)
    both = wg.value_and_jacobian(lambda x: x**3, sparse="auto")
    assert np.allclose(wg.grad(lambda x: np.sum(both(x)[1]))(x), 6 * x)


def test_jit_of_a_plan_compiles_that_plan(tmp_path, rng):
    """It compiled the plan that the function would have got at that time."""
    mask = np.arange(6) % 2 == 0
    f = lambda x: np.where(mask, x**2, x[::-1])
    x = rng.normal(size=6)
    plan = wg.plan_jacobian(f, x)
    expected = plan(x).toarray()
    mask[:] = True
    assert np.array_equal(wg.jit(plan.values)(x), plan.values(x))
    assert np.array_equal(wg.jit(plan)(x).toarray(), expected)
    plan.save(tmp_path / "plan")
    assert np.array_equal(wg.jit(wg.Plan.load(tmp_path / "plan"))(x).toarray(), expected)
    given = wg.plan_jacobian(chain, x, pattern=np.ones((5, 6)))
    with pytest.warns(wg.errors.NotCompiled, match="a sparse derivative by column colouring"):
        assert len(wg.jit(given.values)(x)) == given.nnz == 30


def test_a_value_with_a_sparse_derivative_under_jit():
    """jit gave the matrix alone."""
    x = np.array([1.0, 2.0])
    with pytest.warns(wg.errors.NotCompiled, match="a value together with a sparse derivative"):
        value, J = wg.jit(wg.value_and_jacobian(lambda x: x**3, sparse=True))(x)
    assert np.array_equal(value, [1.0, 8.0]) and np.array_equal(J.diagonal(), [3.0, 12.0])
    with pytest.warns(wg.errors.NotCompiled, match="a value together with a sparse derivative"):
        value, gradient, H = wg.jit(wg.value_grad_and_hessian(lambda x: np.sum(x**3), sparse=True))(x)
    assert float(value) == 9.0 and np.array_equal(gradient, [3.0, 12.0]) and np.array_equal(H.diagonal(), [6.0, 12.0])


def test_a_setting_that_has_no_structure_is_refused():
    from wengert.primitives.elementwise import round_
    from wengert.recording import apply

    f = lambda x: apply(round_, (x,), {"decimals": np.array(1)}) + x
    with pytest.raises(wg.errors.UnsupportedFunction, match="a setting of an operation cannot be part of a structure"):
        wg.jacobian(f, sparse=True)(np.ones(3))


def test_a_changed_result_does_not_change_the_plan(rng):
    x = rng.normal(size=5)
    J = wg.jacobian(chain, sparse=True)
    first = J(x)
    first.indices[:] = 0
    first.data[:] = 0
    assert np.allclose(J(x).toarray(), wg.jacobian(chain)(x))
