"""Tensor: an array plus its place in a recording. Operators and the NumPy and Array-API protocols.

What a function does to tensors is written in `wengert.numpy`; here stands only how it is reached. A tensor is
concrete (it has data) or abstract (it has a shape and a dtype; see `program.trace`).
"""

from __future__ import annotations

import operator
import sys
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np

from .errors import AbstractValue, DtypeError, ShapeError, StructureError, TraceLost, UnsupportedFunction, user_line
from .primitives import elementwise as e
from .primitives.base import dtype_of, shape_of
from .primitives.contraction import matmul
from .primitives.indexing import broadcast_to, index, index_set, normalize_index, real_index
from .recording import Traced, apply, apply1, apply2, is_tracked, wrap

_UFUNCS = e.UFUNCS


def _namespace() -> Any:
    """The functions on tensors; imported late because they are written with tensors."""
    from . import numpy as namespace

    return namespace


def _method(name: str) -> Any:
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        return getattr(_namespace(), name)(self, *args, **kwargs)

    method.__name__ = name
    method.__qualname__ = f"Tensor.{name}"
    method.__doc__ = f"Same as `numpy.ndarray.{name}`."
    return method


def _binary(primitive: Any) -> tuple[Any, Any]:
    def forward(self: Tensor, other: Any) -> Any:
        return apply2(primitive, self, other)

    def reflected(self: Tensor, other: Any) -> Any:
        return apply2(primitive, other, self)

    return forward, reflected


def _in_place(function: Any) -> Any:
    def method(self: Tensor, other: Any) -> Tensor:
        return self._assign(function(self, other))

    return method


class Tensor(Traced):
    """An array whose operations can be recorded.

    Parameters
    ----------
    value : array_like
        Numbers, an array, another tensor, or nested lists of these (tensors in them stay tracked).
    dtype : dtype, optional
        NumPy's choice if not given.

    Examples
    --------
    >>> import wengert as wg
    >>> x = wg.Tensor([1.0, 2.0])
    >>> x * x
    Tensor([1., 4.])
    """

    __slots__ = ()
    __array_priority__ = 1000
    family: type

    def __init__(self, value: Any, dtype: Any = None) -> None:
        self._alias = None
        self._line = None
        if isinstance(value, Traced) or (type(value) in (list, tuple) and _holds_tensor(value)):
            value = _namespace().array(value, dtype=dtype)
            self._data, self._line = value._data, value._line
            return
        data = np.array(value, dtype=dtype)
        if data.dtype == object:
            raise StructureError(
                f"a tensor cannot hold objects; got {type(value).__name__}", hint="pass numbers, or nested lists of equal length"
            )
        self._data = data

    # ------------------------------------------------------------ what it is

    @property
    def shape(self) -> tuple[int, ...]:
        data = self._data
        return data.shape if data is not None else self._line.shape  # type: ignore[union-attr]

    @property
    def dtype(self) -> np.dtype:
        data = self._data
        return data.dtype if data is not None else self._line.dtype  # type: ignore[union-attr]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        size = 1
        for n in self.shape:
            size *= n
        return size

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    @property
    def device(self) -> str:
        return "cpu"

    def to_device(self, device: str, /, *, stream: Any = None) -> Tensor:
        """Return the tensor itself; there is one device."""
        if device != "cpu":
            raise ValueError(f"device {device!r} is not available; the only device is 'cpu'")
        return self

    @property
    def T(self) -> Tensor:
        return _namespace().transpose(self)

    @property
    def mT(self) -> Tensor:
        return _namespace().matrix_transpose(self)

    @property
    def real(self) -> Tensor:
        return apply(e.real, (self,)) if self.dtype.kind == "c" else self

    @real.setter
    def real(self, value: Any) -> None:
        self._assign(value + 1j * self.imag if self.dtype.kind == "c" else value)

    @property
    def imag(self) -> Tensor:
        return apply(e.imag, (self,)) if self.dtype.kind == "c" else _namespace().zeros_like(self)

    @imag.setter
    def imag(self, value: Any) -> None:
        self._assign(self.real + 1j * value)

    @property
    def flat(self) -> Any:
        return _namespace().FlatIterator(self)

    # ------------------------------------------------------------ the ways out

    def numpy(self) -> np.ndarray:
        """Return the data as an array, whatever is being recorded: an explicit way out.

        The result is not tracked. It shares memory with the tensor; copy it before writing to it.

        Raises
        ------
        AbstractValue
            If the tensor has no data.
        """
        return np.asarray(self._concrete("numpy()"))

    def _concrete(self, what: str) -> Any:
        if self._data is None:
            raise AbstractValue(
                f"{what} needs the value of an abstract tensor of shape {self.shape}, dtype {self.dtype}",
                where=user_line(),
                why="inside vmap and traced bodies only shapes and dtypes are known",
                hint="np.where(condition, a, b) or wengert.cond instead of a branch on the value",
            )
        return self._data

    def _leave(self, what: str) -> Any:
        """Return the data for a conversion that drops the derivative, unless that derivative is wanted."""
        data = self._concrete(what)
        if is_tracked(self):
            raise TraceLost(
                f"{what} on a tracked tensor of shape {self.shape}, dtype {self.dtype}",
                where=user_line(),
                why="the result would be a plain number or array, and its derivative would be lost",
                hint="NumPy functions on the tensor itself (np.sin, not math.sin; a buffer from np.zeros_like(x), "
                "not np.zeros(n)), np.stack instead of np.array([...]), or x.numpy() if no derivative is wanted",
            )
        return data

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        data = self._leave("conversion to a NumPy array (np.asarray, or storing in a plain array)")
        if copy is None:
            return np.asarray(data, dtype=dtype)
        return np.array(data, dtype=dtype, copy=copy)

    def __float__(self) -> float:
        return float(self._leave("float()"))

    def __int__(self) -> int:
        return int(self._leave("int()"))

    def __complex__(self) -> complex:
        return complex(self._leave("complex()"))

    def __index__(self) -> int:
        return operator.index(self._leave("use as an index"))

    def item(self, *args: Any) -> Any:
        """Return one element as a Python number; raises TraceLost where that drops a wanted derivative."""
        return np.asarray(self._leave("item()")).item(*args)

    def tolist(self) -> Any:
        """Return nested lists of Python numbers; raises TraceLost where that drops a wanted derivative."""
        return np.asarray(self._leave("tolist()")).tolist()

    def __bool__(self) -> bool:
        return bool(self._concrete("the truth value"))

    def __dlpack__(self, **options: Any) -> Any:
        return np.asarray(self._leave("export by DLPack")).__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[Any, int]:
        return np.empty(0).__dlpack_device__()

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (np.asarray(self._leave("pickling or deep copying")),))

    def __copy__(self) -> Tensor:
        return self.copy()

    def __format__(self, specification: str) -> str:
        if self.ndim == 0 and self._data is not None:  # text for people, not a value to go on with
            return format(np.asarray(self._data)[()], specification)
        return format(str(self), specification)

    def __repr__(self) -> str:
        name = type(self).__name__
        if self._data is None:
            return f"{name}(abstract, shape={self.shape}, dtype={self.dtype})"
        text = repr(np.asarray(self._data))
        return name + text[len("array") :].replace("\n", "\n" + " " * (len(name) - len("array")))

    def __str__(self) -> str:
        return repr(self) if self._data is None else str(np.asarray(self._data))

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a tensor without axes")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self.shape:
            raise TypeError("iteration over a tensor without axes")
        return (self[i] for i in range(self.shape[0]))

    def __contains__(self, value: Any) -> bool:
        return bool(_namespace().any(self == value))

    __hash__ = None  # type: ignore[assignment]

    # ------------------------------------------------------------ operators

    __add__, __radd__ = _binary(e.add)
    __sub__, __rsub__ = _binary(e.subtract)
    __mul__, __rmul__ = _binary(e.multiply)
    __truediv__, __rtruediv__ = _binary(e.divide)
    __floordiv__, __rfloordiv__ = _binary(e.floor_divide)
    __mod__, __rmod__ = _binary(e.remainder)
    __pow__, __rpow__ = _binary(e.power)
    __and__, __rand__ = _binary(_UFUNCS[np.bitwise_and])
    __or__, __ror__ = _binary(_UFUNCS[np.bitwise_or])
    __xor__, __rxor__ = _binary(_UFUNCS[np.bitwise_xor])
    __lshift__, __rlshift__ = _binary(_UFUNCS[np.left_shift])
    __rshift__, __rrshift__ = _binary(_UFUNCS[np.right_shift])
    __lt__, _ = _binary(_UFUNCS[np.less])
    __le__, _ = _binary(_UFUNCS[np.less_equal])
    __gt__, _ = _binary(_UFUNCS[np.greater])
    __ge__, _ = _binary(_UFUNCS[np.greater_equal])

    def __eq__(self, other: Any) -> Any:
        return False if other is None else apply(_UFUNCS[np.equal], (self, other))

    def __ne__(self, other: Any) -> Any:
        return True if other is None else apply(_UFUNCS[np.not_equal], (self, other))

    def __matmul__(self, other: Any) -> Any:
        return matmul(self, other if isinstance(other, Traced | np.ndarray) else _namespace().asarray(other))

    def __rmatmul__(self, other: Any) -> Any:
        return matmul(other if isinstance(other, Traced | np.ndarray) else _namespace().asarray(other), self)

    def __divmod__(self, other: Any) -> tuple[Any, Any]:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> tuple[Any, Any]:
        return other // self, other % self

    def __neg__(self) -> Tensor:
        return apply(e.negative, (self,))

    def __pos__(self) -> Tensor:
        return apply(e.positive, (self,))

    def __abs__(self) -> Tensor:
        return apply(e.absolute, (self,))

    def __invert__(self) -> Tensor:
        return apply(_UFUNCS[np.invert], (self,))

    def __round__(self, digits: int | None = None) -> Tensor:
        return _namespace().round(self, digits or 0)

    __iadd__ = _in_place(operator.add)
    __isub__ = _in_place(operator.sub)
    __imul__ = _in_place(operator.mul)
    __itruediv__ = _in_place(operator.truediv)
    __ifloordiv__ = _in_place(operator.floordiv)
    __imod__ = _in_place(operator.mod)
    __ipow__ = _in_place(operator.pow)
    __imatmul__ = _in_place(operator.matmul)
    __iand__ = _in_place(operator.and_)
    __ior__ = _in_place(operator.or_)
    __ixor__ = _in_place(operator.xor)

    # ------------------------------------------------------------ indexing and writing

    def __getitem__(self, key: Any) -> Any:
        if type(key) is int:
            spec, arrays = (key,), ()
            if not self.shape:
                raise IndexError("too many indices for array: array is 0-dimensional, but 1 were indexed")
        else:
            spec, arrays = normalize_index(key, self.shape)  # type: ignore[assignment]
        result = apply(index, (self, *arrays), {"spec": spec})
        if not arrays and result._data is not None and result._data.ndim:
            if self._alias is None:
                self._alias = Alias(None, None)
            result._alias = Alias(self, spec)
            self._alias.add(result, spec)
        return result

    def __setitem__(self, key: Any, value: Any) -> None:
        spec, arrays = normalize_index(key, self.shape)
        self._write(spec, arrays, value)

    def _write(self, spec: Any, arrays: Any, value: Any) -> None:
        """Assign to the indexed part: the tensor's data and line are those of the changed copy afterwards."""
        shape = _index_shape(self.shape, spec, arrays)
        value = _fit_value(value, shape, self.dtype)
        alias = self._alias
        if alias is not None and alias.base is not None:
            alias.base._write(alias.spec, (), apply(index_set, (self, value, *arrays), {"spec": spec}))
            return
        params = {"spec": spec}
        computed = None
        if self._can_write_in_place(value, arrays):
            computed = self._data
            computed[real_index(spec, arrays)] = value._data if isinstance(value, Traced) else value
        changed = apply(index_set, (self, value, *arrays), params, computed)
        self._become(changed._data, changed._line)

    def _can_write_in_place(self, value: Any, arrays: Any) -> bool:
        """Whether nobody else can see the buffer, so that writing to it is as good as writing to a copy."""
        data = self._data
        if type(data) is not np.ndarray or data.base is not None or not data.flags.writeable:
            return False
        del data
        if isinstance(value, Traced):
            if value._data is None or (is_tracked(value) and not is_tracked(self)):
                return False  # the recorded line needs the buffer as it was before the first tracked write
            value = value._data
        return (
            _references(self) <= _EXCLUSIVE
            and not np.may_share_memory(value, self._data)
            and all(type(a) is np.ndarray for a in arrays)
        )

    def _become(self, data: Any, line: Any) -> None:
        """Take on new data and line, and let live slices of this tensor follow."""
        self._data = data
        self._line = line
        if self._alias is not None:
            self._alias.refresh(self)

    def _assign(self, value: Any) -> Tensor:
        """Replace the whole content, as an in-place operator does: shape and dtype stay."""
        if shape_of(value) != self.shape and np.broadcast_shapes(shape_of(value), self.shape) != self.shape:
            raise ShapeError(
                f"non-broadcastable output operand with shape {self.shape} doesn't match the broadcast shape "
                f"{shape_of(value)}"
            )
        kind = dtype_of(value)
        if not isinstance(kind, type) and not np.can_cast(kind, self.dtype, "same_kind"):
            raise DtypeError(
                f"cannot store {kind} into a tensor of {self.dtype} in place",
                hint="x = x + y instead of x += y, or x.astype(...) first",
            )
        value = _fit_value(value, self.shape, self.dtype)
        if self._alias is not None and self._alias.base is not None:
            self._alias.base._write(self._alias.spec, (), value)
        elif isinstance(value, Traced):
            self._become(value._data, value._line)
        else:
            self._become(value, None)
        return self

    # ------------------------------------------------------------ NumPy's protocols

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if method == "__call__" and not options:
            primitive = _UFUNCS.get(ufunc)
            if primitive is not None:
                if len(inputs) == 1:
                    return apply1(primitive, self)
                for x in inputs:
                    if not isinstance(x, _KNOWN) and _foreign(x):
                        return NotImplemented
                return apply2(primitive, *inputs) if len(inputs) == 2 else apply(primitive, inputs)
        from .numpy import protocol

        return protocol.call_ufunc(ufunc, method, inputs, options)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        handler = _namespace().FUNCTIONS.get(function)
        if handler is None:
            raise UnsupportedFunction(
                f"{function.__module__}.{function.__name__} has no derivative rule for tensors",
                where=user_line(),
                hint="write it with functions that have one (docs: reference/primitives), or x.numpy() if no "
                "derivative is wanted",
            )
        return handler(*args, **kwargs)

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        if api_version not in (None, "2021.12", "2022.12", "2023.12", "2024.12"):
            raise ValueError(f"array API version {api_version!r} is not supported")
        return _namespace()

    # ------------------------------------------------------------ methods of ndarray

    all = _method("all")
    any = _method("any")
    argmax = _method("argmax")
    argmin = _method("argmin")
    argsort = _method("argsort")
    astype = _method("astype")
    choose = _method("choose")
    clip = _method("clip")
    compress = _method("_compress_method")
    conj = _method("conjugate")
    conjugate = _method("conjugate")
    copy = _method("copy")
    cumprod = _method("cumprod")
    cumsum = _method("cumsum")
    diagonal = _method("diagonal")
    dot = _method("dot")
    max = _method("max")
    mean = _method("mean")
    min = _method("min")
    nonzero = _method("nonzero")
    prod = _method("prod")
    ptp = _method("ptp")
    ravel = _method("ravel")
    flatten = _method("_flatten_method")
    repeat = _method("repeat")
    reshape = _method("_reshape_method")
    round = _method("round")
    searchsorted = _method("searchsorted")
    squeeze = _method("squeeze")
    std = _method("std")
    sum = _method("sum")
    swapaxes = _method("swapaxes")
    take = _method("take")
    trace = _method("trace")
    transpose = _method("_transpose_method")
    var = _method("var")

    def fill(self, value: Any) -> None:
        """Set every element to `value`."""
        self._assign(value)

    def sort(self, axis: int = -1) -> None:
        """Sort in place along an axis."""
        self._assign(_namespace().sort(self, axis=axis))

    def partition(self, kth: Any, axis: int = -1) -> None:
        """Partition in place along an axis (here: sort, which is a partition for every `kth`)."""
        self._assign(_namespace().partition(self, kth, axis=axis))

    def put(self, indices: Any, values: Any, mode: str = "raise") -> None:
        """Set elements by flat index; same as `numpy.put`."""
        _namespace().put(self, indices, values, mode=mode)


Tensor.family = Tensor
_KNOWN = (Traced, np.ndarray, np.generic, int, float, complex, list, tuple)


def _foreign(x: Any) -> bool:
    """Whether another library wants to handle the call."""
    return getattr(type(x), "__array_ufunc__", None) is not None and not isinstance(x, _KNOWN)


def _holds_tensor(value: Any) -> bool:
    if type(value) in (list, tuple):
        return any(_holds_tensor(part) for part in value)
    return isinstance(value, Traced)


def _index_shape(shape: tuple[int, ...], spec: Any, arrays: Any) -> tuple[int, ...]:
    from .primitives.indexing import _layout

    return _layout(shape, spec, arrays)[0]


def _fit_value(value: Any, shape: tuple[int, ...], dtype: np.dtype) -> Any:
    """Cast and broadcast what is to be stored to exactly the place it goes to."""
    if not isinstance(value, Traced):
        value = _namespace().array(value) if _holds_tensor(value) else np.asarray(value)
    if value.dtype != dtype:
        if isinstance(value, Traced) and value.dtype.kind in "fc" and dtype.kind in "biu" and is_tracked(value):
            raise TraceLost(
                f"a tracked value of {value.dtype} is stored in a buffer of {dtype}",
                where=user_line(),
                why="integers have no derivative",
                hint="make the buffer with a floating dtype: np.zeros_like(x, dtype=float)",
            )
        value = apply(e.cast, (value,), {"dtype": dtype})
    if value.shape != shape:
        excess = len(value.shape) - len(shape)
        if excess > 0 and value.shape[:excess] == (1,) * excess:
            value = np.reshape(value, value.shape[excess:])
        try:
            value = apply(broadcast_to, (value,), {"shape": shape}) if value.shape != shape else value
        except ValueError:
            raise ShapeError(
                f"could not broadcast input array from shape {value.shape} into shape {shape}"
            ) from None
    return value


def _overlaps(value: Any, data: np.ndarray) -> bool:
    return type(value) is np.ndarray and np.may_share_memory(value, data)


class Alias:
    """What a tensor shares memory with, as NumPy's views do: writing to a slice changes its base and back.

    Attributes
    ----------
    base, spec
        The tensor this one is a basic slice of (None if it owns its data), and which slice.
    slices : list of (weak reference, spec)
        The live slices of this tensor.
    """

    __slots__ = ("base", "slices", "spec")

    def __init__(self, base: Tensor | None, spec: Any) -> None:
        self.base = base
        self.spec = spec
        self.slices: list[Any] = []

    def add(self, view: Tensor, spec: Any) -> None:
        slices = self.slices
        if len(slices) >= 16 and len(slices) & (len(slices) - 1) == 0:  # at powers of two: drop dead ones
            slices[:] = [entry for entry in slices if entry[0]() is not None]
        slices.append((weakref.ref(view), spec))

    def refresh(self, base: Tensor) -> None:
        for reference, spec in self.slices:
            view = reference()
            if view is not None:
                fresh = apply(index, (base,), {"spec": spec})
                view._become(fresh._data, fresh._line)


def _references(tensor: Tensor) -> int:
    return sys.getrefcount(tensor._data)


# What the count is for a buffer that only its tensor holds (it depends on the interpreter's version).
_EXCLUSIVE = _references(wrap(Tensor, np.zeros(1)))
