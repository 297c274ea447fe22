"""Programs as files: the structure as JSON, the captured arrays in NumPy's own format, in one zip archive.

No code is stored and none is run on loading: a line names its primitive, which must be declared in the process
that loads. Settings are numbers, strings, dtypes, tuples and Programs.
"""

from __future__ import annotations

import json
import zipfile
from typing import Any

import numpy as np

from ..errors import AbstractValue, ArgumentError, StructureError
from ..primitives.base import find
from ..program import Program, Slot, Step
from ..recording import Traced

FORMAT = "wengert program 1"
_WEAK = {"float": float, "int": int, "complex": complex}


def save(program: Program, path: Any) -> None:
    """Write a Program; see `Program.save`."""
    arrays: list[np.ndarray] = []
    text = json.dumps({"format": FORMAT, "program": _program_out(program, arrays)}, allow_nan=False)
    named = {f"array_{i}": array for i, array in enumerate(arrays)}
    with open(path, "wb") as file:  # an open file, so that NumPy does not append .npz to the name
        np.savez_compressed(file, program=np.frombuffer(text.encode(), np.uint8), **named)  # type: ignore[arg-type]


def load(path: Any) -> Program:
    """Read a Program; see `Program.load`."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            document = json.loads(archive["program"].tobytes())
            arrays = [archive[f"array_{i}"] for i in range(len(archive.files) - 1)]
        if document["format"] != FORMAT:
            raise KeyError(document["format"])
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ArgumentError(
            f"{str(path)!r} is not a saved Program of this version",
            why=str(error),
            hint="write it with program.save(path)",
        ) from None
    from . import control, loops  # noqa: F401  # primitives with sub-Programs are declared there

    return _program_in(document["program"], arrays)


def _program_out(program: Program, arrays: list[np.ndarray]) -> dict[str, Any]:
    return {
        "inputs": [_slot_out(slot) for slot in program.inputs],
        "captures": [_capture_out(value, arrays) for value in program.captures],
        "steps": [
            {
                "primitive": step.primitive.name,
                "args": list(step.args),
                "params": [[key, _out(value, arrays, f"{step.primitive.name}: {key}")] for key, value in step.params],
                "slot": _slot_out(step.slot),
            }
            for step in program.steps
        ],
        "outputs": list(program.outputs),
    }


def _program_in(data: dict[str, Any], arrays: list[np.ndarray]) -> Program:
    return Program(
        [_slot_in(slot) for slot in data["inputs"]],
        [_capture_in(value, arrays) for value in data["captures"]],
        [
            Step(
                find(step["primitive"]),
                tuple(step["args"]),
                tuple((key, _in(value, arrays)) for key, value in step["params"]),
                _slot_in(step["slot"]),
            )
            for step in data["steps"]
        ],
        data["outputs"],
    )


def _capture_out(value: Any, arrays: list[np.ndarray]) -> Any:
    if isinstance(value, Traced):
        if value._data is None:
            raise AbstractValue(
                "a Program that captured an abstract tensor cannot be saved",
                why="the tensor has no value outside of the trace it belongs to",
            )
        value = value._data
    if type(value) in (bool, int, float, complex):
        return _out(value, arrays, "captured value")
    arrays.append(np.asarray(value))
    if arrays[-1].dtype.hasobject:
        raise StructureError("a Program that captured an array of objects cannot be saved")
    return {"array": len(arrays) - 1}


def _capture_in(data: Any, arrays: list[np.ndarray]) -> Any:
    return arrays[data["array"]] if isinstance(data, dict) and "array" in data else _in(data, arrays)


def _slot_out(slot: Slot) -> Any:
    if isinstance(slot.dtype, tuple):
        return [_slot_out(Slot(shape, dtype)) for shape, dtype in zip(slot.shape, slot.dtype, strict=True)]
    weak = isinstance(slot.dtype, type) and not issubclass(slot.dtype, np.generic)
    name = {"weak": slot.dtype.__name__} if weak else {"dtype": np.dtype(slot.dtype).str}
    return {"shape": list(slot.shape), **name}


def _slot_in(data: Any) -> Slot:
    if isinstance(data, list):
        parts = [_slot_in(part) for part in data]
        return Slot(tuple(part.shape for part in parts), tuple(part.dtype for part in parts))
    dtype = _WEAK[data["weak"]] if "weak" in data else np.dtype(data["dtype"])
    return Slot(tuple(data["shape"]), dtype)


def _out(value: Any, arrays: list[np.ndarray], what: str) -> Any:
    """Return plain data for JSON; what JSON does not have is a one-entry dict."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return {"float": float(value).hex()}
    if isinstance(value, complex | np.complexfloating):
        return {"complex": [float(value.real).hex(), float(value.imag).hex()]}
    if isinstance(value, tuple):
        return {"tuple": [_out(part, arrays, what) for part in value]}
    if isinstance(value, np.dtype):
        return {"dtype": value.str}
    if isinstance(value, type) and issubclass(value, np.generic):
        return {"scalar": np.dtype(value).str}
    if isinstance(value, type) and value in _WEAK.values():
        return {"weak": value.__name__}
    if isinstance(value, Slot):
        return {"slot": _slot_out(value)}
    if isinstance(value, Program):
        return {"program": _program_out(value, arrays)}
    raise StructureError(
        f"{what} is a {type(value).__name__}, which cannot be saved",
        why="a saved Program is plain data: numbers, strings, dtypes, tuples and Programs, no Python code",
        hint="trace the function without its custom rule, or pickle the function instead",
    )


def _in(data: Any, arrays: list[np.ndarray]) -> Any:
    if not isinstance(data, dict):
        return data
    ((kind, value),) = data.items()
    if kind == "float":
        return float.fromhex(value)
    if kind == "complex":
        return complex(float.fromhex(value[0]), float.fromhex(value[1]))
    if kind == "tuple":
        return tuple(_in(part, arrays) for part in value)
    if kind == "dtype":
        return np.dtype(value)
    if kind == "scalar":
        return np.dtype(value).type
    if kind == "weak":
        return _WEAK[value]
    if kind == "slot":
        return _slot_in(value)
    if kind == "program":
        return _program_in(value, arrays)
    raise ArgumentError(
        f"a saved Program has a setting of unknown kind {kind!r}", hint="save it again with this version"
    )
