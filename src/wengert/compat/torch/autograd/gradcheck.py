"""`gradcheck` and `gradgradcheck`: derivatives against central differences, and the contracts of backward rules.

Complex numbers count as two real ones: a check compares real Jacobians, whose columns are the real and imaginary parts
of inputs and whose rows those of outputs.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ....errors import ArgumentError, GraphError, GraphShapeError, StructureError, user_level, user_line
from ....recording import Traced, wrap
from .. import creation
from ..engine import grad
from ..modes import no_grad
from ..tensor import Tensor


class GradcheckError(GraphError):
    """A derivative does not agree with differences, or a rule breaks a contract."""


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,)


class _Check:
    """A function with the inputs that are varied and the outputs that have a derivative."""

    def __init__(self, func: Callable[..., Any], inputs: tuple[Any, ...]) -> None:
        self.func = func
        self.inputs = inputs
        self.varied = [i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]

    def outputs(self, inputs: Sequence[Any] | None = None) -> list[Any]:
        """Run the function and return its tensors."""
        found = _as_tuple(self.func(*(self.inputs if inputs is None else inputs)))
        for out in found:
            if not isinstance(out, Traced):
                raise StructureError(f"gradcheck: the function returned {type(out).__name__}, not tensors")
        return list(found)

    def numbers(self, inputs: Sequence[Any]) -> list[np.ndarray]:
        """Run the function unrecorded and return each output as real numbers."""
        with no_grad():
            return [_real(out) for out in self.outputs(inputs)]

    def shifted(self, i: int, data: np.ndarray) -> list[Any]:
        """Return the inputs with other numbers for one of them."""
        changed = list(self.inputs)
        changed[i] = wrap(Tensor.family, data)
        return changed

    def numeric(self, eps: float) -> list[list[np.ndarray]]:
        """Return J[output][input] by central differences."""
        columns: list[list[list[np.ndarray]]] = []
        for i in self.varied:
            data = np.asarray(self.inputs[i]._data)
            mine = []
            for step in _steps(data, eps):
                above = self.numbers(self.shifted(i, data + step))
                below = self.numbers(self.shifted(i, data - step))
                mine.append([(a - b) / (2 * eps) for a, b in zip(above, below, strict=True)])
            columns.append(mine)
        count = len(self.numbers(self.inputs))
        return [
            [np.stack([column[o] for column in mine], 1) if mine else np.zeros((0, 0)) for mine in columns]
            for o in range(count)
        ]

    def analytic(self, outs: Sequence[Any], o: int) -> list[np.ndarray]:
        """Return the Jacobian of one output by each varied input, row by row in reverse mode."""
        out = outs[o]
        rows: list[list[np.ndarray]] = []
        for seed in _seeds(out):
            rows.append([_real_of(g, self.inputs[i]) for g, i in zip(self.pull(out, seed), self.varied, strict=True)])
        return [
            np.stack([row[k] for row in rows]) if rows else np.zeros((0, _width(self.inputs[i])))
            for k, i in enumerate(self.varied)
        ]

    def pull(self, out: Any, seed: np.ndarray) -> tuple[Any, ...]:
        """Return the gradients of one output for a cotangent."""
        return grad(
            out,
            [self.inputs[i] for i in self.varied],
            wrap(Tensor.family, seed),
            retain_graph=True,
            allow_unused=True,
        )

    def forward(self, o: int) -> list[np.ndarray]:
        """Return the Jacobian of one output by each varied input, column by column in forward mode."""
        from . import forward_ad

        found = []
        for i in self.varied:
            data = np.asarray(self.inputs[i]._data)
            columns = []
            for step in _steps(data, 1.0):
                with forward_ad.dual_level():
                    changed = self.shifted(i, data)
                    changed[i] = forward_ad.make_dual(changed[i], wrap(Tensor.family, step))
                    for k in self.varied:
                        if k != i:
                            changed[k] = changed[k].detach()
                    out = self.outputs(changed)[o]
                    tangent = forward_ad.unpack_dual(out).tangent
                    columns.append(_real(out) * 0 if tangent is None else _real_as(tangent, out))
            found.append(np.stack(columns, 1) if columns else np.zeros((0, 0)))
        return found


def _steps(data: np.ndarray, eps: float) -> list[np.ndarray]:
    parts = (eps, 1j * eps) if data.dtype.kind == "c" else (eps,)
    steps = []
    for k in range(data.size):
        for part in parts:
            step = np.zeros(data.size, data.dtype)
            step[k] = part
            steps.append(step.reshape(data.shape))
    return steps


def _seeds(out: Any) -> list[np.ndarray]:
    data = np.asarray(out._data)
    return _steps(data, 1.0)


def _real(x: Any) -> np.ndarray:
    data = np.asarray(x._data)
    return _flat(data if data.dtype.kind in "fc" else data.astype(float))


def _flat(data: np.ndarray) -> np.ndarray:
    if data.dtype.kind == "c":
        return np.stack([data.real, data.imag], -1).reshape(-1).astype(float)
    return data.reshape(-1).astype(float)


def _real_as(x: Any, like: Any) -> np.ndarray:
    data = np.asarray(x._data)
    return _flat(data.astype(like._data.dtype) if like._data.dtype.kind == "c" else data)


def _width(x: Any) -> int:
    data = np.asarray(x._data)
    return data.size * (2 if data.dtype.kind == "c" else 1)


def _real_of(g: Any, x: Any) -> np.ndarray:
    if g is None:
        return np.zeros(_width(x))
    return _real_as(g, x)


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: Any = None,
) -> bool:
    """Return whether derivatives agree with central differences, and rules keep their contracts.

    Checked are: reverse mode (and, if asked for, forward mode and batched gradients) against differences of step `eps`,
    to `atol` (absolute) plus `rtol` (relative); two runs give the same to `nondet_tol`; a zero cotangent gives exactly
    zero; a missing cotangent counts as zero; outputs without a derivative do not vary. Gradients have their input's
    dtype by construction, so `check_grad_dtypes` is accepted and changes nothing; nor does `masked`.

    Raises
    ------
    GradcheckError
        If something disagrees, unless `raise_exception` is false.
    ArgumentError
        If no input requires a gradient, or options exclude each other.
    GraphShapeError
        If elements of an input share memory, so that one cannot be varied alone.

    Notes
    -----
    Inputs should be float64 or complex128: differences of float32 have three digits at best. `fast_mode` compares one
    random product instead of whole Jacobians.
    """
    if not (check_forward_ad or check_backward_ad):
        raise ArgumentError("gradcheck: at least one of check_forward_ad and check_backward_ad must be true")
    if check_batched_grad and not check_backward_ad:
        raise ArgumentError("gradcheck: check_batched_grad=True needs check_backward_ad=True")
    if check_batched_forward_grad and not check_forward_ad:
        raise ArgumentError("gradcheck: check_batched_forward_grad=True needs check_forward_ad=True")
    check = _Check(func, _as_tuple(inputs))
    _check_inputs(check)
    try:
        _run(
            check,
            eps=eps,
            atol=atol,
            rtol=rtol,
            nondet_tol=nondet_tol,
            undefined=check_undefined_grad,
            batched=check_batched_grad,
            forward=check_forward_ad,
            batched_forward=check_batched_forward_grad,
            backward=check_backward_ad,
            fast=fast_mode,
        )
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _check_inputs(check: _Check) -> None:
    if not check.varied:
        raise ArgumentError(
            "gradcheck expects at least one input tensor to require gradient, but none of them have requires_grad=True",
            where=user_line(),
        )
    for i in check.varied:
        data = np.asarray(check.inputs[i]._data)
        if data.dtype not in (np.float64, np.complex128):
            warnings.warn(
                f"gradcheck: input {i} is {check.inputs[i].dtype!r}; differences are good enough in double precision",
                UserWarning,
                stacklevel=user_level(),
            )
        if any(stride == 0 and n > 1 for stride, n in zip(data.strides, data.shape)):
            raise GraphShapeError(
                f"gradcheck: elements of input {i} share memory",
                why="one of them cannot be varied alone",
                hint="x.clone() before the call",
            )


def _run(check: _Check, *, eps: float, atol: float, rtol: float, nondet_tol: float, fast: bool, **wanted: bool) -> None:
    outs = check.outputs()
    smooth = [o for o, out in enumerate(outs) if out.requires_grad]
    numeric = check.numeric(eps)
    for o, out in enumerate(outs):
        if o not in smooth and out._data.dtype.kind in "fc":
            for k, i in enumerate(check.varied):
                if not np.allclose(numeric[o][k], 0, atol=atol, rtol=0):
                    raise GradcheckError(
                        f"output {o} does not require a gradient, but it varies with input {i}: numerical gradient "
                        "expected to be zero",
                        hint="the function detaches or converts what it should differentiate",
                    )
    if wanted["backward"]:
        for o in smooth:
            _compare(check, o, numeric[o], check.analytic(outs, o), atol, rtol, fast, "analytical")
        _check_reentrant(check, smooth, nondet_tol)
        _check_zero_seed(check, outs, smooth)
        if wanted["undefined"]:
            _check_undefined(check, smooth)
        if wanted["batched"]:
            _check_batched(check, outs, smooth)
    if wanted["forward"]:
        for o in smooth:
            _compare(check, o, numeric[o], check.forward(o), atol, rtol, fast, "forward-mode")
    if wanted["batched_forward"]:
        _check_batched_forward(check, outs, smooth)


def _compare(
    check: _Check,
    o: int,
    numeric: Sequence[np.ndarray],
    found: Sequence[np.ndarray],
    atol: float,
    rtol: float,
    fast: bool,
    what: str,
) -> None:
    for k, i in enumerate(check.varied):
        n, a = numeric[k], found[k]
        if fast and n.size:
            random = creation.default_generator().random
            u: Any = random.standard_normal(n.shape[1])
            v: Any = random.standard_normal(n.shape[0])
            u, v = u / np.linalg.norm(u), v / np.linalg.norm(v)
            good = np.allclose(v @ a @ u, v @ n @ u, rtol, atol * np.abs(u).sum() * np.abs(v).sum())
        else:
            good = np.allclose(a, n, rtol, atol)
        if not good:
            worst = np.unravel_index(np.argmax(np.where(np.isnan(a - n), np.inf, np.abs(a - n))), n.shape)
            raise GradcheckError(
                f"Jacobian mismatch for output {o} with respect to input {i},\nnumerical:\n{n}\n{what}:\n{a}",
                why=f"they differ most at {tuple(int(w) for w in worst)}: {n[worst]:.6g} against {a[worst]:.6g}",
            )


def _gradients(check: _Check, out: Any) -> list[np.ndarray]:
    seed = np.ones_like(np.asarray(out._data))
    return [_real_of(g, check.inputs[i]) for g, i in zip(check.pull(out, seed), check.varied, strict=True)]


def _check_reentrant(check: _Check, smooth: Sequence[int], tolerance: float) -> None:
    for o in smooth:
        out = check.outputs()[o]
        for first, second in zip(_gradients(check, out), _gradients(check, out), strict=True):
            if not np.all(np.abs(first - second) <= tolerance) and not np.array_equal(first, second, equal_nan=True):
                raise GradcheckError(
                    "backward is not reentrant: two runs with the same input and gradient give different values, "
                    f"{np.max(np.abs(first - second)):.3g} apart; the tolerance is {tolerance}",
                    hint="nondet_tol=... if that is expected",
                )


def _check_zero_seed(check: _Check, outs: Sequence[Any], smooth: Sequence[int]) -> None:
    for o in smooth:
        seed = np.zeros_like(np.asarray(outs[o]._data))
        for g in check.pull(outs[o], seed):
            if g is not None and np.any(np.asarray(g._data) != 0):
                raise GradcheckError("backward is not multiplied by grad_output: a zero gradient gives another one")


def _check_undefined(check: _Check, smooth: Sequence[int]) -> None:
    """A cotangent that never arrives counts as zero."""
    if len(smooth) < 2:
        return
    sources = [check.inputs[i] for i in check.varied]
    for o in smooth:
        outs = check.outputs()
        seeds = [
            wrap(Tensor.family, (np.ones_like if k == o else np.zeros_like)(np.asarray(outs[k]._data))) for k in smooth
        ]
        alone = grad(outs[o], sources, seeds[smooth.index(o)], retain_graph=True, allow_unused=True)
        together = grad([outs[k] for k in smooth], sources, seeds, retain_graph=True, allow_unused=True)
        for a, b, i in zip(alone, together, check.varied, strict=True):
            if not np.allclose(_real_of(a, check.inputs[i]), _real_of(b, check.inputs[i])):
                raise GradcheckError(
                    f"the gradient by input {i} changes where that of another output than {o} is undefined, not zero",
                    hint="treat None in backward as zero",
                )


def _check_batched(check: _Check, outs: Sequence[Any], smooth: Sequence[int]) -> None:
    sources = [check.inputs[i] for i in check.varied]
    for o in smooth:
        data = np.asarray(outs[o]._data)
        seeds = creation.default_generator().random.standard_normal((2, *data.shape)).astype(data.dtype)
        at_once = grad(
            outs[o], sources, wrap(Tensor.family, seeds), retain_graph=True, allow_unused=True, is_grads_batched=True
        )
        for k, i in enumerate(check.varied):
            one_by_one = [_real_of(check.pull(outs[o], seed)[k], check.inputs[i]) for seed in seeds]
            batched = np.zeros(0) if at_once[k] is None else np.asarray(at_once[k]._data)
            have = [_flat(np.asarray(row)) for row in batched] if at_once[k] is not None else one_by_one
            if not np.allclose(np.stack(have), np.stack(one_by_one)):
                raise GradcheckError(f"batched gradients of output {o} by input {i} differ from those one by one")


def _check_batched_forward(check: _Check, outs: Sequence[Any], smooth: Sequence[int]) -> None:
    from ..func import jvp, vmap

    for i in check.varied:
        data = np.asarray(check.inputs[i]._data)
        tangents = creation.default_generator().random.standard_normal((2, *data.shape)).astype(data.dtype)

        def push(tangent: Any, i: int = i, data: np.ndarray = data) -> Any:
            def of_one(x: Any) -> Any:
                changed = [
                    x if k == i else y.detach() if isinstance(y, Tensor) else y for k, y in enumerate(check.inputs)
                ]
                return tuple(check.outputs(changed)[o] for o in smooth)

            return jvp(of_one, (wrap(Tensor.family, data),), (tangent,))[1]

        at_once = vmap(push)(wrap(Tensor.family, tangents))
        for k, o in enumerate(smooth):
            one_by_one = [np.asarray(push(wrap(Tensor.family, t))[k]._data) for t in tangents]
            if not np.allclose(np.asarray(at_once[k]._data), np.stack(one_by_one)):
                raise GradcheckError(f"batched tangents of output {o} by input {i} differ from those one by one")


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: Any = None,
) -> bool:
    """Return whether second derivatives agree with differences of first ones; see `gradcheck`.

    The gradients are differentiated by the inputs and by `grad_outputs` (random if not given). This says that a rule
    agrees with its own derivative, not that the rule is right: run `gradcheck` too.

    Raises
    ------
    GradcheckError, ArgumentError, GraphShapeError
        As `gradcheck`.
    """
    if not (check_fwd_over_rev or check_rev_over_rev):
        raise ArgumentError("gradgradcheck: at least one of check_fwd_over_rev and check_rev_over_rev must be true")
    given = _as_tuple(inputs)
    check = _Check(func, given)
    _check_inputs(check)
    outs = [out for out in check.outputs() if out.requires_grad]
    if grad_outputs is None:
        random = creation.default_generator().random
        seeds = []
        for out in outs:
            data = np.asarray(out._data)
            seed = random.standard_normal(data.shape)
            if data.dtype.kind == "c":
                seed = seed + 1j * random.standard_normal(data.shape)
            seeds.append(wrap(Tensor.family, np.asarray(seed, data.dtype)).requires_grad_())
    else:
        seeds = list(_as_tuple(grad_outputs))

    def gradients(*values: Any) -> tuple[Any, ...]:
        mine, cotangents = values[: len(given)], values[len(given) :]
        mine = tuple(
            x.requires_grad_()
            if isinstance(x, Tensor) and isinstance(y, Tensor) and y.requires_grad and not x.requires_grad
            else x
            for x, y in zip(mine, given, strict=True)
        )
        from ..modes import enable_grad

        with enable_grad():
            found = [out for out in _as_tuple(func(*mine)) if out.requires_grad]
            sources = [mine[i] for i in check.varied]
            return grad(found, sources, list(cotangents), create_graph=True, allow_unused=True, materialize_grads=True)

    return gradcheck(
        gradients,
        (*given, *seeds),
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        check_undefined_grad=check_undefined_grad,
        check_grad_dtypes=check_grad_dtypes,
        check_batched_grad=check_batched_grad,
        check_forward_ad=check_fwd_over_rev,
        check_backward_ad=check_rev_over_rev,
        fast_mode=fast_mode,
    )
