"""Random functions: every derivative by every way agrees with differences and with every other way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from programs import RandomFunction, as_list, random_arguments, seeded

import wengert as wg
from wengert.program import Slot, trace
from wengert.testing import check_derivatives

COMMON = {"deadline": None, "derandomize": True, "suppress_health_check": list(HealthCheck)}


@st.composite
def problems(draw, traceable=False):
    def choose(n):
        return draw(st.integers(0, n - 1))

    count = 1 + choose(2)
    function = RandomFunction(choose, 1 + choose(8), count, traceable)
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return function, random_arguments(choose, generator, count)


def close(found, expected, tolerance=1e-11):
    for a, b in zip(found, expected, strict=True):
        a, b = (x.numpy() if isinstance(x, wg.Tensor) else np.asarray(x) for x in (a, b))
        assert a.shape == b.shape
        scale = max(1.0, float(np.max(np.abs(b), initial=0)))
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * scale)


@settings(max_examples=60, **COMMON)
@given(problems())
def test_all_laws(problem):
    function, args = problem
    report = check_derivatives(function, *args)
    assert report.ok, str(report)


@settings(max_examples=40, **COMMON)
@given(problems())
def test_forward_equals_reverse_whole_and_in_chunks(problem):
    function, args = problem
    numbers = tuple(range(len(args)))

    def one(*values):
        return as_list(function(*values))[0]

    reverse = wg.jacobian(one, numbers, mode="reverse")(*args)
    for options in (
        {"mode": "forward"},
        {"mode": "auto"},
        {"mode": "reverse", "chunk_size": 2},
        {"mode": "forward", "chunk_size": 1},
    ):
        close(wg.jacobian(one, numbers, **options)(*args), reverse)


@settings(max_examples=40, **COMMON)
@given(problems(traceable=True))
def test_a_traced_program_equals_the_eager_run(problem):
    function, args = problem
    expected = as_list(function(*args))
    program = trace(lambda *values: as_list(function(*values)), [Slot.of(x) for x in args])
    close(program(*args), expected, 1e-14)
    close(as_list(function(*map(wg.Tensor, args))), expected, 1e-14)
    assert [slot.shape for slot in program.output_slots] == [np.shape(x) for x in expected]
    # the recorded run of the Program has the function's derivatives
    gradient = wg.grad(lambda *values: np.sum(program(*values)[0]), tuple(range(len(args))))(*args)
    close(gradient, wg.grad(lambda *values: np.sum(as_list(function(*values))[0]), tuple(range(len(args))))(*args))


@settings(max_examples=30, **COMMON)
@given(problems(traceable=True))
def test_batched_equals_a_loop(problem):
    function, args = problem
    batches = [np.stack([x, 0.9 * x, -0.8 * x]) for x in args]
    together = as_list(wg.vmap(function)(*batches))
    single = [as_list(function(*(b[k] for b in batches))) for k in range(3)]
    close(together, [np.stack([row[i] for row in single]) for i in range(len(together))])
    gradient = wg.grad(lambda *values: np.sum(as_list(function(*values))[0]))
    close([wg.vmap(gradient)(*batches)], [np.stack([gradient(*(b[k] for b in batches)) for k in range(3)])])
    # and differentiated from outside
    outer = wg.grad(lambda *values: np.sum(as_list(wg.vmap(function)(*values))[0]))(*batches)
    close([outer], [np.stack([gradient(*(b[k] for b in batches)) for k in range(3)])])


@settings(max_examples=30, **COMMON)
@given(problems())
def test_the_tape_equals_the_functions(problem):
    function, args = problem
    tensors = [wg.Tensor(x) for x in args]
    with wg.GradientTape(persistent=True) as tape:
        for tensor in tensors:
            tape.watch(tensor)
        target = np.sum(as_list(function(*tensors))[0])
    found = tape.gradient(target, tensors, unconnected_gradients="zero")
    expected = wg.grad(lambda *values: np.sum(as_list(function(*values))[0]), tuple(range(len(args))))(*args)
    close(found, expected)


@pytest.mark.parametrize("block", range(8))
def test_no_false_alarm(block):
    """200 right functions: the checker finds nothing wrong with any of them."""
    for seed in range(25 * block, 25 * block + 25):
        function, args = seeded(1000 + seed)
        report = check_derivatives(function, *args, seed=seed)
        assert report.ok, f"seed {seed}\n{function}\n{report}"


# Functions that a longer search found something with, and what that was.
FOUND = {
    66: "sparse: intermediates without elements",
    730: "sparse: a concatenation of stacked numbers missed entries of the pattern",
    822: "sparse: a part of a buffer after a running sum over one element",
    2148: "sparse: terms that became equal were dropped instead of added",
    2908: "sparse: terms that became equal were dropped instead of added",
    4226: "the check took rounding of a derivative that is zero for an error",
    7284: "the check took rounding of a derivative that is zero for an error",
    4852: "the check took rounding of a derivative that is zero for an error",
}


@pytest.mark.parametrize("seed", FOUND, ids=[f"{seed}, {what}" for seed, what in FOUND.items()])
def test_what_a_search_found_stays_right(seed):
    function, args = seeded(seed)
    report = check_derivatives(function, *args)
    assert report.ok, f"{function}\n{report}"


@pytest.mark.slow
def test_no_false_alarm_on_many():
    for seed in range(2000):
        function, args = seeded(10_000 + seed, length=12)
        report = check_derivatives(function, *args, seed=seed)
        assert report.ok, f"seed {seed}\n{function}\n{report}"
