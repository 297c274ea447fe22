"""Samples of the elementwise primitives; shapes without axes, empty, broadcast and complex ones are made from these."""

import numpy as np
from sample import Sample

A = np.array([[0.7, -1.3, 2.1], [-0.4, 1.9, -2.6]])
B = np.array([[1.1, -0.8, 0.6], [2.3, -1.7, 0.9]])
POSITIVE = np.array([[0.3, 1.7, 4.2], [0.05, 2.6, 11.0]])
UNIT = np.array([[0.3, -0.55, 0.81], [-0.12, 0.6, -0.93]])
ABOVE = np.array([[1.3, 2.2, 5.0], [1.8, 3.1, 40.0]])
FRACTIONS = np.array([[0.31, -1.27, 2.63], [-3.41, 1.18, 0.77]])
INTEGERS = np.array([[3, -7, 2], [5, 12, -1]])
OTHERS = np.array([[2, 3, -5], [7, 1, 4]])
FLAGS = np.array([[True, False, True], [False, False, True]])
COMPLEX = A + 1j * B

_ANYWHERE = ("negative", "positive", "square", "exp", "exp2", "expm1", "sin", "cos", "tan", "arctan", "sinh", "cosh")
_ANYWHERE += ("tanh", "arcsinh", "absolute", "fabs", "deg2rad", "radians", "rad2deg", "degrees", "cbrt", "reciprocal")
_STEPS = ("sign", "floor", "ceil", "trunc", "rint")
_PREDICATES = ("isfinite", "isinf", "isnan", "signbit", "logical_not")
_COMPARISONS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")

SAMPLES = {
    **{name: [Sample((A,))] for name in _ANYWHERE},
    **{name: [Sample((FRACTIONS,))] for name in _STEPS},
    **{name: [Sample((POSITIVE,))] for name in ("sqrt", "log", "log2", "log10", "log1p")},
    **{name: [Sample((UNIT,))] for name in ("arcsin", "arccos", "arctanh")},
    "arccosh": [Sample((ABOVE,))],
    "sinc": [Sample((FRACTIONS,), reference=np.sinc), Sample((np.array([0.01, -0.2, 0.55, 0.65, -1.43]),))],
    **{
        name: [Sample((A, B)), Sample((A, 0.9)), Sample((-0.2, B))]
        for name in ("add", "subtract", "multiply", "divide", "maximum", "minimum", "fmax", "fmin")
    },
    **{name: [Sample((A, B))] for name in ("hypot", "arctan2", "logaddexp", "logaddexp2", "copysign")},
    **{name: [Sample((A, B))] for name in ("remainder", "fmod", "floor_divide")},
    "power": [
        Sample((POSITIVE, A)),
        *(Sample((POSITIVE, c)) for c in (2, 3, -1, 0, 1, 0.5, 1 / 3, -0.7, np.float64(2.5))),
        *(Sample((A, c)) for c in (2, 3, -2, 2.0, 1)),
        Sample((2.5, A)),
        Sample((POSITIVE, INTEGERS)),
        Sample((COMPLEX, 0.5 + 0.2j)),
        Sample((COMPLEX, 3)),
    ],
    "float_power": [Sample((POSITIVE, A)), Sample((POSITIVE, 1 / 3))],
    "where": [
        Sample((FLAGS, A, B), reference=np.where),
        Sample((FLAGS, A, 0.0)),
        Sample((FLAGS, COMPLEX, B), skip={"dtype": "complex64 and float32 mix to complex64"}),
    ],
    "clip": [Sample((A, np.full((2, 3), -1.0), np.full((2, 3), 1.0)), reference=np.clip), Sample((A, -1.0, 1.0))],
    "scale": [Sample((A, B), reference=np.multiply), Sample((COMPLEX, B))],
    "conjugate": [Sample((A,))],
    "real": [Sample((A,), reference=np.real), Sample((COMPLEX,), reference=np.real)],
    "imag": [Sample((COMPLEX,), reference=np.imag), Sample((A,), reference=np.imag)],
    "cast": [
        Sample(
            (A,),
            {"dtype": np.dtype(np.float32)},
            skip={
                "dtype": "the result has a dtype of its own",
                **dict.fromkeys(
                    ("forward", "reverse", "second order"), "single precision, too coarse for a difference"
                ),
                **dict.fromkeys(("adjoint", "mixed second order"), "single precision, too coarse for the law"),
                **dict.fromkeys(("derived", "batching"), "single precision"),
            },
        ),
        Sample((A,), {"dtype": np.dtype(complex)}, skip={"dtype": "the result has a dtype of its own"}),
        Sample((COMPLEX,), {"dtype": np.dtype(float)}, skip={"dtype": "the result has a dtype of its own"}),
    ],
    "heaviside": [Sample((A, B)), Sample((np.zeros((2, 3)), B), skip=dict.fromkeys(("forward", "reverse"), "a jump"))],
    "spacing": [Sample((A,), skip=dict.fromkeys(("forward", "reverse"), "it is flat between powers of two only"))],
    "nextafter": [Sample((A, B))],
    "ldexp": [Sample((A, INTEGERS))],
    "round": [Sample((FRACTIONS,), {"decimals": 0}, reference=np.round), Sample((FRACTIONS,), {"decimals": 1})],
    # derivatives that are primitives themselves
    **{name: [Sample((A,))] for name in ("tan_slope", "tanh_slope", "arctan_slope", "arcsinh_slope", "cbrt_slope")},
    **{name: [Sample((UNIT,))] for name in ("arcsin_slope", "arctanh_slope")},
    "sqrt_slope": [Sample((POSITIVE,))],
    "arccosh_slope": [Sample((ABOVE,))],
    "sinc_derivative": [Sample((FRACTIONS,), {"order": k}) for k in (1, 2, 3)],
    **{name: [Sample((A, B))] for name in ("share", "share2", "unit", "polar")},
    # nothing to differentiate
    **{name: [Sample((A,))] for name in _PREDICATES},
    **{name: [Sample((A, B)), Sample((INTEGERS, INTEGERS))] for name in _COMPARISONS},
    **{name: [Sample((FLAGS, ~FLAGS))] for name in ("logical_and", "logical_or", "logical_xor")},
    **{name: [Sample((INTEGERS, OTHERS))] for name in ("bitwise_and", "bitwise_or", "bitwise_xor", "gcd", "lcm")},
    **{name: [Sample((INTEGERS, np.abs(OTHERS)))] for name in ("left_shift", "right_shift")},
    **{name: [Sample((INTEGERS,))] for name in ("invert", "bitwise_count")},
}
