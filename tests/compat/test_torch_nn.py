"""Modules, initial values and optimisers."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest

import wengert.compat.torch as torch
from wengert.compat.torch import nn, optim
from wengert.compat.torch.nn import functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(2, 3)
        self.second = nn.Linear(3, 1, bias=False)
        self.scale = nn.Parameter(torch.ones(1))
        self.register_buffer("shift", torch.zeros(1))

    def forward(self, x):
        return self.second(self.first(x).tanh()) * self.scale + self.shift


def test_parameters():
    net = Net()
    names = [name for name, _ in net.named_parameters()]
    assert names == ["scale", "first.weight", "first.bias", "second.weight"]
    assert [name for name, _ in net.named_buffers()] == ["shift"] and len(list(net.buffers())) == 1
    assert all(isinstance(p, nn.Parameter) and p.requires_grad and p.is_leaf for p in net.parameters())
    assert [type(m).__name__ for m in net.modules()] == ["Net", "Linear", "Linear"] and len(list(net.children())) == 2
    assert repr(net.scale) == "Parameter containing:\ntensor([1.], requires_grad=True)"
    assert not nn.Parameter(torch.ones(1), requires_grad=False).requires_grad
    assert type(net.scale * 2) is torch.Tensor
    net.second.weight = net.first.weight  # shared ones come once
    assert [name for name, _ in net.named_parameters()] == ["scale", "first.weight", "first.bias"]


def test_a_module_learns():
    net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    x = torch.randn(64, 2)
    y = x[:, :1] * x[:, 1:]
    optimizer = optim.Adam(net.parameters(), lr=0.02)
    first = None
    for _ in range(200):
        optimizer.zero_grad()
        loss = nn.MSELoss()(net(x), y)
        loss.backward()
        optimizer.step()
        first = first or loss.item()
    assert loss.item() < 0.2 * first


def test_printing():
    net = nn.Sequential(OrderedDict(a=nn.Linear(2, 3), b=nn.Sequential(nn.ReLU(), nn.ELU(0.1))))
    assert repr(net) == (
        "Sequential(\n  (a): Linear(in_features=2, out_features=3, bias=True)\n  (b): Sequential(\n    (0): ReLU()\n"
        "    (1): ELU(alpha=0.1)\n  )\n)"
    )
    assert (
        repr(nn.LeakyReLU(0.2)) == "LeakyReLU(negative_slope=0.2)"
        and repr(nn.Flatten()) == "Flatten(start_dim=1, end_dim=-1)"
    )


def test_state():
    net, other = Net(), Net()
    other.load_state_dict(net.state_dict())
    x = torch.ones(2)
    assert net(x).tolist() == other(x).tolist()
    net.double()
    assert net.first.weight.dtype is torch.float64 and net.first.weight.requires_grad
    assert net.float()(x).dtype is torch.float32
    net.requires_grad_(False)
    assert not net(x).requires_grad
    net.requires_grad_()
    net(x).sum().backward()
    assert net.scale.grad is not None
    net.zero_grad(set_to_none=False)
    assert net.scale.grad.tolist() == [0]
    net.zero_grad()
    assert net.scale.grad is None
    net.apply(lambda module: setattr(module, "seen", True))
    assert net.first.seen


def test_training_mode():
    net = nn.Sequential(nn.Linear(1, 1))
    assert net.training and not net.eval()[0].training and net.train()[0].training


def test_layers_agree_with_their_functions():
    x = torch.randn(3, 4)
    for module, function in {
        nn.ReLU(): F.relu,
        nn.Sigmoid(): F.sigmoid,
        nn.Tanh(): F.tanh,
        nn.SiLU(): F.silu,
        nn.GELU(): F.gelu,
        nn.Softplus(beta=2): lambda a: F.softplus(a, beta=2),
        nn.ELU(0.5): lambda a: F.elu(a, 0.5),
        nn.Softmax(dim=1): lambda a: F.softmax(a, 1),
        nn.LogSoftmax(1): lambda a: F.log_softmax(a, 1),
        nn.Identity(): lambda a: a,
        nn.Flatten(0): lambda a: a.flatten(),
    }.items():
        np.testing.assert_allclose(module(x).detach().numpy(), function(x).numpy(), rtol=1e-6)
    target = torch.tensor([0, 3, 1])
    assert nn.CrossEntropyLoss()(x, target) == F.cross_entropy(x, target)
    assert nn.L1Loss(reduction="sum")(x, x * 0) == F.l1_loss(x, x * 0, "sum")


def test_lists():
    layers = nn.ModuleList([nn.Linear(1, 1)]).append(nn.ReLU())
    assert len(layers) == 2 and isinstance(layers[1], nn.ReLU) and isinstance(layers[:1], nn.Sequential)
    assert [type(layer).__name__ for layer in layers] == ["Linear", "ReLU"]


def test_initial_values():
    w = torch.empty(50, 40, requires_grad=True)
    assert nn.init.zeros_(w) is w and not w.any() and nn.init.ones_(w).all() and nn.init.constant_(w, 3.0)[0, 0] == 3
    assert nn.init.uniform_(w, 1, 2).min() >= 1 and nn.init.normal_(w, 5.0).mean() > 4
    assert nn.init.xavier_uniform_(w).abs().max() <= np.sqrt(6 / 90) + 1e-6
    assert abs(nn.init.xavier_normal_(w).std().item() - np.sqrt(2 / 90)) < 0.02
    assert nn.init.kaiming_uniform_(w, a=0.0).abs().max() <= np.sqrt(6 / 40) + 1e-6
    assert abs(nn.init.kaiming_normal_(w, mode="fan_out", nonlinearity="relu").std().item() - np.sqrt(2 / 50)) < 0.02
    assert w.is_leaf and w.requires_grad


def descent(kind, **options):
    """Two steps from (1, 2) on x^2 + 3 y^2, and where they lead."""
    x = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    optimizer = kind([x], **options)
    for _ in range(2):
        optimizer.zero_grad()
        (x**2 * torch.tensor([1.0, 3.0], dtype=torch.float64)).sum().backward()
        optimizer.step()
    return x.detach().numpy()


# The end of the second step, as PyTorch 2.13 has it.
STEPS = {
    "SGD": (optim.SGD, {"lr": 0.1}, [0.64, 0.32]),
    "momentum": (optim.SGD, {"lr": 0.1, "momentum": 0.9}, [0.46, -0.76]),
    "Nesterov": (optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}, [0.2224, -0.9328]),
    "decay": (optim.SGD, {"lr": 0.1, "weight_decay": 0.1, "maximize": True}, [1.4161, 5.0562]),
    "Adam": (optim.Adam, {"lr": 0.1}, [0.800412229, 1.800166486]),
    "AMSGrad": (optim.Adam, {"lr": 0.1, "amsgrad": True}, [0.800412229, 1.800166486]),
    "RMSprop": (optim.RMSprop, {"lr": 0.01}, [0.832917968, 1.830943327]),
    "RMSprop, centred": (
        optim.RMSprop,
        {"lr": 0.01, "centered": True, "momentum": 0.5, "weight_decay": 0.1},
        [0.781507491, 1.77950026],
    ),
}


@pytest.mark.parametrize("name", STEPS)
def test_optimisers(name):
    kind, options, expected = STEPS[name]
    np.testing.assert_allclose(descent(kind, **options), expected, atol=1e-9)


def test_groups_and_closures():
    a, b = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)
    optimizer = optim.SGD([{"params": [a]}, {"params": b, "lr": 1.0}], lr=0.1)

    def closure():
        optimizer.zero_grad(set_to_none=False)
        loss = (a + b).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure) == 2
    assert a.item() == pytest.approx(0.9) and b.item() == 0


ERRORS = {
    "no parameters": (lambda: optim.SGD([]), ValueError, "empty list of parameters"),
    "no leaf": (lambda: optim.SGD([torch.ones(1, requires_grad=True) * 2]), ValueError, "only optimize leaf tensors"),
    "no tensor": (lambda: optim.SGD([3.0]), TypeError, "one of the parameters is float"),
    "before init": (
        lambda: type("M", (nn.Module,), {"__init__": lambda self: setattr(self, "a", nn.Linear(1, 1))})(),
        TypeError,
        "before Module.__init__",
    ),
    "no forward": (lambda: nn.Module()(1), AttributeError, "does not define forward"),
    "no attribute": (lambda: nn.Linear(1, 1).depth, AttributeError, "Linear has no attribute 'depth'"),
    "wrong state": (
        lambda: nn.Linear(1, 1).load_state_dict({"weight": torch.ones(1, 1)}),
        ValueError,
        r"missing \['bias'\]",
    ),
    "a missing module": (lambda: nn.Conv2d, AttributeError, "torch.nn has no 'Conv2d'"),
    "a missing optimiser": (lambda: optim.LBFGS, AttributeError, "wengert.scipy.optimize.minimize"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_misuse(case):
    call, builtin, text = ERRORS[case]
    with pytest.raises(builtin, match=text):
        call()
