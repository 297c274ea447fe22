"""Samples of the Fourier, cosine and sine transforms."""

import numpy as np
import scipy.fft
from sample import Sample

GENERATOR = np.random.default_rng(11)
A = GENERATOR.standard_normal((3, 4))
C = A + 1j * GENERATOR.standard_normal((3, 4))
CUBE = GENERATOR.standard_normal((2, 3, 5))


def _trigonometric(kind, number, x, axes):
    function = scipy.fft.dctn if kind == "cos" else scipy.fft.dstn
    return Sample(
        (x,), {"axes": axes, "kind": kind, "type": number}, reference=lambda x: function(x, type=number, axes=axes)
    )


SAMPLES = {
    "fft": [
        Sample((C,), {"axes": (1,), "inverse": False}, reference=lambda x: np.fft.fft(x, axis=1)),
        Sample((A,), {"axes": (0,), "inverse": False}, reference=lambda x: np.fft.fft(x, axis=0)),
        Sample((C,), {"axes": (0, 1), "inverse": True}, reference=lambda x: np.fft.ifft2(x) * x.size),
        Sample((CUBE,), {"axes": (2, 0), "inverse": False}, reference=lambda x: np.fft.fftn(x, axes=(2, 0))),
        Sample((C[:1, :1],), {"axes": (1,), "inverse": False}),
        Sample((C[:0],), {"axes": (1,), "inverse": False}),
    ],
    "rfft": [
        Sample((A,), {"axes": (1,)}, reference=lambda x: np.fft.rfft(x, axis=1)),
        Sample((A,), {"axes": (0,)}, reference=lambda x: np.fft.rfft(x, axis=0)),
        Sample((CUBE,), {"axes": (1, 2)}, reference=lambda x: np.fft.rfftn(x, axes=(1, 2))),
        Sample((A[:, :1],), {"axes": (1,)}),
    ],
    "irfft": [
        Sample((C,), {"axes": (1,), "n": 6}, reference=lambda x: np.fft.irfft(x, 6, axis=1) * 6),
        Sample((C,), {"axes": (1,), "n": 7}, reference=lambda x: np.fft.irfft(x, 7, axis=1) * 7),
        Sample((C,), {"axes": (0, 1), "n": 6}, reference=lambda x: np.fft.irfftn(x, (3, 6), axes=(0, 1)) * 18),
    ],
    "dct_dst": [
        *(_trigonometric(kind, number, A, (1,)) for kind in ("cos", "sin") for number in (1, 2, 3, 4)),
        _trigonometric("cos", 2, CUBE, (0, 2)),
        _trigonometric("sin", 3, C, (0,)),
    ],
}
