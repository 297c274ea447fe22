"""`torch.autograd.Function`."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import wengert.compat.torch as torch
from wengert.compat.torch.autograd import Function, forward_ad
from wengert.compat.torch.autograd.function import once_differentiable


def leaf(*values):
    return torch.tensor(list(values), requires_grad=True)


class Cube(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 3 * x**2 * g


class Exp(Function):
    @staticmethod
    def forward(ctx, x):
        result = x.exp()
        ctx.save_for_backward(result)
        return result

    @staticmethod
    def backward(ctx, g):
        (result,) = ctx.saved_tensors
        return g * result


class Split(Function):
    @staticmethod
    def forward(x, n):
        return x**n

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, ctx.n = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return ctx.n * x ** (ctx.n - 1) * g, None


def made(forward, backward=None, **more):
    body = {"forward": staticmethod(forward), **more}
    if backward is not None:
        body["backward"] = staticmethod(backward)
    return type("Made", (Function,), body)


def gradient(function, *inputs):
    out = function(*inputs)
    outs = out if isinstance(out, tuple) else (out,)
    return torch.autograd.grad(
        sum(o.sum() for o in outs if o.requires_grad), [x for x in inputs if isinstance(x, torch.Tensor)]
    )


# ---------------------------------------------------------------- the basics


def test_forward_and_backward():
    x = leaf(1.0, 2.0)
    y = Cube.apply(x)
    assert y.tolist() == [1, 8] and y.grad_fn.name() == "CubeBackward"
    y.sum().backward()
    assert x.grad.tolist() == [3, 12]
    assert not Cube.apply(torch.ones(2)).requires_grad
    with torch.no_grad():
        assert not Cube.apply(x).requires_grad


@pytest.mark.parametrize("function", [Cube.apply, Exp.apply, lambda x: Split.apply(x, 3)])
def test_second_order_goes_through_backward(function):
    x = torch.tensor([0.5, 1.5], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(function, (x,))
    assert torch.autograd.gradgradcheck(function, (x,))


def test_split_form():
    assert gradient(lambda x: Split.apply(x, 3), leaf(1.0, 2.0))[0].tolist() == [3, 12]


def test_several_inputs_and_outputs():
    both = made(
        lambda ctx, a, b: (ctx.save_for_backward(a, b), (a * b, a + b))[1],
        lambda ctx, g, h: (g * ctx.saved_tensors[1] + h, g * ctx.saved_tensors[0] + h),
    )
    a, b = leaf(1.0, 2.0), leaf(3.0, 4.0)
    by_a, by_b = gradient(both.apply, a, b)
    assert by_a.tolist() == [4, 5] and by_b.tolist() == [2, 3]
    first, _ = both.apply(a, b)
    assert torch.autograd.grad(first.sum(), a)[0].tolist() == [3, 4]  # the other cotangent is zeros
    out = both.apply(a, b)[0]
    (g,) = torch.autograd.grad(out.sum(), a, create_graph=True)
    assert torch.autograd.grad(g.sum(), b)[0].tolist() == [1, 1]


def test_materialize_grads_off_gives_none():
    seen = []

    def forward(ctx, a):
        ctx.set_materialize_grads(False)
        return a * 2, a * 3

    def backward(ctx, g, h):
        seen.append((g is None, h is None))
        return 2 * g if h is None else 3 * h

    x = leaf(1.0)
    function = made(forward, backward)
    assert torch.autograd.grad(function.apply(x)[0], x)[0] == 2
    assert torch.autograd.grad(function.apply(x)[1], x)[0] == 3
    assert seen == [(False, True), (True, False)]


def test_outputs_without_a_derivative():
    def forward(ctx, a):
        mask = a > 1
        marked = a * 5
        ctx.mark_non_differentiable(marked)
        return a * 2, mask, marked, a.long()

    function = made(forward, lambda ctx, g, m, k, i: 2 * g)
    x = leaf(1.0, 2.0)
    outs = function.apply(x)
    assert [out.requires_grad for out in outs] == [True, False, False, False]
    assert torch.autograd.grad(outs[0].sum(), x)[0].tolist() == [2, 2]


def test_other_arguments_and_needs_input_grad():
    seen = []

    def backward(ctx, g):
        seen.append(ctx.needs_input_grad)
        return g * 3, None, None

    x = leaf(1.0)
    y = made(lambda ctx, a, n, b: a * n, backward).apply(x, 3, torch.ones(1))
    assert torch.autograd.grad(y, x)[0] == 3 and seen == [(True, False, False)]


def test_mark_dirty():
    def forward(ctx, a):
        a.add_(1)
        ctx.mark_dirty(a)
        return a

    x = leaf(1.0, 2.0)
    y = x * 2
    z = made(forward, lambda ctx, g: g * 7).apply(y)
    assert z is y and y.tolist() == [3, 5] and y._version >= 1
    assert torch.autograd.grad(y.sum(), x)[0].tolist() == [14, 14]


def test_a_gradient_may_be_larger_where_it_sums_to_the_argument():
    assert torch.autograd.grad(
        made(lambda c, a: a * 2, lambda c, g: g.expand(3, 2)).apply(x := leaf(1.0, 2.0)).sum(), x
    )[0].tolist() == [3, 3]


def test_an_identity_and_a_constant():
    x = leaf(1.0)
    assert torch.autograd.grad(made(lambda c, a: a.view_as(a), lambda c, g: g * 5).apply(x), x)[0] == 5
    y = made(lambda c, a: a * 2, lambda c, g: None).apply(x)
    assert torch.autograd.grad(y, x)[0].tolist() == [0]


def test_nothing_refers_to_itself():
    gc.disable()
    try:
        x = leaf(1.0, 2.0)
        y = Exp.apply(Cube.apply(x))
        reference = weakref.ref(y._line)
        y.sum().backward()
        del y
        assert reference() is None
    finally:
        gc.enable()


def test_an_edit_of_a_saved_value_is_an_error():
    y = leaf(1.0, 2.0) * 1
    z = Cube.apply(y)
    y.add_(1)
    with pytest.raises(RuntimeError, match="saved by CubeBackward, is at version 1"):
        z.sum().backward()


# ---------------------------------------------------------------- with the transforms


def test_functional_derivatives():
    x = torch.tensor([1.0, 2.0])
    for options in ({}, {"vectorize": True}, {"vectorize": True, "strategy": "forward-mode"}):
        assert torch.autograd.functional.jacobian(Cube.apply, x, **options).tolist() == [[3, 0], [0, 12]]
    assert torch.autograd.functional.hessian(lambda a: Cube.apply(a).sum(), x).tolist() == [[6, 0], [0, 12]]
    assert torch.autograd.functional.jvp(Cube.apply, x, x)[1].tolist() == [3, 24]
    assert torch.func.grad(lambda a: Cube.apply(a).sum())(x).tolist() == [3, 12]
    assert torch.func.jacrev(Cube.apply)(x).tolist() == [[3, 0], [0, 12]]
    assert torch.func.jacfwd(Cube.apply)(x).tolist() == [[3, 0], [0, 12]]
    assert torch.func.hessian(lambda a: Cube.apply(a).sum())(x).tolist() == [[6, 0], [0, 12]]


def test_a_backward_that_leaves_tensors_goes_row_by_row():
    def backward(ctx, g):
        return torch.from_numpy(g.detach().numpy() * 2)

    function = made(lambda ctx, a: a * 2, backward)
    x = torch.tensor([1.0, 2.0])
    assert torch.autograd.functional.jacobian(lambda a: function.apply(a).cumsum(0), x).tolist() == [[2, 0], [2, 2]]


def test_numpy_in_forward():
    class Sort(Function):
        @staticmethod
        def forward(ctx, x):
            order = np.argsort(x.detach().numpy())
            ctx.order = order
            return torch.from_numpy(x.detach().numpy()[order])

        @staticmethod
        def backward(ctx, g):
            out = torch.zeros_like(g)
            out[ctx.order] = g
            return out

    x = leaf(3.0, 1.0, 2.0)
    y = Sort.apply(x)
    assert y.tolist() == [1, 2, 3]
    assert torch.autograd.grad((y * torch.tensor([1.0, 10.0, 100.0])).sum(), x)[0].tolist() == [100, 1, 10]


def test_jvp():
    class Square(Function):
        calls = 0

        @staticmethod
        def forward(ctx, x):
            ctx.save_for_forward(x)
            return x**2

        @staticmethod
        def jvp(ctx, t):
            Square.calls += 1
            return 2 * ctx.saved_tensors[0] * t

    x = torch.tensor([1.0, 2.0])
    with forward_ad.dual_level():
        out = forward_ad.unpack_dual(Square.apply(forward_ad.make_dual(x, x)))
    assert out.tangent.tolist() == [2, 8] and Square.calls == 1
    wrong = made(lambda ctx, a: a * 2, jvp=staticmethod(lambda ctx, t: t[:1]))
    with pytest.raises(RuntimeError, match="jvp returned a tangent of shape"):
        torch.func.jvp(wrong.apply, (x,), (x,))


def test_forward_mode_is_derived_from_backward():
    x = torch.tensor([1.0, 2.0])
    assert torch.func.jvp(Cube.apply, (x,), (x,))[1].tolist() == [3, 24]
    two = made(
        lambda ctx, a, b: (ctx.save_for_backward(a, b), (a * b, a + b))[1],
        lambda ctx, g, h: (g * ctx.saved_tensors[1] + h, g * ctx.saved_tensors[0] + h),
    )
    pushed = torch.func.jvp(two.apply, (x, x * 3), (torch.ones(2), torch.zeros(2)))[1]
    assert pushed[0].tolist() == [3, 6] and pushed[1].tolist() == [1, 1]


def test_vmap_generated():
    class Generated(Split):
        generate_vmap_rule = True

    rows = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert torch.vmap(lambda a: Generated.apply(a, 2))(rows).tolist() == [[1, 4], [9, 16]]
    per_row = torch.vmap(torch.func.grad(lambda a: Generated.apply(a, 2).sum()))(rows)
    assert per_row.tolist() == [[2, 4], [6, 8]]


def test_vmap_of_a_forward_rule():
    class Square(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(x):
            return x**2

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)

        @staticmethod
        def jvp(ctx, t):
            return 2 * ctx.saved_tensors[0] * t

    rows = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    pushed = torch.vmap(lambda a: torch.func.jvp(Square.apply, (a,), (torch.ones(2),))[1])(rows)
    assert pushed.tolist() == [[2, 4], [6, 8]]


def test_a_recorded_call_is_a_primitive_like_any_other():
    class Own(Split):
        @staticmethod
        def vmap(info, in_dims, x, n):
            return Own.apply(x, n), 0

    x = leaf(1.0, 2.0)
    primitive = Own.apply(x, 2)._line.primitive
    values = np.array([3.0, 4.0], np.float32)
    assert primitive.evaluate(values).tolist() == [9, 16]
    assert primitive.abstract(values) == ((2,), np.float32)
    rows = np.ones((3, 2), np.float32) * 2
    assert primitive.batch(3, [True], rows).tolist() == [[4, 4]] * 3
    with pytest.warns(UserWarning, match="no batch rule"):
        assert Split.apply(x, 2)._line.primitive.batch(3, [True], rows).tolist() == [[4, 4]] * 3


def test_vmap_of_the_users():
    seen = []

    class Own(Split):
        @staticmethod
        def vmap(info, in_dims, x, n):
            seen.append((info.batch_size, info.randomness, in_dims))
            return Own.apply(x, n), in_dims[0]

    rows = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    assert torch.vmap(lambda a: Own.apply(a, 2))(rows).tolist() == [[1, 4], [9, 16], [25, 36]]
    assert seen == [(3, "error", (0, None))]
    assert torch.vmap(torch.func.grad(lambda a: Own.apply(a, 2).sum()))(rows)[2].tolist() == [10, 12]


# ---------------------------------------------------------------- once_differentiable


class Once(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        return 2 * ctx.saved_tensors[0] * g


def test_once_differentiable_works_once():
    assert gradient(Once.apply, leaf(1.0, 2.0))[0].tolist() == [2, 4]


@pytest.mark.parametrize("by", ["grad", "backward"])
def test_differentiating_it_twice_is_an_error_on_every_path(by):
    x = leaf(1.0, 2.0)
    y = Once.apply(x).sum() + (x**2).sum()  # PyTorch's grad drops the first path silently
    (g,) = torch.autograd.grad(y, x, create_graph=True)
    assert g.tolist() == [4, 8]
    with pytest.raises(RuntimeError, match="differentiate twice a function that was marked with @once_differentiable"):
        torch.autograd.grad(g.sum(), x) if by == "grad" else g.sum().backward()


# ---------------------------------------------------------------- misuse


def run(function, *args):
    x = leaf(1.0, 2.0)
    out = function.apply(x, *args)
    (out[0] if isinstance(out, tuple) else out).sum().backward()


def _dirty_not_returned(ctx, a):
    ctx.mark_dirty(a.add_(1))
    return a * 2


def _dirty(ctx, a):
    a.add_(1)
    ctx.mark_dirty(a)
    return a


class Both(Split):
    generate_vmap_rule = True

    @staticmethod
    def vmap(info, in_dims, x, n):
        return x, 0


ERRORS = {
    "no setup": (
        lambda: Function.setup_context(None, (), None),
        NotImplementedError,
        "setup_context is not implemented",
    ),
    "no jvp": (lambda: Function.jvp(None), NotImplementedError, "jvp is not implemented"),
    "no vmap": (lambda: Function.vmap(None, ()), NotImplementedError, "vmap is not implemented"),
    "an instance": (lambda: Cube(), RuntimeError, r"called by its class(.*\n)*.*|Cube.apply"),
    "no forward": (lambda: run(made(Function.forward)), NotImplementedError, "static method forward"),
    "no backward": (lambda: run(made(lambda ctx, a: a * 2)), NotImplementedError, "static method backward"),
    "too few gradients": (
        lambda: run(made(lambda ctx, a, b: a * b, lambda ctx, g: g), leaf(1.0, 2.0)),
        RuntimeError,
        r"incorrect number of gradients \(expected 2, got 1\)",
    ),
    "too many gradients": (
        lambda: run(made(lambda ctx, a: a * 2, lambda ctx, g: (g, g))),
        RuntimeError,
        r"incorrect number of gradients \(expected 1, got 2\)",
    ),
    "a gradient of another shape": (
        lambda: run(made(lambda ctx, a: a * 2, lambda ctx, g: torch.ones(3))),
        RuntimeError,
        r"gradient of shape \(3,\) for argument 0, which has shape \(2,\)",
    ),
    "a smaller gradient": (
        lambda: run(made(lambda ctx, a: a * 2, lambda ctx, g: g[:1])),
        RuntimeError,
        r"of shape \(1,\)",
    ),
    "an integer gradient": (
        lambda: run(made(lambda ctx, a: a * 2, lambda ctx, g: g.long())),
        RuntimeError,
        "torch.int64",
    ),
    "a gradient that is no tensor": (
        lambda: run(made(lambda ctx, a: a * 2, lambda ctx, g: 3)),
        RuntimeError,
        "returned int",
    ),
    "a gradient for a number": (
        lambda: run(made(lambda ctx, a, n: a * n, lambda ctx, g: (g, g)), 3),
        RuntimeError,
        "a gradient for argument 1, which is not a tensor",
    ),
    "a dirty input not returned": (
        lambda: made(_dirty_not_returned, lambda ctx, g: g).apply(leaf(1.0) * 1),
        RuntimeError,
        "marked dirty but is not returned",
    ),
    "a dirty leaf": (lambda: made(_dirty, lambda ctx, g: g).apply(leaf(1.0)), RuntimeError, "a leaf variable"),
    "saving a number": (lambda: run(made(lambda ctx, a: ctx.save_for_backward(3))), TypeError, "can only save tensors"),
    "vmap without a rule": (
        lambda: torch.vmap(lambda a: Split.apply(a, 2))(torch.ones(2, 2)),
        RuntimeError,
        "no rule for that",
    ),
    "vmap with two rules": (
        lambda: torch.vmap(lambda a: Both.apply(a, 2))(torch.ones(2, 2)),
        RuntimeError,
        "a vmap method of its own",
    ),
    "vmap without setup_context": (
        lambda: torch.vmap(type("Old", (Cube,), {"generate_vmap_rule": True}).apply)(torch.ones(2, 2)),
        RuntimeError,
        "its forward takes ctx",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_misuse(case):
    call, builtin, text = ERRORS[case]
    with pytest.raises(builtin, match=text):
        call()


def test_functions_leave_no_cycles():
    x = leaf(1.0, 2.0)

    def work():
        Cube.apply(x).sum().backward()
        torch.autograd.grad(Once.apply(x).sum(), x, create_graph=True)
        torch.autograd.functional.hessian(lambda a: Exp.apply(a).sum(), torch.ones(2))
        x.grad = None

    work()
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            work()
        assert gc.collect() == 0
    finally:
        gc.enable()
