"""Sample arguments of primitives. Every primitive has some; the generated laws are checked at each.

To add samples, write a file `tests/rules/samples_<family>.py` that defines

    SAMPLES = {"name of the primitive": [Sample((array, array), {"axis": 0}), ...]}

It is found by its name. Samples stay away from kinks (ties, zeros of `abs`), where a derivative is not a difference;
conventions at kinks are pinned in `test_kinks.py`. Give at least one sample with the usual shapes, one with an array
without axes and one with an empty array where the primitive takes them, and one with complex numbers where it does;
for elementwise primitives those three are made from the first sample.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Sample:
    """One choice of arguments.

    Attributes
    ----------
    args, params
        What the primitive is applied to, and its static settings.
    reference : callable, optional
        The value in plain NumPy, `reference(*args)`. Not needed for ufuncs, which are compared with themselves.
    skip : dict
        Laws that do not apply here, with the reason.
    order : int
        How many derivatives are checked.
    shared : tuple of int
        Arguments that are not batched: the structure of a sparse matrix.
    analytic : bool or None
        Whether a complex step is exact. None: for elementwise primitives, if NumPy's function takes complex numbers.
    """

    args: tuple[Any, ...]
    params: dict[str, Any] = field(default_factory=dict)
    reference: Callable[..., Any] | None = None
    skip: dict[str, str] = field(default_factory=dict)
    order: int = 2
    analytic: bool | None = None
    shared: tuple[int, ...] = ()


@cache
def registry() -> dict[str, Any]:
    """Return every primitive by name, with every module that declares some imported."""
    import wengert
    from wengert import primitives
    from wengert.primitives.base import REGISTRY

    for module in pkgutil.iter_modules(primitives.__path__):
        importlib.import_module(f"wengert.primitives.{module.name}")
    for module in pkgutil.walk_packages(wengert.__path__, "wengert."):
        # Modules outside of primitives/ may declare some too; what needs an extra that is missing is left out.
        if ".demo" not in module.name and ".compat" not in module.name and "__main__" not in module.name:
            try:
                importlib.import_module(module.name)
            except ImportError:
                continue
    return dict(REGISTRY)


@cache
def samples() -> dict[str, list[Sample]]:
    """Return the samples of all files `samples_*.py`."""
    found: dict[str, list[Sample]] = {}
    for path in sorted(Path(__file__).parent.glob("samples_*.py")):
        for name, entries in importlib.import_module(path.stem).SAMPLES.items():
            found.setdefault(name, []).extend(entries)
    return found


def generated(primitive: Any, sample: Sample) -> list[tuple[str, Sample]]:
    """Return the sample and, for an elementwise primitive, those that follow: no axes, empty, broadcast, complex."""
    if primitive.family != "elementwise" or not any(isinstance(x, np.ndarray) and x.ndim for x in sample.args):
        return []
    first = tuple(x.ravel()[0].reshape(()) if isinstance(x, np.ndarray) else x for x in sample.args)
    empty = tuple(x.ravel()[:0].reshape((0, 2)) if isinstance(x, np.ndarray) else x for x in sample.args)
    made = [("no axes", first), ("empty", empty)]
    arrays = [i for i, x in enumerate(sample.args) if isinstance(x, np.ndarray) and x.ndim]
    if len(arrays) > 1:  # each array in turn meets the others without axes, and as a column
        for i in arrays:
            scalars = [x if j == i or j not in arrays else x.ravel()[0].reshape(()) for j, x in enumerate(sample.args)]
            made.append((f"broadcast {i}", tuple(scalars)))
        column = [x.ravel()[:2].reshape((2, 1)) if j == arrays[0] else x for j, x in enumerate(sample.args)]
        made.append(("column", tuple(column)))
    variants = [(label, replace(sample, args=args)) for label, args in made]
    if takes_complex(primitive) and not any(np.iscomplexobj(x) for x in sample.args):
        args = tuple(_complex(x) if isinstance(x, np.ndarray) and x.dtype.kind == "f" else x for x in sample.args)
        variants.append(("complex", replace(sample, args=args)))
    return variants


def takes_complex(primitive: Any) -> bool:
    """Whether NumPy's function is defined for complex numbers in a way that has a derivative."""
    ufunc = getattr(primitive, "ufunc", None)
    return ufunc is not None and any(loop.startswith("D" * ufunc.nin + "->") for loop in ufunc.types)


def is_analytic(primitive: Any, sample: Sample) -> bool:
    """Whether a complex step gives the exact derivative at this sample."""
    if sample.analytic is not None:
        return sample.analytic
    if primitive.family != "elementwise" or primitive.wirtinger is not None or primitive.vjp is None:
        return False
    real = all(not np.iscomplexobj(x) for x in sample.args)
    ordered = primitive.name in ("maximum", "minimum", "fmax", "fmin", "power", "float_power")  # order, or a branch cut
    return real and not ordered and takes_complex(primitive)


def _complex(x: np.ndarray) -> np.ndarray:
    return x + 0.3j * np.roll(x, 1, axis=-1)
