"""Pictures: what is drawn, not how it looks."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from scipy.sparse import csr_array

import wengert as wg

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")


def test_a_text_spy_shows_the_diagonal():
    assert wg.text_spy(np.eye(8)) == "⠑⢄⠀⠀\n⠀⠀⠑⢄"
    assert wg.text_spy(np.zeros((4, 2))) == "⠀"
    lines = wg.text_spy(csr_array(np.ones((300, 900)))).splitlines()
    assert len(lines) == 20 and set("".join(lines)) == {"⣿"} and len(lines[0]) == 40


@pytest.mark.parametrize("by", ["magnitude", "colouring", "pattern"])
def test_a_matrix_is_drawn(by, rng):
    matrix = wg.jacobian(lambda x: x[1:] * x[:-1], sparse=True)(rng.normal(size=6))
    ax = wg.plot_jacobian(matrix, by=by)
    (points,) = ax.collections
    assert sorted(map(tuple, np.asarray(points.get_offsets()).tolist())) == sorted(
        (j, i) for i in range(5) for j in (i, i + 1)
    )
    assert ax.get_title() == "5 x 6, 10 entries (33.3 %)"
    if by == "magnitude":
        assert np.allclose(np.sort(points.get_array()), np.sort(np.log10(np.abs(matrix.data))))
    if by == "colouring":
        assert set(points.get_array()) == {0, 1}
    matplotlib.pyplot.close(ax.figure)


def test_a_plan_is_drawn_by_its_colours():
    plan = wg.plan_jacobian(lambda x: x[1:] * x[:-1], np.ones(6), mode="columns")
    ax = wg.plot_jacobian(plan, title="a band")
    (points,) = ax.collections
    assert set(points.get_array()) == {0, 1} and ax.get_title() == "a band"
    matplotlib.pyplot.close(ax.figure)
    structured = wg.plan_jacobian(lambda x: x[1:] * x[:-1], np.ones(6))
    ax = wg.plot_jacobian(structured)
    assert len(ax.collections) == 1
    matplotlib.pyplot.close(ax.figure)


def test_entries_are_drawn_by_the_pass_that_shows_them():
    arrow = lambda x: np.concatenate([np.sum(x * x, keepdims=True), x[1:] * x[0]])
    for mode, passes in (("rows", 5), ("both", 3)):
        plan = wg.plan_jacobian(arrow, np.ones(5), mode=mode)
        shown = plan.recipe.evaluator.entry_passes()
        assert len(set(shown)) == plan.colours == passes
        rows = np.repeat(np.arange(5), np.diff(plan.indptr))
        for k in range(passes):  # no two entries of a pass in one row and in one column at once
            mine = shown == k
            assert len(set(rows[mine])) == mine.sum() or len(set(plan.indices[mine])) == mine.sum()
        ax = wg.plot_jacobian(plan)
        assert set(ax.collections[0].get_array()) == set(range(passes))
        matplotlib.pyplot.close(ax.figure)
    hessian = wg.plan_hessian(lambda x: np.sum(x[1:] ** 2 * x[:-1]), np.ones(5), mode="acyclic")
    assert len(hessian.recipe.evaluator.entry_passes()) == hessian.nnz
    assert wg.plot_jacobian(np.zeros((0, 0))).get_title() == "0 x 0, 0 entries (0 %)"


def test_what_cannot_be_drawn(monkeypatch):
    with pytest.raises(wg.errors.StructureError, match="by is 'magnitude', 'colouring' or 'pattern', not 'size'"):
        wg.plot_jacobian(np.eye(2), by="size")
    with pytest.raises(wg.errors.StructureError, match=r"this one has shape \(2, 2, 2\)"):
        wg.plot_jacobian(np.ones((2, 2, 2)))
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(wg.errors.MissingPackage, match=r"pip install 'wengert\[plot\]'"):
        wg.plot_jacobian(np.eye(2))
