"""Loop nests picked by hand: index maps, reductions, products through BLAS, control flow, what is stored and fused."""

import numpy as np
import pytest
from native_fuzzing import run_native

import wengert as wg
from wengert.execute.native import products
from wengert.execute.native.build import compile_native
from wengert.execute.native.prepare import prepare
from wengert.execute.native.schedule import Schedule
from wengert.program import Slot, trace

R = np.random.default_rng(7)


def check(function, *args, form="loops", rtol=1e-12):
    program = prepare(trace(lambda *a: [function(*a)], [Slot.of(a) for a in args]))
    native = compile_native(program, form=form)
    status, (got,) = run_native(native, args)
    assert status == 0
    wanted = function(*args)
    atol = 1e-4 if wanted.dtype in (np.float32, np.complex64) else 1e-13
    np.testing.assert_allclose(got, wanted, rtol=rtol, atol=atol)
    return native


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.roll(x, 1, 0) + np.roll(x, -1, 1) - 4 * x,
        lambda x: np.pad(np.exp(x), 2, mode="wrap")[1:, :-1],
        lambda x: np.reshape(np.exp(x).T, (8, 9)).sum(1),
        lambda x: np.reshape(np.sin(x), (72,))[3:60:4],
        lambda x: np.flip(np.concatenate([x, np.sin(x)]), 0)[::2] * 2,
        lambda x: np.stack([x, x * 2, x.copy()], axis=1).max(axis=1),
        lambda x: np.broadcast_to(np.exp(x[0]), (5, 12)) * x[1],
        lambda x: np.cumsum(np.cumprod(x, axis=0), axis=1),
        lambda x: x[np.array([0, 5, -1])][:, np.array([[1, 2], [-3, 0]])],
        lambda x: np.tile(x, (2, 3)).repeat(2, axis=1),
        lambda x: np.take_along_axis(x, np.argsort(np.arange(72).reshape(6, 12) * 7 % 12, axis=1), 1),
        lambda x: np.argmax(x, axis=1) + np.argmin(x, axis=1),
        lambda x: np.sum(x, axis=(0, 1)) + np.prod(x[:2, :2]) + np.min(x) - np.max(x),
        lambda x: np.log(np.sum(np.exp(x - np.max(x, axis=1, keepdims=True)), axis=1)),
        lambda x: np.where(x > x.mean(axis=0), x, -x).std(axis=1),
    ],
)
def test_index_maps_and_reductions(function):
    check(function, R.random((6, 12)) + 0.1)


@pytest.mark.parametrize(
    "shapes", [((40, 50), (50, 30)), ((7, 9, 30), (7, 30, 11)), ((90,), (90, 80)), ((80, 90), (90,))]
)
def test_products_through_blas(shapes):
    a, b = (R.standard_normal(shape) for shape in shapes)
    native = check(lambda a, b: np.matmul(a, b), a, b)
    assert "gemm" in native.text or "gemv" in native.text
    check(lambda a, b: np.matmul(np.tanh(a), b * 2), a, b)


def is_half(native):
    return [item.payload[-1] for item in native.loops.schedule.items if item.kind == "product"]


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_products_that_are_symmetric_by_construction_are_computed_by_half(dtype):
    x, w, v = R.standard_normal((90, 70)).astype(dtype), R.random(90).astype(dtype), R.random(90).astype(dtype)
    rtol = 1e-4 if dtype == "f4" else 1e-11
    weighted = [
        lambda x, w, v: x.T @ (w[:, None] * x),
        lambda x, w, v: (x * w[:, None]).T @ x,
        lambda x, w, v: np.einsum("ni,jn->ij", x, (x * w[:, None] - x / v[:, None] * 2).T),
        lambda x, w, v: np.exp(x).T @ (-np.exp(x) * v[:, None]),
        lambda x, w, v: x.T @ x,
    ]
    for function in weighted:
        native = check(function, x, w, v, rtol=rtol)
        assert is_half(native) == [True]
        assert native.text.count("call void @") > 2
    others = [
        lambda x, w, v: x.T @ (x + w[:, None]),
        lambda x, w, v: x.T @ (x * x),
        lambda x, w, v: x.T @ np.roll(x, 1, 0),
        lambda x, w, v: x.T @ x[:, ::-1],
        lambda x, w, v: x.T @ (np.sin(x) * w[:, None]),
    ]
    for function in others:
        assert is_half(check(function, x, w, v, rtol=rtol)) == [False]


def test_a_product_with_infinities_is_not_symmetric_where_numpy_says_so():
    x, w = R.standard_normal((90, 70)), R.random(90)
    x[3, 5], x[8, 60], w[3] = np.inf, np.nan, 0.0
    with np.errstate(invalid="ignore"):
        native = check(lambda x, w: x.T @ np.where(np.isinf(x), 0.0, w[:, None] * x), x, w)
        assert is_half(native) == [False]
        native = check(lambda x, w: x.T @ (x * w[:, None]), x, w)
        assert is_half(native) == [True]


@pytest.mark.parametrize("dtype", ["f4", "f8", "c8", "c16"])
def test_products_of_all_dtypes_and_orders(dtype):
    unit = 1j if dtype.startswith("c") else 1
    a = (R.standard_normal((3, 20, 30)) + unit * R.standard_normal((3, 20, 30))).astype(dtype)
    b = (R.standard_normal((30, 25)) + unit * R.standard_normal((30, 25))).astype(dtype)
    tolerance = 1e-4 if dtype in ("f4", "c8") else 1e-12
    for spec in ("bij,jk->bik", "bij,jk->kbi", "bij,jk->ikb", "bji,ik->bjk"):
        check(lambda a, b, s=spec: np.einsum(s, a, b), a, b, rtol=tolerance)
    check(lambda a, b: a[1].T @ a[2], a, b, rtol=tolerance)
    check(lambda a, b: a[:, ::2, ::-1] @ b[::-1], a, b, rtol=tolerance)


def test_without_blas_products_are_loops(monkeypatch):
    monkeypatch.setattr(products, "blas", lambda name: None)
    native = check(lambda a, b: a @ b, R.random((20, 30)), R.random((30, 20)))
    assert "gemm" not in native.text


def test_sums_of_many_numbers_are_accurate():
    x = np.full(1_000_003, 0.1)
    check(np.sum, x, rtol=1e-13)
    y = np.full((1000, 700), 0.1, np.float32)
    check(lambda y: np.sum(y, axis=0), y, rtol=1e-5)
    check(lambda y: np.sum(y, axis=1), y, rtol=1e-5)


def test_index_out_of_bounds_is_noticed_before_anything_is_read():
    x, index = R.random(5), np.array([1, 4, -5, 5])
    program = trace(lambda x, i: [x[i] * 2], [Slot.of(x), Slot.of(index)])
    native = compile_native(program, form="loops")
    assert run_native(native, [x, index])[0] == 1
    assert run_native(native, [x, index[:3].repeat(2)[:4]])[0] == 0
    program = trace(lambda x, i: [x * 2, x[i].sum()], [Slot.of(x), Slot.of(index)])
    assert run_native(compile_native(program, form="loops"), [x, np.array([0, 0, 0, -6])])[0] == 1


def test_elementwise_work_of_one_shape_is_one_loop():
    def f(x):
        a = np.exp(x)
        return [a * 2, a + 1, np.sum(a), np.max(a * x)]

    program = trace(f, [Slot.of(np.zeros(1000))])
    native = compile_native(program, form="loops")
    nests = [item for item in native.loops.schedule.items if item.kind == "nest"]
    assert len(nests) == 1 and native.work_bytes == 0


def test_expensive_values_read_twice_are_stored_cheap_ones_are_not():
    def items(f):
        schedule: Schedule = compile_native(
            trace(lambda x: [f(x)], [Slot.of(np.zeros(100))]), form="loops"
        ).loops.schedule
        return len(schedule.items)

    assert items(lambda x: np.roll(x * 2, 1) + np.roll(x * 2, -1)) == 1
    assert items(lambda x: (lambda y: np.roll(y, 1) + np.roll(y, -1))(np.exp(x))) == 2


def test_work_memory_is_used_again():
    def f(x):
        for _ in range(20):
            x = np.roll(np.exp(np.sin(x)), 1) + np.roll(np.exp(np.sin(x)), -1)
        return [x]

    native = compile_native(trace(f, [Slot.of(np.zeros(1000))]), form="loops")
    assert native.work_bytes <= 6 * 8064


def test_long_python_loops_are_rolled():
    c = 1 + R.random(16)

    def chain(x):
        for _ in range(300):
            x = np.sin(x * c) * 0.01 + x
        return np.sum(x)

    f = wg.jit(wg.grad(chain))
    x = R.random(16)
    f(x)
    np.testing.assert_allclose(f(x), wg.grad(chain)(x), rtol=1e-12)
    text = wg.explain(f)
    assert text.count("steps of a body") == 2


def test_a_recurrent_model_in_a_python_loop():
    rows, w = R.standard_normal((60, 5)), R.standard_normal((5, 5)) / 3

    def loss(w, scale):
        h, total = np.zeros(5), 0.0
        hs = []
        inputs = rows * scale
        for t in range(60):
            h = np.tanh(inputs[t] + w @ h)
            hs.append(h)
            total = total + np.sum(h * rows[t])
        return np.sum(np.stack(hs) ** 2) + total

    g = wg.grad(loss, argnums=(0, 1))
    f = wg.jit(g)
    f(w, np.ones(5))
    for mine, theirs in zip(f(w, np.ones(5)), g(w, np.ones(5)), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-11, atol=1e-12)
    assert "steps of a body" in wg.explain(f)


def test_very_long_programs_without_repetition_run_on_numpy(monkeypatch):
    from wengert.errors import NotCompiled
    from wengert.execute.native import hybrid

    monkeypatch.setattr(hybrid, "LONGEST", 10)
    numbers = R.random(20).tolist()

    def f(x):
        for i, number in enumerate(numbers):
            x = np.sin(x) if i % 3 == 0 else x * number
        return x

    g = wg.jit(f)
    with pytest.warns(NotCompiled, match="has 20 operations, and they do not repeat"):
        g(np.ones(3))
    np.testing.assert_allclose(g(np.ones(3)), f(np.ones(3)))


@pytest.mark.filterwarnings("error::wengert.errors.NotCompiled")
@pytest.mark.parametrize("place", [np.array(3), np.int64(-2)])
def test_single_numbers_as_indices_from_outside(place):
    """An index array of no axes was looked for among the arrays in memory."""
    x = np.arange(20000.0)

    def written(x):
        y = x.copy()
        y[place] = x[0] + 1.0
        return y * x

    for f in (lambda x: np.take(x, place) * x, lambda x: np.take(x * 2.0, place) + np.sin(x), written):
        compiled = wg.jit(f)
        for _ in range(2):
            np.testing.assert_allclose(compiled(x), f(x), rtol=1e-13)


def test_unit_seeds_are_gathered_through_index_arrays():
    """The loop had not been given the index arrays; then it was made one loop with another, as if they were in order."""
    rows, columns = np.arange(7) % 5, np.array([0, 1, 1, 0])
    w = R.standard_normal((12, 7))

    def f(x):
        return np.tanh(w @ np.exp(x[rows][:, columns]))

    def g(x):
        return x[rows][:, columns].astype(np.complex64)

    for function in (f, g):
        jacobian = wg.jit(wg.jacobian(function))
        x = R.standard_normal((5, 2))
        jacobian(x)
        np.testing.assert_allclose(jacobian(x), wg.jacobian(function)(x), rtol=1e-6, atol=1e-12)
