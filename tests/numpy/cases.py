"""One or more sample calls of every NumPy function, as users write them: plain `np.*` on whatever comes in.

`CASES` is a list of (name of the NumPy function, the call, its arguments). The call is differentiated by all of its
arguments. Samples stay away from kinks and ties; those have tests of their own.
"""

# ruff: noqa: B008
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Case = tuple[str, Callable[..., Any], tuple[Any, ...]]
CASES: list[Case] = []


def case(name: str, function: Callable[..., Any], *args: Any) -> None:
    found: Any = np
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not None:  # else the installed NumPy is too old to have it
        CASES.append((name, function, args))


def _numbers(*shape: int, seed: int = 0, low: float = -2.0, high: float = 2.0) -> np.ndarray:
    """Distinct numbers without ties, the same on every machine."""
    n = int(np.prod(shape))
    steps = (np.arange(n) * 0.618033988749895 + 0.137 + seed * 0.31) % 1.0
    return (low + (high - low) * steps).reshape(shape)


V, W = _numbers(5), _numbers(5, seed=1)
A, B = _numbers(3, 4), _numbers(3, 4, seed=2)
S = _numbers(3, 3, seed=3) + 3 * np.eye(3)
T = _numbers(2, 3, 4, seed=4)
P = _numbers(5, low=0.3, high=2.0)
PM = _numbers(3, 4, low=0.3, high=2.0)
UNIT = _numbers(5, low=-0.9, high=0.9)
Z = V + 1j * W
MASK = np.array([True, False, True, True, False])
MASK2 = A > 0
IDX = np.array([2, 0, 2, 4])
NAN = np.where(MASK2, A, np.nan)

# ---------------------------------------------------------------- elementwise: every ufunc of real numbers

for _name in (
    *("sin", "cos", "tan", "arctan", "sinh", "cosh", "tanh", "arcsinh", "exp", "exp2", "expm1", "square", "negative"),
    *("positive", "absolute", "fabs", "conjugate", "deg2rad", "rad2deg", "radians", "degrees", "cbrt", "sinc", "i0"),
):
    case(_name, getattr(np, _name), V)
for _name in ("sqrt", "log", "log2", "log10", "log1p", "reciprocal"):
    case(_name, getattr(np, _name), P)
for _name in ("arcsin", "arccos", "arctanh"):
    case(_name, getattr(np, _name), UNIT)
case("arccosh", np.arccosh, P + 1)
for _name in (
    *("add", "subtract", "multiply", "divide", "true_divide", "maximum", "minimum", "fmax", "fmin", "hypot"),
    *("arctan2", "logaddexp", "logaddexp2", "copysign", "fmod", "remainder", "mod"),
):
    case(_name, getattr(np, _name), V, W)
case("power", np.power, P, W)
case("power", lambda x: x**3, V)
case("float_power", np.float_power, P, W)
case("nextafter", np.nextafter, V, W)
case("ldexp", lambda x: np.ldexp(x, 3), V)
case("modf", lambda x: np.modf(x)[0], V)
case("frexp", lambda x: np.frexp(x)[0], V)
case("divmod", lambda x: np.divmod(x, 0.7)[1], V)
case("matmul", np.matmul, A, B.T)
case("matmul", lambda a, b: a @ b, T, B.T)
case("vecdot", np.vecdot, A, B)
case("matvec", lambda x, y: np.matvec(x, y), A, _numbers(4, seed=5))
case("vecmat", lambda x, y: np.vecmat(x, y), _numbers(3, seed=5), A)
for _name in ("floor", "ceil", "trunc", "rint", "sign"):
    case(_name, getattr(np, _name), V)
case("spacing", np.spacing, V)
case("heaviside", np.heaviside, V, W)
case("floor_divide", np.floor_divide, V, W)

# ---------------------------------------------------------------- methods of ufuncs

case("add.reduce", lambda x: np.add.reduce(x, axis=1), A)
case("multiply.reduce", lambda x: np.multiply.reduce(x, axis=0, keepdims=True), A)
case("maximum.reduce", lambda x: np.maximum.reduce(x, axis=None), A)
case("subtract.reduce", lambda x: np.subtract.reduce(x, axis=1), A)
case("hypot.reduce", lambda x: np.hypot.reduce(x, axis=1), A)
case("logaddexp.reduce", lambda x: np.logaddexp.reduce(x, axis=(0, 1)), A)
case("add.accumulate", lambda x: np.add.accumulate(x, axis=1), A)
case("multiply.accumulate", np.multiply.accumulate, V)
case("maximum.accumulate", np.maximum.accumulate, V)
case("minimum.accumulate", np.minimum.accumulate, V)
case("logaddexp.accumulate", np.logaddexp.accumulate, V)
case("multiply.outer", np.multiply.outer, V, W)
case("subtract.outer", np.subtract.outer, V, A)
case("add.reduceat", lambda x: np.add.reduceat(x, [0, 3, 1]), V)
case("multiply.reduceat", lambda x: np.multiply.reduceat(x, [0, 2], axis=1), A)

# ---------------------------------------------------------------- reductions and scans

for _name in ("sum", "prod", "mean", "var", "std", "max", "min", "amax", "amin", "ptp", "median", "average"):
    case(_name, getattr(np, _name), A)
    case(_name, lambda x, f=getattr(np, _name): f(x, axis=1), A)
    case(_name, lambda x, f=getattr(np, _name): f(x, axis=0, keepdims=True), A)
case("sum", lambda x: np.sum(x, axis=(0, 2), where=T > 0, initial=2.0), T)
case("mean", lambda x: np.mean(x, axis=1, where=A > -1), A)
case("var", lambda x: np.var(x, ddof=1, axis=1), A)
case("std", lambda x: np.std(x, axis=1, where=A > -1.5), A)
case("max", lambda x: np.max(x, axis=1, initial=0.5), A)
case("average", lambda x, w: np.average(x, axis=1, weights=w), A, PM)
case("average", lambda x, w: np.average(x, axis=1, weights=w), A, _numbers(4, low=0.2, high=1))
for _name in ("cumsum", "cumprod"):
    case(_name, getattr(np, _name), A)
    case(_name, lambda x, f=getattr(np, _name): f(x, axis=1), A)
case("cumulative_sum", lambda x: np.cumulative_sum(x, axis=1, include_initial=True), A)
case("cumulative_prod", lambda x: np.cumulative_prod(x, axis=0), A)
for _name in ("nansum", "nanprod", "nanmean", "nanvar", "nanstd", "nanmax", "nanmin", "nanmedian"):
    case(_name, lambda x, f=getattr(np, _name): f(np.where(MASK2, x, np.nan), axis=1), A)
    case(_name, getattr(np, _name), A)
for _name in ("nancumsum", "nancumprod"):
    case(_name, lambda x, f=getattr(np, _name): f(np.where(MASK2, x, np.nan), axis=1), A)
for _name, _at in (("quantile", 0.3), ("percentile", 30.0), ("nanquantile", 0.3), ("nanpercentile", 30.0)):
    case(_name, lambda x, f=getattr(np, _name), q=_at: f(x, q), A)
    case(_name, lambda x, q, f=getattr(np, _name), s=_at: f(x, s * q, axis=1), A, np.array([0.4, 1.7]))
case("nanquantile", lambda x: np.nanquantile(np.where(MASK2, x, np.nan), [0.2, 0.7], axis=1, keepdims=True), A)
for _name in ("hazen", "weibull", "median_unbiased", "normal_unbiased", "interpolated_inverted_cdf", "lower", "higher"):
    case("quantile", lambda x, m=_name: np.quantile(x, [0.13, 0.6], method=m, axis=0), A)
for _name in ("nearest", "midpoint", "inverted_cdf", "averaged_inverted_cdf", "closest_observation"):
    case("quantile", lambda x, m=_name: np.quantile(x, [0.13, 0.6], method=m), A)
case("quantile", lambda x: np.quantile(x, 0.4, method="inverted_cdf", weights=PM, axis=1), A)
case("cov", np.cov, A)
case("cov", lambda x, y: np.cov(x, y, rowvar=False, bias=True), A, B)
case("cov", lambda x, w: np.cov(x, aweights=w, fweights=[1, 2, 1, 3]), A, _numbers(4, low=0.2, high=1))
case("corrcoef", np.corrcoef, A)
case("linalg.norm", np.linalg.norm, A)
for _order in (1, 2, 3, np.inf, -np.inf, 0.5):
    case("linalg.norm", lambda x, o=_order: np.linalg.norm(x, o, axis=1), A)
for _order in (1, -1, np.inf, -np.inf, "fro"):
    case("linalg.norm", lambda x, o=_order: np.linalg.norm(x, o), A**2 + B)
case("linalg.vector_norm", lambda x: np.linalg.vector_norm(x, ord=3, axis=(0, 2), keepdims=True), T)
case("linalg.matrix_norm", np.linalg.matrix_norm, T)
case("trace", np.trace, S)
case("linalg.trace", np.linalg.trace, T)

# ---------------------------------------------------------------- shape

case("reshape", lambda x: np.reshape(x, (2, -1)), A)
case("reshape", lambda x: np.reshape(x, (6, 2), order="F"), A)
case("ravel", np.ravel, A)
case("ravel", lambda x: np.ravel(x, "F"), A)
case("transpose", lambda x: np.transpose(x, (2, 0, 1)), T)
case("permute_dims", lambda x: np.permute_dims(x, (2, 0, 1)), T)
case("matrix_transpose", np.matrix_transpose, T)
case("linalg.matrix_transpose", np.linalg.matrix_transpose, T)
case("swapaxes", lambda x: np.swapaxes(x, 0, 2), T)
case("moveaxis", lambda x: np.moveaxis(x, [0, 1], [-1, 0]), T)
case("rollaxis", lambda x: np.rollaxis(x, 2, 1), T)
case("expand_dims", lambda x: np.expand_dims(x, (0, 2)), A)
case("squeeze", lambda x: np.squeeze(x[:, None]), A)
case("atleast_1d", lambda x: np.atleast_1d(x[0]), V)
case("atleast_2d", np.atleast_2d, V)
case("atleast_3d", np.atleast_3d, A)
case("broadcast_to", lambda x: np.broadcast_to(x, (2, 3, 4)), A)
case("broadcast_arrays", lambda x, y: np.broadcast_arrays(x, y)[1], A, _numbers(4))
case("flip", lambda x: np.flip(x, 1), A)
case("fliplr", np.fliplr, A)
case("flipud", np.flipud, A)
case("rot90", np.rot90, A)
case("rot90", lambda x: np.rot90(x, 3, axes=(0, 2)), T)
case("lib.stride_tricks.sliding_window_view", lambda x: np.lib.stride_tricks.sliding_window_view(x, (2, 3)), A)
case("tril", np.tril, A)
case("tril", np.tril, V)
case("triu", lambda x: np.triu(x, 1), V)
case("ix_", lambda x, y: np.ix_(x, y)[0] * np.ix_(x, y)[1], V, W)
case("emath", lambda x: np.emath.arccos(x).imag, np.array([1.5, -1.5, 0.3]))
case("emath", lambda x: np.emath.arcsin(x).imag, np.array([1.5, -1.5, 0.3]))
case("triu", lambda x: np.triu(x, 1), T)
case("diagonal", lambda x: np.diagonal(x, 1, 1, 2), T)
case("linalg.diagonal", np.linalg.diagonal, T)
case("diag", np.diag, V)
case("diag", lambda x: np.diag(x, -1), A)
case("diagflat", lambda x: np.diagflat(x, 1), A)

# ---------------------------------------------------------------- joining, splitting, moving

case("concatenate", lambda x, y: np.concatenate([x, y, x], axis=1), A, B)
case("concat", lambda x, y: np.concat([x, y], axis=None), A, V)
case("stack", lambda x, y: np.stack([x, y], axis=-1), A, B)
case("vstack", lambda x, y: np.vstack([x, y]), V, W)
case("hstack", lambda x, y: np.hstack([x, y]), A, B)
case("dstack", lambda x, y: np.dstack([x, y]), A, B)
case("column_stack", lambda x, y: np.column_stack([x, y]), V, W)
case("append", lambda x, y: np.append(x, y, axis=0), A, B)
case("block", lambda x, y: np.block([[x, np.zeros((3, 1))], [np.ones((1, 4)), y[:1, :1]]]), A, B)
case("array_split", lambda x: np.array_split(x, 2)[1], V)
case("split", lambda x: np.split(x, [1, 3])[1], V)
case("hsplit", lambda x: np.hsplit(x, 2)[1], A)
case("vsplit", lambda x: np.vsplit(x, [1])[1], A)
case("dsplit", lambda x: np.dsplit(x, 2)[0], T)
case("unstack", lambda x: np.unstack(x, axis=1)[2], A)
case("roll", lambda x: np.roll(x, 2), A)
case("roll", lambda x: np.roll(x, (1, -1), (0, 1)), A)
case("tile", lambda x: np.tile(x, (2, 1, 2)), A)
case("repeat", lambda x: np.repeat(x, 2, axis=1), A)
case("repeat", lambda x: np.repeat(x, [1, 0, 2], axis=0), A)
case("delete", lambda x: np.delete(x, [0, 2], axis=1), A)
case("insert", lambda x, y: np.insert(x, [1, 3], y, axis=1), A, _numbers(3, 2))
case("insert", lambda x, y: np.insert(x, 2, y, axis=0), A, _numbers(4))
case("insert", lambda x, y: np.insert(x, 2, y), V, W[0])
case("resize", lambda x: np.resize(x, (2, 4)), V)
case("trim_zeros", lambda x: np.trim_zeros(np.concatenate([np.zeros(2), x, np.zeros(1)])), V)
for _name in (
    "constant",
    "edge",
    "reflect",
    "symmetric",
    "wrap",
    "mean",
    "maximum",
    "minimum",
    "median",
    "linear_ramp",
):
    case("pad", lambda x, m=_name: np.pad(x, ((1, 2), (0, 3)), mode=m), A)
case("pad", lambda x: np.pad(x, 3, mode="reflect", reflect_type="odd"), V)
case("pad", lambda x, c: np.pad(x, (1, 2), constant_values=c), V, W[0])

# ---------------------------------------------------------------- selecting and ordering

case("where", lambda x, y: np.where(x > y, x, y * y), V, W)
case("clip", lambda x: np.clip(x, -0.5, 0.7), V)
case("clip", lambda x, lo: np.clip(x, a_min=lo, a_max=None), V, W)
case("real", lambda x: np.real(x * (1 + 2j)), V)
case("imag", lambda x: np.imag(x * (1 + 2j)), V)
case("angle", lambda x: np.angle(x + 1j * x**2), V)
case("real_if_close", lambda x: np.real_if_close(x + 0j), V)
case("nan_to_num", lambda x: np.nan_to_num(np.where(MASK, x, np.nan)), V)
case("take", lambda x: np.take(x, IDX), V)
case("take", lambda x: np.take(x, [[0, 5], [-1, 2]], axis=1, mode="wrap"), A)
case("take_along_axis", lambda x: np.take_along_axis(x, np.argsort(x, 1), 1), A)
case("choose", lambda x, y: np.choose(x > 0, [x, y]), V, W)
case("choose", lambda x, y: np.choose([0, 1, 1, 0, 1], [x, y]), V, W)
case("compress", lambda x: np.compress([True, False, True], x, axis=0), A)
case("extract", lambda x: np.extract(MASK2, x), A)
case("select", lambda x: np.select([x > 1, x > 0], [x**2, np.sin(x)], default=-x), V)
case("piecewise", lambda x: np.piecewise(x, [x < 0, x > 1], [np.sin, np.exp, lambda t: t**3]), V)
case("sort", lambda x: np.sort(x, axis=0), A)
case("partition", lambda x: np.sort(np.partition(x, 2)[:3]), V)
case("sort_complex", lambda x: np.real(np.sort_complex(x)), V)
case("unique", np.unique, V)
case("unique_values", np.unique_values, V)
case("unique_all", lambda x: np.unique_all(x).values, V)
case("unique_counts", lambda x: np.unique_counts(x).values, V)
case("unique_inverse", lambda x: np.unique_inverse(x)[0], V)
case("union1d", np.union1d, V, W)
case("intersect1d", lambda x: np.intersect1d(x, x[:3]), V)
case("setdiff1d", lambda x: np.setdiff1d(x, x[:2]), V)
case("setxor1d", np.setxor1d, V, W)

# ---------------------------------------------------------------- products

case("dot", np.dot, A, B.T)
case("dot", np.dot, T, _numbers(4, 2))
case("dot", np.dot, A, W[0])
case("vdot", np.vdot, A, B)
case("inner", np.inner, A, B)
case("outer", np.outer, V, A)
case("linalg.outer", np.linalg.outer, V, W)
case("tensordot", lambda x, y: np.tensordot(x, y, axes=([1, 2], [0, 1])), T, _numbers(3, 4, 2))
case("linalg.tensordot", lambda x, y: np.linalg.tensordot(x, y, axes=1), A, B.T)
case("kron", np.kron, A, S[:2])
case("cross", np.cross, S, _numbers(3, 3))
case("linalg.cross", np.linalg.cross, S, _numbers(3, 3))
case("linalg.matmul", np.linalg.matmul, A, B.T)
case("linalg.vecdot", np.linalg.vecdot, A, B)
case("linalg.multi_dot", lambda x, y, z: np.linalg.multi_dot([x, y, z]), A, B.T, S)
case("einsum", lambda x, y: np.einsum("ij,ij->i", x, y), A, B)
case("einsum", lambda x, y: np.einsum("bij,ij,kj->bk", x, y, y, optimize="optimal"), T, B)
case("einsum", lambda x: np.einsum("...ii", x), _numbers(2, 3, 3))

# ---------------------------------------------------------------- calculus

case("diff", lambda x: np.diff(x, 2, axis=1), A)
case("diff", lambda x, p: np.diff(x, prepend=p, append=x[:1] * 2), V, W[0])
case("ediff1d", lambda x: np.ediff1d(x, to_begin=x[0] * 2, to_end=[1.0]), V)
case("gradient", np.gradient, V)
case("gradient", lambda x, h: np.gradient(x, h, edge_order=2)[1], A, np.array(0.7))
case("gradient", lambda x, t: np.gradient(x, t, axis=1), A, np.array([0.0, 0.4, 1.0, 1.7]))
case("gradient", lambda x, t: np.gradient(x, t, axis=1, edge_order=2), A, np.array([0.0, 0.4, 1.0, 1.7]))
case("trapezoid", np.trapezoid, A)
case("trapezoid", lambda y, x: np.trapezoid(y, x, axis=1), A, np.array([0.0, 0.4, 1.0, 1.7]))
case("trapezoid", lambda x: np.trapezoid([0, 1, 1, 0], np.stack([x, 2 * x])), np.array([0.0, 0.4, 1.0, 1.7]))
case("trapezoid", lambda y, h: np.trapezoid(y, dx=h, axis=0), A, np.array(0.3))
case(
    "interp",
    lambda x, xp, fp: np.interp(x, xp, fp),
    np.array([-0.5, 0.2, 0.7, 1.6, 4.0]),
    np.array([0.0, 0.5, 1.0, 2.0]),
    np.array([1.0, -1.0, 2.0, 0.5]),
)
case(
    "interp",
    lambda x, fp: np.interp(x, [0.0, 0.5, 1.0, 2.0], fp, left=0.0, right=9.0),
    np.array([-0.5, 0.2, 0.7, 1.6, 4.0]),
    np.array([1.0, -1.0, 2.0, 0.5]),
)
case(
    "interp",
    lambda x, fp: np.interp(x, [0.0, 0.5, 1.0, 2.0], fp, period=2.5),
    np.array([-0.6, 0.2, 0.7, 1.6, 4.0]),
    np.array([1.0, -1.0, 2.0, 0.5]),
)
case("unwrap", lambda x: np.unwrap(4 * x), V)
case("unwrap", lambda x, p: np.unwrap(x, period=p), np.array([0.1, 2.9, 6.2, 0.3, 3.3]), np.array(6.5))
for _name in ("full", "same", "valid"):
    case("convolve", lambda x, y, m=_name: np.convolve(x, y, m), V, W[:3])
    case("convolve", lambda x, y, m=_name: np.convolve(x, y, m), V[:2], W)
    case("correlate", lambda x, y, m=_name: np.correlate(x, y, m), V, W[:4])
    case("correlate", lambda x, y, m=_name: np.correlate(x, y, m), V[:2], W)
case("bincount", lambda w: np.bincount(IDX, weights=w), _numbers(4))
case("histogram", lambda w: np.histogram(V, bins=3, weights=w)[0], W)
case("histogram", lambda x, w: np.histogram(x, bins=3, weights=w, density=True)[0], V, P)
case("histogram_bin_edges", lambda x: np.histogram_bin_edges(x, 4), V)
case("histogram2d", lambda w: np.histogram2d(V, W, bins=[2, 3], weights=w)[0], P)
case("histogramdd", lambda w: np.histogramdd([V, W], bins=2, weights=w)[0], P)

# ---------------------------------------------------------------- polynomials

case("polyval", np.polyval, V, W)
case("poly", np.poly, V)
case("roots", lambda p: np.roots(p), np.array([1.0, -6.2, 11.5, -6.1]))
case("roots", lambda p: np.abs(np.roots(p)), np.array([2.0, 1.0, 3.0, 1.5]))
case("polyadd", np.polyadd, V, W[:3])
case("polysub", np.polysub, V, W[:3])
case("polymul", np.polymul, V, W[:3])
case("polydiv", lambda u, v: np.polydiv(u, v)[0], V, P[:3])
case("polydiv", lambda u, v: np.polydiv(u, v)[1], V, P[:3])
case("polyder", lambda p: np.polyder(p, 2), V)
case("polyint", lambda p, k: np.polyint(p, 2, k), V, W[:2])
case("polyfit", lambda x, y, w: np.polyfit(x, y, 2, w=w), V, W, P)
case("vander", lambda x: np.vander(x, 4), V)
if isinstance(np.polynomial.polynomial.polyval2d, type(np.sum)):  # overridable since NumPy 2.1
    case("polynomial.polynomial.polyval2d", np.polynomial.polynomial.polyval2d, V, W, A)
    case("polynomial.polynomial.polyvalnd", lambda *x: np.polynomial.polynomial.polyvalnd(x, A), V, W)
    case("polynomial.polynomial.polygrid2d", np.polynomial.polynomial.polygrid2d, V, W[:2], A)
for _name in ("Polynomial", "Chebyshev", "Legendre", "Laguerre", "Hermite", "HermiteE"):
    # NumPy's own function takes a tensor as the point.
    case(
        "polynomial." + _name,
        lambda x, s=getattr(np.polynomial, _name)([1.0, -2.0, 0.5, 0.3]): type(s)._val(x, s.coef),
        V,
    )

# ---------------------------------------------------------------- making arrays

case("array", lambda x: np.array([x[0], x[1] * 2], like=x), V)
case("asarray", lambda x: np.asarray([x[0], x[1] * 2], like=x), V)
case("asanyarray", lambda x: np.asanyarray([x[0], x[1] * 2], like=x), V)
case("ascontiguousarray", lambda x: np.ascontiguousarray(x, like=x), V)
case("asfortranarray", lambda x: np.asfortranarray(x, like=x), V)
case("require", lambda x: np.require(x, like=x), V)
case("copy", np.copy, V)
case("astype", lambda x: np.astype(x, np.float64), V)
case("full", lambda x: np.full((2, 5), x, like=x), V)
case("full_like", lambda x: np.full_like(x, x[0]), V)
case("linspace", lambda a, b: np.linspace(a, b, 4, axis=1), V, W)
case("linspace", lambda a: np.linspace(a, 3.0, 5, endpoint=False), W[0])
case("logspace", lambda a, b: np.logspace(a, b, 3, base=2.0), V, W)
case("geomspace", lambda a, b: np.geomspace(a, b, 4), P, P[::-1] + 1)
case("meshgrid", lambda x, y: np.meshgrid(x, y)[1], V, W[:2])
case("meshgrid", lambda x, y: np.meshgrid(x, y, indexing="ij", sparse=True)[0], V, W[:2])
for _name in ("zeros_like", "ones_like", "empty_like"):

    def _filled(x: Any, make: Any = getattr(np, _name)) -> Any:
        y = make(x)
        y[...] = x**2
        return y

    case(_name, _filled, V)
for _name, _call in (
    ("zeros", lambda x: np.zeros(5, like=x)),
    ("ones", lambda x: np.ones(5, like=x)),
    ("empty", lambda x: np.empty(5, like=x)),
    ("eye", lambda x: np.eye(5, like=x)[0]),
    ("identity", lambda x: np.identity(5, like=x)[0]),
    ("tri", lambda x: np.tri(5, like=x)[0]),
    ("arange", lambda x: np.arange(5.0, like=x)),
    ("fromfunction", lambda x: np.fromfunction(lambda i: i * 1.0, (5,), like=x)),
    ("fromiter", lambda x: np.fromiter(range(5), float, like=x)),
    ("frombuffer", lambda x: np.copy(np.frombuffer(np.arange(5.0).tobytes(), like=x))),
    ("fromstring", lambda x: np.fromstring("1 2 3 4 5", sep=" ", like=x)),
):

    def _buffer(x: Any, make: Any = _call) -> Any:
        y = make(x)
        y[[0, -1]] = x[0]
        y[1:4] = np.sin(x[1:4])
        return y

    case(_name, _buffer, V)

# ---------------------------------------------------------------- writing


def _writes(name: str, write: Callable[..., Any], *args: Any) -> None:
    def run(x: Any, *rest: Any) -> Any:
        y = x + 0 * sum(np.sum(r) for r in rest)
        write(y, *rest)
        return y * y

    case(name, run, *args)


_writes("copyto", lambda y, v: np.copyto(y, v, where=MASK), V, W)
_writes("put", lambda y, v: np.put(y, [0, 3, 0], v), V, W[:3])
_writes("place", lambda y, v: np.place(y, MASK, v), V, W[:2])
_writes("putmask", lambda y, v: np.putmask(y, MASK, v), V, W[:2])
_writes("put_along_axis", lambda y, v: np.put_along_axis(y, np.array([[1], [0], [3]]), v, 1), A, _numbers(3, 1))
_writes("fill_diagonal", lambda y, v: np.fill_diagonal(y, v), A, W[0])
_writes("add.at", lambda y, v: np.add.at(y, IDX, v), V, _numbers(4))
_writes("multiply.at", lambda y, v: np.multiply.at(y, IDX, v), V, _numbers(4))

# ---------------------------------------------------------------- loops over user functions

case("apply_along_axis", lambda x: np.apply_along_axis(lambda r: np.cumsum(r) * r[0], 1, x), A)
case("apply_along_axis", lambda x: np.apply_along_axis(np.sum, 0, x), T)
case("apply_over_axes", lambda x: np.apply_over_axes(np.sum, x, [0, 2]), T)

# ---------------------------------------------------------------- numpy.emath

case("emath.sqrt", lambda x: np.abs(np.emath.sqrt(x)), V)
case("emath.log", lambda x: np.real(np.emath.log(x)), V)
case("emath.log2", lambda x: np.real(np.emath.log2(x)), V)
case("emath.log10", lambda x: np.real(np.emath.log10(x)), V)
case("emath.logn", lambda x: np.emath.logn(3.0, x), P)
case("emath.power", lambda x: np.emath.power(x, 1.5), P)
case("emath.arcsin", lambda x: np.real(np.emath.arcsin(x)), UNIT)
case("emath.arccos", lambda x: np.real(np.emath.arccos(x)), UNIT)
case("emath.arctanh", lambda x: np.real(np.emath.arctanh(x)), UNIT)

# ---------------------------------------------------------------- numpy.linalg and numpy.fft

SPD = S @ S.T + np.eye(3)
case("linalg.solve", np.linalg.solve, S, _numbers(3))
case("linalg.inv", np.linalg.inv, S)
case("linalg.pinv", np.linalg.pinv, A)
case("linalg.lstsq", lambda a, b: np.linalg.lstsq(a, b)[0], A.T, _numbers(4))
case("linalg.det", np.linalg.det, S)
case("linalg.slogdet", lambda x: np.linalg.slogdet(x)[1], S)
case("linalg.cholesky", lambda x: np.linalg.cholesky(x @ x.T), S)
case("linalg.qr", lambda x: np.linalg.qr(x)[1], S)
case("linalg.eigh", lambda x: np.linalg.eigh(x @ x.T)[0], S)
case("linalg.eigvalsh", lambda x: np.linalg.eigvalsh(x @ x.T), S)
case("linalg.eig", lambda x: np.sort(np.abs(np.linalg.eig(x)[0])), SPD)
case("linalg.eigvals", lambda x: np.sort(np.abs(np.linalg.eigvals(x))), SPD)
case("linalg.svd", lambda x: np.linalg.svd(x)[1], A)
case("linalg.svdvals", np.linalg.svdvals, A)
case("linalg.matrix_power", lambda x: np.linalg.matrix_power(x, 3), S)
case("linalg.tensorsolve", lambda a, b: np.linalg.tensorsolve(a, b), S.reshape(3, 3), _numbers(3))
case("linalg.tensorinv", lambda a: np.linalg.tensorinv(a, ind=1), S)
case("linalg.cond", np.linalg.cond, S)
for _name in ("fft", "ifft", "hfft", "ihfft", "rfft", "irfft"):
    case("fft." + _name, getattr(np.fft, _name), V)
for _name in ("fft2", "ifft2", "fftn", "ifftn", "rfft2", "irfft2", "rfftn", "irfftn", "fftshift", "ifftshift"):
    case("fft." + _name, getattr(np.fft, _name), A)
