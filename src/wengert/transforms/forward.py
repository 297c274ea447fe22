"""Forward mode: walk recorded lines in order and let each primitive's jvp push tangents through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..primitives.elementwise import cast
from ..primitives.indexing import broadcast_to
from ..primitives.structural import Deferred
from ..recording import Line
from .reverse import Arguments, arguments_of


def push_forward(
    lines: Sequence[Line],
    tangents: dict[Line, Any],
    targets: Sequence[Line],
    wrapper: type | None = None,
    arguments: Arguments = arguments_of,
) -> dict[Line, Any]:
    """Return the tangent of each target that a tangent reaches; the others are exactly zero.

    `lines` are those between sources and targets in order of recording; `tangents` are the seeds by source line.
    """
    remaining = _last_uses(lines, targets)
    known = dict(tangents)
    with np.errstate(all="ignore"):
        for position, line in enumerate(lines):
            primitive = line.primitive
            if line not in tangents and primitive is not None and primitive.jvp is not None:
                incoming = [None if parent is None else known.get(parent) for parent in line.inputs]
                for dead in remaining.pop(position, ()):  # before the rule, which may write to what nobody else reads
                    known.pop(dead, None)
                if any(tangent is not None for tangent in incoming):
                    out, args = arguments(line, wrapper)
                    tangent = primitive.jvp(incoming, out, *args, **line.params)
                    if tangent is not None:
                        known[line] = fit_tangent(tangent, line)
                    del tangent, incoming  # so that a later rule may find itself the only holder
            for dead in remaining.get(position, ()):
                known.pop(dead, None)
    return {line: known[line] for line in targets if line in known}


def fit_tangent(tangent: Any, line: Line) -> Any:
    """Broadcast and cast a tangent to the shape and dtype of its line."""
    if type(tangent) is tuple or type(tangent) is Deferred:  # of a primitive with several outputs
        return tangent
    if tangent.shape != line.shape:
        tangent = broadcast_to(tangent, shape=line.shape)
    if tangent.dtype != line.dtype:
        tangent = cast(tangent, dtype=line.dtype)
    return tangent


def _last_uses(lines: Sequence[Line], targets: Sequence[Line]) -> dict[int, list[Line]]:
    """For each position, the lines whose tangent nobody needs afterwards."""
    last: dict[Line, int] = {}
    for position, line in enumerate(lines):
        for parent in line.inputs:
            if parent is not None:
                last[parent] = position
    for target in targets:
        last.pop(target, None)
    ends: dict[int, list[Line]] = {}
    for line, position in last.items():
        ends.setdefault(position, []).append(line)
    return ends
