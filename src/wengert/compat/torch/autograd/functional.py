"""`torch.autograd.functional`: the products and Jacobians of `wengert.functional` under PyTorch's name."""

from __future__ import annotations

from ....functional import hessian, hvp, jacobian, jvp, vhp, vjp
from ..missing import missing

__getattr__ = missing("torch.autograd.functional")

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]
