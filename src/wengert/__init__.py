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
    from .differentiation.blocks import jacobian_blocks as jacobian_blocks
    from .differentiation.checkpoint import checkpoint as checkpoint
    from .differentiation.checkpoint import checkpointed_scan as checkpointed_scan
    from .differentiation.complex_parts import complex_jacobian as complex_jacobian
    from .differentiation.control import cond as cond
    from .differentiation.control import fori_loop as fori_loop
    from .differentiation.control import map as map
    from .differentiation.control import scan as scan
    from .differentiation.control import switch as switch
    from .differentiation.control import while_loop as while_loop
    from .differentiation.custom import custom_rule as custom_rule
    from .differentiation.custom_faces import custom_gradient as custom_gradient
    from .differentiation.custom_faces import custom_jvp as custom_jvp
    from .differentiation.custom_faces import custom_vjp as custom_vjp
    from .differentiation.custom_faces import stop_gradient as stop_gradient
    from .differentiation.custom_faces import straight_through as straight_through
    from .differentiation.dense import jacfwd as jacfwd
    from .differentiation.dense import jacobian as jacobian
    from .differentiation.dense import jacrev as jacrev
    from .differentiation.dense import value_and_jacobian as value_and_jacobian
    from .differentiation.explain import explain as explain
    from .differentiation.export import export as export
    from .differentiation.gradient import grad as grad
    from .differentiation.gradient import jvp as jvp
    from .differentiation.gradient import value_and_grad as value_and_grad
    from .differentiation.gradient import vjp as vjp
    from .differentiation.hessian import hessian as hessian
    from .differentiation.hessian import hessian_diag as hessian_diag
    from .differentiation.hessian import laplacian as laplacian
    from .differentiation.hessian import value_grad_and_hessian as value_grad_and_hessian
    from .differentiation.implicit import custom_linear_solve as custom_linear_solve
    from .differentiation.implicit import custom_root as custom_root
    from .differentiation.implicit import fixed_point as fixed_point
    from .differentiation.implicit_scipy import implicit as implicit
    from .differentiation.jit import jit as jit
    from .differentiation.opaque import opaque as opaque
    from .differentiation.products import gauss_newton_product as gauss_newton_product
    from .differentiation.products import hvp as hvp
    from .differentiation.products import linear_transpose as linear_transpose
    from .differentiation.products import linearize as linearize
    from .differentiation.products import vhp as vhp
    from .differentiation.taylor import derivatives as derivatives
    from .differentiation.taylor import jet as jet
    from .differentiation.vmap import vmap as vmap
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
    "differentiation.blocks": ("jacobian_blocks",),
    "differentiation.checkpoint": ("checkpoint", "checkpointed_scan"),
    "differentiation.complex_parts": ("complex_jacobian",),
    "differentiation.control": ("cond", "fori_loop", "map", "scan", "switch", "while_loop"),
    "differentiation.custom": ("custom_rule",),
    "differentiation.custom_faces": ("custom_gradient", "custom_jvp", "custom_vjp", "stop_gradient", "straight_through"),
    "differentiation.implicit": ("custom_linear_solve", "custom_root", "fixed_point"),
    "differentiation.implicit_scipy": ("implicit",),
    "differentiation.taylor": ("derivatives", "jet"),
    "differentiation.dense": ("jacfwd", "jacobian", "jacrev", "value_and_jacobian"),
    "differentiation.gradient": ("grad", "jvp", "value_and_grad", "vjp"),
    "differentiation.hessian": ("hessian", "hessian_diag", "laplacian", "value_grad_and_hessian"),
    "differentiation.explain": ("explain",),
    "differentiation.export": ("export",),
    "execute.native.threads": ("get_num_threads", "set_num_threads"),
    "differentiation.jit": ("jit",),
    "differentiation.opaque": ("opaque",),
    "differentiation.products": ("gauss_newton_product", "hvp", "linear_transpose", "linearize", "vhp"),
    "differentiation.vmap": ("vmap",),
    "sparse.operators": ("hessian_operator", "jacobian_operator"),
    "sparse.parts": ("batch_jacobian", "block_jacobian", "jacobian_diagonal"),
    "sparse.plan": ("Plan", "plan_hessian", "plan_jacobian"),
    "sparse.plot": ("plot_jacobian", "text_spy"),
    "accumulator": ("ForwardAccumulator",),
    "tape": ("GradientTape", "UnconnectedGradients"),
    "tensor": ("Tensor",),
    "variable": ("Variable",),
    "": ("debug", "errors", "functional", "testing"),  # whole modules
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
