"""Threads: the pool of large loops, and Python threads that call compiled code."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import wengert as wg
from wengert.errors import ArgumentError


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


def test_sixteen_threads_call_what_none_of_them_has_called_before():
    """They all recorded the same path; sixteen equal ones were kept, and the next new one was the one too many."""
    w = np.random.default_rng(0).standard_normal((64, 64)) / 8
    large = wg.jit(lambda x: np.tanh(np.exp(np.sin(x @ w)) @ w) if x[0, 0] < 9 else x)
    small = wg.jit(wg.jacobian(lambda y: np.stack([y[0] * y[1], np.sin(y[2]), y[0]])))
    start = threading.Barrier(16)
    wrong = []

    def work(k):
        x, y = np.random.default_rng(k).standard_normal((41, 64)), np.array([0.5, -1.0, 2.0]) * k
        wanted = np.tanh(np.exp(np.sin(x @ w)) @ w)
        start.wait()
        for _ in range(20):
            good = np.allclose(large(x), wanted, rtol=1e-9)
            good &= np.allclose(small(y), [[y[1], y[0], 0], [0, 0, np.cos(y[2])], [1, 0, 0]])
            if not good:
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    for jitted in (large, small):
        (variant,) = jitted._state.variants.values()
        assert len(variant.paths) == 1


def test_other_python_threads_run_while_long_code_does():
    wg.set_num_threads(1)
    rows = np.random.default_rng(0).standard_normal((2000, 500))
    f = wg.jit(lambda x: np.sum(np.exp(np.sin(np.tanh(x) + rows) * rows)))
    x = rows[0].copy()
    f(x)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(100.0)  # nobody is interrupted: only who gives Python's lock away lets others run
    try:
        for _ in range(200):  # on a busy machine the other thread may have to wait for a core
            order = []
            gate = threading.Lock()
            gate.acquire()
            other = threading.Thread(target=lambda gate=gate, order=order: (gate.acquire(), order.append("other")))
            other.start()
            gate.release()
            f(x)
            order.append("f")
            other.join(30)
            if order == ["other", "f"]:
                return
    finally:
        sys.setswitchinterval(interval)
    pytest.fail("no other thread ran during 200 calls")


def test_threads_inside_of_threads():
    """A compiled function that is called from a thread while the pool is busy computes alone."""
    from concurrent.futures import ThreadPoolExecutor

    wg.set_num_threads(2)
    f = wg.jit(lambda x: np.exp(np.sin(x)) * np.tanh(x))
    x = np.linspace(-2, 2, 400_000)
    wanted = f(x)
    wanted = f(x)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: f(x), range(16)):
            assert np.array_equal(found, wanted)
