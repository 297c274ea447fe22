"""`backward`, `torch.autograd.grad` and `.grad`."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest

import wengert.compat.torch as torch
from wengert.errors import WengertError


def leaf(*values, **options):
    return torch.tensor(list(values), requires_grad=True, **options)


# ---------------------------------------------------------------- backward


def test_backward_fills_and_accumulates():
    x = leaf(1.0, 2.0)
    (x**3).sum().backward()
    first = x.grad
    assert first.tolist() == [3, 12] and not first.requires_grad
    (x * 2).sum().backward()
    assert x.grad is first and x.grad.tolist() == [5, 14]
    x.grad = None
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2, 2]
    x.grad.zero_()
    assert x.grad.tolist() == [0, 0]


def test_a_leaf_can_be_differentiated_by_itself():
    x = torch.tensor(2.0, requires_grad=True)
    x.backward()
    assert x.grad == 1


def test_backward_with_a_gradient():
    x = leaf(1.0, 2.0)
    (x**2).backward(torch.tensor([1.0, 10.0]))
    assert x.grad.tolist() == [2, 40]
    (x**2).backward(torch.tensor([1.0, 10.0], dtype=torch.float64))  # another floating dtype is cast
    assert x.grad.tolist() == [4, 80] and x.grad.dtype is torch.float32


def test_several_tensors_at_once():
    x = leaf(1.0, 2.0)
    torch.autograd.backward([x.sum(), (x**2).sum()])
    assert x.grad.tolist() == [3, 5]
    x.grad = None
    torch.autograd.backward((x, x.sum()), (torch.tensor([1.0, 2.0]), None))
    assert x.grad.tolist() == [2, 3]


def test_inputs_says_whose_grad_is_filled():
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    y = x * w
    (y * 2).sum().backward(inputs=[x])
    assert x.grad.tolist() == [6, 8] and w.grad is None
    y = x * w
    (y * 2).sum().backward(inputs=y)  # a tensor that is no leaf
    with pytest.warns(UserWarning, match="not a leaf") if y._grad is None else _nothing():
        assert y.grad.tolist() == [2, 2]


class _nothing:
    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass


def test_the_grad_of_a_tensor_that_is_no_leaf():
    x = leaf(1.0, 2.0)
    y = x * 2
    with pytest.warns(UserWarning, match="retain_grad"):
        assert y.grad is None
    y.retain_grad()
    assert y.retains_grad and not x.retains_grad
    (y**2).sum().backward(retain_graph=True)
    assert y.grad.tolist() == [4, 8]
    x.retain_grad()  # nothing to do for a leaf


def test_create_graph_makes_the_gradient_differentiable():
    x = leaf(1.0, 2.0)
    (x**3).sum().backward(create_graph=True)
    assert x.grad.requires_grad
    (second,) = torch.autograd.grad(x.grad.sum(), x)
    assert second.tolist() == [6, 12]


def test_a_freed_graph_says_so_only_where_saved_values_are_needed():
    x = leaf(1.0, 2.0)
    y = (x + 1).sum()
    y.backward()
    y.backward()
    assert x.grad.tolist() == [2, 2]
    for build in (lambda: (x * x).sum(), lambda: (x * 2).sum(), lambda: x.exp().sum()):
        y = build()
        y.backward()
        with pytest.raises(
            RuntimeError, match=r"backward through the graph a second time.*\n(.*\n)*.*retain_graph=True"
        ):
            y.backward()
        y = build()
        y.backward(retain_graph=True)
        y.backward()


def test_shared_parts_of_a_graph():
    x = leaf(1.0, 2.0)
    y = x * x
    y[0].backward(retain_graph=True)
    y[1].backward()
    assert x.grad.tolist() == [2, 4]


def test_a_chain_of_100000_operations():
    x = torch.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y + 1
    y.backward()
    assert x.grad == 1
    del y


def test_a_training_loop_keeps_no_memory():
    w = leaf(1.0, 2.0)
    gc.disable()
    try:
        losses, dead = [], []
        for _ in range(5):
            loss = (w**2).sum()
            dead.append(weakref.ref(loss._line))
            loss.backward()
            losses.append(loss.detach())
            with torch.no_grad():
                w -= 0.1 * w.grad
            w.grad = None
            del loss
        assert [reference() for reference in dead] == [None] * 5
    finally:
        gc.enable()
    assert losses[-1] < losses[0]


def test_threads_do_not_meet():
    results = {}

    def work(k):
        x = torch.tensor(float(k), requires_grad=True)
        for _ in range(20):
            (x * x).backward()
        results[k] = x.grad.item()

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {k: 40.0 * k for k in range(8)}


# ---------------------------------------------------------------- grad


def test_grad_returns_a_tuple_and_fills_nothing():
    x = leaf(1.0, 2.0)
    found = torch.autograd.grad((x**3).sum(), x)
    assert type(found) is tuple and found[0].tolist() == [3, 12] and x.grad is None
    assert torch.autograd.grad([x.sum(), (x**2).sum()], [x])[0].tolist() == [3, 5]


def test_grad_by_a_tensor_in_the_middle():
    x = leaf(1.0, 2.0)
    y = x * 3
    by_y, by_x = torch.autograd.grad((y**2).sum(), (y, x))
    assert by_y.tolist() == [6, 12] and by_x.tolist() == [18, 36]


def test_grad_of_a_dict():
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    found = torch.autograd.grad((x * w).sum(), {"x": x, "w": w})
    assert found["x"].tolist() == [3, 4] and found["w"].tolist() == [1, 2]


def test_unused_inputs():
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    assert torch.autograd.grad((x * 2).sum(), (x, w), allow_unused=True)[1] is None
    assert torch.autograd.grad((x * 2).sum(), (x, w), materialize_grads=True)[1].tolist() == [0, 0]
    assert torch.autograd.grad((x * 2).sum(), (x, w), allow_unused=True, materialize_grads=True)[1].tolist() == [0, 0]
    assert torch.autograd.grad((x.floor() + x).sum(), x)[0].tolist() == [1, 1]
    assert torch.autograd.grad(x.floor().sum(), x)[0].tolist() == [0, 0]  # connected, derivative zero


def test_second_and_third_order():
    x = torch.tensor(2.0, requires_grad=True)
    value = x**4
    for expected in (32, 48, 48):
        (value,) = torch.autograd.grad(value, x, create_graph=True)
        assert value == expected


@pytest.mark.parametrize("function", [lambda x: x**2, lambda x: torch.cumsum(x, 0) * x])
def test_batched_grad_outputs(function):
    x = leaf(1.0, 2.0)
    y = function(x)
    (rows,) = torch.autograd.grad(y, x, torch.eye(2), is_grads_batched=True, retain_graph=True)
    for k in range(2):
        assert rows[k].tolist() == torch.autograd.grad(y, x, torch.eye(2)[k], retain_graph=True)[0].tolist()


def test_results_do_not_share_memory():
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    g = torch.ones(2)
    a, b = torch.autograd.grad(x + w, (x, w), g)
    a.numpy()[0] = 9
    assert b.tolist() == [1, 1] and g.tolist() == [1, 1]


def test_complex_gradients():
    z = torch.tensor([1 + 2j], requires_grad=True)
    (z.abs() ** 2).sum().backward()
    np.testing.assert_allclose(z.grad.numpy(), [2 + 4j], rtol=1e-6)


def test_a_function_inside_of_a_gradient_tape():
    import wengert as wg

    x = torch.tensor(2.0, requires_grad=True)
    with wg.GradientTape() as tape:
        tape.watch(x)
        y = x**3
    assert float(tape.gradient(y, x).detach()) == 12.0
    z = x**3
    z.backward()
    assert x.grad == 12


# ---------------------------------------------------------------- misuse


def backward_of(function, *args, **options):
    return lambda: function(leaf(1.0, 2.0)).backward(*args, **options)


def grad_of(function, **options):
    def call():
        x = leaf(1.0, 2.0)
        return torch.autograd.grad(function(x), x, **options)

    return call


def assign_grad(value):
    def call():
        leaf(1.0, 2.0).grad = value

    return call


ERRORS = {
    "vector without gradient": (
        backward_of(lambda x: x * 2),
        RuntimeError,
        r"only for scalar outputs; output 0 has shape \(2,\)",
    ),
    "complex without gradient": (backward_of(lambda x: (x * 1j).sum()), RuntimeError, "only for real scalar outputs"),
    "no graph": (lambda: torch.ones(()).backward(), RuntimeError, "element 0 of the tensors does not require grad"),
    "wrong shape": (backward_of(lambda x: x * 2, torch.ones(3)), RuntimeError, r"gradient 0 has shape \(3,\)"),
    "list as gradient": (backward_of(lambda x: x * 2, [1.0, 1.0]), TypeError, "either tensors or None, but got float"),
    "number as gradient": (backward_of(lambda x: x.sum(), 1.0), TypeError, "either tensors or None, but got float"),
    "complex gradient": (backward_of(lambda x: x * 2, torch.ones(2) * 1j), RuntimeError, "mismatch in dtype"),
    "no inputs": (
        backward_of(lambda x: x.sum(), inputs=[]),
        RuntimeError,
        "`inputs` argument to backward.. cannot be empty",
    ),
    "too many gradients": (
        lambda: torch.autograd.backward(leaf(1.0).sum(), (torch.ones(()), torch.ones(()))),
        RuntimeError,
        "got 1 tensors and 2 gradients",
    ),
    "not a tensor": (lambda: torch.autograd.backward([3.0]), TypeError, "tensor 0 must be a tensor, not float"),
    "not a sequence": (lambda: torch.autograd.backward(3.0), TypeError, "must be a tensor or a sequence of tensors"),
    "inputs no tensor": (
        grad_of(lambda x: x.sum() * 1, grad_outputs=[None, None]),
        RuntimeError,
        "got 1 tensors and 2",
    ),
    "unused": (
        lambda: torch.autograd.grad(leaf(1.0).sum(), leaf(2.0)),
        RuntimeError,
        "at index 0 was not used in the graph",
    ),
    "by a constant": (
        lambda: torch.autograd.grad(leaf(1.0).sum(), torch.ones(1), allow_unused=True),
        RuntimeError,
        "one of the differentiated tensors does not require grad",
    ),
    "by no tensor": (
        lambda: torch.autograd.grad(leaf(1.0).sum(), [3.0]),
        TypeError,
        "inputs must be tensors, not float",
    ),
    "zeros and not allowed": (
        grad_of(lambda x: x.sum(), materialize_grads=True, allow_unused=False),
        ValueError,
        "needs allow_unused=True",
    ),
    "batched shape": (
        grad_of(lambda x: x * 2, grad_outputs=torch.ones(2, 3), is_grads_batched=True),
        RuntimeError,
        r"shape \(3,\) per batch entry",
    ),
    "a gradient without a graph": (
        lambda: torch.autograd.grad(grad_of(lambda x: (x**2).sum())()[0].sum(), leaf(1.0)),
        RuntimeError,
        "does not require grad and does not have a grad_fn",
    ),
    "grad of another shape": (assign_grad(torch.ones(3)), RuntimeError, r"shape \(3,\), but the tensor has \(2,\)"),
    "grad of another dtype": (assign_grad(torch.ones(2).double()), RuntimeError, "is torch.float64, but the tensor is"),
    "grad is no tensor": (assign_grad(3), TypeError, "a gradient must be a tensor or None, not int"),
    "retain without a graph": (lambda: torch.ones(2).retain_grad(), RuntimeError, "requires_grad=False"),
    "backward inside of a derivative": (
        lambda: torch.func.grad(lambda x: (x * 2).backward())(torch.tensor(1.0)),
        RuntimeError,
        "backward: an enclosing derivative is being recorded",
    ),
    # PyTorch gives 0 here
    "grad inside of a derivative": (
        lambda: torch.func.grad(lambda x: torch.autograd.grad(x**3, x)[0])(torch.tensor(1.0)),
        RuntimeError,
        "grad: an enclosing derivative is being recorded, but create_graph is False",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_misuse(case):
    call, builtin, text = ERRORS[case]
    with pytest.raises(builtin, match=text) as caught:
        call()
    assert isinstance(caught.value, WengertError)


def test_a_tensor_is_not_its_own_gradient():
    x = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match="its own gradient"):
        x.grad = x


def test_grad_with_a_graph_nests_inside_of_a_derivative():
    def inner(x):
        return torch.autograd.grad(x**3, x, create_graph=True)[0]

    assert torch.func.grad(inner)(torch.tensor(2.0)) == 12


def test_batched_grad_outputs_with_hooks_and_graphs():
    x = leaf(1.0, 2.0)
    y = x**2
    x.register_hook(lambda g: g * 10)
    (rows,) = torch.autograd.grad(y, x, torch.eye(2), is_grads_batched=True, retain_graph=True)
    assert rows.tolist() == [[20, 0], [0, 40]]
    w = leaf(1.0, 2.0)
    (rows,) = torch.autograd.grad(w**3, w, torch.eye(2), is_grads_batched=True, create_graph=True)
    assert torch.autograd.grad(rows.sum(), w)[0].tolist() == [6, 12]


def test_a_batched_pass_frees_the_graph():
    x = leaf(1.0, 2.0)
    y = x**2
    torch.autograd.grad(y, x, torch.eye(2), is_grads_batched=True)
    with pytest.raises(RuntimeError, match="a second time"):
        torch.autograd.grad(y, x, torch.eye(2), is_grads_batched=True)


def test_a_derivative_that_is_exactly_zero_fills_zeros():
    """As in PyTorch: None means that there is no path, or that a rule of the user's returned None."""

    class Nothing(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return None

    for function in (lambda x: x * 0, torch.floor, lambda x: torch.where(x > 5, x, 0.0), lambda x: torch.sign(x * 2)):
        x = torch.tensor([1.5, 2.0], requires_grad=True)
        function(x).sum().backward()
        assert x.grad.tolist() == [0.0, 0.0]
        function(x).sum().backward(inputs=[x])
        assert x.grad.tolist() == [0.0, 0.0]
    x = torch.tensor([1.5, 2.0], requires_grad=True)
    Nothing.apply(x * 1).sum().backward()
    assert x.grad is None
