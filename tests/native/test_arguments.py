"""`jit`: the forms of arguments and results, and `out=`."""

import warnings

import numpy as np
import pytest

import wengert as wg
from wengert.errors import NotCompiled, ShapeError, StructureError

X = np.array([0.5, -1.0, 2.0])


def quiet(function, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("error", NotCompiled)
        return function(*args, **kwargs)


def module_level(x):
    return np.sin(x) * x


def test_first_and_later_calls_agree_with_numpy():
    f = wg.jit(module_level)
    for x in (X, X * 2, np.zeros(3)):
        assert np.array_equal(quiet(f, x), quiet(f, x))
        np.testing.assert_allclose(f(x), module_level(x), rtol=1e-15)
    (variant,) = f._state.variants.values()
    assert len(variant.paths) == 1


def test_later_calls_run_no_python():
    calls = []

    def f(x):
        calls.append(1)
        return x * 2

    g = wg.jit(f)
    for _ in range(5):
        g(X)
    assert len(calls) == 1


def test_results_are_fresh_arrays():
    f = wg.jit(lambda x: (x, x * 2, np.ones(2)))
    f(X)
    a, b, c = f(X)
    again = f(X)
    assert not any(np.shares_memory(p, q) for p in (a, b, c) for q in (X, *again))
    c[:] = 7
    assert np.array_equal(f(X)[2], np.ones(2))


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128", "int32", "int64", "bool"])
def test_dtypes_are_kept(dtype):
    x = np.array([1, 0, 1]).astype(dtype)
    f = wg.jit(lambda x: (x + x, x[::-1]))
    f(x)
    for mine, theirs in zip(f(x), (x + x, x[::-1]), strict=True):
        assert mine.dtype == theirs.dtype and np.array_equal(mine, theirs)


def test_scalars_arrays_without_axes_and_empty_arrays():
    f = wg.jit(lambda x: np.sin(x) + 1)
    for x in (np.array(0.5), np.float64(0.5), 0.5, np.zeros((0, 3)), np.zeros((1, 1))):
        f(x)
        assert np.shape(f(x)) == np.shape(x)
        np.testing.assert_allclose(f(x), np.sin(x) + 1)
    assert type(f(0.5)) is np.float64 and f(np.zeros((0, 3))).shape == (0, 3)


def test_strided_read_only_unaligned_and_foreign_byte_order():
    f = wg.jit(lambda x: x * 2 + 1)
    base = np.arange(24.0).reshape(4, 6)
    frozen = base.copy()
    frozen.flags.writeable = False
    raw = np.zeros(24 * 8 + 1, np.uint8)
    crooked = raw[1:].view(np.float64).reshape(4, 6)
    crooked[...] = base
    for x in (base, base.T, base[::2, ::-1], frozen, base.astype(">f8"), crooked, np.asfortranarray(base)):
        assert np.array_equal(quiet(f, x), x * 2 + 1)
        assert np.array_equal(quiet(f, x), x * 2 + 1)


def test_a_subclass_of_ndarray_runs_as_it_would():
    f = wg.jit(lambda x: x + 1)
    masked = np.ma.array([1.0, 2.0], mask=[False, True])
    with pytest.warns(NotCompiled, match="an argument is a MaskedArray of float64, which has no native code"):
        assert np.ma.isMaskedArray(f(masked))
    for unusual, why in ((np.ones(2, np.float16), "ndarray of float16"), (np.array(["a"]), "ndarray of <U1")):
        with pytest.warns(NotCompiled, match=f"an argument is a {why}, which has no native code"):
            wg.jit(lambda x: x)(unusual)
    with pytest.warns(NotCompiled, match="an argument is a set: neither an array, a number, a function nor a name"):
        assert wg.jit(len)({1, 2}) == 2


def test_structures_in_and_out():
    f = wg.jit(lambda d, pair: {"sum": d["a"] + pair[0], "rest": (pair[1] * 2, 3, None, "name")})
    given = {"a": X}, (X, np.float64(2.0))
    for _ in range(2):
        found = f(*given)
        assert list(found) == ["sum", "rest"] and np.array_equal(found["sum"], 2 * X)
        assert found["rest"] == (4.0, 3, None, "name")


def test_keyword_arguments():
    f = wg.jit(lambda x, scale=1.0, flip=False: (x[::-1] if flip else x) * scale)
    assert np.array_equal(f(X, scale=2.0), 2 * X)
    assert np.array_equal(f(X, scale=3.0), 3 * X)
    assert np.array_equal(f(X, flip=True), X[::-1])
    assert np.array_equal(f(X), X)


def test_functions_strings_and_flags_are_part_of_the_key():
    f = wg.jit(lambda x, g, mode: g(x) if mode == "g" else x)
    assert np.array_equal(quiet(f, X, np.sin, "g"), np.sin(X))
    assert np.array_equal(quiet(f, X, np.cos, "g"), np.cos(X))
    assert np.array_equal(quiet(f, X, np.cos, "x"), X)
    assert np.array_equal(quiet(f, X, np.sin, "g"), np.sin(X))


def test_results_are_fresh_from_the_first_call_on():
    """The recorded run gave back views of arguments, outside arrays, and one array twice."""
    w = np.arange(4.0)

    def f(x):
        y = x * 2
        return x, x[::2], w, w[1:], y, y, y[1:], np.broadcast_to(y[:1], (2, 3))

    jitted = wg.jit(f)
    for _ in range(3):
        found = jitted(X)
        for i, a in enumerate(found):
            assert a.flags.writeable and a.flags.owndata
            assert not any(np.shares_memory(a, b) for b in (X, w, *found[:i]))
        for mine, theirs in zip(found, f(X), strict=True):
            assert np.array_equal(mine, theirs)


def test_results_of_segments_are_fresh():
    def f(x):
        y = np.sort(np.exp(x) + 1)
        return y[::-1], y, y, x[1:], np.sin(y) + y

    jitted = wg.jit(f)
    for _ in range(2):
        found = jitted(X)
        for i, a in enumerate(found):
            assert a.flags.writeable and not any(np.shares_memory(a, b) for b in (X, *found[:i]))
    assert "through NumPy: argsort" in wg.explain(jitted)


def test_arguments_are_not_written_to():
    def f(x, buffer):
        x[0] = 9.0
        buffer += x
        return np.sum(buffer)

    jitted = wg.jit(f)
    for _ in range(3):
        x, buffer = X.copy(), np.ones(3)
        assert jitted(x, buffer) == 13.0
        assert np.array_equal(x, X) and np.array_equal(buffer, np.ones(3))


def test_no_result_and_results_that_are_constants():
    for constant in (None, 3, "name", (1, None)):
        f = wg.jit(lambda x, constant=constant: constant)
        assert [quiet(f, X) for _ in range(3)] == [constant] * 3


def test_numbers_of_all_kinds():
    f = wg.jit(lambda z, k: z * z + k)
    for z in (2, 2.0, 1j, np.float32(2), np.complex64(1j), np.int8(3), np.array(2.0)):
        for k in (1, 0.5, 2j):
            for _ in range(2):
                found, wanted = quiet(f, z, k), np.asarray(z) * np.asarray(z) + k
                assert found == wanted
                if type(z) not in (int, float, complex):
                    assert found.dtype == (z * z + k).dtype


def test_integers_that_no_dtype_holds():
    f = wg.jit(lambda x, n: x * n)
    for n in (2**70, 3, -(2**90), 2**63):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotCompiled)
            assert np.array_equal(f(X, n), X * n)


# ---------------------------------------------------------------- out=


def test_out_is_written_and_returned():
    f = wg.jit(lambda x: np.outer(x, x))
    out = np.empty((3, 3))
    assert f(X, out=out) is out and np.array_equal(out, np.outer(X, X))
    assert f(2 * X, out=out) is out and np.array_equal(out, np.outer(2 * X, 2 * X))


def test_out_that_starts_as_anything_is_overwritten_where_the_code_wants_zeros():
    f = wg.jit(wg.jacobian(lambda x: x * x))
    x = np.arange(40.0)
    out = np.full((40, 40), np.nan)
    f(x)
    f(x, out=out)
    assert np.array_equal(out, np.diag(2 * x))


def test_out_that_overlaps_an_argument():
    f = wg.jit(lambda x: x[::-1] * 2)
    x = np.arange(5.0)
    f(x)
    f(x, out=x)
    assert np.array_equal(x, np.arange(5.0)[::-1] * 2)
    block = np.arange(6.0)
    f(block[:5], out=block[1:])
    assert np.array_equal(block[1:], np.arange(5.0)[::-1] * 2)


@pytest.mark.parametrize("length", [5, 300])
def test_out_at_every_distance_from_the_argument(length):
    functions = [lambda x: x[::-1] * 2, lambda x: np.cumsum(x), lambda x: np.roll(x, 2) + x[0], lambda x: x @ x * x]
    for function in functions:
        f = wg.jit(function)
        start = np.linspace(-1, 1, 2 * length)
        f(start[:length].copy())
        for shift in (0, 1, length // 2, length - 1, length):
            for order in (1, -1):
                block = start.copy()
                x, out = block[:length][::order], block[shift : shift + length][::order]
                wanted = function(x.copy())
                assert f(x, out=out) is out
                np.testing.assert_allclose(out, wanted, rtol=1e-12, atol=1e-13)
                np.testing.assert_array_equal(block[shift + length :], start[shift + length :])


def test_out_may_be_strided_or_of_another_dtype_that_numpy_casts_to():
    f = wg.jit(lambda x: x + 1)
    f(X)
    wide = np.zeros((3, 2))
    f(X, out=wide[:, 0])
    assert np.array_equal(wide[:, 0], X + 1)
    single = np.zeros(3, np.float32)
    assert np.array_equal(f(X, out=single), (X + 1).astype(np.float32))


def test_out_of_a_structured_result():
    f = wg.jit(lambda x: (x + 1, x * 2))
    out = (np.empty(3), np.empty(3))
    f(X, out=out)
    assert np.array_equal(out[0], X + 1) and np.array_equal(out[1], X * 2)


def test_out_of_the_wrong_shape_kind_or_structure():
    f = wg.jit(lambda x: x + 1)
    with pytest.raises(ShapeError, match=r"out= has shape \(2,\), but the result has shape \(3,\)"):
        f(X, out=np.empty(2))
    with pytest.raises(StructureError, match="must hold arrays, not int"):
        f(X, out=3)
    with pytest.raises(StructureError, match="does not have the structure of the result"):
        f(X, out=(np.empty(3), np.empty(3)))


def test_indices_as_numpy_takes_them():
    f = wg.jit(lambda x, i: x[i] * 2)
    for index in ([0, -1], [2, -3, 1], np.array([1, 2], np.uint8), np.array([[0], [2]]), 1, -3, np.int8(-1)):
        index = np.array(index) if isinstance(index, list) else index
        for _ in range(2):
            assert np.array_equal(f(X, index), X[index] * 2)
    for index in (np.array([0, 3]), np.array([-4]), np.array([200], np.uint8), 3, -4):
        for _ in range(2):
            with pytest.raises(IndexError, match="is out of bounds for axis 0 with size 3"):
                f(X, index)
    for mask in ([True, False, True], [False, False, False], [True, True, True]):
        assert np.array_equal(f(X, np.array(mask)), X[np.array(mask)] * 2)
    with pytest.raises(IndexError, match="boolean index did not match"):
        f(X, np.array([True]))
