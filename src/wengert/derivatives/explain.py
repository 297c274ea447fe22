"""`explain`: what was compiled, and how, as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import StructureError
from ..execute.native.build import Compiled
from ..execute.native.hybrid import Hybrid
from .jit import Jit, jit


def explain(function: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """Return how a function is computed: paths, loops, calls of BLAS, what runs through NumPy, and how long each part takes.

    Parameters
    ----------
    function : callable
        What `jit` returned; a sparse derivative's plan; or any function or derivative, which is then compiled to look at it.
    *args, **kwargs
        Arguments to compile for. May be left out for a jitted function that was called before.

    Raises
    ------
    StructureError
        If there is nothing to explain: no arguments, and no earlier call.

    Notes
    -----
    Cost: with arguments, one call, and one compilation if the function was not compiled for them. Times are those of one
    run on one thread.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> print(wg.explain(wg.jit(lambda x: np.sum(np.sin(x))), np.zeros(3)))
    jit of <lambda>: 1 kind of arguments
    (float64[3]): 1 path
      2 operations recorded, 2 left; straight-line code, ... bytes
    """
    module = getattr(type(function), "__module__", "")
    if module == "wengert.sparse.plan" and not args:
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
    count = len(state.variants)
    rows = [f"jit of {state.name}: {count} kind{'s' * (count > 1)} of arguments"]
    for (_, signature), variant in state.variants.items():
        paths = len(variant.paths)
        rows.append(f"({', '.join(map(_slot, signature))}): {paths} path{'s' * (paths != 1)}")
        if variant.eager:
            rows.append(f"  runs without compiled code: {variant.reason or 'see the warning'}")
        for path, compiled in variant.paths:
            rows.extend("  " + row for row in _path(path, compiled))
    return "\n".join(rows)


def _slot(part: Any) -> str:
    if isinstance(part, type):
        return part.__name__
    if isinstance(part[0], tuple):
        return f"{part[1]}[{','.join(map(str, part[0]))}]"
    return str(part[1])


def _path(path: Any, compiled: Any) -> list[str]:
    recorded = len(path.program.steps)
    rows = []
    if isinstance(compiled, Hybrid):
        native = sum(segment.compiled is not None for segment in compiled.segments)
        calls = [segment.step.primitive.name for segment in compiled.segments if segment.step is not None]
        rows.append(f"{recorded} operations recorded; {native} native segments, {len(calls)} NumPy calls between them")
        rows.append(f"through NumPy: {', '.join(dict.fromkeys(calls))} (the first one without native code: {compiled.reason})")
        for number, segment in enumerate(compiled.segments):
            if segment.compiled is not None:
                rows.append(f"segment {number}:")
                rows.extend("  " + row for row in _native(segment.compiled, recorded))
    else:
        rows.extend(_native(compiled, recorded))
    if path.guards:
        rows.append(f"holds for {len(path.guards)} guard{'s' * (len(path.guards) > 1)}: what Python looked at, checked after each run")
    if path.variables or path.tensors:
        rows.append(f"reads {len(path.variables)} variables and {len(path.tensors)} other tensors, through Python")
    return rows


def _native(compiled: Compiled, recorded: int) -> list[str]:
    native = compiled.native
    library = native.library
    assert library is not None
    left = len(native.program.steps)
    if native.form == "straight":
        return [f"{recorded} operations recorded, {left} left; straight-line code, {library.size} bytes"]
    assert native.loops is not None
    rows = [
        f"{recorded} operations recorded, {left} left; loops, {library.size} bytes of code, "
        f"{native.work_bytes} bytes of work memory"
    ]
    rows.extend("  " + row for row in describe(native.loops.schedule, native.loops))
    return rows


def describe(schedule: Any, loops: Any) -> list[str]:
    """Return one row per item of a schedule."""
    rows = []
    for item, kernel in zip(schedule.items, loops.kernels, strict=True):
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
        elif item.kind == "check":
            text = "index arrays are within bounds?"
        elif item.kind == "scan":
            scan = item.payload
            text = f"{scan.length} steps of a body of {len(scan.body.steps)} operations"
            text += ", state in registers" if scan.inner is None else ""
        else:
            text = item.kind
        rows.append(text)
        if item.kind in ("scan", "branches", "while"):
            for name, inner in item.payload.inners():
                rows.extend(f"  {name}: {row}" for row in describe(inner.schedule, inner))
    return rows


_ = np
