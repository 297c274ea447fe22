"""Our side of `ode_latency`: see the folder's README for how these files are used."""

import numpy as np
from workloads.ode_latency import cf, lv, rob, s10

FUNCTIONS = {
    "lv": lambda x: np.stack(lv(x)),
    "rob": lambda x: np.stack(rob(x)),
    "s10": lambda x: s10(np, x),
    "cf": lambda x: cf(np, x),
}


def derivative(p):
    import wengert as wg

    f = FUNCTIONS[p["k"]]
    return (wg.jacobian if p["k"] in ("lv", "rob") else wg.grad)(f)


@W.impl("own", "jit")  # noqa: F821
def _(inp, p):
    import wengert as wg

    g, x = wg.jit(derivative(p)), inp["x"]
    return lambda: g(x)


@W.impl("own", "jit, out=")  # noqa: F821
def _(inp, p):
    import wengert as wg

    g, x = wg.jit(derivative(p)), inp["x"]
    out = np.empty_like(g(x))
    return (lambda: g(x, out=out)), lambda r: r.copy()


@W.impl("own", "plain")  # noqa: F821
def _(inp, p):
    g, x = derivative(p), inp["x"]
    return lambda: g(x)
