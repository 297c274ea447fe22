"""Exact derivatives of ordinary NumPy code."""

from .derivatives.gradient import grad, jacobian, jvp, value_and_grad, vjp
from .tensor import Tensor

__all__ = ["Tensor", "grad", "jacobian", "jvp", "value_and_grad", "vjp"]
__version__ = "0.1.0"
