"""Elementwise primitives: a NumPy function and one partial derivative per argument.

A partial is written `lambda out, x, y: ...` with other NumPy functions. A parameter whose name starts with an
underscore is not read, so recorded lines do not keep it. A plain number is a constant partial; None is a
derivative that is exactly zero; a partial that returns booleans selects. From this follow vjp, jvp, higher orders, batching, the diagonal pattern, native
code and the generated tests. Broadcasting is undone by the driver of the reverse pass, never here.

Complex numbers: a gradient is the direction of steepest ascent (the convention of TensorFlow and PyTorch), so
the vjp of a holomorphic function multiplies by the conjugate of its derivative. A function that is not
holomorphic declares `wirtinger`: its derivatives by z and by conj(z).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from .base import (
    Primitive,
    Traced,
    broadcast_shape,
    dtype_of,
    is_complex,
    reads_nothing,
    result_dtype,
    shape_of,
)

_BOOL = np.dtype(bool)
Partial = Callable[..., Any] | float | None

# NumPy ufunc -> primitive, filled by the declarations below (and by `special`).
UFUNCS: dict[Any, Primitive] = {}


class Elementwise(Primitive):
    """A primitive that maps each element on its own."""

    __slots__ = ("reference", "singular", "ufunc", "wirtinger")

    def __init__(
        self,
        function: Any,
        *partials: Partial,
        name: str | None = None,
        singular: bool = False,
        selects: bool = False,
        wirtinger: tuple[Callable[..., Any], Callable[..., Any]] | None = None,
        dtype: Callable[..., np.dtype] | None = None,
        reference: str = "",
    ) -> None:
        self.singular = singular
        self.wirtinger = wirtinger
        self.reference = reference
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
        self.plain = not (singular or selects or wirtinger is not None)
        if self.ufunc is not None:
            UFUNCS[self.ufunc] = self

    def _ufunc_dtype(self, *args: Any) -> np.dtype:
        return _resolve(self.ufunc, tuple(map(dtype_of, args)))

    def _reads(self, i: int, count: int) -> set[Any]:
        partials: Sequence[Any] = (self.partials[i], *(self.wirtinger or ()))
        return set().union(*map(_reads_of, partials))

    def _vjp(self, cotangent: Any, out: Any, *args: Any, needs: Sequence[bool], **params: Any) -> tuple[Any, ...]:
        result: list[Any] = []
        for need, arg, partial in zip(needs, args, self.partials, strict=True):
            if need and self.wirtinger is not None and is_complex(arg):
                by_z, by_conjugate = (f(out, *args, **params) for f in self.wirtinger)
                result.append(cotangent * np.conjugate(by_z) + np.conjugate(cotangent) * by_conjugate)
            elif not need or partial is None:
                result.append(None)
            elif not callable(partial):
                result.append(cotangent if partial == 1 else cotangent * partial)
            else:
                slope = partial(out, *args, **params)
                if is_complex(slope):
                    slope = np.conjugate(slope)
                result.append(self._times(cotangent, slope))
        return tuple(result)

    def _jvp(self, tangents: Sequence[Any], out: Any, *args: Any, **params: Any) -> Any:
        total = None
        for tangent, arg, partial in zip(tangents, args, self.partials, strict=True):
            if tangent is None:
                continue
            if self.wirtinger is not None and is_complex(arg):
                by_z, by_conjugate = (f(out, *args, **params) for f in self.wirtinger)
                term = tangent * by_z + np.conjugate(tangent) * by_conjugate
            elif partial is None:
                continue
            elif not callable(partial):
                term = tangent if partial == 1 else tangent * partial
            else:
                slope = partial(out, *args, **params)
                term = self._times(tangent, slope)
            total = term if total is None else total + term
        return total

    def _times(self, cotangent: Any, slope: Any) -> Any:
        if dtype_of(slope) == _BOOL:  # a mask selects: an infinite cotangent does not leak through a 0
            return where(slope, cotangent, 0)
        return scale(cotangent, slope) if self.singular else cotangent * slope

    def _batch(self, size: int, batched: Sequence[bool], *args: Any, **params: Any) -> Any:
        return self(*align(batched, args), **params)


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


def _reads_of(partial: Any) -> set[Any]:
    code = getattr(partial, "__code__", None)
    if code is None:
        return set() if not callable(partial) else {"out", 0, 1, 2}
    names = code.co_varnames[: code.co_argcount]
    return {"out" if i == 0 else i - 1 for i, name in enumerate(names) if not name.startswith("_")}


@lru_cache(maxsize=4096)
def _resolve(ufunc: np.ufunc, dtypes: tuple[Any, ...]) -> np.dtype:
    result = ufunc.resolve_dtypes((*dtypes, *(None,) * ufunc.nout))
    return result[len(dtypes)]


class Discrete(Elementwise):
    """An elementwise primitive with a boolean or integer result: there is nothing to differentiate."""

    __slots__ = ()

    def __init__(self, function: Any, **options: Any) -> None:
        super().__init__(function, *(None,) * getattr(function, "nin", 1), **options)

    def what_is_kept(self, mask: int, count: int) -> Any:
        self.kept[mask, count] = False
        return False


def elementwise(function: Any, *partials: Partial, **options: Any) -> Elementwise:
    """Declare an elementwise primitive; see the module's page for how a partial is written."""
    return Elementwise(function, *partials, **options)


# ---------------------------------------------------------------- products that respect a mask


def _scale(cotangent: Any, slope: Any) -> Any:
    product = cotangent * slope
    # An infinite slope that a mask has cut gives 0 * inf = NaN, which must be 0. Any NaN shows in the sum of squares.
    total = np.vdot(product, product)
    if total != total:
        product = np.where(cotangent == 0, np.zeros((), product.dtype), product)
    return product


scale = elementwise(
    _scale,
    lambda _out, _cotangent, slope: slope,
    lambda _out, cotangent, _slope: cotangent,
    name="scale",
    singular=True,
)
"""`cotangent * slope`, but 0 where the cotangent is 0, whatever the slope."""

# ---------------------------------------------------------------- choice


def _tie(larger: Any, equal: Any) -> Any:
    return np.where(equal, 0.5, np.where(larger, 1.0, 0.0))


where = elementwise(
    np.where,
    None,
    lambda _out, condition, _x, _y: condition,
    lambda _out, condition, _x, _y: np.logical_not(condition),
    name="where",
    selects=True,
    dtype=lambda condition, x, y: result_dtype(x, y),
)
maximum = elementwise(
    np.maximum, lambda _out, x, y: _tie(x > y, x == y), lambda _out, x, y: _tie(y > x, x == y)
)
minimum = elementwise(
    np.minimum, lambda _out, x, y: _tie(x < y, x == y), lambda _out, x, y: _tie(y < x, x == y)
)
fmax = elementwise(
    np.fmax,
    lambda _out, x, y: _tie((x > y) | np.isnan(y), x == y),
    lambda _out, x, y: _tie((y > x) | np.isnan(x), x == y),
)
fmin = elementwise(
    np.fmin,
    lambda _out, x, y: _tie((x < y) | np.isnan(y), x == y),
    lambda _out, x, y: _tie((y < x) | np.isnan(x), x == y),
)
clip = elementwise(
    lambda x, low, high: np.clip(x, low, high),
    lambda _out, x, low, high: (x >= low) & (x <= high),
    lambda _out, x, low, high: (x < low) & (low <= high),
    lambda _out, x, low, high: (x > high) | (low > high),
    name="clip",
    selects=True,
)

# ---------------------------------------------------------------- arithmetic

add = elementwise(np.add, 1, 1)
subtract = elementwise(np.subtract, 1, -1)
negative = elementwise(np.negative, -1)
positive = elementwise(np.positive, 1)
multiply = elementwise(np.multiply, lambda _out, _x, y: y, lambda _out, x, _y: x)
divide = elementwise(
    np.divide, lambda _out, _x, y: 1 / y, lambda out, _x, y: -out / y, singular=True
)
remainder = elementwise(np.remainder, 1, lambda _out, x, y: -np.floor(x / y))
fmod = elementwise(np.fmod, 1, lambda _out, x, y: -np.trunc(x / y))
floor_divide = elementwise(np.floor_divide, None, None)


def _power_by_base(_out: Any, x: Any, y: Any) -> Any:
    if not isinstance(y, Traced | np.ndarray):
        return np.zeros_like(x) if y == 0 else np.ones_like(x) if y == 1 else y * x ** (y - 1)
    return np.where(y == 0, 0.0, y * x ** np.where(y == 0, 1.0, y - 1))


def _power_by_exponent(out: Any, x: Any, _y: Any) -> Any:
    return np.where(x == 0, 0.0, out * np.log(np.where(x == 0, 1.0, x)))


power = elementwise(np.power, _power_by_base, _power_by_exponent, singular=True)
float_power = elementwise(np.float_power, _power_by_base, _power_by_exponent, singular=True)
square = elementwise(np.square, lambda _out, x: 2 * x)
reciprocal = elementwise(np.reciprocal, lambda out, _x: -out * out, singular=True)
sqrt = elementwise(np.sqrt, lambda out, _x: 0.5 / out, singular=True)
cbrt = elementwise(np.cbrt, lambda out, _x: 1 / (3 * out * out), singular=True)
hypot = elementwise(
    np.hypot,
    lambda out, x, _y: x / np.where(out == 0, 1.0, out),
    lambda out, _x, y: y / np.where(out == 0, 1.0, out),
)

# ---------------------------------------------------------------- exponentials and logarithms

_LN2, _LN10 = float(np.log(2.0)), float(np.log(10.0))


def _share(x: Any, y: Any, exponential: Any) -> Any:
    return np.where(x == y, 0.5, 1 / (1 + exponential(y - x)))


exp = elementwise(np.exp, lambda out, _x: out, singular=True)
exp2 = elementwise(np.exp2, lambda out, _x: _LN2 * out, singular=True)
# Not out + 1: that is 0 below x = -38.
expm1 = elementwise(np.expm1, lambda _out, x: np.exp(x), singular=True)
log = elementwise(np.log, lambda _out, x: 1 / x, singular=True)
log2 = elementwise(np.log2, lambda _out, x: 1 / (_LN2 * x), singular=True)
log10 = elementwise(np.log10, lambda _out, x: 1 / (_LN10 * x), singular=True)
log1p = elementwise(np.log1p, lambda _out, x: 1 / (1 + x), singular=True)
logaddexp = elementwise(
    np.logaddexp, lambda _out, x, y: _share(x, y, np.exp), lambda _out, x, y: _share(y, x, np.exp)
)
logaddexp2 = elementwise(
    np.logaddexp2, lambda _out, x, y: _share(x, y, np.exp2), lambda _out, x, y: _share(y, x, np.exp2)
)

# ---------------------------------------------------------------- circular and hyperbolic functions

sin = elementwise(np.sin, lambda _out, x: np.cos(x))
cos = elementwise(np.cos, lambda _out, x: -np.sin(x))
tan = elementwise(np.tan, lambda out, _x: 1 + out * out)
arcsin = elementwise(np.arcsin, lambda _out, x: 1 / np.sqrt((1 - x) * (1 + x)), singular=True)
arccos = elementwise(np.arccos, lambda _out, x: -1 / np.sqrt((1 - x) * (1 + x)), singular=True)
arctan = elementwise(np.arctan, lambda _out, x: 1 / (1 + x * x))
sinh = elementwise(np.sinh, lambda _out, x: np.cosh(x), singular=True)
cosh = elementwise(np.cosh, lambda _out, x: np.sinh(x), singular=True)
# Not 1 - out * out: that is 0 beyond x = 19.
tanh = elementwise(np.tanh, lambda _out, x: np.square(1 / np.cosh(x)))
arcsinh = elementwise(np.arcsinh, lambda _out, x: 1 / np.sqrt(1 + x * x))
arccosh = elementwise(np.arccosh, lambda _out, x: 1 / (np.sqrt(x - 1) * np.sqrt(x + 1)), singular=True)
arctanh = elementwise(np.arctanh, lambda _out, x: 1 / ((1 - x) * (1 + x)), singular=True)


def _direction(a: Any, y: Any, x: Any) -> Any:
    """a / (x^2 + y^2) without overflow, 0 at the origin."""
    radius = np.hypot(x, y)
    radius = np.where(radius == 0, 1.0, radius)
    return a / radius / radius


arctan2 = elementwise(
    np.arctan2, lambda _out, y, x: _direction(x, y, x), lambda _out, y, x: -_direction(y, y, x)
)
deg2rad = elementwise(np.deg2rad, float(np.pi / 180))
radians = elementwise(np.radians, float(np.pi / 180))
rad2deg = elementwise(np.rad2deg, float(180 / np.pi))
degrees = elementwise(np.degrees, float(180 / np.pi))

# d sinc = sum over k of (-1)^k pi^(2k) 2k x^(2k-1) / (2k+1)!, used where the closed form cancels.
_SINC_SERIES: list[float] = []
_term = 1.0
for _k in range(1, 14):
    _term *= -(np.pi**2) / ((2 * _k) * (2 * _k + 1))
    _SINC_SERIES.append(float(_term * 2 * _k))


def _sinc_slope(_out: Any, x: Any) -> Any:
    near = np.abs(x) < 0.6
    small = np.where(near, x, 0.0)
    series = _SINC_SERIES[-1]
    for coefficient in reversed(_SINC_SERIES[:-1]):
        series = series * small * small + coefficient
    far = np.where(near, 1.0, x)
    return np.where(near, series * small, (np.cos(np.pi * far) - np.sinc(far)) / far)


sinc = elementwise(np.sinc, _sinc_slope, name="sinc", dtype=lambda x: _resolve(np.sin, (dtype_of(x),)))

# ---------------------------------------------------------------- not holomorphic

conjugate = elementwise(
    np.conjugate, 1, wirtinger=(lambda _out, _x: 0.0, lambda _out, _x: 1.0), name="conjugate"
)
absolute = elementwise(
    np.absolute,
    lambda _out, x: np.sign(x),
    wirtinger=(lambda _out, x: np.conjugate(np.sign(x)) / 2, lambda _out, x: np.sign(x) / 2),
)
fabs = elementwise(np.fabs, lambda _out, x: np.sign(x))
real = elementwise(
    np.real,
    1,
    wirtinger=(lambda _out, _x: 0.5, lambda _out, _x: 0.5),
    name="real",
    dtype=lambda x: _real_dtype(x),
)
imag = elementwise(
    np.imag,
    None,
    wirtinger=(lambda _out, _x: -0.5j, lambda _out, _x: 0.5j),
    name="imag",
    dtype=lambda x: _real_dtype(x),
)


def _real_dtype(x: Any) -> np.dtype:
    return np.zeros((), result_dtype(x)).real.dtype


def _cast(x: Any, dtype: np.dtype) -> Any:
    x = np.asarray(x)
    return (x.real if x.dtype.kind == "c" and dtype.kind != "c" else x).astype(dtype)


cast = elementwise(_cast, 1, name="cast", dtype=lambda x, dtype: dtype)

# ---------------------------------------------------------------- derivative exactly zero


def _sign_complex(_out: Any, z: Any) -> Any:
    radius = np.abs(z)
    return 0.5 / np.where(radius == 0, np.inf, radius)


sign = elementwise(
    np.sign,
    None,
    # sign(z) = z / |z|: its derivatives are 1 / (2 |z|) and -sign(z)^2 / (2 |z|).
    wirtinger=(_sign_complex, lambda out, z: -out * out * _sign_complex(out, z)),
)
floor = elementwise(np.floor, None)
ceil = elementwise(np.ceil, None)
trunc = elementwise(np.trunc, None)
rint = elementwise(np.rint, None)
heaviside = elementwise(np.heaviside, None, None)
spacing = elementwise(np.spacing, None)
round_ = elementwise(
    lambda x, decimals: np.round(x, decimals), None, name="round", dtype=lambda x, decimals: result_dtype(x)
)
copysign = elementwise(
    np.copysign, lambda _out, x, y: np.copysign(1.0, x) * np.copysign(1.0, y), None
)
nextafter = elementwise(np.nextafter, 1, None)
ldexp = elementwise(np.ldexp, lambda _out, _x, exponent: np.exp2(exponent), None)

for _ufunc in (
    *(np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal),
    *(np.logical_and, np.logical_or, np.logical_xor, np.logical_not),
    *(np.isfinite, np.isinf, np.isnan, np.signbit, np.isnat),
    *(np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert, np.left_shift, np.right_shift),
    *(np.gcd, np.lcm, np.bitwise_count),
):
    Discrete(_ufunc)
