"""Programs that run often are compiled without being asked."""

import warnings

import numpy as np
import pytest

from wengert.errors import NotCompiled
from wengert.execute.native import hot
from wengert.program import Slot, trace


@pytest.fixture
def eager_compiler(monkeypatch):
    monkeypatch.setattr(hot, "PROGRAM", 0.0)
    monkeypatch.setattr(hot, "LINE", 0.0)
    monkeypatch.setattr(hot, "IMPORT", 0.0)
    monkeypatch.setattr(hot, "TRIALS", 10**9)


def test_a_program_that_runs_often_is_compiled(eager_compiler):
    scale = 2.5
    program = trace(lambda x: [np.sin(x) * scale + x**2, np.sum(x)], [Slot((50,), np.dtype(float))])
    x = np.linspace(0, 1, 50)
    results = [program(x) for _ in range(8)]
    assert program._runner.builtin is not None
    for a, b in results:
        np.testing.assert_allclose(a, np.sin(x) * scale + x**2, rtol=1e-14)
        np.testing.assert_allclose(b, x.sum(), rtol=1e-14)
    strided = np.linspace(0, 1, 100)[::2]
    np.testing.assert_allclose(program(strided)[0], np.sin(strided) * scale + strided**2, rtol=1e-14)


def test_python_numbers_are_run_time_inputs(eager_compiler):
    made = []
    for k in range(12):
        program = trace(lambda x, k=float(k): [np.exp(x) * k + k], [Slot((9,), np.dtype(float))])
        for _ in range(6):
            np.testing.assert_allclose(program(np.ones(9))[0], np.exp(1.0) * k + k)
        made.append(program._runner.builtin)
    assert made[0] is not None and all(builtin is made[0] for builtin in made)


def test_a_program_that_runs_once_is_not():
    program = trace(lambda x: [np.sin(x)], [Slot((50,), np.dtype(float))])
    for _ in range(5):
        program(np.ones(50))
    assert program._runner.builtin is None


def test_turning_it_off(monkeypatch, eager_compiler):
    monkeypatch.setenv("WENGERT_NATIVE", "off")
    program = trace(lambda x: [np.sin(x)], [Slot((50,), np.dtype(float))])
    for _ in range(10):
        program(np.ones(50))
    assert program._runner.builtin is None


def test_a_compiler_that_fails_is_said_once(monkeypatch, eager_compiler):
    def broken(*args):
        raise RuntimeError("out of registers")

    monkeypatch.setattr(hot, "_compiled", broken)
    monkeypatch.setitem(hot._state, "warned", False)
    program = trace(lambda x: [np.sin(x)], [Slot((3,), np.dtype(float))])
    with pytest.warns(NotCompiled, match="NumPy is used instead .RuntimeError: out of registers"):
        for _ in range(8):
            program(np.ones(3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        other = trace(lambda x: [np.cos(x)], [Slot((3,), np.dtype(float))])
        for _ in range(8):
            other(np.ones(3))


def test_an_index_error_is_numpys_in_a_hot_program_too(eager_compiler):
    program = trace(lambda x, i: [x[i]], [Slot((3,), np.dtype(float)), Slot((2,), np.dtype(np.int64))])
    for _ in range(8):
        program(np.ones(3), np.array([0, 1]))
    with pytest.raises(IndexError, match="index 9 is out of bounds"):
        program(np.ones(3), np.array([0, 9]))
