"""The tensor of PyTorch's spelling: leaves that ask for gradients, in-place edits with versions, torch's printing.

The core's Tensor does the work; this class changes what the two frameworks do differently. Functions and methods on
tensors are in the other modules of this package; `methods` attaches them.
"""

from __future__ import annotations

import warnings
import weakref
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
from ...primitives.indexing import index, normalize_index
from ...primitives.structural import alias as alias_line
from ...recording import (
    AMBIENT,
    CLOSED,
    NO_PARAMS,
    Line,
    Traced,
    leaf,
    wrap,
)
from ...views import assign, become, write
from . import dtypes
from .graph import Node, RemovableHandle, add_hook, is_leaf_line, notes_of
from .printing import tensor_text
from .state import active_class, in_inference_mode, wants_gradient
from .storage import detached, link, modify, root_of


class NoValue(GraphError, AbstractValue):
    """The value of a tensor was needed inside of `vmap`: a TypeError, and PyTorch's RuntimeError."""


class _Family:
    def __get__(self, instance: Any, owner: type) -> type:
        return active_class.get() or Tensor


class Count(int):
    """A number of elements that may be called: `x.size` is NumPy's, `x.size()` is torch's."""

    _shape: dtypes.Size

    def __call__(self, dim: int | None = None) -> Any:
        """Return the shape, or the length of one axis."""
        return self._shape if dim is None else self._shape[dim]


class Tensor(core.Tensor):
    """An array that can ask for its gradient (`requires_grad`), with PyTorch's methods."""

    ambient = True
    family = _Family()
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
        """Lengths of the axes."""
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
        """What the elements are, e.g. `torch.float32`."""
        data = self._data
        return dtypes.from_numpy_dtype(data.dtype if data is not None else np.dtype(self._line.dtype))  # type: ignore[union-attr]

    @property
    def device(self) -> Any:
        """Where the tensor lives: there is one device, `cpu`."""
        return dtypes.device("cpu")

    layout = "torch.strided"
    is_cuda = is_sparse = is_quantized = is_mps = is_meta = is_nested = False

    # ------------------------------------------------------------ leaves and gradients

    @property
    def requires_grad(self) -> bool:
        """Whether operations on the tensor are recorded for a gradient."""
        return self._data is None or wants_gradient(self._line)

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
        if self._is_inference and not in_inference_mode():
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
                    f"the gradient assigned has shape {tuple(value.shape)}, but the tensor has {tuple(self.shape)}",
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
                "cannot register a hook on a tensor that doesn't require gradient",
                where=user_line(),
                hint="requires_grad_()",
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
        return detached(self)

    def detach_(self) -> Tensor:
        """Drop the tensor's history."""
        if self._alias is not None and self._alias.base is not None and self.requires_grad:
            raise GraphError("detach_() on a view is not allowed", where=user_line(), hint="x.detach()")
        self._line = None
        return self

    @property
    def data(self) -> Any:
        """Same as `detach()`: writes to it are seen by the version counter, unlike in PyTorch."""
        return detached(self)

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
        return root_of(self)._writes

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


class InferenceTensor(Tensor):
    """A tensor made in inference mode: it never takes part in a recording."""

    _is_inference = True


_LINE: Any = vars(Traced)["_line"]


class AnomalyTensor(Tensor):
    """A tensor whose operations remember where they were called; the class of results while anomalies are detected."""

    @property
    def _line(self) -> Line | None:
        return _LINE.__get__(self)

    @_line.setter
    def _line(self, line: Line | None) -> None:
        if line is not None and line.primitive is not None and line.session.live_in is not CLOSED:
            notes = notes_of(line)
            notes.where = notes.where or user_line()
        _LINE.__set__(self, line)
