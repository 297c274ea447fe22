"""One test for each row of the table of what the transforms make of unusual arguments, named by its row.

The rows are those in which `torch.func` and JAX refuse, differ, or silently return something. Where a peer is silent (zeros
for an integer result, a broadcast cotangent, a dead wrapper) there is an error here, or the right number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import wengert as wg
from wengert import errors

X = np.array([1.0, 2.0])
total = lambda x: np.sum(x * x)
twice = lambda x: x * 2.0


def kept_from_inside(a):
    kept = []
    wg.grad(lambda x: (kept.append(x * x), x)[1])(a)
    return kept[0]


def written(x):
    buffer = np.zeros(2)
    buffer[0] = x[0]
    return np.sum(buffer)


# Row -> (what is called, the error and its text) or (what is called, the result).
ROWS: dict[str, tuple[Any, Any]] = {
    "non-scalar output to grad": (lambda: wg.grad(twice)(X), (errors.ShapeError, r"returned shape \(2,\)")),
    "non-scalar output to grad, shape (1,)": (lambda: wg.grad(lambda x: x[:1])(X), (errors.ShapeError, r"\(1,\)")),
    "int input": (lambda: wg.grad(lambda x: x**2)(3), 6.0),
    "int input, array": (lambda: wg.grad(total)(np.array([1, 2])), [2.0, 4.0]),
    "int scalar output": (lambda: wg.grad(lambda x: 3)(X), (errors.DtypeError, "returned int")),
    "bool scalar output": (lambda: wg.grad(lambda x: x[0] > 0)(X), (errors.DtypeError, "returned bool")),
    "int output to jacobian": (lambda: wg.jacobian(np.argmax)(X), (errors.DtypeError, "returned int64")),
    "complex output": (lambda: wg.grad(lambda x: 1j * x[0])(X), (errors.DtypeError, "not one direction")),
    "argnums of a wrong type, list": (lambda: wg.grad(total, [0])(X), (errors.StructureError, "int or a tuple of ints")),
    "argnums of a wrong type, float": (lambda: wg.grad(total, 0.0)(X), (errors.StructureError, "int or a tuple")),
    "an argument of a wrong type": (lambda: wg.grad(total)("text"), (errors.DtypeError, "no derivative")),
    "argnums out of range": (lambda: wg.grad(total, 1)(X), (errors.ArgumentError, "argnums has 1")),
    "argnums duplicates": (lambda: wg.jacobian(np.add, (0, 0))(X, X), (errors.ArgumentError, "twice")),
    "argnums duplicates, (0, -2)": (lambda: wg.jacobian(np.add, (0, -2))(X, X), (errors.ArgumentError, "twice")),
    "argnums=()": (lambda: wg.grad(total, ())(X), (errors.ArgumentError, "argnums is empty")),
    "negative argnums": (lambda: wg.grad(lambda a, b: np.sum(a * b), -1)(X, 3 * X), [1.0, 2.0]),
    "argnums int": (lambda: wg.grad(total, 0)(X), [2.0, 4.0]),
    "argnums (0,)": (lambda: wg.grad(total, (0,))(X)[0], [2.0, 4.0]),
    "a keyword-only differentiable argument": (
        lambda: wg.grad(total)(x=X),
        (errors.ArgumentError, "called with 0 positional arguments"),
    ),
    "has_aux but not a pair": (lambda: wg.grad(total, has_aux=True)(X), (errors.StructureError, r"pair \(result, aux\)")),
    "aux with Python leaves": (lambda: wg.grad(lambda x: (total(x), 7), has_aux=True)(X)[1], 7),
    "output None": (lambda: wg.grad(lambda x: None)(X), (errors.StructureError, "returned None")),
    "output ()": (lambda: wg.grad(lambda x: ())(X), (errors.StructureError, "returned tuple")),
    "output a Python scalar": (lambda: wg.grad(lambda x: 2.5)(X), [0.0, 0.0]),
    "cotangent structure mismatch": (lambda: wg.vjp(twice, X)[1]((X, X)), (errors.StructureError, "structure")),
    "cotangent shape mismatch": (lambda: wg.vjp(twice, X)[1](np.ones(3)), (errors.ShapeError, r"shape \(3,\)")),
    "cotangent shape that broadcasts": (lambda: wg.vjp(twice, X)[1](np.ones(1)), (errors.ShapeError, r"shape \(1,\)")),
    "cotangent dtype mismatch, complex": (lambda: wg.vjp(twice, X)[1](1j * X), (errors.DtypeError, "complex128")),
    "cotangent dtype mismatch, float32": (lambda: wg.vjp(twice, X)[1](np.ones(2, np.float32))[0], [2.0, 2.0]),
    "jvp tangent: structure": (lambda: wg.jvp(twice, (X,), ({"a": X},)), (errors.StructureError, "structure")),
    "jvp tangent: shape": (lambda: wg.jvp(twice, (X,), (np.ones(3),)), (errors.ShapeError, r"shape \(3,\)")),
    "jvp tangent: dtype": (lambda: wg.jvp(twice, (X,), (1j * X,)), (errors.DtypeError, "complex128")),
    "jvp of an int primal": (lambda: wg.jvp(np.sin, (0,), (1,))[1], 1.0),
    "jvp primals not a tuple": (lambda: wg.jvp(twice, X, X), (errors.StructureError, "tuples or lists, not ndarray")),
    "jvp primals empty": (lambda: wg.jvp(twice, (), ()), (errors.StructureError, "0 primals")),
    "jvp of a leaf that is no array": (lambda: wg.jvp(twice, ("a",), (1.0,)), (errors.DtypeError, "no derivative")),
    "output independent of input": (lambda: wg.grad(lambda x: 3.0)(X), [0.0, 0.0]),
    "output independent of input, strict": (
        lambda: wg.functional.jvp(lambda x: np.ones(2), X, X, strict=True),
        (errors.NotConnected, "strict"),
    ),
    "None in a structure": (lambda: wg.grad(lambda p: p["a"] * 2)({"a": 1.0, "b": None})["b"], None),
    "capture mutated in place, plain array": (lambda: wg.grad(written)(X), (errors.TraceLost, "float")),
    "wrapper escapes, used outside": (lambda: kept_from_inside(3.0) + 1, 10.0),
    "wrapper escapes, used in an outer derivative": (lambda: wg.grad(kept_from_inside)(3.0), 6.0),
    "float(x) in grad": (lambda: wg.grad(lambda x: float(x) * x)(3.0), (errors.TraceLost, r"float\(\)")),
    "item() in grad": (lambda: wg.grad(lambda x: x.item() * x)(3.0), (errors.TraceLost, r"item\(\)")),
    "if x > 0 in grad": (lambda: wg.grad(lambda x: x if x > 0 else -x)(-3.0), -1.0),
    "np.sin of a tracked value": (lambda: wg.grad(np.sin)(0.0), 1.0),
    "boolean-mask indexing under grad": (lambda: wg.grad(lambda x: np.sum(x[x > 1]))(X), [0.0, 1.0]),
    "out-of-bounds read x[5]": (lambda: wg.grad(lambda x: x[5])(X), (IndexError, "out of bounds")),
    "empty Jacobian, no output": (lambda: wg.jacobian(lambda x: x[:0])(X), np.zeros((0, 2))),
    "empty Jacobian, no input": (lambda: wg.jacobian(twice)(X[:0]), np.zeros((0, 0))),
    "vmap: no arguments": (lambda: wg.vmap(twice)(), (errors.ArgumentError, "without positional arguments")),
    "vmap: size mismatch": (lambda: wg.vmap(np.add)(X, np.ones(3)), (errors.ShapeError, "differ in length")),
    "vmap: dim out of range": (lambda: wg.vmap(twice, in_axes=1)(X), (errors.ArgumentError, "in_axes has 1")),
    "vmap: wrong tuple length": (lambda: wg.vmap(twice, in_axes=(0, 0))(X), (errors.ArgumentError, "2 entries")),
    "vmap: in_axes a list": (lambda: wg.vmap(np.add, in_axes=[0, None])(X, 1.0), [2.0, 3.0]),
    "vmap: all None": (lambda: wg.vmap(twice, in_axes=None)(X), (errors.ArgumentError, "is None")),
    "vmap: non-array argument with an axis": (
        lambda: wg.vmap(lambda x: 1.0)(object()),
        (errors.StructureError, "no axis to map over"),
    ),
    "vmap: out_axes None with a batched output": (
        lambda: wg.vmap(twice, out_axes=None)(X),
        (errors.ArgumentError, "differs between samples"),
    ),
    "vmap: non-array outputs": (lambda: wg.vmap(lambda x: "a")(X), (errors.StructureError, "returned str")),
    "vmap: unbatched outputs": (lambda: wg.vmap(lambda x: 7.0)(X), [7.0, 7.0]),
    "vmap: item()": (lambda: wg.vmap(lambda x: x.item())(X), (errors.AbstractValue, r"item\(\)")),
    "vmap: a data-dependent if": (
        lambda: wg.vmap(lambda x: x if x > 0 else -x)(X),
        (errors.AbstractValue, r"test_validation_table(?s:.)*np\.where.*wengert\.cond"),
    ),
    "vmap: nonzero": (lambda: wg.vmap(np.nonzero)(X[None]), (errors.AbstractValue, "value")),
    "vmap: chunk_size 0": (lambda: wg.vmap(twice, chunk_size=0), (errors.ArgumentError, "positive int or None, not 0")),
    "vmap: a batch of length zero": (lambda: wg.vmap(twice)(X[:0]), np.zeros(0)),
    "vmap: keyword arguments": (lambda: wg.vmap(lambda x, k: x * k)(X, k=3.0), [3.0, 6.0]),
    "unknown mode": (lambda: wg.jacobian(twice, mode="rev"), (errors.ArgumentError, "'auto', 'forward' or 'reverse'")),
}


@pytest.mark.parametrize("row", ROWS)
def test_row(row):
    call, expected = ROWS[row]
    if isinstance(expected, tuple):
        kind, text = expected
        with pytest.raises(kind, match=text):
            call()
        return
    found = call()
    if expected is None:
        assert found is None
    else:
        np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-14)
        assert np.shape(found) == np.shape(expected)


def test_a_sample_written_into_a_tensor_of_all_samples():
    """It would be one value for many samples: the tensor cannot be used outside."""
    shared = wg.Tensor(np.zeros(2))
    wg.vmap(lambda x: shared.__setitem__(0, x) or x)(X)
    with pytest.raises(errors.AbstractValue, match="has escaped"):
        shared + 1
