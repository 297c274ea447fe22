"""NaN, infinities and signed zeros through `jit`: as NumPy has them, in registers and in loops."""

import numpy as np
import pytest

import wengert as wg

SPECIAL = np.array([0.0, -0.0, 1.5, -2.5, np.nan, np.inf, -np.inf, 0.5, -0.5, 5e-324, -1e308, 3.0])
with np.errstate(over="ignore"):
    SINGLE = SPECIAL.astype(np.float32)
INPUTS = {
    "few": SPECIAL,
    "many": np.tile(SPECIAL, 300),
    "negative zeros": np.full(3, -0.0),
    "many negative zeros": np.full(3000, -0.0),
    "single": SINGLE,
}
REDUCTIONS = (np.sum, np.prod, np.max, np.min, np.mean, np.std, np.argmax, np.argmin, np.any, np.all, np.nansum, np.ptp)
RUNNING = (np.cumsum, np.cumprod, np.diff)
ELEMENTWISE = (
    *(np.negative, np.abs, np.sign, np.rint, np.floor, np.ceil, np.trunc, np.sqrt, np.square, np.reciprocal, np.signbit),
    *(np.isnan, np.exp, np.log, np.sin, np.tanh, np.log1p, np.expm1, np.sinh, np.arcsinh, np.cbrt, np.sinc),
    *(lambda x: x - x, lambda x: x * 0, lambda x: x * -0.0, lambda x: x + 0.0, lambda x: x + -0.0, lambda x: 0 - x),
    *(lambda x: x / x, lambda x: 1 / x, lambda x: x**2, lambda x: x**0, lambda x: x**0.5, lambda x: x**-1, lambda x: x**3),
    *(lambda x: x % 2.0, lambda x: x % -2.0, lambda x: x // 2.0, lambda x: np.fmod(x, 2.0), lambda x: np.round(x, 1)),
    *(lambda x: np.where(x > 0, x, -x), lambda x: np.clip(x, -1, 1), lambda x: np.clip(x, np.nan, 1)),
    *(lambda x: np.clip(x, 0.0, 2.0), lambda x: np.maximum(x, 1.0), lambda x: np.fmax(x, 1.0), lambda x: np.copysign(3, x)),
    *(lambda x: np.heaviside(x, 0.5), lambda x: np.arctan2(x, -x), lambda x: np.arctan2(0.0, x), lambda x: np.hypot(x, 1)),
    *(lambda x: np.power(2.0, x), lambda x: np.nextafter(x, 1.0), lambda x: np.logaddexp(x, x), lambda x: x == x),
    *(lambda x: x.astype(np.float32), lambda x: np.real(x * 1j), lambda x: np.abs(x + 1j), lambda x: x[::-1] * x),
)
PRODUCTS = (lambda x: np.outer(x[:12], x[:12]), lambda x: x @ x)


@pytest.mark.parametrize("name", INPUTS)
def test_special_values(name):
    x = INPUTS[name]
    functions = [*ELEMENTWISE, *REDUCTIONS, *RUNNING, *PRODUCTS]
    precision = 4e-6 if x.dtype == np.float32 else 1e-13

    def all_of_them(x):
        return [function(x) for function in functions]

    jitted = wg.jit(all_of_them)
    with np.errstate(all="ignore"):
        wanted = all_of_them(x)
        jitted(x)
        found = jitted(x)
    assert "runs without compiled code" not in wg.explain(jitted)
    for i, (mine, theirs) in enumerate(zip(found, map(np.asarray, wanted), strict=True)):
        where = f"{getattr(functions[i], '__name__', '')} (number {i})"
        mine = np.asarray(mine)
        assert mine.dtype == theirs.dtype and mine.shape == theirs.shape, where
        np.testing.assert_allclose(mine, theirs, rtol=precision, err_msg=where)
        if mine.dtype.kind == "f":
            zero = theirs == 0
            assert np.array_equal(np.signbit(mine[zero]), np.signbit(theirs[zero])), f"{where}: sign of zero"


def test_the_sign_of_a_zero_that_is_part_of_the_code():
    """Positive and negative zero are equal, and were taken for one constant."""
    x = np.array([1.0, -0.0])
    zero = 0.0
    both = wg.jit(lambda x: (x * 0.0, x * -0.0, np.roll(x, 1) + 0.0, np.roll(x, 1) + -0.0))
    outside, key = wg.jit(lambda x: x * zero), wg.jit(lambda x, k: x * k)
    for sign in (1.0, -1.0, 1.0):
        zero = sign * 0.0
        for mine, theirs in zip(both(x), both.function(x), strict=True):
            assert np.array_equal(np.signbit(mine), np.signbit(theirs))
        assert np.array_equal(np.signbit(outside(x)), np.signbit(x * zero))
        single = x.astype(np.float32)
        assert np.array_equal(np.signbit(key(single, zero)), np.signbit(single * zero))
        assert key(single, zero).dtype == np.float32
