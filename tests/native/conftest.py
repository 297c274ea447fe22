import itertools
import sys
import warnings
from pathlib import Path

import pytest

from wengert.differentiation import unrecorded
from wengert.execute.native import hot

if str(Path(__file__).parent) not in sys.path:
    sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True, scope="session")
def _no_cache_on_disk():
    """Tests compile afresh and leave nothing behind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WENGERT_CACHE", "off")
        yield


@pytest.fixture
def always_pays(monkeypatch):
    """Every call takes a second, compiling takes none, and machine code is never too slow: tests do not look at clocks."""
    ticks = itertools.count()
    monkeypatch.setattr(unrecorded, "perf_counter", lambda: float(next(ticks)))
    monkeypatch.setattr(unrecorded, "_sites", {})
    for name in ("PROGRAM", "LINE", "IMPORT"):
        monkeypatch.setattr(hot, name, 0.0)
    monkeypatch.setattr(unrecorded, "TRIALS", 0)
    monkeypatch.setattr(unrecorded, "WASTE", 1e9)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        yield
