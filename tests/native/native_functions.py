"""Random functions through `jit` and back: what users call, with arguments that lie in memory in every way."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from native_fuzzing import same
from native_programs import Generator

import wengert as wg
from wengert.errors import NotCompiled


def arrange(rng: np.random.Generator, x: np.ndarray) -> Any:
    """Return equal numbers that lie in memory in some other way."""
    how = int(rng.integers(9))
    if how == 0 and x.ndim == 0:
        return x[()]
    if how == 1:
        return np.asfortranarray(x)
    if how == 2:
        wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]) if x.ndim else (2,), x.dtype)
        view = wide[..., ::2] if x.ndim else wide[1:].reshape(())
        view[...] = x
        return view
    if how == 3 and x.ndim:
        return np.ascontiguousarray(x[::-1])[::-1]
    if how == 4:
        frozen = np.array(x)
        frozen.flags.writeable = False
        return frozen
    if how == 5:
        return x.astype(x.dtype.newbyteorder(">"))
    if how == 6:
        raw = np.zeros(x.nbytes + 1, np.uint8)
        crooked = raw[1:].view(x.dtype).reshape(x.shape)
        crooked[...] = x
        return crooked
    if how == 7 and x.ndim:
        return np.broadcast_to(x[:1], x.shape) if bool((x == x[:1]).all()) else x
    return x


def branching(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that also looks at what comes out of it, and goes on as it finds."""

    def branched(*args: Any) -> Any:
        outputs = function(*args)
        first = outputs[0]
        if first.dtype.kind == "f" and np.sum(np.where(np.isnan(first), 0, first)) > 0.125:
            return [first + first, *outputs]
        return outputs

    return branched


def derivative(rng: np.random.Generator, function: Callable[..., Any], args: list[Any]) -> Callable[..., Any]:
    """A derivative of a random function, or the function itself."""
    inexact = tuple(i for i, a in enumerate(args) if a.dtype.kind == "f")

    def loss(*args: Any) -> Any:
        return 0.0 + sum(np.sum(np.sin(np.real(y))) for y in function(*args) if y.dtype.kind in "fc")

    kind = int(rng.integers(6))
    if not inexact or kind > 4:
        return function
    if kind == 0:
        return wg.grad(loss, argnums=inexact)
    if kind == 1:
        return wg.value_and_grad(loss, argnums=inexact)
    if kind == 2:
        return wg.grad(wg.jit(loss), argnums=inexact)
    if kind == 3 and args[inexact[0]].size < 12:
        return wg.jacobian(lambda *a: function(*a)[0] * 1.0, argnums=inexact[0])

    def pushed(*args: Any) -> Any:
        def moving(*some: Any) -> Any:
            full = list(args)
            for i, x in zip(inexact, some, strict=True):
                full[i] = x
            return loss(*full)

        return wg.jvp(moving, tuple(args[i] for i in inexact), tuple(np.ones_like(args[i]) for i in inexact))

    return pushed


def check(seed: int) -> str:
    """Draw a function, call it plain and through `jit` at several points; return what the function was turned into."""
    rng = np.random.default_rng(seed)
    exact = bool(rng.random() < 0.4)
    longest = (5, 20)[seed % 2]
    generator = Generator(rng, exact, longest)
    args = generator.arguments()
    program_seed = int(rng.integers(1 << 31))

    def drawn(*inputs: Any) -> list[Any]:
        return Generator(np.random.default_rng(program_seed), exact, longest).run(*inputs)

    function = branching(drawn) if rng.random() < 0.4 else drawn
    plain = function if exact else derivative(rng, function, args)
    jitted = wg.jit(plain)
    coarse = True
    said = "compiled"
    for turn in range(4):
        if turn > 1:
            args = [generator.value(a.shape, a.dtype) for a in args]
        given = [arrange(rng, a) for a in args] if turn else args
        if turn == 3 and len(given) > 1 and args[0].shape == args[1].shape and args[0].dtype == args[1].dtype:
            given[1] = given[0]  # one array twice
        before = [np.array(a) for a in given]
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                wanted = plain(*(np.array(a, a.dtype.newbyteorder("=")) for a in given))
            except OverflowError:
                return "no NumPy"
            warnings.simplefilter("error", NotCompiled)
            try:
                got = jitted(*given)
            except NotCompiled as notice:
                said = str(notice)
                warnings.simplefilter("ignore", NotCompiled)
                got = jitted(*given)
        mine, theirs = (leaves(x) for x in (got, wanted))
        assert len(mine) == len(theirs)
        for a, b in zip(mine, theirs, strict=True):
            a = np.asarray(a)
            if said != "compiled":  # then it is the function itself, which may return an argument as it is
                a = a.astype(a.dtype.newbyteorder("="))
            same(a, np.asarray(b), exact, coarse)
        for a, b in zip(given, before, strict=True):
            np.testing.assert_array_equal(a, b)
        for a in mine if said == "compiled" else ():
            if not isinstance(a, np.ndarray):
                continue
            assert not any(isinstance(x, np.ndarray) and np.shares_memory(a, x) for x in given)
            assert a.flags.writeable and not any(b is not a and np.shares_memory(a, b) for b in mine)
    return said


def leaves(result: Any) -> list[Any]:
    """The leaves of a nest of lists and tuples."""
    return [x for part in result for x in leaves(part)] if isinstance(result, list | tuple) else [result]
