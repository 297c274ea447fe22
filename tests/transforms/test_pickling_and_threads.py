"""Every public callable pickles when the user's function does; threads and tasks give the serial numbers."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import pickle
import threading
import tracemalloc
import types
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.optimize

import wengert as wg
import wengert.compat.torch as torch

X = np.array([0.3, -1.2, 2.0])

# Functions that pickle by name from a module every process has.
CALLABLES = {
    "grad": (wg.grad(np.prod), (X,)),
    "value_and_grad": (wg.value_and_grad(np.prod), (X,)),
    "jacobian": (wg.jacobian(np.cumprod, chunk_size=2), (X,)),
    "jacobian as a matrix": (wg.jacobian(np.cumprod, as_matrix=True), (X,)),
    "jacfwd": (wg.jacfwd(np.cumprod), (X,)),
    "jacrev": (wg.jacrev(np.cumprod), (X,)),
    "value_and_jacobian": (wg.value_and_jacobian(np.cumprod), (X,)),
    "hessian": (wg.hessian(np.prod), (X,)),
    "value_grad_and_hessian": (wg.value_grad_and_hessian(np.prod), (X,)),
    "hessian_diag": (wg.hessian_diag(np.prod), (X,)),
    "laplacian": (wg.laplacian(np.prod), (X,)),
    "vmap": (wg.vmap(np.prod, chunk_size=1), (np.stack([X, X]),)),
    "vmap of grad": (wg.vmap(wg.grad(np.prod)), (np.stack([X, X]),)),
    "grad of grad": (wg.jacobian(wg.grad(np.prod)), (X,)),
    "checkpoint": (wg.checkpoint(np.prod), (X,)),
    "checkpointed_scan": (wg.checkpointed_scan(np.add, 3), (1.0,)),
    "custom_rule": (wg.custom_rule(np.cumprod), (X,)),
    "custom_gradient": (wg.custom_gradient(np.frexp), (2.0,)),
    "straight_through": (wg.straight_through(np.round), (X,)),
    "implicit": (wg.implicit(scipy.optimize.brentq), (np.sin, 2.0, 4.0)),
    "jit": (wg.jit(np.cumprod), (X,)),
    "jit of grad": (wg.jit(wg.grad(np.prod)), (X,)),
    "grad of jit": (wg.grad(wg.jit(np.prod)), (X,)),
    "batch_jacobian": (wg.batch_jacobian(np.sin), (np.stack([X, X]),)),
    "block_jacobian": (wg.block_jacobian(np.sin, (1, 1)), (X,)),
    "jacobian_diagonal": (wg.jacobian_diagonal(np.sin), (X,)),
    "pullback": (wg.vjp(np.cumprod, X)[1], (np.ones(3),)),
    "pullback of several": (wg.vjp(np.divmod, X, 2 * X)[1], ((np.ones(3), np.ones(3)),)),
    "linear map": (wg.linearize(np.cumprod, X)[1], (np.ones(3),)),
    "its transpose": (wg.linearize(np.cumprod, X)[1].transpose, (np.ones(3),)),
    "linear_transpose": (wg.linear_transpose(np.cumsum, X), (np.ones(3),)),
    "jacobian_operator": (wg.jacobian_operator(np.cumprod, X).matvec, (np.ones(3),)),
    "hessian_operator": (wg.hessian_operator(np.prod, X).matvec, (np.ones(3),)),
    "torch.func.grad": (torch.func.grad(torch.sum), (torch.ones(3),)),
    "torch.func.grad_and_value": (torch.func.grad_and_value(torch.sum), (torch.ones(3),)),
    "torch.func.jacrev": (torch.func.jacrev(torch.sin), (torch.ones(3),)),
    "torch.func.hessian": (torch.func.hessian(torch.sum), (torch.ones(3),)),
    "torch.func.vmap": (torch.func.vmap(torch.sum), (torch.ones(3, 2),)),
}
FUNCTIONS = [name for name in wg.__all__ if not isinstance(getattr(wg, name), types.ModuleType)]


def same(a, b):
    if isinstance(a, tuple):
        return all(map(same, a, b))
    # A Program that has become hot meanwhile runs as machine code, which may round the last digits differently.
    return np.allclose(a, b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", CALLABLES)
def test_pickling(name):
    function, args = CALLABLES[name]
    again = pickle.loads(pickle.dumps(function))
    if name != "custom_gradient":
        assert same(again(*args), function(*args))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_pickle_by_name(name):
    function = getattr(wg, name)
    assert pickle.loads(pickle.dumps(function)) is function


def test_a_restored_linear_map_is_the_one_at_its_point():
    """Its lines stay behind; a map without them would be zero."""
    y, pullback = wg.vjp(np.cumprod, wg.Tensor(X))
    again = pickle.loads(pickle.dumps(pullback))
    assert type(again(np.ones(3))[0]) is type(pullback(np.ones(3))[0])
    close(again(np.ones(3))[0], wg.jacobian(np.cumprod)(X).sum(axis=0))
    jacobian = wg.vmap(lambda row: again(row)[0])(np.eye(3))
    close(jacobian, wg.jacobian(np.cumprod)(X))
    with pytest.raises(wg.errors.ShapeError):
        again(np.ones(2))
    with pytest.raises(wg.errors.WengertError):  # what belongs to an enclosing derivative cannot leave it
        wg.grad(lambda a: pickle.dumps(wg.vjp(lambda x: np.sin(x) * a, X)[1]) and a)(2.0)


def test_a_function_that_does_not_pickle_says_so():
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(wg.grad(lambda x: x))


def test_a_pool_of_processes():
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        found = pool.map(wg.hessian(np.prod), [X, 2 * X])
    for a, b in zip(found, [X, 2 * X]):
        assert np.allclose(a, wg.hessian(np.prod)(b), rtol=1e-12)


def close(a, b):
    """Equal up to the last digits: a derivative met for the second time may run as a kept Program or machine code."""
    np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12)


def nested(seed):
    """Nested derivatives through batching, loops and custom rules; different numbers for every seed."""
    x = np.random.default_rng(seed).normal(size=3)
    f = lambda x: np.sum(np.tanh(x * seed / 7) ** 2) * np.prod(x)
    rule = wg.custom_rule(lambda x: f(x) * 2)
    loop = lambda x: wg.scan(lambda s, r: (np.sin(s) * r + f(x), None), 0.0, np.arange(1.0, 4.0))[0]
    return np.concatenate(
        [
            wg.hessian(f)(x).ravel(),
            wg.vmap(wg.grad(lambda x: np.sum(wg.jacfwd(f)(x) ** 2)))(np.stack([x, -x])).ravel(),
            wg.grad(loop)(x),
            wg.hvp(rule, (x,), (x,))[1][0],
            wg.derivatives(lambda t: f(x * t), 1.0, 4),
        ]
    )


SEEDS = list(range(1, 33))


def test_sixteen_threads():
    expected = [nested(seed) for seed in SEEDS]
    start = threading.Barrier(16)

    def work(seed):
        if seed <= 16:
            start.wait()
        return nested(seed)

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(work, SEEDS))
    for a, b in zip(found, expected):
        close(a, b)


def test_tasks():
    expected = [nested(seed) for seed in SEEDS[:8]]

    async def work(seed):
        await asyncio.sleep(0.001 * (seed % 3))
        result = nested(seed)
        await asyncio.sleep(0)
        return result

    async def everything():
        return await asyncio.gather(*(work(seed) for seed in SEEDS[:8]))

    for a, b in zip(asyncio.run(everything()), expected):
        close(a, b)


def test_one_derivative_object_shared_by_threads():
    hessian = wg.hessian(np.prod)
    mapped = wg.vmap(wg.grad(np.prod))
    points = np.random.default_rng(0).normal(size=(64, 3))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(hessian, points))
        gradients = list(pool.map(lambda p: mapped(p[None])[0], points))
    for point, a, b in zip(points, found, gradients):
        close(a, hessian(point))
        close(b, wg.grad(np.prod)(point))


def test_an_error_in_one_thread_leaves_the_others_alone():
    def work(seed):
        try:
            if seed % 2:
                wg.vmap(wg.grad(lambda x: x if x > 0 else 1 / 0))(np.ones(2))
        except wg.errors.AbstractValue:
            pass
        return nested(seed)

    expected = [nested(seed) for seed in SEEDS[:8]]
    with ThreadPoolExecutor(4) as pool:
        for a, b in zip(pool.map(work, SEEDS[:8]), expected):
            close(a, b)


def test_nothing_is_left_in_memory(monkeypatch):
    """With the collector of cycles off, what transforms leave behind does not grow with their use."""
    monkeypatch.setenv("WENGERT_NATIVE", "off")  # loading the compiler is not a leak
    x = np.random.default_rng(0).normal(size=200)
    rule = wg.custom_rule(np.sin, vjp=lambda c, out, x: (c * np.cos(x),))

    def work():
        f = lambda x: np.sum(np.tanh(x) * x[0])
        wg.hessian_diag(f, chunk_size=50)(x)
        wg.vmap(wg.grad(lambda v: v**3))(x)
        wg.grad(lambda x: np.sum(wg.scan(lambda s, r: (s * r, s), 1.0, x)[1]))(x)
        wg.grad(lambda x: np.sum(wg.checkpoint(f)(x)))(x)
        wg.hvp(lambda x: np.sum(rule(x) ** 2), (x,), (x,))
        wg.derivatives(lambda t: f(x * t), 1.0, 4)
        wg.linearize(f, x)[1](x)

    for _ in range(4):
        work()
    gc.collect()
    gc.disable()
    try:
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(30):
            work()
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
        gc.enable()
    assert after - before < 300_000
