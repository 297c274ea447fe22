"""What to say about a name of TensorFlow's that is not here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import numpy as np

from ...errors import MissingName

_INSTEAD = {
    "keras": "write layers as tf.Module classes with tf.Variable and tf.matmul, and optimizers with v.assign_sub",
    "data": "iterate over NumPy arrays in plain Python",
    "gradients": "tf.GradientTape: with tf.GradientTape() as tape: ...; tape.gradient(y, x)",
    "hessians": "two nested tf.GradientTapes, or wengert.hessian(f)(x)",
    "Session": "nothing is needed: operations run eagerly",
    "placeholder": "pass tensors as arguments: operations run eagerly",
    "estimator": "scipy.optimize with wengert.value_and_grad",
    "train": "v.assign_sub(rate * gradient), or scipy.optimize with wengert.value_and_grad",
    "optimizers": "v.assign_sub(rate * gradient), or scipy.optimize with wengert.value_and_grad",
    "losses": "tf.nn and tf.reduce_mean",
    "metrics": "plain NumPy on x.numpy()",
    "image": "scipy.ndimage on x.numpy(), or tf.einsum and indexing where a derivative is wanted",
    "strings": "plain Python: tensors hold numbers here",
    "string": "plain Python: tensors hold numbers here",
    "ragged": "lists of tensors",
    "RaggedTensor": "a list of tensors",
    "sparse": "wengert.sparse, or scipy.sparse matrices",
    "SparseTensor": "a scipy.sparse matrix",
    "TensorArray": "a Python list, and tf.stack in the end",
    "saved_model": "numpy.savez of v.numpy() for each variable",
    "io": "plain Python and numpy.load",
    "summary": "print or matplotlib",
    "distribute": "wengert's parallel Jacobians",
    "bfloat16": "tf.float32",
    "xla": "tf.function(f), which is f itself here, or wengert.jit",
    "conv2d": "np.lib.stride_tricks.sliding_window_view and tf.einsum",
    "numpy": "wengert.numpy, or numpy itself, whose functions take these tensors",
    "conv1d": "np.lib.stride_tricks.sliding_window_view and tf.einsum",
}


def reporter(module: str, names: Callable[[], Iterable[str]]) -> Callable[[str], NoReturn]:
    """Return the `__getattr__` of a module: an error that says what to use."""

    def report(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        hint = _INSTEAD.get(name)
        if hint is None:
            import difflib

            close = difflib.get_close_matches(name, list(names()), 3, 0.75)
            if close:
                hint = " or ".join(f"{module.rpartition('.')[2].replace('tensorflow', 'tf')}.{n}" for n in close)
            elif callable(getattr(np, name, None)):
                hint = f"numpy.{name}, which takes these tensors and keeps their derivatives"
            else:
                hint = "functions of numpy and scipy.special, which take these tensors and keep their derivatives"
        raise MissingName(f"{module} has no {name!r}", why="it has what gradients and Jacobians need", hint=hint)

    return report
