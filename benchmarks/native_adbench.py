"""Sources for ADBench's problems (GMM, LSTM, bundle adjustment) and a reaction-diffusion grid; see `native_sources`."""

from __future__ import annotations

from . import sparse
from .native_sources import JAX_START, WENGERT_START

_GMM = """
import numpy as np

def data(n, d, K):
    r = np.random.default_rng(6)
    t = d * (d + 1) // 2
    a, m, q, x = r.standard_normal(K), r.random((K, d)), r.standard_normal((K, t)), r.standard_normal((n, d))
    at = np.full((d, d), t)  # places in [exp(diagonal), strict lower triangle by columns, 0]
    at[np.arange(d), np.arange(d)] = np.arange(d)
    k = d
    for c in range(d):
        at[c + 1 :, c] = np.arange(k, k + d - 1 - c)
        k += d - 1 - c
    return a, m, q, x, at

def objective(xp, logsumexp, concatenate, a, m, q, x, at):
    n, (K, d) = len(x), m.shape
    E = concatenate([xp.exp(q[:, :d]), q[:, d:], xp.zeros_like(q[:, :1])], 1)
    Q = E[:, at]
    Y = (Q.reshape(K * d, d) @ x.T).reshape(K, d, n) - Q @ m[:, :, None]
    total = q[:, :d].sum(1)
    M = (a + total)[:, None] - 0.5 * (Y * Y).sum(1)
    mixed = logsumexp(M, 0).sum() - n * logsumexp(a, 0)
    return mixed + 0.5 * ((E[:, :d] ** 2).sum() + (q[:, d:] ** 2).sum())
"""

GMM = {
    "wengert": _GMM
    + WENGERT_START
    + """
from wengert.scipy.special import logsumexp
def make(n, d, K):
    a, m, q, x, at = data(n, d, K)
    g = wg.jit(wg.grad(lambda a, m, q: objective(np, logsumexp, np.concatenate, a, m, q, x, at), argnums=(0, 1, 2)))
    return lambda: g(a, m, q)
""",
    "jax": _GMM
    + JAX_START
    + """
from jax.scipy.special import logsumexp
def make(n, d, K):
    a, m, q, x, at = map(jnp.asarray, data(n, d, K))
    f = lambda a, m, q: objective(jnp, logsumexp, jnp.concatenate, a, m, q, x, at)
    g = jax.jit(jax.grad(f, (0, 1, 2)))
    return lambda: jax.block_until_ready(g(a, m, q))
""",
    "torch": _GMM
    + """
import torch
def make(n, d, K):
    *ps, x, at = map(torch.from_numpy, data(n, d, K))
    for p in ps:
        p.requires_grad_()
    f = lambda: objective(torch, torch.logsumexp, torch.cat, *ps, x, at)
    return lambda: torch.autograd.grad(f(), ps)
""",
    "numpy": _GMM
    + """
def make(n, d, K):
    a, m, q, X, at = data(n, d, K)
    ii, jj = np.nonzero(at < q.shape[1])
    place = np.empty(q.shape[1], dtype=int)
    place[at[ii, jj]] = ii * d + jj
    def run():
        E = np.concatenate([np.exp(q[:, :d]), q[:, d:], np.zeros((K, 1))], 1)
        Q = E[:, at]
        Y = (Q.reshape(K * d, d) @ X.T).reshape(K, d, -1) - (Q @ m[:, :, None])
        M = (a + q[:, :d].sum(1))[:, None] - 0.5 * np.einsum("kdn,kdn->kn", Y, Y)
        w = np.exp(M - M.max(0))
        w /= w.sum(0)
        sw = w.sum(1)
        Yw = Y * w[:, None, :]
        yw = Yw.sum(2)
        dQ = yw[:, :, None] * m[:, None, :] - (Yw.reshape(K * d, -1) @ X).reshape(K, d, d)
        e = np.exp(a - a.max())
        dq = dQ.reshape(K, d * d)[:, place]
        dq[:, :d] = dq[:, :d] * E[:, :d] + sw[:, None] + E[:, :d] ** 2
        dq[:, d:] += q[:, d:]
        return sw - n * e / e.sum(), np.einsum("kij,ki->kj", Q, yw), dq
    return run
""",
}

_LSTM = """
import numpy as np

def data(layers, c, b):
    r = np.random.default_rng(8)
    main, extra, state = r.random(8 * layers * b), r.random(3 * b), r.random(2 * layers * b)
    return main, extra, state, (r.random((c, b)) < 0.5) * 1.0
"""

LSTM = {
    "wengert": _LSTM
    + WENGERT_START
    + """
def make(layers, c, b):
    main, extra, state, seq = data(layers, c, b)
    T = c - 1
    def loss(main, extra):
        W, S = main.reshape(layers, 2, 4 * b), state.reshape(layers, 2, b)
        h, cell, outs = list(S[:, 0]), list(S[:, 1]), []
        xs = seq[:T] * extra[:b]
        for t in range(T):
            x = xs[t]
            for k in range(layers):
                g = np.concatenate([x, h[k], x, h[k]]) * W[k, 0] + W[k, 1]
                s = 1.0 / (1.0 + np.exp(-g[: 3 * b]))
                cell[k] = cell[k] * s[:b] + s[b : 2 * b] * np.tanh(g[3 * b :])
                x = h[k] = s[2 * b :] * np.tanh(cell[k])
            outs.append(x)
        y = np.stack(outs) * extra[b : 2 * b] + extra[2 * b :]
        total = np.log(np.exp(y).sum(1) + 2.0)
        return -np.sum(seq[1:] * (y - total[:, None])) / (T * b)
    g = wg.jit(wg.grad(loss, argnums=(0, 1)))
    return lambda: g(main, extra)
""",
    "jax, lax.scan": _LSTM
    + JAX_START
    + """
def make(layers, c, b):
    main, extra, state, seq = map(jnp.asarray, data(layers, c, b))
    T = c - 1
    def loss(main, extra, state, seq):
        W, S = main.reshape(layers, 2, 4 * b), state.reshape(layers, 2, b)
        def step(carry, x):
            h, cell = carry
            hs, cs = [], []
            for k in range(layers):
                g = jnp.concatenate([x, h[k], x, h[k]]) * W[k, 0] + W[k, 1]
                s = jax.nn.sigmoid(g[: 3 * b])
                cs.append(cell[k] * s[:b] + s[b : 2 * b] * jnp.tanh(g[3 * b :]))
                x = s[2 * b :] * jnp.tanh(cs[-1])
                hs.append(x)
            return (jnp.stack(hs), jnp.stack(cs)), x
        _, out = jax.lax.scan(step, (S[:, 0], S[:, 1]), seq[:T] * extra[:b])
        y = out * extra[b : 2 * b] + extra[2 * b :]
        total = jnp.log(jnp.exp(y).sum(1) + 2.0)
        return -(seq[1:] * (y - total[:, None])).sum() / (T * b)
    g = jax.jit(jax.grad(loss, (0, 1)))
    return lambda: jax.block_until_ready(g(main, extra, state, seq))
""",
    "numba, by hand": _LSTM
    + """
import numba
@numba.njit(fastmath=True)
def gradient(main, extra, state, seq, L, b):
    T = seq.shape[0] - 1
    S, I = np.empty((T, L, 4, b)), np.empty((T, L, 2, b))
    C, V, H = np.empty((T, L, b)), np.empty((T, L, b)), np.empty((T, b))
    P = main.reshape(L, 8, b)
    h, c = state.reshape(L, 2, b)[:, 0].copy(), state.reshape(L, 2, b)[:, 1].copy()
    for t in range(T):
        for k in range(L):
            for j in range(b):
                x = seq[t, j] * extra[j] if k == 0 else h[k - 1, j]
                y = h[k, j]
                I[t, k, 0, j], I[t, k, 1, j], C[t, k, j] = x, y, c[k, j]
                f = 1 / (1 + np.exp(-(x * P[k, 0, j] + P[k, 4, j])))
                i = 1 / (1 + np.exp(-(y * P[k, 1, j] + P[k, 5, j])))
                u = 1 / (1 + np.exp(-(x * P[k, 2, j] + P[k, 6, j])))
                g = np.tanh(y * P[k, 3, j] + P[k, 7, j])
                c[k, j] = c[k, j] * f + i * g
                V[t, k, j] = np.tanh(c[k, j])
                S[t, k, 0, j], S[t, k, 1, j], S[t, k, 2, j], S[t, k, 3, j] = f, i, u, g
                h[k, j] = u * V[t, k, j]
        H[t] = h[L - 1]
    dP, de = np.zeros((L, 8, b)), np.zeros((3, b))
    dh, dc, up, e = np.zeros((L, b)), np.zeros((L, b)), np.empty(b), np.empty(b)
    for t in range(T - 1, -1, -1):
        total, gold = 2.0, 0.0
        for j in range(b):
            e[j] = np.exp(H[t, j] * extra[b + j] + extra[2 * b + j])
            total += e[j]
            gold += seq[t + 1, j]
        for j in range(b):
            d = (seq[t + 1, j] - gold / total * e[j]) * (-1.0 / (T * b))
            de[1, j] += d * H[t, j]
            de[2, j] += d
            up[j] = d * extra[b + j]
        for k in range(L - 1, -1, -1):
            for j in range(b):
                f, i, u, g, v = S[t, k, 0, j], S[t, k, 1, j], S[t, k, 2, j], S[t, k, 3, j], V[t, k, j]
                d = up[j] + dh[k, j]
                w = dc[k, j] + d * u * (1 - v * v)
                df, di = w * C[t, k, j] * f * (1 - f), w * g * i * (1 - i)
                du, dg = d * v * u * (1 - u), w * i * (1 - g * g)
                dc[k, j] = w * f
                x, y = I[t, k, 0, j], I[t, k, 1, j]
                dP[k, 0, j] += df * x; dP[k, 1, j] += di * y; dP[k, 2, j] += du * x; dP[k, 3, j] += dg * y
                dP[k, 4, j] += df; dP[k, 5, j] += di; dP[k, 6, j] += du; dP[k, 7, j] += dg
                up[j] = df * P[k, 0, j] + du * P[k, 2, j]
                dh[k, j] = di * P[k, 1, j] + dg * P[k, 3, j]
        for j in range(b):
            de[0, j] += up[j] * seq[t, j]
    return dP.ravel(), de.ravel()
def make(layers, c, b):
    main, extra, state, seq = data(layers, c, b)
    return lambda: gradient(main, extra, state, seq, layers, b)
""",
}


def _peers(sources: dict[str, str]) -> dict[str, str]:
    """Return the peers of another page."""
    return {system: source for system, source in sources.items() if not system.startswith(("wengert", "scipy"))}


BUNDLE = {
    "wengert": sparse._BA
    + sparse._OWN_BA
    + WENGERT_START
    + """
def make(n, m, k):
    z, zt, feats, ft, w = problem(n, m, k); v = z.reshape(-1)
    values = wg.jit(wg.plan_jacobian(function(zt, ft, k), v).values)
    return lambda: values(v)
""",
    **_peers(sparse._BUNDLE),
}

BRUSSELATOR = {
    "wengert": sparse._GRID
    + WENGERT_START
    + """
def make(N):
    z, force, c = problem(N)
    values = wg.jit(wg.plan_jacobian(lambda z: rhs(np, z, force, c, N), z).values)
    return lambda: values(z)
""",
    **_peers(sparse._BRUSSELATOR),
}

ROSENBROCK = {
    "wengert": sparse._ROSENBROCK
    + WENGERT_START
    + """
def make(n):
    x = 1.0 + 0.3 * np.random.default_rng(4).standard_normal(n)
    values = wg.jit(wg.plan_hessian(fun, x).values)
    return lambda: values(x)
""",
    **_peers(sparse._HESSIAN),
}
