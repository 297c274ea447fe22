"""The whole derivative of a function of complex numbers: as a real matrix, or proved to be one complex matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import ArgumentError, DtypeError, StructureError
from ..recording import Traced
from .gradient import Derivative
from .linear_map import push_block


class ComplexJacobian(Derivative):
    """The Jacobian by real and imaginary parts; made by `complex_jacobian`."""

    name = "complex_jacobian"

    def __init__(self, function: Callable[..., Any], argnums: int = 0, holomorphic: bool = False) -> None:
        super().__init__(function, argnums)
        self.holomorphic = holomorphic

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the matrix at these arguments."""
        return self.evaluate(*args, **kwargs)

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Return the matrix at these arguments, by recording the function there."""
        recorded, _ = self._record(args, kwargs)
        if len(recorded.inputs) != 1 or len(recorded.outputs) != 1:
            raise StructureError("complex_jacobian: the function takes and returns one array", hint="argnums is one int")
        source = recorded.inputs[0]
        out: Any = recorded.outputs[0]
        out = out if isinstance(out, Traced) else np.asarray(out)
        kinds = source.dtype.kind, out.dtype.kind
        if self.holomorphic and kinds != ("c", "c"):
            raise DtypeError(
                f"complex_jacobian: a function from {source.dtype} to {out.dtype} is not holomorphic",
                why="only complex functions of complex numbers are",
                hint="holomorphic=False gives the real matrix",
            )
        units = np.eye(source.size, dtype=source.dtype).reshape(source.size, *source.shape)
        seeds = np.concatenate([units, 1j * units]).astype(source.dtype) if kinds[0] == "c" else units
        if recorded.connected(out):
            found = push_block(recorded.lines, [source], [out._line], [seeds], recorded.wrapper, reverse=False)[0]
        else:
            found = np.zeros((len(seeds), *out.shape), out.dtype)
        columns = np.transpose(np.reshape(found, (len(seeds), -1)))
        if self.holomorphic:
            by_real, by_imaginary = columns[:, : source.size], columns[:, source.size :]
            _check_cauchy_riemann(by_real, by_imaginary)
            return recorded.finish(np.reshape(by_real, (*out.shape, *source.shape)))
        rows = columns if kinds[1] != "c" else np.concatenate([np.real(columns), np.imag(columns)])
        return recorded.finish(np.real(rows) if kinds[1] != "c" else rows)


def _check_cauchy_riemann(by_real: Any, by_imaginary: Any) -> None:
    x, y = (np.asarray(part._data if isinstance(part, Traced) else part) for part in (by_real, by_imaginary))
    gap = np.abs(y - 1j * x)
    scale = np.max(np.abs(x), initial=0) + np.max(np.abs(y), initial=0)
    if np.any(gap > 1e4 * np.finfo(x.dtype).eps * scale):
        i, j = (int(k) for k in np.unravel_index(np.argmax(gap), gap.shape))
        raise ArgumentError(
            f"complex_jacobian: the function is not holomorphic here: entry ({i}, {j}) is {x[i, j]:.6g} along the real "
            f"direction and {y[i, j] / 1j:.6g} along the imaginary one",
            why="the Cauchy-Riemann equations do not hold, so no single complex matrix is its derivative",
            hint="holomorphic=False gives the real matrix",
        )


def complex_jacobian(function: Callable[..., Any], argnums: int = 0, *, holomorphic: bool = False) -> ComplexJacobian:
    """Return the function that computes the whole derivative of a function of complex numbers.

    f: (n,) -> (m,)   returns: (2 m, 2 n) real, or with `holomorphic`: y.shape + x.shape complex

    Parameters
    ----------
    function : callable
        Ordinary NumPy code from one array to one array.
    argnums : int
        Which argument to differentiate by.
    holomorphic : bool
        If false the result is the real matrix that takes the real and imaginary parts of a change of the argument to
        those of the result: first all real parts, then all imaginary ones; real arguments and results have one part.
        If true it is the complex matrix, and the Cauchy-Riemann equations are checked at the point.

    Raises
    ------
    ArgumentError, DtypeError
        With `holomorphic`, if the function is not holomorphic at the point.
    StructureError
        If the function takes or returns a structure.

    Notes
    -----
    Cost: 2 n directional derivatives in one batched pass. `jacobian` of a complex result is the derivative along the
    real direction, which is all there is to know only for a holomorphic function.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> wg.complex_jacobian(lambda z: 3j * np.conj(z))(np.array([1 + 2j]))
    array([[0., 3.],
           [3., 0.]])
    >>> wg.complex_jacobian(lambda z: z**2, holomorphic=True)(np.array([1 + 2j]))
    array([[2.+4.j]])
    """
    return ComplexJacobian(function, argnums, holomorphic)
