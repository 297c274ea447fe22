"""Gradients of long Python loops under `jit`: the loop is recognised first, and its few lines are differentiated."""

import subprocess
import sys

import numpy as np
import pytest
from native_looping import random_loop

import wengert as wg
from wengert.differentiation import jit_gradient
from wengert.execute.native import rolling
from wengert.execute.native.build import lower
from wengert.execute.native.expand import expand
from wengert.program import Slot, trace
from wengert.transforms.derive import reverse_program

C = np.linspace(0.5, 1.5, 4)


def long_loop(x, y, steps=200):
    for _ in range(steps):
        x = x + 0.01 * np.sin(x * C) * y
    return np.sum(x)


def check(derivative, *args):
    """Compare the first and a later call with the plain derivative; return the Program that was compiled."""
    jitted = wg.jit(derivative)
    expected = derivative(*args)
    for _ in range(2):
        found = jitted(*args)
        assert type(found) is type(expected)
        flat = [np.asarray(leaf) for leaf in wg.tree.flatten(found)[0]]
        for a, b in zip(flat, wg.tree.flatten(expected)[0], strict=True):
            assert a.shape == np.shape(b)
            np.testing.assert_allclose(a, b, rtol=1e-12)
    ((variant,),) = ([*jitted._state.variants.values()],)
    ((path, _),) = variant.paths
    return path.program


def names(program):
    return [step.primitive.name for step in program.steps]


@pytest.mark.parametrize("make", [wg.grad, wg.value_and_grad])
@pytest.mark.parametrize("argnums", [0, 1, (1, 0), (0,)])
def test_the_gradient_of_a_loop_is_derived_from_the_loop(make, argnums):
    program = check(make(long_loop, argnums=argnums), np.arange(4.0), np.ones(4))
    assert "scan_pull" in names(program) and len(program.steps) < 50


def test_nested_arguments_and_scalars():
    derivative = wg.value_and_grad(lambda p: long_loop(p["a"] * p["b"], 2.0))
    assert "scan_pull" in names(check(derivative, {"a": np.ones(4), "b": np.array(0.5)}))


def test_what_a_loop_reads_from_outside_is_read_again():
    weights = np.ones(4)
    jitted = wg.jit(wg.grad(lambda x: long_loop(x, weights)))
    before = jitted(np.ones(4))
    weights[:] = 2.0
    plain = wg.grad(lambda x: long_loop(x, weights))(np.ones(4))
    assert not np.array_equal(before, plain)
    np.testing.assert_allclose(jitted(np.ones(4)), plain, rtol=1e-12)


def test_a_branch_is_guarded():
    def f(x):
        if x[0] > 0:
            return long_loop(x, 1.0)
        return long_loop(-x, 3.0)

    derivative = wg.grad(f)
    jitted = wg.jit(derivative)
    for x in (np.ones(4), -np.ones(4), np.full(4, 0.5)):
        np.testing.assert_allclose(jitted(x), derivative(x), rtol=1e-12)
    ((variant,),) = ([*jitted._state.variants.values()],)
    assert len(variant.paths) == 2


def test_what_stops_a_gradient_stops_it_in_a_loop():
    def f(x):
        for _ in range(200):
            x = x + 0.01 * np.sin(x) * wg.stop_gradient(x)
        return np.sum(x)

    assert "scan_pull" in names(check(wg.grad(f), np.ones(4)))


def test_constants_of_equal_loops_are_not_mixed_up():
    def decay(rate):
        def f(x):
            for _ in range(200):
                x = x * rate + np.tanh(x) * 0.001
            return np.sum(x)

        return f

    for rate in (0.99, 0.98):
        check(wg.grad(decay(rate)), np.ones(4))


def test_a_long_function_that_is_no_loop_is_recorded_with_its_gradient():
    functions = [np.sin, np.cos, np.tanh, np.exp, np.arctan, np.negative, np.square]
    order = np.random.default_rng(0).integers(0, len(functions), 400)

    def f(x):
        for k in order:
            x = np.tanh(functions[k](x))
        return np.sum(x)

    assert "scan_pull" not in names(check(wg.grad(f), np.linspace(0.1, 0.4, 3)))


def test_short_functions_run_once(monkeypatch):
    monkeypatch.setattr(jit_gradient, "roll", lambda program: pytest.fail("a short recording was searched"))
    calls = []
    jitted = wg.jit(wg.grad(lambda x: (calls.append(1), np.sum(x**3))[1]))
    np.testing.assert_allclose(jitted(np.array([1.0, 2.0])), [3.0, 12.0])
    assert len(calls) == 1


def test_a_pullback_keeps_what_was_costly():
    def f(x):
        return [wg.scan(lambda s, _: (np.tanh(s * C) + np.exp(-s), None), x, None, length=9)[0]]

    derived = reverse_program(trace(f, [Slot((4,), np.dtype(float))]), [0])
    ahead, back = (
        [inner.primitive.name for inner in dict(step.params)["body"].steps]
        for step in expand(derived).steps
        if step.primitive.name == "scan"
    )
    assert "exp" in ahead and "exp" not in back
    x, seed = np.linspace(0.1, 0.4, 4), np.ones(4)
    np.testing.assert_allclose(wg.jit(lambda x, s: derived(x, s))(x, seed)[0], derived(x, seed)[0], rtol=1e-12)


def test_a_transposed_matrix_that_is_read_often_is_stored_first():
    def f(w, d):
        return [np.transpose(w)[None] * d[:, None, :]]

    def kernels(samples):
        program = trace(f, [Slot((16, 8), np.dtype(float)), Slot((samples, 16), np.dtype(float))])
        return len(lower(program, form="loops").loops.kernels)

    assert kernels(64) == kernels(1) + 1


def test_blas_is_found_without_importing_the_rest_of_scipy():
    code = """
import sys, numpy as np, wengert as wg
a, b = np.random.rand(30, 40), np.random.rand(40, 20)
assert np.allclose(wg.jit(lambda a, b: a @ b)(a, b), a @ b)
assert "scipy.linalg" not in sys.modules and "scipy.linalg.cython_blas" not in sys.modules
from wengert.execute.native import products
import scipy.linalg
from scipy.linalg import cython_blas
assert cython_blas.__pyx_capi__ is not None and products.blas("dgemm")
assert np.allclose(scipy.linalg.solve(np.eye(3) * 2.0, np.ones(3)), 0.5)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_narrow_numbers_stay_narrow():
    def f(x):
        for k in range(200):
            x = x + (0.01 + 1e-5 * k) * np.sin(x)
        return np.sum(x)

    x = np.linspace(0.0, 1.0, 4)
    assert "scan_pull" in names(check(wg.grad(f), x))
    jitted = wg.jit(wg.grad(f))
    for _ in range(2):
        found = jitted(x.astype(np.float32))
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, wg.grad(f)(x), rtol=1e-4)


def compare(seed):
    """Compare value and gradients of a random loop, derived from the loop, with plain ones; return whether it was one."""
    rng = np.random.default_rng(seed)
    function, args = random_loop(rng)
    derivative = wg.value_and_grad(lambda *a: np.sum(function(*a)), argnums=(0, 1, 2))
    with np.errstate(all="ignore"):
        value, wanted = derivative(*args)
        jitted = wg.jit(derivative)
        for found_value, found in (jitted(*args), jitted(*args)):
            np.testing.assert_allclose(found_value, value, rtol=1e-9)
            for mine, theirs in zip(found, wanted, strict=True):
                np.testing.assert_allclose(mine, theirs, rtol=1e-8, atol=1e-9 * max(1.0, np.abs(theirs).max()))
    ((variant,),) = ([*jitted._state.variants.values()],)
    return "scan_pull" in names(variant.paths[0][0].program)


def test_random_loops_agree_with_plain_gradients(monkeypatch):
    monkeypatch.setattr(jit_gradient, "LONG", 20)
    monkeypatch.setattr(jit_gradient, "SHORTER", 1)
    monkeypatch.setattr(rolling, "LONG", 20)
    monkeypatch.setattr(rolling, "SMALLEST", 12)
    assert sum(compare(seed) for seed in range(25)) > 12
