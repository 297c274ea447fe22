"""Functions that make tensors: from numbers and arrays, constants, ranges and random numbers."""

from __future__ import annotations

import warnings
from contextvars import ContextVar
from typing import Any

import numpy as np

from ...errors import GraphArgumentError, GraphError, ShapeError, StructureError, user_level, user_line
from ...recording import Traced, wrap
from ...views import holds_tensor
from . import dtypes
from .operators import as_tensor
from .tensor import Tensor

# ---------------------------------------------------------------- from data


def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Any:
    """Return a tensor with a copy of the data: numbers, nested lists, an array or a tensor.

    Python floats take the default dtype, integers int64; arrays keep theirs.

    Raises
    ------
    GraphError
        If nested lists hold a tensor that requires a gradient, which a copy would drop.
    StructureError
        If the data are not numbers.
    """
    _check_device(device)
    if isinstance(data, Traced):
        warnings.warn(
            "to copy a tensor, x.detach().clone() (or .requires_grad_(True) on that) says so; torch.tensor(x) drops "
            "the history",
            UserWarning,
            stacklevel=user_level(),
        )
        data = data._data
    elif holds_tensor(data):
        data = _values_of(data)
    wanted = None if dtype is None else dtypes.to_numpy_dtype(dtype)
    try:
        array = np.array(data)
    except ValueError as error:
        raise ShapeError(f"torch.tensor: the nested lists have unequal lengths: {error}") from None
    if array.dtype.kind not in "biufc":
        raise StructureError(
            f"torch.tensor: cannot make a tensor of {type(data).__name__} with elements of {array.dtype}",
            where=user_line(),
            hint="numbers, nested lists of equal length, or a numeric array",
        )
    if wanted is None and not _has_numpy(data):
        wanted = _default_for(array.dtype)
    made = wrap(Tensor.family, array if wanted is None else array.astype(wanted, copy=False))
    return made.requires_grad_() if requires_grad else made


def _values_of(data: Any) -> Any:
    if isinstance(data, Traced):
        if data._data is None:
            return data._concrete("torch.tensor")  # type: ignore[attr-defined]
        if getattr(data, "requires_grad", False):
            raise GraphError(
                "torch.tensor of a list that holds a tensor which requires grad",
                where=user_line(),
                why="the result is a copy of the values, and the derivative would be lost",
                hint="torch.stack([a, b]) keeps it; a.detach() says that it is not wanted",
            )
        return np.asarray(data._data)
    return [_values_of(part) for part in data] if isinstance(data, list | tuple) else data


def _has_numpy(data: Any) -> bool:
    while isinstance(data, list | tuple) and len(data):
        data = data[0]
    return isinstance(data, np.ndarray | np.generic)


def _default_for(have: np.dtype) -> np.dtype:
    if have.kind == "f":
        return dtypes.get_default_dtype().dtype
    if have.kind == "c":
        return dtypes.get_default_dtype().to_complex().dtype
    return have


def _check_device(device: Any) -> None:
    if device is not None:
        dtypes.device(device)


def as_tensor_(data: Any, dtype: Any = None, device: Any = None) -> Any:
    """Return data as a tensor; a tensor keeps its history."""
    _check_device(device)
    if isinstance(data, np.ndarray):
        made = wrap(Tensor.family, data)
    else:
        made = as_tensor(data) if isinstance(data, Traced) else tensor(data)
    return made if dtype is None else dtypes.cast(made, dtypes.to_numpy_dtype(dtype))


asarray = as_tensor_


def from_numpy(ndarray: np.ndarray) -> Any:
    """Return an array's values as a tensor of the same dtype. Later writes on one side do not show on the other.

    Raises StructureError if it is not an array.
    """
    if not isinstance(ndarray, np.ndarray):
        raise StructureError(f"from_numpy: expected np.ndarray (got {type(ndarray).__name__})")
    dtypes.from_numpy_dtype(ndarray.dtype)
    return wrap(Tensor.family, ndarray.copy())


def complex_(real: Any, imag: Any) -> Any:
    """Return a complex tensor from its parts."""
    return as_tensor(real) + 1j * as_tensor(imag)


def polar(abs: Any, angle: Any) -> Any:
    """Return a complex tensor from absolute value and angle."""
    angle = as_tensor(angle)
    return abs * (np.cos(angle) + 1j * np.sin(angle))


# ---------------------------------------------------------------- constants


def _shape(size: tuple[Any, ...]) -> tuple[int, ...]:
    if len(size) == 1 and isinstance(size[0], list | tuple):
        size = tuple(size[0])
    return tuple(int(n) for n in size)


def _sized(name: str, size: tuple[Any, ...], named: dict[str, Any]) -> tuple[int, ...]:
    dtypes.check_settings(name, named, ("size", *dtypes.LAYOUT))
    if not size and "size" not in named:
        raise StructureError(f"{name}() needs a size", where=user_line())
    return _shape(size or (named["size"],))


def _made(array: np.ndarray, dtype: Any, requires_grad: bool) -> Any:
    wanted = dtypes.to_numpy_dtype(dtypes.get_default_dtype() if dtype is None else dtype)
    made = wrap(Tensor.family, array.astype(wanted, copy=False))
    return made.requires_grad_() if requires_grad else made


def _constant(name: str, function: Any) -> Any:
    def make(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, **layout: Any) -> Any:
        _check_device(device)
        shape = _sized(name, size, layout)
        return _made(function(shape, dtypes.to_numpy_dtype(dtype or dtypes.get_default_dtype())), dtype, requires_grad)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"Return a tensor of {name}, of the default dtype."
    return make


zeros = _constant("zeros", np.zeros)
ones = _constant("ones", np.ones)
empty = _constant("empty", np.zeros)


def full(size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Any:
    """Return a tensor filled with one number; an int gives int64, a float the default dtype."""
    _check_device(device)
    value = np.asarray(fill_value._data if isinstance(fill_value, Traced) else fill_value)
    wanted = dtypes.to_numpy_dtype(dtype) if dtype is not None else _default_for(value.dtype)
    return _made(np.full(_shape((size,)), value), wanted, requires_grad)


def eye(n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Any:
    """Return the identity matrix."""
    _check_device(device)
    return _made(np.eye(n, m), dtype, requires_grad)


def _like(name: str, value: Any) -> Any:
    def make(input: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, **layout: Any) -> Any:
        dtypes.check_settings(name, layout, dtypes.LAYOUT)
        x = as_tensor(input)
        return _made(np.full(tuple(x.shape), value), x.dtype if dtype is None else dtype, requires_grad)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"Same as `{name[:-5]}`, with the shape and dtype of a tensor."
    return make


zeros_like = _like("zeros_like", 0)
ones_like = _like("ones_like", 1)
empty_like = _like("empty_like", 0)


def full_like(input: Any, fill_value: Any, *, dtype: Any = None, requires_grad: bool = False, **layout: Any) -> Any:
    """Same as `full`, with the shape and dtype of a tensor."""
    dtypes.check_settings("full_like", layout, dtypes.LAYOUT)
    return full(tuple(input.shape), fill_value, dtype=dtype or input.dtype, requires_grad=requires_grad)


# ---------------------------------------------------------------- ranges


def arange(*bounds: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, **named: Any) -> Any:
    """Return start, start + step, ... below end; integers give int64."""
    _check_device(device)
    dtypes.check_settings("arange", named, ("start", "end", "step", *dtypes.LAYOUT))
    places = ("end",) if len(bounds) == 1 and "end" not in named else ("start", "end", "step")
    given = {"start": 0, "step": 1, **dict(zip(places, bounds)), **named}
    numbers = [n.item() if hasattr(n, "item") else n for n in (given[place] for place in ("start", "end", "step"))]
    array = np.arange(*numbers)
    return _made(array, dtypes.from_numpy_dtype(_default_for(array.dtype)) if dtype is None else dtype, requires_grad)


def linspace(
    start: Any, end: Any, steps: int, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Any:
    """Return evenly spaced numbers, both ends included."""
    _check_device(device)
    if isinstance(start, Traced) or isinstance(end, Traced):
        return dtypes.cast(
            np.linspace(as_tensor(start), as_tensor(end), steps),
            dtypes.to_numpy_dtype(dtype or dtypes.get_default_dtype()),
        )
    return _made(np.linspace(start, end, steps), dtype, requires_grad)


def logspace(
    start: Any, end: Any, steps: int, base: float = 10.0, *, dtype: Any = None, requires_grad: bool = False
) -> Any:
    """Return powers of `base` with evenly spaced exponents."""
    return _made(np.logspace(start, end, steps, base=base), dtype, requires_grad)


def range_(start: Any, end: Any, step: Any = 1, **options: Any) -> Any:
    """Return start, start + step, ..., end included."""
    return arange(start, end + step / 2, step, **{"dtype": dtypes.get_default_dtype(), **options})


def tril_indices(row: int, col: int, offset: int = 0) -> Any:
    """Return the row and column numbers of a lower triangle, as two rows."""
    return as_tensor(np.stack(np.tril_indices(row, offset, col)))


def triu_indices(row: int, col: int, offset: int = 0) -> Any:
    """Return the row and column numbers of an upper triangle, as two rows."""
    return as_tensor(np.stack(np.triu_indices(row, offset, col)))


# ---------------------------------------------------------------- random numbers


class Generator:
    """A stream of random numbers (NumPy's PCG64, so not PyTorch's numbers for the same seed)."""

    def __init__(self, device: Any = "cpu") -> None:
        _check_device(device)
        self.seed()

    def manual_seed(self, seed: int) -> Generator:
        """Start the stream that belongs to a seed."""
        self._seed = int(seed)
        self.random = np.random.default_rng(self._seed % (1 << 64))
        return self

    def seed(self) -> int:
        """Start a new stream with a seed from the operating system, and return that."""
        self.manual_seed(int(np.random.SeedSequence().entropy) % (1 << 63))  # type: ignore[arg-type]
        return self._seed

    def initial_seed(self) -> int:
        """Return the seed that the stream started from."""
        return self._seed


_generator: ContextVar[Generator | None] = ContextVar("wengert_torch_generator", default=None)


def default_generator() -> Generator:
    """Return the stream of this thread or task."""
    found = _generator.get()
    if found is None:
        found = Generator()
        _generator.set(found)
    return found


def manual_seed(seed: int) -> Generator:
    """Seed this thread's or task's random numbers."""
    return default_generator().manual_seed(seed)


def seed() -> int:
    """Seed this thread's or task's random numbers from the operating system."""
    return default_generator().seed()


def initial_seed() -> int:
    """Return the present seed."""
    return default_generator().initial_seed()


# What random numbers are inside of a `vmap`: "error" or "same"; "" outside.
randomness: ContextVar[str] = ContextVar("wengert_torch_randomness", default="")


def _random(generator: Any) -> np.random.Generator:
    if randomness.get() == "error":
        raise GraphArgumentError(
            'vmap: random numbers are drawn, and randomness is "error"',
            where=user_line(),
            hint='vmap(..., randomness="same") for the same ones in every sample; or draw them outside and map over them',
        )
    return (generator or default_generator()).random


def _sampler(name: str, draw: Any) -> tuple[Any, Any]:
    def make(
        *size: Any,
        generator: Any = None,
        dtype: Any = None,
        device: Any = None,
        requires_grad: bool = False,
        **layout: Any,
    ) -> Any:
        _check_device(device)
        return _made(draw(_random(generator), _sized(name, size, layout)), dtype, requires_grad)

    def like(input: Any, *, dtype: Any = None, requires_grad: bool = False, **layout: Any) -> Any:
        return make(tuple(input.shape), dtype=dtype or input.dtype, requires_grad=requires_grad, **layout)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"Return random numbers: {'uniform in [0, 1)' if name == 'rand' else 'standard normal'}."
    like.__name__ = like.__qualname__ = f"{name}_like"
    like.__doc__ = f"Same as `{name}`, with the shape and dtype of a tensor."
    return make, like


rand, rand_like = _sampler("rand", lambda random, shape: random.random(shape))
randn, randn_like = _sampler("randn", lambda random, shape: random.standard_normal(shape))


def randint(
    *bounds: Any, size: Any = None, generator: Any = None, dtype: Any = None, requires_grad: bool = False, **named: Any
) -> Any:
    """Return random integers from `low` (0 if not given) up to but without `high`."""
    dtypes.check_settings("randint", named, ("low", "high", *dtypes.LAYOUT))
    bounds = (*(named[key] for key in ("low", "high") if key in named), *bounds)
    if size is None:
        *bounds_, size = bounds
        bounds = tuple(bounds_)
    low, high = (0, *bounds) if len(bounds) == 1 else bounds
    return _made(_random(generator).integers(low, high, _shape((size,))), dtype or dtypes.int64, requires_grad)


def randperm(n: int, *, generator: Any = None, dtype: Any = None, **layout: Any) -> Any:
    """Return the numbers 0 to n - 1 in random order."""
    dtypes.check_settings("randperm", layout, dtypes.LAYOUT)
    return _made(_random(generator).permutation(n), dtype or dtypes.int64, False)


def normal(mean: Any, std: Any = 1.0, size: Any = None, *, generator: Any = None, requires_grad: bool = False) -> Any:
    """Return normal random numbers of a mean and standard deviation per element."""
    values = [np.asarray(x._data if isinstance(x, Traced) else x) for x in (mean, std)]
    shape = np.broadcast_shapes(values[0].shape, values[1].shape) if size is None else _shape((size,))
    dtype = mean.dtype if isinstance(mean, Tensor) else std.dtype if isinstance(std, Tensor) else None
    return _made(_random(generator).standard_normal(shape) * values[1] + values[0], dtype, requires_grad)


def bernoulli(input: Any, *, generator: Any = None) -> Any:
    """Return 1 with the probability that each element says, else 0."""
    return _made(_random(generator).random(tuple(input.shape)) < np.asarray(input._data), input.dtype, False)


def multinomial(input: Any, num_samples: int, replacement: bool = False, *, generator: Any = None) -> Any:
    """Return indices drawn with the weights in the last axis."""
    weights = np.asarray(input._data, float)
    random = _random(generator)
    rows = [
        random.choice(weights.shape[-1], num_samples, replacement, row / row.sum())
        for row in weights.reshape(-1, weights.shape[-1])
    ]
    return as_tensor(np.asarray(rows).reshape((*weights.shape[:-1], num_samples)))


def uniform_(self: Any, a: float = 0.0, b: float = 1.0, *, generator: Any = None) -> Any:
    """Fill with random numbers uniform in [a, b)."""
    return self._assign(_made(_random(generator).uniform(a, b, tuple(self.shape)), self.dtype, False))


def normal_(self: Any, mean: float = 0.0, std: float = 1.0, *, generator: Any = None) -> Any:
    """Fill with normal random numbers."""
    return self._assign(_made(_random(generator).normal(mean, std, tuple(self.shape)), self.dtype, False))
