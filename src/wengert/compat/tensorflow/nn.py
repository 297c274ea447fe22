"""`tf.nn`: activations, losses and normalisations."""

from __future__ import annotations

from typing import Any

import numpy

from ...errors import ArgumentError, ShapeError, user_line
from ...primitives import special_reduce
from ...primitives.base import normalize_axes
from ...recording import apply
from ._missing import reporter as _reporter
from ._tensor import Tensor, convert_to_tensor, plain, tensors, unary
from .linalg import l2_normalize as l2_normalize
from .math import (
    axis_of,
    reduce_logsumexp,
    reduce_mean,
    reduce_sum,
    squared_difference,
)
from .math import log_sigmoid as log_sigmoid
from .math import sigmoid as sigmoid
from .math import softplus as softplus
from .math import softsign as softsign
from .math import tanh as tanh
from .math import top_k as top_k
from .math import zero_fraction as zero_fraction

np: Any = numpy  # its functions take tensors here, which its annotations do not know


def _zero(x: Any) -> numpy.ndarray:
    return np.zeros((), x.dtype)


def _positive(x: Any) -> Any:
    return x > _zero(x)


def _relu(x: Any) -> Any:
    return np.where(x <= _zero(x), _zero(x), x)


def _negative_part(x: Any) -> Any:
    return np.where(_positive(x), _zero(x), x)


relu = unary(_relu, "Return x where it is positive and 0 elsewhere, NaN where x is; its slope at 0 is 0.", "features")
relu6 = unary(
    lambda x: np.where(x > np.asarray(6, x.dtype), np.asarray(6, x.dtype), _relu(x)),
    "Return min(max(x, 0), 6).",
    "features",
)
selu = unary(
    lambda x: 1.0507009873554805 * np.where(_positive(x), x, 1.6732632423543772 * np.expm1(_negative_part(x))),
    "Return the scaled exponential linear unit.",
    "features",
)


def leaky_relu(features: Any, alpha: Any = 0.2, name: Any = None) -> Tensor:
    """Return x where it is positive, and alpha * x elsewhere."""
    x, slope = tensors((features, alpha))
    return np.where(_positive(x), x, x * slope)


elu = unary(
    lambda x: np.where(_positive(x), x, np.expm1(_negative_part(x))),
    "Return x where it is positive, and exp(x) - 1 elsewhere.",
    "features",
)


def gelu(features: Any, approximate: bool = False, name: Any = None) -> Tensor:
    """Return x times the normal distribution function of x, or the usual approximation by tanh."""
    x = convert_to_tensor(features)
    if approximate:
        return 0.5 * x * (1 + np.tanh(0.7978845608028654 * (x + 0.044715 * x**3)))
    from .math import erf

    return 0.5 * x * (1 + erf(x * 0.7071067811865476))


def silu(features: Any, beta: Any = 1.0, name: Any = None) -> Tensor:
    """Return x * sigmoid(beta * x)."""
    x, steepness = tensors((features, beta))
    return x * sigmoid(x * steepness)


swish = silu


def crelu(features: Any, axis: int = -1, name: Any = None) -> Tensor:
    """Return relu(x) and relu(-x), one after the other along an axis."""
    x = convert_to_tensor(features)
    return np.concatenate([_relu(x), _relu(-x)], axis)


def softmax(logits: Any, axis: Any = None, name: Any = None) -> Tensor:
    """Return exp(x) divided by its sum along an axis, the last if not given."""
    x = convert_to_tensor(logits)
    return apply(special_reduce.softmax, (x,), {"axis": normalize_axes(-1 if axis is None else axis_of(axis), x.ndim)})


def log_softmax(logits: Any, axis: Any = None, name: Any = None) -> Tensor:
    """Return the logarithm of `softmax`."""
    x = convert_to_tensor(logits)
    return x - reduce_logsumexp(x, -1 if axis is None else axis, True)


# ---------------------------------------------------------------- losses


def sigmoid_cross_entropy_with_logits(labels: Any = None, logits: Any = None, name: Any = None) -> Tensor:
    """Return the cross entropy of independent labels between 0 and 1, elementwise."""
    z, x = tensors((labels, logits))
    if z.shape != x.shape:
        raise ShapeError(f"labels of shape {z.shape} do not fit logits of shape {x.shape}", where=user_line())
    return softplus(x) - x * z


def weighted_cross_entropy_with_logits(labels: Any, logits: Any, pos_weight: Any, name: Any = None) -> Tensor:
    """Return `sigmoid_cross_entropy_with_logits` with a weight for the positive labels."""
    z, x, weight = tensors((labels, logits, pos_weight))
    return softplus(-x) * z * weight + (1 - z) * softplus(x)


def softmax_cross_entropy_with_logits(labels: Any, logits: Any, axis: Any = -1, name: Any = None) -> Tensor:
    """Return the cross entropy of distributions along an axis."""
    z, x = np.broadcast_arrays(*tensors((labels, logits)))
    return -reduce_sum(z * log_softmax(x, axis), axis)


def sparse_softmax_cross_entropy_with_logits(labels: Any, logits: Any, name: Any = None) -> Tensor:
    """Return the cross entropy of classes, given by their numbers, along the last axis."""
    x = convert_to_tensor(logits)
    classes = np.asarray(plain(labels))
    if classes.shape != x.shape[:-1]:
        raise ShapeError(
            f"labels have shape {classes.shape}, but logits of shape {x.shape} need shape {x.shape[:-1]}",
            where=user_line(),
            hint="one class number for each row of logits",
        )
    if classes.size and (classes.min() < 0 or classes.max() >= x.shape[-1]):
        raise ArgumentError(
            f"labels reach from {classes.min()} to {classes.max()}, but there are {x.shape[-1]} classes",
            where=user_line(),
        )
    chosen = np.take_along_axis(x, classes[..., None].astype(np.intp), -1)
    return np.squeeze(reduce_logsumexp(x, -1, True) - chosen, -1)


def l2_loss(t: Any, name: Any = None) -> Tensor:
    """Return half the sum of squares."""
    return np.sum(np.square(convert_to_tensor(t))) / 2


# ---------------------------------------------------------------- layers' parts


def bias_add(value: Any, bias: Any, data_format: Any = None, name: Any = None) -> Tensor:
    """Return the value plus a vector along its last axis, or along axis 1 if `data_format` begins with "NC"."""
    x, b = tensors((value, bias))
    if data_format is not None and data_format.startswith("NC"):
        b = np.reshape(b, (-1,) + (1,) * (x.ndim - 2))
    return x + b


def moments(x: Any, axes: Any, shift: Any = None, keepdims: bool = False, name: Any = None) -> tuple[Tensor, Tensor]:
    """Return mean and variance over axes."""
    x = convert_to_tensor(x)
    mean = reduce_mean(x, axes, keepdims=True)
    variance = reduce_mean(squared_difference(x, mean), axes, keepdims)
    return (mean if keepdims else reduce_mean(x, axes)), variance


__getattr__ = _reporter(__name__, lambda: list(globals()))
