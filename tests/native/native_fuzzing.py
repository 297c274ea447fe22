"""Running a Program natively, by the plainest way there is, and comparing with NumPy."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.execute.interpret import compile_numpy
from wengert.execute.native import straight
from wengert.execute.native.build import Native, compile_native
from wengert.execute.native.contexts import Result
from wengert.execute.native.hybrid import Hybrid
from wengert.execute.native.prepare import prepare
from wengert.execute.native.straight import NoLowering
from wengert.program import Program


def run_native(native: Native, args: Sequence[np.ndarray]) -> tuple[int, list[np.ndarray]]:
    """Call the compiled function on contiguous copies of the arguments; return its status and results."""
    program = native.program
    values = [np.array(a, dtype=np.dtype(slot.dtype), order="C") for a, slot in zip(args, program.inputs, strict=True)]
    kept = [
        np.asarray(c, np.int64) if isinstance(c, int) and not isinstance(c, bool) else np.asarray(c)
        for c in program.captures
    ]
    outputs = [np.zeros(slot.shape, np.dtype(slot.dtype)) for slot in program.output_slots]
    table = np.array([a.ctypes.data for a in (*values, *kept, *outputs)] + [0], dtype=np.uintp)
    work = np.full(native.work_bytes + 64, 0xA5, np.uint8)
    assert native.library is not None
    function = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(native.library.addresses["run"])
    status = function(table.ctypes.data, work.ctypes.data)
    return status, outputs


def run_segments(program: Program, args: Sequence[np.ndarray], reason: str) -> list[np.ndarray] | None:
    """Run what has native code as such and the rest as NumPy; None if nothing has."""
    results = [Result("array", slot.shape, np.dtype(slot.dtype)) for slot in program.output_slots]
    try:
        hybrid = Hybrid(program, results, "tuple", "fuzz", reason)
    except NoLowering:
        return None
    return list(hybrid.direct(*args))


def compare(program: Program, args: Sequence[np.ndarray], *, exact: bool, form: str) -> str:
    """Run a Program both ways; return how it was lowered, or why not."""
    try:
        with np.errstate(all="ignore"):
            wanted = compile_numpy(program)(*args, *program.captures)
    except OverflowError:  # a Python integer that does not fit the dtype
        return "no NumPy"
    program = prepare(program)
    if straight.size(program) > straight.LIMIT:
        form = "loops"
    try:
        native = compile_native(program, form=form, baked=index_constants(program) if form == "straight" else None)
    except NoLowering as reason:
        form, got = "segments", run_segments(program, args, str(reason))
        if got is None:
            return f"nothing native: {reason}"
    else:
        status, got = run_native(native, args)
        assert status == 0
    coarse = any(
        not isinstance(slot.dtype, tuple) and np.dtype(slot.dtype) in (np.float32, np.complex64)
        for slot in (*program.inputs, *(s.slot for s in program.steps))
    )
    for mine, theirs in zip(got, wanted, strict=True):
        try:
            same(mine, np.asarray(theirs), exact, coarse)
        except AssertionError:
            if not divides_by_an_extremum(program):
                raise
            return "the sign of a tied zero"
    return form


EXTREMA = {"max", "min", "maximum", "minimum", "fmax", "fmin", "clip", "cummax", "cummin", "sort"}
QUOTIENTS = {"divide", "floor_divide", "remainder", "fmod", "reciprocal", "arctan2", "copysign", "power"}


def divides_by_an_extremum(program: Program) -> bool:
    """Whether an extremum, where 0.0 and -0.0 tie and either may win, goes on to where the sign of a zero decides."""
    tied: set[int] = set()
    start = len(program.inputs) + len(program.captures)
    for i, step in enumerate(program.steps, start):
        if any(a in tied for a in step.args):
            if step.primitive.name in QUOTIENTS:
                return True
            tied.add(i)
        elif step.primitive.name in EXTREMA:
            tied.add(i)
    return False


def same(mine: np.ndarray, theirs: np.ndarray, exact: bool, coarse: bool) -> None:
    """Assert equality: bit for bit but for the sign of zero, or to rounding (of float32, if that was on the way)."""
    assert mine.shape == theirs.shape, (mine.shape, theirs.shape)
    assert mine.dtype == theirs.dtype, (mine.dtype, theirs.dtype)
    if exact or mine.dtype.kind in "biu":
        np.testing.assert_array_equal(mine, theirs)
        return
    epsilon = np.finfo(np.float32 if coarse else mine.dtype).eps
    if mine.dtype.kind == "c":  # BLAS makes NaN of the other part of an infinite product
        lost = ~np.isfinite(theirs)
        assert not np.isfinite(mine[lost]).any()
        mine, theirs = np.where(lost, 0, mine), np.where(lost, 0, theirs)
    scale = max(1.0, float(np.max(np.abs(theirs), initial=0.0, where=np.isfinite(theirs))))
    np.testing.assert_allclose(mine, theirs, rtol=2e4 * epsilon, atol=2e3 * epsilon * scale)


def index_constants(program: Program) -> dict[int, Any]:
    """The captured index arrays, which straight-line code takes as constants."""
    return {
        i: c
        for i, c in enumerate(program.captures)
        if isinstance(c, np.ndarray) and c.dtype.kind in "iu" and c.size <= 64
    }
