"""A Jacobian for many workers, one that memory does not hold, one that takes long: block by block."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import wengert as wg

X = np.linspace(0.2, 1.4, 12)


def coupled(x):
    return np.cumsum(np.sin(x)) * x[::-1] ** 2


def wide(x):
    return np.tanh(x[:5]) * np.sum(x**2)


def two(x, y):
    return np.outer(x, y).ravel()[:7] * np.sum(x)


def dies(x, path):
    if multiprocessing.parent_process() is not None and not os.path.exists(path):
        Path(path).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return coupled(x)


def whole(blocks):
    found = np.full(blocks.shape, np.nan, blocks.dtype)
    for where, block in blocks:
        found[where] = block
    return found


# ------------------------------------------------------------ 29: workers


@pytest.mark.parametrize("function", [coupled, wide])
@pytest.mark.parametrize("mode", ["auto", "forward", "reverse"])
@pytest.mark.parametrize("chunk", [1, 4, None])
def test_29_blocks_make_up_the_matrix(function, mode, chunk):
    blocks = wg.jacobian_blocks(function, X, mode=mode, chunk_size=chunk)
    np.testing.assert_allclose(whole(blocks), wg.jacobian(function)(X), rtol=1e-14)
    np.testing.assert_array_equal(blocks.value, function(X))
    assert len(blocks) == (1 if chunk is None else -(-min(len(function(X)) if mode != "forward" else 12, 12) // chunk))


def test_29_four_processes_give_the_same_bits():
    alone = whole(wg.jacobian_blocks(coupled, X, chunk_size=3))
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as pool:
        np.testing.assert_array_equal(whole(wg.jacobian_blocks(coupled, X, chunk_size=3, workers=pool.map)), alone)
    with ThreadPoolExecutor(4) as pool:
        np.testing.assert_array_equal(whole(wg.jacobian_blocks(coupled, X, chunk_size=3, workers=pool.map)), alone)


def test_29_a_cluster_gives_the_same_bits():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, processes=False) as cluster, distributed.Client(cluster) as client:

        def workers(task, numbers):
            return client.gather(client.map(task, numbers))

        found = whole(wg.jacobian_blocks(coupled, X, chunk_size=3, workers=workers))
    np.testing.assert_array_equal(found, whole(wg.jacobian_blocks(coupled, X, chunk_size=3)))


@pytest.mark.skipif(sys.platform == "win32", reason="workers are killed by a signal")
def test_29_a_worker_that_is_killed_is_an_error_and_finished_blocks_stay(tmp_path):
    function = partial(dies, path=str(tmp_path / "died"))
    out, note = np.full((12, 12), np.nan), tmp_path / "blocks"
    spawn = multiprocessing.get_context("spawn")
    with pytest.raises(BrokenProcessPool), ProcessPoolExecutor(1, mp_context=spawn) as pool:
        wg.jacobian_blocks(function, X, chunk_size=4, workers=pool.map).write(out, resume=note)
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        wg.jacobian_blocks(function, X, chunk_size=4, workers=pool.map).write(out, resume=note)
    np.testing.assert_array_equal(out, whole(wg.jacobian_blocks(coupled, X, chunk_size=4)))


def test_29_several_arguments_integers_and_constants():
    y = np.array([0.5, 2.0])
    for mode in ("forward", "reverse"):
        found = whole(wg.jacobian_blocks(two, X[:4], y, argnums=(0, 1), mode=mode, chunk_size=3))
        expected = np.concatenate(wg.jacobian(two, (0, 1))(X[:4], y), axis=1)
        np.testing.assert_allclose(found, expected, rtol=1e-14)
        np.testing.assert_array_equal(whole(wg.jacobian_blocks(lambda x: np.ones(3), X, mode=mode)), np.zeros((3, 12)))
    np.testing.assert_array_equal(whole(wg.jacobian_blocks(np.square, [1, 2, 3])), np.diag([2.0, 4.0, 6.0]))
    z = X[:3] + 1j
    np.testing.assert_allclose(whole(wg.jacobian_blocks(np.exp, z)), np.diag(np.exp(z)))


def test_29_misuse():
    with pytest.raises(wg.errors.StructureError, match="the blocks are those of one matrix"):
        wg.jacobian_blocks(lambda x: (x, x), X)
    with pytest.raises(wg.errors.ArgumentError, match="chunk_size is a positive int"):
        wg.jacobian_blocks(coupled, X, chunk_size=0)
    with pytest.raises(wg.errors.ShapeError, match=r"out has shape \(3, 3\), but the matrix has shape \(12, 12\)"):
        wg.jacobian_blocks(coupled, X).write(np.empty((3, 3)))


# ------------------------------------------------------------ 32: larger than memory

BIG = """
import resource, sys
import numpy as np
import wengert as wg

n, path = int(sys.argv[1]), sys.argv[2]
x = np.linspace(0, 1, n)
f = lambda x: np.sin(x) * np.roll(x, 1) + np.cumsum(x)
out = np.lib.format.open_memmap(path, "w+", float, (n, n))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
wg.jacobian_blocks(f, x, max_bytes=20_000_000).write(out)
out.flush()
assert out[5, 5] == np.cos(x[5]) * x[4] + 1 and out[5, 9] == 0 and out[9, 5] == 1
v = np.ones(n)
product = wg.jvp(f, (x,), (v,))[1]
rows = [0, 5, n - 1]
np.testing.assert_allclose(np.asarray(out[rows]) @ v, product[rows], rtol=1e-12)
status = open("/proc/self/status").read()
print(int(status.split("RssAnon:")[1].split()[0]) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of anonymous memory is read from /proc")
def test_32_a_matrix_goes_to_disk_with_little_memory(tmp_path):
    n = 6000  # 288 MB on disk; 20 GB take the same memory, and minutes
    done = subprocess.run(
        [sys.executable, "-c", BIG, str(n), str(tmp_path / "J.npy")], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 250  # megabytes that are not the file's


def test_32_anything_that_takes_blocks_and_a_callback():
    class Sink:
        shape = (12, 12)

        def __init__(self):
            self.blocks = []

        def __setitem__(self, where, block):
            self.blocks.append((where, block))

    sink = wg.jacobian_blocks(coupled, X, chunk_size=5).write(Sink())
    assert [where[0] for where, _ in sink.blocks] == [slice(0, 5), slice(5, 10), slice(10, 12)]
    seen = 0
    for (rows, _), block in wg.jacobian_blocks(coupled, X, chunk_size=5):  # the body of the loop is the callback
        seen += rows.stop - rows.start
        assert block.shape == (rows.stop - rows.start, 12)
    assert seen == 12


def test_32_products_without_the_matrix():
    J = wg.jacobian(coupled)(X)
    v = np.cos(X)
    operator = wg.jacobian_operator(coupled, X)
    np.testing.assert_allclose(operator @ v, J @ v, rtol=1e-13)
    np.testing.assert_allclose(operator.T @ (operator @ v), J.T @ (J @ v), rtol=1e-13)


# ------------------------------------------------------------ 36: progress, interrupt, resume


def test_36_progress_is_told_after_each_block():
    told = []
    wg.jacobian_blocks(coupled, X, chunk_size=5).write(np.empty((12, 12)), progress=lambda *news: told.append(news))
    assert [(done, total, size) for done, total, _, size in told] == [(1, 3, 480), (2, 3, 960), (3, 3, 1152)]
    assert all(seconds >= 0 for _, _, seconds, _ in told)
    assert told[-1][2] == 0


def test_36_an_interrupt_leaves_finished_blocks_and_the_rest_is_taken_up(tmp_path):
    note = tmp_path / "blocks"
    out = np.full((12, 12), np.nan)
    calls = []

    def interrupt(done, total, seconds, size):
        calls.append(done)
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        wg.jacobian_blocks(coupled, X, chunk_size=3).write(out, progress=interrupt, resume=note)
    expected = wg.jacobian(coupled)(X)
    np.testing.assert_allclose(out[:6], expected[:6], rtol=1e-14)
    assert np.all(np.isnan(out[6:]))
    out[:6] = 7  # what is done is not done again
    wg.jacobian_blocks(coupled, X, chunk_size=3).write(out, progress=interrupt, resume=note)
    assert calls == [1, 2, 3, 4]
    np.testing.assert_allclose(out[6:], expected[6:], rtol=1e-14)
    assert np.all(out[:6] == 7)
    before = out.copy()
    wg.jacobian_blocks(coupled, X, chunk_size=3).write(out, progress=interrupt, resume=note)
    np.testing.assert_array_equal(out, before)


def test_36_a_note_of_another_jacobian_is_refused(tmp_path):
    note = tmp_path / "blocks"
    out = np.empty((12, 12))
    wg.jacobian_blocks(coupled, X, chunk_size=3).write(out, resume=note)
    for other in (wg.jacobian_blocks(coupled, X + 1, chunk_size=3), wg.jacobian_blocks(coupled, X, chunk_size=4)):
        with pytest.raises(wg.errors.ArgumentError, match="belongs to another Jacobian"):
            other.write(out, resume=note)
    text = note.read_text()
    note.write_text(text + "1")  # a number that was cut off while it was written
    assert wg.jacobian_blocks(coupled, X, chunk_size=3).write(out, resume=note) is out


def test_36_a_thread_that_stops_early_leaves_nothing_recorded():
    errors = []

    def work():
        try:
            for _ in wg.jacobian_blocks(coupled, X, chunk_size=1):
                break
            np.testing.assert_allclose(wg.grad(lambda x: np.sum(x**2))(X), 2 * X)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not errors
