"""The functions that have no place for tensors: each raises by its name, with what to use instead."""

from __future__ import annotations

import numpy as np

from ._register import REFUSED

_DATES = "a tensor holds numbers, not dates: call it on plain arrays, before the differentiated part"
_TEXTS = "a tensor holds numbers, not text: call it on plain arrays"
_RECORDS = "a tensor holds plain numbers, not records: keep one tensor per field, in a dict"

for _function in (np.busday_count, np.busday_offset, np.datetime_as_string, np.is_busday, np.isnat):
    REFUSED[_function] = _DATES


def advice_for(function: object) -> str:
    """Return what to use instead of a function that has no derivative rule; empty if there is nothing special."""
    module = getattr(function, "__module__", "")
    if module in ("numpy.strings", "numpy.char") or (isinstance(function, np.ufunc) and not function.types):
        return _TEXTS  # NumPy's ufuncs on strings declare no loops
    if module == "numpy.lib.recfunctions":
        return _RECORDS
    return REFUSED.get(function, "")
