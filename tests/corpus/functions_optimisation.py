"""Test functions of optimisation, as NumPy code writes them. Sources: Surjanovic and Bingham, Virtual Library of
Simulation Experiments (2013); Moré, Garbow and Hillstrom, ACM Transactions on Mathematical Software 7, 1981."""

import numpy as np


def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2.0) ** 2.0 + (1 - x[:-1]) ** 2.0)


def ackley(x, a=20, b=0.2, c=2 * np.pi):
    d = len(x)
    sum_sq_term = -a * np.exp(-b * np.sqrt(sum(x**2) / d))
    cos_term = -np.exp(sum(np.cos(c * x) / d))
    return a + np.exp(1) + sum_sq_term + cos_term


def griewank(x):
    i = np.arange(1, len(x) + 1)
    return 1 + np.sum(x**2) / 4000 - np.prod(np.cos(x / np.sqrt(i)))


def himmelblau(p):
    x, y = p
    return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2


def styblinski_tang(x):
    total = 0
    for i in range(len(x)):
        total += x[i] ** 4 - 16 * x[i] ** 2 + 5 * x[i]
    return total / 2


def beale(xy):
    x, y = xy[0], xy[1]
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


def rastrigin(x):
    return 10 * len(x) + np.sum(np.square(x) - 10 * np.cos(2 * np.pi * x))


def schwefel(x):
    return 418.9829 * x.size - (x * np.sin(np.sqrt(np.abs(x)))).sum()


def levy(x):
    w = 1 + (x - 1) / 4
    term1 = (np.sin(np.pi * w[0])) ** 2
    term3 = (w[-1] - 1) ** 2 * (1 + (np.sin(2 * np.pi * w[-1])) ** 2)
    wi = w[:-1]
    return term1 + np.sum((wi - 1) ** 2 * (1 + 10 * (np.sin(np.pi * wi + 1)) ** 2)) + term3


def goldstein_price(xx):
    x1, x2 = xx[0], xx[1]
    fact1 = 1 + (x1 + x2 + 1) ** 2 * (19 - 14 * x1 + 3 * x1**2 - 14 * x2 + 6 * x1 * x2 + 3 * x2**2)
    fact2 = 30 + (2 * x1 - 3 * x2) ** 2 * (18 - 32 * x1 + 12 * x1**2 + 48 * x2 - 36 * x1 * x2 + 27 * x2**2)
    return fact1 * fact2


def michalewicz(x, m=10):
    ii = np.arange(1, len(x) + 1)
    return -np.sum(np.sin(x) * np.power(np.sin(ii * x**2 / np.pi), 2 * m))


def zakharov(x):
    ii = np.arange(1, len(x) + 1)
    s = np.dot(0.5 * ii, x)
    return np.inner(x, x) + s**2 + s**4


def dixon_price(x):
    i = np.arange(2, len(x) + 1)
    return (x[0] - 1) ** 2 + np.sum(i * (2 * x[1:] ** 2 - x[:-1]) ** 2)


def easom(x):
    return -np.cos(x[0]) * np.cos(x[1]) * np.exp(-((x[0] - np.pi) ** 2) - (x[1] - np.pi) ** 2)


def branin(x, a=1, b=5.1 / (4 * np.pi**2), c=5 / np.pi, r=6, s=10, t=1 / (8 * np.pi)):
    return a * (x[1] - b * x[0] ** 2 + c * x[0] - r) ** 2 + s * (1 - t) * np.cos(x[0]) + s


def hartmann3(x):
    alpha = np.array([1.0, 1.2, 3.0, 3.2])
    A = np.array([[3.0, 10, 30], [0.1, 10, 35], [3.0, 10, 30], [0.1, 10, 35]])
    P = 1e-4 * np.array([[3689, 1170, 2673], [4699, 4387, 7470], [1091, 8732, 5547], [381, 5743, 8828]])
    inner = np.sum(A * (x - P) ** 2, axis=1)
    return -np.sum(alpha * np.exp(-inner))


def six_hump_camel(x):
    x1, x2 = x
    return (4 - 2.1 * x1**2 + x1**4 / 3) * x1**2 + x1 * x2 + (-4 + 4 * x2**2) * x2**2


def helical_valley(x):
    if x[0] > 0:
        theta = np.arctan(x[1] / x[0]) / (2 * np.pi)
    else:
        theta = np.arctan(x[1] / x[0]) / (2 * np.pi) + 0.5
    return np.array([10 * (x[2] - 10 * theta), 10 * (np.sqrt(x[0] ** 2 + x[1] ** 2) - 1), x[2]])


def powell_singular(x):
    f = np.empty_like(x)
    f[0] = x[0] + 10 * x[1]
    f[1] = np.sqrt(5) * (x[2] - x[3])
    f[2] = (x[1] - 2 * x[2]) ** 2
    f[3] = np.sqrt(10) * (x[0] - x[3]) ** 2
    return f


def broyden_tridiagonal(x):
    f = (3 - 2 * x) * x + 1
    f[1:] -= x[:-1]
    f[:-1] -= 2 * x[1:]
    return f


def watson(x):
    n = len(x)
    t = np.arange(1, 30) / 29
    j = np.arange(n)
    s1 = ((j[1:] * x[1:]) * t[:, None] ** (j[1:] - 1)).sum(axis=1)
    s2 = (x * t[:, None] ** j).sum(axis=1)
    return np.concatenate((s1 - s2**2 - 1, [x[0], x[1] - x[0] ** 2 - 1]))


def trigonometric(x):
    n = len(x)
    return n - np.cos(x).sum() + np.arange(1, n + 1) * (1 - np.cos(x)) - np.sin(x)


def brown_almost_linear(x):
    n = x.shape[0]
    r = x + np.sum(x) - (n + 1)
    r[-1] = np.prod(x) - 1
    return r


_FIVE = np.array([0.7, -1.2, 0.4, 1.9, -0.3])
_TWO = np.array([1.3, -0.8])

ENTRIES = [
    (rosenbrock, _FIVE, True),
    (ackley, _FIVE, True),
    (griewank, _FIVE * 10, True),
    (himmelblau, _TWO, True),
    (styblinski_tang, _FIVE, True),
    (beale, _TWO, True),
    (rastrigin, _FIVE, True),
    (schwefel, _FIVE * 100, False),
    (levy, _FIVE, True),
    (goldstein_price, _TWO, True),
    (michalewicz, np.array([1.1, 0.7, 2.2]), True),
    (zakharov, _FIVE, True),
    (dixon_price, _FIVE, True),
    (easom, np.array([2.9, 3.4]), True),
    (branin, _TWO, True),
    (hartmann3, np.array([0.2, 0.5, 0.7]), True),
    (six_hump_camel, _TWO, True),
    (helical_valley, np.array([-1.0, 0.5, 0.3]), False),
    (powell_singular, np.array([3.0, -1.0, 0.5, 1.0]), True),
    (broyden_tridiagonal, _FIVE, True),
    (watson, _FIVE, True),
    (trigonometric, _FIVE, True),
    (brown_almost_linear, _FIVE, True),
]
