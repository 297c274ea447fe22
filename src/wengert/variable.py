"""Variable: a named value that is changed by assignment and read by operations.

Reading a variable tells the open tapes about it. Assigning replaces the value; what was recorded before keeps the
value it was computed with. This module knows what a recorder is, but nothing of tapes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from .errors import AssignmentError, ShapeError, user_line
from .primitives.structural import alias, watch
from .recording import NO_PARAMS, Line, Recorder, Session, Traced, apply, current, is_live, leaf
from .tensor import Tensor

_next_number = itertools.count(1).__next__


def watch_line(tensor: Traced, parent: Line | None, session: Session, recorder: Recorder | None) -> Line:
    """Return a fresh line of a tensor's value: a leaf, or an alias of the line it has already."""
    shape, dtype = tensor.shape, tensor.dtype  # type: ignore[attr-defined]
    if parent is None:
        return leaf(shape, dtype, session)
    if recorder is not None and is_live(parent, recorder):
        other = recorder.session_of((parent,))
        if other.depth < session.depth or session.live_in is not recorder:
            session = other  # the one that ends last
    return Line(watch, (parent,), NO_PARAMS, (None,), None, shape, dtype, session)


class Variable(Tensor):
    """A tensor with a name whose value changes by assignment.

    Parameters
    ----------
    initial_value : array_like or callable
        The first value, copied, or a function without arguments that returns it.
    trainable : bool
        Whether tapes watch the variable when it is read.
    name : str, optional
    dtype : dtype, optional
        NumPy's choice if not given. Shape and dtype stay for good.

    Examples
    --------
    >>> import wengert as wg
    >>> v = wg.Variable(3.0)
    >>> with wg.GradientTape() as tape:
    ...     y = v * v
    >>> tape.gradient(y, v)
    Tensor(6.)
    >>> v.assign_sub(1.0)
    Variable(2., name='Variable')
    """

    __slots__ = ("_name", "_number", "_trainable")
    _mutable = False
    _slice_type: type[VariableSlice]

    def __init__(self, initial_value: Any, trainable: bool = True, name: str | None = None, dtype: Any = None) -> None:
        value = initial_value() if callable(initial_value) else initial_value
        if isinstance(value, Traced):
            value = value._data if value._data is not None else value._concrete("a variable")  # type: ignore[attr-defined]
        self._data = Tensor(np.array(value, dtype=dtype))._data
        self._alias = None
        self._trainable = bool(trainable)
        self._name = "Variable" if name is None else str(name)
        self._number = _next_number()

    # ------------------------------------------------------------ reading

    @property
    def _line(self) -> Line | None:  # type: ignore[override]
        """The line that stands for this variable in the current recording; asking for it is reading the variable."""
        recorder = current()
        if recorder is None:
            return None
        entry = recorder.watched.get(id(self))
        if entry is None:
            if not self._trainable or not recorder.readers:
                return None
        elif not self._trainable or entry[2] == recorder.stamp:
            return entry[1]
        readers = [reader for reference in recorder.readers if (reader := reference()) is not None]
        waiting = [reader for reader in readers if not reader.knows(self)]
        line = None if entry is None else entry[1]
        if waiting:
            wanting = [reader for reader in waiting if reader.wants_lines]
            if wanting and self.dtype.kind in "fc":
                line = watch_line(self, line, wanting[0].session, recorder)
            for reader in waiting:
                reader.note(self, line)
        if line is not None:
            recorder.watched[id(self)] = (self, line, recorder.stamp)
        return line

    def value(self) -> Tensor:
        """Return the present value as a tensor of its own, connected to the variable."""
        return apply(alias, (self,))

    def read_value(self) -> Tensor:
        """Return the present value as a tensor of its own; the same as `value`."""
        return self.value()

    def numpy(self) -> np.ndarray:
        """Return a copy of the present value as an array."""
        return np.array(self._data)

    def gather_nd(self, indices: Any, name: str | None = None) -> Tensor:
        """Return the slices that the rows of `indices` (..., k) name in the first k axes."""
        indices = _index_array(indices)
        return self.value()[tuple(np.moveaxis(indices, -1, 0))]

    def sparse_read(self, indices: Any, name: str | None = None) -> Tensor:
        """Return the rows with these numbers."""
        return self.value()[_index_array(indices)]

    @property
    def trainable(self) -> bool:
        """Whether tapes watch the variable when it is read."""
        return self._trainable

    @property
    def name(self) -> str:
        """The name it was given."""
        return self._name

    def ref(self) -> Reference:
        """Return a hashable handle that compares by identity, for use in sets and as dictionary keys."""
        return Reference(self)

    # ------------------------------------------------------------ assigning

    def assign(
        self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Variable:
        """Replace the value and return the variable.

        Raises
        ------
        ShapeError
            If the shape is not exactly the variable's: assignment does not broadcast.
        AssignmentError
            If the dtype is another one. Python numbers convert.

        Notes
        -----
        No derivative flows into the variable through an assignment.
        """
        self._data = self._fit(value, self.shape, "assign")
        return self

    def assign_add(
        self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Variable:
        """Add to the value and return the variable; see `assign`."""
        self._data = self._data + self._fit(delta, self.shape, "assign_add")
        return self

    def assign_sub(
        self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Variable:
        """Subtract from the value and return the variable; see `assign`."""
        self._data = self._data - self._fit(delta, self.shape, "assign_sub")
        return self

    def _fit(self, value: Any, shape: tuple[int, ...], what: str) -> np.ndarray:
        """Return a copy of a value that is to be assigned, if it has the right shape and dtype."""
        dtype = self.dtype
        if isinstance(value, Traced):
            array = np.asarray(value._concrete(what))  # type: ignore[attr-defined]
            fits = array.dtype == dtype
        else:
            array = np.asarray(value)
            weak = isinstance(value, int | float | complex | list | tuple) and not isinstance(value, np.generic)
            fits = array.dtype == dtype or np.can_cast(array.dtype, dtype, "same_kind")
            fits = fits or (weak and array.dtype.kind in "iu" and dtype.kind in "iu")
        if array.shape != shape:
            raise ShapeError(
                f"{what}: the value has shape {array.shape}, but it goes to shape {shape} of variable {self._name!r}",
                where=user_line(),
                why="assignment does not broadcast",
                hint=f"np.broadcast_to(value, {shape})",
            )
        if not fits:
            raise AssignmentError(
                f"{what}: the value has dtype {array.dtype}, but variable {self._name!r} has {dtype}",
                where=user_line(),
                hint=f"value.astype(np.{dtype.name})",
            )
        return np.array(array, dtype=dtype)

    def _update(self, place: Any, value: Any, how: Callable[..., Any] | None, what: str) -> Variable:
        """Change a part of the value: replace it, or combine it by a ufunc that sees repeated places one by one."""
        data = np.array(self._data)
        value = self._fit(value, data[place].shape, what)
        if how is None:
            data[place] = value
        else:
            how.at(data, place, value)  # type: ignore[attr-defined]
        self._data = data
        return self

    def __getitem__(self, key: Any) -> Any:
        part = self.value()[key]
        result = part.family.__new__(self._slice_type)
        result._data, result._line, result._alias = part._data, part._line, None
        result._variable, result._key = self, key
        return result

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        self._refuse_write()

    def _refuse_write(self) -> NoReturn:
        raise AssignmentError(
            f"variable {self._name!r} is not changed by item assignment, nor in place by a NumPy function",
            where=user_line(),
            hint="v.assign(value), v.assign_add(value) or v[...].assign(value)",
        )

    def _in_place(self, other: Any) -> NoReturn:
        raise AssignmentError(
            f"variable {self._name!r} is not changed by augmented assignment",
            where=user_line(),
            why="v += 1 could mean a new tensor or a new value of the variable",
            hint="v.assign_add(value) to change the variable, or y = v + value for a new tensor",
        )

    __iadd__ = __isub__ = __imul__ = __itruediv__ = __ifloordiv__ = _in_place
    __imod__ = __ipow__ = __imatmul__ = __iand__ = __ior__ = __ixor__ = _in_place

    # ------------------------------------------------------------ scattered updates

    def scatter_update(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
        """Replace the rows `sparse_delta.indices` by `sparse_delta.values`."""
        return self._scatter(sparse_delta, None, "scatter_update")

    def scatter_add(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
        """Add `sparse_delta.values` to the rows `sparse_delta.indices`."""
        return self._scatter(sparse_delta, np.add, "scatter_add")

    def scatter_sub(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
        """Subtract `sparse_delta.values` from the rows `sparse_delta.indices`."""
        return self._scatter(sparse_delta, np.subtract, "scatter_sub")

    def scatter_mul(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
        """Multiply the rows `sparse_delta.indices` by `sparse_delta.values`."""
        return self._scatter(sparse_delta, np.multiply, "scatter_mul")

    def scatter_div(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
        """Divide the rows `sparse_delta.indices` by `sparse_delta.values`."""
        return self._scatter(sparse_delta, np.divide, "scatter_div")

    def scatter_min(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
        """Lower the rows `sparse_delta.indices` to `sparse_delta.values` where these are less."""
        return self._scatter(sparse_delta, np.minimum, "scatter_min")

    def scatter_max(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
        """Raise the rows `sparse_delta.indices` to `sparse_delta.values` where these are greater."""
        return self._scatter(sparse_delta, np.maximum, "scatter_max")

    def _scatter(self, delta: Any, how: Any, what: str) -> Variable:
        indices = _index_array(delta.indices)
        values = delta.values
        if np.shape(_plain(values)) == () and self.ndim:  # one number for all the rows
            values = np.full(indices.shape + self.shape[1:], _plain(values), self.dtype)
        return self._update((indices,), values, how, what)

    def scatter_nd_update(self, indices: Any, updates: Any, name: str | None = None) -> Variable:
        """Replace the slices that the rows of `indices` (..., k) name."""
        return self._scatter_nd(indices, updates, None, "scatter_nd_update")

    def scatter_nd_add(self, indices: Any, updates: Any, name: str | None = None) -> Variable:
        """Add to the slices that the rows of `indices` (..., k) name."""
        return self._scatter_nd(indices, updates, np.add, "scatter_nd_add")

    def scatter_nd_sub(self, indices: Any, updates: Any, name: str | None = None) -> Variable:
        """Subtract from the slices that the rows of `indices` (..., k) name."""
        return self._scatter_nd(indices, updates, np.subtract, "scatter_nd_sub")

    def scatter_nd_max(self, indices: Any, updates: Any, name: str | None = None) -> Variable:
        """Raise the slices that the rows of `indices` (..., k) name."""
        return self._scatter_nd(indices, updates, np.maximum, "scatter_nd_max")

    def scatter_nd_min(self, indices: Any, updates: Any, name: str | None = None) -> Variable:
        """Lower the slices that the rows of `indices` (..., k) name."""
        return self._scatter_nd(indices, updates, np.minimum, "scatter_nd_min")

    def _scatter_nd(self, indices: Any, updates: Any, how: Any, what: str) -> Variable:
        return self._update(tuple(np.moveaxis(_index_array(indices), -1, 0)), updates, how, what)

    def batch_scatter_update(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
        """For each entry of the leading axes, replace the rows that its own `indices` name."""
        indices = _index_array(sparse_delta.indices)
        leading = np.indices(indices.shape, sparse=True)[:-1]
        return self._update((*leading, indices), sparse_delta.values, None, "batch_scatter_update")

    # ------------------------------------------------------------ text, copies

    def __repr__(self) -> str:
        return f"{Tensor.__repr__(self)[:-1]}, name={self._name!r})"

    def __str__(self) -> str:
        return repr(self)

    def __hash__(self) -> NoReturn:  # type: ignore[override]
        raise TypeError(
            f"variable {self._name!r} has no hash, because == compares its elements; use v.ref() as the key"
        )

    def __copy__(self) -> Variable:
        return type(self)(self._data, trainable=self._trainable, name=self._name)

    def __deepcopy__(self, memo: Any) -> Variable:
        return self.__copy__()

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (np.asarray(self._data), self._trainable, self._name))


class VariableSlice(Tensor):
    """A part of a variable as it was when it was taken; assigning to it changes the variable."""

    __slots__ = ("_key", "_variable")

    _key: Any
    _variable: Variable

    def assign(self, value: Any, name: str | None = None) -> Variable:
        """Replace this part of the variable and return the variable."""
        return self._variable._update(self._key, value, None, "assign")

    def assign_add(self, value: Any, name: str | None = None) -> Variable:
        """Add to this part of the variable and return the variable."""
        return self._variable._update(self._key, value, np.add, "assign_add")

    def assign_sub(self, value: Any, name: str | None = None) -> Variable:
        """Subtract from this part of the variable and return the variable."""
        return self._variable._update(self._key, value, np.subtract, "assign_sub")

    def __repr__(self) -> str:
        return "Tensor" + super().__repr__().removeprefix(type(self).__name__)


Variable._slice_type = VariableSlice


class Reference:
    """A hashable handle of a tensor or variable; two are equal when they belong to the same object."""

    __slots__ = ("_object",)

    def __init__(self, object: Any) -> None:
        self._object = object

    def deref(self) -> Any:
        """Return the tensor or variable."""
        return self._object

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reference) and self._object is other._object

    def __hash__(self) -> int:
        return id(self._object)

    def __repr__(self) -> str:
        return f"<Reference to {self._object!r}>"


def _plain(value: Any) -> Any:
    return value._concrete("an index") if isinstance(value, Traced) else value  # type: ignore[attr-defined]


def _index_array(indices: Any) -> np.ndarray:
    """Return indices as an integer array; negative ones are refused, as they would count from the end."""
    array = np.asarray(_plain(indices))
    if array.size == 0:
        return array.astype(np.intp)
    if array.dtype.kind not in "iu":
        raise AssignmentError(f"indices are integers, not {array.dtype}", where=user_line())
    if array.min() < 0:
        raise AssignmentError(
            f"index {int(array.min())} is negative", where=user_line(), why="rows are counted from the front here"
        )
    return array
