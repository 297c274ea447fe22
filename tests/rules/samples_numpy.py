"""Samples of the primitives behind single NumPy functions: convolution, roots of polynomials, sorted search."""

import numpy as np
from sample import Sample

GENERATOR = np.random.default_rng(23)


def _array(*shape, complex_=False):
    x = GENERATOR.standard_normal(shape)
    return x + 1j * GENERATOR.standard_normal(shape) if complex_ else x


def _roots(p):
    return np.roots(p).astype(np.result_type(p, np.complex64))


SORTED = np.sort(_array(6))

SAMPLES = {
    "convolve": [
        Sample((_array(5), _array(3)), reference=np.convolve),
        Sample((_array(2), _array(4)), reference=np.convolve),
        Sample((_array(1), _array(1)), reference=np.convolve),
        Sample((_array(3, complex_=True), _array(2, complex_=True)), reference=np.convolve),
        Sample((_array(3), _array(2, complex_=True)), reference=np.convolve),
        Sample(
            (_array(2, 3), _array(2, 2)),
            reference=lambda a, v: np.stack([np.convolve(x, y) for x, y in zip(a, v, strict=True)]),
        ),
        Sample((_array(2, 2), _array(3)), reference=lambda a, v: np.stack([np.convolve(x, v) for x in a])),
    ],
    "root": [Sample((np.array([0.3, 2.0, 1e-3, 40.0]),), reference=np.sqrt)],
    "roots": [
        Sample((np.array([1.0, -6.2, 11.5, -6.1]),), reference=_roots),
        Sample((np.array([2.0, 1.0, 3.0, 1.5]),), reference=_roots),
        Sample((np.array([2.0, 1.0, 0.0]),), reference=_roots),
        Sample((np.array([1.0 + 1j, 0.5, 2.0 - 1j]),), reference=_roots),
        Sample((np.array([[1.0, -3.1, 2.0], [2.0, 1.0, -5.0]]),), reference=lambda p: np.stack([_roots(q) for q in p])),
    ],
    "searchsorted": [
        Sample((SORTED, _array(2, 3)), {"side": "left"}, reference=lambda a, v: np.searchsorted(a, v, "left")),
        Sample((SORTED, SORTED[:2]), {"side": "right"}, reference=lambda a, v: np.searchsorted(a, v, "right")),
        Sample((SORTED, _array()), {"side": "left"}, reference=lambda a, v: np.searchsorted(a, v)),
        Sample((SORTED, _array(0, 2)), {"side": "right"}, reference=lambda a, v: np.searchsorted(a, v)),
    ],
}
