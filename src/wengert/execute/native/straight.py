"""Small Programs as straight-line scalar code: every element of every value is a register, no loop remains.

Values are object arrays of scalars, so reindexing primitives run as they are, on the arrays of registers, and cost
nothing. Unit seeds hold structural zeros: what is multiplied by one is never computed, so that the Jacobian of a small
function is its structured forward (or reverse) accumulation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...primitives.contraction import route
from ...primitives.indexing import real_index
from ...program import Program, Step
from . import scalars
from .ir import BOOL, Code, Kind, constant, kind_of, strides_in_elements

# Programs with more scalar operations than this get loops.
LIMIT = 2500


class NoLowering(Exception):
    """A step has no native code in this form; the caller chooses another."""


class _Zero:
    """A structural zero: zero by construction, whatever it is multiplied by."""

    def __repr__(self) -> str:
        return "structural 0"


ZERO = _Zero()
_REINDEXING = frozenset({"reshape", "transpose", "broadcast_to", "concatenate", "stack", "index"})
_ALIASES = frozenset({"alias", "watch", "stop_gradient"})
# Elementwise primitives that map a structural zero to one.
_ZERO_TO_ZERO = frozenset({"negative", "positive", "conjugate", "real", "imag", "cast", "square", "sqrt", "absolute"})


def size(program: Program) -> int:
    """Return how many scalar operations straight-line code would have, at most."""
    total = 0
    for step in program.steps:
        name = step.primitive.name
        if isinstance(step.slot.dtype, tuple) or any(isinstance(program.slot(a).dtype, tuple) for a in step.args):
            return 10 * LIMIT
        if name in _REINDEXING or name in _ALIASES:
            total += _count(step.slot.shape) // 8
        elif name in scalars.REDUCTIONS or name == "contract":
            shape = program.slot(step.args[0]).shape
            amount = _count(shape)
            if name == "contract":
                labels = dict(step.params)
                sizes = dict(zip(labels["a"], shape, strict=True))
                sizes.update(zip(labels["b"], program.slot(step.args[1]).shape, strict=True))
                amount = 2 * _count(tuple(sizes.values()))
            total += amount
        else:
            total += _count(step.slot.shape)
    return total + sum(_count(slot.shape) for slot in program.inputs) // 4


def _count(shape: Any) -> int:
    n = 1
    for extent in shape:
        n *= extent
    return n


class Straight:
    """Writes one Program into `code`.

    Parameters
    ----------
    code : Code
    program : Program
    baked : dict
        Captured values, by position among the captures, that are constants of the code.
    given : dict, optional
        Inputs, by number, that are in registers already: arrays of values.
    """

    def __init__(
        self, code: Code, program: Program, baked: dict[int, Any], given: dict[int, np.ndarray] | None = None
    ) -> None:
        self.given = given or {}
        self.code = code
        self.program = program
        self.baked = baked
        self.values: list[Any] = []
        self.from_seeds: list[bool] = []

    def write(self, addresses: Sequence[str]) -> list[np.ndarray]:
        """Write all steps and return the outputs' scalars.

        `addresses` are registers with the data of inputs, then captures.
        """
        program = self.program
        count = len(program.inputs)
        for i in range(count + len(program.captures)):
            slot = program.slot(i)
            kind = kind_of(slot.dtype)
            if kind is None:
                raise NoLowering(f"dtype {slot.dtype}")
            if i in self.given:
                self.values.append(self.given[i])
            elif i - count in self.baked:
                self.values.append(
                    _array_of(constant(kind, x) for x in np.ravel(self.baked[i - count])).reshape(slot.shape)
                )
            else:
                places = _places(slot.shape, program.captures[i - count] if i >= count else None)
                loads = _array_of(self.code.load(addresses[i], kind, str(k)) for k in places)
                self.values.append(loads.reshape(slot.shape))
            self.from_seeds.append(False)
        for step in program.steps:
            seeded = any(self.from_seeds[a] for a in step.args) or step.primitive.name == "unit_seeds"
            result = self._step(step, [self.values[a] for a in step.args], seeded)
            if result.shape != step.slot.shape:
                raise NoLowering(f"{step.primitive.name}: shape {result.shape} for {step.slot.shape}")
            self.values.append(result)
            self.from_seeds.append(seeded)
        return [self.values[i] for i in program.outputs]

    def _step(self, step: Step, args: list[np.ndarray], seeded: bool) -> np.ndarray:
        primitive, params = step.primitive, dict(step.params)
        name = primitive.name
        kind = kind_of(step.slot.dtype)
        if kind is None:
            raise NoLowering(f"dtype {step.slot.dtype}")
        if name in _ALIASES:
            return args[0]
        if primitive.family == "elementwise":
            return self._elementwise(step, args, params)
        if name in _REINDEXING:
            if name == "index":
                moved = args[0][real_index(params["spec"], [_integers(a) for a in args[1:]])]
            else:
                moved = primitive.evaluate(*args, **params)
            return self._cast_all(_as_array(moved), kind)
        if name == "index_add":
            return self._index_add(args, kind, seeded, **params)
        if name == "index_set":
            out = self._cast_all(args[0].copy(), kind)
            _put(out, real_index(params["spec"], [_integers(a) for a in args[2:]]), self._cast_all(args[1], kind))
            return out
        if name in scalars.REDUCTIONS:
            return self._reduce(name, args[0], kind, **params)
        if name in ("cumsum", "cumprod"):
            return self._running("sum" if name == "cumsum" else "prod", args[0], kind, **params)
        if name == "contract":
            return self._contract(args[0], args[1], kind, **params)
        if name == "unit_seeds":
            return self._unit_seeds(kind, **params)
        raise NoLowering(name)

    # ------------------------------------------------------------ elementwise

    def _elementwise(self, step: Step, args: list[np.ndarray], params: dict[str, Any]) -> np.ndarray:
        name = step.primitive.name
        dtypes = tuple(self.program.slot(a).dtype for a in step.args)
        kinds = scalars.loop_kinds(name, dtypes, step.slot.dtype, step.params)
        if kinds is None:
            raise NoLowering(name)
        shaped = np.broadcast(*args) if len(args) > 1 else None
        shape = args[0].shape if shaped is None else shaped.shape
        items = ((x,) for x in args[0].flat) if shaped is None else shaped
        return _array_of(self._one(name, kinds, list(item), params) for item in items).reshape(shape)

    def _one(self, name: str, kinds: tuple[Kind, ...], args: list[Any], params: dict[str, Any]) -> Any:
        zeros = [arg is ZERO for arg in args]
        if True in zeros:
            result = self._with_zeros(name, kinds, args, zeros)
            if result is not None:
                return result
            args = [constant(kind, 0) if arg is ZERO else arg for arg, kind in zip(args, kinds, strict=False)]
        return scalars.lower(self.code, name, kinds, args, params)

    def _with_zeros(self, name: str, kinds: tuple[Kind, ...], args: list[Any], zeros: list[bool]) -> Any:
        if name in ("multiply", "scale"):
            return ZERO
        if name == "add" or name == "subtract":
            if all(zeros):
                return ZERO
            if zeros[1]:
                return self.code.convert(args[0], kinds[-1])
            other = self.code.convert(args[1], kinds[-1])
            return other if name == "add" else scalars.LOWER["negative"](self.code, other.kind, other)
        if name in _ZERO_TO_ZERO or (name == "divide" and zeros[0] and not zeros[1]):
            return ZERO
        if name == "where" and zeros[1] and zeros[2]:
            return ZERO
        return None

    def _cast_all(self, array: np.ndarray, kind: Kind) -> np.ndarray:
        if all(x is ZERO or x.kind == kind for x in array.flat):
            return array
        return _array_of(x if x is ZERO else self.code.convert(x, kind) for x in array.flat).reshape(array.shape)

    # ------------------------------------------------------------ the rest

    def _unit_seeds(self, kind: Kind, shape: tuple[int, ...], start: int, stop: int, dtype: Any) -> np.ndarray:
        n = _count(shape)
        one = constant(kind, 1)
        return _array_of(one if k == start + row else ZERO for row in range(stop - start) for k in range(n)).reshape(
            (stop - start, *shape)
        )

    def _index_add(
        self, args: list[np.ndarray], kind: Kind, seeded: bool, spec: Any, shape: tuple[int, ...]
    ) -> np.ndarray:
        out = np.empty(shape, object)
        out.fill(ZERO if seeded else constant(kind, 0))
        where = real_index(spec, [_integers(a) for a in args[1:]])
        v = self._cast_all(args[0], kind)
        if len(args) == 1:
            _put(out, where, v)
            return out
        places = np.arange(_count(shape)).reshape(shape)[where]
        flat = out.reshape(-1)
        for place, x in zip(places.flat, np.broadcast_to(v, places.shape).flat, strict=True):
            flat[place] = self._sum([flat[place], x], kind)
        return out

    def _sum(self, terms: list[Any], kind: Kind) -> Any:
        """Add in pairs, so that the sum has as few roundings in a row, and as much parallelism, as can be."""
        terms = [x for x in terms if x is not ZERO]
        if not terms:
            return ZERO
        while len(terms) > 1:
            pairs = [scalars.LOWER["add"](self.code, kind, x, y) for x, y in zip(terms[::2], terms[1::2], strict=False)]
            terms = pairs + terms[len(terms) - len(terms) % 2 :]
        return terms[0]

    def _from_zero(self, terms: list[Any], kind: Kind) -> Any:
        """Add to 0.0, as NumPy does: a sum of negative zeros is 0.0. Structural zeros need no such care."""
        if not terms:
            return constant(kind, 0)
        total = self._sum(terms, kind)
        if total is ZERO or any(x is ZERO for x in terms) or kind.code not in "fc":
            return total
        return scalars.LOWER["add"](self.code, kind, total, constant(kind, 0))

    def _reduce(self, name: str, x: np.ndarray, kind: Kind, axis: tuple[int, ...]) -> np.ndarray:
        rest = tuple(i for i in range(x.ndim) if i not in axis)
        shape = tuple(x.shape[i] for i in rest)
        rows = x.transpose((*rest, *axis)).reshape((_count(shape), _count([x.shape[i] for i in axis])))
        return _array_of(self._reduce_row(name, list(row), kind) for row in rows).reshape(shape)

    def _reduce_row(self, name: str, row: list[Any], kind: Kind) -> Any:
        if not row and name in ("max", "min"):
            raise NoLowering("extremum of nothing")
        if name == "sum":
            row = [x if x is ZERO else self.code.convert(x, kind) for x in row]
            return self._from_zero(row, kind)
        if name == "prod" and any(x is ZERO for x in row):
            return ZERO
        row = [constant(kind, 0) if x is ZERO else self.code.convert(x, kind) for x in row]
        if not row:
            return scalars.identity(name, kind)
        pair = {"prod": "multiply", "max": "maximum", "min": "minimum", "any": "logical_or", "all": "logical_and"}[name]
        total = row[0]
        for x in row[1:]:
            total = scalars.LOWER[pair](self.code, kind, total, x)
        return total

    def _running(self, name: str, x: np.ndarray, kind: Kind, axis: int) -> np.ndarray:
        moved = np.moveaxis(x, axis, 0)
        rows: list[np.ndarray] = []
        pair = "add" if name == "sum" else "multiply"
        for k in range(moved.shape[0]):
            row = self._cast_all(moved[k].reshape(moved.shape[1:]) if moved.ndim > 1 else _as_array(moved[k]), kind)
            if rows:
                before = rows[-1]
                row = _array_of(
                    self._one(pair, (kind, kind, kind), [a, b], {}) for a, b in zip(before.flat, row.flat, strict=True)
                ).reshape(row.shape)
            rows.append(row)
        if not rows:
            return x
        return np.moveaxis(_array_of(v for row in rows for v in row.flat).reshape(moved.shape), 0, axis)

    def _contract(self, x: np.ndarray, y: np.ndarray, kind: Kind, a: Any, b: Any, out: Any) -> np.ndarray:
        order_a, order_b, order_out, n_batch, n_rows, n_inner, _ = route(a, b, out)
        x = self._cast_all(x, kind).transpose(order_a or range(x.ndim))
        y = self._cast_all(y, kind).transpose(order_b or range(y.ndim))
        batch, rows = x.shape[:n_batch], x.shape[n_batch : n_batch + n_rows]
        columns = y.shape[n_batch + n_inner :]
        k = _count(x.shape[n_batch + n_rows :])
        x = x.reshape((_count(batch), _count(rows), k))
        y = y.reshape((_count(batch), k, _count(columns)))
        kinds = (kind, kind, kind)
        result = _array_of(
            self._sum_or_zero(
                [self._one("multiply", kinds, [p, q], {}) for p, q in zip(u, y[g, :, c], strict=True)], kind, n_inner
            )
            for g in range(x.shape[0])
            for u in x[g]
            for c in range(y.shape[2])
        ).reshape((*batch, *rows, *columns))
        return result.transpose(order_out) if order_out else result

    def _sum_or_zero(self, terms: list[Any], kind: Kind, axes: int) -> Any:
        if not axes:  # an outer product is no sum, and keeps the sign of its zeros
            return terms[0]
        if kind is BOOL:
            total = constant(kind, 0)
            for term in terms:
                total = scalars.LOWER["add"](self.code, kind, total, term)
            return total
        return self._from_zero(terms, kind)


def _array_of(items: Any) -> np.ndarray:
    items = list(items)
    array = np.empty(len(items), object)
    for i, item in enumerate(items):
        array[i] = item
    return array


def _places(shape: tuple[int, ...], value: Any) -> list[int]:
    """Return where the elements of a value lie, in C order; a captured array may have any strides."""
    strides = strides_in_elements(value) if isinstance(value, np.ndarray) else None
    if strides is None or not shape:
        return list(range(_count(shape)))
    total = np.zeros(shape, np.intp)
    for axis, stride in enumerate(strides):
        total += (np.arange(shape[axis]) * stride).reshape((-1,) + (1,) * (len(shape) - axis - 1))
    return [int(k) for k in total.flat]


def _put(out: np.ndarray, where: Any, values: np.ndarray) -> None:
    """Assign in C order; the last of several values for one place stays."""
    places = np.arange(out.size).reshape(out.shape)[where]
    flat = out.reshape(-1)
    for place, x in zip(np.ravel(places), np.broadcast_to(values, np.shape(places)).flat, strict=True):
        flat[place] = x


def _as_array(item: Any) -> np.ndarray:
    if isinstance(item, np.ndarray):
        return item
    array = np.empty((), object)
    array[()] = item
    return array


def _integers(array: np.ndarray) -> np.ndarray:
    """Return the numbers of an array of integer literals."""
    numbers = []
    for x in array.flat:
        if x is ZERO or x.re.startswith("%"):
            raise NoLowering("an index that is not a constant")
        numbers.append(int(x.re) if x.kind is not BOOL else x.re == "true")
    return np.array(numbers, dtype=np.intp).reshape(array.shape)
