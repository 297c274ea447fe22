"""Detected patterns against patterns by hand: exact on the textbook set, in every mode; honest labels."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import diags_array, random_array
from textbook import TEXTBOOK

import wengert as wg
from wengert.scipy import ndimage, signal
from wengert.sparse.plans import plans


@pytest.fixture(autouse=True)
def fresh():
    plans.clear()


@pytest.mark.parametrize("name", TEXTBOOK)
@pytest.mark.parametrize("mode", ["auto", "columns", "rows"])
def test_the_pattern_is_the_one_by_hand(name, mode, rng):
    function, n, by_hand = TEXTBOOK[name]
    plan = wg.plan_jacobian(function, rng.normal(size=n), mode=mode)
    assert np.array_equal(plan.pattern.toarray(), by_hand(n))
    assert plan.label == "global"


@pytest.mark.parametrize("name", TEXTBOOK)
def test_detection_alone_agrees_with_structured_accumulation(name, rng):
    from wengert.sparse.evaluate import Known
    from wengert.sparse.pattern import detect
    from wengert.sparse.record import Run
    from wengert.transforms.derive import forward_program, reverse_program

    function, n, by_hand = TEXTBOOK[name]
    run = Run(function, (rng.normal(size=n),), {})
    program = run.program([])
    for derive, turn in ((forward_program, lambda p: p), (reverse_program, lambda p: p.T)):
        linear = derive(program, [0])
        found, indexed = detect(linear, 1, Known(linear, run.inputs))
        assert np.array_equal(turn(found.toarray()), by_hand(n))
        assert indexed == []


A = np.arange(1.0, 13.0).reshape(3, 4)
S = random_array((7, 12), density=0.2, random_state=np.random.default_rng(1), format="csr")


def filled_in_a_loop(x):
    y = np.zeros_like(x)
    for i in range(1, len(x) - 1):
        y[i] = x[i - 1] - 2 * x[i] + x[i + 1] ** 2
    return y


def updated_in_a_loop(x):
    y = x.copy()
    for i in range(len(x)):
        y[i] += np.sin(x[(i + 3) % len(x)])
    return y


def swept_in_place(x):
    y = x * 1.0
    for i in range(1, len(x)):
        y[i] = y[i] * 0.5 + 0.1 * y[i - 1]
    return y


EVERYDAY = {
    "filled in a loop": filled_in_a_loop,
    "updated in a loop": updated_in_a_loop,
    "swept in place": swept_in_place,
    "where": lambda x: np.where(x > 0, x**2, np.roll(x, 1)),
    "roll": lambda x: np.roll(x.reshape(3, 4), (1, -1), axis=(0, 1)) * x.reshape(3, 4),
    **{
        f"pad, {mode}": lambda x, mode=mode: np.pad(x, 2, mode=mode) ** 2
        for mode in ("constant", "edge", "reflect", "symmetric", "wrap", "mean")
    },
    **{
        f"{name}, {mode}": lambda x, mode=mode, name=name: getattr(np, name)(x, [1.0, -2.0, 3.0], mode)
        for mode in ("full", "same", "valid")
        for name in ("convolve", "correlate")
    },
    "diff": lambda x: np.diff(x.reshape(3, 4), axis=0) ** 2,
    "gradient": lambda x: np.stack(np.gradient(x.reshape(3, 4) ** 2)),
    "gradient, second order edges": lambda x: np.gradient(x, np.arange(12.0) ** 1.5, edge_order=2),
    "einsum, matrix": lambda x: np.einsum("ij,kj->ik", x.reshape(3, 4), A),
    "einsum, diagonal": lambda x: np.einsum("ii->i", x[:9].reshape(3, 3)),
    "einsum, batched": lambda x: np.einsum("bij,bj->bi", np.ones((4, 2, 3)), x.reshape(4, 3)),
    "einsum, itself": lambda x: np.einsum("ij,ij->i", x.reshape(3, 4), x.reshape(3, 4)),
    "sparse matrix": lambda x: S @ np.sin(x),
    "sparse matrix, other formats": lambda x: S.tocsc() @ x**2 + S.tocoo() @ x + S.todia() @ x,
    "sparse matrix from the right": lambda x: x @ S.T,
    "diagonals": lambda x: diags_array([np.ones(11), np.ones(12)], offsets=[1, 0]) @ x**2,
    "ndimage": lambda x: ndimage.convolve1d(x, [1.0, 2.0, 4.0]),
    "ndimage, laplace": lambda x: ndimage.laplace(x.reshape(3, 4) ** 2, mode="wrap"),
    "ndimage, gaussian": lambda x: ndimage.gaussian_filter1d(x, 0.5, truncate=2.0),
    "signal": lambda x: signal.convolve2d(x.reshape(3, 4), np.ones((2, 2)), mode="same"),
    "signal, finite response": lambda x: signal.lfilter([1.0, 0.5], [1.0], x),
    "fft along rows": lambda x: np.fft.rfft(x.reshape(4, 3), axis=1).real,
    "interpolation": lambda x: np.interp(x, np.linspace(-9, 9, 9), np.linspace(-9, 9, 9) ** 2),
    "cross products": lambda x: np.cross(x.reshape(4, 3), np.roll(x, 1).reshape(4, 3)),
    "small systems": lambda x: np.linalg.solve(x[:8].reshape(2, 2, 2) + 9 * np.eye(2), x[8:].reshape(2, 2, 1)),
    "determinants": lambda x: np.linalg.det(x.reshape(3, 2, 2)),
    "rows by name": lambda x: np.apply_along_axis(np.cumsum, 1, x.reshape(3, 4)),
    "triangle": lambda x: np.triu(x[:9].reshape(3, 3)) ** 2,
    "mask": lambda x: np.where(np.arange(12) % 3 == 0, x[::-1], x**2),
}


@pytest.mark.parametrize("name", EVERYDAY)
def test_patterns_of_everyday_code_are_exact(name):
    """Against the entries that are not zero somewhere among random points; the numbers against the dense way."""
    function = EVERYDAY[name]
    points = np.random.default_rng(5).normal(size=(12, 12))
    full = [wg.jacobian(function)(x).reshape(-1, 12) for x in points]
    plan = wg.plan_jacobian(function, points[0])
    assert plan.label == "global"
    assert np.array_equal(plan.pattern.toarray(), np.any(np.abs(full) > 1e-12, axis=0))
    for x, expected in zip(points[:3], full):
        assert np.allclose(plan(x).toarray(), expected, rtol=1e-10, atol=1e-12)


def test_zero_values_do_not_change_the_pattern():
    f = lambda x: x[1:] * x[:-1]
    plan = wg.plan_jacobian(f, np.zeros(5))
    assert plan.nnz == 8
    J = wg.jacobian(f, sparse=True)(np.zeros(5))
    assert J.nnz == 8 and not J.toarray().any()


def test_nothing_cancels():
    # the derivative of x - x is zero, and of x + (-x) too: the pattern still has the diagonal
    plan = wg.plan_jacobian(lambda x: x - x + x[::-1], np.ones(4))
    assert np.array_equal(plan.pattern.toarray(), np.eye(4, dtype=bool) | np.eye(4, dtype=bool)[::-1])


def test_sorting_is_local_and_replanned_when_the_order_changes():
    f = lambda x: np.sort(x) ** 2
    plan = wg.plan_jacobian(f, np.array([3.0, 1.0, 2.0]))
    assert plan.label == "local"
    assert np.array_equal(plan.pattern.toarray(), np.eye(3, dtype=bool)[[1, 2, 0]])
    x = np.array([1.0, 3.0, 2.0])
    assert np.array_equal(plan(x).toarray(), wg.jacobian(f)(x))
    assert plan.replans == 1


def test_a_branch_is_local_and_replanned_when_it_is_taken_otherwise():
    def f(x):
        return x[::-1] * x if x[0] > 0 else np.cumsum(x)

    up, down = np.array([1.0, 2.0, 3.0]), np.array([-1.0, 2.0, 3.0])
    plan = wg.plan_jacobian(f, up)
    assert plan.label == "local"
    for x in (up, down, up, down):
        assert np.array_equal(plan(x).toarray(), wg.jacobian(f)(x))
    assert plan.replans == 3
    J = wg.jacobian(f, sparse=True)
    for x in (up, down, up):
        assert np.array_equal(J(x).toarray(), wg.jacobian(f)(x))


def test_a_mask_as_index_is_local():
    f = lambda x: np.sum(x[x > 0] ** 2) * x
    plan = wg.plan_jacobian(f, np.array([1.0, -1.0, 2.0]))
    assert plan.label == "local"
    for x in (np.array([1.0, -1.0, 2.0]), np.array([-1.0, 1.0, 2.0]), np.array([1.0, 1.0, 1.0])):
        assert np.allclose(plan(x).toarray(), wg.jacobian(f)(x))


def test_masks_are_part_of_the_structure_until_they_change(rng):
    x = rng.normal(size=8)
    plans.made = 0
    for k in range(5):
        mask = np.arange(8) % 3 == k % 3
        f = lambda x: np.where(mask, x**2, 0.0) + np.where(mask, 0.0, np.roll(x, 1))
        J = wg.jacobian(f, sparse=True)(x)
        assert np.array_equal(J.toarray(), wg.jacobian(f)(x))
        assert J.nnz == (8 if k == 0 else 16)
    assert plans.made == 2
    for mode in ("columns", "rows", "structured", "reverse"):
        plan = wg.plan_jacobian(lambda x: np.where(mask, x**2, x[::-1]), x, mode=mode)
        assert plan.nnz == 8 and np.array_equal(plan.pattern.toarray(), plan(x).toarray() != 0)


def test_a_mask_on_what_all_elements_share_is_summed(rng):
    """One entry, not one for each element of the mask."""
    mask = np.arange(1000) % 3 == 0
    plan = wg.plan_jacobian(lambda x: np.sum(np.where(mask, x[0] * np.arange(1000.0), 0.0)) * x, rng.normal(size=3))
    assert plan.nnz == 5 and len(plan.recipe.evaluator.assembly.stores) < 6


def test_where_is_global():
    f = lambda x: np.where(x > 0, x**2, x[::-1])
    plan = wg.plan_jacobian(f, np.array([1.0, -1.0]))
    assert plan.label == "global"
    for x in (np.array([1.0, -1.0]), np.array([-1.0, 1.0])):
        assert np.array_equal(plan(x).toarray(), wg.jacobian(f)(x))


@pytest.mark.parametrize(
    ("function", "by_hand"),
    [
        (
            lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2),
            lambda n: np.tri(n, k=1, dtype=bool) & ~np.tri(n, k=-2, dtype=bool),
        ),
        (lambda x: np.sum(x**4), lambda n: np.eye(n, dtype=bool)),
        (lambda x: np.sum(x) ** 2, lambda n: np.ones((n, n), bool)),
        (lambda x: np.sum(np.arange(6.0) * x), lambda n: np.zeros((n, n), bool)),
        (
            lambda x: np.prod(x[:2]) + np.sin(x[5]),
            lambda n: np.array([[(i != j and max(i, j) < 2) or i == j == 5 for j in range(n)] for i in range(n)]),
        ),
        (
            lambda x: x[0] * np.sum(x[1:]),
            lambda n: np.array([[(i == 0) != (j == 0) for j in range(n)] for i in range(n)]),
        ),
    ],
)
@pytest.mark.parametrize("mode", ["auto", "columns", "star", "acyclic"])
def test_hessian_patterns(function, by_hand, mode, rng):
    x = rng.normal(size=6)
    plan = wg.plan_hessian(function, x, mode=mode)
    # a product of two elements has no second derivative by one of them; more than that is not asked of a pattern
    assert np.array_equal(plan.pattern.toarray(), by_hand(6))
    assert np.allclose(plan(x).toarray(), wg.hessian(function)(x), atol=1e-10)
