"""What is said about PyTorch's names that are not here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...errors import MissingName

# What to use instead, for names that people are likely to try.
HINTS = {
    "cuda": "there is one device, 'cpu': leave .cuda() and device= out",
    "compile": "wengert.jit(f) compiles a function",
    "jit": "wengert.jit(f) compiles a function",
    "save": "pickle the tensors, or numpy.savez on x.detach().numpy()",
    "load": "pickle, or numpy.load and torch.from_numpy",
    "set_num_threads": "wengert.set_num_threads",
    "bfloat16": "torch.float32, or torch.float16; NumPy has no bfloat16",
    "sparse_coo_tensor": "scipy.sparse arrays; wengert.jacobian(f, sparse=True) returns them",
    "distributed": "one process here; functions and their derivatives pickle, so joblib and multiprocessing take them",
    "saved_tensors_hooks": "torch.utils.checkpoint.checkpoint to save memory",
    "save_on_cpu": "torch.utils.checkpoint.checkpoint to save memory",
    "fft": "numpy.fft functions, which take tensors",
    "distributions": "wengert.scipy.stats",
    "functionalize": "nothing: functions of tensors are functional here",
    "make_fx": "wengert.explain(f, ...) shows the operations of a function",
    "LBFGS": "wengert.scipy.optimize.minimize",
}


def missing(module: str) -> Callable[[str], Any]:
    """Return a module's `__getattr__`: it raises MissingName, an AttributeError, that says what to use."""

    def __getattr__(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise MissingName(f"{module} has no {name!r} here", hint=hint_for(name))

    return __getattr__


def hint_for(name: str) -> str:
    """Return what to use instead of a name of PyTorch's."""
    import numpy

    if name in HINTS:
        return HINTS[name]
    plain = name.rstrip("_")
    for place, module in (("numpy", numpy), ("numpy.linalg", numpy.linalg), ("numpy.fft", numpy.fft)):
        if callable(getattr(module, plain, None)):
            return f"{place}.{plain}, which takes tensors and keeps their derivative"
    return "NumPy's and SciPy's functions take tensors and keep their derivative"
