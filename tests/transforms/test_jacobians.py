"""Dense derivatives: modes, chunks, structures, labels, auxiliary results, and how often the function runs."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest

import wengert as wg

X = np.array([0.5, -1.2, 2.0])
W = np.random.default_rng(0).normal(size=(4, 3))


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


def tall(x):
    return np.sin(W @ x) * np.sum(x)


def scalar(x):
    return np.sum(np.cos(W @ x) ** 2 * np.prod(x))


TALL = np.cos(W @ X)[:, None] * W * np.sum(X) + np.sin(W @ X)[:, None]


@pytest.mark.parametrize("mode", ["auto", "forward", "reverse"])
@pytest.mark.parametrize("chunk", [None, 1, 2, 3, 100])
def test_modes_and_chunks_agree(mode, chunk):
    close(wg.jacobian(tall, mode=mode, chunk_size=chunk)(X), TALL)
    close(wg.hessian(scalar, mode=mode, chunk_size=chunk)(X), wg.jacobian(wg.grad(scalar))(X))


def test_the_faces_agree():
    close(wg.jacfwd(tall, chunk_size=2)(X), TALL)
    close(wg.jacrev(tall, chunk_size=2)(X), TALL)
    value, jacobian = wg.value_and_jacobian(tall)(X)
    close(value, tall(X))
    close(jacobian, TALL)
    value, gradient, hessian = wg.value_grad_and_hessian(scalar)(X)
    close(value, scalar(X))
    close(gradient, wg.grad(scalar)(X))
    close(hessian, wg.hessian(scalar)(X))
    close(wg.hessian_diag(scalar)(X), np.diag(hessian))
    close(wg.hessian_diag(scalar, chunk_size=2)(X), np.diag(hessian))
    close(wg.laplacian(scalar)(X), np.trace(hessian))


def test_a_hessian_of_several_outputs():
    close(wg.hessian(tall)(X), wg.jacobian(wg.jacobian(tall))(X))
    blocks = wg.hessian(lambda x, y: {"a": x * y, "b": np.sum(x)}, (0, 1))(X, X)
    assert blocks["a"][0][1].shape == (3, 3, 3) and blocks["b"][0][0].shape == (3, 3)
    close(blocks["a"][0][1][1, 1, 1], 1.0)


COUNTED = {
    "grad": lambda f: wg.grad(f)(X),
    "value_and_grad": lambda f: wg.value_and_grad(f)(X),
    "jacobian": lambda f: wg.jacobian(f)(X),
    "jacfwd": lambda f: wg.jacfwd(f, chunk_size=1)(X),
    "jacrev": lambda f: wg.jacrev(f)(X),
    "value_and_jacobian": lambda f: wg.value_and_jacobian(f)(X),
    "hessian": lambda f: wg.hessian(f)(X),
    "hessian in reverse": lambda f: wg.hessian(f, mode="reverse", chunk_size=1)(X),
    "value_grad_and_hessian": lambda f: wg.value_grad_and_hessian(f)(X),
    "hessian_diag": lambda f: wg.hessian_diag(f)(X),
    "laplacian": lambda f: wg.laplacian(f)(X),
    "hvp": lambda f: wg.hvp(f, (X,), (X,)),
    "vhp": lambda f: wg.vhp(f, (X,), (X,)),
    "vjp": lambda f: wg.vjp(f, X)[1](1.0),
    "jvp": lambda f: wg.jvp(f, (X,), (X,)),
    "linearize": lambda f: wg.linearize(f, X)[1](X),
    "linear_transpose": lambda f: wg.linear_transpose(lambda x: (f(X), np.sum(x))[1], X)(1.0),
    "gauss_newton_product": lambda f: wg.gauss_newton_product(f, (X,), (X,)),
    "derivatives": lambda f: wg.derivatives(lambda t: f(X * t), 1.0, 5),
    "jet": lambda f: wg.jet(f, (X,), ([X, X],)),
    "jacobian as a matrix": lambda f: wg.jacobian(f, as_matrix=True)(X),
    "jacobian of jacobian": lambda f: wg.jacobian(wg.jacobian(f))(X),
    "vmap of grad": lambda f: wg.vmap(wg.grad(f))(np.stack([X, X])),
}


@pytest.mark.parametrize("name", COUNTED)
def test_the_function_runs_once(name):
    calls = []

    def f(x):
        calls.append(1)
        return scalar(x)

    COUNTED[name](f)
    assert len(calls) == 1


class Pair(NamedTuple):
    left: object
    right: object


@dataclass
class Parameters:
    scale: object
    shift: object


def test_structured_arguments_and_results():
    p = {"w": np.array([1.0, 2.0]), "rest": (3.0, [np.array([[4.0, 5.0]])])}

    def f(p, q):
        matrix = p["rest"][1][0]
        return Pair(p["w"] * p["rest"][0], {"m": np.sum(matrix**2) * q.scale + q.shift})

    q = Parameters(2.0, np.array([1.0, 1.0]))
    blocks = wg.jacobian(f, (0, 1))(p, q)
    assert isinstance(blocks, Pair)
    by_p, by_q = blocks.right["m"]
    close(by_p["rest"][1][0], [[[16.0, 20.0]], [[16.0, 20.0]]])
    assert isinstance(by_q, Parameters)
    close(by_q.scale, [41.0, 41.0])
    close(by_q.shift, np.eye(2))
    gradient = wg.grad(lambda p: np.sum(f(p, q).left) + np.sum(f(p, q).right["m"]))(p)
    close(gradient["w"], [3.0, 3.0])
    close(gradient["rest"][0], 3.0)
    assert type(gradient["rest"][1]) is list


def test_a_matrix_with_labels():
    def f(p, q):
        return {"y": p["a"] * q, "z": np.sum(q**2) + p["b"]}

    p, q = {"a": np.array([1.0, 2.0]), "b": 3.0}, np.array([4.0, 5.0])
    blocks = wg.jacobian(f, (0, 1))(p, q)
    matrix = wg.jacobian(f, (0, 1), as_matrix=True)(p, q)
    assert matrix.shape == (3, 5) and isinstance(matrix, np.ndarray)
    for out in ("y", "z"):
        close(matrix[out, ("p", "a")], blocks[out][0]["a"])
        close(matrix[out, ("p", "b")], blocks[out][0]["b"])
        close(matrix[out, "q"], blocks[out][1])
        assert matrix[out, "q"].shape == blocks[out][1].shape
    close(matrix["y", "p"], [[4.0, 0.0, 0.0], [0.0, 5.0, 0.0]])  # a whole branch
    close(matrix["y", :], np.asarray(matrix)[:2])
    close(matrix[:, "q"], np.asarray(matrix)[:, 3:])
    assert matrix.rows["z"] == slice(2, 3) and matrix.columns["q"] == slice(3, 5)
    assert matrix.columns.size == 5
    assert matrix[0, 0] == 4.0 and type(matrix[0]) is np.ndarray
    again = pickle.loads(pickle.dumps(matrix))
    close(again["y", "q"], matrix["y", "q"])
    assert float((matrix @ np.ones(5))[0]) == 5.0


def test_labels_of_tuples_and_unnamed_parts():
    matrix = wg.jacobian(lambda x: (x[0] * x[1], {"s": x[0]}), as_matrix=True)((np.ones(2), np.ones(2)))
    close(matrix[(0,), (1,)], np.eye(2))
    close(matrix[(1, "s"), (0,)], np.eye(2))
    single = wg.jacobian(tall, as_matrix=True)(X)
    close(single, TALL)


def test_a_hessian_with_labels():
    f = lambda p: np.sum(p["a"] * p["b"]) ** 2
    p = {"a": np.array([1.0, 2.0]), "b": np.array([3.0, -1.0])}
    blocks, matrix = wg.hessian(f)(p), wg.hessian(f, as_matrix=True)(p)
    close(matrix["a", "b"], blocks["a"]["b"])
    close(matrix, matrix.T)


def test_a_matrix_inside_another_derivative():
    norm = lambda x: np.sum(wg.jacobian(tall, as_matrix=True)(x) ** 2)
    close(wg.grad(norm)(X), wg.grad(lambda x: np.sum(wg.jacobian(tall)(x) ** 2))(X))


def test_auxiliary_results():
    f = lambda x: (scalar(x), {"x": x, "n": 3})
    for result in (
        wg.grad(f, has_aux=True)(X),
        wg.jacobian(f, has_aux=True)(X),
        wg.hessian(f, has_aux=True)(X),
        wg.hessian_diag(f, has_aux=True)(X),
        wg.laplacian(f, has_aux=True)(X),
    ):
        assert type(result[1]["x"]) is np.ndarray and result[1]["n"] == 3
    (value, aux), gradient, hessian = wg.value_grad_and_hessian(f, has_aux=True)(X)
    close(hessian, wg.hessian(scalar)(X))
    (value, aux), jacobian = wg.value_and_jacobian(f, has_aux=True)(X)
    close(jacobian, wg.grad(scalar)(X))
    assert aux["n"] == 3
    assert wg.vjp(f, X, has_aux=True)[2]["n"] == 3
    assert wg.jvp(f, (X,), (X,), has_aux=True)[2]["n"] == 3
    assert wg.linearize(f, X, has_aux=True)[2]["n"] == 3
    assert wg.hvp(f, (X,), (X,), has_aux=True)[0][1]["n"] == 3
    assert wg.gauss_newton_product(f, (X,), (X,), has_aux=True)[0][1]["n"] == 3


def test_complex_numbers():
    z = np.array([1 + 2j, -0.5j])
    close(wg.jacobian(lambda z: z**2)(z), np.diag(2 * z))  # the derivative of a holomorphic function
    close(wg.jacobian(lambda x: np.exp(1j * x))(X), np.diag(1j * np.exp(1j * X)))
    close(wg.jacobian(lambda z: np.abs(z) ** 2)(z), np.diag(2 * z))  # steepest ascent
    assert wg.jacobian(lambda z: np.abs(z))(z.astype(np.complex64)).dtype == np.complex64


def test_precision_is_kept():
    assert wg.hessian(scalar)(X.astype(np.float32)).dtype == np.float32
    assert wg.jacfwd(tall)(X.astype(np.float32)).dtype == np.float64  # the result's: W is double


def test_linear_maps():
    value, push = wg.linearize(tall, X)
    close(value, tall(X))
    close(push(X), TALL @ X)
    close(push.transpose(np.ones(4))[0], TALL.T @ np.ones(4))
    close(wg.jacobian(push)(X), TALL)
    transposed = wg.linear_transpose(lambda x, y: W @ x + y, X, np.zeros(4))
    by_x, by_y = transposed(np.arange(4.0))
    close(by_x, W.T @ np.arange(4.0))
    close(by_y, np.arange(4.0))
    close(wg.linear_transpose(lambda z: 1j * z, np.zeros(1, complex))(np.array([1.0 + 0j]))[0], [-1j])


def test_gauss_newton_with_a_loss():
    v = np.array([1.0, 0.5, -2.0])
    loss = lambda y: np.sum(y**4)
    inner = np.diag(12 * tall(X) ** 2)
    value, (product,) = wg.gauss_newton_product(tall, (X,), (v,), loss=loss)
    close(product, TALL.T @ inner @ TALL @ v)
    close(value, tall(X))


def test_products_of_several_arguments():
    f = lambda x, y: np.sum(x**2 * y)
    _, (by_x, by_y) = wg.hvp(f, (X, X), (np.ones(3), np.zeros(3)))
    close(by_x, 2 * X)
    close(by_y, 2 * X)
    _, (by_x, by_y) = wg.vhp(f, (X, X), (np.ones(3), np.zeros(3)))
    close(by_x, 2 * X)


def test_products_of_a_structure_met_before():
    """The first time a product is computed eagerly, later by a kept Program of what the function did; all agree."""
    v = np.array([1.0, 0.5, -2.0])

    def f(x, p, *, scale):
        y = np.where(x > 0, np.sin(x) * p["w"], x * x) * scale
        out = np.zeros_like(y)
        out[1:] = y[1:] * y[:-1]
        return np.sum(out**2) + np.prod(np.linalg.solve(np.diag(np.exp(x)) + 0.1, x))

    for scale in (2.0, 2.0, 3.0, np.float64(3.0), np.float64(4.0)):
        for sign in (1.0, -1.0, 1.0):
            x, p = sign * X, {"w": X + scale}
            g = lambda x, p, s=scale: f(x, p, scale=s)
            hessian = wg.hessian(g)(x, p)
            expected = hessian @ v
            _, (by_x, by_p) = wg.hvp(g, (x, p), (v, {"w": np.zeros(3)}))
            close(by_x, expected)
            _, (again, _) = wg.vhp(g, (x, p), (v, {"w": np.zeros(3)}))
            close(again, expected)
            close(by_p["w"], wg.jacobian(wg.grad(g), 1)(x, p)["w"].T @ v)


def test_products_of_functions_that_do_not_depend():
    value, (product,) = wg.hvp(lambda x: 3.0, (X,), (X,))
    assert value == 3.0 and product.tolist() == [0, 0, 0]
    for _ in range(3):
        _, (product,) = wg.hvp(lambda x: np.sum(x) * 2, (X,), (X,))
        assert product.tolist() == [0, 0, 0]
    single = wg.hvp(scalar, (X.astype(np.float32),), (X.astype(np.float32),))[1][0]
    assert single.dtype == np.float32


def test_products_inside_other_derivatives():
    v = np.array([1.0, 0.5, -2.0])
    third = wg.jacobian(wg.hessian(scalar))(X)
    close(wg.jacobian(lambda x: wg.hvp(scalar, (x,), (v,))[1][0])(X), np.einsum("ijk,j->ik", third, v))
    close(wg.vmap(lambda v: wg.hvp(scalar, (X,), (v,))[1][0])(np.eye(3)), wg.hessian(scalar)(X))
    close(wg.vmap(lambda x: wg.hvp(scalar, (x,), (v,))[1][0])(np.stack([X, -X]))[1], wg.hessian(scalar)(-X) @ v)
    outer = lambda a: np.sum(wg.hvp(lambda x: scalar(a * x), (X,), (v,))[1][0])
    close(wg.grad(outer)(1.2), wg.grad(lambda a: np.sum(wg.hessian(lambda x: scalar(a * x))(X) @ v))(1.2))


def test_a_constant_jacobian_is_the_callers_own():
    """A linear function's Jacobian is a constant of the kept Program; writing into one result changed the next."""
    for f in (np.cumsum, lambda x: np.fft.fft(x).real, lambda x: np.sum(x), lambda x: x):
        for derivative in (wg.jacobian, wg.jacfwd):
            J = derivative(f)
            first = np.array(J(np.ones(6)))
            for _ in range(2):
                again = np.asarray(J(np.ones(6)))
                assert np.array_equal(again, first)
                if again.flags.writeable:
                    again[...] = 99.0


def test_results_may_be_written_to():
    """The gradient of a sum was one number broadcast: `g *= 0.5` raised."""
    x = np.arange(4.0)
    results = [
        wg.grad(np.sum)(x),
        wg.value_and_grad(np.mean)(x)[1],
        wg.vjp(np.sum, x)[1](1.0)[0],
        wg.jvp(lambda x: np.broadcast_to(x, (2, 4)), (x,), (x,))[1],
        wg.linearize(lambda x: np.broadcast_to(x, (2, 4)), x)[1](x),
        wg.hvp(lambda x: np.sum(x) ** 2, (x,), (x,))[1][0],
        wg.hessian_diag(lambda x: np.sum(x) ** 2)(x),
        wg.jacobian(np.cumsum)(x),
    ]
    for result in results:
        result *= 0.5
    np.testing.assert_array_equal(results[0], np.full(4, 0.5))
    np.testing.assert_array_equal(x, np.arange(4.0))
