"""The elementwise family: what follows from a NumPy function and one partial derivative per argument.

A partial is written `lambda out, x, y: ...` with other NumPy functions. A parameter whose name starts with an
underscore is not read, so recorded lines do not keep it. A plain number is a constant partial; None is a
derivative that is exactly zero; a partial that returns booleans selects. From this follow vjp, jvp, higher
orders, batching, the diagonal pattern, native code and the generated tests. Broadcasting is undone by the driver
of the reverse pass, never here.

A factor of zero gives zero whatever the other one is, infinity and NaN included: a branch that a mask has cut never
poisons the rest, and forward and reverse mode, which multiply in opposite orders, agree.

Complex numbers: a gradient is the direction of steepest ascent (the convention of TensorFlow and PyTorch), so
the vjp of a holomorphic function multiplies by the conjugate of its derivative. A function that is not
holomorphic declares `wirtinger`: its derivatives by z and by conj(z).

This module declares no function of NumPy; see `elementwise`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..recording import Traced, apply2
from .base import (
    Primitive,
    broadcast_shape,
    dtype_of,
    is_complex,
    reads_nothing,
    result_dtype,
    shape_of,
)

_BOOL = np.dtype(bool)
_FUNCTION: Any = type(lambda: None)
Partial = Callable[..., Any] | complex | None

# NumPy ufunc -> primitive, filled by the declarations in `elementwise` (and `special`).
UFUNCS: dict[Any, Primitive] = {}


class Elementwise(Primitive):
    """A primitive that maps each element on its own."""

    __slots__ = ("formula", "reference", "ufunc", "wirtinger")

    def __init__(
        self,
        function: Any,
        *partials: Partial,
        name: str | None = None,
        wirtinger: tuple[Partial, Partial] | None = None,
        dtype: Callable[..., np.dtype] | None = None,
        reference: str = "",
    ) -> None:
        self.wirtinger = wirtinger
        self.reference = reference
        # The function where it is written with other primitives, for executors without code of their own for it.
        self.formula: Callable[..., Any] | None = None
        self.ufunc = function if isinstance(function, np.ufunc) else None
        rule = dtype or (self._ufunc_dtype if self.ufunc is not None else result_dtype)

        def abstract(*args: Any, **params: Any) -> tuple[tuple[int, ...], np.dtype]:
            return broadcast_shape(*map(shape_of, args)), rule(*args, **params)

        constant = wirtinger is None and all(partial is None for partial in partials)
        super().__init__(
            name or function.__name__,
            function,
            abstract=abstract,
            vjp=None if constant else self._vjp,
            jvp=None if constant else self._jvp,
            batch=self._batch,
            reads=reads_nothing if constant else self._reads,
            family="elementwise",
        )
        self.partials = partials
        # What the eager reverse pass may do without asking: multiply by the partial.
        self.plain = (
            wirtinger is None
            and not constant
            and len(partials) <= 2
            and all(partial.__class__ is _FUNCTION or not callable(partial) for partial in partials)
        )
        if self.ufunc is not None:
            UFUNCS[self.ufunc] = self

    def _ufunc_dtype(self, *args: Any) -> np.dtype:
        return ufunc_dtype(self.ufunc, *args)

    def _reads(self, i: int, count: int) -> set[Any]:
        partials: Sequence[Any] = (self.partials[i], *(self.wirtinger or ()))
        return set().union(*map(reads_of, partials)) & {"out", *range(count)}

    def _vjp(self, cotangent: Any, out: Any, *args: Any, needs: Sequence[bool], **params: Any) -> tuple[Any, ...]:
        result: list[Any] = []
        for need, arg, partial in zip(needs, args, self.partials, strict=True):
            if not need:
                result.append(None)
            elif partial.__class__ is _FUNCTION and self.wirtinger is None:
                result.append(times(cotangent, partial(out, *args, **params), True))
            elif self.wirtinger is not None and is_complex(arg):
                by_z, by_conjugate = (slope_of(f, out, args, params) for f in self.wirtinger)
                result.append(plus(times(cotangent, by_z, True), times(np.conjugate(cotangent), by_conjugate)))
            else:
                result.append(times(cotangent, slope_of(partial, out, args, params), True))
        return tuple(result)

    def _jvp(self, tangents: Sequence[Any], out: Any, *args: Any, **params: Any) -> Any:
        total = None
        for tangent, arg, partial in zip(tangents, args, self.partials, strict=True):
            if tangent is None:
                continue
            if self.wirtinger is not None and is_complex(arg):
                by_z, by_conjugate = (slope_of(f, out, args, params) for f in self.wirtinger)
                term = plus(times(tangent, by_z), times(np.conjugate(tangent), by_conjugate))
            else:
                term = times(tangent, slope_of(partial, out, args, params))
            total = plus(total, term)
        return total

    def _batch(self, size: int, batched: Sequence[bool], *args: Any, **params: Any) -> Any:
        return self(*align(batched, args), **params)


def slope_of(partial: Partial, out: Any, args: Sequence[Any], params: dict[str, Any]) -> Any:
    """Return a partial's value: an array-like, a number, or None for exactly zero."""
    return partial(out, *args, **params) if callable(partial) else partial


def conjugate_of(x: Any) -> Any:
    """Return the conjugate; real numbers and None as they are, without a copy."""
    return np.conjugate(x) if x is not None and is_complex(x) else x


def times(cotangent: Any, slope: Any, conjugate: bool = False) -> Any:
    """Return cotangent times slope or its conjugate, None if that is exactly zero; a zero cotangent stays zero."""
    if slope is None:
        return None
    if slope.__class__ in _NUMBERS:
        if slope == 0:
            return None
        return cotangent if slope == 1 else cotangent * (slope.conjugate() if conjugate else slope)
    kind = dtype_of(slope).kind
    if kind == "b":
        return where(slope, cotangent, 0)
    if conjugate and kind == "c":
        slope = np.conjugate(slope)
    if isinstance(slope, Traced) or isinstance(cotangent, Traced):
        return apply2(scale, cotangent, slope)
    return _scale(cotangent, slope)


def plus(a: Any, b: Any) -> Any:
    """Return the sum of two terms, of which None is exactly zero."""
    return b if a is None else a if b is None else a + b


_NUMBERS = (float, int, complex)


def align(batched: Sequence[bool], args: Sequence[Any]) -> list[Any]:
    """Give batched arguments unit axes behind the batch axis, so that all broadcast as the unbatched ones did."""
    ndim = max(len(shape_of(arg)) - flag for arg, flag in zip(args, batched, strict=True))
    aligned = []
    for arg, flag in zip(args, batched, strict=True):
        shape = shape_of(arg)
        if flag and len(shape) - 1 < ndim:
            arg = np.reshape(arg, (shape[0],) + (1,) * (ndim - len(shape) + 1) + shape[1:])
        aligned.append(arg)
    return aligned


def reads_of(partial: Any) -> set[Any]:
    """Return what a partial reads, from the names of its parameters: "out" and numbers of arguments."""
    code = getattr(partial, "__code__", None)
    if code is None:
        return set() if not callable(partial) else {"out", 0, 1, 2}
    names = code.co_varnames[: code.co_argcount]
    return {"out" if i == 0 else i - 1 for i, name in enumerate(names) if not name.startswith("_")}


@lru_cache(maxsize=4096)
def _resolve(ufunc: np.ufunc, dtypes: tuple[Any, ...]) -> np.dtype:
    result = ufunc.resolve_dtypes((*dtypes, *(None,) * ufunc.nout))
    return result[len(dtypes)]


def ufunc_dtype(ufunc: Any, *args: Any) -> np.dtype:
    """Return the dtype of a ufunc's first result for these arguments."""
    return _resolve(ufunc, tuple(map(dtype_of, args)))


class Discrete(Elementwise):
    """An elementwise primitive with a boolean or integer result: there is nothing to differentiate."""

    __slots__ = ()

    def __init__(self, function: Any, **options: Any) -> None:
        super().__init__(function, *(None,) * getattr(function, "nin", 1), **options)

    def what_is_kept(self, mask: int, count: int) -> Any:
        """Return False: no line is wanted."""
        self.kept[mask, count] = False
        return False


def elementwise(function: Any, *partials: Partial, **options: Any) -> Elementwise:
    """Declare an elementwise primitive; see the module's page for how a partial is written."""
    return Elementwise(function, *partials, **options)


def like(ufunc: Any) -> Callable[..., np.dtype]:
    """Return the dtype rule of a ufunc, for a function of the same number of arguments that is not one."""
    return lambda *args: ufunc_dtype(ufunc, *args)


# ---------------------------------------------------------------- products that respect a mask


LARGE = 8192


def has_nan(array: Any) -> bool:
    """Whether there is a NaN among floating or complex numbers.

    It shows in the sum of squares, the quickest sum there is; from some size on BLAS wakes its threads for that, which
    takes a millisecond where other processes run, so large arrays are looked through for their minimum instead.
    """
    if type(array) is np.ndarray and array.size >= LARGE:
        total = np.minimum.reduce(array, axis=None)  # in the order of memory, whatever that is
    else:
        flat = np.asarray(array).ravel()
        total = flat.dot(flat)
    return bool(total != total)


def _scale(cotangent: Any, slope: Any) -> Any:
    product = cotangent * slope
    if product.__class__ is np.float64:  # no axes
        return product if product == product else np.multiply(0.0, 0.0) if cotangent == 0 or slope == 0 else product
    if type(product) is np.ndarray and product.size >= LARGE:
        small = slope if np.size(slope) < np.size(cotangent) else cotangent
        # A short look at a small factor saves a long one at the product.
        if np.size(small) * 8 <= product.size and np.all(np.isfinite(small)) and np.all(small):
            return product
    # 0 * inf must be 0: a path with a zero factor contributes nothing, in whichever order the factors come.
    if has_nan(product):
        product = np.where(np.equal(cotangent, 0) | np.equal(slope, 0), np.zeros((), product.dtype), product)
    return product


scale = elementwise(
    _scale,
    lambda _out, _cotangent, slope: slope,
    lambda _out, cotangent, _slope: cotangent,
    name="scale",
)
"""`cotangent * slope`, but 0 where one of them is 0, whatever the other."""

where = elementwise(
    np.where,
    None,
    lambda _out, condition, _x, _y: condition,
    lambda _out, condition, _x, _y: np.logical_not(condition),
    name="where",
    dtype=lambda condition, x, y: result_dtype(x, y),
)
