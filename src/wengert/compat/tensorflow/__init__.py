# ruff: noqa: F401 - what is imported here is the namespace
"""TensorFlow's spelling of gradients and Jacobians: `import wengert.compat.tensorflow as tf`.

Programs that use its tapes, variables and array functions run after changing that import. Everything runs eagerly on
NumPy; numbers of Python become float32 and int32, tensors print as there.
"""

from __future__ import annotations

from . import autodiff, config, debugging, dtypes, errors, linalg, math, nest, nn, random, signal, test
from ._arrays import (
    argsort,
    boolean_mask,
    broadcast_static_shape,
    broadcast_to,
    cast,
    complex,
    concat,
    ensure_shape,
    expand_dims,
    eye,
    fill,
    gather,
    gather_nd,
    linspace,
    meshgrid,
    one_hot,
    ones,
    ones_like,
    pad,
    range,
    rank,
    repeat,
    reshape,
    reverse,
    roll,
    scatter_nd,
    searchsorted,
    sequence_mask,
    shape,
    size,
    slice,
    sort,
    split,
    squeeze,
    stack,
    strided_slice,
    tensor_scatter_nd_add,
    tensor_scatter_nd_sub,
    tensor_scatter_nd_update,
    tile,
    transpose,
    unique,
    unstack,
    where,
    zeros,
    zeros_like,
)
from ._control import (
    case,
    cond,
    control_dependencies,
    device,
    executing_eagerly,
    foldl,
    foldr,
    function,
    identity,
    init_scope,
    map_fn,
    name_scope,
    numpy_function,
    print,
    py_function,
    scan,
    switch_case,
    vectorized_map,
    while_loop,
)
from ._custom import custom_gradient, grad_pass_through, stop_gradient
from ._missing import reporter as _reporter
from ._recompute import recompute_grad
from ._tape import ForwardAccumulator, GradientTape, UnconnectedGradients
from ._tensor import Tensor, TensorShape, constant, convert_to_tensor
from ._variable import IndexedSlices, Module, Variable
from .dtypes import (
    DType,
    as_dtype,
    bool,
    complex64,
    complex128,
    double,
    float16,
    float32,
    float64,
    half,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)
from .linalg import clip_by_global_norm, clip_by_norm, einsum, matmul, norm, tensordot
from .math import (
    abs,
    acos,
    acosh,
    add,
    add_n,
    argmax,
    argmin,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    clip_by_value,
    cos,
    cosh,
    cumsum,
    divide,
    equal,
    exp,
    floor,
    greater,
    greater_equal,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    multiply,
    negative,
    not_equal,
    pow,
    reduce_all,
    reduce_any,
    reduce_logsumexp,
    reduce_max,
    reduce_mean,
    reduce_min,
    reduce_prod,
    reduce_sum,
    round,
    sigmoid,
    sign,
    sin,
    sinh,
    sqrt,
    square,
    subtract,
    tan,
    tanh,
    truediv,
)
from .random import random_normal_initializer, random_uniform_initializer

__version__ = "2.0 spelling over wengert"
newaxis = None


def ones_initializer() -> object:
    """Return a function of a shape that returns ones."""
    return lambda dims, dtype=float32, **_: ones(dims, dtype)


def zeros_initializer() -> object:
    """Return a function of a shape that returns zeros."""
    return lambda dims, dtype=float32, **_: zeros(dims, dtype)


def constant_initializer(value: object = 0) -> object:
    """Return a function of a shape that returns this value everywhere."""
    return lambda dims, dtype=float32, **_: constant(value, dtype, dims)


def is_tensor(x: object) -> object:
    """Return whether this is a tensor or a variable."""
    return isinstance(x, Tensor)


__all__ = sorted(name for name in globals() if not name.startswith("_") and name not in ("annotations",))

__getattr__ = _reporter(__name__, lambda: __all__)
