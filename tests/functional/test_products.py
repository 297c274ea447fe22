"""hessian, vjp, jvp, vhp, hvp: numbers, nesting, and what stays differentiable."""

from __future__ import annotations

import numpy as np
import pytest

import wengert as wg
import wengert.compat.torch as torch
from wengert.functional import hessian, hvp, jvp, vhp, vjp

X = np.array([1.0, 2.0])
V = np.array([1.0, -1.0])
M = np.array([[2.0, 1.0, 0.5], [1.0, 3.0, 0.0], [0.5, 0.0, 1.0]])


def cube(z):
    return z**3


def energy(z):
    return np.sum(z**3) * z[0]


HESSIAN = np.array([[6 * 1 * 1 + 3 + 3, 12.0], [12.0, 12.0]])  # of energy at X: see the test that says so


def test_the_expected_hessian_is_right():
    x, y = X
    # d2/dx2 of x^4 + x y^3 is 12 x^2; d2/dxdy is 3 y^2; d2/dy2 is 6 x y.
    np.testing.assert_array_equal(HESSIAN, [[12 * x**2, 3 * y**2], [3 * y**2, 6 * x * y]])


# ---------------------------------------------------------------- hessian


@pytest.mark.parametrize(
    "options",
    [{}, {"vectorize": True}, {"create_graph": True}, {"vectorize": True, "outer_jacobian_strategy": "forward-mode"}],
)
def test_hessian(options):
    np.testing.assert_allclose(hessian(energy, X, **options), HESSIAN)


def test_hessian_nests_by_inputs():
    ((block,),) = hessian(energy, (X,))
    np.testing.assert_allclose(block, HESSIAN)
    blocks = hessian(lambda a, b: np.sum(a) * np.sum(b**2), (X, np.ones(3)))
    assert [[block.shape for block in row] for row in blocks] == [[(2, 2), (2, 3)], [(3, 2), (3, 3)]]
    np.testing.assert_array_equal(blocks[0][1], np.full((2, 3), 2.0))
    np.testing.assert_array_equal(blocks[1][1], 6 * np.eye(3))


def test_hessian_accepts_one_element_of_any_shape():
    np.testing.assert_allclose(hessian(lambda z: np.reshape(energy(z), (1, 1, 1)), X), HESSIAN)


def test_hessian_of_a_linear_function_and_of_a_constant_is_zero():
    np.testing.assert_array_equal(hessian(np.sum, X), np.zeros((2, 2)))
    np.testing.assert_array_equal(hessian(lambda z: np.ones(1), X), np.zeros((2, 2)))


def test_hessian_differentiates_further():
    third = wg.jacobian(lambda z: hessian(lambda y: np.sum(y**4), z, create_graph=True))(X)
    assert third[0, 0, 0] == 24.0 and third[1, 1, 1] == 48.0


def test_hessian_of_torch_tensors_prints_like_torch():
    x = torch.tensor([1.0, 2.0])
    assert repr(hessian(lambda z: (z**3).sum(), x)) == "tensor([[ 6.,  0.],\n        [ 0., 12.]])"


# ---------------------------------------------------------------- vjp and jvp


def test_vjp():
    value, product = vjp(cube, X, V)
    np.testing.assert_array_equal(value, [1, 8])
    np.testing.assert_array_equal(product, [3, -12])
    value, product = vjp(lambda a, b: (a * b, a), (X, X), (V, V))
    assert type(value) is tuple and type(product) is tuple
    np.testing.assert_array_equal(product[0], X * V + V)
    np.testing.assert_array_equal(product[1], X * V)


def test_v_may_be_left_out_where_it_is_one_number():
    assert vjp(np.sum, X)[1].tolist() == [1, 1]
    assert jvp(cube, np.array([2.0]))[1].tolist() == [12]
    assert vhp(lambda z: np.sum(z**3), np.array([2.0]))[1].tolist() == [12]
    assert hvp(lambda z: np.sum(z**3), np.array([2.0]))[1].tolist() == [12]


def test_jvp():
    value, product = jvp(cube, (X,), (V,))
    np.testing.assert_array_equal(value, [1, 8])
    np.testing.assert_array_equal(product, [3, -12])
    value, product = jvp(lambda a: (a, np.sum(a)), X, V)
    np.testing.assert_array_equal(product[0], V)
    assert product[1] == 0


def test_unused_inputs_and_constant_outputs_give_zeros():
    np.testing.assert_array_equal(vjp(lambda a, b: a * 1, (X, np.ones(3)), V)[1][1], np.zeros(3))
    np.testing.assert_array_equal(jvp(lambda a: np.ones(3), X, V)[1], np.zeros(3))


def test_v_of_another_floating_dtype_is_cast():
    x = X.astype(np.float32)
    for product in (vjp(cube, x, V)[1], jvp(cube, x, V)[1], vjp(cube, x, np.array([1, -1]))[1]):
        assert product.dtype == np.float32
        np.testing.assert_array_equal(product, [3, -12])


def test_vjp_and_jvp_are_adjoint():
    def f(z):
        return np.sin(M @ z)

    x, v, w = np.array([0.3, -1.0, 2.0]), np.array([1.0, 2.0, 3.0]), np.array([0.5, -1.0, 2.0])
    np.testing.assert_allclose(w @ jvp(f, x, v)[1], vjp(f, x, w)[1] @ v, rtol=1e-13)


def test_products_differentiate_further():
    x = torch.tensor(X, requires_grad=True)
    for product in (vjp, jvp):
        value, result = product(lambda z: z**3, x, torch.tensor(V), create_graph=True)
        assert value.requires_grad and result.requires_grad
        (gradient,) = torch.autograd.grad(result.sum(), x)
        np.testing.assert_array_equal(gradient.numpy(), 6 * X * V)
        value, result = product(lambda z: z**3, x, torch.tensor(V))
        assert not value.requires_grad and not result.requires_grad


def test_the_vector_is_differentiable_too():
    v = torch.tensor(V, requires_grad=True)
    _, result = vjp(lambda z: z**3, torch.tensor(X), v, create_graph=True)
    (gradient,) = torch.autograd.grad(result.sum(), v)
    np.testing.assert_array_equal(gradient.numpy(), [3, 12])


def test_results_do_not_share_memory_with_the_vector():
    v = V.copy()
    _, product = vjp(lambda z: z + 1, X, v)
    product += 1
    np.testing.assert_array_equal(v, V)


# ---------------------------------------------------------------- vhp and hvp


@pytest.mark.parametrize("product", [vhp, hvp])
def test_products_with_the_hessian(product):
    value, result = product(energy, X, V)
    assert value == 9
    np.testing.assert_allclose(result, HESSIAN @ V)
    _, result = product(energy, (X,), (V,))
    assert type(result) is tuple
    _, result = product(lambda a, b: np.sum(a * b) ** 2, (X, X), (V, V))
    np.testing.assert_allclose(result[0], 2 * X * (V @ X + X @ V) + 2 * (X @ X) * V)


@pytest.mark.parametrize("product", [vhp, hvp])
def test_products_with_a_zero_hessian(product):
    np.testing.assert_array_equal(product(np.sum, X, V)[1], [0, 0])
    np.testing.assert_array_equal(product(lambda z: np.ones(()), X, V)[1], [0, 0])


@pytest.mark.parametrize("product", [vhp, hvp])
def test_products_with_the_hessian_differentiate_further(product):
    x = torch.tensor(X, requires_grad=True)
    value, result = product(lambda z: (z**4).sum(), x, torch.tensor(V), create_graph=True)
    assert value.requires_grad
    (gradient,) = torch.autograd.grad(result.sum(), x)
    np.testing.assert_array_equal(gradient.numpy(), 24 * X * V)


def test_strict_passes_where_everything_depends():
    assert vjp(cube, X, V, strict=True)[1].tolist() == [3, -12]
    assert jvp(cube, X, V, strict=True)[1].tolist() == [3, -12]
    assert vjp(lambda z: z * 2, X, V, strict=True)[1].tolist() == [2, -2]
    np.testing.assert_allclose(hessian(energy, X, strict=True), HESSIAN)
    np.testing.assert_allclose(hvp(energy, X, V, strict=True)[1], HESSIAN @ V)
    np.testing.assert_allclose(vhp(energy, X, V, strict=True, create_graph=True)[1], HESSIAN @ V)
