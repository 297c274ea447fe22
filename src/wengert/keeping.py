"""What a recording keeps of plain arrays, which their owner may write to before the derivative is taken.

A tensor's old value stays what it was when somebody writes to it. NumPy tells nobody when a plain array is written to,
so a recording keeps a copy of a small one, shared for as long as its content is the same, and looks at the end whether
a large one has changed: then the derivative would be that of other numbers, and this is an error.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from .errors import AssignmentError

_SMALL = 16384  # bytes: about what costs as much to copy as an operation costs to record
_SAMPLES = 64


class Keeper:
    """The plain arrays that one recording has met, by `id`."""

    __slots__ = ("known",)

    def __init__(self) -> None:
        # A weak reference, what is kept, and its bytes; None instead of these for a sample of a large array.
        self.known: dict[int, tuple[Any, Any, bytes | None]] = {}

    def keep(self, array: np.ndarray) -> np.ndarray:
        """Return what a line may keep of a plain array."""
        entry = self.known.get(id(array))
        if entry is not None and entry[0]() is array:  # not another array that lies at the same place
            content = entry[2]
            if content is None:
                return array
            if content == array.tobytes():
                return entry[1]
        if array.nbytes > _SMALL:
            if array.flags.writeable:
                self.known[id(array)] = (weakref.ref(array), _sample(array), None)
            return array
        copy = array.copy()
        known = self.known
        if len(known) >= 32 and len(known) & (len(known) - 1) == 0:  # at powers of two: forget the dead
            for key in [key for key, other in known.items() if other[0]() is None]:
                del known[key]
        known[id(array)] = (weakref.ref(array), copy, copy.tobytes())
        return copy

    def check(self) -> None:
        """Raise AssignmentError if a large array is not what it was when it was first used."""
        for reference, sample, content in self.known.values():
            array = reference() if content is None else None
            if array is not None and _sample(array).tobytes() != sample.tobytes():
                raise AssignmentError(
                    f"a plain array of shape {array.shape} was written to after it had been used with tracked values",
                    why="the derivative needs the numbers that it held then, and arrays of this size are not copied",
                    hint="use a copy with the tracked values (x * w.copy()), or make it with np.zeros_like(x)",
                )


class Copier(Keeper):
    """Copies whatever it is given and remembers nothing."""

    __slots__ = ()

    def keep(self, array: np.ndarray) -> np.ndarray:
        """Return a copy."""
        return array.copy()


class Rereader(Keeper):
    """Hands out arrays themselves, for code that reads them again in each run."""

    __slots__ = ("_held", "_written")

    def __init__(self) -> None:
        super().__init__()
        self._held: list[np.ndarray] = []
        self._written = False

    def keep(self, array: np.ndarray) -> np.ndarray:
        """Return the array."""
        before = self.known.get(id(array))
        super().keep(array)
        if before is None:
            self._held.append(array)  # until the end, to be looked at again
        elif self.known.get(id(array)) is not before:
            self._written = True
        return array

    def written(self) -> bool:
        """Whether somebody wrote to an array after it was used: reading it again would give other numbers."""
        for reference, sample, content in self.known.values():
            array = reference()
            if array is not None:
                same = _sample(array).tobytes() == sample.tobytes() if content is None else array.tobytes() == content
                self._written |= not same
        return self._written


def _sample(array: np.ndarray) -> np.ndarray:
    places = np.linspace(0, array.size - 1, _SAMPLES).astype(np.intp)
    return array.flat[places]
