"""`tf.random`: random tensors with a seed. The numbers are NumPy's, not TensorFlow's."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

import numpy as np

from ...recording import wrap
from ._missing import reporter as _reporter
from ._tensor import Tensor, convert_to_tensor, plain, shape_list

float32 = np.dtype(np.float32)

# The generator of each context (thread, task); None until a seed is set or a number drawn.
_generator: ContextVar[Generator | None] = ContextVar("wengert_tensorflow_random", default=None)


class Generator:
    """A stream of random numbers.

    Examples
    --------
    >>> import wengert.compat.tensorflow as tf
    >>> a, b = tf.random.Generator.from_seed(7), tf.random.Generator.from_seed(7)
    >>> bool(tf.reduce_all(a.normal((3,)) == b.normal((3,))))
    True
    """

    def __init__(self, seed: Any = None) -> None:
        self._stream = np.random.default_rng(seed)

    @classmethod
    def from_seed(cls, seed: Any, alg: Any = None) -> Generator:
        """Return the generator of a seed."""
        return cls(int(plain(seed)))

    @classmethod
    def from_non_deterministic_state(cls, alg: Any = None) -> Generator:
        """Return a generator that is different every time."""
        return cls()

    def split(self, count: int = 1) -> list[Generator]:
        """Return independent generators."""
        return [Generator(seed) for seed in self._stream.bit_generator.seed_seq.spawn(count)]  # type: ignore[attr-defined]

    def normal(self, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = float32, name: Any = None) -> Tensor:
        """Return normal deviates."""
        drawn = wrap(Tensor, self._stream.standard_normal(shape_list(shape)).astype(dtype))
        return drawn * _fitted(stddev, dtype) + _fitted(mean, dtype)

    def truncated_normal(
        self, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = float32, name: Any = None
    ) -> Tensor:
        """Return normal deviates of at most two standard deviations."""
        drawn = self._stream.standard_normal(shape_list(shape))
        while (far := np.abs(drawn) > 2).any():
            drawn = np.where(far, self._stream.standard_normal(drawn.shape), drawn)
        return wrap(Tensor, np.asarray(drawn).astype(dtype)) * _fitted(stddev, dtype) + _fitted(mean, dtype)

    def uniform(
        self, shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = float32, name: Any = None
    ) -> Tensor:
        """Return deviates that are evenly distributed from `minval` up to, not including, `maxval`."""
        kind, length = np.dtype(dtype), shape_list(shape)
        if kind.kind in "iu":
            low, high = int(plain(minval)), np.iinfo(kind).max if maxval is None else int(plain(maxval))
            return wrap(Tensor, np.asarray(self._stream.integers(low, high, length), kind))
        top = 1.0 if maxval is None else maxval
        drawn = wrap(Tensor, np.asarray(self._stream.random(length), kind))
        return drawn * (_fitted(top, kind) - _fitted(minval, kind)) + _fitted(minval, kind)


def _fitted(value: Any, dtype: Any) -> Any:
    tensor = convert_to_tensor(value)
    return tensor if tensor.dtype == np.dtype(dtype) else tensor.astype(dtype)


def get_global_generator() -> Generator:
    """Return the generator that the functions of this module draw from."""
    generator = _generator.get()
    if generator is None:
        generator = Generator()
        _generator.set(generator)
    return generator


def set_seed(seed: Any) -> None:
    """Let the functions of this module begin anew with a seed. Each thread and task has its own."""
    _generator.set(Generator.from_seed(seed))


def _source(seed: Any) -> Generator:
    return get_global_generator() if seed is None else Generator.from_seed(seed)


def normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = float32, seed: Any = None, name: Any = None
) -> Tensor:
    """Return normal deviates."""
    return _source(seed).normal(shape, mean, stddev, dtype)


def truncated_normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = float32, seed: Any = None, name: Any = None
) -> Tensor:
    """Return normal deviates of at most two standard deviations."""
    return _source(seed).truncated_normal(shape, mean, stddev, dtype)


def uniform(
    shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = float32, seed: Any = None, name: Any = None
) -> Tensor:
    """Return deviates that are evenly distributed from `minval` up to, not including, `maxval`."""
    return _source(seed).uniform(shape, minval, maxval, dtype)


def shuffle(value: Any, seed: Any = None, name: Any = None) -> Tensor:
    """Return the entries of the first axis in random order."""
    x = convert_to_tensor(value)
    return x[_source(seed)._stream.permutation(x.shape[0])]


def categorical(logits: Any, num_samples: Any, dtype: Any = np.int64, seed: Any = None, name: Any = None) -> Tensor:
    """Return class numbers drawn from the distribution of each row of logits (by the Gumbel trick)."""
    x = np.asarray(plain(convert_to_tensor(logits)))
    noise = _source(seed)._stream.gumbel(size=(x.shape[0], int(plain(num_samples)), x.shape[1]))
    return wrap(Tensor, np.argmax(x[:, None, :] + noise, -1).astype(dtype))


def poisson(shape: Any, lam: Any, dtype: Any = float32, seed: Any = None, name: Any = None) -> Tensor:
    """Return Poisson deviates."""
    rate = np.asarray(plain(lam))
    return wrap(Tensor, np.asarray(_source(seed)._stream.poisson(rate, (*shape_list(shape), *rate.shape)), dtype))


class random_normal_initializer:
    """A function of a shape that returns normal deviates."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None) -> None:
        self.settings = (mean, stddev)
        self.seed = seed

    def __call__(self, shape: Any, dtype: Any = float32, **_: Any) -> Tensor:
        """Return normal deviates."""
        return normal(shape, *self.settings, dtype=dtype, seed=self.seed)


class random_uniform_initializer:
    """A function of a shape that returns evenly distributed deviates."""

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: Any = None) -> None:
        self.settings = (minval, maxval)
        self.seed = seed

    def __call__(self, shape: Any, dtype: Any = float32, **_: Any) -> Tensor:
        """Return evenly distributed deviates."""
        return uniform(shape, *self.settings, dtype=dtype, seed=self.seed)


__getattr__ = _reporter(__name__, lambda: list(globals()))
