"""Exact derivatives of ordinary NumPy code."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from . import debug as debug
    from . import errors as errors
    from . import functional as functional
    from . import testing as testing
    from .accumulator import ForwardAccumulator as ForwardAccumulator
    from .derivatives.blocks import jacobian_blocks as jacobian_blocks
    from .derivatives.checkpoint import checkpoint as checkpoint
    from .derivatives.checkpoint import checkpointed_scan as checkpointed_scan
    from .derivatives.complex_parts import complex_jacobian as complex_jacobian
    from .derivatives.control import cond as cond
    from .derivatives.control import fori_loop as fori_loop
    from .derivatives.control import map as map
    from .derivatives.control import scan as scan
    from .derivatives.control import switch as switch
    from .derivatives.control import while_loop as while_loop
    from .derivatives.custom import custom_rule as custom_rule
    from .derivatives.custom_faces import custom_gradient as custom_gradient
    from .derivatives.custom_faces import custom_jvp as custom_jvp
    from .derivatives.custom_faces import custom_vjp as custom_vjp
    from .derivatives.custom_faces import stop_gradient as stop_gradient
    from .derivatives.custom_faces import straight_through as straight_through
    from .derivatives.dense import jacfwd as jacfwd
    from .derivatives.dense import jacobian as jacobian
    from .derivatives.dense import jacrev as jacrev
    from .derivatives.dense import value_and_jacobian as value_and_jacobian
    from .derivatives.explain import explain as explain
    from .derivatives.export import export as export
    from .derivatives.gradient import grad as grad
    from .derivatives.gradient import jvp as jvp
    from .derivatives.gradient import value_and_grad as value_and_grad
    from .derivatives.gradient import vjp as vjp
    from .derivatives.hessian import hessian as hessian
    from .derivatives.hessian import hessian_diag as hessian_diag
    from .derivatives.hessian import laplacian as laplacian
    from .derivatives.hessian import value_grad_and_hessian as value_grad_and_hessian
    from .derivatives.implicit import custom_linear_solve as custom_linear_solve
    from .derivatives.implicit import custom_root as custom_root
    from .derivatives.implicit import fixed_point as fixed_point
    from .derivatives.implicit_scipy import implicit as implicit
    from .derivatives.jit import jit as jit
    from .derivatives.opaque import opaque as opaque
    from .derivatives.products import gauss_newton_product as gauss_newton_product
    from .derivatives.products import hvp as hvp
    from .derivatives.products import linear_transpose as linear_transpose
    from .derivatives.products import linearize as linearize
    from .derivatives.products import vhp as vhp
    from .derivatives.taylor import derivatives as derivatives
    from .derivatives.taylor import jet as jet
    from .derivatives.vmap import vmap as vmap
    from .execute.native.threads import get_num_threads as get_num_threads
    from .execute.native.threads import set_num_threads as set_num_threads
    from .sparse.operators import hessian_operator as hessian_operator
    from .sparse.operators import jacobian_operator as jacobian_operator
    from .sparse.parts import batch_jacobian as batch_jacobian
    from .sparse.parts import block_jacobian as block_jacobian
    from .sparse.parts import jacobian_diagonal as jacobian_diagonal
    from .sparse.plan import Plan as Plan
    from .sparse.plan import plan_hessian as plan_hessian
    from .sparse.plan import plan_jacobian as plan_jacobian
    from .sparse.plot import plot_jacobian as plot_jacobian
    from .sparse.plot import text_spy as text_spy
    from .tape import GradientTape as GradientTape
    from .tape import UnconnectedGradients as UnconnectedGradients
    from .tensor import Tensor as Tensor
    from .variable import Variable as Variable

# Where each public name lives; a module is imported when one of its names is first used.
_HOMES: dict[str, tuple[str, ...]] = {
    "derivatives.blocks": ("jacobian_blocks",),
    "derivatives.checkpoint": ("checkpoint", "checkpointed_scan"),
    "derivatives.complex_parts": ("complex_jacobian",),
    "derivatives.control": ("cond", "fori_loop", "map", "scan", "switch", "while_loop"),
    "derivatives.custom": ("custom_rule",),
    "derivatives.custom_faces": ("custom_gradient", "custom_jvp", "custom_vjp", "stop_gradient", "straight_through"),
    "derivatives.implicit": ("custom_linear_solve", "custom_root", "fixed_point"),
    "derivatives.implicit_scipy": ("implicit",),
    "derivatives.taylor": ("jet",),
    "derivatives.dense": ("jacfwd", "jacobian", "jacrev", "value_and_jacobian"),
    "derivatives.gradient": ("grad", "jvp", "value_and_grad", "vjp"),
    "derivatives.hessian": ("hessian", "hessian_diag", "laplacian", "value_grad_and_hessian"),
    "derivatives.explain": ("explain",),
    "derivatives.export": ("export",),
    "execute.native.threads": ("get_num_threads", "set_num_threads"),
    "derivatives.jit": ("jit",),
    "derivatives.opaque": ("opaque",),
    "derivatives.products": ("gauss_newton_product", "hvp", "linear_transpose", "linearize", "vhp"),
    "derivatives.vmap": ("vmap",),
    "sparse.operators": ("hessian_operator", "jacobian_operator"),
    "sparse.parts": ("batch_jacobian", "block_jacobian", "jacobian_diagonal"),
    "sparse.plan": ("Plan", "plan_hessian", "plan_jacobian"),
    "sparse.plot": ("plot_jacobian", "text_spy"),
    "accumulator": ("ForwardAccumulator",),
    "tape": ("GradientTape", "UnconnectedGradients"),
    "tensor": ("Tensor",),
    "variable": ("Variable",),
    "": ("debug", "derivatives", "errors", "functional", "testing"),  # whole modules
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'wengert' has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(import_module(f".{home}", __name__), name) if home else import_module(f".{name}", __name__)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
