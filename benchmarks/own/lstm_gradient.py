"""Our side of `lstm_gradient`: the model as a plain Python loop."""

import numpy as np
from workloads.lstm_gradient import loss


class Names:
    """The names the loss asks for."""

    exp, log, tanh, concatenate, stack, sum = np.exp, np.log, np.tanh, np.concatenate, np.stack, np.sum

    @staticmethod
    def sigmoid(x):
        return 1.0 / (1.0 + np.exp(-x))

    @staticmethod
    def sum1(a):
        return np.sum(a, axis=1)


def gradient(inp, p):
    import wengert as wg

    return wg.grad(lambda main, extra: loss(Names, main, extra, inp, p), argnums=(0, 1))


@W.impl("own", "jit")  # noqa: F821
def _(inp, p):
    import wengert as wg

    g, main, extra = wg.jit(gradient(inp, p)), inp["main"], inp["extra"]
    return lambda: g(main, extra)


@W.impl("own", "plain")  # noqa: F821
def _(inp, p):
    g, main, extra = gradient(inp, p), inp["main"], inp["extra"]
    return lambda: g(main, extra)
