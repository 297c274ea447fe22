"""`scipy.spatial.distance` on tensors."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.spatial.distance as theirs
from faces import both

import wengert as wg
import wengert.scipy.spatial.distance as ours
from wengert.errors import ShapeError, UnsupportedFunction

rng = np.random.default_rng(5)
A, B = rng.normal(size=(4, 3)), rng.normal(size=(2, 3))
METRICS = {
    **{name: {} for name in ("euclidean", "sqeuclidean", "cityblock", "chebyshev", "cosine", "correlation")},
    **{name: {} for name in ("canberra", "braycurtis")},
    "minkowski": {"p": 3.0},
    "seuclidean": {"V": np.array([1.0, 2.0, 0.5])},
    "mahalanobis": {"VI": np.array([[2.0, 0.3, 0.0], [0.3, 1.0, 0.1], [0.0, 0.1, 1.5]])},
}


@pytest.mark.parametrize("metric", METRICS)
def test_metrics(metric):
    options = METRICS[metric]
    both(lambda x, y: ours.cdist(x, y, metric, **options), lambda x, y: theirs.cdist(x, y, metric, **options), A, B)
    both(lambda x: ours.pdist(x, metric, **options), lambda x: theirs.pdist(x, metric, **options), A)


def test_squareform_both_ways():
    both(ours.squareform, theirs.squareform, theirs.pdist(A))
    square = theirs.squareform(theirs.pdist(A))
    both(lambda x: ours.squareform(x, checks=False), lambda x: theirs.squareform(x, checks=False), square)


def test_points_that_coincide_have_derivative_zero():
    x = np.zeros((2, 3))
    np.testing.assert_array_equal(wg.grad(lambda x: np.sum(ours.pdist(x)))(x), x)


def test_what_is_refused():
    x = wg.Tensor(A)
    with pytest.raises(UnsupportedFunction, match="metric 'jaccard'"):
        ours.cdist(x, B, "jaccard")
    with pytest.raises(UnsupportedFunction, match=r"a metric of one's own"):
        ours.cdist(x, B, lambda u, v: 0.0)
    with pytest.raises(UnsupportedFunction, match="out="):
        ours.cdist(x, B, out=np.zeros((4, 2)))
    with pytest.raises(UnsupportedFunction, match="out="):
        ours.pdist(x, out=np.zeros(6))
    with pytest.raises(UnsupportedFunction, match="force='tomatrix' of a matrix"):
        ours.squareform(wg.Tensor(np.eye(3)), "tomatrix")
    with pytest.raises(ShapeError, match="3 and of 2 coordinates"):
        ours.cdist(x, B[:, :2])
    with pytest.raises(ShapeError, match=r"XA has shape \(3,\)"):
        ours.cdist(x[0], B)
    with pytest.raises(ShapeError, match="4 distances are not"):
        ours.squareform(wg.Tensor(np.ones(4)))
