"""`export`: compiled code for C, `ctypes` and SciPy."""

import numpy as np
import pytest

import wengert as wg
from wengert.errors import ArgumentError, ShapeError


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


def test_export_for_generic_filter1d():
    from scipy import ndimage

    signature = "int (double *, npy_intp, double *, npy_intp, void *)"
    f = wg.export(lambda line: np.cumsum(line)[1:-1], np.ones(8), signature=signature)
    image = np.arange(12.0).reshape(2, 6)

    def plain(line, out):
        out[:] = np.cumsum(line)[1:-1]

    found = ndimage.generic_filter1d(image, f.low_level_callable(), 3)
    np.testing.assert_allclose(found, ndimage.generic_filter1d(image, plain, 3))


@pytest.mark.parametrize("dtype", [float, np.int64])
def test_export_for_geometric_transform(dtype):
    from scipy import ndimage

    signature = "int (npy_intp *, double *, int, int, void *)"
    f = wg.export(lambda place: place * 1.0 - 0.5, np.zeros(2, dtype), signature=signature)
    image = np.random.default_rng(0).random((7, 9))
    found = ndimage.geometric_transform(image, f.low_level_callable())
    np.testing.assert_allclose(found, ndimage.geometric_transform(image, lambda o: (o[0] - 0.5, o[1] - 0.5)))


def test_other_sizes_than_it_is_for_are_refused():
    """It read past the end of the caller's array."""
    from scipy import ndimage

    image = np.random.default_rng(0).random((6, 6))
    f = wg.export(lambda w: np.sum(w * w), np.ones(25), signature="int (double *, npy_intp, double *, void *)")
    with pytest.raises(RuntimeError):
        ndimage.generic_filter(image, f.low_level_callable(), size=3)
    g = wg.export(lambda x: np.sum(x), np.ones(3), signature="double (int, double *)")
    x = np.ones(3)
    assert g.ctypes(3, x.ctypes.data) == 3.0 and np.isnan(g.ctypes(2, x.ctypes.data))


def test_what_calls_the_code_keeps_it_alive():
    """It was freed while a ctypes function of it was left, and kept for ever by a callable for SciPy."""
    import gc
    import weakref

    function = wg.export(lambda x: x * 2, 2.0, signature="double (double)").ctypes
    assert function(4.0) == 8.0
    made = wg.export(lambda x: x * 2, 2.0, signature="double (double)")
    known = weakref.ref(made)
    callable_ = made.low_level_callable()
    del made
    gc.collect()
    assert known() is not None
    del callable_
    gc.collect()
    assert known() is None


def test_constant_results_and_jitted_functions():
    f = wg.export(wg.grad(lambda x: 3 * x), 0.5, signature="double (double)")
    assert f.ctypes(7.0) == 3.0
    assert wg.export(lambda x: 2.5, 0.5, signature="double (double)").ctypes(7.0) == 2.5
    assert wg.export(wg.jit(lambda x: x + 1), 0.5, signature="double (double)").ctypes(7.0) == 8.0


def test_an_index_out_of_bounds_is_a_status():
    x, out = np.arange(3.0), np.empty(2)
    f = wg.export(lambda x, i: x[i] * 2, x, np.array([0, 1]))
    for index, status in (([0, -1], 0), ([0, 3], 1), ([-4, 0], 1)):
        index = np.array(index)
        assert f.ctypes(x.ctypes.data, index.ctypes.data, out.ctypes.data) == status


def test_calls_from_several_threads():
    from concurrent.futures import ThreadPoolExecutor

    x = np.linspace(0, 1, 50_000)
    f = wg.export(lambda x: np.cumsum(np.sin(x)) + np.exp(x)[::-1], x).ctypes
    wanted = np.cumsum(np.sin(x)) + np.exp(x)[::-1]

    def one(_):
        out = np.empty_like(x)
        assert f(x.ctypes.data, out.ctypes.data) == 0
        return np.allclose(out, wanted, rtol=1e-12)

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(one, range(64)))


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
    with pytest.raises(ShapeError, match="takes one float64 or int64 vector and gives one float64 vector"):
        wg.export(np.sum, np.ones(3), signature="int (npy_intp *, double *, int, int, void *)")
    with pytest.raises(ArgumentError, match="cannot be compiled as a whole: svd"):
        wg.export(lambda x: np.linalg.svd(x)[1], np.eye(3))
    with pytest.raises(ArgumentError, match="SciPy knows no signature"):
        wg.export(np.sin, np.ones(3)).low_level_callable()
