"""compat.tensorflow: values and dtypes of its functions are TensorFlow's, and their derivatives are right."""

import importlib.util
import pathlib

import numpy as np
import pytest

import wengert
import wengert.compat.tensorflow as tf

_spec = importlib.util.spec_from_file_location(
    "tensorflow_table", pathlib.Path(__file__).with_name("tensorflow_table.py")
)
_table = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_table)


def names(dtype="float32"):
    t = tf.cast([[5.0, 3.0], [2.0, 4.0]], dtype)
    return {"tf": tf, "np": np, "t": t, "x": t, "t3": tf.reshape(tf.range(24.0), (2, 3, 4))}


def compare(found, wanted):
    if isinstance(found, list | tuple):
        assert len(found) == len(wanted)
        for a, b in zip(found, wanted, strict=True):
            compare(a, b)
        return
    found = np.asarray(found)
    if isinstance(wanted, dict):
        real, imag = wanted["c"]
        wanted = np.asarray(real) + 1j * np.asarray(imag)
    assert found.shape == np.shape(wanted)
    np.testing.assert_allclose(found, np.asarray(wanted), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize(("expression", "dtype", "wanted"), _table.TABLE, ids=[row[0][:60] for row in _table.TABLE])
def test_values_and_dtypes(expression, dtype, wanted):
    found = eval(expression, names())
    compare(found, wanted)
    first = found
    while isinstance(first, list | tuple):
        first = first[0]
    assert getattr(getattr(first, "dtype", None), "name", "python") == dtype
    if dtype != "python":
        assert isinstance(first, tf.Tensor)


SMOOTH = [
    row[0]
    for row in _table.TABLE
    if row[1] == "float32"
    and any(name in row[0] for name in ("(t,", "(t)", "(t/", "t)"))
    and not any(
        name in row[0]
        for name in (
            "floor",
            "ceil",
            "sign",
            "zero_fraction",
            "ndtri",
            "erfcinv",
            "erfinv",
            "numpy_function",
            "zeta",
            "igamma",
        )
    )
]


@pytest.mark.parametrize("expression", SMOOTH)
def test_derivatives(expression):
    code = compile(expression, "<table>", "eval")

    def f(t):
        result = eval(code, names() | {"t": t, "x": t})
        parts = tf.nest.flatten(result)
        return tf.concat([tf.reshape(p, [-1]) for p in parts if np.issubdtype(p.dtype, np.floating)], 0)

    # away from ties, at which TensorFlow and NumPy share gradients and differences do not
    exact, differences = tf.test.compute_gradient(f, [tf.constant([[5.1, 3.2], [2.3, 4.4]], tf.float64)])
    np.testing.assert_allclose(exact[0], differences[0], rtol=1e-5, atol=1e-6)


def test_arguments_go_by_tensorflows_names():
    """atan2(y=, x=) was computed with its arguments swapped, and others knew no names at all."""
    assert float(tf.atan2(y=1.0, x=2.0)) == pytest.approx(np.arctan2(1, 2))
    assert float(tf.nn.relu(features=2.0)) == 2 and float(tf.math.imag(input=2j)) == 2
    assert float(tf.math.igamma(a=2.0, x=1.0)) == pytest.approx(0.26424112)
    assert float(tf.add(1.0, 2.0, name="sum")) == 3
    assert tf.math.segment_sum([1.0, 2.0], [0, 0], "sum").numpy().tolist() == [3]


@pytest.mark.parametrize(
    "call",
    [
        lambda: tf.matmul([[1.0]], [[2.0]], transpose_B=True),
        lambda: tf.einsum("i,i", [1.0], [2.0], optimise=True),
        lambda: tf.map_fn(tf.sin, [1.0], dtypes=tf.float32),
        lambda: tf.nn.relu(1.0, 2.0, 3.0),
        lambda: tf.atan2(1.0, y=2.0),
    ],
)
def test_settings_that_do_not_exist_are_refused(call):
    with pytest.raises(TypeError):
        call()


def test_settings_that_would_change_the_result_are_refused_or_heeded():
    with pytest.raises(wengert.errors.ArgumentError, match="scan: back_prop=False"):
        tf.scan(lambda a, b: a + b, [1.0], back_prop=False)
    with pytest.raises(wengert.errors.ArgumentError, match="diag: matrices of 2 rows and columns only"):
        tf.linalg.diag([1.0, 2.0], num_rows=3)
    assert tf.linalg.diag([1.0, 2.0], padding_value=9).numpy().tolist() == [[1, 9], [9, 2]]
    assert tf.matmul([[2]], [[3]], output_type=tf.float32).dtype == tf.float32
