"""SciPy's own functions: in array-API mode what it supports works unmodified; otherwise the error names the face."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import scipy
import scipy.integrate
import scipy.interpolate
import scipy.linalg
import scipy.ndimage
import scipy.signal
import scipy.sparse
import scipy.sparse.linalg
import scipy.special
import scipy.stats

import wengert as wg
from wengert.errors import TraceLost

X = np.array([0.3, 0.5, 0.9, 1.4])
M = np.array([[2.0, 0.3], [0.1, 1.5]])

MODE = """
import numpy as np, wengert as wg
import scipy.special as sp, scipy.fft as sf, scipy.integrate as si, scipy.stats as ss, scipy.signal as sg
import scipy.optimize as so, scipy.cluster.vq as vq
CASES = {
    "erf": sp.erf,
    "logsumexp": sp.logsumexp, "logsumexp_b": lambda x: sp.logsumexp(x, b=2 * x), "softmax": sp.softmax,
    "log_softmax": sp.log_softmax, "entropy": ss.entropy, "fft": lambda x: np.abs(sf.fft(x)),
    "irfft": lambda x: sf.irfft(x + 0j), "dct": sf.dct, "trapezoid": si.trapezoid,
    "cumulative_simpson": si.cumulative_simpson, "zscore": ss.zscore, "skew": ss.skew, "kurtosis": ss.kurtosis,
    "gmean": ss.gmean, "hmean": ss.hmean, "variation": ss.variation, "sem": ss.sem, "circmean": ss.circmean,
    "pearsonr": lambda x: ss.pearsonr(x, x**2).statistic, "ttest": lambda x: ss.ttest_1samp(x, 0.0).statistic,
    "fftconvolve": lambda x: sg.fftconvolve(x, x), "hilbert": lambda x: np.abs(sg.hilbert(x)), "rosen": so.rosen,
    "whiten": lambda x: vq.whiten(np.reshape(x, (2, 2))),
}
x = np.array([0.3, 0.5, 0.9, 1.4])
for name, function in CASES.items():
    found = wg.jacobian(function)(x)
    h = 1e-6
    columns = [(np.asarray(function(x + h * e)) - np.asarray(function(x - h * e))) / (2 * h) for e in np.eye(4)]
    assert np.allclose(found, np.stack(columns, -1), atol=1e-6), name
print("ok", len(CASES))
"""


@pytest.mark.skipif(
    tuple(map(int, scipy.__version__.split(".")[:2])) < (1, 17), reason="older versions support fewer functions"
)
def test_array_api_mode():
    environment = {**os.environ, "SCIPY_ARRAY_API": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MODE], capture_output=True, text=True, env=environment, timeout=120
    )
    assert done.stdout.startswith("ok"), done.stderr[-2000:]


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("linalg.expm", lambda x: scipy.linalg.expm(M * x[0])),
        ("linalg.solve", lambda x: scipy.linalg.solve(M * x[0], x[:2])),
        ("stats.norm.logpdf", lambda x: scipy.stats.norm.logpdf(x)),
        ("stats.gamma.logpdf", lambda x: scipy.stats.gamma(2.0).logpdf(x)),
        ("stats.multivariate_normal.logpdf", lambda x: scipy.stats.multivariate_normal.logpdf(x, np.zeros(4))),
        ("interpolate.CubicSpline", lambda x: scipy.interpolate.CubicSpline(np.arange(4.0), x)(1.0)),
        ("interpolate.interp1d", lambda x: scipy.interpolate.interp1d(np.arange(4.0), x)(1.0)),
        ("interpolate.CubicSpline", lambda x: scipy.interpolate.CubicSpline(np.arange(4.0), X)(x)),
        ("interpolate.interp1d", lambda x: scipy.interpolate.interp1d(np.arange(4.0), X)(x[0])),
        ("stats.norm.logpdf", lambda x: scipy.stats.norm.logpdf(x[0])),
        ("stats.norm.logpdf", lambda x: scipy.stats.norm.logpdf([x[0], x[1]])),
        ("integrate.simpson", lambda x: scipy.integrate.simpson(x)),
        ("ndimage.gaussian_filter", lambda x: scipy.ndimage.gaussian_filter(x, 1.0)),
        ("signal.lfilter", lambda x: scipy.signal.lfilter([1.0], [1.0, 0.2], x)),
        ("special.polygamma", lambda x: scipy.special.polygamma(1, x)),
        ("sparse.linalg.spsolve", lambda x: scipy.sparse.linalg.spsolve(scipy.sparse.eye_array(4).tocsc(), x)),
        ("sparse.csr_array", lambda x: scipy.sparse.csr_array((x, (range(4), range(4))))),
    ],
)
def test_the_error_names_the_face(name, call):
    with pytest.raises(TraceLost, match=f"wengert.scipy.{name} instead of scipy.{name}"):
        wg.grad(lambda x: np.sum(call(x)))(X)


def test_a_function_without_a_face():
    with pytest.raises(TraceLost, match=r"wengert.custom_vjp for scipy.linalg.hadamard|for scipy.linalg.null_space"):
        wg.grad(lambda x: np.sum(scipy.linalg.null_space(M * x[0])))(X)


def test_a_users_function_that_scipy_calls_gets_no_advice_about_scipy():
    def objective(v):
        return wg.grad(lambda x: float(np.sum(x)) + 0 * x[0])(v)[0]

    with pytest.raises(TraceLost) as caught:
        scipy.integrate.quad(lambda t: objective(np.array([t])), 0, 1)
    assert "scipy.integrate" not in str(caught.value).split("Try:")[1]


def test_the_package_lists_its_modules():
    import wengert.scipy

    assert {"fft", "integrate", "interpolate", "linalg", "ndimage", "signal", "sparse", "special", "stats"} <= set(
        dir(wengert.scipy)
    )
    assert wengert.scipy.linalg.expm is not scipy.linalg.expm
    with pytest.raises(AttributeError, match=r"'wengert\.scipy' has no attribute 'nothing'; it has fft"):
        _ = wengert.scipy.nothing
