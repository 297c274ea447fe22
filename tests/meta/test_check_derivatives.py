"""`wg.testing.check_derivatives`: it finds wrong rules inside of functions, and names the likely cause."""

from __future__ import annotations

import numpy as np
import pytest
from mutations import OPERATORS, mutant
from sample import registry

import wengert as wg
from wengert.errors import ArgumentError, DtypeError, StructureError, WrongDerivative
from wengert.testing import Report, Row, check_derivatives

X = np.array([0.3, -1.2, 2.1])
Y = np.array([1.1, 0.4, -0.7])

# Functions around one primitive, which stands for a user's own rule.
AROUND = {
    "sin": lambda p: lambda x: np.sum(p(x * x) * x),
    "tanh": lambda p: lambda x: p(x) + np.cos(x)[::-1],
    "exp2": lambda p: lambda x: {"a": p(0.5 * x), "b": (x[0], 2 * x)},
    "hypot": lambda p: lambda x: p(x, 1 + x * x),
    "multiply": lambda p: lambda x: np.cumsum(p(np.sin(x), x + 1)),
    "divide": lambda p: lambda x: np.prod(p(x, 2 + np.cos(x))),
    "logaddexp": lambda p: lambda x: p(x, x[::-1] * 2),
    "cumsum": lambda p: lambda x: p(np.exp(x), axis=0) ** 2,
    "cumprod": lambda p: lambda x: p(1 + 0.1 * x, axis=0),
    "sum": lambda p: lambda x: p(np.outer(x, np.sin(x)), axis=(1,)) * x,
}
WRONG = [name for name in OPERATORS if name.split(":")[0] in ("reverse", "forward", "both")]
WRONG = [
    name
    for name in WRONG
    if OPERATORS[name][1] in ("", "curved") and "off by one" not in name and "reversed" not in name
]


@pytest.mark.parametrize("operator", WRONG)
@pytest.mark.parametrize("name", AROUND)
def test_a_wrong_rule_inside_a_function_is_found(name, operator):
    original = registry()[name]
    if operator == "reverse: leaves the recording" and name in ("cumsum", "sum"):
        pytest.skip("a linear rule has nothing to lose there")
    with mutant(original, **OPERATORS[operator][0](original)) as wrong:
        report = check_derivatives(AROUND[name](wrong), X)
    assert not report.ok, str(report)
    with mutant(original) as right:
        assert check_derivatives(AROUND[name](right), X).ok


def test_there_are_enough():
    assert len(WRONG) * len(AROUND) >= 40


def test_the_worst_entry_is_named():
    original = registry()["sin"]

    def partly(ct, out, x, needs):
        return (ct * np.cos(x) * np.array([1.0, 1.0, 1.25]),)

    with mutant(original, vjp=partly) as wrong:
        report = check_derivatives(lambda x: wrong(x), X)
    row = report["reverse"]
    assert row.status == "wrong"
    assert "argument 0[2]" in row.entry
    assert row.cause == "wrong rule"
    assert abs(row.ours / row.expected - 1.25) < 1e-6
    assert report["forward"].status == "right"
    assert report["adjoint"].status == "wrong"
    assert report.worst.status == "wrong"
    assert "argument 0[2]" in str(report)


def test_one_wrong_entry_of_many_is_found_and_named():
    original = registry()["sin"]
    factor = np.ones(500)
    factor[123] = 1.5

    def both(seed, x):
        return seed * np.cos(x) * factor

    with mutant(
        original,
        vjp=lambda ct, out, x, needs: (both(ct, x),),
        jvp=lambda tangents, out, x: both(tangents[0], x),
    ) as wrong:
        report = check_derivatives(lambda x: wrong(x), np.linspace(0.1, 3, 500), order=1)
    assert "[123]" in report["forward"].entry
    assert "[123]" in report["reverse"].entry


def test_structured_arguments_and_several_results():
    def f(parameters, t, n):
        return {"y": parameters["a"] * np.sin(parameters["b"] * t) * n, "n": n}, np.sum(t)

    report = check_derivatives(f, {"a": 2.0, "b": np.array([0.5, 1.5])}, np.array([0.1, 0.9]), 3)
    assert report.ok, str(report)
    assert report["forward"].error < 1e-8


def test_complex_functions():
    z = np.array([0.3 + 1j, -1.1 - 0.4j])
    for f in (
        lambda z: np.sin(z) * z,
        lambda z: np.abs(z) ** 2,
        lambda z: np.conj(z) * z,
        lambda z: np.real(z) + 1j * np.imag(z) ** 2,
    ):
        report = check_derivatives(f, z)
        assert report.ok, str(report)
        assert report["adjoint"].status == "right"


def test_kinks_are_no_failures():
    report = check_derivatives(lambda x: np.abs(x) + np.maximum(x, 0), np.array([0.0, 1.0]))
    assert report.ok, str(report)
    bent = check_derivatives(lambda x: np.where(x > 0, 2 * x, x), np.array([0.0]), order=1)
    assert bent.ok
    assert "kink" in bent["forward"].cause
    assert "1 from below, 2 from above" in bent["forward"].cause


def test_a_value_outside_of_both_sides_of_a_kink_is_wrong():
    original = registry()["absolute"]
    with mutant(
        original, vjp=lambda ct, out, x, needs: (ct * 3,), jvp=lambda tangents, out, x: tangents[0] * 3
    ) as wrong:
        report = check_derivatives(lambda x: wrong(x), np.array([0.0]), order=1)
    assert report["forward"].status == "wrong"
    assert "kink" in report["forward"].cause


def test_infinite_slopes_and_jumps_are_unclear_not_wrong():
    report = check_derivatives(np.sqrt, np.array([0.0, 1.0]))
    assert report.ok, str(report)
    assert report["forward"].status == "unclear"
    assert "infinite slope" in report["forward"].cause


def test_single_precision_inside_is_named():
    def f(x):
        return np.sum(np.sin(x.astype(np.float32)).astype(float) ** 2) * 1e-3

    report = check_derivatives(f, X)
    assert report.ok, str(report)


def test_single_precision_arguments_are_promoted():
    report = check_derivatives(lambda x: np.sum(np.sin(x) * x), X.astype(np.float32))
    assert report.ok
    assert report["forward"].error < 1e-8


def test_nondeterminism_is_found():
    generator = np.random.default_rng(0)
    report = check_derivatives(lambda x: np.sin(x) * (1 + 1e-9 * generator.standard_normal()), X)
    assert not report.ok
    assert report["repeatable"].status == "wrong"
    assert report["repeatable"].cause == "nondeterminism"
    assert [row.law for row in report.wrong] == ["repeatable"]


def test_last_digits_are_no_nondeterminism():
    """What has run often is compiled, and may round otherwise than before."""
    calls = []

    def f(x):
        calls.append(1)
        return np.sin(x) * (1 + 4e-16 * (len(calls) % 2))

    assert check_derivatives(f, X)["repeatable"].status == "right"


def test_writing_to_an_argument_is_found():
    def f(x):
        y = np.sin(x)
        if isinstance(x, np.ndarray):
            x[0] += 0.25
        return y

    report = check_derivatives(f, X.copy())
    assert not report.ok


def test_a_result_of_the_wrong_dtype_is_found():
    original = registry()["sin"]
    with mutant(original, evaluate=lambda x: np.sin(x).astype(float)) as wrong:
        report = check_derivatives(lambda x: wrong(x), X)
    assert report["dtype"].status == "right"  # float64 out of float32 is odd but consistent: tangents follow
    assert report.ok


def test_third_order():
    report = check_derivatives(lambda x: np.sum(np.exp(np.sin(x))), X, order=3)
    assert report.ok, str(report)
    assert report["third order"].status == "right"
    assert report["mixed third order"].status == "right"


def test_raise_if_wrong():
    assert check_derivatives(np.sin, X, order=1).raise_if_wrong().ok
    original = registry()["sin"]
    with mutant(original, jvp=lambda tangents, out, x: tangents[0]) as wrong:
        report = check_derivatives(lambda x: wrong(x), X, order=1)
    with pytest.raises(WrongDerivative, match=r"forward +wrong") as caught:
        report.raise_if_wrong()
    assert isinstance(caught.value, AssertionError)


def test_argnums():
    report = check_derivatives(lambda x, y: x * np.abs(y), X, np.zeros(3), argnums=0)
    assert report.ok
    assert report["adjoint"].status == "right"


def test_errors():
    with pytest.raises(ArgumentError, match="order is 0"):
        check_derivatives(np.sin, X, order=0)
    with pytest.raises(ArgumentError, match="nothing to differentiate by"):
        check_derivatives(lambda n: n, 3)
    with pytest.raises(DtypeError, match="no floating numbers"):
        check_derivatives(lambda x: np.argmax(x), X)
    with pytest.raises(StructureError, match="returned str"):
        check_derivatives(lambda x: "text", X)


def test_a_report_reads_well():
    report = Report(
        "f",
        [
            Row("forward", error=1e-12, ours=1.0, expected=1.0),
            Row("reverse", "wrong", "d y / d x", -1.0, 1.0, 2.0, "wrong rule"),
        ],
    )
    assert str(report).splitlines() == [
        "f: 1 of 2 laws broken",
        "  forward                  right     1.0e-12",
        "  reverse                  wrong     2.0e+00  d y / d x: -1, expected 1  wrong rule",
    ]
    assert report["forward"].law == "forward"
    with pytest.raises(KeyError):
        report["absent"]
    assert list(report) == report.rows
    assert not report
    assert Report("g").worst is None


def test_the_sparsity_row_says_what_it_did():
    row = check_derivatives(np.sin, X)["sparsity"]
    assert row.status in ("right", "skipped")
    if row.status == "skipped":
        assert row.cause


def test_it_is_reached_from_the_top():
    assert wg.testing.check_derivatives is check_derivatives
