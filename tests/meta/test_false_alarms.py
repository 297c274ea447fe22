"""`check_derivatives` raises no false alarm: 200 functions whose derivatives are right, kinks and float32 among them.

The first are the corpus of published functions; the others are random compositions of NumPy functions.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from test_corpus import ENTRIES

import wengert as wg
from wengert.testing import check_derivatives

# Thousands of steps: right, but too slow for a check of every law (the corpus tests its derivatives).
SLOW = {"rk45_adaptive", "rk4_trajectory", "gp_marginal_likelihood"}
CORPUS = [entry for entry in ENTRIES if entry.values[0].__name__ not in SLOW]
COMPOSED = 200 - len(CORPUS)

MATRIX = np.random.default_rng(5).normal(size=(4, 4)) / 2
STEPS = [
    np.sin,
    np.tanh,
    np.cos,
    np.arctan,
    np.abs,
    lambda v: np.exp(-v * v),
    lambda v: np.sqrt(1 + v * v),
    lambda v: np.log(2 + np.cos(v)),
    lambda v: np.maximum(v, 0.1),
    lambda v: np.where(v > 0, v * v, np.sin(v)),
    lambda v: np.clip(v, -1.0, 0.9),
    lambda v: v**3 / (1 + v * v),
    lambda v: MATRIX @ v,
    lambda v: v[::-1] * v,
    lambda v: np.cumsum(v) / 2,
    lambda v: np.sort(v),
    lambda v: v - np.mean(v),
    lambda v: v / (1 + np.linalg.norm(v)),
    lambda v: np.linalg.solve(MATRIX @ MATRIX.T + np.eye(4), v),
    lambda v: np.concatenate([v[2:], v[:2] * v[1]]),
    lambda v: np.convolve(v, [0.5, 0.2, 0.1], mode="same"),
    lambda v: np.real(np.fft.ifft(np.fft.fft(v) ** 2)),
    lambda v: np.interp(v, [-2.0, 0.0, 2.0], [-1.0, 0.5, 1.0]),
    lambda v: _buffered(v),
    lambda v: _branched(v),
    lambda v: wg.scan(lambda s, row: (np.tanh(s + row), s), v[0], v)[1],
    lambda v: wg.cond(np.sum(v) > 0, np.sin, lambda v: v / 2, v),
    lambda v: wg.vmap(lambda a: np.sin(a) * v[0])(v),
]
ENDS = [np.sum, np.prod, np.max, lambda v: v, lambda v: {"a": v[:2], "b": np.sum(v * v)}, lambda v: np.std(v)]


def _buffered(v):
    out = np.zeros_like(v)
    out[1:] = v[:-1] * v[1:]
    out[0] += v[3]
    return out


def _branched(v):
    return v * 2 if v[0] > v[1] else v - 0.5


def composed(seed):
    random = np.random.default_rng(seed)
    steps = [STEPS[i] for i in random.integers(len(STEPS), size=random.integers(1, 5))]
    end = ENDS[random.integers(len(ENDS))]

    def function(x):
        for step in steps:
            x = step(x)
        return end(x)

    dtype = np.float32 if seed % 5 == 0 else np.float64
    return function, random.normal(size=4).astype(dtype)


def test_there_are_two_hundred():
    assert len(CORPUS) + COMPOSED == 200


@pytest.mark.parametrize(("function", "x", "analytic"), CORPUS)
def test_published_functions(function, x, analytic):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", wg.errors.LoopWarning)
        report = check_derivatives(function, x)
    assert report.ok, str(report)


@pytest.mark.parametrize("seed", range(COMPOSED))
def test_random_compositions(seed):
    function, x = composed(seed)
    report = check_derivatives(function, x)
    assert report.ok, str(report)
