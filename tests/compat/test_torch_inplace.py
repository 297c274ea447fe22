"""Leaves, modes and edits in place."""

from __future__ import annotations

import numpy as np
import pytest

import wengert.compat.torch as torch


def leaf(*values):
    return torch.tensor(list(values), requires_grad=True)


# ---------------------------------------------------------------- leaves


def test_requires_grad():
    x = torch.ones(2)
    assert x.requires_grad_() is x and x.requires_grad and x.is_leaf
    y = x * 2
    assert y.requires_grad and not y.is_leaf
    assert y.requires_grad_() is y  # nothing to do
    x.requires_grad = False
    assert not x.requires_grad and not (x * 2).requires_grad
    x.requires_grad = True
    assert x.requires_grad_(False) is x
    assert torch.tensor([1j]).requires_grad_().requires_grad


def test_detach_cuts():
    x = leaf(1.0, 2.0)
    y = (x * x.detach()).sum()
    y.backward()
    assert x.grad.tolist() == [1, 2]
    z = (x * 2).detach_()
    assert z.is_leaf and not z.requires_grad


def test_no_grad():
    x = leaf(1.0, 2.0)
    with torch.no_grad():
        assert not (x * 2).requires_grad and not torch.is_grad_enabled()
        with torch.enable_grad():
            assert (x * 2).requires_grad
        assert not (x * 2).requires_grad
        assert torch.ones(2, requires_grad=True).requires_grad
    assert (x * 2).requires_grad

    @torch.no_grad()
    def first(a):
        return a * 2

    @torch.no_grad
    def second(a):
        return a * 2

    @torch.set_grad_enabled(False)
    def third(a):
        return a * 2

    for function in (first, second, third):
        assert not function(x).requires_grad
    assert torch.is_grad_enabled()


def test_no_grad_in_a_generator_holds_only_while_it_runs():
    x = leaf(1.0)

    @torch.no_grad()
    def numbers():
        yield (x * 2).requires_grad
        yield (x * 2).requires_grad
        return 3

    found = []
    for flag in numbers():
        found.append((flag, (x * 2).requires_grad))
    assert found == [(False, True), (False, True)]


def test_set_grad_enabled():
    x = leaf(1.0)
    torch.set_grad_enabled(False)
    assert not (x * 2).requires_grad
    torch.set_grad_enabled(True)
    assert (x * 2).requires_grad
    with torch.set_grad_enabled(False):
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad


def test_modes_end_when_an_error_passes():
    x = leaf(1.0)
    for mode in (torch.no_grad, torch.inference_mode, torch.autograd.graph.allow_mutation_on_saved_tensors):
        with pytest.raises(KeyError), mode():
            raise KeyError
        assert (x * 2).requires_grad and not (x * 2).is_inference()


def test_inference_mode():
    x = leaf(1.0, 2.0)
    with torch.inference_mode():
        y = x * 2
        made = torch.ones(2)
        made.add_(1)
        assert torch.is_inference_mode_enabled()
    assert not y.requires_grad and y.is_inference() and made.is_inference()
    assert not torch.is_inference_mode_enabled()
    assert not (made * 2).is_inference()  # computed outside
    assert (x + made).requires_grad  # saves nothing
    assert (x * made.clone()).requires_grad

    @torch.inference_mode()
    def function(a):
        return a * 2

    assert function(x).is_inference()
    with torch.inference_mode(False):
        assert (x * 2).requires_grad


# ---------------------------------------------------------------- edits in place


def test_a_leaf_is_updated_without_a_gradient():
    x = leaf(1.0, 2.0)
    with torch.no_grad():
        x -= 0.5
        x.mul_(2)
        x[0] = 7.0
    assert x.tolist() == [7, 3] and x.is_leaf and x.requires_grad
    (x**2).sum().backward()
    assert x.grad.tolist() == [14, 6]
    x.data.add_(1)
    x.data = torch.zeros(2)
    assert x.tolist() == [0, 0] and x.requires_grad and x.is_leaf
    x.data = torch.zeros(3)
    assert x.shape == (3,) and x.requires_grad


def test_without_a_gradient_the_numbers_change_and_the_history_does_not():
    x = leaf(1.0, 2.0)
    y = x * 2
    with torch.no_grad():
        y.mul_(3)
    assert y.tolist() == [6, 12]
    assert torch.autograd.grad(y.sum(), x)[0].tolist() == [2, 2]


def test_a_fresh_buffer_takes_tracked_values():
    x = leaf(1.0, 2.0)
    buffer = torch.zeros(3)
    buffer[0] = x[1] * 3
    buffer[1:] = x**2
    view = buffer[:2]
    (gradient,) = torch.autograd.grad((view * torch.tensor([2.0, 1.0])).sum(), x)
    assert buffer.tolist() == [6, 1, 4] and gradient.tolist() == [2, 6]


@pytest.mark.parametrize(
    "make",
    [
        lambda y: y[0],
        lambda y: y[:1],
        lambda y: y.view(2, 1)[0],
        lambda y: y.reshape(1, 2)[:, 0],
        lambda y: y.unsqueeze(0).squeeze(0)[0],
        lambda y: y.select(0, 0),
        lambda y: y.narrow(0, 0, 1),
        lambda y: y.view(1, 2).T[0],
        lambda y: y.view(1, 2).permute(1, 0)[0],
        lambda y: y.view(1, 2).transpose(0, 1)[0],
    ],
)
def test_a_view_writes_to_its_base(make):
    x = leaf(1.0, 2.0)
    y = x * 1
    make(y).mul_(10)
    assert y.tolist() == [10, 2]
    assert torch.autograd.grad(y.sum(), x)[0].tolist() == [10, 1]


def test_a_base_writes_to_its_views():
    x = leaf(1.0, 2.0)
    y = x * 1
    view, first = y.view(2, 1), y[0]
    y.mul_(x)
    assert view.tolist() == [[1], [4]] and first == 1
    assert torch.autograd.grad(view.sum(), x)[0].tolist() == [2, 4]


def test_edits_that_need_no_saved_value():
    x = leaf(1.0, 2.0)
    y = x * 1
    y.mul_(x)
    y += 1
    y.sub_(x, alpha=2)
    y[0] = 5.0
    assert torch.autograd.grad(y.sum(), x)[0].tolist() == [0, 2]


FUNCTIONS = {
    "add_": lambda y, x: y.add_(x),
    "sub_": lambda y, x: y.sub_(1),
    "mul_": lambda y, x: y.mul_(x),
    "div_": lambda y, x: y.div_(x),
    "pow_": lambda y, x: y.pow_(2),
    "exp_": lambda y, x: y.exp_(),
    "clamp_": lambda y, x: y.clamp_(0.5, 1.5),
    "relu_": lambda y, x: y.relu_(),
    "sigmoid_": lambda y, x: y.sigmoid_(),
    "neg_": lambda y, x: y.neg_(),
    "masked_fill_": lambda y, x: y.masked_fill_(x > 1.5, 0.0),
    "index_add_": lambda y, x: y.index_add_(0, torch.tensor([0]), x[:1]),
    "scatter_": lambda y, x: y.scatter_(0, torch.tensor([1]), x[:1]),
    "copy_": lambda y, x: y.copy_(x * 3),
    "fill_": lambda y, x: y.fill_(2.0),
    "zero_": lambda y, x: y.zero_(),
    "__iadd__": lambda y, x: y.__iadd__(x),
    "__imul__": lambda y, x: y.__imul__(x),
    "__itruediv__": lambda y, x: y.__itruediv__(x),
    "__ipow__": lambda y, x: y.__ipow__(2),
    "lerp_": lambda y, x: y.lerp_(x, 0.5),
    "addcmul_": lambda y, x: y.addcmul_(x, x),
    "tril_": lambda y, x: y.tril_() if y.ndim > 1 else y.trunc_(),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_in_place_functions_agree_with_the_others(name):
    x = leaf(1.0, 2.0)
    y = x * 1
    returned = FUNCTIONS[name](y, x)
    assert returned is y and y.requires_grad
    z = x * 1
    expected = {
        "copy_": lambda: x * 3,
        "fill_": lambda: z * 0 + 2,
        "zero_": lambda: z * 0,
        "tril_": lambda: z.trunc(),
        "__iadd__": lambda: z + x,
        "__imul__": lambda: z * x,
        "__itruediv__": lambda: z / x,
        "__ipow__": lambda: z**2,
        "sub_": lambda: z - 1,
        "pow_": lambda: z.pow(2),
        "clamp_": lambda: z.clamp(0.5, 1.5),
        "masked_fill_": lambda: z.masked_fill(x > 1.5, 0.0),
        "index_add_": lambda: z.index_add(0, torch.tensor([0]), x[:1]),
        "scatter_": lambda: z.scatter(0, torch.tensor([1]), x[:1]),
        "lerp_": lambda: z.lerp(x, 0.5),
        "addcmul_": lambda: z.addcmul(x, x),
    }.get(name)
    expected = expected() if expected else getattr(z, name[:-1])(*((x,) if name in ("add_", "mul_", "div_") else ()))
    assert y.tolist() == expected.tolist()
    a, b = (torch.autograd.grad((t * torch.tensor([1.0, 3.0])).sum(), x)[0] for t in (y, expected))
    assert a.tolist() == b.tolist()


# ---------------------------------------------------------------- versions


def test_versions_are_counted_per_memory():
    y = torch.zeros(3)
    view, other = y[:2], y.detach()
    assert y._version == view._version == other._version == 0
    view.add_(1)
    y[0] = 2.0
    other.mul_(2)
    assert y._version == view._version == other._version == 3
    assert y.clone()._version == 0


def test_detach_shares_memory():
    x = leaf(1.0, 2.0)
    y = x * 1
    other = y.detach()
    other.add_(5)
    assert y.tolist() == [6, 7]
    y.add_(1)
    assert other.tolist() == [7, 8] and not other.requires_grad
    first = y[0].detach()
    first.zero_()
    assert y.tolist() == [0, 8]
    (y.view(2, 1).detach())[1] = 3.0
    assert y.tolist() == [0, 3]
    assert torch.autograd.grad(y.sum(), x)[0].tolist() == [1, 1]


SAVED = {
    "its own result": lambda x: _edited(x.exp()),
    "a product": lambda x: _edited(x * 1, lambda y: y * y),
    "through a detached tensor": lambda x: _edited(x.exp(), edit=lambda y: y.detach().add_(1)),
    "through data": lambda x: _edited(x.exp(), edit=lambda y: y.data.add_(1)),
    "through a view": lambda x: _edited(x * 1, lambda y: y * y, lambda y: y[:1].zero_()),
    "of a view": lambda x: _edited((x * 1)[:1], lambda y: y * y),
    "without a gradient": lambda x: _edited(x.exp(), edit=lambda y: torch.no_grad()(y.add_)(1)),
    "announced by hand": lambda x: _edited(x.exp(), edit=torch.autograd.graph.increment_version),
}


def _edited(y, function=lambda y: y, edit=lambda y: y.add_(1)):
    z = function(y)
    edit(y)
    return z.sum()


@pytest.mark.parametrize("case", SAVED)
def test_an_edit_of_a_saved_value_is_an_error(case):
    x = leaf(1.0, 2.0)
    out = SAVED[case](x)
    with pytest.raises(RuntimeError, match=r"modified by an inplace operation: .*is at version 1; expected version 0"):
        out.backward()
    x.grad = None
    (x**2).sum().backward()  # the next pass works
    assert x.grad.tolist() == [2, 4]


def test_an_edit_of_the_leaf_between_forward_and_backward():
    x = leaf(1.0, 2.0)
    y = (x**2).sum()
    with torch.no_grad():
        x.add_(1)
    with pytest.raises(RuntimeError, match="saved by PowBackward0"):
        y.backward()


def test_mutation_can_be_allowed():
    x = leaf(1.0, 2.0)
    with torch.autograd.graph.allow_mutation_on_saved_tensors():
        y = x.exp()
        z = y * y
        y.add_(1)
        (gradient,) = torch.autograd.grad(z.sum(), x)
        with (
            pytest.raises(RuntimeError, match="cannot be nested"),
            torch.autograd.graph.allow_mutation_on_saved_tensors(),
        ):
            pass
    np.testing.assert_allclose(gradient.numpy(), 2 * np.exp([2, 4]), rtol=1e-6)


# ---------------------------------------------------------------- misuse


def _inference_tensor():
    with torch.inference_mode():
        return torch.ones(2)


def _set_first(x):
    x[0] = 1.0


ERRORS = {
    "an integer leaf": (lambda: torch.tensor([1]).requires_grad_(), "only tensors of floating point and complex"),
    "a result excepted": (lambda: (leaf(1.0) * 2).requires_grad_(False), "only change requires_grad flags of leaf"),
    "a leaf": (lambda: leaf(1.0, 2.0).add_(1), "a leaf variable that requires grad is being used in an in-place"),
    "a leaf by operator": (lambda: leaf(1.0).__iadd__(1), "a leaf variable that requires grad"),
    "part of a leaf": (lambda: _set_first(leaf(1.0, 2.0)), "a leaf variable that requires grad"),
    "a view of a leaf": (lambda: leaf(1.0, 2.0)[0].add_(1), "a view of a leaf variable that requires grad"),
    "a reshaped leaf": (lambda: leaf(1.0, 2.0).view(2, 1).zero_(), "a view of a leaf variable"),
    "detach_ of a view": (lambda: (leaf(1.0, 2.0) * 2)[0].detach_(), "detach_.. on a view"),
    "an inference tensor edited": (lambda: _inference_tensor().add_(1), "inplace update to an inference tensor"),
    "an inference tensor as a leaf": (
        lambda: _inference_tensor().requires_grad_(),
        "setting requires_grad=True on an inference",
    ),
    "an inference tensor saved": (lambda: leaf(1.0, 2.0) * _inference_tensor(), "cannot be saved for backward"),
    "the version of an inference tensor": (lambda: _inference_tensor()._version, "do not track versions"),
    "an integer that gets floats": (lambda: torch.tensor([1]).add_(1.5), "cannot store"),
    "a wrong shape": (lambda: torch.zeros(2).add_(torch.ones(3)), "do not fit"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_misuse(case):
    call, text = ERRORS[case]
    with pytest.raises((RuntimeError, TypeError), match=text):
        call()
