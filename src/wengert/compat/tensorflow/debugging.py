"""`tf.debugging`: checks that raise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import ArgumentError, DtypeError, ShapeError, user_line
from ._missing import reporter as _reporter
from ._tensor import Tensor, convert_to_tensor, plain, tensors


def _values(x: Any) -> np.ndarray:
    return np.asarray(plain(convert_to_tensor(x)))


def _failed(what: str, message: str | None) -> ArgumentError:
    return ArgumentError(f"{message}: {what}" if message else what, where=user_line())


def _comparison(holds: Callable[..., Any], relation: str) -> Callable[..., None]:
    def check(x: Any, y: Any, message: str | None = None, summarize: Any = None, name: Any = None) -> None:
        a, b = (np.asarray(t._data) for t in tensors((x, y)))
        if not np.all(holds(a, b)):
            raise _failed(f"not everywhere x {relation} y; x = {a}, y = {b}", message)

    check.__doc__ = f"Raise ArgumentError unless x {relation} y everywhere."
    return check


assert_equal = _comparison(np.equal, "==")
assert_none_equal = _comparison(np.not_equal, "!=")
assert_less = _comparison(np.less, "<")
assert_less_equal = _comparison(np.less_equal, "<=")
assert_greater = _comparison(np.greater, ">")
assert_greater_equal = _comparison(np.greater_equal, ">=")


def assert_positive(x: Any, message: str | None = None, summarize: Any = None, name: Any = None) -> None:
    """Raise ArgumentError unless all values are positive."""
    assert_greater(x, 0, message)


def assert_negative(x: Any, message: str | None = None, summarize: Any = None, name: Any = None) -> None:
    """Raise ArgumentError unless all values are negative."""
    assert_less(x, 0, message)


def assert_non_negative(x: Any, message: str | None = None, summarize: Any = None, name: Any = None) -> None:
    """Raise ArgumentError if a value is negative."""
    assert_greater_equal(x, 0, message)


def assert_non_positive(x: Any, message: str | None = None, summarize: Any = None, name: Any = None) -> None:
    """Raise ArgumentError if a value is positive."""
    assert_less_equal(x, 0, message)


def assert_near(
    x: Any,
    y: Any,
    rtol: Any = None,
    atol: Any = None,
    message: str | None = None,
    summarize: Any = None,
    name: Any = None,
) -> None:
    """Raise ArgumentError unless |x - y| <= atol + rtol * |y| everywhere; 10 ulp of the dtype if not given."""
    a, b = (np.asarray(t._data) for t in tensors((x, y)))
    unit = 10 * np.finfo(a.dtype).eps
    relative, absolute = (unit if t is None else plain(t) for t in (rtol, atol))
    if not np.all(np.abs(a - b) <= absolute + relative * np.abs(b)):
        raise _failed(f"x and y differ by up to {np.max(np.abs(a - b))}", message)


def check_numerics(tensor: Any, message: str = "", name: Any = None) -> Tensor:
    """Return the tensor; raise ArgumentError if a value is infinite or NaN."""
    x = convert_to_tensor(tensor)
    data = _values(x)
    if not np.all(np.isfinite(data)):
        kind = "NaN" if np.isnan(data).any() else "Inf"
        raise _failed(f"the tensor of shape {x.shape} has {kind} values", message)
    return x


def assert_all_finite(x: Any, message: str = "", name: Any = None) -> Tensor:
    """Return the tensor; raise ArgumentError if a value is infinite or NaN."""
    return check_numerics(x, message)


def assert_rank(x: Any, rank: Any, message: str | None = None, name: Any = None) -> None:
    """Raise ShapeError unless the tensor has this number of axes."""
    shape = convert_to_tensor(x).shape
    if len(shape) != int(plain(rank)):
        raise ShapeError(
            f"{message or 'assert_rank'}: shape {shape} has rank {len(shape)}, not {rank}", where=user_line()
        )


def assert_shapes(
    shapes: Any, data: Any = None, summarize: Any = None, message: str | None = None, name: Any = None
) -> None:
    """Raise ShapeError unless all tensors have their shapes; equal letters stand for equal lengths, None for any."""
    known: dict[Any, int] = {}
    for x, wanted in shapes.items() if hasattr(shapes, "items") else shapes:
        shape = convert_to_tensor(x).shape
        wanted = tuple(wanted) if isinstance(wanted, list | tuple | str) else (wanted,)
        fits = len(wanted) == len(shape) and all(
            label is None or (length == label if isinstance(label, int) else known.setdefault(label, length) == length)
            for label, length in zip(wanted, shape)
        )
        if not fits:
            raise ShapeError(f"{message or 'assert_shapes'}: shape {shape} is not {wanted}", where=user_line())


def assert_type(tensor: Any, tf_type: Any, message: str | None = None, name: Any = None) -> None:
    """Raise DtypeError unless the tensor has this dtype."""
    dtype = convert_to_tensor(tensor).dtype
    if dtype != np.dtype(tf_type):
        raise DtypeError(
            f"{message or 'assert_type'}: the tensor has {dtype}, not {np.dtype(tf_type)}", where=user_line()
        )


def enable_check_numerics(*_: Any, **__: Any) -> None:
    """Do nothing: `check_numerics` is the check here."""


def disable_check_numerics() -> None:
    """Do nothing: `check_numerics` is the check here."""


__getattr__ = _reporter(__name__, lambda: list(globals()))
