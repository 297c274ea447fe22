"""Colourings of symmetric matrices: star colourings read every entry directly, acyclic ones by substitution.

The algorithms are those of Gebremedhin, Tarafdar, Manne and Pothen, "New acyclic and star coloring algorithms with
application to computing Hessians", SIAM J. Sci. Comput. 29 (2007), Algorithms 4.1 and 3.1. A star colouring lets every
path of four vertices have three colours, so two colours make stars; an acyclic one lets every cycle have three, so two
colours make trees. This module knows matrices only.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ArgumentError
from .colouring import graph_order, without_diagonal


class Stars:
    """A star colouring.

    Attributes
    ----------
    colours : ndarray of int
        Of each vertex.
    hubs : dict
        By edge (v, w) with v < w: the vertex in the middle of its star, or -1 where the star is one edge.
    """

    __slots__ = ("colours", "hubs")

    def __init__(self, colours: np.ndarray, hubs: dict[tuple[int, int], int]) -> None:
        self.colours = colours
        self.hubs = hubs


def star_colouring(pattern: Any, order: str = "natural") -> Stars:
    """Return a star colouring of a symmetric pattern (Algorithm 4.1).

    Examples
    --------
    >>> from scipy.sparse import diags_array
    >>> tridiagonal = diags_array([1.0, 1.0, 1.0], offsets=[-1, 0, 1], shape=(7, 7))
    >>> int(star_colouring(tridiagonal).colours.max()) + 1
    3
    """
    graph = _symmetric(pattern)
    starts, members = graph.indptr.tolist(), graph.indices.tolist()
    n = graph.shape[0]
    colours = [-1] * n
    forbidden: list[int] = [-1] * (n + 1)
    treated = [-1] * n
    first: list[tuple[int, int]] = [(-1, -1)] * (n + 1)  # by colour: a vertex and its first neighbour of that colour
    star: dict[tuple[int, int], int] = {}
    hub: list[int] = []

    def edge(a: int, b: int) -> tuple[int, int]:
        return (a, b) if a < b else (b, a)

    def treat(v: int, w: int) -> None:
        for x in members[starts[w] : starts[w + 1]]:
            if colours[x] >= 0:
                forbidden[colours[x]] = v
        treated[w] = v

    sequence = graph_order(graph, order)
    for v in range(n) if sequence is None else sequence.tolist():
        mine = [w for w in members[starts[v] : starts[v + 1]] if colours[w] >= 0]
        for w in mine:
            c = colours[w]
            forbidden[c] = v
            p, q = first[c]
            if p == v:
                if treated[q] != v:
                    treat(v, q)
                treat(v, w)
            else:
                first[c] = (v, w)
                for x in members[starts[w] : starts[w + 1]]:
                    if x != v and colours[x] >= 0 and hub[star[edge(w, x)]] == x:
                        forbidden[colours[x]] = v
        c = 0
        while forbidden[c] == v:
            c += 1
        colours[v] = c
        for w in mine:
            joined = None
            for x in members[starts[w] : starts[w + 1]]:
                if x != v and colours[x] == c:
                    joined = star[edge(w, x)]
                    hub[joined] = w
                    break
            if joined is None:
                p, q = first[colours[w]]
                if p == v and q != w:
                    joined = star[edge(v, q)]
                    hub[joined] = v
                else:
                    joined = len(hub)
                    hub.append(-1)
            star[edge(v, w)] = joined
    return Stars(np.array(colours, np.int64), {e: hub[s] for e, s in star.items()})


def star_places(pattern: Any, stars: Stars) -> tuple[np.ndarray, np.ndarray]:
    """Return, for each stored entry of the pattern, the row and the colour where the compressed matrix shows it."""
    rows = np.repeat(np.arange(pattern.shape[0]), np.diff(pattern.indptr))
    columns = pattern.indices
    where = rows.copy()
    colour = stars.colours[columns].copy()
    for k, (i, j) in enumerate(zip(rows.tolist(), columns.tolist(), strict=True)):
        if i == j:
            continue
        middle = stars.hubs[(i, j) if i < j else (j, i)]
        if middle == i:  # row i mixes all its spokes: read the spoke's row under the hub's colour
            where[k], colour[k] = j, stars.colours[i]
    return where, colour


class Forest:
    """An acyclic colouring: colours, and the equations that give the entries one after the other."""

    __slots__ = ("colours", "tree_of")

    def __init__(self, colours: np.ndarray, tree_of: dict[tuple[int, int], int]) -> None:
        self.colours = colours
        self.tree_of = tree_of


def acyclic_colouring(pattern: Any, order: str = "natural") -> Forest:
    """Return an acyclic colouring of a symmetric pattern (Algorithm 3.1).

    Examples
    --------
    >>> from scipy.sparse import diags_array
    >>> tridiagonal = diags_array([1.0, 1.0, 1.0], offsets=[-1, 0, 1], shape=(7, 7))
    >>> int(acyclic_colouring(tridiagonal).colours.max()) + 1
    2
    """
    graph = _symmetric(pattern)
    starts, members = graph.indptr.tolist(), graph.indices.tolist()
    n = graph.shape[0]
    colours = [-1] * n
    forbidden = [-1] * (n + 1)
    first: list[tuple[int, int]] = [(-1, -1)] * (n + 1)
    number: dict[tuple[int, int], int] = {}
    parent: list[int] = []
    visit: list[tuple[int, int]] = []

    def edge(a: int, b: int) -> tuple[int, int]:
        return (a, b) if a < b else (b, a)

    def find(e: int) -> int:
        while parent[e] != e:
            parent[e] = parent[parent[e]]
            e = parent[e]
        return e

    def union(a: int, b: int) -> None:
        parent[find(b)] = find(a)

    sequence = graph_order(graph, order)
    for v in range(n) if sequence is None else sequence.tolist():
        mine = [w for w in members[starts[v] : starts[v + 1]] if colours[w] >= 0]
        for w in mine:
            forbidden[colours[w]] = v
        for w in mine:
            for x in members[starts[w] : starts[w + 1]]:
                if x != v and colours[x] >= 0 and forbidden[colours[x]] != v:
                    tree = find(number[edge(w, x)])
                    p, q = visit[tree]
                    if p != v:
                        visit[tree] = (v, w)
                    elif q != w:
                        forbidden[colours[x]] = v
        c = 0
        while forbidden[c] == v:
            c += 1
        colours[v] = c
        for w in mine:
            e = number[edge(v, w)] = len(parent)
            parent.append(e)
            visit.append((-1, -1))
            p, q = first[colours[w]]
            if p != v:
                first[colours[w]] = (v, w)
            else:
                union(number[edge(p, q)], e)
        for w in mine:
            for x in members[starts[w] : starts[w + 1]]:
                if x != v and colours[x] == c:
                    a, b = find(number[edge(v, w)]), find(number[edge(w, x)])
                    if a != b:
                        union(a, b)
    return Forest(np.array(colours, np.int64), {e: find(k) for e, k in number.items()})


def substitution(pattern: Any, forest: Forest) -> tuple[np.ndarray, np.ndarray, np.ndarray, Any]:
    """Return how the entries of a symmetric matrix follow from an acyclic colouring.

    Returns
    -------
    rows, colours : ndarray
        Where the right-hand side of each unknown stands in the compressed matrix. The unknowns are the diagonal, then
        the edges, leaves of the two-coloured trees first.
    unknown : ndarray
        For each stored entry of the pattern, its unknown.
    lower : csr_array
        The unit lower triangular matrix of the system: each edge's row takes away the edges below it.
    """
    from scipy.sparse import csr_array

    n = pattern.shape[0]
    colours = forest.colours
    adjacent: dict[tuple[int, int], list[tuple[int, int]]] = {}  # (tree, vertex) -> its edges there
    for (v, w), tree in forest.tree_of.items():
        adjacent.setdefault((tree, v), []).append((v, w))
        adjacent.setdefault((tree, w), []).append((v, w))
    remaining = {key: len(edges) for key, edges in adjacent.items()}
    leaves = [key for key, count in remaining.items() if count == 1]
    place: dict[tuple[int, int], int] = {}
    rows, seen = list(range(n)), list(colours.tolist())
    below: list[tuple[int, int]] = []
    while leaves:
        tree, v = leaves.pop()
        open_edges = [e for e in adjacent[tree, v] if e not in place]
        if len(open_edges) != 1:
            continue
        (edge,) = open_edges
        other = edge[1] if edge[0] == v else edge[0]
        k = place[edge] = len(rows)
        rows.append(v)
        seen.append(int(colours[other]))
        below.extend((k, place[e]) for e in adjacent[tree, v] if e != edge)
        remaining[tree, other] -= 1
        if remaining[tree, other] == 1:
            leaves.append((tree, other))
    pairs_of = zip(np.repeat(np.arange(n), np.diff(pattern.indptr)).tolist(), pattern.indices.tolist(), strict=True)
    unknown = np.array([i if i == j else place[(i, j) if i < j else (j, i)] for i, j in pairs_of], np.intp)
    count = len(rows)
    pairs = np.array(below, np.int64).reshape(-1, 2)
    data = np.ones(count + len(pairs))
    lower = csr_array(
        (data, (np.r_[np.arange(count), pairs[:, 0]], np.r_[np.arange(count), pairs[:, 1]])), shape=(count, count)
    )
    lower.indices, lower.indptr = lower.indices.astype(np.intc), lower.indptr.astype(np.intc)  # what SuperLU takes
    return np.array(rows, np.int64), np.array(seen, np.int64), unknown, lower


def _symmetric(pattern: Any) -> Any:
    from scipy.sparse import csr_array

    pattern = csr_array(pattern)
    if pattern.shape[0] != pattern.shape[1]:
        raise ArgumentError(
            f"a symmetric colouring needs a square pattern, not {pattern.shape}", hint="colour_columns or colour_rows"
        )
    ones = csr_array((np.ones(pattern.nnz, bool), pattern.indices, pattern.indptr), shape=pattern.shape)
    return without_diagonal(ones + ones.T)
