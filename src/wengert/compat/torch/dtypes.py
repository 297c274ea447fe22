"""PyTorch's dtypes and how they promote, on top of NumPy's.

A `dtype` prints as `torch.float32` and is taken by NumPy wherever a dtype is. Promotion differs from NumPy's in three
ways: a float beats every integer whatever its size, numbers and tensors without axes do not widen tensors with axes of
the same kind, and what becomes floating takes the default dtype.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import numpy as np

from ...errors import GraphDtypeError, StructureError, user_line
from ...primitives import elementwise as e
from ...recording import Traced, apply, wrap

_KINDS = {"b": 0, "u": 1, "i": 1, "f": 2, "c": 3}


class dtype:  # PyTorch's own name for it
    """What a tensor's elements are; one object per kind, so that `is` compares."""

    __slots__ = ("dtype", "name")

    def __init__(self, name: str, numpy_dtype: Any) -> None:
        self.name = name
        self.dtype = np.dtype(numpy_dtype)

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, dtype):
            return self.dtype == other.dtype
        if isinstance(other, str):
            return False
        try:
            return self.dtype == np.dtype(other)  # type: ignore[call-overload]
        except TypeError:
            return NotImplemented

    def __hash__(self) -> int:
        return hash(self.dtype)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # protocols are looked up on the type; copying must not loop here
            raise AttributeError(name)
        return getattr(self.dtype, name)

    def __reduce__(self) -> tuple[Any, ...]:
        return (from_numpy_dtype, (self.dtype,))

    @property
    def is_floating_point(self) -> bool:
        """Whether elements are real floating numbers."""
        return self.dtype.kind == "f"

    @property
    def is_complex(self) -> bool:
        """Whether elements are complex numbers."""
        return self.dtype.kind == "c"

    @property
    def is_signed(self) -> bool:
        """Whether elements can be negative."""
        return self.dtype.kind in "ifc"

    def to_real(self) -> dtype:
        """Return the dtype of a complex one's parts."""
        return from_numpy_dtype(np.zeros((), self.dtype).real.dtype)

    def to_complex(self) -> dtype:
        """Return the complex dtype whose parts are of this one."""
        return from_numpy_dtype(np.result_type(self.dtype, np.complex64))


bool_ = dtype("bool", np.bool_)
uint8 = dtype("uint8", np.uint8)
uint16 = dtype("uint16", np.uint16)
uint32 = dtype("uint32", np.uint32)
uint64 = dtype("uint64", np.uint64)
int8 = dtype("int8", np.int8)
int16 = short = dtype("int16", np.int16)
int32 = int_ = dtype("int32", np.int32)
int64 = long = dtype("int64", np.int64)
float16 = half = dtype("float16", np.float16)
float32 = float_ = dtype("float32", np.float32)
float64 = double = dtype("float64", np.float64)
complex64 = cfloat = dtype("complex64", np.complex64)
complex128 = cdouble = dtype("complex128", np.complex128)

_ALL = (
    *(bool_, uint8, uint16, uint32, uint64, int8, int16, int32, int64),
    *(float16, float32, float64, complex64, complex128),
)
_BY_NUMPY = {entry.dtype: entry for entry in _ALL}


def from_numpy_dtype(numpy_dtype: Any) -> dtype:
    """Return the dtype of that name; NumPy's others (long double, strings) are refused."""
    try:
        return _BY_NUMPY[numpy_dtype]
    except KeyError:
        raise GraphDtypeError(
            f"a tensor cannot hold NumPy's {numpy_dtype}", hint="array.astype(float), or another of torch's dtypes"
        ) from None


def to_numpy_dtype(value: Any) -> np.dtype:
    """Return NumPy's dtype for a `torch` dtype, a Python type, or what NumPy itself understands."""
    if isinstance(value, dtype):
        return value.dtype
    if value is float:
        return get_default_dtype().dtype
    if value is complex:
        return get_default_dtype().to_complex().dtype
    return np.dtype(value)


# ---------------------------------------------------------------- the default dtype

_default: ContextVar[dtype] = ContextVar("wengert_torch_default_dtype", default=float32)
get_default_dtype = _default.get


def set_default_dtype(d: Any) -> None:
    """Make a floating dtype the one of new tensors made from Python floats, in this thread or task."""
    d = from_numpy_dtype(to_numpy_dtype(d))
    if d.dtype.kind != "f":
        raise GraphDtypeError(f"the default dtype must be floating, not {d!r}", hint="torch.float32 or torch.float64")
    _default.set(d)


# ---------------------------------------------------------------- promotion


@lru_cache(maxsize=1024)
def _promote(a: np.dtype, b: np.dtype) -> np.dtype:
    if _KINDS[a.kind] == _KINDS[b.kind]:
        return np.promote_types(a, b)
    low, high = (a, b) if _KINDS[a.kind] < _KINDS[b.kind] else (b, a)
    if high.kind == "c" and low.kind == "f":
        return np.promote_types(high, np.promote_types(low, np.complex64))
    return high


def promote_types(type1: Any, type2: Any) -> dtype:
    """Return the smallest dtype that holds both, as PyTorch has it: a float beats every integer."""
    return from_numpy_dtype(_promote(to_numpy_dtype(type1), to_numpy_dtype(type2)))


def _combine(strong: np.dtype | None, weak: np.dtype | None) -> np.dtype | None:
    """What a group that decides becomes together with one that can only change its kind."""
    if strong is None or weak is None:
        return strong or weak
    if strong.kind == "f" and weak.kind == "c":
        return np.promote_types(strong, np.complex64)
    return strong if _KINDS[strong.kind] >= _KINDS[weak.kind] else _promote(strong, weak)


def result_dtype(*args: Any) -> np.dtype:
    """Return the dtype of an elementwise operation on tensors, arrays and Python numbers."""
    groups: list[np.dtype | None] = [None, None, None]  # with axes, without axes, Python numbers
    for arg in args:
        if isinstance(arg, Traced):
            shape, kind = arg.shape, arg._data.dtype if arg._data is not None else np.dtype(arg.dtype)  # type: ignore[attr-defined]
            group = 0 if shape else 1
        elif isinstance(arg, np.ndarray):
            kind, group = arg.dtype, 0 if arg.shape else 1
        elif isinstance(arg, np.generic):
            kind, group = arg.dtype, 1
        else:
            kind, group = _number_dtype(arg), 2
        known = groups[group]
        groups[group] = kind if known is None else _promote(known, kind)
    found = _combine(groups[0], _combine(groups[1], groups[2]))
    assert found is not None
    return found


def _number_dtype(value: Any) -> np.dtype:
    if isinstance(value, bool):
        return bool_.dtype
    if isinstance(value, int):
        return int64.dtype
    if isinstance(value, float):
        return get_default_dtype().dtype
    if isinstance(value, complex):
        return get_default_dtype().to_complex().dtype
    return np.asarray(value).dtype


def cast(x: Any, to: np.dtype) -> Any:
    """Return a tensor, or an array or number, in a dtype; the same object where it has it already."""
    if isinstance(x, Traced):
        have = x._data.dtype if x._data is not None else np.dtype(x.dtype)  # type: ignore[attr-defined]
        if have == to:
            return x
        if to.kind not in "fc" and have.kind in "fc" and x._data is not None:  # integers have no derivative
            return wrap(type(x).family, _converted(x._data, to))  # type: ignore[attr-defined]
        return apply(e.cast, (x,), {"dtype": to})
    if isinstance(x, np.ndarray | np.generic):
        return x if x.dtype == to else x.astype(to)
    return x


def _converted(data: Any, to: np.dtype) -> Any:
    with np.errstate(invalid="ignore"):
        if to.kind == "b":
            return data != 0
        return (data.real if data.dtype.kind == "c" else data).astype(to)


# What PyTorch's functions that make tensors take, and that changes nothing where there is one device and one layout.
LAYOUT = frozenset(("device", "layout", "memory_format", "names", "pin_memory"))


def check_settings(name: str, given: Iterable[str], allowed: Iterable[str]) -> None:
    """Raise StructureError, a TypeError, for a keyword that a function does not take."""
    unknown = sorted(set(given) - set(allowed))
    if unknown:
        raise StructureError(f"{name}() got an unexpected keyword argument {unknown[0]!r}", where=user_line())


def floating(x: Any) -> Any:
    """Return a tensor as it is if it is floating or complex, else in the default dtype."""
    data = x._data
    kind = data.dtype.kind if data is not None else x.dtype.kind
    return x if kind in "fc" else cast(x, get_default_dtype().dtype)


class Size(tuple):
    """A shape; prints as `torch.Size([2, 3])`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"torch.Size([{', '.join(map(str, self))}])"

    def numel(self) -> int:
        """Return the number of elements."""
        count = 1
        for n in self:
            count *= n
        return count


class device:  # PyTorch's own name for it
    """Where a tensor lives; there is one device, `cpu`."""

    __slots__ = ("index", "type")

    def __init__(self, type: Any, index: int | None = None) -> None:
        kind, _, number = str(type).partition(":")
        if kind != "cpu":
            raise GraphDtypeError(f"there is no device {kind!r}; the only one is 'cpu'", hint="leave device= out")
        self.type: str = kind
        self.index = int(number) if number else index

    def __repr__(self) -> str:
        return (
            f"device(type='{self.type}')" if self.index is None else f"device(type='{self.type}', index={self.index})"
        )

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other)

    def __hash__(self) -> int:
        return hash(self.type)


class finfo:  # PyTorch's own name for it
    """Limits of a floating dtype (the default one if none is given)."""

    def __init__(self, type: Any = None) -> None:
        info: Any = np.finfo(to_numpy_dtype(get_default_dtype() if type is None else type))
        self.bits, self.dtype = info.bits, str(info.dtype)
        self.eps, self.max, self.min = float(info.eps), float(info.max), float(info.min)
        self.tiny = self.smallest_normal = float(info.tiny)
        self.resolution = float(info.resolution)


class iinfo:  # PyTorch's own name for it
    """Limits of an integer dtype."""

    def __init__(self, type: Any) -> None:
        info = np.iinfo(to_numpy_dtype(type))
        self.bits, self.max, self.min, self.dtype = info.bits, int(info.max), int(info.min), str(info.dtype)
