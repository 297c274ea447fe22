"""Functions and methods of PyTorch's spelling: gradients against differences, and values that pin conventions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from torch_expressions import EXPRESSIONS

import wengert.compat.torch as torch
from wengert.compat.torch.nn import functional as F

_random = np.random.default_rng(5)
_S = _random.standard_normal((3, 3))
VALUES = {
    "A": _random.standard_normal((3, 4)),
    "V": _random.standard_normal(4),
    "S": _S,
    "H": _S @ _S.T + 3 * np.eye(3),
    "P": _random.random((3, 4)) * 0.8 + 0.1,
    "B": _random.standard_normal((2, 3, 4)),
    "C": _random.standard_normal((2, 4, 3)),
}
INDICES = {"I": np.array([[2, 0, 1, 0], [1, 1, 0, 2]]), "idx": np.array([0, 2, 1, 1])}


def evaluate(code, values, track=False):
    names = {"T": torch, "F": F, **{k: torch.tensor(v) for k, v in INDICES.items()}}
    leaves = {k: torch.tensor(v, requires_grad=track) for k, v in values.items()}
    return eval(code, {**names, **leaves}), leaves


@pytest.mark.parametrize("source", EXPRESSIONS.strip().splitlines())
def test_gradient(source):
    code = compile(source, source, "eval")
    out, leaves = evaluate(code, VALUES, track=True)
    weights = torch.tensor(np.cos(np.arange(out.numel())).reshape(tuple(out.shape)))
    used = [k for k in VALUES if k in code.co_names]
    found = torch.autograd.grad((out * weights).sum(), [leaves[k] for k in used], allow_unused=True)
    for name, gradient in zip(used, found, strict=True):
        if gradient is None:
            continue
        direction = _random.standard_normal(VALUES[name].shape)
        step = 1e-6
        ends = []
        for sign in (1, -1):
            moved, _ = evaluate(code, {**VALUES, name: VALUES[name] + sign * step * direction})
            ends.append(float((moved * weights).sum()))
        expected = (ends[0] - ends[1]) / (2 * step)
        assert np.sum(gradient.numpy() * direction) == pytest.approx(expected, rel=2e-5, abs=2e-6), name


# ---------------------------------------------------------------- values

nan = math.nan

RESULTS = {
    "torch.relu(torch.tensor([nan, -1., 2.]))": [nan, 0, 2],
    "torch.tensor([3j, 0j]).bool()": [True, False],
    "torch.median(torch.tensor([1., nan, 2.]))": nan,
    "torch.median(torch.tensor([[1., nan], [3., 2.]]), 1).indices": [1, 1],
    "torch.median(torch.zeros(0))": nan,
    "torch.cummax(torch.tensor([1., nan, 2.]), 0).values": [1, nan, nan],
    "torch.cummax(torch.tensor([1., nan, 2.]), 0).indices": [0, 1, 1],
    "torch.logcumsumexp(torch.tensor([-1000., 0.]), 0)": [-1000, 0],
    "torch.angle(torch.tensor([float('inf'), -1.]))": [0, math.pi],
    "torch.tensor(3.).argsort()": 0,
    "torch.tensor(3.).argmax(0)": 0,
    "torch.nonzero(torch.tensor(3.))": np.zeros((1, 0)),
    "torch.where(torch.tensor(3.))[0]": [0],
    "torch.softmax(torch.zeros(0), 0)": np.zeros(0),
    "torch.nn.functional.cosine_similarity(torch.ones(2, 3), torch.tensor([1., 0., 0.]))": [3**-0.5, 3**-0.5],
    "torch.sigmoid(torch.tensor([0j])).real": [0.5],
    "torch.tensor([1., 3., 2.]).argmax()": 1,
    "torch.tensor([[1., 3.], [5., 2.]]).argmin(0)": [0, 1],
    "torch.tensor([3., 1., 2.]).argsort()": [1, 2, 0],
    "torch.tensor([1., 3., 1.]).argsort(descending=True, stable=True)": [1, 0, 2],
    "torch.tensor([1., 3., 1.]).sort(descending=True).indices": [1, 0, 2],
    "torch.tensor([1., 3., 2.]).topk(2).indices": [1, 2],
    "torch.tensor([1., 2., 3., 4.]).median()": 2,
    "torch.tensor([2., 2., 1.]).max(0).indices": 0,
    "torch.cummax(torch.tensor([1., 1., 0.]), 0).indices": [0, 1, 1],
    "torch.tensor([1., 0., 2.]).nonzero()": [[0], [2]],
    "torch.argwhere(torch.tensor([[0, 1]]))": [[0, 1]],
    "torch.where(torch.tensor([0., 2.]))[0]": [1],
    "torch.nonzero(torch.tensor([0, 1]), as_tuple=True)[0]": [1],
    "torch.searchsorted(torch.tensor([1., 2., 3.]), torch.tensor([2., 5.]))": [1, 3],
    "torch.searchsorted(torch.tensor([[1., 2.]]), torch.tensor([[2.]]), right=True)": [[2]],
    "torch.bucketize(torch.tensor([2., 5.]), torch.tensor([1., 2., 3.]))": [1, 3],
    "torch.unique(torch.tensor([2, 1, 2]))": [1, 2],
    "torch.unique(torch.tensor([2, 1, 2]), return_counts=True)[1]": [1, 2],
    "torch.bincount(torch.tensor([0, 2, 2]), minlength=4)": [1, 0, 2, 0],
    "torch.histc(torch.tensor([0., 1., 3.]), 3, 0, 3)": [1, 1, 1],
    "torch.tensor([1, 2, 0]).count_nonzero()": 2,
    "torch.tensor([1., 0.]).all()": False,
    "torch.tensor([1., 0.]).any()": True,
    "torch.ones(2, 3).all(dim=1)": [True, True],
    "torch.tensor([-1.5, 2.5]).round()": [-2, 2],
    "torch.round(torch.tensor([1.25]), decimals=1)": [1.2],
    "torch.tensor([-1.5, 1.5]).trunc()": [-1, 1],
    "torch.tensor([-1.5, 1.5]).floor()": [-2, 1],
    "torch.tensor([-1.5, 1.5]).ceil()": [-1, 2],
    "torch.tensor([-2., 0., 3.]).sign()": [-1, 0, 1],
    "torch.div(torch.tensor([7., -7.]), 2, rounding_mode='floor')": [3, -4],
    "torch.div(torch.tensor([7., -7.]), 2, rounding_mode='trunc')": [3, -3],
    "torch.tensor([7, -7]) // 2": [3, -4],
    "torch.isnan(torch.tensor([float('nan'), 1.]))": [True, False],
    "torch.isposinf(torch.tensor([float('inf'), 1.]))": [True, False],
    "torch.isneginf(torch.tensor([float('inf'), 1.]))": [False, False],
    "torch.isreal(torch.tensor([1j, 1.]))": [False, True],
    "torch.isreal(torch.tensor([1.]))": [True],
    "torch.isclose(torch.tensor([1.]), torch.tensor([1. + 1e-9]))": [True],
    "torch.tensor([1, 0]) & torch.tensor([1, 1])": [1, 0],
    "~torch.tensor([True, False])": [False, True],
    "torch.logical_not(torch.tensor([1., 0.]))": [False, True],
    "torch.gcd(torch.tensor([4]), torch.tensor([6]))": [2],
    "torch.eq(torch.tensor([1., 2.]), 1)": [True, False],
    "torch.tensor([1., 2.]) == 1": [True, False],
    "torch.linalg.matrix_rank(torch.ones(2, 2))": 1,
    "torch.linalg.eigvals(torch.tensor([[0., 1.], [-1., 0.]])).abs()": [1, 1],
    "torch.linalg.eig(torch.eye(2)).eigenvalues.real": [1, 1],
    "torch.linalg.eigh(torch.eye(2)).eigenvalues": [1, 1],
    "torch.linalg.qr(torch.eye(2), mode='r').R.abs()": [[1, 0], [0, 1]],
    "torch.linalg.diagonal(torch.ones(1, 2, 2))": [[1, 1]],
    "torch.nn.functional.one_hot(torch.tensor([0, 2]))": [[1, 0, 0], [0, 0, 1]],
    "torch.ones(2, 3).size()": [2, 3],
    "torch.ones(2, 3).view(torch.int32)[0, 0]": 1065353216,
    "torch.tensor(3.).sort().values": 3,
    "torch.tensor(3.).cumsum(0)": 3,
    "torch.tensor(3.).softmax(0)": 1,
    "torch.tensor(3.).max(0).values": 3,
    "torch.tensor(3.).median(0).values": 3,
    "torch.ones(3).mean(0)": 1,
    "torch.zeros(0).sum()": 0,
    "torch.cat([torch.zeros(0), torch.ones(2)])": [1, 1],
    "torch.positive(torch.ones(1))": [1],
    "torch.special.logsumexp(torch.tensor([-math.inf, 0.]), 0)": 0,
}


@pytest.mark.parametrize("source", RESULTS)
def test_value(source):
    found = eval(source)
    found = found.tolist() if isinstance(found, torch.Tensor) else list(found)
    np.testing.assert_allclose(found, RESULTS[source], rtol=1e-6)


DTYPES = {
    "torch.digamma(torch.ones(1, dtype=torch.float16))": "torch.float16",
    "torch.sigmoid(torch.ones(1, dtype=torch.float16))": "torch.float16",
    "torch.xlogy(torch.ones(1), 2)": "torch.float32",
    "torch.special.xlog1py(2, torch.ones(1))": "torch.float32",
    "torch.nansum(torch.tensor([1, 2]))": "torch.int64",
    "torch.tensor([1], dtype=torch.uint8).sum()": "torch.int64",
    "torch.cumprod(torch.tensor([1], dtype=torch.uint8), 0)": "torch.int64",
    "torch.conj(torch.tensor([True]))": "torch.bool",
    "torch.angle(torch.tensor([1]))": "torch.float32",
}


@pytest.mark.parametrize("source", DTYPES)
def test_dtype(source):
    assert str(eval(source).dtype) == DTYPES[source]


def test_unique_keeps_the_derivative():
    x = torch.tensor([2.0, 1.0, 2.0], requires_grad=True)
    torch.unique(x).sum().backward()
    assert x.grad.tolist() == [1, 1, 0]


def test_statistics_of_integers_are_refused():
    with pytest.raises(RuntimeError, match=r"std: the dtype must be floating point or complex, not torch\.int64"):
        torch.tensor([1, 2]).std()


def test_errors_that_are_not_about_shapes_do_not_say_so():
    with pytest.raises(RuntimeError, match="pow: Integers to negative integer powers are not allowed"):
        torch.pow(torch.tensor([1, 2]), torch.tensor([-1, 1]))


def test_truths():
    x = torch.ones(2)
    assert torch.equal(x, torch.ones(2)) and not torch.equal(x, torch.ones(3))
    assert torch.allclose(x, x + 1e-9) and (x == None) is False and (x != None) is True  # noqa: E711
    assert torch.broadcast_shapes((2, 1), (3,)) == (2, 3)


# ---------------------------------------------------------------- kinks and masks


def slope(function, *values):
    leaves = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in values]
    found = torch.autograd.grad(function(*leaves).sum(), leaves)
    return found[0].tolist() if len(found) == 1 else [g.tolist() for g in found]


KINKS = {
    "abs at 0": (lambda x: x.abs(), (0.0,), 0),
    "maximum at a tie": (torch.maximum, (1.0, 1.0), [0.5, 0.5]),
    "relu at 0": (torch.relu, (0.0,), 0),
    "clamp at its bounds": (lambda x: x.clamp(0, 1), ([0.0, 1.0],), [1, 1]),
    "max of ties": (lambda x: x.max(), ([2.0, 2.0, 1.0],), [0.5, 0.5, 0]),
    "max(dim) of ties takes the first": (lambda x: x.max(0).values, ([2.0, 2.0, 1.0],), [1, 0, 0]),
    "amax of ties": (lambda x: x.amax(0), ([2.0, 2.0, 1.0],), [0.5, 0.5, 0]),
    "median takes the lower": (lambda x: x.median(), ([1.0, 2.0, 3.0, 4.0],), [0, 1, 0, 0]),
    "norm at 0": (lambda x: x.norm(), ([0.0, 0.0],), [0, 0]),
    "std of equal numbers": (lambda x: x.std(), ([1.0, 1.0],), [0, 0]),
    "a masked square root": (lambda x: torch.where(x > 0, x.sqrt(), 0.0), (0.0,), 0),
    "a masked logarithm": (lambda x: torch.where(x > 0, x.log(), 0.0), (0.0,), 0),
    "x ** 0": (lambda x: x**0, (0.0,), 0),
    "prod with a zero": (lambda x: x.prod(), ([0.0, 2.0, 3.0],), [6, 0, 0]),
    "cumprod with a zero": (lambda x: x.cumprod(0), ([0.0, 2.0, 3.0],), [9, 0, 0]),
    "sinc at 0": (torch.sinc, (0.0,), 0),
    "floor": (lambda x: x.floor() * x, (2.5,), 2),
    "softplus far left": (F.softplus, (-1000.0,), 0),
    "det of a singular matrix": (torch.linalg.det, ([[1.0, 2.0], [2.0, 4.0]],), [[4, -2], [-2, 1]]),
    "sqrt at 0": (torch.sqrt, (0.0,), math.inf),
    "assignment with a repeated index": (
        lambda x: torch.zeros(1, dtype=torch.float64).index_put((torch.tensor([0, 0]),), x),
        ([3.0, 4.0],),
        [0, 1],
    ),
    "Cholesky of a symmetric matrix": (
        lambda x: torch.linalg.cholesky(x),
        ([[4.0, 0.0], [0.0, 9.0]],),
        [[0.25, 0.25], [0.25, 1 / 6]],
    ),
    "eigenvalues of a symmetric matrix": (torch.linalg.eigvalsh, ([[1.0, 0.5], [0.5, 2.0]],), [[1, 0], [0, 1]]),
}


@pytest.mark.parametrize("case", KINKS)
def test_kink(case):
    function, values, expected = KINKS[case]
    with np.errstate(all="ignore"):
        found = slope(function, *values)
    np.testing.assert_allclose(found, expected, atol=1e-12)


COMPLEX = {
    "z * z": 2 - 4j,
    "z.imag": 1j,
    "z.abs()": (1 + 2j) / math.sqrt(5),
    "z.abs() ** 2": 2 + 4j,
    "torch.angle(z)": -0.4 + 0.2j,
    "z.conj()": 1,
    "1j * z": -1j,
}


@pytest.mark.parametrize("source", COMPLEX)
def test_complex_gradients_point_in_the_direction_of_steepest_ascent(source):
    z = torch.tensor(1 + 2j, dtype=torch.complex128, requires_grad=True)
    out = eval(source)
    (found,) = torch.autograd.grad(out, z, torch.ones((), dtype=out.dtype))
    assert found.item() == pytest.approx(COMPLEX[source])


# ---------------------------------------------------------------- misuse

ERRORS = {
    "torch.ones(2, 3) @ torch.ones(2, 3)": (RuntimeError, "cannot be multiplied: 3 is not 2"),
    "torch.ones(2, 2, 3) @ torch.ones(3, 3, 2)": (RuntimeError, "matmul: .*do not"),
    "torch.matmul(torch.tensor(1.), torch.ones(2))": (RuntimeError, "both arguments need at least one axis"),
    "torch.mm(torch.ones(2, 2), torch.ones(2))": (RuntimeError, "mm: expected tensors of 2 and 2 axes, not 2 and 1"),
    "torch.outer(torch.ones(2, 2), torch.ones(2))": (RuntimeError, "outer: expected vectors"),
    "torch.einsum('ij,jk', torch.ones(2, 3), torch.ones(2, 3))": (RuntimeError, "einsum: tensors of shapes"),
    "torch.tensor([1, 2]).mean()": (RuntimeError, "must be floating point or complex, not torch.int64"),
    "torch.ones(2).view(3)": (RuntimeError, "invalid for input of size 2"),
    "torch.ones(2).view(-1, -1)": (RuntimeError, "only one dimension can be inferred"),
    "torch.ones(6).view(-1, 4)": (RuntimeError, "invalid for input of size 6"),
    "torch.ones(2, 3).flatten(1, 0)": (ValueError, "start_dim 1 comes after end_dim 0"),
    "torch.ones(2, 3).permute(0, 0)": (RuntimeError, "does not name each of 2 axes once"),
    "torch.ones(2, 3).expand(5, 3)": (RuntimeError, "length 2 of axis 0 cannot become 5"),
    "torch.ones(2, 3).expand(3)": (RuntimeError, "has fewer axes than the tensor"),
    "torch.ones(1, 1, 1).t()": (RuntimeError, "tensor with <= 2 dimensions, but it has 3"),
    "torch.cat([])": (RuntimeError, "non-empty list of tensors"),
    "torch.cat([torch.ones(2), torch.ones(2, 2)])": (RuntimeError, "cat: tensors of shapes"),
    "torch.stack([torch.ones(2), torch.ones(3)])": (RuntimeError, "stack: tensors of shapes"),
    "torch.ones(4).split([1, 1])": (RuntimeError, "do not add up to 4"),
    "torch.ones(3).topk(4)": (RuntimeError, "k is 4, but the axis has 3"),
    "torch.ones(3).gather(0, torch.zeros(1, 1, dtype=torch.int64))": (RuntimeError, "index has 2 axes"),
    "torch.ones(2, 2).gather(0, torch.zeros(1, 3, dtype=torch.int64))": (RuntimeError, "longer than the tensor"),
    "torch.ones(3).scatter(0, torch.zeros(1, 1, dtype=torch.int64), 1.)": (RuntimeError, "index has 2 axes"),
    "torch.ones(3).scatter(0, torch.tensor([0]), 1., reduce='mean')": (ValueError, "reduce is None or 'add'"),
    "torch.clamp(torch.ones(1))": (ValueError, "at least one of min and max"),
    "torch.div(torch.ones(1), 2, rounding_mode='up')": (ValueError, "rounding_mode is None, 'trunc' or 'floor'"),
    "torch.norm(torch.ones(2), 'max')": (ValueError, "p is a number, 'fro' or 'nuc'"),
    "torch.linalg.norm(torch.ones(2), 'fro')": (ValueError, "needs a matrix, but 1 axes are reduced"),
    "torch.linalg.inv(torch.ones(2, 3))": (RuntimeError, "linalg.inv: tensors of shapes"),
    "torch.linalg.inv(torch.ones(2, 2))": (RuntimeError, "inv: "),
    "torch.linalg.cholesky(-torch.eye(2))": (RuntimeError, "cholesky: "),
    "torch.linalg.ldl_factor": (AttributeError, "torch.linalg has no 'ldl_factor'"),
    "torch.special.airy_ai": (AttributeError, "torch.special has no 'airy_ai'"),
    "F.mse_loss(torch.ones(2), torch.ones(2, 1))": (
        RuntimeError,
        r"input has shape \(2,\), but target has shape \(2, 1\)",
    ),
    "F.mse_loss(torch.ones(2), torch.ones(2), reduction='max')": (ValueError, "'mean', 'sum' or 'none', not 'max'"),
    "F.nll_loss(torch.ones(2, 3), torch.tensor([0]))": (RuntimeError, r"the target has shape \(1,\)"),
    "F.pad(torch.ones(2), (1, 1), mode='mirror')": (ValueError, "mode is one of constant"),
}


@pytest.mark.parametrize("source", ERRORS)
def test_misuse(source):
    builtin, text = ERRORS[source]
    with pytest.raises(builtin, match=text):
        eval(source)


@pytest.mark.parametrize(
    "source",
    [
        "torch.zeros(3, dtpe=torch.float64)",
        "torch.zeros()",
        "torch.ones_like(torch.ones(1), dtpe=torch.float64)",
        "torch.full_like(torch.ones(1), 2.0, shape=3)",
        "torch.rand(3, generatr=None)",
        "torch.randint(3, (2,), lo=1)",
        "torch.randperm(3, seed=1)",
        "torch.arange(3, stop=4)",
        "torch.ones(2).sum(dimm=0)",
        "torch.ones(2).std(unbiassed=False)",
        "torch.ones(2).max(dm=0)",
        "torch.ones(2).to(dtpe=torch.float64)",
    ],
)
def test_misspelt_settings_are_refused(source):
    with pytest.raises(TypeError):
        eval(source)


def test_settings_by_name():
    assert (
        torch.arange(1, 8, 3, layout="torch.strided").tolist()
        == torch.arange(start=1, end=8, step=3).tolist()
        == [1, 4, 7]
    )
    assert torch.arange(5, step=2).tolist() == [0, 2, 4] and torch.arange(1, end=3).tolist() == [1, 2]
    assert set(torch.randint(low=1, high=2, size=(3,)).tolist()) == {1}
    assert torch.ones(2, dtype=torch.float32).to(other=torch.ones(1, dtype=torch.float64)).dtype is torch.float64
