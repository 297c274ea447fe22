"""Our side of `rosenbrock_hessian`."""

from workloads.rosenbrock_hessian import fun


@W.impl("own", "hessian")  # noqa: F821
def _(inp, p):
    import wengert as wg

    h, x = wg.hessian(fun) if p["dense"] else wg.hessian(fun, sparse=True), inp["x"]
    return lambda: h(x)


@W.impl("own", "jit of hessian")  # noqa: F821
def _(inp, p):
    import wengert as wg

    h, x = wg.jit(wg.hessian(fun) if p["dense"] else wg.hessian(fun, sparse=True)), inp["x"]
    return lambda: h(x)
