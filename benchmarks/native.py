"""Compiled code: latency of tiny derivatives, ADBench's and PyTorch's published problems, long loops, sparse values.

The same measurements with more systems and sizes come from the folder `own`, which plugs into the derivative benchmark
that its README describes.
"""

from __future__ import annotations

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


FIRST = 0.3  # of JAX's first call, compilation included


def row(work: Work) -> str:
    """Measure one piece of work and return its rows of the table."""
    pooled = measure(work)
    own = pooled["wengert"]
    if "error" in own:
        return f"| {work.name} | failed: {str(own['error'])[:80]} | | | |"
    mine = float(own["median"])  # type: ignore[arg-type]
    cells, peers, first, verdicts = [], {}, {}, []
    for system, figure in pooled.items():
        if "error" in figure:
            cells.append(f"{system} failed: {str(figure['error'])[:60]}".replace("|", "/"))
            continue
        peak = f", {figure['peak']:.0f} MB" if "peak" in figure else ""
        first[system] = float(figure["first"])  # type: ignore[arg-type]
        text = f"{system} {show(float(figure['median']))} ({show(first[system])}{peak})"  # type: ignore[arg-type]
        if not figure.get("agrees", True):
            cells.append(text + ", numbers differ!")
            continue
        cells.append(text)
        if not system.startswith("wengert"):
            peers[system] = float(figure["median"])  # type: ignore[arg-type]
    others = {name: t for name, t in peers.items() if name != "numpy" and "by hand" not in name}
    for system, target in work.targets.items():
        base = min(others.values(), default=None) if system == "best" else peers.get(system)
        if base is None:
            continue
        ratio = mine / base
        verdicts.append(f"{system} {ratio:.3g} ({target:g}, {'met' if ratio <= target else 'MISSED'})")
    theirs = [seconds for system, seconds in first.items() if system.startswith("jax")]
    if theirs:
        ratio = first["wengert"] / min(theirs)
        verdicts.append(f"first call, jax {ratio:.3g} ({FIRST:g}, {'met' if ratio <= FIRST else 'MISSED'})")
    return f"| {work.name} | {'; '.join(cells)} | {'; '.join(verdicts)} |"


def main() -> str:
    """Measure everything; return a Markdown table."""
    rows = ["| work | median of a warm call (first call, peak memory of the process) | ratios (target) |", "| --- | --- | --- |"]
    for work in WORKS:
        rows.append(row(work))
        print(rows[-1], flush=True)
    note = "`wengert` is `wengert.jit` of the derivative unless it says otherwise. First calls compile; the cache on disk is off."
    return "\n".join(["## Compiled code", "", note, "", *rows])


if __name__ == "__main__":
    main()
