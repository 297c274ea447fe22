"""`tf.signal`: discrete Fourier transforms along the last axes."""

from __future__ import annotations

from typing import Any

import numpy

from ._missing import reporter as _reporter
from ._tensor import Tensor, convert_to_tensor, plain, unary

np: Any = numpy  # its functions take tensors here, which its annotations do not know


def _narrow(made: Any, x: Any) -> Any:
    """Return the precision of the input: NumPy's transforms of single precision may be wider."""
    single = x.dtype in (np.float32, np.complex64)
    wanted = made.dtype if not single else np.dtype(np.complex64 if made.dtype.kind == "c" else np.float32)
    return made if made.dtype == wanted else made.astype(wanted)


fft = unary(lambda x: _narrow(np.fft.fft(x), x), "Return the transform along the last axis.", "input")
ifft = unary(lambda x: _narrow(np.fft.ifft(x), x), "Return the inverse transform along the last axis.", "input")
fft2d = unary(lambda x: _narrow(np.fft.fft2(x), x), "Return the transform along the last two axes.", "input")
ifft2d = unary(lambda x: _narrow(np.fft.ifft2(x), x), "Return the inverse transform along the last two axes.", "input")


def rfft(input_tensor: Any, fft_length: Any = None, name: Any = None) -> Tensor:
    """Return the half of the transform of real numbers that determines the rest."""
    x = convert_to_tensor(input_tensor)
    return _narrow(np.fft.rfft(x, None if fft_length is None else int(np.ravel(plain(fft_length))[0])), x)


def irfft(input_tensor: Any, fft_length: Any = None, name: Any = None) -> Tensor:
    """Return the real numbers whose transform has this half."""
    x = convert_to_tensor(input_tensor)
    return _narrow(np.fft.irfft(x, None if fft_length is None else int(np.ravel(plain(fft_length))[0])), x)


def fftshift(x: Any, axes: Any = None, name: Any = None) -> Tensor:
    """Return the transform with frequency 0 in the middle."""
    return np.fft.fftshift(convert_to_tensor(x), plain(axes))


def ifftshift(x: Any, axes: Any = None, name: Any = None) -> Tensor:
    """Undo `fftshift`."""
    return np.fft.ifftshift(convert_to_tensor(x), plain(axes))


__getattr__ = _reporter(__name__, lambda: list(globals()))
