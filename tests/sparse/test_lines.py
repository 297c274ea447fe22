"""Lines that are no plain reindexing: convolutions, sparse operands, transforms, solutions, loops and custom rules.

Their patterns are exact where the structure says so and conservative elsewhere; their entries are the dense ones.
"""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
from textbook import banded

import wengert as wg
from wengert.scipy import signal, special
from wengert.scipy import sparse as operands
from wengert.sparse.evaluate import Known
from wengert.sparse.pattern import detect
from wengert.sparse.plans import plans
from wengert.sparse.record import Run
from wengert.transforms.derive import forward_program


@pytest.fixture(autouse=True)
def fresh():
    plans.clear()


MATRIX = scipy.sparse.random_array((5, 6), density=0.4, random_state=np.random.default_rng(3), format="csr")
STEPS = np.linspace(0.1, 0.5, 4)


def scanned(x):
    return wg.scan(lambda state, h: (state + h * np.sin(state) * x[0], state[1:] * h), x, STEPS)


def looped(x):
    return wg.while_loop(lambda s: s[1][0] < 3.0, lambda s: (s[0] * np.cos(s[0]), s[1] + 1.0), (x, np.zeros(1)))[0]


CASES = {
    "convolution with a known kernel": (
        lambda x: np.convolve(x, [1.0, 2.0, 3.0]),
        6,
        lambda: banded(6, [-2, -1, 0], 8),
    ),
    "convolution of two halves": (lambda x: np.convolve(x[:2], x[2:]), 5, None),
    "valid convolution": (lambda x: np.convolve(x, [1.0, -2.0, 1.0], "valid"), 6, lambda: banded(6, [0, 1, 2], 4)),
    "image stencil": (
        lambda x: signal.correlate(x.reshape(3, 4), np.arange(4.0).reshape(2, 2), "valid").ravel(),
        12,
        None,
    ),
    "sparse matrix": (lambda x: MATRIX @ np.sin(x), 6, lambda: MATRIX.toarray() != 0),
    "transposed sparse matrix": (lambda x: MATRIX.T @ (x[:5] ** 2), 5, lambda: MATRIX.T.toarray() != 0),
    "sparse matrix times columns": (lambda x: (MATRIX @ np.stack([x, x**2], 1)).ravel(), 6, None),
    "transform along rows": (
        lambda x: np.fft.rfft(x.reshape(2, 4), axis=1).real.ravel(),
        8,
        lambda: np.kron(np.eye(2), np.ones((3, 4))) != 0,
    ),
    "transform along columns": (
        lambda x: np.fft.fft(x.reshape(2, 4), axis=0).imag.ravel(),
        8,
        lambda: np.tile(np.eye(4), (2, 2)) != 0,
    ),
    "solutions of stacked systems": (
        lambda x: np.linalg.solve(np.stack([np.eye(2) + 0.1, np.eye(2) * 2]), x.reshape(2, 2, 1)).ravel(),
        4,
        lambda: np.kron(np.eye(2), np.ones((2, 2))) != 0,
    ),
    "inverse of stacked matrices": (
        lambda x: np.linalg.inv(x.reshape(2, 2, 2) + 3 * np.eye(2)).ravel(),
        8,
        lambda: np.kron(np.eye(2), np.ones((4, 4))) != 0,
    ),
    "softmax of rows": (
        lambda x: special.softmax(x.reshape(2, 3), axis=1).ravel(),
        6,
        lambda: np.kron(np.eye(2), np.ones((3, 3))) != 0,
    ),
    "loop of known length": (lambda x: np.concatenate([scanned(x)[0], scanned(x)[1].ravel()]), 3, None),
    "while loop": (looped, 4, lambda: np.eye(4, dtype=bool)),
    "choice": (lambda x: wg.cond(np.sum(x) > 0, lambda v: v**2, lambda v: v[::-1] * 2.0, x), 3, None),
    "checkpoint": (lambda x: wg.checkpoint(lambda v: np.sin(v[1:]) * v[:-1])(x), 4, lambda: banded(4, [0, 1], 3)),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("mode", ["auto", "columns", "rows"])
def test_entries_are_the_dense_ones(name, mode, rng):
    function, n, by_hand = CASES[name]
    x = rng.normal(size=n)
    expected = wg.jacobian(function)(x)
    plan = wg.plan_jacobian(function, x, mode=mode)
    assert np.allclose(plan(x).toarray(), expected, atol=1e-12)
    if by_hand is not None:
        assert np.array_equal(plan.pattern.toarray(), by_hand())
    # the pattern covers the Jacobian at other points too
    for _ in range(3):
        other = rng.normal(size=n)
        if plan.label == "global":
            assert not wg.jacobian(function)(other)[~plan.pattern.toarray()].any()


@pytest.mark.parametrize("name", CASES)
def test_detection_without_writing_loops_out(name, rng):
    """The rules for lines that hold Programs, on the Program as it was recorded."""
    function, n, by_hand = CASES[name]
    run = Run(function, (rng.normal(size=n),), {})
    dynamic = [i for i, c in enumerate(run.captures) if np.asarray(c).dtype.kind == "f" and np.ndim(c)]
    point = [*run.inputs, *(run.captures[i] for i in dynamic)]
    linear = forward_program(run.program(dynamic), [0])
    found, _ = detect(linear, len(point), Known(linear, point))
    expected = wg.jacobian(function)(run.inputs[0])
    assert not expected[~found.toarray()].any()
    if by_hand is not None:
        assert np.array_equal(found.toarray(), by_hand())


def test_hessians_through_loops_and_products(rng):
    for function, n in (
        (lambda x: np.sum(scanned(x)[0] ** 2), 3),
        (lambda x: np.sum((MATRIX @ x**2) ** 2), 6),
        (lambda x: np.sum(np.convolve(x, x) ** 2), 4),
        (lambda x: np.sum(looped(x) ** 3), 3),
    ):
        x = rng.normal(size=n)
        assert np.allclose(wg.hessian(function, sparse=True)(x).toarray(), wg.hessian(function)(x), atol=1e-9)


def test_a_sparse_operand_may_change_its_numbers(rng):
    x = rng.normal(size=6)
    for _ in range(3):
        matrix = MATRIX.copy()
        matrix.data = rng.normal(size=matrix.nnz)
        f = lambda x: matrix @ x**2
        assert np.allclose(wg.jacobian(f, sparse=True)(x).toarray(), matrix.toarray() * (2 * x))


def test_the_entries_of_a_sparse_operand_as_arguments(rng):
    x = rng.normal(size=6)

    def f(data):
        return operands.csr_array((data, MATRIX.indices, MATRIX.indptr), shape=MATRIX.shape) @ x

    found = wg.jacobian(f, sparse=True)(MATRIX.data)
    assert found.nnz == MATRIX.nnz
    assert np.allclose(found.toarray(), wg.jacobian(f)(MATRIX.data))


def test_a_rule_of_ones_own_decides_the_pattern_not_the_values(rng):
    """A straight-through rule: the value has no slope, the rule says the slope is 1 (asdex once gave zeros here)."""
    round_through = wg.straight_through(np.round)
    x = rng.normal(size=4)
    J = wg.jacobian(lambda x: round_through(x) * 2.0, sparse=True)(x)
    assert np.array_equal(J.toarray(), 2 * np.eye(4))


def test_a_stopped_gradient_is_not_in_the_pattern():
    J = wg.jacobian(lambda x: wg.stop_gradient(x) * x[::-1], sparse=True)(np.arange(3.0))
    assert J.nnz == 3
