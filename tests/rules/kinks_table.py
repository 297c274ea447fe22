"""The conventions at kinks and singular points, as exact values; docs/explanation/kinks.md is made from this table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

inf, nan = np.inf, np.nan


@dataclass(frozen=True)
class Kink:
    """A function of `x`, the point, and the gradient of the sum of its result there, and of the sum of that gradient.

    `second` is None where a second derivative is not pinned (it says so in the note).
    """

    group: str
    code: str
    at: Any
    first: Any
    second: Any = 0.0
    note: str = ""

    def __call__(self, x: Any) -> Any:
        import wengert as wg

        return eval(self.code, {"np": np, "x": x, "inf": inf, "wg": wg, "np_set": _assigned})


def _assigned(x: Any, index: Any, value: Any) -> Any:
    y = x.copy()
    y[index] = value
    return y


MASKS = "A branch that is not taken"
ROOTS = "Norms and roots at 0"
TIES = "Ties"
BOUNDS = "Steps and bounds"
POWERS = "Powers and products at 0"
LIMITS = "Removable and true singularities"

KINKS = [
    # a zero cotangent times an infinite slope is 0
    Kink(MASKS, "np.where(x > 0, np.sqrt(x), 0)", [0.0, 4.0], [0.0, 0.25], [0.0, -0.03125]),
    Kink(MASKS, "np.where(x > 0, np.log(x), 0)", [0.0, 2.0], [0.0, 0.5], [0.0, -0.25]),
    Kink(MASKS, "np.where(x > 0, 1 / x, 0)", [0.0, 2.0], [0.0, -0.25], [0.0, 0.25]),
    Kink(MASKS, "np.where(x > 0, x * np.log(x), 0)", [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]),
    Kink(MASKS, "np.where(x > 0, x**0.5, 0)", [0.0, 4.0], [0.0, 0.25], [0.0, -0.03125]),
    Kink(MASKS, "np.where(x > 0, x**x, 1)", [0.0, 1.0], [0.0, 1.0], [0.0, 2.0]),
    Kink(MASKS, "np.where(x != 0, np.sin(x) / x, 1)", [0.0], [0.0], [0.0]),
    Kink(MASKS, "np.where(np.abs(x) < 1, np.arcsin(x), 0)", [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]),
    Kink(MASKS, "np.where(np.isnan(x), 0, x * x)", [nan, 3.0], [0.0, 6.0], [0.0, 2.0]),
    Kink(MASKS, "np.sqrt(x)[1:]", [0.0, 4.0], [0.0, 0.25], [0.0, -0.03125], "an element that is not used"),
    Kink(MASKS, "(x * np.log(x))[1:]", [0.0, 1.0], [0.0, 1.0], [0.0, 1.0], "an element that is not used"),
    Kink(MASKS, "np.clip(np.log(x), -1, 1)", [0.0, 1.0], [0.0, 1.0], [0.0, -1.0], "log(0) lies below the bound"),
    Kink(MASKS, "np.maximum(-1 / x, 0)", [0.0], [0.0], [0.0]),
    Kink(MASKS, "np.where(np.arange(2) > 0, np.prod(x), 0)", [inf, 2.0], [2.0, inf], [1.0, 1.0], "used: stays"),
    Kink(MASKS, "np.where(x[0] > 0, np.prod(x), 0)", [0.0, inf], [0.0, 0.0], [0.0, 0.0]),
    Kink(MASKS, "x * np.sqrt(x)", [0.0, 4.0], [0.0, 3.0], [inf, 0.375], "0 times an infinite slope"),
    # norms
    Kink(ROOTS, "np.sqrt(x)", 0.0, inf, -inf, "bare: as in calculus"),
    Kink(ROOTS, "np.cbrt(x)", 0.0, inf, -inf),
    Kink(ROOTS, "np.linalg.norm(x)", [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]),
    Kink(ROOTS, "np.linalg.norm(x)", [3.0, 4.0], [0.6, 0.8], [0.032, -0.024]),
    Kink(ROOTS, "np.std(x)", [1.0, 1.0], [0.0, 0.0], [0.0, 0.0]),
    Kink(ROOTS, "np.hypot(x, x)", 0.0, 0.0, 0.0),
    Kink(ROOTS, "np.hypot(x, 0)", 0.0, 0.0, 0.0),
    Kink(ROOTS, "np.abs(x)", [0.0, -2.0], [0.0, -1.0], [0.0, 0.0]),
    Kink(ROOTS, "np.fabs(x)", 0.0, 0.0, 0.0),
    Kink(ROOTS, "np.copysign(x, -1)", [0.0, -2.0], [0.0, 1.0], [0.0, 0.0]),
    Kink(ROOTS, "np.arctan2(x, 0 * x)", 0.0, 0.0, 0.0),
    # ties
    Kink(TIES, "np.maximum(x, 1)", [1.0, 2.0, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 0.0], "each argument gets half"),
    Kink(TIES, "np.minimum(1, x)", [1.0, 2.0, 0.0], [0.5, 0.0, 1.0], [0.0, 0.0, 0.0]),
    Kink(TIES, "np.maximum(x, x)", 3.0, 1.0, 0.0),
    Kink(TIES, "np.maximum(x, 0)", 0.0, 0.5, 0.0, "relu written with maximum"),
    Kink(TIES, "np.fmax(x, 1)", [1.0, nan], [0.5, 0.0], [0.0, 0.0]),
    Kink(TIES, "np.max(x)", [2.0, 2.0, 1.0], [0.5, 0.5, 0.0], [0.0, 0.0, 0.0], "equal shares"),
    Kink(TIES, "np.min(x)", [1.0, 1.0, 1.0, 1.0], [0.25] * 4, [0.0] * 4),
    Kink(TIES, "np.sort(x)[0]", [2.0, 1.0, 1.0], [0.0, 1.0, 0.0], [0.0] * 3, "the stable order: first come"),
    Kink(TIES, "np.median(x)", [4.0, 1.0, 3.0, 2.0], [0.0, 0.0, 0.5, 0.5], [0.0] * 4, "the mean of the middle two"),
    Kink(TIES, "np.maximum.accumulate(x)", [1.0, 1.0, 0.0], [3.0, 0.0, 0.0], [0.0] * 3, "the first to reach it"),
    # steps
    Kink(
        BOUNDS,
        "np.clip(x, 0, 1)",
        [0.0, 1.0, 0.5, 2.0],
        [1.0, 1.0, 1.0, 0.0],
        [0.0] * 4,
        "1 inside the closed interval",
    ),
    Kink(BOUNDS, "np.sign(x)", [0.0, 2.0], [0.0, 0.0], [0.0, 0.0], "0, and connected"),
    Kink(BOUNDS, "np.floor(x)", [1.0, 1.5], [0.0, 0.0], [0.0, 0.0]),
    Kink(BOUNDS, "np.round(x)", [0.5, 1.2], [0.0, 0.0], [0.0, 0.0]),
    Kink(BOUNDS, "np.heaviside(x, 0.5)", [0.0, 1.0], [0.0, 0.0], [0.0, 0.0]),
    Kink(BOUNDS, "x % 3", [3.0, 4.0], [1.0, 1.0], [0.0, 0.0]),
    Kink(BOUNDS, "5 % x", [3.0], [-1.0], [0.0]),
    Kink(BOUNDS, "x // 3", [3.0, 4.0], [0.0, 0.0], [0.0, 0.0]),
    Kink(BOUNDS, "np.fmod(x, 3)", [3.0, -4.0], [1.0, 1.0], [0.0, 0.0]),
    Kink(BOUNDS, "np.nan_to_num(x)", [nan, inf, 2.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]),
    Kink(
        BOUNDS,
        "np_set(x, np.array([0, 0]), x)[0]",
        [5.0, 7.0],
        [0.0, 1.0],
        [0.0, 0.0],
        "y[[0, 0]] = x: the last writer",
    ),
    # powers
    Kink(POWERS, "x**0", 0.0, 0.0, 0.0),
    Kink(POWERS, "x**1", 0.0, 1.0, 0.0),
    Kink(POWERS, "x**2", 0.0, 0.0, 2.0),
    Kink(POWERS, "x**3", [0.0, -2.0], [0.0, 12.0], [0.0, -12.0]),
    Kink(POWERS, "x**0.5", 0.0, inf, -inf),
    Kink(POWERS, "x**-1", 0.0, -inf, inf),
    Kink(POWERS, "x ** np.array([0.0, 1.0, 2.0])", [0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 2.0]),
    Kink(POWERS, "0**x", [0.0, 2.0], [0.0, 0.0], [0.0, 0.0]),
    Kink(POWERS, "(-2.0)**x", 2.0, nan, nan, "by the exponent: the power is complex next to the point"),
    Kink(POWERS, "np.prod(x)", [0.0, 2.0, 3.0], [6.0, 0.0, 0.0], [5.0, 3.0, 2.0]),
    Kink(POWERS, "np.prod(x)", [0.0, 0.0, 3.0], [0.0, 0.0, 0.0], [3.0, 3.0, 0.0]),
    Kink(POWERS, "np.cumprod(x)", [0.0, 2.0, 3.0], [9.0, 0.0, 0.0], [6.0, 4.0, 2.0]),
    # singularities
    Kink(LIMITS, "np.sinc(x)", 0.0, 0.0, -(np.pi**2) / 3),
    Kink(LIMITS, "np.log(x)", 0.0, inf, -inf),
    Kink(LIMITS, "1 / x", 0.0, -inf, inf),
    Kink(LIMITS, "np.arcsin(x)", 1.0, inf, inf),
    Kink(LIMITS, "np.arctanh(x)", 1.0, inf, inf),
    Kink(LIMITS, "np.logaddexp(x[0], x[1])", [-inf, -inf], [0.5, 0.5], [0.0, 0.0], "the softmax of equal arguments"),
    Kink(LIMITS, "np.logaddexp(x[0], x[1])", [-inf, 1.0], [0.0, 1.0], [0.0, 0.0]),
    Kink(LIMITS, "np.logaddexp(0, x)", [-1000.0, 1000.0], [0.0, 1.0], [0.0, 0.0], "softplus, far out"),
    Kink(LIMITS, "np.tanh(x)", [1000.0, -1000.0], [0.0, 0.0], [0.0, 0.0]),
    Kink(LIMITS, "np.exp(x)", -inf, 0.0, 0.0),
]

_INTRODUCTION = """\
# Kinks, ties and singular points

Made by `python tests/rules/kinks_table.py`; do not edit. Every line is a test, in forward and reverse mode and in all
four combinations of them for the second derivative.

Where a function has no derivative, or where the usual formula gives 0 times infinity, a convention is needed. Ours:

* **A factor of zero gives zero.** A path through the computation that has a zero factor contributes nothing, whatever
  the other factors are: infinity and NaN included. So a branch that `np.where`, an index, `clip` or `maximum` has cut
  never turns the result into NaN, and forward and reverse mode agree.
* A function whose derivative is truly infinite says so: `sqrt` at 0 gives `inf`.
* Norms and radii have derivative 0 where they are 0.
* Arguments that tie share the derivative equally; sorting keeps the first of equals first.
* Steps (`floor`, `round`, `sign`) have derivative 0. They stay connected: the result is 0, not None.
* Inside closed bounds `clip` has derivative 1.

The second column is the gradient of the sum of the result, the third the gradient of the sum of that gradient.
`np_set(x, i, v)` stands for `y = x.copy(); y[i] = v`.
"""


def _show(value: Any) -> str:
    values = np.asarray(value, float)
    return str([float(f"{v:.10g}") for v in values]) if values.ndim else f"{float(values):.10g}"


def kinks_page() -> str:
    """Return docs/explanation/kinks.md."""
    rows = [_INTRODUCTION]
    for group in dict.fromkeys(kink.group for kink in KINKS):
        rows += [
            f"## {group}",
            "",
            "| function | at x = | gradient | second | note |",
            "| --- | --- | --- | --- | --- |",
        ]
        rows += [
            f"| `{k.code}` | {_show(k.at)} | {_show(k.first)} | {_show(k.second)} | {k.note} |"
            for k in KINKS
            if k.group == group
        ]
        rows.append("")
    return "\n".join(rows)


if __name__ == "__main__":
    from pathlib import Path

    target = Path(__file__).parents[2] / "docs" / "explanation" / "kinks.md"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(kinks_page())
