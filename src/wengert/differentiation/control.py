"""Control flow as one line: `cond`, `switch`, `scan`, `while_loop`, `fori_loop`, `map`.

Python's own `if`, `for` and `while` work in recorded code; these are for loops that should be one line of a Program
(and keep little memory), and for choices that depend on abstract values inside `vmap`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..errors import AbstractValue, ArgumentError, DtypeError, ShapeError, StructureError
from ..execute.control import cond as cond_line
from ..execute.control import run_line, with_common_inputs
from ..execute.loops import scan as scan_line
from ..execute.while_loop import while_loop as while_line
from ..primitives.base import shape_of
from ..primitives.elementwise import cast
from ..program import Program, Slot, trace
from ..recording import AMBIENT, Traced, apply, current, enclosing_traces, is_tracked
from ..transforms.derive import concrete_slot
from ..transforms.simplify import simplify
from .vmap import Vmap, check_result


def as_leaf(value: Any, what: str) -> Any:
    """Return an array or tensor for a leaf of a state or operand."""
    if isinstance(value, Traced | np.ndarray):
        return value
    if isinstance(value, np.generic | bool | int | float | complex):
        return np.asarray(value)
    raise StructureError(f"{what} has a {type(value).__name__}, which is not an array")


def is_recording(leaves: Sequence[Any]) -> bool:
    """Whether what is done now may have to be recorded as a line."""
    recorder = current()
    return (
        any(isinstance(leaf, Traced) for leaf in leaves)
        or bool(enclosing_traces())
        or (recorder is not None and recorder is not AMBIENT)
    )


def trace_body(
    function: Callable[..., Any], structure: tree.Tree, slots: Sequence[Slot], name: str
) -> tuple[Program, tree.Tree]:
    """Return the simplified Program of a function of structured arguments, and the structure of its result."""
    found: list[tree.Tree] = []

    def flat(*values: Any) -> list[Any]:
        leaves, outputs = tree.flatten(function(*tree.unflatten(structure, values)))
        for leaf in leaves:
            check_result(leaf, name)
        found.append(outputs)
        return [leaf if isinstance(leaf, Traced) else np.asarray(leaf) for leaf in leaves]

    program = trace(flat, [concrete_slot(slot) for slot in slots])
    return simplify(program), found[0]


def with_dtypes(program: Program, dtypes: Sequence[Any]) -> Program:
    """Return the Program with its first outputs cast."""
    if all(slot.dtype == dtype for slot, dtype in zip(program.output_slots, dtypes, strict=False)):
        return program

    def run(*values: Any) -> list[Any]:
        outs = list(program(*values))
        for i, dtype in enumerate(dtypes):
            if outs[i].dtype != dtype:
                outs[i] = apply(cast, (outs[i],), {"dtype": np.dtype(dtype)})
        return outs

    return trace(run, program.inputs)


# ---------------------------------------------------------------- branches


def cond(predicate: Any, true_function: Callable[..., Any], false_function: Callable[..., Any], *operands: Any) -> Any:
    """Return `true_function(*operands)` or `false_function(*operands)`, whichever the predicate says.

    predicate: ()   returns: the structure both functions return

    With a plain predicate this is a Python branch. With an abstract one, inside `vmap` or a traced body, it is one
    line; under `vmap` over the predicate each branch runs on the samples that take it.

    Parameters
    ----------
    predicate : bool or scalar array
    true_function, false_function : callable
        Functions of the operands; what they read from outside is differentiated too.
    *operands : array or structure of arrays

    Raises
    ------
    ShapeError, DtypeError
        If the predicate is not one truth value, or the branches return different shapes.
    StructureError
        If the branches return different structures.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> f = lambda x: wg.cond(x > 0, np.sqrt, lambda x: -x, x)
    >>> wg.vmap(wg.grad(f))(np.array([4.0, -1.0]))
    array([ 0.25, -1.  ])
    """
    if shape_of(predicate) != ():
        raise ShapeError(
            f"cond: the predicate has shape {shape_of(predicate)}, but a branch is taken for one truth value",
            hint="np.where(condition, a, b) for elementwise choices, or wengert.vmap",
        )
    if np.dtype(_dtype(predicate)).kind not in "biu":
        raise DtypeError(
            f"cond: the predicate has dtype {_dtype(predicate)}, which is not a truth value", hint="x > 0, not x"
        )
    if not (isinstance(predicate, Traced) and is_tracked(predicate)):
        return (true_function if bool(_plain(predicate)) else false_function)(*operands)
    return _select(predicate, (false_function, true_function), operands, "cond")


def _plain(value: Any) -> Any:
    return value._data if isinstance(value, Traced) else value


def _dtype(value: Any) -> Any:
    return value.dtype if isinstance(value, Traced) else np.asarray(value).dtype  # type: ignore[attr-defined]


def switch(index: Any, functions: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """Return `functions[index](*operands)`; an index outside is clamped.

    index: ()   returns: the structure all functions return

    See `cond` for parameters, errors and what `vmap` does.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> wg.vmap(lambda i, x: wg.switch(i, [np.sin, np.cos, lambda x: x * 0], x))(np.array([0, 1, 7]), np.zeros(3))
    array([0., 1., 0.])
    """
    functions = tuple(functions)
    if not functions:
        raise ArgumentError("switch: there is no function to choose from")
    if shape_of(index) != () or np.dtype(_dtype(index)).kind not in "biu":
        raise DtypeError(f"switch: the index is one integer, not {_dtype(index)} of shape {shape_of(index)}")
    if not (isinstance(index, Traced) and is_tracked(index)):
        return functions[min(max(int(_plain(index)), 0), len(functions) - 1)](*operands)
    return _select(index, functions, operands, "switch")


def _select(selector: Any, functions: Sequence[Callable[..., Any]], operands: Any, name: str) -> Any:
    leaves, structure = tree.flatten(operands)
    leaves = [as_leaf(leaf, f"{name}: operand {i}") for i, leaf in enumerate(leaves)]
    slots = [Slot.of(leaf) for leaf in leaves]
    bodies = [trace_body(function, structure, slots, name) for function in functions]
    outputs = bodies[0][1]
    for program, other in bodies[1:]:
        if other != outputs:
            raise StructureError(f"{name}: the branches return different structures")
        shapes = [slot.shape for slot in program.output_slots]
        first = [slot.shape for slot in bodies[0][0].output_slots]
        if shapes != first:
            raise ShapeError(
                f"{name}: the branches return different shapes: {first} and {shapes}",
                why="the shape must be known before the branch is",
            )
    columns = zip(*(program.output_slots for program, _ in bodies), strict=True)
    dtypes = [np.result_type(*(slot.dtype for slot in column)) for column in columns]
    branches, captured = with_common_inputs([with_dtypes(program, dtypes) for program, _ in bodies])
    parts = run_line(cond_line, [selector, *leaves, *captured], {"branches": branches}, len(dtypes))
    return tree.unflatten(outputs, parts)


# ---------------------------------------------------------------- loops of known length


def scan(
    body: Callable[..., Any],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    *,
    reverse: bool = False,
    checkpoint: bool | int = False,
) -> tuple[Any, Any]:
    """Run a loop that carries a state and maps rows to rows.

    body: (state, x) -> (state, y)   xs: (n, ...)   returns: (last state, ys of shape (n, ...))

    On plain arrays this is a Python loop. In recorded and traced code it is one line; its backward pass runs the loop
    again and keeps the states only.

    Parameters
    ----------
    body : callable
        What it reads from outside is differentiated too.
    init : structure of arrays
        The first state; every state has its shapes and dtypes.
    xs : structure of arrays, optional
        One row per step.
    length : int, optional
        Number of steps where there are no `xs`.
    reverse : bool
        Whether to take the rows from last to first.
    checkpoint : bool or int
        How many states the backward pass may hold; it runs steps again to make up for the others. True is about
        sqrt(2 n), which runs no step more than twice. False holds all.

    Raises
    ------
    ShapeError, StructureError, DtypeError
        If rows differ in number, or the state changes its shape, structure or kind of dtype.
    AbstractValue
        If the body branches on a value and `checkpoint` asks for the loop to be one line.

    Notes
    -----
    Cost of the gradient: two runs of the loop and one backwards; with checkpoints one more. A body that needs the
    values it works on (a Python `if`) is recorded step by step instead.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> total, sums = wg.scan(lambda s, x: (s + x, s + x), 0.0, np.array([1.0, 2.0, 3.0]))
    >>> float(total), sums
    (6.0, array([1., 3., 6.]))
    >>> wg.grad(lambda x: wg.scan(lambda s, x: (s * x, None), 1.0, x)[0])(np.array([2.0, 3.0, 4.0]))
    array([12.,  8.,  6.])
    """
    carry, carry_tree = tree.flatten(init)
    carry = [as_leaf(leaf, "scan: init") for leaf in carry]
    rows, rows_tree = tree.flatten(xs)
    rows = [as_leaf(leaf, "scan: xs") for leaf in rows]
    count = _length(rows, length)
    keep = _snapshots(checkpoint, count)

    def plain() -> tuple[Any, Any]:
        return _plain_scan(body, init, carry_tree, [leaf.shape for leaf in carry], rows, rows_tree, count, reverse)

    if not is_recording([*carry, *rows]):
        return plain()
    structure = tree.Tree(tuple, (), (carry_tree, rows_tree))
    row_slots = [Slot(leaf.shape[1:], leaf.dtype) for leaf in rows]
    try:
        program, outputs, carry = settled_body(body, structure, carry, row_slots, carry_tree, "scan")
    except AbstractValue:
        if checkpoint or any(leaf._data is None for leaf in (*carry, *rows) if isinstance(leaf, Traced)):
            raise
        return plain()  # every value is there: the loop runs as it stands, recorded step by step
    closed, captured = program.closed()
    params = {
        "body": closed,
        "carry": len(carry),
        "xs": len(rows),
        "length": count,
        "reverse": bool(reverse),
        "keep": keep,
    }
    parts = run_line(scan_line, [*carry, *rows, *captured], params, len(closed.outputs))
    return tree.unflatten(carry_tree, parts[: len(carry)]), tree.unflatten(outputs, parts[len(carry) :])


def _length(rows: Sequence[Any], length: int | None) -> int:
    if length is not None and (isinstance(length, bool) or not isinstance(length, int | np.integer) or length < 0):
        raise ArgumentError(f"scan: length is a number of steps, not {length!r}")
    for leaf in rows:
        if not leaf.shape:
            raise ShapeError("scan: xs has a scalar, which has no rows", hint="an array with one row per step")
    lengths = sorted({leaf.shape[0] for leaf in rows} | (set() if length is None else {int(length)}))
    if not lengths:
        raise ArgumentError("scan: neither xs nor length says how many steps there are", hint="length=10")
    if len(lengths) > 1:
        raise ShapeError(f"scan: rows and length disagree on the number of steps: {lengths}")
    return lengths[0]


def _snapshots(checkpoint: bool | int, count: int) -> int:
    if checkpoint is True:
        return int(np.ceil(np.sqrt(2 * count))) + 1
    if checkpoint is False:
        return 0
    if not isinstance(checkpoint, int | np.integer) or checkpoint < 1:
        raise ArgumentError(f"scan: checkpoint is True, False or a number of states to hold, not {checkpoint!r}")
    return int(checkpoint)


def _plain_scan(
    body: Callable[..., Any],
    state: Any,
    carry_tree: tree.Tree,
    shapes: Sequence[Any],
    rows: Sequence[Any],
    rows_tree: tree.Tree,
    count: int,
    reverse: bool,
) -> tuple[Any, Any]:
    ys: list[Any] = []
    outputs = tree.flatten(None)[1]
    for k in range(count - 1, -1, -1) if reverse else range(count):
        state, y = _pair(body(state, tree.unflatten(rows_tree, [row[k] for row in rows])))
        leaves, found = tree.flatten(state)
        _check_state(found, carry_tree, [shape_of(leaf) for leaf in leaves], shapes, "scan")
        values, outputs = tree.flatten(y)
        ys.append(values)
    if reverse:
        ys.reverse()
    if not ys:  # no step was taken: the body's results are known by their shapes only
        program, outputs = trace_body(
            lambda s, x: _pair(body(s, x))[1],
            tree.Tree(tuple, (), (carry_tree, rows_tree)),
            [*(Slot.of(x) for x in tree.flatten(state)[0]), *(Slot(row.shape[1:], row.dtype) for row in rows)],
            "scan",
        )
        return state, tree.unflatten(outputs, [np.zeros((0, *s.shape), s.dtype) for s in program.output_slots])
    return state, tree.unflatten(outputs, [np.stack(column) for column in zip(*ys, strict=True)])


def _pair(result: Any) -> tuple[Any, Any]:
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise StructureError(
            f"scan: the body must return a pair (state, y), not {type(result).__name__}",
            hint="return state, None where there are no results per step",
        )
    return result[0], result[1]


def _check_state(found: tree.Tree, expected: tree.Tree, shapes: Any, wanted: Any, name: str) -> None:
    if found != expected:
        raise StructureError(f"{name}: the state changes its structure from one step to the next")
    if list(shapes) != list(wanted):
        raise ShapeError(
            f"{name}: the state has shapes {list(wanted)} before a step and {list(shapes)} after it",
            hint="start with a state of the final shape",
        )


def settled_body(
    body: Callable[..., Any],
    structure: tree.Tree,
    carry: list[Any],
    row_slots: Sequence[Slot],
    carry_tree: tree.Tree,
    name: str,
) -> tuple[Program, tree.Tree, list[Any]]:
    """Trace the body; widen the first state's dtypes until the body keeps them."""

    def paired(*args: Any) -> Any:
        return _pair(body(*args)) if name == "scan" else (body(*args), None)

    while True:
        slots = [Slot(leaf.shape, leaf.dtype) for leaf in carry]
        program, outputs = trace_body(paired, structure, [*slots, *row_slots], name)
        state, rest = outputs.children
        outs = program.output_slots[: state.count]
        _check_state(state, carry_tree, [s.shape for s in outs], [s.shape for s in slots], name)
        dtypes = [np.result_type(a.dtype, b.dtype) for a, b in zip(slots, outs, strict=True)]
        if all(slot.dtype == dtype for slot, dtype in zip(slots, dtypes, strict=True)):
            return with_dtypes(program, dtypes), rest, carry
        carry = [leaf if leaf.dtype == dtype else leaf.astype(dtype) for leaf, dtype in zip(carry, dtypes, strict=True)]


# The public name shadows the builtin below; this module does not use that one.
def map(function: Callable[..., Any], xs: Any, *, batch_size: int | None = None) -> Any:
    """Apply a function to every row, one after the other.

    f: x -> y   xs: (n, ...)   returns: (n, ...)

    `vmap` does all rows at once and needs memory for all of them; this needs memory for one, or for `batch_size`.

    Raises
    ------
    ShapeError, ArgumentError
        If the rows differ in number, or `batch_size` is not a positive int.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> wg.map(lambda x: np.sum(x**2), np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([ 5., 25.])
    """
    if batch_size is not None:
        return Vmap(function, 0, 0, batch_size)(xs)
    return scan(_RowBody(function), (), xs)[1]


class _RowBody:
    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, state: Any, x: Any) -> Any:
        return state, self.function(x)


# ---------------------------------------------------------------- loops of unknown length


def while_loop(
    condition: Callable[..., Any], body: Callable[..., Any], init: Any, *, checkpoint: int | bool = False
) -> Any:
    """Run `state = body(state)` as long as `condition(state)` holds.

    condition: state -> ()   body: state -> state   returns: the last state

    On plain arrays this is a Python loop. In recorded and traced code it is one line, in forward and reverse mode: the
    backward pass runs the loop again and then as many steps back. Under `vmap` it runs until the last sample is done.

    Parameters
    ----------
    condition, body : callable
        What they read from outside is an argument too; the body's part of it is differentiated.
    init : structure of arrays
    checkpoint : int or bool
        How many states the backward pass may hold; False holds all, True is 100.

    Raises
    ------
    ShapeError, StructureError, DtypeError
        If the condition is not one truth value, or the state changes its shape or structure.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> def root(a):  # Newton's iteration for the square root
    ...     return wg.while_loop(lambda x: np.abs(x * x - a) > 1e-12, lambda x: (x + a / x) / 2, a)
    >>> round(float(root(2.0)), 12), round(float(wg.grad(root)(4.0)), 12)
    (1.414213562373, 0.25)
    """
    carry, carry_tree = tree.flatten(init)
    carry = [as_leaf(leaf, "while_loop: init") for leaf in carry]
    keep = 100 if checkpoint is True else _snapshots(checkpoint, 0)

    def plain() -> Any:
        state = init
        while bool(_truth(condition(state))):
            state = body(state)
            leaves, found = tree.flatten(state)
            _check_state(found, carry_tree, [shape_of(x) for x in leaves], [x.shape for x in carry], "while_loop")
        return state

    if not is_recording(carry):
        return plain()
    structure = tree.Tree(tuple, (), (carry_tree,))
    given = carry
    try:
        program, _, carry = settled_body(body, structure, carry, [], carry_tree, "while_loop")
        test, _ = trace_body(condition, structure, [Slot.of(leaf) for leaf in carry], "while_loop")
    except AbstractValue:
        if checkpoint or any(leaf._data is None for leaf in given if isinstance(leaf, Traced)):
            raise
        return plain()
    _check_truth(test.output_slots)
    tests, for_test = test.closed()
    closed, for_body = program.closed()
    params = {"cond": tests, "body": closed, "carry": len(carry), "keep": keep}
    parts = run_line(while_line, [*carry, *for_test, *for_body], params, len(carry))
    return tree.unflatten(carry_tree, parts)


def _truth(value: Any) -> Any:
    _check_truth([Slot.of(value)])
    return value


def _check_truth(slots: Sequence[Slot]) -> None:
    if len(slots) != 1 or slots[0].shape != ():
        raise ShapeError(
            f"while_loop: the condition returned {', '.join(f'shape {s.shape}' for s in slots) or 'nothing'}, "
            "but the loop goes on or not for one truth value",
            hint="np.any(...) or np.all(...) of it",
        )
    if np.dtype(slots[0].dtype).kind != "b":
        raise DtypeError(f"while_loop: the condition returned {slots[0].dtype}, which is not a truth value")


def fori_loop(lower: Any, upper: Any, body: Callable[..., Any], init: Any, *, checkpoint: int | bool = False) -> Any:
    """Run `state = body(i, state)` for i from `lower` to `upper - 1`.

    body: (i, state) -> state   returns: the last state

    A `scan` if both bounds are known, a `while_loop` if they are abstract; see there for errors and cost.

    Examples
    --------
    >>> import wengert as wg
    >>> float(wg.grad(lambda x: wg.fori_loop(0, 5, lambda i, s: s * x, 1.0))(2.0))
    80.0
    """
    for bound in (lower, upper):
        if shape_of(bound) != () or np.dtype(_dtype(bound)).kind not in "iu":
            raise DtypeError(f"fori_loop: the bounds are integers, not {_dtype(bound)} of shape {shape_of(bound)}")
    if any(isinstance(bound, Traced) and is_tracked(bound) for bound in (lower, upper)):
        first = lower if isinstance(lower, Traced) else np.asarray(lower)
        state = while_loop(
            lambda s: s[0] < s[1],
            lambda s: (s[0] + 1, s[1], body(s[0], s[2])),
            (first, upper, init),
            checkpoint=checkpoint,
        )
        return state[2]
    numbers = np.arange(int(_plain(lower)), int(_plain(upper)))
    return scan(_IndexBody(body), init, numbers, checkpoint=checkpoint)[0]


class _IndexBody:
    def __init__(self, body: Callable[..., Any]) -> None:
        self.body = body

    def __call__(self, state: Any, i: Any) -> Any:
        return self.body(i, state), None
