"""Plain derivatives that skip recording, for the tests: how to compare."""

import numpy as np
import pytest

from wengert.differentiation import unrecorded
from wengert.differentiation.purity import NotProved, Proof

X = np.array([0.5, -1.0, 2.0])


def same(found, wanted, tolerance=1e-11):
    found, wanted = (list(v) if isinstance(v, tuple) else [v] for v in (found, wanted))
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        if isinstance(a, tuple):
            same(a, b, tolerance)
        else:
            assert type(a) is type(b) and np.asarray(a).dtype == np.asarray(b).dtype
            size = np.max(np.abs(b), initial=0.0, where=np.isfinite(b))
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=0.1 * tolerance * (1 + size))


def is_skipped(derivative):
    return unrecorded.status(derivative).startswith("proved pure: recording is skipped;")


def reason(function):
    with pytest.raises(NotProved) as caught:
        Proof(function)
    return str(caught.value)


def follow(derivative, arguments, change=lambda k: None, calls=50):
    """Compare each of 50 calls with one that records, while something changes between them."""
    for k in range(calls):
        change(k)
        args = arguments(k)
        same(derivative(*args), derivative.evaluate(*args))


def points(k):
    return (X + 0.01 * k,)
