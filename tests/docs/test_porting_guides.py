"""Porting guides and the page on memory run as written."""

import doctest
from pathlib import Path

import pytest

HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "how-to"


@pytest.mark.parametrize("page", ["port-from-autograd.md", "port-from-jax.md", "save-memory.md"])
def test_the_page_runs(page):
    found = doctest.testfile(
        str(HOW_TO / page), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    )
    assert found.attempted > 5 and found.failed == 0


@pytest.mark.parametrize("page", sorted(path.name for path in HOW_TO.glob("port-from-*.md")))
def test_every_name_in_the_tables_exists(page):
    """A row says what to write here instead: each `wg.name` and `wengert.name` of its second column is there."""
    import importlib
    import re

    rows = [line for line in (HOW_TO / page).read_text().splitlines() if line.startswith(("| `", "| ["))]
    assert len(rows) >= 10
    found = 0
    for row in rows:
        for path in re.findall(r"\b(?:wg|wengert)((?:\.[A-Za-z_]\w*)+)", row.split(" | ", 1)[1]):
            parts = path.strip(".").split(".")
            value = importlib.import_module("wengert")
            for i, part in enumerate(parts):
                if not hasattr(value, part):
                    value = importlib.import_module("wengert." + ".".join(parts[: i + 1]))
                else:
                    value = getattr(value, part)
            found += 1
    assert found >= 10
