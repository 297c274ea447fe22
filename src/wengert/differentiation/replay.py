"""Recorded lines as a function again: what the user's code did, without the user's code.

The lines between inputs and outputs are applied anew to other inputs, concrete, tracked or abstract. Second derivatives of
plain code start here: the function runs once, and what it did becomes a Program that is kept by its structure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..execute.interpret import run
from ..program import Program, Slot, freeze, trace
from ..recording import Line, Traced, apply, depends
from ..tensor import Tensor
from ..transforms.forward import push_forward
from ..transforms.reverse import backpropagate
from ..transforms.simplify import simplify
from .linear_map import LONGEST, Memo

_memo = Memo()
_WEAK = (bool, int, float, complex)


class Replay:
    """Some recorded lines as a function of their inputs.

    Attributes
    ----------
    values : list
        What the lines read that does not depend on the inputs, in order.
    key
        The structure: equal keys, equal functions of inputs and values. None if there is none.
    """

    def __init__(self, lines: Sequence[Line], inputs: Sequence[Line], outputs: Sequence[Line]) -> None:
        self.values: list[Any] = []
        self.inputs = list(inputs)
        number = {line: i for i, line in enumerate(inputs)}
        known: dict[int, int] = {}
        self.steps: list[tuple[Any, list[tuple[str, Any]], dict[str, Any]]] = []
        parts: list[Any] = [tuple((line.shape, line.dtype) for line in inputs)]
        for line in lines:
            if line in number:
                continue
            refs: list[tuple[str, Any]] = []
            keys: list[Any] = []
            for parent, value in zip(line.inputs, line.values, strict=True):
                if parent in number:
                    refs.append(("line", number[parent]))
                    keys.append(number[parent])
                elif type(value) in _WEAK:
                    refs.append(("is", value))
                    keys.append((type(value), value))
                elif value is None or isinstance(value, Line | Traced):
                    raise LookupError("a value was not kept")
                else:
                    if id(value) not in known:
                        known[id(value)] = len(self.values)
                        self.values.append(value)
                    refs.append(("value", known[id(value)]))
                    keys.append(("value", known[id(value)], np.shape(value), np.asarray(value).dtype))
            number[line] = len(self.inputs) + len(self.steps)
            self.steps.append((line.primitive, refs, line.params))
            parts.append((line.primitive, tuple(keys), freeze(line.params) if line.params else ()))
        self.outputs = [number[line] for line in outputs]
        self.key: Any = None
        if len(self.steps) <= LONGEST:
            key = (tuple(parts), tuple(self.outputs))
            try:
                hash(key)
            except TypeError:
                return
            self.key = key

    def __call__(self, inputs: Sequence[Any], values: Sequence[Any]) -> list[Any]:
        """Apply the lines to other inputs and values."""
        found = list(inputs)
        with np.errstate(all="ignore"):
            for primitive, refs, params in self.steps:
                args = [found[x] if kind == "line" else values[x] if kind == "value" else x for kind, x in refs]
                found.append(apply(primitive, args, params))
        return [found[i] for i in self.outputs]


def hessian_product(replay: Replay, primals: Sequence[np.ndarray], tangents: Sequence[Any]) -> list[Any] | None:
    """Return the product of the Hessian of the single scalar output with a direction, or None the first time.

    From the second time on that a structure is met, its product is a kept Program.
    """
    if replay.key is None:
        return None
    seen, program = _memo.find(replay.key)
    if not seen:
        return None
    if program is None:
        program = _product_program(replay, primals)
        _memo.keep(replay.key, program)
    return list(run(program, [*primals, *replay.values, *tangents], program.captures))


def _product_program(replay: Replay, primals: Sequence[np.ndarray]) -> Program:
    count, extra = len(primals), len(replay.values)
    slots = [Slot(x.shape, x.dtype) for x in primals]

    def product(*args: Any) -> list[Any]:
        inputs, values, tangents = args[:count], args[count : count + extra], args[count + extra :]
        (out,) = replay(inputs, values)
        sources = [x._line for x in inputs]
        lines = depends([out._line], sources)
        pulled = backpropagate(lines, {out._line: np.ones((), out.dtype)}, sources, Tensor)
        gradients = [pulled[line]._line for line in sources if isinstance(pulled.get(line), Traced)]
        between = depends(gradients, sources)
        pushed = push_forward(between, dict(zip(sources, tangents, strict=True)), gradients, Tensor)
        result = []
        for line in sources:
            gradient = pulled.get(line)
            own = gradient._line if isinstance(gradient, Traced) else None
            tangent = None if own is None else pushed.get(own)
            result.append(np.zeros(line.shape, line.dtype) if tangent is None else tangent)
        return result

    return simplify(trace(product, [*slots, *map(Slot.of, replay.values), *slots]))
