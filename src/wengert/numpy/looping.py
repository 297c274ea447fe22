"""Functions that call a Python function again and again: apply_along_axis, apply_over_axes, vectorize.

They loop in Python, as NumPy's own do; what the function does is recorded call by call.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import product
from typing import Any

import numpy as np

from ..errors import ArgumentError, StructureError
from ..primitives.base import normalize_axis, shape_of
from ..recording import Traced
from ._register import as_array, implements, to_dtype

__all__ = ["apply_along_axis", "apply_over_axes", "vectorize"]


@implements(np.apply_along_axis)
def apply_along_axis(func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    """Same as `numpy.apply_along_axis`."""
    arr = as_array(arr)
    axis = normalize_axis(axis, arr.ndim)
    rows = np.moveaxis(arr, axis, -1)
    lead = rows.shape[:-1]
    if 0 in lead:
        raise ArgumentError("Cannot apply_along_axis when any iteration dimensions are 0")
    found = [as_array(func1d(rows[place], *args, **kwargs)) for place in np.ndindex(*lead)]
    shape = found[0].shape
    made = np.reshape(np.stack(found), lead + shape)
    order = (*range(axis), *range(len(lead), len(lead) + len(shape)), *range(axis, len(lead)))
    return np.transpose(made, order)


@implements(np.apply_over_axes)
def apply_over_axes(func: Callable[..., Any], a: Any, axes: Any) -> Any:
    """Same as `numpy.apply_over_axes`."""
    value = as_array(a)
    ndim = value.ndim
    for axis in (axes,) if np.ndim(axes) == 0 else axes:
        axis = normalize_axis(int(axis), ndim)
        found = func(value, axis)
        if found.ndim != value.ndim:
            found = np.expand_dims(found, axis)
            if found.ndim != value.ndim:
                raise ArgumentError("function is not returning an array of the correct shape")
        value = found
    return value


class vectorize:
    """Same as `numpy.vectorize`: NumPy's own admits no tensors, so this one stands in for it.

    Parameters
    ----------
    pyfunc : callable
        A function of scalars, or of arrays with a `signature`.
    otypes : str or sequence of dtype, optional
        Dtypes of the results.
    doc, excluded, cache, signature
        As in NumPy; `cache` has no effect, because the first call is not repeated.

    Notes
    -----
    Cost: one Python call per element. `np.where`, `np.piecewise` or plain array code is far quicker.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> f = wg.numpy.vectorize(lambda x: x * x if x > 0 else -x)
    >>> np.diag(wg.jacobian(f)([2.0, -1.0]))
    array([ 4., -1.])
    """

    def __init__(
        self,
        pyfunc: Callable[..., Any],
        otypes: Any = None,
        doc: str | None = None,
        excluded: Iterable[int | str] | None = None,
        cache: bool = False,
        signature: str | None = None,
    ) -> None:
        # NumPy parses and checks the settings.
        checked = np.vectorize(pyfunc, otypes, doc, None if excluded is None else set(excluded), cache, signature)
        self.pyfunc = pyfunc
        self.otypes = checked.otypes
        self.excluded = set() if excluded is None else set(excluded)
        # For each argument, how many axes the function itself sees: "(m,n),(n)->(m)" gives 2 and 1.
        inputs = "" if signature is None else signature.partition("->")[0]
        self._core = [len([n for n in dims.split(",") if n.strip()]) for dims in re.findall(r"\(([^)]*)\)", inputs)]
        self.signature = signature
        self.__doc__ = checked.__doc__
        self.__name__ = getattr(pyfunc, "__name__", "vectorize")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Apply the function to each element of the broadcast arguments."""
        names: list[Any] = [k for k in range(len(args)) if k not in self.excluded]
        names += [name for name in kwargs if name not in self.excluded]
        arrays = [as_array(args[k] if isinstance(k, int) else kwargs[k]) for k in names]
        depths = [0] * len(arrays) if self.signature is None else self._core
        if len(depths) != len(arrays):
            raise StructureError(f"wrong number of positional arguments: expected {len(depths)}, got {len(arrays)}")
        lead = np.broadcast_shapes(*(a.shape[: a.ndim - d] for a, d in zip(arrays, depths, strict=True)))
        arrays = [np.broadcast_to(a, lead + a.shape[a.ndim - d :]) for a, d in zip(arrays, depths, strict=True)]
        if 0 in lead and not self.otypes:
            raise ArgumentError("cannot call `vectorize` on size 0 inputs unless `otypes` is set")
        rows = []
        for place in product(*map(range, lead)):
            chosen = {name: a[place] for name, a in zip(names, arrays, strict=True)}
            given = [chosen.get(k, args[k]) if k in chosen else args[k] for k in range(len(args))]
            rows.append(self.pyfunc(*given, **{**kwargs, **{k: v for k, v in chosen.items() if isinstance(k, str)}}))
        if not rows:
            made = tuple(np.zeros(lead, kind) for kind in self.otypes or "d")
            return made[0] if len(made) == 1 else made
        if isinstance(rows[0], tuple):
            return tuple(self._gather([row[k] for row in rows], lead, k) for k in range(len(rows[0])))
        return self._gather(rows, lead, 0)

    def _gather(self, parts: list[Any], lead: tuple[int, ...], position: int) -> Any:
        parts = [as_array(part) for part in parts]
        stacked = np.stack(parts) if any(isinstance(x, Traced) for x in parts) else np.array(parts)
        if self.otypes:
            stacked = to_dtype(stacked, np.dtype(self.otypes[position]))
        return np.reshape(stacked, lead + shape_of(parts[0]))
