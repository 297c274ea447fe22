"""Samples of scipy.special: the primitives that the calls of tests/special/table.py and their derivatives apply.

Each call is traced; the Program, its derivative and that one's derivative are run line by line, and what a primitive is
applied to becomes a sample of it.
"""

import importlib.util
from pathlib import Path

import numpy as np
from sample import Sample

from wengert.program import Slot, trace
from wengert.transforms.derive import reverse_program

MOST = 2  # samples of one primitive


def _table():
    path = Path(__file__).parent.parent / "special" / "table.py"
    specification = importlib.util.spec_from_file_location("special_table", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.TABLE


def _collect(found, program, args):
    values = [*args, *program.captures]
    for step in program.steps:
        given = tuple(values[a] for a in step.args)
        params = dict(step.params)
        values.append(step.primitive.evaluate(*given, **params))
        name = step.primitive.name
        entries = found.setdefault(name, [])
        finite = all(np.all(np.isfinite(v)) for v in values[-1:] if not isinstance(v, tuple))
        if name.startswith("special.") and len(entries) < MOST and finite:
            entries.append(Sample(given, params))
    return [values[i] for i in program.outputs]


def _samples():
    found = {}
    with np.errstate(all="ignore"):
        for _, call, _, points, _ in _table():
            middle = [p for p in points if 0.04 <= abs(p) <= 12 and p != round(p)] or points
            x = np.array(middle[:3], float)
            program = trace(lambda x, call=call: [call(x)], [Slot.of(x)])
            args = [x]
            for _ in range(2):
                out = _collect(found, program, args)
                program = reverse_program(program, [0])
                args = [*args, *(np.ones_like(value) for value in out)]
            _collect(found, program, args)
    return {name: entries for name, entries in found.items() if name.startswith("special.")}


SAMPLES = _samples()
