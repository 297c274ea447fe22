"""How a ufunc of `scipy.special` is declared: by name, with its partial derivatives, as NumPy's own are.

The modules `special_*` hold the declarations, by family; `special` loads them all, on the first use of a ufunc
that is not NumPy's. A derivative that is a function of its own, because its formula would cancel, is declared
as `formula`. Formulas are those of the NIST Digital Library of Mathematical Functions (DLMF), cited by number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.special as sp
import scipy.special._ufuncs as private

from ..errors import UnsupportedFunction, user_line
from .base import Primitive, broadcast_shape, dtype_of, is_complex, result_dtype, shape_of
from .elementwise import UFUNCS, Elementwise, align, elementwise
from .pointwise import plus, times

SEVERAL: dict[Any, Primitive] = {}
"""ufunc with several results -> its primitive."""


def ufunc(name: str) -> Any:
    """Return a ufunc of `scipy.special` by its name, None if this SciPy has none."""
    for module in (sp, private):
        found = getattr(module, name, None)
        if isinstance(found, np.ufunc):
            return found
    return None


def declare(name: str, *partials: Any, **options: Any) -> Any:
    """Declare a ufunc of `scipy.special` with its partials; None if this SciPy does not have it."""
    function = ufunc(name)
    if function is None or function in UFUNCS:
        return UFUNCS.get(function)
    return elementwise(function, *partials, name=f"special.{name.lstrip('_')}", **options)


def formula(name: str, function: Callable[..., Any], *partials: Any, dtype: Any = None) -> Elementwise:
    """Declare an elementwise function that is no ufunc."""
    return elementwise(function, *partials, name=f"special.{name}", dtype=dtype or floating)


def floating(*args: Any, **_: Any) -> np.dtype:
    """Return the promoted dtype, float64 for integers."""
    dtype = result_dtype(*args)
    return dtype if dtype.kind in "fc" else np.dtype(float)


def refused(name: str, what: str, hint: str = "") -> Callable[..., Any]:
    """Return a partial that raises: the derivative by `what` is not known in closed form."""

    def partial(_out: Any, *_args: Any, **_params: Any) -> Any:
        raise UnsupportedFunction(
            f"scipy.special.{name}: the derivative by {what} has no rule",
            where=user_line(),
            why="it has no closed form in functions that SciPy has",
            hint=hint or f"a plain number or array for {what}, or x.numpy() if that derivative is not wanted",
        )

    return partial


class Several(Primitive):
    """An elementwise ufunc with several results.

    `partials[k][i]` is the derivative of result k by argument i: a callable `(outs, *args)`, None for exactly zero.
    """

    __slots__ = ("rows",)

    def __init__(self, function: Any, partials: Sequence[Sequence[Any]], name: str) -> None:
        def abstract(*args: Any) -> tuple[Any, Any]:
            dtypes = function.resolve_dtypes((*map(dtype_of, args), *(None,) * function.nout))[function.nin :]
            return (broadcast_shape(*map(shape_of, args)),) * function.nout, tuple(dtypes)

        super().__init__(
            name,
            lambda *args: tuple(map(np.asarray, function(*args))),
            abstract=abstract,
            vjp=self._vjp,
            jvp=self._jvp,
            batch=lambda size, batched, *args: self(*align(batched, args)),
            family="special",
        )
        self.rows = partials
        SEVERAL[function] = self

    def _outs(self, out: Any) -> list[Any]:
        from .structural import pick

        return [pick(out, position=k) for k in range(len(self.rows))]

    def _vjp(self, cotangent: Any, out: Any, *args: Any, needs: Sequence[bool]) -> tuple[Any, ...]:
        outs = self._outs(out)
        result: list[Any] = []
        for i, need in enumerate(needs):
            total = None
            for ct, row in zip(cotangent, self.rows, strict=True):
                if need and ct is not None and row[i] is not None:
                    slope = row[i](outs, *args)
                    total = plus(total, times(ct, np.conjugate(slope) if is_complex(slope) else slope))
            result.append(total)
        return tuple(result)

    def _jvp(self, tangents: Sequence[Any], out: Any, *args: Any) -> Any:
        outs = self._outs(out)
        found = []
        for row in self.rows:
            total = None
            for tangent, partial in zip(tangents, row, strict=True):
                if tangent is not None and partial is not None:
                    total = plus(total, times(tangent, partial(outs, *args)))
            found.append(total)
        return tuple(found)


def declare_several(name: str, *partials: Any) -> Any:
    """Declare a ufunc with several results: one partial, or one tuple of partials, per result."""
    function = ufunc(name)
    if function is None:
        return None
    rows = [row if isinstance(row, tuple) else (row,) for row in partials]
    return Several(function, rows, f"special.{name}")
