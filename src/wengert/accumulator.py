"""ForwardAccumulator: directional derivatives of what was done inside a block."""

from __future__ import annotations

from typing import Any

from . import tree
from .differentiation.recorded import check_seed
from .errors import ArgumentError, DtypeError, user_line
from .recording import AMBIENT, current, depends
from .tensor import Tensor
from .transforms.forward import push_forward
from .watching import UnconnectedGradients, Watcher, aligned, derivative_of, is_zero, leaves_of


class ForwardAccumulator(Watcher):
    """Record what is done with `primals`, and push `tangents` through it: forward mode.

    Parameters
    ----------
    primals : tensor, variable, or nested lists, tuples and dicts of these
        Watched while the accumulator records.
    tangents : nested like `primals`
        A direction for each, of its shape and dtype.

    Raises
    ------
    StructureError
        If there is something else than tensors among the primals.
    ArgumentError
        If a primal occurs twice, primals and tangents are not nested alike, or a dtype does not fit.
    ShapeError
        If a tangent does not have its primal's shape.

    Notes
    -----
    `jvp` walks the recorded lines when it is called. It is recorded by the accumulators and tapes around this one,
    also after their blocks: `outer.jvp(inner.jvp(y))` is a second derivative.

    Examples
    --------
    >>> import wengert as wg
    >>> x = wg.Tensor([2.0, 3.0])
    >>> with wg.ForwardAccumulator(x, wg.Tensor([1.0, 0.0])) as accumulator:
    ...     y = x * x
    >>> accumulator.jvp(y)
    Tensor([4., 0.])
    """

    __slots__ = ("_around", "_primals", "_tangents")

    name = "accumulator"

    def __init__(self, primals: Any, tangents: Any) -> None:
        super().__init__()
        self._around: list[Any] = []
        self._primals, structure = leaves_of(primals, "ForwardAccumulator: primals")
        self._tangents = aligned(tangents, structure, "ForwardAccumulator: {} tangents for {} primals")
        seen: set[int] = set()
        for i, primal in enumerate(self._primals):
            if id(primal) in seen:
                raise ArgumentError(
                    f"ForwardAccumulator: primal {i} was given before",
                    where=user_line(),
                    hint="give it once, with the sum of its tangents",
                )
            seen.add(id(primal))
            if primal.dtype.kind in "fc":
                self._tangents[i] = _fitting_tangent(self._tangents[i], primal, i)

    def __del__(self) -> None:
        self._let_go()

    def __enter__(self) -> ForwardAccumulator:
        """Begin to record, or go on."""
        super().__enter__()
        for primal in self._primals:
            self._watch(primal)
        return self

    def _start(self) -> None:
        recorder = current()
        around = [window for reference in recorder.windows if (window := reference())] if recorder is not None else []
        super()._start()
        if not self._around:
            self._around = around

    def jvp(self, primals: Any, unconnected_gradients: UnconnectedGradients | str = UnconnectedGradients.NONE) -> Any:
        """Return the directional derivative of each of these results along the tangents.

        Parameters
        ----------
        primals : tensor or nested tensors
            Results of what was recorded.
        unconnected_gradients : UnconnectedGradients or str
            What to return for a tensor that does not depend on the accumulator's primals.

        Raises
        ------
        StructureError, ArgumentError
            If there is something else than tensors, or no such choice.

        Notes
        -----
        Cost: a small multiple of the recorded work, for all the tensors of one call together.
        """
        zero = is_zero(unconnected_gradients)
        leaves, structure = leaves_of(self._stacked(primals), "jvp: the argument")
        targets = [self._line_of_target(leaf) for leaf in leaves]
        seeds = {
            line: tangent for primal, tangent in zip(self._primals, self._tangents) for line in self._lines_of(primal)
        }
        path = depends([line for line in targets if line is not None], seeds, self._admits()) if self._spans else []
        active = set(path)
        seeds = {line: seed for line, seed in seeds.items() if line in active}
        reopened = [window for window in self._around if window.reopens]
        for window in reopened:
            window._start()
        try:
            recorder = current()
            nested = recorder is not None and recorder is not AMBIENT and bool(recorder.sessions)
            wrapper = Tensor if nested or any(line.abstract for line in path[-1:]) else None
            wanted = [line for line in targets if line in active]
            found = push_forward(path, seeds, wanted, wrapper) if path else {}
        finally:
            for window in reversed(reopened):
                window._stop()
        results = []
        for leaf, line in zip(leaves, targets):
            parts = [found[line]] if line in found else []
            results.append(derivative_of(leaf, (), line in active, parts, zero))
        return tree.unflatten(structure, results)


def _fitting_tangent(tangent: Any, primal: Any, i: int) -> Any:
    try:
        return check_seed(tangent, primal, f"ForwardAccumulator: tangent {i}", "primal")
    except DtypeError as error:  # a wrong value of the argument, as TensorFlow's programs expect it
        raise ArgumentError(str(error), where=user_line()) from None
