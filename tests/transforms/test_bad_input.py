"""What the transforms say to arguments, functions and rules that are wrong: a typed error with a matching text each."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize

import wengert as wg
from wengert import errors

X = np.array([1.0, 2.0])
total = lambda x: np.sum(x * x)
same = lambda x: x * 1.0


def vjp_of(cotangent, f=same, x=X):
    return wg.vjp(f, x)[1](cotangent)


class Opaque:
    pass


def leak():
    kept = []
    wg.vmap(lambda x: kept.append(x) or x)(X)
    return kept[0]


def rule(function=np.sin, **rules):
    return wg.custom_rule(function, **rules)


def custom_vjp_without_rule():
    return wg.grad(lambda x: np.sum(wg.custom_vjp(np.sin)(x)))(X)


def bad_custom_vjp(backward):
    f = wg.custom_vjp(np.sin)
    f.defvjp(lambda x: (np.sin(x), x), backward)
    return wg.grad(lambda x: np.sum(f(x)))(X)


def bad_custom_jvp(jvp):
    f = wg.custom_jvp(np.sin)
    f.defjvp(jvp)
    return wg.jacfwd(f)(X)


def in_vmap(f, *args, **options):
    return wg.vmap(f, **options)(*args)


def gradient(f, x=X):
    return wg.grad(f)(x)


CASES = {
    # what is differentiated
    "grad of a vector": (lambda: wg.grad(same)(X), errors.ShapeError, r"returned shape \(2,\)"),
    "grad of shape (1,)": (lambda: wg.grad(lambda x: x[:1])(X), errors.ShapeError, r"returned shape \(1,\)"),
    "grad of an integer": (lambda: wg.grad(lambda x: 3)(X), errors.DtypeError, "returned int"),
    "grad of a truth value": (lambda: wg.grad(lambda x: x[0] > 0)(X), errors.DtypeError, "returned bool"),
    "grad of a complex number": (lambda: wg.grad(lambda x: 1j * x[0])(X), errors.DtypeError, "not one direction"),
    "grad of nothing": (lambda: wg.grad(lambda x: None)(X), errors.StructureError, "returned"),
    "grad of ()": (lambda: wg.grad(lambda x: ())(X), errors.StructureError, "returned"),
    "grad of a string": (lambda: wg.grad(lambda x: "no")(X), errors.StructureError, "returned str"),
    "grad by a string": (lambda: wg.grad(total)("no"), errors.DtypeError, "no derivative"),
    "grad by a truth value": (lambda: wg.grad(total)(True), errors.DtypeError, "bool"),
    "not a function": (lambda: wg.grad(3.0), errors.StructureError, "first argument is the function"),
    "jacobian of integers": (lambda: wg.jacobian(lambda x: np.array([1, 2]))(X), errors.DtypeError, "returned int64"),
    "jacobian of an index": (lambda: wg.jacobian(np.argmax)(X), errors.DtypeError, "returned int64"),
    "jacobian of nothing": (lambda: wg.jacobian(lambda x: ())(X), errors.StructureError, "returned nothing"),
    "hessian of integers": (lambda: wg.hessian(lambda x: 3)(X), errors.DtypeError, "returned int"),
    "hessian_diag of a vector": (lambda: wg.hessian_diag(same)(X), errors.ShapeError, r"shape \(2,\)"),
    "laplacian of a vector": (lambda: wg.laplacian(same)(X), errors.ShapeError, r"shape \(2,\)"),
    # argnums
    "argnums a list": (lambda: wg.grad(total, [0])(X), errors.StructureError, "int or a tuple of ints"),
    "argnums a float": (lambda: wg.grad(total, 0.0)(X), errors.StructureError, "int or a tuple of ints"),
    "argnums a bool": (lambda: wg.grad(total, True)(X), errors.StructureError, "int or a tuple of ints"),
    "argnums out of range": (lambda: wg.grad(total, 1)(X), errors.ArgumentError, "argnums has 1"),
    "argnums too negative": (lambda: wg.grad(total, -2)(X), errors.ArgumentError, "argnums has -2"),
    "argnums twice": (lambda: wg.jacobian(np.add, (0, -2))(X, X), errors.ArgumentError, "names an argument twice"),
    "argnums empty": (lambda: wg.grad(total, ())(X), errors.ArgumentError, "argnums is empty"),
    # options
    "unknown mode": (lambda: wg.jacobian(same, mode="both"), errors.ArgumentError, "'auto', 'forward' or 'reverse'"),
    "unknown mode of hessian": (lambda: wg.hessian(total, mode=1), errors.ArgumentError, "not 1"),
    "chunk_size 0": (lambda: wg.jacrev(same, chunk_size=0), errors.ArgumentError, "positive int or None"),
    "chunk_size a float": (lambda: wg.jacfwd(same, chunk_size=1.5), errors.ArgumentError, "positive int or None"),
    "has_aux without a pair": (
        lambda: wg.grad(total, has_aux=True)(X),
        errors.StructureError,
        r"returns a pair \(result, aux\)",
    ),
    "as_matrix of several outputs' hessian": (
        lambda: wg.hessian(same, as_matrix=True)(X),
        errors.ShapeError,
        "one output number",
    ),
    "an unknown part": (
        lambda: wg.jacobian(lambda p: p["a"], as_matrix=True)({"a": X})["b", "a"],
        errors.ArgumentError,
        "has no part 'b'",
    ),
    "a matrix by one label": (
        lambda: wg.jacobian(lambda p: p, as_matrix=True)({"a": X})["a"],
        errors.ArgumentError,
        "a row part and a column part",
    ),
    "labels that were lost": (
        lambda: (wg.jacobian(lambda p: p, as_matrix=True)({"a": np.ones(3)}).T @ np.ones((3, 1)))["a", "a"],
        errors.ArgumentError,
        "no labels",
    ),
    # cotangents and tangents
    "cotangent's shape": (lambda: vjp_of(np.ones(3)), errors.ShapeError, r"cotangent 0 has shape \(3,\)"),
    "cotangent that broadcasts": (lambda: vjp_of(np.ones(1)), errors.ShapeError, r"shape \(1,\)"),
    "cotangent's dtype": (lambda: vjp_of(1j * X), errors.DtypeError, "complex128"),
    "cotangent's structure": (lambda: vjp_of((X, X)), errors.StructureError, "structure"),
    "vjp of nothing": (lambda: wg.vjp(total), errors.ArgumentError, "nothing to differentiate by"),
    "tangent's shape": (lambda: wg.jvp(same, (X,), (np.ones(3),)), errors.ShapeError, r"tangent 0 has shape \(3,\)"),
    "tangent's dtype": (lambda: wg.jvp(same, (X,), (1j * X,)), errors.DtypeError, "complex128"),
    "primals not a tuple": (lambda: wg.jvp(same, X, X), errors.StructureError, "tuples or lists, not ndarray"),
    "no primals": (lambda: wg.jvp(same, (), ()), errors.StructureError, "0 primals"),
    "fewer tangents": (lambda: wg.jvp(np.add, (X, X), (X,)), errors.StructureError, "2 primals but 1 tangents"),
    "tangents' structure": (
        lambda: wg.jvp(lambda p: p["a"], ({"a": X},), ({"b": X},)),
        errors.StructureError,
        "structure of the primals",
    ),
    "linearize without primals": (lambda: wg.linearize(total), errors.ArgumentError, "nothing to differentiate by"),
    "linearize's tangent count": (lambda: wg.linearize(same, X)[1](X, X), errors.StructureError, "has 1 arguments"),
    "linearize's tangent shape": (lambda: wg.linearize(same, X)[1](1.0), errors.ShapeError, r"tangent 0 has shape \(\)"),
    "hvp's direction": (lambda: wg.hvp(total, (X,), (1.0,)), errors.ShapeError, r"tangent 0 has shape \(\)"),
    "hvp of a vector": (lambda: wg.hvp(same, (X,), (X,)), errors.ShapeError, r"returned shape \(2,\)"),
    "hvp without tuples": (lambda: wg.hvp(total, X, X), errors.StructureError, "tuples or lists"),
    "vhp's direction": (lambda: wg.vhp(total, (X,), (np.ones(3),)), errors.ShapeError, "cotangent 0"),
    "vhp's count": (lambda: wg.vhp(total, (X,), ()), errors.StructureError, "1 primals but 0 cotangents"),
    "gauss_newton of integers": (
        lambda: wg.gauss_newton_product(np.argmax, (X,), (X,)),
        errors.DtypeError,
        "returned integers",
    ),
    # linear_transpose
    "transpose of a square": (lambda: wg.linear_transpose(lambda x: x * x, X), errors.ArgumentError, "depends on the"),
    "transpose of x + 1": (lambda: wg.linear_transpose(lambda x: x + 1, X), errors.ArgumentError, "not zero at zero"),
    "transpose of sign": (lambda: wg.linear_transpose(np.sign, X), errors.ArgumentError, "it applies sign"),
    "transpose without arguments": (lambda: wg.linear_transpose(same), errors.ArgumentError, "no argument"),
    "transpose's cotangent": (
        lambda: wg.linear_transpose(same, X)(np.ones(3)),
        errors.ShapeError,
        r"cotangent 0 has shape \(3,\)",
    ),
    "transpose's structure": (lambda: wg.linear_transpose(same, X)((X, X)), errors.StructureError, "structure"),
    "transpose of a branch": (
        lambda: wg.linear_transpose(lambda x: x if x[0] > 0 else -x, X),
        errors.AbstractValue,
        "truth value",
    ),
    # vmap
    "vmap of no function": (lambda: wg.vmap(3), errors.StructureError, "first argument is the function"),
    "vmap without arguments": (lambda: wg.vmap(same)(), errors.ArgumentError, "without positional arguments"),
    "sizes that differ": (lambda: in_vmap(np.add, X, np.ones(3)), errors.ShapeError, "argument 0 has 2 .* 1 has 3"),
    "axis out of range": (lambda: in_vmap(same, X, in_axes=1), errors.ArgumentError, "in_axes has 1 for argument 0"),
    "axis of a scalar": (lambda: in_vmap(same, 1.0), errors.ArgumentError, r"whose shape is \(\)"),
    "axis of an object": (lambda: in_vmap(same, Opaque()), errors.StructureError, "has no axis to map over"),
    "in_axes' count": (lambda: in_vmap(same, X, in_axes=(0, 0)), errors.ArgumentError, "2 entries, .* 1 arguments"),
    "in_axes' type": (lambda: in_vmap(same, X, in_axes="0"), errors.StructureError, "an int, None or a nesting"),
    "in_axes all None": (lambda: in_vmap(same, X, in_axes=None), errors.ArgumentError, "every entry of in_axes is None"),
    "in_axes too deep": (lambda: in_vmap(same, X, in_axes=((0,),)), errors.ArgumentError, "nested deeper"),
    "in_axes of a wrong key": (
        lambda: in_vmap(lambda d: d["a"], {"a": X}, in_axes=({"b": 0},)),
        errors.ArgumentError,
        r"keys \['b'\]",
    ),
    "in_axes of a wrong length": (
        lambda: in_vmap(lambda d: d[0], (X, X), in_axes=((0,),)),
        errors.ArgumentError,
        "1 entries for 2 values",
    ),
    "out_axes out of range": (
        lambda: in_vmap(same, X, out_axes=1),
        errors.ArgumentError,
        "out_axes has 1 for a result of shape",
    ),
    "out_axes None": (lambda: in_vmap(same, X, out_axes=None), errors.ArgumentError, "differs between samples"),
    "out_axes nested": (lambda: in_vmap(same, X, out_axes=(0, 0)), errors.ArgumentError, "nested deeper"),
    "vmap's chunk_size": (lambda: wg.vmap(same, chunk_size=0), errors.ArgumentError, "positive int or None, not 0"),
    "vmap's chunk_size type": (lambda: wg.vmap(same, chunk_size=True), errors.StructureError, "positive int or None"),
    "vmap of a string": (lambda: in_vmap(lambda x: "no", X), errors.StructureError, "returned str"),
    "a branch in vmap": (lambda: in_vmap(lambda x: x if x > 0 else -x, X), errors.AbstractValue, "wengert.cond"),
    "a float in vmap": (lambda: in_vmap(lambda x: float(x), X), errors.AbstractValue, r"float\(\) needs the value"),
    "an item in vmap": (lambda: in_vmap(lambda x: x.item(), X), errors.AbstractValue, r"item\(\) needs the value"),
    "a mask in vmap": (lambda: in_vmap(lambda x: x[x > 0], X[None]), errors.AbstractValue, "needs the value"),
    "nonzero in vmap": (lambda: in_vmap(lambda x: np.nonzero(x)[0], X[None]), errors.AbstractValue, "value"),
    "an index in vmap": (lambda: in_vmap(lambda i: X[int(i)], np.array([0, 1])), errors.AbstractValue, "numpy.take"),
    "an escaped tensor": (lambda: in_vmap(lambda x: x + leak(), X), errors.AbstractValue, "has escaped"),
    "an escaped tensor outside": (lambda: leak() + 1, errors.AbstractValue, "has escaped"),
    "an escaped tensor in grad": (lambda: gradient(lambda x: np.sum(x * leak())), errors.AbstractValue, "has escaped"),
    "an escaped tensor as a number": (lambda: float(leak()), errors.AbstractValue, "needs the value"),
    # control flow
    "cond's predicate shape": (lambda: wg.cond(X > 0, same, same, X), errors.ShapeError, "one truth value"),
    "cond's predicate dtype": (lambda: wg.cond(1.5, same, same, X), errors.DtypeError, "not a truth value"),
    "branches' shapes": (
        lambda: in_vmap(lambda x: wg.cond(x > 0, lambda x: x, lambda x: np.stack([x, x]), x), X),
        errors.ShapeError,
        "different shapes",
    ),
    "branches' structures": (
        lambda: in_vmap(lambda x: wg.cond(x > 0, lambda x: x, lambda x: (x, x), x), X),
        errors.StructureError,
        "different structures",
    ),
    "an operand that is no array": (
        lambda: in_vmap(lambda x: wg.cond(x > 0, lambda x, o: x, lambda x, o: x, x, Opaque()), X),
        errors.StructureError,
        "operand 1 has a Opaque",
    ),
    "switch without functions": (lambda: wg.switch(0, []), errors.ArgumentError, "no function to choose"),
    "switch by a float": (lambda: wg.switch(0.5, [same], X), errors.DtypeError, "one integer"),
    "scan without length": (lambda: wg.scan(lambda s, x: (s, x), 0.0), errors.ArgumentError, "how many steps"),
    "scan's lengths": (
        lambda: wg.scan(lambda s, x: (s, None), 0.0, (X, np.ones(3))),
        errors.ShapeError,
        r"disagree on the number of steps: \[2, 3\]",
    ),
    "scan's length": (lambda: wg.scan(lambda s, x: (s, x), 0.0, length=-1), errors.ArgumentError, "not -1"),
    "scan over a scalar": (lambda: wg.scan(lambda s, x: (s, x), 0.0, 1.0), errors.ShapeError, "no rows"),
    "scan's body": (lambda: wg.scan(lambda s, x: s, 0.0, X), errors.StructureError, r"pair \(state, y\)"),
    "scan's state shape": (
        lambda: wg.scan(lambda s, x: (np.stack([s, s]), None), 0.0, X),
        errors.ShapeError,
        "before a step",
    ),
    "scan's state shape, recorded": (
        lambda: gradient(lambda x: np.sum(wg.scan(lambda s, r: (np.stack([s, s]), None), x[0], X)[0])),
        errors.ShapeError,
        "before a step",
    ),
    "scan's state structure": (
        lambda: wg.scan(lambda s, x: ((s, s), None), 0.0, X),
        errors.StructureError,
        "changes its structure",
    ),
    "scan's state is no array": (lambda: wg.scan(lambda s, x: (s, x), "no", X), errors.StructureError, "has a str"),
    "scan's checkpoint": (
        lambda: wg.scan(lambda s, x: (s, x), 0.0, X, checkpoint=0.5),
        errors.ArgumentError,
        "True, False or a number of states",
    ),
    "a branch in a checkpointed scan": (
        lambda: gradient(
            lambda x: wg.scan(lambda s, r: (s * r if s > 0 else s, None), x[0], X, checkpoint=True)[0]
        ),
        errors.AbstractValue,
        "truth value",
    ),
    "while's condition": (
        lambda: wg.while_loop(lambda x: x < 3, lambda x: x + 1, X),
        errors.ShapeError,
        r"shape \(2,\), but the loop",
    ),
    "while's condition, recorded": (
        lambda: gradient(lambda x: np.sum(wg.while_loop(lambda s: s < 3, lambda s: s + 1, x))),
        errors.ShapeError,
        r"shape \(2,\), but the loop",
    ),
    "while's condition dtype": (
        lambda: wg.while_loop(lambda x: 1.0 * x, lambda x: x + 1, 0.0),
        errors.DtypeError,
        "not a truth value",
    ),
    "fori's bounds": (lambda: wg.fori_loop(0, 2.5, lambda i, s: s, 0.0), errors.DtypeError, "bounds are integers"),
    # memory
    "checkpoint of no function": (lambda: wg.checkpoint(X), errors.StructureError, "first argument is the function"),
    "a branch on a closure": (
        lambda: gradient(lambda w: np.sum(wg.checkpoint(lambda x: x * w if x[0] > 0 else x)(X * w))),
        errors.ArgumentError,
        "not an argument",
    ),
    "checkpointed_scan of no step": (lambda: wg.checkpointed_scan(3, 3), errors.StructureError, "is the step"),
    "checkpointed_scan's n": (lambda: wg.checkpointed_scan(same, -1), errors.ArgumentError, "number of steps, not -1"),
    "checkpointed_scan's budget": (lambda: wg.checkpointed_scan(same, 1, 0), errors.ArgumentError, "number of bytes"),
    "a budget that is too small": (
        lambda: gradient(lambda x: np.sum(wg.checkpointed_scan(lambda i, s: s * 2, 5, 10)(x))),
        errors.ArgumentError,
        "does not hold one state",
    ),
    # custom rules
    "custom_rule of no function": (lambda: wg.custom_rule(3), errors.StructureError, "first argument is the function"),
    "a rule that is no function": (lambda: rule(jvp=3), errors.StructureError, "jvp is a function or None"),
    "a rule given later": (lambda: rule().vjp(3), errors.StructureError, "vjp is a function"),
    "an argument that is no array": (lambda: rule()("no"), errors.StructureError, "argument 0 is a str"),
    "too many cotangents": (
        lambda: gradient(lambda x: np.sum(rule(vjp=lambda c, o, x: (c, c))(x))),
        errors.ArgumentError,
        "2 cotangents for 1 arguments",
    ),
    "a cotangent's shape": (
        lambda: gradient(lambda x: np.sum(rule(vjp=lambda c, o, x: (c[:1],))(x))),
        errors.ShapeError,
        r"cotangent 0 has shape \(1,\), but the argument it belongs to has shape \(2,\)",
    ),
    "a cotangent's dtype": (
        lambda: gradient(lambda x: np.sum(rule(vjp=lambda c, o, x: (c * 1j,))(x))),
        errors.DtypeError,
        "complex128, but the argument",
    ),
    "a cotangent's structure": (
        lambda: gradient(
            lambda x: np.sum(rule(lambda p: p["a"] * p["b"], vjp=lambda c, o, p: (c,))({"a": x, "b": x}))
        ),
        errors.StructureError,
        "does not have the structure",
    ),
    "a tangent's shape": (
        lambda: wg.jacfwd(rule(jvp=lambda t, o, x: t[0][:1]))(X),
        errors.ShapeError,
        "tangent has shape",
    ),
    "a rule's closure": (
        lambda: gradient(lambda w: np.sum(rule(lambda x: x * w)(X))),
        errors.ArgumentError,
        "reads a tracked tensor that is not an argument",
    ),
    "a rule's closure with a tensor": (
        lambda: gradient(lambda w: np.sum(rule(lambda x: x * w)(2 * w))),
        errors.ArgumentError,
        "reads a tracked tensor that is not an argument",
    ),
    "a rule's closure in vmap": (
        lambda: in_vmap(lambda w: rule(lambda x: x * w)(2 * w), X),
        errors.ArgumentError,
        "reads a tracked tensor that is not an argument",
    ),
    "a rule's result": (lambda: gradient(lambda x: rule(lambda x: "no")(x)), errors.StructureError, "returned str"),
    "a rule without result": (lambda: gradient(lambda x: rule(lambda x: None)(x)), errors.StructureError, "returned nothing"),
    "a rule that needs values": (
        lambda: in_vmap(rule(lambda x: np.float64(float(x))), X),
        errors.AbstractValue,
        "shape of the result cannot be learnt",
    ),
    "a vjp that leaves NumPy": (
        lambda: wg.jacfwd(rule(vjp=lambda c, o, x: (np.array([float(v) for v in c]),)))(X),
        errors.TraceLost,
        "forward mode needs the transpose of the vjp",
    ),
    "a jvp that leaves NumPy": (
        lambda: wg.jacrev(rule(jvp=lambda t, o, x: np.array([float(v) for v in t[0]])))(X),
        errors.TraceLost,
        "reverse mode needs the transpose of the jvp",
    ),
    "a batch rule's shape": (
        lambda: in_vmap(rule(batch=lambda size, batched, x: x[:1]), X),
        errors.ShapeError,
        "batch rule returned shape",
    ),
    "a wrong vjp": (
        lambda: rule(vjp=lambda c, o, x: (c * np.sin(x),), verify=(X,)),
        errors.WrongDerivative,
        "the vjp gives",
    ),
    "a wrong jvp": (
        lambda: rule(jvp=lambda t, o, x: -t[0] * np.cos(x), verify=(X,)),
        errors.WrongDerivative,
        "the jvp gives",
    ),
    "a vjp that is slightly wrong": (
        lambda: rule(jvp=lambda t, o, x: t[0] * np.cos(x), vjp=lambda c, o, x: (1.0001 * c * np.cos(x),), verify=(X,)),
        errors.WrongDerivative,
        "the vjp gives",
    ),
    "a small vjp that is wrong": (
        lambda: rule(lambda x: 1e-9 * np.sin(x), vjp=lambda c, o, x: (1.1e-9 * c * np.cos(x),), verify=(X,)),
        errors.WrongDerivative,
        "the vjp gives",
    ),
    "a wrong batch rule": (
        lambda: rule(batch=lambda size, batched, x: np.cos(x), verify=(X,)),
        errors.WrongDerivative,
        "the batch rule gives .* where the function gives",
    ),
    "a pattern that misses an entry": (
        lambda: rule(lambda x: x[::-1] * 2, pattern=lambda shape: (np.eye(2, dtype=bool),), verify=(X,)),
        errors.WrongDerivative,
        r"the pattern has no entry \(0, 1\) for argument 0, but the derivative there is 2",
    ),
    "a vjp that forgets to return": (
        lambda: gradient(lambda x: np.sum(rule(vjp=lambda c, o, x: None)(x))),
        errors.StructureError,
        "the vjp returned None",
    ),
    "a jvp that forgets to return": (
        lambda: wg.jacfwd(rule(jvp=lambda t, o, x: None))(X),
        errors.StructureError,
        "the jvp returned None",
    ),
    "a jvp that is not linear": (
        lambda: gradient(lambda x: np.sum(rule(jvp=lambda t, o, x: t[0] ** 2)(x))),
        errors.ArgumentError,
        "the jvp is not linear in the tangents",
    ),
    "a jvp that is affine": (
        lambda: gradient(lambda x: np.sum(rule(jvp=lambda t, o, x: np.abs(t[0]) + t[0])(x))),
        errors.ArgumentError,
        "the jvp is not linear in the tangents",
    ),
    "a vjp that is not linear": (
        lambda: wg.jacfwd(rule(vjp=lambda c, o, x: (np.abs(c),)))(X),
        errors.ArgumentError,
        "the vjp is not linear in the cotangent",
    ),
    "a vjp that differs from the jvp": (
        lambda: rule(
            jvp=lambda t, o, x: t[0] * np.cos(x), vjp=lambda c, o, x: (2 * c * np.cos(x),), verify=(X,)
        ),
        errors.WrongDerivative,
        "the vjp gives",
    ),
    "a forward pass without vjp": (
        lambda: wg.differentiation.custom.CustomRule(np.sin, forward=np.sin),
        errors.ArgumentError,
        "there is no vjp",
    ),
    "custom_gradient of a value": (
        lambda: gradient(lambda x: np.sum(wg.custom_gradient(np.sin)(x))),
        errors.StructureError,
        r"a pair \(value, gradient function\)",
    ),
    "custom_gradient's count": (
        lambda: gradient(lambda x: np.sum(wg.custom_gradient(lambda x: (x, lambda u: (u, u)))(x))),
        errors.ArgumentError,
        "1 inputs, .* 2 gradients",
    ),
    "custom_gradient's shape": (
        lambda: gradient(lambda x: np.sum(wg.custom_gradient(lambda x: (x, lambda u: np.ones(5)))(x))),
        errors.ShapeError,
        r"shape \(5,\)",
    ),
    "custom_gradient of no function": (lambda: wg.custom_gradient(1), errors.StructureError, "is the function"),
    "custom_vjp without rule": (custom_vjp_without_rule, errors.StructureError, "has no rule yet"),
    "custom_vjp's forward": (
        lambda: gradient(lambda x: np.sum(wg.differentiation.custom.CustomRule(np.sin, forward=np.sin, vjp=same)(x))),
        errors.StructureError,
        r"a pair \(result, saved values\)",
    ),
    "custom_vjp's backward": (lambda: bad_custom_vjp(lambda x, c: c), errors.StructureError, "must return a tuple"),
    "custom_vjp's count": (lambda: bad_custom_vjp(lambda x, c: (c, c)), errors.ArgumentError, "2 cotangents"),
    "custom_vjp's shape": (lambda: bad_custom_vjp(lambda x, c: (c[:1],)), errors.ShapeError, r"shape \(1,\)"),
    "custom_vjp's nondiff_argnums": (
        lambda: wg.custom_vjp(np.sin, (1,))(X),
        errors.ArgumentError,
        "nondiff_argnums has 1",
    ),
    "custom_jvp without rule": (lambda: wg.custom_jvp(np.sin)(X), errors.StructureError, "has no rule yet"),
    "custom_jvp's pair": (lambda: bad_custom_jvp(lambda p, t: t[0]), errors.StructureError, "a pair"),
    "custom_jvp's shape": (lambda: bad_custom_jvp(lambda p, t: (p[0], t[0][:1])), errors.ShapeError, "tangent has"),
    "defjvps' count": (
        lambda: (lambda f: (f.defjvps(None, None), wg.jacfwd(f)(X)))(wg.custom_jvp(np.sin)),
        errors.ArgumentError,
        "2 rules for 1 arguments",
    ),
    "straight_through a reduction": (
        lambda: gradient(lambda x: wg.straight_through(np.sum)(x)),
        errors.StructureError,
        "keeps the shape",
    ),
    "straight_through no function": (lambda: wg.straight_through(1), errors.StructureError, "is the function"),
    # Taylor
    "a negative order": (lambda: wg.derivatives(np.sin, 0.0, -1), errors.ArgumentError, "non-negative int"),
    "an order of 1.5": (lambda: wg.derivatives(np.sin, 0.0, 1.5), errors.ArgumentError, "non-negative int"),
    "jet's primals": (lambda: wg.jet(np.sin, 0.0, [1.0]), errors.StructureError, "tuples of equal length"),
    "jet's count": (lambda: wg.jet(np.sin, (0.0,), ([1.0], [1.0])), errors.StructureError, "equal length"),
    "jet of nothing": (lambda: wg.jet(np.sin, (), ()), errors.StructureError, "no primal"),
    "a ragged series": (
        lambda: wg.jet(np.add, (0.0, 0.0), ([1.0], [1.0, 0.0])),
        errors.ShapeError,
        "same length",
    ),
    "a series' shape": (lambda: wg.jet(np.sin, (X,), ([1.0],)), errors.ShapeError, r"term 0 of series 0"),
    "a series' structure": (
        lambda: wg.jet(lambda p: p["a"], ({"a": X},), ([X],)),
        errors.StructureError,
        "structure of the primals",
    ),
    # implicit differentiation
    "a singular root": (
        lambda: gradient(lambda a: wg.custom_root(lambda x: (x - a) ** 2, 1.0, lambda f, x: np.asarray(1.0)), 1.0),
        errors.Degenerate,
        "singular",
    ),
    "fewer equations than unknowns": (
        lambda: gradient(lambda a: np.sum(wg.custom_root(lambda x: x[:1] - a[0], X, lambda f, x: x))),
        errors.ShapeError,
        "2 unknowns but 1 equations",
    ),
    "a solver's structure": (
        lambda: gradient(lambda a: wg.custom_root(lambda x: x - a, 1.0, lambda f, x: (x, x)), 1.0),
        errors.StructureError,
        "structure of the starting point",
    ),
    "a solver's shape": (
        lambda: gradient(lambda a: wg.custom_root(lambda x: x - a, 1.0, lambda f, x: X), 1.0),
        errors.ShapeError,
        r"returned shape \(2,\)",
    ),
    "an iteration that does not settle": (
        lambda: wg.fixed_point(lambda x: 2 * x + 1, 1.0),
        errors.NoConvergence,
        "after 1000 steps",
    ),
    "a fixed point's structure": (
        lambda: wg.fixed_point(lambda x: (x, x), 1.0),
        errors.StructureError,
        "structure of its argument",
    ),
    "no transposed solver": (
        lambda: gradient(lambda b: np.sum(wg.custom_linear_solve(same, b, lambda m, b: b))),
        errors.StructureError,
        "transpose_solve",
    ),
    "a product that branches": (
        lambda: gradient(lambda b: np.sum(wg.custom_linear_solve(lambda x: x if x[0] > 0 else x, b, same, same))),
        errors.ArgumentError,
        "branches on values",
    ),
    "a product's structure": (
        lambda: wg.custom_linear_solve(lambda x: (x, x), X, lambda m, b: b),
        errors.StructureError,
        "structure of b",
    ),
    "a product that is no function": (lambda: wg.custom_linear_solve(X, X, same), errors.StructureError, "functions"),
    "an unknown solver": (lambda: wg.implicit(np.linalg.solve), errors.UnsupportedFunction, "custom_root"),
    "constraints": (
        lambda: wg.implicit(scipy.optimize.minimize)(total, X, constraints=[{"type": "eq", "fun": np.sum}]),
        errors.UnsupportedFunction,
        "constrained minimum",
    ),
    "root of no function": (lambda: wg.implicit(scipy.optimize.root)(X, X), errors.StructureError, "is the function"),
    "root from a structure": (
        lambda: wg.implicit(scipy.optimize.root)(same, {"a": X}),
        errors.StructureError,
        "array of numbers",
    ),
    "a root that is not there": (
        lambda: wg.implicit(scipy.optimize.root)(lambda x: x * x + 1, X),
        errors.NoConvergence,
        "without a solution",
    ),
    "full_output": (
        lambda: wg.implicit(scipy.optimize.fsolve)(same, X, full_output=True),
        errors.ArgumentError,
        "full_output",
    ),
    "full_output of brentq": (
        lambda: wg.implicit(scipy.optimize.brentq)(same, -1.0, 1.0, full_output=True),
        errors.ArgumentError,
        "full_output",
    ),
    "an unknown loss": (
        lambda: wg.implicit(scipy.optimize.least_squares)(same, X, loss="mine"),
        errors.ArgumentError,
        "the loss is one of",
    ),
    "least_squares' kwargs": (
        lambda: wg.implicit(scipy.optimize.least_squares)(same, X, kwargs={"a": 1}),
        errors.ArgumentError,
        "args=",
    ),
    "events": (
        lambda: wg.implicit(scipy.integrate.solve_ivp)(lambda t, y: y, (0, 1), X, events=total),
        errors.UnsupportedFunction,
        "events",
    ),
    "t_span": (
        lambda: wg.implicit(scipy.integrate.solve_ivp)(lambda t, y: y, 1.0, X),
        errors.StructureError,
        "t_span is a pair",
    ),
    "a state that is a matrix": (
        lambda: wg.implicit(scipy.integrate.solve_ivp)(lambda t, y: y, (0, 1), np.ones((2, 2))),
        errors.ShapeError,
        "the state is a vector",
    ),
    "t_eval": (
        lambda: wg.implicit(scipy.integrate.solve_ivp)(lambda t, y: y, (0, 1), X, t_eval=np.ones((2, 2))),
        errors.ShapeError,
        "vector of times",
    ),
    "rates of another shape": (
        lambda: wg.implicit(scipy.integrate.solve_ivp)(lambda t, y: y[:1], (0, 1), X, t_eval=[1.0]),
        errors.ShapeError,
        "right-hand side has shape",
    ),
    "an unknown sensitivity": (
        lambda: wg.implicit(scipy.integrate.solve_ivp)(lambda t, y: y, (0, 1), X, sensitivity="both"),
        errors.ArgumentError,
        "'auto', 'forward' or 'adjoint'",
    ),
    "a solution that explodes": (
        lambda: wg.implicit(scipy.integrate.solve_ivp)(lambda t, y: y * y, (0, 10), np.array([1.0]), t_eval=[10.0]),
        errors.NoConvergence,
        "integration stopped",
    ),
    "an adjoint that cannot go back": (
        lambda: gradient(
            lambda k: np.sum(
                wg.implicit(scipy.integrate.solve_ivp)(
                    lambda t, y: -k * y, (0, 30.0), np.array([1.0]), t_eval=[30.0], sensitivity="adjoint"
                ).y
            ),
            3.0,
        ),
        errors.NoConvergence,
        "followed backwards|integration stopped",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_error(name):
    function, kind, text = CASES[name]
    with np.errstate(all="ignore"), pytest.raises(kind, match=text):
        function()
    # Whatever was wrong, the next call works and nothing is left recorded.
    assert wg.grad(total)(X).tolist() == [2.0, 4.0]
    assert not isinstance(np.sin(X), wg.Tensor)


def test_what_a_caller_would_catch():
    for kind, builtin in [
        (errors.ShapeError, ValueError),
        (errors.ArgumentError, ValueError),
        (errors.StructureError, TypeError),
        (errors.DtypeError, TypeError),
        (errors.AbstractValue, TypeError),
        (errors.TraceLost, TypeError),
        (errors.NoConvergence, RuntimeError),
        (errors.Degenerate, ArithmeticError),
    ]:
        assert issubclass(kind, builtin)


def test_the_message_names_the_line_of_the_user():
    with pytest.raises(errors.AbstractValue, match=r"test_bad_input\.py:\d+: .*if x > 0"):
        wg.vmap(lambda x: x if x > 0 else -x)(X)


def test_what_is_allowed():
    """The other half of the table: these are not errors."""
    f = lambda x, y: np.sum(x * y**2)
    assert wg.grad(f, -1)(X, X).tolist() == [2.0, 8.0]  # negative argnums
    assert isinstance(wg.grad(f, (0,))(X, X), tuple)  # a tuple of one
    assert wg.grad(lambda x: 3.0)(X).tolist() == [0.0, 0.0]  # independent of the input
    assert wg.grad(lambda x: np.sum(x) * 2.0)(np.array([1, 2])).tolist() == [2.0, 2.0]  # integers become floats
    assert wg.grad(lambda x, on=True: x if on else -x)(2.0, on=False) == -1.0  # keyword arguments pass through
    value, aux = wg.grad(lambda x: (np.sum(x), {"n": 3, "s": "text"}), has_aux=True)(X)
    assert aux == {"n": 3, "s": "text"}
    assert wg.jacobian(lambda x: x[:0])(X).shape == (0, 2)  # empty results and arguments
    assert wg.jacobian(lambda x: x)(np.zeros(0)).shape == (0, 0)
    assert wg.jacfwd(lambda x: x[:0])(X).shape == (0, 2)
    assert wg.vmap(same)(np.zeros((0, 3))).shape == (0, 3)  # an empty batch
    assert wg.vmap(lambda x: 7.0)(X).tolist() == [7.0, 7.0]  # unbatched results are broadcast
    assert wg.grad(lambda x: x**2 if x > 0 else -x)(3.0) == 6.0  # a Python branch
    assert wg.grad(lambda p: p["a"] * 2 if p["b"] is None else p["b"])({"a": 1.0, "b": None}) == {"a": 2.0, "b": None}
    y, pullback = wg.vjp(same, X)  # reusable
    assert pullback(X)[0].tolist() == pullback(X)[0].tolist() == [1.0, 2.0]


def test_a_ufunc_of_an_array_of_objects_says_what_to_do():
    """A Python number among tracked ones makes an array of objects, some of which have no `sin`."""
    with pytest.raises(TypeError, match="no callable sin") as caught:
        gradient(lambda x: np.sum(np.sin(np.array([x[0], 3.0]))))
    assert "np.stack" in caught.value.__notes__[0]
