"""Variable: assignment, reading, and what tapes see of it."""

import copy
import pickle

import numpy as np
import pytest

import wengert as wg
from wengert.errors import AssignmentError, ShapeError, TraceLost
from wengert.variable import Reference


class Rows:
    def __init__(self, values, indices):
        self.values, self.indices = values, indices


def watched(*names):
    return [variable.name for variable in names]


# ---------------------------------------------------------------- watching


def test_trainable_variables_are_watched_when_read():
    v, w, unread = wg.Variable(3.0, name="v"), wg.Variable(2.0, name="w"), wg.Variable(1.0)
    with wg.GradientTape() as tape:
        y = w * v
    assert watched(*tape.watched_variables()) == ["v", "w"]  # in the order of creation
    assert [None if g is None else float(g) for g in tape.gradient(y, [v, w, unread])] == [2, 3, None]
    assert watched(*tape.watched_variables()) == ["v", "w"]  # also when the tape is used up


def test_others_only_when_asked():
    v = wg.Variable(3.0, trainable=False)
    assert not v.trainable
    with wg.GradientTape() as tape:
        y = v * v
    assert tape.watched_variables() == () and tape.gradient(y, v) is None
    with wg.GradientTape() as tape:
        tape.watch(v)
        y = v * v
    assert tape.watched_variables() == (v,) and float(tape.gradient(y, v)) == 6


def test_tapes_that_do_not_watch_what_is_read():
    v, w = wg.Variable(3.0), wg.Variable(2.0)
    with wg.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(v)
        y = v * w
    assert tape.watched_variables() == (v,)
    assert tape.gradient(y, [v, w])[1] is None


def test_a_watch_counts_from_where_it_is():
    v = wg.Variable(3.0)
    with wg.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        y = v * v
        tape.watch(v)
        z = y + v
    assert tape.gradient(y, v) is None and float(tape.gradient(z, v)) == 1


def test_watch_is_not_a_reading_for_other_tapes():
    v = wg.Variable(3.0)
    with wg.GradientTape() as outer, wg.GradientTape(watch_accessed_variables=False) as inner:
        inner.watch(v)
        assert outer.watched_variables() == ()
        y = v * v
    assert outer.watched_variables() == inner.watched_variables() == (v,)
    assert float(outer.gradient(y, v)) == float(inner.gradient(y, v)) == 6


def test_integer_variables_are_listed_but_have_no_gradient():
    n, v = wg.Variable(3), wg.Variable(2.0)
    with wg.GradientTape() as tape:
        y = n * v
    assert tape.watched_variables() == (n, v)
    assert [None if g is None else float(g) for g in tape.gradient(y, [n, v])] == [None, 3]


def test_a_variable_as_target():
    v = wg.Variable([1.0, 2.0])
    with wg.GradientTape(persistent=True) as tape:
        v * 1
    assert tape.gradient(v, v).numpy().tolist() == [1, 1]
    assert tape.jacobian(v, v).numpy().tolist() == [[1, 0], [0, 1]]


def test_a_variable_that_was_not_read_as_target():
    v, w = wg.Variable(2.0), wg.Variable(3.0)
    with wg.GradientTape(persistent=True) as tape:
        y = v if w > 1.0 else w
    assert float(tape.gradient(y, v)) == 1


def test_a_value_is_a_tensor_of_its_own():
    v = wg.Variable(3.0)
    for read in (v.value, v.read_value):
        with wg.GradientTape() as tape:
            value = read()
            y = value * value * v
        assert type(value) is wg.Tensor
        assert [float(g) for g in tape.gradient(y, [v, value])] == [27, 18]


def test_operations_give_plain_tensors():
    v = wg.Variable([1.0, 2.0])
    for result in (v + 1, -v, np.sin(v), v[0], v.T, v.sum(), np.stack([v, v])):
        assert type(result).family is wg.Tensor and not isinstance(result, wg.Variable)


def test_pythons_max_follows_the_comparison():
    variables = [wg.Variable(float(k)) for k in range(3)]
    with wg.GradientTape() as tape:
        y = max(variables) * 1.0
    assert [None if g is None else float(g) for g in tape.gradient(y, variables)] == [None, None, 1]


def test_conversions_while_a_tape_records():
    v = wg.Variable(3.0)
    with wg.GradientTape() as tape:
        with pytest.raises(TraceLost):
            float(v)
        assert v.numpy() == 3
        y = v * v
    assert float(v) == 3
    assert float(tape.gradient(y, v)) == 6


def test_functional_derivatives_take_variables_as_constants_and_as_arguments():
    v = wg.Variable(3.0)
    assert wg.grad(lambda x: x * v)(2.0) == 3
    assert float(wg.grad(lambda x: x * x)(v)) == 6
    with wg.GradientTape() as tape:
        y = wg.grad(lambda x: x**2 * v)(2.0)
    assert float(tape.gradient(y, v)) == 4


# ---------------------------------------------------------------- assigning


def test_each_reading_keeps_the_value_it_saw():
    v = wg.Variable(2.0)
    with wg.GradientTape() as tape:
        y = v * v
        v.assign(5.0)
        z = v * v
        w = y + z
    assert float(w) == 29
    assert float(tape.gradient(w, v)) == 14
    v = wg.Variable(2.0)
    with wg.GradientTape(persistent=True) as tape:
        y = v * v
        v.assign_add(3.0)
        z = v * v
    assert float(tape.gradient(z, v)) == 10 and float(tape.gradient(y, v)) == 4


def test_second_derivatives_see_the_values_of_their_time():
    v = wg.Variable(2.0)
    with wg.GradientTape() as outer:
        with wg.GradientTape() as inner:
            y = v**3
        v.assign(100.0)
        first = inner.gradient(y, v)
    assert float(first) == 12 and float(outer.gradient(first, v)) == 12


def test_assignment_returns_the_variable():
    v = wg.Variable(2.0)
    with wg.GradientTape() as tape:
        y = v.assign(3.0) * 2
    assert float(y) == 6 and float(tape.gradient(y, v)) == 2
    assert v.assign_add(1.0) is v and float(v) == 4
    assert v.assign_sub(3.0) is v and float(v) == 1


def test_no_gradient_through_an_assignment():
    v, x = wg.Variable(2.0), wg.Tensor(3.0)
    with wg.GradientTape() as tape:
        tape.watch(x)
        v.assign(x * 2)
        y = v * v
    assert tape.gradient(y, x) is None


def test_python_numbers_convert():
    v = wg.Variable(np.float32(2))
    v.assign(3)
    v.assign_add(1.5)
    assert v.dtype == np.float32 and float(v) == 4.5
    n = wg.Variable(np.int32([1, 2]))
    n.assign([5, 6])
    assert n.dtype == np.int32 and n.numpy().tolist() == [5, 6]


@pytest.mark.parametrize("name", ["assign", "assign_add", "assign_sub"])
def test_misfits(name):
    v = wg.Variable([1.0, 2.0], name="weights")
    assign = getattr(v, name)
    with pytest.raises(ShapeError, match=rf"{name}: the value has shape \(\), but .* \(2,\) of variable 'weights'"):
        assign(1.0)
    with pytest.raises(ShapeError, match=r"value has shape \(1, 2\)"):
        assign([[1.0, 2.0]])
    with pytest.raises(AssignmentError, match=f"{name}: the value has dtype float32, but variable 'weights'"):
        assign(wg.Tensor(np.float32([1, 2])))
    with pytest.raises(AssignmentError, match="the value has dtype complex128"):
        assign([1j, 2])
    assert v.numpy().tolist() == [1, 2]


def test_integer_variables_take_no_fractions():
    with pytest.raises(AssignmentError, match="the value has dtype float64, but variable 'Variable' has int64"):
        wg.Variable(1).assign(1.5)


def test_augmented_assignment():
    v = wg.Variable(2.0, name="w")
    with pytest.raises(RuntimeError, match=r"variable 'w' is not changed by augmented assignment[\s\S]*v\.assign_add"):
        v += 1
    for name in ("isub", "imul", "itruediv", "ifloordiv", "imod", "ipow", "imatmul", "iand", "ior", "ixor"):
        with pytest.raises(AssignmentError, match="augmented assignment"):
            getattr(v, f"__{name}__")(1)
    assert float(v) == 2


def test_writing_in_place():
    v = wg.Variable([1.0, 2.0])
    writes = [
        lambda: v.__setitem__(0, 9.0),
        lambda: np.add(v, 1, out=v),
        lambda: v.fill(3.0),
        lambda: v.sort(),
        lambda: np.put(v, 0, 9.0),
        lambda: np.copyto(v, [3.0, 4.0]),
        lambda: np.add.at(v, 0, 1.0),
    ]
    for write in writes:
        with pytest.raises(AssignmentError, match="is not changed by item assignment, nor in place"):
            write()
    assert v.numpy().tolist() == [1, 2]


def test_parts_and_reshapes_are_no_views():
    v = wg.Variable([1.0, 2.0, 3.0])
    for make in (lambda: v.value()[:2], lambda: v.T, lambda: v.reshape(3, 1), lambda: v.ravel()):
        part = make()
        part[0] = 9.0
    assert v.numpy().tolist() == [1, 2, 3]
    array = v.numpy()
    array[0] = 9
    assert v.numpy().tolist() == [1, 2, 3]


def test_the_initial_value_is_copied():
    array = np.array([1.0, 2.0])
    v = wg.Variable(array)
    array[0] = 9
    w = wg.Variable(v)
    v.assign([5.0, 6.0])
    assert w.numpy().tolist() == [1, 2]
    assert wg.Variable(lambda: np.ones(2), dtype=np.float32).dtype == np.float32


def test_assigning_to_a_part():
    v = wg.Variable([[1.0, 2.0], [3.0, 4.0]])
    assert v[0].assign([8.0, 9.0]) is v
    v[1, 0].assign_add(10.0)
    v[:, 1].assign_sub([1.0, 1.0])
    assert v.numpy().tolist() == [[8, 8], [13, 3]]
    with pytest.raises(ShapeError, match=r"the value has shape \(3,\), but it goes to shape \(2,\)"):
        v[0].assign([1.0, 2.0, 3.0])
    with wg.GradientTape() as tape:
        y = np.sum(v[0] * v[1])
        v[0].assign([0.0, 0.0])
    assert tape.gradient(y, v).numpy().tolist() == [[13, 3], [8, 8]]
    assert repr(v[0]) == "Tensor([0., 0.])"


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("scatter_update", [10, 2, 20]),
        ("scatter_add", [11, 2, 23]),
        ("scatter_sub", [-9, 2, -17]),
        ("scatter_mul", [10, 2, 60]),
        ("scatter_div", [0.1, 2, 0.15]),
        ("scatter_min", [1, 2, 3]),
        ("scatter_max", [10, 2, 20]),
    ],
)
def test_scattered_updates(name, result):
    v = wg.Variable([1.0, 2.0, 3.0])
    assert getattr(v, name)(Rows([10.0, 20.0], [0, 2])) is v
    assert v.numpy().tolist() == result


def test_scattered_updates_see_repeated_rows_one_by_one():
    v = wg.Variable([[1.0, 2.0], [3.0, 4.0]])
    v.scatter_add(Rows([[1.0, 1.0], [10.0, 10.0]], [0, 0]))
    assert v.numpy().tolist() == [[12, 13], [3, 4]]
    v.scatter_mul(Rows(2.0, [1, 1]))
    assert v.numpy().tolist() == [[12, 13], [12, 16]]


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("scatter_nd_update", [[1, 9], [8, 4]]),
        ("scatter_nd_add", [[1, 11], [11, 4]]),
        ("scatter_nd_sub", [[1, -7], [-5, 4]]),
        ("scatter_nd_max", [[1, 9], [8, 4]]),
        ("scatter_nd_min", [[1, 2], [3, 4]]),
    ],
)
def test_scattered_updates_by_places(name, result):
    v = wg.Variable([[1.0, 2.0], [3.0, 4.0]])
    getattr(v, name)([[0, 1], [1, 0]], [9.0, 8.0])
    assert v.numpy().tolist() == result


def test_other_scattered_access():
    v = wg.Variable([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    v.batch_scatter_update(Rows([[9.0], [8.0]], [[2], [0]]))
    assert v.numpy().tolist() == [[1, 2, 9], [8, 5, 6]]
    with wg.GradientTape(persistent=True) as tape:
        a = v.gather_nd([[0, 1], [1, 1]])
        b = v.sparse_read([1, 1])
    assert a.numpy().tolist() == [2, 5] and b.numpy().tolist() == [[8, 5, 6]] * 2
    assert tape.gradient(a, v).numpy().tolist() == [[0, 1, 0], [0, 1, 0]]
    assert tape.gradient(b, v).numpy().tolist() == [[0, 0, 0], [2, 2, 2]]


def test_wrong_indices():
    v = wg.Variable([1.0, 2.0])
    with pytest.raises(AssignmentError, match="indices are integers, not float64"):
        v.scatter_add(Rows([1.0], [0.5]))
    with pytest.raises(AssignmentError, match="index -1 is negative"):
        v.scatter_update(Rows([1.0], [-1]))
    with pytest.raises(IndexError):
        v.scatter_update(Rows([1.0], [2]))
    assert v.sparse_read([]).shape == (0,)


# ---------------------------------------------------------------- identity and text


def test_identity():
    v, w = wg.Variable([1.0, 2.0]), wg.Variable([1.0, 3.0])
    assert (v == w).numpy().tolist() == [True, False]
    with pytest.raises(TypeError, match=r"variable 'Variable' has no hash.*use v\.ref\(\)"):
        hash(v)
    assert v.ref() == v.ref() and v.ref() != w.ref() and v.ref() != 1
    assert {v.ref(): 1}[v.ref()] == 1 and v.ref().deref() is v
    assert repr(Reference(1)) == "<Reference to 1>"


def test_text():
    v = wg.Variable([1.0, 2.0], name="w")
    assert repr(v) == str(v) == "Variable([1., 2.], name='w')"
    assert v.name == "w" and v.shape == (2,) and v.dtype == np.float64


def test_copies_are_independent():
    v = wg.Variable([1.0, 2.0], trainable=False, name="w")
    for other in (copy.copy(v), copy.deepcopy(v), pickle.loads(pickle.dumps(v))):
        assert isinstance(other, wg.Variable) and other.name == "w" and not other.trainable
        other.assign([5.0, 6.0])
    assert v.numpy().tolist() == [1, 2]


def test_an_abstract_value_is_not_assigned():
    v = wg.Variable(1.0)
    with pytest.raises(wg.errors.AbstractValue, match="assign"):
        wg.vmap(lambda x: v.assign(x))(np.ones(3))
    assert float(v) == 1


def test_abstract_initial_values():
    with pytest.raises(wg.errors.AbstractValue, match="a variable needs the value"):
        wg.vmap(lambda x: wg.Variable(x))(np.ones(3))
