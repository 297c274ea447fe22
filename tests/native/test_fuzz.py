"""Random Programs and functions: native code against NumPy. Some 600 in every run, 24,000 with `make fuzz`.

`make fuzz FUZZ_SEED=7` draws others. What fails prints its seed.
"""

import collections
import os

import numpy as np
import pytest
from native_functions import check
from native_fuzzing import compare, run_native
from native_looping import random_loop
from native_programs import Generator

import wengert as wg
from wengert.differentiation.jit_record import record
from wengert.execute.interpret import compile_numpy
from wengert.execute.native import kernel, rolling
from wengert.execute.native.build import lower
from wengert.execute.native.hybrid import constants
from wengert.execute.native.prepare import prepare

FIRST = 1_000_000 * (1 + int(os.environ.get("FUZZ_SEED", "0")))  # of the long run


def run(seeds, longest):
    seen = collections.Counter()
    for seed in seeds:
        rng = np.random.default_rng(seed)
        exact = bool(rng.random() < 0.5)
        program, args = Generator(rng, exact, longest).draw()
        form = "straight" if longest <= 5 and rng.random() < 0.5 else "loops"
        try:
            seen[compare(program, args, exact=exact, form=form)] += 1
        except BaseException:
            print(f"seed {seed}, {form}, {'exact' if exact else 'smooth'}\n{program}")
            raise
    assert seen["the sign of a tied zero"] <= 1 + len(seeds) // 200  # rare, or it hides something else
    return seen


@pytest.mark.parametrize("block", range(5))
def test_small_programs_agree_with_numpy(block):
    seen = run(range(1000 * block, 1000 * block + 80), 5)
    assert seen["straight"] > 10 and seen["loops"] > 25 and seen["segments"] > 3


@pytest.mark.parametrize("block", range(5))
def test_larger_programs_agree_with_numpy(block):
    seen = run(range(50_000 + 1000 * block, 50_000 + 1000 * block + 20), 40)
    assert seen["loops"] > 10


def test_programs_over_threads_agree_with_numpy(monkeypatch):
    monkeypatch.setattr(kernel, "PARALLEL", -1)
    monkeypatch.setattr(kernel, "BLOCK", 2)
    monkeypatch.setattr(kernel, "FEWEST_STEPS", 2)
    wg.set_num_threads(2)
    assert run(range(70_000, 70_040), 20)["loops"] > 30


@pytest.mark.slow
@pytest.mark.parametrize("block", range(40))
def test_many_programs_agree_with_numpy(block):
    run(range(FIRST + 500 * block, FIRST + 500 * (block + 1)), (5, 20, 40)[block % 3])


def functions(seeds):
    seen = collections.Counter()
    for seed in seeds:
        try:
            seen[check(seed) == "compiled"] += 1
        except BaseException:
            print(f"seed {seed}")
            raise
    return seen[True]


def test_functions_agree_with_numpy():
    assert functions(range(80)) > 70


@pytest.mark.slow
@pytest.mark.parametrize("block", range(30))
def test_many_functions_agree_with_numpy(block):
    functions(range(FIRST + 100 * block, FIRST + 100 * (block + 1)))


def rolled(seed):
    """Record a random function with a loop, or its gradient, roll it and compare both ways of running it."""
    rng = np.random.default_rng(seed)
    function, args = random_loop(rng)
    if seed % 3 == 1:
        function = wg.grad(lambda *a, f=function: np.sum(f(*a)), argnums=(0, 1, 2))
    elif seed % 3 == 2:
        function = wg.jacobian(function)
    with np.errstate(all="ignore"):
        path = record(function, lambda leaves: (tuple(leaves), {}), args)
    program = prepare(path.program)
    short = rolling.roll(program)
    if short is program:
        return False
    short = prepare(short)
    with np.errstate(all="ignore"):
        wanted = compile_numpy(program)(*args, *program.captures)
        found = compile_numpy(short)(*args, *short.captures)
    native = lower(short, constants(short))
    native.link(["run"])
    status, got = run_native(native, args)
    assert status == 0
    for results in (found, got):
        for mine, theirs in zip(results, wanted, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-8, atol=1e-9 * max(1.0, np.abs(theirs).max()))
    return True


def test_rolled_loops_agree_with_numpy(monkeypatch):
    monkeypatch.setattr(rolling, "LONG", 30)
    monkeypatch.setattr(rolling, "SMALLEST", 12)
    assert sum(rolled(seed) for seed in range(60)) > 50


@pytest.mark.slow
@pytest.mark.parametrize("block", range(10))
def test_many_rolled_loops_agree_with_numpy(block, monkeypatch):
    monkeypatch.setattr(rolling, "LONG", 30)
    monkeypatch.setattr(rolling, "SMALLEST", 12)
    for seed in range(FIRST + 100 * block, FIRST + 100 * (block + 1)):
        rolled(seed)
