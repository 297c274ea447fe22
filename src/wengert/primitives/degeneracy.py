"""Quotients by gaps between eigenvalues or singular values, which may coincide.

A derivative of eigenvectors divides by such gaps. Where a gap vanishes, the derivative still exists if what is
divided vanishes too: then the result does not depend on how the vectors were chosen. Otherwise there is no
derivative, and `Degenerate` is raised when the numbers are known, so that traced and batched code raises too.

Which of the two it is can be told only if the vectors that belong to equal values are in no special position:
at the identity, the derivative of one element of V log(w) V^H looks like that of a constant when V is the
identity. So `turn` gives such vectors a generic, fixed rotation, which is as good a solution as LAPACK's.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..errors import Degenerate, user_line
from .base import Primitive, broadcast_shape, is_complex, reads_nothing, result_dtype, shape_of
from .indexing import broadcast_to
from .structural import stop_gradient


def adjoint(x: Any) -> Any:
    """Return the conjugate transpose over the last two axes."""
    x = np.swapaxes(x, -1, -2)
    return np.conjugate(x) if is_complex(x) else x


def real_if(x: Any) -> Any:
    """Return the real part."""
    return np.real(x) if is_complex(x) else x


def diagonal(x: Any) -> Any:
    """Return the diagonals over the last two axes."""
    return np.diagonal(x, 0, -2, -1)


def eye_like(x: Any) -> np.ndarray:
    """Return the identity that broadcasts against square matrices."""
    return np.eye(shape_of(x)[-1], dtype=result_dtype(real_dtype(x)))


def real_dtype(x: Any) -> Any:
    """Return an array without elements whose dtype is that of the real part of `x`."""
    return np.zeros(0, result_dtype(x)).real


def from_triangle(x: Any, lower: bool) -> Any:
    """Return the Hermitian matrices that one triangle of `x` describes."""
    strict = np.tril(x, -1) if lower else np.triu(x, 1)
    return strict + adjoint(strict) + eye_like(x) * real_if(x)


def to_triangle(x: Any, lower: bool) -> Any:
    """Return what `from_triangle` passes back to its triangle for a Hermitian cotangent."""
    strict = np.tril(x, -1) if lower else np.triu(x, 1)
    return 2 * strict + eye_like(x) * real_if(x)


def _largest(x: np.ndarray, axes: int) -> np.ndarray:
    """Return the largest magnitude over the last axes, with unit axes in their place."""
    return np.max(np.abs(x), axis=tuple(range(-axes, 0)), keepdims=True, initial=0)


def tolerance(count: int, dtype: Any) -> float:
    """Return the relative gap below which values of that precision are taken to be equal."""
    return 32 * max(count, 1) * float(np.finfo(dtype).eps)


def _message(what: str, gap: float, where: str) -> Degenerate:
    return Degenerate(
        f"{what}; the gap is {gap:.3g}",
        where=where,
        why="vectors that belong to equal values can be chosen freely, and the result depends on that choice",
        hint="in reverse mode, a result that does not (a sum over the equal values, the projector onto their "
        "vectors); wengert.scipy.linalg.expm, logm or sqrtm for a function of a matrix; or another point",
    )


def _is_noise(x: np.ndarray, reference: np.ndarray) -> np.ndarray:
    eps = float(np.finfo(np.asarray(x).real.dtype).eps)
    return np.abs(x) <= eps ** (2 / 3) * _largest(reference, 2)


def _quotient(
    x: np.ndarray, gap: np.ndarray, reference: np.ndarray, values: np.ndarray, what: str, own: bool, strict: bool
) -> np.ndarray:
    x, gap = np.asarray(x), np.asarray(gap)
    dtype = gap.real.dtype
    width = _largest(values, 1)[..., None]
    count = max(shape_of(gap)[-2:])
    equal = np.abs(gap) <= tolerance(count, dtype) * width
    if equal.any():
        mine: Any = np.eye(*gap.shape[-2:]) > 0 if own else np.False_
        if strict:
            off = equal & ~mine
            if off.any():
                raise _message(f"a second derivative where {what} coincide", _smallest(gap, off), user_line())
        wrong = equal & ~_is_noise(x, reference)
        if wrong.any():
            if x.dtype.kind == "c" and not (wrong & ~mine).any():
                raise Degenerate(
                    f"the result depends on the complex phases of the vectors that belong to {what}",
                    where=user_line(),
                    why="a vector times a number of magnitude 1 is as good a solution, so there is no derivative",
                    hint="a result that does not depend on the phases, such as np.abs(v) or v @ v.conj().T",
                )
            raise _message(f"{what} coincide", _smallest(gap, wrong), user_line())
    return np.where(equal, 0, x / np.where(equal, 1, gap)).astype(np.result_type(x, gap), copy=False)


def _smallest(gap: np.ndarray, where: np.ndarray) -> float:
    return float(np.min(np.abs(np.broadcast_to(gap, where.shape))[where]))


def _quotient_vjp(
    ct: Any, out: Any, x: Any, gap: Any, reference: Any, values: Any, needs: Sequence[bool], **params: Any
) -> tuple[Any, ...]:
    slope = _quotient_slope(ct, gap, values, **params)
    by_gap = -real_if(slope * np.conjugate(out)) if needs[1] and not is_complex(gap) else -slope * np.conjugate(out)
    return slope if needs[0] else None, by_gap if needs[1] else None, None, None


def _quotient_slope(ct: Any, gap: Any, values: Any, what: str, own: bool, strict: bool) -> Any:
    if own:  # the result is 0 on the diagonal whatever the arguments are
        ct = ct * (1 - eye_like(gap))
    gap = np.conjugate(gap) if is_complex(gap) else gap
    return quotient(ct, gap, ct, values, what=what, own=own, strict=True)


def _quotient_jvp(
    tangents: Sequence[Any], out: Any, x: Any, gap: Any, reference: Any, values: Any, what: str, own: bool, strict: bool
) -> Any:
    total = tangents[0]
    if tangents[1] is not None:
        change = -out * tangents[1]
        total = change if total is None else total + change
    if total is None:
        return None
    if own:
        total = total * (1 - eye_like(gap))
    return quotient(total, gap, total, values, what=what, own=own, strict=True)


def _spread(primitive: Any, *own: int) -> Any:
    """Batch rule: every argument gets the batch axis, and in front of its `own` axes as many as the others have."""

    def batch(size: int, batched: Sequence[bool], *args: Any, **params: Any) -> Any:
        shapes = [(size, *shape_of(x)[flag:]) for x, flag in zip(args, batched, strict=True)]
        lead = max(len(shape) - n for shape, n in zip(shapes, own, strict=True))
        spread = []
        for x, flag, shape, n in zip(args, batched, shapes, own, strict=True):
            x = x if flag else broadcast_to(x, shape=shape)
            missing = lead - (len(shape) - n)
            spread.append(np.reshape(x, (size, *(1,) * missing, *shape[1:])) if missing else x)
        return primitive(*spread, **params)

    return batch


quotient_primitive: Primitive = Primitive(
    "gap_quotient",
    _quotient,
    abstract=lambda x, gap, reference, values, **_: (
        broadcast_shape(shape_of(x), shape_of(gap)),
        result_dtype(x, gap),
    ),
    vjp=_quotient_vjp,
    jvp=_quotient_jvp,
    batch=lambda *args, **params: _spread(quotient_primitive, 2, 2, 2, 1)(*args, **params),
    reads=lambda i, count: {1, 3, "out"},
    family="spectral",
)


def quotient(
    x: Any, gap: Any, reference: Any, values: Any, *, what: str, own: bool = False, strict: bool = False
) -> Any:
    """Return `x / gap`, and 0 where both vanish.

    x, gap, reference: (..., n, k)   values: (..., k)   returns: (..., n, k)

    Parameters
    ----------
    x, gap : array_like
    reference : array_like
        What `x` was computed from: `x` vanishes where it is at the level of rounding of this.
    values : array_like
        A gap vanishes where it is at the level of rounding of these.
    what : str
        What the values are called in the error.
    own : bool
        The gaps are between values of one list, so those on the diagonal vanish by definition.
    strict : bool
        Raise wherever a gap vanishes (off the diagonal, with `own`), whatever `x` is: in derivatives of a
        quotient the limit is not known.

    Raises
    ------
    Degenerate
        Where the gap vanishes and `x` does not.
    """
    reference, values = stop_gradient(reference), stop_gradient(values)
    return quotient_primitive(x, gap, reference, values, what=what, own=own, strict=strict)


def _vanishing(x: np.ndarray, reference: np.ndarray, what: str) -> np.ndarray:
    if not _is_noise(x, reference).all():
        raise Degenerate(
            f"the result depends on how {what} were chosen",
            where=user_line(),
            why="only the space that they span is determined, so there is no derivative",
            hint="a result that depends on that space only, such as the projector v @ v.conj().T",
        )
    return np.zeros_like(x)


vanishing_primitive: Primitive = Primitive(
    "vanishing",
    _vanishing,
    abstract=lambda x, reference, what: (shape_of(x), result_dtype(x)),
    vjp=None,
    jvp=None,
    batch=lambda *args, **params: _spread(vanishing_primitive, 2, 2)(*args, **params),
    reads=reads_nothing,
    family="spectral",
)


def vanishing(x: Any, reference: Any, what: str) -> Any:
    """Return zeros like `x`, which must be at the level of rounding of `reference`.

    Raises
    ------
    Degenerate
        If it is not.
    """
    return vanishing_primitive(x, reference, what=what)


# ---------------------------------------------------------------- cotangents and tangents of equal values


def _equal_pairs(values: np.ndarray) -> np.ndarray | None:
    """Return which pairs of values coincide, None if none do; the diagonal is left out."""
    n = values.shape[-1]
    if n < 2:
        return None
    limit = tolerance(n, values.real.dtype) * _largest(values, 1)
    if values.dtype.kind != "c":
        ordered = np.sort(values, axis=-1)
        if not (np.diff(ordered, axis=-1) <= limit).any():
            return None
    equal = np.abs(values[..., :, None] - values[..., None, :]) <= limit[..., None]
    equal &= ~np.eye(n, dtype=bool)
    return equal if equal.any() else None


def _same(x: np.ndarray, values: np.ndarray, what: str, strict: bool) -> np.ndarray:
    equal = _equal_pairs(values)
    if equal is not None:
        gaps = np.abs(values[..., :, None] - values[..., None, :])
        if strict:
            raise _message(f"a second derivative where {what} coincide", _smallest(gaps, equal), user_line())
        differ = np.abs(x[..., :, None] - x[..., None, :])
        eps = float(np.finfo(np.asarray(x).real.dtype).eps)
        wrong = equal & (differ > eps ** (2 / 3) * _largest(x, 1)[..., None])
        if wrong.any():
            raise _message(
                f"{what} coincide, and the result treats them differently", _smallest(gaps, wrong), user_line()
            )
    return x


same_on_ties: Primitive = Primitive(
    "same_on_ties",
    _same,
    abstract=lambda x, values, what, strict: (shape_of(x), result_dtype(x)),
    vjp=lambda ct, out, x, values, needs, what, strict: (
        same_on_ties(ct, values, what=what, strict=True) if needs[0] else None,
        None,
    ),
    jvp=lambda tangents, out, x, values, what, strict: (
        None if tangents[0] is None else same_on_ties(tangents[0], values, what=what, strict=True)
    ),
    batch=lambda *args, **params: _spread(same_on_ties, 1, 1)(*args, **params),
    reads=lambda i, count: {1},
    family="spectral",
)
"""A cotangent of values, unchanged: it must be the same for values that coincide."""


def _tied_values(m: np.ndarray, values: np.ndarray, order: str) -> np.ndarray:
    own = np.diagonal(m, 0, -2, -1)
    own = own if order == "any" else own.real
    equal = _equal_pairs(values)
    if equal is None:
        return own
    out = np.array(own)
    for place in np.argwhere(equal.any(axis=(-2, -1))):
        where = tuple(place)
        for group in groups(values[where]):
            block = m[where][np.ix_(group, group)]
            if order == "any":
                out[(*where, group)] = np.linalg.eigvals(block)
            else:
                found = np.linalg.eigvalsh(0.5 * (block + adjoint(block)))
                out[(*where, group)] = found if order == "ascending" else found[::-1]
    return out


_TIED = "eigenvalues or singular values"


def _tied_jvp(tangents: Sequence[Any], out: Any, m: Any, values: Any, order: str) -> Any:
    if tangents[0] is None:
        return None
    own = diagonal(tangents[0])
    return same_on_ties(own if order == "any" else real_if(own), values, what=_TIED, strict=True)


def _tied_vjp(ct: Any, out: Any, m: Any, values: Any, needs: Sequence[bool], order: str) -> tuple[Any, ...]:
    ct = same_on_ties(ct, values, what=_TIED, strict=True)
    return np.expand_dims(ct, -1) * eye_like(m), None


tied_values: Primitive = Primitive(
    "tied_values",
    _tied_values,
    abstract=lambda m, values, order: (shape_of(m)[:-1], result_dtype(m if order == "any" else real_dtype(m))),
    vjp=_tied_vjp,
    jvp=_tied_jvp,
    batch=lambda *args, **params: _spread(tied_values, 2, 1)(*args, **params),
    reads=lambda i, count: {1},
    family="spectral",
)
"""Tangents of values: the diagonal of `m`, and where values coincide the eigenvalues of that block of `m`.

These are the derivatives to one side, in the values' order: "ascending" or "descending" for Hermitian `m`, or
"any". Their sum is linear in `m`. m: (..., n, n)   values: (..., n)   returns: (..., n)
"""


def groups(values: np.ndarray) -> list[np.ndarray]:
    """Return the positions of equal values, for each set of at least two. values: (n,)"""
    limit = tolerance(len(values), values.real.dtype) * np.max(np.abs(values), initial=0)
    left = np.ones(len(values), bool)
    found = []
    for k in range(len(values)):
        if left[k]:
            group = np.zeros(len(values), bool)
            group[k] = True
            while True:  # a chain of close values is one set
                wider = left & (np.abs(values[:, None] - values[None, group]) <= limit).any(axis=1)
                if (wider == group).all():
                    break
                group = wider
            left &= ~group
            if group.sum() > 1:
                found.append(np.flatnonzero(group))
    return found


@lru_cache(maxsize=64)
def _rotation(n: int, unitary: bool) -> np.ndarray:
    generator = np.random.default_rng(n)
    x = generator.standard_normal((n, n))
    return np.linalg.qr(x + 1j * generator.standard_normal((n, n)) if unitary else x)[0]


def turn(values: np.ndarray, *vectors: np.ndarray, unitary: bool | None = None) -> bool:
    """Rotate, in place, the columns of `vectors` that belong to equal values by one generic matrix.

    values: (..., n)   vectors: (..., m, n)   Returns whether anything was changed.
    """
    equal = _equal_pairs(values)
    if equal is None:
        return False
    if unitary is None:
        unitary = vectors[0].dtype.kind == "c"
    for place in np.argwhere(equal.any(axis=(-2, -1))):
        where = tuple(place)
        for group in groups(values[where]):
            rotation = _rotation(len(group), unitary)
            for v in vectors:
                v[where][:, group] = v[where][:, group] @ rotation.astype(v.dtype)
    return True


def _off_zero(x: np.ndarray, values: np.ndarray, strict: bool) -> np.ndarray:
    zero = values <= tolerance(values.shape[-1], values.dtype) * _largest(values, 1)
    if not zero.any():
        return x
    if strict:
        eps = float(np.finfo(values.dtype).eps)
        wrong = zero & (np.abs(x) > eps ** (2 / 3) * _largest(x, 1))
        if wrong.any():
            gap = float(np.min(np.broadcast_to(values, wrong.shape)[wrong]))
            raise _message("singular values and zero coincide", gap, user_line())
    return np.where(zero, 0, x)


off_zero: Primitive = Primitive(
    "off_zero",
    _off_zero,
    abstract=lambda x, values, strict: (broadcast_shape(shape_of(x), shape_of(values)), result_dtype(x)),
    vjp=lambda ct, out, x, values, needs, strict: (off_zero(ct, values, strict=False) if needs[0] else None, None),
    jvp=lambda tangents, out, x, values, strict: (
        None if tangents[0] is None else off_zero(tangents[0], values, strict=False)
    ),
    batch=lambda *args, **params: _spread(off_zero, 1, 1)(*args, **params),
    reads=lambda i, count: {1},
    family="spectral",
)
"""`x`, but 0 where a singular value is 0: there it has a kink, as an absolute value has. Strict: `x` must vanish."""


def _regular(v: np.ndarray, what: str) -> np.ndarray:
    n = v.shape[-1]
    if v.size:
        sizes = np.linalg.svd(v, compute_uv=False)
        ratio = sizes[..., -1] / sizes[..., 0]
        worst = float(np.min(ratio))
        if not worst > tolerance(n, v.real.dtype):
            raise Degenerate(
                f"{what} are linearly dependent: the ratio of their extreme singular values is {worst:.3g}",
                where=user_line(),
                why="at such a point the matrix has no eigenbasis, and its eigenvalues have no derivative",
                hint="a function of the matrix that needs no eigenvectors (trace, det, expm, matrix_power)",
            )
    return v


regular: Primitive = Primitive(
    "regular",
    _regular,
    abstract=lambda v, what: (shape_of(v), result_dtype(v)),
    vjp=lambda ct, out, v, needs, what: (ct,),
    jvp=lambda tangents, out, v, what: tangents[0],
    batch=lambda size, batched, v, what: regular(v, what=what),
    reads=reads_nothing,
    family="spectral",
)
"""A matrix of vectors, unchanged: they must be linearly independent."""
