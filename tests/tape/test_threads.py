"""Threads and tasks: each records for itself, also on shared tensors and variables."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import wengert as wg

SHARED = wg.Tensor([1.0, 2.0, 3.0])
WEIGHT = wg.Variable([0.5, -1.0, 2.0])


def second_derivative(k):
    with wg.GradientTape() as outer:
        outer.watch(SHARED)
        with wg.GradientTape() as inner:
            inner.watch(SHARED)
            y = SHARED**3 * k * WEIGHT
            for _ in range(5):
                y = y + np.sin(SHARED) * 0
        first = inner.gradient(y, SHARED)
        total = np.sum(first * WEIGHT)
    g_x, g_w = outer.gradient(total, [SHARED, WEIGHT])
    return np.concatenate([g_x.numpy(), g_w.numpy()])


def expected(k):
    x, w = SHARED.numpy(), WEIGHT.numpy()
    return np.concatenate([6 * x * k * w**2, 6 * x**2 * k * w])


def test_sixteen_threads_on_shared_tensors():
    with ThreadPoolExecutor(16) as pool:
        for k, found in zip(range(1, 200), pool.map(second_derivative, range(1, 200)), strict=True):
            np.testing.assert_allclose(found, expected(k), rtol=1e-12)


def test_tapes_of_two_threads_open_at_once():
    ready, done = threading.Barrier(2), {}

    def work(k):
        with wg.GradientTape(persistent=True) as tape:
            tape.watch(SHARED)
            ready.wait()
            y = SHARED * k
            ready.wait()
            z = y * SHARED
        done[k] = [tape.gradient(z, SHARED).numpy().tolist(), tape.gradient(SHARED, SHARED).numpy().tolist()]
        with tape:
            w = y + SHARED
        done[k].append(tape.gradient(w, SHARED).numpy().tolist())

    threads = [threading.Thread(target=work, args=(k,)) for k in (2.0, 3.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == {2.0: [[4, 8, 12], [1] * 3, [3] * 3], 3.0: [[6, 12, 18], [1] * 3, [4] * 3]}


def test_operations_of_another_thread_are_not_recorded():
    x, results = wg.Tensor(2.0), []
    with wg.GradientTape(persistent=True) as tape:
        tape.watch(x)
        thread = threading.Thread(target=lambda: results.append(x * x))
        thread.start()
        thread.join()
        (y,) = results
        z = y * x
    assert tape.gradient(y, x) is None
    assert float(tape.gradient(z, x)) == 4


def test_a_tape_entered_again_in_another_thread():
    x = wg.Tensor(2.0)
    tape = wg.GradientTape()
    with tape:
        tape.watch(x)
        y = x * x
    results = []

    def work():
        with tape:
            results.append(y * x)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert float(tape.gradient(results[0], x)) == 12


def test_tasks():
    async def work(k):
        x = wg.Tensor(float(k))
        with wg.GradientTape() as outer:
            outer.watch(x)
            await asyncio.sleep(0)
            with wg.GradientTape() as inner:
                inner.watch(x)
                y = x**3
                await asyncio.sleep(0)
            first = inner.gradient(y, x)
            await asyncio.sleep(0)
        return float(first), float(outer.gradient(first, x))

    async def main():
        return await asyncio.gather(*(work(k) for k in range(1, 9)))

    assert asyncio.run(main()) == [(3 * k**2, 6 * k) for k in range(1, 9)]


def test_tasks_started_inside_a_block():
    async def work(x, k):
        with wg.GradientTape() as tape:
            tape.watch(x)
            await asyncio.sleep(0)
            y = x**2 * k
        return tape.gradient(y, x)

    async def main():
        x = wg.Tensor(3.0)
        with wg.GradientTape() as outer:
            outer.watch(x)
            first = await asyncio.gather(*(work(x, k) for k in range(3)))
            y = first[1] + first[2]
        return [float(g) for g in first], float(outer.gradient(y, x))

    assert asyncio.run(main()) == ([0, 6, 12], 6)


def test_a_generator_that_pauses_in_a_block():
    x = wg.Tensor(2.0)

    def stages():
        with wg.GradientTape() as tape:
            tape.watch(x)
            yield x * x
            yield tape

    run = stages()
    y = next(run)
    z = y * x
    tape = next(run)
    run.close()
    assert float(tape.gradient(z, x)) == 12
    assert float(z) == 8
