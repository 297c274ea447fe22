"""Samples of scipy.special: the primitives that the calls of tests/special/table.py and their derivatives apply.

Each call is traced; the Program, its derivative and that one's derivative are run line by line, and what a primitive is
applied to becomes a sample of it.
"""

import importlib.util
from pathlib import Path

import numpy as np
from sample import Sample

from wengert.errors import UnsupportedFunction
from wengert.program import Slot, trace
from wengert.transforms.derive import reverse_program

MOST = 2  # samples of one primitive
_WARNS = ("special.bdtr", "special.bdtrc")
_SINGLE = dict.fromkeys(("abstract", "dtype"), "SciPy warns that a count in single precision is cut to an integer")


def _table():
    path = Path(__file__).parent.parent / "special" / "table.py"
    specification = importlib.util.spec_from_file_location("special_table", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.TABLE


def _collect(found, program, args, order):
    values = [*args, *program.captures]
    for step in program.steps:
        given = tuple(values[a] for a in step.args)
        params = dict(step.params)
        values.append(step.primitive.evaluate(*given, **params))
        entries = found.setdefault(step.primitive.name, [])
        if len(entries) < MOST and not isinstance(values[-1], tuple) and np.all(np.isfinite(values[-1])):
            # SciPy's functions of complex numbers are not accurate enough next to the real axis for a complex step
            skip = _SINGLE if step.primitive.name in _WARNS else {}
            # what has no axes is a parameter here: an order or a count, by which there is no derivative
            given = tuple(v.item() if np.ndim(v) == 0 and isinstance(v, np.ndarray | np.generic) else v for v in given)
            entries.append(Sample(given, params, order=order, analytic=False, skip=skip))
    return [values[i] for i in program.outputs]


def _derived(program):
    """Return the derivative's Program, or None where a rule says that it ends here."""
    try:
        return reverse_program(program, [0])
    except UnsupportedFunction:
        return None


def _samples():
    found = {}
    with np.errstate(all="ignore"):
        for _, call, _, points, _ in _table():
            middle = [p for p in points if 0.04 <= abs(p) <= 12 and 0.01 < p % 1 < 0.99] or points
            x = np.array(middle[:3], float)
            programs = [trace(lambda x, call=call: [call(x)], [Slot.of(x)])]
            while len(programs) < 4 and programs[-1] is not None:
                programs.append(_derived(programs[-1]))
            known = [program for program in programs if program is not None]
            args = [x]
            for k, program in enumerate(known):
                order = min(2, len(known) - 1 - k)
                if order:
                    out = _collect(found, program, args, order)
                    args = [*args, *(np.ones_like(value) for value in out)]
    return {name: entries for name, entries in found.items() if name.startswith("special.")}


SAMPLES = _samples()
