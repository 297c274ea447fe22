"""Hooks, graph nodes and edges, anomaly detection, checkpointing."""

from __future__ import annotations

import numpy as np
import pytest

import wengert.compat.torch as torch
from wengert.compat.torch.autograd.graph import get_gradient_edge, register_multi_grad_hook
from wengert.compat.torch.utils.checkpoint import CheckpointError, checkpoint, checkpoint_sequential


def leaf(*values):
    return torch.tensor(list(values), requires_grad=True)


# ---------------------------------------------------------------- tensor hooks


def test_a_hook_sees_and_may_replace_the_gradient():
    x = leaf(1.0, 2.0)
    y = x * 2
    seen = []
    first = y.register_hook(lambda g: seen.append(g.tolist()))
    y.register_hook(lambda g: g * 10)
    y.register_hook(lambda g: seen.append(g.tolist()))
    (y * 3).sum().backward()
    assert seen == [[3, 3], [30, 30]] and x.grad.tolist() == [60, 60]
    first.remove()
    first.remove()  # twice is fine
    torch.autograd.grad((y + 1).sum(), y)
    assert len(seen) == 3


def test_a_hook_may_be_registered_after_use_and_is_a_context():
    x = leaf(1.0, 2.0)
    y = (x * 2).sum()
    seen = []
    with x.register_hook(seen.append):
        y.backward(retain_graph=True)
    y.backward()
    assert len(seen) == 1


def test_hooks_and_retain_grad():
    x = leaf(1.0, 2.0)
    y = x * 2
    y.retain_grad()
    y.register_hook(lambda g: g * 10)
    (y**2).sum().backward()
    assert y.grad.tolist() == [40, 80]


def test_hooks_with_create_graph_are_differentiable():
    x = leaf(1.0, 2.0)
    y = x * 1
    y.register_hook(lambda g: g * x)
    (g,) = torch.autograd.grad((y**2).sum(), x, create_graph=True)
    assert g.tolist() == [2, 8]
    assert torch.autograd.grad(g.sum(), x)[0].tolist() == [4, 12]  # 2 x, and 2 x through y, which its hook scales again


def test_post_accumulate_hooks_see_the_filled_grad():
    x = leaf(1.0, 2.0)
    seen = []

    def step(tensor):
        seen.append(tensor.grad.tolist())
        tensor.grad = None

    handle = x.register_post_accumulate_grad_hook(step)
    (x * 3).sum().backward()
    (x * 4).sum().backward()
    assert seen == [[3, 3], [4, 4]] and x.grad is None
    handle.remove()
    torch.autograd.grad((x * 3).sum(), x)
    assert len(seen) == 2


def test_node_hooks():
    x = leaf(1.0, 2.0)
    y = x * 2
    z = y * 3
    order = []
    z.grad_fn.register_prehook(lambda outs: order.append(("before", [g.tolist() for g in outs])))
    z.grad_fn.register_hook(
        lambda ins, outs: order.append(("after", [None if g is None else g.tolist() for g in ins], outs[0].tolist()))
    )
    y.register_hook(lambda g: order.append("tensor"))
    z.sum().backward(retain_graph=True)
    assert order == [("before", [[1, 1]]), ("after", [[3, 3], None], [1, 1]), "tensor"]
    with z.grad_fn.register_prehook(lambda outs: (outs[0] * 2,)):
        assert torch.autograd.grad(z.sum(), x, retain_graph=True)[0].tolist() == [12, 12]
    with z.grad_fn.register_hook(lambda ins, outs: (ins[0] * 5, None)):
        assert torch.autograd.grad(z.sum(), x, retain_graph=True)[0].tolist() == [30, 30]
    with (
        z.grad_fn.register_hook(lambda ins, outs: (ins[0], None, None)),
        pytest.raises(RuntimeError, match="returned 3 gradients, but the node has 2"),
    ):
        torch.autograd.grad(z.sum(), x, retain_graph=True)


def test_hooks_on_several_gradients():
    a, b, c = leaf(1.0), leaf(2.0), leaf(3.0)
    seen = []
    with register_multi_grad_hook([a, b, c], lambda gradients: seen.append([g and g.item() for g in gradients])):
        (a * b).sum().backward()
        (a * b * c).sum().backward()
    (a * b).sum().backward()
    assert seen == [[2, 1, None], [6, 3, 2]]
    first = []
    with register_multi_grad_hook((a, b), first.append, mode="any"):
        (a * b).sum().backward()
    assert len(first) == 1
    blocked = []
    y = a.floor()  # its own derivative is zero, so the gradient of a never comes
    with register_multi_grad_hook([a, b], lambda gradients: blocked.append([g is None for g in gradients])):
        (y * b).sum().backward()
    assert blocked == [[True, False]]


# ---------------------------------------------------------------- the graph


def test_nodes():
    x = leaf(1.0, 2.0)
    y = x * 2 + 1
    node = y.grad_fn
    assert node.name() == "AddBackward0" and node == y.grad_fn and hash(node) == hash(y.grad_fn)
    (product, number), constant = node.next_functions
    assert product.name() == "MulBackward0" and number == 0 and constant == (None, 0)
    accumulate = product.next_functions[0][0]
    assert accumulate.name() == "AccumulateGrad" and accumulate.variable is x
    assert node._sequence_nr() > product._sequence_nr()
    node.metadata["mine"] = 3
    assert y.grad_fn.metadata == {"mine": 3}
    assert repr(node).startswith("<AddBackward0 object at 0x")
    with pytest.raises(RuntimeError, match="AddBackward0 has no variable"):
        _ = node.variable


def test_a_walk_finds_all_leaves():
    x, w = leaf(1.0), leaf(2.0)
    found, todo = set(), [((x * w).exp() + x).sum().grad_fn]
    while todo:
        node = todo.pop()
        if node.name() == "AccumulateGrad":
            found.add(node.variable)
        todo.extend(parent for parent, _ in node.next_functions if parent is not None)
    assert found == {x, w}


def test_gradient_edges_do_not_keep_the_tensor():
    x = leaf(1.0, 2.0)
    y = x * 2
    edge, out = get_gradient_edge(y), (y**2).sum()
    del y
    assert edge.output_nr == 0 and edge.node.name() == "MulBackward0"
    assert torch.autograd.grad(out, edge, retain_graph=True)[0].tolist() == [4, 8]
    assert torch.autograd.grad(get_gradient_edge(out), x)[0].tolist() == [8, 16]


# ---------------------------------------------------------------- anomalies


def nan_of(x):
    return torch.sqrt(x - 5).sum()


def test_anomaly_detection_names_the_forward_line():
    x = leaf(1.0, 2.0)
    with np.errstate(all="ignore"), pytest.warns(UserWarning, match="anomaly detection is on"):
        with torch.autograd.detect_anomaly():
            assert torch.autograd.is_anomaly_enabled() and torch.autograd.is_anomaly_check_nan_enabled()
            y = nan_of(x)
            with pytest.raises(
                RuntimeError, match=r"'SqrtBackward0' returned nan values in its 0th output\n.*torch.sqrt\(x - 5\)"
            ):
                y.backward()
            assert "torch.sqrt(x - 5)" in y.grad_fn.next_functions[0][0].metadata["traceback_"]
    assert not torch.autograd.is_anomaly_enabled()
    with pytest.warns(UserWarning, match="anomaly"):
        decorated = torch.autograd.detect_anomaly()(torch.autograd.is_anomaly_enabled)
        assert decorated() and not torch.autograd.is_anomaly_enabled()
    with np.errstate(all="ignore"):
        nan_of(x).backward()
    assert np.isnan(x.grad.numpy()).all()


def test_anomaly_detection_without_nan_checks():
    x = leaf(1.0, 2.0)
    with (
        np.errstate(all="ignore"),
        pytest.warns(UserWarning, match="anomaly"),
        torch.autograd.detect_anomaly(check_nan=False),
    ):
        nan_of(x).backward()
    with torch.autograd.set_detect_anomaly(True):
        assert torch.autograd.is_anomaly_enabled()
        z = x * 2
        z.register_hook(lambda g: g * float("nan"))
        with pytest.raises(RuntimeError, match="'MulBackward0' returned nan"):
            z.sum().backward()
    assert not torch.autograd.is_anomaly_enabled()


def test_an_error_in_a_rule_names_the_forward_line():
    class Broken(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            raise KeyError("mine")

    x = leaf(1.0)
    with torch.autograd.set_detect_anomaly(True):
        y = Broken.apply(x)
        with pytest.raises(KeyError, match="mine") as caught:
            y.sum().backward()
    assert "BrokenBackward is at" in caught.value.__notes__[0]


# ---------------------------------------------------------------- checkpointing


def test_checkpoint_computes_again_and_gives_the_same_gradients():
    x, w = leaf(1.0, 2.0), torch.tensor(2.0, requires_grad=True)
    calls = []

    def f(a):
        calls.append(1)
        return (a.sin() * w).exp()

    expected = torch.autograd.grad(f(x).sum(), (x, w))
    calls.clear()
    y = checkpoint(f, x, use_reentrant=False)
    assert len(calls) == 1
    found = torch.autograd.grad(y.sum(), (x, w))
    assert len(calls) == 2
    for a, b in zip(expected, found, strict=True):
        assert a.tolist() == b.tolist()
    checkpoint(f, x).sum().backward()
    assert x.grad.tolist() == expected[0].tolist()


def test_checkpoint_drops_what_was_saved():
    x = leaf(*[0.5] * 1000)
    y = checkpoint(lambda a: a.sin().exp().sqrt(), x)
    line, kept = y._line, 0
    while line.primitive is not None:
        kept += (
            sum(value.nbytes for value in line.values if isinstance(value, np.ndarray))
            if type(line.values) is tuple
            else 0
        )
        line = line.inputs[0]
    assert kept == 0


def test_checkpoint_and_second_derivatives():
    x = leaf(1.0, 2.0)
    y = checkpoint(lambda a: a**4, x)
    (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    assert torch.autograd.grad(g.sum(), x)[0].tolist() == [12, 48]


def test_checkpoint_repeats_random_numbers():
    x = leaf(1.0, 2.0, 3.0)
    y = checkpoint(lambda a: a * a * torch.rand(3), x)
    y.sum().backward()
    np.testing.assert_allclose(x.grad, 2 * (y / x).detach(), rtol=1e-6)


def test_checkpoint_elsewhere():
    x = leaf(1.0, 2.0)
    with torch.no_grad():
        assert not checkpoint(lambda a: a * 2, x).requires_grad
    assert torch.func.grad(lambda a: checkpoint(lambda b: b**3, a).sum())(torch.tensor([1.0, 2.0])).tolist() == [3, 12]
    y = checkpoint_sequential([torch.sin, torch.exp, torch.sqrt], 2, x)
    y.sum().backward()
    v = np.array([1.0, 2.0])
    np.testing.assert_allclose(x.grad.numpy(), 0.5 * np.sqrt(np.exp(np.sin(v))) * np.cos(v), rtol=1e-6)
    assert checkpoint(lambda a, scale=1: a * scale, x, scale=3)[0] == 3


def test_a_recomputation_that_does_something_else():
    x = leaf(1.0, 2.0)
    calls = []

    def other_path(a):
        calls.append(1)
        return a.sin().cos() if len(calls) == 1 else a.sin()

    with pytest.raises(CheckpointError, match="2 operations saved values in the forward pass, but 1"):
        checkpoint(other_path, x).sum().backward()
    calls.clear()

    def other_shape(a):
        calls.append(1)
        return (a if len(calls) == 1 else torch.cat([a, a])).sin()

    with pytest.raises(RuntimeError, match=r"gave .* in the forward pass, but"):
        checkpoint(other_shape, x).sum().backward()


# ---------------------------------------------------------------- misuse


def _hooked(hook):
    y = leaf(1.0, 2.0) * 2
    y.register_hook(hook)
    y.sum().backward()


ERRORS = {
    "hook without a graph": (lambda: torch.ones(2).register_hook(print), RuntimeError, "doesn't require gradient"),
    "hook of another type": (lambda: _hooked(lambda g: 3), TypeError, "returned int; a hook returns a tensor or None"),
    "hook of another shape": (
        lambda: _hooked(lambda g: g[:1]),
        RuntimeError,
        r"changed the size .* from \(2,\) to \(1,\)",
    ),
    "hook of another dtype": (lambda: _hooked(lambda g: g.double()), RuntimeError, "changed the dtype"),
    "hook is no function": (lambda: leaf(1.0).register_hook(3), TypeError, "a hook must be callable, not int"),
    "post hook on a result": (
        lambda: (leaf(1.0) * 2).register_post_accumulate_grad_hook(print),
        RuntimeError,
        "tensors that are not leaves",
    ),
    "post hook without a graph": (
        lambda: torch.ones(2).register_post_accumulate_grad_hook(print),
        RuntimeError,
        "doesn't require gradient",
    ),
    "multi hook mode": (
        lambda: register_multi_grad_hook([leaf(1.0)], print, mode="some"),
        ValueError,
        "'all' or 'any', not 'some'",
    ),
    "multi hook without a graph": (
        lambda: register_multi_grad_hook([torch.ones(1)], print),
        RuntimeError,
        "tensor 0, which does not",
    ),
    "multi hook is no function": (lambda: register_multi_grad_hook([leaf(1.0)], 3), TypeError, "callable, not int"),
    "edge without a graph": (lambda: get_gradient_edge(torch.ones(1)), RuntimeError, "gradient edge"),
    "determinism check": (
        lambda: checkpoint(torch.sin, leaf(1.0), determinism_check="all"),
        ValueError,
        "'default' or 'none'",
    ),
    "saved tensor hooks": (
        lambda: torch.autograd.graph.saved_tensors_hooks,
        AttributeError,
        "checkpoint to save memory",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_misuse(case):
    call, builtin, text = ERRORS[case]
    with pytest.raises(builtin, match=text):
        call()
