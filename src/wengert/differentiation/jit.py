"""`jit`: a function compiled to machine code for the arguments it is called with.

The function runs once, recorded, for each structure, shapes and dtypes of its arguments; the recorded Program is
compiled and called from then on through a builtin that checks its arguments in machine code. What Python looked at
(branches, loop bounds) is checked after each run; where it was different, that path is recorded as well.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import threading
import types
import warnings
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..errors import NotCompiled, ShapeError, StructureError, user_level
from ..execute.native import fastcall
from ..execute.native.build import MISS, Compiled, NoLowering
from ..execute.native.contexts import Result, argument_of, chain
from ..execute.native.hybrid import as_plain, compile_any
from ..execute.native.ir import kind_of
from ..recording import AMBIENT, Traced, current, wrap
from ..tensor import Tensor
from .jit_batch import is_batch_jacobian, record_batch_jacobian
from .jit_gradient import is_gradient, record_gradient
from .jit_outside import Outside
from .jit_record import CannotCompile, Path, only_wide, record
from .jit_sparse import is_sparse, record_sparse

MOST_PATHS = 16
MOST_VARIANTS = 64
# What is part of the key by its value; none of these can change.
_STATIC = (
    *(types.FunctionType, types.BuiltinFunctionType, types.ModuleType, functools.partial),
    *(np.ufunc, type(np.mean), np.dtype, type, bool, str, bytes),
)
# Python numbers are run-time values, of these dtypes.
_NUMBERS: dict[type, Any] = {float: np.float64, int: np.int64, complex: np.complex128}


class Variant:
    """What is known for one structure, shapes and dtypes of arguments."""

    __slots__ = ("changes", "eager", "paths", "reason")

    def __init__(self) -> None:
        self.paths: list[tuple[Path, Any]] = []
        self.eager = False
        self.reason = ""
        self.changes = 0  # how many paths were dropped because something outside was no longer the same


class State:
    """What a jitted function has learnt; it holds no reference to the object that the user holds."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.name = getattr(function, "__name__", type(function).__name__)
        self.variants: dict[Any, Variant] = {}
        self.by_value: dict[Any, set[int]] = {}  # Python numbers that are part of the key, by position
        self.owner: weakref.ref[Jit] | None = None
        self.noticed = False
        self.fronts = 0
        self.lock = threading.Lock()  # of what is learnt; nothing of the user's runs while it is held

    # ------------------------------------------------------------ calling

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Find or make the code for these arguments and run it; the way taken when the builtin's checks fail."""
        out = kwargs.pop("out", None)
        leaves, structure = tree.flatten((args, kwargs))
        if any(isinstance(leaf, Traced) for leaf in leaves):
            result = self._on_tensors(leaves, structure, args, kwargs)
        elif _recording():
            result = self.function(*args, **kwargs)
        else:
            result = self._run(leaves, structure)
        return result if out is None else _copy_out(result, out)

    def _on_tensors(self, leaves: list[Any], structure: tree.Tree, args: Any, kwargs: Any) -> Any:
        tracked = any(isinstance(x, Traced) and (x._data is None or x._line is not None) for x in leaves)
        if tracked or _recording():
            return self.function(*args, **kwargs)  # an enclosing derivative or vmap records what the function does
        data = [x._data if isinstance(x, Traced) else x for x in leaves]
        result = self._run(data, structure)
        return tree.map_leaves(lambda x: wrap(Tensor, x) if isinstance(x, np.ndarray | np.generic) else x, result)

    def _run(self, leaves: list[Any], structure: tree.Tree) -> Any:
        positions = self.by_value.get(structure, set())
        signature, dynamic, problem = _signature(leaves, positions)
        if problem:
            return self._eagerly(leaves, structure, problem)
        key = (structure, signature)
        variant = self.variants.get(key)
        if variant is None:
            if len(self.variants) >= MOST_VARIANTS:
                self.variants.pop(next(iter(self.variants)))
            variant = self.variants[key] = Variant()
        data = [_plain(leaves[i]) for i in dynamic]
        for path, compiled in variant.paths:
            result = self._try(path, compiled, data)
            if result is not MISS:
                return result
        if variant.eager:
            return self._eagerly(leaves, structure, "")
        with no_collection():
            return self._learn(variant, leaves, structure, dynamic, data)

    def values_of(self, args: Any, kwargs: Any) -> tuple[Variant | None, list[Any]]:
        """Return what is known for arguments like these, and those of them that are run-time values."""
        leaves, structure = tree.flatten((args, kwargs))
        leaves = [x._data if isinstance(x, Traced) else x for x in leaves]
        signature, dynamic, _ = _signature(leaves, self.by_value.get(structure, set()))
        return self.variants.get((structure, signature)), [leaves[i] for i in dynamic]

    def _try(self, path: Path, compiled: Any, data: Sequence[Any]) -> Any:
        if any(tensor._data is not seen for tensor, seen in path.tensors) or path.outside.changed():
            return MISS
        extra = [np.asarray(variable._data) for variable in path.variables]
        found = compiled.direct(*data, *extra)
        if found is MISS:
            return MISS
        return _rebuild(path, found)

    def _eagerly(self, leaves: Sequence[Any], structure: tree.Tree, reason: str) -> Any:
        if reason:
            self._notice(reason)
        args, kwargs = tree.unflatten(structure, leaves)
        return self.function(*args, **kwargs)

    def _notice(self, reason: str) -> None:
        if not self.noticed:
            self.noticed = True
            warnings.warn(
                f"jit: {self.name} runs without compiled code: {reason}", NotCompiled, stacklevel=user_level()
            )

    # ------------------------------------------------------------ learning

    def _learn(
        self, variant: Variant, leaves: list[Any], structure: tree.Tree, dynamic: list[int], data: list[Any]
    ) -> Any:
        """Record the path of these arguments, compile it, and return the recorded run's result."""
        outdated = self._drop_outdated(variant)
        if variant.changes > MOST_PATHS:
            variant.eager = True
            variant.reason = f"{outdated!r}, which it reads from outside, changes from call to call; pass it as an argument"
            return self._eagerly(leaves, structure, variant.reason)
        if len(variant.paths) >= MOST_PATHS:
            variant.eager, variant.reason = True, f"it took more than {MOST_PATHS} paths through its branches"
            return self._eagerly(leaves, structure, variant.reason)
        numbers = [i for i in dynamic if type(leaves[i]) in _NUMBERS]

        def rebuild(tensors: list[Any]) -> tuple[Any, Any]:
            filled = list(leaves)
            for i, tensor in zip(dynamic, tensors, strict=True):
                filled[i] = tensor
            return tree.unflatten(structure, filled)

        inputs = [strong(value) for value in data]
        try:
            path = _recorder_for(self.function)(self.function, rebuild, inputs)
        except CannotCompile as problem:
            variant.eager, variant.reason = True, str(problem)
            return self._eagerly(leaves, structure, str(problem))
        except Exception as problem:
            path, said = None, f"{type(problem).__name__}: {problem}".splitlines()[0]
        if path is None:
            if numbers and self._fix(structure, numbers):
                return self._run(leaves, structure)
            result = self._eagerly(leaves, structure, "")  # what fails here too is an error of the function's own
            variant.eager, variant.reason = True, f"with tensors for its arguments it raises {said}"
            self._notice(variant.reason)
            return result
        # Python numbers that were used as indices, or that met narrower dtypes, have to be part of the key.
        fixed = {dynamic[k] for k in path.reads_numbers if dynamic[k] in numbers}
        if numbers and not only_wide(path.program):
            fixed |= set(numbers)
        if fixed and self._fix(structure, fixed):
            return self._run(leaves, structure)
        path.outside = Outside(self.function, path.program.captures)
        with self.lock:
            for known, _ in variant.paths:
                known.outside.accept()
            if not self._is_known(variant, data):
                self._compile(variant, path, data)
                if variant.paths and variant.paths[0][0] is path and len(dynamic) == len(leaves):
                    self._install(path, variant.paths[0][1], structure)
        if path.value is not MISS:
            return path.value
        result = self._try(*variant.paths[0], data) if variant.paths else MISS
        return self._eagerly(leaves, structure, "") if result is MISS else result

    def _is_known(self, variant: Variant, data: Sequence[Any]) -> bool:
        """Whether another thread has recorded this path meanwhile."""
        return any(self._try(path, compiled, data) is not MISS for path, compiled in variant.paths)

    def _compile(self, variant: Variant, path: Path, data: Sequence[Any]) -> None:
        try:
            variant.paths.insert(0, (path, compile_path(path, data, self.name)))
            return
        except NoLowering as problem:
            variant.reason = f"nothing in it has native code ({problem})"
        except Exception as problem:  # a fault of the compiler must not stop the computation
            variant.reason = f"compilation failed ({type(problem).__name__}: {problem})"
        variant.eager = True
        self._notice(variant.reason)

    def _drop_outdated(self, variant: Variant) -> str:
        """Drop the paths that hold for what was outside before; return the name of what has changed."""
        name = ""
        with self.lock:
            for entry in list(variant.paths):
                changed = entry[0].outside.changed()
                if changed:
                    name = changed
                    variant.paths.remove(entry)
                    variant.changes += 1
        return name

    def _fix(self, structure: tree.Tree, positions: Any) -> bool:
        known = self.by_value.setdefault(structure, set())
        fresh = set(positions) - known
        known |= fresh
        return bool(fresh)

    def _install(self, path: Path, compiled: Any, structure: tree.Tree) -> None:
        """Let the builtin be what a call of the jitted object reaches first, where arguments and result are simple."""
        owner = self.owner() if self.owner is not None else None
        positional, named = structure.children
        simple = (
            isinstance(compiled, Compiled)
            and not path.variables
            and not path.tensors
            and path.outside.watches is not None
            and not named.keys
            and all(child.is_leaf for child in positional.children)
            and _shape_of_result(path) is not None
            and self.fronts < MOST_VARIANTS
            and _POINTER >= 0
        )
        if not simple or owner is None:
            return
        context = compiled.context(self.call, watching=True)
        if owner._context is not None:
            chain(context, owner._context)
        owner._context = context
        fastcall.set_pointer(owner, _POINTER, context.kept[1].addresses["vectorcall"])
        self.fronts += 1


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """Hold the search for cycles: a long recording is millions of objects, all alive, and it would walk them all often."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _recorder_for(function: Any) -> Any:
    if is_sparse(function):
        return record_sparse
    if is_gradient(function):
        return record_gradient
    return record_batch_jacobian if is_batch_jacobian(function) else record


def _recording() -> bool:
    recorder = current()
    return recorder is not None and recorder is not AMBIENT and bool(recorder.sessions)


def _signature(leaves: Sequence[Any], by_value: set[int]) -> tuple[Any, list[int], str]:
    """Return the key of the leaves, the positions that are run-time values, and what cannot be compiled for."""
    parts: list[Any] = []
    dynamic: list[int] = []
    for i, leaf in enumerate(leaves):
        kind = type(leaf)
        if isinstance(leaf, np.ndarray):
            dtype = leaf.dtype.newbyteorder("=")
            if kind is not np.ndarray or kind_of(dtype) is None:
                return None, [], f"an argument is a {kind.__name__} of {dtype}, which has no native code"
            parts.append((leaf.shape, dtype))
            dynamic.append(i)
        elif kind in _NUMBERS and i not in by_value and fits(leaf):
            parts.append(kind)
            dynamic.append(i)
        elif isinstance(leaf, np.generic):
            if kind_of(leaf.dtype) is None:
                return None, [], f"an argument is a {leaf.dtype}, which has no native code"
            parts.append((kind, leaf.dtype))
            dynamic.append(i)
        elif kind in _NUMBERS:
            parts.append((kind, repr(leaf)))  # 0.0 is not -0.0, and NaN is NaN
        elif isinstance(leaf, _STATIC):
            parts.append((kind, leaf))
        else:
            return None, [], f"an argument is a {kind.__name__}: neither an array, a number, a function nor a name"
    return tuple(parts), dynamic, ""


def fits(number: Any) -> bool:
    """Whether native code can take a Python number."""
    return type(number) is not int or -(1 << 63) <= number < (1 << 63)


def _plain(value: Any) -> Any:
    return as_plain(value) if isinstance(value, np.ndarray) else value


def strong(value: Any) -> Any:
    """Return a Python number as a NumPy scalar; anything else as it is."""
    dtype = _NUMBERS.get(type(value))
    return value if dtype is None else dtype(value)


def _shape_of_result(path: Path) -> str | None:
    """Return how the builtin can give the result back: one, tuple or list; None if Python has to build it."""
    if path.finish is not None or any(out.form == "constant" for out in path.outputs):
        return None
    kind = path.output_tree
    if kind.is_leaf:
        return "one"
    if kind.kind in (tuple, list) and all(child.is_leaf for child in kind.children) and kind.children:
        return "tuple" if kind.kind is tuple else "list"
    return None


def compile_path(path: Path, data: Sequence[Any], name: str) -> Any:
    """Compile a path for arguments like these."""
    arguments = []
    for value in [*data, *(np.asarray(v._data) for v in path.variables)]:
        argument = argument_of(value)
        assert argument is not None
        arguments.append(argument)
    slots = path.program.output_slots
    dynamic = [out for out in path.outputs if out.form != "constant"]
    results = [Result(out.form, slots[out.number].shape, slots[out.number].dtype) for out in dynamic]
    results += [
        Result("guard", slots[len(dynamic) + k].shape, dtype, expected)
        for k, (expected, dtype) in enumerate(zip(path.guards, path.guard_dtypes, strict=True))
    ]
    structure = _shape_of_result(path) or "tuple"
    watches = path.outside.watches or () if path.outside is not None else ()
    return compile_any(path.program, arguments, results, structure, name, watches)


def _rebuild(path: Path, found: Any) -> Any:
    if _shape_of_result(path) is not None:
        return found
    if path.finish is not None:
        return path.finish(found[0])
    remaining = iter(found)
    leaves = [next(remaining) if out.form != "constant" else out.constant for out in path.outputs]
    return tree.unflatten(path.output_tree, leaves)


def _copy_out(result: Any, out: Any) -> Any:
    """Copy a result, or a structure of results, into the caller's arrays."""
    values, structure = tree.flatten(result)
    targets, wanted = tree.flatten(out)
    if structure != wanted:
        raise StructureError("jit: out= does not have the structure of the result")
    for value, target in zip(values, targets, strict=True):
        if not isinstance(target, np.ndarray):
            raise StructureError(f"jit: out= must hold arrays, not {type(target).__name__}")
        if target.shape != np.shape(value):
            raise ShapeError(f"jit: out= has shape {target.shape}, but the result has shape {np.shape(value)}")
        np.copyto(target, np.asarray(value), casting="same_kind")
    return out


class _Jit(fastcall.Callable):
    """A compiled function; made by `jit`."""

    __slots__ = ()

    def __init__(self, function: Callable[..., Any]) -> None:
        if not callable(function):
            raise StructureError(
                f"jit: the argument is the function, not {type(function).__name__}", hint="wengert.jit(f)(x)"
            )
        self._context = None
        self._state = State(function)
        self._state.owner = weakref.ref(self)
        functools.update_wrapper(self, function, updated=())

    @property
    def function(self) -> Callable[..., Any]:
        """The function that was given."""
        return self._state.function

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __reduce__(self) -> tuple[Any, ...]:
        return (jit, (self._state.function,))

    def __repr__(self) -> str:
        return f"<wengert.jit of {self._state.name}>"


_made, _POINTER = fastcall.make_type(_Jit, "wengert.differentiation.jit.Jit")
Jit: Any = _made


def jit(function: Callable[..., Any]) -> Any:
    """Return the function compiled to machine code.

    f: (...) -> (...)   returns: the same, as fresh arrays

    Parameters
    ----------
    function : callable
        Ordinary NumPy code, or a derivative such as `wengert.grad(f)`. It runs in Python once for each structure,
        shapes and dtypes of its arguments, and once for each path through its branches.

    Returns
    -------
    callable
        Takes what the function takes; for a result that is one array also `out=`, an array to write to. It pickles if
        the function does.

    Notes
    -----
    Cost: the first call of a kind records (one evaluation in Python) and compiles (milliseconds, or nothing if the code
    is in the cache on disk). Later calls cost what the machine code costs: about 0.1 us for tiny functions.

    What the function reads from outside (arrays, numbers, attributes, what is in lists and dicts) is read or compared
    again in each call, so results are never out of date. Python's own effects (printing, appending to lists, drawing
    random numbers) happen in recorded runs only, and arguments are never written to. Arguments that are not arrays or
    numbers (functions, strings, True, None) are part of the key. Up to 16 paths and 64 kinds of arguments are kept; a
    function that takes more paths, or that cannot be compiled, runs uncompiled and says so once.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> step = wg.jit(lambda x: np.where(x > 0, x, np.expm1(x)))
    >>> step(np.array([0.0, 2.0]))
    array([0., 2.])
    >>> wg.jit(wg.grad(lambda x: np.sum(x**3)))(np.array([1.0, 2.0]))
    array([ 3., 12.])
    """
    return Jit(function)
