"""numpy.fft and scipy.fft: values are theirs, and the laws hold for every length, norm and axis."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft as theirs
from laws import check, normal

import wengert as wg
import wengert.scipy.fft as ours
from wengert.errors import ArgumentError, DtypeError

F = np.fft
GENERATOR = np.random.default_rng(0)
REAL, COMPLEX = normal(GENERATOR, (2, 5)), normal(GENERATOR, (2, 5), complex)
CUBE, COMPLEX_CUBE = normal(GENERATOR, (3, 4, 2)), normal(GENERATOR, (3, 4, 2), complex)


def inputs(name, real, complex_):
    """Transforms of real numbers take no complex ones."""
    return [real] if name.startswith(("rfft", "ihfft")) else [real, complex_]


@pytest.mark.parametrize("n", [None, 4, 7])
@pytest.mark.parametrize("norm", [None, "ortho", "forward"])
@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"])
def test_one_axis(name, n, norm):
    for x in inputs(name, REAL, COMPLEX):
        check(lambda x: getattr(F, name)(x, n, norm=norm), x, second=False)


@pytest.mark.parametrize("options", [{}, {"axes": (0, 2)}, {"axes": (2, 1), "s": (3, 5)}, {"norm": "ortho"}])
@pytest.mark.parametrize("name", ["fftn", "ifftn", "rfftn", "irfftn", "fft2", "ifft2", "rfft2", "irfft2"])
def test_several_axes(name, options):
    for x in inputs(name, CUBE, COMPLEX_CUBE):
        check(lambda x: getattr(F, name)(x, **options), x, second=False)


def test_shifts_and_a_repeated_axis():
    check(F.fftshift, CUBE, second=False)
    check(lambda x: F.ifftshift(x, axes=(0,)), CUBE, second=False)
    check(lambda x: F.fftn(x, axes=(0, 0)), COMPLEX_CUBE, second=False)
    np.testing.assert_array_equal(wg.numpy.fft.fftfreq(5), F.fftfreq(5))


def test_second_order_of_a_power_spectrum():
    check(lambda x: np.abs(F.rfft(x)) ** 2, REAL)


def test_the_transpose_of_rfft_is_exact_at_the_ends_of_the_axis():
    # the imaginary parts at frequency 0 and at Nyquist's do not exist: cotangents there change nothing
    _, pullback = wg.vjp(F.rfft, np.arange(4.0))
    assert np.all(pullback(np.array([1j, 0, 1j]))[0] == 0)


def test_single_precision_stays():
    gradient = wg.grad(lambda x: np.sum(np.abs(F.fft(x))))(np.float32([1, 2, 3]))
    assert gradient.dtype == np.float32


@pytest.mark.parametrize("number", [1, 2, 3, 4])
@pytest.mark.parametrize("name", ["dct", "idct", "dst", "idst"])
def test_cosine_and_sine_transforms(name, number):
    for options in ({}, {"n": 4}, {"norm": "ortho"}, {"norm": "forward", "axis": 0}, {"orthogonalize": True}):
        value = getattr(ours, name)(wg.Tensor(REAL), number, **options)
        np.testing.assert_allclose(value.numpy(), getattr(theirs, name)(REAL, number, **options), atol=1e-13)
        check(lambda x, o=options: getattr(ours, name)(x, number, **o), REAL, second=False)
    check(lambda x: getattr(ours, name)(x, number), COMPLEX, second=False)


@pytest.mark.parametrize("name", ["dctn", "idctn", "dstn", "idstn"])
def test_cosine_and_sine_transforms_of_several_axes(name):
    for options in ({}, {"norm": "ortho", "axes": (0, 2)}, {"s": (2, 3), "axes": (0, 1)}):
        value = getattr(ours, name)(wg.Tensor(CUBE), 2, **options)
        np.testing.assert_allclose(value.numpy(), getattr(theirs, name)(CUBE, 2, **options), atol=1e-13)
        check(lambda x, o=options: getattr(ours, name)(x, 2, **o), CUBE, second=False)


@pytest.mark.parametrize(
    "name", ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft", "fft2", "ifftn", "rfftn", "irfftn", "hfftn", "ihfftn"]
)
def test_scipys_names(name):
    x = CUBE
    value = getattr(ours, name)(wg.Tensor(x))
    np.testing.assert_allclose(value.numpy(), getattr(theirs, name)(x), atol=1e-12)
    np.testing.assert_array_equal(getattr(ours, name)(x), getattr(theirs, name)(x))


def test_scipy_itself_takes_tensors_while_something_is_recorded():
    gradient = wg.grad(lambda x: np.sum(theirs.dct(x) ** 2))(np.ones(3))
    np.testing.assert_allclose(gradient, [24, 24, 24])
    gradient = wg.grad(lambda x: np.sum(np.abs(theirs.fft(x)) ** 2))(np.arange(3.0))
    np.testing.assert_allclose(gradient, [0, 6, 12], atol=1e-14)
    np.testing.assert_allclose(theirs.dct(np.ones(3)), [6, 0, 0])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: F.fft(x, norm="x"), ArgumentError, "Invalid norm value x"),
        (lambda x: F.fft(x, 0), ArgumentError, "Invalid number of FFT data points \\(0\\)"),
        (lambda x: F.irfft(x, 0), ArgumentError, "Invalid number of FFT data points \\(0\\)"),
        (lambda x: F.rfft(x + 0j), DtypeError, "rfft takes real numbers"),
        (lambda x: F.rfftn(np.stack([x, x]), axes=(0, 0)), ArgumentError, "rfft: axis"),
        (lambda x: F.irfftn(np.stack([x, x]), axes=(0, 0)), ArgumentError, "irfft: axis"),
        (lambda x: F.fftn(x, s=(2, 3), axes=(0,)), ArgumentError, "Shape and axes have different lengths"),
        (lambda x: ours.dct(x, 5), ArgumentError, "invalid type 5; must be 1, 2, 3 or 4"),
    ],
)
def test_bad_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call(wg.Tensor(np.ones(3)))
