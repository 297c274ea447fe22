"""What `__array_ufunc__` does beyond a plain call: out=, where=, dtype=, reduce, accumulate, outer, at, reduceat."""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import Any

import numpy as np

from ..errors import TraceLost, UnsupportedFunction, user_line
from ..primitives import elementwise as e
from ..primitives.base import normalize_axes, normalize_axis
from ..primitives.indexing import index_add, layout_of, normalize_index
from ..primitives.reduction import cummax, cummin
from ..recording import Traced, apply, is_tracked
from ..tensor import Tensor
from ..views import assign, fit_value
from ._register import FUNCTIONS, MISSING, as_array, find, implements, keep, store, to_dtype
from .shaping import take_slice

_IGNORED = frozenset(("casting", "order", "subok"))  # they change no number


def call_ufunc(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Answer one `__array_ufunc__` call.

    Raises
    ------
    UnsupportedFunction
        If the ufunc has no derivative rule, or is called with `signature=`.
    """
    kept = {name: value for name, value in options.items() if name not in _IGNORED}
    if "signature" in kept or "sig" in kept:
        raise UnsupportedFunction(
            f"numpy.{ufunc.__name__} with signature= has no derivative rule", where=user_line(), hint="dtype="
        )
    return _METHODS[method](ufunc, *inputs, **kept)


def _function(ufunc: np.ufunc) -> Any:
    primitive = e.UFUNCS.get(ufunc)
    if primitive is None and ufunc not in FUNCTIONS:
        _load_special()
        primitive = e.UFUNCS.get(ufunc)
    if primitive is None:
        return find(ufunc)
    return lambda *args: apply(primitive, [as_array(a) if isinstance(a, list | tuple) else a for a in args])


def _load_special() -> None:
    """Load the rules of `scipy.special`'s ufuncs, which are registered on first use."""
    try:
        from ..primitives import special  # noqa: F401
    except ImportError:
        return


def _call(ufunc: np.ufunc, *inputs: Any, out: Any = None, where: Any = True, dtype: Any = None, **extra: Any) -> Any:
    function = _function(ufunc)
    if dtype is not None:
        inputs = tuple(to_dtype(as_array(x), dtype) for x in inputs)
    result = function(*inputs, **extra)
    if out is None and where is True:
        return result
    outs = (out if isinstance(out, tuple) else (out,)) if out is not None else (None,) * ufunc.nout
    results = result if isinstance(result, tuple) else (result,)
    stored = []
    for value, target in zip(results, outs, strict=True):
        if target is None:
            # NumPy leaves the rest uninitialised; zeros are one valid outcome, and repeatable.
            stored.append(value if where is True else np.where(where, value, np.zeros((), value.dtype)))
            continue
        value = value if where is True else np.where(where, value, target)
        if target is inputs[0] and type(target) is np.ndarray and is_tracked(value):
            stored.append(_absorb(target, value, ufunc))
        else:
            stored.append(store(value, target))
    return stored[0] if len(stored) == 1 else tuple(stored)


# ---------------------------------------------------------------- plain += tracked


def _absorb(target: np.ndarray, value: Any, ufunc: np.ufunc) -> Any:
    """Answer `plain += tracked`: the name may go on with a tensor, if nothing else refers to the plain array.

    Python binds the name to what the in-place operator returns. Any other holder of the array would keep the old
    numbers without their derivative, so there the error is the honest answer.
    """
    if not np.can_cast(value.dtype, target.dtype, "same_kind") or value.shape != target.shape:
        return store(value, target)
    if not _by_operator() or target.base is not None or _holders(target) > _lonely_holders():
        raise TraceLost(
            f"a tracked result of shape {value.shape} is stored in a plain array in place",
            where=user_line(),
            why="a plain array cannot hold derivatives, and something else refers to this one too",
            hint="make that array with np.zeros_like(x) instead of np.zeros(...), or write a = a + x",
        )
    return to_dtype(value, target.dtype)


def _by_operator() -> bool:
    """Whether the user's frame is at an in-place operator (then what we return is bound to the name)."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").startswith("wengert."):
        frame = frame.f_back  # type: ignore[assignment]
    if frame is None:
        return False
    code, place = frame.f_code.co_code, frame.f_lasti
    return code[place] == _BINARY_OP and code[place + 1] in _IN_PLACE


def _operator_code() -> tuple[int, frozenset[int]]:
    import dis

    codes = getattr(dis, "_nb_ops", ())
    return dis.opmap.get("BINARY_OP", -1), frozenset(k for k, (_, sign) in enumerate(codes) if sign.endswith("="))


_BINARY_OP, _IN_PLACE = _operator_code()


class _Probe:
    """Counts the holders of an array that an in-place operator meets, when nobody but one name refers to it."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> int:
        return _METHODS["probe"](ufunc, *inputs, **options)


def _probe(ufunc: Any, *inputs: Any, out: Any) -> int:
    return _count(out[0])


def _count(target: Any) -> int:
    return sys.getrefcount(target)
