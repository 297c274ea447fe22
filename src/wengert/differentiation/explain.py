"""`explain`: what was compiled, and how, as text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import StructureError
from ..execute.native.build import Compiled
from ..execute.native.hybrid import Hybrid
from ..execute.native.timing import item_seconds
from . import unrecorded
from .gradient import Derivative
from .jit import Jit, jit


def explain(function: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """Return how a function is computed: paths, loops, calls of BLAS, what runs through NumPy, and where time goes.

    Of a derivative it also says whether plain calls, without `jit`, run the differentiated function's Python code, and
    what in it makes that necessary.

    Parameters
    ----------
    function : callable
        What `jit` returned; a sparse derivative's plan; or any function or derivative, which is then compiled to look
        at it.
    *args, **kwargs
        Arguments to compile for. May be left out for a jitted function that was called before.

    Raises
    ------
    StructureError
        If there is nothing to explain: no arguments, and no earlier call.

    Notes
    -----
    Cost: with arguments, one call, one compilation if the function was not compiled for them, and one more with a clock
    between its loops. The share of time that a loop takes is that of the shortest of three runs.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> print(wg.explain(wg.jit(lambda x: np.sum(np.sin(x))), np.zeros(3)))
    jit of <lambda>: 1 kind of arguments
    (float64[3]): 1 path
      2 operations recorded, 2 left; straight-line code, ... bytes
    """
    if getattr(type(function), "__module__", "") == "wengert.sparse.plan" and not args:
        return str(function)
    jitted = function if isinstance(function, Jit) else jit(function)
    if args or kwargs:
        jitted(*args, **kwargs)
    state = jitted._state
    if not state.variants:
        raise StructureError(
            "explain: the function was not called yet, and there are no arguments to call it with",
            hint="wengert.explain(f, x)",
        )
    given = state.values_of(args, kwargs) if args or kwargs else None
    count = len(state.variants)
    rows = [f"jit of {state.name}: {count} kind{'s' * (count > 1)} of arguments"]
    if isinstance(function, Derivative):
        rows.insert(0, f"plain calls: {unrecorded.status(function)}")
    for (_, signature), variant in state.variants.items():
        paths = len(variant.paths)
        rows.append(f"({', '.join(map(_slot, signature))}): {paths} path{'s' * (paths != 1)}")
        if variant.eager:
            rows.append(f"  runs without compiled code: {variant.reason or 'see the warning'}")
        for path, compiled in variant.paths:
            values = None
            if given is not None and given[0] is variant:
                values = [*given[1], *(np.asarray(variable._data) for variable in path.variables)]
            rows.extend("  " + row for row in _path(path, compiled, values))
    return "\n".join(rows)


def _slot(part: Any) -> str:
    if isinstance(part, type):
        return part.__name__
    if isinstance(part[0], tuple):
        return f"{part[1]}[{','.join(map(str, part[0]))}]"
    return str(part[1])


def _path(path: Any, compiled: Any, values: Any) -> list[str]:
    recorded = len(path.program.steps)
    rows = []
    if isinstance(compiled, Hybrid):
        native = sum(segment.compiled is not None for segment in compiled.segments)
        calls = [segment.step.primitive.name for segment in compiled.segments if segment.step is not None]
        rows.append(f"{recorded} operations recorded; {native} native segments, {len(calls)} NumPy calls between them")
        rows.append(
            f"through NumPy: {', '.join(dict.fromkeys(calls))} (the first one without native code: {compiled.reason})"
        )
        for number, segment in enumerate(compiled.segments):
            if segment.compiled is not None:
                rows.append(f"segment {number}:")
                rows.extend("  " + row for row in _native(segment.compiled, recorded, None))
    else:
        rows.extend(_native(compiled, recorded, values))
    if path.guards:
        plural = "s" * (len(path.guards) > 1)
        rows.append(f"holds for {len(path.guards)} guard{plural}: what Python looked at, checked after each run")
    if path.outside is not None and path.outside.names:
        checked = "by the machine code" if path.outside.watches is not None else "through Python"
        rows.append(f"compares what is outside, {checked}: {', '.join(path.outside.names)}")
    if path.variables or path.tensors:
        rows.append(f"reads {len(path.variables)} variables and {len(path.tensors)} other tensors, through Python")
    return rows


def _native(compiled: Compiled, recorded: int, values: Any) -> list[str]:
    native = compiled.native
    assert native.library is not None
    left = len(native.program.steps)
    if native.loops is None:
        return [f"{recorded} operations recorded, {left} left; straight-line code, {native.library.size} bytes"]
    first = (
        f"{recorded} operations recorded, {left} left; loops, {native.library.size} bytes of code, "
        f"{native.work_bytes} bytes of work memory"
    )
    if values is None:
        return [first, *("  " + row for row in describe(native.loops))]
    seconds, loops = item_seconds(native, values)
    total = sum(seconds)
    return [f"{first}; {1e6 * total:.3g} us", *("  " + row for row in describe(loops, [s / total for s in seconds]))]


def describe(loops: Any, shares: Sequence[float] | None = None) -> list[str]:
    """Return one row per item of a schedule, with its share of the time if that is known."""
    rows = []
    schedule = loops.schedule
    for number, (item, kernel) in enumerate(zip(schedule.items, loops.kernels, strict=True)):
        if item.kind == "nest":
            shape = "x".join(map(str, item.roots[0].shape)) or "1"
            sums = sum(root.reduction is not None for root in item.roots)
            stores = len(item.roots) - sums
            text = f"loops over {shape}: {stores} stored, {sums} reduced"
            if len(item.boxes) > 1:
                text += f", in {len(item.boxes)} boxes"
            if kernel.parallel:
                text += ", over the threads"
        elif item.kind == "product":
            product = item.payload[1]
            text = f"BLAS: {'x'.join(map(str, product.batch)) + ' of ' if product.batch else ''}"
            text += f"{product.rows}x{product.inner} @ {product.inner}x{product.columns}"
            text += ", one half of it" if item.payload[-1] else ""
        elif item.kind == "check":
            text = "index arrays are within bounds?"
        elif item.kind == "scan":
            scan = item.payload
            text = f"{scan.length} steps of a body of {len(scan.body.steps)} operations"
            text += ", state in registers" if scan.inner is None else ""
        else:
            text = item.kind
        rows.append(text if shares is None else f"{shares[number]:4.0%} {text}")
        if item.kind in ("scan", "branches", "while"):
            for name, inner in item.payload.inners():
                rows.extend(f"  {name}: {row}" for row in describe(inner))
    return rows

