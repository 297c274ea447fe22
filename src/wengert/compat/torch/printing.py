"""How tensors print: four digits, columns of one width, `...` in long ones, and what they are derived from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .dtypes import from_numpy_dtype, get_default_dtype


@dataclass(frozen=True, slots=True)
class Options:
    """How many digits and elements are shown; `sci_mode` None chooses by the values."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_PROFILES = {
    "default": Options(),
    "short": Options(precision=2, edgeitems=2),
    "full": Options(threshold=math.inf),
}
_options: ContextVar[Options] = ContextVar("wengert_torch_print_options", default=_PROFILES["default"])


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors print in this thread or task; what is None stays, `sci_mode` excepted."""
    options = _PROFILES[profile] if profile is not None else _options.get()
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    changes: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    _options.set(replace(options, sci_mode=sci_mode, **changes))


class _Numbers:
    """Formats real numbers so that all have one width."""

    def __init__(self, values: np.ndarray, options: Options) -> None:
        self.precision = options.precision
        self.floating = values.dtype.kind == "f"
        self.whole = self.scientific = False
        if self.floating:
            values = values[np.isfinite(values) & (values != 0)]  # the others do not widen the columns
            finite = np.abs(values.astype(float))
            if finite.size:
                low, high = float(finite.min()), float(finite.max())
                self.whole = bool(np.all(finite == np.ceil(finite)))
                self.scientific = high / low > 1000 or high > 1e8 or (not self.whole and low < 1e-4)
            else:
                self.whole = True
            if options.sci_mode is not None:
                self.scientific = options.sci_mode
        self.width = max((len(self._text(value)) for value in values.tolist()), default=1)

    def _text(self, value: Any) -> str:
        if not self.floating:
            return str(value)
        if self.scientific:
            return f"{value:.{self.precision}e}"
        if self.whole:
            return f"{value:.0f}." if math.isfinite(value) else f"{value:.0f}"
        return f"{value:.{self.precision}f}"

    def __call__(self, value: Any) -> str:
        return self._text(value).rjust(self.width)


class _Complex:
    """Formats complex numbers as two columns."""

    def __init__(self, values: np.ndarray, options: Options) -> None:
        self.real, self.imaginary = _Numbers(values.real, options), _Numbers(values.imag, options)
        self.width = self.real.width + self.imaginary.width + 1

    def __call__(self, value: complex) -> str:
        imaginary = self.imaginary(value.imag).strip()
        if not imaginary.startswith("-"):
            imaginary = "+" + imaginary
        return self.real(value.real) + imaginary + "j"


def _rows(data: np.ndarray, indent: int, formatter: Any, options: Options, short: bool) -> str:
    edge = options.edgeitems
    if data.ndim == 0:
        return formatter(data.item())
    cut = short and data.shape[0] > 2 * edge
    if data.ndim == 1:
        shown = [*data[:edge].tolist(), *data[-edge:].tolist()] if cut else data.tolist()
        texts = [formatter(value) for value in shown]
        if cut:
            texts.insert(edge, " ...")
        per_line = max(1, (options.linewidth - indent) // (formatter.width + 2))
        lines = [texts[i : i + per_line] for i in range(0, len(texts), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(", ".join(line) for line in lines) + "]"
    parts = list(data[:edge]) + list(data[-edge:]) if cut else list(data)
    texts = [_rows(part, indent + 1, formatter, options, short) for part in parts]
    if cut:
        texts.insert(edge, "...")
    return "[" + ("," + "\n" * (data.ndim - 1) + " " * (indent + 1)).join(texts) + "]"


def _shown(data: np.ndarray, edge: int) -> np.ndarray:
    """Return the elements that a shortened text shows."""
    for axis, n in enumerate(data.shape):
        if n > 2 * edge:
            data = np.concatenate([data.take(range(edge), axis), data.take(range(n - edge, n), axis)], axis)
    return data


def tensor_text(data: np.ndarray, suffixes: Sequence[str]) -> str:
    """Return `tensor(...)` for an array and what is to be said after it (`requires_grad=True`)."""
    options = _options.get()
    prefix = "tensor("
    indent = len(prefix)
    notes: list[str] = []
    if data.size == 0:
        text = "[]"
        if data.ndim != 1:
            notes.append(f"size={tuple(data.shape)}")
        known = data.dtype == get_default_dtype().dtype
    else:
        short = data.size > options.threshold
        values = (_shown(data, options.edgeitems) if short else data).reshape(-1)
        formatter = _Complex(values, options) if data.dtype.kind == "c" else _Numbers(values, options)
        text = _rows(data, indent, formatter, options, short)
        default = get_default_dtype()
        known = data.dtype in (default.dtype, default.to_complex().dtype, np.dtype(np.int64), np.dtype(bool))
    if not known:
        notes.append(f"dtype={from_numpy_dtype(data.dtype)!r}")
    notes.extend(suffixes)
    result = prefix + text
    column = len(result) - result.rfind("\n") + 1
    for note in notes:
        if column + len(note) + 2 > options.linewidth:
            result += ",\n" + " " * indent + note
            column = indent + len(note)
        else:
            result += ", " + note
            column += len(note) + 2
    return result + ")"
