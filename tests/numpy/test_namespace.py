"""The namespace `wengert.numpy`: its names, what NumPy lets no tensor into, the array API standard, methods."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import wengert as wg
import wengert.numpy as xp

X = np.array([[0.3, -1.2, 2.0], [1.1, 0.7, -0.4]])

# The names of the Python array API standard 2024.12.
STANDARD = """
abs acos acosh add all any arange argmax argmin argsort asarray asin asinh astype atan atan2 atanh bitwise_and
bitwise_invert bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor bool broadcast_arrays
broadcast_to can_cast ceil clip complex128 complex64 concat conj copysign cos cosh count_nonzero
cumulative_prod cumulative_sum diff divide e empty empty_like equal exp expand_dims expm1 eye finfo flip
float32 float64 floor floor_divide from_dlpack full full_like greater greater_equal hypot iinfo imag inf int16
int32 int64 int8 isdtype isfinite isinf isnan less less_equal linspace log log10 log1p log2 logaddexp
logical_and logical_not logical_or logical_xor matmul matrix_transpose max maximum mean meshgrid min minimum
moveaxis multiply nan negative newaxis nextafter nonzero not_equal ones ones_like permute_dims pi positive pow
prod real reciprocal remainder repeat reshape result_type roll round searchsorted sign signbit sin sinh sort
sqrt square squeeze stack std subtract sum take take_along_axis tan tanh tensordot tile tril triu trunc uint16
uint32 uint64 uint8 unique_all unique_counts unique_inverse unique_values unstack var vecdot where zeros
zeros_like
__array_namespace_info__
""".split()
LINALG = """
cholesky cross det diagonal eigh eigvalsh inv matmul matrix_norm matrix_power matrix_rank matrix_transpose outer pinv qr
slogdet solve svd svdvals tensordot trace vecdot vector_norm
""".split()
FFT = "fft ifft fftn ifftn rfft irfft rfftn irfftn hfft ihfft fftfreq rfftfreq fftshift ifftshift".split()


@pytest.mark.parametrize(("module", "names"), [(xp, STANDARD), (xp.linalg, LINALG), (xp.fft, FFT)])
def test_the_names_of_the_standard(module: Any, names: list[str]) -> None:
    assert [name for name in names if not hasattr(module, name)] == []


def test_the_namespace_of_a_tensor() -> None:
    x = wg.Tensor(X)
    assert x.__array_namespace__() is xp
    assert x.__array_namespace__(api_version="2024.12") is xp
    with pytest.raises(ValueError, match=r"1999\.12"):
        x.__array_namespace__(api_version="1999.12")
    assert x.device == "cpu"
    assert x.to_device("cpu") is x
    with pytest.raises(ValueError, match="the only device is 'cpu'"):
        x.to_device("gpu")
    info = xp.__array_namespace_info__()
    assert info.devices() == ["cpu"] and info.default_device() == "cpu"
    assert info.capabilities()["boolean indexing"]
    assert info.default_dtypes()["real floating"] == np.float64
    assert list(info.dtypes(kind=("bool", "integral")))[:2] == ["bool", "int8"] and len(info.dtypes()) == 13
    with pytest.raises(wg.errors.ArgumentError, match="unsupported kind: 'text'"):
        info.dtypes(kind="text")
    assert info.dtypes(kind="complex floating") == {"complex64": np.dtype("c8"), "complex128": np.dtype("c16")}


def test_code_written_for_the_standard() -> None:
    def softmax(x: Any) -> Any:
        space = x.__array_namespace__()
        shifted = space.exp(x - space.max(x, axis=-1, keepdims=True))
        return shifted / space.sum(shifted, axis=-1, keepdims=True)

    jacobian = wg.jacobian(softmax)(X[0])
    p = np.exp(X[0]) / np.exp(X[0]).sum()
    np.testing.assert_allclose(jacobian, np.diag(p) - np.outer(p, p), rtol=1e-12)


def test_dlpack() -> None:
    x = wg.Tensor(X)
    np.testing.assert_array_equal(np.from_dlpack(x), X)
    assert isinstance(xp.from_dlpack(X), wg.Tensor)
    assert xp.from_dlpack(x) is x
    with pytest.raises(wg.errors.TraceLost, match="DLPack"):
        wg.grad(lambda x: np.from_dlpack(x).sum())(X)


def test_names_are_those_of_numpy() -> None:
    own = {"astype", "cumulative_prod", "cumulative_sum", "matvec", "unstack", "vecmat"}  # after NumPy 2.0
    own |= {"sliding_window_view", "polynomial", "linalg", "fft", "emath", "__array_namespace_info__"}
    assert [name for name in xp.__all__ if not hasattr(np, name) and name not in own] == []
    for stray in ("Any", "p", "r", "annotations", "apply", "Traced", "Tensor"):
        assert stray not in xp.__all__
    assert dir(xp) == xp.__all__
    assert all(hasattr(xp, name) for name in xp.__all__)
    assert all(getattr(xp, name).__doc__ for name in xp.__all__ if callable(getattr(xp, name)))
    assert xp.pi == np.pi and xp.newaxis is None and xp.float32 is np.float32 and xp.sin is np.sin


def test_names_that_are_missing_say_so() -> None:
    with pytest.raises(AttributeError, match=r"numpy\.busday_count has no rule for tensors"):
        xp.busday_count  # noqa: B018
    with pytest.raises(AttributeError, match=r"wengert\.numpy has no 'nonsense'"):
        xp.nonsense  # noqa: B018
    with pytest.raises(AttributeError, match=r"no attribute '_secret'|no '_secret'"):
        xp._secret  # noqa: B018


# ---------------------------------------------------------------- where NumPy lets no tensor in


def test_array_of_tracked_numbers() -> None:
    def function(x: Any) -> Any:
        return xp.array([[x[0, 0], 1.0], [x[1, 1] ** 2, x[0, 0] * x[1, 1]]])

    jacobian = wg.jacobian(function)(X)
    np.testing.assert_allclose(jacobian[1, 0], [[0, 0, 0], [0, 1.4, 0]])
    np.testing.assert_allclose(jacobian[1, 1], [[0.7, 0, 0], [0, 0.3, 0]])
    with pytest.raises(ValueError, match="inhomogeneous"):
        xp.array([wg.Tensor(1.0), [1.0, 2.0]])
    assert xp.array([1, 2], dtype=float, ndmin=2).shape == (1, 2)
    assert xp.asarray(X, copy=True)._data is not X
    with pytest.raises(ValueError, match="avoid copy"):
        xp.asarray(wg.Tensor([1, 2]), dtype=float, copy=False)


def test_full_of_a_tracked_number() -> None:
    np.testing.assert_array_equal(wg.jacobian(lambda x: xp.full((2, 2), x))(3.0), np.ones((2, 2)))


def test_vectorize() -> None:
    def scalar(a: float, b: float, *, power: int = 2) -> Any:
        return a**power if a > b else a * b

    f = xp.vectorize(scalar, excluded=["power"])
    np.testing.assert_allclose(
        np.asarray(f(X, 0.5, power=3)), np.vectorize(scalar, excluded=["power"])(X, 0.5, power=3)
    )
    found = wg.jacobian(lambda x: f(x, 0.5))(X).reshape(6, 6)
    np.testing.assert_allclose(np.diag(found), np.where(X > 0.5, 2 * X, 0.5).ravel())
    dot = xp.vectorize(lambda a, b: np.sum(a * b), signature="(n),(n)->()")
    np.testing.assert_allclose(wg.jacobian(lambda x: dot(x, X))(X)[0, 0], X[0])
    pair = xp.vectorize(lambda a: (a, a * a), otypes=[float, np.float32])
    assert [part.dtype for part in pair(X)] == [np.float64, np.float32]
    assert pair(np.zeros((0, 2)))[1].shape == (0, 2)
    with pytest.raises(ValueError, match="size 0"):
        f(np.zeros(0), 1.0)
    with pytest.raises(TypeError, match="wrong number of positional arguments"):
        dot(X)


def test_polynomial_objects() -> None:
    t = np.array([-0.7, 0.2, 1.4])
    for kind in (
        np.polynomial.Polynomial,
        np.polynomial.Chebyshev,
        np.polynomial.Legendre,
        np.polynomial.Laguerre,
        np.polynomial.Hermite,
        np.polynomial.HermiteE,
    ):
        p = kind([1.0, -2.0, 0.5, 3.0], domain=[-1, 2])
        evaluate = lambda x, p=p: xp.polynomial.evaluate(p, x)
        np.testing.assert_allclose(np.asarray(evaluate(wg.Tensor(t))), p(t), rtol=1e-12)
        np.testing.assert_allclose(wg.grad(lambda x, f=evaluate: np.sum(f(x)))(t), p.deriv()(t), rtol=1e-11)
    c = np.array([[1.0, 2.0], [0.5, -1.0], [3.0, 0.25]])
    for name in ("polyval", "chebval", "legval", "lagval", "hermval", "hermeval"):
        module = {"poly": "polynomial", "cheb": "chebyshev", "leg": "legendre", "lag": "laguerre"}.get(
            name[:-3], {"herm": "hermite", "herme": "hermite_e"}.get(name[:-3], "")
        )
        theirs = getattr(getattr(np.polynomial, module), name)
        ours = getattr(xp.polynomial, name)
        np.testing.assert_allclose(ours(t, c), theirs(t, c), rtol=1e-12)
        np.testing.assert_allclose(ours(t[:2], c, tensor=False), theirs(t[:2], c, tensor=False), rtol=1e-12)
        assert wg.jacobian(lambda c, f=ours: f(t, c))(c).shape == (2, 3, 3, 2)
    found = xp.polynomial.polyvalnd((t, t + 1, t - 1), np.arange(8.0).reshape(2, 2, 2))
    np.testing.assert_allclose(
        found, np.polynomial.polynomial.polyval3d(t, t + 1, t - 1, np.arange(8.0).reshape(2, 2, 2)), rtol=1e-12
    )
    with pytest.raises(wg.errors.ArgumentError, match=r"different shapes: \[\(3,\), \(2,\)\]"):
        xp.polynomial.polyval2d(t, t[:2], c)
    with pytest.raises(TypeError, match="not int"):
        xp.polynomial.evaluate(3, t)


# ---------------------------------------------------------------- methods of ndarray

METHODS: dict[str, Any] = {
    "all": (),
    "any": (1,),
    "argmax": (1,),
    "argmin": (0,),
    "argpartition": (1,),
    "argsort": (0,),
    "astype": (np.float32,),
    "clip": (-0.5, 1.0),
    "compress": ([True, False], 0),
    "conj": (),
    "conjugate": (),
    "copy": (),
    "cumprod": (1,),
    "cumsum": (1,),
    "diagonal": (1,),
    "dot": (X.T,),
    "flatten": (),
    "max": (0,),
    "mean": (0,),
    "min": (1,),
    "nonzero": (),
    "prod": (0,),
    "ptp": (1,),
    "ravel": (),
    "repeat": (2, 0),
    "reshape": (3, -1),
    "round": (1,),
    "squeeze": (),
    "std": (1,),
    "sum": (0,),
    "swapaxes": (0, 1),
    "take": ([0, 2], 1),
    "trace": (),
    "transpose": (1, 0),
    "var": (0,),
}


@pytest.mark.parametrize("name", list(METHODS))
def test_methods(name: str) -> None:
    found = getattr(wg.Tensor(X), name)(*METHODS[name])
    expected = getattr(X, name)(*METHODS[name]) if hasattr(X, name) else getattr(np, name)(X, *METHODS[name])
    for mine, theirs in zip(
        found if isinstance(found, tuple) else [found],
        expected if isinstance(expected, tuple) else [expected],
        strict=True,
    ):
        np.testing.assert_array_equal(np.asarray(mine), theirs)
        assert np.asarray(mine).dtype == theirs.dtype


def test_other_methods_and_properties() -> None:
    x = wg.Tensor(X)
    np.testing.assert_array_equal(np.asarray(x.T), X.T)
    np.testing.assert_array_equal(np.asarray(x.mT), X.T)
    np.testing.assert_array_equal(np.asarray(x.transpose((1, 0))), X.T)
    np.testing.assert_array_equal(np.asarray(x.reshape((3, 2), order="F")), X.reshape((3, 2), order="F"))
    np.testing.assert_array_equal(np.asarray(wg.Tensor([0, 1, 1]).choose([X[0], X[1], X[1]])), [0.3, 0.7, -0.4])
    assert int(wg.Tensor([0.0, 1.0, 2.0]).searchsorted(1.5)) == 2
    y = wg.Tensor(X)
    y.partition(1, axis=1)
    np.testing.assert_array_equal(np.asarray(y), np.sort(X, 1))
    assert (x.size, x.ndim, x.itemsize, x.nbytes, len(x)) == (6, 2, 8, 48, 2)
    assert list(map(float, x.flat)) == X.ravel().tolist()
    assert len(x.flat) == 6 and float(x.flat[-1]) == -0.4
    np.testing.assert_array_equal(np.asarray(x.flat[1:3]), X.ravel()[1:3])
    np.testing.assert_array_equal(np.asarray(x.flat), X.ravel())
    np.testing.assert_array_equal(np.asarray(x.flat.copy()), X.ravel())
    with pytest.raises(IndexError, match="out of bounds for size 6"):
        x.flat[6]
    with pytest.raises(IndexError, match="out of bounds for size 6"):
        x.flat[[0, 9]]
    x.flat = 2.0
    assert float(np.sum(x)) == 12.0


def test_operators_with_lists_and_scalars() -> None:
    x = wg.Tensor(X)
    np.testing.assert_array_equal(np.asarray(x + [1, 2, 3]), X + [1, 2, 3])
    np.testing.assert_array_equal(np.asarray([1, 2, 3] - x), [1, 2, 3] - X)
    np.testing.assert_array_equal(np.asarray(x @ [1, 2, 3]), X @ [1, 2, 3])
    np.testing.assert_array_equal(np.asarray([1, 2] @ x), [1, 2] @ X)
    np.testing.assert_array_equal(np.asarray(divmod(x, 0.5)[1]), divmod(X, 0.5)[1])
    np.testing.assert_array_equal(np.asarray(X @ x.T), X @ X.T)
    gradient = wg.grad(lambda x: np.sum([x[0, 0], 2.0] * x[:, :2]))
    np.testing.assert_allclose(gradient(X), [[0.3 * 2 + 1.1, 2, 0], [0.3, 2, 0]])
    assert (x == None) is False and (x != None) is True  # noqa: E711
    with pytest.raises(TypeError, match="unsupported operand"):
        x + None  # type: ignore[operator]
    with pytest.raises(TypeError, match="unsupported operand"):
        x - {}  # type: ignore[operator]


def test_a_type_that_wants_the_operator_gets_it() -> None:
    class Other:
        __array_ufunc__ = None

        def __radd__(self, x: Any) -> str:
            return "mine"

    assert wg.Tensor(X) + Other() == "mine"

    class Louder:
        def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> str:
            return "louder"

    assert np.add(wg.Tensor(X), Louder()) == "louder"


def test_copies_stay_tracked() -> None:
    import copy

    for duplicate in (copy.copy, copy.deepcopy, np.copy):
        np.testing.assert_array_equal(wg.grad(lambda x, f=duplicate: np.sum(f(x) * x))(X), 2 * X)
