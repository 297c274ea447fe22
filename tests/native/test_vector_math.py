"""Accuracy of the vector mathematics over the whole domain, and the fallback where there is none."""

import mpmath
import numpy as np
import pytest
from native_fuzzing import run_native
from scipy import special

from wengert.execute.native import vectormath
from wengert.execute.native.build import compile_native
from wengert.execute.native.prepare import prepare
from wengert.program import Slot, trace

ULP = 4.0
DOMAINS = {
    "exp": (-745.0, 709.7),
    "exp2": (-1070.0, 1023.9),
    "expm1": (-40.0, 709.0),
    "log": (1e-300, 1e300),
    "log2": (1e-300, 1e300),
    "log10": (1e-300, 1e300),
    "log1p": (-0.999999, 1e300),
    "sin": (-1e6, 1e6),
    "cos": (-1e6, 1e6),
    "tan": (-1e4, 1e4),
    "arcsin": (-1.0, 1.0),
    "arccos": (-1.0, 1.0),
    "arctan": (-1e10, 1e10),
    "sinh": (-700.0, 700.0),
    "cosh": (-700.0, 700.0),
    "tanh": (-20.0, 20.0),
    "arcsinh": (-1e10, 1e10),
    "arccosh": (1.0, 1e10),
    "arctanh": (-0.999999, 0.999999),
    "cbrt": (-1e300, 1e300),
    "special.erf": (-6.0, 6.0),
    "special.erfc": (-6.0, 26.0),
}
EXACT = {
    "arcsin": mpmath.asin, "arccos": mpmath.acos, "arctan": mpmath.atan, "arcsinh": mpmath.asinh,
    "arccosh": mpmath.acosh, "arctanh": mpmath.atanh, "log2": lambda x: mpmath.log(x, 2),
    "exp2": lambda x: mpmath.power(2, x), "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
}  # fmt: skip


def points(name, rng, count=160):
    low, high = DOMAINS[name]
    plain = rng.uniform(low, high, count // 2)
    if low > 0 and high / low > 1e3:
        spread = np.exp(rng.uniform(np.log(low), np.log(high), count // 2))
    else:
        spread = np.exp(rng.uniform(-30, np.log(min(abs(high), 1e300)), count // 2)) * rng.choice([-1, 1], count // 2)
        spread = spread[(spread >= low) & (spread <= high)]
    return np.concatenate([plain, spread])


def exact_of(name):
    return EXACT.get(name) or getattr(mpmath, name.removeprefix("special."))


def run(name, *args):
    """Compute a function of NumPy's or SciPy's name natively."""
    function = getattr(np, name, None) or getattr(special, name.removeprefix("special."))
    program = prepare(trace(lambda *a: [function(*a)], [Slot.of(a) for a in args]))
    status, (got,) = run_native(compile_native(program, form="loops"), args)
    assert status == 0 and got.dtype == args[0].dtype
    return got


def worst(got, exact, smallest, largest):
    """How many units in the last place the worst result is off; results beyond the limits are not looked at."""
    units = []
    for y, true in zip(got, exact, strict=True):
        if smallest <= abs(true) <= largest:
            unit = mpmath.mpf(float(np.spacing(got.dtype.type(abs(true)))))
            units.append(float(abs(mpmath.mpf(float(y)) - true) / unit))
    assert len(units) > len(got) // 5
    return max(units)


def test_every_function_is_measured():
    assert set(DOMAINS) | set(PAIRS) | {"fmod", "nextafter"} == set(vectormath.FUNCTIONS)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", sorted(DOMAINS))
def test_accuracy_in_units_of_the_last_place(name, dtype):
    limits = np.finfo(dtype)
    x = points(name, np.random.default_rng(5))
    if dtype == np.float32:
        x = np.where(np.abs(x) < 3e38, x, np.sign(x) * np.abs(x) ** 0.12).astype(dtype)
    with mpmath.workdps(60):
        function = exact_of(name)
        exact = [function(mpmath.mpf(float(a))) for a in x]
        off = worst(run(name, x), exact, float(limits.tiny) * 4, float(limits.max))
    assert off <= ULP, f"{name} is {off:.1f} ulp off"


PAIRS = {
    "power": (lambda rng, n: (np.exp(rng.uniform(-20, 20, n)), rng.uniform(-15, 15, n)), mpmath.power),
    "arctan2": (lambda rng, n: (rng.normal(size=n) * 10.0 ** rng.integers(-5, 6, n), rng.normal(size=n)), mpmath.atan2),
    "hypot": (lambda rng, n: (rng.normal(size=n) * 10.0 ** rng.integers(-9, 9, n), rng.normal(size=n)), mpmath.hypot),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", sorted(PAIRS))
def test_accuracy_of_functions_of_two_numbers(name, dtype):
    draw, function = PAIRS[name]
    x, y = (a.astype(dtype) for a in draw(np.random.default_rng(5), 400))
    limits = np.finfo(dtype)
    with mpmath.workdps(60):
        exact = [function(mpmath.mpf(float(a)), mpmath.mpf(float(b))) for a, b in zip(x, y, strict=True)]
        off = worst(run(name, x, y), exact, float(limits.tiny) * 4, float(limits.max))
    assert off <= ULP, f"{name} is {off:.1f} ulp off"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_functions_that_are_exact(dtype):
    rng = np.random.default_rng(5)
    x, y = (rng.normal(size=300).astype(dtype) * dtype(100) for _ in range(2))
    assert np.array_equal(run("fmod", x, y), np.fmod(x, y))
    assert np.array_equal(run("nextafter", x, y), np.nextafter(x, y))


def test_tanh_slope_is_accurate_where_it_is_tiny():
    from wengert.primitives.slopes import tanh_slope

    x = np.linspace(-300, 300, 101)
    _, (got,) = run_native(compile_native(trace(lambda x: [tanh_slope(x)], [Slot.of(x)]), form="loops"), [x])
    with mpmath.workdps(50):
        wanted = np.array([float(mpmath.sech(mpmath.mpf(float(a))) ** 2) for a in x])
    np.testing.assert_allclose(got, wanted, rtol=2e-15)


@pytest.fixture
def without_vectors(monkeypatch):
    """As on a system without libmvec."""
    memos = (vectormath.library, vectormath.vector_forms)
    monkeypatch.setenv("WENGERT_VECTOR_MATH", "off")
    for memo in memos:
        memo.cache_clear()
    yield
    monkeypatch.undo()
    for memo in memos:
        memo.cache_clear()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_without_vector_mathematics_functions_are_as_accurate(without_vectors, dtype):
    for name in sorted(DOMAINS):
        x = points(name, np.random.default_rng(6), 40)
        x = x[np.abs(x) < 1e30].astype(dtype)
        with mpmath.workdps(60):
            function = exact_of(name)
            exact = [function(mpmath.mpf(float(a))) for a in x]
            off = worst(run(name, x), exact, float(np.finfo(dtype).tiny) * 4, float(np.finfo(dtype).max))
        assert off <= ULP, f"{name} is {off:.1f} ulp off"
    native = compile_native(trace(lambda x: [np.exp(x) * np.sin(x)], [Slot.of(np.zeros(1000))]), form="loops")
    assert "_ZGV" not in native.text


def test_vector_forms_are_used_where_the_system_has_them():
    if vectormath.library() is None:
        pytest.skip("this system has no libmvec")
    x = np.zeros(1000)
    native = compile_native(trace(lambda x: [np.exp(x)], [Slot.of(x)]), form="loops")
    assert "_ZGV" in native.text
