"""wengert.scipy.ndimage and wengert.scipy.signal against SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage as images
import scipy.signal as signals
from faces import both, same
from laws import check, normal

import wengert as wg
import wengert.scipy.ndimage as ndimage
import wengert.scipy.signal as signal
from wengert.errors import ArgumentError, ShapeError, UnsupportedFunction

G = np.random.default_rng(4)
IMAGE = normal(G, (5, 6))
MODES = ["reflect", "mirror", "nearest", "wrap", "constant", "grid-wrap"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [(3, 3), (2, 3), (4, 2)])
def test_kernels(mode, shape):
    kernel = normal(G, shape)
    for name in ("convolve", "correlate"):
        for origin in (0, (0, -1)):
            options = {"mode": mode, "cval": 0.3, "origin": origin}
            both(
                lambda x, w, n=name, o=options: getattr(ndimage, n)(x, w, **o),
                lambda x, w, n=name, o=options: getattr(images, n)(x, w, **o),
                IMAGE,
                kernel,
                second=False,
            )


@pytest.mark.parametrize("mode", MODES)
def test_separable_filters(mode):
    for length in (1, 2, 3, 4, 7):
        taps = normal(G, (length,))
        for name in ("convolve1d", "correlate1d"):
            same(
                lambda x, w, n=name: getattr(ndimage, n)(x, w, 0, mode=mode),
                lambda x, w, n=name: getattr(images, n)(x, w, 0, mode=mode),
                IMAGE,
                taps,
            )
        same(
            lambda x, n=length: ndimage.uniform_filter(x, n, mode=mode),
            lambda x, n=length: images.uniform_filter(x, n, mode=mode),
            IMAGE,
        )
    for order in (0, 1, 2, 3):
        both(
            lambda x, o=order: ndimage.gaussian_filter(x, 0.9, o, mode=mode),
            lambda x, o=order: images.gaussian_filter(x, 0.9, o, mode=mode),
            IMAGE,
            second=False,
        )
    for name in ("sobel", "prewitt", "laplace"):
        both(
            lambda x, n=name: getattr(ndimage, n)(x, mode=mode),
            lambda x, n=name: getattr(images, n)(x, mode=mode),
            IMAGE,
            second=False,
        )


def test_gaussians_of_several_widths():
    both(lambda x: ndimage.gaussian_laplace(x, 1.1), lambda x: images.gaussian_laplace(x, 1.1), IMAGE, second=False)
    both(
        lambda x: ndimage.gaussian_gradient_magnitude(x, 1.1),
        lambda x: images.gaussian_gradient_magnitude(x, 1.1),
        IMAGE,
    )
    same(lambda x: ndimage.gaussian_filter(x, (0.8, 1.2)), lambda x: images.gaussian_filter(x, (0.8, 1.2)), IMAGE)
    same(lambda x: ndimage.convolve(x, np.ones(3), axes=0), lambda x: images.convolve(x, np.ones(3), axes=0), IMAGE)
    # by the width, at one where the number of taps does not change
    slope = wg.grad(lambda s: np.sum(ndimage.gaussian_filter(IMAGE, s) ** 2))(0.9)
    h = 1e-5
    values = [np.sum(images.gaussian_filter(IMAGE, s) ** 2) for s in (0.9 - h, 0.9 + h)]
    assert slope == pytest.approx((values[1] - values[0]) / (2 * h), rel=1e-7)


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("dtype", [float, complex])
def test_convolutions(mode, dtype):
    x, k, v, t = (normal(G, shape, dtype) for shape in ((5, 6), (2, 3), (9,), (4,)))
    for name in ("convolve", "correlate", "fftconvolve", "oaconvolve"):
        for a, b in ((x, k), (k, x), (v, t), (t, v)):
            both(
                lambda a, b, n=name: getattr(signal, n)(a, b, mode),
                lambda a, b, n=name: getattr(signals, n)(a, b, mode),
                a,
                b,
                second=False,
            )
    for name in ("convolve2d", "correlate2d"):
        for boundary in ("fill", "wrap", "symm"):
            both(
                lambda a, b, n=name, e=boundary: getattr(signal, n)(a, b, mode, e, 0.5),
                lambda a, b, n=name, e=boundary: getattr(signals, n)(a, b, mode, e, 0.5),
                x,
                k,
                second=False,
            )


def test_convolution_along_some_axes_and_of_large_arrays():
    x, k = normal(G, (3, 8)), normal(G, (3, 4))
    for mode in ("full", "same", "valid"):
        same(
            lambda a, b, m=mode: signal.fftconvolve(a, b, m, axes=1),
            lambda a, b, m=mode: signals.fftconvolve(a, b, m, axes=1),
            x,
            k,
        )
    big, kernel = normal(G, (64, 64)), normal(G, (9, 9))
    same(signal.convolve, signals.convolve, big, kernel)
    gradient = wg.grad(lambda w: np.sum(signal.convolve(big, w, "valid") * 1.0))(kernel)
    np.testing.assert_allclose(gradient[8, 8], np.sum(big[:56, :56]))


@pytest.mark.parametrize("dtype", [float, complex])
def test_lfilter(dtype):
    b, x, zi = (normal(G, shape, dtype) for shape in ((3,), (2, 7), (3,)))
    a = np.array([1.3, 0.4, -0.2, 0.1])
    both(signal.lfilter, signals.lfilter, b, a, x)
    same(lambda x: signal.lfilter(b, a, x, axis=0), lambda x: signals.lfilter(b, a, x, axis=0), x)
    for signal_in in (x[0], x[0, :2]):
        both(
            lambda b, a, x, z: signal.lfilter(b, a, x, zi=z),
            lambda b, a, x, z: signals.lfilter(b, a, x, zi=z),
            b,
            a,
            signal_in,
            zi,
            second=False,
        )
    both(lambda b, x: signal.lfilter(b, 1.0, x), lambda b, x: signals.lfilter(b, 1.0, x), b, x, second=False)


def test_other_linear_filters():
    v = normal(G, (9,))
    for mode in ("interp", "mirror", "constant", "nearest", "wrap"):
        both(
            lambda x, m=mode: signal.savgol_filter(x, 5, 2, mode=m),
            lambda x, m=mode: signals.savgol_filter(x, 5, 2, mode=m),
            v,
            second=False,
        )
    same(
        lambda x: signal.savgol_filter(x, 5, 2, deriv=1, axis=0),
        lambda x: signals.savgol_filter(x, 5, 2, deriv=1, axis=0),
        IMAGE,
    )
    for kind in ("linear", "constant"):
        both(
            lambda x, k=kind: signal.detrend(x, type=k),
            lambda x, k=kind: signals.detrend(x, type=k),
            IMAGE,
            second=False,
        )
    both(signal.hilbert, signals.hilbert, IMAGE, second=False)
    check(lambda x: np.abs(signal.hilbert(x)), v)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: ndimage.convolve(x, np.ones((3, 3)), mode="x"), ArgumentError, "boundary mode not supported: 'x'"),
        (lambda x: ndimage.convolve(x, np.ones((3, 3)), origin=5), ArgumentError, "invalid origin"),
        (lambda x: ndimage.convolve(x, np.ones(3)), ShapeError, "filter weights array of 1 axes"),
        (
            lambda x: ndimage.convolve(x, np.ones((3, 3)), output=x),
            UnsupportedFunction,
            "output= has no derivative rule",
        ),
        (lambda x: ndimage.uniform_filter(x, (3, 3, 3)), ArgumentError, "sequence argument must have length"),
        (lambda x: signal.convolve(x, np.ones(3)), ShapeError, "same dimensionality"),
        (lambda x: signal.convolve(x, x, "x"), ArgumentError, "acceptable mode flags"),
        (lambda x: signal.convolve(x, np.ones((9, 2)), "valid"), ShapeError, "For 'valid' mode"),
        (lambda x: signal.convolve2d(x[0], x[0]), ShapeError, "convolve2d inputs must both be 2-D"),
        (lambda x: signal.convolve2d(x, x, boundary="x"), ArgumentError, "Acceptable boundary flags"),
        (lambda x: signal.correlate2d(x[:1], x, "valid"), UnsupportedFunction, "a kernel larger than the image"),
        (lambda x: signal.savgol_filter(x, 9, 2), ArgumentError, "window_length must be less than or equal"),
        (lambda x: signal.detrend(x, type="x"), ArgumentError, "Trend type must be"),
    ],
)
def test_bad_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call(wg.Tensor(IMAGE))
