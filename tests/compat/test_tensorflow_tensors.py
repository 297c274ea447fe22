"""compat.tensorflow: tensors, how they are made, shown, converted and combined."""

import copy
import io

import numpy as np
import pytest

import wengert
import wengert.compat.tensorflow as tf
from wengert.errors import ArgumentError, AssignmentError, DtypeError, MissingName, ShapeError, StructureError


def test_text():
    x = tf.constant([[4.0, 2.0], [1.0, 3.0]])
    assert str(tf.constant(48.0)) == "tf.Tensor(48.0, shape=(), dtype=float32)"
    assert repr(tf.constant(48.0)) == "<tf.Tensor: shape=(), dtype=float32, numpy=48.0>"
    assert str(x) == "tf.Tensor(\n[[4. 2.]\n [1. 3.]], shape=(2, 2), dtype=float32)"
    assert repr(x) == (
        "<tf.Tensor: shape=(2, 2), dtype=float32, numpy=\narray([[4., 2.],\n       [1., 3.]], dtype=float32)>"
    )
    assert repr(tf.constant([1, 2])) == "<tf.Tensor: shape=(2,), dtype=int32, numpy=array([1, 2], dtype=int32)>"
    assert str(tf.constant(True)) == "tf.Tensor(True, shape=(), dtype=bool)"
    assert f"{tf.constant(3.0)} {tf.constant(3.14159):.2f} {tf.constant([1.0])}" == "3.0 3.14 [1.]"
    assert f"{tf.constant(3.0)!s}" == "tf.Tensor(3.0, shape=(), dtype=float32)"


def test_text_of_abstract_tensors():
    seen = []
    wengert.vmap(lambda x: (seen.append((repr(x), str(x))), x)[1])(tf.constant([1.0, 2.0]))
    assert seen == [("<tf.Tensor: shape=(), dtype=float32, abstract>", "tf.Tensor(abstract, shape=(), dtype=float32)")]


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (1.0, "float32"),
        (1, "int32"),
        (True, "bool"),
        (1j, "complex128"),
        ([1, 2.5], "float32"),
        (2**40, "int64"),
        (np.float64(1), "float64"),
        (np.arange(3), "int64"),
        (np.ones(2, np.float16), "float16"),
        ([], "float32"),
    ],
)
def test_default_dtypes(value, dtype):
    assert tf.constant(value).dtype == dtype == tf.convert_to_tensor(value).dtype


def test_given_dtypes():
    assert tf.constant([1, 2], tf.float64).dtype == tf.float64
    assert tf.constant([1, 2], "float16").dtype == tf.float16
    assert tf.convert_to_tensor([1, 2], dtype_hint=tf.float32).dtype == tf.float32
    assert tf.as_dtype("int8") == tf.int8
    with pytest.raises(TypeError, match="values of float64 do not fit int32"):
        tf.constant(1.5, tf.int32)
    with pytest.raises(ValueError, match="a tensor of float32 was given where int32 is asked for"):
        tf.convert_to_tensor(tf.constant(1.0), tf.int32)
    with pytest.raises(DtypeError, match="a str of <U1 does not make a tensor"):
        tf.constant("a")
    with pytest.raises(ShapeError, match="nested lists of unequal lengths"):
        tf.constant([[1], [1, 2]])


def test_constant_with_a_shape():
    assert tf.constant(2.0, shape=(2, 1)).numpy().tolist() == [[2], [2]]
    with pytest.raises(ShapeError, match=r"3 values were given for shape \(2, 2\)"):
        tf.constant([1, 2, 3], shape=(2, 2))


def test_conversions_keep_the_derivative():
    x = wengert.Tensor([1.0, 2.0])
    v = tf.Variable(3.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = tf.convert_to_tensor(x)
        z = tf.convert_to_tensor([v, 2 * v, 1.0])
        w = tf.constant(y)
    assert type(y) is tf.Tensor and z.dtype == tf.float32
    assert tape.gradient(y, x).numpy().tolist() == [1, 1]
    assert tape.jacobian(z, v).numpy().tolist() == [1, 2, 0]
    assert tape.gradient(w, x).numpy().tolist() == [1, 1]


def test_numbers_of_numpy():
    assert type(tf.constant(1.0).numpy()) is np.float32
    assert type(tf.constant([1.0]).numpy()) is np.ndarray
    assert float(tf.constant(2.0)) == 2.0 and int(tf.constant(2)) == 2 and bool(tf.constant(1) > 0)


def test_values_leave_a_recording_silently():
    x = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        y = x * float(x) + np.asarray(x) + x.numpy()
    assert float(tape.gradient(y, x)) == 2


def test_shapes():
    x = tf.ones((2, 3))
    assert x.shape == (2, 3) and x.shape == [2, 3] and x.get_shape() == x.shape and x.shape != (3, 2) and x.shape != 5
    assert repr(x.shape) == "TensorShape([2, 3])" and str(x.shape) == "(2, 3)" and str(tf.ones(3).shape) == "(3,)"
    shape = x.shape
    assert (shape.rank, shape.ndims, shape.dims, shape.as_list(), shape.num_elements()) == (2, 2, [2, 3], [2, 3], 6)
    assert shape[0] == 2 and shape[1:] == (3,) and isinstance(shape[:1] + (4,), tf.TensorShape)
    assert shape.concatenate([4]) == (2, 3, 4) and shape.is_fully_defined() and hash(shape) == hash((2, 3))
    assert shape.is_compatible_with([None, 3]) and not shape.is_compatible_with([2])
    assert tf.TensorShape(5) == (5,) and tf.TensorShape(()) == ()
    x.set_shape([None, 3])
    with pytest.raises(ShapeError, match=r"set_shape: the tensor has shape \(2, 3\), not \(2, 4\)"):
        x.set_shape([2, 4])
    with pytest.raises(ShapeError):
        tf.ensure_shape(x, [1, 1])


def test_arrays_and_lists_take_on_the_tensors_dtype():
    x = tf.constant([1.0, 2.0])
    a = np.array([3.0, 4.0])
    for y in (x + a, a + x, x * [3.0, 4.0], [3.0, 4.0] * x, a / x, x**a, np.float64(3) * x, x - np.arange(2), a @ x):
        assert y.dtype == tf.float32 and isinstance(y, tf.Tensor)
    assert (x > a).numpy().tolist() == [False, False] and (a == x).numpy().tolist() == [False, False]
    assert np.multiply(x, a).dtype == tf.float32
    assert (x * 1j).dtype == tf.complex64
    assert (tf.constant([1, 2]) * a).dtype == tf.float64
    assert tf.maximum(x, a).dtype == tf.float32 and tf.maximum(1, x).dtype == tf.float32
    assert tf.add(np.float64(1), np.float64(2)).dtype == tf.float64
    assert (tf.constant([1, 2]) // 2).dtype == tf.int32 and (tf.constant([1, 2]) / 2).dtype == tf.float64


def test_tensors_are_immutable():
    x = tf.constant([1.0, 2.0])
    y = x
    x += 1
    x -= 1
    x *= 3
    x /= 3
    x **= 2
    assert y.numpy().tolist() == [1, 2] and x.numpy().tolist() == [1, 4]
    for write in (lambda: x.__setitem__(0, 1.0), lambda: np.add(x, 1, out=x), lambda: x.fill(0.0)):
        with pytest.raises(AssignmentError, match=r"a tf.Tensor of shape \(2,\) does not take item assignment"):
            write()
    part = x[:1]
    assert part._alias is None


def test_identity():
    x, y = tf.constant(1.0), tf.constant(1.0)
    with pytest.raises(TypeError, match=r"a tensor has no hash.*use x\.ref\(\)"):
        hash(x)
    assert x.ref() == x.ref() != y.ref() and x.ref().deref() is x
    assert bool(x == y) and not bool(x != y)
    assert len({x.ref(), y.ref()}) == 2


def test_sequences():
    x = tf.constant([1.0, 3.0, 2.0])
    assert len(x) == 3 and [float(v) for v in x] == [1, 3, 2] and float(max(x)) == 3
    with pytest.raises(TypeError):
        len(tf.constant(1.0))
    assert copy.copy(x).numpy().tolist() == copy.deepcopy(x).numpy().tolist() == [1, 3, 2]


def test_indexing():
    x = tf.reshape(tf.range(24.0), (2, 3, 4))
    assert x[1, -1, ::2].numpy().tolist() == [20, 22]
    assert x[..., tf.newaxis].shape == (2, 3, 4, 1) and x[:, 0].shape == (2, 4)
    assert float(x[tf.constant(1), 0, 0]) == 12
    assert x[x > 20].numpy().tolist() == [21, 22, 23]


def test_numpy_functions_keep_the_derivative():
    x = tf.Variable([1.0, 2.0])
    with tf.GradientTape() as tape:
        y = np.sum(np.sin(x) * np.arange(2.0))
    assert isinstance(y, tf.Tensor) and y.dtype == tf.float32
    np.testing.assert_allclose(tape.gradient(y, x), [0, np.cos(2)], rtol=1e-6)


# ---------------------------------------------------------------- functions with errors of their own


def test_wrong_arguments():
    x = tf.ones((2, 3))
    with pytest.raises(ShapeError, match="axis 1 of length 3 does not divide into 2 equal parts"):
        tf.split(x, 2, axis=1)
    with pytest.raises(ShapeError, match=r"parts of \[1, 1\] do not make up length 3 of axis 1"):
        tf.split(x, [1, 1], axis=1)
    with pytest.raises(ArgumentError, match="num is 3, but axis 0 has length 2"):
        tf.unstack(x, num=3)
    with pytest.raises(ArgumentError, match="gather: index 2 is not between 0 and 1"):
        tf.gather(x, [0, 2])
    with pytest.raises(ArgumentError, match="gather: index -1 is not between"):
        tf.gather(x, -1)
    with pytest.raises(ArgumentError, match="gather: indices are integers, not float32"):
        tf.gather(x, tf.constant([0.5]))
    with pytest.raises(ShapeError, match=r"gather_nd: rows of indices of shape \(1, 3\) do not name places"):
        tf.gather_nd(x, [[0, 0, 0]])
    with pytest.raises(ArgumentError, match="x and y are given both, or neither"):
        tf.where(x > 0, x)
    with pytest.raises(ArgumentError, match="2 segment_ids for 3 rows of data"):
        tf.math.segment_sum([1.0, 2.0, 3.0], [0, 1])
    with pytest.raises(ShapeError, match=r"labels have shape \(3,\), but logits of shape \(2, 3\) need shape \(2,\)"):
        tf.nn.sparse_softmax_cross_entropy_with_logits([0, 1, 2], x)
    with pytest.raises(ArgumentError, match="labels reach from 0 to 3, but there are 3 classes"):
        tf.nn.sparse_softmax_cross_entropy_with_logits([0, 3], x)
    with pytest.raises(ShapeError, match=r"labels of shape \(3,\) do not fit logits of shape \(2, 3\)"):
        tf.nn.sigmoid_cross_entropy_with_logits([0.0, 1.0, 1.0], x)
    with pytest.raises(ShapeError, match=r"tensor_diag_part: shape \(2, 3\) is not one shape twice"):
        tf.linalg.tensor_diag_part(x)
    with pytest.raises(StructureError, match="no condition holds, and there is no default"):
        tf.case([(False, lambda: 1)])
    with pytest.raises(StructureError, match="nothing to map over"):
        tf.map_fn(lambda x: x, tf.zeros((0, 2)))
    with pytest.raises(StructureError, match=r"tf\.function: the argument is a function, not int"):
        tf.function(1)
    with pytest.raises(StructureError, match="2 values for a structure of 1 leaves"):
        tf.nest.pack_sequence_as([1], [1, 2])
    with pytest.raises(StructureError, match="not nested alike"):
        tf.nest.map_structure(lambda a, b: a, [1], (1,))


def test_debugging():
    x = tf.constant([1.0, 2.0])
    tf.debugging.assert_equal(x, [1.0, 2.0])
    tf.debugging.assert_none_equal(x, 0.0)
    tf.debugging.assert_less(x, 3.0)
    tf.debugging.assert_less_equal(x, 2.0)
    tf.debugging.assert_greater_equal(x, 1.0)
    tf.debugging.assert_positive(x)
    tf.debugging.assert_negative(-x)
    tf.debugging.assert_non_negative(x)
    tf.debugging.assert_non_positive(-x)
    tf.debugging.assert_near(x, x + 1e-7)
    tf.debugging.assert_rank(x, 1)
    tf.debugging.assert_type(x, tf.float32)
    tf.debugging.assert_shapes([(x, ("n",)), (tf.ones((3, 2)), (None, "n")), (x, (2,)), (tf.constant(1.0), ())])
    assert tf.debugging.check_numerics(x, "fine") is x and tf.debugging.assert_all_finite(x, "fine") is x
    tf.debugging.enable_check_numerics()
    tf.debugging.disable_check_numerics()
    with pytest.raises(tf.errors.InvalidArgumentError, match="bad: not everywhere x > y"):
        tf.debugging.assert_greater(x, 1.5, "bad")
    with pytest.raises(ArgumentError, match=r"x and y differ by up to 1\.0"):
        tf.debugging.assert_near(x, [1.0, 3.0])
    with pytest.raises(ArgumentError, match=r"loss: the tensor of shape \(2,\) has NaN values"):
        tf.debugging.check_numerics(tf.constant([np.nan, 1.0]), "loss")
    with pytest.raises(ArgumentError, match="has Inf values"):
        tf.debugging.assert_all_finite(tf.constant([np.inf, 1.0]))
    with pytest.raises(ShapeError, match=r"shape \(2,\) has rank 1, not 2"):
        tf.debugging.assert_rank(x, 2)
    with pytest.raises(ShapeError, match=r"assert_shapes: shape \(3,\) is not \('n',\)"):
        tf.debugging.assert_shapes([(x, ("n",)), (tf.ones(3), ("n",))])
    with pytest.raises(DtypeError, match="the tensor has float32, not int32"):
        tf.debugging.assert_type(x, tf.int32)


def test_random_numbers():
    tf.random.set_seed(3)
    first = tf.random.normal((1000,), mean=2.0, stddev=0.5)
    second = tf.random.normal((1000,))
    tf.random.set_seed(3)
    assert bool(tf.reduce_all(first == tf.random.normal((1000,), mean=2.0, stddev=0.5)))
    assert not bool(tf.reduce_all(first == second))
    assert first.dtype == tf.float32 and abs(float(tf.reduce_mean(first)) - 2) < 0.1
    u = tf.random.uniform((1000,), 2.0, 3.0, seed=1)
    assert 2 <= float(tf.reduce_min(u)) and float(tf.reduce_max(u)) < 3 and u.dtype == tf.float32
    n = tf.random.uniform((1000,), 0, 3, dtype=tf.int32)
    assert n.dtype == tf.int32 and set(n.numpy().tolist()) == {0, 1, 2}
    assert float(tf.reduce_max(tf.abs(tf.random.truncated_normal((1000,), seed=2)))) <= 2
    assert sorted(tf.random.shuffle(tf.range(5), seed=1).numpy().tolist()) == [0, 1, 2, 3, 4]
    drawn = tf.random.categorical(tf.math.log([[0.1, 0.9], [1.0, 1e-9]]), 200, seed=5).numpy()
    assert drawn.shape == (2, 200) and 0.8 < drawn[0].mean() < 1 and drawn[1].max() == 0
    assert tf.random.poisson((3,), [1.0, 2.0], seed=1).shape == (3, 2)
    g = tf.random.Generator.from_seed(1)
    assert g.normal((2,)).shape == (2,) and len(g.split(2)) == 2
    assert tf.random.Generator.from_non_deterministic_state().uniform(()).shape == ()
    assert tf.random_normal_initializer(stddev=1.0, seed=1)((2, 2)).shape == (2, 2)
    assert tf.random_uniform_initializer(0.0, 1.0)((2,)).dtype == tf.float32
    assert tf.zeros_initializer()((2,)).numpy().tolist() == [0, 0] and float(tf.ones_initializer()(())) == 1
    assert tf.constant_initializer(3)((2,)).numpy().tolist() == [3, 3]


@pytest.mark.parametrize(
    "operation",
    [
        lambda: tf.constant([1.0, 2.0, 3.0]) + tf.constant([1.0, 2.0]),
        lambda: tf.reshape(tf.range(6), [4, 2]),
        lambda: tf.matmul(tf.ones([2, 3]), tf.ones([2, 3])),
        lambda: tf.gather([1.0, 2.0], [5]),
    ],
)
def test_invalid_argument_error_catches_numpys_errors_too(operation):
    with pytest.raises(tf.errors.InvalidArgumentError):
        operation()


NAN = float("nan")


# Each gave other numbers, or lost a dtype or a derivative, without a word.
@pytest.mark.parametrize(
    ("expression", "dtype", "wanted"),
    [
        ("tf.nn.relu([NAN, -1.0, 2.0])", "float32", [NAN, 0, 2]),
        ("tf.nn.relu6([NAN, 7.0])", "float32", [NAN, 6]),
        ("tf.nn.crelu([NAN])", "float32", [NAN, NAN]),
        ("tf.math.imag([np.inf, NAN, 1.0])", "float32", [0, 0, 0]),
        ("tf.math.angle([np.inf, -1.0])", "float32", [0, np.pi]),
        ("tf.identity([1.0, 2.0])", "float32", [1, 2]),
        ("tf.linalg.diag([np.inf, NAN])", "float32", [[np.inf, 0], [0, NAN]]),
        ("tf.linalg.diag([1.0, 2.0], k=-1)", "float32", [[0, 0, 0], [1, 0, 0], [0, 2, 0]]),
        ("tf.linalg.set_diag(tf.zeros([2, 3]), [np.inf, 2.0], k=1)", "float32", [[0, np.inf, 0], [0, 0, 2]]),
        ("tf.math.segment_prod([2, 3], [0, 0])", "int32", [6]),
        ("tf.math.segment_mean([2, 3], [0, 0])", "int32", [2]),
        ("tf.linalg.trace([[1, 2], [3, 4]])", "int32", 5),
        ("tf.linalg.eigvals([[2.0, 0.0], [0.0, 3.0]])", "complex64", [2, 3]),
        ("tf.linalg.tensor_diag([[1.0, 2.0]])", "float32", [[[[1, 0], [0, 2]]]]),
        ("tf.linalg.tensor_diag_part(tf.linalg.tensor_diag([[1.0, 2.0]]))", "float32", [[1, 2]]),
        ("tf.math.real(tf.math.l2_normalize(tf.constant([3 + 0j, 4j])))", "float64", [0.6, 0]),
        ("tf.math.real(tf.nn.moments(tf.constant([1j, -1j]), 0)[1])", "float64", 1),
        ("tf.nn.softmax_cross_entropy_with_logits([1.0, 0.0], [0.0])", "float32", np.log(2)),
    ],
)
def test_values_that_differed(expression, dtype, wanted):
    found = eval(expression)
    assert found.dtype == dtype
    np.testing.assert_allclose(found.numpy().real.reshape(np.shape(wanted)), wanted, rtol=1e-6)


@pytest.mark.parametrize(
    ("function", "at", "wanted"),
    [
        (lambda c: tf.clip_by_norm([3.0, 4.0], c)[1], 2.0, 0.8),
        (lambda c: tf.clip_by_global_norm([tf.constant([3.0, 4.0])], c)[0][0][1], 2.0, 0.8),
        (lambda c: tf.nn.leaky_relu([-2.0], c)[0], 0.1, -2),
        (lambda c: tf.nn.silu([2.0], c)[0], 0.0, 1),
    ],
)
def test_settings_that_are_tensors_have_derivatives(function, at, wanted):
    c = tf.Variable(at)
    with tf.GradientTape() as tape:
        y = function(c)
    assert float(tape.gradient(y, c)) == pytest.approx(wanted, rel=1e-6)


def test_surroundings(capsys):
    assert tf.executing_eagerly() and tf.config.list_physical_devices("GPU") == []
    tf.config.run_functions_eagerly(True)
    assert tf.config.functions_run_eagerly()
    with tf.name_scope("a") as name, tf.device("/CPU:0"), tf.init_scope(), tf.control_dependencies([]):
        assert name == "a/"
    tf.print("loss", tf.constant([1.0, 2.0]), sep=": ", end="!")
    assert capsys.readouterr().out == "loss: [1. 2.]!"
    stream = io.StringIO()
    tf.print(1, output_stream=stream)
    assert stream.getvalue() == "1\n"
    assert tf.is_tensor(tf.constant(1)) and tf.is_tensor(tf.Variable(1)) and not tf.is_tensor(1.0)
    assert tf.test.is_gpu_available() is False and tf.test.is_built_with_cuda() is False
    assert tf.nest.is_nested([1]) and not tf.nest.is_nested(1)
    assert tf.broadcast_static_shape((2, 1), (3,)) == (2, 3)


def test_functions_stay_themselves():
    @tf.function
    def f(x):
        return x * x

    @tf.function(jit_compile=True, reduce_retracing=True)
    def g(x):
        return f(x) + 1

    assert float(g(tf.constant(2.0))) == 5


def test_missing_names_say_what_to_use():
    with pytest.raises(MissingName, match=r"has no 'keras'[\s\S]*tf\.Module"):
        tf.keras  # noqa: B018
    with pytest.raises(AttributeError, match=r"has no 'gradients'[\s\S]*Try: tf\.GradientTape"):
        tf.gradients  # noqa: B018
    with pytest.raises(AttributeError, match=r"has no 'reduce_summ'[\s\S]*Try: tf\.reduce_sum"):
        tf.reduce_summ  # noqa: B018
    with pytest.raises(AttributeError, match=r"has no 'hypot'[\s\S]*Try: numpy\.hypot, which takes these tensors"):
        tf.math.hypot  # noqa: B018
    with pytest.raises(AttributeError, match=r"tensorflow\.nn has no 'conv2d'[\s\S]*sliding_window_view"):
        tf.nn.conv2d  # noqa: B018
    with pytest.raises(AttributeError, match=r"has no 'xyzzy'[\s\S]*functions of numpy and scipy\.special"):
        tf.linalg.xyzzy  # noqa: B018
    with pytest.raises(AttributeError):
        tf.__wrapped__  # noqa: B018
    assert not hasattr(tf, "no_such_name")
