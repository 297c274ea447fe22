"""`export`: a function or derivative as machine code that C, SciPy and Numba can call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import tree
from ..errors import ArgumentError
from ..execute.native.exporting import Exported
from ..execute.native.straight import NoLowering
from ..program import Program
from .jit import Jit
from .jit_record import CannotCompile, record

_NUMBERS = (bool, int, float, complex, np.generic)


def export(function: Callable[..., Any], *args: Any, signature: str = "void (arrays)") -> Exported:
    """Return a function or derivative as a C function.

    Parameters
    ----------
    function : callable
        A function, a derivative, or what `jit` returned. It runs once, at `args`; its branches are fixed to the ones
        taken there.
    *args
        Arrays and numbers of the shapes and dtypes that the C function is to take.
    signature : str
        "void (arrays)": a pointer to each argument's data, then one to each result's; C-contiguous; returns 0, or 1
        if an index was out of bounds. Or one of SciPy's for a function of one float64 number or vector to one number:
        "double (double)", "double (double, void *)", "double (int, double *)", "double (int, double *, void *)"
        (`scipy.integrate`; NaN for another number of elements), "int (double *, npy_intp, double *, void *)"
        (`generic_filter`). Or of a vector to a vector: "int (double *, npy_intp, double *, npy_intp, void *)"
        (`generic_filter1d`), "int (npy_intp *, double *, int, int, void *)" (`geometric_transform`; the function takes
        the coordinates as float64 or int64). These return 0, which SciPy reports, for other numbers of elements.

    Returns
    -------
    Exported
        With `address`, `ctypes`, `low_level_callable()` and `ir`, the LLVM IR.

    Raises
    ------
    ArgumentError
        If the function cannot be compiled as a whole, or the signature does not exist.
    ShapeError
        If the signature does not fit.

    Notes
    -----
    Arrays that the function reads from outside are read at each call, from where they are now; numbers, and small arrays
    of indices, have the value they had. The C function may be called from several threads, with or without Python's lock.
    What `ctypes` and `low_level_callable()` return keeps the code alive, `address` does not.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.integrate import quad
    >>> import wengert as wg
    >>> slope = wg.export(wg.grad(lambda x: np.exp(-x * x)), 0.5, signature="double (double)")
    >>> bool(np.isclose(quad(slope.low_level_callable(), 0.0, 1.0)[0], np.exp(-1.0) - 1.0))
    True
    """
    inner = function.function if isinstance(function, Jit) else function

    def arrays(*given: Any) -> Any:
        return tree.map_leaves(lambda y: np.asarray(y) if isinstance(y, _NUMBERS) else y, inner(*given))

    leaves, structure = tree.flatten((args, {}))
    values = [np.float64(x) if type(x) is float else np.int64(x) if type(x) is int else np.asarray(x) for x in leaves]
    try:
        path = record(arrays, lambda tensors: tree.unflatten(structure, tensors), values)
        program = path.program  # without its guards: the branches taken here are part of the exported code
        kept = sum(out.form != "constant" for out in path.outputs)
        if kept != len(path.outputs) or path.variables:
            raise CannotCompile("a result is no array, or it reads variables")
        program = Program(program.inputs, program.captures, program.steps, program.outputs[:kept])
        return Exported(program, signature)
    except (CannotCompile, NoLowering) as problem:
        name = getattr(inner, "__name__", "the function")
        raise ArgumentError(
            f"export: {name} cannot be compiled as a whole: {problem}",
            hint="wengert.explain(f, x) lists what runs through NumPy",
        ) from None
