"""Samples of the reductions and scans."""

import numpy as np
from sample import Sample

A = np.array([[0.7, -1.3, 2.1, 0.4], [-0.4, 1.9, -2.6, 1.2], [1.5, 0.2, 0.9, -0.8]])
CUBE = (np.arange(24.0).reshape(2, 3, 4) * 7 % 24) / 6 - 1.7
C = A + 1j * A[::-1]
EMPTY = np.zeros((0, 3))
NUMBER = np.array(1.5)
ZEROS = np.array([[0.0, 2.0, 3.0], [0.0, 4.0, 0.0], [5.0, 6.0, 7.0]])
FLAGS = np.array([[True, False, True], [True, True, True]])
_STEP = dict.fromkeys(("second order",), "piecewise linear")


def _reduce(function, arrays=(A, CUBE), axes=((0,), (1,), (0, 1)), extra=()):
    entries = [
        Sample((x,), {"axis": axis}, reference=lambda x, axis=axis: function(x, axis=axis))
        for x in arrays
        for axis in axes
    ]
    entries.append(Sample((CUBE,), {"axis": (0, 2)}, reference=lambda x: function(x, axis=(0, 2))))
    entries.append(Sample((A,), {"axis": ()}, reference=lambda x: function(x, axis=())))
    entries.append(Sample((NUMBER,), {"axis": ()}))
    return [*entries, *extra]


def _scan(function, extra=()):
    return [
        *(
            Sample((x,), {"axis": axis}, reference=lambda x, axis=axis: function(x, axis=axis))
            for x in (A, CUBE)
            for axis in (0, 1)
        ),
        Sample((A[0],), {"axis": 0}),
        Sample((A[:, :1],), {"axis": 1}),
        Sample((EMPTY,), {"axis": 0}),
        Sample((EMPTY,), {"axis": 1}),
        *extra,
    ]


def _index(function):
    return [
        *(
            Sample((x,), {"axis": axis}, reference=lambda x, axis=axis: function(x, axis=axis))
            for x in (A, CUBE)
            for axis in (0, 1)
        ),
        Sample((np.zeros((0, 3)),), {"axis": 1}, reference=lambda x: function(x, axis=1)),
    ]


SAMPLES = {
    "sum": _reduce(
        np.sum,
        extra=[
            Sample((EMPTY,), {"axis": (0,)}, reference=lambda x: np.sum(x, axis=0)),
            Sample((C,), {"axis": (1,)}),
            Sample((FLAGS,), {"axis": (0,)}, reference=lambda x: np.sum(x, axis=0)),
        ],
    ),
    "prod": _reduce(
        np.prod,
        extra=[
            Sample((EMPTY,), {"axis": (0,)}, reference=lambda x: np.prod(x, axis=0)),
            Sample((C,), {"axis": (1,)}),
            Sample((ZEROS,), {"axis": (1,)}, reference=lambda x: np.prod(x, axis=1)),
        ],
    ),
    "max": _reduce(np.max, extra=[Sample((EMPTY,), {"axis": (1,)})]),
    "min": _reduce(np.min, extra=[Sample((EMPTY,), {"axis": (1,)})]),
    "cumsum": _scan(np.cumsum, [Sample((C,), {"axis": 1})]),
    "cumprod": _scan(np.cumprod, [Sample((C,), {"axis": 1}), Sample((ZEROS,), {"axis": 1})]),
    "maximum": [],
    "cummax": _scan(np.maximum.accumulate),
    "cummin": _scan(np.minimum.accumulate),
    "argsort": _index(lambda x, axis: np.argsort(x, axis=axis, kind="stable")),
    "argmax": _index(np.argmax)[:-1],
    "argmin": _index(np.argmin)[:-1],
    "any": [
        Sample((FLAGS,), {"axis": axis}, reference=lambda x, axis=axis: np.any(x, axis=axis))
        for axis in ((0,), (0, 1), ())
    ],
    "all": [
        Sample((FLAGS,), {"axis": axis}, reference=lambda x, axis=axis: np.all(x, axis=axis))
        for axis in ((1,), (0, 1), ())
    ],
    "running_max_index": [
        Sample(
            (np.array([[0, 2, 0, 1], [3, 1, 0, 5]]),), {"axis": 1}, reference=lambda x: np.maximum.accumulate(x, axis=1)
        )
    ],
    "searchsorted": [
        Sample(
            (np.array([0.0, 1.0, 2.5, 4.0]), np.array([0.3, 2.5, 9.0])),
            {"side": side},
            reference=lambda a, v, side=side: np.searchsorted(a, v, side),
        )
        for side in ("left", "right")
    ],
}
