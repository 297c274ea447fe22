"""Reverse mode: walk lines backwards and let each primitive's vjp pass cotangents to its inputs.

The rules are called with whatever the lines hold: arrays (the fast eager pass), tracked tensors (higher order)
or abstract tensors (a derivative Program). Broadcasting and dtype promotion are undone here, in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from ..primitives.elementwise import cast
from ..primitives.pointwise import has_nan
from ..primitives.reduction import sum_
from ..primitives.structural import Partial
from ..recording import ABSTRACT, AMBIENT, RELEASED, Line, Session, Traced, current, is_live, wrap


def fit(cotangent: Any, line: Line) -> Any:
    """Sum over broadcast axes and cast, so that the cotangent has the shape and dtype of its line."""
    shape = cotangent.shape
    if shape != line.shape:
        extra = len(shape) - len(line.shape)
        axes = tuple(i for i, n in enumerate(shape) if i < extra or n != line.shape[i - extra])
        if len(axes) > 0:
            cotangent = sum_(cotangent, axis=axes)
        if cotangent.shape != line.shape:
            cotangent = np.reshape(cotangent, line.shape)
    if cotangent.dtype != line.dtype:
        cotangent = cast(cotangent, dtype=line.dtype)
    return cotangent


def arguments_of(line: Line, wrapper: type | None) -> tuple[Any, list[Any]]:
    """Return (out, arguments) of a line as its rules want them.

    A value that was not kept is replaced by its line, which has a shape and a dtype. With a `wrapper`, values
    whose lines are live (or abstract) come back as tensors, so that what the rules do is recorded.
    """
    inputs, values = line.inputs, line.values
    if wrapper is None:
        return line.out, [
            parent if value is None else value for value, parent in zip(values, inputs, strict=True)
        ]
    recorder = current()
    out = line.out
    if line.session is ABSTRACT:
        out = wrap(wrapper, None, line)
    elif out is not None and is_live(line, recorder):
        out = wrap(wrapper, out, line)
    args: list[Any] = []
    for value, parent in zip(values, inputs, strict=True):
        if parent is None:
            args.append(value)
        elif value is None:
            args.append(wrap(wrapper, None, parent) if parent.session is ABSTRACT else parent)
        else:  # `is_live`, without the call
            live_in = parent.session.live_in
            live = recorder is not None and (live_in is recorder or live_in is AMBIENT)
            args.append(wrap(wrapper, value, parent) if live else value)
    return out, args


Arguments = Callable[[Line, type | None], tuple[Any, list[Any]]]


def gradient(target: Line, seed: Any, sources: Sequence[Line], session: Session) -> dict[Line, Any]:
    """Return the cotangents of `sources` where every line of the session depends on them: the quick eager pass.

    For an outermost recording only: rules run on plain arrays, and the session's lines are used up.
    """
    if target.session is not session:
        return {}
    # Every statement of these loops is paid for each recorded operation, hence the repetition.
    order = [target]
    target.session = RELEASED  # what has been seen leaves the session
    for line in order:
        for parent in line.inputs:
            if parent is not None and parent.session is session:
                parent.session = RELEASED
                order.append(parent)
    order.sort(key=_by_sequence, reverse=True)
    if any(source.primitive is not None for source in sources):
        wanted = set(sources)
        order = [line for line in order if line not in wanted]
    cotangents = sweep(order, {target: seed}, sources)
    for line in order:
        line.inputs = line.values = ()
        line.out = None
    return cotangents


def sweep(order: Sequence[Line], seeds: dict[Line, Any], sources: Sequence[Line]) -> dict[Line, Any]:
    """Return the cotangents of `sources` by rules on plain arrays, with no look at which inputs need one.

    `order` is that of the pass, last line first, without the sources.
    """
    # Products with an infinite slope that a mask has cut give 0 * inf = NaN and should give 0. Looking for that in
    # every product costs a third of the pass, so it is done only where a NaN has come out at the end.
    with np.errstate(all="ignore"):
        cotangents = _sweep(order, dict(seeds), False)
        if any(has_nan(cotangents[source]) for source in sources if source in cotangents):
            cotangents = _sweep(order, dict(seeds), True)
    return {line: cotangents[line] for line in sources if line in cotangents}


def _sweep(order: Sequence[Line], cotangents: dict[Line, Any], careful: bool) -> dict[Line, Any]:
    """Pass cotangents from each line to its inputs; `careful` products are 0 where the cotangent is."""
    take = cotangents.pop
    for line in order:
        primitive = line.primitive
        if primitive is None:
            continue
        if primitive.plain and (line.dtype is _DOUBLE or line.dtype.kind == "f") and not (careful or line.params):
            cotangent = take(line, None)
            if cotangent is None:
                continue
            partials, out = primitive.partials, line.out
            if len(partials) == 1:  # of the argument's shape
                partial = partials[0]
                only: Any = line.inputs[0]
                if partial.__class__ is _FUNCTION:
                    cotangent = cotangent * partial(out, line.values[0])
                elif partial != 1:
                    cotangent = cotangent * partial
                if cotangent.dtype is not only.dtype:
                    cotangent = fit(cotangent, only)
                cotangents[only] = cotangents[only] + cotangent if only in cotangents else cotangent
                continue
            x, y = line.values
            first, second = line.inputs
            by_first, by_second = partials
            if first is not None and by_first is not None:
                if by_first.__class__ is _FUNCTION:
                    value = cotangent * by_first(out, x, y)
                else:
                    value = cotangent if by_first == 1 else cotangent * by_first
                if value.shape != first.shape or value.dtype is not first.dtype:
                    value = fit(value, first)
                cotangents[first] = cotangents[first] + value if first in cotangents else value
            if second is not None and by_second is not None:
                if by_second.__class__ is _FUNCTION:
                    value = cotangent * by_second(out, x, y)
                else:
                    value = cotangent if by_second == 1 else cotangent * by_second
                if value.shape != second.shape or value.dtype is not second.dtype:
                    value = fit(value, second)
                cotangents[second] = cotangents[second] + value if second in cotangents else value
            continue
        if primitive.accumulate is not None:
            primitive.accumulate(cotangents, line, [parent is not None for parent in line.inputs])
            continue
        cotangent = take(line, None)
        if cotangent is not None and primitive.vjp is not None:
            out, args = arguments_of(line, None)
            needs = [parent is not None for parent in line.inputs]
            found = primitive.vjp(cotangent, out, *args, needs=needs, **line.params)
            for parent, value in zip(line.inputs, found, strict=True):
                if value is None or parent is None:
                    continue
                if value.__class__ is Partial:
                    value.add_to(cotangents, parent)
                    continue
                if value.shape != parent.shape or value.dtype is not parent.dtype:
                    value = fit(value, parent)
                if parent in cotangents:
                    value = cotangents[parent] + value
                cotangents[parent] = value
    return cotangents


_FUNCTION: Any = type(lambda: None)
_DOUBLE = np.dtype(np.float64)
_by_sequence = attrgetter("sequence")


def backpropagate(
    lines: Sequence[Line],
    cotangents: dict[Line, Any],
    sources: Sequence[Line],
    wrapper: type | None = None,
    release: bool = False,
    arguments: Arguments = arguments_of,
    observer: Any = None,
) -> dict[Line, Any]:
    """Return the cotangent of each source that a cotangent reaches.

    Parameters
    ----------
    lines : sequence of Line
        Those between sources and targets, in order of recording (`recording.depends`).
    cotangents : dict
        Seeds by target line. Consumed.
    sources : sequence of Line
    wrapper : type, optional
        Tensor class for what the rules read when their work is to be recorded.
    release : bool
        Forget each line's saved values as soon as its rule has run.
    arguments : callable
        Where a line's values come from, if not from the line itself.
    observer : optional
        Sees, and may replace, each line's complete cotangent (`arrive(line, cotangent)`) and what its rule found
        (`leave(line, cotangent, found)`).
    """
    wanted = set(sources)
    active = set(lines)
    plain = wrapper is None and observer is None and arguments is arguments_of
    result: dict[Line, Any] = {}
    with np.errstate(all="ignore"):
        for line in reversed(lines):
            if (
                plain
                and line.primitive is not None
                and line.primitive.accumulate is not None
                and line not in wanted
                and not isinstance(cotangents.get(line), Traced)
            ):
                line.primitive.accumulate(cotangents, line, [parent in active for parent in line.inputs])
                if release:
                    line.release()
                continue
            cotangent = cotangents.pop(line, None)
            if observer is not None and cotangent is not None:
                cotangent = observer.arrive(line, cotangent)
            if line in wanted:
                if cotangent is not None:
                    result[line] = cotangent
                if line.primitive is None:
                    continue
            primitive = line.primitive
            if cotangent is None or primitive is None or primitive.vjp is None:
                if release:
                    line.release()
                continue
            inputs = line.inputs
            needs = [parent in active for parent in inputs]
            if True not in needs:
                continue
            out, args = arguments(line, wrapper)
            found = primitive.vjp(cotangent, out, *args, needs=needs, **line.params)
            if observer is not None:
                found = observer.leave(line, cotangent, found)
            for parent, need, value in zip(inputs, needs, found, strict=True):
                if not need or value is None or parent is None:
                    continue
                if type(value) is Partial:  # one output of a primitive with several
                    value.add_to(cotangents, parent)
                    continue
                data = value._data if value.__class__ is wrapper else value  # type: ignore[attr-defined]  # not by a property of the tensor's
                if data is None or data.shape != parent.shape or data.dtype is not parent.dtype:
                    value = fit(value, parent)
                known = cotangents.get(parent)
                cotangents[parent] = value if known is None else known + value
            if release:
                line.release()
    return result
