"""Which recipes are known: a Newton or ODE loop in plain code pays once.

Recipes are kept by structure (the key of a run and the options), never by values. Captured numbers are taken as part of
the structure first, and so are masks; what turns out to change becomes an input, so a loop over time plans twice, not
every step.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from threading import Lock
from typing import Any

import numpy as np

from .decide import Options, Recipe, make
from .record import Run, is_scalar, same_scalar

Maker = Callable[[Run, Options, list[int], dict[int, Any]], Recipe]
CAPACITY = 64
BYTES = 400_000_000
VARIANTS = 8


class Plans:
    """A bounded store of recipes. The oldest ones are forgotten; the newest always stays."""

    def __init__(self, capacity: int = CAPACITY, most_bytes: int = BYTES) -> None:
        self._families: OrderedDict[Any, list[Recipe]] = OrderedDict()
        self._lock = Lock()
        self.capacity = capacity
        self.most_bytes = most_bytes
        self.made = 0

    def evaluate(self, run: Run, options: Options, maker: Maker = make) -> tuple[Recipe, np.ndarray]:
        """Return the recipe for a run and the derivative's entries in CSR order."""
        family = self.family((options, run.key))
        for recipe in family:
            if fits(recipe, run):
                data = recipe.values(inputs_of(recipe, run))
                if data is not None:
                    return recipe, data
        recipe = self.new(run, options, family, maker)
        data = recipe.values(inputs_of(recipe, run))
        assert data is not None
        return recipe, data

    def find(self, run: Run, options: Options) -> Recipe:
        """Return the recipe for a run."""
        return self.evaluate(run, options)[0]

    def family(self, key: Any) -> list[Recipe]:
        """Return the recipes of a structure."""
        with self._lock:
            family = self._families.setdefault(key, [])
            self._families.move_to_end(key)
        return family

    def new(self, run: Run, options: Options, family: list[Recipe], maker: Maker = make) -> Recipe:
        """Make and keep a recipe. Numbers and masks that differ from those of an earlier one become inputs."""
        moved = {
            i
            for recipe in family
            for i, value in recipe.baked.items()
            if _may_move(value) and not _same(value, run.captures[i])
        }
        moved.update(i for recipe in family for i in recipe.dynamic)
        baked = bake(run, moved)
        dynamic = [i for i in range(len(run.captures)) if i not in baked]
        recipe = maker(run, options, dynamic, baked)
        self.made += 1
        with self._lock:
            family.insert(0, recipe)
            del family[VARIANTS:]
            total = sum(r.nbytes for f in self._families.values() for r in f)
            while len(self._families) > 1 and (len(self._families) > self.capacity or total > self.most_bytes):
                _, dropped = self._families.popitem(last=False)
                total -= sum(r.nbytes for r in dropped)
        return recipe

    def clear(self) -> None:
        """Forget all recipes."""
        with self._lock:
            self._families.clear()


def is_structural(value: Any) -> bool:
    """Whether a captured value is taken as part of the structure at first: a number, an index array, a mask."""
    return is_scalar(value) or (isinstance(value, np.ndarray) and value.dtype.kind in "iub")


def bake(run: Run, moved: Collection[int] = ()) -> dict[int, Any]:
    """Return the captured values that become part of the structure, and let the run hold the same ones."""
    baked = {}
    for i, value in enumerate(run.captures):
        if i >= run.forced and i not in moved and is_structural(value):
            baked[i] = run.captures[i] = frozen(value)
    return baked


def frozen(value: Any) -> Any:
    """Return a value that its owner cannot change any more: a copy of an array that can be written to."""
    if not isinstance(value, np.ndarray) or not value.flags.writeable:
        return value
    value = value.copy()
    value.flags.writeable = False
    return value


def _may_move(value: Any) -> bool:
    """Whether a value may be an input instead: the structure of an index array is its content."""
    return is_scalar(value) or value.dtype == bool


def _same(value: Any, found: Any) -> bool:
    if is_scalar(value):
        return is_scalar(found) and same_scalar(value, found)
    return value is found or np.array_equal(value, found)


def fits(recipe: Any, run: Run) -> bool:
    """Whether the captured values are those that the recipe holds for."""
    return all(_same(value, run.captures[i]) for i, value in recipe.baked.items())


def inputs_of(recipe: Recipe, run: Run) -> Sequence[Any]:
    """Return what the recipe evaluates on."""
    return [*run.inputs, *(run.captures[i] for i in recipe.dynamic)]


plans = Plans()
"""The recipes of this process."""
