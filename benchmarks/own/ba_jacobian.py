"""Our side of `ba_jacobian`: the residuals of all observations as one function of all variables."""

import numpy as np
from workloads.ba_jacobian import residual


def function(inp, p):
    feats = inp["ft"]

    def f(z):  # z: (15, k), one column per observation
        e = residual(np.sqrt, np.sin, np.cos, list(z), feats)
        w = z[14]
        return np.stack(e, axis=1), 1 - w * w

    return f


@W.impl("own", "sparse jacobian")  # noqa: F821
def _(inp, p):
    import wengert as wg

    zt, k = inp["zt"], p["p"]
    j = wg.jacobian(function(inp, p), sparse=True)
    return (lambda: j(zt)), lambda r: ordered(r, k)


def ordered(blocks, k):
    """Values in the reference's order: for an observation the rows of its two residuals, then the weights' row."""
    main, weights = blocks
    rows = np.asarray(main[:, :].toarray()) if k < 50 else None
    assert rows is None
    csr = main.tocsr()
    out = np.zeros((k, 2, 15))
    row = np.repeat(np.arange(2 * k), np.diff(csr.indptr))
    out[row // 2, row % 2, csr.indices // k] = csr.data
    return np.concatenate([out.ravel(), weights.tocsr().data])
