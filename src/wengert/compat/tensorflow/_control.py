"""What surrounds the numbers in TensorFlow: functions, control flow, contexts. Everything here runs eagerly."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ... import tree
from ...errors import ArgumentError, StructureError, user_line
from ...primitives.structural import alias
from ...recording import Traced, apply, wrap
from ._arrays import stack, unstack
from ._tensor import Tensor, convert_to_tensor, plain

_print = print


def function(func: Callable[..., Any] | None = None, *options: Any, **settings: Any) -> Any:
    """Return the function itself: it runs eagerly. TensorFlow's options are accepted and mean nothing here."""
    if func is None:
        return lambda func: func
    if not callable(func):
        raise StructureError(f"tf.function: the argument is a function, not {type(func).__name__}", where=user_line())
    return func


def executing_eagerly() -> bool:
    """Return True."""
    return True


@contextmanager
def name_scope(name: str) -> Iterator[str]:
    """Return a context that means nothing here."""
    yield f"{name}/"


@contextmanager
def device(device_name: str) -> Iterator[None]:
    """Return a context that means nothing here: there is one device."""
    yield


@contextmanager
def init_scope() -> Iterator[None]:
    """Return a context that means nothing here."""
    yield


@contextmanager
def control_dependencies(control_inputs: Any) -> Iterator[None]:
    """Return a context that means nothing here: operations run in the order of the program."""
    yield


def print(*inputs: Any, output_stream: Any = None, end: str = "\n", sep: str = " ", **_: Any) -> None:
    """Print the numbers in tensors, without their class and dtype."""
    shown = [str(np.asarray(plain(x))) if isinstance(x, Traced) else x for x in inputs]
    if isinstance(output_stream, str | type(None)):
        _print(*shown, end=end, sep=sep)
    else:
        _print(*shown, end=end, sep=sep, file=output_stream)


def identity(input: Any, name: Any = None) -> Any:
    """Return the same value as a tensor of its own."""
    return apply(alias, (convert_to_tensor(input),))


# ---------------------------------------------------------------- control flow


def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any], name: Any = None) -> Any:
    """Return `true_fn()` if the condition holds, else `false_fn()`."""
    return true_fn() if bool(pred) else false_fn()


def case(
    pred_fn_pairs: Any,
    default: Callable[[], Any] | None = None,
    exclusive: bool = False,
    strict: bool = False,
    name: Any = None,
) -> Any:
    """Return the result of the first function whose condition holds, or of the default."""
    for pred, branch in pred_fn_pairs:
        if bool(pred):
            return branch()
    if default is None:
        raise StructureError("tf.case: no condition holds, and there is no default", where=user_line())
    return default()


def switch_case(branch_index: Any, branch_fns: Any, default: Callable[[], Any] | None = None, name: Any = None) -> Any:
    """Return the result of the function with this number; the default, or else the last one, for any other."""
    branches = dict(branch_fns) if isinstance(branch_fns, dict) else dict(enumerate(branch_fns))
    number = int(plain(branch_index))
    if number in branches:
        return branches[number]()
    return branches[max(branches)]() if default is None else default()


def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    shape_invariants: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    maximum_iterations: int | None = None,
    name: Any = None,
) -> Any:
    """Return the variables after the body was applied for as long as the condition held."""
    _with_gradient("while_loop", back_prop)
    values = loop_vars
    done = 0
    while bool(cond(*values)) and (maximum_iterations is None or done < int(plain(maximum_iterations))):
        found = body(*values)
        values = type(loop_vars)(found) if isinstance(found, list | tuple) else type(loop_vars)([found])
        done += 1
    return values


def _with_gradient(name: str, back_prop: bool) -> None:
    if not back_prop:
        raise ArgumentError(f"{name}: back_prop=False", where=user_line(), hint="tf.stop_gradient on the result")


def map_fn(
    fn: Callable[..., Any],
    elems: Any,
    dtype: Any = None,
    parallel_iterations: Any = None,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    name: Any = None,
    fn_output_signature: Any = None,
) -> Any:
    """Return the function's results on the entries of the first axis, stacked."""
    _with_gradient("map_fn", back_prop)
    leaves, structure = tree.flatten(elems)
    rows = zip(*(unstack(leaf) for leaf in leaves), strict=True)
    return _stacked([fn(tree.unflatten(structure, row)) for row in rows])


def vectorized_map(fn: Callable[..., Any], elems: Any, fallback_to_while_loop: bool = True, warn: bool = True) -> Any:
    """Return the function's results on the entries of the first axis, stacked; here the same as `map_fn`."""
    return map_fn(fn, elems)


def _stacked(results: Sequence[Any]) -> Any:
    if not results:
        raise StructureError("there is nothing to map over: the first axis has length 0", where=user_line())
    columns = zip(*(tree.flatten(result)[0] for result in results), strict=True)
    return tree.unflatten(tree.flatten(results[0])[1], [stack(column) for column in columns])


def foldl(
    fn: Callable[..., Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: Any = None,
) -> Any:
    """Return the last value of `value = fn(value, entry)` over the entries of the first axis."""
    _with_gradient("foldl", back_prop)
    return functools.reduce(fn, *_started(elems, initializer))


def foldr(
    fn: Callable[..., Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: Any = None,
) -> Any:
    """Return the last value of `value = fn(value, entry)` from the last entry of the first axis to the first."""
    _with_gradient("foldr", back_prop)
    entries, *start = _started(convert_to_tensor(elems)[::-1], initializer)
    return functools.reduce(fn, entries, *start)


def _started(elems: Any, initializer: Any) -> list[Any]:
    return [unstack(elems)] if initializer is None else [unstack(elems), initializer]


def scan(
    fn: Callable[..., Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    reverse: bool = False,
    name: Any = None,
) -> Any:
    """Return all values of `value = fn(value, entry)` over the entries of the first axis, stacked."""
    _with_gradient("scan", back_prop)
    leaves, structure = tree.flatten(elems)
    rows = [tree.unflatten(structure, row) for row in zip(*(unstack(leaf) for leaf in leaves), strict=True)]
    if reverse:
        rows.reverse()
    value = initializer
    results = []
    for row in rows:
        value = row if value is None else fn(value, row)
        results.append(tree.map_leaves(convert_to_tensor, value))
    if reverse:
        results.reverse()
    return _stacked(results)


# ---------------------------------------------------------------- calls of plain Python


def py_function(func: Callable[..., Any], inp: Sequence[Any], Tout: Any = None, name: Any = None) -> Any:
    """Return `func(*inp)` as tensors; its operations are recorded."""
    return _converted(func(*map(convert_to_tensor, inp)), Tout)


def numpy_function(
    func: Callable[..., Any], inp: Sequence[Any], Tout: Any = None, stateful: bool = True, name: Any = None
) -> Any:
    """Return `func` of plain arrays as tensors that are connected to nothing."""
    return _converted(func(*(convert_to_tensor(x).numpy() for x in inp)), Tout)


def _converted(value: Any, dtypes: Any) -> Any:
    if isinstance(value, list | tuple):
        kinds = dtypes if isinstance(dtypes, list | tuple) else [dtypes] * len(value)
        return [_converted(part, kind) for part, kind in zip(value, kinds, strict=True)]
    tensor = convert_to_tensor(value)
    if dtypes is None or np.dtype(dtypes) == tensor.dtype:
        return tensor
    made = tensor.astype(dtypes)
    return wrap(Tensor, made._data, made._line)
