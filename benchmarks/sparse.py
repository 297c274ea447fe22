"""Sparse Jacobians and Hessians: values against CasADi, JAX, asdex, torch and code by hand; cold starts and memory.

`wengert` is a plan's `values`, which like the peers' compiled functions does not run the user's Python again and gives the
values in CSR order. It starts on NumPy and becomes machine code by itself; `wengert, NumPy only` is the same without
that, and `wengert, plain call` is `wg.jacobian(f, sparse=True)(x)`, which runs the user's Python and makes the SciPy array
too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

from .harness import PEERS, ROOT, Work, show, table

_GRID = """
import numpy as np, scipy.sparse as sp
A, B = 3.4, 1.0
def problem(N):
    r = np.random.default_rng(3); xs = np.linspace(0, 1, N); X, Y = np.meshgrid(xs, xs, indexing="ij")
    u = 22 * (Y * (1 - Y)) ** 1.5 + 0.1 * r.random((N, N)); v = 27 * (X * (1 - X)) ** 1.5 + 0.1 * r.random((N, N))
    force = 5.0 * ((X - 0.3) ** 2 + (Y - 0.6) ** 2 <= 0.1 ** 2)
    return np.concatenate([u.ravel(), v.ravel()]), force, 10.0 * (N - 1) ** 2
def rhs(xp, z, force, c, N):
    u, v = z[:N * N].reshape(N, N), z[N * N:].reshape(N, N)
    lap = lambda a: xp.roll(a, 1, 0) + xp.roll(a, -1, 0) + xp.roll(a, 1, 1) + xp.roll(a, -1, 1) - 4.0 * a
    r = u * u * v
    du = c * lap(u) + B + r - (A + 1.0) * u + force
    return xp.concatenate([du.reshape(-1), (c * lap(v) + A * u - r).reshape(-1)])
def pattern(N):
    n = N * N; i = np.arange(n).reshape(N, N); d = np.arange(n)
    near = np.concatenate([i.ravel(), *(np.roll(i, s, ax).ravel() for ax in (0, 1) for s in (1, -1))])
    rows = np.tile(d, 5)
    places = np.r_[rows, rows + n, d, d + n], np.r_[near, near + n, d + n, d]
    P = sp.csr_matrix((np.ones(12 * n), places), shape=(2 * n, 2 * n))
    P.sort_indices()
    return P
def colours(P):
    # greedy, in the natural order
    C = P.tocsc(); used = [0] * P.shape[0]; out = np.zeros(P.shape[1], int)
    for j in range(P.shape[1]):
        rows = C.indices[C.indptr[j]:C.indptr[j + 1]].tolist(); taken = 0
        for i in rows: taken |= used[i]
        bit = ~taken & (taken + 1); out[j] = bit.bit_length() - 1
        for i in rows: used[i] |= bit
    return out
"""

_BRUSSELATOR = {
    "wengert, plain call": _GRID
    + """
import wengert as wg
def make(N):
    z, force, c = problem(N)
    J = wg.jacobian(lambda z: rhs(np, z, force, c, N), sparse=True)
    return lambda: J(z).data
""",
    "wengert": _GRID
    + """
import wengert as wg
def make(N):
    z, force, c = problem(N)
    plan = wg.plan_jacobian(lambda z: rhs(np, z, force, c, N), z)
    return lambda: plan.values(z)
""",
    "numpy": _GRID
    + """
def make(N):
    z, force, c = problem(N); n = N * N; P = pattern(N)
    rows = np.repeat(np.arange(2 * n), np.diff(P.indptr)); base = np.full(P.nnz, c)
    diag, other = P.indices == rows, (P.indices % n) == (rows % n)
    kd, kc = np.flatnonzero(diag), np.flatnonzero(other & ~diag)
    def run():
        u, v = z[:n], z[n:]; data = base.copy(); uu, uv = u * u, 2.0 * u * v
        data[kd[:n]] = uv - (A + 1.0 + 4.0 * c); data[kd[n:]] = -4.0 * c - uu
        data[kc[:n]] = uu; data[kc[n:]] = A - uv
        return data
    return run
""",
    "casadi": _GRID
    + """
import casadi as ca
def make(N):
    z0, force, c = problem(N); n = N * N; z = ca.SX.sym("z", 2 * n); idx = np.arange(n).reshape(N, N)
    def lap(a):
        s = -4.0 * a
        for ax in (0, 1):
            for k in (1, -1): s = s + a[np.roll(idx, k, ax).ravel().tolist()]
        return s
    u, v = z[:n], z[n:]; r = u * u * v
    y = ca.vertcat(c * lap(u) + B + r - (A + 1.0) * u + ca.DM(force.ravel()), c * lap(v) + A * u - r)
    f = ca.Function("J", [z], [ca.jacobian(y, z).T]); zv = ca.DM(z0)  # the transpose's columns are the rows
    out = [None]
    def run():
        out[0] = f(zv)
        return Lazy(out[0])
    return run
class Lazy:
    def __init__(self, m): self.m = m
    def __array__(self, dtype=None, copy=None): return np.asarray(self.m.nonzeros(), dtype or float)
""",
    "jax": _GRID
    + """
import jax, jax.numpy as jnp
def make(N):
    z0, force, c = problem(N); P = pattern(N); col = colours(P); k = col.max() + 1
    S = np.zeros((k, P.shape[1])); S[col, np.arange(P.shape[1])] = 1
    rows = np.repeat(np.arange(P.shape[0]), np.diff(P.indptr)); take = jnp.asarray(col[P.indices] * P.shape[0] + rows)
    S = jnp.asarray(S); z = jnp.asarray(z0)
    @jax.jit
    def jac(z):
        _, push = jax.linearize(lambda z: rhs(jnp, z, force, c, N), z)
        return jnp.take(jax.vmap(push)(S).reshape(-1), take)
    return lambda: jax.block_until_ready(jac(z))
""",
    "asdex": _GRID
    + """
import asdex, jax, jax.numpy as jnp
def make(N):
    z0, force, c = problem(N); z = jnp.asarray(z0)
    f = jax.jit(asdex.jacobian(lambda z: rhs(jnp, z, force, c, N), z))
    return lambda: jax.block_until_ready(f(z)).data
""",
    "scipy differences": _GRID
    + """
from scipy.optimize._numdiff import approx_derivative, group_columns
def make(N):
    z, force, c = problem(N); P = pattern(N); g = group_columns(P); f = lambda z: rhs(np, z, force, c, N)
    return lambda: approx_derivative(f, z, method="2-point", sparsity=(P, g)).tocsr().data
""",
}

_BA = """
import numpy as np
CAM = [
    -0.758453, -1.109613, -0.845551, 34.556073, 39.676747, 53.881673, 419.194514, 5.864426, -8.518870, 0.087812,
    0.002739,
]
def problem(n, m, k):
    r = np.random.default_rng(7)
    cams = np.array(CAM) * (1 + 1e-2 * r.standard_normal((n, 11)))
    X = np.array([7.203245, 0.001144, 3.023326]) + 1e-2 * r.standard_normal((m, 3))
    w = 0.417022 + 1e-2 * r.standard_normal(k)
    feats = np.array([271.760969, 834.209256]) + r.standard_normal((k, 2))
    i = np.arange(k)
    z = np.concatenate([cams[i % n], X[i % m], w[:, None]], 1)
    return z, np.ascontiguousarray(z.T), feats, np.ascontiguousarray(feats.T), w
def residual(sqrt, sin, cos, z, f):
    r0, r1, r2, c0, c1, c2, fl, u0, v0, k1, k2, x0, x1, x2, w = z
    a, b, c = x0 - c0, x1 - c1, x2 - c2
    th = sqrt(r0 * r0 + r1 * r1 + r2 * r2); s, co, it = sin(th), cos(th), 1.0 / th
    n0, n1, n2 = r0 * it, r1 * it, r2 * it
    t = (n0 * a + n1 * b + n2 * c) * (1.0 - co)
    p = a * co + (n1 * c - n2 * b) * s + n0 * t
    q = b * co + (n2 * a - n0 * c) * s + n1 * t
    d = c * co + (n0 * b - n1 * a) * s + n2 * t
    iz = 1.0 / d; px, py = p * iz, q * iz; rr = px * px + py * py
    L = (1.0 + k1 * rr + k2 * rr * rr) * fl
    return w * (px * L + u0 - f[0]), w * (py * L + v0 - f[1])
"""

# The CSR values are 2 x 14 per observation (each residual has a structural zero), then one per weight.
_OWN_BA = """
import wengert as wg
def function(zt, ft, k):
    def f(v):
        z = v.reshape(k, 15).T
        e0, e1 = residual(np.sqrt, np.sin, np.cos, [z[i] for i in range(15)], ft)
        return np.concatenate([np.stack([e0, e1], 1).reshape(-1), 1 - z[14] * z[14]])
    return f
"""

_BUNDLE = {
    "wengert, plain call": _BA
    + _OWN_BA
    + """
def make(n, m, k):
    z, zt, feats, ft, w = problem(n, m, k); v = z.reshape(-1)
    J = wg.jacobian(function(zt, ft, k), sparse=True)
    return lambda: J(v).data
""",
    "wengert": _BA
    + _OWN_BA
    + """
def make(n, m, k):
    z, zt, feats, ft, w = problem(n, m, k); v = z.reshape(-1)
    plan = wg.plan_jacobian(function(zt, ft, k), v)
    for _ in range(150):  # warm: until it is machine code
        plan.values(v)
    return lambda: plan.values(v)
""",
    "torch": _BA
    + """
import torch
KEEP = [i for i in range(15) if i != 8], [i for i in range(15) if i != 7]
def make(n, m, k):
    z, zt, feats, ft, w = problem(n, m, k); f = torch.from_numpy(ft)
    zs = [torch.from_numpy(r.copy()).requires_grad_() for r in zt]; w = torch.from_numpy(w.copy()).requires_grad_()
    def run():
        e0, e1 = residual(torch.sqrt, torch.sin, torch.cos, zs, f); o = torch.ones_like(e0)
        a = torch.autograd.grad(e0, [zs[i] for i in KEEP[0]], o, retain_graph=True)
        b = torch.autograd.grad(e1, [zs[i] for i in KEEP[1]], o)
        gw, = torch.autograd.grad((1 - w * w).sum(), w)
        return torch.cat([torch.stack(a + b, 1).reshape(-1), gw])
    return run
""",
    "jax": _BA
    + """
import jax, jax.numpy as jnp
KEEP = np.array([i for i in range(15) if i != 8]), np.array([i for i in range(15) if i != 7])
def make(n, m, k):
    z, zt, feats, ft, w = problem(n, m, k); z, f, w = jnp.asarray(z), jnp.asarray(feats), jnp.asarray(w)
    one = lambda z, f: jnp.stack(residual(jnp.sqrt, jnp.sin, jnp.cos, [z[i] for i in range(15)], f))
    @jax.jit
    def g(z, f, w):
        J = jax.vmap(jax.jacrev(one))(z, f)
        return jnp.concatenate([jnp.concatenate([J[:, 0, KEEP[0]], J[:, 1, KEEP[1]]], 1).reshape(-1), -2 * w])
    return lambda: jax.block_until_ready(g(z, f, w))
""",
    "casadi": _BA
    + """
import casadi as ca
def make(n, m, k):
    zb, zt, fb, ft, wb = problem(n, m, k); z, f, ws = ca.SX.sym("z", 15), ca.SX.sym("f", 2), ca.SX.sym("w")
    e = ca.vertcat(*residual(ca.sqrt, ca.sin, ca.cos, [z[i] for i in range(15)], [f[0], f[1]]))
    J = ca.jacobian(e, z).T
    kept = [J[i, r] for r in (0, 1) for i in range(15) if i != (8, 7)[r]]
    g = ca.Function("J", [z, f], [ca.vertcat(*kept)])
    gw = ca.Function("w", [ws], [ca.gradient(1 - ws * ws, ws)]).map(k); g = g.map(k)
    out = np.empty(29 * k); b1, t1 = g.buffer(); b2, t2 = gw.buffer()
    b1.set_arg(0, memoryview(zb)); b1.set_arg(1, memoryview(fb)); b1.set_res(0, memoryview(out[:28 * k]))
    b2.set_arg(0, memoryview(wb)); b2.set_res(0, memoryview(out[28 * k:]))
    keep = (b1, b2, g, gw, zb, fb, wb)
    def run():
        t1(); t2()
        return out if keep else None
    return run
""",
    "casadi, gcc": _BA
    + """
import casadi as ca
FLAGS = ["-O2", "-march=native", "-ffast-math"]
GCC = {"jit": True, "compiler": "shell", "jit_options": {"flags": FLAGS, "verbose": False}}
def make(n, m, k):
    zb, zt, fb, ft, wb = problem(n, m, k); z, f, ws = ca.SX.sym("z", 15), ca.SX.sym("f", 2), ca.SX.sym("w")
    e = ca.vertcat(*residual(ca.sqrt, ca.sin, ca.cos, [z[i] for i in range(15)], [f[0], f[1]]))
    J = ca.jacobian(e, z).T
    kept = [J[i, r] for r in (0, 1) for i in range(15) if i != (8, 7)[r]]
    g = ca.Function("J", [z, f], [ca.vertcat(*kept)], GCC)
    gw = ca.Function("w", [ws], [ca.gradient(1 - ws * ws, ws)], GCC).map(k); g = g.map(k)
    out = np.empty(29 * k); b1, t1 = g.buffer(); b2, t2 = gw.buffer()
    b1.set_arg(0, memoryview(zb)); b1.set_arg(1, memoryview(fb)); b1.set_res(0, memoryview(out[:28 * k]))
    b2.set_arg(0, memoryview(wb)); b2.set_res(0, memoryview(out[28 * k:]))
    keep = (b1, b2, g, gw, zb, fb, wb)
    def run():
        t1(); t2()
        return out if keep else None
    return run
""",
}

_BAND = """
import numpy as np
def tridiagonal(xp, x):
    right, left = xp.concatenate([x[1:] ** 2, x[:1] * 0.0]), xp.concatenate([x[:1] * 0.0, x[:-1] * 3.0])
    return xp.sin(x) * x - 2.0 * x + right + left
"""

_TRIDIAGONAL = {
    "wengert, plain call": _BAND
    + """
import wengert as wg
def make(n):
    x = np.random.default_rng(0).normal(size=n); J = wg.jacobian(lambda x: tridiagonal(np, x), sparse=True)
    return lambda: J(x).data
""",
    "wengert": _BAND
    + """
import wengert as wg
def make(n):
    x = np.random.default_rng(0).normal(size=n); plan = wg.plan_jacobian(lambda x: tridiagonal(np, x), x)
    return lambda: plan.values(x)
""",
    "asdex": _BAND
    + """
import asdex, jax, jax.numpy as jnp
def make(n):
    x = jnp.asarray(np.random.default_rng(0).normal(size=n))
    f = jax.jit(asdex.jacobian(lambda x: tridiagonal(jnp, x), x))
    return lambda: jax.block_until_ready(f(x)).data
""",
    "scipy differences": _BAND
    + """
import scipy.sparse as sp
from scipy.optimize._numdiff import approx_derivative, group_columns
def make(n):
    x = np.random.default_rng(0).normal(size=n)
    P = sp.diags([np.ones(n)] * 3, [-1, 0, 1], shape=(n, n), format="csr")
    g = group_columns(P)
    return lambda: approx_derivative(lambda x: tridiagonal(np, x), x, method="2-point", sparsity=(P, g)).tocsr().data
""",
}

_ROSENBROCK = """
import numpy as np
def fun(x):
    a, b = x[1:] - x[:-1] * x[:-1], 1.0 - x[:-1]
    return (100.0 * a * a + b * b).sum()
"""

_HESSIAN = {
    "wengert, plain call": _ROSENBROCK
    + """
import wengert as wg
def make(n):
    x = 1.0 + 0.3 * np.random.default_rng(4).standard_normal(n); H = wg.hessian(fun, sparse=True)
    return lambda: H(x).data
""",
    "wengert": _ROSENBROCK
    + """
import wengert as wg
def make(n):
    x = 1.0 + 0.3 * np.random.default_rng(4).standard_normal(n); plan = wg.plan_hessian(fun, x)
    return lambda: plan.values(x)
""",
    "numpy": _ROSENBROCK
    + """
def make(n):
    x = 1.0 + 0.3 * np.random.default_rng(4).standard_normal(n)
    def run():
        d = np.zeros(n); d[:-1] = 1200.0 * x[:-1] ** 2 - 400.0 * x[1:] + 2.0; d[1:] += 200.0; o = -400.0 * x[:-1]
        data = np.empty(3 * n - 2); data[0::3] = d; data[1::3] = o; data[2::3] = o
        return data
    return run
""",
    "casadi": _ROSENBROCK
    + """
import casadi as ca
def make(n):
    v = 1.0 + 0.3 * np.random.default_rng(4).standard_normal(n); x = ca.SX.sym("x", n)
    a, b = x[1:] - x[:-1] * x[:-1], 1.0 - x[:-1]
    f = ca.Function("H", [x], [ca.hessian(ca.sum1(100.0 * a * a + b * b), x)[0]]); xv = ca.DM(v)
    return lambda: Lazy(f(xv))
class Lazy:
    def __init__(self, m): self.m = m
    def __array__(self, dtype=None, copy=None): return np.asarray(self.m.nonzeros(), dtype or float)
""",
    "asdex": _ROSENBROCK
    + """
import asdex, jax, jax.numpy as jnp
def make(n):
    x = jnp.asarray(1.0 + 0.3 * np.random.default_rng(4).standard_normal(n)); f = jax.jit(asdex.hessian(fun, x))
    return lambda: jax.block_until_ready(f(x)).data
""",
}

_NEWTON = {
    "wengert": """
import numpy as np
from wengert.scipy.optimize import root
def make():
    f = lambda x: np.stack([x[0] * np.exp(x[1]) - 1, x[1] ** 2 + x[2] - 3, x[2] * x[3] - x[0], x[3] - np.sin(x[0])])
    x = np.array([0.5, 0.2, 0.3, 0.4])
    return lambda: root(f, x).x
""",
    "scipy differences": """
import numpy as np
from scipy.optimize import root
def make():
    f = lambda x: np.stack([x[0] * np.exp(x[1]) - 1, x[1] ** 2 + x[2] - 3, x[2] * x[3] - x[0], x[3] - np.sin(x[0])])
    x = np.array([0.5, 0.2, 0.3, 0.4])
    return lambda: root(f, x).x
""",
}

for _sources in (_BRUSSELATOR, _BUNDLE, _TRIDIAGONAL, _HESSIAN):
    _sources["wengert, NumPy only"] = "import os; os.environ['WENGERT_NATIVE'] = 'off'\n" + _sources["wengert"]

WORKS = [
    Work(
        "Brusselator 2-D, 32,768 unknowns: values",
        _BRUSSELATOR,
        {"N": 128},
        {"best": 0.2, "numpy": 3.0},
        tolerance=1e-5,
    ),
    Work("bundle adjustment, 31,843 observations: values", _BUNDLE, {"n": 49, "m": 7776, "k": 31843}, {"best": 0.15}),
    Work("tridiagonal, n = 1,000,000: values", _TRIDIAGONAL, {"n": 1_000_000}, {"best": 1.0}, tolerance=1e-5),
    Work("Rosenbrock Hessian, n = 10,000: values", _HESSIAN, {"n": 10_000}, {"best": 0.3}),
    Work("`root` of 4 equations, solve after solve", _NEWTON, {}, {"scipy differences": 1.0}, tolerance=1e-6),
]

_COLD = """
import json, resource, sys, time
spec = json.load(sys.stdin)
scope = {}
exec(spec["source"], scope)
began = time.perf_counter()
run = scope["make"](**spec["settings"])
run()
print("RESULT " + json.dumps([time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024]))
"""

_COLD_WORKS = [
    ("tridiagonal, n = 1,000,000", _TRIDIAGONAL, {"n": 1_000_000}, "5 s, 2 GB"),
    ("Rosenbrock Hessian, n = 100,000", _HESSIAN, {"n": 100_000}, "2 s"),
    ("Brusselator 2-D, 32,768 unknowns", _BRUSSELATOR, {"N": 128}, ""),
    ("bundle adjustment, 31,843 observations", _BUNDLE, {"n": 49, "m": 7776, "k": 31843}, ""),
]


def cold() -> str:
    """Return the table of first calls: planning or compiling, and one evaluation, in a fresh process."""
    systems = ("wengert", "asdex", "jax", "casadi")
    rows = [
        "| from nothing to the first values (peak memory) | " + " | ".join(systems) + " | target |",
        "|" + " --- |" * 6,
    ]
    for name, sources, settings, target in _COLD_WORKS:
        cells = [_cold_cell(system, sources.get(system), settings) for system in systems]
        rows.append(f"| {name} | " + " | ".join(cells) + f" | {target} |")
        print(rows[-1], flush=True)
    return "\n".join(rows)


def _cold_cell(system: str, source: str | None, settings: dict[str, object]) -> str:
    python = sys.executable if system == "wengert" else PEERS
    if source is None or not python:
        return ""
    environment = {**os.environ, "JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cpu"}
    if system == "wengert":
        environment["PYTHONPATH"] = str(ROOT / "src")
    done = subprocess.run(
        [python, "-c", _COLD],
        input=json.dumps({"source": source, "settings": settings}),
        capture_output=True,
        text=True,
        env=environment,
        timeout=600,
        check=False,
    )
    for row in done.stdout.splitlines():
        if row.startswith("RESULT "):
            seconds, peak = json.loads(row[7:])
            return f"{show(seconds)} ({peak / 1e9:.2g} GB)"
    return "failed"


def main() -> str:
    """Print and return the tables."""
    return "\n".join(["## Sparse derivatives", "", table(WORKS), "", cold()])


if __name__ == "__main__":
    main()
