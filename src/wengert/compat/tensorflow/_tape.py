"""TensorFlow's tapes: ours, with its results where it promises another one."""

from __future__ import annotations

from ...accumulator import ForwardAccumulator as _ForwardAccumulator
from ...tape import GradientTape as _GradientTape
from ...tape import UnconnectedGradients

__all__ = ["ForwardAccumulator", "GradientTape", "UnconnectedGradients"]


class GradientTape(_GradientTape):
    """`wengert.GradientTape`, whose `batch_jacobian` gives zeros where nothing is connected, as TensorFlow's does."""

    __slots__ = ()
    _batch_jacobian_is_never_none = True


class ForwardAccumulator(_ForwardAccumulator):
    """`wengert.ForwardAccumulator`."""

    __slots__ = ()
