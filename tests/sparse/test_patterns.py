"""Detected patterns against patterns by hand: exact on the textbook set, in every mode; honest labels."""

from __future__ import annotations

import numpy as np
import pytest
from textbook import TEXTBOOK

import wengert as wg
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
