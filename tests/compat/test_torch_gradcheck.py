"""gradcheck and gradgradcheck: right rules pass, each kind of wrong rule is found."""

from __future__ import annotations

import numpy as np
import pytest

import wengert.compat.torch as torch
from wengert.compat.torch.autograd import GradcheckError, gradcheck, gradgradcheck

D = torch.float64


def leaf(*values, dtype=D):
    return torch.tensor(list(values), dtype=dtype, requires_grad=True)


def rule(forward, backward):
    """A Function with these rules that saves its input."""

    def run(ctx, x):
        ctx.save_for_backward(x)
        return forward(x)

    def back(ctx, *grads):
        return backward(ctx.saved_tensors[0], *grads)

    return type(
        "Rule", (torch.autograd.Function,), {"forward": staticmethod(run), "backward": staticmethod(back)}
    ).apply


RIGHT = {
    "a cube": (lambda x: x**3, (leaf(1.0, 2.0),)),
    "one input, not in a tuple": (lambda x: x**3, leaf(1.0, 2.0)),
    "two inputs, one constant": (lambda x, c: x * c, (leaf(1.0, 2.0), torch.tensor([3.0, 4.0], dtype=D))),
    "two outputs": (lambda x: (x**2, x.sum()), (leaf(1.0, 2.0),)),
    "an integer output": (lambda x: (x**2, x.long()), (leaf(1.5, 2.5),)),
    "a constant output": (lambda x: (x**2, torch.ones(2, dtype=D)), (leaf(1.0, 2.0),)),
    "a complex output": (lambda x: x * (1 + 2j), (leaf(1.0, 2.0),)),
    "a complex input": (lambda z: z * z.conj() + z**2, (leaf(1 + 2j, 0.5, dtype=torch.complex128),)),
    "no elements": (lambda x: x * 2, (torch.zeros(0, dtype=D, requires_grad=True),)),
}


@pytest.mark.parametrize("case", RIGHT)
@pytest.mark.parametrize("fast", [False, True])
def test_right_rules_pass(case, fast):
    function, inputs = RIGHT[case]
    assert gradcheck(function, inputs, fast_mode=fast)


def test_every_check_at_once():
    options = {
        "check_forward_ad": True,
        "check_batched_grad": True,
        "check_batched_forward_grad": True,
        "check_grad_dtypes": True,
    }
    assert gradcheck(lambda x, y: (x * y.sin(), x.cumsum(0)), (leaf(1.0, 2.0), leaf(0.5, 0.25)), **options)
    assert gradgradcheck(
        lambda x: (x**3, x.exp()),
        leaf(1.0, 2.0),
        check_fwd_over_rev=True,
        check_batched_grad=True,
        check_grad_dtypes=True,
    )
    assert gradgradcheck(lambda x: x**3, leaf(1.0, 2.0), grad_outputs=leaf(0.5, 2.0))
    assert gradgradcheck(lambda z: z**3, leaf(1 + 2j, dtype=torch.complex128))


def first_time_only(x, g, calls=[]):  # noqa: B006
    calls.append(1)
    return g * 2 * x * (1 + 1e-7 * len(calls))


WRONG = {
    "factor": (rule(lambda x: x**2, lambda x, g: g * 3 * x), "Jacobian mismatch for output 0 with respect to input 0"),
    "sign": (rule(lambda x: x**2, lambda x, g: -g * 2 * x), "they differ most at"),
    "not multiplied by the gradient": (rule(lambda x: x * 1, lambda x, g: g * 0 + 1), "Jacobian mismatch"),
    "not zero for a zero gradient": (
        rule(lambda x: x * 2, lambda x, g: g * 2 + (g.abs().sum() == 0).double()),
        "not multiplied by grad_output",
    ),
    "different each time": (rule(lambda x: x**2, first_time_only), "not reentrant"),
    "detached": (lambda x: x.detach() * 2, "numerical gradient expected to be zero"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_rules_are_found(case):
    function, text = WRONG[case]
    with pytest.raises(GradcheckError, match=text) as caught:
        gradcheck(function, (leaf(1.0, 2.0),))
    assert isinstance(caught.value, RuntimeError)
    assert gradcheck(function, (leaf(1.0, 2.0),), raise_exception=False) is False


def test_fast_mode_finds_a_wrong_factor():
    with pytest.raises(GradcheckError, match="Jacobian mismatch"):
        gradcheck(WRONG["factor"][0], (leaf(1.0, 2.0),), fast_mode=True)


def test_a_tolerance_for_nondeterminism():
    assert gradcheck(rule(lambda x: x**2, first_time_only), (leaf(1.0, 2.0),), nondet_tol=1e-3)


def test_an_undefined_gradient_counts_as_zero():
    class Strange(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, g, h):
            if h is None:  # wrong: as if the second gradient were ones
                return 2 * g + 3
            return (0 if g is None else 2 * g) + 3 * h

    with pytest.raises(GradcheckError):
        gradcheck(Strange.apply, (leaf(1.0, 2.0),))


def two_outputs(backward):
    def forward(ctx, x):
        ctx.set_materialize_grads(False)
        return x * 2, x * 3

    return type(
        "Two", (torch.autograd.Function,), {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    )


def test_an_undefined_gradient_and_one_of_zeros_are_the_same():
    def backward(ctx, g, h):
        if g is None or h is None:
            return 3 * h if g is None else 2 * g
        return 2 * g + 3 * h + (h == 0) * g  # wrong where zeros arrive

    function = two_outputs(backward).apply
    with pytest.raises(GradcheckError, match="undefined, not zero"):
        gradcheck(function, (leaf(1.0, 2.0),))
    assert gradcheck(function, (leaf(1.0, 2.0),), check_undefined_grad=False)


def drifting(x, g, calls=[]):  # noqa: B006
    calls.append(1)
    return g * 2 * x * (1 + 1e-3 * len(calls))


def test_batched_gradients_that_differ():
    with pytest.raises(GradcheckError, match="batched gradients of output 0 by input 0 differ"):
        gradcheck(
            rule(lambda x: x**2, drifting),
            (leaf(1.0, 2.0),),
            atol=10,
            nondet_tol=10,
            check_batched_grad=True,
        )


def test_batched_tangents_that_differ():
    calls = []

    class Square(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(x):
            return x**2

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx, g):
            return 2 * ctx.saved_tensors[0] * g

        @staticmethod
        def jvp(ctx, t):
            calls.append(1)
            return 2 * ctx.saved_tensors[0] * t * (1 + 1e-2 * len(calls))

    with pytest.raises(GradcheckError, match="batched tangents of output 0 by input 0 differ"):
        gradcheck(Square.apply, (leaf(1.0, 2.0),), atol=10, check_forward_ad=True, check_batched_forward_grad=True)


def test_a_wrong_second_derivative():
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            x = ctx.saved_tensors[0]
            return 3 * x * x.detach() * g  # right, but its derivative is not

    assert gradcheck(Cube.apply, (leaf(1.0, 2.0),))
    with pytest.raises(GradcheckError, match="Jacobian mismatch"):
        gradgradcheck(Cube.apply, (leaf(1.0, 2.0),))


def test_a_wrong_forward_rule():
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**2

        @staticmethod
        def backward(ctx, g):
            return 2 * ctx.saved_tensors[0] * g

        @staticmethod
        def jvp(ctx, t):
            return 3 * ctx.saved_tensors[0] * t

    assert gradcheck(Square.apply, (leaf(1.0, 2.0),))
    with pytest.raises(GradcheckError, match="forward-mode"):
        gradcheck(Square.apply, (leaf(1.0, 2.0),), check_forward_ad=True)


def test_dtypes_of_gradients():
    seen = gradcheck(rule(lambda x: x * 2, lambda x, g: (g * 2).float()), (leaf(1.0, 2.0),), check_grad_dtypes=True)
    assert seen  # a gradient of another floating dtype is cast to the input's, as in PyTorch


def test_float32_warns():
    with pytest.warns(UserWarning, match="input 0 is torch.float32"):
        gradcheck(lambda x: x**3, (leaf(1.0, dtype=torch.float32),), atol=1, rtol=1)


def _shared():
    x = torch.from_numpy(np.ones(1)).expand(3)
    return x.requires_grad_()


ERRORS = {
    "no input": (
        lambda: gradcheck(lambda x: x, (torch.ones(2),)),
        ValueError,
        "at least one input tensor to require gradient",
    ),
    "shared memory": (
        lambda: gradcheck(lambda x: x * 2, (_shared(),)),
        RuntimeError,
        "elements of input 0 share memory",
    ),
    "no tensor": (lambda: gradcheck(lambda x: 3.0, (leaf(1.0),)), TypeError, "returned float, not tensors"),
    "nothing to check": (
        lambda: gradcheck(lambda x: x, (leaf(1.0),), check_backward_ad=False),
        ValueError,
        "at least one of check_forward_ad and check_backward_ad",
    ),
    "batched without backward": (
        lambda: gradcheck(
            lambda x: x, (leaf(1.0),), check_batched_grad=True, check_backward_ad=False, check_forward_ad=True
        ),
        ValueError,
        "needs check_backward_ad=True",
    ),
    "batched without forward": (
        lambda: gradcheck(lambda x: x, (leaf(1.0),), check_batched_forward_grad=True),
        ValueError,
        "needs check_forward_ad=True",
    ),
    "nothing of second order": (
        lambda: gradgradcheck(lambda x: x, (leaf(1.0),), check_rev_over_rev=False),
        ValueError,
        "at least one of check_fwd_over_rev and check_rev_over_rev",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_misuse(case):
    call, builtin, text = ERRORS[case]
    with pytest.raises(builtin, match=text):
        call()
