"""Results of several parts, with PyTorch's names and printing."""

from __future__ import annotations

from typing import Any


class _Named(tuple):
    """A tuple whose entries have names."""

    _name = ""
    _entries: tuple[str, ...] = ()

    def __repr__(self) -> str:
        rows = ",\n".join(f"{name}={value!r}" for name, value in zip(self._entries, self, strict=True))
        return f"torch.return_types.{self._name}(\n{rows})"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._entries:
            raise AttributeError(f"torch.return_types.{self._name} has no {name!r}; it has {', '.join(self._entries)}")
        return self[self._entries.index(name)]


class ValuesIndices(_Named):
    """Values and where they were."""

    _entries = ("values", "indices")

    def __new__(cls, name: str, values: Any, indices: Any) -> ValuesIndices:
        """Make the pair that the function `name` returns."""
        made = super().__new__(cls, (values, indices))
        made._name = name
        return made


class MinMax(_Named):
    """Minimum and maximum."""

    _name = "aminmax"
    _entries = ("min", "max")

    def __new__(cls, low: Any, high: Any) -> MinMax:
        """Make the pair."""
        return super().__new__(cls, (low, high))


def named(name: str, *entries: str) -> type:
    """Return the class of a result with these entries."""

    def new(cls: type, *values: Any) -> Any:
        return tuple.__new__(cls, values)

    return type(name, (_Named,), {"_name": name, "_entries": entries, "__new__": new})
