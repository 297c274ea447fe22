"""The methods of tensors: the functions of this package, in-place variants, and conversions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import GraphError, MissingName, user_line
from ...recording import Traced
from . import creation, dtypes, elementwise, linalg, ordering, products, reductions, shaping
from .missing import hint_for
from .operators import as_tensor
from .storage import in_place, root_of
from .tensor import Tensor

# Functions whose first argument is not a tensor: they are no methods.
_NOT_METHODS = {
    *("where", "broadcast_tensors", "broadcast_shapes", "meshgrid", "cartesian_prod", "block_diag", "chain_matmul"),
    *("einsum", "tensordot", "cdist", "stack", "cat", "concat", "concatenate", "hstack", "vstack", "dstack"),
    *("row_stack", "column_stack", "searchsorted", "polygamma"),
}
_HELPERS = {"binary", "logical", "unary"}


def functions_of(module: Any) -> dict[str, Any]:
    """Return PyTorch's functions that one of this package's modules defines."""
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and not name.endswith("_")
        and name not in _HELPERS
        and callable(value)
        and not isinstance(value, type)
        and getattr(value, "__module__", "") == module.__name__
    }


for _module in (elementwise, reductions, shaping, ordering, products):
    for _name, _function in functions_of(_module).items():
        if _name not in _NOT_METHODS:
            setattr(Tensor, _name, _function)
for _name in ("det", "slogdet", "logdet", "pinv", "cholesky", "qr", "svd", "matrix_exp"):
    setattr(Tensor, _name, getattr(linalg, _name))
setattr(Tensor, "inverse", linalg.inv)  # noqa: B010
setattr(Tensor, "norm", reductions.norm)  # noqa: B010


def _where(self: Any, condition: Any, other: Any) -> Any:
    """Take from this tensor where the condition holds, else from `other`."""
    return elementwise.where(condition, self, other)


setattr(Tensor, "where", _where)  # noqa: B010

# ---------------------------------------------------------------- in place

_IN_PLACE = (
    *("abs", "acos", "acosh", "add", "addcdiv", "addcmul", "asin", "asinh", "atan", "atan2", "atanh", "ceil", "clamp"),
    *("clamp_max", "clamp_min", "clip", "copysign", "cos", "cosh", "cumprod", "cumsum", "deg2rad", "digamma", "div"),
    *("divide", "erf", "erfc", "erfinv", "exp", "exp2", "expm1", "floor", "floor_divide", "fmod", "frac", "hypot"),
    *("index_add", "index_copy", "index_fill", "index_put", "lerp", "lgamma", "log", "log10", "log1p", "log2"),
    *("logit", "masked_fill", "masked_scatter", "mul", "multiply", "nan_to_num", "neg", "negative", "pow"),
    *("rad2deg", "reciprocal", "relu", "remainder", "round", "rsqrt", "scatter", "scatter_add", "sigmoid", "sign"),
    *("sin", "sinc", "sinh", "sqrt", "square", "sub", "subtract", "tan", "tanh", "tril", "triu", "true_divide"),
    *("trunc", "xlogy", "addmm", "addmv", "addr", "baddbmm", "addbmm"),
)


def _in_place(name: str, function: Any) -> Any:
    method: Any = in_place(function)
    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"Same as `{name[:-1]}`, in place."
    return method


for _name in _IN_PLACE:
    setattr(Tensor, f"{_name}_", _in_place(f"{_name}_", getattr(Tensor, _name)))


def _replaced(self: Any, value: Any) -> Any:
    """Return a new value that no longer depends on the old one, but keeps its place in the graph."""
    value = dtypes.cast(as_tensor(value), np.dtype(self.dtype.dtype))
    return self._assign(elementwise.where(as_tensor(np.zeros((), bool)), self, value))


def _zero_(self: Any) -> Any:
    """Fill with zeros."""
    return _replaced(self, 0)


def _fill_(self: Any, value: Any) -> Any:
    """Fill with one number."""
    return _replaced(self, value)


def _copy_(self: Any, src: Any, non_blocking: bool = False) -> Any:
    """Copy values from another tensor, which stays tracked."""
    return _replaced(self, src)


def _set_(self: Any, source: Any) -> Any:
    """Take on another tensor's values."""
    self.data = source
    return self


# ---------------------------------------------------------------- conversions


def _to(self: Any, *args: Any, **kwargs: Any) -> Any:
    """Return the tensor in another dtype, or like another tensor."""
    dtypes.check_settings("to", kwargs, ("dtype", "device", "copy", "non_blocking", "memory_format", "other"))
    if "other" in kwargs:
        args = (*args, kwargs["other"])
    dtype = kwargs.get("dtype")
    device = kwargs.get("device")
    for arg in args:
        if isinstance(arg, Traced):
            dtype = arg.dtype  # type: ignore[attr-defined]
        elif isinstance(arg, dtypes.dtype) or (
            isinstance(arg, type) and issubclass(arg, int | float | complex | np.generic)
        ):
            dtype = arg
        elif isinstance(arg, str | dtypes.device):
            device = arg
    if device is not None:
        dtypes.device(device)
    result = self if dtype is None else dtypes.cast(self, dtypes.to_numpy_dtype(dtype))
    return shaping.clone(self) if kwargs.get("copy") and result is self else result


def _type(self: Any, dtype: Any = None) -> Any:
    """Return the tensor's type as a string, or the tensor in another dtype."""
    if dtype is None:
        names = {"float32": "Float", "float64": "Double", "int64": "Long", "int32": "Int", "bool": "Bool"}
        return f"torch.{names.get(self.dtype.name, self.dtype.name.capitalize())}Tensor"
    return _to(self, dtype)


def _caster(name: str, dtype: Any) -> Any:
    def method(self: Any, memory_format: Any = None) -> Any:
        return dtypes.cast(self, dtype.dtype)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"Return the tensor as {dtype!r}."
    return method


def _new(function: Any, name: str) -> Any:
    def method(self: Any, *size: Any, dtype: Any = None, **options: Any) -> Any:
        return function(*size, dtype=dtype or self.dtype, **options)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"Same as `torch.{name[4:]}`, with this tensor's dtype."
    return method


def _new_tensor(self: Any, data: Any, *, dtype: Any = None, requires_grad: bool = False) -> Any:
    """Same as `torch.tensor`, with this tensor's dtype."""
    return creation.tensor(data, dtype=dtype or self.dtype, requires_grad=requires_grad)


def _itself(self: Any, *args: Any, **kwargs: Any) -> Any:
    """Return the tensor itself; there is one device."""
    return self


def _apply_(self: Any, function: Any) -> Any:
    """Apply a Python function to each element in place.

    Raises GraphError if the tensor requires a gradient.
    """
    if self.requires_grad:
        raise GraphError("apply_() on a tensor that requires grad", where=user_line(), hint="tensor functions instead")
    return self._assign(np.vectorize(function, otypes=[self._data.dtype])(np.asarray(self._data)))


def _dim(self: Any) -> int:
    """Return the number of axes."""
    return len(self.shape)


def _numel(self: Any) -> int:
    """Return the number of elements."""
    return int(self.size)


def _is_floating_point(self: Any) -> bool:
    """Return whether elements are real floating numbers."""
    return self.dtype.is_floating_point


def _is_complex(self: Any) -> bool:
    """Return whether elements are complex."""
    return self.dtype.is_complex


def _stride(self: Any, dim: int | None = None) -> Any:
    """Return how many elements lie between neighbours along each axis."""
    strides = tuple(n // self._data.itemsize for n in np.asarray(self._concrete("stride()")).strides)
    return strides if dim is None else strides[dim]


def _data_ptr(self: Any) -> int:
    """Return the address of the memory."""
    return int(np.asarray(root_of(self)._concrete("data_ptr()")).ctypes.data)


def _type_as(self: Any, other: Any) -> Any:
    """Return the tensor in the dtype of another."""
    return dtypes.cast(self, np.dtype(other.dtype.dtype))


def _getattr(self: Any, name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    raise MissingName(f"torch.Tensor has no method {name!r} here", hint=hint_for(name))


_METHODS = {
    "zero_": _zero_,
    "fill_": _fill_,
    "copy_": _copy_,
    "set_": _set_,
    "uniform_": creation.uniform_,
    "normal_": creation.normal_,
    "to": _to,
    "type": _type,
    "type_as": _type_as,
    "new_tensor": _new_tensor,
    "new_zeros": _new(creation.zeros, "new_zeros"),
    "new_ones": _new(creation.ones, "new_ones"),
    "new_empty": _new(creation.empty, "new_empty"),
    "new_full": _new(creation.full, "new_full"),
    "cpu": _itself,
    "apply_": _apply_,
    "dim": _dim,
    "ndimension": _dim,
    "numel": _numel,
    "nelement": _numel,
    "is_floating_point": _is_floating_point,
    "is_complex": _is_complex,
    "is_contiguous": lambda self: True,
    "stride": _stride,
    "data_ptr": _data_ptr,
    "get_device": lambda self: -1,
    "element_size": lambda self: self.itemsize,
    "__getattr__": _getattr,
    "H": property(shaping.adjoint),
    "mH": property(shaping.adjoint),
    "float": _caster("float", dtypes.float32),
    "double": _caster("double", dtypes.float64),
    "half": _caster("half", dtypes.float16),
    "long": _caster("long", dtypes.int64),
    "int": _caster("int", dtypes.int32),
    "short": _caster("short", dtypes.int16),
    "char": _caster("char", dtypes.int8),
    "byte": _caster("byte", dtypes.uint8),
    "bool": _caster("bool", dtypes.bool_),
    "cfloat": _caster("cfloat", dtypes.complex64),
    "cdouble": _caster("cdouble", dtypes.complex128),
}
for _name, _function in _METHODS.items():
    setattr(Tensor, _name, _function)
# `real` and `imag` are attributes in torch, as in NumPy; the functions of that name must not hide them.
for _name in ("real", "imag"):
    setattr(Tensor, _name, getattr(Tensor.__mro__[1], _name))
