"""Colourings: which columns (or rows) of a sparse matrix may be computed together.

Columns of one colour share no row, so one product with the sum of their unit vectors shows all their entries (Curtis,
Powell and Reid, 1974; Gebremedhin, Manne and Pothen, "What color is your Jacobian?", SIAM Review 47, 2005). The greedy
algorithm takes vertices in an order and gives each the smallest colour that is free; the order decides how many are
needed. This module knows matrices only, no functions and no derivatives.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ArgumentError

ORDERS = ("natural", "largest-first", "smallest-last", "incidence-degree")


@dataclass(frozen=True)
class Colouring:
    """A partition of columns (or rows, or both) and where each entry of the matrix is found.

    Attributes
    ----------
    columns, rows : ndarray of int or None
        Colour of each column, of each row; -1 for one that is not needed.
    columns_first : bool
        Where an entry's row and column both have a colour: whether the column's shows it.
    """

    columns: np.ndarray | None = None
    rows: np.ndarray | None = None
    columns_first: bool = False

    @property
    def count(self) -> int:
        """Number of colours, which is the number of passes."""
        return sum(int(c.max()) + 1 for c in (self.columns, self.rows) if c is not None and len(c))


def colour_columns(pattern: Any, order: str = "natural") -> np.ndarray:
    """Return a colour for each column such that columns of one colour share no row.

    Parameters
    ----------
    pattern : sparse array
        Every stored entry counts, whatever its value.
    order : {"natural", "largest-first", "smallest-last", "incidence-degree", "best"}
        In which order columns choose their colours. "best" tries those that are quick for the size.

    Notes
    -----
    Cost: linear in the entries for the natural order; the others look at pairs of columns that share a row.

    Examples
    --------
    >>> from scipy.sparse import diags_array
    >>> tridiagonal = diags_array([1.0, 1.0, 1.0], offsets=[-1, 0, 1], shape=(6, 6))
    >>> colour_columns(tridiagonal).tolist()
    [0, 1, 2, 0, 1, 2]
    """
    rows = _as_csr(pattern)
    banded = _banded(rows)
    if banded is not None:
        return banded
    if order == "best":
        found = _greedy(rows, None)
        bound = int(np.diff(rows.indptr).max(initial=0))
        tried = ORDERS[1:] if rows.nnz * max(bound, 1) < 2_000_000 else ()
        for other in tried:
            if int(found.max(initial=-1)) + 1 <= bound:
                break
            another = _greedy(rows, ordering(rows, other))
            if another.max(initial=-1) < found.max(initial=-1):
                found = another
        return found
    return _greedy(rows, ordering(rows, order))


def colour_rows(pattern: Any, order: str = "natural") -> np.ndarray:
    """Return a colour for each row such that rows of one colour share no column."""
    return colour_columns(_as_csr(pattern).T, order)


def ordering(rows: Any, order: str) -> np.ndarray | None:
    """Return the columns of a matrix in the named order (None: as they stand).

    Two columns are neighbours where they share a row. "largest-first" (Welsh and Powell, 1967) starts with those that
    have most neighbours; "smallest-last" (Matula, 1972) removes the one with fewest again and again and takes them
    back in reverse; "incidence-degree" (Coleman and More, 1983) takes the one with most coloured neighbours next.
    """
    if order == "natural":
        return None
    if order not in ORDERS:
        raise ArgumentError(f"a colouring order is one of {', '.join(ORDERS)}, not {order!r}")
    graph = neighbours(rows)
    return graph_order(graph, order)


def graph_order(graph: Any, order: str) -> np.ndarray | None:
    """Return the vertices of a graph in the named order; see `ordering`."""
    if order == "natural":
        return None
    degrees = np.diff(graph.indptr)
    if order == "largest-first":
        return np.argsort(-degrees, kind="stable")
    if order == "smallest-last":
        return _smallest_last(graph, degrees)
    return _incidence_degree(graph, degrees)


def neighbours(rows: Any) -> Any:
    """Return the graph of columns that share a row, as a CSR array without diagonal."""
    from scipy.sparse import csr_array

    pattern = csr_array((np.ones(rows.nnz, bool), rows.indices, rows.indptr), shape=rows.shape)
    graph = csr_array(pattern.T) @ pattern
    return without_diagonal(graph)


def without_diagonal(graph: Any) -> Any:
    """Return a square CSR array without its diagonal."""
    from scipy.sparse import csr_array

    graph = csr_array(graph)
    here = np.repeat(np.arange(graph.shape[0]), np.diff(graph.indptr))
    keep = graph.indices != here
    counts = np.bincount(here[keep], minlength=graph.shape[0])
    indptr = np.concatenate([[0], np.cumsum(counts)])
    return csr_array((np.ones(int(keep.sum()), bool), graph.indices[keep], indptr), shape=graph.shape)


def _as_csr(pattern: Any) -> Any:
    from scipy.sparse import csr_array

    return csr_array(pattern)


def _banded(rows: Any) -> np.ndarray | None:
    """Colour j is j modulo the bandwidth, if that is the least possible: some row is that full."""
    n = rows.shape[1]
    if rows.nnz == 0 or n == 0:
        return None
    counts = np.diff(rows.indptr)
    full = np.flatnonzero(counts)
    starts = rows.indptr[full]
    low = np.minimum.reduceat(rows.indices, starts)
    high = np.maximum.reduceat(rows.indices, starts)
    width = int((high - low).max()) + 1
    if width == int(counts.max()) and width < n:
        return np.arange(n) % width
    return None


def _greedy(rows: Any, order: np.ndarray | None) -> np.ndarray:
    """Give each column the smallest colour not yet in any of its rows.

    A row's colours are the bits of one Python integer, so a column costs one `or` for each of its entries.
    """
    from scipy.sparse import csc_array

    columns = csc_array(rows)
    n = columns.shape[1]
    starts = columns.indptr.tolist()
    members = columns.indices.tolist()
    used = [0] * columns.shape[0]
    colours = [-1] * n
    for j in range(n) if order is None else order.tolist():
        mine = members[starts[j] : starts[j + 1]]
        if not mine:
            continue
        taken = 0
        for i in mine:
            taken |= used[i]
        bit = ~taken & (taken + 1)
        colours[j] = bit.bit_length() - 1
        for i in mine:
            used[i] |= bit
    return np.array(colours, np.int64)


def colour_graph(graph: Any, order: str = "natural") -> np.ndarray:
    """Return a colour for each vertex such that neighbours differ (distance 1)."""
    sequence = graph_order(graph, order)
    starts, members = graph.indptr.tolist(), graph.indices.tolist()
    colours = [-1] * graph.shape[0]
    for v in range(graph.shape[0]) if sequence is None else sequence.tolist():
        taken = 0
        for w in members[starts[v] : starts[v + 1]]:
            if colours[w] >= 0:
                taken |= 1 << colours[w]
        colours[v] = (~taken & (taken + 1)).bit_length() - 1
    return np.array(colours, np.int64)


def _smallest_last(graph: Any, degrees: np.ndarray) -> np.ndarray:
    starts, members = graph.indptr.tolist(), graph.indices.tolist()
    remaining = degrees.tolist()
    heap = [(d, v) for v, d in enumerate(remaining)]
    heapq.heapify(heap)
    removed = [False] * len(remaining)
    order = []
    while heap:
        d, v = heapq.heappop(heap)
        if removed[v] or d != remaining[v]:
            continue
        removed[v] = True
        order.append(v)
        for w in members[starts[v] : starts[v + 1]]:
            if not removed[w]:
                remaining[w] -= 1
                heapq.heappush(heap, (remaining[w], w))
    return np.array(order[::-1])


def _incidence_degree(graph: Any, degrees: np.ndarray) -> np.ndarray:
    starts, members = graph.indptr.tolist(), graph.indices.tolist()
    back = [0] * len(degrees)
    full = degrees.tolist()
    heap = [(0, -d, v) for v, d in enumerate(full)]
    heapq.heapify(heap)
    done = [False] * len(full)
    order = []
    while heap:
        count, _, v = heapq.heappop(heap)
        if done[v] or -count != back[v]:
            continue
        done[v] = True
        order.append(v)
        for w in members[starts[v] : starts[v + 1]]:
            if not done[w]:
                back[w] += 1
                heapq.heappush(heap, (-back[w], -full[w], w))
    return np.array(order)


# ---------------------------------------------------------------- both directions


def colour_both(pattern: Any, order: str = "natural") -> Colouring:
    """Return colours of some rows and of the columns of the rest, so that every entry shows once.

    Rows with many entries are computed as rows (reverse passes), what is left by columns, or the other way round: an
    arrow needs three passes where columns or rows alone need n (Hossain and Steihaug, "Computing a sparse Jacobian
    matrix by rows and columns", 1998). Every number of full rows up to a limit is tried, the fewest passes win.

    Examples
    --------
    >>> import numpy as np
    >>> arrow = np.eye(50, dtype=bool)
    >>> arrow[0] = arrow[:, 0] = True
    >>> from scipy.sparse import csr_array
    >>> colour_both(csr_array(arrow)).count, int(colour_columns(csr_array(arrow)).max()) + 1
    (3, 50)
    """
    rows = _as_csr(pattern)
    by_rows = _split(rows, order)
    by_columns = _split(rows.T.tocsr(), order)
    first = Colouring(by_rows[1], by_rows[0])
    second = Colouring(by_columns[0], by_columns[1], columns_first=True)
    return first if first.count <= second.count else second


def _split(rows: Any, order: str) -> tuple[np.ndarray, np.ndarray]:
    """Return colours of the fullest rows (-1 for the others) and of the columns of the remaining ones."""
    counts = np.diff(rows.indptr)
    sizes = np.unique(counts)[::-1]
    if len(sizes) > 12:
        sizes = sizes[np.unique(np.geomspace(1, len(sizes), 12).astype(int)) - 1]
    best = None
    for size in (*sizes.tolist(), None):
        chosen = counts >= size if size is not None else np.zeros(len(counts), bool)
        if size is not None and size <= 1 and not chosen.all():
            continue
        row_colours = np.full(len(counts), -1)
        picked = np.flatnonzero(chosen)
        limit = best[0] if best else None
        if len(picked):
            row_colours[picked] = colour_rows(rows[picked], order)
        passes = int(row_colours.max(initial=-1)) + 1
        if limit is not None and passes >= limit:
            continue
        rest = rows[np.flatnonzero(~chosen)]
        column_colours = colour_columns(rest, order) if rest.nnz else np.full(rows.shape[1], -1)
        column_colours[np.bincount(rest.indices, minlength=rows.shape[1]) == 0] = -1
        passes += int(column_colours.max(initial=-1)) + 1
        if best is None or passes < best[0]:
            best = (passes, row_colours, column_colours)
    assert best is not None
    return best[1], best[2]
