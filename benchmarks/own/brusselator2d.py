"""Our side of `brusselator2d`."""

import numpy as np
from workloads.brusselator2d import rhs


def function(inp, p):
    force, c, n = inp["force"], inp["c"], p["N"]
    return lambda z: rhs(np, z, force, c, n)


@W.impl("own", "sparse jacobian, pattern detected")  # noqa: F821
def _(inp, p):
    import wengert as wg

    j, z = wg.jacobian(function(inp, p), sparse=True), inp["z"]
    return lambda: j(z)


@W.impl("own", "jit of sparse jacobian")  # noqa: F821
def _(inp, p):
    import wengert as wg

    j, z = wg.jit(wg.jacobian(function(inp, p), sparse=True)), inp["z"]
    return lambda: j(z)
