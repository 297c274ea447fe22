"""compat.tensorflow: variables and modules."""

import copy
import pickle

import numpy as np
import pytest

import wengert
import wengert.compat.tensorflow as tf
from wengert.errors import AssignmentError, ShapeError


def test_text():
    v, w = tf.Variable(3.0), tf.Variable([[1.0, 2.0], [3.0, 4.0]], name="w")
    assert repr(v) == str(v) == f"{v}" == "<tf.Variable 'Variable:0' shape=() dtype=float32, numpy=3.0>"
    assert str(w) == (
        "<tf.Variable 'w:0' shape=(2, 2) dtype=float32, numpy=\narray([[1., 2.],\n       [3., 4.]], dtype=float32)>"
    )
    assert w.name == "w:0" and f"{v:.1f}" == "3.0"
    assert repr(w[0]) == "<tf.Tensor: shape=(2,), dtype=float32, numpy=array([1., 2.], dtype=float32)>"
    assert str(w[0, 0]) == "tf.Tensor(1.0, shape=(), dtype=float32)"


def test_construction():
    assert tf.Variable(1).dtype == tf.int32 and tf.Variable(1.0).dtype == tf.float32
    assert tf.Variable(np.ones(2)).dtype == tf.float64 and tf.Variable([1, 2], dtype=tf.float64).dtype == tf.float64
    assert tf.Variable(lambda: tf.ones(2), name="a", trainable=False, validate_shape=True).shape == (2,)
    assert tf.Variable(tf.constant([1.0]), dtype=tf.float64).dtype == tf.float64
    constraint = abs
    v = tf.Variable(1.0, constraint=constraint)
    assert v.constraint is constraint and v.trainable and tf.Variable(1.0, trainable=None).trainable
    assert type(v.numpy()) is np.float32 and v.numpy() == 1 and tf.Variable([1.0]).numpy().tolist() == [1]
    assert isinstance(v, wengert.Variable) and type(v + 1) is tf.Tensor and type(v.value()) is tf.Tensor
    assert float(v.initialized_value()) == 1 and v.shape == ()


def test_assignment():
    v = tf.Variable([1.0, 2.0])
    assert v.assign([3, 4]).numpy().tolist() == [3, 4]
    assert v.assign_add(np.ones(2)).numpy().tolist() == [4, 5]
    assert v.assign_sub(tf.ones(2)).numpy().tolist() == [3, 4]
    v[0].assign(9.0)
    v[1:].assign_add([1.0])
    assert v.numpy().tolist() == [9, 5]
    with pytest.raises(ValueError, match=r"assign: the value has shape \(\)"):
        v.assign(1.0)
    with pytest.raises(tf.errors.InvalidArgumentError, match="assign_add: the value has shape"):
        v.assign_add([1.0])
    with pytest.raises(ValueError, match="the value has dtype int32, but variable 'Variable' has float32"):
        v.assign(tf.constant([1, 2]))
    with pytest.raises(RuntimeError, match="augmented assignment"):
        v += 1
    with pytest.raises(AssignmentError, match="not changed by item assignment"):
        v[0] = 1.0


def test_scattered_updates():
    v = tf.Variable([1.0, 2.0, 3.0])
    slices = tf.IndexedSlices(tf.constant([10.0, 20.0]), tf.constant([0, 2]))
    assert v.scatter_add(slices).numpy().tolist() == [11, 2, 23]
    assert "IndexedSlices(indices=" in repr(slices)
    assert v.scatter_nd_update([[1]], [7.0]).numpy().tolist() == [11, 7, 23]
    with pytest.raises(ShapeError, match="scatter_update: the value has shape"):
        v.scatter_update(tf.IndexedSlices([1.0, 2.0, 3.0], [0, 1]))


def test_copies():
    v = tf.Variable([1.0, 2.0], name="w", trainable=False, constraint=abs)
    for other in (copy.copy(v), copy.deepcopy(v), pickle.loads(pickle.dumps(v))):
        assert type(other) is tf.Variable and other.name == "w:0" and not other.trainable and other.constraint is abs
        assert other.dtype == tf.float32


def test_watching_and_assigning_in_a_tape():
    v = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        y = v * v
        v.assign(5.0)
        z = v * v
        w = y + z
    assert float(tape.gradient(w, v)) == 14
    assert [x.name for x in tape.watched_variables()] == ["Variable:0"]
    with tf.GradientTape() as tape:
        y = v.assign(3.0) * 2
    assert float(tape.gradient(y, v)) == 2


def test_gradients_of_parts_are_dense():
    v = tf.Variable([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    with tf.GradientTape(persistent=True) as tape:
        a = tf.gather(v, [0, 0, 2])
        b = v.sparse_read([1])
        c = tf.gather(v, [2]) + v.gather_nd([[2]])
        d = v[1] * 2
    assert tape.gradient(a, v).numpy().tolist() == [[2, 2], [0, 0], [1, 1]]
    assert tape.gradient(b, v).numpy().tolist() == [[0, 0], [1, 1], [0, 0]]
    assert tape.gradient(c, v).numpy().tolist() == [[0, 0], [0, 0], [2, 2]]
    assert tape.gradient(d, v).numpy().tolist() == [[0, 0], [2, 2], [0, 0]]


class Dense(tf.Module):
    def __init__(self, inputs, outputs, name=None):
        super().__init__(name=name)
        self.w = tf.Variable(tf.random.normal([inputs, outputs], seed=0), name="w")
        self.b = tf.Variable(tf.zeros([outputs]), name="b")

    @tf.Module.with_name_scope
    def __call__(self, x):
        return tf.nn.relu(x @ self.w + self.b)


class TwoLayers(tf.Module):
    def __init__(self):
        super().__init__()
        self.step = tf.Variable(0, trainable=False, name="step")
        self.layers = [Dense(3, 4), {"last": Dense(4, 1)}]
        self.shared = self.layers[0]

    def __call__(self, x):
        for layer in (self.layers[0], self.layers[1]["last"]):
            x = layer(x)
        return x


def test_modules_find_their_variables():
    model = TwoLayers()
    assert model.name == "two_layers" and Dense(1, 1, name="first").name == "first"
    assert [v.name for v in model.variables] == ["step:0", "b:0", "w:0", "b:0", "w:0"]
    assert len(model.trainable_variables) == 4 and model.non_trainable_variables == (model.step,)
    assert model.submodules == (model.layers[0], model.layers[1]["last"])
    with model.name_scope:
        pass
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(tf.ones((2, 3))) ** 2)
    gradients = tape.gradient(loss, model.trainable_variables)
    assert isinstance(gradients, tuple) and [g.shape for g in gradients] == [(4,), (3, 4), (1,), (4, 1)]
