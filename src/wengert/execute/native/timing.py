"""How long each part of a compiled Program takes: its loops once more, with a clock between them."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from .build import Native, as_captured, lower

RUNS = 3


def item_seconds(native: Native, arguments: Sequence[Any]) -> tuple[list[float], Any]:
    """Return the seconds that each item of a loop form's schedule takes on these arguments, and its `Loops`.

    Each is the shortest of a few runs on one thread's clock.
    """
    program = native.program
    timed = lower(program, native.baked, "loops", timed=True)
    timed.link(["run"])
    assert timed.library is not None and timed.loops is not None
    values = [np.array(a, slot.dtype, order="C") for a, slot in zip(arguments, program.inputs, strict=True)]
    values += [as_captured(value) for value in program.captures]
    outputs = [np.empty(slot.shape, slot.dtype) for slot in program.output_slots]
    table = np.array([array.ctypes.data for array in (*values, *outputs)], np.uintp)
    memory = np.empty(timed.work_bytes + 64, np.uint8)
    work = -(-memory.ctypes.data // 64) * 64
    run = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(timed.library.addresses["run"])
    count = len(timed.loops.schedule.items)
    ticks = (ctypes.c_int64 * (count + 1)).from_address(work + timed.loops.clocks)
    best = np.full(count, np.inf)
    rate = 0.0
    for _ in range(RUNS):
        for k in timed.zeroed:
            outputs[k][...] = 0
        begin = time.perf_counter()
        run(table.ctypes.data, work)
        elapsed = time.perf_counter() - begin
        found = np.diff(np.array(ticks[:], np.float64))
        rate = max(rate, float(found.sum()) / elapsed)  # ticks in a second
        best = np.minimum(best, found)
    return [float(t) / rate for t in best], timed.loops
