"""GradientTape: derivatives of what was done inside a block.

A tape is a window on the shared recording (`watching.Watcher`); the derivatives themselves are those of the recorded
lines (`transforms`, `differentiation.jacobian`). This module knows nothing of functions being differentiated.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from . import tree
from .differentiation.jacobian import batch_jacobian_rows, diagonal_matrix, reverse_jacobian
from .differentiation.recorded import check_seed
from .errors import ArgumentError, ShapeError, StructureError, TapeError, user_line
from .recording import AMBIENT, Line, Traced, current, is_live, is_tracked
from .tensor import Tensor
from .transforms.reverse import backpropagate, sweep
from .variable import Variable
from .watching import UnconnectedGradients, Watcher, aligned, derivative_of, is_zero, leaves_of

__all__ = ["GradientTape", "UnconnectedGradients"]


class GradientTape(Watcher):
    """Record what is done with watched tensors, and differentiate it.

    Parameters
    ----------
    persistent : bool
        Whether derivatives may be asked for more than once. Otherwise the first one frees what was recorded.
    watch_accessed_variables : bool
        Whether trainable variables are watched as soon as they are read.

    Notes
    -----
    Tapes nest: the derivatives that an inner tape computes while an outer one is recording are recorded there.
    What is recorded is freed by reference counting: with the tape, with the first derivative of a tape that is
    not persistent, or with the tensors, whichever comes first. Operations of other threads are not recorded.

    Examples
    --------
    >>> import wengert as wg
    >>> x = wg.Tensor([[4.0, 2.0], [1.0, 3.0]])
    >>> with wg.GradientTape() as tape:
    ...     tape.watch(x)
    ...     y = x**3
    >>> tape.jacobian(y, x)[1, 1]
    Tensor([[ 0.,  0.],
            [ 0., 27.]])
    """

    __slots__ = ("_persistent", "_reads", "_state", "_targets", "_variables")

    name = "tape"
    _batch_jacobian_is_never_none = False

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True) -> None:
        super().__init__()
        self._persistent = persistent
        self._reads = watch_accessed_variables
        self._state = "new"
        self._variables: dict[int, Variable] = {}
        self._targets: Any = None  # lines that were differentiated by, to be freed with a persistent tape

    def __del__(self) -> None:
        targets = self._targets
        if self._let_go() and targets:
            admits = self._admits()
            stack = list(targets)
            while stack:
                line = stack.pop()
                if line.inputs and admits(line):
                    stack.extend(parent for parent in line.inputs if parent is not None)
                    line.release()

    # ------------------------------------------------------------ life

    def __enter__(self) -> GradientTape:
        """Begin to record, or go on."""
        if self._state == "used":
            self._forget()
            self._variables = {}
        super().__enter__()
        self._state = "ready"
        return self

    def _start(self) -> None:
        super()._start()
        recorder = self._recorder
        if self._reads and recorder is not None:
            recorder.readers.append(weakref.ref(self))
            recorder.stamp += 1

    def _stop(self) -> None:
        recorder = self._recorder
        if recorder is not None and weakref.ref(self) in recorder.readers:
            recorder.readers.remove(weakref.ref(self))
            recorder.stamp += 1
        super()._stop()

    def watch(self, tensor: Any) -> None:
        """Record what is done from now on with these tensors or variables (nested lists, tuples, dicts).

        Raises
        ------
        TapeError
            If the tape was never entered, or its recording is used up.
        StructureError
            If there is something else than tensors among them.
        """
        if self._state != "ready":
            raise TapeError(
                "watch: this tape " + ("was never entered" if self._state == "new" else "is used up"),
                where=user_line(),
                hint="with wengert.GradientTape() as tape: tape.watch(x); ...",
            )
        for leaf in leaves_of(tensor, "watch: the argument")[0]:
            self._watch(leaf)
            if isinstance(leaf, Variable):
                self._variables[id(leaf)] = leaf

    def note(self, variable: Variable, line: Line | None) -> None:
        """Watch a variable from this reading of it on."""
        super().note(variable, line)
        self._variables[id(variable)] = variable

    def _line_of_target(self, target: Traced) -> Line | None:
        """Return the line that a target's derivative starts from; a variable as target is read for that."""
        if isinstance(target, Variable) and self._reads and target.trainable and not self.knows(target):
            self._watch(target)
        return super()._line_of_target(target)

    def watched_variables(self) -> tuple[Variable, ...]:
        """Return the variables that the tape watches or watched, in the order of their creation."""
        return tuple(sorted(self._variables.values(), key=lambda variable: variable._number))

    def stop_recording(self) -> Any:
        """Return a context in which this tape records nothing.

        Raises
        ------
        TapeError
            If the tape is not recording.
        """
        self._must_record("stop_recording")
        return self._pause()

    @contextmanager
    def _pause(self) -> Any:
        self._must_record("stop_recording")
        self._stop()
        try:
            yield
        finally:
            self._start()

    def reset(self) -> None:
        """Forget everything that was recorded and watched.

        Raises
        ------
        TapeError
            If the tape is not recording.
        """
        self._must_record("reset")
        self._let_go()
        self._forget()
        self._variables = {}
        self._targets = None
        self._start()

    def _must_record(self, what: str) -> None:
        if not self.recording:
            raise TapeError(
                f"{what}: the tape is not recording",
                where=user_line(),
                why="a derivative of a tape that is not persistent ends its recording"
                if self._state == "used"
                else "it records only inside its `with` block",
                hint=f"call {what} inside the block",
            )

    # ------------------------------------------------------------ derivatives

    def gradient(
        self,
        target: Any,
        sources: Any,
        output_gradients: Any = None,
        unconnected_gradients: UnconnectedGradients | str = UnconnectedGradients.NONE,
    ) -> Any:
        """Return the derivative of the sum of all targets by each source.

        target: y, or nested tensors   sources: x, or nested tensors   returns: shaped and nested like the sources

        Parameters
        ----------
        target, sources : tensor, variable, or nested lists, tuples and dicts of these
            A source need not be watched if it comes from something that was.
        output_gradients : nested like `target`, optional
            The weight of each element of each target; ones where it is None.
        unconnected_gradients : UnconnectedGradients or str
            `"none"` gives None for a source that no target depends on, `"zero"` gives zeros.

        Raises
        ------
        TapeError
            If the tape was never entered or is used up.
        StructureError
            If targets or sources are not tensors.
        ArgumentError, ShapeError, DtypeError
            If the weights do not fit the targets.

        Notes
        -----
        Cost: a small multiple of the recorded work, for any number of sources. Zeros for an integer source are
        of float64. For complex numbers the result is the direction of steepest ascent.
        """
        self._must_be_usable("gradient")
        zero = is_zero(unconnected_gradients)
        targets, target_tree = leaves_of(self._stacked(target), "gradient: the target")
        leaves, structure = leaves_of(sources, "gradient: sources")
        weights = _weights(output_gradients, targets, target_tree)
        seeds: dict[Line, Any] = {}
        for tensor, weight in zip(targets, weights):
            line = self._line_of_target(tensor)
            if line is not None and line.dtype.kind in "fc":
                if weight is None:
                    weight = np.ones(line.shape, line.dtype)
                seeds[line] = seeds[line] + weight if line in seeds else weight
        path, groups, all_watched = self._path(list(seeds), [self._lines_of(leaf) for leaf in leaves])
        wrapper, release = self._begin(seeds, path, seeds.values())
        starts = [line for lines in groups for line in lines]
        active = set(path)
        seeds = {
            line: seed._data if wrapper is None and isinstance(seed, Traced) else seed
            for line, seed in seeds.items()
            if line in active
        }
        if not starts:
            found = {}
        elif wrapper is None and all_watched:
            active.difference_update(starts)
            found = sweep([line for line in reversed(path) if line in active], seeds, starts)
            _finish(path, release)
        else:
            found = backpropagate(path, seeds, starts, wrapper, release)
        results = []
        for leaf, lines in zip(leaves, groups):
            parts = [found[line] for line in lines if line in found]
            if not lines and leaf.dtype.kind in "fc":  # not connected, except with itself
                parts = [
                    np.ones(leaf.shape, leaf.dtype) if weight is None else weight
                    for tensor, weight in zip(targets, weights)
                    if tensor is leaf
                ]
            results.append(derivative_of(leaf, (), bool(lines), parts, zero))
        return tree.unflatten(structure, results)

    def jacobian(
        self,
        target: Any,
        sources: Any,
        unconnected_gradients: UnconnectedGradients | str = UnconnectedGradients.NONE,
        parallel_iterations: int | None = None,
        experimental_use_pfor: bool = True,
    ) -> Any:
        """Return the derivative of each element of the target by each element of each source.

        target: y   sources: x, or nested tensors   returns: y.shape + x.shape, nested like the sources

        Parameters
        ----------
        target : tensor or variable
        sources : tensor, variable, or nested lists, tuples and dicts of these
        unconnected_gradients : UnconnectedGradients or str
            See `gradient`.
        parallel_iterations : int, optional
            How many rows are computed at once: bounds memory, never changes the result.
        experimental_use_pfor : bool
            If false, one row at a time.

        Raises
        ------
        TapeError, StructureError
            As in `gradient`; the target is a single tensor here.
        ArgumentError
            If `parallel_iterations` is not a positive int.

        Notes
        -----
        Cost: elementwise work needs one backward pass; otherwise a block of rows goes backward at once.
        """
        self._must_be_usable("jacobian")
        zero = is_zero(unconnected_gradients)
        chunk = _check_chunk(parallel_iterations)
        target = _single(self._stacked(target), "jacobian: the target")
        leaves, structure = leaves_of(sources, "jacobian: sources")
        line = self._line_of_target(target)
        if line is not None and line.dtype.kind not in "fc":
            line = None
        path, groups, _ = self._path([] if line is None else [line], [self._lines_of(leaf) for leaf in leaves])
        wrapper, release = self._begin([] if line is None else [line], path)
        starts = [line for lines in groups for line in lines]
        blocks: dict[Line, Any] = {}
        if line is not None and starts:
            rows = reverse_jacobian(path, line, starts, wrapper, chunk, bool(experimental_use_pfor))
            blocks = {start: row for start, row in zip(starts, rows) if row is not None}
        results = []
        for leaf, lines in zip(leaves, groups):
            parts = [blocks[start] for start in lines if start in blocks]
            if not lines and leaf is target and leaf.dtype.kind in "fc":  # not connected, except with itself
                parts = [diagonal_matrix(np.ones(leaf.shape, leaf.dtype), leaf.shape)]
            results.append(derivative_of(leaf, target.shape, bool(lines), parts, zero))
        _finish(path, release)
        return tree.unflatten(structure, results)

    def batch_jacobian(
        self,
        target: Any,
        source: Any,
        unconnected_gradients: UnconnectedGradients | str = UnconnectedGradients.NONE,
        parallel_iterations: int | None = None,
        experimental_use_pfor: bool = True,
    ) -> Any:
        """Return the derivative of each sample of the target by the same sample of the source.

        target: (b, *y)   source: (b, *x)   returns: (b, *y, *x)

        Parameters
        ----------
        target, source : tensor or variable
            Of equal first axis, the samples.
        unconnected_gradients, parallel_iterations, experimental_use_pfor
            See `jacobian`.

        Raises
        ------
        TapeError, StructureError, ArgumentError
            As in `jacobian`.
        ShapeError
            If there is no axis of samples and another one, or the numbers of samples differ.

        Notes
        -----
        Cost: as many rows as one sample of the target has elements. The result is right only where samples do not
        depend on each other; otherwise each row is the sum over all samples of the target.
        """
        self._must_be_usable("batch_jacobian")
        zero = is_zero(unconnected_gradients) or self._batch_jacobian_is_never_none
        chunk = _check_chunk(parallel_iterations)
        target = _single(self._stacked(target), "batch_jacobian: the target")
        source = _single(source, "batch_jacobian: the source")
        for name, tensor in ("target", target), ("source", source):
            if len(tensor.shape) < 2:
                raise ShapeError(
                    f"batch_jacobian: the {name} has shape {tensor.shape}, but needs two axes or more",
                    where=user_line(),
                    why="the first axis counts the samples",
                    hint="jacobian for a single sample",
                )
        if target.shape[0] != source.shape[0]:
            raise ShapeError(
                f"batch_jacobian: {target.shape[0]} samples in the target of shape {target.shape}, but "
                f"{source.shape[0]} in the source of shape {source.shape}",
                where=user_line(),
                hint="jacobian where samples do not correspond",
            )
        line = self._line_of_target(target)
        if line is not None and line.dtype.kind not in "fc":
            line = None
        path, (lines,), _ = self._path([] if line is None else [line], [self._lines_of(source)])
        wrapper, release = self._begin([] if line is None else [line], path)
        parts = []
        if line is not None:
            use = bool(experimental_use_pfor)
            parts = [batch_jacobian_rows(path, line, start, wrapper, chunk, use) for start in lines]
        result = derivative_of(source, target.shape, bool(lines), parts, zero, target.shape + source.shape[1:])
        _finish(path, release)
        return result

    def _must_be_usable(self, what: str) -> None:
        if self._state != "ready":
            new = self._state == "new"
            raise TapeError(
                f"{what}: this tape {'was never entered' if new else 'is used up'}",
                where=user_line(),
                why="nothing was recorded"
                if new
                else "a tape that is not persistent gives one derivative, and frees what it recorded",
                hint="with wengert.GradientTape() as tape: ..."
                if new
                else "wengert.GradientTape(persistent=True), or one call with several sources",
            )

    def _begin(
        self, targets: Iterable[Line], path: Sequence[Line], weights: Iterable[Any] = ()
    ) -> tuple[type | None, bool]:
        """End a recording that is used up; return how the derivative is to be recorded and whether lines are freed."""
        release = False
        if self._persistent:
            if self._targets is None:
                self._targets = weakref.WeakSet()
            self._targets.update(targets)
        else:
            release = self._let_go()
            self._watched = {}
            self._state = "used"
        recorder = current()
        if recorder is not None and recorder is not AMBIENT and recorder.sessions:
            if any(is_live(line, recorder) for line in path):
                return Tensor, release
            if any(isinstance(weight, Traced) and is_tracked(weight) for weight in weights):
                return Tensor, release
        return (Tensor if any(line.abstract for line in targets) else None), release


def _finish(path: Sequence[Line], release: bool) -> None:
    if release:
        for line in path:
            line.release()


def _check_chunk(value: Any) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1):
        raise ArgumentError(
            f"parallel_iterations is a positive int or None, not {value!r}",
            where=user_line(),
            why="it is the number of rows that are computed at once",
        )
    return None if value is None else int(value)


def _single(value: Any, what: str) -> Any:
    if not isinstance(value, Traced):
        raise StructureError(
            f"{what} is a single tensor, not {'None' if value is None else 'a ' + type(value).__name__}",
            where=user_line(),
            hint="one call for each tensor with a persistent tape, or np.concatenate of the tensors first",
        )
    return value


def _weights(given: Any, targets: Sequence[Any], structure: tree.Tree) -> list[Any]:
    """Return one cotangent, or None for ones, per target."""
    if given is None:
        return [None] * len(targets)
    weights = aligned(given, structure)
    return [
        None if weight is None else check_seed(weight, tensor, f"gradient: output gradient {i}", "target")
        for i, (weight, tensor) in enumerate(zip(weights, targets))
    ]
