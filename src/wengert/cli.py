"""The command line: ``wengert demo`` and ``wengert --version``.

It imports what a command needs when that command runs, so that ``wengert --version`` is quick.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .demo.score import Outcome

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in `argv` (the process's own arguments if None) and return its exit status.

    0 means done, 1 that the demo missed its own mark, 2 that the command was wrong.
    """
    parser = _parser()
    options = parser.parse_args(argv)
    if options.command is None:
        parser.print_help()
        return 2
    return _demo(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="wengert", description="Exact derivatives of ordinary NumPy code.")
    parser.add_argument("--version", action="version", version=f"wengert {_version()}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="fit NIST's 27 certified nonlinear regression sets and print how many digits are right",
        description="Fit NIST's certified regression sets with exact and with finite-difference Jacobians.",
    )
    demo.add_argument("--set", nargs="+", metavar="NAME", dest="sets", help="only these (default: all 27)")
    demo.add_argument(
        "--figure",
        type=Path,
        metavar="PATH",
        default=Path("nist-fits.png"),
        help="where to write the picture of all fits (default: %(default)s)",
    )
    return parser


def _version() -> str:
    try:
        return version("wengert")
    except PackageNotFoundError:  # a source tree on the path, never installed
        return "(not installed)"


def _demo(options: argparse.Namespace) -> int:
    from .demo import nist, score

    try:
        sets = None if options.sets is None else [nist.load(name).name for name in options.sets]
    except nist.DatasetError as error:
        print(error, file=sys.stderr)
        return 2
    print("Fitting NIST's certified nonlinear regression sets (m observations, n parameters).\n")
    print("\n".join(score.heading()))
    outcomes = []
    for outcome in score.run(sets):
        print(score.row(outcome), flush=True)
        outcomes.append(outcome)
    print("", *score.summary(outcomes), "", sep="\n")
    _figure(outcomes, options.figure)
    return 0 if all(outcome.digits["exact"][1] >= score.SOLVED for outcome in outcomes) else 1


def _figure(outcomes: list[Outcome], path: Path) -> None:
    try:
        from .demo.figure import draw
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != "matplotlib":
            raise
        print('No figure: matplotlib is not installed.\nTry: pip install "wengert[plot]"')
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draw(outcomes, path)
    print(f"Figure: {path}")


if __name__ == "__main__":
    sys.exit(main())
