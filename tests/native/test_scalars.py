"""Every elementwise primitive with native code, on special values of every dtype, in registers and in loops."""

import warnings

import numpy as np
import pytest
from native_fuzzing import run_native

import wengert as wg
from wengert.errors import NotCompiled
from wengert.execute.native import scalars, vectormath
from wengert.execute.native.build import compile_native
from wengert.primitives.base import REGISTRY
from wengert.primitives.elementwise import UFUNCS
from wengert.program import Program, Slot, Step

FLOATS = [
    0.0,
    -0.0,
    0.5,
    -0.5,
    1.0,
    -1.0,
    1.5,
    2.0,
    -2.0,
    2.5,
    -2.5,
    3.0,
    1e-300,
    1e300,
    -1e300,
    np.inf,
    -np.inf,
    np.nan,
]
FLOATS += [5e-324, 0.1, -0.1, 20.0, -20.0, 700.0, 1e-8]
INTEGERS = [0, 1, -1, 2, -2, 3, 7, -7, 100, -100]
LIMITS = ["i1", "i4", "i8", "u1", "u8"]
DTYPES = ["f8", "f4", "c16", "?", *LIMITS]
PARAMS = {"round": {"decimals": 1}, "cast": {"dtype": np.dtype("f8")}}
# Where C libraries and NumPy may differ by rounding.
ROUNDED = {*vectormath.FUNCTIONS, "logaddexp", "logaddexp2", "sinc", "float_power", "tanh_slope", "sqrt_slope"}
# The sign of a zero that ties with another zero is nobody's promise.
SIGN_OF_ZERO = {"maximum", "minimum", "fmax", "fmin", "clip", "scale", "reciprocal", "divide"}


def samples(dtype):
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return np.array([False, True])
    if dtype.kind == "f":
        with np.errstate(all="ignore"):
            return np.array(FLOATS).astype(dtype)
    if dtype.kind == "c":
        parts = [0.0, 1.0, -2.0, 0.5, np.inf, np.nan]
        return np.array([complex(a, b) for a in parts for b in parts], dtype)
    limits = np.iinfo(dtype)
    numbers = [n for n in INTEGERS if limits.min <= n <= limits.max] + [limits.min, limits.max]
    return np.array(numbers, dtype)


def arguments(count, dtype):
    x = samples(dtype)
    grid = np.meshgrid(*[x] * count, indexing="ij") if count > 1 else [x]
    flat = [np.ascontiguousarray(g.ravel()) for g in grid]
    return [np.tile(f, 5)[: max(len(f), 37)] for f in flat] if count == 1 else flat


def program_of(name, args):
    primitive = REGISTRY[name]
    params = PARAMS.get(name, {})
    if name in ("where",):
        args = [args[0] != 0, *args[1:]]
    shape, dtype = primitive.abstract(*args, **params)
    slots = [Slot.of(a) for a in args]
    step = Step(primitive, tuple(range(len(args))), tuple(params.items()), Slot(shape, np.dtype(dtype)))
    return Program(slots, (), [step], [len(args)]), args


def count_of(name):
    primitive = REGISTRY[name]
    if primitive.ufunc is not None:
        return primitive.ufunc.nin
    return {"where": 3, "clip": 3, "scale": 2}.get(name, 1)


NAMES = sorted(
    name
    for name in {*scalars.LOWER, *vectormath.FUNCTIONS}
    if name in REGISTRY and REGISTRY[name].family == "elementwise"
)


@pytest.mark.parametrize("dtype", DTYPES)
def test_special_values_are_numpys(dtype):
    checked = 0
    for name in NAMES:
        count = count_of(name)
        args = arguments(min(count, 2), dtype)
        if count == 3:
            args = [args[0], args[1], args[0][::-1].copy()]
        try:
            program, args = program_of(name, args)
            with np.errstate(all="ignore"):
                wanted = np.asarray(REGISTRY[name].evaluate(*args, **PARAMS.get(name, {})))
        except (TypeError, ValueError):
            continue
        kinds = scalars.loop_kinds(
            name, tuple(a.dtype for a in args), program.output_slots[0].dtype, tuple(PARAMS.get(name, {}).items())
        )
        if kinds is None:
            continue
        checked += 1
        status, (got,) = run_native(compile_native(program, form="loops"), args)
        assert status == 0
        check(name, args, got, wanted)
    assert checked > (10 if np.dtype(dtype).kind in "b" else 15)


def check(name, args, got, wanted):
    __tracebackhide__ = True
    assert got.dtype == wanted.dtype, name
    if name == "cast":  # out of range there is nothing to agree on
        return
    if wanted.dtype.kind in "biu":
        assert np.array_equal(got, wanted), first_difference(name, args, got, wanted, got != wanted)
        return
    same = (got == wanted) | ((got != got) & (wanted != wanted))
    if name in ROUNDED or wanted.dtype.kind == "c":
        parts = [(np.real(got), np.real(wanted)), (np.imag(got), np.imag(wanted))]
        close = np.ones(got.shape, bool)
        with np.errstate(all="ignore"):
            for a, b in parts:
                spacing = np.spacing(np.abs(b))
                close &= (a == b) | ((a != a) & (b != b)) | (np.abs(a - b) <= 8 * spacing)
        same |= close
    assert same.all(), first_difference(name, args, got, wanted, ~same)
    if wanted.dtype.kind == "f" and name not in SIGN_OF_ZERO and name not in ROUNDED:
        zero = wanted == 0
        assert np.array_equal(np.signbit(got[zero]), np.signbit(wanted[zero])), f"{name}: sign of zero"


def first_difference(name, args, got, wanted, where):
    i = int(np.flatnonzero(where)[0])
    return f"{name}({', '.join(repr(a[i]) for a in args)}) is {wanted[i]!r} in NumPy, {got[i]!r} natively"


def test_the_names_of_the_functions_are_numpys():
    ufuncs = {primitive.name for primitive in UFUNCS.values()}
    assert {"exp", "log", "sin", "tanh", "power", "arctan2"} <= ufuncs & set(vectormath.FUNCTIONS)


@pytest.mark.parametrize("form", ["straight", "loops"])
def test_small_literal_exponents(form):
    from wengert.program import trace

    x = np.array([0.0, -1.5, 2.0, np.nan, np.inf, -np.inf, 1e200, 3.0])
    for exponent in (0, 1, 2, 3, 4, -1, 0.5, 2.5, -2):
        program = trace(lambda x, e=exponent: [np.power(x, float(e))], [Slot.of(x)])
        native = compile_native(program, {0: float(exponent)}, form)
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(run_native(native, [x])[1][0], np.power(x, float(exponent)), rtol=4e-16)


def test_a_zero_cotangent_known_when_compiling_cuts_a_nan_slope():
    """A literal zero times NaN was NaN: the row of nanmax read that of nanstd."""

    def function(x):
        y = np.concatenate([x, [np.nan]])
        return np.stack([np.nanstd(y), np.nanmax(y)])

    x = np.array([0.3, 0.9, 0.5])
    jacobian = wg.jacobian(function)
    compiled = wg.jit(jacobian)
    compiled(x)
    np.testing.assert_allclose(compiled(x), jacobian(x), rtol=1e-14)


@pytest.mark.parametrize("dtype", ["i1", "u2", "i4", "u8"])
def test_python_integers_beside_narrow_ones(dtype):
    """They have the narrow dtype where they fit, and are NumPy's error where they do not."""
    x = np.array([0, 1, 5, 100], dtype)

    def f(x):
        return (x * 3 - 1) // 2 + np.where(x > 4, x, 7) + np.clip(x, 1, 50) + (x & 6) + np.maximum(x, 2)

    g = wg.jit(f)
    with warnings.catch_warnings():
        warnings.simplefilter("error", NotCompiled)
        g(x)
    with np.errstate(over="ignore"):
        assert g(x).dtype == x.dtype and np.array_equal(g(x), f(x))
    assert "through NumPy" not in wg.explain(g)
    if dtype == "i1":
        with pytest.raises(OverflowError):
            wg.jit(lambda x: x + 1000)(x)


@pytest.mark.parametrize("dtype", ["i1", "i4", "i8"])
def test_signed_and_unsigned_integers_are_compared_as_numbers(dtype):
    """A negative number was taken for a huge one."""
    x = np.array([0, 1, 2**63, 2**64 - 1, 5, 5], np.uint64)
    y = np.array([-1, 1, -3, -1, 7, 5], dtype)

    def f(x, y):
        return [c(a, b) for a, b in ((x, y), (y, x)) for c in COMPARISONS]

    g = wg.jit(f)
    g(x, y)
    for mine, theirs in zip(g(x, y), f(x, y), strict=True):
        assert np.array_equal(mine, theirs)
    assert "through NumPy" not in wg.explain(g)


COMPARISONS = (np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal)
