"""A derivative of a pure function as machine code of its arguments and of what the function reads from outside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import tree
from ..execute.native import hot
from ..execute.native.build import MISS, Compiled, NoLowering
from ..execute.native.flags import flags
from ..execute.native.hybrid import as_plain
from ..recording import Traced
from .jit import compile_path, fits, no_collection, strong
from .jit_record import CannotCompile, Path, only_wide, record
from .purity import NotProved, is_data

if TYPE_CHECKING:
    from .unrecorded import Entry, Site, Transform


MOST_BYTES = 1 << 22  # of a result; to record how a larger one is filled takes much memory, and saves little time
_INTEGER = frozenset({"floor_divide", "remainder", "fmod", "power"})  # of integers NumPy warns, or raises


class Postponed(Exception):
    """Compilation pays only once as many `seconds` were spent."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Unfit(Exception):
    """These arguments cannot be compiled for; others may."""


class Front:
    """Machine code for one path, and for values of one kind.

    Attributes
    ----------
    structure : Tree or None
        How the arguments are nested; None if they are not.
    statics : tuple of (int, type, value)
        The values, by position, that are part of the code.
    trials, best
        How many runs were timed, and how long the shortest took.
    """

    __slots__ = (
        *("_clear", "_count", "_direct", "_dynamic", "_form", "_mask", "_plain", "_raised"),
        *("best", "statics", "structure", "trials"),
    )

    def __init__(
        self, direct: Any, form: tree.Tree, structure: tree.Tree | None, statics: dict[int, Any], values: Sequence[Any]
    ) -> None:
        self._direct = direct
        processor = flags()
        assert processor is not None
        self._raised, self._clear, self._mask = processor.test, processor.clear, processor.mask
        self._count = form.count
        pair = form.kind is tuple and all(child.is_leaf for child in form.children)
        self._form = None if form.is_leaf or pair else form
        if form.is_leaf:
            self._count = 0
        self.structure = structure
        self.statics = tuple((i, type(value), value) for i, value in statics.items())
        self._dynamic = [i for i in range(len(values)) if i not in statics] if statics else None
        self._plain = all(map(_is_plain, values))
        self.trials = 0
        self.best = float("inf")

    def run(self, values: Sequence[Any], warns: bool = True) -> Any:
        """Return the result, or None if the code is not for these values, or NumPy `warns` of something with them."""
        for i, kind, value in self.statics:
            given = values[i]
            if type(given) is not kind or given != value or (not value and repr(given) != repr(value)):  # 0.0 is not -0.0
                return None
        data = values if self._dynamic is None else [values[i] for i in self._dynamic]
        found = self._direct(*data) if self._plain else MISS
        if found is MISS:
            if all(map(_is_plain, data)) or not all(map(_is_native, data)):
                return None
            data = [*map(_as_plain, data)]
            found = self._direct(*data)
            if found is MISS:
                return None
        if warns and self._raised(self._mask):
            self._clear(self._mask)  # they may be older
            found = self._direct(*data)
            if self._raised(self._mask):
                self._clear(self._mask)
                return None
        # What follows the result are the values of the function itself, there only for their floating-point flags.
        if self._count == 0:
            return found[0]
        leaves = found[: self._count]
        return leaves if self._form is None else tree.unflatten(self._form, leaves)


def _is_plain(value: Any) -> bool:
    return type(value) is not np.ndarray or (value.flags.c_contiguous and value.flags.aligned)


def _is_native(value: Any) -> bool:
    return type(value) is not np.ndarray or value.dtype.isnative


def _as_plain(value: Any) -> Any:
    return as_plain(value) if type(value) is np.ndarray else value


def learn(site: Site, entry: Entry, transform: Transform, args: tuple[Any, ...], result: Any) -> Front:
    """Record and compile a derivative at these arguments; `result` is what recording alone gave.

    Raises
    ------
    NotProved
        If what the function does cannot be compiled as a whole, or has an effect after all.
    Unfit
        If an argument is something else than data.
    Postponed
        If compiling it takes longer than what was spent on it.
    """
    outside = entry.proof.fetch(transform.function)
    leaves, structure = tree.flatten(args)
    if outside is None or not all(map(is_data, leaves)) or not _is_builtin(structure):
        raise Unfit("an argument is not a number, an array, or a tuple, list or dict of these")
    if sum(np.asarray(leaf).nbytes for leaf in tree.flatten(result)[0]) > MOST_BYTES:
        raise Unfit("its result is large, and recording takes little of the time")
    values = [*leaves, *outside]
    if not all(map(_is_native, values)):
        raise Unfit("an array is not in native byte order")
    lifted = _Lifted(transform, entry, structure, len(leaves), values)
    statics = {i: v for i, v in enumerate(values) if _is_static(v, site, entry, i, outside=i >= len(leaves))}
    try:
        with np.errstate(all="ignore"), no_collection():
            path = lifted.record(statics)
            while more := _numbers_to_fix(path, values, statics):
                statics.update(more)
                path = lifted.record(statics)
            # Tensors that it met are constants made on the way: the proof admits none from outside.
            assert not path.variables
            if any(step.primitive.name in _INTEGER and step.slot.dtype.kind in "iu" for step in path.program.steps):
                raise NotProved("it divides integers, and no processor flag tells of a division by zero")
            cost = hot.PROGRAM + hot.LINE * len(path.program.steps)
            if site.spent < cost:
                raise Postponed(cost)
            hot.loaded()
            for out, leaf in zip(path.outputs, tree.flatten(result)[0], strict=False):
                if np.shape(leaf) == ():  # a NumPy scalar or an array without axes, as in the recorded call
                    out.form = "generic" if isinstance(leaf, np.generic) else "array"
            data = [_as_plain(value) for i, value in enumerate(values) if i not in statics]
            compiled = compile_path(path, data, site.code.co_name)
    except (CannotCompile, NoLowering) as problem:
        raise NotProved(str(problem)) from problem
    if not isinstance(compiled, Compiled):
        raise NotProved(f"a part of it has no machine code ({compiled.reason})")
    nested = len(leaves) != len(args) or not all(child.is_leaf for child in structure.children)
    front = Front(compiled.direct, lifted.form, structure if nested else None, statics, values)
    if not _agree(front.run(values, warns=False), result):
        raise NotProved("the machine code did not give what the recorded call gave")
    return front


def _is_builtin(structure: tree.Tree) -> bool:
    """Whether a structure has no types of the user's own, whose attributes may be anything."""
    return structure.kind in (tree.LEAF, tree.NONE, tuple, list, dict) and all(map(_is_builtin, structure.children))


def _is_static(value: Any, site: Site, entry: Entry, i: int, outside: bool) -> bool:
    """Whether a value is part of the code: what is no number, and integers from outside until they are seen to change."""
    if type(value) is not int:
        return type(value) not in (np.ndarray, float) and not isinstance(value, np.generic)
    if any(k == i and other != value for front in entry.fronts for k, _, other in front.statics):
        site.varying.add(i)
    return (outside and i not in site.varying) or not fits(value)


class _Lifted:
    """A derivative as a function of its arguments and of what the differentiated function reads from outside."""

    form: tree.Tree

    def __init__(
        self, transform: Transform, entry: Entry, structure: tree.Tree, count: int, values: Sequence[Any]
    ) -> None:
        self.transform = transform
        self.proof = entry.proof
        self.structure = structure
        self.count = count
        self.values = values

    def record(self, statics: dict[int, Any]) -> Path:
        """Record a run in which all values but the static ones are inputs.

        The outputs are the leaves of the result, whose structure is then in `form`, and those of the function's value.

        Raises
        ------
        CannotCompile
            If it cannot stand for other runs.
        """
        dynamic = [i for i in range(len(self.values)) if i not in statics]
        # Copies that cannot be written to: nothing that is recorded can be the caller's memory.
        inputs = [_frozen(strong(_as_plain(self.values[i]))) for i in dynamic]

        def rebuilt(tensors: list[Any]) -> tuple[Any, Any]:
            filled = list(self.values)
            for i, tensor in zip(dynamic, tensors, strict=True):
                filled[i] = tensor
            return (filled, tensors, dynamic), {}

        path = record(self._run, rebuilt, inputs, rereads=False)
        if any(out.form == "constant" for out in path.outputs):
            raise CannotCompile("the result is not an array")
        return path

    def _run(self, filled: list[Any], tensors: Sequence[Any], dynamic: Sequence[int]) -> Any:
        lines = [tensor._line for tensor in tensors]
        args = tree.unflatten(self.structure, filled[: self.count])
        watched: list[Any] = []
        with self.proof.rebuilt(filled[self.count :]) as function:

            def watch(*given: Any) -> Any:
                self._check_writes(given, tensors, dynamic)
                value = function(*given)
                watched.extend(leaf for leaf in tree.flatten(value)[0] if isinstance(leaf, Traced))
                return value

            result, self.form = tree.flatten(self.transform.around(watch).evaluate(*args))
        after, structure = tree.flatten(args)
        if structure != self.structure or any(a is not b for a, b in zip(after, filled, strict=False)):
            raise CannotCompile("it changes a structure that it is given")
        if any(tensor._line is not line for tensor, line in zip(tensors, lines, strict=True)):
            raise CannotCompile(_WRITES)
        return (*result, *watched)

    def _check_writes(self, given: Sequence[Any], tensors: Sequence[Any], dynamic: Sequence[int]) -> None:
        """Run the function on plain arrays: the caller's own, which it cannot write to, and copies to differentiate by."""
        plain = {id(tensor): _locked(self.values[i]) for tensor, i in zip(tensors, dynamic, strict=True)}

        def one(leaf: Any) -> Any:
            if not isinstance(leaf, Traced):
                return leaf
            return plain[id(leaf)] if id(leaf) in plain else np.copy(leaf._data)[()]

        with self.proof.rebuilt([_locked(value) for value in self.values[self.count :]]) as function:
            try:
                function(*tree.map_leaves(one, list(given)))
            except ValueError as problem:
                raise CannotCompile(_WRITES if "read-only" in str(problem) else str(problem)) from problem


_WRITES = "it writes to an array that it is given, or that comes from outside"


def _locked(value: Any) -> Any:
    if type(value) is np.ndarray:
        value = value.view()
        value.flags.writeable = False
    return value


def _frozen(value: Any) -> Any:
    if type(value) is np.ndarray:
        value = value.copy()
        value.flags.writeable = False
    return value


def _numbers_to_fix(path: Path, values: Sequence[Any], statics: dict[int, Any]) -> dict[int, Any]:
    """Return the Python numbers that have to be part of the code.

    These are indices, integers that are used exactly, and all numbers where there are narrow dtypes: those they must
    not widen.
    """
    dynamic = [i for i in range(len(values)) if i not in statics]
    numbers = {k: i for k, i in enumerate(dynamic) if type(values[i]) in (int, float)}
    if numbers and not only_wide(path.program):
        return {i: values[i] for i in numbers.values()}
    exact = {*path.reads_numbers, *path.program.outputs}
    for step in path.program.steps:
        if isinstance(step.slot.dtype, tuple) or step.slot.dtype.kind not in "fcb":
            exact.update(step.args)
    return {i: values[i] for k, i in numbers.items() if k in exact and type(values[i]) is int}


def _agree(found: Any, result: Any) -> bool:
    """Whether two results have the same types, shapes and dtypes, and the same numbers but for rounding."""
    mine, structure = tree.flatten(found)
    theirs, other = tree.flatten(result)
    if structure != other:
        return False
    for a, b in zip(mine, theirs, strict=True):
        if type(a) is not type(b) or np.shape(a) != np.shape(b) or np.asarray(a).dtype != np.asarray(b).dtype:
            return False
        if np.asarray(b).dtype.kind not in "fc":
            if not np.array_equal(a, b):
                return False
            continue
        precision = float(np.finfo(np.asarray(b).dtype).eps) ** 0.5
        size = np.abs(b)[np.isfinite(b)]
        if not np.allclose(a, b, rtol=precision, atol=precision * float(np.max(size, initial=0.0)), equal_nan=True):
            return False
    return True
