"""B-splines, `interp1d` and interpolation on a grid for `wengert.scipy.interpolate`."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import scipy.interpolate as original

from ..errors import ArgumentError, ShapeError
from ..numpy._register import as_array
from ..primitives.base import normalize_axis
from ..primitives.sparse_operand import constant_solve
from ..recording import Traced
from ._curves import Curve, Plain, at, back, column, interval, numbers
from ._face import floating, holds_tensor, plain, refuse


class BSpline(Curve):
    """Same as `scipy.interpolate.BSpline`. t: (n + k + 1,)   c: (n, ...)"""

    def __new__(cls, t: Any, c: Any, k: int, extrapolate: Any = True, axis: int = 0) -> Any:
        if not holds_tensor((t, c)):
            return Plain(original.BSpline(t, c, k, extrapolate, axis), cls._of)
        return super().__new__(cls)

    def __init__(self, t: Any, c: Any, k: int, extrapolate: Any = True, axis: int = 0) -> None:
        self.t, self.c = floating(t), floating(c)
        self.k = int(k)
        self.extrapolate = extrapolate
        self.axis = normalize_axis(axis, self.c.ndim)
        if self.axis:
            self.c = np.moveaxis(self.c, self.axis, 0)
        if self.t.shape[0] < self.c.shape[0] + self.k + 1 or self.c.shape[0] < self.k + 1:
            raise ShapeError(f"knots {self.t.shape} and coefficients {self.c.shape} do not fit degree {self.k}")

    @classmethod
    def _of(cls, t: Any, c: Any, k: int, extrapolate: Any, axis: int) -> BSpline:
        """Make one of coefficients whose axis stands first already."""
        spline = object.__new__(cls)
        spline.t, spline.c, spline.k = floating(t), floating(c), int(k)
        spline.extrapolate, spline.axis = extrapolate, axis
        return spline

    def __call__(self, x: Any, nu: int = 0, extrapolate: Any = None) -> Any:
        """Evaluate, or the derivative of order `nu`."""
        if nu:
            return self.derivative(nu)(x, extrapolate=extrapolate)
        x = floating(x)
        t, k, n = self.t, self.k, self.c.shape[0]
        x, outside = self._fold(x, t[k], t[n], extrapolate)
        i = interval(t, x, k, n - 1)
        trailing = self.c.ndim - 1
        values = [at(self.c, i - k + j) for j in range(k + 1)]
        for r in range(1, k + 1):  # de Boor's recurrence
            for j in range(k, r - 1, -1):
                low = at(t, i - k + j)
                weight = column((x - low) / (at(t, i + 1 + j - r) - low), trailing)
                values[j] = (1 - weight) * values[j - 1] + weight * values[j]
        value = values[k]
        if outside is not None:
            value = np.where(column(outside, trailing), np.nan, value)
        return back(value, self.axis, x.ndim)

    def derivative(self, nu: int = 1) -> BSpline:
        """Return the derivative as a B-spline of lower degree."""
        t, c, k = self.t, self.c, self.k
        for _ in range(nu):
            n = c.shape[0]
            if k == 0:
                c = np.zeros_like(c)
                break
            width = t[k + 1 : n + k] - t[1:n]
            empty = np.equal(width, 0)
            slope = np.where(empty, 0.0, k / np.where(empty, 1.0, width))
            c = column(slope, c.ndim - 1) * (c[1:] - c[:-1])
            t, k = t[1 : n + k], k - 1
        return self._of(t, c, k, self.extrapolate, self.axis)


def _end_conditions(bc_type: Any, k: int) -> list[list[tuple[int, Any]]]:
    if bc_type is None or (isinstance(bc_type, str) and bc_type == "not-a-knot"):
        return [[], []]
    if isinstance(bc_type, str):
        bc_type = (bc_type, bc_type)
    found: list[list[tuple[int, Any]]] = []
    for one in bc_type:
        if one is None or (isinstance(one, str) and one == "not-a-knot"):
            found.append([])
        elif isinstance(one, str):
            named = {"natural": [(2, 0.0)], "clamped": [(1, 0.0)]}
            if one not in named:
                raise refuse("make_interp_spline", f"bc_type={one!r}", "None, 'natural', 'clamped' or derivatives")
            found.append(named[one])
        else:
            found.append([(int(order), value) for order, value in one])
    return found


def _basis_row(t: np.ndarray, k: int, n: int, x: float, order: int) -> np.ndarray:
    return np.asarray(original.BSpline(t, np.eye(n), k)(x, nu=order))


def make_interp_spline(
    x: Any, y: Any, k: int = 3, t: Any = None, bc_type: Any = None, axis: int = 0, check_finite: bool = True
) -> Any:
    """Same as `scipy.interpolate.make_interp_spline`, differentiable by y; x and t are plain numbers."""
    if not holds_tensor((x, y, t, bc_type)):
        spline = original.make_interp_spline(x, y, k, t, bc_type, axis, check_finite)
        return Plain(spline, BSpline._of)
    from scipy.sparse import csr_array, vstack

    x, t = (plain(v, "make_interp_spline") for v in (x, t))
    x = np.asarray(x, dtype=float)
    y = floating(y)
    axis = normalize_axis(axis, y.ndim)
    y = np.moveaxis(y, axis, 0)
    if x.shape[0] != y.shape[0]:
        raise ShapeError(f"Shapes of x {x.shape} and y {y.shape} are incompatible")
    start, end = _end_conditions(bc_type, k)
    zero = np.zeros(len(x))
    form = original.make_interp_spline(
        x, zero, k, t, ([(o, 0.0) for o, _ in start] or None, [(o, 0.0) for o, _ in end] or None)
    )
    knots, n = form.t, len(form.t) - k - 1
    rows = [original.BSpline.design_matrix(x, knots, k)]
    rows += [csr_array(_basis_row(knots, k, n, x[0], order)[None]) for order, _ in start]
    rows += [csr_array(_basis_row(knots, k, n, x[-1], order)[None]) for order, _ in end]
    shape = (1, *y.shape[1:])
    right = [y, *(np.reshape(np.broadcast_to(as_array(v), shape[1:]), shape) for _, v in (*start, *end))]
    matrix = vstack(rows, format="csr") if len(rows) > 1 else rows[0]
    c = constant_solve(matrix, np.concatenate(right, axis=0) if len(right) > 1 else y)
    return BSpline._of(knots, c, k, True, axis)


class interp1d(Curve):
    """Same as `scipy.interpolate.interp1d`."""

    def __new__(
        cls, x: Any, y: Any, kind: Any = "linear", axis: int = -1, copy: bool = True, *args: Any, **options: Any
    ) -> Any:
        if not holds_tensor((x, y, options.get("fill_value"))):
            curve = original.interp1d(x, y, kind, axis, copy, *args, **options)
            return Plain(curve, lambda *_: cls._of(x, y, kind, axis, copy, *args, **options))
        return super().__new__(cls)

    @classmethod
    def _of(cls, *args: Any, **options: Any) -> interp1d:
        curve = object.__new__(cls)
        curve.__init__(*args, **options)  # type: ignore[misc]
        return curve

    def __init__(
        self,
        x: Any,
        y: Any,
        kind: Any = "linear",
        axis: int = -1,
        copy: bool = True,
        bounds_error: bool | None = None,
        fill_value: Any = np.nan,
        assume_sorted: bool = False,
    ) -> None:
        x, y = floating(x), floating(y)
        self.axis = normalize_axis(axis, y.ndim)
        y = np.moveaxis(y, self.axis, 0)
        if x.ndim != 1 or x.shape[0] != y.shape[0]:
            raise ShapeError(f"x of shape {x.shape} does not fit y of shape {y.shape}")
        if not assume_sorted and not (isinstance(x, Traced) and x._data is None):
            order = np.argsort(np.asarray(numbers(x)), kind="mergesort")
            x, y = x[order], y[order]
        self.x, self.y = x, y
        self.extrapolate = isinstance(fill_value, str) and fill_value == "extrapolate"
        self.bounds_error = fill_value is np.nan and not self.extrapolate if bounds_error is None else bounds_error
        if bounds_error is None and not self.extrapolate:
            self.bounds_error = not holds_tensor(fill_value) and np.ndim(fill_value) == 0 and bool(np.isnan(fill_value))
        self.fill = fill_value if isinstance(fill_value, tuple) else (fill_value, fill_value)
        orders = {"slinear": 1, "quadratic": 2, "cubic": 3}
        degree = orders.get(kind, kind)
        self.kind = kind
        self.spline: Any = None
        if isinstance(degree, int | np.integer) and kind != "slinear":
            self.spline = make_interp_spline(x, y, k=int(degree))
        elif kind not in ("linear", "slinear", "nearest", "nearest-up", "previous", "next", "zero"):
            raise refuse("interp1d", f"kind={kind!r}", "'linear', 'nearest', 'previous', 'next', 'cubic' or a degree")

    def __call__(self, x: Any) -> Any:
        """Evaluate."""
        x = floating(x)
        low, high = self.x[0], self.x[-1]
        below, above = np.less(x, low), np.greater(x, high)
        if not self.extrapolate and self.bounds_error:
            known = numbers(x)
            if not isinstance(known, Traced) and (np.any(numbers(below)) or np.any(numbers(above))):
                raise ArgumentError(
                    f"A value in x_new is outside of the interpolation range "
                    f"[{float(numbers(low))}, {float(numbers(high))}]."
                )
        trailing = self.y.ndim - 1
        value = self._inside(x, trailing)
        if not self.extrapolate and not self.bounds_error:
            value = np.where(column(below, trailing), self.fill[0], value)
            value = np.where(column(above, trailing), self.fill[1], value)
        return back(value, self.axis, x.ndim)

    def _inside(self, x: Any, trailing: int) -> Any:
        if self.spline is not None:
            return self.spline(x)
        n = self.x.shape[0]
        if self.kind in ("linear", "slinear"):
            k = interval(self.x, x, 0, n - 2, side="left")
            left, right = at(self.x, k), at(self.x, k + 1)
            slope = (at(self.y, k + 1) - at(self.y, k)) / column(right - left, trailing)
            return slope * column(x - left, trailing) + at(self.y, k)
        if self.kind in ("nearest", "nearest-up"):
            middles = 0.5 * (self.x[1:] + self.x[:-1])
            side = "right" if self.kind == "nearest-up" else "left"
            return at(self.y, interval(middles, x, -1, n - 2, side=side) + 1)
        if self.kind == "next":
            return at(self.y, interval(self.x, x, -1, n - 2, side="left") + 1)
        return at(self.y, interval(self.x, x, 0, n - 1))


class RegularGridInterpolator(Curve):
    """Same as `scipy.interpolate.RegularGridInterpolator` for the methods 'linear' and 'nearest'."""

    def __init__(
        self,
        points: Any,
        values: Any,
        method: str = "linear",
        bounds_error: bool = True,
        fill_value: Any = np.nan,
        *,
        solver: Any = None,
        solver_args: Any = None,
    ) -> None:
        if method not in ("linear", "nearest"):
            raise refuse("RegularGridInterpolator", f"method={method!r}", "'linear' or 'nearest'")
        self.grid = [floating(p) for p in points]
        self.values = floating(values)
        self.method = method
        self.bounds_error, self.fill_value = bounds_error, fill_value
        for i, p in enumerate(self.grid):
            if p.shape != (self.values.shape[i],):
                raise ShapeError(f"There are {p.shape} points and {self.values.shape[i]} values on dimension {i}")

    def __call__(self, xi: Any, method: str | None = None) -> Any:
        """Evaluate at points. xi: (..., ndim), or a tuple of arrays that broadcast"""
        count = len(self.grid)
        if isinstance(xi, tuple):
            xi = np.stack(np.broadcast_arrays(*(floating(x) for x in xi)), axis=-1)
        xi = floating(xi)
        if xi.ndim == 1 and count > 1:
            xi = np.reshape(xi, (1, -1))
        elif xi.ndim == 1:
            xi = np.reshape(xi, (-1, 1))
        if xi.shape[-1] != count:
            raise ShapeError(f"The requested sample points xi have dimension {xi.shape[-1]}, not {count}")
        outside: Any = False
        sides = []
        for i, grid in enumerate(self.grid):
            x = xi[..., i]
            outside = np.logical_or(outside, np.logical_or(np.less(x, grid[0]), np.greater(x, grid[-1])))
            k = interval(grid, x, 0, grid.shape[0] - 2)
            low = at(grid, k)
            weight = (x - low) / (at(grid, k + 1) - low)
            sides.append((k, weight))
        known = numbers(outside)
        if self.bounds_error and not isinstance(known, Traced) and np.any(known):
            raise ArgumentError("One of the requested xi is out of bounds")
        trailing = self.values.ndim - count
        if (method or self.method) == "nearest":
            place = tuple(np.where(np.less_equal(w, 0.5), k, k + 1) for k, w in sides)
            result = at(self.values, *place)
        else:
            result = 0.0
            for corner in product((0, 1), repeat=count):
                weight = 1.0
                for c, (_, w) in zip(corner, sides, strict=True):
                    weight = weight * (w if c else 1 - w)
                place = tuple(k + c for c, (k, _) in zip(corner, sides, strict=True))
                result = result + column(weight, trailing) * at(self.values, *place)
        if not self.bounds_error and self.fill_value is not None:
            result = np.where(column(outside, trailing), self.fill_value, result)
        return result
