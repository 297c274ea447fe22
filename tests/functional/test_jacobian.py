"""`wengert.functional.jacobian`: nesting, numbers in every mode, dtypes, and what stays differentiable."""

from __future__ import annotations

import numpy as np
import pytest

import wengert as wg
import wengert.compat.torch as torch
from wengert.functional import hessian, jacobian

X = np.array([1.0, 2.0])
A = np.arange(6.0).reshape(3, 2) / 3


def wave(z):
    return np.sin(A @ z)


WAVE = np.cos(A @ X)[:, None] * A


# ---------------------------------------------------------------- nesting


def test_a_bare_input_and_output_give_a_bare_block():
    np.testing.assert_array_equal(jacobian(lambda z: z**3, X), [[3, 0], [0, 12]])


@pytest.mark.parametrize(
    ("inputs", "function", "depth"),
    [
        ((X,), lambda z: z**3, 1),
        (X, lambda z: (z**3,), 1),
        ((X,), lambda z: (z**3,), 2),
    ],
)
def test_a_tuple_of_one_stays_a_tuple(inputs, function, depth):
    block = jacobian(function, inputs)
    for _ in range(depth):
        assert type(block) is tuple and len(block) == 1
        (block,) = block
    np.testing.assert_array_equal(block, [[3, 0], [0, 12]])


def test_several_outputs_and_inputs_nest_outputs_first():
    y = np.array([3.0, 5.0, 7.0])
    blocks = jacobian(lambda a, b: (a * b[:2], np.sum(b) ** 2), (X, y))
    shapes = [[block.shape for block in row] for row in blocks]
    assert shapes == [[(2, 2), (2, 3)], [(2,), (3,)]]
    np.testing.assert_array_equal(blocks[0][0], np.diag([3, 5]))
    np.testing.assert_array_equal(blocks[0][1], [[1, 0, 0], [0, 2, 0]])
    np.testing.assert_array_equal(blocks[1][0], [0, 0])
    np.testing.assert_array_equal(blocks[1][1], [30, 30, 30])


def test_the_2x2_cube():
    x = np.array([[4.0, 2.0], [1.0, 3.0]])
    block = jacobian(lambda z: z**3, x)
    assert block.shape == (2, 2, 2, 2)
    np.testing.assert_array_equal(block.reshape(4, 4), np.diag([48.0, 12, 3, 27]))


def test_a_scalar_input_and_output():
    assert jacobian(lambda z: z * z, np.array(3.0)) == 6.0
    assert jacobian(lambda z: z * z, np.array(3.0)).shape == ()


# ---------------------------------------------------------------- modes


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"vectorize": True},
        {"vectorize": True, "strategy": "forward-mode"},
        {"create_graph": True},
        {"strict": True},
    ],
)
@pytest.mark.parametrize("kind", [np.asarray, wg.Tensor, torch.from_numpy])
def test_every_way_gives_the_same_numbers_and_the_callers_kind(options, kind):
    x = kind(X)
    block = jacobian(wave, x, **options)
    assert type(block) is type(x)
    np.testing.assert_allclose(
        block.numpy(**{"force": True} if kind is torch.from_numpy else {}) if kind is not np.asarray else block,
        WAVE,
        rtol=1e-15,
    )


def test_many_rows_go_in_blocks_with_the_same_numbers(monkeypatch):
    from wengert import functional

    matrix = np.random.default_rng(0).standard_normal((40, 30))
    x = np.linspace(0, 1, 30)
    expected = np.cos(matrix @ x)[:, None] * matrix
    monkeypatch.setattr(functional, "_BLOCK", 3000)  # a few rows at a time
    np.testing.assert_allclose(jacobian(lambda z: np.sin(matrix @ z), x), expected, rtol=1e-13)


def test_a_function_runs_once():
    calls = []

    def f(z):
        calls.append(1)
        return np.sin(z)

    jacobian(f, X)
    assert len(calls) == 1


@pytest.mark.parametrize("options", [{}, {"vectorize": True}, {"vectorize": True, "strategy": "forward-mode"}])
def test_an_unused_input_gives_zeros(options):
    blocks = jacobian(lambda a, b: a * 2, (X, np.ones(3)), **options)
    np.testing.assert_array_equal(blocks[0], 2 * np.eye(2))
    np.testing.assert_array_equal(blocks[1], np.zeros((2, 3)))


@pytest.mark.parametrize("options", [{}, {"vectorize": True}, {"vectorize": True, "strategy": "forward-mode"}])
def test_empty_inputs_and_outputs_give_empty_jacobians(options):
    assert jacobian(lambda z: z[:0], X, **options).shape == (0, 2)
    assert jacobian(lambda z: z * 2, np.zeros(0), **options).shape == (0, 0)
    assert jacobian(lambda z: np.sum(z), np.zeros(0), **options).shape == (0,)
    assert jacobian(lambda: X, (), **options) == ()
    assert jacobian(lambda z: (), X, **options) == ()


def test_the_captured_value_of_an_input_is_a_constant():
    x = wg.Tensor(X)
    np.testing.assert_array_equal(jacobian(lambda z: z * x, x).numpy(), np.diag(X))


def test_python_control_flow():
    np.testing.assert_array_equal(jacobian(lambda z: z * 2 if z[0] > 0 else z, X), 2 * np.eye(2))


# ---------------------------------------------------------------- dtypes


def test_reverse_gives_the_inputs_dtype_and_forward_the_outputs():
    x = X.astype(np.float32)

    def widen(z):
        return z.astype(np.float64) * np.array([2.0, 3.0])

    assert jacobian(widen, x).dtype == np.float32
    assert jacobian(widen, x, vectorize=True, strategy="forward-mode").dtype == np.float64
    assert jacobian(lambda z: z[:1] * 0 + 1, x).dtype == np.float32


@pytest.mark.parametrize("options", [{}, {"vectorize": True}])
def test_an_integer_output_has_zero_derivative(options):
    block = jacobian(lambda z: torch.tensor([1, 2]), torch.from_numpy(X), **options)
    assert block.shape == (2, 2) and block.dtype == torch.float64
    assert not block.numpy().any()


def test_an_integer_output_in_forward_mode_keeps_its_dtype():
    block = jacobian(lambda z: z.long(), torch.from_numpy(X), vectorize=True, strategy="forward-mode")
    assert block.dtype == torch.int64 and not block.numpy().any()


def test_complex_input_real_output_is_the_direction_of_steepest_ascent():
    z = np.array([1 + 2j, 3.0])
    block = jacobian(lambda z: np.real(z * np.conjugate(z)), z)
    np.testing.assert_allclose(block, np.diag(2 * z))


def test_complex_output_in_forward_mode():
    block = jacobian(lambda x: x * 1j, X, vectorize=True, strategy="forward-mode")
    np.testing.assert_array_equal(block, 1j * np.eye(2))


# ---------------------------------------------------------------- differentiating further


def test_a_jacobian_of_a_jacobian():
    def inner(a):
        return jacobian(lambda b: b**3, a, create_graph=True)

    expected = np.zeros((2, 2, 2))
    expected[0, 0, 0], expected[1, 1, 1] = 6, 12
    for kind in (np.asarray, wg.Tensor):
        result = jacobian(inner, kind(X))
        np.testing.assert_array_equal(result.numpy() if kind is wg.Tensor else result, expected)


def test_three_levels():
    def first(a):
        return jacobian(lambda b: b**4, a, create_graph=True)

    def second(a):
        return jacobian(first, a, create_graph=True)

    assert jacobian(second, np.array(2.0)) == 48.0


def test_create_graph_lets_an_outer_tape_differentiate():
    x = wg.Tensor(X)
    with wg.GradientTape() as tape:
        tape.watch(x)
        total = np.sum(jacobian(lambda z: z**3, x, create_graph=True))
    np.testing.assert_array_equal(tape.gradient(total, x).numpy(), [6, 12])


def test_create_graph_reaches_captured_tensors():
    w = wg.Tensor(3.0)
    with wg.GradientTape() as tape:
        tape.watch(w)
        total = np.sum(jacobian(lambda z: w * z**2, X, create_graph=True))
    assert float(tape.gradient(total, w)) == 6.0


def test_without_create_graph_the_result_is_a_constant():
    x = torch.tensor(X, requires_grad=True)
    assert not jacobian(lambda z: z**3, x).requires_grad
    kept = jacobian(lambda z: z**3, x, create_graph=True)
    assert kept.requires_grad
    (gradient,) = torch.autograd.grad(kept.sum(), x)
    np.testing.assert_array_equal(gradient.numpy(), [6, 12])


def test_create_graph_with_plain_arrays_outside_of_any_recording_gives_arrays():
    assert type(jacobian(wave, X, create_graph=True)) is np.ndarray
    block = jacobian(wave, wg.Tensor(X), create_graph=True)
    assert float(block[0, 0]) == WAVE[0, 0]  # converting loses nothing, so it is allowed


def test_it_works_inside_of_no_grad():
    x = torch.tensor(X, requires_grad=True)
    with torch.no_grad():
        np.testing.assert_array_equal(jacobian(lambda z: z**2, x).numpy(), np.diag([2, 4]))
        kept = jacobian(lambda z: z**2, x, create_graph=True)
        assert kept.requires_grad
        assert not (x * 2).requires_grad
    (gradient,) = torch.autograd.grad(kept.sum(), x)
    np.testing.assert_array_equal(gradient.numpy(), [2, 2])


def test_nothing_stays_recorded_after_an_error():
    def broken(z):
        raise KeyError("mine")

    for options in ({}, {"create_graph": True}):
        with pytest.raises(KeyError, match="mine"):
            jacobian(broken, X, **options)
    x = wg.Tensor(X)
    float(np.sum(x * x))  # would raise TraceLost inside of a recording
    np.testing.assert_array_equal(jacobian(lambda z: z**3, X), [[3, 0], [0, 12]])


def test_results_may_be_written_to():
    block = jacobian(lambda z: np.sum(z), X)
    block += 1
    np.testing.assert_array_equal(block, [2, 2])


def test_inside_vmap():
    rows = wg.vmap(lambda a: jacobian(lambda b: b**3, a))(np.array([[1.0, 2.0], [3.0, 4.0]]))
    np.testing.assert_array_equal(rows[1], np.diag([27.0, 48.0]))


def test_hessian_by_hand():
    def gradient(a):
        return jacobian(lambda b: np.sum(b**3), a, create_graph=True)

    np.testing.assert_array_equal(jacobian(gradient, X), hessian(lambda b: np.sum(b**3), X))


@pytest.mark.parametrize("kind", [np.asarray, wg.Tensor, torch.from_numpy])
def test_strict_with_create_graph_passes_where_the_jacobian_varies(kind):
    np.testing.assert_array_equal(
        np.asarray(jacobian(lambda z: z**3, kind(X), create_graph=True, strict=True).tolist()), np.diag([3, 12])
    )
