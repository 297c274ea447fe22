"""`torch.nn.init`: starting values, in place."""

from __future__ import annotations

import math
from typing import Any

from ..creation import normal_ as _normal
from ..creation import uniform_ as _uniform
from ..missing import missing
from ..modes import no_grad

__getattr__ = missing("torch.nn.init")


def _fans(tensor: Any) -> tuple[int, int]:
    shape = tuple(tensor.shape)
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def uniform_(tensor: Any, a: float = 0.0, b: float = 1.0) -> Any:
    """Fill with uniform random numbers in [a, b)."""
    with no_grad():
        return _uniform(tensor, a, b)


def normal_(tensor: Any, mean: float = 0.0, std: float = 1.0) -> Any:
    """Fill with normal random numbers."""
    with no_grad():
        return _normal(tensor, mean, std)


def constant_(tensor: Any, val: float) -> Any:
    """Fill with one number."""
    with no_grad():
        return tensor.fill_(val)


def zeros_(tensor: Any) -> Any:
    """Fill with zeros."""
    return constant_(tensor, 0.0)


def ones_(tensor: Any) -> Any:
    """Fill with ones."""
    return constant_(tensor, 1.0)


def xavier_uniform_(tensor: Any, gain: float = 1.0) -> Any:
    """Fill with uniform numbers of variance 2 / (fan_in + fan_out) (Glorot and Bengio, 2010)."""
    inward, outward = _fans(tensor)
    bound = gain * math.sqrt(6 / (inward + outward))
    return uniform_(tensor, -bound, bound)


def xavier_normal_(tensor: Any, gain: float = 1.0) -> Any:
    """Fill with normal numbers of variance 2 / (fan_in + fan_out) (Glorot and Bengio, 2010)."""
    inward, outward = _fans(tensor)
    return normal_(tensor, 0.0, gain * math.sqrt(2 / (inward + outward)))


def kaiming_uniform_(tensor: Any, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> Any:
    """Fill with uniform numbers fit for (leaky) ReLU (He et al., 2015)."""
    fan = _fans(tensor)[mode == "fan_out"]
    slope = a if nonlinearity == "leaky_relu" else 0.0
    bound = math.sqrt(6 / ((1 + slope**2) * fan))
    return uniform_(tensor, -bound, bound)


def kaiming_normal_(tensor: Any, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> Any:
    """Fill with normal numbers fit for (leaky) ReLU (He et al., 2015)."""
    fan = _fans(tensor)[mode == "fan_out"]
    slope = a if nonlinearity == "leaky_relu" else 0.0
    return normal_(tensor, 0.0, math.sqrt(2 / ((1 + slope**2) * fan)))
