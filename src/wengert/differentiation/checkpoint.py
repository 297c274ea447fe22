"""Less memory for the backward pass: `checkpoint` runs a function again, `checkpointed_scan` reverses a long loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import tree
from ..errors import AbstractValue, ArgumentError, StructureError
from ..execute.control import call, run_line
from ..execute.loops import scan as scan_line
from ..primitives.base import shape_of
from ..program import Slot
from ..recording import Traced, is_tracked
from .control import as_leaf, fori_loop, is_recording, settled_body, trace_body
from .custom import CustomRule


class Checkpoint:
    """A function that is run again in the backward pass; made by `checkpoint`."""

    def __init__(self, function: Callable[..., Any]) -> None:
        if not callable(function):
            raise StructureError(
                f"checkpoint: the first argument is the function, not {type(function).__name__}",
                hint="wengert.checkpoint(f)(x), not wengert.checkpoint(f(x))",
            )
        self.function = function
        self.rule = CustomRule(function)
        self.__doc__ = getattr(function, "__doc__", None)
        self.__name__ = f"checkpoint({getattr(function, '__name__', 'function')})"

    def __call__(self, *args: Any, **settings: Any) -> Any:
        """Apply the function."""
        leaves, structure = tree.flatten(args)
        if not is_recording(leaves):
            return self.function(*args, **settings)
        abstract = any(isinstance(leaf, Traced) and leaf._data is None for leaf in leaves)
        arrays = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Traced | np.ndarray)]

        def of_arrays(*values: Any) -> Any:
            filled = list(leaves)
            for i, value in zip(arrays, values, strict=True):
                filled[i] = value
            return self.function(*tree.unflatten(structure, filled), **settings)

        given = [leaves[i] for i in arrays]
        try:
            program, outputs = trace_body(
                of_arrays,
                tree.Tree(tuple, (), (tree.flatten(0)[1],) * len(given)),
                [Slot.of(x) for x in given],
                "checkpoint",
            )
        except AbstractValue:
            if abstract:
                raise
            return self.rule(*args, **settings)  # the function branches on values, which are there
        closed, captured = program.closed()
        if not any(isinstance(x, Traced) and is_tracked(x) for x in (*given, *captured)):
            return self.function(*args, **settings)
        parts = run_line(call, [*given, *captured], {"program": closed}, len(closed.outputs))
        return tree.unflatten(outputs, parts)


def checkpoint(function: Callable[..., Any]) -> Checkpoint:
    """Return the same function, of which the backward pass keeps the arguments only.

    f: (x, ...) -> y   returns: the same

    Parameters
    ----------
    function : callable
        It runs once more in the backward pass. What it reads from outside is differentiated too.

    Raises
    ------
    ArgumentError
        If the function branches on values and reads a tracked tensor that is not an argument.

    Notes
    -----
    Cost of the gradient: one more evaluation. Memory: that of the arguments until the backward pass reaches the
    function, then that of its intermediates. Functions may be nested in each other (Griewank, "Achieving logarithmic
    growth of temporal and spatial complexity in reverse automatic differentiation", 1992).

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> layer = wg.checkpoint(lambda x, w: np.tanh(w @ x))
    >>> wg.grad(lambda x: np.sum(layer(layer(x, np.eye(2)), np.eye(2))))(np.zeros(2))
    array([1., 1.])
    """
    return Checkpoint(function)


class CheckpointedScan:
    """A long loop with a bound on the memory of its backward pass; made by `checkpointed_scan`."""

    def __init__(self, step: Callable[..., Any], n: int, budget: int | None) -> None:
        if not callable(step):
            raise StructureError(f"checkpointed_scan: the first argument is the step, not {type(step).__name__}")
        if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 0:
            raise ArgumentError(f"checkpointed_scan: n is a number of steps, not {n!r}")
        if budget is not None and (isinstance(budget, bool) or not isinstance(budget, int | np.integer) or budget < 1):
            raise ArgumentError(f"checkpointed_scan: the budget is a number of bytes or None, not {budget!r}")
        self.step = step
        self.n = int(n)
        self.budget = budget
        self.__doc__ = getattr(step, "__doc__", None)
        self.__name__ = f"checkpointed_scan({getattr(step, '__name__', 'step')})"

    def __call__(self, state: Any, *args: Any) -> Any:
        """Run all steps from a state; return the last state."""
        leaves, structure = tree.flatten(state)
        leaves = [as_leaf(leaf, "checkpointed_scan: the state") for leaf in leaves]
        rest = tree.flatten(args)[0]
        if not is_recording([*leaves, *rest]):
            return fori_loop(0, self.n, lambda i, s: self.step(i, s, *args), state)
        rest = [as_leaf(leaf, "checkpointed_scan: an argument") for leaf in rest]

        def body(current: Any, i: Any) -> tuple[Any, None]:
            # The arguments are captured: the loop treats them as constants of every step.
            return self.step(i, current, *args), None

        numbers = np.arange(self.n)
        program, _, leaves = settled_body(
            body,
            tree.Tree(tuple, (), (structure, tree.flatten(0)[1])),
            leaves,
            [Slot((), numbers.dtype)],
            structure,
            "scan",
        )
        closed, captured = program.closed()
        params = {
            "body": closed,
            "carry": len(leaves),
            "xs": 1,
            "length": self.n,
            "reverse": False,
            "keep": self.snapshots(leaves),
        }
        parts = run_line(scan_line, [*leaves, numbers, *captured], params, len(leaves))
        return tree.unflatten(structure, parts)

    def snapshots(self, leaves: Any) -> int:
        """Return how many states fit into the budget."""
        size = sum(int(np.prod(shape_of(leaf))) * leaf.dtype.itemsize for leaf in leaves)
        # A stored array costs about a hundred bytes beyond its data, and a state a tuple around its arrays.
        size += 112 * len(leaves) + 64
        if self.budget is None:
            return int(np.ceil(np.sqrt(2 * self.n))) + 1
        count = int(self.budget) // size
        if count < 1:
            raise ArgumentError(
                f"checkpointed_scan: a budget of {self.budget} bytes does not hold one state of {size} bytes",
                hint=f"budget={10 * size} or more",
            )
        return min(count, max(self.n, 1))


def checkpointed_scan(step: Callable[..., Any], n: int, budget: int | None = None) -> CheckpointedScan:
    """Return the function that runs `n` steps, with a bound on the memory of its derivative.

    step: (i, state, ...) -> state   returns: (state, ...) -> last state

    Parameters
    ----------
    step : callable
        Gets the number of the step, the state, and the further arguments as they are. It may not branch on values.
    n : int
        Number of steps.
    budget : int, optional
        Bytes for stored states. If not given, about sqrt(2 n) states are stored, and no step runs more than twice
        ahead of the backward pass.

    Raises
    ------
    ArgumentError
        If the budget does not hold one state.
    AbstractValue
        If the step branches on a value.

    Notes
    -----
    The states stored follow the binomial schedule: with s states and each step run at most r times ahead, C(s + r, s)
    steps can be reversed, which is optimal (Griewank and Walther, "Algorithm 799: revolve", 2000). Derivatives of
    every order and in every mode keep to the budget per pass.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> decay = wg.checkpointed_scan(lambda i, x, rate: x - 0.001 * rate * x, 1000, budget=10_000)
    >>> gradient = wg.grad(lambda rate: decay(1.0, rate))(2.0)
    >>> bool(np.isclose(gradient, -0.999 * 1000 * 0.001 * (1 - 0.002) ** 999 / 0.999))
    True
    """
    return CheckpointedScan(step, n, budget)
