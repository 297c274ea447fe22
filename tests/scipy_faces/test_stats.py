"""wengert.scipy.stats against scipy.stats."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats as theirs
from laws import check

import wengert as wg
import wengert.scipy.stats as ours
from wengert.errors import ShapeError, UnsupportedFunction

POINTS = np.array([-1.3, 0.2, 0.45, 0.9, 1.7, 3.0]) + 0.05
CONTINUOUS = {
    "norm": (),
    "expon": (),
    "gamma": (2.3,),
    "beta": (2.1, 1.7),
    "t": (3.5,),
    "chi2": (3.2,),
    "uniform": (),
    "lognorm": (0.8,),
    "laplace": (),
    "logistic": (),
    "cauchy": (),
    "weibull_min": (1.7,),
    "pareto": (2.5,),
    "halfnorm": (),
    "rayleigh": (),
    "gumbel_r": (),
    "invgamma": (2.5,),
    "f": (3.2, 4.1),
}
DISCRETE = {"poisson": (2.3,), "binom": (6, 0.3), "bernoulli": (0.3,), "geom": (0.3,), "nbinom": (4, 0.4)}


@pytest.mark.parametrize("method", ["logpdf", "pdf", "cdf", "logcdf", "sf", "logsf", "ppf", "isf"])
@pytest.mark.parametrize("name", CONTINUOUS)
def test_continuous(name, method):
    shapes = CONTINUOUS[name]
    mine, expected = getattr(getattr(ours, name), method), getattr(getattr(theirs, name), method)
    x = np.array([0.1, 0.4, 0.8]) if method in ("ppf", "isf") else POINTS
    value = expected(x, *shapes, 0.1, 1.4)
    np.testing.assert_allclose(mine(wg.Tensor(x), *shapes, 0.1, 1.4).numpy(), value, rtol=1e-11, atol=1e-13)
    inside = np.isfinite(value) & (value != 0) & ((value != 1) | (method in ("ppf", "isf")))
    check(
        lambda x, loc, scale: mine(x, *shapes, loc=loc, scale=scale),
        x[inside],
        np.array(0.1),
        np.array(1.4),
        second=method == "logpdf",
    )
    everywhere = wg.grad(lambda x: np.sum(np.where(inside, mine(x, *shapes, 0.1, 1.4), 0)))(x)
    assert np.all(np.isfinite(everywhere))


@pytest.mark.parametrize("name", [name for name, shapes in CONTINUOUS.items() if shapes])
def test_shapes_of_densities(name):
    x = np.array([0.3, 0.5, 0.7]) + (name == "pareto")
    check(lambda *shapes: getattr(ours, name).logpdf(x, *shapes), *map(np.array, CONTINUOUS[name]))


@pytest.mark.parametrize("method", ["logpmf", "pmf", "cdf", "logcdf", "sf", "logsf"])
@pytest.mark.parametrize("name", DISCRETE)
def test_discrete(name, method):
    counts = np.array([0, 1, 2, 5, 1.5, -1.0, 9])
    shapes = DISCRETE[name]
    mine, expected = getattr(getattr(ours, name), method), getattr(getattr(theirs, name), method)
    tensors = [wg.Tensor(float(s)) for s in shapes]
    np.testing.assert_allclose(mine(counts, *tensors).numpy(), expected(counts, *shapes), rtol=1e-11, atol=1e-13)
    inside = np.array([0.0]) if name == "bernoulli" else np.array([1, 2.0])
    check(lambda p: mine(inside, *shapes[:-1], p), np.array(shapes[-1]), second=False)


def test_multivariate_normal():
    cov = np.array([[2.0, 0.3, 0.1], [0.3, 1.5, 0.2], [0.1, 0.2, 1.0]])
    mean, x = np.array([0.1, 0.2, 0.3]), np.random.default_rng(0).standard_normal((4, 3))
    mine, expected = ours.multivariate_normal, theirs.multivariate_normal
    check(mine.logpdf, x, mean, cov)
    np.testing.assert_allclose(mine.logpdf(wg.Tensor(x), mean, cov).numpy(), expected.logpdf(x, mean, cov))
    np.testing.assert_allclose(mine.pdf(wg.Tensor(x[0]), mean, cov).numpy(), expected.pdf(x[0], mean, cov))
    np.testing.assert_allclose(mine.logpdf(wg.Tensor(x), mean, 2.0).numpy(), expected.logpdf(x, mean, 2.0))
    np.testing.assert_allclose(mine.logpdf(wg.Tensor(x)).numpy(), expected.logpdf(x, np.zeros(3)))
    np.testing.assert_allclose(mine.logpdf(wg.Tensor(0.3), 0.1, 2.0).numpy(), expected.logpdf(0.3, 0.1, 2.0))
    np.testing.assert_allclose(mine.logpdf(x, mean, np.diag(cov)), expected.logpdf(x, mean, np.diag(cov)))
    with pytest.raises(UnsupportedFunction, match="allow_singular=True"):
        mine.logpdf(wg.Tensor(x), mean, cov, allow_singular=True)
    with pytest.raises(ShapeError, match="cov has shape \\(2, 2\\)"):
        mine.logpdf(wg.Tensor(x), mean, np.eye(2))


def test_dirichlet():
    x, alpha = np.array([0.2, 0.3, 0.5]), np.array([1.5, 2.0, 3.0])
    check(lambda alpha: ours.dirichlet.logpdf(x, alpha), alpha)
    np.testing.assert_allclose(
        ours.dirichlet.logpdf(x[:2], wg.Tensor(alpha)).numpy(), theirs.dirichlet.logpdf(x, alpha)
    )
    with pytest.raises(ShapeError, match="x has 3 entries"):
        ours.dirichlet.logpdf(x, wg.Tensor([1.0, 2]))


def test_frozen_distributions():
    x = wg.Tensor(0.7)
    np.testing.assert_allclose(ours.gamma(2.0, scale=3.0).logpdf(x).numpy(), theirs.gamma(2.0, scale=3.0).logpdf(0.7))
    assert ours.norm(1.0, 2.0).mean() == 1.0
    assert ours.norm(1.0, 2.0).logpdf(0.5) == theirs.norm(1.0, 2.0).logpdf(0.5)
    gradient = wg.grad(lambda m: ours.norm(m, 2.0).logpdf(1.0))(0.0)
    assert gradient == pytest.approx(0.25)
    with pytest.raises(AttributeError, match="a frozen distribution of tensors has no 'rvs'"):
        _ = ours.norm(wg.Tensor(0.0), 2.0).rvs


def test_plain_numbers_run_scipys_own():
    assert ours.norm.logpdf(0.3) == theirs.norm.logpdf(0.3)
    assert ours.norm.fit([1.0, 2.0]) == theirs.norm.fit([1.0, 2.0])
    assert ours.zscore is theirs.zscore


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: ours.gamma.cdf(1.0, x), UnsupportedFunction, "gammainc: the derivative by a shape parameter"),
        (lambda x: ours.norm.logpdf(x, 1, 2, 3), TypeError, "3 parameters given, at most 2 taken"),
        (lambda x: ours.norm.logpdf(x, 1, loc=2), TypeError, "unexpected or repeated argument 'loc'"),
        (lambda x: ours.gamma.logpdf(x), TypeError, "missing argument 'a'"),
        (lambda x: ours.binom.ppf(x, 3, 0.5), UnsupportedFunction, "scipy.stats.binom.ppf: this method has no"),
    ],
)
def test_refusals(call, error, message):
    with pytest.raises(error, match=message):
        wg.grad(lambda x: call(x))(0.5)


def test_a_scale_that_is_not_positive_gives_nan():
    assert np.isnan(ours.norm.logpdf(wg.Tensor(0.0), 0.0, -1.0).numpy())


@pytest.mark.parametrize(
    ("density", "at", "expected"),
    [
        (lambda x: ours.logistic.logpdf(x), -1e-9, 5e-10),  # -tanh(x / 2)
        (lambda x: ours.logistic.logpdf(x), 800.0, -1.0),
        (lambda x: ours.cauchy.logpdf(x), 1e200, -2e-200),
        (lambda v: ours.t.logpdf(1.3, v), 1e6, 3.8097518e-13),  # mpmath
    ],
)
def test_slopes_that_cancelled_or_overflowed(density, at, expected):
    assert wg.grad(density)(at) == pytest.approx(expected, rel=1e-7)
