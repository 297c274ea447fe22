"""Wrong rules made from right ones: each operator spoils one thing that a declaration says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import numpy as np
from sample import registry, samples

from wengert.primitives.base import REGISTRY, Primitive
from wengert.recording import Line, Traced
from wengert.tensor import Tensor

_numbers = count()


@contextmanager
def mutant(original: Primitive, **changes: Any) -> Iterator[Primitive]:
    """Declare a changed copy of a primitive, and take it back at the end."""
    fields = {key: getattr(original, key) for key in ("abstract", "vjp", "jvp", "batch", "reads", "pattern", "family")}
    evaluate = changes.pop("evaluate", original.evaluate)
    name = f"{original.name}_mutant_{next(_numbers)}"
    made = Primitive(name, lambda *args, **params: evaluate(*args, **params), **{**fields, **changes})
    try:
        yield made
    finally:
        del REGISTRY[name]


# ---------------------------------------------------------------- spoiling a reverse rule


def _on_cotangent(change: Callable[[Any], Any], which: int = 0) -> Callable[[Primitive], dict[str, Any]]:
    """Change what the vjp returns for one argument."""

    def spoil(primitive: Primitive) -> dict[str, Any]:
        def vjp(ct: Any, out: Any, *args: Any, needs: Any, **params: Any) -> Any:
            found = list(primitive.vjp(ct, out, *args, needs=needs, **params))
            if which < len(found) and found[which] is not None:
                found[which] = change(found[which])
            return tuple(found)

        return {"vjp": vjp}

    return spoil


def _swap_cotangents(primitive: Primitive) -> dict[str, Any]:
    def vjp(ct: Any, out: Any, *args: Any, needs: Any, **params: Any) -> Any:
        found = list(primitive.vjp(ct, out, *args, needs=(True,) * len(args), **params))
        found[0], found[1] = found[1], found[0]
        return tuple(found)

    return {"vjp": vjp, "reads": lambda i, n: {*range(n), "out"}}


def _roll(x: Any) -> Any:
    return np.roll(x, 1, axis=-1) if len(x.shape) else -x


def _flip_axes(x: Any) -> Any:
    return np.flip(x)


def _random(x: Any) -> Any:
    return x * (1 + 1e-13 * (next(_numbers) % 7))


def _detached(x: Any) -> Any:
    """Drop the recording: right in first order, zero in second."""
    return x.numpy() if isinstance(x, Tensor) and x._data is not None else x


# ---------------------------------------------------------------- spoiling a forward rule


def _on_tangent(change: Callable[[Any], Any]) -> Callable[[Primitive], dict[str, Any]]:
    def spoil(primitive: Primitive) -> dict[str, Any]:
        def jvp(tangents: Any, out: Any, *args: Any, **params: Any) -> Any:
            found = primitive.jvp(tangents, out, *args, **params)
            return found if found is None else change(found)

        return {"jvp": jvp}

    return spoil


def _ignore_second(primitive: Primitive) -> dict[str, Any]:
    def jvp(tangents: Any, out: Any, *args: Any, **params: Any) -> Any:
        return primitive.jvp((tangents[0], *(None,) * (len(tangents) - 1)), out, *args, **params)

    return {"jvp": jvp}


def _both(change: Callable[[Any], Any]) -> Callable[[Primitive], dict[str, Any]]:
    """The same mistake in both modes, as a wrong partial makes it: no comparison of the two shows it."""

    def spoil(primitive: Primitive) -> dict[str, Any]:
        def vjp(ct: Any, out: Any, *args: Any, needs: Any, **params: Any) -> Any:
            found = primitive.vjp(ct, out, *args, needs=needs, **params)
            return tuple(part if part is None else change(part) for part in found)

        return {"vjp": vjp, **_on_tangent(change)(primitive)}

    return spoil


def _no_derivative(primitive: Primitive) -> dict[str, Any]:
    return {"vjp": None, "jvp": None}


# ---------------------------------------------------------------- spoiling the rest


def _batch(change: Callable[..., Any]) -> Callable[[Primitive], dict[str, Any]]:
    return lambda primitive: {
        "batch": lambda size, flags, *args, **params: change(primitive, size, flags, *args, **params)
    }


def _batch_reversed(primitive: Primitive, size: int, flags: Any, *args: Any, **params: Any) -> Any:
    return np.flip(primitive.batch(size, flags, *args, **params), 0)


def _batch_first_only(primitive: Primitive, size: int, flags: Any, *args: Any, **params: Any) -> Any:
    out = primitive.batch(size, flags, *args, **params)
    return np.broadcast_to(out[:1], out.shape)


def _batch_unaligned(primitive: Primitive, size: int, flags: Any, *args: Any, **params: Any) -> Any:
    return primitive(*args, **params)


def _abstract(change: Callable[[Any, Any], Any]) -> Callable[[Primitive], dict[str, Any]]:
    return lambda primitive: {"abstract": lambda *args, **params: change(*primitive.abstract(*args, **params))}


def _evaluate(change: Callable[..., Any]) -> Callable[[Primitive], dict[str, Any]]:
    return lambda primitive: {"evaluate": lambda *args, **params: change(primitive.evaluate, *args, **params)}


def _writes_to_input(evaluate: Any, *args: Any, **params: Any) -> Any:
    out = evaluate(*args, **params)
    for x in args:
        if isinstance(x, np.ndarray) and x.dtype.kind == "f" and x.size:
            x *= 1.5
            break
    return out


def _noisy(evaluate: Any, *args: Any, **params: Any) -> Any:
    out = evaluate(*args, **params)
    return (out * (1 + 1e-14 * (next(_numbers) % 7))).astype(out.dtype)


def _layout(evaluate: Any, *args: Any, **params: Any) -> Any:
    """Read the first array in the order of memory, as `ravel("K")` does."""
    first, *rest = args
    if isinstance(first, np.ndarray) and first.ndim > 1:
        first = first.ravel("K").reshape(first.shape)
    return evaluate(first, *rest, **params)


def _double(evaluate: Any, *args: Any, **params: Any) -> Any:
    out = evaluate(*args, **params)
    return out.astype(np.result_type(out.dtype, np.float64))


def _another_value(evaluate: Any, *args: Any, **params: Any) -> Any:
    return evaluate(*args, **params) * 1.0001


# name: (operator, needs two arguments, needs complex numbers)
OPERATORS: dict[str, tuple[Callable[[Primitive], dict[str, Any]], str]] = {
    "reverse: sign of the first": (_on_cotangent(np.negative), ""),
    "reverse: sign of the second": (_on_cotangent(np.negative, 1), "two"),
    "reverse: factor 2": (_on_cotangent(lambda x: 2 * x), ""),
    "reverse: factor 1.000001": (_on_cotangent(lambda x: 1.000001 * x), ""),
    "reverse: first forgotten": (_on_cotangent(lambda x: None), ""),
    "reverse: second forgotten": (_on_cotangent(lambda x: None, 1), "two"),
    "reverse: arguments swapped": (_swap_cotangents, "two"),
    "reverse: off by one along an axis": (_on_cotangent(_roll), ""),
    "reverse: reversed": (_on_cotangent(_flip_axes), ""),
    "reverse: conjugate": (_on_cotangent(np.conjugate), "complex"),
    "reverse: not the same twice": (_on_cotangent(_random), ""),
    "reverse: leaves the recording": (_on_cotangent(_detached), "curved"),
    "forward: sign": (_on_tangent(np.negative), ""),
    "forward: factor 2": (_on_tangent(lambda x: 2 * x), ""),
    "forward: second argument ignored": (_ignore_second, "two"),
    "forward: off by one along an axis": (_on_tangent(_roll), ""),
    "forward: conjugate": (_on_tangent(np.conjugate), "complex"),
    "both: sign": (_both(np.negative), ""),
    "both: factor 3": (_both(lambda x: 3 * x), ""),
    "both: factor 1.00001": (_both(lambda x: 1.00001 * x), ""),
    "both: forgotten": (_no_derivative, ""),
    "batch: reversed": (_batch(_batch_reversed), ""),
    "batch: first entry for all": (_batch(_batch_first_only), ""),
    "batch: not aligned": (_batch(_batch_unaligned), "mixed"),
    "abstract: one axis too many": (_abstract(lambda shape, dtype: ((*shape, 1), dtype)), ""),
    "abstract: no axes": (_abstract(lambda shape, dtype: ((), dtype)), "axes"),
    "abstract: always double": (_abstract(lambda shape, dtype: (shape, np.result_type(dtype, float))), ""),
    "value: not the same twice": (_evaluate(_noisy), ""),
    "value: writes to its input": (_evaluate(_writes_to_input), ""),
    "value: depends on the layout": (_evaluate(_layout), "matrix"),
    "value: always double": (_evaluate(_double), ""),
    "value: not the function": (_evaluate(_another_value), ""),
    "reads: nothing": (lambda primitive: {"reads": lambda i, n: set()}, "reads"),
}  # fmt: skip

# Which primitives are spoiled, at which of their samples.
TARGETS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("sin", "tanh", "sqrt", "exp2", "square", "arctan"), (0,)),
    **dict.fromkeys(("multiply", "divide", "hypot", "arctan2", "logaddexp", "power", "subtract"), (0,)),
    **dict.fromkeys(("sum", "prod", "max", "cumsum", "cumprod"), (0, 1)),
    **dict.fromkeys(("transpose", "reshape", "broadcast_to", "concatenate", "stack"), (0,)),
    **dict.fromkeys(("index", "index_add", "index_set"), (6, 7)),
    "contract": (0, 22),
}
COMPLEX = {"transpose": 4, "reshape": 4, "concatenate": 2, "contract": 22, "prod": -2, "cumprod": -2, "scale": 1}
# Exactly linear in every argument together, so that second order has nothing to lose.
STRAIGHT = {"sum", "max", "cumsum", "transpose", "reshape", "broadcast_to", "concatenate", "stack"}
STRAIGHT |= {"index", "index_add", "index_set", "subtract"}


def _changes_nothing(name: str, operator: str, sample: Any) -> bool:
    """Whether a spoiled rule is right all the same at this sample, so that there is nothing to find."""
    args = [x for x in sample.args if isinstance(x, np.ndarray) and x.dtype.kind in "fc"]
    if "second" in operator:
        return len(args) < 2
    if operator == "value: depends on the layout":
        return sample.args[0].ndim < 2 or 1 in sample.args[0].shape
    if operator == "reverse: arguments swapped":
        return len(args) < 2 or args[0].shape != args[1].shape or name in ("add",)
    return False


def cases() -> Iterator[tuple[str, str, Any]]:
    """Yield every (operator, primitive, samples) to try."""
    table, primitives = samples(), registry()
    for name, places in TARGETS.items():
        primitive = primitives[name]
        entries = [table[name][k] for k in places]
        for operator, (_, needs) in OPERATORS.items():
            chosen = entries
            if needs == "complex":
                if name not in COMPLEX:
                    continue
                chosen = [table[name][COMPLEX[name]]]
            if needs == "curved" and name in STRAIGHT:
                continue
            if needs == "reads" and not any(
                primitive.reads(i, len(entries[0].args)) for i in range(len(entries[0].args))
            ):
                continue
            if needs == "mixed" and not _alignment_matters(name):
                continue
            if needs == "axes" and all(np.shape(primitive.evaluate(*s.args, **s.params)) == () for s in chosen):
                continue
            if operator == "value: always double" and any(np.iscomplexobj(x) for s in chosen for x in s.args):
                continue
            chosen = [s for s in chosen if not _changes_nothing(name, operator, s)]
            if chosen:
                yield operator, name, chosen


def _alignment_matters(name: str) -> bool:
    """Whether a batch rule that forgets about axes is wrong: not where all arguments have the same shape anyway."""
    return registry()[name].family != "elementwise" and name not in ("index",)


__all__ = ["OPERATORS", "Line", "Traced", "cases", "mutant"]
