"""The page on porting from PyTorch runs, and prints what it says."""

import contextlib
import io
import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "port-from-torch.md"


def test_the_page_runs():
    text = PAGE.read_text()
    names = {}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for block in re.findall(r"```python\n(.*?)```", text, re.S):
            exec(block, names)
    (promised,) = re.findall(r"```text\n(.*?)```", text, re.S)
    assert printed.getvalue() == promised


def test_what_the_page_says_of_errors_is_so():
    import pytest

    import wengert.compat.torch as torch

    x = torch.ones(2)
    leaf = torch.ones(2, requires_grad=True)
    jacobian = torch.autograd.functional.jacobian

    def edited():
        y = leaf.exp()
        y.data.add_(1)
        return y.sum()

    for call in (
        lambda: jacobian(lambda a: jacobian(torch.sin, a), x),
        lambda: torch.func.grad(lambda a: torch.autograd.grad(a.sum(), a)[0].sum())(x),
        lambda: jacobian(lambda a: a * 1j, x, vectorize=True),
        lambda: torch.func.grad(lambda a: a.sum().long())(x),
        lambda: edited().backward(),
        lambda: torch.nn.functional.mse_loss(torch.ones(3, 1), torch.ones(3)),
        lambda: torch.tensor([leaf[0], leaf[1]]),
    ):
        with pytest.raises(RuntimeError):
            call()
    assert jacobian(lambda a: a[:0], x).shape == (0, 2)
