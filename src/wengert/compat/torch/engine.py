"""`backward` and `grad`: PyTorch's engine as an observer of the core's reverse pass.

The pass itself is `transforms.reverse.backpropagate`; here stand hooks, the filling of `.grad`, freed graphs, edited
values and NaN detection.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np

from ... import tensor as core
from ...differentiation.linear_map import push_block
from ...errors import (
    ArgumentError,
    GraphDtypeError,
    GraphError,
    GraphShapeError,
    NotConnected,
    StructureError,
    user_line,
)
from ...modes import Recording
from ...primitives.structural import Partial
from ...recording import AMBIENT, Line, Traced, current, depends, wrap
from ...transforms.reverse import arguments_of, backpropagate, fit
from ...views import become
from .ends import line_of, matched, seeds_of, sequence_of, source_line, to_core, to_torch
from .graph import FREED, Recomputed, check_unedited, edits, find_notes, free, is_leaf_line, name_of
from .tensor import Tensor

# Whether NaNs in gradients are looked for.
detect_nan: ContextVar[bool] = ContextVar("wengert_torch_detect_nan", default=False)


class _Pass:
    """One backward pass: what happens at each line beside its rule.

    Attributes
    ----------
    keep : bool
        Whether saved values stay for another pass.
    graph : bool
        Whether the gradient is itself recorded.
    fills : bool
        Whether leaves get what arrives added to their `.grad`.
    """

    __slots__ = ("_collected", "_delivered", "active", "fills", "graph", "keep", "nan", "present")

    def __init__(self, keep: bool, graph: bool, fills: bool, seeds: Sequence[Any]) -> None:
        self.keep = keep
        self.graph = graph
        self.fills = fills
        self.nan = detect_nan.get()
        self.active: set[Line] = set()
        self.present: Line | None = None  # whose rule is running
        self._delivered = {id(seed) for seed in seeds}
        self._collected: dict[Any, dict[Line, Any]] = {}

    # ------------------------------------------------------------ called by the reverse pass

    def arguments(self, line: Line, wrapper: type | None) -> tuple[Any, list[Any]]:
        """Return what the line's rule reads; freed or edited values are errors."""
        if line.values is FREED:
            raise GraphError(
                f"trying to backward through the graph a second time: the values that {name_of(line)} saved are freed",
                where=user_line(),
                why="a backward pass frees them as it goes",
                hint="retain_graph=True in the pass before this one",
            )
        if isinstance(line.values, Recomputed):
            line.values.restore()
        check_unedited(line)
        self.present = line
        return arguments_of(line, wrapper)

    def arrive(self, line: Line, cotangent: Any) -> Any:
        """Run the hooks of the line's tensor, and keep or accumulate its gradient."""
        notes = find_notes(line)
        if notes is None or type(cotangent) is list:
            return cotangent
        for hook in list(notes.hooks.values()):
            cotangent = self._replaced(hook, hook(to_torch(cotangent, self.graph)), cotangent)
        for shared in list(notes.shared.values()):
            self._collect(shared, line, cotangent)
        for reference in notes.retained:
            tensor = reference()
            if tensor is not None:
                self.fill(tensor, cotangent)
        for hook in list(notes.before.values()):
            result = hook((to_torch(cotangent, self.graph),))
            if result is not None:
                cotangent = self._replaced(hook, result[0] if isinstance(result, tuple) else result, cotangent)
        if self.fills and notes.leaf is not None:
            tensor = notes.leaf()
            if tensor is not None and tensor._line is line:
                self.fill(tensor, cotangent)
                for hook in list(notes.filled.values()):
                    hook(tensor)
        return cotangent

    def leave(self, line: Line, cotangent: Any, found: Any) -> Any:
        """Run the node's hooks, look for NaN, and free what the line saved."""
        notes = find_notes(line)
        if self.nan:
            self._check_nan(line, notes, found)
        if notes is not None and notes.after:
            given = tuple(
                None if value is None or type(value) is Partial else fit(value, parent) if parent is not None else value
                for value, parent in zip(found, line.inputs, strict=True)
            )
            for hook in list(notes.after.values()):
                result = hook(
                    tuple(None if value is None else to_torch(value, self.graph) for value in given),
                    (to_torch(cotangent, self.graph),),
                )
                if result is not None:
                    result = result if isinstance(result, tuple) else (result,)
                    if len(result) != len(given):
                        raise GraphError(
                            f"a hook of {name_of(line)} returned {len(result)} gradients, but the node has {len(given)}"
                        )
                    given = tuple(
                        value if new is None else self._replaced(hook, new, value)
                        for new, value in zip(result, given, strict=True)
                    )
            found = tuple(old if type(old) is Partial else new for old, new in zip(found, given, strict=True))
        if not self.keep:
            free(line)
        return found

    # ------------------------------------------------------------

    def _replaced(self, hook: Any, result: Any, before: Any) -> Any:
        if result is None:
            return before
        name = getattr(hook, "__name__", type(hook).__name__)
        if not isinstance(result, Traced):
            raise StructureError(
                f"the hook {name!r} returned {type(result).__name__}; a hook returns a tensor or None",
                hint="return None to leave the gradient as it is",
            )
        if before is not None and tuple(result.shape) != tuple(before.shape):  # type: ignore[attr-defined]
            raise GraphShapeError(
                f"the hook {name!r} has changed the size of the gradient from {tuple(before.shape)} to "
                f"{tuple(result.shape)}"  # type: ignore[attr-defined]
            )
        if before is not None and result.dtype != before.dtype:  # type: ignore[attr-defined]
            raise GraphDtypeError(
                f"the hook {name!r} has changed the dtype of the gradient from {before.dtype} to "
                f"{np.dtype(result.dtype)}"  # type: ignore[attr-defined]
            )
        return to_core(result, self.graph)

    def _collect(self, hook: Any, line: Line, cotangent: Any) -> None:
        known = self._collected.setdefault(hook, {})
        first = not known
        known[line] = to_torch(cotangent, self.graph)
        if hook.first:
            if first:
                hook.function(known[line])
        elif all(other in known for other in hook.lines if other in self.active):
            hook.function([known.get(other) for other in hook.lines])

    def finish(self) -> None:
        """Call the hooks that waited for gradients which did not come."""
        for hook, known in self._collected.items():
            if not hook.first and any(other not in known for other in hook.lines if other in self.active):
                hook.function([known.get(other) for other in hook.lines])

    def _check_nan(self, line: Line, notes: Any, found: Any) -> None:
        for i, value in enumerate(found):
            data = value.value if type(value) is Partial else value
            data = data._data if isinstance(data, Traced) else data
            if isinstance(data, np.ndarray | np.generic) and data.dtype.kind in "fc" and bool(np.any(np.isnan(data))):
                raise GraphError(
                    f"function {name_of(line)!r} returned nan values in its {i}th output",
                    where=notes.where if notes is not None else "",
                    hint="'At' is the line of the forward operation",
                )

    def fill(self, tensor: Any, cotangent: Any) -> None:
        """Add to a tensor's `.grad`."""
        known = tensor._grad
        if known is None:
            tensor._grad = self.own(cotangent)
        elif self.graph:
            tensor._grad = known + to_torch(cotangent, True)
        else:
            data = cotangent._data if isinstance(cotangent, Traced) else cotangent
            become(known, known._data + data, None)

    def own(self, cotangent: Any) -> Tensor:
        """Return a gradient as a tensor whose memory nobody else writes to."""
        result = to_torch(cotangent, self.graph)
        data = result._data
        if type(data) is np.ndarray:
            if data.base is not None or not data.flags.writeable or id(data) in self._delivered:
                result._data = data.copy()
            self._delivered.add(id(result._data))
        return result


# ---------------------------------------------------------------- the two entries


def _check_context(lines: Sequence[Line], graph: bool, name: str) -> None:
    """Refuse a gradient without a graph where an enclosing derivative would need that graph."""
    recorder = current()
    if graph or recorder is None or recorder is AMBIENT:
        return
    if any(line.session.live_in is recorder for line in lines):
        raise GraphError(
            f"{name}: an enclosing derivative is being recorded, but create_graph is False",
            where=user_line(),
            why="the gradient would be a constant, and the enclosing derivative would come out as zero",
            hint="create_graph=True, or torch.func.grad, which nests",
        )


def _reachable(roots: Sequence[Line]) -> tuple[list[Line], list[Line]]:
    """Return all lines that lead to the roots, in order, and the leaves among them."""
    seen = set(roots)
    stack = list(seen)
    while stack:
        for parent in stack.pop().inputs:
            if parent is not None and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    lines = sorted(seen, key=lambda line: line.sequence)
    return lines, [line for line in lines if is_leaf_line(line)]


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Any = None,
) -> None:
    """Add the gradient of the sum of `tensors` to the `.grad` of the leaves they depend on.

    Parameters
    ----------
    tensors : tensor or sequence of tensors
    grad_tensors : tensor, None or sequence of these
        A cotangent per tensor; None for tensors of one element.
    retain_graph : bool, optional
        Whether saved values stay, so that another pass can follow; `create_graph` if not given.
    create_graph : bool
        Whether the gradient is recorded, so that it can be differentiated.
    inputs : tensor or sequence of tensors, optional
        Fill the `.grad` of these only; they need not be leaves.

    Raises
    ------
    GraphError
        If a tensor has no graph, or its graph was freed or edited.
    GraphShapeError, GraphDtypeError, StructureError
        If a cotangent does not fit its tensor.
    """
    outputs = sequence_of(tensors, "tensors")
    targets = None if inputs is None else sequence_of(inputs, "inputs")
    if targets is not None and not targets:
        raise GraphError("the `inputs` argument to backward() cannot be empty", where=user_line())
    gradients = matched(grad_tensors if grad_tensors is not None else grad_variables, len(outputs))
    lines_out = [line_of(output, "tensor", i) for i, output in enumerate(outputs)]
    _check_context(lines_out, create_graph, "backward")
    with Recording(create_graph or current() is not None):
        seeds = seeds_of(outputs, lines_out, gradients, create_graph)
        keep = create_graph if retain_graph is None else retain_graph
        visitor = _Pass(keep, create_graph, targets is None, list(seeds.values()))
        if targets is None:
            lines, sources = _reachable(lines_out)
        else:
            sources = [source_line(target) for target in targets]
            lines = depends(lines_out, sources)
        found = _run(lines, seeds, sources, visitor)
        flat = _without_slope(lines, lines_out, [source for source in sources if source not in found])
        for target, source in zip(targets or (), sources):
            if source in found or source in flat:
                visitor.fill(target, found[source] if source in found else np.zeros(source.shape, source.dtype))
        for source in flat if targets is None else ():
            notes = find_notes(source)
            tensor = notes.leaf() if notes is not None and notes.leaf is not None else None
            if tensor is not None:
                visitor.fill(tensor, np.zeros(source.shape, source.dtype))


def _without_slope(lines: Sequence[Line], outputs: Sequence[Line], missing: Sequence[Line]) -> list[Line]:
    """Return those of the missing sources that a path leads to, though one whose derivative is exactly zero.

    Where a rule of the user's returned None there is no path.
    """
    if not missing:
        return []
    reached = set(outputs)
    for line in reversed(lines):
        if line in reached and line.primitive is not None and line.primitive.family != "function":
            reached.update(p for p in line.inputs if p is not None and (type(p.dtype) is tuple or p.dtype.kind in "fc"))
    return [line for line in missing if line in reached]


def _run(lines: Sequence[Line], seeds: dict[Line, Any], sources: Sequence[Line], visitor: _Pass) -> dict[Line, Any]:
    visitor.active = set(lines)
    wrapper = core.Tensor if visitor.graph else None
    try:
        found = backpropagate(lines, dict(seeds), sources, wrapper, arguments=visitor.arguments, observer=visitor)
    except Exception as error:
        notes = None if visitor.present is None else find_notes(visitor.present)
        if notes is not None and notes.where:
            error.add_note(f"The forward operation of {name_of(visitor.present)} is at {notes.where}")  # type: ignore[arg-type]
        raise
    visitor.finish()
    return found


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> Any:
    """Return the gradient of the sum of `outputs` by each of `inputs`, without filling `.grad`.

    Parameters
    ----------
    outputs, inputs : tensor or sequence of tensors
        `inputs` may be a dict, which gives a dict; edges of the graph (`graph.get_gradient_edge`) count as tensors.
    grad_outputs : tensor, None or sequence of these
        A cotangent per output; None for outputs of one element.
    retain_graph, create_graph : bool
        See `backward`.
    allow_unused : bool, optional
        Whether an input that the outputs do not depend on gives None; otherwise it is an error.
    is_grads_batched : bool
        Whether `grad_outputs` have one more leading axis, and so has the result.
    materialize_grads : bool
        Zeros instead of None for unused inputs.

    Raises
    ------
    GraphError, GraphShapeError, GraphDtypeError, StructureError
        As `backward`.
    NotConnected
        If an input is unused and that is not allowed.
    ArgumentError
        If `materialize_grads` is true and `allow_unused` false.

    Examples
    --------
    >>> import wengert.compat.torch as torch
    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> torch.autograd.grad((x**3).sum(), x)
    (tensor([ 3., 12.]),)
    """
    if materialize_grads and allow_unused is False:
        raise ArgumentError("grad: materialize_grads=True needs allow_unused=True, or leave it out", where=user_line())
    names = list(inputs) if isinstance(inputs, dict) else None
    targets = list(inputs.values()) if isinstance(inputs, dict) else sequence_of(inputs, "inputs")
    outs = sequence_of(outputs, "outputs")
    gradients = matched(grad_outputs, len(outs))
    lines_out = [line_of(out, "output", i) for i, out in enumerate(outs)]
    sources = [source_line(target) for target in targets]
    _check_context(lines_out, create_graph, "grad")
    keep = create_graph if retain_graph is None else retain_graph
    with Recording(create_graph or current() is not None):
        seeds = seeds_of(outs, lines_out, gradients, create_graph, is_grads_batched)
        lines = depends(lines_out, sources)
        reached = set(lines)
        visitor = _Pass(keep, create_graph, False, list(seeds.values()))
        if is_grads_batched:
            found = _batched(lines, seeds, sources, visitor)
        else:
            found = _run(lines, seeds, sources, visitor)
        results: list[Any] = []
        for i, line in enumerate(sources):
            if line in found:
                results.append(visitor.own(found[line]))
            elif materialize_grads or (line in reached and allow_unused):
                results.append(wrap(Tensor.family, np.zeros(line.shape, line.dtype)))
            elif line in reached:  # connected, but every path has derivative zero
                results.append(wrap(Tensor.family, np.zeros(line.shape, line.dtype)))
            elif allow_unused:
                results.append(None)
            else:
                raise NotConnected(
                    f"grad: the differentiated tensor at index {i} was not used in the graph",
                    where=user_line(),
                    hint="allow_unused=True for None, materialize_grads=True for zeros",
                )
    return dict(zip(names, results, strict=True)) if names is not None else tuple(results)


def _batched(lines: Sequence[Line], seeds: dict[Line, Any], sources: Sequence[Line], visitor: _Pass) -> dict[Line, Any]:
    """Push all entries of the leading axis at once; one by one where hooks or rules of the user's are in the way."""
    size = next(iter(seeds.values())).shape[0]
    if size and not visitor.graph and not visitor.nan and not edits and all(map(_plain, lines)):
        connected = set(lines)
        starts = [line for line in seeds if line in connected]
        blocks = push_block(lines, starts, sources, [seeds[line] for line in starts], None, reverse=True)
        if not visitor.keep:
            for line in lines:
                free(line)
        return {line: block for line, block in zip(sources, blocks, strict=True) if line in connected}
    keep, visitor.keep = visitor.keep, True
    rows = []
    for k in range(size):
        if k == size - 1:
            visitor.keep = keep
        rows.append(_run(lines, {line: seed[k] for line, seed in seeds.items()}, sources, visitor))
    reached = {line for row in rows for line in row}
    return {
        line: np.stack([row[line] if line in row else np.zeros(line.shape, line.dtype) for row in rows])
        for line in sources
        if line in reached
    }


def _plain(line: Line) -> bool:
    """Whether a line can be batched: its values are there, and nobody watches it."""
    if line.values is FREED or isinstance(line.values, Recomputed):
        return False
    if line.primitive is not None and line.primitive.family == "function":
        return False
    notes = find_notes(line)
    return notes is None or not (notes.hooks or notes.shared or notes.before or notes.after or notes.retained)
