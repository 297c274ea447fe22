"""GradientTape.jacobian and batch_jacobian."""

import numpy as np
import pytest

import wengert as wg
from wengert.errors import ArgumentError, ShapeError, StructureError

CUBE = [[4, 2], [1, 3]]
DTYPES = [np.float32, np.float64, np.complex128]


def cube(dtype):
    return wg.Tensor(np.array(CUBE, dtype))


def nonzero(array):
    """Return {index: value} of what is not 0."""
    return {tuple(map(int, i)): array[tuple(i)].item() for i in np.argwhere(array)}


@pytest.mark.parametrize("vectorized", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_cube(dtype, vectorized):
    x = cube(dtype)
    with wg.GradientTape() as tape:
        tape.watch(x)
        y = x**3
    j = tape.jacobian(y, x, experimental_use_pfor=vectorized).numpy()
    assert j.shape == (2, 2, 2, 2) and j.dtype == dtype
    assert nonzero(j) == {(0, 0, 0, 0): 48, (0, 1, 0, 1): 12, (1, 0, 1, 0): 3, (1, 1, 1, 1): 27}


@pytest.mark.parametrize("vectorized", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_jacobian_of_the_cubes_jacobian(dtype, vectorized):
    x = cube(dtype)
    with wg.GradientTape() as outer:
        outer.watch(x)
        with wg.GradientTape() as inner:
            inner.watch(x)
            y = x**3
        first = inner.jacobian(y, x, experimental_use_pfor=vectorized)
    second = outer.jacobian(first, x, experimental_use_pfor=vectorized).numpy()
    assert second.shape == (2, 2, 2, 2, 2, 2) and second.dtype == dtype
    assert nonzero(second) == {
        (0, 0, 0, 0, 0, 0): 24, (0, 1, 0, 1, 0, 1): 12, (1, 0, 1, 0, 1, 0): 6, (1, 1, 1, 1, 1, 1): 18
    }  # fmt: skip


@pytest.mark.parametrize("vectorized", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_batch_jacobian_of_the_cubes_jacobian(dtype, vectorized):
    x = cube(dtype)
    with wg.GradientTape() as outer:
        outer.watch(x)
        with wg.GradientTape() as inner:
            inner.watch(x)
            y = x**3
        first = inner.jacobian(y, x)
    second = outer.batch_jacobian(first, x, experimental_use_pfor=vectorized).numpy()
    assert second.shape == (2, 2, 2, 2, 2) and second.dtype == dtype
    assert nonzero(second) == {(0, 0, 0, 0, 0): 24, (0, 1, 0, 1, 1): 12, (1, 0, 1, 0, 0): 6, (1, 1, 1, 1, 1): 18}


@pytest.mark.parametrize(
    ("first", "second", "shape"),
    [
        ("batch_jacobian", "batch_jacobian", (2, 2, 2, 2)),
        ("batch_jacobian", "jacobian", (2, 2, 2, 2, 2)),
        ("jacobian", "jacobian", (2, 2, 2, 2, 2, 2)),
    ],
)
def test_shapes_of_nested_jacobians(first, second, shape):
    x = cube(float)
    with wg.GradientTape() as outer:
        outer.watch(x)
        with wg.GradientTape() as inner:
            inner.watch(x)
            y = x**3
        j = getattr(inner, first)(y, x)
    assert getattr(outer, second)(j, x).shape == shape


def test_shapes():
    x, s = wg.Tensor([1.0, 2.0, 3.0]), wg.Tensor(2.0)
    with wg.GradientTape(persistent=True) as tape:
        tape.watch([x, s])
        total = np.sum(x * s)
        vector = x[:2] * s
    assert tape.jacobian(total, x).numpy().tolist() == [2, 2, 2]
    assert tape.jacobian(total, s).shape == () and float(tape.jacobian(total, s)) == 6
    assert tape.jacobian(vector, s).numpy().tolist() == [1, 2]
    assert tape.jacobian(vector, x).numpy().tolist() == [[2, 0, 0], [0, 2, 0]]


def test_structures_and_duplicates():
    x, y = wg.Tensor([1.0, 2.0]), wg.Tensor([3.0])
    with wg.GradientTape() as tape:
        tape.watch([x, y])
        z = np.concatenate([x * 2, y * 3])
    found = tape.jacobian(z, {"a": [x, x], "b": (y,)})
    assert found["a"][0].numpy().tolist() == found["a"][1].numpy().tolist() == [[2, 0], [0, 2], [0, 0]]
    assert found["b"][0].numpy().tolist() == [[0], [0], [3]]


def test_intermediates_as_sources():
    x = wg.Tensor([1.0, 2.0])
    with wg.GradientTape() as tape:
        tape.watch(x)
        y = x * x
        z = np.stack([y[0] * y[1], y[0] + x[1]])
    j_y, j_x = tape.jacobian(z, [y, x])
    assert j_y.numpy().tolist() == [[4, 1], [1, 0]]
    assert j_x.numpy().tolist() == [[8, 4], [2, 1]]


def test_unconnected():
    x, c = wg.Tensor([1.0, 2.0]), wg.Tensor([[3.0]], dtype=np.float32)
    with wg.GradientTape(persistent=True) as tape:
        tape.watch([x, c])
        y = x * x
    assert tape.jacobian(y, c) is None
    assert tape.jacobian(y, [x, c])[1] is None
    zero = tape.jacobian(y, c, unconnected_gradients="zero")
    assert zero.shape == (2, 1, 1) and zero.dtype == np.float32 and not zero.numpy().any()


def test_connected_but_zero():
    x = wg.Tensor([1.0, 2.0])
    with wg.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = np.floor(x)
        z = np.sum(np.sign(x)) * np.ones(3)
    assert tape.jacobian(y, x).numpy().tolist() == [[0, 0], [0, 0]]
    assert tape.jacobian(z, x).numpy().tolist() == [[0, 0]] * 3


def _mixing(x):
    return np.stack([np.sum(np.sin(x) * x[::-1]), x[0] * x[2], np.prod(x), np.max(x)]) @ np.arange(8.0).reshape(4, 2)


@pytest.mark.parametrize("persistent", [True, False])
@pytest.mark.parametrize("vectorized", [True, False])
@pytest.mark.parametrize("rows", [None, 1, 2, 3, 7, 1000, np.int64(2)])
def test_the_number_of_rows_at_once_never_changes_the_result(rows, vectorized, persistent):
    x = wg.Tensor([0.5, 2.0, -1.0])
    with wg.GradientTape(persistent=persistent) as tape:
        tape.watch(x)
        y = np.stack([_mixing(x), _mixing(x * x), x[:2]])
    found = tape.jacobian(y, x, parallel_iterations=rows, experimental_use_pfor=vectorized).numpy()
    wanted = wg.jacobian(lambda x: np.stack([_mixing(x), _mixing(x * x), x[:2]]))(x.numpy())
    np.testing.assert_allclose(found, wanted, rtol=1e-14)


@pytest.mark.parametrize("rows", [0, -1, 2.0, "3", True])
def test_a_wrong_number_of_rows(rows):
    x = wg.Tensor([1.0, 2.0])
    with wg.GradientTape() as tape:
        tape.watch(x)
        y = x * x
    with pytest.raises(ArgumentError, match="parallel_iterations is a positive int or None"):
        tape.jacobian(y, x, parallel_iterations=rows)
    with pytest.raises(ArgumentError, match="parallel_iterations is a positive int or None"):
        tape.batch_jacobian(y, x, parallel_iterations=rows)


@pytest.mark.parametrize("vectorized", [True, False])
def test_empty_targets_and_sources(vectorized):
    x, e = wg.Tensor([1.0, 2.0]), wg.Tensor(np.zeros((0, 3)))
    with wg.GradientTape(persistent=True) as tape:
        tape.watch([x, e])
        y = x[:0]
        z = e * 2
        w = np.sum(e) + x
    assert tape.jacobian(y, x, experimental_use_pfor=vectorized).shape == (0, 2)
    assert tape.jacobian(z, e, experimental_use_pfor=vectorized).shape == (0, 3, 0, 3)
    assert tape.jacobian(w, e, experimental_use_pfor=vectorized).shape == (2, 0, 3)


def test_only_a_single_tensor_is_a_target():
    x = wg.Tensor([1.0, 2.0])
    with wg.GradientTape() as tape:
        tape.watch(x)
        y = x * x
    for target, said in ((None, "None"), ([y], "a list"), (y.numpy(), "a ndarray")):
        with pytest.raises(StructureError, match=f"jacobian: the target is a single tensor, not {said}"):
            tape.jacobian(target, x)
    with pytest.raises(StructureError, match="jacobian: sources is or contains a float"):
        tape.jacobian(y, [x, 1.0])
    with pytest.raises(ArgumentError, match="unconnected_gradients is 'none' or 'zero'"):
        tape.jacobian(y, x, unconnected_gradients=None)


def test_an_integer_target_is_connected_to_nothing():
    x = wg.Tensor([2.0, 1.0])
    with wg.GradientTape(persistent=True) as tape:
        tape.watch(x)
        n = np.argsort(x)
    assert tape.jacobian(n, x) is None
    assert tape.jacobian(n, x, unconnected_gradients="zero").shape == (2, 2)


def test_inside_the_block_of_a_tape_that_is_not_persistent():
    x = wg.Tensor([1.0, 2.0])
    with wg.GradientTape() as tape:
        tape.watch(x)
        y = x * x
        j = tape.jacobian(y, x)
    assert j.numpy().tolist() == [[2, 0], [0, 4]]


@pytest.mark.parametrize("vectorized", [True, False])
def test_higher_orders_from_one_persistent_tape(vectorized):
    x = wg.Tensor([1.0, 2.0])
    with wg.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x**3
        j = tape.jacobian(y, x, experimental_use_pfor=vectorized)
        h = tape.jacobian(j, x, experimental_use_pfor=vectorized)
    third = tape.jacobian(h, x, experimental_use_pfor=vectorized)
    assert nonzero(h.numpy()) == {(0, 0, 0): 6, (1, 1, 1): 12}
    assert nonzero(third.numpy()) == {(0, 0, 0, 0): 6, (1, 1, 1, 1): 6}


# ---------------------------------------------------------------- batch_jacobian


def _samples(x):
    return np.stack([x[:, 0] * x[:, 1], np.sin(x[:, 2]), x[:, 0] ** 2, x[:, 1]], axis=1).reshape(-1, 2, 2)


@pytest.mark.parametrize("vectorized", [True, False])
@pytest.mark.parametrize("rows", [None, 1, 3])
@pytest.mark.parametrize("dtype", DTYPES)
def test_batch_jacobian_is_the_jacobian_of_each_sample(dtype, rows, vectorized):
    x = wg.Tensor(np.arange(15).reshape(5, 3).astype(dtype) / 7)
    with wg.GradientTape() as tape:
        tape.watch(x)
        y = _samples(x)
    found = tape.batch_jacobian(y, x, parallel_iterations=rows, experimental_use_pfor=vectorized).numpy()
    assert found.shape == (5, 2, 2, 3) and found.dtype == dtype
    for sample, j in zip(x.numpy(), found, strict=True):
        s = wg.Tensor(sample[None])
        with wg.GradientTape() as tape:
            tape.watch(s)
            z = _samples(s)
        np.testing.assert_allclose(j, tape.jacobian(z, s).numpy()[0, :, :, 0], rtol=1e-6)


def test_batch_jacobian_sums_over_samples_that_depend_on_each_other():
    x = wg.Tensor(np.ones((3, 2)))
    with wg.GradientTape() as tape:
        tape.watch(x)
        y = x + 10 * x[::-1]
    assert tape.batch_jacobian(y, x).numpy().tolist() == [[[11, 0], [0, 11]]] * 3


@pytest.mark.parametrize("vectorized", [True, False])
def test_empty_batches(vectorized):
    for shape, result in (((0, 3), (0, 3, 3)), ((1, 0), (1, 0, 0)), ((2, 0), (2, 0, 0))):
        x = wg.Tensor(np.zeros(shape))
        with wg.GradientTape() as tape:
            tape.watch(x)
            y = x * x
        assert tape.batch_jacobian(y, x, experimental_use_pfor=vectorized).shape == result


def test_batch_jacobian_of_what_is_not_connected():
    x, c = wg.Tensor(np.ones((2, 3))), wg.Tensor(np.ones((2, 1), np.float32))
    with wg.GradientTape(persistent=True) as tape:
        tape.watch([x, c])
        y = x * x
    assert tape.batch_jacobian(y, c) is None
    zero = tape.batch_jacobian(y, c, unconnected_gradients="zero")
    assert zero.shape == (2, 3, 1) and zero.dtype == np.float32


def test_batch_jacobian_of_misfits():
    x, v = wg.Tensor(np.ones((2, 3))), wg.Tensor(np.ones(2))
    with wg.GradientTape(persistent=True) as tape:
        tape.watch([x, v])
        y = x * x
        w = x[:1] * 2
        z = v * v
    with pytest.raises(ShapeError, match=r"batch_jacobian: the source has shape \(2,\), but needs two axes"):
        tape.batch_jacobian(y, v)
    with pytest.raises(ShapeError, match=r"batch_jacobian: the target has shape \(2,\), but needs two axes"):
        tape.batch_jacobian(z, x)
    with pytest.raises(ShapeError, match=r"1 samples in the target of shape \(1, 3\), but 2 in the source"):
        tape.batch_jacobian(w, x)
    with pytest.raises(StructureError, match="batch_jacobian: the source is a single tensor, not a list"):
        tape.batch_jacobian(y, [x])
    with pytest.raises(StructureError, match="batch_jacobian: the target is a single tensor, not None"):
        tape.batch_jacobian(None, x)


def test_batch_jacobian_on_a_fresh_tape_needs_its_own_recording():
    x = wg.Tensor(np.ones((2, 2)))
    with wg.GradientTape() as tape:
        tape.watch(x)
        y = x * x
    first = tape.jacobian(y, x)
    with pytest.raises(RuntimeError, match="batch_jacobian: this tape was never entered"):
        wg.GradientTape().batch_jacobian(first, x)


def test_jacobian_by_a_variable():
    v, w = wg.Variable([1.0, 2.0]), wg.Variable([[2.0, 0.0], [0.0, 3.0]])
    with wg.GradientTape() as tape:
        y = w @ v
    j_v, j_w = tape.jacobian(y, [v, w])
    assert j_v.numpy().tolist() == [[2, 0], [0, 3]]
    assert nonzero(j_w.numpy()) == {(0, 0, 0): 1, (0, 0, 1): 2, (1, 1, 0): 1, (1, 1, 1): 2}
