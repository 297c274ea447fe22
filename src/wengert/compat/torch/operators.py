"""Operators of tensors, with PyTorch's promotion, checks and errors."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import GraphArgumentError, GraphError, GraphShapeError, user_line
from ...primitives import elementwise as e
from ...primitives.base import shape_of
from ...recording import Traced, apply2, wrap
from . import dtypes
from .storage import in_place
from .tensor import InferenceTensor, Tensor


def as_tensor(x: Any, like: Any = None) -> Any:
    """Return a tensor of this family: tensors keep their line, arrays their dtype, numbers take the default one."""
    if isinstance(x, Tensor):
        return x
    if isinstance(x, Traced):
        return wrap(Tensor.family, x._data, x._line)
    if isinstance(x, np.ndarray | np.generic):
        return wrap(Tensor.family, x)
    if isinstance(x, list | tuple):
        from .creation import tensor

        return tensor(x)
    return wrap(Tensor.family, np.asarray(x, dtypes._number_dtype(x)))


def align(x: Any, y: Any, floating: bool = False) -> tuple[Any, Any]:
    """Return two operands in the dtype that PyTorch computes in; at least one is a tensor."""
    a = x._data if isinstance(x, Traced) else x
    b = y._data if isinstance(y, Traced) else y
    kind = type(b)
    if kind is float or kind is int:
        if a is not None and a.dtype.kind == "f":
            return x, y
    elif a is not None and b is not None and getattr(a, "dtype", None) is getattr(b, "dtype", 0):
        if not floating or a.dtype.kind in "fc":
            return x, y
    wanted = dtypes.result_dtype(x, y)
    if floating and wanted.kind not in "fc":
        wanted = dtypes.get_default_dtype().dtype
    return operand(x, wanted), operand(y, wanted)


def operand(x: Any, wanted: np.dtype) -> Any:
    """Return one operand in the dtype of the operation; Python's numbers adapt by themselves among floats."""
    if isinstance(x, bool | int | float | complex):
        return x if wanted.kind in "fc" else wanted.type(x)
    return dtypes.cast(x, wanted)


_OPERANDS = (Traced, np.ndarray, np.generic, int, float, complex)


def _binary(primitive: Any, floating: bool = False) -> tuple[Any, Any]:
    def forward(self: Tensor, other: Any) -> Any:
        if not isinstance(other, _OPERANDS):
            return NotImplemented
        return applied(primitive, *align(self, other, floating))

    def reflected(self: Tensor, other: Any) -> Any:
        if not isinstance(other, _OPERANDS):
            return NotImplemented
        pair = align(other, self, floating) if isinstance(other, Traced) else align(self, other, floating)[::-1]
        return applied(primitive, *pair)

    return forward, reflected


def applied(primitive: Any, x: Any, y: Any) -> Any:
    """Apply a primitive to two operands.

    Raises
    ------
    GraphShapeError
        If their shapes do not broadcast.
    GraphError
        If an inference tensor would be saved for a gradient.
    """
    try:
        return checked(apply2(primitive, x, y), x, y)
    except ValueError as error:
        raise misfit(primitive.name, error, x, y) from None


def misfit(name: str, error: ValueError, *args: Any) -> Exception:
    """Return the error for arguments whose shapes do not fit, as PyTorch's RuntimeError and NumPy's ValueError."""
    if isinstance(error, GraphError):
        return error
    if "negative integer powers" in str(error):  # the one ValueError of a ufunc that is not about shapes
        return GraphArgumentError(f"{name}: {error}", where=user_line(), hint="x.float() ** y")
    shapes = ", ".join(str(tuple(shape_of(x))) for x in args if isinstance(x, Traced | np.ndarray))
    return GraphShapeError(
        f"{name}: tensors of shapes {shapes} do not fit", where=user_line(), why=str(error).splitlines()[0]
    )


def checked(result: Any, *args: Any) -> Any:
    """Raise GraphError if an inference tensor was saved for a gradient."""
    line = result._line
    if line is not None and any(isinstance(arg, InferenceTensor) for arg in args):
        count = len(line.inputs)
        read = {k for i, parent in enumerate(line.inputs) if parent is not None for k in line.primitive.reads(i, count)}
        for k, arg in enumerate(args):
            if isinstance(arg, InferenceTensor) and k in read:
                raise GraphError(
                    "inference tensors cannot be saved for backward",
                    where=user_line(),
                    hint="x.clone() gives a normal tensor",
                )
    return result


_UFUNCS = e.UFUNCS
for _name, _primitive, _floating in (
    ("add", e.add, False),
    ("sub", e.subtract, False),
    ("mul", e.multiply, False),
    ("truediv", e.divide, True),
    ("floordiv", e.floor_divide, False),
    ("mod", e.remainder, False),
    ("pow", e.power, False),
    ("and", _UFUNCS[np.bitwise_and], False),
    ("or", _UFUNCS[np.bitwise_or], False),
    ("xor", _UFUNCS[np.bitwise_xor], False),
    ("lshift", _UFUNCS[np.left_shift], False),
    ("rshift", _UFUNCS[np.right_shift], False),
):
    _forward, _reflected = _binary(_primitive, _floating)
    setattr(Tensor, f"__{_name}__", _forward)
    setattr(Tensor, f"__r{_name}__", _reflected)
    setattr(Tensor, f"__i{_name}__", in_place(_forward))
for _name, _ufunc in (("lt", np.less), ("le", np.less_equal), ("gt", np.greater), ("ge", np.greater_equal)):
    setattr(Tensor, f"__{_name}__", _binary(_UFUNCS[_ufunc])[0])


def _equality(ufunc: Any, otherwise: bool) -> Any:
    compare = _binary(_UFUNCS[ufunc])[0]

    def method(self: Tensor, other: Any) -> Any:
        return otherwise if other is None else compare(self, other)

    return method


Tensor.__eq__ = _equality(np.equal, False)  # type: ignore[method-assign]
Tensor.__ne__ = _equality(np.not_equal, True)  # type: ignore[method-assign]
