"""ForwardAccumulator: forward mode over what was done in a block."""

import numpy as np
import pytest

import wengert as wg
from wengert.errors import ArgumentError, ShapeError, StructureError, TapeError


def test_a_direction():
    x = wg.Tensor([1.0, 2.0])
    with wg.ForwardAccumulator(x, wg.Tensor([1.0, 10.0])) as acc:
        y = x**3
        inside = acc.jvp(y)
    assert inside.numpy().tolist() == acc.jvp(y).numpy().tolist() == [3, 120]


def test_several_primals_and_results():
    x, v = wg.Tensor(2.0), wg.Variable([1.0, 2.0])
    with wg.ForwardAccumulator([x, {"v": v}], [1.0, {"v": [0.0, 1.0]}]) as acc:
        y, z = x * v, x * x
    found = acc.jvp({"y": y, "rest": (z, x)})
    assert found["y"].numpy().tolist() == [1, 4]
    assert [float(t) for t in found["rest"]] == [4, 1]


def test_entering_again_goes_on():
    x = wg.Tensor(-2.0)
    with wg.ForwardAccumulator(x, 1.5) as acc:
        y = 4.0 * x
    z = y * x
    assert float(acc.jvp(y)) == 6
    assert acc.jvp(z) is None
    with acc:
        w = y * y
    assert float(acc.jvp(w)) == -96


def test_entering_twice():
    with (
        wg.ForwardAccumulator(wg.Tensor(1.0), 1.0) as acc,
        pytest.raises(TapeError, match="this accumulator is recording"),
    ):
        acc.__enter__()


def test_unconnected():
    x, c = wg.Tensor([1.0, 2.0]), wg.Tensor(3.0)
    with wg.ForwardAccumulator(x, [1.0, 1.0]) as acc:
        y = c * c
        n = np.argsort(x)
        f = np.floor(x)
    assert acc.jvp(y) is None and acc.jvp(n) is None and acc.jvp(c) is None
    assert float(acc.jvp(y, unconnected_gradients="zero")) == 0
    assert acc.jvp(n, unconnected_gradients=wg.UnconnectedGradients.ZERO).numpy().tolist() == [0, 0]
    assert acc.jvp(f).numpy().tolist() == [0, 0]
    with pytest.raises(ArgumentError, match="unconnected_gradients is 'none' or 'zero'"):
        acc.jvp(y, unconnected_gradients="nan")


def test_never_entered():
    x = wg.Tensor(1.0)
    assert wg.ForwardAccumulator(x, 1.0).jvp(x * x) is None


def test_second_order_by_nesting():
    x = wg.Tensor(2.0)
    with wg.ForwardAccumulator(x, 1.0) as outer:
        with wg.ForwardAccumulator(x, 3.0) as inner:
            y = x**3
            inside = inner.jvp(y)
        between = inner.jvp(y)
    after = inner.jvp(y)
    for first in (inside, between, after):
        assert float(first) == 36 and float(outer.jvp(first)) == 36
    assert inner.jvp(outer.jvp(y)) is None  # nobody records it for the inner one


def test_third_order_by_nesting():
    x = wg.Tensor(2.0)
    with wg.ForwardAccumulator(x, 1.0) as a, wg.ForwardAccumulator(x, 1.0) as b, wg.ForwardAccumulator(x, 1.0) as c:
        y = x**5
    assert float(a.jvp(b.jvp(c.jvp(y)))) == 60 * 4


def test_around_a_tape_also_after_its_block():
    x = wg.Tensor(2.0)
    with wg.GradientTape() as tape:
        tape.watch(x)
        with wg.ForwardAccumulator(x, 1.0) as acc:
            y = x**3
    assert float(tape.gradient(acc.jvp(y), x)) == 12


def test_a_used_up_tape_is_not_opened_again():
    x = wg.Tensor(2.0)
    with wg.GradientTape() as tape:
        tape.watch(x)
        with wg.ForwardAccumulator(x, 1.0) as acc:
            y = x**3
    tape.gradient(y, x)
    slope = acc.jvp(y)
    assert float(slope) == 12
    with pytest.raises(TapeError, match="used up"):
        tape.gradient(slope, x)


def test_complex_and_single_precision():
    z = wg.Tensor(1 + 2j)
    with wg.ForwardAccumulator(z, 1j) as acc:
        y = z**2
    assert complex(acc.jvp(y)) == 1j * (2 + 4j)
    x = wg.Tensor(np.float32([1, 2]))
    with wg.ForwardAccumulator(x, [1.0, 0.0]) as acc:
        y = x * x
    assert acc.jvp(y).dtype == np.float32


def test_integer_primals_have_no_tangent():
    n, x = wg.Tensor(2), wg.Tensor(3.0)
    with pytest.warns(UserWarning, match="this accumulator watches a tensor of int64"):
        with wg.ForwardAccumulator([n, x], [1, 1.0]) as acc:
            y = n * x
    assert float(acc.jvp(y)) == 2 and acc.jvp(n) is None


def test_misuse():
    x, y = wg.Tensor([1.0, 2.0]), wg.Tensor(1.0)
    with pytest.raises(ArgumentError, match=r"primal 1 was given before[\s\S]*sum of its tangents"):
        wg.ForwardAccumulator([x, x], [[1.0, 1.0], [1.0, 1.0]])
    with pytest.raises(ArgumentError, match="1 tangents for 2 primals"):
        wg.ForwardAccumulator([x, y], [wg.Tensor([1.0, 1.0])])
    with pytest.raises(ShapeError, match=r"tangent 0 has shape \(3,\), but its primal has shape \(2,\)"):
        wg.ForwardAccumulator(x, [1.0, 2.0, 3.0])
    with pytest.raises(ArgumentError, match="tangent 0 has dtype complex128, but its primal has float64"):
        wg.ForwardAccumulator(y, 1j)
    with pytest.raises(StructureError, match="ForwardAccumulator: primals is or contains a float"):
        wg.ForwardAccumulator(1.0, 1.0)
    with wg.ForwardAccumulator(y, 1.0) as acc, pytest.raises(StructureError, match="jvp: the argument is or contains"):
        acc.jvp(3.0)


def test_nothing_stays_recorded_after_an_error():
    x = wg.Tensor(2.0)
    acc = wg.ForwardAccumulator(x, 1.0)
    with pytest.raises(ZeroDivisionError), acc:
        y = x * x
        _ = 1 / 0
    assert float(y) == 4 and float(acc.jvp(y)) == 4


def test_tangents_that_are_recorded():
    x, t = wg.Tensor(2.0), wg.Tensor(3.0)
    with wg.GradientTape() as tape:
        tape.watch(t)
        with wg.ForwardAccumulator(x, t) as acc:
            y = x**3
        slope = acc.jvp(y)
    assert float(tape.gradient(slope, t)) == 12
