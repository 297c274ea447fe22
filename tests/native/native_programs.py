"""Random Programs for the fuzzers: exact ones, whose every number is a short binary fraction, and smooth ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special as sp

from wengert.differentiation.control import fori_loop, scan, switch
from wengert.primitives import indexing, reduction
from wengert.primitives.contraction import contract
from wengert.program import Program, Slot, trace
from wengert.transforms.derive import forward_program, reverse_program
from wengert.transforms.simplify import simplify

SPECIAL = np.array([0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 2.0, -2.0, 4.0, np.inf, -np.inf, np.nan])
PLAIN = SPECIAL[:9]

_SMOOTH = (np.sin, np.cos, np.tanh, np.arctan, np.arcsinh)
_EXACT_FLOAT = (np.negative, np.abs, np.sign, np.floor, np.ceil, np.trunc, np.rint, np.positive, np.round)
_ANY_VALUE = (np.isnan, np.isinf, np.isfinite, np.logical_not)
_INTEGER = (np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.floor_divide, np.remainder, np.fmod, np.gcd)
# Smooth on all numbers that `value` draws, once they are squashed into (-1, 1).
_SQUASHED = (
    *(np.exp, np.exp2, np.expm1, np.log1p, np.sinh, np.cosh, np.tan, np.arctanh, np.arcsin, np.arccos, np.cbrt, np.sinc),
    *(sp.erf, sp.erfc, sp.expit, sp.gammaln, sp.ndtr, sp.digamma, sp.j0, sp.log_ndtr),
    *(lambda y: np.log(2 + y), lambda y: np.log2(2 + y), lambda y: np.log10(2 + y), lambda y: np.arccosh(2 + y)),
    *(lambda y: np.power(2 + y, y), lambda y: y**3, lambda y: (2 + y) ** -1.5, lambda y: np.reciprocal(2 + y)),
    *(lambda y: np.float_power(2 + y, 2), lambda y: np.rad2deg(y), lambda y: sp.xlogy(2 + y, 2 + y)),
)
DTYPES = ["f8"] * 6 + ["f4", "f4", "c16", "c8", "i8", "?", "i4", "i2", "i1", "u1", "u2", "u4", "u8"]


def _twice(x: Any) -> Any:
    return x + x


def _less(x: Any) -> Any:
    return x - x.dtype.type(1) if x.dtype.kind != "b" else np.logical_not(x)


def _copy(x: Any) -> Any:
    return x.copy()


def _step(carry: Any, row: Any) -> tuple[Any, Any]:
    state = np.tanh(carry * 0.5 + row)
    return state, state * row


def _turn(i: Any, x: Any) -> Any:
    return np.sin(x) + 0.1 * x


class Generator:
    """Draws one Program.

    Parameters
    ----------
    rng : numpy.random.Generator
    exact : bool
        Only operations without rounding, on numbers that stay short, NaN and infinities included.
    """

    def __init__(self, rng: np.random.Generator, exact: bool, longest: int = 5) -> None:
        self.rng = rng
        self.exact = exact
        self.longest = longest

    def choose(self, options: Any) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def shape(self) -> tuple[int, ...]:
        ndim = int(self.choose((0, 1, 1, 2, 2, 3)))
        sizes = (1, 2, 3, self.longest) if self.rng.random() > 0.03 else (0, 1, 2)
        return tuple(int(self.choose(sizes)) for _ in range(ndim))

    def value(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        dtype = np.dtype(dtype)
        if dtype.kind == "b":
            return self.rng.random(shape) < 0.5
        if dtype.kind in "iu":
            low = 0 if dtype.kind == "u" else -4
            return np.asarray(self.rng.integers(low, 5, shape)).astype(dtype)
        if self.exact:
            pool = SPECIAL if self.rng.random() < 0.4 else PLAIN
            numbers = pool[self.rng.integers(len(pool), size=shape)]
            if dtype.kind == "c":
                numbers = numbers + 1j * pool[self.rng.integers(9, size=shape)]
            return np.asarray(numbers).astype(dtype)
        numbers = self.rng.standard_normal(shape)
        if dtype.kind == "c":
            numbers = numbers + 1j * self.rng.standard_normal(shape)
        return np.asarray(numbers).astype(dtype)

    def draw(self) -> tuple[Program, list[np.ndarray]]:
        """Return a Program and arguments for it."""
        args = self.arguments()
        program = trace(self.run, [Slot.of(a) for a in args])
        derived = None if self.exact or self.rng.random() < 0.6 else self.derived(program, args)
        return derived or (program, args)

    def arguments(self) -> list[np.ndarray]:
        """Draw up to three arrays."""
        count = int(self.rng.integers(1, 4))
        return [self.value(self.shape(), self.choose(DTYPES)) for _ in range(count)]

    def run(self, *inputs: Any) -> list[Any]:
        """Do random operations with the inputs, and return some of what came out."""
        pool = list(inputs)
        wanted = len(pool) + int(self.rng.integers(1, 13))
        for _ in range(40):
            if len(pool) == wanted:
                break
            try:
                made = self.operation(pool)
            except (ValueError, TypeError, IndexError):  # the draw does not fit; the next one may
                continue
            if made is not None and int(np.prod(made.shape)) <= 40 * 40 * self.longest:
                pool.append(made)
        outputs = [pool[-1]]
        for x in pool[len(inputs) :]:
            if self.rng.random() < 0.25:
                outputs.append(x)
        if self.rng.random() < 0.1:
            outputs.append(pool[0])
        return outputs

    def derived(self, program: Program, args: list[np.ndarray]) -> tuple[Program, list[np.ndarray]] | None:
        """Draw a derivative Program of a smooth one, and arguments for it."""
        inexact = [i for i, a in enumerate(args) if a.dtype.kind in "fc"]
        if not inexact:
            return None
        if self.rng.random() < 0.5:
            found = reverse_program(program, inexact)
            more = program.output_slots
        else:
            found = forward_program(program, inexact)
            more = [program.inputs[i] for i in inexact]
        return simplify(found, fold=False), [*args, *(self.value(s.shape, s.dtype) for s in more)]

    # ------------------------------------------------------------ operations

    def operation(self, pool: list[Any]) -> Any:
        x = pool[-1] if self.rng.random() < 0.6 else self.choose(pool)
        name = self.choose(
            (
                "unary",
                "unary",
                "binary",
                "binary",
                "binary",
                "compare",
                "where",
                "reduce",
                "reduce",
                "reshape",
                "transpose",
            )
            + ("broadcast", "slice", "slice", "gather", "scatter", "concatenate", "stack", "roll", "contract", "set")
            + ("extremum", "running", "cast", "pad", "search", "scalar", "scale")
            + ("squashed", "quotient", "integer", "facts", "shift", "clip", "order", "normal", "along", "product", "triple")
            + ("select", "scan", "loop")
        )
        return getattr(self, "do_" + name)(x, pool)

    def do_unary(self, x: Any, pool: list[Any]) -> Any:
        kind = x.dtype.kind
        if kind == "b":
            return np.logical_not(x)
        if self.exact or kind in "iu":
            if kind == "c":
                return self.choose((np.negative, np.conjugate, np.real, np.imag))(x)
            return self.choose(_EXACT_FLOAT[:2] if kind in "iu" else _EXACT_FLOAT)(x)
        if kind == "c":
            return self.choose((np.negative, np.conjugate, np.real, np.imag, np.abs))(x)
        function = self.choose((*_SMOOTH, "softplus", "root", "square", "gauss"))
        if function == "softplus":
            return np.log1p(np.exp(np.tanh(x)))
        if function == "root":
            return np.sqrt(1 + x * x)
        if function == "square":
            return np.square(np.tanh(x))
        if function == "gauss":
            return np.exp(-(np.tanh(x) ** 2))
        return function(x)

    def do_binary(self, x: Any, pool: list[Any]) -> Any:
        y = self.choose(pool)
        if x.dtype.kind == "b" and y.dtype.kind == "b":
            return self.choose((np.logical_and, np.logical_or, np.add, np.multiply))(x, y)
        if self.exact and (x.dtype.kind in "fc" or y.dtype.kind in "fc"):
            return self.choose((np.add, np.subtract))(x, y)
        if not self.exact and x.dtype.kind == y.dtype.kind == "f" and self.rng.random() < 0.2:
            return self.choose((np.arctan2, np.hypot, np.logaddexp))(x, y)
        return self.choose((np.add, np.subtract, np.multiply))(x, y)

    def do_scalar(self, x: Any, pool: list[Any]) -> Any:
        y = self.choose((2, 0.5, -1, 3, 0.25))
        return self.choose((lambda: x * y, lambda: y - x, lambda: x + y, lambda: x / 2))()

    def do_squashed(self, x: Any, pool: list[Any]) -> Any:
        if self.exact or x.dtype.kind != "f":
            return None
        return self.choose(_SQUASHED)(0.9 * np.tanh(x))

    def do_quotient(self, x: Any, pool: list[Any]) -> Any:
        """Quotients: exact ones by any number at all, zero and infinity included."""
        y = self.choose(pool)
        if not self.exact:
            return None if "b" in x.dtype.kind + y.dtype.kind else x / (2 + np.abs(y))
        if x.dtype.kind != "f" or y.dtype.kind != "f":
            return None
        name = self.choose((np.remainder, np.fmod, np.floor_divide, np.copysign, np.heaviside))
        # The sign of a zero that tied with another zero in a maximum is nobody's promise.
        return name(x, np.where(y == 0, 1, y) if name is np.copysign else y)

    def do_integer(self, x: Any, pool: list[Any]) -> Any:
        y = self.choose(pool)
        if x.dtype.kind not in "iu" or y.dtype.kind not in "iu":
            return None
        return self.choose(_INTEGER)(x, y)

    def do_facts(self, x: Any, pool: list[Any]) -> Any:
        return self.choose(_ANY_VALUE)(x) if self.exact else None

    def do_shift(self, x: Any, pool: list[Any]) -> Any:
        return self.choose((np.left_shift, np.right_shift))(x, int(self.rng.integers(0, 5))) if x.dtype.kind in "iu" else None

    def do_clip(self, x: Any, pool: list[Any]) -> Any:
        low, high = self.choose(((-1, 1), (0, 2), (-0.5, 3.0)))
        return np.clip(x, low, high) if x.dtype.kind in "fi" else None

    def do_order(self, x: Any, pool: list[Any]) -> Any:
        """Sorting has no native code: a NumPy call between native ones."""
        if not x.ndim or x.dtype.kind in "cb" or not self.exact:
            return None
        return self.choose((np.sort, np.argsort))(x, axis=int(self.rng.integers(x.ndim)), kind="stable")

    def do_normal(self, x: Any, pool: list[Any]) -> Any:
        if not x.ndim or x.dtype.kind != "f" or self.exact or not all(x.shape):
            return None
        return self.choose((sp.softmax, sp.logsumexp, sp.log_softmax, np.mean, np.var))(
            x, axis=int(self.rng.integers(x.ndim))
        )

    def do_along(self, x: Any, pool: list[Any]) -> Any:
        if not x.ndim or not all(x.shape):
            return None
        axis = int(self.rng.integers(x.ndim))
        places = self.rng.integers(-x.shape[axis], x.shape[axis], (*x.shape[:axis], 2, *x.shape[axis + 1 :]))
        return np.take_along_axis(x, places, axis)

    def do_product(self, x: Any, pool: list[Any]) -> Any:
        if not x.ndim or self.exact or x.dtype.kind not in "fi":
            return None
        x = 1 + 0.3 * np.tanh(x)
        return self.choose((np.prod, np.cumprod))(x, axis=int(self.rng.integers(x.ndim)))

    def do_select(self, x: Any, pool: list[Any]) -> Any:
        """A choice between branches, by a number that is known when the code runs."""
        index = self.rng.integers(-1, 3)
        return switch(np.argmax(x) + index if x.size and x.dtype.kind in "fiu" else index, [_twice, _less, _copy], x)

    def do_scan(self, x: Any, pool: list[Any]) -> Any:
        if not x.ndim or x.dtype.kind != "f" or self.exact:
            return None
        return scan(_step, x[0] * 0.5 if x.shape[0] else np.zeros(x.shape[1:], x.dtype), x)[int(self.rng.integers(2))]

    def do_loop(self, x: Any, pool: list[Any]) -> Any:
        if x.dtype.kind != "f" or self.exact:
            return None
        return fori_loop(0, int(self.rng.integers(0, 5)), _turn, x)

    def do_triple(self, x: Any, pool: list[Any]) -> Any:
        """A stencil, and its wrapped form."""
        if not x.ndim or x.shape[0] < 3:
            return None
        return x[2:] + x[:-2] + x[1:-1] if self.rng.random() < 0.5 else np.roll(x, 1, 0) + np.roll(x, -1, 0)

    def do_compare(self, x: Any, pool: list[Any]) -> Any:
        if not self.exact or x.dtype.kind == "c":
            return None
        y = self.choose(pool)
        if y.dtype.kind == "c":
            return None
        return self.choose((np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal))(x, y)

    def do_where(self, x: Any, pool: list[Any]) -> Any:
        flags = [y for y in pool if y.dtype.kind == "b"]
        return np.where(self.choose(flags), x, self.choose(pool)) if flags else None

    def do_extremum(self, x: Any, pool: list[Any]) -> Any:
        if x.dtype.kind == "c":
            return None
        y = self.choose(pool)
        return None if y.dtype.kind == "c" else self.choose((np.maximum, np.minimum, np.fmax, np.fmin))(x, y)

    def do_scale(self, x: Any, pool: list[Any]) -> Any:
        from wengert.primitives.elementwise import scale

        if x.dtype.kind == "c" or not self.exact:
            return None
        return scale(x * (x == x), np.where(np.isinf(x), x, 2.0))

    def do_reduce(self, x: Any, pool: list[Any]) -> Any:
        if not x.ndim:
            return None
        axis = tuple(sorted({int(a) for a in self.rng.integers(x.ndim, size=int(self.rng.integers(1, 3)))}))
        options = [np.sum]
        if x.dtype.kind != "c" and all(x.shape):
            options += [np.max, np.min]
        if x.dtype.kind == "b":
            options += [np.any, np.all]
        return self.choose(options)(x, axis=axis, keepdims=bool(self.rng.random() < 0.3))

    def do_running(self, x: Any, pool: list[Any]) -> Any:
        if not x.ndim or x.dtype.kind in "cb" or not all(x.shape):
            return None
        axis = int(self.rng.integers(x.ndim))
        return self.choose((reduction.cumsum, reduction.cummax, reduction.cummin))(x, axis=axis)

    def do_search(self, x: Any, pool: list[Any]) -> Any:
        if not x.ndim or x.dtype.kind in "cb" or not all(x.shape) or not self.exact:
            return None
        return self.choose((np.argmax, np.argmin))(x, axis=int(self.rng.integers(x.ndim)))

    def do_reshape(self, x: Any, pool: list[Any]) -> Any:
        size = int(np.prod(x.shape))
        options: list[tuple[int, ...]] = [(size,), (1, size), (size, 1)]
        options += [(k, size // k) for k in (2, 3, 4, 5) if size and size % k == 0]
        options += [(2, k, size // (2 * k)) for k in (2, 3, 5) if size and size % (2 * k) == 0]
        return np.reshape(x, self.choose(options))

    def do_transpose(self, x: Any, pool: list[Any]) -> Any:
        return np.transpose(x, tuple(int(i) for i in self.rng.permutation(x.ndim)))

    def do_broadcast(self, x: Any, pool: list[Any]) -> Any:
        return np.broadcast_to(x, (int(self.choose((1, 2, 3))), *x.shape))

    def do_slice(self, x: Any, pool: list[Any]) -> Any:
        return x[self.key(x.shape, arrays=False)]

    def key(self, shape: tuple[int, ...], *, arrays: bool) -> tuple[Any, ...]:
        parts: list[Any] = []
        for n in shape[: int(self.rng.integers(0, len(shape) + 1))]:
            start = int(self.rng.integers(-n - 1, n + 1))
            stop = int(self.rng.integers(-n - 1, n + 2))
            choice = self.rng.random()
            if choice < 0.2 and n:
                parts.append(int(self.rng.integers(-n, n)))
            elif choice < 0.3:
                parts.append(None)
                parts.append(slice(None))
            elif choice < 0.5 and arrays and n:
                parts.append(self.rng.integers(-n, n, int(self.choose((1, 3)))))
            else:
                parts.append(
                    slice(*self.choose(((start, stop, None), (start, None, 2), (None, None, -1), (None, stop, -1))))
                )
        return tuple(parts)

    def do_gather(self, x: Any, pool: list[Any]) -> Any:
        return x[self.key(x.shape, arrays=True)]

    def do_scatter(self, x: Any, pool: list[Any]) -> Any:
        shape = self.shape()
        if x.dtype.kind == "b":
            return None
        spec, arrays = indexing.normalize_index(self.key(shape, arrays=True), shape)
        if indexing.layout_of(shape, spec, arrays)[0] != x.shape:
            return None
        return indexing.index_add(x, *arrays, spec=spec, shape=shape)

    def do_set(self, x: Any, pool: list[Any]) -> Any:
        spec, arrays = indexing.normalize_index(self.key(x.shape, arrays=bool(self.rng.random() < 0.3)), x.shape)
        y = self.choose(pool)
        if indexing.layout_of(x.shape, spec, arrays)[0] != y.shape or y.dtype.char != x.dtype.char:
            part = indexing.index(x, *arrays, spec=spec)
            y = part + part if x.dtype.kind != "b" else np.logical_not(part)
        return indexing.index_set(x, y, *arrays, spec=spec)

    def do_concatenate(self, x: Any, pool: list[Any]) -> Any:
        if not x.ndim:
            return None
        parts = [y for y in pool if y.ndim == x.ndim and y.shape[1:] == x.shape[1:]][-3:]
        return indexing.concatenate(*parts, axis=0)

    def do_stack(self, x: Any, pool: list[Any]) -> Any:
        parts = [y for y in pool if y.shape == x.shape][-3:]
        return np.stack(parts, axis=int(self.rng.integers(x.ndim + 1)))

    def do_roll(self, x: Any, pool: list[Any]) -> Any:
        return np.roll(x, int(self.rng.integers(-2, 3)), axis=int(self.rng.integers(x.ndim))) if x.ndim else None

    def do_pad(self, x: Any, pool: list[Any]) -> Any:
        if not x.ndim:
            return None
        mode = self.choose(("constant", "edge", "wrap"))
        return np.pad(x, int(self.choose((1, 2))), mode=mode) if all(x.shape) else None

    def do_contract(self, x: Any, pool: list[Any]) -> Any:
        y = self.choose(pool)
        if not x.ndim or not y.ndim or (self.exact and {x.dtype.kind, y.dtype.kind} & set("fc")):
            return None
        labels = list(range(x.ndim))
        other = list(range(x.ndim, x.ndim + y.ndim))
        batch = set()
        for i, n in enumerate(x.shape):
            for j, m in enumerate(y.shape):
                if n == m and other[j] >= x.ndim and labels[i] not in other and self.rng.random() < 0.6:
                    other[j] = labels[i]
                    if self.rng.random() < 0.3:
                        batch.add(labels[i])
        out = [a for a in labels if a not in other or a in batch] + [b for b in other if b not in labels]
        out = [out[i] for i in self.rng.permutation(len(out))]
        return contract(x, y, a=tuple(labels), b=tuple(other), out=tuple(out))

    def do_cast(self, x: Any, pool: list[Any]) -> Any:
        if x.dtype.kind == "c" or (x.dtype.kind == "f" and self.exact):
            return None
        return x.astype(self.choose(("f8", "f4", "c16", "c8")))
