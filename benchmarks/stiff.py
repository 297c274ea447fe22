"""A stiff reaction-diffusion problem three ways: finite differences, exact dense, exact sparse Jacobians.

    python -m benchmarks.stiff                     the table of docs/tutorials/sparse-jacobian.md
    python -m benchmarks.stiff --figure FILE.png   and its picture
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import scipy.integrate

import wengert as wg
from wengert.scipy.integrate import solve_ivp


def brusselator(t, z, size, alpha):
    """Two reacting and diffusing species on a periodic grid."""
    u, v = z.reshape(2, size, size)
    laplacian = lambda a: np.roll(a, 1, 0) + np.roll(a, -1, 0) + np.roll(a, 1, 1) + np.roll(a, -1, 1) - 4.0 * a
    reaction = u * u * v
    du = alpha * laplacian(u) + 1.0 + reaction - 4.4 * u
    dv = alpha * laplacian(v) + 3.4 * u - reaction
    return np.stack([du, dv]).ravel()


def start(size):
    """Return smooth initial concentrations."""
    x = np.arange(size) / size
    u = 1.0 + np.sin(2 * np.pi * x)[:, None] ** 2 * np.ones(size)
    v = 3.0 + np.cos(2 * np.pi * x)[None, :] * np.ones((size, 1))
    return np.stack([u, v]).ravel()


def three_ways(size, end=20.0):
    """Return seconds, evaluations of the right-hand side and of the Jacobian, and the final state, by way."""
    alpha = 0.02 * size**2
    z0 = start(size)
    settings = {"args": (size, alpha), "method": "BDF", "rtol": 1e-5, "atol": 1e-7}
    ways = {
        "finite differences": lambda: scipy.integrate.solve_ivp(brusselator, (0, end), z0, **settings),
        "exact, dense": lambda: solve_ivp(brusselator, (0, end), z0, jac="dense", **settings),
        "exact, sparse": lambda: solve_ivp(brusselator, (0, end), z0, **settings),
    }
    rows = {}
    for name, run in ways.items():
        began = time.perf_counter()
        found = run()
        rows[name] = (time.perf_counter() - began, found.nfev, found.njev, found.y[:, -1])
    return rows


def one_jacobian(size):
    """Return the seconds of one Jacobian, by way."""
    from scipy.optimize._numdiff import approx_derivative

    z = start(size)
    f = lambda z: brusselator(0.0, z, size, 0.02 * size**2)
    dense, plan = wg.jacobian(f), wg.plan_jacobian(f, z)
    ways = {
        "finite differences": lambda: approx_derivative(f, z, method="2-point"),
        "exact, dense": lambda: dense(z),
        "exact, sparse": lambda: plan(z),
    }
    seconds = {}
    for name, run in ways.items():
        run(), run()
        began = time.perf_counter()
        for _ in range(3):
            run()
        seconds[name] = (time.perf_counter() - began) / 3
    return seconds


def figure(path, size=8):
    """Draw the pattern of the Jacobian."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    f = lambda z: brusselator(0.0, z, size, 1.0)
    J = wg.jacobian(f, sparse=True)(start(size))
    _, axes = pyplot.subplots(1, 2, figsize=(10, 5), layout="constrained")
    wg.plot_jacobian(J, ax=axes[0], title=f"{J.shape[0]} x {J.shape[1]}, {J.nnz} entries, by magnitude")
    plan = wg.plan_jacobian(f, start(size), mode="columns")
    wg.plot_jacobian(plan, ax=axes[1], title=f"the same by colour: {plan.colours} passes would do")
    pyplot.savefig(path, dpi=120)


def main(arguments=None):
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--figure")
    options = parser.parse_args(arguments)
    single = one_jacobian(options.size)
    rows = three_ways(options.size)
    reference = rows["exact, sparse"][3]
    print(f"{2 * options.size**2} states")
    for name, (seconds, calls, jacobians, state) in rows.items():
        difference = abs(state - reference).max()
        print(
            f"{name:20} {seconds:7.2f} s, {calls} calls of f, {jacobians} Jacobians of {single[name] * 1e3:.3g} ms each, "
            f"difference {difference:.1e}"
        )
    if options.figure:
        figure(options.figure)


if __name__ == "__main__":
    main()
