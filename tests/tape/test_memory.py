"""Memory: freed by reference counting, with the tape, its first derivative or the tensors."""

import gc
import tracemalloc
import weakref

import numpy as np
import pytest

import wengert as wg


@pytest.fixture(autouse=True)
def without_the_garbage_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def grown(work, times):
    """Return how many bytes are held more after the work was done many times.

    The least of three stretches: what leaks does so in each, while a function that becomes hot is compiled in one.
    """
    for _ in range(max(10, times)):
        work()
    stretches = []
    tracemalloc.start()
    try:
        for _ in range(3):
            work()
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(times):
                work()
            stretches.append(tracemalloc.get_traced_memory()[0] - before)
    finally:
        tracemalloc.stop()
    return min(stretches)


X = wg.Tensor(np.linspace(0, 1, 50))
V = wg.Variable(np.linspace(0, 1, 50))


def _mixing(x):
    return np.sin(x) * np.sum(x) + x[::-1]


def jacobians_of_a_tensor():
    with wg.GradientTape() as tape:
        tape.watch(X)
        y = _mixing(X)
    tape.jacobian(y, X)


def jacobians_of_a_variable():
    with wg.GradientTape(persistent=True) as tape:
        y = _mixing(V)
    tape.jacobian(y, V)


def gradients_never_asked_for():
    with wg.GradientTape() as tape:
        tape.watch(X)
        _mixing(X)


def nested_tapes():
    with wg.GradientTape() as outer:
        outer.watch(X)
        with wg.GradientTape() as inner:
            inner.watch(X)
            y = np.sum(_mixing(X))
        g = inner.gradient(y, X)
    outer.gradient(g, X)


def errors_in_the_block():
    with pytest.raises(ZeroDivisionError), wg.GradientTape(persistent=True) as tape:
        tape.watch(X)
        _mixing(X)
        _ = 1 / 0


def accumulators():
    with wg.ForwardAccumulator(X, np.ones(50)) as acc:
        y = _mixing(X)
    acc.jvp(y)


@pytest.mark.parametrize(
    ("work", "times"),
    [
        (jacobians_of_a_tensor, 1000),
        (jacobians_of_a_variable, 300),
        (gradients_never_asked_for, 300),
        (nested_tapes, 300),
        (errors_in_the_block, 100),
        (accumulators, 300),
    ],
)
def test_nothing_accumulates(work, times):
    assert grown(work, times) < 250_000  # memos, which are bounded, fill at first


def test_inner_tapes_in_a_loop_leave_nothing_in_the_outer_recording():
    with wg.GradientTape() as outer:
        outer.watch(X)
        for _ in range(5):
            t = wg.Tensor(np.ones(1000))
            reference = weakref.ref(t)
            with wg.GradientTape() as inner:
                inner.watch(t)
                y = np.sum(t * t)
            inner.gradient(y, t)
            del t, inner
            assert reference() is None


def _recorded(persistent):
    x = wg.Tensor(np.ones(1000))
    with wg.GradientTape(persistent=persistent) as tape:
        tape.watch(x)
        middle = np.sin(x)
        y = np.sum(middle * middle)
    return tape, x, y, weakref.ref(middle._line)


def test_a_tape_that_is_not_persistent_frees_with_its_gradient():
    tape, x, y, line = _recorded(False)
    assert line() is not None
    tape.gradient(y, x)
    assert line() is None
    assert y.numpy() > 0


def test_a_tape_that_is_not_persistent_frees_with_its_jacobian():
    tape, x, y, line = _recorded(False)
    tape.jacobian(y, x)
    assert line() is None


def test_a_persistent_tape_frees_when_it_is_deleted_even_if_the_target_is_kept():
    tape, x, y, line = _recorded(True)
    tape.gradient(y, x)
    assert line() is not None
    del tape
    assert line() is None
    assert float(y) > 0


def test_what_no_tensor_needs_is_freed_while_recording():
    x = wg.Tensor(np.ones(1000))
    with wg.GradientTape() as tape:
        tape.watch(x)
        y = np.sin(x)
        line = weakref.ref(y._line)
        y = np.cos(x)
        assert line() is None
        z = y * x
    assert tape.gradient(z, x).shape == (1000,)


def test_an_inner_gradient_frees_nothing_that_the_outer_tape_needs():
    x = wg.Tensor(2.0)
    with wg.GradientTape() as outer:
        outer.watch(x)
        with wg.GradientTape() as inner:
            inner.watch(x)
            y = np.sin(x)
            z = y * y
        first = inner.gradient(z, x)
    del inner
    np.testing.assert_allclose(float(outer.gradient(first, x)), 2 * np.cos(4.0))


def test_two_tapes_over_the_same_lines():
    x = wg.Tensor(2.0)
    with wg.GradientTape() as a, wg.GradientTape(persistent=True) as b:
        a.watch(x)
        b.watch(x)
        y = np.sin(x) * x
    wanted = np.cos(2.0) * 2 + np.sin(2.0)
    np.testing.assert_allclose(float(a.gradient(y, x)), wanted)
    np.testing.assert_allclose(float(b.gradient(y, x)), wanted)
    np.testing.assert_allclose(float(b.gradient(y, x)), wanted)


def test_a_pullback_taken_inside_the_block_outlives_the_tape():
    x = wg.Tensor(2.0)
    with wg.GradientTape() as tape:
        tape.watch(x)
        y, pullback = wg.vjp(np.sin, x)
        z = y * y
    tape.gradient(z, x)
    np.testing.assert_allclose(float(pullback(1.0)[0]), np.cos(2.0))


def test_a_long_chain():
    x = wg.Tensor(1.0)
    with wg.GradientTape() as tape:
        tape.watch(x)
        y = x
        for _ in range(100_000):
            y = y + x
    assert float(tape.gradient(y, x)) == 100_001
    del y, tape


def test_a_long_chain_that_is_dropped():
    x = wg.Tensor(1.0)
    with wg.GradientTape() as tape:
        tape.watch(x)
        y = x
        for _ in range(200_000):
            y = -y
    del y, tape


def test_a_tape_holds_no_cycle():
    x = wg.Tensor([1.0, 2.0])
    with wg.GradientTape(persistent=True) as tape:
        tape.watch(x)
        v = wg.Variable(1.0)
        y = x * v
        tape.gradient(y, [x, v])
    reference = weakref.ref(tape)
    del tape
    assert reference() is None
