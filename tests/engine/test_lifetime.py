"""Deep chains, memory, exceptions, threads and tasks: what must hold whatever is differentiated."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import wengert as wg
from wengert.recording import AMBIENT, current


def chain(n, x):
    for _ in range(n):
        x = x * 0.999999 + 1e-7
    return x


@pytest.mark.parametrize("mode", ["reverse", "forward", "tape"])
def test_a_chain_of_100_000_operations(mode):
    n = 50_000  # two operations each
    if mode == "reverse":
        found = wg.grad(lambda x: chain(n, x))(1.0)
    elif mode == "forward":
        found = wg.jvp(lambda x: chain(n, x), (1.0,), (1.0,))[1]
    else:
        x = wg.Tensor(1.0)
        with wg.GradientTape() as tape:
            tape.watch(x)
            y = chain(n, x)
        found = float(tape.gradient(y, x).numpy())
    assert abs(found - 0.999999**n) < 1e-10


def test_a_chain_that_nobody_differentiates_is_freed_without_recursion():
    """The lines of a long chain die one after the other, not one inside the other."""
    script = """
import wengert as wg
x = wg.Tensor(1.0)
with wg.GradientTape() as tape:
    tape.watch(x)
    y = x
    for _ in range(300_000):
        y = y * 1.0
del y, tape
try:
    def fails(x):
        for _ in range(300_000):
            x = x + 1.0
        raise KeyError
    wg.grad(fails)(1.0)
except KeyError:
    print("done")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "done", done.stderr


@pytest.mark.slow
def test_a_chain_of_a_million_operations():
    assert abs(wg.grad(lambda x: chain(500_000, x))(1.0) - 0.999999**500_000) < 1e-8
    assert abs(wg.jvp(lambda x: chain(500_000, x), (1.0,), (1.0,))[1] - 0.999999**500_000) < 1e-8


# ---------------------------------------------------------------- exceptions


def fails_after(x, keep=None):
    y = np.sin(x) * 2
    if keep is not None:
        keep.append(y)
    raise KeyError("the user's own")


TRANSFORMS = {
    "grad": lambda f: wg.grad(f)(1.0),
    "jacobian": lambda f: wg.jacobian(f)(np.ones(2)),
    "vjp": lambda f: wg.vjp(f, 1.0),
    "jvp": lambda f: wg.jvp(f, (1.0,), (1.0,)),
    "hessian": lambda f: wg.hessian(f)(np.ones(2)),
    "vmap": lambda f: wg.vmap(f)(np.ones(2)),
    "nested": lambda f: wg.grad(lambda x: x * wg.grad(f)(x))(1.0),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_an_exception_leaves_nothing_recorded(name):
    kept = []
    with pytest.raises(KeyError, match="the user's own"):
        TRANSFORMS[name](lambda x: fails_after(x, kept))
    assert current() is AMBIENT
    assert wg.grad(np.sin)(0.0) == 1.0
    if name != "vmap":  # an escaped tensor is an ordinary value again: outside of any recording it converts
        np.asarray(kept[0] * 2)


def test_an_exception_inside_a_tape():
    x = wg.Tensor(3.0)
    with pytest.raises(KeyError), wg.GradientTape() as tape:
        tape.watch(x)
        y = x * x
        fails_after(y)
    assert current() is AMBIENT
    assert float(tape.gradient(y, x).numpy()) == 6.0


def test_an_exception_in_a_rule_leaves_nothing_recorded():
    with pytest.raises(np.linalg.LinAlgError):
        wg.grad(lambda x: np.sum(np.linalg.inv(x)))(np.zeros((2, 2)))
    assert current() is AMBIENT
    assert wg.grad(np.sin)(0.0) == 1.0


def test_an_outer_derivative_survives_an_inner_failure():
    def f(x):
        try:
            wg.grad(fails_after)(x)
        except KeyError:
            return x * x
        return x

    assert wg.grad(f)(3.0) == 6.0


# ---------------------------------------------------------------- memory


def test_arrays_are_freed_by_reference_counting_alone():
    gc.collect()
    gc.disable()
    try:
        references = []

        def f(x):
            y = np.sin(x) * x
            references.append(weakref.ref(y))
            references.append(weakref.ref(y._line))
            return np.sum(y @ y)

        x = np.ones(10)
        wg.grad(f)(x)
        wg.jacobian(lambda x: np.sin(x) * np.sum(f(x)))(x)
        wg.jvp(f, (x,), (x,))
        wg.hessian(f)(x)
        wg.vjp(f, x)[1](1.0)
        with wg.GradientTape(persistent=True) as tape:
            t = wg.Tensor(x)
            tape.watch(t)
            z = f(t)
        tape.gradient(z, t)
        del tape, z, t
        assert [reference() for reference in references] == [None] * len(references)
    finally:
        gc.enable()


def test_a_thousand_jacobians_do_not_grow():
    import tracemalloc

    a = np.random.default_rng(0).standard_normal((20, 20))
    jacobian = wg.jacobian(lambda x: np.tanh(a @ x) * np.sum(x))
    for _ in range(10_000):  # long enough for what is hot to be compiled, which happens once
        jacobian(np.ones(20))
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(1000):
            jacobian(np.ones(20))
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        gc.enable()
    assert grown < 1_000_000


# ---------------------------------------------------------------- threads and tasks


def third(x):
    return wg.grad(wg.grad(wg.grad(lambda x: np.sin(x) * x)))(x)


def test_sixteen_threads_give_the_serial_numbers():
    points = np.linspace(0, 3, 64)
    expected = [third(float(x)) for x in points]
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(lambda x: third(float(x)), points)) == expected


def test_a_thread_does_not_record_into_another():
    """What a worker thread does with a tensor of an open tape is its own affair."""
    x = wg.Tensor(2.0)
    seen = []
    with wg.GradientTape() as tape:
        tape.watch(x)
        worker = threading.Thread(target=lambda: seen.append(wg.grad(lambda y: y * y)(5.0)))
        worker.start()
        worker.join()
        y = x * x
    assert seen == [10.0]
    assert float(tape.gradient(y, x).numpy()) == 4.0


def test_asyncio_tasks_do_not_mix():
    async def derivative(k):
        x = wg.Tensor(float(k))
        with wg.GradientTape() as tape:
            tape.watch(x)
            y = x
            for _ in range(5):
                y = y * x
                await asyncio.sleep(0)
        return float(tape.gradient(y, x).numpy())

    async def all_of_them():
        return await asyncio.gather(*(derivative(k) for k in range(1, 9)))

    assert asyncio.run(all_of_them()) == [6.0 * k**5 for k in range(1, 9)]
