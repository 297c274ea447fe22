"""Calls of a derivative that run none of the user's Python code.

A derivative that is called again and again spends most of its time in recording the function anew. Where it is proved
(`purity`) that the function is determined by its arguments and by what it reads from outside, that is recorded and
compiled once, with all of this as run-time inputs (`lifted`), and later calls go to the machine code. It holds for one
path through the function's branches, which it checks after each run. Wherever anything is not as it was, or a
floating-point warning is due, or somebody wants to see the function run (a debugger, an open recording), the function is
recorded as always. `WENGERT_NATIVE=off` turns this off.
"""

from __future__ import annotations

import contextlib
import sys
import types
import warnings
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .. import tree
from ..execute.native import hot
from ..execute.native.flags import flags
from ..recording import AMBIENT, current

if TYPE_CHECKING:
    from .lifted import Front
    from .purity import Proof

CAPACITY = 128  # functions and transforms that are remembered; those with machine code longest
MOST_FRONTS = 8  # paths and kinds of arguments for each
MOST_FAILURES = 4  # times that proving or compiling may be tried in vain
WASTE = 0.25  # share of the time of recorded calls that may be lost with machine code that does not fit
TRIALS = 25  # timed runs among which one has to be faster than recording
FEWER = 4  # timed runs after which code that takes more than twice as long is given up
_MILD = ("warn", "ignore")


class Transform(Protocol):
    """A derivative of a function."""

    function: Callable[..., Any]

    key: Any
    """What tells this derivative from other ones of the same function."""

    def around(self, function: Callable[..., Any]) -> Transform:
        """Return the same derivative of another function."""

    def evaluate(self, *args: Any) -> Any:
        """Record the function and return its derivative."""


_sites: dict[Any, Site] = {}


def call(transform: Transform, args: tuple[Any, ...]) -> Any:
    """Return the derivative at these arguments: from machine code where that is right and pays, else by recording."""
    function = transform.function
    if current() is not AMBIENT:
        return transform.evaluate(*args)
    try:
        site = _site(function, transform.key)
    except TypeError:  # an option that is no plain value: it is for `evaluate` to say so
        return transform.evaluate(*args)
    if site is None or site.closed:
        return transform.evaluate(*args)
    start = perf_counter()
    if site.ready:
        found = site.answer(function, args)
        if found is not None:
            return found
        start = site.missed(start)
    result = transform.evaluate(*args)
    site.note(transform, args, result, perf_counter() - start)
    return result


def _site(function: Any, key: Any) -> Site | None:
    """Return what is known of a derivative of a plain function, or of a derivative of one; None of any other."""
    while type(function) is not types.FunctionType:
        inner = getattr(function, "key", ()) if hasattr(type(function), "around") else ()
        if not inner:
            return None
        key = (key, inner)
        function = function.function
    if not key:
        return None
    code = function.__code__
    site = _sites.get((id(code), key))
    if site is None or site.code is not code:
        site = _sites[id(code), key] = Site(code)
        while len(_sites) > CAPACITY:
            with contextlib.suppress(KeyError, RuntimeError):  # another thread was quicker
                oldest = next(iter(_sites))
                idle = (known for known, other in _sites.items() if not other.ready and other is not site)
                _sites.pop(next(idle, oldest))
    return site


def status(transform: Transform) -> str:
    """Return in words how calls of a derivative are answered."""
    site = _site(transform.function, transform.key)
    if site is None:
        return "recorded in each call: only plain Python functions can be proved pure"
    count = sum(len(entry.fronts) for entry in site.entries)
    if count:
        return f"proved pure: recording is skipped; {count} path{'s' * (count > 1)} compiled"
    if site.reason:
        return f"recorded in each call: {site.reason}"
    from .purity import NotProved, Proof

    try:
        Proof(transform.function)
    except NotProved as problem:
        return f"recorded in each call: {problem}"
    return "proved pure: recording is skipped once it has run often enough"


# ---------------------------------------------------------------- who is watching


def _undisturbed() -> bool:
    """Whether nobody watches Python code run, and floating-point problems lead to warnings at most."""
    if sys.gettrace() is not None or sys.getprofile() is not None or (_MONITORING and _monitored()):
        return False
    return _error_settings() and not _warnings_raise()


_MONITORING: Any = getattr(sys, "monitoring", None)


def _monitored() -> bool:
    return any(_MONITORING.get_tool(i) is not None for i in range(6))


class _ErrorSettings:
    """Whether floating-point problems are warned of or ignored; looked up again when the settings change."""

    def __init__(self) -> None:
        # Where NumPy keeps its settings: they are replaced, never changed, so that one look tells if they are the same.
        self.variable = getattr(np._core.umath, "_extobj_contextvar", None)  # type: ignore[attr-defined]
        self.known: Any = None

    def __call__(self) -> bool:
        settings = self.variable.get(self) if self.variable is not None else None
        if settings is not None and settings is self.known:
            return True
        if any(mode not in _MILD for mode in np.geterr().values()):
            return False
        self.known = settings
        return True


class _Filters:
    """Whether a RuntimeWarning may become an error; looked up again when the filters change."""

    def __init__(self) -> None:
        self.known: tuple[Any, ...] = (None, 0, None, None, False)

    def __call__(self) -> bool:
        filters = warnings.filters
        known, count, first, last, raises = self.known
        if filters is known and len(filters) == count and (not count or (filters[0] is first and filters[-1] is last)):
            return raises
        raises = bool(getattr(sys.flags, "context_aware_warnings", 0)) or any(
            entry[0] == "error" and issubclass(RuntimeWarning, entry[2]) for entry in filters
        )
        ends = (filters[0], filters[-1]) if filters else (None, None)
        self.known = (filters, len(filters), *ends, raises)
        return raises


_error_settings = _ErrorSettings()
_warnings_raise = _Filters()


# ---------------------------------------------------------------- one derivative of one function


class Entry:
    """A proof, and the machine code of the paths that were taken under it."""

    __slots__ = ("fronts", "proof")

    def __init__(self, proof: Proof) -> None:
        self.proof = proof
        self.fronts: list[Front] = []


class Site:
    """What is known of one derivative of one function, or of functions that share its code.

    Attributes
    ----------
    closed : bool
        Whether its calls are recorded for good.
    reason : str
        Why calls were recorded.
    entries : list of Entry
        One for each set of functions and modules that the function was seen to reach.
    ready : bool
        Whether there is machine code.
    spent : float
        Seconds in recorded calls since code was compiled last.
    varying : set of int
        The positions of integers that were seen to change.
    """

    def __init__(self, code: types.CodeType) -> None:
        self.code = code
        self.reason = ""
        self.closed = False
        self.entries: list[Entry] = []
        self.ready = False
        self.varying: set[int] = set()
        self.spent = 0.0
        self._calls = 0
        self._due = hot.PROGRAM
        self._quickest = float("inf")
        self._recorded = 0.0
        self._missed = 0.0
        self._failures = 0
        if not hot.enabled():
            self._close("WENGERT_NATIVE=off")
        elif flags() is None:
            self._close("this platform's floating-point flags cannot be read")

    def _close(self, reason: str) -> None:
        self.closed, self.reason, self.entries = True, reason, []

    def _failed(self, reason: str) -> None:
        """Note that these arguments, or this function of those that share the code, have to be recorded."""
        self.reason = reason
        self._failures += 1
        if self._failures >= MOST_FAILURES:
            self._close(reason)

    # ------------------------------------------------------------ answering

    def answer(self, function: Any, args: tuple[Any, ...]) -> Any:
        """Return the result by machine code, or None."""
        if not _undisturbed():
            return None
        leaves = structure = None
        try:
            for entry in self.entries:
                outside = entry.proof.fetch(function)
                if outside is None:
                    continue
                for front in entry.fronts:
                    if front.structure is None:
                        values = (*args, *outside)
                    else:
                        if leaves is None:
                            leaves, structure = tree.flatten(args)
                        if structure != front.structure:
                            continue
                        values = (*leaves, *outside)
                    found = front.run(values) if front.trials >= TRIALS else self._timed(front, values)
                    if found is not None:
                        return found
        except Exception:  # the function itself, when it runs, is to say what is wrong
            pass
        return None

    def missed(self, start: float) -> float:
        """Count a call that the machine code could not answer; return what the clock says now."""
        now = perf_counter()
        self._missed += now - start
        if self._missed > WASTE * self._recorded:
            self._close("the machine code fitted too few of the calls")
        return now

    def _timed(self, front: Front, values: Sequence[Any]) -> Any:
        start = perf_counter()
        found = front.run(values)
        if found is not None:
            front.trials += 1
            front.best = min(front.best, perf_counter() - start)
            if front.best <= self._quickest:
                front.trials = TRIALS
            elif front.trials == TRIALS or (front.trials == FEWER and front.best > 2 * self._quickest):
                self._close("the machine code was not faster")
        return found

    # ------------------------------------------------------------ learning

    def note(self, transform: Transform, args: tuple[Any, ...], result: Any, seconds: float) -> None:
        """Count a recorded call; prove and compile if that pays by now."""
        self._calls += 1
        self._recorded += seconds
        if self._calls == 1:  # it may have imported modules
            return
        self._quickest = min(self._quickest, seconds)
        self.spent += min(seconds, 4 * self._quickest)  # what took longer than others will not be saved again
        if self._calls < hot.FEWEST or self.spent < self._due + hot.import_cost():
            return
        from .lifted import Postponed, Unfit, learn
        from .purity import NotProved

        start = perf_counter()
        try:
            entry = self._entry(transform.function)
            entry.fronts.insert(0, learn(self, entry, transform, args, result))
            self.ready = True
        except Postponed as until:
            self._due = until.seconds
            return
        except Unfit as problem:
            self.reason = str(problem)
        except NotProved as problem:
            self._failed(str(problem))
        except Exception as problem:  # whatever it is, recording in each call is always right
            self._failed(f"{type(problem).__name__} when it was compiled: {problem}")
        # The next one has to be earned anew.
        self.spent, self._due = 0.0, max(self._due, perf_counter() - start)

    def _entry(self, function: Any) -> Entry:
        """Return the proof that the function is determined by its arguments and by what it reads from outside.

        Raises
        ------
        NotProved
            If there is none, or too much was compiled already.
        """
        from .purity import NotProved, Proof

        for entry in self.entries:
            if entry.proof.fetch(function) is not None:
                break
        else:
            entry = Entry(Proof(function))
            self.entries.append(entry)
        if sum(len(entry.fronts) for entry in self.entries) >= MOST_FRONTS or len(self.entries) > MOST_FRONTS:
            raise NotProved(f"it took more than {MOST_FRONTS} paths, or kinds of arguments or of values from outside")
        return entry
