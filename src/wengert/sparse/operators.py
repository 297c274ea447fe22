"""Jacobians and Hessians as SciPy linear operators: products without the matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import tree
from .point import PointMemo


class _Product:
    """A product with a derivative at a point; it pickles if the user's function does."""

    def __init__(self, memo: PointMemo, x: np.ndarray, kind: str) -> None:
        self.memo = memo
        self.x = x
        self.kind = kind

    def __call__(self, v: Any) -> np.ndarray:
        """Return the product with a vector."""
        return self.memo.product(self.x, v, self.kind)


def operator_at(memo: PointMemo, x: Any) -> Any:
    """Return the Jacobian at a point as a LinearOperator."""
    from scipy.sparse.linalg import LinearOperator

    x = np.array(x)
    value = np.concatenate([np.ravel(part) for part in tree.flatten(memo.value(x))[0]])
    return LinearOperator(
        shape=(value.size, x.size),
        dtype=np.result_type(x, value),
        matvec=_Product(memo, x, "push"),
        rmatvec=_Product(memo, x, "pull"),
    )


def jacobian_operator(function: Callable[..., Any], x: Any, *args: Any) -> Any:
    """Return the Jacobian at `x` as a `scipy.sparse.linalg.LinearOperator`.

    f: x -> y   returns: (y.size, x.size) operator with matvec (one pushforward) and rmatvec (one pullback)

    Parameters
    ----------
    function : callable
        Ordinary NumPy code, `function(x, *args)`. It runs once.
    x : array
    *args
        Further arguments, not differentiated.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> J = wg.jacobian_operator(lambda x: x[1:] * x[:-1], np.array([1.0, 2.0, 3.0]))
    >>> J @ np.array([1.0, 0.0, 0.0]), J.T @ np.array([0.0, 1.0])
    (array([2., 0.]), array([0., 3., 2.]))
    """
    return operator_at(PointMemo(function, args, "jacobian_operator"), x)


def hessian_operator(function: Callable[..., Any], x: Any, *args: Any) -> Any:
    """Return the Hessian at `x` as a `scipy.sparse.linalg.LinearOperator`.

    f: x -> ()   returns: (x.size, x.size) operator; one product costs a few evaluations

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> H = wg.hessian_operator(lambda x: np.sum(x**3), np.array([1.0, 2.0]))
    >>> H @ np.array([1.0, 1.0])
    array([ 6., 12.])
    """
    from scipy.sparse.linalg import LinearOperator

    memo = PointMemo(function, args, "hessian_operator")
    x = np.array(x, dtype=float) if np.asarray(x).dtype.kind not in "fc" else np.array(x)

    product = _Product(memo, x, "hessian")
    return LinearOperator(shape=(x.size, x.size), dtype=x.dtype, matvec=product, rmatvec=product)
