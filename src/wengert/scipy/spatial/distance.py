"""Same names as `scipy.spatial.distance`: distances between points, differentiable by both sets of points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.spatial.distance as original

from ...errors import ShapeError
from .._face import face, floating, refuse

__all__ = ["cdist", "pdist", "squareform"]


def __getattr__(name: str) -> Any:
    return getattr(original, name)


def _cosine(x: Any, y: Any) -> Any:
    return 1.0 - np.sum(x * y, axis=-1) / (np.linalg.norm(x, axis=-1) * np.linalg.norm(y, axis=-1))


def _centred(x: Any) -> Any:
    return x - np.mean(x, axis=-1, keepdims=True)


_METRICS: dict[str, Callable[..., Any]] = {
    "euclidean": lambda x, y: np.linalg.norm(x - y, axis=-1),
    "sqeuclidean": lambda x, y: np.sum((x - y) ** 2, axis=-1),
    "cityblock": lambda x, y: np.sum(np.abs(x - y), axis=-1),
    "chebyshev": lambda x, y: np.max(np.abs(x - y), axis=-1),
    "minkowski": lambda x, y, p=2.0: np.linalg.norm(x - y, ord=p, axis=-1),
    "seuclidean": lambda x, y, V: np.linalg.norm((x - y) / np.sqrt(V), axis=-1),
    "mahalanobis": lambda x, y, VI: np.sqrt(np.einsum("...i,ij,...j->...", x - y, VI, x - y)),
    "cosine": _cosine,
    "correlation": lambda x, y: _cosine(_centred(x), _centred(y)),
    "canberra": lambda x, y: np.nansum(np.abs(x - y) / (np.abs(x) + np.abs(y)), axis=-1),
    "braycurtis": lambda x, y: np.sum(np.abs(x - y), axis=-1) / np.sum(np.abs(x + y), axis=-1),
}


def _metric(metric: Any, options: dict[str, Any]) -> Callable[[Any, Any], Any]:
    if callable(metric):
        raise refuse("scipy.spatial.distance", "a metric of one's own", "call it on x[:, None] and y[None, :]")
    if metric not in _METRICS or (metric in ("seuclidean", "mahalanobis") and not options) or "w" in options:
        raise refuse("scipy.spatial.distance", f"metric {metric!r} with {sorted(options)}", ", ".join(sorted(_METRICS)))
    return lambda x, y: _METRICS[metric](x, y, **options)


def _points(x: Any, name: str) -> Any:
    x = floating(x)
    if x.ndim != 2:
        raise ShapeError(f"{name} has shape {x.shape}, but points stand in the rows of a matrix")
    return x


@face(original.cdist)
def cdist(XA: Any, XB: Any, metric: Any = "euclidean", *, out: Any = None, **options: Any) -> Any:
    """Same as `scipy.spatial.distance.cdist`.

    XA: (m, n)   XB: (k, n)   returns: (m, k)

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> from wengert.scipy.spatial.distance import cdist
    >>> wg.grad(lambda x: np.sum(cdist(x, np.zeros((1, 2)))))(np.array([[3.0, 4.0]]))
    array([[0.6, 0.8]])
    """
    if out is not None:
        raise refuse("cdist", "out=", "out=None")
    a, b = _points(XA, "XA"), _points(XB, "XB")
    if a.shape[1] != b.shape[1]:
        raise ShapeError(f"cdist: points of {a.shape[1]} and of {b.shape[1]} coordinates", hint="equal numbers of columns")
    return _metric(metric, options)(a[:, None, :], b[None, :, :])


@face(original.pdist)
def pdist(X: Any, metric: Any = "euclidean", *, out: Any = None, **options: Any) -> Any:
    """Same as `scipy.spatial.distance.pdist`.

    X: (m, n)   returns: (m * (m - 1) / 2,)
    """
    if out is not None:
        raise refuse("pdist", "out=", "out=None")
    x = _points(X, "X")
    first, second = np.triu_indices(x.shape[0], 1)
    return _metric(metric, options)(x[first], x[second])


@face(original.squareform)
def squareform(X: Any, force: str = "no", checks: bool = True) -> Any:
    """Same as `scipy.spatial.distance.squareform`, without its checks of symmetry.

    X: (m * (m - 1) / 2,) or (m, m)   returns: the other
    """
    x = floating(X)
    if x.ndim == 2 and force != "tovector" and force != "no":
        raise refuse("squareform", f"force={force!r} of a matrix", "force='no'")
    if x.ndim == 2:
        return x[np.triu_indices(x.shape[0], 1)]
    count = round((1 + (1 + 8 * x.shape[0]) ** 0.5) / 2)
    if count * (count - 1) != 2 * x.shape[0]:
        raise ShapeError(f"squareform: {x.shape[0]} distances are not those between pairs of points")
    square = np.zeros_like(x, shape=(count, count))
    first, second = np.triu_indices(count, 1)
    square[first, second] = x
    square[second, first] = x
    return square
