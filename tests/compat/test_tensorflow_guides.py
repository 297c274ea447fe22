"""compat.tensorflow: programs of the kind that teach TensorFlow's gradients and Jacobians, after changing one line."""

import numpy as np

import wengert.compat.tensorflow as tf


class Layer(tf.Module):
    """A dense layer, which the lessons take from Keras."""

    def __init__(self, units, activation=None, inputs=None):
        super().__init__()
        self.units, self.activation = units, activation
        if inputs is not None:
            self.build(inputs)

    def build(self, inputs):
        self.kernel = tf.Variable(tf.random.normal((inputs, self.units), stddev=0.5, seed=7), name="kernel")
        self.bias = tf.Variable(tf.zeros(self.units), name="bias")

    def __call__(self, x):
        if not hasattr(self, "kernel"):
            self.build(x.shape[-1])
        y = x @ self.kernel + self.bias
        return y if self.activation is None else self.activation(y)


# ---------------------------------------------------------------- gradients, first lesson


def test_a_scalar():
    x = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = x**2
    dy_dx = tape.gradient(y, x)
    assert dy_dx.numpy() == 6.0
    assert str(dy_dx) == "tf.Tensor(6.0, shape=(), dtype=float32)"


def test_a_linear_layer_with_lists_and_dicts_of_sources():
    w = tf.Variable(tf.random.normal((3, 2)), name="w")
    b = tf.Variable(tf.zeros(2, dtype=tf.float32), name="b")
    x = [[1.0, 2.0, 3.0]]
    with tf.GradientTape(persistent=True) as tape:
        y = x @ w + b
        loss = tf.reduce_mean(y**2)
    dl_dw, dl_db = tape.gradient(loss, [w, b])
    assert dl_dw.shape == w.shape
    np.testing.assert_allclose(dl_dw, np.array([[1.0], [2.0], [3.0]]) * y.numpy(), rtol=1e-5)
    grad = tape.gradient(loss, {"w": w, "b": b})
    np.testing.assert_allclose(grad["b"], dl_db)
    del tape


def test_a_model():
    layer = Layer(2, activation=tf.nn.relu)
    x = tf.constant([[1.0, 2.0, 3.0]])
    with tf.GradientTape() as tape:
        y = layer(x)
        loss = tf.reduce_mean(y**2)
    grad = tape.gradient(loss, layer.trainable_variables)
    shapes = {var.name: g.shape for var, g in zip(layer.trainable_variables, grad, strict=True)}
    assert shapes == {"kernel:0": (3, 2), "bias:0": (2,)}


def test_what_the_tape_watches():
    x0 = tf.Variable(3.0, name="x0")
    x1 = tf.Variable(3.0, name="x1", trainable=False)
    x2 = tf.Variable(2.0, name="x2") + 1.0  # a tensor
    x3 = tf.constant(3.0, name="x3")
    with tf.GradientTape() as tape:
        y = (x0**2) + (x1**2) + (x2**2)
    grad = tape.gradient(y, [x0, x1, x2, x3])
    assert [None if g is None else g.numpy() for g in grad] == [6.0, None, None, None]
    assert [var.name for var in tape.watched_variables()] == ["x0:0"]


def test_watching_a_constant_and_choosing():
    x = tf.constant(3.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x**2
    assert tape.gradient(y, x).numpy() == 6.0
    x0, x1 = tf.Variable(0.0), tf.Variable(10.0)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x1)
        y0 = tf.math.sin(x0)
        y1 = tf.nn.softplus(x1)
        ys = tf.reduce_sum(y0 + y1)
    grad = tape.gradient(ys, {"x0": x0, "x1": x1})
    assert grad["x0"] is None
    np.testing.assert_allclose(grad["x1"].numpy(), 0.9999546, rtol=1e-6)


def test_intermediate_results():
    x = tf.constant(3.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x * x
        z = y * y
    assert tape.gradient(z, y).numpy() == 18.0


def test_a_persistent_tape():
    x = tf.constant([1, 3.0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x * x
        z = y * y
    assert tape.gradient(z, x).numpy().tolist() == [4.0, 108.0]
    assert tape.gradient(y, x).numpy().tolist() == [2.0, 6.0]
    del tape


def test_several_targets_are_summed():
    x = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        y0 = x**2
        y1 = 1 / x
    assert tape.gradient({"y0": y0, "y1": y1}, x).numpy() == 3.75
    with tf.GradientTape() as tape:
        y = x * [3.0, 4.0]
    assert tape.gradient(y, x).numpy() == 7.0


def test_an_elementwise_derivative_by_the_sum():
    x = tf.linspace(-10.0, 10.0, 200 + 1)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.nn.sigmoid(x)
    dy_dx = tape.gradient(y, x)
    s = 1 / (1 + np.exp(-np.asarray(x, float)))
    np.testing.assert_allclose(dy_dx, s * (1 - s), atol=1e-6)


def test_control_flow():
    x = tf.constant(1.0)
    v0, v1 = tf.Variable(2.0), tf.Variable(2.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        result = v0 if x > 0.0 else v1**2
    dv0, dv1 = tape.gradient(result, [v0, v1])
    assert dv0.numpy() == 1.0 and dv1 is None
    assert tape.gradient(result, x) is None


def test_why_a_gradient_is_none():
    x = tf.Variable(2.0)
    for epoch in range(2):  # a variable that is replaced by a tensor is not watched any more
        with tf.GradientTape() as tape:
            y = x + 1
        gradient = tape.gradient(y, x)
        assert (gradient is None) == (epoch == 1)
        x = x + 1
    x = tf.Variable([[1.0, 2.0], [3.0, 4.0]], dtype=tf.float32)  # calculations in NumPy are not recorded
    with tf.GradientTape() as tape:
        x2 = x**2
        y = np.mean(x2.numpy(), axis=0)
        y = tf.reduce_mean(y, axis=0)
    assert tape.gradient(y, x) is None
    x = tf.Variable(3.0)  # nor is what a variable was assigned
    x1 = tf.Variable(0.0)
    with tf.GradientTape() as tape:
        x1.assign_add(x)
        y = x1**2
    assert tape.gradient(y, x) is None


def test_zeros_instead_of_none():
    x = tf.Variable([2.0, 2.0])
    y = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        z = y**2
    assert tape.gradient(z, x, unconnected_gradients=tf.UnconnectedGradients.ZERO).numpy().tolist() == [0, 0]


# ---------------------------------------------------------------- gradients, second lesson


def test_stop_recording():
    x, y = tf.Variable(2.0), tf.Variable(3.0)
    with tf.GradientTape() as t:
        x_sq = x * x
        with t.stop_recording():
            y_sq = y * y
        z = x_sq + y_sq
    grad = t.gradient(z, {"x": x, "y": y})
    assert grad["x"].numpy() == 4.0 and grad["y"] is None


def test_reset():
    x, y = tf.Variable(2.0), tf.Variable(3.0)
    reset = True
    with tf.GradientTape() as t:
        y_sq = y * y
        if reset:
            t.reset()
        z = x * x + y_sq
    grad = t.gradient(z, {"x": x, "y": y})
    assert grad["x"].numpy() == 4.0 and grad["y"] is None


def test_stop_gradient():
    x, y = tf.Variable(2.0), tf.Variable(3.0)
    with tf.GradientTape() as t:
        z = x**2 + tf.stop_gradient(y**2)
    grad = t.gradient(z, {"x": x, "y": y})
    assert grad["x"].numpy() == 4.0 and grad["y"] is None


def test_a_gradient_of_ones_own():
    @tf.custom_gradient
    def clip_gradients(y):
        def backward(dy):
            return tf.clip_by_norm(dy, 0.5)

        return y, backward

    v = tf.Variable(2.0)
    with tf.GradientTape() as t:
        output = clip_gradients(v * v)
    assert t.gradient(output, v).numpy() == 2.0


def test_several_tapes():
    x0, x1 = tf.constant(0.0), tf.constant(0.0)
    with tf.GradientTape() as tape0, tf.GradientTape() as tape1:
        tape0.watch(x0)
        tape1.watch(x1)
        y0 = tf.math.sin(x0)
        y1 = tf.nn.sigmoid(x1)
        ys = tf.reduce_sum(y0 + y1)
    assert tape0.gradient(ys, x0).numpy() == 1.0
    assert tape1.gradient(ys, x1).numpy() == 0.25


def test_second_derivatives():
    x = tf.Variable(1.0)
    with tf.GradientTape() as t2:
        with tf.GradientTape() as t1:
            y = x * x * x
        dy_dx = t1.gradient(y, x)
    assert dy_dx.numpy() == 3 and t2.gradient(dy_dx, x).numpy() == 6


def test_gradient_regularisation():
    x = tf.random.normal([7, 5], seed=1)
    layer = Layer(10, activation=tf.nn.relu)
    with tf.GradientTape() as t2:
        with tf.GradientTape(watch_accessed_variables=False) as t1:
            t1.watch(x)
            y = layer(x)
            out = tf.reduce_sum(layer(x) ** 2)
        g1 = t1.gradient(out, x)
        g1_mag = tf.norm(g1)
    dg1_mag = t2.gradient(g1_mag, layer.trainable_variables)
    assert y.shape == (7, 10) and g1.shape == (7, 5)
    assert [var.shape for var in dg1_mag] == [(10,), (5, 10)]
    kernel = layer.kernel.numpy().copy()

    def magnitude(shift):
        layer.kernel.assign(kernel + shift)
        with tf.GradientTape() as t1:
            t1.watch(x)
            out = tf.reduce_sum(layer(x) ** 2)
        return float(tf.norm(t1.gradient(out, x)))

    step = np.zeros_like(kernel)
    step[2, 3] = 1e-3
    difference = (magnitude(step) - magnitude(-step)) / 2e-3
    np.testing.assert_allclose(dg1_mag[1].numpy()[2, 3], difference, rtol=2e-3)


def test_the_jacobian_of_a_scalar_source():
    x = tf.linspace(-10.0, 10.0, 200 + 1)
    delta = tf.Variable(0.0)
    with tf.GradientTape() as tape:
        y = tf.nn.sigmoid(x + delta)
    dy_dx = tape.jacobian(y, delta)
    assert dy_dx.shape == y.shape == (201,)
    s = 1 / (1 + np.exp(-np.asarray(x, float)))
    np.testing.assert_allclose(dy_dx, s * (1 - s), atol=1e-6)


def test_the_jacobian_of_a_layer():
    x = tf.random.normal([7, 5], seed=2)
    layer = Layer(10, activation=tf.nn.relu)
    with tf.GradientTape(persistent=True) as tape:
        y = layer(x)
    j = tape.jacobian(y, layer.kernel)
    assert layer.kernel.shape == (5, 10) and y.shape == (7, 10) and j.shape == (7, 10, 5, 10)
    g = tape.gradient(y, layer.kernel)
    j_sum = tf.reduce_sum(j, axis=[0, 1])
    assert tf.reduce_max(abs(g - j_sum)).numpy() < 1e-5


def test_newtons_method_with_a_hessian():
    x = tf.random.normal([7, 5], seed=3)
    layer1 = Layer(8, activation=tf.nn.relu, inputs=5)
    layer2 = Layer(6, activation=tf.nn.relu, inputs=8)
    with tf.GradientTape() as t2:
        with tf.GradientTape() as t1:
            h = layer2(layer1(x))
            loss = tf.reduce_mean(h**2)
        g = t1.gradient(loss, layer1.kernel)
    h = t2.jacobian(g, layer1.kernel)
    assert layer1.kernel.shape == (5, 8) and h.shape == (5, 8, 5, 8)
    n_params = tf.reduce_prod(layer1.kernel.shape)
    g_vec = tf.reshape(g, [n_params, 1])
    h_mat = tf.reshape(h, [n_params, n_params])
    assert tf.reduce_max(tf.abs(h_mat - tf.transpose(h_mat))).numpy() < 1e-5
    eps = 1e-3
    eye_eps = tf.eye(h_mat.shape[0]) * eps
    update = tf.linalg.solve(h_mat + eye_eps, g_vec)
    before = loss.numpy()
    _ = layer1.kernel.assign_sub(tf.reshape(update, layer1.kernel.shape))
    assert tf.reduce_mean(layer2(layer1(x)) ** 2).numpy() < before


def test_batch_jacobians():
    x = tf.random.normal([7, 5], seed=4)
    layer1 = Layer(8, activation=tf.nn.elu)
    layer2 = Layer(6, activation=tf.nn.elu)
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(x)
        y = layer2(layer1(x))
    j = tape.jacobian(y, x)
    assert y.shape == (7, 6) and j.shape == (7, 6, 7, 5)
    j_sum = tf.reduce_sum(j, axis=2)
    j_select = tf.einsum("bxby->bxy", j)
    jb = tape.batch_jacobian(y, x)
    assert jb.shape == (7, 6, 5)
    assert tf.reduce_max(abs(jb - j_sum)).numpy() < 1e-5
    assert tf.reduce_max(abs(jb - j_select)).numpy() < 1e-5


def test_where_samples_depend_on_each_other_batch_jacobian_sums():
    x = tf.random.normal([7, 5], seed=5)

    def normalised(x):
        mean, variance = tf.nn.moments(x, [0])
        return (x - mean) / tf.sqrt(variance + 1e-3)

    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(x)
        y = normalised(x)
    j = tape.jacobian(y, x)
    np.testing.assert_allclose(
        tape.batch_jacobian(y, x), tf.reduce_sum(j, axis=[0]).numpy().transpose(1, 0, 2), atol=1e-4
    )


# ---------------------------------------------------------------- training loops


def test_fitting_a_line():
    true_w, true_b, count = 3.0, 2.0, 201
    x = tf.linspace(-2, 2, count)
    x = tf.cast(x, tf.float32)

    def f(x):
        return x * true_w + true_b

    noise = tf.random.normal(shape=[count], seed=6)
    y = f(x) + noise

    class MyModel(tf.Module):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.w = tf.Variable(5.0)
            self.b = tf.Variable(0.0)

        def __call__(self, x):
            return self.w * x + self.b

    model = MyModel()
    assert len(model.variables) == 2 and float(model(3.0)) == 15.0

    def loss(target_y, predicted_y):
        return tf.reduce_mean(tf.square(target_y - predicted_y))

    def train(model, x, y, learning_rate):
        with tf.GradientTape() as t:
            current_loss = loss(y, model(x))
        dw, db = t.gradient(current_loss, [model.w, model.b])
        model.w.assign_sub(learning_rate * dw)
        model.b.assign_sub(learning_rate * db)

    start = loss(y, model(x))
    for _ in range(60):
        train(model, x, y, learning_rate=0.1)
    assert loss(y, model(x)) < 0.2 * start
    w, b = np.polyfit(x.numpy(), y.numpy(), 1)
    np.testing.assert_allclose([model.w.numpy(), model.b.numpy()], [w, b], atol=1e-3)


def test_minimising_with_tf_function():
    @tf.function
    def rosenbrock(p):
        return (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2

    p = tf.Variable([-1.0, 1.0], dtype=tf.float64)
    for _ in range(20):
        with tf.GradientTape() as t2:
            with tf.GradientTape() as t1:
                y = rosenbrock(p)
            g = t1.gradient(y, p)
        h = t2.jacobian(g, p)
        p.assign_sub(tf.squeeze(tf.linalg.solve(h, g[:, tf.newaxis]), axis=1))
    np.testing.assert_allclose(p.numpy(), [1, 1], atol=1e-8)


def test_the_adam_rule_written_out():
    class Adam(tf.Module):
        def __init__(self, learning_rate=0.1, beta_1=0.9, beta_2=0.999, ep=1e-7):
            super().__init__()
            self.learning_rate, self.beta_1, self.beta_2, self.ep = learning_rate, beta_1, beta_2, ep
            self.t = tf.Variable(0.0, trainable=False)
            self.v_dvar, self.s_dvar, self.built = [], [], False

        def apply_gradients(self, grads, variables):
            if not self.built:
                for var in variables:
                    self.v_dvar.append(tf.Variable(tf.zeros_like(var)))
                    self.s_dvar.append(tf.Variable(tf.zeros_like(var)))
                self.built = True
            self.t.assign_add(1.0)
            for i, (d_var, var) in enumerate(zip(grads, variables, strict=True)):
                self.v_dvar[i].assign(self.beta_1 * self.v_dvar[i] + (1 - self.beta_1) * d_var)
                self.s_dvar[i].assign(self.beta_2 * self.s_dvar[i] + (1 - self.beta_2) * tf.square(d_var))
                v = self.v_dvar[i] / (1 - (self.beta_1**self.t))
                s = self.s_dvar[i] / (1 - (self.beta_2**self.t))
                var.assign_sub(self.learning_rate * (v / (tf.sqrt(s) + self.ep)))

    x, y = tf.Variable(2.0), tf.Variable([1.0, -1.0])
    optimizer = Adam()
    for _ in range(200):
        with tf.GradientTape() as tape:
            loss = (x - 1) ** 2 + tf.reduce_sum((y - 3.0) ** 2)
        optimizer.apply_gradients(tape.gradient(loss, [x, y]), [x, y])
    np.testing.assert_allclose([x.numpy(), *y.numpy()], [1, 3, 3], atol=0.05)


def test_logistic_regression():
    rng = np.random.default_rng(0)
    data = rng.normal(size=(200, 3)).astype(np.float32)
    labels = (data @ np.float32([2.0, -1.0, 0.5]) > 0).astype(np.float32)
    w, b = tf.Variable(tf.zeros([3, 1])), tf.Variable(tf.zeros([1]))
    for _ in range(100):
        with tf.GradientTape() as tape:
            logits = tf.squeeze(tf.matmul(data, w) + b, axis=1)
            loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits))
        gradients = tape.gradient(loss, [w, b])
        gradients, norm = tf.clip_by_global_norm(gradients, 5.0)
        for variable, g in zip([w, b], gradients, strict=True):
            variable.assign_sub(0.5 * g)
    accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.cast(logits > 0, tf.float32), labels), tf.float32))
    assert float(loss) < 0.3 and float(accuracy) > 0.95 and float(norm) > 0


def test_a_classifier_with_two_layers():
    rng = np.random.default_rng(1)
    points = rng.normal(size=(120, 2)).astype(np.float32)
    classes = (points[:, 0] > 0).astype(np.int32) + (points[:, 1] > 0).astype(np.int32)
    layers = [Layer(16, tf.nn.tanh, inputs=2), Layer(3, inputs=16)]
    variables = [v for layer in layers for v in layer.trainable_variables]

    def loss():
        logits = layers[1](layers[0](tf.constant(points)))
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=classes, logits=logits))

    start = float(loss())
    for _ in range(80):
        with tf.GradientTape() as tape:
            value = loss()
        for variable, g in zip(variables, tape.gradient(value, variables), strict=True):
            variable.assign_sub(0.5 * g)
    assert float(loss()) < 0.5 * start


# ---------------------------------------------------------------- forward mode


def test_forward_accumulator():
    x = tf.constant([[2.0, 3.0], [1.0, 4.0]])
    targets = tf.constant([[1.0], [-1.0]])
    dense = Layer(1, inputs=2)
    with tf.autodiff.ForwardAccumulator(primals=dense.kernel, tangents=tf.constant([[1.0], [0.0]])) as acc:
        loss = tf.reduce_sum((dense(x) - targets) ** 2.0)
    forward = acc.jvp(loss)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum((dense(x) - targets) ** 2.0)
    np.testing.assert_allclose(forward, tape.gradient(loss, dense.kernel)[0, 0], rtol=1e-5)


def test_hessian_vector_product_forward_over_reverse():
    v = tf.Variable([1.0, 2.0])
    with tf.autodiff.ForwardAccumulator(v, tf.constant([1.0, 0.0])) as acc:
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(v**3.0)
        backprop = tape.gradient(y, v)
    assert acc.jvp(backprop).numpy().tolist() == [6, 0]


def test_forward_over_forward():
    x, y, v = tf.constant(2.0), tf.constant(3.0), tf.constant(1.0)
    with tf.autodiff.ForwardAccumulator([x, y], [v, v]) as outer:
        with tf.autodiff.ForwardAccumulator(x, v) as inner:
            z = x**2 * y
        first = inner.jvp(z)
    assert float(first) == 12 and float(outer.jvp(first)) == 6 + 4
