"""The tensor of PyTorch's spelling: leaves that ask for gradients, in-place edits with versions, torch's printing.

The core's Tensor does the work; this class changes what the two frameworks do differently. Functions and methods on
tensors are in the other modules of this package; `methods` attaches them.
"""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import numpy as np

from ... import tensor as core
from ...errors import (
    AbstractValue,
    GraphDtypeError,
    GraphError,
    GraphShapeError,
    StructureError,
    user_level,
    user_line,
)
from ...primitives import elementwise as e
from ...primitives.base import Primitive, reads_nothing, result_dtype, shape_of
from ...primitives.indexing import index, normalize_index
from ...primitives.structural import alias as alias_line
from ...primitives.structural import stop_gradient
from ...recording import AMBIENT, CLOSED, NO_PARAMS, Line, Session, Traced, apply, apply2, current, leaf, next_sequence, wrap
from ...views import _BACKWARD, Alias, assign, become, write
from . import dtypes
from .graph import Node, RemovableHandle, add_hook, edits, is_leaf_line, notes_of
from .printing import tensor_text

# The class that results have at present, where a mode replaces it (anomaly detection, inference).
active_class: ContextVar[type | None] = ContextVar("wengert_torch_active_class", default=None)
# Whether values saved for a gradient may be changed in place.
mutation_allowed: ContextVar[bool] = ContextVar("wengert_torch_mutation_allowed", default=False)


class DualSession(Session):
    """Lines recorded for a tangent only: their tensors do not require a gradient."""

    __slots__ = ()


def _wants_gradient(line: Line | None) -> bool:
    if line is None:
        return False
    session = line.session
    return session.live_in is not CLOSED and type(session) is not DualSession


class NoValue(GraphError, AbstractValue):
    """The value of a tensor was needed inside of `vmap`: a TypeError, and PyTorch's RuntimeError."""


class _Family:
    def __get__(self, instance: Any, owner: type) -> type:
        return active_class.get() or Tensor


class Count(int):
    """A number of elements that may be called: `x.size` is NumPy's, `x.size()` is torch's."""

    _shape: dtypes.Size

    def __call__(self, dim: int | None = None) -> Any:
        return self._shape if dim is None else self._shape[dim]


class Tensor(core.Tensor):
    """An array that can ask for its gradient (`requires_grad`), with PyTorch's methods."""

    ambient = True
    family = _Family()  # type: ignore[assignment]
    _grad: Any = None
    _writes = 0
    _is_inference = False

    def __init__(self, *data: Any, dtype: Any = None) -> None:
        if all(isinstance(n, int) for n in data) and data:  # a shape, as in torch.Tensor(2, 3)
            made: Any = np.zeros(data)
        else:
            made = data[0] if data else []
        super().__init__(made, dtypes.to_numpy_dtype(dtype or dtypes.get_default_dtype()))

    __hash__ = object.__hash__  # type: ignore[assignment]

    # ------------------------------------------------------------ what it is

    @property
    def shape(self) -> Any:
        data = self._data
        return dtypes.Size(data.shape if data is not None else self._line.shape)  # type: ignore[union-attr]

    @property
    def size(self) -> Any:
        """Number of elements; called, the shape or the length of one axis."""
        shape = self.shape
        count = Count(shape.numel())
        count._shape = shape
        return count

    @property
    def dtype(self) -> Any:
        data = self._data
        return dtypes.from_numpy_dtype(data.dtype if data is not None else np.dtype(self._line.dtype))  # type: ignore[union-attr]

    @property
    def device(self) -> Any:
        return dtypes.device("cpu")

    layout = "torch.strided"
    is_cuda = is_sparse = is_quantized = is_mps = is_meta = is_nested = False

    # ------------------------------------------------------------ leaves and gradients

    @property
    def requires_grad(self) -> bool:
        """Whether operations on the tensor are recorded for a gradient."""
        return self._data is None or _wants_gradient(self._line)

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Ask for the tensor's gradient, or no longer.

        Raises
        ------
        GraphDtypeError
            If its elements are neither floating nor complex.
        GraphError
            If it is the result of recorded operations and is to be excepted from them, or an inference tensor.
        """
        if not requires_grad:
            if not self.is_leaf:
                raise GraphError(
                    "you can only change requires_grad flags of leaf variables",
                    where=user_line(),
                    why="this tensor is the result of recorded operations",
                    hint="x.detach() for the same values without a history",
                )
            self._line = None
            return self
        if self.requires_grad:
            return self
        if self._data.dtype.kind not in "fc":
            raise GraphDtypeError(
                f"only tensors of floating point and complex dtype can require gradients, not {self.dtype!r}",
                where=user_line(),
                hint="torch.tensor([1., 2.]) or x.float()",
            )
        if self._is_inference and not _in_inference_mode():
            raise GraphError(
                "setting requires_grad=True on an inference tensor outside of inference mode is not allowed",
                where=user_line(),
                hint="x.clone() gives a normal tensor",
            )
        shape, dtype, before = self._data.shape, self._data.dtype, self._line
        if before is not None and before.session.live_in is not CLOSED:  # a dual tensor: its tangent goes on
            line = Line(alias_line, (before,), NO_PARAMS, (None,), None, shape, dtype, AMBIENT.session)
        else:
            line = leaf(shape, dtype, AMBIENT.session)
        self._line = line
        notes_of(line).leaf = weakref.ref(self)
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether the tensor is where a gradient ends: made by the user, or not recorded."""
        return not self.requires_grad or self._line is None or is_leaf_line(self._line)

    @property
    def grad_fn(self) -> Node | None:
        """The graph node of the operation that made the tensor; None for leaves."""
        return None if self.is_leaf or self._line is None else Node(self._line)

    @property
    def grad(self) -> Any:
        """The gradient that `backward` accumulated, or None."""
        if self._grad is None and not self.is_leaf and not self.retains_grad:
            warnings.warn(
                "the .grad of a tensor that is not a leaf is not filled by backward(); call retain_grad() on it first",
                UserWarning,
                stacklevel=user_level(),
            )
        return self._grad

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is not None:
            if not isinstance(value, Tensor):
                raise StructureError(f"a gradient must be a tensor or None, not {type(value).__name__}")
            if value is self:
                raise GraphError("a tensor cannot be its own gradient", where=user_line())
            if value.shape != self.shape:
                raise GraphShapeError(
                    f"the gradient assigned has shape {tuple(value.shape)}, but the tensor has shape {tuple(self.shape)}",
                    where=user_line(),
                )
            if value.dtype != self.dtype:
                raise GraphDtypeError(
                    f"the gradient assigned is {value.dtype!r}, but the tensor is {self.dtype!r}", where=user_line()
                )
        self._grad = value

    def retain_grad(self) -> None:
        """Keep the gradient of a tensor that is not a leaf.

        Raises GraphError if the tensor does not require one.
        """
        if not self.requires_grad:
            raise GraphError("retain_grad() on a tensor that has requires_grad=False", where=user_line())
        if self.is_leaf or self.retains_grad:
            return
        assert self._line is not None
        notes_of(self._line).retained.append(weakref.ref(self))

    @property
    def retains_grad(self) -> bool:
        """Whether the tensor is not a leaf but keeps its gradient."""
        if self.is_leaf or self._line is None:
            return False
        return any(reference() is self for reference in notes_of(self._line).retained)

    def backward(
        self, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False, inputs: Any = None
    ) -> None:
        """Add the gradient of this tensor to the `.grad` of the leaves it depends on; see `torch.autograd.backward`."""
        from .engine import backward

        backward(self, gradient, retain_graph, create_graph, inputs=inputs)

    def register_hook(self, hook: Any) -> RemovableHandle:
        """Call `hook(gradient)` whenever this tensor's gradient is computed; what it returns replaces the gradient.

        Raises GraphError if the tensor does not require a gradient.
        """
        if not self.requires_grad or self._line is None:
            raise GraphError(
                "cannot register a hook on a tensor that doesn't require gradient", where=user_line(), hint="requires_grad_()"
            )
        return add_hook(hook, notes_of(self._line).hooks)

    def register_post_accumulate_grad_hook(self, hook: Any) -> RemovableHandle:
        """Call `hook(tensor)` after this leaf's `.grad` was added to.

        Raises GraphError if the tensor is not a leaf that requires a gradient.
        """
        if not self.requires_grad or self._line is None:
            raise GraphError("cannot register a hook on a tensor that doesn't require gradient", where=user_line())
        if not self.is_leaf:
            raise GraphError(
                "post accumulate grad hooks cannot be registered on tensors that are not leaves",
                where=user_line(),
                hint="register_hook(...) sees the gradient of any tensor",
            )
        return add_hook(hook, notes_of(self._line).filled)

    # ------------------------------------------------------------ sharing values

    def detach(self) -> Any:
        """Return a tensor of the same memory without a history. In-place changes of either show in both."""
        return _detached(self)

    def detach_(self) -> Tensor:
        """Drop the tensor's history."""
        if self._alias is not None and self._alias.base is not None and self.requires_grad:
            raise GraphError("detach_() on a view is not allowed", where=user_line(), hint="x.detach()")
        self._line = None
        return self

    @property
    def data(self) -> Any:
        """Same as `detach()`: writes to it are seen by the version counter, unlike in PyTorch."""
        return _detached(self)

    @data.setter
    def data(self, value: Any) -> None:
        value = value if isinstance(value, Traced) else Tensor(value)
        line = self._line
        if line is not None and line.shape != tuple(value._data.shape):
            line = None
        again = self.requires_grad and line is None
        become(self, value._data, line)
        if again:
            self.requires_grad_()

    @property
    def _version(self) -> int:
        if self._is_inference:
            raise GraphError("inference tensors do not track versions", where=user_line())
        return root_of(self)._writes  # type: ignore[no-any-return]

    def is_inference(self) -> bool:
        """Whether the tensor was made in inference mode."""
        return self._is_inference

    def numpy(self, *, force: bool = False) -> np.ndarray:
        """Return the values as an array.

        Raises GraphError if the tensor requires a gradient and `force` is false.
        """
        data = self._concrete("numpy()")
        if not force and self.requires_grad:
            raise GraphError(
                "can't call numpy() on a tensor that requires grad",
                where=user_line(),
                hint="x.detach().numpy()",
            )
        return np.asarray(data)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = self.numpy()
        if copy is None:
            return np.asarray(array, dtype=dtype)
        return np.array(array, dtype=dtype, copy=copy)

    def _concrete(self, what: str) -> Any:
        if self._data is None:
            raise NoValue(
                f"{what} needs the value of a tensor of shape {tuple(self.shape)} inside of vmap",
                where=user_line(),
                why="there only shapes and dtypes are known",
                hint="torch.where(condition, a, b) instead of a branch on the value",
            )
        return self._data

    def _leave(self, what: str) -> Any:
        return self._concrete(what)

    def _single(self, what: str) -> Any:
        data = self._concrete(what)
        if data.size != 1:
            raise GraphShapeError(
                f"a tensor with {data.size} elements cannot be converted to a number",
                where=user_line(),
                hint="x.tolist(), x.numpy(), or reduce it first",
            )
        return np.asarray(data).reshape(())

    def _number(self, what: str) -> Any:
        if self.requires_grad:
            warnings.warn(
                f"{what} of a tensor that requires grad gives a plain number; use x.detach() first to say that "
                "its derivative is not wanted",
                UserWarning,
                stacklevel=user_level(),
            )
        return self._single(what)

    def __float__(self) -> float:
        return float(self._number("float()"))

    def __int__(self) -> int:
        return int(self._number("int()"))

    def __complex__(self) -> complex:
        return complex(self._number("complex()"))

    def __bool__(self) -> bool:
        data = self._concrete("the truth value")
        if data.size != 1:
            raise GraphShapeError(
                f"the boolean value of a tensor with {data.size} elements is ambiguous",
                where=user_line(),
                hint="(x > 0).any() or (x > 0).all()",
            )
        return bool(np.asarray(data).reshape(()))

    def item(self, *args: Any) -> Any:
        """Return the one element as a Python number."""
        return self._single("item()").item()

    def tolist(self) -> Any:
        """Return nested lists of Python numbers."""
        return np.asarray(self._concrete("tolist()")).tolist()

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if not self.is_leaf:
            raise GraphError(
                "only tensors created explicitly by the user (graph leaves) support the deepcopy protocol",
                where=user_line(),
                hint="x.detach().clone()",
            )
        copied = memo[id(self)] = self._copied()
        return copied

    def _copied(self) -> Any:
        made = wrap(type(self), np.array(self._data))
        if self.requires_grad:
            made.requires_grad_()
        if self._grad is not None:
            made._grad = self._grad._copied()
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        if not self.is_leaf:
            raise GraphError("only graph leaves can be pickled", where=user_line(), hint="x.detach()")
        return (_rebuilt, (type(self), np.asarray(self._concrete("pickling")), self.requires_grad))

    # ------------------------------------------------------------ printing

    def __repr__(self) -> str:
        if self._data is None:
            return f"tensor(abstract, shape={tuple(self.shape)}, dtype={self.dtype!r})"
        suffixes = []
        if self.requires_grad:
            node = self.grad_fn
            suffixes.append("requires_grad=True" if node is None else f"grad_fn=<{node.name()}>")
        return tensor_text(np.asarray(self._data), suffixes)

    __str__ = __repr__

    # ------------------------------------------------------------ in place

    def __setitem__(self, key: Any, value: Any) -> None:
        spec, arrays = normalize_index(_plain_index(key), self.shape)
        value = value if isinstance(value, Traced) else np.asarray(value)
        modify(self, lambda: write(self, spec, arrays, value))

    def __getitem__(self, key: Any) -> Any:
        key = _plain_index(key)
        result = core.Tensor.__getitem__(self, key)
        if isinstance(result._data, np.generic) and result._alias is None:
            spec, arrays = normalize_index(key, self.shape)
            if not arrays:
                link(self, result, index, spec=spec)
        return result

    def _assign(self, value: Any) -> Tensor:
        line = value._line if isinstance(value, Traced) else None
        modify(self, lambda: assign(self, value), None if line is None else line.sequence)
        return self


def link(base: Any, view: Any, primitive: Primitive, **params: Any) -> None:
    """Make a single element a view, as in PyTorch: NumPy hands out a copy, which writes would not leave."""
    if base._alias is None:
        base._alias = Alias()
    view._alias = Alias(base, primitive, params, base._alias.written)
    base._alias.add(view)


def _plain_index(key: Any) -> Any:
    """Return an index whose uint8 masks are boolean, and whose lists of tensors are tuples."""
    if isinstance(key, tuple):
        return tuple(map(_plain_index, key))
    if isinstance(key, Traced) and key._data is not None:
        data = key._data
        return data.astype(bool) if data.dtype == np.uint8 else data
    return key


def _rebuilt(kind: type, data: np.ndarray, requires_grad: bool) -> Any:
    made = wrap(kind, data)
    return made.requires_grad_() if requires_grad else made


def _in_inference_mode() -> bool:
    return active_class.get() is InferenceTensor


class InferenceTensor(Tensor):
    """A tensor made in inference mode: it never takes part in a recording."""

    _is_inference = True


class AnomalyTensor(Tensor):
    """A tensor whose operations remember where they were called; the class of results while anomalies are detected."""

    @property
    def _line(self) -> Line | None:  # type: ignore[override]
        return Traced._line.__get__(self)  # type: ignore[attr-defined, no-any-return]

    @_line.setter
    def _line(self, line: Line | None) -> None:
        if line is not None and line.primitive is not None and line.session.live_in is not CLOSED:
            notes = notes_of(line)
            notes.where = notes.where or user_line()
        Traced._line.__set__(self, line)  # type: ignore[attr-defined]


# ---------------------------------------------------------------- detached views


class _Detach(Primitive):
    """The same values without a history: no line is ever recorded."""

    __slots__ = ()

    def what_is_kept(self, mask: int, count: int) -> Any:
        self.kept[mask, count] = False
        return False


detach = _Detach(
    "detach",
    lambda x: x,
    abstract=lambda x: (shape_of(x), result_dtype(x)),
    vjp=None,
    jvp=None,
    batch=lambda size, batched, x: detach(x),
    reads=reads_nothing,
    family="structural",
)
_BACKWARD[detach] = lambda alias, value: become(
    alias.base, value._data if isinstance(value, Traced) else value, alias.base._line
)


class _DetachedAlias(Alias):
    """A detached tensor knows its origin only while that is alive, so that it does not keep the history."""

    __slots__ = ("_origin",)

    @property
    def base(self) -> Any:  # type: ignore[override]
        return None if self._origin is None else self._origin()

    @base.setter
    def base(self, value: Any) -> None:
        self._origin = None if value is None else weakref.ref(value)


def _detached(x: Any) -> Any:
    if x._data is None:
        return apply(stop_gradient, (x,))
    alias = x._alias
    if alias is None:
        alias = x._alias = Alias()
    if alias.base is not None and not isinstance(alias, _DetachedAlias):
        # The same view of the detached base, so that writes reach the memory when `x` itself is gone.
        origin, primitive, params = _detached(alias.base), alias.primitive, alias.params
        made = wrap(type(x).family, x._data)
        made._alias = Alias(origin, primitive, params, alias.written)
        origin._alias.add(made)
        return made
    made = wrap(type(x).family, x._data)
    made._alias = _DetachedAlias(x, detach, {}, alias.written)
    alias.add(made)
    return made


def root_of(tensor: Any) -> Any:
    """Return the tensor that owns the memory."""
    alias = tensor._alias
    while alias is not None and alias.base is not None:
        tensor = alias.base
        alias = tensor._alias
    return tensor


def _members(root: Any) -> list[Any]:
    found = [root]
    for tensor in found:
        if tensor._alias is not None:
            found.extend(tensor._alias.live())
    return found


def modify(target: Any, action: Callable[[], Any], start: int | None = None) -> None:
    """Change a tensor in place as PyTorch does: checks first, then versions, and history only if it is recorded.

    `start` is a sequence number before the first line of the change: these lines may save the old values.

    Raises
    ------
    GraphError
        If the tensor is a leaf that requires a gradient or a view of one, or an inference tensor outside of
        inference mode.
    """
    recording = current() is not None
    if recording:
        _check_leaf(target)
    root = root_of(target)
    if target._is_inference and not _in_inference_mode():
        raise GraphError(
            "inplace update to an inference tensor outside of inference mode is not allowed",
            where=user_line(),
            hint="x.clone() gives a normal tensor",
        )
    start = next_sequence() if start is None else start
    before = [
        (member, weakref.ref(member._data) if type(member._data) is np.ndarray else None, member._line)
        for member in _members(root)
    ]
    action()
    version = getattr(root, "_writes", 0)
    root._writes = version + 1
    for member, reference, line in before:
        if not recording:  # the numbers change, the history does not
            member._line = line
        if reference is not None and reference() is not member._data and not mutation_allowed.get():
            edits.add(reference, version, start)


def mark_edited(root: Any, version: int) -> None:
    """Note that a tensor's values, and those of its views, were changed by means that are not seen."""
    for member in _members(root):
        if type(member._data) is np.ndarray:
            edits.add(weakref.ref(member._data), version, next_sequence())


def _check_leaf(target: Any) -> None:
    tensor, view = target, False
    while True:
        if tensor._data is not None and tensor.is_leaf and tensor.requires_grad:
            what = "a view of a leaf variable" if view else "a leaf variable"
            raise GraphError(
                f"{what} that requires grad is being used in an in-place operation",
                where=user_line(),
                why="the leaf would no longer be the place where its gradient arrives",
                hint="with torch.no_grad(): ... for an update, or x = x + y instead of x += y",
            )
        alias = tensor._alias
        if alias is None or alias.base is None or isinstance(alias, _DetachedAlias):
            return
        tensor, view = alias.base, True


def in_place(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the in-place variant of a function of a tensor."""

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        start = next_sequence()
        value = function(self, *args, **kwargs)
        if value is NotImplemented:
            return value
        modify(self, lambda: assign(self, value), start)
        return self

    return method


# ---------------------------------------------------------------- operators


def as_tensor(x: Any, like: Any = None) -> Any:
    """Return a tensor of this family: tensors keep their line, arrays their dtype, numbers take the default one."""
    if isinstance(x, Tensor):
        return x
    if isinstance(x, Traced):
        return wrap(Tensor.family, x._data, x._line)
    if isinstance(x, np.ndarray | np.generic):
        return wrap(Tensor.family, x)
    if isinstance(x, list | tuple):
        from .creation import tensor

        return tensor(x)
    return wrap(Tensor.family, np.asarray(x, dtypes._number_dtype(x)))


def align(x: Any, y: Any, floating: bool = False) -> tuple[Any, Any]:
    """Return two operands in the dtype that PyTorch computes in; at least one is a tensor."""
    a = x._data if isinstance(x, Traced) else x
    b = y._data if isinstance(y, Traced) else y
    kind = type(b)
    if kind is float or kind is int:
        if a is not None and a.dtype.kind == "f":
            return x, y
    elif a is not None and b is not None and getattr(a, "dtype", None) is getattr(b, "dtype", 0):
        if not floating or a.dtype.kind in "fc":
            return x, y
    wanted = dtypes.result_dtype(x, y)
    if floating and wanted.kind not in "fc":
        wanted = dtypes.get_default_dtype().dtype
    return _operand(x, wanted), _operand(y, wanted)


def _operand(x: Any, wanted: np.dtype) -> Any:
    if isinstance(x, bool | int | float | complex):
        return x if wanted.kind in "fc" else wanted.type(x)
    return dtypes.cast(x, wanted)


_OPERANDS = (Traced, np.ndarray, np.generic, int, float, complex)


def _binary(primitive: Any, floating: bool = False) -> tuple[Any, Any]:
    def forward(self: Tensor, other: Any) -> Any:
        if not isinstance(other, _OPERANDS):
            return NotImplemented
        return applied(primitive, *align(self, other, floating))

    def reflected(self: Tensor, other: Any) -> Any:
        if not isinstance(other, _OPERANDS):
            return NotImplemented
        pair = align(other, self, floating) if isinstance(other, Traced) else align(self, other, floating)[::-1]
        return applied(primitive, *pair)

    return forward, reflected


def applied(primitive: Any, x: Any, y: Any) -> Any:
    """Apply a primitive to two operands.

    Raises
    ------
    GraphShapeError
        If their shapes do not broadcast.
    GraphError
        If an inference tensor would be saved for a gradient.
    """
    try:
        return checked(apply2(primitive, x, y), x, y)
    except ValueError as error:
        raise misfit(primitive.name, error, x, y) from None


def misfit(name: str, error: ValueError, *args: Any) -> Exception:
    """Return the error for arguments whose shapes do not fit, as PyTorch's RuntimeError and NumPy's ValueError."""
    if isinstance(error, GraphError):
        return error
    shapes = ", ".join(str(tuple(shape_of(x))) for x in args if isinstance(x, Traced | np.ndarray))
    return GraphShapeError(
        f"{name}: tensors of shapes {shapes} do not fit", where=user_line(), why=str(error).splitlines()[0]
    )


def checked(result: Any, *args: Any) -> Any:
    """Raise GraphError if an inference tensor was saved for a gradient."""
    line = result._line
    if line is not None and any(isinstance(arg, InferenceTensor) for arg in args):
        count = len(line.inputs)
        read = {k for i, parent in enumerate(line.inputs) if parent is not None for k in line.primitive.reads(i, count)}
        for k, arg in enumerate(args):
            if isinstance(arg, InferenceTensor) and k in read:
                raise GraphError(
                    "inference tensors cannot be saved for backward", where=user_line(), hint="x.clone() gives a normal tensor"
                )
    return result


_UFUNCS = e.UFUNCS
for _name, _primitive, _floating in (
    ("add", e.add, False),
    ("sub", e.subtract, False),
    ("mul", e.multiply, False),
    ("truediv", e.divide, True),
    ("floordiv", e.floor_divide, False),
    ("mod", e.remainder, False),
    ("pow", e.power, False),
    ("and", _UFUNCS[np.bitwise_and], False),
    ("or", _UFUNCS[np.bitwise_or], False),
    ("xor", _UFUNCS[np.bitwise_xor], False),
    ("lshift", _UFUNCS[np.left_shift], False),
    ("rshift", _UFUNCS[np.right_shift], False),
):
    _forward, _reflected = _binary(_primitive, _floating)
    setattr(Tensor, f"__{_name}__", _forward)
    setattr(Tensor, f"__r{_name}__", _reflected)
    setattr(Tensor, f"__i{_name}__", in_place(_forward))
for _name, _ufunc in (("lt", np.less), ("le", np.less_equal), ("gt", np.greater), ("ge", np.greater_equal)):
    setattr(Tensor, f"__{_name}__", _binary(_UFUNCS[_ufunc])[0])


def _equality(ufunc: Any, otherwise: bool) -> Any:
    compare = _binary(_UFUNCS[ufunc])[0]

    def method(self: Tensor, other: Any) -> Any:
        return otherwise if other is None else compare(self, other)

    return method


Tensor.__eq__ = _equality(np.equal, False)  # type: ignore[method-assign]
Tensor.__ne__ = _equality(np.not_equal, True)  # type: ignore[method-assign]


def _matmul(self: Tensor, other: Any) -> Any:
    if not isinstance(other, Traced | np.ndarray):
        return NotImplemented
    return _product(self, other)


def _rmatmul(self: Tensor, other: Any) -> Any:
    if not isinstance(other, Traced | np.ndarray):
        return NotImplemented
    return _product(other, self)


def _product(x: Any, y: Any) -> Any:
    from .products import matmul

    return matmul(x, y)


Tensor.__matmul__ = _matmul  # type: ignore[method-assign, assignment]
Tensor.__rmatmul__ = _rmatmul  # type: ignore[method-assign, assignment]
