"""What modes change for a while, per thread or task: the class of results, whether gradients are recorded."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from ...recording import CLOSED, Line, Session, current

# The class that results have at present, where a mode replaces it (anomaly detection, inference).
active_class: ContextVar[type | None] = ContextVar("wengert_torch_active_class", default=None)
# The open level of dual tensors, and whether gradients are off while tangents go on being recorded.
dual_level: ContextVar[Any] = ContextVar("wengert_torch_dual_level", default=None)
tangents_only: ContextVar[bool] = ContextVar("wengert_torch_tangents_only", default=False)
# Whether values saved for a gradient may be changed in place.
mutation_allowed: ContextVar[bool] = ContextVar("wengert_torch_mutation_allowed", default=False)


def is_grad_enabled() -> bool:
    """Return whether operations on tensors that require a gradient are recorded."""
    return current() is not None and not tangents_only.get()


def in_inference_mode() -> bool:
    """Return whether results are made in inference mode."""
    found = active_class.get()
    return found is not None and found._is_inference  # type: ignore[attr-defined]


class DualSession(Session):
    """Lines recorded for a tangent only: their tensors do not require a gradient."""

    __slots__ = ()


def wants_gradient(line: Line | None) -> bool:
    """Return whether a line belongs to a recording for gradients that goes on."""
    if line is None:
        return False
    session = line.session
    return session.live_in is not CLOSED and type(session) is not DualSession
