"""Every function that NumPy lets a type override stands in one of three columns, and does what its column says."""

# ruff: noqa: B008
from __future__ import annotations

import inspect
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import wengert as wg
from wengert.numpy import coverage
from wengert.numpy._register import FUNCTIONS

from .cases import CASES, A, V, W

TABLE = {row.name: row for row in coverage.table()}
FUNCTIONS_BY_NAME = {coverage.row(function).name: function for function in coverage.overridable()}

# One call of each function whose derivative is exactly zero or whose result is no number.
ZERO: dict[str, Callable[[Any], Any]] = {
    **{
        f"numpy.{name}": getattr(np, name)
        for name in (
            *("all", "any", "argmax", "argmin", "argsort", "argwhere", "around", "array2string", "array_repr"),
            *("array_str", "ceil", "common_type", "count_nonzero", "fix", "flatnonzero", "floor", "iscomplex"),
            *("iscomplexobj", "isfinite", "isinf", "isnan", "isneginf", "isposinf", "isreal", "isrealobj"),
            *("logical_not", "min_scalar_type", "nanargmax", "nanargmin", "ndim", "nonzero", "result_type", "rint"),
            *("round", "shape", "signbit", "size", "spacing", "trunc", "sign"),
        )
    },
    **{
        f"numpy.{name}": lambda x, f=getattr(np, name): f(x, W)
        for name in (
            *("allclose", "array_equal", "array_equiv", "equal", "floor_divide", "greater", "greater_equal", "isclose"),
            *("isin", "less", "less_equal", "logical_and", "logical_or", "logical_xor", "may_share_memory"),
            *("not_equal", "shares_memory", "heaviside"),
        )
    },
    **{
        f"numpy.{name}": lambda x, f=getattr(np, name): f((x * 10).astype(bool) * np.int64(1), 2)
        for name in ("bitwise_and", "bitwise_or", "bitwise_xor", "gcd", "lcm", "left_shift", "right_shift")
    },
    "numpy.bitwise_count": lambda x: np.bitwise_count((x > 0) * np.int64(3)),
    "numpy.invert": lambda x: np.invert(x > 0),
    "numpy._core.umath._ones_like": np._core.umath._ones_like,
    "numpy.argpartition": lambda x: np.argsort(np.argpartition(x, 2)),
    "numpy.can_cast": lambda x: np.can_cast(np.float64, x.dtype),
    "numpy.diag_indices_from": lambda x: np.diag_indices_from(np.multiply.outer(x, x)),
    "numpy.digitize": lambda x: np.digitize(x, [-1.0, 0.0, 1.0]),
    "numpy.einsum_path": lambda x: np.einsum_path("i,i", x, x)[0],
    "numpy.ix_": lambda x: np.ix_(x > 0),
    "numpy.lexsort": lambda x: np.lexsort((x, x)),
    "numpy.linalg.matrix_rank": lambda x: np.linalg.matrix_rank(np.diag(x)),
    "numpy.packbits": lambda x: np.packbits(x > 0),
    "numpy.ravel_multi_index": lambda x: np.ravel_multi_index((np.argsort(x),), (7,)),
    "numpy.save": lambda x: np.save(io.BytesIO(), x),
    "numpy.savetxt": lambda x: np.savetxt(io.StringIO(), x),
    "numpy.savez": lambda x: np.savez(io.BytesIO(), x=x),
    "numpy.savez_compressed": lambda x: np.savez_compressed(io.BytesIO(), x),
    "numpy.searchsorted": lambda x: np.searchsorted([-1.0, 0.0, 1.0], x),
    "numpy.tril_indices_from": lambda x: np.tril_indices_from(np.multiply.outer(x, x), 1),
    "numpy.triu_indices_from": lambda x: np.triu_indices_from(np.multiply.outer(x, x)),
    "numpy.unpackbits": lambda x: np.unpackbits((x > 0).astype(np.uint8)),
    "numpy.unravel_index": lambda x: np.unravel_index(np.argsort(x), (2, 3)),
}


if "in1d" in vars(np):  # until NumPy 2.3
    ZERO["numpy.in1d"] = lambda x: np.isin(x, W)


def test_every_function_of_the_installed_numpy_has_a_column() -> None:
    from numpy.testing import overrides

    for module in ("linalg", "fft"):
        __import__(f"numpy.{module}")
    names = {f.__name__ for f in overrides.get_overridable_numpy_array_functions()}
    names |= {f.__name__ for f in overrides.get_overridable_numpy_ufuncs()}
    assert names == {name.rpartition(".")[2] for name in TABLE}
    assert {row.column for row in TABLE.values()} == {"differentiable", "exactly zero", "raises"}


def test_every_differentiable_function_has_a_case() -> None:
    covered = {"numpy." + name for name, _, _ in CASES}
    files = {"numpy.fromfile", "numpy.genfromtxt", "numpy.loadtxt"}  # they make tensors from files
    wanted = {name for name, row in TABLE.items() if row.column == coverage.DIFFERENTIABLE} - files
    assert wanted - covered == {"numpy._core.umath.clip"}


def test_every_exactly_zero_function_has_a_call() -> None:
    assert {name for name, row in TABLE.items() if row.column == coverage.EXACTLY_ZERO} <= set(ZERO)


@pytest.mark.parametrize("name", sorted(ZERO))
def test_exactly_zero(name: str) -> None:
    call = ZERO[name]
    expected = call(V)
    results = []

    def function(x: Any) -> Any:
        results.append(call(x))
        numbers = results[0]
        if isinstance(numbers, wg.Tensor):
            return np.sum(numbers * 1.0 + 0.0 * x[0])
        return np.sum(x * 0.0)

    np.testing.assert_array_equal(wg.grad(function)(V), np.zeros(5))
    found = results[0]
    if isinstance(expected, tuple | list | np.ndarray | np.generic) and not isinstance(expected, str):
        for mine, theirs in zip(_parts(found), _parts(expected), strict=True):
            np.testing.assert_array_equal(np.asarray(mine.numpy() if isinstance(mine, wg.Tensor) else mine), theirs)
    elif name not in ("numpy.array_repr",):
        assert found == expected


def _parts(value: Any) -> list[Any]:
    return list(value) if isinstance(value, tuple | list) else [value]


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row.column == coverage.RAISES])
def test_what_raises_says_what_to_use(name: str) -> None:
    function, x = FUNCTIONS_BY_NAME[name], wg.Tensor(V)
    with pytest.raises(wg.errors.UnsupportedFunction, match=name.rpartition(".")[2]) as caught:
        if isinstance(function, np.ufunc):
            function(*[x] * function.nin)
        else:
            x.__array_function__(function, (wg.Tensor,), (x,), {})
    advice = TABLE[name].advice
    assert advice and f"Try: {advice}" in str(caught.value)


def test_a_function_that_is_not_known_raises_by_its_name() -> None:
    def fresh(x: Any) -> None: ...

    fresh.__module__ = "numpy"
    with pytest.raises(wg.errors.UnsupportedFunction, match=r"numpy\.fresh has no derivative rule.*\n.*\n?.*coverage"):
        wg.Tensor(V).__array_function__(fresh, (wg.Tensor,), (), {})


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row.column != coverage.RAISES])
def test_signatures_are_those_of_numpy(name: str) -> None:
    """Every parameter of NumPy's is one here, under the same name and, but for the first, at the same place."""
    function = FUNCTIONS_BY_NAME[name]
    handler = FUNCTIONS.get(function)
    if handler is None or isinstance(function, np.ufunc):
        return
    try:
        theirs = inspect.signature(function).parameters.values()
    except ValueError:  # a function written in C that does not tell
        return
    mine = inspect.signature(handler).parameters
    if any(p.kind is p.VAR_KEYWORD for p in mine.values()):
        return
    for parameter in theirs:
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            assert parameter.name in mine, parameter.name
            assert mine[parameter.name].kind is not parameter.POSITIONAL_ONLY, parameter.name
    if any(p.kind is p.VAR_POSITIONAL for p in mine.values()):
        return
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    places = [[p.name for p in found if p.kind in positional] for found in (theirs, mine.values())]
    if name == "numpy.reshape" and "newshape" in places[0]:  # NumPy 2.0 was about to rename it
        places[0][1] = "shape"
    assert places[0][1:] == places[1][1 : len(places[0])] or name.startswith("numpy.linalg.")


def test_no_primitive_is_batched_by_a_loop() -> None:
    from wengert.primitives import base

    assert base.looping() == []


def test_a_primitive_without_a_batch_rule_warns() -> None:
    from wengert.primitives.base import REGISTRY, Primitive, looping

    try:
        slow = Primitive(
            "slow_square",
            lambda x: x * x,
            abstract=lambda x: (x.shape, x.dtype),
            vjp=lambda ct, out, x, needs: (2 * x * ct,),
            jvp=lambda tangents, out, x: 2 * x * tangents[0],
        )
        assert looping() == ["slow_square"]
        with pytest.warns(wg.errors.LoopWarning, match="slow_square has no batch rule and is applied 3 times"):
            found = wg.vmap(lambda x: slow(x))(np.arange(6.0).reshape(3, 2))
        np.testing.assert_array_equal(found, np.arange(6.0).reshape(3, 2) ** 2)
    finally:
        REGISTRY.pop("slow_square", None)


def test_the_page_in_the_docs_is_the_generated_one() -> None:
    root = Path(__file__).parents[2]
    scope: dict[str, Any] = {"__name__": "coverage_table"}
    exec(compile((root / "tools" / "coverage_table.py").read_text(), "coverage_table.py", "exec"), scope)
    page = (root / "docs" / "reference" / "coverage.md").read_text()
    if f"NumPy {np.__version__}" not in page:
        pytest.skip("the page was generated with another NumPy")
    assert page == scope["page"](), "run tools/coverage_table.py"


def test_the_samples_are_not_all_alike() -> None:
    assert A.shape == (3, 4)
    assert len(CASES) > 400
