"""Fit the NIST sets with several Jacobians and score the answers against the certified ones.

This is the only module of the demo that reads certified values, and it reads them after the fits are done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import nist
from .fit import Fit, Jacobian, Residual, differences, exact, fit
from .models import MODELS, response

__all__ = ["METHODS", "SOLVED", "Outcome", "digits", "heading", "residual_of", "row", "run", "summary"]

SOLVED = 8.0
"""A set counts as solved when every parameter has at least this many certified digits."""

CERTIFIED = 11.0
"""NIST gives eleven digits, so no score is higher."""


@dataclass(frozen=True)
class Method:
    """One way to get a Jacobian, and how the report names it."""

    title: str
    make: Callable[[Residual], Jacobian]


METHODS: dict[str, Method] = {
    "exact": Method("exact, by wengert", exact),
    "2-point": Method("2-point differences, steps relative", differences),
    "3-point": Method("3-point differences, steps relative", lambda f: differences(f, points=3)),
    "default": Method("2-point differences, SciPy's default steps", lambda f: differences(f, relative=False)),
}
"""The Jacobians compared. Every one goes through the same `fit`, with the same settings."""

COLUMNS = {"exact": 5, "2-point": 7, "3-point": 7}
"""The methods that get a column in the table, and its width; the summary has them all."""


@dataclass(frozen=True)
class Outcome:
    """What became of one data set: for each method a fit from each start, and their scores."""

    data: nist.Dataset
    fits: dict[str, tuple[Fit, Fit]]
    digits: dict[str, tuple[float, float]]
    """Certified digits of the parameters, from start 1 and from start 2."""
    sd_digits: dict[str, tuple[float, float]]
    """Certified digits of the standard deviations, likewise."""
    fit_seconds: dict[str, float]
    """Time of both fits, in seconds, the first call of the Jacobian included."""
    jacobian_seconds: dict[str, float]
    """Time of one evaluation of the Jacobian when warm, in seconds: the best of several."""


def digits(found: np.ndarray, certified: np.ndarray) -> float:
    """Return to how many digits `found` agrees with `certified`: the worst entry, at least 0, at most 11.

    Examples
    --------
    >>> import numpy as np
    >>> round(digits(np.array([1.001, 2.0]), np.array([1.0, 2.0])), 6)
    3.0
    """
    with np.errstate(all="ignore"):
        error = float(np.max(np.abs(found - certified) / np.abs(certified)))
    if not np.isfinite(error):
        return 0.0
    return CERTIFIED if error == 0 else float(np.clip(-np.log10(error), 0.0, CERTIFIED))


def residual_of(data: nist.Dataset) -> Residual:
    """Return the residual of the model of `data`: a function of the parameters, (n,) -> (m,)."""
    model = MODELS[data.name]
    observed = response(data.name, data.y)

    def residual(b: Any) -> Any:
        return model(b, data.x) - observed

    return residual


def run(names: Iterable[str] | None = None) -> Iterator[Outcome]:
    """Yield the outcome of each data set, in order, as it is done; all 27 unless `names` says which."""
    for data in [nist.load(name) for name in (nist.names() if names is None else names)]:
        yield _outcome(data)


def _outcome(data: nist.Dataset) -> Outcome:
    residual = residual_of(data)
    fits: dict[str, tuple[Fit, Fit]] = {}
    fit_seconds: dict[str, float] = {}
    jacobian_seconds: dict[str, float] = {}
    for key, method in METHODS.items():
        begin = time.perf_counter()
        jacobian = method.make(residual)
        fits[key] = (fit(residual, jacobian, data.starts[0]), fit(residual, jacobian, data.starts[1]))
        fit_seconds[key] = time.perf_counter() - begin
        jacobian_seconds[key] = _best_time(jacobian, data.starts[1])
    return Outcome(
        data,
        fits,
        {
            key: (digits(a.beta, data.certified), digits(b.beta, data.certified))
            for key, (a, b) in fits.items()
        },
        {
            key: (digits(a.sd, data.certified_sd), digits(b.sd, data.certified_sd))
            for key, (a, b) in fits.items()
        },
        fit_seconds,
        jacobian_seconds,
    )


def _best_time(jacobian: Jacobian, beta: np.ndarray, budget: float = 0.01) -> float:
    """Return the shortest time of one call, in seconds, of at least five calls and `budget` seconds."""
    best = np.inf
    end = time.perf_counter() + budget
    calls = 0
    while calls < 5 or time.perf_counter() < end:
        begin = time.perf_counter()
        jacobian(beta)
        best = min(best, time.perf_counter() - begin)
        calls += 1
    return float(best)


def heading() -> list[str]:
    """Return the lines above the rows of the table."""
    starts = "  ".join("   s1    s2" for _ in COLUMNS)
    methods = " ".join(f"{key:>{width}}" for key, width in COLUMNS.items())
    over = "  ".join(f"{key:^11}" for key in COLUMNS)
    wide, narrow = len(starts), len(methods)
    lines = [
        f"{'':23}  {'digits of the parameters':^{wide}}   "
        f"{'of the deviations':^{narrow}}   {'one Jacobian':^{narrow}}",
        f"{'':23}  {over}   {'from start 2':^{narrow}}   {'microseconds':^{narrow}}",
        f"{'set':8} {'level':7} {'m':>3} {'n':>2}  {starts}   {methods}   {methods}",
    ]
    return [line.rstrip() for line in lines]


def row(outcome: Outcome) -> str:
    """Return the line of the table for one data set."""
    data = outcome.data
    cells = [
        f"{data.name:8} {data.level:7} {data.observations:3} {data.parameters:2}",
        "  ".join("{:5.1f} {:5.1f}".format(*outcome.digits[key]) for key in COLUMNS),
        " " + " ".join(f"{outcome.sd_digits[key][1]:{width}.1f}" for key, width in COLUMNS.items()),
        " " + " ".join(f"{1e6 * outcome.jacobian_seconds[key]:{width}.0f}" for key, width in COLUMNS.items()),
    ]
    return "  ".join(cells)


def summary(outcomes: list[Outcome]) -> list[str]:
    """Return the lines of the summary: one for each method, and what the words mean."""
    total = len(outcomes)
    lines = [
        f"{'':44} {'solved from':^17} {'digits from start 2':^19} {'seconds':>8}",
        f"{'Jacobian':44} {'start 1':>8} {'start 2':>8} {'fewest':>9} {'median':>9} {'all fits':>8}",
    ]
    for key, method in METHODS.items():
        scores = np.array([outcome.digits[key] for outcome in outcomes])
        solved = [f"{count}/{total}" for count in np.count_nonzero(scores >= SOLVED, axis=0)]
        seconds = sum(outcome.fit_seconds[key] for outcome in outcomes)
        lines.append(
            f"{method.title:44} {solved[0]:>8} {solved[1]:>8} "
            f"{scores[:, 1].min():9.1f} {np.median(scores[:, 1]):9.1f} {seconds:8.2f}"
        )
    lines += [
        "",
        f"Solved: every parameter has at least {SOLVED:g} of the {CERTIFIED:g} digits that NIST certifies.",
        "Only the Jacobian differs between the lines: model, solvers, tolerances and polish are the same.",
        "Deviations: the standard deviations of the parameters. Jacobians are timed warm, the best of many.",
    ]
    if any(outcome.data.name == "Lanczos1" for outcome in outcomes):
        lines += [
            "No Jacobian gets many digits of Lanczos1's deviations: its residuals are near 1e-13, and double",
            "precision rounds the model at 1e-16.",
        ]
    return lines
