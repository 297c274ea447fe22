"""Algorithms with loops and branches on the values: Python as it is."""

import numpy as np


def bisection(p, tol=1e-3):
    a, b = 0.0 * p[0], p[1]
    fa = np.cos(a) - p[0] * a
    while b - a > tol:
        c = (a + b) / 2
        fc = np.cos(c) - p[0] * c
        if fa * fc > 0:
            a, fa = c, fc
        else:
            b = c
    return (a + b) / 2


def newton(p, tol=1e-12, max_iter=50):
    x = 1.0
    for _ in range(max_iter):
        f = x**3 - p[0] * x - p[1]
        step = f / (3 * x**2 - p[0])
        x = x - step
        if abs(step) < tol:
            break
    return x


def rk45_adaptive(p, t_end=2.0, tol=1e-6):
    def rhs(y):
        return np.array([y[1], p[0] * (1 - y[0] ** 2) * y[1] - y[0]])

    y, t, h = np.array([p[1], 0.0]), 0.0, 0.1
    while t < t_end:
        h = min(h, t_end - t)
        k1 = rhs(y)
        k2 = rhs(y + h * k1 / 4)
        k3 = rhs(y + h * (3 * k1 + 9 * k2) / 32)
        k4 = rhs(y + h * (1932 * k1 - 7200 * k2 + 7296 * k3) / 2197)
        k5 = rhs(y + h * (439 / 216 * k1 - 8 * k2 + 3680 / 513 * k3 - 845 / 4104 * k4))
        k6 = rhs(y + h * (-8 / 27 * k1 + 2 * k2 - 3544 / 2565 * k3 + 1859 / 4104 * k4 - 11 / 40 * k5))
        y4 = y + h * (25 / 216 * k1 + 1408 / 2565 * k3 + 2197 / 4104 * k4 - k5 / 5)
        y5 = y + h * (16 / 135 * k1 + 6656 / 12825 * k3 + 28561 / 56430 * k4 - 9 / 50 * k5 + 2 / 55 * k6)
        error = max(abs(e) for e in y5 - y4)
        if error <= tol:
            t, y = t + h, y5
            h = 1.5 * h
        else:
            h = h / 2
    return y


def rk4_trajectory(p, n=20, dt=0.05):
    trajectory = np.zeros((n + 1, 2), like=p)
    trajectory[0] = p

    def f(y):
        return np.stack([y[1], -np.sin(y[0])])

    for i in range(n):
        y = trajectory[i]
        k1 = f(y)
        k2 = f(y + dt / 2 * k1)
        k3 = f(y + dt / 2 * k2)
        k4 = f(y + dt * k3)
        trajectory[i + 1] = y + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return trajectory[::5]


def adaptive_simpson(p, tol=1e-6):
    def f(x):
        return np.exp(-p[0] * x**2) * np.cos(p[1] * x)

    def recurse(a, b, fa, fm, fb, whole, tol):
        m = (a + b) / 2
        fl, fr = f((a + m) / 2), f((m + b) / 2)
        left, right = (m - a) / 6 * (fa + 4 * fl + fm), (b - m) / 6 * (fm + 4 * fr + fb)
        delta = left + right - whole
        if abs(delta) <= 15 * tol:
            return left + right + delta / 15
        return recurse(a, m, fa, fl, fm, left, tol / 2) + recurse(m, b, fm, fr, fb, right, tol / 2)

    fa, fm, fb = f(0.0), f(1.0), f(2.0)
    return recurse(0.0, 2.0, fa, fm, fb, (fa + 4 * fm + fb) / 3, tol)


def chebyshev_recursive(x, n=6):
    if n == 0:
        return np.ones_like(x)
    if n == 1:
        return x
    return 2 * x * chebyshev_recursive(x, n - 1) - chebyshev_recursive(x, n - 2)


def agm(p):
    a, b = p
    while abs(a - b) > 1e-13:
        a, b = (a + b) / 2, np.sqrt(a * b)
    return a


def power_iteration(p):
    A = np.array([[2.0, p[0]], [p[0], p[1]]])
    v = np.array([1.0, 0.5])
    for _ in range(30):
        v = A @ v
        v = v / np.sqrt(v @ v)
    return v @ A @ v


def thomas(d):
    n = len(d)
    a, b, c = -1.0, 4.0, -1.0
    cp, dp, x = np.zeros_like(d), np.zeros_like(d), np.zeros_like(d)
    cp[0], dp[0] = c / b, d[0] / b
    for i in range(1, n):
        m = b - a * cp[i - 1]
        cp[i] = c / m
        dp[i] = (d[i] - a * dp[i - 1]) / m
    x[-1] = dp[-1]
    for i in range(n - 2, -1, -1):
        x[i] = dp[i] - cp[i] * x[i + 1]
    return x


def cholesky_by_hand(a):
    n = 3
    A = a.reshape(n, n) @ a.reshape(n, n).T + np.eye(n)
    L = np.zeros_like(A)
    for i in range(n):
        for j in range(i + 1):
            s = A[i, j]
            for k in range(j):
                s = s - L[i, k] * L[j, k]
            L[i, j] = np.sqrt(s) if i == j else s / L[j, j]
    return L


def bubble_sort(x):
    y = x.copy()
    for i in range(len(y)):
        for j in range(len(y) - 1 - i):
            if y[j] > y[j + 1]:
                y[j], y[j + 1] = y[j + 1] * 1.0, y[j] * 1.0
    return y


def game_of_weights(x):
    total = 0.0
    for value in x:
        if value > 1:
            total += value**2
        elif value > 0:
            total += 3 * value
        else:
            continue
        if total > 20:
            break
    return total


def moving_average(x, w=3):
    ret = np.cumsum(x, dtype=float)
    ret[w:] = ret[w:] - ret[:-w]
    return ret[w - 1 :] / w


ENTRIES = [
    (bisection, np.array([0.8, 2.0]), False),
    (newton, np.array([1.3, 0.7]), False),
    (rk45_adaptive, np.array([1.2, 0.8]), False),
    (rk4_trajectory, np.array([0.9, -0.2]), False),
    (adaptive_simpson, np.array([0.7, 2.0]), False),
    (chebyshev_recursive, np.array([0.3, -0.8]), True),
    (agm, np.array([1.0, 3.0]), False),
    (power_iteration, np.array([0.7, 1.1]), True),
    (thomas, np.array([1.0, 2.0, -1.0, 0.5]), True),
    (cholesky_by_hand, np.linspace(-1, 1.3, 9), True),
    (bubble_sort, np.array([0.3, -1.2, 2.0, 0.9]), False),
    (game_of_weights, np.array([0.3, -1.2, 2.0, 0.9, 5.0, 1.0]), False),
    (moving_average, np.array([0.3, -1.2, 2.0, 0.9, 5.0, 1.0]), False),
]
