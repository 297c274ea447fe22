"""Programs as data: simplification, derived Programs, closing, saving."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

import wengert as wg
from wengert import errors
from wengert.program import Program, Slot, trace
from wengert.transforms.derive import batch_program, forward_program, reverse_program
from wengert.transforms.simplify import simplify

X = np.array([0.3, -1.2, 2.0])
REAL = np.dtype(float)


def program_of(f, *shapes):
    return trace(lambda *xs: list(f(*xs)), [Slot(shape, REAL) for shape in shapes])


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-14)


W = np.arange(9.0).reshape(3, 3) / 7
FUNCTIONS = {
    "elementwise": lambda x: [np.sin(x) * np.sin(x) + np.exp(-x)],
    "two results": lambda x: [np.sum(x * x), W @ x],
    "an input is a result": lambda x: [x, x[0] * x],
    "the same result twice": lambda x: [np.tanh(x)] * 2,
    "a constant result": lambda x: [np.ones(2), np.sum(x)],
    "indexing": lambda x: [np.concatenate([x[::-1], x[[0, 0, 2]]]) ** 2],
    "linear algebra": lambda x: [np.linalg.solve(W + np.diag(x), x), np.linalg.eigh(np.outer(x, x) + np.diag([1.0, 2.0, 3.0]))[0]],
    "a loop": lambda x: [wg.scan(lambda s, r: (np.sin(s) * r, s[0]), x, X)[1]],
    "a branch": lambda x: [wg.cond(x[0] > 0, np.sin, np.cos, x)],
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derived_programs(name):
    f = FUNCTIONS[name]
    program = program_of(f, (3,))
    for found, expected in zip(program(X), f(X)):
        close(found, expected)
    cotangents = [np.cos(np.arange(np.size(y))).reshape(np.shape(y)) for y in f(X)]
    tangent = np.array([0.5, 1.0, -2.0])
    _, pullback = wg.vjp(lambda x: f(x), X)
    (expected,) = pullback(cotangents)
    close(reverse_program(program)(X, *cotangents)[0], expected)
    _, pushed = wg.jvp(lambda x: f(x), (X,), (tangent,))
    for found, expected in zip(forward_program(program)(X, tangent), pushed):
        close(found, expected)
    samples = np.stack([X, X + 0.1])
    many, flags = batch_program(program, 2)
    assert flags == (True,) * len(pushed)
    for found, expected in zip(many(samples), zip(*(f(x) for x in samples))):
        close(found, np.stack(expected))
    simple = simplify(program)
    assert len(simple.steps) <= len(program.steps)
    for found, expected in zip(simple(X), program(X)):
        assert np.array_equal(found, expected)  # bit for bit


def test_with_value_and_chosen_inputs():
    program = program_of(lambda x, y: [np.sum(x * y**2)], (3,), (3,))
    value, by_y = reverse_program(program, [1], with_value=True)(X, X, np.array(1.0))
    close(value, np.sum(X**3))
    close(by_y, 2 * X**2)
    value, tangent = forward_program(program, [0], with_value=True)(X, X, np.ones(3))
    close(tangent, np.sum(X**2))


def test_programs_are_derived_again_and_again():
    program = program_of(lambda x: [np.sum(np.sin(x) * x)], (3,))
    gradient = simplify(reverse_program(program))
    hessian_row = simplify(reverse_program(gradient, [0]))
    v = np.array([1.0, 2.0, 3.0])
    close(hessian_row(X, np.array(1.0), v)[0], (2 * np.cos(X) - X * np.sin(X)) * v)


def test_partly_batched_programs():
    program = program_of(lambda x, y: [x * y, y + 1], (3,), (3,))
    many, flags = batch_program(program, 4, [True, False], all_outputs=False)
    assert flags == (True, False)
    x = np.arange(12.0).reshape(4, 3)
    product, rest = many(x, X)
    close(product, x * X)
    close(rest, X + 1)
    with pytest.raises(errors.StructureError, match="2 inputs, but 1 flags"):
        batch_program(program, 4, [True])


def test_simplifying():
    def f(x):
        unused = np.exp(x)  # noqa: F841
        same = np.sin(x) + np.sin(x)
        folded = np.sqrt(np.arange(3.0) * 2)
        return [same * folded, np.reshape(x, (3,)), 2.0 * x + 2.0 * x]

    program = program_of(f, (3,))
    simple = simplify(program)
    names = [step.primitive.name for step in simple.steps]
    assert names.count("sin") == 1 and "exp" not in names and "reshape" not in names
    assert names.count("multiply") == 2
    for found, expected in zip(simple(X), f(X)):
        assert np.array_equal(found, expected)
    captured_number_is_kept_apart = simplify(program_of(lambda x: [x * 2, x * 2.0, x**2, x**2.0], (3,)))
    assert len(captured_number_is_kept_apart.steps) == 4


def test_folding_constants():
    big, small = np.ones((200, 200)), np.ones(3)
    step = lambda c: program_of(lambda x: [x[0] * np.sum(np.outer(np.sin(wg.Tensor(c).numpy()), c))], (3,))
    assert len(simplify(step(small)).steps) == 2

    def with_constants(x):  # what only reads captured values, through tensors that nobody tracks
        return [x + wg.numpy.sum(wg.Tensor(small) * 2)]

    program = trace(with_constants, [Slot((3,), REAL)])
    assert len(simplify(program).steps) == 1
    assert big.size  # a large array is captured once, however often it is read
    twice = program_of(lambda x: [x @ big[:3, :3] + x @ big[:3, :3]], (3,))
    assert len(simplify(twice).captures) == 1


def test_what_an_enclosing_derivative_tracks_is_not_folded():
    def f(w):
        program = trace(lambda x: [x * np.sin(w)], [Slot((3,), REAL)])
        return np.sum(simplify(program)(X)[0])

    close(wg.grad(f)(0.3), np.sum(X) * np.cos(0.3))


def test_closing():
    array, scalar = np.ones(3), 2.0
    program = program_of(lambda x: [x * scalar + array], (3,))
    closed, captured = program.closed()
    assert closed.captures == () and len(captured) == 1
    close(closed(X, *captured)[0], X * 2 + 1)
    single = trace(lambda x: [x * 2.0], [Slot((3,), np.dtype(np.float32))]).closed()[0]
    assert single(X.astype(np.float32))[0].dtype == np.float32  # a Python number still promotes weakly
    with_three = program_of(lambda x: [x * 3.0 + array], (3,)).closed()[0]
    assert closed != with_three  # a closed Program is its structure, numbers included


def test_equality_hash_and_print():
    make = lambda: program_of(lambda x: [np.sum(np.sin(x) * 2.0, axis=0)], (3,))
    assert make() == make() and hash(make()) == hash(make())
    assert make() != program_of(lambda x: [np.sum(np.cos(x) * 2.0, axis=0)], (3,))
    text = str(make())
    assert text.splitlines()[0] == "program(x0: float64[3])"
    assert "sum(" in text and "axis=(0,)" in text and "return" in text
    several = str(program_of(lambda x: [np.linalg.eigh(np.outer(x, x) + np.diag([1.0, 2.0, 3.0]))[0]], (3,)))
    assert "(float64[3], float64[3,3])" in several


@pytest.mark.parametrize("name", FUNCTIONS)
def test_saving_and_loading(name, tmp_path):
    program = simplify(reverse_program(program_of(FUNCTIONS[name], (3,))))
    path = tmp_path / "some.program"
    program.save(path)
    again = Program.load(path)
    assert again == program and [p.name for p in tmp_path.iterdir()] == ["some.program"]
    cotangents = [np.ones(slot.shape) for slot in program.inputs[1:]]
    for a, b in zip(again(X, *cotangents), program(X, *cotangents)):
        assert np.array_equal(a, b)


def test_what_is_stored_is_plain_data(tmp_path):
    path = tmp_path / "p"
    program_of(lambda x: [np.sum(np.sin(x) * W[0], axis=0)], (3,)).save(path)
    with np.load(path, allow_pickle=False) as archive:
        document = json.loads(archive["program"].tobytes())
        assert sorted(archive.files) == ["array_0", "program"]
    assert document["format"] == "wengert program 1"
    assert [step["primitive"] for step in document["program"]["steps"]] == ["sin", "multiply", "sum"]


def test_settings_of_all_kinds_survive(tmp_path):
    def f(x):
        y = (x * (1 + 2j)).astype(np.complex64)
        return [np.abs(y), x * float("inf"), x * True, x[1:][None, ..., ::-1]]

    program = program_of(f, (3,))
    program.save(tmp_path / "p")
    again = Program.load(tmp_path / "p")
    assert again == program
    for a, b in zip(again(X), program(X)):
        assert np.array_equal(a, b) and a.dtype == b.dtype


def test_pickling_goes_by_the_names_of_primitives():
    program = program_of(FUNCTIONS["a loop"], (3,))
    again = pickle.loads(pickle.dumps(program))
    assert again == program
    close(again(X)[0], program(X)[0])


def test_errors(tmp_path):
    program = program_of(lambda x: [x * 2], (3,))
    with pytest.raises(errors.StructureError, match="has 1 inputs, not 2"):
        program(X, X)
    with pytest.raises(errors.ShapeError, match=r"shape \(2,\); the Program was made for \(3,\)"):
        program(X[:2])
    with pytest.raises(errors.ArgumentError, match="no input 4"):
        reverse_program(program, [4])
    integers = trace(lambda i: [i + 1], [Slot((3,), np.dtype(int))])
    with pytest.raises(errors.ArgumentError, match="which has no derivative"):
        forward_program(integers, [0])

    (tmp_path / "text").write_text("not a program")
    with pytest.raises(errors.ArgumentError, match="not a saved Program"):
        Program.load(tmp_path / "text")
    np.savez(tmp_path / "other.npz", a=np.ones(3))
    with pytest.raises(errors.ArgumentError, match="not a saved Program"):
        Program.load(tmp_path / "other.npz")
    np.savez(tmp_path / "pickled.npz", program=np.array([{"a": 1}], dtype=object))
    with pytest.raises(errors.ArgumentError, match="not a saved Program"):
        Program.load(tmp_path / "pickled.npz")
    with pytest.raises(FileNotFoundError):
        Program.load(tmp_path / "missing")

    rule = wg.custom_rule(np.sin, vjp=lambda c, out, x: (c,))
    custom = trace(lambda x: [rule(x)], [Slot((3,), REAL)])
    with pytest.raises(errors.StructureError, match="rule is a CustomRule, which cannot be saved"):
        custom.save(tmp_path / "custom")

    path = tmp_path / "unknown"
    program.save(path)
    with np.load(path) as archive:
        parts = {name: archive[name] for name in archive.files}
    text = parts["program"].tobytes().decode().replace('"multiply"', '"mystery"')
    with open(path, "wb") as file:
        np.savez(file, **{**parts, "program": np.frombuffer(text.encode(), np.uint8)})
    with pytest.raises(errors.UnsupportedFunction, match="no primitive is called 'mystery'"):
        Program.load(path)
    strange = text.replace('"mystery"', '"multiply"').replace('"params": []', '"params": [["a", {"code": "x"}]]')
    with open(path, "wb") as file:
        np.savez(file, **{**parts, "program": np.frombuffer(strange.encode(), np.uint8)})
    with pytest.raises(errors.ArgumentError, match="unknown kind 'code'"):
        Program.load(path)


def test_a_program_that_captured_what_cannot_be_stored(tmp_path):
    found = []

    def body(y):
        inner = trace(lambda x: [x * y], [Slot((3,), REAL)])
        with pytest.raises(errors.AbstractValue, match="captured an abstract tensor"):
            inner.save(tmp_path / "p")
        found.append(1)
        return y

    wg.vmap(body)(np.ones(2))
    assert found
    program = Program([], [np.array([object()])], [], [0])
    with pytest.raises(errors.StructureError, match="array of objects"):
        program.save(tmp_path / "p")


def test_running_on_tensors_is_recorded():
    program = program_of(lambda x: [np.sum(np.sin(x))], (3,))
    close(wg.grad(lambda x: program(x)[0])(X), np.cos(X))
    close(wg.vmap(lambda x: program(x)[0])(np.stack([X, 2 * X])), [np.sum(np.sin(X)), np.sum(np.sin(2 * X))])


def test_batched_runs_do_not_write_to_what_they_were_given():
    """Buffers are reused inside, never the caller's arrays, views of them or captured values."""
    x = np.random.default_rng(0).normal(size=(20_000, 4))
    bias = np.random.default_rng(1).normal(size=(4,))
    kept, kept_bias = x.copy(), bias.copy()

    def f(v):
        a = v + bias
        b = np.exp(-a * a)
        c = b[::-1] * 2
        d = np.sin(a) - b
        return a, c, d * d + c, v

    out = wg.vmap(f)(x)
    assert np.array_equal(x, kept) and np.array_equal(bias, kept_bias)
    expected = [np.stack(column) for column in zip(*(f(row) for row in x[:50]))]
    for found, want in zip(out, expected):
        close(found[:50], want)
