"""`explain`: what was compiled, and how."""

import numpy as np
import pytest

import wengert as wg
from wengert.errors import NotCompiled, StructureError


def test_explain_lists_loops_blas_and_numpy():
    w = np.ones((100, 100))
    text = wg.explain(wg.grad(lambda x: np.sum(np.tanh(w @ x) ** 2)), np.ones(100))
    assert "BLAS: 100x100 @ 100x1" in text and "loops over 100" in text
    text = wg.explain(lambda x: np.linalg.svd(x * 2 + 1)[1] * 2 + 1, np.eye(3))
    assert "through NumPy: svd" in text and "segment 0" in text
    text = wg.explain(lambda x: x if x[0] > 0 else -x, np.ones(2))
    assert "holds for 1 guard" in text and "straight-line code" in text
    with pytest.raises(StructureError, match="was not called yet"):
        wg.explain(wg.jit(np.sin))


def test_explain_says_why_not():
    f = wg.jit(lambda x: np.linalg.inv(x))
    with pytest.warns(NotCompiled):
        f(np.eye(2))
    assert "runs without compiled code: nothing in it has native code" in wg.explain(f)


def test_explain_lists_what_is_compared_outside():
    k, options = 2.0, {"power": 2}
    f, g = wg.jit(lambda x: x * k), wg.jit(lambda x: x ** options["power"])
    assert "compares what is outside, by the machine code: k" in wg.explain(f, np.ones(2))
    assert "compares what is outside, through Python: options" in wg.explain(g, np.ones(2))
