"""Samples of control flow: calls, branches and loops over small Programs, and the pullbacks of loops."""

import numpy as np
from sample import Sample

from wengert.program import Slot, trace

X, Y = np.array([0.3, -1.2, 2.0]), np.array([0.7, 1.1, -0.4])
ROWS = np.array([[0.5, 0.1, -0.3], [1.0, -0.6, 0.2], [0.4, 0.9, 0.8]])
_FIXED = dict.fromkeys(("dtype", "abstract"), "the Program inside was made for double precision")


def _program(function, *args):
    """Return a Program and the numbers it captured, which become further arguments."""
    return trace(lambda *values: list(function(*values)), [Slot.of(np.asarray(x)) for x in args]).closed()


BODY, _ = _program(lambda x, y: (np.sin(x) * y, np.sum(x * x)), X, Y)
OTHER, _ = _program(lambda x, y: (x - y, np.prod(y)), X, Y)
# state, row of xs, constant -> state, row of ys
STEP, _ = _program(lambda s, r, c: (np.tanh(s + r) * c, np.sum(s * r)), X, ROWS[0], Y)
# x, y -> x, y as long as sum(x) < 6
AGAIN, TESTS = _program(lambda x, y: (np.sum(x) < 6,), X, Y)
GROW, CONSTANTS = _program(lambda x, y: (x * 1.3 + np.abs(y), y * 0.9), X, Y)


def _scanned(reverse):
    def reference(s, rows, c):
        ys = np.zeros(len(rows))
        for k in reversed(range(len(rows))) if reverse else range(len(rows)):
            ys[k] = np.sum(s * rows[k])
            s = np.tanh(s + rows[k]) * c
        return s, ys

    return reference


def _looped(x, y, *_constants):
    while np.sum(x) < 6:
        x, y = x * 1.3 + np.abs(y), y * 0.9
    return x, y


def _scan(reverse, keep):
    params = {"body": STEP, "carry": 1, "xs": 1, "length": 3, "reverse": reverse, "keep": keep}
    return Sample((X, ROWS, Y), params, reference=_scanned(reverse), skip=_FIXED)


_LOOP = {"cond": AGAIN, "body": GROW, "carry": 2}

SAMPLES = {
    "call": [Sample((X, Y), {"program": BODY}, reference=lambda x, y: (np.sin(x) * y, np.sum(x * x)), skip=_FIXED)],
    "cond": [
        Sample(
            (np.array(number), X, Y),
            {"branches": (BODY, OTHER)},
            reference=lambda n, x, y: (x - y, np.prod(y)) if n else (np.sin(x) * y, np.sum(x * x)),
            skip=_FIXED,
        )
        for number in (0, 1)
    ],
    "pack": [Sample((X, Y[:2]), reference=lambda x, y: (x, y))],
    "scan": [_scan(False, 0), _scan(True, 0), _scan(False, 2)],
    "while": [
        Sample((X, Y, *TESTS, *CONSTANTS), {**_LOOP, "keep": keep}, reference=_looped, skip=_FIXED) for keep in (0, 2)
    ],
    "scan_pull": [
        Sample(
            (X, ROWS, Y, Y + 1, np.array([0.2, -0.5, 1.5])),
            {**_scan(False, 0).params, "which": which},
            skip=_FIXED,
        )
        for which in ((0, 1, 2), (2,))
    ],
    "while_pull": [
        Sample((X, Y, *TESTS, *CONSTANTS, Y + 1, X - 1), {**_LOOP, "keep": 0, "which": (0, 1)}, skip=_FIXED)
    ],
}
