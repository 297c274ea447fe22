"""Object arrays of tensors: what NumPy makes of `np.array([x0, x1])` when the numbers are tracked.

NumPy gives no hook there, but it does carry objects. So a tracked number becomes an array of one object, itself, and
the array that NumPy builds of such arrays keeps every derivative. Arithmetic on it goes element by element; what has
no meaning for objects raises. It is a tensor again where it meets a tensor, is written to one, or leaves the function
that is differentiated. A whole tensor is not taken apart like this without need: `np.asarray(x)` raises TraceLost.
"""

from __future__ import annotations

import re
import sys
import warnings
from typing import Any

import numpy as np

from .errors import LoopWarning, user_line
from .primitives.indexing import reshape, stack
from .recording import Traced, apply

OBJECT = np.dtype(object)


def boxed(x: Any) -> np.ndarray:
    """Return an object array whose elements are the elements of a tensor, each a tensor without axes."""
    shape = x.shape
    box = np.empty(shape or (1,), OBJECT)
    if shape:
        for place in np.ndindex(*shape):
            box[place] = x[place]
    else:
        box[0] = x
    return box.reshape(shape)


def is_boxed(value: Any) -> bool:
    """Whether a value is an object array that holds tensors."""
    return (
        isinstance(value, np.ndarray)
        and value.dtype is OBJECT
        and any(isinstance(part, Traced) for part in value.ravel())
    )


def unboxed(value: Any) -> Any:
    """Return the tensor that an object array of tensors and numbers stands for; any other value as it is."""
    if not is_boxed(value):
        return value
    parts = [part if isinstance(part, Traced) else np.asarray(part) for part in value.ravel()]
    return apply(reshape, (apply(stack, parts, {"axis": 0}),), {"shape": value.shape})


_ELEMENTWISE = frozenset(("_vectorize_call", "_vectorize_call_with_signature", "_get_ufunc_and_otypes", "mapdomain"))
_LIST_LITERAL = re.compile(r"\barray\(\s*(?:[\[(]|$)")
_METHOD_DOT = re.compile(r"\.dot\(")
_MANY = 64


def may_be_boxed(x: Any, dtype: Any) -> bool:
    """Whether a tracked tensor that is asked for an array may give one of objects.

    One without axes may: it is an element of `np.array([x0, x1])`, or will be an object array all by itself. One with
    axes may where it is a row of a list in the user's source, the argument of a plain array's method `dot`, or where
    NumPy's own code goes by elements anyhow (`np.vectorize`, `np.r_`, `np.c_`, calls of `numpy.polynomial` objects).
    A bare `np.asarray(x)` may not, and what SciPy asks for may not: its functions fail on objects, and do not say why.
    """
    if not x.shape:
        return not sys._getframe(2).f_globals.get("__name__", "").startswith("scipy.")
    slow = ""
    if dtype is None and not _asked_by_looping_code():
        source = user_line().partition(": ")[2]
        if _METHOD_DOT.search(source):
            slow = "A @ x or np.dot(A, x) instead of A.dot(x)"
        elif not _LIST_LITERAL.search(source):
            return False
    if slow or x.size > _MANY:
        warnings.warn(
            f"a tracked tensor of shape {x.shape} becomes an array of objects, element by element, which is slow. Try: "
            + (
                slow
                or "np.stack([...]) or np.array([...], like=x) instead of np.array([...]); wengert.numpy.vectorize and "
                "wengert.numpy.polynomial.evaluate instead of NumPy's own"
            ),
            LoopWarning,
            stacklevel=3,
        )
    return True


def _asked_by_looping_code() -> bool:
    frame = sys._getframe(3)
    while frame is not None and frame.f_globals.get("__name__", "").startswith(("numpy.lib.", "numpy.polynomial.")):
        code = frame.f_code
        if code.co_name in _ELEMENTWISE or (code.co_name == "__getitem__" and "_index_tricks" in code.co_filename):
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False
