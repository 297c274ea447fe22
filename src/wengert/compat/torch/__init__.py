"""PyTorch's spelling of gradients and Jacobians: `import wengert.compat.torch as torch`.

A program on gradients runs after changing its import line. Tensors are float32 by default, print as PyTorch's do and
record by themselves once `requires_grad` is set. What PyTorch gets silently wrong is an error here; how the two differ
is listed in docs/how-to/port-from-torch.md.
"""

# ruff: noqa: F401
from __future__ import annotations

import math as _math
from typing import Any as _Any

from . import autograd, creation, dtypes, func, linalg, nn, optim, special, utils
from . import elementwise as _elementwise
from . import methods as _methods
from . import ordering as _ordering
from . import products as _products
from . import reductions as _reductions
from . import shaping as _shaping
from .autograd import enable_grad, inference_mode, no_grad, set_grad_enabled
from .dtypes import (
    Size,
    cdouble,
    cfloat,
    complex64,
    complex128,
    device,
    dtype,
    finfo,
    float16,
    float32,
    float64,
    get_default_dtype,
    half,
    iinfo,
    int8,
    int16,
    int32,
    int64,
    promote_types,
    set_default_dtype,
    short,
    uint8,
    uint16,
    uint32,
    uint64,
)
from .dtypes import double as double
from .dtypes import long as long
from .func import vmap
from .missing import missing as _missing
from .modes import is_grad_enabled, is_inference_mode_enabled
from .operators import as_tensor as _as_tensor
from .printing import set_printoptions
from .tensor import Tensor

e = _math.e
inf = _math.inf
nan = _math.nan
newaxis = None
pi = _math.pi
strided = "torch.strided"
preserve_format = contiguous_format = "torch.preserve_format"
__version__ = "2.13.0+wengert"

# Every function of these modules under its own name; several shadow builtins here, as they do in PyTorch.
for _module in (_elementwise, _reductions, _shaping, _ordering, _products):
    globals().update(_methods.functions_of(_module))
_CREATION = (
    *("Generator", "arange", "asarray", "bernoulli", "empty", "empty_like", "eye", "from_numpy", "full", "full_like"),
    *("initial_seed", "linspace", "logspace", "manual_seed", "multinomial", "normal", "ones", "ones_like", "polar"),
    *("rand", "rand_like", "randint", "randn", "randn_like", "randperm", "seed", "tensor", "tril_indices"),
    *("triu_indices", "zeros", "zeros_like"),
)
globals().update({name: getattr(creation, name) for name in _CREATION})
globals().update(
    {
        "as_tensor": creation.as_tensor_,
        "bool": dtypes.bool_,
        "complex": creation.complex_,
        "default_generator": creation.default_generator,
        "det": linalg.det,
        "float": dtypes.float_,
        "int": dtypes.int_,
        "inverse": linalg.inv,
        "logdet": linalg.logdet,
        "range": creation.range_,
        "relu": _elementwise.relu,
        "slogdet": linalg.slogdet,
    }
)
globals().update(
    {
        name: getattr(linalg, name)
        for name in ("cholesky", "matrix_exp", "pinverse", "qr", "svd")
        if hasattr(linalg, name)
    }
)


def is_tensor(obj: _Any) -> _Any:
    """Return whether an object is a tensor."""
    return isinstance(obj, Tensor)


def is_floating_point(input: _Any) -> _Any:
    """Return whether elements are real floating numbers."""
    return input.dtype.is_floating_point


def is_complex(input: _Any) -> _Any:
    """Return whether elements are complex."""
    return input.dtype.is_complex


def numel(input: _Any) -> _Any:
    """Return the number of elements."""
    return _as_tensor(input).numel()


def result_type(tensor1: _Any, tensor2: _Any) -> _Any:
    """Return the dtype of an elementwise operation on two tensors or numbers."""
    return dtypes.from_numpy_dtype(dtypes.result_dtype(tensor1, tensor2))


def can_cast(from_: _Any, to: _Any) -> _Any:
    """Return whether PyTorch would cast in place: to the same or a higher kind."""
    order = "biufc"
    low, high = (order.index(dtypes.to_numpy_dtype(d).kind.replace("u", "i")) for d in (from_, to))
    return low <= high


def typename(obj: _Any) -> _Any:
    """Return the name of a tensor's type."""
    return getattr(obj, "type")() if isinstance(obj, Tensor) else type(obj).__name__  # noqa: B009


FloatTensor = Tensor
__getattr__ = _missing("torch")
