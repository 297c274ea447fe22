"""Comparing derivatives: with each other to rounding, and with differences as far as those can be trusted.

Where a derivative and its difference disagree, the likely cause is looked for: a kink, a jump, noise, lost precision,
or a wrong rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .differences import Arrays, difference, is_steep, noise, one_sided
from .report import RIGHT, UNCLEAR, WRONG, Row
from .subject import plain

# What exact derivatives of the same thing may differ by, relative to the sizes involved.
ROUNDING = 1e-11
# What a difference may be off by beyond its own error estimate, relative to the derivative.
MARGIN = 1e-6


def inner(a: Sequence[Any], b: Sequence[Any]) -> float:
    """Return Re <a, b> over all arrays."""
    return float(sum(np.sum(np.real(np.conjugate(x) * y)) for x, y in zip(a, b, strict=True)))


def size(arrays: Sequence[Any]) -> float:
    """Return the Euclidean norm over all arrays."""
    return float(np.sqrt(inner(arrays, arrays)))


def same(
    law: str,
    ours: Sequence[Any],
    expected: Sequence[Any],
    labels: Sequence[str],
    tolerance: float = ROUNDING,
    floor: float = 1e-300,
) -> Row:
    """Compare two results that differ by rounding only; NaN and infinities must stand in the same places.

    Errors are relative to the size of the whole result, or to `floor` where that is larger.
    """
    worst = Row(law, ours=0.0, expected=0.0)
    scale = max(size([finite(b) for b in expected if plain(b).dtype.kind in "fc"]), floor)
    for a, b, label in zip(ours, expected, labels, strict=True):
        a, b = plain(a), plain(b)
        if a.shape != b.shape:
            return Row(law, WRONG, label, a.shape, b.shape, np.inf, "wrong shape")
        if a.dtype.kind not in "fc" or b.dtype.kind not in "fc":
            gap = np.where(a == b, 0.0, np.inf)
        else:
            with np.errstate(all="ignore"):
                gap = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b) / scale)
            gap = np.where(np.isnan(gap), np.inf, gap)
        if gap.size and np.max(gap) > worst.error:
            k = np.unravel_index(int(np.argmax(gap)), gap.shape)
            status = WRONG if gap[k] > tolerance else RIGHT
            worst = Row(
                law, status, at(label, k), a[k][()], b[k][()], float(gap[k]), "wrong rule" if status == WRONG else ""
            )
    return worst


def finite(x: Any) -> Any:
    """Return zeros in the place of infinities and NaN."""
    return np.where(np.isfinite(x), x, 0)


def at(label: str, index: Sequence[Any]) -> str:
    """Return the label of an entry."""
    return label + (f"[{', '.join(str(int(i)) for i in index)}]" if len(index) else "")


def wrong_shape(law: str, found: Sequence[Any], like: Sequence[Any], labels: Sequence[str]) -> Row | None:
    """Return a row if a shape is not as it should be."""
    for a, b, label in zip(found, like, labels, strict=True):
        if a.shape != b.shape:
            return Row(law, WRONG, label, a.shape, b.shape, np.inf, "wrong shape")
    return None


def worse(a: Row, b: Row) -> Row:
    """Return the more serious of two rows."""
    rank = {WRONG: 2, UNCLEAR: 1}
    return max(a, b, key=lambda row: (rank.get(row.status, 0), row.error, bool(row.cause)))


def compare(
    law: str,
    value: Callable[[Sequence[Any]], Arrays],
    push: Callable[[Sequence[Any], Sequence[Any]], Arrays],
    leaves: Sequence[Any],
    directions: Sequence[Any],
    label: str,
    out_labels: Sequence[str],
) -> Row:
    """Compare one directional derivative with its difference."""
    found = push(leaves, directions)
    with np.errstate(all="ignore"):
        expected, errors = difference(value, leaves, directions)
        scale = size([finite(part) for part in (*value(leaves), *expected)])
    rounding = 1e-12 * (scale or 0.1)  # an exact zero may come out as the rounding of terms that cancel
    bad = wrong_shape(law, found, expected, out_labels)
    if bad is not None:
        return bad
    worst = Row(law, ours=0.0, expected=0.0)
    suspects = []
    for i, (a, b, e) in enumerate(zip(found, expected, errors, strict=True)):
        with np.errstate(all="ignore"):
            gap = np.where(a == b, 0.0, np.abs(a - b))
            allowed = 10 * e + MARGIN * np.maximum(np.abs(a), np.abs(b)) + rounding
            size_of = np.maximum(np.maximum(np.abs(a), np.abs(b)), 1e-300)
            clear = e <= 0.05 * size_of + 1e-7
        for k in np.ndindex(gap.shape):
            entry = f"d {at(out_labels[i], k)} / d {label}"
            relative = float(gap[k] / size_of[k]) if np.isfinite(gap[k]) else np.inf
            if not np.isfinite(b[k]) or not clear[k] or gap[k] > allowed[k] or np.isnan(gap[k]):
                if np.isnan(a[k]) and np.isnan(np.asarray(b)[k]):
                    continue
                settled = bool(np.isfinite(b[k]) and e[k] <= 1e-3 * size_of[k])
                suspects.append((i, k, entry, a[k][()], b[k][()], relative, settled))
            elif relative > worst.error:
                worst = Row(law, RIGHT, entry, a[k][()], b[k][()], relative)
    if suspects:
        for row in _diagnose(law, value, leaves, directions, suspects):
            worst = worse(worst, row)
    return worst


def _diagnose(
    law: str, value: Callable[[Sequence[Any]], Arrays], leaves: Sequence[Any], directions: Sequence[Any], suspects: Any
) -> list[Row]:
    """Say why entries differ from their differences: a kink, noise, lost precision, or a wrong rule."""
    with np.errstate(all="ignore"):
        (below, below_error), (above, above_error) = one_sided(value, leaves, directions)
        levels = noise(value, leaves, directions)
        middle = value(leaves)
        steep = is_steep(value, leaves, directions)
    rows = []
    for i, k, entry, ours, expected, error, settled in suspects:
        low, high = below[i][k], above[i][k]
        doubt = below_error[i][k] + above_error[i][k]
        gap, scale = abs(high - low), max(abs(low), abs(high), 1e-300)
        level = float(levels[i][k]) / max(float(np.abs(middle[i][k])), 1e-300)
        certain = np.isfinite(gap) and np.isfinite(doubt) and doubt <= 0.01 * scale + 1e-7
        if certain and gap > 10 * doubt + 1e-4 * scale:
            inside = abs(ours - low) + abs(ours - high) <= gap * 1.001 + 10 * doubt
            status = RIGHT if inside else WRONG
            rows.append(Row(law, status, entry, ours, expected, 0.0 if inside else error, _kink(low, high)))
        elif settled:
            rows.append(Row(law, WRONG, entry, ours, expected, error, "wrong rule"))
        elif certain and abs(ours - (low + high) / 2) <= 10 * doubt + 1e-4 * scale:
            rows.append(Row(law, RIGHT, entry, ours, (low + high) / 2, error))
        elif certain:
            rows.append(Row(law, WRONG, entry, ours, expected, error, "wrong rule"))
        elif steep[i][k]:
            rows.append(Row(law, UNCLEAR, entry, ours, expected, error, "a jump or an infinite slope: no difference"))
        elif level > 1e-9:
            digits = max(0, int(-np.log10(level)))
            cause = f"precision: the function has about {digits} digits here" if level < 1e-4 else "noise"
            rows.append(Row(law, UNCLEAR, entry, ours, expected, error, cause))
        else:
            rows.append(Row(law, UNCLEAR, entry, ours, expected, error, "the differences do not settle"))
    return rows


def _kink(low: Any, high: Any) -> str:
    return f"kink: {low:.6g} from below, {high:.6g} from above"
