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
    Work("Hessian, n = 1000", _HESSIAN, {"n": 1000}, {"best": 0.5}, tolerance=1e-8),
    Work("vmap of a small function over 100,000 samples (numpy: batched by hand)", _VMAP, {"n": 100_000}, {"numpy": 1.2}),
    Work("eighth derivative by nesting", _NEST, {"order": 8}, {"best": 1.0}, tolerance=1e-8),
]


def main() -> str:
    """Print and return the table."""
    return "\n".join(["## Transforms", "", table(WORKS)])


if __name__ == "__main__":
    main()
