"""Taylor mode: all derivatives up to some order along a curve, in one pass over the recorded lines.

Every line gets a truncated power series instead of a tangent. A primitive without a rule of its own in `taylor_rules`
uses its jvp: if y = f(x), then y' = jvp(x, x'), and the series of the right-hand side, up to order K - 1, gives that
of y up to order K.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import factorial
from typing import Any

import numpy as np

from .. import tree
from ..errors import ArgumentError, ShapeError, StructureError
from ..execute.control import pack
from ..primitives.structural import pick
from ..recording import Line, Traced, apply
from ..transforms.derive import is_inexact
from ..transforms.forward import fit_tangent
from ..transforms.reverse import arguments_of
from . import taylor_linalg  # noqa: F401  (declares its rules)
from .recorded import Recorded, check_seed
from .taylor_control import CONTROL
from .taylor_rules import RULES, WITH_PRIMITIVE, Series, known, scaled


def push_series(
    lines: Sequence[Line],
    seeds: dict[Line, Series],
    order: int,
    wrapper: type | None = None,
    memo: dict[Any, Any] | None = None,
) -> dict[Line, Any]:
    """Return the coefficients of t, ..., t^order of every line that varies; those of several results are nested.

    `lines` are those between sources and targets in order of recording; `seeds` has a list per source line. `memo`
    holds what was found for primitives without a rule: their derivatives of all orders meet the same functions again.
    """
    memo = {} if memo is None else memo
    found: dict[Line, Any] = dict(seeds)
    with np.errstate(all="ignore"):
        for line in lines:
            primitive = line.primitive
            if line in seeds or primitive is None:
                continue
            incoming = [None if parent is None else found.get(parent) for parent in line.inputs]
            if all(series is None for series in incoming):
                continue
            if primitive.name == "pick":
                series = incoming[0][line.params["position"]]  # type: ignore[index]
            elif primitive.jvp is None:
                continue
            else:
                out, args = arguments_of(line, wrapper)
                series = _apply(primitive, order, out, args, incoming, line, memo)
            if series is not None:
                found[line] = series
    return found


def _apply(
    primitive: Any, order: int, out: Any, args: list[Any], incoming: list[Any], line: Line, memo: dict[Any, Any]
) -> Any:
    params = line.params
    if _is_linear(primitive, incoming):
        results: list[Any] = []
        for k in range(order):
            tangents = [None if series is None else series[k] for series in incoming]
            if all(tangent is None for tangent in tangents):
                results.append(None)
                continue
            results.append(primitive.jvp(tangents, out, *args, **params))
        return _fitted(results, line)
    if primitive.name in CONTROL:
        return CONTROL[primitive.name](push_series, order, args, incoming, params)
    given = RULES.get(primitive.name)
    found: Any = NotImplemented
    if given is not None:
        own = {"primitive": primitive} if primitive.name in WITH_PRIMITIVE else {}
        found = given(order, out, args, incoming, **own, **params)
    if found is NotImplemented:
        key = (primitive, order, tuple(map(_identity, args)), tuple(map(_identities, incoming)), repr(params))
        if key not in memo:
            if getattr(primitive, "formula", None) is not None:
                found = _by_formula(primitive, order, args, incoming, memo)
            else:
                found = _by_jvp(primitive, order, out, args, incoming, line, memo)
            memo[key] = (found, args, incoming)  # the arguments stay alive, so that no other object gets their id
        found = memo[key][0]
    return _fitted(found, line)


def _is_linear(primitive: Any, incoming: Sequence[Any]) -> bool:
    """Whether the primitive's derivative reads nothing that varies: then it acts on each coefficient alone."""
    varying = {i for i, series in enumerate(incoming) if series is not None}
    read: set[Any] = set()
    for i in varying:
        read |= primitive.reads(i, len(incoming))
    return "out" not in read and not read & varying


def _fitted(results: Any, line: Line) -> Any:
    if isinstance(line.shape, tuple) and isinstance(line.dtype, tuple):  # several results: by result, then by order
        columns = []
        for position in range(len(line.dtype)):
            columns.append([None if part is None else part[position] for part in results])
        return [None if all(c is None for c in column) else column for column in columns]
    fitted = [None if part is None else fit_tangent(part, line) for part in results]
    return None if all(part is None for part in fitted) else fitted


SMALL = 32  # values up to this many numbers are the same if their numbers are; larger ones if they are one object


def _identity(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic | int | float | complex) and np.size(value) <= SMALL:
        array = np.asarray(value)
        return array.shape, array.dtype.str, array.tobytes()
    return id(value)


def _identities(series: Any) -> Any:
    return None if series is None else tuple(map(_identity, series))


def _by_formula(primitive: Any, order: int, args: list[Any], incoming: list[Any], memo: dict[Any, Any]) -> list[Any]:
    """Coefficients of a primitive that is written with others, through these."""
    varying = [i for i, series in enumerate(incoming) if series is not None]

    def inline(*values: Any) -> Any:
        filled = list(args)
        for i, value in zip(varying, values, strict=True):
            filled[i] = value
        return primitive.formula(*filled)

    recorded = Recorded(inline, [args[i] for i in varying], {}, range(len(varying)), name=primitive.name)
    seeds = {line: incoming[i] for line, i in zip(recorded.inputs, varying, strict=True)}
    found = push_series(recorded.lines, seeds, order, recorded.wrapper, memo)
    out = recorded.outputs[0]
    line = out._line if isinstance(out, Traced) else None
    series = found.get(line) if line is not None else None
    return [_plain(recorded, part) for part in series or [None] * order]


def _by_jvp(
    primitive: Any,
    order: int,
    out: Any,
    args: list[Any],
    incoming: list[Any],
    line: Line,
    memo: dict[Any, Any],
) -> list[Any]:
    """Coefficients of y from those of y' = jvp(x, x')."""
    params = line.params
    varying = [i for i, series in enumerate(incoming) if series is not None]
    read: set[Any] = set()
    for i in varying:
        read |= primitive.reads(i, len(incoming))
    raw = out._data if isinstance(out, Traced) else out
    several = isinstance(raw, tuple) or (raw is None and isinstance(line.dtype, tuple))
    # The result is read: either it is made again inside, from the arguments, and meets the memo there; or, where an
    # argument was not kept, its own coefficients go in as they are found, order by order.
    again = "out" in read and all(known(args[i]) for i in varying)
    with_out = "out" in read and not again
    parts = [pick(out, position=i) for i in range(len(line.shape))] if several and with_out else [out]
    moving = [i for i, part in enumerate(parts) if is_inexact(part)] if with_out else []
    values = [i for i in varying if again or (i in read and known(args[i]))]
    first = [_first(incoming[i]) for i in varying]
    given = [*first, *(args[i] for i in values), *(parts[i] for i in moving)]

    def slope(*inputs: Any) -> list[Any]:
        tangents: list[Any] = [None] * len(args)
        for i, tangent in zip(varying, inputs, strict=False):
            tangents[i] = tangent
        inner = list(args)
        for i, value in zip(values, inputs[len(varying) :], strict=False):
            inner[i] = value
        if again:
            result = apply(primitive, inner, params, computed=raw)
        else:
            filled = list(parts)
            for i, value in zip(moving, inputs[len(varying) + len(values) :], strict=True):
                filled[i] = value
            result = pack(*filled) if several and with_out else filled[0]
        pushed = primitive.jvp(tangents, result, *inner, **params)
        return [pushed[i] for i in range(len(line.shape))] if several else [pushed]

    recorded = Recorded(_Flat(slope), given, {}, range(len(given)), name=primitive.name)

    def pushed_to(count: int, results: Sequence[Any]) -> dict[Line, Any]:
        """Return the coefficients of the slope up to `count`, from those of the arguments (and results)."""
        seeds: dict[Line, Series] = {}
        for position, i in enumerate(varying):
            seeds[recorded.inputs[position]] = [
                scaled(c, float(k + 2)) for k, c in enumerate(incoming[i][1 : count + 1])
            ]
        for position, i in enumerate(values):
            seeds[recorded.inputs[len(varying) + position]] = list(incoming[i][:count])
        for position, i in enumerate(moving):
            seeds[recorded.inputs[len(varying) + len(values) + position]] = [results[k][i] for k in range(count)]
        seeds = {source: s for source, s in seeds.items() if any(c is not None for c in s)}
        return push_series(recorded.lines, seeds, count, recorded.wrapper, memo)

    def coefficient(found: dict[Line, Any], k: int) -> list[Any]:
        """Return coefficient k of the slope, for every result."""
        if k == 0:
            return list(recorded.outputs)
        lines = [o._line if isinstance(o, Traced) else None for o in recorded.outputs]
        return [found[x][k - 1] if x is not None and x in found else None for x in lines]

    results: list[list[Any]] = []
    if with_out:
        for k in range(order):
            found = pushed_to(k, results) if k else {}
            results.append([scaled(part, 1 / (k + 1)) for part in coefficient(found, k)])
    else:
        found = pushed_to(order - 1, ()) if order > 1 else {}
        results = [[scaled(part, 1 / (k + 1)) for part in coefficient(found, k)] for k in range(order)]
    finished = [[_plain(recorded, part) for part in row] for row in results]
    return [tuple(row) for row in finished] if several else [row[0] for row in finished]


class _Flat:
    """A function of several values whose results of None (exactly zero) are zeros."""

    def __init__(self, function: Callable[..., list[Any]]) -> None:
        self.function = function

    def __call__(self, *inputs: Any) -> list[Any]:
        return [0.0 if part is None else part for part in self.function(*inputs)]


def _plain(recorded: Recorded, value: Any) -> Any:
    if type(value) is float:
        return None
    return None if value is None else recorded.finish(value)


def _first(series: Series) -> Any:
    """Return the first coefficient as a value; zeros where it is exactly zero."""
    if series[0] is not None:
        return series[0]
    some = next(c for c in series if c is not None)
    return np.zeros(some.shape, some.dtype)


# ---------------------------------------------------------------- public


def jet(function: Callable[..., Any], primals: Sequence[Any], series: Sequence[Sequence[Any]]) -> tuple[Any, list[Any]]:
    """Return the function's value and its derivatives along a curve, up to the order that the series have.

    f: x -> y   primals: (x, ...)   series: ([x', x'', ...], ...)   returns: (y, [y', y'', ...])

    The curve x(s) through the primals has the derivatives given in the series; the result has those of f(x(s)).

    Parameters
    ----------
    function : callable
        Ordinary NumPy code. It runs once.
    primals : tuple or list
    series : tuple or list
        For each primal a list of its derivatives by the curve's parameter, all lists of one length.

    Raises
    ------
    StructureError
        If there is not one series per primal.
    ShapeError
        If the series differ in length, or an entry does not have its primal's shape.

    Notes
    -----
    Cost: of the order of (number of derivatives)^2 evaluations at most (Griewank and Walther, Evaluating Derivatives,
    2008, chapter 13).

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> y, terms = wg.jet(np.exp, (0.0,), ([2.0, 0.0, 0.0],))
    >>> [float(term) for term in terms]
    [2.0, 4.0, 8.0]
    """
    if not isinstance(primals, tuple | list) or not isinstance(series, tuple | list) or len(primals) != len(series):
        raise StructureError(
            "jet: primals and series are tuples of equal length", hint="wengert.jet(f, (x,), ([x1, x2],))"
        )
    if not primals:
        raise StructureError("jet: there is no primal")
    orders = {len(terms) if isinstance(terms, tuple | list) else -1 for terms in series}
    if len(orders) != 1 or -1 in orders:
        raise ShapeError(
            f"jet: every series is a list, and all have the same length; got lengths {sorted(orders)}",
            hint="fill up with zeros",
        )
    order = orders.pop()
    recorded = Recorded(function, tuple(primals), {}, range(len(primals)), name="jet")
    coefficients: list[list[Any]] = [[] for _ in recorded.inputs]
    for k in range(order):
        leaves, structure = tree.flatten([terms[k] for terms in series])
        if structure != recorded.input_tree:
            raise StructureError(f"jet: term {k} of the series does not have the structure of the primals")
        for i, (leaf, line) in enumerate(zip(leaves, recorded.inputs, strict=True)):
            value = check_seed(leaf, line, f"jet: term {k} of series {i}", "primal")
            zero = not isinstance(value, Traced) and not np.any(value)
            coefficients[i].append(None if zero else scaled(value, 1 / factorial(k + 1)))
    terms = _push(recorded, coefficients, order)
    return recorded.value(), [tree.unflatten(recorded.output_tree, part) for part in terms]


def _push(recorded: Recorded, coefficients: Sequence[Series], order: int) -> list[list[Any]]:
    """Return the derivatives of all outputs, by order."""
    seeds = {
        line: c for line, c in zip(recorded.inputs, coefficients, strict=True) if any(part is not None for part in c)
    }
    found = push_series(recorded.lines, seeds, order, recorded.wrapper) if seeds else {}
    columns = []
    for out in recorded.outputs:
        line = out._line if isinstance(out, Traced) else None
        parts = found.get(line) if line is not None else None
        shape = out.shape if isinstance(out, Traced) else np.shape(out)  # type: ignore[attr-defined]
        dtype = out.dtype if isinstance(out, Traced) else np.asarray(out).dtype  # type: ignore[attr-defined]
        zeros = np.zeros(shape, dtype if dtype.kind in "fc" else float)
        columns.append(
            [
                zeros
                if parts is None or parts[k] is None
                else recorded.finish(scaled(parts[k], float(factorial(k + 1))))
                for k in range(order)
            ]
        )
    return [list(row) for row in zip(*columns, strict=True)] if columns else [[] for _ in range(order)]


def derivatives(function: Callable[..., Any], t: Any, order: int) -> Any:
    """Return the value and all derivatives of a function of one variable, up to an order, in one pass.

    f: t -> y   returns: (order + 1, *y.shape); entry k is the k-th derivative

    Parameters
    ----------
    function : callable
        Ordinary NumPy code. It runs once. A structured result gives the same structure of stacked derivatives.
    t : scalar or array
        Where. For an array it is the derivative along ones: of every element, if the function is elementwise.
    order : int
        The highest derivative.

    Raises
    ------
    ArgumentError
        If the order is not a non-negative int.

    Notes
    -----
    Cost: at most of the order of order^2 evaluations, where nested derivatives cost 2^order.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> wg.derivatives(np.exp, 0.0, 4)
    array([1., 1., 1., 1., 1.])
    >>> wg.derivatives(lambda t: 1 / (1 - t), 0.0, 5)
    array([  1.,   1.,   2.,   6.,  24., 120.])
    """
    if isinstance(order, bool) or not isinstance(order, int | np.integer) or order < 0:
        raise ArgumentError(f"derivatives: the order is a non-negative int, not {order!r}")
    recorded = Recorded(function, (t,), {}, (0,), name="derivatives")
    ones = [np.ones(line.shape, line.dtype) for line in recorded.inputs]
    terms = _push(recorded, [[one, *(None,) * (order - 1)] if order else [] for one in ones], int(order))
    stacked = [_stack([recorded.finish(out), *(row[i] for row in terms)]) for i, out in enumerate(recorded.outputs)]
    return tree.unflatten(recorded.output_tree, stacked)


def _stack(parts: Sequence[Any]) -> Any:
    if any(isinstance(part, Traced) for part in parts):
        from ..primitives.indexing import stack

        dtype = np.result_type(*(part.dtype for part in parts))
        return stack(*(part if part.dtype == dtype else part.astype(dtype) for part in parts), axis=0)
    return np.stack([np.asarray(part) for part in parts])
