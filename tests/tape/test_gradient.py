"""GradientTape.gradient: what is connected, how results are nested, and every misuse."""

import collections
import warnings

import numpy as np
import pytest

import wengert as wg
from wengert.errors import ArgumentError, DtypeError, ShapeError, StructureError
from wengert.primitives.structural import stop_gradient

DTYPES = [np.float32, np.float64, np.complex64, np.complex128]


def value(tensor):
    return tensor.numpy().tolist()


def taped(function, *inputs, persistent=False):
    with wg.GradientTape(persistent=persistent) as tape:
        tape.watch(list(inputs))
        result = function(*inputs)
    return tape, result


# ---------------------------------------------------------------- what comes out


def test_target_that_is_the_source_gives_ones():
    x = wg.Tensor([1.0, 2.0])
    tape, _ = taped(lambda x: x, x)
    assert value(tape.gradient(x, x)) == [1, 1]


def test_a_target_that_is_the_source_need_not_be_watched():
    x = wg.Tensor([1.0, 2.0])
    with wg.GradientTape(persistent=True) as tape:
        y = x * x
    assert value(tape.gradient(x, x)) == [1, 1] and value(tape.gradient([y, y], [y])[0]) == [2, 2]
    assert value(tape.gradient([x, x], x, output_gradients=[None, [5.0, 7.0]])) == [6, 8]
    assert value(tape.jacobian(x, x)) == [[1, 0], [0, 1]]
    assert tape.gradient(y, x) is None
    n = wg.Tensor(1)
    assert tape.gradient(n, n) is None and tape.jacobian(n, n) is None


def test_target_listed_twice_counts_twice():
    x = wg.Tensor([1.0, 2.0])
    tape, _ = taped(lambda x: x, x, persistent=True)
    assert value(tape.gradient([x, x], x)) == [2, 2]
    tape, y = taped(lambda x: x * x, x)
    assert value(tape.gradient([y, y], x)) == [4, 8]


def test_vector_targets_are_summed():
    x = wg.Tensor([1.0, 2.0, 3.0])
    tape, y = taped(lambda x: x**2, x)
    assert value(tape.gradient(y, x)) == [2, 4, 6]


def test_list_of_targets_is_summed():
    x = wg.Tensor(3.0)
    tape, targets = taped(lambda x: [x * x, x**3], x)
    assert value(tape.gradient(targets, x)) == 6 + 27


def test_dict_and_nested_targets_are_summed():
    x = wg.Tensor(3.0)
    tape, targets = taped(lambda x: {"a": x * x, "b": [x, (2 * x,)]}, x)
    assert value(tape.gradient(targets, x)) == 6 + 1 + 2


def test_intermediates_are_sources_without_being_watched():
    x = wg.Tensor(3.0)
    with wg.GradientTape() as tape:
        tape.watch(x)
        y = x * x
        z = y * y
    assert [value(g) for g in tape.gradient(z, [x, y, z])] == [108, 18, 1]


def test_intermediate_that_comes_from_nothing_watched_is_not_connected():
    x, other = wg.Tensor(3.0), wg.Tensor(2.0)
    with wg.GradientTape() as outer:
        outer.watch(other)
        with wg.GradientTape() as tape:
            tape.watch(x)
            z = other * other  # the outer tape records this, the inner one does not watch it
            y = z * x
    assert tape.gradient(y, z) is None
    assert value(outer.gradient(y, other)) == 12


def test_duplicate_sources_each_get_the_full_gradient():
    x = wg.Tensor(3.0)
    tape, y = taped(lambda x: x * x, x)
    assert [value(g) for g in tape.gradient(y, [x, x])] == [6, 6]


def test_unwatched_source_gives_none():
    x, c = wg.Tensor(3.0), wg.Tensor(2.0)
    tape, y = taped(lambda x: x * c, x)
    assert tape.gradient(y, [x, c])[1] is None


def test_operation_after_the_block_is_not_connected():
    x = wg.Tensor(3.0)
    tape, y = taped(lambda x: x * x, x)
    z = y * 2
    assert tape.gradient(z, x) is None


def test_only_operations_after_the_watch_count():
    x = wg.Tensor(2.0)
    with wg.GradientTape(persistent=True) as tape:
        y = x * x
        tape.watch(x)
        z = x**3
        w = y + z
    assert tape.gradient(y, x) is None
    assert value(tape.gradient(w, x)) == 12


def test_watching_twice_changes_nothing():
    x = wg.Tensor(2.0)
    with wg.GradientTape() as tape:
        tape.watch(x)
        y = x * x
        tape.watch([x, (x,)])
        z = y * x
    assert value(tape.gradient(z, x)) == 12


def test_watching_an_intermediate_starts_a_new_line_for_this_tape():
    x = wg.Tensor(2.0)
    with wg.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x * x
        before = y * 3
        tape.watch(y)
        after = y * 5
    assert value(tape.gradient(after, y)) == 5
    assert tape.gradient(before, y) is None  # before the watch
    assert value(tape.gradient([before, after], x)) == 32  # the link to x stays


def test_watching_something_computed_and_what_it_came_from():
    x = wg.Tensor(2.0)
    with wg.GradientTape() as tape:
        tape.watch(x)
        y = x * x
        tape.watch(y)
        z = y * x
    assert [value(g) for g in tape.gradient(z, [x, y])] == [12, 2]


def test_stop_gradient_cuts():
    x = wg.Tensor(3.0)
    with wg.GradientTape(persistent=True) as tape:
        tape.watch(x)
        s = stop_gradient(x)
        y = x * s
        z = 2 * s
    assert value(tape.gradient(y, x)) == 3
    assert tape.gradient(z, x) is None
    assert tape.gradient(z, s) is None  # it is connected to nothing that is watched


def test_equal_values_are_different_sources():
    a, b = wg.Tensor(3.0), wg.Tensor(3.0)
    tape, y = taped(lambda a: a * b, a)
    assert [None if g is None else value(g) for g in tape.gradient(y, [a, b])] == [3, None]


def test_operations_that_do_not_change_the_value_are_recorded():
    x = wg.Tensor(2.0)
    for same in (lambda x: x + 0, lambda x: x - 0, lambda x: x * 1, lambda x: x / 1, lambda x: +x):
        with wg.GradientTape() as tape:
            tape.watch(x)
            y = same(x)
        assert y is not x
        assert [value(g) for g in tape.gradient(y, [x, y])] == [1, 1]


@pytest.mark.parametrize("function", [np.floor, np.round, np.sign, lambda x: x // 3])
def test_a_derivative_that_is_zero_is_connected(function):
    x = wg.Tensor([1.5, -2.5])
    tape, y = taped(function, x)
    assert value(tape.gradient(y, x)) == [0, 0]


def test_a_detour_over_integers_is_not_connected():
    x = wg.Tensor([1.5, 2.5])
    tape, y = taped(lambda x: wg.Tensor(x.numpy().astype(int)) * 2.0, x)
    assert tape.gradient(y, x) is None


def test_a_wider_dtype_on_the_way_leaves_the_gradient_in_the_dtype_of_the_source():
    x = wg.Tensor([1.5, 2.5], dtype=np.float32)
    tape, y = taped(lambda x: x.astype(np.float64) ** 2, x)
    gradient = tape.gradient(y, x)
    assert gradient.dtype == np.float32
    assert value(gradient) == [3, 5]


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes(dtype):
    x = wg.Tensor(np.array([1, 2], dtype))
    tape, y = taped(lambda x: x**3, x)
    gradient = tape.gradient(y, x)
    assert gradient.dtype == dtype
    assert value(gradient) == [3, 12]


def test_complex_gradient_is_the_direction_of_steepest_ascent():
    z = wg.Tensor(1 + 2j)
    tape, y = taped(lambda z: z**2, z)
    assert value(tape.gradient(y, z)) == 2 - 4j
    tape, y = taped(lambda z: np.abs(z) ** 2, z)
    np.testing.assert_allclose(tape.gradient(y, z).numpy(), 2 + 4j)


# ---------------------------------------------------------------- integers


def test_integers_are_watched_with_a_warning_and_have_no_gradient():
    n = wg.Tensor(3)
    with wg.GradientTape(persistent=True) as tape:
        with pytest.warns(UserWarning, match="this tape watches a tensor of int64, which has no derivative") as caught:
            tape.watch(n)
        y = n * 2.0
    assert caught[0].filename == __file__
    assert tape.gradient(y, n) is None
    zero = tape.gradient(y, n, unconnected_gradients="zero")
    assert zero.dtype == np.float64 and value(zero) == 0


def test_complex_is_watched_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        taped(lambda z: z, wg.Tensor(1j))


def test_integer_and_boolean_targets_are_not_connected():
    x = wg.Tensor([1.0, 2.0])
    tape, (n, b) = taped(lambda x: (np.argsort(x), x > 1), x, persistent=True)
    assert tape.gradient(n, x) is None
    assert tape.gradient(b, x) is None
    assert value(tape.gradient(b, x, unconnected_gradients="zero")) == [0, 0]


# ---------------------------------------------------------------- nesting of sources


def test_result_mirrors_the_sources():
    x, y = wg.Tensor(2.0), wg.Tensor(3.0)
    Pair = collections.namedtuple("Pair", "a b")
    tape, z = taped(lambda x, y: x * y, x, y, persistent=True)
    assert value(tape.gradient(z, {"x": x, "y": y})["y"]) == 2
    assert value(tape.gradient(z, Pair(x, y)).b) == 2
    inner, outer = tape.gradient(z, [(x,), [y, x]])
    assert value(inner[0]) == 3 and [value(g) for g in outer] == [2, 3]


def test_empty_structures_stay():
    x = wg.Tensor(2.0)
    tape, y = taped(lambda x: x * x, x, persistent=True)
    assert tape.gradient(y, []) == []
    empty, gradient, nothing = tape.gradient(y, [[], x, ()])
    assert (empty, value(gradient), nothing) == ([], 4, ())
    assert tape.gradient([], x) is None


# ---------------------------------------------------------------- weights


def test_output_gradients_weigh_the_targets():
    x = wg.Tensor([1.0, 2.0])
    tape, (y, z) = taped(lambda x: (x**2, np.sum(x)), x, persistent=True)
    assert value(tape.gradient(y, x, output_gradients=wg.Tensor([10.0, 100.0]))) == [20, 400]
    assert value(tape.gradient(y, x, output_gradients=np.array([10.0, 100.0]))) == [20, 400]
    assert value(tape.gradient([y, z], x, output_gradients=[[1.0, 1.0], 5.0])) == [7, 9]
    assert value(tape.gradient([y, z], x, output_gradients=[None, 5.0])) == [7, 9]
    assert value(tape.gradient({"a": y}, x, output_gradients={"a": [1.0, 0.0]})) == [2, 0]


def test_integer_weights_become_floats():
    x = wg.Tensor([1.0, 2.0])
    tape, y = taped(lambda x: x**2, x)
    assert value(tape.gradient(y, x, output_gradients=[3, 1])) == [6, 4]


def test_weights_of_the_wrong_shape():
    x = wg.Tensor([1.0, 2.0])
    tape, y = taped(lambda x: x**2, x)
    with pytest.raises(ShapeError, match=r"output gradient 0 has shape \(\), but its target has shape \(2,\)"):
        tape.gradient(y, x, output_gradients=1.0)
    assert value(tape.gradient(y, x)) == [2, 4]  # the error used nothing up


def test_weights_of_the_wrong_dtype():
    x = wg.Tensor([1.0, 2.0])
    tape, y = taped(lambda x: x**2, x)
    with pytest.raises(DtypeError, match="output gradient 0 has dtype complex128, but its target has float64"):
        tape.gradient(y, x, output_gradients=np.array([1j, 0]))


@pytest.mark.parametrize("count", [1, 3])
def test_wrong_number_of_weights(count):
    x = wg.Tensor([1.0, 2.0])
    tape, (y, z) = taped(lambda x: (x**2, x**3), x)
    with pytest.raises(ArgumentError, match=f"{count} output_gradients for 2 targets"):
        tape.gradient([y, z], x, output_gradients=[None] * count)
    with pytest.raises(ArgumentError, match="1 output_gradients for 2 targets"):
        tape.gradient([y, z], x, output_gradients=wg.Tensor([1.0, 1.0]))
    with pytest.raises(ArgumentError, match="1 output_gradients for 2 targets"):
        tape.gradient({"y": y, "z": z}, x, output_gradients={"y": None})


# ---------------------------------------------------------------- unconnected


def test_unconnected_gradients():
    x, c = wg.Tensor([1.0, 2.0]), wg.Tensor([[3.0]], dtype=np.float32)
    tape, y = taped(lambda x: x * x, x, persistent=True)
    assert tape.gradient(y, c, unconnected_gradients="none") is None
    assert tape.gradient(y, c, unconnected_gradients=wg.UnconnectedGradients.NONE) is None
    for zero in ("zero", wg.UnconnectedGradients.ZERO):
        gradient = tape.gradient(y, c, unconnected_gradients=zero)
        assert value(gradient) == [[0]] and gradient.dtype == np.float32
    with pytest.raises(ArgumentError, match=r"'none' or 'zero' .* not 'nan'"):
        tape.gradient(y, x, unconnected_gradients="nan")


# ---------------------------------------------------------------- what is not a tensor


@pytest.mark.parametrize(
    ("target", "said"), [(None, "None"), (3.0, "a float"), (np.ones(2), "a ndarray"), ([None], "None"), ("x", "a str")]
)
def test_targets_that_are_no_tensors(target, said):
    x = wg.Tensor(2.0)
    tape, _ = taped(lambda x: x * x, x)
    with pytest.raises(StructureError, match=f"gradient: the target is or contains {said}, but it has to be a tensor"):
        tape.gradient(target, x)


@pytest.mark.parametrize(("source", "said"), [(None, "None"), (3.0, "a float"), ([np.ones(2)], "a ndarray")])
def test_sources_that_are_no_tensors(source, said):
    x = wg.Tensor(2.0)
    tape, y = taped(lambda x: x * x, x)
    with pytest.raises(StructureError, match=f"gradient: sources is or contains {said}"):
        tape.gradient(y, source)


@pytest.mark.parametrize("thing", [3.0, np.ones(2), None, [wg.Tensor(1.0), 2.0]])
def test_watching_what_is_no_tensor(thing):
    with wg.GradientTape() as tape, pytest.raises(StructureError, match="watch: the argument is or contains"):
        tape.watch(thing)


# ---------------------------------------------------------------- control flow, in-place, views


def test_control_flow_is_pythons():
    def f(x):
        y = x
        while y < 100:
            y = y * x if y > 10 else y + 3
        return y

    x = wg.Tensor(2.0)
    tape, y = taped(f, x)
    assert value(y) == 11 * 2**4
    assert value(tape.gradient(y, x)) == 16 + 11 * 4 * 8


def test_writing_into_a_buffer():
    x = wg.Tensor([1.0, 2.0, 3.0])
    with wg.GradientTape() as tape:
        tape.watch(x)
        buffer = np.zeros_like(x)
        for i in range(3):
            buffer[i] = x[i] ** 2
        buffer[0] += 10 * x[2]
        y = buffer.sum()
    assert value(tape.gradient(y, x)) == [2, 4, 16]


def test_conversion_of_a_tracked_value_raises_and_leaves_the_tape_in_order():
    x = wg.Tensor(2.0)
    with wg.GradientTape() as tape:
        tape.watch(x)
        y = x * x
        with pytest.raises(wg.errors.TraceLost, match=r"float\(\) on a tracked tensor"):
            float(y)
        z = y * 3
    assert float(y) == 4
    assert value(tape.gradient(z, x)) == 12


def test_what_nobody_watches_may_be_converted():
    x, c = wg.Tensor(2.0), wg.Tensor(3.0)
    with wg.GradientTape() as tape:
        tape.watch(x)
        factor = float(c * c)
        y = factor * x
    assert value(tape.gradient(y, x)) == 9


def test_functions_nested_in_a_tape():
    x = wg.Tensor(2.0)
    with wg.GradientTape() as tape:
        tape.watch(x)
        y = wg.grad(lambda t: t**3 * x)(x)
    assert value(y) == 24  # 3 x^2 x
    assert value(tape.gradient(y, x)) == 36


def test_tape_nested_in_a_function():
    def f(x):
        x = wg.Tensor(x) if isinstance(x, np.ndarray) else x
        with wg.GradientTape() as tape:
            tape.watch(x)
            y = x**3
        return tape.gradient(y, x)

    assert wg.jacobian(f)(np.array([1.0, 2.0])).tolist() == [[6, 0], [0, 12]]
    assert wg.grad(lambda x: f(x).sum())(np.array([1.0, 2.0])).tolist() == [6, 12]
    np.testing.assert_allclose(wg.jvp(f, (np.array([1.0, 2.0]),), (np.array([1.0, 1.0]),))[1], [6, 12])


def test_an_inner_tape_on_other_values_leaves_plain_numbers():
    x = wg.Tensor(2.0)
    with wg.GradientTape() as tape:
        tape.watch(x)
        t = wg.Tensor(1.0)
        for _ in range(20):  # Newton's method on something that does not depend on x
            with wg.GradientTape() as inner:
                inner.watch(t)
                r = t * t - 2
            t = wg.Tensor(float(t) - float(r) / float(inner.gradient(r, t)))
        y = x * float(t)
    np.testing.assert_allclose(tape.gradient(y, x).numpy(), np.sqrt(2))
