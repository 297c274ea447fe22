"""Our side of `mlp_batch_jacobian`."""

import numpy as np
from workloads.mlp_batch_jacobian import net


@W.impl("own", "jit")  # noqa: F821
def _(inp, p):
    import wengert as wg

    Ws, bs, x = inp["Ws"], inp["bs"], inp["x"]
    j = wg.jit(wg.batch_jacobian(lambda x: net(np.tanh, x, Ws, bs)))
    return lambda: j(x)


@W.impl("own", "plain")  # noqa: F821
def _(inp, p):
    import wengert as wg

    Ws, bs, x = inp["Ws"], inp["bs"], inp["x"]
    j = wg.batch_jacobian(lambda x: net(np.tanh, x, Ws, bs))
    return lambda: j(x)
