"""compat.tensorflow: functions with gradients of their own."""

import gc
import pickle
import weakref

import numpy as np
import pytest

import wengert.compat.tensorflow as tf
from wengert.errors import ArgumentError, ShapeError, StructureError


def gradient(f, *inputs):
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        y = f(*inputs)
    found = tape.gradient(y, list(inputs))
    return [None if g is None else g.numpy().tolist() for g in found]


@tf.custom_gradient
def log1pexp(x):
    e = tf.exp(x)

    def grad(upstream):
        return upstream * (1 - 1 / (1 + e))

    return tf.math.log(1 + e), grad


def test_first_and_second_derivative():
    x = tf.constant(0.0, tf.float64)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = log1pexp(x)
        first = inner.gradient(y, x)
    np.testing.assert_allclose(float(y), np.log(2))
    np.testing.assert_allclose([float(first), float(outer.gradient(first, x))], [0.5, 0.25])


def test_without_a_tape():
    np.testing.assert_allclose(log1pexp(0.0), np.log(2), rtol=1e-6)
    assert isinstance(log1pexp(tf.constant([1.0])), tf.Tensor)


def test_the_function_runs_once():
    calls = []

    @tf.custom_gradient
    def f(x):
        calls.append("f")
        return x * 2, lambda dy: (calls.append("g"), dy * 5)[1]

    assert gradient(f, tf.constant(1.0)) == [5] and calls == ["f", "g"]


def test_several_inputs_and_results():
    @tf.custom_gradient
    def f(x, y):
        def grad(da, db):
            return 10 * da, 100 * db

        return (x + y, x * y), grad

    x, y = tf.constant([1.0, 2.0]), tf.constant([3.0, 4.0])
    assert gradient(lambda x, y: f(x, y), x, y) == [[10, 10], [100, 100]]
    assert gradient(lambda x, y: f(x, y)[0] * 2, x, y) == [[20, 20], [0, 0]]  # zeros for a result that is not used


def test_nested_arguments_settings_and_none():
    @tf.custom_gradient
    def f(pair, scale, unused=1.0):
        x, y = pair["x"], pair["y"]

        def grad(dy):
            return dy * 3, None, None

        return x * y * scale, grad

    x, y = tf.constant(2.0), tf.constant(5.0)
    assert gradient(lambda x, y: f({"x": x, "y": y}, 2.0, unused=3.0), x, y) == [3, 0]


class Scaled:
    factor = 7.0

    @tf.custom_gradient
    def __call__(self, x):
        return x * 1.0, lambda dy: dy * self.factor

    @tf.custom_gradient
    def named(self, x):
        """Return x."""
        return x * 1.0, lambda dy: [dy * 2]


def test_methods():
    assert gradient(Scaled(), tf.constant(1.0)) == [7]
    assert gradient(Scaled().named, tf.constant(1.0)) == [2]
    assert Scaled.named.__doc__ == "Return x." and Scaled.named.__name__ == "named"


def test_pickling():
    assert pickle.loads(pickle.dumps(log1pexp)) is log1pexp


def test_clipping_a_gradient():
    @tf.custom_gradient
    def clip_gradients(y):
        return y, lambda dy: tf.clip_by_norm(dy, 0.5)

    v = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        output = clip_gradients(v * v)
    assert float(tape.gradient(output, v)) == 2


def test_variables():
    v = tf.Variable(3.0, name="v")

    @tf.custom_gradient
    def f(x):
        def grad(dy, variables=None):
            assert variables is not None and variables[0] is v
            return dy * 10, [dy * 100]

        return x * v, grad

    x = tf.constant(2.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = f(x)
    assert [float(g) for g in tape.gradient(y, [x, v])] == [10, 100]
    assert tape.watched_variables() == (v,)


def test_a_variable_as_argument_is_an_input():
    @tf.custom_gradient
    def f(v):
        return v * v, lambda dy: dy * 3

    v = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = f(v)
    assert float(tape.gradient(y, v)) == 3


def test_misuse():
    x, v = tf.constant([1.0, 2.0]), tf.Variable(1.0, name="v")
    with pytest.raises(TypeError, match=r"'<lambda>' returned a Tensor[\s\S]*it has to return a pair"):
        tf.custom_gradient(lambda x: x * 2)(x)
    with pytest.raises(TypeError, match="reads variable 'v:0', but its gradient function has no argument `variables`"):
        tf.custom_gradient(lambda x: (x * v, lambda dy: dy))(x)
    with pytest.raises(StructureError, match="custom_gradient: the argument is a function, not int"):
        tf.custom_gradient(3)

    def by(result):
        return lambda: gradient(tf.custom_gradient(lambda x: (x * 2, result)), x)

    with pytest.raises(ValueError, match="returned 2 gradients for 1 inputs"):
        by(lambda dy: (dy, dy))()
    with pytest.raises(ShapeError, match=r"gradient 0 of '<lambda>' has shape \(5,\), but .* has shape \(2,\)"):
        by(lambda dy: tf.ones(5))()
    with pytest.raises(ZeroDivisionError):
        by(lambda dy: 1 // 0)()
    assert by(lambda dy: None)() == [[0, 0]]

    def with_variables(result):
        def grad(dy, variables=None):
            return result

        with tf.GradientTape() as tape:
            y = tf.custom_gradient(lambda x: (x * v, grad))(x)
        return tape.gradient(y, v)

    with pytest.raises(StructureError, match="returned a int\nWhy: the function reads variables, so a pair is due"):
        with_variables(1)
    with pytest.raises(ArgumentError, match="returned 2 gradients for 1 variables"):
        with_variables((tf.ones(2), [None, None]))


def test_jacobians_and_forward_mode():
    @tf.custom_gradient
    def f(x):
        return tf.sin(x) * 1.0, lambda dy: dy * tf.cos(x) * 2

    x = tf.constant([0.0, 1.0], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.stack([f(x)[0] * f(x)[1], tf.reduce_sum(f(x))])
    s, c = np.sin([0, 1]), 2 * np.cos([0, 1])
    np.testing.assert_allclose(tape.jacobian(y, x), [[c[0] * s[1], s[0] * c[1]], c])
    with tf.autodiff.ForwardAccumulator(x, [1.0, 1.0]) as acc:
        z = f(x)
    np.testing.assert_allclose(acc.jvp(z), c)
    with tf.GradientTape() as tape:
        tape.watch(x)
        z = f(x)
    np.testing.assert_allclose(tape.jacobian(z, x), np.diag(c))


def test_forward_mode_of_several_results():
    @tf.custom_gradient
    def f(x, y):
        return (x * y, x + y), lambda da, db: (2 * da * y + db, 2 * da * x + db)

    x, y = tf.constant(2.0), tf.constant(3.0)
    with tf.autodiff.ForwardAccumulator([x, y], [1.0, 0.0]) as acc:
        a, b = f(x, y)
    assert [float(t) for t in acc.jvp([a, b])] == [6, 1]


def test_inside_vectorized_derivatives_of_functions():
    import wengert

    def h(x):
        return log1pexp(x)

    x = np.linspace(-1, 1, 5)
    np.testing.assert_allclose(
        wengert.vmap(wengert.grad(lambda x: h(tf.convert_to_tensor(x))))(x), 1 / (1 + np.exp(-x))
    )


def test_the_second_order_can_be_overridden():
    @tf.custom_gradient
    def f(x):
        def first(dy):
            @tf.custom_gradient
            def slope(x):
                return 2 * x, lambda d: d * 100.0

            return dy * slope(x)

        return x * x, first

    x = tf.constant(3.0)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = f(x)
        g = inner.gradient(y, x)
    assert float(g) == 6 and float(outer.gradient(g, x)) == 100


def test_memory():
    gc.collect()
    gc.disable()
    try:
        x = tf.ones(1000)
        with tf.GradientTape() as tape:
            tape.watch(x)
            middle = tf.exp(x)
            y = log1pexp(middle)
        reference = weakref.ref(middle)
        del middle
        tape.gradient(y, x)
        assert reference() is None
    finally:
        gc.enable()


# ---------------------------------------------------------------- recompute_grad


def test_recompute_grad_runs_twice_and_keeps_nothing():
    calls = []

    def f(x):
        calls.append(weakref.ref(e := tf.exp(x)))
        return tf.sin(e)

    x = tf.constant([0.0, 1.0], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.recompute_grad(f)(x)
        assert calls[0]() is None
    np.testing.assert_allclose(tape.gradient(y, x), np.cos(np.exp([0, 1])) * np.exp([0, 1]))
    assert len(calls) == 2


def test_recompute_grad_reads_variables_and_captured_tensors():
    v, c, w = tf.Variable(2.0), tf.constant(3.0), tf.Variable(5.0, trainable=False)

    @tf.recompute_grad
    def f(x, scale):
        return x * x * v * c * w * scale

    x = tf.constant(4.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([x, c, w])
        inner = c * 1
        y = f(x, 1.0) * inner
    found = tape.gradient(y, [x, v, c, w])
    assert [float(g) for g in found] == [8 * 90, 16 * 45, 32 * 5 * 6, 16 * 18]


def test_recompute_grad_of_second_order():
    v = tf.Variable(2.0)
    f = tf.recompute_grad(lambda x: x**3 * v**2)
    x = tf.constant(3.0)
    with tf.GradientTape(persistent=True) as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = f(x)
        g_x, g_v = inner.gradient(y, [x, v])
    assert [float(g_x), float(g_v)] == [108, 108]
    assert [float(g) for g in outer.gradient(g_x, [x, v])] == [72, 108]
    assert [float(g) for g in outer.gradient(g_v, [x, v])] == [108, 54]


def test_recompute_grad_in_jacobians_and_forward_mode():
    f = tf.recompute_grad(lambda x, y: (tf.sin(x) * x[::-1], {"y": x * y}))
    x, y = tf.constant([1.0, 2.0], tf.float64), tf.constant(3.0, tf.float64)

    def plain(x, y):
        return tf.sin(x) * x[::-1] + x * y

    with tf.GradientTape(persistent=True) as tape:
        tape.watch([x, y])
        a, rest = f(x, y)
        total = a + rest["y"]
        wanted = plain(x, y)
    for source in (x, y):
        np.testing.assert_allclose(tape.jacobian(total, source), tape.jacobian(wanted, source))
    with tf.autodiff.ForwardAccumulator(x, [1.0, -1.0]) as acc:
        a, rest = f(x, y)
        wanted = plain(x, y)
        total = a + rest["y"]
    np.testing.assert_allclose(acc.jvp(total), acc.jvp(wanted))


def test_recompute_grad_of_what_nobody_watches():
    assert float(tf.recompute_grad(lambda x: x * 2)(tf.constant(2.0))) == 4
    x = tf.constant(2.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.recompute_grad(lambda: tf.constant(1.0))()
    assert tape.gradient(y, x) is None


def test_recompute_grad_with_abstract_values():
    import wengert

    f = tf.recompute_grad(lambda x: tf.sin(x) * x)
    x = np.linspace(0, 1, 4)
    np.testing.assert_allclose(
        wengert.vmap(lambda x: wengert.grad(f)(tf.convert_to_tensor(x)))(x), np.sin(x) + x * np.cos(x)
    )


# ---------------------------------------------------------------- the rest


def test_grad_pass_through():
    v = tf.Variable([0.4, 1.6])
    with tf.GradientTape() as tape:
        y = tf.grad_pass_through(tf.round)(v) * 3
    assert y.numpy().tolist() == [0, 6]
    assert tape.gradient(y, v).numpy().tolist() == [3, 3]
    w = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        y = tf.grad_pass_through(lambda x: x * w)(v)
    assert [g.numpy().tolist() for g in tape.gradient(y, [v, w])] == [[1, 1], 0]
    with tf.GradientTape() as tape:
        tape.watch([v, w])
        a, b = tf.grad_pass_through(lambda a, b: (a * 0, b * 0))(v, w)
        total = tf.reduce_sum(a) * 2 + b * 3
    assert [g.numpy().tolist() for g in tape.gradient(total, [v, w])] == [[2, 2], 3]


def test_stop_gradient():
    x = tf.Variable(3.0)
    with tf.GradientTape(persistent=True) as tape:
        s = tf.stop_gradient(x)
        y = x * s
        z = 2 * s
    assert float(tape.gradient(y, x)) == 3
    assert tape.gradient(z, x) is None and tape.gradient(z, s) is None


def test_calls_of_plain_python():
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        a = tf.numpy_function(lambda a: np.sin(a), [x], tf.float32)
        b = tf.py_function(lambda a: a * a, [x], tf.float32)
        c, d = tf.py_function(lambda a: (a * 2, a * 3), [x], [tf.float32, tf.float64])
        e = x * x.numpy()
    assert tape.gradient(a, x) is None
    assert tape.gradient(b, x).numpy().tolist() == [2, 4]
    assert tape.gradient([c, d], x).numpy().tolist() == [5, 5] and d.dtype == tf.float64
    assert tape.gradient(e, x).numpy().tolist() == [1, 2]


def test_identity_is_a_tensor_of_its_own():
    x = tf.constant(2.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.identity(x)
        z = x * y
    assert [float(g) for g in tape.gradient(z, [x, y])] == [4, 2]
