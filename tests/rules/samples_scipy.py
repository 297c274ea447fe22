"""Samples of filters, sparse operands, softmax, gaps between eigenvalues, and special functions that are no ufuncs."""

import math

import numpy as np
import scipy.linalg
import scipy.signal
import scipy.sparse
import scipy.special as sp
from sample import Sample

GENERATOR = np.random.default_rng(17)


def _normal(*shape, complex_=False):
    x = GENERATOR.standard_normal(shape)
    return x + 1j * GENERATOR.standard_normal(shape) if complex_ else x


# ---------------------------------------------------------------- filters

IMAGE, KERNEL = _normal(4, 5), _normal(2, 3)


def _lfilter(a, v):
    return scipy.signal.lfilter([1.0], np.concatenate([[1.0], a]), v)


FILTERS = {
    "correlate": [
        Sample((IMAGE, KERNEL), {"ndim": 2}, reference=lambda x, w: scipy.signal.correlate2d(x, w, "valid")),
        Sample((IMAGE, _normal(1, 2)), {"ndim": 1}),
        Sample((_normal(3, complex_=True), _normal(3, complex_=True)), {"ndim": 1}),
        Sample((_normal(2, 4, 5), _normal(2, 3, 2)), {"ndim": 2}),
    ],
    "recursive_filter": [
        Sample((np.array([0.4, -0.2]), IMAGE), reference=_lfilter),
        Sample((_normal(2, 2) * 0.3, _normal(2, 5))),
        Sample((np.array([0.3 + 0.2j]), _normal(4, complex_=True)), reference=_lfilter),
        Sample((np.array([0.3, 0.1, 0.2]), _normal(2))),
    ],
}

# ---------------------------------------------------------------- sparse operands

A = scipy.sparse.random_array((4, 4), density=0.4, random_state=np.random.default_rng(2), format="csr")
A = (A + 3 * scipy.sparse.eye_array(4)).tocsr()
INDEX = (A.indices, A.indptr)


def _array(data, columns, starts):
    return scipy.sparse.csr_array((data, columns, starts), shape=(4, 4)).toarray()


def _sparse(name, reference):
    plain, turned = {"shape": (4, 4), "transposed": False}, {"shape": (4, 4), "transposed": True}
    complex_data = A.data * (1 + 0.3j)
    return {
        name: [
            Sample((A.data, _normal(4), *INDEX), plain, reference=reference, shared=(2, 3)),
            Sample((A.data, _normal(4, 2), *INDEX), turned, shared=(2, 3)),
            Sample((complex_data, _normal(4, complex_=True), *INDEX), turned, shared=(2, 3)),
            Sample((complex_data, _normal(4, 2), *INDEX), plain, reference=reference, shared=(2, 3)),
        ]
    }


SPARSE = {
    **_sparse("sparse_product", lambda data, x, *index: _array(data, *index) @ x),
    **_sparse("sparse_solution", lambda data, b, *index: np.linalg.solve(_array(data, *index), b)),
    "row_numbers": [
        Sample((A.indptr,), {"count": A.nnz}, reference=lambda starts: A.tocoo().coords[0].astype(int), shared=(0,))
    ],
}

# ---------------------------------------------------------------- reductions

REDUCTIONS = {
    name: [
        Sample((IMAGE,), {"axis": (1,)}, reference=lambda x, function=function: function(x, axis=1)),
        Sample((IMAGE,), {"axis": (0, 1)}, reference=lambda x, function=function: function(x, axis=(0, 1))),
        Sample((IMAGE,), {"axis": (0,)}),
    ]
    for name, function in (("softmax", sp.softmax), ("logsumexp", sp.logsumexp))
}

# ---------------------------------------------------------------- gaps between eigenvalues

VALUES = np.array([0.5, 1.2, 2.9])
GAPS = VALUES[None, :] - VALUES[:, None]
OFF = _normal(3, 3) * (1 - np.eye(3))


def _quotient(x, gap, reference, values):
    return np.where(gap == 0, 0, x / np.where(gap == 0, 1, gap))


SPECTRAL = {
    "gap_quotient": [
        Sample(
            (x, gap, np.ones((3, 3)), VALUES),
            {"what": "eigenvalues", "own": own, "strict": False},
            reference=_quotient,
        )
        for x, gap, own in ((_normal(3, 3), GAPS + 7, False), (_normal(3, 3, complex_=True), GAPS + 7, False))
    ],
    "vanishing": [Sample((1e-20 * OFF, np.ones((3, 3))), {"what": "vectors"}, reference=lambda x, r: np.zeros((3, 3)))],
    "same_on_ties": [
        Sample((_normal(3), VALUES), {"what": "eigenvalues", "strict": False}, reference=lambda x, values: x),
        Sample((_normal(2, 3), VALUES), {"what": "eigenvalues", "strict": False}),
    ],
    "tied_values": [
        Sample((_normal(3, 3), VALUES), {"order": "any"}, reference=lambda m, values: np.diagonal(m)),
        Sample((_normal(3, 3), VALUES), {"order": "ascending"}, reference=lambda m, values: np.diagonal(m)),
        Sample((_normal(2, 3, 3), np.stack([VALUES, VALUES + 1])), {"order": "descending"}),
    ],
    "regular": [Sample((_normal(3, 3),), {"what": "eigenvectors"}, reference=lambda v: v)],
    "off_zero": [
        Sample((_normal(3), VALUES[::-1].copy()), {"strict": True}, reference=lambda x, values: x),
        Sample((_normal(2, 3), VALUES[::-1].copy()), {"strict": False}),
    ],
    "svd": [
        Sample((_normal(4, 2),), {"full": False}, reference=lambda a: tuple(np.linalg.svd(a, full_matrices=False)))
    ],
    "eig": [
        Sample(
            (np.array([[2.0, 1.0], [0.3, 1.0]]),),
            reference=lambda a: tuple(part.astype(complex) for part in np.linalg.eig(a)),
        )
    ],
    "lu_factor": [Sample((_normal(3, 3),), reference=scipy.linalg.lu_factor)],
}

# ---------------------------------------------------------------- special functions

X = np.array([0.3, 1.1, 2.6])
M = np.array([-1.2, 0.4, 0.83])


def _one(*args, params=None, reference, order=2):
    return [Sample(args, params or {}, reference=reference, order=order, analytic=False)]


def _several(name, *args, order=2):
    function = getattr(sp, name)
    return {f"special.{name}": _one(*args, reference=lambda *x: tuple(function(*x)), order=order)}


SPECIAL = {
    **_several("airy", X),
    **_several("airye", X),
    **_several("fresnel", X),
    **_several("sici", X),
    **_several("shichi", X),
    **_several("iti0k0", X),
    **_several("itj0y0", X),
    **_several("ellipj", X, np.array([0.2, 0.4, 0.7])),
    "special.itairy": [
        Sample(
            (X,),
            reference=lambda x: tuple(sp.itairy(x)),
            analytic=False,
            skip=dict.fromkeys(("forward", "reverse"), "SciPy's values are good to 7 digits only"),
        )
    ],
    "special.airy_ai": _one(X, reference=lambda x: sp.airy(x)[0]),
    "special.airy_ai_slope": _one(X, reference=lambda x: sp.airy(x)[1]),
    "special.airy_bi": _one(X, reference=lambda x: sp.airy(x)[2]),
    "special.airy_bi_slope": _one(X, reference=lambda x: sp.airy(x)[3]),
    "special.dawsn_slope": _one(X, reference=lambda x: 1 - 2 * x * sp.dawsn(x)),
    "special.erfcx_derivative": _one(
        X, params={"order": 1}, reference=lambda x: 2 * x * sp.erfcx(x) - 2 / math.sqrt(math.pi)
    ),
    "special.exp_square": _one(X, params={"factor": -0.5}, reference=lambda x: np.exp(-x * x / 2)),
    "special.fresnel_phase": _one(X, params={"quarter": 1}, reference=lambda x: np.cos(np.pi / 2 * x * x)),
    "special.polygamma": _one(X, params={"order": 2}, reference=lambda x: sp.polygamma(2, x)),
    "special.rgamma_derivative": _one(X, reference=lambda x: -sp.digamma(x) / sp.gamma(x)),
    "special.ellipk_slope": _one(M, reference=lambda m: (sp.ellipe(m) - (1 - m) * sp.ellipk(m)) / (2 * m * (1 - m))),
    "special.ellipkm1_slope": _one(
        1 - M, reference=lambda p: -(sp.ellipe(1 - p) - p * sp.ellipk(1 - p)) / (2 * p * (1 - p))
    ),
    "special.ellipe_slope": _one(M, reference=lambda m: (sp.ellipe(m) - sp.ellipk(m)) / (2 * m)),
    "special.elliprc_by_x": _one(
        X, X + 0.7, reference=lambda x, y: (sp.elliprc(x, y) - 1 / np.sqrt(x)) / (2 * (y - x))
    ),
    "special.elliprc_by_y": _one(
        X, X + 0.7, reference=lambda x, y: (np.sqrt(x) / y - sp.elliprc(x, y)) / (2 * (y - x))
    ),
    "special.log1p_quotient": _one(X, params={"order": 0}, reference=lambda t: np.log1p(t) / t),
    # what SciPy keeps to itself, and what has no derivative or none that is known
    "special.sinpi": _one(X, reference=lambda x: np.sin(np.pi * x)),
    "special.cospi": _one(X, reference=lambda x: np.cos(np.pi * x)),
    "special.factorial": _one(X, reference=lambda x: sp.gamma(x + 1)),
    "special.lgam1p": _one(X, reference=lambda x: sp.gammaln(x + 1)),
    "special.log1mexp": _one(-X, reference=lambda x: np.log(-np.expm1(x))),
    "special.log1pmx": _one(X, reference=lambda x: np.log1p(x) - x),
    "special.scaled_exp1": _one(X, reference=lambda x: x * np.exp(x) * sp.exp1(x)),
    "special.iv_ratio": _one(1.5, X, reference=lambda v, x: sp.iv(v, x) / sp.iv(v - 1, x)),
    "special.gammasgn": _one(np.array([-0.5, 1.1, -1.6]), reference=lambda x: np.sign(sp.gamma(x))),
    "special.round": _one(X, reference=np.round),
    "special.riemann_zeta": _one(np.array([2, 3, 5]), reference=lambda s: sp.zeta(s.astype(float), 1.0)),
    "special.zetac": _one(np.array([2, 3, 5]), reference=lambda s: sp.zeta(s.astype(float), 1.0) - 1),
    "special.kolmogp": _one(np.array([1, 2]), reference=lambda x: sp._ufuncs._kolmogp(x)),
    "special.smirnovp": _one(5, np.array([1, 2]), reference=sp._ufuncs._smirnovp),
    "special.smirnov": _one(5, np.array([0.2, 0.4]), reference=sp.smirnov, order=1),
}

SAMPLES = {**FILTERS, **SPARSE, **REDUCTIONS, **SPECTRAL, **SPECIAL}
