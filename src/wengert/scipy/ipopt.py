"""Nonlinear programs for IPOPT: cyipopt's problem interface with exact sparse derivatives.

The problem object needs no cyipopt; only `minimize_ipopt` does (extra "ipopt").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..require import require
from ..sparse.point import PointMemo, Reused


class _Lagrangian:
    """factor f(x) + multipliers . c(x): the function whose Hessian IPOPT wants."""

    def __init__(self, objective: Callable[..., Any], constraints: Callable[..., Any] | None) -> None:
        self._objective = objective
        self._constraints = constraints

    def __call__(self, x: Any, factor: Any, multipliers: Any) -> Any:
        total = factor * np.sum(self._objective(x))
        if self._constraints is not None:
            total = total + np.sum(np.ravel(self._constraints(x)) * multipliers)
        return total


class Problem:
    """An optimization problem with the methods that cyipopt calls.

    f: (n,) -> ()   c: (n,) -> (m,)

    Parameters
    ----------
    objective : callable
        The function to minimize: ordinary NumPy code.
    x0 : array
        Where the structure is found; usually the start.
    constraints : callable, optional
        A vector function; its bounds are given to the solver.

    Notes
    -----
    The Jacobian's structure is that of the CSR form, the Hessian's the lower triangle of its own. Each function runs
    once for each distinct point, and again for the Hessian only if Python branches on values. What they read from
    outside is taken as it is at first. A path that Python takes only later may have entries outside of the structure,
    which IPOPT cannot change; that raises instead of dropping them.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert.scipy.ipopt import Problem
    >>> problem = Problem(lambda x: np.sum(x**2), np.array([1.0, 2.0]), lambda x: x[:1] * x[1:])
    >>> problem.jacobianstructure(), problem.jacobian(np.array([3.0, 4.0]))
    ((array([0, 0]), array([0, 1])), array([4., 3.]))
    >>> problem.hessian(np.array([3.0, 4.0]), np.array([10.0]), 1.0)
    array([ 2., 10.,  2.])
    """

    def __init__(self, objective: Callable[..., Any], x0: Any, constraints: Callable[..., Any] | None = None) -> None:
        self._objective = PointMemo(objective, (), "Problem: objective")
        self._constraints = None if constraints is None else PointMemo(constraints, (), "Problem: constraints")
        self._lagrangian = Reused(_Lagrangian(objective, constraints), "hessian", "Problem")
        x0 = np.asarray(x0, float)
        self.n = x0.size
        self.m = 0 if self._constraints is None else np.size(self._constraints.value(x0))
        self._jacobian = self._jacobian_places(x0)
        self._hessian = self._hessian_places(x0)

    def _jacobian_places(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self._constraints is None:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        return _places(self._constraints.recipe(x))

    def _hessian_places(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        recipe, _ = self._second(x, np.ones(self.m), 1.0)
        rows, columns = _places(recipe)
        keep = rows >= columns
        return rows[keep], columns[keep]

    def _second(self, x: np.ndarray, multipliers: Any, factor: float) -> Any:
        return self._lagrangian.evaluate(x, np.asarray(float(factor)), np.asarray(multipliers, float))

    def objective(self, x: Any) -> float:
        """Return f(x)."""
        return float(np.asarray(self._objective.value(x)))

    def gradient(self, x: Any) -> np.ndarray:
        """Return the gradient of f."""
        return np.ascontiguousarray(self._objective.gradient(x), dtype=float)

    def constraints(self, x: Any) -> np.ndarray:
        """Return c(x)."""
        return np.zeros(0) if self._constraints is None else np.ravel(self._constraints.value(x))

    def jacobianstructure(self) -> tuple[np.ndarray, np.ndarray]:
        """Return rows and columns of the Jacobian's entries."""
        return self._jacobian

    def jacobian(self, x: Any) -> np.ndarray:
        """Return the entries of the Jacobian, in the order of the structure."""
        if self._constraints is None:
            return np.zeros(0)
        matrix = self._constraints.matrix(x, "jacobian", "sparse")
        return _values_at(matrix, *self._jacobian, "Jacobian")

    def hessianstructure(self) -> tuple[np.ndarray, np.ndarray]:
        """Return rows and columns of the entries of the Lagrangian's Hessian, lower triangle."""
        return self._hessian

    def hessian(self, x: Any, lagrange: Any, obj_factor: float) -> np.ndarray:
        """Return the entries of the Lagrangian's Hessian, in the order of the structure."""
        from scipy.sparse import tril

        from ..sparse.jacobians import sparse_matrix

        recipe, data = self._second(np.asarray(x, float), lagrange, obj_factor)
        return _values_at(tril(sparse_matrix(recipe, data), format="csr"), *self._hessian, "Hessian")


def _places(recipe: Any) -> tuple[np.ndarray, np.ndarray]:
    rows = np.repeat(np.arange(recipe.shape[0]), np.diff(recipe.indptr))
    return rows, recipe.indices.astype(np.int64)


def _values_at(matrix: Any, rows: np.ndarray, columns: np.ndarray, name: str) -> np.ndarray:
    """Return the entries at these places, which are sorted by row and column; raise if there are others."""
    from scipy.sparse import csr_array

    from ..errors import StructureError

    matrix = csr_array(matrix)
    matrix.sort_indices()
    here = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    width = max(matrix.shape[1], 1)
    keys, wanted = here * width + matrix.indices, rows * width + columns
    if len(keys) == len(wanted) and np.array_equal(keys, wanted):
        return matrix.data
    places = np.searchsorted(wanted, keys)
    if (len(keys) and (places >= len(wanted)).any()) or not np.array_equal(wanted[places], keys):
        raise StructureError(
            f"Problem: the {name} at this point has entries that its structure at x0 does not have",
            why="Python took another path here, and IPOPT's structure is fixed",
            hint="np.where instead of a branch on the value, or an x0 on the path with more entries",
        )
    result = np.zeros(len(wanted))
    result[places] = matrix.data
    return result


def minimize_ipopt(
    objective: Callable[..., Any],
    x0: Any,
    constraints: Callable[..., Any] | None = None,
    *,
    lb: Any = None,
    ub: Any = None,
    cl: Any = None,
    cu: Any = None,
    options: dict[str, Any] | None = None,
) -> tuple[np.ndarray, dict[str, Any]]:
    """Minimize with IPOPT, with exact sparse first and second derivatives.

    f: (n,) -> ()   c: (n,) -> (m,)   returns: (x, cyipopt's info)

    Parameters
    ----------
    objective, x0, constraints
        As for `Problem`.
    lb, ub : array, optional
        Bounds of x; none if not given.
    cl, cu : array, optional
        Bounds of the constraints; 0 = c(x) if not given.
    options : dict, optional
        IPOPT's options by name.

    Raises
    ------
    MissingPackage
        If cyipopt is not installed (extra "ipopt").
    """
    cyipopt = require("cyipopt", extra="ipopt")
    x0 = np.asarray(x0, float)
    problem = Problem(objective, x0, constraints)
    solver = cyipopt.Problem(
        n=problem.n,
        m=problem.m,
        problem_obj=problem,
        lb=_bound(lb, problem.n, -np.inf),
        ub=_bound(ub, problem.n, np.inf),
        cl=_bound(cl, problem.m, 0.0),
        cu=_bound(cu, problem.m, 0.0),
    )
    for name, value in (options or {}).items():
        solver.add_option(name, value)
    return solver.solve(x0)


def _bound(value: Any, count: int, default: float) -> np.ndarray:
    return np.full(count, default) if value is None else np.broadcast_to(np.asarray(value, float), (count,)).copy()


__all__: Sequence[str] = ["Problem", "minimize_ipopt"]
