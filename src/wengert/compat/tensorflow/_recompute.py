"""`recompute_grad`: time for memory. The function's lines are dropped, and recorded again in the backward pass."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ... import tree
from ...differentiation.recorded import Window, enter
from ...execute.control import pack
from ...primitives.base import REGISTRY, Primitive
from ...primitives.indexing import stack
from ...primitives.structural import pick
from ...recording import (
    AMBIENT,
    CLOSED,
    Line,
    Recorder,
    Traced,
    close_window,
    current,
    depends,
    is_live,
    is_tracked,
    leaf,
    live_line,
    next_sequence,
    open_window,
    wrap,
)
from ...tensor import Tensor as _PlainTensor
from ...transforms.forward import push_forward
from ...transforms.reverse import backpropagate
from ...variable import Variable as _Variable
from ._tensor import Tensor, convert_to_tensor


class _Segment:
    """One call: how to run it again, and which lines from outside of it the result depends on."""

    __hash__ = None  # type: ignore[assignment]  # a closure with its values is never kept in a memo

    def __init__(self, function: Callable[..., Any], count: int) -> None:
        self.function = function  # of the tracked arguments; returns the list of results
        self.count = count
        self.watched: list[tuple[Traced, int]] = []  # and the position of its line among those from outside
        self.slots: list[tuple[tuple[int, ...], np.dtype]] = []

    @contextmanager
    def again(self, args: Sequence[Any]) -> Iterator[tuple[list[Any], list[Line], Callable[[Line], bool], type | None]]:
        """Run once more; give the results, the lines that count as inputs, and which lines are new."""
        values, outside = args[: self.count], args[self.count :]
        before = current()
        nested = before is not None and before is not AMBIENT and bool(before.sessions)
        recorder, opened = open_window(list({line.session for line in outside if line.session.live_in is CLOSED}))
        known = dict(recorder.watched)
        try:
            with Window() as window:
                starts = list(outside)
                for tensor, position in self.watched:
                    entry = recorder.watched.get(id(tensor))
                    if entry is None or not is_live(entry[1], recorder):
                        recorder.watched[id(tensor)] = (tensor, starts[position], recorder.stamp)
                    else:
                        starts[position] = entry[1]
                begin = next_sequence()
                fresh = [enter(convert_to_tensor(value), window.recorder) for value in values]
                results = self.function(*fresh)
                starts = [tensor._line for tensor in fresh] + starts
                yield results, starts, lambda line: line.sequence >= begin, _PlainTensor if nested else None
        finally:
            recorder.watched = known if recorder.sessions else {}
            close_window(recorder, opened)


def _vjp(cotangent: Any, out: Any, *args: Any, needs: Any, rule: _Segment) -> list[Any]:
    cotangents = [cotangent] if len(rule.slots) == 1 else cotangent
    with rule.again(args) as (results, starts, admits, wrapper):
        seeds: dict[Line, Any] = {}
        for result, part in zip(results, cotangents, strict=True):
            if part is not None and result._line is not None:
                seeds[result._line] = seeds[result._line] + part if result._line in seeds else part
        path = depends(seeds, starts, admits)
        active = set(path)
        if any(isinstance(part, Traced) and part._data is None for part in seeds.values()):
            wrapper = _PlainTensor
        seeds = {line: seed for line, seed in seeds.items() if line in active}
        found = backpropagate(path, seeds, starts, wrapper)
    return [found.get(line) for line in starts]


def _jvp(tangents: Sequence[Any], out: Any, *args: Any, rule: _Segment) -> Any:
    with rule.again(args) as (results, starts, admits, wrapper):
        seeds = {line: tangent for line, tangent in zip(starts, tangents, strict=True) if tangent is not None}
        targets = [result._line for result in results if result._line is not None]
        path = depends(targets, seeds, admits)
        if any(isinstance(tangent, Traced) and tangent._data is None for tangent in seeds.values()):
            wrapper = _PlainTensor
        found = push_forward(path, seeds, targets, wrapper)
    parts = [
        found[result._line] if result._line in found else np.zeros(*slot)
        for result, slot in zip(results, rule.slots, strict=True)
    ]
    return parts[0] if len(parts) == 1 else tuple(parts)


def _evaluate(*args: Any, rule: _Segment) -> Any:
    found = [out._data for out in rule.function(*(wrap(Tensor, value) for value in args[: rule.count]))]
    return found[0] if len(found) == 1 else tuple(found)


def _abstract(*args: Any, rule: _Segment) -> Any:
    if len(rule.slots) == 1:
        return rule.slots[0]
    return tuple(shape for shape, _ in rule.slots), tuple(dtype for _, dtype in rule.slots)


def _batch(size: int, batched: Sequence[bool], *args: Any, rule: _Segment) -> Any:
    rows = [
        rule.function(*(convert_to_tensor(arg[k] if flag else arg) for arg, flag in zip(args, batched, strict=True)))
        for k in range(size)
    ]
    columns = [stack(*column, axis=0) for column in zip(*rows, strict=True)]
    return columns[0] if len(columns) == 1 else pack(*columns)


segment = Primitive(
    "tensorflow_segment", _evaluate, abstract=_abstract, vjp=_vjp, jvp=_jvp, batch=_batch, family="control"
)
"""A call that is recorded again when it is differentiated."""
del REGISTRY[segment.name]  # nobody can find it by its name: a Program that is saved cannot hold a closure


def recompute_grad(f: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function without the memory of its intermediate results: they are computed again when needed.

    Variables and tensors that the function reads from outside get their gradients as well.

    Notes
    -----
    Cost: one more evaluation per derivative. Memory: that of the arguments, instead of all that the function does.

    Examples
    --------
    >>> import wengert.compat.tensorflow as tf
    >>> f = tf.recompute_grad(lambda x: tf.sin(tf.exp(x)))
    >>> x = tf.constant(0.0)
    >>> with tf.GradientTape() as tape:
    ...     tape.watch(x)
    ...     y = f(x)
    >>> print(f"{tape.gradient(y, x):.4f}")
    0.5403
    """

    @functools.wraps(f)
    def decorated(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = tree.flatten(args)
        if any(isinstance(value, Traced) and value._data is None for value in leaves):
            return f(*args, **kwargs)  # only shapes are known: there is no memory to save
        positions = [
            i
            for i, value in enumerate(leaves)
            if isinstance(value, Traced) and not isinstance(value, _Variable) and is_tracked(value)
        ]

        def function(*values: Any) -> list[Any]:
            filled = list(others)
            for i, value in zip(positions, values, strict=True):
                filled[i] = value
            found, shape = tree.flatten(f(*tree.unflatten(structure, filled), **kwargs))
            structures.append(shape)
            return [convert_to_tensor(out) for out in found]

        structures: list[tree.Tree] = []
        others = [None if i in positions else value for i, value in enumerate(leaves)]
        rule = _Segment(function, len(positions))
        with Window() as window:
            recorder = window.recorder
            begin = next_sequence()
            inputs = [leaves[i] for i in positions]
            fresh = [wrap(Tensor, x._data, leaf(x._data.shape, x._data.dtype, window.sessions[-1])) for x in inputs]
            results = function(*fresh)
            known = {line: tensor for tensor, line, _ in recorder.watched.values()}
            outside = _outside(results, begin, set(known), window)
            outside = [line for line in outside if is_live(line, recorder)]
            lines = [live_line(x, recorder) for x in inputs] + outside
            rule.watched = [(known[line], k) for k, line in enumerate(outside) if line in known]
            rule.slots = [(tuple(out._data.shape), out._data.dtype) for out in results]
            made = _record(rule, results, lines, [x._data for x in inputs] + [None] * len(outside), recorder)
        return tree.unflatten(structures[0], made)

    return decorated


def _outside(results: Sequence[Any], begin: int, known: set[Line], window: Window) -> list[Line]:
    """Return the lines written before `begin`, and those of variables, that the results come from."""
    stack = [out._line for out in results if out._line is not None]
    seen: set[Line] = set()
    found = []
    while stack:
        line = stack.pop()
        if line in seen:
            continue
        seen.add(line)
        if line.session in window.sessions and line.primitive is None:
            continue  # an argument
        if line in known or line.sequence < begin or line.primitive is None:
            found.append(line)
        else:
            stack.extend(parent for parent in line.inputs if parent is not None)
    return sorted(found, key=lambda line: line.sequence)


def _record(
    rule: _Segment, results: Sequence[Any], lines: Sequence[Any], values: Sequence[Any], recorder: Recorder
) -> list[Any]:
    """Return the results as those of a single line."""
    data = [out._data for out in results]
    if not lines:
        return [wrap(Tensor, part) for part in data]
    single = len(data) == 1
    shape: Any = rule.slots[0][0] if single else tuple(shape for shape, _ in rule.slots)
    dtype: Any = rule.slots[0][1] if single else tuple(dtype for _, dtype in rule.slots)
    line = Line(
        segment,
        tuple(lines),
        {"rule": rule},
        tuple(values),
        None,
        shape,
        dtype,
        recorder.session_of(lines) if recorder.nested else recorder.session,
    )
    if single:
        return [wrap(Tensor, data[0], line)]
    whole = wrap(Tensor, tuple(data), line)
    return [wrap(Tensor, part._data, part._line) for part in (pick(whole, position=i) for i in range(len(data)))]
