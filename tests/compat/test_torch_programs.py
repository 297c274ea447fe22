"""Programs of the kind that tutorials on gradients and Jacobians show, written for PyTorch, the import line changed.

What they print was taken from PyTorch 2.13 where it does not depend on random numbers.
"""

from __future__ import annotations

import contextlib
import io
import textwrap

import numpy as np

import wengert as wg


def printed(program):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(textwrap.dedent(program), "<program>", "exec"), {"__name__": "program"})
    return out.getvalue()


def test_a_first_tour_of_gradients():
    text = printed(
        """
        import wengert.compat.torch as torch

        a = torch.tensor([2., 3.], requires_grad=True)
        b = torch.tensor([6., 4.], requires_grad=True)
        Q = 3 * a**3 - b**2
        print(Q)
        Q.backward(gradient=torch.tensor([1., 1.]))
        print(9 * a**2 == a.grad)
        print(-2 * b == b.grad)
        print(a.grad, b.grad)

        x = torch.ones(2, 2, requires_grad=True)
        y = x + 2
        z = y * y * 3
        out = z.mean()
        print(z, out)
        out.backward()
        print(x.grad)
        print(y.grad_fn.name(), z.requires_grad, (x ** 2).requires_grad)
        with torch.no_grad():
            print((x ** 2).requires_grad)
        print(x.detach())
        print(z.grad_fn.next_functions[0][0].name())
        """
    )
    assert text == textwrap.dedent(
        """\
        tensor([-12.,  65.], grad_fn=<SubBackward0>)
        tensor([True, True])
        tensor([True, True])
        tensor([36., 81.]) tensor([-12.,  -8.])
        tensor([[27., 27.],
                [27., 27.]], grad_fn=<MulBackward0>) tensor(27., grad_fn=<MeanBackward0>)
        tensor([[4.5000, 4.5000],
                [4.5000, 4.5000]])
        AddBackward0 True True
        False
        tensor([[1., 1.],
                [1., 1.]])
        MulBackward0
        """
    )


def test_accumulation_and_jacobian_products():
    text = printed(
        """
        import wengert.compat.torch as torch

        inp = torch.eye(4, 5, requires_grad=True)
        out = (inp + 1).pow(2).t()
        out.backward(torch.ones_like(out), retain_graph=True)
        print(f"First call\\n{inp.grad}")
        out.backward(torch.ones_like(out), retain_graph=True)
        print(f"\\nSecond call\\n{inp.grad}")
        inp.grad.zero_()
        out.backward(torch.ones_like(out), retain_graph=True)
        print(f"\\nCall after zeroing gradients\\n{inp.grad}")
        """
    )
    once = """tensor([[4., 2., 2., 2., 2.],
        [2., 4., 2., 2., 2.],
        [2., 2., 4., 2., 2.],
        [2., 2., 2., 4., 2.]])"""
    twice = once.replace("4", "8").replace("2.", "4.")
    assert text == f"First call\n{once}\n\nSecond call\n{twice}\n\nCall after zeroing gradients\n{once}\n"


def test_one_layer_with_a_loss():
    text = printed(
        """
        import wengert.compat.torch as torch

        x = torch.ones(5)
        y = torch.zeros(3)
        w = torch.linspace(-1, 1, 15).reshape(5, 3).requires_grad_()
        b = torch.zeros(3, requires_grad=True)
        z = torch.matmul(x, w) + b
        loss = torch.nn.functional.binary_cross_entropy_with_logits(z, y)
        print(f"Gradient function for z = {z.grad_fn.name()}")
        print(f"Gradient function for loss = {loss.grad_fn.name()}")
        loss.backward()
        print(w.grad[0])
        print(b.grad)
        """
    )
    assert text == textwrap.dedent(
        """\
        Gradient function for z = AddBackward0
        Gradient function for loss = BinaryCrossEntropyWithLogitsBackward0
        tensor([0.1096, 0.1667, 0.2238])
        tensor([0.1096, 0.1667, 0.2238])
        """
    )


def test_a_polynomial_fit_by_hand_and_with_a_function_of_ones_own():
    text = printed(
        """
        import math
        import wengert.compat.torch as torch

        class LegendrePolynomial3(torch.autograd.Function):
            @staticmethod
            def forward(ctx, input):
                ctx.save_for_backward(input)
                return 0.5 * (5 * input ** 3 - 3 * input)

            @staticmethod
            def backward(ctx, grad_output):
                input, = ctx.saved_tensors
                return grad_output * 1.5 * (5 * input ** 2 - 1)

        x = torch.linspace(-math.pi, math.pi, 2000, dtype=torch.float)
        y = torch.sin(x)
        a = torch.full((), 0.0, requires_grad=True)
        b = torch.full((), -1.0, requires_grad=True)
        c = torch.full((), 0.0, requires_grad=True)
        d = torch.full((), 0.3, requires_grad=True)
        P3 = LegendrePolynomial3.apply
        for t in range(300):
            y_pred = a + b * P3(c + d * x)
            loss = (y_pred - y).pow(2).sum()
            loss.backward()
            with torch.no_grad():
                for p in (a, b, c, d):
                    p -= 5e-6 * p.grad
                    p.grad = None
            if t % 100 == 99:
                print(t, round(loss.item()))
        print(f"y = {abs(a.item()):.1f} + {b.item():.2f} * P3({abs(c.item()):.1f} + {d.item():.3f} x)")
        """
    )
    assert text == "99 210\n199 145\n299 101\ny = 0.0 + -1.55 * P3(0.0 + 0.250 x)\n"


def test_jacobians_three_ways():
    text = printed(
        """
        import wengert.compat.torch as torch
        import wengert.compat.torch.nn.functional as F
        from functools import partial
        from wengert.compat.torch.func import hessian, jacfwd, jacrev, jvp, vjp, vmap

        _ = torch.manual_seed(0)

        def predict(weight, bias, x):
            return F.linear(x, weight, bias).tanh()

        D = 16
        weight, bias, x = torch.randn(D, D), torch.randn(D), torch.randn(D)

        xp = x.clone().requires_grad_()
        unit_vectors = torch.eye(D)

        def compute_jac(xp):
            rows = [torch.autograd.grad(predict(weight, bias, xp), xp, vec)[0] for vec in unit_vectors]
            return torch.stack(rows)

        jacobian = compute_jac(xp)
        _, vjp_fn = vjp(partial(predict, weight, bias), x)
        ft_jacobian, = vmap(vjp_fn)(unit_vectors)
        reverse = jacrev(predict, argnums=2)(weight, bias, x)
        forward = jacfwd(predict, argnums=2)(weight, bias, x)
        functional = torch.autograd.functional.jacobian(partial(predict, weight, bias), x, vectorize=True)
        for other in (ft_jacobian, reverse, forward, functional):
            assert torch.allclose(jacobian, other, atol=1e-6)
        print(jacobian.shape)

        hess = hessian(predict, argnums=2)(weight, bias, x)
        assert torch.allclose(hess, jacfwd(jacrev(predict, argnums=2), argnums=2)(weight, bias, x), atol=1e-6)
        print(hess.shape)

        batch = torch.randn(8, D)
        per_sample = vmap(jacrev(predict, argnums=2), in_dims=(None, None, 0))(weight, bias, batch)
        print(per_sample.shape)

        def hvp(f, primals, tangents):
            return jvp(torch.func.grad(f), primals, tangents)[1]

        x, tangent = torch.ones(4), torch.full((4,), 2.)
        print(hvp(lambda x: x.sin().sum(), (x,), (tangent,)))
        """
    )
    assert text == (
        "torch.Size([16, 16])\ntorch.Size([16, 16, 16])\ntorch.Size([8, 16, 16])\n"
        "tensor([-1.6829, -1.6829, -1.6829, -1.6829])\n"
    )


def test_the_functional_examples():
    text = printed(
        """
        import wengert.compat.torch as torch
        from wengert.compat.torch.autograd.functional import hessian, hvp, jacobian, jvp, vhp, vjp

        def exp_reducer(x):
            return x.exp().sum(dim=1)
        inputs = torch.tensor([[0., 1.], [2., 0.5]])
        print(jacobian(exp_reducer, inputs))
        print(jacobian(exp_reducer, inputs, create_graph=True).requires_grad)

        def exp_adder(x, y):
            return 2 * x.exp() + 3 * y
        print(jacobian(exp_adder, (torch.tensor([0., 1.]), torch.tensor([2., 3.]))))

        def pow_adder_reducer(x, y):
            return (2 * x.pow(2) + 3 * y.pow(2)).sum()
        print(hessian(pow_adder_reducer, (torch.ones(2), torch.ones(2))))
        print(hvp(pow_adder_reducer, (torch.ones(2), torch.ones(2)), (torch.zeros(2), torch.ones(2))))
        print(vhp(lambda x: x.pow(3).sum(), torch.ones(2, 2), torch.ones(2, 2)))
        print(vjp(exp_reducer, torch.zeros(2, 2), torch.ones(2)))
        print(jvp(lambda x, y: 2 * x + 3 * y, (torch.ones(2), torch.ones(2)), (torch.ones(2), torch.ones(2))))
        """
    )
    assert text == textwrap.dedent(
        """\
        tensor([[[1.0000, 2.7183],
                 [0.0000, 0.0000]],

                [[0.0000, 0.0000],
                 [7.3891, 1.6487]]])
        True
        (tensor([[2.0000, 0.0000],
                [0.0000, 5.4366]]), tensor([[3., 0.],
                [0., 3.]]))
        ((tensor([[4., 0.],
                [0., 4.]]), tensor([[0., 0.],
                [0., 0.]])), (tensor([[0., 0.],
                [0., 0.]]), tensor([[6., 0.],
                [0., 6.]])))
        (tensor(10.), (tensor([0., 0.]), tensor([6., 6.])))
        (tensor(4.), tensor([[6., 6.],
                [6., 6.]]))
        (tensor([2., 2.]), tensor([[1., 1.],
                [1., 1.]]))
        (tensor([5., 5.]), tensor([5., 5.]))
        """
    )


def test_forward_mode():
    text = printed(
        """
        import wengert.compat.torch as torch
        import wengert.compat.torch.autograd.forward_ad as fwAD

        primal, tangent = torch.ones(3, 2), torch.full((3, 2), 0.5)

        def fn(x, y):
            return x ** 2 + y ** 2

        with fwAD.dual_level():
            dual_input = fwAD.make_dual(primal, tangent)
            assert fwAD.unpack_dual(dual_input).tangent is not None
            dual_output = fn(dual_input, torch.ones(3, 2))
            jvp = fwAD.unpack_dual(dual_output).tangent
        assert fwAD.unpack_dual(dual_output).tangent is None
        print(jvp[0])

        import wengert.compat.torch.func as ft
        primal_out, tangent_out = ft.jvp(fn, (primal, primal), (tangent, tangent))
        print(tangent_out[0])
        """
    )
    assert text == "tensor([1., 1.])\ntensor([2., 2.])\n"


def test_a_network_trained_with_an_optimizer():
    text = printed(
        """
        import math
        import wengert.compat.torch as torch

        torch.manual_seed(0)
        x = torch.linspace(-math.pi, math.pi, 200)
        y = torch.sin(x)
        p = torch.tensor([1, 2, 3])
        xx = x.unsqueeze(-1).pow(p)
        model = torch.nn.Sequential(torch.nn.Linear(3, 1), torch.nn.Flatten(0, 1))
        loss_fn = torch.nn.MSELoss(reduction='sum')
        optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-2)
        for t in range(500):
            loss = loss_fn(model(xx), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(loss.item() < 3, model[0].weight.shape)
        """
    )
    assert text == "True torch.Size([1, 3])\n"


def test_newton_with_a_hessian_of_plain_torch_code():
    import wengert.compat.torch as torch

    def rosenbrock(x):
        return ((1 - x[:-1]) ** 2 + 100 * (x[1:] - x[:-1] ** 2) ** 2).sum()

    x = torch.tensor([-1.2, 1.0, 0.5], dtype=torch.float64)
    for _ in range(40):
        g, H = torch.func.grad(rosenbrock)(x), torch.func.hessian(rosenbrock)(x)
        step = torch.linalg.solve(H, g)
        if (g @ step) < 0:
            step = g / H.diagonal().abs()
        t = 1.0
        while rosenbrock(x - t * step) > rosenbrock(x):
            t /= 2
        x = x - t * step
    np.testing.assert_allclose(x.numpy(), 1, rtol=1e-10)
    np.testing.assert_allclose(
        torch.func.hessian(rosenbrock)(x).numpy(),
        wg.jacobian(wg.grad(lambda v: np.sum((1 - v[:-1]) ** 2 + 100 * (v[1:] - v[:-1] ** 2) ** 2)))(x.numpy()),
    )
