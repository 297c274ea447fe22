"""Tensors of PyTorch's spelling: dtypes and promotion, printing, making them, and ways out."""

from __future__ import annotations

import copy
import pickle
import threading

import numpy as np
import pytest

import wengert.compat.torch as torch

# ---------------------------------------------------------------- printing, as PyTorch 2.13 prints

PRINTED = {
    "torch.tensor([1., 2.])": "tensor([1., 2.])",
    "torch.tensor(1.)": "tensor(1.)",
    "torch.tensor(3.14159265)": "tensor(3.1416)",
    "torch.tensor([1., 2.], requires_grad=True)": "tensor([1., 2.], requires_grad=True)",
    "torch.tensor([1., 2.], requires_grad=True) * 2": "tensor([2., 4.], grad_fn=<MulBackward0>)",
    "torch.tensor([1.5, 2.], dtype=torch.float64)": "tensor([1.5000, 2.0000], dtype=torch.float64)",
    "torch.tensor([1, 2])": "tensor([1, 2])",
    "torch.tensor([1, 20, 300], dtype=torch.int32)": "tensor([  1,  20, 300], dtype=torch.int32)",
    "torch.tensor([True, False])": "tensor([ True, False])",
    "torch.tensor([1e-5, 1.])": "tensor([1.0000e-05, 1.0000e+00])",
    "torch.tensor([1e10, 1.])": "tensor([1.0000e+10, 1.0000e+00])",
    "torch.tensor([])": "tensor([])",
    "torch.zeros(0, 3)": "tensor([], size=(0, 3))",
    "torch.tensor([1 + 2j, -3.5 - 1j])": "tensor([ 1.0000+2.j, -3.5000-1.j])",
    "torch.tensor([float('nan'), 1.])": "tensor([nan, 1.])",
    "torch.tensor([1.5, float('nan')])": "tensor([1.5000,    nan])",
    "torch.tensor([float('inf'), -1.])": "tensor([inf, -1.])",
    "torch.eye(2)": "tensor([[1., 0.],\n        [0., 1.]])",
    "torch.zeros(2, 1, 2)": "tensor([[[0., 0.]],\n\n        [[0., 0.]]])",
    "torch.linspace(0, 1, 11)": (
        "tensor([0.0000, 0.1000, 0.2000, 0.3000, 0.4000, 0.5000, 0.6000, 0.7000, 0.8000,\n        0.9000, 1.0000])"
    ),
    "torch.arange(2000.)": (
        "tensor([0.0000e+00, 1.0000e+00, 2.0000e+00,  ..., 1.9970e+03, 1.9980e+03,\n        1.9990e+03])"
    ),
    "torch.tensor([123456.789])": "tensor([123456.7891])",
    "torch.tensor([0.1, 0.25, 100.5])": "tensor([1.0000e-01, 2.5000e-01, 1.0050e+02])",
    "torch.zeros(1, dtype=torch.float64, requires_grad=True)": "tensor([0.], dtype=torch.float64, requires_grad=True)",
    "torch.tensor([[1., 2.]], requires_grad=True).sum()": "tensor(3., grad_fn=<SumBackward0>)",
    "torch.float32": "torch.float32",
    "torch.zeros(2, 3).shape": "torch.Size([2, 3])",
    "torch.zeros(2).device": "device(type='cpu')",
    "torch.max(torch.tensor([[1., 3.]]), dim=1)": (
        "torch.return_types.max(\nvalues=tensor([3.]),\nindices=tensor([1]))"
    ),
}


@pytest.mark.parametrize("source", PRINTED)
def test_printing(source):
    assert repr(eval(source)) == PRINTED[source]


def test_a_long_note_starts_a_new_line():
    x = torch.zeros(9, requires_grad=True) + 0.5
    assert repr(x) == (
        "tensor([0.5000, 0.5000, 0.5000, 0.5000, 0.5000, 0.5000, 0.5000, 0.5000, 0.5000],\n"
        "       grad_fn=<AddBackward0>)"
    )


def test_print_options():
    torch.set_printoptions(precision=2)
    assert repr(torch.tensor([0.12345])) == "tensor([0.12])"
    torch.set_printoptions(profile="default", sci_mode=True)
    assert repr(torch.tensor([0.5])) == "tensor([5.0000e-01])"
    torch.set_printoptions(profile="default", edgeitems=1, threshold=4)
    assert repr(torch.arange(9)) == "tensor([0,  ..., 8])"
    torch.set_printoptions(profile="default")
    assert f"{torch.tensor(1.25):.1f}" == "1.2"


def test_the_node_names_of_common_functions():
    x = torch.tensor([1.0, 2.0], requires_grad=True)  # noqa: F841  (the sources below read it)
    names = {
        "x.sum()": "Sum",
        "x.mean()": "Mean",
        "x.view(2, 1)": "View",
        "x.exp()": "Exp",
        "x ** 2": "Pow",
        "x.sin()": "Sin",
        "x @ x": "Dot",
        "x.outer(x) @ x": "Mv",
        "torch.cat([x, x])": "Cat",
        "torch.where(x > 0, x, 0)": "Where",
        "x[0]": "Select",
        "x[:1]": "Slice",
        "x.relu()": "Relu",
        "x.sigmoid()": "Sigmoid",
        "x.softmax(0)": "Softmax",
        "x.std()": "Std",
        "-x": "Neg",
        "x.sqrt()": "Sqrt",
        "x.max(0).values": "Max",
        "torch.nn.functional.mse_loss(x, x * 2)": "MseLoss",
        "x.clone()": "Clone",
        "x.double()": "ToCopy",
        "x.unsqueeze(0)": "Unsqueeze",
        "x.erf()": "Erf",
        "torch.linalg.norm(x)": "LinalgVectorNorm",
    }
    for source, name in names.items():
        assert eval(source).grad_fn.name() == f"{name}Backward0", source


# ---------------------------------------------------------------- dtypes


def test_dtypes_are_what_numpy_understands():
    assert torch.float32 == np.float32 and np.dtype("float64") == torch.float64
    assert torch.float is torch.float32 and torch.long is torch.int64 and torch.double is torch.float64
    assert hash(torch.float32) == hash(np.dtype("float32")) and {torch.float32: 1}[torch.tensor(1.0).dtype] == 1
    assert np.zeros(2, torch.float64).dtype == np.float64
    assert torch.float32.is_floating_point and torch.complex64.is_complex and not torch.uint8.is_signed
    assert torch.complex64.to_real() is torch.float32 and torch.float64.to_complex() is torch.complex128
    assert pickle.loads(pickle.dumps(torch.float32)) is torch.float32 and copy.copy(torch.int8) is torch.int8
    assert torch.float32 != "a" and torch.float32 != torch.float64
    assert torch.finfo(torch.float32).eps == np.finfo(np.float32).eps and torch.finfo().bits == 32
    assert torch.iinfo(torch.int8).max == 127
    assert (
        {torch.device("cpu")} == {torch.device("cpu")}
        and torch.device("cpu") == "cpu"
        and str(torch.device("cpu:0")) == "cpu:0"
    )


PROMOTED = {
    "torch.ones(2) * 2.5": torch.float32,
    "torch.ones(2) + 1": torch.float32,
    "torch.ones(2) + 1j": torch.complex64,
    "torch.tensor([1, 2]) * 1.5": torch.float32,
    "torch.tensor([1, 2]) + 1": torch.int64,
    "torch.tensor([1, 2]) / 2": torch.float32,
    "torch.tensor([7, 8]) // 2": torch.int64,
    "torch.tensor([1, 2]) + torch.ones(2)": torch.float32,
    "torch.tensor([1, 2]) + torch.ones(2, dtype=torch.float16)": torch.float16,
    "torch.ones(2) * torch.tensor(2., dtype=torch.float64)": torch.float32,
    "torch.ones(2) * torch.ones(1, dtype=torch.float64)": torch.float64,
    "torch.ones(2) * torch.tensor(1j, dtype=torch.complex128)": torch.complex64,
    "torch.tensor(2., dtype=torch.float64) * torch.tensor([1, 2])": torch.float64,
    "torch.tensor([True]) + 1": torch.int64,
    "torch.tensor([True]) + True": torch.bool,
    "torch.ones(2) > 1": torch.bool,
    "2 ** torch.tensor([1, 2])": torch.int64,
    "torch.tensor([1, 2]).sqrt()": torch.float32,
    "torch.tensor([1, 2]).sum()": torch.int64,
    "(torch.ones(3) > 0).sum()": torch.int64,
    "torch.ones(2) * np.ones(2)": torch.float64,
    "torch.where(torch.tensor([True]), 1, 0.5)": torch.float32,
    "torch.atan2(torch.tensor([1]), torch.tensor([2]))": torch.float32,
}


@pytest.mark.parametrize("source", PROMOTED)
def test_promotion(source):
    assert eval(source).dtype is PROMOTED[source]


def test_promotion_functions():
    assert torch.promote_types(torch.int64, torch.float16) is torch.float16
    assert torch.promote_types(torch.float64, torch.complex64) is torch.complex128
    assert torch.promote_types(torch.uint8, torch.int8) is torch.int16
    assert torch.result_type(torch.tensor([1]), 1.0) is torch.float32
    assert torch.can_cast(torch.int32, torch.float32) and not torch.can_cast(torch.float32, torch.int32)


def test_the_default_dtype():
    assert torch.get_default_dtype() is torch.float32
    torch.set_default_dtype(torch.float64)
    assert torch.tensor(1.0).dtype is torch.float64 and torch.rand(2).dtype is torch.float64
    assert (torch.tensor([1]) * 1.5).dtype is torch.float64
    assert repr(torch.tensor([1.0])) == "tensor([1.])"
    found = []
    thread = threading.Thread(target=lambda: found.append(torch.get_default_dtype()))
    thread.start()
    thread.join()
    assert found == [torch.float32]


# ---------------------------------------------------------------- making tensors

MADE = {
    "torch.tensor([1, 2.])": ("float32", [1, 2]),
    "torch.tensor([[1, 2], [3, 4]])": ("int64", [[1, 2], [3, 4]]),
    "torch.tensor([1j])": ("complex64", [1j]),
    "torch.tensor(np.float64(2))": ("float64", 2),
    "torch.tensor([np.float64(2)])": ("float64", [2]),
    "torch.tensor(np.arange(2))": ("int64", [0, 1]),
    "torch.tensor([torch.tensor(1.), torch.tensor(2.)])": ("float32", [1, 2]),
    "torch.as_tensor([1., 2.])": ("float32", [1, 2]),
    "torch.as_tensor(np.ones(2))": ("float64", [1, 1]),
    "torch.as_tensor(np.ones(2), dtype=torch.float32)": ("float32", [1, 1]),
    "torch.from_numpy(np.ones(2))": ("float64", [1, 1]),
    "torch.Tensor([1, 2])": ("float32", [1, 2]),
    "torch.zeros(2)": ("float32", [0, 0]),
    "torch.ones((1, 2))": ("float32", [[1, 1]]),
    "torch.ones(2, dtype=torch.int8)": ("int8", [1, 1]),
    "torch.empty(0)": ("float32", []),
    "torch.full((2,), 3)": ("int64", [3, 3]),
    "torch.full((2,), 3.)": ("float32", [3, 3]),
    "torch.eye(2, 3)": ("float32", [[1, 0, 0], [0, 1, 0]]),
    "torch.arange(3)": ("int64", [0, 1, 2]),
    "torch.arange(1, 2, 0.5)": ("float32", [1, 1.5]),
    "torch.arange(start=1, end=3)": ("int64", [1, 2]),
    "torch.arange(end=2)": ("int64", [0, 1]),
    "torch.linspace(0, 1, 3)": ("float32", [0, 0.5, 1]),
    "torch.logspace(0, 2, 3)": ("float32", [1, 10, 100]),
    "torch.range(1, 3)": ("float32", [1, 2, 3]),
    "torch.zeros_like(torch.ones(2, dtype=torch.float64))": ("float64", [0, 0]),
    "torch.ones_like(torch.tensor([3]))": ("int64", [1]),
    "torch.full_like(torch.zeros(2), 7)": ("float32", [7, 7]),
    "torch.tril_indices(2, 2)": ("int64", [[0, 1, 1], [0, 0, 1]]),
    "torch.triu_indices(2, 2)": ("int64", [[0, 0, 1], [0, 1, 1]]),
    "torch.complex(torch.ones(1), torch.ones(1))": ("complex64", [1 + 1j]),
    "torch.ones(2).new_zeros(1)": ("float32", [0]),
    "torch.ones(2).new_full((1,), 2)": ("float32", [2]),
    "torch.ones(2).new_tensor([3])": ("float32", [3]),
    "torch.ones(2).double()": ("float64", [1, 1]),
    "torch.ones(2).to(torch.int64)": ("int64", [1, 1]),
    "torch.ones(2).to('cpu', dtype=torch.float64)": ("float64", [1, 1]),
    "torch.ones(2).to(torch.zeros(1, dtype=torch.int16))": ("int16", [1, 1]),
    "torch.tensor([1.7, -1.7]).long()": ("int64", [1, -1]),
    "torch.tensor([1.7]).type(torch.int32)": ("int32", [1]),
    "torch.tensor([1.7]).bool()": ("bool", [True]),
    "torch.tensor([1]).type_as(torch.ones(1))": ("float32", [1]),
    "torch.zeros(1).set_(torch.ones(2))": ("float32", [1, 1]),
    "np.eye(2, dtype=np.float32) @ torch.ones(2)": ("float32", [1, 1]),
    "torch.ones(2).__rmatmul__(torch.ones(2, 2))": ("float32", [2, 2]),
}


@pytest.mark.parametrize("source", MADE)
def test_making(source):
    made = eval(source)
    dtype, values = MADE[source]
    assert repr(made.dtype) == f"torch.{dtype}"
    np.testing.assert_allclose(np.asarray(made.tolist()), values, rtol=1e-6)


def test_a_tensor_is_a_copy_of_an_array():
    array = np.ones(2)
    for made in (torch.tensor(array), torch.from_numpy(array)):
        array[0] = 5
        assert made[0] == 1
        array[0] = 1


def test_random_numbers():
    torch.manual_seed(3)
    first = torch.rand(3, 2), torch.randn(4), torch.randint(0, 9, (5,)), torch.randperm(6), torch.normal(1.0, 2.0, (2,))
    assert torch.manual_seed(3) is torch.default_generator() and torch.initial_seed() == 3
    again = torch.rand(3, 2), torch.randn(4), torch.randint(0, 9, (5,)), torch.randperm(6), torch.normal(1.0, 2.0, (2,))
    for a, b in zip(first, again, strict=True):
        assert torch.equal(a, b)
    assert first[0].dtype is torch.float32 and first[2].dtype is torch.int64
    assert sorted(first[3].tolist()) == list(range(6))
    generator = torch.Generator().manual_seed(1)
    assert torch.rand(2, generator=generator).shape == (2,) and generator.initial_seed() == 1
    assert torch.rand_like(torch.zeros(2, dtype=torch.float64)).dtype is torch.float64
    assert set(torch.bernoulli(torch.tensor([0.0, 1.0])).tolist()) == {0.0, 1.0}
    assert torch.multinomial(torch.tensor([0.0, 1.0]), 3, replacement=True).tolist() == [1, 1, 1]
    assert torch.randint(5, size=(2,)).shape == (2,) and isinstance(torch.seed(), int)
    assert torch.zeros(3).uniform_(2, 3).min() >= 2 and torch.zeros(3).normal_().shape == (3,)
    assert torch.randn_like(torch.zeros(2), requires_grad=True).requires_grad
    assert torch.normal(torch.zeros(2), torch.ones(2)).shape == (2,)


# ---------------------------------------------------------------- properties and ways out


def test_properties():
    x = torch.zeros(2, 3)
    assert x.size() == (2, 3) and x.size(1) == 3 and x.size(-1) == 3 and x.size == 6
    assert x.dim() == x.ndim == 2 and x.numel() == x.nelement() == 6 and len(x) == 2
    assert x.shape.numel() == 6 and x.stride() == (3, 1) and x.stride(0) == 3
    assert x.is_leaf and not x.requires_grad and x.grad is None and x.grad_fn is None
    assert x.type() == "torch.FloatTensor" and x.element_size() == 4 and x.is_contiguous()
    assert torch.is_tensor(x) and x.is_floating_point() and not x.is_complex() and x.get_device() == -1
    assert torch.is_floating_point(x) and not torch.is_complex(x) and torch.numel(x) == 6 and torch.typename(3) == "int"
    assert not x.is_cuda and x.cpu() is x and x.data_ptr() == x.T.data_ptr()
    assert len({x, x, torch.zeros(2, 3)}) == 2  # hashed by identity
    x.mark = 3  # tensors take attributes, as in PyTorch
    assert x.mark == 3


def test_ways_out():
    x = torch.tensor([[1.0, 2.0]], requires_grad=True)
    assert x.tolist() == [[1.0, 2.0]] and x[0, 1].item() == 2.0 and x.detach().numpy().dtype == np.float32
    np.testing.assert_array_equal(x.numpy(force=True), [[1, 2]])
    np.testing.assert_array_equal(np.asarray(x.detach(), dtype=np.float64), [[1, 2]])
    assert [row.shape for row in x] == [(2,)] and 2.0 in x.detach()
    with pytest.warns(UserWarning, match="requires grad gives a plain number"):
        assert float(x[0, 0]) == 1.0
    with pytest.warns(UserWarning, match="requires grad gives a plain number"):
        assert int(x[0, 1]) == 2
    assert complex(torch.tensor(1j)) == 1j
    if x[0, 0] > 0:  # control flow is free
        assert True


def test_copies():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    (x**2).sum().backward()
    y = copy.deepcopy(x)
    assert y.requires_grad and y.is_leaf and torch.equal(y.grad, x.grad) and y.grad is not x.grad
    z = pickle.loads(pickle.dumps(x))
    assert z.requires_grad and torch.equal(z, x)
    assert torch.equal(x.clone(), x) and x.clone().grad_fn is not None


def test_tensors_and_numpy_functions():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = np.sum(np.sin(x) * np.array([1.0, 2.0]))
    assert isinstance(y, torch.Tensor)
    y.backward()
    np.testing.assert_allclose(x.grad.numpy(), np.cos([1, 2]) * [1, 2], rtol=1e-6)


# ---------------------------------------------------------------- misuse

ERRORS = {
    "torch.tensor([[1.], [2., 3.]])": (ValueError, "unequal lengths"),
    "torch.tensor('a')": (TypeError, "cannot make a tensor of str"),
    "torch.tensor([torch.ones(1, requires_grad=True)])": (RuntimeError, r"torch.stack\(\[a, b\]\)"),
    "torch.tensor([1, 2], requires_grad=True)": (RuntimeError, "only tensors of floating point and complex dtype"),
    "torch.from_numpy([1.])": (TypeError, r"expected np.ndarray \(got list\)"),
    "torch.from_numpy(np.ones(2, np.longdouble))": (RuntimeError, "a tensor cannot hold NumPy's"),
    "torch.set_default_dtype(torch.int64)": (TypeError, "default dtype must be floating"),
    "torch.device('cuda')": (RuntimeError, "there is no device 'cuda'"),
    "torch.zeros(2, device='cuda')": (RuntimeError, "there is no device 'cuda'"),
    "torch.ones(2).to('mps')": (RuntimeError, "there is no device 'mps'"),
    "bool(torch.ones(2))": (RuntimeError, "a tensor with 2 elements is ambiguous"),
    "torch.ones(2).item()": (RuntimeError, "a tensor with 2 elements cannot be converted"),
    "torch.ones(2, requires_grad=True).numpy()": (RuntimeError, "can't call numpy.. on a tensor that requires grad"),
    "np.asarray(torch.ones(2, requires_grad=True))": (RuntimeError, r"x.detach\(\).numpy\(\)"),
    "copy.deepcopy(torch.ones(2, requires_grad=True) * 2)": (RuntimeError, "graph leaves. support the deepcopy"),
    "pickle.dumps(torch.ones(2, requires_grad=True) * 2)": (RuntimeError, "only graph leaves can be pickled"),
    "torch.ones(2, requires_grad=True).apply_(abs)": (RuntimeError, r"apply_\(\) on a tensor that requires grad"),
    "torch.ones(2) + torch.ones(3)": (RuntimeError, r"add: tensors of shapes \(2,\), \(3,\) do not fit"),
    "torch.maximum(torch.ones(2), torch.ones(3))": (RuntimeError, "maximum: tensors of shapes"),
    "torch.cuda": (AttributeError, "torch has no 'cuda' here.*\n.*one device"),
    "torch.frobnicate": (AttributeError, "torch has no 'frobnicate'"),
    "torch.nn.functional.conv2d": (AttributeError, "torch.nn.functional has no 'conv2d'"),
    "torch.ones(2).frobnicate": (AttributeError, "torch.Tensor has no method 'frobnicate'"),
    "torch.interp": (AttributeError, "numpy.interp, which takes tensors"),
    "torch.max(torch.ones(1, 2), 1).places": (AttributeError, "has no 'places'; it has values, indices"),
}


@pytest.mark.parametrize("source", ERRORS)
def test_misuse(source):
    builtin, text = ERRORS[source]
    with pytest.raises(builtin, match=text):
        eval(source)


def test_a_copy_of_a_tracked_tensor_warns():
    with pytest.warns(UserWarning, match="drops the history"):
        assert not torch.tensor(torch.ones(2, requires_grad=True)).requires_grad
