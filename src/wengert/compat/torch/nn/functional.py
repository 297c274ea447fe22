"""`torch.nn.functional`: activations, losses and the one layer that is a product."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ....errors import ArgumentError, GraphShapeError, user_line
from .. import dtypes, shaping
from .. import elementwise as f
from .. import reductions as r
from ..missing import missing
from ..naming import node
from ..operators import as_tensor
from ..ordering import gather
from ..products import matmul

__getattr__ = missing("torch.nn.functional")

relu, sigmoid, tanh = f.relu, f.sigmoid, f.tanh
softmax, log_softmax = r.softmax, r.log_softmax


@node("Linear")
def linear(input: Any, weight: Any, bias: Any = None) -> Any:
    """Return `input @ weight.T + bias`."""
    product = matmul(as_tensor(input), shaping.transpose(weight, -1, -2) if weight.ndim > 1 else weight)
    return product if bias is None else product + bias


# ---------------------------------------------------------------- activations


@node("Softplus")
def softplus(input: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """Return log(1 + exp(beta x)) / beta without overflow; `threshold` is accepted and not needed."""
    x = dtypes.floating(as_tensor(input))
    result = np.logaddexp(x * beta if beta != 1 else x, np.zeros((), np.dtype(x.dtype.dtype)))
    return result / beta if beta != 1 else result


@node("LogSigmoid")
def logsigmoid(input: Any) -> Any:
    """Return log(1 / (1 + exp(-x))) without overflow."""
    return -softplus(-as_tensor(input))


@node("Silu")
def silu(input: Any) -> Any:
    """Return x sigmoid(x)."""
    return as_tensor(input) * f.sigmoid(input)


@node("Gelu")
def gelu(input: Any, approximate: str = "none") -> Any:
    """Return x Phi(x), with `approximate="tanh"` by torch's tanh formula."""
    x = dtypes.floating(as_tensor(input))
    if approximate == "tanh":
        return 0.5 * x * (1 + f.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1 + f.erf(x / math.sqrt(2)))


@node("Mish")
def mish(input: Any) -> Any:
    """Return x tanh(softplus(x))."""
    return as_tensor(input) * f.tanh(softplus(input))


@node("LeakyRelu")
def leaky_relu(input: Any, negative_slope: float = 0.01) -> Any:
    """Return x where positive, else `negative_slope` x."""
    x = as_tensor(input)
    return f.where(f.gt(x, 0), x, negative_slope * x)


@node("Elu")
def elu(input: Any, alpha: float = 1.0) -> Any:
    """Return x where positive, else alpha (exp(x) - 1)."""
    x = as_tensor(input)
    positive = f.gt(x, 0)
    return f.where(positive, x, alpha * f.expm1(f.where(positive, 0.0, x)))


def selu(input: Any) -> Any:
    """Return the self-normalising ELU."""
    return 1.0507009873554805 * elu(input, 1.6732632423543772)


def relu6(input: Any) -> Any:
    """Return x limited to [0, 6]."""
    return f.clamp(input, 0, 6)


def hardtanh(input: Any, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    """Return x limited to an interval."""
    return f.clamp(input, min_val, max_val)


def softsign(input: Any) -> Any:
    """Return x / (1 + |x|)."""
    x = as_tensor(input)
    return x / (1 + f.abs(x))


def tanhshrink(input: Any) -> Any:
    """Return x - tanh(x)."""
    return as_tensor(input) - f.tanh(input)


def glu(input: Any, dim: int = -1) -> Any:
    """Return the first half times the sigmoid of the second."""
    first, second = shaping.chunk(input, 2, dim)
    return first * f.sigmoid(second)


def softmin(input: Any, dim: int | None = None) -> Any:
    """Return softmax(-x)."""
    return r.softmax(-as_tensor(input), dim)


# ---------------------------------------------------------------- losses


def _reduce(loss: Any, reduction: str, name: str) -> Any:
    if reduction == "mean":
        return np.mean(loss)
    if reduction == "sum":
        return np.sum(loss)
    if reduction == "none":
        return loss
    raise ArgumentError(f"{name}: reduction is 'mean', 'sum' or 'none', not {reduction!r}")


def _same_shape(input: Any, target: Any, name: str) -> tuple[Any, Any]:
    x, y = as_tensor(input), as_tensor(target)
    if tuple(x.shape) != tuple(y.shape):
        # torch warns and broadcasts, which averages over pairs nobody meant
        raise GraphShapeError(
            f"{name}: input has shape {tuple(x.shape)}, but target has shape {tuple(y.shape)}",
            where=user_line(),
            why="broadcasting them would compare each element with many",
            hint="target.reshape(input.shape), or target.expand_as(input)",
        )
    return x, y


@node("MseLoss")
def mse_loss(input: Any, target: Any, reduction: str = "mean") -> Any:
    """Return the mean squared difference.

    Raises GraphShapeError if the shapes differ.
    """
    x, y = _same_shape(input, target, "mse_loss")
    difference = x - y
    return _reduce(difference * difference, reduction, "mse_loss")


@node("L1Loss")
def l1_loss(input: Any, target: Any, reduction: str = "mean") -> Any:
    """Return the mean absolute difference."""
    x, y = _same_shape(input, target, "l1_loss")
    return _reduce(f.abs(x - y), reduction, "l1_loss")


@node("SmoothL1Loss")
def smooth_l1_loss(input: Any, target: Any, reduction: str = "mean", beta: float = 1.0) -> Any:
    """Return a loss that is quadratic below `beta` and linear above."""
    x, y = _same_shape(input, target, "smooth_l1_loss")
    size = f.abs(x - y)
    return _reduce(f.where(size < beta, 0.5 * size * size / beta, size - 0.5 * beta), reduction, "smooth_l1_loss")


@node("HuberLoss")
def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0) -> Any:
    """Return a loss that is quadratic below `delta` and linear above."""
    x, y = _same_shape(input, target, "huber_loss")
    size = f.abs(x - y)
    return _reduce(f.where(size < delta, 0.5 * size * size, delta * (size - 0.5 * delta)), reduction, "huber_loss")


@node("BinaryCrossEntropyWithLogits")
def binary_cross_entropy_with_logits(
    input: Any, target: Any, weight: Any = None, reduction: str = "mean", pos_weight: Any = None
) -> Any:
    """Return the cross entropy of probabilities sigmoid(input), without overflow."""
    x, y = _same_shape(input, target, "binary_cross_entropy_with_logits")
    loss = softplus(-x) * y * (1 if pos_weight is None else pos_weight) + softplus(x) * (1 - y)
    return _reduce(loss if weight is None else loss * weight, reduction, "binary_cross_entropy_with_logits")


@node("BinaryCrossEntropy")
def binary_cross_entropy(input: Any, target: Any, weight: Any = None, reduction: str = "mean") -> Any:
    """Return the cross entropy of probabilities; logarithms are limited to -100 as in PyTorch."""
    x, y = _same_shape(input, target, "binary_cross_entropy")
    loss = -(y * f.clamp(f.log(x), min=-100.0) + (1 - y) * f.clamp(f.log1p(-x), min=-100.0))
    return _reduce(loss if weight is None else loss * weight, reduction, "binary_cross_entropy")


@node("NllLoss")
def nll_loss(input: Any, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> Any:
    """Return the negative of the log-probability of each target class; classes stand along axis 1.

    Raises GraphShapeError if the target's shape is not the input's without that axis.
    """
    x, y = as_tensor(input), as_tensor(target)
    axis = 0 if x.ndim == 1 else 1
    if tuple(y.shape) != tuple(n for i, n in enumerate(x.shape) if i != axis):
        raise GraphShapeError(
            f"nll_loss: the target has shape {tuple(y.shape)}, but the input has shape {tuple(x.shape)}",
            where=user_line(),
        )
    kept = np.not_equal(y, ignore_index)
    classes = f.where(kept, y, 0)
    loss = -np.squeeze(gather(x, axis, np.expand_dims(classes, axis)), axis)
    factor = dtypes.cast(kept, np.dtype(x.dtype.dtype))
    if weight is not None:
        factor = factor * as_tensor(weight)[classes]
    if reduction == "mean":
        return np.sum(loss * factor) / np.sum(factor)
    return _reduce(loss * factor, reduction, "nll_loss")


def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """Return the cross entropy of softmax(input) with target classes, or with target probabilities."""
    x, y = as_tensor(input), as_tensor(target)
    axis = 0 if x.ndim == 1 else 1
    logs = r.log_softmax(x, axis)
    if y.dtype.kind == "f":
        n = x.shape[axis]
        y = y * (1 - label_smoothing) + label_smoothing / n if label_smoothing else y
        scaled = logs if weight is None else logs * _along(weight, axis, x.ndim)
        loss = -np.sum(y * scaled, axis=axis)
        if reduction == "mean":
            return np.sum(loss) / max(int(np.prod(loss.shape)), 1)
        return _reduce(loss, reduction, "cross_entropy")
    loss = nll_loss(logs, y, weight, ignore_index, reduction)
    if not label_smoothing:
        return loss
    kept = dtypes.cast(np.not_equal(y, ignore_index), np.dtype(x.dtype.dtype))
    smooth = -np.mean(logs if weight is None else logs * _along(weight, axis, x.ndim), axis=axis) * kept
    if reduction == "mean":
        spread = np.sum(smooth) / np.sum(kept if weight is None else as_tensor(weight)[f.where(kept > 0, y, 0)] * kept)
    else:
        spread = _reduce(smooth, reduction, "cross_entropy")
    return (1 - label_smoothing) * loss + label_smoothing * spread


def _along(weight: Any, axis: int, ndim: int) -> Any:
    return np.reshape(as_tensor(weight), (-1,) + (1,) * (ndim - axis - 1))


@node("KlDiv")
def kl_div(input: Any, target: Any, reduction: str = "mean", log_target: bool = False) -> Any:
    """Return the Kullback-Leibler divergence of log-probabilities from probabilities."""
    x, y = _same_shape(input, target, "kl_div")
    loss = f.exp(y) * (y - x) if log_target else f.xlogy(y, y) - y * x
    if reduction == "batchmean":
        return np.sum(loss) / x.shape[0]
    return _reduce(loss, reduction, "kl_div")


def poisson_nll_loss(
    input: Any, target: Any, log_input: bool = True, reduction: str = "mean", eps: float = 1e-8
) -> Any:
    """Return the negative Poisson log-likelihood without its constant."""
    x, y = as_tensor(input), as_tensor(target)
    return _reduce(f.exp(x) - y * x if log_input else x - y * f.log(x + eps), reduction, "poisson_nll_loss")


def gaussian_nll_loss(input: Any, target: Any, var: Any, eps: float = 1e-6, reduction: str = "mean") -> Any:
    """Return the negative normal log-likelihood without its constant."""
    x, y = as_tensor(input), as_tensor(target)
    var = f.clamp(var, min=eps)
    return _reduce(0.5 * (f.log(var) + (x - y) ** 2 / var), reduction, "gaussian_nll_loss")


def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    """Return the cosine of the angle between vectors."""
    x, y = shaping.broadcast_tensors(as_tensor(x1), as_tensor(x2))
    sizes = f.clamp(r.norm(x, 2, dim), min=eps) * f.clamp(r.norm(y, 2, dim), min=eps)
    return np.sum(x * y, axis=dim) / sizes


# ---------------------------------------------------------------- normalising and others


def normalize(input: Any, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Any:
    """Divide by the norm along an axis."""
    return as_tensor(input) / f.clamp(r.norm(input, p, dim, True), min=eps)


def one_hot(tensor: Any, num_classes: int = -1) -> Any:
    """Return rows of zeros with a 1 at each class."""
    classes = np.asarray(as_tensor(tensor)._data)
    n = int(classes.max(initial=-1)) + 1 if num_classes < 0 else num_classes
    return as_tensor(np.eye(n, dtype=np.int64)[classes])


_PAD_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def pad(input: Any, pad: Any, mode: str = "constant", value: float | None = None) -> Any:
    """Pad the last axes; `pad` gives (before, after) pairs from the last axis on.

    Raises ArgumentError for an unknown mode.
    """
    if mode not in _PAD_MODES:
        raise ArgumentError(f"pad: mode is one of {', '.join(_PAD_MODES)}, not {mode!r}")
    x = as_tensor(input)
    widths = [(0, 0)] * x.ndim
    for i in range(len(pad) // 2):
        widths[x.ndim - 1 - i] = (pad[2 * i], pad[2 * i + 1])
    options = {"constant_values": 0 if value is None else value} if mode == "constant" else {}
    return np.pad(x, widths, _PAD_MODES[mode], **options)  # type: ignore[call-overload]
