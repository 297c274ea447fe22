"""Compiled code: latency of tiny derivatives, ADBench's and PyTorch's published problems, long loops, sparse values.

The same measurements with more systems and sizes come from the folder `own`, which plugs into the derivative benchmark
that its README describes.
"""

from __future__ import annotations

from pathlib import Path

from . import native_adbench as a
from . import native_sources as s
from .harness import Work, measure, show

WORKS = [
    *(
        Work(f"{title}", s.TINY, {"name": name}, {"jax": 0.05, "casadi, buffer()": 1.5, "numpy": target})
        for name, title, target in (
            ("lotka", "Lotka-Volterra Jacobian", 0.3),
            ("robertson", "Robertson Jacobian", 0.3),
            ("ten", "gradient of 10 operations", 1.0),
            ("branching", "gradient with a Python loop and branch", 1.0),
        )
    ),
    *(
        Work(f"robust regression, {what}", s.REGRESSION, {"what": what}, {"jax": 0.3})
        for what in ("gradient", "hvp", "hessian")
    ),
    Work("5 Newton steps, 50 unknowns", s.NEWTON, {}, {"best": 0.5, "numpy": 1.0}),
    *(
        Work(f"chain of {ops:,} operations", s.CHAIN, {"ops": ops}, {"best": 0.7, "numpy": 1.3})
        for ops in (1000, 100_000)
    ),
    *(
        Work(
            f"dense Jacobian of x*x*x, {'x'.join(map(str, shape))}",
            s.CUBE,
            {"shape": shape},
            {"best": target, "numpy": 1.1},
        )
        for shape, target in (([2, 2], 0.2), ([100], 0.2), ([1000], 0.6), ([4000], 0.8))
    ),
    Work("MLP batch Jacobian, 64 x 128 -> 64", s.MLP, {"layers": [128, 256, 64]}, {"best": 1.0}),
    Work("logistic regression Hessian, 2000 x 200", s.LOGISTIC, {"n": 2000, "d": 200}, {"best": 0.6, "numpy": 1.2}),
    *(
        Work(f"ADBench GMM gradient, {n:,} points, d = 10, K = 25", a.GMM, {"n": n, "d": 10, "K": 25}, {"best": 0.7})
        for n in (1000, 10_000)
    ),
    Work(
        "ADBench LSTM gradient, 2 layers, 1,024 characters",
        a.LSTM,
        {"layers": 2, "c": 1024, "b": 14},
        {"best": 0.6, "numba, by hand": 1.3},
    ),
    Work(
        "ADBench bundle adjustment, 31,843 observations, sparse",
        a.BUNDLE,
        {"n": 49, "m": 7776, "k": 31843},
        {"best": 0.15},
    ),
    *(
        Work(f"Brusselator Jacobian, sparse, N = {n}", a.BRUSSELATOR, {"N": n}, {"best": 0.2, "numpy": 1.3})
        for n in (64, 128)
    ),
    Work("Rosenbrock Hessian, sparse, n = 10,000", a.ROSENBROCK, {"n": 10_000}, {"best": 0.3, "numpy": 2.0}),
    Work("hand tracking Jacobian, 300 x 26 (a model of that shape)", s.HAND, {}, {"best": 0.5}),
]


COMPILE = 0.3  # of JAX's
NOTE = """`wengert` is `wengert.jit` of the derivative unless it says otherwise. Each system has rows of its own:

* steady: median of a warm call;
* compile: first call less the fastest warm one, in a process that has imported its libraries and compiled something else before;
* fresh process: imports of NumPy and the system, plus making the function and its first call; the cache on disk is off;
* peak: memory of the process;
* ours / its: `wengert`'s steady time over this system's (and the target), and the same of compile times.

A row is replaced as soon as it is measured again: `python -m benchmarks native TEXT` measures the works whose names
contain TEXT."""
HEAD = (
    "| work | system | steady | compile | fresh process | peak | steady, ours / its | compile, ours / its |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- |"
)
SECTION = Path(__file__).parent / "results" / "native.md"


def verdict(ratio: float, target: float | None) -> str:
    """Return a ratio, with whether it meets its target."""
    if target is None:
        return f"{ratio:.3g}"
    return f"{ratio:.3g} ({target:g}, {'met' if ratio <= target else 'MISSED'})"


def rows_of(work: Work) -> list[str]:
    """Measure one piece of work and return its rows of the table, one for each system."""
    pooled = measure(work, starting=True)
    good = {system: f for system, f in pooled.items() if "error" not in f and f.get("agrees", True)}
    peers = [s for s in good if not s.startswith("wengert") and s != "numpy" and "by hand" not in s]
    own = good.get("wengert")
    best = min(peers, key=lambda s: _number(good[s], "median"), default=None)
    rows = []
    for system, figure in pooled.items():
        if "error" in figure:
            what = str(figure["error"])[:60].replace("|", "/")
            rows.append(f"| {work.name} | {system} | failed: {what} | | | | | |")
            continue
        imports, first = _number(figure, "imports"), _number(figure, "fresh")
        cells = [
            work.name,
            system,
            show(_number(figure, "median")),
            show(_number(figure, "compile")),
            f"{show(imports)} + {show(first)}",
            f"{_number(figure, 'peak'):.0f} MB",
        ]
        steady = compiled = ""
        if not figure.get("agrees", True):
            steady = "numbers differ!"
        elif own is not None and not system.startswith("wengert"):
            target = work.targets.get(system, work.targets.get("best") if system == best else None)
            steady = verdict(_number(own, "median") / _number(figure, "median"), target)
            if system.startswith(("jax", "asdex")):
                target = COMPILE if system.startswith("jax") else None
                compiled = verdict(_number(own, "compile") / _number(figure, "compile"), target)
        rows.append("| " + " | ".join([*cells, steady, compiled]) + " |")
    return rows


def _number(figure: dict[str, object], name: str) -> float:
    return float(figure[name])  # type: ignore[arg-type]


def page(known: dict[str, list[str]]) -> str:
    """Return the section: the rows that are known, in the order of `WORKS`."""
    rows = [row for work in WORKS for row in known.get(work.name, ())]
    return "\n".join(["## Compiled code", "", NOTE, "", HEAD, *rows])


def known_rows() -> dict[str, list[str]]:
    """Return the rows that were measured before, by the name of the work."""
    known: dict[str, list[str]] = {}
    for row in SECTION.read_text().splitlines() if SECTION.exists() else []:
        if row.startswith("| ") and row.count(" |") == HEAD.splitlines()[0].count(" |"):
            known.setdefault(row[2:].split(" | ")[0], []).append(row)
    return known


def main(*wanted: str) -> str:
    """Measure everything, or what is wanted; return the section. Rows are written as they are finished."""
    known = known_rows()
    for work in WORKS:
        if wanted and not any(text in work.name for text in wanted):
            continue
        known[work.name] = rows_of(work)
        print(*known[work.name], sep="\n", flush=True)
        SECTION.write_text(page(known) + "\n")
    return page(known)


if __name__ == "__main__":
    main()
