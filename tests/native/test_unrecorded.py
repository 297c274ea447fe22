"""Plain calls of derivatives that skip recording: that they do, and give what calls that record give."""

import gc
import math
import pickle
import threading
import weakref

import numpy as np
import pytest
from native_unrecorded import X, follow, is_skipped, points, same

import wengert as wg
from wengert.differentiation import unrecorded
from wengert.differentiation.products import SecondOrder
from wengert.execute.native import hot

pytestmark = pytest.mark.usefixtures("always_pays")


def matrix(x):
    return np.stack([x[0] * x[1], np.sin(x[2]), x @ x])

# ---------------------------------------------------------------- it does skip


@pytest.mark.parametrize(
    "derive",
    [
        lambda f: wg.grad(lambda x: np.sum(f(x))),
        lambda f: wg.value_and_grad(lambda x: np.sum(f(x) ** 2)),
        wg.jacobian,
        wg.jacfwd,
        wg.jacrev,
        wg.value_and_jacobian,
        lambda f: wg.hessian(lambda x: np.sum(f(x) ** 2)),
        lambda f: wg.value_grad_and_hessian(lambda x: np.sum(f(x) ** 2)),
        lambda f: wg.hessian_diag(lambda x: np.sum(f(x) ** 2)),
        lambda f: wg.laplacian(lambda x: np.sum(f(x) ** 2)),
    ],
)
def test_every_derivative_skips_recording_and_gives_the_same(derive):
    derivative = derive(matrix)
    follow(derivative, points)
    assert is_skipped(derivative)


def test_products_skip_recording_and_give_the_same():
    def f(x, w):
        return np.sum(np.tanh(x * w) ** 2)

    v = np.ones(3)
    for product, name in ((wg.hvp, "hvp"), (wg.vhp, "vhp")):
        for k in range(50):
            primals = (X + 0.01 * k, X)
            same(product(f, primals, (v, v)), SecondOrder(name, f, "tangents", name == "hvp", 2).evaluate(*primals, v, v))
        assert is_skipped(SecondOrder(name, f, "tangents", True, 2))
    for k in range(50):
        value, tangent = wg.jvp(f, (X + k, X), (v, v))
        np.testing.assert_allclose(value, f(X + k, X))
        np.testing.assert_allclose(tangent, wg.grad(f).evaluate(X + k, X) @ v + wg.grad(f, 1).evaluate(X + k, X) @ v)


def test_the_function_is_not_called_any_more():
    lines = []
    gradient = wg.grad(lambda x: np.sum(np.sin(x)))
    for _ in range(10):
        gradient(X)
    evaluate = type(gradient).evaluate
    try:
        type(gradient).evaluate = lambda self, *args: lines.append(args) or evaluate(self, *args)
        same(gradient(X), np.cos(X))
    finally:
        type(gradient).evaluate = evaluate
    assert not lines


def test_large_results_are_recorded():
    jacobian = wg.jacobian(lambda x: x[1:] * x[:-1])
    x = np.linspace(0.0, 1.0, 900)
    for _ in range(6):
        assert jacobian(x)[3, 3] == x[4]
    assert unrecorded.status(jacobian).endswith("its result is large, and recording takes little of the time")
    laplacian = wg.laplacian(lambda x: np.sum(x[1:] ** 2 * x[:-1]))
    for _ in range(6):
        np.testing.assert_allclose(laplacian(x), 2 * np.sum(x[:-1]))
    assert unrecorded.status(laplacian) == "proved pure: recording is skipped once it has run often enough"


def test_functions_made_anew_in_each_call_share_what_is_known():
    def gradient(k):
        return wg.grad(lambda x: np.sum(np.sin(x * k)))

    for k in range(50):
        scale = 1.0 + 0.1 * k
        same(gradient(scale)(X), gradient(scale).evaluate(X))
    assert is_skipped(gradient(1.0)) and len(unrecorded._sites) == 1


def test_structures_as_arguments():
    def loss(p, data):
        return np.sum(np.tanh(data @ p["w"] + p["b"]) ** 2) + p["more"][0] * p["more"][1]

    rng = np.random.default_rng(0)
    gradient = wg.grad(loss)
    for k in range(50):
        p = {"w": rng.standard_normal(3), "b": float(k), "more": [np.float64(k), 2.0]}
        data = rng.standard_normal((5, 3))
        found, wanted = gradient(p, data), gradient.evaluate(p, data)
        assert list(found) == list(wanted) and type(found["more"]) is list
        same((found["w"], found["b"], *found["more"]), (wanted["w"], wanted["b"], *wanted["more"]))
    assert is_skipped(gradient)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128", "int64"])
def test_dtypes(dtype):
    scale, whole = 1.5, 2
    gradient = wg.grad(lambda x: np.sum(np.real(x * scale * np.conj(x)) ** whole))
    follow(gradient, lambda k: (np.array([1, 2, 3 + k]).astype(dtype),))
    assert is_skipped(gradient)


@pytest.mark.parametrize("make", [float, np.float64, np.array, int, np.int32, lambda v: np.array([v])[::-1]])
def test_numbers_as_arguments(make):
    gradient = wg.grad(lambda x, y: np.sum(np.sin(x) * y))
    follow(gradient, lambda k: (make(1.0 + k % 3), make(3.0 - k % 2)))
    assert is_skipped(gradient)


# ---------------------------------------------------------------- branches


def test_branches_and_loops_that_depend_on_values():
    threshold = 0.2

    def f(x):
        total = x[0] * x[1]
        k = 0
        while abs(total) < 2.0 and k < 4:
            total = total * 1.7 + x[2] if x[0] > threshold else total - 1.3
            k += 1
        assert np.all(np.isfinite(x))
        return total if total > 0 else -total

    def change(k):
        nonlocal threshold
        threshold = -0.5 + 0.05 * (k % 7)

    follow(wg.grad(f), lambda k: (X * np.cos(k),), change)


def test_too_many_paths_are_recorded():
    def f(x):
        k = 0
        while k < x[0]:
            k += 1
        return np.sum(x[k:] ** 2)

    gradient = wg.grad(f)
    follow(gradient, lambda k: (np.array([float(k % 25), *range(30)]),))
    assert unrecorded.status(gradient).startswith("recorded in each call")


def test_shapes_and_dtypes_may_change():
    gradient = wg.grad(lambda x: np.sum(np.sin(x) * x))
    follow(gradient, lambda k: (np.ones([(3,), (2, 2), (), (0,)][k % 4], ["f8", "f4"][k // 4 % 2]),))


def test_strided_read_only_and_foreign_arrays():
    wide = np.arange(12.0).reshape(3, 4)
    frozen = np.arange(3.0)
    frozen.flags.writeable = False
    kinds = [wide[:, 1], wide[0, ::-1][:3], frozen, np.broadcast_to(2.0, 3)]
    gradient = wg.grad(lambda x: np.sum(np.sin(x) * wide[0, :3]))
    follow(gradient, lambda k: (kinds[k % 4],))
    assert is_skipped(gradient)
    follow(gradient, lambda k: (np.arange(3.0 + k % 2).astype(">f8")[:3],))


def test_exceptions_of_the_function_are_raised():
    limit = 10.0

    def f(x):
        if np.sum(x) > limit:
            raise ValueError("too large")
        return np.sum(x * x)

    gradient = wg.grad(f)
    for k in range(40):
        if np.sum(X + k) > limit:
            with pytest.raises(ValueError, match="too large"):
                gradient(X + k)
        else:
            same(gradient(X + k), 2 * (X + k))
        same(gradient(X), 2 * X)
    assert is_skipped(gradient)


def test_division_by_a_python_zero_is_an_error():
    k = 1.0
    gradient = wg.grad(lambda x: np.sum(x) + 1.0 / k)
    for _ in range(10):
        gradient(X)
    assert is_skipped(gradient)
    k = 0.0
    with pytest.raises(ZeroDivisionError):
        gradient(X)


def test_integers_divided_by_zero_are_warned_of():
    n = np.array([1, 2, 3])
    gradient = wg.grad(lambda x: np.sum(x * (12 // n)))
    follow(gradient, points)
    n[0] = 0
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        gradient(X)


def test_indices_out_of_bounds_are_an_error():
    i = np.array([0, 1])
    gradient = wg.grad(lambda x: np.sum(x[i]))
    for _ in range(10):
        gradient(X)
    i[0] = 7
    with pytest.raises(IndexError):
        gradient(X)


# ---------------------------------------------------------------- the rest


def test_results_are_fresh():
    w = np.ones(3)
    gradient = wg.grad(lambda x: np.sum(x * w))
    for _ in range(20):
        found = gradient(X)
        assert not np.shares_memory(found, w)
        found[:] = 7.0
        same(gradient(X), np.ones(3))


def test_it_can_be_turned_off(monkeypatch):
    monkeypatch.setenv("WENGERT_NATIVE", "off")
    gradient = wg.grad(lambda x: np.sum(np.sin(x)))
    follow(gradient, points)
    assert unrecorded.status(gradient) == "recorded in each call: WENGERT_NATIVE=off"


def test_explain_says_whether_recording_is_skipped():
    gradient = wg.grad(lambda x: np.sum(np.sin(x)))
    assert "plain calls: proved pure: recording is skipped once it has run often enough" in wg.explain(gradient, X)
    for _ in range(10):
        gradient(X)
    assert "plain calls: proved pure: recording is skipped; 1 path compiled" in wg.explain(gradient, X)
    assert "plain calls: recorded in each call: line" in wg.explain(wg.grad(lambda x: np.sum(x) * len(str(x))), X)


def test_nothing_is_kept_alive():
    w = np.ones(3)
    gone = weakref.ref(w)
    gradient = wg.grad(lambda x: np.sum(x * w))
    for _ in range(10):
        gradient(X)
    assert is_skipped(gradient)
    function = weakref.ref(gradient.function)
    gc.disable()
    try:
        del gradient
        w = None
        assert gone() is None and function() is None
    finally:
        gc.enable()


def test_recursive_functions_leave_no_cycles():
    w = np.ones((50, 50))

    def power(x, n):
        return x if n == 1 else w @ (x * power(x, n - 1))

    gradient = wg.grad(lambda x: np.sum(power(x, 3)))
    x = np.ones(50)
    gradient(x)
    gc.collect()
    gc.disable()
    try:
        for _ in range(10):
            gradient(x)
        assert is_skipped(gradient)
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        assert not [found for found in gc.garbage if isinstance(found, np.ndarray | wg.Tensor)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def test_memory_of_functions_is_bounded():
    gradient = wg.grad(lambda x: np.sum(np.sin(x)))
    for _ in range(6):
        gradient(X)
    for k in range(unrecorded.CAPACITY + 20):
        scope = {"np": np}
        exec(f"f = lambda x: np.sum(x) * {k}.0", scope)
        wg.grad(scope["f"])(X)
    assert len(unrecorded._sites) == unrecorded.CAPACITY
    assert is_skipped(gradient)


def module_level(x):
    return np.sum(np.sin(x) * math.pi)


def test_derivatives_pickle_when_hot():
    gradient = wg.grad(module_level)
    for _ in range(10):
        gradient(X)
    assert is_skipped(gradient)
    same(pickle.loads(pickle.dumps(gradient))(X), gradient(X))


def test_threads():
    w = 2.0
    gradient = wg.grad(lambda x: np.sum(np.sin(x * w)) if x[0] > 0 else np.sum(x**3))
    wrong = []

    def work(seed):
        rng = np.random.default_rng(seed)
        for _ in range(100):
            x = rng.standard_normal(3)
            wanted = np.cos(x * w) * w if x[0] > 0 else 3 * x**2
            if not np.allclose(gradient(x), wanted):
                wrong.append(x)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_machine_code_that_fits_too_few_calls_is_dropped(monkeypatch):
    gradient = wg.grad(lambda x: np.sum(np.sin(x)))
    for _ in range(5):
        gradient(X)
    assert is_skipped(gradient)
    monkeypatch.setattr(unrecorded, "WASTE", 1.5)
    monkeypatch.setattr(hot, "PROGRAM", 1e9)
    for k in range(50):
        same(gradient(np.ones(4 + k)), np.full(4 + k, np.cos(1.0)))
    assert is_skipped(gradient)
    monkeypatch.setattr(unrecorded, "WASTE", 0.25)
    gradient(np.ones(4))
    assert unrecorded.status(gradient) == "recorded in each call: the machine code fitted too few of the calls"


def test_machine_code_that_is_not_faster_is_dropped(monkeypatch):
    monkeypatch.setattr(unrecorded, "TRIALS", 3)
    clock = iter(range(10**6))
    ready = []
    monkeypatch.setattr(
        unrecorded, "perf_counter", lambda: float(next(clock)) * (100.0 if ready else 1.0)
    )
    gradient = wg.grad(lambda x: np.sum(np.sin(x)))
    for _ in range(4):
        gradient(X)
    ready.append(1)
    for _ in range(5):
        same(gradient(X), np.cos(X))
    assert unrecorded.status(gradient) == "recorded in each call: the machine code was not faster"
