"""Samples of linear algebra: well-conditioned matrices with distinct eigenvalues and singular values."""

import numpy as np
import scipy.linalg
from sample import Sample

GENERATOR = np.random.default_rng(3)


def _matrix(*shape, complex_=False):
    x = GENERATOR.standard_normal(shape)
    return x + 1j * GENERATOR.standard_normal(shape) if complex_ else x


def _square(*lead, n=3, complex_=False):
    """Return matrices far from singular, with eigenvalues apart."""
    return _matrix(*lead, n, n, complex_=complex_) * 0.4 + np.diag(np.arange(1.0, n + 1))


def _hermitian(*lead, n=3, complex_=False):
    x = _square(*lead, n=n, complex_=complex_)
    return x + np.conj(np.swapaxes(x, -1, -2))


def _positive(*lead, n=3, complex_=False):
    x = _square(*lead, n=n, complex_=complex_)
    return x @ np.conj(np.swapaxes(x, -1, -2)) + np.eye(n)


S, SS, SC = _square(), _square(2), _square(complex_=True)
COLUMNS, MANY, CC = _matrix(3, 2), _matrix(2, 3, 2), _matrix(3, 2, complex_=True)
TALL, WIDE = _matrix(4, 2), _matrix(2, 4)
EMPTY = np.zeros((0, 3, 3))
BAND = np.array([[0.0, 0.4, 0.3, -0.2], [3.0, 4.0, 5.0, 6.0], [0.5, -0.3, 0.2, 0.0]])


def _two(function):
    return lambda *args: tuple(function(*args))


def _eigh(a):
    w, v = np.linalg.eigh(a)
    return w, v * np.sign(v[np.argmax(np.abs(v), axis=0), range(len(w))])


SAMPLES = {
    "solve": [
        Sample((S, COLUMNS), reference=np.linalg.solve),
        Sample((SS, MANY), reference=np.linalg.solve),
        Sample((S, MANY), reference=np.linalg.solve),
        Sample((SC, CC), reference=np.linalg.solve),
        Sample((S, CC), reference=np.linalg.solve),
        Sample((S, np.zeros((3, 0)))),
    ],
    "triangular_solve": [
        Sample(
            (S, COLUMNS),
            {"lower": lower, "unit": unit},
            reference=lambda a, b, lower=lower, unit=unit: scipy.linalg.solve_triangular(
                a, b, lower=lower, unit_diagonal=unit
            ),
        )
        for lower in (True, False)
        for unit in (True, False)
    ]
    + [Sample((SS, MANY), {"lower": True, "unit": False}), Sample((SC, CC), {"lower": False, "unit": False})],
    "inv": [Sample((x,), reference=np.linalg.inv) for x in (S, SS, SC, EMPTY)],
    "pinv": [Sample((x,), {"rtol": None}, reference=np.linalg.pinv) for x in (TALL, WIDE, S, SC)],
    "lstsq": [
        Sample((a, b), {"rcond": None}, reference=lambda a, b: np.linalg.lstsq(a, b, rcond=None)[0])
        for a, b in ((TALL, _matrix(4, 3)), (WIDE, _matrix(2, 3)), (S, COLUMNS))
    ],
    "det": [Sample((x,), reference=np.linalg.det) for x in (S, SS, SC, EMPTY)],
    "slogdet": [Sample((x,), reference=_two(np.linalg.slogdet)) for x in (S, SS, SC)],
    "adjugate": [Sample((x,), reference=lambda a: np.linalg.inv(a) * np.linalg.det(a)) for x in (S, SC)],
    "adjugate_slope": [
        Sample(
            (S, _matrix(3, 3)),
            reference=lambda a, h: (
                np.linalg.det(a)
                * (np.trace(np.linalg.inv(a) @ h) * np.linalg.inv(a) - np.linalg.inv(a) @ h @ np.linalg.inv(a))
            ),
        )
    ],
    "cholesky": [
        Sample((x,), reference=np.linalg.cholesky) for x in (_positive(), _positive(2), _positive(complex_=True))
    ],
    "eigh": [
        Sample((_hermitian(),), {"lower": True}, reference=_eigh),
        Sample((_hermitian(2),), {"lower": False}),
    ],
    "eig": [Sample((S,)), Sample((SS,))],
    "svd": [Sample((x,), {"full": False}) for x in (TALL, S, SS)],
    "qr": [Sample((x,), {"full": False}, reference=_two(np.linalg.qr)) for x in (TALL, S, SS)],
    "lu_factor": [Sample((x,)) for x in (S, SS, SC)],
    "permutation": [Sample((np.array([2, 2, 2]),), reference=lambda pivots: np.array([2, 0, 1]))],
    # SciPy takes milliseconds for each of these, and a slope is one at twice the size
    "matrix_function": [
        Sample((S[:2, :2],), {"name": "expm"}, reference=scipy.linalg.expm),
        Sample((SS[:, :2, :2],), {"name": "expm"}, order=1),
        Sample((SC[:2, :2],), {"name": "expm"}, order=1),
        *(
            Sample((_positive(n=2),), {"name": name}, reference=getattr(scipy.linalg, name), order=1)
            for name in ("sinm", "cosm", "sqrtm", "logm")
        ),
    ],
    "sylvester": [
        Sample((S, _square(n=2), COLUMNS), reference=scipy.linalg.solve_sylvester),
        Sample((SC, _square(n=2), CC)),
    ],
    "banded_solve": [
        Sample(
            (BAND, _matrix(4, 2)),
            {"lower": 1, "upper": 1},
            reference=lambda ab, b: scipy.linalg.solve_banded((1, 1), ab, b),
        ),
        Sample((np.stack([BAND, 2 * BAND]), _matrix(4, 2)), {"lower": 1, "upper": 1}),
    ],
}
