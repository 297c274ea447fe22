"""Run the same work in several systems, each in its own process, in turn, and compare.

Peers live in an environment of their own; the variable WENGERT_PEERS names its Python. A piece of work is the
source of a `make()` function that returns `run`, a callable without arguments whose result converts to an array.
Every round runs each system once, so drift of the machine hits all alike; ratios are of medians over rounds.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
PEERS = os.environ.get("WENGERT_PEERS", "")

_CHILD = '''
import json, sys, time, gc
spec = json.load(sys.stdin)
began = time.perf_counter()
import numpy as np, numpy.random
scope = {}
exec(spec["source"], scope)
if spec["warm"]:
    exec(spec["warm"], {})
started = time.perf_counter()
run = scope["make"](**spec["settings"])
out = run()
first = time.perf_counter() - started
imports = started - began
def to_array(value):
    if isinstance(value, (list, tuple)):
        return [to_array(v) for v in value]
    if hasattr(value, "detach"):
        value = value.detach()
    if hasattr(value, "numpy"):
        value = value.numpy()
    return np.asarray(value, dtype=complex if np.asarray(value).dtype.kind == "c" else float)
def digest(value):
    if isinstance(value, list):
        return [x for v in value for x in digest(v)]
    flat = value.ravel()
    weights = np.cos(np.arange(flat.size) * 0.7 + 0.3)
    return [float(np.real(flat @ weights)), float(np.abs(flat).sum()), float(flat.size)]
check = digest(to_array(out))
del out
budget = spec["budget"]
if not budget:
    print("RESULT " + json.dumps(dict(imports=imports, first=first)))
    sys.exit()
once = time.perf_counter(); run(); once = time.perf_counter() - once
inner = max(1, int(2e-3 / max(once, 1e-7)))
samples = []
gc.collect()
begin = time.perf_counter()
while len(samples) < 3 or time.perf_counter() - begin < budget:
    t = time.perf_counter()
    for _ in range(inner):
        run()
    samples.append((time.perf_counter() - t) / inner)
    if len(samples) > 400 or time.perf_counter() - begin > 8 * budget:
        break
samples.sort()
import resource
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
middle, fastest = samples[len(samples) // 2], samples[0]
print("RESULT " + json.dumps(dict(median=middle, fastest=fastest, first=first, check=check, peak=peak)))
'''


@dataclass
class Work:
    """One row of a table: the systems' sources, the settings they share, and our target against the best peer."""

    name: str
    sources: dict[str, str]
    settings: dict[str, object] = field(default_factory=dict)
    targets: dict[str, float] = field(default_factory=dict)  # system (or "best") -> ratio to reach
    budget: float = 0.4
    unit: float = 1.0
    tolerance: float = 1e-9


# What each system compiles before its clock starts, so that compilation is compared without the loading of compilers.
_JAX = (
    "import jax, jax.numpy as np\n"
    "jax.block_until_ready(jax.jit(jax.grad(lambda x: np.sum(np.sin(x) * x)))(np.ones(100_000)))"
)
WARM = {
    "wengert": "import scipy.linalg, scipy.sparse, scipy.special, numpy as np, wengert as wg\n"
    "wg.jit(wg.grad(lambda x: np.sum(np.sin(x) * x)))(np.ones(100_000))",
    "jax": _JAX,
    "asdex": _JAX,
    "torch": "import torch\ntorch.func.grad(lambda x: torch.sum(torch.sin(x) * x))(torch.ones(100_000))",
    "numba": "import numba\nnumba.njit(lambda x: x + 1.0)(1.0)",
}


def child(python: str, source: str, settings: dict[str, object], budget: float, warm: str = "") -> dict[str, object]:
    """Time one system in a process of its own; without a budget, its imports and first call alone."""
    environment = dict(os.environ)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        environment[name] = str(os.cpu_count() or 1)
    environment.update(TF_CPP_MIN_LOG_LEVEL="3", JAX_ENABLE_X64="1", JAX_PLATFORMS="cpu", CUDA_VISIBLE_DEVICES="")
    if python == sys.executable:
        environment["PYTHONPATH"] = str(ROOT / "src")
        environment.setdefault("WENGERT_CACHE", "off")  # first calls compile
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # installed packages come with their bytecode
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # BLAS chooses for this processor, as it does for users
        environment.pop(name, None)
    done = subprocess.run(
        [python, "-c", _CHILD],
        input=json.dumps({"source": source, "settings": settings, "budget": budget, "warm": warm}),
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
        check=False,
    )
    for row in done.stdout.splitlines():
        if row.startswith("RESULT "):
            return json.loads(row[7:])
    return {"error": (done.stderr.strip().splitlines() or ["no output"])[-1][:200]}


def measure(work: Work, rounds: int = 3, *, starting: bool = False) -> dict[str, dict[str, object]]:
    """Return per system the pooled figures, or the error that stopped it.

    With `starting`, each system has compiled something else before its clock starts, so that `compile` (first call less
    a warm one) is compilation alone; `imports` and `fresh` are the parts of a first call in a process that has not.
    """
    figures: dict[str, list[dict[str, object]]] = {}
    for number in range(rounds):
        for system, source in work.sources.items():
            python = sys.executable if system.split(",")[0] in ("wengert", "numpy") else PEERS
            if not python:
                figures.setdefault(system, []).append({"error": "WENGERT_PEERS is not set"})
                continue
            warm = WARM.get(system.split(",")[0], "") if starting else ""
            row = child(python, source, work.settings, work.budget, warm)
            if starting and "error" not in row:
                if number == 0:
                    nothing = child(python, source, work.settings, 0.0)
                    row.update(imports=nothing["imports"], fresh=nothing["first"])
                row["compile"] = max(float(row["first"]) - float(row["fastest"]), 0.0)  # type: ignore[arg-type]
            figures.setdefault(system, []).append(row)
    pooled: dict[str, dict[str, object]] = {}
    for system, rows in figures.items():
        good = [row for row in rows if "error" not in row]
        if not good:
            pooled[system] = rows[0]
            continue
        pooled[system] = {
            "median": statistics.median(row["median"] for row in good),  # type: ignore[type-var]
            **{
                name: min(row[name] for row in good if name in row)  # type: ignore[type-var]
                for name in ("first", "compile", "imports", "fresh")
                if any(name in row for row in good)
            },
            "peak": max(row["peak"] for row in good),  # type: ignore[type-var]
            "check": good[0]["check"],
        }
    reference = pooled.get("wengert", {}).get("check")
    for system, figure in pooled.items():
        if "check" in figure and reference is not None and system != "numpy":  # that one is a control, often f itself
            found = figure["check"]
            figure["agrees"] = len(found) == len(reference) and bool(  # type: ignore[arg-type]
                np.allclose(found, reference, rtol=work.tolerance, atol=work.tolerance)  # type: ignore[arg-type]
            )
    return pooled


def show(seconds: float) -> str:
    """Return a duration with three digits and a unit."""
    for limit, factor, unit in ((1e-6, 1e9, "ns"), (1e-3, 1e6, "us"), (1.0, 1e3, "ms")):
        if seconds < limit:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.3g} s"


def table(works: list[Work], rounds: int = 3) -> str:
    """Measure all works; return a Markdown table with ratios against each peer and the targets."""
    systems = list(dict.fromkeys(s for work in works for s in work.sources if s != "wengert"))
    rows = [
        "| work | wengert | " + " | ".join(systems) + " | ratios (target) |",
        "|" + " --- |" * (len(systems) + 3),
    ]
    for work in works:
        pooled = measure(work, rounds)
        own = pooled["wengert"]
        cells = []
        peers: dict[str, float] = {}
        control: dict[str, float] = {}
        for system in ["wengert", *systems]:
            figure = pooled.get(system)
            if figure is None:
                cells.append("")
            elif "error" in figure:
                cells.append("failed: " + str(figure["error"])[:60].replace("|", "/"))
            else:
                seconds = float(figure["median"]) / work.unit  # type: ignore[arg-type]
                cells.append(show(seconds) + ("" if figure.get("agrees", True) else " (differs!)"))
                if system == "numpy":
                    control[system] = seconds
                elif not system.startswith("wengert") and figure.get("agrees", True):
                    peers[system] = seconds
        notes = []
        if "median" in own:
            mine = float(own["median"]) / work.unit  # type: ignore[arg-type]
            for system, target in work.targets.items():
                base = min(peers.values()) if system == "best" and peers else peers.get(system, control.get(system))
                if base is not None:
                    ratio = mine / base
                    verdict = "met" if ratio <= target else "MISSED"
                    notes.append(f"{system} {ratio:.3g} ({target:g}, {verdict})")
        rows.append(f"| {work.name} | " + " | ".join(cells) + " | " + "; ".join(notes) + " |")
        print(rows[-1], flush=True)
    return "\n".join(rows)
