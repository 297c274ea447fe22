"""`python -m benchmarks [module ...]`: run the benchmarks and write RESULTS.md.

`python -m benchmarks native TEXT ...` measures those works of that module whose names contain a text.

Set WENGERT_PEERS to the Python of an environment with the peers (see README.md in this folder).
"""

from __future__ import annotations

import importlib
import os
import platform
import sys
from pathlib import Path

import numpy as np

MODULES = ("core", "sparse", "native", "transforms")
RESULTS = Path(__file__).parent / "RESULTS.md"


def processor() -> str:
    """Return the processor's name where the system tells it."""
    try:
        with open("/proc/cpuinfo") as file:
            return next(row.split(":")[1].strip() for row in file if row.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def main(names: list[str]) -> None:
    """Run the named modules, or all that exist, and write one section file for each."""
    here = Path(__file__).parent
    chosen = [name for name in names if name in MODULES] or [n for n in MODULES if (here / f"{n}.py").exists()]
    wanted = [name for name in names if name not in MODULES]
    sections = here / "results"
    sections.mkdir(exist_ok=True)
    try:
        for name in chosen:
            module = importlib.import_module(f"benchmarks.{name}")
            (sections / f"{name}.md").write_text(module.main(*wanted) + "\n")
    finally:  # a run that is cut short keeps what it has
        write(sections)


def write(sections: Path) -> None:
    """Write RESULTS.md from the sections that exist."""
    head = [
        "# Results",
        "",
        f"{processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, NumPy {np.__version__}. "
        "Ratios are of medians, all systems in turn in one run, numbers compared first. "
        "Made by `make bench`.",
        "",
    ]
    parts = [(sections / f"{name}.md").read_text() for name in MODULES if (sections / f"{name}.md").exists()]
    RESULTS.write_text("\n".join(head) + "\n" + "\n".join(parts))
    print(f"\nwrote {RESULTS}")


main(sys.argv[1:])
