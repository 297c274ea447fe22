"""`jit`: paths and guards, what is outside, composition, what it refuses and says."""

import gc
import pickle
import warnings
import weakref

import numpy as np
import pytest

import wengert as wg
from wengert.errors import NotCompiled, StructureError, TraceLost

X = np.array([0.5, -1.0, 2.0])


def quiet(function, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("error", NotCompiled)
        return function(*args, **kwargs)


def paths(jitted):
    return sum(len(variant.paths) for variant in jitted._state.variants.values())


def flat(result):
    return list(result) if isinstance(result, tuple) else [result]


def module_level(x):
    return np.sin(x) * x


# ---------------------------------------------------------------- what Python looks at


def branching(x):
    s = x[0] * x[1]
    k = 0
    while s < 4.0 and k < 8:
        s = s + np.sin(x[0]) * x[1] if s > 2.0 else s * 1.5 + x[0] * x[0]
        k += 1
    return s


@pytest.mark.parametrize("wrap", [lambda f: f, wg.grad, wg.value_and_grad])
def test_branches_follow_the_values(wrap):
    f = wrap(branching)
    g = wg.jit(f)
    points = [np.array([a, b]) for a in (0.1, 0.11, 0.8, 0.81, 1.9) for b in (0.3, 1.1, 4.0)]
    for _ in range(3):
        for x in points:
            for mine, theirs in zip(flat(quiet(g, x)), flat(f(x)), strict=True):
                np.testing.assert_allclose(mine, theirs, rtol=1e-13)
    assert 1 < paths(g) < len(points)


def test_a_path_is_recorded_once():
    calls = []

    def f(x):
        calls.append(1)
        return x if np.sum(x) > 0 else -x

    g = wg.jit(f)
    for sign in (1, -1, 1, -1, 1):
        assert np.array_equal(g(sign * np.ones(2)), np.ones(2))
    assert len(calls) == 2


def test_loop_bounds_and_indices_from_arguments():
    def f(x, n):
        total = x[0] * 0
        for i in range(n):
            total = total + x[i]
        return total

    g = wg.jit(f)
    for n in (3, 1, 2, 3, 1):
        assert g(X, n) == f(X, n)


def test_numbers_read_out_are_guarded():
    f = wg.jit(lambda x: x * float(x[0]) + int(x[2]) + x[1].item())
    for x in (X, X, 2 * X, X):
        np.testing.assert_allclose(quiet(f, x), x * x[0] + int(x[2]) + x[1])


def test_masks_are_guarded():
    f = wg.jit(lambda x: x[x > 0].sum())
    for x in (X, X + 1, X, -X, X):
        assert f(x) == x[x > 0].sum()


def test_too_many_paths_run_eagerly_and_say_so_once():
    f = wg.jit(lambda x: x * float(x[0]))
    with pytest.warns(NotCompiled, match="more than 16 paths through its branches") as caught:
        for k in range(40):
            assert np.array_equal(f(X + k), (X + k) * (X[0] + k))
    assert len(caught) == 1 and caught[0].filename == __file__


def test_a_copy_of_all_values_cannot_be_guarded():
    f = wg.jit(lambda x: x * np.sort(np.asarray(x))[0])
    x = np.arange(10_000.0) + 1
    with pytest.warns(NotCompiled, match="reads 80000 bytes of values"):
        assert np.array_equal(f(x), x)
    assert np.array_equal(f(x + 1), (x + 1) * 2)


# ---------------------------------------------------------------- what is outside


def test_outside_arrays_are_read_again():
    w = np.ones(3)
    f = wg.jit(lambda x: x * w)
    f(X)
    w[:] = 5
    assert np.array_equal(f(X), 5 * X)


def test_outside_index_arrays_too():
    index = np.array([2, 0])
    f = wg.jit(lambda x: x[index] * 2)
    assert np.array_equal(f(X), X[[2, 0]] * 2)
    index[:] = [1, 1]
    assert np.array_equal(f(X), X[[1, 1]] * 2)
    assert np.array_equal(f(X), X[[1, 1]] * 2)


def test_transposed_and_broadcast_outside_arrays():
    w = np.arange(6.0).reshape(2, 3)
    wide = np.broadcast_to(np.array([[1.0], [2.0]]), (2, 4))
    f = wg.jit(lambda x: (x @ w.T) @ wide)
    f(X)
    np.testing.assert_allclose(f(X), (X @ w.T) @ wide)
    large = np.random.default_rng(0).random((60, 3))
    g = wg.jit(lambda x: x @ large.T @ large)
    m = np.random.default_rng(1).random((40, 3))
    g(m)
    np.testing.assert_allclose(g(m), m @ large.T @ large)


def test_variables_are_read_again():
    v = wg.Variable([1.0, 2.0])
    f = wg.jit(lambda x: np.sum(x * v))
    assert f(np.ones(2)) == 3.0
    v.assign([5.0, 5.0])
    assert f(np.ones(2)) == 10.0


def test_a_tape_sees_the_variables_of_a_jitted_function():
    v = wg.Variable([1.0, 2.0])
    f = wg.jit(lambda x: np.sum(x * v))
    x = np.array([3.0, 4.0])
    f(x)
    f(x)
    with wg.GradientTape() as tape:
        y = f(x)
    assert np.array_equal(np.asarray(tape.gradient(y, v)), x)


def test_tensors_of_an_outer_derivative_are_seen():
    def outer(w):
        inner = wg.jit(lambda x: np.sum(x * w * w))
        return inner(X) + inner(X)

    np.testing.assert_allclose(wg.grad(outer)(X), 4 * X * X)


def test_out_of_bounds_is_numpys_error():
    f = wg.jit(lambda x, i: x[i] * 1.0)
    good, bad = np.array([0, -1]), np.array([0, 3])
    for _ in range(2):
        assert np.array_equal(f(X, good), X[[0, -1]])
        with pytest.raises(IndexError, match="index 3 is out of bounds for axis 0 with size 3"):
            f(X, bad)


# ---------------------------------------------------------------- composition


def test_derivatives_of_jitted_functions():
    f = wg.jit(lambda x: np.sum(np.sin(x) * x))
    plain = f.function
    f(X)
    np.testing.assert_allclose(wg.grad(f)(X), wg.grad(plain)(X))
    np.testing.assert_allclose(wg.hessian(f)(X), wg.hessian(plain)(X))
    np.testing.assert_allclose(wg.jvp(f, (X,), (X,))[1], wg.jvp(plain, (X,), (X,))[1])
    np.testing.assert_allclose(wg.vmap(f)(np.stack([X, 2 * X])), [f(X), f(2 * X)])


@pytest.mark.parametrize(
    "derive",
    [
        wg.grad,
        wg.hessian,
        wg.value_and_grad,
        lambda f: wg.grad(lambda x: np.sum(wg.grad(f)(x) ** 2)),
        lambda f: lambda x: wg.vjp(f, x)[1](1.0)[0],
        lambda f: lambda x: wg.jvp(f, (x,), (x,))[1],
        lambda f: wg.jit(wg.grad(f)),
        lambda f: wg.vmap(wg.grad(f)),
    ],
)
def test_jitted_derivatives(derive):
    def f(x):
        return np.sum(np.tanh(x) * np.exp(-x * x))

    g = derive(f)
    x = np.stack([X, X + 1]) if isinstance(g, type(wg.vmap(f))) else X
    h = wg.jit(g)
    quiet(h, x)
    for mine, theirs in zip(flat(h(x)), flat(g(x)), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("derive", [wg.jacobian, wg.jacfwd, wg.jacrev])
def test_jitted_jacobians(derive):
    w = np.random.default_rng(0).standard_normal((5, 3))

    def f(x):
        return np.concatenate([np.tanh(w @ x), x[:2] * x[1:]])

    g = wg.jit(derive(f))
    g(X)
    np.testing.assert_allclose(g(X), derive(f)(X), rtol=1e-13, atol=1e-15)


def test_zeros_of_a_jacobian_are_structural():
    f = wg.jit(wg.jacobian(lambda x: np.sqrt(x)))
    x = np.array([0.0, 4.0])
    f(x)
    assert np.array_equal(f(x), [[np.inf, 0], [0, 0.25]])


def test_jit_in_a_derivative_in_jit():
    inner = wg.jit(lambda x: np.sum(x**3))
    f = wg.jit(lambda x: wg.grad(inner)(x) * 2)
    f(X)
    np.testing.assert_allclose(f(X), 6 * X**2)


def test_a_lost_derivative_is_an_error_inside_of_jit_too():
    with pytest.raises(TraceLost, match=r"float\(\) on a tracked tensor"):
        wg.jit(wg.grad(lambda x: np.sum(x) * float(x[0])))(X)


def test_tensors_in_tensors_out():
    f = wg.jit(lambda x: x * 2)
    f(X)
    assert isinstance(f(wg.Tensor(X)), wg.Tensor)


@pytest.mark.parametrize("kind", ["values", "plan", "jacobian", "hessian"])
def test_sparse_derivatives(kind):
    x = np.linspace(0.5, 1.5, 30)
    if kind == "hessian":
        plain = wg.hessian(lambda x: np.sum((x[1:] - x[:-1] ** 2) ** 2), sparse=True)
    else:
        plain = wg.jacobian(lambda x: np.roll(x, 1) * x + np.concatenate([x[:1], x[1:] * x[:-1]]), sparse=True)
    wanted = plain(x)
    made = plain
    if kind in ("values", "plan"):
        made = wg.plan_jacobian(plain.function, x)
        made = made.values if kind == "values" else made
    f = wg.jit(made)
    quiet(f, x)
    found = f(x)
    if kind == "values":
        np.testing.assert_allclose(found, wanted.data, rtol=1e-14)
        return
    np.testing.assert_allclose(found.toarray(), wanted.toarray(), rtol=1e-14)
    found.data[:] = 0
    found.indices[:] = 0
    np.testing.assert_allclose(f(x).toarray(), wanted.toarray(), rtol=1e-14)


def test_batch_jacobian():
    w = np.random.default_rng(0).standard_normal((40, 6))
    f = wg.batch_jacobian(lambda x: np.tanh(x @ w.T) @ w)
    x = np.random.default_rng(1).standard_normal((7, 6))
    g = wg.jit(f)
    quiet(g, x)
    np.testing.assert_allclose(g(x), f(x), rtol=1e-12, atol=1e-14)


# ---------------------------------------------------------------- the object


def test_what_cannot_be_compiled_runs_through_numpy():
    f = wg.jit(lambda x: np.sum(np.linalg.svd(x * 2 + 1)[1] ** 2 + 1))
    x = np.arange(9.0).reshape(3, 3)
    quiet(f, x)
    np.testing.assert_allclose(f(x), np.sum(np.linalg.svd(x * 2 + 1)[1] ** 2 + 1))
    assert "svd" in wg.explain(f)


def test_nothing_native_at_all_says_so():
    f = wg.jit(lambda x: np.linalg.inv(x))
    with pytest.warns(NotCompiled, match="nothing in it has native code"):
        f(np.eye(2))
    assert np.array_equal(f(2 * np.eye(2)), np.eye(2) / 2)


def test_a_compiler_that_fails_says_so_and_numpy_goes_on(monkeypatch):
    from wengert.differentiation import jit

    def broken(*args, **kwargs):
        raise RuntimeError("no such instruction")

    monkeypatch.setattr(jit, "compile_any", broken)
    f = wg.jit(lambda x: x * 2)
    with pytest.warns(NotCompiled, match="compilation failed .RuntimeError: no such instruction"):
        assert np.array_equal(f(X), X * 2)
    assert np.array_equal(f(X), X * 2)


def test_it_pickles_when_the_function_does():
    f = wg.jit(wg.grad(np.prod))
    f(X)
    np.testing.assert_allclose(pickle.loads(pickle.dumps(f))(X), f(X))
    g = pickle.loads(pickle.dumps(wg.jit(module_level)))
    assert np.array_equal(g(X), module_level(X))


def test_name_documentation_and_methods():
    f = wg.jit(module_level)
    assert f.__name__ == "module_level" and f.__wrapped__ is module_level and "module_level" in repr(f)

    class Model:
        factor = 3.0

        @wg.jit
        def scaled(x):
            return x * 3

        @staticmethod
        @wg.jit
        def halved(x):
            return x / 2

    assert np.array_equal(Model.scaled(X), 3 * X) and np.array_equal(Model().halved(X), X / 2)


def test_what_works_on_arrays_only_runs_on_arrays():
    """A function that takes no tensors was an error under jit."""

    def f(x):
        return x * wg.jacobian(np.sin, sparse=True)(x).diagonal()

    g = wg.jit(f)
    with pytest.warns(NotCompiled, match="with tensors for its arguments it raises TraceLost") as caught:
        for x in (X, 2 * X, X):
            np.testing.assert_allclose(g(x), x * np.cos(x))
    assert len(caught) == 1


def test_an_error_at_some_values_is_raised_at_these():
    def f(x):
        if x[0] > 1:
            raise ValueError("too large")
        return x * 2

    g = wg.jit(f)
    for _ in range(3):
        assert np.array_equal(quiet(g, X), X * 2)
        with pytest.raises(ValueError, match="too large"):
            g(X * 10)


def test_errors_of_the_function_come_through():
    def f(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        wg.jit(f)(X)
    with pytest.raises(StructureError, match="the argument is the function, not ndarray"):
        wg.jit(X)


def test_nothing_is_kept_alive():
    big = np.zeros(1000)
    f = wg.jit(lambda x: x + big)
    f(np.ones(1000))
    f(np.ones(1000))
    known = weakref.ref(f)
    gc.disable()
    try:
        del f
        assert known() is None  # no reference cycle
    finally:
        gc.enable()


def test_many_kinds_of_arguments_are_bounded():
    f = wg.jit(lambda x: x + 1)
    for n in range(1, 80):
        assert f(np.ones(n)).shape == (n,)
    assert len(f._state.variants) <= 64


def test_reference_counts_stay():
    import sys

    f = wg.jit(lambda x: (np.sin(x), np.sum(x)))
    f(X)
    dtype = np.dtype(float)
    before = sys.getrefcount(X), sys.getrefcount(dtype)
    for _ in range(1000):
        f(X)
    assert abs(sys.getrefcount(X) - before[0]) < 5 and abs(sys.getrefcount(dtype) - before[1]) < 50
