"""The function under test, flattened: lists of arrays in, lists of arrays out, and its derivatives by every mode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..differentiation.gradient import jvp, vjp
from ..errors import ArgumentError, DtypeError, StructureError
from ..recording import Traced
from .differences import Arrays


def plain(value: Any) -> np.ndarray:
    """Return an array's or tensor's data."""
    return value.numpy() if isinstance(value, Traced) else np.asarray(value)  # type: ignore[attr-defined]


def wide(value: Any) -> Any:
    """Return a floating array in double precision."""
    value = plain(value)
    return value.astype(np.complex128 if value.dtype.kind == "c" else np.float64)


class Subject:
    """A function at a point.

    Attributes
    ----------
    leaves : list of array
        The arguments' floating leaves, in double precision.
    labels, out_labels : list of str
        What to call them in a report.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        args: Sequence[Any],
        kwargs: dict[str, Any] | None = None,
        argnums: Sequence[int] | None = None,
        dtype: Callable[[Any], Any] = wide,
    ) -> None:
        self._function = function
        self._kwargs = kwargs or {}
        self._args = list(args)
        numbers = range(len(args)) if argnums is None else argnums
        self._places: list[tuple[int, Any, list[int]]] = []
        self.leaves: Arrays = []
        self.labels: list[str] = []
        for i in numbers:
            values, structure = tree.flatten(args[i])
            chosen = [k for k, value in enumerate(values) if _is_number(value) and plain(value).dtype.kind in "fc"]
            for k in chosen:
                self.labels.append(f"argument {i}" + (f" leaf {k}" if len(values) > 1 else ""))
                self.leaves.append(dtype(values[k]))
            self._places.append((i, (values, structure), chosen))
        if not self.leaves:
            raise ArgumentError(
                "there is nothing to differentiate by",
                why="no argument holds floating numbers; integers are taken as data here",
                hint="float(...) or np.asarray(..., float) of the arguments",
            )
        outputs, self.out_tree = tree.flatten(self._call(self.leaves))
        for value in outputs:
            if not _is_number(value):
                raise StructureError(f"the function returned {type(value).__name__}, which is not a number or array")
        self._kept = [k for k, value in enumerate(outputs) if plain(value).dtype.kind in "fc"]
        if not self._kept:
            raise DtypeError("the function returned no floating numbers, so there is no derivative to check")
        self.outputs = [plain(outputs[k]) for k in self._kept]
        self.out_labels = [f"result {k}" if len(outputs) > 1 else "result" for k in self._kept]

    def _call(self, leaves: Sequence[Any]) -> Any:
        args = list(self._args)
        remaining = iter(leaves)
        for i, (values, structure), chosen in self._places:
            filled = list(values)
            for k in chosen:
                filled[k] = next(remaining)
            args[i] = tree.unflatten(structure, filled)
        return self._function(*args, **self._kwargs)

    def __call__(self, *leaves: Any) -> Arrays:
        """Run the function; arrays or tensors in and out."""
        outputs, _ = tree.flatten(self._call(leaves))
        return [outputs[k] for k in self._kept]

    # ------------------------------------------------------------ on lists of arrays, plain results

    def value(self, leaves: Sequence[Any]) -> Arrays:
        """Evaluate without recording."""
        with np.errstate(all="ignore"):
            return [plain(value) for value in self(*leaves)]

    def push(self, leaves: Sequence[Any], tangents: Sequence[Any]) -> Arrays:
        """Return J t by forward mode."""
        with np.errstate(all="ignore"):
            return [plain(t) for t in self.pushed(tangents)(*leaves)]

    def pull(self, leaves: Sequence[Any], cotangents: Sequence[Any]) -> Arrays:
        """Return J* c by reverse mode."""
        with np.errstate(all="ignore"):
            return [plain(c) for c in self.pulled(cotangents)(*leaves)]

    # ------------------------------------------------------------ as functions to differentiate again

    def pushed(self, tangents: Sequence[Any]) -> Callable[..., Arrays]:
        """Return the function of the leaves that is J t."""
        return lambda *leaves: list(jvp(self, leaves, tuple(tangents))[1])

    def pulled(self, cotangents: Sequence[Any]) -> Callable[..., Arrays]:
        """Return the function of the leaves that is J* c."""
        return lambda *leaves: list(vjp(self, *leaves)[1](list(cotangents)))


def _is_number(value: Any) -> bool:
    if isinstance(value, Traced | np.ndarray | np.generic):
        return True
    return isinstance(value, int | float | complex) and not isinstance(value, bool)
