"""Read NIST's Statistical Reference Datasets for nonlinear regression.

One idea: a file is trusted only as far as it agrees with itself. The header says on which lines the starting
values, the certified values and the data are, and how many of each there should be; `parse` reads those lines
and checks every count. This module knows the file format and nothing of models, fits or derivatives.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from importlib.resources import files

import numpy as np

from ..errors import WengertError

__all__ = ["SOURCE", "Dataset", "DatasetError", "load", "names", "parse"]


SOURCE = "https://www.itl.nist.gov/div898/strd/nls/nls_main.shtml"
"""Where NIST keeps the files."""


class DatasetError(WengertError, ValueError):
    """A NIST data file does not have the form that NIST describes.

    Cause: the file was cut short or edited, or is not one of the nonlinear regression files.
    Fix: the message names the line and what was expected there; take a fresh copy from
    https://www.itl.nist.gov/div898/strd/nls/nls_main.shtml.

    Examples
    --------
    >>> from wengert.demo.nist import parse
    >>> parse("some other text", name="notes.txt")
    Traceback (most recent call last):
        ...
    wengert.demo.nist.DatasetError: notes.txt: no line "Dataset Name:" in the header.
    Why: a NIST nonlinear regression file names its data set near the top.
    Try: a fresh copy of the file from https://www.itl.nist.gov/div898/strd/nls/nls_main.shtml
    """


@dataclass(frozen=True)
class Dataset:
    """One data set: measurements, two starting points and the certified answer.

    Certified values are for scoring a fit. Nothing that computes a fit should read them.
    """

    name: str
    level: str
    """Level of difficulty: ``"Lower"``, ``"Average"`` or ``"Higher"``."""
    model_text: str
    """The model's formula, as the file writes it."""
    y: np.ndarray = field(repr=False)
    """The response, shape (m,)."""
    x: np.ndarray = field(repr=False)
    """The predictor, shape (m,); (p, m) where there are p > 1 predictors."""
    starts: np.ndarray = field(repr=False)
    """Start 1 and start 2, shape (2, n)."""
    certified: np.ndarray = field(repr=False)
    """Certified parameters, shape (n,)."""
    certified_sd: np.ndarray = field(repr=False)
    """Certified standard deviations of the parameters, shape (n,)."""
    certified_rss: float = field(repr=False)
    """Certified residual sum of squares."""
    certified_residual_sd: float = field(repr=False)
    """Certified residual standard deviation, ``sqrt(rss / (m - n))``."""

    @property
    def observations(self) -> int:
        """The number m of observations."""
        return int(self.y.size)

    @property
    def parameters(self) -> int:
        """The number n of parameters."""
        return int(self.certified.size)


def names() -> list[str]:
    """Return the names of the data sets that come with the package, sorted.

    Examples
    --------
    >>> len(names())
    27
    """
    here = files(__package__).joinpath("data")
    return sorted(entry.name[:-4] for entry in here.iterdir() if entry.name.endswith(".dat"))


def load(name: str) -> Dataset:
    """Return the packaged data set called `name`; upper and lower case are the same.

    Raises
    ------
    DatasetError
        If no packaged set has that name.

    Examples
    --------
    >>> data = load("misra1a")
    >>> data.name, data.observations, data.parameters
    ('Misra1a', 14, 2)
    """
    for known in names():
        if known.lower() == name.lower():
            source = files(__package__).joinpath("data").joinpath(f"{known}.dat")
            return parse(source.read_text(encoding="ascii"), name=source.name)
    raise DatasetError(
        f"No data set is called {name!r}.",
        why=f"the package has {len(names())} sets and this is none of them.",
        hint=f"one of {', '.join(names())}",
    )


def parse(text: str, *, name: str = "data file") -> Dataset:
    """Return the data set written in `text`.

    Parameters
    ----------
    text : str
        The whole content of a NIST nonlinear regression file.
    name : str
        What error messages call the file.

    Raises
    ------
    DatasetError
        If a part is missing, is not a number, or disagrees with the header. The message names the line.
    """
    return _Reader(text, name).dataset()


_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([Ee][-+]?\d+)?")
_PARAMETER = re.compile(r"\s*b(\d+)\s*=\s*(.*)")


class _Reader:
    """The lines of one file and the ways to ask for them."""

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self.lines = text.splitlines()

    def dataset(self) -> Dataset:
        title = self.header(r"Dataset Name:\s*(\S+)", "Dataset Name:", "names its data set near the top")
        m = self.count("Observations?")
        n = self.count("Parameters?")
        p = self.count("Predictors?")
        grades = r"\s*(Lower|Average|Higher) Level of Difficulty"
        level = self.header(grades, "... Level of Difficulty", "states its level of difficulty")
        first, last = self.span("Starting Values")
        certified_first, certified_last = self.span("Certified Values")
        parameters = self.parameters(first, last, n)
        rss = self.labelled("Residual Sum of Squares:", certified_first, certified_last)
        residual_sd = self.labelled("Residual Standard Deviation:", certified_first, certified_last)
        observed = self.labelled("Number of Observations:", certified_first, certified_last)
        if observed != m:
            raise self.error(
                f"{observed:g} observations among the certified values, but {m} in the header",
                "both counts describe the same data",
            )
        # Not checked by the line "Degrees of Freedom": NIST's own Rat43 says 9 where 15 - 4 = 11 was used.
        if m <= n or not math.isclose(rss, (m - n) * residual_sd**2, rel_tol=1e-9):
            raise self.error(
                f"{m} observations, {n} parameters, sum of squares {rss:g}, deviation {residual_sd:g}",
                "the sum of squares is (observations - parameters) times the deviation squared",
            )
        values = self.table(m, p)
        return Dataset(
            name=title[0],
            level=level[0],
            model_text=self.model_text(),
            y=values[:, 0].copy(),
            x=values[:, 1].copy() if p == 1 else values[:, 1:].T.copy(),
            starts=parameters[:, :2].T.copy(),
            certified=parameters[:, 2].copy(),
            certified_sd=parameters[:, 3].copy(),
            certified_rss=rss,
            certified_residual_sd=residual_sd,
        )

    # What the header says -------------------------------------------------------------------------

    def header(self, pattern: str, label: str, why: str) -> tuple[str, ...]:
        """Return the groups of the first line that starts with `pattern`."""
        for line in self.lines:
            found = re.match(pattern, line)
            if found:
                return found.groups()
        raise self.error(f'no line "{label}" in the header', f"a NIST nonlinear regression file {why}")

    def count(self, what: str) -> int:
        """Return the number in a line such as ``214 Observations``, which may follow a label."""
        label = what.removesuffix("s?") + "s"
        pattern = rf"(?:Data:|Model:)?\s+(\d+)\s+{what}\b"
        (number,) = self.header(pattern, f"<number> {label}", f"counts its {label.lower()}")
        return int(number)

    def span(self, what: str) -> tuple[int, int]:
        """Return first and last line number, both counted from one, of a part that the header announces."""
        where = rf"(?:File Format:\s+ASCII)?\s*{what}\s+\(lines\s+(\d+)\s+to\s+(\d+)\s*\)"
        label = f"{what} (lines ... to ...)"
        first, last = map(int, self.header(where, label, "says on which lines its parts are"))
        if not 1 <= first <= last:
            raise self.error(f"{what} on lines {first} to {last}", "the first line comes before the last")
        if last > len(self.lines):
            raise self.error(
                f"{what} on lines {first} to {last}, but the file ends at line {len(self.lines)}",
                "the header's line numbers count from the top of the file; the end may be missing",
            )
        return first, last

    def model_text(self) -> str:
        """Return the formula: what is between ``Model:`` and ``Starting values`` and is no count."""
        body: list[str] = []
        inside = False
        for line in self.lines:
            if line.startswith("Model:"):
                inside = True
            elif inside and re.match(r"\s*Starting [Vv]alues", line):
                break
            elif inside and not re.match(r"\s+\d+\s+Parameters?\b", line):
                body.append(line.strip())
        return "\n".join(line for line in body if line)

    # What stands on the lines it names ------------------------------------------------------------

    def parameters(self, first: int, last: int, n: int) -> np.ndarray:
        """Return start 1, start 2, certified value and standard deviation of each parameter, shape (n, 4)."""
        if last - first + 1 != n:
            raise self.error(
                f"{n} parameters, but starting values on lines {first} to {last}",
                "each parameter has one line",
            )
        rows = []
        for index, number in enumerate(range(first, last + 1), start=1):
            line = self.lines[number - 1]
            found = _PARAMETER.match(line)
            if not found or int(found[1]) != index:
                raise self.error(
                    f"expected 'b{index} = ...', found {line.strip()!r}", "parameters stand in order", number
                )
            rows.append(
                self.numbers(found[2], 4, number, "start 1, start 2, certified value, standard deviation")
            )
        return np.array(rows)

    def labelled(self, label: str, first: int, last: int) -> float:
        """Return the number after `label` on one of the lines `first` to `last`."""
        for number in range(first, last + 1):
            line = self.lines[number - 1]
            if line.startswith(label):
                return self.numbers(line.removeprefix(label), 1, number, label.removesuffix(":").lower())[0]
        raise self.error(
            f'no "{label}" on lines {first} to {last}', "the certified values are on those lines"
        )

    def table(self, m: int, p: int) -> np.ndarray:
        """Return the data, shape (m, 1 + p): response first, then predictors."""
        first, last = self.span("Data")
        if last - first + 1 != m:
            raise self.error(
                f"{m} observations, but data on lines {first} to {last}", "each observation has one line"
            )
        meaning = "the response and the predictor" if p == 1 else f"the response and {p} predictors"
        rows = [
            self.numbers(self.lines[number - 1], 1 + p, number, meaning) for number in range(first, last + 1)
        ]
        after = [number for number in range(last + 1, len(self.lines) + 1) if self.lines[number - 1].strip()]
        if after:
            raise self.error(
                f"more text after the data: {self.lines[after[0] - 1].strip()!r}",
                f"the header says that the data end at line {last}",
                after[0],
            )
        return np.array(rows)

    def numbers(self, text: str, count: int, number: int, meaning: str) -> list[float]:
        """Return exactly `count` numbers read from `text`, which stands on line `number`."""
        words = text.split()
        if len(words) != count:
            raise self.error(
                f"numbers needed: {count}, found: {len(words)}, in {text.strip()!r}",
                f"the line holds {meaning}",
                number,
            )
        for word in words:
            if not _NUMBER.fullmatch(word):
                raise self.error(f"{word!r} is not a number", f"the line holds {meaning}", number)
        return [float(word) for word in words]

    def error(self, what: str, why: str, number: int | None = None) -> DatasetError:
        where = self.name if number is None else f"{self.name}, line {number}"
        return DatasetError(
            f"{where}: {what}.", why=f"{why}.", hint=f"a fresh copy of the file from {SOURCE}"
        )
