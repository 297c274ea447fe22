"""Plans as files: plain data in one zip archive of arrays, no pickle and no code.

A plan is a tree of dicts, lists, numbers, strings, arrays, sparse matrices and Programs. Structures of arguments may be
nested tuples, lists and dicts.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np

from .. import tree
from ..errors import ArgumentError, StructureError
from ..execute import storage as programs
from ..primitives.base import Primitive, find
from ..program import Program
from .assembly import Assembly, Store
from .compressed import Compressed, Pass
from .decide import Choice, Options, Recipe
from .numeric import FORGOTTEN, Structured
from .record import Key

FORMAT = "wengert plan 1"
_KINDS = {"tuple": tuple, "list": list, "dict": dict, "leaf": tree.LEAF, "none": tree.NONE}
_CLASSES: dict[str, type] = {
    "assembly": Assembly,
    "store": Store,
    "compressed": Compressed,
    "pass": Pass,
    "choice": Choice,
    "recipe": Recipe,
    "structured": Structured,
}
_NAMES = {cls: name for name, cls in _CLASSES.items()}


def save_plan(plan: Any, path: Any) -> None:
    """Write a plan; see `Plan.save`."""
    state = {
        **{k: v for k, v in plan.__dict__.items() if k not in ("function", "options", "others")},
        "options": asdict(plan.options),
        "others": [other for other in plan.others if _is_plain(other)],
        "all_others": all(map(_is_plain, plan.others)),
    }
    arrays: list[np.ndarray] = []
    text = json.dumps({"format": FORMAT, "plan": _out(state, arrays)}, allow_nan=False)
    named = {f"array_{i}": array for i, array in enumerate(arrays)}
    with open(path, "wb") as file:
        np.savez_compressed(file, plan=np.frombuffer(text.encode(), np.uint8), **named)  # type: ignore[arg-type]


def load_plan(path: Any, function: Callable[..., Any] | None) -> Any:
    """Read a plan; see `Plan.load`."""
    from .plan import Plan

    try:
        with np.load(path, allow_pickle=False) as archive:
            document = json.loads(archive["plan"].tobytes())
            arrays = [archive[f"array_{i}"] for i in range(len(archive.files) - 1)]
        if document["format"] != FORMAT:
            raise KeyError(document["format"])
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ArgumentError(
            f"{str(path)!r} is not a saved plan of this version", why=str(error), hint="write it with plan.save(path)"
        ) from None
    state = _in(document["plan"], arrays)
    state["options"] = Options(**state["options"])
    if not state.pop("all_others"):
        state["others"] = [object()]  # never equal: the function has to run
    plan = Plan.__new__(Plan)
    plan.__dict__.update(state, function=function)
    return plan


def _is_plain(value: Any) -> bool:
    return isinstance(value, int | float | complex | str | np.generic | np.ndarray | None)


def _fields(value: Any) -> dict[str, Any]:
    slots = getattr(type(value), "__slots__", None)
    if slots and not hasattr(value, "__dict__"):
        return {name: getattr(value, name) if name != "numbers" else None for name in slots}
    return {k: v for k, v in value.__dict__.items() if k not in ("_batched", "places", "model", *FORGOTTEN)}


def _out(value: Any, arrays: list[np.ndarray]) -> Any:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, np.ndarray | np.generic):
        arrays.append(np.asarray(value))
        return {"array": [len(arrays) - 1, isinstance(value, np.generic)]}
    if isinstance(value, Program):
        return {"program": programs._program_out(value, arrays)}
    if isinstance(value, Primitive):
        return {"primitive": value.name}
    if isinstance(value, Key):
        return {"key": _out(value.parts, arrays)}
    if isinstance(value, tree.Tree):
        names = [name for name, kind in _KINDS.items() if kind is value.kind]
        if not names:
            raise StructureError(
                f"a plan for arguments or results of type {value.kind.__name__} cannot be saved",
                why="a saved plan is plain data, and the type is code",
                hint="pickle the plan, or use tuples, lists and dicts",
            )
        return {"tree": [names[0], _out(value.keys, arrays), [_out(child, arrays) for child in value.children]]}
    if type(value) in _NAMES:
        return {"object": [_NAMES[type(value)], _out(_fields(value), arrays)]}
    if isinstance(value, dict):
        return {"dict": [[_out(k, arrays), _out(v, arrays)] for k, v in value.items()]}
    if isinstance(value, list):
        return [_out(part, arrays) for part in value]
    if type(value) is tuple:
        return {"tuple": [_out(part, arrays) for part in value]}
    if isinstance(value, slice):
        return {"slice": [value.start, value.stop, value.step]}
    if hasattr(value, "tocsr"):
        return {"csr": [_out(part, arrays) for part in (value.data, value.indices, value.indptr)] + [list(value.shape)]}
    return {"setting": programs._out(value, arrays, "a setting of the plan")}


def _in(data: Any, arrays: list[np.ndarray]) -> Any:
    if isinstance(data, list):
        return [_in(part, arrays) for part in data]
    if not isinstance(data, dict):
        return data
    ((kind, value),) = data.items()
    if kind == "array":
        array = arrays[value[0]]
        return array[()] if value[1] else array
    if kind == "program":
        return programs._program_in(value, arrays)
    if kind == "primitive":
        return find(value)
    if kind == "key":
        return Key(_in(value, arrays))
    if kind == "tree":
        return tree.Tree(_KINDS[value[0]], _in(value[1], arrays), tuple(_in(child, arrays) for child in value[2]))
    if kind == "object":
        made: Any = object.__new__(_CLASSES[value[0]])
        for name, part in _in(value[1], arrays).items():
            setattr(made, name, part)
        if isinstance(made, Pass):
            made._batched = {}
        if isinstance(made, Structured):
            made.forget()
        return made
    if kind == "dict":
        return {_in(k, arrays): _in(v, arrays) for k, v in value}
    if kind == "tuple":
        return tuple(_in(part, arrays) for part in value)
    if kind == "slice":
        return slice(*value)
    if kind == "csr":
        from scipy.sparse import csr_array

        return csr_array(tuple(_in(part, arrays) for part in value[:3]), shape=tuple(value[3]))
    return programs._in(value, arrays)
