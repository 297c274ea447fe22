"""The proof that a plain Python function is determined by its arguments and by what it reads from outside.

The proof reads the function's bytecode and that of the functions it calls. Every instruction has to be on a list of
those that change nothing but the function's own variables; every name that comes from outside has to be a number, a
text, an array, a tuple of these, a module or function known to be pure, or a plain function proved in the same way.
Anything else is not proved, which is never wrong: the function then simply runs again.

What it reads from outside is fetched again before each use, so that it is never out of date.
"""

from __future__ import annotations

import builtins
import cmath
import contextlib
import dis
import math
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..tensor import FUNCTIONS
from .captured import Builder, Fetcher, Item, Known
from .gradient import Derivative

MOST_FUNCTIONS = 64
MOST_INSTRUCTIONS = 20_000
VERSIONS = ((3, 11), (3, 12), (3, 13))  # of CPython, whose bytecode is known

# Instructions that change nothing but local variables and fresh objects, in the versions named. What is not here
# (stores to globals and attributes, imports, exception handlers, `with`, classes, await, sets, formatting) is not proved.
_INSTRUCTIONS = frozenset(
    """
    CACHE EXTENDED_ARG NOP RESUME PRECALL PUSH_NULL POP_TOP SWAP COPY COPY_FREE_VARS MAKE_CELL
    LOAD_FAST LOAD_FAST_CHECK LOAD_FAST_AND_CLEAR LOAD_FAST_LOAD_FAST
    STORE_FAST STORE_FAST_STORE_FAST STORE_FAST_LOAD_FAST DELETE_FAST LOAD_CLOSURE LOAD_ASSERTION_ERROR
    BINARY_OP BINARY_SUBSCR BINARY_SLICE STORE_SUBSCR STORE_SLICE UNARY_POSITIVE UNARY_NEGATIVE UNARY_NOT UNARY_INVERT
    COMPARE_OP CONTAINS_OP TO_BOOL CALL CALL_KW KW_NAMES CALL_FUNCTION_EX MAKE_FUNCTION SET_FUNCTION_ATTRIBUTE
    BUILD_TUPLE BUILD_LIST BUILD_MAP BUILD_CONST_KEY_MAP BUILD_SLICE LIST_APPEND LIST_EXTEND LIST_TO_TUPLE MAP_ADD
    DICT_UPDATE DICT_MERGE UNPACK_SEQUENCE UNPACK_EX GET_ITER GET_LEN FOR_ITER END_FOR RETURN_VALUE RETURN_CONST
    RAISE_VARARGS RERAISE RETURN_GENERATOR YIELD_VALUE
    JUMP_FORWARD JUMP_BACKWARD JUMP_BACKWARD_NO_INTERRUPT JUMP_IF_FALSE_OR_POP JUMP_IF_TRUE_OR_POP
    POP_JUMP_IF_TRUE POP_JUMP_IF_FALSE POP_JUMP_IF_NONE POP_JUMP_IF_NOT_NONE
    POP_JUMP_FORWARD_IF_TRUE POP_JUMP_FORWARD_IF_FALSE POP_JUMP_FORWARD_IF_NONE POP_JUMP_FORWARD_IF_NOT_NONE
    POP_JUMP_BACKWARD_IF_TRUE POP_JUMP_BACKWARD_IF_FALSE POP_JUMP_BACKWARD_IF_NONE POP_JUMP_BACKWARD_IF_NOT_NONE
    """.split()
)
_SKIPPED = frozenset({"CACHE", "EXTENDED_ARG", "NOP", "PRECALL", "PUSH_NULL"})
_INTRINSICS = frozenset({"INTRINSIC_LIST_TO_TUPLE", "INTRINSIC_UNARY_POSITIVE", "INTRINSIC_STOPITERATION_ERROR"})

# Attributes of arrays, numbers, ufuncs and fresh lists, tuples and dicts that are read or called without any effect on
# what is not fresh. (A write to an array from outside is noticed when the function is recorded.)
_ATTRIBUTES = frozenset(
    """
    shape ndim size dtype T mT real imag nbytes itemsize
    sum prod mean std var min max argmin argmax any all cumsum cumprod ptp dot trace diagonal round clip conj conjugate
    reshape ravel flatten transpose swapaxes squeeze repeat take copy astype item tolist sort argsort searchsorted nonzero
    fill is_integer bit_length as_integer_ratio numerator denominator
    append extend insert pop reverse index count items keys values get update
    reduce accumulate outer reduceat
    """.split()
)
_BUILTINS = frozenset(
    """
    abs all any bool complex dict divmod enumerate float int len list map max min pow range reversed round slice sorted
    sum tuple zip
    """.split()
)
# Functions that touch files, look at memory, print, or warn from Python about the values that they find.
_IMPURE = frozenset(
    """
    array2string array_repr array_str frombuffer fromfile fromiter fromstring genfromtxt loadtxt may_share_memory save
    savetxt savez savez_compressed shares_memory nanargmax nanargmin nanmax nanmean nanmedian nanmin nanpercentile
    nanquantile nanstd nanvar polyfit corrcoef cov trapz in1d row_stack
    """.split()
)
_MODULES = ("numpy", "numpy.linalg", "numpy.fft", "math", "cmath", "scipy.special", "wengert")
_OWN = frozenset(
    """
    cond fori_loop map scan stop_gradient switch while_loop
    grad hessian hessian_diag hvp jacfwd jacobian jacrev jvp laplacian value_and_grad value_and_jacobian
    value_grad_and_hessian vhp vjp vmap
    """.split()
)  # of `wengert`, and pure if the functions they are given are
_STATIC = (int, bool, str, bytes, complex, type(None), type(Ellipsis))


class NotProved(Exception):
    """The message says what stands in the way, and where."""


class Proof:
    """A function that is determined by its arguments and by what it reads from outside.

    Raises NotProved if it is not, as far as can be seen.

    Attributes
    ----------
    fetch : callable
        Takes the function, or another of the same code; returns the numbers, texts and arrays that it reads from
        outside, as they are now, or None if what it reads is no longer what the proof is about.
    """

    def __init__(self, function: Any) -> None:
        if sys.implementation.name != "cpython" or sys.version_info[:2] not in VERSIONS:
            raise NotProved("the bytecode of this Python is not known")
        reader = _Reader()
        self._top = reader.top(function)
        reader.finish()
        self.fetch: Callable[[Any], tuple[Any, ...] | None] = Fetcher(self._top, reader.attributes).function()

    @contextlib.contextmanager
    def rebuilt(self, values: Sequence[Any]) -> Iterator[Callable[..., Any]]:
        """Give the function with other values in the place of those that it reads from outside, for a while."""
        builder = Builder(values)
        try:
            yield builder.value(self._top)
        finally:
            builder.clear()


# ---------------------------------------------------------------- reading


class _Reader:
    """Goes through the functions that one function reaches."""

    def __init__(self) -> None:
        self.leaves = 0
        self.seen: dict[int, tuple[Any, Known]] = {}
        self.attributes: dict[tuple[int, str], tuple[Any, str, Any]] = {}  # what modules have to hold
        self.escaped: list[Any] = []  # modules that are passed around as values
        self.looks: list[tuple[str, str]] = []  # attributes of values, and where
        self.instructions = 0

    def top(self, function: Any) -> Item:
        """Read the function that the proof is about."""
        return self._item(function, "the function", "")

    def known(self, function: types.FunctionType) -> Known:
        """Read a plain function."""
        entry = self.seen.get(id(function))
        if entry is not None:
            return entry[1]
        known = Known(function)
        self.seen[id(function)] = (function, known)
        where = f"function {function.__name__}"
        if len(self.seen) > MOST_FUNCTIONS:
            raise NotProved(f"it calls more than {MOST_FUNCTIONS} functions")
        if function.__kwdefaults__:
            raise NotProved(f"{where} has defaults for keyword-only arguments")
        if function.__dict__:
            raise NotProved(f"{where} has attributes of its own")
        known.defaults = [self._value(value, "a default", where) for value in function.__defaults__ or ()]
        self._code(function.__code__, function, known, {})
        return known

    def finish(self) -> None:
        """Check the attributes of values, now that it is known which modules may be among these values."""
        for name, where in self.looks:
            found = False
            for module in self.escaped:
                if name in vars(module):
                    self._attribute(module, name, where)
                    found = True
            if not found and name not in _ATTRIBUTES:
                raise NotProved(f"{where}: the attribute {name!r}")

    def _code(self, code: types.CodeType, function: Any, known: Known, outer: dict[str, bool]) -> None:
        """Read one code object. `outer` tells which free names are variables of an enclosing function in the proof."""
        generator = code.co_flags & 0x20
        if code.co_flags & 0x380 or (generator and code.co_name != "<genexpr>"):
            raise NotProved(f"{_place(code)}: a generator or coroutine")
        own = dict.fromkeys(code.co_cellvars, True)
        rows = [row for row in dis.get_instructions(code) if row.opname not in _SKIPPED]
        self.instructions += len(rows)
        if self.instructions > MOST_INSTRUCTIONS:
            raise NotProved(f"it has more than {MOST_INSTRUCTIONS} instructions")
        remaining = iter(range(len(rows)))
        for i in remaining:
            row = rows[i]
            name, value = row.opname, row.argval
            where = _place(code, row)
            if name == "LOAD_CONST":
                if isinstance(value, types.CodeType):
                    self._code(value, function, known, {**outer, **own})
                elif isinstance(value, frozenset):
                    raise NotProved(f"{where}: a set")
            elif name in ("LOAD_GLOBAL", "LOAD_DEREF"):
                if name != "LOAD_GLOBAL" and (value in own or outer.get(value)):
                    continue
                found = self._name(name == "LOAD_GLOBAL", value, function, known, where)
                while isinstance(found, types.ModuleType):
                    following = rows[i + 1] if i + 1 < len(rows) else None
                    if following is None or following.opname not in ("LOAD_ATTR", "LOAD_METHOD") or following.is_jump_target:
                        self._escape(found, where)
                        break
                    i = next(remaining)
                    found = self._attribute(found, following.argval, where)
            elif name in ("LOAD_ATTR", "LOAD_METHOD"):
                self.looks.append((value, where))
            elif name == "STORE_DEREF":
                if value not in own:
                    raise NotProved(f"{where}: it stores to {value!r}, a variable of an enclosing function")
            elif name == "IS_OP":
                if i == 0 or rows[i - 1].opname != "LOAD_CONST" or rows[i - 1].argval not in (None, True, False):
                    raise NotProved(f"{where}: a comparison of identities")
            elif name == "CALL_INTRINSIC_1":
                if row.argrepr not in _INTRINSICS:
                    raise NotProved(f"{where}: {row.argrepr}")
            elif name in ("RETURN_GENERATOR", "YIELD_VALUE") and not generator:
                raise NotProved(f"{where}: a generator")
            elif name not in _INSTRUCTIONS:
                raise NotProved(f"{where}: {_said(name, value)}")

    def _name(self, is_global: bool, name: str, function: Any, known: Known, where: str) -> Any:
        """Note what a name from outside stands for; return it."""
        if is_global:
            scope = function.__globals__
            if name in scope:
                value = scope[name]
                if name not in known.globals:
                    known.globals[name] = self._item(value, repr(name), where)
                return value
            value = known.scope.get(name)
            is_error = isinstance(value, type) and issubclass(value, Exception)
            if not (name in _BUILTINS and value is getattr(builtins, name)) and not is_error:
                raise NotProved(f"{where}: it uses {name!r}")
            known.builtins[name] = value
            return value
        i = function.__code__.co_freevars.index(name)
        try:
            value = function.__closure__[i].cell_contents
        except ValueError:
            raise NotProved(f"{where}: {name!r} has no value") from None
        if i not in known.cells:
            known.cells[i] = self._item(value, repr(name), where)
        return value

    def _value(self, value: Any, name: str, where: str) -> Item:
        """Return what stands for a value that may end up in any variable."""
        item = self._item(value, name, where)
        if isinstance(value, types.ModuleType):
            self._escape(value, where)
        return item

    def _item(self, value: Any, name: str, where: str) -> Item:
        kind = type(value)
        if isinstance(value, types.ModuleType):
            if value.__name__ not in _MODULES:
                raise NotProved(f"{where}: it uses the module {value.__name__!r}")
            return Item("object", value)
        if kind is tuple:
            return Item("tuple", [self._value(part, name, where) for part in value])
        if is_data(value):
            self.leaves += 1
            return Item("leaf", kind, self.leaves - 1)
        if is_pure(value):
            return Item("object", value)
        if kind is types.FunctionType:
            return Item("function", self.known(value))
        if isinstance(value, Derivative) and type(value).__module__.startswith("wengert.differentiation."):
            return Item("derivative", (self._item(value.function, name, where), value.around(_nothing)))
        raise NotProved(f"{where}: {name} is a {kind.__module__}.{kind.__qualname__}".replace("builtins.", ""))

    def _attribute(self, module: Any, name: str, where: str) -> Any:
        """Return an attribute of a module, and remember that it has to stay what it is."""
        value = vars(module).get(name, _MISSING)
        allowed = (
            (isinstance(value, types.ModuleType) and value.__name__ in _MODULES)
            or (type(value) in (float, int, type(None)) and module.__name__ != "wengert")
            or is_pure(value)
        )
        if not allowed:
            raise NotProved(f"{where}: {module.__name__}.{name}")
        if isinstance(value, types.ModuleType) and module in self.escaped:
            self._escape(value, where)
        self.attributes[id(module), name] = (module, name, value)
        return value

    def _escape(self, module: Any, where: str) -> None:
        if module.__name__ == "wengert":
            raise NotProved(f"{where}: the module is used as a value")
        if module not in self.escaped:
            self.escaped.append(module)
            if module is np:
                self.escaped += [np.linalg, np.fft]


_MISSING: Any = object()


def _place(code: types.CodeType, row: Any = None) -> str:
    line = row.positions.lineno if row is not None and row.positions is not None else None
    return f"line {line or code.co_firstlineno} of {code.co_name}"


def _said(name: str, value: Any) -> str:
    """Return what an instruction does, in words where it is a common one."""
    said = {
        "STORE_GLOBAL": f"it stores to the global {value!r}",
        "STORE_ATTR": f"it stores to the attribute {value!r}",
        "IMPORT_NAME": f"it imports {value!r}",
        "BEFORE_WITH": "a with statement",
        "PUSH_EXC_INFO": "a try statement or a with statement",
        "FORMAT_VALUE": "a formatted string",
        "LOAD_BUILD_CLASS": "a class",
        "BUILD_SET": "a set",
    }
    return said.get(name, f"the instruction {name}")


def is_data(value: Any) -> bool:
    """Whether a value is an array of numbers, a number, a text, True, False, None or an ellipsis: exactly, no subclass."""
    kind = type(value)
    if kind is np.ndarray:
        return value.dtype.kind in "biufc"
    return kind is float or kind in _STATIC or (issubclass(kind, np.number | np.bool) and kind.__module__ == "numpy")


def is_pure(value: Any) -> bool:
    """Whether a function or type of NumPy's, SciPy's, Python's or ours has no effect, and depends on its arguments only."""
    name = getattr(value, "__name__", "")
    if isinstance(value, np.ufunc):
        return getattr(np, name, None) is value or value in _special_functions()
    if isinstance(value, type):
        return value in (bool, complex, dict, float, int, list, tuple, range) or (
            issubclass(value, np.number | np.bool) and value.__module__ == "numpy"
        )
    module = getattr(value, "__module__", None)
    if isinstance(value, types.BuiltinFunctionType) and module in ("math", "cmath"):
        return getattr(math if module == "math" else cmath, name, None) is value
    if not callable(value) or isinstance(value, types.MethodType):
        return False
    if name in _IMPURE or not isinstance(name, str):
        return False
    if module in ("numpy.linalg", "numpy.fft"):
        return getattr(np.linalg if module == "numpy.linalg" else np.fft, name, None) is value
    if module is not None and module.startswith("scipy.special"):
        return _is_special(name, value)
    if module is not None and module.startswith("wengert."):
        import wengert

        return name in _OWN and getattr(wengert, name, None) is value
    if module is None or not module.startswith("numpy"):
        return False
    try:
        return value in FUNCTIONS
    except TypeError:
        return False


def _special_functions() -> Any:
    module = sys.modules.get("scipy.special")
    return () if module is None else [vars(module).get(name) for name in module.__all__]


def _is_special(name: str, value: Any) -> bool:
    module = sys.modules.get("scipy.special")
    return module is not None and name in ("logsumexp", "softmax", "log_softmax") and vars(module).get(name) is value


def _nothing() -> None:
    """Stands for the function of a derivative of nothing."""
