"""Tensor: an array plus its place in a recording. Operators and the NumPy and Array-API protocols.

What a function does to tensors is written in `wengert.numpy`; here stands only how it is reached. A tensor is
concrete (it has data) or abstract (it has a shape and a dtype; see `program.trace`).
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from .advice import advice
from .boxes import OBJECT, boxed, may_be_boxed, unboxed
from .errors import AbstractValue, ArgumentError, DtypeError, ShapeError, StructureError, TraceLost, user_line
from .primitives import elementwise as e
from .primitives.contraction import matmul
from .primitives.indexing import index, normalize_index
from .primitives.sparse_operand import dense_times_sparse, is_sparse, sparse_times_dense
from .recording import (
    DISCRETE,
    NO_PARAMS,
    Line,
    Traced,
    apply,
    apply1,
    apply2,
    current,
    is_guarded,
    is_tracked,
    new,
    next_sequence,
    refusal,
)
from .views import assign, holds_tensor, view, write

_UFUNCS = e.UFUNCS

FUNCTIONS: dict[Any, Callable[..., Any]] = {}
"""NumPy function -> what it does on tensors; filled when `wengert.numpy` is imported."""


@lru_cache(maxsize=1)
def _namespace() -> Any:
    """The functions on tensors; imported late because they are written with tensors."""
    from . import numpy as namespace

    return namespace


@lru_cache(maxsize=256)
def _implementation(name: str) -> Any:
    from .numpy import methods

    return getattr(methods, name)


def _method(name: str) -> Any:
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        return _implementation(name)(self, *args, **kwargs)

    method.__name__ = name
    method.__qualname__ = f"Tensor.{name}"
    method.__doc__ = f"Same as `numpy.ndarray.{name}`."
    return method


def _operand(value: Any) -> Any:
    """Return the other operand of an operator as numbers or an array; NotImplemented where its type should act."""
    if type(value) is np.ndarray:
        return value if value.dtype is not OBJECT else unboxed(value)
    if isinstance(value, list | tuple):
        return _namespace().asarray(value) if holds_tensor(value) else np.asarray(value)
    if _foreign(value) or not hasattr(type(value), "__array__"):
        return NotImplemented
    return np.asarray(value)


def _binary(primitive: Any, on_numbers: Any = None, is_product: Any = None) -> tuple[Any, Any]:
    """Return an operator and its reflected form.

    `on_numbers` gives the same on NumPy's scalars in a tenth of a ufunc's time. `is_product` says which foreign
    operands make it the matrix product.
    """
    kept2, evaluate = primitive.kept2, primitive.evaluate
    on_numbers = on_numbers or evaluate

    def forward(self: Tensor, other: Any) -> Any:
        # `apply2` written out for what is done most, a tracked tensor and a number, an array or another one: Python
        # code per operation is most of what recording costs.
        line = self._line
        recorder = current()
        if line is not None and line.session.live_in is recorder and not recorder.nested and recorder.foreign is None:
            kind = other.__class__
            second = None
            kept = None
            if kind is float or kind is int:
                kept, b = kept2[1], other
            elif kind is self.__class__:
                second = other._line
                if second is not None and second.session.live_in is recorder:
                    kept, b = kept2[3], other._data
            elif kind is _NDARRAY and other.dtype is not OBJECT:
                kept, b = kept2[1], recorder.keeper.keep(other)
            if kept is not None and kept is not DISCRETE:
                a = self._data
                out = evaluate(a, b) if a.__class__ is _NDARRAY else on_numbers(a, b)
                keep_a, keep_b, keep_out = kept
                result = new(Line)  # its `__init__`, without the call
                result.primitive = primitive
                result.inputs = (line, second)
                result.params = NO_PARAMS
                result.values = (a if keep_a else None, b if keep_b else None)
                result.out = out if keep_out else None
                result.shape = out.shape
                result.dtype = out.dtype
                result.session = line.session
                result.sequence = next_sequence()
                tensor = new(self.family)
                tensor._data = out
                tensor._line = result
                tensor._alias = None
                return tensor
        if not isinstance(other, _OPERANDS):
            if is_product is not None and is_product(other):
                return self @ other
            if (other := _operand(other)) is NotImplemented:
                return NotImplemented
        return apply2(primitive, self, other)

    def reflected(self: Tensor, other: Any) -> Any:
        if not isinstance(other, _OPERANDS):
            if is_product is not None and is_product(other):
                return self.__rmatmul__(other)
            if (other := _operand(other)) is NotImplemented:
                return NotImplemented
        return apply2(primitive, other, self)

    return forward, reflected


def _product(reflected: bool) -> Any:
    def method(self: Tensor, other: Any) -> Any:
        if other.__class__ is not _NDARRAY and not isinstance(other, _OPERANDS):
            if is_sparse(other):
                return sparse_times_dense(other, self) if reflected else dense_times_sparse(self, other)
            if (other := _operand(other)) is NotImplemented:
                return NotImplemented
        elif other.__class__ is _NDARRAY and other.dtype is OBJECT:
            other = unboxed(other)
        return matmul(other, self) if reflected else matmul(self, other)

    return method


def _asked_by_sparse_product() -> bool:
    """Whether a sparse matrix of SciPy's wants to know what its other operand is."""
    code, module = sys._getframe(2).f_code, sys._getframe(2).f_globals.get("__name__", "")
    return code.co_name in ("_matmul_dispatch", "_mul_dispatch") and module.startswith("scipy.sparse")


def _is_matrix_product(other: Any) -> bool:
    """Whether `*` is the matrix product: that of SciPy's older sparse matrices."""
    return other.__class__ is not _NDARRAY and is_sparse(other) and hasattr(other, "getH")


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
    _boxes = True  # whether NumPy may carry the tensor in an object array
    family: type

    def __init__(self, value: Any, dtype: Any = None) -> None:
        self._alias = None
        self._line = None
        if isinstance(value, Traced) or holds_tensor(value):
            value = _namespace().array(value, dtype=dtype)
            self._data, self._line = value._data, value._line
            return
        try:
            data = np.array(value, dtype=dtype)
        except ValueError as error:  # a list of lists of unequal lengths, or text with a dtype of numbers
            raise ShapeError(f"a tensor cannot be made of this {type(value).__name__}: {error}") from None
        if data.dtype.kind in "OSU":
            raise StructureError(
                f"a tensor cannot hold objects or text; got {type(value).__name__}",
                hint="pass numbers, or nested lists of equal length",
            )
        self._data = data

    # ------------------------------------------------------------ what it is

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        data = self._data
        return data.shape if data is not None else self._line.shape  # type: ignore[union-attr]

    @property
    def dtype(self) -> np.dtype:
        """The type of the numbers."""
        data = self._data
        return data.dtype if data is not None else self._line.dtype  # type: ignore[union-attr]

    @property
    def ndim(self) -> int:
        """How many axes there are."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """How many elements there are."""
        size = 1
        for n in self.shape:
            size *= n
        return size

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.size * self.dtype.itemsize

    @property
    def device(self) -> str:
        """Where the data is; always `cpu`."""
        return "cpu"

    def to_device(self, device: str, /, *, stream: Any = None) -> Tensor:
        """Return the tensor itself; there is one device."""
        if device != "cpu":
            raise ArgumentError(f"device {device!r} is not available; the only device is 'cpu'")
        return self

    @property
    def T(self) -> Tensor:
        """The tensor with its axes reversed, as a view."""
        return _namespace().transpose(self)

    @property
    def mT(self) -> Tensor:
        """The matrices transposed, as a view."""
        return _namespace().matrix_transpose(self)

    @property
    def real(self) -> Tensor:
        """The real part; a view of a complex tensor."""
        return view(self, e.real) if self.dtype.kind == "c" else self

    @real.setter
    def real(self, value: Any) -> None:
        self.real[...] = value

    @property
    def imag(self) -> Tensor:
        """The imaginary part; a view of a complex tensor."""
        return view(self, e.imag) if self.dtype.kind == "c" else _namespace().zeros_like(self)

    @imag.setter
    def imag(self, value: Any) -> None:
        if self.dtype.kind != "c":
            raise DtypeError("array does not have imaginary part to set")
        self.imag[...] = value

    @property
    def flat(self) -> Any:
        """The elements in C order, readable and writable by a flat index."""
        return _implementation("FlatIterator")(self)

    @flat.setter
    def flat(self, value: Any) -> None:
        _implementation("FlatIterator")(self)[:] = value

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
            where = user_line()
            if self.dtype.kind in "iu":
                hint = "wengert.numpy.take(x, i, axis=0) or wengert.Tensor(x)[i] where a plain array is indexed"
            elif self.dtype.kind == "b" or what == "the truth value":
                hint = "np.where(condition, a, b) or wengert.cond instead of a branch on the value"
            else:
                hint = advice(where).partition(", or x.numpy()")[0]  # that way out is closed: there is no value
            error = AbstractValue(
                f"{what} needs the value of an abstract tensor of shape {self.shape}, dtype {self.dtype}",
                where=where,
                why="inside vmap and traced bodies only shapes and dtypes are known",
                hint=hint,
            )
            refusal.set((where, str(error)))
            raise error
        recorder = current()
        if recorder is not None and recorder.record_all and is_tracked(self):
            recorder.reads += 1
            if recorder.guards is not None:
                recorder.guards.append((self, what))
        return self._data

    def _leave(self, what: str) -> Any:
        """Return the data for a conversion that drops the derivative, unless that derivative is wanted."""
        data = self._concrete(what)
        # Integers and booleans have no derivative to lose.
        if is_tracked(self) and self.dtype.kind in "fc" and not is_guarded(self):
            where = user_line()
            raise TraceLost(
                f"{what} on a tracked tensor of shape {self.shape}, dtype {self.dtype}",
                where=where,
                why="the result would be a plain number or array, and its derivative would be lost",
                hint=advice(where),
            )
        return data

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if (self._data is None or is_tracked(self)) and _asked_by_sparse_product():
            return np.array(None, dtype=object)  # what SciPy takes for "not mine": it lets __rmatmul__ act
        if (
            self._boxes
            and (dtype is None or dtype is object or dtype == OBJECT)
            and (self._data is None or (is_tracked(self) and self.dtype.kind in "fc"))
            and may_be_boxed(self, dtype)
        ):
            return boxed(self)
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

    def __dlpack__(
        self, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: bool | None = None
    ) -> Any:
        options = {"max_version": max_version, "dl_device": dl_device, "copy": copy}
        data = np.asarray(self._leave("export by DLPack"))
        return data.__dlpack__(stream=stream, **{name: value for name, value in options.items() if value is not None})

    def __dlpack_device__(self) -> tuple[Any, int]:
        return np.empty(0).__dlpack_device__()

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (np.asarray(self._leave("pickling or deep copying")),))

    def __copy__(self) -> Tensor:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> Tensor:
        return self.copy()

    def __format__(self, specification: str) -> str:
        if self._data is None:
            return str(self)
        if self.ndim == 0:  # text for people, not a value to go on with
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
            raise StructureError("len() of a tensor without axes")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self.shape:
            raise StructureError("iteration over a tensor without axes", hint="np.atleast_1d(x) has one")
        return (self[i] for i in range(self.shape[0]))

    def __contains__(self, value: Any) -> bool:
        return bool(_namespace().any(self == value))

    __hash__ = None  # type: ignore[assignment]

    # ------------------------------------------------------------ operators

    __add__, __radd__ = _binary(e.add, operator.add)
    __sub__, __rsub__ = _binary(e.subtract, operator.sub)
    __mul__, __rmul__ = _binary(e.multiply, operator.mul, _is_matrix_product)
    __truediv__, __rtruediv__ = _binary(e.divide, operator.truediv)
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

    __eq__, _ = _binary(_UFUNCS[np.equal])
    __ne__, _ = _binary(_UFUNCS[np.not_equal])
    __matmul__ = _product(reflected=False)
    __rmatmul__ = _product(reflected=True)

    def __divmod__(self, other: Any) -> tuple[Any, Any]:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> tuple[Any, Any]:
        return other // self, other % self

    def __neg__(self) -> Tensor:
        return apply1(e.negative, self)

    def __pos__(self) -> Tensor:
        return apply(e.positive, (self,))

    def __abs__(self) -> Tensor:
        return apply1(e.absolute, self)

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
        if type(key) is int and self.shape:
            spec, arrays = (key,), ()
        elif _is_truth_value(key):  # an axis of length 1 or 0, as in NumPy
            return self[None][np.flatnonzero([bool(key)])]
        else:
            spec, arrays = normalize_index(key, self.shape)  # type: ignore[assignment]
        if arrays:
            return apply(index, (self, *arrays), {"spec": spec})
        return view(self, index, spec=spec)

    def __setitem__(self, key: Any, value: Any) -> None:
        if _is_truth_value(key):
            if not key:
                return
            key = ...
        spec, arrays = normalize_index(key, self.shape)
        write(self, spec, arrays, value)

    def _assign(self, value: Any) -> Tensor:
        """Replace the whole content, as an in-place operator does: shape and dtype stay."""
        assign(self, value)
        return self

    # ------------------------------------------------------------ NumPy's protocols

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if not options and method == "__call__":
            primitive = _UFUNCS.get(ufunc)
            if primitive is not None:
                if len(inputs) == 1:
                    return apply1(primitive, self)
                x, y = inputs if len(inputs) == 2 else (None, None)
                if (isinstance(x, _OPERANDS) or (x.__class__ is _NDARRAY and x.dtype is not OBJECT)) and (
                    isinstance(y, _OPERANDS) or (y.__class__ is _NDARRAY and y.dtype is not OBJECT)
                ):
                    return apply2(primitive, x, y)
        holders = sys.getrefcount(options["out"][0]) if "out" in options else 0
        for x in inputs:
            if not isinstance(x, _OPERANDS) and x.__class__ is not _NDARRAY and _foreign(x):
                return NotImplemented
        return _implementation("call_ufunc")(ufunc, method, inputs, options, holders)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        handler = FUNCTIONS.get(function)
        if handler is None:
            handler = _implementation("find")(function)
        return handler(*args, **kwargs)

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        if api_version not in (None, "2021.12", "2022.12", "2023.12", "2024.12"):
            raise ArgumentError(f"array API version {api_version!r} is not supported")
        return _namespace()

    # ------------------------------------------------------------ methods of ndarray

    all = _method("all")
    any = _method("any")
    argmax = _method("argmax")
    argmin = _method("argmin")
    argpartition = _method("argpartition")
    argsort = _method("argsort")
    astype = _method("astype")
    choose = _method("choose")
    clip = _method("clip")
    compress = _method("compress")
    conj = _method("conj")
    conjugate = _method("conjugate")
    copy = _method("copy")
    cumprod = _method("cumprod")
    cumsum = _method("cumsum")
    diagonal = _method("diagonal")
    dot = _method("dot")
    flatten = _method("flatten")
    max = _method("max")
    mean = _method("mean")
    min = _method("min")
    nonzero = _method("nonzero")
    partition = _method("partition")
    prod = _method("prod")
    ptp = _method("ptp")
    put = _method("put")
    ravel = _method("ravel")
    repeat = _method("repeat")
    reshape = _method("reshape")
    round = _method("round")
    searchsorted = _method("searchsorted")
    sort = _method("sort")
    squeeze = _method("squeeze")
    std = _method("std")
    sum = _method("sum")
    swapaxes = _method("swapaxes")
    take = _method("take")
    trace = _method("trace")
    transpose = _method("transpose")
    var = _method("var")

    def __getattr__(self, name: str) -> Any:
        """The functions that NumPy calls as methods of the elements when it works on an object array."""
        ufunc = getattr(np, name, None) if not name.startswith("_") else None
        if not isinstance(ufunc, np.ufunc):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return lambda *others: ufunc(self, *others)

    def __floor__(self) -> Any:
        return np.floor(self)

    def __ceil__(self) -> Any:
        return np.ceil(self)

    def __trunc__(self) -> Any:
        return np.trunc(self)

    def fill(self, value: Any) -> None:
        """Set every element to `value`."""
        self[...] = value


Tensor.family = Tensor
_OPERANDS = (Traced, np.generic, float, int, complex)
_NDARRAY = np.ndarray
_BOOLEAN = np.dtype(bool)


def _is_truth_value(key: Any) -> bool:
    """Whether an index is a single boolean, not a mask with axes."""
    return key is True or key is False or (getattr(key, "dtype", None) == _BOOLEAN and key.ndim == 0)


def _foreign(x: Any) -> bool:
    """Whether another library wants to handle the call (an `__array_ufunc__` of None wants the operator)."""
    return hasattr(type(x), "__array_ufunc__")
