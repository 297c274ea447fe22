"""Our side of `deep_chain`: the function as it is written, a Python loop."""

import numpy as np
from workloads.deep_chain import chain


@W.impl("own", "jit")  # noqa: F821
def _(inp, p):
    import wengert as wg

    c, h, ops = inp["c"], inp["h"], p["ops"]
    g = wg.jit(wg.grad(lambda x: np.sum(chain(np, x, c, h, ops))))
    x = inp["x"]
    return lambda: g(x)


@W.impl("own", "plain")  # noqa: F821
def _(inp, p):
    import wengert as wg

    c, h, ops = inp["c"], inp["h"], p["ops"]
    g = wg.grad(lambda x: np.sum(chain(np, x, c, h, ops)))
    x = inp["x"]
    return lambda: g(x)
