"""Samples of the reindexing primitives."""

import numpy as np
from sample import Sample

A = np.arange(12.0).reshape(3, 4) / 7 - 0.6
B = np.array([[0.3, -1.2, 0.8, 2.0]])
C = A + 1j * A[::-1]
FULL = (None, None, None)
ROWS = np.array([2, 0, 2])
COLUMNS = np.array([[1, 3, 0], [0, 0, 2]])
CUBE = np.arange(24.0).reshape(2, 3, 4) / 5 - 2


def _indexed(*key):
    return lambda x, *_arrays: x[key]


def _added(shape, *key):
    def add(v, *_arrays):
        out = np.zeros(shape, v.dtype)
        np.add.at(out, key, v)
        return out

    return add


def _stored(*key):
    def store(x, v, *_arrays):
        out = x.copy()
        out[key] = v
        return out

    return store


# (array, spec, index arrays, the same as NumPy writes it)
_INDICES = [
    (A, (1,), (), (1,)),
    (A, (FULL, -2), (), (slice(None), -2)),
    (A, ((0, 3, 2), (None, None, -1)), (), (slice(0, 3, 2), slice(None, None, -1))),
    (A, (None, FULL, None), (), (None, slice(None), None)),
    (A, ((2, 2, None),), (), (slice(2, 2),)),
    (A, (1, 2), (), (1, 2)),
    (A, ("array",), (ROWS,), (ROWS,)),
    (A, (FULL, "array"), (COLUMNS,), (slice(None), COLUMNS)),
    (A, ("array", "array"), (ROWS, COLUMNS), (ROWS, COLUMNS)),
    (
        CUBE,
        ("array", FULL, "array"),
        (np.array([1, 0]), np.array([3, 3])),
        (np.array([1, 0]), slice(None), np.array([3, 3])),
    ),
    (CUBE, (1, FULL, "array"), (ROWS,), (1, slice(None), ROWS)),
    (CUBE, (FULL, 1, "array"), (ROWS,), (slice(None), 1, ROWS)),
    (CUBE, ("array", None, "array"), (np.array([1, 0]), np.array([0, 2])), (np.array([1, 0]), None, np.array([0, 2]))),
    (A, ("array",), (np.zeros((0,), int),), (np.zeros((0,), int),)),
    (np.zeros((0, 3)), (FULL, 1), (), (slice(None), 1)),
    (np.array(2.5), (), (), ()),
    (C, (FULL, "array"), (ROWS,), (slice(None), ROWS)),
]


def _pieces():
    for x, spec, arrays, key in _INDICES:
        part = np.asarray(x[key])
        values = (part * 0.5 + 1).astype(x.dtype)
        yield x, spec, arrays, key, values


# A flat array of 8 numbers: two stores of parts, one that adds to them, one that adds where elements meet.
_STORES = (
    (0, (2,), None, (0, 4, 2), "set"),
    (1, (3,), 0, (4, 7, None), "set"),
    (0, (2,), None, (4, 6, None), "add"),
    (2, (3,), None, 1, "at"),
)


def _assembled(template, u, v, w, elements, places):
    out = template.copy()
    out[0:4:2] = u
    out[4:7] = v[elements]
    out[4:6] += u
    np.add.at(out, places, w)
    return out


SAMPLES = {
    "reshape": [
        Sample((A,), {"shape": (2, 6)}, reference=lambda x: x.reshape(2, 6)),
        Sample((A,), {"shape": (12,)}),
        Sample((np.array(1.5),), {"shape": (1, 1)}),
        Sample((np.zeros((0, 3)),), {"shape": (5, 0)}),
        Sample((C,), {"shape": (4, 3)}),
    ],
    "transpose": [
        Sample((A,), {"axes": (1, 0)}, reference=np.transpose),
        Sample((CUBE,), {"axes": (2, 0, 1)}, reference=lambda x: x.transpose(2, 0, 1)),
        Sample((np.array(1.5),), {"axes": ()}),
        Sample((np.zeros((0, 3)),), {"axes": (1, 0)}),
        Sample((C,), {"axes": (1, 0)}),
    ],
    "broadcast_to": [
        Sample((B,), {"shape": (3, 4)}, reference=lambda x: np.broadcast_to(x, (3, 4))),
        Sample((B[0],), {"shape": (2, 3, 4)}),
        Sample((np.array(1.5),), {"shape": (2, 2)}),
        Sample((np.array([1.5]),), {"shape": (0,)}),
        Sample((C[:1],), {"shape": (2, 4)}),
        Sample((A,), {"shape": (3, 4)}),
    ],
    "concatenate": [
        Sample((A, B), {"axis": 0}, reference=lambda *x: np.concatenate(x, 0)),
        Sample((A, A[:, :1], A[:, :0]), {"axis": 1}, reference=lambda *x: np.concatenate(x, 1)),
        Sample((C, A), {"axis": 0}),
        Sample((A,), {"axis": 1}),
    ],
    "stack": [
        Sample((A, 2 * A), {"axis": 0}, reference=lambda *x: np.stack(x, 0)),
        Sample((A, 2 * A, A**2), {"axis": 2}, reference=lambda *x: np.stack(x, 2)),
        Sample((np.array(1.5), np.array(2.5)), {"axis": 0}),
        Sample((np.zeros((0, 2)), np.zeros((0, 2))), {"axis": 1}),
        Sample((C, A), {"axis": 1}),
    ],
    "assemble": [
        Sample(
            (np.arange(8.0), A[0, :2], A[1, :3], A[2, :3], np.array([2, 0, 1]), np.array([1, 3, 1])),
            {"stores": _STORES, "count": 3},
            reference=_assembled,
            shared=(4, 5),
        ),
    ],
    "index": [Sample((x, *arrays), {"spec": spec}, reference=_indexed(*key)) for x, spec, arrays, key in _INDICES],
    "index_add": [
        Sample((v, *arrays), {"spec": spec, "shape": x.shape}, reference=_added(x.shape, *key))
        for x, spec, arrays, key, v in _pieces()
    ],
    "index_set": [
        Sample((x, v, *arrays), {"spec": spec}, reference=_stored(*key)) for x, spec, arrays, key, v in _pieces()
    ],
}
