"""The transforms: Hessian-vector products, Hessians, vmap, nested derivatives, Taylor mode."""

from __future__ import annotations

from .harness import Work, table

_FUNCTION = """
def f(np, x):
    y = np.sin(x) * x[::-1] + np.exp(-x * x)
    return np.sum(y * y) + np.sum(x[1:] * x[:-1] ** 2)
"""

_HVP = {
    "wengert": "import numpy as np, wengert as wg\n"
    + _FUNCTION
    + """
def make(n):
    r = np.random.default_rng(0); x = r.standard_normal(n); v = r.standard_normal(n)
    g = lambda x: f(np, x)
    return lambda: wg.hvp(g, (x,), (v,))[1][0]
""",
    "numpy": "import numpy as np\n"
    + _FUNCTION
    + """
def make(n):
    r = np.random.default_rng(0); x = r.standard_normal(n)
    return lambda: f(np, x)
""",
    "torch": """
import numpy, torch
def f(x):
    y = torch.sin(x) * torch.flip(x, (0,)) + torch.exp(-x * x)
    return torch.sum(y * y) + torch.sum(x[1:] * x[:-1] ** 2)
def make(n):
    r = numpy.random.default_rng(0); x = torch.from_numpy(r.standard_normal(n)); v = torch.from_numpy(r.standard_normal(n))
    return lambda: torch.autograd.functional.vhp(f, x, v)[1]
""",
    "jax": "import numpy, jax\nimport jax.numpy as jnp\n"
    + _FUNCTION
    + """
def make(n):
    r = numpy.random.default_rng(0); x = jnp.asarray(r.standard_normal(n)); v = jnp.asarray(r.standard_normal(n))
    g = jax.grad(lambda x: f(jnp, x))
    h = jax.jit(lambda x, v: jax.jvp(g, (x,), (v,))[1])
    return lambda: jax.block_until_ready(h(x, v))
""",
}

# Ten functions of different kinds: what an evaluation costs against a Hessian-vector product in plain code, no jit.
_TEN = {
    "elementwise chain": (1000, "return np.sum(np.tanh(np.sin(x) * x + np.exp(-x * x)))"),
    "stencil": (1000, "d = x[2:] - 2 * x[1:-1] + x[:-2]; return np.sum(d * d) + np.sum(x ** 4)"),
    "quadratic form": (300, "return 0.5 * (x @ (Q @ x))"),
    "Rosenbrock": (1000, "return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)"),
    "logistic loss": (50, "z = X @ x; return np.sum(np.logaddexp(0, z) - y * z) + 0.5 * np.sum(x * x)"),
    "small MLP": (
        385,
        "h = np.tanh(D @ np.reshape(x[:320], (10, 32)) + x[320:352]); o = h @ x[352:384] + x[384]; "
        "return np.mean((o - t) ** 2)",
    ),
    "logsumexp": (1000, "m = np.max(x); return m + np.log(np.sum(np.exp(x - m)))"),
    "polynomial": (1000, "return np.sum((((-0.25 * x + 0.5) * x + 3) * x - 2) * x + 1)"),
    "norm": (1000, "return np.linalg.norm(x * x + 1)"),
    "loop that writes in place": (
        20,
        """
    z = np.zeros_like(x)
    z[0] = x[0]
    for i in range(1, 20):
        z[i] = 0.9 * z[i - 1] + x[i] * x[i - 1]
    return np.sum(z * z)""",
    ),
}

_TEN_DATA = """
r = numpy.random.default_rng(0)
Q = r.standard_normal((300, 300))
X, y = r.standard_normal((2000, 50)), (r.random(2000) < 0.5) * 1.0
D, t = r.standard_normal((200, 10)), r.standard_normal(200)
"""


_OFTEN = """
    end = time.perf_counter() + 2.0
    while time.perf_counter() < end:  # plain code becomes compiled code when it has run often
        run()
    return run
"""


def _hvp_row(name: str) -> Work:
    n, body = _TEN[name]
    head = "import numpy, time\nimport numpy as np\n" + _TEN_DATA
    function = f"def f(x):\n    {body}\n"
    make = "def make(n):\n    r = numpy.random.default_rng(1); x, v = r.standard_normal(n) / 2, r.standard_normal(n)\n"
    jax = f"{head}import jax\nimport jax.numpy as jnp\nnp = jnp\n{function.replace(body, _in_jax(body))}{make}"
    return Work(
        f"plain `hvp` after two seconds of calls: {name}, n = {n} (numpy: f itself)",
        {
            "wengert": f"{head}import wengert as wg\n{function}{make}    run = lambda: wg.hvp(f, (x,), (v,))[1][0]\n{_OFTEN}",
            "numpy": f"{head}{function}{make}    return lambda: f(x)\n",
            "jax": f"{jax}    h = jax.jit(lambda x, v: jax.jvp(jax.grad(f), (x,), (v,))[1])\n"
            "    x, v = jnp.asarray(x), jnp.asarray(v)\n    return lambda: jax.block_until_ready(h(x, v))\n",
        },
        {"n": n},
        {"numpy": 6.0},
        tolerance=1e-8,
    )


def _in_jax(body: str) -> str:
    """Return the same without writes to arrays, which JAX does not have."""
    return body.replace("z[0] = x[0]", "z = z.at[0].set(x[0])").replace(
        "z[i] = 0.9 * z[i - 1] + x[i] * x[i - 1]", "z = z.at[i].set(0.9 * z[i - 1] + x[i] * x[i - 1])"
    )


_HESSIAN = {
    "wengert": "import numpy as np, wengert as wg\n"
    + _FUNCTION
    + """
def make(n):
    x = np.random.default_rng(0).standard_normal(n)
    h = wg.hessian(lambda x: f(np, x))
    return lambda: h(x)
""",
    "torch": """
import numpy, torch
def f(x):
    y = torch.sin(x) * torch.flip(x, (0,)) + torch.exp(-x * x)
    return torch.sum(y * y) + torch.sum(x[1:] * x[:-1] ** 2)
def make(n):
    x = torch.from_numpy(numpy.random.default_rng(0).standard_normal(n))
    h = torch.func.hessian(f)
    return lambda: h(x)
""",
    "jax": "import numpy, jax\nimport jax.numpy as jnp\n"
    + _FUNCTION
    + """
def make(n):
    x = jnp.asarray(numpy.random.default_rng(0).standard_normal(n))
    h = jax.jit(jax.hessian(lambda x: f(jnp, x)))
    return lambda: jax.block_until_ready(h(x))
""",
}

# Hessians of other kinds than the banded one above; `np` is NumPy, jax.numpy or torch.
_HESSIANS = {
    "Rosenbrock chain": "return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)",
    "logsumexp and a squared sum": "return np.log(np.sum(np.exp(x))) + np.sum(np.tanh(x) * x) ** 2",
    "20 samples through a layer": "return np.sum(np.tanh(np.reshape(x, (20, 50)) @ A[:50, :50]) ** 2)",
    "logistic loss, dense data": "return np.sum(np.log1p(np.exp(A @ x)))",
}


def _hessian_row(name: str) -> Work:
    data = "import numpy\nr = numpy.random.default_rng(0)\nA = r.standard_normal((1000, 1000)) / 30\n"
    function = f"def f(np, x):\n    {_HESSIANS[name]}\n"
    make = "def make(n):\n    x = r.standard_normal(n)\n"
    return Work(
        f"Hessian, n = 1000: {name}",
        {
            "wengert": f"{data}import numpy as np, wengert as wg\n{function}{make}"
            "    h = wg.hessian(lambda x: f(np, x))\n    h(x); h(x)\n    return lambda: h(x)\n",
            "torch": f"{data}import torch\nA = torch.from_numpy(A)\n{function}{make}"
            "    x = torch.from_numpy(x)\n    h = torch.func.hessian(lambda x: f(torch, x))\n    return lambda: h(x)\n",
            "jax": f"{data}import jax\nimport jax.numpy as jnp\nA = jnp.asarray(A)\n{function}{make}"
            "    x = jnp.asarray(x)\n    h = jax.jit(jax.hessian(lambda x: f(jnp, x)))\n"
            "    return lambda: jax.block_until_ready(h(x))\n",
        },
        {"n": 1000},
        {"best": 0.5},
        tolerance=1e-8,
    )


_VMAP = {
    "wengert": """
import numpy as np, wengert as wg
def make(n):
    X = np.random.default_rng(0).standard_normal((n, 3))
    g = wg.vmap(lambda x: np.sin(x[0]) * x[1] + np.exp(-x[2] ** 2))
    return lambda: g(X)
""",
    "numpy": """
import numpy as np
def make(n):
    X = np.random.default_rng(0).standard_normal((n, 3))
    return lambda: np.sin(X[:, 0]) * X[:, 1] + np.exp(-X[:, 2] ** 2)
""",
}

_NEST = {
    "wengert": """
import numpy as np, wengert as wg
def make(order):
    f = lambda t: 0.3 * np.sin(t) * t**10
    for _ in range(order):
        f = wg.grad(f)
    return lambda: f(1.3)
""",
    "jax": """
import jax, jax.numpy as jnp
def make(order):
    f = lambda t: 0.3 * jnp.sin(t) * t**10
    for _ in range(order):
        g = f
        f = lambda t, g=g: jax.jvp(g, (t,), (1.0,))[1]
    return lambda: jax.block_until_ready(f(1.3))
""",
}

WORKS = [
    Work("Hessian-vector product, n = 10,000 (numpy: f itself)", _HVP, {"n": 10_000}, {"best": 1.0, "numpy": 6.0}),
    *map(_hvp_row, _TEN),
    Work("Hessian, n = 1000", _HESSIAN, {"n": 1000}, {"best": 0.5}, tolerance=1e-8),
    *map(_hessian_row, _HESSIANS),
    Work("vmap of a small function over 100,000 samples (numpy: batched by hand)", _VMAP, {"n": 100_000}, {"numpy": 1.2}),
    Work("eighth derivative by nesting", _NEST, {"order": 8}, {"best": 1.0}, tolerance=1e-8),
]


def main() -> str:
    """Print and return the table."""
    return "\n".join(["## Transforms", "", table(WORKS)])


if __name__ == "__main__":
    main()
