"""What the accuracy test measures: each elementwise function's domain and its derivatives in mpmath.

The formulas are those of a calculus book, evaluated with 1200 bits, so that nothing can cancel. `EXCEPTIONS` lists
where more than 4 units in the last place are allowed, with the reason; docs/reference/accuracy.md is made from it.
"""

from __future__ import annotations

from functools import cache

import mpmath as mp
import numpy as np

LIMIT = 4.0
BITS = 1200


def _log_uniform(rng, low, high, n):
    return 10.0 ** rng.uniform(low, high, n)


class Range:
    """Exponents of ten between which a dtype's normal numbers lie."""

    def __init__(self, dtype):
        info = np.finfo(dtype)
        self.top = np.log10(float(info.max))
        self.bottom = np.log10(float(info.tiny))
        self.largest_exponent = np.log(float(info.max))


def everywhere(rng, n, r):
    """Both signs, from tiny to huge."""
    size = _log_uniform(rng, r.bottom, r.top - 0.5, n)
    return np.concatenate([size, -size, rng.uniform(-20, 20, n), [0.0]])


def moderate(rng, n, r):
    """Both signs, with squares and cubes that are still in range."""
    size = _log_uniform(rng, r.bottom / 4, r.top / 4, n)
    return np.concatenate([size, -size, rng.uniform(-20, 20, n)])


def positive(rng, n, r):
    size = _log_uniform(rng, r.bottom, r.top - 0.5, n)
    return np.concatenate([size, rng.uniform(0.01, 10, n), 1 + _log_uniform(rng, -6, -1, n)])


def exponent(rng, n, r):
    """Arguments of exp: both tails up to over- and underflow."""
    top = 0.99 * r.largest_exponent
    size = _log_uniform(rng, -30, 0, n)
    return np.concatenate([rng.uniform(-top, top, n), rng.uniform(-40, 40, n), size, -size])


def unit_interval(rng, n, r):
    """Inside (-1, 1), close to both ends and to 0."""
    end = _log_uniform(rng, -16, 0, n)
    small = _log_uniform(rng, -30, 0, n)
    return np.concatenate([rng.uniform(-1, 1, n), 1 - end, -1 + end, small, -small])


def above_one(rng, n, r):
    return np.concatenate([1 + _log_uniform(rng, -16, 2, n), _log_uniform(rng, 0, r.top - 0.5, n)])


def above_minus_one(rng, n, r):
    return np.concatenate([-1 + _log_uniform(rng, -16, 2, n), _log_uniform(rng, -30, r.top - 0.5, n)])


def angle(rng, n, r):
    size = _log_uniform(rng, -30, r.top / 2, n)
    return np.concatenate([rng.uniform(-20, 20, n), size, -size])


def near_zero(rng, n, r):
    size = _log_uniform(rng, -30, np.log10(0.5), n)
    return np.concatenate([size, -size, rng.uniform(-0.5, 0.5, n), [0.0]])


def _sinc_series(order):
    @cache
    def coefficients():
        return [
            mp.mpf(-1) ** k * mp.pi ** (2 * k) / mp.factorial(2 * k + 1) * mp.ff(2 * k, order)
            for k in range((order + 1) // 2, 40)
        ]

    def derivative(x):
        total = mp.mpf(0)
        for c in reversed(coefficients()):
            total = total * x * x + c
        return total * x if order % 2 else total

    return derivative


_LN2, _LN10 = lambda: mp.log(2), lambda: mp.log(10)

# name: (domain, first derivative, second derivative)
ONE = {
    "negative": (everywhere, lambda x: mp.mpf(-1), lambda x: mp.mpf(0)),
    "positive": (everywhere, lambda x: mp.mpf(1), lambda x: mp.mpf(0)),
    "square": (everywhere, lambda x: 2 * x, lambda x: mp.mpf(2)),
    "reciprocal": (moderate, lambda x: -1 / x**2, lambda x: 2 / x**3),
    "sqrt": (positive, lambda x: 1 / (2 * mp.sqrt(x)), lambda x: -1 / (4 * x * mp.sqrt(x))),
    "cbrt": (
        moderate,
        lambda x: 1 / (3 * mp.cbrt(abs(x)) ** 2),
        lambda x: -2 / (9 * mp.sign(x) * mp.cbrt(abs(x)) ** 5),
    ),
    "exp": (exponent, mp.exp, mp.exp),
    "exp2": (exponent, lambda x: _LN2() * mp.mpf(2) ** x, lambda x: _LN2() ** 2 * mp.mpf(2) ** x),
    "expm1": (exponent, mp.exp, mp.exp),
    "log": (positive, lambda x: 1 / x, lambda x: -1 / x**2),
    "log2": (positive, lambda x: 1 / (x * _LN2()), lambda x: -1 / (x**2 * _LN2())),
    "log10": (positive, lambda x: 1 / (x * _LN10()), lambda x: -1 / (x**2 * _LN10())),
    "log1p": (above_minus_one, lambda x: 1 / (1 + x), lambda x: -1 / (1 + x) ** 2),
    "sin": (angle, mp.cos, lambda x: -mp.sin(x)),
    "cos": (angle, lambda x: -mp.sin(x), lambda x: -mp.cos(x)),
    "tan": (angle, lambda x: mp.sec(x) ** 2, lambda x: 2 * mp.sec(x) ** 2 * mp.tan(x)),
    "arcsin": (unit_interval, lambda x: 1 / mp.sqrt(1 - x**2), lambda x: x / mp.sqrt(1 - x**2) ** 3),
    "arccos": (unit_interval, lambda x: -1 / mp.sqrt(1 - x**2), lambda x: -x / mp.sqrt(1 - x**2) ** 3),
    "arctan": (everywhere, lambda x: 1 / (1 + x**2), lambda x: -2 * x / (1 + x**2) ** 2),
    "sinh": (exponent, mp.cosh, mp.sinh),
    "cosh": (exponent, mp.sinh, mp.cosh),
    "tanh": (exponent, lambda x: mp.sech(x) ** 2, lambda x: -2 * mp.tanh(x) * mp.sech(x) ** 2),
    "arcsinh": (everywhere, lambda x: 1 / mp.sqrt(1 + x**2), lambda x: -x / mp.sqrt(1 + x**2) ** 3),
    "arccosh": (above_one, lambda x: 1 / mp.sqrt(x**2 - 1), lambda x: -x / mp.sqrt(x**2 - 1) ** 3),
    "arctanh": (unit_interval, lambda x: 1 / (1 - x**2), lambda x: 2 * x / (1 - x**2) ** 2),
    "absolute": (everywhere, mp.sign, lambda x: mp.mpf(0)),
    "fabs": (everywhere, mp.sign, lambda x: mp.mpf(0)),
    "deg2rad": (everywhere, lambda x: mp.pi / 180, lambda x: mp.mpf(0)),
    "rad2deg": (everywhere, lambda x: 180 / mp.pi, lambda x: mp.mpf(0)),
    "sinc": (near_zero, _sinc_series(1), _sinc_series(2)),
}


def two_scales(rng, n, r):
    """Pairs of very different and of similar sizes, both signs."""
    x = _log_uniform(rng, r.bottom / 8, r.top / 8, n) * rng.choice([-1, 1], n)
    y = _log_uniform(rng, r.bottom / 8, r.top / 8, n) * rng.choice([-1, 1], n)
    near = rng.uniform(0.5, 3, n) * rng.choice([-1, 1], n)
    return np.concatenate([x, near, x]), np.concatenate([y, near * rng.uniform(1.1, 3, n), x * 1.7])


def large_pairs(rng, n, r):
    """As `two_scales`, and up to where the squares overflow or underflow but the result does not."""
    x, y = two_scales(rng, n, r)
    size = _log_uniform(rng, 0.35 * r.bottom, 0.35 * r.top, n)
    return np.concatenate([x, size * 1.3]), np.concatenate([y, -size])


def close_exponents(rng, n, r):
    """Arguments of logaddexp: shares from 1 down to underflow."""
    top = 0.9 * r.largest_exponent
    x = rng.uniform(-30, 30, n)
    return np.concatenate([x, x, rng.uniform(-3, 3, n)]), np.concatenate(
        [x + rng.uniform(-top, top, n), x + rng.uniform(-2, 2, n), rng.uniform(-3, 3, n)]
    )


def powers(rng, n, r):
    """Bases from tiny to huge with exponents that keep results in range; small and negative exponents too."""
    x = np.concatenate([_log_uniform(rng, r.bottom / 3, r.top / 3, n), rng.uniform(0.1, 5, 2 * n)])
    y = np.concatenate([rng.uniform(-1, 1, n), rng.uniform(-9, 9, n), _log_uniform(rng, -9, -1, n)])
    return x, y


def _share(x, y):
    return 1 / (1 + mp.exp(y - x))


def _share2(x, y):
    return 1 / (1 + mp.mpf(2) ** (y - x))


def _r(x, y):
    return mp.sqrt(x * x + y * y)


# name: (domain, {which derivative: (value, scale of the terms that may cancel or None)})
TWO = {
    "multiply": (
        two_scales,
        {"x": lambda x, y: y, "y": lambda x, y: x, "xx": lambda x, y: mp.mpf(0), "xy": lambda x, y: mp.mpf(1)},
    ),
    "divide": (
        two_scales,
        {
            "x": lambda x, y: 1 / y,
            "y": lambda x, y: -x / y**2,
            "xy": lambda x, y: -1 / y**2,
            "yy": lambda x, y: 2 * x / y**3,
        },
    ),
    "hypot": (
        large_pairs,
        {
            "x": lambda x, y: x / _r(x, y),
            "y": lambda x, y: y / _r(x, y),
            "xx": lambda x, y: y**2 / _r(x, y) ** 3,
            "xy": lambda x, y: -x * y / _r(x, y) ** 3,
            "yy": lambda x, y: x**2 / _r(x, y) ** 3,
        },
    ),
    "arctan2": (
        large_pairs,
        {  # arctan2(x, y): here x is NumPy's y
            "x": lambda x, y: y / _r(x, y) ** 2,
            "y": lambda x, y: -x / _r(x, y) ** 2,
            "xx": lambda x, y: -2 * x * y / _r(x, y) ** 4,
            "yy": lambda x, y: 2 * x * y / _r(x, y) ** 4,
            "xy": lambda x, y: (x - y) * (x + y) / _r(x, y) ** 4,
        },
    ),
    "logaddexp": (
        close_exponents,
        {
            "x": _share,
            "y": lambda x, y: _share(y, x),
            "xx": lambda x, y: _share(x, y) * _share(y, x),
            "xy": lambda x, y: -_share(x, y) * _share(y, x),
            "yy": lambda x, y: _share(x, y) * _share(y, x),
        },
    ),
    "logaddexp2": (
        close_exponents,
        {
            "x": _share2,
            "y": lambda x, y: _share2(y, x),
            "xx": lambda x, y: _LN2() * _share2(x, y) * _share2(y, x),
            "xy": lambda x, y: -_LN2() * _share2(x, y) * _share2(y, x),
            "yy": lambda x, y: _LN2() * _share2(x, y) * _share2(y, x),
        },
    ),
    "power": (
        powers,
        {
            "x": lambda x, y: y * x ** (y - 1),
            "y": lambda x, y: x**y * mp.log(x),
            "xx": lambda x, y: y * (y - 1) * x ** (y - 2),
            "yy": lambda x, y: x**y * mp.log(x) ** 2,
        },
    ),
    "remainder": (two_scales, {"x": lambda x, y: mp.mpf(1), "y": lambda x, y: -mp.floor(x / y)}),
    "fmod": (
        two_scales,
        {"x": lambda x, y: mp.mpf(1), "y": lambda x, y: -(mp.floor if x * y > 0 else mp.ceil)(x / y)},
    ),
}

# x ** c for a Python number c, where the rule picks its formula by c.
EXPONENTS = (2, 3, 7, -1, -2, 0.5, -0.5, 1.5, 1 / 3, 0.1, -0.1, -3.7, 1e-9)

_RADIUS = "four divisions by a radius, each of which is itself rounded"
_CBRT = "NumPy's own float32 cbrt is up to 1.8 units off, and enters squared"
_COSH = "NumPy's own float32 cosh is up to 1.5 units off, and enters squared"
_TAN = "NumPy's own float32 tan is up to 2.7 units off"
_POWER = "NumPy's own float32 power and log are up to 2.4 units off"

# (name, dtype, order): (allowed units in the last place, reason)
EXCEPTIONS: dict[tuple[str, str, int], tuple[float, str]] = {
    ("hypot", "float64", 2): (5.0, _RADIUS),
    ("hypot", "float32", 2): (5.0, _RADIUS),
    ("arctan2", "float64", 2): (6.0, _RADIUS),
    ("arctan2", "float32", 2): (6.0, _RADIUS),
    ("cbrt", "float32", 1): (5.0, _CBRT),
    ("cbrt", "float32", 2): (6.0, _CBRT),
    ("tanh", "float32", 1): (6.0, _COSH),
    ("tanh", "float32", 2): (6.0, _COSH),
    ("tan", "float32", 2): (5.0, _TAN),
    ("power", "float32", 2): (5.0, _POWER),
}

# Primitives whose partials are constants, selections or zeros: there is nothing to round.
EXACT = {
    *("add", "subtract", "maximum", "minimum", "fmax", "fmin", "where", "clip", "real", "imag", "conjugate", "cast"),
    *("sign", "floor", "ceil", "trunc", "rint", "round", "heaviside", "spacing", "copysign", "nextafter", "ldexp"),
    *("floor_divide", "radians", "degrees", "scale", "float_power"),
}

_DOMAINS = {
    "everywhere": "everywhere, tiny to huge",
    "moderate": "everywhere, cubes in range",
    "positive": "x > 0, tiny to huge",
    "exponent": "where exp does not overflow",
    "unit_interval": "-1 < x < 1, close to both ends and to 0",
    "above_one": "x > 1, close to 1 and huge",
    "above_minus_one": "x > -1, close to -1, to 0 and huge",
    "angle": "everywhere, angles up to 1e150",
    "near_zero": "-1/2 < x < 1/2; NumPy's sinc itself is not accurate at large arguments",
    "two_scales": "pairs of similar and very different sizes",
    "large_pairs": "the same, and where squares overflow",
    "close_exponents": "differences up to underflow of the smaller share",
    "powers": "x > 0; exponents of both signs, small ones too",
}


def accuracy_page() -> str:
    """Return docs/reference/accuracy.md."""
    rows = [
        "# Accuracy of elementwise derivatives",
        "",
        "Made by `python tests/rules/accuracy_table.py`; do not edit.",
        "",
        f"First and second derivatives are compared with mpmath ({BITS} bits) over the whole domain, in float64 and",
        f"float32. The error is at most {LIMIT:g} units in the last place, in both modes, except where",
        "the second table says so. Results smaller than the smallest normal number may be rounded to 0.",
        "",
        "| function | tested where |",
        "| --- | --- |",
    ]
    rows += [f"| `{name}` | {_DOMAINS[entry[0].__name__]} |" for name, entry in sorted({**ONE, **TWO}.items())]
    rows += [
        "",
        "`x ** c` for a Python number `c` is tested for c = " + ", ".join(f"{c:.3g}" for c in EXPONENTS) + ".",
        "",
        "| function | dtype | order | allowed | reason |",
        "| --- | --- | --- | --- | --- |",
    ]
    rows += [
        f"| `{name}` | {dtype} | {order} | {allowed:g} | {reason} |"
        for (name, dtype, order), (allowed, reason) in EXCEPTIONS.items()
    ]
    rows += [
        "",
        "These functions have constant, selecting or zero derivatives, so there is nothing to round: "
        + ", ".join(f"`{name}`" for name in sorted(EXACT))
        + ".",
        "",
        "The functions of `scipy.special` are compared with mpmath as well, where SciPy's own values are accurate enough: first",
        "derivatives in `tests/special/table.py`, each with the units that it may be off, and both derivatives at tiny, huge and",
        "singular arguments in `tests/special/test_extremes.py`.",
        "",
    ]
    return "\n".join(rows)


if __name__ == "__main__":
    from pathlib import Path

    target = Path(__file__).parents[2] / "docs" / "reference" / "accuracy.md"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(accuracy_page())
