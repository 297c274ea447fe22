"""Accuracy of the vector mathematics over the whole domain, and the fallback where there is none."""

import mpmath
import numpy as np
import pytest
from native_fuzzing import run_native

from wengert.execute.native import vectormath
from wengert.execute.native.build import compile_native
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
    return EXACT.get(name) or getattr(mpmath, name)


@pytest.mark.parametrize("name", sorted(DOMAINS))
def test_accuracy_in_units_of_the_last_place(name):
    x = points(name, np.random.default_rng(5))
    program = trace(lambda x: [getattr(np, name)(x)], [Slot.of(x)])
    _, (got,) = run_native(compile_native(program, form="loops"), [x])
    with mpmath.workdps(50):
        function = exact_of(name)
        worst = 0.0
        for a, y in zip(x, got, strict=True):
            true = function(mpmath.mpf(float(a)))
            if abs(true) < 1e-300 or abs(true) > 1e308:
                continue
            unit = np.spacing(abs(float(true)))
            worst = max(worst, float(abs(mpmath.mpf(float(y)) - true) / mpmath.mpf(float(unit))))
    assert worst <= ULP, f"{name} is {worst:.1f} ulp off"


def test_tanh_slope_is_accurate_where_it_is_tiny():
    from wengert.primitives.slopes import tanh_slope

    x = np.linspace(-300, 300, 101)
    _, (got,) = run_native(compile_native(trace(lambda x: [tanh_slope(x)], [Slot.of(x)]), form="loops"), [x])
    with mpmath.workdps(50):
        wanted = np.array([float(mpmath.sech(mpmath.mpf(float(a))) ** 2) for a in x])
    np.testing.assert_allclose(got, wanted, rtol=2e-15)


def test_single_precision_is_as_good():
    x = np.random.default_rng(1).uniform(-20, 20, 4000).astype(np.float32)
    for name in ("exp", "sin", "tanh", "arctan"):
        _, (got,) = run_native(
            compile_native(trace(lambda x, n=name: [getattr(np, n)(x)], [Slot.of(x)]), form="loops"), [x]
        )
        wanted = getattr(np, name)(x.astype(np.float64))
        assert got.dtype == np.float32
        assert np.max(np.abs(got - wanted) / np.spacing(np.abs(wanted).astype(np.float32))) <= ULP


def test_without_vector_mathematics_results_agree_to_a_few_ulp(monkeypatch):
    x = np.linspace(-3, 3, 50)
    program = trace(lambda x: [np.exp(x) * np.sin(x) + np.tanh(x)], [Slot.of(x)])
    _, (vector,) = run_native(compile_native(program, form="loops"), [x])
    monkeypatch.setenv("WENGERT_VECTOR_MATH", "off")
    for memo in (vectormath.library, vectormath.vector_forms):
        memo.cache_clear()
    try:
        native = compile_native(program, form="loops")
        assert "_ZGV" not in native.text
        _, (scalar,) = run_native(native, [x])
    finally:
        monkeypatch.undo()
        for memo in (vectormath.library, vectormath.vector_forms):
            memo.cache_clear()
    np.testing.assert_allclose(vector, scalar, rtol=1e-14)


def test_vector_forms_are_used_where_the_system_has_them():
    if vectormath.library() is None:
        pytest.skip("this system has no libmvec")
    x = np.zeros(1000)
    native = compile_native(trace(lambda x: [np.exp(x)], [Slot.of(x)]), form="loops")
    assert "_ZGV" in native.text
