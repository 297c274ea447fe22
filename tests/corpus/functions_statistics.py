"""Likelihoods, regressions, filters and finance, as NumPy code writes them."""

import numpy as np
from scipy.special import erf

DATA = np.array([1.2, 0.7, 2.3, 1.9, 0.4, 1.1, 3.0])
DESIGN = np.column_stack([np.ones(7), DATA, np.sin(3 * DATA)])
LABELS = np.array([0, 1, 2, 1, 0, 0, 2])


def normal_log_likelihood(params):
    mu, log_sigma = params
    sigma = np.exp(log_sigma)
    return np.sum(-0.5 * np.log(2 * np.pi) - log_sigma - 0.5 * ((DATA - mu) / sigma) ** 2)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def logistic_loss(w):
    y = (LABELS > 0).astype(float)
    p = sigmoid(DESIGN @ w)
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def softmax_regression(w):
    W = w.reshape(3, 3)
    P = softmax(np.dot(DESIGN, W))
    return -np.log(P[np.arange(len(LABELS)), LABELS]).mean() + 0.01 * np.sum(W * W)


def logsumexp(a, axis=None):
    a_max = np.amax(a, axis=axis, keepdims=True)
    return np.log(np.sum(np.exp(a - a_max), axis=axis)) + np.squeeze(a_max, axis=axis)


def gmm_log_likelihood(theta):
    logits, means, log_stds = np.split(theta, 3)
    log_weights = logits - logsumexp(logits)
    z = (DATA[:, None] - means) / np.exp(log_stds)
    return np.sum(logsumexp(log_weights - 0.5 * z**2 - log_stds - 0.5 * np.log(2 * np.pi), axis=1))


def poisson_regression(beta):
    eta = np.matmul(DESIGN, beta)
    return np.sum(np.exp(eta) - LABELS * eta)


def cox_partial_likelihood(beta):
    order = np.argsort(-DATA)
    risk = DESIGN[order][:, 1:] @ beta
    return np.sum(risk - np.log(np.cumsum(np.exp(risk))))


def huber(params, delta=0.5):
    residual = DATA - params[0] - params[1] * np.arange(len(DATA))
    small = np.abs(residual) <= delta
    return np.where(small, 0.5 * residual**2, delta * (np.abs(residual) - 0.5 * delta)).sum()


def ar1_log_likelihood(p):
    phi, sigma = p
    ll = -0.5 * np.log(2 * np.pi * sigma**2 / (1 - phi**2)) - DATA[0] ** 2 * (1 - phi**2) / (2 * sigma**2)
    for t in range(1, len(DATA)):
        e = DATA[t] - phi * DATA[t - 1]
        ll += -0.5 * np.log(2 * np.pi * sigma**2) - e**2 / (2 * sigma**2)
    return ll


def kalman_log_likelihood(params):
    F = np.array([[1.0, 1.0], [0.0, 1.0]])
    H = np.array([[1.0, 0.0]])
    Q, R = np.diag(params[:2]), params[2]
    x, P = np.zeros(2), np.eye(2) * 10
    total = 0.0
    for z in DATA:
        x = F @ x
        P = F @ P @ F.T + Q
        y = z - H @ x
        S = H @ P @ H.T + R
        K = P @ H.T @ np.linalg.inv(S)
        x = x + K @ y
        P = (np.eye(2) - K @ H) @ P
        total += -0.5 * (np.log(np.linalg.det(2 * np.pi * S)) + y @ np.linalg.solve(S, y))
    return total


def gp_marginal_likelihood(theta):
    length, amplitude, noise = np.exp(theta)
    sq = (DATA[:, None] - DATA[None, :]) ** 2
    K = amplitude * np.exp(-0.5 * sq / length**2) + noise * np.eye(len(DATA))
    y = np.sin(DATA)
    L = np.linalg.cholesky(K)
    alpha = np.linalg.solve(L.T, np.linalg.solve(L, y))
    return -0.5 * y.dot(alpha) - np.log(np.diag(L)).sum() - len(y) / 2 * np.log(2 * np.pi)


def kernel_density(h):
    u = (np.linspace(0, 3, 4)[:, None] - DATA) / h
    return np.mean(np.exp(-0.5 * u**2), axis=1) / (h * np.sqrt(2 * np.pi))


def norm_cdf(x):
    return 0.5 * (1 + erf(x / np.sqrt(2)))


def black_scholes(p):
    S, K, T, r, sigma = p
    d1 = (np.log(S / K) + (r + sigma**2 / 2) * T) / (sigma * np.sqrt(T))
    d2 = d1 - sigma * np.sqrt(T)
    return S * norm_cdf(d1) - K * np.exp(-r * T) * norm_cdf(d2)


def american_put(p, N=12):
    S, K, T, r, sigma = p
    dt = T / N
    u = np.exp(sigma * np.sqrt(dt))
    d = 1 / u
    q = (np.exp(r * dt) - d) / (u - d)
    disc = np.exp(-r * dt)
    prices = S * d ** np.arange(N, -1, -1) * u ** np.arange(0, N + 1, 1)
    values = np.maximum(0, K - prices)
    for i in np.arange(N - 1, -1, -1):
        prices = S * d ** np.arange(i, -1, -1) * u ** np.arange(0, i + 1, 1)
        values[: i + 1] = disc * (q * values[1 : i + 2] + (1 - q) * values[0 : i + 1])
        values = values[:-1]
        values = np.maximum(values, K - prices)
    return values[0]


def nelson_siegel(p):
    b0, b1, b2, lam = p
    t = np.array([0.5, 1.0, 2.0, 5.0, 10.0])
    x = t / lam
    load = (1 - np.exp(-x)) / x
    return b0 + b1 * load + b2 * (load - np.exp(-x))


def bond_price(y):
    cash = np.array([3.0, 3.0, 3.0, 103.0])
    return np.sum(cash / (1 + y) ** np.arange(1, 5))


def heston_characteristic(p):
    kappa, theta, sigma, rho, v0 = p
    u, T = 1.5, 0.7
    xi = kappa - sigma * rho * 1j * u
    d = np.sqrt(xi**2 + sigma**2 * (u**2 + 1j * u))
    g = (xi - d) / (xi + d)
    C = kappa * theta / sigma**2 * ((xi - d) * T - 2 * np.log((1 - g * np.exp(-d * T)) / (1 - g)))
    D = (xi - d) / sigma**2 * (1 - np.exp(-d * T)) / (1 - g * np.exp(-d * T))
    phi = np.exp(C + D * v0)
    return np.array([phi.real, phi.imag])


def minimum_variance(w):
    returns = np.array([[0.1, 0.2, -0.1], [0.05, -0.1, 0.2], [0.0, 0.1, 0.1], [0.2, 0.0, -0.05]])
    weights = np.exp(w) / np.sum(np.exp(w))
    return np.sqrt(weights @ np.cov(returns, rowvar=False) @ weights)


ENTRIES = [
    (normal_log_likelihood, np.array([1.0, 0.2]), True),
    (logistic_loss, np.array([0.2, -0.5, 0.7]), True),
    (softmax_regression, np.linspace(-1, 1, 9), False),
    (gmm_log_likelihood, np.array([0.1, -0.3, 0.5, 2.0, 0.2, -0.4]), False),
    (poisson_regression, np.array([0.1, 0.2, -0.3]), True),
    (cox_partial_likelihood, np.array([0.4, -0.6]), True),
    (huber, np.array([0.9, 0.2]), False),
    (ar1_log_likelihood, np.array([0.6, 0.8]), True),
    (kalman_log_likelihood, np.array([0.1, 0.05, 0.5]), False),
    (gp_marginal_likelihood, np.array([0.1, -0.2, -1.0]), False),
    (kernel_density, np.array(0.4), True),
    (black_scholes, np.array([100.0, 95.0, 0.5, 0.03, 0.25]), False),
    (american_put, np.array([100.0, 105.0, 1.0, 0.06, 0.3]), False),
    (nelson_siegel, np.array([0.04, -0.02, 0.01, 1.5]), True),
    (bond_price, np.array(0.04), True),
    (heston_characteristic, np.array([1.5, 0.04, 0.3, -0.7, 0.05]), False),
    (minimum_variance, np.array([0.1, 0.4, -0.2]), False),
]
# The mixture's parameters come in threes of equal length.
assert all(len(x) % 3 == 0 for f, x, _ in ENTRIES if f is gmm_log_likelihood)
