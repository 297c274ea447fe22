"""Pictures of sparse matrices: a spy plot coloured by values or by colouring, and a text spy for terminals."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import StructureError
from ..require import require


def text_spy(matrix: Any, width: int = 40, height: int = 20) -> str:
    """Return the pattern of a matrix as text: each character shows 2 x 4 cells by Braille dots.

    matrix: (m, n)   returns: at most `height` lines of at most `width` characters

    Examples
    --------
    >>> import numpy as np
    >>> print(text_spy(np.eye(8)))
    ⠑⢄⠀⠀
    ⠀⠀⠑⢄
    """
    rows, columns, shape = _entries(matrix)[:3]
    tall = min(4 * height, max(shape[0], 1))
    wide = min(2 * width, max(shape[1], 1))
    dots = np.zeros((-(-tall // 4) * 4, -(-wide // 2) * 2), bool)
    if len(rows):
        dots[rows * tall // shape[0], columns * wide // shape[1]] = True
    bits = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
    cells = dots.reshape(dots.shape[0] // 4, 4, dots.shape[1] // 2, 2).transpose(0, 2, 1, 3)
    codes = (cells * bits).sum((2, 3))
    return "\n".join("".join(chr(0x2800 + code) for code in line) for line in codes.tolist())


def plot_jacobian(matrix: Any, *, by: str = "magnitude", ax: Any = None, title: str | None = None) -> Any:
    """Draw where a Jacobian or Hessian has entries.

    Parameters
    ----------
    matrix : Plan, sparse array or dense array
        A plan shows its pattern.
    by : {"magnitude", "colouring", "pattern"}
        Colour entries by the logarithm of their size, by the pass that shows them (that of the plan, or the colour of
        their column in a greedy colouring), or all alike. A plan has no values: it is drawn by colouring or alike.
    ax : matplotlib Axes, optional
        Where to draw; a new figure if not given.
    title : str, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    MissingPackage
        If matplotlib is not installed (extra "plot").
    StructureError
        If the argument has no entries to show, or `by` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> plan = wg.plan_jacobian(lambda x: x[1:] - x[:-1], np.ones(6))
    >>> print(plan.nnz)
    10
    >>> ax = wg.plot_jacobian(plan)  # doctest: +SKIP
    """
    if by not in ("magnitude", "colouring", "pattern"):
        raise StructureError(f"plot_jacobian: by is 'magnitude', 'colouring' or 'pattern', not {by!r}")
    pyplot = require("matplotlib.pyplot", extra="plot")
    from scipy.sparse import csr_array

    from .colouring import colour_columns

    rows, columns, shape, values = _entries(matrix)
    if values is None and by == "magnitude":
        by = "colouring" if _plan_colours(matrix) is not None else "pattern"
    if ax is None:
        tall = min(max(4.0 * shape[0] / max(shape[1], 1), 1.5), 8.0)
        _, ax = pyplot.subplots(figsize=(5.0, tall), layout="constrained")
    size = float(np.clip(60_000.0 / max(*shape, 1) ** 2, 0.3, 60.0))
    style: dict[str, Any] = {"s": size, "marker": "s", "linewidths": 0, "rasterized": len(rows) > 20_000}
    if by == "magnitude":
        with np.errstate(divide="ignore"):
            strength = np.log10(np.abs(np.asarray(values)))
        shown = ax.scatter(columns, rows, c=np.where(np.isfinite(strength), strength, np.nan), cmap="viridis", **style)
        ax.figure.colorbar(shown, ax=ax, label="log10 of the magnitude", shrink=0.8)
    elif by == "colouring":
        colours = _plan_colours(matrix)
        if colours is None:
            colours = colour_columns(csr_array((np.ones(len(rows), bool), (rows, columns)), shape=shape))[columns]
        ax.scatter(columns, rows, c=colours % 20, cmap="tab20", vmin=0, vmax=19, **style)
    else:
        ax.scatter(columns, rows, color="tab:blue", **style)
    ax.set_xlim(-0.5, max(shape[1], 1) - 0.5)
    ax.set_ylim(max(shape[0], 1) - 0.5, -0.5)
    ax.set_aspect("equal" if 0.1 < shape[0] / max(shape[1], 1) < 10 else "auto")
    ax.set_xlabel("input")
    ax.set_ylabel("output")
    share = 100 * len(rows) / max(shape[0] * shape[1], 1)
    ax.set_title(title or f"{shape[0]} x {shape[1]}, {len(rows)} entries ({share:.3g} %)")
    return ax


def _entries(matrix: Any) -> tuple[np.ndarray, np.ndarray, tuple[int, int], np.ndarray | None]:
    """Return rows, columns, shape and values (None for a pattern)."""
    from scipy.sparse import coo_array, issparse

    values_known = True
    if hasattr(matrix, "recipe"):
        matrix, values_known = matrix.pattern, False
    if not issparse(matrix):
        matrix = np.asarray(matrix)
        if matrix.ndim != 2:
            raise StructureError(
                f"a spy picture needs a plan or a matrix with two axes; this one has shape {matrix.shape}"
            )
    found = coo_array(matrix)
    rows, columns = found.coords
    return rows.astype(np.int64), columns.astype(np.int64), found.shape, found.data if values_known else None


def _plan_colours(matrix: Any) -> np.ndarray | None:
    """Return the pass that shows each entry of a compressed plan, in CSR order; None for anything else."""
    evaluator: Any = getattr(getattr(matrix, "recipe", None), "evaluator", None)
    return evaluator.entry_passes() if hasattr(evaluator, "entry_passes") else None
