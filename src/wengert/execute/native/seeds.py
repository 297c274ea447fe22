"""Products with unit seeds, which only pick rows: they become views, and cost nothing.

A Jacobian pushes the identity through the function. Its first contraction is then the other operand itself, with its
axes renamed. The zeros of unit seeds are structural, so this is exact also where the other operand holds infinities.
"""

from __future__ import annotations

from typing import Any

from ...primitives.base import find
from ...program import Program, Slot, Step
from .pull import ALIASES


def pick_rows(program: Program) -> Program:
    """Return an equal Program without contractions of unit seeds, and with transpositions of contractions folded in."""
    names = {step.primitive.name for step in program.steps}
    if "contract" not in names or not names & {"unit_seeds", "transpose"}:
        return program
    return _Rewriter(program).run()


class _Rewriter:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.first = len(program.inputs) + len(program.captures)
        self.steps: list[Step] = []
        self.refs: list[int] = list(range(self.first))
        self.hot: dict[int, tuple[int, int]] = {}  # value -> the two axes along which it is the identity
        readers = [0] * (self.first + len(program.steps))
        for step in program.steps:
            for a in step.args:
                readers[a] += 1
        for number in program.outputs:
            readers[number] += 2
        self.readers = readers

    def run(self) -> Program:
        for i, step in enumerate(self.program.steps):
            number = self.first + i
            hot = self._hot(step)
            if hot is not None:
                self.hot[number] = hot
            self.refs.append(self._write(step))
        program = self.program
        return Program(program.inputs, program.captures, self.steps, [self.refs[i] for i in program.outputs])

    def _add(self, name: str, arg: int, slot: Slot, **params: Any) -> int:
        self.steps.append(Step(find(name), (arg,), tuple(sorted(params.items())), slot))
        return self.first + len(self.steps) - 1

    def _slot(self, ref: int) -> Slot:
        return self.program.slot(ref) if ref < self.first else self.steps[ref - self.first].slot

    # ------------------------------------------------------------ which values are unit matrices

    def _hot(self, step: Step) -> tuple[int, int] | None:
        name, params = step.primitive.name, dict(step.params)
        if name == "unit_seeds":
            wide = [i for i, n in enumerate(params["shape"]) if n != 1]
            whole = params["start"] == 0 and len(wide) == 1 and params["stop"] == params["shape"][wide[0]]
            return (0, wide[0] + 1) if whole else None
        if not step.args or step.args[0] not in self.hot:
            return None
        p, q = self.hot[step.args[0]]
        shape, new = self.program.slot(step.args[0]).shape, step.slot.shape
        if name in ALIASES:
            return p, q
        if name == "transpose":
            axes = params["axes"]
            return axes.index(p), axes.index(q)
        if name == "broadcast_to":
            shift = len(new) - len(shape)
            return (p + shift, q + shift) if new[p + shift] == shape[p] and new[q + shift] == shape[q] else None
        if name == "reshape":
            old_wide = [i for i, n in enumerate(shape) if n != 1]
            new_wide = [i for i, n in enumerate(new) if n != 1]
            if [shape[i] for i in old_wide] == [new[i] for i in new_wide] and p in old_wide and q in old_wide:
                return new_wide[old_wide.index(p)], new_wide[old_wide.index(q)]
        return None

    # ------------------------------------------------------------ rewriting

    def _write(self, step: Step) -> int:
        name = step.primitive.name
        args = tuple(self.refs[a] for a in step.args)
        if name == "contract":
            picked = self._picked(step, args)
            if picked is not None:
                return picked
        if name == "transpose" and step.args[0] >= self.first and self.readers[step.args[0]] == 1:
            source = self.program.steps[step.args[0] - self.first]
            inner = args[0] - self.first
            if source.primitive.name == "contract" and inner >= 0 and self.steps[inner].primitive.name == "contract":
                product = self.steps[inner]
                params = dict(product.params)
                params["out"] = tuple(params["out"][axis] for axis in dict(step.params)["axes"])
                self.steps.append(Step(product.primitive, product.args, tuple(sorted(params.items())), step.slot))
                return self.first + len(self.steps) - 1
        self.steps.append(Step(step.primitive, args, step.params, step.slot))
        return self.first + len(self.steps) - 1

    def _picked(self, step: Step, args: tuple[int, ...]) -> int | None:
        params = dict(step.params)
        out = params["out"]
        for mine, other in ((0, 1), (1, 0)):
            seeds = self.hot.get(step.args[mine])
            if seeds is None:
                continue
            labels = (params["a"], params["b"])[mine]
            theirs = (params["b"], params["a"])[mine]
            for kept, summed in (seeds, seeds[::-1]):
                k, s = labels[kept], labels[summed]
                rest = [label for i, label in enumerate(labels) if i not in seeds]
                if k in out and s not in out and s in theirs and k not in theirs and all(r in out for r in rest):
                    sizes = dict(zip(labels, self.program.slot(step.args[mine]).shape, strict=True))
                    return self._view(
                        args[other], [k if label == s else label for label in theirs], out, sizes, step.slot
                    )
        return None

    def _view(self, ref: int, labels: list[int], out: tuple[int, ...], sizes: dict[int, int], slot: Slot) -> int:
        """Bring the other operand's axes into the result's order, and repeat it along those it does not have."""
        source = self._slot(ref)
        order = tuple(labels.index(label) for label in out if label in labels)
        shape = tuple(source.shape[i] for i in order)
        if order != tuple(range(len(order))):
            ref = self._add("transpose", ref, Slot(shape, source.dtype), axes=order)
        remaining = iter(shape)
        wide = tuple(next(remaining) if label in labels else 1 for label in out)
        if wide != shape:
            ref = self._add("reshape", ref, Slot(wide, source.dtype), shape=wide)
        full = tuple(n if label in labels else sizes[label] for label, n in zip(out, wide, strict=True))
        if full != wide:
            ref = self._add("broadcast_to", ref, Slot(full, source.dtype), shape=full)
        if source.dtype != slot.dtype:
            ref = self._add("cast", ref, Slot(full, slot.dtype), dtype=slot.dtype)
        return ref
