"""What a check hands back: one row per law, with the worst entry, both values and the likely cause."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..errors import WrongDerivative

RIGHT, WRONG, UNCLEAR, SKIPPED = "right", "wrong", "unclear", "skipped"


@dataclass(frozen=True, slots=True)
class Row:
    """The outcome of one law.

    Attributes
    ----------
    law : str
        What was compared, "forward" or "adjoint" for instance.
    status : {"right", "wrong", "unclear", "skipped"}
        `unclear`: the comparison itself is not accurate enough here to say; see `cause`.
    entry : str
        Where the two sides differ most.
    ours, expected
        Both values there.
    error : float
        Their difference, relative to the scale of the derivative.
    cause : str
        The likely cause where they differ: kink, noise, precision, nondeterminism or a wrong rule.
    """

    law: str
    status: str = RIGHT
    entry: str = ""
    ours: Any = None
    expected: Any = None
    error: float = 0.0
    cause: str = ""

    def __str__(self) -> str:
        text = f"{self.law:<24} {self.status:<8}"
        if self.status in (WRONG, UNCLEAR) or (self.status == RIGHT and self.ours is not None):
            text += f" {self.error:8.1e}"
        if self.status in (WRONG, UNCLEAR) and self.entry:
            text += f"  {self.entry}: {_number(self.ours)}, expected {_number(self.expected)}"
        return f"{text}  {self.cause}".rstrip()


def _number(value: Any) -> str:
    return format(value, ".10g") if isinstance(value, int | float | complex) else str(value)


@dataclass(slots=True)
class Report:
    """The outcome of a check. True if no law was found broken; printing it gives the table.

    Attributes
    ----------
    rows : list of Row
        One per law.

    Examples
    --------
    >>> from wengert.testing import Report, Row
    >>> report = Report("f", [Row("forward"), Row("reverse", "wrong", "d result / d argument 0", -1.0, 1.0, 2.0)])
    >>> bool(report), report.worst.law
    (False, 'reverse')
    """

    name: str
    rows: list[Row] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether no row is wrong."""
        return all(row.status != WRONG for row in self.rows)

    @property
    def wrong(self) -> list[Row]:
        """The broken laws."""
        return [row for row in self.rows if row.status == WRONG]

    @property
    def worst(self) -> Row | None:
        """The row with the largest error among the most serious ones."""
        if not self.rows:
            return None
        rank = {WRONG: 3, UNCLEAR: 2, RIGHT: 1, SKIPPED: 0}
        return max(self.rows, key=lambda row: (rank[row.status], row.error))

    def __bool__(self) -> bool:
        return self.ok

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __getitem__(self, law: str) -> Row:
        for row in self.rows:
            if row.law == law:
                return row
        raise KeyError(law)

    def __str__(self) -> str:
        head = f"{self.name}: {'no law is broken' if self.ok else f'{len(self.wrong)} of {len(self.rows)} laws broken'}"
        return "\n".join([head, *(f"  {row}" for row in self.rows)])

    __repr__ = __str__

    def raise_if_wrong(self) -> Report:
        """Return the report, or raise.

        Raises
        ------
        WrongDerivative
            If a law is broken. It is an AssertionError, so a test can end with this call.
        """
        if not self.ok:
            raise WrongDerivative(str(self), hint="the first wrong row names the entry; compare its two values by hand")
        return self
