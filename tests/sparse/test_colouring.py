"""Colourings: valid for every order, equal to closed forms and to the published figures, entries read back exactly."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.sparse import csr_array, diags_array, eye_array, kron, random_array

import wengert as wg
from wengert.sparse.colouring import (
    ORDERS,
    colour_both,
    colour_columns,
    colour_graph,
    colour_rows,
    without_diagonal,
)
from wengert.sparse.symmetric import acyclic_colouring, star_colouring, star_places, substitution

# Gebremedhin, Manne, Pothen, "What color is your Jacobian?" (2005), figures 4.1 and 6.1: neighbours of each vertex.
FIGURE_4_1 = {1: [2], 2: [3, 5, 6], 3: [4], 4: [6]}
FIGURE_6_1 = {1: [2, 7], 2: [3, 5], 3: [4, 6], 4: [10], 5: [6, 8], 6: [9], 7: [8], 8: [9], 9: [10]}


def symmetric_from(edges, n):
    pattern = np.eye(n, dtype=bool)
    for i, others in edges.items():
        for j in others:
            pattern[i - 1, j - 1] = pattern[j - 1, i - 1] = True
    return csr_array(pattern)


def band(m, n, lower, upper):
    offsets = range(-lower, upper + 1)
    return csr_array(diags_array([np.ones(max(m, n))] * len(offsets), offsets=list(offsets), shape=(m, n)))


def random_symmetric(n, density, seed):
    rng = np.random.default_rng(seed)
    half = rng.random((n, n)) < density
    return csr_array(half | half.T | np.eye(n, dtype=bool))


def is_valid_columns(pattern, colours):
    """Whether no row has two entries in columns of one colour."""
    rows = np.repeat(np.arange(pattern.shape[0]), np.diff(pattern.indptr))
    mine = colours[pattern.indices]
    places = np.unique(np.stack([rows, mine]), axis=1)
    return bool((mine >= 0).all()) and places.shape[1] == pattern.nnz


def count(colours):
    return int(colours.max()) + 1


# ---------------------------------------------------------------- columns and rows


@pytest.mark.parametrize("order", [*ORDERS, "best"])
@pytest.mark.parametrize("seed", range(4))
def test_columns_of_one_colour_share_no_row(order, seed):
    pattern = csr_array(random_array((30, 40), density=0.08, random_state=np.random.default_rng(seed)) != 0)
    colours = colour_columns(pattern, order)
    used = np.bincount(pattern.indices, minlength=40) > 0
    assert (colours[used] >= 0).all() and (colours[~used] == -1).all()
    assert is_valid_columns(pattern[:, np.flatnonzero(used)], colours[used])
    assert count(colours) >= np.diff(pattern.indptr).max()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("lower", "upper"), [(0, 0), (1, 1), (0, 3), (2, 4)])
def test_bands_need_their_width(order, lower, upper):
    pattern = band(25, 25, lower, upper)
    assert count(colour_columns(pattern, order)) == lower + upper + 1
    assert count(colour_rows(pattern, order)) == lower + upper + 1
    # the greedy algorithm itself, without the special case for bands
    shuffled = np.random.default_rng(0).permutation(25)
    assert is_valid_columns(pattern[shuffled][:, shuffled], colour_columns(pattern[shuffled][:, shuffled], order))


def test_a_large_band_is_quick():
    import time

    started = time.process_time()
    colours = colour_columns(band(300_000, 300_000, 1, 1))
    assert count(colours) == 3
    assert time.process_time() - started < 2.0


def test_dense_rows_and_columns():
    full = csr_array(np.ones((3, 7), bool))
    assert count(colour_columns(full)) == 7
    assert count(colour_rows(full)) == 3
    assert count(colour_columns(csr_array(np.eye(6)))) == 1
    assert colour_columns(csr_array((4, 5))).tolist() == [-1] * 5


def test_smallest_last_colours_a_forest_with_two():
    star = np.eye(9, dtype=bool)
    star[0] = True
    tree = without_diagonal(csr_array(star | star.T))
    for order in ORDERS:
        colours = colour_graph(tree, order)
        assert count(colours) == 2


def test_an_unknown_order_is_refused():
    with pytest.raises(wg.errors.ArgumentError, match="a colouring order is one of natural, largest-first"):
        colour_columns(csr_array(random_array((9, 9), density=0.3)), "alphabetical")


# ---------------------------------------------------------------- both directions


def arrow(n):
    pattern = np.eye(n, dtype=bool)
    pattern[0] = pattern[:, 0] = True
    return csr_array(pattern)


@pytest.mark.parametrize("n", [5, 50, 400])
def test_an_arrow_needs_three_passes_from_both_sides(n):
    colouring = colour_both(arrow(n))
    assert colouring.count == 3
    assert count(colour_columns(arrow(n))) == n


@pytest.mark.parametrize("seed", range(6))
def test_every_entry_shows_once_from_one_side(seed):
    rng = np.random.default_rng(seed)
    dense = rng.random((20, 16)) < 0.1
    dense[rng.integers(0, 20)] = True
    dense[:, rng.integers(0, 16)] = True
    pattern = csr_array(dense)
    colouring = colour_both(pattern)
    rows = np.repeat(np.arange(20), np.diff(pattern.indptr))
    columns = pattern.indices
    if colouring.columns_first:
        by_row = colouring.columns[columns] < 0
    else:
        by_row = colouring.rows[rows] >= 0
    for k, (i, j) in enumerate(zip(rows, columns)):
        if by_row[k]:
            mates = [r for r in range(20) if colouring.rows[r] == colouring.rows[i] and dense[r, j]]
        else:
            mates = [c for c in range(16) if colouring.columns[c] == colouring.columns[j] and dense[i, c]]
        assert len(mates) == 1
    assert colouring.count <= min(count(colour_columns(pattern)), count(colour_rows(pattern)))


@pytest.mark.parametrize("shape", ["arrow", "bordered"])
def test_arrow_shaped_jacobians_in_at_most_four_passes(shape, rng):
    def f(x):
        head = np.sum(np.sin(x) * x, keepdims=True)
        return np.concatenate([head, x[1:] ** 2 * x[0]] if shape == "arrow" else [head, x[1:] * np.tanh(x[0] + x[-1])])

    x = rng.normal(size=60)
    plan = wg.plan_jacobian(f, x, mode="both")
    assert plan.colours <= 4
    assert np.allclose(plan(x).toarray(), wg.jacobian(f)(x))


# ---------------------------------------------------------------- symmetric


def is_star(graph, colours):
    """No two neighbours alike, and no path of four vertices with two colours."""
    n = graph.shape[0]
    near = [set(graph.indices[graph.indptr[v] : graph.indptr[v + 1]]) - {v} for v in range(n)]
    if any(colours[v] == colours[w] for v in range(n) for w in near[v]):
        return False
    for b, c in [(v, w) for v in range(n) for w in near[v]]:
        for a in near[b] - {c}:
            for d in near[c] - {b, a}:
                if colours[a] == colours[c] and colours[b] == colours[d]:
                    return False
    return True


def is_acyclic(graph, colours):
    """No two neighbours alike, and every pair of colours makes a forest."""
    n = graph.shape[0]
    edges = [(v, w) for v in range(n) for w in graph.indices[graph.indptr[v] : graph.indptr[v + 1]] if v < w]
    if any(colours[v] == colours[w] for v, w in edges):
        return False
    for a, b in itertools.combinations(range(count(colours)), 2):
        parent = list(range(n))

        def find(v, parent=parent):
            while parent[v] != v:
                v = parent[v]
            return v

        for v, w in edges:
            if {colours[v], colours[w]} == {a, b}:
                x, y = find(v), find(w)
                if x == y:
                    return False
                parent[x] = y
    return True


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("seed", range(5))
def test_star_and_acyclic_colourings_are_what_they_say(order, seed):
    pattern = random_symmetric(18, 0.12, seed)
    stars, forest = star_colouring(pattern, order), acyclic_colouring(pattern, order)
    assert is_star(pattern, stars.colours)
    assert is_acyclic(pattern, forest.colours)
    assert count(forest.colours) <= count(stars.colours) + 1


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("seed", range(5))
def test_entries_are_read_back_from_the_compressed_matrix(order, seed):
    from scipy.sparse.linalg import spsolve_triangular

    pattern = random_symmetric(15, 0.15, 10 + seed)
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(15, 15))
    matrix = np.where(pattern.toarray(), values + values.T, 0.0)

    stars = star_colouring(pattern, order)
    seeds = np.eye(count(stars.colours))[stars.colours]
    compressed = matrix @ seeds
    rows, colours = star_places(pattern, stars)
    expected = matrix[np.repeat(np.arange(15), np.diff(pattern.indptr)), pattern.indices]
    assert np.array_equal(compressed[rows, colours], expected)

    forest = acyclic_colouring(pattern, order)
    compressed = matrix @ np.eye(count(forest.colours))[forest.colours]
    rows, colours, unknown, lower = substitution(pattern, forest)
    found = spsolve_triangular(lower, compressed[rows, colours], lower=True, unit_diagonal=True)[unknown]
    assert np.allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_the_published_figures():
    """Figure 4.1: direct determination with 3 colours; figure 6.1: 3 colours by substitution, 5 read directly.

    The latter are figures 1 and 4 of Gebremedhin et al., "Efficient computation of sparse Hessians" (2009).
    """
    small, grid = symmetric_from(FIGURE_4_1, 6), symmetric_from(FIGURE_6_1, 10)
    assert min(count(star_colouring(small, order).colours) for order in ORDERS) == 3
    assert min(count(star_colouring(grid, order).colours) for order in ORDERS) <= 5
    assert min(count(acyclic_colouring(grid, order).colours) for order in ORDERS) == 3


def ring(n):
    pattern = band(n, n, 1, 1).toarray() != 0
    pattern[0, -1] = pattern[-1, 0] = True
    return csr_array(pattern)


def grid(m, n):
    return csr_array(kron(band(m, m, 1, 1), eye_array(n)) + kron(eye_array(m), band(n, n, 1, 1)))


def complete_bipartite(m, n):
    pattern = np.eye(m + n, dtype=bool)
    pattern[:m, m:] = pattern[m:, :m] = True
    return csr_array(pattern)


def hypercube(d):
    places = np.arange(2**d)
    pattern = np.eye(2**d, dtype=bool)
    for k in range(d):
        pattern[places, places ^ (1 << k)] = True
    return csr_array(pattern)


def binary_tree(n):
    pattern = np.eye(n, dtype=bool)
    children = np.arange(1, n)
    pattern[children, (children - 1) // 2] = pattern[(children - 1) // 2, children] = True
    return csr_array(pattern)


def fewest(colouring, pattern):
    return min(count(colouring(pattern, order).colours) for order in ORDERS)


@pytest.mark.parametrize(("m", "n"), [(4, 4), (8, 8), (5, 12), (20, 20)])
def test_star_colourings_of_grids(m, n):
    """Five colours, which is the least (Fertin, Raspaud and Reed, "Star coloring of graphs", 2004)."""
    assert fewest(star_colouring, grid(m, n)) == 5
    assert fewest(acyclic_colouring, grid(m, n)) <= 4  # three are possible


@pytest.mark.parametrize("n", [5, 6, 7, 9, 10, 30])
def test_colourings_of_rings(n):
    """Distance-2: 3 where 3 divides n, 5 for the pentagon, else 4. Acyclic: 3. Star: 3, and 4 for the pentagon."""
    least = 3 if n % 3 == 0 else 5 if n == 5 else 4
    assert count(colour_columns(ring(n), "best")) == least
    assert fewest(acyclic_colouring, ring(n)) == 3
    assert 3 + (n == 5) <= fewest(star_colouring, ring(n)) <= 4


@pytest.mark.parametrize(("m", "n"), [(3, 5), (6, 4), (1, 8)])
def test_colourings_of_complete_bipartite_graphs(m, n):
    pattern = complete_bipartite(m, n)
    assert fewest(star_colouring, pattern) == fewest(acyclic_colouring, pattern) == min(m, n) + 1
    assert count(colour_columns(pattern, "best")) == m + n


@pytest.mark.parametrize("d", [1, 3, 7])
def test_hypercubes_need_as_many_columns_as_a_hamming_code_has_classes(d):
    assert count(colour_columns(hypercube(d))) == d + 1


@pytest.mark.parametrize("n", [7, 31, 100])
def test_colourings_of_trees(n):
    assert fewest(star_colouring, binary_tree(n)) == 3
    assert fewest(acyclic_colouring, binary_tree(n)) == 2
    assert count(colour_columns(binary_tree(n), "best")) == 4  # an inner vertex and its three neighbours


@pytest.mark.parametrize("n", [4, 9, 30])
def test_closed_forms_for_symmetric_bands(n):
    """A path has star chromatic number 3 and acyclic chromatic number 2; a tridiagonal Hessian is a path."""
    path = band(n, n, 1, 1)
    assert count(star_colouring(path).colours) == 3
    assert count(acyclic_colouring(path).colours) == 2
    assert count(star_colouring(csr_array(np.eye(n))).colours) == 1
    hub = arrow(n)  # a star: two colours are enough for both
    assert count(star_colouring(hub).colours) == 2
    assert count(acyclic_colouring(hub).colours) == 2
    full = csr_array(np.ones((n, n)))
    assert count(star_colouring(full).colours) == n


def test_a_symmetric_colouring_needs_a_square_pattern():
    with pytest.raises(wg.errors.ArgumentError, match=r"needs a square pattern, not \(2, 3\)"):
        star_colouring(csr_array(np.ones((2, 3))))
