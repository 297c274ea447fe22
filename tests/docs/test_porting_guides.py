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
