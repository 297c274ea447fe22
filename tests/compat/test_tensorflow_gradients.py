"""compat.tensorflow: the tape's contracts where they are TensorFlow's own, and kinks."""

import numpy as np
import pytest

import wengert
import wengert.compat.tensorflow as tf
from wengert.errors import ArgumentError, ShapeError


def test_the_cube_of_the_lesson():
    x = tf.constant([[4.0, 2.0], [1.0, 3.0]])
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = x**3
        first = inner.jacobian(y, x)
    assert str(first[0, 0]) == "tf.Tensor(\n[[48.  0.]\n [ 0.  0.]], shape=(2, 2), dtype=float32)"
    second = outer.batch_jacobian(first, x)
    assert second.shape == [2, 2, 2, 2, 2] and float(second[1, 1, 1, 1, 1]) == 18


def test_results_are_of_this_namespace():
    x, v = tf.constant(2.0), tf.Variable(3.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x * v
    found = [*tape.gradient(y, [x, v]), tape.jacobian(y, v), tape.gradient(y, [x], unconnected_gradients="zero")[0]]
    assert all(type(g) is tf.Tensor for g in found)
    with tf.autodiff.ForwardAccumulator(x, tf.constant(1.0)) as acc:
        y = x * 3
    assert type(acc.jvp(y)) is tf.Tensor and isinstance(acc, wengert.ForwardAccumulator)
    assert isinstance(tape, wengert.GradientTape)
    assert tf.UnconnectedGradients is wengert.UnconnectedGradients


def test_batch_jacobian_of_what_is_not_connected_is_zero_here():
    x, c = tf.ones((2, 3)), tf.ones((2, 1))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x * x
    assert tape.batch_jacobian(y, c).numpy().tolist() == np.zeros((2, 3, 1)).tolist()


def test_silently_wrong_seeds_are_errors_here():
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y, z = x * x, x * 3
    with pytest.raises(ShapeError, match="output gradient 0 has shape"):
        tape.gradient(y, x, output_gradients=tf.constant(2.0))
    for count in (1, 3):
        with pytest.raises(ArgumentError, match=f"{count} output_gradients for 2 targets"):
            tape.gradient([y, z], x, output_gradients=[y] * count)
    assert tape.gradient([y, z], x, output_gradients=[None, [2.0, 2.0]]).numpy().tolist() == [8, 10]


def test_casts():
    x = tf.constant([1.7, 2.2])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        detour = tf.cast(tf.cast(x, tf.int32), tf.float32) * 2.0
        wide = tf.cast(x, tf.float64) ** 2
        whole = tf.cast(x, tf.complex64) * 1j
    assert tape.gradient(detour, x) is None
    assert tape.gradient(wide, x).dtype == tf.float32
    assert tape.gradient(tf.cast(x, tf.float32), x).numpy().tolist() == [1, 1]
    assert tape.gradient(whole, x).numpy().tolist() == [0, 0]


def test_integers_warn_and_have_no_gradient():
    n = tf.constant(3)
    with tf.GradientTape() as tape:
        with pytest.warns(UserWarning, match="this tape watches a tensor of int32"):
            tape.watch(n)
        y = tf.cast(n, tf.float32) * 2.0
    assert tape.gradient(y, n) is None


def test_scattered_updates_with_repeated_places_go_to_the_last():
    x, u = tf.constant([1.0, 2.0, 3.0]), tf.constant([10.0, 20.0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([x, u])
        y = tf.tensor_scatter_nd_update(x, [[1], [1]], u)
        z = tf.tensor_scatter_nd_add(x, [[1], [1]], u)
    assert y.numpy().tolist() == [1, 20, 3]
    assert [g.numpy().tolist() for g in tape.gradient(y, [x, u])] == [[1, 0, 1], [0, 1]]
    assert [g.numpy().tolist() for g in tape.gradient(z, [x, u])] == [[1, 1, 1], [1, 1]]


def test_gradients_of_gathered_rows_are_dense():
    x = tf.constant([1.0, 2.0, 3.0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = tf.gather(x, [0, 0, 2])
        z = tf.gather_nd(x, [[2], [2]])
    assert tape.gradient(y, x).numpy().tolist() == [2, 0, 1]
    assert tape.gradient(z, x).numpy().tolist() == [0, 0, 2]


@pytest.mark.parametrize(
    ("expression", "at", "slope"),
    [
        ("tf.abs(x)", 0.0, 0),
        ("tf.maximum(x, 2.0)", 2.0, 0.5),
        ("tf.maximum(x, x)", 2.0, 1),
        ("tf.nn.relu(x)", 0.0, 0),
        ("tf.nn.relu6(x)", 0.0, 0),
        ("tf.nn.leaky_relu(x)", -1.0, 0.2),
        ("tf.nn.elu(x)", 0.0, 1),
        ("tf.clip_by_value(x, 0.0, 1.0)", 0.0, 1),
        ("tf.clip_by_value(x, 0.0, 1.0)", 1.0, 1),
        ("tf.clip_by_value(x, 0.0, 1.0)", 2.0, 0),
        ("tf.sqrt(x)", 0.0, np.inf),
        ("tf.where(x > 0, tf.sqrt(x), 0.0)", 0.0, 0),
        ("tf.where(x > 0, tf.math.log(x), 0.0)", 0.0, 0),
        ("tf.norm([x, x])", 0.0, 0),
        ("tf.clip_by_norm([x, x], 1.0)[0]", 0.0, 1),
        ("tf.math.l2_normalize([x, 0.0])[0]", 0.0, 1e6),
        ("x**0", 0.0, 0),
        ("x**2", 0.0, 0),
        ("x**1", 0.0, 1),
        ("x**3", -2.0, 12),
        ("tf.floor(x)", 1.5, 0),
        ("tf.round(x)", 1.5, 0),
        ("tf.sign(x)", 0.0, 0),
        ("x % 3", 4.0, 1),
        ("5 % x", 3.0, -1),
        ("x // 3", 4.0, 0),
        ("tf.nn.softplus(x)", -1000.0, 0),
        ("tf.nn.softplus(x)", 1000.0, 1),
        ("tf.math.log_sigmoid(x)", -1000.0, 1),
        ("tf.reduce_logsumexp([x, x])", 1000.0, 1),
        ("tf.reduce_prod([x, 2.0, 3.0])", 0.0, 6),
        ("tf.reduce_prod([x, 0.0, 3.0])", 0.0, 0),
        ("tf.reduce_sum(tf.math.cumprod([x, 2.0, 3.0]))", 0.0, 9),
        ("tf.reduce_max([x, 2.0, 1.0])", 2.0, 0.5),
        ("tf.math.divide_no_nan(1.0, x)", 0.0, 0),
        ("tf.math.multiply_no_nan(x, 0.0)", np.inf, 0),
        ("tf.sort([x, 1.0])[0]", 0.5, 1),
        ("tf.math.top_k([x, 1.0], 1).values[0]", 2.0, 1),
    ],
)
def test_kinks(expression, at, slope):
    x = tf.Variable(at)
    with tf.GradientTape() as tape, np.errstate(divide="ignore"):
        y = eval(expression, {"tf": tf, "x": x})
    np.testing.assert_allclose(tape.gradient(y, x), slope, rtol=1e-6)


@pytest.mark.parametrize(
    ("expression", "slope"),
    [
        ("z**2", 2 - 4j),
        ("tf.math.imag(z)", 1j),
        ("tf.abs(z)", (1 + 2j) / np.sqrt(5)),
        ("tf.abs(z) ** 2", 2 + 4j),
        ("tf.math.angle(z)", -0.4 + 0.2j),
        ("tf.math.conj(z)", 1),
        ("1j * z", -1j),
        ("tf.math.real(z)", 1),
        ("tf.complex(tf.math.real(z), 2 * tf.math.imag(z))", 1),
    ],
)
def test_complex_numbers(expression, slope):
    z = tf.Variable(1 + 2j)
    with tf.GradientTape() as tape:
        y = eval(expression, {"tf": tf, "z": z})
    np.testing.assert_allclose(tape.gradient(y, z), slope, rtol=1e-6)


def test_control_flow_functions():
    x = tf.Variable(2.0)
    with tf.GradientTape(persistent=True) as tape:
        a = tf.cond(x > 0, lambda: x * x, lambda: -x)
        _, b = tf.while_loop(lambda i, s: i < 3, lambda i, s: (i + 1, s * x), (tf.constant(0), tf.constant(1.0)))
        c = tf.reduce_sum(tf.map_fn(lambda k: k * x, tf.range(3.0)))
        d = tf.scan(lambda s, k: s * x + k, tf.range(3.0))[-1]
        e = tf.foldl(lambda s, k: s * x + k, tf.range(3.0))
    assert [float(tape.gradient(y, x)) for y in (a, b, c, d, e)] == [4, 12, 3, 1, 1]


def test_differences_agree():
    exact, differences = tf.test.compute_gradient(
        lambda x, y: tf.stack([x[0] * y, x[1] ** 2]),
        [tf.constant([1.0, 2.0], tf.float64), tf.constant(3.0, tf.float64)],
    )
    np.testing.assert_allclose(exact[0], [[3, 0], [0, 4]])
    np.testing.assert_allclose(exact[1], [[1], [0]])
    for a, b in zip(exact, differences, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-8)


@pytest.mark.parametrize("function", [tf.linalg.cholesky, tf.linalg.eigvalsh], ids=["cholesky", "eigvalsh"])
def test_gradients_by_symmetric_matrices_are_symmetric(function):
    a = tf.constant([[4.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 2.0]])
    with tf.GradientTape() as tape:
        tape.watch(a)
        y = tf.reduce_sum(function(a) * tf.range(1.0, 4.0))
    gradient = tape.gradient(y, a).numpy()
    np.testing.assert_allclose(gradient, gradient.T, rtol=1e-5)
