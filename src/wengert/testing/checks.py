"""`check_derivatives`: every derivative of a user's function against differences and against each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..differentiation.gradient import jvp
from ..errors import ArgumentError
from .comparison import ROUNDING, at, compare, finite, inner, same, size, worse, wrong_shape
from .differences import Arrays, precision, random_direction, scales
from .report import RIGHT, SKIPPED, UNCLEAR, WRONG, Report, Row
from .subject import Subject, plain

# Up to this many entries each one gets its own difference; beyond, random directions find that something is wrong
# and halving finds where.
COLUMNS = 24


def check_derivatives(
    function: Callable[..., Any],
    *args: Any,
    order: int = 2,
    argnums: int | Sequence[int] | None = None,
    seed: int = 0,
    **kwargs: Any,
) -> Report:
    """Check the derivatives of a function at a point in every mode, and report what was found.

    f: (...) -> (...)   returns: Report

    Parameters
    ----------
    function : callable
        Ordinary NumPy code; structures of arrays in and out. Called with arrays and with tensors.
    *args
        Where to check. Floating numbers are differentiated by, in double precision whatever their dtype; integers
        and other values are passed on.
    order : int
        How many derivatives: 1 checks first derivatives, 2 also second ones, and so on.
    argnums : int or sequence of int, optional
        Only these arguments.
    seed : int
        Of the random directions.
    **kwargs
        Passed on to the function.

    Returns
    -------
    Report
        True if no law was found broken. Its rows are

        forward, reverse
            against differences, entry by entry where there are at most 24; steps and error estimates are those of
            each entry. At a kink any value between the one-sided derivatives is right.
        adjoint
            `<c, J t> = <J* c, t>`, to rounding: no step size is involved.
        second order, mixed
            the Hessian of `<c, f>` against differences, and its forward-over-reverse, reverse-over-forward and
            reverse-over-reverse products against each other.
        batching
            many cotangents at once against one at a time.
        sparsity
            no nonzero entry outside of the detected pattern.
        dtype
            float32 arguments give float32 derivatives of the same value.
        repeatable, inputs
            the same numbers twice; arguments unchanged.

    Raises
    ------
    ArgumentError
        If there is nothing to differentiate by, or `order` is not positive.

    Notes
    -----
    Cost: about 20 evaluations of the function for each of up to 24 entries, and some tens of its gradient.
    A difference only shows that a derivative is right where its own error estimate is small; otherwise the row says
    "unclear" and why.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> report = wg.testing.check_derivatives(lambda x: np.sum(np.sin(x) * x), np.array([0.3, 2.0]))
    >>> report.ok, report["adjoint"].status
    (True, 'right')
    """
    if order < 1:
        raise ArgumentError(f"check_derivatives: order is {order}", hint="1 for first derivatives, 2 for second")
    numbers = None if argnums is None else [argnums] if isinstance(argnums, int) else list(argnums)
    subject = Subject(function, args, kwargs, numbers)
    name = getattr(function, "__name__", type(function).__name__)
    return Report(name, list(_rows(subject, order, seed, function, args, kwargs, numbers)))


def _rows(
    subject: Subject,
    order: int,
    seed: int,
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: dict[str, Any],
    numbers: Sequence[int] | None,
) -> list[Row]:
    generator = np.random.default_rng(seed)
    repeatable = repeats(subject, generator)
    rows = [against_differences(subject, mode, generator) for mode in ("forward", "reverse")]
    rows.append(adjoint(subject, generator))
    if order > 1:
        rows += higher(subject, order, generator)
    rows += [batching(subject, generator), sparsity(subject, generator)]
    rows.append(keeps_dtype(subject, generator, function, args, kwargs, numbers))
    rows += [repeatable, inputs_unchanged(subject, generator)]
    if repeatable.status == WRONG:
        rows = [
            Row(row.law, UNCLEAR, row.entry, row.ours, row.expected, row.error, "the function is not repeatable")
            if row.status == WRONG and row is not repeatable
            else row
            for row in rows
        ]
    return rows


def against_differences(subject: Subject, mode: str, generator: np.random.Generator) -> Row:
    """Compare first derivatives with differences."""
    if mode == "forward":
        return _by_columns(mode, subject, subject.value, subject.push, subject.out_labels, generator)
    # J* is compared as the gradient of <c, f>: one number, so a difference for each entry of the arguments.
    cotangents = [random_direction(np.ones_like(out), generator) for out in subject.outputs]

    def weighted(leaves: Sequence[Any]) -> Arrays:
        return [np.asarray(inner(cotangents, subject.value(leaves)))]

    gradient = subject.pull(subject.leaves, cotangents)
    bad = wrong_shape(mode, gradient, subject.leaves, subject.labels)
    if bad is not None:
        return bad

    def along(_leaves: Sequence[Any], tangents: Sequence[Any]) -> Arrays:
        return [np.asarray(sum(_product(g, t) for g, t in zip(gradient, tangents, strict=True)))]

    return _by_columns(mode, subject, weighted, along, ["<c, result>"], generator)


def _product(gradient: Any, tangent: Any) -> float:
    """Return Re <g, t>, where a direction of 0 does not meet an infinite slope."""
    with np.errstate(all="ignore"):
        return float(np.sum(np.where(tangent == 0, 0, np.real(np.conjugate(gradient) * tangent))))


def _by_columns(
    law: str,
    subject: Subject,
    value: Callable[[Sequence[Any]], Arrays],
    push: Callable[[Sequence[Any], Sequence[Any]], Arrays],
    out_labels: Sequence[str],
    generator: np.random.Generator,
) -> Row:
    """Compare `push` with differences of `value` along every direction, or along random ones if they are many."""
    leaves = subject.leaves
    worst = Row(law, ours=0.0, expected=0.0)
    if sum(x.size * (2 if np.iscomplexobj(x) else 1) for x in leaves) <= COLUMNS:
        for label, directions in _columns(subject):
            worst = worse(worst, compare(law, value, push, leaves, directions, label, out_labels))
        return worst
    for _ in range(3):
        directions = [random_direction(x, generator) for x in leaves]
        row = compare(law, value, push, leaves, directions, "a random direction", out_labels)
        if row.status == WRONG:
            row = _halve(law, subject, value, push, directions, out_labels) or row
        worst = worse(worst, row)
    return worst


def _columns(subject: Subject) -> list[tuple[str, Arrays]]:
    columns = []
    for i, x in enumerate(subject.leaves):
        size_of = scales(x)
        for k in np.ndindex(x.shape):
            for part in (1, 1j) if np.iscomplexobj(x) else (1,):
                directions = [np.zeros_like(leaf) for leaf in subject.leaves]
                directions[i][k] = part * size_of[k]
                label = at(subject.labels[i], k) + (" (imaginary part)" if part == 1j else "")
                columns.append((label, directions))
    return columns


def _halve(
    law: str,
    subject: Subject,
    value: Callable[[Sequence[Any]], Arrays],
    push: Callable[[Sequence[Any], Sequence[Any]], Arrays],
    directions: Arrays,
    out_labels: Sequence[str],
) -> Row | None:
    """Find one entry of the arguments along which the derivative is wrong."""
    places = [(i, k) for i, t in enumerate(directions) for k in np.ndindex(t.shape)]
    row = None
    while len(places) > 1:
        for half in (places[: len(places) // 2], places[len(places) // 2 :]):
            part = [np.zeros_like(t) for t in directions]
            for i, k in half:
                part[i][k] = directions[i][k]
            label = at(subject.labels[half[0][0]], half[0][1])
            found = compare(law, value, push, subject.leaves, part, label, out_labels)
            if found.status == WRONG:
                places, row = half, found
                break
        else:
            return row
    return row


# ---------------------------------------------------------------- laws without a step size


def adjoint(subject: Subject, generator: np.random.Generator) -> Row:
    """Compare <c, J t> with <J* c, t>."""
    worst = Row("adjoint", ours=0.0, expected=0.0)
    tolerance = rounding(subject, generator)
    for _ in range(2):
        tangents = [random_direction(x, generator) for x in subject.leaves]
        cotangents = [random_direction(np.ones_like(out), generator) for out in subject.outputs]
        pushed, pulled = subject.push(subject.leaves, tangents), subject.pull(subject.leaves, cotangents)
        left, right = inner(cotangents, pushed), inner(pulled, tangents)
        if np.isnan(left) or np.isnan(right) or np.isinf(left) or np.isinf(right):
            cause = "the derivative is infinite or NaN here"
            return Row("adjoint", UNCLEAR, "<c, J t> and <J* c, t>", left, right, np.inf, cause)
        scale = max(size(cotangents) * size(pushed), size(pulled) * size(tangents), _floor(cotangents, subject))
        scale = max(scale, 1e-4 * size(cotangents) * size(tangents))  # slopes of size 1 may have cancelled inside
        error = abs(left - right) / scale
        row = Row("adjoint", RIGHT, "<c, J t> and <J* c, t>", left, right, error)
        if error > tolerance:
            row = Row("adjoint", WRONG, row.entry, left, right, error, "wrong rule in one of the two modes")
        worst = worse(worst, row)
    return worst


def _floor(cotangents: Sequence[Any], subject: Subject) -> float:
    """Return the size below which a derivative along a direction as large as the point is rounding of the value."""
    return max(1e-4 * size(cotangents) * size([finite(out) for out in subject.outputs]), 1e-300)


def rounding(subject: Subject, generator: np.random.Generator) -> float:
    """Return what two ways to the same derivative may differ by: more where the function is not in double precision."""
    level = precision(subject.value, subject.leaves, [random_direction(x, generator) for x in subject.leaves])
    return max(ROUNDING, 100 * level)


def higher(subject: Subject, order: int, generator: np.random.Generator) -> list[Row]:
    """Check derivatives of the gradient of <c, f>, up to an order."""
    rows: list[Row] = []
    current = subject
    tolerance = 100 * rounding(subject, generator)
    for level in range(2, order + 1):
        cotangents = [random_direction(np.ones_like(out), generator) for out in current.outputs]
        tangents = [random_direction(x, generator) for x in current.leaves]
        gradient = Subject(current.pulled(cotangents), current.leaves)
        gradient.out_labels = [f"gradient by {label}" for label in current.labels]
        name = {2: "second order", 3: "third order"}.get(level, f"order {level}")
        product = gradient.push(gradient.leaves, tangents)

        def along(_leaves: Sequence[Any], _tangents: Sequence[Any], product: Arrays = product) -> Arrays:
            return product

        rows.append(
            compare(name, gradient.value, along, gradient.leaves, tangents, "a random direction", gradient.out_labels)
        )
        if not all(np.all(np.isfinite(part)) for part in product):
            rows.append(Row(f"mixed {name}", UNCLEAR, cause="the derivative is infinite or NaN here"))
            return rows
        labels = [f"H t by {label}" for label in current.labels]
        tangent_map = Subject(current.pushed(tangents), current.leaves)
        floor = _floor(cotangents, current)
        by_entry = floor / max(size(tangents), 1e-300)
        mixed = same(f"mixed {name}", gradient.pull(gradient.leaves, tangents), product, labels, tolerance, by_entry)
        other = tangent_map.pull(tangent_map.leaves, cotangents)
        mixed = worse(mixed, same(f"mixed {name}", other, product, labels, tolerance, by_entry))
        twice = tangent_map.push(tangent_map.leaves, tangents)
        left, right = inner(cotangents, twice), inner(tangents, product)
        error = abs(left - right) / max(size(cotangents) * size(twice), size(tangents) * size(product), floor)
        if error > tolerance:
            entry, cause = "<c, forward over forward>", "wrong rule"
            mixed = worse(mixed, Row(mixed.law, WRONG, entry, left, right, error, cause))
        rows.append(mixed)
        current = gradient
    return rows


def batching(subject: Subject, generator: np.random.Generator) -> Row:
    """Compare several cotangents and tangents pushed at once with one at a time."""
    from ..program import Slot, trace
    from ..transforms.batch import run_batched

    worst = Row("batching", ours=0.0, expected=0.0)
    for pull in (True, False):
        like = subject.outputs if pull else subject.leaves
        labels = subject.labels if pull else subject.out_labels
        apply = subject.pull if pull else subject.push
        make = subject.pulled if pull else subject.pushed
        seeds = [[random_direction(np.ones_like(x), generator) for x in like] for _ in range(3)]
        singles = [apply(subject.leaves, seed) for seed in seeds]
        with np.errstate(all="ignore"):
            program = trace(
                lambda *seed, make=make: make(seed)(*subject.leaves), [Slot(x.shape, x.dtype) for x in seeds[0]]
            )
            outs, flags = run_batched(
                program, 3, [np.stack(rows) for rows in zip(*seeds, strict=True)], [True] * len(like)
            )
        for k in range(3):
            ours = [plain(out)[k] if flag else plain(out) for out, flag in zip(outs, flags, strict=True)]
            worst = worse(worst, same("batching", ours, singles[k], labels))
    return worst


def sparsity(subject: Subject, generator: np.random.Generator) -> Row:
    """Check that no nonzero derivative lies outside of the detected pattern; compare sparse values with dense ones."""
    try:
        from ..sparse.plan import plan_jacobian
    except ImportError:
        return Row("sparsity", SKIPPED, cause="this build detects no patterns")
    if any(np.iscomplexobj(x) for x in (*subject.leaves, *subject.outputs)):
        return Row("sparsity", SKIPPED, cause="patterns are for real numbers")
    worst = Row("sparsity")
    tolerance = rounding(subject, generator)
    for i, x in enumerate(subject.leaves):
        for j, out in enumerate(subject.outputs):
            if not x.size or not out.size:
                continue
            if x.size * out.size > 1_000_000:
                return Row("sparsity", SKIPPED, cause="too large to compare with the dense Jacobian")

            def one(value: Any, i: int = i, j: int = j) -> Any:
                return subject(*subject.leaves[:i], value, *subject.leaves[i + 1 :])[j]

            try:
                with np.errstate(all="ignore"):
                    plan = plan_jacobian(one, x)
                    pattern, values = plan.pattern.toarray(), plan(x).toarray()
            except Exception as error:  # a function that has dense derivatives has sparse ones
                entry = f"{subject.out_labels[j]} by {subject.labels[i]}"
                return Row("sparsity", WRONG, entry, cause=f"raised {type(error).__name__}: {error}", error=np.inf)
            for k in range(x.size) if x.size <= COLUMNS else generator.choice(x.size, COLUMNS, replace=False):
                tangents = [np.zeros_like(leaf) for leaf in subject.leaves]
                tangents[i].flat[k] = 1.0
                column = subject.push(subject.leaves, tangents)[j]
                labels = [f"d {subject.out_labels[j]} / d {at(subject.labels[i], np.unravel_index(k, x.shape))}"]
                outside = (column != 0) & ~pattern[:, k].reshape(out.shape)
                if np.any(outside):
                    where = tuple(np.argwhere(outside)[0])
                    cause = "outside of the pattern"
                    return Row("sparsity", WRONG, labels[0], column[where], 0.0, np.inf, cause)
                found = values[:, k].reshape(out.shape)
                worst = worse(worst, same("sparsity", [found], [column], labels, tolerance, _column_floor(out, x)))
    return worst


def _column_floor(out: Any, x: Any) -> float:
    """Return the size below which a derivative is rounding: of the value, or of terms of size 1 that cancelled."""
    return max(1e-4 * size([finite(out)]) / max(size([finite(x)]), 1e-300), 1e-4)


def keeps_dtype(
    subject: Subject,
    generator: np.random.Generator,
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: dict[str, Any],
    numbers: Sequence[int] | None,
) -> Row:
    """Check that single precision in gives single precision derivatives out."""

    def narrow(value: Any) -> Any:
        value = plain(value)
        return value.astype(np.complex64 if value.dtype.kind == "c" else np.float32)

    with np.errstate(all="ignore"):
        single = Subject(function, args, kwargs, numbers, dtype=narrow)
    cotangents = [np.ones_like(out) for out in single.outputs]
    found = single.pull(single.leaves, cotangents)
    for gradient, x, label in zip(found, single.leaves, single.labels, strict=True):
        if gradient.dtype != x.dtype:
            return Row("dtype", WRONG, label, str(gradient.dtype), str(x.dtype), np.inf, "wrong dtype")
    tangents = [np.ones_like(x) for x in single.leaves]
    with np.errstate(all="ignore"):  # the value as it is recorded: Python numbers in it may promote otherwise
        values, pushed = jvp(single, single.leaves, tuple(tangents))
    for tangent, out, label in zip(map(plain, pushed), map(plain, values), single.out_labels, strict=True):
        if tangent.dtype != out.dtype:
            return Row("dtype", WRONG, label, str(tangent.dtype), str(out.dtype), np.inf, "wrong dtype")
    return Row("dtype")


def repeats(subject: Subject, generator: np.random.Generator) -> Row:
    """Check that value and gradient are the same twice."""
    cotangents = [random_direction(np.ones_like(out), generator) for out in subject.outputs]
    for what, run, labels in (
        ("value", lambda: subject.value(subject.leaves), subject.out_labels),
        ("gradient", lambda: subject.pull(subject.leaves, cotangents), subject.labels),
    ):
        for a, b, label in zip(run(), run(), labels, strict=True):
            if not np.array_equal(a, b, equal_nan=True) and not _is_rounding(a, b):
                gap = float(np.max(np.abs(a - b)))
                return Row("repeatable", WRONG, f"{what}, {label}", a.flat[0], b.flat[0], gap, "nondeterminism")
    return Row("repeatable")


def _is_rounding(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays differ by last digits only: what has run often is compiled, and may round otherwise."""
    size = 8 * float(np.finfo(a.dtype).eps) * float(np.max(np.abs(finite(a)), initial=0.0))
    return np.allclose(a, b, rtol=0.0, atol=size, equal_nan=True)


def inputs_unchanged(subject: Subject, generator: np.random.Generator) -> Row:
    """Check that neither the function nor its derivatives write to what they are given."""
    kept = [np.array(x) for x in subject.leaves]
    cotangents = [random_direction(np.ones_like(out), generator) for out in subject.outputs]
    tangents = [random_direction(x, generator) for x in subject.leaves]
    copies = [np.array(c) for c in (*cotangents, *tangents)]
    subject.value(subject.leaves)
    subject.pull(subject.leaves, cotangents)
    subject.push(subject.leaves, tangents)
    for before, after, label in zip(kept, subject.leaves, subject.labels, strict=True):
        if not np.array_equal(before, after, equal_nan=True):
            return Row("inputs", WRONG, label, after, before, np.inf, "the argument was written to")
    for before, after in zip(copies, (*cotangents, *tangents), strict=True):
        if not np.array_equal(before, after, equal_nan=True):
            return Row("inputs", WRONG, "a seed", after, before, np.inf, "a cotangent or tangent was written to")
    return Row("inputs")
