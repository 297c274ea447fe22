"""`tf.math`: elementwise functions, comparisons, reductions and sums over segments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import numpy

from ...errors import ArgumentError, user_line
from ...primitives import special_reduce
from ...primitives.base import normalize_axes
from ...primitives.reduction import expand
from ...recording import apply, wrap
from ._arrays import add_params, zeros_like
from ._missing import reporter as _reporter
from ._tensor import Tensor, binary, convert_to_tensor, operand, plain, tensors, unary

np: Any = numpy  # its functions take tensors here, which its annotations do not know

# ---------------------------------------------------------------- one tensor


def _special(name: str) -> Callable[..., Any]:
    """Return a function of SciPy's, imported when it is called, in the dtype of its last argument."""

    def call(*args: Any) -> Any:
        made = getattr(import_module("wengert.scipy.special"), name)(*args)
        return made if made.dtype == args[-1].dtype else made.astype(args[-1].dtype)

    return call


abs = unary(np.abs, "Return the absolute value.")
negative = unary(np.negative, "Return the value with the other sign.")
sign = unary(np.sign, "Return -1, 0 or 1; of a complex number, its direction.")
floor = unary(np.floor, "Return the largest integer that is not greater.")
ceil = unary(np.ceil, "Return the least integer that is not smaller.")
round = unary(np.round, "Return the nearest integer, the even one of two.")
rint = unary(np.rint, "Return the nearest integer, the even one of two.")
square = unary(np.square, "Return x * x.")
sqrt = unary(np.sqrt, "Return the square root.")
rsqrt = unary(lambda x: 1 / np.sqrt(x), "Return one over the square root.")
reciprocal = unary(lambda x: 1 / x, "Return 1 / x.")
exp = unary(np.exp, "Return e to the power x.")
expm1 = unary(np.expm1, "Return exp(x) - 1, exact near 0.")
log = unary(np.log, "Return the natural logarithm.")
log1p = unary(np.log1p, "Return log(1 + x), exact near 0.")
sin = unary(np.sin, "Return the sine.")
cos = unary(np.cos, "Return the cosine.")
tan = unary(np.tan, "Return the tangent.")
asin = unary(np.arcsin, "Return the inverse sine.")
acos = unary(np.arccos, "Return the inverse cosine.")
atan = unary(np.arctan, "Return the inverse tangent.")
sinh = unary(np.sinh, "Return the hyperbolic sine.")
cosh = unary(np.cosh, "Return the hyperbolic cosine.")
tanh = unary(np.tanh, "Return the hyperbolic tangent.")
asinh = unary(np.arcsinh, "Return the inverse hyperbolic sine.")
acosh = unary(np.arccosh, "Return the inverse hyperbolic cosine.")
atanh = unary(np.arctanh, "Return the inverse hyperbolic tangent.")
erf = unary(_special("erf"), "Return the error function.")
erfc = unary(_special("erfc"), "Return one minus the error function.")
erfinv = unary(_special("erfinv"), "Return the inverse of the error function.")
erfcinv = unary(_special("erfcinv"), "Return the inverse of the complementary error function.")
ndtri = unary(_special("ndtri"), "Return the inverse of the normal distribution function.")
lgamma = unary(_special("gammaln"), "Return the logarithm of the absolute value of the gamma function.")
digamma = unary(_special("digamma"), "Return the derivative of `lgamma`.")
bessel_i0 = unary(_special("i0"), "Return the modified Bessel function of order 0.")
bessel_i1 = unary(_special("i1"), "Return the modified Bessel function of order 1.")
sigmoid = unary(_special("expit"), "Return 1 / (1 + exp(-x)).")
softplus = unary(
    lambda x: np.logaddexp(x, np.zeros((), x.dtype)), "Return log(1 + exp(x)), without overflow.", "features"
)
log_sigmoid = unary(lambda x: -np.logaddexp(-x, np.zeros((), x.dtype)), "Return log(sigmoid(x)), without overflow.")
softsign = unary(lambda x: x / (1 + np.abs(x)), "Return x / (1 + |x|).", "features")
real = unary(np.real, "Return the real part.", "input")
imag = unary(np.imag, "Return the imaginary part.", "input")
conj = unary(np.conj, "Return the complex conjugate.")
angle = unary(np.angle, "Return the angle of a complex number.", "input")
is_nan = unary(np.isnan, "Return where the value is NaN.")
is_inf = unary(np.isinf, "Return where the value is infinite.")
is_finite = unary(np.isfinite, "Return where the value is neither infinite nor NaN.")
logical_not = unary(np.logical_not, "Return where the condition does not hold.")

# ---------------------------------------------------------------- two tensors

add = binary(np.add, "Return x + y.")
subtract = binary(np.subtract, "Return x - y.")
multiply = binary(np.multiply, "Return x * y.")
divide = binary(np.true_divide, "Return x / y.")
truediv = binary(np.true_divide, "Return x / y.")
floordiv = binary(np.floor_divide, "Return x // y.")
floormod = binary(np.remainder, "Return x % y, with the sign of y.")
mod = floormod
pow = binary(np.power, "Return x to the power y.")
maximum = binary(np.maximum, "Return the greater value; equal ones share the gradient.")
minimum = binary(np.minimum, "Return the lesser value; equal ones share the gradient.")
squared_difference = binary(lambda x, y: (x - y) * np.conj(x - y), "Return (x - y) times its conjugate.")
atan2 = binary(np.arctan2, "Return the angle of the point (y, x).", "y", "x")
xlogy = binary(_special("xlogy"), "Return x * log(y), and 0 where x is 0.")
xlog1py = binary(_special("xlog1py"), "Return x * log(1 + y), and 0 where x is 0.")
nextafter = binary(np.nextafter, "Return the next number from x in the direction of y.", "x1", "x2")
igamma = binary(_special("gammainc"), "Return the lower incomplete gamma function.", "a", "x")
igammac = binary(_special("gammaincc"), "Return the upper incomplete gamma function.", "a", "x")
zeta = binary(_special("zeta"), "Return the Hurwitz zeta function.", "x", "q")
polygamma = binary(
    lambda n, x: _special("polygamma")(np.asarray(plain(n)).astype(int), x),
    "Return the n-th derivative of `digamma`.",
    "a",
    "x",
)
equal = binary(np.equal, "Return where x equals y.")
not_equal = binary(np.not_equal, "Return where x differs from y.")
less = binary(np.less, "Return where x is less than y.")
less_equal = binary(np.less_equal, "Return where x is less than y or equal to it.")
greater = binary(np.greater, "Return where x is greater than y.")
greater_equal = binary(np.greater_equal, "Return where x is greater than y or equal to it.")
logical_and = binary(np.logical_and, "Return where both conditions hold.")
logical_or = binary(np.logical_or, "Return where a condition holds.")
logical_xor = binary(np.logical_xor, "Return where just one condition holds.")


def divide_no_nan(x: Any, y: Any, name: Any = None) -> Tensor:
    """Return x / y, and 0 where y is 0."""
    a, b = tensors((x, y))
    safe = np.asarray(b._data) != 0
    return np.where(safe, a / np.where(safe, b, np.ones((), b.dtype)), np.zeros((), a.dtype))


def multiply_no_nan(x: Any, y: Any, name: Any = None) -> Tensor:
    """Return x * y, and 0 where y is 0, even if x is infinite or NaN."""
    a, b = tensors((x, y))
    safe = np.asarray(b._data) != 0
    return np.where(safe, np.where(safe, a, np.zeros((), a.dtype)) * b, np.zeros((), a.dtype))


def add_n(inputs: Sequence[Any], name: Any = None) -> Tensor:
    """Return the sum of all tensors."""
    first, *rest = tensors(inputs)
    for x in rest:
        first = first + x
    return first


accumulate_n = add_n


def polyval(coeffs: Sequence[Any], x: Any, name: Any = None) -> Tensor:
    """Return the polynomial with these coefficients, highest power first, at x (Horner)."""
    x = convert_to_tensor(x)
    value = zeros_like(x)
    for coefficient in coeffs:
        value = value * x + convert_to_tensor(operand(coefficient, x.dtype))
    return value


def clip_by_value(t: Any, clip_value_min: Any, clip_value_max: Any, name: Any = None) -> Tensor:
    """Return the values, moved to the ends of an interval where they lie outside of it."""
    x, low, high = tensors((t, clip_value_min, clip_value_max))
    return np.clip(x, low, high)


# ---------------------------------------------------------------- reductions


def axis_of(axis: Any) -> Any:
    """Return an axis, or several, given as numbers or tensors, as NumPy takes them."""
    if axis is None:
        return None
    axis = np.asarray(plain(axis))
    return int(axis) if axis.ndim == 0 else tuple(int(a) for a in axis)


def _reduction(function: Callable[..., Any], summary: str) -> Callable[..., Any]:
    def reduce(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: Any = None) -> Any:
        x = convert_to_tensor(input_tensor)
        return function(x, axis=axis_of(axis), keepdims=keepdims)

    reduce.__doc__ = summary
    return reduce


def _same_dtype(function: Callable[..., Any]) -> Callable[..., Any]:
    def same(x: Any, **settings: Any) -> Any:
        made = function(x, **settings)
        return made if made.dtype == x.dtype else made.astype(x.dtype)

    return same


def _mean(x: Any, **settings: Any) -> Any:
    made = np.mean(x, **settings)
    return made if x.dtype.kind in "fc" else np.trunc(made).astype(x.dtype)


reduce_sum = _reduction(_same_dtype(np.sum), "Return the sum.")
reduce_prod = _reduction(_same_dtype(np.prod), "Return the product.")
reduce_mean = _reduction(_mean, "Return the mean; of integers, without its fraction.")
reduce_max = _reduction(np.max, "Return the greatest value; equal ones share the gradient.")
reduce_min = _reduction(np.min, "Return the least value; equal ones share the gradient.")
reduce_std = _reduction(np.std, "Return the standard deviation.")
reduce_variance = _reduction(np.var, "Return the variance.")
reduce_all = _reduction(np.all, "Return whether all conditions hold.")
reduce_any = _reduction(np.any, "Return whether a condition holds.")
reduce_euclidean_norm = _reduction(
    lambda x, axis, keepdims: np.sqrt(np.sum(np.real(x * np.conj(x)), axis=axis, keepdims=keepdims)),
    "Return the Euclidean norm.",
)


def _logsumexp(x: Any, axis: Any, keepdims: bool) -> Any:
    axes = normalize_axes(axis, x.ndim)
    total = apply(special_reduce.logsumexp, (x,), {"axis": axes})
    return expand(total, x, axes) if keepdims else total


reduce_logsumexp = _reduction(_logsumexp, "Return log(sum(exp(x))), without overflow.")


def count_nonzero(
    input: Any, axis: Any = None, keepdims: bool = False, dtype: Any = np.int64, name: Any = None
) -> Tensor:
    """Return how many elements are not 0."""
    found = np.count_nonzero(np.asarray(plain(convert_to_tensor(input))), axis=axis_of(axis), keepdims=keepdims)
    return wrap(Tensor, np.asarray(found, dtype))


def argmax(input: Any, axis: Any = 0, output_type: Any = np.int64, name: Any = None) -> Tensor:
    """Return the number of the greatest entry; the first of several."""
    return wrap(Tensor, np.argmax(np.asarray(plain(convert_to_tensor(input))), axis_of(axis)).astype(output_type))


def argmin(input: Any, axis: Any = 0, output_type: Any = np.int64, name: Any = None) -> Tensor:
    """Return the number of the least entry; the first of several."""
    return wrap(Tensor, np.argmin(np.asarray(plain(convert_to_tensor(input))), axis_of(axis)).astype(output_type))


def zero_fraction(value: Any, name: Any = None) -> Tensor:
    """Return the share of elements that are 0."""
    data = np.asarray(plain(convert_to_tensor(value)))
    return wrap(Tensor, np.asarray(np.mean(data == 0), np.float32))


class TopKV2(NamedTuple):
    """Values and their numbers along the last axis."""

    values: Any
    indices: Any


def top_k(input: Any, k: Any = 1, sorted: bool = True, index_type: Any = np.int32, name: Any = None) -> TopKV2:
    """Return the k greatest values of the last axis, greatest first, and their numbers."""
    x = convert_to_tensor(input)
    data = np.asarray(x._concrete("top_k"))
    order = np.argsort(-data, axis=-1, kind="stable")[..., : int(plain(k))]
    return TopKV2(np.take_along_axis(x, order, -1), wrap(Tensor, order.astype(index_type)))


def _cumulative(function: Callable[..., Any], first: Any, summary: str) -> Callable[..., Any]:
    def cumulate(x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False, name: Any = None) -> Any:
        x, place = convert_to_tensor(x), int(plain(axis))
        x = np.flip(x, place) if reverse else x
        if exclusive:
            head = np.full_like(np.take(np.empty(x.shape, x.dtype), [0], place), first)
            body = np.take(x, np.arange(x.shape[place] - 1), place)
            x = np.concatenate([wrap(Tensor, head), body], place)
        made = function(x, axis=place)
        made = made if made.dtype == x.dtype else made.astype(x.dtype)
        return np.flip(made, place) if reverse else made

    cumulate.__doc__ = summary
    return cumulate


cumsum = _cumulative(np.cumsum, 0, "Return the running sum along an axis.")
cumprod = _cumulative(np.cumprod, 1, "Return the running product along an axis; right where elements are 0, too.")
cumulative_logsumexp = _cumulative(
    lambda x, axis: np.logaddexp.accumulate(x, axis), -np.inf, "Return the running log(sum(exp(x))) along an axis."
)

# ---------------------------------------------------------------- segments, histograms


def _segments(combine: Callable[..., Any], start: Any) -> Callable[..., Any]:
    def reduce(data: Any, segment_ids: Any, num_segments: Any = None, name: Any = None) -> Any:
        x = convert_to_tensor(data)
        ids = np.asarray(plain(segment_ids))
        count = (int(ids.max(initial=-1)) + 1) if num_segments is None else int(plain(num_segments))
        if ids.shape[:1] != x.shape[:1]:
            raise ArgumentError(
                f"{ids.shape[0]} segment_ids for {x.shape[0]} rows of data", where=user_line(), hint="one for each row"
            )
        return combine(x, ids, count, start)

    return reduce


def _sum_of_segments(x: Any, ids: numpy.ndarray, count: int, start: Any) -> Any:
    from ...primitives.indexing import index_add

    kept = ids >= 0
    shape = (count, *x.shape[1:])
    return index_add(x[kept], ids[kept], **add_params((ids[kept],), shape))


def _mean_of_segments(x: Any, ids: numpy.ndarray, count: int, start: Any) -> Any:
    counts = np.maximum(np.bincount(ids[ids >= 0], minlength=count), 1).astype(x.dtype)
    means = _sum_of_segments(x, ids, count, start) / counts.reshape((-1,) + (1,) * (len(x.shape) - 1))
    return means.astype(x.dtype)


def _each_segment(function: Callable[..., Any]) -> Callable[..., Any]:
    def combine(x: Any, ids: numpy.ndarray, count: int, start: Any) -> Any:
        rows = []
        for k in range(count):
            mine = np.flatnonzero(ids == k)
            empty = wrap(Tensor, np.full(x.shape[1:], start(x.dtype), x.dtype))
            rows.append(function(x[mine], axis=0).astype(x.dtype) if mine.size else empty)
        return np.stack(rows) if rows else x[:0]

    return combine


def _lowest(dtype: numpy.dtype) -> Any:
    return np.finfo(dtype).min if dtype.kind == "f" else np.iinfo(dtype).min


def _highest(dtype: numpy.dtype) -> Any:
    return np.finfo(dtype).max if dtype.kind == "f" else np.iinfo(dtype).max


def _sorted(reduce: Callable[..., Any]) -> Callable[..., Any]:
    """Return the same without a number of segments: there are as many as the last one says."""
    return lambda data, segment_ids, name=None: reduce(data, segment_ids)


unsorted_segment_sum = _segments(_sum_of_segments, None)
unsorted_segment_mean = _segments(_mean_of_segments, None)
unsorted_segment_prod = _segments(_each_segment(np.prod), lambda dtype: 1)
segment_sum, segment_mean, segment_prod = map(
    _sorted, (unsorted_segment_sum, unsorted_segment_mean, unsorted_segment_prod)
)
segment_max = _sorted(_segments(_each_segment(np.max), lambda dtype: 0))
segment_min = _sorted(_segments(_each_segment(np.min), lambda dtype: 0))
unsorted_segment_max = _segments(_each_segment(np.max), _lowest)
unsorted_segment_min = _segments(_each_segment(np.min), _highest)


def bincount(
    arr: Any, weights: Any = None, minlength: int = 0, maxlength: Any = None, dtype: Any = np.int32, name: Any = None
) -> Tensor:
    """Return how often each number occurs, or the sum of its weights."""
    numbers = np.asarray(plain(arr)).ravel()
    if weights is not None:
        count = builtins_max(int(numbers.max(initial=-1)) + 1, minlength)
        return _sum_of_segments(convert_to_tensor(weights), numbers, count, None)
    return wrap(Tensor, np.bincount(numbers, minlength=minlength).astype(dtype))


builtins_max = max


def _from_linalg(name: str) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        return getattr(import_module(".linalg", __package__), name)(*args, **kwargs)

    return call


l2_normalize = _from_linalg("l2_normalize")

__getattr__ = _reporter(__name__, lambda: list(globals()))
