"""Sources of the benchmarks of compiled code: models written once over a namespace, and each system's best formulation.

A source defines `make(**settings)`, which returns a callable without arguments; see `harness`.
"""

from __future__ import annotations

# ---------------------------------------------------------------- models, over a NumPy-like namespace m

MODELS = '''
import numpy as np

def lotka(m, x):
    return m.stack([1.5 * x[0] - x[0] * x[1], -3.0 * x[1] + x[0] * x[1]])

def robertson(m, y):
    a, b = 0.04 * y[0], 1e4 * y[1] * y[2]
    c = 3e7 * y[1] * y[1]
    return m.stack([b - a, a - b - c, c])

def ten(m, x):
    a, b = x[0], x[1]
    c = m.sin(a) * b
    d = m.exp(c) + a
    e = m.tanh(d * b) - c
    return m.sqrt(d) * e / b

def branching(m, x):
    a, b = x[0], x[1]
    s = a * b
    k = 0
    while s < 4.0 and k < 8:
        s = s + m.sin(a) * b if s > 2.0 else s * 1.5 + a * a
        k += 1
    return s * m.exp(-b)

POINTS = {"lotka": [1.2, 0.7], "robertson": [0.9, 2e-5, 0.1], "ten": [0.3, 1.7], "branching": [0.8, 1.1]}

def regression_data():
    r = np.random.default_rng(0)
    k = 10
    data = dict(X=r.random((k, k + 1)), Y=r.random(k), a=r.random(), b=r.random(), rate=r.random(k),
                mean=r.random(k + 1), spread=r.random(k + 1))
    return data, np.concatenate([[1.3], 0.3 * r.standard_normal(k), r.standard_normal(k + 1)])

def regression(m, gammaln, v, D):
    nu, su, beta = v[0], v[1:11], v[11:]
    s = m.exp(su)
    z = (D["Y"] - D["X"] @ beta) / s
    t = gammaln((nu + 1) / 2) - gammaln(nu / 2) - 0.5 * m.log(nu * 3.141592653589793) - m.log(s) \\
        - 0.5 * (nu + 1) * m.log1p(z * z / nu)
    base = m.sum(t)
    n_score = base + D["a"] * float(np.log(D["b"])) + (D["a"] - 1) * m.log(nu) - D["b"] * nu
    s_score = base + m.sum(np.log(D["rate"]) - D["rate"] * s + su)
    b_score = base + m.sum(-0.5 * ((beta - D["mean"]) / D["spread"]) ** 2)
    return n_score + s_score + b_score

def newton_data():
    r = np.random.default_rng(1)
    return r.standard_normal((50, 50)) / 8, r.standard_normal(50)

def newton_residual(m, x, A, b):
    return x + 0.1 * x * x * x + A @ m.tanh(x) - b

def newton(residual, jacobian):
    x = np.zeros(50)
    for _ in range(5):
        x = x - np.linalg.solve(np.asarray(jacobian(x)), np.asarray(residual(x)))
    return x

def chain(m, x, c, h, ops):
    for _ in range(ops // 4):
        x = m.sin(x * c) * h + x
    return x

def chain_data(ops):
    r = np.random.default_rng(10)
    return r.random(16), 1.0 + 0.5 * r.random(16), 2.0 / (ops // 4)

def logistic_data(n, d):
    r = np.random.default_rng(2)
    return r.standard_normal((n, d)) / np.sqrt(d), (r.random(n) < 0.5) * 1.0, 0.1 * r.standard_normal(d)

def logistic(m, w, X, y):
    z = X @ w
    return m.sum(m.logaddexp(0.0, z) - y * z)

def mlp_data(layers):
    r = np.random.default_rng(1)
    W = [r.standard_normal((i, o)) / np.sqrt(i) for i, o in zip(layers, layers[1:])]
    b = [0.1 * r.standard_normal(o) for o in layers[1:]]
    return r.standard_normal((64, layers[0])), W, b

def mlp(m, x, W, b):
    for k, (w, c) in enumerate(zip(W, b)):
        x = x @ w + c
        if k < len(W) - 1:
            x = m.tanh(x)
    return x

def hand_data():
    """A hand of 21 bones in five chains, 544 skinned vertices, 100 correspondences: the shape of ADBench's HAND."""
    r = np.random.default_rng(4)
    parents = [-1] + [p for f in range(5) for p in (0, 1 + 4 * f, 2 + 4 * f, 3 + 4 * f)]
    base = 0.2 * r.standard_normal((21, 3))
    vertices = r.standard_normal((544, 3))
    weights = r.random((544, 21)) ** 8
    weights /= weights.sum(1, keepdims=True)
    which = r.integers(0, 544, 100)
    points = vertices[which] + 0.05 * r.standard_normal((100, 3))
    return parents, base, vertices, weights, which, points, 0.2 * r.standard_normal(26)

def hand(m, theta, parents, base, vertices, weights, which, points):
    def rotation(a, b, c):
        ca, sa, cb, sb, cc, sc = m.cos(a), m.sin(a), m.cos(b), m.sin(b), m.cos(c), m.sin(c)
        return m.stack([m.stack([cb * cc, sa * sb * cc - ca * sc, ca * sb * cc + sa * sc]),
                        m.stack([cb * sc, sa * sb * sc + ca * cc, ca * sb * sc - sa * cc]),
                        m.stack([-sb, sa * cb, ca * cb])])
    zero = 0.0 * theta[0]
    turns, places = [], []
    for k, p in enumerate(parents):
        if p < 0:
            turns.append(rotation(theta[0], theta[1], theta[2]))
            places.append(theta[3:6])
            continue
        finger, joint = divmod(k - 1, 4)
        at = 6 + 4 * finger
        if joint == 0:
            R = rotation(theta[at], theta[at + 1], zero)
        elif joint < 3:
            R = rotation(theta[at + 1 + joint], zero, zero)
        else:
            R = rotation(zero, zero, zero)
        turns.append(turns[p] @ R)
        places.append(turns[p] @ base[k] + places[p])
    T, t = m.stack(turns), m.stack(places)
    moved = m.einsum("kij,nj->nki", T, vertices[which]) + t
    return (m.sum(moved * weights[which][:, :, None], 1) - points).reshape(-1)
'''

WENGERT_START = "import wengert as wg\n"
JAX_START = """import jax, jax.numpy as jnp
from functools import partial
ready = jax.block_until_ready
"""
WENGERT = MODELS + WENGERT_START
JAX = MODELS + JAX_START
TORCH = MODELS + "import torch\n"
CASADI = (
    MODELS
    + """
import casadi as ca
class m:
    sin, cos, exp, tanh, sqrt, log, log1p = ca.sin, ca.cos, ca.exp, ca.tanh, ca.sqrt, ca.log, ca.log1p
    stack = staticmethod(lambda parts: ca.vertcat(*parts))
    sum = staticmethod(ca.sum1)
def buffered(f, x, shape):
    out, x = np.empty(shape[::-1]), np.ascontiguousarray(x)
    buffer, run = f.buffer()
    buffer.set_arg(0, memoryview(x)); buffer.set_res(0, memoryview(out))
    keep = (buffer, f)
    def call():
        run()
        return out if keep else None
    return call
"""
)

TINY = {
    "wengert": WENGERT
    + """
def make(name):
    f, x = globals()[name], np.array(POINTS[name])
    g = wg.jit((wg.grad if name in ("ten", "branching") else wg.jacobian)(lambda x: f(np, x)))
    return lambda: g(x)
""",
    "wengert, out=": WENGERT
    + """
def make(name):
    f, x = globals()[name], np.array(POINTS[name])
    g = wg.jit((wg.grad if name in ("ten", "branching") else wg.jacobian)(lambda x: f(np, x)))
    out = np.empty_like(g(x))
    return lambda: g(x, out=out)
""",
    "jax": JAX
    + """
def make(name):
    f, x = globals()[name], jnp.array(POINTS[name])
    if name == "branching":
        def f(m, x):
            a, b = x[0], x[1]
            step = lambda _, s: jnp.where(s < 4.0, jnp.where(s > 2.0, s + m.sin(a) * b, s * 1.5 + a * a), s)
            return jax.lax.fori_loop(0, 8, step, a * b) * m.exp(-b)
    g = jax.jit((jax.grad if name in ("ten", "branching") else jax.jacfwd)(partial(f, jnp)))
    return lambda: ready(g(x))
""",
    "casadi, buffer()": CASADI
    + """
def make(name):
    point = POINTS[name]
    x = ca.SX.sym("x", len(point))
    if name == "branching":
        a, b = x[0], x[1]
        s = a * b
        for _ in range(8):
            s = ca.if_else(s < 4.0, ca.if_else(s > 2.0, s + ca.sin(a) * b, s * 1.5 + a * a), s)
        y = s * ca.exp(-b)
    else:
        y = globals()[name](m, x)
    n = 1 if name in ("ten", "branching") else len(point)
    # transposed, because CasADi's matrices lie by columns
    f = ca.Function("f", [x], [ca.densify(ca.jacobian(y, x).T)])
    return buffered(f, np.array(point), (len(point), n))
""",
    "numpy": MODELS
    + """
import math
def make(name):
    x = np.array(POINTS[name])
    def lotka_hand():
        a, b = x.tolist()
        return np.array([[1.5 - b, -a], [b, a - 3.0]])
    def robertson_hand():
        _, b, c = x.tolist()
        p, q, r = 1e4 * c, 1e4 * b, 6e7 * b
        return np.array([[-0.04, p, q], [0.04, -p - r, -q], [0.0, r, 0.0]])
    def ten_hand():
        a, b = x.tolist()
        s, co = math.sin(a), math.cos(a)
        c, ca_, cb = s * b, co * b, s
        E = math.exp(c); d, da, db = E + a, E * ca_ + 1.0, E * cb
        t = math.tanh(d * b); q = 1 - t * t
        e, ea, eb = t - c, q * da * b - ca_, q * (db * b + d) - cb
        r = math.sqrt(d)
        return np.array([(e * da / (2 * r) + r * ea) / b, (e * db / (2 * r) + r * eb) / b - r * e / (b * b)])
    def branching_hand():
        a, b = x.tolist()
        s, sa, sb, k = a * b, b, a, 0
        while s < 4.0 and k < 8:
            if s > 2.0:
                s, sa, sb = s + math.sin(a) * b, sa + math.cos(a) * b, sb + math.sin(a)
            else:
                s, sa, sb = s * 1.5 + a * a, sa * 1.5 + 2 * a, sb * 1.5
            k += 1
        e = math.exp(-b)
        return np.array([sa * e, (sb - s) * e])
    return dict(lotka=lotka_hand, robertson=robertson_hand, ten=ten_hand, branching=branching_hand)[name]
""",
}

REGRESSION = {
    "wengert": WENGERT
    + """
import scipy.special as sp
def make(what):
    D, v = regression_data()
    gammaln, (X, Y, a, b, rate, mean, spread) = sp.gammaln, (D[k] for k in "X Y a b rate mean spread".split())
    # Variables of an enclosing function are watched by the compiled code itself, what is in a dict by Python.
    f = lambda v: regression(np, gammaln, v, dict(X=X, Y=Y, a=a, b=b, rate=rate, mean=mean, spread=spread))
    if what == "hvp":
        g = wg.jit(lambda v, w: wg.jvp(wg.grad(f), (v,), (w,))[1])
        return lambda: g(v, v)
    g = wg.jit(dict(gradient=wg.grad, hessian=wg.hessian)[what](f))
    return lambda: g(v)
""",
    "jax": JAX
    + """
from jax.scipy.special import gammaln
def make(what):
    D, v = regression_data()
    v = jnp.array(v)
    f = lambda v: regression(jnp, gammaln, v, D)
    if what == "hvp":
        g = jax.jit(lambda v, w: jax.jvp(jax.grad(f), (v,), (w,))[1])
        return lambda: ready(g(v, v))
    g = jax.jit(dict(gradient=jax.grad, hessian=jax.hessian)[what](f))
    return lambda: ready(g(v))
""",
    "torch": TORCH
    + """
def make(what):
    D, v = regression_data()
    D = {k: torch.from_numpy(x) if isinstance(x, np.ndarray) else x for k, x in D.items()}
    D["rate"] = D["rate"].numpy()
    v = torch.from_numpy(v)
    log = np.log
    def f(v):
        E = dict(D)
        rate = torch.from_numpy(D["rate"])
        nu, su, beta = v[0], v[1:11], v[11:]
        s = torch.exp(su)
        z = (D["Y"] - D["X"] @ beta) / s
        t = torch.lgamma((nu + 1) / 2) - torch.lgamma(nu / 2) - 0.5 * torch.log(nu * 3.141592653589793) - torch.log(s)
        base = torch.sum(t - 0.5 * (nu + 1) * torch.log1p(z * z / nu))
        n = base + D["a"] * float(log(D["b"])) + (D["a"] - 1) * torch.log(nu) - D["b"] * nu
        u = base + torch.sum(torch.log(rate) - rate * s + su)
        return n + u + base + torch.sum(-0.5 * ((beta - D["mean"]) / D["spread"]) ** 2)
    if what == "hvp":
        return lambda: torch.autograd.functional.hvp(f, v, v)[1]
    if what == "hessian":
        return lambda: torch.autograd.functional.hessian(f, v, vectorize=True)
    x = v.clone().requires_grad_()
    return lambda: torch.autograd.grad(f(x), x)[0]
""",
}

NEWTON = {
    "wengert": WENGERT
    + """
def make():
    A, b = newton_data()
    f = lambda x: newton_residual(np, x, A, b)
    jacobian = wg.jacobian(f)
    for _ in range(1500):  # plain code becomes compiled code when it has run often
        jacobian(b)
    return lambda: newton(f, jacobian)
""",
    "wengert, jit": WENGERT
    + """
def make():
    A, b = newton_data()
    f = lambda x: newton_residual(np, x, A, b)
    jacobian, f = wg.jit(wg.jacobian(f)), wg.jit(f)
    return lambda: newton(f, jacobian)
""",
    "jax": JAX
    + """
def make():
    A, b = newton_data()
    f = jax.jit(lambda x: newton_residual(jnp, x, A, b))
    jacobian = jax.jit(jax.jacfwd(lambda x: newton_residual(jnp, x, A, b)))
    return lambda: newton(f, jacobian)
""",
    "torch": TORCH
    + """
def make():
    A, b = (torch.from_numpy(x) for x in newton_data())
    f = lambda x: newton_residual(torch, x, A, b)
    jacobian = lambda x: torch.func.jacrev(f)(torch.from_numpy(x))
    return lambda: newton(lambda x: f(torch.from_numpy(x)), jacobian)
""",
    "numpy": MODELS
    + """
def make():
    A, b = newton_data()
    def jacobian(x):
        J = A / np.cosh(x) ** 2
        J[np.arange(50), np.arange(50)] += 1 + 0.3 * x * x
        return J
    return lambda: newton(lambda x: newton_residual(np, x, A, b), jacobian)
""",
}

CHAIN = {
    "wengert": WENGERT
    + """
def make(ops):
    x, c, h = chain_data(ops)
    g = wg.jit(wg.grad(lambda x: np.sum(chain(np, x, c, h, ops))))
    return lambda: g(x)
""",
    "jax": JAX
    + """
def make(ops):
    x, c, h = chain_data(ops)
    f = lambda x: jnp.sum(jax.lax.scan(lambda x, _: (jnp.sin(x * c) * h + x, None), x, None, length=ops // 4)[0])
    g, x = jax.jit(jax.grad(f)), jnp.array(x)
    return lambda: ready(g(x))
""",
    "numpy": MODELS
    + """
def make(ops):
    x0, c, h = chain_data(ops)
    n = ops // 4
    def run():
        x, X = x0, np.empty((n, 16))
        for k in range(n):
            np.multiply(x, c, out=X[k])
            x = np.sin(X[k]) * h + x
        F = 1.0 + h * c * np.cos(X)
        g = np.ones(16)
        for k in range(n - 1, -1, -1):
            g = g * F[k]
        return g
    return run
""",
}

CUBE = {
    "wengert": WENGERT
    + """
def make(shape):
    x = np.random.default_rng(0).standard_normal(tuple(shape))
    j = wg.jit(wg.jacobian(lambda x: x * x * x))
    return lambda: j(x)
""",
    "jax": JAX
    + """
def make(shape):
    x = jnp.array(np.random.default_rng(0).standard_normal(tuple(shape)))
    j = jax.jit(jax.jacfwd(lambda x: x * x * x))
    return lambda: ready(j(x))
""",
    "numpy": MODELS
    + """
def make(shape):
    x = np.random.default_rng(0).standard_normal(tuple(shape))
    n = x.size
    def run():
        J = np.zeros((n, n)); J.flat[:: n + 1] = 3.0 * (x * x).ravel()
        return J.reshape(x.shape * 2)
    return run
""",
}

MLP = {
    "wengert": WENGERT
    + """
def make(layers):
    x, W, b = mlp_data(layers)
    j = wg.jit(wg.batch_jacobian(lambda x: mlp(np, x, W, b)))
    return lambda: j(x)
""",
    "jax": JAX
    + """
def make(layers):
    x, W, b = mlp_data(layers)
    j, x = jax.jit(jax.vmap(jax.jacrev(lambda x: mlp(jnp, x, W, b)))), jnp.array(x)
    return lambda: ready(j(x))
""",
    "torch": TORCH
    + """
def make(layers):
    x, W, b = mlp_data(layers)
    W, b, x = [torch.from_numpy(w) for w in W], [torch.from_numpy(c) for c in b], torch.from_numpy(x)
    j = torch.func.vmap(torch.func.jacrev(lambda x: mlp(torch, x, W, b)))
    return lambda: j(x)
""",
    "numpy": MODELS
    + """
def make(layers):
    x, W, b = mlp_data(layers)
    def run():
        ds, h = [], x
        for w, c in zip(W[:-1], b[:-1]):
            h = np.tanh(h @ w + c); ds.append(1.0 - h * h)
        J = W[-1].T[None] * ds[-1][:, None, :]
        for k in range(len(W) - 2, -1, -1):
            J = (J.reshape(-1, J.shape[-1]) @ W[k].T).reshape(64, -1, W[k].shape[0])
            if k:
                J *= ds[k - 1][:, None, :]
        return J
    return run
""",
}

LOGISTIC = {
    "wengert": WENGERT
    + """
def make(n, d):
    X, y, w = logistic_data(n, d)
    h = wg.jit(wg.hessian(lambda w: logistic(np, w, X, y)))
    return lambda: h(w)
""",
    "jax": JAX
    + """
def make(n, d):
    X, y, w = logistic_data(n, d)
    h, w = jax.jit(jax.hessian(lambda w: logistic(jnp, w, X, y))), jnp.array(w)
    return lambda: ready(h(w))
""",
    "torch": TORCH
    + """
def make(n, d):
    X, y, w = (torch.from_numpy(a) for a in logistic_data(n, d))
    f = lambda w: torch.sum(torch.nn.functional.softplus(X @ w) - y * (X @ w))
    return lambda: torch.func.hessian(f)(w)
""",
    "numpy": MODELS
    + """
def make(n, d):
    from scipy.linalg.blas import dsyrk
    X, y, w = logistic_data(n, d)
    def run():
        p = 1 / (1 + np.exp(-(X @ w)))
        A = X * np.sqrt(p * (1 - p))[:, None]
        H = dsyrk(1.0, A.T, lower=0)
        return H + np.triu(H, 1).T
    return run
""",
}

HAND = {
    "wengert": WENGERT
    + """
def make():
    *data, theta = hand_data()
    j = wg.jit(wg.jacfwd(lambda theta: hand(np, theta, *data)))
    return lambda: j(theta)
""",
    "jax": JAX
    + """
def make():
    *data, theta = hand_data()
    j, theta = jax.jit(jax.jacfwd(lambda theta: hand(jnp, theta, *data))), jnp.array(theta)
    return lambda: ready(j(theta))
""",
}
