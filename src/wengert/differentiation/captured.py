"""What a proved function reads from outside: fetched again before each use, and replaced by other values."""

from __future__ import annotations

import types
from collections.abc import Sequence
from typing import Any

import numpy as np


class Item:
    """What stands behind a name: `kind` is object, leaf, tuple, function or derivative.

    Of a leaf only its type is held; of a derivative what it is of, and one like it of nothing.
    """

    __slots__ = ("kind", "number", "value")

    def __init__(self, kind: str, value: Any, number: int = -1) -> None:
        self.kind = kind
        self.value = value
        self.number = number


class Known:
    """A plain function: its code, and what it reads from outside."""

    __slots__ = ("builtins", "cells", "code", "defaults", "globals", "name", "scope", "scope_name")

    def __init__(self, function: types.FunctionType) -> None:
        self.code = function.__code__
        self.name = function.__name__
        self.scope: dict[str, Any] = getattr(function, "__builtins__")  # noqa: B009, typeshed is of two minds about it
        self.scope_name = function.__globals__.get("__name__")
        self.cells: dict[int, Item] = {}
        self.globals: dict[str, Item] = {}
        self.builtins: dict[str, Any] = {}
        self.defaults: list[Item] = []


class Fetcher:
    """Writes the Python function that reads everything again, and checks what has to be the same object."""

    def __init__(self, top: Item, attributes: dict[Any, tuple[Any, str, Any]]) -> None:
        self.scope: dict[str, Any] = {"Function": types.FunctionType, "ndarray": np.ndarray}
        self.rows: list[str] = []
        self.places: dict[int, str] = {}
        self.names: dict[int, str] = {}
        self.leaves: dict[int, str] = {}
        for module, name, value in attributes.values():
            self._require(f"{self._constant(vars(module))}.get({name!r}, ndarray) is {self._constant(value)}")
        self._item(top, "f0")

    def function(self) -> Any:
        """Return the function that was written."""
        values = "".join(self.leaves[i] + ", " for i in range(len(self.leaves)))
        text = "\n".join(
            [
                "def fetch(f0):",
                "    try:",
                *("        " + row for row in self.rows),
                "        pass",
                "    except (KeyError, ValueError):",
                "        return None",
                f"    return ({values})",
            ]
        )
        exec(compile(text, "<wengert fetch>", "exec"), self.scope)
        return self.scope.pop("fetch")

    def _constant(self, value: Any) -> str:
        name = self.names.get(id(value))
        if name is None:
            name = self.names[id(value)] = f"c{len(self.names)}"
            self.scope[name] = value
        return name

    def _require(self, condition: str) -> None:
        self.rows.append(f"if not ({condition}): return None")

    def _let(self, text: str) -> str:
        name = f"v{len(self.rows)}"
        self.rows.append(f"{name} = {text}")
        return name

    def _known(self, known: Known, name: str) -> None:
        if id(known) in self.places:
            self._require(f"{name} is {self.places[id(known)]}")
            return
        self.places[id(known)] = name
        self._require(f"type({name}) is Function and {name}.__code__ is {self._constant(known.code)}")
        self._require(f"not {name}.__kwdefaults__ and not {name}.__dict__")
        if known.defaults:
            defaults = self._let(f"{name}.__defaults__")
            self._item(Item("tuple", known.defaults), defaults)
        else:
            self._require(f"not {name}.__defaults__")
        if known.globals or known.builtins:
            variables = self._let(f"{name}.__globals__")
            for key, item in known.globals.items():
                self._item(item, self._let(f"{variables}[{key!r}]"))
            if known.builtins:
                self._require(f"{name}.__builtins__ is {self._constant(known.scope)}")
            for key, value in known.builtins.items():
                self._require(
                    f"{key!r} not in {variables} and {self._constant(known.scope)}.get({key!r}) is {self._constant(value)}"
                )
        if known.cells:
            cells = self._let(f"{name}.__closure__")
            for i, item in known.cells.items():
                self._item(item, self._let(f"{cells}[{i}].cell_contents"))

    def _item(self, item: Item, name: str) -> None:
        if item.kind == "object":
            self._require(f"{name} is {self._constant(item.value)}")
        elif item.kind == "function":
            self._known(item.value, name)
        elif item.kind == "derivative":
            inner, like = item.value
            self._require(f"type({name}) is {self._constant(type(like))} and {name}.key == {self._constant(like.key)}")
            self._item(inner, self._let(f"{name}.function"))
        elif item.kind == "tuple":
            self._require(f"type({name}) is tuple and len({name}) == {len(item.value)}")
            for i, part in enumerate(item.value):
                self._item(part, self._let(f"{name}[{i}]"))
        else:
            self._require(f"type({name}) is {self._constant(item.value)}")
            self.leaves[item.number] = name


class Builder:
    """Makes the functions anew around other values."""

    def __init__(self, values: Sequence[Any]) -> None:
        self.values = values
        self.made: dict[int, Any] = {}

    def clear(self) -> None:
        """Empty the functions: recursive ones hold themselves, and with them the values."""
        for function in self.made.values():
            function.__globals__.clear()
            for cell in function.__closure__ or ():
                cell.cell_contents = None
        self.made.clear()

    def function(self, known: Known) -> Any:
        """Return a plain function made anew."""
        made = self.made.get(id(known))
        if made is not None:
            return made
        cells = tuple(types.CellType() for _ in known.code.co_freevars)
        names: dict[str, Any] = {"__builtins__": known.scope, "__name__": known.scope_name}
        made = self.made[id(known)] = types.FunctionType(known.code, names, known.name, None, cells)
        made.__defaults__ = tuple(self.value(item) for item in known.defaults)
        for key, item in known.globals.items():
            names[key] = self.value(item)
        for i, item in known.cells.items():
            cells[i].cell_contents = self.value(item)
        return made

    def value(self, item: Item) -> Any:
        """Return what a name stands for now."""
        if item.kind == "function":
            return self.function(item.value)
        if item.kind == "derivative":
            return item.value[1].around(self.value(item.value[0]))
        if item.kind == "tuple":
            return tuple(self.value(part) for part in item.value)
        return self.values[item.number] if item.kind == "leaf" else item.value
