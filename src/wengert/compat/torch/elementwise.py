"""PyTorch's elementwise functions, each a NumPy or SciPy ufunc with torch's names and promotion."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np

from ...errors import ArgumentError
from ...primitives import elementwise as e
from ...recording import apply, apply1, apply2
from . import dtypes
from .naming import node
from .operators import align, as_tensor, checked, misfit, operand
from .tensor import Tensor

_UFUNCS = e.UFUNCS


def _ufunc(function: Any, *args: Any) -> Any:
    """Apply a ufunc, or one of SciPy's given by its name: these widen float16 and what meets a number."""
    if isinstance(function, str):
        wanted = next(arg.dtype for arg in args if isinstance(arg, Tensor))
        return dtypes.cast(_special(function)(*args), np.dtype(wanted))
    primitive = _UFUNCS.get(function)
    if primitive is None:  # one that is declared elsewhere and reached through NumPy's protocol
        return function(*args)
    return apply1(primitive, args[0]) if len(args) == 1 else apply2(primitive, *args)


@lru_cache(maxsize=64)
def _special(name: str) -> Any:
    return getattr(import_module("scipy.special"), name)


def unary(name: str, function: Any, floating: bool = True) -> Any:
    """Return PyTorch's function for a ufunc of one argument, integers made floating unless told otherwise."""

    def call(input: Any, *, out: Any = None) -> Any:
        x = as_tensor(input)
        if floating:
            x = dtypes.floating(x)
        result = checked(_ufunc(function, x), x)
        return result if out is None else out._assign(result)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"Return `{name}` of each element."
    return call


exp = unary("exp", np.exp)
exp2 = unary("exp2", np.exp2)
expm1 = unary("expm1", np.expm1)
log = unary("log", np.log)
log2 = unary("log2", np.log2)
log10 = unary("log10", np.log10)
log1p = unary("log1p", np.log1p)
sqrt = unary("sqrt", np.sqrt)
reciprocal = unary("reciprocal", np.reciprocal)
sin = unary("sin", np.sin)
cos = unary("cos", np.cos)
tan = unary("tan", np.tan)
asin = arcsin = unary("asin", np.arcsin)
acos = arccos = unary("acos", np.arccos)
atan = arctan = unary("atan", np.arctan)
sinh = unary("sinh", np.sinh)
cosh = unary("cosh", np.cosh)
tanh = unary("tanh", np.tanh)
asinh = arcsinh = unary("asinh", np.arcsinh)
acosh = arccosh = unary("acosh", np.arccosh)
atanh = arctanh = unary("atanh", np.arctanh)
deg2rad = unary("deg2rad", np.deg2rad)
rad2deg = unary("rad2deg", np.rad2deg)


def sinc(input: Any) -> Any:
    """Return sin(pi x) / (pi x) of each element, 1 at 0."""
    return np.sinc(dtypes.floating(as_tensor(input)))


erf = unary("erf", "erf")
erfc = unary("erfc", "erfc")
erfinv = unary("erfinv", "erfinv")
lgamma = unary("lgamma", "gammaln")
digamma = unary("digamma", "psi")
i0 = unary("i0", "i0")
abs = absolute = unary("abs", np.absolute, False)
neg = negative = unary("neg", np.negative, False)
square = node("Pow")(unary("square", np.square, False))
floor = unary("floor", np.floor, False)
ceil = unary("ceil", np.ceil, False)
trunc = fix = unary("trunc", np.trunc, False)
isnan = unary("isnan", np.isnan, False)
isinf = unary("isinf", np.isinf, False)
isfinite = unary("isfinite", np.isfinite, False)
signbit = unary("signbit", np.signbit, False)
logical_not = unary("logical_not", np.logical_not, False)
bitwise_not = unary("bitwise_not", np.invert, False)


def conj(input: Any) -> Any:
    """Return the complex conjugate; a real tensor itself."""
    x = as_tensor(input)
    return _ufunc(np.conjugate, x) if x.dtype.kind == "c" else x


conj_physical = conj


def sign(input: Any) -> Any:
    """Return -1, 0 or 1 for each element."""
    return _ufunc(np.sign, as_tensor(input))


sgn = sign


def positive(input: Any) -> Any:
    """Return the tensor itself."""
    return as_tensor(input)


def round(input: Any, *, decimals: int = 0) -> Any:
    """Round each element to the nearest multiple of `10**-decimals`, halves to even."""
    return np.round(as_tensor(input), decimals)


def frac(input: Any) -> Any:
    """Return what is behind the point of each element."""
    x = as_tensor(input)
    return x - trunc(x)


@node("Sigmoid")
def sigmoid(input: Any) -> Any:
    """Return 1 / (1 + exp(-x)) of each element, without overflow."""
    x = dtypes.floating(as_tensor(input))
    return 1 / (1 + exp(-x)) if x.dtype.kind == "c" else _ufunc("expit", x)


@node("Rsqrt")
def rsqrt(input: Any) -> Any:
    """Return 1 / sqrt(x) of each element."""
    return 1 / sqrt(input)


@node("Logit")
def logit(input: Any, eps: float | None = None) -> Any:
    """Return log(p / (1 - p)) of each element; with `eps`, p is first clamped to [eps, 1 - eps]."""
    x = dtypes.floating(as_tensor(input))
    return _ufunc("logit", x if eps is None else clamp(x, eps, 1 - eps))


def angle(input: Any) -> Any:
    """Return the argument of each complex number."""
    return np.angle(dtypes.floating(as_tensor(input)))


def isreal(input: Any) -> Any:
    """Return whether the imaginary part of each element is 0."""
    x = as_tensor(input)
    return np.equal(np.imag(x), 0) if x.dtype.kind == "c" else np.equal(x, x) | True


def isposinf(input: Any) -> Any:
    """Return whether each element is +inf."""
    return np.equal(as_tensor(input), np.inf)


def isneginf(input: Any) -> Any:
    """Return whether each element is -inf."""
    return np.equal(as_tensor(input), -np.inf)


def nan_to_num(input: Any, nan: float | None = None, posinf: float | None = None, neginf: float | None = None) -> Any:
    """Replace NaN and infinities; replaced elements have derivative 0."""
    return np.nan_to_num(as_tensor(input), nan=0.0 if nan is None else nan, posinf=posinf, neginf=neginf)


# ---------------------------------------------------------------- two arguments


def binary(name: str, function: Any, floating: bool = False) -> Any:
    """Return PyTorch's function for a ufunc of two arguments."""

    def call(input: Any, other: Any, *, out: Any = None) -> Any:
        x, y = _pair(input, other, floating)
        try:
            result = checked(_ufunc(function, x, y), x, y)
        except ValueError as error:
            raise misfit(name, error, x, y) from None
        return result if out is None else out._assign(result)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"Return `{name}` of the elements of two tensors, broadcast against each other."
    return call


def _pair(x: Any, y: Any, floating: bool = False) -> tuple[Any, Any]:
    """Return two operands in the dtype PyTorch computes in, at least one of them a tensor of this family."""
    if isinstance(x, int | float | complex):
        y = as_tensor(y)
        return align(y, x, floating)[::-1]
    x = as_tensor(x)
    return align(x, y if isinstance(y, int | float | complex) else as_tensor(y), floating)


mul = multiply = binary("mul", np.multiply)
floor_divide = binary("floor_divide", np.floor_divide)
remainder = binary("remainder", np.remainder)
fmod = binary("fmod", np.fmod)
pow = binary("pow", np.power)
float_power = binary("float_power", np.float_power)
atan2 = arctan2 = binary("atan2", np.arctan2, True)
hypot = binary("hypot", np.hypot, True)
maximum = binary("maximum", np.maximum)
minimum = binary("minimum", np.minimum)
fmax = binary("fmax", np.fmax)
fmin = binary("fmin", np.fmin)
logaddexp = binary("logaddexp", np.logaddexp, True)
logaddexp2 = binary("logaddexp2", np.logaddexp2, True)
copysign = binary("copysign", np.copysign, True)
nextafter = binary("nextafter", np.nextafter)
heaviside = binary("heaviside", np.heaviside)
xlogy = binary("xlogy", "xlogy", True)
eq = binary("eq", np.equal)
ne = not_equal = binary("ne", np.not_equal)
lt = less = binary("lt", np.less)
le = less_equal = binary("le", np.less_equal)
gt = greater = binary("gt", np.greater)
ge = greater_equal = binary("ge", np.greater_equal)
logical_and = binary("logical_and", np.logical_and)
logical_or = binary("logical_or", np.logical_or)
logical_xor = binary("logical_xor", np.logical_xor)
bitwise_and = binary("bitwise_and", np.bitwise_and)
bitwise_or = binary("bitwise_or", np.bitwise_or)
bitwise_xor = binary("bitwise_xor", np.bitwise_xor)
gcd = binary("gcd", np.gcd)
lcm = binary("lcm", np.lcm)
_add = binary("add", np.add)
_subtract = binary("sub", np.subtract)
_divide = binary("div", np.divide, True)


def add(input: Any, other: Any, *, alpha: Any = 1, out: Any = None) -> Any:
    """Return `input + alpha * other`."""
    return _add(input, other if alpha == 1 else mul(other, alpha), out=out)


def sub(input: Any, other: Any, *, alpha: Any = 1, out: Any = None) -> Any:
    """Return `input - alpha * other`."""
    return _subtract(input, other if alpha == 1 else mul(other, alpha), out=out)


subtract = sub


def rsub(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    """Return `other - alpha * input`."""
    return sub(other, input, alpha=alpha)


def div(input: Any, other: Any, *, rounding_mode: str | None = None, out: Any = None) -> Any:
    """Return `input / other`, with `rounding_mode` "trunc" or "floor" rounded to whole numbers.

    Raises ArgumentError for another rounding mode.
    """
    if rounding_mode is None:
        return _divide(input, other, out=out)
    if rounding_mode == "floor":
        return floor_divide(input, other)
    if rounding_mode == "trunc":
        x, y = _pair(input, other)
        return dtypes.cast(trunc(_divide(x, y)), dtypes.result_dtype(x, y))
    raise ArgumentError(f"div: rounding_mode is None, 'trunc' or 'floor', not {rounding_mode!r}")


divide = true_divide = div


def ldexp(input: Any, other: Any) -> Any:
    """Return `input * 2 ** other`."""
    return mul(input, pow(as_tensor(2.0), other))


def logical(x: Any) -> Any:
    """Return truth values."""
    return np.not_equal(as_tensor(x), 0)


# ---------------------------------------------------------------- choice


def clamp(input: Any, min: Any = None, max: Any = None, *, out: Any = None) -> Any:
    """Limit each element to [min, max]; the derivative is 1 inside the closed interval.

    Raises ArgumentError if neither limit is given.
    """
    if min is None and max is None:
        raise ArgumentError("clamp: at least one of min and max must not be None")
    x = as_tensor(input)
    wanted = dtypes.result_dtype(x, *(bound for bound in (min, max) if bound is not None))
    x = dtypes.cast(x, wanted)
    low = _limit(min, wanted, -np.inf)
    high = _limit(max, wanted, np.inf)
    result = apply(e.clip, (x, low, high))
    return result if out is None else out._assign(result)


def _limit(value: Any, wanted: np.dtype, default: float) -> Any:
    if value is not None:
        return operand(value, wanted)
    if wanted.kind in "fc":
        return default
    info = np.iinfo(wanted)
    return wanted.type(info.min if default < 0 else info.max)


clip = clamp


def clamp_min(input: Any, min: Any) -> Any:
    """Limit each element from below."""
    return clamp(input, min=min)


def clamp_max(input: Any, max: Any) -> Any:
    """Limit each element from above."""
    return clamp(input, max=max)


def where(condition: Any, input: Any = None, other: Any = None) -> Any:
    """Take from `input` where the condition holds, else from `other`; with the condition alone, where it holds.

    The branch that is not taken never contributes to a derivative, whatever its value.
    """
    condition = as_tensor(condition)
    if input is None and other is None:
        return tuple(as_tensor(part) for part in np.nonzero(np.atleast_1d(condition.detach()._data)))
    if condition.dtype.kind != "b":
        condition = logical(condition)
    numbers = isinstance(input, bool | int | float | complex), isinstance(other, bool | int | float | complex)
    wanted = dtypes.result_dtype(input, other)
    x = as_tensor(input) if numbers[0] else input
    y = as_tensor(other) if numbers[1] else other
    return apply(e.where, (condition, dtypes.cast(as_tensor(x), wanted), dtypes.cast(as_tensor(y), wanted)))


@node("MaskedFill")
def masked_fill(input: Any, mask: Any, value: Any) -> Any:
    """Return a copy with `value` where the mask holds."""
    x = as_tensor(input)
    value = operand(value, x._data.dtype if x._data is not None else np.dtype(x.dtype))
    return apply(e.where, (as_tensor(mask), value, x))


@node("Relu")
def relu(input: Any) -> Any:
    """Return max(x, 0) of each element, NaN where that is; the derivative at 0 is 0."""
    x = as_tensor(input)
    return apply(e.where, (np.less_equal(x, 0), x._data.dtype.type(0) if x._data is not None else 0, x))


@node("Lerp")
def lerp(input: Any, end: Any, weight: Any) -> Any:
    """Return `input + weight * (end - input)`."""
    return add(input, mul(weight, sub(end, input)))


@node("Addcmul")
def addcmul(input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    """Return `input + value * tensor1 * tensor2`."""
    return add(input, mul(tensor1, tensor2), alpha=value)


@node("Addcdiv")
def addcdiv(input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    """Return `input + value * tensor1 / tensor2`."""
    return add(input, div(tensor1, tensor2), alpha=value)


# ---------------------------------------------------------------- comparisons of whole tensors


def _values(x: Any) -> np.ndarray:
    return np.asarray(as_tensor(x)._concrete("a comparison of values"))


def isclose(input: Any, other: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """Return where two tensors are close."""
    return as_tensor(np.isclose(_values(input), _values(other), rtol, atol, equal_nan))


def allclose(input: Any, other: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Return whether two tensors are close everywhere."""
    return bool(np.allclose(_values(input), _values(other), rtol, atol, equal_nan))


def equal(input: Any, other: Any) -> bool:
    """Return whether two tensors have the same shape and values."""
    return bool(np.array_equal(_values(input), _values(other)))


def polygamma(n: int, input: Any) -> Any:
    """Return the n-th derivative of the digamma function."""
    from ...scipy import special

    return special.polygamma(n, dtypes.floating(as_tensor(input)))
