"""Custom rules: one object that holds a function and whatever the user knows about its derivatives.

What is missing is derived: the vjp is the transpose of the jvp and the other way round, the batch rule maps function
and rules alike, and without any of them the function's own code is differentiated. Shapes, dtypes and counts are
always checked. The object, its checks and its line of a Program are one idea, which makes the page long.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from .. import tree
from ..errors import (
    AbstractValue,
    ArgumentError,
    DtypeError,
    ShapeError,
    StructureError,
    TraceLost,
    UnsupportedFunction,
)
from ..execute.control import pack
from ..primitives.base import Primitive, shape_of
from ..primitives.structural import pick
from ..program import Slot, trace
from ..recording import Line, Traced, apply, is_tracked
from ..transforms.derive import concrete_slot, is_inexact
from .recorded import Recorded
from .vmap import check_result


class Saved:
    """What the forward pass keeps for the backward pass; travels as one more result of the line."""

    __slots__ = ("value",)
    shape = ()
    dtype = np.dtype(object)

    def __init__(self, value: Any) -> None:
        self.value = value


class CustomRule:
    """A function with rules of its own; made by `custom_rule`.

    Calling it is calling the function. The decorators `jvp`, `vjp`, `batch` and `pattern` give it rules.
    """

    # Whether the function is known to need the values of its arguments, so that samples are taken one by one.
    needs_values = False

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        jvp: Callable[..., Any] | None = None,
        vjp: Callable[..., Any] | None = None,
        batch: Callable[..., Any] | None = None,
        pattern: Callable[..., Any] | None = None,
        forward: Callable[..., Any] | None = None,
        like: Callable[..., Any] | None = None,
    ) -> None:
        if not callable(function):
            raise StructureError(f"custom_rule: the first argument is the function, not {type(function).__name__}")
        self.function = function
        self.rules = {"jvp": jvp, "vjp": vjp, "batch": batch, "pattern": pattern, "forward": forward, "like": like}
        for kind, rule in self.rules.items():
            if rule is not None and not callable(rule):
                raise StructureError(f"custom_rule: {kind} is a function or None, not {type(rule).__name__}")
        if forward is not None and vjp is None:
            raise ArgumentError(
                "custom_rule: forward saves values for a vjp, but there is no vjp", hint="give vjp= as well"
            )
        self.__doc__ = getattr(function, "__doc__", None)
        self.__name__ = getattr(function, "__name__", "function")
        self.__qualname__ = getattr(function, "__qualname__", self.__name__)
        self.__module__ = getattr(function, "__module__", __name__)

    # ------------------------------------------------------------ giving rules

    def _give(self, kind: str, rule: Callable[..., Any]) -> Callable[..., Any]:
        if not callable(rule):
            raise StructureError(f"custom_rule: {kind} is a function, not {type(rule).__name__}")
        self.rules[kind] = rule
        return rule

    def jvp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Give the forward rule: `(tangents, out, *args, **settings) -> tangent of the result`.

        `tangents` has one entry per argument; an argument that does not vary has zeros, one of integers None.
        """
        return self._give("jvp", rule)

    def vjp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Give the reverse rule: `(cotangent, out, *args, **settings) -> tuple of cotangents`, one per argument.

        None stands for a cotangent that is exactly zero.
        """
        return self._give("vjp", rule)

    def batch(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Give the rule for stacked samples: `(size, batched, *args, **settings) -> result with a leading axis`.

        Arguments flagged in `batched` have a leading axis of length `size`, the others are shared.
        """
        return self._give("batch", rule)

    def pattern(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Give the sparsity: `(*shapes, **settings) -> one boolean matrix per argument`.

        Rows are elements of the result, columns those of the argument; a matrix may be a SciPy sparse array, and None
        stands for all on all. Only for a function of arrays that returns one array.
        """
        return self._give("pattern", rule)

    # ------------------------------------------------------------ calling

    def __call__(self, *args: Any, **settings: Any) -> Any:
        """Apply the function; record one line where an argument is tracked."""
        leaves, structure = tree.flatten(args)
        for i, value in enumerate(leaves):
            if not isinstance(value, Traced | np.ndarray | np.generic | bool | int | float | complex):
                raise StructureError(
                    f"{self.__name__}: argument {i} is a {type(value).__name__}, not an array",
                    why="arguments of a custom rule are arrays or nested structures of arrays",
                    hint="pass settings by keyword",
                )
        if not any(isinstance(value, Traced) for value in leaves):
            result = self.function(*args, **settings)
            if any(isinstance(leaf, Traced) and is_tracked(leaf) for leaf in tree.flatten(result)[0]):
                self._closes_over()
            return result
        static = tuple(sorted(settings.items()))
        if any(isinstance(value, Traced) and value._data is None for value in leaves):
            outputs, slots = self._abstract_results(leaves, structure, settings)
            params = {"rule": self, "structure": structure, "static": static, "results": (outputs, slots)}
            result = apply(custom, leaves, params)
            return _unpack(result, outputs, slots)
        plain = [value._data if isinstance(value, Traced) else value for value in leaves]
        values, outputs = self.run(plain, structure, settings)
        slots = tuple(map(_slot_of, values))
        params = {"rule": self, "structure": structure, "static": static, "results": (outputs, slots)}
        result = apply(custom, leaves, params, computed=_bundle(values))
        return _unpack(result, outputs, slots)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        from .custom_derived import BoundRule

        return self if instance is None else BoundRule(self, instance)

    def __repr__(self) -> str:
        given = ", ".join(kind for kind, rule in self.rules.items() if rule is not None)
        return f"<custom rule {self.__name__} with {given or 'no rules'}>"

    def __reduce__(self) -> Any:
        found: Any = sys.modules.get(self.__module__)
        for part in self.__qualname__.split("."):
            found = getattr(found, part, None)
        if found is self:  # a decorated function: its name is the rule, not the bare function
            return self.__qualname__
        return (_rebuild, (self.function, self.rules))

    # ------------------------------------------------------------ the function

    def run(self, values: Sequence[Any], structure: tree.Tree, settings: dict[str, Any]) -> tuple[list[Any], tree.Tree]:
        """Run the function on plain values; return the result's leaves (and what it saves) and its structure."""
        args = tree.unflatten(structure, values)
        forward = self.rules["forward"]
        if forward is not None:
            result, saved = self._saving(forward, args, settings)
        else:
            result = self.function(*args, **settings)
        leaves, outputs = tree.flatten(result)
        arrays = []
        for leaf in leaves:
            check_result(leaf, self.__name__)
            if isinstance(leaf, Traced):
                if is_tracked(leaf):
                    self._closes_over()
                leaf = leaf._data
            arrays.append(leaf if isinstance(leaf, np.ndarray | np.generic) else np.asarray(leaf))
        if not arrays:
            raise StructureError(f"{self.__name__}: the function returned nothing", hint="return an array")
        return ([*arrays, Saved(saved)] if forward is not None else arrays), outputs

    def _saving(self, forward: Callable[..., Any], args: Any, settings: dict[str, Any]) -> tuple[Any, Any]:
        pair = forward(*args, **settings)
        if type(pair) is not tuple or len(pair) != 2:
            raise StructureError(
                f"{self.__name__}: the forward function returns a pair (result, saved values), "
                f"not {type(pair).__name__}"
            )
        return pair

    def _closes_over(self) -> None:
        raise ArgumentError(
            f"{self.__name__}: the function of a custom rule reads a tracked tensor that is not an argument",
            why="its rules could not give that tensor a derivative",
            hint="pass the tensor as an argument",
        )

    def _abstract_results(
        self, leaves: Sequence[Any], structure: tree.Tree, settings: dict[str, Any]
    ) -> tuple[tree.Tree, tuple[Slot, ...]]:
        """Return the structure and the shapes of the result for abstract arguments."""
        forward = self.rules["forward"]
        extra = (Slot((), np.dtype(object)),) if forward is not None else ()
        like = self.rules["like"]
        if like is not None:
            found, outputs = tree.flatten(like(*tree.unflatten(structure, leaves), **settings))
            return outputs, (*(Slot(tuple(x.shape), np.dtype(x.dtype)) for x in found), *extra)
        kept: list[Any] = []

        def body(*values: Any) -> list[Any]:
            filled = iter(values)
            args = tree.unflatten(structure, [next(filled) if isinstance(x, Traced) else x for x in leaves])
            result = self.function(*args, **settings)
            found, outputs = tree.flatten(result)
            for leaf in found:
                check_result(leaf, self.__name__)
            kept.append(outputs)
            return [leaf if isinstance(leaf, Traced) else np.asarray(leaf) for leaf in found]

        try:
            program = trace(body, [concrete_slot(Slot.of(x)) for x in leaves if isinstance(x, Traced)])
        except (AbstractValue, TraceLost, UnsupportedFunction) as error:
            raise AbstractValue(
                f"{self.__name__}: the shape of the result cannot be learnt without running the function",
                why=str(error).splitlines()[0],
                hint="custom_rule(f, like=lambda *args: np.empty(...)) says shape and dtype",
            ) from error
        if any(isinstance(value, Traced) and is_tracked(value) for value in program.captures):
            self._closes_over()
        return kept[0], (*program.output_slots, *extra)

    # ------------------------------------------------------------ the rules, given or derived

    def pull(
        self,
        cotangents: Sequence[Any],
        out: Any,
        leaves: Sequence[Any],
        structure: tree.Tree,
        static: Any,
        results: Any,
    ) -> list[Any]:
        """Return one cotangent (or None) per argument leaf for one per result leaf."""
        outputs = results[0]
        args, settings = tree.unflatten(structure, leaves), dict(static)
        rule = self.rules["vjp"]
        if rule is None and self.rules["jvp"] is not None:
            return self._pull_by_transposing(cotangents, out, leaves, structure, static, results)
        if rule is None:
            varying = [i for i, leaf in enumerate(leaves) if is_inexact(_as_slot(leaf))]
            recorded = self._record(leaves, structure, settings, varying)
            found = iter(recorded.pull_back(cotangents))
            return [next(found) if i in varying else None for i in range(len(leaves))]
        cotangent = tree.unflatten(outputs, cotangents)
        if self.rules["forward"] is not None:
            pulled = rule(cotangent, self._saved_values(out, args, settings), *args, **settings)
        else:
            pulled = rule(cotangent, tree.unflatten(outputs, result_parts(out, results)), *args, **settings)
        return self._check_cotangents(pulled, leaves, structure)

    def _saved_values(self, out: Any, args: Any, settings: dict[str, Any]) -> Any:
        """Return what the forward pass saved; run it again where the backward pass is itself differentiated."""
        raw = out._data if isinstance(out, Traced) else out
        leaves = tree.flatten(args)[0]
        if raw is not None and not any(isinstance(x, Traced) and is_tracked(x) for x in leaves):
            return raw[-1].value
        forward = self.rules["forward"]
        assert forward is not None  # the caller looked
        return self._saving(forward, args, settings)[1]

    def _record(
        self, leaves: Sequence[Any], structure: tree.Tree, settings: dict[str, Any], varying: Sequence[int]
    ) -> Recorded:
        def flat(*values: Any) -> list[Any]:
            filled = list(leaves)
            for i, value in zip(varying, values, strict=True):
                filled[i] = value
            return tree.flatten(self.function(*tree.unflatten(structure, filled), **settings))[0]

        return Recorded(flat, [leaves[i] for i in varying], {}, range(len(varying)), name=self.__name__)

    def _pull_by_transposing(
        self,
        cotangents: Sequence[Any],
        out: Any,
        leaves: Sequence[Any],
        structure: tree.Tree,
        static: Any,
        results: Any,
    ) -> list[Any]:
        varying = [i for i, leaf in enumerate(leaves) if is_inexact(_as_slot(leaf))]

        def push(*tangents: Any) -> list[Any]:
            filled: list[Any] = [None] * len(leaves)
            for i, tangent in zip(varying, tangents, strict=True):
                filled[i] = tangent
            return self.push(filled, out, leaves, structure, static, results)

        recorded = self._transposable(push, [zeros_like_leaf(leaves[i]) for i in varying], "jvp", "reverse mode")
        found = iter(recorded.pull_back(cotangents))
        return [next(found) if i in varying else None for i in range(len(leaves))]

    def push(
        self, tangents: Sequence[Any], out: Any, leaves: Sequence[Any], structure: tree.Tree, static: Any, results: Any
    ) -> list[Any]:
        """Return one tangent per result leaf for one (or None) per argument leaf."""
        outputs, slots = results
        args, settings = tree.unflatten(structure, leaves), dict(static)
        filled = [
            (None if not is_inexact(_as_slot(leaf)) else zeros_like_leaf(leaf)) if tangent is None else tangent
            for tangent, leaf in zip(tangents, leaves, strict=True)
        ]
        rule = self.rules["jvp"]
        if rule is not None:
            value = tree.unflatten(outputs, result_parts(out, results))
            pushed = rule(tree.unflatten(structure, filled), value, *args, **settings)
            return self._check_tangents(pushed, outputs, slots)
        if self.rules["vjp"] is None:
            varying = [i for i, tangent in enumerate(filled) if tangent is not None]
            return self._record(leaves, structure, settings, varying).push_forward([filled[i] for i in varying])

        def pull(*cotangents: Any) -> list[Any]:
            pulled = self.pull(cotangents, out, leaves, structure, static, results)
            return [
                zeros_like_leaf(leaf) if value is None else value
                for value, leaf, tangent in zip(pulled, leaves, filled, strict=True)
                if tangent is not None
            ]

        seeds = [np.zeros(slot.shape, slot.dtype) for slot in slots[: outputs.count]]
        recorded = self._transposable(pull, seeds, "vjp", "forward mode")
        return recorded.pull_back([tangent for tangent in filled if tangent is not None])

    def _transposable(self, rule: Callable[..., Any], zeros: Sequence[Any], kind: str, mode: str) -> Recorded:
        """Record a rule as a function of what it is linear in, so that it can be transposed."""
        try:
            recorded = Recorded(rule, zeros, {}, range(len(zeros)), name=self.__name__)
        except TraceLost as error:
            raise TraceLost(
                f"{self.__name__}: {mode} needs the transpose of the {kind}, whose code leaves NumPy's functions",
                why=str(error).splitlines()[0],
                hint=f"give a {'vjp' if kind == 'jvp' else 'jvp'} as well, or write the {kind} with NumPy functions",
            ) from error
        if any(map(may_be_nonlinear, recorded.lines)):
            from .custom_check import check_linear

            check_linear(self.__name__, kind, rule, zeros)
        return recorded

    # ------------------------------------------------------------ checks

    def _check_cotangents(self, pulled: Any, leaves: Sequence[Any], structure: tree.Tree) -> list[Any]:
        count = len(structure.children)
        if pulled is None:
            raise _forgotten(self.__name__, "vjp", "a tuple with one cotangent per argument")
        if not isinstance(pulled, tuple | list):
            pulled = (pulled,)
        if len(pulled) != count:
            raise ArgumentError(
                f"{self.__name__}: the vjp returned {len(pulled)} cotangents for {count} arguments",
                hint="one per argument; None where it is exactly zero",
            )
        found: list[Any] = []
        start = 0
        for number, (value, child) in enumerate(zip(pulled, structure.children, strict=True)):
            mine = leaves[start : start + child.count]
            start += child.count
            if value is None:
                found.extend([None] * child.count)
                continue
            values = [value] if child.is_leaf else _matching(value, child, f"{self.__name__}: cotangent {number}")
            for got, leaf in zip(values, mine, strict=True):
                if got is None or not is_inexact(_as_slot(leaf)):
                    found.append(None)
                else:
                    what = f"{self.__name__}: the vjp's cotangent {number}"
                    found.append(_fitting(got, _as_slot(leaf), what, "argument"))
        return found

    def _check_tangents(self, pushed: Any, outputs: tree.Tree, slots: Sequence[Slot]) -> list[Any]:
        what = f"{self.__name__}: the jvp's tangent"
        if pushed is None:
            raise _forgotten(self.__name__, "jvp", "the tangent of the result")
        if outputs.is_leaf:
            values = [pushed]
        else:
            values = _matching(pushed, outputs, what)
        return [
            np.zeros(slot.shape, slot.dtype if is_inexact(slot) else float)
            if got is None or not is_inexact(slot)
            else _fitting(got, slot, what, "result")
            for got, slot in zip(values, slots[: outputs.count], strict=True)
        ]

    def has_pattern(self, structure: tree.Tree, results: Any, **_params: Any) -> bool:
        """Whether the rule declares a pattern that fits its arguments: arrays to one array."""
        flat = all(child.is_leaf for child in structure.children)
        return self.rules["pattern"] is not None and flat and len(results[1]) == 1

    def pattern_of(self, shapes: Sequence[tuple[int, ...]], out_shape: tuple[int, ...], settings: Any) -> list[Any]:
        """Return (rows, columns) of the entries for each argument, or None for all on all."""
        rule = self.rules["pattern"]
        assert rule is not None  # the caller looked
        declared = rule(*shapes, **settings)
        if not isinstance(declared, tuple | list) or len(declared) != len(shapes):
            raise StructureError(
                f"{self.__name__}: the pattern rule must return one matrix per argument, {len(shapes)} in all",
                hint="a tuple; None where every element may depend on every other",
            )
        found = []
        for matrix, shape in zip(declared, shapes, strict=True):
            expected = (prod(out_shape), prod(shape))
            if matrix is not None and tuple(matrix.shape) != expected:
                raise ShapeError(
                    f"{self.__name__}: the pattern rule returned shape {tuple(matrix.shape)} for an argument of shape "
                    f"{shape}",
                    hint=f"one row per element of the result and one column per element of the argument: {expected}",
                )
            found.append(None if matrix is None else matrix.nonzero())
        return found

    def dependence(self, shapes: Sequence[Any], out_shape: Any) -> list[Any]:
        """Return which elements of the arguments those of the result depend on; see `Primitive.pattern`."""
        return [None] * len(shapes)

    def verify(self, *args: Any, tolerance: float = 1e-5, seed: int = 0, **settings: Any) -> None:
        """Compare the rules with differences of the function at a point.

        Parameters
        ----------
        *args : array_like
            Where; floating numbers, away from kinks.
        tolerance : float
            Largest error relative to the derivative's size.
        seed : int
            Of the random directions.

        Raises
        ------
        WrongDerivative
            If a rule disagrees with the function; the message has both numbers.
        """
        from .custom_check import verify

        verify(self, args, settings, tolerance, seed)


def _forgotten(name: str, kind: str, what: str) -> StructureError:
    return StructureError(f"{name}: the {kind} returned None", hint=f"return {what} (a part of it may be None: zero)")


def _matching(value: Any, structure: tree.Tree, what: str) -> list[Any]:
    """Return the leaves of a value that has a structure, where None stands for a part that is exactly zero."""
    found: list[Any] = []

    def walk(part: Any, node: tree.Tree) -> None:
        if part is None:
            found.extend([None] * node.count)
        elif node.is_leaf and not isinstance(part, tuple | dict):
            found.append(part)
        else:
            children = None if node.is_leaf else _children(part, node)
            if children is None:
                raise StructureError(f"{what} does not have the structure of what it belongs to: {value!r}")
            for child, inner in zip(children, node.children, strict=True):
                walk(child, inner)

    walk(value, structure)
    return found


def _children(value: Any, node: tree.Tree) -> list[Any] | None:
    """Return the parts of a value in a node's order, or None if it is of another kind."""
    if node.kind in (tuple, list):
        return list(value) if isinstance(value, tuple | list) and len(value) == len(node.children) else None
    if isinstance(value, dict):
        return [value[key] for key in node.keys] if set(value) == set(node.keys) else None
    return [getattr(value, key) for key in node.keys] if type(value) is node.kind else None


def _fitting(value: Any, slot: Slot, what: str, space: str) -> Any:
    if not isinstance(value, Traced | np.ndarray | np.generic):
        value = np.asarray(value)
    if value.shape != slot.shape:
        raise ShapeError(f"{what} has shape {value.shape}, but the {space} it belongs to has shape {slot.shape}")
    if not np.can_cast(value.dtype, slot.dtype, "same_kind"):
        raise DtypeError(f"{what} has dtype {value.dtype}, but the {space} it belongs to has {slot.dtype}")
    return value if value.dtype == slot.dtype else value.astype(slot.dtype)


def may_be_nonlinear(line: Line) -> bool:
    """Whether a line between what a rule is linear in and its result reads more than a linear function does."""
    primitive = line.primitive
    if primitive is None:
        return False
    moving = {i for i, parent in enumerate(line.inputs) if parent is not None}
    if primitive.vjp is None:
        return bool(moving)
    read: set[Any] = set().union(*(primitive.reads(i, len(line.inputs)) for i in moving))
    return "out" in read or bool(read & moving)


def _as_slot(value: Any) -> Slot:
    return concrete_slot(Slot.of(value))


def _slot_of(value: Any) -> Slot:
    return Slot((), value.dtype) if isinstance(value, Saved) else Slot(value.shape, value.dtype)


def zeros_like_leaf(value: Any) -> np.ndarray:
    """Return zeros of a leaf's shape and dtype, float64 for a Python number."""
    slot = _as_slot(value)
    return np.zeros(slot.shape, slot.dtype)


def _bundle(values: Sequence[Any]) -> Any:
    return values[0] if len(values) == 1 else tuple(values)


def _unpack(result: Any, outputs: tree.Tree, slots: Sequence[Slot]) -> Any:
    if len(slots) == 1:
        return tree.unflatten(outputs, [result])
    return tree.unflatten(outputs, [pick(result, position=i) for i in range(outputs.count)])


def _rebuild(function: Any, rules: dict[str, Any]) -> CustomRule:
    return CustomRule(function, **rules)


def one_result(parts: Sequence[Any], results: Any) -> Any:
    """Return the result of a line from its parts."""
    return parts[0] if len(results[1]) == 1 else pack(*parts)


def result_parts(out: Any, results: Any) -> list[Any]:
    """Return the parts of a line's result."""
    outputs, slots = results
    return [out] if len(slots) == 1 else [pick(out, position=i) for i in range(outputs.count)]


# ---------------------------------------------------------------- the primitive


def _evaluate(*leaves: Any, rule: CustomRule, structure: tree.Tree, static: Any, results: Any) -> Any:
    return _bundle(rule.run(leaves, structure, dict(static))[0])


def _abstract(*leaves: Any, rule: CustomRule, structure: tree.Tree, static: Any, results: Any) -> Any:
    slots = results[1]
    if len(slots) == 1:
        return slots[0].shape, slots[0].dtype
    return tuple(slot.shape for slot in slots), tuple(slot.dtype for slot in slots)


def _vjp(cotangent: Any, out: Any, *leaves: Any, needs: Sequence[bool], rule: CustomRule, **params: Any) -> Any:
    outputs, slots = params["results"]
    given = cotangent if len(slots) > 1 else [cotangent]
    cotangents = [
        np.zeros(slot.shape, slot.dtype if is_inexact(slot) else float) if part is None else part
        for part, slot in zip(given[: outputs.count], slots[: outputs.count], strict=True)
    ]
    if rule.has_pattern(**params):
        from .custom_derived import PatternedPull

        return tuple(
            PatternedPull(rule, i, params)(*cotangents, out, *leaves) if need and is_inexact(_as_slot(leaf)) else None
            for i, (need, leaf) in enumerate(zip(needs, leaves, strict=True))
        )
    return tuple(rule.pull(cotangents, out, leaves, **params))


def _jvp(tangents: Sequence[Any], out: Any, *leaves: Any, rule: CustomRule, **params: Any) -> Any:
    if rule.has_pattern(**params):
        from .custom_derived import PatternedPush

        moving = tuple(i for i, tangent in enumerate(tangents) if tangent is not None)
        return PatternedPush(rule, moving, params)(*(tangents[i] for i in moving), out, *leaves)
    pushed = rule.push(tangents, out, leaves, **params)
    slots = params["results"][1]
    return pushed[0] if len(slots) == 1 else (*pushed, *(None,) * (len(slots) - len(pushed)))


def _batch(
    size: int, batched: Sequence[bool], *leaves: Any, rule: CustomRule, structure: tree.Tree, static: Any, results: Any
) -> Any:
    outputs, slots = results
    given = rule.rules["batch"]
    wide = tuple(Slot((size, *slot.shape), slot.dtype) for slot in slots[: outputs.count])
    if given is not None:
        flags = tree.unflatten(structure, list(batched))
        result = given(size, flags, *tree.unflatten(structure, list(leaves)), **dict(static))
        values = (
            [result] if outputs.is_leaf else _matching(result, outputs, f"{rule.__name__}: the batch rule's result")
        )
        for value, slot in zip(values, wide, strict=True):
            if shape_of(value) != slot.shape:
                raise ShapeError(
                    f"{rule.__name__}: the batch rule returned shape {shape_of(value)} for {size} samples of shape "
                    f"{slot.shape[1:]}",
                    hint=f"the samples' axis is the first: {slot.shape}",
                )
        return one_result(values, results)
    from .custom_derived import BatchedRule

    mapped = BatchedRule(rule, tuple(batched), structure, static, results)
    params = {
        "rule": mapped,
        "structure": tree.flatten(tuple(range(len(leaves))))[1],
        "static": (),
        "results": (outputs if outputs.is_leaf else tree.flatten(list(range(outputs.count)))[1], wide),
    }
    result = apply(custom, leaves, params)
    return pack(result) if len(wide) == 1 < len(slots) else result


def _pattern(active: Sequence[bool], *shapes: Any, out_shape: Any, rule: CustomRule, **_params: Any) -> list[Any]:
    return rule.dependence(shapes, out_shape)


custom = Primitive(
    "custom", _evaluate, abstract=_abstract, vjp=_vjp, jvp=_jvp, batch=_batch, pattern=_pattern, family="control"
)
"""A function with rules of its own."""

# ---------------------------------------------------------------- public


def custom_rule(
    function: Callable[..., Any] | None = None,
    *,
    jvp: Callable[..., Any] | None = None,
    vjp: Callable[..., Any] | None = None,
    batch: Callable[..., Any] | None = None,
    pattern: Callable[..., Any] | None = None,
    like: Callable[..., Any] | None = None,
    verify: Sequence[Any] | None = None,
) -> Any:
    """Give a function derivative rules of its own.

    f: (x, ...) -> y   jvp: (tangents, y, x, ...) -> tangent of y   vjp: (cotangent, y, x, ...) -> (cotangent of x, ...)

    Use it as a decorator and add rules with `@f.jvp`, `@f.vjp`, `@f.batch`, `@f.pattern`, or pass them by keyword. The
    function gets plain arrays, so it may call anything. Arguments and results may be nested structures; settings are
    passed by keyword and are passed on to the rules.

    Parameters
    ----------
    function : callable
    jvp, vjp, batch, pattern : callable, optional
        See the methods of the same name of the result. What is missing is derived: of jvp and vjp each is the
        transpose of the other, and with neither the function's own code is differentiated.
    like : callable, optional
        `(*args) -> ` anything with the result's structure, shapes and dtypes; needed inside `vmap` if the function
        cannot run on tensors.
    verify : sequence, optional
        Arguments at which the rules are compared with differences of the function, at once.

    Raises
    ------
    ShapeError, DtypeError, StructureError, ArgumentError
        When a rule is used that returns the wrong shape, dtype, structure or count.
    WrongDerivative
        If `verify` finds a rule wrong.

    Notes
    -----
    Rules are differentiated for higher orders, so write them with NumPy functions; a jvp is linear in the tangents, a
    vjp in the cotangent.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> @wg.custom_rule
    ... def log1pexp(x):
    ...     return np.log1p(np.exp(x))
    >>> @log1pexp.vjp
    ... def _(cotangent, out, x):
    ...     return (cotangent * (1 - 1 / (1 + np.exp(x))),)
    >>> float(wg.grad(log1pexp)(50.0)), float(wg.grad(wg.grad(log1pexp))(0.0))
    (1.0, 0.25)
    """
    if function is None:
        return lambda f: custom_rule(f, jvp=jvp, vjp=vjp, batch=batch, pattern=pattern, like=like, verify=verify)
    rule = CustomRule(function, jvp=jvp, vjp=vjp, batch=batch, pattern=pattern, like=like)
    if verify is not None:
        rule.verify(*verify)
    return rule
