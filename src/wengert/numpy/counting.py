"""Counts: bincount and histograms. Counts are constant almost everywhere; weights and edges have derivatives."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..primitives import indexing as p
from ..recording import Traced
from ._register import as_array, as_float, implements, plain, to_dtype
from .creating import linspace
from .shaping import ravel

__all__ = ["bincount", "histogram", "histogram2d", "histogram_bin_edges", "histogramdd"]


@implements(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    """Same as `numpy.bincount`, differentiable in the weights."""
    x = np.asarray(plain(x))
    if weights is None:
        return np.bincount(x, minlength=minlength)
    weights = as_array(weights)
    if weights.shape != x.shape:
        raise ArgumentError("The weights and list don't have the same length.")
    length = max(int(x.max()) + 1 if x.size else 0, minlength)
    if x.size and x.min() < 0:
        raise ArgumentError("'list' argument must have no negative elements")
    return p.index_add(to_dtype(weights, np.float64), x.astype(np.intp), spec=(p.ARRAY,), shape=(length,))


@implements(np.histogram_bin_edges)
def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Any:
    """Same as `numpy.histogram_bin_edges`; edges that follow the data's extremes have their derivative."""
    if not isinstance(bins, str) and np.ndim(plain(bins)) == 1:
        return as_array(bins)
    known = np.histogram_bin_edges(plain(a), plain(bins), plain(range), plain(weights))
    if range is None:
        a = ravel(a)
        if not a.shape[0] or bool(np.equal(np.min(a), np.max(a))):
            half = 0.5
            low, high = (np.min(a) - half, np.max(a) + half) if a.shape[0] else (0.0, 1.0)
        else:
            low, high = np.min(a), np.max(a)
    else:
        low, high = range
    if not isinstance(low, Traced) and not isinstance(high, Traced):
        return known
    return linspace(low, high, len(known))


def _density(counts: Any, edges: list[Any]) -> Any:
    counts = counts / np.sum(counts)
    for axis, edge in enumerate(edges):
        shape = [1] * counts.ndim
        shape[axis] = -1
        counts = counts / np.reshape(to_dtype(np.diff(as_array(edge)), np.float64), shape)
    return counts


@implements(np.histogram)
def histogram(a: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None) -> Any:
    """Same as `numpy.histogram`, differentiable in the weights; edges follow the data's extremes."""
    a = ravel(a)
    edges = histogram_bin_edges(a, bins, range, weights)
    values, places = np.asarray(plain(a)), np.asarray(plain(edges))
    if weights is None:
        counts: Any = np.histogram(values, places)[0]
    else:
        weights = ravel(weights)
        if weights.shape != a.shape:
            raise ArgumentError("weights should have the same shape as a.")
        bin_of = np.searchsorted(places, values, "right") - 1
        bin_of = np.where(values == places[-1], len(places) - 2, bin_of)
        kept = np.flatnonzero((values >= places[0]) & (values <= places[-1]))
        counts = p.index_add(weights[kept], bin_of[kept], spec=(p.ARRAY,), shape=(len(places) - 1,))
    return (_density(counts, [edges]) if density else counts), edges


@implements(np.histogramdd)
def histogramdd(sample: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None) -> Any:
    """Same as `numpy.histogramdd`, differentiable in the weights; edges follow the data's extremes."""
    columns = _columns(sample)
    count = len(columns)
    every = [bins] * count if np.ndim(plain(bins)) == 0 else list(bins)
    if len(every) != count:
        raise ArgumentError("The dimension of bins must be equal to the dimension of the sample x.")
    ranges = [None] * count if range is None else list(range)
    if len(ranges) != count:
        raise ArgumentError("range argument must have one entry per dimension")
    edges = [histogram_bin_edges(x, b, r) for x, b, r in zip(columns, every, ranges, strict=True)]
    values = [np.asarray(plain(x)) for x in columns]
    places = [np.asarray(plain(edge)) for edge in edges]
    if weights is None:
        counts: Any = np.histogramdd(values, places)[0]
    else:
        weights = ravel(to_dtype(as_array(weights), np.float64))
        kept = np.ones(values[0].shape, bool)
        bin_of = []
        for value, place in zip(values, places, strict=True):
            which = np.searchsorted(place, value, "right") - 1
            bin_of.append(np.where(value == place[-1], len(place) - 2, which))
            kept &= (value >= place[0]) & (value <= place[-1])
        rows = np.flatnonzero(kept)
        counts = p.index_add(
            weights[rows],
            *(which[rows] for which in bin_of),
            spec=(p.ARRAY,) * count,
            shape=tuple(len(place) - 1 for place in places),
        )
    return (_density(counts, edges) if density else counts), edges


def _columns(sample: Any) -> list[Any]:
    """Return one array per dimension from an (N, D) array or a sequence of D arrays."""
    if isinstance(sample, Traced | np.ndarray):
        rows = as_float(sample)
        rows = np.reshape(rows, (-1, 1)) if rows.ndim == 1 else rows
        return [rows[:, k] for k in builtins.range(rows.shape[1])]
    return [ravel(x) for x in sample]


@implements(np.histogram2d)
def histogram2d(
    x: Any, y: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> tuple[Any, Any, Any]:
    """Same as `numpy.histogram2d`, differentiable in the weights; edges follow the data's extremes."""
    if len(x) != len(y):
        raise ArgumentError("x and y must have the same length.")
    try:
        many = len(bins) not in (1, 2)
    except TypeError:
        many = False
    counts, edges = histogramdd([x, y], [bins, bins] if many else bins, range, density, weights)
    return counts, edges[0], edges[1]
