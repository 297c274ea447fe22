"""`torch.func`."""

from __future__ import annotations

import math

import numpy as np
import pytest

import wengert.compat.torch as torch
from wengert.compat.torch.func import (
    functional_call,
    grad,
    grad_and_value,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    linearize,
    stack_module_state,
    vjp,
    vmap,
)

X = torch.tensor([1.0, 2.0])
S = torch.tensor(2.0)


def cubes(a):
    return (a**3).sum()


# ---------------------------------------------------------------- gradients


def test_grad():
    assert grad(lambda a: a**3)(S) == 12 and grad(grad(lambda a: a**3))(S) == 12
    assert repr(grad(cubes)(X)) == "tensor([ 3., 12.])"
    gradient, value = grad_and_value(cubes)(X)
    assert gradient.tolist() == [3, 12] and value == 9


def test_aux():
    def with_aux(a):
        return cubes(a), {"twice": a * 2, "note": "any object"}

    gradient, aux = grad(with_aux, has_aux=True)(X)
    assert gradient.tolist() == [3, 12] and aux["twice"].tolist() == [2, 4] and aux["note"] == "any object"
    gradient, (value, aux) = grad_and_value(with_aux, has_aux=True)(X)
    assert value == 9 and not aux["twice"].requires_grad
    assert vjp(lambda a: (a**2, a), X, has_aux=True)[2].tolist() == [1, 2]
    assert jvp(lambda a: (a**2, a), (X,), (X,), has_aux=True)[2].tolist() == [1, 2]
    assert jacrev(lambda a: (a**2, a), has_aux=True)(X)[1].tolist() == [1, 2]


def test_argnums():
    def f(a, b):
        return (a * b).sum()

    assert grad(f, argnums=1)(X, X * 3).tolist() == [1, 2]
    both = grad(f, argnums=(0, 1))(X, X * 3)
    assert type(both) is tuple and both[0].tolist() == [3, 6]
    assert type(grad(f, argnums=(0,))(X, X)) is tuple
    assert grad(f, argnums=-1)(X, X * 3).tolist() == [1, 2]


def test_structures():
    found = grad(lambda d: (d["a"] * d["b"][0]).sum())({"a": X, "b": [X * 2]})
    assert found["a"].tolist() == [2, 4] and found["b"][0].tolist() == [1, 2]


def test_python_values_are_constants():
    assert grad(lambda a: a * a.item())(S) == 2
    assert grad(lambda a: a**2 if a > 0 else a)(S) == 4
    with pytest.warns(UserWarning, match="plain number"):
        assert grad(lambda a: a * float(a))(S) == 2
    assert grad(lambda a: a[a > 1].sum())(X).tolist() == [0, 1]


def test_no_grad_inside_counts_and_outside_does_not():
    def f(a):
        with torch.no_grad():
            b = a * a
        return a * b

    assert grad(f)(S) == 4
    with torch.no_grad():
        assert grad(lambda a: a**2)(S) == 4


def test_confusion_of_perturbations():
    one = torch.tensor(1.0)
    assert grad(lambda x: x * grad(lambda y: x + y)(one))(one) == 1
    assert jvp(lambda x: x * jvp(lambda y: x + y, (one,), (one,))[1], (one,), (one,))[1] == 1
    assert grad(lambda x: x * jvp(lambda y: x + y, (one,), (one,))[1])(one) == 1


def test_captured_leaves_stay_differentiable():
    w = torch.tensor(3.0, requires_grad=True)
    g = grad(lambda a: a * a * w)(S)
    assert g == 12 and g.requires_grad
    assert torch.autograd.grad(g, w)[0] == 4
    J = jacrev(lambda a: a * w)(X)
    assert torch.autograd.grad(J.sum(), w)[0] == 2
    assert not grad(lambda a: a * 2)(S).requires_grad
    assert grad(lambda a: a**2)(w).requires_grad and not grad(lambda a: a**2)(w.detach()).requires_grad
    value, pull = vjp(lambda a: a * w, X)
    assert value.requires_grad and pull(X)[0].requires_grad


def test_edits_in_place_inside():
    def f(a):
        y = a * 1
        y.add_(1)
        y[0] = y[0] * 3
        return (y * a).sum()

    assert grad(f)(X).tolist() == [9, 5]


# ---------------------------------------------------------------- products


def test_vjp():
    value, pull = vjp(lambda a: a**2, X)
    assert value.tolist() == [1, 4] and pull(X)[0].tolist() == [2, 8] and pull(X * 2)[0].tolist() == [4, 16]
    assert [g.tolist() for g in vjp(lambda a, b: a * b, X, X * 3)[1](X)] == [[3, 12], [1, 4]]
    assert vjp(lambda a: {"q": a**2, "r": (a,)}, X)[1]({"q": X, "r": (X,)})[0].tolist() == [3, 10]
    assert vjp(lambda a: a * 2, X)[1](X.double())[0].dtype is torch.float32


def test_jvp():
    value, tangent = jvp(lambda a: a**2, (X,), (X,))
    assert value.tolist() == [1, 4] and tangent.tolist() == [2, 8]
    assert jvp(lambda a: torch.ones(2), (X,), (X,))[1].tolist() == [0, 0]
    assert jvp(grad(cubes), (X,), (X,))[1].tolist() == [6, 24]


def test_linearize():
    calls = []

    def f(a):
        calls.append(1)
        return a**2 if a.sum() > 0 else a

    value, push = linearize(f, X)
    assert value.tolist() == [1, 4] and push(X).tolist() == [2, 8] and push(X * 2).tolist() == [4, 16]
    assert len(calls) == 1


# ---------------------------------------------------------------- Jacobians


@pytest.mark.parametrize("jacobian", [jacrev, jacfwd])
def test_jacobians(jacobian):
    assert jacobian(lambda a: a**3)(X).tolist() == [[3, 0], [0, 12]]
    blocks = jacobian(lambda a, b: {"p": a * b, "q": a.sum()}, argnums=(0, 1))(X, X * 3)
    assert blocks["p"][1].tolist() == [[1, 0], [0, 2]] and blocks["q"][0].tolist() == [1, 1]
    assert blocks["q"][1].tolist() == [0, 0]
    assert jacobian(lambda a: torch.ones(2))(X).tolist() == [[0, 0], [0, 0]]
    assert jacobian(lambda a: a[:0])(X).shape == (0, 2) and jacobian(lambda a: a)(X[:0]).shape == (0, 0)


def test_dtypes_of_jacobians():
    assert jacrev(lambda a: a.double())(X).dtype is torch.float32
    assert jacfwd(lambda a: a.double())(X).dtype is torch.float64


@pytest.mark.parametrize("chunk", [1, 2, 3, None])
def test_chunks_do_not_change_the_result(chunk):
    A = torch.arange(12.0).reshape(4, 3)
    found = jacrev(lambda a: (A @ a).sin(), chunk_size=chunk)(torch.tensor([0.1, 0.2, 0.3]))
    np.testing.assert_allclose(found.numpy(), np.cos(A.numpy() @ [0.1, 0.2, 0.3])[:, None] * A.numpy(), rtol=1e-5)


def test_jacfwd_by_all_arguments():
    first, second = jacfwd(lambda a, b: a * b, argnums=None)(X, X * 3)
    assert first.tolist() == [[3, 0], [0, 6]] and second.tolist() == [[1, 0], [0, 2]]


def test_hessian():
    expected = [[6, 0], [0, 12]]
    assert hessian(cubes)(X).tolist() == expected
    for outer in (jacrev, jacfwd):
        for inner in (jacrev, jacfwd):
            assert outer(inner(cubes))(X).tolist() == expected
    assert hessian(lambda a: a**3)(X).shape == (2, 2, 2)
    blocks = hessian(lambda a, b: (a * b).sum(), argnums=(0, 1))(X, X)
    assert blocks[0][1].tolist() == [[1, 0], [0, 1]] and blocks[0][0].tolist() == [[0, 0], [0, 0]]


def test_complex_jacobian_in_forward_mode():
    assert jacfwd(lambda a: a * 1j)(X).tolist() == [[1j, 0], [0, 1j]]


# ---------------------------------------------------------------- vmap


def test_vmap():
    rows = torch.arange(6.0).reshape(3, 2)
    assert vmap(torch.sum)(rows).tolist() == [1, 5, 9]
    assert vmap(torch.mul, in_dims=(0, None))(rows, X).tolist() == [[0, 2], [2, 6], [4, 10]]
    assert vmap(lambda a: a * 2, out_dims=1)(rows).tolist() == (rows * 2).T.tolist()
    assert vmap(torch.dot)(rows, rows).tolist() == [1, 13, 41]
    assert vmap(grad(cubes))(rows).tolist() == (3 * rows**2).tolist()
    assert vmap(jacrev(torch.sin))(rows).shape == (3, 2, 2)
    assert jacrev(vmap(torch.sin))(X).tolist() == torch.diag(X.cos()).tolist()
    assert vmap(vmap(lambda a: a * 2))(rows).tolist() == (rows * 2).tolist()
    total, same = vmap(lambda a: (a.sum(), torch.ones(2)))(rows)
    assert total.tolist() == [1, 5, 9] and same.shape == (3, 2)
    assert vmap(torch.sum, chunk_size=2)(rows).tolist() == [1, 5, 9]
    assert vmap(torch.sum, randomness="same")(rows).tolist() == [1, 5, 9]
    drawn = vmap(lambda a: a * 0 + torch.randn(1), randomness="same")(rows)
    assert (drawn == drawn[0, 0]).all()
    assert torch.randn(1).shape == (1,)  # outside nothing is refused
    assert type(vmap(torch.sum)(rows)) is torch.Tensor


def test_vmap_over_methods_and_edits():
    rows = torch.arange(1.0, 7.0).reshape(3, 2)

    def f(a):
        b = a.softmax(0).unsqueeze(0).T
        b.mul_(2)
        c = torch.zeros(2)
        c[0] = b.max(0).values[0] if False else b.sum()
        return torch.where(c > 1, c, a).clamp(0, 5) + a.std() + a.norm() + a.sort().values

    expected = torch.stack([f(row) for row in rows])
    np.testing.assert_allclose(vmap(f)(rows).numpy(), expected.numpy(), rtol=1e-5)


# ---------------------------------------------------------------- modules


def test_functional_call():
    layer = torch.nn.Linear(2, 1)
    ones = {name: p.detach() * 0 + 1 for name, p in layer.named_parameters()}
    assert functional_call(layer, ones, (X,)).tolist() == [4]
    assert functional_call(layer, ones, X).tolist() == [4]
    before = layer(X).tolist()
    found = grad(lambda p: functional_call(layer, p, (X,)).sum())(ones)
    assert found["weight"].tolist() == [[1, 2]] and found["bias"].tolist() == [1]
    assert layer(X).tolist() == before
    per_sample = vmap(grad(lambda p, z: functional_call(layer, p, (z,)).sum()), in_dims=(None, 0))(
        ones, torch.ones(5, 2)
    )
    assert per_sample["weight"].shape == (5, 1, 2)


def test_an_ensemble():
    models = [torch.nn.Linear(2, 1) for _ in range(3)]
    params, buffers = stack_module_state(models)
    assert params["weight"].shape == (3, 1, 2) and params["weight"].requires_grad and buffers == {}
    outs = vmap(lambda p, z: functional_call(models[0], p, (z,)), in_dims=(0, None))(params, X)
    np.testing.assert_allclose(outs.detach().numpy(), np.stack([m(X).detach().numpy() for m in models]), rtol=1e-6)


# ---------------------------------------------------------------- misuse

I = torch.tensor(2)

ERRORS = {
    "a vector": (lambda: grad(lambda a: a)(X), RuntimeError, r"returned shape \(2,\)"),
    "one element with an axis": (lambda: grad(lambda a: a.sum().reshape(1))(X), RuntimeError, r"returned shape \(1,\)"),
    "an integer": (lambda: grad(lambda a: a * 1.0)(I), RuntimeError, "not torch.int64"),
    "a Python float": (
        lambda: grad(lambda a: a)(2.0),
        ValueError,
        "expected tensors to differentiate by, but got float",
    ),
    "an integer result": (lambda: grad(lambda a: a.long())(S), RuntimeError, "returned torch.int64"),  # PyTorch: zeros
    "a truth value": (lambda: grad(lambda a: a > 0)(S), RuntimeError, "returned torch.bool"),
    "an integer result of vjp": (lambda: vjp(lambda a: a.long(), X), RuntimeError, "output 0 is torch.int64"),
    "a complex result": (lambda: grad(lambda a: a * 1j)(S), RuntimeError, "returned torch.complex64"),
    "argnums list": (lambda: grad(cubes, argnums=[0])(X), RuntimeError, r"int or a tuple of ints, not \[0\]"),
    "argnums float": (lambda: grad(cubes, argnums=0.0)(X), RuntimeError, "int or a tuple of ints, not 0.0"),
    "argnums too large": (
        lambda: grad(cubes, argnums=1)(X),
        RuntimeError,
        "argnums has 1, but the function was called with 1",
    ),
    "argnums twice": (lambda: grad(lambda a, b: a, argnums=(0, -2))(S, S), RuntimeError, "names an argument twice"),
    "argnums empty": (lambda: grad(cubes, argnums=())(X), RuntimeError, "must not be empty"),
    "by keyword": (lambda: grad(lambda *, a: a)(a=S), RuntimeError, "0 positional arguments"),
    "no pair": (
        lambda: grad(cubes, has_aux=True)(X),
        RuntimeError,
        r"has_aux=True the function returns \(output, aux\)",
    ),
    "returns None": (lambda: grad(lambda a: None)(S), RuntimeError, "returned None; it must return tensors"),
    "returns nothing": (lambda: grad(lambda a: ())(S), RuntimeError, r"returned \(\); it must return tensors"),
    "returns a number": (lambda: grad(lambda a: 3.0)(S), RuntimeError, "returned float; it must return tensors"),
    "returns a tuple": (lambda: grad(lambda a: (a,))(S), RuntimeError, "must return one tensor"),
    "no function": (lambda: grad(3)(S), RuntimeError, "the first argument is the function, not int"),
    "nothing to differentiate by": (
        lambda: grad(lambda a: S)([]),
        RuntimeError,
        "there is no tensor to differentiate by",
    ),
    "vjp of nothing": (lambda: vjp(lambda: X), RuntimeError, "nothing to differentiate by"),
    "cotangent structure": (lambda: vjp(lambda a: (a, a), X)[1](X), RuntimeError, "do not have the structure"),
    "cotangent shape": (
        lambda: vjp(lambda a: a, X)[1](S),
        RuntimeError,
        r"cotangent 0 has shape \(\), .* of shape \(2,\)",
    ),
    "cotangent is no tensor": (lambda: vjp(lambda a: a, X)[1](3.0), RuntimeError, "must be a tensor, not float"),
    "complex cotangent": (lambda: vjp(lambda a: a, X)[1](X * 1j), RuntimeError, "is torch.complex64"),
    "jvp list": (lambda: jvp(cubes, [X], [X]), RuntimeError, "primals must be a tuple, not list"),
    "jvp tensor": (lambda: jvp(cubes, X, X), RuntimeError, "primals must be a tuple, not Tensor"),
    "jvp empty": (lambda: jvp(cubes, (), ()), RuntimeError, "primals must not be empty"),
    "jvp structure": (lambda: jvp(cubes, (X,), (X, X)), RuntimeError, "do not have the structure of the primals"),
    "jvp shape": (lambda: jvp(cubes, (X,), (S,)), RuntimeError, "tangent 0 has shape"),
    "jvp leaf": (lambda: jvp(cubes, (2.0,), (1.0,)), RuntimeError, "but got float"),
    "jvp integer": (lambda: jvp(lambda a: a * 1.0, (I,), (I,)), ValueError, "not torch.int64"),
    "jvp strict": (
        lambda: jvp(lambda a: torch.ones(2), (X,), (X,), strict=True),
        RuntimeError,
        "output 0 is independent",
    ),
    "linearize of nothing": (lambda: linearize(lambda: X), RuntimeError, "nothing to differentiate by"),
    "linearize structure": (lambda: linearize(cubes, X)[1](X, X), RuntimeError, "do not have the structure"),
    "chunk size": (lambda: jacrev(cubes, chunk_size=0), ValueError, "greater than 0, not 0"),
    "complex reverse": (lambda: jacrev(lambda a: a * 1j)(X), RuntimeError, "a reverse-mode row needs a real output"),
    "complex forward": (
        lambda: jacfwd(lambda a: a.abs())(X * 1j),
        RuntimeError,
        "a forward-mode column needs a real input",
    ),
    "out of bounds": (lambda: grad(lambda a: a[5])(X), IndexError, "out of bounds"),
    "a branch in vmap": (
        lambda: vmap(lambda a: a if a.sum() > 0 else -a)(torch.ones(2, 2)),
        RuntimeError,
        "inside of vmap",
    ),
    "different random numbers": (lambda: vmap(torch.sum, randomness="different"), RuntimeError, "'error' or 'same' here"),
    "random numbers in vmap": (
        lambda: vmap(lambda a: a + torch.randn(2))(torch.ones(3, 2)),
        RuntimeError,
        'randomness is "error"',
    ),
    "an unknown randomness": (lambda: jacfwd(cubes, randomness="no"), RuntimeError, "'same' or 'different', not 'no'"),
    "functional_call strict": (
        lambda: functional_call(torch.nn.Linear(2, 1), {"weight": torch.ones(1, 2)}, (X,), strict=True),
        RuntimeError,
        r"missing \['bias'\]",
    ),
    "no models": (lambda: stack_module_state([]), ValueError, "at least one model"),
    "a missing name": (lambda: torch.func.functionalize, AttributeError, "torch.func has no 'functionalize'"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_misuse(case):
    call, builtin, text = ERRORS[case]
    with pytest.raises(builtin, match=text):
        call()
    assert math.isclose(grad(lambda a: a**3)(S), 12)
