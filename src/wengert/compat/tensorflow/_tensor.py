"""TensorFlow's tensor over ours: how it is made, converted, shown and combined with arrays.

Its values never change, arrays that meet it take on its dtype, and it may leave a recording silently: these are
TensorFlow's contracts.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import numpy as np

from ...errors import ArgumentError, AssignmentError, DtypeError, ShapeError, user_line
from ...recording import Traced, wrap
from ...tensor import Tensor as _Tensor
from ...variable import Reference
from ...variable import Variable as _Variable

_PYTHON = (bool, int, float, complex)


class TensorShape(tuple):
    """The shape of a tensor: a tuple with TensorFlow's methods."""

    def __new__(cls, dims: Any = ()) -> TensorShape:
        return super().__new__(cls, (dims,) if isinstance(dims, int) else tuple(dims))

    @property
    def rank(self) -> int:
        return len(self)

    ndims = rank

    @property
    def dims(self) -> list[int]:
        return list(self)

    def as_list(self) -> list[int]:
        """Return the lengths as a list."""
        return list(self)

    def num_elements(self) -> int:
        """Return the number of elements."""
        return int(np.prod(self, dtype=np.int64))

    def is_fully_defined(self) -> bool:
        """Return whether all lengths are known; they always are."""
        return True

    def concatenate(self, other: Iterable[int]) -> TensorShape:
        """Return this shape followed by another."""
        return TensorShape((*self, *other))

    def is_compatible_with(self, other: Iterable[int | None]) -> bool:
        """Return whether the lengths agree where `other` has some."""
        other = tuple(other)
        return len(other) == len(self) and all(b is None or a == b for a, b in zip(self, other))

    assert_is_compatible_with = is_compatible_with

    def __getitem__(self, key: Any) -> Any:
        part = super().__getitem__(key)
        return TensorShape(part) if isinstance(key, slice) else part

    def __add__(self, other: Any) -> TensorShape:
        return TensorShape((*self, *other))

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, list | tuple) else NotImplemented

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = tuple.__hash__

    def __repr__(self) -> str:
        return f"TensorShape({list(self)})"

    def __str__(self) -> str:
        return tuple.__repr__(tuple(self))


def _with_operand(name: str) -> Any:
    base = getattr(_Tensor, name)

    def method(self: Tensor, other: Any) -> Any:
        return base(self, operand(other, self.dtype))

    method.__name__ = name
    return method


def _new_tensor(name: str) -> Any:
    def method(self: Tensor, other: Any) -> Any:
        return getattr(self, name)(other)

    return method


class Tensor(_Tensor):
    """An immutable array whose operations can be recorded, as TensorFlow shows it."""

    __slots__ = ()
    _mutable = False
    _boxes = False  # a plain array of tensors holds their numbers, as there

    @property
    def shape(self) -> TensorShape:
        return TensorShape(_Tensor.shape.fget(self))  # type: ignore[attr-defined]

    def get_shape(self) -> TensorShape:
        """Return the shape."""
        return self.shape

    def numpy(self) -> Any:
        """Return the data as an array, or as a NumPy number if there are no axes. Not tracked."""
        data = np.asarray(self._concrete("numpy()"))
        return data if data.ndim else data[()]

    def ref(self) -> Reference:
        """Return a hashable handle that compares by identity, for use in sets and as dictionary keys."""
        return Reference(self)

    def set_shape(self, shape: Any) -> None:
        """Check the shape; None stands for any length.

        Raises
        ------
        ShapeError
            If it is another one.
        """
        if not self.shape.is_compatible_with(shape):
            raise ShapeError(f"set_shape: the tensor has shape {self.shape}, not {tuple(shape)}", where=user_line())

    def _leave(self, what: str) -> Any:
        return self._concrete(what)  # TensorFlow lets values go, as `numpy()` does

    def _refuse_write(self) -> NoReturn:
        raise AssignmentError(
            f"a tf.Tensor of shape {self.shape} does not take item assignment",
            where=user_line(),
            why="tensors are immutable there",
            hint="tf.tensor_scatter_nd_update(x, indices, updates), a tf.Variable, or wengert.Tensor",
        )

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        self._refuse_write()

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if method == "__call__":
            inputs = tuple(operand(x, self.dtype) for x in inputs)
        return super().__array_ufunc__(ufunc, method, *inputs, **options)

    def __hash__(self) -> NoReturn:  # type: ignore[override]
        raise TypeError("a tensor has no hash, because == compares its elements; use x.ref() as the key")

    def __repr__(self) -> str:
        if self._data is None:
            return f"<tf.Tensor: shape={self.shape}, dtype={self.dtype}, abstract>"
        return f"<tf.Tensor: shape={self.shape}, dtype={self.dtype}, numpy={shown(self._data)}>"

    def __str__(self) -> str:
        if self._data is None:
            return f"tf.Tensor(abstract, shape={self.shape}, dtype={self.dtype})"
        text = str(np.asarray(self._data))
        return f"tf.Tensor({_broken(text)}{text}, shape={self.shape}, dtype={self.dtype})"

    def __format__(self, specification: str) -> str:
        return format(self.numpy(), specification)

    for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor"):
        vars()[f"__{_name}__"] = _with_operand(f"__{_name}__")
        vars()[f"__r{_name}__"] = _with_operand(f"__r{_name}__")
        vars()[f"__i{_name}__"] = _new_tensor(f"__{_name}__")
    for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
        vars()[f"__{_name}__"] = _with_operand(f"__{_name}__")
    del _name


Tensor.family = Tensor


def _broken(text: str) -> str:
    return "\n" if "\n" in text else ""


def shown(data: Any) -> str:
    """Return the numbers as TensorFlow's `repr` has them."""
    array = np.asarray(data)
    text = repr(array) if array.ndim else str(array)
    return _broken(text) + text


def operand(value: Any, dtype: np.dtype) -> Any:
    """Return the other operand of an operator: arrays and lists take on the tensor's dtype where they can."""
    if isinstance(value, np.ndarray | np.generic | list | tuple):
        if not isinstance(value, np.ndarray | np.generic):
            value = convert_to_tensor(value)
        if (
            value.dtype != dtype
            and dtype.kind in "fc"
            and value.dtype.kind in ("biuf" if dtype.kind == "f" else "biufc")
        ):
            value = value.astype(dtype)
    return value


# ---------------------------------------------------------------- making tensors


def convert_to_tensor(value: Any, dtype: Any = None, dtype_hint: Any = None, name: Any = None) -> Tensor:
    """Return a tensor of these numbers; a tensor keeps its derivative.

    Python's floats become float32 and its ints int32; arrays keep their dtype.

    Raises
    ------
    DtypeError
        If the numbers do not fit the dtype, or are none.
    ArgumentError
        If a tensor of another dtype is given: that takes `tf.cast`.
    ShapeError
        If nested lists have unequal lengths.
    """
    if isinstance(value, Traced):
        if isinstance(value, _Variable):
            value = value.value()
        tensor = value if type(value) is Tensor else wrap(Tensor, value._data, value._line)
        if dtype is not None and np.dtype(dtype) != tensor.dtype:
            raise ArgumentError(
                f"a tensor of {tensor.dtype} was given where {np.dtype(dtype)} is asked for",
                where=user_line(),
                hint=f"tf.cast(x, tf.{np.dtype(dtype).name})",
            )
        return tensor
    if _holds_tensor(value):
        from ...numpy import array

        made = array(_softened(value))
        tensor = wrap(Tensor, made._data, made._line)
        return tensor if dtype is None else tensor.astype(dtype)
    return wrap(Tensor, to_array(value, dtype, dtype_hint))


def to_array(value: Any, dtype: Any = None, hint: Any = None) -> np.ndarray:
    """Return plain numbers as an array of TensorFlow's default dtype for them."""
    try:
        array = np.array(value)
    except ValueError:
        raise ShapeError("nested lists of unequal lengths do not make a tensor", where=user_line()) from None
    if array.dtype.kind not in "biufc":
        raise DtypeError(
            f"a {type(value).__name__} of {array.dtype} does not make a tensor",
            where=user_line(),
            why="tensors hold numbers here; strings and objects have no derivative",
        )
    if dtype is None:
        wanted = array.dtype
        if _is_python(value):
            wanted = np.dtype(_DEFAULT.get(array.dtype.char, array.dtype))
            if wanted == np.int32 and array.size and (array.max() > 2**31 - 1 or array.min() < -(2**31)):
                wanted = array.dtype
            if array.size == 0:
                wanted = np.dtype(np.float32)
        if hint is not None and np.can_cast(array.dtype, hint, "same_kind"):
            wanted = np.dtype(hint)
        return array.astype(wanted)
    wanted = np.dtype(dtype)
    if array.size and wanted != array.dtype and not np.can_cast(array.dtype, wanted, "same_kind"):
        if not (array.dtype.kind in "iu" and wanted.kind in "iu"):
            raise DtypeError(
                f"values of {array.dtype} do not fit {wanted}",
                where=user_line(),
                hint=f"tf.cast(..., tf.{wanted.name})",
            )
    return array.astype(wanted)


_DEFAULT: dict[str, Any] = {
    np.dtype(np.float64).char: np.float32,
    np.dtype(np.int64).char: np.int32,
    np.dtype(np.longlong).char: np.int32,
}


def _is_python(value: Any) -> bool:
    """Whether numbers are Python's own all through."""
    if isinstance(value, list | tuple):
        return all(map(_is_python, value))
    return isinstance(value, _PYTHON) and not isinstance(value, np.generic)


def _holds_tensor(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_holds_tensor, value))
    return isinstance(value, Traced)


def _softened(value: Any) -> Any:
    """Return nested lists with Python's floats as float32, so that they do not widen the tensors among them."""
    if isinstance(value, list | tuple):
        return [_softened(part) for part in value]
    if isinstance(value, Traced):
        return convert_to_tensor(value)
    return to_array(value)


def constant(value: Any, dtype: Any = None, shape: Any = None, name: Any = "Const") -> Tensor:
    """Return a tensor of these numbers, reshaped, or filled with a single one, to `shape`.

    Raises
    ------
    ShapeError
        If their number is not that of the shape.
    """
    tensor = convert_to_tensor(value, dtype)
    if shape is None:
        return tensor
    shape = shape_list(shape)
    if tensor.size == 1:
        return np.broadcast_to(tensor.reshape(()), shape)  # type: ignore[return-value]
    if tensor.size != int(np.prod(shape)):
        raise ShapeError(
            f"constant: {tensor.size} values were given for shape {shape}", where=user_line(), hint="one value, or all"
        )
    return tensor.reshape(shape)


def shape_list(shape: Any) -> tuple[int, ...]:
    """Return a shape given as a number, a sequence or a tensor as a tuple of ints."""
    if isinstance(shape, Traced):
        shape = shape._concrete("a shape")  # type: ignore[attr-defined]
    if np.ndim(shape) == 0 and not isinstance(shape, list | tuple):
        return (int(shape),)
    return tuple(int(plain(n)) for n in shape)


def plain(value: Any) -> Any:
    """Return the array in a tensor, for arguments that are never differentiated by."""
    if isinstance(value, Traced):
        return value._concrete("a setting")  # type: ignore[attr-defined]
    if isinstance(value, list | tuple):
        return type(value)(plain(part) for part in value)
    return value


def tensors(values: Iterable[Any]) -> list[Any]:
    """Return several arguments of one operation as tensors; what is none takes on the dtype of the first that is."""
    values = list(values)
    typed: list[Any] = [v.dtype for v in values if isinstance(v, Traced | np.ndarray | np.generic)]  # type: ignore[union-attr]
    typed = [value.dtype for value in values if isinstance(value, Traced)] or typed  # type: ignore[attr-defined]
    result = []
    for value in values:
        if not typed or isinstance(value, Traced):
            result.append(convert_to_tensor(value))
        elif isinstance(value, _PYTHON) and not isinstance(value, np.generic):
            result.append(convert_to_tensor(np.asarray(value, np.result_type(typed[0], value))))
        else:
            converted = convert_to_tensor(value)
            result.append(convert_to_tensor(operand(np.asarray(converted._data), typed[0])))
    return result


def unary(function: Callable[..., Any], summary: str, argument: str = "x") -> Callable[..., Any]:
    """Return an operation of one tensor, whose argument has this name."""
    return _operation(function, summary, (argument,))


def binary(function: Callable[..., Any], summary: str, first: str = "x", second: str = "y") -> Callable[..., Any]:
    """Return an operation of two tensors, whose arguments have these names."""
    return _operation(function, summary, (first, second))


def _operation(function: Callable[..., Any], summary: str, names: tuple[str, ...]) -> Callable[..., Any]:
    count = len(names)
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    own = [inspect.Parameter(name, kind) for name in names]
    signature = inspect.Signature([*own, inspect.Parameter("name", kind, default=None)])

    def operation(*args: Any, **named: Any) -> Any:
        if named or len(args) != count:
            args = signature.bind(*args, **named).args[:count]
        return function(*(tensors(args) if count > 1 else (convert_to_tensor(args[0]),)))

    operation.__doc__ = summary
    operation.__signature__ = signature  # type: ignore[attr-defined]
    return operation
