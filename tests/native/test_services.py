"""Around the compiler: cache on disk, hot Programs, threads, export, explain."""

import os
import stat
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest

import wengert as wg
from wengert.errors import ArgumentError, NotCompiled, ShapeError, StructureError
from wengert.execute.native import cache, engine, hot
from wengert.program import Slot, trace

# ---------------------------------------------------------------- cache


@pytest.fixture
def cached(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("WENGERT_CACHE", str(folder))
    return folder


def test_an_entry_is_written_and_found(cached):
    name = cache.key("here", 1, "text")
    assert cache.load(name) is None
    cache.store(name, b"code")
    assert cache.load(name) == b"code"
    assert stat.S_IMODE(cached.stat().st_mode) == 0o700
    assert [p.suffix for p in cached.iterdir()] == [".o"]


def test_everything_that_matters_is_in_the_key():
    keys = {cache.key("a", 1, "t"), cache.key("b", 1, "t"), cache.key("a", 2, "t"), cache.key("a", 1, "u")}
    assert len(keys) == 4


@pytest.mark.parametrize("damage", [b"", b"short", None])
def test_a_damaged_entry_is_compiled_again(cached, damage):
    f = wg.jit(lambda x: x * 17.5)
    f(np.ones(3))
    (file,) = cached.glob("*.o")
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]) if damage is None else damage)
    assert cache.load(file.stem) is None
    assert np.array_equal(wg.jit(lambda x: x * 17.5)(np.ones(3)), [17.5] * 3)
    assert file.read_bytes() == content


def test_turned_off(monkeypatch, tmp_path):
    monkeypatch.setenv("WENGERT_CACHE", "off")
    assert cache.folder() is None
    cache.store("name", b"code")
    assert cache.load("name") is None


def test_a_folder_that_others_may_write_to_is_not_used(monkeypatch, tmp_path):
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    monkeypatch.setenv("WENGERT_CACHE", str(folder))
    assert cache.folder() is None


def test_the_oldest_entries_go_when_there_are_too_many(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "LIMIT_BYTES", 1000)
    for i in range(10):
        file = tmp_path / f"{i}.o"
        file.write_bytes(bytes(200))
        os.utime(file, (i, i))
    cache._trim(tmp_path)
    assert sorted(p.stem for p in tmp_path.iterdir()) == ["8", "9"]


def test_a_second_process_starts_warm(cached):
    code = (
        "import numpy as np, wengert as wg\n"
        "from wengert.execute.native import engine\n"
        "made = []\n"
        "plain = engine.Engine.optimise\n"
        "engine.Engine.optimise = lambda self, *a, **k: (made.append(1), plain(self, *a, **k))[1]\n"
        "f = wg.jit(wg.grad(lambda x: np.sum(np.sin(x) ** 2)))\n"
        "f(np.ones(3)); print(len(made), f(np.ones(3))[0] == f(np.ones(3))[1])\n"
    )
    found = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert found == ["1 True\n", "0 True\n"]


# ---------------------------------------------------------------- hot Programs


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


# ---------------------------------------------------------------- threads


def test_the_number_of_threads():
    wg.set_num_threads(2)
    assert wg.get_num_threads() in (1, 2)
    wg.set_num_threads(1)
    assert wg.get_num_threads() == 1
    for wrong in (0, 65, 1.5, True):
        with pytest.raises(ArgumentError, match="the count is an int from 1 to 64"):
            wg.set_num_threads(wrong)


def test_results_do_not_depend_on_the_run():
    x = np.random.default_rng(0).standard_normal(200_000)
    f = wg.jit(lambda x: (np.exp(np.sin(x)) * np.tanh(x), np.sum(np.exp(x))))
    f(x)
    results = []
    for count in (2, 1, 2):
        wg.set_num_threads(count)
        results.append(f(x))
    for a, b in results:
        assert np.array_equal(a, results[0][0]) and b == results[0][1]


def test_calls_from_several_threads_at_once():
    wg.set_num_threads(2)
    w = np.random.default_rng(0).standard_normal((300, 300)) / 20
    f = wg.jit(lambda x: np.tanh(np.exp(np.sin(x @ w)) @ w))
    x = np.random.default_rng(1).standard_normal((300, 300))
    wanted = f(x)
    wrong = []

    def work():
        for _ in range(10):
            if not np.array_equal(f(x), f(x)) or not np.allclose(f(x), wanted):
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_the_child_of_a_fork_runs_alone():
    code = (
        "import os, numpy as np, wengert as wg\n"
        "wg.set_num_threads(2)\n"
        "f = wg.jit(lambda x: np.exp(np.sin(x)))\n"
        "x = np.ones(300_000)\n"
        "f(x); f(x)\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    f(x); os._exit(0)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "0\n", done.stderr


# ---------------------------------------------------------------- export


def test_export_for_quad_and_ctypes():
    from scipy.integrate import quad

    slope = wg.export(wg.grad(lambda x: np.exp(-x * x)), 0.5, signature="double (double)")
    assert slope.ctypes(0.3) == pytest.approx(-0.6 * np.exp(-0.09))
    assert quad(slope.low_level_callable(), 0, 1)[0] == pytest.approx(np.exp(-1) - 1)
    assert "define double @entry" in slope.ir and "0x" in repr(slope)
    other = wg.export(lambda x: np.sin(x), 0.5, signature="double (double, void *)")
    assert quad(other.low_level_callable(), 0, 1)[0] == pytest.approx(1 - np.cos(1))


@pytest.mark.parametrize("signature", ["double (int, double *)", "double (int, double *, void *)"])
def test_export_for_nquad(signature):
    from scipy.integrate import nquad

    f = wg.export(lambda x: x[0] * x[1] ** 2, np.ones(2), signature=signature)
    assert nquad(f.low_level_callable(), [(0, 1), (0, 1)])[0] == pytest.approx(1 / 6)


def test_export_for_ndimage():
    from scipy import ndimage

    f = wg.export(lambda w: np.sum(w * w), np.ones(9), signature="int (double *, npy_intp, double *, void *)")
    image = np.random.default_rng(0).random((9, 9))
    found = ndimage.generic_filter(image, f.low_level_callable(), size=3)
    np.testing.assert_allclose(found, ndimage.generic_filter(image, lambda w: (w * w).sum(), size=3))


def test_export_of_arrays():
    big = np.random.default_rng(0).random((120, 120))
    f = wg.export(lambda x, y: (np.exp(x @ big) @ y, np.sum(x)), big, big[:, 0])
    x, y = np.ones((120, 120)), np.ones(120)
    a, b = np.empty(120), np.empty(())
    assert f.ctypes(*(v.ctypes.data for v in (x, y, a, b))) == 0
    np.testing.assert_allclose(a, np.exp(x @ big) @ y, rtol=1e-12)
    assert b == x.sum()
    big *= 0
    f.ctypes(*(v.ctypes.data for v in (x, y, a, b)))
    np.testing.assert_allclose(a, 120.0)


def test_what_cannot_be_exported():
    with pytest.raises(ArgumentError, match="signature is one of 'void"):
        wg.export(np.sin, 1.0, signature="float (float)")
    with pytest.raises(ShapeError, match="takes one float64 number and gives one float64 number"):
        wg.export(np.sin, np.ones(3), signature="double (double)")
    with pytest.raises(ArgumentError, match="cannot be compiled as a whole: svd"):
        wg.export(lambda x: np.linalg.svd(x)[1], np.eye(3))
    with pytest.raises(ArgumentError, match="SciPy knows no signature"):
        wg.export(np.sin, np.ones(3)).low_level_callable()


# ---------------------------------------------------------------- explain


def test_explain_lists_loops_blas_and_numpy():
    w = np.ones((100, 100))
    text = wg.explain(wg.grad(lambda x: np.sum(np.tanh(w @ x) ** 2)), np.ones(100))
    assert "BLAS: 100x100 @ 100x1" in text and "loops over 100" in text
    text = wg.explain(lambda x: np.linalg.svd(x * 2 + 1)[1] * 2 + 1, np.eye(3))
    assert "through NumPy: svd" in text and "segment 0" in text
    text = wg.explain(lambda x: x if x[0] > 0 else -x, np.ones(2))
    assert "holds for 1 guard" in text and "straight-line code" in text
    with pytest.raises(StructureError, match="was not called yet"):
        wg.explain(wg.jit(np.sin))


def test_explain_says_why_not():
    f = wg.jit(lambda x: np.linalg.inv(x))
    with pytest.warns(NotCompiled):
        f(np.eye(2))
    assert "runs without compiled code: nothing in it has native code" in wg.explain(f)


# ---------------------------------------------------------------- import


def test_the_compiler_is_imported_when_it_is_needed():
    code = "import sys, numpy as np, wengert as wg; wg.grad(np.prod)(np.ones(3)); print('llvmlite' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_text_that_llvm_refuses_is_an_error_not_a_crash():
    with pytest.raises(RuntimeError):
        engine.compile_text("define void @f() { ret i32 1 }", ["f"])
