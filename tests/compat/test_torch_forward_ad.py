"""Dual tensors."""

from __future__ import annotations

import pytest

import wengert.compat.torch as torch
import wengert.compat.torch.autograd.forward_ad as fwAD

X = torch.tensor([1.0, 2.0])
ONES = torch.ones(2)


def test_a_tangent_is_carried_along():
    with fwAD.dual_level():
        dual = fwAD.make_dual(X, ONES)
        out = fwAD.unpack_dual(dual**3)
        assert out.primal.tolist() == [1, 8] and out.tangent.tolist() == [3, 12]
        assert fwAD.unpack_dual(dual).tangent.tolist() == [1, 1]
        assert fwAD.unpack_dual(X).tangent is None and fwAD.unpack_dual(X * 2).tangent is None
        assert fwAD.unpack_dual(dual.floor()).tangent.tolist() == [0, 0]
        assert not (dual * 2).requires_grad


def test_tangents_end_with_the_level():
    with fwAD.dual_level():
        out = fwAD.make_dual(X, ONES) * 2
        assert fwAD.is_dual_level_open()
    assert fwAD.unpack_dual(out).tangent is None and not fwAD.is_dual_level_open()
    assert fwAD.enter_dual_level() == 0
    assert fwAD.unpack_dual(fwAD.make_dual(X, ONES) * 2).tangent.tolist() == [2, 2]
    fwAD.exit_dual_level()


def test_several_duals_add_up():
    with fwAD.dual_level():
        a, b = fwAD.make_dual(X, ONES), fwAD.make_dual(X * 3, ONES * 10)
        assert fwAD.unpack_dual(a * b).tangent.tolist() == [13, 26]


def test_a_tangent_of_another_floating_dtype_is_cast():
    with fwAD.dual_level():
        assert fwAD.unpack_dual(fwAD.make_dual(X, ONES.double()) * 1).tangent.dtype is torch.float32


def test_forward_over_reverse():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with fwAD.dual_level():
        dual = fwAD.make_dual(x, ONES)
        tangent = fwAD.unpack_dual((dual**3).sum()).tangent
        assert torch.autograd.grad(tangent, x)[0].tolist() == [6, 12]


def test_reverse_inside_of_forward():
    with fwAD.dual_level():
        dual = fwAD.make_dual(X, ONES).requires_grad_()
        (g,) = torch.autograd.grad((dual**3).sum(), dual, create_graph=True)
        assert fwAD.unpack_dual(g).tangent.tolist() == [6, 12]


def test_tangents_do_not_mind_no_grad():
    w = torch.tensor([1.0, 1.0], requires_grad=True)
    with fwAD.dual_level(), torch.no_grad():
        assert not torch.is_grad_enabled()
        assert fwAD.unpack_dual(fwAD.make_dual(X, ONES) ** 2).tangent.tolist() == [2, 4]
        w += 1  # an update of a leaf is allowed
    assert w.is_leaf and w.requires_grad and torch.is_grad_enabled()


def test_an_edit_in_place_carries_the_tangent():
    with fwAD.dual_level():
        y = fwAD.make_dual(X, ONES) * 1
        y.mul_(3)
        assert fwAD.unpack_dual(y).tangent.tolist() == [3, 3]


def in_a_level(call):
    def run():
        with fwAD.dual_level():
            return call()

    return run


def _nested():
    with fwAD.dual_level():
        pass


ERRORS = {
    "no level": (lambda: fwAD.make_dual(X, ONES), RuntimeError, "outside of a dual level"),
    "two levels": (in_a_level(_nested), RuntimeError, "nested forward mode AD is not supported"),
    "no level to exit": (fwAD.exit_dual_level, RuntimeError, "there is no dual level to exit"),
    "another shape": (
        in_a_level(lambda: fwAD.make_dual(X, torch.ones(3))),
        RuntimeError,
        r"the tangent has shape \(3,\)",
    ),
    "an integer": (
        in_a_level(lambda: fwAD.make_dual(torch.tensor([1, 2]), ONES)),
        ValueError,
        "expected the primal to be",
    ),
    "an integer tangent": (
        in_a_level(lambda: fwAD.make_dual(X, torch.tensor([1, 2]))),
        ValueError,
        "expected the tangent",
    ),
    "a complex tangent": (
        in_a_level(lambda: fwAD.make_dual(X, ONES * 1j)),
        RuntimeError,
        "the tangent is torch.complex64",
    ),
    "a dual": (
        in_a_level(lambda: fwAD.make_dual(fwAD.make_dual(X, ONES), ONES)),
        RuntimeError,
        "has a tangent already",
    ),
    "no tensor": (in_a_level(lambda: fwAD.make_dual(3.0, ONES)), TypeError, "the primal must be a tensor, not float"),
    "nothing to unpack": (lambda: fwAD.unpack_dual(3.0), TypeError, "expected a tensor, not float"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_misuse(case):
    call, builtin, text = ERRORS[case]
    with pytest.raises(builtin, match=text):
        call()
    assert not fwAD.is_dual_level_open()
