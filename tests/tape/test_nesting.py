"""Tapes in tapes: higher orders, several tapes at once, and no mixing of derivatives."""

import numpy as np
import pytest

import wengert as wg
from wengert.recording import current


def derivative(function, x):
    """Return df/dx at a scalar tensor, by a tape."""
    with wg.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return tape.gradient(y, x)


def test_fourth_derivative():
    x = wg.Tensor(2.0)
    d = x
    values = []

    def nth(n):
        return (lambda x: x**5) if n == 0 else (lambda x: derivative(nth(n - 1), x))

    for n in range(6):
        values.append(float(nth(n)(d)))
    assert values == [32, 80, 160, 240, 240, 120]


def test_two_tapes_on_different_tensors():
    x, y = wg.Tensor(2.0), wg.Tensor(3.0)
    with wg.GradientTape() as a, wg.GradientTape() as b:
        a.watch(x)
        b.watch(y)
        z = x * x * y
    assert float(a.gradient(z, x)) == 12
    assert float(b.gradient(z, y)) == 4


def test_an_inner_tape_does_not_see_what_the_outer_one_watches():
    x, y = wg.Tensor(2.0), wg.Tensor(3.0)
    with wg.GradientTape() as outer:
        outer.watch(x)
        with wg.GradientTape() as inner:
            inner.watch(y)
            z = x * y
    assert inner.gradient(z, x) is None
    assert float(outer.gradient(z, x)) == 3


def test_an_operation_is_recorded_once():
    x = wg.Tensor(2.0)
    with wg.GradientTape() as a:
        a.watch(x)
        with wg.GradientTape() as b, wg.GradientTape() as c:
            b.watch(x)
            c.watch(x)
            y = np.sin(x)
            recorder = current()
    assert recorder.sessions == []
    lines, line = 0, y._line
    while line.primitive is not None and line.primitive.name != "watch":
        line, lines = line.inputs[0], lines + 1
    assert lines == 1
    assert float(a.gradient(y, x)) == float(b.gradient(y, x)) == float(c.gradient(y, x)) == np.cos(2.0)


def test_gradient_of_a_gradient_penalty():
    x = wg.Tensor([1.0, 2.0])
    with wg.GradientTape() as outer:
        outer.watch(x)
        with wg.GradientTape() as inner:
            inner.watch(x)
            y = np.sum(x**3)
        slope = inner.gradient(y, x)
        penalty = np.sum(slope**2)
    np.testing.assert_allclose(outer.gradient(penalty, x).numpy(), 36 * np.array([1.0, 8.0]))


def test_hessian_by_nesting_equals_the_functional_one():
    def f(x):
        return np.sum(np.sin(x) * x[::-1]) + np.prod(x)

    x = wg.Tensor([0.3, 1.2, -0.7])
    with wg.GradientTape() as outer:
        outer.watch(x)
        with wg.GradientTape() as inner:
            inner.watch(x)
            y = f(x)
        g = inner.gradient(y, x)
    np.testing.assert_allclose(outer.jacobian(g, x).numpy(), wg.jacobian(wg.grad(f))(x.numpy()), rtol=1e-13)


def test_mixed_second_derivative():
    x, y = wg.Tensor([1.0, 2.0]), wg.Tensor([3.0, 4.0])
    with wg.GradientTape() as outer:
        outer.watch(y)
        with wg.GradientTape() as inner:
            inner.watch(x)
            z = np.sum(x * x * y)
        g = inner.gradient(z, x)
    assert outer.jacobian(g, y).numpy().tolist() == [[2, 0], [0, 4]]


def test_hessian_vector_products_three_ways():
    x, v = wg.Tensor([1.0, 2.0]), wg.Tensor([3.0, 5.0])

    def f(x):
        return np.sum(x**3) + x[0] * x[1]

    wanted = [6 * 1 * 3 + 5, 6 * 2 * 5 + 3]
    with wg.GradientTape() as outer:
        outer.watch(x)
        with wg.GradientTape() as inner:
            inner.watch(x)
            y = f(x)
        inner_product = np.sum(inner.gradient(y, x) * v)
    assert outer.gradient(inner_product, x).numpy().tolist() == wanted
    with wg.ForwardAccumulator(x, v) as accumulator:
        with wg.GradientTape() as tape:
            tape.watch(x)
            y = f(x)
        g = tape.gradient(y, x)
    assert accumulator.jvp(g).numpy().tolist() == wanted
    with wg.GradientTape() as tape:
        tape.watch(x)
        with wg.ForwardAccumulator(x, v) as accumulator:
            y = f(x)
        slope = accumulator.jvp(y)
    assert tape.gradient(slope, x).numpy().tolist() == wanted


@pytest.mark.parametrize("x", [1.0, 2.0])
def test_perturbations_do_not_mix(x):
    x = wg.Tensor(x)
    one = wg.Tensor(1.0)
    assert float(derivative(lambda x: x * derivative(lambda y: x + y, one), x)) == 1
    assert float(derivative(lambda x: x * derivative(lambda y: x * y, one), x)) == 2 * float(x)
    assert float(derivative(lambda x: derivative(lambda y: x * y, +x), x)) == 1
    assert float(derivative(lambda x: derivative(lambda y: x * y, x), x)) == 2  # y is x: tapes go by the object
    assert float(derivative(lambda x: derivative(lambda y: x * x, one) is None and x, x)) == 1


def test_output_gradients_are_differentiated_too():
    x, w = wg.Tensor([1.0, 2.0]), wg.Tensor([3.0, 4.0])
    with wg.GradientTape() as outer:
        outer.watch(w)
        with wg.GradientTape() as inner:
            inner.watch(x)
            y = x**2
        g = inner.gradient(y, x, output_gradients=w)
    assert outer.jacobian(g, w).numpy().tolist() == [[2, 0], [0, 4]]


def test_entering_again_inside_another_tape():
    x = wg.Tensor(2.0)
    with wg.GradientTape(persistent=True) as a:
        a.watch(x)
        y = x * x
    with wg.GradientTape() as b:
        b.watch(x)
        with a:
            z = y * x
        w = z * x
    assert float(a.gradient(z, x)) == 12
    assert a.gradient(w, x) is None
    assert float(b.gradient(w, x)) == 16  # y is a constant for b


def test_entering_again_with_a_variable():
    v = wg.Variable(2.0)
    with wg.GradientTape(persistent=True) as a:
        y = v * v
    with wg.GradientTape() as b:
        first = v * 3
        with a:
            z = y * v
        w = first + z + v
    assert float(a.gradient(z, v)) == 12
    assert float(b.gradient(w, v)) == 3 + 4 + 1


def test_inside_vmap():
    def f(x):
        with wg.GradientTape() as tape:
            tape.watch(x)
            y = x**3
        return tape.gradient(y, x)

    assert wg.vmap(f)(np.array([1.0, 2.0])).tolist() == [3, 12]


def test_jacobian_inside_an_outer_jacobian_of_a_function():
    def f(x):
        with wg.GradientTape() as tape:
            tape.watch(x)
            y = np.stack([x[0] * x[1], np.sin(x[0])])
        return tape.jacobian(y, x)

    got = wg.jacobian(f)(wg.Tensor([1.0, 2.0]))
    wanted = np.zeros((2, 2, 2))
    wanted[0, 0, 1] = wanted[0, 1, 0] = 1
    wanted[1, 0, 0] = -np.sin(1.0)
    np.testing.assert_allclose(got.numpy(), wanted)
