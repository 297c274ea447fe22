"""TensorFlow's variable and module over ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ...recording import Traced
from ...variable import Variable as _Variable
from ...variable import VariableSlice as _VariableSlice
from ._tensor import Tensor, shown, to_array


class Variable(_Variable, Tensor):
    """A named value that changes by assignment, as TensorFlow shows it; float32 for Python's floats.

    Arguments of TensorFlow's constructor that place or aggregate the variable are accepted and mean nothing here.
    """

    __slots__ = ("constraint",)

    def __init__(
        self,
        initial_value: Any = None,
        trainable: bool | None = True,
        validate_shape: bool = True,
        caching_device: Any = None,
        name: str | None = None,
        variable_def: Any = None,
        dtype: Any = None,
        import_scope: Any = None,
        constraint: Callable[..., Any] | None = None,
        synchronization: Any = None,
        aggregation: Any = None,
        shape: Any = None,
    ) -> None:
        value = initial_value() if callable(initial_value) else initial_value
        if isinstance(value, Traced):
            value = value._concrete("a variable")  # type: ignore[attr-defined]
            value = value if dtype is None else value.astype(dtype)
        else:
            value = to_array(value, dtype)
        super().__init__(value, trainable=trainable is not False, name=name)
        self.constraint = constraint

    @property
    def name(self) -> str:
        return f"{self._name}:0"

    def numpy(self) -> Any:
        """Return a copy of the value as an array, or a NumPy number if there are no axes. Not tracked."""
        data = np.array(self._data)
        return data if data.ndim else data[()]

    def _fit(self, value: Any, shape: tuple[int, ...], what: str) -> np.ndarray:
        if isinstance(value, list | tuple):
            value = to_array(value, hint=self.dtype)
        return super()._fit(value, shape, what)

    def initialized_value(self) -> Tensor:
        """Return the present value."""
        return self.value()  # type: ignore[return-value]

    def __copy__(self) -> Variable:
        return Variable(np.array(self._data), trainable=self._trainable, name=self._name, constraint=self.constraint)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (np.asarray(self._data), self._trainable, self._name, self.constraint))

    def __repr__(self) -> str:
        return f"<tf.Variable '{self.name}' shape={self.shape} dtype={self.dtype}, numpy={shown(self._data)}>"

    __str__ = __repr__

    def __format__(self, specification: str) -> str:
        return format(repr(self), specification) if not specification else format(self.numpy(), specification)


def _rebuild(value: np.ndarray, trainable: bool, name: str, constraint: Any) -> Variable:
    return Variable(value, trainable=trainable, name=name, constraint=constraint)


class VariableSlice(_VariableSlice, Tensor):
    """A part of a variable; assigning to it changes the variable."""

    __slots__ = ()

    __repr__ = Tensor.__repr__
    __str__ = Tensor.__str__


Variable._slice_type = VariableSlice


class IndexedSlices:
    """Rows of a tensor and their numbers, as the scattered updates of a variable take them.

    Gradients are never of this class here: they are dense tensors.
    """

    def __init__(self, values: Any, indices: Any, dense_shape: Any = None) -> None:
        self.values = values
        self.indices = indices
        self.dense_shape = dense_shape

    def __repr__(self) -> str:
        return f"IndexedSlices(indices={self.indices}, values={self.values}, dense_shape={self.dense_shape})"


class Module:
    """Base of objects that own variables: finds them in attributes, nested lists, tuples, dicts and modules."""

    def __init__(self, name: str | None = None) -> None:
        self._module_name = name

    @property
    def name(self) -> str:
        given = getattr(self, "_module_name", None)
        if given is not None:
            return given
        words = "".join("_" + c.lower() if c.isupper() else c for c in type(self).__name__)
        return words.lstrip("_")

    @property
    def name_scope(self) -> Any:
        """A context that means nothing here."""
        from ._control import name_scope

        return name_scope(self.name)

    @classmethod
    def with_name_scope(cls, method: Callable[..., Any]) -> Callable[..., Any]:
        """Return the method itself: names have no scope here."""
        return method

    @property
    def variables(self) -> tuple[Variable, ...]:
        return tuple(part for part in _parts(self, set()) if isinstance(part, _Variable))  # type: ignore[misc]

    @property
    def trainable_variables(self) -> tuple[Variable, ...]:
        return tuple(variable for variable in self.variables if variable.trainable)

    @property
    def non_trainable_variables(self) -> tuple[Variable, ...]:
        return tuple(variable for variable in self.variables if not variable.trainable)

    @property
    def submodules(self) -> tuple[Module, ...]:
        return tuple(part for part in _parts(self, set()) if isinstance(part, Module) and part is not self)


def _parts(module: Module, seen: set[int]) -> Iterator[Any]:
    """Yield a module, its own variables by the names of its attributes, and then what its submodules yield."""
    seen.add(id(module))
    yield module
    inner = []
    for _, value in sorted(vars(module).items()):
        for part in _leaves(value):
            if id(part) in seen:
                continue
            if isinstance(part, Module):
                inner.append(part)
            elif isinstance(part, _Variable):
                seen.add(id(part))
                yield part
    for part in inner:
        if id(part) not in seen:
            yield from _parts(part, seen)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        value = [value[key] for key in sorted(value, key=str)]
    if isinstance(value, list | tuple):
        for part in value:
            yield from _leaves(part)
    else:
        yield value
