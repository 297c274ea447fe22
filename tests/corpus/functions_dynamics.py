"""Right-hand sides of ordinary and partial differential equations, as NumPy code writes them."""

import numpy as np


def lorenz(state, sigma=10.0, rho=28.0, beta=8.0 / 3.0):
    x, y, z = state
    return np.array([sigma * (y - x), x * (rho - z) - y, x * y - beta * z])


def van_der_pol(z, mu=5.0):
    x, v = z
    return np.array([v, mu * (1 - x**2) * v - x])


def robertson(y):
    dydt = np.zeros_like(y)
    dydt[0] = -0.04 * y[0] + 1e4 * y[1] * y[2]
    dydt[2] = 3e7 * y[1] ** 2
    dydt[1] = -dydt[0] - dydt[2]
    return dydt


def lotka_volterra(X, a=1.0, b=0.1, c=1.5, d=0.75):
    return np.array([a * X[0] - b * X[0] * X[1], -c * X[1] + d * b * X[0] * X[1]])


def fitzhugh_nagumo(u, a=0.7, b=0.8, tau=12.5, current=0.5):
    v, w = u[0], u[1]
    dvdt = v - v**3 / 3 - w + current
    dwdt = (v + a - b * w) / tau
    return np.hstack((dvdt, dwdt))


def lorenz96(x, F=8):
    return (np.roll(x, -1) - np.roll(x, 2)) * np.roll(x, 1) - x + F


def double_pendulum(state, L1=1.0, L2=1.0, M1=1.0, M2=1.0, G=9.8):
    dydx = np.zeros_like(state)
    dydx[0] = state[1]
    delta = state[2] - state[0]
    den1 = (M1 + M2) * L1 - M2 * L1 * np.cos(delta) * np.cos(delta)
    dydx[1] = (
        M2 * L1 * state[1] * state[1] * np.sin(delta) * np.cos(delta)
        + M2 * G * np.sin(state[2]) * np.cos(delta)
        + M2 * L2 * state[3] * state[3] * np.sin(delta)
        - (M1 + M2) * G * np.sin(state[0])
    ) / den1
    dydx[2] = state[3]
    den2 = (L2 / L1) * den1
    dydx[3] = (
        -M2 * L2 * state[3] * state[3] * np.sin(delta) * np.cos(delta)
        + (M1 + M2) * G * np.sin(state[0]) * np.cos(delta)
        - (M1 + M2) * L1 * state[1] * state[1] * np.sin(delta)
        - (M1 + M2) * G * np.sin(state[2])
    ) / den2
    return dydx


def kuramoto(theta, K=1.5):
    N = theta.size
    omega = np.linspace(-1, 1, N)
    theta_i, theta_j = np.meshgrid(theta, theta)
    return omega + K / N * np.sin(theta_j - theta_i).sum(axis=0)


def brusselator_1d(y, a=1.0, b=3.0, alpha=0.02):
    n = len(y) // 2
    u, v = y[:n], y[n:]
    c = alpha * (n + 1) ** 2
    up = np.concatenate(([1.0], u, [1.0]))
    vp = np.concatenate(([3.0], v, [3.0]))
    du = a + u**2 * v - (b + 1) * u + c * (up[:-2] - 2 * u + up[2:])
    dv = b * u - u**2 * v + c * (vp[:-2] - 2 * v + vp[2:])
    return np.r_[du, dv]


def heat_equation(T, alpha=0.1, dx=0.1):
    dTdt = np.empty_like(T)
    dTdt[1:-1] = alpha * (T[2:] - 2 * T[1:-1] + T[:-2]) / dx**2
    dTdt[0] = alpha * (T[1] - T[0]) / dx**2
    dTdt[-1] = alpha * (T[-2] - T[-1]) / dx**2
    return dTdt


def burgers_godunov(u, dx=0.1):
    ul, ur = u[:-1], u[1:]
    fl, fr = 0.5 * ul**2, 0.5 * ur**2
    shock = np.where((ul + ur) / 2 > 0, fl, fr)
    fan = np.where(ul > 0, fl, np.where(ur < 0, fr, 0.0))
    flux = np.where(ul > ur, shock, fan)
    dudt = np.zeros_like(u)
    dudt[1:-1] = -(flux[1:] - flux[:-1]) / dx
    return dudt


def laplacian(Z):
    return np.roll(Z, 1, 0) + np.roll(Z, -1, 0) + np.roll(Z, 1, 1) + np.roll(Z, -1, 1) - 4 * Z


def gray_scott(flat, Du=0.16, Dv=0.08, F=0.035, k=0.065):
    U, V = flat.reshape(2, 3, 3)
    uvv = U * V * V
    dU = Du * laplacian(U) - uvv + F * (1 - U)
    dV = Dv * laplacian(V) + uvv - (F + k) * V
    return np.stack([dU, dV]).ravel()


def n_body(y, masses=(1.0, 0.5, 0.2), G=1.0):
    n = len(masses)
    pos, vel = y[: 3 * n].reshape(n, 3), y[3 * n :].reshape(n, 3)
    acc = np.zeros_like(pos)
    for i in range(n):
        for j in range(n):
            if i != j:
                r = pos[j] - pos[i]
                acc[i] += G * masses[j] * r / np.linalg.norm(r) ** 3
    return np.concatenate((vel.flatten(), acc.flatten()))


def n_body_vectorised(pos, m=1.0, softening=0.1):
    x, y, z = pos.reshape(3, -1)
    dx, dy, dz = x.T - x[:, None], y.T - y[:, None], z.T - z[:, None]
    inv_r3 = (dx**2 + dy**2 + dz**2 + softening**2) ** (-1.5)
    return np.vstack(((dx * inv_r3).sum(axis=1), (dy * inv_r3).sum(axis=1), (dz * inv_r3).sum(axis=1))) * m


def kuramoto_sivashinsky(u, L=22.0):
    n = len(u)
    k = 2 * np.pi * np.fft.fftfreq(n, d=L / n)
    v = np.fft.fft(u)
    nonlinear = -0.5j * k * np.fft.fft(np.real(np.fft.ifft(v)) ** 2)
    return np.real(np.fft.ifft((k**2 - k**4) * v + nonlinear))


def shallow_water_step(q, dx=0.1, dt=0.01, g=9.81):
    h, hu = q.reshape(2, -1).copy()
    f1, f2 = hu, hu**2 / h + 0.5 * g * h**2
    h_new, hu_new = h.copy(), hu.copy()
    h_new[1:-1] = 0.5 * (h[2:] + h[:-2]) - dt / (2 * dx) * (f1[2:] - f1[:-2])
    hu_new[1:-1] = 0.5 * (hu[2:] + hu[:-2]) - dt / (2 * dx) * (f2[2:] - f2[:-2])
    h_new[0], h_new[-1] = h_new[1], h_new[-2]
    hu_new[0], hu_new[-1] = -hu_new[1], -hu_new[-2]
    return np.array([h_new, hu_new])


def reaction_network(c):
    S = np.array([[-1, 0, 1], [1, -2, 0], [0, 1, -1]])
    rates = np.array([2.0 * c[0], 0.5 * c[1] ** 2, 1.3 * c[2]])
    return S @ rates


ENTRIES = [
    (lorenz, np.array([1.0, 2.0, 20.0]), True),
    (van_der_pol, np.array([0.5, -1.0]), True),
    (robertson, np.array([0.9, 2e-5, 0.1]), True),
    (lotka_volterra, np.array([10.0, 5.0]), True),
    (fitzhugh_nagumo, np.array([-1.0, 0.3]), True),
    (lorenz96, np.array([1.0, 8.0, -3.0, 2.5, 0.3, 6.0]), True),
    (double_pendulum, np.array([1.0, 0.3, -0.5, 0.7]), True),
    (kuramoto, np.array([0.1, 1.2, 2.5, -0.7]), True),
    (brusselator_1d, np.linspace(0.5, 3.0, 10), True),
    (heat_equation, np.sin(np.arange(7.0)), True),
    (burgers_godunov, np.array([1.0, 0.8, -0.3, -0.9, 0.4, 0.7, 0.2]), False),
    (gray_scott, np.linspace(0.1, 0.9, 18), True),
    (n_body, np.sin(np.arange(18.0) * 1.7) * 2, False),
    (n_body_vectorised, np.sin(np.arange(9.0) * 1.7) * 2, True),
    (kuramoto_sivashinsky, np.cos(np.arange(8.0)), False),
    (shallow_water_step, np.concatenate([1 + 0.1 * np.sin(np.arange(6.0)), 0.2 * np.cos(np.arange(6.0))]), True),
    (reaction_network, np.array([0.3, 0.8, 0.5]), True),
]
