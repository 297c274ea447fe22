"""What was recorded, where a NaN comes from, which branches were taken: each with the line of the user's code."""

import numpy as np
import pytest

import wengert as wg

HERE = "test_16_debugging.py"


def line_of(function, text):
    """Return file:line of the line of a function's source that has a text in it."""
    import inspect

    source, first = inspect.getsourcelines(function)
    return next(f"{HERE}:{first + k}: " for k, row in enumerate(source) if text in row)


# ------------------------------------------------------------ 16: the operation that made the NaN


def bad_loss(x):
    scaled = x * 2.0
    shifted = np.log(scaled - 3.0)  # NaN here
    return np.sum(shifted * scaled)


def bad_derivative(x):
    root = np.sqrt(x)
    twice = root * 2.0
    return np.sum(root - twice + x)  # the value is fine; infinity minus infinity at root


def test_16_a_nan_in_the_function_points_at_its_line():
    with pytest.raises(wg.errors.NotANumber) as caught:
        wg.debug.check_nan(bad_loss, np.array([2.0, 1.0]))
    text = str(caught.value)
    assert "log gave NaN at index (1,) of its result of shape (2,)" in text
    assert line_of(bad_loss, "NaN here") in text
    assert "shapes (2,) and values -1 to 1" in text
    assert isinstance(caught.value, FloatingPointError)


def test_16_a_nan_in_the_derivative_points_at_the_line_it_came_from():
    x = np.array([4.0, 0.0])
    assert np.isfinite(bad_derivative(x))
    custom = wg.custom_rule(np.sqrt, vjp=lambda ct, out, x: (ct * 0.5 / out * np.where(x == 0, np.nan, 1),))

    def through_a_wrong_rule(x):
        root = custom(x)  # its rule gives NaN
        return np.sum(root * 3.0)

    with np.errstate(all="ignore"), pytest.raises(wg.errors.NotANumber) as caught:
        wg.debug.check_nan(through_a_wrong_rule, x)
    assert "the derivative of custom by its argument 0 is NaN at index (1,)" in str(caught.value)
    assert line_of(through_a_wrong_rule, "its rule gives NaN") in str(caught.value)


def test_16_a_nan_that_two_derivatives_add_up_to_points_at_the_value():
    def meets(x):
        middle = x * 1.0  # infinity and minus infinity meet
        return np.sum(np.sqrt(middle) - np.log(middle + 0.0))

    with np.errstate(all="ignore"), pytest.raises(wg.errors.NotANumber) as caught:
        wg.debug.check_nan(meets, np.array([4.0, 0.0]))
    assert line_of(meets, "infinity") in str(caught.value)
    assert "the derivative by the result of multiply is NaN at index (1,)" in str(caught.value)


def test_16_what_is_fine_passes_and_what_is_not_checked_pays_nothing():
    assert wg.debug.check_nan(lambda x: np.sum(x**2), np.ones(3)) is None
    assert wg.debug.check_nan(lambda x: (np.where(x > 0, np.sqrt(x), 0), np.ones(2), 3), np.zeros(3)) is None
    y = []
    wg.grad(lambda x: y.append(x * 2) or np.sum(x))(np.ones(2))
    assert type(y[0]) is wg.Tensor
    assert not hasattr(y[0]._line, "notes")


# ------------------------------------------------------------ 37: seeing the graph


def integrate(y):
    for _ in range(50):
        y = y + 0.1 * np.sin(y)
        y = y * 0.9
    if y[0] > 0:
        y = y**2
    return np.sum(y)


def test_37_a_loop_is_told_once():
    table = wg.debug.listing(integrate, np.array([0.5, -0.25]))
    at = line_of(integrate, "np.sin")
    expected = f"""\
203 operations, 816 B kept, 404 flops
%0 = input()  float64[2]  0 B kept, 0 flops
50 times:
  %1 = sin(%0)  float64[2]  16 B kept, 2 flops  {at}y = y + 0.1 * np.sin(y)
  %2 = multiply(%1)  float64[2]  0 B kept, 2 flops  {at}y = y + 0.1 * np.sin(y)
  %3 = add(%0, %2)  float64[2]  0 B kept, 2 flops  {at}y = y + 0.1 * np.sin(y)
  %4 = multiply(%3)  float64[2]  0 B kept, 2 flops  {line_of(integrate, "0.9")}y = y * 0.9
%201 = power(%200)  float64[2]  16 B kept, 2 flops  {line_of(integrate, "**")}y = y**2
%202 = sum(%201)  float64[]  0 B kept, 2 flops  {line_of(integrate, "return")}return np.sum(y)
branch taken as True  {line_of(integrate, "if")}if y[0] > 0:"""
    assert str(table) == expected
    assert len(table.operations) == 203


def test_37_the_graph_in_dot():
    table = wg.debug.listing(lambda a, b: np.sum(a @ b), np.ones((2, 3)), np.ones(3))
    rows = table.dot().splitlines()
    assert rows[0] == "digraph recording {"
    assert rows[-1] == "}"
    assert r'  n0 [label="input\nfloat64[2,3]"]' in rows
    assert [row for row in rows if "->" in row] == ["  n0 -> n2", "  n1 -> n2", "  n2 -> n3"]
    assert table.operations[2].flops == 12
    turns = wg.debug.listing(integrate, np.array([0.5, -0.25])).dot()
    assert r"sin (50 times)\nfloat64[2]" in turns
    assert turns.count("label") == 7


def test_37_ten_thousand_operations_take_few_rows():
    def nested(x):
        for _ in range(40):
            for _ in range(60):
                x = np.cos(x)
            for _ in range(30):
                x = x * 0.5 + 1.0
        return x

    def irregular(x):
        for k in range(300):
            x = (np.sin if k * k % 7 < 3 else np.cos)(x) if k % 3 else x[: x.size - 1]
        return x

    table = wg.debug.listing(nested, np.ones(3))
    assert len(table.operations) == 1 + 40 * (60 + 60)
    assert len(str(table).splitlines()) < 10
    assert len(str(wg.debug.listing(irregular, np.ones(200))).splitlines()) <= 200


# ------------------------------------------------------------ 10: plain control flow, and which way it went


def bisection(p):
    low, high = p * 0.0, p * 0.0 + 2.0
    while high - low > 1e-13:
        middle = 0.5 * (low + high)
        if middle**3 + p * middle - 3.0 > 0:
            high = middle
        else:
            low = middle
    root = 0.5 * (low + high)
    return root - (root**3 + p * root - 3.0) / (3 * root**2 + p)  # one step of Newton carries the derivative


def newton(p):
    x = p * 0 + 1.0
    while abs(x**3 + p * x - 3.0) > 1e-14:
        x = x - (x**3 + p * x - 3.0) / (3 * x**2 + p)
        if abs(x**3 + p * x - 3.0) < 1e-14:
            break
    return x - (x**3 + p * x - 3.0) / (3 * x**2 + p)


def adaptive(p):
    """Bogacki-Shampine with step control, y' = -p y + sin(t), from 0 to 2."""
    t, y, h = 0.0, p * 0 + 1.0, 0.1

    def slope(t, y):
        return -p * y + np.sin(t)

    while t < 2.0:
        h = min(h, 2.0 - t)
        a = slope(t, y)
        b = slope(t + h / 2, y + h / 2 * a)
        c = slope(t + 3 * h / 4, y + 3 * h / 4 * b)
        new = y + h * (2 * a + 3 * b + 4 * c) / 9
        d = slope(t + h, new)
        error = abs(h * (-5 * a / 72 + b / 12 + c / 9 - d / 8))
        if error < 1e-9:
            t, y = t + h, new
        factor = (1e-9 / (error + 1e-30)) ** (1 / 3)
        h = h * min(5.0, max(0.2, 0.9 * factor.numpy() if hasattr(factor, "numpy") else 0.9 * factor))
    return y


def recursion(p, depth=6):
    return p if depth == 0 else np.sin(recursion(p, depth - 1)) + p * recursion(p, depth - 2 if depth > 1 else 0)


def generator(p):
    def terms():
        term, k = p, 1
        while True:
            yield term
            term = -term * p * p / ((k + 1) * (k + 2))
            k += 2

    total = 0.0
    for term in terms():
        total = total + term
        if abs(term) < 1e-17:
            break
    return total


@pytest.mark.parametrize("function", [bisection, newton, adaptive, recursion, generator])
def test_10_control_flow_of_python_in_both_modes(function):
    p, h = 1.3, 1e-5
    expected = (function(p + h) - function(p - h)) / (2 * h)
    x = np.array(p)
    for found in (wg.grad(function)(p), wg.jvp(function, (x,), (np.array(1.0),))[1]):
        np.testing.assert_allclose(found, expected, rtol=2e-6)


def test_10_the_path_that_was_taken_is_listed():
    taken = wg.debug.listing(bisection, np.array(1.3)).branches
    assert {where.partition(": ")[2] for where, _ in taken} == {
        "while high - low > 1e-13:",
        "if middle**3 + p * middle - 3.0 > 0:",
    }
    assert [value for where, value in taken if "while" in where][-1] is False
