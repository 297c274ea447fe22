"""Every error of the NumPy functions: NumPy's own kind of error for the same call, from the library's hierarchy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import wengert as wg
import wengert.numpy as xp

V, A, E = np.arange(5.0), np.arange(12.0).reshape(3, 4), np.zeros(0)
S = np.ones(())
Call = Callable[[Any, Any, Any, Any], Any]

# (call of the arrays v (5,), a (3, 4), e (0,), s (); what the message says). NumPy raises for the same call.
CALLS: list[tuple[Call, str]] = [
    # calculus
    (lambda v, a, e, s: np.diff(v, -1), "order must be non-negative but got -1"),
    (lambda v, a, e, s: np.diff(s), "at least one dimensional"),
    (lambda v, a, e, s: np.gradient(v, edge_order=3), "'edge_order' greater than 2"),
    (lambda v, a, e, s: np.gradient(v, 1.0, 2.0), "invalid number of arguments"),
    (lambda v, a, e, s: np.gradient(v[:1]), "too small to calculate a numerical gradient"),
    (lambda v, a, e, s: np.gradient(v, a), "scalars or 1d"),
    (lambda v, a, e, s: np.gradient(v, v[:3]), "distances must match the length"),
    (lambda v, a, e, s: np.interp(v, v, v[:3]), "not of the same length"),
    (lambda v, a, e, s: np.interp(v, e, e), "sample points is empty"),
    (lambda v, a, e, s: np.interp(v, v, v, period=0), "period must be a non-zero value"),
    (lambda v, a, e, s: np.convolve(v, a), "object too deep"),
    (lambda v, a, e, s: np.convolve(e, v), "a cannot be empty|array cannot be empty"),
    (lambda v, a, e, s: np.convolve(v, e), "v cannot be empty|array cannot be empty"),
    (lambda v, a, e, s: np.convolve(v, v, "odd"), "mode must be one of"),
    # counting
    (lambda v, a, e, s: np.bincount([0, 1], weights=v), "length"),
    (lambda v, a, e, s: np.bincount([0, -1], weights=v[:2]), "negative"),
    (lambda v, a, e, s: np.histogram(v, weights=v[:2]), "same shape as a"),
    (lambda v, a, e, s: np.histogramdd([v, v], bins=[2]), "dimension of bins|bins must be equal"),
    (lambda v, a, e, s: np.histogramdd([v, v], range=[(0, 1)]), "one entry per dimension"),
    (lambda v, a, e, s: np.histogram2d(v, v[:2]), "same length"),
    # creating
    (
        lambda v, a, e, s: v.astype(int, casting="safe"),
        "according to the rule 'safe'",
    ),
    (lambda v, a, e, s: np.linspace(s, 2.0, -1), "must be non-negative"),
    (lambda v, a, e, s: np.geomspace(s * 0, 2.0), "cannot include zero"),
    (lambda v, a, e, s: np.meshgrid(v, indexing="zz"), "'xy' and 'ij'"),
    (lambda v, a, e, s: np.vander(a), "one-dimensional"),
    # joining
    (lambda v, a, e, s: np.concatenate([v, v], dtype=int), "Cannot cast"),
    (lambda v, a, e, s: np.concatenate([s, s]), "zero-dimensional arrays"),
    (lambda v, a, e, s: np.concatenate([v, a]), "dimensions|as many axes"),
    (lambda v, a, e, s: np.concatenate([a, a[:, :2]]), "match|cannot concatenate"),
    (lambda v, a, e, s: np.stack([v, v[:2]]), "same shape|one shape"),
    (lambda v, a, e, s: np.block([[v], []]), "cannot be empty"),
    (lambda v, a, e, s: np.array_split(v, 0), "larger than 0"),
    (lambda v, a, e, s: np.split(v, 2), "equal division"),
    (lambda v, a, e, s: np.vsplit(v, 1), "vsplit only works on arrays of 2"),
    (lambda v, a, e, s: np.unstack(s), "at least 1-d"),
    (lambda v, a, e, s: np.roll(v, [[1]], 0), "scalars or 1D sequences"),
    (lambda v, a, e, s: np.repeat(v, -1), "negative"),
    (lambda v, a, e, s: np.resize(v, (-1,)), "non-negative"),
    # looping
    (lambda v, a, e, s: np.apply_along_axis(np.sum, 0, a[:, :0]), "iteration dimensions are 0"),
    (lambda v, a, e, s: np.apply_over_axes(lambda x, i: np.sum(x), a, [0]), "correct shape"),
    # missing
    (lambda v, a, e, s: np.nanvar(v, ddof=1, correction=1), "can't be provided simultaneously"),
    (lambda v, a, e, s: np.var(v, ddof=1, correction=1), "can't be provided simultaneously"),
    # norms
    (lambda v, a, e, s: np.linalg.norm(a[None], 1), "Improper number of dimensions"),
    (lambda v, a, e, s: np.linalg.norm(a, axis=(0, 0)), "Duplicate axes|duplicate"),
    (lambda v, a, e, s: np.linalg.norm(a, 3), "Invalid norm order for matrices"),
    (lambda v, a, e, s: np.linalg.norm(v, "odd", axis=0), "Invalid norm order 'odd' for vectors"),
    # ordering
    (lambda v, a, e, s: np.sort(v, order="x"), "order"),
    (lambda v, a, e, s: np.argmax(e), "argmax of an empty sequence"),
    (lambda v, a, e, s: np.searchsorted(v, 1.0, "up"), "side"),
    (lambda v, a, e, s: np.searchsorted(a, 1.0), "object too deep"),
    (lambda v, a, e, s: np.digitize(v, [1.0, 0.0, 2.0]), "monotonically"),
    # padding
    (lambda v, a, e, s: np.pad(v, 1, "odd"), "mode 'odd' is not supported"),
    (lambda v, a, e, s: np.pad(v, 1, "edge", end_values=1), "unsupported keyword arguments"),
    (lambda v, a, e, s: np.pad(v, 1.5), "integral type"),
    (lambda v, a, e, s: np.pad(v, -1), "negative values"),
    # polynomials
    (lambda v, a, e, s: np.poly(a), "square 2d"),
    (lambda v, a, e, s: np.roots(a), "rank-1"),
    (lambda v, a, e, s: np.polyder(v, -1), "must be positive"),
    (lambda v, a, e, s: np.polyint(v, -1), "must be positive"),
    (lambda v, a, e, s: np.polyint(v, 3, [1.0, 2.0]), "k must be a scalar"),
    (lambda v, a, e, s: np.polyfit(v, v, -1), "deg >= 0"),
    (lambda v, a, e, s: np.polyfit(a, v, 1), "1D vector for x"),
    (lambda v, a, e, s: np.polyfit(e, v, 1), "non-empty vector"),
    (lambda v, a, e, s: np.polyfit(v, s, 1), "1D or 2D array for y"),
    (lambda v, a, e, s: np.polyfit(v, v[:2], 1), "same length"),
    (lambda v, a, e, s: np.polyfit(v, v, 1, w=a), "1-d array for weights"),
    (lambda v, a, e, s: np.polyfit(v[:2], v[:2], 1, cov=True), "number of data points must exceed"),
    # products
    (lambda v, a, e, s: np.tensordot(a, a, 1), "shape-mismatch"),
    (lambda v, a, e, s: np.vecdot(v, v[:2]), "mismatch|do not fit"),
    (lambda v, a, e, s: np.matmul(a, a), "mismatch|do not fit"),
    (lambda v, a, e, s: np.cross(v, v), "3-dimensional|2 or 3"),
    (lambda v, a, e, s: np.linalg.multi_dot([a]), "at least two arrays"),
    (lambda v, a, e, s: np.einsum("ij,jk", a), "subscripts|operands"),
    (lambda v, a, e, s: np.einsum("ijk", a), "subscripts"),
    (lambda v, a, e, s: np.einsum("ij->k", a), "output"),
    (lambda v, a, e, s: np.einsum("ij,ij", a, a[:, :3]), "broadcast|sizes"),
    (lambda v, a, e, s: np.einsum("i1", a), "subscript"),
    # reducing
    (lambda v, a, e, s: np.max(v, where=v > 2), "specify 'initial'"),
    (lambda v, a, e, s: np.max(e), "zero-size array"),
    (lambda v, a, e, s: np.average(a, weights=v), "Axis must be specified"),
    (lambda v, a, e, s: np.average(a, axis=0, weights=v), "consistent with shape of a"),
    (lambda v, a, e, s: np.average(v, weights=v * 0), "Weights sum to zero"),
    (lambda v, a, e, s: np.cumulative_sum(a), "``axis`` argument is required"),
    (lambda v, a, e, s: np.sum(a, axis=5), "out of bounds"),
    (lambda v, a, e, s: np.sum(a, axis=(0, 0)), "duplicate value in 'axis'"),
    # selecting
    (lambda v, a, e, s: np.where(v > 0, v), "either both or neither"),
    (lambda v, a, e, s: np.take(v, np.array([0.5])), "Cannot cast"),
    (lambda v, a, e, s: np.take(v, [9]), "out of bounds"),
    (lambda v, a, e, s: np.take_along_axis(a, np.array([0]), 0), "same number of dimensions"),
    (lambda v, a, e, s: np.take_along_axis(a, np.zeros((1, 3), int), 0), "broadcast"),
    (lambda v, a, e, s: np.choose([3], [v, v]), "invalid entry in choice array"),
    (lambda v, a, e, s: np.select([v > 0], [v, v]), "same length"),
    (lambda v, a, e, s: np.select([], [v][:0]), "condition list|empty"),
    (lambda v, a, e, s: np.select([v], [v]), "should be boolean"),
    (lambda v, a, e, s: np.piecewise(v, [v > 0], [1, 2, 3]), "functions are expected"),
    # shaping
    (lambda v, a, e, s: np.reshape(a, (-1, -1)), "one unknown dimension"),
    (lambda v, a, e, s: np.reshape(a, (5, -1)), "cannot reshape array of size 12"),
    (lambda v, a, e, s: np.reshape(a, (5, 2)), "cannot reshape"),
    (lambda v, a, e, s: np.transpose(a, (0, 0)), "axes don't match|repeated axis"),
    (lambda v, a, e, s: np.matrix_transpose(v), "at least 2-dimensional"),
    (lambda v, a, e, s: np.moveaxis(a, [0, 0], [0, 1]), "repeated axis"),
    (lambda v, a, e, s: np.moveaxis(a, [0], [0, 1]), "same number of elements"),
    (lambda v, a, e, s: np.squeeze(a, 0), "not equal to one"),
    (lambda v, a, e, s: np.rot90(a, axes=(0, 0)), "Axes must be different"),
    (lambda v, a, e, s: np.lib.stride_tricks.sliding_window_view(a, (2,)), "matching length"),
    (lambda v, a, e, s: np.lib.stride_tricks.sliding_window_view(v, 9), "larger than input array"),
    (lambda v, a, e, s: np.tril_indices_from(v), "2-d"),
    (lambda v, a, e, s: np.diag_indices_from(v), "2-d"),
    (lambda v, a, e, s: np.diagonal(v), "at least two dimensions"),
    (lambda v, a, e, s: np.diagonal(a, 0, 0, 0), "cannot be the same"),
    (lambda v, a, e, s: np.diag(a[None]), "1- or 2-d"),
    (lambda v, a, e, s: np.broadcast_to(a, (2, 2)), "broadcast"),
    # statistics
    (lambda v, a, e, s: np.quantile(v, 1.5), r"range \[0, 1\]"),
    (lambda v, a, e, s: np.quantile(v, 0.5, weights=v), "Only method 'inverted_cdf' supports weights"),
    (lambda v, a, e, s: np.quantile(v, 0.5, method="odd"), "'odd' is not a valid method"),
    (lambda v, a, e, s: np.cov(v, ddof=0.5), "ddof must be integer"),
    (lambda v, a, e, s: np.cov(a[None]), "more than 2 dimensions"),
    (lambda v, a, e, s: np.cov(v, fweights=v + 0.5), "must be integer"),
    # writing
    (lambda v, a, e, s: np.copyto(v, v * 1j), "Cannot cast"),
    (lambda v, a, e, s: np.place(v, v > 1, []), "empty array"),
    (lambda v, a, e, s: np.fill_diagonal(v, 1.0), "at least 2-d"),
    (lambda v, a, e, s: np.fill_diagonal(a[None], 1.0), "equal length"),
    (lambda v, a, e, s: v.flat.__setitem__(9, 1.0), "out of bounds"),
    (lambda v, a, e, s: v.flat.__setitem__([9], 1.0), "out of bounds"),
    # indexing
    (lambda v, a, e, s: v[9], "out of bounds"),
    (lambda v, a, e, s: v[..., ...], "single ellipsis"),
    (lambda v, a, e, s: v[0, 0], "too many indices"),
    (lambda v, a, e, s: v[0.5], "only integers"),
    (lambda v, a, e, s: v[np.ones(3, bool)], "boolean index"),
    (lambda v, a, e, s: len(s), r"len\(\) of"),
    (lambda v, a, e, s: iter(s), "iteration over"),
    # ufuncs
    (lambda v, a, e, s: np.subtract.reduce(a, axis=(0, 1)), "not reorderable"),
    (lambda v, a, e, s: np.fmax.reduce(e), "zero-size array"),
    (lambda v, a, e, s: np.add.reduceat(v, [9]), "out-of-bounds"),
]


@pytest.mark.parametrize("number", range(len(CALLS)))
def test_the_error_is_numpys_and_ours(number: int) -> None:
    call, match = CALLS[number]
    try:
        with pytest.raises((ValueError, TypeError, IndexError, ZeroDivisionError)) as theirs:
            call(*(x.copy() for x in (V, A, E, S)))
    except AttributeError:
        pytest.skip("the installed NumPy is too old to have the function")
    with pytest.raises(Exception, match=match) as ours:
        call(*map(wg.Tensor, (V, A, E, S)))
    builtins = (ValueError, TypeError, IndexError, ZeroDivisionError)
    wanted = [kind for kind in builtins if isinstance(theirs.value, kind)]
    assert any(isinstance(ours.value, kind) for kind in wanted), (theirs.value, ours.value)


# Calls that NumPy has no error for, or gives another kind of error.
@pytest.mark.parametrize(
    ("call", "kind", "match"),
    [
        (lambda x: np.polyval(x, np.poly1d([1, 2])), wg.errors.UnsupportedFunction, "polyval of a polynomial"),
        (lambda x: np.pad(x, 1, lambda *_: None), wg.errors.UnsupportedFunction, "function as mode"),
        (lambda x: np.add(x, x, signature="dd->d"), wg.errors.UnsupportedFunction, "signature="),
        (lambda x: np.hypot.reduce(x, where=x > 1), wg.errors.UnsupportedFunction, "reduce with where="),
        (lambda x: xp.clip(x, 0, 1, nonsense=2), wg.errors.StructureError, "unexpected keyword argument 'nonsense'"),
        (lambda x: xp.asarray_chkfinite([np.inf]), wg.errors.ArgumentError, "infs or NaNs"),
        (lambda x: xp.concatenate([]), wg.errors.ArgumentError, "at least one array to concatenate"),
        (lambda x: xp.stack([]), wg.errors.ArgumentError, "at least one array to stack"),
        (lambda x: wg.Tensor(object()), wg.errors.StructureError, "cannot hold objects"),
        (lambda x: wg.Tensor("abc"), wg.errors.StructureError, "cannot hold objects or text; got str"),
        (
            lambda x: wg.Tensor([[1.0, 2.0], [3.0]]),
            wg.errors.ShapeError,
            "cannot be made of this list: .*inhomogeneous",
        ),
    ],
)
def test_errors_of_our_own(call: Any, kind: type[Exception], match: str) -> None:
    with pytest.raises(kind, match=match):
        call(wg.Tensor(V))


def test_roots_that_coincide_have_no_derivative() -> None:
    with pytest.raises(wg.errors.Degenerate, match="two roots coincide"):
        wg.jacobian(np.roots)(np.array([1.0, -2.0, 1.0]))
