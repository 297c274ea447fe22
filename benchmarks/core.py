"""The core: cost of a recorded operation, small and large dense Jacobians, long chains, import time."""

from __future__ import annotations

import statistics
import subprocess
import sys

from .harness import ROOT, Work, table

_CHAIN = {
    "wengert": """
import os; os.environ["WENGERT_NATIVE"] = "off"  # what is measured is recording, so nothing may be compiled
import numpy as np, wengert as wg
def make(ops):
    r = np.random.default_rng(10); x = r.random(16); c = 1 + 0.5 * r.random(16); h = 2.0 / (ops // 4)
    def f(x):
        for _ in range(ops // 4):
            x = np.sin(x * c) * h + x
        return x.sum()
    g = wg.grad(f)
    return lambda: g(x)
""",
    "torch": """
import numpy as np, torch
def make(ops):
    r = np.random.default_rng(10); x = torch.from_numpy(r.random(16)).requires_grad_()
    c = torch.from_numpy(1 + 0.5 * r.random(16)); h = 2.0 / (ops // 4)
    def f(x):
        for _ in range(ops // 4):
            x = torch.sin(x * c) * h + x
        return x.sum()
    return lambda: torch.autograd.grad(f(x), x)[0]
""",
    "tensorflow": """
import numpy as np, tensorflow as tf
def make(ops):
    r = np.random.default_rng(10); x = tf.constant(r.random(16)); c = tf.constant(1 + 0.5 * r.random(16))
    h = 2.0 / (ops // 4)
    def run():
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = x
            for _ in range(ops // 4):
                y = tf.sin(y * c) * h + y
            y = tf.reduce_sum(y)
        return tape.gradient(y, x)
    return run
""",
}

_CUBE_TAPE = {
    "wengert": """
import numpy as np, wengert as wg
def make():
    x = wg.Tensor([[4.0, 2.0], [1.0, 3.0]])
    def run():
        with wg.GradientTape() as tape:
            tape.watch(x)
            y = x ** 3
        return tape.jacobian(y, x)
    return run
""",
    "torch": """
import torch
def make():
    x = torch.tensor([[4.0, 2.0], [1.0, 3.0]], dtype=torch.float64)
    return lambda: torch.autograd.functional.jacobian(lambda x: x ** 3, x)
""",
    "tensorflow": """
import tensorflow as tf
def make():
    x = tf.constant([[4.0, 2.0], [1.0, 3.0]], dtype=tf.float64)
    def run():
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = x ** 3
        return tape.jacobian(y, x)
    return run
""",
}

_CUBE_DENSE = {
    "wengert": """
import numpy as np, wengert as wg
def make(n):
    x = np.random.default_rng(0).standard_normal(n)
    j = wg.jacobian(lambda x: x * x * x)
    return lambda: j(x)
""",
    "numpy": """
import numpy as np
def make(n):
    x = np.random.default_rng(0).standard_normal(n)
    def run():
        J = np.zeros((n, n)); J.flat[:: n + 1] = 3.0 * (x * x)
        return J
    return run
""",
    "torch": """
import numpy as np, torch
def make(n):
    x = torch.from_numpy(np.random.default_rng(0).standard_normal(n))
    j = torch.func.jacrev(lambda x: x * x * x)
    return lambda: j(x)
""",
    "jax": """
import numpy as np, jax
def make(n):
    x = jax.numpy.asarray(np.random.default_rng(0).standard_normal(n))
    j = jax.jit(jax.jacfwd(lambda x: x * x * x))
    return lambda: jax.block_until_ready(j(x))
""",
    "tensorflow": """
import numpy as np, tensorflow as tf
def make(n):
    x = tf.constant(np.random.default_rng(0).standard_normal(n))
    @tf.function(jit_compile=True)
    def run(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = x * x * x
        return tape.jacobian(y, x)
    return lambda: run(x)
""",
}

_SINES = {
    "wengert": """
import os; os.environ["WENGERT_NATIVE"] = "off"
import numpy as np, wengert as wg
def make(ops):
    x = np.array([0.3, 0.5, 0.7])
    def f(x):
        for _ in range(ops):
            x = np.sin(x)
        return x.sum()
    g = wg.grad(f)
    return lambda: g(x)
""",
    "numpy": """
import numpy as np
def make(ops):
    x = np.array([0.3, 0.5, 0.7])
    def f(x):
        for _ in range(ops):
            x = np.sin(x)
        return x.sum()
    return lambda: f(x)
""",
}

_SMALL = {
    "wengert": """
import os; os.environ["WENGERT_NATIVE"] = "off"
import numpy as np, wengert as wg
def make(n):
    x = np.linspace(0.1, 1.3, n); J = wg.jacobian(lambda x: np.sin(x) ** 2)
    return lambda: J(x)
""",
    "numpy": """
import numpy as np
from scipy.optimize._numdiff import approx_derivative
def make(n):
    x = np.linspace(0.1, 1.3, n)
    return lambda: approx_derivative(lambda x: np.sin(x) ** 2, x, method="2-point")
""",
}

WORKS = [
    Work(
        f"recorded operation, 16-vector, forward and gradient (chain of {ops}, per operation)",
        _CHAIN,
        {"ops": ops},
        {"torch": 0.6, "tensorflow": 0.1},
        unit=ops,
    )
    for ops in (400, 2000)
]
WORKS += [
    Work("tape.jacobian of the 2x2 cube, recording included", _CUBE_TAPE, {}, {"torch": 0.7, "tensorflow": 0.002}),
    Work("gradient of 200 chained sin of 3 numbers, recorded (numpy: the function alone)", _SINES, {"ops": 200}, {"numpy": 8}),
    *(
        Work(f"Jacobian of sin(x)^2, n = {n}, recorded (numpy: SciPy's 2-point differences)", _SMALL, {"n": n}, {"numpy": 1})
        for n in (4, 30, 100)
    ),
    Work("dense Jacobian of x*x*x, n = 1000", _CUBE_DENSE, {"n": 1000}, {"best": 1.0}),
    Work("dense Jacobian of x*x*x, n = 4000", _CUBE_DENSE, {"n": 4000}, {"best": 1.0}),
    Work(
        "chain of 100,000 operations (per operation)",
        {k: _CHAIN[k] for k in ("wengert", "torch")},
        {"ops": 100_000},
        {"torch": 1.0},
        unit=100_000,
        budget=1.0,
    ),
]


def import_time(rounds: int = 9) -> str:
    """Return the seconds that `import wengert` takes after `import numpy`, as a line of text."""
    code = (
        "import time, numpy; t = time.perf_counter(); import wengert; print(time.perf_counter() - t);"
        "t = time.perf_counter(); wengert.grad; print(time.perf_counter() - t)"
    )
    rows = []
    for _ in range(rounds):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONPATH": str(ROOT / "src"), "PATH": ""},
        )
        rows.append([float(x) for x in done.stdout.split()])
    first, use = (statistics.median(column) for column in zip(*rows, strict=True))
    return (
        f"`import wengert` after `import numpy`: {first * 1e3:.1f} ms (target 30 ms, median of {rounds}); "
        f"first use of a derivative: {use * 1e3:.1f} ms more"
    )


def main() -> str:
    """Print and return the table."""
    return "\n".join(["## The core", "", table(WORKS), "", import_time()])


if __name__ == "__main__":
    main()
