"""Every misuse of `wengert.functional` raises, with PyTorch's builtin and a text that says what to do."""

from __future__ import annotations

import numpy as np
import pytest

import wengert as wg
import wengert.compat.torch as torch
from wengert.errors import WengertError
from wengert.functional import hessian, hvp, jacobian, jvp, vhp, vjp

X = np.array([1.0, 2.0])
T = torch.tensor([1.0, 2.0])


def square(z):
    return z**2


def total(z):
    return np.sum(z**3)


def constant(z):
    return np.ones(2)


FORWARD = {"strategy": "forward-mode"}

CASES = {
    # types and nesting
    "list of inputs": (lambda: jacobian(square, [X]), TypeError, "the inputs must be .* not list"),
    "float input": (lambda: jacobian(square, 3.0), TypeError, "the inputs must be .* not float"),
    "float in a tuple": (lambda: jacobian(lambda a, b: a, (X, 3.0)), TypeError, "entry 1 of the inputs .* not float"),
    "list output": (lambda: jacobian(lambda z: [z], X), TypeError, "the result of the function must be .* not list"),
    "no output": (lambda: jacobian(lambda z: None, X), TypeError, "not NoneType"),
    "float output": (lambda: jacobian(lambda z: 3.0, X), TypeError, "not float"),
    "string in output": (lambda: jacobian(lambda z: (z, "a"), X), TypeError, "entry 1 of the result .* not str"),
    "no function": (lambda: jacobian(X, X), TypeError, "the first argument is the function, not ndarray"),
    "list v": (lambda: vjp(square, X, [X]), TypeError, "v must be .* not list"),
    "float v": (lambda: jvp(square, X, 3.0), TypeError, "v must be .* not float"),
    # dtypes
    "integer input": (lambda: jacobian(square, np.array([1, 2])), RuntimeError, "input 0 has dtype int64"),
    "integer tensor": (lambda: vjp(square, torch.tensor([1, 2]), T), RuntimeError, "has dtype torch.int64"),
    "boolean input": (lambda: hvp(total, np.array([True]), X), RuntimeError, "has dtype bool"),
    "complex output": (lambda: jacobian(lambda z: z * 1j, X), RuntimeError, "output 0 is complex128.*real output"),
    "complex output, vectorized": (lambda: jacobian(lambda z: z * 1j, X, vectorize=True), RuntimeError, "real output"),
    "complex input, forward": (
        lambda: jacobian(np.real, X * 1j, vectorize=True, **FORWARD),
        RuntimeError,
        "forward-mode Jacobian needs a real input",
    ),
    "complex number": (lambda: hessian(lambda z: np.sum(z) * 1j, X), RuntimeError, "no single direction"),
    "complex v": (lambda: jvp(square, X, X * 1j), RuntimeError, "entry 0 of v is complex128, but input 0 is float64"),
    # options
    "strategy": (
        lambda: jacobian(square, X, strategy="both"),
        ValueError,
        "'reverse-mode' or 'forward-mode', not 'both'",
    ),
    "strategy of hessian": (lambda: hessian(total, X, outer_jacobian_strategy="both"), ValueError, "not 'both'"),
    "strict and vectorize": (
        lambda: jacobian(square, X, strict=True, vectorize=True),
        RuntimeError,
        "exclude each other",
    ),
    "forward and strict": (
        lambda: jacobian(square, X, strict=True, vectorize=True, **FORWARD),
        RuntimeError,
        "strict=True is not offered",
    ),
    "forward and create_graph": (
        lambda: jacobian(square, X, create_graph=True, vectorize=True, **FORWARD),
        NotImplementedError,
        "create_graph=True is not offered",
    ),
    "forward without vectorize": (lambda: jacobian(square, X, **FORWARD), NotImplementedError, "vectorize=True only"),
    "hessian forward without vectorize": (
        lambda: hessian(total, X, outer_jacobian_strategy="forward-mode"),
        NotImplementedError,
        "vectorize=True only",
    ),
    # strict
    "detached output": (
        lambda: jacobian(constant, X, strict=True),
        RuntimeError,
        "output 0 .* does not depend on its inputs",
    ),
    "independent output": (
        lambda: jacobian(lambda a, b: a * 2, (X, X), strict=True),
        RuntimeError,
        "output 0 of the function is independent of input 1",
    ),
    "constant jacobian": (
        lambda: jacobian(lambda z: z * 2, X, strict=True, create_graph=True),
        RuntimeError,
        "that of output 0 by input 0 is independent",
    ),
    "vjp detached": (lambda: vjp(constant, X, X, strict=True), RuntimeError, "does not depend on its inputs"),
    "vjp independent": (
        lambda: vjp(lambda a, b: a * 1, (X, X), X, strict=True),
        RuntimeError,
        "independent of input 1",
    ),
    "vjp constant": (
        lambda: vjp(lambda z: z * 2, X, X, strict=True, create_graph=True),
        RuntimeError,
        "vjp: the Jacobian is independent of the inputs",
    ),
    "jvp detached": (lambda: jvp(constant, X, X, strict=True), RuntimeError, "does not depend on its inputs"),
    "jvp independent": (
        lambda: jvp(lambda a, b: a * 1, (X, X), (X, X), strict=True),
        RuntimeError,
        "independent of input 1",
    ),
    "jvp constant": (
        lambda: jvp(lambda z: z * 2, X, X, strict=True, create_graph=True),
        RuntimeError,
        "jvp: the Jacobian is independent of the inputs",
    ),
    "hessian detached": (
        lambda: hessian(lambda z: np.ones(()), X, strict=True),
        RuntimeError,
        "does not depend on its inputs",
    ),
    "hessian linear": (lambda: hessian(np.sum, X, strict=True), RuntimeError, "the gradient by input 0 is independent"),
    "hessian independent": (
        lambda: hessian(lambda a, b: np.sum(a**3), (X, X), strict=True),
        RuntimeError,
        "independent of input 1",
    ),
    "vhp linear": (lambda: vhp(np.sum, X, X, strict=True), RuntimeError, "vhp: the gradient by input 0 is independent"),
    "hvp linear": (lambda: hvp(np.sum, X, X, strict=True), RuntimeError, "hvp: the gradient by input 0 is independent"),
    "hvp quadratic": (
        lambda: hvp(lambda z: np.sum(z**2), X, X, strict=True, create_graph=True),
        RuntimeError,
        "the Hessian is independent of input 0",
    ),
    # v
    "vjp without v": (
        lambda: vjp(square, X),
        RuntimeError,
        "v may be left out only if the function returns one tensor",
    ),
    "vjp of a tuple without v": (lambda: vjp(lambda z: (np.sum(z),), X), RuntimeError, "v may be left out"),
    "jvp without v": (lambda: jvp(square, X), RuntimeError, "v may be left out only if there is one input"),
    "vhp without v": (lambda: vhp(total, X), RuntimeError, "v may be left out"),
    "hvp of two without v": (lambda: hvp(lambda a, b: a[0] * b[0], (X[:1], X[:1])), RuntimeError, "v may be left out"),
    "v too long": (lambda: vjp(square, X, (X, X)), RuntimeError, "v has 2 entries, but there are 1 outputs"),
    "v wrong shape": (
        lambda: jvp(square, X, X[:1]),
        RuntimeError,
        r"entry 0 of v has shape \(1,\), but input 0 has shape \(2,\)",
    ),
    "hvp wrong shape": (lambda: hvp(total, X, X[:1]), RuntimeError, r"entry 0 of v has shape \(1,\)"),
    # one number
    "hessian of a vector": (
        lambda: hessian(square, X),
        RuntimeError,
        r"returned shape \(2,\); it must return one element",
    ),
    "hessian of a tuple": (lambda: hessian(lambda z: (np.sum(z),), X), RuntimeError, "returned a tuple"),
    "vhp of a vector": (lambda: vhp(square, X, X), RuntimeError, "it must return one element"),
    "hvp of a tuple": (lambda: hvp(lambda z: (np.sum(z),), X, X), RuntimeError, "returned a tuple"),
    # nested without create_graph: PyTorch gives zeros here
    "nested": (
        lambda: jacobian(lambda a: jacobian(square, a), X),
        RuntimeError,
        "tracked by an enclosing recording, but create_graph is False",
    ),
    "inside of a gradient": (
        lambda: wg.grad(lambda a: np.sum(jacobian(square, a)))(X),
        RuntimeError,
        "create_graph=True",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_misuse(case):
    call, builtin, text = CASES[case]
    with pytest.raises(builtin, match=text) as caught:
        call()
    assert isinstance(caught.value, WengertError)
    np.testing.assert_array_equal(jacobian(square, X), np.diag([2.0, 4.0]))  # the next call works


def test_a_nested_constant_can_be_asked_for():
    result = jacobian(lambda a: a * jacobian(total, a.numpy()), X)
    np.testing.assert_array_equal(result, np.diag([3.0, 12.0]))
