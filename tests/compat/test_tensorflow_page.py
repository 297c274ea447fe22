"""The page on porting from TensorFlow runs, and prints what it says."""

import contextlib
import io
import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "port-from-tensorflow.md"


def test_the_page_runs():
    text = PAGE.read_text()
    names = {}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for block in re.findall(r"```python\n(.*?)```", text, re.S):
            exec(block, names)
    (promised,) = re.findall(r"```text\n(.*?)```", text, re.S)
    assert printed.getvalue() == promised + "[1.38177329 0.07700375]\n"
