"""Every transform of every other one, against what the two mean; the documentation's table is made of the same pairs."""

from __future__ import annotations

from pathlib import Path

import pytest
import transform_pairs
from transform_pairs import TRANSFORMS, error

import wengert as wg

ROOT = Path(__file__).resolve().parents[2]


pytestmark = pytest.mark.filterwarnings("ignore::wengert.errors.NotCompiled")


@pytest.mark.parametrize("outer", TRANSFORMS)
def test_every_pair(outer):
    found = {inner: error(outer, inner) for inner in TRANSFORMS}
    assert all(size < 1e-9 for size in found.values()), found


def test_the_table_of_the_documentation_is_of_these_pairs():
    tool = ROOT / "tools" / "composition_table.py"
    scope = {"__name__": "composition_table", "__file__": str(tool)}
    exec(compile(tool.read_text(), str(tool), "exec"), scope)
    page = (ROOT / "docs" / "reference" / "composition.md").read_text()
    assert page == scope["page"](), "run tools/composition_table.py"


def test_a_wrong_transform_would_be_found():
    """The meanings are independent of the transforms: exchange one, and its row fails."""
    wrong = dict(TRANSFORMS)
    wrong["jvp"] = (lambda f: lambda x: wg.jvp(f, (x,), (-transform_pairs.V,))[1], TRANSFORMS["jvp"][1])
    kept, transform_pairs.TRANSFORMS = transform_pairs.TRANSFORMS, wrong
    try:
        assert all(error("jvp", inner) > 1e-3 for inner in ("scan", "jacrev", "custom_root"))
        assert all(error(outer, "jvp") > 1e-3 for outer in ("hessian", "vmap"))
    finally:
        transform_pairs.TRANSFORMS = kept
